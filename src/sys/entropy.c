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
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/base.h"
#include "sys/error.h"

struct pool {
    size_t left; /* bytes[0 .. left) have not been handed out */
    uint8_t bytes[(32 << 10) + 4096 - sizeof(size_t)];
};

static_assert(sizeof(struct pool) % 4096 == 0, "the kernel wipes whole pages");

/* Larger requests go to the kernel directly: the pool is for identifiers. */
#define REQUEST_MAX 256

static __thread struct pool *pool __attribute__((tls_model("initial-exec")));

/* Returns the pool of a thread that ends. */
static pthread_key_t thread_end;
static bool thread_end_works;

static void
pool_destroy(void *ended)
{
    munmap(ended, sizeof(struct pool));
    pool = NULL; /* another destructor may still ask for random bytes, and then gets a new one */
}

static void
thread_end_init(void)
{
    thread_end_works = pthread_key_create(&thread_end, pool_destroy) == 0;
}

/* NULL: this system cannot give memory that is safe from fork. */
static struct pool *
pool_create(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct pool *made;

    pthread_once(&once, thread_end_init);
    if (!thread_end_works)
        return NULL;
    made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return NULL;
    if (madvise(made, sizeof(*made), MADV_WIPEONFORK) != 0 ||
        pthread_setspecific(thread_end, made) != 0) {
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

void
entropy_take(void *into, size_t size)
{
    if (unlikely(!pool))
        pool = pool_create();
    if (unlikely(!pool || size > REQUEST_MAX)) {
        kernel_bytes(into, size);
        return;
    }
    if (unlikely(pool->left < size)) {
        kernel_bytes(pool->bytes, sizeof(pool->bytes));
        pool->left = sizeof(pool->bytes);
    }
    pool->left -= size;
    memcpy(into, pool->bytes + pool->left, size);
    memset(pool->bytes + pool->left, 0, size); /* what was given out is known to nobody else */
}
