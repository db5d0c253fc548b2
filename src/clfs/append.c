/* SPDX-License-Identifier: MIT */
/*
 * Appending: memory only, under the short mutex, never waiting for the disk.
 *
 * The place of a record is decided and final here [CLFS-APPEND-19]: behind the open block's last
 * record, else in a new block directly behind, else in a new block at the start of the next free
 * container. Taking a container into use needs no metadata write: its logical id and its turn
 * follow from the order on disk (invariant 3 of log.h), and the first block in it names the block
 * before it, so recovery follows or does not, without a third possibility.
 */
#include "clfs/log.h"

struct request {
    unsigned type, flags;
    const struct bytes *parts;
    size_t count;
    uint32_t size; /* of the data */
    uint64_t previous, undo_next;
};

struct place {
    bool in_new_block, in_new_container;
    uint64_t address; /* of the new block */
};

static bool
block_is_shared_with(const struct block *block, const struct clfs_area *area)
{
    return block->area == area ||
           (block->area->block_size == area->block_size && !block->area->options.allocate &&
            !area->options.allocate && !block->area->is_deleted);
}

/* Answers: LOG_FULL. */
static NTSTATUS
place_in_new_block(const struct physical *log, uint32_t space, struct place *out)
{
    uint64_t need = round_up(BLOCK_HEADER_SIZE + (uint64_t)space, log->sector_size);
    uint64_t address = address_after_open(log);

    out->in_new_block = true;
    if (clfs_lsn_offset(address) + need > container_limit(log)) {
        uint32_t id = container_current(log)->logical_id + 1;

        if (log->active_count == log->container_count || id == CONTAINER_UNUSED)
            return status_raise(STATUS_LOG_FULL);
        out->in_new_container = true;
        address = clfs_lsn_make(id, log->sector_size, 0);
    }
    out->address = address;
    return STATUS_SUCCESS;
}

/* Where the record goes, if it may. Answers: LOG_STATE_INVALID, LOG_RECORDS_RESERVED_INVALID,
 * LOG_SPACE_RESERVED_INVALID, LOG_FULL. */
static NTSTATUS
place_find(struct clfs_area *area, const struct request *request, struct place *out)
{
    struct physical *log = area->physical;
    uint32_t space = record_space(request->size);
    struct block *open = log->open;
    uint64_t end;

    *out = (struct place){0};
    if (log->failure)
        return status_raise(STATUS_LOG_STATE_INVALID);
    if (request->flags & CLFS_FROM_RESERVATION) { /* [CLFS-RESV-05] */
        if (area->reserved.records == 0)
            return status_raise(STATUS_LOG_RECORDS_RESERVED_INVALID);
        if (area->reserved.bytes < clfs_reserved_size(area, request->size))
            return status_raise(STATUS_LOG_SPACE_RESERVED_INVALID);
    }
    if (open && block_is_shared_with(open, area) && open->records < CLFS_BLOCK_RECORDS_MAX &&
        space <= open->capacity - open->used) {
        end = open->lsn + round_up((uint64_t)open->used + space, log->sector_size);
    } else {
        TRY(place_in_new_block(log, space, out));
        end = out->address + round_up(BLOCK_HEADER_SIZE + (uint64_t)space, log->sector_size);
    }
    if (!(request->flags & CLFS_FROM_RESERVATION) &&
        !space_suffices(log, end, log->active_count + out->in_new_container, 0, 0))
        return status_raise(STATUS_LOG_FULL); /* [CLFS-RESV-09, -10] */
    return STATUS_SUCCESS;
}

void
block_seal(struct physical *log)
{
    struct block *block = log->open;

    if (!block)
        return;
    block->size = (uint32_t)round_up(block->used, log->sector_size);
    memset(block->bytes + block->used, 0, block->size - block->used); /* [CLFS-HARD-08] */
    if (block_has_tail(block))                                        /* see clfs_is_absent */
        block->bytes[block->size - 1] = (uint8_t)(1 + clfs_lsn_container(block->lsn) % 255);
    log->next = block->lsn + block->size;
    log->pending += block->size;
    list_append(&log->sealed, &block->link);
    log->open = NULL;
}

