/* SPDX-License-Identifier: MIT */
/* Transactions at the door of the engine: made, found, committed, rolled back, asked [TX family].
 */
#include "engine/inner.h"

/* Looks for the UOW in every TM and among the unbound; with a handle when found. */
static bool
find_everywhere(struct engine *engine, const GUID *uow, struct object **out)
{
    struct transaction *tx = NULL;
    struct engine_tm *tm;

    sys_mutex_lock(&engine->mutex);
    sys_mutex_lock(&engine->nursery->mutex);
    tx = ktm_find_transaction(&engine->nursery->core, uow);
    if (tx && out) {
        object_hand_out(&tx->object, out);
        tx->is_open = true;
    }
    sys_mutex_unlock(&engine->nursery->mutex);
    LIST_EACH (tm, &engine->tms, in_engine) {
        if (tx)
            break;
        sys_mutex_lock(&tm->mutex);
        tx = tm->core.state == KTM_CLOSED ? NULL : ktm_find_transaction(&tm->core, uow);
        if (tx && out) {
            object_hand_out(&tx->object, out);
            tx->is_open = true;
        }
        sys_mutex_unlock(&tm->mutex);
    }
    sys_mutex_unlock(&engine->mutex);
    return tx != NULL;
}

static NTSTATUS
transaction_make(struct engine *engine, const struct engine_tx_options *options,
                 struct transaction **out)
{
    GUID uow = options->uow ? *options->uow : fresh_guid(engine);
    struct transaction *tx = transaction_create(&uow);
    NTSTATUS status;

    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = transaction_set_description(tx, options->description, options->description_units);
    if (status != STATUS_SUCCESS) {
        transaction_destroy(tx);
        return status;
    }
    tx->create_options = options->create_options;
    tx->isolation_flags = options->isolation_flags;
    tx->timeout = options->timeout;
    *out = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
arm_timer(struct engine *engine, struct transaction *tx)
{
    LARGE_INTEGER timeout;
    uint64_t deadline;

    if (tx->timeout == 0)
        return STATUS_SUCCESS; /* [ROLL-TMO-05] */
    timeout.QuadPart = tx->timeout;
    deadline = engine_deadline(engine, &timeout);
    return timer_set(engine, tx, deadline ? deadline : sys_time_monotonic(engine->sys));
}

static NTSTATUS
transaction_enter(struct engine_tm *tm, struct transaction *tx, struct object **out)
{
    TRY(arm_timer(tm->engine, tx));
    object_hand_out(&tx->object, out);
    tx->is_open = true;
    return STATUS_SUCCESS;
}

NTSTATUS
engine_tx_create(struct engine *engine, const struct engine_tx_options *options,
                 struct object **out)
{
    struct engine_tm *tm = options->tm ? AS_TM(options->tm) : engine->nursery;
    struct transaction *tx = NULL;
    struct run run;
    NTSTATUS status;

