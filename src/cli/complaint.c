/* SPDX-License-Identifier: MIT */
/* Complaints, and text that is safe to show. */
#include "cli/complaint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
complaint_write(struct complaint *complaint, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(complaint->text, sizeof(complaint->text), format, list);
    va_end(list);
}

const char *
status_text(NTSTATUS status, char text[STATUS_TEXT_SIZE])
{
    const char *name = status_name(status);

    if (name)
        return name;
    snprintf(text, STATUS_TEXT_SIZE, "0x%08X", (unsigned)status);
    return text;
}

const char *
status_words(NTSTATUS status, char text[STATUS_WORDS_SIZE])
{
    size_t length;

    snprintf(text, STATUS_WORDS_SIZE, "%s", status_meaning(status));
    length = strlen(text);
    if (length > 1 && text[length - 1] == '.')
        text[length - 1] = '\0';
    /* The first word of a sentence, unless it is one in capitals. */
    if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
        text[0] = (char)(text[0] + 'a' - 'A');
    return text;
}

size_t
utf8_size(const char *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *byte = (const uint8_t *)at;
    uint32_t c = byte[0];
    size_t size = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    if (size > 1)
        c &= 0x7Fu >> size;
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (byte[i] & 0x3F);
    }
    if (c < smallest[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    return size;
}

/* A printable character is copied, anything else becomes \xNN for each byte. */
static size_t
quote_one(const char *at, size_t left, char *out, size_t *taken)
{
    size_t size = utf8_size(at, left);
    uint8_t first = (uint8_t)at[0];
    /* C1 controls are two bytes in UTF-8 and steer some terminals. */
    bool is_control =
        first < 0x20 || first == 0x7F || (size == 2 && first == 0xC2 && (uint8_t)at[1] < 0xA0);

    *taken = size ? size : 1;
    if (size && !is_control) {
        memcpy(out, at, size);
        return size;
    }
    for (size_t i = 0; i < *taken; i++)
        snprintf(out + 4 * i, 5, "\\x%02X", (uint8_t)at[i]);
    return 4 * *taken;
}

static size_t
quote_all(const char *text, size_t size, char *out)
{
    size_t used = 0, taken;

    for (size_t at = 0; at < size; at += taken)
        used += quote_one(text + at, size - at, out + used, &taken);
    return used;
}

void
escape(const char *text, char *into)
{
    into[quote_all(text, strlen(text), into)] = '\0';
}

const char *
quote_bytes(const char *text, size_t size, struct quoted *into)
{
    static const char gap[] = "…";
    char *out = into->text;
    size_t head = size <= QUOTED_WHOLE ? size : QUOTED_WHOLE / 2, tail = size - head;

    *out++ = '\'';
    if (head < size) {
        while (head > 0 && ((uint8_t)text[head] & 0xC0) == 0x80)
            head--; /* not in the middle of a character */
        tail = size - QUOTED_WHOLE / 2;
    }
    out += quote_all(text, head, out);
    if (head < size) {
        memcpy(out, gap, sizeof(gap) - 1);
        out += sizeof(gap) - 1;
        while (tail < size && ((uint8_t)text[tail] & 0xC0) == 0x80)
            tail++;
        out += quote_all(text + tail, size - tail, out);
    }
    *out++ = '\'';
    *out = '\0';
    return into->text;
}

const char *
quote(const char *text, struct quoted *into)
{
    return quote_bytes(text, strlen(text), into);
}

void
complaint_prefix(struct complaint *complaint, const char *format, ...)
{
    struct complaint before = *complaint;
    va_list list;
    size_t used, rest;

    va_start(list, format);
    vsnprintf(complaint->text, sizeof(complaint->text), format, list);
    va_end(list);
    used = strlen(complaint->text);
    rest = strnlen(before.text, sizeof(complaint->text) - used - 1);
    memcpy(complaint->text + used, before.text, rest);
    complaint->text[used + rest] = '\0';
}

const char *
show(const char *text, struct quoted *into)
{
    size_t size = strlen(text);

    quote_bytes(text, size, into);
    return size && strlen(into->text) == size + 2 && memcmp(into->text + 1, text, size) == 0
               ? text
               : into->text;
}
