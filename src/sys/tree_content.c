/* SPDX-License-Identifier: MIT */
/*
 * Directory trees on Linux: content and attributes of files.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sys/tree_linux.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys/descriptor.h"

#define COPY_STEP (256u << 10)

NTSTATUS
tree_linux_read(struct tree *tree, int fd, void *into, size_t size, uint64_t offset, size_t *got)
{
    size_t done = 0;

    (void)tree;
    while (done < size) {
        ssize_t n =
            UNINTERRUPTED(pread(fd, (uint8_t *)into + done, size - done, (off_t)(offset + done)));
        if (n < 0)
            return status_raise(tree_status_of_errno(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_file_make(struct tree *tree, int at, uint32_t mode, int *fd)
{
    int got =
        descriptor_raise(UNINTERRUPTED(openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode)));

    (void)tree;
    if (got < 0) /* a file system that knows no O_TMPFILE sees a directory opened for writing */
        return status_raise(errno == EISDIR || errno == EOPNOTSUPP ? STATUS_NOT_SUPPORTED
                                                                   : tree_status_of_errno(errno));
    *fd = got;
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_file_create(struct tree *tree, int at, const char *name, uint32_t mode, int *fd)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int got = descriptor_raise(UNINTERRUPTED(openat(at, name, flags, mode)));

    (void)tree;
    if (got < 0)
        return status_raise(tree_status_of_errno(errno));
    *fd = got;
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_write(struct tree *tree, int fd, const void *from, size_t size, uint64_t offset)
{
    size_t done = 0;

    (void)tree;
    while (done < size) {
        ssize_t n = UNINTERRUPTED(
            pwrite(fd, (const uint8_t *)from + done, size - done, (off_t)(offset + done)));
        if (n < 0)
            return status_raise(tree_status_of_errno(errno));
        if (n == 0)
            return status_raise(STATUS_IO_DEVICE_ERROR);
        done += (size_t)n;
    }
    return STATUS_SUCCESS;
}

