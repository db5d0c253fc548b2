/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a copy of the metadata, a container's header or a block [CLFS-HARD-47]. Bit 7 of the
 * first byte asks for right checksums, so that the fuzzer gets behind them.
 */
#include <stdlib.h>

#include "clfs/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const GUID identity = {1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}};

static void
sign(uint8_t *at, size_t size, size_t hole)
{
    uint32_t crc;

    if (size < hole + 4)
        return;
    le32_put(at + hole, 0);
    crc = crc32c(0, at, size);
    le32_put(at + hole, crc ? crc : UINT32_MAX);
}

static void
try_base(uint8_t *at, size_t size, bool must_sign)
{
    struct base_image *image = NULL;
    uint8_t *again;
    size_t used;

    if (must_sign && size >= BASE_HEADER_SIZE) {
        le32_put(at + 16, (uint32_t)size);
        sign(at, size, 20);
    }
    if (base_copy_decode(bytes_of(at, size), &image) != STATUS_SUCCESS) {
        CHECK(!image);
        return;
    }
    used = base_image_size(image);
    again = malloc(used);
    CHECK(again && used <= size);
    base_image_encode(image, again); /* whatever is accepted is written back the same */
    CHECK(memcmp(again, at, used) == 0);
    free(again);
    base_image_destroy(image);
}

static void
try_container(uint8_t *at, size_t size, bool must_sign)
{
    struct container_header header;

    if (size < 512)
        return;
    if (must_sign)
        sign(at, 512, 12);
    (void)!container_header_decode(bytes_of(at, 512), &header);
    (void)container_is_draft(bytes_of(at, 8));
    (void)base_is_draft(bytes_of(at, 512));
}

static void
try_block(uint8_t *at, size_t size, bool must_sign)
{
    struct block_place place = {.identity = &identity,
                                .lsn = clfs_lsn_make(3, 8192, 0),
                                .room = 1 << 20,
                                .sector_size = 512,
                                .epoch_max = 9};
    struct block_header header;
    uint32_t offset = BLOCK_HEADER_SIZE;

    if (must_sign && size >= BLOCK_HEADER_SIZE) {
        uint32_t crc = crc32c(0, at, 88);

        le32_put(at + 88, crc ? crc : UINT32_MAX);
        sign(at, le32_get(at + 56) <= size ? le32_get(at + 56) : size, 92);
    }
    if (block_decode(bytes_of(at, size), &place, &header) != STATUS_SUCCESS)
        return;
    for (unsigned i = 0; i < header.records; i++) {
        struct record_header record;

        record_header_decode(at, offset, &record);
        CHECK(offset + RECORD_HEADER_SIZE + record.size <= header.used);
        offset += record_space(record.size);
    }
    CHECK(offset == header.used && header.used <= header.size && header.size <= size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    if (size < 1)
        return 0;
    copy = malloc(size); /* exact */
    CHECK(copy);
    memcpy(copy, data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        try_base(copy, size - 1, data[0] & 0x80);
        break;
    case 1:
        try_container(copy, size - 1, data[0] & 0x80);
        break;
    default:
        try_block(copy, size - 1, data[0] & 0x80);
    }
    free(copy);
    return 0;
}
