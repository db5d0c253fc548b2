/* SPDX-License-Identifier: MIT */
/* Steps: what they share, and those about the content and attributes of one file. */
#include "rm/file/step.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

NTSTATUS
step_begin(struct work *work, const char *verb)
{
    explain_nothing(&work->why);
    work->why.step[0] = '\0';
    if (work->state != WORK_ACTIVE)
        return explain(&work->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                       "%s: the transaction is %s; no more steps are possible", verb,
                       work->state == WORK_PREPARED    ? "being committed"
                       : work->state == WORK_COMMITTED ? "committed"
                                                       : "rolled back");
    work->view.step++;
    snprintf(work->why.step, sizeof(work->why.step), "step %u (%s): ", work->view.step, verb);
    return STATUS_SUCCESS;
}

NTSTATUS
step_end(struct work *work, NTSTATUS status)
{
    status = explain_status(&work->why, status, "it failed");
    work->why.step[0] = '\0';
    return status;
}

const char *
step_kind_text(enum tree_kind kind)
{
    static const char *const texts[] = {[TREE_NOTHING] = "nothing",
                                        [TREE_FILE] = "a file",
                                        [TREE_DIRECTORY] = "a directory",
                                        [TREE_SYMLINK] = "a symbolic link",
                                        [TREE_OTHER] = "a device, pipe or socket"};
    return texts[kind];
}

NTSTATUS
step_touch(struct work *work, const char *path, const struct view_node *apart,
           struct view_place *place)
{
    TRY(view_find(&work->view, path, apart, place));
    return view_touch(&work->view, place, false);
}

NTSTATUS
step_lock_below(struct work *work, struct view_place *place)
{
    return view_touch(&work->view, place, true);
}

NTSTATUS
step_check_directory(struct work *work, const char *path, struct view_dir *dir)
{
    struct view_dir *yard = view_yard(dir);
    int at;

    TRY(view_dir_open(&work->view, yard, &at));
    return explain_status(&work->why, tree_may_change(work->tree, at, &yard->info, NULL),
                          "'%s': names in '%s' cannot be changed", path, yard->path);
}

NTSTATUS
step_check_leaving(struct work *work, const char *path, struct view_node *node)
{
    int at;

    if (node->origin != NODE_DISK)
        return STATUS_SUCCESS;
    if (node->info.is_mount_root)
        return explain(&work->why, status_raise(STATUS_DEVICE_BUSY),
                       "'%s' is a mount point; unmount it first", path);
    TRY(view_dir_open(&work->view, node->home->dir, &at));
    return explain_status(&work->why,
                          tree_may_change(work->tree, at, &node->home->dir->info, &node->info),
                          "'%s' cannot be replaced, renamed or removed", path);
}

NTSTATUS
step_place(struct work *work, struct view_name *name, struct view_node *node)
{
    struct view_node *old = name->now;

    if (old == node) {
        name->is_used = true;
        return STATUS_SUCCESS;
    }
    view_put(&work->view, name, node);
    if (!old || old->origin == NODE_DISK || old->origin == NODE_MADE)
        return STATUS_SUCCESS;
    return stage_discard(work, old);
}

/* ---- content ---- */

/* A regular file whose content this transaction may replace, or nothing. */
static NTSTATUS
check_replaceable(struct work *work, const char *path, const struct view_node *node)
{
    if (!node)
        return STATUS_SUCCESS;
    if (node->kind == TREE_SYMLINK)
        return explain(&work->why, status_raise(STATUS_OBJECT_TYPE_MISMATCH),
                       "'%s' is a symbolic link; name the file it leads to", path);
    if (node->kind != TREE_FILE)
        return explain(&work->why,
                       status_raise(node->kind == TREE_DIRECTORY ? STATUS_FILE_IS_A_DIRECTORY
                                                                 : STATUS_OBJECT_TYPE_MISMATCH),
                       "'%s' is %s, not a file", path, step_kind_text(node->kind));
    if (node->origin == NODE_DISK && node->info.links > 1)
        return explain(&work->why, status_raise(STATUS_TOO_MANY_LINKS),
                       "'%s' has %u hard links; new content would appear under this name only",
                       path, node->info.links);
    return STATUS_SUCCESS;
}

/* Opens what the old content is read from. */
static NTSTATUS
old_open(struct work *work, const char *path, struct view_node *old, int *lent, int *own)
{
    if (old->origin == NODE_STAGED)
        return stage_open(work, old, lent);
    TRY(explain_status(&work->why, view_node_open(&work->view, old, TREE_OPEN_READ, own),
                       "'%s' cannot be opened to keep its attributes", path));
    *lent = *own;
    return STATUS_SUCCESS;
}

/* What earlier steps ordered for the old file also holds for the new one. */
static NTSTATUS
orders_apply(struct work *work, const struct view_node *old, int fd)
{
    if (old->sets_owner)
        TRY(tree_owner_set(work->tree, fd, old->owner, old->group));
    if (old->sets_mode)
        TRY(tree_mode_set(work->tree, fd, old->mode));
    return STATUS_SUCCESS;
}

