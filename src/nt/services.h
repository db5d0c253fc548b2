/* SPDX-License-Identifier: MIT */
/*
 * Every system service once: its name without "Nt", the kind of its first handle argument and the
 * right that handle must carry [ktm-types.md section 5.7], its arguments. The Nt and Zw functions
 * (dispatch.c), the check of their prototypes, the rights, the trace of calls (trace.c) and the
 * tables of the tests come from here; what a service does is service_<name> in the file of its
 * object.
 *
 * Kind 0: the service takes no handle first, or one it checks by itself (see its comment).
 */
#pragma once

#include "core/object.h"
#include "nt/any.h"
#include "nt/handle.h"
#include "wdm.h"

/* clang-format off: a table */
#define NT_TM_SERVICES(S)                                                                          \
    S(CreateTransactionManager, 0, 0,                                                              \
      (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, PUNICODE_STRING, ULONG, ULONG))                   \
    S(OpenTransactionManager, 0, 0,                                                                \
      (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, PUNICODE_STRING, LPGUID, ULONG))                  \
    S(RecoverTransactionManager, OBJECT_TM, TRANSACTIONMANAGER_RECOVER, (HANDLE))                  \
    S(RollforwardTransactionManager, OBJECT_TM, TRANSACTIONMANAGER_RECOVER,                        \
      (HANDLE, PLARGE_INTEGER))                                                                    \
    S(RenameTransactionManager, 0, 0, (PUNICODE_STRING, LPGUID))                                   \
    S(QueryInformationTransactionManager, OBJECT_TM, TRANSACTIONMANAGER_QUERY_INFORMATION,         \
      (HANDLE, TRANSACTIONMANAGER_INFORMATION_CLASS, PVOID, ULONG, PULONG))                        \
    S(SetInformationTransactionManager, OBJECT_TM, TRANSACTIONMANAGER_SET_INFORMATION,             \
      (HANDLE, TRANSACTIONMANAGER_INFORMATION_CLASS, PVOID, ULONG))                                \
    S(FreezeTransactions, 0, 0, (PLARGE_INTEGER, PLARGE_INTEGER))                                  \
    S(ThawTransactions, 0, 0, (void))

#define NT_ENUMERATE_SERVICES(S) /* the root's kind and right depend on the query */               \
    S(EnumerateTransactionObject, 0, 0, (HANDLE, KTMOBJECT_TYPE, PKTMOBJECT_CURSOR, ULONG, PULONG))

#define NT_TX_SERVICES(S)                                                                          \
    S(CreateTransaction, OBJECT_TM, TRANSACTIONMANAGER_QUERY_INFORMATION,                          \
      (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, LPGUID, HANDLE, ULONG, ULONG, ULONG,              \
       PLARGE_INTEGER, PUNICODE_STRING))                                                           \
    S(OpenTransaction, OBJECT_TM, TRANSACTIONMANAGER_QUERY_INFORMATION,                            \
      (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, LPGUID, HANDLE))                                  \
    S(QueryInformationTransaction, OBJECT_TX, TRANSACTION_QUERY_INFORMATION,                       \
      (HANDLE, TRANSACTION_INFORMATION_CLASS, PVOID, ULONG, PULONG))                               \
    S(SetInformationTransaction, OBJECT_TX, TRANSACTION_SET_INFORMATION,                           \
      (HANDLE, TRANSACTION_INFORMATION_CLASS, PVOID, ULONG))                                       \
    S(CommitTransaction, OBJECT_TX, TRANSACTION_COMMIT, (HANDLE, BOOLEAN))                         \
    S(RollbackTransaction, OBJECT_TX, TRANSACTION_ROLLBACK, (HANDLE, BOOLEAN))

