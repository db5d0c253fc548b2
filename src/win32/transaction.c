/* SPDX-License-Identifier: MIT */
/* Transactions by their Win32 names [W32-TX]. */
#include <string.h>

#include "ktmw32.h"
#include "sys/sys.h"
#include "win32/win32.h"

#define TICKS_PER_MILLISECOND 10000

/* ---- create and open ---- */

/* 0 and INFINITE are no time-out [W32-TX-03]. */
static LARGE_INTEGER
lifetime(DWORD milliseconds)
{
    return win32_relative(milliseconds == INFINITE ? 0 : milliseconds);
}

static NTSTATUS
create(LPSECURITY_ATTRIBUTES security, LPGUID uow, DWORD options, DWORD isolation_level,
       DWORD isolation_flags, DWORD milliseconds, LPCWSTR description, PHANDLE out)
{
    OBJECT_ATTRIBUTES attributes = win32_attributes(security);
    LARGE_INTEGER timeout = lifetime(milliseconds);
    UNICODE_STRING room;
    PUNICODE_STRING text;

    if (isolation_flags != 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [W32-TX-02] */
    TRY(win32_text(description, &room, &text));
    return NtCreateTransaction(out, TRANSACTION_ALL_ACCESS /* [W32-GEN-08] */, &attributes, uow,
                               NULL /* [W32-TX-05] */, options, isolation_level, isolation_flags,
                               &timeout, text);
}

HANDLE
CreateTransaction(LPSECURITY_ATTRIBUTES lpTransactionAttributes, LPGUID Uow, DWORD CreateOptions,
                  DWORD IsolationLevel, DWORD IsolationFlags, DWORD Timeout, LPWSTR Description)
{
    if (Uow) /* [W32-TX-01] */
        return win32_created(status_raise(STATUS_INVALID_PARAMETER), NULL);
    return PrivCreateTransaction(lpTransactionAttributes, NULL, CreateOptions, IsolationLevel,
                                 IsolationFlags, Timeout, Description);
}

/* [W32-PRIV-01] */
HANDLE
PrivCreateTransaction(LPSECURITY_ATTRIBUTES lpTransactionAttributes, LPGUID Uow,
                      DWORD CreateOptions, DWORD IsolationLevel, DWORD IsolationFlags,
                      DWORD Timeout, LPWSTR Description)
{
    HANDLE transaction = NULL;
    NTSTATUS status = create(lpTransactionAttributes, Uow, CreateOptions, IsolationLevel,
                             IsolationFlags, Timeout, Description, &transaction);

    return win32_created(status, transaction);
}

HANDLE
OpenTransaction(DWORD dwDesiredAccess, LPGUID TransactionId)
{
    HANDLE transaction = NULL;
    NTSTATUS status = NtOpenTransaction(&transaction, dwDesiredAccess, NULL, TransactionId,
                                        NULL /* all TMs [W32-TX-07] */);

    return win32_opened(status, transaction);
}

/* ---- outcome ---- */

/* TRUE, and the last error says whether it is over [W32-TX-10, W32-TX-12, OP-40]. */
static BOOL
begun(NTSTATUS status)
{
    if (NT_SUCCESS(status))
        SetLastError(status == STATUS_PENDING ? ERROR_IO_PENDING : ERROR_SUCCESS);
    return win32_bool(status);
}

BOOL
CommitTransaction(HANDLE TransactionHandle)
{
    return win32_bool(NtCommitTransaction(TransactionHandle, TRUE)); /* [W32-TX-08, W32-TX-09] */
}

BOOL
CommitTransactionAsync(HANDLE TransactionHandle)
{
    return begun(NtCommitTransaction(TransactionHandle, FALSE));
}

BOOL
RollbackTransaction(HANDLE TransactionHandle)
{
    return win32_bool(NtRollbackTransaction(TransactionHandle, TRUE)); /* [W32-TX-11] */
}

BOOL
RollbackTransactionAsync(HANDLE TransactionHandle)
{
    return begun(NtRollbackTransaction(TransactionHandle, FALSE));
}

/* ---- query ---- */

BOOL
GetTransactionId(HANDLE TransactionHandle, LPGUID TransactionId)
{
    TRANSACTION_BASIC_INFORMATION basic;
    NTSTATUS status;

    if (!TransactionId)
        return win32_bool(status_raise(STATUS_ACCESS_VIOLATION));
    status = NtQueryInformationTransaction(TransactionHandle, TransactionBasicInformation, &basic,
                                           sizeof(basic), NULL);
    if (NT_SUCCESS(status))
        *TransactionId = basic.TransactionId; /* [W32-TX-14] */
    return win32_bool(status);
}

/* A native time-out in milliseconds, rounded up: none is INFINITE, an absolute one is the time that
 * remains [W32-TX-16]. */
static DWORD
milliseconds_of(LONGLONG timeout)
{
    ULONGLONG ticks, milliseconds;

    if (timeout == 0)
        return INFINITE;
    if (timeout < 0) {
        ticks = 0 - (ULONGLONG)timeout;
    } else {
        LONGLONG now = sys_time_wall(sys_linux());

        ticks = timeout > now ? (ULONGLONG)(timeout - now) : 0;
    }
    milliseconds = ticks / TICKS_PER_MILLISECOND + (ticks % TICKS_PER_MILLISECOND ? 1 : 0);
    return milliseconds < INFINITE ? (DWORD)milliseconds : INFINITE - 1;
}

/* The properties, with room for the longest description. */
union properties {
    TRANSACTION_PROPERTIES_INFORMATION fixed;
    BYTE room[sizeof(TRANSACTION_PROPERTIES_INFORMATION) +
              MAX_TRANSACTION_DESCRIPTION_LENGTH * sizeof(WCHAR)];
};

static NTSTATUS
query(HANDLE transaction, DWORD description_units, LPCWSTR description, union properties *out)
{
    TRY(NtQueryInformationTransaction(transaction, TransactionPropertiesInformation, out,
                                      sizeof(*out), NULL));
    /* BufferLength counts WCHARs, and the NUL needs one [W32-TX-17, W32-TX-18, OP-40]. */
    if (description && out->fixed.DescriptionLength / sizeof(WCHAR) >= description_units)
        return status_raise(STATUS_BUFFER_OVERFLOW);
    return STATUS_SUCCESS;
}

BOOL
GetTransactionInformation(HANDLE TransactionHandle, PDWORD Outcome, PDWORD IsolationLevel,
                          PDWORD IsolationFlags, PDWORD Timeout, DWORD BufferLength,
                          LPWSTR Description)
{
    union properties properties;
    const TRANSACTION_PROPERTIES_INFORMATION *fixed = &properties.fixed;
    NTSTATUS status = query(TransactionHandle, BufferLength, Description, &properties);

    if (!NT_SUCCESS(status))
        return win32_bool(status);
    if (Outcome) /* each may be NULL [W32-TX-15] */
        *Outcome = fixed->Outcome;
    if (IsolationLevel)
        *IsolationLevel = fixed->IsolationLevel;
    if (IsolationFlags)
        *IsolationFlags = fixed->IsolationFlags;
    if (Timeout)
        *Timeout = milliseconds_of(fixed->Timeout.QuadPart);
    if (Description) {
        memcpy(Description, fixed->Description, fixed->DescriptionLength);
        Description[fixed->DescriptionLength / sizeof(WCHAR)] = 0;
    }
    return TRUE;
}

/* ---- set ---- */

static NTSTATUS
set(HANDLE transaction, DWORD isolation_level, DWORD isolation_flags, DWORD milliseconds,
    LPCWSTR description)
{
    union properties properties = {0};
    TRANSACTION_PROPERTIES_INFORMATION *fixed = &properties.fixed;
    UNICODE_STRING room;
    PUNICODE_STRING text;

    TRY(win32_text(description, &room, &text));
    if (text && text->Length > MAX_TRANSACTION_DESCRIPTION_LENGTH * sizeof(WCHAR))
        return status_raise(STATUS_INVALID_PARAMETER); /* [W32-TX-19] */
    fixed->IsolationLevel = isolation_level;
    fixed->IsolationFlags = isolation_flags;
    fixed->Timeout = lifetime(milliseconds);
    fixed->DescriptionLength = text ? text->Length : 0; /* NULL clears it */
    if (text)
        memcpy(fixed->Description, text->Buffer, text->Length);
    return NtSetInformationTransaction(transaction, TransactionPropertiesInformation, &properties,
                                       sizeof(properties)); /* [W32-TX-20] */
}

BOOL
SetTransactionInformation(HANDLE TransactionHandle, DWORD IsolationLevel, DWORD IsolationFlags,
                          DWORD Timeout, LPWSTR Description)
{
    return win32_bool(set(TransactionHandle, IsolationLevel, IsolationFlags, Timeout, Description));
}
