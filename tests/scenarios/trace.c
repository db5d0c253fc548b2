/* SPDX-License-Identifier: MIT */
/* Every scenario file shows the trace it says. 'test-scenarios --rewrite trace/' writes the traces
 * anew when we change our mind; read the difference before you believe it. */
#include "tests/scenarios/scenario.h"

#define SCENARIO(title) title,
static const char *const names[] = {
#include "scenario_list.h"
};
#undef SCENARIO

static void
run(void)
{
    char path[512], *trace = NULL;
    owned(scenario_free) struct scenario *scenario = NULL;

    snprintf(path, sizeof(path), "%s/tests/scenarios/%s.txt", test_source(), test_name());
    scenario = scenario_load(path);
    if (!scenario_holds(scenario, &trace)) {
        if (!test_rewrites())
            test_fail(path, 1, "the trace is\n%sexpected was\n%s", trace, scenario->expected);
        scenario_rewrite(scenario, trace);
    }
    free(trace);
}

static struct test tests[ARRAY_SIZE(names)];

static void __attribute__((constructor)) register_all(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        tests[i] = (struct test){
            .name = names[i], .file = "tests/scenarios/trace.c", .line = (int)i + 1, .run = run};
        test_register(&tests[i]);
    }
}
