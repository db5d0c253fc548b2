/* SPDX-License-Identifier: MIT */
/*
 * What json-c does not tell about a JSON text: where things are, whether a key is repeated, and
 * whether the text is what RFC 8259 calls JSON in places where json-c is generous.
 *
 * One pass over the bytes, before json-c sees them. It refuses what json-c would let through (bytes
 * that are not UTF-8, NUL, control characters in strings, halves of surrogate pairs, single quotes)
 * and what would make it allocate without bound. Everything else it leaves to json-c, and whatever
 * the bytes are, it comes to an end.
 */
#pragma once

#include "cli/complaint.h"

/* An element of the list that is a member of the outermost object. */
struct json_element {
    size_t offset;
    unsigned keys;       /* in the element, when it is an object */
    unsigned inner_keys; /* in all objects directly inside it */
};

struct json_scan {
    unsigned keys; /* in the outermost object */
    struct json_element *elements;
    size_t count;
};

#define JSON_VALUES_MAX (4u << 20)

/* 'name' is that of the file, for the message. Answers: INVALID_PARAMETER, INSUFFICIENT_RESOURCES;
 * 'why' is written. */
NTSTATUS json_text_scan(const char *text, size_t size, const char *name, struct complaint *why,
                        struct json_scan *out) must_use;
void json_scan_deinit(struct json_scan *scan);

/* Lines and columns count from 1, columns in characters. */
void json_text_position(const char *text, size_t size, size_t offset, unsigned *line,
                        unsigned *column);
