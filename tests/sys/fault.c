/* SPDX-License-Identifier: MIT */
/* The layer that makes chosen calls fail. */
#include "tests/sys/files.h"

#include "sys/fault.h"
#include "sys/sim.h"
#include "tests/alloc.h"

/* A simulated machine under a layer of faults. */
struct world {
    struct sys_sim *sim;
    struct sys *under;
    struct sys_fault *fault;
    struct sys *sys;
};

static struct world
world_create(void)
{
    struct world world = {.sim = sys_sim_create(1)};

    world.under = sys_sim_process(world.sim);
    world.fault = sys_fault_create(world.under);
    world.sys = sys_fault_sys(world.fault);
    return world;
}

static void
world_destroy(struct world *world)
{
    sys_fault_destroy(world->fault);
    sys_sim_destroy(world->sim);
}

static void
plan(struct world *world, struct sys_fault_rule rule)
{
    sys_fault_plan(world->fault, &rule);
}

static void
ignore(void *context, const char *name)
{
    (void)context;
    (void)name;
}

enum { KINDS = 12 };

/* One call of each kind, in the order of the kinds; 'file' may be NULL for those that need none. */
static NTSTATUS
call(struct sys *sys, struct sys_file *file, int kind)
{
    struct sys_info info;
    uint8_t byte;
    size_t got;

    switch (1 << kind) {
    case FAULT_OPEN:
        return open_status(sys, "f", RW);
    case FAULT_READ:
        return sys_file_read(file, &byte, 1, 0, &got);
    case FAULT_WRITE:
        return put(file, "text", 0);
    case FAULT_SYNC:
        return sys_file_sync(file);
    case FAULT_ALLOCATE:
        return sys_file_allocate(file, size_of(file) + 10);
    case FAULT_INFO:
        return sys_file_info(file, &info);
    case FAULT_LOCK:
        return sys_file_lock(file);
    case FAULT_RENAME:
        return sys_rename(sys, "f", "f", true);
    case FAULT_UNLINK:
        return sys_unlink(sys, "nothing") == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS
                                                                          : STATUS_DISK_FULL;
    case FAULT_DIRECTORY_MAKE:
        return sys_directory_make(sys, "/") == STATUS_OBJECT_NAME_COLLISION ? STATUS_SUCCESS
                                                                            : STATUS_DISK_FULL;
    case FAULT_DIRECTORY_SYNC:
        return sys_directory_sync(sys, "/");
    default:
        return sys_directory_list(sys, "/", ignore, NULL);
    }
}

TEST(without_a_rule_everything_passes_and_is_counted)
{
    struct world world = world_create();
    struct sys_file *file = opened(world.sys, "f", NEW);
    uint8_t random[16] = {0};

    EXPECT_EQ(1, sys_fault_calls(world.fault, FAULT_ALL));
    for (int kind = 0; kind < KINDS; kind++) {
        uint64_t before = sys_fault_calls(world.fault, 1u << kind);
        EXPECT_OK(call(world.sys, file, kind));
        EXPECT_EQ(before + 1, sys_fault_calls(world.fault, 1u << kind));
    }
    EXPECT_EQ(1 + KINDS + 1, sys_fault_calls(world.fault, FAULT_ALL)); /* allocating asks first */
    EXPECT(!sys_fault_has_fired(world.fault));
    EXPECT_EQ(sys_time_wall(world.under), sys_time_wall(world.sys));
    EXPECT_EQ(sys_time_monotonic(world.under), sys_time_monotonic(world.sys));
    sys_random(world.sys, random, sizeof(random));
    EXPECT(random[0] | random[1] | random[2] | random[3]);
    sys_file_close(file);
    world_destroy(&world);
}

TEST(the_nth_call_of_a_kind_fails_once_or_from_then_on)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int lasting = 0; lasting < 2; lasting++) {
            struct world world = world_create();
            struct sys_file *file = opened(world.sys, "f", NEW);

            plan(&world, (struct sys_fault_rule){.calls = 1u << kind,
                                                 .n = 3,
                                                 .status = STATUS_DISK_FULL,
                                                 .is_lasting = lasting});
            for (int i = 1; i <= 5; i++) {
                bool fails = lasting ? i >= 3 : i == 3;
                EXPECT(sys_fault_has_fired(world.fault) == (i > 3));
                EXPECT_STATUS(fails ? STATUS_DISK_FULL : STATUS_SUCCESS,
                              call(world.sys, file, kind));
            }
            EXPECT(sys_fault_has_fired(world.fault));
            sys_fault_plan(world.fault, NULL);
            EXPECT_OK(call(world.sys, file, kind));
            EXPECT(!sys_fault_has_fired(world.fault));
            sys_file_close(file);
            world_destroy(&world);
        }
}

TEST(a_sweep_over_all_calls_hits_each_once)
{
    uint64_t n = 1;

    for (bool fired = true; fired; n++) {
        struct world world = world_create();
        struct sys_file *file = NULL;
        int failures = 0;

        plan(&world,
             (struct sys_fault_rule){.calls = FAULT_ALL, .n = n, .status = STATUS_IO_DEVICE_ERROR});
        failures += sys_file_open(world.sys, "f", NEW, &file) != STATUS_SUCCESS;
        if (file) {
            failures += put(file, "x", 0) != STATUS_SUCCESS;
            failures += sys_file_sync(file) != STATUS_SUCCESS;
        }
        failures += sys_directory_sync(world.sys, "/") != STATUS_SUCCESS;
        fired = sys_fault_has_fired(world.fault);
        EXPECT_EQ(fired, failures);
        sys_file_close(file);
        world_destroy(&world);
    }
    EXPECT_EQ(6, n); /* four calls, and a run in which none was the fifth */
}

