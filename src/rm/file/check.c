/* SPDX-License-Identifier: MIT */
/* What is looked at before the vote, so that nothing can be refused after it. */
#include <string.h>

#include "rm/file/prepare.h"

/* ---- nobody else was here ---- */

static NTSTATUS
changed(struct work *work, const struct view_name *name, const char *how)
{
    return explain(
        &work->why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
        "'%s/%s' was %s by somebody else while the transaction was under way; begin again",
        name->dir->path, name->text, how);
}

/* A directory changes with every name in it; only itself counts. */
static NTSTATUS
check_base(struct work *work, const struct view_name *name, const struct tree_info *now)
{
    const struct tree_info *then = &name->base->info;

    if (now->kind == TREE_NOTHING)
        return changed(work, name, "removed");
    if (!tree_is_same(now, then))
        return changed(work, name, "replaced");
    if (then->kind != TREE_DIRECTORY && (now->size != then->size || now->written != then->written ||
                                         now->changed != then->changed || now->mode != then->mode ||
                                         now->owner != then->owner || now->group != then->group))
        return changed(work, name, "changed");
    return STATUS_SUCCESS;
}

/* Every name in a directory that is to be removed is one that this transaction takes away. */
struct emptiness {
    struct work *work;
    struct view_dir *dir;
    const struct view_name *name;
    NTSTATUS status;
};

