/* SPDX-License-Identifier: MIT */
/* The progress line. */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "sys/thread.h"

enum { FIRST = 500000000, EVERY = 100000000 }; /* nanoseconds */

void
progress_begin(struct progress *progress, bool is_quiet)
{
    *progress = (struct progress){.is_shown = !is_quiet && isatty(STDERR_FILENO),
                                  .next = sys_now() + FIRST};
}

void
progress_tell(struct progress *progress, size_t done, size_t count)
{
    uint64_t now;

    if (!progress->is_shown || (now = sys_now()) < progress->next)
        return;
    fprintf(stderr, "\rktm: preparing step %zu of %zu", done, count);
    fflush(stderr);
    progress->is_drawn = true;
    progress->next = now + EVERY;
}

void
progress_end(struct progress *progress)
{
    if (progress->is_drawn)
        fputs("\r\033[K", stderr);
    progress->is_drawn = false;
}
