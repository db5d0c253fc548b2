/* SPDX-License-Identifier: MIT */
/*
 * Running the core: a step, its effects in order, and the events that come of them.
 *
 * The commit of a durable transaction passes here: the step that took the last vote leaves
 * EFFECT_FORCE; run_force appends the record under the lock, forces it without, and returns with
 * KTM_LOG_FORCED, whose step announces the outcome. Power lost before the force: the record is not
 * there, presumed abort. After: it is, and recovery tells everybody.
 */
#include "engine/inner.h"

#include <limits.h>
#include <stdlib.h>

static struct engine_tm *
lock_object(struct object *object)
{
    struct ktm *ktm = NULL;

    switch (object->kind) {
    case OBJECT_TM:
        sys_mutex_lock(&AS_TM(object)->mutex);
        return AS_TM(object);
    case OBJECT_RM:
        ktm = AS_RM(object)->ktm;
        break;
    case OBJECT_EN:
        ktm = AS_EN(object)->rm->ktm;
        break;
    case OBJECT_TX:
        for (;;) { /* it may move out of the nursery while we wait for the lock */
            ktm = atomic_load(&AS_TX(object)->ktm);
            sys_mutex_lock(&tm_of_ktm(ktm)->mutex);
            if (atomic_load(&AS_TX(object)->ktm) == ktm)
                return tm_of_ktm(ktm);
            sys_mutex_unlock(&tm_of_ktm(ktm)->mutex);
        }
    default:
        CHECK(!"a kind of object");
    }
    sys_mutex_lock(&tm_of_ktm(ktm)->mutex);
    return tm_of_ktm(ktm);
}

/* ---- waking ---- */

/* Somebody may sleep on the object: he is woken when the lock is off. Its descriptor is set at
 * once: it is cleared under the lock too, so it never says what the object does not. */
void
run_wake(struct run *run, struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    if (fd && atomic_load(&object->signal) & (SIGNAL_SET | SIGNAL_EXPIRED))
        sys_event_set(fd - 1);
    engine_watches_tell(object);
    if (!atomic_load(&object->waiters))
        return;
    if (run->wake_count == WAKES_MAX) {
        sys_wake(&object->signal, INT_MAX);
        return;
    }
    engine_hold(object);
    run->wakes[run->wake_count++] = object;
}

static void
take_wakes(struct run *run, struct run *inner)
{
    while (inner->wake_count) {
        struct object *object = inner->wakes[--inner->wake_count];

        run_wake(run, object);
        run_release(run, object);
    }
}

static void
collect_news(struct run *run)
{
    struct list *news = &run->tm->core.news;

    while (!list_is_empty(news)) {
        struct resource_manager *rm = list_first(news, struct resource_manager, in_news);

        list_remove(&rm->in_news);
        if (rm->loans)
            loans_serve(rm);
        run_wake(run, &rm->object);
    }
}

static void
unlock(struct run *run)
{
    struct object *wakes[WAKES_MAX];
    unsigned count;

    collect_news(run);
    count = run->wake_count;
    run->wake_count = 0;
    memcpy(wakes, run->wakes, count * sizeof(*wakes));
    sys_mutex_unlock(&run->tm->mutex);
    for (unsigned i = 0; i < count; i++) {
        sys_wake(&wakes[i]->signal, INT_MAX);
        engine_release(wakes[i]);
    }
}

static void
relock(struct run *run)
{
    sys_mutex_lock(&run->tm->mutex);
}

/* ---- the run ---- */

void
run_begin(struct run *run, struct object *object)
{
    struct engine_tm *tm = lock_object(object);

    *run = (struct run){.tm = tm};
}

void
run_begin_tm(struct run *run, struct engine_tm *tm)
{
    run_begin(run, &tm->object);
}

void
run_release(struct run *run, struct object *object)
{
    (void)run;
    CHECK(atomic_load(&object->holds) > 0);
    if (atomic_fetch_sub(&object->holds, 1) == 1 && object->kind != OBJECT_TM)
        ktm_reap(object);
}

static bool
forget_timer(struct run *run, struct transaction *tx)
{
    return tx->timer && !transaction_wants_timer(tx) && timer_cancel(run->tm->engine, tx);
}

static void
shutdown_after_failure(struct run *run)
{
    run->log_failed = false;
    run_shutdown(run, REASON_LOG);
}

void
run_end(struct run *run)
{
    struct engine_tm *tm = run->tm;
    struct clfs_area *area;
    bool is_due;

    if (run->log_failed)
        shutdown_after_failure(run);
    area = run->has_appended ? tm->area : NULL;
    is_due = tm_log_checkpoint_due(tm);
    if (atomic_load(&tm->is_frozen) || (!area && !is_due)) {
        unlock(run);
        return;
    }
    tm_log_enter(tm);
    unlock(run);
    if (area && clfs_write_behind(area) != STATUS_SUCCESS)
        is_due = false; /* the log has failed: whoever forces next finds out */
    if (is_due && tm_log_checkpoint(tm) != STATUS_SUCCESS)
        run->log_failed = tm->core.state == KTM_OFFLINE;
    tm_log_leave(tm);
    if (run->log_failed) {
        relock(run);
        shutdown_after_failure(run);
        unlock(run);
    }
}

