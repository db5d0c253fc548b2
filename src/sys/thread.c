/* SPDX-License-Identifier: MIT */
/* Threads, mutexes, waits on a word, and descriptors that can be polled. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sys/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/error.h"

#define NANOSECONDS 1000000000u

void
sys_mutex_init(struct sys_mutex *mutex)
{
    pthread_mutexattr_t kind;
    int error;

    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
    error = pthread_mutex_init(&mutex->mutex, &kind);
    CHECK(error == 0); /* nothing is allocated for a private mutex */
    pthread_mutexattr_destroy(&kind);
}

void
sys_mutex_deinit(struct sys_mutex *mutex)
{
    int error = pthread_mutex_destroy(&mutex->mutex);

    CHECK(error == 0); /* EBUSY: still locked */
}

static long
futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *deadline)
{
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, deadline, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

bool
sys_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline / NANOSECONDS),
        .tv_nsec = (long)(deadline % NANOSECONDS),
    };

    /* WAIT_BITSET is the futex call whose deadline is a moment and not a duration. */
    if (futex(word, FUTEX_WAIT_BITSET, seen, deadline == SYS_FOREVER ? NULL : &until) == 0)
        return true;
    CHECK(errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    return errno != ETIMEDOUT;
}

void
sys_wake(_Atomic uint32_t *word, int count)
{
    long woken = futex(word, FUTEX_WAKE, (uint32_t)count, NULL);

    CHECK(woken >= 0);
}

/* ---- threads ---- */

struct sys_thread {
    pthread_t thread;
    void (*run)(void *context);
    void *context;
};

static void *
thread_main(void *argument)
{
    struct sys_thread *self = argument;

    self->run(self->context);
    return NULL;
}

/* A thread of ours must never be the one that runs the program's signal handlers; only what says
 * that this very thread is broken, and profilers, may interrupt it. */
static void
signals_of_a_thread(sigset_t *set)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};

    sigfillset(set);
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        sigdelset(set, kept[i]);
}

NTSTATUS
sys_thread_start(const char *name, void (*run)(void *context), void *context,
                 struct sys_thread **out)
{
    struct sys_thread *made = malloc(sizeof(*made));
    sigset_t blocked, before;
    char shown[16]; /* all that the kernel keeps */
    int error;

    if (!made)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *made = (struct sys_thread){.run = run, .context = context};
    signals_of_a_thread(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    error = pthread_create(&made->thread, NULL, thread_main, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        free(made);
        return status_raise(status_of_errno(error));
    }
    snprintf(shown, sizeof(shown), "%s", name);
    pthread_setname_np(made->thread, shown);
    *out = made;
    return STATUS_SUCCESS;
}

void
sys_thread_join(struct sys_thread *thread)
{
    int error;

    if (!thread)
        return;
    error = pthread_join(thread->thread, NULL);
    CHECK(error == 0); /* EDEADLK: a thread that waits for itself */
    free(thread);
}

void
sys_thread_detach(struct sys_thread *thread)
{
    int error;

    CHECK(pthread_equal(thread->thread, pthread_self()));
    error = pthread_detach(thread->thread);
    CHECK(error == 0);
    free(thread);
}

/* ---- events ---- */

NTSTATUS
sys_event_create(int *fd)
{
    int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (made < 0)
        return status_raise(status_of_errno(errno));
    *fd = made;
    return STATUS_SUCCESS;
}

void
sys_event_set(int fd)
{
    static const uint64_t one = 1;
    ssize_t n = UNINTERRUPTED(write(fd, &one, sizeof(one)));

    CHECK(n == sizeof(one) || errno == EAGAIN); /* as full as it gets is set all the same */
}

void
sys_event_clear(int fd)
{
    uint64_t count;
    ssize_t n = UNINTERRUPTED(read(fd, &count, sizeof(count)));

    CHECK(n == sizeof(count) || errno == EAGAIN); /* was not set */
}

void
sys_event_destroy(int fd)
{
    close(fd);
}

bool
sys_event_wait(const int *fds, size_t count, uint64_t deadline)
{
    struct pollfd polled[64];
    uint64_t now = sys_now();
    uint64_t left = deadline > now ? deadline - now : 0;
    struct timespec wait = {.tv_sec = (time_t)(left / NANOSECONDS),
                            .tv_nsec = (long)(left % NANOSECONDS)};
    int ready;

    CHECK(count <= ARRAY_SIZE(polled));
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    ready = ppoll(polled, count, deadline == SYS_FOREVER ? NULL : &wait, NULL);
    CHECK(ready >= 0 || errno == EINTR || errno == ENOMEM);
    return ready != 0;
}

uint64_t
sys_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

uint64_t
sys_process_id(void)
{
    return (uint64_t)getpid();
}

/* ---- what is put off ---- */

static void (*_Atomic put_off_open)(void);
static void (*_Atomic put_off_close)(void);

void
sys_put_off_by(void (*open)(void), void (*close)(void))
{
    atomic_store(&put_off_close, close);
    atomic_store(&put_off_open, open);
}

bool
sys_put_off_open(void)
{
    void (*open)(void) = atomic_load(&put_off_open);

    if (open)
        open();
    return open != NULL;
}

void
sys_put_off_close(bool was_open)
{
    if (was_open)
        atomic_load (&put_off_close)();
}
