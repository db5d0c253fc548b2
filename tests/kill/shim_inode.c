/* SPDX-License-Identifier: MIT */
/* Mutations of inodes: modes, owners, times, extended attributes; and what makes things durable. */
#include "gate.h"

#include <fcntl.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static struct call
call_meta_fd(const char *function, int fd)
{
    struct call call = CALL(function, CLASS_META);

    call_on_fd(&call, fd);
    call.change = CHANGE_META;
    return call;
}

static struct call
call_meta_path(const char *function, int at, const char *path, bool follow)
{
    struct call call = CALL(function, CLASS_META);

    call_on_path(&call, at, path, follow);
    call.change = CHANGE_META;
    return call;
}

/* ---- modes and owners ---- */

EXPORTED int
fchmod(int fd, mode_t mode)
{
    struct call call = call_meta_fd("fchmod", fd);

    return THROUGH_GATE(&call, REAL(fchmod)(fd, mode));
}

EXPORTED int
chmod(const char *path, mode_t mode)
{
    struct call call = call_meta_path("chmod", AT_FDCWD, path, true);

    return THROUGH_GATE(&call, REAL(chmod)(path, mode));
}

EXPORTED int
fchmodat(int at, const char *path, mode_t mode, int flags)
{
    struct call call = call_meta_path("fchmodat", at, path, !(flags & AT_SYMLINK_NOFOLLOW));

    return THROUGH_GATE(&call, REAL(fchmodat)(at, path, mode, flags));
}

EXPORTED int
fchown(int fd, uid_t owner, gid_t group)
{
    struct call call = call_meta_fd("fchown", fd);

    return THROUGH_GATE(&call, REAL(fchown)(fd, owner, group));
}

EXPORTED int
chown(const char *path, uid_t owner, gid_t group)
{
    struct call call = call_meta_path("chown", AT_FDCWD, path, true);

    return THROUGH_GATE(&call, REAL(chown)(path, owner, group));
}

EXPORTED int
lchown(const char *path, uid_t owner, gid_t group)
{
    struct call call = call_meta_path("lchown", AT_FDCWD, path, false);

    return THROUGH_GATE(&call, REAL(lchown)(path, owner, group));
}

EXPORTED int
fchownat(int at, const char *path, uid_t owner, gid_t group, int flags)
{
    struct call call = call_meta_path("fchownat", at, path, !(flags & AT_SYMLINK_NOFOLLOW));

    return THROUGH_GATE(&call, REAL(fchownat)(at, path, owner, group, flags));
}

/* ---- times ---- */

EXPORTED int
futimens(int fd, const struct timespec times[2])
{
    struct call call = call_meta_fd("utimensat", fd);

    return THROUGH_GATE(&call, REAL(futimens)(fd, times));
}

EXPORTED int
utimensat(int at, const char *path, const struct timespec times[2], int flags)
{
    struct call call = call_meta_path("utimensat", at, path, !(flags & AT_SYMLINK_NOFOLLOW));

    return THROUGH_GATE(&call, REAL(utimensat)(at, path, times, flags));
}

EXPORTED int
utimes(const char *path, const struct timeval times[2])
{
    struct call call = call_meta_path("utimes", AT_FDCWD, path, true);

    return THROUGH_GATE(&call, REAL(utimes)(path, times));
}

EXPORTED int
lutimes(const char *path, const struct timeval times[2])
{
    struct call call = call_meta_path("utimensat", AT_FDCWD, path, false);

    return THROUGH_GATE(&call, REAL(lutimes)(path, times));
}

EXPORTED int
futimes(int fd, const struct timeval times[2])
{
    struct call call = call_meta_fd("utimensat", fd);

    return THROUGH_GATE(&call, REAL(futimes)(fd, times));
}

EXPORTED int
utime(const char *path, const struct utimbuf *times)
{
    struct call call = call_meta_path("utime", AT_FDCWD, path, true);

    return THROUGH_GATE(&call, REAL(utime)(path, times));
}

/* ---- extended attributes ---- */

EXPORTED int
fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
    struct call call = call_meta_fd("fsetxattr", fd);

    call.class = CLASS_SPACE;
    return THROUGH_GATE(&call, REAL(fsetxattr)(fd, name, value, size, flags));
}

EXPORTED int
setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    struct call call = call_meta_path("setxattr", AT_FDCWD, path, true);

    call.class = CLASS_SPACE;
    return THROUGH_GATE(&call, REAL(setxattr)(path, name, value, size, flags));
}

EXPORTED int
lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
    struct call call = call_meta_path("lsetxattr", AT_FDCWD, path, false);

    call.class = CLASS_SPACE;
    return THROUGH_GATE(&call, REAL(lsetxattr)(path, name, value, size, flags));
}

EXPORTED int
fremovexattr(int fd, const char *name)
{
    struct call call = call_meta_fd("fremovexattr", fd);

    return THROUGH_GATE(&call, REAL(fremovexattr)(fd, name));
}

EXPORTED int
removexattr(const char *path, const char *name)
{
    struct call call = call_meta_path("removexattr", AT_FDCWD, path, true);

    return THROUGH_GATE(&call, REAL(removexattr)(path, name));
}

EXPORTED int
lremovexattr(const char *path, const char *name)
{
    struct call call = call_meta_path("lremovexattr", AT_FDCWD, path, false);

    return THROUGH_GATE(&call, REAL(lremovexattr)(path, name));
}

/* ---- durability ---- */

static struct call
call_sync(const char *function, int fd)
{
    struct call call = CALL(function, CLASS_SYNC);

    call_on_fd(&call, fd);
    return call;
}

EXPORTED int
fsync(int fd)
{
    struct call call = call_sync("fsync", fd);

    return THROUGH_GATE(&call, REAL(fsync)(fd));
}

EXPORTED int
fdatasync(int fd)
{
    struct call call = call_sync("fdatasync", fd);

    return THROUGH_GATE(&call, REAL(fdatasync)(fd));
}

EXPORTED int
syncfs(int fd)
{
    struct call call = call_sync("syncfs", fd);

    return THROUGH_GATE(&call, REAL(syncfs)(fd));
}

/* Starts or awaits writing; by its manual page it makes nothing durable. */
EXPORTED int
sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
    struct call call = call_sync("sync_file_range", fd);

    return THROUGH_GATE(&call, REAL(sync_file_range)(fd, offset, size, flags));
}
