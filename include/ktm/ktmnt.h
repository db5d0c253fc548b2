/* SPDX-License-Identifier: MIT */
/*
 * The Kernel Transaction Manager by handle: the 40 Nt routines and their Zw names. Include wdm.h.
 *
 * A program that changes several resources as one creates a transaction, hands it to those who own
 * the resources, and commits it. Those, the resource managers, enlist in it, and are asked in turn:
 * to flush (PREPREPARE), to promise (PREPARE), and then told the outcome (COMMIT or ROLLBACK). A
 * transaction manager with a log makes the outcome survive: after a crash each resource manager
 * asks again and is told what was decided.
 *
 *      client:            NtCreateTransaction ... NtCommitTransaction
 *      resource manager:  NtCreateTransactionManager, NtRecoverTransactionManager,
 *                         NtCreateResourceManager, NtRecoverResourceManager; per transaction
 *                         NtCreateEnlistment; per notification NtPrepareComplete and its like
 *
 * Rules for every routine, not repeated below; statuses are written without their STATUS_:
 *  - NtXxx and ZwXxx are one service [GEN-01].
 *  - Any thread may call at any time. A routine is atomic; no lock is held while a callback runs,
 *    so callbacks may call everything [GEN-11].
 *  - Checks come in this order: pointers that must not be NULL (ACCESS_VIOLATION [GEN-07]), scalar
 *    values (INVALID_PARAMETER), handles, state [GEN-05].
 *  - "The handle answers" are INVALID_HANDLE (not open), OBJECT_TYPE_MISMATCH (of another type),
 *    ACCESS_DENIED (without the right named) [GEN-04], and TRANSACTION_OBJECT_EXPIRED (the TM or RM
 *    of the object was closed [OBJ-21]).
 *  - A call that fails has no effect, and writes no output but a ReturnLength [GEN-06]. Besides the
 *    answers listed there may come INSUFFICIENT_RESOURCES and those of the log [GEN-08].
 *  - Handles given out are the caller's, who closes them with NtClose [GEN-09]. Buffers and strings
 *    are borrowed for the call, and copied where they are kept. Strings are counted in bytes.
 *  - ObjectAttributes may be NULL: unnamed, not inherited, default security [OBJ-01]. In the create
 *    routines a name makes the object findable, and adds the answers OBJECT_NAME_INVALID,
 *    OBJECT_PATH_SYNTAX_BAD, OBJECT_NAME_COLLISION (in use), OBJECT_NAME_EXISTS (a success:
 *    OBJ_OPENIF opened what exists), OBJECT_TYPE_MISMATCH (OBJ_OPENIF, another type), INVALID_ACL,
 *    INVALID_SID [OBJ-02..10]. Routines that open by GUID refuse a name with INVALID_PARAMETER
 *    [OBJ-11].
 *  - DesiredAccess names rights of ktmtypes.h or generic ones; what the type does not have is
 *    refused: ACCESS_DENIED [OBJ-12, OBJ-13].
 *  - Time-outs count 100 ns: negative from now, positive at that moment UTC since 1601.
 *  - Objects and handles belong to the process. A child made by fork() has none of them: there
 * every inherited handle is INVALID_HANDLE, every pointer answers TRANSACTION_OBJECT_EXPIRED, and
 * what it makes is its own; a log that the parent has attached is SHARING_VIOLATION. The parent
 * does not notice. A child forked inside a callback must not return from it. exec() leaves nothing
 *    behind, and closes the logs. OBJ_INHERIT is remembered and told, no more [OBJ-04].
 *  - TmVirtualClock raises the clock of the TM when it is greater, NULL leaves it alone [CLOCK-04].
 */
#pragma once

#include "ktmtypes.h"

EXTERN_C_START

/* ---- transaction managers ---- */

/* Makes a TM: volatile (TRANSACTION_MANAGER_VOLATILE, no 'LogFileName'), or with the log of that
 * name, which is created when it does not exist; a log has one TM at a time. A volatile TM is
 * usable at once; a durable one answers TRANSACTIONMANAGER_NOT_ONLINE to most requests until it is
 * recovered [TM-CREATE-01..20, TM-STATE-01..04].
 *
 * 'LogFileName': path of the log without ".blf". 'CreateOptions': TRANSACTION_MANAGER_ bits.
 * 'CommitStrength': 0. Answers: INVALID_PARAMETER, OBJECT_NAME_INVALID (empty or odd name),
 * OBJECT_NAME_COLLISION (the log is attached to another TM), LOG_CORRUPTION_DETECTED (cannot be
 * created or opened, or is no log of a TM), OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, DISK_FULL,
 * SHARING_VIOLATION (another process has the log). */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateTransactionManager(_Out_ PHANDLE TmHandle,
                                                       ACCESS_MASK DesiredAccess,
                                                       _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                                       _In_opt_ PUNICODE_STRING LogFileName,
                                                       ULONG CreateOptions, ULONG CommitStrength);
