/* SPDX-License-Identifier: MIT */
/*
 * Following a path through the view, one component at a time.
 *
 * The directories on the way are kept on a stack, so that ".." leads back to where one came from in
 * the view, also where the disk still says something else. A symbolic link puts its text before
 * what is left of the path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/view.h"

#define LINKS_MAX 40 /* as the kernel */

struct walk {
    struct view *view;
    const char *path; /* as the caller wrote it, for sentences */
    struct view_at *stack;
    size_t count, room;
    char *rest; /* what is left, from 'rest_at' on */
    size_t rest_at;
    unsigned links;
};

void
view_at_deinit(struct view_at *at)
{
    tree_close(at->fd);
    free(at->path);
    *at = (struct view_at)VIEW_AT_EMPTY;
}

void
view_place_deinit(struct view_place *place)
{
    view_at_deinit(&place->at);
}

static void
walk_deinit(struct walk *walk)
{
    while (walk->count > 0)
        view_at_deinit(&walk->stack[--walk->count]);
    free(walk->stack);
    free(walk->rest);
}

/* Takes 'at'. */
static NTSTATUS
push(struct walk *walk, struct view_at *at)
{
    if (walk->count == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 16;
        struct view_at *more = realloc(walk->stack, room * sizeof(*more));

        if (!more) {
            view_at_deinit(at);
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        }
        walk->stack = more;
        walk->room = room;
    }
    walk->stack[walk->count++] = *at;
    return STATUS_SUCCESS;
}

static struct view_at *
top(struct walk *walk)
{
    CHECK(walk->count > 0);
    return &walk->stack[walk->count - 1];
}

/* The view's directory for a place on disk, when it has one. */
static struct view_dir *
known_dir(struct view *view, const struct tree_info *info)
{
    const struct view_node node = {.origin = NODE_DISK, .kind = TREE_DIRECTORY, .info = *info};

    return view_inside(view, &node);
}

/* Takes 'fd' and 'path' (which may be NULL: no memory for it). */
static NTSTATUS
push_disk(struct walk *walk, int fd, char *path, bool is_private)
{
    struct view_at at = {.fd = fd, .path = path, .is_private = is_private};
    NTSTATUS status = path ? tree_info(walk->view->tree, fd, "", &at.info)
                           : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    if (status != STATUS_SUCCESS) {
        view_at_deinit(&at);
        return status;
    }
    at.dir = known_dir(walk->view, &at.info);
    return push(walk, &at);
}

static NTSTATUS
push_root(struct walk *walk)
{
    int fd;

    while (walk->count > 0)
        view_at_deinit(&walk->stack[--walk->count]);
    TRY(tree_open(walk->view->tree, TREE_NOWHERE, "/", TREE_OPEN_PATH, &fd));
    return push_disk(walk, fd, strdup("/"), false);
}

/* Puts 'text' before what is left. */
static NTSTATUS
prepend(struct walk *walk, const char *text)
{
    char *rest;

    if (asprintf(&rest, "%s/%s", text, walk->rest ? walk->rest + walk->rest_at : "") < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    free(walk->rest);
    walk->rest = rest;
    walk->rest_at = 0;
    return text[0] == '/' ? push_root(walk) : STATUS_SUCCESS;
}

static NTSTATUS
follow_link(struct walk *walk, const char *text)
{
    if (++walk->links > LINKS_MAX)
        return explain(walk->view->why, status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD),
                       "'%s' leads through too many symbolic links", walk->path);
    return prepend(walk, text);
}

/* The next component; "" when there is none. *is_last when nothing but slashes follows. */
static NTSTATUS
next_component(struct walk *walk, char component[FILE_NAME_SIZE_MAX + 1], bool *is_last)
{
    const char *at = walk->rest + walk->rest_at;
    size_t size;

    at += strspn(at, "/");
    size = strcspn(at, "/");
    if (size > FILE_NAME_SIZE_MAX)
        return explain(walk->view->why, status_raise(STATUS_NAME_TOO_LONG),
                       "'%s' has a component of more than %d bytes", walk->path,
                       FILE_NAME_SIZE_MAX);
    memcpy(component, at, size);
    component[size] = '\0';
    at += size;
    walk->rest_at = (size_t)(at - walk->rest);
    *is_last = at[strspn(at, "/")] == '\0';
    return STATUS_SUCCESS;
}

static NTSTATUS
not_there(struct walk *walk, const char *component)
{
    return explain(walk->view->why, status_raise(STATUS_OBJECT_PATH_NOT_FOUND),
                   "'%s': there is no directory '%s'", walk->path, component);
}

