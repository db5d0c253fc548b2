/* SPDX-License-Identifier: MIT */
/* Resource managers: create, open, recover, notifications, query, set, protocols. */
#include "engine/engine.h"
#include "nt/answer.h"
#include "nt/birth.h"
#include "nt/loan.h"
#include "nt/own.h"
#include "nt/services.h"

#define DESCRIPTION_BYTES_MAX (MAX_RESOURCEMANAGER_DESCRIPTION_LENGTH * sizeof(WCHAR))

/* ---- create, open, recover --------------------------------------------------------------------
 */

static NTSTATUS
create_check(const GUID *RmGuid, ULONG CreateOptions, const UNICODE_STRING *Description)
{
    if (!RmGuid) /* [RM-CREATE-03] */
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (CreateOptions & ~(ULONG)RESOURCE_MANAGER_MAXIMUM_OPTION) /* [RM-CREATE-08] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if (!Description)
        return STATUS_SUCCESS;
    if (Description->Length > DESCRIPTION_BYTES_MAX || Description->Length % sizeof(WCHAR))
        return status_raise(STATUS_INVALID_PARAMETER); /* [RM-CREATE-09] */
    if (Description->Length > 0 && !Description->Buffer)
        return status_raise(STATUS_ACCESS_VIOLATION);
    return STATUS_SUCCESS;
}