NTSYSCALLAPI __typeof__(NtCreateTransactionManager) ZwCreateTransactionManager;

/* Another handle to a TM, found by exactly one of: the name in ObjectAttributes, 'LogFileName',
 * 'TmIdentity'. A log whose TM is not alive gets one, which must be recovered; a log is never
 * created. 'OpenOptions' is 0 [TM-OPEN-01..12]. Answers: INVALID_PARAMETER,
 * TRANSACTIONMANAGER_NOT_FOUND (identity), OBJECT_NAME_NOT_FOUND (name, log), OBJECT_TYPE_MISMATCH
 * (name of something else), OBJECT_NAME_INVALID, LOG_CORRUPTION_DETECTED, ACCESS_DENIED. */
NTSYSCALLAPI NTSTATUS NTAPI NtOpenTransactionManager(_Out_ PHANDLE TmHandle,
                                                     ACCESS_MASK DesiredAccess,
                                                     _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                                     _In_opt_ PUNICODE_STRING LogFileName,
                                                     _In_opt_ LPGUID TmIdentity, ULONG OpenOptions);
NTSYSCALLAPI __typeof__(NtOpenTransactionManager) ZwOpenTransactionManager;

/* Reads the log from the last restart area to its end, rebuilds what is unresolved, and brings the
 * TM online; harmless on a TM that is online. Sends no notification: resource managers recover
 * themselves [TM-RECOVER-01..13]. Right: TRANSACTIONMANAGER_RECOVER. Answers: the handle answers,
 * TM_VOLATILE, UNSUCCESSFUL (recovery failed before, or the log failed),
 * TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION (an identifier is in use), LOG_CORRUPTION_DETECTED. */
NTSYSCALLAPI NTSTATUS NTAPI NtRecoverTransactionManager(HANDLE TransactionManagerHandle);
NTSYSCALLAPI __typeof__(NtRecoverTransactionManager) ZwRecoverTransactionManager;

/* Recovers up to and including a value of the virtual clock, again and again with growing values;
 * online when the end of the log is reached. NULL: all of it, as NtRecoverTransactionManager
 * [TM-ROLLFWD-01..12]. Right: TRANSACTIONMANAGER_RECOVER. Answers: the handle answers, TM_VOLATILE,
 * UNSUCCESSFUL (online, failed), LOG_CORRUPTION_DETECTED. */
NTSYSCALLAPI NTSTATUS NTAPI NtRollforwardTransactionManager(HANDLE TransactionManagerHandle,
                                                            _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtRollforwardTransactionManager) ZwRollforwardTransactionManager;

/* Gives the TM stored in a log a new identity, durable on return; links from other logs break. The
 * log must not be in use [TM-RENAME-01..07]. Answers: INVALID_PARAMETER (a NULL),
 * OBJECT_NAME_NOT_FOUND, OBJECT_NAME_COLLISION (in use), TRANSACTIONMANAGER_IDENTITY_MISMATCH (not
 * the one stored), LOG_CORRUPTION_DETECTED. */
NTSYSCALLAPI NTSTATUS NTAPI NtRenameTransactionManager(PUNICODE_STRING LogFileName,
                                                       LPGUID ExistingTransactionManagerGuid);
NTSYSCALLAPI __typeof__(NtRenameTransactionManager) ZwRenameTransactionManager;

/* Tells about a TM, also one that is not online. '*ReturnLength': bytes written, or needed with a
 * buffer status [TM-QUERY-01..13]. Right: TRANSACTIONMANAGER_QUERY_INFORMATION. Answers: the handle
 * answers, INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH (shorter than the structure), BUFFER_TOO_SMALL,
 * BUFFER_OVERFLOW (the log path is truncated), TM_VOLATILE (about the log). */
NTSYSCALLAPI NTSTATUS NTAPI NtQueryInformationTransactionManager(
    HANDLE TransactionManagerHandle,
    TRANSACTIONMANAGER_INFORMATION_CLASS TransactionManagerInformationClass,
    _Out_ PVOID TransactionManagerInformation, ULONG TransactionManagerInformationLength,
    _Out_opt_ PULONG ReturnLength);
