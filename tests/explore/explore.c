/* SPDX-License-Identifier: MIT */
/* Seed after seed: the explorer as programs and tests see it. */
#include "tests/explore/inner.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SCHEDULES = 300,
    SCHEDULES_THIN = 60,
    SOAK_SHARE = 32, /* there are that many programs, and all want their part of the time */
};

uint32_t
explore_draw(uint32_t n)
{
    return (uint32_t)(explore_random(&exploration->chances) % n);
}

uint64_t
explore_seed(void)
{
    return exploration->seed;
}

void
explore_machine(struct sys_sim *sim, struct sys *process)
{
    exploration->sim = sim;
    exploration->process = process;
}

void
explore_interrupt(void (*interrupt)(void))
{
    exploration->interrupt = interrupt;
}

static const char *
verdict_text(enum explore_verdict verdict)
{
    switch (verdict) {
    case EXPLORE_STUCK:
        return "nobody can go on: a deadlock, or a wake-up was lost";
    case EXPLORE_ENDLESS:
        return "the threads go on without end";
    default:
        return "the program is wrong";
    }
}

static struct explore_result
run_here(const struct explore_program *program, uint64_t seed)
{
    struct explore_result result = explore_once(program, seed);

    if (result.verdict == EXPLORE_STUCK || result.verdict == EXPLORE_ENDLESS)
        report(verdict_text(result.verdict));
    if (result.verdict != EXPLORE_FINE)
        test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed,
                  verdict_text(result.verdict));
    return result;
}

/* The child ends as any program does, so that what it has lost is found, too. */
static struct explore_result
run_in_child(const struct explore_program *program, uint64_t seed)
{
    struct explore_result *result =
        mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct explore_result copy;
    int status;
    pid_t child;

    EXPECT(result != MAP_FAILED);
    fflush(NULL);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        *result = run_here(program, seed);
        exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    if (status != 0)
        test_fail(__FILE__, __LINE__, "the schedule KTM_SEED=%llu ended with status 0x%x",
                  (unsigned long long)seed, (unsigned)status);
    copy = *result;
    munmap(result, sizeof(*result));
    return copy;
}

static struct explore_result
run_and_judge(const struct explore_program *program, uint64_t seed)
{
    return program->is_forked ? run_in_child(program, seed) : run_here(program, seed);
}

static void
go_on_for(const struct explore_program *program, uint64_t seed, unsigned seconds)
{
    time_t end = time(NULL) + (time_t)seconds;

    /* A test that fails names the seed; this start only keeps soaks from repeating each other. */
    for (seed += (uint64_t)time(NULL) << 16; time(NULL) < end; seed++)
        (void)run_and_judge(program, seed);
}

void
explore(const struct explore_program *program)
{
    const char *chosen = getenv("KTM_SEED");
    unsigned schedules = program->schedules ? program->schedules : SCHEDULES;
    uint64_t steps = 0;

    report_crashes();
    if (chosen) {
        (void)run_and_judge(program, strtoull(chosen, NULL, 10));
        return;
    }
    if (test_sweep_is_short() && schedules > SCHEDULES_THIN)
        schedules = SCHEDULES_THIN;
    for (uint64_t seed = 0; seed < schedules; seed++)
        steps += run_and_judge(program, seed).steps;
    printf("%s: %u schedules of about %llu steps\n", test_name(), schedules,
           (unsigned long long)(steps / schedules));
    if (test_soak_seconds())
        go_on_for(program, schedules, 1 + test_soak_seconds() / SOAK_SHARE);
}

struct explore_result
explore_search(const struct explore_program *program, unsigned limit)
{
    struct explore_result result = {.verdict = EXPLORE_FINE};

    for (uint64_t seed = 0; seed < limit && result.verdict == EXPLORE_FINE; seed++)
        result = explore_once(program, seed);
    return result;
}
