/* SPDX-License-Identifier: MIT */
/*
 * Recovery: where does the log end?
 *
 * Everything below the metadata's mark is on stable storage. From there blocks are followed while
 * they are valid in sequence: of this log, at the address they name, of the current epoch, whole,
 * and naming the block before them [CLFS-DUR-18]. The last condition tells a change of container
 * from a hole: the first block of the next container counts only if it names the last one here.
 *
 * At the first place where that fails, the log ends, or it is damaged. Each block carries a hint:
 * how far the log was known durable when the block was written. A block of the current epoch
 * anywhere behind with a hint beyond the end proves that what is missing was once durable
 * [CLFS-DUR-20].
 *
 * The end becomes final by moving the epoch on (in both copies of the metadata, so that damage to
 * one cannot bring the old epoch back): what lies behind can never again be valid in sequence
 * [CLFS-DUR-19]. Before that, what was read back but not proved durable is written once more and
 * forced. After a failed force the kernel may hold it as clean pages that never reached the disk;
 * writing makes them dirty again.
 */
#include <stdlib.h>

#include "clfs/scan.h"

#define VERIFY_BYTES (4u << 20) /* how much below the mark an opening for writing looks at */

/* ---- following the blocks ---- */

struct walk {
    struct physical *log;
    struct scan scan;
    uint64_t at;       /* address of the next block, if it stands there */
    uint64_t previous; /* LSN of the block before it */
    uint64_t proof;    /* the largest hint seen */
    uint64_t last;     /* bound of the records passed */
};

static NTSTATUS
block_at(struct physical *log, struct scan *scan, struct container *container, uint64_t address,
         struct block_header *header, const uint8_t **block)
{
    struct block_place place = {.identity = &log->identity,
                                .lsn = address,
                                .room = container_limit(log) - clfs_lsn_offset(address),
                                .sector_size = log->sector_size,
                                .epoch_min = log->epoch,
                                .epoch_max = log->epoch};

    if (place.room < BLOCK_HEADER_SIZE)
        return status_raise(STATUS_LOG_BLOCK_INVALID);
    return scan_block(scan, container, &place, UINT32_MAX, header, block);
}

static bool
is_no_block(NTSTATUS status)
{
    return status == STATUS_LOG_BLOCK_INVALID || status == STATUS_LOG_BLOCK_VERSION;
}

/* The next block in sequence in that container. Answers: LOG_BLOCK_INVALID (there is none). */
static NTSTATUS
step_in(struct walk *walk, struct container *container, uint64_t address)
{
    struct block_header header;
    const uint8_t *block;
    NTSTATUS status = block_at(walk->log, &walk->scan, container, address, &header, &block);

    if (is_no_block(status) || (status == STATUS_SUCCESS && header.previous != walk->previous))
        return status_raise(STATUS_LOG_BLOCK_INVALID);
    TRY(status);
    walk->at = address + header.size;
    walk->previous = address;
    walk->last = address + header.records;
    if (header.durable > walk->proof)
        walk->proof = header.durable;
    return STATUS_SUCCESS;
}

/* Takes the next free container into use, if the log went on there. */
static NTSTATUS
step_over(struct walk *walk)
{
    struct physical *log = walk->log;
    struct container *current = container_current(log), *next;
    uint32_t id = current->logical_id + 1;
    uint64_t end = clfs_lsn_offset(walk->at);

    if (log->active_count == log->container_count || id == CONTAINER_UNUSED ||
        end == log->sector_size) /* no writer leaves one without having used it */
        return status_raise(STATUS_LOG_BLOCK_INVALID);
    next = log->containers[log->active_count];
    TRY(step_in(walk, next, clfs_lsn_make(id, log->sector_size, 0)));
    current->end = end;
    next->logical_id = id;
    log->active_count++;
    return STATUS_SUCCESS;
}

static NTSTATUS
walk_to_end(struct walk *walk)
{
    for (;;) {
        NTSTATUS status = step_in(walk, container_current(walk->log), walk->at);

        if (status == STATUS_LOG_BLOCK_INVALID)
            status = step_over(walk);
        if (status == STATUS_LOG_BLOCK_INVALID)
            return STATUS_SUCCESS;
        TRY(status);
    }
}

/* ---- looking ahead for proof of damage ---- */

/* Looks for headers in [offset, limit) of a container; *proof grows to the largest hint of the
 * current epoch, or of a later one: then this metadata is not the newest. Each sector is read
 * once. */
