/* SPDX-License-Identifier: MIT */
/* Transactions at the door of the engine: made, found, committed, rolled back, asked [TX family].
 */
#include "engine/inner.h"

#include <stdlib.h>

/* Is it there; with a handle when 'out' is given. What is being rebuilt is known, but not handed
 * out: the next record may take it away again. */
static bool
find_in(struct engine_tm *tm, const GUID *uow, bool only_root, struct object **out)
{
    struct transaction *tx;
    int state;

    sys_mutex_lock(&tm->mutex);
    state = tm->core.state;
    tx = state == KTM_CLOSED ? NULL : ktm_find_transaction(&tm->core, uow);
    if (out && state != KTM_ONLINE && state != KTM_OFFLINE)
        tx = NULL;
    if (tx && only_root && transaction_is_branch(tx))
        tx = NULL;
    if (tx && out)
        object_hand_out(&tx->object, out);
    sys_mutex_unlock(&tm->mutex);
    return tx != NULL;
}

/* In every TM and among the unbound, a root rather than its branches; under the registry's lock. */
static bool
find_everywhere(struct engine *engine, const GUID *uow, struct object **out)
{
    bool is_found = find_in(engine->nursery, uow, true, out);
    struct engine_tm *tm;

    LIST_EACH (tm, &engine->tms, in_engine)
        is_found = is_found || find_in(tm, uow, true, out);
    LIST_EACH (tm, &engine->tms, in_engine)
        is_found = is_found || find_in(tm, uow, false, out);
    return is_found;
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
arm_timer(struct engine *engine, struct transaction *tx, int64_t timeout)
{
    LARGE_INTEGER given = {.QuadPart = timeout};
    uint64_t deadline;

    if (timeout == 0)
        return STATUS_SUCCESS; /* [ROLL-TMO-05] */
    deadline = engine_deadline(engine, &given);
    return timer_set(engine, tx, deadline ? deadline : sys_time_monotonic(engine->sys));
}

/* Into its TM, whose lock the run takes. A UOW of the caller's must be nobody else's: the
 * registry's lock keeps others from the same [TX-CREATE-04]. */
static NTSTATUS
transaction_add(struct engine *engine, const struct engine_tx_options *options,
                struct transaction *tx, struct run *run)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (options->uow) {
        sys_mutex_lock(&engine->mutex);
        if (find_everywhere(engine, options->uow, NULL))
            status = status_raise(STATUS_OBJECT_NAME_COLLISION);
    }
    run_begin_tm(run, options->tm ? AS_TM(options->tm) : engine->nursery);
    if (status == STATUS_SUCCESS && options->tm)
        status = tm_check_online(options->tm); /* [TX-CREATE-07] */
    if (status == STATUS_SUCCESS)
        status = ktm_add_transaction(&run->tm->core, tx);
    if (options->uow)
        sys_mutex_unlock(&engine->mutex);
    return status;
}

NTSTATUS
engine_tx_create(struct engine *engine, const struct engine_tx_options *options,
                 struct object **out)
{
    struct transaction *tx = NULL;
    struct run run;
    NTSTATUS status;

    TRY(transaction_make(engine, options, &tx));
    status = transaction_add(engine, options, tx, &run);
    if (status != STATUS_SUCCESS) {
        transaction_destroy(tx);
    } else {
        engine_hold(&tx->object);
        status = arm_timer(engine, tx, tx->timeout);
        if (status == STATUS_SUCCESS) {
            object_hand_out(&tx->object, out);
        } else { /* no memory for its timer: as if it had never been */
            struct ktm_event event = {.type = KTM_TX_CLOSE, .tx = tx};

            (void)!run_step(&run, &event);
        }
        run_release(&run, &tx->object);
    }
    run_end(&run);
    return status;
}