static void perform(struct run *run, const struct ktm_effects *effects);

static void
step_and_perform(struct run *run, struct ktm_event *event)
{
    struct ktm_effects effects;
    NTSTATUS status = noted_step(run->tm, event, &effects);

    CHECK(status == STATUS_SUCCESS); /* what the world reports is never refused */
    run->is_pending |= effects.has_queued;
    perform(run, &effects);
}

/* ---- effects ---- */

static void
signal_set(struct run *run, struct transaction *tx, uint32_t bits)
{
    atomic_fetch_or(&tx->object.signal, bits);
    run_wake(run, &tx->object);
}

void
run_append(struct run *run, struct transaction *tx, enum record_type record)
{
    struct engine_tm *tm = run->tm;
    uint64_t lsn;
    NTSTATUS status;

    if (freeze_puts_off_record(run, tx, record))
        return;
    status = tm->core.state == KTM_ONLINE ? tm_log_append(tm, tx, record, &lsn)
                                          : STATUS_TRANSACTIONMANAGER_NOT_ONLINE;
    if (status != STATUS_SUCCESS) {
        /* The outcome stands; the next recovery tells it again [LOG-06]. */
        tx->logged_as = 0;
        list_remove(&tx->in_log);
        if (status != STATUS_LOG_FULL)
            run->log_failed |= ktm_go_offline(&tm->core); /* [LOG-11] */
        return;
    }
    record_appended(tx, record, lsn);
    run->has_appended = true;
}

/* What was reserved may not suffice: recovery information set in the phases, late enlistments. */
static NTSTATUS
append_patiently(struct run *run, struct transaction *tx, enum record_type record, uint64_t *lsn)
{
    for (unsigned attempt = 0;; attempt++) {
        NTSTATUS status;

        freeze_wait(run); /* also behind a pause that made room */
        freeze_append_put_off(run);
        status = run->tm->core.state == KTM_ONLINE ? tm_log_append(run->tm, tx, record, lsn)
                                                   : STATUS_TRANSACTIONMANAGER_NOT_ONLINE;
        if (status != STATUS_LOG_FULL)
            return status;
        TRY(tm_log_make_room(run, attempt));
    }
}

/* Append under the lock, force without it, come back with what the log said. */
static void
run_force(struct run *run, struct transaction *tx, enum record_type record)
{
    struct engine_tm *tm = run->tm;
    struct ktm_event event = {.type = KTM_LOG_FORCED, .tx = tx, .reason = REASON_LOG};
    uint64_t lsn = 0;
    NTSTATUS status;

    if (freeze_puts_off_decision(run, tx))
        return;
    engine_hold(&tx->object);
    status = append_patiently(run, tx, record, &lsn);
    if (status == STATUS_SUCCESS) {
        record_appended(tx, record, lsn);
        tm_log_enter(tm);
        unlock(run);
        status = clfs_flush(tm->area, lsn, NULL); /* <- durable when this returns SUCCESS */
        relock(run);
        tm_log_leave(tm);
        if (status != STATUS_SUCCESS)
            event.type = clfs_is_absent(tm->area, lsn) ? KTM_LOG_FAILED     /* [LOG-11] */
                                                       : KTM_LOG_AMBIGUOUS; /* [LOG-12] */
    } else {
        event.type = KTM_LOG_FAILED;
        if (status == STATUS_TRANSACTION_RECORD_TOO_LONG)
            event.reason = REASON_RECORD_TOO_LONG;
    }
    step_and_perform(run, &event);
    run->log_failed |= status != STATUS_SUCCESS && status != STATUS_TRANSACTION_RECORD_TOO_LONG;
    run_release(run, &tx->object);
}

/* One callback, on this thread, with no lock held [NOTIF-06]. */
static NTSTATUS
call_back(struct run *run, struct resource_manager *rm, struct enlistment *en, uint32_t what,
          int64_t clock, void *key, void *argument)
{
    PTM_RM_NOTIFICATION callback = rm->callback;
    void *callback_key = rm->callback_key;
    LARGE_INTEGER virtual_clock;
    NTSTATUS status;

    virtual_clock.QuadPart = clock;
    unlock(run);
    status =
        callback(en ? (PKENLISTMENT)&en->object : NULL, callback_key, key, what, &virtual_clock,
                 argument ? sizeof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT) : 0, argument);
    relock(run);
    clock = virtual_clock.QuadPart;
    ktm_raise_clock(&run->tm->core, &clock); /* [NOTIF-10] */
    if (status == STATUS_PENDING)
        run->is_pending = true;
    return status;
}

static void
callback_answered(struct run *run, struct enlistment *en, uint32_t what, NTSTATUS status)
{
    struct run inner = {.tm = run->tm}; /* what it delivers is not the caller's to wait for */
    struct ktm_event event = {.type = KTM_EN_CALLBACK_FAILED, .en = en, .what = what};

    if (NT_SUCCESS(status))
        return; /* the answer itself is an XxxComplete call [NOTIF-07] */
    status = run_step(&inner, &event);
    CHECK(status == STATUS_SUCCESS); /* what the world reports is never refused */
    run->has_appended |= inner.has_appended;
    take_wakes(run, &inner);
}

