/* SPDX-License-Identifier: MIT */
/*
 * A stage for tests of the file resource manager: a tree to be changed, a home, an operating system
 * that can be stopped at any mutation, and an oracle that does the same steps with plain system
 * calls.
 */
#pragma once

#include "rm/file/intent.h"
#include "rm/file/work.h"
#include "tests/test.h"

/* ---- the operating system, with accidents ---- */

enum accident {
    ACCIDENT_NONE,
    ACCIDENT_DEATH, /* from this mutation on nothing happens any more: the process was killed */
    ACCIDENT_ONCE,  /* this mutation fails, the next ones work */
    ACCIDENT_FULL,  /* from this one on the disk is full: nothing can be added */
};

struct faulty_tree {
    struct tree tree;
    enum accident accident;
    unsigned at;    /* mutation at which it happens, from 1; 0: never */
    unsigned count; /* mutations so far */
    bool is_dead;
    bool is_checked; /* watch that what is relied on was synced first */
    uint64_t dirty_dirs[4096], dirty_files[4096], linked[4096];
    size_t dirty_dir_count, dirty_file_count, linked_count;
    unsigned syncs; /* fsync calls */
};

void faulty_tree_init(struct faulty_tree *faulty, enum accident accident, unsigned at);

/* Fails when something with a name is not synced. */
void faulty_expect_durable(struct faulty_tree *faulty, const char *what);

/* ---- places ---- */

/* Absolute paths below test_directory(); static, good for one test. */
const char *scene_home(void);
const char *scene_tree(void);
const char *scene_twin(void);                 /* a second tree */
const char *scene_path(const char *relative); /* below the tree; one of eight buffers */
/* Empties all and builds the tree again. */
void scene_reset(void (*build)(void));
void scene_write(const char *relative, const char *content);
void scene_attribute(const char *relative, const char *value); /* where the file system has them */
void scene_mkdir(const char *relative);
char *scene_read(const char *relative); /* NULL: not there */

/* One line for each thing below: path, kind, mode, owner, content, attributes. Allocated. */
char *scene_manifest(const char *top);
/* The same with path, kind and content only; of what is on disk, and of what a transaction sees. */
char *scene_outline(const char *top);
char *scene_outline_of_view(struct work *work);
/* Fails when a hidden name or a conflict is anywhere below the tree, or a promise in the home. */
void scene_expect_clean(void);

/* ---- steps, for a transaction or for the oracle ---- */

enum op_kind { PUT = 1, APPEND, ERASE, MKDIR, RMDIR, RENAME, REPLACE, SYMLINK, CHMOD, TREE };

/* A step is written short: {ERASE, "etc/a"}. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct op {
    enum op_kind kind;
    const char *a, *b; /* path; content, target or new path */
    unsigned mode;     /* 0: none given */
};

NTSTATUS scene_do(struct work *work, const struct op *op);
/* The same with plain system calls in the tree, or below another directory; false when they refuse.
 */
bool scene_do_plainly(const struct op *op);
bool scene_do_plainly_at(const char *top, const struct op *op);

/* ---- transactions ---- */

/* Who has the intents of small transactions from now on: the home; a transaction manager, which
 * knows a transaction when it was committed; one that knows all that were prepared (a superior
 * decides). Those that come after the first are of this test. */
enum keeping { IN_HOME, KEPT, KEPT_IN_DOUBT };
void scene_keep(enum keeping how);
NTSTATUS scene_prepare(struct work *work);

extern const GUID scene_rm, scene_tx;
struct store *scene_store(struct tree *tree);
struct work *scene_work(struct store *store);
/* The transaction as an earlier run has left it. Answers: NOT_FOUND. */
NTSTATUS scene_load(struct store *store, struct explanation *why, struct work **out);
/* Nothing is alive any more: the yards are swept. */
void scene_sweep(struct store *store);
/* Opens the home again as after a crash and resolves every promise. */
void scene_recover(bool commit);
/* Steps, prepare, commit without accidents; expects success. */
void scene_run(const struct op *ops, size_t count);
