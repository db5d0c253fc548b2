/* SPDX-License-Identifier: MIT */
/* What the two halves of the tree table on Linux share; nobody else includes it. */
#pragma once

#include <errno.h>

#include "sys/error.h"
#include "sys/tree.h"

#define TREE_FD_PATH_SIZE 32

NTSTATUS tree_status_of_errno(int error);
/* Of a call that returns 0, or -1 and errno. */
static inline NTSTATUS must_use
tree_status_of_result(int result)
{
    return result == 0 ? STATUS_SUCCESS : status_raise(tree_status_of_errno(errno));
}
/* The name under which /proc lets one speak of an open descriptor. */
void tree_fd_path(int fd, char path[TREE_FD_PATH_SIZE]);

NTSTATUS tree_linux_read(struct tree *, int fd, void *into, size_t size, uint64_t offset,
                         size_t *got);
NTSTATUS tree_linux_file_make(struct tree *, int at, uint32_t mode, int *fd);
NTSTATUS tree_linux_file_create(struct tree *, int at, const char *name, uint32_t mode, int *fd);
NTSTATUS tree_linux_write(struct tree *, int fd, const void *from, size_t size, uint64_t offset);
NTSTATUS tree_linux_allocate(struct tree *, int fd, uint64_t size);
NTSTATUS tree_linux_truncate(struct tree *, int fd, uint64_t size);
NTSTATUS tree_linux_copy(struct tree *, int from, int to, uint64_t offset, uint64_t *size);
NTSTATUS tree_linux_mode_set(struct tree *, int fd, uint32_t mode);
NTSTATUS tree_linux_owner_set(struct tree *, int fd, uint32_t owner, uint32_t group);
NTSTATUS tree_linux_attributes_copy(struct tree *, int from, int to, const char **which);
NTSTATUS tree_linux_times_set(struct tree *, int fd, int64_t written);
NTSTATUS tree_linux_write_back(struct tree *, int fd);
NTSTATUS tree_linux_sync(struct tree *, int fd);
NTSTATUS tree_linux_sync_all(struct tree *, int fd);
