/* SPDX-License-Identifier: MIT */
/* Where Win32 programs find NTSTATUS, counted strings and the Nt and Rtl routines: all of wdm.h. */
#pragma once

#include "wdm.h"
#include "windows.h"
