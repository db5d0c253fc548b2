/* SPDX-License-Identifier: MIT */
/* A status becomes the Win32 error the specification names; the whole list against the
 * specification is compared by tests/headers/statuses.py. */
#include "tests/test.h"
#include "wdm.h"
#include "winerror.h"

TEST(generic_statuses_become_the_errors_windows_gives) /* W32-GEN-03 */
{
    static const struct {
        NTSTATUS status;
        ULONG error;
    } pairs[] = {
        {STATUS_SUCCESS, ERROR_SUCCESS},
        {STATUS_TIMEOUT, WAIT_TIMEOUT},
        {STATUS_PENDING, ERROR_IO_PENDING},
        {STATUS_OBJECT_NAME_EXISTS, ERROR_OBJECT_NAME_EXISTS},
        {STATUS_BUFFER_OVERFLOW, ERROR_MORE_DATA},
        {STATUS_NO_MORE_ENTRIES, ERROR_NO_MORE_ITEMS},
        {STATUS_UNSUCCESSFUL, ERROR_GEN_FAILURE},
        {STATUS_INVALID_HANDLE, ERROR_INVALID_HANDLE},
        {STATUS_OBJECT_TYPE_MISMATCH, ERROR_INVALID_HANDLE},
        {STATUS_INVALID_PARAMETER_2, ERROR_INVALID_PARAMETER},
        {STATUS_OBJECT_NAME_NOT_FOUND, ERROR_FILE_NOT_FOUND},
        {STATUS_OBJECT_NAME_COLLISION, ERROR_ALREADY_EXISTS},
        {STATUS_INSUFFICIENT_RESOURCES, ERROR_NO_SYSTEM_RESOURCES},
        {STATUS_RESOURCEMANAGER_READ_ONLY, 6707},
    };

    EACH (pair, pairs)
        EXPECT_EQ(pair->error, RtlNtStatusToDosError(pair->status));
}

TEST(transaction_statuses_become_the_errors_of_their_names) /* W32-GEN-03 W32-TX-09 W32-TM-05 */
{
    EXPECT_EQ(6701, RtlNtStatusToDosError(STATUS_TRANSACTION_NOT_ACTIVE));
    EXPECT_EQ(6703, RtlNtStatusToDosError(STATUS_TRANSACTION_NOT_REQUESTED));
    EXPECT_EQ(6704, RtlNtStatusToDosError(STATUS_TRANSACTION_ALREADY_ABORTED));
    EXPECT_EQ(6820, RtlNtStatusToDosError(STATUS_ENLISTMENT_NOT_SUPERIOR));
    EXPECT_EQ(6828, RtlNtStatusToDosError(STATUS_TM_VOLATILE));
    EXPECT_EQ(6731, RtlNtStatusToDosError(STATUS_HEURISTIC_DAMAGE_POSSIBLE));
}

TEST(log_statuses_count_through_with_one_gap) /* CLFS-STAT-04 */
{
    EXPECT_EQ(6611, RtlNtStatusToDosError(STATUS_LOG_NO_RESTART));
    for (unsigned n = 1; n <= 0x30; n++) {
        NTSTATUS status = (NTSTATUS)(0xC01A0000u + n);

        if (n == 0x0C) /* LOG_NO_RESTART, which is informational */
            EXPECT_EQ(ERROR_MR_MID_NOT_FOUND, RtlNtStatusToDosError(status));
        else
            EXPECT_EQ(n <= 0x1D ? 6599 + n : 6600 + n, RtlNtStatusToDosError(status));
    }
}

TEST(what_has_no_error_becomes_mr_mid_not_found) /* W32-GEN-03 */
{
    static const uint32_t unknown[] = {0xC0ABCDEF, 0xC0000210, 0xC01A0031, 0xC0190062, 0x3F};

    EACH (status, unknown)
        EXPECT_EQ(317, RtlNtStatusToDosError((NTSTATUS)*status));
}
