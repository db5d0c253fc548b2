/* SPDX-License-Identifier: MIT */
/* Allocations that fail when a test wants them to: what --wrap puts in the place of malloc. */
#include "tests/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static _Atomic uint64_t count;
static _Atomic uint64_t first, last; /* allocations of these numbers fail; 0: none */
static atomic_bool has_failed;

static void
plan(uint64_t from, uint64_t to)
{
    first = last = 0;
    has_failed = false;
    last = to;
    first = from;
}

void
alloc_fail_at(uint64_t n)
{
    plan(count + n, count + n);
}

void
alloc_fail_from(uint64_t n)
{
    plan(count + n, UINT64_MAX);
}

bool
alloc_fail_stop(void)
{
    first = last = 0;
    return has_failed;
}

uint64_t
alloc_count(void)
{
    return count;
}

static bool
fails(void)
{
    uint64_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    uint64_t from = first;

    if (from == 0 || number < from || number > last)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t number, size_t size)
{
    return fails() ? NULL : __real_calloc(number, size);
}

void *
__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

char *
__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t size)
{
    return fails() ? NULL : __real_strndup(text, size);
}
