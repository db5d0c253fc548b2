/* SPDX-License-Identifier: MIT */
/* Plans: making, checking, comparing. */
#include "rm/file/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
plan_destroy(struct plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->dir_count; i++)
        free(plan->dirs[i].path);
    for (uint32_t i = 0; i < plan->slot_count; i++)
        free(plan->slots[i].name);
    for (uint32_t i = 0; i < plan->chain_count; i++) {
        free(plan->chains[i].slots);
        free(plan->chains[i].objects);
    }
    free(plan->dirs);
    free(plan->slots);
    free(plan->objects);
    free(plan->chains);
    free(plan->attributes);
    free(plan);
}

NTSTATUS
plan_create(struct plan **out)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (!plan)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *out = plan;
    return STATUS_SUCCESS;
}

/* Room for one more: arrays double when their count is a power of two. */
static bool
grow(void *array, uint32_t count, size_t size)
{
    void **at = array;
    void *more;

    if (count & (count - 1))
        return true;
    more = realloc(*at, (count ? (size_t)count * 2 : 1) * size);
    if (more)
        *at = more;
    return more != NULL;
}

NTSTATUS
plan_add_dir(struct plan *plan, uint32_t inside, const char *path, const struct tree_info *info,
             uint32_t *out)
{
    char *copy = strdup(path);

    if (!copy || !grow(&plan->dirs, plan->dir_count, sizeof(plan->dirs[0]))) {
        free(copy);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = plan->dir_count;
    plan->dirs[plan->dir_count++] =
        (struct plan_dir){.inside = inside, .path = copy, .inode = info->inode, .born = info->born};
    return STATUS_SUCCESS;
}

NTSTATUS
plan_add_slot(struct plan *plan, uint32_t dir, const char *name, uint32_t *out)
{
    char *copy = strdup(name);

    if (!copy || !grow(&plan->slots, plan->slot_count, sizeof(plan->slots[0]))) {
        free(copy);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = plan->slot_count;
    plan->slots[plan->slot_count++] = (struct plan_slot){.dir = dir, .name = copy};
    return STATUS_SUCCESS;
}

NTSTATUS
plan_add_object(struct plan *plan, const struct plan_object *object, uint32_t *out)
{
    if (!grow(&plan->objects, plan->object_count, sizeof(plan->objects[0])))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *out = plan->object_count;
    plan->objects[plan->object_count] = *object;
    plan->objects[plan->object_count++].chain = PLAN_NONE;
    return STATUS_SUCCESS;
}

NTSTATUS
plan_add_chain(struct plan *plan, uint32_t count, uint32_t *out)
{
    uint32_t *slots = malloc(((size_t)count + 1) * sizeof(*slots));
    uint32_t *objects = malloc(((size_t)count + 1) * sizeof(*objects));

    if (!slots || !objects || !grow(&plan->chains, plan->chain_count, sizeof(plan->chains[0]))) {
        free(slots);
        free(objects);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    for (uint32_t i = 0; i <= count; i++)
        slots[i] = objects[i] = PLAN_NONE;
    *out = plan->chain_count;
    plan->chains[plan->chain_count++] =
        (struct plan_chain){.lead = PLAN_NONE, .count = count, .slots = slots, .objects = objects};
    return STATUS_SUCCESS;
}

NTSTATUS
plan_add_attribute(struct plan *plan, const struct plan_attribute *attribute)
{
    if (!grow(&plan->attributes, plan->attribute_count, sizeof(plan->attributes[0])))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    plan->attributes[plan->attribute_count++] = *attribute;
    return STATUS_SUCCESS;
}

/* ---- checking: a plan may come from a file ---- */

static bool
name_is_valid(const char *name)
{
    return name[0] != '\0' && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* Relative, and nowhere upwards. */
static bool
below_is_valid(const char *path)
{
    if (path[0] == '\0')
        return true;
    while (*path) {
        size_t size = strcspn(path, "/");

        if (size == 0 || (size == 1 && path[0] == '.') ||
            (size == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += size;
        if (*path == '/' && *++path == '\0')
            return false;
    }
    return true;
}

static bool
dirs_are_valid(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->dir_count; i++) {
        const struct plan_dir *dir = &plan->dirs[i];

        if (dir->inside == PLAN_NONE ? dir->path[0] != '/' : !below_is_valid(dir->path))
            return false;
        if (dir->inside != PLAN_NONE && (dir->inside >= plan->object_count ||
                                         plan->objects[dir->inside].kind != TREE_DIRECTORY))
            return false;
    }
    return true;
}

static bool
slots_are_valid(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (plan->slots[i].dir >= plan->dir_count || !name_is_valid(plan->slots[i].name))
            return false;
    for (uint32_t i = 0; i < plan->attribute_count; i++)
        if (plan->attributes[i].from >= plan->slot_count ||
            plan->attributes[i].to >= plan->slot_count)
            return false;
    return true;
}

/* Links the objects of one chain; false when the chain is not one. */
static bool
chain_link(struct plan *plan, uint32_t index)
{
    struct plan_chain *chain = &plan->chains[index];

    if (chain->count == 0 || (chain->lead != PLAN_NONE && chain->lead >= plan->slot_count))
        return false;
    for (uint32_t i = 0; i <= chain->count; i++)
        if (chain->slots[i] >= plan->slot_count)
            return false;
    for (uint32_t i = 0; i < chain->count; i++) {
        uint32_t object = chain->objects[i];

        if (object >= plan->object_count || plan->objects[object].chain != PLAN_NONE)
            return false;
        /* Only the last one can be on its way out. */
        if (plan->objects[object].fate != PLAN_STAYS && i + 1 != chain->count)
            return false;
        plan->objects[object].chain = index;
        plan->objects[object].position = i + 1;
    }
    return true;
}

NTSTATUS
plan_link(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->object_count; i++)
        plan->objects[i].chain = PLAN_NONE;
    if (!dirs_are_valid(plan) || !slots_are_valid(plan))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    for (uint32_t i = 0; i < plan->chain_count; i++)
        if (!chain_link(plan, i))
            return status_raise(STATUS_RM_METADATA_CORRUPT);
    for (uint32_t i = 0; i < plan->object_count; i++)
        if (plan->objects[i].chain == PLAN_NONE)
            return status_raise(STATUS_RM_METADATA_CORRUPT);
    return STATUS_SUCCESS;
}

/* ---- telling ---- */

static char *
slot_path(const struct plan *plan, uint32_t slot, unsigned depth)
{
    const struct plan_slot *self = &plan->slots[slot];
    const struct plan_dir *dir = &plan->dirs[self->dir];
    char *above, *text;

    if (dir->inside == PLAN_NONE)
        return asprintf(&text, "%s/%s", dir->path[1] ? dir->path : "", self->name) < 0 ? NULL
                                                                                       : text;
    if (depth > plan->object_count) /* a plan that goes round in circles */
        return strdup(self->name);
    const struct plan_object *object = &plan->objects[dir->inside];
    above = slot_path(plan, plan->chains[object->chain].slots[object->position], depth + 1);
    if (!above)
        return NULL;
    if (asprintf(&text, "%s%s%s/%s", above, dir->path[0] ? "/" : "", dir->path, self->name) < 0)
        text = NULL;
    free(above);
    return text;
}

char *
plan_slot_path(const struct plan *plan, uint32_t slot)
{
    return slot_path(plan, slot, 0);
}

/* ---- comparing ---- */

bool
plan_is_one_rename(const struct plan *plan)
{
    const struct plan_chain *chain = plan->chains;
    const struct plan_dir *dir;

    if (plan->chain_count != 1 || plan->attribute_count > 0 || chain->lead != PLAN_NONE ||
        chain->count > 2 || (chain->count == 2 && chain->slots[2] != chain->slots[0]))
        return false;
    for (uint32_t i = 1; i <= chain->count; i++)
        if (plan->slots[chain->slots[i]].dir != plan->slots[chain->slots[0]].dir ||
            plan->objects[chain->objects[i - 1]].fate > PLAN_REMOVED)
            return false;
    dir = &plan->dirs[plan->slots[chain->slots[0]].dir];
    return dir->inside == PLAN_NONE;
}

/* (hidden, name), (hidden, name, hidden) with the old one removed. */
static bool
chain_is_evident(const struct plan *plan, const struct plan_chain *chain)
{
    if (chain->lead != PLAN_NONE || !plan->objects[chain->objects[0]].is_staged)
        return false;
    return chain->count == 1 || (chain->count == 2 && chain->slots[2] == chain->slots[0] &&
                                 plan->objects[chain->objects[1]].fate != PLAN_STAYS);
}

bool
plan_is_evident(const struct plan *plan)
{
    bool is = plan->attribute_count == 0;

    for (uint32_t i = 0; i < plan->chain_count && is; i++)
        is = chain_is_evident(plan, &plan->chains[i]);
    return is;
}

struct plan_version
plan_version_of(const struct tree_info *info)
{
    struct plan_version version = {.mode = info->mode, .owner = info->owner, .group = info->group};

    /* A directory is changed by every name in it, our hidden ones among them. */
    if (info->kind != TREE_DIRECTORY) {
        version.size = info->size;
        version.written = info->written;
    }
    return version;
}

bool
plan_version_equal(const struct plan_version *a, const struct plan_version *b)
{
    return a->size == b->size && a->written == b->written && a->mode == b->mode &&
           a->owner == b->owner && a->group == b->group;
}

bool
plan_object_is(const struct plan_object *object, const struct tree_info *info)
{
    return object->kind == info->kind && object->inode == info->inode && object->born == info->born;
}

/* ---- what others did ---- */

NTSTATUS
conflicts_add(struct conflicts *conflicts, enum conflict_kind kind, const char *path,
              const char *kept_as)
{
    struct conflict *more;
    char *path_copy = strdup(path), *kept_copy = kept_as ? strdup(kept_as) : NULL;

    more = realloc(conflicts->at, (conflicts->count + 1) * sizeof(*more));
    if (more)
        conflicts->at = more;
    if (!more || !path_copy || (kept_as && !kept_copy)) {
        free(path_copy);
        free(kept_copy);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    conflicts->at[conflicts->count++] =
        (struct conflict){.kind = kind, .path = path_copy, .kept_as = kept_copy};
    return STATUS_SUCCESS;
}

void
conflicts_deinit(struct conflicts *conflicts)
{
    for (size_t i = 0; i < conflicts->count; i++) {
        free(conflicts->at[i].path);
        free(conflicts->at[i].kept_as);
    }
    free(conflicts->at);
    *conflicts = (struct conflicts){0};
}