/* Fills the staged file and dresses it like the one it replaces. */
static NTSTATUS
fill(struct work *work, const char *path, struct view_node *old, struct view_node *node,
     uint32_t mode, bool keeps_content, const struct content *content)
{
    owned_fd int own = TREE_NOWHERE;
    int from = TREE_NOWHERE, to = node->fd;
    uint64_t size = 0;

    if (old)
        TRY(old_open(work, path, old, &from, &own));
    if (old && keeps_content)
        TRY(explain_status(&work->why, tree_copy(work->tree, from, to, 0, &size),
                           "the content of '%s' cannot be copied", path));
    TRY(explain_status(&work->why, stage_write(work, to, content, size, &size),
                       "the new content of '%s' cannot be written", path));
    if (old) {
        TRY(stage_keep(work, path, from, to));
        TRY(explain_status(&work->why, orders_apply(work, old, to),
                           "the new content of '%s' cannot be given its owner and mode", path));
    }
    if (mode != MODE_KEEP)
        TRY(explain_status(&work->why, tree_mode_set(work->tree, to, mode),
                           "the mode of '%s' cannot be set", path));
    return tree_write_back(work->tree, to);
}

static NTSTATUS
put(struct work *work, const char *path, uint32_t mode, bool keeps_content,
    const struct content *content)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *old, *node;
    NTSTATUS status;

    if (mode != MODE_KEEP && mode > 07777)
        return explain(&work->why, status_raise(STATUS_INVALID_PARAMETER), "%o is not a mode",
                       mode);
    TRY(step_touch(work, path, NULL, &place));
    old = place.name->now;
    TRY(check_replaceable(work, path, old));
    TRY(step_check_directory(work, path, place.name->dir));
    if (old)
        TRY(step_check_leaving(work, path, old));
    TRY(stage_file(work, view_yard(place.name->dir), old ? 0600 : 0666, &node));
    status = fill(work, path, old, node, mode, keeps_content, content);
    if (status != STATUS_SUCCESS) {
        status_forgive(stage_discard(work, node)); /* unnamed: nothing can be left */
        return status;
    }
    return step_place(work, place.name, node);
}

NTSTATUS
work_put(struct work *work, const char *path, uint32_t mode, const struct content *content)
{
    TRY(step_begin(work, "put"));
    return step_end(work, put(work, path, mode, false, content));
}

/* Behind what this transaction has staged already. */
static NTSTATUS
append_staged(struct work *work, const char *path, struct view_node *node,
              const struct content *content)
{
    struct tree_info info;
    NTSTATUS status;
    uint64_t size;
    int fd;

    TRY(stage_open(work, node, &fd));
    TRY(tree_info(work->tree, fd, "", &info));
    node->is_synced = false;
    status = stage_write(work, fd, content, info.size, &size);
    if (status == STATUS_SUCCESS)
        status = tree_mode_set(work->tree, fd, info.mode); /* writing takes set-id bits away */
    if (status != STATUS_SUCCESS)
        status_forgive(tree_truncate(work->tree, fd, info.size));
    return explain_status(&work->why, status, "nothing can be appended to '%s'", path);
}

static NTSTATUS
append(struct work *work, const char *path, const struct content *content)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;

    TRY(step_touch(work, path, NULL, &place));
    if (place.name->now && place.name->now->origin == NODE_STAGED)
        return append_staged(work, path, place.name->now, content);
    return put(work, path, MODE_KEEP, true, content);
}

NTSTATUS
work_append(struct work *work, const char *path, const struct content *content)
{
    TRY(step_begin(work, "append"));
    return step_end(work, append(work, path, content));
}

static NTSTATUS
erase(struct work *work, const char *path)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *node;

    TRY(step_touch(work, path, NULL, &place));
    node = place.name->now;
    if (!node)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                       "'%s' does not exist", path);
    if (node->kind == TREE_DIRECTORY)
        return explain(&work->why, status_raise(STATUS_FILE_IS_A_DIRECTORY),
                       "'%s' is a directory; remove it with rmdir when it is empty", path);
    TRY(step_check_directory(work, path, place.name->dir));
    TRY(step_check_leaving(work, path, node));
    return step_place(work, place.name, NULL);
}

NTSTATUS
work_delete(struct work *work, const char *path)
{
    TRY(step_begin(work, "delete"));
    return step_end(work, erase(work, path));
}

/* ---- attributes ---- */

struct attributes {
    bool sets_mode;
    uint32_t mode;
    uint32_t owner, group; /* UINT32_MAX: as it is */
};

/* On content that is staged already: at once. */
static NTSTATUS
attributes_stage(struct work *work, struct view_node *node, const struct attributes *wanted)
{
    struct tree_info info;
    int fd;

    TRY(stage_open(work, node, &fd));
    TRY(tree_info(work->tree, fd, "", &info));
    node->is_synced = false;
    if (wanted->sets_mode)
        return tree_mode_set(work->tree, fd, wanted->mode);
    TRY(tree_owner_set(work->tree, fd, wanted->owner, wanted->group));
    return tree_mode_set(work->tree, fd, info.mode); /* a new owner takes set-id bits away */
}

