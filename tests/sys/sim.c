/* SPDX-License-Identifier: MIT */
/* The simulated machine as programs see it: operations and where the power is cut in them,
 * processes and locks, counters and the trace. */
#include "tests/sys/files.h"

#include "sys/sim.h"
#include "sys/thread.h"
#include "tests/alloc.h"

/* One call of every kind that changes something, in an order in which each succeeds. */
enum { CALLS = 8 };

static NTSTATUS
call(struct sys *sys, struct sys_file *file, int which)
{
    struct sys_file *made = NULL;
    NTSTATUS status;

    switch (which) {
    case 0:
        return sys_directory_make(sys, "d");
    case 1:
        status = sys_file_open(sys, "d/a", NEW, &made);
        sys_file_close(made);
        return status;
    case 2:
        return sys_rename(sys, "d/a", "d/b", false);
    case 3:
        return sys_unlink(sys, "d/b");
    case 4:
        return sys_file_allocate(file, 4096);
    case 5:
        return fill(file, 'x', 1024, 512);
    case 6:
        return sys_file_sync(file);
    default:
        return sys_directory_sync(sys, "/");
    }
}

TEST(the_power_can_be_cut_at_every_operation)
{
    for (uint64_t n = 1; n <= CALLS; n++)
        for (int how = SIM_CUT_BEFORE; how <= SIM_CUT_AFTER; how++) {
            owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(n);
            struct sys *sys = sys_sim_process(sim);
            owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);

            sys_sim_cut_after(sim, n, how);
            for (uint64_t i = 1; i <= CALLS; i++) {
                bool succeeds = i < n || (i == n && how == SIM_CUT_AFTER);
                EXPECT(sys_sim_has_power(sim) == (i <= n));
                EXPECT_STATUS(succeeds ? STATUS_SUCCESS : STATUS_IO_DEVICE_ERROR,
                              call(sys, file, (int)i - 1));
            }
            EXPECT(!sys_sim_has_power(sim));
            EXPECT_EQ(1 + n, sys_sim_counts(sim, NULL).operations);
        }
}

TEST(an_operation_cut_before_it_happens_does_not_happen)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *file = opened(sys, "f", NEW);

    EXPECT_OK(fill(file, 'a', 512, 0));
    sys_sim_cut_after(sim, 1, SIM_CUT_BEFORE);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, fill(file, 'b', 512, 0));
    sys_file_close(file);
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    file = opened(sys, "f", RW);
    EXPECT_TEXT("a", sectors(file, 5));
    sys_sim_cut_after(sim, 1, SIM_CUT_AFTER);
    EXPECT_OK(fill(file, 'b', 512, 0));
    sys_file_close(file);
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    file = opened(sys, "f", RW);
    EXPECT_TEXT("b", sectors(file, 5));
    sys_file_close(file);
}

static void
ignore(void *context, const char *name)
{
    (void)context;
    (void)name;
}

TEST(without_power_everything_fails_and_after_it_only_what_is_opened_anew_works)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim), *late;
    struct sys_file *file = opened(sys, "f", NEW);
    struct sys_info info;
    uint8_t byte;
    size_t got;

    EXPECT_OK(sys_directory_sync(sys, "/"));
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            sys_sim_cut_after(sim, 1, SIM_CUT_BEFORE);
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(file));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, open_status(sys, "f", RW));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_rename(sys, "f", "g", true));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_unlink(sys, "f"));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_directory_make(sys, "d"));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_directory_sync(sys, "/"));
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_directory_list(sys, "/", ignore, NULL));
            late = sys_sim_process(sim);
            EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, open_status(late, "f", RW));
        } else {
            sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
            EXPECT_OK(open_status(sys, "f", RW));
        }
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_read(file, &byte, 1, 0, &got));
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(file, "x", 0));
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(file));
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_allocate(file, 10));
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_info(file, &info));
        EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_lock(file));
    }
    sys_file_close(file);
}

