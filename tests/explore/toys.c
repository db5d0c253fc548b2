/* SPDX-License-Identifier: MIT */
/*
 * The explorer finds what it is for: each toy has one mistake of a kind that the engine must not
 * have, and the same toy without it is found to be fine. And a seed is the whole schedule.
 */
#include "tests/explore/explore.h"

#include <limits.h>

#include "sys/thread.h"

enum { SEARCHED = 600, CONFIRMED = 1000 };

static struct toy {
    bool is_mended;
    struct sys_mutex first, second;
    _Atomic uint32_t word;
    bool is_set;
    int sum;
    bool is_broken;
} toy;

static void
toy_begin(void)
{
    bool is_mended = toy.is_mended;

    toy = (struct toy){.is_mended = is_mended};
    sys_mutex_init(&toy.first);
    sys_mutex_init(&toy.second);
}

static bool
toy_is_broken(void)
{
    return toy.is_broken;
}

static void
expect_found(const struct explore_program *program, enum explore_verdict verdict)
{
    struct explore_result result;

    toy.is_mended = true;
    EXPECT_EQ(EXPLORE_FINE, explore_search(program, CONFIRMED).verdict);
    toy.is_mended = false;
    result = explore_search(program, SEARCHED);
    EXPECT_EQ(verdict, result.verdict);
    /* The seed is the bug report. */
    EXPECT_EQ(verdict, explore_once(program, result.seed).verdict);
    EXPECT_EQ(result.fingerprint, explore_once(program, result.seed).fingerprint);
}

/* ---- a sum read under one hold of the lock and written under another ---- */

static void
adds_one(void *argument)
{
    int seen;

    (void)argument;
    sys_mutex_lock(&toy.first);
    seen = toy.sum;
    if (!toy.is_mended) {
        sys_mutex_unlock(&toy.first);
        sys_mutex_lock(&toy.first);
    }
    toy.sum = seen + 1;
    sys_mutex_unlock(&toy.first);
}

static void
expects_two(void)
{
    toy.is_broken = toy.sum != 2;
}

TEST(a_lost_update_is_found)
{
    static const struct explore_program program = {.begin = toy_begin,
                                                   .threads = {{adds_one, NULL}, {adds_one, NULL}},
                                                   .end = expects_two,
                                                   .is_wrong = toy_is_broken};

    expect_found(&program, EXPLORE_WRONG);
}

/* ---- two locks in two orders ---- */

static void
locks_both(void *argument)
{
    bool is_other = argument && !toy.is_mended;
    struct sys_mutex *outer = is_other ? &toy.second : &toy.first;
    struct sys_mutex *inner = is_other ? &toy.first : &toy.second;

    sys_mutex_lock(outer);
    sys_mutex_lock(inner);
    sys_mutex_unlock(inner);
    sys_mutex_unlock(outer);
}

TEST(a_deadlock_is_found)
{
    static const struct explore_program program = {
        .begin = toy_begin, .threads = {{locks_both, NULL}, {locks_both, &toy}}};

#ifdef __SANITIZE_THREAD__
    SKIP("ThreadSanitizer finds this mistake, too, and ends the test");
#endif
    expect_found(&program, EXPLORE_STUCK);
}

/* ---- a wake-up that comes between the look and the sleep ---- */

static void
waits_for_it(void *argument)
{
    (void)argument;
    for (;;) {
        uint32_t seen = atomic_load(&toy.word);
        bool is_set;

        sys_mutex_lock(&toy.first);
        is_set = toy.is_set;
        sys_mutex_unlock(&toy.first);
        if (is_set)
            return;
        sys_wait(&toy.word, toy.is_mended ? seen : atomic_load(&toy.word), SYS_FOREVER);
    }
}

static void
sets_it(void *argument)
{
    (void)argument;
    sys_mutex_lock(&toy.first);
    toy.is_set = true;
    sys_mutex_unlock(&toy.first);
    atomic_fetch_add(&toy.word, 1);
    sys_wake(&toy.word, INT_MAX);
}

TEST(a_lost_wake_up_is_found) /* INV-15 */
{
    static const struct explore_program program = {
        .begin = toy_begin,
        .threads = {{waits_for_it, NULL}, {sets_it, NULL}, {waits_for_it, NULL}}};

    expect_found(&program, EXPLORE_STUCK);
}

/* ---- an iterator that survives an unlock ---- */

#define NODES 4
static struct node {
    struct node *next;
    bool is_gone;
} nodes[NODES];
static struct node *list_head;

