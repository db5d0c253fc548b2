/* SPDX-License-Identifier: MIT */
/* Steps about names: directories, renaming, symbolic links, whole trees. */
#include <stdlib.h>
#include <string.h>

#include "rm/file/step.h"

/* ---- making ---- */

/* A name that stands for nothing yet. */
static NTSTATUS
touch_new(struct work *work, const char *path, struct view_place *place)
{
    TRY(step_touch(work, path, NULL, place));
    if (place->name->now)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_COLLISION),
                       "'%s' exists already; it is %s", path,
                       step_kind_text(place->name->now->kind));
    return step_check_directory(work, path, place->name->dir);
}

static NTSTATUS
make_directory(struct work *work, const char *path, uint32_t mode)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *node;

    if (mode != MODE_KEEP && mode > 07777)
        return explain(&work->why, status_raise(STATUS_INVALID_PARAMETER), "%o is not a mode",
                       mode);
    TRY(touch_new(work, path, &place));
    TRY(view_node_add(&work->view, NODE_MADE, TREE_DIRECTORY, &node));
    node->yard = view_yard(place.name->dir);
    node->sets_mode = mode != MODE_KEEP;
    node->mode = node->sets_mode ? mode : 0777;
    return step_place(work, place.name, node);
}

NTSTATUS
work_make_directory(struct work *work, const char *path, uint32_t mode)
{
    TRY(step_begin(work, "mkdir"));
    return step_end(work, make_directory(work, path, mode));
}

static NTSTATUS
make_symlink(struct work *work, const char *path, const char *text)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *node;
    char *copy;

    if (text[0] == '\0' || strlen(text) > 4095)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_INVALID),
                       "a symbolic link to a path of %zu bytes cannot be made", strlen(text));
    TRY(touch_new(work, path, &place));
    copy = strdup(text);
    if (!copy)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    NTSTATUS status = view_node_add(&work->view, NODE_LINK, TREE_SYMLINK, &node);
    if (status != STATUS_SUCCESS) {
        free(copy);
        return status;
    }
    node->yard = view_yard(place.name->dir);
    node->text = copy;
    return step_place(work, place.name, node);
}

NTSTATUS
work_symlink(struct work *work, const char *path, const char *text)
{
    TRY(step_begin(work, "symlink"));
    return step_end(work, make_symlink(work, path, text));
}

/* ---- what earlier steps did below a directory ---- */

static bool
path_is_within(const char *path, const char *top)
{
    size_t size = strlen(top);

    return strncmp(path, top, size) == 0 && (path[size] == '\0' || path[size] == '/' || size == 1);
}

/* The first name at or below the path on disk that earlier steps have changed, or put a node into.
 */
static struct view_name *
changed_below(struct work *work, const char *top)
{
    struct view_dir *dir;
    struct view_name *name;

    LIST_EACH (dir, &work->view.dirs, in_view) {
        if (dir->maker || !path_is_within(dir->path, top))
            continue;
        LIST_EACH (name, &dir->names, in_dir)
            if (name->base != name->now ||
                (name->now && (name->now->sets_mode || name->now->sets_owner)))
                return name;
    }
    return NULL;
}

static NTSTATUS
check_untouched_below(struct work *work, const char *path, const char *top)
{
    struct view_name *name = changed_below(work, top);

    if (!name)
        return STATUS_SUCCESS;
    return explain(&work->why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
                   "step %u of this transaction has changed '%s' in '%s'; do this first, or in a "
                   "transaction of its own",
                   name->step, name->text, path);
}

/* The path at which a directory node is on disk; allocated. */
static NTSTATUS
disk_path_of(struct work *work, const char *path, char **out)
{
    __attribute__((cleanup(owned_view_at_deinit))) struct view_at at = VIEW_AT_EMPTY;

    TRY(view_enter(&work->view, path, &at));
    *out = strdup(at.path);
    return *out ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- removing directories ---- */

static NTSTATUS
refuse_member(void *context, const char *name)
{
    struct work *work = context;

    return explain(&work->why, status_raise(STATUS_DIRECTORY_NOT_EMPTY), "it holds '%s'", name);
}

static NTSTATUS
check_empty(struct work *work, const char *path)
{
    __attribute__((cleanup(owned_view_at_deinit))) struct view_at at = VIEW_AT_EMPTY;
    char holds[EXPLANATION_SIZE];
    NTSTATUS status;

    TRY(view_enter(&work->view, path, &at));
    status = view_list(&work->view, &at, refuse_member, work);
    if (status != STATUS_DIRECTORY_NOT_EMPTY)
        return status;
    strcpy(holds, work->why.text + strlen(work->why.step));
    return explain(&work->why, status, "'%s' is not empty; %s", path, holds);
}

/* What was moved out of a copy is still in it on disk, and would vanish with it. */
static NTSTATUS
check_copy_intact(struct work *work, const char *path)
{
    NTSTATUS status;
    char *top;

    TRY(disk_path_of(work, path, &top));
    status = check_untouched_below(work, path, top);
    free(top);
    return status;
}

static NTSTATUS
remove_directory(struct work *work, const char *path)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_node *node;

    TRY(step_touch(work, path, NULL, &place));
    node = place.name->now;
    if (!node)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                       "'%s' does not exist", path);
    if (node->kind != TREE_DIRECTORY)
        return explain(&work->why, status_raise(STATUS_NOT_A_DIRECTORY),
                       "'%s' is %s; remove it with delete", path, step_kind_text(node->kind));
    TRY(step_lock_below(work, &place));
    TRY(step_check_directory(work, path, place.name->dir));
    TRY(step_check_leaving(work, path, node));
    TRY(check_empty(work, path));
    if (node->origin == NODE_COPY)
        TRY(check_copy_intact(work, path));
    return step_place(work, place.name, NULL);
}