NTSYSCALLAPI __typeof__(NtQueryInformationTransactionManager) ZwQueryInformationTransactionManager;

/* TransactionManagerOnlineProbeInformation with NULL and 0 asks whether the log can be written; no
 * other class can be set [TM-SET-01..04]. Right: TRANSACTIONMANAGER_SET_INFORMATION. Answers: the
 * handle answers, INVALID_INFO_CLASS, TM_VOLATILE, TRANSACTIONMANAGER_NOT_ONLINE. */
NTSYSCALLAPI NTSTATUS NTAPI NtSetInformationTransactionManager(
    HANDLE TmHandle, TRANSACTIONMANAGER_INFORMATION_CLASS TransactionManagerInformationClass,
    _In_opt_ PVOID TransactionManagerInformation, ULONG TransactionManagerInformationLength);
NTSYSCALLAPI __typeof__(NtSetInformationTransactionManager) ZwSetInformationTransactionManager;

/* Lists identifiers, as many as fit, in ascending order, from where the cursor stands: TMs (root
 * NULL), the RMs of a TM, the enlistments of an RM, the transactions of a TM or (NULL) of all
 * [ENUM-01..11]. SUCCESS: more remain. NO_MORE_ENTRIES: nothing remains, but the identifiers this
 * call gave are valid. The cursor is zeroed before the first call, then passed back; 20 + 16 n
 * bytes hold n identifiers. Right on the root: its QUERY_INFORMATION. Answers: the handle answers,
 * INVALID_PARAMETER (type, root, or a buffer of less than 36 bytes). */
NTSYSCALLAPI NTSTATUS NTAPI NtEnumerateTransactionObject(_In_opt_ HANDLE RootObjectHandle,
                                                         KTMOBJECT_TYPE QueryType,
                                                         _Inout_ PKTMOBJECT_CURSOR ObjectCursor,
                                                         ULONG ObjectCursorLength,
                                                         _Out_ PULONG ReturnLength);
NTSYSCALLAPI __typeof__(NtEnumerateTransactionObject) ZwEnumerateTransactionObject;

/* ---- transactions ---- */

/* Makes a transaction. When its last handle closes before anybody asked for commit it is rolled
 * back [TX-CREATE-01..18].
 *
 * 'Uow': its identifier, NULL for a random one. 'TmHandle': the TM it belongs to (right:
 * TRANSACTIONMANAGER_QUERY_INFORMATION); NULL: that of the first enlistment. 'CreateOptions': 0 or
 * TRANSACTION_DO_NOT_PROMOTE. 'IsolationLevel': 0. 'IsolationFlags': kept. 'Timeout': when to roll
 * it back by itself if it is not committed; NULL or 0: never [ROLL-TMO-01..06]. 'Description': up
 * to 64 WCHARs, copied. Answers: INVALID_PARAMETER, the handle answers for TmHandle,
 * OBJECT_NAME_COLLISION (identifier in use), TRANSACTIONMANAGER_NOT_ONLINE. */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateTransaction(
    _Out_ PHANDLE TransactionHandle, ACCESS_MASK DesiredAccess,
    _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ LPGUID Uow, _In_opt_ HANDLE TmHandle,
    ULONG CreateOptions, ULONG IsolationLevel, ULONG IsolationFlags,
    _In_opt_ PLARGE_INTEGER Timeout, _In_opt_ PUNICODE_STRING Description);
NTSYSCALLAPI __typeof__(NtCreateTransaction) ZwCreateTransaction;

/* Another handle to the transaction with that identifier, in whatever state, among those of a TM or
 * (NULL) all [TX-OPEN-01..10]. Answers: INVALID_PARAMETER (access 0, identifier NULL or zero),
 * TRANSACTION_NOT_FOUND, the handle answers for TmHandle, TRANSACTIONMANAGER_NOT_ONLINE,
 * ACCESS_DENIED. */
NTSYSCALLAPI NTSTATUS NTAPI NtOpenTransaction(_Out_ PHANDLE TransactionHandle,
                                              ACCESS_MASK DesiredAccess,
                                              _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                              LPGUID Uow, _In_opt_ HANDLE TmHandle);
NTSYSCALLAPI __typeof__(NtOpenTransaction) ZwOpenTransaction;

/* Tells about a transaction [TX-QUERY-01..15]. '*ReturnLength': bytes written, or needed with
 * BUFFER_OVERFLOW. Right: TRANSACTION_QUERY_INFORMATION. Answers: the handle answers,
 * INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH (not even the fixed part fits), BUFFER_OVERFLOW (as much
 * as fits was written), TRANSACTION_NO_SUPERIOR. */
