/* SPDX-License-Identifier: MIT */
/*
 * Inodes that go by another name.
 *
 * A tree that was made anew from a trace has other inode numbers and births than the one that was
 * traced, while programs may have written those down to know a file again. So they are told the old
 * ones. A number that the kernel has given to another file meanwhile is recognized by its birth.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct identity {
    uint64_t inode;
    int64_t born; /* nanoseconds since 1970 */
};

struct entry {
    struct identity real, said;
    struct entry *next;
};

#define BUCKETS 1024

static struct entry *buckets[BUCKETS];

static int64_t
nanoseconds(struct statx_timestamp time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct statx_timestamp
timestamp(int64_t nanoseconds)
{
    return (struct statx_timestamp){.tv_sec = nanoseconds / 1000000000,
                                    .tv_nsec = (uint32_t)(nanoseconds % 1000000000)};
}

void
inodes_load(const char *path)
{
    FILE *file = fopen(path, "re");
    struct entry entry;

    if (!file) {
        fprintf(stderr, "libktmkill: KTM_KILL_INODES=%s: %s\n", path, strerror(errno));
        _exit(125);
    }
    while (fscanf(file, "%" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNd64, &entry.real.inode,
                  &entry.real.born, &entry.said.inode, &entry.said.born) == 4) {
        struct entry *made = malloc(sizeof(*made));

        if (!made)
            abort();
        *made = entry;
        made->next = buckets[entry.real.inode % BUCKETS];
        buckets[entry.real.inode % BUCKETS] = made;
    }
    fclose(file);
}

static const struct identity *
find(struct identity real)
{
    for (struct entry *entry = buckets[real.inode % BUCKETS]; entry; entry = entry->next)
        if (entry->real.inode == real.inode && entry->real.born == real.born)
            return &entry->said;
    return NULL;
}

void
inodes_translate(struct statx *info)
{
    struct identity real = {.inode = info->stx_ino,
                            .born =
                                info->stx_mask & STATX_BTIME ? nanoseconds(info->stx_btime) : 0};
    const struct identity *said = find(real);

    if (!said)
        return;
    info->stx_ino = said->inode;
    info->stx_btime = timestamp(said->born);
}

int
inodes_statx(int at, const char *path, int flags, unsigned mask, struct statx *out)
{
    /* The births are needed even when nobody asked for them. */
    int result =
        (int)syscall(SYS_statx, at, path, flags, mask | STATX_BASIC_STATS | STATX_BTIME, out);

    if (result == 0)
        inodes_translate(out);
    return result;
}

/* ---- what programs ask ---- */

EXPORTED int
statx(int at, const char *restrict path, int flags, unsigned mask, struct statx *restrict out)
{
    return inodes_statx(at, path, flags, mask, out);
}

/* The old questions give the number alone; it is looked up in the same way. */
static int
stat_at(int at, const char *path, struct stat *out, int flags)
{
    struct statx info;
    int result = REAL(fstatat)(at, path, out, flags);

    if (result == 0 && inodes_statx(at, path, flags, STATX_INO, &info) == 0)
        out->st_ino = info.stx_ino;
    return result;
}

EXPORTED int
fstatat(int at, const char *restrict path, struct stat *restrict out, int flags)
{
    return stat_at(at, path, out, flags);
}

EXPORTED int
stat(const char *restrict path, struct stat *restrict out)
{
    return stat_at(AT_FDCWD, path, out, 0);
}

EXPORTED int
lstat(const char *restrict path, struct stat *restrict out)
{
    return stat_at(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

EXPORTED int
fstat(int fd, struct stat *out)
{
    return stat_at(fd, "", out, AT_EMPTY_PATH);
}

/* On 64-bit machines both names mean the same structure. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one structure for both names");
EXPORTED int fstatat64(int, const char *restrict, struct stat64 *restrict, int)
    __attribute__((alias("fstatat")));
EXPORTED int stat64(const char *restrict, struct stat64 *restrict) __attribute__((alias("stat")));
EXPORTED int lstat64(const char *restrict, struct stat64 *restrict) __attribute__((alias("lstat")));
EXPORTED int fstat64(int, struct stat64 *) __attribute__((alias("fstat")));
