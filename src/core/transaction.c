/* SPDX-License-Identifier: MIT */
/*
 * Transactions: phases, decision, completion [PT-01..49].
 *
 *   ACTIVE ─▶ PREPREPARING ─▶ (PREPREPARED) ─▶ PREPARING ─┬──── force COMMIT ───▶ COMMITTED ─▶
 * FORGOTTEN │  SPC                     three-step superior only │                          ▲ └────▶
 * DELEGATED ─▶ FORGOTTEN                       └ force PREPARE ▶ PREPARED ┤ ▼ lost  │ any state
 * before the promise ─▶ ABORTED ─▶ FORGOTTEN                    INDOUBT ─┘ (or ABORTED)
 *
 * In each state holds:
 *  - ACTIVE: nobody owes anything, anybody may enlist;
 *  - PREPREPARING, PREPARING: somebody owes an answer, or the log does (forcing);
 *  - PREPARED, INDOUBT: every participant has promised; only the superior decides;
 *  - COMMITTED: the outcome is durable if anybody must remember it [LOG-02]; somebody has yet to be
 * told;
 *  - ABORTED: nothing was logged that says otherwise; somebody has yet to undo;
 *  - FORGOTTEN: finished; kept while somebody looks at it.
 *
 * The order inside a step: state and outcome, log record, signal, notifications in order of
 * enlistment.
 */
#include "core/inner.h"

static void enter_phase_1(struct transaction *tx, struct ktm_effects *effects);
static void decide_commit(struct transaction *tx, struct ktm_effects *effects);

void
transaction_note(struct transaction *tx, int event, uint64_t now)
{
    struct history_entry *entry = &tx->history[tx->history_count % HISTORY_SIZE];

    tx->history_count++;
    if (tx->history_count ==
        0) /* wrapped: stay above the size, so that readers know the ring is full */
        tx->history_count = HISTORY_SIZE + (256 % HISTORY_SIZE);
    *entry = (struct history_entry){.at = now, .event = (uint8_t)event, .state = tx->state};
}

bool
transaction_may_abort(const struct transaction *tx)
{
    return tx->state == TX_ACTIVE || tx->state == TX_PREPREPARING || tx->state == TX_PREPREPARED ||
           tx->state == TX_PREPARING;
}

bool
transaction_wants_timer(const struct transaction *tx)
{
    return transaction_may_abort(tx) && !tx->timer_fired;
}

bool
transaction_may_write(const struct transaction *tx)
{
    switch (tx->state) {
    case TX_FORGOTTEN:
        return false;
    case TX_ABORTED:
        return tx->logged_as != 0;
    case TX_DELEGATED: /* the delegate may reject, unless it has gone */
        return atomic_load(&tx->outcome) == OUTCOME_UNDETERMINED;
    default:
        return true;
    }
}

bool
transaction_is_recoverable(const struct transaction *tx)
{
    const struct enlistment *en;

    LIST_EACH (en, &tx->enlistments, in_tx)
        if (enlistment_is_recoverable(en))
            return true;
    return false;
}

bool
transaction_is_branch(const struct transaction *tx)
{
    return tx->superior && tx->superior->rm->is_branch;
}

/* Comes after what it is read with, above all commit_status: readers hold no lock. */
static void
outcome_set(struct transaction *tx, enum transaction_outcome outcome)
{
    CHECK(atomic_load(&tx->outcome) == OUTCOME_UNDETERMINED); /* [INV-03] */
    atomic_store(&tx->outcome, (uint8_t)outcome);
    atomic_store(&tx->is_active, false);
}

/* ---- phases 0 and 1 ---- */

/* Asks every participant that wants to hear of the phase; true when nobody owes an answer [section
 * 1]. */
static bool
phase_start(struct transaction *tx, uint32_t what, enum enlistment_state state,
            struct ktm_effects *effects)
{
    struct enlistment *en;

