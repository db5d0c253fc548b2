/* SPDX-License-Identifier: MIT */
/*
 * Directory trees on Linux: names, metadata and locks. Content is in tree_content.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sys/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/descriptor.h"
#include "sys/tree_linux.h"

/* f_type of statfs(2). */
#define BTRFS_MAGIC     0x9123683e
#define EXT4_MAGIC      0xef53
#define F2FS_MAGIC      0xf2f52010
#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC     0x01021994
#define XFS_MAGIC       0x58465342

/* What a call on one name means by its errno; the rest is as everywhere [CLFS-STAT-07]. */
NTSTATUS
tree_status_of_errno(int error)
{
    switch (error) {
    case ENOTEMPTY:
        return STATUS_DIRECTORY_NOT_EMPTY;
    case ENOTDIR:
        return STATUS_NOT_A_DIRECTORY;
    case EISDIR:
        return STATUS_FILE_IS_A_DIRECTORY;
    case EXDEV:
        return STATUS_NOT_SAME_DEVICE;
    case EMLINK:
        return STATUS_TOO_MANY_LINKS;
    case EBUSY:
        return STATUS_DEVICE_BUSY;
    case EMFILE:
    case ENFILE:
        return STATUS_TOO_MANY_OPENED_FILES;
    default:
        return status_of_errno(error);
    }
}

void
tree_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* ---- looking ---- */

static NTSTATUS
linux_open(struct tree *tree, int at, const char *name, enum tree_open how, int *fd)
{
    static const int modes[] = {
        [TREE_OPEN_PATH] = O_PATH,
        [TREE_OPEN_DIRECTORY] = O_RDONLY | O_DIRECTORY,
        [TREE_OPEN_READ] = O_RDONLY | O_NONBLOCK | O_NOCTTY, /* a pipe must not hang us */
        [TREE_OPEN_WRITE] = O_RDWR | O_NONBLOCK | O_NOCTTY,
    };
    int got;

    (void)tree;
    CHECK(at >= 0 || name[0] == '/');
    got = UNINTERRUPTED(openat(at >= 0 ? at : AT_FDCWD, name, modes[how] | O_NOFOLLOW | O_CLOEXEC));
    got = descriptor_raise(got);
    if (got < 0)
        return status_raise(tree_status_of_errno(errno));
    *fd = got;
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_open_again(struct tree *tree, int fd, int *again)
{
    int got = UNINTERRUPTED(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));

    (void)tree;
    if (got < 0)
        return status_raise(tree_status_of_errno(errno));
    *again = got;
    return STATUS_SUCCESS;
}

static enum tree_kind
kind_of(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return TREE_FILE;
    case S_IFDIR:
        return TREE_DIRECTORY;
    case S_IFLNK:
        return TREE_SYMLINK;
    default:
        return TREE_OTHER;
    }
}

static int64_t
nanoseconds_of(struct statx_timestamp time)
{
    /* Unsigned: a damaged inode may carry any number. */
    return (int64_t)((uint64_t)time.tv_sec * 1000000000u + time.tv_nsec);
}

