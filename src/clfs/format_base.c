/* SPDX-License-Identifier: MIT */
/*
 * The base file's copies and the containers' headers as bytes.
 *
 * A copy is judged in two steps, because two copies must be compared before either is believed:
 * base_copy_check says "this was written whole", by a checksum at a place that no version moves;
 * base_copy_decode says what it means, or why it cannot be meant.
 */
#include "clfs/format.h"

#include <stdlib.h>

/* Offsets in the header of a copy. Magic, size and checksum stay where they are for ever. */
enum {
    H_MAGIC = 0,
    H_VERSION = 8,
    H_FEATURES = 12,
    H_SIZE = 16,
    H_CRC = 20,
    H_GENERATION = 24,
    H_IDENTITY = 32,
    H_KIND = 48,
    H_SECTOR_SIZE = 52,
    H_CONTAINER_SIZE = 56,
    H_STREAMS = 64,
    H_CONTAINERS = 68,
    H_NEXT_PHYSICAL = 72,
    H_FLAGS = 76,
    H_EPOCH = 80,
    H_MARK = 88,
    H_LAST_BLOCK = 96,
    H_ARCHIVE_TAIL = 104,
    H_END = 112, /* zeros from here on */
};

/* Offsets in a stream entry and in a container entry. */
enum { S_TYPE = 0, S_ID = 4, S_FLAGS = 8, S_BASE = 16, S_LAST = 24, S_RESTART = 32, S_END = 40 };
enum { C_TYPE = 0, C_PHYSICAL = 4, C_LOGICAL = 8, C_STATE = 12, C_ENDS = 16, C_NAME_SIZE = 24 };
enum { C_NAME = 32 };
enum { ENTRY_STREAM = 1, ENTRY_CONTAINER = 2 };
enum { KIND_DEDICATED = 1, KIND_MULTIPLEXED = 2 };
enum { FLAG_CLEAN = 1 };

static const char base_magic[8] = "KTMBASE\x1a";
static const char container_magic[8] = "KTMCONT\x1a";

static_assert(H_END <= BASE_HEADER_SIZE, "the header fits its sector");
static_assert(C_NAME + CONTAINER_NAME_MAX == BASE_ENTRY_SIZE, "the longest name fills its entry");
static_assert(BASE_ENTRIES_MAX >= 1 + CLFS_CONTAINERS_MAX, "a full log fits a copy");

static void
guid_put(uint8_t *at, const GUID *guid)
{
    le32_put(at, guid->Data1);
    le16_put(at + 4, guid->Data2);
    le16_put(at + 6, guid->Data3);
    memcpy(at + 8, guid->Data4, 8);
}

static void
guid_get(const uint8_t *at, GUID *guid)
{
    guid->Data1 = le32_get(at);
    guid->Data2 = le16_get(at + 4);
    guid->Data3 = le16_get(at + 6);
    memcpy(guid->Data4, at + 8, 8);
}

static bool
is_zero(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

/* The checksum of 'size' bytes, the four at 'hole' taken as zero; never 0 itself. */
static uint32_t
crc_with_hole(const uint8_t *at, size_t size, size_t hole)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, at, hole);

    crc = crc32c(crc, zero, sizeof(zero));
    crc = crc32c(crc, at + hole + 4, size - hole - 4);
    return crc ? crc : UINT32_MAX;
}

struct base_image *
base_image_create(unsigned container_count)
{
    struct base_image *image;

    CHECK(container_count <= CLFS_CONTAINERS_MAX);
    image = calloc(1, sizeof(*image) + container_count * sizeof(image->containers[0]));
    if (image)
        image->container_count = container_count;
    return image;
}

void
base_image_destroy(struct base_image *image)
{
    free(image);
}

size_t
base_image_size(const struct base_image *image)
{
    return BASE_HEADER_SIZE + BASE_ENTRY_SIZE * ((size_t)image->container_count + 1);
}

/* ---- encoding ---- */

