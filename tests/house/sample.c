/* SPDX-License-Identifier: MIT */
/* Tests that end in every way a test can end; tests/house/runner.sh looks at what is made of them.
 */
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

TEST(passes)
{
    static const int numbers[] = {1, 2, 3};
    int sum = 0;

    EACH (number, numbers)
        sum += *number;
    EXPECT_EQ(6, sum);
    EXPECT_OK(STATUS_SUCCESS);
    EXPECT_TEXT("a", "a");
    EXPECT_BYTES("abc", "abc", 3);
}

TEST(fails_by_a_fact)
{
    EXPECT(1 == 2);
}

TEST(fails_by_a_number)
{
    EXPECT_EQ(1, 2);
}

TEST(fails_by_a_status)
{
    EXPECT_OK(STATUS_INVALID_PARAMETER);
}

TEST(fails_by_a_byte)
{
    EXPECT_BYTES("abc", "abd", 3);
}

static void *
fail_in_thread(void *context)
{
    (void)context;
    EXPECT(!"in a thread");
    return NULL;
}

TEST(fails_in_another_thread)
{
    pthread_t thread;

    pthread_create(&thread, NULL, fail_in_thread, NULL);
    pthread_join(thread, NULL);
    sleep(10); /* never reached: the process has ended */
}

TEST(crashes)
{
    raise(SIGSEGV);
}

TEST(leaves_in_the_middle)
{
    _exit(3);
}

TEST(hangs)
{
    for (;;)
        pause();
}

TEST(is_skipped)
{
    SKIP("on purpose");
}

static void
leave_file(const char *where)
{
    char path[4200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/left", where);
    file = fopen(path, "w");
    EXPECT(file != NULL);
    fclose(file);
}

TEST(leaves_a_file_and_a_process)
{
    leave_file(test_directory());
    if (fork() == 0)
        for (;;)
            pause();
}

TEST(leaves_a_file_in_memory)
{
    leave_file(test_memory_directory());
    printf("in memory: %s\n", test_memory_directory());
}

TEST(leaks)
{
    static void *volatile leaked;

    leaked = malloc(100);
    EXPECT(leaked != NULL);
    leaked = NULL;
}
