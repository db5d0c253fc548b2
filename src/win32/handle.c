/* SPDX-License-Identifier: MIT */
/* Handles, the process, and GUIDs. */
#include "sys/thread.h"
#include "win32/win32.h"

/* ---- handles ---- */

BOOL
CloseHandle(HANDLE hObject)
{
    return win32_bool(NtClose(hObject)); /* [W32-GEN-09] */
}

BOOL
DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle, HANDLE hTargetProcessHandle,
                LPHANDLE lpTargetHandle, DWORD dwDesiredAccess, BOOL bInheritHandle,
                DWORD dwOptions)
{
    return win32_bool(NtDuplicateObject(hSourceProcessHandle, hSourceHandle, hTargetProcessHandle,
                                        lpTargetHandle, dwDesiredAccess,
                                        bInheritHandle ? OBJ_INHERIT : 0, dwOptions));
}

/* ---- the process ---- */

HANDLE
GetCurrentProcess(void)
{
    return NtCurrentProcess();
}

DWORD
GetCurrentProcessId(void)
{
    return (DWORD)sys_process_id();
}

/* ---- GUIDs ---- */

HRESULT
CoCreateGuid(GUID *pguid)
{
    return NT_SUCCESS(ExUuidCreate(pguid)) ? S_OK : E_INVALIDARG;
}

RPC_STATUS
UuidCreate(UUID *Uuid)
{
    return NT_SUCCESS(ExUuidCreate(Uuid)) ? RPC_S_OK : RPC_S_INVALID_ARG;
}
