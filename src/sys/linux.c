/* SPDX-License-Identifier: MIT */
/*
 * The real operating system.
 *
 * Every call goes through the C library under its plain name (pwrite, pwritev, fdatasync, …), so
 * that whoever wants to watch, count or fail our I/O can put himself in between.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "sys/descriptor.h"
#include "sys/entropy.h"
#include "sys/error.h"

#define TICKS_PER_SECOND   10000000 /* of 100 ns */
#define TICKS_1601_TO_1970 116444736000000000

static_assert(sizeof(off_t) == 8, "files may be larger than 2 GiB");

struct linux_file {
    struct sys_file file;
    int fd;
};

static int
fd_of(struct sys_file *file)
{
    return container_of(file, struct linux_file, file)->fd;
}

/* ---- files ---- */

static int
open_mode(unsigned flags)
{
    /* NONBLOCK: opening a pipe by mistake must not hang; on regular files it means nothing. */
    int mode = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

    mode |= !(flags & SYS_WRITE) ? O_RDONLY : flags & SYS_READ ? O_RDWR : O_WRONLY;
    if (flags & SYS_CREATE)
        mode |= flags & SYS_EXCLUSIVE ? O_CREAT | O_EXCL : O_CREAT;
    return mode;
}

static void
linux_file_close(struct sys_file *file)
{
    struct linux_file *self = container_of(file, struct linux_file, file);

    /* Nothing was promised that a failing close could break: promises are made by sync. */
    close(self->fd);
    free(self);
}

