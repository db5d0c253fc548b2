/* SPDX-License-Identifier: MIT */
/*
 * The real table on a real directory. Some of the C library's calls are replaced here by ones that
 * can be told to transfer little, to be interrupted or to fail; being in the program itself, they
 * are what src/sys/linux.c calls.
 */
#include "tests/sys/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/alloc.h"

/* ---- the C library, badly behaved ---- */

static struct {
    size_t transfer_max;      /* 0: as much as asked for */
    unsigned interrupt_every; /* the n-th call is interrupted; 0: none */
    unsigned calls, syncs;
    int sync_error;
    bool writes_nothing;
} weather;

static bool
is_interrupted(void)
{
    weather.calls++;
    if (weather.interrupt_every == 0 || weather.calls % weather.interrupt_every != 0)
        return false;
    errno = EINTR;
    return true;
}

static size_t
transfer_of(size_t size)
{
    return weather.transfer_max && size > weather.transfer_max ? weather.transfer_max : size;
}

ssize_t
pread(int fd, void *into, size_t size, off_t offset)
{
    return is_interrupted() ? -1 : syscall(SYS_pread64, fd, into, transfer_of(size), offset);
}

ssize_t
pwrite(int fd, const void *from, size_t size, off_t offset)
{
    if (weather.writes_nothing)
        return 0;
    return is_interrupted() ? -1 : syscall(SYS_pwrite64, fd, from, transfer_of(size), offset);
}

ssize_t
pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    size_t done = 0;

    if (is_interrupted())
        return -1;
    EXPECT(count >= 2 && count <= IOV_MAX);
    for (int i = 0; i < count && done < transfer_of(SIZE_MAX); i++) {
        size_t left = transfer_of(SIZE_MAX) - done;
        size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;
        ssize_t n;

        EXPECT(vector[i].iov_len > 0);
        n = syscall(SYS_pwrite64, fd, vector[i].iov_base, size, offset + (off_t)done);
        if (n < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int
fdatasync(int fd)
{
    weather.syncs++;
    if (is_interrupted())
        return -1;
    if (weather.sync_error) {
        errno = weather.sync_error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- paths ---- */

/* A path in this test's directory; four may be in use at once. */
static const char *
in(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", test_directory(), name);
    return path;
}

static struct sys *
sys(void)
{
    return sys_linux();
}

/* ---- reading and writing ---- */

TEST(parts_are_written_one_after_the_other_whatever_their_number_and_size)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    enum { COUNT = 1000 };
    struct bytes parts[COUNT];
    uint8_t data[64], back[COUNT * 10 + 1], wanted[sizeof(back)];
    size_t size = 0, got;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i + 1);
    for (size_t i = 0; i < COUNT; i++) {
        parts[i] = bytes_of(data + i % 50, i % 7 ? i % 10 : 0); /* many of them empty */
        memcpy(wanted + size, parts[i].at, parts[i].size);
        size += parts[i].size;
    }
    EXPECT_OK(sys_file_write(file, parts, COUNT, 123));
    EXPECT_EQ(123 + size, size_of(file));
    EXPECT_OK(sys_file_read(file, back, sizeof(back), 123, &got));
    EXPECT_EQ(size, got);
    EXPECT_BYTES(wanted, back, size);
}

TEST(writing_nothing_succeeds_and_changes_nothing)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    struct bytes empty[] = {bytes_of(NULL, 0), bytes_of("x", 0)};

    EXPECT_OK(sys_file_write(file, NULL, 0, 77));
    EXPECT_OK(sys_file_write(file, empty, 2, 77));
    EXPECT_EQ(0, size_of(file));
}

TEST(a_read_ends_at_the_end_of_the_file_and_holes_are_zeros)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    uint8_t back[10];
    size_t got = 99;

    EXPECT_OK(sys_file_read(file, back, sizeof(back), 0, &got));
    EXPECT_EQ(0, got);
    EXPECT_OK(put(file, "abc", 5));
    EXPECT_OK(sys_file_read(file, back, sizeof(back), 0, &got));
    EXPECT_EQ(8, got);
    EXPECT_BYTES("\0\0\0\0\0abc", back, 8);
    EXPECT_OK(sys_file_read(file, back, 2, 6, &got));
    EXPECT_EQ(2, got);
    EXPECT_OK(sys_file_read(file, back, sizeof(back), 8, &got));
    EXPECT_EQ(0, got);
    EXPECT_OK(sys_file_read(file, back, 0, 3, &got));
    EXPECT_EQ(0, got);
}

