/* SPDX-License-Identifier: MIT */
/*
 * Statements of a change set: databases that take part in the transaction as files do, each opened
 * at the first statement for it, all shut with the session.
 *
 * What a statement is given may be a secret, so nothing of it is told: not in messages, where a
 * database's own words may repeat it, and not in the history.
 */
#pragma once

#include "cli/changeset.h"
#include "cli/recovery.h"
#include "ktmbase.h" /* public: HANDLE */

/* Before anything is begun: 'database' of each statement becomes the place as it is kept. Answers:
 * INVALID_PARAMETER, ACCESS_DENIED (it has a secret in it), OBJECT_NAME_NOT_FOUND (its library is
 * not installed); 'why' says so. */
NTSTATUS statements_resolve(struct changeset *set, struct complaint *why) must_use;
/* The text of a statement, to be freed. Answers: those of reading a file. */
NTSTATUS statement_text(const struct step *step, struct complaint *why, char **out) must_use;

struct databases {
    const char *home;
    HANDLE tm, transaction;
    struct recovery *recovery; /* learns what could not be finished */
    struct database *first;
    const struct step **steps; /* those that were done: what they were given is not told */
    size_t step_count;
};

/* Does one statement. A failure is final. */
NTSTATUS databases_step(struct databases *databases, const struct step *step,
                        struct complaint *why) must_use;
/* What the first of them that has something to say says. False: nobody. */
bool databases_error(struct databases *databases, struct complaint *why);
/* How many parts of transactions are promised and not finished. */
size_t databases_unfinished(const struct databases *databases);
/* The transaction is over; and the databases are shut. */
void databases_end(struct databases *databases);
void databases_shut(struct databases *databases);