static void
container_entry_encode(const struct base_container *container, uint8_t *into)
{
    le32_put(into + C_TYPE, ENTRY_CONTAINER);
    le32_put(into + C_PHYSICAL, container->physical_id);
    le32_put(into + C_LOGICAL, container->logical_id);
    le32_put(into + C_STATE, container->state);
    le64_put(into + C_ENDS, container->end);
    le32_put(into + C_NAME_SIZE, (uint32_t)container->name_size);
    memcpy(into + C_NAME, container->name, container->name_size);
}

static void
stream_entry_encode(const struct base_image *image, uint8_t *into)
{
    le32_put(into + S_TYPE, ENTRY_STREAM);
    le64_put(into + S_BASE, image->base);
    le64_put(into + S_LAST, image->last);
    le64_put(into + S_RESTART, image->restart);
}

void
base_image_encode(const struct base_image *image, uint8_t *into)
{
    size_t size = base_image_size(image);

    CHECK(base_image_validate(image) == STATUS_SUCCESS);
    memset(into, 0, size);
    memcpy(into + H_MAGIC, base_magic, sizeof(base_magic));
    le32_put(into + H_VERSION, FORMAT_VERSION);
    le32_put(into + H_SIZE, (uint32_t)size);
    le64_put(into + H_GENERATION, image->generation);
    guid_put(into + H_IDENTITY, &image->identity);
    le32_put(into + H_KIND, KIND_DEDICATED);
    le32_put(into + H_SECTOR_SIZE, image->sector_size);
    le64_put(into + H_CONTAINER_SIZE, image->container_size);
    le32_put(into + H_STREAMS, 1);
    le32_put(into + H_CONTAINERS, image->container_count);
    le32_put(into + H_NEXT_PHYSICAL, image->next_physical_id);
    le32_put(into + H_FLAGS, image->is_clean ? FLAG_CLEAN : 0);
    le64_put(into + H_EPOCH, image->epoch);
    le64_put(into + H_MARK, image->mark);
    le64_put(into + H_LAST_BLOCK, image->last_block);
    le64_put(into + H_ARCHIVE_TAIL, CLFS_LSN_NONE);
    stream_entry_encode(image, into + BASE_HEADER_SIZE);
    for (unsigned i = 0; i < image->container_count; i++)
        container_entry_encode(&image->containers[i],
                               into + BASE_HEADER_SIZE + BASE_ENTRY_SIZE * ((size_t)i + 1));
    le32_put(into + H_CRC, crc_with_hole(into, size, H_CRC));
}

/* ---- validating ---- */

bool
container_name_is_valid(struct bytes name)
{
    const uint8_t *at = name.at, *end = name.at + name.size;

    if (name.size == 0 || name.size > CONTAINER_NAME_MAX || memchr(name.at, 0, name.size))
        return false;
    if (*at == '/')
        at++;
    while (at <= end) {
        const uint8_t *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
        size_t size = (size_t)((slash ? slash : end) - at);

        if (size == 0 || (size == 1 && at[0] == '.') || (size == 2 && !memcmp(at, "..", 2)))
            return false; /* [CLFS-NAME-18] */
        at += size + 1;
    }
    return true;
}

static bool
container_size_is_valid(const struct base_image *image)
{
    if (image->container_size == 0)
        return image->container_count == 0;
    return image->container_size % CLFS_CONTAINER_SIZE_STEP == 0 &&
           image->container_size <= CONTAINER_SIZE_MAX;
}

/* A container by itself [CLFS-HARD-19, -22]. */
static NTSTATUS
container_validate(const struct base_image *image, const struct base_container *container)
{
    bool is_active = container->state == CONTAINER_ACTIVE;

    if (!is_active && container->state != CONTAINER_INACTIVE)
        return status_raise(STATUS_LOG_CONTAINER_STATE_INVALID);
    if (!container_name_is_valid(bytes_of(container->name, container->name_size)) ||
        container->physical_id == 0 || container->physical_id >= image->next_physical_id)
        return status_raise(STATUS_LOG_METADATA_INVALID);
    if (is_active != (container->logical_id != CONTAINER_UNUSED))
        return status_raise(STATUS_LOG_METADATA_INVALID);
    if (container->end % image->sector_size || container->end > image->container_size ||
        (container->end && container->end <= image->sector_size))
        return status_raise(STATUS_LOG_METADATA_INVALID);
    return STATUS_SUCCESS;
}

