/* SPDX-License-Identifier: MIT */
/* Waiting on transactions and resource managers [SIG-01..06, OBJ-19]; nobody holds a lock while he
 * sleeps. */
#include "engine/inner.h"

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
    uint32_t seen, epoch = atomic_load(&object->epoch);
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
