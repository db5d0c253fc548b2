/* SPDX-License-Identifier: MIT */
/* The macro dialect: TRY, CHECK, owned, give; and where statuses are born. */
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int destroyed;

struct thing {
    int number;
};

static void
thing_destroy(struct thing *thing)
{
    if (thing)
        destroyed += thing->number;
}
OWNED_BY(struct thing, thing_destroy)

TEST(owned_lets_go_at_the_end_of_the_scope_and_give_hands_over)
{
    static struct thing one = {1}, ten = {10};
    struct thing *taken;

    {
        owned(thing_destroy) struct thing *kept = &one;
        owned(thing_destroy) struct thing *given = &ten;
        EXPECT_EQ(1, kept->number);
        taken = give(given);
        EXPECT(!given);
    }
    EXPECT_EQ(1, destroyed);
    EXPECT(taken == &ten);
}

static int reached;

static NTSTATUS
passes_on(NTSTATUS status)
{
    TRY(status);
    reached++;
    return STATUS_SUCCESS;
}

TEST(try_passes_on_everything_but_success)
{
    static const NTSTATUS others[] = {STATUS_PENDING, STATUS_DISK_FULL, STATUS_LOG_NO_RESTART, -1};

    EACH (other, others)
        EXPECT_STATUS(*other, passes_on(*other));
    EXPECT_EQ(0, reached);
    EXPECT_OK(passes_on(STATUS_SUCCESS));
    EXPECT_EQ(1, reached);
}

static NTSTATUS
counts(int *count)
{
    TRY(((*count)++, STATUS_SUCCESS));
    return STATUS_SUCCESS;
}

TEST(try_evaluates_its_expression_once)
{
    int count = 0;

    EXPECT_OK(counts(&count));
    EXPECT_EQ(1, count);
}

TEST(check_stops_the_process_and_says_which_fact)
{
    int ends[2], status;
    char text[512] = "";
    pid_t child;

    EXPECT_EQ(0, pipe(ends));
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        CHECK(1 + 1 == 2);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    EXPECT(read(ends[0], text, sizeof(text) - 1) > 0);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    EXPECT(strstr(text, "1 + 1 == 3"));
    EXPECT(!strstr(text, "1 + 1 == 2"));
    EXPECT(strstr(text, __FILE__));
}

static void *
birth_in_thread(void *unused)
{
    (void)unused;
    EXPECT(!status_last_birth().file);
    EXPECT_STATUS(STATUS_DISK_FULL, status_raise(STATUS_DISK_FULL));
    EXPECT_STATUS(STATUS_DISK_FULL, status_last_birth().status);
    return NULL;
}

TEST(a_status_remembers_per_thread_where_it_was_born)
{
    pthread_t thread;
    int line;

    line = __LINE__ + 1;
    EXPECT_STATUS(STATUS_NOT_FOUND, status_raise(STATUS_NOT_FOUND));
    EXPECT_EQ(0, pthread_create(&thread, NULL, birth_in_thread, NULL));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_STATUS(STATUS_NOT_FOUND, status_last_birth().status);
    EXPECT_EQ(line, status_last_birth().line);
    EXPECT_TEXT(__FILE__, status_last_birth().file);
}