static NTSTATUS
linux_info(struct tree *tree, int at, const char *name, struct tree_info *out)
{
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
    struct statx s;

    (void)tree;
    if (statx(at, name, flags, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) != 0) {
        if (errno != ENOENT)
            return status_raise(tree_status_of_errno(errno));
        *out = (struct tree_info){.kind = TREE_NOTHING};
        return STATUS_SUCCESS;
    }
    *out = (struct tree_info){
        .kind = kind_of(s.stx_mode),
        .inode = s.stx_ino,
        .born = s.stx_mask & STATX_BTIME ? nanoseconds_of(s.stx_btime) : 0,
        .device = makedev(s.stx_dev_major, s.stx_dev_minor),
        .mount = s.stx_mask & STATX_MNT_ID ? s.stx_mnt_id : 0,
        .size = s.stx_size,
        .written = nanoseconds_of(s.stx_mtime),
        .changed = nanoseconds_of(s.stx_ctime),
        .mode = s.stx_mode & 07777,
        .owner = s.stx_uid,
        .group = s.stx_gid,
        .links = s.stx_nlink,
        .is_mount_root = s.stx_attributes & STATX_ATTR_MOUNT_ROOT,
        .is_fixed = s.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND),
    };
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_readlink(struct tree *tree, int at, const char *name, char **text)
{
    char buffer[PATH_MAX];
    ssize_t size = readlinkat(at, name, buffer, sizeof(buffer));

    (void)tree;
    if (size < 0)
        return status_raise(tree_status_of_errno(errno));
    if ((size_t)size == sizeof(buffer))
        return status_raise(STATUS_NAME_TOO_LONG);
    *text = strndup(buffer, (size_t)size);
    return *text ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

static NTSTATUS
linux_list(struct tree *tree, int at, void (*each)(void *context, const char *name), void *context)
{
    /* A descriptor of our own: the position in the directory belongs to the descriptor. */
    int fd = UNINTERRUPTED(openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    int error = errno;

    (void)tree;
    if (!directory) {
        tree_close(fd);
        return status_raise(tree_status_of_errno(error));
    }
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
    return error ? status_raise(tree_status_of_errno(error)) : STATUS_SUCCESS;
}

static NTSTATUS
linux_may_change(struct tree *tree, int at, const struct tree_info *directory,
                 const struct tree_info *member)
{
    uid_t self = geteuid();

    (void)tree;
    if (directory->is_fixed || (member && member->is_fixed))
        return status_raise(STATUS_ACCESS_DENIED);
    if (faccessat(at, ".", W_OK | X_OK, AT_EACCESS) != 0)
        return status_raise(tree_status_of_errno(errno));
    /* In a sticky directory a name belongs to the owner of the file, of the directory, or root. */
    if (member && directory->mode & S_ISVTX && self != 0 && self != member->owner &&
        self != directory->owner)
        return status_raise(STATUS_ACCESS_DENIED);
    return STATUS_SUCCESS;
}

static bool
is_own_group(gid_t group)
{
    gid_t groups[1024];
    int count = getgroups(ARRAY_SIZE(groups), groups);

    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return group == getegid();
}

static NTSTATUS
linux_may_own(struct tree *tree, const struct tree_info *info, uint32_t owner, uint32_t group)
{
    (void)tree;
    if (info->is_fixed)
        return status_raise(STATUS_ACCESS_DENIED);
    if (geteuid() == 0)
        return STATUS_SUCCESS;
    if (info->owner != geteuid() || (owner != UINT32_MAX && owner != info->owner) ||
        (group != UINT32_MAX && group != info->group && !is_own_group(group)))
        return status_raise(STATUS_ACCESS_DENIED);
    return STATUS_SUCCESS;
}

static NTSTATUS
file_system_type(int at, uint32_t *type)
{
    struct statfs info;

    if (UNINTERRUPTED(fstatfs(at, &info)) != 0)
        return status_raise(tree_status_of_errno(errno));
    *type = (uint32_t)info.f_type;
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_may_exchange(struct tree *tree, int at, bool *out)
{
    uint32_t type = 0;

    (void)tree;
    TRY(file_system_type(at, &type));
    *out = type == EXT4_MAGIC || type == XFS_MAGIC || type == BTRFS_MAGIC || type == TMPFS_MAGIC ||
           type == F2FS_MAGIC;
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_may_move_directories(struct tree *tree, int at, bool *out)
{
    uint32_t type = 0;

    (void)tree;
    TRY(file_system_type(at, &type));
    *out = type != OVERLAYFS_MAGIC;
    return STATUS_SUCCESS;
}

static NTSTATUS
linux_lock(struct tree *tree, int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)tree;
    if (UNINTERRUPTED(fcntl(fd, F_OFD_SETLK, &whole)) == 0)
        return STATUS_SUCCESS;
    if (errno == EACCES || errno == EAGAIN)
        return status_raise(STATUS_SHARING_VIOLATION);
    return status_raise(tree_status_of_errno(errno));
}

static NTSTATUS
linux_current(struct tree *tree, char **path)
{
    (void)tree;
    *path = getcwd(NULL, 0);
    return *path ? STATUS_SUCCESS : status_raise(tree_status_of_errno(errno));
}

static size_t
linux_descriptors(struct tree *tree)
{
    struct rlimit limit;

    (void)tree;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return limit.rlim_cur;
}

/* ---- changing names ---- */

void
tree_fd_path(int fd, char path[TREE_FD_PATH_SIZE])
{
    snprintf(path, TREE_FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

static NTSTATUS
linux_link(struct tree *tree, int fd, int at, const char *name)
{
    char path[TREE_FD_PATH_SIZE];

    (void)tree;
    tree_fd_path(fd, path);
    if (linkat(AT_FDCWD, path, at, name, AT_SYMLINK_FOLLOW) == 0)
        return STATUS_SUCCESS;
    if (errno == ENOENT) /* no /proc: the way that needs a privilege or a new kernel */
        return tree_status_of_result(linkat(fd, "", at, name, AT_EMPTY_PATH));
    return status_raise(tree_status_of_errno(errno));
}

static NTSTATUS
linux_rename(struct tree *tree, int from_at, const char *from, int to_at, const char *to,
             enum tree_rename how)
{
    static const unsigned flags[] = {
        [TREE_KEEP] = RENAME_NOREPLACE, [TREE_EXCHANGE] = RENAME_EXCHANGE, [TREE_REPLACE] = 0};

    (void)tree;
    return tree_status_of_result(renameat2(from_at, from, to_at, to, flags[how]));
}

static NTSTATUS
linux_unlink(struct tree *tree, int at, const char *name)
{
    (void)tree;
    return tree_status_of_result(unlinkat(at, name, 0));
}

static NTSTATUS
linux_directory_make(struct tree *tree, int at, const char *name, uint32_t mode)
{
    (void)tree;
    return tree_status_of_result(mkdirat(at, name, mode));
}

static NTSTATUS
linux_directory_remove(struct tree *tree, int at, const char *name)
{
    (void)tree;
    return tree_status_of_result(unlinkat(at, name, AT_REMOVEDIR));
}

static NTSTATUS
linux_symlink(struct tree *tree, const char *text, int at, const char *name)
{
    (void)tree;
    return tree_status_of_result(symlinkat(text, at, name));
}

struct tree *
tree_linux(void)
{
    static const struct tree_table table = {
        .open = linux_open,
        .open_again = linux_open_again,
        .info = linux_info,
        .readlink = linux_readlink,
        .list = linux_list,
        .read = tree_linux_read,
        .may_change = linux_may_change,
        .may_own = linux_may_own,
        .may_exchange = linux_may_exchange,
        .may_move_directories = linux_may_move_directories,
        .lock = linux_lock,
        .current = linux_current,
        .descriptors = linux_descriptors,
        .link = linux_link,
        .rename = linux_rename,
        .unlink = linux_unlink,
        .directory_make = linux_directory_make,
        .directory_remove = linux_directory_remove,
        .symlink = linux_symlink,
        .file_make = tree_linux_file_make,
        .file_create = tree_linux_file_create,
        .write = tree_linux_write,
        .allocate = tree_linux_allocate,
        .truncate = tree_linux_truncate,
        .copy = tree_linux_copy,
        .mode_set = tree_linux_mode_set,
        .owner_set = tree_linux_owner_set,
        .attributes_copy = tree_linux_attributes_copy,
        .times_set = tree_linux_times_set,
        .write_back = tree_linux_write_back,
        .sync = tree_linux_sync,
        .sync_all = tree_linux_sync_all,
    };
    static struct tree tree = {.table = &table};

    return &tree;
}
