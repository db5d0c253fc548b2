/* SPDX-License-Identifier: MIT */
/* SQLite in transactions of applications (ktm.h), and for programs that do not know it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktm.h"
#include "rm/sqlite/rm.h"

#define BUSY_MS 5000

/* ---- a manager and its parts ---- */

static void
pass_unfinished(void *context, const GUID *transaction, BOOLEAN is_committed, const char *text)
{
    const struct ktm_resource *resource = context;

    resource->report(resource->context, KTM_RESOURCE_UNFINISHED, transaction, is_committed, text);
}

/* The name of a record tells how the database was opened; without one it prepares. */
static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct ktm_resource *resource = argument;
    const char *name = resource->name ? resource->name : KIND_PARK;
    struct ktm_sqlite_options options = {.mode = KTM_RM_CALLBACKS,
                                         .busy_ms = BUSY_MS,
                                         .must_exist = resource->name != NULL,
                                         .is_last_resource =
                                             strncmp(name, KIND_LAST, strlen(KIND_LAST)) == 0,
                                         .unfinished = resource->report ? pass_unfinished : NULL,
                                         .context = (void *)resource};
    struct ktm_sqlite_rm *made = NULL;
    NTSTATUS status = ktm_sqlite_open(tm, home, resource->place, &options, why, why_size, &made);

    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_sqlite_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_sqlite_tx *made = NULL;
    NTSTATUS status = ktm_sqlite_begin(rm, transaction, why, why_size, &made);

    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_sqlite_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_sqlite_error(part, into, size);
}

static const struct ktm_manager_kind manager = {.open = door_open,
                                                .shut = door_shut,
                                                .begin = door_begin,
                                                .close = door_close,
                                                .error = door_error};

NTSTATUS
ktm_sqlite(struct ktm_tx *tx, const char *database, struct ktm_sqlite_tx **out)
{
    const struct ktm_resource resource = {.place = database};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!database || !out)
        return STATUS_INVALID_PARAMETER;
    if (asprintf(&name, "sqlite %s", database) < 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = ktm_use(tx, name, &manager, &resource, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}

/* ---- the kind ---- */

struct known {
    ktm_resource_each *each;
    void *context;
};

static void
known_one(void *context, const char *database, const char *name, const struct store *store)
{
    struct known *known = context;

    known->each(known->context, &(struct ktm_resource){
                                    .place = database, .name = name, .manager = store->identity});
}

static NTSTATUS
door_known(const char *home, ktm_resource_each *each, void *context)
{
    struct known known = {each, context};

    return store_list(home, known_one, &known);
}

static NTSTATUS
door_place(const char *text, const char *directory, char *why, size_t why_size, char **out)
{
    if (!text[0] || (text[0] != '/' && !directory)) {
        snprintf(why, why_size, "a database is the path of a file");
        return status_raise(STATUS_INVALID_PARAMETER);
    }
    return asprintf(out, "%s%s%s", text[0] == '/' ? "" : directory, text[0] == '/' ? "" : "/",
                    text) < 0
               ? status_raise(STATUS_INSUFFICIENT_RESOURCES)
               : STATUS_SUCCESS;
}

static struct ktm_rm *
door_kit(void *rm)
{
    return ktm_sqlite_kit(rm);
}

KTM_API const struct ktm_resource_kind ktm_resource_kind = {.size = sizeof(ktm_resource_kind),
                                                            .name = "sqlite",
                                                            .known = door_known,
                                                            .place = door_place,
                                                            .manager = &manager,
                                                            .kit = door_kit};
