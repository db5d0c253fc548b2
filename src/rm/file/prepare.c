/* SPDX-License-Identifier: MIT */
/*
 * Preparing: everything new becomes durable under hidden names beside its target, what the steps
 * relied on is looked at again, and the intent is handed over. From then on both outcomes are
 * possible.
 *
 * One fsync for each file, one for each directory in which something was staged.
 */
#include "rm/file/prepare.h"

#include <stdlib.h>
#include <string.h>

#include "rm/file/intent.h"
#include "rm/file/perform.h"

/* ---- one node at its place ---- */

static NTSTATUS
attributes_set(struct work *work, const struct view_node *node, int fd, uint32_t mode)
{
    if (node->sets_owner)
        TRY(tree_owner_set(work->tree, fd, node->owner, node->group));
    if (node->kind == TREE_SYMLINK)
        return STATUS_SUCCESS;
    return tree_mode_set(work->tree, fd, node->sets_mode ? node->mode : mode);
}

/* Content gets its name; what had a hidden name is renamed. */
static NTSTATUS
stage_content(struct work *work, struct view_node *node, int at, const char *name)
{
    char hidden[HIDDEN_NAME_SIZE];
    int yard;

    if (node->number == 0)
        return tree_link(work->tree, node->fd, at, name);
    TRY(view_dir_open(&work->view, node->yard, &yard));
    node->yard->is_changed = true;
    hidden_name(&work->owner, node->number, hidden);
    if (yard == at && strcmp(hidden, name) == 0)
        return STATUS_SUCCESS;
    return tree_rename(work->tree, yard, hidden, at, name, TREE_KEEP);
}

static NTSTATUS
stage_copy(struct work *work, struct view_node *node, int at, const char *name)
{
    owned_fd int fd = TREE_NOWHERE;

    TRY(stage_content(work, node, at, name));
    if (!node->sets_mode && !node->sets_owner)
        return STATUS_SUCCESS;
    TRY(tree_open(work->tree, at, name, TREE_OPEN_DIRECTORY, &fd));
    TRY(attributes_set(work, node, fd, node->info.mode));
    return tree_sync(work->tree, fd);
}

static NTSTATUS
stage_link(struct work *work, struct view_node *node, int at, const char *name)
{
    owned_fd int fd = TREE_NOWHERE;

    TRY(tree_symlink(work->tree, node->text, at, name));
    TRY(tree_open(work->tree, at, name, TREE_OPEN_PATH, &fd));
    return attributes_set(work, node, fd, 0);
}

static NTSTATUS stage_node(struct work *work, struct view_node *node, int at, const char *name);

static NTSTATUS
stage_made(struct work *work, struct view_node *node, int at, const char *name)
{
    owned_fd int fd = TREE_NOWHERE;
    struct view_name *member;
    struct tree_info info;

    /* With the mode it shall have, so that umask and default ACL do their part, and what is made
     * inside inherits its group when it has that bit; then ours to fill. */
    TRY(tree_directory_make(work->tree, at, name, node->mode));
    TRY(tree_info(work->tree, at, name, &info));
    uint32_t mode = (node->sets_mode ? node->mode : info.mode) | 0700;
    if (info.mode != mode) {
        owned_fd int path = TREE_NOWHERE;

        TRY(tree_open(work->tree, at, name, TREE_OPEN_PATH, &path));
        TRY(tree_mode_set(work->tree, path, mode));
    }
    TRY(tree_open(work->tree, at, name, TREE_OPEN_DIRECTORY, &fd));
    LIST_EACH (member, &node->inside->names, in_dir)
        if (member->now && member->now->origin != NODE_DISK)
            TRY(stage_node(work, member->now, fd, member->text));
    if (node->sets_mode || node->sets_owner || (info.mode & 0700) != 0700)
        TRY(attributes_set(work, node, fd, info.mode));
    TRY(tree_info(work->tree, fd, "", &node->info));
    node->inside->info = node->info;
    return tree_sync(work->tree, fd);
}

static NTSTATUS
stage_node(struct work *work, struct view_node *node, int at, const char *name)
{
    NTSTATUS status;

    switch (node->origin) {
    case NODE_STAGED:
        status = stage_content(work, node, at, name);
        break;
    case NODE_LINK:
        status = stage_link(work, node, at, name);
        break;
    case NODE_COPY:
        status = stage_copy(work, node, at, name);
        break;
    default:
        CHECK(node->origin == NODE_MADE);
        status = stage_made(work, node, at, name);
        break;
    }
    return explain_status(&work->why, status, "'%s' cannot be staged for '%s'", name,
                          node->place->text);
}

/* ---- all of them ---- */

static bool
is_alive(const struct view_node *node)
{
    return node->place && (node->origin == NODE_STAGED || node->origin == NODE_COPY);
}

static NTSTATUS
contents_sync(struct work *work)
{
    struct view_node *node;

    LIST_EACH (node, &work->view.nodes, in_view)
        if (is_alive(node))
            TRY(stage_sync(work, node));
    return STATUS_SUCCESS;
}

