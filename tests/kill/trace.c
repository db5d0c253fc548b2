/* SPDX-License-Identifier: MIT */
/*
 * The trace: one line per mutation, in the order they happened, and beside it (PATH.data) the
 * bytes.
 *
 *     NUMBER FUNCTION RESULT ERRNO KEY=VALUE…
 *
 *     file=ID                     the inode it is about: its number and birth, with a dot between
 *     new=file|directory|symlink  …which is new
 *     mode= uid= gid= size= mtime=          how it is now
 *     xattrs=yes x=NAME:VALUE …   all its extended attributes, in hexadecimal
 *     target=TEXT                 of a symbolic link
 *     write=OFFSET,SIZE,AT        bytes, which stand in PATH.data from AT on
 *     resize=SIZE zero=OFFSET,SIZE
 *     bind=DIRECTORY:NAME:ID|-    what the name stands for now
 *     parent=DIRECTORY:MTIME      a directory whose names have changed
 *     sync=data|all|everything    what is durable now
 *     durable=yes                 it is durable already (O_DSYNC)
 *
 * Texts are percent-encoded.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINE_SIZE   (256u << 10)
#define XATTRS_SIZE (64u << 10)

static int trace_fd = -1, data_fd = -1;
static char line[LINE_SIZE];
static size_t used;

static void
broken(const char *what)
{
    fprintf(stderr, "libktmkill: %s: %s\n", what, strerror(errno));
    abort();
}

static int
output_open(const char *path)
{
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        broken(path);
    return fd;
}

void
trace_open(const char *path)
{
    char data[PATH_MAX];

    snprintf(data, sizeof(data), "%s.data", path);
    trace_fd = output_open(path);
    data_fd = output_open(data);
}

bool
trace_is_on(void)
{
    return trace_fd >= 0;
}

/* ---- a line ---- */

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line + used, LINE_SIZE - used, format, arguments);
    va_end(arguments);
    if (size < 0 || used + (size_t)size >= LINE_SIZE - 1)
        broken("a line of the trace is too long");
    used += (size_t)size;
}

static void
say_text(const char *text)
{
    for (; *text; text++)
        if (*text > ' ' && *text < 127 && !strchr("%:=,", *text))
            say("%c", *text);
        else
            say("%%%02X", (unsigned char)*text);
}

static void
say_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        say("%02x", (unsigned char)text[i]);
}

static void
write_all(int fd, const char *from, size_t size)
{
    while (size > 0) {
        ssize_t n = REAL(write)(fd, from, size);

        if (n < 0)
            broken("the trace cannot be written");
        from += n;
        size -= (size_t)n;
    }
}

/* ---- inodes ---- */

static int64_t
nanoseconds(struct statx_timestamp time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct statx
look(int at, const char *name)
{
    struct statx info;

    if (inodes_statx(at, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &info) != 0)
        broken(name);
    return info;
}

static void
say_id(const struct statx *info)
{
    say("%" PRIu64 ".%" PRId64, (uint64_t)info->stx_ino,
        info->stx_mask & STATX_BTIME ? nanoseconds(info->stx_btime) : 0);
}

static void
say_xattrs(const char *path)
{
    char names[XATTRS_SIZE], value[XATTRS_SIZE];
    ssize_t size = listxattr(path, names, sizeof(names));

    if (size < 0 && errno != EOPNOTSUPP)
        broken("listxattr");
    say(" xattrs=yes");
    for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        ssize_t got = getxattr(path, name, value, sizeof(value));

        if (got < 0)
            broken(name);
        say(" x=");
        say_hex(name, strlen(name));
        say(":");
        say_hex(value, (size_t)got);
    }
}

