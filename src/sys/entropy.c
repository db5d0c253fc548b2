/* SPDX-License-Identifier: MIT */
/*
 * A pool of random bytes for each thread, filled by getrandom in one large step.
 *
 * Identifiers are drawn for every transaction and enlistment, far too often for a system call or a
 * lock each. What must not happen is that two draws are ever the same: so bytes are wiped as they
 * are handed out, and the pool lies in memory that the kernel empties in a forked child
 * (MADV_WIPEONFORK). An empty pool, all zeros, is one that must be filled: that is the whole
 * protocol, so nothing needs to know that a fork happened.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sys/entropy.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/base.h"
#include "sys/error.h"

struct pool {
    size_t left;   /* bytes[0 .. left) have not been handed out */
    size_t filled; /* so many the last time: a thread that draws once shall not pay for 32 KiB */
    uint8_t bytes[(32 << 10) + 4096 - 2 * sizeof(size_t)];
};

static_assert(sizeof(struct pool) % 4096 == 0, "the kernel wipes whole pages");

/* Larger requests go to the kernel directly: the pool is for identifiers. */
#define REQUEST_MAX 256
#define FILL_FIRST  512

static __thread struct pool *pool __attribute__((tls_model("initial-exec")));

/* Returns the pool of a thread that ends. */
static pthread_key_t thread_end;
static atomic_bool is_usable; /* whether this system can give memory that is safe from fork */

static void
pool_destroy(void *ended)
{
    munmap(ended, sizeof(struct pool));
    pool = NULL; /* another destructor may still ask for random bytes, and then gets a new one */
}

static void
thread_end_init(void)
{
    is_usable = pthread_key_create(&thread_end, pool_destroy) == 0;
}

/* Emulators say yes to any advice and follow none; an impossible one finds them out. */
static bool
is_wiped_on_fork(void *memory, size_t size)
{
    return madvise(memory, size, -1) != 0 && madvise(memory, size, MADV_WIPEONFORK) == 0;
}

/* NULL: none to be had. */
static struct pool *
pool_create(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct pool *made;

    pthread_once(&once, thread_end_init);
    if (!is_usable)
        return NULL;
    made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    is_usable = is_wiped_on_fork(made, sizeof(*made));
    if (!is_usable || pthread_setspecific(thread_end, made) != 0) {
        munmap(made, sizeof(*made));
        return NULL;
    }
    (void)madvise(made, sizeof(*made), MADV_DONTDUMP); /* only a courtesy */
    return made;
}

static void
kernel_bytes(uint8_t *into, size_t size)
{
    while (size > 0) {
        ssize_t n = UNINTERRUPTED(getrandom(into, size, 0));

        CHECK(n > 0); /* with these arguments it has no way to fail */
        into += n;
        size -= (size_t)n;
    }
}

static void
pool_fill(struct pool *empty)
{
    size_t size = empty->filled ? 2 * empty->filled : FILL_FIRST;

    if (size > sizeof(empty->bytes))
        size = sizeof(empty->bytes);
    kernel_bytes(empty->bytes, size);
    empty->left = empty->filled = size;
}

void
entropy_take(void *into, size_t size)
{
    if (unlikely(!pool))
        pool = pool_create();
    if (unlikely(!pool || size > REQUEST_MAX)) {
        kernel_bytes(into, size);
        return;
    }
    if (unlikely(pool->left < size))
        pool_fill(pool);
    pool->left -= size;
    memcpy(into, pool->bytes + pool->left, size);
    memset(pool->bytes + pool->left, 0, size); /* what was given out is known to nobody else */
}