/* The space for a range, which may be beyond the end. */
static NTSTATUS
reserve(int fd, uint64_t offset, uint64_t size)
{
    int error;

    if (size == 0)
        return STATUS_SUCCESS;
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return status_raise(STATUS_FILE_TOO_LARGE);
    do
        error = posix_fallocate(fd, (off_t)offset, (off_t)size);
    while (error == EINTR);
    /* Without such a call in the file system the write itself will tell. */
    if (error && error != EOPNOTSUPP && error != EINVAL)
        return status_raise(tree_status_of_errno(error));
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_allocate(struct tree *tree, int fd, uint64_t size)
{
    struct stat info;

    (void)tree;
    if (fstat(fd, &info) != 0)
        return status_raise(tree_status_of_errno(errno));
    if (size <= (uint64_t)info.st_size)
        return STATUS_SUCCESS;
    return reserve(fd, (uint64_t)info.st_size, size - (uint64_t)info.st_size);
}

NTSTATUS
tree_linux_truncate(struct tree *tree, int fd, uint64_t size)
{
    (void)tree;
    return tree_status_of_result(UNINTERRUPTED(ftruncate(fd, (off_t)size)));
}

/* ---- copying ---- */

/* By hand, from where 'from' stands: for pipes, and for files that do not know their size. */
static NTSTATUS
copy_stream(struct tree *tree, int from, int to, uint64_t *size)
{
    uint8_t *buffer = malloc(COPY_STEP);
    NTSTATUS status = buffer ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    while (status == STATUS_SUCCESS) {
        ssize_t n = UNINTERRUPTED(read(from, buffer, COPY_STEP));
        if (n == 0)
            break;
        status = n < 0 ? status_raise(tree_status_of_errno(errno))
                       : tree_linux_write(tree, to, buffer, (size_t)n, *size);
        *size += n > 0 ? (uint64_t)n : 0;
    }
    free(buffer);
    return status;
}

/* A part of one file, and how much farther it lies in the other. */
struct range {
    int from, to;
    uint64_t at, end, shift;
};

/* Through memory, for file systems that cannot copy among themselves. */
static NTSTATUS
copy_range_by_hand(struct tree *tree, const struct range *range)
{
    uint8_t *buffer = malloc(COPY_STEP);
    NTSTATUS status = buffer ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    uint64_t at = range->at;

    while (status == STATUS_SUCCESS && at < range->end) {
        size_t wanted = range->end - at < COPY_STEP ? (size_t)(range->end - at) : COPY_STEP;
        size_t got = 0;

        status = tree_linux_read(tree, range->from, buffer, wanted, at, &got);
        if (status == STATUS_SUCCESS && got == 0)
            break; /* it has become shorter meanwhile */
        if (status == STATUS_SUCCESS)
            status = tree_linux_write(tree, range->to, buffer, got, at + range->shift);
        at += got;
    }
    free(buffer);
    return status;
}

/* Whether another way of copying may do what this one refuses. */
static bool
is_refusal(int error)
{
    return error == EXDEV || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS ||
           error == EBADF || error == EPERM;
}

static NTSTATUS
copy_range(struct tree *tree, struct range range)
{
    while (range.at < range.end) {
        off_t in = (off_t)range.at, out = (off_t)(range.at + range.shift);
        size_t size = (size_t)(range.end - range.at);
        ssize_t n = UNINTERRUPTED(copy_file_range(range.from, &in, range.to, &out, size, 0));

        if (n == 0 || (n < 0 && is_refusal(errno)))
            return copy_range_by_hand(tree, &range);
        if (n < 0)
            return status_raise(tree_status_of_errno(errno));
        range.at += (uint64_t)n;
    }
    return STATUS_SUCCESS;
}

/* Data as data and holes as holes. */
static NTSTATUS
copy_extents(struct tree *tree, int from, int to, uint64_t size, uint64_t shift)
{
    for (uint64_t at = 0; at < size;) {
        off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;

        if (data < 0 && errno == ENXIO)
            break;
        if (data < 0)
            data = (off_t)at;
        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole > size)
            hole = (off_t)size;
        if (hole <= data)
            break;
        struct range range = {
            .from = from, .to = to, .at = (uint64_t)data, .end = (uint64_t)hole, .shift = shift};
        TRY(reserve(to, range.at + shift, range.end - range.at));
        TRY(copy_range(tree, range));
        at = (uint64_t)hole;
    }
    return tree_linux_truncate(tree, to, size + shift);
}

NTSTATUS
tree_linux_copy(struct tree *tree, int from, int to, uint64_t offset, uint64_t *size)
{
    struct stat info;

    if (fstat(from, &info) != 0)
        return status_raise(tree_status_of_errno(errno));
    *size = offset;
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        return copy_stream(tree, from, to, size);
    if ((uint64_t)info.st_size > INT64_MAX - offset)
        return status_raise(STATUS_FILE_TOO_LARGE);
    *size = offset + (uint64_t)info.st_size;
    if (offset == 0 && UNINTERRUPTED(ioctl(to, FICLONE, from)) == 0)
        return STATUS_SUCCESS;
    return copy_extents(tree, from, to, (uint64_t)info.st_size, offset);
}

/* ---- attributes ---- */

NTSTATUS
tree_linux_mode_set(struct tree *tree, int fd, uint32_t mode)
{
    char path[TREE_FD_PATH_SIZE];

    (void)tree;
    if (fchmod(fd, mode) == 0)
        return STATUS_SUCCESS;
    if (errno != EBADF)
        return status_raise(tree_status_of_errno(errno));
    tree_fd_path(fd, path); /* opened with O_PATH */
    return tree_status_of_result(chmod(path, mode));
}

