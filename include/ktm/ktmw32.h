/* SPDX-License-Identifier: MIT */
/*
 * Transactions by their Win32 names: each function is an Nt routine of ktmnt.h in other clothes,
 * and that one's comment is the manual; here stands what is different.
 *
 * Rules for every function:
 *  - BOOL: FALSE is failure; HANDLE: INVALID_HANDLE_VALUE is failure, never NULL. GetLastError()
 *    then gives what RtlNtStatusToDosError makes of the Nt routine's status: for those of KTM and
 *    logs the error of the same name [W32-GEN-01..03]. "Errors" names, without ERROR_, those worth
 *    a program's attention.
 *  - A status that is pending is a success, and success leaves the last error alone, but the create
 *    functions set it to 0, or to ERROR_ALREADY_EXISTS when they opened what exists [W32-GEN-04,
 *    W32-GEN-05].
 *  - Created objects have no name, all rights [W32-GEN-07, W32-GEN-08], and are inherited when the
 *    SECURITY_ATTRIBUTES, which may be NULL, say so [W32-GEN-06]. Close them with CloseHandle.
 *  - Milliseconds are relative to now [W32-GEN-10]. Strings are NUL-terminated UTF-16 of at most
 *    32766 units (ERROR_FILENAME_EXCED_RANGE) [W32-GEN-12]; log names have no ".blf" and may be a
 *    path in any of its forms [W32-GEN-11]. Strings and buffers are borrowed for the call.
 *  - Any thread may call any of them.
 */
#pragma once

#include "ktmtypes.h"
#include "windows.h"

EXTERN_C_START

/* ---- transactions ---- */

/* A transaction of no TM until the first enlistment. 'UOW' is NULL, both isolation arguments are 0.
 * 'Timeout' in milliseconds; 0 or INFINITE: none. 'Description': at most 64 characters
 * [W32-TX-01..06]. Errors: INVALID_PARAMETER. */
WINBASEAPI HANDLE WINAPI CreateTransaction(_In_opt_ LPSECURITY_ATTRIBUTES lpTransactionAttributes,
                                           _Reserved_ LPGUID UOW, DWORD CreateOptions,
                                           DWORD IsolationLevel, DWORD IsolationFlags,
                                           DWORD Timeout, _In_opt_ LPWSTR Description);

/* Opens by identifier, among all TMs [W32-TX-07]. Errors: INVALID_PARAMETER (NULL, access 0),
 * TRANSACTION_NOT_FOUND. */
WINBASEAPI HANDLE WINAPI OpenTransaction(DWORD dwDesiredAccess, LPGUID TransactionId);

/* Commits and waits for everybody; FALSE with ERROR_TRANSACTION_ALREADY_ABORTED when it ended in
 * abort [W32-TX-08, W32-TX-09]. The second form returns when the commit has begun: TRUE, with the
 * last error ERROR_IO_PENDING, or 0 when it is complete; wait for the handle and ask for the
 * outcome [W32-TX-10, W32-TX-13]. Right: TRANSACTION_COMMIT. */
WINBASEAPI BOOL WINAPI CommitTransaction(HANDLE TransactionHandle);
WINBASEAPI BOOL WINAPI CommitTransactionAsync(HANDLE TransactionHandle);

/* Rolls back and waits; or begins to, as the commit above [W32-TX-11..13]. Right:
 * TRANSACTION_ROLLBACK. */
WINBASEAPI BOOL WINAPI RollbackTransaction(HANDLE TransactionHandle);
WINBASEAPI BOOL WINAPI RollbackTransactionAsync(HANDLE TransactionHandle);

/* The identifier. Right: TRANSACTION_QUERY_INFORMATION [W32-TX-14]. */
WINBASEAPI BOOL WINAPI GetTransactionId(HANDLE TransactionHandle, _Out_ LPGUID TransactionId);

