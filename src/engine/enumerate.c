/* SPDX-License-Identifier: MIT */
/* Listing objects [ENUM-01..11]: the room above keeps order and cursor. */
#include "engine/inner.h"

/* Under the TM's lock. A TM that is not Online has no children to show [TM-STATE-02]. */
static void
each_below(struct engine_tm *tm, enum object_kind kind, void (*each)(void *, const GUID *),
           void *context)
{
    struct resource_manager *rm;
    struct transaction *tx;

    if (tm->core.state != KTM_ONLINE)
        return;
    if (kind == OBJECT_RM) {
        LIST_EACH (rm, &tm->core.rm_list, in_ktm)
            if (rm->is_listed && !rm->is_branch)
                each(context, &rm->link.guid);
    } else {
        LIST_EACH (tx, &tm->core.tx_list, in_ktm)
            if (tx->is_listed)
                each(context, &tx->link.guid);
    }
}

static void
each_in_tm(struct engine_tm *tm, enum object_kind kind, void (*each)(void *, const GUID *),
           void *context)
{
    sys_mutex_lock(&tm->mutex);
    each_below(tm, kind, each, context);
    sys_mutex_unlock(&tm->mutex);
}

/* Told as the transaction that it is a branch of. */
static bool
is_told_elsewhere(struct engine *engine, const struct transaction *tx)
{
    const struct engine_tm *root;

    if (!transaction_is_branch(tx))
        return false;
    root = registry_find_identity(engine, &tx->superior->rm->link.guid);
    return root && root->core.state == KTM_ONLINE;
}

static void
each_root_below(struct engine_tm *tm, void (*each)(void *, const GUID *), void *context)
{
    struct transaction *tx;

    sys_mutex_lock(&tm->mutex);
    LIST_EACH (tx, &tm->core.tx_list, in_ktm)
        if (tm->core.state == KTM_ONLINE && tx->is_listed && !is_told_elsewhere(tm->engine, tx))
            each(context, &tx->link.guid);
    sys_mutex_unlock(&tm->mutex);
}

/* Every transaction once: the nursery is locked until all are told, so that none moves from there
 * to a TM meanwhile. */
static void
each_transaction(struct engine *engine, void (*each)(void *, const GUID *), void *context)
{
    struct engine_tm *tm;

    sys_mutex_lock(&engine->nursery->mutex);
    each_below(engine->nursery, OBJECT_TX, each, context);
    LIST_EACH (tm, &engine->tms, in_engine)
        each_root_below(tm, each, context);
    sys_mutex_unlock(&engine->nursery->mutex);
}

static void
each_everywhere(struct engine *engine, enum object_kind kind, void (*each)(void *, const GUID *),
                void *context)
{
    struct engine_tm *tm;

    sys_mutex_lock(&engine->mutex);
    if (kind == OBJECT_TX)
        each_transaction(engine, each, context);
    else
        LIST_EACH (tm, &engine->tms, in_engine)
            each(context, &tm->core.identity);
    sys_mutex_unlock(&engine->mutex);
}

static NTSTATUS
each_enlistment(struct object *rm, void (*each)(void *, const GUID *), void *context)
{
    struct enlistment *en;
    struct run run;
    NTSTATUS status;

    run_begin(&run, rm);
    status = object_check_alive(rm);
    if (status == STATUS_SUCCESS)
        LIST_EACH (en, &AS_RM(rm)->en_list, in_rm)
            each(context, &en->link.guid);
    run_end(&run);
    return status;
}

NTSTATUS
engine_enumerate(struct engine *engine, struct object *root, enum object_kind kind,
                 void (*each)(void *context, const GUID *guid), void *context)
{
    if (!root && (kind == OBJECT_TM || kind == OBJECT_TX))
        each_everywhere(engine, kind, each, context);
    else if (root && root->kind == OBJECT_TM && (kind == OBJECT_RM || kind == OBJECT_TX))
        each_in_tm(AS_TM(root), kind, each, context);
    else if (root && root->kind == OBJECT_RM && kind == OBJECT_EN)
        return each_enlistment(root, each, context);
    else
        return status_raise(STATUS_INVALID_PARAMETER); /* [ENUM-07] */
    return STATUS_SUCCESS;
}
