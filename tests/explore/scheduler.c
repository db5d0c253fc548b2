/* SPDX-License-Identifier: MIT */
/* Turns: one worker runs, the others sleep on their semaphores; time; ends. */
#include "tests/explore/inner.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

struct exploration *exploration;
_Thread_local struct worker *worker_own;

/* ---- time ---- */

uint64_t
explore_now(void)
{
    struct worker *self = worker_own;
    uint64_t now;

    if (!exploration->process)
        return 1000000000;
    worker_own = NULL; /* the machine locks: that is not a step */
    now = sys_time_monotonic(exploration->process);
    worker_own = self;
    return now;
}

/* The earliest deadline comes; false: nobody has one. */
static bool
time_passes(struct exploration *it)
{
    struct worker *first = NULL;
    uint64_t now = explore_now();
    struct worker *self = worker_own;

    for (unsigned i = 0; i < it->worker_count; i++) {
        struct worker *worker = &it->workers[i];

        if ((worker->state == WORKER_WAITING || worker->state == WORKER_POLLING) &&
            worker->deadline != UINT64_MAX && (!first || worker->deadline < first->deadline))
            first = worker;
    }
    if (!first)
        return false;
    worker_own = NULL;
    if (it->sim && first->deadline > now)
        sys_sim_advance(it->sim, first->deadline - now);
    worker_own = self;
    first->is_late = true;
    first->state = WORKER_READY;
    return true;
}

/* ---- readiness ---- */

void
workers_ready(enum worker_state state, const void *object, int count)
{
    struct exploration *it = exploration;
    struct worker *found[WORKERS_MAX];
    int n = 0;

    for (unsigned i = 0; i < it->worker_count; i++)
        if (it->workers[i].state == state && it->workers[i].object == object)
            found[n++] = &it->workers[i];
    while (n > 0 && count-- > 0) {
        int which = (int)(explore_random(&it->random) % (unsigned)n);

        found[which]->state = WORKER_READY;
        found[which] = found[--n];
    }
}

static void
poll_descriptors(struct exploration *it)
{
    for (unsigned i = 0; i < it->worker_count; i++) {
        struct worker *worker = &it->workers[i];

        if (worker->state != WORKER_POLLING)
            continue;
        for (size_t n = 0; n < worker->fd_count; n++) {
            struct pollfd polled = {.fd = worker->fds[n], .events = POLLIN};

            if (poll(&polled, 1, 0) == 1)
                worker->state = WORKER_READY;
        }
    }
}

/* ---- turns ---- */

/* Its turn never comes again. */
static void
sleep_for_ever(struct worker *self)
{
    for (;;)
        sem_wait(&self->turn);
}

static void
give_up(enum explore_verdict verdict)
{
    exploration->verdict = verdict;
    sem_post(&exploration->over);
}

static bool
all_done(const struct exploration *it)
{
    for (unsigned i = 0; i < it->worker_count; i++)
        if (it->workers[i].state != WORKER_DONE)
            return false;
    return true;
}

static struct worker *
next_worker(struct exploration *it, struct worker *self, bool pauses)
{
    struct worker *next;

    poll_descriptors(it);
    while (!(next = strategy_choose(it, self, pauses)))
        if (!time_passes(it))
            return NULL;
    return next;
}

/* The turn goes to whoever is chosen, and comes back some time. */
static void
yield(struct worker *self, bool pauses)
{
    struct exploration *it = exploration;
    bool is_done = self->state == WORKER_DONE;
    struct worker *next = next_worker(it, self, pauses);

    if (next == self)
        return;
    if (!next) {
        give_up(all_done(it) ? EXPLORE_FINE : EXPLORE_STUCK);
    } else {
        it->switches++;
        sem_post(&next->turn); /* from here on nothing is ours */
    }
    if (is_done)
        return;
    while (sem_wait(&self->turn) != 0)
        CHECK(errno == EINTR);
}

static void
step_note(struct worker *self, enum step_kind kind, const void *object, const void *caller)
{
    struct exploration *it = exploration;

    self->caller = caller;
    if (it->step_count == STEPS_MAX) {
        give_up(EXPLORE_ENDLESS);
        sleep_for_ever(self);
    }
    it->steps[it->step_count] = (struct step){(uint8_t)self->number, kind, object, caller};
    __atomic_store_n(&it->step_count, it->step_count + 1, __ATOMIC_RELAXED); /* await() looks */
    it->fingerprint = (it->fingerprint ^ (self->number * 16u + kind)) * 0x100000001B3u;
    if (it->interrupt && it->step_count == it->interrupt_at) {
        worker_own = NULL;
        it->interrupt();
        worker_own = self;
    }
}

void
worker_point(enum step_kind kind, const void *object, const void *caller)
{
    struct worker *self = worker_own;

    step_note(self, kind, object, caller);
    yield(self, kind == STEP_PAUSE);
}

void
worker_block(enum worker_state state, const void *object, const void *caller)
{
    struct worker *self = worker_own;

    self->state = state;
    self->object = object;
    self->caller = caller;
    self->is_late = false;
    yield(self, false);
}