static NTSTATUS
roots_stage(struct work *work, struct plan *plan)
{
    struct view_node *node;
    struct tree_info info;
    int at;

    LIST_EACH (node, &work->view.nodes, in_view) {
        if (!plan_is_staged_root(node))
            continue;
        const char *name = plan_stage_slot(plan, node)->name;
        TRY(view_dir_open(&work->view, node->place->dir, &at));
        TRY(stage_node(work, node, at, name));
        TRY(view_dir_open(&work->view, node->place->dir, &at)); /* others were opened meanwhile */
        TRY(tree_info(work->tree, at, name, &info));
        if (info.kind != node->kind)
            return explain(&work->why, status_raise(STATUS_OBJECT_NO_LONGER_EXISTS),
                           "'%s/%s' was removed by somebody else", node->place->dir->path, name);
        plan_identify(plan, node, &info);
    }
    return STATUS_SUCCESS;
}

/* Each directory in which hidden names came or went, once. */
static NTSTATUS
yards_sync(struct work *work)
{
    struct view_dir *dir;
    int fd;

    LIST_EACH (dir, &work->view.dirs, in_view) {
        if (!dir->is_changed)
            continue;
        TRY(view_dir_open(&work->view, dir, &fd));
        TRY(explain_status(&work->why, tree_sync(work->tree, fd),
                           "the directory '%s' cannot be made durable", dir->path));
        dir->is_changed = false;
    }
    return STATUS_SUCCESS;
}

/* New directories have an identity only now. */
static void
made_dirs_identify(struct work *work, struct plan *plan)
{
    struct view_dir *dir;

    LIST_EACH (dir, &work->view.dirs, in_view)
        if (dir->maker && dir->plan_index != PLAN_NONE) {
            plan->dirs[dir->plan_index].inode = dir->info.inode;
            plan->dirs[dir->plan_index].born = dir->info.born;
        }
}

bool
work_changes_something(struct work *work)
{
    struct view_node *node;

    LIST_EACH (node, &work->view.nodes, in_view)
        if (node->origin == NODE_DISK
                ? node->place != node->home || node->sets_mode || node->sets_owner
                : node->place != NULL)
            return true;
    return false;
}

NTSTATUS
work_check_unchanged(struct work *work)
{
    explain_nothing(&work->why);
    return check_unchanged(work);
}

/* Everything but the intent; the hidden names are there, and may not be durable yet. */
static NTSTATUS
stage_all(struct work *work)
{
    if (work->needs_yards)
        TRY(stage_hold_yards(work));
    TRY(contents_sync(work));
    TRY(roots_stage(work, work->plan));
    made_dirs_identify(work, work->plan);
    return STATUS_SUCCESS;
}

/* To whoever keeps it until the decision is durable, or into the home. */
static NTSTATUS
promise(struct work *work, const struct keeper *keeper)
{
    uint8_t *at;
    size_t size;
    NTSTATUS status;

    TRY(intent_encode(work->plan, &at, &size));
    status = STATUS_NOT_SUPPORTED;
    if (keeper && size <= INTENT_KEPT_MAX && plan_is_evident(work->plan))
        status = keeper->keep(keeper->context, bytes_of(at, size));
    if (status != STATUS_SUCCESS) {
        work->has_intent = true;
        status = store_intent(work->store, &work->transaction, bytes_of(at, size), &work->why);
    }
    free(at);
    return status;
}

static NTSTATUS
prepare(struct work *work, const GUID *enlistment, const struct keeper *keeper)
{
    TRY(check_abilities(work));
    TRY(check_unchanged(work)); /* cheap, compared with what follows */
    TRY(plan_make(work, &work->plan));
    work->plan->enlistment = *enlistment;
    TRY(stage_all(work));
    TRY(yards_sync(work));
    /* As late as possible: what changes from here on is found by the commit and kept. */
    TRY(check_unchanged(work));
    return promise(work, keeper);
}

/* What cannot be removed now is removed when the home is opened next. */
static NTSTATUS
give_up(struct work *work, NTSTATUS status, const char *what)
{
    struct explanation why;

    status = explain_status(&work->why, status, "%s", what);
    why = work->why;
    status_forgive(work_rollback(work));
    work->why = why;
    return status;
}

/* Everything has a name now, and the plan knows it. */
static void
view_done(struct work *work)
{
    view_close(&work->view);
    work->open_file_count = 0;
}

NTSTATUS
work_prepare(struct work *work, const GUID *enlistment, const struct keeper *keeper)
{
    NTSTATUS status;

    CHECK(work->state == WORK_ACTIVE);
    explain_nothing(&work->why);
    status = prepare(work, enlistment, keeper);
    if (status != STATUS_SUCCESS)
        return give_up(work, status, "the transaction cannot be prepared");
    work->state = WORK_PREPARED;
    view_done(work);
    return STATUS_SUCCESS;
}

/* ---- alone ---- */

static NTSTATUS
stage_alone(struct work *work, bool *is_one)
{
    TRY(plan_make(work, &work->plan));
    *is_one = plan_is_one_rename(work->plan);
    if (!*is_one) {
        plan_destroy(give(work->plan)); /* until PREPARE comes a step may */
        return STATUS_SUCCESS;
    }
    TRY(check_abilities(work));
    TRY(check_unchanged(work));
    TRY(stage_all(work));
    return check_unchanged(work);
}

NTSTATUS
work_commit_alone(struct work *work, bool *is_done)
{
    NTSTATUS status;

    CHECK(work->state == WORK_ACTIVE);
    explain_nothing(&work->why);
    status = stage_alone(work, is_done);
    if (status != STATUS_SUCCESS)
        return give_up(work, status, "the transaction cannot be committed");
    if (!*is_done)
        return STATUS_SUCCESS;
    view_done(work);
    return work_perform_alone(work);
}
