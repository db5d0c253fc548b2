/* SPDX-License-Identifier: MIT */
/*
 * Doing what a plan says, and doing it again after any interruption.
 *
 * Nothing is remembered of how far it came: what to do next is read from where the objects are. A
 * plan that is done is done again without effect. Only the two phases have an order that matters:
 * every move is durable before anything is removed. That a removal is durable nobody needs: hidden
 * names are in yards (yards.h).
 */
#pragma once

#include "base/explain.h"
#include "rm/file/plan.h"

/* Whether it may have been begun before; or even done, and its locks let go: then what is not where
 * this plan would take it from is left alone, for others have gone on (only what is evident). */
enum plan_attempt { PLAN_FIRST, PLAN_AGAIN, PLAN_PERHAPS_DONE };
/* On failure part of it is done, and it is to be called again. Answers: OBJECT_PATH_NOT_FOUND (a
 * directory is not there: a file system may not be mounted), DISK_FULL, ACCESS_DENIED,
 * IO_DEVICE_ERROR. */
NTSTATUS plan_perform(struct tree *tree, const struct plan *plan, enum plan_attempt attempt,
                      struct conflicts *conflicts, struct explanation *why) must_use;

enum plan_outcome {
    PLAN_NOT_DONE,
    PLAN_DONE,
    PLAN_DONE_UNCLEAN, /* hidden names are left */
    PLAN_UNKNOWN,      /* the rename was made, and may not be durable */
};
/* A plan that is one rename, without an intent: that is the decision. Fails unless it is done. */
NTSTATUS plan_perform_alone(struct tree *tree, const struct plan *plan, struct conflicts *conflicts,
                            enum plan_outcome *outcome, struct explanation *why) must_use;

/* Removes what was staged for it instead of performing it. Also to be called again when it fails;
 * never after plan_perform was begun. */
NTSTATUS plan_undo(struct tree *tree, const struct plan *plan, struct explanation *why) must_use;
