/* SPDX-License-Identifier: MIT */
/*
 * Enlistments: one resource manager's part in one transaction [PE-01..19].
 *
 *                 PREPREPARE            PREPARE             COMMIT
 *   ACTIVE ──────▶ PREPREPARING ─▶ PREPREPARED ─▶ PREPARING ─▶ PREPARED ─▶ COMMITTED_NOTIFY ─▶
 * FINISHED │ ▲ SPC           │               │             │            │              │ ▼ │ reject
 * └───────────────┴─ ROLLBACK ──┴────────────┘              │ lost DELEGATED ─▶ FINISHED ▼ ▼
 *                                         ABORTING ─▶ FINISHED        OFFLINE ─▶ RECOVERING ─▶
 * INDOUBT, COMMITTED_NOTIFY, ABORTING
 *  - PREPREPARING, PREPARING, DELEGATED, COMMITTED_NOTIFY, ABORTING: one answer is owed, exactly
 * one [INV-07];
 *  - PREPARED: the promise is given, only the outcome can come [INV-06];
 *  - OFFLINE: a durable RM was lost after its promise; the outcome waits for its recovery [PE-13];
 *  - FINISHED: owes nothing and is owed nothing; kept while somebody has a handle.
 */
#include "core/inner.h"

#include <stdlib.h>

/* One row per answer an enlistment may give; what is absent is refused with NOT_REQUESTED [PT-49].
 */
static const struct {
    uint8_t in, on, becomes;
} answers[] = {
    {EN_PREPREPARING, KTM_EN_PREPREPARE_COMPLETE, EN_PREPREPARED}, /* PE-03 */
    {EN_PREPARING, KTM_EN_PREPARE_COMPLETE, EN_PREPARED},          /* PE-05 */
    {EN_COMMITTED_NOTIFY, KTM_EN_COMMIT_COMPLETE, EN_FINISHED},    /* PE-07 */
    {EN_ABORTING, KTM_EN_ROLLBACK_COMPLETE, EN_FINISHED},          /* PE-11 */
    {EN_DELEGATED, KTM_EN_COMMIT_COMPLETE, EN_FINISHED},           /* PE-09 */
    {EN_DELEGATED, KTM_EN_SINGLE_PHASE_REJECT, EN_ACTIVE},         /* PE-09 */
    {EN_ACTIVE, KTM_EN_READ_ONLY, EN_FINISHED},                    /* PE-12 */
    {EN_PREPREPARING, KTM_EN_READ_ONLY, EN_FINISHED},              /* PE-12 */
    {EN_PREPREPARED, KTM_EN_READ_ONLY, EN_FINISHED},               /* PE-12 */
    {EN_PREPARING, KTM_EN_READ_ONLY, EN_FINISHED},                 /* PE-12 */
    {EN_DELEGATED, KTM_EN_READ_ONLY, EN_FINISHED},                 /* PE-12 */
};

static bool
state_owes(int state)
{
    return state == EN_PREPREPARING || state == EN_PREPARING || state == EN_DELEGATED ||
           state == EN_COMMITTED_NOTIFY || state == EN_ABORTING;
}

/* The only place where an enlistment's state changes, so that the transaction's counts cannot lie.
 */
void
enlistment_become(struct enlistment *en, enum enlistment_state state)
{
    struct transaction *tx = en->tx;

    tx->owed = tx->owed - state_owes(en->state) + state_owes((int)state);
    if (!en->is_superior)
        tx->participants = tx->participants + (en->state == EN_FINISHED) - (state == EN_FINISHED);
    en->state = (uint8_t)state;
}

bool
enlistment_is_recoverable(const struct enlistment *en)
{
    /* without COMMIT in its mask it is finished at the decision: nothing to tell it later [MASK-14]
     */
    return !en->is_superior && en->state != EN_FINISHED && !en->rm->is_volatile &&
           !en->is_unlogged && enlistment_asks(en, TRANSACTION_NOTIFY_COMMIT);
}

bool
enlistment_comes_back(const struct enlistment *en)
{
    return !en->rm->is_volatile && !en->is_unlogged;
}

/* ---- making and unmaking ---- */

