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

static struct ktm *
find(const char *home)
{
    struct ktm *ktm;

    LIST_EACH (ktm, &open_homes, in_open)
        if (strcmp(ktm->home, home) == 0)
            return ktm;
    return NULL;
}

static NTSTATUS
home_open(const char *home, struct ktm **out)
{
    struct ktm *ktm = calloc(1, sizeof(*ktm));
    NTSTATUS status;

    if (!ktm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    ktm->home = strdup(home);
    status =
        ktm->home ? ktm_tm_open(home, &ktm->manager) : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        free(ktm->home);
        free(ktm);
        return status;
    }
    parts_init(&ktm->parts);
    list_append(&open_homes, &ktm->in_open);
    *out = ktm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_open(const char *home, struct ktm **out)
{
    char *path = NULL;
    NTSTATUS status = STATUS_SUCCESS;
    struct ktm *ktm;

    if (!out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(home ? joined(home, "", &path) : ktm_home_default(&path));
    if (path[0] != '/') {
        free(path);
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    }
    sys_mutex_lock(&open_mutex);
    ktm = find(path);
    if (!ktm)
        status = home_open(path, &ktm);
    if (status == STATUS_SUCCESS) {
        ktm->users++;
        *out = ktm;
    }
    sys_mutex_unlock(&open_mutex);
    free(path);
    return status;
}

void
ktm_shut(struct ktm *ktm)
{
    if (!ktm)
        return;
    sys_mutex_lock(&open_mutex);
    CHECK(ktm->users > 0);
    if (--ktm->users == 0) {
        list_remove(&ktm->in_open);
        parts_deinit(&ktm->parts);
        NtClose(ktm->manager);
        free(ktm->home);
        free(ktm);
    }
    sys_mutex_unlock(&open_mutex);
}

HANDLE
ktm_manager(struct ktm *ktm)
{
    return ktm->manager;
}

const char *
ktm_home(const struct ktm *ktm)
{
    return ktm->home;
}

NTSTATUS
ktm_part(struct ktm *ktm, const char *name, const struct ktm_part_kind *kind, void *argument,
         void **part)
{
    if (!ktm || !name || !kind || !kind->make || !part)
        return status_raise(STATUS_INVALID_PARAMETER);
    return parts_get(&ktm->parts, name, kind, ktm, argument, part);
}
