/* SPDX-License-Identifier: MIT */
/*
 * The Kernel Transaction Manager by object pointer: the Tm routines. Include wdm.h.
 *
 * They do what their Nt twins in ktmnt.h do, on a pointer instead of a handle: nothing is looked up
 * and no right is checked, so the handle answers cannot come [GEN-02]. All else said there holds
 * here, also TRANSACTION_OBJECT_EXPIRED when the TM or RM was closed [TMR-05].
 *
 * Pointers come from ObReferenceObjectByHandle, which checks the right, or from a callback. The
 * first must be given back with ObDereferenceObject; they keep the object in memory, but not open:
 * what happens when the last handle closes happens all the same [TMR-01..04].
 *
 * TmReferenceEnlistmentKey, TmDereferenceEnlistmentKey, TmGetTransactionId and
 * TmIsTransactionActive wait for nothing that other threads do [GEN-12].
 */
#pragma once

#include "ktmtypes.h"

EXTERN_C_START

/* ---- transaction managers ---- */

/* Would make a TM in memory of the caller's; there is no such memory in user space. Answers:
 * NOT_SUPPORTED [TMR-26]. */
NTKERNELAPI NTSTATUS NTAPI TmInitializeTransactionManager(PRKTM TransactionManager,
                                                          _In_opt_ PCUNICODE_STRING LogFileName,
                                                          _In_opt_ PGUID TmId, ULONG CreateOptions);

/* As NtRenameTransactionManager [TMR-12]. */
NTKERNELAPI NTSTATUS NTAPI TmRenameTransactionManager(PUNICODE_STRING LogFileName,
                                                      LPGUID ExistingTransactionManagerGuid);

/* As NtRecoverTransactionManager, or with a clock as NtRollforwardTransactionManager. Answers:
 * TM_VOLATILE, UNSUCCESSFUL (state), LOG_CORRUPTION_DETECTED [TMR-11]. */
NTKERNELAPI NTSTATUS NTAPI TmRecoverTransactionManager(PKTM Tm,
                                                       _In_opt_ PLARGE_INTEGER TargetVirtualClock);

/* ---- transactions ---- */

/* As NtCommitTransaction and NtRollbackTransaction [TMR-06]. */
NTKERNELAPI NTSTATUS NTAPI TmCommitTransaction(PKTRANSACTION Transaction, BOOLEAN Wait);
NTKERNELAPI NTSTATUS NTAPI TmRollbackTransaction(PKTRANSACTION Transaction, BOOLEAN Wait);

/* The identifier of the transaction [TMR-13]. */
NTKERNELAPI VOID NTAPI TmGetTransactionId(PKTRANSACTION Transaction, _Out_ PUOW TransactionId);

/* TRUE from creation until commit or rollback begins; asking a superior for commit does not begin
 * it [TMR-14]. */
NTKERNELAPI BOOLEAN NTAPI TmIsTransactionActive(PKTRANSACTION Transaction);

/* ---- resource managers ---- */

/* From now on notifications of the RM go to this routine, with 'RMKey', on the thread that causes
 * them; those already queued are delivered before this returns. Registering again replaces routine
 * and key [TMR-15..17]. Answers: UNSUCCESSFUL (no routine), INVALID_PARAMETER (the RM has a
 * completion port). */
NTKERNELAPI NTSTATUS NTAPI TmEnableCallbacks(PKRESOURCEMANAGER ResourceManager,
                                             PTM_RM_NOTIFICATION CallbackRoutine,
                                             _In_opt_ PVOID RMKey);

/* As NtRecoverResourceManager; with callbacks they have run when it returns [TMR-10]. */
NTKERNELAPI NTSTATUS NTAPI TmRecoverResourceManager(PKRESOURCEMANAGER ResourceManager);

/* As NtPropagationComplete and NtPropagationFailed: TRANSACTION_NOT_REQUESTED, always [PROP-07]. */
NTKERNELAPI NTSTATUS NTAPI TmPropagationComplete(PKRESOURCEMANAGER ResourceManager,
                                                 ULONG RequestCookie, ULONG BufferLength,
                                                 _In_opt_ PVOID Buffer);
