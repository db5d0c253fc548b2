/* SPDX-License-Identifier: MIT */
/*
 * A loan: a caller's buffer, the OVERLAPPED that tells of it, and the packet that will be posted.
 *
 * The packet is allocated with the loan, so that a notification that has come can always be told
 * [NOTIF-13]. The OVERLAPPED is written last of all that is the caller's: whoever sees it complete
 * may free it, and the buffer, at once.
 */
#include "nt/loan.h"

#include <limits.h>
#include <stdlib.h>

#include "nt/answer.h"
#include "nt/port.h"
#include "nt/services.h"
#include "sys/thread.h"
#include "windows.h"

struct loan {
    struct packet packet; /* first: whoever takes the packet frees the loan */
    struct engine_loan lent;
    OVERLAPPED *overlapped;
    ULONG *return_length;
    struct object *event; /* held; or NULL */
    bool has_no_packet;   /* asked for by bit 0 of the event's handle */
};

static_assert(offsetof(struct loan, packet) == 0, "as port_post wants it");

static void
loan_destroy(struct loan *loan)
{
    if (loan && loan->event)
        any_release(loan->event);
    free(loan);
}
OWNED_BY(struct loan, loan_destroy)

/* The word of the status, which HasOverlappedIoCompleted reads and GetOverlappedResult sleeps on.
 */
static _Atomic uint32_t *
status_word(OVERLAPPED *overlapped)
{
    return (_Atomic uint32_t *)(void *)&overlapped->Internal;
}

static void
overlapped_complete(OVERLAPPED *overlapped, NTSTATUS status, uint32_t length)
{
    _Atomic uint32_t *word = status_word(overlapped);

    overlapped->InternalHigh = length;
    atomic_store(word, (uint32_t)status);
    sys_wake(word, INT_MAX); /* the address alone matters here, should the memory be gone */
}

void
loan_complete(struct object *port, struct engine_loan *lent, NTSTATUS status, uint32_t length)
{
    struct loan *loan = container_of(lent, struct loan, lent);
    struct object *event = loan->event;

    loan->packet = (struct packet){
        .key = (void *)lent->key,
        .context = loan->overlapped,
        .status = status,
        .information = length,
    };
    if (status != STATUS_CANCELLED)
        answer_length(loan->return_length, length); /* [NOTIF-ASYNC-04] */
    overlapped_complete(loan->overlapped, status, length);
    if (event) {
        event_set(event);
        any_release(event);
    }
    if (loan->has_no_packet)
        free(loan);
    else
        port_post(port, &loan->packet);
}

/* ---- lending ---- */

static NTSTATUS
loan_create(OVERLAPPED *overlapped, struct loan **out)
{
    owned(loan_destroy) struct loan *loan = calloc(1, sizeof(*loan));
    owned(handle_release) struct handle *event = NULL;

    if (!loan)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    loan->overlapped = overlapped;
    loan->has_no_packet = ((uintptr_t)overlapped->hEvent & 1) != 0;
    if (overlapped->hEvent) {
        HANDLE plain = (HANDLE)((uintptr_t)overlapped->hEvent & ~(uintptr_t)1);

        TRY(service_handle_of(OBJECT_EVENT, EVENT_MODIFY_STATE, plain, &event));
        loan->event = event->object;
        any_hold(loan->event);
    }
    *out = give(loan);
    return STATUS_SUCCESS;
}

/* The OVERLAPPED says "pending" before anybody can complete it; when this fails, what it said. */
static NTSTATUS
loan_lend(struct handle *rm, struct loan *loan, uint32_t *length)
{
    OVERLAPPED *overlapped = loan->overlapped;
    const OVERLAPPED before = *overlapped;
    struct object *event = loan->event;
    bool was_set = false;
    NTSTATUS status;

    overlapped->Internal = (ULONG_PTR)STATUS_PENDING;
    overlapped->InternalHigh = 0;
    if (event)
        was_set = event_reset(event);
    status =
        engine_rm_lend(rm->object, rm->epoch, &loan->lent, length); /* 'loan' may be gone now */
    if (NT_SUCCESS(status))
        return status;
    *overlapped = before; /* [GEN-06] */
    if (was_set)
        event_set(event);
    return status;
}

NTSTATUS
loan_make(struct handle *rm, TRANSACTION_NOTIFICATION *into, uint32_t size, ULONG *return_length,
          ULONG_PTR context)
{
    struct loan *loan;
    uint32_t length = 0;
    NTSTATUS status;

    if (context == 0)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (context % _Alignof(OVERLAPPED))
        return status_raise(STATUS_DATATYPE_MISALIGNMENT);
    TRY(engine_rm_check_port(rm->object,
                             rm->epoch)); /* before the OVERLAPPED is believed to be one */
    TRY(loan_create((OVERLAPPED *)context, &loan));
    loan->lent.into = into;
    loan->lent.size = size;
    loan->return_length = return_length;
    status = loan_lend(rm, loan, &length);
    if (status == STATUS_BUFFER_TOO_SMALL)
        answer_length(return_length, length);
    if (!NT_SUCCESS(status))
        loan_destroy(loan);
    return status;
}
