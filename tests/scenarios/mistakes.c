/* SPDX-License-Identifier: MIT */
/* Does the sweep see anything? With each of these mistakes built in, it must find a violation. */
#include "tests/scenarios/spy.h"
#include "tests/scenarios/sweep.h"

static void
sweep_with(const char *name, enum spy_mistake mistake, char violation[600])
{
    char path[512];
    owned(scenario_free) struct scenario *scenario = NULL;
    struct sys_sim *base;
    unsigned runs = 0;

    snprintf(path, sizeof(path), "%s/tests/scenarios/%s.txt", test_source(), name);
    scenario = scenario_load(path);
    base = sweep_base(scenario);
    spy_make(mistake);
    sweep_run(scenario, base, SWEEP_CUT, violation, &runs);
    if (!violation[0])
        sweep_run(scenario, base, SWEEP_STOP, violation, &runs);
    spy_make(SPY_HONEST);
    sys_sim_destroy(base);
    printf("%s: %s (%u runs)\n", name, violation, runs);
}

TEST(every_mistake_is_found) /* INV-01 INV-04 LOG-02 LOG-03 */
{
    static const struct {
        enum spy_mistake mistake;
        const char *scenario;
    } cases[] = {
        {SPY_SWALLOWS_SYNCS, "two-managers"}, {SPY_FORCES_NOTHING, "two-managers"},
        {SPY_LOSES_COMMITS, "two-managers"},  {SPY_FORGETS_EARLY, "two-managers"},
        {SPY_LOSES_PREPARES, "scen-11"},      {SPY_FORCES_NOTHING, "scen-11"},
        {SPY_LOSES_COMMITS, "scen-12"},       {SPY_LOSES_PREPARES, "branch"},
        {SPY_LOSES_COMMITS, "branch"},        {SPY_FORCES_NOTHING, "branch"},
    };

    if (test_sweep_is_short())
        SKIP("a thin sample of crash points may miss a mistake");
    EACH (it, cases) {
        char violation[600] = "";

        sweep_with(it->scenario, it->mistake, violation);
        if (!violation[0])
            test_fail(__FILE__, __LINE__, "mistake %u was not found in %s", it->mistake,
                      it->scenario);
    }
}

TEST(an_honest_run_finds_nothing)
{
    char violation[600] = "";

    sweep_with("two-managers", SPY_HONEST, violation);
    EXPECT_TEXT("", violation);
}
