/* SPDX-License-Identifier: MIT */
/*
 * Getting at a record.
 *
 * What is not yet in the files is copied from the block in memory: records there never change, so
 * the block is held, not locked, while it is copied. What is in the files is read through a window
 * and verified like everything from a disk, each block once as long as it is at hand.
 *
 * A container may be recycled while a reader looks at it. Then the block found is not the one
 * looked for, and the base has moved beyond the LSN asked for: so the base is looked at again
 * before anything is called invalid.
 */
#include "clfs/reader.h"

#include <stdlib.h>

#define READ_AHEAD (256u << 10)

/* ---- life ---- */

static NTSTATUS
bytes_allocate(struct clfs_reader *reader)
{
    const struct clfs_area_options *options = &reader->area->options;

    reader->capacity = reader->area->block_size;
    if (!options->allocate && reader->capacity < READ_AHEAD)
        reader->capacity = READ_AHEAD;
    reader->bytes = options->allocate ? options->allocate(options->context, reader->capacity)
                                      : malloc(reader->capacity);
    if (!reader->bytes)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    scan_init(&reader->scan, reader->bytes, reader->capacity);
    return STATUS_SUCCESS;
}

static void
bytes_release(struct clfs_reader *reader)
{
    const struct clfs_area_options *options = &reader->area->options;

    if (reader->bytes && options->release)
        options->release(options->context, reader->bytes);
    else
        free(reader->bytes);
}

NTSTATUS
reader_create(struct clfs_area *area, enum clfs_mode mode, struct clfs_reader **out)
{
    struct clfs_reader *reader = calloc(1, sizeof(*reader));
    NTSTATUS status;

    if (!reader)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    reader->area = area;
    reader->mode = mode;
    reader->block = CLFS_LSN_NONE;
    status = bytes_allocate(reader);
    if (status != STATUS_SUCCESS) {
        free(reader);
        return status;
    }
    sys_mutex_lock(&area->physical->mutex);
    area_hold(area); /* [CLFS-CONC-08] */
    sys_mutex_unlock(&area->physical->mutex);
    *out = reader;
    return STATUS_SUCCESS;
}

void
clfs_reader_destroy(struct clfs_reader *reader)
{
    if (!reader)
        return;
    bytes_release(reader);
    area_release(reader->area);
    free(reader);
}

void
reader_bounds(const struct clfs_reader *reader, struct bounds *out)
{
    struct physical *log = reader->area->physical;

    sys_mutex_lock(&log->mutex);
    *out = (struct bounds){.base = log->base, .last = log->last, .restart = log->restart};
    sys_mutex_unlock(&log->mutex);
}

/* ---- the block at hand ---- */

static void
block_take_up(struct clfs_reader *reader, uint64_t address, const uint8_t *at, unsigned records,
              uint32_t size)
{
    reader->block = address;
    reader->at = at;
    reader->records = records;
    reader->size = size;
    reader->cursor = 0;
    reader->cursor_offset = BLOCK_HEADER_SIZE;
}

static struct block *
list_find(const struct list *list, uint64_t address)
{
    struct block *block;

    LIST_EACH (block, list, link)
        if (block->lsn == address)
            return block;
    return NULL;
}

/* The block in memory at that address, or NULL. Under the mutex. */
static struct block *
memory_find(const struct physical *log, uint64_t address)
{
    struct block *block;

    if (log->open && log->open->lsn == address)
        return log->open;
    block = list_find(&log->sealed, address);
    return block ? block : list_find(&log->writing, address);
}

/* Enters with the mutex held, returns without. */
static NTSTATUS
load_from_memory(struct clfs_reader *reader, struct block *block)
{
    struct physical *log = reader->area->physical;
    uint64_t address = block->lsn;
    unsigned records = block->records;
    uint32_t used = block->used, size = block->size;

    if (used > reader->capacity || (size ? size : used) > reader->area->block_size) {
        sys_mutex_unlock(&log->mutex);
        return status_raise(STATUS_LOG_BLOCK_INCOMPLETE); /* [CLFS-READ-17] */
    }
    block->refs++;
    sys_mutex_unlock(&log->mutex);
    /* The header may be being written by the leader: it is not copied. */
    memcpy(reader->bytes + BLOCK_HEADER_SIZE, block->bytes + BLOCK_HEADER_SIZE,
           used - BLOCK_HEADER_SIZE);
    block_release(block);
    reader->scan.container = NULL; /* its window has been overwritten */
    block_take_up(reader, address, reader->bytes, records, size);
    return STATUS_SUCCESS;
}

/* What must be known about a place in the files; taken under the mutex. */
struct site {
    struct container *container;
    struct block_place place;
};

static bool
site_find(struct physical *log, uint64_t address, struct site *out)
{
    uint64_t limit, offset = clfs_lsn_offset(address);

    out->container = container_find(log, clfs_lsn_container(address));
    if (!out->container || offset < log->sector_size || offset % log->sector_size)
        return false;
    /* Only what is written, and never the slack of a full container: blocks of an earlier epoch may
     * lie there. */
    limit = out->container->end ? out->container->end : container_limit(log);
    if (clfs_lsn_container(log->written) == out->container->logical_id &&
        clfs_lsn_offset(log->written) < limit)
        limit = clfs_lsn_offset(log->written);
    if (address >= log->written || offset + BLOCK_HEADER_SIZE > limit)
        return false;
    out->place = (struct block_place){.identity = &log->identity,
                                      .lsn = address,
                                      .room = limit - offset,
                                      .sector_size = log->sector_size,
                                      .epoch_max = log->epoch};
    return true;
}

