/* SPDX-License-Identifier: MIT */
/*
 * A quiet moment in all logs, for a snapshot of the disk [FRZ-01..09] (decision 0021).
 *
 * While frozen no log of this instance is written. Calls that would begin a commit wait for the
 * thaw (TX-COMMIT-22), or are begun by it when their caller does not wait. A decision that falls
 * due, because the last vote is in, is put off: the call that brought the vote returns, and until
 * the thaw the transaction can still be rolled back. Records that need no force (ABORT, FORGET)
 * are put off as well. Everything else goes on, for it writes nothing [FRZ-03].
 *
 * Put off is what stands in the list 'frozen' of a TM; the thaw, or whoever shuts the TM down,
 * catches up on it. No lock is held while somebody waits for the thaw; who waits holds his object,
 * and looks at everything afresh afterwards.
 *
 * Invariants: (1) 'is_frozen' of a TM changes under its lock, and nobody enters its log or appends
 * to it while it is set; (2) TMs with a log come and go inside tm_gate_enter … tm_gate_leave, so
 * while frozen their set does not change; (3) 'thaws' changes after is_frozen has been cleared
 * everywhere, so no wake-up is lost [INV-15]; (4) records that were put off stand in the log before
 * every decision after the thaw: who was told that a transaction is not known any more may rely on
 * it as soon as a later one is decided.
 */
#include "engine/inner.h"

#include <limits.h>
#include <stdlib.h>

void
freeze_init(struct freeze *freeze)
{
    *freeze = (struct freeze){.state = THAWED};
    sys_mutex_init(&freeze->mutex);
}

/* The thread that ends one freeze, if nobody else does. Not the thread of the time-outs: that may
 * be in a callback that waits for the thaw. */
struct thawer {
    struct engine *engine;
    struct sys_thread *thread;
    uint64_t deadline;
    uint32_t seen; /* freezes that have ended before */
};

static void
thawer_join(struct thawer *thawer)
{
    if (thawer)
        sys_thread_join(thawer->thread);
    free(thawer);
}

void
freeze_deinit(struct freeze *freeze)
{
    atomic_fetch_add(&freeze->thaws, 1);
    sys_wake(&freeze->thaws, INT_MAX);
    thawer_join(freeze->thawer);
    sys_mutex_deinit(&freeze->mutex);
}

/* ---- those who must wait ---- */

void
freeze_wait(struct run *run)
{
    struct freeze *freeze = &run->tm->engine->freeze;

    while (atomic_load(&run->tm->is_frozen)) {
        uint32_t seen = atomic_load(&freeze->thaws); /* under the lock: invariant (3) */

        run_sleep(run, &freeze->thaws, seen);
    }
}

/* Gates this thread is in: closing a TM calls callbacks, and they may make or close another. */
static _Thread_local unsigned gates;

void
tm_gate_enter(struct engine *engine)
{
    struct freeze *freeze = &engine->freeze;

    sys_mutex_lock(&freeze->mutex);
    while (freeze->state != THAWED && gates == 0) { /* else the freeze waits for us */
        uint32_t seen = atomic_load(&freeze->thaws);

        sys_mutex_unlock(&freeze->mutex);
        (void)sys_wait(&freeze->thaws, seen, SYS_FOREVER);
        sys_mutex_lock(&freeze->mutex);
    }
    atomic_fetch_add(&freeze->in_gate, 1);
    gates++;
    sys_mutex_unlock(&freeze->mutex);
}

void
tm_gate_leave(struct engine *engine)
{
    struct freeze *freeze = &engine->freeze;

    CHECK(gates > 0);
    gates--;
    if (atomic_fetch_sub(&freeze->in_gate, 1) == 1)
        sys_wake(&freeze->in_gate, INT_MAX);
}

/* ---- what is put off ---- */

static void
put_off(struct engine_tm *tm, struct transaction *tx)
{
    if (!list_is_empty(&tx->in_frozen))
        return;
    engine_hold(&tx->object);
    list_append(&tm->frozen, &tx->in_frozen);
}

