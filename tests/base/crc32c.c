/* SPDX-License-Identifier: MIT */
/* CRC-32C against the published vectors, and the two implementations against each other. */
#include "tests/test.h"

#include "base/bytes.h"

typedef uint32_t crc_function(uint32_t crc, const void *data, size_t size);

static crc_function *const implementations[] = {crc32c, crc32c_portable};

/* RFC 3720 appendix B.4. */
static const uint8_t scsi_read_command[48] = {
    0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
    0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

TEST(published_vectors)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

    for (int i = 0; i < 32; i++) {
        ones[i] = 0xFF;
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    EACH (crc, implementations) {
        EXPECT_EQ(0x8A9136AA, (*crc)(0, zeros, 32));
        EXPECT_EQ(0x62A8AB43, (*crc)(0, ones, 32));
        EXPECT_EQ(0x46DD794E, (*crc)(0, up, 32));
        EXPECT_EQ(0x113FDB5C, (*crc)(0, down, 32));
        EXPECT_EQ(0xD9963A56, (*crc)(0, scsi_read_command, sizeof(scsi_read_command)));
        EXPECT_EQ(0xE3069283, (*crc)(0, "123456789", 9));
        EXPECT_EQ(0, (*crc)(0, "", 0));
    }
}

/* One bit at a time, straight from the definition. */
static uint32_t
crc_by_definition(uint32_t crc, const uint8_t *at, size_t size)
{
    crc = ~crc;
    for (; size; at++, size--) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
}

TEST(every_size_and_alignment_agrees_with_the_definition)
{
    uint8_t data[200];
    uint32_t seed = 1;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
    EACH (crc, implementations)
        for (size_t from = 0; from < 9; from++)
            for (size_t size = 0; from + size <= sizeof(data); size++)
                EXPECT_EQ(crc_by_definition(0, data + from, size), (*crc)(0, data + from, size));
}

TEST(a_crc_can_be_continued)
{
    EACH (crc, implementations)
        for (size_t first = 0; first <= sizeof(scsi_read_command); first++)
            EXPECT_EQ(0xD9963A56,
                      (*crc)((*crc)(0, scsi_read_command, first), scsi_read_command + first,
                             sizeof(scsi_read_command) - first));
}

TEST(every_single_bit_matters)
{
    uint8_t data[64] = {0};
    uint32_t before = crc32c(0, data, sizeof(data));

    for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        EXPECT(crc32c(0, data, sizeof(data)) != before);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
