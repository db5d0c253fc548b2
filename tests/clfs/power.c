/* SPDX-License-Identifier: MIT */
/*
 * The power is cut at every operation that changes the disk, and whatever survives must be a log
 * this client may find: all it was answered for, in order, byte by byte; a prefix of the rest;
 * base and restart area of one moment; and nothing that an earlier recovery did not find.
 */
#include "tests/clfs/history.h"

#include "tests/clfs/liar.h"

#define STEPS      240u
#define SURVIVORS  7u
#define LIFE_STEPS 12u

static const enum sys_sim_cut cuts[] = {SIM_CUT_BEFORE, SIM_CUT_WITHIN, SIM_CUT_AFTER};

struct survivor {
    enum sys_sim_keep keep;
    uint64_t choice;
};

/* The i-th way the disk may look after the cut. */
static struct survivor
survivor_of(unsigned i, uint64_t salt)
{
    switch (i) {
    case 0:
        return (struct survivor){SIM_KEEP_NOTHING, 0};
    case 1:
        return (struct survivor){SIM_KEEP_ALL, 0};
    case 2:
        return (struct survivor){SIM_KEEP_PREFIX, salt * 2654435761u};
    default:
        return (struct survivor){SIM_KEEP_SUBSET, salt * 1000003u + i};
    }
}

/* The power is cut during recovery, at each of its operations; then it is recovered again. */
static const char *
recovery_sweep(struct sys_sim *disk, const struct history *history, uint64_t salt)
{
    const char *fault = NULL;
    bool was_cut = true;

    for (uint64_t n = 1; was_cut && !fault; n++) {
        owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_copy(disk);
        struct survivor survivor = survivor_of((unsigned)(n + salt) % SURVIVORS, salt + n);
        struct history copy;
        struct clfs_log *log = NULL;
        struct sys *process = sys_sim_process(sim);

        sys_sim_cut_after(sim, n, cuts[(n + salt) % 3]);
        if (clfs_log_open(process, "/log", CLFS_OPEN_EXISTING, true, &log) == STATUS_SUCCESS)
            (void)!clfs_log_close(log);
        was_cut = !sys_sim_has_power(sim);
        sys_sim_cut_after(sim, 0, SIM_CUT_BEFORE);
        if (was_cut)
            sys_sim_power_on(sim, survivor.keep, survivor.choice);
        history_copy(history, &copy);
        fault = history_check(&copy, process);
        history_deinit(&copy);
    }
    return fault;
}

/* A life after recovery: it appends over what was discarded, is acknowledged, loses power. Nothing
 * of what was discarded may come back. */
static const char *
second_life(struct sys_sim *sim, struct history *history, uint64_t salt)
{
    struct sys *process = sys_sim_process(sim);
    struct survivor survivor = survivor_of((unsigned)salt % SURVIVORS, salt);
    const char *fault;

    history->seed ^= salt;
    if (!history_run(history, process, LIFE_STEPS))
        return "the life after recovery failed";
    sys_sim_power_on(sim, survivor.keep, survivor.choice);
    (void)!history_close(history);
    fault = history_check(history, process);
    return fault;
}

static const char *
survivor_check(struct sys_sim *disk, const struct history *history, unsigned i, uint64_t salt,
               bool is_thorough)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_copy(disk);
    struct survivor survivor = survivor_of(i, salt);
    struct history copy;
    const char *fault = NULL;

    sys_sim_power_on(sim, survivor.keep, survivor.choice);
    if (is_thorough)
        fault = recovery_sweep(sim, history, salt);
    history_copy(history, &copy);
    if (!fault)
        fault = history_check(&copy, sys_sim_process(sim));
    if (!fault && copy.exists)
        fault = second_life(sim, &copy, salt + i);
    history_deinit(&copy);
    return fault;
}

/* Lives until the n-th operation, over a system with that bug (NULL: none); *was_cut: it came that
 * far. */
static const char *
life_and_death(uint64_t seed, const struct liar *bug, uint64_t n, enum sys_sim_cut cut,
               unsigned thorough, bool *was_cut)
{
    owned(sys_sim_destroy) struct sys_sim *sim = sys_sim_create(seed);
    struct sys *process = sys_sim_process(sim);
    struct liar layer;
    struct history history;
    const char *fault = NULL;

    history_init(&history, seed);
    if (bug) {
        layer = *bug;
        liar_init(&layer, process);
    }
    sys_sim_cut_after(sim, n, cut);
    if (history_run(&history, bug ? &layer.sys : process, STEPS))
        (void)!history_close(&history);
    *was_cut = !sys_sim_has_power(sim);
    (void)!history_close(&history);
    for (unsigned i = 0; i < SURVIVORS && !fault; i++)
        fault = survivor_check(sim, &history, i, n * 3 + cut, thorough && i % thorough == n % 2);
    history_deinit(&history);
    return fault;
}

