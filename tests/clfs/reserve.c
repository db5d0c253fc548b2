/* SPDX-License-Identifier: MIT */
/* Reservations: a promise of space that holds when the log is full. */
#include "tests/clfs/world.h"

static struct sys_sim *sim;

static NTSTATUS
append_sized(struct clfs_area *area, size_t size, unsigned flags, uint64_t *lsn)
{
    static const uint8_t data[64 << 10];
    struct bytes part = bytes_of(data, size);

    return clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, flags, lsn);
}

static struct clfs_area *
area_in_new_log(unsigned containers, uint32_t block_size, struct clfs_log **log)
{
    sim = sys_sim_create(1);
    *log = log_with(sys_sim_process(sim), "/log", containers);
    return area_of(*log, block_size);
}

static void
log_end(struct clfs_log *log, struct clfs_area *area)
{
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

TEST(a_reserved_size_is_a_pure_function_of_the_size) /* CLFS-RESV-03 -06 -07 */
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(2, BLOCK, &log);

    EXPECT_EQ(512, clfs_reserved_size(area, 0));
    EXPECT_EQ(512, clfs_reserved_size(area, 392));
    EXPECT_EQ(1024, clfs_reserved_size(area, 393));
    EXPECT_EQ(BLOCK, clfs_reserved_size(area, clfs_record_size_max(BLOCK)));
    EXPECT_EQ(0, clfs_reserved_size(area, clfs_record_size_max(BLOCK) + 1));
    EXPECT_EQ(0, clfs_reserved_size(area, UINT64_MAX));
    log_end(log, area);
}

TEST(a_reserved_append_takes_from_its_reservation) /* CLFS-RESV-02 -04 -05 -29 -30 CLFS-APPEND-35 */
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(2, BLOCK, &log), *other = area_of(log, BLOCK);
    uint64_t lsn, records, bytes;

    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID,
                  append_sized(area, 10, CLFS_FROM_RESERVATION, &lsn));
    EXPECT_OK(clfs_reserve(area, 2, 512 + 1024));
    EXPECT_EQ(1536, info_of(log).total_reservation);
    EXPECT_OK(append_sized(area, 10, 0, &lsn));        /* leaves it alone */
    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID, /* an area's own */
                  append_sized(other, 10, CLFS_FROM_RESERVATION, &lsn));
    EXPECT_STATUS(STATUS_LOG_SPACE_RESERVED_INVALID,
                  append_sized(area, 2000, CLFS_FROM_RESERVATION, &lsn));
    EXPECT_OK(append_sized(area, 10, CLFS_FROM_RESERVATION, &lsn));
    EXPECT_EQ(1024, info_of(log).total_reservation);
    EXPECT_OK(append_sized(area, 10, CLFS_FROM_RESERVATION, &lsn));
    clfs_area_reservation(area, &records, &bytes);
    EXPECT(records == 0 && bytes == 0); /* what no record is left for is released */
    EXPECT_EQ(0, info_of(log).total_reservation);

    EXPECT_OK(clfs_reserve(area, 3, 3 * 512));
    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID, clfs_unreserve(area, 4, 512));
    EXPECT_STATUS(STATUS_LOG_SPACE_RESERVED_INVALID, clfs_unreserve(area, 1, 2048));
    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID, clfs_unreserve(other, 1, 512));
    EXPECT_STATUS(STATUS_LOG_FULL, clfs_reserve(area, 1, UINT64_MAX));
    EXPECT_STATUS(STATUS_LOG_FULL, clfs_reserve(area, 1, INT64_MAX));
    EXPECT_OK(clfs_unreserve(area, 1, 512));
    EXPECT_OK(clfs_adjust_reservation(area, 1, -512));
    EXPECT_EQ(512, info_of(log).total_reservation);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_adjust_reservation(other, 0, 512));
    EXPECT_OK(clfs_area_destroy(other));
    log_end(log, area); /* CLFS-RESV-12, CLFS-AREA-23: and the rest goes with the area */
}

TEST(reservations_end_with_their_area) /* CLFS-RESV-12 CLFS-AREA-23 CLFS-HARD-25 */
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(2, BLOCK, &log), *other = area_of(log, BLOCK);
    uint64_t free = info_of(log).current_available;

    EXPECT_OK(clfs_reserve(other, 10, 10 * 4096));
    EXPECT_EQ(free - 10 * 4096, info_of(log).current_available);
    EXPECT_OK(clfs_area_destroy(other));
    EXPECT_EQ(free, info_of(log).current_available);
    EXPECT_EQ(0, info_of(log).total_reservation);
    log_end(log, area);
}

