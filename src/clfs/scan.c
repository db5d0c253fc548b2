/* SPDX-License-Identifier: MIT */
/* Reading blocks from container files in order; see scan.h. */
#include "clfs/scan.h"

#include <stdlib.h>

#define WINDOW_SIZE (256u << 10)

void
scan_init(struct scan *scan, uint8_t *bytes, size_t capacity)
{
    *scan = (struct scan){.bytes = bytes, .capacity = bytes ? capacity : 0};
}

void
scan_deinit(struct scan *scan)
{
    free(scan->bytes);
}

static bool
is_in_window(const struct scan *scan, const struct container *container, uint64_t offset,
             size_t size)
{
    return scan->container == container && offset >= scan->from &&
           offset - scan->from <= scan->size && size <= scan->size - (offset - scan->from);
}

static NTSTATUS
window_grow(struct scan *scan, size_t size)
{
    uint8_t *bytes;

    if (size <= scan->capacity)
        return STATUS_SUCCESS;
    if (size < WINDOW_SIZE)
        size = WINDOW_SIZE;
    bytes = malloc(size);
    if (!bytes)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    free(scan->bytes);
    scan->bytes = bytes;
    scan->capacity = size;
    scan->container = NULL;
    return STATUS_SUCCESS;
}

/* Moves the window to 'offset' and fills it as far as the room goes. */
static NTSTATUS
window_read(struct scan *scan, const struct container *container, uint64_t offset, uint64_t room)
{
    size_t size = room < scan->capacity ? (size_t)room : scan->capacity;

    scan->container = NULL;
    if (sys_file_read(container->file, scan->bytes, size, offset, &scan->size) != STATUS_SUCCESS)
        return status_raise(STATUS_LOG_CONTAINER_READ_FAILED); /* [CLFS-DUR-16] */
    if (scan->size != size) /* somebody cut the file [CLFS-HARD-41] */
        return status_raise(STATUS_LOG_CONTAINER_READ_FAILED);
    scan->container = container;
    scan->from = offset;
    return STATUS_SUCCESS;
}

NTSTATUS
scan_bytes(struct scan *scan, const struct container *container, uint64_t offset, size_t size,
           uint64_t room, struct bytes *view)
{
    if (size > room)
        size = (size_t)room;
    if (!is_in_window(scan, container, offset, size)) {
        TRY(window_grow(scan, size));
        TRY(window_read(scan, container, offset, room));
    }
    *view = bytes_of(scan->bytes + (offset - scan->from), size);
    return STATUS_SUCCESS;
}

NTSTATUS
scan_block(struct scan *scan, const struct container *container, const struct block_place *place,
           uint32_t size_max, struct block_header *header, const uint8_t **block)
{
    uint64_t offset = clfs_lsn_offset(place->lsn);
    struct bytes view;

    TRY(scan_bytes(scan, container, offset, BLOCK_HEADER_SIZE, place->room, &view));
    TRY(block_header_decode(view, place, header));
    if (header->size > size_max)
        return status_raise(STATUS_LOG_BLOCK_INCOMPLETE);
    /* The size has been checked against the room, so it bounds what is allocated. */
    TRY(scan_bytes(scan, container, offset, header->size, place->room, &view));
    TRY(block_decode(view, place, header));
    *block = view.at;
    return STATUS_SUCCESS;
}