#define NT_RM_SERVICES(S)                                                                          \
    S(CreateResourceManager, OBJECT_TM, TRANSACTIONMANAGER_CREATE_RM,                              \
      (PHANDLE, ACCESS_MASK, HANDLE, LPGUID, POBJECT_ATTRIBUTES, ULONG, PUNICODE_STRING))          \
    S(OpenResourceManager, OBJECT_TM, TRANSACTIONMANAGER_QUERY_INFORMATION,                        \
      (PHANDLE, ACCESS_MASK, HANDLE, LPGUID, POBJECT_ATTRIBUTES))                                  \
    S(RecoverResourceManager, OBJECT_RM, RESOURCEMANAGER_RECOVER, (HANDLE))                        \
    S(GetNotificationResourceManager, OBJECT_RM, RESOURCEMANAGER_GET_NOTIFICATION,                 \
      (HANDLE, PTRANSACTION_NOTIFICATION, ULONG, PLARGE_INTEGER, PULONG, ULONG, ULONG_PTR))        \
    S(QueryInformationResourceManager, OBJECT_RM, RESOURCEMANAGER_QUERY_INFORMATION,               \
      (HANDLE, RESOURCEMANAGER_INFORMATION_CLASS, PVOID, ULONG, PULONG))                           \
    S(SetInformationResourceManager, OBJECT_RM, RESOURCEMANAGER_SET_INFORMATION,                   \
      (HANDLE, RESOURCEMANAGER_INFORMATION_CLASS, PVOID, ULONG))                                   \
    S(RegisterProtocolAddressInformation, OBJECT_RM, RESOURCEMANAGER_REGISTER_PROTOCOL,            \
      (HANDLE, PCRM_PROTOCOL_ID, ULONG, PVOID, ULONG))                                             \
    S(PropagationComplete, OBJECT_RM, RESOURCEMANAGER_COMPLETE_PROPAGATION,                        \
      (HANDLE, ULONG, ULONG, PVOID))                                                               \
    S(PropagationFailed, OBJECT_RM, RESOURCEMANAGER_COMPLETE_PROPAGATION, (HANDLE, ULONG, NTSTATUS))

#define NT_EN_SERVICES(S) /* CreateEnlistment: the transaction needs TRANSACTION_ENLIST */         \
    S(CreateEnlistment, OBJECT_RM, RESOURCEMANAGER_ENLIST,                                         \
      (PHANDLE, ACCESS_MASK, HANDLE, HANDLE, POBJECT_ATTRIBUTES, ULONG, NOTIFICATION_MASK, PVOID)) \
    S(OpenEnlistment, OBJECT_RM, RESOURCEMANAGER_QUERY_INFORMATION,                                \
      (PHANDLE, ACCESS_MASK, HANDLE, LPGUID, POBJECT_ATTRIBUTES))                                  \
    S(QueryInformationEnlistment, OBJECT_EN, ENLISTMENT_QUERY_INFORMATION,                         \
      (HANDLE, ENLISTMENT_INFORMATION_CLASS, PVOID, ULONG, PULONG))                                \
    S(SetInformationEnlistment, OBJECT_EN, ENLISTMENT_SET_INFORMATION,                             \
      (HANDLE, ENLISTMENT_INFORMATION_CLASS, PVOID, ULONG))                                        \
    S(RecoverEnlistment, OBJECT_EN, ENLISTMENT_RECOVER, (HANDLE, PVOID))

#define NT_REQUEST_SERVICES(S) /* what a superior asks and a resource manager answers */           \
    S(PrePrepareEnlistment, OBJECT_EN, ENLISTMENT_SUPERIOR_RIGHTS, (HANDLE, PLARGE_INTEGER))       \
    S(PrepareEnlistment, OBJECT_EN, ENLISTMENT_SUPERIOR_RIGHTS, (HANDLE, PLARGE_INTEGER))          \
    S(CommitEnlistment, OBJECT_EN, ENLISTMENT_SUPERIOR_RIGHTS, (HANDLE, PLARGE_INTEGER))           \
    S(RollbackEnlistment, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))      \
    S(PrePrepareComplete, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))      \
    S(PrepareComplete, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))         \
    S(CommitComplete, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))          \
    S(RollbackComplete, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))        \
    S(ReadOnlyEnlistment, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))      \
    S(SinglePhaseReject, OBJECT_EN, ENLISTMENT_SUBORDINATE_RIGHTS, (HANDLE, PLARGE_INTEGER))