/* What is reserved can be written when nothing else can, each record in a block of its own,
 * whatever the sizes, wherever the log happens to stand. */
static void
promise_holds(unsigned containers, uint32_t block_size, size_t filler, size_t before,
              const size_t *sizes, unsigned count, bool forced)
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(containers, block_size, &log);
    uint64_t bytes = 0, lsn = 0;

    EXPECT_OK(append_sized(area, before, 0, &lsn));
    for (unsigned i = 0; i < count; i++)
        bytes += clfs_reserved_size(area, sizes[i]);
    EXPECT_OK(clfs_reserve(area, count, bytes));
    while (append_sized(area, filler, 0, &lsn) == STATUS_SUCCESS)
        ;
    EXPECT_STATUS(STATUS_LOG_FULL, append_sized(area, filler, 0, &lsn));
    while (append_sized(area, 0, 0, &lsn) == STATUS_SUCCESS) /* the last crumb too */
        if (forced)
            EXPECT_OK(clfs_write_out(area));
    for (unsigned i = 0; i < count; i++) {
        EXPECT_OK(append_sized(area, sizes[i], CLFS_FROM_RESERVATION, &lsn));
        if (forced)
            EXPECT_OK(clfs_flush(area, 0, NULL));
    }
    EXPECT_EQ(0, info_of(log).total_reservation);
    log_end(log, area);
}

TEST(what_is_reserved_can_always_be_written) /* CLFS-RESV-01 -09 CLFS-LIMIT-04 */
{
    static const size_t sizes[] = {40000, 10, 65000, 3000, 65000, 1, 20000, 65000, 400, 30000};

    for (size_t filler = 100; filler < 65000; filler = filler * 3 + 77) {
        for (size_t before = 0; before < 60000; before += 19997) {
            promise_holds(2, 64 << 10, filler, before, sizes, ARRAY_SIZE(sizes), true);
            promise_holds(3, 64 << 10, filler, before, sizes, ARRAY_SIZE(sizes), false);
        }
    }
}

TEST(a_checkpoint_is_possible_on_a_full_log) /* CLFS-RESV-13 CLFS-RESTART-07 -08 -17 CLFS-KTM-08 */
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(2, 64 << 10, &log);
    static const uint8_t checkpoint[50000];
    struct bytes data = bytes_of(checkpoint, sizeof(checkpoint));
    uint64_t size = clfs_reserved_size(area, sizeof(checkpoint)), lsn = 0, restart;

    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID,
                  clfs_write_restart(area, data, CLFS_LSN_NONE, CLFS_FROM_RESERVATION, &restart));
    for (unsigned round = 0; round < 6; round++) {
        EXPECT_OK(clfs_reserve(area, 1, size));
        (void)fill_log(area, 700, &lsn);
        EXPECT_STATUS(STATUS_LOG_FULL, clfs_write_restart(area, data, CLFS_LSN_NONE, 0, &restart));
        EXPECT_OK(clfs_write_restart(area, data, lsn, CLFS_FROM_RESERVATION, &restart));
        EXPECT_EQ(lsn, info_of(log).base_lsn);
        EXPECT_EQ(0, info_of(log).total_reservation);
    }
    log_end(log, area);
}

TEST(reserving_more_than_there_is_fails_and_changes_nothing) /* CLFS-RESV-10 -20 */
{
    struct clfs_log *log;
    struct clfs_area *area = area_in_new_log(2, BLOCK, &log);
    struct clfs_info before = info_of(log);
    uint64_t lsn;

    EXPECT_STATUS(STATUS_LOG_FULL, clfs_reserve(area, 1000, before.current_available + 512));
    EXPECT_EQ(0, info_of(log).total_reservation);
    EXPECT_OK(clfs_reserve(area, 200, 200 * BLOCK));
    EXPECT_STATUS(STATUS_LOG_FULL, clfs_reserve(area, 200, 200 * BLOCK));
    EXPECT_EQ(200 * BLOCK, info_of(log).total_reservation);
    (void)fill_log(area, 1000, &lsn);
    EXPECT_STATUS(STATUS_LOG_FULL, clfs_reserve(area, 1, BLOCK));
    EXPECT_OK(clfs_unreserve(area, 10, 10 * BLOCK)); /* CLFS-RESV-11: a remedy */
    EXPECT_OK(append_sized(area, 1000, 0, &lsn));
    log_end(log, area);
}
