/* SPDX-License-Identifier: MIT */
/* What a power cut leaves of the contents of files: every way to lose, keep and tear them. */
#include "tests/sys/files.h"

#include "sys/sim.h"

/* A machine with one process and the file "f", open, its name stored. */
struct world {
    struct sys_sim *sim;
    struct sys *sys;
    struct sys_file *file;
};

static struct world
world_create(uint64_t seed)
{
    struct world world = {.sim = sys_sim_create(seed)};

    world.sys = sys_sim_process(world.sim);
    world.file = opened(world.sys, "f", NEW);
    EXPECT_OK(sys_directory_sync(world.sys, "/"));
    return world;
}

static void
world_destroy(struct world *world)
{
    sys_file_close(world->file);
    sys_sim_destroy(world->sim);
}

/* Cuts the power and opens the file again in what survived. */
static void
survive(struct world *world, enum sys_sim_keep keep, uint64_t choice)
{
    sys_sim_power_on(world->sim, keep, choice);
    sys_file_close(world->file);
    world->file = opened(world->sys, "f", RW);
}

TEST(unsynced_writes_may_be_lost_or_kept)
{
    static const struct {
        enum sys_sim_keep keep;
        const char *sectors;
    } rows[] = {{SIM_KEEP_NOTHING, "aaaa"}, {SIM_KEEP_ALL, "abbacc"}};

    EACH (row, rows) {
        struct world world = world_create(1);
        EXPECT_OK(fill(world.file, 'a', 2048, 0));
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_OK(fill(world.file, 'b', 1024, 512));
        EXPECT_OK(fill(world.file, 'c', 1024, 2048));
        EXPECT_TEXT("abbacc", sectors(world.file, 9));
        survive(&world, row->keep, 0);
        EXPECT_TEXT(row->sectors, sectors(world.file, 9));
        EXPECT_EQ(512 * strlen(row->sectors), size_of(world.file));
        survive(&world, SIM_KEEP_NOTHING, 0); /* what has survived once is stored */
        EXPECT_TEXT(row->sectors, sectors(world.file, 9));
        world_destroy(&world);
    }
}

TEST(a_sync_stores_content_and_size_of_its_file_only)
{
    struct world world = world_create(1);
    struct sys_file *other = opened(world.sys, "g", NEW);

    EXPECT_OK(sys_directory_sync(world.sys, "/"));
    EXPECT_OK(fill(world.file, 'a', 1000, 0));
    EXPECT_OK(fill(other, 'b', 1000, 0));
    EXPECT_OK(sys_file_sync(world.file));
    sys_file_close(other);
    survive(&world, SIM_KEEP_NOTHING, 0);
    EXPECT_EQ(1000, size_of(world.file));
    EXPECT_TEXT("aa", sectors(world.file, 9));
    other = opened(world.sys, "g", RW);
    EXPECT_EQ(0, size_of(other));
    sys_file_close(other);
    world_destroy(&world);
}

TEST(a_prefix_keeps_the_first_operations_whole_and_none_of_the_others)
{
    static const char *const kept[] = {"aaaa", "aaaab", "acccb", "acccbd", "acecbd", "acecbd"};

    for (uint64_t choice = 0; choice < 12; choice++) {
        struct world world = world_create(choice);
        EXPECT_OK(fill(world.file, 'a', 2048, 0));
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_EQ(0, sys_sim_pending(world.sim));
        EXPECT_OK(fill(world.file, 'b', 512, 2048));
        EXPECT_OK(fill(world.file, 'c', 1536, 512));
        EXPECT_OK(fill(world.file, 'd', 512, 2560));
        EXPECT_OK(fill(world.file, 'e', 512, 1024));
        EXPECT_EQ(4, sys_sim_pending(world.sim));
        survive(&world, SIM_KEEP_PREFIX, choice);
        EXPECT_TEXT(kept[choice % 5], sectors(world.file, 9));
        EXPECT_EQ(0, sys_sim_pending(world.sim));
        world_destroy(&world);
    }
}

