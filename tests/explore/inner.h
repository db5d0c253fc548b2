/* SPDX-License-Identifier: MIT */
/*
 * Inside the explorer. Everything here belongs to the thread whose turn it is; turns are handed
 * over through semaphores, so no lock is needed and sanitizers see the order.
 */
#pragma once

#include "tests/explore/explore.h"

#include <pthread.h>
#include <semaphore.h>

enum worker_state {
    WORKER_READY,
    WORKER_LOCKING, /* 'object' is a mutex */
    WORKER_WAITING, /* 'object' is a word */
    WORKER_POLLING, /* on 'fds' */
    WORKER_JOINING, /* 'object' is a worker */
    WORKER_DONE,
};

struct worker {
    sem_t turn;
    pthread_t thread;
    unsigned number;
    enum worker_state state;
    const void *object;
    const int *fds;
    size_t fd_count;
    uint64_t deadline;
    bool is_late; /* the deadline of its wait has passed */
    bool is_joined;
    int priority;
    const void *caller; /* of the step it is at */
    void (*run)(void *argument);
    void *argument;
};

enum step_kind {
    STEP_LOCK,
    STEP_UNLOCK,
    STEP_WAIT,
    STEP_WAKE,
    STEP_POLL,
    STEP_START,
    STEP_JOIN,
    STEP_ATOMIC,
    STEP_POINT,
    STEP_PAUSE,
    STEP_END,
};

struct step {
    uint8_t worker, kind;
    const void *object, *caller; /* STEP_POINT: 'object' is a text */
};

enum { WORKERS_MAX = 16, HELD_MAX = 64, CHANGES_MAX = 8, STEPS_MAX = 400000 };

struct strategy {
    bool has_priorities;
    uint32_t every;       /* random walk: at every n-th step, on average, somebody else */
    uint32_t preemptions; /* how many are left */
    uint32_t changes[CHANGES_MAX];
    unsigned change_count;
    int priority_lowest;
};

struct exploration {
    const struct explore_program *program;
    uint64_t seed;
    uint64_t random;  /* the scheduler's */
    uint64_t chances; /* the program's */
    struct strategy strategy;
    struct worker workers[WORKERS_MAX];
    unsigned worker_count;
    struct held {
        const void *mutex;
        struct worker *owner;
    } held[HELD_MAX];
    unsigned held_count;
    struct step *steps; /* STEPS_MAX */
    uint32_t step_count, switches;
    uint64_t fingerprint;
    enum explore_verdict verdict;
    bool is_running; /* the workers are */
    sem_t over;
    struct sys_sim *sim;
    struct sys *process;
    void (*interrupt)(void);
    uint32_t interrupt_at;
};

extern struct exploration *exploration;         /* NULL: none under way */
extern _Thread_local struct worker *worker_own; /* NULL: not one of ours, or looking away */

uint64_t explore_random(uint64_t *state);

/* ---- strategy.c ---- */

/* 'length': about how many steps a run takes. */
void strategy_init(struct exploration *it, uint32_t length);
/* Who goes on; NULL: nobody can. 'pauses': not 'self', if it can be helped. */
struct worker *strategy_choose(struct exploration *it, struct worker *self, bool pauses);

/* ---- scheduler.c ---- */

struct worker *worker_create(void (*run)(void *argument), void *argument);
void worker_join(struct worker *worker);
void worker_point(enum step_kind kind, const void *object, const void *caller);
/* Until somebody makes it ready again. */
void worker_block(enum worker_state state, const void *object, const void *caller);
/* All (or the first 'count', drawn) that are in this state because of the object. */
void workers_ready(enum worker_state state, const void *object, int count);
struct held *held_find(const void *mutex);
uint64_t explore_now(void);

/* ---- report.c ---- */

/* Says on stderr what happened, under which seed, and the schedule; the first time only. */
void report(const char *why);
/* Crashes of any kind while an exploration is under way are reported, too. */
void report_crashes(void);