static NTSTATUS
headers_look(struct walk *walk, const struct container *container, uint32_t id, uint64_t offset,
             uint64_t *proof)
{
    struct physical *log = walk->log;
    uint64_t limit = container_limit(log);

    for (; offset < limit; offset += log->sector_size) {
        struct block_place place = {.identity = &log->identity,
                                    .lsn = clfs_lsn_make(id, offset, 0),
                                    .room = limit - offset,
                                    .sector_size = log->sector_size,
                                    .epoch_min = log->epoch,
                                    .epoch_max = UINT64_MAX};
        struct block_header header;
        struct bytes view;

        TRY(scan_bytes(&walk->scan, container, offset, BLOCK_HEADER_SIZE, place.room, &view));
        if (block_header_decode(view, &place, &header) == STATUS_SUCCESS && header.durable > *proof)
            *proof = header.durable;
    }
    return STATUS_SUCCESS;
}

/* Whether a container begins with a block of ours from behind 'end'; *id: the container's logical
 * id by that block. */
static bool
container_claims(const struct walk *walk, const struct container *container, uint64_t end,
                 uint32_t *id)
{
    struct physical *log = walk->log;
    uint8_t sector[BLOCK_HEADER_SIZE];
    struct block_header header;
    size_t got;
    uint64_t lsn;

    if (sys_file_read(container->file, sector, sizeof(sector), log->sector_size, &got) !=
            STATUS_SUCCESS ||
        got != sizeof(sector))
        return false; /* the containers the log went on in have been read before this */
    lsn = block_claimed_lsn(bytes_of(sector, sizeof(sector)));
    struct block_place place = {.identity = &log->identity,
                                .lsn = lsn,
                                .room = container_limit(log) - log->sector_size,
                                .sector_size = log->sector_size,
                                .epoch_min = log->epoch,
                                .epoch_max = UINT64_MAX};
    if (lsn >= CLFS_LSN_NONE || clfs_lsn_sequence(lsn) != 0 ||
        clfs_lsn_offset(lsn) != log->sector_size ||
        clfs_lsn_container(lsn) <= clfs_lsn_container(end))
        return false;
    *id = clfs_lsn_container(lsn);
    return block_header_decode(bytes_of(sector, sizeof(sector)), &place, &header) == STATUS_SUCCESS;
}

/* *proof: the largest hint behind 'end'. Read are the rest of the last container, the one the log
 * would have gone on in, and of the others those that begin with a block from behind the end: so
 * the work stays in proportion to what was written since the mark [CLFS-HARD-36, CLFS-LIMIT-05].
 *
 * All containers are asked, also the active ones. One of these can hold such a block only if newer
 * metadata once freed it: then this copy is older than one that was lost, and the base it names may
 * point into what has been overwritten. */
static NTSTATUS
look_ahead(struct walk *walk, uint64_t *proof)
{
    struct physical *log = walk->log;
    uint64_t end = walk->at;
    uint32_t id = clfs_lsn_container(end), claimed;

    *proof = 0;
    TRY(headers_look(walk, container_current(log), id, clfs_lsn_offset(end), proof));
    for (unsigned i = 0; i < log->container_count; i++) {
        const struct container *container = log->containers[i];

        if (container_claims(walk, container, end, &claimed)) {
            uint64_t start = clfs_lsn_make(claimed, log->sector_size, 0);

            if (i < log->active_count && *proof < start)
                *proof = start;
            TRY(headers_look(walk, container, claimed, log->sector_size, proof));
        } else if (i == log->active_count && id + 1 != CONTAINER_UNUSED) {
            TRY(headers_look(walk, container, id + 1, log->sector_size, proof));
        }
    }
    return STATUS_SUCCESS;
}

/* ---- looking back at what should be there ---- */

/* Verifies the newest blocks below the mark. Not all of them, or opening a large log would take as
 * long as reading it; those farther back are verified when they are read. A sector that cannot be
 * read is no business of an opening [CLFS-HARD-40]. */
static NTSTATUS
look_back(struct physical *log, struct scan *scan, const struct base_image *image)
{
    uint64_t lsn = image->last_block, end = image->mark, budget = VERIFY_BYTES;

    while (lsn != CLFS_LSN_NONE && lsn >= clfs_lsn_block(image->base) &&
           !(image->base == image->last && lsn < image->base)) {
        struct container *container = container_find(log, clfs_lsn_container(lsn));
        struct block_place place = {.identity = &log->identity,
                                    .lsn = lsn,
                                    .room = container_limit(log) - clfs_lsn_offset(lsn),
                                    .sector_size = log->sector_size,
                                    .epoch_max = log->epoch};
        struct block_header header;
        const uint8_t *block;
        NTSTATUS status;

        if (!container || clfs_lsn_offset(lsn) < log->sector_size ||
            clfs_lsn_offset(lsn) + (uint64_t)log->sector_size > container_limit(log))
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        status = scan_block(scan, container, &place, UINT32_MAX, &header, &block);
        if (is_no_block(status))
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT); /* [CLFS-DUR-20] */
        if (status == STATUS_LOG_CONTAINER_READ_FAILED)
            return STATUS_SUCCESS;
        TRY(status);
        if (address_normalize(log, lsn + header.size) != address_normalize(log, end))
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        if (header.size > budget)
            return STATUS_SUCCESS;
        budget -= header.size;
        end = lsn;
        lsn = header.previous;
    }
    return STATUS_SUCCESS;
}

