/* SPDX-License-Identifier: MIT */
/* See clfs_name.h. */
#include "nt/clfs_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "nt/clfs_object.h"

#define STREAM_NAME_MAX 255u /* UTF-16 units */

static void
text_free(char *text)
{
    free(text);
}
OWNED_BY(char, text_free)

static bool
begins(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A drive letter means the directory named by KTM_DRIVE_C (and so on). Answers:
 * OBJECT_PATH_NOT_FOUND [CLFS-NAME-12]. */
static NTSTATUS
drive_directory(char letter, const char **directory)
{
    char variable[] = "KTM_DRIVE_?";

    variable[sizeof(variable) - 2] = (char)(letter & ~0x20);
    *directory = getenv(variable);
    if (!*directory || (*directory)[0] != '/')
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    if (strcmp(*directory, "/") == 0)
        *directory = "";
    return STATUS_SUCCESS;
}

/* Backslashes become slashes, a drive its directory. 'at' is changed. */
static NTSTATUS
path_make(char *at, char **out)
{
    const char *directory = "";
    char *path;

    for (char *c = at; *c; c++)
        if (*c == '\\')
            *c = '/';
    if (is_letter(at[0]) && at[1] == ':') {
        TRY(drive_directory(at[0], &directory));
        at += 2;
        if (*at != '/')
            return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD); /* no current directory per drive */
    }
    path = malloc(strlen(directory) + strlen(at) + 1);
    if (!path)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    strcpy(stpcpy(path, directory), at);
    *out = path;
    return STATUS_SUCCESS;
}

static NTSTATUS
units_to_text(const UNICODE_STRING *name, char **text)
{
    if (name->Length == 0 || name->Length % sizeof(WCHAR))
        return status_raise(STATUS_OBJECT_NAME_INVALID); /* [CLFS-NAME-14] */
    return text_from_utf16((const uint16_t *)name->Buffer, name->Length / sizeof(WCHAR), text);
}

static size_t
utf16_units(const char *text) /* of valid UTF-8 */
{
    size_t units = 0;

    for (; *text; text++)
        units += ((uint8_t)*text & 0xC0) == 0x80 ? 0 : (uint8_t)*text >= 0xF0 ? 2 : 1;
    return units;
}

/* [CLFS-NAME-13, -14]; an empty one is the physical log. */
static bool
stream_name_is_valid(const char *stream)
{
    return !strpbrk(stream, "\\/:") && utf16_units(stream) <= STREAM_NAME_MAX;
}

NTSTATUS
clfs_name_parse(const UNICODE_STRING *name, char **path, bool *is_multiplexed)
{
    owned(text_free) char *text = NULL;
    char *at, *stream;

    TRY(clfs_string_check(name));
    TRY(units_to_text(name, &text));
    if (begins(text, "\\??\\") || begins(text, "\\\\?\\") || begins(text, "\\clfs"))
        return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD); /* [CLFS-NAME-11] */
    if (!begins(text, "log:"))
        return status_raise(STATUS_OBJECT_NAME_INVALID); /* [CLFS-NAME-01, -02] */
    at = text + strlen("log:");
    if (begins(at, "\\??\\") || begins(at, "\\\\?\\"))
        return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD);
    stream = strstr(at, "::"); /* the first one ends the path [CLFS-NAME-06] */
    if (stream) {
        *stream = 0;
        if (!stream_name_is_valid(stream + 2))
            return status_raise(STATUS_OBJECT_NAME_INVALID);
    }
    if (!*at || at[strlen(at) - 1] == '\\' || at[strlen(at) - 1] == '/')
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    TRY(path_make(at, path));
    *is_multiplexed = stream != NULL;
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_container_path_parse(const UNICODE_STRING *name, char **path)
{
    owned(text_free) char *text = NULL;
    char *at;

    TRY(clfs_string_check(name));
    if (name->Length % sizeof(WCHAR))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-HARD-43] */
    TRY(units_to_text(name, &text));
    at = text;
    if (begins(at, "%BLF%:"))
        return status_raise(STATUS_NOT_SUPPORTED);     /* [CLFS-NAME-20] */
    if (begins(at, "\\??\\") || begins(at, "\\\\?\\")) /* the native form of an absolute path */
        at += 4;
    if (begins(at, "%BLF%\\") || begins(at, "%BLF%/")) { /* [CLFS-NAME-17] */
        at += 6;
        if (*at == '/' || *at == '\\')
            return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD);
    }
    if (!*at)
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    return path_make(at, path);
}
