/* SPDX-License-Identifier: MIT */
/*
 * Blocks and records as bytes.
 *
 * The header has a checksum of its own besides that of the whole block: recovery, looking ahead for
 * proof that something was once durable, may believe a header whose body it has not read, so its
 * work stays proportional to what it reads [CLFS-HARD-36].
 */
#include "clfs/format.h"

/* Offsets in a block. */
enum {
    B_MAGIC = 0,
    B_VERSION = 4,
    B_RECORDS = 6,
    B_IDENTITY = 8,
    B_LSN = 24,
    B_PREVIOUS = 32,
    B_DURABLE = 40,
    B_EPOCH = 48,
    B_SIZE = 56,
    B_USED = 60,
    B_KEYED_CODE = 64, /* 16 bytes set aside for an authenticated mode [CLFS-SEC-10] */
    B_FLAGS = 80,
    B_RESERVED = 84,
    B_HEADER_CRC = 88,
    B_BLOCK_CRC = 92,
};
/* Offsets in a record header. */
enum { R_TYPE = 0, R_STREAM = 1, R_FLAGS = 2, R_SIZE = 4, R_PREVIOUS = 8, R_UNDO_NEXT = 16 };

static const uint8_t block_magic[4] = {'K', 'L', 'B', 0x1a};

static_assert(B_BLOCK_CRC + 4 == BLOCK_HEADER_SIZE, "the checksums end the header");
static_assert(R_UNDO_NEXT + 8 == RECORD_HEADER_SIZE, "the links end the record header");
static_assert(BLOCK_HEADER_SIZE % 8 == 0, "records start aligned");

static void
identity_put(uint8_t *at, const GUID *guid)
{
    le32_put(at, guid->Data1);
    le16_put(at + 4, guid->Data2);
    le16_put(at + 6, guid->Data3);
    memcpy(at + 8, guid->Data4, 8);
}

static bool
identity_is(const uint8_t *at, const GUID *guid)
{
    uint8_t wanted[16];

    identity_put(wanted, guid);
    return memcmp(at, wanted, sizeof(wanted)) == 0;
}

/* Both are never 0, so that an absent code is never a valid one [CLFS-HARD-06]. */
static uint32_t
header_crc(const uint8_t *block)
{
    uint32_t crc = crc32c(0, block, B_HEADER_CRC);

    return crc ? crc : UINT32_MAX;
}

static uint32_t
block_crc(const uint8_t *block, uint32_t size)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, block, B_BLOCK_CRC);

    crc = crc32c(crc, zero, sizeof(zero)); /* its own place */
    crc = crc32c(crc, block + BLOCK_HEADER_SIZE, size - BLOCK_HEADER_SIZE);
    return crc ? crc : UINT32_MAX;
}

void
record_header_encode(const struct record_header *record, uint8_t *into)
{
    into[R_TYPE] = (uint8_t)record->type;
    into[R_STREAM] = 0;
    le16_put(into + R_FLAGS, 0);
    le32_put(into + R_SIZE, record->size);
    le64_put(into + R_PREVIOUS, record->previous);
    le64_put(into + R_UNDO_NEXT, record->undo_next);
}

void
record_header_decode(const uint8_t *block, uint32_t offset, struct record_header *out)
{
    const uint8_t *at = block + offset;

    out->type = at[R_TYPE];
    out->size = le32_get(at + R_SIZE);
    out->previous = le64_get(at + R_PREVIOUS);
    out->undo_next = le64_get(at + R_UNDO_NEXT);
}

void
block_encode(const struct block_header *header, uint8_t *block)
{
    CHECK(header->records > 0 && header->records <= CLFS_BLOCK_RECORDS_MAX);
    CHECK(header->used > BLOCK_HEADER_SIZE && header->used <= header->size);
    memset(block, 0, BLOCK_HEADER_SIZE);
    memcpy(block + B_MAGIC, block_magic, sizeof(block_magic));
    le16_put(block + B_VERSION, FORMAT_VERSION);
    le16_put(block + B_RECORDS, (uint16_t)header->records);
    identity_put(block + B_IDENTITY, &header->identity);
    le64_put(block + B_LSN, header->lsn);
    le64_put(block + B_PREVIOUS, header->previous);
    le64_put(block + B_DURABLE, header->durable);
    le64_put(block + B_EPOCH, header->epoch);
    le32_put(block + B_SIZE, header->size);
    le32_put(block + B_USED, header->used);
    le32_put(block + B_HEADER_CRC, header_crc(block));
    le32_put(block + B_BLOCK_CRC, block_crc(block, header->size));
}