    LIST_EACH (en, &tx->enlistments, in_tx) { /* in order of enlistment [NOTIF-04] */
        if (en->is_superior || en->state == EN_FINISHED || !enlistment_asks(en, what))
            continue;
        enlistment_become(en, state); /* [PE-02, PE-04] */
        effects_notify(effects, en, what);
    }
    return tx->owed == 0;
}

static void
phase_0_ended(struct transaction *tx, struct ktm_effects *effects)
{
    if (tx->driver == DRIVER_SUPERIOR_3 && !tx->goes_on_to_prepare) {
        tx->state = TX_PREPREPARED; /* [PT-20] */
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_PREPREPARE_COMPLETE);
    } else {
        enter_phase_1(tx, effects); /* [PT-19] */
    }
}

void
transaction_resume_phase_0(struct transaction *tx, struct ktm_effects *effects)
{
    tx->state = TX_PREPREPARING;
    if (phase_start(tx, TRANSACTION_NOTIFY_PREPREPARE, EN_PREPREPARING, effects))
        phase_0_ended(tx, effects);
}

void
transaction_begin(struct transaction *tx, enum commit_driver driver, const int64_t *clock,
                  struct ktm_effects *effects)
{
    CHECK(tx->state == TX_ACTIVE);
    tx->driver = (uint8_t)driver;
    atomic_store(&tx->is_active, false);
    ktm_tick(tx->ktm);                       /* once per transaction [CLOCK-02] */
    ktm_raise_clock(tx->ktm, clock);         /* after the increment [CLOCK-04] */
    transaction_resume_phase_0(tx, effects); /* [PT-03, PT-08, PT-09] */
}

/* Everybody has promised, or nobody needs to. */
static void
phase_1_ended(struct transaction *tx, struct ktm_effects *effects)
{
    if (tx->driver != DRIVER_SUPERIOR_3)
        transaction_request_commit(tx, effects); /* [PT-26, PT-27] */
    else if (transaction_is_recoverable(tx))
        effects_force(effects, tx, RECORD_PREPARE); /* [PT-30, LOG-03] */
    else {
        tx->state = TX_PREPARED; /* [PT-29] */
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_PREPARE_COMPLETE);
    }
}

static void
enter_phase_1(struct transaction *tx, struct ktm_effects *effects)
{
    tx->state = TX_PREPARING;
    if (phase_start(tx, TRANSACTION_NOTIFY_PREPARE, EN_PREPARING, effects))
        phase_1_ended(tx, effects);
}

void
transaction_begin_phase_1(struct transaction *tx, struct ktm_effects *effects)
{
    CHECK(tx->state == TX_PREPREPARED);
    enter_phase_1(tx, effects);
}

void
transaction_unforce(struct transaction *tx)
{
    CHECK(tx->state == TX_PREPARING && tx->forcing);
    tx->forcing = 0;
    atomic_fetch_or(&tx->object.signal, SIGNAL_SETTLED);
}

/* ---- the decision ---- */

/* Commit is what everybody wants. If somebody must remember it, the log decides: nothing is told
 * before the COMMIT record is durable [LOG-02, INV-04]; the next step of this transaction is
 * KTM_LOG_…. */
void
transaction_request_commit(struct transaction *tx, struct ktm_effects *effects)
{
    if (transaction_is_recoverable(tx))
        effects_force(effects, tx, RECORD_COMMIT); /* [PT-27, PT-32, PT-38] */
    else
        decide_commit(tx, effects); /* [PT-26, VOL-04, LOG-04] */
}

/* All below are done, and the superior hears of it: now, or when it comes back [RECOV-43]. One that
 * does not ask, or is volatile and has gone, is finished without [PE-13, PE-19]. */
