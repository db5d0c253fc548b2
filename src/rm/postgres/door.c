/* SPDX-License-Identifier: MIT */
/* PostgreSQL in transactions of applications (ktm.h), and for programs that do not know it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktm.h"
#include "rm/postgres/postgres.h"

/* ---- a manager and its parts ---- */

static_assert((int)KTM_POSTGRES_UNFINISHED == (int)KTM_RESOURCE_UNFINISHED &&
                  (int)KTM_POSTGRES_DAMAGED == (int)KTM_RESOURCE_DAMAGED &&
                  (int)KTM_POSTGRES_SETTLED == (int)KTM_RESOURCE_SETTLED,
              "news have the same numbers");

static void
pass_report(void *context, const struct ktm_postgres_report *report)
{
    const struct ktm_resource *resource = context;

    resource->report(resource->context, (enum ktm_resource_news)report->kind, &report->transaction,
                     report->is_committed, report->text);
}

static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct ktm_resource *resource = argument;
    struct ktm_postgres_options options = {.mode = KTM_RM_HELPED,
                                           .patience_ms = PATIENCE_MS,
                                           .name = resource->name,
                                           .report = resource->report ? pass_report : NULL,
                                           .context = (void *)resource};
    struct ktm_postgres_rm *made = NULL;
    NTSTATUS status = ktm_postgres_open(tm, home, resource->place, &options, why, why_size, &made);

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

static uint64_t
door_error_time(void *part)
{
    struct ktm_postgres_tx *tx = part;

    return why_time(tx->rm->base.process, &tx->mutex, &tx->why);
}

static const struct ktm_manager_kind manager = {.open = door_open,
                                                .shut = door_shut,
                                                .begin = door_begin,
                                                .close = door_close,
                                                .error = door_error,
                                                .error_time = door_error_time};

NTSTATUS
ktm_postgres(struct ktm_tx *tx, const char *conninfo, struct ktm_postgres_tx **out)
{
    const struct ktm_resource resource = {.place = conninfo};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!tx || !conninfo || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (asprintf(&name, "postgres %s", conninfo) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &manager, &resource, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}

/* ---- the kind ---- */

static NTSTATUS
door_place(const char *text, const char *directory, char *why, size_t why_size, char **out)
{
    struct explanation explanation = {0};
    struct conninfo place;
    NTSTATUS status = place_check(text, &place, &explanation);

    (void)directory;
    snprintf(why, why_size, "%s", explanation.text);
    if (status != STATUS_SUCCESS)
        return status;
    *out = strdup(place.text);
    return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static struct ktm_rm *
door_kit(void *rm)
{
    return ktm_postgres_kit(rm);
}

static NTSTATUS
door_run(void *part, const char *text, size_t count, const struct ktm_value *values, uint64_t *rows)
{
    return statement_run(part, text, count, values, rows);
}

static NTSTATUS
door_probe(const struct ktm_resource *resource, char *why, size_t why_size)
{
    struct explanation explanation = {0};
    NTSTATUS status = session_probe(resource->place, &explanation);

    snprintf(why, why_size, "%s", explanation.text);
    return status;
}

KTM_API const struct ktm_resource_kind ktm_resource_kind = {.size = sizeof(ktm_resource_kind),
                                                            .name = "postgres",
                                                            .known = ktm_postgres_known,
                                                            .place = door_place,
                                                            .manager = &manager,
                                                            .kit = door_kit,
                                                            .run = door_run,
                                                            .probe = door_probe};
