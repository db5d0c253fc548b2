/* SPDX-License-Identifier: MIT */
/* Sentences for people. */
#include "rm/sqlite/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/explain.h"

void
words_write(struct words *words, const char *format, ...)
{
    va_list arguments;

    if (words->text[0])
        return;
    va_start(arguments, format);
    vsnprintf(words->text, sizeof(words->text), format, arguments);
    words->time = explain_time();
    va_end(arguments);
}

void
words_write_status(struct words *words, NTSTATUS status, const char *format, ...)
{
    va_list arguments;
    size_t used;

    if (words->text[0])
        return;
    va_start(arguments, format);
    vsnprintf(words->text, sizeof(words->text), format, arguments);
    words->time = explain_time();
    va_end(arguments);
    used = strlen(words->text);
    snprintf(words->text + used, sizeof(words->text) - used, ": %s", status_meaning(status));
}
