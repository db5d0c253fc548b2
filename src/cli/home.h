/* SPDX-License-Identifier: MIT */
/*
 * Where the command keeps its state:
 *
 *     HOME/tm.blf, HOME/tm.c*   the log of the transaction manager
 *     HOME/file/                the file resource manager's promises
 *     HOME/history              what the command did, for people (history.h)
 *
 * A home belongs to one user and nobody else may write in it: whoever can write a promise there
 * makes the owner's next 'ktm recover' keep it.
 */
#pragma once

#include "cli/complaint.h"

/* The path of the home, absolute: 'option' (--home), else $KTM_HOME, else as root /var/lib/ktm,
 * else $XDG_STATE_HOME/ktm, else ~/.local/state/ktm. Nothing is looked at on disk.
 * Answers: INVALID_PARAMETER, OBJECT_PATH_NOT_FOUND (no directory of the user is known),
 * OBJECT_NAME_INVALID (no log can have such a path), INSUFFICIENT_RESOURCES. */
NTSTATUS home_find(const char *option, struct complaint *why, char **out) must_use;

/* Whether it is there and fit for use. Answers: OBJECT_NAME_NOT_FOUND, ACCESS_DENIED (somebody else
 * may write in it), NOT_A_DIRECTORY. */
NTSTATUS home_check(const char *path, struct complaint *why) must_use;
/* The same, made with all its parents (mode 0700) when it is not there. Further answers: those of
 * making a directory. */
NTSTATUS home_make(const char *path, struct complaint *why) must_use;

/* "HOME/name"; NULL: no memory. */
char *home_file(const char *home, const char *name);
/* The path of the transaction manager's log in it, without ".blf". */
#define HOME_LOG "tm"
