/* SPDX-License-Identifier: MIT */
/*
 * Every scenario swept: power cut at every operation and everything that may survive it, processes
 * killed, disks that lie, fail or are full, no memory. KTM_SWEEP=full draws more survivors.
 *
 * INV-01..14 LOG-11..13 CLOSE-TM-06 RECOV-11, -27 CLOCK-10 GEN-06 LIVE-02 are what the judge in
 * tests/engine/world.c looks at in each run.
 */
#include "tests/scenarios/sweep.h"

#define SCENARIO(title) title,
static const char *const names[] = {
#include "scenario_list.h"
};
#undef SCENARIO

/* One thread, so there is nothing for ThreadSanitizer to see, and it takes ten times as long. */
static void
skip_under_thread_sanitizer(void)
{
#ifdef __SANITIZE_THREAD__
    SKIP("one thread only");
#endif
}

static void
run(void)
{
    char path[512], violation[600] = "";
    owned(scenario_free) struct scenario *scenario = NULL;
    struct sys_sim *base;
    unsigned runs = 0;

    skip_under_thread_sanitizer();
    snprintf(path, sizeof(path), "%s/tests/scenarios/%s.txt", test_source(), test_name());
    scenario = scenario_load(path);
    base = sweep_base(scenario);
    for (int kind = 0; kind < SWEEP_KINDS; kind++) {
        unsigned before = runs;

        sweep_run(scenario, base, (enum sweep_kind)kind, violation, &runs);
        if (violation[0])
            test_fail(path, 1, "%s", violation);
        printf("%u runs of kind %d\n", runs - before, kind);
    }
    sys_sim_destroy(base);
}

/* The same from an empty disk: the making of the log, its containers and the TM's identity is cut,
 * too, and made anew afterwards. */
TEST(making_a_tm_can_be_cut_anywhere) /* TM-CREATE-07 RECOV-11 CLOSE-TM-06 */
{
    char path[512], violation[600] = "";
    owned(scenario_free) struct scenario *scenario = NULL;
    owned(sys_sim_destroy) struct sys_sim *empty = sys_sim_create(7);
    unsigned runs = 0;

    snprintf(path, sizeof(path), "%s/tests/scenarios/two-managers.txt", test_source());
    scenario = scenario_load(path);
    for (int kind = 0; kind < SWEEP_KINDS; kind++) {
        sweep_run(scenario, empty, (enum sweep_kind)kind, violation, &runs);
        EXPECT_TEXT("", violation);
    }
    EXPECT(runs > (test_sweep_is_short() ? 50u : 1000u));
}

static struct test tests[ARRAY_SIZE(names)];

static void __attribute__((constructor)) register_all(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        tests[i] = (struct test){
            .name = names[i], .file = "tests/scenarios/sweep.c", .line = (int)i + 1, .run = run};
        test_register(&tests[i]);
    }
}
