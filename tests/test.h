/* SPDX-License-Identifier: MIT */
/*
 * What every test file includes: tests that register themselves, and facts they expect.
 *
 * A test runs in a process of its own with a time limit, so it may crash, hang, fork or leave
 * threads behind without harming the others (tests/main.c). The first fact that is false ends the
 * test, from whatever thread or child process it is found in.
 *
 *     TEST(late_vote_after_rollback_is_refused) // ENL-09
 *     {
 *         EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, vote(...));
 *     }
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "base/base.h"

struct test {
    const char *name;
    const char *file; /* from the top of the source tree */
    int line;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *test);

/* A test: a function body follows. */
#define TEST(title)                                                                                \
    static void test_##title(void);                                                                \
    static void __attribute__((constructor)) register_##title(void)                                \
    {                                                                                              \
        static struct test test = {                                                                \
            .name = #title, .file = __FILE__, .line = __LINE__, .run = test_##title};              \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void test_##title(void)

/* Ends the test as failed and says why. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
/* Ends the test as skipped: what it needs is not on this machine. */
void test_skip(const char *file, int line, const char *reason) __attribute__((noreturn));

#define EXPECT(fact)                                                                               \
    do {                                                                                           \
        if (!(fact))                                                                               \
            test_fail(__FILE__, __LINE__, "expected: %s", #fact);                                  \
    } while (0)

/* Two numbers (or pointers) are equal by value; a failure shows both, also in hexadecimal. */
#define EXPECT_EQ(wanted, got)                                                                     \
    do {                                                                                           \
        long long wanted_ = (long long)(wanted), got_ = (long long)(got);                          \
        if (wanted_ != got_)                                                                       \
            test_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), expected %s = %lld (0x%llx)",      \
                      #got, got_, (unsigned long long)got_, #wanted, wanted_,                      \
                      (unsigned long long)wanted_);                                                \
    } while (0)

/* The expression has this status. */
#define EXPECT_STATUS(wanted, expression)                                                          \
    test_expect_status(__FILE__, __LINE__, #expression, (wanted), (expression))
#define EXPECT_OK(expression) EXPECT_STATUS(STATUS_SUCCESS, expression)
void test_expect_status(const char *file, int line, const char *what, NTSTATUS wanted,
                        NTSTATUS got);

/* Two NUL-terminated texts are equal; a failure shows both. */
#define EXPECT_TEXT(wanted, got) test_expect_text(__FILE__, __LINE__, #got, (wanted), (got))
void test_expect_text(const char *file, int line, const char *what, const char *wanted,
                      const char *got);

/* Two pieces of memory are equal; a failure shows the first byte that differs. */
#define EXPECT_BYTES(wanted, got, size)                                                            \
    test_expect_bytes(__FILE__, __LINE__, #got, (wanted), (got), (size))
void test_expect_bytes(const char *file, int line, const char *what, const void *wanted,
                       const void *got, size_t size);

#define SKIP(reason) test_skip(__FILE__, __LINE__, (reason))

/* Each element of an array, as a pointer. */
#define EACH(it, array)                                                                            \
    for (__typeof__(&(array)[0]) it = (array); it < (array) + ARRAY_SIZE(array); it++)

/* An empty directory for this test alone, removed when the test ends; the same one at each call.
 * On a disk rather than in memory when the machine has a choice (TMPDIR). */
const char *test_directory(void);
/* The same in memory, where this machine has a file system there that keeps extended attributes:
 * for sweeps over thousands of files that never ask what a disk has kept. */
const char *test_memory_directory(void);
/* The top of the source tree and the build directory, for tests that read files or run programs
 * there. */
const char *test_source(void);
const char *test_build(void);
/* Seconds of a longer run asked for with KTM_SOAK=seconds, else 0; whether a sweep shall visit
 * every point (KTM_SWEEP=full) rather than a sample; and whether a thin sample will do
 * (KTM_SWEEP=short, under sanitizers, which look at other things). */
unsigned test_soak_seconds(void);
bool test_sweep_is_full(void);
bool test_sweep_is_short(void);
/* The name of the test that runs, for those that share a function; and whether it shall write its
 * expectations into their file instead of comparing (--rewrite). */
const char *test_name(void);
bool test_rewrites(void);
