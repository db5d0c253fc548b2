/* SPDX-License-Identifier: MIT */
/* What is to be done in forked children. */
#include "tests/test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "sys/thread.h"

static unsigned forks;

static void
count_fork(void)
{
    forks++;
}

TEST(a_forked_child_is_told_and_its_parent_not)
{
    int status;

    sys_on_fork(count_fork);
    if (fork() == 0)
        _exit(forks == 1 ? 0 : 1);
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_EQ(0, forks);
}
