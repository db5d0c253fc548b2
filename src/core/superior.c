/* SPDX-License-Identifier: MIT */
/*
 * The superior: another coordinator that drives the commit from above.
 *
 * Three steps (PrePrepare, Prepare, Commit), with KTM reporting the end of each, or one (Commit in
 * Active: KTM runs all phases itself). After PREPARE_COMPLETE only the superior decides; lost in
 * between, the transaction is in doubt until it comes back [PT-29..39, RECOV-45].
 */
#include "core/inner.h"

static NTSTATUS
check_asked(const struct enlistment *en, uint32_t completion)
{
    if (!en->is_superior)
        return status_raise(
            STATUS_ENLISTMENT_NOT_SUPERIOR); /* [ENL-PPE-04, ENL-PE-04, ENL-CE-05] */
    if (!enlistment_asks(en, completion))
        return status_raise(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED); /* [MASK-11] */
    return STATUS_SUCCESS;
}

static NTSTATUS
superior_preprepare(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->en->tx;

    TRY(check_asked(event->en, TRANSACTION_NOTIFY_PREPREPARE_COMPLETE));
    if (tx->state != TX_ACTIVE)
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID);   /* [ENL-PPE-06] */
    transaction_begin(tx, DRIVER_SUPERIOR_3, event->clock, effects); /* [PT-08] */
    return STATUS_SUCCESS;
}

static NTSTATUS
superior_prepare(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->en->tx;

    TRY(check_asked(event->en, TRANSACTION_NOTIFY_PREPARE_COMPLETE));
    switch (tx->state) {
    case TX_ACTIVE: /* phase 0 runs by itself first [PT-09, ENL-PE-07] */
        tx->goes_on_to_prepare = true;
        transaction_begin(tx, DRIVER_SUPERIOR_3, event->clock, effects);
        return STATUS_SUCCESS;
    case TX_PREPREPARED:
        ktm_raise_clock(tx->ktm, event->clock);
        transaction_begin_phase_1(tx, effects); /* [PT-23] */
        return STATUS_SUCCESS;
    default:
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID); /* [ENL-PE-06] */
    }
}

static NTSTATUS
superior_commit(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->en->tx;

    TRY(check_asked(event->en, TRANSACTION_NOTIFY_COMMIT_COMPLETE));
    switch (atomic_load(&tx->outcome)) {
    case OUTCOME_ABORTED:
        return status_raise(STATUS_TRANSACTION_ALREADY_ABORTED); /* [ENL-CE-09] */
    case OUTCOME_COMMITTED:
        if (tx->is_recovered && !tx->superior_committed)
            return STATUS_SUCCESS; /* the superior tells its outcome again [ENL-CE-04] */
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE); /* [ENL-CE-08] */
    case OUTCOME_UNAVAILABLE:
        return status_raise(STATUS_TRANSACTIONMANAGER_NOT_ONLINE); /* [PT-36] */
    }
    switch (tx->state) {
    case TX_ACTIVE: /* [ENL-CE-02, PT-09] */
        tx->superior_committed = true;
        transaction_begin(tx, DRIVER_SUPERIOR_1, event->clock, effects);
        return STATUS_SUCCESS;
    case TX_PREPARED: /* [PT-32] */
    case TX_INDOUBT:  /* [PT-38] */
        tx->superior_committed = true;
        ktm_raise_clock(tx->ktm, event->clock);
        transaction_request_commit(tx, effects);
        return STATUS_SUCCESS;
    default: /* [ENL-CE-07, ENL-CE-08] */
        return status_raise(tx->driver == DRIVER_SUPERIOR_1 ? STATUS_TRANSACTION_NOT_ACTIVE
                                                            : STATUS_TRANSACTION_REQUEST_NOT_VALID);
    }
}

NTSTATUS
superior_request(const struct ktm_event *event, struct ktm_effects *effects)
{
    if (event->en->is_superior)
        TRY(enlistment_reserve(event->en));
    switch (event->type) {
    case KTM_EN_PREPREPARE:
        return superior_preprepare(event, effects);
    case KTM_EN_PREPARE:
        return superior_prepare(event, effects);
    default:
        return superior_commit(event, effects);
    }
}

/* [CLOSE-EN-08..10] */
void
superior_close(struct enlistment *en, struct ktm_effects *effects)
{
    struct transaction *tx = en->tx;

    if (en->state == EN_FINISHED)
        return;
    if (en->state == EN_ABORTING) {
        enlistment_become(en, EN_FINISHED);
        transaction_answered(tx, effects);
        return;
    }
    if (transaction_may_abort(tx) && !tx->forcing) {
        enlistment_become(en, EN_FINISHED);
        transaction_abort(tx, REASON_EN_CLOSED, en, effects); /* [CLOSE-EN-08, ROLL-09] */
        return;
    }
    enlistment_become(en, EN_OFFLINE);
    if (tx->state == TX_PREPARED && !tx->forcing)
        tx->state = TX_INDOUBT; /* [CLOSE-EN-09, PT-34] */
}
