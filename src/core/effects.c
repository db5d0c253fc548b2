/* SPDX-License-Identifier: MIT */
/*
 * Effects and notifications: how a step says what must happen outside.
 *
 * A notification goes one of two ways. Queue mode: a record, reserved when the enlistment was made,
 * joins the queue of the RM and stays there whatever happens later [NOTIF-11]. Callback mode: the
 * bit waits in the enlistment until the engine runs the callback, and an abort withdraws what has
 * not begun to run, so that nobody is asked to prepare after he was told to roll back [INV-08].
 */
#include "core/inner.h"

#include <stdlib.h>

static struct ktm_effect *
effects_add(struct ktm_effects *effects, enum ktm_effect_type type)
{
    struct ktm_effect *effect = &effects->list[effects->count];

    CHECK(effects->count < KTM_EFFECTS_MAX);
    effects->count++;
    *effect = (struct ktm_effect){.type = (uint8_t)type};
    return effect;
}

void
effects_append(struct ktm_effects *effects, struct transaction *tx, enum record_type record)
{
    struct ktm_effect *effect = effects_add(effects, EFFECT_APPEND);

    effect->tx = tx;
    effect->record = (uint8_t)record;
}

void
effects_force(struct ktm_effects *effects, struct transaction *tx, enum record_type record)
{
    struct ktm_effect *effect = effects_add(effects, EFFECT_FORCE);

    CHECK(tx->forcing == 0);
    tx->forcing = (uint8_t)record;
    atomic_fetch_and(&tx->object.signal, ~(uint32_t)SIGNAL_SETTLED);
    effect->tx = tx;
    effect->record = (uint8_t)record;
}

void
effects_signal(struct ktm_effects *effects, struct transaction *tx, enum object_signal signal)
{
    struct ktm_effect *effect = effects_add(effects, EFFECT_SIGNAL);

    effect->tx = tx;
    effect->signal = (uint8_t)signal;
}

static void
queue_append(struct resource_manager *rm, struct notification *note, struct ktm_effects *effects)
{
    note->next = NULL;
    *rm->queue_end = note;
    rm->queue_end = &note->next;
    if (rm->callback) /* only records of the RM itself come here in callback mode */
        return;
    effects->has_queued = true;
    atomic_fetch_add(&rm->object.signal, SIGNAL_COUNT);
    atomic_fetch_or(&rm->object.signal, SIGNAL_SET); /* [OBJ-19] */
    if (list_is_empty(&rm->in_news))
        list_append(&rm->ktm->news, &rm->in_news);
}

static void
deliver(struct ktm_effects *effects, struct enlistment *en, uint32_t what)
{
    struct transaction *tx = en->tx;
    struct ktm_effect *last = effects->count ? &effects->list[effects->count - 1] : NULL;

    en->undelivered |= what;
    en->undelivered_clock = tx->ktm->clock;
    if (list_is_empty(&en->in_delivery))
        list_append(&tx->deliveries, &en->in_delivery);
    if (!last || last->type != EFFECT_DELIVER)
        effects_add(effects, EFFECT_DELIVER)->tx = tx;
}

void
effects_notify(struct ktm_effects *effects, struct enlistment *en, uint32_t what)
{
    struct resource_manager *rm = en->rm;
    struct notification *note;

    if (!enlistment_asks(en, what) || !rm->is_open)
        return;
    if (rm->callback) {
        deliver(effects, en, what);
        return;
    }
    note = en->spare;
    if (note)
        en->spare = note->next;
    else /* a repeat (INDOUBT, COMMIT_REQUEST): the call that asked made sure of it, see
            enlistment_reserve */
        note = malloc(sizeof(*note));
    CHECK(note);
    *note = (struct notification){.key = atomic_load(&en->key),
                                  .clock = en->tx->ktm->clock,
                                  .what = what,
                                  .argument.EnlistmentId = en->link.guid};
    queue_append(rm, note, effects);
}

void
effects_notify_rm(struct ktm_effects *effects, struct resource_manager *rm,
                  struct notification *note)
{
    note->clock = rm->ktm->clock;
    queue_append(rm, note, effects);
}

void
effects_drain(struct ktm_effects *effects, struct resource_manager *rm)
{
    effects_add(effects, EFFECT_DRAIN)->rm = rm;
}

void
deliveries_withdraw(struct transaction *tx)
{
    while (!list_is_empty(&tx->deliveries)) {
        struct enlistment *en = list_first(&tx->deliveries, struct enlistment, in_delivery);

        en->undelivered = 0;
        list_remove(&en->in_delivery);
    }
}

struct enlistment *
transaction_take_delivery(struct transaction *tx, uint32_t *what, int64_t *clock)
{
    struct enlistment *en;

    if (list_is_empty(&tx->deliveries))
        return NULL;
    en = list_first(&tx->deliveries, struct enlistment, in_delivery);
    *what = en->undelivered & -en->undelivered;
    *clock = en->undelivered_clock;
    en->undelivered &= ~*what;
    if (!en->undelivered)
        list_remove(&en->in_delivery);
    return en;
}

struct notification *
resource_manager_take(struct resource_manager *rm)
{
    struct notification *note = rm->queue;

    if (!note)
        return NULL;
    rm->queue = note->next;
    if (!rm->queue) {
        rm->queue_end = &rm->queue;
        atomic_fetch_and(&rm->object.signal, ~(uint32_t)SIGNAL_SET);
    }
    return note;
}

/* What CreateEnlistment accepts [MASK-01..12, OP-01, OP-02]. */
NTSTATUS
notification_mask_check(uint32_t mask, bool is_superior)
{
    const uint32_t superior_only =
        TRANSACTION_NOTIFY_PREPREPARE_COMPLETE | TRANSACTION_NOTIFY_PREPARE_COMPLETE |
        TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE |
        TRANSACTION_NOTIFY_COMMIT_REQUEST | TRANSACTION_NOTIFY_TM_ONLINE;
    const uint32_t prepare_commit = TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT;
    bool is_good =
        (mask & TRANSACTION_NOTIFY_ROLLBACK) && /* [MASK-01, MASK-12] */
        !(mask &
          ~(uint32_t)TRANSACTION_NOTIFY_MASK); /* [MASK-07]; the rest is tolerated [MASK-10] */

    if (is_superior) {
        is_good = is_good && !(mask & TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT); /* [MASK-09] */
    } else {
        if (mask & TRANSACTION_NOTIFY_PREPARE)
            is_good = is_good && (mask & TRANSACTION_NOTIFY_COMMIT); /* [MASK-02] */
        if (mask & TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
            is_good = is_good && (mask & prepare_commit) == prepare_commit; /* [MASK-03] */
        if (!(mask & TRANSACTION_NOTIFY_COMMIT))
            is_good = is_good && (mask & TRANSACTION_NOTIFY_PREPREPARE); /* [MASK-04..06] */
        is_good = is_good && !(mask & superior_only);                    /* [MASK-08] */
    }
    return is_good ? STATUS_SUCCESS : status_raise(STATUS_INVALID_PARAMETER);
}
