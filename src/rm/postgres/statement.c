/* SPDX-License-Identifier: MIT */
/* The functions of ktm_postgres.h that are said in a transaction: statements, its end, what became
 * of it; and what is prepared. */
#include "rm/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- statements ---- */

/* Data that nobody gives or takes here: ends it. */
static void
end_copy(PGconn *connection, ExecStatusType kind)
{
    PGresult *result;
    char *row;

    if (kind == PGRES_COPY_IN)
        PQputCopyEnd(connection, "COPY takes the connection itself");
    else
        while (PQgetCopyData(connection, &row, 0) > 0)
            PQfreemem(row);
    while ((result = PQgetResult(connection)))
        PQclear(result);
}

static NTSTATUS
judge(struct ktm_postgres_tx *tx, const PGresult *result)
{
    PGconn *connection = tx->session->connection;
    ExecStatusType kind = PQresultStatus(result);

    switch (kind) {
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        end_copy(connection, kind);
        return explain(&tx->why, status_raise(STATUS_NOT_SUPPORTED),
                       "COPY from and to the client takes the connection itself");
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        break;
    default:
        if (result_is(result, "25P02") && tx->why.text[0]) /* in the words of the first refusal */
            return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
        return explain_result(&tx->why, connection, result, "the statement was refused");
    }
    if (PQtransactionStatus(connection) == PQTRANS_IDLE)
        return explain(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                       "%s has ended the transaction in the database; its end is the business of "
                       "the transaction manager",
                       PQcmdStatus((PGresult *)result));
    return STATUS_SUCCESS;
}

static NTSTATUS
begin_work(struct ktm_postgres_tx *tx)
{
    PGresult *result;
    NTSTATUS status = STATUS_SUCCESS;

    if (tx->is_begun)
        return tx_check_begun(tx);
    tx->is_begun = true; /* whatever comes of it */
    result = session_ask_words(tx->session, WORDS_BEGIN);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        status = explain_result(&tx->why, tx->session->connection, result, "BEGIN");
    PQclear(result);
    return status;
}

/* Known as soon as something was changed; what is more is asked at the vote. */
static void
learn_number(struct ktm_postgres_tx *tx, const PGresult *number)
{
    if (number && PQresultStatus(number) == PGRES_FATAL_ERROR) /* our words were removed */
        (void)!explain_result(&tx->why, tx->session->connection, number, "asking what changed");
    if (PQresultStatus(number) != PGRES_TUPLES_OK || PQgetisnull(number, 0, 0))
        return;
    tx->xid = strtoull(PQgetvalue(number, 0, 0), NULL, 10);
    tx->has_limit = PQgetvalue(number, 0, 2)[0] == 't';
    tx->is_plain = tx->is_plain && tx_is_role_fit(tx, PQgetvalue(number, 0, 1));
}

/* The statement; and, where that can be, BEGIN and the question for the number along with it. */
static NTSTATUS
ask_server(struct ktm_postgres_tx *tx, const char *sql, bool is_one, int count,
           const char *const *values, PGresult **out)
{
    struct session *session = tx->session;
    enum sql_sort sort = sql_sort(sql, SQL_POSTGRES);
    bool wants_number = sort == SQL_CHANGE && tx->xid == 0;
    PGresult *number = NULL;

    TRY(tx_check_begun(tx));
    tx->is_plain = tx->is_plain && sort == SQL_CHANGE;
    session->is_apt = session->is_apt && sort != SQL_OTHER;
    if (session->is_apt && (wants_number || !tx->is_begun)) {
        bool begins = !tx->is_begun;

        tx->is_begun = true;
        *out = session_ask_together(session, begins, sql, count, values,
                                    wants_number ? &number : NULL);
        learn_number(tx, number);
        PQclear(number);
        return STATUS_SUCCESS;
    }
    TRY(begin_work(tx));
    *out = count || is_one
               ? PQexecParams(session->connection, sql, count, NULL, values, NULL, NULL, 0)
               : PQexec(session->connection, sql);
    return STATUS_SUCCESS;
}

static NTSTATUS
exec_active(struct ktm_postgres_tx *tx, const char *sql, bool is_one, int count,
            const char *const *values, PGresult **out)
{
    PGresult *result;
    NTSTATUS status;

    if (tx->is_asked) /* its vote is under way */
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    if (atomic_load(&tx->state) != KTM_POSTGRES_ACTIVE || !tx->session) {
        tx_undo(tx, (enum ktm_postgres_state)atomic_load(&tx->state));
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    }
    TRY(ask_server(tx, sql, is_one, count, values, &result));
    status = judge(tx, result);
    if (status == STATUS_SUCCESS && out)
        *out = result;
    else
        PQclear(result);
    return status;
}

/* What a statement has refused is the reason for everything after it, until a savepoint is gone
 * back to. */
static NTSTATUS
exec_locked(struct ktm_postgres_tx *tx, const char *sql, bool is_one, int count,
            const char *const *values, PGresult **out)
{
    uint64_t before = tx->why.time;
    NTSTATUS status = exec_active(tx, sql, is_one, count, values, out);
    bool is_over = !tx->session || (tx->is_begun && PQtransactionStatus(tx->session->connection) !=
                                                        PQTRANS_INTRANS);

    why_after(&tx->why, status, before, is_over);
    return status;
}