/* Everything about the inode but its content and names. */
static void
say_meta(int fd, const struct statx *info)
{
    char path[64];

    say(" mode=%o uid=%u gid=%u size=%" PRIu64 " mtime=%" PRId64, info->stx_mode, info->stx_uid,
        info->stx_gid, (uint64_t)info->stx_size, nanoseconds(info->stx_mtime));
    if (S_ISLNK(info->stx_mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    say_xattrs(path);
}

static void
say_new(int parent, const char *name)
{
    struct statx info = look(parent, name);
    char target[PATH_MAX];
    ssize_t size;
    int fd;

    say(" file=");
    say_id(&info);
    if (S_ISLNK(info.stx_mode)) {
        size = readlinkat(parent, name, target, sizeof(target) - 1);
        if (size < 0)
            broken(name);
        target[size] = '\0';
        say(" new=symlink target=");
        say_text(target);
    } else {
        say(" new=%s", S_ISDIR(info.stx_mode) ? "directory" : "file");
    }
    fd = REAL(openat)(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        broken(name);
    say_meta(fd, &info);
    close(fd);
}

/* ---- changes ---- */

/* Copies what the file now has in the range; whoever wrote it may have been unable to read it. */
static void
data_keep(int fd, off_t offset, size_t size)
{
    char buffer[64 << 10], path[64];
    int own = -1;

    while (size > 0) {
        ssize_t n = pread(own >= 0 ? own : fd, buffer,
                          size < sizeof(buffer) ? size : sizeof(buffer), offset);

        if (n < 0 && errno == EBADF && own < 0) {
            snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
            own = REAL(open)(path, O_RDONLY | O_CLOEXEC);
            if (own >= 0)
                continue;
        }
        if (n <= 0)
            broken("what was written cannot be read back");
        write_all(data_fd, buffer, (size_t)n);
        offset += n;
        size -= (size_t)n;
    }
    if (own >= 0)
        close(own);
}

static void
say_inode_change(const struct call *call, long result)
{
    struct statx info = look(call->fd, "");
    off_t size = call->size ? call->size : (off_t)result;

    say(" file=");
    say_id(&info);
    if (call->change == CHANGE_UNNAMED)
        say(" new=file");
    say_meta(call->fd, &info);
    if (call->change == CHANGE_WRITE && size > 0) {
        say(" write=%" PRId64 ",%" PRId64 ",%" PRId64, (int64_t)call->offset, (int64_t)size,
            (int64_t)lseek(data_fd, 0, SEEK_END));
        data_keep(call->fd, call->offset, (size_t)size);
    } else if (call->change == CHANGE_SIZE) {
        say(" resize=%" PRIu64, (uint64_t)info.stx_size);
    } else if (call->change == CHANGE_ZERO) {
        say(" zero=%" PRId64 ",%" PRId64 " resize=%" PRIu64, (int64_t)call->offset,
            (int64_t)call->size, (uint64_t)info.stx_size);
    }
    if (call->is_durable)
        say(" durable=yes");
}

static void
say_names(const struct call *call)
{
    for (int i = 0; i < call->place_count; i++) {
        const struct place *place = &call->places[i];
        struct statx directory = look(place->parent, ""), child;

        say(" bind=");
        say_id(&directory);
        say(":");
        say_text(place->name);
        say(":");
        if (inodes_statx(place->parent, place->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
                         &child) == 0)
            say_id(&child);
        else
            say("-");
        say(" parent=");
        say_id(&directory);
        say(":%" PRId64, nanoseconds(directory.stx_mtime));
    }
    /* One name that was not there: something new, unless it is a link to what was there before. */
    if (call->place_count == 1 && !call->places[0].was_there &&
        strncmp(call->function, "link", 4) && strncmp(call->function, "rename", 6))
        say_new(call->places[0].parent, call->places[0].name);
}

static void
say_sync(const struct call *call)
{
    struct statx info;

    if (strcmp(call->function, "syncfs") == 0) {
        say(" sync=everything");
        return;
    }
    info = look(call->fd, "");
    say(" file=");
    say_id(&info);
    if (strcmp(call->function, "sync_file_range") != 0)
        say(" sync=%s", strcmp(call->function, "fdatasync") == 0 ? "data" : "all");
}

void
trace_call(const struct call *call, long result, int error)
{
    if (trace_fd < 0)
        return;
    used = 0;
    say("%d %s %ld %d", call->number, call->function, result < 0 ? -1 : result,
        result < 0 ? error : 0);
    if (call->class & CLASS_SYNC)
        say_sync(call); /* also one that failed: what it was to cover may be lost */
    else if (result >= 0 && call->change == CHANGE_NAMES)
        say_names(call);
    else if (result >= 0 && call->fd >= 0)
        say_inode_change(call, result);
    say("\n");
    write_all(trace_fd, line, used);
}
