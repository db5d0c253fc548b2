/* SPDX-License-Identifier: MIT */
/* How far a long staging is, on a terminal; silent otherwise, and silent for the first moment. */
#pragma once

#include "base/base.h"

struct progress {
    bool is_shown; /* there is a terminal, and it was not asked for quiet */
    bool is_drawn;
    uint64_t next; /* when to draw; CLOCK_MONOTONIC, nanoseconds */
};

void progress_begin(struct progress *progress, bool is_quiet);
void progress_tell(struct progress *progress, size_t done, size_t count);
void progress_end(struct progress *progress); /* wipes it away */
