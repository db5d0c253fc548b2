/* SPDX-License-Identifier: MIT */
/* Content of change sets that is not text. */
#include "cli/base64.h"

#include <stdlib.h>

static int
digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters of which the last 'padding' are '='. */
static bool
decode_group(const char *text, size_t padding, char out[3], size_t *wrong)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? digit(text[i]) : 0;

        if (value < 0) {
            *wrong += i;
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    out[0] = (char)(bits >> 16);
    out[1] = (char)(bits >> 8);
    out[2] = (char)bits;
    /* Bits that no byte takes must be zero, or two texts would mean the same. */
    if ((padding == 1 && (bits & 0xFF)) || (padding == 2 && (bits & 0xFFFF))) {
        *wrong += 3 - padding;
        return false;
    }
    return true;
}

NTSTATUS
base64_decode(const char *text, size_t length, char **out, size_t *size, size_t *wrong)
{
    size_t padding = 0;
    char *bytes;

    if (length % 4) {
        *wrong = length;
        return status_raise(STATUS_INVALID_PARAMETER);
    }
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    bytes = malloc(length / 4 * 3 + 1);
    if (!bytes)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t at = 0; at < length; at += 4) {
        *wrong = at;
        if (!decode_group(text + at, at + 4 == length ? padding : 0, bytes + at / 4 * 3, wrong)) {
            free(bytes);
            return status_raise(STATUS_INVALID_PARAMETER);
        }
    }
    *size = length / 4 * 3 - padding;
    bytes[*size] = '\0';
    *out = bytes;
    return STATUS_SUCCESS;
}
