/* SPDX-License-Identifier: MIT */
/*
 * The simulated twin of the operating system: files in memory, with an exact model of what would
 * still be there after a power cut.
 *
 * A 'struct sys_sim' is a machine with one disk. Everything has two sides: what programs see, and
 * what is stored. A write changes what is seen; what is stored changes when the file is synced
 * (content and size) or its directory is (names). In between, a write is *unsynced*: a power cut
 * may lose it, keep it, or keep any 512-byte sectors of it, in any order. Names likewise: a file
 * that was created may vanish, a rename may be undone. A rename is atomic, and names that build on
 * each other (made, then renamed) are kept or lost in their order, as a journalling file system
 * does.
 *
 * The power can be cut at every operation. An operation is a call that changes something: write,
 * sync, allocate, an open that creates, rename, unlink, directory_make, directory_sync. They are
 * counted also when they fail. After the cut every call answers IO_DEVICE_ERROR until
 * sys_sim_power_on has decided what survived.
 *
 * Everything is determined by the seeds given: the same calls give the same results and the same
 * trace. Time stands still unless it is advanced. A mutex around each call lets threads use it; but
 * then the order of their calls decides. Its own memory comes from aligned_alloc, which
 * tests/alloc.h leaves alone, so that only 'open' can fail for want of memory, as on Linux.
 *
 * Not modelled: permissions, symbolic links, hard links. Relative paths start at the root.
 */
#pragma once

#include <stdio.h>

#include "sys/sys.h"

struct sys_sim;

/* An empty disk, power on. */
struct sys_sim *sys_sim_create(uint64_t seed);
/* A machine with the same disk, seen, stored and unsynced, the same clock and counters; nobody has
 * anything open or locked there, no cut or failing sync is planned. */
struct sys_sim *sys_sim_copy(struct sys_sim *sim);
/* Every file opened on it must have been closed. NULL: nothing. */
void sys_sim_destroy(struct sys_sim *sim);
OWNED_BY(struct sys_sim, sys_sim_destroy)

/* Starts a process; it and those before it see the same disk and exclude each other by
 * sys_file_lock. Lives as long as the machine. */
struct sys *sys_sim_process(struct sys_sim *sim);
/* The process dies without warning: its locks drop, its open files are dead (everything but close
 * answers IO_DEVICE_ERROR), all that it has written stays. The same 'struct sys' is then a new
 * process. */
void sys_sim_crash(struct sys *process);

/* ---- the power ---- */

enum sys_sim_cut {
    SIM_CUT_BEFORE, /* the operation does not happen */
    SIM_CUT_WITHIN, /* it happens partly: some of its sectors, or (names) it does or does not */
    SIM_CUT_AFTER,  /* it happens and succeeds; the next call fails */
};

/* Cuts the power at the n-th operation from now on (1: the next; 0: not at all). */
void sys_sim_cut_after(struct sys_sim *sim, uint64_t n, enum sys_sim_cut how);
bool sys_sim_has_power(struct sys_sim *sim);

enum sys_sim_keep {
    SIM_KEEP_NOTHING, /* what is stored, no more */
    SIM_KEEP_ALL,     /* everything done; as if only the processes had died */
    SIM_KEEP_PREFIX,  /* the first 'choice' modulo (pending + 1) unsynced operations, whole */
    SIM_KEEP_SUBSET,  /* any sectors, sizes and names, drawn with 'choice' as the seed */
};

/* Decides what of the unsynced survives, then starts the machine again; cuts the power first if
 * that has not happened. All processes are new ones, the monotonic clock starts anew. What a failed
 * sync has lost stays lost in every mode. */
void sys_sim_power_on(struct sys_sim *sim, enum sys_sim_keep keep, uint64_t choice);
/* The number of operations of which something is unsynced. */
uint64_t sys_sim_pending(struct sys_sim *sim);

/* ---- what goes wrong with disks ---- */

/* How many bytes of sectors all files may have together; 0: no limit. Full answers DISK_FULL, after
 * writing what fits. */
void sys_sim_set_capacity(struct sys_sim *sim, uint64_t bytes);
uint64_t sys_sim_used(struct sys_sim *sim);

/* The n-th sync from now on (1: the next; 0: none) of this file (NULL: of any file) fails with
 * IO_DEVICE_ERROR and then lies, as Linux does: the pages count as clean, reads still see them, the
 * next sync succeeds without writing them, and a power cut loses them. */
void sys_sim_fail_sync(struct sys_sim *sim, const char *path, uint64_t n);

/* Makes the sectors of this range of an existing file bad for SYS_READ, SYS_WRITE, both or (0)
 * none. Reading one fails; one that is written fails the next sync, which stores the others and
 * lies about this one. */
void sys_sim_set_bad(struct sys_sim *sim, const char *path, uint64_t offset, uint64_t size,
                     unsigned access);

/* ---- time ---- */

void sys_sim_advance(struct sys_sim *sim, uint64_t nanoseconds);

/* ---- looking and tampering ---- */

struct sys_sim_counts {
    uint64_t operations; /* all that change something, as sys_sim_cut_after counts */
    uint64_t reads, writes, bytes_written, allocates, syncs;
    uint64_t creates, renames, unlinks, directories, directory_syncs; /* 0 for a single file */
};

/* Of the file that has this name now (all 0 when there is none), or of the machine (NULL). */
struct sys_sim_counts sys_sim_counts(struct sys_sim *sim, const char *path);

/* Writes a line of text for every operation, read and cut from now on; NULL: no longer. */
void sys_sim_trace(struct sys_sim *sim, FILE *to);

/* The stored content of the file that is stored under this name; *data is the caller's to free.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND, OBJECT_TYPE_MISMATCH. */
NTSTATUS sys_sim_dump(struct sys_sim *sim, const char *path, void **data, size_t *size) must_use;
/* Makes or overwrites the file with this content, all of it and its name stored at once, beyond
 * capacity, cuts and counters; for putting damage on a disk. Answers: OBJECT_PATH_NOT_FOUND,
 * OBJECT_TYPE_MISMATCH. */
NTSTATUS sys_sim_load(struct sys_sim *sim, const char *path, const void *data,
                      size_t size) must_use;
