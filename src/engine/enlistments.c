/* SPDX-License-Identifier: MIT */
/* Enlistments at the door of the engine: made, found, recovered; answers and requests [ENL family].
 */
#include "engine/inner.h"

#include <stdlib.h>

static NTSTATUS
check_enlist(const struct ktm_event *event)
{
    struct ktm *bound = event->tx->ktm;

    TRY(object_check_alive(&event->rm->object));
    TRY(object_check_alive(&event->tx->object));
    if (bound != event->rm->ktm && !bound->is_nursery)
        return STATUS_TRANSACTION_REQUIRED_PROMOTION;
    return STATUS_SUCCESS;
}

NTSTATUS
enlistment_enter_locked(struct run *run, struct ktm_event *event, bool is_unbound,
                        struct object **out)
{
    struct object *en = &event->en->object;
    NTSTATUS status;

    TRY(check_enlist(event));
    if (is_unbound)
        TRY(transaction_bind(run->tm, event->tx)); /* [ENL-CREATE-03] */
    object_hand_out(en, out); /* its notifications may run before we return [NOTIF-12] */
    engine_hold(en);
    status = run_step(run, event);
    if (status == STATUS_SUCCESS)
        run_release(run, en);
    else if (is_unbound)
        transaction_unbind(run->tm, event->tx);
    return status;
}

NTSTATUS
enlistment_enter(struct ktm_event *event, struct object **out)
{
    struct engine_tm *tm = tm_of_ktm(event->rm->ktm);
    struct object *made = NULL;
    struct run run;
    bool is_unbound = transaction_lock_for_binding(&run, tm, event->tx);
    NTSTATUS status = enlistment_enter_locked(&run, event, is_unbound, &made);

    if (is_unbound) /* an Active transaction: the step has called nobody, nor let go of the lock */
        sys_mutex_unlock(&tm->engine->nursery->mutex);
    run_end(&run);
    if (status == STATUS_SUCCESS)
        *out = made;
    return status;
}

NTSTATUS
engine_en_create(struct object *rm, struct object *tx, uint32_t create_options,
                 NOTIFICATION_MASK mask, void *key, struct object **out)
{
    struct ktm_event event = {.type = KTM_EN_CREATE, .tx = AS_TX(tx), .rm = AS_RM(rm)};
    GUID guid = fresh_guid(tm_of_ktm(event.rm->ktm)->engine);
    NTSTATUS status;

    event.en = enlistment_create(&guid, mask, create_options & ENLISTMENT_SUPERIOR, key);
    if (!event.en)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES); /* [ENL-CREATE-08] */
    event.en->rm = event.rm;
    status = enlistment_enter(&event, out);
    while (status ==
               STATUS_TRANSACTION_REQUIRED_PROMOTION && /* bound to another TM [ENL-CREATE-18] */
           !(event.tx->create_options & TRANSACTION_DO_NOT_PROMOTE))
        status = span_enlist(&event, out); /* and again, while it is bound and unbound by others */
    if (status == STATUS_TRANSACTION_REQUIRED_PROMOTION)
        status = status_raise(status); /* [ENL-CREATE-19, BR-02] */
    if (status != STATUS_SUCCESS)
        enlistment_destroy(event.en);
    return status;
}

NTSTATUS
engine_en_open(struct object *rm, const GUID *guid, struct object **out)
{
    struct enlistment *en;
    struct run run;
    NTSTATUS status;

    run_begin(&run, rm);
    status = object_check_alive(rm);
    if (status == STATUS_SUCCESS) {
        en = resource_manager_find_enlistment(AS_RM(rm), guid);
        if (en && !(en->state == EN_FINISHED && en->object.handles == 0)) {
            object_hand_out(&en->object, out);
        } else {
            status = status_raise(STATUS_ENLISTMENT_NOT_FOUND); /* [ENL-OPEN-02, -06] */
        }
    }
    run_end(&run);
    return status;
}

NTSTATUS
engine_en_recover(struct object *object, void *key)
{
    struct ktm_event event = {.type = KTM_EN_RECOVER, .en = AS_EN(object), .key = key};
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        status = run_step(&run, &event);
    run_end(&run);
    if (status != STATUS_SUCCESS)
        return status;
    return run.is_pending ? STATUS_PENDING : STATUS_SUCCESS; /* [ENL-RECOVER-04] */
}

static bool
starts_commit(const struct transaction *tx, int event)
{
    return (event == KTM_EN_PREPREPARE || event == KTM_EN_PREPARE || event == KTM_EN_COMMIT) &&
           tx->state == TX_ACTIVE;
}

/* What a superior asks waits while transactions are frozen, if it begins a commit or decides it
 * [FRZ-02]. */
static bool
waits_for_thaw(const struct run *run, const struct enlistment *en, int event)
{
    return atomic_load(&run->tm->is_frozen) && en->is_superior &&
           (starts_commit(en->tx, event) ||
            (event == KTM_EN_COMMIT &&
             (en->tx->state == TX_PREPARED || en->tx->state == TX_INDOUBT)));
}

/* Everything is looked at afresh after each pause. */
static NTSTATUS
request(struct run *run, struct ktm_event *event)
{
    struct enlistment *en = event->en;
    int type = (int)event->type;

    TRY(object_check_alive(&en->object));
    while (waits_for_thaw(run, en, type)) {
        freeze_wait(run);
        TRY(object_check_alive(&en->object));
    }
    if (starts_commit(en->tx, type) && en->is_superior)
        TRY(tm_log_reserve(run, en->tx));
    if (waits_for_thaw(run, en, type))
        return request(run, event);
    TRY(object_check_alive(&en->object));
    return run_step(run, event);
}

/* What the caller is told; the log's trouble shows in the transaction, not here [ENL-PC-05,
 * ENL-CE-15]. */
