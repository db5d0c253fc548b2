/* SPDX-License-Identifier: MIT */
/* Appending and flushing: LSNs, sizes, blocks, areas, what is full, what is durable. */
#include "tests/clfs/world.h"

static struct sys_sim *sim;

static struct clfs_log *
log_new(unsigned containers)
{
    sim = sys_sim_create(1);
    return log_with(sys_sim_process(sim), "/log", containers);
}

static void
log_end(struct clfs_log *log, struct clfs_area *area)
{
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

static NTSTATUS
append_size(struct clfs_area *area, size_t size, uint64_t *lsn)
{
    static uint8_t data[256 << 10];
    struct bytes part = bytes_of(data, size);

    return clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, lsn);
}

TEST(lsns_increase_and_are_where_the_record_is) /* CLFS-LSN-04 -06 -07 -09 -10 CLFS-APPEND-18 -19 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, BLOCK);
    uint64_t lsns[300], first = info_of(log).last_lsn;
    struct clfs_reader *reader;
    struct clfs_record record;

    EXPECT(first > 0);
    for (unsigned i = 0; i < ARRAY_SIZE(lsns); i++) {
        struct bytes parts[] = {bytes_of(&i, 2), bytes_of(NULL, 0), bytes_of((uint8_t *)&i + 2, 2)};

        EXPECT_OK(clfs_append(area, parts, 3, i ? lsns[i - 1] : CLFS_LSN_NONE,
                              i ? lsns[i / 2] : CLFS_LSN_NONE, 0, &lsns[i]));
        EXPECT(i == 0 || lsns[i] > lsns[i - 1]);
        EXPECT_EQ(lsns[i] + 1, info_of(log).last_lsn); /* CLFS-BASE-04: a bound of both sides */
        if (i % 7 == 0)
            EXPECT_OK(clfs_flush(area, 0, NULL));
    }
    EXPECT_EQ(first, lsns[0]);
    EXPECT_EQ(first, info_of(log).base_lsn); /* CLFS-BASE-01, CLFS-APPEND-20 */
    for (unsigned i = 0; i < ARRAY_SIZE(lsns); i++) {
        EXPECT_OK(clfs_read(area, lsns[i], CLFS_FORWARD, &record, &reader));
        EXPECT(record.data.size == 4 && memcmp(record.data.at, &i, 4) == 0);
        EXPECT_EQ(i ? lsns[i - 1] : CLFS_LSN_NONE, record.previous); /* CLFS-CHAIN-01, -02 */
        EXPECT_EQ(i ? lsns[i / 2] : CLFS_LSN_NONE, record.undo_next);
        EXPECT_EQ(0, (uintptr_t)record.data.at % 8); /* CLFS-READ-22 */
        clfs_reader_destroy(reader);
    }
    log_end(log, area);
}

TEST(a_record_fills_a_block_exactly_or_does_not_fit) /* CLFS-APPEND-11 -12 -39 CLFS-AREA-10 */
{
    static const uint32_t blocks[] = {512, 1024, 4096, 65536};

    EACH (block, blocks) {
        struct clfs_log *log = log_new(2);
        struct clfs_area *area = area_of(log, *block);
        uint32_t most = clfs_record_size_max(*block);
        struct clfs_reader *reader;
        struct clfs_record record;
        uint64_t lsn, other;

        EXPECT_OK(append_size(area, most, &lsn));
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, append_size(area, most + 1, &other));
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, append_size(area, 200000, &other));
        EXPECT_OK(append_size(area, 0, &other)); /* empty ones are records too */
        EXPECT(clfs_lsn_block(other) == lsn + *block);
        EXPECT_OK(clfs_read(area, lsn, CLFS_FORWARD, &record, &reader));
        EXPECT_EQ(most, record.data.size);
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record.lsn == other && record.data.size == 0 && record.data.at);
        clfs_reader_destroy(reader);
        log_end(log, area);
    }
}

