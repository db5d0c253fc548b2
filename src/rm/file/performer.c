/* SPDX-License-Identifier: MIT */
/* What a performer stands on: directories, what is where, what others have left there. */
#include "rm/file/performer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASIDE_MAX 1000 /* names tried for what is kept */

static NTSTATUS locate(struct performer *self, uint32_t object, int *at, const char **name);

/* ---- life ---- */

NTSTATUS
performer_init(struct performer *self)
{
    uint32_t dirs = self->plan->dir_count, objects = self->plan->object_count;

    snprintf(self->tag, sizeof(self->tag), ".ktm-conflict.%08x",
             (unsigned)self->plan->transaction.Data1);
    self->fds = calloc((size_t)dirs + 1, sizeof(*self->fds));
    for (uint32_t i = 0; self->fds && i < dirs; i++)
        self->fds[i] = TREE_NOWHERE;
    self->opened = calloc(DIRS_OPEN_MAX, sizeof(*self->opened));
    self->is_sought = calloc((size_t)objects + 1, sizeof(*self->is_sought));
    if (!self->fds || !self->opened || !self->is_sought)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    return STATUS_SUCCESS;
}

void
performer_deinit(struct performer *self)
{
    for (uint32_t i = 0; self->fds && i < self->plan->dir_count; i++)
        tree_close(self->fds[i]);
    free(self->fds);
    free(self->opened);
    free(self->is_sought);
}

/* ---- directories ---- */

static void
dir_opened(struct performer *self, uint32_t index, int fd)
{
    if (self->opened_count == DIRS_OPEN_MAX) {
        uint32_t oldest = self->opened[self->opened_next];

        tree_close(tree_give(&self->fds[oldest]));
    } else {
        self->opened_count++;
    }
    self->fds[index] = fd;
    self->opened[self->opened_next] = index;
    self->opened_next = (self->opened_next + 1) % DIRS_OPEN_MAX;
}

static NTSTATUS
dir_check(struct performer *self, const struct plan_dir *dir, int fd)
{
    struct tree_info info;

    TRY(tree_info(self->tree, fd, "", &info));
    if (info.inode != dir->inode || info.born != dir->born)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    return STATUS_SUCCESS;
}

/* Down from an open directory, one component after the other. Takes 'fd'. */
static NTSTATUS
dir_descend(struct performer *self, int fd, const char *path, int *out)
{
    owned_fd int at = fd;
    char component[FILE_NAME_SIZE_MAX + 1];

    while (*path) {
        size_t size = strcspn(path, "/");
        int next;

        if (size >= sizeof(component))
            return status_raise(STATUS_RM_METADATA_CORRUPT);
        memcpy(component, path, size);
        component[size] = '\0';
        TRY(tree_open(self->tree, at, component, TREE_OPEN_DIRECTORY, &next));
        tree_close(at);
        at = next;
        path += size + (path[size] == '/');
    }
    *out = tree_give(&at);
    return STATUS_SUCCESS;
}

static NTSTATUS
dir_open_inside(struct performer *self, const struct plan_dir *dir, int *out)
{
    const char *name;
    int at, fd;

    TRY(locate(self, dir->inside, &at, &name));
    TRY(tree_open(self->tree, at, name, TREE_OPEN_DIRECTORY, &fd));
    return dir_descend(self, fd, dir->path, out);
}

static bool
is_not_there(NTSTATUS status)
{
    return status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND ||
           status == STATUS_NOT_A_DIRECTORY || status == STATUS_OBJECT_PATH_SYNTAX_BAD;
}

