/* SPDX-License-Identifier: MIT */
/*
 * Whole directories: copying, making durable, removing, recognizing.
 *
 * A directory is walked with one descriptor per level and one list of names; depth is bounded, so
 * that a hostile tree is an answer and not a crash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/work.h"

#define DEPTH_MAX 200

/* What to do with every entry of a directory. 'at' is the directory, 'info' the entry. */
typedef NTSTATUS entry_visit(void *context, int at, const char *name, const struct tree_info *info);

struct entries {
    char **names;
    size_t count, room;
    bool is_out_of_memory;
};

static void
entries_add(void *context, const char *name)
{
    struct entries *entries = context;
    char *copy = strdup(name);

    if (entries->count == entries->room) {
        size_t room = entries->room ? entries->room * 2 : 64;
        char **more = realloc(entries->names, room * sizeof(*more));

        if (more) {
            entries->names = more;
            entries->room = room;
        }
    }
    if (!copy || entries->count == entries->room) {
        entries->is_out_of_memory = true;
        free(copy);
        return;
    }
    entries->names[entries->count++] = copy;
}

static NTSTATUS
for_each_entry(struct tree *tree, int at, entry_visit *visit, void *context)
{
    struct entries entries = {0};
    NTSTATUS status = tree_list(tree, at, entries_add, &entries);

    if (status == STATUS_SUCCESS && entries.is_out_of_memory)
        status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < entries.count; i++) {
        struct tree_info info;

        if (status == STATUS_SUCCESS)
            status = tree_info(tree, at, entries.names[i], &info);
        if (status == STATUS_SUCCESS && info.kind != TREE_NOTHING)
            status = visit(context, at, entries.names[i], &info);
        free(entries.names[i]);
    }
    free(entries.names);
    return status;
}

/* ---- removing ---- */

struct removal {
    struct tree *tree;
    unsigned depth;
};

static NTSTATUS
remove_entry(void *context, int at, const char *name, const struct tree_info *info)
{
    struct removal *removal = context;
    struct tree *tree = removal->tree;
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (info->is_mount_root) /* what is below it belongs to another file system */
        return status_raise(STATUS_DEVICE_BUSY);
    if (info->kind != TREE_DIRECTORY)
        return tree_unlink(tree, at, name);
    if (removal->depth == DEPTH_MAX)
        return status_raise(STATUS_NAME_TOO_LONG);
    status = tree_open(tree, at, name, TREE_OPEN_DIRECTORY, &fd);
    if (status == STATUS_ACCESS_DENIED) {
        /* A copy has the mode of its original; the owner may change it, and does. */
        owned_fd int path = TREE_NOWHERE;

        TRY(tree_open(tree, at, name, TREE_OPEN_PATH, &path));
        TRY(tree_mode_set(tree, path, 0700));
        status = tree_open(tree, at, name, TREE_OPEN_DIRECTORY, &fd);
    }
    TRY(status);
    if (!(info->mode & 0200) || !(info->mode & 0100))
        TRY(tree_mode_set(tree, fd, info->mode | 0700));
    removal->depth++;
    status = for_each_entry(tree, fd, remove_entry, removal);
    removal->depth--;
    TRY(status);
    return tree_directory_remove(tree, at, name);
}

NTSTATUS
copy_remove(struct tree *tree, int at, const char *name)
{
    struct removal removal = {.tree = tree};
    struct tree_info info;

    TRY(tree_info(tree, at, name, &info));
    return info.kind == TREE_NOTHING ? STATUS_SUCCESS : remove_entry(&removal, at, name, &info);
}

/* ---- making durable ---- */

struct syncing {
    struct tree *tree;
    unsigned depth;
};

static NTSTATUS
sync_entry(void *context, int at, const char *name, const struct tree_info *info)
{
    struct syncing *syncing = context;
    struct tree *tree = syncing->tree;
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    if (info->kind == TREE_SYMLINK)
        return STATUS_SUCCESS; /* durable with its directory */
    if (syncing->depth == DEPTH_MAX)
        return status_raise(STATUS_NAME_TOO_LONG);
    status = tree_open(tree, at, name,
                       info->kind == TREE_DIRECTORY ? TREE_OPEN_DIRECTORY : TREE_OPEN_READ, &fd);
    if (status == STATUS_ACCESS_DENIED && info->kind == TREE_FILE)
        return tree_sync_all(tree, at); /* not readable to its owner */
    TRY(status);
    if (info->kind == TREE_DIRECTORY) {
        syncing->depth++;
        status = for_each_entry(tree, fd, sync_entry, syncing);
        syncing->depth--;
        TRY(status);
    }
    return tree_sync(tree, fd);
}

