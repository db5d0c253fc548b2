/* SPDX-License-Identifier: MIT */
/* Making the base file of a new log. */
#pragma once

#include "clfs/format.h"

/* Makes the base file 'path' (with ".blf"), durable on return, open for writing and locked.
 * Answers: OBJECT_NAME_COLLISION, OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, DISK_FULL,
 * SHARING_VIOLATION (another process is making it). */
NTSTATUS base_file_create(struct sys *sys, const char *path, const char *directory,
                          uint32_t sector_size, struct sys_file **out) must_use;
