/* SPDX-License-Identifier: MIT */
/* UTF-16 to UTF-8 and back, strictly: what cannot be turned back exactly is refused. */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NO_CHARACTER UINT32_MAX

/* Takes one character from the units at *at; NO_CHARACTER when they are not well formed. */
static uint32_t
utf16_take(const uint16_t *units, size_t count, size_t *at)
{
    uint32_t high = units[(*at)++];

    if (high < 0xD800 || high > 0xDFFF)
        return high ? high : NO_CHARACTER;
    if (high > 0xDBFF || *at == count || units[*at] < 0xDC00 || units[*at] > 0xDFFF)
        return NO_CHARACTER;
    return 0x10000 + ((high - 0xD800) << 10) + (units[(*at)++] - 0xDC00u);
}

static size_t
utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Takes one character from the text at *at, never reading past its NUL; NO_CHARACTER for stray and
 * missing continuation bytes, overlong forms, surrogates, and anything above U+10FFFF. */
static uint32_t
utf8_take(const uint8_t **at)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = *(*at)++;
    unsigned more;

    if (c < 0x80)
        return c;
    if (c < 0xC2 || c > 0xF4)
        return NO_CHARACTER;
    more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    c &= 0x3Fu >> more;
    for (unsigned i = 0; i < more; i++) {
        if ((**at & 0xC0) != 0x80)
            return NO_CHARACTER;
        c = c << 6 | (*(*at)++ & 0x3Fu);
    }
    if (c < smallest[more] || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF)
        return NO_CHARACTER;
    return c;
}

NTSTATUS
text_from_utf16(const uint16_t *units, size_t count, char **out)
{
    /* A unit becomes at most three bytes; a pair of units becomes four. */
    char *text = malloc(3 * count + 1);
    size_t size = 0;

    if (!text)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t at = 0; at < count;) {
        uint32_t c = utf16_take(units, count, &at);

        if (c == NO_CHARACTER) {
            free(text);
            return status_raise(STATUS_OBJECT_NAME_INVALID);
        }
        size += utf8_put(c, text + size);
    }
    text[size] = '\0';
    *out = text;
    return STATUS_SUCCESS;
}

NTSTATUS
text_to_utf16(const char *text, uint16_t **units, size_t *count)
{
    const uint8_t *at = (const uint8_t *)text;
    uint16_t *made = malloc((strlen(text) + 1) * sizeof(*made)); /* no more units than bytes */
    size_t size = 0;

    if (!made)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    while (*at) {
        uint32_t c = utf8_take(&at);

        if (c == NO_CHARACTER) {
            free(made);
            return status_raise(STATUS_OBJECT_NAME_INVALID);
        }
        if (c >= 0x10000) {
            made[size++] = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
            made[size++] = (uint16_t)(0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
            made[size++] = (uint16_t)c;
        }
    }
    made[size] = 0;
    *units = made;
    *count = size;
    return STATUS_SUCCESS;
}
