/* SPDX-License-Identifier: MIT */
/*
 * The Tm routines: the same work on an object the caller holds by pointer, without a handle and
 * without rights [GEN-02]. A pointer is the 'struct object' that every kind begins with.
 */
#include "core/event.h"
#include "engine/engine.h"
#include "nt/enlist.h"
#include "nt/services.h"

/* Answers: ACCESS_VIOLATION (NULL), TRANSACTION_OBJECT_EXPIRED (of the process this one was forked
 * from). */
static NTSTATUS
pointer_check(const void *pointer)
{
    if (!pointer)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (engine_is_inherited(pointer))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    return STATUS_SUCCESS;
}

/* ---- transaction managers ---------------------------------------------------------------------
 */

/* There are no raw objects to initialise here [TMR-26]. */
NTSTATUS
TmInitializeTransactionManager(PRKTM TransactionManager, PCUNICODE_STRING LogFileName, PGUID TmId,
                               ULONG CreateOptions)
{
    (void)TransactionManager;
    (void)LogFileName;
    (void)TmId;
    (void)CreateOptions;
    return status_raise(STATUS_NOT_SUPPORTED);
}

NTSTATUS
TmRenameTransactionManager(PUNICODE_STRING LogFileName, LPGUID ExistingTransactionManagerGuid)
{
    return NtRenameTransactionManager(LogFileName, ExistingTransactionManagerGuid); /* [TMR-12] */
}

NTSTATUS
TmRecoverTransactionManager(PKTM Tm, PLARGE_INTEGER TargetVirtualClock)
{
    TRY(pointer_check(Tm));
    if (engine_is_expired((struct object *)Tm))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* [TMR-05] */
    return engine_tm_recover((struct object *)Tm, TargetVirtualClock ? &TargetVirtualClock->QuadPart
                                                                     : NULL); /* [TMR-11] */
}

NTSTATUS
TmFreezeTransactions(PLARGE_INTEGER FreezeTimeout, PLARGE_INTEGER ThawTimeout)
{
    return NtFreezeTransactions(FreezeTimeout, ThawTimeout); /* [FRZ-09] */
}

NTSTATUS
TmThawTransactions(void)
{
    return NtThawTransactions();
}

/* ---- transactions -----------------------------------------------------------------------------
 */

NTSTATUS
TmCommitTransaction(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    TRY(pointer_check(Transaction));
    return engine_tx_commit((struct object *)Transaction, Wait);
}

NTSTATUS
TmRollbackTransaction(PKTRANSACTION Transaction, BOOLEAN Wait)
{
    TRY(pointer_check(Transaction));
    return engine_tx_rollback((struct object *)Transaction, Wait);
}

VOID
TmGetTransactionId(PKTRANSACTION Transaction, PUOW TransactionId)
{
    engine_tx_id((const struct object *)Transaction, TransactionId); /* [TMR-13] */
}

BOOLEAN
TmIsTransactionActive(PKTRANSACTION Transaction)
{
    return engine_tx_is_active((const struct object *)Transaction); /* [TMR-14] */
}

/* ---- resource managers ------------------------------------------------------------------------
 */

NTSTATUS
TmEnableCallbacks(PKRESOURCEMANAGER ResourceManager, PTM_RM_NOTIFICATION CallbackRoutine,
                  PVOID RMKey)
{
    TRY(pointer_check(ResourceManager));
    if (!CallbackRoutine)
        return status_raise(STATUS_UNSUCCESSFUL); /* [TMR-15] */
    return engine_rm_callbacks((struct object *)ResourceManager, CallbackRoutine, RMKey);
}

NTSTATUS
TmRecoverResourceManager(PKRESOURCEMANAGER ResourceManager)
{
    TRY(pointer_check(ResourceManager));
    return engine_rm_recover((struct object *)ResourceManager);
}

/* No propagation is ever asked for [PROP-05, PROP-07]. */
static NTSTATUS
propagation_answer(struct object *rm)
{
    TRY(pointer_check(rm));
    if (engine_is_expired(rm))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    return status_raise(STATUS_TRANSACTION_NOT_REQUESTED);
}

NTSTATUS
TmPropagationComplete(PKRESOURCEMANAGER ResourceManager, ULONG RequestCookie, ULONG BufferLength,
                      PVOID Buffer)
{
    (void)RequestCookie;
    (void)BufferLength;
    (void)Buffer;
    return propagation_answer((struct object *)ResourceManager);
}