bool
freeze_stops_commit(const struct run *run, const struct transaction *tx)
{
    return atomic_load(&run->tm->is_frozen) && tx->state == TX_ACTIVE && !tx->commit_requested &&
           !tx->superior; /* else the core refuses it, or only passes it on to the superior */
}

void
freeze_put_off_commit(struct run *run, struct transaction *tx)
{
    tx->commit_requested = true; /* asked for: neither asked again nor undone by a close */
    tx->is_commit_put_off = true;
    put_off(run->tm, tx);
    run->is_pending = true;
}

bool
freeze_puts_off_record(struct run *run, struct transaction *tx, enum record_type record)
{
    if (!atomic_load(&run->tm->is_frozen))
        return false;
    tx->record_put_off = (uint8_t)record;
    run->tm->has_records_put_off = true;
    put_off(run->tm, tx);
    return true;
}

void
freeze_append_put_off(struct run *run)
{
    struct engine_tm *tm = run->tm;
    struct transaction *tx;

    if (!tm->has_records_put_off || atomic_load(&tm->is_frozen))
        return;
    tm->has_records_put_off = false;
    LIST_EACH (tx, &tm->frozen, in_frozen) {
        enum record_type record = (enum record_type)tx->record_put_off;

        tx->record_put_off = 0;
        if (record)
            run_append(run, tx, record);
    }
}

bool
freeze_puts_off_decision(struct run *run, struct transaction *tx)
{
    if (!atomic_load(&run->tm->is_frozen) || tx->state != TX_PREPARING)
        return false;
    transaction_unforce(tx);
    run_wake(run, &tx->object);
    put_off(run->tm, tx);
    run->is_pending = true;
    return true;
}

/* ---- catching up ---- */

/* Nobody waits for the answer: what can no longer be committed is rolled back, unless the superior
 * that has joined meanwhile sees to it. */
static void
begin_commit(struct run *run, struct transaction *tx)
{
    struct ktm_event event = {.type = KTM_TX_COMMIT, .tx = tx};
    NTSTATUS status;

    tx->commit_requested = tx->is_commit_put_off = false;
    status = tx->superior ? STATUS_SUCCESS : tm_log_reserve(run, tx);
    if (status == STATUS_SUCCESS && freeze_stops_commit(run, tx)) { /* frozen again meanwhile */
        freeze_put_off_commit(run, tx);
        return;
    }
    if (status == STATUS_SUCCESS)
        status = run_step(run, &event);
    if (status == STATUS_SUCCESS)
        return;
    event.type = KTM_TX_SHUTDOWN;
    event.reason = REASON_LOG;
    if (tx->superior && tx->is_open)
        return;
    if (tx->superior)
        event.type = KTM_TX_CLOSE; /* as it would have been told without the freeze */
    status = run_step(run, &event);
    CHECK(status == STATUS_SUCCESS); /* what the world reports is never refused */
}

static void
catch_up_one(struct run *run, struct transaction *tx)
{
    struct ktm_event event = {.type = KTM_TX_THAW, .tx = tx};
    NTSTATUS status;

    CHECK(!tx->record_put_off); /* freeze_append_put_off was here before */
    if (tx->is_commit_put_off)
        begin_commit(run, tx);
    status = run_step(run, &event); /* if its decision was put off, it is asked for again */
    CHECK(status == STATUS_SUCCESS);
}

void
freeze_catch_up(struct run *run)
{
    struct engine_tm *tm = run->tm;

    while (!atomic_load(&tm->is_frozen) && !list_is_empty(&tm->frozen)) {
        struct transaction *tx = list_first(&tm->frozen, struct transaction, in_frozen);

        freeze_append_put_off(run); /* each time: it may have been frozen and thawed meanwhile */
        list_remove(&tx->in_frozen);
        catch_up_one(run, tx);
        run_release(run, &tx->object);
    }
}

/* ---- the set of logs ---- */

