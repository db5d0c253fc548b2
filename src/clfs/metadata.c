/* SPDX-License-Identifier: MIT */
/*
 * The base file: what must be known before the first record can be read.
 *
 * Two copies are kept and written in turn, so one is whole whatever the power does; the whole copy
 * with the higher generation is in force. Restart and base LSN move together in one write
 * [CLFS-DUR-10].
 *
 * Invariants: (1) a copy is written only when everything below the mark it names is durable, and
 * its base and restart LSN lie below; (2) a copy is written only when the other one is known to be
 * on stable storage; (3) generations only grow, also across reopening.
 */
#include "clfs/log.h"

#include <stdlib.h>

/* ---- the image of the state ---- */

static void
container_image(const struct container *container, struct base_container *out)
{
    out->physical_id = container->physical_id;
    out->logical_id = CONTAINER_UNUSED;
    out->state = CONTAINER_INACTIVE;
    out->name_size = container->name_size;
    memcpy(out->name, container->name, container->name_size);
}

/* How many containers a base there leaves behind. */
static unsigned
containers_passed(const struct physical *log, uint64_t base)
{
    return log->active_count ? clfs_lsn_container(base) - log->containers[0]->logical_id : 0;
}

/* In the order they will have once the base is durable: those it passes go behind the free ones. */
static void
containers_image(const struct physical *log, struct base_image *image)
{
    unsigned passed = containers_passed(log, image->base);
    uint32_t first = clfs_lsn_container(image->base), newest = clfs_lsn_container(image->mark);

    for (unsigned i = 0; i < log->container_count; i++) {
        const struct container *from = log->containers[(i + passed) % log->container_count];
        struct base_container *to = &image->containers[i];

        container_image(from, to);
        /* Containers in use behind the mark are free ones as far as a reader of this copy knows:
         * recovery takes them into use again in the same order, or not. */
        if (log->active_count == 0 || i > newest - first)
            continue;
        to->logical_id = from->logical_id;
        to->state = CONTAINER_ACTIVE;
        to->end = i < newest - first ? from->end : 0;
        image->active_count++;
    }
}

NTSTATUS
metadata_image(struct physical *log, const struct base_change *change, unsigned added,
               struct base_image **out)
{
    struct base_image *image;

    /* The number of containers changes only under 'metadata', which the caller holds. */
    image = base_image_create(log->container_count + added);
    if (!image)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    sys_mutex_lock(&log->mutex);
    image->identity = log->identity;
    image->sector_size = log->sector_size;
    image->container_size = log->container_size;
    image->next_physical_id = log->next_physical_id;
    image->epoch = log->epoch;
    image->is_clean = change->is_clean;
    image->mark = log->durable;
    image->last_block = log->durable_block;
    image->last = atomic_load_explicit(&log->flushed, memory_order_relaxed);
    image->base = change->base;
    image->restart = change->restart;
    CHECK(image->base <= image->last); /* invariant (1) */
    containers_image(log, image);
    sys_mutex_unlock(&log->mutex);
    *out = image;
    return STATUS_SUCCESS;
}

/* ---- writing ---- */

static NTSTATUS
copy_write(struct physical *log, unsigned slot, struct bytes copy)
{
    TRY(sys_file_write(log->file, &copy, 1, (uint64_t)slot * BASE_COPY_SIZE));
    TRY(sys_file_sync(log->file));
    sys_mutex_lock(&log->mutex);
    log->metadata_flushes++;
    log->metadata_bytes += copy.size;
    sys_mutex_unlock(&log->mutex);
    return STATUS_SUCCESS;
}

static NTSTATUS
metadata_fail(struct physical *log)
{
    sys_mutex_lock(&log->mutex);
    log_fail(log, STATUS_LOG_METADATA_FLUSH_FAILED);
    sys_mutex_unlock(&log->mutex);
    return status_raise(STATUS_LOG_METADATA_FLUSH_FAILED); /* [CLFS-DUR-15] */
}

/* Writes the image over the older copy, 'times' times: after two both copies say the same. */
static NTSTATUS
image_write(struct physical *log, struct base_image *image, unsigned times)
{
    size_t size = base_image_size(image);
    NTSTATUS failure, status = STATUS_SUCCESS;
    uint8_t *copy;

    sys_mutex_lock(&log->mutex);
    failure = log->failure;
    sys_mutex_unlock(&log->mutex);
    if (failure || log->process != sys_process_id() ||
        log->generation > BASE_GENERATION_LAST - times) /* [CLFS-HARD-14] */
        return status_raise(STATUS_LOG_STATE_INVALID);
    copy = malloc(size);
    if (!copy)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (; times && status == STATUS_SUCCESS; times--) {
        image->generation = log->generation + 1;
        base_image_encode(image, copy);
        status = copy_write(log, log->slot ^ 1, bytes_of(copy, size));
        if (status == STATUS_SUCCESS) {
            log->generation++;
            log->slot ^= 1;
        }
    }
    free(copy);
    return status == STATUS_SUCCESS ? status : metadata_fail(log);
}

