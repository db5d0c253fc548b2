/* SPDX-License-Identifier: MIT */
/* The log's ordinary life, on the real disk: create, append, flush, read, restart, wrap, reopen. */
#include "tests/clfs/world.h"

#include <stdio.h>

static const char *
path_here(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", test_directory(), name);
    return path;
}

TEST(a_record_survives_reopening) /* CLFS-MODEL-21, CLFS-CREATE-05, CLFS-KTM-01 */
{
    const char *path = path_here("log");
    struct clfs_log *log = log_with(sys_linux(), path, 2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t first = appended(area, "first"), second = appended(area, "second"), flushed;

    EXPECT(first < second);
    EXPECT_OK(clfs_flush(area, second, &flushed));
    EXPECT(flushed > second); /* CLFS-FLUSH-05 */
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));

    EXPECT_OK(clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(first, info_of(log).base_lsn);
    EXPECT_EQ(second + 1, info_of(log).last_lsn);
    area = area_of(log, BLOCK);
    EXPECT_OK(clfs_read(area, first, CLFS_FORWARD, &record, &reader));
    EXPECT(record_is(&record, "first"));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record_is(&record, "second"));
    EXPECT_EQ(second, record.lsn);
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}

TEST(a_full_log_goes_on_for_ever_when_its_base_moves) /* CLFS-APPEND-36, -38, CLFS-LIMIT-03 */
{
    struct clfs_log *log = log_with(sys_linux(), path_here("log"), 3);
    struct clfs_area *area = area_of(log, 64 << 10);
    struct clfs_record record;
    struct clfs_reader *reader;
    uint64_t lsn = 0;

    for (unsigned round = 0; round < 12; round++) {
        unsigned count = fill_log(area, 10000, &lsn), seen = 1;

        EXPECT(count > 50);
        EXPECT_OK(clfs_advance_base(area, lsn));
        EXPECT_EQ(2, info_of(log).containers_free);
        EXPECT_OK(clfs_read(area, lsn, CLFS_FORWARD, &record, &reader));
        EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT_EQ(1, seen);
        clfs_reader_destroy(reader);
    }
    EXPECT(clfs_lsn_container(lsn) >= 24);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}

TEST(the_newest_restart_area_is_found_after_reopening) /* CLFS-RESTART-11, -12, -19, -25, -27 */
{
    const char *path = path_here("log");
    struct clfs_log *log = log_with(sys_linux(), path, 2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t one, two, data = appended(area, "data");

    EXPECT_STATUS(STATUS_LOG_NO_RESTART, clfs_read_restart(area, &record, &reader));
    EXPECT_OK(clfs_write_restart(area, bytes_of("one", 3), CLFS_LSN_NONE, 0, &one));
    EXPECT_OK(clfs_write_restart(area, bytes_of("two", 3), data, 0, &two));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));

    log = log_with(sys_linux(), path, 2);
    area = area_of(log, BLOCK);
    EXPECT_EQ(two, info_of(log).restart_lsn);
    EXPECT_OK(clfs_read_restart(area, &record, &reader));
    EXPECT(record_is(&record, "two") && record.type == CLFS_RESTART && record.previous == one);
    EXPECT_OK(clfs_read_previous_restart(reader, &record));
    EXPECT(record_is(&record, "one") && record.previous == CLFS_LSN_NONE);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_previous_restart(reader, &record));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}