TEST(short_transfers_and_interruptions_are_never_seen)
{
    static const size_t transfers[] = {1, 3, 7, 0};
    struct bytes parts[] = {bytes_of("abcd", 4), bytes_of("", 0), bytes_of("efghijkl", 8),
                            bytes_of("m", 1)};
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    EACH (transfer, transfers) {
        weather.transfer_max = *transfer;
        weather.interrupt_every = 2;
        EXPECT_OK(fill(file, 'x', 20, 0));
        EXPECT_OK(sys_file_write(file, parts, ARRAY_SIZE(parts), 2));
        EXPECT_OK(put(file, "12345", 17));
        EXPECT_OK(sys_file_sync(file));
        EXPECT_TEXT("xxabcdefghijklmxx12345", text_at(file, 0, 100));
    }
}

TEST(a_write_that_transfers_nothing_is_an_error_and_no_endless_loop)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    weather.writes_nothing = true;
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, put(file, "x", 0));
}

TEST(a_failed_sync_is_reported_and_not_tried_again) /* CLFS-DUR-13 */
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    weather.sync_error = EIO;
    EXPECT_STATUS(STATUS_IO_DEVICE_ERROR, sys_file_sync(file));
    EXPECT_EQ(1, weather.syncs);
    weather.sync_error = ENOSPC;
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_sync(file));
    EXPECT_EQ(2, weather.syncs);
    weather.sync_error = 0;
    EXPECT_OK(sys_file_sync(file));
    EXPECT_EQ(3, weather.syncs);
}

TEST(offsets_beyond_what_a_file_can_have_are_refused)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    uint8_t byte;
    size_t got;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, put(file, "x", UINT64_MAX));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, put(file, "x", INT64_MAX));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, sys_file_read(file, &byte, 1, UINT64_MAX, &got));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, sys_file_read(file, &byte, 1, INT64_MAX, &got));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, sys_file_allocate(file, UINT64_MAX));
    EXPECT_EQ(0, size_of(file));
}

TEST(a_file_can_be_used_only_as_it_was_opened)
{
    owned(sys_file_close) struct sys_file *both = opened(sys(), in("f"), NEW);
    owned(sys_file_close) struct sys_file *reader = opened(sys(), in("f"), SYS_READ);
    owned(sys_file_close) struct sys_file *writer = opened(sys(), in("f"), SYS_WRITE);
    uint8_t byte;
    size_t got;

    EXPECT_OK(put(writer, "x", 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_file_read(writer, &byte, 1, 0, &got));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, put(reader, "x", 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_file_lock(reader));
    EXPECT_OK(sys_file_sync(reader));
    EXPECT_TEXT("x", text_at(both, 0, 10));
}

/* ---- allocating ---- */

TEST(allocated_space_is_there_and_zero)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    enum { SIZE = 3 << 20 | 777 };
    uint8_t *back = malloc(SIZE + 1);
    struct stat info;
    size_t got;

    EXPECT_OK(put(file, "head", 0));
    EXPECT_OK(sys_file_allocate(file, SIZE));
    EXPECT_EQ(0, stat(in("f"), &info));
    EXPECT_EQ(SIZE, info.st_size);
    EXPECT(info.st_blocks * 512 >= SIZE);
    EXPECT_OK(sys_file_read(file, back, SIZE + 1, 0, &got));
    EXPECT_EQ(SIZE, got);
    EXPECT_BYTES("head", back, 4);
    for (size_t i = 4; i < SIZE; i++)
        EXPECT(back[i] == 0);
    free(back);
}

TEST(allocating_never_cuts_a_file)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    EXPECT_OK(sys_file_allocate(file, 1000));
    EXPECT_OK(sys_file_allocate(file, 1000));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, sys_file_allocate(file, 999));
    EXPECT_EQ(1000, size_of(file));
}

static void
limit_file_size(rlim_t size)
{
    signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(0, setrlimit(RLIMIT_FSIZE, &(struct rlimit){size, RLIM_INFINITY}));
}

TEST(no_room_is_disk_full_and_what_fitted_is_there) /* CLFS-STAT-07 */
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);
    owned(sys_file_close) struct sys_file *other = opened(sys(), in("g"), NEW);

    limit_file_size(10000);
    EXPECT_STATUS(STATUS_DISK_FULL, fill(file, 'x', 12000, 0));
    EXPECT_EQ(10000, size_of(file));
    EXPECT_STATUS(STATUS_DISK_FULL, put(file, "x", 10000));
    EXPECT_STATUS(STATUS_DISK_FULL, sys_file_allocate(other, 10001));
    EXPECT(size_of(other) <= 10000);
    EXPECT_OK(sys_file_allocate(other, 10000));
}

/* ---- opening ---- */

