/* SPDX-License-Identifier: MIT */
/* JSON that the command writes: always valid, whatever bytes a path has. */
#pragma once

#include <json-c/json.h>

#include "base/guid.h"

#define JSON_OUT_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* The text as a string; bytes that are not UTF-8 become "\xNN": it is for reading, not for opening
 * the file again. NULL: null. */
struct json_object *json_out_text(const char *text);
struct json_object *json_out_guid(const GUID *guid);
/* Prints the value on standard output, on a line of its own, and frees it. */
void json_out_print(struct json_object *value);
