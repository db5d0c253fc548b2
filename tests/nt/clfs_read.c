/* SPDX-License-Identifier: MIT */
/* Reading, and routines that are not here yet. */
#include "tests/nt/clfs_kit.h"

/* ---- reading ---- */

TEST(arguments_of_reading_are_checked) /* CLFS-READ-06..11 -19 -20 -25 -26 -37 */
{
    struct world world = begin();
    CLFS_LSN first, last, none = CLFS_LSN_INVALID, null = CLFS_LSN_NULL, lsn;
    CLFS_RECORD_TYPE type = ClfsNullRecord;
    PVOID data, context;
    ULONG length;

    EXPECT_OK(append(world.area, "x", 0, &first));
    EXPECT_OK(ClfsGetLastLsn(world.file, &last));
#define TRY_READ(lsn, mode)                                                                        \
    ClfsReadLogRecord(world.area, (lsn), (mode), &data, &length, NULL, NULL, NULL, &context)
    EXPECT_STATUS(STATUS_LOG_READ_MODE_INVALID, TRY_READ(&first, ClfsContextNone));
    EXPECT_STATUS(STATUS_LOG_READ_MODE_INVALID, TRY_READ(&first, 4));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TRY_READ(&none, ClfsContextForward));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TRY_READ(NULL, ClfsContextForward));
    EXPECT_STATUS(STATUS_END_OF_FILE, TRY_READ(&last, ClfsContextForward));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, TRY_READ(&null, ClfsContextForward));
    EXPECT(!context);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, NULL, &length, NULL,
                                    NULL, NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, NULL, NULL, NULL,
                                    NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL,
                                    NULL, NULL, NULL));
    lsn = first;
    EXPECT_OK(TRY_READ(&lsn, ClfsContextPrevious));
    EXPECT(ClfsLsnEqual(&lsn, &first));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, &data, &length, NULL, NULL, NULL, NULL, NULL));
    type = 0x3F;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, NULL, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_END_OF_FILE,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_OK(ClfsTerminateReadLog(context));
    end(&world);
}

/* ---- later tiers ---- */

TEST(what_is_not_here_yet_says_so) /* CLFS-INIT-01..04 CLFS-TRUNC-01 CLFS-ARCH-05 */
{
    struct world world = begin();
    CLFS_SCAN_CONTEXT scan = {0};
    CLFS_LSN lsn = CLFS_LSN_NULL;
    UNICODE_STRING path = wide("container0");

    EXPECT_OK(ClfsInitialize());
    EXPECT_OK(ClfsInitialize());
    ClfsFinalize();
    EXPECT_EQ(FALSE, ClfsValidTopLevelContext(NULL));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsSetEndOfLog(world.file, &lsn));
    EXPECT_STATUS(STATUS_LOG_EPHEMERAL, ClfsSetArchiveTail(world.file, &lsn));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsRemoveLogContainer(world.file, &path, FALSE));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ClfsCreateScanContext(world.file, 0, 1, CLFS_SCAN_FORWARD, &scan));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsCloseAndResetLogFile(world.file));
    EXPECT_EQ(2, information(world.file).TotalContainers); /* nothing has changed */
    end(&world);
}
