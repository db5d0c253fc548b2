/* SPDX-License-Identifier: MIT */
/* The simulated disk: contents of files, seen and stored, and what a power cut makes of them. */
#include <stdlib.h>
#include <string.h>

#include "sys/sim_disk.h"

/* ---- images ---- */

static struct sim_image *
image_ref(struct sim_image *image)
{
    if (image)
        image->holders++;
    return image;
}

static void
image_unref(struct sim_image *image)
{
    if (image && --image->holders == 0)
        free(image);
}

static void
image_set(struct sim_image **at, struct sim_image *image)
{
    struct sim_image *before = *at;

    *at = image_ref(image);
    image_unref(before);
}

/* Zeros for what lies behind 'size' bytes. */
static void
image_cut(struct sim_image **at, size_t size)
{
    struct sim_image *made;

    if (!*at)
        return;
    made = sim_allocate(sizeof(*made));
    made->holders = 1;
    memcpy(made->bytes, (*at)->bytes, size);
    image_unref(*at);
    *at = made;
}

/* ---- sectors ---- */

static void
sectors_reach(struct sim_node *node, uint64_t count)
{
    struct sim_sector *made;
    size_t room = node->sector_count ? node->sector_count : 8;

    if (count <= node->sector_count)
        return;
    while (room < count)
        room *= 2;
    made = sim_allocate(room * sizeof(*made));
    if (node->sector_count > 0)
        memcpy(made, node->sectors, node->sector_count * sizeof(*made));
    free(node->sectors);
    node->sectors = made;
    node->sector_count = room;
}

/* The sectors that a file of 'size' bytes has, as far as they were ever touched. */
static size_t
sectors_of(const struct sim_node *node, uint64_t size)
{
    uint64_t count = (size + SIM_SECTOR_SIZE - 1) / SIM_SECTOR_SIZE;

    return count < node->sector_count ? (size_t)count : node->sector_count;
}

static NTSTATUS
sector_take_space(struct sim_disk *disk, struct sim_sector *sector)
{
    if (sector->flags & SIM_HAS_SPACE)
        return STATUS_SUCCESS;
    if (disk->capacity && disk->used + SIM_SECTOR_SIZE > disk->capacity)
        return status_raise(STATUS_DISK_FULL);
    disk->used += SIM_SECTOR_SIZE;
    sector->flags |= SIM_HAS_SPACE;
    return STATUS_SUCCESS;
}

static void
sector_forget_unsynced(struct sim_sector *sector)
{
    for (size_t i = 0; i < sector->unsynced_count; i++)
        image_unref(sector->unsynced[i].image);
    free(sector->unsynced);
    sector->unsynced = NULL;
    sector->unsynced_count = sector->unsynced_room = 0;
}

/* Takes 'image' as what is seen from now on. */
static void
sector_add_version(struct sim_node *node, size_t index, uint64_t when, struct sim_image *image)
{
    struct sim_sector *sector = &node->sectors[index];
    size_t count = sector->unsynced_count;

    if (count == sector->unsynced_room)
        sector->unsynced =
            sim_grow(sector->unsynced, count, &sector->unsynced_room, sizeof(*sector->unsynced));
    if (count == 0) {
        if (node->dirty_count == node->dirty_room)
            node->dirty =
                sim_grow(node->dirty, node->dirty_count, &node->dirty_room, sizeof(*node->dirty));
        node->dirty[node->dirty_count++] = index;
    }
    sector->unsynced[count] = (struct sim_version){.when = when, .image = image_ref(image)};
    sector->unsynced_count++;
    image_set(&sector->seen, image);
    image_unref(image);
}

static void
node_forget_dirty(struct sim_node *node)
{
    for (size_t i = 0; i < node->dirty_count; i++)
        sector_forget_unsynced(&node->sectors[node->dirty[i]]);
    node->dirty_count = 0;
}

