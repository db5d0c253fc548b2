/* SPDX-License-Identifier: MIT */
/* What tests do to the simulated machine besides cutting its power: time, chance, tampering. */
#include "tests/sys/files.h"

#include "sys/sim.h"

TEST(time_stands_still_until_it_is_advanced)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    uint64_t monotonic = sys_time_monotonic(sys);
    int64_t wall = sys_time_wall(sys);

    EXPECT(monotonic > 0 && wall > 0);
    EXPECT_OK(open_status(sys, "f", NEW));
    EXPECT_EQ(monotonic, sys_time_monotonic(sys));
    EXPECT_EQ(wall, sys_time_wall(sys));
    for (int i = 0; i < 4; i++)
        sys_sim_advance(sim, 75); /* ticks of the wall clock are 100 ns; no rest is lost */
    EXPECT_EQ(monotonic + 300, sys_time_monotonic(sys));
    EXPECT_EQ(wall + 3, sys_time_wall(sys));
}

TEST(a_boot_starts_the_monotonic_clock_anew_but_not_the_wall_clock)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    uint64_t monotonic = sys_time_monotonic(sys);
    int64_t wall = sys_time_wall(sys);

    sys_sim_advance(sim, 1000000);
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    EXPECT_EQ(monotonic, sys_time_monotonic(sys));
    EXPECT_EQ(wall + 10000, sys_time_wall(sys));
}

TEST(files_are_stamped_with_the_wall_clock)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);
    owned(sys_file_close) struct sys_file *other = opened(sys, "g", NEW);
    int64_t wall = sys_time_wall(sys);
    struct sys_info info, other_info;

    sys_sim_advance(sim, 1000);
    EXPECT_OK(put(file, "x", 0));
    sys_sim_advance(sim, 1000);
    (void)text_at(file, 0, 1);
    EXPECT_OK(sys_file_info(file, &info));
    EXPECT_OK(sys_file_info(other, &other_info));
    EXPECT_EQ(wall, info.created);
    EXPECT_EQ(wall + 10, info.written);
    EXPECT_EQ(wall + 20, info.accessed);
    EXPECT_EQ(info.device, other_info.device);
    EXPECT(info.inode != other_info.inode);
    EXPECT_EQ(0600, info.mode);
}

TEST(the_same_seed_draws_the_same_numbers_and_another_does_not)
{
    uint8_t draws[3][33] = {{0}};

    for (uint64_t i = 0; i < 3; i++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(i / 2);
        struct sys *sys = sys_sim_process(sim);
        sys_random(sys, draws[i], 13);
        sys_random(sys, draws[i] + 13, 19);
        EXPECT_EQ(0, draws[i][32]);
    }
    EXPECT_BYTES(draws[0], draws[1], 32);
    EXPECT(memcmp(draws[0], draws[2], 32) != 0);
    EXPECT(memcmp(draws[0], draws[0] + 16, 16) != 0);
}

TEST(a_dump_shows_what_is_stored_and_not_what_is_seen)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);
    uint8_t *data;
    size_t size;

    EXPECT_OK(put(file, "stored", 510));
    EXPECT_OK(sys_file_sync(file));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_sim_dump(sim, "f", (void **)&data, &size));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    EXPECT_OK(put(file, "only seen", 512));
    EXPECT_OK(sys_rename(sys, "f", "g", true));
    EXPECT_OK(sys_sim_dump(sim, "f", (void **)&data, &size));
    EXPECT_EQ(516, size);
    EXPECT_BYTES("\0\0stored", data + 508, 8);
    free(data);
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_sim_dump(sim, "g", (void **)&data, &size));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, sys_sim_dump(sim, "/", (void **)&data, &size));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_sim_dump(sim, "x/f", (void **)&data, &size));
}

TEST(what_is_loaded_is_stored_at_once_and_nothing_else_is)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    uint8_t *data;
    size_t size;

    EXPECT_OK(sys_directory_make(sys, "d"));
    make(sys, "d/new", "unsynced");
    make(sys, "d/f", "old content, longer than the new one");
    sys_sim_set_capacity(sim, 1024);
    EXPECT_OK(sys_sim_load(sim, "d/f", "damaged", 7));
    EXPECT_OK(sys_sim_load(sim, "d/empty", NULL, 0));
    EXPECT_TEXT("damaged", content(sys, "d/f"));
    EXPECT_OK(sys_sim_dump(sim, "d/f", (void **)&data, &size));
    EXPECT_EQ(7, size);
    EXPECT_BYTES("damaged", data, size);
    free(data);
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_TEXT("damaged", content(sys, "d/f"));
    EXPECT_TEXT("", content(sys, "d/empty"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status(sys, "d/new", RW));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_sim_load(sim, "x/f", "1", 1));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, sys_sim_load(sim, "d", "1", 1));
    EXPECT_EQ(3, sys_sim_counts(sim, NULL).creates + sys_sim_counts(sim, NULL).directories);
}

TEST(a_plan_to_cut_can_be_withdrawn_and_ends_with_the_boot)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    sys_sim_cut_after(sim, 1, SIM_CUT_BEFORE);
    sys_sim_cut_after(sim, 0, SIM_CUT_BEFORE);
    EXPECT_OK(sys_directory_make(sys, "a"));
    sys_sim_cut_after(sim, 1, SIM_CUT_BEFORE);
    sys_sim_fail_sync(sim, NULL, 1);
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    make(sys, "b", "2");
    {
        owned(sys_file_close) struct sys_file *file = opened(sys, "b", RW);
        EXPECT_OK(sys_file_sync(file));
    }
    EXPECT(sys_sim_has_power(sim));
}
