/* SPDX-License-Identifier: MIT */
#include "tests/scenarios/sweep.h"

#include <signal.h>
#include <unistd.h>

#include "tests/alloc.h"
#include "tests/clfs/liar.h"
#include "tests/scenarios/spy.h"

/* ---- points as text ---- */

static const char *const kinds[] = {"cut",   "stop", "heard", "kill",  "lie",
                                    "error", "once", "full",  "memory"};
static const char *const hows[] = {"before", "within", "after"};
static const char *const keeps[] = {"nothing", "all", "prefix", "subset"};

static void
point_print(const struct sweep_point *point, char text[100])
{
    snprintf(text, 100, "%s %llu %s %s %llu %llu", kinds[point->kind], (unsigned long long)point->n,
             hows[point->how], keeps[point->keep], (unsigned long long)point->choice,
             (unsigned long long)point->again);
}

static unsigned
index_of(const char *word, const char *const *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    test_fail(__FILE__, __LINE__, "'%s' in KTM_POINT", word);
}

static bool
point_parse(const char *text, struct sweep_point *point)
{
    char kind[20], how[20] = "before", keep[20] = "nothing";
    unsigned long long n, choice = 0, again = 0;

    if (!text ||
        sscanf(text, "%19s %llu %19s %19s %llu %llu", kind, &n, how, keep, &choice, &again) < 2)
        return false;
    *point =
        (struct sweep_point){.kind = (enum sweep_kind)index_of(kind, kinds, ARRAY_SIZE(kinds)),
                             .n = n,
                             .how = (enum sys_sim_cut)index_of(how, hows, ARRAY_SIZE(hows)),
                             .keep = (enum sys_sim_keep)index_of(keep, keeps, ARRAY_SIZE(keeps)),
                             .choice = choice,
                             .again = again};
    return true;
}

/* ---- when the process under test stops itself ---- */

static char running_text[200];

static void
say_where(int signal)
{
    ssize_t ignored = write(STDERR_FILENO, running_text, strlen(running_text));

    (void)ignored;
    (void)signal;
}

static void
remember_where(const struct scenario *scenario, const struct sweep_point *point)
{
    char text[100];

    point_print(point, text);
    snprintf(running_text, sizeof(running_text), "while sweeping %s at '%s':\n", scenario->name,
             text);
    signal(SIGABRT, say_where);
}

/* ---- one run ---- */

struct sys_sim *
sweep_base(const struct scenario *scenario)
{
    struct world *world = scenario_world(scenario, NULL);
    struct sys_sim *sim;

    EXPECT_OK(world_start(world));
    world_crash(world, true, SIM_KEEP_ALL, 0);
    sim = sys_sim_copy(world->sim);
    world_destroy(world);
    return sim;
}

static uint64_t
operations(struct world *world)
{
    return sys_sim_counts(world->sim, NULL).operations;
}

static void
arm(struct world *world, const struct sweep_point *point)
{
    struct sys_fault_rule rule = {.n = point->n, .status = STATUS_IO_DEVICE_ERROR};

    switch (point->kind) {
    case SWEEP_CUT:
        world_cut_at(world, operations(world) + point->n, point->how);
        break;
    case SWEEP_STOP:
        world->stop_after = (unsigned)point->n;
        break;
    case SWEEP_HEARD:
        world->deaf_after = (unsigned)point->n;
        break;
    case SWEEP_KILL:
        rule.calls = FAULT_WRITE | FAULT_SYNC | FAULT_ALLOCATE | FAULT_RENAME | FAULT_UNLINK |
                     FAULT_DIRECTORY_SYNC;
        rule.is_lasting = true;
        rule.happens = point->choice == 1;
        rule.partly = point->choice == 2 ? 200 : 0;
        world->is_mortal = true;
        sys_fault_plan(world->fault, &rule);
        break;
    case SWEEP_LIE:
        sys_sim_fail_sync(world->sim, NULL, point->n);
        break;
    case SWEEP_FULL:
        rule.calls = FAULT_WRITE | FAULT_ALLOCATE;
        rule.status = STATUS_DISK_FULL;
        rule.is_lasting = true;
        rule.partly = 200 * point->choice; /* never all of a block: that would be no failure */
        sys_fault_plan(world->fault, &rule);
        break;
    case SWEEP_ERROR:
        rule.is_lasting = true;
        /* fall through */
    case SWEEP_ONCE:
        /* Done, and yet an error: any call but a write, of which the decision page on definite
         * failures says that it does not do all of it and fail. */
        rule.happens = point->choice == 1;
        rule.calls = rule.happens ? FAULT_ALL & ~FAULT_WRITE : FAULT_ALL;
        rule.partly = point->choice == 2 ? 200 : 0;
        sys_fault_plan(world->fault, &rule);
        break;
    case SWEEP_MEMORY:
        alloc_fail_at(point->n);
        break;
    case SWEEP_KINDS:
        break;
    }
}

