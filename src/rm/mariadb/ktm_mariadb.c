/* SPDX-License-Identifier: MIT */
/* The functions of ktm_mariadb.h: the resource manager and transactions. Statements are in
 * statement.c. */
#include "rm/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the resource manager ---- */

void
left_destroy(struct list *list)
{
    struct left *left, *after;

    LIST_EACH_SAFE (left, after, list, in_list) {
        list_remove(&left->in_list);
        free(left);
    }
}

void
rm_release(struct ktm_mariadb_rm *rm)
{
    if (atomic_fetch_sub(&rm->references, 1) != 1)
        return;
    session_close_idle(rm);
    session_close(rm, rm->reserve);
    left_destroy(&rm->orphans);
    left_destroy(&rm->asked);
    left_destroy(&rm->done);
    left_destroy(&rm->retiring);
    left_destroy(&rm->free);
    pthread_mutex_destroy(&rm->mutex);
    pthread_mutex_destroy(&rm->reserve_mutex);
    place_free(&rm->server);
    home_free(&rm->base.home);
    free((char *)rm->options.name);
    free(rm);
}

/* The server is fit, the home is its home, and nobody of an older run is at work. */
static NTSTATUS
meet_server(struct ktm_mariadb_rm *rm, const char *home, const GUID *tm, struct explanation *why)
{
    struct conninfo place;
    struct session *session;

    TRY(session_open(rm, why, &session));
    rm->reserve = session;
    TRY(session_check_server(session, why));
    TRY(home_open(&rm->base.home, home, "mariadb", rm->options.name, tm, "", why));
    TRY(sign_make_table(rm, session, why));
    TRY(session_barrier(rm, session, why));
    /* The server has no name that is kept with its data, so a row there names the manager of this
     * home. The row first: without the file it belongs to nobody, but not the other way round. */
    TRY(sign_of_home(rm, session, why));
    TRY(home_advance(&rm->base.home, place_print(&rm->server, &place) ? place.text : NULL, why));
    return session_lock(rm, session, why);
}

static void
sweep(struct ktm_mariadb_rm *rm)
{
    struct session *session;
    struct explanation why = {0};

    if (session_take_for_outcome(rm, &why, &session) != STATUS_SUCCESS)
        return;
    sign_sweep(rm, session);
    session_release_for_outcome(rm, session);
}

static NTSTATUS
rm_start(struct ktm_mariadb_rm *rm, HANDLE tm, const char *home, struct explanation *why)
{
    struct ktm_rm_options kit = {.description = "MariaDB",
                                 .context = rm,
                                 .mode = rm->options.mode,
                                 .patience_ms = rm->options.patience_ms};
    NTSTATUS status;
    GUID id;

    TRY(manager_take(&rm->base, tm, home, &id, why));
    TRY(meet_server(rm, home, &id, why));
    kit.identity = &rm->base.home.manager;
    kit.incarnation = rm->base.home.incarnation;
    kit.author = &mariadb_author;
    status = ktm_rm_open(rm->base.tm, &kit, &rm->base.kit);
    if (status != STATUS_SUCCESS)
        return explain(why, status, "the resource manager of '%s' cannot be registered: %s%s%s",
                       home, status_meaning(status), rm->why.text[0] ? ": " : "", rm->why.text);
    /* What is not finished may be asked for again, and what is asked for next is not known. */
    if (ktm_rm_unfinished(rm->base.kit) == 0)
        sweep(rm);
    return STATUS_SUCCESS;
}

static bool
copy(const char *from, const char **to)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool
server_copy(const struct ktm_mariadb_server *from, struct ktm_mariadb_server *to)
{
    to->port = from->port;
    return copy(from->host, &to->host) && copy(from->socket, &to->socket) &&
           copy(from->user, &to->user) && copy(from->password, &to->password) &&
           copy(from->database, &to->database) && copy(from->defaults_file, &to->defaults_file) &&
           copy(from->defaults_group, &to->defaults_group);
}

static void
start_library(void)
{
    mysql_server_init(0, NULL, NULL);
}

