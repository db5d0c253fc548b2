/* SPDX-License-Identifier: MIT */
/*
 * Group commit (design D6).
 *
 * A thread that needs an LSN durable and finds nobody at it becomes the leader: it seals the open
 * block, takes all sealed ones, gives them checksums, writes neighbours with one call, forces, and
 * then publishes the new bound and wakes everyone it covered with one futex call. Whoever appended
 * meanwhile sleeps on the other word; of those exactly one is woken, to lead. So alone a commit
 * costs one write and one force, under load one force covers all that gathered during the one
 * before, and nobody queues for a mutex that is held across I/O: there is none.
 *
 * After a failed write or force the log is failed: the kernel may have given up the pages and
 * marked them clean, so a second force would lie [CLFS-DUR-13]. What was appended stays readable.
 */
#include "clfs/log.h"

#include <limits.h>

#define PARTS_MAX 64u

void
log_fail(struct physical *log, NTSTATUS failure)
{
    if (!log->failure)
        log->failure = failure;
}

/* ---- the leader's work: no lock is held ---- */

/* The blocks are those in 'writing': only the leader changes that list, and it does so under the
 * mutex; so it may walk it without. */
struct batch {
    uint64_t durable, epoch;
    uint64_t bytes;
    uint64_t absent_from; /* when it fails: see struct physical */
};

static void
block_finish(struct physical *log, struct block *block, const struct batch *batch)
{
    struct block_header header = {
        .identity = log->identity,
        .lsn = block->lsn,
        .previous = block->previous,
        .durable = batch->durable,
        .epoch = batch->epoch,
        .size = block->size,
        .used = block->used,
        .records = block->records,
    };

    block_encode(&header, block->bytes);
}

static NTSTATUS
run_write(struct physical *log, struct container *container, const struct bytes *parts,
          size_t count, uint64_t first)
{
    if (list_is_empty(&container->dirty))
        list_append(&log->dirty, &container->dirty);
    if (sys_file_write(container->file, parts, count, clfs_lsn_offset(first)) != STATUS_SUCCESS)
        return status_raise(STATUS_LOG_CONTAINER_WRITE_FAILED); /* [CLFS-DUR-16] */
    return STATUS_SUCCESS;
}

/* Writes the batch's blocks, neighbours together. */
static NTSTATUS
batch_write(struct physical *log, struct batch *batch)
{
    struct bytes parts[PARTS_MAX];
    struct container *container = NULL;
    uint64_t first = 0, end = 0;
    size_t count = 0;
    struct block *block;

    LIST_EACH (block, &log->writing, link) {
        block_finish(log, block, batch);
        if (count && (block->lsn != end || block->container != container || count == PARTS_MAX)) {
            TRY(run_write(log, container, parts, count, first));
            count = 0;
        }
        if (count == 0) {
            first = block->lsn;
            container = block->container;
        }
        parts[count++] = bytes_of(block->bytes, block->size);
        end = block->lsn + block->size;
        /* A write that fails has not written its last byte. Without a tail that byte may be what is
         * in the file already: then the block may be whole all the same. */
        batch->absent_from = block_has_tail(block) ? block->lsn : end;
        batch->bytes += block->size;
    }
    if (count)
        TRY(run_write(log, container, parts, count, first));
    batch->absent_from = log->force.bound; /* all of it is in the files; what came later is not */
    return STATUS_SUCCESS;
}

static NTSTATUS
dirty_sync(struct physical *log)
{
    while (!list_is_empty(&log->dirty)) {
        struct container *container = list_first(&log->dirty, struct container, dirty);

        if (sys_file_sync(container->file) != STATUS_SUCCESS)
            return status_raise(STATUS_LOG_CONTAINER_WRITE_FAILED);
        list_remove(&container->dirty);
    }
    return STATUS_SUCCESS;
}

/* ---- becoming the leader and stepping down: under the mutex ---- */