static void
superior_told(struct enlistment *superior, uint32_t what, struct ktm_effects *effects)
{
    bool comes_back = enlistment_asks(superior, what) && !superior->rm->is_volatile;

    if (!superior->is_attached && comes_back)
        return;
    if (superior->state != EN_FINISHED)
        enlistment_become(superior, EN_FINISHED);
    if (superior->is_attached)
        effects_notify(effects, superior, what);
}

/* All is told that could be told now: what is left? [PT-40..42] */
static void
commit_told(struct transaction *tx, struct ktm_effects *effects)
{
    if (tx->owed)
        return;
    if (tx->participants == 0) {
        tx->state = TX_FORGOTTEN;
        if (tx->logged_as)
            effects_append(effects, tx, RECORD_FORGET); /* lazy [LOG-06] */
    }
    effects_signal(effects, tx, SIGNAL_SET | SIGNAL_FINISHED); /* [SIG-01, PT-42] */
    if (tx->participants == 0 && tx->superior)
        superior_told(tx->superior, TRANSACTION_NOTIFY_COMMIT_COMPLETE, effects); /* [PT-41] */
    else if (transaction_is_branch(tx)) /* who waits for the root waits no longer [PT-42] */
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_RM_DISCONNECTED);
}

/* THE COMMIT POINT. The record is durable, or nobody has to remember. */
static void
decide_commit(struct transaction *tx, struct ktm_effects *effects)
{
    struct enlistment *en;

    CHECK(tx->owed == 0 && tx->forcing == 0); /* [INV-10] */
    outcome_set(tx, OUTCOME_COMMITTED);
    tx->state = TX_COMMITTED;
    tx->ktm->committed++;
    LIST_EACH (en, &tx->enlistments, in_tx) {
        if (en->is_superior || en->state == EN_FINISHED)
            continue;
        if (!enlistment_asks(en, TRANSACTION_NOTIFY_COMMIT))
            enlistment_become(en, EN_FINISHED); /* also one that is lost [MASK-14] */
        else if (en->state == EN_OFFLINE || en->state == EN_RECOVERING)
            continue; /* hears of it when it recovers [PT-38] */
        else if (!en->is_attached)
            enlistment_become(en, enlistment_comes_back(en) ? EN_OFFLINE
                                                            : EN_FINISHED); /* [CLOSE-EN-06] */
        else {
            enlistment_become(en, EN_COMMITTED_NOTIFY); /* [PE-06] */
            effects_notify(effects, en, TRANSACTION_NOTIFY_COMMIT);
        }
    }
    commit_told(tx, effects);
}

/* ---- abort ---- */

static void
abort_told(struct transaction *tx, struct ktm_effects *effects)
{
    bool is_pending = effects->has_queued; /* for ROLLBACK, not for what says that it is over */

    if (tx->owed)
        return;
    if (tx->participants == 0)
        tx->state = TX_FORGOTTEN;                 /* [PT-46] */
    effects_signal(effects, tx, SIGNAL_FINISHED); /* [SIG-06] */
    if (tx->participants == 0 && tx->superior)
        superior_told(tx->superior, TRANSACTION_NOTIFY_ROLLBACK_COMPLETE, effects); /* [ROLL-15] */
    else if (transaction_is_branch(tx)) /* as in commit_told [SIG-06] */
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_RM_DISCONNECTED);
    effects->has_queued = is_pending; /* [ENL-RB-09] */
}

/* Tells one enlistment of the abort, if it still takes part [ROLL-14, INV-09]. */
static void
abort_tell(struct enlistment *en, const struct enlistment *by, struct ktm_effects *effects)
{
    if (en->state == EN_FINISHED)
        return;
    if (en->is_superior && (en == by || !en->is_attached)) {
        if (en != by)
            enlistment_become(en, EN_FINISHED);
        return; /* it knows its own decision [OP-45], or is not there to hear */
    }
    if (en->state == EN_OFFLINE || en->state == EN_RECOVERING)
        return; /* hears of it when it recovers [PT-48] */
    enlistment_become(en, en->is_attached ? EN_ABORTING : EN_FINISHED); /* [PE-10, CLOSE-EN-01] */
    effects_notify(effects, en, TRANSACTION_NOTIFY_ROLLBACK);
}

