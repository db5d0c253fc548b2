/* SPDX-License-Identifier: MIT */
/* The base and restart areas: how they move, what survives, how they are read. */
#include "tests/clfs/world.h"

/* ---- base ---- */

TEST(the_base_moves_up_to_the_end_and_never_back) /* CLFS-BASE-02 -03 -10 -11 -12 -13 -22 -23 */
{
    struct fixture it = begin(2);
    uint64_t start = info_of(it.log).base_lsn, a, b, last;

    EXPECT_OK(clfs_advance_base(it.area, start)); /* of an empty log: only to where it is */
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, clfs_advance_base(it.area, start + 1));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, clfs_advance_base(it.area, CLFS_LSN_NONE));
    a = appended(it.area, "a");
    b = appended(it.area, "b");
    last = info_of(it.log).last_lsn;
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, clfs_advance_base(it.area, a - 1));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, clfs_advance_base(it.area, last + 1));
    EXPECT_OK(clfs_advance_base(it.area, a));
    EXPECT_OK(clfs_advance_base(it.area, b));
    EXPECT_EQ(b, info_of(it.log).base_lsn);
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, clfs_advance_base(it.area, a));
    EXPECT_OK(clfs_advance_base(it.area, last)); /* empties the log */
    EXPECT_EQ(last, info_of(it.log).base_lsn);
    EXPECT_EQ(last, info_of(it.log).last_lsn);
    a = appended(it.area, "c");
    EXPECT(a >= last);
    EXPECT_EQ(last, info_of(it.log).base_lsn);
    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    reopen(&it);
    EXPECT_EQ(last, info_of(it.log).base_lsn);
    end(&it);
}

TEST(an_unforced_base_may_be_lost_and_no_more) /* CLFS-DUR-11 CLFS-BASE-03 OP-43 */
{
    struct fixture it = begin(2);
    uint64_t a = appended(it.area, "a"), b = appended(it.area, "b"), c = appended(it.area, "c");

    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    restarted(&it, "r", b);
    EXPECT_OK(clfs_advance_base(it.area, c));
    sys_sim_power_on(it.sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(it.area);
    (void)!clfs_log_close(it.log);
    it.log = log_with(it.process, "/log", 2);
    it.area = area_of(it.log, BLOCK);
    EXPECT_EQ(b, info_of(it.log).base_lsn);
    EXPECT(a < b);
    EXPECT_OK(clfs_advance_base(it.area, c));
    reopen(&it); /* an orderly close makes it durable */
    EXPECT_EQ(c, info_of(it.log).base_lsn);
    end(&it);
}

TEST(space_is_reused_only_behind_a_durable_base) /* CLFS-MODEL-17 -18 -25 -26 CLFS-BASE-21 */
{
    struct fixture it = begin(3);
    uint64_t metadata, lsn = 0, used;

    EXPECT_EQ(2, info_of(it.log).containers_free);
    (void)fill_log(it.area, 3900, &lsn);
    EXPECT_EQ(0, info_of(it.log).containers_free);
    metadata = info_of(it.log).metadata_flushes;
    EXPECT_OK(clfs_advance_base(it.area, lsn - lsn % 512)); /* into the third */
    EXPECT_EQ(metadata + 1, info_of(it.log).metadata_flushes);
    EXPECT_EQ(2, info_of(it.log).containers_free);
    EXPECT_EQ(lsn + 1, info_of(it.log).flushed_lsn); /* nothing is named that is not durable */
    used = lsn;
    (void)fill_log(it.area, 3900, &lsn);
    EXPECT_EQ(clfs_lsn_container(used) + 2, clfs_lsn_container(lsn)); /* CLFS-MODEL-16 */
    EXPECT_OK(clfs_advance_base(it.area, used)); /* in the same container: no force */
    EXPECT_EQ(metadata + 1, info_of(it.log).metadata_flushes);
    end(&it);
}

/* ---- restart areas ---- */

TEST(restart_areas_form_a_chain_and_move_the_base) /* CLFS-RESTART-01 -03 -04 -05 -09..15 */
{
    struct fixture it = begin(2);
    struct clfs_info info;
    uint64_t a, r1, r2, r3, other, last;
    uint8_t large[BLOCK] = {0};

    EXPECT_EQ(CLFS_LSN_NONE, info_of(it.log).restart_lsn); /* CLFS-BASE-07 */
    a = appended(it.area, "a");
    r1 = restarted(&it, "", CLFS_LSN_NONE);
    info = info_of(it.log);
    EXPECT(info.restart_lsn == r1 && info.base_lsn == a && info.last_lsn == r1 + 1);
    EXPECT_EQ(info.last_lsn, info.flushed_lsn);
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID,
                  clfs_write_restart(it.area, bytes_of("x", 1), a - 1, 0, &other));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID,
                  clfs_write_restart(it.area, bytes_of("x", 1), info.last_lsn + 1, 0, &other));
    EXPECT_EQ(info.last_lsn, info_of(it.log).last_lsn); /* nothing was written */
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        clfs_write_restart(it.area, bytes_of(large, sizeof(large)), CLFS_LSN_NONE, 0, &other));
    r2 = restarted(&it, "two", r1);
    EXPECT_EQ(r1, info_of(it.log).base_lsn);
    last = info_of(it.log).last_lsn;
    r3 = restarted(&it, "three", last); /* the record's own LSN */
    EXPECT_EQ(r3, info_of(it.log).base_lsn);
    EXPECT_EQ(r3, info_of(it.log).restart_lsn);
    EXPECT(r2 < r3);
    EXPECT_OK(clfs_advance_base(it.area, info_of(it.log).last_lsn));
    EXPECT_EQ(CLFS_LSN_NONE, info_of(it.log).restart_lsn); /* CLFS-BASE-08 */
    end(&it);
}

