/* SPDX-License-Identifier: MIT */
/*
 * The home of a file resource manager: who it is, what it has promised
 * (docs/format/file-intent.md).
 *
 *     HOME/file/identity                 GUID of the resource manager, incarnation
 *     HOME/file/lock                     held by the process that has the home
 *     HOME/file/<transaction>.promise    first a note: directories in which hidden names of it may
 * be; then, from prepare on, the intent: all to commit or undo it
 *
 * Each file appears whole: written under another name, forced, renamed, the directory forced. The
 * note is durable before the first hidden name it speaks of exists; the intent takes its place,
 * with one rename, before the vote. What is left of a transaction that never prepared is therefore
 * found by its note and removed when the home is opened: every hidden name without an intent is
 * nobody's.
 */
#pragma once

#include "base/explain.h"
#include "rm/file/lock.h"
#include "rm/file/plan.h"

struct store_mount {
    uint64_t device, mount;
};

struct store {
    struct tree *tree;
    char *path; /* HOME/file */
    int fd, lock_fd;
    size_t staged_open_max; /* descriptors one transaction may hold for staged content */
    GUID identity;
    uint64_t incarnation;
    struct path_locks locks;
    struct sys_mutex mutex;     /* of the mounts */
    struct store_mount *mounts; /* known to be able to exchange names */
    size_t mount_count;
};

/* Makes HOME/file when it is missing, takes the lock, reads or makes the
 * identity ('fresh' when there is none), counts the incarnation, removes what unprepared
 * transactions left. Answers: SHARING_VIOLATION, RM_METADATA_CORRUPT, OBJECT_PATH_NOT_FOUND,
 * ACCESS_DENIED, DISK_FULL. */
NTSTATUS store_open(struct tree *tree, const char *home, const GUID *fresh, struct explanation *why,
                    struct store **out) must_use;
void store_close(struct store *store);

/* A note, in the place of an earlier one. 'dirs' with inside == PLAN_NONE. */
NTSTATUS store_note(struct store *store, const GUID *transaction, const struct plan_dir *dirs,
                    size_t count, struct explanation *why) must_use;
/* The intent, in the place of the note. */
NTSTATUS store_intent(struct store *store, const struct plan *plan,
                      struct explanation *why) must_use;
/* Removes either, durably. */
NTSTATUS store_forget(struct store *store, const GUID *transaction,
                      struct explanation *why) must_use;

/* Calls 'each' for every transaction in the home that is not one with a note only. */
NTSTATUS store_list(struct store *store, void (*each)(void *context, const GUID *transaction),
                    void *context, struct explanation *why) must_use;
/* Answers: NOT_FOUND (there is no intent), RM_METADATA_CORRUPT (damaged: said, never guessed). */
NTSTATUS store_load(struct store *store, const GUID *transaction, struct explanation *why,
                    struct plan **out) must_use;

/* Removes every hidden name of the transaction in an open directory, durably; 'path' is for
 * sentences. */
NTSTATUS store_sweep(struct store *store, const GUID *transaction, int at, const char *path,
                     struct explanation *why) must_use;

/* Whether this store has seen names exchanged on the mount. */
bool store_mount_is_known(struct store *store, const struct tree_info *info);
NTSTATUS store_mount_know(struct store *store, const struct tree_info *info) must_use;