/* Whether what was armed has happened; nothing more happens afterwards. */
static bool
disarm(struct world *world, const struct sweep_point *point, bool was_cut)
{
    bool has_fired = true;

    switch (point->kind) {
    case SWEEP_CUT:
        has_fired = was_cut;
        world_cut_at(world, 0, SIM_CUT_BEFORE);
        break;
    case SWEEP_STOP:
        has_fired = world->stop_after == 0;
        world->stop_after = 0;
        break;
    case SWEEP_HEARD:
        has_fired = was_cut;
        world->deaf_after = 0;
        break;
    case SWEEP_LIE:
        has_fired = sys_sim_counts(world->sim, NULL).syncs >= point->n;
        sys_sim_fail_sync(world->sim, NULL, 0);
        break;
    case SWEEP_MEMORY:
        has_fired = alloc_fail_stop();
        break;
    default:
        has_fired = sys_fault_has_fired(world->fault);
        world->is_dead |= world->is_mortal && has_fired;
        world->is_mortal = false;
        break;
    }
    sys_fault_plan(world->fault, NULL); /* also what the scenario itself had planned */
    return has_fired;
}

static void
recover_and_verify(struct world *world, const char *when)
{
    NTSTATUS status = world_recover_all(world);

    if (status != STATUS_SUCCESS)
        world_blame(world, "recovery %s: %s", when, status_name(status));
    else
        world_verify(world);
}

static void
recover(struct world *world, const struct sweep_point *point)
{
    world->is_other_first = point->n & 1;
    if (point->again) {
        world_cut_at(world, operations(world) + point->again, SIM_CUT_WITHIN);
        if (world_recover_all(world) != STATUS_SUCCESS && !world_is_dead(world))
            world_blame(world, "recovery that was to be cut failed before");
        world_cut_at(world, 0, SIM_CUT_BEFORE);
        world_crash(world, true, point->keep, point->choice + 1);
    }
    recover_and_verify(world, "after the first crash");
    /* what has been told is true for ever, also when nothing but the forced survives */
    world_crash(world, true, SIM_KEEP_NOTHING, 0);
    recover_and_verify(world, "at the end");
}

static void
print_line(void *context, const char *line)
{
    (void)context;
    printf("                                                %s\n", line);
}

bool
sweep_point_run(const struct scenario *scenario, struct sys_sim *base,
                const struct sweep_point *point, char violation[600])
{
    owned(world_destroy) struct world *world = scenario_world(scenario, sys_sim_copy(base));
    struct liar liar = {.lie = LIE_SYNC, .n = 1, .is_lasting = true};
    bool has_fired;

    liar_init(&liar, sys_fault_sys(world->fault));
    if (spy_mistake() == SPY_SWALLOWS_SYNCS)
        world->layer = &liar.sys;
    remember_where(scenario, point);
    if (getenv("KTM_POINT")) { /* one run that somebody wants to look at */
        sys_sim_trace(world->sim, stdout);
        world->listener = print_line;
        spy_for(world);
    }
    arm(world, point);
    if (NT_SUCCESS(world_start(world)))
        scenario_run(scenario, world, NULL);
    has_fired = disarm(world, point, world_is_dead(world) && world->engine);
    /* a kill keeps all that was written, not forced, and the machine stays up */
    world_crash(world, point->kind != SWEEP_KILL, point->keep, point->choice);
    world->layer = NULL;
    recover(world, point);
    if (world->violation[0]) {
        char text[100];

        point_print(point, text);
        snprintf(violation, 600, "%s at '%s': %s", scenario->name, text, world->violation);
    }
    spy_for(NULL);
    signal(SIGABRT, SIG_DFL);
    return has_fired;
}