static NTSTATUS
load_from_file(struct clfs_reader *reader, const struct site *site)
{
    struct block_header header;
    const uint8_t *at;

    reader->block = CLFS_LSN_NONE;
    TRY(scan_block(&reader->scan, site->container, &site->place, reader->area->block_size, &header,
                   &at));
    block_take_up(reader, site->place.lsn, at, header.records, header.size);
    return STATUS_SUCCESS;
}

/* Makes the block at that address the one at hand. Answers: NOT_FOUND (no block can start there),
 * LOG_BLOCK_INVALID and what else scan_block says. */
static NTSTATUS
load(struct clfs_reader *reader, uint64_t address)
{
    struct physical *log = reader->area->physical;
    struct block *block;
    struct site site;
    bool is_known;

    sys_mutex_lock(&log->mutex);
    block = memory_find(log, address);
    if (block)
        return load_from_memory(reader, block);
    is_known = site_find(log, address, &site);
    sys_mutex_unlock(&log->mutex);
    return is_known ? load_from_file(reader, &site) : status_raise(STATUS_NOT_FOUND);
}

/* Like load, but a block at hand serves, unless it was still growing and 'needed' is beyond what it
 * had. */
static NTSTATUS
ensure(struct clfs_reader *reader, uint64_t address, unsigned needed)
{
    if (reader->block == address && (needed < reader->records || reader->size))
        return STATUS_SUCCESS;
    return load(reader, address);
}

/* ---- records ---- */

static void
cursor_move(struct clfs_reader *reader, unsigned sequence)
{
    struct record_header record;

    if (sequence < reader->cursor) {
        reader->cursor = 0;
        reader->cursor_offset = BLOCK_HEADER_SIZE;
    }
    for (; reader->cursor < sequence; reader->cursor++) {
        record_header_decode(reader->at, reader->cursor_offset, &record);
        reader->cursor_offset += record_space(record.size);
    }
}

static NTSTATUS
range_check(const struct bounds *bounds, uint64_t lsn)
{
    if (lsn >= bounds->last)
        return status_raise(STATUS_END_OF_FILE); /* [CLFS-READ-09] */
    if (lsn < bounds->base)
        return status_raise(STATUS_LOG_START_OF_LOG); /* [CLFS-READ-10] */
    return STATUS_SUCCESS;
}

/* A block that is not what it should be may have been recycled under our eyes. */
static NTSTATUS
failure_explain(const struct clfs_reader *reader, uint64_t lsn, NTSTATUS status)
{
    struct bounds bounds;

    if (status != STATUS_LOG_BLOCK_INVALID && status != STATUS_NOT_FOUND)
        return status;
    reader_bounds(reader, &bounds);
    return lsn < bounds.base ? status_raise(STATUS_LOG_START_OF_LOG) : status;
}

NTSTATUS
reader_find(struct clfs_reader *reader, uint64_t lsn, struct record_header *record,
            struct bytes *data)
{
    unsigned sequence = clfs_lsn_sequence(lsn);
    struct bounds bounds;
    NTSTATUS status;

    reader_bounds(reader, &bounds);
    TRY(range_check(&bounds, lsn));
    status = ensure(reader, clfs_lsn_block(lsn), sequence);
    if (status != STATUS_SUCCESS)
        return failure_explain(reader, lsn, status);
    if (sequence >= reader->records)
        return status_raise(STATUS_NOT_FOUND); /* [CLFS-READ-14] */
    cursor_move(reader, sequence);
    record_header_decode(reader->at, reader->cursor_offset, record);
    *data = bytes_of(reader->at + reader->cursor_offset + RECORD_HEADER_SIZE, record->size);
    return STATUS_SUCCESS;
}

/* The address behind the block at hand. */
static uint64_t
next_block(const struct clfs_reader *reader)
{
    struct physical *log = reader->area->physical;
    uint64_t address;

    sys_mutex_lock(&log->mutex);
    address = address_normalize(log, reader->block + reader->size);
    sys_mutex_unlock(&log->mutex);
    return address;
}

NTSTATUS
reader_successor(struct clfs_reader *reader, uint64_t lsn, uint64_t *next)
{
    unsigned sequence = clfs_lsn_sequence(lsn) + 1;
    struct bounds bounds;
    NTSTATUS status;

    reader_bounds(reader, &bounds);
    if (lsn + 1 >= bounds.last)
        return status_raise(STATUS_END_OF_FILE); /* [CLFS-READ-28] */
    status = ensure(reader, clfs_lsn_block(lsn), sequence);
    if (status != STATUS_SUCCESS)
        return failure_explain(reader, lsn, status);
    if (sequence < reader->records) {
        *next = lsn + 1;
        return STATUS_SUCCESS;
    }
    if (reader->size == 0)
        return status_raise(STATUS_END_OF_FILE);
    *next = next_block(reader);
    return *next < bounds.last ? STATUS_SUCCESS : status_raise(STATUS_END_OF_FILE);
}

NTSTATUS
reader_first_from(struct clfs_reader *reader, uint64_t lsn, uint64_t *first)
{
    struct physical *log = reader->area->physical;
    uint64_t at = clfs_lsn_make(clfs_lsn_container(lsn), log->sector_size, 0);
    struct bounds bounds;

    reader_bounds(reader, &bounds);
    /* Block by block from the start of the container, until one reaches up to it. */
    while (at < bounds.last) {
        TRY(ensure(reader, at, 0));
        if (at + reader->records > lsn) {
            *first = at < lsn ? lsn : at;
            return STATUS_SUCCESS;
        }
        if (reader->size == 0)
            break;
        at = next_block(reader);
    }
    return status_raise(STATUS_END_OF_FILE);
}
