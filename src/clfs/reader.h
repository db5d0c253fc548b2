/* SPDX-License-Identifier: MIT */
/* A reader's way to a record, from memory or from a file; used by read.c. */
#pragma once

#include "clfs/scan.h"

struct clfs_reader {
    struct clfs_area *area;
    enum clfs_mode mode;
    bool is_restart;             /* from clfs_read_restart */
    uint64_t lsn;                /* of the record delivered last */
    struct record_header record; /* and its header */
    struct scan scan;            /* bytes from the files */
    uint8_t *bytes;              /* the memory of 'scan' and of copies */
    size_t capacity;
    /* The block at hand. */
    uint64_t block;         /* its address; CLFS_LSN_NONE: none */
    const uint8_t *at;      /* its bytes, in 'bytes' */
    unsigned records;       /* it has, as far as is known */
    uint32_t size;          /* of the whole block; 0: it may still grow */
    unsigned cursor;        /* a record of it … */
    uint32_t cursor_offset; /* … and where that starts */
};

NTSTATUS reader_create(struct clfs_area *area, enum clfs_mode mode,
                       struct clfs_reader **out) must_use;

/* The bounds of the moment. */
struct bounds {
    uint64_t base, last, restart;
};
void reader_bounds(const struct clfs_reader *reader, struct bounds *out);

/* Finds the record, leaves it in reader->at and *record; the reader's position does not move.
 * Answers: END_OF_FILE, LOG_START_OF_LOG, NOT_FOUND, LOG_BLOCK_INVALID, LOG_BLOCK_VERSION,
 * LOG_BLOCK_INCOMPLETE, LOG_CONTAINER_READ_FAILED. */
NTSTATUS reader_find(struct clfs_reader *reader, uint64_t lsn, struct record_header *record,
                     struct bytes *data) must_use;
/* The LSN of the record behind 'lsn', which is a record's. Answers: END_OF_FILE and those above. */
NTSTATUS reader_successor(struct clfs_reader *reader, uint64_t lsn, uint64_t *next) must_use;
/* The LSN of the first record at or above 'lsn', which may be anything in the active log. */
NTSTATUS reader_first_from(struct clfs_reader *reader, uint64_t lsn, uint64_t *first) must_use;
