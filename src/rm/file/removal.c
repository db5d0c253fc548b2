/* SPDX-License-Identifier: MIT */
/* What a plan does beside its chains: removes what they have put aside, and sets modes and owners.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rm/file/performer.h"

#define REMOVED_SUFFIX ".gone"

/* ---- removing ---- */

static uint32_t
last_slot(const struct plan *plan, const struct plan_object *object)
{
    const struct plan_chain *chain = &plan->chains[object->chain];

    return chain->slots[chain->count];
}

/* Where the object stood for others. */
static uint32_t
former_slot(const struct plan *plan, const struct plan_object *object)
{
    const struct plan_chain *chain = &plan->chains[object->chain];

    return chain->count == 1 && chain->lead != PLAN_NONE ? chain->lead
                                                         : chain->slots[object->position - 1];
}

static NTSTATUS
remove_file(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    struct plan_version version = plan_version_of(&seen->info);

    if (!plan_object_is(object, &seen->info) || !plan_version_equal(&version, &object->version))
        return performer_set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
    return tree_unlink(self->tree, seen->at, seen->name);
}

static NTSTATUS
remove_directory(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    NTSTATUS status = tree_directory_remove(self->tree, seen->at, seen->name);

    if (status == STATUS_DIRECTORY_NOT_EMPTY || status == STATUS_NOT_A_DIRECTORY)
        return performer_set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
    return status;
}

/* A tree is compared while it is whole and then renamed, so that one that is half removed is not
 * taken for one that somebody changed. */
static NTSTATUS
remove_tree(struct performer *self, const struct plan_object *object, const struct seen *seen)
{
    char gone[FILE_NAME_SIZE_MAX + 1];
    uint64_t fingerprint;

    snprintf(gone, sizeof(gone), "%s" REMOVED_SUFFIX, seen->name);
    if (seen->info.kind != TREE_NOTHING) {
        bool is_ours = plan_object_is(object, &seen->info);

        if (is_ours)
            TRY(copy_fingerprint(self->tree, seen->at, seen->name, self->why, &fingerprint));
        if (!is_ours || fingerprint != object->fingerprint)
            return performer_set_aside(self, seen->at, seen->name, former_slot(self->plan, object));
        TRY(tree_rename(self->tree, seen->at, seen->name, seen->at, gone, TREE_KEEP));
        TRY(tree_sync(self->tree, seen->at));
    }
    return copy_remove(self->tree, seen->at, gone);
}

/* 'wanted': what is forced. A hidden name in a yard that comes back with the power is removed
 * then; not so one in a directory that this plan moves, nor what was set aside. */
static NTSTATUS
object_remove(struct performer *self, const struct plan_object *object, bool *wanted)
{
    const struct plan_slot *at = &self->plan->slots[last_slot(self->plan, object)];
    unsigned kept = self->kept;
    struct seen seen;
    NTSTATUS status;

    TRY(performer_look(self, last_slot(self->plan, object), &seen));
    if (seen.at == TREE_NOWHERE)
        return STATUS_SUCCESS;
    if (object->fate == PLAN_REMOVED_TREE)
        status = remove_tree(self, object, &seen);
    else if (seen.info.kind == TREE_NOTHING)
        status = STATUS_SUCCESS;
    else if (object->fate == PLAN_REMOVED_DIRECTORY)
        status = remove_directory(self, object, &seen);
    else
        status = remove_file(self, object, &seen);
    if (self->kept != kept)
        wanted[self->plan->slots[former_slot(self->plan, object)].dir] = true;
    wanted[at->dir] |= self->kept != kept || self->plan->dirs[at->dir].inside != PLAN_NONE;
    return explain_status(self->why, status, "what '%s' was before cannot be removed",
                          self->plan->slots[former_slot(self->plan, object)].name);
}

static unsigned
depth_of(const struct plan *plan, const struct plan_object *object)
{
    unsigned depth = 0;
    const struct plan_dir *dir = &plan->dirs[plan->slots[last_slot(plan, object)].dir];

    while (dir->inside != PLAN_NONE && depth <= plan->object_count) {
        object = &plan->objects[dir->inside];
        dir = &plan->dirs[plan->slots[last_slot(plan, object)].dir];
        depth++;
    }
    return depth;
}