NTSTATUS
metadata_write(struct physical *log, struct base_image *image)
{
    return image_write(log, image, 1);
}

NTSTATUS
metadata_write_both(struct physical *log, struct base_image *image)
{
    return image_write(log, image, 2);
}

NTSTATUS
metadata_confirm(struct physical *log)
{
    NTSTATUS status;

    if (!log->copy)
        return STATUS_SUCCESS;
    status = copy_write(log, log->slot, bytes_of(log->copy, log->copy_size));
    if (status != STATUS_SUCCESS)
        return metadata_fail(log);
    free(give(log->copy));
    return STATUS_SUCCESS;
}

/* ---- moving base and restart LSN ---- */

/* The containers the base has passed go behind the free ones. Under the mutex. */
static void
containers_recycle(struct physical *log, unsigned passed)
{
    struct container *freed[CLFS_CONTAINERS_MAX];
    unsigned kept = log->container_count - passed;

    memcpy(freed, log->containers, passed * sizeof(freed[0]));
    memmove(log->containers, log->containers + passed, kept * sizeof(freed[0]));
    memcpy(log->containers + kept, freed, passed * sizeof(freed[0]));
    for (unsigned i = 0; i < passed; i++) {
        freed[i]->logical_id = CONTAINER_UNUSED;
        freed[i]->end = 0;
    }
    log->active_count -= passed;
}

NTSTATUS
metadata_move(struct physical *log, uint64_t base, uint64_t restart)
{
    struct base_change change = {.base = base, .restart = restart};
    owned(base_image_destroy) struct base_image *image = NULL;

    TRY(metadata_image(log, &change, 0, &image));
    TRY(metadata_write(log, image));
    sys_mutex_lock(&log->mutex);
    log->base = base;
    log->restart = restart;
    containers_recycle(log, containers_passed(log, base));
    sys_mutex_unlock(&log->mutex);
    return STATUS_SUCCESS;
}

/* ---- reading ---- */

struct copy {
    uint8_t *at;
    size_t size;
    uint64_t generation;
};

static void
copy_release(struct copy *copy)
{
    free(copy->at);
}

/* Reads what the copy claims to be; copy->at stays NULL when that is not a whole copy. Only a lack
 * of memory is a fault: a copy that cannot be read is a damaged one [CLFS-HARD-13, -40]. */
static NTSTATUS
copy_read(struct physical *log, unsigned slot, struct copy *copy)
{
    uint64_t offset = (uint64_t)slot * BASE_COPY_SIZE;
    uint8_t header[BASE_HEADER_SIZE];
    size_t got = 0, size;
    uint8_t *at;

    if (sys_file_read(log->file, header, sizeof(header), offset, &got) != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    size = base_copy_claimed_size(bytes_of(header, got));
    if (size == 0)
        return STATUS_SUCCESS;
    at = malloc(size);
    if (!at)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (sys_file_read(log->file, at, size, offset, &got) != STATUS_SUCCESS ||
        base_copy_check(bytes_of(at, got), &copy->generation) != STATUS_SUCCESS) {
        free(at);
        return STATUS_SUCCESS;
    }
    copy->at = at;
    copy->size = size;
    return STATUS_SUCCESS;
}

/* Which of two copies is in force. */
static NTSTATUS
copy_choose(const struct copy copies[2], unsigned *slot)
{
    if (!copies[0].at && !copies[1].at)
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    *slot = !copies[0].at || (copies[1].at && copies[1].generation > copies[0].generation);
    if (copies[0].at && copies[1].at && copies[0].generation == copies[1].generation &&
        (copies[0].size != copies[1].size ||
         memcmp(copies[0].at, copies[1].at, copies[0].size) != 0))
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
    return STATUS_SUCCESS;
}

NTSTATUS
metadata_read(struct physical *log, struct base_image **out)
{
    struct copy copies[2] = {{0}, {0}};
    NTSTATUS status;

    if (log->info.size != BASE_FILE_SIZE)
        return status_raise(STATUS_LOG_METADATA_CORRUPT); /* [CLFS-HARD-10] */
    status = copy_read(log, 0, &copies[0]);
    if (status == STATUS_SUCCESS)
        status = copy_read(log, 1, &copies[1]);
    if (status == STATUS_SUCCESS)
        status = copy_choose(copies, &log->slot);
    /* The newer copy in force is judged alone: a whole copy that cannot be meant is no reason to go
     * back in time. */
    if (status == STATUS_SUCCESS)
        status = base_copy_decode(bytes_of(copies[log->slot].at, copies[log->slot].size), out);
    if (status == STATUS_SUCCESS) {
        log->copy_size = copies[log->slot].size;
        log->copy = give(copies[log->slot].at);
    }
    copy_release(&copies[0]);
    copy_release(&copies[1]);
    return status;
}
