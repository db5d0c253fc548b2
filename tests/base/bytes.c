/* SPDX-License-Identifier: MIT */
/* Little-endian numbers inside memory of any alignment. */
#include "tests/test.h"

#include "base/bytes.h"

TEST(numbers_are_little_endian_at_any_address)
{
    static const uint8_t stored[9] = {0xEE, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
    uint8_t made[9] = {0xEE};

    EXPECT_EQ(0x7788, le16_get(stored + 1));
    EXPECT_EQ(0x55667788, le32_get(stored + 1));
    EXPECT_EQ(0x1122334455667788, le64_get(stored + 1));
    le64_put(made + 1, 0x1122334455667788);
    EXPECT_BYTES(stored, made, sizeof(made));
    memset(made + 1, 0, 8);
    le32_put(made + 1, 0x55667788);
    le16_put(made + 5, 0x3344);
    le16_put(made + 7, 0x1122);
    EXPECT_BYTES(stored, made, sizeof(made));
}

TEST(numbers_with_the_highest_bit_stay_unsigned)
{
    uint8_t stored[8];

    memset(stored, 0xFF, sizeof(stored));
    EXPECT(le16_get(stored) == 0xFFFF);
    EXPECT(le32_get(stored) == UINT32_MAX);
    EXPECT(le64_get(stored) == UINT64_MAX);
    le32_put(stored, 0x80000000);
    EXPECT(le64_get(stored) == 0xFFFFFFFF80000000);
}