/* The outcome (TRANSACTION_OUTCOME) and properties; each pointer may be NULL. '*Timeout' in
 * milliseconds, INFINITE for none. 'Description' receives text and NUL in 'BufferLength' WCHARs
 * [W32-TX-15..18]. Right: TRANSACTION_QUERY_INFORMATION. Errors: MORE_DATA (text does not fit). */
WINBASEAPI BOOL WINAPI GetTransactionInformation(HANDLE TransactionHandle, _Out_opt_ PDWORD Outcome,
                                                 _Out_opt_ PDWORD IsolationLevel,
                                                 _Out_opt_ PDWORD IsolationFlags,
                                                 _Out_opt_ PDWORD Timeout, DWORD BufferLength,
                                                 _Out_opt_ LPWSTR Description);

/* Sets them; a Timeout of 0 or INFINITE cancels it, a NULL Description clears it [W32-TX-19,
 * W32-TX-20]. Right: TRANSACTION_SET_INFORMATION. Errors: INVALID_PARAMETER,
 * ROLLBACK_TIMER_EXPIRED. */
WINBASEAPI BOOL WINAPI SetTransactionInformation(HANDLE TransactionHandle, DWORD IsolationLevel,
                                                 DWORD IsolationFlags, DWORD Timeout,
                                                 _In_opt_ LPWSTR Description);

/* ---- transaction managers ---- */

/* Makes a TM: 'LogFileName' NULL with TRANSACTION_MANAGER_VOLATILE, a path without. CommitStrength
 * is 0. Recover it next [W32-TM-01, W32-TM-02]. Errors: INVALID_PARAMETER, ALREADY_EXISTS (the log
 * is in use), LOG_CORRUPTION_DETECTED. */
WINBASEAPI HANDLE WINAPI
CreateTransactionManager(_In_opt_ LPSECURITY_ATTRIBUTES lpTransactionAttributes,
                         _In_opt_ LPWSTR LogFileName, ULONG CreateOptions, ULONG CommitStrength);

/* Open the TM of a log that exists, or with that identity. OpenOptions is 0. Recover it next
 * [W32-TM-03, W32-TM-04]. Errors: INVALID_PARAMETER (NULL), FILE_NOT_FOUND,
 * TRANSACTIONMANAGER_NOT_FOUND. */
WINBASEAPI HANDLE WINAPI OpenTransactionManager(LPWSTR LogFileName, ACCESS_MASK DesiredAccess,
                                                ULONG OpenOptions);
WINBASEAPI HANDLE WINAPI OpenTransactionManagerById(LPGUID TransactionManagerId,
                                                    ACCESS_MASK DesiredAccess, ULONG OpenOptions);

/* As NtRecoverTransactionManager, NtRollforwardTransactionManager, NtRenameTransactionManager
 * [W32-TM-05..07]. Errors: TM_VOLATILE, GEN_FAILURE (state), INVALID_PARAMETER (no name). */