void
transaction_abort(struct transaction *tx, enum abort_reason reason, const struct enlistment *by,
                  struct ktm_effects *effects)
{
    struct enlistment *en;

    CHECK(tx->forcing == 0);
    outcome_set(tx, OUTCOME_ABORTED);
    tx->state = TX_ABORTED;
    tx->reason = (uint8_t)reason;
    if (by && by->rm)
        tx->abort_rm = by->rm->link.guid;
    tx->ktm->aborted++;
    if (tx->logged_as == RECORD_PREPARE)
        effects_append(effects, tx, RECORD_ABORT); /* lazy, presumed abort [LOG-05] */
    effects_signal(effects, tx, SIGNAL_SET);       /* before any answer [SIG-02] */
    deliveries_withdraw(tx);
    LIST_EACH (en, &tx->enlistments, in_tx)
        abort_tell(en, by, effects);
    abort_told(tx, effects);
}

/* ---- answers ---- */

void
transaction_answered(struct transaction *tx, struct ktm_effects *effects)
{
    if (tx->owed)
        return; /* [PT-18, PT-25, PT-40, PT-45] */
    switch (tx->state) {
    case TX_PREPREPARING:
        phase_0_ended(tx, effects);
        break;
    case TX_PREPARING:
        phase_1_ended(tx, effects);
        break;
    case TX_COMMITTED:
        commit_told(tx, effects);
        break;
    case TX_ABORTED:
        abort_told(tx, effects);
        break;
    default:
        break; /* read-only in Active, PrePrepared: nothing was owed */
    }
}

/* The delegate has committed, or had nothing to commit [PT-11, PT-14]: its own log was the decision
 * [LOG-04]. */
void
transaction_delegate_done(struct transaction *tx, struct ktm_effects *effects)
{
    outcome_set(tx, OUTCOME_COMMITTED);
    tx->state = TX_COMMITTED;
    tx->ktm->committed++;
    commit_told(tx, effects);
}

/* The delegate went without an answer: only its own log knows the outcome [PT-16, OP-13]. */
void
transaction_disconnect(struct transaction *tx, struct enlistment *delegate,
                       struct ktm_effects *effects)
{
    struct enlistment *en;

    enlistment_become(delegate, EN_FINISHED);
    tx->commit_status = STATUS_RM_DISCONNECTED;
    outcome_set(tx, OUTCOME_UNAVAILABLE);
    effects_signal(effects, tx, SIGNAL_SET | SIGNAL_FINISHED); /* [SIG-03] */
    LIST_EACH (en, &tx->enlistments, in_tx)
        if (en != delegate && en->is_attached)
            effects_notify(effects, en,
                           TRANSACTION_NOTIFY_RM_DISCONNECTED); /* [ENL-RO-08, OP-11] */
}

/* ---- the client ---- */

static struct enlistment *
single_phase_delegate(const struct transaction *tx)
{
    struct enlistment *en;

    if (tx->superior || tx->participants != 1) /* [OP-10] */
        return NULL;
    LIST_EACH (en, &tx->enlistments, in_tx)
        if (en->state != EN_FINISHED && enlistment_asks(en, TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT))
            return en;
    return NULL;
}

static void
client_commit_begin(struct transaction *tx, struct ktm_effects *effects)
{
    struct enlistment *delegate = single_phase_delegate(tx);

    if (tx->participants == 0) { /* [PT-01, TX-COMMIT-02] */
        if (!tx->ktm->is_nursery)
            ktm_tick(tx->ktm);
        decide_commit(tx, effects);
    } else if (delegate) { /* [PT-02, TX-COMMIT-03] */
        tx->driver = DRIVER_CLIENT;
        ktm_tick(tx->ktm);
        tx->state = TX_DELEGATED;
        atomic_store(&tx->is_active, false);
        enlistment_become(delegate, EN_DELEGATED); /* [PE-08] */
        effects_notify(effects, delegate, TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT);
    } else {
        transaction_begin(tx, DRIVER_CLIENT, NULL, effects); /* [PT-03] */
    }
}

