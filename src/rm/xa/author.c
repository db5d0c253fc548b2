/* SPDX-License-Identifier: MIT */
/* What the kit asks: prepare, commit, roll back, list. */
#include "rm/xa/xa.h"

#include <stdlib.h>
#include <time.h>

#define LOOK_EVERY_NS 1000000L
#define LOOKS_UNHURT                                                                               \
    20u /* before the helper is killed: the lock may be somebody's for a moment                    \
         */

/* ---- prepare ---- */

/* Nobody knows whether it is prepared. */
static void
abandon(struct ktm_xa_tx *tx)
{
    tx->has_started = false;
    port_close(tx_give_port(tx));
    orphan_add(tx->rm, &tx->xid);
    orphans_tend(tx->rm);
}

/* Answers: RESOURCEMANAGER_READ_ONLY, TRANSACTION_NOT_ACTIVE. */
static NTSTATUS
vote(struct ktm_xa_tx *tx)
{
    NTSTATUS status;
    int code;

    TRY(tx_end(tx));
    status = tx_say(tx, XA_OP_PREPARE, TMNOFLAGS, &code);
    if (status != STATUS_SUCCESS)
        abandon(tx);
    TRY(status);
    if (code == XA_OK)
        return STATUS_SUCCESS;
    if (code == XA_RDONLY || code_is_rollback(code))
        tx->has_started = false; /* it is over */
    if (code == XA_RDONLY)
        return STATUS_RESOURCEMANAGER_READ_ONLY;
    if (code == XAER_RMFAIL)
        abandon(tx);
    return explain(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE), "xa_prepare: %s [%s]",
                   code_meaning(code), code_name(code));
}

