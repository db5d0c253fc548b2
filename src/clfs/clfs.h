/* SPDX-License-Identifier: MIT */
/*
 * The log: a base file, containers, and records in blocks (docs/format/log.md; docs/spec/clfs.md).
 *
 * A *log* is one physical dedicated log, shared by all who open it in this process; one process
 * writes it at a time [CLFS-CONC-13]. An *area* is where records gather into blocks before they are
 * written; its appends go to memory only and never wait for the disk. A *flush* makes everything up
 * to an LSN durable: one thread writes and forces for all who wait (group commit, design D6). A
 * *reader* is a cursor.
 *
 * What may be relied on:
 *  (1) LSNs are exact and final when an append returns, and strictly increase [CLFS-APPEND-19,
 * LSN-04]. (2) If a record is durable, all with smaller LSNs at or above the base are too
 * [CLFS-DUR-06]. (3) A block is wholly there after a crash or not at all [CLFS-DUR-08]; what lies
 * behind the first block that is not valid in sequence never becomes visible again [CLFS-DUR-19];
 * an invalid block that is known to have been durable is an error, never an end [CLFS-DUR-20]. (4)
 * After a failed write or force the log is failed: LOG_STATE_INVALID until it is reopened
 * [CLFS-DUR-13].
 *
 * Threads: any, at once, but a reader belongs to one thread at a time. No lock of the log is held
 * across I/O other than the one of the thread that forces; appends go on meanwhile.
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "sys/sys.h"

#define CLFS_LSN_NONE 0xFFFFFFFF00000000u /* CLFS_LSN_INVALID: no record */

#define CLFS_SECTOR_SIZE         512u
#define CLFS_CONTAINER_SIZE_STEP (512u << 10)
#define CLFS_CONTAINERS_MAX      1023u
#define CLFS_BLOCK_RECORDS_MAX   512u

/* An LSN is container id, byte offset of the block in it, number of the record in the block
 * [CLFS-LSN-01]. An *address* is an LSN whose record number is 0. */
static inline uint64_t
clfs_lsn_make(uint32_t container, uint64_t offset, unsigned sequence)
{
    CHECK(offset % CLFS_SECTOR_SIZE == 0 && offset < (UINT64_C(1) << 32) && sequence < 512);
    return (uint64_t)container << 32 | offset | sequence;
}

static inline uint32_t
clfs_lsn_container(uint64_t lsn)
{
    return (uint32_t)(lsn >> 32);
}

static inline uint32_t
clfs_lsn_offset(uint64_t lsn)
{
    return (uint32_t)lsn & ~511u;
}

static inline unsigned
clfs_lsn_sequence(uint64_t lsn)
{
    return (unsigned)lsn & 511;
}

static inline uint64_t
clfs_lsn_block(uint64_t lsn) /* the address of the block the record is in */
{
    return lsn & ~UINT64_C(511);
}

struct clfs_log;
struct clfs_area;
struct clfs_reader;

enum clfs_disposition { CLFS_CREATE_NEW = 1, CLFS_OPEN_EXISTING = 3, CLFS_OPEN_ALWAYS = 4 };

/* In a forked child: no log is open. */
void clfs_begin_anew(void);
/* Opens the dedicated log whose base file is '<path>.blf' and recovers it: finds its end, rewrites
 * and forces the tail that was not known durable, writes the new mark. A read-only open computes
 * the same end and writes nothing [CLFS-DUR-22]. Answers: OBJECT_NAME_NOT_FOUND,
 * OBJECT_PATH_NOT_FOUND, OBJECT_NAME_COLLISION, ACCESS_DENIED, DISK_FULL, SHARING_VIOLATION,
 * (another process has it, or a forked child asks for its parent's), DELETE_PENDING,
 * OBJECT_PATH_SYNTAX_BAD (a symbolic link), LOG_BLOCK_VERSION, LOG_METADATA_CORRUPT / _INVALID /
 * _INCONSISTENT, LOG_MULTIPLEXED, LOG_CONTAINER_OPEN_FAILED, LOG_CONTAINER_STATE_INVALID,
 * LOG_CONTAINER_READ_FAILED / _WRITE_FAILED, LOG_METADATA_FLUSH_FAILED, LOG_INCONSISTENT_SECURITY,
 * LOG_STATE_INVALID (no generation is left [CLFS-HARD-14]), INSUFFICIENT_RESOURCES. */
NTSTATUS clfs_log_open(struct sys *sys, const char *path, enum clfs_disposition disposition,
                       bool writable, struct clfs_log **out) must_use;
