/* SPDX-License-Identifier: MIT */
/* The functions of ktm_mariadb.h that are said in a transaction: statements, its end, what became
 * of it; and what is prepared. */
#include "rm/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- statements ---- */

/* A text as the server reads it, in quotes; NULL is the word NULL. Returns the end. */
static char *
append_quoted(MYSQL *connection, char *at, const char *text)
{
    if (!text)
        return stpcpy(at, "NULL");
    *at++ = '\'';
    at += mysql_real_escape_string(connection, at, text, strlen(text));
    *at++ = '\'';
    *at = '\0';
    return at;
}

/* The server puts the parameters in. To be freed; NULL: no memory. */
static char *
with_parameters(MYSQL *connection, const char *sql, int count, const char *const *values)
{
    size_t size = 64 + 2 * strlen(sql);
    char *text, *at;

    for (int i = 0; i < count; i++)
        size += 8 + 2 * (values[i] ? strlen(values[i]) : 0);
    text = malloc(size);
    if (!text)
        return NULL;
    at = append_quoted(connection, stpcpy(text, "EXECUTE IMMEDIATE "), sql);
    for (int i = 0; i < count; i++)
        at = append_quoted(connection, stpcpy(at, i ? ", " : " USING "), values[i]);
    return text;
}

/* A lock that was not got undoes one statement alone, a deadlock all of them; and the vote would
 * be yes for what is left. */
static NTSTATUS
refused(struct ktm_mariadb_tx *tx)
{
    NTSTATUS status =
        explain_server(&tx->why, tx->session->connection, "the statement was refused");

    tx->session->is_lost =
        tx->session->is_lost || error_is_loss(mysql_errno(tx->session->connection));
    if (status == STATUS_TRANSACTIONAL_CONFLICT || status == STATUS_RM_DISCONNECTED)
        tx->is_doomed = true;
    return status;
}

/* The first rows are the answer; what a CALL answers after them is dropped. */
static NTSTATUS
fetch(struct ktm_mariadb_tx *tx, MYSQL_RES **out)
{
    MYSQL *connection = tx->session->connection;
    MYSQL_RES *first = NULL;

    for (int more = 0; more == 0; more = mysql_next_result(connection)) {
        MYSQL_RES *result = mysql_store_result(connection);

        if (!result && mysql_errno(connection))
            break;
        if (!result) /* it is gone when the next answer is asked for */
            tx->changed += mysql_affected_rows(connection);
        if (!first)
            first = result;
        else
            mysql_free_result(result);
    }
    if (mysql_errno(connection)) {
        mysql_free_result(first);
        return refused(tx);
    }
    *out = first;
    return STATUS_SUCCESS;
}

/* ---- the first of them ---- */

static void
print_start(const struct ktm_mariadb_tx *tx, char sql[XID_SIZE + 16])
{
    snprintf(sql, XID_SIZE + 16, "XA START %s", tx->xid.text);
}

NTSTATUS
statement_start(struct ktm_mariadb_tx *tx, struct explanation *why)
{
    char sql[XID_SIZE + 16];

    print_start(tx, sql);
    TRY(session_say(tx->session, sql, NULL, why));
    tx->is_begun = true;
    return STATUS_SUCCESS;
}

/* There is no branch; perhaps one of the same name, which is not ours to end. What was executed
 * outside of it goes with the session. */
static NTSTATUS
abandon(struct ktm_mariadb_tx *tx, NTSTATUS status, const struct explanation *why)
{
    struct session *session = give(tx->session);

    tx->why = *why;
    tx->is_doomed = true;
    atomic_store(&tx->state, KTM_MARIADB_ROLLED_BACK);
    if (session->is_lost)
        session_close_idle(tx->rm); /* they have most likely been lost with this one */
    session->is_spoiled = true;
    session_release(tx->rm, session);
    return status;
}

