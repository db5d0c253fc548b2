/* SPDX-License-Identifier: MIT */
/* The pass over a JSON text that comes before json-c's. */
#include "cli/json_text.h"

#include <stdlib.h>
#include <string.h>

struct scanner {
    const char *text;
    size_t size, at;
    const char *name;
    struct complaint *why;
    struct json_scan *out;
    size_t room; /* of out->elements */
    size_t values;
    unsigned depth;  /* brackets of both kinds that are open */
    bool is_between; /* in the list, before an element */
};

void
json_scan_deinit(struct json_scan *scan)
{
    free(scan->elements);
    *scan = (struct json_scan){0};
}

void
json_text_position(const char *text, size_t size, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    if (offset > size)
        offset = size;
    for (size_t at = 0; at < offset; at++) {
        if (text[at] == '\n') {
            (*line)++;
            *column = 1;
        } else if (((uint8_t)text[at] & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

static NTSTATUS
refuse(struct scanner *scanner, const char *what)
{
    unsigned line, column;

    json_text_position(scanner->text, scanner->size, scanner->at, &line, &column);
    return complain(scanner->why, STATUS_INVALID_PARAMETER, "%s:%u:%u: %s", scanner->name, line,
                    column, what);
}

/* The value of the four hexadecimal digits of an escape, -1 when they are not there. */
static int
hex4(const struct scanner *scanner, size_t at)
{
    int value = 0;

    if (scanner->size - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = scanner->text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At a backslash. json-c turns half a surrogate pair into U+FFFD, which would be another name. */
static NTSTATUS
scan_escape(struct scanner *scanner)
{
    size_t at = scanner->at;
    int first, second = -1;

    if (scanner->size - at < 2 || scanner->text[at + 1] != 'u') {
        scanner->at += 2; /* json-c knows which there are */
        return STATUS_SUCCESS;
    }
    first = hex4(scanner, at + 2);
    if (first >= 0xD800 && first <= 0xDBFF && scanner->size - at > 8 &&
        scanner->text[at + 6] == '\\' && scanner->text[at + 7] == 'u')
        second = hex4(scanner, at + 8);
    if (first >= 0xD800 && first <= 0xDFFF &&
        (first > 0xDBFF || second < 0xDC00 || second > 0xDFFF))
        return refuse(scanner, "half a surrogate pair is not a character");
    scanner->at += second >= 0 ? 12 : 2;
    return STATUS_SUCCESS;
}

/* One byte or character that means the same everywhere. */
static NTSTATUS
scan_character(struct scanner *scanner, size_t *size)
{
    *size = utf8_size(scanner->text + scanner->at, scanner->size - scanner->at);
    if (*size == 0)
        return refuse(scanner, "not UTF-8");
    if (scanner->text[scanner->at] == '\0')
        return refuse(scanner, "a NUL byte; this is not a text file");
    return STATUS_SUCCESS;
}

/* At the opening quote; ends behind the closing one, or at the end of the text. */
static NTSTATUS
scan_string(struct scanner *scanner)
{
    size_t size;

    scanner->at++;
    while (scanner->at < scanner->size) {
        char c = scanner->text[scanner->at];

        TRY(scan_character(scanner, &size));
        if (c == '"') {
            scanner->at++;
            return STATUS_SUCCESS;
        }
        if ((uint8_t)c < 0x20)
            return refuse(scanner, "a string ends on its line; write \\n for a new line, \\t for a "
                                   "tab, \\u00XX for other control characters");
        if (c == '\\')
            TRY(scan_escape(scanner));
        else
            scanner->at += size;
    }
    scanner->at = scanner->size; /* an escape may have been cut short */
    return STATUS_SUCCESS;
}

/* Where a value begins: the outermost object is at depth 0, the members of its list at depth 2. */
static NTSTATUS
value_begins(struct scanner *scanner)
{
    struct json_scan *out = scanner->out;

    if (++scanner->values > JSON_VALUES_MAX)
        return refuse(scanner, "too many values for one change set");
    if (scanner->depth != 2 || !scanner->is_between)
        return STATUS_SUCCESS;
    scanner->is_between = false;
    if (out->count == scanner->room) {
        size_t room = scanner->room ? 2 * scanner->room : 64;
        struct json_element *elements = realloc(out->elements, room * sizeof(*elements));

        if (!elements)
            return complain(scanner->why, STATUS_INSUFFICIENT_RESOURCES, "out of memory");
        out->elements = elements;
        scanner->room = room;
    }
    out->elements[out->count++] = (struct json_element){.offset = scanner->at};
    return STATUS_SUCCESS;
}

static void
count_key(struct scanner *scanner)
{
    struct json_scan *out = scanner->out;

    if (scanner->depth == 1)
        out->keys++;
    else if (scanner->depth == 3 && out->count)
        out->elements[out->count - 1].keys++;
    else if (scanner->depth == 4 && out->count)
        out->elements[out->count - 1].inner_keys++;
}

static NTSTATUS
scan_token(struct scanner *scanner)
{
    size_t size;
    char c = scanner->text[scanner->at];

    TRY(scan_character(scanner, &size));
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        break;
    case '\'':
        return refuse(scanner, "strings and keys stand between double quotes");
    case '"':
        TRY(value_begins(scanner)); /* or a key: they count as well */
        return scan_string(scanner);
    case '{':
    case '[':
        TRY(value_begins(scanner));
        scanner->depth++;
        scanner->is_between = c == '[' && scanner->depth == 2;
        break;
    case '}':
    case ']':
        if (scanner->depth)
            scanner->depth--;
        break;
    case ',':
        scanner->is_between |= scanner->depth == 2;
        break;
    case ':':
        count_key(scanner);
        break;
    default:
        TRY(value_begins(scanner));
    }
    scanner->at += size;
    return STATUS_SUCCESS;
}

static NTSTATUS
scan(struct scanner *scanner)
{
    while (scanner->at < scanner->size)
        TRY(scan_token(scanner));
    return STATUS_SUCCESS;
}

NTSTATUS
json_text_scan(const char *text, size_t size, const char *name, struct complaint *why,
               struct json_scan *out)
{
    struct json_scan found = {0};
    struct scanner scanner = {.text = text, .size = size, .name = name, .why = why, .out = &found};
    NTSTATUS status = scan(&scanner);

    if (status != STATUS_SUCCESS) {
        json_scan_deinit(&found);
        return status;
    }
    *out = found;
    return STATUS_SUCCESS;
}
