/* SPDX-License-Identifier: MIT */
/* Transaction managers: made, found, recovered, shut down [TM-CREATE … TM-QUERY, CLOSE-TM]. */
#include "engine/inner.h"

#include <stdlib.h>

/* ---- memory ---- */

/* What the rooms above have hung on an object that is about to be freed. */
static void
object_farewell(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    if (fd)
        sys_event_destroy(fd - 1);
}

struct engine_tm *
tm_create(struct engine *engine, bool is_volatile)
{
    struct engine_tm *tm = calloc(1, sizeof(*tm));

    if (!tm)
        return NULL;
    tm->object.kind = OBJECT_TM;
    tm->engine = engine;
    sys_mutex_init(&tm->mutex);
    list_init(&tm->in_engine);
    list_init(&tm->frozen);
    ktm_init(&tm->core, is_volatile);
    tm->core.farewell = object_farewell;
    return tm;
}

void
tm_destroy_if_over(struct engine_tm *tm)
{
    bool is_over = tm->core.state == KTM_CLOSED && atomic_load(&tm->object.holds) == 0 &&
                   list_is_empty(&tm->core.tx_list) && list_is_empty(&tm->core.rm_list);

    sys_mutex_unlock(&tm->mutex);
    if (!is_over)
        return;
    ktm_deinit(&tm->core);
    sys_mutex_deinit(&tm->mutex);
    free(tm->log_name);
    free(tm->scratch);
    free(tm);
}

/* ---- the registry ---- */

/* A TM in the registry with that identity, of its own or of its log; or NULL. */
static struct engine_tm *
registry_find(struct engine *engine, const GUID *guid, bool by_log)
{
    struct engine_tm *tm;

    LIST_EACH (tm, &engine->tms, in_engine) {
        bool is_it = by_log ? !tm->core.is_volatile && guid_equal(&tm->physical_log, guid)
                            : guid_equal(&tm->core.identity, guid);

        if (is_it)
            return tm;
    }
    return NULL;
}

struct engine_tm *
registry_find_identity(struct engine *engine, const GUID *identity)
{
    return registry_find(engine, identity, false);
}

/* Enters the TM, unless its log or its identity is taken [TM-CREATE-11, NAME-01]. */
static NTSTATUS
registry_add(struct engine_tm *tm)
{
    struct engine *engine = tm->engine;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&engine->mutex);
    if ((!tm->core.is_volatile && registry_find(engine, &tm->physical_log, true)) ||
        registry_find(engine, &tm->core.identity, false)) {
        status = status_raise(STATUS_OBJECT_NAME_COLLISION);
    } else {
        tm->object.handles = 1;
        atomic_store(&tm->object.holds, 1);
        tm->number = ++engine->registered;
        list_append(&engine->tms, &tm->in_engine);
    }
    sys_mutex_unlock(&engine->mutex);
    return status;
}

/* A handle to a live TM found under the registry's lock; closing takes that lock before it gives up
 * the last. Answers: TRANSACTIONMANAGER_NOT_FOUND, TRANSACTION_OBJECT_EXPIRED (it is being shut
 * down). */
static NTSTATUS
registry_open(struct engine *engine, const GUID *guid, bool by_log, struct object **out)
{
    NTSTATUS status = STATUS_TRANSACTIONMANAGER_NOT_FOUND;
    struct engine_tm *tm;

    sys_mutex_lock(&engine->mutex);
    tm = registry_find(engine, guid, by_log);
    if (tm) {
        sys_mutex_lock(&tm->mutex);
        status = tm->object.handles > 0 ? STATUS_SUCCESS : STATUS_TRANSACTION_OBJECT_EXPIRED;
        if (status == STATUS_SUCCESS)
            object_hand_out(&tm->object, out);
        sys_mutex_unlock(&tm->mutex);
    }
    sys_mutex_unlock(&engine->mutex);
    return status;
}

NTSTATUS
engine_tm_open_guid(struct engine *engine, const GUID *identity, struct object **out)
{
    return registry_open(engine, identity, false, out) == STATUS_SUCCESS
               ? STATUS_SUCCESS
               : status_raise(STATUS_TRANSACTIONMANAGER_NOT_FOUND);
}

/* ---- creating ---- */

static NTSTATUS
name_set(struct engine_tm *tm, const uint16_t *name, size_t units)
{
    tm->log_name = calloc(units + 1, sizeof(*tm->log_name));
    if (!tm->log_name)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (units)
        memcpy(tm->log_name, name, units * sizeof(*name));
    tm->log_name_units = units;
    return STATUS_SUCCESS;
}

