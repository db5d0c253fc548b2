/* SPDX-License-Identifier: MIT */
/* Reading: modes, filters, bounds, contexts. */
#include "tests/clfs/world.h"

/* ---- where reading may start ---- */

static void
starts_are_checked(struct fixture *it, uint64_t first, uint64_t middle)
{
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    uint64_t last = info_of(it->log).last_lsn;

    static const int bad_modes[] = {0, 4, -1, 99};
    EACH (mode, bad_modes)
        EXPECT_STATUS(STATUS_LOG_READ_MODE_INVALID,
                      clfs_read(it->area, first, (enum clfs_mode) * mode, &record, &reader));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  clfs_read(it->area, CLFS_LSN_NONE, CLFS_FORWARD, &record, &reader));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  clfs_read(it->area, UINT64_MAX, CLFS_FORWARD, &record, &reader));
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read(it->area, last, CLFS_FORWARD, &record, &reader));
    EXPECT_STATUS(STATUS_END_OF_FILE,
                  clfs_read(it->area, CLFS_LSN_NONE - 1, CLFS_FORWARD, &record, &reader));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read(it->area, 0, CLFS_FORWARD, &record, &reader));
    EXPECT_STATUS(STATUS_NOT_FOUND, /* a sequence beyond the block's records */
                  clfs_read(it->area, clfs_lsn_block(first) | 511, CLFS_FORWARD, &record, &reader));
    for (uint64_t inside = clfs_lsn_block(middle) + 512; inside < clfs_lsn_block(middle) + 2048;
         inside += 512) {
        NTSTATUS status = clfs_read(it->area, inside, CLFS_FORWARD, &record, &reader);
        EXPECT(status == STATUS_LOG_BLOCK_INVALID || status == STATUS_NOT_FOUND ||
               (status == STATUS_END_OF_FILE && inside >= last));
    }
    EXPECT(!reader); /* CLFS-READ-19 */
}

TEST(reading_starts_at_a_record_or_says_why_not) /* CLFS-READ-02 -07..15 */
{
    struct fixture it = begin(2);
    char large[3001];
    uint64_t first = appended(it.area, "first"), middle;

    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    memset(large, 'x', 3000);
    large[3000] = 0;
    middle = appended(it.area, large);
    appended(it.area, "end");
    starts_are_checked(&it, first, middle); /* in memory */
    EXPECT_OK(clfs_write_out(it.area));
    appended(it.area, "more");
    starts_are_checked(&it, first, middle); /* in the file */
    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    reopen(&it);
    starts_are_checked(&it, first, middle);
    end(&it);
}