static NTSTATUS
linux_file_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **out)
{
    struct linux_file *made = malloc(sizeof(*made));
    struct stat info;

    CHECK(flags & (SYS_READ | SYS_WRITE));
    CHECK(!(flags & SYS_CREATE) || flags & SYS_WRITE);
    if (!made)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    made->file.sys = sys;
    made->fd = descriptor_raise(UNINTERRUPTED(open(path, open_mode(flags), 0600)));
    if (made->fd < 0) {
        int error = errno;
        free(made);
        return status_raise(status_of_path_errno(error, path));
    }
    if (fstat(made->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        linux_file_close(&made->file);
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    }
    *out = &made->file;
    return STATUS_SUCCESS;
}

static bool
range_is_valid(uint64_t offset, uint64_t size)
{
    return size <= INT64_MAX && offset <= INT64_MAX - size;
}

static NTSTATUS
linux_file_read(struct sys_file *file, void *into, size_t size, uint64_t offset, size_t *got)
{
    size_t done = 0;

    if (!range_is_valid(offset, size))
        return status_raise(STATUS_INVALID_PARAMETER);
    while (done < size) {
        ssize_t n = UNINTERRUPTED(
            pread(fd_of(file), (uint8_t *)into + done, size - done, (off_t)(offset + done)));
        if (n < 0)
            return status_raise(status_of_errno(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return STATUS_SUCCESS;
}

#define VECTOR_MAX 64 /* parts in one system call; a block of the log is a handful */

/* What is still to be written of the parts. */
struct remainder {
    const struct bytes *parts;
    size_t count;
    size_t done; /* of the first part */
};

static int
remainder_fill(const struct remainder *rest, struct iovec vector[VECTOR_MAX])
{
    size_t used = 0, skip = rest->done;

    for (size_t i = 0; i < rest->count && used < VECTOR_MAX; i++, skip = 0) {
        vector[used].iov_base = (uint8_t *)(uintptr_t)rest->parts[i].at + skip;
        vector[used].iov_len = rest->parts[i].size - skip;
        used += vector[used].iov_len > 0;
    }
    return (int)used;
}

static void
remainder_advance(struct remainder *rest, size_t written)
{
    rest->done += written;
    while (rest->count > 0 && rest->done >= rest->parts->size) {
        rest->done -= rest->parts->size;
        rest->parts++;
        rest->count--;
    }
    CHECK(rest->count > 0 || rest->done == 0);
}

static NTSTATUS
linux_file_write(struct sys_file *file, const struct bytes *parts, size_t count, uint64_t offset)
{
    struct remainder rest = {.parts = parts, .count = count};
    struct iovec vector[VECTOR_MAX];
    uint64_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    if (!range_is_valid(offset, size))
        return status_raise(STATUS_INVALID_PARAMETER);
    remainder_advance(&rest, 0);
    while (rest.count > 0) {
        int used = remainder_fill(&rest, vector);
        ssize_t n;

        if (used == 1)
            n = UNINTERRUPTED(
                pwrite(fd_of(file), vector[0].iov_base, vector[0].iov_len, (off_t)offset));
        else
            n = UNINTERRUPTED(pwritev(fd_of(file), vector, used, (off_t)offset));
        if (n < 0)
            return status_raise(status_of_errno(errno));
        if (n == 0) /* must not happen; going round for ever would be worse */
            return status_raise(STATUS_IO_DEVICE_ERROR);
        remainder_advance(&rest, (size_t)n);
        offset += (size_t)n;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_file_sync(struct sys_file *file)
{
    /* Not repeated by us after any error but EINTR: after EIO a second call would say "success"
     * about pages the kernel has given up [CLFS-DUR-13]. */
    if (UNINTERRUPTED(fdatasync(fd_of(file))) != 0)
        return status_raise(status_of_errno(errno));
    return STATUS_SUCCESS;
}

/* Writes zeros from 'from' to 'to', so that no later force has to turn unwritten extents into
 * written ones. */
static NTSTATUS
write_zeros(struct sys_file *file, uint64_t from, uint64_t to)
{
    static uint8_t zeros[64 << 10];
    struct bytes parts[16];

    while (from < to) {
        uint64_t at = from;
        size_t count = 0;

        for (; count < ARRAY_SIZE(parts) && at < to; count++) {
            size_t size = to - at < sizeof(zeros) ? (size_t)(to - at) : sizeof(zeros);
            parts[count] = bytes_of(zeros, size);
            at += size;
        }
        TRY(linux_file_write(file, parts, count, from));
        from = at;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_file_allocate(struct sys_file *file, uint64_t size)
{
    struct stat info;

    if (fstat(fd_of(file), &info) != 0)
        return status_raise(status_of_errno(errno));
    uint64_t old = (uint64_t)info.st_size;
    if (size > INT64_MAX || size < old)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (size == old)
        return STATUS_SUCCESS;
    /* First the space in one piece, or an early "full". KEEP_SIZE: the size tells how far the zeros
     * have come. A file system without fallocate gets its space from the zeros alone. */
    if (UNINTERRUPTED(
            fallocate(fd_of(file), FALLOC_FL_KEEP_SIZE, info.st_size, (off_t)(size - old))) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS)
        return status_raise(status_of_errno(errno));
    return write_zeros(file, old, size);
}

static int64_t
ticks_of(int64_t seconds, int64_t nanoseconds)
{
    return seconds * TICKS_PER_SECOND + nanoseconds / 100 + TICKS_1601_TO_1970;
}

static NTSTATUS
linux_file_info(struct sys_file *file, struct sys_info *out)
{
    struct statx s;

    if (statx(fd_of(file), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &s) != 0)
        return status_raise(status_of_errno(errno));
    /* Where the birth is not recorded, the last change of the inode is the best there is. */
    struct statx_timestamp created = s.stx_mask & STATX_BTIME ? s.stx_btime : s.stx_ctime;
    *out = (struct sys_info){
        .size = s.stx_size,
        .device = makedev(s.stx_dev_major, s.stx_dev_minor),
        .inode = s.stx_ino,
        .mode = s.stx_mode & 07777,
        .owner = s.stx_uid,
        .created = ticks_of(created.tv_sec, created.tv_nsec),
        .accessed = ticks_of(s.stx_atime.tv_sec, s.stx_atime.tv_nsec),
        .written = ticks_of(s.stx_mtime.tv_sec, s.stx_mtime.tv_nsec),
    };
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_file_lock(struct sys_file *file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (UNINTERRUPTED(fcntl(fd_of(file), F_SETLK, &whole)) == 0)
        return STATUS_SUCCESS;
    if (errno == EACCES || errno == EAGAIN) /* POSIX allows both for "somebody else has it" */
        return status_raise(STATUS_SHARING_VIOLATION);
    return status_raise(status_of_errno(errno));
}

/* ---- names ---- */

static NTSTATUS
linux_rename(struct sys *sys, const char *from, const char *to, bool replace)
{
    (void)sys;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE) == 0)
        return STATUS_SUCCESS;

    int error = errno;
    NTSTATUS status = status_of_path_errno(error, from);
    return status_raise(error == ENOENT && status == STATUS_OBJECT_NAME_NOT_FOUND
                            ? status_of_path_errno(error, to)
                            : status);
}

static NTSTATUS
linux_unlink(struct sys *sys, const char *path)
{
    (void)sys;
    return unlink(path) == 0 ? STATUS_SUCCESS : status_raise(status_of_path_errno(errno, path));
}

static NTSTATUS
linux_directory_make(struct sys *sys, const char *path)
{
    (void)sys;
    return mkdir(path, 0700) == 0 ? STATUS_SUCCESS
                                  : status_raise(status_of_path_errno(errno, path));
}

static NTSTATUS
linux_directory_sync(struct sys *sys, const char *path)
{
    int fd = UNINTERRUPTED(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int error;

    (void)sys;
    if (fd < 0)
        return status_raise(status_of_path_errno(errno, path));
    error = UNINTERRUPTED(fsync(fd)) == 0 ? 0 : errno;
    close(fd);
    return error ? status_raise(status_of_errno(error)) : STATUS_SUCCESS;
}

static NTSTATUS
linux_directory_list(struct sys *sys, const char *path, sys_each_name *each, void *context)
{
    DIR *directory = opendir(path);
    int error;

    (void)sys;
    if (!directory)
        return status_raise(status_of_path_errno(errno, path));
    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(directory);
        error = errno;
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(context, entry->d_name);
    }
    closedir(directory);
    return error ? status_raise(status_of_errno(error)) : STATUS_SUCCESS;
}

/* ---- time and random numbers ---- */

static uint64_t
linux_time_monotonic(struct sys *sys)
{
    struct timespec now;

    (void)sys;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t
linux_time_wall(struct sys *sys)
{
    struct timespec now;

    (void)sys;
    clock_gettime(CLOCK_REALTIME, &now);
    return ticks_of(now.tv_sec, now.tv_nsec);
}

static void
linux_random(struct sys *sys, void *into, size_t size)
{
    (void)sys;
    entropy_take(into, size);
}

struct sys *
sys_linux(void)
{
    static const struct sys_table table = {
        .file_open = linux_file_open,
        .file_close = linux_file_close,
        .file_read = linux_file_read,
        .file_write = linux_file_write,
        .file_sync = linux_file_sync,
        .file_allocate = linux_file_allocate,
        .file_info = linux_file_info,
        .file_lock = linux_file_lock,
        .rename = linux_rename,
        .unlink = linux_unlink,
        .directory_make = linux_directory_make,
        .directory_sync = linux_directory_sync,
        .directory_list = linux_directory_list,
        .time_monotonic = linux_time_monotonic,
        .time_wall = linux_time_wall,
        .random = linux_random,
    };
    static struct sys sys = {.table = &table};

    return &sys;
}