NTSYSCALLAPI NTSTATUS NTAPI NtQueryInformationTransaction(
    HANDLE TransactionHandle, TRANSACTION_INFORMATION_CLASS TransactionInformationClass,
    _Out_ PVOID TransactionInformation, ULONG TransactionInformationLength,
    _Out_opt_ PULONG ReturnLength);
NTSYSCALLAPI __typeof__(NtQueryInformationTransaction) ZwQueryInformationTransaction;

/* Sets the properties: time-out (starts anew; 0 cancels), description, isolation
 * [TX-SET-01..12]. Right: TRANSACTION_SET_INFORMATION. Answers: the handle answers,
 * INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH (shorter than 24 or the text), INVALID_PARAMETER,
 * ROLLBACK_TIMER_EXPIRED (the time-out has fired), TRANSACTION_NOT_ACTIVE (too late for a
 * time-out). */
NTSYSCALLAPI NTSTATUS NTAPI NtSetInformationTransaction(
    HANDLE TransactionHandle, TRANSACTION_INFORMATION_CLASS TransactionInformationClass,
    PVOID TransactionInformation, ULONG TransactionInformationLength);
NTSYSCALLAPI __typeof__(NtSetInformationTransaction) ZwSetInformationTransaction;

/* Commits: asks every enlistment to flush and to promise, decides, makes the decision durable,
 * tells them [TX-COMMIT-01..24]. With 'Wait' it returns when all have finished; without, when the
 * first notifications are on their way (PENDING); wait for the handle then and query the outcome.
 * Needs TRANSACTION_COMMIT.
 *
 * SUCCESS: committed, and with 'Wait' every enlistment has finished. PENDING: begun. Answers: the
 * handle answers, TRANSACTION_ALREADY_ABORTED (it ended, or ends, in abort),
 * TRANSACTION_ALREADY_COMMITTED, TRANSACTION_REQUEST_NOT_VALID (commit has begun),
 * TRANSACTION_SUPERIOR_EXISTS (only the superior may), RM_DISCONNECTED (the RM that commits in one
 * phase went away: outcome unknown), TRANSACTIONMANAGER_NOT_ONLINE (the log failed: decided at
 * recovery), TRANSACTION_RECORD_TOO_LONG (aborted). */
NTSYSCALLAPI NTSTATUS NTAPI NtCommitTransaction(HANDLE TransactionHandle, BOOLEAN Wait);
NTSYSCALLAPI __typeof__(NtCommitTransaction) ZwCommitTransaction;

/* Rolls back: the outcome is abort at once, and every enlistment is told. With 'Wait' it returns
 * when all have answered; without, PENDING when some have not. Right: TRANSACTION_ROLLBACK. A
 * transaction that is aborted already is a success [TX-ROLLBACK-01..14]. Answers: the handle
 * answers, TRANSACTION_ALREADY_COMMITTED, TRANSACTION_REQUEST_NOT_VALID (the decision is another's:
 * single phase commit under way, prepared under a superior, in doubt). */
NTSYSCALLAPI NTSTATUS NTAPI NtRollbackTransaction(HANDLE TransactionHandle, BOOLEAN Wait);
NTSYSCALLAPI __typeof__(NtRollbackTransaction) ZwRollbackTransaction;

/* ---- resource managers ---- */

/* Registers an RM with a TM. A durable RM uses the same 'RmGuid' at every start, and cannot enlist
 * before NtRecoverResourceManager; one that the TM knows from its log, or that was closed with
 * unresolved enlistments, is taken over [RM-CREATE-01..16].
 *
 * Right on the TM: TRANSACTIONMANAGER_CREATE_RM. 'CreateOptions': RESOURCE_MANAGER_ bits.
 * 'Description': up to 64 WCHARs, copied. Answers: the handle answers, ACCESS_VIOLATION (RmGuid
 * NULL), INVALID_PARAMETER (options, description, a volatile RM where a durable one is known),
 * OBJECT_NAME_COLLISION (an RM of that GUID is alive), TM_VOLATILE (a durable RM on a volatile TM),
 * TRANSACTIONMANAGER_NOT_ONLINE. */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateResourceManager(_Out_ PHANDLE ResourceManagerHandle,
                                                    ACCESS_MASK DesiredAccess, HANDLE TmHandle,
                                                    LPGUID RmGuid,
                                                    _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                                    ULONG CreateOptions,
                                                    _In_opt_ PUNICODE_STRING Description);
NTSYSCALLAPI __typeof__(NtCreateResourceManager) ZwCreateResourceManager;