TEST(no_record_is_found_in_what_was_cut_off) /* CLFS-DUR-19 CLFS-READ-15 */
{
    /* Blocks of an earlier epoch lie in the slack at the end of a full container; none of them may
     * be read by its old LSN, nor reading forward fall into them. */
    struct fixture it = begin(3);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint8_t *data = calloc(1, 60000);
    uint64_t stale[40], lsn;
    unsigned count = 0;

    EXPECT_OK(clfs_area_destroy(it.area));
    it.area = area_of(it.log, 64 << 10);
    while (clfs_lsn_container(info_of(it.log).last_lsn) == 0 ||
           clfs_lsn_offset(info_of(it.log).last_lsn) > CONTAINER - 130000) {
        struct bytes part = bytes_of(
            data, clfs_lsn_offset(info_of(it.log).last_lsn) > CONTAINER - 130000 ? 500 : 50000);
        EXPECT_OK(clfs_append(it.area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
        EXPECT_OK(clfs_write_out(it.area));
        if (part.size == 500 && clfs_lsn_container(lsn) == 0 && count < ARRAY_SIZE(stale))
            stale[count++] = lsn;
        if (clfs_lsn_container(lsn) == 1)
            break;
        if (part.size == 50000)
            EXPECT_OK(clfs_flush(it.area, 0, NULL));
    }
    EXPECT(count > 10);
    sys_sim_power_on(it.sim, SIM_KEEP_SUBSET, 77); /* some of them survive, a hole before them */
    (void)!clfs_area_destroy(it.area);
    (void)!clfs_log_close(it.log);
    it.log = log_with(it.process, "/log", 3);
    it.area = area_of(it.log, 64 << 10);
    lsn = info_of(it.log).last_lsn;
    while (clfs_lsn_container(lsn) == 0) { /* too large for the rest: it stays slack */
        struct bytes part = bytes_of(data, 60000);
        EXPECT_OK(clfs_append(it.area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
    }
    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    for (int round = 0; round < 2; round++) {
        unsigned seen = 0;
        struct clfs_info info = info_of(it.log);

        for (unsigned i = 0; i < count; i++) {
            NTSTATUS status = clfs_read(it.area, stale[i], CLFS_FORWARD, &record, &reader);
            if (status == STATUS_SUCCESS) {
                EXPECT(record.lsn < lsn); /* one that recovery had found */
                clfs_reader_destroy(reader);
                seen++;
            }
        }
        EXPECT(seen < count);
        EXPECT_OK(clfs_read(it.area, info.base_lsn, CLFS_FORWARD, &record, &reader));
        while (clfs_read_next(reader, CLFS_ANY, NULL, &record) == STATUS_SUCCESS)
            ;
        EXPECT_EQ(info.last_lsn - 1, record.lsn); /* reading forward came to the end */
        clfs_reader_destroy(reader);
        EXPECT_OK(clfs_area_destroy(it.area));
        EXPECT_OK(clfs_log_close(it.log));
        it.log = log_with(it.process, "/log", 3);
        it.area = area_of(it.log, 64 << 10);
    }
    free(data);
    end(&it);
}

/* ---- going on ---- */

TEST(forward_reading_sees_each_record_once_and_new_ones) /* CLFS-READ-23 -27 -28 -38 -44 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t lsn = appended(it.area, "0");
    char text[16];

    record = READ(&it, lsn, CLFS_FORWARD, reader);
    for (unsigned i = 1; i < 400; i++) {
        EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
        snprintf(text, sizeof(text), "%u", i);
        lsn = appended(it.area, text);
        if (i % 3 == 0)
            EXPECT_OK(clfs_flush(it.area, 0, NULL));
        if (i % 5 == 0)
            EXPECT_OK(clfs_write_out(it.area));
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record_is(&record, text) && record.lsn == lsn);
    }
    clfs_reader_destroy(reader);
    record = READ(&it, info_of(it.log).base_lsn, CLFS_FORWARD, reader);
    for (unsigned i = 1; i < 400; i++) {
        snprintf(text, sizeof(text), "%u", i);
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record_is(&record, text));
    }
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    end(&it);
}

TEST(chains_are_followed_and_end) /* CLFS-CHAIN-01 -02 -03 CLFS-READ-29 -30 -38 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a = linked(&it, "a", CLFS_LSN_NONE, CLFS_LSN_NONE);
    uint64_t b = linked(&it, "b", a, CLFS_LSN_NONE), c = linked(&it, "c", b, a);
    uint64_t d = linked(&it, "d", c, b);

    for (int round = 0; round < 2; round++) {
        record = READ(&it, d, CLFS_PREVIOUS, reader);
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record.lsn == c);
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record.lsn == a);
        EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
        clfs_reader_destroy(reader);

        record = READ(&it, d, CLFS_UNDO_NEXT, reader);
        EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
        EXPECT(record.lsn == b);
        EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
        clfs_reader_destroy(reader);
        reopen(&it);
    }
    EXPECT_OK(clfs_advance_base(it.area, b));
    record = READ(&it, c, CLFS_PREVIOUS, reader);
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record.lsn == b);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    end(&it);
}

TEST(links_that_lead_nowhere_cannot_loop) /* CLFS-CHAIN-07 -08 CLFS-READ-40 CLFS-HARD-37 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a = linked(&it, "a", CLFS_LSN_NONE, CLFS_LSN_NONE);
    uint64_t self = linked(&it, "self", a + 1, a + 1), up = linked(&it, "up", self + 10, 3);
    uint64_t middle = linked(&it, "middle", clfs_lsn_block(a) | 300, CLFS_LSN_NONE - 1);

    EXPECT_EQ(a + 1, self);
    record = READ(&it, self, CLFS_PREVIOUS, reader);
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    record = READ(&it, up, CLFS_PREVIOUS, reader);
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    record = READ(&it, up, CLFS_UNDO_NEXT, reader);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    record = READ(&it, middle, CLFS_PREVIOUS, reader);
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    record = READ(&it, middle, CLFS_UNDO_NEXT, reader);
    EXPECT_STATUS(STATUS_LOG_BLOCK_INVALID, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_flush(it.area, 0, NULL));
    middle = linked(&it, "later", clfs_lsn_block(a) | 300, CLFS_LSN_NONE);
    record = READ(&it, middle, CLFS_PREVIOUS, reader); /* below itself, and no record */
    EXPECT_STATUS(STATUS_NOT_FOUND, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT_STATUS(STATUS_NOT_FOUND, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    end(&it);
}

TEST(filters_select_by_type) /* CLFS-READ-25 -26 -27 -28 -32 CLFS-TYPE-02 CLFS-READ-04 -05 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a = appended(it.area, "a"), r = restarted(&it, "r", CLFS_LSN_NONE);
    uint64_t b = linked(&it, "b", r, a), s = restarted(&it, "s", CLFS_LSN_NONE);

    record = READ(&it, a, CLFS_FORWARD, reader);
    EXPECT_EQ(CLFS_DATA, record.type);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, 0, NULL, &record));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, 0xFC, NULL, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_RESTART, NULL, &record));
    EXPECT(record.lsn == r && record.type == CLFS_RESTART);
    EXPECT_OK(clfs_read_next(reader, CLFS_DATA, NULL, &record));
    EXPECT(record.lsn == b);
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_DATA, NULL, &record));
    EXPECT_OK(clfs_read_next(reader, 0x3F, NULL, &record)); /* OP-06 */
    EXPECT(record.lsn == s);
    clfs_reader_destroy(reader);

    record = READ(&it, b, CLFS_PREVIOUS, reader); /* over r, whose own link ends */
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_DATA, NULL, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_RESTART, NULL, &record));
    EXPECT(record.lsn == r);
    clfs_reader_destroy(reader);
    record = READ(&it, s, CLFS_PREVIOUS, reader); /* CLFS-READ-05 */
    EXPECT_EQ(r, record.previous);
    EXPECT_EQ(CLFS_LSN_NONE, record.undo_next); /* CLFS-CHAIN-05 */
    clfs_reader_destroy(reader);
    end(&it);
}

TEST(a_user_lsn_is_read_instead) /* CLFS-READ-33 -34 -35 -36 OP-12 OP-14 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t a = appended(it.area, "a"), b = appended(it.area, "b");
    uint64_t c = linked(&it, "c", b, a), d = linked(&it, "d", c, c);
    uint64_t r = restarted(&it, "r", CLFS_LSN_NONE), e = appended(it.area, "e"), last;

    record = READ(&it, b, CLFS_FORWARD, reader);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, CLFS_ANY, &b, &record));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, CLFS_ANY, &a, &record));
    last = CLFS_LSN_NONE;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, CLFS_ANY, &last, &record));
    last = info_of(it.log).last_lsn;
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, &last, &record));
    EXPECT_STATUS(STATUS_NOT_FOUND, clfs_read_next(reader, CLFS_DATA, &r, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, &d, &record));
    EXPECT(record_is(&record, "d"));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record)); /* goes on from there */
    EXPECT(record.lsn == r);
    clfs_reader_destroy(reader);

    record = READ(&it, d, CLFS_PREVIOUS, reader);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, CLFS_ANY, &e, &record));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, clfs_read_next(reader, CLFS_ANY, &d, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, &a, &record));
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);

    EXPECT_OK(clfs_read_restart(it.area, &record, &reader)); /* either side */
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, &a, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record.lsn == b);
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, &e, &record));
    clfs_reader_destroy(reader);
    end(&it);
}