static void
tm_discard(struct engine_tm *tm)
{
    tm_log_detach(tm);
    sys_mutex_lock(&tm->mutex);
    tm->core.state = KTM_CLOSED;
    tm_destroy_if_over(tm);
}

/* Opens the log; *live: it belongs to a live TM already, of which this is a handle now. Else it is
 * nobody's: one that is being shut down still writes its last checkpoint, and what would be read
 * beside it, or written, would not be what is there in the end.
 * Answers: OBJECT_NAME_COLLISION (it is being shut down), those of tm_log_open. */
static NTSTATUS
log_open_or_find(struct engine_tm *tm, const char *path, bool create, struct object **live)
{
    NTSTATUS status;

    TRY(tm_log_open(tm, path, create));
    status = registry_open(tm->engine, &tm->physical_log, true, live);
    return status == STATUS_TRANSACTION_OBJECT_EXPIRED ? status_raise(STATUS_OBJECT_NAME_COLLISION)
                                                       : STATUS_SUCCESS;
}

static NTSTATUS
attach_or_find(struct engine_tm *tm, const char *path, bool create, struct object **live)
{
    TRY(log_open_or_find(tm, path, create, live));
    if (*live)
        return STATUS_SUCCESS;
    TRY(tm_log_attach(tm));
    return registry_add(tm);
}