/* Another handle to an RM of that TM [RM-OPEN-01..08]. Right on the TM:
 * TRANSACTIONMANAGER_QUERY_INFORMATION. Answers: the handle answers, INVALID_PARAMETER (access 0,
 * GUID NULL), RESOURCEMANAGER_NOT_FOUND, TRANSACTIONMANAGER_NOT_ONLINE. */
NTSYSCALLAPI NTSTATUS NTAPI NtOpenResourceManager(_Out_ PHANDLE ResourceManagerHandle,
                                                  ACCESS_MASK DesiredAccess, HANDLE TmHandle,
                                                  LPGUID ResourceManagerGuid,
                                                  _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes);
NTSYSCALLAPI __typeof__(NtOpenResourceManager) ZwOpenResourceManager;

/* Brings an RM online and sends it RECOVER (RECOVER_QUERY to a superior) for every enlistment whose
 * outcome it may not know, then one LAST_RECOVER. New work may begin at once [RM-RECOVER-01..13].
 * PENDING, with a queue: notifications are in it. Right: RESOURCEMANAGER_RECOVER. Answers: the
 * handle answers, TRANSACTIONMANAGER_NOT_ONLINE. */
NTSYSCALLAPI NTSTATUS NTAPI NtRecoverResourceManager(HANDLE ResourceManagerHandle);
NTSYSCALLAPI __typeof__(NtRecoverResourceManager) ZwRecoverResourceManager;

/* Takes the oldest notification from the queue of the RM; waits until there is one or 'Timeout'
 * (NULL: for ever, 0: not at all) is over, which is TIMEOUT, a success code. Several threads may
 * wait; each notification goes to one [NOTIF-GET-01..18]. Right: RESOURCEMANAGER_GET_NOTIFICATION.
 *
 * 'Asynchronous' and its context are 0 unless the RM has a completion port; then 1 and the address
 * of an OVERLAPPED (windows.h) lend the buffer, ReturnLength and the OVERLAPPED until a
 * notification arrives or the RM is closed: PENDING; or SUCCESS when there was one already. Either
 * way the OVERLAPPED becomes complete, its event is signalled, and a packet with its address and
 * the key of the RM goes to the port. In a packet, BUFFER_TOO_SMALL says that the notification
 * stayed in the queue, CANCELLED that the RM or its TM was closed. A call that fails lends nothing
 * [NOTIF-ASYNC-01..06]. Answers: the handle answers, BUFFER_TOO_SMALL (32 bytes, 64 for RECOVER;
 * the notification stays, ReturnLength says how much), TRANSACTION_OBJECT_EXPIRED (closed while
 * waiting), INVALID_PARAMETER (no port). */
NTSYSCALLAPI NTSTATUS NTAPI NtGetNotificationResourceManager(
    HANDLE ResourceManagerHandle, _Out_ PTRANSACTION_NOTIFICATION TransactionNotification,
    ULONG NotificationLength, _In_opt_ PLARGE_INTEGER Timeout, _Out_opt_ PULONG ReturnLength,
    ULONG Asynchronous, ULONG_PTR AsynchronousContext);
NTSYSCALLAPI __typeof__(NtGetNotificationResourceManager) ZwGetNotificationResourceManager;

/* Tells the GUID and description of an RM [RM-QUERY-01..08]. Right:
 * RESOURCEMANAGER_QUERY_INFORMATION. Answers: the handle answers, INVALID_INFO_CLASS,
 * BUFFER_TOO_SMALL (nothing written), BUFFER_OVERFLOW (the text is truncated). */
NTSYSCALLAPI NTSTATUS NTAPI NtQueryInformationResourceManager(
    HANDLE ResourceManagerHandle, RESOURCEMANAGER_INFORMATION_CLASS ResourceManagerInformationClass,
    _Out_ PVOID ResourceManagerInformation, ULONG ResourceManagerInformationLength,
    _Out_opt_ PULONG ReturnLength);
NTSYSCALLAPI __typeof__(NtQueryInformationResourceManager) ZwQueryInformationResourceManager;

/* Binds a completion port (NtCreateIoCompletion, wdm.h) to an RM until the RM is closed, or removes
 * it (port NULL); buffers lent before keep the port they were lent to [RM-SET-01..04]. Right:
 * RESOURCEMANAGER_SET_INFORMATION; of the port, IO_COMPLETION_MODIFY_STATE. Answers: the handle
 * answers (of the port too), INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH (not 16), INVALID_PARAMETER
 * (there is one, or a callback). */
