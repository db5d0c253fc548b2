/* SPDX-License-Identifier: MIT */
/*
 * Threads, mutexes and waits. Not part of the 'struct sys' table: the simulation runs in one
 * thread.
 *
 * A wait is on a 32-bit word: wait while it still has the value seen, wake after changing it. The
 * word is the condition, so no wake-up can be lost [INV-15].
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

struct sys_mutex {
    pthread_mutex_t mutex;
};

void sys_mutex_init(struct sys_mutex *mutex); /* spins a little before it sleeps */
void sys_mutex_deinit(struct sys_mutex *mutex);

static inline void
sys_mutex_lock(struct sys_mutex *mutex)
{
    int error = pthread_mutex_lock(&mutex->mutex);
    CHECK(error == 0);
}

static inline void
sys_mutex_unlock(struct sys_mutex *mutex)
{
    int error = pthread_mutex_unlock(&mutex->mutex);
    CHECK(error == 0);
}

/* Work that is put off until a thread would wait for others: between the two, who is called back
 * on it may leave to the second what takes time. Nobody does before 'by' was called. */
void sys_put_off_by(void (*open)(void), void (*close)(void));
bool sys_put_off_open(void);
void sys_put_off_close(bool was_open); /* what sys_put_off_open said */

#define SYS_FOREVER UINT64_MAX

/* Sleeps while *word == seen, at most until 'deadline' (CLOCK_MONOTONIC nanoseconds). May return
 * early for no reason: the caller looks again. False: the deadline has passed. */
bool sys_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline);
void sys_wake(_Atomic uint32_t *word, int count); /* INT_MAX: all, with one system call */

struct sys_thread;
NTSTATUS sys_thread_start(const char *name, void (*run)(void *context), void *context,
                          struct sys_thread **out) must_use;
void sys_thread_join(struct sys_thread *thread); /* waits for its end and frees it; NULL: nothing */
/* Called by the thread itself, which nobody will join: frees it. */
void sys_thread_detach(struct sys_thread *thread);

/* A descriptor that poll() finds readable while it is set. */
NTSTATUS sys_event_create(int *fd) must_use;
void sys_event_set(int fd);
void sys_event_clear(int fd);
void sys_event_destroy(int fd);
/* Sleeps until one of the descriptors is set, at most until 'deadline'. May return early for no
 * reason: the caller looks again. False: the deadline has passed. At most 64. */
bool sys_event_wait(const int *fds, size_t count, uint64_t deadline);

uint64_t sys_now(void); /* CLOCK_MONOTONIC, nanoseconds: the clock of sys_wait deadlines */

/* The process, so that what a forked child inherited can be told from its own. */
uint64_t sys_process_id(void);
/* Has 'child' called in every child that this process forks, before fork returns there. */
void sys_on_fork(void (*child)(void));
