/* SPDX-License-Identifier: MIT */
/*
 * A client of the log that remembers everything it was told, and can say afterwards whether a log
 * found on a disk is one it may find.
 *
 * A history is driven by a seed: it appends records of odd sizes and known content, flushes, writes
 * without forcing, writes restart areas, moves the base, adds containers and reopens, until it has
 * done its share or the machine stops. Then history_check opens what is there and compares.
 */
#pragma once

#include "tests/clfs/world.h"

struct entry {
    uint64_t lsn, id, previous;
    uint32_t size;
    unsigned type;
};

struct pair {
    uint64_t base, restart;
};

#define PAIRS_MAX 64u

struct history {
    uint64_t seed;
    bool is_uniform; /* all records have one size */
    uint64_t next_id;
    struct entry *entries; /* all that may be in the log, by LSN */
    size_t count, room;
    uint64_t acknowledged;        /* bound of the records a flush has answered for */
    struct pair pairs[PAIRS_MAX]; /* what base and restart LSN may be: since the last forced ones */
    unsigned pair_count;
    bool exists; /* the creation was acknowledged */
    bool has_containers;
    unsigned containers;
    /* open, while it runs */
    struct sys *sys;
    struct clfs_log *log;
    struct clfs_area *area;
    unsigned done; /* steps so far */
};

void history_init(struct history *history, uint64_t seed);
void history_copy(const struct history *from, struct history *to); /* of a closed one */
void history_deinit(struct history *history);

/* Opens or creates the log and does that many steps; false: something failed (the power, as a
 * rule). The log is open afterwards if that succeeded. */
bool history_run(struct history *history, struct sys *sys, unsigned steps);
/* Lets go of the log, whatever state it is in; true: closed without error. */
bool history_close(struct history *history);

/* Opens the log read-only and for writing, reads all of it, and compares. NULL: as it may be; else
 * what is wrong. Afterwards the history is about what was found: it can go on. The log is closed.
 */
const char *history_check(struct history *history, struct sys *sys);