static void
check_member(void *context, const char *member)
{
    struct emptiness *self = context;
    const struct view_name *name = view_name_find(self->dir, member);

    if (self->status != STATUS_SUCCESS || (name && !name->now))
        return;
    if (strncmp(member, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0)
        return; /* told when it is removed */
    self->status = changed(self->work, self->name, "filled");
}

static NTSTATUS
check_still_empty(struct work *work, const struct view_name *name)
{
    owned_fd int fd = TREE_NOWHERE;
    struct emptiness self = {
        .work = work, .dir = view_inside(&work->view, name->base), .name = name};

    TRY(view_node_open(&work->view, name->base, TREE_OPEN_DIRECTORY, &fd));
    TRY(tree_list(work->tree, fd, check_member, &self));
    return self.status;
}

static NTSTATUS
check_whole(struct work *work, const struct view_name *name, int at)
{
    uint64_t fingerprint;

    TRY(copy_fingerprint(work->tree, at, name->text, &work->why, &fingerprint));
    return fingerprint == name->base->fingerprint ? STATUS_SUCCESS
                                                  : changed(work, name, "changed inside");
}

static NTSTATUS
check_name(struct work *work, const struct view_name *name)
{
    struct tree_info now;
    int at;

    TRY(view_dir_open(&work->view, name->dir, &at));
    TRY(tree_info(work->tree, at, name->text, &now));
    if (!name->base)
        return now.kind == TREE_NOTHING ? STATUS_SUCCESS : changed(work, name, "made");
    TRY(check_base(work, name, &now));
    if (name->base->place || name->base->kind != TREE_DIRECTORY)
        return STATUS_SUCCESS;
    return name->base->goes_whole ? check_whole(work, name, at) : check_still_empty(work, name);
}

/* The path still leads to the directory: recovery will come that way. */
static NTSTATUS
check_dir(struct work *work, const struct view_dir *dir)
{
    owned_fd int fd = TREE_NOWHERE;
    struct tree_info info;
    NTSTATUS status = tree_open(work->tree, TREE_NOWHERE, dir->path, TREE_OPEN_PATH, &fd);

    if (status == STATUS_SUCCESS)
        TRY(tree_info(work->tree, fd, "", &info));
    if (status != STATUS_SUCCESS || !tree_is_same(&info, &dir->info))
        return explain(
            &work->why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
            "the directory '%s' was moved, replaced or removed by somebody else while the "
            "transaction was under way; begin again",
            dir->path);
    return STATUS_SUCCESS;
}

/* On disk, for all to see, and used by a step. */
static bool
is_relied_on(const struct view_dir *dir)
{
    const struct view_name *name;
    bool is_used = false;

    if (dir->maker || dir->is_private)
        return false;
    LIST_EACH (name, &dir->names, in_dir)
        is_used |= name->is_used;
    return is_used;
}

NTSTATUS
check_unchanged(struct work *work)
{
    struct view_dir *dir;
    struct view_name *name;

    LIST_EACH (dir, &work->view.dirs, in_view) {
        if (!is_relied_on(dir))
            continue;
        TRY(check_dir(work, dir));
        LIST_EACH (name, &dir->names, in_dir)
            if (name->is_used)
                TRY(check_name(work, name));
    }
    return STATUS_SUCCESS;
}

/* ---- what the file system can do ---- */

/* Tries an exchange of two hidden directories. */
static NTSTATUS
try_exchange(struct work *work, struct view_dir *dir, int at)
{
    char one[HIDDEN_NAME_SIZE], other[HIDDEN_NAME_SIZE];
    unsigned number;
    NTSTATUS status;

    TRY(stage_number(work, dir, &number));
    hidden_name(&work->owner, number, one);
    TRY(stage_number(work, dir, &number));
    hidden_name(&work->owner, number, other);
    TRY(explain_status(&work->why, tree_directory_make(work->tree, at, one, 0700),
                       "nothing can be made in '%s'", dir->path));
    TRY(explain_status(&work->why, tree_directory_make(work->tree, at, other, 0700),
                       "nothing can be made in '%s'", dir->path));
    status = tree_rename(work->tree, at, one, at, other, TREE_EXCHANGE);
    TRY(tree_directory_remove(work->tree, at, one));
    if (status == STATUS_SUCCESS)
        status = tree_rename(work->tree, at, other, at, one, TREE_KEEP);
    TRY(tree_directory_remove(work->tree, at, status == STATUS_SUCCESS ? one : other));
    if (status == STATUS_INVALID_PARAMETER || status == STATUS_NOT_SUPPORTED)
        return explain(&work->why, status_raise(STATUS_NOT_SUPPORTED),
                       "the file system of '%s' cannot exchange two names (RENAME_EXCHANGE), which "
                       "transactions need; use one that can (ext4, xfs, btrfs, tmpfs)",
                       dir->path);
    return explain_status(&work->why, status, "names in '%s' cannot be exchanged", dir->path);
}

static NTSTATUS
check_exchange(struct work *work, struct view_dir *dir)
{
    int at;

    bool is_certain;

    if (store_mount_is_known(work->store, &dir->info))
        return STATUS_SUCCESS;
    TRY(view_dir_open(&work->view, dir, &at));
    TRY(tree_may_exchange(work->tree, at, &is_certain));
    if (!is_certain)
        TRY(try_exchange(work, dir, at));
    return store_mount_know(work->store, &dir->info);
}

/* A directory of a lower layer of overlayfs refuses to be renamed, and there is no way to ask. So a
 * rename is tried that must fail: onto a hidden directory that is not empty. */
static NTSTATUS
try_move(struct work *work, const struct view_name *name, int at)
{
    char hidden[HIDDEN_NAME_SIZE];
    owned_fd int fd = TREE_NOWHERE;
    unsigned number;
    NTSTATUS status;

    TRY(stage_number(work, name->dir, &number));
    hidden_name(&work->owner, number, hidden);
    TRY(tree_directory_make(work->tree, at, hidden, 0700));
    TRY(tree_open(work->tree, at, hidden, TREE_OPEN_DIRECTORY, &fd));
    TRY(tree_directory_make(work->tree, fd, "full", 0700));
    status = tree_rename(work->tree, at, name->text, at, hidden, TREE_REPLACE);
    CHECK(status != STATUS_SUCCESS);
    TRY(copy_remove(work->tree, at, hidden));
    if (status == STATUS_DIRECTORY_NOT_EMPTY || status == STATUS_OBJECT_NAME_COLLISION)
        return STATUS_SUCCESS;
    return explain(
        &work->why, status_raise(STATUS_NOT_SUPPORTED),
        "'%s/%s' cannot be renamed: it belongs to a lower layer of an overlay file system",
        name->dir->path, name->text);
}

static NTSTATUS
check_moving(struct work *work, const struct view_node *node)
{
    bool may_move;
    int at;

    if (node->origin != NODE_DISK || node->kind != TREE_DIRECTORY || node->place == node->home ||
        node->home->dir->is_private)
        return STATUS_SUCCESS;
    TRY(view_dir_open(&work->view, node->home->dir, &at));
    TRY(tree_may_move_directories(work->tree, at, &may_move));
    return may_move ? STATUS_SUCCESS : try_move(work, node->home, at);
}

NTSTATUS
check_abilities(struct work *work)
{
    struct view_dir *dir;
    struct view_node *node;

    LIST_EACH (dir, &work->view.dirs, in_view)
        if (is_relied_on(dir))
            TRY(check_exchange(work, dir));
    LIST_EACH (node, &work->view.nodes, in_view)
        TRY(check_moving(work, node));
    return STATUS_SUCCESS;
}
