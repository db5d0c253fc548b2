/* SPDX-License-Identifier: MIT */
/* Waiting on transactions and resource managers [SIG-01..06, OBJ-19]; nobody holds a lock while he
 * sleeps. */
#include "engine/inner.h"

#include <limits.h>

/* Until one of the bits is set, or its TM is shut down. */
void
object_wait_for(struct object *object, uint32_t bits)
{
    uint32_t seen;

    atomic_fetch_add(&object->waiters, 1);
    while (!((seen = atomic_load(&object->signal)) & (bits | SIGNAL_EXPIRED)))
        (void)sys_wait(&object->signal, seen, SYS_FOREVER);
    atomic_fetch_sub(&object->waiters, 1);
}

NTSTATUS
engine_wait(struct object *object, uint64_t deadline)
{
    return engine_wait_since(object, atomic_load(&object->epoch), deadline);
}

NTSTATUS
engine_wait_since(struct object *object, uint32_t epoch, uint64_t deadline)
{
    uint32_t seen;
    bool is_late = false;

    if (object->kind != OBJECT_TX && object->kind != OBJECT_RM)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    atomic_fetch_add(&object->waiters, 1);
    while (!((seen = atomic_load(&object->signal)) & (SIGNAL_SET | SIGNAL_EXPIRED)) && !is_late &&
           atomic_load(&object->epoch) == epoch)
        is_late = deadline == 0 || !sys_wait(&object->signal, seen, deadline);
    atomic_fetch_sub(&object->waiters, 1);
    if (atomic_load(&object->epoch) != epoch) /* closed and opened again meanwhile */
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    if (seen & SIGNAL_SET)
        return STATUS_SUCCESS;
    return seen & SIGNAL_EXPIRED ? status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED) : STATUS_TIMEOUT;
}

/* ---- one of several ---- */

void
engine_watch_add(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word)
{
    *watch = (struct engine_watch){.object = object, .word = word, .next = object->watches};
    object->watches = watch;
}

void
engine_watch_remove(struct engine_watch *watch)
{
    struct engine_watch **at = &watch->object->watches;

    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
}

/* At once: without the lock a watch may end, and its word be gone. */
void
engine_watches_tell(struct object *object)
{
    for (struct engine_watch *watch = object->watches; watch; watch = watch->next) {
        atomic_fetch_add(watch->word, 1);
        sys_wake(watch->word, INT_MAX);
    }
}

void
engine_watch_begin(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word)
{
    struct run run;

    run_begin(&run, object);
    engine_watch_add(watch, object, word);
    run_end(&run);
}

void
engine_watch_end(struct engine_watch *watch)
{
    struct run run;

    run_begin(&run, watch->object);
    engine_watch_remove(watch);
    run_end(&run);
}

/* ---- descriptors ---- */

void
wait_fd_follow(struct object *object)
{
    int fd = atomic_load(&object->wait_fd);

    if (fd && !(atomic_load(&object->signal) & (SIGNAL_SET | SIGNAL_EXPIRED)))
        sys_event_clear(fd - 1);
}

NTSTATUS
engine_wait_fd(struct object *object, int *fd)
{
    NTSTATUS status = STATUS_SUCCESS;
    struct run run;
    int made;

    if (object->kind != OBJECT_TX && object->kind != OBJECT_RM)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    run_begin(&run, object);
    made = atomic_load(&object->wait_fd) - 1;
    if (made < 0) {
        status = sys_event_create(&made);
        if (status == STATUS_SUCCESS) {
            atomic_store(&object->wait_fd, made + 1);
            if (atomic_load(&object->signal) & (SIGNAL_SET | SIGNAL_EXPIRED))
                sys_event_set(made);
        }
    }
    run_end(&run);
    if (status == STATUS_SUCCESS)
        *fd = made;
    return status;
}
