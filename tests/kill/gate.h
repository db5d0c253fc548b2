/* SPDX-License-Identifier: MIT */
/*
 * The gate every file mutation passes, one at a time: it is counted, perhaps fails, is torn or
 * kills the process, and is written down. What the environment can ask for stands at the head of
 * shim.c.
 *
 *     struct call call = CALL("fsync", CLASS_SYNC);
 *     call_on_fd(&call, fd);
 *     return THROUGH_GATE(&call, REAL(fsync)(fd));
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define EXPORTED __attribute__((visibility("default")))

/* The function of this name that would have been called without us. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) found_;                                                           \
        if (!found_)                                                                               \
            found_ = (__typeof__(&name))gate_real(#name);                                          \
        found_;                                                                                    \
    })
void *gate_real(const char *name);

/* What can be made to fail separately. */
enum call_class {
    CLASS_SPACE = 1, /* needs room on the disk */
    CLASS_FREE = 2,  /* gives room back */
    CLASS_META = 4,  /* changes nothing but an inode */
    CLASS_SYNC = 8,  /* makes durable */
};

/* A name in a directory; the directory is held open with O_PATH. */
struct place {
    int parent;
    char name[NAME_MAX + 1];
    bool was_there;
};

enum change {
    CHANGE_NONE,   /* nothing to be seen (yet): a sync, a reservation */
    CHANGE_WRITE,  /* bytes from 'offset' on */
    CHANGE_SIZE,   /* the size only */
    CHANGE_ZERO,   /* a range reads as zeros now */
    CHANGE_META,   /* mode, owner, times, extended attributes */
    CHANGE_NAMES,  /* what the places are bound to */
    CHANGE_UNNAMED /* a new file without a name */
};

struct call {
    const char *function;
    unsigned class;
    bool is_watched; /* below the root */
    int number;      /* from 1, over all watched calls of the process */
    bool is_last;    /* the process dies when it is done */
    int answer;      /* when it is not performed */
    int fd;          /* the inode it is about, or -1 */
    bool fd_is_ours;
    struct place places[2];
    int place_count;
    enum change change;
    off_t offset, size; /* of CHANGE_WRITE (size 0: it is the result) and CHANGE_ZERO */
    bool is_durable;    /* O_DSYNC and its like */
};

#define CALL(text, classes)                                                                        \
    {                                                                                              \
        .function = (text), .class = (classes), .answer = -1, .fd = -1                             \
    }

/* Which of these it is said to be about decides whether it is watched. */
void call_on_fd(struct call *call, int fd);
void call_on_path(struct call *call, int at, const char *path, bool follow);
void call_on_name(struct call *call, int at, const char *path);

/* Performs the action unless the gate says otherwise; the value is the result of either. */
#define THROUGH_GATE(call, action)                                                                 \
    ({                                                                                             \
        __typeof__(action) result_ = -1;                                                           \
        if (gate_enter(call))                                                                      \
            result_ = (__typeof__(action))gate_leave(call, (long)(action));                        \
        else                                                                                       \
            result_ = (call)->answer;                                                              \
        result_;                                                                                   \
    })
bool gate_enter(struct call *call);
long gate_leave(struct call *call, long result);
/* How much of a write of so many bytes is to be done; between the two above. */
size_t gate_size(const struct call *call, size_t size);

/* ---- trace.c: what happened, for replay.py ----------------------------------------------------
 */

void trace_open(const char *path);
bool trace_is_on(void);
void trace_call(const struct call *call, long result, int error);

/* ---- inodes.c: who an inode is said to be ------------------------------------------------------
 */

/* Reads lines of four numbers: the real inode and birth, and those to be told (replay.py). */
void inodes_load(const char *path);
/* Changes what was found into what is to be said. */
void inodes_translate(struct statx *info);
/* statx by the kernel, translated. */
int inodes_statx(int at, const char *path, int flags, unsigned mask, struct statx *out);
