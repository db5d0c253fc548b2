/* SPDX-License-Identifier: MIT */
/*
 * From the view of a transaction to its plan: what differs between what the touched names stood for
 * and what they stand for now, as objects and chains of moves (plan.h).
 */
#pragma once

#include "rm/file/work.h"

/* The plan, without the identities of what is not staged yet. Each node that takes part knows its
 * object, each directory its place in the plan; a staged node's first slot says where to stage it.
 */
NTSTATUS plan_make(struct work *work, struct plan **out) must_use;
/* Enters what the node became on disk. */
void plan_identify(struct plan *plan, const struct view_node *node, const struct tree_info *info);

/* The hidden slot a new thing is staged at. */
const struct plan_slot *plan_stage_slot(const struct plan *plan, const struct view_node *node);
/* New things that stand on their own in a directory on disk, not inside another new one. */
bool plan_is_staged_root(const struct view_node *node);