TEST(opening_answers_what_the_header_says) /* CLFS-STAT-07 */
{
    char too_long[300];

    memset(too_long, 'x', sizeof(too_long));
    too_long[299] = '\0';
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status(sys(), in("f"), RW));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status(sys(), in("no/f"), RW));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status(sys(), in("no/f"), NEW));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status(sys(), "", RW));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, open_status(sys(), in(too_long), RW));
    EXPECT_OK(open_status(sys(), in("f"), NEW));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status(sys(), in("f"), NEW));
    EXPECT_OK(open_status(sys(), in("f"), RW | SYS_CREATE));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, open_status(sys(), in("f/g"), RW));
    EXPECT_OK(sys_directory_make(sys(), in("d")));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("d"), SYS_READ));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("d"), RW));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("d"), RW | SYS_CREATE));
}

TEST(symbolic_links_are_not_followed_in_the_last_component)
{
    EXPECT_OK(open_status(sys(), in("f"), NEW));
    EXPECT_EQ(0, symlink("f", in("link")));
    EXPECT_EQ(0, symlink("nowhere", in("dangling")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, open_status(sys(), in("link"), RW));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, open_status(sys(), in("link"), SYS_READ));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD,
                  open_status(sys(), in("dangling"), RW | SYS_CREATE));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status(sys(), in("dangling"), NEW));
    EXPECT_OK(sys_directory_make(sys(), in("d")));
    EXPECT_EQ(0, symlink("d", in("dlink")));
    EXPECT_OK(open_status(sys(), in("dlink/g"), NEW)); /* on the way they are */
}

TEST(what_is_not_a_regular_file_is_refused_at_once)
{
    EXPECT_EQ(0, mkfifo(in("pipe"), 0600));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("pipe"), SYS_READ));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("pipe"), SYS_WRITE));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), in("pipe"), RW));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, open_status(sys(), "/dev/null", RW));
}

TEST(who_may_not_is_denied) /* CLFS-STAT-07 */
{
    EXPECT_OK(open_status(sys(), in("f"), NEW));
    EXPECT_EQ(0, chmod(test_directory(), 0));
    if (geteuid() == 0)
        EXPECT_EQ(0, seteuid(65534));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, open_status(sys(), in("f"), SYS_READ));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, open_status(sys(), in("g"), NEW));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_unlink(sys(), in("f")));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_directory_make(sys(), in("d")));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_rename(sys(), in("f"), in("g"), true));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, sys_directory_sync(sys(), test_directory()));
    if (geteuid() != getuid())
        EXPECT_EQ(0, seteuid(getuid()));
}

static int
descriptor_of(const char *path)
{
    for (int fd = 3; fd < 256; fd++) {
        char link[64], target[4096];
        ssize_t size;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        size = readlink(link, target, sizeof(target) - 1);
        if (size > 0 && (size_t)size == strlen(path) && memcmp(target, path, (size_t)size) == 0)
            return fd;
    }
    return -1;
}

TEST(an_open_file_is_not_inherited_by_other_programs_and_closes)
{
    char path[PATH_MAX];
    struct sys_file *file;
    int fd;

    EXPECT(realpath(test_directory(), path));
    strcat(path, "/f");
    file = opened(sys(), path, NEW);
    fd = descriptor_of(path);
    EXPECT(fd >= 0);
    EXPECT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    sys_file_close(file);
    EXPECT_EQ(-1, descriptor_of(path));
    sys_file_close(NULL);
    for (int i = 0; i < 3; i++)
        EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, open_status(sys(), path, NEW));
    EXPECT_EQ(-1, descriptor_of(path));
}

TEST(without_memory_or_descriptors_nothing_is_opened)
{
    struct rlimit limit;

    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, open_status(sys(), in("f"), NEW));
    EXPECT(alloc_fail_stop());
    EXPECT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 3;
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, open_status(sys(), in("f"), NEW));
    limit.rlim_cur = limit.rlim_max;
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
    EXPECT_OK(open_status(sys(), in("f"), NEW)); /* neither had left a file behind */
}

TEST(info_tells_what_stat_tells)
{
    owned(sys_file_close) struct sys_file *file = NULL;
    struct sys_info info;
    struct stat s;
    int64_t before = sys_time_wall(sys()), after;

    umask(0);
    file = opened(sys(), in("f"), NEW);
    EXPECT_OK(put(file, "12345", 0));
    after = sys_time_wall(sys());
    EXPECT_EQ(0, stat(in("f"), &s));
    EXPECT_OK(sys_file_info(file, &info));
    EXPECT_EQ(5, info.size);
    EXPECT_EQ(s.st_dev, info.device);
    EXPECT_EQ(s.st_ino, info.inode);
    EXPECT_EQ(0600, info.mode);
    EXPECT_EQ(geteuid(), info.owner);
    /* Files are stamped with a coarse clock, up to a tick behind. */
    EXPECT(info.created >= before - 200000 && info.created <= after);
    EXPECT(info.written >= info.created && info.written <= after);
    EXPECT_EQ(s.st_mtim.tv_sec, info.written / 10000000 - 11644473600);
}