NTSYSCALLAPI NTSTATUS NTAPI NtSetInformationResourceManager(
    HANDLE ResourceManagerHandle, RESOURCEMANAGER_INFORMATION_CLASS ResourceManagerInformationClass,
    PVOID ResourceManagerInformation, ULONG ResourceManagerInformationLength);
NTSYSCALLAPI __typeof__(NtSetInformationResourceManager) ZwSetInformationResourceManager;

/* ---- enlistments ---- */

/* Enlists an RM in a transaction, as a subordinate or (ENLISTMENT_SUPERIOR) as the one that
 * decides. Notifications may come before this returns, with 'EnlistmentKey' in each
 * [ENL-CREATE-01..23].
 *
 * 'NotificationMask': ROLLBACK always; PREPARE needs COMMIT; SINGLE_PHASE_COMMIT needs both;
 * without COMMIT there must be PREPREPARE [MASK-01..12]. Rights: RESOURCEMANAGER_ENLIST,
 * TRANSACTION_ENLIST. Nothing is written to the log. Answers: the handle answers, INVALID_PARAMETER
 * (options, mask), TRANSACTION_NOT_ACTIVE (commit or rollback has begun),
 * TRANSACTIONMANAGER_NOT_ONLINE (TM or RM not recovered), TRANSACTION_MUST_WRITETHROUGH (phase 0 is
 * over: enlist without PREPREPARE), TRANSACTION_SUPERIOR_EXISTS, TM_VOLATILE (superior by a
 * volatile RM under a durable TM), TRANSACTION_NOT_ROOT (superior on a branch),
 * TRANSACTION_REQUIRED_PROMOTION (RM of another TM, and the transaction forbids it). */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateEnlistment(
    _Out_ PHANDLE EnlistmentHandle, ACCESS_MASK DesiredAccess, HANDLE ResourceManagerHandle,
    HANDLE TransactionHandle, _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, ULONG CreateOptions,
    NOTIFICATION_MASK NotificationMask, _In_opt_ PVOID EnlistmentKey);
NTSYSCALLAPI __typeof__(NtCreateEnlistment) ZwCreateEnlistment;

/* Another handle to an enlistment of that RM; how an RM gets at the one a RECOVER names
 * [ENL-OPEN-01..06]. Right on the RM: RESOURCEMANAGER_QUERY_INFORMATION. Answers: the handle
 * answers, INVALID_PARAMETER (access 0, GUID NULL), ENLISTMENT_NOT_FOUND (also: finished and
 * closed). */
NTSYSCALLAPI NTSTATUS NTAPI NtOpenEnlistment(_Out_ PHANDLE EnlistmentHandle,
                                             ACCESS_MASK DesiredAccess,
                                             HANDLE ResourceManagerHandle, LPGUID EnlistmentGuid,
                                             _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes);
NTSYSCALLAPI __typeof__(NtOpenEnlistment) ZwOpenEnlistment;

/* Tells the identifiers of an enlistment, or the recovery information the RM stored with it, which
 * may be of length 0 [ENL-QUERY-01..11]. Right: ENLISTMENT_QUERY_INFORMATION. Answers: the handle
 * answers, INVALID_INFO_CLASS, INFO_LENGTH_MISMATCH, BUFFER_TOO_SMALL (recovery information;
 * nothing copied, ReturnLength says how much), TM_VOLATILE (recovery information), NOT_FOUND (no
 * branch). */
NTSYSCALLAPI NTSTATUS NTAPI NtQueryInformationEnlistment(
    HANDLE EnlistmentHandle, ENLISTMENT_INFORMATION_CLASS EnlistmentInformationClass,
    _Out_ PVOID EnlistmentInformation, ULONG EnlistmentInformationLength,
    _Out_opt_ PULONG ReturnLength);
NTSYSCALLAPI __typeof__(NtQueryInformationEnlistment) ZwQueryInformationEnlistment;

/* Stores recovery information: bytes of the RM's own that come back after a crash. Durable with the
 * next prepare or commit record; length 0 clears it; at least 32 KiB fit [ENL-SET-01..10]. Right:
 * ENLISTMENT_SET_INFORMATION. Answers: the handle answers, INVALID_INFO_CLASS,
 * INFO_LENGTH_MISMATCH, TM_VOLATILE, TRANSACTION_REQUEST_NOT_VALID (it has finished, or is
 * read-only), TRANSACTION_RECORD_TOO_LONG. */
