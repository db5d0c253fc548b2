/* SPDX-License-Identifier: MIT */
/* Transaction managers by their Win32 names [W32-TM]. */
#include "ktmw32.h"
#include "win32/win32.h"

/* ---- create and open ---- */

static NTSTATUS
create(LPSECURITY_ATTRIBUTES security, LPCWSTR log_name, ULONG options, ULONG commit_strength,
       PHANDLE out)
{
    OBJECT_ATTRIBUTES attributes = win32_attributes(security);
    UNICODE_STRING room;
    PUNICODE_STRING text;

    TRY(win32_text(log_name, &room, &text));
    return NtCreateTransactionManager(out, TRANSACTIONMANAGER_ALL_ACCESS /* [W32-GEN-08] */,
                                      &attributes, text, options,
                                      commit_strength); /* [W32-TM-01, W32-TM-02] */
}

HANDLE
CreateTransactionManager(LPSECURITY_ATTRIBUTES lpTransactionAttributes, LPWSTR LogFileName,
                         ULONG CreateOptions, ULONG CommitStrength)
{
    HANDLE tm = NULL;
    NTSTATUS status =
        create(lpTransactionAttributes, LogFileName, CreateOptions, CommitStrength, &tm);

    return win32_created(status, tm);
}

static NTSTATUS
open_by_log(LPCWSTR log_name, ACCESS_MASK access, ULONG options, PHANDLE out)
{
    UNICODE_STRING room;
    PUNICODE_STRING text;

    if (!log_name)
        return status_raise(STATUS_INVALID_PARAMETER); /* [W32-TM-03] */
    TRY(win32_text(log_name, &room, &text));
    return NtOpenTransactionManager(out, access, NULL, text, NULL, options);
}

HANDLE
OpenTransactionManager(LPWSTR LogFileName, ACCESS_MASK DesiredAccess, ULONG OpenOptions)
{
    HANDLE tm = NULL;
    NTSTATUS status = open_by_log(LogFileName, DesiredAccess, OpenOptions, &tm);

    return win32_opened(status, tm);
}

HANDLE
OpenTransactionManagerById(LPGUID TransactionManagerId, ACCESS_MASK DesiredAccess,
                           ULONG OpenOptions)
{
    HANDLE tm = NULL;
    NTSTATUS status;

    if (!TransactionManagerId) /* [W32-TM-04] */
        return win32_opened(status_raise(STATUS_INVALID_PARAMETER), NULL);
    status =
        NtOpenTransactionManager(&tm, DesiredAccess, NULL, NULL, TransactionManagerId, OpenOptions);
    return win32_opened(status, tm);
}

/* ---- recover and rename ---- */

BOOL
RecoverTransactionManager(HANDLE TransactionManagerHandle)
{
    return win32_bool(NtRecoverTransactionManager(TransactionManagerHandle)); /* [W32-TM-05] */
}

BOOL
RollforwardTransactionManager(HANDLE TransactionManagerHandle, PLARGE_INTEGER TmVirtualClock)
{
    return win32_bool(NtRollforwardTransactionManager(TransactionManagerHandle,
                                                      TmVirtualClock)); /* [W32-TM-06] */
}

static NTSTATUS
rename_in_log(LPCWSTR log_name, LPGUID existing)
{
    UNICODE_STRING room;
    PUNICODE_STRING text;

    if (!log_name)
        return status_raise(STATUS_INVALID_PARAMETER); /* [W32-TM-07] */
    TRY(win32_text(log_name, &room, &text));
    return NtRenameTransactionManager(text, existing);
}

BOOL
RenameTransactionManager(LPWSTR LogFileName, LPGUID ExistingTransactionManagerGuid)
{
    return win32_bool(rename_in_log(LogFileName, ExistingTransactionManagerGuid));
}

/* ---- query ---- */

static NTSTATUS
query(HANDLE tm, const void *into, TRANSACTIONMANAGER_BASIC_INFORMATION *out)
{
    if (!into)
        return status_raise(STATUS_ACCESS_VIOLATION);
    return NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, out,
                                                sizeof(*out), NULL);
}

BOOL
GetCurrentClockTransactionManager(HANDLE TransactionManagerHandle, PLARGE_INTEGER TmVirtualClock)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION basic;
    NTSTATUS status = query(TransactionManagerHandle, TmVirtualClock, &basic);

    if (NT_SUCCESS(status))
        *TmVirtualClock = basic.VirtualClock; /* [W32-TM-08] */
    return win32_bool(status);
}

BOOL
GetTransactionManagerId(HANDLE TransactionManagerHandle, LPGUID TransactionManagerId)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION basic;
    NTSTATUS status = query(TransactionManagerHandle, TransactionManagerId, &basic);

    if (NT_SUCCESS(status))
        *TransactionManagerId = basic.TmIdentity; /* [W32-TM-09] */
    return win32_bool(status);
}

/* [W32-PRIV-02] */
BOOL
PrivIsLogWritableTransactionManager(HANDLE TmHandle)
{
    return win32_bool(NtSetInformationTransactionManager(
        TmHandle, TransactionManagerOnlineProbeInformation, NULL, 0));
}