NTSTATUS
copy_sync(struct tree *tree, int at, const char *name)
{
    struct syncing syncing = {.tree = tree};
    struct tree_info info;

    TRY(tree_info(tree, at, name, &info));
    if (info.kind == TREE_NOTHING)
        return status_raise(STATUS_OBJECT_NO_LONGER_EXISTS);
    return sync_entry(&syncing, at, name, &info);
}

/* ---- recognizing ---- */

struct fingerprint {
    struct tree *tree;
    struct explanation *why;
    const struct fingerprint *parent; /* NULL: this is the top */
    const char *name;                 /* of the directory that is looked through */
    struct tree_info directory;
    uint64_t above; /* hash of the path so far */
    uint64_t sum;   /* of the hashes of all entries, whatever their order */
    unsigned depth;
};

/* Explains with the path of the entry, from the top on. */
static NTSTATUS
explain_entry(const struct fingerprint *self, const char *name, NTSTATUS status, const char *what)
{
    char path[EXPLANATION_SIZE / 2];
    size_t at = sizeof(path) - 1;

    if (status == STATUS_SUCCESS)
        return status;
    path[at] = '\0';
    for (const struct fingerprint *level = self;; level = level->parent) {
        size_t size = strlen(name);

        if (size + 1 > at)
            break; /* its end says enough */
        at -= size;
        memcpy(path + at, name, size);
        if (!level)
            break;
        path[--at] = '/';
        name = level->name;
    }
    return explain_status(self->why, status, "'%s' %s", path + at, what);
}

/* Once the new tree is in its place, nothing may be found that keeps the old one from going. */
static NTSTATUS
check_removable(struct fingerprint *self, int at, const char *name, const struct tree_info *info)
{
    const struct tree_info *directory = &self->directory;
    NTSTATUS status;

    if (info->is_mount_root)
        return explain_entry(self, name, status_raise(STATUS_DEVICE_BUSY),
                             "is a mount point and has to be unmounted first");
    status = tree_may_change(self->tree, at, directory, info);
    /* A directory of our own that cannot be written is made so (remove_entry). */
    if (status == STATUS_ACCESS_DENIED && !info->is_fixed &&
        tree_may_own(self->tree, directory, UINT32_MAX, UINT32_MAX) == STATUS_SUCCESS)
        status = STATUS_SUCCESS;
    return explain_entry(self, name, status, "could not be removed");
}

static uint64_t
entry_hash(uint64_t path, const struct tree_info *info)
{
    struct plan_version version = plan_version_of(info);
    uint64_t value = hash_number(path, info->kind);

    value = hash_number(value, info->inode);
    value = hash_number(value, (uint64_t)info->born);
    value = hash_number(value, version.size);
    value = hash_number(value, (uint64_t)info->written);
    value = hash_number(value, (uint64_t)version.mode << 32 | version.owner);
    return hash_number(value, version.group);
}

static NTSTATUS
fingerprint_entry(void *context, int at, const char *name, const struct tree_info *info)
{
    struct fingerprint *self = context, below = *self;
    owned_fd int fd = TREE_NOWHERE;

    TRY(check_removable(self, at, name, info));
    below.above = hash_text(hash_number(self->above, '/'), name);
    self->sum += entry_hash(below.above, info);
    if (info->kind != TREE_DIRECTORY)
        return STATUS_SUCCESS;
    if (self->depth == DEPTH_MAX)
        return status_raise(STATUS_NAME_TOO_LONG);
    TRY(explain_entry(self, name, tree_open(self->tree, at, name, TREE_OPEN_DIRECTORY, &fd),
                      "cannot be opened"));
    below.parent = self;
    below.name = name;
    below.directory = *info;
    below.depth++;
    below.sum = 0;
    TRY(for_each_entry(self->tree, fd, fingerprint_entry, &below));
    self->sum += below.sum;
    return STATUS_SUCCESS;
}

NTSTATUS
copy_fingerprint(struct tree *tree, int at, const char *name, struct explanation *why,
                 uint64_t *out)
{
    struct fingerprint self = {.tree = tree, .why = why, .name = name};
    owned_fd int fd = TREE_NOWHERE;

    TRY(tree_open(tree, at, name, TREE_OPEN_DIRECTORY, &fd));
    TRY(tree_info(tree, fd, "", &self.directory));
    TRY(for_each_entry(tree, fd, fingerprint_entry, &self));
    *out = self.sum;
    return STATUS_SUCCESS;
}

