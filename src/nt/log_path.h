/* SPDX-License-Identifier: MIT */
/*
 * Log paths: the text a program gives, as a POSIX path [TM-CREATE-18, OP-21].
 *
 *     \??\C:\dir\app      the native form; also \\?\ and \DosDevices\
 *     LOG:C:\dir\app      a leading "LOG:" in any case is dropped
 *     C:\dir\app          a drive letter alone
 *     /dir/app, \dir\app  a POSIX path, also after the prefixes above
 *
 * Backslashes are separators. A drive letter means the directory named by the environment variable
 * KTM_DRIVE_C (and so on), or "/" when there is none. The path must be absolute. ".blf" is not
 * written; the log appends it. "path::stream" is for a stream of a multiplexed log.
 */
#pragma once

#include "ktmbase.h"

#include "base/base.h"

/* *out: to be freed. Answers: OBJECT_NAME_INVALID (empty, odd length, bad UTF-16 [TM-CREATE-20]),
 * ACCESS_VIOLATION (no buffer), OBJECT_PATH_SYNTAX_BAD (not absolute), NOT_SUPPORTED (names a
 * stream), INSUFFICIENT_RESOURCES. */
NTSTATUS log_path_parse(const UNICODE_STRING *name, char **out) must_use;