/* The last close of a writable log flushes and marks it clean; the status is that of the flush, the
 * log is gone all the same [CLFS-CLOSE-06]. NULL: nothing. */
NTSTATUS clfs_log_close(struct clfs_log *log);
/* Removes base file, then containers, when the last opener closes [CLFS-DELETE-01, -12]. */
NTSTATUS clfs_log_delete(struct clfs_log *log) must_use;

/* Which physical log this is: the same for all openers in this process while one of them has it
 * open. */
const void *clfs_log_physical(const struct clfs_log *log);

/* Adds 'count' containers of *size bytes (rounded up; 0 = the size the log has). 'paths' as the
 * caller of ClfsAddLogContainer gives them, or NULL: '<path>.c<n>' beside the base file. All or
 * none; durable on return [CLFS-CONT-01..19]. Answers: INVALID_PARAMETER, OBJECT_NAME_COLLISION,
 * DUPLICATE_NAME, DISK_FULL, LOG_CONTAINER_LIMIT_EXCEEDED, ACCESS_DENIED (read-only). */
NTSTATUS clfs_log_add_containers(struct clfs_log *log, unsigned count, uint64_t *size,
                                 const char *const *paths) must_use;

struct clfs_info {
    GUID identity;
    uint32_t sector_size;
    uint64_t container_size; /* 0: no container yet */
    unsigned containers, containers_free;
    uint64_t total_available, current_available, total_reservation; /* bytes */
    uint64_t base_lsn, last_lsn, flushed_lsn; /* last, flushed: exclusive bounds */
    uint64_t restart_lsn;                     /* CLFS_LSN_NONE: no restart area */
    uint64_t base_file_size;
    uint32_t flush_threshold;
    uint64_t flushes, flushed_bytes, metadata_flushes, metadata_bytes;
    bool is_writable, is_failed;
};
void clfs_log_info(struct clfs_log *log,
                   struct clfs_info *out); /* one consistent picture [CLFS-INFO-15] */

/* How an area gets the memory of its blocks; all zero: malloc, no limit. The functions are called
 * without any lock of the log held [CLFS-AREA-06]. */
struct clfs_area_options {
    void *(*allocate)(void *context, size_t size); /* 8-byte aligned; NULL: no memory */
    void (*release)(void *context, void *memory);
    void (*ended)(void *context); /* the last of the area's memory is gone; may be NULL */
    void *context;
    unsigned blocks_max; /* an append that needs one more: LOG_BLOCKS_EXHAUSTED; 0: no limit */
};

/* 'block_size' is rounded up to sectors; the largest record is one block less its overhead, see
 * clfs_record_size_max. Answers: LOG_NOT_ENOUGH_CONTAINERS, INVALID_PARAMETER,
 * INSUFFICIENT_RESOURCES. 'options' NULL: all zero. */
NTSTATUS clfs_area_create_with(struct clfs_log *log, uint32_t block_size,
                               const struct clfs_area_options *options,
                               struct clfs_area **out) must_use;

static inline NTSTATUS must_use
clfs_area_create(struct clfs_log *log, uint32_t block_size, struct clfs_area **out)
{
    return clfs_area_create_with(log, block_size, NULL, out);
}
NTSTATUS
clfs_area_destroy(struct clfs_area *area); /* flushes; gives back reservations; NULL: nothing */
uint32_t clfs_record_size_max(uint32_t block_size);
uint32_t clfs_area_block_size(const struct clfs_area *area);

enum clfs_append_flags { CLFS_FROM_RESERVATION = 1 };

/* Appends one record, the parts concatenated; memory only. *lsn is final.
 * Answers: INVALID_PARAMETER (does not fit a block), LOG_FULL, LOG_STATE_INVALID, ACCESS_DENIED,
 * LOG_RECORDS_RESERVED_INVALID, LOG_SPACE_RESERVED_INVALID, INSUFFICIENT_RESOURCES. */
NTSTATUS clfs_append(struct clfs_area *area, const struct bytes *parts, size_t count,
                     uint64_t previous, uint64_t undo_next, unsigned flags, uint64_t *lsn) must_use;

/* Returns when every record with an LSN <= 'lsn' is durable (0: every record). *flushed (may be
 * NULL): the new exclusive bound. Concurrent callers share one write and one force [CLFS-FLUSH-13].
 * Answers: INVALID_PARAMETER (beyond the end), LOG_CONTAINER_WRITE_FAILED, LOG_STATE_INVALID. */
NTSTATUS clfs_flush(struct clfs_area *area, uint64_t lsn, uint64_t *flushed) must_use;
/* After a flush has failed: true when the record is certainly not in the log and never will be,
 * because no block that could hold it was written whole; false when it may be there, as after a
 * failed force. */
