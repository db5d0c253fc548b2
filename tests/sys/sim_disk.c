/* SPDX-License-Identifier: MIT */
/* The simulated disk as a whole: its capacity, copies of it, and that it forgets what is gone. */
#include "tests/sys/files.h"

#include "sys/sim_machine.h"

TEST(a_full_disk_takes_what_fits)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *f = opened(sys, "f", NEW), *g = opened(sys, "g", NEW);

    sys_sim_set_capacity(sim, 4 * 512);
    EXPECT_OK(fill(f, 'a', 700, 0));
    EXPECT_EQ(1024, sys_sim_used(sim));
    EXPECT_OK(fill(f, 'b', 1024, 0)); /* the same two sectors */
    EXPECT_STATUS(STATUS_DISK_FULL, fill(g, 'c', 1600, 0));
    EXPECT_EQ(1024, size_of(g));
    EXPECT_TEXT("cc", sectors(g, 9));
    EXPECT_EQ(2048, sys_sim_used(sim));
    EXPECT_STATUS(STATUS_DISK_FULL, put(f, "x", 1024));
    EXPECT_EQ(1024, size_of(f));
    EXPECT_OK(put(f, "x", 1023));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_allocate(f, 1025));
    sys_file_close(f);
    sys_file_close(g);
}

TEST(an_allocation_reserves_and_a_hole_does_not)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *f = opened(sys, "f", NEW), *g = opened(sys, "g", NEW);

    sys_sim_set_capacity(sim, 8 * 512);
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_allocate(f, 9 * 512));
    EXPECT_EQ(8 * 512, size_of(f));
    EXPECT_STATUS(STATUS_DISK_FULL, put(g, "x", 0));
    EXPECT_OK(fill(f, 'a', 8 * 512, 0)); /* what was allocated can be written */
    sys_file_close(f);
    EXPECT_OK(sys_unlink(sys, "f"));
    EXPECT_EQ(0, sys_sim_used(sim));
    EXPECT_OK(put(g, "x", 100 * 512));
    EXPECT_EQ(512, sys_sim_used(sim));
    EXPECT_EQ(100 * 512 + 1, size_of(g));
    sys_file_close(g);
}

TEST(a_file_has_a_largest_size)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);

    EXPECT_STATUS(STATUS_DISK_FULL, put(file, "x", SIM_FILE_MAX));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_allocate(file, SIM_FILE_MAX + 1));
    EXPECT_EQ(0, size_of(file));
}

