/* SPDX-License-Identifier: MIT */
/* From the forms of a log path to one POSIX path. */
#include "nt/log_path.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void
free_text(char *text)
{
    free(text);
}
OWNED_BY(char, free_text)

static bool
skip(const char **at, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncasecmp(*at, prefix, size) != 0)
        return false;
    *at += size;
    return true;
}

/* What the drive letter stands for; "/" adds nothing, the path has its own. */
static const char *
drive_directory(char letter)
{
    char variable[] = "KTM_DRIVE_?";
    const char *directory;

    variable[sizeof(variable) - 2] = (char)(letter & ~0x20);
    directory = getenv(variable);
    return directory && directory[0] == '/' && directory[1] ? directory : "";
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The prefixes may be combined: LOG:\??\C:\x. Sets *at to the part that begins with a separator. */
static NTSTATUS
skip_prefixes(const char **at, const char **directory)
{
    *directory = "";
    skip(at, "LOG:");
    if (skip(at, "\\??\\") || skip(at, "\\\\?\\") || skip(at, "\\DosDevices\\"))
        skip(at, "LOG:");
    if (is_letter((*at)[0]) && (*at)[1] == ':') {
        *directory = drive_directory((*at)[0]);
        *at += 2;
    }
    if ((*at)[0] != '/' && (*at)[0] != '\\')
        return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD);
    return STATUS_SUCCESS;
}

NTSTATUS
log_path_parse(const UNICODE_STRING *name, char **out)
{
    owned(free_text) char *text = NULL;
    owned(free_text) char *path = NULL;
    const char *at, *directory;
    size_t room;

    if (name->Length == 0 || name->Length % sizeof(WCHAR))
        return status_raise(STATUS_OBJECT_NAME_INVALID); /* [TM-CREATE-20] */
    if (!name->Buffer)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(text_from_utf16((const uint16_t *)name->Buffer, name->Length / sizeof(WCHAR), &text));
    at = text;
    TRY(skip_prefixes(&at, &directory));
    if (strstr(at, "::"))
        return status_raise(STATUS_NOT_SUPPORTED);
    room = strlen(directory) + strlen(at) + 1;
    path = malloc(room);
    if (!path)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    stpcpy(stpcpy(path, directory), at);
    for (char *c = path + strlen(directory); *c; c++)
        if (*c == '\\')
            *c = '/';
    if (path[strlen(path) - 1] == '/')
        return status_raise(STATUS_OBJECT_NAME_INVALID); /* a directory has no log in its name */
    *out = give(path);
    return STATUS_SUCCESS;
}
