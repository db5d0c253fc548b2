/* SPDX-License-Identifier: MIT */
/* What hostile clients and administrators can do. */
#include "tests/clfs/world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "clfs/format.h"

#define PATH "/log"

TEST(data_that_imitates_blocks_confuses_nobody) /* CLFS-HARD-35 */
{
    /* A record that holds images of this log's own blocks, each aligned to a sector, with checksums
     * right: first of the very addresses they lie at. */
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, PATH, 2);
    struct clfs_area *area = area_of(log, 64 << 10);
    struct clfs_reader *reader;
    struct clfs_record record;
    struct clfs_info info = info_of(log);
    uint64_t start = info.last_lsn, lsn, end;
    static uint8_t data[20480];
    struct bytes part = bytes_of(data, sizeof(data));
    unsigned seen = 0;

    for (size_t at = 512 - BLOCK_HEADER_SIZE - RECORD_HEADER_SIZE; at + 512 < sizeof(data);
         at += 512) {
        struct block_header header = {.identity = info.identity,
                                      .lsn = start + at + BLOCK_HEADER_SIZE + RECORD_HEADER_SIZE,
                                      .previous = start,
                                      .durable = start,
                                      .epoch = 2,
                                      .size = 512,
                                      .used = BLOCK_HEADER_SIZE + RECORD_HEADER_SIZE,
                                      .records = 1};

        record_header_encode(&(struct record_header){.type = CLFS_DATA,
                                                     .previous = CLFS_LSN_NONE,
                                                     .undo_next = CLFS_LSN_NONE},
                             data + at + BLOCK_HEADER_SIZE);
        block_encode(&header, data + at);
    }
    EXPECT_OK(clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
    EXPECT_OK(clfs_flush(area, 0, NULL));
    end = appended(area, "genuine");
    EXPECT_OK(clfs_flush(area, 0, NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    log = log_with(process, PATH, 2);
    area = area_of(log, 64 << 10);
    EXPECT_EQ(end + 1, info_of(log).last_lsn);
    EXPECT_OK(clfs_read(area, lsn, CLFS_FORWARD, &record, &reader));
    EXPECT_EQ(sizeof(data), record.data.size);
    for (seen = 1; clfs_read_next(reader, CLFS_ANY, NULL, &record) == STATUS_SUCCESS; seen++)
        EXPECT(record_is(&record, "genuine"));
    EXPECT_EQ(2, seen);
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

TEST(files_with_wider_permissions_than_the_log_are_refused) /* CLFS-SEC-08 CLFS-CONT-16 */
{
    struct clfs_log *log;
    char path[512], container[600], base[600];

    snprintf(path, sizeof(path), "%s/log", test_directory());
    snprintf(container, sizeof(container), "%s.c0002", path);
    snprintf(base, sizeof(base), "%s.blf", path);
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), path, 2)));
    EXPECT_EQ(0, chmod(container, 0640));
    EXPECT_STATUS(STATUS_LOG_INCONSISTENT_SECURITY,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(0, chmod(base, 0640)); /* no wider than the base file: fine */
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), path, 2)));
}

TEST(a_container_is_no_link_and_no_file_is_two_containers) /* CLFS-HARD-11 -23 -27 -28 */
{
    struct clfs_log *log;
    char path[512], one[600], two[600], away[600], base[600];

    snprintf(path, sizeof(path), "%s/log", test_directory());
    snprintf(one, sizeof(one), "%s.c0001", path);
    snprintf(two, sizeof(two), "%s.c0002", path);
    snprintf(away, sizeof(away), "%s.away", path);
    snprintf(base, sizeof(base), "%s.blf", path);
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), path, 2)));
    EXPECT_EQ(0, rename(two, away));
    EXPECT_EQ(0, symlink(away, two));
    EXPECT_STATUS(STATUS_LOG_CONTAINER_OPEN_FAILED,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(0, unlink(two));
    EXPECT_EQ(0, link(one, two));
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(0, unlink(two));
    EXPECT_EQ(0, link(base, two));
    EXPECT_STATUS(STATUS_LOG_METADATA_INCONSISTENT,
                  clfs_log_open(sys_linux(), path, CLFS_OPEN_EXISTING, true, &log));
    EXPECT_EQ(0, unlink(two));
    EXPECT_EQ(0, rename(away, two));
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), path, 2)));
}
