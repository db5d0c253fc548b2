/* SPDX-License-Identifier: MIT */
/*
 * The bytes of base copies, container headers and blocks: what is written is read back; no byte may
 * change unnoticed; and what was written whole but cannot be meant is refused with its own status.
 */
#include "clfs/format.h"

#include "tests/test.h"

/* ---- a base copy ---- */

/* Three containers: two active, the first of them full, and a free one. */
static struct base_image *
image_sample(void)
{
    struct base_image *image = base_image_create(3);

    image->generation = 7;
    image->identity = (GUID){1, 2, 3, {4, 5, 6, 7, 8, 9, 10, 11}};
    image->sector_size = 512;
    image->container_size = CLFS_CONTAINER_SIZE_STEP;
    image->next_physical_id = 9;
    image->epoch = 5;
    image->mark = clfs_lsn_make(12, 4096, 0);
    image->last_block = clfs_lsn_make(12, 2048, 0);
    image->last = image->last_block + 3;
    image->base = clfs_lsn_make(11, 1024, 2);
    image->restart = clfs_lsn_make(11, 1536, 0);
    image->active_count = 2;
    for (unsigned i = 0; i < 3; i++) {
        struct base_container *it = &image->containers[i];

        it->physical_id = 3 + i;
        it->logical_id = i < 2 ? 11 + i : CONTAINER_UNUSED;
        it->state = i < 2 ? CONTAINER_ACTIVE : CONTAINER_INACTIVE;
        it->end = i == 0 ? 500 * 1024 : 0;
        it->name_size = (size_t)snprintf(it->name, sizeof(it->name), "log.c%04u", 3 + i);
    }
    return image;
}

static uint8_t *
image_bytes(const struct base_image *image, size_t *size)
{
    uint8_t *bytes = malloc(base_image_size(image));

    *size = base_image_size(image);
    base_image_encode(image, bytes);
    return bytes;
}

TEST(a_base_copy_is_read_back_as_written) /* CLFS-HARD-07 */
{
    struct base_image *image = image_sample(), *back = NULL;
    size_t size, again_size;
    uint8_t *bytes = image_bytes(image, &size), *again;
    uint64_t generation = 0;

    EXPECT_OK(base_copy_check(bytes_of(bytes, size), &generation));
    EXPECT_EQ(7, generation);
    EXPECT_OK(base_copy_decode(bytes_of(bytes, size), &back));
    EXPECT_EQ(image->mark, back->mark);
    EXPECT_EQ(image->base, back->base);
    EXPECT_EQ(image->restart, back->restart);
    EXPECT_EQ(2, back->active_count);
    EXPECT_TEXT("log.c0004", back->containers[1].name);
    again = image_bytes(back, &again_size);
    EXPECT_EQ(size, again_size);
    EXPECT_BYTES(bytes, again, size); /* so a copy can be confirmed by writing what was read */
    free(again);
    free(bytes);
    base_image_destroy(back);
    base_image_destroy(image);
}

TEST(no_bit_of_a_base_copy_changes_unnoticed) /* CLFS-HARD-06 CLFS-HARD-09 */
{
    struct base_image *image = image_sample(), *back = NULL;
    size_t size;
    uint8_t *bytes = image_bytes(image, &size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (uint8_t)(1u << (i % 8));
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, base_copy_decode(bytes_of(bytes, size), &back));
        bytes[i] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t cut = 0; cut < size; cut += 37) /* CLFS-HARD-10: any truncation */
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, base_copy_decode(bytes_of(bytes, cut), &back));
    memset(bytes + 20, 0, 4); /* an absent code is no code */
    EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT, base_copy_decode(bytes_of(bytes, size), &back));
    free(bytes);
    base_image_destroy(image);
}

static void
copy_resign(uint8_t *bytes, size_t size)
{
    uint32_t crc;

    le32_put(bytes + 20, 0);
    crc = crc32c(0, bytes, size);
    le32_put(bytes + 20, crc ? crc : UINT32_MAX);
}

/* Fields of a copy by hand: offset, width, a value that cannot be meant, and what it is called. */
struct mutation {
    size_t offset, width;
    uint64_t value;
    NTSTATUS status;
};

enum { STREAM = 512, FIRST = 1024, SECOND = 1536, THIRD = 2048 };

