/* SPDX-License-Identifier: MIT */
/* The table of live log objects; see clfs_object.h. */
#include "nt/clfs_object.h"

#include <limits.h>

#include "nt/nt.h"
#include "sys/thread.h"

#define SHARDS 64u /* so that threads with areas of their own do not meet */
#define CHAINS 64u

struct shard {
    struct sys_mutex mutex;
    struct clfs_object *chains[CHAINS];
} __attribute__((aligned(64)));

static struct shard shards[SHARDS] = {
    [0 ... SHARDS - 1] = {.mutex = {PTHREAD_MUTEX_INITIALIZER}},
};

static struct shard *
shard_of(const void *pointer, struct clfs_object ***chain)
{
    uint64_t mixed = ((uintptr_t)pointer >> 4) * 0x9e3779b97f4a7c15u;
    struct shard *shard = &shards[mixed >> 58];

    *chain = &shard->chains[(mixed >> 52) & (CHAINS - 1)];
    return shard;
}

void
clfs_object_begin_anew(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        sys_mutex_init(&shards[i].mutex);
        memset(shards[i].chains, 0, sizeof(shards[i].chains));
    }
}

void
clfs_object_add(struct clfs_object *object, enum clfs_kind kind)
{
    struct clfs_object **chain;
    struct shard *shard = shard_of(object, &chain);

    object->kind = kind;
    atomic_init(&object->users, 0);
    sys_mutex_lock(&shard->mutex);
    object->next = *chain;
    *chain = object;
    sys_mutex_unlock(&shard->mutex);
}

/* The link that leads to the object, or NULL. Under the shard's mutex. */
static struct clfs_object **
link_find(struct clfs_object **chain, const void *pointer, enum clfs_kind kind)
{
    for (; *chain; chain = &(*chain)->next)
        if (*chain == pointer)
            return (*chain)->kind == kind ? chain : NULL;
    return NULL;
}

NTSTATUS
clfs_object_acquire(const void *pointer, enum clfs_kind kind, struct clfs_object **out)
{
    struct clfs_object **chain, **link;
    struct shard *shard = shard_of(pointer, &chain);

    if (!pointer)
        return status_raise(STATUS_INVALID_PARAMETER);
    sys_mutex_lock(&shard->mutex);
    link = link_find(chain, pointer, kind);
    if (link) {
        *out = *link;
        atomic_fetch_add_explicit(&(*link)->users, 2, memory_order_relaxed);
    }
    sys_mutex_unlock(&shard->mutex);
    return link ? STATUS_SUCCESS : status_raise(STATUS_INVALID_HANDLE);
}

void
clfs_object_release(struct clfs_object *object)
{
    if (object && atomic_fetch_sub_explicit(&object->users, 2, memory_order_acq_rel) == 3)
        sys_wake(&object->users, INT_MAX);
}

NTSTATUS
clfs_object_end(const void *pointer, enum clfs_kind kind, struct clfs_object **out)
{
    struct clfs_object **chain, **link, *object = NULL;
    struct shard *shard = shard_of(pointer, &chain);
    uint32_t users;

    if (!pointer)
        return status_raise(STATUS_INVALID_PARAMETER);
    sys_mutex_lock(&shard->mutex);
    link = link_find(chain, pointer, kind);
    if (link) {
        object = *link;
        *link = object->next;
    }
    sys_mutex_unlock(&shard->mutex);
    if (!object)
        return status_raise(STATUS_INVALID_HANDLE);
    users = atomic_fetch_or_explicit(&object->users, 1, memory_order_acq_rel) | 1;
    while (users != 1) {
        sys_wait(&object->users, users, SYS_FOREVER);
        users = atomic_load_explicit(&object->users, memory_order_acquire);
    }
    *out = object;
    return STATUS_SUCCESS;
}

__attribute__((constructor)) static void
watch(void)
{
    nt_watch_forks();
}
