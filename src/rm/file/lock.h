/* SPDX-License-Identifier: MIT */
/*
 * Who may change which path: the locks of all transactions of one file resource manager.
 *
 * A lock is on a path, absolute and without symbolic links, for one owner alone: on the *name*, or
 * on the *whole tree* below it, which a step needs that moves or removes a directory. A lock that
 * another transaction holds is never waited for: the step is refused at once, so there is no
 * deadlock, and the sentence says who holds what. Locks last until the transaction is over; after a
 * restart the owner of a prepared transaction takes its locks again before anybody else may begin.
 *
 * What the home itself consists of is locked by an owner without a transaction, for as long as it
 * is open: a transaction that changes the state of transactions could not be recovered.
 *
 * Other processes are kept out by the home, which one process has at a time; programs that know
 * nothing of transactions are noticed by what they change (docs/format/file-intent.md).
 */
#pragma once

#include "base/guid.h"
#include "base/list.h"
#include "base/explain.h"
#include "rm/file/hash.h"
#include "sys/thread.h"

struct path_locks {
    struct sys_mutex mutex;
    struct hash paths;
    struct list owners; /* those who hold any */
};

struct path_owner {
    GUID transaction; /* zero: the home */
    uint64_t home;    /* of which home it is: in its hidden names */
    struct list locks;
    struct list in_locks;
};

void path_locks_init(struct path_locks *locks);
void path_locks_deinit(struct path_locks *locks); /* nobody holds any */

void path_owner_init(struct path_owner *owner, const GUID *transaction);

/* Asked again by its owner, a lock on a name may become one on the tree. Answers:
 * TRANSACTIONAL_CONFLICT, INSUFFICIENT_RESOURCES. */
NTSTATUS path_lock(struct path_locks *locks, struct path_owner *owner, const char *path,
                   bool whole_tree, struct explanation *why) must_use;
void path_locks_release(struct path_locks *locks, struct path_owner *owner);