/* The order of the checks is that of [TX-COMMIT-23]. */
static NTSTATUS
client_commit(struct transaction *tx, struct ktm_effects *effects)
{
    struct enlistment *superior = tx->superior;

    if (atomic_load(&tx->outcome) == OUTCOME_ABORTED)
        return status_raise(STATUS_TRANSACTION_ALREADY_ABORTED); /* [PT-47] */
    if (atomic_load(&tx->outcome) == OUTCOME_COMMITTED)
        return status_raise(STATUS_TRANSACTION_ALREADY_COMMITTED); /* [PT-44] */
    if (superior && !enlistment_asks(superior, TRANSACTION_NOTIFY_COMMIT_REQUEST))
        return status_raise(STATUS_TRANSACTION_SUPERIOR_EXISTS); /* [PT-05] */
    if (tx->state != TX_ACTIVE || tx->commit_requested)
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID); /* [PT-06, PT-15, PT-17] */
    if (!superior) {
        client_commit_begin(tx, effects);
        return STATUS_SUCCESS;
    }
    tx->commit_requested = true; /* [PT-04] */
    effects_notify(effects, superior, TRANSACTION_NOTIFY_COMMIT_REQUEST);
    effects->has_queued = true; /* pending, however the superior is told [TX-COMMIT-11] */
    return STATUS_SUCCESS;
}

static NTSTATUS
client_rollback(struct transaction *tx, struct ktm_effects *effects)
{
    switch (atomic_load(&tx->outcome)) {
    case OUTCOME_COMMITTED:
        return status_raise(STATUS_TRANSACTION_ALREADY_COMMITTED); /* [TX-ROLLBACK-05] */
    case OUTCOME_ABORTED:
        return STATUS_SUCCESS; /* nothing is sent again [TX-ROLLBACK-06, OP-08] */
    }
    if (!transaction_may_abort(tx))
        return status_raise(
            STATUS_TRANSACTION_REQUEST_NOT_VALID);       /* [TX-ROLLBACK-07, PT-15, PT-37] */
    transaction_abort(tx, REASON_CLIENT, NULL, effects); /* [PT-07, PT-22] */
    return STATUS_SUCCESS;
}

NTSTATUS
transaction_client(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->tx;

    switch (event->type) {
    case KTM_TX_COMMIT:
        return client_commit(tx, effects);
    case KTM_TX_ROLLBACK:
        return client_rollback(tx, effects);
    case KTM_TX_CLOSE: /* [CLOSE-TX-01..07] */
        tx->is_open = false;
        if (tx->state == TX_ACTIVE && !tx->commit_requested && !transaction_is_branch(tx))
            transaction_abort(tx, REASON_TX_CLOSED, NULL, effects);
        return STATUS_SUCCESS;
    case KTM_TX_TIMEOUT: /* without effect once the log is asked, delegated, prepared or decided
                            [ROLL-TMO-02] */
        tx->timer_fired = true;
        if (transaction_may_abort(tx) && !tx->forcing)
            transaction_abort(tx, REASON_TIMEOUT, NULL, effects);
        return STATUS_SUCCESS;
    case KTM_TX_THAW:
        if (tx->state == TX_PREPARING && !tx->owed && !tx->forcing)
            phase_1_ended(tx, effects);
        return STATUS_SUCCESS;
    default: /* KTM_TX_SHUTDOWN [CLOSE-TM-01, LOG-13] */
        if (transaction_may_abort(tx) && !tx->forcing)
            transaction_abort(tx, event->reason, NULL, effects);
        return STATUS_SUCCESS;
    }
}