TEST(a_subset_tears_and_reorders_in_every_way_there_is)
{
    /* Three sectors, each overwritten by two writes: each may hold any of three values. */
    bool seen[27] = {false};
    unsigned count = 0;

    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct world world = world_create(seed);
        unsigned outcome = 0;
        EXPECT_OK(fill(world.file, 'a', 1536, 0));
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_OK(fill(world.file, 'b', 1536, 0));
        EXPECT_OK(fill(world.file, 'c', 1536, 0));
        survive(&world, SIM_KEEP_SUBSET, seed);
        EXPECT_EQ(1536, size_of(world.file));
        for (const char *s = sectors(world.file, 3); *s; s++) {
            EXPECT(*s >= 'a' && *s <= 'c'); /* whole: never a mixture within a sector */
            outcome = 3 * outcome + (unsigned)(*s - 'a');
        }
        count += !seen[outcome];
        seen[outcome] = true;
        world_destroy(&world);
    }
    EXPECT_EQ(27, count);
}

TEST(a_size_may_survive_without_its_content_and_is_then_zeros)
{
    unsigned zeros = 0, whole = 0, none = 0, between = 0;

    for (uint64_t seed = 0; seed < 500; seed++) {
        struct world world = world_create(seed);
        uint64_t size;
        EXPECT_OK(fill(world.file, 'a', 1024, 0));
        survive(&world, SIM_KEEP_SUBSET, seed);
        size = size_of(world.file);
        EXPECT(size <= 1024);
        zeros += size == 1024 && strcmp(sectors(world.file, 3), "..") == 0;
        whole += size == 1024 && strcmp(sectors(world.file, 3), "aa") == 0;
        none += size == 0;
        between += size > 0 && size < 1024;
        world_destroy(&world);
    }
    EXPECT(zeros > 0 && whole > 0 && none > 0 && between > 0);
}

TEST(what_lay_behind_the_end_does_not_come_back)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world = world_create(seed);
        uint8_t byte;
        uint64_t size;
        EXPECT_OK(fill(world.file, 'a', 1500, 0));
        survive(&world, SIM_KEEP_SUBSET, seed);
        size = size_of(world.file);
        EXPECT_OK(put(world.file, "x", 3000)); /* a hole in between */
        for (uint64_t at = size; at < 3000; at++) {
            size_t got;
            EXPECT_OK(sys_file_read(world.file, &byte, 1, at, &got));
            EXPECT(got == 1 && byte == 0);
        }
        world_destroy(&world);
    }
}

TEST(writes_of_parts_of_a_sector_build_on_each_other)
{
    static const char *const kept[] = {"1111111111", "1122111111", "1122331111"};

    for (uint64_t choice = 0; choice < ARRAY_SIZE(kept); choice++) {
        struct world world = world_create(choice);
        EXPECT_OK(put(world.file, "1111111111", 508)); /* across two sectors */
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_OK(put(world.file, "22", 510));
        EXPECT_OK(put(world.file, "33", 512));
        survive(&world, SIM_KEEP_PREFIX, choice);
        EXPECT_TEXT(kept[choice], text_at(world.file, 508, 100));
        world_destroy(&world);
    }
}

/* ---- the power fails within a call ---- */

TEST(a_torn_write_leaves_any_of_its_sectors)
{
    bool seen[8] = {false};
    unsigned count = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world = world_create(seed);
        unsigned outcome = 0;
        EXPECT_OK(fill(world.file, 'a', 1536, 0));
        EXPECT_OK(sys_file_sync(world.file));
        sys_sim_cut_after(world.sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, fill(world.file, 'b', 1536, 0));
        survive(&world, SIM_KEEP_ALL, 0);
        for (const char *s = sectors(world.file, 3); *s; s++)
            outcome = 2 * outcome + (*s == 'b');
        count += !seen[outcome];
        seen[outcome] = true;
        world_destroy(&world);
    }
    EXPECT_EQ(8, count);
}

