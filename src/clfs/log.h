/* SPDX-License-Identifier: MIT */
/*
 * What the files of this room share: the physical log in memory.
 *
 * One 'struct physical' exists for each log open in this process, whatever the number of openers;
 * a 'struct clfs_log' is one opener's hold on it. Where an LSN is a place between blocks rather
 * than a record it is called an *address*.
 *
 *        base                     durable      written         next
 *   ──────┼──────────────────────────┼────────────┼──────────────┼────────▶ addresses
 *         │ on stable storage        │ in files   │ in memory    │
 *
 * Invariants: (1) base <= last, flushed <= last, durable <= written <= next; none of them ever
 * decreases, base and next excepted by reopening [CLFS-BASE-06]. (2) containers[0 … active_count)
 * are active with consecutive logical ids, containers[0] is base's, the last one is next's; the
 * others are free and will be used in this order. (3) On disk the order is the same: so recovery
 * knows which container comes next without being told at each change of container. (4) A container
 * enters the free ones only behind a metadata write that made the base passing it durable
 * [CLFS-MODEL-18].
 *
 * Locks, in order: registry, 'metadata' (one metadata write at a time; held across its I/O),
 * 'mutex' (short, never across I/O). The right to write blocks is not a lock but
 * 'force.is_running'.
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "clfs/clfs.h"
#include "clfs/format.h"
#include "sys/thread.h"

#define LOG_FLUSH_THRESHOLD 40000u /* bytes pending before write-behind [CLFS-INFO-22] */

struct container {
    struct sys_file *file;
    uint64_t device, inode;
    uint32_t physical_id;
    uint32_t logical_id; /* while active */
    uint64_t end;        /* while active and full: the offset behind its last block; else 0 */
    struct list dirty;   /* in the log's list while written and not forced; the leader's */
    size_t name_size;
    char name[CONTAINER_NAME_MAX + 1];
};

/* A block in memory, from its first record until it is durable or merely written. Its records
 * never change once they are in it; the header bytes belong to the writer. */
struct block {
    struct list link;       /* in 'sealed', 'writing' or an area's 'spare' */
    struct clfs_area *area; /* whose memory it is; the block holds it */
    unsigned refs;          /* the log's, and one for each reader copying from it */
    uint64_t lsn, previous;
    uint32_t capacity;   /* what fits behind it in its container, at most the area's block size */
    uint32_t used, size; /* size: 0 until sealed */
    unsigned records;
    struct container *container;
    uint8_t *bytes;
};

/* The tail is the last byte of a sealed block's padding: never 0, and another one each time the
 * container is used. So the last byte that is written differs from what stood there, and a block
 * that was not written to its end is not whole, however many zeros it ends with. */
static inline bool
block_has_tail(const struct block *block)
{
    return block->size > block->used;
}

/* Group commit. At most one thread, the leader, writes blocks; those who wait for the batch it is
 * writing sleep on one word, those who must wait for the next batch on the other. */
struct force {
    bool is_running;
    uint64_t bound;      /* records below it are in the running batch */
    unsigned batch;      /* number of the running or last batch; its word is word[batch & 1] */
    unsigned waiting[2]; /* sleepers on each word */
    _Atomic uint32_t word[2];
};

struct reservation {
    uint64_t records, bytes;
    uint64_t largest; /* the largest record that may be meant, since there last were none */
};

struct physical {
    struct list link; /* in the registry */
    unsigned refs;
    _Atomic uint32_t life; /* enum life; changes are woken */
    uint64_t process;      /* that opened it: a forked child has the memory and not the lock */
    struct sys *sys;
    char *path;         /* of the base file without ".blf", as first given */
    char *directory;    /* of the base file */
    size_t prefix_size; /* of 'path' up to and with its last slash */
    struct sys_file *file;
    struct list aliases;  /* other descriptors of the base file, see open.c */
    struct sys_info info; /* of the base file */
    bool file_is_writable;

