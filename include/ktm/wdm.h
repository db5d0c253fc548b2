/* SPDX-License-Identifier: MIT */
/*
 * What a Windows driver that uses transactions or logs includes: KTM by handle (ktmnt.h) and by
 * pointer (ktmtm.h), CLFS (clfs.h, clfsmgmt.h), and as much of the object manager and the run-time
 * library as they need. In user space "kernel" and "user" callers are the same.
 *
 * The rules at the top of ktmnt.h hold here too.
 */
#pragma once

#include "clfs.h"
#include "clfsmgmt.h"
#include "ktmbase.h"
#include "ktmnt.h"
#include "ktmtm.h"
#include "ktmtypes.h"
#include "ntstatus.h"

EXTERN_C_START

/* Statements about interrupt levels, of which user space has none. */
#define PAGED_CODE()
#define PASSIVE_LEVEL  0
#define APC_LEVEL      1
#define DISPATCH_LEVEL 2

typedef ULONG LOGICAL;

/* ---- handles ---- */

#define NtCurrentProcess() ((HANDLE)(LONG_PTR)-1)
#define ZwCurrentProcess() NtCurrentProcess()

/* Closes a handle. The last handle of an object has effects: an uncommitted transaction is rolled
 * back, and what a TM, RM or enlistment leaves behind is settled
 * [CLOSE-TX-01..07, CLOSE-EN-01..10, CLOSE-RM-01..05, CLOSE-TM-01..06]. It waits for nobody's
 * answer. Answers: INVALID_HANDLE, HANDLE_NOT_CLOSABLE [GEN-10]. */
NTSYSCALLAPI NTSTATUS NTAPI NtClose(HANDLE Handle);
NTSYSCALLAPI __typeof__(NtClose) ZwClose;

/* Another handle to the same object, within the process: both process handles are
 * NtCurrentProcess(). 'Options': DUPLICATE_ bits; without SAME_ACCESS 'DesiredAccess' is granted as
 * far as the source handle has it. 'HandleAttributes': OBJ_INHERIT, OBJ_PROTECT_CLOSE. Answers:
 * INVALID_HANDLE, INVALID_PARAMETER, ACCESS_DENIED, INSUFFICIENT_RESOURCES. */
NTSYSCALLAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle,
                                              _In_opt_ HANDLE TargetProcessHandle,
                                              _Out_opt_ PHANDLE TargetHandle,
                                              ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                                              ULONG Options);
NTSYSCALLAPI __typeof__(NtDuplicateObject) ZwDuplicateObject;

/* ---- waiting ---- */

typedef enum _WAIT_TYPE { WaitAll = 0, WaitAny = 1 } WAIT_TYPE;

/* Waits until the object is signalled or 'Timeout' (100 ns; NULL: for ever; 0: not at all) is over.
 * A transaction is signalled when its outcome is known and, for commit, everybody has finished
 * [SIG-01..04]; an RM while its queue is not empty [OBJ-19]; events and completion ports as said
 * below. Right: SYNCHRONIZE. SUCCESS; TIMEOUT, and ABANDONED_WAIT_0 (the last handle of an event or
 * a port was closed meanwhile), success codes. Answers: INVALID_HANDLE, OBJECT_TYPE_MISMATCH
 * (nothing to wait for), ACCESS_DENIED.
 */
NTSYSCALLAPI NTSTATUS NTAPI NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable,
                                                  _In_opt_ PLARGE_INTEGER Timeout);
NTSYSCALLAPI __typeof__(NtWaitForSingleObject) ZwWaitForSingleObject;
/* The same for up to MAXIMUM_WAIT_OBJECTS: until all are signalled, or any; then STATUS_WAIT_0 and
 * the index of the first. Further answers: INVALID_PARAMETER_1 (count), INVALID_PARAMETER_3 (type).
 */
NTSYSCALLAPI NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG Count, HANDLE Handles[],
                                                     WAIT_TYPE WaitType, BOOLEAN Alertable,
                                                     _In_opt_ PLARGE_INTEGER Timeout);
NTSYSCALLAPI __typeof__(NtWaitForMultipleObjects) ZwWaitForMultipleObjects;

/* ---- events ---- */