static void
node_set_size(struct sim_node *node, uint64_t when, uint64_t size)
{
    if (node->unsynced_size_count == node->unsynced_size_room)
        node->unsynced_sizes = sim_grow(node->unsynced_sizes, node->unsynced_size_count,
                                        &node->unsynced_size_room, sizeof(*node->unsynced_sizes));
    node->unsynced_sizes[node->unsynced_size_count++] = (struct sim_size){when, size};
    node->size = size;
}

/* ---- reading and writing ---- */

/* Overwrites a part of one sector. A part of a sector needs the rest of it read. */
static NTSTATUS
sector_write(struct sim_disk *disk, struct sim_node *node, size_t index, size_t offset,
             struct bytes data)
{
    struct sim_sector *sector = &node->sectors[index];
    struct sim_image *image;

    if (sector->flags & SIM_BAD_READ && data.size < SIM_SECTOR_SIZE)
        return status_raise(STATUS_IO_DEVICE_ERROR);
    TRY(sector_take_space(disk, sector));
    image = sim_allocate(sizeof(*image));
    image->holders = 1;
    if (sector->seen)
        memcpy(image->bytes, sector->seen->bytes, SIM_SECTOR_SIZE);
    memcpy(image->bytes + offset, data.at, data.size);
    sector_add_version(node, index, disk->when, image);
    return STATUS_SUCCESS;
}

NTSTATUS
sim_content_write(struct sim_disk *disk, struct sim_node *node, struct bytes data, uint64_t offset,
                  bool torn)
{
    NTSTATUS status = STATUS_SUCCESS;
    uint64_t at = offset, end = offset + data.size;

    if (data.size == 0)
        return STATUS_SUCCESS;
    if (end > SIM_FILE_MAX)
        return status_raise(STATUS_DISK_FULL);
    disk->when++;
    sectors_reach(node, end / SIM_SECTOR_SIZE + 1);
    while (at < end) {
        size_t within = at % SIM_SECTOR_SIZE;
        size_t size = SIM_SECTOR_SIZE - within;

        if (size > end - at)
            size = (size_t)(end - at);
        if (!torn || sim_coin(&disk->chance))
            status = sector_write(disk, node, (size_t)(at / SIM_SECTOR_SIZE), within,
                                  bytes_of(data.at + (at - offset), size));
        if (status != STATUS_SUCCESS)
            break;
        at += size;
    }
    if (at > node->size && at > offset)
        node_set_size(node, disk->when, at);
    return status;
}

NTSTATUS
sim_content_read(struct sim_node *node, uint8_t *into, size_t size, uint64_t offset, size_t *got)
{
    size_t done = 0;

    if (offset >= node->size)
        size = 0;
    else if (size > node->size - offset)
        size = (size_t)(node->size - offset);
    while (done < size) {
        uint64_t index = (offset + done) / SIM_SECTOR_SIZE;
        size_t within = (offset + done) % SIM_SECTOR_SIZE;
        size_t part =
            SIM_SECTOR_SIZE - within < size - done ? SIM_SECTOR_SIZE - within : size - done;
        static const struct sim_sector nothing;
        const struct sim_sector *sector =
            index < node->sector_count ? &node->sectors[index] : &nothing;

        if (sector->flags & SIM_BAD_READ)
            return status_raise(STATUS_IO_DEVICE_ERROR);
        if (sector->seen)
            memcpy(into + done, sector->seen->bytes + within, part);
        else
            memset(into + done, 0, part);
        done += part;
    }
    *got = done;
    return STATUS_SUCCESS;
}

NTSTATUS
sim_content_extend(struct sim_disk *disk, struct sim_node *node, uint64_t size, bool torn)
{
    NTSTATUS status = STATUS_SUCCESS;
    uint64_t reached = node->size;

    CHECK(size >= node->size);
    if (size > SIM_FILE_MAX)
        return status_raise(STATUS_DISK_FULL);
    if (torn)
        size = node->size + sim_below(&disk->chance, size - node->size + 1);
    sectors_reach(node, size / SIM_SECTOR_SIZE + 1);
    while (reached < size) {
        status = sector_take_space(disk, &node->sectors[reached / SIM_SECTOR_SIZE]);
        if (status != STATUS_SUCCESS)
            break;
        reached = (reached / SIM_SECTOR_SIZE + 1) * SIM_SECTOR_SIZE;
    }
    if (reached > size)
        reached = size;
    if (reached > node->size) {
        disk->when++;
        node_set_size(node, disk->when, reached);
    }
    return status;
}

