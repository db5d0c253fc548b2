/* SPDX-License-Identifier: MIT */
/*
 * ktm apply --dry-run: the steps are really tried, in a transaction that is rolled back, so that
 * permissions, missing files, expectations and a full disk are found.
 *
 * Nothing is to be seen of it on the disk. It has a home of its own below $TMPDIR, which goes with
 * it, and new content is in files without a name. A whole tree would have to be copied under a
 * name, so of a tree step only the source is looked at, and steps below its target are not tried.
 */
#pragma once

#include "cli/changeset.h"
#include "cli/cli.h"

/* Prints and returns as 'ktm apply' does; 'home' is looked at for what an earlier run left. */
int dry_run(const struct changeset *set, const char *home, const struct common *common);