TEST(restart_areas_are_found_backwards) /* CLFS-RESTART-19..31 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    uint64_t r[4], d[4];
    struct clfs_area *tiny;

    EXPECT_STATUS(STATUS_LOG_NO_RESTART, clfs_read_restart(it.area, &record, &reader));
    EXPECT(!reader);
    for (unsigned i = 0; i < 4; i++) {
        char text[3000];

        memset(text, 'a' + (int)i, sizeof(text));
        text[i * 900] = 0;
        r[i] = restarted(&it, text, CLFS_LSN_NONE);
        d[i] = appended(it.area, "data");
    }
    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    reopen(&it);
    tiny = area_of(it.log, 512);
    EXPECT_STATUS(STATUS_LOG_BLOCK_INCOMPLETE, clfs_read_restart(tiny, &record, &reader));
    EXPECT_OK(clfs_area_destroy(tiny));
    EXPECT_OK(clfs_read_restart(it.area, &record, &reader));
    EXPECT(record.lsn == r[3] && record.data.size == 2700 && record.data.at[0] == 'd');
    EXPECT_OK(clfs_read_previous_restart(reader, &record));
    EXPECT(record.lsn == r[2] && record.data.at[0] == 'c');
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record)); /* forward from there */
    EXPECT(record.lsn == d[2]);
    EXPECT_OK(clfs_read_previous_restart(reader, &record)); /* at or before the position */
    EXPECT(record.lsn == r[2]);
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record.lsn == r[3]);
    EXPECT_OK(clfs_read_previous_restart(reader, &record)); /* not the one it stands on */
    EXPECT(record.lsn == r[2]);
    EXPECT_OK(clfs_read_previous_restart(reader, &record));
    EXPECT_OK(clfs_read_previous_restart(reader, &record));
    EXPECT(record.lsn == r[0] && record.data.size == 0);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_previous_restart(reader, &record));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_previous_restart(reader, &record));
    EXPECT_OK(clfs_advance_base(it.area, r[2]));
    EXPECT_OK(clfs_read_next(reader, CLFS_RESTART, &r[3], &record));
    EXPECT_OK(clfs_read_previous_restart(reader, &record));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_previous_restart(reader, &record));
    clfs_reader_destroy(reader);
    record = READ(&it, d[3], CLFS_FORWARD, reader); /* CLFS-RESTART-32 */
    EXPECT_STATUS(STATUS_LOG_READ_CONTEXT_INVALID, clfs_read_previous_restart(reader, &record));
    clfs_reader_destroy(reader);
    end(&it);
}
