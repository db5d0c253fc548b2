/* SPDX-License-Identifier: MIT */
/*
 * Yards: the directories in which hidden names of this home may be, or may come back after a power
 * cut (HOME/file/yards, docs/format/file-intent.md).
 *
 * A directory is durably known as a yard before the first hidden name is made in it, and for as
 * long as one may be there, also one whose removal was not forced. So nobody need force that: what
 * a crash leaves, or brings back, is found when the home is opened next. Every hidden name in a
 * yard that is of this home and of no living transaction is nobody's, and removed.
 *
 * Works hold the yards they use. Those that nobody holds stay known, so that the next transaction
 * in the same directory writes nothing; when there are many they are made durable and forgotten.
 */
#pragma once

#include "base/explain.h"
#include "base/list.h"
#include "rm/file/hash.h"
#include "rm/file/plan.h"
#include "sys/thread.h"

#define NAME_YARDS "yards"

struct store;
struct yard;

struct yards {
    struct sys_mutex mutex; /* of what follows, and of the counts in yards; never across I/O */
    struct hash by_inode;
    struct list all;
    size_t count, count_max; /* beyond which those that nobody holds are forgotten */
    bool is_written;         /* the home has a list */
    _Atomic uint32_t turn;   /* 1: somebody writes the list; who needs a new yard waits for him */
};

/* Those that one work holds. */
struct yard_holds {
    struct yard **at;
    size_t count;
};

void yards_init(struct yards *yards);
void yards_deinit(struct yards *yards);
/* Reads the list of an earlier run. Answers: RM_METADATA_CORRUPT. */
NTSTATUS yards_load(struct store *store, struct explanation *why) must_use;

/* Durably known, and held, when it returns; those inside an object of a plan are passed over.
 * Answers: DISK_FULL, IO_DEVICE_ERROR, INSUFFICIENT_RESOURCES; none of them is held then. */
NTSTATUS yards_hold(struct store *store, const struct plan_dir *dirs, size_t count,
                    struct yard_holds *holds, struct explanation *why) must_use;
/* 'leaves_names': hidden names are left in them, for the next sweep. */
void yards_let_go(struct store *store, struct yard_holds *holds, bool leaves_names);

/* A directory is about to move, with all below: those that are yards are known by both paths,
 * durably, when it returns, and held by the new one. Answers: as yards_hold. */
NTSTATUS yards_follow(struct store *store, const char *from, const char *to,
                      struct yard_holds *holds, struct explanation *why) must_use;

/* When the home was opened, and it is known who is alive: removes every other hidden name of this
 * home from all yards, and forgets those that are clean then. A yard whose file system is not there
 * is left to the next time. Answers: what kept it from sweeping one of the others, which is left,
 * too. */
NTSTATUS yards_sweep(struct store *store, bool (*is_alive)(void *context, const GUID *transaction),
                     void *context, struct explanation *why) must_use;
/* When the home is closed: forgets what is clean, and the list when that is all. */
void yards_settle(struct store *store);
