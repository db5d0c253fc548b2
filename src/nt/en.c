/* SPDX-License-Identifier: MIT */
/* Enlistments: create, open, query, set, recover, and the requests and answers about them. */
#include "core/ktm.h"
#include "engine/engine.h"
#include "nt/answer.h"
#include "nt/birth.h"
#include "nt/enlist.h"
#include "nt/services.h"

/* ---- create and open --------------------------------------------------------------------------
 */

NTSTATUS
enlist_check(struct birth *birth, PHANDLE out, ACCESS_MASK desired,
             const OBJECT_ATTRIBUTES *attributes, ULONG options, NOTIFICATION_MASK mask)
{
    if (!out)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (options & ~(ULONG)ENLISTMENT_MAXIMUM_OPTION) /* [ENL-CREATE-04] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(notification_mask_check(mask, options & ENLISTMENT_SUPERIOR)); /* [ENL-CREATE-05] */
    return birth_check(birth, OBJECT_EN, out, desired, attributes);
}

NTSTATUS
enlist(struct birth *birth, struct object *rm, struct object *tx, ULONG options,
       NOTIFICATION_MASK mask, void *key)
{
    struct object *en;

    TRY(birth_claim(birth));
    TRY(engine_en_create(rm, tx, options, mask, key, &en));
    birth_done(birth, en);
    return STATUS_SUCCESS;
}

NTSTATUS
service_CreateEnlistment(PHANDLE EnlistmentHandle, ACCESS_MASK DesiredAccess,
                         HANDLE ResourceManagerHandle, HANDLE TransactionHandle,
                         POBJECT_ATTRIBUTES ObjectAttributes, ULONG CreateOptions,
                         NOTIFICATION_MASK NotificationMask, PVOID EnlistmentKey)
{
    owned(handle_release) struct handle *rm = NULL;
    owned(handle_release) struct handle *tx = NULL;
    owned(birth) struct birth birth = {0};

    TRY(enlist_check(&birth, EnlistmentHandle, DesiredAccess, ObjectAttributes, CreateOptions,
                     NotificationMask));
    TRY(service_handle(SERVICE_CreateEnlistment, ResourceManagerHandle, &rm));
    TRY(service_handle_of(OBJECT_TX, TRANSACTION_ENLIST, TransactionHandle, &tx));
    return enlist(&birth, rm->object, tx->object, CreateOptions, NotificationMask, EnlistmentKey);
}

