/* SPDX-License-Identifier: MIT */
/*
 * The operating system, as one table: files, names, time, random numbers.
 *
 * Only this room calls the OS. 'sys_linux()' is the real thing; 'sys_sim_create()' (sys/sim.h)
 * keeps everything in memory with an exact model of what is durable; 'sys_fault_create()'
 * (sys/fault.h) is a layer that makes the n-th call fail. Everything above takes a 'struct sys *'
 * and cannot tell.
 *
 * Promises: every operation either does all of it or says why not in an NTSTATUS (errno is
 * translated here and nowhere else, CLFS-STAT-07); EINTR and short transfers are never seen by a
 * caller; nothing is durable before sys_file_sync (content) or sys_directory_sync (names) has
 * returned success, and a failed sync stays failed: the caller must not try again on the same file
 * and believe the answer.
 */
#pragma once

#include "base/bytes.h"

struct sys_file {
    struct sys *sys; /* each implementation puts its own state behind this */
};

enum sys_open_flags {
    SYS_READ = 1,
    SYS_WRITE = 2,
    SYS_CREATE = 4,    /* with SYS_WRITE: make the file (mode 0600) when absent */
    SYS_EXCLUSIVE = 8, /* with SYS_CREATE: refuse when present */
};

struct sys_info {
    uint64_t size;
    uint64_t device, inode;
    uint32_t mode; /* permission bits */
    uint32_t owner;
    int64_t created, accessed, written; /* 100 ns since 1601 */
};

struct sys {
    const struct sys_table *table;
};

/* Told one name of a directory; 'context' is the caller's own. */
typedef void sys_each_name(void *context, const char *name);

struct sys_table {
    NTSTATUS (*file_open)(struct sys *, const char *path, unsigned flags, struct sys_file **out);
    void (*file_close)(struct sys_file *);
    NTSTATUS (*file_read)(struct sys_file *, void *into, size_t size, uint64_t offset, size_t *got);
    NTSTATUS (*file_write)(struct sys_file *, const struct bytes *, size_t count, uint64_t offset);
    NTSTATUS (*file_sync)(struct sys_file *);
    NTSTATUS (*file_allocate)(struct sys_file *, uint64_t size);
    NTSTATUS (*file_info)(struct sys_file *, struct sys_info *out);
    NTSTATUS (*file_lock)(struct sys_file *);
    NTSTATUS (*rename)(struct sys *, const char *from, const char *to, bool replace);
    NTSTATUS (*unlink)(struct sys *, const char *path);
    NTSTATUS (*directory_make)(struct sys *, const char *path);
    NTSTATUS (*directory_sync)(struct sys *, const char *path);
    NTSTATUS (*directory_list)(struct sys *, const char *path, sys_each_name *each, void *context);
    uint64_t (*time_monotonic)(struct sys *); /* nanoseconds */
    int64_t (*time_wall)(struct sys *);       /* 100 ns since 1601-01-01 UTC */
    void (*random)(struct sys *, void *into, size_t size);
};

/* The real operating system; one object for the process, never destroyed. */
struct sys *sys_linux(void);

/* Opens a regular file; never follows a symbolic link in the last component, is never inherited.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND, OBJECT_NAME_COLLISION (SYS_EXCLUSIVE),
 * ACCESS_DENIED, OBJECT_PATH_SYNTAX_BAD (symbolic link), OBJECT_TYPE_MISMATCH (not a regular file).
 */
static inline NTSTATUS must_use
sys_file_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **out)
{
    return sys->table->file_open(sys, path, flags, out);
}

static inline void
sys_file_close(struct sys_file *file)
{
    if (file)
        file->sys->table->file_close(file);
}
OWNED_BY(struct sys_file, sys_file_close)

/* Reads until 'size' bytes or the end of the file; *got tells how many came. Both for reading and
 * writing: INVALID_PARAMETER when it would end beyond 2^63 - 1. */
static inline NTSTATUS must_use
sys_file_read(struct sys_file *file, void *into, size_t size, uint64_t offset, size_t *got)
{
    return file->sys->table->file_read(file, into, size, offset, got);
}

/* Writes all parts, one after the other, from 'offset' on. Answers: DISK_FULL, IO_DEVICE_ERROR. */
static inline NTSTATUS must_use
sys_file_write(struct sys_file *file, const struct bytes *parts, size_t count, uint64_t offset)
{
    return file->sys->table->file_write(file, parts, count, offset);
}

/* Content (and the size, when it changed) is on stable storage on success (fdatasync). */
static inline NTSTATUS must_use
sys_file_sync(struct sys_file *file)
{
    return file->sys->table->file_sync(file);
}

/* Makes the file 'size' bytes long: what is added is really allocated and written with zeros
 * (design D7), not synced. Answers: DISK_FULL (the file is then left at whatever size it got),
 * INVALID_PARAMETER (the file is larger already: it is never cut). */
static inline NTSTATUS must_use
sys_file_allocate(struct sys_file *file, uint64_t size)
{
    return file->sys->table->file_allocate(file, size);
}

static inline NTSTATUS must_use
sys_file_info(struct sys_file *file, struct sys_info *out)
{
    return file->sys->table->file_info(file, out);
}

/* An exclusive lock that the kernel drops when the process dies; not inherited by fork. It belongs
 * to the process and the file, not to this 'struct sys_file': a process that locks again succeeds,
 * and closing any of its openings of the file drops the lock. So whoever locks must see to it that
 * one process opens the file once. The file must be open for writing.
 * Answers: SHARING_VIOLATION (another process holds it), ACCESS_DENIED (not open for writing). */
static inline NTSTATUS must_use
sys_file_lock(struct sys_file *file)
{
    return file->sys->table->file_lock(file);
}

/* Atomic: after a crash the old names or the new ones, once the directory is synced the new ones.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND (the directory of either name),
 * OBJECT_NAME_COLLISION (without 'replace': 'to' exists). */
static inline NTSTATUS must_use
sys_rename(struct sys *sys, const char *from, const char *to, bool replace)
{
    return sys->table->rename(sys, from, to, replace);
}

/* Removes the name of a file; those who have it open keep the content.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND, OBJECT_TYPE_MISMATCH (a directory). */
static inline NTSTATUS must_use
sys_unlink(struct sys *sys, const char *path)
{
    return sys->table->unlink(sys, path);
}

/* Mode 0700. Answers: OBJECT_NAME_COLLISION, OBJECT_PATH_NOT_FOUND. */
static inline NTSTATUS must_use
sys_directory_make(struct sys *sys, const char *path)
{
    return sys->table->directory_make(sys, path);
}

/* The names in the directory are on stable storage on success. */
static inline NTSTATUS must_use
sys_directory_sync(struct sys *sys, const char *path)
{
    return sys->table->directory_sync(sys, path);
}

/* Calls 'each' for every name but "." and "..", in no order.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND (also: not a directory). */
static inline NTSTATUS must_use
sys_directory_list(struct sys *sys, const char *path, sys_each_name *each, void *context)
{
    return sys->table->directory_list(sys, path, each, context);
}

static inline uint64_t
sys_time_monotonic(struct sys *sys)
{
    return sys->table->time_monotonic(sys);
}

static inline int64_t
sys_time_wall(struct sys *sys)
{
    return sys->table->time_wall(sys);
}

/* Cryptographic random bytes from a pool that is refilled by getrandom in large steps and never
 * shared with a forked child; cannot fail. */
static inline void
sys_random(struct sys *sys, void *into, size_t size)
{
    sys->table->random(sys, into, size);
}
