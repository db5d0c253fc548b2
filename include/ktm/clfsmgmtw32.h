/* SPDX-License-Identifier: MIT */
/*
 * Log management by its Win32 names: the ClfsMgmt routines of clfsmgmt.h for a log handle. FALSE is
 * failure and GetLastError() says why, as in clfsw32.h.
 *
 * A program registers its log handle, with callbacks or with a queue it reads. Callbacks are
 * delivered to the registering thread while it waits alertably (SleepEx, WaitForSingleObjectEx)
 * [CLFS-W32-18, CLFS-W32-19].
 */
#pragma once

#include "clfsmgmt.h"
#include "windows.h"

EXTERN_C_START

/* "Move your base to 'lsnTarget' or beyond, or call LogTailAdvanceFailure." */
typedef VOID(CALLBACK *PLOG_TAIL_ADVANCE_CALLBACK)(HANDLE hLogFile, CLFS_LSN lsnTarget,
                                                   PVOID pvClientContext);
/* "The request of HandleLogFull is finished": 0 for space, else why not. */
typedef VOID(CALLBACK *PLOG_FULL_HANDLER_CALLBACK)(HANDLE hLogFile, DWORD dwError,
                                                   BOOL fLogIsPinned, PVOID pvClientContext);
/* "The log is no longer pinned." */
typedef VOID(CALLBACK *PLOG_UNPINNED_CALLBACK)(HANDLE hLogFile, PVOID pvClientContext);

/* All three, or none for a queue. */
typedef struct _LOG_MANAGEMENT_CALLBACKS {
    PVOID CallbackContext;
    PLOG_TAIL_ADVANCE_CALLBACK AdvanceTailCallback;
    PLOG_FULL_HANDLER_CALLBACK LogFullHandlerCallback;
    PLOG_UNPINNED_CALLBACK LogUnpinnedCallback;
} LOG_MANAGEMENT_CALLBACKS, *PLOG_MANAGEMENT_CALLBACKS;

/* Registers the handle; NULL for a queue. Closing the handle deregisters it [CLFS-W32-17..20].
 * Errors: LOG_CLIENT_ALREADY_REGISTERED. */
WINBASEAPI BOOL WINAPI RegisterManageableLogClient(HANDLE hLog,
                                                   _In_opt_ PLOG_MANAGEMENT_CALLBACKS pCallbacks);
/* Errors, here and for the next three: LOG_CLIENT_NOT_REGISTERED [CLFS-W32-21]. */
WINBASEAPI BOOL WINAPI DeregisterManageableLogClient(HANDLE hLog);

/* Asks for space. Never TRUE: ERROR_IO_PENDING is "accepted" [CLFS-W32-22]. Errors: IO_PENDING,
 * LOG_FULL, LOG_FULL_HANDLER_IN_PROGRESS. */
WINBASEAPI BOOL WINAPI HandleLogFull(HANDLE hLog);
/* As ClfsMgmtTailAdvanceFailure, with a Win32 error as reason. */
WINBASEAPI BOOL WINAPI LogTailAdvanceFailure(HANDLE hLog, DWORD dwReason);
/* The oldest notification of the queue; waits for one, or is pending with an OVERLAPPED
 * [CLFS-W32-23..26]. Errors: IO_PENDING, OPERATION_ABORTED (the handle was closed). */
WINBASEAPI BOOL WINAPI ReadLogNotification(HANDLE hLog, _Out_ PCLFS_MGMT_NOTIFICATION pNotification,
                                           _Inout_opt_ LPOVERLAPPED lpOverlapped);
/* One ClfsMgmtLogWriteNotification when 'cbThreshold' bytes more are written; or none
 * [CLFS-W32-27, CLFS-W32-28]. */
WINBASEAPI BOOL WINAPI RegisterForLogWriteNotification(HANDLE hLog, ULONG cbThreshold,
                                                       BOOL fEnable);

/* As ClfsMgmtInstallPolicy (its length is LengthInBytes), ClfsMgmtQueryPolicy (Errors: MORE_DATA),
 * ClfsMgmtRemovePolicy. */
WINBASEAPI BOOL WINAPI InstallLogPolicy(HANDLE hLog, PCLFS_MGMT_POLICY pPolicy);
WINBASEAPI BOOL WINAPI QueryLogPolicy(HANDLE hLog, CLFS_MGMT_POLICY_TYPE ePolicyType,
                                      _Out_ PCLFS_MGMT_POLICY pPolicyBuffer,
                                      _Inout_ PULONG pcbPolicyBuffer);
WINBASEAPI BOOL WINAPI RemoveLogPolicy(HANDLE hLog, CLFS_MGMT_POLICY_TYPE ePolicyType);

/* As ClfsMgmtSetLogFileSize. Errors: INVALID_PARAMETER (1 container [CLFS-W32-29]). */
WINBASEAPI BOOL WINAPI SetLogFileSizeWithPolicy(HANDLE hLog, PULONGLONG pDesiredSize,
                                                _Out_opt_ PULONGLONG pResultingSize);

EXTERN_C_END

C_ASSERT(sizeof(LOG_MANAGEMENT_CALLBACKS) == 32);
C_ASSERT(offsetof(LOG_MANAGEMENT_CALLBACKS, LogUnpinnedCallback) == 24);
