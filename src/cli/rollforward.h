/* SPDX-License-Identifier: MIT */
/*
 * ktm recover --clock: the manager of a home is rolled forward to values of its virtual clock, one
 * after the other, and what each of them applies is told [TM-ROLLFWD-02, TM-ROLLFWD-03].
 *
 * A manager that is not at the end of its log is not online [TM-STATE-04]: resource managers learn
 * nothing, and nothing is written, so every run begins anew.
 */
#pragma once

#include "cli/cli.h"
#include "cli/complaint.h"
#include "cli/replay.h"

struct json_object;

enum { ROLLFORWARD_TARGETS_MAX = 64 };

/* "17"; greater than 0. */
bool rollforward_target(const char *text, int64_t *out);

struct rollforward {
    bool is_online;            /* the end of the log was reached */
    int64_t clock;             /* of the manager */
    size_t left;               /* records that were not read */
    int64_t next_clock;        /* of the first of them */
    struct json_object *steps; /* with --json: an array, the caller's; else NULL */
};

/* 'targets' grow. Prints the steps unless they are wanted as JSON, or not at all (--quiet).
 * Answers: those of replay_read and of opening the manager; what recovery says. */
NTSTATUS rollforward(const char *home, const int64_t *targets, size_t count,
                     const struct common *common, struct complaint *why,
                     struct rollforward *out) must_use;