TEST(a_failing_call_has_no_effect_unless_it_shall)
{
    for (int happens = 0; happens < 2; happens++) {
        struct world world = world_create();
        struct sys_fault_rule rule = {
            .calls = FAULT_ALL, .n = 1, .status = STATUS_ACCESS_DENIED, .happens = happens};
        NTSTATUS there = happens ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
        struct sys_file *file;

        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, open_status(world.sys, "f", NEW));
        EXPECT_STATUS(there, open_status(world.under, "f", RW));
        file = opened(world.sys, "f", RW | SYS_CREATE);
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, put(file, "text", 0));
        EXPECT_TEXT(happens ? "text" : "", content(world.under, "f"));
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_file_allocate(file, 100));
        EXPECT_EQ(happens ? 100 : 0, size_of(file));
        EXPECT_OK(put(file, "text", 0));
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_file_sync(file));
        EXPECT_EQ(happens, sys_sim_counts(world.sim, "f").syncs);
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_rename(world.sys, "f", "g", true));
        EXPECT_STATUS(there, open_status(world.under, "g", RW));
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_unlink(world.sys, happens ? "g" : "f"));
        EXPECT_EQ(happens, sys_sim_counts(world.sim, NULL).unlinks);
        plan(&world, rule);
        EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_directory_make(world.sys, "d"));
        EXPECT_STATUS(happens ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND,
                      sys_directory_sync(world.under, "d"));
        sys_file_close(file);
        world_destroy(&world);
    }
}

TEST(a_transfer_can_be_done_partly_before_it_fails)
{
    struct world world = world_create();
    struct sys_file *file = opened(world.sys, "f", NEW);
    struct bytes parts[] = {bytes_of("abc", 3), bytes_of("", 0), bytes_of("defg", 4)};
    static const char *const left[] = {"", "a", "abc", "abcde", "abcdefg", "abcdefg"};
    static const uint64_t partly[] = {0, 1, 3, 5, 7, 99};
    uint8_t into[8] = "1234567";
    size_t got = 77;

    for (size_t i = 0; i < ARRAY_SIZE(partly); i++) {
        plan(&world,
             (struct sys_fault_rule){
                 .calls = FAULT_WRITE, .n = 1, .status = STATUS_DISK_FULL, .partly = partly[i]});
        EXPECT_STATUS(STATUS_DISK_FULL, sys_file_write(file, parts, 3, 100 * i));
        EXPECT_TEXT(left[i], text_at(file, 100 * i, 10));
    }
    plan(&world, (struct sys_fault_rule){
                     .calls = FAULT_READ, .n = 1, .status = STATUS_IO_DEVICE_ERROR, .partly = 2});
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_read(file, into, 7, 400, &got));
    EXPECT_TEXT("ab34567", (char *)into);
    EXPECT_EQ(77, got);
    plan(&world, (struct sys_fault_rule){
                     .calls = FAULT_ALLOCATE, .n = 1, .status = STATUS_DISK_FULL, .partly = 50});
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_allocate(file, 1000));
    EXPECT_EQ(507 + 50, size_of(file));
    sys_file_close(file);
    world_destroy(&world);
}

TEST(a_rule_can_be_for_one_file_only)
{
    struct world world = world_create();
    struct sys_file *f = opened(world.sys, "f.log", NEW), *g = opened(world.sys, "g", NEW);

    plan(&world, (struct sys_fault_rule){.calls = FAULT_SYNC | FAULT_RENAME | FAULT_DIRECTORY_SYNC,
                                         .name = ".log",
                                         .n = 2,
                                         .status = STATUS_DISK_FULL,
                                         .is_lasting = true});
    EXPECT_OK(sys_file_sync(g));
    EXPECT_OK(sys_file_sync(g));
    EXPECT_OK(sys_file_sync(f));
    EXPECT_OK(sys_file_sync(g));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_sync(f));
    EXPECT_OK(sys_file_sync(g));
    EXPECT_OK(sys_directory_sync(world.sys, "/"));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_rename(world.sys, "g", "h.log", true));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_rename(world.sys, "f.log", "h", true));
    EXPECT_OK(sys_rename(world.sys, "g", "h", true));
    sys_file_close(f);
    sys_file_close(g);
    world_destroy(&world);
}

TEST(want_of_memory_is_an_answer_here_too)
{
    struct world world = world_create();

    alloc_fail_at(1);
    EXPECT(!sys_fault_create(world.under));
    EXPECT(alloc_fail_stop());
    for (uint64_t n = 1;; n++) {
        alloc_fail_at(n);
        NTSTATUS status = open_status(world.sys, "f", RW | SYS_CREATE);
        if (!alloc_fail_stop()) {
            EXPECT_EQ(3, n); /* one allocation here, one below */
            break;
        }
        EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
    }
    world_destroy(&world);
}
