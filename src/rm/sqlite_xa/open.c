/* SPDX-License-Identifier: MIT */
#include "rm/sqlite_xa/open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "rm/sqlite_xa/mark.h"

#define BUSY_MS 5000

struct sweep {
    struct ktm_rm_key keys[64];
    size_t count;
};

static void
sweep_add(void *list, const struct ktm_rm_key *key)
{
    struct sweep *sweep = list;

    if (sweep->count < ARRAY_SIZE(sweep->keys))
        sweep->keys[sweep->count++] = *key;
}

/* What a crash has left and nobody was promised; under the guard, so that nobody is at it. */
static void
sweep_guarded(struct ktm_sqlite_rm *rm, struct sweep *sweep, struct words *why)
{
    owned(guard_drop) struct guard *guard = NULL;
    NTSTATUS status = guard_take(rm->path, &guard, why);

    if (status != STATUS_SUCCESS)
        return; /* in use: whoever has it is at it, or the next xa_open does it */
    for (size_t i = 0; i < sweep->count; i++) {
        if (mark_is_prepared(&rm->park, &sweep->keys[i]))
            continue;
        status = park_rollback_again(&rm->park, &sweep->keys[i], why);
        if (status == STATUS_SUCCESS)
            mark_remove(&rm->park, &sweep->keys[i]);
    }
    (void)!park_sweep(&rm->park, why); /* what stays is swept another time */
}

static NTSTATUS
sweep(struct ktm_sqlite_rm *rm, struct words *why)
{
    struct sweep found = {.count = 0};
    bool has_debris;

    TRY(mark_list(&rm->park, sweep_add, &found));
    has_debris = found.count == 0 && park_is_shut(&rm->park);
    for (size_t i = 0; i < found.count; i++)
        has_debris = has_debris || !mark_is_prepared(&rm->park, &found.keys[i]);
    if (!has_debris)
        return STATUS_SUCCESS;
    sweep_guarded(rm, &found, why);
    return STATUS_SUCCESS;
}

/* The path, and what stands behind a '?'. */
static NTSTATUS
parse(struct ktm_sqlite_rm *rm, const char *info, struct words *why)
{
    char path[MAXINFOSIZE], *option;
    unsigned busy;

    snprintf(path, sizeof(path), "%s", info);
    option = strchr(path, '?');
    if (option) {
        *option++ = '\0';
        if (sscanf(option, "busy=%u", &busy) != 1)
            return status_raise(STATUS_INVALID_PARAMETER);
        rm->options.busy_ms = busy;
    }
    return path[0] ? database_path(path, &rm->path, why) : status_raise(STATUS_INVALID_PARAMETER);
}

/* One process at a time: the names it tries are the same for all. */
static NTSTATUS
probe(struct ktm_sqlite_rm *rm, const GUID *manager, struct words *why)
{
    NTSTATUS status;
    int code;

    do
        code = flock(rm->park.fd, LOCK_EX);
    while (code != 0 && errno == EINTR);
    if (code != 0)
        return say(why, status_raise(STATUS_NOT_SUPPORTED), "'%s' cannot be locked", rm->path);
    status = park_probe(&rm->park, manager, why);
    flock(rm->park.fd, LOCK_UN);
    return status;
}

static NTSTATUS
open_database(struct ktm_sqlite_rm *rm, const char *info)
{
    struct words why = {.text = ""};
    struct ktm_rm_key switches;
    NTSTATUS status;

    mark_key(&(XID){.gtrid_length = 1}, &switches);
    TRY(parse(rm, info, &why));
    TRY(database_make(rm, &why));
    TRY(park_open(&rm->park, rm->path, &why));
    TRY(probe(rm, &switches.manager, &why));
    TRY(sweep(rm, &why));
    why.text[0] = '\0';
    status = database_look(rm, &why);
    /* All else passes, when what is in doubt is ended or who uses it has done: xa_start will say.
     */
    return status == STATUS_OBJECT_TYPE_MISMATCH || status == STATUS_NOT_SUPPORTED ? status
                                                                                   : STATUS_SUCCESS;
}

struct ktm_sqlite_rm *
manager_open(const char *info)
{
    struct ktm_sqlite_rm *rm = calloc(1, sizeof(*rm));

    if (!rm)
        return NULL;
    rm->references = 1;
    rm->process = sys_process_id();
    rm->park.fd = rm->store.fd = rm->store.lock = TREE_NOWHERE;
    rm->setup = strdup("");
    rm->options = (struct ktm_sqlite_options){.busy_ms = BUSY_MS, .setup = rm->setup};
    sys_mutex_init(&rm->mutex);
    list_init(&rm->settled);
    if (rm->setup && open_database(rm, info) == STATUS_SUCCESS)
        return rm;
    sqlite_rm_release(rm);
    return NULL;
}