NTSTATUS
work_remove_directory(struct work *work, const char *path)
{
    TRY(step_begin(work, "rmdir"));
    return step_end(work, remove_directory(work, path));
}

/* ---- renaming ---- */

/* Where the node is on disk, or will be staged. */
static const struct tree_info *
volume_of(const struct view_node *node)
{
    return node->origin == NODE_DISK ? &node->info : &node->yard->info;
}

static NTSTATUS
check_same_volume(struct work *work, const char *from, const char *to, const struct view_node *node,
                  struct view_dir *dir)
{
    const struct tree_info *a = volume_of(node), *b = &view_yard(dir)->info;

    if (a->device == b->device && a->mount == b->mount)
        return STATUS_SUCCESS;
    return explain(&work->why, status_raise(STATUS_NOT_SAME_DEVICE),
                   "'%s' and '%s' are on different file systems or mounts; put a copy there and "
                   "delete the original instead",
                   from, to);
}

/* A directory that gets another parent is itself written to: its ".." changes. */
static NTSTATUS
check_new_parent(struct work *work, const char *path, struct view_node *node,
                 const struct view_dir *dir)
{
    owned_fd int fd = TREE_NOWHERE;

    if (node->origin != NODE_DISK || node->kind != TREE_DIRECTORY || dir == node->home->dir ||
        (node->sets_mode && (node->mode & 0700) == 0700)) /* set before it is moved */
        return STATUS_SUCCESS;
    TRY(explain_status(&work->why, view_node_open(&work->view, node, TREE_OPEN_PATH, &fd),
                       "'%s' cannot be opened", path));
    return explain_status(&work->why, tree_may_change(work->tree, fd, &node->info, NULL),
                          "'%s' cannot be moved to another directory without the right to write in "
                          "it",
                          path);
}

static NTSTATUS
check_replaced(struct work *work, const char *from, const char *to, const struct view_node *node,
               struct view_node *old, bool replace)
{
    if (!old)
        return STATUS_SUCCESS;
    if (!replace)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_COLLISION),
                       "'%s' exists already; it is %s", to, step_kind_text(old->kind));
    if (old->kind == TREE_DIRECTORY || node->kind == TREE_DIRECTORY)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_COLLISION),
                       "'%s' is %s and '%s' is %s; only a file can take the place of a file", from,
                       step_kind_text(node->kind), to, step_kind_text(old->kind));
    if (old->origin == NODE_DISK && node->origin == NODE_DISK &&
        tree_is_same(&old->info, &node->info))
        return explain(&work->why, status_raise(STATUS_TOO_MANY_LINKS),
                       "'%s' and '%s' are hard links to one file", from, to);
    return step_check_leaving(work, to, old);
}

static NTSTATUS
rename_touched(struct work *work, const char *from, const char *to, struct view_place *source,
               struct view_place *target, bool replace)
{
    struct view_node *node = source->name->now;

    if (node->kind == TREE_DIRECTORY)
        TRY(step_lock_below(work, source));
    TRY(step_check_directory(work, from, source->name->dir));
    TRY(step_check_leaving(work, from, node));
    TRY(step_touch(work, to, node, target));
    if (target->name == source->name)
        return STATUS_SUCCESS;
    TRY(check_replaced(work, from, to, node, target->name->now, replace));
    TRY(step_check_directory(work, to, target->name->dir));
    TRY(check_same_volume(work, from, to, node, target->name->dir));
    TRY(check_new_parent(work, from, node, target->name->dir));
    return step_place(work, target->name, node);
}

static NTSTATUS
rename_name(struct work *work, const char *from, const char *to, bool replace)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place source = VIEW_PLACE_EMPTY;
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place target = VIEW_PLACE_EMPTY;

    TRY(step_touch(work, from, NULL, &source));
    if (!source.name->now)
        return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND),
                       "'%s' does not exist", from);
    return rename_touched(work, from, to, &source, &target, replace);
}