NTSTATUS
service_CreateResourceManager(PHANDLE ResourceManagerHandle, ACCESS_MASK DesiredAccess,
                              HANDLE TmHandle, LPGUID RmGuid, POBJECT_ATTRIBUTES ObjectAttributes,
                              ULONG CreateOptions, PUNICODE_STRING Description)
{
    owned(birth) struct birth birth = {0};
    owned(handle_release) struct handle *tm = NULL;
    struct object *rm;

    if (!ResourceManagerHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(create_check(RmGuid, CreateOptions, Description));
    TRY(birth_check(&birth, OBJECT_RM, ResourceManagerHandle, DesiredAccess, ObjectAttributes));
    TRY(service_handle(SERVICE_CreateResourceManager, TmHandle, &tm));
    TRY(birth_claim(&birth));
    if (CreateOptions & RESOURCE_MANAGER_COMMUNICATION) {
        if (!birth.name)
            TRY(name_claim_blank(&birth.name));
        name_allow_protocols(birth.name); /* [RM-CREATE-15] */
    }
    TRY(engine_rm_create(tm->object, RmGuid, CreateOptions,
                         Description ? (const uint16_t *)Description->Buffer : NULL,
                         Description ? Description->Length / sizeof(WCHAR) : 0, &rm));
    birth_done(&birth, rm);
    return STATUS_SUCCESS;
}

NTSTATUS
service_OpenResourceManager(PHANDLE ResourceManagerHandle, ACCESS_MASK DesiredAccess,
                            HANDLE TmHandle, LPGUID ResourceManagerGuid,
                            POBJECT_ATTRIBUTES ObjectAttributes)
{
    owned(birth) struct birth birth = {0};
    owned(handle_release) struct handle *tm = NULL;
    struct object *rm;

    if (!ResourceManagerHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!ResourceManagerGuid) /* [RM-OPEN-04] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(birth_check_open(&birth, OBJECT_RM, ResourceManagerHandle, DesiredAccess,
                         ObjectAttributes));
    TRY(service_handle(SERVICE_OpenResourceManager, TmHandle, &tm));
    TRY(engine_rm_open(tm->object, ResourceManagerGuid, &rm));
    birth_done(&birth, rm);
    return STATUS_SUCCESS;
}

NTSTATUS
service_RecoverResourceManager(HANDLE ResourceManagerHandle)
{
    owned(handle_release) struct handle *rm = NULL;

    TRY(service_handle(SERVICE_RecoverResourceManager, ResourceManagerHandle, &rm));
    return engine_rm_recover(rm->object);
}

/* ---- notifications ----------------------------------------------------------------------------
 */

NTSTATUS
service_GetNotificationResourceManager(HANDLE ResourceManagerHandle,
                                       PTRANSACTION_NOTIFICATION TransactionNotification,
                                       ULONG NotificationLength, PLARGE_INTEGER Timeout,
                                       PULONG ReturnLength, ULONG Asynchronous,
                                       ULONG_PTR AsynchronousContext)
{
    owned(handle_release) struct handle *rm = NULL;
    struct engine *engine = engine_instance();
    uint32_t length;
    NTSTATUS status;

    if (!TransactionNotification && NotificationLength > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if ((Asynchronous != 0) != (AsynchronousContext != 0))
        return status_raise(STATUS_INVALID_PARAMETER); /* [NOTIF-GET-12, W32-RM-09] */
    TRY(service_handle(SERVICE_GetNotificationResourceManager, ResourceManagerHandle, &rm));
    if (Asynchronous != 0)
        return loan_make(rm, TransactionNotification, NotificationLength, ReturnLength,
                         AsynchronousContext);
    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = engine_rm_get_notification_since(rm->object, rm->epoch, TransactionNotification,
                                              NotificationLength, engine_deadline(engine, Timeout),
                                              &length);
    if (status == STATUS_SUCCESS || status == STATUS_BUFFER_TOO_SMALL)
        answer_length(ReturnLength, length); /* [NOTIF-GET-06, NOTIF-GET-07] */
    return status;
}

/* ---- query and set ----------------------------------------------------------------------------
 */

#define BASIC_FIXED offsetof(RESOURCEMANAGER_BASIC_INFORMATION, Description)

NTSTATUS
service_QueryInformationResourceManager(
    HANDLE ResourceManagerHandle, RESOURCEMANAGER_INFORMATION_CLASS ResourceManagerInformationClass,
    PVOID ResourceManagerInformation, ULONG ResourceManagerInformationLength, PULONG ReturnLength)
{
    owned(handle_release) struct handle *rm = NULL;
    RESOURCEMANAGER_BASIC_INFORMATION basic = {0};
    struct engine_rm_info info;

    if (ResourceManagerInformationClass != ResourceManagerBasicInformation)
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [RM-QUERY-02] */
    TRY(answer_check(ResourceManagerInformation, ResourceManagerInformationLength, 0,
                     STATUS_BUFFER_TOO_SMALL));
    TRY(service_handle(SERVICE_QueryInformationResourceManager, ResourceManagerHandle, &rm));
    TRY(engine_rm_query(rm->object, &info));
    basic.ResourceManagerId = info.guid;
    basic.DescriptionLength = (ULONG)(info.description_units * sizeof(WCHAR));
    if (ResourceManagerInformationLength < BASIC_FIXED) { /* [RM-QUERY-03, RM-QUERY-05] */
        answer_length(ReturnLength, BASIC_FIXED + basic.DescriptionLength);
        return status_raise(STATUS_BUFFER_TOO_SMALL);
    }
    memcpy(ResourceManagerInformation, &basic, BASIC_FIXED);
    return answer_variable(ResourceManagerInformation, ResourceManagerInformationLength,
                           BASIC_FIXED, info.description, sizeof(WCHAR), info.description_units,
                           ReturnLength);
}

NTSTATUS
service_SetInformationResourceManager(
    HANDLE ResourceManagerHandle, RESOURCEMANAGER_INFORMATION_CLASS ResourceManagerInformationClass,
    PVOID ResourceManagerInformation, ULONG ResourceManagerInformationLength)
{
    owned(handle_release) struct handle *rm = NULL;
    owned(handle_release) struct handle *port = NULL;
    RESOURCEMANAGER_COMPLETION_INFORMATION completion;

    if (ResourceManagerInformationClass != ResourceManagerCompletionInformation)
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [RM-SET-02] */
    if (!ResourceManagerInformation && ResourceManagerInformationLength > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (ResourceManagerInformationLength != sizeof(completion))
        return status_raise(STATUS_INFO_LENGTH_MISMATCH);
    memcpy(&completion, ResourceManagerInformation, sizeof(completion));
    TRY(service_handle(SERVICE_SetInformationResourceManager, ResourceManagerHandle, &rm));
    if (completion.IoCompletionPortHandle)
        TRY(service_handle_of(OBJECT_PORT, IO_COMPLETION_MODIFY_STATE,
                              completion.IoCompletionPortHandle, &port));
    return engine_rm_set_port(rm->object, rm->epoch, port ? port_face(port->object) : NULL,
                              completion.CompletionKey); /* [RM-SET-01] */
}

/* ---- protocols and propagation ----------------------------------------------------------------
 */

NTSTATUS
service_RegisterProtocolAddressInformation(HANDLE ResourceManager, PCRM_PROTOCOL_ID ProtocolId,
                                           ULONG ProtocolInformationSize, PVOID ProtocolInformation,
                                           ULONG CreateOptions)
{
    owned(handle_release) struct handle *rm = NULL;

    if (!ProtocolInformation && ProtocolInformationSize > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!ProtocolId || (CreateOptions & ~(ULONG)CRM_PROTOCOL_MAXIMUM_OPTION)) /* [PROP-02] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(service_handle(SERVICE_RegisterProtocolAddressInformation, ResourceManager, &rm));
    return name_register_protocol(rm->object, ProtocolId);
}

NTSTATUS
service_PropagationComplete(HANDLE ResourceManagerHandle, ULONG RequestCookie, ULONG BufferLength,
                            PVOID Buffer)
{
    owned(handle_release) struct handle *rm = NULL;

    (void)RequestCookie;
    if (!Buffer && BufferLength > 0)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(service_handle(SERVICE_PropagationComplete, ResourceManagerHandle, &rm));
    return status_raise(STATUS_TRANSACTION_NOT_REQUESTED); /* [PROP-05] */
}

NTSTATUS
service_PropagationFailed(HANDLE ResourceManagerHandle, ULONG RequestCookie, NTSTATUS PropStatus)
{
    owned(handle_release) struct handle *rm = NULL;

    (void)RequestCookie;
    (void)PropStatus;
    TRY(service_handle(SERVICE_PropagationFailed, ResourceManagerHandle, &rm));
    return status_raise(STATUS_TRANSACTION_NOT_REQUESTED); /* [PROP-05] */
}
