/* SPDX-License-Identifier: MIT */
/*
 * What a prepared transaction will do to the names on disk, so that it can be done again from any
 * point at which it was interrupted.
 *
 * A *slot* is a name in a directory. An *object* is a thing on disk, known by inode and birth, that
 * goes from one slot to another. Objects are strung on *chains*: each takes the slot that the next
 * one leaves.
 *
 *     slots     s0      s1      s2   …  sk
 *     objects      o1 ▶    o2 ▶   …  ok ▶        oi stands in s(i-1) before and in si after
 *
 * Replacing a file is the chain (hidden, name, hidden): the new file goes from the hidden name to
 * the name, the old one from there to the hidden name, in one RENAME_EXCHANGE, and is removed
 * later. Deleting is (name, hidden), making is (hidden, name), renaming is (name, name). A chain
 * with more links begins at a hidden name too (its *lead* is first moved there), so that the name
 * in the hand of the mover is never one that others look at. When the last slot is the first one,
 * the last object stays in the hand.
 *
 * An object whose fate is not to stay is removed from its last slot when all chains are done and
 * durable.
 *
 * Directories are found again by path, or, when they are inside an object, by where that object is.
 */
#pragma once

#include "base/guid.h"
#include "sys/tree.h"

#define PLAN_NONE UINT32_MAX

struct plan_dir {
    uint32_t inside; /* an object that is a directory; PLAN_NONE: the path is absolute */
    char *path;      /* below the object; "" is the object itself */
    uint64_t inode;
    int64_t born;
};

struct plan_slot {
    uint32_t dir;
    char *name;
};

enum plan_fate {
    PLAN_STAYS,
    PLAN_REMOVED,           /* a file, link or other: unlinked */
    PLAN_REMOVED_DIRECTORY, /* empty by then */
    PLAN_REMOVED_TREE,      /* a directory with all that is in it */
};

/* What can be compared later to see whether somebody else has changed it. Renaming changes none of
 * it. */
struct plan_version {
    uint64_t size;
    int64_t written;
    uint32_t mode, owner, group;
};

struct plan_object {
    enum tree_kind kind;
    enum plan_fate fate;
    bool is_staged; /* new in this transaction */
    uint64_t inode;
    int64_t born;
    struct plan_version version;
    uint64_t fingerprint; /* PLAN_REMOVED_TREE: of what is in it */
    uint32_t chain;       /* and its position there, from 1; set by plan_link */
    uint32_t position;
};

struct plan_chain {
    uint32_t lead;     /* a slot, or PLAN_NONE */
    uint32_t count;    /* k: of objects */
    uint32_t *slots;   /* k + 1 */
    uint32_t *objects; /* k */
    bool is_hidden;    /* all of it is inside objects that nobody else can see yet: goes first */
};

/* Mode and owner of something that was there before: set when it is in place. */
struct plan_attribute {
    uint32_t from, to; /* slots before and after; the same when it is not moved */
    enum tree_kind kind;
    uint64_t inode;
    int64_t born;
    bool sets_mode, sets_owner;
    uint32_t mode, owner, group;
};

struct plan {
    GUID transaction, enlistment, manager;
    uint64_t incarnation; /* of the manager that prepared it */
    struct plan_dir *dirs;
    struct plan_slot *slots;
    struct plan_object *objects;
    struct plan_chain *chains;
    struct plan_attribute *attributes;
    uint32_t dir_count, slot_count, object_count, chain_count, attribute_count;
};

void plan_destroy(struct plan *plan);
OWNED_BY(struct plan, plan_destroy)

/* Where the first object of a chain is before anything has moved. */
static inline uint32_t
plan_first_slot(const struct plan_chain *chain)
{
    return chain->lead != PLAN_NONE ? chain->lead : chain->slots[0];
}

/* Each adds one and returns its index. Answers: INSUFFICIENT_RESOURCES. Texts are copied. */
NTSTATUS plan_create(struct plan **out) must_use;
NTSTATUS plan_add_dir(struct plan *plan, uint32_t inside, const char *path,
                      const struct tree_info *info, uint32_t *out) must_use;
NTSTATUS plan_add_slot(struct plan *plan, uint32_t dir, const char *name, uint32_t *out) must_use;
NTSTATUS plan_add_object(struct plan *plan, const struct plan_object *object,
                         uint32_t *out) must_use;
/* With room for 'count' objects. */
NTSTATUS plan_add_chain(struct plan *plan, uint32_t count, uint32_t *out) must_use;
NTSTATUS plan_add_attribute(struct plan *plan, const struct plan_attribute *attribute) must_use;

/* Verifies that every index is in range and every object on exactly one chain, and tells the
 * objects where they are. Answers: RM_METADATA_CORRUPT. */
NTSTATUS plan_link(struct plan *plan) must_use;

/* The path of a slot when all is done; allocated, NULL when there is no memory. */
char *plan_slot_path(const struct plan *plan, uint32_t slot);

/* Whether others see nothing of it but one rename, within one directory: it is done or not, in
 * itself. */
bool plan_is_one_rename(const struct plan *plan);

/* Whether what has become of it can be seen from where its objects are, also long after it was done
 * and others have gone on: every chain begins with something new, which leaves a hidden name that
 * nobody else gives it. A rename can be taken back by somebody, and a mode; and what was deleted
 * may have another name, under which it comes back. */
bool plan_is_evident(const struct plan *plan);

struct plan_version plan_version_of(const struct tree_info *info);
bool plan_version_equal(const struct plan_version *a, const struct plan_version *b);
/* Whether this is what was found. */
bool plan_object_is(const struct plan_object *object, const struct tree_info *info);

/* ---- what others did meanwhile ----------------------------------------------------------------
 */

enum conflict_kind {
    CONFLICT_KEPT,  /* theirs was in the way and has another name now */
    CONFLICT_TAKEN, /* theirs was there instead of what we were to rename, and was renamed */
    CONFLICT_GONE,  /* what we were to rename, change or replace is not there any more */
};

struct conflict {
    enum conflict_kind kind;
    char *path;    /* where it happened */
    char *kept_as; /* CONFLICT_KEPT: its name now */
};

struct conflicts {
    struct conflict *at;
    size_t count;
};

NTSTATUS conflicts_add(struct conflicts *conflicts, enum conflict_kind kind, const char *path,
                       const char *kept_as) must_use;
void conflicts_deinit(struct conflicts *conflicts);
