/* SPDX-License-Identifier: MIT */
/*
 * Restart areas, the base, and what a log says about itself.
 *
 * A restart area is a record like others until one metadata write makes it *the* restart area and
 * moves the base with it [CLFS-DUR-10]. A record whose metadata write did not complete is not in
 * the chain: the next one names its predecessor.
 */
#include "clfs/log.h"

/* [CLFS-RESTART-04, -05, CLFS-BASE-11] */
static NTSTATUS
base_check(struct physical *log, uint64_t base, uint64_t *last)
{
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&log->mutex);
    if (log->failure)
        status = status_raise(STATUS_LOG_STATE_INVALID);
    else if (base != CLFS_LSN_NONE && (base < log->base || base > log->last))
        status = status_raise(STATUS_LOG_TAIL_INVALID);
    *last = log->last;
    sys_mutex_unlock(&log->mutex);
    return status;
}

static NTSTATUS
write_restart_locked(struct clfs_area *area, struct bytes data, uint64_t base, unsigned flags,
                     uint64_t *lsn)
{
    struct physical *log = area->physical;
    uint64_t last, record;

    TRY(base_check(log, base, &last));
    TRY(append_record(area, CLFS_RESTART, &data, 1, log->restart, CLFS_LSN_NONE, flags, &record));
    TRY(force_until(log, record)); /* it and all before it, then the metadata */
    if (base == CLFS_LSN_NONE)
        base = log->base;
    else if (base == last)
        base = record;                     /* "the record's own" */
    TRY(metadata_move(log, base, record)); /* now it is the restart area */
    *lsn = record;
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_write_restart(struct clfs_area *area, struct bytes data, uint64_t base, unsigned flags,
                   uint64_t *lsn)
{
    NTSTATUS status;

    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    sys_mutex_lock(&area->physical->metadata);
    status = write_restart_locked(area, data, base, flags, lsn);
    sys_mutex_unlock(&area->physical->metadata);
    return status;
}

static NTSTATUS
advance_locked(struct physical *log, uint64_t base)
{
    /* [CLFS-BASE-08] */
    uint64_t restart =
        log->restart != CLFS_LSN_NONE && log->restart < base ? CLFS_LSN_NONE : log->restart;
    uint64_t last;

    TRY(base_check(log, base, &last));
    if (base > atomic_load_explicit(&log->flushed, memory_order_acquire))
        TRY(force_until(log, base)); /* no metadata ever names what is not durable */
    if (clfs_lsn_container(base) != clfs_lsn_container(log->base))
        return metadata_move(log, base, restart);
    sys_mutex_lock(&log->mutex);
    log->base = base;
    log->restart = restart;
    sys_mutex_unlock(&log->mutex);
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_advance_base(struct clfs_area *area, uint64_t base)
{
    NTSTATUS status;

    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    if (base >= CLFS_LSN_NONE)
        return status_raise(STATUS_LOG_TAIL_INVALID);
    sys_mutex_lock(&area->physical->metadata);
    status = advance_locked(area->physical, base);
    sys_mutex_unlock(&area->physical->metadata);
    return status;
}

static uint64_t
space_available(const struct physical *log)
{
    uint64_t free;

    if (log->container_count == 0)
        return 0;
    free = space_free(log, address_after_open(log), log->active_count, 0);
    return free > log->reserved.bytes ? free - log->reserved.bytes : 0;
}

void
clfs_log_info(struct clfs_log *handle, struct clfs_info *out)
{
    struct physical *log = handle->physical;

    sys_mutex_lock(&log->mutex);
    *out = (struct clfs_info){
        .identity = log->identity,
        .sector_size = log->sector_size,
        .container_size = log->container_size,
        .containers = log->container_count,
        .containers_free = log->container_count - log->active_count, /* [CLFS-MODEL-24] */
        .total_available = log->container_count * log->container_size,
        .current_available = space_available(log),
        .total_reservation = log->reserved.bytes,
        .base_lsn = log->base,
        .last_lsn = log->last,
        .flushed_lsn = atomic_load_explicit(&log->flushed, memory_order_relaxed),
        .restart_lsn = log->restart,
        .base_file_size = BASE_FILE_SIZE,
        .flush_threshold = LOG_FLUSH_THRESHOLD,
        .flushes = log->flushes,
        .flushed_bytes = log->flushed_bytes,
        .metadata_flushes = log->metadata_flushes,
        .metadata_bytes = log->metadata_bytes,
        .is_writable = handle->is_writable,
        .is_failed = log->failure != STATUS_SUCCESS,
    };
    sys_mutex_unlock(&log->mutex);
}
