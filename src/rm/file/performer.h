/* SPDX-License-Identifier: MIT */
/*
 * What performs a plan: one attempt, with the directories that it has open. What stands where is
 * always looked at, never remembered (perform.h). Its parts: chains (chain.c), and what is beside
 * them (removal.c).
 */
#pragma once

#include <string.h>

#include "rm/file/perform.h"
#include "rm/file/work.h"

#define DIRS_OPEN_MAX 64

struct performer {
    struct tree *tree;
    const struct plan *plan;
    struct conflicts *conflicts;
    struct explanation *why;
    bool again; /* it may have been begun before */
    bool perhaps_done;
    int *fds;         /* of the directories; TREE_NOWHERE: not open */
    uint32_t *opened; /* the open ones, in a ring */
    size_t opened_count, opened_next;
    unsigned kept;   /* things that were set aside */
    bool *is_sought; /* objects that are being located, against going round in circles */
    char tag[32];    /* ".ktm-conflict.<id>" */
};

/* What is in a slot. A directory that this plan removes may be gone already: then nothing is. */
struct seen {
    int at;
    const char *name;
    struct tree_info info;
};

/* Answers: INSUFFICIENT_RESOURCES. It is to be deinitialized also then. */
NTSTATUS performer_init(struct performer *self) must_use;
void performer_deinit(struct performer *self);

/* A descriptor, lent until DIRS_OPEN_MAX others were asked for. Answers: OBJECT_PATH_NOT_FOUND. */
NTSTATUS performer_dir(struct performer *self, uint32_t index, int *out) must_use;
NTSTATUS performer_look(struct performer *self, uint32_t slot, struct seen *seen) must_use;
/* Makes the names in these directories durable. */
NTSTATUS performer_sync(struct performer *self, const bool *wanted) must_use;

/* What others did there. Keeps what has this name and is not ours; 'slot' is where it stood for
 * others. And: what an earlier attempt has kept is told again. */
void performer_report(struct performer *self, enum conflict_kind kind, uint32_t slot,
                      const char *kept_as);
NTSTATUS performer_set_aside(struct performer *self, int at, const char *name,
                             uint32_t slot) must_use;
NTSTATUS performer_report_kept(struct performer *self, uint32_t slot) must_use;

/* ---- chain.c, removal.c ---- */

NTSTATUS performer_chains(struct performer *self) must_use;
NTSTATUS performer_removals(struct performer *self) must_use;
/* Modes and owners. Before the moves what can be set is set, so that nothing shows up with a mode
 * that is too wide; but a directory in which we still have to work keeps its owner's rights until
 * the end, 'is_last'. */
NTSTATUS performer_attributes(struct performer *self, bool is_last) must_use;

static inline bool
is_object(const struct performer *self, uint32_t object, const struct seen *seen)
{
    return plan_object_is(&self->plan->objects[object], &seen->info);
}

static inline bool
name_is_hidden(const char *name)
{
    return strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0;
}
