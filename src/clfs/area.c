/* SPDX-License-Identifier: MIT */
/*
 * Areas, and the memory of the blocks they fill.
 *
 * The block being filled belongs to the log, not to an area: areas of one block size fill the same
 * one, so an LSN is known when its record is appended and stays what it is [CLFS-CONC-05]. A
 * block's memory belongs to the area that opened it and goes back there.
 */
#include "clfs/log.h"

#include <stdlib.h>

#define SPARE_MAX 8u /* blocks an area keeps for the next time */

uint32_t
clfs_record_size_max(uint32_t block_size)
{
    uint32_t overhead = BLOCK_HEADER_SIZE + RECORD_HEADER_SIZE;

    return block_size > overhead ? (block_size - overhead) & ~7u : 0;
}

uint32_t
clfs_area_block_size(const struct clfs_area *area)
{
    return area->block_size;
}

static NTSTATUS
block_size_check(struct physical *log, uint32_t *block_size)
{
    uint64_t size = round_up(*block_size, log->sector_size), usable;
    unsigned count;

    sys_mutex_lock(&log->mutex);
    count = log->container_count;
    usable = count ? container_limit(log) - log->sector_size : 0;
    sys_mutex_unlock(&log->mutex);
    if (size == 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-AREA-09] */
    if (count < 2)
        return status_raise(STATUS_LOG_NOT_ENOUGH_CONTAINERS); /* [CLFS-MODEL-13] */
    if (size > usable)
        return status_raise(STATUS_INVALID_PARAMETER);
    *block_size = (uint32_t)size;
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_area_create_with(struct clfs_log *log, uint32_t block_size,
                      const struct clfs_area_options *options, struct clfs_area **out)
{
    struct clfs_area *area;

    TRY(block_size_check(log->physical, &block_size));
    area = calloc(1, sizeof(*area));
    if (!area)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (options)
        area->options = *options;
    area->physical = log->physical;
    area->log = log;
    area->block_size = block_size;
    area->refs = 1;
    list_init(&area->spare);
    log_hold(log);
    *out = area;
    return STATUS_SUCCESS;
}

static void
block_free(struct block *block)
{
    const struct clfs_area_options *options = &block->area->options;

    if (options->release)
        options->release(options->context, block->bytes);
    else
        free(block->bytes);
    free(block);
}

/* Frees the blocks of a list nobody else can reach; the areas still live. */
static void
blocks_free(struct list *blocks)
{
    while (!list_is_empty(blocks)) {
        struct block *block = list_first(blocks, struct block, link);
        list_remove(&block->link);
        block_free(block);
    }
}

static void
area_blocks_move(struct clfs_area *area, struct list *from, struct list *to)
{
    struct block *block, *after;

    LIST_EACH_SAFE (block, after, from, link) {
        if (block->area == area) {
            list_remove(&block->link);
            list_append(to, &block->link);
        }
    }
}

/* A failed log holds blocks it will never write. Their memory goes with the area; their records, of
 * which no durability was ever promised, with it. Under the mutex. */
static void
area_abandon_blocks(struct clfs_area *area, struct list *doomed)
{
    struct physical *log = area->physical;
    struct list abandoned;

    force_wait_idle(log); /* a metadata write may have failed while the leader was at work */
    list_init(&abandoned);
    block_seal(log);
    area_blocks_move(area, &log->sealed, &abandoned);
    area_blocks_move(area, &log->writing, &abandoned);
    blocks_unref(&abandoned, doomed);
}

NTSTATUS
clfs_area_destroy(struct clfs_area *area)
{
    struct physical *log;
    struct list doomed;
    NTSTATUS status = STATUS_SUCCESS;

    if (!area)
        return STATUS_SUCCESS;
    list_init(&doomed);
    log = area->physical;
    if (area->log->is_writable)
        status = force_until(log, 0); /* [CLFS-AREA-20] */
    sys_mutex_lock(&log->mutex);
    reservation_change(area, -(int64_t)area->reserved.records, 0); /* [CLFS-AREA-23] */
    area->is_deleted = true;
    if (log->failure)
        area_abandon_blocks(area, &doomed);
    sys_mutex_unlock(&log->mutex);
    blocks_doomed_free(&doomed);
    area_release(area);
    return status; /* [CLFS-AREA-24] */
}

void
area_hold(struct clfs_area *area)
{
    area->refs++;
}

void
area_release(struct clfs_area *area)
{
    struct physical *log = area->physical;
    bool is_last;

    sys_mutex_lock(&log->mutex);
    CHECK(area->refs > 0);
    is_last = --area->refs == 0;
    sys_mutex_unlock(&log->mutex);
    if (is_last) {
        struct clfs_log *handle = area->log;

        blocks_free(&area->spare);
        if (area->options.ended)
            area->options.ended(area->options.context);
        free(area);
        /* The area may have outlived its opener; then this is the log's last close, and whoever
         * needs its status closes in the right order [CLFS-CONC-07]. */
        (void)log_release(handle);
    }
}

/* ---- blocks ---- */

struct block *
block_take(struct clfs_area *area)
{
    struct block *block;

    if (list_is_empty(&area->spare))
        return NULL;
    block = list_first(&area->spare, struct block, link);
    list_remove(&block->link);
    area->spare_count--;
    return block;
}

void
block_put_back(struct block *block)
{
    list_append(&block->area->spare, &block->link);
    block->area->spare_count++;
}

NTSTATUS
block_create(struct clfs_area *area, struct block **out)
{
    struct block *block = calloc(1, sizeof(*block));

    if (!block)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    list_init(&block->link);
    block->area = area;
    block->bytes = area->options.allocate
                       ? area->options.allocate(area->options.context, area->block_size)
                       : malloc(area->block_size);
    if (!block->bytes || (uintptr_t)block->bytes % 8) {
        if (block->bytes)
            block_free(block);
        else
            free(block);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = block;
    return STATUS_SUCCESS;
}

/* One hold less; a block nobody holds goes back to its area, or into 'doomed' when the area has
 * enough. Under the mutex. */
static void
block_unref(struct block *block, struct list *doomed)
{
    struct clfs_area *area = block->area;

    CHECK(block->refs > 0);
    if (--block->refs > 0)
        return;
    if (area->is_deleted || area->spare_count >= SPARE_MAX) {
        area->blocks--;
        list_append(doomed, &block->link);
    } else {
        block_put_back(block);
        area->refs--; /* cannot be the last: the creator's hold is still there */
        CHECK(area->refs > 0);
    }
}

/* Frees what block_unref gave up, with the hold each such block has on its area. */
static void
doomed_free(struct list *doomed)
{
    while (!list_is_empty(doomed)) {
        struct block *block = list_first(doomed, struct block, link);
        struct clfs_area *area = block->area;

        list_remove(&block->link);
        block_free(block);
        area_release(area);
    }
}

void
block_release(struct block *block)
{
    struct physical *log = block->area->physical;
    struct list doomed;

    list_init(&doomed);
    sys_mutex_lock(&log->mutex);
    block_unref(block, &doomed);
    sys_mutex_unlock(&log->mutex);
    doomed_free(&doomed);
}

void
blocks_unref(struct list *blocks, struct list *doomed)
{
    while (!list_is_empty(blocks)) {
        struct block *block = list_first(blocks, struct block, link);

        list_remove(&block->link);
        block_unref(block, doomed);
    }
}

void
blocks_doomed_free(struct list *doomed)
{
    doomed_free(doomed);
}
