/* SPDX-License-Identifier: MIT */
/* Connection strings: pairs of a word and a value, written and read as libpq does. */
#include "rm/server/server.h"

#include <string.h>

/* ---- writing ---- */

static void
add_char(struct conninfo *info, char letter)
{
    if (info->used + 1 >= sizeof(info->text) || (unsigned char)letter < ' ')
        info->is_lost = true;
    else
        info->text[info->used++] = letter;
    info->text[info->used] = '\0';
}

static void
add_text(struct conninfo *info, const char *text)
{
    while (*text)
        add_char(info, *text++);
}

static void
add_quoted(struct conninfo *info, const char *value)
{
    add_char(info, '\'');
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            add_char(info, '\\');
        add_char(info, *value);
    }
    add_char(info, '\'');
}

void
conninfo_add(struct conninfo *info, const char *word, const char *value)
{
    if (!value)
        return;
    if (info->used)
        add_char(info, ' ');
    add_text(info, word);
    add_char(info, '=');
    if (value[0] && !strpbrk(value, " '\\"))
        add_text(info, value);
    else
        add_quoted(info, value);
}

/* ---- reading ---- */

static const char *
skip_spaces(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Up to the quote that ends it, or the space; NULL: there is no such quote. */
static const char *
read_value(const char *at, char *into)
{
    bool is_quoted = *at == '\'';
    const char *ends = is_quoted ? "'" : " \t\r\n";

    for (at += is_quoted; *at && !strchr(ends, *at); at++) {
        if (*at == '\\' && at[1])
            at++;
        *into++ = *at;
    }
    *into = '\0';
    if (is_quoted && *at != '\'')
        return NULL;
    return at + is_quoted;
}

NTSTATUS
conninfo_read(const char *text, conninfo_pair *pair, void *context)
{
    char word[32], value[CONNINFO_SIZE];

    if (strlen(text) >= sizeof(value))
        return status_raise(STATUS_INVALID_PARAMETER);
    for (const char *at = skip_spaces(text); *at; at = skip_spaces(at)) {
        size_t size = strcspn(at, "= \t\r\n");

        if (size == 0 || size >= sizeof(word))
            return status_raise(STATUS_INVALID_PARAMETER);
        memcpy(word, at, size);
        word[size] = '\0';
        at = skip_spaces(at + size);
        if (*at != '=')
            return status_raise(STATUS_INVALID_PARAMETER);
        at = read_value(skip_spaces(at + 1), value);
        if (!at)
            return status_raise(STATUS_INVALID_PARAMETER);
        TRY(pair(context, word, value));
    }
    return STATUS_SUCCESS;
}
