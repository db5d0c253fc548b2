/* SPDX-License-Identifier: MIT */
/* Threads, mutexes, waits and events. */
#include "tests/test.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sys/thread.h"
#include "tests/alloc.h"

#define MILLISECOND UINT64_C(1000000)

TEST(a_wait_on_a_word_that_has_changed_returns_at_once)
{
    _Atomic uint32_t word = 7;

    EXPECT(sys_wait(&word, 6, SYS_FOREVER));
    EXPECT(sys_wait(&word, 6, 0)); /* also when the deadline has passed: the word is what counts */
}

TEST(a_deadline_is_never_early)
{
    _Atomic uint32_t word = 7;

    for (int i = 0; i < 20; i++) {
        uint64_t deadline = sys_now() + 2 * MILLISECOND + (uint64_t)i * 12345;
        while (sys_wait(&word, 7, deadline))
            EXPECT(sys_now() < deadline + 10000 * MILLISECOND);
        EXPECT(sys_now() >= deadline);
    }
    EXPECT(!sys_wait(&word, 7, 0));
    EXPECT(!sys_wait(&word, 7, sys_now()));
}

struct ring {
    _Atomic uint32_t turn;
    _Atomic uint32_t arrived;
    unsigned rounds;
    struct sys_mutex mutex;
    uint64_t counter; /* under the mutex */
};

static void
wait_for_the_turn(void *context)
{
    struct ring *ring = context;

    ring->arrived++;
    sys_wake(&ring->arrived, 1);
    while (ring->turn == 0)
        EXPECT(sys_wait(&ring->turn, 0, SYS_FOREVER));
}

TEST(one_wake_lets_all_go)
{
    struct sys_thread *threads[8];
    struct ring ring = {0};

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        EXPECT_OK(sys_thread_start("waiter", wait_for_the_turn, &ring, &threads[i]));
    for (uint32_t seen; (seen = ring.arrived) < ARRAY_SIZE(threads);)
        sys_wait(&ring.arrived, seen, SYS_FOREVER);
    ring.turn = 1;
    sys_wake(&ring.turn, INT_MAX);
    EACH (thread, threads)
        sys_thread_join(*thread);
}

static void
ping(void *context)
{
    struct ring *ring = context;

    for (uint32_t i = 0; i < ring->rounds; i++) {
        for (uint32_t seen; (seen = ring->turn) != 2 * i + 1;)
            sys_wait(&ring->turn, seen, SYS_FOREVER);
        ring->turn = 2 * i + 2;
        sys_wake(&ring->turn, 1);
    }
}

TEST(no_wake_is_lost_in_a_long_ping_pong) /* INV-15 */
{
    struct ring ring = {.rounds = 2000};
    struct sys_thread *thread;

    EXPECT_OK(sys_thread_start("ping", ping, &ring, &thread));
    for (uint32_t i = 0; i < ring.rounds; i++) {
        ring.turn = 2 * i + 1;
        sys_wake(&ring.turn, 1);
        for (uint32_t seen; (seen = ring.turn) != 2 * i + 2;)
            sys_wait(&ring.turn, seen, SYS_FOREVER);
    }
    sys_thread_join(thread);
}

static void
count(void *context)
{
    struct ring *ring = context;

    for (unsigned i = 0; i < ring->rounds; i++) {
        sys_mutex_lock(&ring->mutex);
        ring->counter++;
        sys_mutex_unlock(&ring->mutex);
    }
}

TEST(a_mutex_excludes)
{
    struct ring ring = {.rounds = 20000};
    struct sys_thread *threads[4];

    sys_mutex_init(&ring.mutex);
    EACH (thread, threads)
        EXPECT_OK(sys_thread_start("counter", count, &ring, thread));
    EACH (thread, threads)
        sys_thread_join(*thread);
    EXPECT_EQ(80000, ring.counter);
    sys_mutex_deinit(&ring.mutex);
}

/* ---- threads ---- */

static volatile sig_atomic_t handled_by_main;
static pthread_t main_thread;

static void
handle(int number)
{
    (void)number;
    handled_by_main = pthread_equal(pthread_self(), main_thread) ? 1 : -1;
}

static void
observe(void *context)
{
    char *name = context;
    sigset_t blocked;

    pthread_getname_np(pthread_self(), name, 16);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    EXPECT(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1));
    EXPECT(sigismember(&blocked, SIGCHLD) && sigismember(&blocked, SIGALRM));
    EXPECT(!sigismember(&blocked, SIGSEGV) && !sigismember(&blocked, SIGABRT));
    kill(getpid(), SIGUSR1); /* to the process: whichever thread will have it */
}

