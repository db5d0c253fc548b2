/* SPDX-License-Identifier: MIT */
/*
 * What the simulation is for: the well-known way to replace a file, swept by power cuts. Done right
 * it never leaves a state that is wrong; with any of its syncs left out, the sweep finds one.
 */
#include "tests/sys/files.h"

#include "sys/fault.h"
#include "sys/sim.h"

enum left_out { NOTHING, FILE_SYNC, DIRECTORY_SYNC, STATUS_OF_SYNC };

enum { SIZE = 2048 };

/* Replaces "f" by a file full of 'b'; success means that it is durable. */
static NTSTATUS
replace(struct sys *sys, enum left_out left_out)
{
    owned(sys_file_close) struct sys_file *file = NULL;

    TRY(sys_file_open(sys, "new", RW | SYS_CREATE, &file));
    TRY(fill(file, 'b', SIZE, 0));
    if (left_out == STATUS_OF_SYNC) { /* tries again, and believes the answer */
        if (sys_file_sync(file) != STATUS_SUCCESS)
            TRY(sys_file_sync(file));
    } else if (left_out != FILE_SYNC) {
        TRY(sys_file_sync(file));
    }
    TRY(sys_rename(sys, "new", "f", true));
    if (left_out != DIRECTORY_SYNC)
        TRY(sys_directory_sync(sys, "/"));
    return STATUS_SUCCESS;
}

static struct sys_sim *
machine_with_file(uint64_t seed)
{
    struct sys_sim *sim = sys_sim_create(seed);
    struct sys *sys = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);

    EXPECT_OK(fill(file, 'a', SIZE, 0));
    EXPECT_OK(sys_file_sync(file));
    EXPECT_OK(sys_directory_sync(sys, "/"));
    return sim;
}

/* Whether what is left is one of the two files, and the new one if that was promised. */
static bool
is_right(struct sys_sim *sim, bool promised)
{
    struct sys_file *file = NULL;
    bool is_new, is_old;

    if (sys_file_open(sys_sim_process(sim), "f", RW, &file) != STATUS_SUCCESS)
        return false;
    is_new = strcmp(sectors(file, 9), "bbbb") == 0;
    is_old = strcmp(sectors(file, 9), "aaaa") == 0;
    sys_file_close(file);
    return is_new || (is_old && !promised);
}

/* Cuts at every operation in every way and looks at every kind of survival; counts wrong states. */
static unsigned
sweep(enum left_out left_out, uint64_t fail_sync)
{
    unsigned wrong = 0;

    for (uint64_t n = 1; n <= 6; n++)
        for (int how = SIM_CUT_BEFORE; how <= SIM_CUT_AFTER; how++) {
            owned(sys_sim_destroy) struct sys_sim *sim = machine_with_file(n);
            bool promised;

            sys_sim_cut_after(sim, n, how); /* 6: never, the power is cut when all is done */
            sys_sim_fail_sync(sim, NULL, fail_sync);
            promised = replace(sys_sim_process(sim), left_out) == STATUS_SUCCESS;
            for (uint64_t choice = 0; choice < 60; choice++) {
                owned(sys_sim_destroy) struct sys_sim *copy = sys_sim_copy(sim);
                sys_sim_power_on(copy, choice % 4, choice / 4);
                wrong += !is_right(copy, promised);
            }
        }
    return wrong;
}

TEST(done_right_it_leaves_the_old_or_the_new_file_whatever_happens)
{
    EXPECT_EQ(0, sweep(NOTHING, 0));
    EXPECT_EQ(0, sweep(NOTHING, 1));
}

TEST(each_sync_that_is_left_out_is_found)
{
    EXPECT(sweep(FILE_SYNC, 0) > 0);
    EXPECT(sweep(DIRECTORY_SYNC, 0) > 0);
}

TEST(to_believe_a_second_sync_is_found) /* CLFS-DUR-13 */
{
    EXPECT_EQ(0, sweep(STATUS_OF_SYNC, 0));
    EXPECT(sweep(STATUS_OF_SYNC, 1) > 0);
}

TEST(done_right_it_survives_every_failing_call_too)
{
    for (uint64_t n = 1;; n++) {
        struct sys_sim *sim = machine_with_file(n);
        struct sys_fault *fault = sys_fault_create(sys_sim_process(sim));
        bool promised, fired;

        sys_fault_plan(fault,
                       &(struct sys_fault_rule){
                           .calls = FAULT_ALL, .n = n, .status = STATUS_DISK_FULL, .partly = 700});
        promised = replace(sys_fault_sys(fault), NOTHING) == STATUS_SUCCESS;
        fired = sys_fault_has_fired(fault);
        EXPECT(promised == !fired);
        sys_sim_power_on(sim, n % 2 ? SIM_KEEP_ALL : SIM_KEEP_NOTHING, 0);
        EXPECT(is_right(sim, promised));
        sys_fault_destroy(fault);
        sys_sim_destroy(sim);
        if (!fired)
            break;
    }
}