/* On anything else: when it is staged, or committed. */
static void
attributes_order(struct view_node *node, const struct attributes *wanted)
{
    if (wanted->sets_mode) {
        node->sets_mode = true;
        node->mode = wanted->mode;
        return;
    }
    if (!node->sets_owner)
        node->owner = node->group = UINT32_MAX;
    node->sets_owner = true;
    if (wanted->owner != UINT32_MAX)
        node->owner = wanted->owner;
    if (wanted->group != UINT32_MAX)
        node->group = wanted->group;
}

static NTSTATUS
set_attributes(struct work *work, const char *path, const struct attributes *wanted)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *node;

    TRY(step_touch(work, path, NULL, &place));
    node = place.name->now;
    if (!node)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                       "'%s' does not exist", path);
    if (wanted->sets_mode && node->kind == TREE_SYMLINK)
        return explain(&work->why, status_raise(STATUS_OBJECT_TYPE_MISMATCH),
                       "'%s' is a symbolic link and has no mode of its own", path);
    if (node->origin == NODE_DISK)
        TRY(explain_status(
            &work->why, tree_may_own(work->tree, &node->info, wanted->owner, wanted->group),
            "'%s' belongs to user %u, group %u", path, node->info.owner, node->info.group));
    if (node->origin == NODE_STAGED)
        TRY(explain_status(&work->why, attributes_stage(work, node, wanted), "'%s'", path));
    else
        attributes_order(node, wanted);
    place.name->is_used = true;
    place.name->step = work->view.step;
    return STATUS_SUCCESS;
}

NTSTATUS
work_chmod(struct work *work, const char *path, uint32_t mode)
{
    const struct attributes wanted = {
        .sets_mode = true, .mode = mode, .owner = UINT32_MAX, .group = UINT32_MAX};

    TRY(step_begin(work, "chmod"));
    if (mode > 07777)
        return step_end(work, explain(&work->why, status_raise(STATUS_INVALID_PARAMETER),
                                      "%o is not a mode", mode));
    return step_end(work, set_attributes(work, path, &wanted));
}

NTSTATUS
work_chown(struct work *work, const char *path, uint32_t owner, uint32_t group)
{
    const struct attributes wanted = {.owner = owner, .group = group};

    TRY(step_begin(work, "chown"));
    return step_end(work, set_attributes(work, path, &wanted));
}

/* ---- preconditions ---- */

/* The name is remembered as it is now: prepare looks whether it still is. */
static NTSTATUS
expect_touch(struct work *work, const char *path, struct view_place *place)
{
    TRY(step_touch(work, path, NULL, place));
    place->name->is_used = true;
    return STATUS_SUCCESS;
}

static NTSTATUS
expect_absent(struct work *work, const char *path)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    NTSTATUS status = expect_touch(work, path, &place);

    if (status == STATUS_OBJECT_PATH_NOT_FOUND) {
        explain_nothing(&work->why);
        return STATUS_SUCCESS;
    }
    TRY(status);
    if (place.name->now)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_COLLISION),
                       "'%s' exists, and was expected not to", path);
    return STATUS_SUCCESS;
}

NTSTATUS
work_expect_absent(struct work *work, const char *path)
{
    TRY(step_begin(work, "expect"));
    return step_end(work, expect_absent(work, path));
}

static NTSTATUS
expect_exists(struct work *work, const char *path)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;

    TRY(expect_touch(work, path, &place));
    if (!place.name->now)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                       "'%s' does not exist, and was expected to", path);
    return STATUS_SUCCESS;
}

NTSTATUS
work_expect_exists(struct work *work, const char *path)
{
    TRY(step_begin(work, "expect"));
    return step_end(work, expect_exists(work, path));
}

static NTSTATUS
digest_of(struct work *work, int fd, uint8_t digest[SHA256_SIZE])
{
    struct sha256 sha;
    uint8_t buffer[16 << 10];
    uint64_t offset = 0;

    sha256_init(&sha);
    for (;;) {
        size_t got;

        TRY(tree_read(work->tree, fd, buffer, sizeof(buffer), offset, &got));
        if (got == 0)
            break;
        sha256_add(&sha, buffer, got);
        offset += got;
    }
    sha256_finish(&sha, digest);
    return STATUS_SUCCESS;
}

static NTSTATUS
expect_sha256(struct work *work, const char *path, const uint8_t wanted[SHA256_SIZE])
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    owned_fd int fd = TREE_NOWHERE;
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    TRY(expect_touch(work, path, &place));
    TRY(work_open(work, path, &fd));
    TRY(explain_status(&work->why, digest_of(work, fd, digest), "'%s' cannot be read", path));
    if (memcmp(digest, wanted, SHA256_SIZE) == 0)
        return STATUS_SUCCESS;
    for (int i = 0; i < SHA256_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return explain(&work->why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
                   "'%s' does not have the content that was expected; its SHA-256 is %s", path,
                   text);
}

NTSTATUS
work_expect_sha256(struct work *work, const char *path, const uint8_t digest[32])
{
    TRY(step_begin(work, "expect"));
    return step_end(work, expect_sha256(work, path, digest));
}
