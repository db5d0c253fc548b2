/* SPDX-License-Identifier: MIT */
/*
 * Buffers that resource managers lend for notifications to come, and the port through which they
 * are given back [NOTIF-ASYNC-01..06, RM-SET-01..04].
 *
 * A buffer is filled under the TM's lock, and its packet is posted there too: two threads that post
 * after they unlocked could exchange what the queue has in order [NOTIF-03].
 *
 * Invariants: (1) whenever the lock is off, an RM in queue mode has records or loans, never both;
 *             (2) an RM that is closed has neither loans nor a port.
 */
#include "engine/inner.h"

/* Gives the loan back through its port, which takes it. */
static void
complete(struct engine_loan *loan, NTSTATUS status, uint32_t length)
{
    struct engine_port *port = loan->port;

    port->complete(port, loan, status, length);
    port->release(port);
}

static struct engine_loan *
take_loan(struct resource_manager *rm)
{
    struct engine_loan *loan = rm->loans;

    rm->loans = loan->next;
    return loan;
}

void
loans_serve(struct resource_manager *rm)
{
    uint32_t length = 0;

    while (rm->loans && rm->queue && !rm->callback) {
        struct engine_loan *loan = take_loan(rm);
        NTSTATUS status = rm_take_notification(rm, loan->into, loan->size, &length);

        complete(loan, status, length); /* too small: the record stays [NOTIF-ASYNC-05] */
    }
}

void
loans_cancel(struct resource_manager *rm)
{
    struct engine_port *port = rm->port;

    while (rm->loans)
        complete(take_loan(rm), STATUS_CANCELLED, 0); /* [NOTIF-ASYNC-06] */
    rm->port = NULL;
    if (port)
        port->release(port);
}

/* ---- the door ---- */

static NTSTATUS
set_port(struct resource_manager *rm, struct engine_port *port, uintptr_t key)
{
    struct engine_port *before = rm->port;

    if (rm->callback)
        return status_raise(STATUS_INVALID_PARAMETER); /* [RM-SET-04] */
    if (port && before)
        return status_raise(STATUS_INVALID_PARAMETER); /* [RM-SET-03] */
    if (port)
        port->hold(port);
    rm->port = port;
    rm->port_key = key;
    if (before)
        before->release(before);
    return STATUS_SUCCESS;
}

/* The RM is alive for a handle made at that epoch [CLOSE-RM-03]. */
static NTSTATUS
check_alive_since(struct object *object, uint32_t epoch)
{
    TRY(object_check_alive(object));
    return atomic_load(&object->epoch) == epoch ? STATUS_SUCCESS
                                                : status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
}

NTSTATUS
engine_rm_set_port(struct object *object, uint32_t epoch, struct engine_port *port, uintptr_t key)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = check_alive_since(object, epoch);
    if (status == STATUS_SUCCESS)
        status = set_port(AS_RM(object), port, key);
    run_end(&run);
    return status;
}

static NTSTATUS
check_port(struct object *object, uint32_t epoch)
{
    TRY(check_alive_since(object, epoch));
    return AS_RM(object)->port ? STATUS_SUCCESS
                               : status_raise(STATUS_INVALID_PARAMETER); /* [NOTIF-GET-12] */
}

NTSTATUS
engine_rm_check_port(struct object *object, uint32_t epoch)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = check_port(object, epoch);
    run_end(&run);
    return status;
}

/* Fills the buffer at once, or lends it. */
static NTSTATUS
lend(struct resource_manager *rm, struct engine_loan *loan, uint32_t *length)
{
    bool has_records = rm->queue && !rm->callback;

    if (has_records)
        TRY(rm_take_notification(rm, loan->into, loan->size, length));
    loan->port = rm->port;
    loan->key = rm->port_key;
    loan->next = NULL;
    loan->port->hold(loan->port);
    if (has_records) {
        complete(loan, STATUS_SUCCESS, *length); /* [NOTIF-ASYNC-03] */
        wait_fd_follow(&rm->object);
        return STATUS_SUCCESS;
    }
    if (!rm->loans)
        rm->loans_end = &rm->loans;
    *rm->loans_end = loan;
    rm->loans_end = &loan->next;
    return STATUS_PENDING; /* [NOTIF-ASYNC-04] */
}

NTSTATUS
engine_rm_lend(struct object *object, uint32_t epoch, struct engine_loan *loan, uint32_t *length)
{
    struct run run;
    NTSTATUS status;

    run_begin(&run, object);
    status = check_port(object, epoch);
    if (status == STATUS_SUCCESS)
        status = lend(AS_RM(object), loan, length);
    run_end(&run);
    return status;
}
