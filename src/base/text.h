/* SPDX-License-Identifier: MIT */
/* Text is UTF-8 inside the project; UTF-16 stops at the surface, and this is where it turns. */
#pragma once

#include "base/base.h"

/* Both write a terminating NUL and allocate *out with malloc.
 * Answers: OBJECT_NAME_INVALID (unpaired surrogate, bad UTF-8, NUL inside), INSUFFICIENT_RESOURCES.
 */
NTSTATUS text_from_utf16(const uint16_t *units, size_t count, char **out) must_use;
NTSTATUS text_to_utf16(const char *text, uint16_t **units, size_t *count) must_use;
