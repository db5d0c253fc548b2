/* SPDX-License-Identifier: MIT */
/*
 * Transactional file access by the Win32 names of Windows, as far as there is something to say: the
 * constants programs ask about. Files change in transactions through ktm_file.h here; there is no
 * transactional file system underneath, so there is no TxF reading of its logs either.
 */
#pragma once

#include "windows.h"

/* Miniversions of a file in a transaction, arguments of CreateFileTransacted. */
#define TXFS_MINIVERSION_COMMITTED_VIEW ((USHORT)0x0000)
#define TXFS_MINIVERSION_DIRTY_VIEW     ((USHORT)0xFFFF)
#define TXFS_MINIVERSION_DEFAULT_VIEW   ((USHORT)0xFFFE)
