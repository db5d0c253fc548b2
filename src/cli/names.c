/* SPDX-License-Identifier: MIT */
/* Names of logs. */
#include "cli/names.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/changeset.h"
#include "cli/owned.h"

NTSTATUS
name_of_log(const char *prefix, const char *path, struct complaint *why, struct name *out)
{
    owned(free_text) char *current = NULL;
    owned(free_text) char *text = NULL;
    uint16_t *units;
    NTSTATUS status;
    size_t count;

    if (path[0] != '/')
        TRY(current_directory(why, &current));
    if (asprintf(&text, "%s%s%s%s", prefix, current ? current : "",
                 current && current[1] ? "/" : "", path) < 0) {
        text = NULL;
        return out_of_memory(why);
    }
    /* What stands for something else in a name. */
    if (strchr(path, '\\') || strstr(path, "::"))
        return complain(why, STATUS_OBJECT_NAME_INVALID,
                        "the path %s cannot be that of a log: it has a backslash or '::' in it",
                        QUOTE(path));
    status = text_to_utf16(text, &units, &count);
    if (status == STATUS_INSUFFICIENT_RESOURCES)
        return out_of_memory(why);
    if (status != STATUS_SUCCESS)
        return complain(why, status, "the path %s cannot be that of a log: it is not UTF-8",
                        QUOTE(path));
    if (count > UINT16_MAX / sizeof(WCHAR)) {
        free(units);
        return complain(why, STATUS_OBJECT_NAME_INVALID, "the path %s is too long", QUOTE(path));
    }
    out->string = (UNICODE_STRING){.Length = (USHORT)(count * sizeof(WCHAR)),
                                   .MaximumLength = (USHORT)(count * sizeof(WCHAR)),
                                   .Buffer = (PWSTR)units};
    return STATUS_SUCCESS;
}