static bool
has_to_catch_up(struct engine_tm *tm)
{
    bool has;

    sys_mutex_lock(&tm->mutex);
    has = !atomic_load(&tm->is_frozen) && !list_is_empty(&tm->frozen);
    sys_mutex_unlock(&tm->mutex);
    return has;
}

static bool
is_in_its_log(struct engine_tm *tm)
{
    return atomic_load(&tm->log_users) != 0;
}

/* One of the TMs of which 'is_it' says so, held; NULL: there is none. */
static struct engine_tm *
find_one(struct engine *engine, bool (*is_it)(struct engine_tm *tm))
{
    struct engine_tm *tm, *found = NULL;

    sys_mutex_lock(&engine->mutex);
    LIST_EACH (tm, &engine->tms, in_engine) {
        if (!found && !tm->core.is_volatile && is_it(tm)) {
            found = tm;
            engine_hold(&tm->object);
        }
    }
    sys_mutex_unlock(&engine->mutex);
    return found;
}

static void
set_all(struct engine *engine, bool is_frozen)
{
    struct engine_tm *tm;

    sys_mutex_lock(&engine->mutex);
    LIST_EACH (tm, &engine->tms, in_engine) {
        sys_mutex_lock(&tm->mutex);
        atomic_store(&tm->is_frozen, is_frozen && !tm->core.is_volatile);
        sys_mutex_unlock(&tm->mutex);
    }
    sys_mutex_unlock(&engine->mutex);
}

static bool
gate_is_empty(struct freeze *freeze, uint64_t deadline)
{
    uint32_t users;
    bool is_late = false;

    while ((users = atomic_load(&freeze->in_gate)) && !is_late)
        is_late = !sys_wait(&freeze->in_gate, users, deadline);
    return users == 0;
}

static bool
logs_are_quiet(struct engine *engine, uint64_t deadline)
{
    struct engine_tm *tm;
    bool is_late = false;

    while (!is_late && (tm = find_one(engine, is_in_its_log))) {
        uint32_t users = atomic_load(&tm->log_users);

        if (users)
            is_late = !sys_wait(&tm->log_users, users, deadline);
        engine_release(&tm->object);
    }
    return !is_late;
}

/* ---- freeze and thaw ---- */

/* False: somebody else freezes, or has frozen. */
static bool
take_thawed(struct freeze *freeze)
{
    bool is_thawed;

    sys_mutex_lock(&freeze->mutex);
    is_thawed = freeze->state == THAWED;
    if (is_thawed)
        freeze->state = FREEZING;
    sys_mutex_unlock(&freeze->mutex);
    return is_thawed;
}

/* Those who wait are woken first: catching up may call callbacks. */
static void
thaw(struct engine *engine)
{
    struct freeze *freeze = &engine->freeze;
    struct engine_tm *tm;

    set_all(engine, false);
    sys_mutex_lock(&freeze->mutex);
    freeze->state = THAWED;
    atomic_fetch_add(&freeze->thaws, 1);
    sys_mutex_unlock(&freeze->mutex);
    sys_wake(&freeze->thaws, INT_MAX);
    while ((tm = find_one(engine, has_to_catch_up))) {
        struct run run;

        run_begin_tm(&run, tm);
        freeze_catch_up(&run);
        run_end(&run);
        engine_release(&tm->object);
    }
}

/* Both time-outs are lengths of time, whatever their sign [FRZ-01, FRZ-07]. */
static uint64_t
deadline_in(struct engine *engine, int64_t timeout)
{
    LARGE_INTEGER relative;

    relative.QuadPart = timeout > 0 ? -timeout : timeout;
    return relative.QuadPart ? engine_deadline(engine, &relative) : sys_time_monotonic(engine->sys);
}

/* Has the freeze come to its end? Then it is this thread's to thaw. */
static bool
take_due(struct engine *engine, struct thawer *thawer)
{
    struct freeze *freeze = &engine->freeze;
    bool is_due;

    sys_mutex_lock(&freeze->mutex);
    is_due = freeze->state == FROZEN && freeze->thawer == thawer &&
             freeze->deadline <= sys_time_monotonic(engine->sys);
    if (is_due) {
        freeze->state = THAWING;
        freeze->thawer = NULL;
    }
    sys_mutex_unlock(&freeze->mutex);
    return is_due;
}