/* ---- syncing ---- */

NTSTATUS
sim_content_sync(struct sim_disk *disk, struct sim_node *node, bool torn)
{
    size_t left = 0;
    bool failed = false;

    for (size_t i = 0; i < node->dirty_count; i++) {
        struct sim_sector *sector = &node->sectors[node->dirty[i]];

        if (torn && sim_coin(&disk->chance)) {
            node->dirty[left++] = node->dirty[i];
            continue;
        }
        if (sector->flags & SIM_BAD_WRITE)
            failed = true;
        else
            image_set(&sector->stored, sector->seen);
        sector_forget_unsynced(sector);
    }
    node->dirty_count = left;
    if (failed) {
        node->sync_errors++;
        return status_raise(STATUS_IO_DEVICE_ERROR);
    }
    if (!torn || sim_coin(&disk->chance)) {
        node->stored_size = node->size;
        node->unsynced_size_count = 0;
    }
    return STATUS_SUCCESS;
}

void
sim_content_lose(struct sim_node *node)
{
    node_forget_dirty(node);
    node->sync_errors++;
}

void
sim_content_set_bad(struct sim_node *node, uint64_t offset, uint64_t size, unsigned access)
{
    uint64_t from = offset / SIM_SECTOR_SIZE;
    uint64_t to = (offset + size + SIM_SECTOR_SIZE - 1) / SIM_SECTOR_SIZE;

    CHECK(size > 0 && offset + size <= SIM_FILE_MAX);
    sectors_reach(node, to);
    for (uint64_t i = from; i < to; i++) {
        node->sectors[i].flags &= ~(unsigned)(SIM_BAD_READ | SIM_BAD_WRITE);
        node->sectors[i].flags |= access;
    }
}

void
sim_content_stored(const struct sim_node *node, uint8_t *into)
{
    memset(into, 0, node->stored_size);
    for (size_t i = 0; i < sectors_of(node, node->stored_size); i++) {
        uint64_t at = (uint64_t)i * SIM_SECTOR_SIZE;
        size_t size = node->stored_size - at < SIM_SECTOR_SIZE ? (size_t)(node->stored_size - at)
                                                               : SIM_SECTOR_SIZE;
        if (node->sectors[i].stored)
            memcpy(into + at, node->sectors[i].stored->bytes, size);
    }
}

/* ---- after a power cut ---- */

/* How many of 'count' versions, made by the operations 'when' in this order, have reached the disk:
 * the last of them is what is there, 0 means none. 'stride' is the size of one version. */
static size_t
versions_kept(const void *first_when, size_t stride, size_t count, struct sim_survival *survival)
{
    size_t kept = 0;

    switch (survival->keep) {
    case SIM_KEEP_NOTHING:
        return 0;
    case SIM_KEEP_ALL:
        return count;
    case SIM_KEEP_PREFIX:
        for (; kept < count; kept++) {
            uint64_t when;
            memcpy(&when, (const char *)first_when + kept * stride, sizeof(when));
            if (when > survival->when_max)
                break;
        }
        return kept;
    case SIM_KEEP_SUBSET:
        if (sim_below(&survival->chance, 8) < survival->keep_of_8)
            return count;
        return (size_t)sim_below(&survival->chance, count);
    }
    CHECK(false);
}

static void
size_settle(struct sim_node *node, struct sim_survival *survival)
{
    size_t count = node->unsynced_size_count, kept;

    if (count == 0)
        return;
    kept = versions_kept(&node->unsynced_sizes[0].when, sizeof(struct sim_size), count, survival);
    if (kept > 0) {
        uint64_t before = kept > 1 ? node->unsynced_sizes[kept - 2].size : node->stored_size;
        uint64_t size = node->unsynced_sizes[kept - 1].size;

        /* A file that grows by many sectors passes through the sizes in between. */
        if (survival->keep == SIM_KEEP_SUBSET && sim_coin(&survival->chance))
            size = before + sim_below(&survival->chance, size - before + 1);
        node->stored_size = size;
    }
    node->unsynced_size_count = 0;
}

