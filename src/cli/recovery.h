/* SPDX-License-Identifier: MIT */
/*
 * What a crash had left in a home, and what became of it: the transactions, by whoever took part in
 * them, and the resources that were opened for it, or could not be.
 */
#pragma once

#include "base/guid.h"
#include "cli/complaint.h"
#include "ktm.h" /* public */
#include "sys/thread.h"

struct recovery_transaction {
    GUID guid;
    bool is_left; /* by one of those who took part: not finished yet */
    char *why;    /* in whose words; NULL: none were said */
};

enum recovery_state {
    RECOVERY_DONE,        /* it was opened, and nothing is left */
    RECOVERY_LEFT,        /* it was opened, and something could not be finished */
    RECOVERY_AT_REST,     /* it was not opened: nothing was left when it was shut */
    RECOVERY_GONE,        /* it is not there any more, and nothing waits for it */
    RECOVERY_UNREACHABLE, /* it could not be opened: something may be left */
};
const char *recovery_state_name(enum recovery_state state); /* "unreachable" */

struct recovery_resource {
    char *kind;  /* "postgres" */
    char *place; /* NULL: not known */
    char *name;  /* of its state in the home; NULL: of none alone */
    GUID manager;
    enum recovery_state state;
    NTSTATUS status;
    char *why; /* NULL: all is well */
    const struct ktm_resource_kind *door;
    void *rm; /* while it is open; and so long it tells by this: */
    struct ktm_resource wanted;
    bool was_at_rest; /* before it was opened */
};

struct recovery {
    struct sys_mutex mutex; /* of 'transactions' and 'damages': a resource may tell from a thread */
    struct recovery_transaction *transactions;
    size_t count;
    struct recovery_resource *resources;
    size_t resource_count;
    char **damages; /* what somebody has ended the other way */
    size_t damage_count;
    bool is_short; /* of memory: not all of it is here */
};

void recovery_init(struct recovery *recovery);
void recovery_deinit(struct recovery *recovery);

/* Somebody has finished, or could not finish, his part of a transaction. 'why' may be NULL. */
void recovery_note(struct recovery *recovery, const GUID *transaction, bool is_finished,
                   const char *why);

/* What a resource tells; 'recovery' is the context (struct ktm_resource). */
void recovery_take_news(void *recovery, enum ktm_resource_news news, const GUID *transaction,
                        BOOLEAN is_committed, const char *text);
/* Why a transaction is not finished; NULL: nobody has said. */
const char *recovery_why(const struct recovery *recovery, const GUID *guid);

/* Opens every resource of the home, which finishes what is left there, and shuts them when all have
 * been opened: one may have the answer that another waits for. One that fails keeps nobody else
 * from being opened. Those at rest are opened only with 'are_all', and may fail then. */
void recovery_open_resources(struct recovery *recovery, const char *home, HANDLE tm, bool are_all);
/* Whatever the manager still has, nobody has finished. After everybody was asked. */
void recovery_note_leftovers(struct recovery *recovery, HANDLE tm);

unsigned recovery_finished(const struct recovery *recovery);
unsigned recovery_left(const struct recovery *recovery);
/* The sentences about what is not finished, one after the other from 0 on. False: no more. */
bool recovery_problem(const struct recovery *recovery, size_t i, struct complaint *out);