struct held *
held_find(const void *mutex)
{
    for (unsigned i = 0; i < exploration->held_count; i++)
        if (exploration->held[i].mutex == mutex)
            return &exploration->held[i];
    return NULL;
}

/* ---- workers ---- */

static void *
worker_main(void *argument)
{
    struct worker *self = argument;

    while (sem_wait(&self->turn) != 0)
        CHECK(errno == EINTR);
    worker_own = self;
    self->run(self->argument);
    step_note(self, STEP_END, NULL, self->run);
    self->state = WORKER_DONE;
    workers_ready(WORKER_JOINING, self, WORKERS_MAX);
    worker_own = NULL;
    yield(self, false);
    return NULL;
}

struct worker *
worker_create(void (*run)(void *argument), void *argument)
{
    struct exploration *it = exploration;
    struct worker *worker = &it->workers[it->worker_count];

    CHECK(it->worker_count < WORKERS_MAX);
    *worker = (struct worker){.number = it->worker_count,
                              .run = run,
                              .argument = argument,
                              .priority = 1 + (int)(explore_random(&it->random) % 1000000)};
    CHECK(sem_init(&worker->turn, 0, 0) == 0);
    CHECK(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
    it->worker_count++;
    return worker;
}

void
worker_join(struct worker *worker)
{
    if (worker->is_joined)
        return;
    CHECK(pthread_join(worker->thread, NULL) == 0);
    sem_destroy(&worker->turn);
    worker->is_joined = true;
}

/* ---- a run ---- */

/* Waits until all have returned; a worker that computes without any step is beyond our reach. */
static void
await(struct exploration *it)
{
    uint32_t seen = 0;
    int idle = 0;

    for (;;) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (sem_timedwait(&it->over, &until) == 0)
            return;
        idle = __atomic_load_n(&it->step_count, __ATOMIC_RELAXED) == seen ? idle + 1 : 0;
        seen = __atomic_load_n(&it->step_count, __ATOMIC_RELAXED);
        if (idle == 40) {
            test_fail(__FILE__, __LINE__, "a thread computes for ever");
        }
    }
}

static void
run_workers(struct exploration *it)
{
    struct worker nobody = {.state = WORKER_DONE};
    struct worker *first;

    for (unsigned i = 0; i < EXPLORE_THREADS && it->program->threads[i].run; i++)
        worker_create(it->program->threads[i].run, it->program->threads[i].argument);
    it->is_running = true;
    first = strategy_choose(it, &nobody, false);
    sem_post(&first->turn);
    await(it);
    it->is_running = false;
    for (unsigned i = 0; i < it->worker_count; i++)
        if (it->workers[i].state == WORKER_DONE)
            worker_join(&it->workers[i]);
        else /* it sleeps for ever */
            pthread_detach(it->workers[i].thread);
}

/* About how long the program is, from its run without preemptions; measured once. */
static uint32_t
length_of(const struct explore_program *program)
{
    static const struct explore_program *measured;
    static uint32_t length;

    if (measured != program) {
        measured = program;
        length = 256; /* for a run of seed 0 it does not matter */
        length = explore_once(program, 0).steps;
    }
    return length;
}

static struct exploration *
exploration_create(const struct explore_program *program, uint64_t seed)
{
    uint32_t length = length_of(program);
    struct exploration *it = calloc(1, sizeof(*it));

    CHECK(it);
    it->steps = calloc(STEPS_MAX, sizeof(*it->steps));
    CHECK(it->steps);
    it->program = program;
    it->seed = seed;
    it->random = seed * 0x9E3779B97F4A7C15u + 17;
    it->chances = seed * 0xD1B54A32D192ED03u + 99;
    it->fingerprint = 0xCBF29CE484222325u;
    CHECK(sem_init(&it->over, 0, 0) == 0);
    strategy_init(it, length);
    it->interrupt_at = 1 + (uint32_t)(explore_random(&it->chances) % length);
    return it;
}

struct explore_result
explore_once(const struct explore_program *program, uint64_t seed)
{
    struct exploration *it = exploration_create(program, seed);
    struct explore_result result;

    exploration = it;
    if (program->begin)
        program->begin();
    run_workers(it);
    if (it->verdict == EXPLORE_FINE && program->end)
        program->end();
    if (it->verdict == EXPLORE_FINE && program->is_wrong && program->is_wrong())
        it->verdict = EXPLORE_WRONG;
    result = (struct explore_result){.verdict = it->verdict,
                                     .seed = seed,
                                     .fingerprint = it->fingerprint,
                                     .steps = it->step_count,
                                     .switches = it->switches};
    if (it->verdict == EXPLORE_STUCK || it->verdict == EXPLORE_ENDLESS)
        return result; /* it stays what it is: the sleeping workers need it */
    exploration = NULL;
    sem_destroy(&it->over);
    free(it->steps);
    free(it);
    return result;
}
