/* SPDX-License-Identifier: MIT */
/* Why something was refused, in a sentence for people. The first sentence stays: it was written
 * where most was known. */
#pragma once

#include "base/base.h"

struct words {
    char text[1024];
    uint64_t time; /* when that was, as explain_time */
};

/* Writes the sentence, unless there is one already, and returns 'status'. */
#define say(words, status, ...)                                                                    \
    ({                                                                                             \
        NTSTATUS said_ = (status);                                                                 \
        words_write((words), __VA_ARGS__);                                                         \
        said_;                                                                                     \
    })
/* The same for what went wrong below, followed by what the status means; success says nothing. */
#define say_status(words, status, ...)                                                             \
    ({                                                                                             \
        NTSTATUS said_ = (status);                                                                 \
        if (said_ != STATUS_SUCCESS)                                                               \
            words_write_status((words), said_, __VA_ARGS__);                                       \
        said_;                                                                                     \
    })

void words_write(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void words_write_status(struct words *words, NTSTATUS status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