TEST(a_base_that_overtakes_a_reader) /* CLFS-BASE-24 OP-16 */
{
    struct fixture it = begin(3);
    struct clfs_reader *forward, *back;
    struct clfs_record record;
    uint64_t lsns[60], at = 0;
    uint8_t data[4000] = {0};

    for (unsigned i = 0; i < ARRAY_SIZE(lsns); i++) {
        struct bytes part = bytes_of(data, i % 2 ? 3900 : 100);
        EXPECT_OK(clfs_append(it.area, &part, 1, i ? lsns[i - 1] : CLFS_LSN_NONE, CLFS_LSN_NONE, 0,
                              &lsns[i]));
    }
    record = READ(&it, lsns[2], CLFS_FORWARD, forward);
    record = READ(&it, lsns[6], CLFS_PREVIOUS, back);
    EXPECT_OK(clfs_advance_base(it.area, lsns[20]));
    EXPECT_OK(clfs_read_next(forward, CLFS_ANY, NULL, &record));
    EXPECT_EQ(lsns[20], record.lsn);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, clfs_read_next(back, CLFS_ANY, NULL, &record));
    /* A base that is no record's LSN is a bound all the same [CLFS-BASE-15]. */
    at = lsns[31] + 300;
    EXPECT(at < lsns[33]);
    EXPECT_OK(clfs_advance_base(it.area, at));
    EXPECT_OK(clfs_read_next(forward, CLFS_ANY, NULL, &record));
    EXPECT_EQ(lsns[32], record.lsn);
    clfs_reader_destroy(forward);
    clfs_reader_destroy(back);
    end(&it);
}

