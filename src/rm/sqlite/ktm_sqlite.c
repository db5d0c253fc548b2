/* SPDX-License-Identifier: MIT */
/* The functions of ktm_sqlite.h. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/sqlite/rm.h"
#include "sys/sys.h"

static const struct ktm_sqlite_options defaults = {.mode = KTM_RM_CALLBACKS, .busy_ms = 5000};

/* ---- the resource manager ---- */

static NTSTATUS
tm_take(struct ktm_sqlite_rm *rm, HANDLE tm, const char *home, struct words *why)
{
    NTSTATUS status;

    if (tm) {
        rm->tm = tm;
        status = sys_directory_make(sys_linux(), home);
        return status == STATUS_OBJECT_NAME_COLLISION
                   ? STATUS_SUCCESS
                   : say_status(why, status, "the home '%s' cannot be made", home);
    }
    status = ktm_tm_open(home, &rm->tm);
    rm->owns_tm = status == STATUS_SUCCESS;
    if (status == STATUS_SHARING_VIOLATION)
        return say(why, status, "the home '%s' is in use by another process", home);
    return say_status(why, status, "the transaction manager of '%s' cannot be opened", home);
}

/* What the database must have before the kit asks for anything. */
static NTSTATUS
resource_open(struct ktm_sqlite_rm *rm, struct words *why)
{
    owned(guard_drop) struct guard *guard = NULL;

    TRY(park_open(&rm->park, rm->path, why));
    if (rm->store.is_new)
        TRY(store_identify(&rm->store, &rm->park.id, why));
    if (rm->options.is_last_resource)
        return outcome_table_make(rm, why);
    TRY(park_probe(&rm->park, &rm->store.identity, why));
    /* Whoever is in the way now is alive, and has left nothing. */
    if (guard_take(rm->path, &guard, &(struct words){.text = ""}) == STATUS_SUCCESS)
        TRY(park_sweep(&rm->park, why));
    return STATUS_SUCCESS;
}

static NTSTATUS
kit_open(struct ktm_sqlite_rm *rm, struct words *why)
{
    struct ktm_rm_options kit = {.identity = &rm->store.identity,
                                 .incarnation = rm->store.incarnation,
                                 .description = rm->path,
                                 .author = rm->options.is_last_resource ? &sqlite_last_author
                                                                        : &sqlite_author,
                                 .context = rm,
                                 .mode = rm->options.mode,
                                 .is_last_resource = rm->options.is_last_resource,
                                 .patience_ms = rm->options.patience_ms};

    return say_status(why, ktm_rm_open(rm->tm, &kit, &rm->kit), "'%s' cannot be registered",
                      rm->path);
}

static NTSTATUS
rm_start(struct ktm_sqlite_rm *rm, HANDLE tm, const char *home, const char *database,
         struct words *why)
{
    NTSTATUS status;

    TRY(database_path(database, &rm->path, why));
    TRY(tm_take(rm, tm, home, why));
    TRY(database_make(rm, why));
    TRY(store_open(&rm->store, home, rm->path, rm->options.is_last_resource ? KIND_LAST : KIND_PARK,
                   why));
    TRY(resource_open(rm, why));
    TRY(kit_open(rm, why));
    if (ktm_rm_unfinished(rm->kit))
        return STATUS_SUCCESS; /* still in doubt: ktm_sqlite_begin says so */
    status = database_look(rm, why);
    if (status == STATUS_TRANSACTIONAL_CONFLICT) {
        why->text[0] = '\0'; /* somebody else uses it, and is in nobody's way later */
        return STATUS_SUCCESS;
    }
    TRY(status);
    return store_identify(&rm->store, &rm->park.id, why);
}

