/* SPDX-License-Identifier: MIT */
/*
 * The transaction manager of a home, as the operator's verbs look at it: opened, recovered from its
 * log, and asked. Resource managers are not started, so nothing that is unfinished moves.
 */
#pragma once

#include "base/guid.h"
#include "cli/complaint.h"
#include "wdm.h" /* public */

/* Opens and recovers the manager whose log is in the home, which must exist. Answers: those of
 * opening it; SHARING_VIOLATION when another process has it. The caller closes it. */
NTSTATUS manager_open(const char *home, struct complaint *why, HANDLE *out) must_use;
/* Says why a manager could not be opened, and passes the status. */
NTSTATUS manager_complain(const char *home, NTSTATUS status, struct complaint *why);
/* The process that has the log of the home, 0 when it is not known. Not to be called by that
 * process itself. */
int manager_holder(const char *home);

struct manager_facts {
    GUID identity;
    int64_t clock;
};
NTSTATUS manager_query(HANDLE tm, struct manager_facts *out) must_use;

/* All identifiers of a kind below 'root', in order. The caller frees *guids. */
NTSTATUS manager_list(HANDLE root, KTMOBJECT_TYPE type, GUID **guids, size_t *count) must_use;

#define DESCRIPTION_SIZE (3 * 64 + 1)

struct manager_participant {
    GUID enlistment, manager;
};

struct manager_transaction {
    GUID guid;
    bool is_committed, is_aborted, is_in_doubt; /* none of them: not decided */
    char description[DESCRIPTION_SIZE];
    struct manager_participant *participants;
    size_t count;
    bool
        is_told; /* decided, and all have finished but its superior, who may still ask [RECOV-43] */
};
/* Answers: TRANSACTION_NOT_FOUND. */
NTSTATUS manager_transaction(HANDLE tm, const GUID *guid, struct manager_transaction *out) must_use;
void manager_transaction_deinit(struct manager_transaction *transaction);
/* "committed, not finished": what is the case, and what is to be done about it. */
const char *manager_transaction_state(const struct manager_transaction *transaction);
const char *manager_transaction_advice(const struct manager_transaction *transaction);

/* The description of a resource manager; "" when there is none. */
NTSTATUS manager_resource(HANDLE tm, const GUID *guid, char description[DESCRIPTION_SIZE]) must_use;

static inline void
close_handle(HANDLE *handle)
{
    if (*handle)
        (void)NtClose(*handle);
}
#define owned_handle __attribute__((cleanup(close_handle)))