struct enlistment *
enlistment_create(const GUID *guid, uint32_t mask, bool is_superior, void *key)
{
    struct enlistment *en = calloc(1, sizeof(*en));

    if (!en)
        return NULL;
    en->object.kind = OBJECT_EN;
    en->link.guid = *guid;
    en->mask = mask;
    en->is_superior = is_superior;
    en->state = EN_ACTIVE;
    atomic_init(&en->key, key);
    atomic_init(&en->key_references, 1); /* [TMR-20] */
    list_init(&en->in_tx);
    list_init(&en->in_rm);
    list_init(&en->in_delivery);
    return en;
}

void
enlistment_destroy(struct enlistment *en)
{
    struct notification *note;

    if (!en)
        return;
    CHECK(list_is_empty(&en->in_tx) && list_is_empty(&en->in_delivery));
    while ((note = en->spare)) {
        en->spare = note->next;
        free(note);
    }
    free(en->recovery_info);
    free(en);
}

/* Makes sure that 'count' notifications can be queued. */
static NTSTATUS
spare_grow(struct enlistment *en, int count)
{
    struct notification *note;

    for (note = en->spare; note && count > 0; note = note->next)
        count--;
    for (; count > 0; count--) {
        note = malloc(sizeof(*note));
        if (!note)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        note->next = en->spare;
        en->spare = note;
    }
    return STATUS_SUCCESS;
}

/* Before a request that generates a notification beyond the ones reserved at enlistment, and the
 * outcome after. */
NTSTATUS
enlistment_reserve(struct enlistment *en)
{
    return en->rm->callback ? STATUS_SUCCESS : spare_grow(en, 3);
}

NTSTATUS
recovery_info_copy(struct bytes info, uint8_t **out)
{
    uint8_t *copy = NULL;

    if (info.size) {
        copy = malloc(info.size);
        if (!copy)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        memcpy(copy, info.at, info.size);
    }
    *out = copy;
    return STATUS_SUCCESS;
}

void
enlistment_take_recovery_info(struct enlistment *en, uint8_t *info, uint32_t size)
{
    free(en->recovery_info); /* replaced completely [ENL-SET-01] */
    en->recovery_info = info;
    en->recovery_info_size = size;
}

NTSTATUS
enlistment_set_recovery_info(struct enlistment *en, struct bytes info)
{
    uint8_t *copy;

    TRY(recovery_info_copy(info, &copy));
    enlistment_take_recovery_info(en, copy, (uint32_t)info.size);
    return STATUS_SUCCESS;
}

static NTSTATUS
superior_may_join(const struct transaction *tx, const struct resource_manager *rm)
{
    if (transaction_is_branch(tx))
        return status_raise(STATUS_TRANSACTION_NOT_ROOT); /* [ENL-CREATE-15] */
    if (tx->state != TX_ACTIVE)
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE); /* [ENL-CREATE-16] */
    if (tx->superior)
        return status_raise(STATUS_TRANSACTION_SUPERIOR_EXISTS); /* [ENL-CREATE-13] */
    if (rm->is_volatile && !rm->ktm->is_volatile && !rm->is_branch)
        return status_raise(STATUS_TM_VOLATILE); /* [ENL-CREATE-14, VOL-05] */
    return STATUS_SUCCESS;
}

NTSTATUS
enlistment_may_join(const struct transaction *tx, const struct enlistment *en)
{
    if (en->is_superior)
        return superior_may_join(tx, en->rm);
    switch (tx->state) {
    case TX_ACTIVE:       /* [PT-10] */
    case TX_PREPREPARING: /* [PT-21, ENL-CREATE-11] */
        return STATUS_SUCCESS;
    case TX_PREPREPARED: /* [PT-24, ENL-CREATE-12] */
        if (enlistment_asks(en, TRANSACTION_NOTIFY_PREPREPARE))
            return status_raise(STATUS_TRANSACTION_MUST_WRITETHROUGH);
        return STATUS_SUCCESS;
    default:
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE); /* [ENL-CREATE-10] */
    }
}

/* The enlistment arrives filled in and not entered anywhere; on success it belongs to RM and
 * transaction. */