/* A container beside those before it [CLFS-HARD-17]. */
static bool
container_is_new(const struct base_image *image, unsigned index)
{
    const struct base_container *it = &image->containers[index];

    for (unsigned i = 0; i < index; i++) {
        const struct base_container *other = &image->containers[i];

        if (other->physical_id == it->physical_id ||
            (other->logical_id == it->logical_id && it->logical_id != CONTAINER_UNUSED) ||
            (other->name_size == it->name_size && !memcmp(other->name, it->name, it->name_size)))
            return false;
    }
    return true;
}

/* Active containers first, with consecutive logical ids; all but the last of them are full
 * [CLFS-HARD-20]. */
static NTSTATUS
container_order_validate(const struct base_image *image)
{
    for (unsigned i = 0; i < image->container_count; i++) {
        const struct base_container *it = &image->containers[i];
        bool is_active = it->state == CONTAINER_ACTIVE;

        if (is_active != (i < image->active_count))
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        if (is_active && i > 0 && it->logical_id != image->containers[i - 1].logical_id + 1)
            return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
        if ((it->end != 0) != (i + 1 < image->active_count))
            return status_raise(STATUS_LOG_METADATA_INVALID);
    }
    return STATUS_SUCCESS;
}

/* The LSNs of a log with containers [CLFS-HARD-21]. */
static bool
lsns_are_valid(const struct base_image *image)
{
    const struct base_container *first = &image->containers[0];
    const struct base_container *newest = &image->containers[image->active_count - 1];
    uint64_t mark_offset = clfs_lsn_offset(image->mark);

    if (image->mark >= CLFS_LSN_NONE || clfs_lsn_sequence(image->mark) != 0 ||
        clfs_lsn_container(image->mark) != newest->logical_id || mark_offset % image->sector_size ||
        mark_offset < image->sector_size || mark_offset > image->container_size)
        return false;
    if (image->base > image->last || clfs_lsn_container(image->base) != first->logical_id ||
        clfs_lsn_offset(image->base) < image->sector_size ||
        clfs_lsn_offset(image->base) >= image->container_size)
        return false;
    if (image->last_block == CLFS_LSN_NONE)
        return image->last == image->mark && image->base == image->mark &&
               image->restart == CLFS_LSN_NONE;
    /* A block holds at least a sector, so its records' bound stays below its end. */
    if (image->last_block >= image->last || clfs_lsn_sequence(image->last_block) != 0 ||
        image->last > image->mark || image->last - image->last_block > CLFS_BLOCK_RECORDS_MAX)
        return false;
    return image->restart == CLFS_LSN_NONE ||
           (image->restart >= image->base && image->restart < image->last);
}

NTSTATUS
base_image_validate(const struct base_image *image)
{
    if ((image->sector_size != 512 && image->sector_size != 4096) ||
        !container_size_is_valid(image)) /* [CLFS-HARD-18] */
        return status_raise(STATUS_LOG_METADATA_INVALID);
    for (unsigned i = 0; i < image->container_count; i++) {
        TRY(container_validate(image, &image->containers[i]));
        if (!container_is_new(image, i))
            return status_raise(STATUS_LOG_METADATA_INVALID);
    }
    TRY(container_order_validate(image));
    if (image->container_count == 0)
        return image->mark || image->last || image->base || image->last_block != CLFS_LSN_NONE ||
                       image->restart != CLFS_LSN_NONE
                   ? status_raise(STATUS_LOG_METADATA_INVALID)
                   : STATUS_SUCCESS;
    if (image->active_count == 0)
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
    return lsns_are_valid(image) ? STATUS_SUCCESS : status_raise(STATUS_LOG_METADATA_INVALID);
}

