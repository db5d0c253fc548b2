/* SPDX-License-Identifier: MIT */
/* Events and overlapped results. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sys/thread.h"
#include "win32/win32.h"

/* ---- events ---- */

#define NAME_UNITS_MAX 254 /* behind the backslash of a native name */

/* The native form of a name: a backslash before it. */
static NTSTATUS
native_name(LPCWSTR name, WCHAR *units, UNICODE_STRING *out)
{
    UNICODE_STRING room;
    PUNICODE_STRING text;

    TRY(win32_text(name, &room, &text));
    if (text->Length > NAME_UNITS_MAX * sizeof(WCHAR))
        return status_raise(STATUS_NAME_TOO_LONG);
    units[0] = '\\';
    memcpy(&units[1], text->Buffer, text->Length);
    out->Length = (USHORT)(text->Length + sizeof(WCHAR));
    out->MaximumLength = out->Length;
    out->Buffer = units;
    return STATUS_SUCCESS;
}

static NTSTATUS
create(LPSECURITY_ATTRIBUTES security, BOOL manual_reset, BOOL initial_state, LPCWSTR name,
       PHANDLE out)
{
    OBJECT_ATTRIBUTES attributes = win32_attributes(security);
    WCHAR units[1 + NAME_UNITS_MAX];
    UNICODE_STRING text;

    if (name && name[0]) {
        TRY(native_name(name, units, &text));
        attributes.ObjectName = &text;
        attributes.Attributes |= OBJ_OPENIF;
    }
    return NtCreateEvent(out, EVENT_ALL_ACCESS, &attributes,
                         manual_reset ? NotificationEvent : SynchronizationEvent,
                         (BOOLEAN)(initial_state != 0));
}

HANDLE
CreateEventW(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState,
             LPCWSTR lpName)
{
    HANDLE event = NULL;
    NTSTATUS status = create(lpEventAttributes, bManualReset, bInitialState, lpName, &event);

    (void)win32_created(status, event);
    return NT_SUCCESS(status) ? event : NULL;
}

HANDLE
CreateEventA(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState,
             LPCSTR lpName)
{
    uint16_t *name = NULL;
    size_t units;
    HANDLE event = NULL;
    NTSTATUS status = lpName ? text_to_utf16(lpName, &name, &units) : STATUS_SUCCESS;

    if (status == STATUS_SUCCESS)
        event = CreateEventW(lpEventAttributes, bManualReset, bInitialState, (LPCWSTR)name);
    else
        win32_fail(status);
    free(name);
    return event;
}

BOOL
SetEvent(HANDLE hEvent)
{
    return win32_bool(NtSetEvent(hEvent, NULL));
}

BOOL
ResetEvent(HANDLE hEvent)
{
    return win32_bool(NtResetEvent(hEvent, NULL));
}

/* ---- overlapped results ---- */

/* The word of the status, which the completion of the operation writes last, and wakes. */
static NTSTATUS
overlapped_status(LPOVERLAPPED overlapped, bool waits)
{
    _Atomic uint32_t *word = (_Atomic uint32_t *)(void *)&overlapped->Internal;
    uint32_t status;

    while ((status = atomic_load(word)) == (uint32_t)STATUS_PENDING && waits)
        (void)sys_wait(word, status, SYS_FOREVER);
    return (NTSTATUS)status;
}

BOOL
GetOverlappedResult(HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred,
                    BOOL bWait)
{
    NTSTATUS status;

    (void)hFile; /* the operation is known by its OVERLAPPED alone */
    if (!lpOverlapped || !lpNumberOfBytesTransferred)
        return win32_bool(status_raise(STATUS_ACCESS_VIOLATION));
    status = overlapped_status(lpOverlapped, bWait != 0);
    if (status == STATUS_PENDING) {
        SetLastError(ERROR_IO_INCOMPLETE);
        return FALSE;
    }
    *lpNumberOfBytesTransferred = (DWORD)lpOverlapped->InternalHigh;
    return win32_bool(status);
}
