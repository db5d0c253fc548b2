/* SPDX-License-Identifier: MIT */
/* Transaction managers: create, open, recover, roll forward, rename, query, set. */
#include "engine/engine.h"
#include "nt/answer.h"
#include "nt/birth.h"
#include "nt/log_path.h"
#include "nt/services.h"

#include <stdlib.h>

static void
free_path(char *path)
{
    free(path);
}
OWNED_BY(char, free_path)

static NTSTATUS
instance(struct engine **engine)
{
    *engine = engine_instance();
    return *engine ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- create and open --------------------------------------------------------------------------
 */

static NTSTATUS
create_check(PUNICODE_STRING LogFileName, ULONG CreateOptions, ULONG CommitStrength)
{
    bool is_volatile = (CreateOptions & TRANSACTION_MANAGER_VOLATILE) != 0;

    if (CreateOptions & ~(ULONG)TRANSACTION_MANAGER_MAXIMUM_OPTION) /* [TM-CREATE-04] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if (is_volatile == (LogFileName != NULL)) /* [TM-CREATE-02, TM-CREATE-03] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if (CommitStrength != 0) /* [TM-CREATE-05] */
        return status_raise(STATUS_INVALID_PARAMETER);
    return STATUS_SUCCESS;
}

NTSTATUS
service_CreateTransactionManager(PHANDLE TmHandle, ACCESS_MASK DesiredAccess,
                                 POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING LogFileName,
                                 ULONG CreateOptions, ULONG CommitStrength)
{
    owned(birth) struct birth birth = {0};
    owned(free_path) char *path = NULL;
    const uint16_t *text = LogFileName ? (const uint16_t *)LogFileName->Buffer : NULL;
    size_t units = LogFileName ? LogFileName->Length / sizeof(WCHAR) : 0;
    struct engine *engine;
    struct object *tm;

    if (!TmHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(create_check(LogFileName, CreateOptions, CommitStrength));
    if (LogFileName)
        TRY(log_path_parse(LogFileName, &path));
    TRY(birth_check(&birth, OBJECT_TM, TmHandle, DesiredAccess, ObjectAttributes));
    TRY(instance(&engine));
    TRY(birth_claim(&birth));
    TRY(engine_tm_create(engine, path, text, units, &tm));
    birth_done(&birth, tm);
    return STATUS_SUCCESS;
}

/* Exactly one of name, log and identity selects the TM [TM-OPEN-01, TM-OPEN-02]. */
static NTSTATUS
open_check(const OBJECT_ATTRIBUTES *attributes, PUNICODE_STRING LogFileName, LPGUID TmIdentity,
           ULONG OpenOptions)
{
    int selectors =
        (attributes && attributes->ObjectName) + (LogFileName != NULL) + (TmIdentity != NULL);

    if (selectors != 1 || OpenOptions != 0) /* [TM-OPEN-03] */
        return status_raise(STATUS_INVALID_PARAMETER);
    return STATUS_SUCCESS;
}

static NTSTATUS
open_by_name(struct birth *birth)
{
    struct object *tm;

    TRY(name_open(birth->text, birth->attributes, OBJECT_TM, &tm));
    birth_done_named(birth, tm);
    return STATUS_SUCCESS;
}

NTSTATUS
service_OpenTransactionManager(PHANDLE TmHandle, ACCESS_MASK DesiredAccess,
                               POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING LogFileName,
                               LPGUID TmIdentity, ULONG OpenOptions)
{
    owned(birth) struct birth birth = {0};
    owned(free_path) char *path = NULL;
    struct engine *engine;
    struct object *tm;

    if (!TmHandle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(open_check(ObjectAttributes, LogFileName, TmIdentity, OpenOptions));
    if (LogFileName)
        TRY(log_path_parse(LogFileName, &path));
    TRY(birth_check(&birth, OBJECT_TM, TmHandle, DesiredAccess, ObjectAttributes));
    if (DesiredAccess == 0)
        return status_raise(STATUS_ACCESS_DENIED); /* [OBJ-15] */
    TRY(instance(&engine));
    if (birth.text)
        return open_by_name(&birth);
    if (TmIdentity)
        TRY(engine_tm_open_guid(engine, TmIdentity, &tm));
    else
        TRY(engine_tm_open_log(engine, path, (const uint16_t *)LogFileName->Buffer,
                               LogFileName->Length / sizeof(WCHAR), &tm));
    birth_done(&birth, tm);
    return STATUS_SUCCESS;
}

/* ---- recovery ---------------------------------------------------------------------------------
 */

NTSTATUS
service_RecoverTransactionManager(HANDLE TransactionManagerHandle)
{
    owned(handle_release) struct handle *tm = NULL;

    TRY(service_handle(SERVICE_RecoverTransactionManager, TransactionManagerHandle, &tm));
    return engine_tm_recover(tm->object, NULL);
}

NTSTATUS
service_RollforwardTransactionManager(HANDLE TransactionManagerHandle,
                                      PLARGE_INTEGER TmVirtualClock)
{
    owned(handle_release) struct handle *tm = NULL;

    TRY(service_handle(SERVICE_RollforwardTransactionManager, TransactionManagerHandle, &tm));
    return engine_tm_recover(tm->object, TmVirtualClock ? &TmVirtualClock->QuadPart : NULL);
}

NTSTATUS
service_RenameTransactionManager(PUNICODE_STRING LogFileName, LPGUID ExistingTransactionManagerGuid)
{
    owned(free_path) char *path = NULL;
    struct engine *engine;

    if (!LogFileName || !ExistingTransactionManagerGuid) /* [TM-RENAME-06] */
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(log_path_parse(LogFileName, &path));
    TRY(instance(&engine));
    return engine_tm_rename(engine, path, ExistingTransactionManagerGuid);
}

/* ---- query and set ----------------------------------------------------------------------------
 */

#define LOG_PATH_FIXED offsetof(TRANSACTIONMANAGER_LOGPATH_INFORMATION, LogPath)

/* The size of a class's structure, or of its fixed part. Answers: INVALID_INFO_CLASS. */
static NTSTATUS
class_size(TRANSACTIONMANAGER_INFORMATION_CLASS class, size_t *size)
{
    switch (class) {
    case TransactionManagerBasicInformation:
        *size = sizeof(TRANSACTIONMANAGER_BASIC_INFORMATION);
        return STATUS_SUCCESS;
    case TransactionManagerLogInformation:
        *size = sizeof(TRANSACTIONMANAGER_LOG_INFORMATION);
        return STATUS_SUCCESS;
    case TransactionManagerLogPathInformation:
        *size = LOG_PATH_FIXED;
        return STATUS_SUCCESS;
    case TransactionManagerRecoveryInformation:
        *size = sizeof(TRANSACTIONMANAGER_RECOVERY_INFORMATION);
        return STATUS_SUCCESS;
    case TransactionManagerOldestTransactionInformation:
        *size = sizeof(TRANSACTIONMANAGER_OLDEST_INFORMATION);
        return STATUS_SUCCESS;
    default:
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [TM-QUERY-06] */
    }
}

static NTSTATUS
query_log_path(const struct engine_tm_info *info, void *into, ULONG length, PULONG ReturnLength)
{
    ULONG text_length = (ULONG)(info->log_name_units * sizeof(WCHAR));

    if (length < LOG_PATH_FIXED) { /* [TM-QUERY-08] */
        answer_length(ReturnLength, LOG_PATH_FIXED + text_length);
        return status_raise(STATUS_BUFFER_TOO_SMALL);
    }
    memcpy(into, &text_length, sizeof(text_length));
    return answer_variable(into, length, LOG_PATH_FIXED, info->log_name, sizeof(WCHAR),
                           info->log_name_units, ReturnLength);
}

static NTSTATUS
query(const struct engine_tm_info *info, TRANSACTIONMANAGER_INFORMATION_CLASS class, void *into,
      ULONG length, PULONG ReturnLength)
{
    const TRANSACTIONMANAGER_BASIC_INFORMATION basic = {info->identity, {.QuadPart = info->clock}};
    const TRANSACTIONMANAGER_RECOVERY_INFORMATION recovery = {info->last_recovered_lsn};

    if (class == TransactionManagerBasicInformation)
        return answer_fixed(into, &basic, sizeof(basic), ReturnLength);
    if (class == TransactionManagerLogPathInformation)
        return query_log_path(info, into, length, ReturnLength);
    if (info->is_volatile) /* [TM-QUERY-02, TM-QUERY-04, TM-QUERY-05] */
        return status_raise(STATUS_TM_VOLATILE);
    if (class == TransactionManagerLogInformation)
        return answer_fixed(into, &info->log_identity, sizeof(GUID), ReturnLength);
    if (class == TransactionManagerRecoveryInformation)
        return answer_fixed(into, &recovery, sizeof(recovery), ReturnLength);
    return answer_fixed(into, &info->oldest_transaction, sizeof(GUID), ReturnLength);
}

NTSTATUS
service_QueryInformationTransactionManager(
    HANDLE TransactionManagerHandle,
    TRANSACTIONMANAGER_INFORMATION_CLASS TransactionManagerInformationClass,
    PVOID TransactionManagerInformation, ULONG TransactionManagerInformationLength,
    PULONG ReturnLength)
{
    owned(handle_release) struct handle *tm = NULL;
    struct engine_tm_info info;
    size_t size = 0;

    TRY(class_size(TransactionManagerInformationClass, &size));
    if (TransactionManagerInformationClass == TransactionManagerLogPathInformation)
        size = 0; /* too small is answered with the size that is needed, which only the TM knows */
    TRY(answer_check(TransactionManagerInformation, TransactionManagerInformationLength, size,
                     STATUS_INFO_LENGTH_MISMATCH));
    TRY(service_handle(SERVICE_QueryInformationTransactionManager, TransactionManagerHandle, &tm));
    engine_tm_query(tm->object, &info);
    return query(&info, TransactionManagerInformationClass, TransactionManagerInformation,
                 TransactionManagerInformationLength, ReturnLength);
}

NTSTATUS
service_SetInformationTransactionManager(
    HANDLE TmHandle, TRANSACTIONMANAGER_INFORMATION_CLASS TransactionManagerInformationClass,
    PVOID TransactionManagerInformation, ULONG TransactionManagerInformationLength)
{
    owned(handle_release) struct handle *tm = NULL;

    (void)TransactionManagerInformation; /* the probe takes nothing [TM-SET-01] */
    (void)TransactionManagerInformationLength;
    if (TransactionManagerInformationClass != TransactionManagerOnlineProbeInformation)
        return status_raise(STATUS_INVALID_INFO_CLASS); /* [TM-SET-03] */
    TRY(service_handle(SERVICE_SetInformationTransactionManager, TmHandle, &tm));
    return engine_tm_probe(tm->object);
}

/* ---- quiet moments ----------------------------------------------------------------------------
 */

NTSTATUS
service_FreezeTransactions(PLARGE_INTEGER FreezeTimeout, PLARGE_INTEGER ThawTimeout)
{
    struct engine *engine;

    if (!FreezeTimeout || !ThawTimeout)
        return status_raise(STATUS_ACCESS_VIOLATION); /* [FRZ-08] */
    engine = engine_instance();
    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    return engine_freeze(engine, FreezeTimeout->QuadPart, ThawTimeout->QuadPart);
}

NTSTATUS
service_ThawTransactions(void)
{
    struct engine *engine = engine_instance();

    return engine ? engine_thaw(engine) : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}
