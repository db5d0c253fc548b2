/* SPDX-License-Identifier: MIT */
/* Path locks. */
#include "rm/file/lock.h"

#include <stdlib.h>
#include <string.h>

struct path_entry {
    struct hash_link link;
    struct list in_owner;
    struct path_owner *owner;
    bool whole_tree;
    size_t size;
    char path[];
};

void
path_locks_init(struct path_locks *locks)
{
    sys_mutex_init(&locks->mutex);
    hash_init(&locks->paths);
    list_init(&locks->owners);
}

void
path_locks_deinit(struct path_locks *locks)
{
    CHECK(locks->paths.count == 0);
    hash_deinit(&locks->paths);
    sys_mutex_deinit(&locks->mutex);
}

void
path_owner_init(struct path_owner *owner, const GUID *transaction)
{
    owner->transaction = *transaction;
    owner->home = 0;
    list_init(&owner->locks);
    list_init(&owner->in_locks);
}

static struct path_entry *
entry_find(struct path_locks *locks, const char *path, size_t size)
{
    uint64_t value = hash_bytes(0, path, size);

    for (struct hash_link *link = hash_first(&locks->paths, value); link; link = hash_next(link)) {
        struct path_entry *entry = container_of(link, struct path_entry, link);

        if (entry->size == size && memcmp(entry->path, path, size) == 0)
            return entry;
    }
    return NULL;
}

static bool
is_below(const struct path_entry *entry, const char *path, size_t size)
{
    return entry->size > size && memcmp(entry->path, path, size) == 0 &&
           (entry->path[size] == '/' || size == 1);
}

/* Somebody else's lock on the path itself, or on the tree of a directory above it. */
static struct path_entry *
obstacle_above(struct path_locks *locks, const struct path_owner *owner, const char *path)
{
    size_t size = strlen(path);
    struct path_entry *entry = entry_find(locks, path, size);

    if (entry && entry->owner != owner)
        return entry;
    while (size > 1) {
        do
            size--;
        while (size > 0 && path[size] != '/');
        entry = entry_find(locks, path, size ? size : 1);
        if (entry && entry->owner != owner && entry->whole_tree)
            return entry;
    }
    return NULL;
}

static struct path_entry *
obstacle_below(struct path_locks *locks, const struct path_owner *owner, const char *path)
{
    size_t size = strlen(path);
    struct path_owner *other;
    struct path_entry *entry;

    LIST_EACH (other, &locks->owners,
               in_locks) { /* one's own locks, the most by far, are no obstacle */
        if (other == owner)
            continue;
        LIST_EACH (entry, &other->locks, in_owner)
            if (is_below(entry, path, size))
                return entry;
    }
    return NULL;
}

static NTSTATUS
entry_add(struct path_locks *locks, struct path_owner *owner, const char *path, bool whole_tree)
{
    size_t size = strlen(path);
    struct path_entry *entry = entry_find(locks, path, size);

    if (entry) {
        CHECK(entry->owner == owner);
        entry->whole_tree |= whole_tree;
        return STATUS_SUCCESS;
    }
    TRY(hash_reserve(&locks->paths));
    entry = malloc(sizeof(*entry) + size + 1);
    if (!entry)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    entry->owner = owner;
    entry->whole_tree = whole_tree;
    entry->size = size;
    memcpy(entry->path, path, size + 1);
    hash_add(&locks->paths, hash_bytes(0, path, size), &entry->link);
    if (list_is_empty(&owner->locks))
        list_append(&locks->owners, &owner->in_locks);
    list_append(&owner->locks, &entry->in_owner);
    return STATUS_SUCCESS;
}

static NTSTATUS
refuse(const struct path_entry *obstacle, const char *path, struct explanation *why)
{
    NTSTATUS status = status_raise(STATUS_TRANSACTIONAL_CONFLICT);
    char other[GUID_TEXT_SIZE];

    if (guid_is_zero(&obstacle->owner->transaction))
        return explain(why, status,
                       "'%s' cannot be changed: '%s' is part of the state of all transactions",
                       path, obstacle->path);
    guid_print(&obstacle->owner->transaction, other);
    return explain(why, status,
                   "'%s' is being changed by transaction {%s}, which holds '%s'%s; try again when "
                   "that one is over",
                   path, other, obstacle->path, obstacle->whole_tree ? " and all below" : "");
}

NTSTATUS
path_lock(struct path_locks *locks, struct path_owner *owner, const char *path, bool whole_tree,
          struct explanation *why)
{
    struct path_entry *obstacle;
    NTSTATUS status;

    CHECK(path[0] == '/');
    sys_mutex_lock(&locks->mutex);
    obstacle = obstacle_above(locks, owner, path);
    if (!obstacle && whole_tree)
        obstacle = obstacle_below(locks, owner, path);
    status = obstacle ? refuse(obstacle, path, why) : entry_add(locks, owner, path, whole_tree);
    sys_mutex_unlock(&locks->mutex);
    return status;
}

void
path_locks_release(struct path_locks *locks, struct path_owner *owner)
{
    struct path_entry *entry, *after;

    sys_mutex_lock(&locks->mutex);
    LIST_EACH_SAFE (entry, after, &owner->locks, in_owner) {
        hash_remove(&locks->paths, &entry->link);
        list_remove(&entry->in_owner);
        free(entry);
    }
    list_remove(&owner->in_locks);
    sys_mutex_unlock(&locks->mutex);
}