#define NT_OB_SERVICES(S) /* for any kind of object; waiting needs SYNCHRONIZE */                  \
    S(Close, 0, 0, (HANDLE))                                                                       \
    S(DuplicateObject, 0, 0, (HANDLE, HANDLE, HANDLE, PHANDLE, ACCESS_MASK, ULONG, ULONG))         \
    S(WaitForSingleObject, 0, 0, (HANDLE, BOOLEAN, PLARGE_INTEGER))                                \
    S(WaitForMultipleObjects, 0, 0, (ULONG, HANDLE *, WAIT_TYPE, BOOLEAN, PLARGE_INTEGER))

#define NT_EVENT_SERVICES(S)                                                                       \
    S(CreateEvent, 0, 0, (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, EVENT_TYPE, BOOLEAN))          \
    S(SetEvent, OBJECT_EVENT, EVENT_MODIFY_STATE, (HANDLE, PLONG))                                 \
    S(ResetEvent, OBJECT_EVENT, EVENT_MODIFY_STATE, (HANDLE, PLONG))

#define NT_PORT_SERVICES(S)                                                                        \
    S(CreateIoCompletion, 0, 0, (PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG))                 \
    S(SetIoCompletion, OBJECT_PORT, IO_COMPLETION_MODIFY_STATE,                                    \
      (HANDLE, PVOID, PVOID, NTSTATUS, ULONG_PTR))                                                 \
    S(RemoveIoCompletion, OBJECT_PORT, IO_COMPLETION_MODIFY_STATE,                                 \
      (HANDLE, PVOID *, PVOID *, PIO_STATUS_BLOCK, PLARGE_INTEGER))
/* clang-format on */

#define NT_SERVICES(S)                                                                             \
    NT_TM_SERVICES(S)                                                                              \
    NT_ENUMERATE_SERVICES(S)                                                                       \
    NT_TX_SERVICES(S)                                                                              \
    NT_RM_SERVICES(S)                                                                              \
    NT_EN_SERVICES(S)                                                                              \
    NT_REQUEST_SERVICES(S)                                                                         \
    NT_OB_SERVICES(S)                                                                              \
    NT_EVENT_SERVICES(S)                                                                           \
    NT_PORT_SERVICES(S)

#define SERVICE_NUMBER(name, kind, right, arguments) SERVICE_##name,
enum service_number { NT_SERVICES(SERVICE_NUMBER) SERVICES };

struct service {
    const char *name;      /* "CommitTransaction" */
    const char *arguments; /* "(HANDLE, BOOLEAN)" */
    uint8_t kind;
    ACCESS_MASK right;
};
extern const struct service services[SERVICES];

/* What dispatch.c calls, with the arguments of the public function. */
#define SERVICE_PROTOTYPE(name, kind, right, arguments) NTSTATUS service_##name arguments;
NT_SERVICES(SERVICE_PROTOTYPE)

/* Makes a call one line of the trace: name, arguments, status, and how long it took. */
void service_trace(enum service_number service, const uintptr_t *values, NTSTATUS status,
                   uint64_t begun);

/* The handle argument of a service, checked: existence, type, right [GEN-04].
 * Answers: INVALID_HANDLE, OBJECT_TYPE_MISMATCH, ACCESS_DENIED, TRANSACTION_OBJECT_EXPIRED. */
NTSTATUS service_handle(enum service_number service, HANDLE value, struct handle **out) must_use;
/* The same for any other handle. */
NTSTATUS service_handle_of(uint8_t kind, ACCESS_MASK right, HANDLE value,
                           struct handle **out) must_use;
/* Answers: TRANSACTION_OBJECT_EXPIRED: since the handle was made its RM was closed, or its TM was
 * shut down. */
NTSTATUS service_check_alive(const struct handle *slot) must_use;
