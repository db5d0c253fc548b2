/* SPDX-License-Identifier: MIT */
/*
 * As much of windows.h as programs need that use transactions or logs by their Win32 names
 * (ktmw32.h, clfsw32.h): handles, the last error, waiting, completion ports.
 *
 * Functions say how it went by their result, and why not by GetLastError(), which is the Win32
 * error (winerror.h) of a status [W32-GEN-01..04]. Any thread may call any of them. A handle is
 * closed with CloseHandle. What of windows.h is not here, the library does not have.
 *
 * Text is UTF-16. A program that writes L"text" is compiled with -fshort-wchar; others write
 * KTM_WIDE("text"), or TEXT("text") with UNICODE defined.
 */
#pragma once

#include "ktmbase.h"
#include "winerror.h"

EXTERN_C_START

#define MAX_PATH 260

#ifdef UNICODE
typedef WCHAR TCHAR;
#define TEXT(s) KTM_WIDE(s)
#else
typedef char TCHAR;
#define TEXT(s) s
#endif
typedef TCHAR *LPTSTR;
typedef const TCHAR *LPCTSTR;

#define ZeroMemory(destination, size)         RtlZeroMemory(destination, size)
#define CopyMemory(destination, source, size) RtlCopyMemory(destination, source, size)

/* ---- the last error ---- */

/* Why the last function of this thread failed; one value per thread. Functions that succeed leave
 * it alone unless they say otherwise [W32-GEN-04]. */
WINBASEAPI DWORD WINAPI GetLastError(void);
WINBASEAPI VOID WINAPI SetLastError(DWORD dwErrCode);

/* ---- handles ---- */

/* Closes a handle, with the effects of NtClose (wdm.h) [W32-GEN-09]. Errors: INVALID_HANDLE. */
WINBASEAPI BOOL WINAPI CloseHandle(HANDLE hObject);

/* Another handle to the same object, within the process; both process handles are
 * GetCurrentProcess(). 'dwOptions': DUPLICATE_ bits. The caller closes it. Errors: INVALID_HANDLE,
 * INVALID_PARAMETER, ACCESS_DENIED. */
WINBASEAPI BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle,
                                       HANDLE hTargetProcessHandle,
                                       _Out_opt_ LPHANDLE lpTargetHandle, DWORD dwDesiredAccess,
                                       BOOL bInheritHandle, DWORD dwOptions);

/* This process; not to be closed. */
WINBASEAPI HANDLE WINAPI GetCurrentProcess(void);
WINBASEAPI DWORD WINAPI GetCurrentProcessId(void);

/* ---- waiting ---- */

#define WAIT_OBJECT_0      ((DWORD)0x00000000)
#define WAIT_ABANDONED     ((DWORD)0x00000080)
#define WAIT_ABANDONED_0   ((DWORD)0x00000080)
#define WAIT_IO_COMPLETION ((DWORD)0x000000C0)
#define WAIT_FAILED        ((DWORD)0xFFFFFFFF)

/* Wait until the object, any of them or all of them, is signalled, or the milliseconds are over
 * (INFINITE: never, 0: at once). A transaction is signalled when its outcome is known and, for
 * commit, everybody has finished [SIG-01..04]; a resource manager while its queue is not empty
 * [OBJ-19]; a completion port while it has packets; an event by hand. An event that resets itself
 * is taken by the wait it ends; a wait for all takes all or none. Right: SYNCHRONIZE. Return
 * WAIT_OBJECT_0 (for any: and the index of the first), WAIT_TIMEOUT, WAIT_ABANDONED (the last
 * handle of an event or a port was closed meanwhile) or WAIT_FAILED. Nothing is ever delivered to a
 * waiting thread here, so alertable or not is the same. Errors: INVALID_HANDLE (also of what cannot
 * be waited for), ACCESS_DENIED, INVALID_PARAMETER (none, or more than MAXIMUM_WAIT_OBJECTS). */
WINBASEAPI DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds);
WINBASEAPI DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds,
                                              BOOL bAlertable);
WINBASEAPI DWORD WINAPI WaitForMultipleObjects(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll,
                                               DWORD dwMilliseconds);
WINBASEAPI DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, const HANDLE *lpHandles,
                                                 BOOL bWaitAll, DWORD dwMilliseconds,
                                                 BOOL bAlertable);

/* Sleep so many milliseconds; the second returns 0. */
WINBASEAPI VOID WINAPI Sleep(DWORD dwMilliseconds);
WINBASEAPI DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable);

/* An event: an object that is signalled by hand, for OVERLAPPED and others. 'bManualReset': it
 * stays signalled until ResetEvent; otherwise one wait takes it. 'lpName', at most 254 characters,
 * is known in this process; when an event has it already, that one is opened and the last error is
 * ALREADY_EXISTS, otherwise 0. NULL on failure. Errors: INVALID_HANDLE (the name is another
 * object's), FILENAME_EXCED_RANGE, NO_SYSTEM_RESOURCES. CreateEventA takes the name in UTF-8; also
 * INVALID_NAME. The other two signal it and take the signal away; who waits for a manual event
 * alone is released even if they follow each other at once. */