static NTSTATUS
tm_make(struct engine *engine, const char *log_path, const uint16_t *log_name, size_t units,
        bool create, struct object **out)
{
    struct engine_tm *tm = tm_create(engine, false);
    struct object *live = NULL;
    NTSTATUS status;

    if (!tm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = name_set(tm, log_name, units);
    tm_gate_enter(engine);
    if (status == STATUS_SUCCESS) {
        sys_mutex_lock(&engine->attaching);
        status = attach_or_find(tm, log_path, create, &live);
        sys_mutex_unlock(&engine->attaching);
    }
    if (status != STATUS_SUCCESS || live)
        tm_discard(tm);
    tm_gate_leave(engine);
    if (status == STATUS_SUCCESS && !live) {
        *out = &tm->object;
        return STATUS_SUCCESS;
    }
    if (status != STATUS_SUCCESS)
        return status;
    if (!create) {
        *out = live; /* [TM-OPEN-07] */
        return STATUS_SUCCESS;
    }
    engine_handle_close(live);
    return status_raise(STATUS_OBJECT_NAME_COLLISION); /* [TM-CREATE-11] */
}

NTSTATUS
engine_tm_create(struct engine *engine, const char *log_path, const uint16_t *log_name,
                 size_t log_name_units, struct object **out)
{
    struct engine_tm *tm;
    uint8_t random[16];
    NTSTATUS status;

    if (log_path)
        return tm_make(engine, log_path, log_name, log_name_units, true, out);
    tm = tm_create(engine, true); /* [TM-CREATE-01] */
    if (!tm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    sys_random(engine->sys, random, sizeof(random));
    guid_from_random(random, &tm->core.identity);
    status = registry_add(tm);
    if (status != STATUS_SUCCESS)
        tm_discard(tm);
    else
        *out = &tm->object;
    return status;
}

NTSTATUS
engine_tm_open_log(struct engine *engine, const char *log_path, const uint16_t *log_name,
                   size_t log_name_units, struct object **out)
{
    return tm_make(engine, log_path, log_name, log_name_units, false, out);
}

NTSTATUS
engine_tm_rename(struct engine *engine, const char *log_path, const GUID *expected)
{
    struct engine_tm *tm = tm_create(engine, false);
    struct object *live = NULL;
    NTSTATUS status;

    if (!tm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    tm_gate_enter(engine);
    sys_mutex_lock(&engine->attaching);
    status = log_open_or_find(tm, log_path, false, &live);
    if (live)
        status = status_raise(STATUS_OBJECT_NAME_COLLISION); /* [TM-RENAME-04] */
    if (status == STATUS_SUCCESS)
        status = tm_log_attach(tm);
    if (status == STATUS_SUCCESS)
        status = tm_log_rename(tm, expected);
    tm_discard(tm);
    sys_mutex_unlock(&engine->attaching);
    tm_gate_leave(engine);
    if (live)
        engine_handle_close(live);
    return status;
}

/* ---- recovery ---- */

static bool
knows_any_of(struct engine_tm *other, const struct engine_tm *tm)
{
    const struct transaction *tx, *same;
    bool knows = false;

    sys_mutex_lock(&other->mutex);
    LIST_EACH (tx, &tm->core.tx_list, in_ktm) {
        same = ktm_find_transaction(&other->core, &tx->link.guid);
        knows = knows || (same && !span_is_kin(tx, same));
    }
    sys_mutex_unlock(&other->mutex);
    return knows;
}

/* A rebuilt transaction must not have the UOW of a live one elsewhere [TM-RECOVER-10]. */
static NTSTATUS
check_collisions(struct engine_tm *tm)
{
    struct engine *engine = tm->engine;
    struct engine_tm *other;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&engine->mutex);
    if (knows_any_of(engine->nursery, tm))
        status = STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION;
    LIST_EACH (other, &engine->tms, in_engine)
        if (other != tm && knows_any_of(other, tm))
            status = STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION;
    sys_mutex_unlock(&engine->mutex);
    return status == STATUS_SUCCESS ? status : status_raise(status);
}

static void
recovery_finish(struct engine_tm *tm, const int64_t *clock, bool reached_end)
{
    struct resource_manager *rm;
    struct transaction *tx;

    if (clock && *clock > 0 && tm->core.clock < *clock)
        tm->core.clock = *clock; /* [TM-ROLLFWD-02] */
    if (!reached_end)
        return;
    ktm_replay_end(&tm->core);
    LIST_EACH (rm, &tm->core.rm_list, in_ktm)
        if (rm->is_branch)
            span_rm_open(rm);
    tm->core.state = KTM_ONLINE;
    LIST_EACH (tx, &tm->core.tx_list, in_ktm)
        if (tm_log_reserve_now(tm, tx) != STATUS_SUCCESS)
            break; /* best effort: what is still to be written is short, and a full log makes room
                    */
}

/* Only this thread is in the log: the state Recovering keeps everybody else out. */
static NTSTATUS
recover(struct engine_tm *tm, const int64_t *clock)
{
    bool reached_end = false;
    NTSTATUS status = tm_log_replay(tm, clock, &reached_end);

    if (status == STATUS_SUCCESS && reached_end)
        status = check_collisions(tm);
    sys_mutex_lock(&tm->mutex);
    if (status == STATUS_SUCCESS) {
        recovery_finish(tm, clock, reached_end);
    } else {
        ktm_replay_undo(&tm->core);
        tm->core.state = KTM_RECOVERY_FAILED; /* [TM-RECOVER-10, -11] */
    }
    sys_mutex_unlock(&tm->mutex);
    return status;
}

/* *is_mine: the TM is Recovering, and this thread is to do it. */
static NTSTATUS
recovery_begin(struct engine_tm *tm, const int64_t *clock, bool *is_mine)
{
    if (tm->object.handles == 0)
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* it is being shut down */
    switch (atomic_load(&tm->core.state)) {
    case KTM_INITIALIZED:
    case KTM_RECOVERING:
        tm->core.state = KTM_RECOVERING; /* [RECOV-09] */
        *is_mine = true;
        return STATUS_SUCCESS;
    case KTM_ONLINE: /* [TM-RECOVER-07, OP-16; TM-ROLLFWD-08] */
        return clock ? status_raise(STATUS_UNSUCCESSFUL) : STATUS_SUCCESS;
    default:
        return status_raise(STATUS_UNSUCCESSFUL);
    }
}

NTSTATUS
engine_tm_recover(struct object *object, const int64_t *clock)
{
    struct engine_tm *tm = AS_TM(object);
    bool is_mine = false;
    NTSTATUS status;

    if (tm->core.is_volatile)
        return status_raise(STATUS_TM_VOLATILE); /* [TM-RECOVER-06] */
    /* One recovery at a time, and none while the log is detached. */
    sys_mutex_lock(&tm->engine->attaching);
    sys_mutex_lock(&tm->mutex);
    status = recovery_begin(tm, clock, &is_mine);
    sys_mutex_unlock(&tm->mutex);
    if (is_mine)
        status = recover(tm, clock);
    sys_mutex_unlock(&tm->engine->attaching);
    if (is_mine && status == STATUS_SUCCESS)
        span_tm_online(tm); /* [BR-04] */
    return status;
}

/* ---- the last handle [CLOSE-TM-01..06] ---- */

static void
expire_all(struct run *run)
{
    struct ktm *ktm = &run->tm->core;
    struct resource_manager *rm, *rm_after;
    struct transaction *tx, *tx_after;

    LIST_EACH_SAFE (tx, tx_after, &ktm->tx_list, in_ktm) {
        atomic_fetch_or(&tx->object.signal, SIGNAL_EXPIRED);
        run_wake(run, &tx->object);
        tx->is_open = false;
        if (timer_cancel(run->tm->engine, tx))
            atomic_fetch_sub(&tx->object.holds, 1);
        ktm_reap(&tx->object);
    }
    LIST_EACH_SAFE (rm, rm_after, &ktm->rm_list, in_ktm) {
        atomic_fetch_or(&rm->object.signal, SIGNAL_EXPIRED);
        run_wake(run, &rm->object);
        loans_cancel(rm);
        rm->is_open = false;
        ktm_reap(&rm->object);
    }
}

static struct transaction *
first_forcing(const struct ktm *ktm)
{
    struct transaction *tx;

    LIST_EACH (tx, &ktm->tx_list, in_ktm)
        if (tx->forcing)
            return tx;
    return NULL;
}

static void
wait_for_forces(struct run *run)
{
    struct transaction *tx;

    while ((tx = first_forcing(&run->tm->core)))
        run_wait_settled(run, tx);
}

/* With the log still there: what was put off is done, and nothing is under way any more. */
static void
settle(struct engine_tm *tm)
{
    struct run run;

    run_begin_tm(&run, tm);
    freeze_catch_up(&run);
    run_shutdown(&run, REASON_TM_CLOSED); /* what came while we waited for a thaw */
    wait_for_forces(&run);
    run_end(&run);
}

void
tm_close(struct engine_tm *tm)
{
    struct engine *engine = tm->engine;
    struct run run;

    /* A recovery under way comes to its end; no other begins, for there is no handle any more. */
    sys_mutex_lock(&tm->engine->attaching);
    sys_mutex_unlock(&tm->engine->attaching);
    run_begin_tm(&run, tm);
    run_shutdown(&run, REASON_TM_CLOSED); /* [CLOSE-TM-01, ROLL-07] */
    run_end(&run);
    if (!tm->core.is_volatile)
        tm_gate_enter(engine);
    settle(tm);
    if (tm->log && tm->core.state == KTM_ONLINE)
        (void)tm_log_checkpoint(tm); /* [CLOSE-TM-02, LOG-09] */
    run_begin_tm(&run, tm);
    tm->core.state = KTM_CLOSED; /* every handle below has expired [CLOSE-TM-03] */
    expire_all(&run);
    run_end(&run);
    span_tm_closed(tm);
    sys_mutex_lock(&tm->engine->attaching);
    tm_log_detach(tm); /* it can be attached again [CLOSE-TM-04] */
    sys_mutex_unlock(&tm->engine->attaching);
    sys_mutex_lock(&tm->engine->mutex);
    list_remove(&tm->in_engine);
    sys_mutex_unlock(&tm->engine->mutex);
    if (!tm->core.is_volatile)
        tm_gate_leave(engine);
}

/* ---- queries ---- */

void
engine_tm_query(struct object *object, struct engine_tm_info *out)
{
    struct engine_tm *tm = AS_TM(object);

    sys_mutex_lock(&tm->mutex);
    *out = (struct engine_tm_info){.identity = tm->core.identity,
                                   .log_identity = tm->core.log_identity,
                                   .clock = tm->core.clock,
                                   .last_recovered_lsn = tm->last_recovered_lsn,
                                   .state = (uint8_t)tm->core.state,
                                   .is_volatile = tm->core.is_volatile,
                                   .log_name = tm->log_name,
                                   .log_name_units = tm->log_name_units};
    if (!list_is_empty(&tm->core.logged))
        out->oldest_transaction =
            list_first(&tm->core.logged, struct transaction, in_log)->link.guid;
    sys_mutex_unlock(&tm->mutex);
}

NTSTATUS
engine_tm_probe(struct object *object)
{
    struct engine_tm *tm = AS_TM(object);
    struct clfs_info info = {0};
    bool is_online;

    if (tm->core.is_volatile)
        return status_raise(STATUS_TM_VOLATILE);
    sys_mutex_lock(&tm->mutex);
    is_online = tm->core.state == KTM_ONLINE;
    if (is_online)
        clfs_log_info(tm->log, &info);
    sys_mutex_unlock(&tm->mutex);
    return is_online && !info.is_failed ? STATUS_SUCCESS
                                        : status_raise(STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}
