/* SPDX-License-Identifier: MIT */
/*
 * Doing what a plan says, and doing it again after any interruption.
 *
 * Nothing is remembered of how far it came: what to do next is read from where the objects are. A
 * plan that is done is done again without effect. Only the two phases have an order that matters:
 * every move is durable before anything is removed.
 */
#pragma once

#include "base/explain.h"
#include "rm/file/plan.h"

/* 'again': it may have been begun before. On failure part of it is done, and it is to be called
 * again. Answers: OBJECT_PATH_NOT_FOUND (a directory is not there: a file system may not be
 * mounted), DISK_FULL, ACCESS_DENIED, IO_DEVICE_ERROR. */
NTSTATUS plan_perform(struct tree *tree, const struct plan *plan, bool again,
                      struct conflicts *conflicts, struct explanation *why) must_use;

/* Removes what was staged for it, durably, instead of performing it. Also to be called again when
 * it fails; never after plan_perform was begun. */
NTSTATUS plan_undo(struct tree *tree, const struct plan *plan, struct explanation *why) must_use;
