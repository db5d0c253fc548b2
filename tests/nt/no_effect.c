/* SPDX-License-Identifier: MIT */
/* Calls that fail change nothing, and the first check that fails decides [GEN-05, GEN-06]. */
#include "tests/nt/kit.h"

#include "tests/alloc.h"

TEST(
    a_refused_enlistment_binds_no_transaction) /* GEN-06 ENL-CREATE-03 ENL-CREATE-14 TX-CREATE-05 */
{
    HANDLE logged = new_logged_tm("a"), tm = new_volatile_tm();
    HANDLE refused = new_volatile_rm(logged), rm = new_volatile_rm(tm), tx = new_tx(NULL), en;

    EXPECT_STATUS(STATUS_TM_VOLATILE,
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, refused, tx, NULL,
                                     ENLISTMENT_SUPERIOR, MASK_SUPERIOR, NULL));
    new_en(rm, tx, MASK_FULL, NULL); /* it is bound to nobody still */
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_EQ(2, clock_of(tm));
    EXPECT_EQ(1, clock_of(logged));
}

TEST(without_memory_a_transaction_is_not_bound) /* GEN-06 ENL-CREATE-08 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm()), tx, en;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, NULL,
                                  TRANSACTION_DO_NOT_PROMOTE, 0, 0, NULL, NULL));
    for (uint64_t n = 1;; n++) {
        HANDLE other = new_volatile_rm(new_volatile_tm());
        NTSTATUS status;

        alloc_fail_at(n);
        status =
            NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, other, tx, NULL, 0, MASK_FULL, NULL);
        if (!alloc_fail_stop()) {
            EXPECT_OK(status);
            break;
        }
        EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
    }
    EXPECT_STATUS(STATUS_TRANSACTION_REQUIRED_PROMOTION, /* it is bound now [BR-02] */
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, 0, MASK_FULL, NULL));
}

/* GEN-06 TX-SET-01 TX-SET-03 */
TEST(without_memory_no_property_is_set)
{
    union {
        TRANSACTION_PROPERTIES_INFORMATION properties;
        char room[60];
    } before = {.properties = {.IsolationFlags = 3, .DescriptionLength = 6}}, after, wanted;
    const ULONG size = 24 + 6;

    for (uint64_t n = 1;; n++) {
        HANDLE tx = new_tx(NULL);
        NTSTATUS status;

        memset(before.properties.Description, 0x61, 6);
        EXPECT_OK(NtSetInformationTransaction(tx, TransactionPropertiesInformation, &before, size));
        wanted = before;
        wanted.properties.IsolationFlags = 4;
        wanted.properties.Description[0] = 'z';
        wanted.properties.Timeout = milliseconds(1000000);
        alloc_fail_at(n);
        status = NtSetInformationTransaction(tx, TransactionPropertiesInformation, &wanted, size);
        if (!alloc_fail_stop()) {
            EXPECT_OK(status);
            return;
        }
        EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
        EXPECT_OK(NtQueryInformationTransaction(tx, TransactionPropertiesInformation, &after,
                                                sizeof(after), NULL));
        EXPECT_EQ(3, after.properties.IsolationFlags);
        EXPECT_EQ(0, after.properties.Timeout.QuadPart);
        EXPECT_BYTES(before.properties.Description, after.properties.Description, 6);
    }
}

TEST(a_mask_is_looked_at_before_handles) /* GEN-05 ENL-CREATE-05 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE en = NULL, bad = (HANDLE)16;
    PVOID tx = pointer_to(party.tx), rm = pointer_to(party.rm[0]);

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, bad, bad, NULL, 0, COMMIT, NULL));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, bad, bad,
                                                            NULL, 0, MASK_FULL, NULL));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        TmCreateEnlistment(&en, KernelMode, ENLISTMENT_ALL_ACCESS, NULL, rm, tx, 0, COMMIT, NULL));
    EXPECT(en == NULL);
}
