/* SPDX-License-Identifier: MIT */
/*
 * How apply and recover end: which transaction, what happened, why, and what to do next; as one
 * line for people or one JSON object for programs.
 */
#pragma once

#include "cli/cli.h"
#include "cli/session.h"

struct json_object;

struct result {
    int code;            /* the exit status */
    const char *outcome; /* "committed", "rolled back", "refused", "unknown", "checked", … */
    bool has_transaction;
    GUID transaction;
    const char *what; /* the change set; NULL: none */
    size_t steps;
    NTSTATUS status; /* STATUS_SUCCESS: nothing to explain */
    struct complaint why;
    const char *advice;              /* NULL: none */
    const struct recovery *recovery; /* NULL: it has not come to that */
    bool is_recovery;                /* all that was to be done: its problems are told */
    bool has_clock, is_online;       /* of recover --clock */
    int64_t clock;                   /* where it has come to */
    struct json_object *rollforward; /* its steps, goes into the JSON object; NULL: none */
    const struct session_conflict *conflicts;
    size_t conflict_count;
};

/* Prints it and returns the exit status. Quiet: nothing is said of what went as asked. */
int result_print(const struct result *result, const struct common *common);
/* What an earlier run left: one line if this one finished it, and one for each thing that is still
 * not finished. */
void result_print_recovery(const struct result *result, const struct common *common);
