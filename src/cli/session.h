/* SPDX-License-Identifier: MIT */
/*
 * A home in use: its transaction manager and its resource managers, opened, recovered, and one
 * transaction after the other. All that 'apply' and 'recover' ask of the library goes through here.
 */
#pragma once

#include "base/guid.h"
#include "cli/changeset.h"
#include "cli/complaint.h"
#include "cli/recovery.h"

struct session;

struct session_options {
    const char *home;
    bool may_wait;     /* for another process that has the home */
    bool is_quiet;     /* wait without saying so */
    uint64_t deadline; /* of waiting: CLOCK_MONOTONIC, nanoseconds */
};

/* Opens the home, which is made when it is not there, and waits for its turn. Recovery has begun
 * when it returns. Answers: those of opening a log and a home; SHARING_VIOLATION (in use, and not
 * to be waited for), ROLLBACK_TIMER_EXPIRED (the deadline passed), CANCELLED (a signal came). */
NTSTATUS session_open(const struct session_options *options, struct complaint *why,
                      struct session **out) must_use;
void session_close(struct session *session);
OWNED_BY(struct session, session_close)

/* ---- what a crash left ---- */

/* Opens all resources of the home too; but those that were left at rest only with 'are_all'. What
 * became of it all is in '*out', which lives as long as the session. Answers: PENDING (something is
 * left, or may be: recovery_problem tells what). */
NTSTATUS session_recover(struct session *session, bool are_all,
                         const struct recovery **out) must_use;

/* ---- one transaction ---- */

/* 'timeout': nanoseconds until it is rolled back by itself, 0: never. 'what' describes it for
 * people. 'directory': where relative paths start. */
NTSTATUS session_begin(struct session *session, const char *what, uint64_t timeout,
                       struct complaint *why, GUID *transaction) must_use;
/* Does one step: nothing is to be seen of it before the commit. A failure is final; the transaction
 * is to be rolled back. */
NTSTATUS session_step(struct session *session, const struct step *step,
                      struct complaint *why) must_use;

enum session_outcome {
    OUTCOME_COMMITTED,
    OUTCOME_ROLLED_BACK,
    OUTCOME_UNFINISHED, /* committed, but not all of it could be carried out yet */
    OUTCOME_UNKNOWN,    /* the log says at the next start */
};
/* 'why' is written unless it is committed; *status says it in one word. */
enum session_outcome session_commit(struct session *session, NTSTATUS *status,
                                    struct complaint *why);
/* OUTCOME_ROLLED_BACK, or OUTCOME_UNKNOWN when something is left that 'ktm recover' must remove. */
enum session_outcome session_rollback(struct session *session, struct complaint *why);

/* ---- what was set aside ---- */

/* Others changed something between the promise and the commit; theirs has another name now. */
struct session_conflict {
    GUID transaction;
    char *path;
    char *kept_as;    /* NULL: nothing had to be kept, only told */
    const char *what; /* in words */
};
/* All since the session was opened; lives as long as the session. *are_all: false when there was no
 * memory to keep every one. */
const struct session_conflict *session_conflicts(const struct session *session, size_t *count,
                                                 bool *are_all);
