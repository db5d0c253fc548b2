/* SPDX-License-Identifier: MIT */
/* What the steps share. A step that fails leaves the view as it was. */
#pragma once

#include "rm/file/work.h"

/* Begins a step: counts it, and lets every sentence begin with "step 3 (put): ". */
NTSTATUS step_begin(struct work *work, const char *verb) must_use;
/* Ends it, and passes its status. */
NTSTATUS step_end(struct work *work, NTSTATUS status);

/* The touched name of a path, with the lock on it ('whole_tree': on all below, when it is a
 * directory on disk). */
NTSTATUS step_touch(struct work *work, const char *path, const struct view_node *apart,
                    struct view_place *place) must_use;
/* Locks all that is below a name, for what moves or removes a directory. */
NTSTATUS step_lock_below(struct work *work, struct view_place *place) must_use;
/* Refuses what cannot be taken away from the name. */
NTSTATUS step_check_leaving(struct work *work, const char *path, struct view_node *node) must_use;
/* Refuses when names in this directory cannot be changed. */
NTSTATUS step_check_directory(struct work *work, const char *path, struct view_dir *dir) must_use;
/* The name now stands for 'node' (or nothing); what was staged for it before is removed. */
NTSTATUS step_place(struct work *work, struct view_name *name, struct view_node *node) must_use;
/* "a directory", "a symbolic link", … */
const char *step_kind_text(enum tree_kind kind);
