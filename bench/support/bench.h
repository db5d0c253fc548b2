/* SPDX-License-Identifier: MIT */
/*
 * What programs that compare ways of doing the same thing have in common.
 *
 * A comparison has arms: ways to do one transaction. They run in short slices, one arm after the
 * other, round after round, and each round begins with another arm, so that a busy neighbour, a
 * slow disk and a server's checkpoint hit all of them alike. What counts is the ratio of two arms
 * in one round; its median and quartiles over all rounds are shown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { BENCH_ARMS_MAX = 4, BENCH_ROUNDS_MAX = 99, BENCH_CLIENTS_MAX = 64 };

struct bench_options {
    double seconds; /* of a slice */
    unsigned rounds;
    const char *directory; /* where files are made; it is the program's own */
    const char *only;      /* NULL: all */
};

struct bench_arm {
    const char *name;
    void (*once)(void *context, unsigned client); /* one transaction */
};

struct bench_comparison {
    const char *name;
    const char *budget; /* what the ratio of the last arm may be; NULL: for information */
    double ratio_max;
    unsigned clients;
    const struct bench_arm *arms; /* the first is what the others are compared with */
    unsigned arm_count;
    void *context;
};

/* The first argument that is no option is 'only'; --seconds S, --rounds N, --dir DIR. Makes the
 * directory, which is removed at the end of the process. */
struct bench_options bench_start(int argc, char **argv, struct bench_options defaults);
void bench_must(bool fact, const char *what);
double bench_now(void); /* seconds */
/* A file of so many zero bytes, durable and without a name. */
int bench_preallocated(uint64_t size);
/* The machine's limit, now: how long a fdatasync of 4 KiB in such a file takes, the median of some.
 * Printed, and added to the results. */
void bench_limit(int fd, const char *before);

/* Runs it, prints its rows, and adds it to the file that KTM_BENCH_JSON names. False: over budget.
 */
bool bench_compare(const struct bench_comparison *comparison);
/* 0, or 1 when a budget was missed: for the end of main. */
int bench_end(void);