WINBASEAPI BOOL WINAPI RecoverTransactionManager(HANDLE TransactionManagerHandle);
WINBASEAPI BOOL WINAPI RollforwardTransactionManager(HANDLE TransactionManagerHandle,
                                                     _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI RenameTransactionManager(LPWSTR LogFileName,
                                                LPGUID ExistingTransactionManagerGuid);

/* The virtual clock; the identity. Right: TRANSACTIONMANAGER_QUERY_INFORMATION
 * [W32-TM-08, W32-TM-09]. */
WINBASEAPI BOOL WINAPI GetCurrentClockTransactionManager(HANDLE TransactionManagerHandle,
                                                         _Out_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI GetTransactionManagerId(HANDLE TransactionManagerHandle,
                                               _Out_ LPGUID TransactionManagerId);

/* ---- resource managers ---- */

/* Registers an RM; the GUID is needed (ERROR_NOACCESS when NULL). Recover it next
 * [W32-RM-01, W32-RM-02]. Errors: TM_VOLATILE, ALREADY_EXISTS (an RM of that GUID is alive). */
WINBASEAPI HANDLE WINAPI CreateResourceManager(
    _In_opt_ LPSECURITY_ATTRIBUTES lpResourceManagerAttributes, LPGUID ResourceManagerId,
    DWORD CreateOptions, HANDLE TmHandle, _In_opt_ LPWSTR Description);

/* [W32-RM-03] Errors: INVALID_PARAMETER (NULL, access 0), RESOURCEMANAGER_NOT_FOUND. */
WINBASEAPI HANDLE WINAPI OpenResourceManager(DWORD dwDesiredAccess, HANDLE TmHandle,
                                             LPGUID ResourceManagerId);

/* As NtRecoverResourceManager [W32-RM-04]. */
WINBASEAPI BOOL WINAPI RecoverResourceManager(HANDLE ResourceManagerHandle);

/* The oldest notification; waits so many milliseconds (INFINITE, 0) [W32-RM-05..07]. Errors:
 * WAIT_TIMEOUT, INSUFFICIENT_BUFFER (*ReturnLength says how much). */
WINBASEAPI BOOL WINAPI GetNotificationResourceManager(
    HANDLE ResourceManagerHandle, _Out_ PTRANSACTION_NOTIFICATION TransactionNotification,
    ULONG NotificationLength, DWORD dwMilliseconds, _Out_opt_ PULONG ReturnLength);

/* Lends a buffer for a notification; a packet with 'lpOverlapped' comes through the completion port
 * when it is filled. TRUE: it is filled already (and the packet comes too). Lend several to have
 * several [W32-RM-08..10]. A packet whose operation failed says INSUFFICIENT_BUFFER (and how much
 * is needed; the notification is still there) or OPERATION_ABORTED (the RM or its TM was closed).
 * Errors: IO_PENDING (lent), INVALID_PARAMETER (no OVERLAPPED, no port), INSUFFICIENT_BUFFER
 * (nothing is lent). */
WINBASEAPI BOOL WINAPI GetNotificationResourceManagerAsync(
    HANDLE ResourceManagerHandle, _Out_ PTRANSACTION_NOTIFICATION TransactionNotification,
    ULONG TransactionNotificationLength, _Out_opt_ PULONG ReturnLength, LPOVERLAPPED lpOverlapped);

/* Has the notifications of the RM complete through that port, with that key; before the function
 * above. A port of NULL ends that for buffers lent later [W32-RM-11]. Errors: INVALID_HANDLE,
 * INVALID_PARAMETER (bound already). */
WINBASEAPI BOOL WINAPI SetResourceManagerCompletionPort(HANDLE ResourceManagerHandle,
                                                        HANDLE IoCompletionPortHandle,
                                                        ULONG_PTR CompletionKey);

/* ---- enlistments ---- */

/* As NtCreateEnlistment, but note the order: mask before options [W32-EN-01..03]. */
WINBASEAPI HANDLE WINAPI CreateEnlistment(_In_opt_ LPSECURITY_ATTRIBUTES lpEnlistmentAttributes,
                                          HANDLE ResourceManagerHandle, HANDLE TransactionHandle,
                                          NOTIFICATION_MASK NotificationMask, DWORD CreateOptions,
                                          _In_opt_ PVOID EnlistmentKey);

/* [W32-EN-04] Errors: INVALID_PARAMETER (NULL, access 0), ENLISTMENT_NOT_FOUND. */
WINBASEAPI HANDLE WINAPI OpenEnlistment(DWORD dwDesiredAccess, HANDLE ResourceManagerHandle,
                                        LPGUID EnlistmentId);

/* As NtRecoverEnlistment [W32-EN-05]; the identifier [W32-EN-06]. */
WINBASEAPI BOOL WINAPI RecoverEnlistment(HANDLE EnlistmentHandle, _In_opt_ PVOID EnlistmentKey);
WINBASEAPI BOOL WINAPI GetEnlistmentId(HANDLE EnlistmentHandle, _Out_ LPGUID EnlistmentId);

/* The RM's own bytes that survive a crash; '*BufferUsed': how many there are [W32-EN-07]. Errors:
 * INSUFFICIENT_BUFFER, BAD_LENGTH, TM_VOLATILE, TRANSACTION_REQUEST_NOT_VALID (it has finished),
 * TRANSACTION_RECORD_TOO_LONG. */
WINBASEAPI BOOL WINAPI GetEnlistmentRecoveryInformation(HANDLE EnlistmentHandle, ULONG BufferSize,
                                                        _Out_ PVOID Buffer,
                                                        _Out_opt_ PULONG BufferUsed);
WINBASEAPI BOOL WINAPI SetEnlistmentRecoveryInformation(HANDLE EnlistmentHandle, ULONG BufferSize,
                                                        PVOID Buffer);

/* A superior's requests [W32-EN-08]; the last is for subordinates too [W32-EN-09]. Here and below
 * the clock may be NULL, and counts when it is greater than the TM's [W32-EN-11]. Errors:
 * ENLISTMENT_NOT_SUPERIOR, TRANSACTION_RESPONSE_NOT_ENLISTED, TRANSACTION_REQUEST_NOT_VALID. */
WINBASEAPI BOOL WINAPI PrePrepareEnlistment(HANDLE EnlistmentHandle,
                                            _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI PrepareEnlistment(HANDLE EnlistmentHandle,
                                         _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI CommitEnlistment(HANDLE EnlistmentHandle,
                                        _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI RollbackEnlistment(HANDLE EnlistmentHandle,
                                          _In_opt_ PLARGE_INTEGER TmVirtualClock);

/* A resource manager's answers [W32-EN-10]. There is no "could not undo" [W32-EN-12]. Errors:
 * TRANSACTION_NOT_REQUESTED. */
WINBASEAPI BOOL WINAPI PrePrepareComplete(HANDLE EnlistmentHandle,
                                          _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI PrepareComplete(HANDLE EnlistmentHandle,
                                       _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI CommitComplete(HANDLE EnlistmentHandle,
                                      _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI RollbackComplete(HANDLE EnlistmentHandle,
                                        _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI ReadOnlyEnlistment(HANDLE EnlistmentHandle,
                                          _In_opt_ PLARGE_INTEGER TmVirtualClock);
WINBASEAPI BOOL WINAPI SinglePhaseReject(HANDLE EnlistmentHandle,
                                         _In_opt_ PLARGE_INTEGER TmVirtualClock);

/* ---- what ktmw32.dll exports and no page documents [W32-PRIV-01..04] ---- */

/* CreateTransaction, with an identifier of the caller's. */
WINBASEAPI HANDLE WINAPI
PrivCreateTransaction(_In_opt_ LPSECURITY_ATTRIBUTES lpTransactionAttributes, _In_opt_ LPGUID UOW,
                      DWORD CreateOptions, DWORD IsolationLevel, DWORD IsolationFlags,
                      DWORD Timeout, _In_opt_ LPWSTR Description);
/* TRUE when the TM is online and its log accepts writes. Right:
 * TRANSACTIONMANAGER_SET_INFORMATION. */
WINBASEAPI BOOL WINAPI PrivIsLogWritableTransactionManager(HANDLE TmHandle);
/* NtPropagationComplete, NtPropagationFailed and NtRegisterProtocolAddressInformation. */
WINBASEAPI BOOL WINAPI PrivPropagationComplete(HANDLE RmHandle, ULONG RequestCookie,
                                               ULONG BufferLength, _In_opt_ PVOID Buffer);
WINBASEAPI BOOL WINAPI PrivPropagationFailed(HANDLE RmHandle, ULONG RequestCookie);
WINBASEAPI BOOL WINAPI PrivRegisterProtocolAddressInformation(HANDLE RmHandle,
                                                              PCRM_PROTOCOL_ID ProtocolId,
                                                              ULONG Size,
                                                              _In_opt_ PVOID Information,
                                                              ULONG CreateOptions);

EXTERN_C_END
