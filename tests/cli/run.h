/* SPDX-License-Identifier: MIT */
/* Runs a verb in a process of its own and keeps what it says; makes logs as a crash leaves them. */
#pragma once

#include "cli/cli.h"
#include "wdm.h"

struct ran {
    int code; /* exit status; -1: it was killed */
    char out[65536], err[16384];
};

/* The verb with these arguments (NULL at the end), which follow its name. */
void run_verb(struct ran *ran, const struct verb *verb, ...) __attribute__((sentinel));

#define EXPECT_SAYS(text, wanted) expect_says(__FILE__, __LINE__, (text), (wanted))
void expect_says(const char *file, int line, const char *text, const char *wanted);
/* The output is one JSON value. */
#define EXPECT_JSON(text) expect_json(__FILE__, __LINE__, (text))
void expect_json(const char *file, int line, const char *text);

/* A home with a log in which a process that died left transactions: 'finished' that are over, and
 * 'unfinished' that are committed and not carried out; 0: it did not die. The GUIDs are kept in
 * that order. */
struct left {
    char home[512];
    GUID guids[16];
};
void leave(struct left *left, unsigned finished, unsigned unfinished);
/* Opens the log of the home as its manager: in this process; or in another one, which closes it
 * when it is released. */
HANDLE open_manager(const char *home);
struct holder {
    int process, hold;
};
struct holder hold_manager(const char *home);
void release_manager(struct holder holder);