NTSYSCALLAPI NTSTATUS NTAPI NtSetInformationEnlistment(
    HANDLE EnlistmentHandle, ENLISTMENT_INFORMATION_CLASS EnlistmentInformationClass,
    PVOID EnlistmentInformation, ULONG EnlistmentInformationLength);
NTSYSCALLAPI __typeof__(NtSetInformationEnlistment) ZwSetInformationEnlistment;

/* The answer to RECOVER: has the outcome delivered (COMMIT, ROLLBACK, or INDOUBT and one of the two
 * later), under a new key, as keys do not survive a restart. The RM may have finished the same
 * COMMIT before the crash; it answers again [ENL-RECOVER-01..12]. PENDING, with a queue: a
 * notification is in it. Right: ENLISTMENT_RECOVER. Answers: the handle answers,
 * TRANSACTION_REQUEST_NOT_VALID (there is nothing to recover). */
NTSYSCALLAPI NTSTATUS NTAPI NtRecoverEnlistment(HANDLE EnlistmentHandle,
                                                _In_opt_ PVOID EnlistmentKey);
NTSYSCALLAPI __typeof__(NtRecoverEnlistment) ZwRecoverEnlistment;

/* ---- what a superior asks for ----
 * Right: ENLISTMENT_SUPERIOR_RIGHTS. Each may answer ENLISTMENT_NOT_SUPERIOR,
 * TRANSACTION_RESPONSE_NOT_ENLISTED (the mask lacks the notification the phase ends with),
 * TRANSACTION_REQUEST_NOT_VALID (state), and the handle answers; PENDING when notifications wait in
 * queues. */

/* Phase 0: subordinates flush; ends with PREPREPARE_COMPLETE [ENL-PPE-01..12]. */
NTSYSCALLAPI NTSTATUS NTAPI NtPrePrepareEnlistment(HANDLE EnlistmentHandle,
                                                   _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtPrePrepareEnlistment) ZwPrePrepareEnlistment;

/* Phase 1: subordinates promise; ends with PREPARE_COMPLETE, when the promise is durable, or with
 * ROLLBACK [ENL-PE-01..12]. */
NTSYSCALLAPI NTSTATUS NTAPI NtPrepareEnlistment(HANDLE EnlistmentHandle,
                                                _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtPrepareEnlistment) ZwPrepareEnlistment;

/* Decides commit: phase 2, or all phases when none has begun; ends with COMMIT_COMPLETE. Returns
 * when it is begun, and never waits for answers [ENL-CE-01..15]. Further answers:
 * TRANSACTION_NOT_ACTIVE (asked before), TRANSACTION_ALREADY_ABORTED,
 * TRANSACTIONMANAGER_NOT_ONLINE (the log failed: still undecided). */
NTSYSCALLAPI NTSTATUS NTAPI NtCommitEnlistment(HANDLE EnlistmentHandle,
                                               _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtCommitEnlistment) ZwCommitEnlistment;

/* Rolls the whole transaction back: a superior until it has decided commit, a subordinate until it
 * has called PrepareComplete; it too receives ROLLBACK and owes the answer [ENL-RB-01..14]. Right:
 * ENLISTMENT_SUBORDINATE_RIGHTS. PENDING: ROLLBACK waits in queues. Answers: the handle answers,
 * TRANSACTION_REQUEST_NOT_VALID (too late, read-only, finished). */
NTSYSCALLAPI NTSTATUS NTAPI NtRollbackEnlistment(HANDLE EnlistmentHandle,
                                                 _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtRollbackEnlistment) ZwRollbackEnlistment;

/* ---- what a resource manager answers ----
 * Right: ENLISTMENT_SUBORDINATE_RIGHTS. Each is allowed exactly while its answer is owed, also
 * before the notification is fetched; otherwise TRANSACTION_NOT_REQUESTED and nothing has changed.
 * The handle answers. An answer that ends a phase starts the next one inside the call and returns
 * its status: PENDING when notifications wait in queues. */

/* To PREPREPARE: caches are flushed; from now on write through [ENL-PPC-01..10]. */
NTSYSCALLAPI NTSTATUS NTAPI NtPrePrepareComplete(HANDLE EnlistmentHandle,
                                                 _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtPrePrepareComplete) ZwPrePrepareComplete;

/* To PREPARE: a promise to be able to commit and to roll back, also after a crash; the RM can no
 * longer roll back by itself [ENL-PC-01..10]. The last such answer takes the decision, and forces
 * it to the log, in this call. */
NTSYSCALLAPI NTSTATUS NTAPI NtPrepareComplete(HANDLE EnlistmentHandle,
                                              _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtPrepareComplete) ZwPrepareComplete;