    struct sys_mutex metadata;
    uint64_t generation;
    unsigned slot; /* the copy in force; the other is written next */
    uint64_t epoch;
    uint32_t next_physical_id;
    bool is_writable; /* recovered for writing: only then is anything written */
    bool is_damaged;  /* something that was durable is gone: never writable [CLFS-DUR-20] */
    bool is_doomed;   /* removed at the last close; under the registry's lock */
    uint8_t *copy;    /* the copy in force as read, until it has been confirmed */
    size_t copy_size;
    uint64_t rewrite_from; /* until made final: what lies behind may be in the page cache only */
    uint64_t metadata_flushes, metadata_bytes;

    struct sys_mutex mutex;
    GUID identity;
    uint32_t sector_size;
    uint64_t container_size;
    unsigned container_count, active_count;
    struct container *containers[CLFS_CONTAINERS_MAX];
    uint64_t base, restart, last;
    _Atomic uint64_t flushed; /* exclusive bound of the durable records; set under the mutex */
    uint64_t durable, durable_block;               /* the LSN of the block that ends there */
    uint64_t written, written_block, written_last; /* and the bound of the records below */
    uint64_t next, newest_block; /* sealed or open; 'next' is where the open block starts */
    struct block *open;
    struct list sealed, writing;
    struct list dirty; /* containers written and not forced; the leader's */
    uint64_t pending;  /* bytes in 'sealed' */
    struct force force;
    NTSTATUS failure;     /* not SUCCESS: failed until reopened [CLFS-DUR-13] */
    uint64_t absent_from; /* after a failure: records from here on are in no block that is whole */
    struct reservation reserved; /* over all areas */
    uint64_t flushes, flushed_bytes;
};

struct clfs_log {
    struct physical *physical;
    bool is_writable;
    unsigned refs; /* the opener's and the areas'; under the registry's lock */
};

struct clfs_area {
    struct physical *physical;
    struct clfs_log *log;
    struct clfs_area_options options;
    uint32_t block_size;
    unsigned refs; /* the creator's, the readers' and the blocks'; under the log's mutex */
    bool is_deleted;
    unsigned blocks;   /* alive, the spare ones included */
    struct list spare; /* blocks to be used again */
    unsigned spare_count;
    struct reservation reserved;
};

/* ---- space (space.c); all under the mutex ---- */

static inline uint64_t
round_up(uint64_t size, uint64_t step)
{
    return (size + step - 1) / step * step;
}

/* Offsets in a container end here: a block's end must still be an address in it. */
static inline uint64_t
container_limit(const struct physical *log)
{
    uint64_t limit = (UINT64_C(1) << 32) - log->sector_size;

    return log->container_size < limit ? log->container_size : limit;
}

static inline struct container *
container_current(const struct physical *log)
{
    return log->active_count ? log->containers[log->active_count - 1] : NULL;
}

/* The active container with that logical id, or NULL. */
struct container *container_find(const struct physical *log, uint32_t logical_id);
/* The address at which the block behind that place starts, when the one at it does not. */
uint64_t address_normalize(const struct physical *log, uint64_t address);
/* Where the next block would start if the open one were sealed now. */
uint64_t address_after_open(const struct physical *log);
/* Bytes that blocks of at most 'largest' bytes can certainly still fill, from 'next' on. */
uint64_t space_free(const struct physical *log, uint64_t next, unsigned active, uint64_t largest);
/* Whether all reservations, changed by that much, fit behind 'next'. */
bool space_suffices(const struct physical *log, uint64_t next, unsigned active, uint64_t bytes,
                    uint64_t largest);
/* Changes what the area and the log have reserved; the caller has checked that it can be. */
void reservation_change(struct clfs_area *area, int64_t records, int64_t bytes);

/* ---- containers (container.c) ---- */

/* The path of a container, allocated; NULL: no memory. */
char *container_path(const struct physical *log, const char *name);
/* Opens and verifies the container an entry of the metadata tells of [CLFS-HARD-27]. Answers:
 * LOG_CONTAINER_OPEN_FAILED, LOG_METADATA_INCONSISTENT, LOG_INCONSISTENT_SECURITY. */
NTSTATUS container_open(struct physical *log, const struct base_container *entry,
                        struct container **out) must_use;
