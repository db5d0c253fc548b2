/* SPDX-License-Identifier: MIT */
/* What a program prints never lands in a file of ours, though its standard streams were closed. */
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/descriptor.h"
#include "sys/sys.h"
#include "sys/tree.h"

TEST(a_descriptor_that_is_no_standard_stream_is_passed)
{
    int fd = open("/dev/null", O_RDONLY);

    EXPECT(fd > STDERR_FILENO);
    EXPECT_EQ(fd, descriptor_raise(fd));
    EXPECT_EQ(0, close(fd));
    EXPECT_EQ(-1, descriptor_raise(-1));
}

/* In a child without standard streams; 0: all are above them. */
static int
open_everything(const char *path)
{
    struct tree *tree = tree_linux();
    struct sys_file *file;
    int directory, made, again;

    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        close(fd);
    if (sys_file_open(sys_linux(), path, SYS_WRITE | SYS_CREATE, &file) != STATUS_SUCCESS ||
        fcntl(STDIN_FILENO, F_GETFD) >= 0)
        return 1;
    if (tree_open(tree, TREE_NOWHERE, "/tmp", TREE_OPEN_DIRECTORY, &directory) != STATUS_SUCCESS ||
        directory <= STDERR_FILENO)
        return 2;
    if (tree_file_make(tree, directory, 0600, &made) != STATUS_SUCCESS || made <= STDERR_FILENO)
        return 3;
    if (tree_open_again(tree, made, &again) != STATUS_SUCCESS || again <= STDERR_FILENO)
        return 4;
    return 0;
}

TEST(files_are_never_the_standard_streams)
{
    char path[300];
    int status;
    pid_t child;

    snprintf(path, sizeof(path), "%s/file", test_directory());
    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(open_everything(path));
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT_EQ(0, status);
}