NTSTATUS
engine_tx_open(struct engine *engine, const GUID *uow, struct object *tm, struct object **out)
{
    bool is_found = false;

    if (tm) {
        TRY(tm_check_online(tm)); /* [TX-OPEN-10] */
        is_found = find_in(AS_TM(tm), uow, false, out);
    } else {
        sys_mutex_lock(&engine->mutex);
        is_found = find_everywhere(engine, uow, out);
        sys_mutex_unlock(&engine->mutex);
    }
    /* [TX-OPEN-03, -04] */
    return is_found ? STATUS_SUCCESS : status_raise(STATUS_TRANSACTION_NOT_FOUND);
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

/* Everything is looked at afresh after each pause. */
static NTSTATUS
commit_begin(struct run *run, struct ktm_event *event, bool wait)
{
    TRY(object_check_alive(&event->tx->object));
    while (freeze_stops_commit(run, event->tx)) { /* [TX-COMMIT-22, FRZ-02] */
        if (!wait) {
            freeze_put_off_commit(run, event->tx);
            return STATUS_SUCCESS;
        }
        freeze_wait(run);
        TRY(object_check_alive(&event->tx->object));
    }
    if (!event->tx->superior)
        TRY(tm_log_reserve(run, event->tx));
    if (freeze_stops_commit(run, event->tx))
        return commit_begin(run, event, wait);
    TRY(object_check_alive(&event->tx->object));
    return run_step(run, event);
}

NTSTATUS
engine_tx_commit(struct object *object, bool wait)
{
    struct ktm_event event = {.type = KTM_TX_COMMIT, .tx = AS_TX(object)};
    struct run run;
    NTSTATUS status;
    bool is_put_off = wait && sys_put_off_open(); /* whom we call back begin together */
    int outcome;

    run_begin(&run, object);
    status = commit_begin(&run, &event, wait);
    run_end(&run);
    sys_put_off_close(is_put_off);
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

struct pairs {
    TRANSACTION_ENLISTMENT_PAIR *list;
    size_t room, count;
};

static void
pairs_add(void *context, const struct enlistment *en)
{
    struct pairs *pairs = context;

    if (pairs->count < pairs->room)
        pairs->list[pairs->count] = pair_of(en);
    pairs->count++;
}

NTSTATUS
engine_tx_enlistments(struct object *object, TRANSACTION_ENLISTMENT_PAIR *list, size_t room,
                      size_t *count)
{
    struct pairs pairs = {.list = list, .room = room};
    const struct enlistment *en;
    bool has_branches = false;
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        LIST_EACH (en, &AS_TX(object)->enlistments, in_tx) {
            if (en->rm->is_branch && !en->is_superior)
                has_branches = true; /* and their enlistments are told instead [TX-QUERY-06] */
            else
                pairs_add(&pairs, en);
        }
    run_end(&run);
    if (has_branches)
        span_enlistments(object, pairs_add, &pairs);
    *count = pairs.count;
    return status;
}

static NTSTATUS
set_timeout(struct engine *engine, struct transaction *tx, int64_t timeout)
{
    if (timeout)
        return arm_timer(engine, tx, timeout); /* [TX-SET-03] */
    if (timer_cancel(engine, tx))
        atomic_fetch_sub(&tx->object.holds, 1); /* the caller has one too */
    return STATUS_SUCCESS;
}

static NTSTATUS
transaction_set(struct engine *engine, struct transaction *tx, uint32_t isolation_flags,
                int64_t timeout, const uint16_t *description, size_t units)
{
    uint16_t *copy = NULL;
    NTSTATUS status;

    if (tx->timer_fired && timeout)
        return status_raise(STATUS_ROLLBACK_TIMER_EXPIRED); /* [TX-SET-10] */
    if (timeout && tx->state != TX_ACTIVE)
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE); /* [TX-SET-12] */
    TRY(description_copy(description, units, &copy));
    status = set_timeout(engine, tx, timeout);
    if (status != STATUS_SUCCESS) {
        free(copy);
        return status;
    }
    transaction_take_description(tx, copy, units);
    tx->isolation_flags = isolation_flags;
    tx->timeout = timeout;
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

bool
transaction_lock_for_binding(struct run *run, struct engine_tm *tm, struct transaction *tx)
{
    struct engine_tm *nursery = tm->engine->nursery;
    bool is_unbound = atomic_load(&tx->ktm) == &nursery->core;

    if (is_unbound)
        sys_mutex_lock(&nursery->mutex); /* before that of any TM */
    run_begin_tm(run, tm);
    if (is_unbound && tx->ktm != &nursery->core) { /* somebody was faster */
        sys_mutex_unlock(&nursery->mutex);
        is_unbound = false;
    }
    return is_unbound;
}

NTSTATUS
transaction_bind(struct engine_tm *tm, struct transaction *tx)
{
    return ktm_move_transaction(&tm->engine->nursery->core, &tm->core, tx);
}

void
transaction_unbind(struct engine_tm *tm, struct transaction *tx)
{
    NTSTATUS status = ktm_move_transaction(&tm->core, &tm->engine->nursery->core, tx);

    CHECK(status == STATUS_SUCCESS); /* there is room: it was there under the same lock */
}

NTSTATUS
engine_tx_bind(struct object *object, struct object *tm)
{
    struct engine *engine = AS_TM(tm)->engine;
    struct transaction *tx = AS_TX(object);
    struct run run;
    bool is_unbound = transaction_lock_for_binding(&run, AS_TM(tm), tx);
    NTSTATUS status = object_check_alive(object);

    if (status == STATUS_SUCCESS)
        status = tm_check_online(tm);
    if (status == STATUS_SUCCESS && !is_unbound)
        status = status_raise(STATUS_INVALID_PARAMETER); /* bound already [TX-SET-11] */
    if (status == STATUS_SUCCESS && tx->state != TX_ACTIVE)
        status = status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    if (status == STATUS_SUCCESS)
        status = transaction_bind(AS_TM(tm), tx);
    if (is_unbound)
        sys_mutex_unlock(&engine->nursery->mutex);
    run_end(&run);
    return status;
}
