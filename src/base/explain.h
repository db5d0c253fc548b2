/* SPDX-License-Identifier: MIT */
/*
 * Why something was refused, in a sentence for people: what happened, to which path, what to do.
 *
 * A status says which kind of refusal it is; the sentence says which file. It is written where both
 * are known, and the innermost sentence stays: whoever passes the status up adds nothing.
 */
#pragma once

#include "base/base.h"

#define EXPLANATION_SIZE 1024

struct explanation {
    char text[EXPLANATION_SIZE];
    uint64_t time; /* when that was, by explain_time; 0: never */
    char step[64]; /* "step 3 (put): ", put before what is explained while it is set */
};

/* Writes the sentence and returns 'status'. 'why' may be NULL: nobody wants to know. A macro, so
 * that readers and tools see that it is the status given that comes back. */
#define explain(why, status, ...)                                                                  \
    ({                                                                                             \
        NTSTATUS explained_ = (status);                                                            \
        explain_sentence((why), __VA_ARGS__);                                                      \
        explained_;                                                                                \
    })
void explain_sentence(struct explanation *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Followed by what the status means, unless something was explained already. Passes success up. */
#define explain_status(why, status, ...)                                                           \
    ({                                                                                             \
        NTSTATUS told_ = (status);                                                                 \
        explain_failure((why), told_, __VA_ARGS__);                                                \
        told_;                                                                                     \
    })
void explain_failure(struct explanation *why, NTSTATUS status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What was explained is the reason of one refusal more. */
void explain_again(struct explanation *why);
/* CLOCK_MONOTONIC, nanoseconds: the last sentence of several is the one that is asked for, and each
 * may be of a library of its own. */
uint64_t explain_time(void);

/* Forgets what was explained, before something new is tried. */
void explain_nothing(struct explanation *why);

/* For a failure that changes nothing for the caller; a comment at the call says why. */
static inline void
status_forgive(NTSTATUS status)
{
    (void)status;
}