TEST(a_power_cut_out_of_the_blue_is_the_same)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", NEW);

    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(file));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status(sys, "f", RW));
}

/* ---- processes ---- */

TEST(processes_see_the_same_files_and_exclude_each_other_by_locks) /* CLFS-CONC-13 */
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *one = sys_sim_process(sim), *two = sys_sim_process(sim);
    struct sys_file *first = opened(one, "f", NEW), *second = opened(two, "f", RW);
    struct sys_file *reader = opened(two, "f", SYS_READ);

    EXPECT_OK(put(first, "hello", 0));
    EXPECT_TEXT("hello", text_at(second, 0, 10));
    EXPECT_OK(sys_file_lock(first));
    EXPECT_OK(sys_file_lock(first));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, sys_file_lock(second));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_file_lock(reader));
    EXPECT_OK(open_status(two, "f", RW)); /* another's close drops nothing */
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, sys_file_lock(second));
    EXPECT_OK(open_status(one, "f", SYS_READ)); /* any close of one's own does */
    EXPECT_OK(sys_file_lock(second));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, sys_file_lock(first));
    sys_file_close(second);
    EXPECT_OK(sys_file_lock(first));
    sys_file_close(first);
    sys_file_close(reader);
}

TEST(a_process_that_dies_loses_its_locks_and_files_and_nothing_it_wrote)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *one = sys_sim_process(sim), *two = sys_sim_process(sim);
    struct sys_file *first = opened(one, "f", NEW), *second = opened(two, "f", RW);

    EXPECT_OK(put(first, "written", 0));
    EXPECT_OK(sys_file_lock(first));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, sys_file_lock(second));
    sys_sim_crash(one);
    EXPECT_OK(sys_file_lock(second));
    EXPECT_TEXT("written", text_at(second, 0, 10));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(first, "x", 0));
    sys_file_close(first); /* late, and must not harm the new process */
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, sys_file_lock(first = opened(one, "f", RW)));
    EXPECT_EQ(2, sys_sim_pending(sim)); /* it is still only seen, not stored */
    sys_file_close(first);
    sys_file_close(second);
}

TEST(a_power_cut_drops_all_locks)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *one = sys_sim_process(sim), *two = sys_sim_process(sim);
    owned(sys_file_close) struct sys_file *first = opened(one, "f", NEW);
    owned(sys_file_close) struct sys_file *second = NULL;

    EXPECT_OK(sys_file_lock(first));
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    second = opened(two, "f", RW);
    EXPECT_OK(sys_file_lock(second));
}

TEST(only_opening_can_fail_for_want_of_memory)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *file = NULL;

    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, sys_file_open(sys, "f", NEW, &file));
    EXPECT(alloc_fail_stop());
    file = opened(sys, "f", NEW);
    alloc_fail_from(1);
    for (int i = 0; i < CALLS; i++)
        if (i != 1 && i != 2 && i != 3 && i != 5) /* those open, or allocate in the test */
            EXPECT_OK(call(sys, file, i));
    EXPECT_OK(put(file, "text", 0));
    EXPECT(!alloc_fail_stop());
    sys_file_close(file);
}

static void
write_and_sync(void *context)
{
    struct sys *sys = context;
    owned(sys_file_close) struct sys_file *file = opened(sys, "f", RW);

    for (int i = 0; i < 500; i++) {
        EXPECT_OK(put(file, "text", (uint64_t)i * 100));
        EXPECT_OK(sys_file_sync(file));
    }
}

TEST(threads_may_use_it)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_thread *threads[3];

    EXPECT_OK(open_status(sys, "f", NEW));
    EACH (thread, threads)
        EXPECT_OK(sys_thread_start("writer", write_and_sync, sys, thread));
    EACH (thread, threads)
        sys_thread_join(*thread);
    EXPECT_EQ(1500, sys_sim_counts(sim, "f").syncs);
}

