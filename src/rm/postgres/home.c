/* SPDX-License-Identifier: MIT */
/*
 * Who we are to a database: a file of a few lines in the home.
 *
 *     ktm-postgres 1
 *     manager 01234567-…
 *     tm 01234567-…
 *     incarnation 7
 *     system 7300000000000000000
 *     database 16384
 *
 * It is replaced whole and durably at every start, with the next incarnation. It names the TM and
 * the database it belongs to: with another of either, what is prepared would be looked for in vain
 * and taken for done.
 */
#include "rm/postgres/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORM                                                                                       \
    "ktm-postgres 1\nmanager %s\ntm %s\nincarnation %" PRIu64 "\nsystem %" PRIu64                  \
    "\ndatabase %" PRIu32 "\n"
#define SCAN                                                                                       \
    "ktm-postgres 1\nmanager %36s\ntm %36s\nincarnation %" SCNu64 "\nsystem %" SCNu64              \
    "\ndatabase %" SCNu32 "%1[\n]"

/* ---- those that are open in this process ---- */

static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list open_homes = {&open_homes, &open_homes};

static bool
register_open(struct ktm_postgres_rm *rm)
{
    struct ktm_postgres_rm *other;
    bool is_free = true;

    pthread_mutex_lock(&open_mutex);
    LIST_EACH (other, &open_homes, in_open)
        is_free = is_free &&
                  (other->process != rm->process || strcmp(other->home_path, rm->home_path) != 0);
    if (is_free)
        list_append(&open_homes, &rm->in_open);
    pthread_mutex_unlock(&open_mutex);
    return is_free;
}

void
home_close(struct ktm_postgres_rm *rm)
{
    pthread_mutex_lock(&open_mutex);
    list_remove(&rm->in_open);
    pthread_mutex_unlock(&open_mutex);
}

/* ---- the file ---- */

static NTSTATUS
status_of_errno(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return status_raise(STATUS_ACCESS_DENIED);
    case ENOSPC:
    case EDQUOT:
        return status_raise(STATUS_DISK_FULL);
    case ENOENT:
    case ENOTDIR:
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    default:
        return status_raise(STATUS_IO_DEVICE_ERROR);
    }
}

static NTSTATUS
failed(struct explanation *why, const char *what, const char *path)
{
    int error = errno;

    return explain(why, status_of_errno(error), "'%s' cannot be %s: %s", path, what,
                   strerror(error));
}

/* All of it, forced; false: errno says why. */
static bool
write_new(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = strlen(text);
    bool is_good;

    if (fd < 0)
        return false;
    is_good = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && is_good;
}

static bool
sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_good;
}

static NTSTATUS
identity_write(const struct identity *identity, const char *home, const char *path,
               struct explanation *why)
{
    char text[512], fresh[4200], manager[GUID_TEXT_SIZE], tm[GUID_TEXT_SIZE];

    guid_print(&identity->manager, manager);
    guid_print(&identity->tm, tm);
    snprintf(text, sizeof(text), FORM, manager, tm, identity->incarnation, identity->place.system,
             identity->place.database);
    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return explain(why, status_raise(STATUS_NAME_TOO_LONG), "'%s' is too long", path);
    if (!write_new(fresh, text) || rename(fresh, path) != 0 || !sync_directory(home))
        return failed(why, "written", path);
    return STATUS_SUCCESS;
}

static NTSTATUS
identity_parse(const char *text, struct identity *out)
{
    char manager[GUID_TEXT_SIZE], tm[GUID_TEXT_SIZE], end[2];

    if (sscanf(text, SCAN, manager, tm, &out->incarnation, &out->place.system, &out->place.database,
               end) != 6 ||
        out->incarnation == UINT64_MAX || out->place.system == 0)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    if (guid_parse(manager, &out->manager) != STATUS_SUCCESS ||
        guid_parse(tm, &out->tm) != STATUS_SUCCESS)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return STATUS_SUCCESS;
}

/* Answers: OBJECT_NAME_NOT_FOUND, with no explanation: it is the first start. */
static NTSTATUS
identity_read(const char *path, struct identity *out, struct explanation *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[512];
    ssize_t size;

    if (fd < 0 && errno == ENOENT)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (fd < 0)
        return failed(why, "read", path);
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size < 0)
        return failed(why, "read", path);
    text[size] = '\0';
    *out = (struct identity){0};
    return identity_parse(text, out) == STATUS_SUCCESS
               ? STATUS_SUCCESS
               : explain(why, status_raise(STATUS_RM_METADATA_CORRUPT), "'%s' is damaged", path);
}

static NTSTATUS
identity_make(const GUID *tm, const struct place *place, struct identity *out)
{
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *out = (struct identity){.tm = *tm, .place = *place};
    guid_from_random(random, &out->manager);
    return STATUS_SUCCESS;
}

/* ---- opening ---- */

static NTSTATUS
identity_load(struct ktm_postgres_rm *rm, const GUID *tm, const struct place *place,
              struct explanation *why)
{
    struct identity *identity = &rm->identity;
    NTSTATUS status = identity_read(rm->home_path, identity, why);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return identity_make(tm, place, identity);
    TRY(status);
    if (!guid_equal(&identity->tm, tm))
        return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' belongs to another transaction manager", rm->home_path);
    if (identity->place.system != place->system || identity->place.database != place->database)
        return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' belongs to database %" PRIu32 " of cluster %" PRIu64
                       ", the connection leads to database %" PRIu32 " of cluster %" PRIu64,
                       rm->home_path, identity->place.database, identity->place.system,
                       place->database, place->system);
    return STATUS_SUCCESS;
}

NTSTATUS
home_open(struct ktm_postgres_rm *rm, const char *home, const GUID *tm, const struct place *place,
          struct explanation *why)
{
    char *real, own_name[64];
    const char *name = rm->options.name;
    int size;

    snprintf(own_name, sizeof(own_name), "%" PRIu64 "-%" PRIu32, place->system, place->database);

    if (mkdir(home, 0700) != 0 && errno != EEXIST)
        return failed(why, "made", home);
    real = realpath(home, NULL);
    if (!real)
        return failed(why, "looked at", home);
    size = asprintf(&rm->home_path, "%s/postgres.%s", real, name ? name : own_name);
    free(real);
    if (size < 0) {
        rm->home_path = NULL;
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    if (!register_open(rm))
        return explain(why, status_raise(STATUS_SHARING_VIOLATION), "'%s' is open already",
                       rm->home_path);
    TRY(identity_load(rm, tm, place, why));
    rm->identity.incarnation++;
    return identity_write(&rm->identity, home, rm->home_path, why);
}
