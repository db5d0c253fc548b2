/* SPDX-License-Identifier: MIT */
/* One branch: what the TM says to it, and what is answered. */
#include "rm/kit/kit.h"

#include <limits.h>
#include <stdlib.h>

#define MILLISECOND   1000000u
#define DELAY_FIRST   (50u * MILLISECOND)
#define DELAY_LONGEST (5000u * (uint64_t)MILLISECOND)

/* ---- life ---- */

void
branch_destroy(struct branch *branch)
{
    if (!branch)
        return;
    sys_mutex_deinit(&branch->mutex);
    free(branch);
}

enum branch_state
branch_state(struct branch *branch)
{
    return (enum branch_state)atomic_load(&branch->state);
}

static void
state_set(struct branch *branch, enum branch_state state)
{
    /* See branch_wait_until_enlisted. */
    if (atomic_exchange(&branch->state, state) == BRANCH_ENLISTING)
        sys_wake(&branch->state, INT_MAX);
}

void
branch_release(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;
    bool is_last;

    sys_mutex_lock(&rm->mutex);
    CHECK(branch->references > 0);
    is_last = --branch->references == 0;
    sys_mutex_unlock(&rm->mutex);
    if (is_last)
        branch_destroy(branch);
}

void
branch_bury(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    if (list_is_empty(&branch->in_all))
        list_append(&rm->buried, &branch->in_all);
    sys_mutex_unlock(&rm->mutex);
}

void
branches_exhume(struct ktm_rm *rm)
{
    while (!list_is_empty(&rm->buried)) {
        struct branch *branch = list_first(&rm->buried, struct branch, in_all);

        list_remove(&branch->in_all);
        branch_destroy(branch);
    }
}

void
branch_key_done(struct branch *branch, PKENLISTMENT object)
{
    BOOLEAN is_last = FALSE;

    if (TmDereferenceEnlistmentKey(object, &is_last) != STATUS_SUCCESS) {
        if (branch_state(branch) == BRANCH_FINISHED)
            branch_bury(branch);
    } else if (is_last) {
        branch_release(branch);
    }
}

/* Gives up the reference of a branch that was not finished until now. With callbacks whoever has
 * the key last does so. */
static void
branch_unregister(struct branch *branch, HANDLE enlistment)
{
    void *object;

    if (!kit_is_called(branch->rm)) {
        branch_release(branch);
    } else if (!enlistment ||
               ObReferenceObjectByHandle(enlistment, 0, *TmEnlistmentObjectType, UserMode, &object,
                                         NULL) != STATUS_SUCCESS) {
        branch_bury(branch);
    } else {
        branch_key_done(branch, object);
        ObDereferenceObject(object);
    }
}

/* Takes the branch out of all tables. */
static void
branch_remove(struct branch *branch, bool is_let_go)
{
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    guid_map_remove(&rm->branches, &branch->by_transaction);
    list_remove(&branch->in_all);
    list_remove(&branch->in_debts);
    branch->debt = DEBT_NONE;
    rm->prepared -= branch_state(branch) == BRANCH_PREPARED;
    rm->let_go += is_let_go;
    sys_mutex_unlock(&rm->mutex);
    state_set(branch, BRANCH_FINISHED);
}

void
branch_abandon(struct branch *branch)
{
    branch_remove(branch, false);
    branch_release(branch);
}

void
branch_enlisted(struct branch *branch)
{
    state_set(branch, BRANCH_ACTIVE);
}

/* The handle to answer with is known when NtCreateEnlistment has returned; the notification may be
 * faster [NOTIF-12]. */
void
branch_wait_until_enlisted(struct branch *branch)
{
    while (branch_state(branch) == BRANCH_ENLISTING)
        sys_wait(&branch->state, BRANCH_ENLISTING, SYS_FOREVER);
}

void
branch_prepared(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    rm->prepared++;
    sys_mutex_unlock(&rm->mutex);
    state_set(branch, BRANCH_PREPARED);
}