TEST(a_recycled_container_under_a_reader_is_no_damage) /* CLFS-BASE-21 -24 CLFS-READ-39 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t first = appended(it.area, "first"), lsn = 0;

    record = READ(&it, first, CLFS_FORWARD, reader);
    for (int round = 0; round < 5; round++) {
        (void)fill_log(it.area, 3900, &lsn);
        EXPECT_OK(clfs_advance_base(it.area, lsn));
    }
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT_EQ(lsn, record.lsn);
    EXPECT_STATUS(STATUS_END_OF_FILE, clfs_read_next(reader, CLFS_ANY, NULL, &record));
    clfs_reader_destroy(reader);
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG,
                  clfs_read(it.area, first, CLFS_FORWARD, &record, &reader));
    end(&it);
}

/* ---- contexts and areas ---- */

TEST(a_reader_outlives_its_area) /* CLFS-CONC-08 CLFS-CONC-09 CLFS-AREA-20 -21 */
{
    struct fixture it = begin(2);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t lsn = appended(it.area, "a");

    appended(it.area, "b");
    record = READ(&it, lsn, CLFS_FORWARD, reader);
    EXPECT_OK(clfs_log_close(it.log)); /* the area keeps it open */
    appended(it.area, "c");
    EXPECT_OK(clfs_area_destroy(it.area)); /* flushes; the reader keeps that */
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT_OK(clfs_read_next(reader, CLFS_ANY, NULL, &record));
    EXPECT(record_is(&record, "c"));
    clfs_reader_destroy(reader); /* and now all is closed */
    it.log = log_with(it.process, "/log", 2);
    it.area = area_of(it.log, BLOCK);
    EXPECT_EQ(record.lsn + 1, info_of(it.log).last_lsn);
    end(&it);
}

static unsigned allocations, releases;
static bool allocation_fails;

static void *
counting_allocate(void *context, size_t size)
{
    EXPECT_EQ((uintptr_t)&allocations, (uintptr_t)context);
    if (allocation_fails)
        return NULL;
    allocations++;
    return malloc(size);
}

static void
counting_release(void *context, void *memory)
{
    EXPECT_EQ((uintptr_t)&allocations, (uintptr_t)context);
    releases++;
    free(memory);
}

TEST(blocks_come_from_the_areas_allocator_and_go_back) /* CLFS-AREA-05 -06 -07 CLFS-APPEND-21 */
{
    static const struct clfs_area_options options = {.allocate = counting_allocate,
                                                     .release = counting_release,
                                                     .context = &allocations,
                                                     .blocks_max = 3};
    struct fixture it = begin(2);
    struct clfs_area *area = NULL;
    struct clfs_reader *reader;
    struct clfs_record record;
    uint8_t data[3000] = {0};
    struct bytes part = bytes_of(data, sizeof(data));
    uint64_t lsn, first = 0;

    EXPECT_OK(clfs_area_create_with(it.log, BLOCK, &options, &area));
    for (unsigned i = 0; i < 20; i++) {
        NTSTATUS status = clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn);

        if (status == STATUS_LOG_BLOCKS_EXHAUSTED) { /* CLFS-AREA-12: by writing some */
            EXPECT_EQ(0, i % 3);
            EXPECT_OK(clfs_write_out(area));
            EXPECT_OK(clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
        }
        first = first ? first : lsn;
    }
    EXPECT_EQ(3, allocations);
    appended(it.area, "in between");
    EXPECT_OK(clfs_read(area, first, CLFS_FORWARD, &record, &reader));
    EXPECT_EQ(4, allocations);
    allocation_fails = true;
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES,
                  clfs_read(area, first, CLFS_FORWARD, &record, &(struct clfs_reader *){NULL}));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_EQ(allocations, releases);

    EXPECT_OK(clfs_area_create_with(it.log, BLOCK, &options, &area));
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES,
                  clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
    allocation_fails = false;
    EXPECT_OK(clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn));
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_EQ(allocations, releases);
    end(&it);
}
