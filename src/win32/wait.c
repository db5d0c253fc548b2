/* SPDX-License-Identifier: MIT */
/* Waiting and sleeping. */
#include "sys/thread.h"
#include "win32/win32.h"

/* WAIT_OBJECT_0, WAIT_TIMEOUT and WAIT_IO_COMPLETION are the statuses of the same meaning. */
static DWORD
wait_result(NTSTATUS status)
{
    static_assert(WAIT_OBJECT_0 == STATUS_WAIT_0, "as the status");
    static_assert(WAIT_TIMEOUT == STATUS_TIMEOUT, "as the status");
    static_assert(WAIT_IO_COMPLETION == STATUS_USER_APC, "as the status");
    if (NT_SUCCESS(status))
        return (DWORD)status;
    win32_fail(status);
    return WAIT_FAILED;
}

DWORD
WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
    return WaitForSingleObjectEx(hHandle, dwMilliseconds, FALSE);
}

DWORD
WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL bAlertable)
{
    LARGE_INTEGER room;

    return wait_result(NtWaitForSingleObject(hHandle, (BOOLEAN)(bAlertable != 0),
                                             win32_patience(dwMilliseconds, &room)));
}

DWORD
WaitForMultipleObjects(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(nCount, lpHandles, bWaitAll, dwMilliseconds, FALSE);
}

DWORD
WaitForMultipleObjectsEx(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds,
                         BOOL bAlertable)
{
    LARGE_INTEGER room;

    return wait_result(NtWaitForMultipleObjects(
        nCount, (HANDLE *)lpHandles, bWaitAll ? WaitAll : WaitAny, (BOOLEAN)(bAlertable != 0),
        win32_patience(dwMilliseconds, &room)));
}

VOID
Sleep(DWORD dwMilliseconds)
{
    (void)SleepEx(dwMilliseconds, FALSE);
}

/* Nothing is ever delivered to a thread here, so both sleep to the end. */
DWORD
SleepEx(DWORD dwMilliseconds, BOOL bAlertable)
{
    _Atomic uint32_t never = 0;
    uint64_t deadline =
        dwMilliseconds == INFINITE ? SYS_FOREVER : sys_now() + UINT64_C(1000000) * dwMilliseconds;

    (void)bAlertable;
    while (sys_wait(&never, 0, deadline)) {
    }
    return 0;
}
