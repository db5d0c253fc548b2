/* SPDX-License-Identifier: MIT */
/*
 * Every call to the operating system fails once: reported as it is, never believed away. The log is
 * failed until it is reopened; then it holds what was acknowledged, in the same boot (where the
 * page cache may show what the disk does not have) and after a power cut.
 */
#include "tests/clfs/history.h"

#include "sys/fault.h"
#include "tests/alloc.h"

#define STEPS 120u

/* What is on the disk after the failure must be right, now and after going on and losing power. */
static const char *
aftermath_check(struct sys_sim *sim, struct history *history, uint64_t salt)
{
    static const enum sys_sim_keep keeps[] = {SIM_KEEP_NOTHING, SIM_KEEP_SUBSET, SIM_KEEP_ALL};
    struct sys *process = sys_sim_process(sim);
    const char *fault = history_check(history, process);

    if (!fault && history->exists && !history_run(history, process, 12))
        fault = "it does not go on";
    sys_sim_power_on(sim, keeps[salt % ARRAY_SIZE(keeps)], salt);
    (void)!history_close(history);
    return fault ? fault : history_check(history, process);
}

/* Lives over a layer with that rule, then over the disk alone. *has_fired: the rule applied. */
static const char *
life_with(uint64_t seed, const struct sys_fault_rule *rule, bool *has_fired)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
    owned(sys_fault_destroy) struct sys_fault *layer = sys_fault_create(sys_sim_process(sim));
    struct history history;
    const char *fault;

    history_init(&history, seed);
    sys_fault_plan(layer, rule);
    if (history_run(&history, sys_fault_sys(layer), STEPS))
        (void)!history_close(&history);
    else
        (void)!history_close(&history);
    *has_fired = sys_fault_has_fired(layer);
    fault = aftermath_check(sim, &history, rule->n);
    history_deinit(&history);
    return fault;
}

static void
sweep(const struct sys_fault_rule *pattern, uint64_t seed)
{
    struct sys_fault_rule rule = *pattern;
    unsigned stride = test_sweep_is_full() ? 1 : test_sweep_is_short() ? 20 : 5;
    bool has_fired = true;

    for (rule.n = 1; has_fired; rule.n += 1 + rule.n % stride) {
        const char *fault = life_with(seed, &rule, &has_fired);

        if (fault)
            test_fail(__FILE__, __LINE__, "seed %llu, call %llu of kinds %x fails: %s",
                      (unsigned long long)seed, (unsigned long long)rule.n, rule.calls, fault);
    }
}

TEST(any_call_may_fail_once) /* CLFS-DUR-13 CLFS-DUR-15 CLFS-DUR-16 CLFS-HARD-41 CLFS-CREATE-37 */
{
    static const struct sys_fault_rule patterns[] = {
        {.calls = FAULT_ALL, .status = STATUS_IO_DEVICE_ERROR},
        {.calls = FAULT_ALL, .status = STATUS_INSUFFICIENT_RESOURCES},
        {.calls = FAULT_WRITE | FAULT_ALLOCATE, .status = STATUS_DISK_FULL, .partly = 700},
        {.calls = FAULT_WRITE | FAULT_SYNC | FAULT_RENAME | FAULT_DIRECTORY_SYNC | FAULT_UNLINK,
         .status = STATUS_IO_DEVICE_ERROR,
         .happens = true},
        {.calls = FAULT_WRITE | FAULT_SYNC, .status = STATUS_IO_DEVICE_ERROR, .is_lasting = true},
    };

    EACH (pattern, patterns)
        sweep(pattern, 3 + (uint64_t)(pattern - patterns));
}

/* The power fails while the log is recovered in the boot in which a sync has lied: what recovery
 * read may have been in the page cache only. */