static NTSTATUS
not_a_directory(struct walk *walk, const char *component)
{
    return explain(walk->view->why, status_raise(STATUS_OBJECT_PATH_NOT_FOUND),
                   "'%s': '%s' is not a directory", walk->path, component);
}

static char *
path_below(const char *path, const char *component)
{
    char *out;

    return asprintf(&out, "%s/%s", path[1] ? path : "", component) < 0 ? NULL : out;
}

/* Into what is on disk under this name of the directory on top. */
static NTSTATUS
descend_disk(struct walk *walk, const char *component)
{
    struct tree *tree = walk->view->tree;
    owned_fd int fd = TREE_NOWHERE;
    struct tree_info info;
    NTSTATUS status = tree_open(tree, top(walk)->fd, component, TREE_OPEN_PATH, &fd);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return not_there(walk, component);
    TRY(explain_status(walk->view->why, status, "'%s': '%s' cannot be opened", walk->path,
                       component));
    TRY(tree_info(tree, fd, "", &info));
    if (info.kind == TREE_SYMLINK) {
        char *text;

        TRY(tree_readlink(tree, fd, "", &text));
        status = follow_link(walk, text);
        free(text);
        return status;
    }
    if (info.kind != TREE_DIRECTORY)
        return not_a_directory(walk, component);
    return push_disk(walk, tree_give(&fd), path_below(top(walk)->path, component),
                     top(walk)->is_private);
}

/* The path at which a node on disk is on disk. */
static char *
node_path(struct view *view, const struct view_node *node)
{
    char hidden[HIDDEN_NAME_SIZE];

    if (node->origin == NODE_DISK)
        return path_below(node->home->dir->path, node->home->text);
    hidden_name(view->owner, node->number, hidden);
    return path_below(node->yard->path, hidden);
}

/* Into what a touched name stands for. */
static NTSTATUS
descend_node(struct walk *walk, const char *component, struct view_node *node)
{
    struct view *view = walk->view;

    if (!node)
        return not_there(walk, component);
    if (node->origin == NODE_LINK)
        return follow_link(walk, node->text);
    if (node->origin == NODE_MADE) {
        struct view_at at = {.dir = node->inside, .fd = TREE_NOWHERE};
        return push(walk, &at);
    }
    if (node->kind == TREE_SYMLINK) {
        owned_fd int fd = TREE_NOWHERE;
        char *text;
        NTSTATUS status;

        TRY(view_node_open(view, node, TREE_OPEN_PATH, &fd));
        TRY(tree_readlink(view->tree, fd, "", &text));
        status = follow_link(walk, text);
        free(text);
        return status;
    }
    if (node->kind != TREE_DIRECTORY)
        return not_a_directory(walk, component);

    int fd;
    bool is_private = node->origin == NODE_COPY || node->home->dir->is_private;
    TRY(view_node_open(view, node, TREE_OPEN_PATH, &fd));
    return push_disk(walk, fd, node_path(view, node), is_private);
}

static NTSTATUS
descend(struct walk *walk, const char *component)
{
    struct view_name *name;

    if (strcmp(component, ".") == 0)
        return STATUS_SUCCESS;
    if (strcmp(component, "..") == 0) {
        if (walk->count > 1)
            view_at_deinit(&walk->stack[--walk->count]);
        return STATUS_SUCCESS;
    }
    name = view_name_find(top(walk)->dir, component);
    if (name)
        return descend_node(walk, component, name->now);
    if (top(walk)->fd < 0)
        return not_there(walk, component);
    return descend_disk(walk, component);
}

static NTSTATUS
walk_start(struct walk *walk, struct view *view, const char *path)
{
    *walk = (struct walk){.view = view, .path = path};
    if (path[0] == '\0')
        return explain(view->why, status_raise(STATUS_OBJECT_NAME_INVALID), "the path is empty");
    TRY(prepend(walk, path));
    if (path[0] == '/')
        return STATUS_SUCCESS;
    CHECK(view->base);
    return prepend(walk, view->base);
}

bool
view_at_is(const struct view_at *at, const struct view_node *node)
{
    if (node->kind != TREE_DIRECTORY)
        return false;
    if (node->origin == NODE_MADE)
        return at->dir == node->inside;
    return at->fd >= 0 && at->info.inode == node->info.inode &&
           at->info.device == node->info.device;
}

static NTSTATUS
walk_check_apart(struct walk *walk, const struct view_node *apart)
{
    for (size_t i = 0; apart && i < walk->count; i++)
        if (view_at_is(&walk->stack[i], apart))
            return explain(walk->view->why, status_raise(STATUS_INVALID_PARAMETER),
                           "'%s' lies inside the directory that is to go there", walk->path);
    return STATUS_SUCCESS;
}

