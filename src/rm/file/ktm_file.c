/* SPDX-License-Identifier: MIT */
/* The functions of ktm_file.h: the resource manager and transactions. Steps and reads are in
 * ktm_file_step.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/rm.h"
#include "sys/sys.h"

#define DESCRIPTION "files"

/* ---- the resource manager ---- */

static NTSTATUS
home_absolute(struct tree *tree, const char *home, char **out)
{
    char *current;
    int size;

    if (home[0] == '/') {
        *out = strdup(home);
        return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    TRY(tree_current(tree, &current));
    size = asprintf(out, "%s/%s", current, home);
    free(current);
    return size < 0 ? status_raise(STATUS_INSUFFICIENT_RESOURCES) : STATUS_SUCCESS;
}

static NTSTATUS
tm_take(struct ktm_file_rm *rm, HANDLE tm, const char *home, struct explanation *why)
{
    NTSTATUS status;

    if (tm) {
        rm->tm = tm;
        status = sys_directory_make(sys_linux(), home);
        return status == STATUS_OBJECT_NAME_COLLISION
                   ? STATUS_SUCCESS
                   : explain_status(why, status, "the home '%s' cannot be made", home);
    }
    status = ktm_tm_open(home, &rm->tm);
    rm->owns_tm = status == STATUS_SUCCESS;
    if (status == STATUS_SHARING_VIOLATION)
        return explain(why, status, "the home '%s' is in use by another process", home);
    return explain_status(why, status, "the transaction manager of '%s' cannot be opened", home);
}

static NTSTATUS
rm_start(struct ktm_file_rm *rm, HANDLE tm, const char *home,
         const struct ktm_file_options *options, struct explanation *why)
{
    struct ktm_rm_options kit = {.description = DESCRIPTION,
                                 .author = &file_author,
                                 .context = rm,
                                 .mode = options ? options->mode : KTM_RM_CALLBACKS,
                                 .patience_ms = options ? options->patience_ms : 0};
    uint8_t random[16];
    GUID fresh;

    TRY(tm_take(rm, tm, home, why));
    sys_random(sys_linux(), random, sizeof(random));
    guid_from_random(random, &fresh);
    TRY(store_open(rm->tree, home, &fresh, why, &rm->store));
    TRY(file_rm_guard_home(rm, home, why));
    TRY(file_rm_take_up(rm, why));
    kit.identity = &rm->store->identity;
    kit.incarnation = rm->store->incarnation;
    rm->is_logged = options && options->is_logged;
    TRY(explain_status(why, ktm_rm_open(rm->tm, &kit, &rm->kit),
                       "the resource manager of '%s' cannot be registered", home));
    return file_rm_sweep(rm);
}

static NTSTATUS
rm_open(HANDLE tm, const char *home, const struct ktm_file_options *options,
        struct explanation *why, struct ktm_file_rm **out)
{
    struct ktm_file_rm *rm = calloc(1, sizeof(*rm));
    NTSTATUS status;
    char *path;

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    rm->references = 1;
    rm->process = sys_process_id();
    rm->tree = tree_linux();
    sys_mutex_init(&rm->mutex);
    list_init(&rm->left);
    path_owner_init(&rm->home, &(GUID){0});
    status = home_absolute(rm->tree, home, &path);
    if (status == STATUS_SUCCESS) {
        status = rm_start(rm, tm, path, options, why);
        free(path);
    }
    if (status != STATUS_SUCCESS) {
        ktm_file_shut(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_file_open(HANDLE tm, const char *home, const struct ktm_file_options *options, char *why,
              size_t why_size, struct ktm_file_rm **out)
{
    struct explanation explanation = {0};
    NTSTATUS status;

    if (!home || home[0] == '\0' || !out || (options && options->mode > KTM_RM_HELPED))
        status = explain(&explanation, status_raise(STATUS_INVALID_PARAMETER),
                         "no home, or unknown options");
    else
        status = rm_open(tm, home, options, &explanation, out);
    status = explain_status(&explanation, status, "'%s' cannot be opened", home);
    if (why && why_size)
        snprintf(why, why_size, "%s", explanation.text);
    return status;
}

void
ktm_file_shut(struct ktm_file_rm *rm)
{
    if (!rm || file_rm_check(rm) != STATUS_SUCCESS)
        return;
    ktm_rm_close(rm->kit);
    if (rm->owns_tm)
        NtClose(rm->tm);
    rm->kit = NULL;
    rm->tm = NULL;
    file_rm_release(rm);
}

HANDLE
ktm_file_tm(struct ktm_file_rm *rm)
{
    return rm->tm;
}

struct ktm_rm *
ktm_file_kit(struct ktm_file_rm *rm)
{
    return rm->kit;
}

/* ---- transactions ---- */

static NTSTATUS
tx_create(struct ktm_file_rm *rm, const GUID *id, HANDLE transaction, bool owns_transaction,
          struct ktm_file_tx **out)
{
    struct ktm_file_tx *tx = calloc(1, sizeof(*tx));
    char *base = NULL;
    NTSTATUS status =
        tx ? tree_current(rm->tree, &base) : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    if (status == STATUS_SUCCESS)
        status = work_create(rm->store, id, base, &tx->work);
    free(base);
    if (status != STATUS_SUCCESS) {
        free(tx);
        return status;
    }
    tx->references = 1;
    tx->rm = rm;
    tx->id = *id;
    tx->transaction = transaction;
    tx->owns_transaction = owns_transaction;
    sys_mutex_init(&tx->mutex);
    file_rm_hold(rm);
    *out = tx;
    return STATUS_SUCCESS;
}

struct making {
    struct ktm_file_rm *rm;
    HANDLE transaction;
    bool owns_transaction;
};

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct making *making = argument;
    struct ktm_file_tx *tx;

    TRY(tx_create(making->rm, &key->transaction, making->transaction, making->owns_transaction,
                  &tx));
    *work = tx;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_file_begin(struct ktm_file_rm *rm, HANDLE transaction, struct ktm_file_tx **out)
{
    struct making making = {.rm = rm, .transaction = transaction};
    NTSTATUS status;
    void *work;

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(file_rm_check(rm));
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

void
ktm_file_close(struct ktm_file_tx *tx)
{
    if (!tx || file_rm_check(tx->rm) != STATUS_SUCCESS)
        return;
    /* The close rolls back what was not committed [CLOSE-TX-01]. */
    if (atomic_fetch_sub(&tx->holders, 1) == 1 && tx->owns_transaction) {
        NtClose(tx->transaction);
        tx->transaction = NULL;
    }
    file_tx_release(tx);
}

HANDLE
ktm_file_transaction(struct ktm_file_tx *tx)
{
    return tx->transaction;
}

void
ktm_file_id(struct ktm_file_tx *tx, GUID *transaction)
{
    *transaction = tx->id;
}

/* ---- outcomes ---- */

/* What we refused ourselves is explained already. */
static void
explain_abort(struct ktm_file_tx *tx, NTSTATUS status)
{
    sys_mutex_lock(&tx->mutex);
    status_forgive(
        explain_status(&tx->work->why, status,
                       "the transaction was not committed; another participant, a time-out "
                       "or its owner has rolled it back"));
    sys_mutex_unlock(&tx->mutex);
}

NTSTATUS
ktm_file_commit(struct ktm_file_tx *tx)
{
    NTSTATUS status;

    if (!tx || !tx->transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(file_rm_check(tx->rm));
    sys_mutex_lock(&tx->mutex);
    explain_nothing(&tx->work->why);
    sys_mutex_unlock(&tx->mutex);
    status = ktm_rm_commit(tx->rm->kit, tx->transaction);
    if (status != STATUS_SUCCESS)
        explain_abort(tx, status);
    return status;
}

NTSTATUS
ktm_file_rollback(struct ktm_file_tx *tx)
{
    if (!tx || !tx->transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(file_rm_check(tx->rm));
    return ktm_rm_rollback(tx->rm->kit, tx->transaction);
}

enum ktm_file_state
ktm_file_state(struct ktm_file_tx *tx)
{
    enum work_state state;

    if (file_rm_check(tx->rm) != STATUS_SUCCESS)
        return (enum ktm_file_state)tx->work->state; /* as it was at the fork */
    sys_mutex_lock(&tx->mutex);
    state = tx->work->state;
    sys_mutex_unlock(&tx->mutex);
    return (enum ktm_file_state)state;
}

static_assert((int)KTM_FILE_ACTIVE == (int)WORK_ACTIVE &&
                  (int)KTM_FILE_PREPARED == (int)WORK_PREPARED &&
                  (int)KTM_FILE_COMMITTED == (int)WORK_COMMITTED &&
                  (int)KTM_FILE_ROLLED_BACK == (int)WORK_ROLLED_BACK,
              "states are told as they are");

size_t
ktm_file_error(struct ktm_file_tx *tx, char *into, size_t size)
{
    size_t length;

    if (file_rm_check(tx->rm) != STATUS_SUCCESS) {
        if (into && size)
            into[0] = 0;
        return 0;
    }
    sys_mutex_lock(&tx->mutex);
    length = strlen(tx->work->why.text);
    if (into && size)
        snprintf(into, size, "%s", tx->work->why.text);
    sys_mutex_unlock(&tx->mutex);
    return length;
}

/* ---- conflicts and reports ---- */

static struct ktm_file_conflict
conflict_of(const struct conflict *conflict)
{
    return (struct ktm_file_conflict){.kind = (enum ktm_file_conflict_kind)(conflict->kind + 1),
                                      .path = conflict->path,
                                      .kept_as = conflict->kept_as};
}

static_assert((int)KTM_FILE_KEPT == (int)CONFLICT_KEPT + 1 &&
                  (int)KTM_FILE_TAKEN == (int)CONFLICT_TAKEN + 1 &&
                  (int)KTM_FILE_GONE == (int)CONFLICT_GONE + 1,
              "conflicts are told as they are");

NTSTATUS
ktm_file_conflict(struct ktm_file_tx *tx, size_t index, struct ktm_file_conflict *out)
{
    NTSTATUS status = STATUS_NO_MORE_ENTRIES;

    TRY(file_rm_check(tx->rm));
    sys_mutex_lock(&tx->mutex);
    if (index < tx->work->conflicts.count) {
        *out = conflict_of(&tx->work->conflicts.at[index]);
        status = STATUS_SUCCESS;
    }
    sys_mutex_unlock(&tx->mutex);
    return status;
}

static void
report(const struct left *left, ktm_file_each_report *each, void *context)
{
    size_t count = left->work ? left->work->conflicts.count : 0;
    struct ktm_file_conflict *conflicts = calloc(count + 1, sizeof(*conflicts));
    struct ktm_file_report it = {.transaction = left->transaction,
                                 .state = (enum ktm_file_state)left->state,
                                 .error = left->why.text,
                                 .conflicts = conflicts,
                                 .conflict_count = conflicts ? count : 0};

    for (size_t i = 0; i < it.conflict_count; i++)
        conflicts[i] = conflict_of(&left->work->conflicts.at[i]);
    each(context, &it);
    free(conflicts);
}

void
ktm_file_recovered(struct ktm_file_rm *rm, ktm_file_each_report *each, void *context)
{
    struct left *left;

    if (file_rm_check(rm) != STATUS_SUCCESS)
        return;
    sys_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->left, in_rm)
        report(left, each, context);
    sys_mutex_unlock(&rm->mutex);
}
