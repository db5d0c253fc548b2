/* SPDX-License-Identifier: MIT */
/*
 * The command 'ktm': its verbs, how they end, and what they have in common.
 *
 * One file per verb. A verb parses its arguments, calls the library, prints what the library says,
 * and decides nothing. It returns the exit status; main.c only finds the verb.
 *
 * Messages go to standard error and say what happened, to which object, and what to do next, with
 * the status in parentheses. Results go to standard output. With --json the result is one JSON
 * value, also when it is a failure.
 */
#pragma once

#include "base/base.h"
#include "cli/complaint.h"

/* Of 'ktm apply' and 'ktm recover'; the other verbs use the first three. */
enum {
    EXIT_COMMITTED = 0,   /* done as asked */
    EXIT_ROLLED_BACK = 1, /* not done, nothing has changed */
    EXIT_USAGE = 2,       /* the arguments or the change set are wrong; nothing was begun */
    EXIT_UNKNOWN = 3,     /* begun and not finished: 'ktm recover' */
    EXIT_ATTENTION = 4,   /* done, but something was set aside for people to look at */
};

struct verb {
    const char *name;
    const char *summary; /* for the list of verbs */
    const char *help;    /* the whole text of 'ktm help NAME' */
    int (*run)(int count, char **arguments);
};

/* NULL-terminated, in the order in which help lists them. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *name);

extern const struct verb verb_apply, verb_recover, verb_status, verb_clock, verb_tx, verb_log,
    verb_xa, verb_version, verb_help;

/* ---- arguments ---- */

/* Options that several verbs have. */
struct common {
    const char *home; /* --home; NULL: not given */
    bool is_json, is_quiet;
};

#define COMMON_OPTIONS                                                                             \
    {"home", required_argument, NULL, 'H'}, {"json", no_argument, NULL, 'J'},                      \
        {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'},                       \
    {                                                                                              \
        "version", no_argument, NULL, 'V'                                                          \
    }
/* For getopt_long: says itself what is missing (':'). */
#define COMMON_LETTERS ":qh"

/* Takes what getopt_long returned. True: it was one of COMMON_OPTIONS; when *code is not negative
 * the verb is to end with it (help was printed, or the option is wrong). */
bool common_take(struct common *common, int option, const struct verb *verb, char **arguments,
                 int *code);
/* "ktm apply: …; see 'ktm help apply'", and EXIT_USAGE. */
int usage_error(const struct verb *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- printing ---- */

/* "ktm: …" on standard error, and a line of standard output. Control characters are shown, not
 * obeyed, wherever they come from. */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the output: flushes it and says when it could not be written. Returns 'code', or
 * EXIT_ROLLED_BACK when it was EXIT_COMMITTED and the output was all that was wanted. */
int print_end(int code, bool is_output_all);

int help_print(const struct verb *verb);