TEST(parts_that_overflow_are_refused) /* CLFS-APPEND-12 CLFS-APPEND-16 CLFS-HARD-44 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct bytes parts[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"x", SIZE_MAX}};
    uint64_t lsn;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  clfs_append(area, parts, 2, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  clfs_append(area, parts, 1, CLFS_LSN_NONE + 1, CLFS_LSN_NONE, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  clfs_append(area, parts, 1, CLFS_LSN_NONE, UINT64_MAX, 0, &lsn));
    EXPECT_EQ(info_of(log).base_lsn, info_of(log).last_lsn); /* nothing was appended */
    log_end(log, area);
}

TEST(a_block_holds_at_most_512_records) /* CLFS-LSN-07 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, 64 << 10);
    uint64_t lsn, before = 0;

    for (unsigned i = 0; i < 1500; i++) {
        EXPECT_OK(append_size(area, 1, &lsn));
        EXPECT_EQ(i % 512, clfs_lsn_sequence(lsn));
        EXPECT(lsn > before);
        before = lsn;
    }
    log_end(log, area);
}

TEST(areas_of_different_block_sizes_take_turns) /* CLFS-AREA-11 CLFS-CONC-05 CLFS-APPEND-22 */
{
    struct clfs_log *log = log_new(3);
    struct clfs_area *small = area_of(log, 1000), *large = area_of(log, 16384);
    struct clfs_area *same = area_of(log, 1024);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a, b, c;

    EXPECT_EQ(1024, clfs_area_block_size(small)); /* CLFS-AREA-08, CLFS-LIMIT-01 */
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_OK(append_size(small, i, &a));
        EXPECT_OK(append_size(same, i, &b));
        EXPECT_EQ(a + 1, b); /* they share a block */
        EXPECT_OK(append_size(large, i + 3000, &c));
        EXPECT(clfs_lsn_block(c) > b);
        EXPECT_OK(clfs_read(large, a, CLFS_FORWARD, &record, &reader)); /* visible at once */
        EXPECT_EQ(i, record.data.size);
        clfs_reader_destroy(reader);
        /* CLFS-READ-17: but a large block cannot be read through a small area, in memory or not. */
        EXPECT_STATUS(STATUS_LOG_BLOCK_INCOMPLETE,
                      clfs_read(small, c, CLFS_FORWARD, &record, &reader));
        if (i % 5 == 0)
            EXPECT_OK(clfs_flush(small, 0, NULL));
    }
    EXPECT_OK(clfs_flush(same, 0, NULL));
    EXPECT_STATUS(STATUS_LOG_BLOCK_INCOMPLETE, clfs_read(small, c, CLFS_FORWARD, &record, &reader));
    EXPECT_OK(clfs_area_destroy(small));
    EXPECT_OK(clfs_area_destroy(same));
    log_end(log, large);
}

