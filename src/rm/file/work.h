/* SPDX-License-Identifier: MIT */
/*
 * The work of one transaction on files, from the first step to its outcome. Knows nothing of
 * transaction managers: whoever drives it (rm.c, or a test) says when to prepare, commit, roll
 * back.
 *
 *     ACTIVE ──prepare──▶ PREPARED ──commit──▶ COMMITTED
 *        └───────rollback───────┴──rollback──▶ ROLLED_BACK
 *
 * ACTIVE       nothing is visible to others; what is staged is unnamed, or hidden in a yard
 * PREPARED     the intent is durable with the decision at the latest: both outcomes are possible
 *              whatever happens, until one is chosen
 * COMMITTED    the new tree, durable; no hidden names, no intent
 * ROLLED_BACK  the old tree; no hidden names, no intent
 *
 * A power cut may bring hidden names back whose removal nobody forced: then the yard is swept when
 * the home is opened.
 *
 * A prepare that fails leaves ROLLED_BACK. A commit or a rollback that fails (a full disk, a file
 * system that is not mounted) leaves PREPARED, and is tried again later: it begins by looking how
 * far it came.
 *
 * A work belongs to one thread at a time; works of one store to any threads.
 */
#pragma once

#include "rm/file/perform.h"
#include "rm/file/store.h"
#include "rm/file/view.h"

enum work_state { WORK_ACTIVE, WORK_PREPARED, WORK_COMMITTED, WORK_ROLLED_BACK };

struct work {
    struct store *store;
    struct tree *tree;
    GUID transaction;
    enum work_state state;
    struct path_owner owner;
    struct explanation why; /* of the last refusal */
    struct view view;
    struct list open_files; /* staged content held open, least recently used first */
    size_t open_file_count;
    unsigned number;         /* the last hidden name given out */
    struct yard_holds yards; /* where they may be */
    bool needs_yards;        /* the plan has hidden names */
    bool leaves_names;       /* one could not be removed */
    bool has_intent;         /* one is in the home, or was begun there */
    struct plan *plan;
    enum plan_attempt attempt;  /* the next one to commit */
    struct conflicts conflicts; /* what was set aside while committing */
};

/* 'base': absolute path for relative ones. Answers: INSUFFICIENT_RESOURCES, OBJECT_PATH_SYNTAX_BAD.
 */
NTSTATUS work_create(struct store *store, const GUID *transaction, const char *base,
                     struct work **out) must_use;
/* A work that was PREPARED before a restart, with its locks; its intent is in the home, or these
 * are the bytes that the keeper was given. Answers: as store_load. */
NTSTATUS work_load(struct store *store, const GUID *transaction, struct explanation *why,
                   struct work **out) must_use;
NTSTATUS work_load_kept(struct store *store, const GUID *transaction, struct bytes intent,
                        struct explanation *why, struct work **out) must_use;
/* Rolls back what is still ACTIVE. What is PREPARED stays prepared: the intent is in the home, or
 * with its keeper. */
void work_destroy(struct work *work);

/* ---- steps: step.c, step_names.c, step_tree.c -------------------------------------------------
 */

#define MODE_KEEP UINT32_MAX

/* Where content comes from: memory, an open file (all of it; of a pipe what still comes), or a
 * function. */
struct content {
    const void *at;
    size_t size;
    int fd; /* TREE_NOWHERE: not this */
    NTSTATUS (*read)(void *context, void *into, size_t size, size_t *got);
    void *context;
};

NTSTATUS work_put(struct work *work, const char *path, uint32_t mode,
                  const struct content *content) must_use;
NTSTATUS work_append(struct work *work, const char *path, const struct content *content) must_use;
NTSTATUS work_delete(struct work *work, const char *path) must_use;
NTSTATUS work_make_directory(struct work *work, const char *path, uint32_t mode) must_use;
NTSTATUS work_remove_directory(struct work *work, const char *path) must_use;
NTSTATUS work_rename(struct work *work, const char *from, const char *to, bool replace) must_use;
NTSTATUS work_symlink(struct work *work, const char *path, const char *text) must_use;
NTSTATUS work_chmod(struct work *work, const char *path, uint32_t mode) must_use;
NTSTATUS work_chown(struct work *work, const char *path, uint32_t owner, uint32_t group) must_use;
NTSTATUS work_tree(struct work *work, const char *to, const char *from) must_use;

NTSTATUS work_expect_absent(struct work *work, const char *path) must_use;
NTSTATUS work_expect_exists(struct work *work, const char *path) must_use;
NTSTATUS work_expect_sha256(struct work *work, const char *path, const uint8_t digest[32]) must_use;