static const char *
recovery_cut_check(struct sys_sim *disk, const struct history *history, uint64_t salt)
{
    static const enum sys_sim_keep keeps[] = {SIM_KEEP_NOTHING, SIM_KEEP_SUBSET, SIM_KEEP_PREFIX};
    const char *fault = NULL;
    bool was_cut = true;

    for (uint64_t n = 1; was_cut && !fault; n++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_copy(disk);
        struct sys *process = sys_sim_process(sim);
        struct clfs_log *log = NULL;
        struct history copy;

        sys_sim_cut_after(sim, n, (n + salt) % 3);
        if (clfs_log_open(process, "/log", CLFS_OPEN_EXISTING, true, &log) == STATUS_SUCCESS)
            (void)!clfs_log_close(log);
        was_cut = !sys_sim_has_power(sim);
        sys_sim_power_on(sim, keeps[(n + salt) % ARRAY_SIZE(keeps)], n * salt);
        history_copy(history, &copy);
        fault = history_check(&copy, process);
        history_deinit(&copy);
    }
    return fault;
}

/* A failed sync, after which the kernel lies: the next sync succeeds without writing, reads show
 * what the disk does not have. */
static const char *
life_with_lie(uint64_t seed, uint64_t n, bool *has_failed)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
    struct history history;
    const char *fault;

    history_init(&history, seed);
    sys_sim_fail_sync(sim, NULL, n);
    *has_failed = !history_run(&history, sys_sim_process(sim), STEPS);
    *has_failed |= !history_close(&history) && history.exists;
    sys_sim_fail_sync(sim, NULL, 0);
    fault = recovery_cut_check(sim, &history, n);
    if (!fault)
        fault = aftermath_check(sim, &history, n);
    history_deinit(&history);
    return fault;
}

TEST(a_failed_sync_is_never_covered_by_a_later_one) /* CLFS-DUR-13 CLFS-DUR-19 */
{
    unsigned stride = test_sweep_is_full() ? 1 : test_sweep_is_short() ? 12 : 3;

    for (uint64_t seed = 1; seed <= (test_sweep_is_full() ? 8 : 2); seed++) {
        bool has_failed = true;

        for (uint64_t n = 1; has_failed; n += 1 + n % stride) {
            const char *fault = life_with_lie(seed, n, &has_failed);

            if (fault)
                test_fail(__FILE__, __LINE__, "seed %llu, sync %llu fails: %s",
                          (unsigned long long)seed, (unsigned long long)n, fault);
        }
    }
}

TEST(a_failed_force_fails_the_log_until_it_is_reopened) /* CLFS-DUR-13 CLFS-DUR-16 CLFS-AREA-24 */
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 2);
    struct clfs_area *area = area_of(log, BLOCK);
    struct clfs_reader *reader;
    struct clfs_record record;
    uint64_t lsn = appended(area, "kept"), lost, other;

    EXPECT_OK(clfs_flush(area, 0, NULL));
    lost = appended(area, "in doubt");
    sys_sim_fail_sync(sim, NULL, 1);
    EXPECT_STATUS(STATUS_LOG_CONTAINER_WRITE_FAILED, clfs_flush(area, lost, NULL));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_flush(area, lost, NULL));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, append_text(area, "more", &other));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_write_out(area));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_advance_base(area, lsn));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID,
                  clfs_write_restart(area, bytes_of("r", 1), CLFS_LSN_NONE, 0, &other));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_reserve(area, 1, 512));
    EXPECT_OK(clfs_flush(area, lsn, NULL)); /* that one is durable */
    EXPECT(info_of(log).is_failed);
    EXPECT_OK(clfs_read(area, lost, CLFS_FORWARD, &record, &reader)); /* readable, not durable */
    EXPECT(record_is(&record, "in doubt"));
    clfs_reader_destroy(reader);
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_area_destroy(area));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_log_close(log));

    log = log_with(process, "/log", 2);
    area = area_of(log, BLOCK);
    EXPECT(!info_of(log).is_failed);
    other = appended(area, "after");
    EXPECT_OK(clfs_flush(area, other, NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    log = log_with(process, "/log", 2);
    area = area_of(log, BLOCK);
    EXPECT_OK(clfs_read(area, lsn, CLFS_FORWARD, &record, &reader));
    EXPECT(record_is(&record, "kept"));
    while (clfs_read_next(reader, CLFS_ANY, NULL, &record) == STATUS_SUCCESS)
        ;
    EXPECT(record_is(&record, "after"));
    clfs_reader_destroy(reader);
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}
