/* SPDX-License-Identifier: MIT */
/* Homes: found, opened once in a process, shut. */
#include "rm/app/home.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktm_rm.h"

/* ---- which directory ---- */

static NTSTATUS
joined(const char *directory, const char *rest, char **out)
{
    return asprintf(out, "%s%s", directory, rest) < 0 ? status_raise(STATUS_INSUFFICIENT_RESOURCES)
                                                      : STATUS_SUCCESS;
}

static NTSTATUS
in_directory_of_user(char **out)
{
    const char *directory = getenv("HOME");
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (!directory || directory[0] != '/') {
        if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || !found ||
            entry.pw_dir[0] != '/')
            return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
        directory = entry.pw_dir;
    }
    return joined(directory, "/.local/state/ktm", out);
}

NTSTATUS
ktm_home_default(char **out)
{
    const char *ours = getenv("KTM_HOME"), *state = getenv("XDG_STATE_HOME");

    if (ours && ours[0])
        return joined(ours, "", out);
    if (geteuid() == 0)
        return joined("/var/lib/ktm", "", out);
    if (state && state[0] == '/') /* the XDG specification: a relative path is to be ignored */
        return joined(state, "/ktm", out);
    return in_directory_of_user(out);
}

/* ---- open homes ---- */

static struct sys_mutex open_mutex = {PTHREAD_MUTEX_INITIALIZER}; /* also while one is opened */
static struct list open_homes = {&open_homes, &open_homes};

static struct ktm_home *
find(const char *path)
{
    struct ktm_home *home;

    LIST_EACH (home, &open_homes, in_open)
        if (strcmp(home->path, path) == 0)
            return home;
    return NULL;
}

static NTSTATUS
home_open(const char *path, struct ktm_home **out)
{
    struct ktm_home *home = calloc(1, sizeof(*home));
    NTSTATUS status;

    if (!home)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    home->path = strdup(path);
    status = home->path ? ktm_tm_open(path, &home->manager)
                        : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        free(home->path);
        free(home);
        return status;
    }
    parts_init(&home->parts);
    list_append(&open_homes, &home->in_open);
    *out = home;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_open(const char *directory, struct ktm_home **out)
{
    char *path = NULL;
    NTSTATUS status = STATUS_SUCCESS;
    struct ktm_home *home;

    if (!out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(directory ? joined(directory, "", &path) : ktm_home_default(&path));
    if (path[0] != '/') {
        free(path);
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    }
    sys_mutex_lock(&open_mutex);
    home = find(path);
    if (!home)
        status = home_open(path, &home);
    if (status == STATUS_SUCCESS) {
        home->users++;
        *out = home;
    }
    sys_mutex_unlock(&open_mutex);
    free(path);
    return status;
}

void
ktm_shut(struct ktm_home *home)
{
    if (!home)
        return;
    sys_mutex_lock(&open_mutex);
    CHECK(home->users > 0);
    if (--home->users == 0) {
        list_remove(&home->in_open);
        parts_deinit(&home->parts);
        NtClose(home->manager);
        free(home->path);
        free(home);
    }
    sys_mutex_unlock(&open_mutex);
}

HANDLE
ktm_manager(struct ktm_home *home)
{
    return home->manager;
}

const char *
ktm_home_path(const struct ktm_home *home)
{
    return home->path;
}
