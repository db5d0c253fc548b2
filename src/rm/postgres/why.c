/* SPDX-License-Identifier: MIT */
/* Sentences for people, with the server's words, and what they mean as a status. */
#include "rm/postgres/postgres.h"

#include <stdio.h>
#include <string.h>

bool
result_is(const PGresult *result, const char *sqlstate)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    return state && strcmp(state, sqlstate) == 0;
}

static NTSTATUS
status_of(PGconn *connection, const char *state)
{
    static const struct {
        const char *prefix;
        NTSTATUS status;
    } rows[] = {
        {"57P0", STATUS_RM_DISCONNECTED},         /* the server, or its process, comes to its end */
        {"08", STATUS_RM_DISCONNECTED},           /* connection exceptions */
        {"40", STATUS_TRANSACTIONAL_CONFLICT},    /* serialization, deadlock */
        {"55P03", STATUS_TRANSACTIONAL_CONFLICT}, /* lock_timeout, NOWAIT */
        {"28", STATUS_ACCESS_DENIED},             /* authorization */
        {"42501", STATUS_ACCESS_DENIED},          /* insufficient_privilege */
        {"25P02", STATUS_TRANSACTION_NOT_ACTIVE}, /* in_failed_sql_transaction */
        {"53100", STATUS_DISK_FULL},              /* disk_full */
        {"53", STATUS_INSUFFICIENT_RESOURCES},    /* connections, memory, limits */
        {"0A", STATUS_NOT_SUPPORTED},             /* feature_not_supported */
    };

    /* A statement that could not even be sent is refused by the client library, which finds out
     * that the connection is lost when it reads: so after the crash of another server process,
     * when a notice is still to be read. */
    if (!state && PQstatus(connection) == CONNECTION_OK)
        (void)PQconsumeInput(connection);
    if (PQstatus(connection) != CONNECTION_OK)
        return STATUS_RM_DISCONNECTED;
    for (size_t i = 0; state && i < ARRAY_SIZE(rows); i++)
        if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].status;
    return STATUS_INVALID_PARAMETER;
}

NTSTATUS
explain_result(struct explanation *why, PGconn *connection, const PGresult *result,
               const char *what)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *words = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;

    if (!words)
        words = PQerrorMessage(connection);
    explain_sentence(why, "%s: %.*s%s%s%s%s%s%s", what, (int)strcspn(words, "\n"), words,
                     detail ? " (" : "", detail ? detail : "", detail ? ")" : "", state ? " [" : "",
                     state ? state : "", state ? "]" : "");
    return status_raise(status_of(connection, state));
}

void
report(struct ktm_postgres_rm *rm, enum ktm_postgres_kind kind, const GUID *transaction,
       bool commit, const char *text)
{
    const struct ktm_postgres_report it = {
        .kind = kind, .transaction = *transaction, .is_committed = commit, .text = text};

    if (kind == KTM_POSTGRES_UNFINISHED)
        home_trouble(&rm->base.home, text);
    if (rm->options.report)
        rm->options.report(rm->options.context, &it);
}