static NTSTATUS
request_answer(const struct run *run, const struct enlistment *en, int event)
{
    const struct transaction *tx = en->tx;
    int outcome = atomic_load(&tx->outcome);

    if (event == KTM_EN_COMMIT && outcome == OUTCOME_UNAVAILABLE && tx->driver == DRIVER_SUPERIOR_3)
        return STATUS_TRANSACTIONMANAGER_NOT_ONLINE;
    if (event == KTM_EN_COMMIT_COMPLETE || event == KTM_EN_ROLLBACK_COMPLETE ||
        event == KTM_EN_REQUEST_OUTCOME)
        return STATUS_SUCCESS; /* [ENL-CC-07, ENL-RC-05, TMR-23..25] */
    return run->is_pending ? STATUS_PENDING : STATUS_SUCCESS; /* [OP-09] */
}

NTSTATUS
engine_en_request(struct object *object, int type, const int64_t *clock)
{
    struct enlistment *en = AS_EN(object);
    struct ktm_event event = {.type = (enum ktm_event_type)type, .en = en, .clock = clock};
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = request(&run, &event);
    run_end(&run);
    return status == STATUS_SUCCESS ? request_answer(&run, en, type) : status;
}

NTSTATUS
engine_en_query(struct object *object, struct engine_en_info *out)
{
    const struct enlistment *en = AS_EN(object);

    TRY(object_check_alive(object));
    *out = (struct engine_en_info){
        .guid = en->link.guid, .uow = en->tx->link.guid, .rm = en->rm->link.guid};
    return STATUS_SUCCESS;
}

NTSTATUS
engine_en_recovery_info(struct object *object, void *into, uint32_t *size)
{
    const struct enlistment *en = AS_EN(object);
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS && run.tm->core.is_volatile)
        status = status_raise(STATUS_TM_VOLATILE); /* [ENL-QUERY-11, VOL-06] */
    if (status == STATUS_SUCCESS) {
        if (*size < en->recovery_info_size)
            status = status_raise(STATUS_BUFFER_TOO_SMALL);
        else if (en->recovery_info_size)
            memcpy(into, en->recovery_info, en->recovery_info_size);
        *size = en->recovery_info_size;
    }
    run_end(&run);
    return status;
}

/* The transaction's record is in the log already: the new bytes follow it, not forced [ENL-SET-10].
 * Else they are durable with the record that ends the enlistment's phase [LOG-07, ENL-SET-02]. */
static NTSTATUS
log_recovery_info(struct run *run, const struct enlistment *en, struct bytes info)
{
    struct enlistment changed = {.link.guid = en->link.guid,
                                 .tx = en->tx,
                                 .recovery_info = (uint8_t *)info.at,
                                 .recovery_info_size = (uint32_t)info.size};
    const struct transaction *tx = en->tx;

    for (unsigned attempt = 0;; attempt++) {
        size_t size;
        uint64_t lsn;
        NTSTATUS status;

        if (tx->logged_as)
            freeze_wait(run);
        if (!tx->logged_as || !enlistment_is_recoverable(en) || run->tm->core.state != KTM_ONLINE)
            return STATUS_SUCCESS;
        size = record_size(tx, RECORD_COMMIT, NULL) - en->recovery_info_size + info.size;
        if (size > clfs_record_size_max(LOG_BLOCK_SIZE))
            return status_raise(STATUS_TRANSACTION_RECORD_TOO_LONG); /* and no way back any more
                                                                        [ENL-SET-09] */
        status = tm_log_append_info(run->tm, &changed, &lsn);
        if (status != STATUS_LOG_FULL) {
            run->has_appended = true;
            return status;
        }
        TRY(tm_log_make_room(run, attempt));
    }
}

static NTSTATUS
set_recovery_info(struct run *run, struct enlistment *en, struct bytes info)
{
    uint8_t *copy = NULL;
    NTSTATUS status;

    if (run->tm->core.is_volatile)
        return status_raise(STATUS_TM_VOLATILE); /* [ENL-SET-08] */
    if (en->state == EN_FINISHED)
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID); /* [ENL-SET-10] */
    if (info.size > clfs_record_size_max(LOG_BLOCK_SIZE) / 2)
        return status_raise(STATUS_INFO_LENGTH_MISMATCH); /* [ENL-SET-04] */
    TRY(recovery_info_copy(info, &copy));
    status = log_recovery_info(run, en, info);
    if (status == STATUS_SUCCESS)
        enlistment_take_recovery_info(en, copy, (uint32_t)info.size);
    else
        free(copy);
    return status;
}

NTSTATUS
engine_en_set_recovery_info(struct object *object, struct bytes info)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS)
        status = set_recovery_info(&run, AS_EN(object), info);
    run_end(&run);
    return status;
}

NTSTATUS
engine_en_key_reference(struct object *object, void **key)
{
    struct enlistment *en = AS_EN(object);
    uint32_t references = atomic_load(&en->key_references);

    do {
        if (references == 0)
            return status_raise(STATUS_UNSUCCESSFUL); /* [TMR-18] */
        if (references == UINT32_MAX)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    } while (!atomic_compare_exchange_weak(&en->key_references, &references, references + 1));
    *key = atomic_load(&en->key);
    return STATUS_SUCCESS;
}

NTSTATUS
engine_en_key_dereference(struct object *object, bool *was_last)
{
    struct enlistment *en = AS_EN(object);
    uint32_t references = atomic_load(&en->key_references);

    do {
        if (references == 0)
            return status_raise(STATUS_UNSUCCESSFUL); /* [TMR-19] */
    } while (!atomic_compare_exchange_weak(&en->key_references, &references, references - 1));
    *was_last = references == 1;
    return STATUS_SUCCESS;
}