void
branch_settle(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    rm->prepared -= branch_state(branch) == BRANCH_PREPARED;
    list_remove(&branch->in_debts);
    branch->debt = DEBT_NONE;
    state_set(branch, BRANCH_SETTLED);
    sys_mutex_unlock(&rm->mutex);
}

void
branch_finish(struct branch *branch, bool is_let_go)
{
    struct ktm_rm *rm = branch->rm;
    HANDLE enlistment = branch->enlistment;
    void *work = branch->work;

    CHECK(branch_state(branch) != BRANCH_FINISHED);
    branch_remove(branch, is_let_go);
    branch->enlistment = NULL;
    branch->work = NULL;
    if (work && rm->author.forget)
        rm->author.forget(rm->options.context, work);
    branch_unregister(branch, enlistment);
    if (enlistment)
        NtClose(enlistment);
}

void
branch_close(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;

    /* What was not prepared was rolled back by the close of the RM, and nobody told us. */
    if (branch_state(branch) == BRANCH_ACTIVE && branch->work && !branch->has_voted_no)
        rm->author.rollback(rm->options.context, branch->work, &branch->key);
    branch_finish(branch, false);
}

/* ---- answers ---- */

NTSTATUS
branch_answer(struct branch *branch, PKENLISTMENT object, enum answer it)
{
    switch (it) {
    case ANSWER_PREPARED:
        return object ? TmPrepareComplete(object, NULL)
                      : NtPrepareComplete(branch->enlistment, NULL);
    case ANSWER_READ_ONLY:
        return object ? TmReadOnlyEnlistment(object, NULL)
                      : NtReadOnlyEnlistment(branch->enlistment, NULL);
    case ANSWER_NO:
        return object ? TmRollbackEnlistment(object, NULL)
                      : NtRollbackEnlistment(branch->enlistment, NULL);
    case ANSWER_COMMITTED:
        return object ? TmCommitComplete(object, NULL) : NtCommitComplete(branch->enlistment, NULL);
    case ANSWER_TWO_PHASES:
        return object ? TmSinglePhaseReject(object, NULL)
                      : NtSinglePhaseReject(branch->enlistment, NULL);
    case REQUEST_PREPARE:
        return object ? TmPrepareEnlistment(object, NULL)
                      : NtPrepareEnlistment(branch->enlistment, NULL);
    case REQUEST_COMMIT:
        return object ? TmCommitEnlistment(object, NULL)
                      : NtCommitEnlistment(branch->enlistment, NULL);
    default:
        return object ? TmRollbackComplete(object, NULL)
                      : NtRollbackComplete(branch->enlistment, NULL);
    }
}

/* ---- phases ---- */

/* In a round of this thread: the author sends, and the answer is waited for when all have. False:
 * there is no round. */
static bool
begin(struct branch *branch, PKENLISTMENT object, enum branch_begun what)
{
    struct ktm_rm *rm = branch->rm;
    enum branch_state expected = what == BEGUN_PREPARE ? BRANCH_ACTIVE : BRANCH_PREPARED;

    if (!begun_is_open())
        return false;
    sys_mutex_lock(&branch->mutex);
    if (branch_state(branch) != expected || !branch->work || branch->begun != BEGUN_NOTHING) {
        sys_mutex_unlock(&branch->mutex);
        return false;
    }
    if (rm->author.begin)
        rm->author.begin(rm->options.context, branch->work, &branch->key, what == BEGUN_COMMIT);
    branch->begun = what;
    begun_add(branch, object);
    sys_mutex_unlock(&branch->mutex);
    return true;
}

/* With the branch's mutex. */
static enum ktm_rm_answer
ask_to_prepare(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;
    enum ktm_rm_answer said = rm->author.prepare(rm->options.context, branch->work, &branch->key);

    branch->begun = BEGUN_NOTHING;
    branch->has_voted_no = said != KTM_RM_DONE && said != KTM_RM_READ_ONLY;
    if (said == KTM_RM_DONE)
        branch_prepared(branch);
    return said;
}

