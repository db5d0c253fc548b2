/* SPDX-License-Identifier: MIT */
/* The Win32 functions. */
#include "tests/riot/riot.h"

#include "ktmw32.h"

#define ROW(result_type, name, result, ...) {#name, (void (*)(void))name, #__VA_ARGS__, result, 0},
#define PROVED(result_type, name, result, ...)                                                     \
    static_assert(__builtin_types_compatible_p(__typeof__(name), result_type __VA_ARGS__), #name);

/* clang-format off: a table */
#define WIN32(R)                                                                                   \
    R(HANDLE, CreateTransaction, RESULT_HANDLE,                                                    \
      (LPSECURITY_ATTRIBUTES, LPGUID, DWORD, DWORD, DWORD, DWORD, LPWSTR))                         \
    R(HANDLE, PrivCreateTransaction, RESULT_HANDLE,                                                \
      (LPSECURITY_ATTRIBUTES, LPGUID, DWORD, DWORD, DWORD, DWORD, LPWSTR))                         \
    R(HANDLE, OpenTransaction, RESULT_HANDLE, (DWORD, LPGUID))                                     \
    R(BOOL, CommitTransaction, RESULT_BOOL, (HANDLE))                                              \
    R(BOOL, CommitTransactionAsync, RESULT_BOOL, (HANDLE))                                         \
    R(BOOL, RollbackTransaction, RESULT_BOOL, (HANDLE))                                            \
    R(BOOL, RollbackTransactionAsync, RESULT_BOOL, (HANDLE))                                       \
    R(BOOL, GetTransactionId, RESULT_BOOL, (HANDLE, LPGUID))                                       \
    R(BOOL, GetTransactionInformation, RESULT_BOOL,                                                \
      (HANDLE, PDWORD, PDWORD, PDWORD, PDWORD, DWORD, LPWSTR))                                     \
    R(BOOL, SetTransactionInformation, RESULT_BOOL, (HANDLE, DWORD, DWORD, DWORD, LPWSTR))         \
    R(HANDLE, CreateTransactionManager, RESULT_HANDLE,                                             \
      (LPSECURITY_ATTRIBUTES, LPWSTR, ULONG, ULONG))                                               \
    R(HANDLE, OpenTransactionManager, RESULT_HANDLE, (LPWSTR, ACCESS_MASK, ULONG))                 \
    R(HANDLE, OpenTransactionManagerById, RESULT_HANDLE, (LPGUID, ACCESS_MASK, ULONG))             \
    R(BOOL, RecoverTransactionManager, RESULT_BOOL, (HANDLE))                                      \
    R(BOOL, RollforwardTransactionManager, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                  \
    R(BOOL, RenameTransactionManager, RESULT_BOOL, (LPWSTR, LPGUID))                               \
    R(BOOL, GetCurrentClockTransactionManager, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))              \
    R(BOOL, GetTransactionManagerId, RESULT_BOOL, (HANDLE, LPGUID))                                \
    R(HANDLE, CreateResourceManager, RESULT_HANDLE,                                                \
      (LPSECURITY_ATTRIBUTES, LPGUID, DWORD, HANDLE, LPWSTR))                                      \
    R(HANDLE, OpenResourceManager, RESULT_HANDLE, (DWORD, HANDLE, LPGUID))                         \
    R(BOOL, RecoverResourceManager, RESULT_BOOL, (HANDLE))                                         \
    R(BOOL, GetNotificationResourceManager, RESULT_BOOL,                                           \
      (HANDLE, PTRANSACTION_NOTIFICATION, ULONG, DWORD, PULONG))                                   \
    R(BOOL, GetNotificationResourceManagerAsync, RESULT_BOOL,                                      \
      (HANDLE, PTRANSACTION_NOTIFICATION, ULONG, PULONG, LPOVERLAPPED))                            \
    R(BOOL, SetResourceManagerCompletionPort, RESULT_BOOL, (HANDLE, HANDLE, ULONG_PTR))            \
    R(HANDLE, CreateEnlistment, RESULT_HANDLE,                                                     \
      (LPSECURITY_ATTRIBUTES, HANDLE, HANDLE, NOTIFICATION_MASK, DWORD, PVOID))                    \
    R(HANDLE, OpenEnlistment, RESULT_HANDLE, (DWORD, HANDLE, LPGUID))                              \
    R(BOOL, RecoverEnlistment, RESULT_BOOL, (HANDLE, PVOID))                                       \
    R(BOOL, GetEnlistmentId, RESULT_BOOL, (HANDLE, LPGUID))                                        \
    R(BOOL, GetEnlistmentRecoveryInformation, RESULT_BOOL, (HANDLE, ULONG, PVOID, PULONG))         \
    R(BOOL, SetEnlistmentRecoveryInformation, RESULT_BOOL, (HANDLE, ULONG, PVOID))                 \
    R(BOOL, PrePrepareEnlistment, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                           \
    R(BOOL, PrepareEnlistment, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                              \
    R(BOOL, CommitEnlistment, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                               \
    R(BOOL, RollbackEnlistment, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                             \
    R(BOOL, PrePrepareComplete, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                             \
    R(BOOL, PrepareComplete, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                                \
    R(BOOL, CommitComplete, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                                 \
    R(BOOL, RollbackComplete, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                               \
    R(BOOL, ReadOnlyEnlistment, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                             \
    R(BOOL, SinglePhaseReject, RESULT_BOOL, (HANDLE, PLARGE_INTEGER))                              \
    R(BOOL, PrivIsLogWritableTransactionManager, RESULT_BOOL, (HANDLE))                            \
    R(BOOL, PrivPropagationComplete, RESULT_BOOL, (HANDLE, ULONG, ULONG, PVOID))                   \
    R(BOOL, PrivPropagationFailed, RESULT_BOOL, (HANDLE, ULONG))                                   \
    R(BOOL, PrivRegisterProtocolAddressInformation, RESULT_BOOL,                                   \
      (HANDLE, PCRM_PROTOCOL_ID, ULONG, PVOID, ULONG))                                             \
    R(BOOL, CloseHandle, RESULT_BOOL, (HANDLE))                                                    \
    R(DWORD, WaitForSingleObject, RESULT_NONE, (HANDLE, DWORD))                                    \
    R(DWORD, WaitForMultipleObjects, RESULT_NONE, (DWORD, const HANDLE *, BOOL, DWORD))            \
    R(HANDLE, CreateEventW, RESULT_HANDLE, (LPSECURITY_ATTRIBUTES, BOOL, BOOL, LPCWSTR))           \
    R(HANDLE, CreateEventA, RESULT_HANDLE, (LPSECURITY_ATTRIBUTES, BOOL, BOOL, LPCSTR))            \
    R(BOOL, SetEvent, RESULT_BOOL, (HANDLE))                                                       \
    R(BOOL, ResetEvent, RESULT_BOOL, (HANDLE))                                                     \
    R(HANDLE, CreateIoCompletionPort, RESULT_HANDLE, (HANDLE, HANDLE, ULONG_PTR, DWORD))           \
    R(BOOL, GetQueuedCompletionStatus, RESULT_BOOL,                                                \
      (HANDLE, LPDWORD, PULONG_PTR, LPOVERLAPPED *, DWORD))                                        \
    R(BOOL, PostQueuedCompletionStatus, RESULT_BOOL, (HANDLE, DWORD, ULONG_PTR, LPOVERLAPPED))
/* clang-format on */

WIN32(PROVED)

static struct routine all[] = {WIN32(ROW)};
const struct routines riot_win32 = {all, ARRAY_SIZE(all)};
