/* SPDX-License-Identifier: MIT */
/* Completion ports. */
#include "win32/win32.h"

/* There are no files to associate: a resource manager has its own function for it (ktmw32.h). */
static NTSTATUS
create(HANDLE file, HANDLE existing, DWORD threads, PHANDLE out)
{
    if (file != INVALID_HANDLE_VALUE)
        return status_raise(STATUS_INVALID_HANDLE);
    if (existing)
        return status_raise(STATUS_INVALID_PARAMETER);
    return NtCreateIoCompletion(out, IO_COMPLETION_ALL_ACCESS, NULL, threads);
}

HANDLE
CreateIoCompletionPort(HANDLE FileHandle, HANDLE ExistingCompletionPort, ULONG_PTR CompletionKey,
                       DWORD NumberOfConcurrentThreads)
{
    HANDLE port = NULL;

    (void)CompletionKey; /* of the file */
    return win32_bool(create(FileHandle, ExistingCompletionPort, NumberOfConcurrentThreads, &port))
               ? port
               : NULL;
}

/* A packet that says its operation failed is taken, and makes the function fail: then
 * '*lpOverlapped' is not NULL. */
BOOL
GetQueuedCompletionStatus(HANDLE CompletionPort, LPDWORD lpNumberOfBytesTransferred,
                          PULONG_PTR lpCompletionKey, LPOVERLAPPED *lpOverlapped,
                          DWORD dwMilliseconds)
{
    PVOID key, context;
    IO_STATUS_BLOCK block;
    LARGE_INTEGER room;
    NTSTATUS status;

    if (!lpNumberOfBytesTransferred || !lpCompletionKey || !lpOverlapped)
        return win32_bool(status_raise(STATUS_ACCESS_VIOLATION));
    *lpOverlapped = NULL;
    status = NtRemoveIoCompletion(CompletionPort, &key, &context, &block,
                                  win32_patience(dwMilliseconds, &room));
    if (status != STATUS_SUCCESS) {
        win32_fail(status); /* WAIT_TIMEOUT, ABANDONED_WAIT_0, and the failures */
        return FALSE;
    }
    *lpNumberOfBytesTransferred = (DWORD)block.Information;
    *lpCompletionKey = (ULONG_PTR)key;
    *lpOverlapped = context;
    return win32_bool(block.Status);
}

BOOL
PostQueuedCompletionStatus(HANDLE CompletionPort, DWORD dwNumberOfBytesTransferred,
                           ULONG_PTR dwCompletionKey, LPOVERLAPPED lpOverlapped)
{
    return win32_bool(NtSetIoCompletion(CompletionPort, (PVOID)dwCompletionKey, lpOverlapped,
                                        STATUS_SUCCESS, dwNumberOfBytesTransferred));
}