NTSTATUS
tree_linux_owner_set(struct tree *tree, int fd, uint32_t owner, uint32_t group)
{
    (void)tree;
    return tree_status_of_result(fchownat(fd, "", owner, group, AT_EMPTY_PATH));
}

#define ATTRIBUTE_NAME_SIZE 256

/* Made anew by the kernel from the content or the policy, never to be copied. */
static bool
is_private(const char *name)
{
    return strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0;
}

static NTSTATUS
attribute_copy(int from, int to, const char *name)
{
    uint8_t *value = NULL, *present = NULL;
    ssize_t size = fgetxattr(from, name, NULL, 0);
    NTSTATUS status = STATUS_SUCCESS;

    if (size >= 0) {
        value = malloc((size_t)size + 1);
        present = malloc((size_t)size + 1);
        if (!value || !present)
            status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
        else
            size = fgetxattr(from, name, value, (size_t)size);
    }
    if (status == STATUS_SUCCESS && size < 0)
        status = status_raise(tree_status_of_errno(errno));
    /* What is there already, as a label given by policy, need not be allowed to be set. */
    else if (status == STATUS_SUCCESS && (fgetxattr(to, name, present, (size_t)size + 1) != size ||
                                          memcmp(value, present, (size_t)size) != 0))
        status = tree_status_of_result(fsetxattr(to, name, value, (size_t)size, 0));
    free(value);
    free(present);
    return status;
}

/* ACLs that the new file was given by its directory and the old one does not have. */
static NTSTATUS
acls_drop(int from, int to)
{
    static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (fgetxattr(to, names[i], NULL, 0) >= 0 && fgetxattr(from, names[i], NULL, 0) < 0 &&
            fremovexattr(to, names[i]) != 0)
            return status_raise(tree_status_of_errno(errno));
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_attributes_copy(struct tree *tree, int from, int to, const char **which)
{
    static __thread char failed[ATTRIBUTE_NAME_SIZE];
    ssize_t size = flistxattr(from, NULL, 0);
    NTSTATUS status = STATUS_SUCCESS;
    char *names;

    (void)tree;
    *which = "";
    if (size < 0 && errno == EOPNOTSUPP)
        return STATUS_SUCCESS;
    names = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!names)
        return status_raise(size < 0 ? tree_status_of_errno(errno) : STATUS_INSUFFICIENT_RESOURCES);
    if (size > 0)
        size = flistxattr(from, names, (size_t)size);
    if (size < 0)
        status = status_raise(tree_status_of_errno(errno));
    for (char *name = names; status == STATUS_SUCCESS && name < names + size;
         name += strlen(name) + 1) {
        if (is_private(name))
            continue;
        status = attribute_copy(from, to, name);
        if (status != STATUS_SUCCESS) {
            strncpy(failed, name, sizeof(failed) - 1);
            *which = failed;
        }
    }
    free(names);
    TRY(status);
    return acls_drop(from, to);
}

NTSTATUS
tree_linux_times_set(struct tree *tree, int fd, int64_t written)
{
    int64_t seconds = written / 1000000000, rest = written % 1000000000;

    (void)tree;
    if (rest < 0) {
        seconds--;
        rest += 1000000000;
    }
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = rest}};
    return tree_status_of_result(futimens(fd, times));
}

/* ---- durability ---- */

NTSTATUS
tree_linux_write_back(struct tree *tree, int fd)
{
    (void)tree;
    /* Only a hint: what it fails to start, sync will do, and report. */
    int ignored = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    (void)ignored;
    return STATUS_SUCCESS;
}

NTSTATUS
tree_linux_sync(struct tree *tree, int fd)
{
    (void)tree;
    /* Not repeated after any error but EINTR, as in linux.c. */
    return tree_status_of_result(UNINTERRUPTED(fsync(fd)));
}

NTSTATUS
tree_linux_sync_all(struct tree *tree, int fd)
{
    (void)tree;
    return tree_status_of_result(UNINTERRUPTED(syncfs(fd)));
}
