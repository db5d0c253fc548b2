/* SPDX-License-Identifier: MIT */
/* Switches of XA in transactions of applications (ktm.h), and for programs that do not know them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktm.h"
#include "rm/xa/xa.h"

static void
pass_report(void *context, const struct ktm_xa_report *report)
{
    static const enum ktm_resource_news news[] = {
        [KTM_XA_UNFINISHED] = KTM_RESOURCE_UNFINISHED,
        [KTM_XA_DAMAGED] = KTM_RESOURCE_DAMAGED,
        [KTM_XA_HEURISTIC] = KTM_RESOURCE_SETTLED,
        [KTM_XA_SETTLED] = KTM_RESOURCE_SETTLED,
    };
    const struct ktm_resource *resource = context;

    resource->report(resource->context, news[report->kind], &report->transaction,
                     report->is_committed, report->text);
}

/* ---- a manager and its parts ---- */

/* What a home knows was taken before, and what is promised there has to be kept, also when the
 * library has changed since. */
static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct ktm_resource *resource = argument;
    struct ktm_xa_options options = {.mode = KTM_RM_THREAD,
                                     .patience_ms = PATIENCE_MS,
                                     .name = resource->name,
                                     .is_unchecked = resource->name != NULL,
                                     .report = resource->report ? pass_report : NULL,
                                     .context = (void *)resource};
    struct explanation explanation = {0};
    struct ktm_xa_rm *made = NULL;
    struct place place;
    char name[HOME_NAME_SIZE];
    NTSTATUS status = place_read(resource->place, &place, &explanation);

    if (status != STATUS_SUCCESS) {
        snprintf(why, why_size, "%s", explanation.text);
        return status;
    }
    if (!options.name) {
        home_name_of(resource->place, name);
        options.name = name;
    }
    status = place_info(&place, &explanation);
    snprintf(why, why_size, "%s", explanation.text);
    if (status == STATUS_SUCCESS)
        status = ktm_xa_open(tm, home, place.spec, place.info, &options, why, why_size, &made);
    place_free(&place);
    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_xa_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_xa_tx *made = NULL;
    NTSTATUS status = ktm_xa_begin(rm, transaction, &made);

    if (status != STATUS_SUCCESS)
        ktm_xa_why(rm, why, why_size);
    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_xa_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_xa_error(part, into, size);
}

static uint64_t
door_error_time(void *part)
{
    struct ktm_xa_tx *tx = part;

    return why_time(tx->rm->base.process, &tx->mutex, &tx->why);
}

static const struct ktm_manager_kind manager = {.open = door_open,
                                                .shut = door_shut,
                                                .begin = door_begin,
                                                .close = door_close,
                                                .error = door_error,
                                                .error_time = door_error_time};

NTSTATUS
ktm_xa(struct ktm_tx *tx, const char *switch_path, const char *info, struct ktm_xa_tx **out)
{
    struct conninfo place;
    const struct ktm_resource resource = {.place = place.text};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!tx || !switch_path || !info || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    place = (struct conninfo){.used = 0};
    conninfo_add(&place, "switch", switch_path);
    conninfo_add(&place, "info", info);
    if (place.is_lost)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (asprintf(&name, "xa %s", place.text) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &manager, &resource, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}

/* ---- the kind ---- */

static NTSTATUS
door_known(const char *home, ktm_resource_each *each, void *context)
{
    return home_known(home, "xa", each, context);
}

static NTSTATUS
door_place(const char *text, const char *directory, char *why, size_t why_size, char **out)
{
    struct explanation explanation = {0};
    struct conninfo printed;
    struct place place;
    NTSTATUS status = place_read(text, &place, &explanation);

    (void)directory;
    snprintf(why, why_size, "%s", explanation.text);
    if (status != STATUS_SUCCESS)
        return status;
    *out = place_print(place.spec, place.info, false, &printed) ? strdup(printed.text) : NULL;
    place_free(&place);
    return *out ? STATUS_SUCCESS : status_raise(STATUS_INVALID_PARAMETER);
}

static struct ktm_rm *
door_kit(void *rm)
{
    return ktm_xa_kit(rm);
}

KTM_API const struct ktm_resource_kind ktm_resource_kind = {.size = sizeof(ktm_resource_kind),
                                                            .name = "xa",
                                                            .known = door_known,
                                                            .place = door_place,
                                                            .manager = &manager,
                                                            .kit = door_kit};
