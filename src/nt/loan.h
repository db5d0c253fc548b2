/* SPDX-License-Identifier: MIT */
/* Asynchronous notifications: buffers lent to a resource manager [NOTIF-ASYNC]. */
#pragma once

#include "engine/engine.h"
#include "nt/handle.h"

/* Lends a buffer of 'rm', whose completion is told through its port and in the OVERLAPPED (its
 * address) that 'context' is. Answers: PENDING (lent), SUCCESS (filled, and complete),
 * INVALID_PARAMETER (no OVERLAPPED, no port [NOTIF-GET-12]), DATATYPE_MISALIGNMENT,
 * BUFFER_TOO_SMALL (*return_length = needed), those of the handle of its event. */
NTSTATUS loan_make(struct handle *rm, TRANSACTION_NOTIFICATION *into, uint32_t size,
                   ULONG *return_length, ULONG_PTR context);

/* For a port: the engine gives the loan back, which this takes. Under a TM's lock. */
void loan_complete(struct object *port, struct engine_loan *loan, NTSTATUS status, uint32_t length);