/* To the directory before the last component, or through all of them. */
static NTSTATUS
walk_on(struct walk *walk, bool keep_last, char last[FILE_NAME_SIZE_MAX + 1])
{
    for (;;) {
        char component[FILE_NAME_SIZE_MAX + 1];
        bool is_last = false;

        TRY(next_component(walk, component, &is_last));
        if (keep_last && is_last) {
            strcpy(last, component);
            return STATUS_SUCCESS;
        }
        if (component[0] == '\0')
            return STATUS_SUCCESS;
        TRY(descend(walk, component));
    }
}

/* Hands out the directory on top of the stack. */
static struct view_at
take_top(struct walk *walk)
{
    struct view_at at = *top(walk);

    walk->count--;
    return at;
}

static NTSTATUS
last_check(struct view *view, const char *path, const char *last)
{
    if (last[0] == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return explain(view->why, status_raise(STATUS_OBJECT_NAME_INVALID),
                       "'%s' does not end in a name", path);
    if (strncmp(last, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0)
        return explain(view->why, status_raise(STATUS_OBJECT_NAME_INVALID),
                       "'%s': names that begin with '" HIDDEN_PREFIX "' belong to transactions",
                       path);
    return STATUS_SUCCESS;
}

NTSTATUS
view_find(struct view *view, const char *path, const struct view_node *apart,
          struct view_place *place)
{
    struct walk walk;
    NTSTATUS status = walk_start(&walk, view, path);

    if (status == STATUS_SUCCESS)
        status = walk_on(&walk, true, place->last);
    if (status == STATUS_SUCCESS)
        status = last_check(view, path, place->last);
    if (status == STATUS_SUCCESS)
        status = walk_check_apart(&walk, apart);
    if (status == STATUS_SUCCESS) {
        place->at = take_top(&walk);
        place->name = view_name_find(place->at.dir, place->last);
    }
    walk_deinit(&walk);
    return status;
}

NTSTATUS
view_enter(struct view *view, const char *path, struct view_at *at)
{
    struct walk walk;
    NTSTATUS status = walk_start(&walk, view, path);

    if (status == STATUS_SUCCESS)
        status = walk_on(&walk, false, NULL);
    if (status == STATUS_SUCCESS)
        *at = take_top(&walk);
    walk_deinit(&walk);
    return status;
}

/* Of a node that is not on disk. */
static NTSTATUS
info_of_new(struct view *view, struct view_node *node, struct tree_info *out)
{
    char hidden[HIDDEN_NAME_SIZE];
    int at;

    switch (node->origin) {
    case NODE_STAGED:
        if (node->fd >= 0)
            return tree_info(view->tree, node->fd, "", out);
        __attribute__((fallthrough)); /* it has a hidden name */
    case NODE_COPY:
        TRY(view_dir_open(view, node->yard, &at));
        hidden_name(view->owner, node->number, hidden);
        TRY(tree_info(view->tree, at, hidden, out));
        return out->kind == node->kind
                   ? STATUS_SUCCESS
                   : explain(view->why, status_raise(STATUS_OBJECT_NO_LONGER_EXISTS),
                             "'%s/%s' was removed by somebody else", node->yard->path, hidden);
    case NODE_LINK:
        *out = (struct tree_info){
            .kind = TREE_SYMLINK, .size = strlen(node->text), .mode = 0777, .links = 1};
        return STATUS_SUCCESS;
    default:
        *out = (struct tree_info){.kind = TREE_DIRECTORY, .mode = node->mode, .links = 2};
        return STATUS_SUCCESS;
    }
}

NTSTATUS
view_look(struct view *view, const struct view_place *place, struct view_seen *seen)
{
    *seen = (struct view_seen){.info = {.kind = TREE_NOTHING}};
    if (!place->name) {
        if (place->at.fd < 0)
            return STATUS_SUCCESS;
        return explain_status(view->why,
                              tree_info(view->tree, place->at.fd, place->last, &seen->info),
                              "'%s' cannot be looked at", place->last);
    }
    seen->node = place->name->now;
    if (!seen->node)
        return STATUS_SUCCESS;
    if (seen->node->origin == NODE_DISK)
        seen->info = seen->node->info;
    else
        TRY(info_of_new(view, seen->node, &seen->info));
    if (seen->node->sets_mode)
        seen->info.mode = seen->node->mode;
    if (seen->node->sets_owner) {
        seen->info.owner = seen->node->owner;
        seen->info.group = seen->node->group;
    }
    return STATUS_SUCCESS;
}