TEST(a_torn_sync_stores_any_of_the_sectors)
{
    bool seen[8] = {false};
    unsigned count = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world = world_create(seed);
        unsigned outcome = 0;
        EXPECT_OK(fill(world.file, 'a', 1536, 0));
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_OK(fill(world.file, 'b', 1536, 0));
        sys_sim_cut_after(world.sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
        survive(&world, SIM_KEEP_NOTHING, 0);
        for (const char *s = sectors(world.file, 3); *s; s++)
            outcome = 2 * outcome + (*s == 'b');
        count += !seen[outcome];
        seen[outcome] = true;
        world_destroy(&world);
    }
    EXPECT_EQ(8, count);
}

TEST(a_torn_allocation_stops_anywhere)
{
    bool some_between = false;

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world world = world_create(seed);
        uint64_t size;
        EXPECT_OK(fill(world.file, 'a', 100, 0));
        EXPECT_OK(sys_file_sync(world.file));
        sys_sim_cut_after(world.sim, 1, SIM_CUT_WITHIN);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_allocate(world.file, 5000));
        survive(&world, SIM_KEEP_ALL, 0);
        size = size_of(world.file);
        EXPECT(size >= 100 && size <= 5000);
        some_between |= size > 100 && size < 5000;
        world_destroy(&world);
    }
    EXPECT(some_between);
}

/* ---- syncs that lie ---- */

TEST(a_failed_sync_lies_afterwards_and_its_data_is_lost) /* CLFS-DUR-13 */
{
    static const enum sys_sim_keep keeps[] = {SIM_KEEP_NOTHING, SIM_KEEP_ALL, SIM_KEEP_PREFIX,
                                              SIM_KEEP_SUBSET};

    EACH (keep, keeps) {
        struct world world = world_create(7);
        EXPECT_OK(fill(world.file, 'a', 1536, 0));
        EXPECT_OK(sys_file_sync(world.file));
        EXPECT_OK(fill(world.file, 'b', 1024, 0));
        sys_sim_fail_sync(world.sim, "f", 1);
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
        EXPECT_TEXT("bba", sectors(world.file, 9)); /* reads still show it */
        EXPECT_OK(sys_file_sync(world.file));       /* and this is the lie */
        EXPECT_TEXT("bba", sectors(world.file, 9));
        survive(&world, *keep, 99);
        EXPECT_TEXT("aaa", sectors(world.file, 9));
        world_destroy(&world);
    }
}

TEST(what_is_written_again_after_the_failed_sync_is_stored)
{
    struct world world = world_create(7);

    EXPECT_OK(fill(world.file, 'a', 1536, 0));
    sys_sim_fail_sync(world.sim, NULL, 1);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
    EXPECT_OK(put(world.file, "aa", 600)); /* a part dirties the whole of its sector */
    EXPECT_OK(sys_file_sync(world.file));
    survive(&world, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT(".a.", sectors(world.file, 9));
    world_destroy(&world);
}

TEST(the_planned_sync_fails_and_no_other)
{
    struct world world = world_create(7);
    struct sys_file *other = opened(world.sys, "g", NEW);

    sys_sim_fail_sync(world.sim, "f", 2);
    EXPECT_OK(sys_file_sync(world.file));
    EXPECT_OK(sys_file_sync(other));
    EXPECT_OK(sys_file_sync(other));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
    EXPECT_OK(sys_file_sync(world.file));
    sys_sim_fail_sync(world.sim, "f", 1);
    sys_sim_fail_sync(world.sim, "f", 0);
    EXPECT_OK(sys_file_sync(world.file));
    sys_sim_fail_sync(world.sim, NULL, 3);
    EXPECT_OK(sys_file_sync(world.file));
    EXPECT_OK(sys_file_sync(other));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
    sys_file_close(other);
    world_destroy(&world);
}

TEST(each_opening_of_the_file_is_told_of_the_failure_once)
{
    struct world world = world_create(7);
    struct sys_file *other = opened(world.sys, "f", RW), *later;

    EXPECT_OK(fill(world.file, 'a', 512, 0));
    sys_sim_fail_sync(world.sim, "f", 1);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
    later = opened(world.sys, "f", RW);
    EXPECT_OK(sys_file_sync(world.file));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(other));
    EXPECT_OK(sys_file_sync(other));
    EXPECT_OK(sys_file_sync(later));
    sys_file_close(other);
    sys_file_close(later);
    world_destroy(&world);
}

