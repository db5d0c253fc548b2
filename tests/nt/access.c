/* SPDX-License-Identifier: MIT */
/* Generic mapping and valid masks of the four types [ktm-types.md section 5.6]. */
#include "tests/test.h"

#include "nt/access.h"

static const struct {
    uint8_t kind;
    ACCESS_MASK read, write, execute, all, tolerated;
} rows[] = {
    {OBJECT_TM, 0x020001, 0x02001e, 0x020000, 0x0f003f, SYNCHRONIZE},
    {OBJECT_TX, 0x120001, 0x12003e, 0x120018, 0x1f003f, 0x40},
    {OBJECT_RM, 0x120001, 0x12007e, 0x12005c, 0x1f007f, 0},
    {OBJECT_EN, 0x020001, 0x02001e, 0x02001c, 0x0f001f, SYNCHRONIZE},
};

static ACCESS_MASK
granted(uint8_t kind, ACCESS_MASK desired)
{
    ACCESS_MASK access = 0;

    EXPECT_OK(access_grant(kind, desired, &access));
    return access;
}

TEST(generic_rights_are_mapped) /* OBJ-12 */
{
    EACH (row, rows) {
        EXPECT_EQ(row->read, granted(row->kind, GENERIC_READ));
        EXPECT_EQ(row->write, granted(row->kind, GENERIC_WRITE));
        EXPECT_EQ(row->execute, granted(row->kind, GENERIC_EXECUTE));
        EXPECT_EQ(row->all, granted(row->kind, GENERIC_ALL));
        EXPECT_EQ(row->all, granted(row->kind, MAXIMUM_ALLOWED));
        EXPECT_EQ(row->read | row->execute, granted(row->kind, GENERIC_READ | GENERIC_EXECUTE));
        EXPECT_EQ(row->read | 2, granted(row->kind, GENERIC_READ | 2));
    }
}

TEST(each_valid_bit_is_granted_and_no_other) /* OBJ-13 OBJ-16 */
{
    EACH (row, rows)
        for (int bit = 0; bit < 25; bit++) { /* from bit 25 on: generic and special bits */
            ACCESS_MASK right = (ACCESS_MASK)1 << bit, access;

            if (right & (row->all | row->tolerated))
                EXPECT_EQ(right, granted(row->kind, right));
            else
                EXPECT_STATUS(STATUS_ACCESS_DENIED, access_grant(row->kind, right, &access));
        }
}

TEST(bits_without_meaning_are_refused_beside_any_others) /* OBJ-13 */
{
    static const ACCESS_MASK wrong[] = {0x04000000, 0x08000000, ACCESS_SYSTEM_SECURITY, 0x200000};

    EACH (row, rows)
        EACH (bit, wrong) {
            ACCESS_MASK access;

            EXPECT_STATUS(STATUS_ACCESS_DENIED, access_grant(row->kind, *bit, &access));
            EXPECT_STATUS(STATUS_ACCESS_DENIED,
                          access_grant(row->kind, *bit | MAXIMUM_ALLOWED, &access));
        }
}

TEST(no_rights_are_granted_for_none)
{
    EACH (row, rows)
        EXPECT_EQ(0, granted(row->kind, 0));
}
