/* SPDX-License-Identifier: MIT */
/* Paths as the library's names of logs, which are UTF-16. */
#pragma once

#include <stdlib.h>

#include "cli/complaint.h"
#include "ktmbase.h" /* public: UNICODE_STRING */

/* A name that owns its text. */
struct name {
    UNICODE_STRING string;
};
static inline void
free_name(struct name *name)
{
    free(name->string.Buffer);
}
#define owned_name __attribute__((cleanup(free_name)))

/* 'prefix' and the path, which is made absolute. Answers: OBJECT_NAME_INVALID (a path that no name
 * can have: not UTF-8, with a backslash or "::"), INSUFFICIENT_RESOURCES. */
NTSTATUS name_of_log(const char *prefix, const char *path, struct complaint *why,
                     struct name *out) must_use;
