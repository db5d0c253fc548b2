/* SPDX-License-Identifier: MIT */
/*
 * Staged things: content that nobody else can see yet, on the volume it is meant for.
 *
 * A new file has no name, so a crash leaves nothing of it. Only so many are held open: beyond that
 * the one that was used longest ago is made durable and gets a hidden name, in a directory that is
 * known as a yard.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/work.h"

#define WRITE_STEP (256u << 10)

/* ---- hidden names ---- */

static bool
may_be_yard(const struct view_dir *dir)
{
    return !dir->maker && !dir->is_private; /* those below a COPY go with the copy */
}

/* The directories of the view in which hidden names may be needed and are not held yet; allocated,
 * the paths are lent. */
static NTSTATUS
dirs_to_hold(struct work *work, struct plan_dir **out, size_t *count)
{
    struct view_dir *dir;
    struct plan_dir *dirs;
    size_t room = 1;

    LIST_EACH (dir, &work->view.dirs, in_view)
        room++;
    dirs = calloc(room, sizeof(*dirs));
    if (!dirs)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *count = 0;
    LIST_EACH (dir, &work->view.dirs, in_view)
        if (may_be_yard(dir) && !dir->is_yard)
            dirs[(*count)++] = (struct plan_dir){.inside = PLAN_NONE,
                                                 .path = dir->path,
                                                 .inode = dir->info.inode,
                                                 .born = dir->info.born};
    *out = dirs;
    return STATUS_SUCCESS;
}

NTSTATUS
stage_hold_yards(struct work *work)
{
    struct view_dir *dir;
    struct plan_dir *dirs;
    size_t count;
    NTSTATUS status;

    TRY(dirs_to_hold(work, &dirs, &count));
    status =
        count ? yards_hold(work->store, dirs, count, &work->yards, &work->why) : STATUS_SUCCESS;
    free(dirs);
    TRY(status);
    LIST_EACH (dir, &work->view.dirs, in_view)
        if (may_be_yard(dir))
            dir->is_yard = true;
    return STATUS_SUCCESS;
}

NTSTATUS
stage_number(struct work *work, struct view_dir *yard, unsigned *out)
{
    CHECK(!yard->maker);
    if (!yard->is_yard && !yard->is_private)
        TRY(stage_hold_yards(work));
    yard->is_changed = yard->has_hidden = true;
    *out = ++work->number;
    return STATUS_SUCCESS;
}

/* ---- files ---- */

static void
file_opened(struct work *work, struct view_node *node, int fd)
{
    node->fd = fd;
    list_append(&work->open_files, &node->in_open);
    work->open_file_count++;
}

static void
file_close(struct work *work, struct view_node *node)
{
    if (node->fd < 0)
        return;
    tree_close(tree_give(&node->fd));
    list_remove(&node->in_open);
    work->open_file_count--;
}

/* Gives the content a hidden name, so that it need not be held open. */
static NTSTATUS
file_park(struct work *work, struct view_node *node)
{
    char name[HIDDEN_NAME_SIZE];
    unsigned number;
    int at;

    TRY(stage_sync(work, node));
    if (node->number == 0) {
        TRY(stage_number(work, node->yard, &number));
        TRY(view_dir_open(&work->view, node->yard, &at));
        hidden_name(&work->owner, number, name);
        TRY(explain_status(&work->why, tree_link(work->tree, node->fd, at, name),
                           "'%s/%s' cannot be made", node->yard->path, name));
        node->number = number;
    }
    file_close(work, node);
    return STATUS_SUCCESS;
}

static NTSTATUS
room_make(struct work *work)
{
    if (work->open_file_count < work->store->staged_open_max)
        return STATUS_SUCCESS;
    return file_park(work, list_first(&work->open_files, struct view_node, in_open));
}

NTSTATUS
stage_file(struct work *work, struct view_dir *yard, uint32_t mode, struct view_node **out)
{
    owned_fd int fd = TREE_NOWHERE;
    struct view_node *node;
    NTSTATUS status;
    int at;

    TRY(room_make(work));
    TRY(view_dir_open(&work->view, yard, &at));
    status = tree_file_make(work->tree, at, mode, &fd);
    if (status == STATUS_NOT_SUPPORTED)
        return explain(
            &work->why, status,
            "the file system of '%s' has no unnamed files (O_TMPFILE), which transactions "
            "need; use one that has (ext4, xfs, btrfs, tmpfs)",
            yard->path);
    TRY(explain_status(&work->why, status, "no file can be made in '%s'", yard->path));
    TRY(view_node_add(&work->view, NODE_STAGED, TREE_FILE, &node));
    node->yard = yard;
    file_opened(work, node, tree_give(&fd));
    *out = node;
    return STATUS_SUCCESS;
}

