/* SPDX-License-Identifier: MIT */
/*
 * libktmkill.so: put before a program with LD_PRELOAD, it counts every call that changes something
 * below a directory, and makes the n-th one fatal.
 *
 *     KTM_KILL_ROOT=DIR     what is watched; without it nothing happens
 *     KTM_KILL_COUNT=FILE   the count so far, a native uint64_t, kept up to date (also over
 * SIGKILL) KTM_KILL_AT=N         the mutation it is about, from 1 KTM_KILL_HOW=         count only
 * count (the default) before  SIGKILL instead of mutation N after   SIGKILL when mutation N is done
 *                           torn    mutation N writes half of what it should, then SIGKILL; what is
 *                                   not a write is killed before
 *                           short   mutation N writes half of what it should and says so
 *                           fail    mutation N is not done and fails
 *     KTM_KILL_ERRNO=EIO    with which error: EIO ENOSPC EDQUOT EINTR EROFS ENOMEM EACCES EMFILE
 *     KTM_KILL_FOREVER=1    and all later ones fail too
 *     KTM_KILL_ONLY=LIST    but only such mutations fail: space (makes, writes, links, renames),
 * free (unlinks, truncates), meta (modes, owners, times, attributes), sync KTM_KILL_LIE=LIST says
 * success and does nothing for: file-sync, directory-sync KTM_KILL_TRACE=FILE   writes down what
 * happened (see trace.c), for replay.py KTM_KILL_INODES=FILE  inode numbers and births to be told
 * instead of the real ones; needs no root
 *
 * For example: LD_PRELOAD=libktmkill.so KTM_KILL_ROOT=/tmp/x KTM_KILL_HOW=before KTM_KILL_AT=17 ktm
 * …
 *
 * Mutations are counted and performed one after the other, whatever thread they come from, and by
 * what is called, not by whether it succeeds. A process counts for itself: children start at 1
 * again. What goes past the C library's functions is not seen: stdio, mmap, io_uring and system
 * calls made by hand; tests/kill/shim.py compares with strace, so that it shows when the project
 * begins to use such.
 *
 * This file: names, and opening. shim_content.c: bytes and sizes. shim_inode.c: attributes and
 * syncs.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- opening ---- */

/* The call is now about the file that was opened. */
static int
opened(struct call *call, int fd)
{
    if (!call->is_watched || fd < 0)
        return fd;
    if (call->fd_is_ours)
        close(call->fd);
    call->fd_is_ours = false;
    call->fd = fd;
    if (call->change == CHANGE_NAMES && call->places[0].was_there) {
        close(call->places[0].parent);
        call->place_count = 0;
        call->change = CHANGE_SIZE;
    }
    return fd;
}

static bool
is_unnamed(int flags)
{
    return (flags & O_TMPFILE) == O_TMPFILE;
}

static void
call_on_open(struct call *call, int at, const char *path, int flags)
{
    if (is_unnamed(flags)) {
        call_on_path(call, at, path, true);
        call->change = CHANGE_UNNAMED;
    } else if (flags & (O_CREAT | O_TRUNC)) {
        call_on_name(call, at, path);
    }
}

static int
open_at(const char *function, int at, const char *path, int flags, mode_t mode)
{
    struct call call = CALL(function, CLASS_SPACE);

    call_on_open(&call, at, path, flags);
    return THROUGH_GATE(&call, opened(&call, REAL(openat)(at, path, flags, mode)));
}

static bool
has_mode(int flags)
{
    return flags & O_CREAT || is_unnamed(flags);
}

#define MODE_OF(flags)                                                                             \
    ({                                                                                             \
        va_list arguments_;                                                                        \
        mode_t mode_ = 0;                                                                          \
        va_start(arguments_, flags);                                                               \
        if (has_mode(flags))                                                                       \
            mode_ = va_arg(arguments_, mode_t);                                                    \
        va_end(arguments_);                                                                        \
        mode_;                                                                                     \
    })

EXPORTED int
open(const char *path, int flags, ...)
{
    return open_at("openat", AT_FDCWD, path, flags, MODE_OF(flags));
}

EXPORTED int
openat(int at, const char *path, int flags, ...)
{
    return open_at("openat", at, path, flags, MODE_OF(flags));
}

