/* SPDX-License-Identifier: MIT */
/*
 * Settling by hand.
 *
 * What cannot be proved stays unfinished for ever: on a server that was restored or promoted since,
 * nobody but a person can tell whether the rows are there. When that person has looked, and put
 * right what was not, a row of his in the table 'ktm_settled' says so, with who, when and why. It
 * is asked only where nothing else can be proved, and it stays.
 */
#include <stdio.h>
#include <string.h>

#include "rm/postgres/postgres.h"

#define TABLE                                                                                      \
    "CREATE TABLE IF NOT EXISTS ktm_settled (transaction uuid PRIMARY KEY,"                        \
    " reason text NOT NULL CHECK (reason <> ''), role text NOT NULL DEFAULT session_user,"         \
    " settled timestamptz NOT NULL DEFAULT clock_timestamp())"

bool
settled_by_hand(struct session *session, const GUID *transaction, struct explanation *why)
{
    static const char sql[] = "SELECT role, settled::timestamptz(0), reason FROM ktm_settled"
                              " WHERE transaction = $1::uuid";
    char id[GUID_TEXT_SIZE];
    const char *values[] = {id};
    PGresult *result;
    bool is_settled;

    guid_print(transaction, id);
    result = session_ask(session, sql, 1, values); /* mostly there is no such table */
    is_settled = result && PQntuples(result) == 1;
    if (is_settled)
        explain_sentence(why, "settled by hand, by %s at %s: %s", PQgetvalue(result, 0, 0),
                         PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
    PQclear(result);
    return is_settled;
}

static NTSTATUS
write_settlement(struct session *session, const GUID *transaction, const char *reason,
                 struct explanation *why)
{
    static const char sql[] = "INSERT INTO ktm_settled (transaction, reason) VALUES ($1::uuid, $2)"
                              " ON CONFLICT (transaction) DO UPDATE SET reason = EXCLUDED.reason,"
                              " role = EXCLUDED.role, settled = EXCLUDED.settled";
    char id[GUID_TEXT_SIZE];
    const char *values[] = {id, reason};
    NTSTATUS status = STATUS_SUCCESS;
    PGresult *result;

    TRY(session_say(session, "CREATE TABLE", TABLE, why));
    guid_print(transaction, id);
    result = PQexecParams(session->connection, sql, 2, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        status = explain_result(why, session->connection, result, "writing to ktm_settled");
    PQclear(result);
    return status;
}

NTSTATUS
ktm_postgres_settle(struct ktm_postgres_rm *rm, const GUID *transaction, const char *reason)
{
    struct explanation why = {0};
    struct session *session;
    NTSTATUS status;

    if (!rm || !transaction || !reason || !reason[0])
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    status = session_take_for_outcome(rm, &why, &session);
    if (status == STATUS_SUCCESS) {
        status = write_settlement(session, transaction, reason, &why);
        session_release_for_outcome(rm, session);
    }
    if (status != STATUS_SUCCESS)
        why_keep(&rm->mutex, &rm->why, &why, status);
    return status;
}
