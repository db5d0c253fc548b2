/* SPDX-License-Identifier: MIT */
/* Transactions: create, open, query, set, commit, roll back. */
#include "engine/engine.h"
#include "nt/answer.h"
#include "nt/birth.h"
#include "nt/services.h"

#include <stdlib.h>

#define DESCRIPTION_BYTES_MAX (MAX_TRANSACTION_DESCRIPTION_LENGTH * sizeof(WCHAR))

/* ---- create and open --------------------------------------------------------------------------
 */

static NTSTATUS
create_check(const GUID *Uow, ULONG CreateOptions, ULONG IsolationLevel,
             const UNICODE_STRING *Description)
{
    if (Uow && guid_is_zero(Uow)) /* [TX-CREATE-03] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if ((CreateOptions & ~(ULONG)TRANSACTION_MAXIMUM_OPTION) || IsolationLevel != 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [TX-CREATE-09, TX-CREATE-11] */
    if (!Description)
        return STATUS_SUCCESS;
    if (Description->Length > DESCRIPTION_BYTES_MAX || Description->Length % sizeof(WCHAR))
        return status_raise(STATUS_INVALID_PARAMETER); /* [TX-CREATE-12] */
    if (Description->Length > 0 && !Description->Buffer)
        return status_raise(STATUS_ACCESS_VIOLATION);
    return STATUS_SUCCESS;
}