static enum ktm_rm_answer
prepare_locked(struct ktm_xa_tx *tx)
{
    NTSTATUS status;

    if (atomic_load(&tx->state) != KTM_XA_ACTIVE || !tx->has_started)
        return KTM_RM_NO;
    status = vote(tx);
    if (status == STATUS_SUCCESS) {
        atomic_store(&tx->state, KTM_XA_PREPARED);
        return KTM_RM_DONE;
    }
    if (status == STATUS_RESOURCEMANAGER_READ_ONLY) {
        tx->has_started = false;
        tx_undo(tx, KTM_XA_READ_ONLY);
        return KTM_RM_READ_ONLY;
    }
    tx_undo(tx, KTM_XA_ROLLED_BACK);
    return KTM_RM_NO;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_xa_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context, (void)key;
    pthread_mutex_lock(&tx->mutex);
    answer = prepare_locked(tx);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- outcomes of this run ---- */

/* By the thread that has prepared it, while that is there; then by any other. */
static enum finished
finish(struct ktm_xa_tx *tx, struct outcome *outcome)
{
    enum xa_op op = outcome->is_commit ? XA_OP_COMMIT : XA_OP_ROLLBACK;
    bool has_place = tx->port || (tx->is_here && tx_is_mine(tx));

    outcome->is_again = tx->was_asked;
    tx->was_asked = true;
    if (has_place && tx_say(tx, op, TMNOFLAGS, &outcome->code) == STATUS_SUCCESS &&
        outcome->code != XAER_RMFAIL) {
        enum finished finished = outcome_judge(tx->rm, outcome);

        if (finished != NOT_FINISHED)
            pool_give(tx->rm, tx_give_port(tx));
        return finished;
    }
    outcome->is_again = outcome->is_again || has_place;
    port_close(tx_give_port(tx));
    return outcome_finish(tx->rm, outcome);
}

static enum ktm_rm_answer
finish_prepared(struct ktm_xa_tx *tx, bool commit)
{
    struct outcome outcome = {.xid = tx->xid, .is_commit = commit};
    enum finished finished = finish(tx, &outcome);

    if (outcome.why.text[0])
        tx->why = outcome.why;
    if (finished == NOT_FINISHED) {
        if (!tx->was_told)
            outcome_report(tx->rm, finished, &outcome, &tx->id);
        tx->was_told = true;
        return KTM_RM_RETRY;
    }
    if (finished == FINISHED_OTHERWISE || outcome.code >= XA_HEURMIX)
        outcome_report(tx->rm, finished, &outcome, &tx->id);
    tx->has_started = false;
    atomic_store(&tx->state,
                 (finished == FINISHED) == commit ? KTM_XA_COMMITTED : KTM_XA_ROLLED_BACK);
    orphans_tend(tx->rm);
    return KTM_RM_DONE;
}

/* The application's function may be at work in the helper, for ever perhaps. */
static void
lock_against_call(struct ktm_xa_tx *tx)
{
    for (unsigned i = 0; pthread_mutex_trylock(&tx->mutex) != 0; i++) {
        if (i >= LOOKS_UNHURT && atomic_load(&tx->state) == KTM_XA_ACTIVE) {
            pthread_mutex_lock(&tx->swap);
            if (tx->port)
                port_kill(tx->port);
            pthread_mutex_unlock(&tx->swap);
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
    }
}

static enum ktm_rm_answer
rollback_work(struct ktm_xa_tx *tx)
{
    enum ktm_rm_answer answer = KTM_RM_DONE;

    lock_against_call(tx);
    if (atomic_load(&tx->state) == KTM_XA_PREPARED)
        answer = finish_prepared(tx, false);
    else if (atomic_load(&tx->state) == KTM_XA_ACTIVE)
        tx_undo(tx, KTM_XA_ROLLED_BACK);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- outcomes of earlier runs ---- */

static enum ktm_rm_answer
settle(struct ktm_xa_rm *rm, const struct ktm_rm_key *key, bool commit)
{
    struct outcome outcome = {.is_commit = commit, .is_again = true};
    enum finished finished;

    xid_of(key, &outcome.xid);
    finished = outcome_finish(rm, &outcome);
    outcome_report(rm, finished, &outcome, &key->transaction);
    return finished == NOT_FINISHED ? KTM_RM_RETRY : KTM_RM_DONE;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_xa_tx *tx = work;
    enum ktm_rm_answer answer = KTM_RM_DONE;

    if (!tx)
        return settle(context, key, true);
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_XA_PREPARED)
        answer = finish_prepared(tx, true);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    return work ? rollback_work(work) : settle(context, key, false);
}

struct listing {
    const struct ktm_xa_rm *rm;
    ktm_rm_each_key *each;
    void *list;
};

static NTSTATUS
tell_ours(void *context, const XID *xid)
{
    const struct listing *listing = context;
    struct ktm_rm_key key;

    if (xid_parse(xid, &listing->rm->base.home.manager, &key))
        listing->each(listing->list, &key);
    return STATUS_SUCCESS;
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    struct ktm_xa_rm *rm = context;
    struct listing listing = {.rm = rm, .each = each, .list = list};
    struct port *port;
    NTSTATUS status;

    TRY(pool_take(rm, &rm->why, &port));
    status = port_recover_all(port, tell_ours, &listing, &rm->why);
    pool_give(rm, port);
    return status;
}

static void
enlisted(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_xa_tx *tx = work;

    (void)context;
    xid_of(key, &tx->xid);
}

static void
forget(void *context, void *work)
{
    (void)context;
    tx_release(work);
}

static void
hold(void *context, void *work)
{
    struct ktm_xa_tx *tx = work;

    (void)context;
    atomic_fetch_add(&tx->references, 1);
}

/* No commit_alone: of a lost answer to TMONEPHASE nobody can say what it was. */
const struct ktm_rm_author xa_author = {
    .prepare = prepare,
    .commit = commit,
    .rollback = rollback,
    .list_in_doubt = list_in_doubt,
    .enlisted = enlisted,
    .forget = forget,
    .hold = hold,
};
