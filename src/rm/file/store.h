/* SPDX-License-Identifier: MIT */
/*
 * The home of a file resource manager: who it is, what it has promised
 * (docs/format/file-intent.md).
 *
 *     HOME/file/identity                 GUID of the resource manager, incarnation
 *     HOME/file/lock                     held by the process that has the home; in it, the last
 *                                        transactions that were finished
 *     HOME/file/yards                    directories in which hidden names may be (yards.h)
 *     HOME/file/<transaction>.promise    the intent of a prepared transaction, all to commit or
 *                                        undo it, when the transaction manager does not keep it
 *
 * Each file appears whole: written under another name, forced, renamed, the directory forced. Most
 * intents are small, and kept by the transaction manager, in the record that is forced anyway; a
 * large one is durable here before the vote. What is left of a transaction that never prepared is
 * found in the yards and removed when the home is opened: every hidden name without an intent is
 * nobody's.
 */
#pragma once

#include "base/explain.h"
#include "rm/file/lock.h"
#include "rm/file/plan.h"
#include "rm/file/yards.h"

struct store_mount {
    uint64_t device, mount;
};

struct store {
    struct tree *tree;
    char *path; /* HOME/file */
    int fd, lock_fd;
    size_t staged_open_max; /* descriptors one transaction may hold for staged content */
    GUID identity;
    uint64_t number; /* the same in hidden names, half of it */
    uint64_t incarnation;
    struct yards yards;
    GUID *done; /* that an earlier run has finished, sorted */
    size_t done_count;
    _Atomic uint32_t done_next; /* where this one says so */
    struct path_locks locks;
    struct sys_mutex mutex;     /* of the mounts */
    struct store_mount *mounts; /* known to be able to exchange names */
    size_t mount_count;
};

/* Makes HOME/file when it is missing, takes the lock, reads or makes the
 * identity ('fresh' when there is none), counts the incarnation, reads the yards, which are to be
 * swept when it is known who is alive. Answers: SHARING_VIOLATION, RM_METADATA_CORRUPT,
 * OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, DISK_FULL. */
NTSTATUS store_open(struct tree *tree, const char *home, const GUID *fresh, struct explanation *why,
                    struct store **out) must_use;
void store_close(struct store *store);

/* Writes an intent, durably. Answers: TRANSACTION_RECORD_TOO_LONG. */
NTSTATUS store_intent(struct store *store, const GUID *transaction, struct bytes intent,
                      struct explanation *why) must_use;
/* Removes it, durably. */
NTSTATUS store_forget(struct store *store, const GUID *transaction,
                      struct explanation *why) must_use;

/* A transaction whose intent is kept elsewhere was finished: in case that is forgotten late. Not
 * forced, and only of the last DONE_MAX: it survives the process, not a power cut. */
#define DONE_MAX 4096u
void store_done_add(struct store *store, const GUID *transaction);
/* What was said of those that are done is durable now: somebody is about to move the directories by
 * which one could see it. */
NTSTATUS store_done_sync(struct store *store, struct explanation *why) must_use;
bool store_is_done(const struct store *store, const GUID *transaction);

/* Calls 'each' for every transaction with an intent in the home, also one that cannot be read. */
NTSTATUS store_list(struct store *store, void (*each)(void *context, const GUID *transaction),
                    void *context, struct explanation *why) must_use;
/* Answers: NOT_FOUND (there is no intent), RM_METADATA_CORRUPT (damaged: said, never guessed). */
NTSTATUS store_load(struct store *store, const GUID *transaction, struct explanation *why,
                    struct plan **out) must_use;

/* Removes all that has a name which is to go, in an open directory; 'path' is for sentences. */
NTSTATUS store_sweep(struct store *store, int at, const char *path,
                     bool (*goes)(void *context, const char *name), void *context,
                     struct explanation *why) must_use;

/* A whole file of the home: allocates *at. And: it is there with all of its content, durably, or as
 * it was before. */
NTSTATUS store_file_read(struct store *store, const char *name, uint8_t **at,
                         size_t *size) must_use;
NTSTATUS store_file_write(struct store *store, const char *name, const void *at, size_t size,
                          struct explanation *why) must_use;

/* Whether this store has seen names exchanged on the mount. */
bool store_mount_is_known(struct store *store, const struct tree_info *info);
NTSTATUS store_mount_know(struct store *store, const struct tree_info *info) must_use;
