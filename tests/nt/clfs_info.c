/* SPDX-License-Identifier: MIT */
/* What a log says about itself. */
#include "tests/nt/clfs_kit.h"

/* ---- information ---- */

TEST(information_is_told_by_class) /* CLFS-INFO-01..22 CLFS-BASE-06 -09 CLFS-TYPE-07 */
{
    PLOG_FILE_OBJECT file = opened("log"), readonly;
    CLFS_INFORMATION info = information(file), physical;
    uint8_t buffer[1400];
    CLFS_LOG_NAME_INFORMATION *name = (void *)buffer;
    CLFS_PHYSICAL_LSN_INFORMATION lsn = {.VirtualLsn = {12345}};
    ULONG size, needed, length = (ULONG)strlen(here("%s", "log")) * 2;

    EXPECT(info.TotalContainers == 0 && info.ContainerSize == 0 && info.TotalClients == 1);
    EXPECT(info.BaseLsn.Internal == 0 && info.LastLsn.Internal == 0);
    EXPECT(ClfsLsnInvalid(&info.RestartLsn) && ClfsLsnInvalid(&info.MinArchiveTailLsn));
    EXPECT_EQ(FILE_ATTRIBUTE_DEDICATED, info.Attributes);
    EXPECT(info.SectorSize == 512 && info.FlushThreshold == 40000 && info.BaseFileSize > 0);
    containers_add(file, 3);
    info = information(file);
    EXPECT_EQ(3 * (512 << 10), info.TotalAvailable);
    EXPECT_EQ(512 << 10, info.ContainerSize);
    EXPECT(info.CurrentAvailable > 0 && info.CurrentAvailable < info.TotalAvailable);
    size = sizeof(physical);
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogBasicInformationPhysical, NULL, 0, &physical,
                                          &size));
    EXPECT_BYTES(&info, &physical, sizeof(info)); /* CLFS-INFO-04 */
    size = sizeof(info) - 1;
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, ClfsGetLogFileInformation(file, &info, &size));
    EXPECT_EQ(sizeof(info), size);
    size = 0;
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, ClfsGetLogFileInformation(file, NULL, &size));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsGetLogFileInformation(file, &info, NULL));
    size = 10;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsGetLogFileInformation(file, NULL, &size));
    size = sizeof(buffer);
    EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                  ClfsQueryLogFileInformation(file, 6, NULL, 0, buffer, &size));

    EXPECT_OK(
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(length, name->NameLengthInBytes);
    EXPECT_EQ(2 + length, size);
    needed = size;
    size = 20;
    EXPECT_STATUS(
        STATUS_BUFFER_OVERFLOW,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(length, name->NameLengthInBytes);
    EXPECT_EQ(20, size);
    size = 3;
    EXPECT_STATUS(
        STATUS_BUFFER_TOO_SMALL,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(needed, size);
    size = 1;
    buffer[0] = 9;
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogStreamIdentifierInformation, NULL, 0, buffer,
                                          &size));
    EXPECT_EQ(0, buffer[0]);
    size = 4;
    EXPECT_OK(
        ClfsQueryLogFileInformation(file, ClfsLogSystemMarkingInformation, NULL, 0, buffer, &size));
    size = sizeof(lsn);
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation, &lsn, sizeof(lsn),
                                          &lsn, &size));
    EXPECT_EQ(12345, lsn.PhysicalLsn.Internal);
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation, NULL, 0, &lsn, &size));
    lsn.StreamIdentifier = 1;
    EXPECT_STATUS(STATUS_NOT_FOUND, ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation,
                                                                &lsn, sizeof(lsn), &lsn, &size));
    EXPECT_OK(create(&readonly, "log", GENERIC_READ, 7, OPEN_EXISTING, FILE_ATTRIBUTE_READONLY));
    EXPECT_EQ(FILE_ATTRIBUTE_DEDICATED | FILE_ATTRIBUTE_READONLY, information(readonly).Attributes);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsSetLogFileInformation(readonly, ClfsLogBasicInformation,
                                                                  &info, sizeof(info)));
    EXPECT_OK(ClfsCloseLogFileObject(readonly));
    EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                  ClfsSetLogFileInformation(file, ClfsLogBasicInformation, &info, 8));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ClfsSetLogFileInformation(file, ClfsLogPhysicalNameInformation, &info, 8));
    EXPECT_OK(ClfsSetLogFileInformation(file, ClfsLogBasicInformation, &info, sizeof(info)));
    EXPECT_OK(ClfsCloseLogFileObject(file));
}

TEST(statistics_count_and_come_as_a_prefix) /* CLFS-IOST-01..05 */
{
    struct world world = begin();
    CLFS_IO_STATISTICS before = {0}, after;
    CLFS_LSN lsn;
    ULONG written = 0;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsGetIoStatistics(world.file, &before, 15, ClfsIoStatsDefault, &written));
    EXPECT_OK(ClfsGetIoStatistics(world.file, &before, 16, 77, &written));
    EXPECT_EQ(16, written);
    EXPECT(before.hdrIoStats.ubMajorVersion == 1 && before.hdrIoStats.cbLength == 48 &&
           before.hdrIoStats.coffData == 16 && before.cMetaFlush == 0);
    EXPECT_OK(ClfsGetIoStatistics(world.file, &before, sizeof(before), 0, NULL));
    EXPECT_OK(append(world.area, "x", CLFS_FLAG_FORCE_FLUSH, &lsn));
    EXPECT_OK(ClfsWriteRestartArea(world.area, "r", 1, NULL, 0, NULL, NULL));
    EXPECT_OK(ClfsGetIoStatistics(world.file, &after, sizeof(after), 0, NULL));
    EXPECT(after.cFlush == before.cFlush + 2 && after.cbFlush == before.cbFlush + 1024);
    EXPECT(after.cMetaFlush == before.cMetaFlush + 1 && after.cbMetaFlush > before.cbMetaFlush);
    end(&world);
}
