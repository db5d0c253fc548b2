/* SPDX-License-Identifier: MIT */
/* The text trace: one write per line, so that lines of several threads and processes do not mix. */
#include "sys/trace.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/thread.h"

_Atomic bool trace_is_on;
static int trace_fd = -1;

static void
trace_open(void)
{
    const char *where = secure_getenv("KTM_TRACE");

    if (!where || !*where)
        return;
    trace_fd = !strcmp(where, "stderr")
                   ? STDERR_FILENO
                   : open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    trace_is_on = trace_fd >= 0;
}

void
trace_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, trace_open);
}

void
trace_line(const char *format, ...)
{
    char line[1024];
    uint64_t now = sys_now();
    int length =
        snprintf(line, sizeof(line), "%llu.%06llu [%d] ", (unsigned long long)(now / 1000000000),
                 (unsigned long long)(now % 1000000000 / 1000), (int)gettid());
    va_list arguments;

    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length++] = '\n';
    if (write(trace_fd, line, (size_t)length) < 0)
        trace_is_on = false; /* nowhere to write: it is only a trace */
}