static NTSTATUS
rm_open(HANDLE tm, const char *home, const char *database, const struct ktm_sqlite_options *options,
        struct words *why, struct ktm_sqlite_rm **out)
{
    struct ktm_sqlite_rm *rm = calloc(1, sizeof(*rm));
    NTSTATUS status;

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    rm->references = 1;
    rm->process = sys_process_id();
    rm->options = options ? *options : defaults;
    rm->setup = strdup(rm->options.setup ? rm->options.setup : "");
    rm->options.setup = rm->setup;
    rm->park.fd = rm->store.fd = rm->store.lock = TREE_NOWHERE;
    sys_mutex_init(&rm->mutex);
    list_init(&rm->settled);
    status = rm->setup ? rm_start(rm, tm, home, database, why)
                       : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        ktm_sqlite_shut(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_sqlite_open(HANDLE tm, const char *home, const char *database,
                const struct ktm_sqlite_options *options, char *why, size_t why_size,
                struct ktm_sqlite_rm **out)
{
    struct words words = {.text = ""};
    NTSTATUS status;

    if (!home || home[0] != '/' || !database || !database[0] || !out ||
        (options && options->mode > KTM_RM_HELPED))
        status = say(&words, status_raise(STATUS_INVALID_PARAMETER),
                     "no database, no absolute home, or unknown options");
    else
        status = say_status(&words, rm_open(tm, home, database, options, &words, out),
                            "'%s' cannot be opened", database);
    if (why && why_size)
        snprintf(why, why_size, "%s", words.text);
    return status;
}

void
ktm_sqlite_shut(struct ktm_sqlite_rm *rm)
{
    if (!rm || sqlite_rm_check(rm) != STATUS_SUCCESS)
        return;
    ktm_rm_close(rm->kit);
    if (rm->options.is_last_resource)
        outcome_flush(rm);
    if (rm->owns_tm)
        NtClose(rm->tm);
    rm->kit = NULL;
    rm->tm = NULL;
    sqlite_rm_release(rm);
}

struct known {
    ktm_sqlite_each *each;
    void *context;
};

static void
known_one(void *context, const char *database, const char *name, const struct store *store)
{
    struct known *known = context;

    (void)store;
    known->each(known->context, database, strncmp(name, KIND_LAST, strlen(KIND_LAST)) == 0);
}

NTSTATUS
ktm_sqlite_known(const char *home, ktm_sqlite_each *each, void *context)
{
    struct known known = {each, context};

    if (!home || home[0] != '/' || !each)
        return status_raise(STATUS_INVALID_PARAMETER);
    return store_list(home, known_one, &known);
}

HANDLE
ktm_sqlite_tm(struct ktm_sqlite_rm *rm)
{
    return rm->tm;
}

struct ktm_rm *
ktm_sqlite_kit(struct ktm_sqlite_rm *rm)
{
    return rm->kit;
}

/* ---- transactions ---- */

struct making {
    struct ktm_sqlite_rm *rm;
    HANDLE transaction;
    bool owns_transaction;
    struct words *why;
};

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct making *making = argument;
    struct ktm_sqlite_tx *tx = calloc(1, sizeof(*tx));
    NTSTATUS status;

    (void)key;
    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    tx->references = 1;
    tx->rm = making->rm;
    tx->transaction = making->transaction;
    tx->owns_transaction = making->owns_transaction;
    sys_mutex_init(&tx->mutex);
    sqlite_rm_hold(tx->rm);
    status = connection_begin(tx, making->why);
    if (status != STATUS_SUCCESS) {
        sqlite_tx_release(tx);
        return status;
    }
    *work = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
begin(struct ktm_sqlite_rm *rm, HANDLE transaction, struct words *why, struct ktm_sqlite_tx **out)
{
    struct making making = {.rm = rm, .transaction = transaction, .why = why};
    NTSTATUS status;
    void *work;

    TRY(sqlite_rm_check(rm));
    if (!transaction) {
        TRY(NtCreateTransaction(&making.transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, rm->tm, 0,
                                0, 0, NULL, NULL));
        making.owns_transaction = true;
    }
    status = ktm_rm_enlist(rm->kit, making.transaction, make, &making, &work);
    if (status != STATUS_SUCCESS) {
        if (making.owns_transaction)
            NtClose(making.transaction);
        return status;
    }
    *out = work;
    atomic_fetch_add(&(*out)->holders, 1);
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_sqlite_begin(struct ktm_sqlite_rm *rm, HANDLE transaction, char *why, size_t why_size,
                 struct ktm_sqlite_tx **out)
{
    struct words words = {.text = ""};
    NTSTATUS status;

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    status = say_status(&words, begin(rm, transaction, &words, out),
                        "'%s' cannot take part in the transaction", rm->path);
    if (why && why_size)
        snprintf(why, why_size, "%s", words.text);
    return status;
}

void
ktm_sqlite_close(struct ktm_sqlite_tx *tx)
{
    if (!tx || sqlite_rm_check(tx->rm) != STATUS_SUCCESS)
        return;
    /* The close rolls back what was not committed [CLOSE-TX-01]. */
    if (atomic_fetch_sub(&tx->holders, 1) == 1 && tx->owns_transaction) {
        NtClose(tx->transaction);
        tx->transaction = NULL;
    }
    sqlite_tx_release(tx);
}

struct sqlite3 *
ktm_sqlite_db(struct ktm_sqlite_tx *tx)
{
    return tx->db;
}

HANDLE
ktm_sqlite_transaction(struct ktm_sqlite_tx *tx)
{
    return tx->transaction;
}

static NTSTATUS
exec(struct ktm_sqlite_tx *tx, const char *sql)
{
    int code;

    tx->why.text[0] = '\0';
    if (tx->state != KTM_SQLITE_ACTIVE)
        return say(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                   "the transaction is over in '%s'", tx->rm->path);
    code = sqlite3_exec(tx->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_SUCCESS
                             : say(&tx->why, status_raise(status_of_sqlite(code)), "'%s': %s",
                                   tx->rm->path, sqlite3_errmsg(tx->db));
}

NTSTATUS
ktm_sqlite_exec(struct ktm_sqlite_tx *tx, const char *sql)
{
    NTSTATUS status;

    if (!tx || !sql)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(sqlite_rm_check(tx->rm));
    sys_mutex_lock(&tx->mutex);
    status = exec(tx, sql);
    sys_mutex_unlock(&tx->mutex);
    return status;
}

/* ---- outcomes ---- */

NTSTATUS
ktm_sqlite_commit(struct ktm_sqlite_tx *tx)
{
    NTSTATUS status;

    if (!tx || !tx->transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(sqlite_rm_check(tx->rm));
    sys_mutex_lock(&tx->mutex);
    tx->why.text[0] = '\0';
    sys_mutex_unlock(&tx->mutex);
    status = ktm_rm_commit(tx->rm->kit, tx->transaction);
    sys_mutex_lock(&tx->mutex);
    status = say_status(&tx->why, status, "the transaction was not committed");
    sys_mutex_unlock(&tx->mutex);
    return status;
}

NTSTATUS
ktm_sqlite_rollback(struct ktm_sqlite_tx *tx)
{
    if (!tx || !tx->transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(sqlite_rm_check(tx->rm));
    return ktm_rm_rollback(tx->rm->kit, tx->transaction);
}

enum ktm_sqlite_state
ktm_sqlite_state(struct ktm_sqlite_tx *tx)
{
    enum ktm_sqlite_state state;

    if (sqlite_rm_check(tx->rm) != STATUS_SUCCESS)
        return tx->state; /* as it was at the fork */
    sys_mutex_lock(&tx->mutex);
    state = tx->state;
    sys_mutex_unlock(&tx->mutex);
    return state;
}

size_t
ktm_sqlite_error(struct ktm_sqlite_tx *tx, char *into, size_t size)
{
    size_t length = 0;

    if (into && size)
        into[0] = '\0';
    if (sqlite_rm_check(tx->rm) != STATUS_SUCCESS)
        return 0;
    sys_mutex_lock(&tx->mutex);
    length = strlen(tx->why.text);
    if (into && size)
        snprintf(into, size, "%s", tx->why.text);
    sys_mutex_unlock(&tx->mutex);
    return length;
}