static void
block_open(struct physical *log, struct block *block, const struct place *place)
{
    uint64_t room;

    block_seal(log);
    if (place->in_new_container) {
        container_current(log)->end = clfs_lsn_offset(log->next);
        log->active_count++;
        container_current(log)->logical_id = clfs_lsn_container(place->address);
    }
    CHECK(place->in_new_container || place->address == log->next);
    CHECK(block->refs == 0);
    room = container_limit(log) - clfs_lsn_offset(place->address);
    block->refs = 1;
    area_hold(block->area);
    block->lsn = place->address;
    block->previous = log->newest_block;
    block->container = container_current(log);
    block->capacity = room < block->area->block_size ? (uint32_t)room : block->area->block_size;
    block->used = BLOCK_HEADER_SIZE;
    block->size = 0;
    block->records = 0;
    log->next = log->newest_block = place->address;
    log->open = block;
}

static uint64_t
record_put(struct physical *log, const struct request *request)
{
    struct block *block = log->open;
    uint8_t *at = block->bytes + block->used;
    uint32_t space = record_space(request->size);
    uint64_t lsn = block->lsn + block->records;

    CHECK(space <= block->capacity - block->used);
    CHECK(lsn >= log->last);      /* they strictly increase [CLFS-LSN-04] */
    memset(at + space - 8, 0, 8); /* alignment; a record header is longer than that */
    record_header_encode(&(struct record_header){.type = request->type,
                                                 .size = request->size,
                                                 .previous = request->previous,
                                                 .undo_next = request->undo_next},
                         at);
    at += RECORD_HEADER_SIZE;
    for (size_t i = 0; i < request->count; i++) {
        if (request->parts[i].size)
            memcpy(at, request->parts[i].at, request->parts[i].size);
        at += request->parts[i].size;
    }
    block->used += space;
    block->records++;
    log->last = lsn + 1;
    return lsn;
}

/* Under the mutex, which it gives up while it allocates a block. */
static NTSTATUS
append_locked(struct clfs_area *area, const struct request *request, uint64_t *lsn)
{
    struct physical *log = area->physical;
    struct block *fresh = NULL;
    struct place place;
    NTSTATUS status;

    for (;;) {
        status = place_find(area, request, &place);
        if (status != STATUS_SUCCESS || !place.in_new_block || fresh)
            break;
        fresh = block_take(area);
        if (fresh)
            continue;
        if (area->options.blocks_max && area->blocks >= area->options.blocks_max)
            return status_raise(STATUS_LOG_BLOCKS_EXHAUSTED); /* [CLFS-AREA-12] */
        area->blocks++;
        sys_mutex_unlock(&log->mutex);
        status = block_create(area, &fresh);
        sys_mutex_lock(&log->mutex);
        if (status != STATUS_SUCCESS) {
            area->blocks--;
            return status;
        }
    }
    if (status == STATUS_SUCCESS) {
        if (place.in_new_block)
            block_open(log, give(fresh), &place);
        *lsn = record_put(log, request);
        if (request->flags & CLFS_FROM_RESERVATION) /* [CLFS-RESV-04] */
            reservation_change(area, -1, -(int64_t)clfs_reserved_size(area, request->size));
    }
    if (fresh)
        block_put_back(fresh);
    return status;
}

NTSTATUS
append_record(struct clfs_area *area, unsigned type, const struct bytes *parts, size_t count,
              uint64_t previous, uint64_t undo_next, unsigned flags, uint64_t *lsn)
{
    struct request request = {.type = type,
                              .flags = flags,
                              .parts = parts,
                              .count = count,
                              .previous = previous,
                              .undo_next = undo_next};
    uint32_t size_max = clfs_record_size_max(area->block_size);
    NTSTATUS status;

    if (previous > CLFS_LSN_NONE || undo_next > CLFS_LSN_NONE) /* [CLFS-APPEND-16] */
        return status_raise(STATUS_INVALID_PARAMETER);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > size_max - request.size) /* [CLFS-APPEND-12] */
            return status_raise(STATUS_INVALID_PARAMETER);
        request.size += (uint32_t)parts[i].size;
    }
    if (size_max == 0)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    sys_mutex_lock(&area->physical->mutex);
    status = append_locked(area, &request, lsn);
    sys_mutex_unlock(&area->physical->mutex);
    return status;
}

NTSTATUS
clfs_append(struct clfs_area *area, const struct bytes *parts, size_t count, uint64_t previous,
            uint64_t undo_next, unsigned flags, uint64_t *lsn)
{
    return append_record(area, CLFS_DATA, parts, count, previous, undo_next, flags, lsn);
}
