/* SPDX-License-Identifier: MIT */
/* Sessions with the server: made from the connection string and used again, or the application's.
 */
#include "rm/postgres/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 64

/* ---- statements ---- */

PGresult *
session_ask(struct session *session, const char *sql, int count, const char *const *values)
{
    PGresult *result = PQexecParams(session->connection, sql, count, NULL, values, NULL, NULL, 0);

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    PQclear(result);
    return NULL;
}

void
session_send(struct session *session, const char *sql)
{
    (void)!PQsendQuery(session->connection, sql); /* what went wrong is the result */
}

PGresult *
session_result(struct session *session)
{
    PGresult *last = NULL;

    for (PGresult *result; (result = PQgetResult(session->connection));) {
        PQclear(last);
        last = result;
    }
    return last;
}

NTSTATUS
session_hear(struct session *session, const char *tag, struct explanation *why)
{
    PGresult *result = session_result(session);
    NTSTATUS status = STATUS_SUCCESS;
    ExecStatusType kind = PQresultStatus(result);

    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
        status = explain_result(why, session->connection, result, tag);
    else if (strcmp(PQcmdStatus(result), tag) != 0)
        status = explain(why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                         "%s: the server answered %s", tag, PQcmdStatus(result));
    PQclear(result);
    return status;
}

NTSTATUS
session_say(struct session *session, const char *tag, const char *sql, struct explanation *why)
{
    session_send(session, sql);
    return session_hear(session, tag, why);
}

/* ---- what is said in every transaction ---- */

/* The vote: what was written to a foreign table has no number here; with one it is asked to
 * prepare, and refused in the server's words [PG-12]. */
static const struct {
    const char *name, *sql;
} words_of[] = {
    [WORDS_BEGIN] = {"ktm_begin", "BEGIN"},
    [WORDS_NUMBER] = {"ktm_number", "SELECT pg_current_xact_id_if_assigned(), current_user,"
                                    " current_setting('lock_timeout') <> '0'"},
    [WORDS_VOTE] =
        {"ktm_vote",
         "SELECT CASE WHEN EXISTS (SELECT FROM pg_foreign_table) AND EXISTS"
         " (SELECT FROM pg_locks JOIN pg_foreign_table ON ftrelid = relation"
         " WHERE pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock'))"
         " THEN pg_current_xact_id() ELSE pg_current_xact_id_if_assigned() END, current_user,"
         " CASE current_setting('lock_timeout') WHEN '0'"
         " THEN set_config('lock_timeout', " VOTE_WAITS ", true) END"},
};

static void
make_apt(struct session *session)
{
    session->is_apt = true;
    for (int i = 0; i < WORDS_COUNT; i++) {
        PGresult *result =
            PQprepare(session->connection, words_of[i].name, words_of[i].sql, 0, NULL);

        session->is_apt = session->is_apt && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
}

/* What is refused may have been removed: from now on it is said in full. */
static PGresult *
judge_words(struct session *session, PGresult *result)
{
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        session->is_apt = false;
    return result;
}

PGresult *
session_ask_words(struct session *session, enum words words)
{
    PGconn *connection = session->connection;

    return judge_words(session, session->is_apt ? PQexecPrepared(connection, words_of[words].name,
                                                                 0, NULL, NULL, NULL, 0)
                                                : PQexec(connection, words_of[words].sql));
}

static void
send_words(struct session *session, enum words words)
{
    (void)!PQsendQueryPrepared(session->connection, words_of[words].name, 0, NULL, NULL, NULL, 0);
}

/* In a pipeline each statement has one answer, with NULL behind it. */
static PGresult *
next_answer(struct session *session)
{
    PGresult *result = PQgetResult(session->connection);

    if (result)
        PQclear(PQgetResult(session->connection));
    return result;
}

PGresult *
session_ask_together(struct session *session, bool begins, const char *sql, int count,
                     const char *const *values, PGresult **number)
{
    PGconn *connection = session->connection;
    PGresult *begun, *result;

    (void)!PQenterPipelineMode(connection);
    if (begins)
        send_words(session, WORDS_BEGIN);
    (void)!PQsendQueryParams(connection, sql, count, NULL, values, NULL, NULL, 0);
    if (number)
        send_words(session, WORDS_NUMBER);
    (void)!PQpipelineSync(connection);
    begun = begins ? judge_words(session, next_answer(session)) : NULL;
    result = next_answer(session);
    if (begins && PQresultStatus(begun) != PGRES_COMMAND_OK) {
        PQclear(result);
        result = give(begun);
    }
    PQclear(begun);
    if (number)
        *number = judge_words(session, next_answer(session));
    PQclear(PQgetResult(connection)); /* the end of the pipeline */
    (void)!PQexitPipelineMode(connection);
    return result;
}

/* ---- where it leads to ---- */

static uint64_t
barrier_key(const struct ktm_postgres_rm *rm)
{
    uint64_t halves[2];

    memcpy(halves, &rm->base.home.manager, sizeof(halves));
    return halves[0] ^ halves[1];
}

NTSTATUS
session_place(struct session *session, struct place *out, struct explanation *why)
{
    /* The timeline by the name of the log being written: the control file learns of a promotion
     * only with the next checkpoint. */
    static const char sql[] =
        "SELECT c.system_identifier, d.oid, CASE WHEN pg_is_in_recovery() THEN NULL"
        " ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END"
        " FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database()";
    PGresult *result = PQexec(session->connection, sql);
    NTSTATUS status = STATUS_SUCCESS;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        status = explain_result(why, session->connection, result, "asking which server it is");
    else if (PQgetisnull(result, 0, 2))
        status = explain(why, status_raise(STATUS_NOT_SUPPORTED),
                         "the server is in recovery (a standby): nothing can be changed there");
    else
        *out = (struct place){.system = strtoull(PQgetvalue(result, 0, 0), NULL, 10),
                              .database = (uint32_t)strtoul(PQgetvalue(result, 0, 1), NULL, 10),
                              .timeline = (uint32_t)strtoul(PQgetvalue(result, 0, 2), NULL, 16)};
    PQclear(result);
    return status;
}

/* The lock that says: somebody of this identity is at work here. */
static NTSTATUS
lock_share(struct ktm_postgres_rm *rm, struct session *session, bool lock, struct explanation *why)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT pg_advisory_%s_shared(%" PRId64 ")",
             lock ? "lock" : "unlock", (int64_t)barrier_key(rm));
    return session_say(session, "SELECT 1", sql, why);
}

