/* SPDX-License-Identifier: MIT */
/* Reads inside a transaction: they see what its steps have done, and lock nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/work.h"

static NTSTATUS
check_readable(struct work *work)
{
    explain_nothing(&work->why);
    if (work->state == WORK_ACTIVE)
        return STATUS_SUCCESS;
    return explain(&work->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                   "the transaction is over or being committed; read without it");
}

static NTSTATUS
not_there(struct work *work, const char *path)
{
    return explain(&work->why, status_raise(STATUS_OBJECT_NAME_NOT_FOUND), "'%s' does not exist",
                   path);
}

static NTSTATUS
find(struct work *work, const char *path, struct view_place *place, struct view_seen *seen)
{
    TRY(view_find(&work->view, path, NULL, place));
    TRY(view_look(&work->view, place, seen));
    return seen->info.kind == TREE_NOTHING ? not_there(work, path) : STATUS_SUCCESS;
}

NTSTATUS
work_stat(struct work *work, const char *path, struct tree_info *out)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_seen seen;

    TRY(check_readable(work));
    TRY(find(work, path, &place, &seen));
    *out = seen.info;
    return STATUS_SUCCESS;
}

static NTSTATUS
open_staged(struct work *work, struct view_node *node, int *fd)
{
    char name[HIDDEN_NAME_SIZE];
    int at;

    /* A descriptor of our own, whatever becomes of the one that is held open. */
    if (node->fd >= 0)
        return tree_open_again(work->tree, node->fd, fd);
    TRY(view_dir_open(&work->view, node->yard, &at));
    hidden_name(&work->owner, node->number, name);
    return tree_open(work->tree, at, name, TREE_OPEN_READ, fd);
}

static NTSTATUS
open_seen(struct work *work, const struct view_place *place, const struct view_seen *seen, int *fd)
{
    if (!seen->node)
        return tree_open(work->tree, place->at.fd, place->last, TREE_OPEN_READ, fd);
    if (seen->node->origin == NODE_STAGED)
        return open_staged(work, seen->node, fd);
    return view_node_open(&work->view, seen->node, TREE_OPEN_READ, fd);
}

NTSTATUS
work_open(struct work *work, const char *path, int *fd)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    struct view_seen seen;

    TRY(find(work, path, &place, &seen));
    if (seen.info.kind == TREE_DIRECTORY)
        return explain(&work->why, status_raise(STATUS_FILE_IS_A_DIRECTORY), "'%s' is a directory",
                       path);
    if (seen.info.kind != TREE_FILE)
        return explain(&work->why, status_raise(STATUS_OBJECT_TYPE_MISMATCH),
                       "'%s' is not a regular file%s", path,
                       seen.info.kind == TREE_SYMLINK
                           ? " but a symbolic link; name the file it leads to"
                           : "");
    return explain_status(&work->why, open_seen(work, &place, &seen, fd), "'%s' cannot be opened",
                          path);
}

#define LINKS_MAX 40

/* Where a symbolic link leads from the directory it is in; allocated. */
static NTSTATUS
follow(struct work *work, const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    char *text;
    int size;

    TRY(work_readlink(work, path, &text));
    if (text[0] == '/' || !slash)
        size = asprintf(out, "%s", text);
    else
        size = asprintf(out, "%.*s/%s", (int)(slash - path), path, text);
    free(text);
    return size < 0 ? status_raise(STATUS_INSUFFICIENT_RESOURCES) : STATUS_SUCCESS;
}

NTSTATUS
work_open_source(struct work *work, const char *path, int *fd)
{
    char *at = strdup(path), *next;
    NTSTATUS status = at ? check_readable(work) : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    for (unsigned links = 0; status == STATUS_SUCCESS; links++) {
        struct tree_info info;

        status = work_stat(work, at, &info);
        if (status != STATUS_SUCCESS || info.kind != TREE_SYMLINK || links == LINKS_MAX)
            break;
        status = follow(work, at, &next);
        if (status == STATUS_SUCCESS) {
            free(at);
            at = next;
        }
    }
    if (status == STATUS_SUCCESS)
        status = work_open(work, at, fd);
    free(at);
    return status;
}

NTSTATUS
work_read(struct work *work, const char *path, uint64_t offset, void *into, size_t size,
          size_t *got)
{
    owned_fd int fd = TREE_NOWHERE;

    TRY(check_readable(work));
    TRY(work_open(work, path, &fd));
    return explain_status(&work->why, tree_read(work->tree, fd, into, size, offset, got),
                          "'%s' cannot be read", path);
}

NTSTATUS
work_readlink(struct work *work, const char *path, char **text)
{
    __attribute__((cleanup(owned_view_place_deinit))) struct view_place place = VIEW_PLACE_EMPTY;
    owned_fd int fd = TREE_NOWHERE;
    struct view_seen seen;

    TRY(check_readable(work));
    TRY(find(work, path, &place, &seen));
    if (seen.info.kind != TREE_SYMLINK)
        return explain(&work->why, status_raise(STATUS_OBJECT_TYPE_MISMATCH),
                       "'%s' is not a symbolic link", path);
    if (!seen.node)
        return tree_readlink(work->tree, place.at.fd, place.last, text);
    if (seen.node->origin == NODE_LINK) {
        *text = strdup(seen.node->text);
        return *text ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    TRY(view_node_open(&work->view, seen.node, TREE_OPEN_PATH, &fd));
    return tree_readlink(work->tree, fd, "", text);
}

NTSTATUS
work_list(struct work *work, const char *path, view_each_name *each, void *context)
{
    __attribute__((cleanup(owned_view_at_deinit))) struct view_at at = VIEW_AT_EMPTY;

    TRY(check_readable(work));
    TRY(view_enter(&work->view, path, &at));
    return view_list(&work->view, &at, each, context);
}
