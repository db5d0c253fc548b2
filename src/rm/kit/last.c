/* SPDX-License-Identifier: MIT */
/*
 * The last resource: a store that cannot prepare, and decides instead.
 *
 *     client commits ─▶ COMMIT_REQUEST ─▶ everybody else prepares ─▶ PREPARE record, forced
 *        ─▶ PREPARE_COMPLETE ─▶ decide: the store's commit, with the sign in it  <- the commit
 * point ─▶ CommitEnlistment ─▶ COMMIT record, forced ─▶ everybody else commits ─▶ COMMIT_COMPLETE
 *
 * To the TM it is a superior enlistment. So a crash between PREPARE and COMMIT record leaves the
 * transaction in doubt, the next start asks (RECOVER_QUERY), and the sign says [RECOV-40..42]. With
 * the COMMIT record the TM knows by itself, and the sign can go.
 */
#include "rm/kit/kit.h"

static void
tell_decision(struct branch *branch, PKENLISTMENT object, bool is_commit)
{
    struct ktm_rm *rm = branch->rm;
    struct ktm_rm_key key = branch->key;
    NTSTATUS status;

    branch_settle(branch);
    if (!is_commit) {
        (void)branch_answer(branch, object,
                            ANSWER_NO); /* a superior is not told of its own rollback */
        branch_finish(branch, false);
        return;
    }
    /* COMMIT_COMPLETE may come, and the branch be finished, before this returns. */
    status = branch_answer(branch, object, REQUEST_COMMIT);
    if (NT_SUCCESS(status)) {
        if (rm->author.settled)
            rm->author.settled(rm->options.context, &key);
    } else if (branch_state(branch) != BRANCH_FINISHED) {
        branch_finish(branch, true); /* the TM cannot write: its next recovery asks again [PT-36] */
    }
}

/* Calls the author for a branch that nobody else is at; what he says is told. */
static void
decide_by(struct branch *branch, PKENLISTMENT object, bool is_first)
{
    struct ktm_rm *rm = branch->rm;
    enum ktm_rm_answer said;
    bool is_old;

    sys_mutex_lock(&branch->mutex);
    if (branch_state(branch) >= BRANCH_SETTLED) {
        sys_mutex_unlock(&branch->mutex);
        return;
    }
    is_old = !branch->work;
    if (is_first)
        branch_prepared(branch);
    said = is_first ? rm->author.decide(rm->options.context, branch->work, &branch->key)
                    : rm->author.outcome(rm->options.context, &branch->key);
    sys_mutex_unlock(&branch->mutex);
    if (is_old)
        recovered_note(rm, &branch->key.transaction, said == KTM_RM_DONE,
                       said == KTM_RM_DONE || said == KTM_RM_NO);
    switch (said) {
    case KTM_RM_DONE:
    case KTM_RM_READ_ONLY:
        tell_decision(branch, object, true);
        break;
    case KTM_RM_NO:
        tell_decision(branch, object, false);
        break;
    case KTM_RM_RETRY:
    case KTM_RM_TWO_PHASES: /* no answer to this: nothing is known */
        branch_postpone(branch, DEBT_OUTCOME);
        break;
    case KTM_RM_SHUT_DOWN:
        kit_mark_down(rm, STATUS_RM_NOT_ACTIVE);
        branch_finish(branch, true);
        kit_shut_down(rm, STATUS_RM_NOT_ACTIVE);
        break;
    }
}

void
last_ask(struct branch *branch, PKENLISTMENT object)
{
    decide_by(branch, object, false);
}

void
last_notify(struct branch *branch, PKENLISTMENT object, ULONG notification)
{
    switch (notification) {
    case TRANSACTION_NOTIFY_COMMIT_REQUEST:
        (void)branch_answer(branch, object, REQUEST_PREPARE); /* refused: ROLLBACK is on its way */
        break;
    case TRANSACTION_NOTIFY_PREPARE_COMPLETE:
        decide_by(branch, object, true);
        break;
    case TRANSACTION_NOTIFY_COMMIT_COMPLETE:
        if (branch_state(branch) != BRANCH_FINISHED)
            branch_finish(branch, false);
        break;
    default:
        break;
    }
}
