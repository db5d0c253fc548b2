/* SPDX-License-Identifier: MIT */
/* From errno to NTSTATUS [CLFS-STAT-07]. */
#include "sys/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    int error;
    NTSTATUS status;
} meanings[] = {
    {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},
    {ENOTDIR, STATUS_OBJECT_PATH_NOT_FOUND},
    {EEXIST, STATUS_OBJECT_NAME_COLLISION},
    {ENOTEMPTY, STATUS_OBJECT_NAME_COLLISION}, /* POSIX lets a system say either */
    {EACCES, STATUS_ACCESS_DENIED},
    {EPERM, STATUS_ACCESS_DENIED},
    {EROFS, STATUS_ACCESS_DENIED},
    {EBADF, STATUS_ACCESS_DENIED}, /* not opened for this */
    {ENOSPC, STATUS_DISK_FULL},
    {EDQUOT, STATUS_DISK_FULL},
    {EFBIG, STATUS_DISK_FULL}, /* RLIMIT_FSIZE: a quota like any other */
    {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
    {EMFILE, STATUS_INSUFFICIENT_RESOURCES},
    {ENFILE, STATUS_INSUFFICIENT_RESOURCES},
    {ENOLCK, STATUS_INSUFFICIENT_RESOURCES},
    {EAGAIN,
     STATUS_INSUFFICIENT_RESOURCES}, /* pthread_create; a lock that is held says so itself */
    {ENAMETOOLONG, STATUS_OBJECT_NAME_INVALID},
    {EILSEQ, STATUS_OBJECT_NAME_INVALID},
    {ELOOP, STATUS_OBJECT_PATH_SYNTAX_BAD},
    {EISDIR, STATUS_OBJECT_TYPE_MISMATCH},
    {ENXIO, STATUS_OBJECT_TYPE_MISMATCH}, /* a socket, or a pipe nobody reads */
    {EINVAL, STATUS_INVALID_PARAMETER},
    {EOPNOTSUPP, STATUS_NOT_SUPPORTED},
    {ENOSYS, STATUS_NOT_SUPPORTED},
};

NTSTATUS
status_of_errno(int error)
{
    CHECK(error > 0);
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (meanings[i].error == error)
            return meanings[i].status;
    return STATUS_IO_DEVICE_ERROR; /* EIO and the rest */
}

/* Whether what 'path' is looked up in is there. Asks only when something was missing. */
static bool
parent_exists(const char *path)
{
    size_t size = strlen(path);
    char parent[4096];
    struct stat info;

    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size == 0)
        return true; /* the working directory */
    if (size >= sizeof(parent))
        return false;
    memcpy(parent, path, size);
    parent[size] = '\0';
    return stat(parent, &info) == 0 && S_ISDIR(info.st_mode);
}

NTSTATUS
status_of_path_errno(int error, const char *path)
{
    if (error == ENOENT && !parent_exists(path))
        return STATUS_OBJECT_PATH_NOT_FOUND;
    return status_of_errno(error);
}