TEST(areas_need_two_containers_and_blocks_that_fit_one) /* CLFS-AREA-02 -09 CLFS-MODEL-13 */
{
    struct sys_sim *disk = sys_sim_create(1);
    struct clfs_log *log = NULL;
    struct clfs_area *area = NULL;
    uint64_t size = CONTAINER;

    EXPECT_OK(clfs_log_open(sys_sim_process(disk), "/log", CLFS_CREATE_NEW, true, &log));
    EXPECT_EQ(0, info_of(log).containers); /* CLFS-INFO-18, CLFS-CREATE-10 */
    EXPECT_EQ(0, info_of(log).last_lsn);   /* OP-45 */
    EXPECT_STATUS(STATUS_LOG_NOT_ENOUGH_CONTAINERS, clfs_area_create(log, BLOCK, &area));
    EXPECT_OK(clfs_log_add_containers(log, 1, &size, NULL));
    EXPECT_STATUS(STATUS_LOG_NOT_ENOUGH_CONTAINERS, clfs_area_create(log, BLOCK, &area));
    EXPECT_OK(clfs_log_add_containers(log, 1, &size, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_area_create(log, 0, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_area_create(log, CONTAINER, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_area_create(log, UINT32_MAX, &area));
    EXPECT_OK(clfs_area_create(log, CONTAINER - 512, &area));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_area_create(log, 1, &area));
    EXPECT_EQ(512, clfs_area_block_size(area));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(disk);
}

TEST(a_full_log_still_takes_smaller_records_and_is_unchanged) /* CLFS-APPEND-36 CLFS-LIMIT-04 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, 256 << 10);
    struct clfs_info before;
    uint64_t lsn;

    (void)fill_log(area, 200000, &lsn);
    before = info_of(log);
    EXPECT_STATUS(STATUS_LOG_FULL, append_size(area, 200000, &lsn));
    EXPECT_EQ(before.last_lsn, info_of(log).last_lsn);
    EXPECT_EQ(0, before.containers_free);
    EXPECT(before.current_available < 200000);
    EXPECT_OK(append_size(area, 1000, &lsn));
    log_end(log, area);
}

TEST(the_whole_space_can_be_used) /* CLFS-RESV-08 CLFS-INFO-17 */
{
    struct clfs_log *log = log_new(4);
    struct clfs_area *area = area_of(log, BLOCK);
    uint64_t lsn, used = 0;

    EXPECT_EQ(4 * CONTAINER, info_of(log).total_available);
    EXPECT_EQ(4 * (CONTAINER - 512), info_of(log).current_available);
    EXPECT_EQ(3, info_of(log).containers_free); /* one is about to receive records */
    used = fill_log(area, clfs_record_size_max(BLOCK), &lsn) * (uint64_t)BLOCK;
    EXPECT(used + 4 * BLOCK >= 4 * (CONTAINER - 512));
    log_end(log, area);
}

TEST(no_logical_container_id_is_left) /* CLFS-MODEL-19 -20 */
{
    /* The metadata of a log at the end of its life, made by hand. */
    struct clfs_log *log = log_new(3);
    struct sys *process = sys_sim_process(sim);
    struct clfs_area *area;
    uint64_t lsn = 0;
    size_t size;
    void *blf;

    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(sys_sim_dump(sim, "/log.blf", &blf, &size));
    for (unsigned copy = 0; copy < 2; copy++) {
        uint8_t *at = (uint8_t *)blf + copy * (size / 2);
        uint64_t first = clfs_lsn_make(UINT32_MAX - 2, 512, 0);

        le64_put(at + 88, first);
        le64_put(at + 512 + 16, first);
        le64_put(at + 512 + 24, first);
        le32_put(at + 1024 + 8, UINT32_MAX - 2);
        le32_put(at + 20, 0);
        le32_put(at + 20, crc32c(0, at, le32_get(at + 16)));
    }
    EXPECT_OK(sys_sim_load(sim, "/log.blf", blf, size));
    free(blf);
    log = log_with(process, "/log", 3);
    area = area_of(log, 64 << 10);
    EXPECT(fill_log(area, 60000, &lsn) > 10);
    EXPECT_EQ(UINT32_MAX - 1, clfs_lsn_container(lsn)); /* one container is never used */
    EXPECT_EQ(1, info_of(log).containers_free);
    EXPECT_OK(clfs_advance_base(area, lsn)); /* and moving the base does not help */
    EXPECT_STATUS(STATUS_LOG_FULL, append_size(area, 60000, &lsn));
    log_end(log, area);
}

/* ---- flushing ---- */

TEST(a_flush_covers_what_it_says) /* CLFS-FLUSH-01 -02 -04..11 -16 CLFS-BASE-05 -06 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, BLOCK), *other = area_of(log, BLOCK);
    uint64_t a = appended(area, "a"), b = appended(other, "b"), flushed, syncs;
    struct clfs_info info = info_of(log);

    EXPECT_EQ(info.base_lsn, info.flushed_lsn);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_flush(area, info.last_lsn + 1, &flushed));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_flush(area, CLFS_LSN_NONE, &flushed));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_flush(area, UINT64_MAX, &flushed));
    EXPECT_EQ(info.flushed_lsn, info_of(log).flushed_lsn);
    EXPECT_OK(clfs_flush(area, b, &flushed)); /* of the other area too */
    EXPECT(flushed > b);
    EXPECT_EQ(flushed, info_of(log).flushed_lsn);
    EXPECT_EQ(info.last_lsn, info_of(log).last_lsn);
    syncs = sys_sim_counts(sim, NULL).syncs;
    EXPECT_OK(clfs_flush(area, a, NULL)); /* durable already: no I/O */
    EXPECT_OK(clfs_flush(area, 1, NULL)); /* no record's, and below the base */
    EXPECT_OK(clfs_flush(area, 0, &flushed));
    EXPECT_OK(clfs_flush(area, info.last_lsn, &flushed));
    EXPECT_EQ(info.last_lsn, flushed);
    EXPECT_EQ(syncs, sys_sim_counts(sim, NULL).syncs);
    EXPECT_OK(clfs_area_destroy(other));
    log_end(log, area);
}

TEST(one_force_makes_all_areas_durable_and_costs_one_write) /* design D6, CLFS-DUR-12 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct sys_sim_counts before = sys_sim_counts(sim, NULL), after;
    uint64_t lsn = 0;

    for (unsigned i = 0; i < 500; i++)
        EXPECT_OK(append_size(area, 100, &lsn));
    EXPECT_EQ(before.writes, sys_sim_counts(sim, NULL).writes); /* memory only */
    EXPECT_OK(clfs_flush(area, lsn, NULL));
    after = sys_sim_counts(sim, NULL);
    EXPECT_EQ(before.writes + 1, after.writes);
    EXPECT_EQ(before.syncs + 1, after.syncs);
    log_end(log, area);
}

