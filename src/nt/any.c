/* SPDX-License-Identifier: MIT */
/* Objects of any kind, and the common part of our own. */
#include "nt/any.h"

#include <limits.h>

#include "engine/engine.h"
#include "nt/own.h"
#include "sys/thread.h"

static struct sys_mutex own_mutex = {PTHREAD_MUTEX_INITIALIZER};

/* ---- our own ---- */

void
own_init(struct object *object, enum own_kind kind)
{
    *object = (struct object){.kind = (uint8_t)kind, .handles = 1};
    atomic_init(&object->holds, 1);
}

void
own_begin_anew(void)
{
    sys_mutex_init(&own_mutex);
}

void
own_lock(void)
{
    sys_mutex_lock(&own_mutex);
}

void
own_unlock(void)
{
    sys_mutex_unlock(&own_mutex);
}

void
own_signal(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    atomic_fetch_or(&object->signal, SIGNAL_SET);
    atomic_fetch_add(&object->signal, SIGNAL_COUNT);
    if (fd)
        sys_event_set(fd - 1);
    engine_watches_tell(object);
}

void
own_unsignal(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    atomic_fetch_and(&object->signal, ~(uint32_t)SIGNAL_SET);
    if (fd)
        sys_event_clear(fd - 1);
}

void
own_expire(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    atomic_fetch_or(&object->signal, SIGNAL_EXPIRED);
    if (fd)
        sys_event_set(fd - 1);
    engine_watches_tell(object);
}

void
own_wake(struct object *object)
{
    if (atomic_load(&object->waiters))
        sys_wake(&object->signal, INT_MAX);
}

static void
own_release(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    CHECK(atomic_load(&object->holds) > 0);
    if (atomic_fetch_sub(&object->holds, 1) > 1)
        return;
    if (fd)
        sys_event_destroy(fd - 1);
    if (object->kind == OBJECT_EVENT)
        event_destroy(object);
    else
        port_destroy(object);
}

/* A port whose last handle went has had its end, whoever still holds it; an event comes back. */
static NTSTATUS
own_handle_open(struct object *object)
{
    NTSTATUS status = STATUS_SUCCESS;

    own_lock();
    if (object->handles > 0 || object->kind == OBJECT_EVENT) {
        object->handles++;
        any_hold(object);
        atomic_fetch_and(&object->signal, ~(uint32_t)SIGNAL_EXPIRED);
    } else {
        status = status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    }
    own_unlock();
    return status;
}

static void
own_handle_close(struct object *object)
{
    bool is_last;

    own_lock();
    CHECK(object->handles > 0);
    is_last = --object->handles == 0;
    if (is_last && object->kind == OBJECT_EVENT)
        own_expire(object);
    own_unlock();
    if (is_last && object->kind == OBJECT_PORT)
        port_closed(object);
    if (is_last)
        own_wake(object);
    own_release(object);
}

/* ---- any ---- */

void
any_hold(struct object *object)
{
    engine_hold(object); /* the same for all */
}

void
any_release(struct object *object)
{
    if (is_own(object))
        own_release(object);
    else
        engine_release(object);
}

NTSTATUS
any_handle_open(struct object *object)
{
    return is_own(object) ? own_handle_open(object) : engine_handle_open(object);
}

void
any_handle_close(struct object *object)
{
    if (is_own(object))
        own_handle_close(object);
    else
        engine_handle_close(object);
}

bool
any_is_expired(struct object *object)
{
    return !is_own(object) && engine_is_expired(object);
}

/* ---- waiting ---- */

/* Takes the signal, if it is there. */
static bool
own_take(struct object *object, bool takes)
{
    bool is_set;

    if (!(atomic_load(&object->signal) & SIGNAL_SET))
        return false;
    if (!takes || object->kind != OBJECT_EVENT || !event_resets_itself(object))
        return true;
    own_lock();
    is_set = (atomic_load(&object->signal) & SIGNAL_SET) != 0;
    if (is_set)
        own_unsignal(object);
    own_unlock();
    return is_set;
}

/* Was it signalled since, for everybody, even if it no longer is? */
static bool
was_signalled(struct object *object, uint32_t seen)
{
    return object->kind == OBJECT_EVENT && !event_resets_itself(object) &&
           atomic_load(&object->signal) / SIGNAL_COUNT != seen / SIGNAL_COUNT;
}

static NTSTATUS
own_wait(struct object *object, uint64_t deadline, bool takes)
{
    uint32_t first = atomic_load(&object->signal);
    bool is_late = deadline == 0, has_come, is_over;

    if (own_take(object, takes))
        return STATUS_SUCCESS;
    atomic_fetch_add(&object->waiters, 1);
    for (;;) {
        uint32_t seen = atomic_load(&object->signal);

        has_come = own_take(object, takes) || was_signalled(object, first);
        is_over = (seen & SIGNAL_EXPIRED) != 0;
        if (has_come || is_over || is_late)
            break;
        is_late = !sys_wait(&object->signal, seen, deadline);
    }
    atomic_fetch_sub(&object->waiters, 1);
    if (has_come)
        return STATUS_SUCCESS;
    return is_over ? STATUS_ABANDONED_WAIT_0 : STATUS_TIMEOUT;
}

NTSTATUS
any_wait(const struct waited *waited, uint64_t deadline, bool takes)
{
    return is_own(waited->object) ? own_wait(waited->object, deadline, takes)
                                  : engine_wait_since(waited->object, waited->epoch, deadline);
}

NTSTATUS
any_take_all(const struct waited *waited, size_t count)
{
    NTSTATUS status = STATUS_SUCCESS;

    own_lock(); /* no event changes meanwhile; the engine's objects are looked at without a lock */
    for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++)
        status = any_wait(&waited[i], 0, false);
    for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++)
        if (waited[i].object->kind == OBJECT_EVENT && event_resets_itself(waited[i].object))
            own_unsignal(waited[i].object);
    own_unlock();
    return status;
}

void
any_watch_begin(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word)
{
    if (!is_own(object)) {
        engine_watch_begin(watch, object, word);
        return;
    }
    own_lock();
    engine_watch_add(watch, object, word);
    own_unlock();
}

void
any_watch_end(struct engine_watch *watch)
{
    if (!is_own(watch->object)) {
        engine_watch_end(watch);
        return;
    }
    own_lock();
    engine_watch_remove(watch);
    own_unlock();
}

static NTSTATUS
own_wait_fd(struct object *object, int *fd)
{
    NTSTATUS status = STATUS_SUCCESS;
    int made;

    own_lock();
    made = atomic_load(&object->wait_fd) - 1;
    if (made < 0) {
        status = sys_event_create(&made);
        if (status == STATUS_SUCCESS) {
            atomic_store(&object->wait_fd, made + 1);
            if (atomic_load(&object->signal) & SIGNAL_SET)
                sys_event_set(made);
        }
    }
    own_unlock();
    if (status == STATUS_SUCCESS)
        *fd = made;
    return status;
}

NTSTATUS
any_wait_fd(struct object *object, int *fd)
{
    return is_own(object) ? own_wait_fd(object, fd) : engine_wait_fd(object, fd);
}
