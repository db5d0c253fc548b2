/* SPDX-License-Identifier: MIT */
/* Enlistments by their Win32 names [W32-EN]. */
#include "ktmw32.h"
#include "win32/win32.h"

/* ---- create, open, recover ---- */

HANDLE
CreateEnlistment(LPSECURITY_ATTRIBUTES lpEnlistmentAttributes, HANDLE ResourceManagerHandle,
                 HANDLE TransactionHandle, NOTIFICATION_MASK NotificationMask, DWORD CreateOptions,
                 PVOID EnlistmentKey)
{
    OBJECT_ATTRIBUTES attributes = win32_attributes(lpEnlistmentAttributes);
    HANDLE enlistment = NULL;
    NTSTATUS status;

    status = NtCreateEnlistment(&enlistment, ENLISTMENT_ALL_ACCESS /* [W32-GEN-08] */,
                                ResourceManagerHandle, TransactionHandle, &attributes,
                                CreateOptions, NotificationMask /* [W32-EN-01, W32-EN-02] */,
                                EnlistmentKey); /* [W32-EN-03] */
    return win32_created(status, enlistment);
}

HANDLE
OpenEnlistment(DWORD dwDesiredAccess, HANDLE ResourceManagerHandle, LPGUID EnlistmentId)
{
    HANDLE enlistment = NULL;
    NTSTATUS status =
        NtOpenEnlistment(&enlistment, dwDesiredAccess, ResourceManagerHandle, EnlistmentId, NULL);

    return win32_opened(status, enlistment); /* [W32-EN-04] */
}

BOOL
RecoverEnlistment(HANDLE EnlistmentHandle, PVOID EnlistmentKey)
{
    return win32_bool(NtRecoverEnlistment(EnlistmentHandle, EnlistmentKey)); /* [W32-EN-05] */
}

/* ---- query and set ---- */

BOOL
GetEnlistmentId(HANDLE EnlistmentHandle, LPGUID EnlistmentId)
{
    ENLISTMENT_BASIC_INFORMATION basic;
    NTSTATUS status;

    if (!EnlistmentId)
        return win32_bool(status_raise(STATUS_ACCESS_VIOLATION));
    status = NtQueryInformationEnlistment(EnlistmentHandle, EnlistmentBasicInformation, &basic,
                                          sizeof(basic), NULL);
    if (NT_SUCCESS(status))
        *EnlistmentId = basic.EnlistmentId; /* [W32-EN-06] */
    return win32_bool(status);
}

/* [W32-EN-07] */
BOOL
GetEnlistmentRecoveryInformation(HANDLE EnlistmentHandle, ULONG BufferSize, PVOID Buffer,
                                 PULONG BufferUsed)
{
    return win32_bool(NtQueryInformationEnlistment(EnlistmentHandle, EnlistmentRecoveryInformation,
                                                   Buffer, BufferSize, BufferUsed));
}

BOOL
SetEnlistmentRecoveryInformation(HANDLE EnlistmentHandle, ULONG BufferSize, PVOID Buffer)
{
    return win32_bool(NtSetInformationEnlistment(EnlistmentHandle, EnlistmentRecoveryInformation,
                                                 Buffer, BufferSize));
}

/* ---- requests and answers: each passes its two arguments on [W32-EN-11] ---- */

#define REQUEST(name)                                                                              \
    BOOL name(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)                              \
    {                                                                                              \
        return win32_bool(Nt##name(EnlistmentHandle, TmVirtualClock));                             \
    }

/* a superior's [W32-EN-08], and anybody's [W32-EN-09] */
REQUEST(PrePrepareEnlistment)
REQUEST(PrepareEnlistment)
REQUEST(CommitEnlistment)
REQUEST(RollbackEnlistment)
/* a resource manager's [W32-EN-10] */
REQUEST(PrePrepareComplete)
REQUEST(PrepareComplete)
REQUEST(CommitComplete)
REQUEST(RollbackComplete)
REQUEST(ReadOnlyEnlistment)
REQUEST(SinglePhaseReject)