uint64_t
block_claimed_lsn(struct bytes raw)
{
    CHECK(raw.size >= BLOCK_HEADER_SIZE);
    return le64_get(raw.at + B_LSN);
}

static void
header_parse(const uint8_t *at, struct block_header *out)
{
    out->lsn = le64_get(at + B_LSN);
    out->previous = le64_get(at + B_PREVIOUS);
    out->durable = le64_get(at + B_DURABLE);
    out->epoch = le64_get(at + B_EPOCH);
    out->size = le32_get(at + B_SIZE);
    out->used = le32_get(at + B_USED);
    out->records = le16_get(at + B_RECORDS);
}

/* [CLFS-HARD-29, CLFS-DUR-18] */
static bool
header_is_valid(const struct block_header *header, const struct block_place *place)
{
    return header->lsn == place->lsn && header->epoch >= place->epoch_min &&
           header->epoch <= place->epoch_max && header->size > 0 &&
           header->size % place->sector_size == 0 && header->size <= place->room &&
           header->used > BLOCK_HEADER_SIZE && header->used <= header->size &&
           header->records > 0 && header->records <= CLFS_BLOCK_RECORDS_MAX &&
           header->durable <= header->lsn && clfs_lsn_sequence(header->durable) == 0 &&
           (header->previous == CLFS_LSN_NONE ||
            (header->previous < header->lsn && clfs_lsn_sequence(header->previous) == 0));
}

NTSTATUS
block_header_decode(struct bytes raw, const struct block_place *place, struct block_header *out)
{
    struct block_header header = {.identity = *place->identity};

    if (raw.size < BLOCK_HEADER_SIZE ||
        memcmp(raw.at + B_MAGIC, block_magic, sizeof(block_magic)) != 0 ||
        le32_get(raw.at + B_HEADER_CRC) != header_crc(raw.at))
        return status_raise(STATUS_LOG_BLOCK_INVALID);
    if (le16_get(raw.at + B_VERSION) != FORMAT_VERSION)
        return status_raise(STATUS_LOG_BLOCK_VERSION);
    if (!identity_is(raw.at + B_IDENTITY, place->identity) || le32_get(raw.at + B_FLAGS) != 0)
        return status_raise(STATUS_LOG_BLOCK_INVALID); /* [CLFS-HARD-34] */
    header_parse(raw.at, &header);
    if (!header_is_valid(&header, place))
        return status_raise(STATUS_LOG_BLOCK_INVALID);
    *out = header;
    return STATUS_SUCCESS;
}

/* Every record lies behind the one before it, and they fill the used part exactly
 * [CLFS-HARD-31]. */
static bool
records_are_valid(const uint8_t *block, const struct block_header *header)
{
    uint32_t offset = BLOCK_HEADER_SIZE;

    for (unsigned i = 0; i < header->records; i++) {
        const uint8_t *at = block + offset;
        uint32_t left = header->used - offset, size;

        if (left < RECORD_HEADER_SIZE)
            return false;
        size = le32_get(at + R_SIZE);
        if (size > left - RECORD_HEADER_SIZE || record_space(size) > left)
            return false;
        if ((at[R_TYPE] != CLFS_DATA && at[R_TYPE] != CLFS_RESTART) || at[R_STREAM] != 0 ||
            le16_get(at + R_FLAGS) != 0)
            return false;
        offset += record_space(size);
    }
    return offset == header->used;
}

NTSTATUS
block_decode(struct bytes raw, const struct block_place *place, struct block_header *out)
{
    struct block_header header;

    TRY(block_header_decode(raw, place, &header));
    if (header.size > raw.size)
        return status_raise(STATUS_LOG_BLOCK_INCOMPLETE);
    if (le32_get(raw.at + B_BLOCK_CRC) != block_crc(raw.at, header.size) ||
        !records_are_valid(raw.at, &header))
        return status_raise(STATUS_LOG_BLOCK_INVALID); /* torn, or not ours [CLFS-DUR-09] */
    *out = header;
    return STATUS_SUCCESS;
}