NTSTATUS
stage_open(struct work *work, struct view_node *node, int *fd)
{
    char name[HIDDEN_NAME_SIZE];
    owned_fd int opened = TREE_NOWHERE;
    int at;

    CHECK(node->origin == NODE_STAGED);
    if (node->fd >= 0) {
        list_remove(&node->in_open);
        list_append(&work->open_files, &node->in_open);
    } else {
        TRY(room_make(work));
        TRY(view_dir_open(&work->view, node->yard, &at));
        hidden_name(&work->owner, node->number, name);
        TRY(explain_status(&work->why, tree_open(work->tree, at, name, TREE_OPEN_WRITE, &opened),
                           "'%s/%s' cannot be opened", node->yard->path, name));
        file_opened(work, node, tree_give(&opened));
    }
    *fd = node->fd;
    return STATUS_SUCCESS;
}

static NTSTATUS
write_stream(struct work *work, int fd, const struct content *content, uint64_t *offset)
{
    uint8_t *buffer = malloc(WRITE_STEP);
    NTSTATUS status = buffer ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    while (status == STATUS_SUCCESS) {
        size_t got = 0;

        status = content->read(content->context, buffer, WRITE_STEP, &got);
        if (status != STATUS_SUCCESS || got == 0)
            break;
        CHECK(got <= WRITE_STEP);
        status = tree_write(work->tree, fd, buffer, got, *offset);
        *offset += got;
    }
    free(buffer);
    return status;
}

NTSTATUS
stage_write(struct work *work, int fd, const struct content *content, uint64_t offset,
            uint64_t *size)
{
    *size = offset;
    if (content->read)
        return write_stream(work, fd, content, size);
    if (content->fd >= 0)
        return tree_copy(work->tree, content->fd, fd, offset, size);
    TRY(tree_allocate(work->tree, fd, offset + content->size));
    TRY(tree_write(work->tree, fd, content->at, content->size, offset));
    *size = offset + content->size;
    return STATUS_SUCCESS;
}

NTSTATUS
stage_keep(struct work *work, const char *path, int from, int to)
{
    struct tree_info old, new;
    const char *which;
    NTSTATUS status;

    TRY(tree_info(work->tree, from, "", &old));
    TRY(tree_info(work->tree, to, "", &new));
    if (old.owner != new.owner || old.group != new.group) {
        status = tree_owner_set(work->tree, to, old.owner, old.group);
        TRY(explain_status(&work->why, status,
                           "the new content of '%s' cannot be given to the owner of the old one "
                           "(user %u, group %u)",
                           path, old.owner, old.group));
    }
    status = tree_attributes_copy(work->tree, from, to, &which);
    TRY(explain_status(&work->why, status,
                       "the new content of '%s' cannot be given the extended attribute '%s' of the "
                       "old one",
                       path, which));
    return explain_status(&work->why, tree_mode_set(work->tree, to, old.mode),
                          "the new content of '%s' cannot be given the mode of the old one", path);
}

/* ---- both ---- */

/* The view may have looked into the copy. */
static NTSTATUS
copy_forget(struct work *work, const struct view_node *node)
{
    char name[HIDDEN_NAME_SIZE], *path;

    hidden_name(&work->owner, node->number, name);
    if (asprintf(&path, "%s/%s", node->yard->path[1] ? node->yard->path : "", name) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    view_forget_below(&work->view, path);
    free(path);
    return STATUS_SUCCESS;
}

NTSTATUS
stage_discard(struct work *work, struct view_node *node)
{
    char name[HIDDEN_NAME_SIZE];
    NTSTATUS status = STATUS_SUCCESS;
    int at;

    CHECK(!node->place);
    file_close(work, node);
    if (node->origin == NODE_COPY)
        TRY(copy_forget(work, node));
    if (node->number) {
        status = view_dir_open(&work->view, node->yard, &at);
        hidden_name(&work->owner, node->number, name);
        node->yard->is_changed = true;
        if (status == STATUS_SUCCESS)
            status = copy_remove(work->tree, at, name);
        work->leaves_names |= status != STATUS_SUCCESS;
        TRY(explain_status(&work->why, status, "'%s/%s' cannot be removed", node->yard->path,
                           name));
    }
    view_node_drop(&work->view, node);
    return STATUS_SUCCESS;
}

NTSTATUS
stage_sync(struct work *work, struct view_node *node)
{
    char name[HIDDEN_NAME_SIZE];
    NTSTATUS status;
    int at;

    if (node->is_synced)
        return STATUS_SUCCESS;
    if (node->origin == NODE_STAGED && node->fd >= 0) {
        status = tree_sync(work->tree, node->fd);
    } else {
        TRY(view_dir_open(&work->view, node->yard, &at));
        hidden_name(&work->owner, node->number, name);
        status = copy_sync(work->tree, at, name);
    }
    TRY(explain_status(&work->why, status, "the content staged in '%s' cannot be made durable",
                       node->yard->path));
    node->is_synced = true;
    return STATUS_SUCCESS;
}
