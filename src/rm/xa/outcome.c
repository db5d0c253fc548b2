/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a prepared branch, and what the switch's answers mean.
 *
 *     XA_OK                            done
 *     XA_HEURCOM, XA_HEURRB            decided by somebody else; the same: done, else damage
 *     XA_HEURMIX, XA_HEURHAZ           damage; all four are then forgotten (xa_forget)
 *     XAER_NOTA, and it is not listed  of a commit that may have been said before, or a rollback:
 *                                      done; of the first commit: damage
 *     XAER_RMERR, XA_RB…, not listed   of a commit: the resource could not keep its promise: damage
 *     all else, also when listed       not now: tried again
 */
#include "rm/xa/xa.h"

#include <stdlib.h>

/* ---- is it there? ---- */

struct search {
    const XID *xid;
    bool is_found;
};

static NTSTATUS
compare(void *context, const XID *xid)
{
    struct search *search = context;

    search->is_found = search->is_found || xid_equal(search->xid, xid);
    return STATUS_SUCCESS;
}

enum listed { LISTED, NOT_LISTED, NOBODY_KNOWS };

static enum listed
look(struct ktm_xa_rm *rm, const XID *xid, struct explanation *why)
{
    struct search search = {.xid = xid};
    struct port *port;
    NTSTATUS status;

    if (pool_take(rm, why, &port) != STATUS_SUCCESS)
        return NOBODY_KNOWS;
    status = port_recover_all(port, compare, &search, why);
    pool_give(rm, port);
    if (status != STATUS_SUCCESS)
        return NOBODY_KNOWS;
    return search.is_found ? LISTED : NOT_LISTED;
}

/* ---- judging ---- */

static enum finished
damage(struct outcome *outcome, const char *what)
{
    explain_sentence(&outcome->why,
                     "%s, while the outcome is %s: what took part in it does not agree [%s]", what,
                     outcome->is_commit ? "commit" : "rollback", code_name(outcome->code));
    return FINISHED_OTHERWISE;
}

static void
forget(struct ktm_xa_rm *rm, const XID *xid)
{
    struct explanation why = {0};
    struct port *port;
    int code;

    if (pool_take(rm, &why, &port) != STATUS_SUCCESS)
        return; /* it is listed at the next start, and forgotten then */
    status_forgive(port_say(port, XA_OP_FORGET, xid, TMNOFLAGS, &code, &why));
    pool_give(rm, port);
}

static enum finished
judge_heuristic(struct ktm_xa_rm *rm, struct outcome *outcome)
{
    int agreed = outcome->is_commit ? XA_HEURCOM : XA_HEURRB;

    forget(rm, &outcome->xid);
    return outcome->code == agreed ? FINISHED : damage(outcome, code_meaning(outcome->code));
}

static enum finished
judge_unknown(struct ktm_xa_rm *rm, struct outcome *outcome)
{
    switch (look(rm, &outcome->xid, &outcome->why)) {
    case NOT_LISTED:
        break;
    case LISTED:
        explain_sentence(&outcome->why, "it is listed as prepared, but: %s [%s]",
                         code_meaning(outcome->code), code_name(outcome->code));
        return NOT_FINISHED;
    default:
        return NOT_FINISHED;
    }
    if (!outcome->is_commit)
        return FINISHED;
    if (outcome->code != XAER_NOTA)
        return damage(outcome, code_meaning(outcome->code));
    return outcome->is_again ? FINISHED : damage(outcome, "somebody else has ended it");
}

enum finished
outcome_judge(struct ktm_xa_rm *rm, struct outcome *outcome)
{
    switch (outcome->code) {
    case XA_OK:
        return FINISHED;
    case XA_HEURCOM:
    case XA_HEURRB:
    case XA_HEURMIX:
    case XA_HEURHAZ:
        return judge_heuristic(rm, outcome);
    case XAER_NOTA:
    case XAER_RMERR:
        return judge_unknown(rm, outcome);
    default:
        if (code_is_rollback(outcome->code))
            return judge_unknown(rm, outcome);
        explain_sentence(&outcome->why, "%s [%s]", code_meaning(outcome->code),
                         code_name(outcome->code));
        return NOT_FINISHED;
    }
}

enum finished
outcome_finish(struct ktm_xa_rm *rm, struct outcome *outcome)
{
    enum xa_op op = outcome->is_commit ? XA_OP_COMMIT : XA_OP_ROLLBACK;
    struct port *port;
    NTSTATUS status;

    outcome->code = XAER_RMFAIL;
    if (pool_take(rm, &outcome->why, &port) != STATUS_SUCCESS)
        return NOT_FINISHED;
    status = port_say(port, op, &outcome->xid, TMNOFLAGS, &outcome->code, &outcome->why);
    /* A resource that has gone away comes back to a helper that opens it anew. */
    if (outcome->code == XAER_RMFAIL)
        port_close(port);
    else
        pool_give(rm, port);
    return status == STATUS_SUCCESS ? outcome_judge(rm, outcome) : NOT_FINISHED;
}

void
outcome_report(struct ktm_xa_rm *rm, enum finished finished, const struct outcome *outcome,
               const GUID *transaction)
{
    bool is_heuristic = outcome->code >= XA_HEURMIX && outcome->code <= XA_HEURHAZ;
    const struct ktm_xa_report it = {.kind = finished == FINISHED_OTHERWISE ? KTM_XA_DAMAGED
                                             : finished == NOT_FINISHED     ? KTM_XA_UNFINISHED
                                             : is_heuristic                 ? KTM_XA_HEURISTIC
                                                                            : KTM_XA_SETTLED,
                                     .transaction = *transaction,
                                     .is_committed = outcome->is_commit,
                                     .code = outcome->code,
                                     .text = outcome->why.text};

    if (rm->options.report)
        rm->options.report(rm->options.context, &it);
}

/* ---- orphans ---- */

void
orphan_add(struct ktm_xa_rm *rm, const XID *xid)
{
    struct orphan *orphan = calloc(1, sizeof(*orphan));

    if (!orphan)
        return; /* the next start finds it by its name */
    orphan->xid = *xid;
    pthread_mutex_lock(&rm->mutex);
    list_append(&rm->orphans, &orphan->in_orphans);
    pthread_mutex_unlock(&rm->mutex);
}

static struct orphan *
orphan_take(struct ktm_xa_rm *rm)
{
    struct orphan *orphan = NULL;

    pthread_mutex_lock(&rm->mutex);
    if (!list_is_empty(&rm->orphans)) {
        orphan = list_first(&rm->orphans, struct orphan, in_orphans);
        list_remove(&orphan->in_orphans);
    }
    pthread_mutex_unlock(&rm->mutex);
    return orphan;
}

/* What a server of a killed helper still does with it the next start sees. */
void
orphans_tend(struct ktm_xa_rm *rm)
{
    for (struct orphan *orphan; (orphan = orphan_take(rm));) {
        struct outcome outcome = {.xid = orphan->xid};
        bool is_gone = outcome_finish(rm, &outcome) != NOT_FINISHED;

        free(orphan);
        if (!is_gone) {
            orphan_add(rm, &outcome.xid);
            return;
        }
    }
}
