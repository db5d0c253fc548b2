/* SPDX-License-Identifier: MIT */
/* Resource managers and their notifications by their Win32 names [W32-RM]. */
#include "ktmw32.h"
#include "win32/win32.h"

/* ---- create, open, recover ---- */

static NTSTATUS
create(LPSECURITY_ATTRIBUTES security, LPGUID guid, DWORD options, HANDLE tm, LPCWSTR description,
       PHANDLE out)
{
    OBJECT_ATTRIBUTES attributes = win32_attributes(security);
    UNICODE_STRING room;
    PUNICODE_STRING text;

    TRY(win32_text(description, &room, &text));
    return NtCreateResourceManager(out, RESOURCEMANAGER_ALL_ACCESS /* [W32-GEN-08] */, tm,
                                   guid /* [W32-RM-01] */, &attributes, options,
                                   text); /* [W32-RM-02] */
}

HANDLE
CreateResourceManager(LPSECURITY_ATTRIBUTES lpResourceManagerAttributes, LPGUID ResourceManagerId,
                      DWORD CreateOptions, HANDLE TmHandle, LPWSTR Description)
{
    HANDLE rm = NULL;
    NTSTATUS status = create(lpResourceManagerAttributes, ResourceManagerId, CreateOptions,
                             TmHandle, Description, &rm);

    return win32_created(status, rm);
}

HANDLE
OpenResourceManager(DWORD dwDesiredAccess, HANDLE TmHandle, LPGUID ResourceManagerId)
{
    HANDLE rm = NULL;
    NTSTATUS status =
        NtOpenResourceManager(&rm, dwDesiredAccess, TmHandle, ResourceManagerId, NULL);

    return win32_opened(status, rm); /* [W32-RM-03] */
}

BOOL
RecoverResourceManager(HANDLE ResourceManagerHandle)
{
    return win32_bool(NtRecoverResourceManager(ResourceManagerHandle)); /* [W32-RM-04] */
}

/* ---- notifications ---- */

/* A success that brought nothing is a failure here: for a wait that is over [W32-RM-06, OP-40], and
 * for a buffer that is lent [W32-RM-09]. */
static BOOL
has_come(NTSTATUS status)
{
    if (status == STATUS_SUCCESS)
        return TRUE;
    win32_fail(status);
    return FALSE;
}

BOOL
GetNotificationResourceManager(HANDLE ResourceManagerHandle,
                               PTRANSACTION_NOTIFICATION TransactionNotification,
                               ULONG NotificationLength, DWORD dwMilliseconds, PULONG ReturnLength)
{
    LARGE_INTEGER room;

    return has_come(NtGetNotificationResourceManager(
        ResourceManagerHandle, TransactionNotification, NotificationLength,
        win32_patience(dwMilliseconds, &room) /* [W32-RM-05] */, ReturnLength /* [W32-RM-07] */, 0,
        0));
}

BOOL
GetNotificationResourceManagerAsync(HANDLE ResourceManagerHandle,
                                    PTRANSACTION_NOTIFICATION TransactionNotification,
                                    ULONG TransactionNotificationLength, PULONG ReturnLength,
                                    LPOVERLAPPED lpOverlapped)
{
    if (!lpOverlapped) /* [W32-RM-09] */
        return win32_bool(status_raise(STATUS_INVALID_PARAMETER));
    return has_come(NtGetNotificationResourceManager(
        ResourceManagerHandle, TransactionNotification, TransactionNotificationLength, NULL,
        ReturnLength, 1, (ULONG_PTR)lpOverlapped)); /* [W32-RM-10, NOTIF-ASYNC-02] */
}

BOOL
SetResourceManagerCompletionPort(HANDLE ResourceManagerHandle, HANDLE IoCompletionPortHandle,
                                 ULONG_PTR CompletionKey)
{
    RESOURCEMANAGER_COMPLETION_INFORMATION completion = {IoCompletionPortHandle, CompletionKey};

    return win32_bool(
        NtSetInformationResourceManager(ResourceManagerHandle, ResourceManagerCompletionInformation,
                                        &completion, sizeof(completion))); /* [W32-RM-11] */
}

/* ---- propagation [W32-PRIV-03] ---- */

BOOL
PrivPropagationComplete(HANDLE RmHandle, ULONG RequestCookie, ULONG BufferLength, PVOID Buffer)
{
    return win32_bool(NtPropagationComplete(RmHandle, RequestCookie, BufferLength, Buffer));
}

BOOL
PrivPropagationFailed(HANDLE RmHandle, ULONG RequestCookie)
{
    return win32_bool(NtPropagationFailed(RmHandle, RequestCookie, STATUS_UNSUCCESSFUL));
}

BOOL
PrivRegisterProtocolAddressInformation(HANDLE RmHandle, PCRM_PROTOCOL_ID ProtocolId, ULONG Size,
                                       PVOID Information, ULONG CreateOptions)
{
    return win32_bool(NtRegisterProtocolAddressInformation(RmHandle, ProtocolId, Size, Information,
                                                           CreateOptions));
}