/* To COMMIT, also a redelivered one: done. To SINGLE_PHASE_COMMIT: committed, and so is the
 * transaction [ENL-CC-01..10]. Close the handle then. */
NTSYSCALLAPI NTSTATUS NTAPI NtCommitComplete(HANDLE EnlistmentHandle,
                                             _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtCommitComplete) ZwCommitComplete;

/* To ROLLBACK: undone [ENL-RC-01..08]. Close the handle then. */
NTSYSCALLAPI NTSTATUS NTAPI NtRollbackComplete(HANDLE EnlistmentHandle,
                                               _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtRollbackComplete) ZwRollbackComplete;

/* "I changed nothing": the enlistment leaves the transaction, hears no more of it and may close its
 * handle. Allowed from enlisting until PrepareComplete would be; not for a superior
 * [ENL-RO-01..13]. */
NTSYSCALLAPI NTSTATUS NTAPI NtReadOnlyEnlistment(HANDLE EnlistmentHandle,
                                                 _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtReadOnlyEnlistment) ZwReadOnlyEnlistment;

/* To SINGLE_PHASE_COMMIT: no; the ordinary phases follow [ENL-SPR-01..09]. */
NTSYSCALLAPI NTSTATUS NTAPI NtSinglePhaseReject(HANDLE EnlistmentHandle,
                                                _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTSYSCALLAPI __typeof__(NtSinglePhaseReject) ZwSinglePhaseReject;

/* ---- propagation and freezing; Windows does not document these ---- */

/* Notes a protocol with an RM made with RESOURCE_MANAGER_COMMUNICATION; no further effect
 * [PROP-01..04, PROP-06]. Right: RESOURCEMANAGER_REGISTER_PROTOCOL. Answers: the handle answers,
 * INVALID_PARAMETER, CRM_PROTOCOL_ALREADY_EXISTS. */
NTSYSCALLAPI NTSTATUS NTAPI NtRegisterProtocolAddressInformation(HANDLE ResourceManager,
                                                                 PCRM_PROTOCOL_ID ProtocolId,
                                                                 ULONG ProtocolInformationSize,
                                                                 _In_opt_ PVOID ProtocolInformation,
                                                                 ULONG CreateOptions);
NTSYSCALLAPI __typeof__(NtRegisterProtocolAddressInformation) ZwRegisterProtocolAddressInformation;

/* Answers to a propagation request, which is never made: TRANSACTION_NOT_REQUESTED after the handle
 * answers [PROP-05, PROP-06]. Right: RESOURCEMANAGER_COMPLETE_PROPAGATION. */
NTSYSCALLAPI NTSTATUS NTAPI NtPropagationComplete(HANDLE ResourceManagerHandle, ULONG RequestCookie,
                                                  ULONG BufferLength, _In_opt_ PVOID Buffer);
NTSYSCALLAPI __typeof__(NtPropagationComplete) ZwPropagationComplete;
NTSYSCALLAPI NTSTATUS NTAPI NtPropagationFailed(HANDLE ResourceManagerHandle, ULONG RequestCookie,
                                                NTSTATUS PropStatus);
NTSYSCALLAPI __typeof__(NtPropagationFailed) ZwPropagationFailed;

/* A quiet moment in all logs of the process, for a snapshot: waits, 'FreezeTimeout' at most, until
 * no log is being written, then none is until NtThawTransactions or 'ThawTimeout' is over; both in
 * 100 ns from now, whatever their sign. Meanwhile a commit of a durable TM does not begin: the call
 * waits or, with Wait FALSE, is PENDING and carried out by the thaw, on its thread. Votes are
 * taken, a decision is put off. Rollback, enlisting, queries and notifications go on; attaching and
 * closing a log wait [FRZ-01..09]. TIMEOUT, a success code: not frozen. Answers:
 * TRANSACTION_FREEZE_IN_PROGRESS, ACCESS_VIOLATION (a NULL), INSUFFICIENT_RESOURCES. */
NTSYSCALLAPI NTSTATUS NTAPI NtFreezeTransactions(PLARGE_INTEGER FreezeTimeout,
                                                 PLARGE_INTEGER ThawTimeout);
NTSYSCALLAPI __typeof__(NtFreezeTransactions) ZwFreezeTransactions;
/* Ends it; what was held up goes on. Answers: TRANSACTIONS_NOT_FROZEN. */
NTSYSCALLAPI NTSTATUS NTAPI NtThawTransactions(void);
NTSYSCALLAPI __typeof__(NtThawTransactions) ZwThawTransactions;

EXTERN_C_END