NTSTATUS
work_rename(struct work *work, const char *from, const char *to, bool replace)
{
    TRY(step_begin(work, "rename"));
    return step_end(work, rename_name(work, from, to, replace));
}

/* ---- whole trees ---- */

/* What stood there before may be a directory that this transaction has not looked into. */
static NTSTATUS
check_tree_target(struct work *work, const char *path, struct view_place *place)
{
    struct view_node *old = place->name->now;

    if (!old)
        return STATUS_SUCCESS;
    if (old->kind != TREE_DIRECTORY)
        return explain(&work->why, status_raise(STATUS_NOT_A_DIRECTORY),
                       "'%s' is %s; a tree can take the place of a directory only", path,
                       step_kind_text(old->kind));
    if (old->origin == NODE_MADE)
        return check_empty(work, path);
    TRY(step_lock_below(work, place));
    TRY(step_check_leaving(work, path, old));
    return check_copy_intact(work, path);
}

static NTSTATUS
fingerprint_take(struct work *work, const char *path, struct view_node *old)
{
    int at;

    if (!old || old->origin != NODE_DISK)
        return STATUS_SUCCESS;
    TRY(view_dir_open(&work->view, old->home->dir, &at));
    return explain_status(
        &work->why,
        copy_fingerprint(work->tree, at, old->home->text, &work->why, &old->fingerprint),
        "'%s' cannot be looked through", path);
}

/* Copies the source into a hidden directory in the yard of the target. */
static NTSTATUS
tree_stage(struct work *work, struct view_dir *yard, int from, struct view_node **out)
{
    char name[HIDDEN_NAME_SIZE];
    struct view_node *node;
    NTSTATUS status;
    int at;

    TRY(view_node_add(&work->view, NODE_COPY, TREE_DIRECTORY, &node));
    node->yard = yard;
    status = stage_number(work, yard, &node->number);
    if (status == STATUS_SUCCESS)
        status = view_dir_open(&work->view, yard, &at);
    if (status == STATUS_SUCCESS) {
        hidden_name(&work->owner, node->number, name);
        status = copy_tree(work, from, at, name);
    }
    if (status == STATUS_SUCCESS)
        status = tree_info(work->tree, at, name, &node->info);
    if (status != STATUS_SUCCESS) {
        status_forgive(stage_discard(work, node)); /* else the next sweep finds it */
        return status;
    }
    *out = node;
    return STATUS_SUCCESS;
}

/* What earlier steps ordered for the source itself also holds for the copy. */
static void
orders_inherit(struct work *work, const struct view_at *source, struct view_node *copy)
{
    struct view_node *node;

    LIST_EACH (node, &work->view.nodes, in_view)
        if (node != copy && view_at_is(source, node)) {
            copy->sets_mode = node->sets_mode;
            copy->sets_owner = node->sets_owner;
            copy->mode = node->mode;
            copy->owner = node->owner;
            copy->group = node->group;
        }
}

static NTSTATUS
tree(struct work *work, const char *to, const char *from)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    __attribute__((cleanup(owned_view_at_deinit))) struct view_at source = VIEW_AT_EMPTY;
    owned_fd int fd = TREE_NOWHERE;
    struct view_node *node, *old;

    TRY(view_enter(&work->view, from, &source));
    if (source.fd < 0)
        return explain(&work->why, status_raise(STATUS_INVALID_PARAMETER),
                       "'%s' was made by this transaction and cannot be copied yet", from);
    TRY(check_untouched_below(work, from, source.path));
    const struct view_node apart = {
        .origin = NODE_DISK, .kind = TREE_DIRECTORY, .info = source.info};
    TRY(step_touch(work, to, &apart, &place));
    old = place.name->now;
    if (old && view_at_is(&source, old))
        return explain(&work->why, status_raise(STATUS_INVALID_PARAMETER),
                       "'%s' and '%s' are the same directory", to, from);
    TRY(step_check_directory(work, to, place.name->dir));
    TRY(check_tree_target(work, to, &place));
    TRY(fingerprint_take(work, to, old));
    TRY(explain_status(&work->why, tree_open(work->tree, source.fd, ".", TREE_OPEN_DIRECTORY, &fd),
                       "'%s' cannot be opened", from));
    TRY(tree_stage(work, view_yard(place.name->dir), fd, &node));
    orders_inherit(work, &source, node);
    if (old && old->origin == NODE_DISK)
        old->goes_whole = true;
    return step_place(work, place.name, node);
}

NTSTATUS
work_tree(struct work *work, const char *to, const char *from)
{
    TRY(step_begin(work, "tree"));
    return step_end(work, tree(work, to, from));
}