TEST(space_comes_back_when_nobody_can_reach_the_file)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *f = opened(sys, "f", NEW);

    EXPECT_OK(fill(f, 'a', 512, 0));
    EXPECT_OK(sys_file_sync(f));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    EXPECT_OK(sys_unlink(sys, "f"));
    EXPECT_EQ(512, sys_sim_used(sim)); /* it is open */
    sys_file_close(f);
    EXPECT_EQ(0, sys_sim_used(sim));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0); /* the unlink is undone */
    EXPECT_EQ(512, sys_sim_used(sim));
    EXPECT_TEXT("a", sectors(f = opened(sys, "f", RW), 5));
    make(sys, "g", "2");
    EXPECT_OK(sys_rename(sys, "g", "f", true));
    EXPECT_EQ(1024, sys_sim_used(sim));
    sys_file_close(f);
    EXPECT_EQ(512, sys_sim_used(sim));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_EQ(512, sys_sim_used(sim));
    EXPECT_OK(sys_unlink(sys, "f"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_EQ(0, sys_sim_used(sim));
}

TEST(a_copy_is_a_disk_of_its_own_with_the_same_unsynced_writes)
{
    struct sys_sim *sim = sys_sim_create(1), *copies[3];
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *file = opened(sys, "f", NEW);
    static const char *const left[] = {"", "a", "ab"};

    EXPECT_OK(sys_directory_make(sys, "d"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    make(sys, "d/x", "unsynced name");
    EXPECT_OK(fill(file, 'a', 512, 0));
    EXPECT_OK(fill(file, 'b', 512, 512));
    EXPECT_OK(sys_file_lock(file));
    sys_sim_advance(sim, 12345);
    EACH (copy, copies)
        *copy = sys_sim_copy(sim);
    EXPECT_OK(fill(file, 'z', 1024, 0)); /* the copies must not see this */
    EXPECT_OK(sys_unlink(sys, "d/x"));
    sys_file_close(file);
    EXPECT_OK(sys_unlink(sys, "f"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    sys_sim_destroy(sim);

    for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
        sys = sys_sim_process(copies[i]);
        EXPECT_EQ(4, sys_sim_pending(copies[i])); /* x: a name and content; f: two writes */
        EXPECT_TEXT("unsynced name", content(sys, "d/x"));
        file = opened(sys, "f", RW);
        EXPECT_TEXT("ab", sectors(file, 9));
        EXPECT_OK(sys_file_lock(file)); /* nobody has it locked here */
        sys_file_close(file);
        sys_sim_power_on(copies[i], SIM_KEEP_PREFIX, i == 0 ? 0 : i + 2);
        file = opened(sys, "f", RW);
        EXPECT_TEXT(left[i], sectors(file, 9));
        sys_file_close(file);
        EXPECT_STATUS(i == 0 ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS,
                      open_status(sys, "d/x", RW));
        sys_sim_destroy(copies[i]);
    }
}

TEST(a_copy_goes_the_same_way_as_its_original)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct sys_sim *sims[2] = {sys_sim_create(seed)};
        struct sys_file *file = opened(sys_sim_process(sims[0]), "f", NEW);
        char left[2][32];

        EXPECT_OK(sys_directory_sync(sys_sim_process(sims[0]), "/"));
        EXPECT_OK(fill(file, 'a', 8 * 512, 0));
        sys_file_close(file);
        sims[1] = sys_sim_copy(sims[0]);
        for (int i = 0; i < 2; i++) {
            struct sys *sys = sys_sim_process(sims[i]);
            file = opened(sys, "f", RW);
            sys_sim_cut_after(sims[i], 1, SIM_CUT_WITHIN);
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, fill(file, 'b', 8 * 512, 512));
            sys_file_close(file);
            sys_sim_power_on(sims[i], SIM_KEEP_SUBSET, seed);
            file = opened(sys, "f", RW);
            strcpy(left[i], sectors(file, 12));
            sys_file_close(file);
        }
        EXPECT_TEXT(left[0], left[1]);
        sys_sim_destroy(sims[0]);
        sys_sim_destroy(sims[1]);
    }
}

TEST(files_that_are_gone_are_forgotten)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);

    for (int i = 0; i < 2000; i++) {
        make(sys, "new", "content");
        EXPECT_OK(sys_rename(sys, "new", "f", true));
        if (i % 3 == 0)
            EXPECT_OK(sys_directory_sync(sys, "/"));
    }
    EXPECT(sim->disk.node_count < 300);
    EXPECT_TEXT("content", content(sys, "f"));
    EXPECT_EQ(512, sys_sim_used(sim));
}

TEST(what_is_open_stored_or_changing_is_not_forgotten)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *file = opened(sys, "open", NEW);

    EXPECT_OK(put(file, "open", 0));
    EXPECT_OK(sys_directory_make(sys, "d"));
    make(sys, "d/stored", "1");
    EXPECT_OK(sys_directory_sync(sys, "d"));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    EXPECT_OK(sys_unlink(sys, "open"));
    EXPECT_OK(sys_unlink(sys, "d/stored"));
    EXPECT_OK(sys_directory_make(sys, "e"));
    for (int i = 0; i < 500; i++) { /* enough for several sweeps */
        make(sys, "e/new", "content");
        EXPECT_OK(sys_unlink(sys, "e/new"));
        EXPECT_OK(sys_directory_sync(sys, "e"));
    }
    EXPECT_TEXT("open", text_at(file, 0, 10));
    sys_file_close(file);
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_OK(open_status(sys, "open", RW));
    EXPECT_OK(open_status(sys, "d/stored", RW));
}
