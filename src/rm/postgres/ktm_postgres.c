/* SPDX-License-Identifier: MIT */
/* The functions of ktm_postgres.h: the resource manager and transactions. Statements are in
 * statement.c. */
#include "rm/postgres/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the resource manager ---- */

static void
left_destroy(struct ktm_postgres_rm *rm)
{
    struct left *left, *after;

    LIST_EACH_SAFE (left, after, &rm->left, in_rm) {
        list_remove(&left->in_rm);
        free(left);
    }
}

void
rm_release(struct ktm_postgres_rm *rm)
{
    if (atomic_fetch_sub(&rm->references, 1) != 1)
        return;
    session_close_idle(rm);
    session_close(rm->reserve);
    left_destroy(rm);
    pthread_mutex_destroy(&rm->mutex);
    pthread_mutex_destroy(&rm->reserve_mutex);
    home_free(&rm->base.home);
    free(rm->conninfo);
    free((char *)rm->options.name);
    free(rm);
}

/* The database is fit, the home is its home, and nobody of an older run is at work. */
static NTSTATUS
meet_server(struct ktm_postgres_rm *rm, const char *home, const GUID *tm, struct explanation *why)
{
    struct session *session;
    char place[96], own_name[64];
    struct conninfo reached;

    TRY(session_open(rm, why, &session));
    rm->reserve = session;
    TRY(session_check_server(rm, session, why));
    snprintf(place, sizeof(place), "database %" PRIu32 " of cluster %" PRIu64,
             session->place.database, session->place.system);
    snprintf(own_name, sizeof(own_name), "%" PRIu64 "-%" PRIu32, session->place.system,
             session->place.database);
    TRY(home_open(&rm->base.home, home, "postgres", rm->options.name ? rm->options.name : own_name,
                  tm, place, why));
    TRY(home_advance(&rm->base.home,
                     place_of(rm->conninfo, session->connection, &reached) ? reached.text : NULL,
                     why));
    rm->place = session->place;
    TRY(session_barrier(rm, session, why));
    alone_find_table(rm, session);
    return STATUS_SUCCESS;
}

/* The server may have died since, and the connection with it. */
static void
sweep_at_start(struct ktm_postgres_rm *rm)
{
    struct explanation why = {0};
    struct session *session;

    if (session_take_for_outcome(rm, &why, &session) != STATUS_SUCCESS)
        return;
    alone_sweep(rm, session, true);
    session_release_for_outcome(rm, session);
}

static NTSTATUS
rm_start(struct ktm_postgres_rm *rm, HANDLE tm, const char *home, struct explanation *why)
{
    struct ktm_rm_options kit = {.description = "PostgreSQL",
                                 .context = rm,
                                 .mode = rm->options.mode,
                                 .patience_ms = rm->options.patience_ms};
    struct ktm_rm_author author = postgres_author;
    NTSTATUS status;
    GUID id;

    TRY(manager_take(&rm->base, tm, home, &id, why));
    TRY(meet_server(rm, home, &id, why));
    kit.identity = &rm->base.home.manager;
    kit.incarnation = rm->base.home.incarnation;
    kit.author = &author;
    if (!rm->outcome_table[0])
        author.commit_alone = NULL;
    status = ktm_rm_open(rm->base.tm, &kit, &rm->base.kit);
    if (status != STATUS_SUCCESS)
        return explain(why, status, "the resource manager of '%s' cannot be registered: %s", home,
                       rm->why.text[0] ? rm->why.text : status_meaning(status));
    sweep_at_start(rm);
    return STATUS_SUCCESS;
}

static NTSTATUS
rm_create(const char *conninfo, const struct ktm_postgres_options *options,
          struct ktm_postgres_rm **out)
{
    struct ktm_postgres_rm *rm = calloc(1, sizeof(*rm));

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    rm->references = 1;
    rm->base.process = getpid();
    list_init(&rm->idle.list);
    list_init(&rm->left);
    home_init(&rm->base.home);
    pthread_mutex_init(&rm->mutex, NULL);
    pthread_mutex_init(&rm->reserve_mutex, NULL);
    rm->options =
        options ? *options
                : (struct ktm_postgres_options){.mode = KTM_RM_HELPED, .patience_ms = PATIENCE_MS};
    rm->options.name = rm->options.name ? strdup(rm->options.name) : NULL;
    rm->conninfo = strdup(conninfo);
    if (!rm->conninfo || (options && options->name && !rm->options.name)) {
        rm_release(rm);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = rm;
    return STATUS_SUCCESS;
}

/* libpq quotes what it cannot read, and a password may be in it. A text that is neither words nor
 * an address is the name of a database. */
static bool
conninfo_is_good(const char *conninfo)
{
    bool is_name = !strchr(conninfo, '=') && !strstr(conninfo, "://");
    PQconninfoOption *words = is_name ? NULL : PQconninfoParse(conninfo, NULL);

    PQconninfoFree(words);
    return is_name || words;
}

static NTSTATUS
rm_open(HANDLE tm, const char *home, const char *conninfo,
        const struct ktm_postgres_options *options, struct explanation *why,
        struct ktm_postgres_rm **out)
{
    struct ktm_postgres_rm *rm;
    NTSTATUS status;

