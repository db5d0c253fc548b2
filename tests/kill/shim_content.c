/* SPDX-License-Identifier: MIT */
/* Mutations of content: bytes and sizes. */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- bytes ---- */

static void
call_on_write(struct call *call, int fd, off_t offset, int flags)
{
    int error = errno;

    call_on_fd(call, fd);
    call->change = CHANGE_WRITE;
    call->offset = offset;
    if (call->is_watched)
        call->is_durable = fcntl(fd, F_GETFL) & O_DSYNC || flags & (RWF_DSYNC | RWF_SYNC);
    errno = error;
}

/* Where a write at the position of the descriptor has gone, or one that appends. */
static ssize_t
written(struct call *call, ssize_t size, bool at_position)
{
    int error = errno;

    if (call->is_watched && size >= 0) {
        if (at_position)
            call->offset = lseek(call->fd, 0, SEEK_CUR) - size;
        else if (fcntl(call->fd, F_GETFL) & O_APPEND)
            call->offset = lseek(call->fd, 0, SEEK_END) - size;
    }
    errno = error;
    return size;
}

EXPORTED ssize_t
write(int fd, const void *from, size_t size)
{
    struct call call = CALL("write", CLASS_SPACE);

    call_on_write(&call, fd, 0, 0);
    return THROUGH_GATE(&call, written(&call, REAL(write)(fd, from, gate_size(&call, size)), true));
}

EXPORTED ssize_t
pwrite(int fd, const void *from, size_t size, off_t offset)
{
    struct call call = CALL("pwrite64", CLASS_SPACE);

    call_on_write(&call, fd, offset, 0);
    return THROUGH_GATE(
        &call, written(&call, REAL(pwrite)(fd, from, gate_size(&call, size), offset), false));
}
EXPORTED ssize_t pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite")));

struct vector {
    const struct iovec *at;
    int count;
};

/* As much of the vector as shall be written. The copy lives until the gate is left: only one is
 * inside at a time. */
static struct vector
vector_cut(const struct call *call, const struct iovec *from, int count)
{
    static struct iovec cut[IOV_MAX];
    size_t size = 0, rest;
    int used = 0;

    for (int i = 0; i < count; i++)
        size += from[i].iov_len;
    rest = gate_size(call, size);
    if (!call->is_watched || rest == size)
        return (struct vector){from, count};
    for (; used < count && used < IOV_MAX && rest > 0; used++) {
        cut[used] = from[used];
        if (cut[used].iov_len > rest)
            cut[used].iov_len = rest;
        rest -= cut[used].iov_len;
    }
    return (struct vector){cut, used};
}

EXPORTED ssize_t
writev(int fd, const struct iovec *from, int count)
{
    struct call call = CALL("writev", CLASS_SPACE);

    call_on_write(&call, fd, 0, 0);
    return THROUGH_GATE(&call, ({
        struct vector cut = vector_cut(&call, from, count);
        written(&call, REAL(writev)(fd, cut.at, cut.count), true);
    }));
}

EXPORTED ssize_t
pwritev(int fd, const struct iovec *from, int count, off_t offset)
{
    struct call call = CALL("pwritev", CLASS_SPACE);

    call_on_write(&call, fd, offset, 0);
    return THROUGH_GATE(&call, ({
        struct vector cut = vector_cut(&call, from, count);
        written(&call, REAL(pwritev)(fd, cut.at, cut.count, offset), false);
    }));
}

EXPORTED ssize_t
pwritev2(int fd, const struct iovec *from, int count, off_t offset, int flags)
{
    struct call call = CALL("pwritev2", CLASS_SPACE);

    call_on_write(&call, fd, offset, flags);
    return THROUGH_GATE(&call, ({
        struct vector cut = vector_cut(&call, from, count);
        written(&call, REAL(pwritev2)(fd, cut.at, cut.count, offset, flags), offset == -1);
    }));
}
EXPORTED ssize_t pwritev64(int, const struct iovec *, int, off64_t)
    __attribute__((alias("pwritev")));