static NTSTATUS
start_alone(struct ktm_mariadb_tx *tx)
{
    struct explanation why = {0};
    NTSTATUS status = statement_start(tx, &why);

    return status == STATUS_SUCCESS ? status : abandon(tx, status, &why);
}

/* The statement, and XA START before it, in one go. Both answers are heard, whatever the first one
 * says. */
static NTSTATUS
start_with(struct ktm_mariadb_tx *tx, const char *text, MYSQL_RES **out)
{
    struct explanation why = {0};
    char sql[XID_SIZE + 16];
    NTSTATUS start, status;

    print_start(tx, sql);
    if (session_send(tx->session, sql, &why) != STATUS_SUCCESS ||
        session_send(tx->session, text, &why) != STATUS_SUCCESS)
        return abandon(tx, status_raise(STATUS_RM_DISCONNECTED), &why);
    start = session_hear(tx->session, "XA START", &why);
    tx->is_begun = start == STATUS_SUCCESS;
    status = start;
    if (!tx->session->is_lost)
        status =
            mysql_read_query_result(tx->session->connection) == 0 ? fetch(tx, out) : refused(tx);
    if (tx->is_begun)
        return status;
    mysql_free_result(*out);
    *out = NULL;
    return abandon(tx, start, &why);
}

static NTSTATUS
exec_active(struct ktm_mariadb_tx *tx, const char *sql, int count, const char *const *values,
            MYSQL_RES **out)
{
    MYSQL_RES *result = NULL;
    NTSTATUS status;
    char *text;

    if (tx->is_asked) /* its vote is under way */
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    if (atomic_load(&tx->state) != KTM_MARIADB_ACTIVE || !tx->session) {
        if (atomic_load(&tx->state) == KTM_MARIADB_ROLLED_BACK)
            tx_undo(tx, KTM_MARIADB_ROLLED_BACK);
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    }
    /* Only a change goes along with XA START: of other statements there are some that last though
     * autocommit is off, as DDL, and what they write is counted from within the branch. */
    if (!tx->is_begun && sql_sort(sql, SQL_MARIADB) != SQL_CHANGE)
        TRY(start_alone(tx));
    tx->changed = 0;
    TRY(written_before(tx, sql, &tx->why));
    text = count ? with_parameters(tx->session->connection, sql, count, values) : strdup(sql);
    if (!text)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (!tx->is_begun)
        status = start_with(tx, text, &result);
    else
        status = mysql_query(tx->session->connection, text) == 0 ? fetch(tx, &result) : refused(tx);
    free(text);
    if (tx->session)
        written_after(tx, sql, result || status != STATUS_SUCCESS);
    TRY(status);
    if (out)
        *out = result;
    else
        mysql_free_result(result);
    return STATUS_SUCCESS;
}

/* What has doomed the transaction stays the reason. */
static NTSTATUS
exec_locked(struct ktm_mariadb_tx *tx, const char *sql, int count, const char *const *values,
            MYSQL_RES **out)
{
    struct explanation first = tx->why;
    bool was_doomed = tx->is_doomed;
    NTSTATUS status = exec_active(tx, sql, count, values, out);

    if (was_doomed && first.text[0])
        tx->why = first;
    why_after(&tx->why, status, first.time, tx->is_doomed);
    return status;
}

NTSTATUS
ktm_mariadb_exec(struct ktm_mariadb_tx *tx, const char *sql, int count, const char *const *values,
                 MYSQL_RES **result)
{
    NTSTATUS status;

    if (!tx || !sql || count < 0 || (count > 0 && !values))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    status = exec_locked(tx, sql, count, values, result);
    pthread_mutex_unlock(&tx->mutex);
    return status;
}

/* ---- several, of which none may end the transaction ---- */

struct running {
    struct ktm_mariadb_tx *tx;
    size_t count;
    const char **values;
    uint64_t rows;
};