static NTSTATUS
rm_create(const struct ktm_mariadb_server *server, const struct ktm_mariadb_options *options,
          struct ktm_mariadb_rm **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ktm_mariadb_rm *rm = calloc(1, sizeof(*rm));

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    pthread_once(&once, start_library);
    rm->references = 1;
    rm->base.process = getpid();
    list_init(&rm->idle.list);
    list_init(&rm->orphans);
    list_init(&rm->asked);
    list_init(&rm->done);
    list_init(&rm->retiring);
    list_init(&rm->free);
    rm->done_enough = DONE_ENOUGH;
    home_init(&rm->base.home);
    pthread_mutex_init(&rm->mutex, NULL);
    pthread_mutex_init(&rm->reserve_mutex, NULL);
    rm->options =
        options ? *options
                : (struct ktm_mariadb_options){.mode = KTM_RM_HELPED, .patience_ms = PATIENCE_MS};
    rm->options.name = strdup(options && options->name ? options->name : "mariadb");
    if (!rm->options.name || !server_copy(server, &rm->server)) {
        rm_release(rm);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = rm;
    return STATUS_SUCCESS;
}

static NTSTATUS
rm_open(HANDLE tm, const char *home, const struct ktm_mariadb_server *server,
        const struct ktm_mariadb_options *options, struct explanation *why,
        struct ktm_mariadb_rm **out)
{
    struct ktm_mariadb_rm *rm;
    NTSTATUS status;

    if (!home || !home[0] || !server || !out ||
        (options && (options->mode > KTM_RM_HELPED || !home_is_name(options->name))))
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "no home, no server, or unknown options");
    TRY(rm_create(server, options, &rm));
    status = rm_start(rm, tm, home, why);
    if (status != STATUS_SUCCESS) {
        if (options && options->name && why->text[0])
            home_trouble_at(home, "mariadb", options->name, why->text);
        ktm_mariadb_shut(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_mariadb_open(HANDLE tm, const char *home, const struct ktm_mariadb_server *server,
                 const struct ktm_mariadb_options *options, char *why, size_t why_size,
                 struct ktm_mariadb_rm **out)
{
    struct explanation explanation = {0};
    NTSTATUS status = rm_open(tm, home, server, options, &explanation, out);

    explain_failure(&explanation, status, "MariaDB cannot take part");
    if (why && why_size)
        snprintf(why, why_size, "%s", explanation.text);
    return status;
}

static bool
has_orphans(struct ktm_mariadb_rm *rm)
{
    bool has;

    pthread_mutex_lock(&rm->mutex);
    has = !list_is_empty(&rm->orphans);
    pthread_mutex_unlock(&rm->mutex);
    return has;
}

void
ktm_mariadb_shut(struct ktm_mariadb_rm *rm)
{
    if (!rm || rm->base.process != getpid())
        return;
    manager_shut(&rm->base, has_orphans(rm));
    rm_release(rm);
}

NTSTATUS
ktm_mariadb_known(const char *home,
                  void (*each)(void *context, const struct ktm_resource *resource), void *context)
{
    return home_known(home, "mariadb", each, context);
}

HANDLE
ktm_mariadb_tm(struct ktm_mariadb_rm *rm)
{
    return rm->base.tm;
}

struct ktm_rm *
ktm_mariadb_kit(struct ktm_mariadb_rm *rm)
{
    return rm->base.kit;
}

size_t
ktm_mariadb_why(struct ktm_mariadb_rm *rm, char *into, size_t size)
{
    return why_copy(rm->base.process, &rm->mutex, &rm->why, into, size);
}

/* ---- beginning ---- */

struct making {
    struct ktm_mariadb_rm *rm;
    struct held held;
    MYSQL *connection; /* NULL: one of ours */
    struct explanation why;
};

/* Our own sessions say XA START with the first statement. The application's has autocommit on, and
 * of what it writes we know nothing. */
static NTSTATUS
session_begin(struct making *making, struct ktm_mariadb_tx *tx)
{
    NTSTATUS status;

    tx->is_plain = true;
    if (!making->connection)
        return session_take(making->rm, &making->why, &tx->session);
    TRY(session_borrow(making->rm, making->connection, &making->why, &tx->session));
    status = written_before(tx, NULL, &making->why);
    if (status == STATUS_SUCCESS)
        status = statement_start(tx, &making->why);
    if (status != STATUS_SUCCESS)
        session_release(making->rm, give(tx->session));
    return status;
}

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct making *making = argument;
    struct ktm_mariadb_tx *tx = calloc(1, sizeof(*tx));
    NTSTATUS status;

    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    xid_print(key, &tx->xid);
    status = session_begin(making, tx);
    if (status != STATUS_SUCCESS) {
        free(tx);
        return status;
    }
    tx->references = 1;
    tx->rm = making->rm;
    tx->id = key->transaction;
    tx->held = making->held;
    tx->thread = tx->session->thread;
    pthread_mutex_init(&tx->mutex, NULL);
    atomic_fetch_add(&making->rm->references, 1);
    *work = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
begin(struct making *making, struct ktm_mariadb_tx **out)
{
    struct ktm_mariadb_rm *rm = making->rm;
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
ktm_mariadb_begin(struct ktm_mariadb_rm *rm, HANDLE transaction, struct ktm_mariadb_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction};

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    return begin(&making, out);
}

NTSTATUS
ktm_mariadb_begin_on(struct ktm_mariadb_rm *rm, HANDLE transaction, MYSQL *connection,
                     struct ktm_mariadb_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction, .connection = connection};

    if (!rm || !connection || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    return begin(&making, out);
}

void
ktm_mariadb_close(struct ktm_mariadb_tx *tx)
{
    if (!tx || tx->rm->base.process != getpid())
        return;
    pthread_mutex_lock(&tx->mutex);
    tx->is_lent = false;
    /* A rollback that came while the connection was lent. */
    if (atomic_load(&tx->state) == KTM_MARIADB_ROLLED_BACK)
        tx_undo(tx, KTM_MARIADB_ROLLED_BACK);
    pthread_mutex_unlock(&tx->mutex);
    held_let_go(&tx->held);
    tx_release(tx);
}

HANDLE
ktm_mariadb_transaction(struct ktm_mariadb_tx *tx)
{
    return tx->held.transaction;
}