NTKERNELAPI NTSTATUS NTAPI TmPropagationFailed(PKRESOURCEMANAGER ResourceManager,
                                               ULONG RequestCookie, NTSTATUS Status);

/* ---- enlistments ---- */

/* As NtCreateEnlistment; gives a handle. 'PreviousMode': KernelMode or UserMode, anything else is
 * INVALID_PARAMETER [TMR-07]. */
NTKERNELAPI NTSTATUS NTAPI TmCreateEnlistment(
    _Out_ PHANDLE EnlistmentHandle, KPROCESSOR_MODE PreviousMode, ACCESS_MASK DesiredAccess,
    _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, PRKRESOURCEMANAGER ResourceManager,
    PKTRANSACTION Transaction, ULONG CreateOptions, NOTIFICATION_MASK NotificationMask,
    _In_opt_ PVOID EnlistmentKey);

/* As NtRecoverEnlistment [TMR-10]; the reference count of the key starts at 1 again [TMR-21]. */
NTKERNELAPI NTSTATUS NTAPI TmRecoverEnlistment(PKENLISTMENT Enlistment,
                                               _In_opt_ PVOID EnlistmentKey);

/* A superior's requests, as NtPrePrepareEnlistment, NtPrepareEnlistment, NtCommitEnlistment
 * [TMR-08], and NtRollbackEnlistment. */
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareEnlistment(PKENLISTMENT Enlistment,
                                                  _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrepareEnlistment(PKENLISTMENT Enlistment,
                                               _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmCommitEnlistment(PKENLISTMENT Enlistment,
                                              _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRollbackEnlistment(PKENLISTMENT Enlistment,
                                                _In_opt_ PLARGE_INTEGER TmVirtualClock);

/* A resource manager's answers, as their Nt twins: TRANSACTION_NOT_REQUESTED when not owed
 * [TMR-09].
 */
NTKERNELAPI NTSTATUS NTAPI TmPrePrepareComplete(PKENLISTMENT Enlistment,
                                                _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmPrepareComplete(PKENLISTMENT Enlistment,
                                             _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmCommitComplete(PKENLISTMENT Enlistment,
                                            _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmRollbackComplete(PKENLISTMENT Enlistment,
                                              _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmReadOnlyEnlistment(PKENLISTMENT Enlistment,
                                                _In_opt_ PLARGE_INTEGER TmVirtualClock);
NTKERNELAPI NTSTATUS NTAPI TmSinglePhaseReject(PKENLISTMENT Enlistment,
                                               _In_opt_ PLARGE_INTEGER TmVirtualClock);

/* A prepared subordinate cannot wait long: REQUEST_OUTCOME goes to the superior that asks for it;
 * while others are still preparing the transaction is rolled back; once decided it does nothing
 * [TMR-22..25]. Answers: TRANSACTION_REQUEST_NOT_VALID (superior, or not prepared). */
NTKERNELAPI NTSTATUS NTAPI TmRequestOutcomeEnlistment(PKENLISTMENT Enlistment,
                                                      _In_opt_ PLARGE_INTEGER TmVirtualClock);

/* As their Nt twins [FRZ-09]. */
NTKERNELAPI NTSTATUS NTAPI TmFreezeTransactions(PLARGE_INTEGER FreezeTimeout,
                                                PLARGE_INTEGER ThawTimeout);
NTKERNELAPI NTSTATUS NTAPI TmThawTransactions(void);

/* Count users of the enlistment key, from 1 at creation. The first gives the key; the second says,
 * in
 * '*LastReference', when nobody uses it any more and it may be freed [TMR-18..20]. Answers:
 * INVALID_PARAMETER (Key NULL), UNSUCCESSFUL (the count is 0 already), INSUFFICIENT_RESOURCES (it
 * cannot grow). */
NTKERNELAPI NTSTATUS NTAPI TmReferenceEnlistmentKey(PKENLISTMENT Enlistment, _Out_ PVOID *Key);
NTKERNELAPI NTSTATUS NTAPI TmDereferenceEnlistmentKey(PKENLISTMENT Enlistment,
                                                      _Out_opt_ PBOOLEAN LastReference);

EXTERN_C_END
