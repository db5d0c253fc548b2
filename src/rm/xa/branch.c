/* SPDX-License-Identifier: MIT */
/* A branch before its vote: begun, ended, undone. */
#include "rm/xa/xa.h"

#include <stdlib.h>

bool
tx_is_mine(const struct ktm_xa_tx *tx)
{
    return !tx->is_here || pthread_equal(tx->owner, pthread_self());
}

struct port *
tx_give_port(struct ktm_xa_tx *tx)
{
    struct port *port;

    pthread_mutex_lock(&tx->swap);
    port = give(tx->port);
    pthread_mutex_unlock(&tx->swap);
    return port;
}

/* Until xa_end only its own thread can say something for the branch, and afterwards any that has
 * opened the switch. */
NTSTATUS
tx_say(struct ktm_xa_tx *tx, enum xa_op op, long flags, int *code)
{
    struct port *port;
    NTSTATUS status;

    if (tx->is_here && tx_is_mine(tx)) {
        *code = here_say(tx, op, flags);
        return STATUS_SUCCESS;
    }
    if (tx->port)
        return port_say(tx->port, op, &tx->xid, flags, code, &tx->why);
    TRY(pool_take(tx->rm, &tx->why, &port));
    status = port_say(port, op, &tx->xid, flags, code, &tx->why);
    pool_give(tx->rm, port);
    return status;
}

/* ---- beginning ---- */

static NTSTATUS
status_of_code(int code)
{
    if (code_is_rollback(code) || code == XA_RETRY)
        return STATUS_TRANSACTIONAL_CONFLICT;
    return code == XAER_RMFAIL ? STATUS_RM_DISCONNECTED : STATUS_TRANSACTION_NOT_ACTIVE;
}

static NTSTATUS
refused(struct ktm_xa_tx *tx, const char *what, int code)
{
    return explain(&tx->why, status_raise(status_of_code(code)), "%s: %s [%s]", what,
                   code_meaning(code), code_name(code));
}

static NTSTATUS
start_once(struct ktm_xa_tx *tx, int *code)
{
    if (!tx->is_here)
        TRY(pool_take(tx->rm, &tx->why, &tx->port));
    TRY(tx_say(tx, XA_OP_START, TMNOFLAGS, code));
    return STATUS_SUCCESS;
}

/* A helper that was idle may be dead, or its resource gone away, since long ago: once more, then,
 * with a new one. */
NTSTATUS
tx_start(struct ktm_xa_tx *tx)
{
    int code = XA_OK;
    NTSTATUS status = start_once(tx, &code);

    if (!tx->is_here && (status == STATUS_RM_DISCONNECTED || code == XAER_RMFAIL)) {
        port_close(tx_give_port(tx));
        pool_close(tx->rm);
        explain_nothing(&tx->why);
        status = start_once(tx, &code);
    }
    if (status == STATUS_SUCCESS && code != XA_OK)
        status = refused(tx, "xa_start", code);
    tx->has_started = status == STATUS_SUCCESS;
    if (status != STATUS_SUCCESS) {
        atomic_store(&tx->state, KTM_XA_ROLLED_BACK);
        pool_give(tx->rm, tx_give_port(tx));
    }
    return status;
}

/* ---- ending ---- */

NTSTATUS
tx_end(struct ktm_xa_tx *tx)
{
    int code;

    if (tx->has_ended)
        return tx->is_empty ? STATUS_RESOURCEMANAGER_READ_ONLY : STATUS_SUCCESS;
    if (!tx_is_mine(tx))
        return explain(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                       "the thread that began the branch has not ended it (ktm_xa_end), and no "
                       "other can");
    TRY(tx_say(tx, XA_OP_END, TMSUCCESS, &code));
    tx->has_ended = true;
    tx->is_empty = code == XA_RDONLY;
    if (tx->is_empty)
        return STATUS_RESOURCEMANAGER_READ_ONLY;
    return code == XA_OK || code == XA_NOMIGRATE ? STATUS_SUCCESS : refused(tx, "xa_end", code);
}

/* Whatever the switch says: what is not prepared is gone when its thread is. */
static void
roll_back(struct ktm_xa_tx *tx)
{
    int code = XA_OK;

    if (!tx->has_ended)
        status_forgive(tx_say(tx, XA_OP_END, TMFAIL, &code));
    tx->has_ended = true;
    if (code == XA_RDONLY || tx->is_empty)
        return; /* it was never registered */
    if (tx_say(tx, XA_OP_ROLLBACK, TMNOFLAGS, &code) == STATUS_SUCCESS && code >= XA_HEURMIX &&
        code <= XA_HEURHAZ)
        status_forgive(tx_say(tx, XA_OP_FORGET, TMNOFLAGS, &code));
}

void
tx_undo(struct ktm_xa_tx *tx, enum ktm_xa_state state)
{
    /* A helper that died has let go of it. */
    bool has_branch = tx->has_started && (tx->is_here || (tx->port && !port_is_dead(tx->port)));

    atomic_store(&tx->state, state);
    if (has_branch && !tx->has_ended && !tx_is_mine(tx)) {
        tx->owes_rollback = true;
        return;
    }
    if (has_branch)
        roll_back(tx);
    tx->has_started = tx->owes_rollback = false;
    pool_give(tx->rm, tx_give_port(tx));
}

/* ---- references ---- */

void
tx_release(struct ktm_xa_tx *tx)
{
    struct ktm_xa_rm *rm = tx->rm;

    if (atomic_fetch_sub(&tx->references, 1) != 1)
        return;
    /* In doubt while the RM is closed: it stays prepared, in a helper that ends. */
    if (atomic_load(&tx->state) == KTM_XA_ACTIVE)
        tx_undo(tx, KTM_XA_ROLLED_BACK);
    port_close(tx_give_port(tx));
    pthread_mutex_destroy(&tx->mutex);
    pthread_mutex_destroy(&tx->swap);
    free(tx);
    rm_release(rm);
}
