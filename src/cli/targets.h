/* SPDX-License-Identifier: MIT */
/*
 * Steps that undo one another: found before anything is touched, and told with both their numbers.
 *
 * The steps are played on a tree of names that knows nothing of the disk. Whatever a step makes, a
 * later one may build on (mkdir then put below it, put then append, rename then put in the place
 * that became free), but not undo: two puts to one path, a delete of what was put, a step below
 * something that is gone. What takes the disk to decide is left to the library, which sees the
 * steps in the same order.
 */
#pragma once

#include "cli/changeset.h"

/* Answers: INVALID_PARAMETER (two steps conflict; 'why' says which), INSUFFICIENT_RESOURCES. */
NTSTATUS targets_check(const struct changeset *set, struct complaint *why) must_use;