NTSTATUS
performer_dir(struct performer *self, uint32_t index, int *out)
{
    const struct plan_dir *dir = &self->plan->dirs[index];
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (self->fds[index] < 0) {
        status = dir->inside == PLAN_NONE
                     ? tree_open(self->tree, TREE_NOWHERE, dir->path, TREE_OPEN_DIRECTORY, &fd)
                     : dir_open_inside(self, dir, &fd);
        if (status == STATUS_SUCCESS)
            status = dir_check(self, dir, fd);
        if (is_not_there(status))
            return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
        TRY(status);
        dir_opened(self, index, tree_give(&fd));
    }
    *out = self->fds[index];
    return STATUS_SUCCESS;
}

/* ---- slots ---- */

static bool
may_be_gone(const struct plan *plan, const struct plan_dir *dir)
{
    for (unsigned depth = 0; dir->inside != PLAN_NONE && depth <= plan->object_count; depth++) {
        const struct plan_object *object = &plan->objects[dir->inside];

        if (object->fate != PLAN_STAYS)
            return true;
        dir = &plan->dirs[plan->slots[plan->chains[object->chain].slots[0]].dir];
    }
    return false;
}

/* Long done, perhaps: what it was inside of may be gone since. But when that is where this plan
 * would take it from, it is found; so the directory on disk that all of it is in must be there. */
static bool
may_be_gone_since(struct performer *self, const struct plan_dir *dir)
{
    const struct plan *plan = self->plan;
    int fd;

    if (!self->perhaps_done || dir->inside == PLAN_NONE)
        return false;
    for (uint32_t depth = 0; dir->inside != PLAN_NONE && depth <= plan->object_count; depth++)
        dir = &plan->dirs[plan->slots[plan->chains[plan->objects[dir->inside].chain].slots[0]].dir];
    return dir->inside == PLAN_NONE &&
           performer_dir(self, (uint32_t)(dir - plan->dirs), &fd) == STATUS_SUCCESS;
}

NTSTATUS
performer_look(struct performer *self, uint32_t slot, struct seen *seen)
{
    const struct plan_slot *it = &self->plan->slots[slot];
    const struct plan_dir *dir = &self->plan->dirs[it->dir];
    NTSTATUS status = performer_dir(self, it->dir, &seen->at);

    seen->name = it->name;
    if (status == STATUS_OBJECT_PATH_NOT_FOUND) {
        if ((self->again && may_be_gone(self->plan, dir)) || may_be_gone_since(self, dir)) {
            seen->at = TREE_NOWHERE;
            seen->info = (struct tree_info){.kind = TREE_NOTHING};
            return STATUS_SUCCESS;
        }
        char *text = plan_slot_path(self->plan, slot);
        explain(self->why, status,
                "the directory of '%s' is not where it was (is its file system mounted?)",
                text ? text : it->name);
        free(text);
        return status;
    }
    TRY(status);
    return tree_info(self->tree, seen->at, it->name, &seen->info);
}

/* Where an object is now: in the slot it goes to, the one it comes from, the hand, or the lead. */
static NTSTATUS
locate(struct performer *self, uint32_t object, int *at, const char **name)
{
    const struct plan_object *it = &self->plan->objects[object];
    const struct plan_chain *chain = &self->plan->chains[it->chain];
    const uint32_t slots[] = {chain->slots[it->position], chain->slots[it->position - 1],
                              chain->slots[0], chain->lead};
    NTSTATUS status = STATUS_OBJECT_PATH_NOT_FOUND;

    if (self->is_sought[object])
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    self->is_sought[object] = true;
    for (size_t i = 0; i < ARRAY_SIZE(slots) && status == STATUS_OBJECT_PATH_NOT_FOUND; i++) {
        const struct plan_slot *slot;
        struct tree_info info = {.kind = TREE_NOTHING};

        if (slots[i] == PLAN_NONE)
            continue;
        slot = &self->plan->slots[slots[i]];
        status = performer_dir(self, slot->dir, at);
        if (status == STATUS_SUCCESS)
            status = tree_info(self->tree, *at, slot->name, &info);
        if (status == STATUS_SUCCESS && !plan_object_is(it, &info))
            status = STATUS_OBJECT_PATH_NOT_FOUND;
        *name = slot->name;
    }
    self->is_sought[object] = false;
    return status;
}