NTSTATUS
enlistment_create_step(struct ktm *ktm, const struct ktm_event *event, struct ktm_effects *effects)
{
    const uint32_t delivered =
        TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |
        TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT |
        TRANSACTION_NOTIFY_RM_DISCONNECTED | TRANSACTION_NOTIFY_PREPREPARE_COMPLETE |
        TRANSACTION_NOTIFY_PREPARE_COMPLETE | TRANSACTION_NOTIFY_COMMIT_COMPLETE |
        TRANSACTION_NOTIFY_ROLLBACK_COMPLETE | TRANSACTION_NOTIFY_COMMIT_REQUEST |
        TRANSACTION_NOTIFY_REQUEST_OUTCOME;
    struct enlistment *en = event->en;
    struct transaction *tx = event->tx;
    struct resource_manager *rm = event->rm;

    if (ktm->state != KTM_ONLINE || !rm->is_online)
        return status_raise(
            STATUS_TRANSACTIONMANAGER_NOT_ONLINE); /* [ENL-CREATE-09, TM-STATE-01] */
    en->rm = rm;
    TRY(enlistment_may_join(tx, en));
    if (!rm->callback)
        TRY(spare_grow(en, __builtin_popcount(en->mask & delivered)));
    TRY(guid_map_add(&rm->ens, &en->link));
    en->tx = tx;
    list_append(&rm->en_list, &en->in_rm);
    list_append(&tx->enlistments, &en->in_tx);
    tx->en_count++;
    en->is_attached = true;
    en->object.epoch = rm->object.epoch;
    if (en->is_superior)
        tx->superior = en;
    else
        tx->participants++;
    if (tx->state == TX_PREPREPARING && enlistment_asks(en, TRANSACTION_NOTIFY_PREPREPARE)) {
        enlistment_become(en, EN_PREPREPARING); /* [PT-21] */
        effects_notify(effects, en, TRANSACTION_NOTIFY_PREPREPARE);
    }
    return STATUS_SUCCESS;
}

void
enlistment_retract(struct enlistment *en)
{
    CHECK(en->state == EN_ACTIVE && list_is_empty(&en->in_delivery));
    enlistment_become(en, EN_FINISHED);
    en->is_attached = false;
}

/* ---- answers ---- */

static int
answer_find(int state, int event)
{
    for (unsigned i = 0; i < ARRAY_SIZE(answers); i++)
        if (answers[i].in == state && answers[i].on == event)
            return (int)i;
    return -1;
}

static NTSTATUS
enlistment_complete(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct enlistment *en = event->en;
    struct transaction *tx = en->tx;
    bool was_delegate = en->state == EN_DELEGATED;
    int row = answer_find(en->state, (int)event->type);

    /* a superior owes RollbackComplete at most, and is asked for nothing else [ENL-RO-04] */
    if (row < 0 || (en->is_superior && event->type != KTM_EN_ROLLBACK_COMPLETE))
        return status_raise(STATUS_TRANSACTION_NOT_REQUESTED);
    /* who was not asked to prepare has promised when all have: the log knows it [ENL-RO-02, -05] */
    if (event->type == KTM_EN_READ_ONLY && !transaction_may_abort(tx) && !was_delegate)
        return status_raise(STATUS_TRANSACTION_NOT_REQUESTED);
    ktm_raise_clock(tx->ktm, event->clock); /* [CLOCK-04..06] */
    enlistment_become(en, (enum enlistment_state)answers[row].becomes);
    if (event->type == KTM_EN_READ_ONLY) {
        en->undelivered = 0; /* silence [INV-09] */
        list_remove(&en->in_delivery);
    }
    if (event->type == KTM_EN_SINGLE_PHASE_REJECT)
        transaction_resume_phase_0(tx, effects); /* [PT-12] */
    else if (was_delegate)
        transaction_delegate_done(tx, effects); /* [PT-11, PT-14] */
    else
        transaction_answered(tx, effects);
    return STATUS_SUCCESS;
}

static enum abort_reason
rollback_reason(const struct ktm_event *event)
{
    if (event->en->is_superior)
        return REASON_SUPERIOR;
    return event->en->rm->is_branch && event->reason ? event->reason : REASON_RESOURCE_MANAGER;
}