/* ---- copying ---- */

struct copying {
    struct work *work;
    int to; /* the directory that is being filled */
    unsigned depth;
};

/* Owner, attributes, times and mode, as far as this process may give them; a file that cannot have
 * the owner loses its set-id bits. */
static NTSTATUS
dress(struct copying *copying, int from, int to, const char *name, const struct tree_info *info)
{
    struct tree *tree = copying->work->tree;
    uint32_t mode = info->mode;
    const char *which;
    NTSTATUS status = tree_owner_set(tree, to, info->owner, info->group);

    if (status == STATUS_ACCESS_DENIED) {
        mode &= ~06000u;
        /* The group alone may be possible, and need not be. */
        status_forgive(tree_owner_set(tree, to, UINT32_MAX, info->group));
        status = STATUS_SUCCESS;
    }
    TRY(status);
    status = tree_attributes_copy(tree, from, to, &which);
    TRY(explain_status(&copying->work->why, status,
                       "the extended attribute '%s' of '%s' cannot be copied", which, name));
    TRY(tree_mode_set(tree, to, mode));
    return tree_times_set(tree, to, info->written);
}

static NTSTATUS copy_entry(void *context, int at, const char *name, const struct tree_info *info);

static NTSTATUS
copy_file(struct copying *copying, int at, const char *name, const struct tree_info *info)
{
    struct tree *tree = copying->work->tree;
    owned_fd int from = TREE_NOWHERE, to = TREE_NOWHERE;
    uint64_t size;

    TRY(tree_open(tree, at, name, TREE_OPEN_READ, &from));
    TRY(tree_file_create(tree, copying->to, name, 0600, &to));
    TRY(tree_copy(tree, from, to, 0, &size));
    TRY(dress(copying, from, to, name, info));
    return tree_write_back(tree, to);
}

static NTSTATUS
copy_link(struct copying *copying, int at, const char *name, const struct tree_info *info)
{
    struct tree *tree = copying->work->tree;
    owned_fd int made = TREE_NOWHERE;
    NTSTATUS status;
    char *text;

    TRY(tree_readlink(tree, at, name, &text));
    status = tree_symlink(tree, text, copying->to, name);
    free(text);
    TRY(status);
    TRY(tree_open(tree, copying->to, name, TREE_OPEN_PATH, &made));
    status = tree_owner_set(tree, made, info->owner, info->group);
    return status == STATUS_ACCESS_DENIED ? STATUS_SUCCESS : status; /* says nothing about a link */
}

static NTSTATUS
copy_directory(struct copying *copying, int from, int at, const char *name,
               const struct tree_info *info)
{
    struct tree *tree = copying->work->tree;
    struct copying below = {.work = copying->work, .depth = copying->depth + 1};
    owned_fd int to = TREE_NOWHERE;

    if (copying->depth == DEPTH_MAX)
        return status_raise(STATUS_NAME_TOO_LONG);
    TRY(tree_directory_make(tree, at, name, 0700));
    TRY(tree_open(tree, at, name, TREE_OPEN_DIRECTORY, &to));
    below.to = to;
    TRY(for_each_entry(tree, from, copy_entry, &below));
    return dress(copying, from, to, name, info);
}

static NTSTATUS
copy_entry(void *context, int at, const char *name, const struct tree_info *info)
{
    struct copying *copying = context;
    owned_fd int from = TREE_NOWHERE;
    NTSTATUS status;

    if (strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0)
        return STATUS_SUCCESS; /* of some transaction under way */
    switch (info->kind) {
    case TREE_FILE:
        status = copy_file(copying, at, name, info);
        break;
    case TREE_SYMLINK:
        status = copy_link(copying, at, name, info);
        break;
    case TREE_DIRECTORY:
        TRY(explain_status(&copying->work->why,
                           tree_open(copying->work->tree, at, name, TREE_OPEN_DIRECTORY, &from),
                           "'%s' in the source cannot be opened", name));
        return copy_directory(copying, from, copying->to, name, info);
    default:
        return explain(&copying->work->why, status_raise(STATUS_NOT_SUPPORTED),
                       "'%s' in the source is neither a file nor a directory nor a symbolic link",
                       name);
    }
    return explain_status(&copying->work->why, status, "'%s' in the source cannot be copied", name);
}

NTSTATUS
copy_tree(struct work *work, int from, int at, const char *name)
{
    struct copying copying = {.work = work, .to = at};
    struct tree_info info;

    TRY(tree_info(work->tree, from, "", &info));
    return copy_directory(&copying, from, at, name, &info);
}