/* ---- bad sectors ---- */

TEST(a_bad_sector_fails_the_reads_that_touch_it)
{
    struct world world = world_create(7);
    uint8_t data[2048];
    size_t got = 77;

    EXPECT_OK(fill(world.file, 'a', 2048, 0));
    sys_sim_set_bad(world.sim, "f", 600, 1, SYS_READ);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_read(world.file, data, 2048, 0, &got));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_read(world.file, data, 1, 1023, &got));
    EXPECT_EQ(77, got);
    EXPECT_OK(sys_file_read(world.file, data, 512, 0, &got));
    EXPECT_OK(sys_file_read(world.file, data, 1024, 1024, &got));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(world.file, "x", 700)); /* needs the rest of it */
    EXPECT_OK(fill(world.file, 'b', 512, 512));
    survive(&world, SIM_KEEP_ALL, 0);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_read(world.file, data, 1, 512, &got));
    sys_sim_set_bad(world.sim, "f", 600, 1, 0);
    EXPECT_TEXT("abaa", sectors(world.file, 9));
    world_destroy(&world);
}

TEST(a_sector_that_cannot_be_written_fails_the_sync_which_then_lies)
{
    struct world world = world_create(7);

    EXPECT_OK(fill(world.file, 'a', 1536, 0));
    EXPECT_OK(sys_file_sync(world.file));
    sys_sim_set_bad(world.sim, "f", 512, 512, SYS_WRITE);
    EXPECT_OK(fill(world.file, 'b', 1536, 0));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(world.file));
    EXPECT_OK(sys_file_sync(world.file));
    EXPECT_TEXT("bbb", sectors(world.file, 9));
    survive(&world, SIM_KEEP_ALL, 0);
    EXPECT_TEXT("bab", sectors(world.file, 9));
    world_destroy(&world);
}

/* ---- against an independent account ---- */

enum { SECTORS = 6, STEPS = 30 };

/* For each sector, the values it may have after a power cut: one bit for each letter. */
struct account {
    uint32_t possible[SECTORS];
    char now[SECTORS];
};

static uint32_t
bit_of(char letter)
{
    return letter == '.' ? 1 : 1u << (letter - 'a' + 1);
}

static void
account_write(struct account *account, char letter, size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        account->possible[i] |= bit_of(letter);
        account->now[i] = letter;
    }
}

static void
account_sync(struct account *account)
{
    for (size_t i = 0; i < SECTORS; i++)
        account->possible[i] = bit_of(account->now[i]);
}

TEST(every_sector_holds_a_value_it_was_given_since_its_last_sync)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world world = world_create(seed);
        struct account account = {.now = {'.', '.', '.', '.', '.', '.'}};
        unsigned random = (unsigned)seed;
        const char *s;

        EXPECT_OK(sys_file_allocate(world.file, SECTORS * 512));
        EXPECT_OK(sys_file_sync(world.file));
        account_sync(&account);
        for (int step = 0; step < STEPS; step++) {
            unsigned r = (random = random * 1103515245 + 12345) >> 8;
            char letter = (char)('a' + step % 26);
            size_t from = r % SECTORS, count = 1 + r / 8 % (SECTORS - from);
            if (r / 64 % 4 == 0) {
                EXPECT_OK(sys_file_sync(world.file));
                account_sync(&account);
            } else {
                EXPECT_OK(fill(world.file, letter, 512 * count, 512 * from));
                account_write(&account, letter, from, count);
            }
        }
        EXPECT_BYTES(account.now, sectors(world.file, SECTORS), SECTORS);
        survive(&world, seed % 3 ? SIM_KEEP_SUBSET : SIM_KEEP_PREFIX, seed);
        s = sectors(world.file, SECTORS);
        for (size_t i = 0; i < SECTORS; i++)
            EXPECT(bit_of(s[i]) & account.possible[i]);
        EXPECT_EQ(SECTORS * 512, size_of(world.file));
        world_destroy(&world);
    }
}
