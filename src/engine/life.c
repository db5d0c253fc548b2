/* SPDX-License-Identifier: MIT */
/* The life of objects: holds, handles, what the last of each does [CLOSE], and the checks every
 * call begins with. */
#include "engine/inner.h"

void
engine_hold(struct object *object)
{
    atomic_fetch_add(&object->holds, 1);
}

/* The last hold goes under the lock, because finding by GUID takes new ones there. */
void
engine_release(struct object *object)
{
    uint32_t holds = atomic_load(&object->holds);
    struct run run;

    CHECK(holds > 0);
    while (holds > 1)
        if (atomic_compare_exchange_weak(&object->holds, &holds, holds - 1))
            return;
    run_begin(&run, object);
    run_release(&run, object);
    tm_destroy_if_over(run.tm);
}

/* Whoever has a pointer may open the object even when its last handle has had its effects, unless
 * these were the end of it. */
NTSTATUS
engine_handle_open(struct object *object)
{
    struct object *same;
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = object_check_alive(object);
    if (status == STATUS_SUCCESS && object->kind == OBJECT_TM && object->handles == 0)
        status = status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* it is being shut down */
    if (status == STATUS_SUCCESS)
        object_hand_out(object, &same);
    sys_mutex_unlock(&run.tm->mutex); /* no more: the caller may have a lock of his own */
    return status;
}

static void
close_enlistments(struct run *run, struct resource_manager *rm)
{
    struct enlistment *en = resource_manager_next_closing(rm, NULL), *next;

    if (en)
        engine_hold(&en->object);
    for (; en; en = next) {
        struct ktm_event event = {.type = KTM_EN_CLOSE, .en = en};
        NTSTATUS status = run_step(run, &event);

        CHECK(status == STATUS_SUCCESS);
        next =
            resource_manager_next_closing(rm, en); /* 'en' is held, so it is still in its place */
        if (next)
            engine_hold(&next->object);
        run_release(run, &en->object);
    }
}

void
run_close_rm(struct run *run, struct resource_manager *rm)
{
    struct ktm_event event = {.type = KTM_RM_CLOSE, .rm = rm};
    NTSTATUS status = run_step(run, &event);

    CHECK(status == STATUS_SUCCESS);
    close_enlistments(run, rm);
}

static void
last_handle_closed(struct run *run, struct object *object)
{
    struct ktm_event event = {0};
    NTSTATUS status;

    if (run->tm->core.state == KTM_CLOSED) {
        if (object->kind == OBJECT_TX)
            AS_TX(object)->is_open = false;
        return;
    }
    switch (object->kind) {
    case OBJECT_RM:                                       /* [CLOSE-RM-01..05] */
        atomic_fetch_or(&object->signal, SIGNAL_EXPIRED); /* waiting threads end [NOTIF-GET-15] */
        run_wake(run, object);
        loans_cancel(AS_RM(object)); /* [NOTIF-ASYNC-06] */
        run_close_rm(run, AS_RM(object));
        return;
    case OBJECT_TX: /* [CLOSE-TX-01..07] */
        event.type = KTM_TX_CLOSE;
        event.tx = AS_TX(object);
        break;
    default: /* [CLOSE-EN-01..10] */
        event.type = KTM_EN_CLOSE;
        event.en = AS_EN(object);
        break;
    }
    status = run_step(run, &event);
    CHECK(status == STATUS_SUCCESS);
}

/* The registry's lock is taken so that nobody finds a TM whose last handle is going. */
static void
tm_handle_close(struct engine_tm *tm)
{
    struct engine *engine = tm->engine;
    bool is_last;

    sys_mutex_lock(&engine->mutex);
    sys_mutex_lock(&tm->mutex);
    CHECK(tm->object.handles > 0);
    is_last = --tm->object.handles == 0;
    sys_mutex_unlock(&tm->mutex);
    sys_mutex_unlock(&engine->mutex);
    if (is_last)
        tm_close(tm);
    engine_release(&tm->object);
}

void
engine_handle_close(struct object *object)
{
    struct run run;

    if (object->kind == OBJECT_TM) {
        tm_handle_close(AS_TM(object));
        return;
    }
    run_begin(&run, object);
    CHECK(object->handles > 0);
    if (--object->handles == 0)
        last_handle_closed(&run, object);
    run_end(&run);
    engine_release(object);
}

bool
engine_is_expired(struct object *object)
{
    switch (object->kind) {
    case OBJECT_TM:
        return AS_TM(object)->core.state == KTM_CLOSED;
    case OBJECT_RM:
        return AS_RM(object)->ktm->state == KTM_CLOSED || !AS_RM(object)->is_open;
    case OBJECT_TX:
        return atomic_load(&AS_TX(object)->ktm)->state == KTM_CLOSED;
    default:
        return AS_EN(object)->rm->ktm->state == KTM_CLOSED || !AS_EN(object)->rm->is_open;
    }
}

/* First check of every call [OBJ-21, TMR-05]. */
NTSTATUS
object_check_alive(struct object *object)
{
    return engine_is_expired(object) ? status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED)
                                     : STATUS_SUCCESS;
}

NTSTATUS
tm_check_online(struct object *tm)
{
    TRY(object_check_alive(tm)); /* [RM-CREATE-11] */
    if (AS_TM(tm)->core.state != KTM_ONLINE)
        return status_raise(STATUS_TRANSACTIONMANAGER_NOT_ONLINE); /* [TM-STATE-01] */
    return STATUS_SUCCESS;
}

void
object_hand_out(struct object *object, struct object **out)
{
    object->handles++;
    engine_hold(object);
    if (object->kind == OBJECT_TX)
        AS_TX(object)->is_open = true;
    if (object->kind == OBJECT_EN)
        AS_EN(object)->is_attached = true;
    *out = object;
}

GUID
fresh_guid(struct engine *engine)
{
    uint8_t random[16];
    GUID guid;

    sys_random(engine->sys, random, sizeof(random));
    guid_from_random(random, &guid); /* [OBJ-18] */
    return guid;
}