WINBASEAPI HANDLE WINAPI CreateEventW(_In_opt_ LPSECURITY_ATTRIBUTES lpEventAttributes,
                                      BOOL bManualReset, BOOL bInitialState,
                                      _In_opt_ LPCWSTR lpName);
WINBASEAPI HANDLE WINAPI CreateEventA(_In_opt_ LPSECURITY_ATTRIBUTES lpEventAttributes,
                                      BOOL bManualReset, BOOL bInitialState,
                                      _In_opt_ LPCSTR lpName);
#ifdef UNICODE
#define CreateEvent CreateEventW
#else
#define CreateEvent CreateEventA
#endif
WINBASEAPI BOOL WINAPI SetEvent(HANDLE hEvent);
WINBASEAPI BOOL WINAPI ResetEvent(HANDLE hEvent);

/* ---- overlapped operations and completion ports ---- */

/* An operation under way. It, and the buffers of the operation, belong to the library until the
 * operation is complete. */
typedef struct _OVERLAPPED {
    ULONG_PTR Internal;     /* status */
    ULONG_PTR InternalHigh; /* bytes */
    __extension__ union {
        __extension__ struct {
            DWORD Offset;
            DWORD OffsetHigh;
        };
        PVOID Pointer;
    };
    HANDLE hEvent; /* signalled at completion; NULL: none; with bit 0 set: and no packet, please */
} OVERLAPPED, *LPOVERLAPPED;

#define HasOverlappedIoCompleted(overlapped) ((DWORD)(overlapped)->Internal != 0x103)

/* The result of an overlapped operation, and how many bytes it moved; with 'bWait' it waits for it,
 * with an event or without. 'hFile' is not looked at. Errors: IO_INCOMPLETE (not complete), or that
 * of the operation. */
WINBASEAPI BOOL WINAPI GetOverlappedResult(HANDLE hFile, LPOVERLAPPED lpOverlapped,
                                           _Out_ LPDWORD lpNumberOfBytesTransferred, BOOL bWait);

/* Makes a completion port ('FileHandle' INVALID_HANDLE_VALUE, port NULL), a queue of packets. A
 * resource manager is bound to it with SetResourceManagerCompletionPort (ktmw32.h); nothing else
 * can be. The number of threads is not limited. NULL on failure. Errors: INVALID_HANDLE (a file),
 * INVALID_PARAMETER (a port), NO_SYSTEM_RESOURCES. */
WINBASEAPI HANDLE WINAPI CreateIoCompletionPort(HANDLE FileHandle,
                                                _In_opt_ HANDLE ExistingCompletionPort,
                                                ULONG_PTR CompletionKey,
                                                DWORD NumberOfConcurrentThreads);
/* Takes the oldest packet; waits for one. Each packet goes to one thread. FALSE with
 * '*lpOverlapped' NULL: none came. FALSE with another: one came, of an operation that failed.
 * Errors: WAIT_TIMEOUT, INVALID_HANDLE, ABANDONED_WAIT_0 (closed while waiting), or that of the
 * operation. */
WINBASEAPI BOOL WINAPI GetQueuedCompletionStatus(HANDLE CompletionPort,
                                                 _Out_ LPDWORD lpNumberOfBytesTransferred,
                                                 _Out_ PULONG_PTR lpCompletionKey,
                                                 _Out_ LPOVERLAPPED *lpOverlapped,
                                                 DWORD dwMilliseconds);
/* Puts a packet of the caller's own into the queue. Errors: INVALID_HANDLE, NO_SYSTEM_RESOURCES (no
 * memory, or a million packets). */
WINBASEAPI BOOL WINAPI PostQueuedCompletionStatus(HANDLE CompletionPort,
                                                  DWORD dwNumberOfBytesTransferred,
                                                  ULONG_PTR dwCompletionKey,
                                                  _In_opt_ LPOVERLAPPED lpOverlapped);

/* ---- GUIDs ---- */

typedef LONG HRESULT;
typedef LONG RPC_STATUS;

#define S_OK              ((HRESULT)0)
#define E_INVALIDARG      ((HRESULT)0x80070057)
#define RPC_S_OK          0
#define RPC_S_INVALID_ARG 87
#define SUCCEEDED(hr)     ((HRESULT)(hr) >= 0)
#define FAILED(hr)        ((HRESULT)(hr) < 0)

/* A random GUID, version 4. S_OK and RPC_S_OK; given NULL, E_INVALIDARG and RPC_S_INVALID_ARG. */
WINBASEAPI HRESULT WINAPI CoCreateGuid(_Out_ GUID *pguid);
WINBASEAPI RPC_STATUS WINAPI UuidCreate(_Out_ UUID *Uuid);

EXTERN_C_END

C_ASSERT(sizeof(OVERLAPPED) == 32 && offsetof(OVERLAPPED, hEvent) == 24);
C_ASSERT(offsetof(OVERLAPPED, OffsetHigh) == 20 && offsetof(OVERLAPPED, Pointer) == 16);
