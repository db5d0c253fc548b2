/* SPDX-License-Identifier: MIT */
/* Arithmetic of log sequence numbers. */
#include "tests/nt/clfs_kit.h"

/* ---- LSNs ---- */

TEST(lsns_are_composed_and_taken_apart) /* CLFS-LSN-01 -02 -03 -11..16 */
{
    static const ULONG containers[] = {0, 1, 77, 0x7FFFFFFF, 0xFFFFFFFE};
    static const ULONG offsets[] = {0, 512, 4096, 0x7FFFFE00, 0xFFFFFE00};
    static const ULONG records[] = {0, 1, 255, 511};

    EACH (container, containers)
        EACH (offset, offsets)
            EACH (record, records) {
                CLFS_LSN lsn = ClfsLsnCreate(*container, *offset, *record);

                EXPECT_EQ(*container, ClfsLsnContainer(&lsn));
                EXPECT_EQ(*offset, ClfsLsnBlockOffset(&lsn));
                EXPECT_EQ(*record, ClfsLsnRecordSequence(&lsn));
                EXPECT(ClfsLsnLess(&lsn, &CLFS_LSN_INVALID));
            }
    CLFS_LSN bad[] = {ClfsLsnCreate(0xFFFFFFFF, 0, 0), ClfsLsnCreate(0, 1, 0),
                      ClfsLsnCreate(0, 511, 0),        ClfsLsnCreate(0, 0, 512),
                      ClfsLsnCreate(3, 513, 4),        ClfsLsnCreate(0, 0, 0xFFFFFFFF)};
    EACH (lsn, bad)
        EXPECT(ClfsLsnInvalid(lsn));
    EXPECT_EQ(0, CLFS_LSN_NULL.Internal);
    EXPECT_EQ((LONGLONG)0xFFFFFFFF00000000, CLFS_LSN_INVALID.Internal);
}

TEST(lsns_are_compared_and_stepped) /* CLFS-LSN-05 -17..22 -27 */
{
    CLFS_LSN a = ClfsLsnCreate(1, 512, 511), b = ClfsLsnCreate(1, 1024, 0);
    CLFS_LSN high = ClfsLsnCreate(0x80000000, 0, 0), edge = ClfsLsnCreate(2, 0xFFFFFE00, 511);
    CLFS_LSN last = {CLFS_LSN_INVALID.Internal - 1}, null = CLFS_LSN_NULL, none = CLFS_LSN_INVALID;
    CLFS_LSN step;

    EXPECT(ClfsLsnLess(&a, &b) && ClfsLsnGreater(&b, &a) && !ClfsLsnLess(&b, &a));
    EXPECT(!ClfsLsnLess(&a, &a) && !ClfsLsnGreater(&a, &a) && ClfsLsnEqual(&a, &a));
    EXPECT(ClfsLsnGreater(&high, &a)); /* unsigned */
    EXPECT(ClfsLsnLess(&CLFS_LSN_NULL, &a) && ClfsLsnGreater(&CLFS_LSN_INVALID, &high));
    EXPECT(ClfsLsnNull(&CLFS_LSN_NULL) && !ClfsLsnNull(&CLFS_LSN_INVALID));
    EXPECT(ClfsLsnInvalid(&CLFS_LSN_INVALID) && !ClfsLsnInvalid(&CLFS_LSN_NULL));
    step = ClfsLsnIncrement(&a); /* carries from record into offset */
    EXPECT(ClfsLsnEqual(&step, &b) && ClfsLsnRecordSequence(&a) == 511);
    step = ClfsLsnIncrement(&edge); /* and into the container */
    EXPECT_EQ(3, ClfsLsnContainer(&step));
    EXPECT_EQ(0, ClfsLsnBlockOffset(&step));
    step = ClfsEarlierLsn(&step);
    EXPECT(ClfsLsnEqual(&step, &edge));
    step = ClfsLaterLsn(&b);
    EXPECT_EQ(b.Internal + 1, step.Internal);
    step = ClfsLsnIncrement(&last);
    EXPECT(ClfsLsnInvalid(&step));
    step = ClfsLsnIncrement(&none);
    EXPECT(ClfsLsnInvalid(&step));
    step = ClfsEarlierLsn(&null);
    EXPECT(ClfsLsnNull(&step));
    step = ClfsEarlierLsn(&none);
    EXPECT(ClfsLsnEqual(&step, &last));
}

TEST(the_distance_of_lsns_is_in_bytes) /* CLFS-LSN-23 -24 -25 */
{
    CLFS_LSN a = ClfsLsnCreate(1, 1024, 5), b = ClfsLsnCreate(3, 512, 7), none = CLFS_LSN_INVALID;
    LONGLONG bytes = -1;

    EXPECT_OK(ClfsLsnDifference(&a, &b, 1 << 20, 4096, &bytes));
    EXPECT_EQ(2 * (1 << 20) - 512 + 4096, bytes);
    EXPECT_OK(ClfsLsnDifference(&a, &a, 1 << 20, 4096, &bytes));
    EXPECT_EQ(0, bytes);
    bytes = 77;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&b, &a, 1 << 20, 4096, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &b, 0, 4096, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &none, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(NULL, &b, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, NULL, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &b, 1, 1, NULL));
    EXPECT_EQ(77, bytes);
}
