/* SPDX-License-Identifier: MIT */
/* PostgreSQL in transactions of applications (ktm.h). */
#include <stdio.h>
#include <stdlib.h>

#include "ktm.h"
#include "rm/postgres/postgres.h"

static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    struct ktm_postgres_rm *made = NULL;
    NTSTATUS status = ktm_postgres_open(tm, home, argument, NULL, why, why_size, &made);

    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_postgres_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_postgres_tx *made = NULL;
    NTSTATUS status = ktm_postgres_begin(rm, transaction, &made);

    if (status != STATUS_SUCCESS)
        ktm_postgres_why(rm, why, why_size);
    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_postgres_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_postgres_error(part, into, size);
}

NTSTATUS
ktm_postgres(struct ktm_tx *tx, const char *conninfo, struct ktm_postgres_tx **out)
{
    static const struct ktm_manager_kind kind = {.open = door_open,
                                                 .shut = door_shut,
                                                 .begin = door_begin,
                                                 .close = door_close,
                                                 .error = door_error};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!tx || !conninfo || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (asprintf(&name, "postgres %s", conninfo) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &kind, conninfo, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}
