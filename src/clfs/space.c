/* SPDX-License-Identifier: MIT */
/*
 * Where blocks may go and how much still can.
 *
 * Blocks do not span containers, so up to a block less one sector may stay unused at the end of
 * each. The sufficiency rule therefore counts a container as its usable size less that, for the
 * largest record reserved: then placing a block of b bytes never lowers what is counted by more
 * than b, and a reserved append cannot fail [CLFS-RESV-09].
 */
#include "clfs/log.h"

struct container *
container_find(const struct physical *log, uint32_t logical_id)
{
    uint32_t index;

    if (log->active_count == 0 || logical_id < log->containers[0]->logical_id)
        return NULL;
    index = logical_id - log->containers[0]->logical_id;
    return index < log->active_count ? log->containers[index] : NULL;
}

uint64_t
address_normalize(const struct physical *log, uint64_t address)
{
    const struct container *container = container_find(log, clfs_lsn_container(address));

    if (container && container != container_current(log) &&
        clfs_lsn_offset(address) >= container->end)
        return clfs_lsn_make(container->logical_id + 1, log->sector_size, 0);
    return address;
}

uint64_t
address_after_open(const struct physical *log)
{
    return log->open ? log->next + round_up(log->open->used, log->sector_size) : log->next;
}

uint64_t
space_free(const struct physical *log, uint64_t next, unsigned active, uint64_t largest)
{
    uint64_t waste = largest > log->sector_size ? largest - log->sector_size : 0;
    uint64_t limit = container_limit(log), room = limit - clfs_lsn_offset(next);
    uint64_t usable = limit - log->sector_size;
    uint64_t ids = CONTAINER_UNUSED - 1 - clfs_lsn_container(next); /* [CLFS-MODEL-20] */
    uint64_t free = log->container_count - active;

    if (free > ids)
        free = ids;
    return (room > waste ? room - waste : 0) + free * (usable > waste ? usable - waste : 0);
}

bool
space_suffices(const struct physical *log, uint64_t next, unsigned active, uint64_t bytes,
               uint64_t largest)
{
    uint64_t needed;

    if (__builtin_add_overflow(log->reserved.bytes, bytes, &needed))
        return false;
    if (largest < log->reserved.largest)
        largest = log->reserved.largest;
    return needed == 0 || space_free(log, next, active, largest) >= needed;
}

/* ---- reservations ---- */

uint64_t
clfs_reserved_size(const struct clfs_area *area, uint64_t size)
{
    uint64_t record;

    if (size > clfs_record_size_max(area->block_size))
        return 0;
    record = BLOCK_HEADER_SIZE + record_space((uint32_t)size);
    return round_up(record, area->physical->sector_size); /* [CLFS-RESV-06, -07] */
}

static void
reservation_add(struct reservation *it, int64_t records, int64_t bytes, uint64_t largest)
{
    it->records += (uint64_t)records;
    it->bytes += (uint64_t)bytes;
    if (largest > it->largest)
        it->largest = largest;
    if (it->bytes == 0)
        it->largest = 0;
}

/* The largest record that may be meant: the others are a sector each at least. */
static uint64_t
largest_meant(const struct clfs_area *area, int64_t records, int64_t bytes)
{
    uint64_t others = records > 1 ? ((uint64_t)records - 1) * area->physical->sector_size : 0;
    uint64_t largest;

    if (bytes <= 0)
        return 0;
    largest = (uint64_t)bytes > others ? (uint64_t)bytes - others : (uint64_t)bytes;
    return largest < area->block_size ? largest : area->block_size;
}

/* Changes what the area and the log have reserved, and lets go of bytes no record is left for
 * [CLFS-RESV-26]. Under the mutex. */
void
reservation_change(struct clfs_area *area, int64_t records, int64_t bytes)
{
    uint64_t largest = largest_meant(area, records, bytes);

    if (area->reserved.records + (uint64_t)records == 0)
        bytes = -(int64_t)area->reserved.bytes;
    reservation_add(&area->reserved, records, bytes, largest);
    reservation_add(&area->physical->reserved, records, bytes, largest);
}

static NTSTATUS
adjust(struct clfs_area *area, int64_t records, int64_t bytes)
{
    struct physical *log = area->physical;

    if (log->failure)
        return status_raise(STATUS_LOG_STATE_INVALID);
    if (records < 0 && (uint64_t)-records > area->reserved.records)
        return status_raise(STATUS_LOG_RECORDS_RESERVED_INVALID);
    if (bytes < 0 && (uint64_t)-bytes > area->reserved.bytes)
        return status_raise(STATUS_LOG_SPACE_RESERVED_INVALID);
    if (bytes > 0 && area->reserved.records + (uint64_t)records == 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* bytes for no record */
    if (bytes > 0 && !space_suffices(log, address_after_open(log), log->active_count,
                                     (uint64_t)bytes, largest_meant(area, records, bytes)))
        return status_raise(STATUS_LOG_FULL);
    reservation_change(area, records, bytes);
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_adjust_reservation(struct clfs_area *area, int64_t records, int64_t bytes)
{
    NTSTATUS status;

    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    if (records == INT64_MIN || bytes == INT64_MIN)
        return status_raise(STATUS_INVALID_PARAMETER);
    sys_mutex_lock(&area->physical->mutex);
    status = adjust(area, records, bytes);
    sys_mutex_unlock(&area->physical->mutex);
    return status;
}

NTSTATUS
clfs_reserve(struct clfs_area *area, unsigned records, uint64_t bytes)
{
    if (bytes > INT64_MAX)
        return status_raise(STATUS_LOG_FULL);
    return clfs_adjust_reservation(area, records, (int64_t)bytes);
}

NTSTATUS
clfs_unreserve(struct clfs_area *area, unsigned records, uint64_t bytes)
{
    if (bytes > INT64_MAX)
        return status_raise(STATUS_LOG_SPACE_RESERVED_INVALID);
    return clfs_adjust_reservation(area, -(int64_t)records, -(int64_t)bytes);
}

void
clfs_area_reservation(struct clfs_area *area, uint64_t *records, uint64_t *bytes)
{
    sys_mutex_lock(&area->physical->mutex);
    *records = area->reserved.records;
    *bytes = area->reserved.bytes;
    sys_mutex_unlock(&area->physical->mutex);
}
