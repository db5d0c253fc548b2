/* SPDX-License-Identifier: MIT */
/*
 * The whole macro dialect of the project, one screen: TRY, CHECK, owned, give.
 *
 * base/ is the floor every room stands on. It knows bytes, lists, GUIDs and status codes; it has
 * never heard of transactions, and it calls the operating system for nothing but to stop the
 * process.
 */
#pragma once

#include <assert.h> /* static_assert */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ntstatus.h" /* public: NTSTATUS and the STATUS_ values */

#define must_use                        __attribute__((warn_unused_result))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)

/* Passes anything but STATUS_SUCCESS up untouched. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        NTSTATUS try_status_ = (expression);                                                       \
        if (unlikely(try_status_ != STATUS_SUCCESS))                                               \
            return try_status_;                                                                    \
    } while (0)

/* A fact that only a bug of ours can make false: the process stops, the log makes that safe.
 * Stays in release builds. Never used on input from outside. */
#define CHECK(fact)                                                                                \
    do {                                                                                           \
        if (unlikely(!(fact)))                                                                     \
            check_failed(#fact, __FILE__, __LINE__);                                               \
    } while (0)
void check_failed(const char *fact, const char *file, int line) __attribute__((noreturn, cold));

/* owned(destroy): a local that owns something and lets go of it at the end of its scope;
 * give(p): the visible hand-over of what p owns. 'destroy' takes the object and accepts NULL. */
#define owned(destroy) __attribute__((cleanup(owned_##destroy)))
#define OWNED_BY(type, destroy)                                                                    \
    __attribute__((unused)) static inline void owned_##destroy(type **object_)                     \
    {                                                                                              \
        destroy(*object_);                                                                         \
    }
#define give(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) given_ = (p);                                                                \
        (p) = NULL;                                                                                \
        given_;                                                                                    \
    })

/* Every status is born here once, so that a trace can say where. The birth is remembered per
 * thread. */
#define status_raise(status)                                                                       \
    ({                                                                                             \
        NTSTATUS raised_ = (status);                                                               \
        status_born(raised_, __FILE__, __LINE__);                                                  \
        raised_;                                                                                   \
    })
NTSTATUS status_born(NTSTATUS status, const char *file, int line);

struct status_birth {
    NTSTATUS status;
    int line;
    const char *file; /* NULL: none yet in this thread */
};
struct status_birth status_last_birth(void);

/* "STATUS_TRANSACTION_NOT_ACTIVE", or NULL when the value has no name here. */
const char *status_name(NTSTATUS status);
/* A sentence for people: what the status means. Never NULL. */
const char *status_meaning(NTSTATUS status);
