/* SPDX-License-Identifier: MIT */
/*
 * Inside the RM kit: the registered resource manager (kit.c, serve.c) and its branches: how they
 * come to be (enlist.c), and what is said to them (branch.c; begun.c, last.c).
 *
 * A branch is the RM's part in one transaction. It is found by transaction, so that the RM enlists
 * once, and by enlistment key, which is the branch itself.
 *
 *     ENLISTING ─▶ ACTIVE ─prepare─▶ PREPARED ─commit, rollback─▶ SETTLED ─▶ FINISHED
 *                     └──rollback────────────────────────────────────▲
 *
 * Locks: 'mutex' of the RM for its tables, never held across a call of the author (but for 'hold',
 * which only counts) or of the TM; 'mutex' of a branch while the author works on it, never held
 * across a call of the TM that may call back on the same thread [NOTIF-06]. Order: branch, then RM.
 *
 * A callback may come on any thread, also while the RM is being closed. It finds the RM by its
 * number, in a list that the close takes it from, and the close waits for those that are at work.
 *
 * References to a branch: one while it is not finished, one for each function that has found it.
 * With callbacks another thread may be about to bring a notification for it; there the first
 * reference stands for the key's count in the TM, which says who is the last [TMR-18..21].
 */
#pragma once

#include "base/guid.h"
#include "base/list.h"
#include "ktm_rm.h"
#include "sys/thread.h"
#include "wdm.h"

struct ktm_rm {
    struct sys_mutex mutex;
    _Atomic(HANDLE) handle;   /* NULL: closed */
    PKRESOURCEMANAGER object; /* KTM_RM_CALLBACKS */
    GUID identity;
    struct ktm_rm_options options;
    struct ktm_rm_author author;
    struct guid_map branches; /* by transaction, those that are not finished */
    struct guid_map left; /* by transaction: what earlier runs left prepared, until it is settled */
    struct guid_map recovered; /* by transaction: what earlier runs had left, and became of it */
    struct list all;           /* the branches that are not finished */
    struct list debts;         /* those that something is to be tried again for */
    struct list buried;        /* finished, and freed with the RM: see branch_bury */
    size_t let_go;             /* prepared, and left to the next recovery */
    size_t prepared;           /* prepared, and not finished */
    _Atomic uint32_t down;     /* NTSTATUS; 0: it is up */
    uint64_t process;          /* that opened it: a forked child has no part in it */
    struct sys_thread *thread;
    bool is_helping; /* KTM_RM_HELPED: 'thread' is at work, or about to be */
    bool is_starting;
    _Atomic uint32_t help;      /* changes when it has to look again */
    struct ktm_rm *next_called; /* KTM_RM_CALLBACKS: see kit.c */
    uint64_t number;            /* by which the TM calls it */
    unsigned callbacks;         /* that are at work in it now */
};

enum branch_state {
    BRANCH_ENLISTING,
    BRANCH_ACTIVE,
    BRANCH_PREPARED,
    BRANCH_SETTLED, /* the author has finished; the TM is being told */
    BRANCH_FINISHED,
};
enum branch_debt { DEBT_NONE, DEBT_COMMIT, DEBT_ROLLBACK, DEBT_OUTCOME };
enum branch_begun { BEGUN_NOTHING, BEGUN_PREPARE, BEGUN_COMMIT };

struct branch {
    struct guid_link by_transaction;
    struct list in_all, in_debts;
    unsigned references; /* under the mutex of the RM */
    struct ktm_rm *rm;
    struct sys_mutex mutex;
    struct ktm_rm_key key;
    HANDLE enlistment;
    void *work;             /* NULL: recovered */
    _Atomic uint32_t state; /* enum branch_state; a word to wait on while ENLISTING */
    enum branch_debt debt;  /* what is to be tried again; then it is in the list of debts */
    bool has_voted_no;
    enum branch_begun begun; /* by this branch's mutex; then it is in a round of some thread */
    struct list in_begun;    /* of that thread, as are the next */
    unsigned round;
    PKENLISTMENT begun_object;
    uint64_t since, retry_at; /* when it was first asked for, and is to be tried again */
    uint64_t delay;
};

struct recovered {
    struct guid_link link;
    bool is_asked; /* by the TM, by name; else nobody knew it but the author */
    bool is_committed, is_finished;
};
/* Tells what became of one. */
void recovered_note(struct ktm_rm *rm, const GUID *transaction, bool is_committed,
                    bool is_finished);

/* What the author found, with the key as it was prepared. */
struct left {
    struct guid_link link;
    struct ktm_rm_key key;
};