    if (!home || !home[0] || !conninfo || !out ||
        (options && (options->mode > KTM_RM_HELPED || !home_is_name(options->name))))
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "no home, no connection string, or unknown options");
    if (!conninfo_is_good(conninfo))
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "libpq cannot read the connection string, which is not shown here; words in "
                       "it are NAME=VALUE, with quotes around a value that has blanks");
    TRY(rm_create(conninfo, options, &rm));
    status = rm_start(rm, tm, home, why);
    if (status != STATUS_SUCCESS) {
        if (options && options->name && why->text[0])
            home_trouble_at(home, "postgres", options->name, why->text);
        ktm_postgres_shut(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_postgres_open(HANDLE tm, const char *home, const char *conninfo,
                  const struct ktm_postgres_options *options, char *why, size_t why_size,
                  struct ktm_postgres_rm **out)
{
    struct explanation explanation = {0};
    NTSTATUS status = rm_open(tm, home, conninfo, options, &explanation, out);

    explain_failure(&explanation, status, "PostgreSQL cannot take part");
    if (why && why_size)
        snprintf(why, why_size, "%s", explanation.text);
    return status;
}

static bool
has_orphans(struct ktm_postgres_rm *rm)
{
    struct left *left;
    bool has = false;

    pthread_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->left, in_rm)
        has = has || left->is_orphan;
    pthread_mutex_unlock(&rm->mutex);
    return has;
}

void
ktm_postgres_shut(struct ktm_postgres_rm *rm)
{
    if (!rm || rm->base.process != getpid())
        return;
    manager_shut(&rm->base, has_orphans(rm));
    rm_release(rm);
}

NTSTATUS
ktm_postgres_known(const char *home,
                   void (*each)(void *context, const struct ktm_resource *resource), void *context)
{
    return home_known(home, "postgres", each, context);
}

HANDLE
ktm_postgres_tm(struct ktm_postgres_rm *rm)
{
    return rm->base.tm;
}

struct ktm_rm *
ktm_postgres_kit(struct ktm_postgres_rm *rm)
{
    return rm->base.kit;
}

size_t
ktm_postgres_why(struct ktm_postgres_rm *rm, char *into, size_t size)
{
    return why_copy(rm->base.process, &rm->mutex, &rm->why, into, size);
}

/* ---- beginning ---- */

struct making {
    struct ktm_postgres_rm *rm;
    struct held held;
    PGconn *connection; /* NULL: one of ours */
    struct explanation why;
};

/* On one of ours BEGIN is said with the first statement. */
static NTSTATUS
session_get(struct making *making, struct session **out)
{
    NTSTATUS status;

    if (!making->connection)
        return session_take(making->rm, &making->why, out);
    TRY(session_borrow(making->rm, making->connection, &making->why, out));
    status = session_say(*out, "BEGIN", "BEGIN", &making->why);
    if (status != STATUS_SUCCESS)
        session_release(making->rm, *out);
    return status;
}

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct making *making = argument;
    struct ktm_postgres_tx *tx;
    struct session *session;

    TRY(session_get(making, &session));
    tx = calloc(1, sizeof(*tx));
    if (!tx) {
        if (making->connection)
            PQclear(PQexec(session->connection, "ROLLBACK"));
        session_release(making->rm, session);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    tx->references = 1;
    tx->rm = making->rm;
    tx->id = key->transaction;
    tx->held = making->held;
    tx->session = session;
    tx->is_begun = making->connection;
    tx->is_plain = !making->connection;
    pthread_mutex_init(&tx->mutex, NULL);
    atomic_fetch_add(&making->rm->references, 1);
    *work = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
begin(struct making *making, struct ktm_postgres_tx **out)
{
    struct ktm_postgres_rm *rm = making->rm;
    NTSTATUS status;
    void *work;

    TRY(manager_check(&rm->base));
    outcome_tend_orphans(rm);
    status = manager_enlist(&rm->base, &making->held, make, making, &work);
    if (status != STATUS_SUCCESS) {
        why_keep(&rm->mutex, &rm->why, &making->why, status);
        return status;
    }
    *out = work;
    atomic_fetch_add(&(*out)->held.holders, 1);
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_postgres_begin(struct ktm_postgres_rm *rm, HANDLE transaction, struct ktm_postgres_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction};

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    return begin(&making, out);
}

NTSTATUS
ktm_postgres_begin_on(struct ktm_postgres_rm *rm, HANDLE transaction, PGconn *connection,
                      struct ktm_postgres_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction, .connection = connection};

    if (!rm || !connection || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    return begin(&making, out);
}

void
ktm_postgres_close(struct ktm_postgres_tx *tx)
{
    if (!tx || tx->rm->base.process != getpid())
        return;
    pthread_mutex_lock(&tx->mutex);
    tx->is_lent = false;
    /* A rollback that came while the connection was lent. */
    if (atomic_load(&tx->state) == KTM_POSTGRES_ROLLED_BACK)
        tx_undo(tx, KTM_POSTGRES_ROLLED_BACK);
    pthread_mutex_unlock(&tx->mutex);
    held_let_go(&tx->held);
    tx_release(tx);
}

HANDLE
ktm_postgres_transaction(struct ktm_postgres_tx *tx)
{
    return tx->held.transaction;
}
