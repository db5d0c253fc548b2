/* SPDX-License-Identifier: MIT */
/*
 * Which switches have passed the gate: for each a file of the home, 'xa.passed.<hash>', named by
 * the SHA-256 of the library's file and the switch's name in it. So a new version of the library
 * has to pass anew, wherever it is installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "rm/xa/xa.h"

#define FORM "ktm-xa-passed 1\nswitch %s\nsymbol %s\nlibrary %s\n"

static NTSTATUS
hash_file(const char *path, struct sha256 *sha)
{
    uint8_t piece[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    while ((got = read(fd, piece, sizeof(piece))) > 0)
        sha256_add(sha, piece, (size_t)got);
    close(fd);
    return got == 0 ? STATUS_SUCCESS : status_raise(STATUS_IO_DEVICE_ERROR);
}

/* To be freed. */
static NTSTATUS
record_path(const char *home, const struct switch_info *info, char **out, struct explanation *why)
{
    char text[2 * SHA256_SIZE + 1];
    uint8_t digest[SHA256_SIZE];
    struct sha256 sha;

    sha256_init(&sha);
    TRY(explain_status(why, hash_file(info->path, &sha), "'%s' cannot be read", info->path));
    sha256_add(&sha, info->symbol, strlen(info->symbol));
    sha256_finish(&sha, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return asprintf(out, "%s/xa.passed.%s", home, text) < 0
               ? status_raise(STATUS_INSUFFICIENT_RESOURCES)
               : STATUS_SUCCESS;
}

NTSTATUS
record_look(const char *home, const struct switch_info *info, struct explanation *why)
{
    char *path;
    bool is_there;

    TRY(record_path(home, info, &path, why));
    is_there = access(path, R_OK) == 0;
    free(path);
    return is_there ? STATUS_SUCCESS
                    : explain(why, status_raise(STATUS_NOT_SUPPORTED),
                              "the switch '%s' in '%s' has not shown here that it keeps its "
                              "promises over a crash; 'ktm xa check' tries it",
                              info->symbol, info->path);
}

NTSTATUS
record_keep(const char *home, const struct switch_info *info, bool has_passed,
            struct explanation *why)
{
    char *path, *text;
    NTSTATUS status = STATUS_SUCCESS;

    if (has_passed && mkdir(home, 0700) != 0 && errno != EEXIST)
        return explain(why, status_raise(STATUS_ACCESS_DENIED), "'%s' cannot be made: %s", home,
                       strerror(errno));
    TRY(record_path(home, info, &path, why));
    if (asprintf(&text, FORM, info->name, info->symbol, info->path) < 0)
        text = NULL;
    if (!text)
        status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    else if (has_passed)
        status = file_replace(home, path, text, why);
    else if (unlink(path) != 0 && errno != ENOENT)
        status = explain(why, status_raise(STATUS_ACCESS_DENIED), "'%s' cannot be removed: %s",
                         path, strerror(errno));
    free(text);
    free(path);
    return status;
}