static NTSTATUS
check_place(struct ktm_postgres_rm *rm, struct session *session, NTSTATUS otherwise,
            struct explanation *why)
{
    TRY(session_place(session, &session->place, why));
    /* While the home is being opened nobody has said yet which one it must be. */
    if (rm->place.system && (session->place.system != rm->place.system ||
                             session->place.database != rm->place.database))
        return explain(why, status_raise(otherwise),
                       "the connection leads to another database, or to another server");
    return rm->place.system ? lock_share(rm, session, true, why) : STATUS_SUCCESS;
}

/* ---- life ---- */

static void
ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

void
session_close(struct session *session)
{
    if (!session)
        return;
    PQfreeCancel(session->cancel);
    if (session->is_ours)
        PQfinish(session->connection);
    free(session);
}

static NTSTATUS
session_create(PGconn *connection, bool is_ours, struct session **out)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    session->connection = connection;
    session->is_ours = is_ours;
    session->cancel = PQgetCancel(connection);
    list_init(&session->in_idle);
    *out = session;
    return STATUS_SUCCESS;
}

/* What is not in the string: how soon a server that is silent counts as lost. */
static PGconn *
connect_to(const char *conninfo)
{
    static const char *const words[] = {"connect_timeout", "tcp_user_timeout",
                                        "keepalives_idle", "fallback_application_name",
                                        "dbname",          NULL};
    const char *values[] = {"10", "30000", "10", "ktm", conninfo, NULL};

    return PQconnectdbParams(words, values, 1);
}

NTSTATUS
session_probe(const char *conninfo, struct explanation *why)
{
    PGconn *connection = connect_to(conninfo);
    NTSTATUS status = STATUS_SUCCESS;

    if (!connection)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (PQstatus(connection) != CONNECTION_OK)
        status = explain_result(why, connection, NULL, "connecting");
    PQfinish(connection);
    return status;
}

NTSTATUS
session_open(struct ktm_postgres_rm *rm, struct explanation *why, struct session **out)
{
    PGconn *connection = connect_to(rm->conninfo);
    struct session *session;
    NTSTATUS status;

    if (!connection)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (PQstatus(connection) != CONNECTION_OK) {
        status = explain_result(why, connection, NULL, "connecting");
        PQfinish(connection);
        return status;
    }
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    status = session_create(connection, true, &session);
    if (status != STATUS_SUCCESS) {
        PQfinish(connection);
        return status;
    }
    status = check_place(rm, session, STATUS_RM_METADATA_CORRUPT, why);
    if (status != STATUS_SUCCESS) {
        session_close(session);
        return status;
    }
    make_apt(session);
    *out = session;
    return STATUS_SUCCESS;
}

NTSTATUS
session_borrow(struct ktm_postgres_rm *rm, PGconn *connection, struct explanation *why,
               struct session **out)
{
    struct session *session;
    NTSTATUS status;

    if (PQtransactionStatus(connection) != PQTRANS_IDLE)
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "the connection is in a transaction, busy or lost");
    TRY(session_create(connection, false, &session));
    status = check_place(rm, session, STATUS_INVALID_PARAMETER, why);
    if (status != STATUS_SUCCESS) {
        session_close(session);
        return status;
    }
    *out = session;
    return STATUS_SUCCESS;
}

/* ---- those that are idle ---- */

struct session *
session_take_idle(struct ktm_postgres_rm *rm)
{
    struct list *member = idle_take(&rm->mutex, &rm->idle);

    return member ? container_of(member, struct session, in_idle) : NULL;
}

void
session_close_idle(struct ktm_postgres_rm *rm)
{
    for (struct session *session; (session = session_take_idle(rm));)
        session_close(session);
}