static void
thawer_run(void *context)
{
    struct thawer *thawer = context;
    struct freeze *freeze = &thawer->engine->freeze;

    while (atomic_load(&freeze->thaws) == thawer->seen)
        if (!sys_wait(&freeze->thaws, thawer->seen, thawer->deadline) &&
            take_due(thawer->engine, thawer)) {
            thaw(thawer->engine);              /* [FRZ-07] */
            sys_thread_detach(thawer->thread); /* nobody knows it any more */
            free(thawer);
            return;
        }
}

static NTSTATUS
thawer_start(struct engine *engine, uint64_t deadline, struct thawer **out)
{
    struct thawer *thawer;
    NTSTATUS status;

    if (!engine->timers.has_thread)
        return STATUS_SUCCESS;
    thawer = calloc(1, sizeof(*thawer));
    if (!thawer)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    thawer->engine = engine;
    thawer->deadline = deadline;
    thawer->seen = atomic_load(&engine->freeze.thaws);
    status = sys_thread_start("ktm-thaw", thawer_run, thawer, &thawer->thread);
    if (status != STATUS_SUCCESS)
        free(thawer);
    else
        *out = thawer;
    return status;
}

/* All is quiet. Its end is arranged, and then it begins; under the lock, so that its end does not
 * come before. */
static NTSTATUS
begin(struct engine *engine, int64_t thaw_timeout)
{
    struct freeze *freeze = &engine->freeze;
    NTSTATUS status;

    sys_mutex_lock(&freeze->mutex);
    freeze->deadline = deadline_in(engine, thaw_timeout);
    status = thawer_start(engine, freeze->deadline, &freeze->thawer);
    if (status == STATUS_SUCCESS)
        freeze->state = FROZEN;
    sys_mutex_unlock(&freeze->mutex);
    return status;
}

NTSTATUS
engine_freeze(struct engine *engine, int64_t freeze_timeout, int64_t thaw_timeout)
{
    struct freeze *freeze = &engine->freeze;
    uint64_t deadline = deadline_in(engine, freeze_timeout);
    NTSTATUS status;

    if (!take_thawed(freeze))
        return status_raise(STATUS_TRANSACTION_FREEZE_IN_PROGRESS); /* [FRZ-04] */
    if (!gate_is_empty(freeze, deadline)) {
        thaw(engine);
        return STATUS_TIMEOUT; /* [FRZ-01] */
    }
    set_all(engine, true);
    if (!logs_are_quiet(engine, deadline)) {
        thaw(engine);
        return STATUS_TIMEOUT;
    }
    status = begin(engine, thaw_timeout);
    if (status != STATUS_SUCCESS)
        thaw(engine);
    return status;
}

/* Takes the thawer off the freeze that is to end; false: there is none. */
static bool
take_frozen(struct freeze *freeze, struct thawer **thawer)
{
    bool is_frozen;

    sys_mutex_lock(&freeze->mutex);
    is_frozen = freeze->state == FROZEN;
    if (is_frozen) {
        freeze->state = THAWING;
        *thawer = freeze->thawer;
        freeze->thawer = NULL;
    }
    sys_mutex_unlock(&freeze->mutex);
    return is_frozen;
}

NTSTATUS
engine_thaw(struct engine *engine)
{
    struct thawer *thawer = NULL;

    if (!take_frozen(&engine->freeze, &thawer))
        return status_raise(STATUS_TRANSACTIONS_NOT_FROZEN); /* [FRZ-05, FRZ-07] */
    thaw(engine);
    thawer_join(thawer); /* it has nothing to do any more */
    return STATUS_SUCCESS;
}

void
freeze_run_timer(struct engine *engine)
{
    if (take_due(engine, NULL))
        thaw(engine);
}