/* Nothing is remembered across a callback but the held enlistment: the list is looked at afresh
 * each time. */
static void
run_deliver(struct run *run, struct transaction *tx)
{
    struct enlistment *en;
    int64_t clock;
    uint32_t what;

    engine_hold(&tx->object);
    while ((en = transaction_take_delivery(tx, &what, &clock))) {
        engine_hold(&en->object);
        if (en->rm->callback)
            callback_answered(run, en, what,
                              call_back(run, en->rm, en, what, clock, atomic_load(&en->key), NULL));
        run_release(run, &en->object);
    }
    run_release(run, &tx->object);
}

void
run_drain(struct run *run, struct resource_manager *rm)
{
    struct notification *note;

    engine_hold(&rm->object);
    while (rm->callback && (note = resource_manager_take(rm))) {
        struct enlistment *en = resource_manager_find_enlistment(rm, &note->argument.EnlistmentId);
        NTSTATUS status;

        if (en)
            engine_hold(&en->object);
        status = call_back(run, rm, en, note->what, note->clock, note->key,
                           note->has_argument ? &note->argument : NULL);
        if (en) {
            callback_answered(run, en, note->what, status);
            run_release(run, &en->object);
        }
        free(note);
    }
    run_release(run, &rm->object);
}

static void
perform(struct run *run, const struct ktm_effects *effects)
{
    for (unsigned i = 0; i < effects->count; i++) {
        const struct ktm_effect *effect = &effects->list[i];

        switch ((enum ktm_effect_type)effect->type) {
        case EFFECT_APPEND:
            run_append(run, effect->tx, (enum record_type)effect->record);
            break;
        case EFFECT_FORCE:
            CHECK(i + 1 == effects->count); /* nothing may be promised behind it */
            run_force(run, effect->tx, (enum record_type)effect->record);
            break;
        case EFFECT_SIGNAL:
            signal_set(run, effect->tx, effect->signal);
            break;
        case EFFECT_DELIVER:
            run_deliver(run, effect->tx);
            break;
        case EFFECT_DRAIN:
            run_drain(run, effect->rm);
            break;
        }
    }
}

void
run_sleep(struct run *run, _Atomic uint32_t *word, uint32_t seen)
{
    unlock(run);
    (void)sys_wait(word, seen, SYS_FOREVER);
    relock(run);
}

void
run_wait_settled(struct run *run, struct transaction *tx)
{
    uint32_t seen = atomic_load(&tx->object.signal);

    engine_hold(&tx->object);
    atomic_fetch_add(&tx->object.waiters, 1);
    unlock(run);
    if (!(seen & SIGNAL_SETTLED))
        (void)sys_wait(&tx->object.signal, seen, SYS_FOREVER);
    relock(run);
    atomic_fetch_sub(&tx->object.waiters, 1);
    run_release(run, &tx->object);
}

/* What must follow when a transaction has changed: its timer, its reservation, its memory. */
static void
after_step(struct run *run, struct transaction *tx)
{
    bool gave_back;

    if (!tx)
        return;
    gave_back = forget_timer(run, tx);
    if (!transaction_may_write(tx) && !tx->record_put_off)
        tm_log_unreserve(run->tm, tx);
    if (gave_back)
        run_release(run, &tx->object);
}

NTSTATUS
run_step(struct run *run, struct ktm_event *event)
{
    struct transaction *tx = event->en && event->en->tx ? event->en->tx : event->tx;
    struct ktm_effects effects;
    NTSTATUS status;

    while ((status = noted_step(run->tm, event, &effects)) == STATUS_DEVICE_BUSY)
        run_wait_settled(run, tx);
    if (status != STATUS_SUCCESS)
        return status;
    if (tx)
        engine_hold(&tx->object);
    run->is_pending |= effects.has_queued;
    perform(run, &effects);
    if (run->log_failed)
        shutdown_after_failure(run);
    if (tx) {
        after_step(run, tx);
        run_release(run, &tx->object);
    }
    return STATUS_SUCCESS;
}

void
run_shutdown(struct run *run, enum abort_reason reason)
{
    struct run inner = {.tm = run->tm};
    struct ktm *ktm = &run->tm->core;
    struct transaction *tx = ktm_next_undecided(ktm, NULL), *next;

    if (tx)
        engine_hold(&tx->object);
    for (; tx; tx = next) {
        struct ktm_event event = {.type = KTM_TX_SHUTDOWN, .tx = tx, .reason = reason};
        NTSTATUS status = run_step(&inner, &event);

        CHECK(status == STATUS_SUCCESS);
        next = ktm_next_undecided(ktm, tx); /* which is held, so it is still in its place */
        if (next)
            engine_hold(&next->object);
        run_release(&inner, &tx->object);
    }
    take_wakes(run, &inner);
}