/* What is to be removed: files, then directories, those farther inside first. */
static NTSTATUS
removals_perform(struct performer *self, bool *wanted)
{
    const struct plan *plan = self->plan;
    unsigned deepest = 0;

    for (uint32_t i = 0; i < plan->object_count; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->fate == PLAN_STAYS)
            continue;
        if (object->fate == PLAN_REMOVED)
            TRY(object_remove(self, object, wanted));
        else if (depth_of(plan, object) > deepest)
            deepest = depth_of(plan, object);
    }
    for (unsigned depth = deepest + 1; depth-- > 0;)
        for (uint32_t i = 0; i < plan->object_count; i++) {
            const struct plan_object *object = &plan->objects[i];

            if ((object->fate == PLAN_REMOVED_DIRECTORY || object->fate == PLAN_REMOVED_TREE) &&
                depth_of(plan, object) == depth)
                TRY(object_remove(self, object, wanted));
        }
    return STATUS_SUCCESS;
}

NTSTATUS
performer_removals(struct performer *self)
{
    bool *wanted = calloc((size_t)self->plan->dir_count + 1, sizeof(*wanted));
    NTSTATUS status;

    if (!wanted)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = removals_perform(self, wanted);
    if (status == STATUS_SUCCESS)
        status = performer_sync(self, wanted);
    free(wanted);
    return status;
}

/* ---- attributes ---- */

static bool
is_attribute_of(const struct plan_attribute *attribute, const struct seen *seen)
{
    return seen->info.kind == attribute->kind && seen->info.inode == attribute->inode &&
           seen->info.born == attribute->born;
}

static NTSTATUS
attribute_set(struct performer *self, const struct plan_attribute *attribute,
              const struct seen *seen)
{
    const struct tree_info *info = &seen->info;
    uint32_t mode = attribute->sets_mode ? attribute->mode : info->mode;
    owned_fd int fd = TREE_NOWHERE;

    TRY(tree_open(self->tree, seen->at, seen->name, TREE_OPEN_PATH, &fd));
    if (attribute->sets_owner &&
        ((attribute->owner != UINT32_MAX && attribute->owner != info->owner) ||
         (attribute->group != UINT32_MAX && attribute->group != info->group)))
        TRY(tree_owner_set(self->tree, fd, attribute->owner, attribute->group));
    else if (mode == info->mode)
        return STATUS_SUCCESS;
    return attribute->kind == TREE_SYMLINK ? STATUS_SUCCESS : tree_mode_set(self->tree, fd, mode);
}

static NTSTATUS
attribute_sync(struct performer *self, const struct plan_attribute *attribute,
               const struct seen *seen)
{
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (attribute->kind != TREE_FILE && attribute->kind != TREE_DIRECTORY)
        return tree_sync_all(self->tree, seen->at);
    status = tree_open(self->tree, seen->at, seen->name,
                       attribute->kind == TREE_FILE ? TREE_OPEN_READ : TREE_OPEN_DIRECTORY, &fd);
    if (status == STATUS_ACCESS_DENIED) /* not readable any more, perhaps by what was set */
        return tree_sync_all(self->tree, seen->at);
    TRY(status);
    return tree_sync(self->tree, fd);
}

NTSTATUS
performer_attributes(struct performer *self, bool is_last)
{
    for (uint32_t i = 0; i < self->plan->attribute_count; i++) {
        const struct plan_attribute *attribute = &self->plan->attributes[i];
        struct seen seen;

        if (!is_last && attribute->kind == TREE_DIRECTORY && attribute->sets_mode &&
            (attribute->mode & 0700) != 0700)
            continue;
        TRY(performer_look(self, attribute->to, &seen));
        if (!is_attribute_of(attribute, &seen))
            TRY(performer_look(self, attribute->from, &seen));
        if (!is_attribute_of(attribute, &seen)) {
            if (is_last)
                performer_report(self, CONFLICT_GONE, attribute->to, NULL);
            continue;
        }
        TRY(explain_status(self->why, attribute_set(self, attribute, &seen),
                           "mode or owner of '%s' cannot be set", seen.name));
        if (is_last)
            TRY(explain_status(self->why, attribute_sync(self, attribute, &seen),
                               "mode or owner of '%s' cannot be made durable", seen.name));
    }
    return STATUS_SUCCESS;
}