/* ---- decoding ---- */

uint32_t
base_copy_claimed_size(struct bytes region)
{
    uint32_t size;

    if (region.size < BASE_HEADER_SIZE || memcmp(region.at + H_MAGIC, base_magic, 8) != 0)
        return 0;
    size = le32_get(region.at + H_SIZE);
    return size >= BASE_HEADER_SIZE && size <= BASE_COPY_SIZE ? size : 0;
}

NTSTATUS
base_copy_check(struct bytes region, uint64_t *generation)
{
    uint32_t size = base_copy_claimed_size(region);

    if (size == 0 || size > region.size)
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    if (le32_get(region.at + H_CRC) != crc_with_hole(region.at, size, H_CRC))
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    *generation = le64_get(region.at + H_GENERATION);
    return STATUS_SUCCESS;
}

static NTSTATUS
container_entry_decode(const uint8_t *entry, struct base_container *out)
{
    uint32_t name_size = le32_get(entry + C_NAME_SIZE);

    if (le32_get(entry + C_TYPE) != ENTRY_CONTAINER || name_size > CONTAINER_NAME_MAX ||
        !is_zero(entry + C_NAME_SIZE + 4, C_NAME - C_NAME_SIZE - 4) ||
        !is_zero(entry + C_NAME + name_size, CONTAINER_NAME_MAX - name_size))
        return status_raise(STATUS_LOG_METADATA_INVALID);
    out->physical_id = le32_get(entry + C_PHYSICAL);
    out->logical_id = le32_get(entry + C_LOGICAL);
    out->state = le32_get(entry + C_STATE);
    out->end = le64_get(entry + C_ENDS);
    out->name_size = name_size;
    memcpy(out->name, entry + C_NAME, name_size);
    return STATUS_SUCCESS;
}

static NTSTATUS
stream_entry_decode(const uint8_t *entry, struct base_image *image)
{
    if (le32_get(entry + S_TYPE) != ENTRY_STREAM || le32_get(entry + S_ID) != 0 ||
        le64_get(entry + S_FLAGS) != 0 || !is_zero(entry + S_END, BASE_ENTRY_SIZE - S_END))
        return status_raise(STATUS_LOG_METADATA_INVALID);
    image->base = le64_get(entry + S_BASE);
    image->last = le64_get(entry + S_LAST);
    image->restart = le64_get(entry + S_RESTART);
    return STATUS_SUCCESS;
}

static NTSTATUS
header_decode(const uint8_t *at, struct base_image *image)
{
    uint32_t flags = le32_get(at + H_FLAGS);

    if ((flags & ~(uint32_t)FLAG_CLEAN) || le64_get(at + H_ARCHIVE_TAIL) != CLFS_LSN_NONE ||
        !is_zero(at + H_END, BASE_HEADER_SIZE - H_END)) /* [CLFS-HARD-07, -24] */
        return status_raise(STATUS_LOG_METADATA_INVALID);
    image->generation = le64_get(at + H_GENERATION);
    guid_get(at + H_IDENTITY, &image->identity);
    image->sector_size = le32_get(at + H_SECTOR_SIZE);
    image->container_size = le64_get(at + H_CONTAINER_SIZE);
    image->next_physical_id = le32_get(at + H_NEXT_PHYSICAL);
    image->is_clean = flags & FLAG_CLEAN;
    image->epoch = le64_get(at + H_EPOCH);
    image->mark = le64_get(at + H_MARK);
    image->last_block = le64_get(at + H_LAST_BLOCK);
    if (guid_is_zero(&image->identity) || image->generation == 0)
        return status_raise(STATUS_LOG_METADATA_INVALID);
    return STATUS_SUCCESS;
}