bool clfs_is_absent(struct clfs_area *area, uint64_t lsn);
/* Writes what is buffered without forcing it, when more than the flush threshold has gathered
 * [CLFS-DUR-02]. Cheap when there is nothing to do; called by whoever appends lazily, with no lock
 * held. */
NTSTATUS clfs_write_behind(struct clfs_area *area) must_use;

/* Writes everything appended so far, the block just being filled included, and forces nothing: what
 * CLFS_FLAG_FORCE_APPEND asks for [CLFS-APPEND-23]. */
NTSTATUS clfs_write_out(struct clfs_area *area) must_use;

/* The reserved size of one record of 'size' data bytes, 0 when no block can hold it [CLFS-RESV-06].
 */
uint64_t clfs_reserved_size(const struct clfs_area *area, uint64_t size);
/* Sets aside space for 'records' records of together 'bytes' reserved bytes. Answers: LOG_FULL. */
NTSTATUS clfs_reserve(struct clfs_area *area, unsigned records, uint64_t bytes) must_use;
/* Answers: LOG_RECORDS_RESERVED_INVALID, LOG_SPACE_RESERVED_INVALID (more than is reserved). */
NTSTATUS clfs_unreserve(struct clfs_area *area, unsigned records, uint64_t bytes);

/* Both at once, by what is added; a negative number gives back. Answers: those of the two. */
NTSTATUS clfs_adjust_reservation(struct clfs_area *area, int64_t records, int64_t bytes) must_use;

/* What the area has reserved now. */
void clfs_area_reservation(struct clfs_area *area, uint64_t *records, uint64_t *bytes);

/* Moves the base [CLFS-BASE-10..26]. It is made durable here only if that frees a container,
 * because a container may be reused only behind a durable base [CLFS-MODEL-18] and an append never
 * does I/O: one metadata write and force per container, and on return the space is usable.
 * Otherwise the move becomes durable with the next metadata write. Answers: LOG_TAIL_INVALID,
 * ACCESS_DENIED, LOG_METADATA_FLUSH_FAILED, those of clfs_flush. */
NTSTATUS clfs_advance_base(struct clfs_area *area, uint64_t base) must_use;

/* Appends a restart record, forces everything, then makes restart LSN and base durable together
 * [CLFS-RESTART-01..18, CLFS-DUR-10]. 'base': CLFS_LSN_NONE = unchanged; the record's own LSN is
 * allowed by passing the last LSN reported before. */
NTSTATUS clfs_write_restart(struct clfs_area *area, struct bytes data, uint64_t base,
                            unsigned flags, uint64_t *lsn) must_use;

enum clfs_mode { CLFS_UNDO_NEXT = 1, CLFS_PREVIOUS = 2, CLFS_FORWARD = 3 };
enum clfs_type { CLFS_DATA = 1, CLFS_RESTART = 2, CLFS_ANY = 3 };

struct clfs_record {
    uint64_t lsn, previous, undo_next;
    unsigned type;     /* CLFS_DATA or CLFS_RESTART */
    struct bytes data; /* the reader's memory, until its next call; 8-byte aligned */
};

/* Answers: LOG_READ_MODE_INVALID, INVALID_PARAMETER, END_OF_FILE (at or above the end),
 * LOG_START_OF_LOG (below the base), NOT_FOUND, LOG_BLOCK_INVALID, LOG_BLOCK_INCOMPLETE (larger
 * than the area's blocks), LOG_CONTAINER_READ_FAILED. */
NTSTATUS clfs_read(struct clfs_area *area, uint64_t lsn, enum clfs_mode mode,
                   struct clfs_record *out, struct clfs_reader **reader) must_use;
/* 'filter': bits of clfs_type; 'user_lsn' NULL or the record to read instead. Answers as above;
 * END_OF_FILE and LOG_START_OF_LOG leave the reader where it was [CLFS-READ-38]. */
NTSTATUS clfs_read_next(struct clfs_reader *reader, unsigned filter, const uint64_t *user_lsn,
                        struct clfs_record *out) must_use;
/* The newest restart area. Answers: LOG_NO_RESTART (no reader is made), LOG_RESTART_INVALID. */
NTSTATUS clfs_read_restart(struct clfs_area *area, struct clfs_record *out,
                           struct clfs_reader **reader) must_use;
NTSTATUS clfs_read_previous_restart(struct clfs_reader *reader, struct clfs_record *out) must_use;
void clfs_reader_destroy(struct clfs_reader *reader); /* NULL: nothing */

OWNED_BY(struct clfs_reader, clfs_reader_destroy)
