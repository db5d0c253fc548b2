/* SPDX-License-Identifier: MIT */
/*
 * Words for the tests of the NT surface: objects with all rights, a transaction with participants,
 * expected notifications, calls in the background, and processes that end as in a crash.
 *
 * A step that fails here ends the test: what a test is about, it calls itself.
 */
#pragma once

#include "tests/test.h"
#include "wdm.h"

/* ---- masks ---- */

#define PREPREPARE      TRANSACTION_NOTIFY_PREPREPARE
#define PREPARE         TRANSACTION_NOTIFY_PREPARE
#define COMMIT          TRANSACTION_NOTIFY_COMMIT
#define ROLLBACK        TRANSACTION_NOTIFY_ROLLBACK
#define SINGLE_PHASE    TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT
#define DISCONNECTED    TRANSACTION_NOTIFY_RM_DISCONNECTED
#define PREPREPARE_DONE TRANSACTION_NOTIFY_PREPREPARE_COMPLETE
#define PREPARE_DONE    TRANSACTION_NOTIFY_PREPARE_COMPLETE
#define COMMIT_DONE     TRANSACTION_NOTIFY_COMMIT_COMPLETE
#define ROLLBACK_DONE   TRANSACTION_NOTIFY_ROLLBACK_COMPLETE
#define COMMIT_REQUEST  TRANSACTION_NOTIFY_COMMIT_REQUEST
#define OUTCOME_REQUEST TRANSACTION_NOTIFY_REQUEST_OUTCOME
#define RECOVER         TRANSACTION_NOTIFY_RECOVER
#define RECOVER_QUERY   TRANSACTION_NOTIFY_RECOVER_QUERY
#define LAST_RECOVER    TRANSACTION_NOTIFY_LAST_RECOVER
#define INDOUBT         TRANSACTION_NOTIFY_INDOUBT

#define MASK_LATE     (COMMIT | ROLLBACK) /* neither flushes nor votes */
#define MASK_TWO      (PREPARE | COMMIT | ROLLBACK)
#define MASK_FULL     (PREPREPARE | MASK_TWO)
#define MASK_SINGLE   (MASK_FULL | SINGLE_PHASE)
#define MASK_SUPERIOR (ROLLBACK | PREPREPARE_DONE | PREPARE_DONE | COMMIT_DONE | ROLLBACK_DONE)

/* ---- objects with all rights ---- */

UNICODE_STRING wide(const char *ascii);    /* kept till the end of the process */
UNICODE_STRING log_name(const char *name); /* of a log in the directory of the test */
OBJECT_ATTRIBUTES attributes(PUNICODE_STRING name, ULONG flags);
GUID guid_number(unsigned number); /* a fixed one that is not zero */
void *key_number(unsigned number);
LARGE_INTEGER milliseconds(int count); /* from now */

HANDLE new_volatile_tm(void);
HANDLE attach_tm(const char *name);     /* creates or reopens the log; not recovered */
HANDLE new_logged_tm(const char *name); /* the same, recovered */
HANDLE new_rm(HANDLE tm, const GUID *guid, ULONG options);
HANDLE new_volatile_rm(HANDLE tm);
HANDLE new_durable_rm(HANDLE tm, unsigned number); /* recovered, LAST_RECOVER taken */
HANDLE new_tx(HANDLE tm);                          /* NULL: not bound */
HANDLE new_en(HANDLE rm, HANDLE tx, ULONG mask, void *key);
HANDLE new_superior(HANDLE rm, HANDLE tx, ULONG mask, void *key);
HANDLE duplicate(HANDLE handle, ACCESS_MASK access); /* with these rights, not more */
void close_handle(HANDLE handle);
PVOID pointer_to(HANDLE handle); /* with a reference */

/* ---- what can be seen ---- */

GUID guid_of_tm(HANDLE tm);
GUID guid_of_rm(HANDLE rm);
GUID guid_of_tx(HANDLE tx);
GUID guid_of_en(HANDLE en);
LONGLONG clock_of(HANDLE tm);
TRANSACTION_STATE state_of(HANDLE tx);
TRANSACTION_OUTCOME outcome_of(HANDLE tx);
bool is_signalled(HANDLE handle);

#define EXPECT_OUTCOME(outcome, tx) EXPECT_EQ(TransactionOutcome##outcome, outcome_of(tx))
#define EXPECT_STATE(state, tx)     EXPECT_EQ(TransactionState##state, state_of(tx))
#define EXPECT_GUID(wanted, got)    guid_expect(__FILE__, __LINE__, #got, (wanted), (got))
void guid_expect(const char *file, int line, const char *what, GUID wanted, GUID got);
bool same_guid(GUID a, GUID b);

/* ---- notifications ---- */

struct note {
    ULONG what;
    void *key;
    LONGLONG clock;
    ULONG argument_length, length;
    TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument;
};

/* The oldest in the queue; false: there is none. */
bool note_next(HANDLE rm, struct note *note);
/* The next is this one; there is none. */
#define EXPECT_NOTE(rm, key, what) note_expect(__FILE__, __LINE__, (rm), (key), (what))
#define EXPECT_QUIET(rm)           note_expect(__FILE__, __LINE__, (rm), NULL, 0)
struct note note_expect(const char *file, int line, HANDLE rm, void *key, ULONG what);

/* ---- a transaction with participants ---- */

struct party {
    bool is_durable;
    unsigned count;
    HANDLE tm, tx, rm[4], en[4]; /* enlistment i has the key i + 1 and RM the GUID number i + 1 */
    ULONG mask[4];
    HANDLE superior_rm, superior; /* key 9, GUID number 9; NULL: none */
};

/* 'superior': its mask, 0: none. The masks of the participants follow, at most four. */
#define PARTY(is_durable, superior, ...)                                                           \
    party_make((is_durable), (superior), (const ULONG[]){__VA_ARGS__},                             \
               sizeof((const ULONG[]){__VA_ARGS__}) / sizeof(ULONG))
struct party party_make(bool is_durable, ULONG superior, const ULONG *masks, size_t count);

typedef NTSTATUS answer_routine(HANDLE, PLARGE_INTEGER);
/* All who ask for it have been sent 'what', and answer. */
void party_expect(const struct party *party, ULONG what);
void party_answer(const struct party *party, ULONG what, answer_routine *answer);
void party_prepreparation(const struct party *party);
void party_preparation(const struct party *party);
void party_completion(const struct party *party);
void party_rollback(const struct party *party);
/* Under a superior in three steps: up to PREPARE_COMPLETE, taken. */
void party_prepare(const struct party *party);

/* ---- calls in the background ---- */

struct call;
struct call *call_commit(HANDLE tx);   /* NtCommitTransaction, waiting */
struct call *call_rollback(HANDLE tx); /* NtRollbackTransaction, waiting */
struct call *call_notification(HANDLE rm);
struct call *call_routine(NTSTATUS (*routine)(HANDLE), HANDLE handle); /* any other */
bool call_is_running(struct call *call);                               /* after a while */
NTSTATUS call_result(struct call *call); /* waits for it, at most some seconds */

/* ---- crashes ---- */

/* Runs 'phase' in a process of its own, which then ends without closing anything. To be used before
 * this process uses the library: a fork does not take its threads along. */
void crash_after(void (*phase)(void));
/* Memory shared with such processes, zeroed. */
void *shared_memory(size_t size);
