/* SPDX-License-Identifier: MIT */
/*
 * The view of a transaction: its directories, names and nodes. Following a path is in view_walk.c.
 */
#include "rm/file/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
view_init(struct view *view, struct tree *tree, struct path_locks *locks, struct path_owner *owner,
          struct explanation *why)
{
    *view = (struct view){.tree = tree, .locks = locks, .owner = owner, .why = why};
    list_init(&view->dirs);
    list_init(&view->nodes);
    list_init(&view->open_dirs);
    hash_init(&view->by_place);
}

static void
dir_destroy(struct view *view, struct view_dir *dir)
{
    struct view_name *name, *after;

    LIST_EACH_SAFE (name, after, &dir->names, in_dir)
        free(name);
    hash_deinit(&dir->by_text);
    if (!dir->maker)
        hash_remove(&view->by_place, &dir->by_place);
    list_remove(&dir->in_open);
    list_remove(&dir->in_view);
    tree_close(dir->fd);
    free(dir->path);
    free(dir);
}

void
view_close(struct view *view)
{
    struct view_dir *dir;
    struct view_node *node;

    LIST_EACH (dir, &view->dirs, in_view) {
        tree_close(tree_give(&dir->fd));
        list_remove(&dir->in_open);
    }
    view->open_count = 0;
    LIST_EACH (node, &view->nodes, in_view) {
        tree_close(tree_give(&node->fd));
        list_remove(&node->in_open);
    }
}

void
view_deinit(struct view *view)
{
    struct view_dir *dir, *next_dir;
    struct view_node *node, *next_node;

    LIST_EACH_SAFE (dir, next_dir, &view->dirs, in_view)
        dir_destroy(view, dir);
    LIST_EACH_SAFE (node, next_node, &view->nodes, in_view)
        view_node_drop(view, node);
    hash_deinit(&view->by_place);
    free(view->base);
}

NTSTATUS
view_base_set(struct view *view, const char *base)
{
    char *copy;

    if (base[0] != '/')
        return explain(view->why, status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD),
                       "'%s' is not an absolute path", base);
    copy = strdup(base);
    if (!copy)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    free(view->base);
    view->base = copy;
    return STATUS_SUCCESS;
}

/* ---- directories ---- */

static uint64_t
place_hash(const struct tree_info *info)
{
    return hash_number(info->device, info->inode);
}

static struct view_dir *
dir_find(struct view *view, const struct tree_info *info)
{
    uint64_t value = place_hash(info);

    for (struct hash_link *link = hash_first(&view->by_place, value); link;
         link = hash_next(link)) {
        struct view_dir *dir = container_of(link, struct view_dir, by_place);

        if (dir->info.device == info->device && dir->info.inode == info->inode)
            return dir;
    }
    return NULL;
}

static struct view_dir *
dir_create(struct view *view)
{
    struct view_dir *dir = calloc(1, sizeof(*dir));

    if (!dir)
        return NULL;
    dir->fd = TREE_NOWHERE;
    list_init(&dir->names);
    list_init(&dir->in_open);
    hash_init(&dir->by_text);
    list_append(&view->dirs, &dir->in_view);
    return dir;
}

static void
dir_opened(struct view *view, struct view_dir *dir, int fd)
{
    if (view->open_count == VIEW_DIRS_OPEN_MAX) {
        struct view_dir *oldest = list_first(&view->open_dirs, struct view_dir, in_open);

        tree_close(tree_give(&oldest->fd));
        list_remove(&oldest->in_open);
        view->open_count--;
    }
    dir->fd = fd;
    list_append(&view->open_dirs, &dir->in_open);
    view->open_count++;
}

