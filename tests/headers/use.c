/* SPDX-License-Identifier: MIT */
/*
 * The headers in use, as C and as C++: what only shows when a macro is expanded or an initialiser
 * is written. Compiled after all public headers by compile.sh, never run.
 */

DEFINE_GUID(some_guid, 0x11223344, 0x5566, 0x7788, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00);

extern const WCHAR use_path[];
const WCHAR use_path[] = TRANSACTION_OBJECT_PATH;
extern const WCHAR *const use_extension;
const WCHAR *const use_extension = CLFS_BASELOG_EXTENSION;
static UNICODE_STRING log_name = RTL_CONSTANT_STRING(KTM_WIDE("log:/var/lib/app/log"));

C_ASSERT(sizeof(use_path) == 2 * sizeof("\\Transaction\\"));
C_ASSERT(sizeof(CLFS_BASELOG_EXTENSION) == 2 * sizeof(".blf"));

/* Values usable where C wants constants, and of the right sign. */
C_ASSERT(!NT_SUCCESS(STATUS_LOG_FULL) && NT_SUCCESS(STATUS_PENDING) && STATUS_LOG_FULL < 0);
C_ASSERT(NT_WARNING(STATUS_BUFFER_OVERFLOW) && NT_INFORMATION(STATUS_OBJECT_NAME_EXISTS));
C_ASSERT(NT_ERROR(STATUS_TRANSACTION_NOT_ACTIVE) && !NT_ERROR(STATUS_SUCCESS));
C_ASSERT((TRANSACTION_ALL_ACCESS & TRANSACTION_COMMIT) != 0);
C_ASSERT((GENERIC_READ | GENERIC_WRITE) > 0);

extern const char *use_status(NTSTATUS status);
const char *
use_status(NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS:
        return "done";
    case STATUS_TRANSACTION_ALREADY_ABORTED:
        return "aborted";
    case STATUS_LOG_NO_RESTART:
        return "none";
    default:
        return ktm_status_text(status);
    }
}

static NTSTATUS NTAPI
on_notification(PKENLISTMENT enlistment, PVOID rm, PVOID key, ULONG notification,
                PLARGE_INTEGER clock, ULONG size, PVOID argument)
{
    UNREFERENCED_PARAMETER(rm);
    UNREFERENCED_PARAMETER(size);
    UNREFERENCED_PARAMETER(argument);
    if (notification == TRANSACTION_NOTIFY_PREPARE && clock->QuadPart > 0 && clock->u.LowPart)
        return TmPrepareComplete(enlistment, clock);
    return key ? STATUS_PENDING : STATUS_SUCCESS;
}

extern NTSTATUS use_routines(HANDLE rm, HANDLE transaction);
NTSTATUS
use_routines(HANDLE rm, HANDLE transaction)
{
    OBJECT_ATTRIBUTES attributes;
    LARGE_INTEGER timeout;
    PVOID object = NULL;
    HANDLE enlistment = INVALID_HANDLE_VALUE;

    timeout.LowPart = 1;
    timeout.HighPart = -1;
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE | OBJ_INHERIT, NULL, NULL);
    NTSTATUS status = NtCreateEnlistment(
        &enlistment, ENLISTMENT_ALL_ACCESS, rm, transaction, &attributes, 0,
        TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = ObReferenceObjectByHandle(rm, RESOURCEMANAGER_RECOVER, *TmResourceManagerObjectType,
                                       KernelMode, &object, NULL);
    if (NT_SUCCESS(status)) {
        TmEnableCallbacks((PKRESOURCEMANAGER)object, on_notification, NULL);
        ObDereferenceObject(object);
    }
    ZwWaitForSingleObject(transaction, FALSE, &timeout);
    return ZwClose(enlistment);
}

extern BOOL use_win32(void);
BOOL
use_win32(void)
{
    CLFS_LSN lsn = CLFS_LSN_INVALID;
    CLFS_SCAN_CONTEXT scan;
    CLFS_MGMT_POLICY policy;
    OVERLAPPED overlapped;

    ZeroMemory(&overlapped, sizeof(overlapped));
    ZeroMemory(&policy, sizeof(policy));
    ZeroMemory(&scan, sizeof(scan));
    overlapped.Offset = 1;
    policy.PolicyParameters.MaximumSize.Containers = 4;
    scan.hLog = INVALID_HANDLE_VALUE;
    LPWSTR text = log_name.Buffer;
    HANDLE transaction = CreateTransaction(NULL, NULL, 0, 0, 0, INFINITE, text);
    if (transaction == INVALID_HANDLE_VALUE || LsnInvalid(&lsn))
        return GetLastError() == ERROR_TRANSACTION_NOT_ACTIVE || GetLastError() == WAIT_TIMEOUT;
#ifdef __cplusplus
    return IsEqualGUID(some_guid, some_guid) && CommitTransaction(transaction);
#else
    return IsEqualGUID(&some_guid, &some_guid) && CommitTransaction(transaction);
#endif
}