TEST(write_behind_writes_and_does_not_force) /* CLFS-DUR-01 -02 -03 CLFS-INFO-22 */
{
    struct clfs_log *log = log_new(2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct sys_sim_counts before = sys_sim_counts(sim, NULL), after;
    uint64_t lsn = 0;

    EXPECT_EQ(40000, info_of(log).flush_threshold);
    EXPECT_OK(append_size(area, 3000, &lsn));
    EXPECT_OK(clfs_write_behind(area));
    EXPECT_EQ(before.writes, sys_sim_counts(sim, NULL).writes); /* little is pending */
    for (unsigned i = 0; i < 13; i++)
        EXPECT_OK(append_size(area, 3000, &lsn));
    EXPECT_OK(clfs_write_behind(area));
    after = sys_sim_counts(sim, NULL);
    EXPECT(after.writes > before.writes);
    EXPECT_EQ(before.syncs, after.syncs);
    EXPECT(info_of(log).flushed_lsn < lsn);
    EXPECT_OK(append_size(area, 10, &lsn));
    EXPECT_OK(clfs_write_out(area)); /* CLFS-APPEND-23 */
    EXPECT(sys_sim_counts(sim, NULL).writes > after.writes);
    EXPECT_EQ(before.syncs, sys_sim_counts(sim, NULL).syncs);
    EXPECT_OK(clfs_flush(area, lsn, NULL)); /* nothing to write any more, and yet to force */
    EXPECT_EQ(before.syncs + 1, sys_sim_counts(sim, NULL).syncs);
    log_end(log, area);
}

TEST(a_reader_without_the_right_changes_nothing) /* CLFS-FLUSH-14 CLFS-CONT-17 CLFS-AREA-15 */
{
    struct clfs_log *writer = log_new(2), *log = NULL;
    struct clfs_area *area;
    uint64_t size = 0, lsn;

    EXPECT_OK(clfs_log_open(sys_sim_process(sim), "/log2", CLFS_OPEN_ALWAYS, false, &log));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_log_add_containers(log, 1, &size, NULL));
    EXPECT_OK(clfs_log_close(log));
    EXPECT_OK(clfs_log_close(writer));
    EXPECT_OK(clfs_log_open(sys_sim_process(sim), "/log", CLFS_OPEN_EXISTING, false, &log));
    area = area_of(log, BLOCK);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, append_text(area, "x", &lsn));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_flush(area, 0, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_write_out(area));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_write_behind(area));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_advance_base(area, 512));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, clfs_reserve(area, 1, 512));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  clfs_write_restart(area, bytes_of("x", 1), CLFS_LSN_NONE, 0, &lsn));
    log_end(log, area);
}
