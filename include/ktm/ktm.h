/* SPDX-License-Identifier: MIT */
/*
 * What this library has and Windows has not: descriptors to poll, and status codes in words.
 */
#pragma once

#include "ktmbase.h"

EXTERN_C_START

/* A file descriptor that is readable while the object is signalled, for poll, epoll and event
 * loops: a transaction when its outcome is known and, for commit, everybody has finished
 * [SIG-01..04]; a resource manager while its queue is not empty [OBJ-19]; a completion port while
 * it has packets; an event while it is set. Poll it, do not read it.
 *
 * The descriptor belongs to the object: it is the same for every handle, closes with the last one,
 * and must not be closed by the caller. Right: SYNCHRONIZE. Any thread. Answers:
 * STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH (nothing to wait for), STATUS_ACCESS_DENIED,
 * STATUS_ACCESS_VIOLATION (fd NULL), STATUS_INSUFFICIENT_RESOURCES (no descriptor). */
KTM_API NTSTATUS KtmGetWaitFd(HANDLE Handle, _Out_ int *fd);

/* A sentence that says what a status means, for people; never NULL, never freed. Any thread. */
KTM_API const char *ktm_status_text(NTSTATUS status);
/* "STATUS_TRANSACTION_NOT_ACTIVE"; NULL for a value without a name here. Never freed. Any thread.
 */
KTM_API const char *ktm_status_name(NTSTATUS status);

EXTERN_C_END
