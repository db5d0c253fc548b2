/* SPDX-License-Identifier: MIT */
/*
 * Reading blocks from container files in order: a window of bytes, moved as needed.
 *
 * What lies in a window is what the file held when it was read. Only ranges that no longer change
 * (below 'written') may be given as the room.
 */
#pragma once

#include "clfs/log.h"

struct scan {
    uint8_t *bytes;
    size_t capacity;
    size_t size;                       /* what is in it */
    const struct container *container; /* NULL: nothing */
    uint64_t from;                     /* offset of its first byte in the container */
};

/* With memory of the caller's, who must ask for nothing larger; or NULL: allocated as needed, and
 * freed by scan_deinit. */
void scan_init(struct scan *scan, uint8_t *bytes, size_t capacity);
void scan_deinit(struct scan *scan);

/* The block at place->lsn, whole, as a view into the window. Answers: LOG_BLOCK_INVALID,
 * LOG_BLOCK_VERSION, LOG_BLOCK_INCOMPLETE (larger than 'size_max'; it is not read then
 * [CLFS-HARD-30]), LOG_CONTAINER_READ_FAILED, INSUFFICIENT_RESOURCES. */
NTSTATUS scan_block(struct scan *scan, const struct container *container,
                    const struct block_place *place, uint32_t size_max, struct block_header *header,
                    const uint8_t **block) must_use;
/* Any bytes of a container, as a view into the window; *view is shorter than asked for where the
 * room ends. */
NTSTATUS scan_bytes(struct scan *scan, const struct container *container, uint64_t offset,
                    size_t size, uint64_t room, struct bytes *view) must_use;
