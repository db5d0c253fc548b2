/* SPDX-License-Identifier: MIT */
/* The border where a status becomes a Win32 error [docs/spec/ktm-types.md section 6.4, W32-GEN-03,
 * CLFS-STAT-04]. */
#include "base/base.h"
#include "wdm.h"
#include "winerror.h"

ULONG
RtlNtStatusToDosError(NTSTATUS Status)
{
#define STATUS_ROW(name, win32_error, meaning)                                                     \
    case name:                                                                                     \
        return win32_error;
    switch (Status) {
#include "base/status_table.h"
    }
#undef STATUS_ROW
    return ERROR_MR_MID_NOT_FOUND;
}
