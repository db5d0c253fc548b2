/* SPDX-License-Identifier: MIT */
/*
 * What the command did, for people: a line of JSON for each beginning and each end of a
 * transaction.
 *
 * The transaction manager forgets a transaction when everybody has finished it, as it must; whoever
 * asks later finds it here. Nothing depends on this file: it is not forced, a line that cannot be
 * written is left out, and it may be deleted. When it grows beyond its bound the older half is
 * dropped with the file 'history.old'.
 */
#pragma once

#include <stdio.h>

#include "base/base.h"
#include "base/guid.h"

struct history_entry {
    int64_t time; /* seconds since 1970 */
    char transaction[GUID_TEXT_SIZE];
    char *event;    /* "begun", "committed", "rolled back", "unknown", "recovered" */
    char *what;     /* the change set; NULL: not said */
    char *why;      /* NULL: not said */
    unsigned steps; /* 0: not said */
    unsigned process;
};

#define HISTORY_SIZE_MAX (1u << 20) /* bytes of each of the two files */

/* Appends a line; 'what' and 'why' may be NULL. */
void history_add(const char *home, const GUID *transaction, const char *event, const char *what,
                 const char *why, unsigned steps);

/* Calls 'each' for every line about 'transaction' (NULL: for all), oldest first. Lines that are not
 * ours are passed over. False: there is no history. */
typedef void history_each(void *context, const struct history_entry *entry);
bool history_read(const char *home, const char *transaction, history_each *each, void *context);