NTSTATUS
ktm_postgres_exec(struct ktm_postgres_tx *tx, const char *sql, int count, const char *const *values,
                  PGresult **result)
{
    NTSTATUS status;

    if (!tx || !sql || count < 0 || (count > 0 && !values))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    status = exec_locked(tx, sql, false, count, values, result);
    pthread_mutex_unlock(&tx->mutex);
    return status;
}

/* ---- several, of which none may end the transaction ---- */

struct running {
    struct ktm_postgres_tx *tx;
    size_t count;
    const char **values;
    uint64_t rows;
};

static NTSTATUS
run_one(void *context, const char *statement)
{
    struct running *running = context;
    PGresult *result;

    TRY(exec_locked(running->tx, statement, true, (int)running->count, running->values, &result));
    /* Of a SELECT, too, the tag has the number of rows; of a DDL it has none. */
    running->rows += strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return STATUS_SUCCESS;
}

NTSTATUS
statement_run(struct ktm_postgres_tx *tx, const char *text, size_t count,
              const struct ktm_value *values, uint64_t *rows)
{
    struct running running = {.tx = tx, .count = count};
    NTSTATUS status;

    TRY(manager_check(&tx->rm->base));
    running.values = calloc(count + 1, sizeof(*running.values));
    if (!running.values)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < count; i++)
        running.values[i] = values[i].text;
    pthread_mutex_lock(&tx->mutex);
    status = sql_each(text, SQL_POSTGRES, count > 0, run_one, &running, &tx->why);
    pthread_mutex_unlock(&tx->mutex);
    free(running.values);
    *rows = running.rows;
    return status;
}

PGconn *
ktm_postgres_connection(struct ktm_postgres_tx *tx)
{
    PGconn *connection = NULL;

    if (!tx || tx->rm->base.process != getpid())
        return NULL;
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_POSTGRES_ACTIVE && tx->session && !tx->is_asked &&
        begin_work(tx) == STATUS_SUCCESS) {
        connection = tx->session->connection;
        tx->session->is_apt = tx->is_plain = false;
        tx->is_lent = true;
        tx->borrower = pthread_self();
    }
    pthread_mutex_unlock(&tx->mutex);
    return connection;
}

/* ---- the end ---- */

NTSTATUS
ktm_postgres_commit(struct ktm_postgres_tx *tx)
{
    return tx ? manager_commit(&tx->rm->base, &tx->held, &tx->mutex, &tx->why)
              : status_raise(STATUS_INVALID_PARAMETER);
}

NTSTATUS
ktm_postgres_rollback(struct ktm_postgres_tx *tx)
{
    if (!tx || !tx->held.transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    tx->is_lent = false;
    pthread_mutex_unlock(&tx->mutex);
    return ktm_rm_rollback(tx->rm->base.kit, tx->held.transaction);
}

enum ktm_postgres_state
ktm_postgres_state(struct ktm_postgres_tx *tx)
{
    return (enum ktm_postgres_state)atomic_load(&tx->state);
}

size_t
ktm_postgres_error(struct ktm_postgres_tx *tx, char *into, size_t size)
{
    return why_copy(tx->rm->base.process, &tx->mutex, &tx->why, into, size);
}

/* ---- what is prepared ---- */

static void
tell_prepared(struct ktm_postgres_rm *rm, const PGresult *result, int row, ktm_postgres_each *each,
              void *context)
{
    struct name name;
    struct ktm_postgres_prepared prepared = {.gid = PQgetvalue(result, row, 0),
                                             .owner = PQgetvalue(result, row, 1),
                                             .age = strtod(PQgetvalue(result, row, 2), NULL)};

    prepared.is_ours = name_parse(rm, prepared.gid, &name);
    if (prepared.is_ours)
        prepared.key = (struct ktm_rm_key){.transaction = name.transaction,
                                           .enlistment = name.enlistment,
                                           .manager = rm->base.home.manager,
                                           .incarnation = name.incarnation};
    each(context, &prepared);
}

NTSTATUS
ktm_postgres_list_prepared(struct ktm_postgres_rm *rm, double age, ktm_postgres_each *each,
                           void *context)
{
    static const char sql[] =
        "SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)"
        " FROM pg_prepared_xacts WHERE database = current_database() AND gid LIKE 'ktm:%'"
        " AND clock_timestamp() - prepared >= make_interval(secs => $1) ORDER BY prepared";
    struct explanation why = {0};
    struct session *session;
    char text[32];
    const char *values[] = {text};
    NTSTATUS status = STATUS_SUCCESS;
    PGresult *result;

    if (!rm || !each)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    outcome_tend_orphans(rm);
    TRY(session_take_for_outcome(rm, &why, &session));
    snprintf(text, sizeof(text), "%.3f", age);
    result = session_ask(session, sql, 1, values);
    if (!result)
        status = explain_result(&why, session->connection, NULL, "asking what is prepared");
    session_release_for_outcome(rm, session);
    for (int row = 0; result && row < PQntuples(result); row++)
        tell_prepared(rm, result, row, each, context);
    PQclear(result);
    return status;
}