#define EVENT_QUERY_STATE  0x0001
#define EVENT_MODIFY_STATE 0x0002
#define EVENT_ALL_ACCESS   0x001F0003

/* Stays signalled until it is reset; or until one wait has taken the signal. */
typedef enum _EVENT_TYPE { NotificationEvent = 0, SynchronizationEvent = 1 } EVENT_TYPE;

/* An object that is signalled by hand; its name, if any, is known in this process.
 * OBJECT_NAME_EXISTS, a success, when OBJ_OPENIF opened what exists. Answers: INVALID_PARAMETER,
 * INSUFFICIENT_RESOURCES, those of names (ktmnt.h). */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateEvent(_Out_ PHANDLE EventHandle, ACCESS_MASK DesiredAccess,
                                          _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                          EVENT_TYPE EventType, BOOLEAN InitialState);
NTSYSCALLAPI __typeof__(NtCreateEvent) ZwCreateEvent;

/* Signals it, takes the signal away; '*PreviousState' is 1 when it was signalled. Everybody who
 * waits for a NotificationEvent alone is released by the signal, even if it is taken away at once.
 * Right: EVENT_MODIFY_STATE. Answers: INVALID_HANDLE, OBJECT_TYPE_MISMATCH, ACCESS_DENIED. */
NTSYSCALLAPI NTSTATUS NTAPI NtSetEvent(HANDLE EventHandle, _Out_opt_ PLONG PreviousState);
NTSYSCALLAPI __typeof__(NtSetEvent) ZwSetEvent;
NTSYSCALLAPI NTSTATUS NTAPI NtResetEvent(HANDLE EventHandle, _Out_opt_ PLONG PreviousState);
NTSYSCALLAPI __typeof__(NtResetEvent) ZwResetEvent;

/* ---- completion ports ---- */

#define IO_COMPLETION_QUERY_STATE  0x0001
#define IO_COMPLETION_MODIFY_STATE 0x0002
#define IO_COMPLETION_ALL_ACCESS   0x001F0003

/* How an operation went. */
typedef struct _IO_STATUS_BLOCK {
    __extension__ union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

/* A queue of packets, signalled while it has any. A resource manager is bound to it with
 * NtSetInformationResourceManager (ktmnt.h). 'Count', of threads, is not looked at. Answers:
 * INSUFFICIENT_RESOURCES, those of names. */
NTSYSCALLAPI NTSTATUS NTAPI NtCreateIoCompletion(_Out_ PHANDLE IoCompletionHandle,
                                                 ACCESS_MASK DesiredAccess,
                                                 _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes,
                                                 ULONG Count);
NTSYSCALLAPI __typeof__(NtCreateIoCompletion) ZwCreateIoCompletion;

/* Posts a packet of the caller's own. Right, here and below: IO_COMPLETION_MODIFY_STATE. Answers:
 * the handle answers, INSUFFICIENT_RESOURCES (no memory, or a million packets). */
NTSYSCALLAPI NTSTATUS NTAPI NtSetIoCompletion(HANDLE IoCompletionHandle, _In_opt_ PVOID KeyContext,
                                              _In_opt_ PVOID ApcContext, NTSTATUS IoStatus,
                                              ULONG_PTR IoStatusInformation);
NTSYSCALLAPI __typeof__(NtSetIoCompletion) ZwSetIoCompletion;

/* Takes the oldest packet; waits for one so long (100 ns; NULL: for ever; 0: not at all). Each
 * packet goes to one thread. TIMEOUT and ABANDONED_WAIT_0 (the last handle was closed) are success
 * codes and bring none. Answers: the handle answers, ACCESS_VIOLATION. */
NTSYSCALLAPI NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE IoCompletionHandle, _Out_ PVOID *KeyContext,
                                                 _Out_ PVOID *ApcContext,
                                                 _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                                 _In_opt_ PLARGE_INTEGER Timeout);
NTSYSCALLAPI __typeof__(NtRemoveIoCompletion) ZwRemoveIoCompletion;

/* ---- object pointers ---- */

typedef struct _OBJECT_TYPE *POBJECT_TYPE;

/* The four types, for the routines below: '*TmTransactionObjectType'. */
NTKERNELAPI extern POBJECT_TYPE *TmTransactionManagerObjectType;
NTKERNELAPI extern POBJECT_TYPE *TmResourceManagerObjectType;
NTKERNELAPI extern POBJECT_TYPE *TmTransactionObjectType;
NTKERNELAPI extern POBJECT_TYPE *TmEnlistmentObjectType;