enum answer {
    ANSWER_PREPARED,
    ANSWER_READ_ONLY,
    ANSWER_NO, /* of a superior: the decision */
    ANSWER_COMMITTED,
    ANSWER_ROLLED_BACK,
    ANSWER_TWO_PHASES, /* to SINGLE_PHASE_COMMIT */
    REQUEST_PREPARE,   /* of a superior */
    REQUEST_COMMIT,
};
/* By pointer while the TM calls us, by handle otherwise. A refusal is no error: the transaction has
 * been aborted meanwhile, and ROLLBACK is on its way. */
NTSTATUS branch_answer(struct branch *branch, PKENLISTMENT object, enum answer it);
/* Nobody finds the branch any more; what it held is let go. */
void branch_finish(struct branch *branch, bool is_let_go);
/* The author has done with it; the TM is being told. */
void branch_settle(struct branch *branch);
/* Not done: it is tried again later, or not any more. */
void branch_postpone(struct branch *branch, enum branch_debt debt);
enum branch_state branch_state(struct branch *branch);
/* It is done by whoever tries again what is owed. */
void branch_owe(struct branch *branch, enum branch_debt debt);
/* It was never enlisted, and is taken back. Whoever waits for it is told by its state. */
void branch_abandon(struct branch *branch);
/* It is enlisted, and whoever waits for that goes on. */
void branch_enlisted(struct branch *branch);
void branch_wait_until_enlisted(struct branch *branch);
/* It has promised: only the outcome can come. */
void branch_prepared(struct branch *branch);

/* What was begun is finished, unless it was meanwhile. */
void branch_finish_begun(struct branch *branch, PKENLISTMENT object);

/* begun.c: rounds of the calling thread, one within the other. */
void begun_install(void); /* from now on a commit that waits is one */
void begun_open(void);
void begun_close(void); /* finishes what is left in it */
bool begun_is_open(void);
void begun_add(struct branch *branch, PKENLISTMENT object);
bool begun_finish_one(void); /* false: there is none */

/* last.c: the last resource, which decides. */
void last_notify(struct branch *branch, PKENLISTMENT object, ULONG notification);
/* Looks what was decided, and says it. */
void last_ask(struct branch *branch, PKENLISTMENT object);
/* 'object' may be NULL: then the enlistment's handle is used to answer. */
void branch_notify(struct branch *branch, PKENLISTMENT object, ULONG notification);
/* Tries again what is owed. */
void branch_retry(struct branch *branch);
/* enlist.c: a branch that the TM asks to recover. */
NTSTATUS branch_recover(struct ktm_rm *rm, const GUID *enlistment,
                        const GUID *transaction) must_use;
/* One that nobody has found, or NULL. */
void branch_destroy(struct branch *branch);
/* One reference less. */
void branch_release(struct branch *branch);
/* The TM does not count keys any more once the RM is closed [TMR-05], so nobody can say whether a
 * callback is about to use this finished branch: it stays until the RM is gone. */
void branch_bury(struct branch *branch);
/* Frees what is buried. */
void branches_exhume(struct ktm_rm *rm);
/* A callback has done with the key. */
void branch_key_done(struct branch *branch, PKENLISTMENT object);
/* When the RM is closed: the TM says no more to it. */
void branch_close(struct branch *branch);

/* A notification of the RM itself, or of a branch. */
void kit_handle(struct ktm_rm *rm, PKENLISTMENT object, const TRANSACTION_NOTIFICATION *header,
                const void *argument);
/* The RM cannot go on: from now on it says so. */
void kit_mark_down(struct ktm_rm *rm, NTSTATUS why);
/* And the TM settles what is open. */
void kit_shut_down(struct ktm_rm *rm, NTSTATUS why);
/* Waits for something to do, until the deadline; does it, and all else that is there. */
NTSTATUS kit_serve(struct ktm_rm *rm, uint64_t deadline) must_use;
void kit_thread(void *rm);
/* KTM_RM_HELPED: something is owed. And: nothing will be any more. */
void kit_help(struct ktm_rm *rm);
void kit_help_end(struct ktm_rm *rm);
/* The close waits until it is let go. */
void kit_hold(struct ktm_rm *rm);
void kit_let_go(struct ktm_rm *rm);
/* Asks the author what earlier runs have left. Before the TM is asked. */
NTSTATUS kit_list(struct ktm_rm *rm) must_use;
/* After the last RECOVER: what nobody knows is rolled back, or its sign removed. */
void kit_sweep(struct ktm_rm *rm);

/* The TM calls us, rather than that we fetch. */
static inline bool
kit_is_called(const struct ktm_rm *rm)
{
    return rm->options.mode == KTM_RM_CALLBACKS || rm->options.mode == KTM_RM_HELPED;
}