/* 'begun': it must still be. */
static void
prepare(struct branch *branch, PKENLISTMENT object, enum branch_begun begun)
{
    struct ktm_rm *rm = branch->rm;
    enum ktm_rm_answer said = KTM_RM_NO;
    NTSTATUS status;

    sys_mutex_lock(&branch->mutex);
    if (branch_state(branch) != BRANCH_ACTIVE ||
        branch->begun != begun) { /* rolled back while the notification was under way */
        sys_mutex_unlock(&branch->mutex);
        return;
    }
    said = ask_to_prepare(branch);
    sys_mutex_unlock(&branch->mutex);

    if (said == KTM_RM_SHUT_DOWN)
        kit_mark_down(rm, STATUS_RM_NOT_ACTIVE);
    if (said == KTM_RM_DONE) {
        branch_answer(branch, object, ANSWER_PREPARED);
    } else if (said == KTM_RM_READ_ONLY) {
        status = branch_answer(branch, object, ANSWER_READ_ONLY);
        if (NT_SUCCESS(status))
            branch_finish(branch, false); /* else ROLLBACK comes, and is answered */
    } else {
        branch_answer(branch, object, ANSWER_NO);
    }
    if (said == KTM_RM_SHUT_DOWN)
        kit_shut_down(rm, STATUS_RM_NOT_ACTIVE);
}

/* Adds it to the debts; with the RM's mutex. */
static void
debt_begin(struct branch *branch, enum branch_debt debt, uint64_t now, uint64_t delay)
{
    list_append(&branch->rm->debts, &branch->in_debts);
    branch->debt = debt;
    branch->since = now;
    branch->delay = delay;
    branch->retry_at = now + delay;
}

void
branch_owe(struct branch *branch, enum branch_debt debt)
{
    struct ktm_rm *rm = branch->rm;

    sys_mutex_lock(&rm->mutex);
    if (branch->debt == DEBT_NONE && branch_state(branch) < BRANCH_SETTLED)
        debt_begin(branch, debt, sys_now(), 0);
    sys_mutex_unlock(&rm->mutex);
    kit_help(rm);
}

void
branch_postpone(struct branch *branch, enum branch_debt debt)
{
    struct ktm_rm *rm = branch->rm;
    uint64_t now = sys_now(), patience = (uint64_t)rm->options.patience_ms * MILLISECOND;
    bool is_let_go;

    sys_mutex_lock(&rm->mutex);
    if (branch->debt == DEBT_NONE)
        debt_begin(branch, debt, now, DELAY_FIRST);
    else if (branch->delay < DELAY_LONGEST)
        branch->delay = branch->delay ? branch->delay * 2 : DELAY_FIRST;
    branch->retry_at = now + branch->delay;
    /* A last resource is never let go: the client would wait for a decision that nobody takes. */
    is_let_go = debt != DEBT_OUTCOME && rm->options.patience_ms != UINT32_MAX &&
                now - branch->since >= patience;
    sys_mutex_unlock(&rm->mutex);
    /* Closing the enlistment without an answer: a durable RM is asked again at its next recovery,
     * and whoever waits for the transaction is told its outcome now [CLOSE-EN-06]. */
    if (is_let_go)
        branch_finish(branch, true);
    else
        kit_help(rm);
}

/* Nobody else takes part, and the author's own log decides. */
static void
commit_alone(struct branch *branch, PKENLISTMENT object)
{
    struct ktm_rm *rm = branch->rm;
    enum ktm_rm_answer said;

    sys_mutex_lock(&branch->mutex);
    said = rm->author.commit_alone(rm->options.context, branch->work, &branch->key);
    branch->has_voted_no = said == KTM_RM_NO;
    if (said != KTM_RM_NO && said != KTM_RM_TWO_PHASES)
        branch_settle(branch);
    sys_mutex_unlock(&branch->mutex);
    if (said == KTM_RM_NO || said == KTM_RM_TWO_PHASES) { /* ROLLBACK comes, or PREPARE */
        branch_answer(branch, object, said == KTM_RM_NO ? ANSWER_NO : ANSWER_TWO_PHASES);
        return;
    }
    if (said == KTM_RM_SHUT_DOWN)
        kit_mark_down(rm, STATUS_RM_NOT_ACTIVE);
    if (said == KTM_RM_DONE || said == KTM_RM_READ_ONLY)
        branch_answer(branch, object, said == KTM_RM_DONE ? ANSWER_COMMITTED : ANSWER_READ_ONLY);
    branch_finish(branch, false); /* without an answer it is a disconnection [CLOSE-EN-03] */
    if (said == KTM_RM_SHUT_DOWN)
        kit_shut_down(rm, STATUS_RM_NOT_ACTIVE);
}