typedef struct _OBJECT_HANDLE_INFORMATION {
    ULONG HandleAttributes;
    ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;

typedef struct _ACCESS_STATE *PACCESS_STATE;

/* A pointer to the object of a handle, with a reference the caller gives back with
 * ObDereferenceObject. 'ObjectType' NULL: any. Answers: INVALID_HANDLE, OBJECT_TYPE_MISMATCH,
 * ACCESS_DENIED (the handle lacks a right of DesiredAccess) [TMR-01, TMR-02]. */
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByHandle(
    HANDLE Handle, ACCESS_MASK DesiredAccess, _In_opt_ POBJECT_TYPE ObjectType,
    KPROCESSOR_MODE AccessMode, _Out_ PVOID *Object,
    _Out_opt_ POBJECT_HANDLE_INFORMATION HandleInformation);

/* One more reference to an object one has a pointer to. Answers: OBJECT_TYPE_MISMATCH. */
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess,
                                                      _In_opt_ POBJECT_TYPE ObjectType,
                                                      KPROCESSOR_MODE AccessMode);

/* Take and give back one reference; both return how many there are then, for debugging only. Giving
 * back may be done anywhere, also in callbacks, and runs none [TMR-04]. */
NTKERNELAPI LONG_PTR NTAPI ObReferenceObject(PVOID Object);
NTKERNELAPI LONG_PTR NTAPI ObDereferenceObject(PVOID Object);

/* A handle to an object one has a pointer to; the caller closes it. 'PassedAccessState' is NULL.
 * Answers: OBJECT_TYPE_MISMATCH, ACCESS_DENIED, INVALID_PARAMETER, TRANSACTION_OBJECT_EXPIRED. */
NTKERNELAPI NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes,
                                                 _In_opt_ PACCESS_STATE PassedAccessState,
                                                 ACCESS_MASK DesiredAccess,
                                                 _In_opt_ POBJECT_TYPE ObjectType,
                                                 KPROCESSOR_MODE AccessMode, _Out_ PHANDLE Handle);

/* ---- helpers ---- */

/* A random GUID, version 4 [OBJ-18]. Always SUCCESS. */
NTKERNELAPI NTSTATUS NTAPI ExUuidCreate(_Out_ UUID *Uuid);

/* Makes '*DestinationString' count the NUL-terminated 'SourceString', which stays the caller's;
 * NULL: empty. Text beyond 65534 bytes is left out. */
NTSYSAPI VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString,
                                         _In_opt_ PCWSTR SourceString);
/* Frees the text that RtlStringFromGUID allocated, and empties the string. */
NTSYSAPI VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString);

/* Between a GUID and its text "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}". The second allocates the
 * text, NUL-terminated; free it with RtlFreeUnicodeString. Answers: INVALID_PARAMETER (not such a
 * text), INSUFFICIENT_RESOURCES. */
NTSYSAPI NTSTATUS NTAPI RtlGUIDFromString(PCUNICODE_STRING GuidString, _Out_ GUID *Guid);
NTSYSAPI NTSTATUS NTAPI RtlStringFromGUID(REFGUID Guid, _Out_ PUNICODE_STRING GuidString);

/* The Win32 error of a status; ERROR_MR_MID_NOT_FOUND (317) when it has none
 * [W32-GEN-03; docs/spec/ktm-types.md section 6.4]. */
NTSYSAPI ULONG NTAPI RtlNtStatusToDosError(NTSTATUS Status);

/* The transaction handle this thread remembers, NULL at first. It is remembered, nothing more:
 * neither referenced nor checked; the file names are ignored [RTL-01..03]. */
NTSYSAPI HANDLE NTAPI RtlGetCurrentTransaction(_In_opt_ PCWSTR ExistingFileName,
                                               _In_opt_ PCWSTR NewFileName);
/* Remembers a handle, INVALID_HANDLE_VALUE or NULL. Always TRUE. */
NTSYSAPI LOGICAL NTAPI RtlSetCurrentTransaction(_In_opt_ HANDLE TransactionHandle);

EXTERN_C_END