/* ---- all of them ---- */

struct sweeper {
    const struct scenario *scenario;
    struct sys_sim *base;
    char *violation;
    unsigned *runs;
};

static bool
run_one(const struct sweeper *sweeper, const struct sweep_point *point)
{
    ++*sweeper->runs;
    return sweep_point_run(sweeper->scenario, sweeper->base, point, sweeper->violation);
}

/* What may be left of the unsynced after a cut, with the seeds of one point. */
static const struct {
    enum sys_sim_keep keep;
    unsigned draws, draws_full;
} survivors[] = {{SIM_KEEP_NOTHING, 1, 1},
                 {SIM_KEEP_ALL, 1, 1},
                 {SIM_KEEP_PREFIX, 1, 4},
                 {SIM_KEEP_SUBSET, 2, 12}};

/* The n-th operation in every way; false: there is none. */
static bool
cut_everyhow(const struct sweeper *sweeper, uint64_t n)
{
    static const enum sys_sim_cut ways[] = {SIM_CUT_BEFORE, SIM_CUT_WITHIN, SIM_CUT_AFTER};

    for (unsigned w = 0; w < ARRAY_SIZE(ways); w++)
        for (unsigned s = 0; s < ARRAY_SIZE(survivors); s++)
            for (unsigned d = 0;
                 d < (test_sweep_is_full() ? survivors[s].draws_full : survivors[s].draws); d++) {
                struct sweep_point point = {.kind = SWEEP_CUT,
                                            .n = n,
                                            .how = ways[w],
                                            .keep = survivors[s].keep,
                                            .choice = n * 100 + w * 10 + d};

                if (!run_one(sweeper, &point))
                    return false;
                point.again = 1 + (n * 7 + w * 3 + s + d) % 12;
                (void)run_one(sweeper, &point);
                if (*sweeper->violation)
                    return false;
            }
    return true;
}

static bool
once_everyhow(const struct sweeper *sweeper, enum sweep_kind kind, uint64_t n)
{
    bool is_plain =
        kind == SWEEP_LIE || kind == SWEEP_MEMORY || kind == SWEEP_STOP || kind == SWEEP_HEARD;
    unsigned choices = is_plain ? 1 : 3;
    bool visits_all = test_sweep_is_full() || kind == SWEEP_STOP || kind == SWEEP_HEARD;

    for (unsigned choice = 0; choice < choices; choice++)
        for (unsigned s = 0; s < ARRAY_SIZE(survivors); s++) {
            struct sweep_point point = {
                .kind = kind, .n = n, .keep = survivors[s].keep, .choice = choice};

            if (!visits_all && s != (n + choice) % ARRAY_SIZE(survivors))
                continue; /* a sample: one of them at each place */
            if (!run_one(sweeper, &point) || *sweeper->violation)
                return false;
        }
    return true;
}

void
sweep_run(const struct scenario *scenario, struct sys_sim *base, enum sweep_kind kind,
          char violation[600], unsigned *runs)
{
    struct sweeper sweeper = {scenario, base, violation, runs};
    struct sweep_point point;
    bool goes_on = true;

    if (point_parse(getenv("KTM_POINT"), &point)) {
        if (point.kind == kind)
            (void)run_one(&sweeper, &point);
        return;
    }
    /* a scenario with trouble of its own has no room for more of that sort */
    if (strstr(scenario->commands, "disk ") && kind >= SWEEP_KILL && kind != SWEEP_MEMORY)
        return;
    for (uint64_t n = 1; goes_on && !*violation; n += test_sweep_is_short() ? 7 : 1)
        goes_on = kind == SWEEP_CUT ? cut_everyhow(&sweeper, n) : once_everyhow(&sweeper, kind, n);
}
