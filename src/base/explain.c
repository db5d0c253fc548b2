/* SPDX-License-Identifier: MIT */
/* Sentences for people. */
#include "base/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
write_sentence(struct explanation *why, const char *format, va_list arguments)
{
    size_t used = (size_t)snprintf(why->text, sizeof(why->text), "%s", why->step);

    vsnprintf(why->text + used, sizeof(why->text) - used, format, arguments);
    why->time = explain_time();
}

uint64_t
explain_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
explain_again(struct explanation *why)
{
    if (why)
        why->time = explain_time();
}

void
explain_sentence(struct explanation *why, const char *format, ...)
{
    va_list arguments;

    if (!why)
        return;
    va_start(arguments, format);
    write_sentence(why, format, arguments);
    va_end(arguments);
}

void
explain_failure(struct explanation *why, NTSTATUS status, const char *format, ...)
{
    va_list arguments;
    size_t used;

    if (!why || status == STATUS_SUCCESS || why->text[0])
        return;
    va_start(arguments, format);
    write_sentence(why, format, arguments);
    va_end(arguments);
    used = strlen(why->text);
    snprintf(why->text + used, sizeof(why->text) - used, ": %s", status_meaning(status));
}

void
explain_nothing(struct explanation *why)
{
    if (why)
        why->text[0] = '\0';
}