static NTSTATUS
run_one(void *context, const char *statement)
{
    struct running *running = context;
    MYSQL_RES *result = NULL;

    TRY(exec_locked(running->tx, statement, (int)running->count, running->values, &result));
    running->rows += result ? mysql_num_rows(result) : running->tx->changed;
    mysql_free_result(result);
    return STATUS_SUCCESS;
}

/* What the server takes for a text: it has no booleans. */
static const char *
text_of_value(const struct ktm_value *value)
{
    if (value->type == KTM_VALUE_BOOLEAN)
        return value->text[0] == 't' ? "1" : "0";
    return value->text;
}

NTSTATUS
statement_run(struct ktm_mariadb_tx *tx, const char *text, size_t count,
              const struct ktm_value *values, uint64_t *rows)
{
    struct running running = {.tx = tx, .count = count};
    NTSTATUS status;

    TRY(manager_check(&tx->rm->base));
    running.values = calloc(count + 1, sizeof(*running.values));
    if (!running.values)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < count; i++)
        running.values[i] = text_of_value(&values[i]);
    pthread_mutex_lock(&tx->mutex);
    status = sql_each(text, SQL_MARIADB, count > 0, run_one, &running, &tx->why);
    pthread_mutex_unlock(&tx->mutex);
    free(running.values);
    *rows = running.rows;
    return status;
}

MYSQL *
ktm_mariadb_connection(struct ktm_mariadb_tx *tx)
{
    MYSQL *connection = NULL;

    if (!tx || tx->rm->base.process != getpid())
        return NULL;
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_MARIADB_ACTIVE && tx->session && !tx->is_asked &&
        (tx->is_begun || start_alone(tx) == STATUS_SUCCESS)) {
        struct explanation why = {0};

        /* What cannot be counted counts as written. */
        tx->has_written |= written_before(tx, NULL, &why) != STATUS_SUCCESS;
        connection = tx->session->connection;
        tx->is_lent = true;
        tx->borrower = pthread_self();
    }
    pthread_mutex_unlock(&tx->mutex);
    return connection;
}

/* ---- the end ---- */

NTSTATUS
ktm_mariadb_commit(struct ktm_mariadb_tx *tx)
{
    return tx ? manager_commit(&tx->rm->base, &tx->held, &tx->mutex, &tx->why)
              : status_raise(STATUS_INVALID_PARAMETER);
}

NTSTATUS
ktm_mariadb_rollback(struct ktm_mariadb_tx *tx)
{
    if (!tx || !tx->held.transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    tx->is_lent = false;
    pthread_mutex_unlock(&tx->mutex);
    return ktm_rm_rollback(tx->rm->base.kit, tx->held.transaction);
}

enum ktm_mariadb_state
ktm_mariadb_state(struct ktm_mariadb_tx *tx)
{
    return (enum ktm_mariadb_state)atomic_load(&tx->state);
}

size_t
ktm_mariadb_error(struct ktm_mariadb_tx *tx, char *into, size_t size)
{
    return why_copy(tx->rm->base.process, &tx->mutex, &tx->why, into, size);
}

/* ---- what is prepared ---- */

struct telling {
    const struct ktm_mariadb_rm *rm;
    ktm_mariadb_each *each;
    void *context;
};

static NTSTATUS
tell_prepared(void *context, const struct xid *xid)
{
    const struct telling *telling = context;
    const struct ktm_mariadb_prepared prepared = {
        .xid = xid->text,
        .is_ours = guid_equal(&xid->key.manager, &telling->rm->base.home.manager),
        .key = xid->key};

    telling->each(telling->context, &prepared);
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_mariadb_list_prepared(struct ktm_mariadb_rm *rm, ktm_mariadb_each *each, void *context)
{
    struct telling telling = {.rm = rm, .each = each, .context = context};
    struct explanation why = {0};

    if (!rm || !each)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    outcome_tend_orphans(rm);
    return outcome_list_all(rm, tell_prepared, &telling, &why);
}
