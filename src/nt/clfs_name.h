/* SPDX-License-Identifier: MIT */
/* Names of logs and containers as the Clfs routines take them [docs/spec/clfs.md section 1.4]. */
#pragma once

#include "base/base.h"
#include "ktmbase.h"

/* "log:<path>": *path, to be freed, is the POSIX path without ".blf". *is_multiplexed: the name
 * goes on with "::" (the path is that of the physical log). Answers: INVALID_PARAMETER,
 * OBJECT_NAME_INVALID, OBJECT_PATH_SYNTAX_BAD, OBJECT_PATH_NOT_FOUND (a drive without a mapping),
 * INSUFFICIENT_RESOURCES. */
NTSTATUS clfs_name_parse(const UNICODE_STRING *name, char **path, bool *is_multiplexed) must_use;

/* A container's path, absolute or relative to the base file's directory (with "%BLF%\" or none).
 * Answers: INVALID_PARAMETER, OBJECT_NAME_INVALID, OBJECT_PATH_SYNTAX_BAD, OBJECT_PATH_NOT_FOUND,
 * NOT_SUPPORTED ("%BLF%:"), INSUFFICIENT_RESOURCES. */
NTSTATUS clfs_container_path_parse(const UNICODE_STRING *name, char **path) must_use;
