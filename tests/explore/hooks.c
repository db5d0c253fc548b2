/* SPDX-License-Identifier: MIT */
/*
 * The twin of sys/thread.h: what the linker puts in the place of its functions, and of the two of
 * pthreads behind its mutex. A worker's calls are steps; everybody else's are what they always are.
 *
 * The real mutex is taken, too, once the scheduler has found it free: so sanitizers see it held.
 */
#include "tests/explore/inner.h"

#include "sys/thread.h"
#include "tests/explore/atomics.h"

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
bool __real_sys_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline);
void __real_sys_wake(_Atomic uint32_t *word, int count);
NTSTATUS __real_sys_thread_start(const char *name, void (*run)(void *context), void *context,
                                 struct sys_thread **out);
void __real_sys_thread_join(struct sys_thread *thread);
void __real_sys_event_set(int fd);
bool __real_sys_event_wait(const int *fds, size_t count, uint64_t deadline);
uint64_t __real_sys_now(void);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
bool __wrap_sys_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline);
void __wrap_sys_wake(_Atomic uint32_t *word, int count);
NTSTATUS __wrap_sys_thread_start(const char *name, void (*run)(void *context), void *context,
                                 struct sys_thread **out);
void __wrap_sys_thread_join(struct sys_thread *thread);
void __wrap_sys_event_set(int fd);
bool __wrap_sys_event_wait(const int *fds, size_t count, uint64_t deadline);
uint64_t __wrap_sys_now(void);

#define CALLER __builtin_return_address(0)

/* ---- mutexes ---- */

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct worker *self = worker_own;

    if (!self)
        return __real_pthread_mutex_lock(mutex);
    worker_point(STEP_LOCK, mutex, CALLER);
    while (held_find(mutex)) /* also by itself: then it is stuck, and said to be */
        worker_block(WORKER_LOCKING, mutex, CALLER);
    CHECK(exploration->held_count < HELD_MAX);
    exploration->held[exploration->held_count++] = (struct held){mutex, self};
    return __real_pthread_mutex_lock(mutex);
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct worker *self = worker_own;
    int error = __real_pthread_mutex_unlock(mutex);
    struct held *held;

    if (!self)
        return error;
    held = held_find(mutex);
    CHECK(held && held->owner == self);
    *held = exploration->held[--exploration->held_count];
    workers_ready(WORKER_LOCKING, mutex, WORKERS_MAX);
    worker_point(STEP_UNLOCK, mutex, CALLER);
    return error;
}

/* ---- words ---- */

/* A futex may wake for no reason. */
static bool
wakes_early(void)
{
    return exploration->seed != 0 && explore_random(&exploration->random) % 64 == 0;
}

bool
__wrap_sys_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline)
{
    struct worker *self = worker_own;

    if (!self)
        return __real_sys_wait(word, seen, deadline);
    worker_point(STEP_WAIT, word, CALLER);
    if (__atomic_load_n((uint32_t *)word, __ATOMIC_SEQ_CST) != seen || wakes_early())
        return true;
    if (deadline <= explore_now())
        return false;
    self->deadline = deadline;
    worker_block(WORKER_WAITING, word, CALLER);
    return !self->is_late;
}

void
__wrap_sys_wake(_Atomic uint32_t *word, int count)
{
    if (!worker_own) {
        __real_sys_wake(word, count);
        return;
    }
    worker_point(STEP_WAKE, word, CALLER);
    workers_ready(WORKER_WAITING, word, count);
}

/* ---- threads ---- */

NTSTATUS
__wrap_sys_thread_start(const char *name, void (*run)(void *context), void *context,
                        struct sys_thread **out)
{
    if (!worker_own)
        return __real_sys_thread_start(name, run, context, out);
    *out = (struct sys_thread *)worker_create(run, context);
    worker_point(STEP_START, *out, CALLER);
    return STATUS_SUCCESS;
}

static bool
is_worker(const void *thread)
{
    const struct exploration *it = exploration;

    return it && (const char *)thread >= (const char *)it->workers &&
           (const char *)thread < (const char *)(it->workers + WORKERS_MAX);
}

void
__wrap_sys_thread_join(struct sys_thread *thread)
{
    struct worker *worker = (struct worker *)thread;

    if (!is_worker(thread)) {
        __real_sys_thread_join(thread);
        return;
    }
    if (worker_own) {
        worker_point(STEP_JOIN, worker, CALLER);
        while (worker->state != WORKER_DONE)
            worker_block(WORKER_JOINING, worker, CALLER);
    }
    worker_join(worker);
}

/* ---- descriptors and time ---- */

void
__wrap_sys_event_set(int fd)
{
    __real_sys_event_set(fd);
    if (worker_own)
        worker_point(STEP_WAKE, NULL, CALLER);
}

bool
__wrap_sys_event_wait(const int *fds, size_t count, uint64_t deadline)
{
    struct worker *self = worker_own;

    if (!self)
        return __real_sys_event_wait(fds, count, deadline);
    worker_point(STEP_POLL, NULL, CALLER);
    if (__real_sys_event_wait(fds, count, 0))
        return true;
    if (deadline <= explore_now())
        return false;
    self->fds = fds;
    self->fd_count = count;
    self->deadline = deadline;
    worker_block(WORKER_POLLING, NULL, CALLER);
    return !self->is_late;
}

uint64_t
__wrap_sys_now(void)
{
    return exploration ? explore_now() : __real_sys_now();
}

/* ---- atomic operations, and the program's own points ---- */

void
explore_atomic(void)
{
    if (worker_own)
        worker_point(STEP_ATOMIC, NULL, CALLER);
}

void
explore_point(const char *what)
{
    if (worker_own)
        worker_point(STEP_POINT, what, CALLER);
}

void
explore_pause(const char *what)
{
    if (worker_own)
        worker_point(STEP_PAUSE, what, CALLER);
}