static void
complete(struct branch *branch, PKENLISTMENT object, enum branch_debt debt)
{
    struct ktm_rm *rm = branch->rm;
    enum ktm_rm_answer said = KTM_RM_DONE;
    bool is_old;

    sys_mutex_lock(&branch->mutex);
    if (branch_state(branch) >= BRANCH_SETTLED) {
        sys_mutex_unlock(&branch->mutex);
        return;
    }
    is_old = !branch->work;
    if (branch->begun == BEGUN_PREPARE && rm->author.begin)
        (void)ask_to_prepare(branch); /* who has begun is asked for the answer, whatever it is */
    branch->begun = BEGUN_NOTHING;
    if (debt == DEBT_COMMIT)
        said = rm->author.commit(rm->options.context, branch->work, &branch->key);
    else if (!branch->has_voted_no) /* who voted no has undone its work */
        said = rm->author.rollback(rm->options.context, branch->work, &branch->key);
    sys_mutex_unlock(&branch->mutex);

    if (is_old)
        recovered_note(rm, &branch->key.transaction, debt == DEBT_COMMIT, said == KTM_RM_DONE);
    if (said == KTM_RM_SHUT_DOWN) {
        kit_mark_down(rm, STATUS_RM_NOT_ACTIVE);
        branch_finish(branch, true);
        kit_shut_down(rm, STATUS_RM_NOT_ACTIVE);
    } else if (said != KTM_RM_DONE) {
        branch_postpone(branch, debt);
    } else {
        branch_settle(branch); /* before the client is told, so that it finds nothing unfinished */
        branch_answer(branch, object, debt == DEBT_COMMIT ? ANSWER_COMMITTED : ANSWER_ROLLED_BACK);
        branch_finish(branch, false);
    }
}

void
branch_notify(struct branch *branch, PKENLISTMENT object, ULONG notification)
{
    branch_wait_until_enlisted(branch);
    switch (notification) {
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        commit_alone(branch, object);
        break;
    case TRANSACTION_NOTIFY_PREPARE:
        if (!begin(branch, object, BEGUN_PREPARE))
            prepare(branch, object, BEGUN_NOTHING);
        break;
    case TRANSACTION_NOTIFY_COMMIT:
        if (!begin(branch, object, BEGUN_COMMIT))
            complete(branch, object, DEBT_COMMIT);
        break;
    case TRANSACTION_NOTIFY_ROLLBACK:
        /* Perhaps the TM's timer, or somebody in a hurry. */
        if (branch->rm->options.mode == KTM_RM_HELPED && !begun_is_open())
            branch_owe(branch, DEBT_ROLLBACK);
        else
            complete(branch, object, DEBT_ROLLBACK);
        break;
    default: /* INDOUBT: the outcome comes later, by itself */
        if (branch->rm->options.is_last_resource)
            last_notify(branch, object, notification);
        break;
    }
}

void
branch_finish_begun(struct branch *branch, PKENLISTMENT object)
{
    enum branch_begun begun;

    sys_mutex_lock(&branch->mutex);
    begun = branch->begun;
    sys_mutex_unlock(&branch->mutex);
    if (begun == BEGUN_PREPARE)
        prepare(branch, object, begun);
    else if (begun == BEGUN_COMMIT)
        complete(branch, object, DEBT_COMMIT);
}

void
branch_retry(struct branch *branch)
{
    if (branch->debt == DEBT_OUTCOME)
        last_ask(branch, NULL);
    else
        complete(branch, NULL, branch->debt);
}
