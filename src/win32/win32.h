/* SPDX-License-Identifier: MIT */
/*
 * What the files of win32/ share: from a status to a result and the last error, and from Win32
 * arguments to native ones. The functions themselves are declared in the public headers, which are
 * the manual; each is its Nt routine in other clothes.
 */
#pragma once

#include "base/base.h"
#include "wdm.h"
#include "windows.h"

/* ---- results ---- */

/* What a BOOL function returns: TRUE for every success, which leaves the last error alone; else
 * FALSE, and the last error says why [W32-GEN-01, W32-GEN-03, W32-GEN-04]. */
BOOL win32_bool(NTSTATUS status);
/* What open functions return: the handle, or INVALID_HANDLE_VALUE [W32-GEN-02]. */
HANDLE win32_opened(NTSTATUS status, HANDLE handle);
/* The same for create functions, whose success sets the last error too [W32-GEN-05]. */
HANDLE win32_created(NTSTATUS status, HANDLE handle);
/* The last error becomes that of the status. */
void win32_fail(NTSTATUS status);

/* ---- arguments ---- */

/* Attributes of an object without a name [W32-GEN-06, W32-GEN-07]; 'security' may be NULL. */
OBJECT_ATTRIBUTES win32_attributes(const SECURITY_ATTRIBUTES *security);
/* A NUL-terminated text as a counted one: *out is 'room', or NULL when 'text' is.
 * Answers: NAME_TOO_LONG [W32-GEN-12]. */
NTSTATUS win32_text(LPCWSTR text, UNICODE_STRING *room, PUNICODE_STRING *out) must_use;
/* Milliseconds from now as a native time-out [W32-GEN-10]. */
LARGE_INTEGER win32_relative(DWORD milliseconds);
/* The time-out of a wait: 'room', or NULL for INFINITE. */
PLARGE_INTEGER win32_patience(DWORD milliseconds, LARGE_INTEGER *room);
