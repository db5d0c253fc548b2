/* SPDX-License-Identifier: MIT */
/* Base64 as in RFC 4648 section 4: one alphabet, padded, nothing else in between. */
#pragma once

#include "base/base.h"

/* Allocates *out, *size bytes and a NUL behind them. Answers: INVALID_PARAMETER (not base64; *wrong
 * is the offset of the first character that does not belong), INSUFFICIENT_RESOURCES. */
NTSTATUS base64_decode(const char *text, size_t length, char **out, size_t *size,
                       size_t *wrong) must_use;