TEST(a_thread_has_its_name_and_leaves_signals_to_the_program)
{
    struct sigaction action = {.sa_handler = handle};
    struct sys_thread *thread;
    sigset_t before, after;
    char name[16];

    main_thread = pthread_self();
    sigaction(SIGUSR1, &action, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    EXPECT_OK(sys_thread_start("a-name-that-is-too-long", observe, name, &thread));
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    EXPECT_BYTES(&before, &after, 64 / 8); /* the kernel has 64 signals, the type room for 1024 */
    sys_thread_join(thread);
    EXPECT_EQ(1, handled_by_main);
}

static void
nothing(void *context)
{
    (void)context;
}

TEST(a_thread_that_cannot_be_started_is_refused)
{
    struct sys_thread *thread = NULL;

    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, sys_thread_start("x", nothing, NULL, &thread));
    EXPECT(alloc_fail_stop());
    EXPECT(!thread);
    sys_thread_join(thread); /* NULL: nothing */
}

TEST(a_system_that_has_no_room_for_a_thread_is_an_answer)
{
    struct rlimit before, none;
    struct sys_thread *thread = NULL;
    NTSTATUS status;

    if (geteuid() != 0)
        SKIP("needs root, to become a user who may have no threads");
    EXPECT_EQ(0, getrlimit(RLIMIT_NPROC, &before));
    none = (struct rlimit){0, before.rlim_max};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &none));
    EXPECT_EQ(0, setresuid(65534, 65534, 0));
    status = sys_thread_start("x", nothing, NULL, &thread);
    EXPECT_EQ(0, setresuid(0, 0, 0));
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &before));
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
    EXPECT(!thread);
}

/* ---- events ---- */

static bool
is_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};

    return poll(&entry, 1, 0) == 1;
}

TEST(an_event_is_readable_exactly_while_it_is_set)
{
    int fd;

    EXPECT_OK(sys_event_create(&fd));
    EXPECT(!is_readable(fd));
    sys_event_clear(fd); /* nothing to clear: must not block */
    sys_event_set(fd);
    EXPECT(is_readable(fd));
    sys_event_set(fd);
    EXPECT(is_readable(fd));
    sys_event_clear(fd);
    EXPECT(!is_readable(fd));
    sys_event_destroy(fd);
}

TEST(an_event_that_is_full_is_set_all_the_same)
{
    static const uint64_t almost = UINT64_MAX - 1;
    int fd;

    EXPECT_OK(sys_event_create(&fd));
    EXPECT_EQ(8, write(fd, &almost, sizeof(almost)));
    sys_event_set(fd); /* must not block, must not be a bug */
    EXPECT(is_readable(fd));
    sys_event_clear(fd);
    EXPECT(!is_readable(fd));
    sys_event_destroy(fd);
}

static void
set_later(void *context)
{
    nanosleep(&(struct timespec){.tv_nsec = 3 * MILLISECOND}, NULL);
    sys_event_set(*(int *)context);
}

TEST(a_wait_for_events_ends_with_the_first_that_is_set_or_at_the_deadline)
{
    struct sys_thread *thread;
    uint64_t deadline;
    int fds[3];

    EACH (fd, fds)
        EXPECT_OK(sys_event_create(fd));
    EXPECT(!sys_event_wait(fds, 3, 0));
    deadline = sys_now() + 3 * MILLISECOND + 123;
    while (sys_event_wait(fds, 3, deadline))
        ;
    EXPECT(sys_now() >= deadline);
    EXPECT_OK(sys_thread_start("setter", set_later, &fds[2], &thread));
    while (!is_readable(fds[2]))
        EXPECT(sys_event_wait(fds, 3, SYS_FOREVER));
    sys_thread_join(thread);
    EXPECT(sys_event_wait(fds, 3, 0)); /* set already: the deadline does not matter */
    EACH (fd, fds)
        sys_event_destroy(*fd);
}

TEST(without_descriptors_an_event_is_refused)
{
    struct rlimit none;
    int fd = -7;

    EXPECT_EQ(0, getrlimit(RLIMIT_NOFILE, &none));
    none.rlim_cur = 3;
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, sys_event_create(&fd));
    EXPECT_EQ(-7, fd);
    none.rlim_cur = none.rlim_max;
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &none)); /* leak checkers need some at the end */
}

TEST(now_runs_forward)
{
    uint64_t before = sys_now();

    for (int i = 0; i < 10000; i++) {
        uint64_t now = sys_now();
        EXPECT(now >= before);
        before = now;
    }
}

struct loner {
    struct sys_thread *thread;
    _Atomic uint32_t go, is_over;
};

static void
leave_alone(void *context)
{
    struct loner *loner = context;

    while (!atomic_load(&loner->go))
        sys_wait(&loner->go, 0, SYS_FOREVER);
    sys_thread_detach(loner->thread);
    atomic_store(&loner->is_over, 1);
    sys_wake(&loner->is_over, INT_MAX);
}

TEST(a_thread_may_go_without_being_waited_for)
{
    static struct loner loner;

    EXPECT_OK(sys_thread_start("loner", leave_alone, &loner, &loner.thread));
    atomic_store(&loner.go, 1);
    sys_wake(&loner.go, INT_MAX);
    while (!atomic_load(&loner.is_over))
        EXPECT(sys_wait(&loner.is_over, 0, sys_now() + 10000 * MILLISECOND));
}