static void
list_begin(void)
{
    toy_begin();
    for (int i = 0; i < NODES; i++)
        nodes[i] = (struct node){.next = i + 1 < NODES ? &nodes[i + 1] : NULL};
    list_head = nodes;
}

/* Tells everybody in the list, with the lock off: the class of CVE-2018-8611. */
static void
tells_all(void *argument)
{
    struct node *node, *next;

    (void)argument;
    sys_mutex_lock(&toy.first);
    for (node = list_head; node; node = next) {
        next = node->next;
        toy.is_broken |= node->is_gone;
        sys_mutex_unlock(&toy.first);
        explore_point("told");
        sys_mutex_lock(&toy.first);
        if (toy.is_mended)
            next = node->is_gone ? list_head : node->next;
        if (toy.is_mended && node->is_gone)
            break;
    }
    sys_mutex_unlock(&toy.first);
}

static void
removes_the_second(void *argument)
{
    (void)argument;
    sys_mutex_lock(&toy.first);
    nodes[0].next = nodes[1].next;
    nodes[1].is_gone = true;
    sys_mutex_unlock(&toy.first);
}

TEST(an_iterator_that_survives_an_unlock_is_found)
{
    static const struct explore_program program = {
        .begin = list_begin,
        .threads = {{tells_all, NULL}, {removes_the_second, NULL}},
        .is_wrong = toy_is_broken};

    expect_found(&program, EXPLORE_WRONG);
}

/* ---- three things in one order among many ---- */

static void
comes_first(void *argument)
{
    for (int i = 0; i < 20; i++)
        adds_one(argument);
    sys_mutex_lock(&toy.second);
    toy.is_set = true;
    sys_mutex_unlock(&toy.second);
    for (int i = 0; i < 20; i++)
        adds_one(argument);
    sys_mutex_lock(&toy.second);
    toy.is_set = false;
    sys_mutex_unlock(&toy.second);
}

static void
comes_between(void *argument)
{
    (void)argument;
    sys_mutex_lock(&toy.second);
    if (toy.is_set && !toy.is_mended)
        toy.word = 1;
    sys_mutex_unlock(&toy.second);
    sys_mutex_lock(&toy.second);
    toy.is_broken |= toy.word && !toy.is_set;
    sys_mutex_unlock(&toy.second);
}

TEST(a_bug_that_takes_two_preemptions_at_their_places_is_found)
{
    static const struct explore_program program = {
        .begin = toy_begin,
        .threads = {{comes_first, NULL}, {comes_between, NULL}},
        .is_wrong = toy_is_broken};

    expect_found(&program, EXPLORE_WRONG);
}

/* ---- a wait that nobody ends in time, and one that nobody ends ---- */

static void
waits_a_second(void *argument)
{
    (void)argument;
    toy.is_set = sys_wait(&toy.word, 0, sys_now() + 1000000000);
}

static void
expects_lateness(void)
{
    toy.is_broken = toy.is_set;
}

TEST(time_passes_when_nobody_can_run)
{
    static const struct explore_program program = {.begin = toy_begin,
                                                   .threads = {{waits_a_second, NULL}},
                                                   .end = expects_lateness,
                                                   .is_wrong = toy_is_broken};

    EXPECT_EQ(EXPLORE_FINE, explore_once(&program, 0).verdict);
}

static void
goes_on(void *argument)
{
    (void)argument;
    while (!toy.is_broken)
        explore_point("still not");
}

TEST(threads_that_never_end_are_found) /* LIVE-01 */
{
    static const struct explore_program program = {.begin = toy_begin,
                                                   .threads = {{goes_on, NULL}, {goes_on, NULL}}};

    EXPECT_EQ(EXPLORE_ENDLESS, explore_once(&program, 1).verdict);
}

/* ---- seeds ---- */

TEST(other_seeds_are_other_schedules)
{
    static const struct explore_program program = {
        .begin = toy_begin, .threads = {{comes_first, NULL}, {comes_first, NULL}}};
    enum { SEEDS = 100 };
    static uint64_t seen[SEEDS];
    unsigned distinct = 0;

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        bool is_new = true;

        seen[seed] = explore_once(&program, seed).fingerprint;
        EXPECT_EQ(seen[seed], explore_once(&program, seed).fingerprint);
        for (unsigned i = 0; i < seed; i++)
            is_new = is_new && seen[i] != seen[seed];
        distinct += is_new;
    }
    EXPECT(distinct > SEEDS / 2);
}
