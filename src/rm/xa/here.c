/* SPDX-License-Identifier: MIT */
/* Branches of this process's threads: each thread that has entered has said xa_open, and has its
 * own entry in the table of what it has begun. */
#include <string.h>
#include <unistd.h>

#include "rm/xa/xa.h"

#define ENTERED_MAX 32 /* switches that one thread can have open */

struct entered {
    struct ktm_xa_rm *rm; /* NULL: free */
    struct ktm_xa_tx *tx; /* that has begun and not ended; NULL: none */
    bool is_outside;      /* the switch does work outside of transactions */
};
static __thread struct entered entered[ENTERED_MAX];

static struct entered *
entered_of(const struct ktm_xa_rm *rm)
{
    for (size_t i = 0; i < ENTERED_MAX; i++)
        if (entered[i].rm == rm)
            return &entered[i];
    return NULL;
}

static bool
has_to_register(const struct ktm_xa_rm *rm)
{
    return rm->here.info.flags & TMREGISTER;
}

/* ---- the switch ---- */

static NTSTATUS
load(struct ktm_xa_rm *rm)
{
    enum xa_result result = RESULT_DONE;

    pthread_mutex_lock(&rm->mutex);
    if (!rm->here.entry)
        result = switch_load(rm->spec, &rm->here, &rm->why);
    if (result != RESULT_DONE)
        rm->here.entry = NULL;
    pthread_mutex_unlock(&rm->mutex);
    return result == RESULT_DONE ? STATUS_SUCCESS : status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
}

static NTSTATUS
open_or_close(struct ktm_xa_rm *rm, enum xa_op op)
{
    int code = switch_open(&rm->here, op, rm->info, rm->source.rmid);

    if (code == XA_OK)
        return STATUS_SUCCESS;
    pthread_mutex_lock(&rm->mutex);
    explain_nothing(&rm->why);
    explain_sentence(&rm->why, "%s: %s [%s]", op == XA_OP_OPEN ? "xa_open" : "xa_close",
                     code_meaning(code), code_name(code));
    pthread_mutex_unlock(&rm->mutex);
    return status_raise(STATUS_RM_DISCONNECTED);
}

NTSTATUS
ktm_xa_enter(struct ktm_xa_rm *rm)
{
    struct entered *entry;

    if (!rm)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    if (entered_of(rm))
        return STATUS_SUCCESS;
    entry = entered_of(NULL);
    if (!entry)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(load(rm));
    TRY(open_or_close(rm, XA_OP_OPEN));
    *entry = (struct entered){.rm = rm};
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_xa_leave(struct ktm_xa_rm *rm)
{
    struct entered *entry;

    if (!rm)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    entry = entered_of(rm);
    if (!entry)
        return STATUS_SUCCESS;
    if (entry->tx)
        return status_raise(STATUS_TRANSACTIONAL_CONFLICT);
    entry->rm = NULL;
    return open_or_close(rm, XA_OP_CLOSE);
}

/* ---- branches ---- */

static int
start(struct ktm_xa_tx *tx, struct entered *entry)
{
    int code = XA_OK;

    if (entry->tx || entry->is_outside)
        return entry->tx ? XAER_PROTO : XAER_OUTSIDE;
    if (!has_to_register(tx->rm))
        code = switch_say(&tx->rm->here, XA_OP_START, &tx->xid, tx->rm->source.rmid, TMNOFLAGS);
    if (code != XA_OK)
        return code;
    entry->tx = tx;
    tx->is_registered = !has_to_register(tx->rm);
    return code;
}

/* What was never registered has done nothing: that is said as XA_RDONLY. */
static int
end(struct ktm_xa_tx *tx, struct entered *entry, long flags)
{
    if (entry->tx != tx)
        return XAER_PROTO;
    entry->tx = NULL;
    return tx->is_registered
               ? switch_say(&tx->rm->here, XA_OP_END, &tx->xid, tx->rm->source.rmid, flags)
               : XA_RDONLY;
}

int
here_say(struct ktm_xa_tx *tx, enum xa_op op, long flags)
{
    struct entered *entry = entered_of(tx->rm);

    if (!entry)
        return XAER_PROTO; /* it has not entered */
    if (op == XA_OP_START)
        return start(tx, entry);
    if (op == XA_OP_END)
        return end(tx, entry, flags);
    return switch_say(&tx->rm->here, op, &tx->xid, tx->rm->source.rmid, flags);
}

/* ---- switches that register ---- */

static struct entered *
entered_of_rmid(int rmid)
{
    for (size_t i = 0; i < ENTERED_MAX; i++)
        if (entered[i].rm && entered[i].rm->source.rmid == rmid)
            return &entered[i];
    return NULL;
}

int
ktm_xa_register(int rmid, XID *xid, long flags)
{
    struct entered *entry = entered_of_rmid(rmid);

    if (flags != TMNOFLAGS || !xid || !entry || !has_to_register(entry->rm))
        return TMER_INVAL;
    if (entry->is_outside || (entry->tx && entry->tx->is_registered))
        return TMER_PROTO;
    if (!entry->tx) {
        *xid = (XID){.formatID = -1};
        entry->is_outside = true;
        return TM_OK;
    }
    *xid = entry->tx->xid;
    entry->tx->is_registered = true;
    return TM_OK;
}

int
ktm_xa_unregister(int rmid, long flags)
{
    struct entered *entry = entered_of_rmid(rmid);

    if (flags != TMNOFLAGS || !entry || !has_to_register(entry->rm))
        return TMER_INVAL;
    if (!entry->is_outside)
        return TMER_PROTO;
    entry->is_outside = false;
    return TM_OK;
}
