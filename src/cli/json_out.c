/* SPDX-License-Identifier: MIT */
/* Values for JSON output. */
#include "cli/json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/owned.h"

struct json_object *
json_out_text(const char *text)
{
    size_t left = text ? strlen(text) : 0, used = 0;
    owned(free_text) char *out = malloc(4 * left + 1);

    if (!text || !out)
        return NULL;
    while (left > 0) {
        size_t size = utf8_size(text, left);

        if (size)
            memcpy(out + used, text, size);
        else
            sprintf(out + used, "\\x%02X", (uint8_t)*text);
        used += size ? size : 4;
        text += size ? size : 1;
        left -= size ? size : 1;
    }
    return json_object_new_string_len(out, (int)used);
}

struct json_object *
json_out_guid(const GUID *guid)
{
    char text[GUID_TEXT_SIZE];

    guid_print(guid, text);
    return json_object_new_string(text);
}

void
json_out_print(struct json_object *value)
{
    puts(json_object_to_json_string_ext(value, JSON_OUT_FLAGS));
    json_object_put(value);
}
