/* SPDX-License-Identifier: MIT */
/* The one table from errno to NTSTATUS. */
#include "tests/test.h"

#include <errno.h>

#include "sys/error.h"

TEST(every_errno_of_the_specification_has_its_status) /* CLFS-STAT-07 */
{
    static const struct {
        int error;
        NTSTATUS status;
    } rows[] = {
        {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},
        {EEXIST, STATUS_OBJECT_NAME_COLLISION},
        {EACCES, STATUS_ACCESS_DENIED},
        {EPERM, STATUS_ACCESS_DENIED},
        {EROFS, STATUS_ACCESS_DENIED},
        {ENOSPC, STATUS_DISK_FULL},
        {EDQUOT, STATUS_DISK_FULL},
        {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
        {EMFILE, STATUS_INSUFFICIENT_RESOURCES},
        {ENFILE, STATUS_INSUFFICIENT_RESOURCES},
        {ENAMETOOLONG, STATUS_OBJECT_NAME_INVALID},
        {ELOOP, STATUS_OBJECT_PATH_SYNTAX_BAD},
        {EIO, STATUS_IO_DEVICE_ERROR},
        {EPIPE, STATUS_IO_DEVICE_ERROR},
        {EXDEV, STATUS_IO_DEVICE_ERROR},
        {9999, STATUS_IO_DEVICE_ERROR},
        {EAGAIN, STATUS_INSUFFICIENT_RESOURCES},
    };

    EACH (row, rows)
        EXPECT_STATUS(row->status, status_of_errno(row->error));
}

TEST(every_errno_has_an_error_status)
{
    for (int error = 1; error < 200; error++)
        EXPECT(!NT_SUCCESS(status_of_errno(error)));
}

TEST(what_is_missing_is_the_name_or_a_directory_before_it) /* CLFS-STAT-07 */
{
    static char long_path[6000];
    static const struct {
        const char *path;
        NTSTATUS status;
    } rows[] = {
        {"x", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/x", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/etc/x", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/etc/x/", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/etc//x//", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/no-such/x", STATUS_OBJECT_PATH_NOT_FOUND},
        {"/no-such/x/", STATUS_OBJECT_PATH_NOT_FOUND},
        {"no-such/x", STATUS_OBJECT_PATH_NOT_FOUND},
        {"", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/", STATUS_OBJECT_NAME_NOT_FOUND},
        {"/etc/passwd/x", STATUS_OBJECT_PATH_NOT_FOUND},
    };

    EACH (row, rows)
        EXPECT_STATUS(row->status, status_of_path_errno(ENOENT, row->path));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, status_of_path_errno(EACCES, "/no-such/x"));
    memset(long_path, '/', sizeof(long_path) - 2);
    long_path[sizeof(long_path) - 2] = 'x';
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, status_of_path_errno(ENOENT, long_path));
}