/* ---- the two halves ---- */

/* With read-only access a damaged log can be read up to the damage; its end is where the proof says
 * it was at least, so that reading on meets an invalid block and not a silent end. */
static void
damage_note(struct physical *log, struct walk *walk, uint64_t proof)
{
    log->is_damaged = true;
    while (clfs_lsn_container(walk->at) < clfs_lsn_container(proof) &&
           log->active_count < log->container_count) {
        struct container *current = container_current(log);

        log->containers[log->active_count++]->logical_id = current->logical_id + 1;
        current->end = container_limit(log);
        walk->at = clfs_lsn_make(current->logical_id + 1, log->sector_size, 0);
    }
    if (clfs_lsn_container(walk->at) == clfs_lsn_container(proof) && walk->at < proof)
        walk->at = proof;
    if (walk->last < walk->at)
        walk->last = walk->at;
}

static NTSTATUS
end_find(struct walk *walk, const struct base_image *image, bool for_writing)
{
    struct physical *log = walk->log;
    uint64_t proof;

    if (image->container_count == 0 || image->is_clean)
        return STATUS_SUCCESS;
    TRY(walk_to_end(walk));
    TRY(look_ahead(walk, &proof));
    if (proof > walk->at) {
        if (for_writing)
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        damage_note(log, walk, proof);
    }
    return STATUS_SUCCESS;
}

NTSTATUS
recover_find_end(struct physical *log, const struct base_image *image, bool for_writing)
{
    struct walk walk = {.log = log,
                        .at = image->mark,
                        .previous = image->last_block,
                        .proof = image->mark,
                        .last = image->last};
    NTSTATUS status = STATUS_SUCCESS;

    scan_init(&walk.scan, NULL, 0);
    if (for_writing && image->container_count)
        status = look_back(log, &walk.scan, image);
    if (status == STATUS_SUCCESS)
        status = end_find(&walk, image, for_writing);
    scan_deinit(&walk.scan);
    TRY(status);

    log->rewrite_from = walk.proof;
    log->durable = log->written = log->next = walk.at;
    log->durable_block = log->written_block = log->newest_block = walk.previous;
    log->last = log->written_last = walk.last;
    atomic_store_explicit(&log->flushed, walk.last, memory_order_relaxed);
    return STATUS_SUCCESS;
}

/* Writes the blocks of [rewrite_from, next) where they stand, verified once more as they are read,
 * and forces them. */
static NTSTATUS
tail_rewrite(struct physical *log, struct scan *scan)
{
    uint64_t at = address_normalize(log, log->rewrite_from);

    for (; at < log->next; at = address_normalize(log, at)) {
        struct container *container;
        bool is_last_here;
        struct block_header header;
        const uint8_t *block;
        struct bytes part;
        NTSTATUS status;

        container = container_find(log, clfs_lsn_container(at));
        if (!container)
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        status = block_at(log, scan, container, at, &header, &block);
        if (is_no_block(status)) /* a hint that named no block's end */
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        TRY(status);
        part = bytes_of(block, header.size);
        if (sys_file_write(container->file, &part, 1, clfs_lsn_offset(at)) != STATUS_SUCCESS)
            return status_raise(STATUS_LOG_CONTAINER_WRITE_FAILED);
        at += header.size;
        is_last_here = at >= log->next || address_normalize(log, at) != at;
        if (is_last_here && sys_file_sync(container->file) != STATUS_SUCCESS)
            return status_raise(STATUS_LOG_CONTAINER_WRITE_FAILED);
    }
    return STATUS_SUCCESS;
}

NTSTATUS
recover_make_final(struct physical *log)
{
    struct base_change change = {.base = log->base, .restart = log->restart};
    owned(base_image_destroy) struct base_image *image = NULL;
    struct scan scan;
    NTSTATUS status;

    if (log->is_damaged)
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
    if (!log->file_is_writable)
        return status_raise(STATUS_ACCESS_DENIED);
    if (log->generation >= BASE_GENERATION_LAST || log->epoch == UINT64_MAX)
        return status_raise(STATUS_LOG_STATE_INVALID); /* [CLFS-HARD-14] */
    TRY(metadata_confirm(log));
    scan_init(&scan, NULL, 0);
    status = tail_rewrite(log, &scan);
    scan_deinit(&scan);
    sys_mutex_lock(&log->mutex);
    if (status == STATUS_SUCCESS)
        log->epoch++;
    else
        log_fail(log, status);
    sys_mutex_unlock(&log->mutex);
    TRY(status);

    TRY(metadata_image(log, &change, 0, &image));
    TRY(metadata_write_both(log, image));
    log->is_writable = true;
    return STATUS_SUCCESS;
}
