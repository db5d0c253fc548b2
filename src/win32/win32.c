/* SPDX-License-Identifier: MIT */
/* The last error, and the words of win32.h. */
#include "win32/win32.h"

#define TEXT_UNITS_MAX 32766

/* ---- the last error ---- */

static _Thread_local DWORD last_error;

DWORD
GetLastError(void)
{
    return last_error;
}

VOID
SetLastError(DWORD dwErrCode)
{
    last_error = dwErrCode;
}

/* ---- results ---- */

void
win32_fail(NTSTATUS status)
{
    SetLastError(RtlNtStatusToDosError(status)); /* [W32-GEN-03] */
}

BOOL
win32_bool(NTSTATUS status)
{
    if (NT_SUCCESS(status)) /* STATUS_PENDING too [W32-GEN-04] */
        return TRUE;
    win32_fail(status);
    return FALSE; /* [W32-GEN-01] */
}

HANDLE
win32_opened(NTSTATUS status, HANDLE handle)
{
    return win32_bool(status) ? handle : INVALID_HANDLE_VALUE; /* [W32-GEN-02] */
}

HANDLE
win32_created(NTSTATUS status, HANDLE handle)
{
    if (NT_SUCCESS(status)) /* [W32-GEN-05] */
        SetLastError(status == STATUS_OBJECT_NAME_EXISTS ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
    return win32_opened(status, handle);
}

/* ---- arguments ---- */

OBJECT_ATTRIBUTES
win32_attributes(const SECURITY_ATTRIBUTES *security)
{
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, NULL, 0, NULL, NULL); /* [W32-GEN-07] */
    if (security) {                                               /* [W32-GEN-06] */
        attributes.Attributes = security->bInheritHandle ? OBJ_INHERIT : 0;
        attributes.SecurityDescriptor = security->lpSecurityDescriptor;
    }
    return attributes;
}

NTSTATUS
win32_text(LPCWSTR text, UNICODE_STRING *room, PUNICODE_STRING *out)
{
    size_t units = 0;

    *out = NULL;
    if (!text)
        return STATUS_SUCCESS;
    while (units <= TEXT_UNITS_MAX && text[units])
        units++;
    if (units > TEXT_UNITS_MAX)
        return status_raise(STATUS_NAME_TOO_LONG); /* [W32-GEN-12] */
    room->Length = (USHORT)(units * sizeof(WCHAR));
    room->MaximumLength = (USHORT)(room->Length + sizeof(WCHAR));
    room->Buffer = (PWSTR)text;
    *out = room;
    return STATUS_SUCCESS;
}

LARGE_INTEGER
win32_relative(DWORD milliseconds)
{
    return (LARGE_INTEGER){.QuadPart = -10000ll * milliseconds}; /* [W32-GEN-10] */
}

PLARGE_INTEGER
win32_patience(DWORD milliseconds, LARGE_INTEGER *room)
{
    if (milliseconds == INFINITE)
        return NULL;
    *room = win32_relative(milliseconds);
    return room;
}
