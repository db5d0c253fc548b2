/* SPDX-License-Identifier: MIT */
/*
 * Makes the n-th allocation fail, so that a test can try them all:
 *
 *     for (uint64_t n = 1;; n++) {
 *         alloc_fail_at(n);
 *         NTSTATUS status = run();
 *         if (!alloc_fail_stop())
 *             break; // run() needs fewer than n
 *         EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
 *     }
 *
 * Counted are malloc, calloc, realloc, strdup and strndup as our own code calls them, in any
 * thread; what the C library allocates for itself is not (the linker's --wrap does this, see
 * tests/CMakeLists.txt). The simulated disk uses aligned_alloc and is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation from now on fails, once; 1: the next. */
void alloc_fail_at(uint64_t n);
/* The n-th and all after it fail. */
void alloc_fail_from(uint64_t n);
/* Nothing fails any more. Tells whether anything did. */
bool alloc_fail_stop(void);
/* Allocations since the program started. */
uint64_t alloc_count(void);
