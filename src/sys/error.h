/* SPDX-License-Identifier: MIT */
/* From errno to NTSTATUS: the one table, private to this room [CLFS-STAT-07]. */
#pragma once

#include "base/base.h"

/* 'error' must not be 0. */
NTSTATUS status_of_errno(int error);

/* The same for a call that failed on a name: what is missing may be its last component
 * (OBJECT_NAME_NOT_FOUND) or one before it (OBJECT_PATH_NOT_FOUND), which is looked up. */
NTSTATUS status_of_path_errno(int error, const char *path);

/* Calls again what a signal interrupted. */
#define UNINTERRUPTED(call)                                                                        \
    ({                                                                                             \
        __typeof__(call) result_;                                                                  \
        do                                                                                         \
            result_ = (call);                                                                      \
        while (result_ == -1 && errno == EINTR);                                                   \
        result_;                                                                                   \
    })
