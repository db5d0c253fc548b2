/* SPDX-License-Identifier: MIT */
/* Reading what comes when it comes. */
#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "sys/thread.h"

bool
stream_is_one(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* Without waiting for a writer; poll does that, and can be interrupted. */
NTSTATUS
stream_open(struct stream *stream, const char *path, struct complaint *why)
{
    stream->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (stream->fd < 0)
        return complain(why, STATUS_ACCESS_DENIED, "cannot read %s: %s", QUOTE(path),
                        strerror(errno));
    return STATUS_SUCCESS;
}

void
stream_close(struct stream *stream)
{
    (void)close(stream->fd); /* it was only read */
}

/* For a second at most: a signal may come just before the wait begins. */
static NTSTATUS
wait_for_bytes(const struct stream *stream, bool *is_ready)
{
    struct pollfd wanted = {.fd = stream->fd, .events = POLLIN};
    uint64_t now = sys_now(), left = stream->deadline > now ? stream->deadline - now : 0;
    int count;

    if (interrupt_name())
        return status_raise(STATUS_CANCELLED);
    if (left == 0)
        return status_raise(STATUS_ROLLBACK_TIMER_EXPIRED);
    count = poll(&wanted, 1, left < 1000000000 ? (int)(left / 1000000) + 1 : 1000);
    if (count < 0 && errno != EINTR)
        return status_raise(STATUS_IO_DEVICE_ERROR);
    *is_ready = count > 0;
    return STATUS_SUCCESS;
}

NTSTATUS
stream_read(void *context, void *into, size_t size, size_t *got)
{
    struct stream *stream = context;
    bool is_ready;

    for (;;) {
        ssize_t count;

        TRY(wait_for_bytes(stream, &is_ready));
        if (!is_ready)
            continue;
        count = read(stream->fd, into, size);
        if (count >= 0) {
            *got = (size_t)count;
            return STATUS_SUCCESS;
        }
        if (errno != EAGAIN && errno != EINTR)
            return status_raise(STATUS_IO_DEVICE_ERROR);
    }
}