static void
batch_begin(struct physical *log, struct batch *batch)
{
    struct force *force = &log->force;

    CHECK(!force->is_running);
    block_seal(log);
    force->is_running = true;
    force->batch++;
    force->bound = log->last;
    *batch = (struct batch){.durable = log->durable, .epoch = log->epoch};
    /* They stay in a list of the log, so that readers find them until they are in the files. */
    while (!list_is_empty(&log->sealed)) {
        struct block *block = list_first(&log->sealed, struct block, link);

        list_remove(&block->link);
        list_append(&log->writing, &block->link);
    }
    log->pending = 0;
}

/* What the batch has reached becomes what the log knows. */
static void
batch_publish(struct physical *log, const struct batch *batch, bool is_forced, struct list *doomed)
{
    if (!list_is_empty(&log->writing)) {
        struct block *newest = container_of(log->writing.prev, struct block, link);

        log->written = newest->lsn + newest->size;
        log->written_block = newest->lsn;
        log->written_last = newest->lsn + newest->records;
        blocks_unref(&log->writing, doomed);
    }
    if (batch->bytes) {
        log->flushes++;
        log->flushed_bytes += batch->bytes;
    }
    if (is_forced) {
        log->durable = log->written;
        log->durable_block = log->written_block;
        CHECK(log->written_last >= atomic_load_explicit(&log->flushed, memory_order_relaxed));
        atomic_store_explicit(&log->flushed, log->written_last, memory_order_release);
    }
}

/* Steps down; unlocks; wakes. Those who wait for the batch are all covered (or must all hear of the
 * failure); of those who wait for the next one is enough, to lead it. */
static void
force_end(struct physical *log)
{
    struct force *force = &log->force;
    unsigned mine = force->batch & 1, next = mine ^ 1;
    bool wake_mine = force->waiting[mine] > 0, wake_next = force->waiting[next] > 0;
    bool is_failed = log->failure != STATUS_SUCCESS;

    force->is_running = false;
    force->waiting[mine] = 0;
    /* The words change, so that one who is only about to sleep does not. */
    atomic_fetch_add_explicit(&force->word[mine], 1, memory_order_release);
    if (wake_next) {
        atomic_fetch_add_explicit(&force->word[next], 1, memory_order_release);
        force->waiting[next] = is_failed ? 0 : force->waiting[next];
    }
    sys_mutex_unlock(&log->mutex);
    if (wake_next)
        sys_wake(&force->word[next], is_failed ? INT_MAX : 1);
    if (wake_mine)
        sys_wake(&force->word[mine], INT_MAX);
}

/* Writes all there is, and forces it or not. Enters with the mutex held, returns without. */
static NTSTATUS
lead(struct physical *log, bool must_force)
{
    struct batch batch;
    struct list doomed;
    NTSTATUS status;

    list_init(&doomed);
    batch_begin(log, &batch);
    sys_mutex_unlock(&log->mutex);

    /* A forked child must not write the parent's log. */
    status = log->process == sys_process_id() ? batch_write(log, &batch)
                                              : status_raise(STATUS_LOG_STATE_INVALID);
    if (status == STATUS_SUCCESS && must_force)
        status = dirty_sync(log);

    sys_mutex_lock(&log->mutex);
    if (status == STATUS_SUCCESS)
        batch_publish(log, &batch, must_force, &doomed);
    else {
        log->absent_from = batch.absent_from;
        log_fail(log, status);
    }
    force_end(log);
    blocks_doomed_free(&doomed);
    return status;
}

/* Sleeps until the batch that covers 'bound' may be over. Enters with the mutex held, returns
 * without. */
static void
follow(struct physical *log, uint64_t bound)
{
    struct force *force = &log->force;
    unsigned which = (force->batch + (bound <= force->bound ? 0 : 1)) & 1;
    uint32_t seen = atomic_load_explicit(&force->word[which], memory_order_relaxed);

    force->waiting[which]++;
    sys_mutex_unlock(&log->mutex);
    sys_wait(&force->word[which], seen, SYS_FOREVER);
}