/* ---- counters and the trace ---- */

TEST(calls_are_counted_for_each_file_and_for_the_machine)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *f = opened(sys, "f", NEW), *g = opened(sys, "g", NEW);
    struct sys_sim_counts counts;
    struct bytes parts[] = {bytes_of("ab", 2), bytes_of("cde", 3)};

    EXPECT_OK(sys_file_write(f, parts, 2, 0));
    EXPECT_OK(put(g, "x", 0));
    EXPECT_OK(sys_file_sync(f));
    EXPECT_OK(sys_file_sync(f));
    EXPECT_OK(sys_file_sync(g));
    EXPECT_OK(sys_file_allocate(g, 100));
    (void)text_at(f, 0, 3);
    for (int i = 0; i < 4; i++)
        EXPECT_OK(call(sys, f, i));
    EXPECT_OK(sys_directory_sync(sys, "d"));

    counts = sys_sim_counts(sim, "f");
    EXPECT_EQ(2, counts.syncs);
    EXPECT_EQ(1, counts.writes);
    EXPECT_EQ(5, counts.bytes_written);
    EXPECT_EQ(1, counts.reads);
    EXPECT_EQ(3, counts.operations);
    EXPECT_EQ(1, sys_sim_counts(sim, "g").allocates);
    counts = sys_sim_counts(sim, NULL);
    EXPECT_EQ(3, counts.syncs);
    EXPECT_EQ(2, counts.writes);
    EXPECT_EQ(6, counts.bytes_written);
    EXPECT_EQ(3, counts.creates);
    EXPECT_EQ(1, counts.renames);
    EXPECT_EQ(1, counts.unlinks);
    EXPECT_EQ(1, counts.directories);
    EXPECT_EQ(1, counts.directory_syncs);
    EXPECT_EQ(1, counts.allocates);
    EXPECT_EQ(13, counts.operations);
    EXPECT_EQ(0, sys_sim_counts(sim, "nothing").operations);
    sys_file_close(f);
    sys_file_close(g);
}

static void
traced_program(struct sys_sim *sim, FILE *to)
{
    struct sys *sys = sys_sim_process(sim);
    struct sys_file *file = opened(sys, "f", NEW);

    sys_sim_trace(sim, to);
    for (int i = 0; i < CALLS; i++)
        EXPECT_OK(call(sys, file, i));
    EXPECT_OK(sys_file_lock(file));
    EXPECT_TEXT("x", text_at(file, 512, 1));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_unlink(sys, "nothing"));
    sys_sim_cut_after(sim, 2, SIM_CUT_WITHIN);
    EXPECT_OK(put(file, "x", 5));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(file, "x", 5));
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(file, "x", 5));
    sys_sim_power_on(sim, SIM_KEEP_SUBSET, 17);
    sys_sim_trace(sim, NULL);
    sys_file_close(file);
}

TEST(the_trace_tells_what_happened)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    traced_program(sim, to);
    EXPECT_OK(open_status(sys_sim_process(sim), "untraced", NEW));
    fclose(to);
    EXPECT_TEXT("2 directory d: SUCCESS\n"
                "3 create d/a: SUCCESS\n"
                "4 rename d/a d/b: SUCCESS\n"
                "5 unlink d/b: SUCCESS\n"
                "6 allocate f 4096: SUCCESS\n"
                "7 write f 512+1024: SUCCESS\n"
                "8 sync f: SUCCESS\n"
                "9 directory_sync /: SUCCESS\n"
                "lock f: SUCCESS\n"
                "read f 512+1: SUCCESS\n"
                "10 unlink nothing: OBJECT_NAME_NOT_FOUND\n"
                "11 write f 5+1: SUCCESS\n"
                "12 write f 5+1: IO_DEVICE_ERROR, power cut within\n"
                "- power on, keep subset 17\n",
                text);
    free(text);
}