    if (options->uow && find_everywhere(engine, options->uow, NULL))
        return status_raise(STATUS_OBJECT_NAME_COLLISION); /* [TX-CREATE-04] */
    TRY(transaction_make(engine, options, &tx));
    run_begin_tm(&run, tm);
    status = options->tm ? tm_check_online(options->tm) : STATUS_SUCCESS; /* [TX-CREATE-07] */
    if (status == STATUS_SUCCESS && options->uow && ktm_find_transaction(&tm->core, options->uow))
        status = status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (status == STATUS_SUCCESS)
        status = ktm_add_transaction(&tm->core, tx);
    if (status != STATUS_SUCCESS) {
        transaction_destroy(tx);
    } else {
        status = transaction_enter(tm, tx, out);
        if (status != STATUS_SUCCESS) { /* no memory for its timer: as if it had never been */
            struct ktm_event event = {.type = KTM_TX_CLOSE, .tx = tx};

            engine_hold(&tx->object);
            (void)run_step(&run, &event);
            run_release(&run, &tx->object);
        }
    }
    run_end(&run);
    return status;
}

NTSTATUS
engine_tx_open(struct engine *engine, const GUID *uow, struct object *tm, struct object **out)
{
    struct transaction *tx;
    struct run run;
    NTSTATUS status;

    if (!tm)
        return find_everywhere(engine, uow, out) ? STATUS_SUCCESS
                                                 : status_raise(STATUS_TRANSACTION_NOT_FOUND);
    run_begin(&run, tm);
    status = tm_check_online(tm); /* [TX-OPEN-10] */
    if (status == STATUS_SUCCESS) {
        tx = ktm_find_transaction(&run.tm->core, uow);
        if (tx) {
            object_hand_out(&tx->object, out);
            tx->is_open = true;
        } else {
            status = status_raise(STATUS_TRANSACTION_NOT_FOUND); /* [TX-OPEN-03, -04] */
        }
    }
    run_end(&run);
    return status;
}

/* What the transaction has come to, for somebody who waited or did not need to [SIG-05]. */
static NTSTATUS
commit_answer(const struct transaction *tx)
{
    switch (atomic_load(&tx->outcome)) {
    case OUTCOME_COMMITTED:
        return STATUS_SUCCESS;
    case OUTCOME_ABORTED: /* [TX-COMMIT-09, TX-COMMIT-24] */
        return tx->commit_status ? tx->commit_status : STATUS_TRANSACTION_ALREADY_ABORTED;
    case OUTCOME_UNAVAILABLE: /* [TX-COMMIT-15, TX-COMMIT-16] */
        return tx->commit_status;
    default:
        return STATUS_TRANSACTION_OBJECT_EXPIRED; /* its TM was shut down meanwhile */
    }
}

NTSTATUS
engine_tx_commit(struct object *object, bool wait)
{
    struct ktm_event event = {.type = KTM_TX_COMMIT, .tx = AS_TX(object)};
    struct run run;
    NTSTATUS status;
    int outcome;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS && event.tx->state == TX_ACTIVE && !event.tx->superior)
        status = tm_log_reserve(&run, event.tx);
    if (status == STATUS_SUCCESS)
        status = run_step(&run, &event);
    run_end(&run);
    if (status != STATUS_SUCCESS)
        return status;
    if (wait)
        object_wait_for(object, SIGNAL_SET); /* [SIG-01..03] */
    outcome = atomic_load(&event.tx->outcome);
    if (wait || outcome == OUTCOME_ABORTED || outcome == OUTCOME_UNAVAILABLE)
        return commit_answer(event.tx);
    return run.is_pending ? STATUS_PENDING : STATUS_SUCCESS; /* [TX-COMMIT-07, -08] */
}

NTSTATUS
engine_tx_rollback(struct object *object, bool wait)
{
    struct ktm_event event = {.type = KTM_TX_ROLLBACK, .tx = AS_TX(object)};
    bool was_aborted;
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    was_aborted = atomic_load(&event.tx->outcome) == OUTCOME_ABORTED;
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        status = run_step(&run, &event);
    run_end(&run);
    if (status != STATUS_SUCCESS || was_aborted)
        return status;
    if (wait) {
        object_wait_for(object, SIGNAL_FINISHED); /* [SIG-06, TX-ROLLBACK-02] */
        return STATUS_SUCCESS;
    }
    return run.is_pending ? STATUS_PENDING : STATUS_SUCCESS; /* [TX-ROLLBACK-03] */
}

static uint32_t
outward_state(const struct transaction *tx)
{
    if (atomic_load(&tx->outcome) == OUTCOME_COMMITTED)
        return TransactionStateCommittedNotify; /* for ever after [TX-QUERY-02] */
    return tx->state == TX_INDOUBT ? TransactionStateIndoubt : TransactionStateNormal;
}

static TRANSACTION_ENLISTMENT_PAIR
pair_of(const struct enlistment *en)
{
    return (TRANSACTION_ENLISTMENT_PAIR){.EnlistmentId = en->link.guid,
                                         .ResourceManagerId = en->rm->link.guid};
}

