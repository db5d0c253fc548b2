/* SPDX-License-Identifier: MIT */
/* MariaDB in transactions of applications (ktm.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "ktm.h"
#include "ktm_mariadb.h"

static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    struct ktm_mariadb_rm *made = NULL;
    NTSTATUS status = ktm_mariadb_open(tm, home, argument, NULL, why, why_size, &made);

    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_mariadb_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_mariadb_tx *made = NULL;
    NTSTATUS status = ktm_mariadb_begin(rm, transaction, &made);

    if (status != STATUS_SUCCESS)
        (void)ktm_mariadb_why(rm, why, why_size);
    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_mariadb_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_mariadb_error(part, into, size);
}

static const char *
text_of(const char *text)
{
    return text ? text : "";
}

NTSTATUS
ktm_mariadb(struct ktm_tx *tx, const struct ktm_mariadb_server *server, struct ktm_mariadb_tx **out)
{
    static const struct ktm_manager_kind kind = {.open = door_open,
                                                 .shut = door_shut,
                                                 .begin = door_begin,
                                                 .close = door_close,
                                                 .error = door_error};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!server || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    /* All but the password. */
    if (asprintf(&name, "mariadb %s|%u|%s|%s|%s|%s|%s", text_of(server->host), server->port,
                 text_of(server->socket), text_of(server->user), text_of(server->database),
                 text_of(server->defaults_file), text_of(server->defaults_group)) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &kind, server, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}