EXPORTED ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int)
    __attribute__((alias("pwritev2")));

EXPORTED ssize_t
copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags)
{
    struct call call = CALL("copy_file_range", CLASS_SPACE);

    call_on_write(&call, to, to_at ? *to_at : 0, 0);
    return THROUGH_GATE(&call, written(&call,
                                       REAL(copy_file_range)(from, from_at, to, to_at,
                                                             gate_size(&call, size), flags),
                                       !to_at));
}

EXPORTED ssize_t
sendfile(int to, int from, off_t *from_at, size_t size)
{
    struct call call = CALL("sendfile", CLASS_SPACE);

    call_on_write(&call, to, 0, 0);
    return THROUGH_GATE(
        &call, written(&call, REAL(sendfile)(to, from, from_at, gate_size(&call, size)), true));
}
EXPORTED ssize_t sendfile64(int, int, off64_t *, size_t) __attribute__((alias("sendfile")));

EXPORTED ssize_t
splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags)
{
    struct call call = CALL("splice", CLASS_SPACE);

    call_on_write(&call, to, to_at ? *to_at : 0, 0);
    return THROUGH_GATE(
        &call, written(&call, REAL(splice)(from, from_at, to, to_at, gate_size(&call, size), flags),
                       !to_at));
}

/* ---- clones ---- */

/* The whole content is new. */
static int
cloned(struct call *call, int result)
{
    int error = errno;

    if (call->is_watched && result == 0)
        call->size = lseek(call->fd, 0, SEEK_END);
    errno = error;
    return result;
}

EXPORTED int
ioctl(int fd, unsigned long request, ...)
{
    struct call call = CALL("ioctl", CLASS_SPACE);
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    if (request == FICLONE || request == FICLONERANGE || request == FIDEDUPERANGE)
        call_on_write(&call, fd, 0, 0);
    return THROUGH_GATE(&call, cloned(&call, REAL(ioctl)(fd, request, argument)));
}

/* ---- sizes ---- */

EXPORTED int
ftruncate(int fd, off_t size)
{
    struct call call = CALL("ftruncate", CLASS_FREE);

    call_on_fd(&call, fd);
    call.change = CHANGE_SIZE;
    return THROUGH_GATE(&call, REAL(ftruncate)(fd, size));
}
EXPORTED int ftruncate64(int, off64_t) __attribute__((alias("ftruncate")));

EXPORTED int
truncate(const char *path, off_t size)
{
    struct call call = CALL("truncate", CLASS_FREE);

    call_on_path(&call, AT_FDCWD, path, true);
    call.change = CHANGE_SIZE;
    return THROUGH_GATE(&call, REAL(truncate)(path, size));
}
EXPORTED int truncate64(const char *, off64_t) __attribute__((alias("truncate")));

EXPORTED int
fallocate(int fd, int mode, off_t offset, off_t size)
{
    struct call call = CALL("fallocate", CLASS_SPACE);

    call_on_fd(&call, fd);
    call.change = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) ? CHANGE_ZERO : CHANGE_SIZE;
    call.offset = offset;
    call.size = size;
    return THROUGH_GATE(&call, REAL(fallocate)(fd, mode, offset, size));
}
EXPORTED int fallocate64(int, int, off64_t, off64_t) __attribute__((alias("fallocate")));

/* Answers with the error itself. */
EXPORTED int
posix_fallocate(int fd, off_t offset, off_t size)
{
    struct call call = CALL("fallocate", CLASS_SPACE);
    int kept = errno, result;

    call_on_fd(&call, fd);
    call.change = CHANGE_SIZE;
    result = THROUGH_GATE(&call, ({
        errno = REAL(posix_fallocate)(fd, offset, size);
        errno ? -1 : 0;
    }));
    result = result ? errno : 0;
    errno = kept;
    return result;
}
EXPORTED int posix_fallocate64(int, off64_t, off64_t) __attribute__((alias("posix_fallocate")));