static NTSTATUS
containers_decode(const uint8_t *entries, struct base_image *image)
{
    for (unsigned i = 0; i < image->container_count; i++) {
        TRY(container_entry_decode(entries + (size_t)i * BASE_ENTRY_SIZE, &image->containers[i]));
        image->active_count += image->containers[i].state == CONTAINER_ACTIVE;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
base_copy_decode(struct bytes region, struct base_image **out)
{
    owned(base_image_destroy) struct base_image *image = NULL;
    uint64_t generation;
    uint32_t kind, count;

    TRY(base_copy_check(region, &generation));
    if (le32_get(region.at + H_VERSION) != FORMAT_VERSION || le32_get(region.at + H_FEATURES) != 0)
        return status_raise(STATUS_LOG_BLOCK_VERSION); /* [CLFS-HARD-12] */
    kind = le32_get(region.at + H_KIND);
    if (kind == KIND_MULTIPLEXED)
        return status_raise(STATUS_LOG_MULTIPLEXED); /* [CLFS-NAME-16] */
    count = le32_get(region.at + H_CONTAINERS);
    if (kind != KIND_DEDICATED || le32_get(region.at + H_STREAMS) != 1 ||
        count > CLFS_CONTAINERS_MAX) /* [CLFS-HARD-15, -16] */
        return status_raise(STATUS_LOG_METADATA_INVALID);

    image = base_image_create(count);
    if (!image)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (le32_get(region.at + H_SIZE) != base_image_size(image))
        return status_raise(STATUS_LOG_METADATA_INVALID);
    TRY(header_decode(region.at, image));
    TRY(stream_entry_decode(region.at + BASE_HEADER_SIZE, image));
    TRY(containers_decode(region.at + BASE_HEADER_SIZE + BASE_ENTRY_SIZE, image));
    TRY(base_image_validate(image));
    *out = give(image);
    return STATUS_SUCCESS;
}

bool
base_is_draft(struct bytes head)
{
    return is_zero(head.at, head.size) || !memcmp(head.at + H_MAGIC, base_magic, 8);
}

/* ---- container headers ---- */

enum { K_VERSION = 8, K_CRC = 12, K_IDENTITY = 16, K_PHYSICAL = 32, K_SECTOR_SIZE = 36 };
enum { K_SIZE = 40, K_RESERVED = 48 };
static_assert(K_RESERVED + 8 == CONTAINER_HEADER_USED, "the container header is 56 bytes");

void
container_header_encode(const struct container_header *header, uint8_t *sector)
{
    memset(sector, 0, header->sector_size);
    memcpy(sector, container_magic, sizeof(container_magic));
    le32_put(sector + K_VERSION, FORMAT_VERSION);
    guid_put(sector + K_IDENTITY, &header->identity);
    le32_put(sector + K_PHYSICAL, header->physical_id);
    le32_put(sector + K_SECTOR_SIZE, header->sector_size);
    le64_put(sector + K_SIZE, header->size);
    le32_put(sector + K_CRC, crc_with_hole(sector, header->sector_size, K_CRC));
}

NTSTATUS
container_header_decode(struct bytes sector, struct container_header *out)
{
    CHECK(sector.size >= CONTAINER_HEADER_USED);
    if (memcmp(sector.at, container_magic, sizeof(container_magic)) != 0 ||
        le32_get(sector.at + K_CRC) != crc_with_hole(sector.at, sector.size, K_CRC))
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    if (le32_get(sector.at + K_VERSION) != FORMAT_VERSION)
        return status_raise(STATUS_LOG_BLOCK_VERSION);
    if (!is_zero(sector.at + K_RESERVED, sector.size - K_RESERVED))
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    guid_get(sector.at + K_IDENTITY, &out->identity);
    out->physical_id = le32_get(sector.at + K_PHYSICAL);
    out->sector_size = le32_get(sector.at + K_SECTOR_SIZE);
    out->size = le64_get(sector.at + K_SIZE);
    return STATUS_SUCCESS;
}

bool
container_is_draft(struct bytes head)
{
    return is_zero(head.at, head.size) ||
           (head.size == sizeof(container_magic) && !memcmp(head.at, container_magic, head.size));
}
