/* SPDX-License-Identifier: MIT */
/* Sentences for people, with the server's words, and what they mean as a status. */
#include "rm/mariadb/mariadb.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

/* The client library's own numbers are about the connection, which is of no use any more; and so
 * are the server's last words on one. */
bool
error_is_loss(unsigned error)
{
    static const unsigned farewells[] = {ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN,
                                         ER_CONNECTION_KILLED, ER_ABORTING_CONNECTION,
                                         ER_NEW_ABORTING_CONNECTION};

    for (size_t i = 0; i < ARRAY_SIZE(farewells); i++)
        if (farewells[i] == error)
            return true;
    return (error >= CR_MIN_ERROR && error < 3000) ||
           (error >= ER_NET_PACKETS_OUT_OF_ORDER && error <= ER_NET_WRITE_INTERRUPTED);
}

static NTSTATUS
status_of(unsigned error)
{
    static const struct {
        unsigned error;
        NTSTATUS status;
    } rows[] = {
        {ER_LOCK_WAIT_TIMEOUT, STATUS_TRANSACTIONAL_CONFLICT},
        {ER_LOCK_DEADLOCK, STATUS_TRANSACTIONAL_CONFLICT},
        {ER_XA_RBDEADLOCK, STATUS_TRANSACTIONAL_CONFLICT},
        {ER_XA_RBTIMEOUT, STATUS_TRANSACTIONAL_CONFLICT},
        {ER_ACCESS_DENIED_ERROR, STATUS_ACCESS_DENIED},
        {ER_DBACCESS_DENIED_ERROR, STATUS_ACCESS_DENIED},
        {ER_TABLEACCESS_DENIED_ERROR, STATUS_ACCESS_DENIED},
        {ER_COLUMNACCESS_DENIED_ERROR, STATUS_ACCESS_DENIED},
        {ER_SPECIFIC_ACCESS_DENIED_ERROR, STATUS_ACCESS_DENIED},
        {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, STATUS_ACCESS_DENIED},
        {ER_RECORD_FILE_FULL, STATUS_DISK_FULL},
        {ER_DISK_FULL, STATUS_DISK_FULL},
        {ER_CON_COUNT_ERROR, STATUS_INSUFFICIENT_RESOURCES},
        {ER_OUT_OF_RESOURCES, STATUS_INSUFFICIENT_RESOURCES},
        {ER_OUTOFMEMORY, STATUS_INSUFFICIENT_RESOURCES},
    };

    if (error_is_loss(error))
        return STATUS_RM_DISCONNECTED;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].error == error)
            return rows[i].status;
    return STATUS_INVALID_PARAMETER;
}

NTSTATUS
explain_server(struct explanation *why, MYSQL *connection, const char *what)
{
    const char *words = mysql_error(connection);
    unsigned error = mysql_errno(connection);

    explain_sentence(why, "%s: %.*s [%u]", what, (int)strcspn(words, "\n"), words, error);
    return status_raise(status_of(error));
}

void
report(struct ktm_mariadb_rm *rm, enum ktm_mariadb_kind kind, const GUID *transaction, bool commit,
       const char *text)
{
    const struct ktm_mariadb_report it = {
        .kind = kind, .transaction = *transaction, .is_committed = commit, .text = text};

    if (kind == KTM_MARIADB_UNFINISHED)
        home_trouble(&rm->base.home, text);
    if (rm->options.report)
        rm->options.report(rm->options.context, &it);
}