/* ---- what others did ---- */

void
performer_report(struct performer *self, enum conflict_kind kind, uint32_t slot,
                 const char *kept_as)
{
    char *text = plan_slot_path(self->plan, slot), *kept = NULL;

    if (text && kept_as &&
        asprintf(&kept, "%.*s%s", (int)(strrchr(text, '/') - text + 1), text, kept_as) < 0)
        kept = NULL;
    /* Without memory the name on disk is all that tells of it. */
    if (text)
        status_forgive(conflicts_add(self->conflicts, kind, text, kept));
    free(text);
    free(kept);
}

/* "<name>.ktm-conflict.<id>", and from the second on ".<n>"; shortened at a character when it would
 * be too long. */
static void
aside_name(const struct performer *self, const char *name, unsigned number,
           char out[FILE_NAME_SIZE_MAX + 1])
{
    char tail[48];
    size_t keep = strlen(name), room;

    if (number > 1)
        snprintf(tail, sizeof(tail), "%s.%u", self->tag, number);
    else
        snprintf(tail, sizeof(tail), "%s", self->tag);
    room = FILE_NAME_SIZE_MAX - strlen(tail);
    if (keep > room)
        for (keep = room; keep > 0 && ((unsigned char)name[keep] & 0xc0) == 0x80;)
            keep--;
    snprintf(out, FILE_NAME_SIZE_MAX + 1, "%.*s%s", (int)keep, name, tail);
}

NTSTATUS
performer_set_aside(struct performer *self, int at, const char *name, uint32_t slot)
{
    const struct plan_slot *shown = &self->plan->slots[slot];
    char kept[FILE_NAME_SIZE_MAX + 1];
    NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;
    int beside;

    TRY(performer_dir(self, shown->dir, &beside));
    for (unsigned i = 1; i <= ASIDE_MAX && status == STATUS_OBJECT_NAME_COLLISION; i++) {
        aside_name(self, shown->name, i, kept);
        status = tree_rename(self->tree, at, name, beside, kept, TREE_KEEP);
    }
    TRY(explain_status(self->why, status, "somebody else's '%s' cannot be kept as '%s'",
                       shown->name, kept));
    performer_report(self, CONFLICT_KEPT, slot, kept);
    self->kept++;
    return STATUS_SUCCESS;
}

NTSTATUS
performer_report_kept(struct performer *self, uint32_t slot)
{
    const struct plan_slot *it = &self->plan->slots[slot];
    char kept[FILE_NAME_SIZE_MAX + 1];
    struct tree_info info;
    int at;

    if (name_is_hidden(it->name) || performer_dir(self, it->dir, &at) != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        aside_name(self, it->name, i, kept);
        TRY(tree_info(self->tree, at, kept, &info));
        if (info.kind == TREE_NOTHING)
            break;
        performer_report(self, CONFLICT_KEPT, slot, kept);
    }
    return STATUS_SUCCESS;
}

/* ---- durability ---- */

NTSTATUS
performer_sync(struct performer *self, const bool *wanted)
{
    for (uint32_t i = 0; i < self->plan->dir_count; i++) {
        const struct plan_dir *dir = &self->plan->dirs[i];
        NTSTATUS status;
        int fd;

        if (!wanted[i])
            continue;
        status = performer_dir(self, i, &fd);
        if (status == STATUS_OBJECT_PATH_NOT_FOUND &&
            (may_be_gone(self->plan, dir) || may_be_gone_since(self, dir)))
            continue;
        TRY(explain_status(self->why, status, "the directory '%s' cannot be opened", dir->path));
        TRY(explain_status(self->why, tree_sync(self->tree, fd),
                           "the directory '%s' cannot be made durable", dir->path));
    }
    return STATUS_SUCCESS;
}
