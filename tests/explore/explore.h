/* SPDX-License-Identifier: MIT */
/*
 * A schedule explorer: small programs of a few threads, of which one runs at a time, and a seed
 * says which.
 *
 * The twin of sys/thread.h (hooks.c) takes the place of locks, waits, wakes, threads and time by
 * the linker's --wrap; production code has no hook. At each of them, at each call of the simulated
 * disk (which locks), at each atomic operation of src/engine and src/nt (atomics.h) and wherever a
 * program says explore_point, the scheduler may let another thread go on. So a seed is a schedule:
 * the same seed gives the same run, step by step.
 *
 * Seed 0 switches only when a thread must sleep. The others take turns: a random walk, coarse or
 * fine, with few or many preemptions, or random priorities with a few points at which the running
 * thread falls behind all others (PCT: a bug that takes d orderings is found with a probability
 * that is known). Waits return early for no reason, as futexes may, and time passes only when
 * nobody can run.
 *
 * What is found: a thread that waits for what nobody will do (deadlock, lost wake-up), one that
 * never ends, and whatever the program expects in vain. The report names the seed and shows the
 * schedule; KTM_SEED=n replays it and prints every step. KTM_SOAK=seconds goes on with fresh seeds.
 */
#pragma once

#include "tests/test.h"

#include "sys/sim.h"

#define EXPLORE_THREADS 6

struct explore_thread {
    void (*run)(void *argument);
    void *argument;
};

struct explore_program {
    void (*begin)(void); /* before the threads; alone */
    struct explore_thread threads[EXPLORE_THREADS];
    void (*end)(void);      /* after all have returned; alone; expects what must be true */
    bool is_forked;         /* each run in a process of its own: it uses what outlives a run */
    unsigned schedules;     /* 0: as many as suit a quick run */
    bool (*is_wrong)(void); /* for explore_search: what the run has shown is a bug */
};

/* Runs the program under many schedules, or the one that KTM_SEED names. A bug ends the test. */
void explore(const struct explore_program *program);

/* ---- for the program ---- */

/* Another thread may go on here. */
void explore_point(const char *what);
/* The same, and while anybody else can go on it is not this one: for loops that wait. */
void explore_pause(const char *what);
/* A number below 'n' that the seed decides; in 'begin' and in the threads. */
uint32_t explore_draw(uint32_t n);
uint64_t explore_seed(void);
/* Whose clock is the clock of all; it goes when nobody can run. In 'begin'. */
void explore_machine(struct sys_sim *sim, struct sys *process);
/* Called between two steps, when no thread is in the simulated machine, after a number of steps
 * that the seed decides; at most once in a run: to look at what a crash at this moment would leave.
 */
void explore_interrupt(void (*interrupt)(void));

/* ---- for the tests of the explorer ---- */

enum explore_verdict { EXPLORE_FINE, EXPLORE_STUCK, EXPLORE_ENDLESS, EXPLORE_WRONG };

struct explore_result {
    enum explore_verdict verdict;
    uint64_t seed;
    uint64_t fingerprint; /* of all steps in their order */
    uint32_t steps, switches;
};

struct explore_result explore_once(const struct explore_program *program, uint64_t seed);
/* The first of 'limit' seeds whose run is not fine; none: the last one. */
struct explore_result explore_search(const struct explore_program *program, unsigned limit);