NTSTATUS
session_take(struct ktm_postgres_rm *rm, struct explanation *why, struct session **out)
{
    struct session *session;

    while ((session = session_take_idle(rm)) && !idle_is_silent(PQsocket(session->connection)))
        session_close(session);
    if (!session)
        return session_open(rm, why, out);
    *out = session;
    return STATUS_SUCCESS;
}

void
session_release(struct ktm_postgres_rm *rm, struct session *session)
{
    bool is_good;

    if (!session)
        return;
    is_good = PQtransactionStatus(session->connection) == PQTRANS_IDLE;
    if (!session->is_ours && is_good) {
        struct explanation why = {0};

        /* If that fails the connection is lost, and the lock with it. */
        (void)!lock_share(rm, session, false, &why);
    }
    if (!session->is_ours || !is_good ||
        !idle_give(&rm->mutex, &rm->idle, &session->in_idle, IDLE_MAX))
        session_close(session);
}

/* ---- one for phase two ---- */

/* The applications may have used up all connections that the server gives: one is ours. */
NTSTATUS
session_take_for_outcome(struct ktm_postgres_rm *rm, struct explanation *why, struct session **out)
{
    struct session *session = session_take_idle(rm);
    NTSTATUS status = STATUS_SUCCESS;

    if (session) {
        *out = session;
        return STATUS_SUCCESS;
    }
    pthread_mutex_lock(&rm->reserve_mutex);
    if (!rm->reserve)
        status = session_open(rm, why, &rm->reserve);
    if (status == STATUS_SUCCESS)
        *out = rm->reserve;
    else
        pthread_mutex_unlock(&rm->reserve_mutex);
    return status;
}

void
session_release_for_outcome(struct ktm_postgres_rm *rm, struct session *session)
{
    if (PQstatus(session->connection) != CONNECTION_OK)
        session_close_idle(rm); /* they have most likely been lost with this one */
    if (session != rm->reserve) {
        session_release(rm, session);
        return;
    }
    if (PQtransactionStatus(session->connection) != PQTRANS_IDLE) {
        session_close(session);
        rm->reserve = NULL;
    }
    pthread_mutex_unlock(&rm->reserve_mutex);
}

/* ---- before anybody is served ---- */

static NTSTATUS
remember_role(struct ktm_postgres_rm *rm, const PGresult *result, struct explanation *why)
{
    snprintf(rm->role, sizeof(rm->role), "%s", PQgetvalue(result, 0, 2));
    rm->is_superuser = PQgetvalue(result, 0, 3)[0] == 't';
    if (strtol(PQgetvalue(result, 0, 0), NULL, 10) == 0)
        return explain(why, status_raise(STATUS_NOT_SUPPORTED),
                       "max_prepared_transactions is 0, so the server prepares nothing; it must be "
                       "at least as many as transactions are committed at once, and takes a "
                       "restart of the server");
    if (strcmp(PQgetvalue(result, 0, 1), "on") != 0)
        return explain(why, status_raise(STATUS_NOT_SUPPORTED),
                       "fsync is off: what the server promises does not survive a crash");
    return STATUS_SUCCESS;
}

NTSTATUS
session_check_server(struct ktm_postgres_rm *rm, struct session *session, struct explanation *why)
{
    static const char sql[] =
        "SELECT current_setting('max_prepared_transactions'), current_setting('fsync'),"
        " current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
        " has_function_privilege('pg_xact_status(xid8)', 'EXECUTE')";
    PGresult *result = PQexec(session->connection, sql);
    NTSTATUS status;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        status = explain_result(why, session->connection, result, "asking what the server can");
    else if (PQgetvalue(result, 0, 4)[0] != 't')
        status = explain(why, status_raise(STATUS_ACCESS_DENIED),
                         "the role may not execute pg_xact_status");
    else
        status = remember_role(rm, result, why);
    PQclear(result);
    return status;
}

NTSTATUS
session_barrier(struct ktm_postgres_rm *rm, struct session *session, struct explanation *why)
{
    uint64_t key = barrier_key(rm);
    char sql[512];

    /* Their processes are gone; what they had sent is not to go on. */
    snprintf(sql, sizeof(sql),
             "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
             " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
             " AND classid = %" PRIu32 " AND objid = %" PRIu32
             " AND objsubid = 1 AND pid <> pg_backend_pid()",
             (uint32_t)(key >> 32), (uint32_t)key);
    TRY(session_say(session, "SELECT 1", sql, why));
    TRY(session_say(session, "SET", "SET lock_timeout = '20s'", why));
    snprintf(sql, sizeof(sql), "SELECT pg_advisory_lock(%" PRId64 ")", (int64_t)key);
    TRY(session_say(session, "SELECT 1", sql, why));
    TRY(session_say(session, "RESET", "RESET lock_timeout", why));
    snprintf(sql, sizeof(sql), "SELECT pg_advisory_unlock(%" PRId64 ")", (int64_t)key);
    TRY(session_say(session, "SELECT 1", sql, why));
    return lock_share(rm, session, true, why);
}