/* ---- reads ------------------------------------------------------------------------------------
 */

NTSTATUS work_stat(struct work *work, const char *path, struct tree_info *out) must_use;
NTSTATUS work_read(struct work *work, const char *path, uint64_t offset, void *into, size_t size,
                   size_t *got) must_use;
NTSTATUS work_readlink(struct work *work, const char *path, char **text) must_use;
NTSTATUS work_list(struct work *work, const char *path, view_each_name *each,
                   void *context) must_use;
/* A descriptor of our own for reading what the path stands for. */
NTSTATUS work_open(struct work *work, const char *path, int *fd) must_use;
/* The same for a source of content: follows symbolic links. */
NTSTATUS work_open_source(struct work *work, const char *path, int *fd) must_use;

/* ---- outcome: prepare.c, perform.c ------------------------------------------------------------
 */

/* Whether there is anything to commit; when not, only the preconditions were checked. */
bool work_changes_something(struct work *work);
/* Checks that nothing the steps relied on has changed meanwhile. Answers: TRANSACTIONAL_CONFLICT.
 */
NTSTATUS work_check_unchanged(struct work *work) must_use;
/* The outcome of a work that changes nothing: checks, and is COMMITTED. */
NTSTATUS work_end_unchanged(struct work *work) must_use;

/* Who makes an intent durable with the decision, at the latest: a small one, if it agrees, and if
 * it does no harm to ask for it again long after it was done (plan_is_evident): the keeper may have
 * forgotten late. Without a keeper, or when it refuses, the intent is in the home before the vote.
 */
#define INTENT_KEPT_MAX (16u << 10)
struct keeper {
    NTSTATUS (*keep)(void *context, struct bytes intent);
    void *context;
};
NTSTATUS work_prepare(struct work *work, const GUID *enlistment,
                      const struct keeper *keeper) must_use;
/* Instead of both: the outcome of a work that nobody else takes part in, when all that it shows to
 * others is one rename in one directory, which is its own decision. *is_done: it was that; else
 * nothing was done. On failure it is ROLLED_BACK, or, when nobody can say, PREPARED for good. */
NTSTATUS work_commit_alone(struct work *work, bool *is_done) must_use;
NTSTATUS work_perform_alone(struct work *work) must_use; /* the end of it */
NTSTATUS work_commit(struct work *work) must_use;
NTSTATUS work_rollback(struct work *work) must_use;

/* ---- inside: stage.c --------------------------------------------------------------------------
 */

/* Holds every directory of the view in which hidden names may be needed. */
NTSTATUS stage_hold_yards(struct work *work) must_use;
/* Gives the next hidden name in the yard, once that is held. */
NTSTATUS stage_number(struct work *work, struct view_dir *yard, unsigned *out) must_use;
/* A STAGED node with empty content. */
NTSTATUS stage_file(struct work *work, struct view_dir *yard, uint32_t mode,
                    struct view_node **out) must_use;
/* The open content of a STAGED node, lent until the next stage_file or stage_open. */
NTSTATUS stage_open(struct work *work, struct view_node *node, int *fd) must_use;
/* Writes all of the content at 'offset' and on; *size is the new size. */
NTSTATUS stage_write(struct work *work, int fd, const struct content *content, uint64_t offset,
                     uint64_t *size) must_use;
/* Owner, extended attributes and mode of 'from' for 'to'. */
NTSTATUS stage_keep(struct work *work, const char *path, int from, int to) must_use;
/* Removes what the node has on disk, and the node. */
NTSTATUS stage_discard(struct work *work, struct view_node *node) must_use;
/* Makes a STAGED node or a COPY durable, but for its name. */
NTSTATUS stage_sync(struct work *work, struct view_node *node) must_use;

/* ---- inside: copy.c ---------------------------------------------------------------------------
 */

/* Copies the directory 'from' with everything below to the new name. */
NTSTATUS copy_tree(struct work *work, int from, int at, const char *name) must_use;
/* fsync for every file and directory below. */
NTSTATUS copy_sync(struct tree *tree, int at, const char *name) must_use;
/* Removes whatever has this name, with everything below; nothing there is fine. Answers:
 * DEVICE_BUSY (something is mounted in it, and left alone). */
NTSTATUS copy_remove(struct tree *tree, int at, const char *name) must_use;
/* One number for all that is below the directory: names, identities, sizes, times, modes, owners.
 * Answers: DEVICE_BUSY (something is mounted in it), ACCESS_DENIED (not all of it could be
 * removed).
 */
NTSTATUS copy_fingerprint(struct tree *tree, int at, const char *name, struct explanation *why,
                          uint64_t *out) must_use;