NTSTATUS
service_OpenEnlistment(PHANDLE EnlistmentHandle, ACCESS_MASK DesiredAccess,
                       HANDLE ResourceManagerHandle, LPGUID EnlistmentGuid,
                       POBJECT_ATTRIBUTES ObjectAttributes)
{
    owned(birth) struct birth birth = {0};
    owned(handle_release) struct handle *rm = NULL;
    struct object *en;

    if (!EnlistmentHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!EnlistmentGuid) /* [ENL-OPEN-03] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(birth_check_open(&birth, OBJECT_EN, EnlistmentHandle, DesiredAccess, ObjectAttributes));
    TRY(service_handle(SERVICE_OpenEnlistment, ResourceManagerHandle, &rm));
    TRY(engine_en_open(rm->object, EnlistmentGuid, &en));
    birth_done(&birth, en);
    return STATUS_SUCCESS;
}

/* ---- query and set ----------------------------------------------------------------------------
 */

static NTSTATUS
query_basic(struct object *en, void *into, ULONG length, PULONG ReturnLength)
{
    ENLISTMENT_BASIC_INFORMATION basic;
    struct engine_en_info info;

    (void)length;
    TRY(engine_en_query(en, &info));
    basic = (ENLISTMENT_BASIC_INFORMATION){info.guid, info.uow, info.rm};
    return answer_fixed(into, &basic, sizeof(basic), ReturnLength);
}

static NTSTATUS
query_recovery(struct object *en, void *into, ULONG length, PULONG ReturnLength)
{
    uint32_t size = length;
    NTSTATUS status = engine_en_recovery_info(en, into, &size);

    if (status == STATUS_SUCCESS || status == STATUS_BUFFER_TOO_SMALL)
        answer_length(ReturnLength, size); /* [ENL-QUERY-03, ENL-QUERY-04, ENL-QUERY-07] */
    return status;
}

/* No enlistment here is a link to a branch. */
static NTSTATUS
query_crm(struct object *en, void *into, ULONG length, PULONG ReturnLength)
{
    struct engine_en_info info;

    (void)into;
    (void)length;
    (void)ReturnLength;
    TRY(engine_en_query(en, &info));
    return status_raise(STATUS_NOT_FOUND); /* [ENL-QUERY-05] */
}

static const struct {
    size_t fixed;
    NTSTATUS (*query)(struct object *en, void *into, ULONG length, PULONG ReturnLength);
} classes[] = {
    [EnlistmentBasicInformation] = {sizeof(ENLISTMENT_BASIC_INFORMATION), query_basic},
    [EnlistmentRecoveryInformation] = {0, query_recovery},
    [EnlistmentCrmInformation] = {sizeof(ENLISTMENT_CRM_INFORMATION), query_crm},
};

NTSTATUS
service_QueryInformationEnlistment(HANDLE EnlistmentHandle,
                                   ENLISTMENT_INFORMATION_CLASS EnlistmentInformationClass,
                                   PVOID EnlistmentInformation, ULONG EnlistmentInformationLength,
                                   PULONG ReturnLength)
{
    owned(handle_release) struct handle *en = NULL;

    if ((unsigned)EnlistmentInformationClass >= ARRAY_SIZE(classes))
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [ENL-QUERY-06] */
    TRY(answer_check(EnlistmentInformation, EnlistmentInformationLength,
                     classes[EnlistmentInformationClass].fixed, STATUS_INFO_LENGTH_MISMATCH));
    TRY(service_handle(SERVICE_QueryInformationEnlistment, EnlistmentHandle, &en));
    return classes[EnlistmentInformationClass].query(en->object, EnlistmentInformation,
                                                     EnlistmentInformationLength, ReturnLength);
}

NTSTATUS
service_SetInformationEnlistment(HANDLE EnlistmentHandle,
                                 ENLISTMENT_INFORMATION_CLASS EnlistmentInformationClass,
                                 PVOID EnlistmentInformation, ULONG EnlistmentInformationLength)
{
    owned(handle_release) struct handle *en = NULL;

    if (EnlistmentInformationClass != EnlistmentRecoveryInformation)
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [ENL-SET-03] */
    if (!EnlistmentInformation && EnlistmentInformationLength > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(service_handle(SERVICE_SetInformationEnlistment, EnlistmentHandle, &en));
    return engine_en_set_recovery_info(
        en->object, bytes_of(EnlistmentInformation, EnlistmentInformationLength));
}

/* ---- requests and answers ---------------------------------------------------------------------
 */

NTSTATUS
service_RecoverEnlistment(HANDLE EnlistmentHandle, PVOID EnlistmentKey)
{
    owned(handle_release) struct handle *en = NULL;

    TRY(service_handle(SERVICE_RecoverEnlistment, EnlistmentHandle, &en));
    return engine_en_recover(en->object, EnlistmentKey);
}

static NTSTATUS
request(enum service_number service, HANDLE handle, int event, const LARGE_INTEGER *clock)
{
    owned(handle_release) struct handle *en = NULL;

    TRY(service_handle(service, handle, &en));
    return engine_en_request(en->object, event, clock ? &clock->QuadPart : NULL); /* [GEN-13] */
}

NTSTATUS
service_PrePrepareEnlistment(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_PrePrepareEnlistment, EnlistmentHandle, KTM_EN_PREPREPARE,
                   TmVirtualClock);
}

NTSTATUS
service_PrepareEnlistment(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_PrepareEnlistment, EnlistmentHandle, KTM_EN_PREPARE, TmVirtualClock);
}

NTSTATUS
service_CommitEnlistment(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_CommitEnlistment, EnlistmentHandle, KTM_EN_COMMIT, TmVirtualClock);
}

NTSTATUS
service_RollbackEnlistment(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_RollbackEnlistment, EnlistmentHandle, KTM_EN_ROLLBACK, TmVirtualClock);
}

NTSTATUS
service_PrePrepareComplete(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_PrePrepareComplete, EnlistmentHandle, KTM_EN_PREPREPARE_COMPLETE,
                   TmVirtualClock);
}

NTSTATUS
service_PrepareComplete(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_PrepareComplete, EnlistmentHandle, KTM_EN_PREPARE_COMPLETE,
                   TmVirtualClock);
}

NTSTATUS
service_CommitComplete(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_CommitComplete, EnlistmentHandle, KTM_EN_COMMIT_COMPLETE,
                   TmVirtualClock);
}

NTSTATUS
service_RollbackComplete(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_RollbackComplete, EnlistmentHandle, KTM_EN_ROLLBACK_COMPLETE,
                   TmVirtualClock);
}

NTSTATUS
service_ReadOnlyEnlistment(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_ReadOnlyEnlistment, EnlistmentHandle, KTM_EN_READ_ONLY, TmVirtualClock);
}

NTSTATUS
service_SinglePhaseReject(HANDLE EnlistmentHandle, PLARGE_INTEGER TmVirtualClock)
{
    return request(SERVICE_SinglePhaseReject, EnlistmentHandle, KTM_EN_SINGLE_PHASE_REJECT,
                   TmVirtualClock);
}