/* Sectors behind the end are gone; the last one is empty behind the end. */
static void
node_trim(struct sim_node *node)
{
    size_t count = sectors_of(node, node->stored_size);

    for (size_t i = count; i < node->sector_count; i++) {
        image_set(&node->sectors[i].stored, NULL);
        node->sectors[i].flags &= ~(unsigned)SIM_HAS_SPACE;
    }
    if (count > 0 && node->stored_size < (uint64_t)count * SIM_SECTOR_SIZE)
        image_cut(&node->sectors[count - 1].stored, (size_t)(node->stored_size % SIM_SECTOR_SIZE));
}

void
sim_content_settle(struct sim_node *node, struct sim_survival *survival)
{
    size_settle(node, survival);
    for (size_t i = 0; i < node->dirty_count; i++) {
        struct sim_sector *sector = &node->sectors[node->dirty[i]];
        size_t kept = versions_kept(&sector->unsynced[0].when, sizeof(struct sim_version),
                                    sector->unsynced_count, survival);
        if (kept > 0)
            image_set(&sector->stored, sector->unsynced[kept - 1].image);
    }
    node_forget_dirty(node);
    node_trim(node);
    for (size_t i = 0; i < node->sector_count; i++)
        image_set(&node->sectors[i].seen, node->sectors[i].stored);
    node->size = node->stored_size;
    node->sync_errors = 0;
    node->fail_sync_in = 0;
}

uint64_t
sim_content_space(const struct sim_node *node)
{
    uint64_t space = 0;

    for (size_t i = 0; i < node->sector_count; i++)
        if (node->sectors[i].flags & SIM_HAS_SPACE)
            space += SIM_SECTOR_SIZE;
    return space;
}

/* ---- making copies, and an end ---- */

static void *
array_copy(const void *array, size_t count, size_t element_size)
{
    return count ? memcpy(sim_allocate(count * element_size), array, count * element_size) : NULL;
}

static void
sector_copy(const struct sim_sector *sector, struct sim_sector *copy)
{
    *copy = *sector;
    image_ref(copy->seen);
    image_ref(copy->stored);
    copy->unsynced =
        array_copy(sector->unsynced, sector->unsynced_count, sizeof(*sector->unsynced));
    copy->unsynced_room = sector->unsynced_count;
    for (size_t i = 0; i < copy->unsynced_count; i++)
        image_ref(copy->unsynced[i].image);
}

void
sim_content_copy(const struct sim_node *node, struct sim_node *copy)
{
    copy->size = node->size;
    copy->stored_size = node->stored_size;
    copy->sync_errors = node->sync_errors;
    copy->unsynced_sizes =
        array_copy(node->unsynced_sizes, node->unsynced_size_count, sizeof(*copy->unsynced_sizes));
    copy->unsynced_size_count = copy->unsynced_size_room = node->unsynced_size_count;
    copy->dirty = array_copy(node->dirty, node->dirty_count, sizeof(*copy->dirty));
    copy->dirty_count = copy->dirty_room = node->dirty_count;
    copy->sector_count = node->sector_count;
    copy->sectors = sim_allocate(node->sector_count * sizeof(*copy->sectors));
    for (size_t i = 0; i < node->sector_count; i++)
        sector_copy(&node->sectors[i], &copy->sectors[i]);
}

void
sim_content_deinit(struct sim_node *node)
{
    node_forget_dirty(node);
    for (size_t i = 0; i < node->sector_count; i++) {
        image_unref(node->sectors[i].seen);
        image_unref(node->sectors[i].stored);
    }
    free(node->sectors);
    free(node->unsynced_sizes);
    free(node->dirty);
}