NTSTATUS
TmPropagationFailed(PKRESOURCEMANAGER ResourceManager, ULONG RequestCookie, NTSTATUS Status)
{
    (void)RequestCookie;
    (void)Status;
    return propagation_answer((struct object *)ResourceManager);
}

/* ---- enlistments ------------------------------------------------------------------------------
 */

NTSTATUS
TmCreateEnlistment(PHANDLE EnlistmentHandle, KPROCESSOR_MODE PreviousMode,
                   ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                   PRKRESOURCEMANAGER ResourceManager, PKTRANSACTION Transaction,
                   ULONG CreateOptions, NOTIFICATION_MASK NotificationMask, PVOID EnlistmentKey)
{
    owned(birth) struct birth birth = {0};

    TRY(pointer_check(ResourceManager));
    TRY(pointer_check(Transaction));
    if (PreviousMode != KernelMode && PreviousMode != UserMode)
        return status_raise(STATUS_INVALID_PARAMETER); /* [TMR-07] */
    TRY(enlist_check(&birth, EnlistmentHandle, DesiredAccess, ObjectAttributes, CreateOptions,
                     NotificationMask));
    return enlist(&birth, (struct object *)ResourceManager, (struct object *)Transaction,
                  CreateOptions, NotificationMask, EnlistmentKey);
}

NTSTATUS
TmRecoverEnlistment(PKENLISTMENT Enlistment, PVOID EnlistmentKey)
{
    TRY(pointer_check(Enlistment));
    return engine_en_recover((struct object *)Enlistment, EnlistmentKey);
}

NTSTATUS
TmReferenceEnlistmentKey(PKENLISTMENT Enlistment, PVOID *Key)
{
    TRY(pointer_check(Enlistment));
    if (!Key)
        return status_raise(STATUS_INVALID_PARAMETER); /* [TMR-18] */
    if (engine_is_expired((struct object *)Enlistment))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* [TMR-05] */
    return engine_en_key_reference((struct object *)Enlistment, Key);
}

NTSTATUS
TmDereferenceEnlistmentKey(PKENLISTMENT Enlistment, PBOOLEAN LastReference)
{
    bool was_last;

    TRY(pointer_check(Enlistment));
    if (engine_is_expired((struct object *)Enlistment))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    TRY(engine_en_key_dereference((struct object *)Enlistment, &was_last));
    if (LastReference)
        *LastReference = was_last; /* [TMR-19] */
    return STATUS_SUCCESS;
}

static NTSTATUS
request(PKENLISTMENT enlistment, int event, const LARGE_INTEGER *clock)
{
    TRY(pointer_check(enlistment));
    return engine_en_request((struct object *)enlistment, event, clock ? &clock->QuadPart : NULL);
}

/* Tm<name>, which has the twin Nt<name> but for the last [TMR-08, TMR-09, TMR-22]. */
#define TM_REQUEST(name, event)                                                                    \
    NTSTATUS                                                                                       \
    Tm##name(PKENLISTMENT Enlistment, PLARGE_INTEGER TmVirtualClock)                               \
    {                                                                                              \
        return request(Enlistment, event, TmVirtualClock);                                         \
    }

TM_REQUEST(PrePrepareEnlistment, KTM_EN_PREPREPARE)
TM_REQUEST(PrepareEnlistment, KTM_EN_PREPARE)
TM_REQUEST(CommitEnlistment, KTM_EN_COMMIT)
TM_REQUEST(RollbackEnlistment, KTM_EN_ROLLBACK)
TM_REQUEST(PrePrepareComplete, KTM_EN_PREPREPARE_COMPLETE)
TM_REQUEST(PrepareComplete, KTM_EN_PREPARE_COMPLETE)
TM_REQUEST(CommitComplete, KTM_EN_COMMIT_COMPLETE)
TM_REQUEST(RollbackComplete, KTM_EN_ROLLBACK_COMPLETE)
TM_REQUEST(ReadOnlyEnlistment, KTM_EN_READ_ONLY)
TM_REQUEST(SinglePhaseReject, KTM_EN_SINGLE_PHASE_REJECT)
TM_REQUEST(RequestOutcomeEnlistment, KTM_EN_REQUEST_OUTCOME)
