/* SPDX-License-Identifier: MIT */
/* What belongs to a home or a transaction: made at the first use, closed with it. */
#include "rm/app/app.h"

#include <stdlib.h>
#include <string.h>

struct part {
    struct list in_parts;
    const struct part_kind *kind;
    const void *owner;
    void *made;
    char name[];
};

void
parts_init(struct parts *parts)
{
    sys_mutex_init(&parts->mutex);
    sys_mutex_init(&parts->making);
    list_init(&parts->list);
}

void
parts_deinit(struct parts *parts)
{
    while (!list_is_empty(&parts->list)) {
        struct part *part = list_first(&parts->list, struct part, in_parts);

        list_remove(&part->in_parts);
        part->kind->close(part->owner, part->made);
        free(part);
    }
    sys_mutex_deinit(&parts->mutex);
    sys_mutex_deinit(&parts->making);
}

static struct part *
find(struct parts *parts, const char *name)
{
    struct part *part, *found = NULL;

    sys_mutex_lock(&parts->mutex);
    LIST_EACH (part, &parts->list, in_parts)
        if (!found && strcmp(part->name, name) == 0)
            found = part;
    sys_mutex_unlock(&parts->mutex);
    return found;
}

/* With nobody else making one. */
static NTSTATUS
make(struct parts *parts, const char *name, const struct part_kind *kind, const void *owner,
     void *argument, struct part **out)
{
    struct part *part = calloc(1, sizeof(*part) + strlen(name) + 1);
    NTSTATUS status;

    if (!part)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    strcpy(part->name, name);
    part->kind = kind;
    part->owner = owner;
    status = kind->make(argument, &part->made);
    if (status != STATUS_SUCCESS) {
        free(part);
        return status;
    }
    sys_mutex_lock(&parts->mutex);
    list_append(parts->list.next, &part->in_parts); /* in front of the first */
    sys_mutex_unlock(&parts->mutex);
    *out = part;
    return STATUS_SUCCESS;
}

NTSTATUS
parts_get(struct parts *parts, const char *name, const struct part_kind *kind, const void *owner,
          void *argument, void **made)
{
    struct part *part = find(parts, name);
    NTSTATUS status = STATUS_SUCCESS;

    if (!part) {
        sys_mutex_lock(&parts->making);
        part = find(parts, name); /* somebody may have been faster */
        if (!part)
            status = make(parts, name, kind, owner, argument, &part);
        sys_mutex_unlock(&parts->making);
    }
    if (status == STATUS_SUCCESS)
        *made = part->made;
    return status;
}

/* 0: nothing, or too long ago. */
static uint64_t
refused_at(const struct part *part, uint64_t since)
{
    uint64_t time;

    if (!part->kind->error || !part->kind->error(part->owner, part->made, NULL, 0))
        return 0;
    time = part->kind->error_time(part->owner, part->made);
    if (time == 0)
        return since + 1;
    return time >= since ? time : 0;
}

size_t
parts_error(struct parts *parts, uint64_t since, char *into, size_t size)
{
    struct part *part, *last = NULL;
    uint64_t latest = 0;
    size_t length = 0;

    sys_mutex_lock(&parts->mutex);
    LIST_EACH (part, &parts->list, in_parts) {
        uint64_t time = refused_at(part, since);

        if (time > latest) {
            latest = time;
            last = part;
        }
    }
    if (last)
        length = last->kind->error(last->owner, last->made, into, size);
    sys_mutex_unlock(&parts->mutex);
    return length;
}
