/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a log on disk (docs/format/log.md), and the one routine for each structure that
 * decides whether bytes are that structure [CLFS-HARD-04].
 *
 * Pure: no I/O, no state. Decoding never casts and never trusts: what comes out is a fresh object
 * whose every field has been checked against constants or against sizes the caller knows
 * [CLFS-HARD-02, -03]. Encoding never leaves a byte undefined [CLFS-HARD-08]. All numbers are
 * little-endian; every checksum is CRC-32C, and 0 is never a valid one [CLFS-HARD-06].
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "clfs/clfs.h"

#define FORMAT_VERSION 1u

/* ---- the base file: two copies at fixed places, each a header and a table of typed entries ----
 */

#define BASE_HEADER_SIZE     512u
#define BASE_ENTRY_SIZE      512u
#define BASE_ENTRIES_MAX     1247u /* one stream, 1023 containers, and room for more streams */
#define BASE_COPY_SIZE       (BASE_HEADER_SIZE + BASE_ENTRY_SIZE * BASE_ENTRIES_MAX)
#define BASE_FILE_SIZE       (2u * BASE_COPY_SIZE)
#define CONTAINER_NAME_MAX   480u
#define CONTAINER_UNUSED     UINT32_MAX /* logical id of a container that is not active */
#define CONTAINER_SIZE_MAX   (UINT64_C(4) << 30)
#define CONTAINER_INACTIVE   0x02u /* states: docs/spec/clfs.md section 1.3 */
#define CONTAINER_ACTIVE     0x04u
#define BASE_GENERATION_LAST (UINT64_MAX - 16) /* no write goes beyond it [CLFS-HARD-14] */

struct base_container {
    uint32_t physical_id;
    uint32_t logical_id; /* CONTAINER_UNUSED when inactive */
    uint32_t state;
    uint64_t end; /* active and full: the offset behind its last block; else 0 */
    size_t name_size;
    char name[CONTAINER_NAME_MAX + 1]; /* relative to the base file's directory, or absolute */
};

/* What one copy says. Containers stand in the order of use: first the active ones by ascending
 * logical id, then the free ones, the next to be used first. */
struct base_image {
    uint64_t generation; /* grows by 1 with each write; the newest whole copy is in force */
    GUID identity;
    uint32_t sector_size;
    uint64_t container_size; /* 0: no container yet */
    uint32_t next_physical_id;
    uint64_t epoch;      /* what blocks behind the mark must carry */
    bool is_clean;       /* nothing was written behind the mark */
    uint64_t mark;       /* address: all blocks below are on stable storage */
    uint64_t last_block; /* LSN of the block that ends at the mark; CLFS_LSN_NONE: none */
    uint64_t last;       /* the exclusive bound of the records below the mark */
    uint64_t base, restart;
    unsigned container_count, active_count;
    struct base_container containers[];
};

/* Allocated with room for 'container_count' containers, all zero; freed with base_image_destroy. */
struct base_image *base_image_create(unsigned container_count);
void base_image_destroy(struct base_image *image);
OWNED_BY(struct base_image, base_image_destroy)

/* Bytes base_image_encode writes. */
size_t base_image_size(const struct base_image *image);
/* 'into': base_image_size bytes. The image must be valid: a bug otherwise. */
void base_image_encode(const struct base_image *image, uint8_t *into);

/* How long the copy beginning so claims to be, 0 if it does not begin like one. */
uint32_t base_copy_claimed_size(struct bytes region);
/* Whether the region holds a whole copy of any version, and of which generation. Answers:
 * LOG_METADATA_CORRUPT (signature, size or checksum). */
NTSTATUS base_copy_check(struct bytes region, uint64_t *generation) must_use;
/* All that base_copy_check does, and every field. Answers also: LOG_BLOCK_VERSION,
 * LOG_METADATA_INVALID, LOG_METADATA_INCONSISTENT, LOG_CONTAINER_STATE_INVALID, LOG_MULTIPLEXED,
 * INSUFFICIENT_RESOURCES. */
NTSTATUS base_copy_decode(struct bytes region, struct base_image **out) must_use;

/* Whether a file that begins so can be a base file that was never finished: nothing but zeros, or
 * the signature. 'head': BASE_HEADER_SIZE bytes. */
bool base_is_draft(struct bytes head);

/* The rules every image must obey, also one we are about to write. */
NTSTATUS base_image_validate(const struct base_image *image) must_use;
/* Relative to the base file's directory without '.', '..' or empty components, or absolute. */
bool container_name_is_valid(struct bytes name);

/* ---- containers: one header sector, then blocks ---- */

#define CONTAINER_HEADER_USED 56u

struct container_header {
    GUID identity; /* of the log */
    uint32_t physical_id;
    uint32_t sector_size;
    uint64_t size;
};

/* 'sector': header->sector_size bytes. */
void container_header_encode(const struct container_header *header, uint8_t *sector);
/* Answers: LOG_BLOCK_VERSION, LOG_METADATA_CORRUPT. What the fields should be is the caller's to
 * know. */
NTSTATUS container_header_decode(struct bytes sector, struct container_header *out) must_use;

/* Whether a file that begins so can be a container that was never finished: nothing but zeros, or
 * the signature. 'head': 8 bytes. */
bool container_is_draft(struct bytes head);

/* ---- blocks ---- */

#define BLOCK_HEADER_SIZE  96u
#define RECORD_HEADER_SIZE 24u

struct block_header {
    GUID identity;     /* of the log */
    uint64_t lsn;      /* its own address, record sequence 0 */
    uint64_t previous; /* LSN of the block before it; CLFS_LSN_NONE: the first of the log */
    uint64_t durable;  /* hint: when this was written, all blocks below were durable */
    uint64_t epoch;
    uint32_t size; /* of the whole block, a multiple of the sector */
    uint32_t used; /* header and records; the rest is zero */
    unsigned records;
};

/* What a block at that place must be. */
struct block_place {
    const GUID *identity;
    uint64_t lsn;
    uint64_t room; /* bytes from there to the end of the container */
    uint32_t sector_size;
    uint64_t epoch_min, epoch_max;
};

struct record_header {
    unsigned type;
    uint32_t size; /* of the data */
    uint64_t previous, undo_next;
};

static inline uint32_t
record_space(uint32_t size) /* what a record of 'size' data bytes takes in a block */
{
    return RECORD_HEADER_SIZE + ((size + 7) & ~7u);
}

void record_header_encode(const struct record_header *record, uint8_t *into);
/* Writes header and checksums into 'block', whose records and zero padding are in place. */
void block_encode(const struct block_header *header, uint8_t *block);

/* The header alone, by its own checksum; 'raw' holds at least BLOCK_HEADER_SIZE bytes. Answers:
 * LOG_BLOCK_VERSION, LOG_BLOCK_INVALID [CLFS-HARD-29]. */
NTSTATUS block_header_decode(struct bytes raw, const struct block_place *place,
                             struct block_header *out) must_use;
/* The LSN the bytes claim, for whoever does not know which block stands there; decode before
 * believing anything. 'raw' holds at least BLOCK_HEADER_SIZE bytes. */
uint64_t block_claimed_lsn(struct bytes raw);
/* The whole block with all its records. Answers also: LOG_BLOCK_INCOMPLETE ('raw' is shorter than
 * the block). */
NTSTATUS block_decode(struct bytes raw, const struct block_place *place,
                      struct block_header *out) must_use;
/* The record at 'offset' of a block that block_decode has accepted (or that is ours). */
void record_header_decode(const uint8_t *block, uint32_t offset, struct record_header *out);