static NTSTATUS
enlistment_rollback(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct enlistment *en = event->en;
    struct transaction *tx = en->tx;
    bool may;

    if (en->is_superior) /* any time before the decision [ENL-RB-07, PT-33, PT-39] */
        may = transaction_may_abort(tx) || tx->state == TX_PREPARED ||
              (tx->state == TX_INDOUBT && atomic_load(&tx->outcome) == OUTCOME_UNDETERMINED);
    else /* until it has promised [ENL-RB-03..05, PT-37] */
        may = (transaction_may_abort(tx) && en->state <= EN_PREPARING) || en->state == EN_DELEGATED;
    if (!may)
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID);
    if (en->is_superior)
        TRY(enlistment_reserve(en));
    ktm_raise_clock(tx->ktm, event->clock);
    transaction_abort(tx, rollback_reason(event), en, effects);
    if (event->abort_rm)
        tx->abort_rm = *event->abort_rm; /* the branch knows better who it was */
    return STATUS_SUCCESS;
}

/* TmRequestOutcomeEnlistment: the last row of the table in section 10. */
static NTSTATUS
enlistment_request_outcome(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct enlistment *en = event->en;
    struct transaction *tx = en->tx;
    bool is_decided =
        en->state == EN_COMMITTED_NOTIFY || en->state == EN_ABORTING || en->state == EN_INDOUBT;

    if (en->is_superior || (en->state != EN_PREPARED && !is_decided))
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID); /* [TMR-22, TMR-25] */
    if (tx->superior)
        TRY(enlistment_reserve(tx->superior));
    ktm_raise_clock(tx->ktm, event->clock);
    if (is_decided)
        return STATUS_SUCCESS;
    if (tx->state == TX_PREPARING)
        transaction_abort(tx, REASON_OUTCOME_REQUESTED, en, effects); /* [ROLL-11, TMR-24] */
    else if (tx->state == TX_PREPARED)
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_REQUEST_OUTCOME); /* [PT-35] */
    return STATUS_SUCCESS;
}

NTSTATUS
enlistment_answer(const struct ktm_event *event, struct ktm_effects *effects)
{
    switch (event->type) {
    case KTM_EN_ROLLBACK:
        return enlistment_rollback(event, effects);
    case KTM_EN_REQUEST_OUTCOME:
        return enlistment_request_outcome(event, effects);
    default:
        return enlistment_complete(event, effects);
    }
}

/* ---- the last handle, of the enlistment or of its RM [CLOSE-EN-01..07] ---- */

static void
enlistment_lose(struct enlistment *en)
{
    enlistment_become(en, enlistment_comes_back(en) ? EN_OFFLINE : EN_FINISHED);
}

static void
subordinate_close(struct enlistment *en, struct ktm_effects *effects)
{
    struct transaction *tx = en->tx;

    if (tx->forcing) /* the log is deciding: decide_commit, or the abort, finds it unattached */
        return;
    switch (en->state) {
    case EN_FINISHED: /* [CLOSE-EN-02] */
    case EN_OFFLINE:
        return;
    case EN_DELEGATED:
        transaction_disconnect(tx, en, effects); /* [CLOSE-EN-03] */
        return;
    case EN_COMMITTED_NOTIFY: /* [CLOSE-EN-06] */
        enlistment_lose(en);
        break;
    case EN_ABORTING: /* [CLOSE-EN-07] */
        enlistment_become(en, EN_FINISHED);
        break;
    case EN_RECOVERING:
    case EN_INDOUBT:
        enlistment_become(en, EN_OFFLINE);
        return;
    default:
        if (transaction_may_abort(tx)) { /* [CLOSE-EN-01, CLOSE-EN-04] */
            transaction_abort(tx, REASON_EN_CLOSED, en, effects);
            return;
        }
        enlistment_lose(en); /* Prepared or InDoubt under a superior [CLOSE-EN-05] */
        return;
    }
    transaction_answered(tx, effects);
}

void
enlistment_close(struct enlistment *en, struct ktm_effects *effects)
{
    en->is_closing = false;
    if (!en->is_attached)
        return;
    en->is_attached = false;
    if (en->is_superior)
        superior_close(en, effects);
    else
        subordinate_close(en, effects);
}