void container_destroy(struct container *container);
OWNED_BY(struct container, container_destroy)

/* ---- metadata (metadata.c) ---- */

struct base_change {
    uint64_t base, restart; /* the new ones */
    bool is_clean;
};

/* The state now, with base and restart as given. Under 'metadata'; takes the mutex. */
NTSTATUS metadata_image(struct physical *log, const struct base_change *change, unsigned added,
                        struct base_image **out) must_use;
/* Writes the image as the next generation into the copy not in force, and forces it. Under
 * 'metadata'. On failure the log is failed. Answers: LOG_METADATA_FLUSH_FAILED,
 * LOG_STATE_INVALID (no generation is left). */
NTSTATUS metadata_write(struct physical *log, struct base_image *image) must_use;
/* The same into both copies, one after the other. */
NTSTATUS metadata_write_both(struct physical *log, struct base_image *image) must_use;
/* Makes base and restart LSN durable together, then moves them and frees containers. Under
 * 'metadata', which the caller holds since it computed the change. */
NTSTATUS metadata_move(struct physical *log, uint64_t base, uint64_t restart) must_use;
/* Reads both copies and gives the one in force. */
NTSTATUS metadata_read(struct physical *log, struct base_image **out) must_use;
/* Writes the copy in force once more where it stands, and forces it: after this the other one may
 * be given up, even if the force that followed the last write failed and nobody knows. */
NTSTATUS metadata_confirm(struct physical *log) must_use;

/* ---- recovery (recover.c) ---- */

/* Finds the end of the log the image describes; writes nothing [CLFS-DUR-17, -22]. A log that has
 * lost something that was durable: METADATA_INCONSISTENT for writing; else it is marked damaged and
 * readable up to there. */
NTSTATUS recover_find_end(struct physical *log, const struct base_image *image,
                          bool for_writing) must_use;
/* Makes the end found final: rewrites and forces what was not known durable, then moves mark and
 * epoch on in both copies [CLFS-DUR-19]. */
NTSTATUS recover_make_final(struct physical *log) must_use;

/* ---- registry (open.c) ---- */

/* clfs_log_open, for a new log with that sector size. */
NTSTATUS log_open(struct sys *sys, const char *path, enum clfs_disposition disposition,
                  bool writable, uint32_t sector_size, struct clfs_log **out) must_use;

/* A second descriptor of the base file: takes it, and closes it with the log, not before. */
void log_keep_descriptor(struct physical *log, struct sys_file *file);
void log_hold(struct clfs_log *log);
NTSTATUS log_release(struct clfs_log *log);

/* ---- areas and blocks (area.c) ---- */

/* Under the mutex, but for block_create and what ends in _release or _free: those take it. */
void area_hold(struct clfs_area *area);
void area_release(struct clfs_area *area);
struct block *block_take(struct clfs_area *area); /* a spare one, or NULL */
void block_put_back(struct block *block);         /* among the spare ones */
NTSTATUS block_create(struct clfs_area *area, struct block **out) must_use;
void block_release(struct block *block); /* a reader lets go of it */
/* The log lets go of all blocks in the list; what must be freed goes into 'doomed', for
 * blocks_doomed_free. */
void blocks_unref(struct list *blocks, struct list *doomed);
void blocks_doomed_free(struct list *doomed);

/* ---- appending and writing ---- */

NTSTATUS append_record(struct clfs_area *area, unsigned type, const struct bytes *parts,
                       size_t count, uint64_t previous, uint64_t undo_next, unsigned flags,
                       uint64_t *lsn) must_use;
void block_seal(struct physical *log); /* the open one, if any; under the mutex */
/* Everything up to 'lsn' (0: all) is durable on return. */
NTSTATUS force_until(struct physical *log, uint64_t lsn) must_use;
/* Everything is written on return, not forced. */
NTSTATUS write_all(struct physical *log) must_use;
void log_fail(struct physical *log, NTSTATUS failure); /* under the mutex */
/* Returns when no leader is at work; under the mutex, which it gives up meanwhile. */
void force_wait_idle(struct physical *log);