static void
transaction_describe(const struct transaction *tx, struct engine_tx_info *out)
{
    int outcome = atomic_load(&tx->outcome);

    *out = (struct engine_tx_info){.uow = tx->link.guid,
                                   .state = outward_state(tx),
                                   .outcome = outcome == OUTCOME_UNAVAILABLE
                                                  ? TransactionOutcomeUndetermined
                                                  : (uint32_t)outcome,
                                   .isolation_flags = tx->isolation_flags,
                                   .timeout = tx->timeout,
                                   .description_units = tx->description_units,
                                   .inner_state = tx->state,
                                   .abort_reason = tx->reason,
                                   .abort_rm = tx->abort_rm,
                                   .has_superior = tx->superior != NULL};
    if (tx->description_units)
        memcpy(out->description, tx->description, 2u * tx->description_units);
    if (tx->superior)
        out->superior = pair_of(tx->superior);
}

NTSTATUS
engine_tx_query(struct object *object, struct engine_tx_info *out)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        transaction_describe(AS_TX(object), out);
    run_end(&run);
    return status;
}

NTSTATUS
engine_tx_enlistments(struct object *object, TRANSACTION_ENLISTMENT_PAIR *pairs, size_t room,
                      size_t *count)
{
    const struct enlistment *en;
    struct run run;
    NTSTATUS status;
    size_t n = 0;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS) {
        LIST_EACH (en, &AS_TX(object)->enlistments, in_tx) {
            if (n < room)
                pairs[n] = pair_of(en);
            n++;
        }
        *count = n;
    }
    run_end(&run);
    return status;
}

static NTSTATUS
transaction_set(struct engine *engine, struct transaction *tx, uint32_t isolation_flags,
                int64_t timeout, const uint16_t *description, size_t units)
{
    if (tx->timer_fired && timeout)
        return status_raise(STATUS_ROLLBACK_TIMER_EXPIRED); /* [TX-SET-10] */
    if (timeout && tx->state != TX_ACTIVE)
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE); /* [TX-SET-12] */
    TRY(transaction_set_description(tx, description, units));
    tx->isolation_flags = isolation_flags;
    tx->timeout = timeout;
    if (timeout)
        return arm_timer(engine, tx); /* [TX-SET-03] */
    if (tx->timer && timer_cancel(engine, tx))
        atomic_fetch_sub(&tx->object.holds, 1); /* the caller has one too */
    return STATUS_SUCCESS;
}

NTSTATUS
engine_tx_set(struct object *object, uint32_t isolation_flags, int64_t timeout,
              const uint16_t *description, size_t description_units)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        status = transaction_set(run.tm->engine, AS_TX(object), isolation_flags, timeout,
                                 description, description_units);
    run_end(&run);
    return status;
}

void
engine_tx_id(const struct object *object, GUID *uow)
{
    *uow = AS_TX(object)->link.guid;
}

bool
engine_tx_is_active(const struct object *object)
{
    return atomic_load(&AS_TX(object)->is_active);
}

/* Moves an unbound transaction to 'tm', whose lock is held on return; locks in the order nursery,
 * TM. */
NTSTATUS
transaction_bind_locked(struct engine_tm *tm, struct transaction *tx)
{
    struct engine_tm *nursery = tm->engine->nursery;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&nursery->mutex);
    sys_mutex_lock(&tm->mutex);
    if (tx->ktm == &nursery->core) {
        if (tx->state != TX_ACTIVE)
            status = status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
        else
            status = ktm_move_transaction(&nursery->core, &tm->core, tx);
    }
    sys_mutex_unlock(&nursery->mutex);
    return status;
}

NTSTATUS
engine_tx_bind(struct object *object, struct object *tm)
{
    struct transaction *tx = AS_TX(object);
    NTSTATUS status;

    TRY(tm_check_online(tm));
    if (tx->ktm != &AS_TM(tm)->engine->nursery->core)
        return status_raise(STATUS_INVALID_PARAMETER); /* bound already [TX-SET-11] */
    status = transaction_bind_locked(AS_TM(tm), tx);
    sys_mutex_unlock(&AS_TM(tm)->mutex);
    return status;
}
