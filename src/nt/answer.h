/* SPDX-License-Identifier: MIT */
/*
 * Answers of query routines: one place for the buffer rules [TM-QUERY-07..09, TX-QUERY-10..12,
 * RM-QUERY-03..05, ENL-QUERY-03].
 *
 * A query checks its buffer's *room* with the other parameters, then fills what belongs to it, and
 * last tells how many bytes there are.
 */
#pragma once

#include <string.h>

#include "base/base.h"
#include "ktmbase.h"

/* A buffer of 'length' bytes for a structure whose fixed part has 'fixed'.
 * Answers: 'too_small', ACCESS_VIOLATION (no buffer although it has a length [GEN-07]). */
static inline NTSTATUS must_use
answer_check(const void *buffer, ULONG length, size_t fixed, NTSTATUS too_small)
{
    if (!buffer && length > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (length < fixed)
        return status_raise(too_small);
    return STATUS_SUCCESS;
}

static inline void
answer_length(PULONG return_length, size_t length)
{
    if (return_length)
        *return_length = (ULONG)length;
}

/* The whole answer of a class of fixed size; the buffer has been checked. */
static inline NTSTATUS
answer_fixed(void *buffer, const void *answer, size_t size, PULONG return_length)
{
    memcpy(buffer, answer, size);
    answer_length(return_length, size);
    return STATUS_SUCCESS;
}

/* The part of variable length, behind 'fixed' bytes that are written already: whole elements, as
 * many as fit. The length told is what was written or, when not all fits, what is needed. */
static inline NTSTATUS
answer_variable(void *buffer, ULONG length, size_t fixed, const void *elements, size_t element,
                size_t count, PULONG return_length)
{
    size_t fit = (length - fixed) / element;
    size_t n = count < fit ? count : fit;

    if (n > 0)
        memcpy((char *)buffer + fixed, elements, n * element);
    answer_length(return_length, fixed + count * element);
    return n < count ? status_raise(STATUS_BUFFER_OVERFLOW) : STATUS_SUCCESS;
}