static const struct mutation mutations[] = {
    {8, 4, 0, STATUS_LOG_BLOCK_VERSION}, /* CLFS-HARD-12 */
    {8, 4, 2, STATUS_LOG_BLOCK_VERSION},
    {12, 4, 1, STATUS_LOG_BLOCK_VERSION},
    {16, 4, 1024, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-15: size and counts */
    {24, 8, 0, STATUS_LOG_METADATA_INVALID},
    {48, 4, 0, STATUS_LOG_METADATA_INVALID},
    {48, 4, 2, STATUS_LOG_MULTIPLEXED},
    {48, 4, 3, STATUS_LOG_METADATA_INVALID},
    {52, 4, 0, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-18 */
    {52, 4, 1024, STATUS_LOG_METADATA_INVALID},
    {56, 8, 0, STATUS_LOG_METADATA_INVALID},
    {56, 8, 512 * 1024 + 512, STATUS_LOG_METADATA_INVALID},
    {56, 8, (UINT64_C(4) << 30) + (512 << 10), STATUS_LOG_METADATA_INVALID},
    {56, 8, UINT64_MAX - (512 << 10) + 1, STATUS_LOG_METADATA_INVALID},
    {64, 4, 0, STATUS_LOG_METADATA_INVALID},
    {64, 4, 2, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-16 */
    {68, 4, 2, STATUS_LOG_METADATA_INVALID},
    {68, 4, 1024, STATUS_LOG_METADATA_INVALID},
    {68, 4, UINT32_MAX, STATUS_LOG_METADATA_INVALID},
    {72, 4, 5, STATUS_LOG_METADATA_INVALID}, /* next physical id below those in use */
    {76, 4, 2, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-24 */
    {88, 8, 0, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-21 */
    {88, 8, (UINT64_C(12) << 32) + 4097, STATUS_LOG_METADATA_INVALID},
    {88, 8, (UINT64_C(12) << 32) + (513 << 10), STATUS_LOG_METADATA_INVALID},
    {88, 8, (UINT64_C(13) << 32) + 4096, STATUS_LOG_METADATA_INVALID},
    {88, 8, UINT64_MAX, STATUS_LOG_METADATA_INVALID},
    {96, 8, (UINT64_C(12) << 32) + 4096, STATUS_LOG_METADATA_INVALID},
    {96, 8, (UINT64_C(12) << 32) + 2049, STATUS_LOG_METADATA_INVALID},
    {96, 8, CLFS_LSN_NONE, STATUS_LOG_METADATA_INVALID},
    {96, 8, 0, STATUS_LOG_METADATA_INVALID},
    {104, 8, 0, STATUS_LOG_METADATA_INVALID},
    {112, 1, 1, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-07 */
    {511, 1, 1, STATUS_LOG_METADATA_INVALID},
    {STREAM + 0, 4, 2, STATUS_LOG_METADATA_INVALID},
    {STREAM + 4, 4, 1, STATUS_LOG_METADATA_INVALID},
    {STREAM + 8, 8, 1, STATUS_LOG_METADATA_INVALID},
    {STREAM + 16, 8, (UINT64_C(10) << 32) + 1024, STATUS_LOG_METADATA_INVALID},
    {STREAM + 16, 8, (UINT64_C(12) << 32) + 2048 + 4, STATUS_LOG_METADATA_INVALID},
    {STREAM + 16, 8, (UINT64_C(11) << 32) + 1, STATUS_LOG_METADATA_INVALID},
    {STREAM + 24, 8, (UINT64_C(12) << 32) + 4097, STATUS_LOG_METADATA_INVALID},
    {STREAM + 24, 8, (UINT64_C(12) << 32) + 2048, STATUS_LOG_METADATA_INVALID},
    {STREAM + 24, 8, 0, STATUS_LOG_METADATA_INVALID},
    {STREAM + 32, 8, (UINT64_C(11) << 32) + 512, STATUS_LOG_METADATA_INVALID},
    {STREAM + 32, 8, (UINT64_C(12) << 32) + 2048 + 3, STATUS_LOG_METADATA_INVALID},
    {STREAM + 32, 8, UINT64_MAX, STATUS_LOG_METADATA_INVALID},
    {STREAM + 40, 1, 1, STATUS_LOG_METADATA_INVALID},
    {FIRST + 0, 4, 1, STATUS_LOG_METADATA_INVALID},
    {FIRST + 4, 4, 0, STATUS_LOG_METADATA_INVALID},
    {FIRST + 4, 4, 4, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-17: twice */
    {FIRST + 8, 4, 10, STATUS_LOG_METADATA_INCONSISTENT},
    {FIRST + 8, 4, 12, STATUS_LOG_METADATA_INVALID},
    {FIRST + 8, 4, UINT32_MAX, STATUS_LOG_METADATA_INVALID},
    {FIRST + 12, 4, 0, STATUS_LOG_CONTAINER_STATE_INVALID}, /* CLFS-HARD-19 */
    {FIRST + 12, 4, 6, STATUS_LOG_CONTAINER_STATE_INVALID},
    {FIRST + 12, 4, 8, STATUS_LOG_CONTAINER_STATE_INVALID},
    {FIRST + 12, 4, 2, STATUS_LOG_METADATA_INVALID},
    {FIRST + 16, 8, 0, STATUS_LOG_METADATA_INVALID},
    {FIRST + 16, 8, 512, STATUS_LOG_METADATA_INVALID},
    {FIRST + 16, 8, 1025, STATUS_LOG_METADATA_INVALID},
    {FIRST + 16, 8, 513 << 10, STATUS_LOG_METADATA_INVALID},
    {FIRST + 24, 4, 0, STATUS_LOG_METADATA_INVALID}, /* CLFS-HARD-22: names */
    {FIRST + 24, 4, 8, STATUS_LOG_METADATA_INVALID},
    {FIRST + 24, 4, 10, STATUS_LOG_METADATA_INVALID},
    {FIRST + 24, 4, 481, STATUS_LOG_METADATA_INVALID},
    {FIRST + 24, 4, UINT32_MAX, STATUS_LOG_METADATA_INVALID},
    {FIRST + 28, 1, 1, STATUS_LOG_METADATA_INVALID},
    {FIRST + 32 + 8, 1, '4', STATUS_LOG_METADATA_INVALID}, /* the second's name */
    {SECOND + 8, 4, 13, STATUS_LOG_METADATA_INCONSISTENT}, /* CLFS-HARD-20 */
    {SECOND + 16, 8, 4096, STATUS_LOG_METADATA_INVALID},
    {SECOND + 32 + 4, 1, 0, STATUS_LOG_METADATA_INVALID},
    {SECOND + 32 + 3, 2, '/' | '/' << 8, STATUS_LOG_METADATA_INVALID},
    {THIRD + 8, 4, 13, STATUS_LOG_METADATA_INVALID},
    {THIRD + 12, 4, 4, STATUS_LOG_METADATA_INVALID},
    {THIRD + 16, 8, 1024, STATUS_LOG_METADATA_INVALID},
};

TEST(a_whole_base_copy_that_cannot_be_meant_is_refused)
{
    struct base_image *image = image_sample(), *back = NULL;
    size_t size;
    uint8_t *bytes = image_bytes(image, &size), *changed = malloc(size);

    EACH (it, mutations) {
        uint8_t value[8];
        NTSTATUS status;

        le64_put(value, it->value);
        memcpy(changed, bytes, size);
        memcpy(changed + it->offset, value, it->width);
        copy_resign(changed, it->offset == 16 ? (size_t)it->value : size);
        status = base_copy_decode(bytes_of(changed, size), &back);
        if (status != it->status)
            test_fail(__FILE__, __LINE__, "offset %zu, value %llx: %s", it->offset,
                      (unsigned long long)it->value, status_name(status));
        EXPECT(!back); /* CLFS-HARD-05 */
    }
    free(changed);
    free(bytes);
    base_image_destroy(image);
}

TEST(names_of_containers_stay_where_they_belong) /* CLFS-NAME-18 CLFS-HARD-22 */
{
    static const char *const good[] = {"a", "a.b", "a/b", "..a", "a..", "/a", "/a/b", "..."};
    static const char *const bad[] = {"",    ".",    "..",    "a/",    "a//b", "./a",
                                      "a/.", "../a", "a/../", "/",     "//a",  "/a/./b",
                                      "/..", "/a/",  "a/..",  "/../a", "a/./b"};
    char longest[CONTAINER_NAME_MAX + 2];

    EACH (name, good)
        EXPECT(container_name_is_valid(bytes_of(*name, strlen(*name))));
    EACH (name, bad)
        EXPECT(!container_name_is_valid(bytes_of(*name, strlen(*name))));
    EXPECT(!container_name_is_valid(bytes_of("a\0b", 3)));
    memset(longest, 'a', sizeof(longest));
    EXPECT(container_name_is_valid(bytes_of(longest, CONTAINER_NAME_MAX)));
    EXPECT(!container_name_is_valid(bytes_of(longest, CONTAINER_NAME_MAX + 1)));
}

/* ---- a container's header ---- */

TEST(a_container_header_is_read_back_and_no_bit_changes_unnoticed) /* CLFS-HARD-26 */
{
    struct container_header header = {.identity = {9, 8, 7, {6, 5, 4, 3, 2, 1, 0, 1}},
                                      .physical_id = 77,
                                      .sector_size = 512,
                                      .size = 1 << 20},
                            back;
    uint8_t sector[512];

    container_header_encode(&header, sector);
    EXPECT_OK(container_header_decode(bytes_of(sector, sizeof(sector)), &back));
    EXPECT(guid_equal(&header.identity, &back.identity) && back.physical_id == 77);
    EXPECT(back.size == 1 << 20 && back.sector_size == 512);
    for (size_t i = 0; i < sizeof(sector); i++) {
        sector[i] ^= 1;
        EXPECT_STATUS(STATUS_LOG_METADATA_CORRUPT,
                      container_header_decode(bytes_of(sector, sizeof(sector)), &back));
        sector[i] ^= 1;
    }
}

/* ---- a block ---- */

#define LSN (UINT64_C(3) << 32 | 8192)

static const GUID log_guid = {1, 1, 1, {1, 1, 1, 1, 1, 1, 1, 1}};

static const struct block_place place = {.identity = &log_guid,
                                         .lsn = LSN,
                                         .room = 65536,
                                         .sector_size = 512,
                                         .epoch_min = 4,
                                         .epoch_max = 4};

/* Three records of 0, 5 and 600 bytes in 1024. */
static void
block_sample(uint8_t block[1024])
{
    static const uint32_t sizes[] = {0, 5, 600};
    struct block_header header = {.identity = log_guid,
                                  .lsn = LSN,
                                  .previous = clfs_lsn_make(3, 4096, 0),
                                  .durable = clfs_lsn_make(3, 8192, 0),
                                  .epoch = 4,
                                  .size = 1024,
                                  .used = BLOCK_HEADER_SIZE,
                                  .records = ARRAY_SIZE(sizes)};

    memset(block, 0, 1024);
    EACH (size, sizes) {
        record_header_encode(
            &(struct record_header){
                .type = CLFS_DATA, .size = *size, .previous = 1, .undo_next = CLFS_LSN_NONE},
            block + header.used);
        memset(block + header.used + RECORD_HEADER_SIZE, 'x', *size);
        header.used += record_space(*size);
    }
    block_encode(&header, block);
}

TEST(a_block_is_read_back_and_no_bit_of_it_changes_unnoticed) /* CLFS-DUR-09 CLFS-HARD-32 */
{
    uint8_t block[1024];
    struct block_header header;
    struct record_header record;

    block_sample(block);
    EXPECT_OK(block_decode(bytes_of(block, sizeof(block)), &place, &header));
    EXPECT_EQ(3, header.records);
    EXPECT_EQ(clfs_lsn_make(3, 4096, 0), header.previous);
    record_header_decode(block, BLOCK_HEADER_SIZE + RECORD_HEADER_SIZE, &record);
    EXPECT_EQ(5, record.size);
    EXPECT_EQ(CLFS_LSN_NONE, record.undo_next);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= (uint8_t)(1u << (i % 8));
        EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID,
                      block_decode(bytes_of(block, sizeof(block)), &place, &header));
        block[i] ^= (uint8_t)(1u << (i % 8));
    }
    memset(block + 512, 0, 512); /* a torn one */
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID,
                  block_decode(bytes_of(block, sizeof(block)), &place, &header));
    EXPECT_OK(block_header_decode(bytes_of(block, sizeof(block)), &place, &header));
}

TEST(a_block_that_belongs_elsewhere_is_not_accepted) /* CLFS-DUR-18 CLFS-HARD-29 -33 -34 */
{
    static const GUID other = {2, 2, 2, {2, 2, 2, 2, 2, 2, 2, 2}};
    const struct block_place places[] = {
        {&other, LSN, 65536, 512, 4, 4},                   /* another log */
        {&log_guid, LSN + 512, 65536, 512, 4, 4},          /* another offset */
        {&log_guid, LSN + (1ull << 32), 65536, 512, 4, 4}, /* another use of the container */
        {&log_guid, LSN, 512, 512, 4, 4},                  /* beyond the end */
        {&log_guid, LSN, 65536, 4096, 4, 4},               /* not of whole sectors */
        {&log_guid, LSN, 65536, 512, 5, 5},                /* an earlier epoch */
        {&log_guid, LSN, 65536, 512, 0, 3},                /* a later one */
    };
    uint8_t block[1024];
    struct block_header header;

    block_sample(block);
    EACH (it, places)
        EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID,
                      block_decode(bytes_of(block, sizeof(block)), it, &header));
    EXPECT_STATUS(STATUS_LOG_BLOCK_INCOMPLETE, block_decode(bytes_of(block, 512), &place, &header));
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID, block_decode(bytes_of(block, 95), &place, &header));
}

static void
block_resign(uint8_t *block)
{
    uint32_t crc = crc32c(0, block, 88);

    le32_put(block + 88, crc ? crc : UINT32_MAX);
    le32_put(block + 92, 0);
    crc = crc32c(0, block, 1024);
    le32_put(block + 92, crc ? crc : UINT32_MAX);
}

TEST(a_whole_block_that_cannot_be_meant_is_refused) /* CLFS-HARD-29 CLFS-HARD-31 */
{
    enum { ONE = BLOCK_HEADER_SIZE, TWO = ONE + 24, THREE = TWO + 32 };
    static const struct mutation fields[] = {
        {4, 2, 0, STATUS_LOG_BLOCK_VERSION},
        {4, 2, 2, STATUS_LOG_BLOCK_VERSION},
        {6, 2, 0, STATUS_LOG_BLOCK_INVALID},
        {6, 2, 2, STATUS_LOG_BLOCK_INVALID},
        {6, 2, 4, STATUS_LOG_BLOCK_INVALID},
        {6, 2, 513, STATUS_LOG_BLOCK_INVALID},
        {32, 8, LSN, STATUS_LOG_BLOCK_INVALID}, /* previous not below */
        {32, 8, 1, STATUS_LOG_BLOCK_INVALID},
        {40, 8, LSN + 512, STATUS_LOG_BLOCK_INVALID}, /* durable beyond itself */
        {56, 4, 0, STATUS_LOG_BLOCK_INVALID},
        {56, 4, 1000, STATUS_LOG_BLOCK_INVALID},
        {56, 4, 131072, STATUS_LOG_BLOCK_INVALID},
        {56, 4, UINT32_MAX & ~511u, STATUS_LOG_BLOCK_INVALID},
        {60, 4, 96, STATUS_LOG_BLOCK_INVALID},
        {60, 4, 1025, STATUS_LOG_BLOCK_INVALID},
        {60, 4, 480, STATUS_LOG_BLOCK_INVALID},
        {80, 4, 1, STATUS_LOG_BLOCK_INVALID},
        {ONE, 1, 0, STATUS_LOG_BLOCK_INVALID}, /* type */
        {ONE, 1, 3, STATUS_LOG_BLOCK_INVALID},
        {ONE + 1, 1, 1, STATUS_LOG_BLOCK_INVALID}, /* stream */
        {ONE + 2, 2, 1, STATUS_LOG_BLOCK_INVALID}, /* flags */
        {ONE + 4, 4, 16, STATUS_LOG_BLOCK_INVALID},
        {TWO + 4, 4, 9, STATUS_LOG_BLOCK_INVALID},
        {TWO + 4, 4, UINT32_MAX, STATUS_LOG_BLOCK_INVALID},
        {TWO + 4, 4, UINT32_MAX - 30, STATUS_LOG_BLOCK_INVALID},
        {THREE + 4, 4, 605, STATUS_LOG_BLOCK_INVALID},
        {THREE + 4, 4, 592, STATUS_LOG_BLOCK_INVALID},
    };
    uint8_t block[1024];
    struct block_header header;
    NTSTATUS status;

    EACH (it, fields) {
        uint8_t value[8];

        block_sample(block);
        le64_put(value, it->value);
        memcpy(block + it->offset, value, it->width);
        block_resign(block);
        status = block_decode(bytes_of(block, sizeof(block)), &place, &header);
        if (status != it->status)
            test_fail(__FILE__, __LINE__, "offset %zu, value %llx: %s", it->offset,
                      (unsigned long long)it->value, status_name(status));
    }
    block_sample(block);
    block_resign(block);
    EXPECT_OK(block_decode(bytes_of(block, sizeof(block)), &place, &header));
}