/* ---- what the log said ---- */

/* The COMMIT record may or may not be there: nobody is told anything, the next recovery decides
 * [PT-36, LOG-12]. */
static void
outcome_unknown(struct transaction *tx, struct ktm_effects *effects)
{
    tx->commit_status = STATUS_TRANSACTIONMANAGER_NOT_ONLINE;
    outcome_set(tx, OUTCOME_UNAVAILABLE);
    tx->state = TX_INDOUBT;
    effects_signal(effects, tx, SIGNAL_SET | SIGNAL_FINISHED); /* [SIG-03] */
}

static void
prepared(struct transaction *tx, struct ktm_effects *effects)
{
    struct enlistment *en;

    tx->state = TX_PREPARED; /* [PT-30] */
    LIST_EACH (en, &tx->enlistments,
               in_tx) /* those that left while the log was busy [CLOSE-EN-05] */
        if (!en->is_superior && !en->is_attached && en->state <= EN_PREPARED)
            enlistment_become(en, enlistment_comes_back(en) ? EN_OFFLINE : EN_FINISHED);
    if (tx->superior->is_attached)
        effects_notify(effects, tx->superior, TRANSACTION_NOTIFY_PREPARE_COMPLETE);
    else
        tx->state = TX_INDOUBT; /* [PT-34] */
}

/* Completes what effects_force began. */
void
transaction_log_answered(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->tx;
    int record = tx->forcing;
    bool superior_decided = tx->state != TX_PREPARING;

    CHECK(record == RECORD_COMMIT || record == RECORD_PREPARE);
    tx->forcing = 0;
    effects_signal(effects, tx, SIGNAL_SETTLED);
    if (event->type == KTM_LOG_FORCED) {
        if (record == RECORD_COMMIT)
            decide_commit(
                tx,
                effects); /* <- the commit point: durable on this side, undecided on the other */
        else
            prepared(tx, effects);
        return;
    }
    if (event->reason != REASON_RECORD_TOO_LONG)
        (void)ktm_go_offline(tx->ktm); /* [LOG-11, TM-STATE-03] */
    else
        tx->commit_status = STATUS_TRANSACTION_RECORD_TOO_LONG; /* [TX-COMMIT-24] */
    if (record == RECORD_COMMIT && (superior_decided || event->type == KTM_LOG_AMBIGUOUS))
        outcome_unknown(tx, effects); /* [PT-36] */
    else
        transaction_abort(tx, event->reason, NULL, effects); /* [PT-28, PT-31] */
}

/* ---- invariants ---- */

void
transaction_check(const struct transaction *tx)
{
    const struct enlistment *en;
    uint32_t owed = 0, participants = 0, count = 0;

    LIST_EACH (en, &tx->enlistments, in_tx) {
        owed += en->state == EN_PREPREPARING || en->state == EN_PREPARING ||
                en->state == EN_DELEGATED || en->state == EN_COMMITTED_NOTIFY ||
                en->state == EN_ABORTING;
        participants += !en->is_superior && en->state != EN_FINISHED;
        count++;
    }
    CHECK(owed == tx->owed && participants == tx->participants && count == tx->en_count); /* (1) */
    if (atomic_load(&tx->outcome) == OUTCOME_COMMITTED) {
        CHECK(tx->state == TX_COMMITTED || tx->state == TX_FORGOTTEN); /* (2) */
        LIST_EACH (en, &tx->enlistments, in_tx)
            CHECK(en->state != EN_PREPREPARING && en->state != EN_PREPARING &&
                  en->state != EN_ABORTING);
    }
    if (tx->forcing) /* (3) */
        CHECK(tx->state == TX_PREPARING || tx->state == TX_PREPARED || tx->state == TX_INDOUBT);
    CHECK((tx->logged_as != 0) == !list_is_empty(&tx->in_log)); /* (4) */
}
