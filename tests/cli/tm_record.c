/* SPDX-License-Identifier: MIT */
/* Records of a transaction manager as docs/format/records.md has them, and anything else refused.
 */
#include "tests/test.h"

#include "base/guid.h"
#include "cli/tm_record.h"

/* A COMMIT with a description "ü", a superior, and one participant "fs" with 3 bytes of its own. */
static size_t
make_commit(uint8_t *out)
{
    uint8_t *at = out;

    memset(out, 0, 256);
    at[0] = 2;
    at[1] = 1;
    le64_put(at + 8, 77);
    at[16] = 0xAB;
    at += 32;
    at[0] = 1;
    at[1] = 1;
    le32_put(at + 4, 1);
    le16_put(at + 8, 0xFC);
    at += 10;
    at[0] = 1;  /* superior enlistment */
    at[16] = 2; /* its RM */
    le32_put(at + 32, 0x55);
    at += 40;
    at[0] = 3;
    at[16] = 4;
    le32_put(at + 32, 14);
    le32_put(at + 36, 3);
    le32_put(at + 40, 2);
    le16_put(at + 44, 'f');
    le16_put(at + 46, 's');
    memcpy(at + 48, "own", 3);
    at += 51;
    le32_put(out + 4, (uint32_t)(at - out));
    return (size_t)(at - out);
}

TEST(a_commit_is_read)
{
    uint8_t bytes[256];
    struct tm_record record;

    EXPECT_OK(tm_record_read(bytes_of(bytes, make_commit(bytes)), false, &record));
    EXPECT_TEXT("COMMIT", record.type);
    EXPECT_EQ(77, record.clock);
    EXPECT_EQ(0xAB, record.transaction.Data1);
    EXPECT_TEXT("ü", record.description);
    EXPECT_EQ(2, record.count);
    EXPECT(record.participants[0].is_superior && !record.participants[1].is_superior);
    EXPECT_EQ(0x55, record.participants[0].mask);
    EXPECT_EQ(4, record.participants[1].manager.Data1);
    EXPECT_EQ(3, record.participants[1].info_size);
    EXPECT_TEXT("fs", record.participants[1].description);
    tm_record_deinit(&record);
}

TEST(cut_anywhere_or_longer_it_is_refused)
{
    uint8_t bytes[256];
    size_t size = make_commit(bytes);

    for (size_t cut = 0; cut < size + 3; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        struct tm_record record;

        if (cut == size) {
            free(copy);
            continue;
        }
        EXPECT(copy);
        memcpy(copy, bytes, cut);
        EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                      tm_record_read(bytes_of(copy, cut), false, &record));
        /* Also when it says itself how long it is. */
        if (cut >= 8) {
            le32_put(copy + 4, (uint32_t)cut);
            EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                          tm_record_read(bytes_of(copy, cut), false, &record));
        }
        free(copy);
    }
}

TEST(any_byte_may_be_anything)
{
    uint8_t bytes[256];
    size_t size = make_commit(bytes);
    unsigned read = 0;

    for (size_t at = 0; at < size; at++) {
        for (unsigned value = 0; value < 256; value += 15) {
            struct tm_record record;
            uint8_t was = bytes[at];
            NTSTATUS status;

            bytes[at] = (uint8_t)value;
            status = tm_record_read(bytes_of(bytes, size), false, &record);
            EXPECT(status == STATUS_SUCCESS || status == STATUS_LOG_CORRUPTION_DETECTED);
            if (status == STATUS_SUCCESS) {
                read++;
                tm_record_deinit(&record);
            }
            bytes[at] = was;
        }
    }
    EXPECT(read > 500);
}

TEST(restart_areas_and_markers_are_told_apart)
{
    uint8_t bytes[64] = {0};
    struct tm_record record;

    le32_put(bytes, 0x524D544B);
    le32_put(bytes + 4, 1);
    bytes[8] = 9;
    le64_put(bytes + 40, 5);
    le64_put(bytes + 48, 0x100000200);
    EXPECT_OK(tm_record_read(bytes_of(bytes, 64), true, &record));
    EXPECT_TEXT("RESTART", record.type);
    EXPECT_EQ(9, record.identity.Data1);
    EXPECT_EQ(0x100000200, record.oldest);
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                  tm_record_read(bytes_of(bytes, 64), false, &record));
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                  tm_record_read(bytes_of(bytes, 63), true, &record));
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = 4;
    bytes[1] = 1;
    le32_put(bytes + 4, 32);
    EXPECT_OK(tm_record_read(bytes_of(bytes, 32), false, &record));
    EXPECT_TEXT("MARKER", record.type);
    bytes[16] = 1;
    EXPECT_OK(tm_record_read(bytes_of(bytes, 32), false, &record));
    EXPECT_TEXT("FORGET", record.type);
}