static bool
is_flushed(struct physical *log, uint64_t bound)
{
    return atomic_load_explicit(&log->flushed, memory_order_acquire) >= bound;
}

static NTSTATUS
force_bound(struct physical *log, uint64_t bound)
{
    bool has_waited = false;

    /* The answer for one woken is found without the mutex, or all would queue for it. */
    while (!is_flushed(log, bound)) {
        sys_mutex_lock(&log->mutex);
        if (is_flushed(log, bound)) {
            sys_mutex_unlock(&log->mutex);
            break;
        }
        if (log->failure) {
            NTSTATUS failure = has_waited ? log->failure : STATUS_LOG_STATE_INVALID;

            sys_mutex_unlock(&log->mutex);
            return status_raise(failure);
        }
        if (!log->force.is_running)
            return lead(log, true);
        follow(log, bound);
        has_waited = true;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
force_until(struct physical *log, uint64_t lsn)
{
    uint64_t last;

    sys_mutex_lock(&log->mutex);
    last = log->last;
    sys_mutex_unlock(&log->mutex);
    if (lsn > last)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-FLUSH-08] */
    return force_bound(log, lsn == 0 || lsn == last ? last : lsn + 1);
}

void
force_wait_idle(struct physical *log)
{
    while (log->force.is_running) {
        follow(log, log->last);
        sys_mutex_lock(&log->mutex);
    }
}

/* ---- writing without forcing ---- */

NTSTATUS
write_all(struct physical *log)
{
    uint64_t last;
    bool has_waited = false;

    sys_mutex_lock(&log->mutex);
    last = log->last;
    for (;; sys_mutex_lock(&log->mutex)) {
        if (log->written_last >= last) {
            sys_mutex_unlock(&log->mutex);
            return STATUS_SUCCESS;
        }
        if (log->failure) {
            NTSTATUS failure = has_waited ? log->failure : STATUS_LOG_STATE_INVALID;

            sys_mutex_unlock(&log->mutex);
            return status_raise(failure);
        }
        if (!log->force.is_running)
            return lead(log, false);
        follow(log, last);
        has_waited = true;
    }
}

NTSTATUS
clfs_flush(struct clfs_area *area, uint64_t lsn, uint64_t *flushed)
{
    struct physical *log = area->physical;

    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED); /* [CLFS-FLUSH-14] */
    /* What is durable needs no lock; the common answer for a follower's second look. */
    if (lsn == 0 || !is_flushed(log, lsn < CLFS_LSN_NONE ? lsn + 1 : lsn))
        TRY(force_until(log, lsn));
    if (flushed)
        *flushed = atomic_load_explicit(&log->flushed, memory_order_acquire);
    return STATUS_SUCCESS;
}

bool
clfs_is_absent(struct clfs_area *area, uint64_t lsn)
{
    struct physical *log = area->physical;
    bool is_absent;

    sys_mutex_lock(&log->mutex);
    is_absent = log->failure && log->absent_from && lsn >= log->absent_from;
    sys_mutex_unlock(&log->mutex);
    return is_absent;
}

NTSTATUS
clfs_write_out(struct clfs_area *area)
{
    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    return write_all(area->physical);
}

NTSTATUS
clfs_write_behind(struct clfs_area *area)
{
    struct physical *log = area->physical;

    if (!area->log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    sys_mutex_lock(&log->mutex);
    /* Whoever is writing already will be followed by another who finds what is left. */
    if (log->pending + (log->open ? log->open->used : 0) > LOG_FLUSH_THRESHOLD &&
        !log->force.is_running && !log->failure)
        return lead(log, false);
    sys_mutex_unlock(&log->mutex);
    return STATUS_SUCCESS;
}