NTSTATUS
service_CreateTransaction(PHANDLE TransactionHandle, ACCESS_MASK DesiredAccess,
                          POBJECT_ATTRIBUTES ObjectAttributes, LPGUID Uow, HANDLE TmHandle,
                          ULONG CreateOptions, ULONG IsolationLevel, ULONG IsolationFlags,
                          PLARGE_INTEGER Timeout, PUNICODE_STRING Description)
{
    owned(birth) struct birth birth = {0};
    owned(handle_release) struct handle *tm = NULL;
    struct engine_tx_options options = {
        .uow = Uow,
        .create_options = CreateOptions,
        .isolation_flags = IsolationFlags,
        .timeout = Timeout ? Timeout->QuadPart : 0,
        .description = Description ? (const uint16_t *)Description->Buffer : NULL,
        .description_units = Description ? Description->Length / sizeof(WCHAR) : 0,
    };
    struct engine *engine = engine_instance();
    struct object *tx;

    if (!TransactionHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (DesiredAccess == 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [OBJ-14] */
    TRY(create_check(Uow, CreateOptions, IsolationLevel, Description));
    TRY(birth_check(&birth, OBJECT_TX, TransactionHandle, DesiredAccess, ObjectAttributes));
    if (TmHandle) {
        TRY(service_handle(SERVICE_CreateTransaction, TmHandle, &tm));
        options.tm = tm->object;
    }
    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(birth_claim(&birth));
    TRY(engine_tx_create(engine, &options, &tx));
    birth_done(&birth, tx);
    return STATUS_SUCCESS;
}

NTSTATUS
service_OpenTransaction(PHANDLE TransactionHandle, ACCESS_MASK DesiredAccess,
                        POBJECT_ATTRIBUTES ObjectAttributes, LPGUID Uow, HANDLE TmHandle)
{
    owned(birth) struct birth birth = {0};
    owned(handle_release) struct handle *tm = NULL;
    struct engine *engine = engine_instance();
    struct object *tx;

    if (!TransactionHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!Uow || guid_is_zero(Uow)) /* [TX-OPEN-05] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(birth_check_open(&birth, OBJECT_TX, TransactionHandle, DesiredAccess, ObjectAttributes));
    if (TmHandle)
        TRY(service_handle(SERVICE_OpenTransaction, TmHandle, &tm));
    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(engine_tx_open(engine, Uow, tm ? tm->object : NULL, &tx));
    birth_done(&birth, tx);
    return STATUS_SUCCESS;
}

/* ---- query ------------------------------------------------------------------------------------
 */

#define PROPERTIES_FIXED  offsetof(TRANSACTION_PROPERTIES_INFORMATION, Description)
#define ENLISTMENTS_FIXED offsetof(TRANSACTION_ENLISTMENTS_INFORMATION, EnlistmentPair)

static NTSTATUS
query_basic(struct object *tx, void *into, ULONG length, PULONG ReturnLength)
{
    TRANSACTION_BASIC_INFORMATION basic;
    struct engine_tx_info info;

    (void)length;
    TRY(engine_tx_query(tx, &info));
    basic = (TRANSACTION_BASIC_INFORMATION){info.uow, info.state, info.outcome};
    return answer_fixed(into, &basic, sizeof(basic), ReturnLength);
}

static NTSTATUS
query_properties(struct object *tx, void *into, ULONG length, PULONG ReturnLength)
{
    TRANSACTION_PROPERTIES_INFORMATION properties;
    struct engine_tx_info info;

    TRY(engine_tx_query(tx, &info));
    properties = (TRANSACTION_PROPERTIES_INFORMATION){
        .IsolationFlags = info.isolation_flags,
        .Timeout.QuadPart = info.timeout,
        .Outcome = info.outcome,
        .DescriptionLength = (ULONG)(info.description_units * sizeof(WCHAR)),
    };
    memcpy(into, &properties, PROPERTIES_FIXED);
    return answer_variable(into, length, PROPERTIES_FIXED, info.description, sizeof(WCHAR),
                           info.description_units, ReturnLength);
}

static NTSTATUS
query_enlistments(struct object *tx, void *into, ULONG length, PULONG ReturnLength)
{
    size_t room = (length - ENLISTMENTS_FIXED) / sizeof(TRANSACTION_ENLISTMENT_PAIR);
    size_t count;
    ULONG number;

    if ((uintptr_t)into % _Alignof(TRANSACTION_ENLISTMENTS_INFORMATION))
        return status_raise(STATUS_DATATYPE_MISALIGNMENT);
    /* The caller's buffer is filled in place: only an answer writes to it [GEN-06]. */
    TRY(engine_tx_enlistments(
        tx, (TRANSACTION_ENLISTMENT_PAIR *)(void *)((char *)into + ENLISTMENTS_FIXED), room,
        &count));
    number = (ULONG)count;
    memcpy(into, &number, sizeof(number));
    answer_length(ReturnLength, ENLISTMENTS_FIXED + count * sizeof(TRANSACTION_ENLISTMENT_PAIR));
    return count > room ? status_raise(STATUS_BUFFER_OVERFLOW) : STATUS_SUCCESS;
}

static NTSTATUS
query_superior(struct object *tx, void *into, ULONG length, PULONG ReturnLength)
{
    struct engine_tx_info info;

    (void)length;
    TRY(engine_tx_query(tx, &info));
    if (!info.has_superior)
        return status_raise(STATUS_TRANSACTION_NO_SUPERIOR); /* [TX-QUERY-08] */
    return answer_fixed(into, &info.superior, sizeof(info.superior), ReturnLength);
}

static const struct {
    size_t fixed;
    NTSTATUS (*query)(struct object *tx, void *into, ULONG length, PULONG ReturnLength);
} classes[] = {
    [TransactionBasicInformation] = {sizeof(TRANSACTION_BASIC_INFORMATION), query_basic},
    [TransactionPropertiesInformation] = {PROPERTIES_FIXED, query_properties},
    [TransactionEnlistmentInformation] = {ENLISTMENTS_FIXED, query_enlistments},
    [TransactionSuperiorEnlistmentInformation] = {sizeof(
                                                      TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION),
                                                  query_superior},
};

NTSTATUS
service_QueryInformationTransaction(HANDLE TransactionHandle,
                                    TRANSACTION_INFORMATION_CLASS TransactionInformationClass,
                                    PVOID TransactionInformation,
                                    ULONG TransactionInformationLength, PULONG ReturnLength)
{
    owned(handle_release) struct handle *tx = NULL;

    if ((unsigned)TransactionInformationClass >= ARRAY_SIZE(classes))
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [TX-QUERY-09] */
    TRY(answer_check(TransactionInformation, TransactionInformationLength,
                     classes[TransactionInformationClass].fixed, STATUS_INFO_LENGTH_MISMATCH));
    TRY(service_handle(SERVICE_QueryInformationTransaction, TransactionHandle, &tx));
    return classes[TransactionInformationClass].query(tx->object, TransactionInformation,
                                                      TransactionInformationLength, ReturnLength);
}

/* ---- set --------------------------------------------------------------------------------------
 */

/* 'length' bytes at 'from', which the caller may change meanwhile: looked at once. */
static NTSTATUS
set_properties(HANDLE TransactionHandle, const void *from, ULONG length)
{
    owned(handle_release) struct handle *tx = NULL;
    TRANSACTION_PROPERTIES_INFORMATION properties;
    uint16_t description[MAX_TRANSACTION_DESCRIPTION_LENGTH];

    TRY(answer_check(from, length, PROPERTIES_FIXED, STATUS_INFO_LENGTH_MISMATCH));
    memcpy(&properties, from, PROPERTIES_FIXED);
    if (properties.DescriptionLength > length - PROPERTIES_FIXED) /* [TX-SET-05] */
        return status_raise(STATUS_INFO_LENGTH_MISMATCH);
    if (properties.DescriptionLength > sizeof(description) ||
        properties.DescriptionLength % sizeof(WCHAR) || properties.IsolationLevel != 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [TX-SET-06] */
    memcpy(description, (const char *)from + PROPERTIES_FIXED, properties.DescriptionLength);
    TRY(service_handle(SERVICE_SetInformationTransaction, TransactionHandle, &tx));
    return engine_tx_set(tx->object, properties.IsolationFlags, properties.Timeout.QuadPart,
                         description, properties.DescriptionLength / sizeof(WCHAR));
}

static NTSTATUS
set_binding(HANDLE TransactionHandle, const void *from, ULONG length)
{
    owned(handle_release) struct handle *tx = NULL;
    owned(handle_release) struct handle *tm = NULL;
    TRANSACTION_BIND_INFORMATION binding;

    TRY(answer_check(from, length, sizeof(binding), STATUS_INFO_LENGTH_MISMATCH));
    memcpy(&binding, from, sizeof(binding));
    TRY(service_handle(SERVICE_SetInformationTransaction, TransactionHandle, &tx));
    TRY(service_handle_of(OBJECT_TM, TRANSACTIONMANAGER_BIND_TRANSACTION, binding.TmHandle, &tm));
    return engine_tx_bind(tx->object, tm->object); /* [TX-SET-11] */
}

NTSTATUS
service_SetInformationTransaction(HANDLE TransactionHandle,
                                  TRANSACTION_INFORMATION_CLASS TransactionInformationClass,
                                  PVOID TransactionInformation, ULONG TransactionInformationLength)
{
    switch (TransactionInformationClass) {
    case TransactionPropertiesInformation:
        return set_properties(TransactionHandle, TransactionInformation,
                              TransactionInformationLength);
    case TransactionBindInformation:
        return set_binding(TransactionHandle, TransactionInformation, TransactionInformationLength);
    default:
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [TX-SET-04] */
    }
}

/* ---- outcome ----------------------------------------------------------------------------------
 */

NTSTATUS
service_CommitTransaction(HANDLE TransactionHandle, BOOLEAN Wait)
{
    owned(handle_release) struct handle *tx = NULL;

    TRY(service_handle(SERVICE_CommitTransaction, TransactionHandle, &tx));
    return engine_tx_commit(tx->object, Wait);
}

NTSTATUS
service_RollbackTransaction(HANDLE TransactionHandle, BOOLEAN Wait)
{
    owned(handle_release) struct handle *tx = NULL;

    TRY(service_handle(SERVICE_RollbackTransaction, TransactionHandle, &tx));
    return engine_tx_rollback(tx->object, Wait);
}
