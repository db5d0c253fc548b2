/* SPDX-License-Identifier: MIT */
/* Away from the standard streams. */
#include "sys/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
descriptor_raise(int fd)
{
    int raised, error;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno;
    close(fd);
    errno = error;
    return raised;
}
