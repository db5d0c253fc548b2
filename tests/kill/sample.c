/* SPDX-License-Identifier: MIT */
/*
 * A program to try the shim and the replay on.
 *
 *     sample calls DIR          one of every call that the shim knows, for counting
 *     sample save DIR TEXT      changes the files 'one' and 'two' to TEXT, both or none, by a
 * journal sample recover DIR        finishes or forgets what 'save' left
 *
 * 'save' is written as it should be: take away any of its syncs and some power cut leaves one file
 * new and one old.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static int top; /* the directory */

static void __attribute__((noreturn)) fail(const char *what)
{
    perror(what);
    exit(1);
}

static int
must(int result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}
#define MUST(call) must((int)(call), #call)

/* ---- save and recover ---- */

#define RECORD_SIZE 4096

/* The whole content under another name, durable. */
static void
write_aside(const char *name, const char *content, size_t size)
{
    int fd = MUST(openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

    MUST(pwrite(fd, content, size, 0));
    MUST(fdatasync(fd));
    close(fd);
}

static void
put(const char *aside, const char *name, const char *content)
{
    write_aside(aside, content, strlen(content));
    MUST(renameat(top, aside, top, name));
}

/* What the journal says becomes so; it can be done again from any point. */
static void
perform(const char *text)
{
    put("one.new", "one", text);
    put("two.new", "two", text);
    MUST(fsync(top));
    MUST(unlinkat(top, "journal", 0));
    MUST(fsync(top));
}

static int
save(const char *text)
{
    char record[RECORD_SIZE] = {0};

    snprintf(record, sizeof(record), "%s", text);
    write_aside("journal.new", record, sizeof(record));
    MUST(renameat(top, "journal.new", top, "journal"));
    MUST(fsync(top));
    perform(text);
    return 0;
}

static int
recover(void)
{
    char record[RECORD_SIZE] = {0};
    int fd = openat(top, "journal", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        MUST(read(fd, record, sizeof(record) - 1));
        close(fd);
        perform(record);
    } else if (errno != ENOENT) {
        fail("journal");
    }
    unlinkat(top, "journal.new", 0);
    unlinkat(top, "one.new", 0);
    unlinkat(top, "two.new", 0);
    return 0;
}

/* ---- every call ---- */

/* For calls that need not work on this file system: what counts is that they are seen. */
static void
try(long result)
{
    (void)result;
}

static void
call_content(int fd)
{
    const struct iovec two[] = {{"ab", 2}, {"cdef", 4}};
    int from = MUST(openat(top, "from", O_RDWR | O_CREAT | O_TRUNC, 0600)), ends[2];
    off_t at = 0;

    MUST(write(from, "0123456789", 10));
    MUST(write(fd, "x", 1));
    MUST(pwrite(fd, "hello", 5, 3));
    MUST(writev(fd, two, 2));
    MUST(pwritev(fd, two, 2, 20));
    MUST(pwritev2(fd, two, 2, 40, RWF_DSYNC));
    try(copy_file_range(from, &at, fd, NULL, 5, 0));
    at = 0;
    MUST(sendfile(fd, from, &at, 5));
    MUST(pipe(ends));
    MUST(write(ends[1], "pipe", 4)); /* not below the root */
    try(splice(ends[0], NULL, fd, NULL, 4, 0));
    try(ioctl(fd, FICLONE, from));
    MUST(ftruncate(fd, 1000));
    try(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096));
    try(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 512));
    try(posix_fallocate(fd, 0, 2000));
    try(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    MUST(fsync(fd));
    MUST(fdatasync(fd));
    MUST(syncfs(fd));
    close(from);
}

static void
call_inodes(int fd, const char *path)
{
    const struct timespec times[2] = {{1000000000, 5}, {1000000001, 6}};
    const struct timeval old_times[2] = {{1000000000, 5}, {1000000001, 6}};
    const struct utimbuf older = {1, 2};
    char proc[64];

    MUST(fchmod(fd, 0640));
    MUST(chmod(path, 0600));
    MUST(fchmodat(top, "file", 0644, 0));
    MUST(fchown(fd, geteuid(), getegid()));
    MUST(chown(path, geteuid(), getegid()));
    MUST(lchown(path, geteuid(), getegid()));
    MUST(fchownat(fd, "", geteuid(), getegid(), AT_EMPTY_PATH));
    MUST(futimens(fd, times));
    MUST(utimensat(top, "file", times, AT_SYMLINK_NOFOLLOW));
    MUST(utimes(path, old_times));
    MUST(utime(path, &older));
    try(fsetxattr(fd, "user.one", "1", 1, 0));
    try(setxattr(path, "user.two", "22", 2, 0));
    try(lsetxattr(path, "user.three", "333", 3, 0));
    try(fremovexattr(fd, "user.one"));
    try(removexattr(path, "user.two"));
    try(lremovexattr(path, "user.nothing"));
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    MUST(chmod(proc, 0600));
    MUST(truncate(path, 100));
}

static void
call_names(const char *directory)
{
    char a[4096], b[4096], proc[64];
    int unnamed = open(directory, O_TMPFILE | O_RDWR, 0600);

    snprintf(a, sizeof(a), "%s/a", directory);
    snprintf(b, sizeof(b), "%s/b", directory);
    if (unnamed >= 0) {
        MUST(write(unnamed, "u", 1));
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", unnamed);
        MUST(linkat(AT_FDCWD, proc, top, "unnamed", AT_SYMLINK_FOLLOW));
        close(unnamed);
    }
    MUST(mkdir(a, 0700));
    MUST(mkdirat(top, "c", 0755));
    MUST(rename(a, b));
    MUST(renameat(top, "c", top, "b/c"));
    MUST(renameat2(top, "b/c", top, "c", 1 /* NOREPLACE */));
    try(syscall(SYS_renameat2, top, "b", top, "c", 2 /* EXCHANGE */));
    MUST(rmdir(b));
    MUST(unlinkat(top, "c", AT_REMOVEDIR));
    MUST(symlink("somewhere", a));
    MUST(symlinkat("else where", top, "l %="));
    MUST(link(a, b));
    MUST(unlink(a));
    MUST(remove(b));
    MUST(mkfifoat(top, "fifo", 0600));
    MUST(unlinkat(top, "fifo", 0));
    close(MUST(creat(a, 0600)));
    close(MUST(open(a, O_WRONLY | O_TRUNC)));
    try(mkdirat(top, "a", 0700)); /* refused: it is there */
}

static int
calls(const char *directory)
{
    char path[4096];
    int fd = MUST(openat(top, "file", O_RDWR | O_CREAT, 0600));

    snprintf(path, sizeof(path), "%s/file", directory);
    call_content(fd);
    call_inodes(fd, path);
    call_names(directory);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: sample calls|save|recover DIR [TEXT]\n");
        return 2;
    }
    top = MUST(open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (strcmp(argv[1], "calls") == 0)
        return calls(argv[2]);
    if (strcmp(argv[1], "save") == 0 && argc == 4)
        return save(argv[3]);
    return recover();
}