NTSTATUS
view_dir_of_at(struct view *view, struct view_at *at, struct view_dir **out)
{
    owned_fd int fd = TREE_NOWHERE;
    struct view_dir *dir;

    if (!at->dir)
        at->dir = dir_find(view, &at->info);
    if (at->dir) {
        *out = at->dir;
        return STATUS_SUCCESS;
    }
    if (at->info.born == 0)
        return explain(view->why, status_raise(STATUS_FILE_IDENTITY_NOT_PERSISTENT),
                       "the file system of '%s' does not record when a file was created, so that "
                       "files could not be told apart after a crash; use one that does (ext4, xfs, "
                       "btrfs, tmpfs)",
                       at->path);
    TRY(hash_reserve(&view->by_place));
    TRY(explain_status(view->why, tree_open(view->tree, at->fd, ".", TREE_OPEN_DIRECTORY, &fd),
                       "'%s' cannot be opened", at->path));
    char *path = strdup(at->path);
    dir = path ? dir_create(view) : NULL;
    if (!dir) {
        free(path);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    dir->info = at->info;
    dir->path = path;
    dir->is_private = at->is_private;
    hash_add(&view->by_place, place_hash(&dir->info), &dir->by_place);
    dir_opened(view, dir, tree_give(&fd));
    *out = at->dir = dir;
    return STATUS_SUCCESS;
}

struct view_dir *
view_inside(struct view *view, const struct view_node *node)
{
    CHECK(node->kind == TREE_DIRECTORY);
    return node->origin == NODE_MADE ? node->inside : dir_find(view, &node->info);
}

void
view_forget_below(struct view *view, const char *path)
{
    size_t size = strlen(path);
    struct view_dir *dir, *after;
    struct view_name *name;

    LIST_EACH_SAFE (dir, after, &view->dirs, in_view) {
        if (dir->maker || strncmp(dir->path, path, size) != 0 ||
            (dir->path[size] != '\0' && dir->path[size] != '/'))
            continue;
        LIST_EACH (name, &dir->names, in_dir) {
            CHECK(name->base == name->now);
            if (name->base)
                view_node_drop(view, name->base);
        }
        if (dir->fd >= 0)
            view->open_count--;
        dir_destroy(view, dir);
    }
}

NTSTATUS
view_dir_open(struct view *view, struct view_dir *dir, int *fd)
{
    CHECK(!dir->maker);
    if (dir->fd >= 0) {
        list_remove(&dir->in_open);
        list_append(&view->open_dirs, &dir->in_open);
    } else {
        owned_fd int opened = TREE_NOWHERE;
        struct tree_info info;

        TRY(explain_status(
            view->why, tree_open(view->tree, TREE_NOWHERE, dir->path, TREE_OPEN_DIRECTORY, &opened),
            "'%s' cannot be opened any more", dir->path));
        TRY(tree_info(view->tree, opened, "", &info));
        if (!tree_is_same(&info, &dir->info))
            return explain(view->why, status_raise(STATUS_OBJECT_NO_LONGER_EXISTS),
                           "the directory '%s' was moved or replaced by somebody else", dir->path);
        dir_opened(view, dir, tree_give(&opened));
    }
    *fd = dir->fd;
    return STATUS_SUCCESS;
}

struct view_dir *
view_yard(struct view_dir *dir)
{
    return dir->maker ? dir->maker->yard : dir;
}

/* ---- nodes ---- */

NTSTATUS
view_node_add(struct view *view, enum node_origin origin, enum tree_kind kind,
              struct view_node **out)
{
    struct view_node *node = calloc(1, sizeof(*node));

    if (!node)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    node->origin = origin;
    node->kind = kind;
    node->fd = TREE_NOWHERE;
    node->info.kind = kind;
    list_init(&node->in_open);
    if (origin == NODE_MADE) {
        node->inside = dir_create(view);
        if (!node->inside) {
            free(node);
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        }
        node->inside->maker = node;
    }
    list_append(&view->nodes, &node->in_view);
    *out = node;
    return STATUS_SUCCESS;
}

void
view_node_drop(struct view *view, struct view_node *node)
{
    (void)view;
    list_remove(&node->in_view);
    list_remove(&node->in_open);
    tree_close(node->fd);
    free(node->text);
    free(node);
}

void
view_put(struct view *view, struct view_name *name, struct view_node *node)
{
    if (name->now)
        name->now->place = NULL;
    if (node && node->place) {
        node->place->now = NULL;
        node->place->step = view->step;
        node->place->is_used = true;
    }
    name->now = node;
    if (node)
        node->place = name;
    name->step = view->step;
    name->is_used = true;
}

NTSTATUS
view_node_open(struct view *view, struct view_node *node, enum tree_open how, int *fd)
{
    char hidden[HIDDEN_NAME_SIZE];
    int at;

    if (node->origin == NODE_COPY) {
        TRY(view_dir_open(view, node->yard, &at));
        hidden_name(view->owner, node->number, hidden);
        return tree_open(view->tree, at, hidden, how, fd);
    }
    CHECK(node->origin == NODE_DISK);
    TRY(view_dir_open(view, node->home->dir, &at));
    return tree_open(view->tree, at, node->home->text, how, fd);
}

void
hidden_name(const struct path_owner *owner, unsigned number, char name[HIDDEN_NAME_SIZE])
{
    char text[GUID_TEXT_SIZE];

    guid_print(&owner->transaction, text);
    snprintf(name, HIDDEN_NAME_SIZE, HIDDEN_PREFIX "%s.%016" PRIx64 ".%u", text, owner->home,
             number);
}

bool
hidden_name_parse(const char *name, uint64_t home, GUID *transaction)
{
    const size_t prefix = strlen(HIDDEN_PREFIX), guid = GUID_TEXT_SIZE - 1;
    char text[GUID_TEXT_SIZE] = "", rest[HIDDEN_NAME_SIZE];
    size_t size;

    if (strlen(name) >= HIDDEN_NAME_SIZE || strncmp(name, HIDDEN_PREFIX, prefix) != 0 ||
        strlen(name) <= prefix + guid)
        return false;
    memcpy(text, name + prefix, guid);
    snprintf(rest, sizeof(rest), ".%016" PRIx64 ".", home);
    size = strlen(rest);
    return strncmp(name + prefix + guid, rest, size) == 0 && name[prefix + guid + size] &&
           guid_parse(text, transaction) == STATUS_SUCCESS;
}

/* ---- names ---- */

static struct view_name *
name_find(const struct view_dir *dir, const char *text)
{
    for (struct hash_link *link = hash_first(&dir->by_text, hash_text(0, text)); link;
         link = hash_next(link)) {
        struct view_name *name = container_of(link, struct view_name, by_text);

        if (strcmp(name->text, text) == 0)
            return name;
    }
    return NULL;
}

struct view_name *
view_name_find(const struct view_dir *dir, const char *text)
{
    return dir ? name_find(dir, text) : NULL;
}

static NTSTATUS
name_lock(struct view *view, const struct view_dir *dir, const char *text, bool whole_tree)
{
    NTSTATUS status;
    char *path;

    if (dir->maker || dir->is_private)
        return STATUS_SUCCESS; /* nobody else can come there */
    if (asprintf(&path, "%s/%s", dir->path[1] ? dir->path : "", text) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = path_lock(view->locks, view->owner, path, whole_tree, view->why);
    free(path);
    return status;
}

/* What is on disk, as the base of a name. */
static NTSTATUS
base_take(struct view *view, struct view_name *name)
{
    struct tree_info info;
    struct view_node *node;
    int fd;

    TRY(view_dir_open(view, name->dir, &fd));
    TRY(tree_info(view->tree, fd, name->text, &info));
    if (info.kind == TREE_NOTHING)
        return STATUS_SUCCESS;
    TRY(view_node_add(view, NODE_DISK, info.kind, &node));
    node->info = info;
    node->home = node->place = name;
    name->base = name->now = node;
    return STATUS_SUCCESS;
}

NTSTATUS
view_touch(struct view *view, struct view_place *place, bool whole_tree)
{
    size_t size = strlen(place->last);
    struct view_dir *dir;
    NTSTATUS status;

    TRY(view_dir_of_at(view, &place->at, &dir));
    TRY(name_lock(view, dir, place->last, whole_tree));
    place->name = name_find(dir, place->last);
    if (place->name)
        return STATUS_SUCCESS;
    TRY(hash_reserve(&dir->by_text));
    struct view_name *name = calloc(1, sizeof(*name) + size + 1);
    if (!name)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    name->dir = dir;
    memcpy(name->text, place->last, size + 1);
    status = dir->maker ? STATUS_SUCCESS : base_take(view, name);
    if (status != STATUS_SUCCESS) {
        free(name);
        return status;
    }
    list_append(&dir->names, &name->in_dir);
    hash_add(&dir->by_text, hash_text(0, name->text), &name->by_text);
    place->name = name;
    return STATUS_SUCCESS;
}

/* ---- listing ---- */

struct names {
    char **at;
    size_t count, room;
    bool is_out_of_memory;
};

static void
names_add(void *context, const char *name)
{
    struct names *names = context;
    char *copy = strdup(name);

    if (names->count == names->room) {
        size_t room = names->room ? names->room * 2 : 64;
        char **more = realloc(names->at, room * sizeof(*more));

        if (more) {
            names->at = more;
            names->room = room;
        }
    }
    if (!copy || names->count == names->room) {
        names->is_out_of_memory = true;
        free(copy);
        return;
    }
    names->at[names->count++] = copy;
}

static NTSTATUS
list_disk(struct view *view, struct view_at *at, view_each_name *each, void *context)
{
    struct names names = {0};
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status = tree_open(view->tree, at->fd, ".", TREE_OPEN_DIRECTORY, &fd);

    if (status == STATUS_SUCCESS)
        status = tree_list(view->tree, fd, names_add, &names);
    if (status == STATUS_SUCCESS && names.is_out_of_memory)
        status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < names.count; i++) {
        struct view_name *name = view_name_find(at->dir, names.at[i]);

        if (status == STATUS_SUCCESS && (!name || name->now) &&
            strncmp(names.at[i], HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) != 0)
            status = each(context, names.at[i]);
        free(names.at[i]);
    }
    free(names.at);
    return status;
}

NTSTATUS
view_list(struct view *view, struct view_at *at, view_each_name *each, void *context)
{
    struct view_name *name;

    if (!at->dir || !at->dir->maker)
        TRY(list_disk(view, at, each, context));
    if (at->dir)
        LIST_EACH (name, &at->dir->names, in_dir)
            if (!name->base && name->now)
                TRY(each(context, name->text));
    return STATUS_SUCCESS;
}