/* ---- locking ---- */

/* What a process other than this one is answered; it dies at once, and its lock with it. */
static NTSTATUS
lock_status_elsewhere(const char *path)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct sys_file *file = opened(sys(), path, RW);
        NTSTATUS answer = sys_file_lock(file);
        _exit(answer == STATUS_SUCCESS ? 0 : answer == STATUS_SHARING_VIOLATION ? 1 : 2);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) ? STATUS_SHARING_VIOLATION : STATUS_SUCCESS;
}

TEST(one_process_has_the_lock_until_it_closes_or_dies) /* CLFS-CONC-13 */
{
    struct sys_file *file = opened(sys(), in("f"), NEW);

    EXPECT_OK(lock_status_elsewhere(in("f")));
    EXPECT_OK(sys_file_lock(file)); /* the other has died */
    EXPECT_OK(sys_file_lock(file));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, lock_status_elsewhere(in("f")));
    sys_file_close(file);
    EXPECT_OK(lock_status_elsewhere(in("f")));
}

TEST(any_close_by_the_process_drops_its_lock)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    EXPECT_OK(sys_file_lock(file));
    EXPECT_OK(open_status(sys(), in("f"), SYS_READ));
    EXPECT_OK(lock_status_elsewhere(in("f")));
}

/* ---- names ---- */

TEST(rename_replaces_only_when_told_to)
{
    make(sys(), in("a"), "A");
    make(sys(), in("b"), "B");
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, sys_rename(sys(), in("a"), in("b"), false));
    EXPECT_TEXT("B", content(sys(), in("b")));
    EXPECT_OK(sys_rename(sys(), in("a"), in("b"), true));
    EXPECT_TEXT("A", content(sys(), in("b")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, open_status(sys(), in("a"), RW));
    EXPECT_OK(sys_rename(sys(), in("b"), in("c"), false));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_rename(sys(), in("b"), in("d"), true));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_rename(sys(), in("x/b"), in("d"), true));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_rename(sys(), in("c"), in("x/d"), true));
    EXPECT_TEXT("A", content(sys(), in("c")));
}

TEST(unlink_removes_files_only)
{
    owned(sys_file_close) struct sys_file *file = opened(sys(), in("f"), NEW);

    EXPECT_OK(put(file, "still", 0));
    EXPECT_OK(sys_unlink(sys(), in("f")));
    EXPECT_TEXT("still", text_at(file, 0, 10));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_unlink(sys(), in("f")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_unlink(sys(), in("x/f")));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, sys_unlink(sys(), test_directory()));
}

static void
collect(void *context, const char *name)
{
    char *names = context;

    strcat(names, names[0] ? " " : "");
    strcat(names, name);
}

TEST(directories_are_made_listed_and_synced)
{
    char names[100] = "";
    struct stat info;

    umask(0);
    EXPECT_OK(sys_directory_make(sys(), in("d")));
    EXPECT_EQ(0, stat(in("d"), &info));
    EXPECT_EQ(0700, info.st_mode & 07777);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, sys_directory_make(sys(), in("d")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_directory_make(sys(), in("x/d")));
    EXPECT_OK(sys_directory_list(sys(), in("d"), collect, names));
    EXPECT_TEXT("", names);
    make(sys(), in("d/one"), "1");
    EXPECT_OK(sys_directory_make(sys(), in("d/two")));
    EXPECT_OK(sys_directory_list(sys(), in("d"), collect, names));
    EXPECT(strcmp(names, "one two") == 0 || strcmp(names, "two one") == 0);
    EXPECT_OK(sys_directory_sync(sys(), in("d")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_directory_sync(sys(), in("x")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, sys_directory_sync(sys(), in("d/one")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, sys_directory_list(sys(), in("x"), collect, names));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND,
                  sys_directory_list(sys(), in("d/one"), collect, names));
}

/* ---- time ---- */

TEST(the_wall_clock_counts_from_1601)
{
    int64_t seconds = time(NULL);
    int64_t wall = sys_time_wall(sys());

    EXPECT(wall / 10000000 - 11644473600 - seconds >= -1);
    EXPECT(wall / 10000000 - 11644473600 - seconds <= 5);
}

TEST(the_monotonic_clock_runs_forward)
{
    uint64_t before = sys_time_monotonic(sys()), after;

    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    after = sys_time_monotonic(sys());
    EXPECT(after >= before + 2000000 && after < before + 60000000000);
}
