/* SPDX-License-Identifier: MIT */
/* Locals that own a text, for owned(). */
#pragma once

#include <stdlib.h>

#include "base/base.h"

static inline void
free_text(char *text)
{
    free(text);
}
OWNED_BY(char, free_text)