EXPORTED int
creat(const char *path, mode_t mode)
{
    return open_at("openat", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* What fortified programs call when there is no mode. */
EXPORTED int __open_2(const char *path, int flags);
EXPORTED int __openat_2(int at, const char *path, int flags);

int
__open_2(const char *path, int flags)
{
    return open_at("openat", AT_FDCWD, path, flags, 0);
}

int
__openat_2(int at, const char *path, int flags)
{
    return open_at("openat", at, path, flags, 0);
}

static long
open_at_2(int at, const char *path, const struct open_how *how, size_t size)
{
    struct call call = CALL("openat2", CLASS_SPACE);

    call_on_open(&call, at, path, (int)how->flags);
    return THROUGH_GATE(&call, opened(&call, (int)REAL(syscall)(SYS_openat2, at, path, how, size)));
}

EXPORTED int open64(const char *, int, ...) __attribute__((alias("open")));
EXPORTED int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
EXPORTED int creat64(const char *, mode_t) __attribute__((alias("creat")));
EXPORTED int __open64_2(const char *, int) __attribute__((alias("__open_2")));
EXPORTED int __openat64_2(int, const char *, int) __attribute__((alias("__openat_2")));

/* ---- names ---- */

EXPORTED int
mkdirat(int at, const char *path, mode_t mode)
{
    struct call call = CALL("mkdirat", CLASS_SPACE);

    call_on_name(&call, at, path);
    return THROUGH_GATE(&call, REAL(mkdirat)(at, path, mode));
}

EXPORTED int
mkdir(const char *path, mode_t mode)
{
    struct call call = CALL("mkdir", CLASS_SPACE);

    call_on_name(&call, AT_FDCWD, path);
    return THROUGH_GATE(&call, REAL(mkdir)(path, mode));
}

EXPORTED int
mknodat(int at, const char *path, mode_t mode, dev_t device)
{
    struct call call = CALL("mknodat", CLASS_SPACE);

    call_on_name(&call, at, path);
    return THROUGH_GATE(&call, REAL(mknodat)(at, path, mode, device));
}

EXPORTED int
mknod(const char *path, mode_t mode, dev_t device)
{
    return mknodat(AT_FDCWD, path, mode, device);
}

EXPORTED int
mkfifoat(int at, const char *path, mode_t mode)
{
    return mknodat(at, path, mode | S_IFIFO, 0);
}

EXPORTED int
mkfifo(const char *path, mode_t mode)
{
    return mknodat(AT_FDCWD, path, mode | S_IFIFO, 0);
}

EXPORTED int
unlinkat(int at, const char *path, int flags)
{
    struct call call = CALL("unlinkat", CLASS_FREE);

    call_on_name(&call, at, path);
    return THROUGH_GATE(&call, REAL(unlinkat)(at, path, flags));
}

EXPORTED int
unlink(const char *path)
{
    struct call call = CALL("unlink", CLASS_FREE);

    call_on_name(&call, AT_FDCWD, path);
    return THROUGH_GATE(&call, REAL(unlink)(path));
}

EXPORTED int
rmdir(const char *path)
{
    struct call call = CALL("rmdir", CLASS_FREE);

    call_on_name(&call, AT_FDCWD, path);
    return THROUGH_GATE(&call, REAL(rmdir)(path));
}

EXPORTED int
remove(const char *path)
{
    int result = unlink(path);

    return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

EXPORTED int
symlinkat(const char *text, int at, const char *path)
{
    struct call call = CALL("symlinkat", CLASS_SPACE);

    call_on_name(&call, at, path);
    return THROUGH_GATE(&call, REAL(symlinkat)(text, at, path));
}

EXPORTED int
symlink(const char *text, const char *path)
{
    struct call call = CALL("symlink", CLASS_SPACE);

    call_on_name(&call, AT_FDCWD, path);
    return THROUGH_GATE(&call, REAL(symlink)(text, path));
}

EXPORTED int
linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    struct call call = CALL("linkat", CLASS_SPACE);

    call_on_name(&call, to_at, to);
    return THROUGH_GATE(&call, REAL(linkat)(from_at, from, to_at, to, flags));
}

EXPORTED int
link(const char *from, const char *to)
{
    struct call call = CALL("link", CLASS_SPACE);

    call_on_name(&call, AT_FDCWD, to);
    return THROUGH_GATE(&call, REAL(link)(from, to));
}

EXPORTED int
renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    struct call call = CALL("renameat2", CLASS_SPACE);

    call_on_name(&call, from_at, from);
    call_on_name(&call, to_at, to);
    return THROUGH_GATE(&call, REAL(renameat2)(from_at, from, to_at, to, flags));
}

EXPORTED int
renameat(int from_at, const char *from, int to_at, const char *to)
{
    struct call call = CALL("renameat", CLASS_SPACE);

    call_on_name(&call, from_at, from);
    call_on_name(&call, to_at, to);
    return THROUGH_GATE(&call, REAL(renameat)(from_at, from, to_at, to));
}

EXPORTED int
rename(const char *from, const char *to)
{
    struct call call = CALL("rename", CLASS_SPACE);

    call_on_name(&call, AT_FDCWD, from);
    call_on_name(&call, AT_FDCWD, to);
    return THROUGH_GATE(&call, REAL(rename)(from, to));
}

/* ---- by number ---- */

/* Those calls for which the C library has no function, or had none for long. */
EXPORTED long
syscall(long number, ...)
{
    va_list list;
    long a[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    switch (number) {
    case SYS_openat2:
        return open_at_2((int)a[0], (const char *)a[1], (const struct open_how *)a[2],
                         (size_t)a[3]);
    case SYS_renameat2:
        return renameat2((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3],
                         (unsigned)a[4]);
    case SYS_copy_file_range:
        return copy_file_range((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4],
                               (unsigned)a[5]);
    default:
        return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}