static void
sweep(uint64_t seed, unsigned stride, unsigned thorough)
{
    bool was_cut = true;

    for (uint64_t n = 1; was_cut; n += 1 + (n * 7 + seed) % stride) {
        EACH (cut, cuts) {
            const char *fault = life_and_death(seed, NULL, n, *cut, thorough, &was_cut);

            if (fault)
                test_fail(__FILE__, __LINE__, "seed %llu, operation %llu, cut %d: %s",
                          (unsigned long long)seed, (unsigned long long)n, (int)*cut, fault);
        }
    }
}

/* CLFS-DUR-05 CLFS-DUR-06 CLFS-DUR-07 CLFS-DUR-08 CLFS-DUR-10 CLFS-DUR-11 CLFS-DUR-12 CLFS-DUR-17
 * CLFS-DUR-19 CLFS-DUR-21 CLFS-DUR-22 CLFS-DUR-23 CLFS-CREATE-31 CLFS-KTM-03 CLFS-KTM-04
 * CLFS-KTM-05 CLFS-MODEL-18 */
TEST(power_may_fail_at_every_operation)
{
    bool is_full = test_sweep_is_full();
    bool is_short = test_sweep_is_short();

    for (uint64_t seed = 1; seed <= (is_full ? 6 : is_short ? 1 : 2); seed++)
        sweep(seed, is_full ? 1 : is_short ? 60 : 12, is_full ? 3 : 7);
}

TEST(what_was_discarded_stays_so_when_its_place_is_taken) /* CLFS-DUR-19 CLFS-HARD-33 */
{
    /* Two blocks written; the power takes the first. The next life writes one of the same size in
     * its place: the second one is whole, at its address, behind a block where it expects one. */
    struct sys_sim *sim = sys_sim_create(1);
    struct sys *process = sys_sim_process(sim);
    struct clfs_log *log = log_with(process, "/log", 2);
    struct clfs_area *area = area_of(log, BLOCK);
    uint64_t first = appended(area, "first"), second;
    uint8_t *content;
    void *dump;
    size_t size;

    EXPECT_OK(clfs_write_out(area));
    second = appended(area, "second");
    EXPECT_OK(clfs_write_out(area));
    sys_sim_power_on(sim, SIM_KEEP_ALL, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    EXPECT_OK(sys_sim_dump(sim, "/log.c0001", &dump, &size));
    content = dump;
    memset(content + clfs_lsn_offset(first), 0, 512);
    EXPECT_OK(sys_sim_load(sim, "/log.c0001", content, size));

    log = log_with(process, "/log", 2);
    EXPECT_EQ(first, info_of(log).last_lsn);
    area = area_of(log, BLOCK);
    EXPECT_EQ(first, appended(area, "other"));
    EXPECT_OK(clfs_flush(area, 0, NULL));
    sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    (void)!clfs_area_destroy(area);
    (void)!clfs_log_close(log);
    EXPECT_OK(sys_sim_dump(sim, "/log.c0001", &dump, &size));
    EXPECT_EQ(0, memcmp((uint8_t *)dump + clfs_lsn_offset(second),
                        content + clfs_lsn_offset(second), 512)); /* it is there … */
    free(dump);
    free(content);
    log = log_with(process, "/log", 2);
    EXPECT_EQ(first + 1, info_of(log).last_lsn); /* … and gone for good */
    EXPECT_OK(clfs_log_close(log));
    sys_sim_destroy(sim);
}

/* Whether some cut shows that the system below has this bug. */
static bool
bug_is_found(uint64_t seed, const struct liar *bug)
{
    bool was_cut = true;

    for (uint64_t n = 1; was_cut; n += n < 50 ? 1 : 1 + (n * 5 + seed) % 7)
        EACH (cut, cuts)
            if (life_and_death(seed, bug, n, *cut, 0, &was_cut))
                return true;
    return false;
}

/* The same sweep with a system that says "done" and did not. A sweep that cannot see these could
 * not see the same mistakes in the log either. */
TEST(the_sweep_sees_what_is_not_forced)
{
    if (test_sweep_is_short())
        SKIP("a thin sample of crash points may miss a mistake");
    static const struct liar bugs[] = {
        {.lie = LIE_SYNC, .n = 1, .is_lasting = true},
        {.lie = LIE_SYNC, .name = ".blf.new", .n = 1},
        {.lie = LIE_SYNC, .name = ".c0001.new", .n = 1},
        {.lie = LIE_SYNC, .name = ".c0001", .n = 3, .is_lasting = true},
        {.lie = LIE_SYNC, .name = ".c0003", .n = 1, .is_lasting = true},
        {.lie = LIE_SYNC, .name = ".blf", .n = 6, .is_lasting = true},
        {.lie = LIE_SYNC, .n = 15},
        {.lie = LIE_DIRECTORY_SYNC, .n = 1},
        {.lie = LIE_DIRECTORY_SYNC, .n = 2},
        {.lie = LIE_WRITE, .name = ".blf", .n = 9, .is_lasting = true},
        {.lie = LIE_WRITE, .name = ".c0001", .n = 5},
        {.lie = LIE_WRITE, .name = ".c0002", .n = 3},
    };

    EACH (bug, bugs)
        if (!bug_is_found(1, bug))
            test_fail(__FILE__, __LINE__, "bug %d goes unnoticed", (int)(bug - bugs));
}
