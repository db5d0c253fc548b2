/* SPDX-License-Identifier: MIT */
/*
 * What a branch has written, as far as we know: whoever has written nothing votes read-only, and
 * what was written must be something that can be rolled back.
 *
 * The server counts the rows that a session writes, but asking takes longer than a change. So it is
 * asked only when it must be: a statement that begins as a change and has changed rows says all. Of
 * our own sessions the server tells, along with the answer to a change, which kinds of tables the
 * transaction has used; while there are only changes, and only tables of transactions, the vote
 * asks nothing. What a SELECT, a CALL or the application with the connection in its hands has done
 * is asked: the rows counted before the first of it, and at the vote.
 */
#include "rm/mariadb/mariadb.h"

#include <stdlib.h>
#include <string.h>

static NTSTATUS
count_writes(struct session *session, uint64_t *out, struct explanation *why)
{
    static const char sql[] = "SHOW SESSION STATUS WHERE Variable_name IN"
                              " ('Handler_write', 'Handler_update', 'Handler_delete')";
    MYSQL_RES *result = session_ask(session, sql, why);
    uint64_t sum = 0;
    unsigned rows = 0;

    if (!result)
        return status_raise(session->is_lost ? STATUS_RM_DISCONNECTED
                                             : STATUS_TRANSACTION_NOT_ACTIVE);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)); rows++)
        sum += strtoull(row[1], NULL, 10);
    mysql_free_result(result);
    if (rows != 3)
        return explain(why, status_raise(STATUS_NOT_SUPPORTED),
                       "the server does not count what is written");
    *out = sum;
    return STATUS_SUCCESS;
}

static bool
is_change(const char *sql)
{
    return sql_sort(sql, SQL_MARIADB) == SQL_CHANGE;
}

NTSTATUS
written_before(struct ktm_mariadb_tx *tx, const char *sql, struct explanation *why)
{
    if (sql && is_change(sql))
        return STATUS_SUCCESS;
    tx->is_plain = false;
    if (tx->has_written || tx->is_counted)
        return STATUS_SUCCESS;
    TRY(count_writes(tx->session, &tx->writes, why));
    tx->is_counted = true;
    return STATUS_SUCCESS;
}

/* "T___W___": r and w are uses of tables that cannot be rolled back, s is a statement that is not
 * safe, L are tables that are locked. It is told when it has changed. */
static void
take_track(struct ktm_mariadb_tx *tx)
{
    const char *state;
    size_t size;

    if (mysql_session_track_get_first(tx->session->connection, SESSION_TRACK_TRANSACTION_TYPE,
                                      &state, &size) == 0) {
        tx->is_tracked = true;
        for (size_t i = 0; i < size; i++)
            if (strchr("rwsL", state[i]))
                tx->is_plain = false;
    } else if (!tx->is_tracked) {
        tx->is_plain = false;
    }
}

void
written_after(struct ktm_mariadb_tx *tx, const char *sql, bool is_untold)
{
    if (!is_change(sql))
        return;
    /* No row: a trigger may have written all the same. */
    tx->has_written = true;
    if (is_untold)
        tx->is_plain = false;
    else if (tx->is_plain)
        take_track(tx);
}

NTSTATUS
written_ask(struct ktm_mariadb_tx *tx, bool *out)
{
    uint64_t writes;

    *out = tx->has_written;
    if (tx->has_written || !tx->is_counted)
        return STATUS_SUCCESS;
    TRY(count_writes(tx->session, &writes, &tx->why));
    *out = writes != tx->writes;
    return STATUS_SUCCESS;
}
