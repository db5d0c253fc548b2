/* SPDX-License-Identifier: MIT */
/* The routines that take pointers to objects. A pointer is to an object of the right kind, and
 * referenced: anything else no kernel component survives, nor would the library. */
#include "tests/riot/riot.h"

#include "wdm.h"

#define ROW(result_type, name, result, ...) {#name, (void (*)(void))name, #__VA_ARGS__, result, 0},
#define PROVED(result_type, name, result, ...)                                                     \
    static_assert(__builtin_types_compatible_p(__typeof__(name), result_type __VA_ARGS__), #name);

/* clang-format off: a table */
#define KERNEL(R)                                                                                  \
    R(NTSTATUS, TmRenameTransactionManager, RESULT_STATUS, (PUNICODE_STRING, LPGUID))              \
    R(NTSTATUS, TmRecoverTransactionManager, RESULT_STATUS, (PKTM, PLARGE_INTEGER))                \
    R(NTSTATUS, TmFreezeTransactions, RESULT_STATUS, (PLARGE_INTEGER, PLARGE_INTEGER))             \
    R(NTSTATUS, TmThawTransactions, RESULT_STATUS, (void))                                         \
    R(NTSTATUS, TmCommitTransaction, RESULT_STATUS, (PKTRANSACTION, BOOLEAN))                      \
    R(NTSTATUS, TmRollbackTransaction, RESULT_STATUS, (PKTRANSACTION, BOOLEAN))                    \
    R(VOID, TmGetTransactionId, RESULT_NONE, (PKTRANSACTION, PUOW))                                \
    R(BOOLEAN, TmIsTransactionActive, RESULT_NONE, (PKTRANSACTION))                                \
    R(NTSTATUS, TmEnableCallbacks, RESULT_STATUS, (PKRESOURCEMANAGER, PTM_RM_NOTIFICATION, PVOID)) \
    R(NTSTATUS, TmRecoverResourceManager, RESULT_STATUS, (PKRESOURCEMANAGER))                      \
    R(NTSTATUS, TmPropagationComplete, RESULT_STATUS, (PKRESOURCEMANAGER, ULONG, ULONG, PVOID))    \
    R(NTSTATUS, TmPropagationFailed, RESULT_STATUS, (PKRESOURCEMANAGER, ULONG, NTSTATUS))          \
    R(NTSTATUS, TmRecoverEnlistment, RESULT_STATUS, (PKENLISTMENT, PVOID))                         \
    R(NTSTATUS, TmReferenceEnlistmentKey, RESULT_STATUS, (PKENLISTMENT, PVOID *))                  \
    R(NTSTATUS, TmDereferenceEnlistmentKey, RESULT_STATUS, (PKENLISTMENT, PBOOLEAN))               \
    R(NTSTATUS, TmPrePrepareEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))             \
    R(NTSTATUS, TmPrepareEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                \
    R(NTSTATUS, TmCommitEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                 \
    R(NTSTATUS, TmRollbackEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))               \
    R(NTSTATUS, TmPrePrepareComplete, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))               \
    R(NTSTATUS, TmPrepareComplete, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                  \
    R(NTSTATUS, TmCommitComplete, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                   \
    R(NTSTATUS, TmRollbackComplete, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                 \
    R(NTSTATUS, TmReadOnlyEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))               \
    R(NTSTATUS, TmSinglePhaseReject, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))                \
    R(NTSTATUS, TmRequestOutcomeEnlistment, RESULT_STATUS, (PKENLISTMENT, PLARGE_INTEGER))
/* clang-format on */

KERNEL(PROVED)

static struct routine all[] = {KERNEL(ROW)};
const struct routines riot_kernel = {all, ARRAY_SIZE(all)};
