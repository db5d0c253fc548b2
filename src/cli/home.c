/* SPDX-License-Identifier: MIT */
/* Finding and making the directory of the command's state. */
#include "cli/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/changeset.h"
#include "cli/names.h"
#include "cli/owned.h"
#include "ktm.h" /* public */

/* Joined to what is not absolute. */
static NTSTATUS
absolute(const char *path, struct complaint *why, char **out)
{
    owned(free_text) char *current = NULL;

    if (path[0] != '/')
        TRY(current_directory(why, &current));
    if (asprintf(out, "%s%s%s", current ? current : "", current && current[1] ? "/" : "", path) < 0)
        return out_of_memory(why);
    return STATUS_SUCCESS;
}

static NTSTATUS
find(const char *option, struct complaint *why, char **out)
{
    owned(free_text) char *path = NULL;
    NTSTATUS status;

    if (option && !option[0])
        return complain(why, STATUS_INVALID_PARAMETER, "--home takes the path of a directory");
    if (option)
        return absolute(option, why, out);
    status = ktm_home_default(&path);
    if (status == STATUS_OBJECT_PATH_NOT_FOUND)
        return complain(why, status,
                        "it is not known where to keep the state; set $HOME or give --home DIR");
    return status == STATUS_SUCCESS ? absolute(path, why, out) : out_of_memory(why);
}

NTSTATUS
home_find(const char *option, struct complaint *why, char **out)
{
    owned(free_text) char *path = NULL;
    owned_name struct name ignored = {0};

    TRY(find(option, why, &path));
    TRY(name_of_log("", path, why, &ignored)); /* its log must be possible */
    *out = give(path);
    return STATUS_SUCCESS;
}

char *
home_file(const char *home, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", home, name) < 0 ? NULL : path;
}

NTSTATUS
home_check(const char *path, struct complaint *why)
{
    struct stat info;

    if (stat(path, &info) != 0 && errno != ENOENT && errno != ENOTDIR)
        return complain(why, STATUS_ACCESS_DENIED, "cannot look at the home %s: %s", QUOTE(path),
                        strerror(errno));
    if (stat(path, &info) != 0)
        return complain(why, STATUS_OBJECT_NAME_NOT_FOUND, "there is no home %s", QUOTE(path));
    if (!S_ISDIR(info.st_mode))
        return complain(why, STATUS_NOT_A_DIRECTORY, "the home %s is not a directory", QUOTE(path));
    if (info.st_uid != geteuid())
        return complain(why, STATUS_ACCESS_DENIED,
                        "the home %s belongs to another user; each user has a home of their own, "
                        "give --home DIR or run this as that user",
                        QUOTE(path));
    if (info.st_mode & (S_IWGRP | S_IWOTH))
        return complain(why, STATUS_ACCESS_DENIED,
                        "others may write in the home %s, and 'ktm recover' would do what they "
                        "put there; mend it with: chmod go-w %s",
                        QUOTE(path), QUOTE(path));
    return STATUS_SUCCESS;
}

static NTSTATUS
cannot_make(const char *path, struct complaint *why)
{
    NTSTATUS status = errno == ENOSPC    ? STATUS_DISK_FULL
                      : errno == EDQUOT  ? STATUS_QUOTA_EXCEEDED
                      : errno == ENOTDIR ? STATUS_OBJECT_PATH_NOT_FOUND
                      : errno == EACCES || errno == EPERM || errno == EROFS
                          ? STATUS_ACCESS_DENIED
                          : STATUS_IO_DEVICE_ERROR;

    return complain(why, status, "cannot make the directory %s for the state: %s; give --home DIR",
                    QUOTE(path), strerror(errno));
}

static NTSTATUS
part_make(const char *path, struct complaint *why)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST && access(path, F_OK) != 0)
        return cannot_make(path, why);
    return STATUS_SUCCESS;
}

/* Makes the name of a directory durable: it is in the one above. */
static NTSTATUS
part_sync(const char *path, struct complaint *why)
{
    owned(free_text) char *above = home_file(path, "..");
    int fd, result;

    if (!above)
        return out_of_memory(why);
    fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_readable = fd >= 0;
    if (!is_readable)
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return STATUS_SUCCESS; /* not one that we made */
    do
        result = is_readable ? fsync(fd) : syncfs(fd);
    while (result != 0 && errno == EINTR);
    int error = result != 0 ? errno : 0;
    close(fd);
    errno = error;
    /* A file system that cannot do this had the directory before we came. */
    return error == EIO || error == ENOSPC || error == EDQUOT ? cannot_make(path, why)
                                                              : STATUS_SUCCESS;
}

/* For the path and all directories above it, from the top on. */
static NTSTATUS
each_part(const char *path, NTSTATUS (*visit)(const char *path, struct complaint *why),
          struct complaint *why)
{
    owned(free_text) char *part = strdup(path);

    if (!part)
        return out_of_memory(why);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(visit(part, why));
        *slash = '/';
    }
    return visit(path, why);
}

NTSTATUS
home_make(const char *path, struct complaint *why)
{
    owned(free_text) char *log = home_file(path, HOME_LOG ".blf");

    if (!log)
        return out_of_memory(why);
    TRY(each_part(path, part_make, why));
    /* A home that a power cut takes away takes every promise with it. One that holds a log was made
     * durable before the log was, whoever made it. */
    if (access(log, F_OK) != 0)
        TRY(each_part(path, part_sync, why));
    return home_check(path, why);
}
