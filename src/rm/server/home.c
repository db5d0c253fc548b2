/* SPDX-License-Identifier: MIT */
/*
 * Who a resource manager is to its server: a file of a few lines in the home.
 *
 *     ktm-postgres 1
 *     manager 6f9619ff-8b86-d011-b42d-00c04fc964ff
 *     tm 00000000-0000-0000-0000-000000000000
 *     incarnation 7
 *     place database 16384 of cluster 7300000000000000000
 *     connection host=db.example dbname=shop
 *     at rest
 *
 * It is replaced whole and durably at every start, with the next incarnation. It names the TM it
 * belongs to, and the place of the data if the server has a name for that: with another of either,
 * what is prepared would be looked for in vain and taken for done. How the server was reached is
 * kept for whoever has to finish what was left and knows nothing else. The last line is written
 * when it is shut and nothing was left. The last three may be missing.
 */
#include "rm/server/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORM      "ktm-%s 1\nmanager %s\ntm %s\nincarnation %" PRIu64 "\n"
#define SCAN      "manager %36s\ntm %36s\nincarnation %" SCNu64 "%1[\n]%n"
#define TEXT_SIZE 8192
#define NEW       ".new"

/* ---- those that are open in this process ---- */

static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list open_homes = {&open_homes, &open_homes};

static bool
register_open(struct home *home)
{
    struct home *other;
    bool is_free = true;

    pthread_mutex_lock(&open_mutex);
    LIST_EACH (other, &open_homes, in_open)
        is_free =
            is_free && (other->process != home->process || strcmp(other->path, home->path) != 0);
    if (is_free)
        list_append(&open_homes, &home->in_open);
    pthread_mutex_unlock(&open_mutex);
    return is_free;
}

void
home_close(struct home *home)
{
    pthread_mutex_lock(&open_mutex);
    list_remove(&home->in_open);
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

/* False: it does not fit. */
static bool
print(const struct home *home, char text[TEXT_SIZE])
{
    char manager[GUID_TEXT_SIZE], tm[GUID_TEXT_SIZE];
    int used;

    guid_print(&home->manager, manager);
    guid_print(&home->tm, tm);
    used = snprintf(text, TEXT_SIZE, FORM, home->kind, manager, tm, home->incarnation);
    if (home->place[0])
        used += snprintf(text + used, TEXT_SIZE - (size_t)used, "place %s\n", home->place);
    if (home->connection)
        used +=
            snprintf(text + used, TEXT_SIZE - (size_t)used, "connection %s\n", home->connection);
    if (used >= TEXT_SIZE - 16)
        return false;
    snprintf(text + used, TEXT_SIZE - (size_t)used, "%s", home->is_at_rest ? "at rest\n" : "");
    return true;
}

NTSTATUS
file_replace(const char *directory, const char *path, const char *text, struct explanation *why)
{
    char fresh[4200];

    if (snprintf(fresh, sizeof(fresh), "%s" NEW, path) >= (int)sizeof(fresh))
        return explain(why, status_raise(STATUS_NAME_TOO_LONG), "'%s' is too long", path);
    if (!write_new(fresh, text) || rename(fresh, path) != 0 || !sync_directory(directory))
        return failed(why, "written", path);
    return STATUS_SUCCESS;
}

static NTSTATUS
home_write(const struct home *home, struct explanation *why)
{
    char text[TEXT_SIZE];

    if (!print(home, text))
        return explain(why, status_raise(STATUS_NAME_TOO_LONG),
                       "the connection string for '%s' is too long", home->path);
    return file_replace(home->directory, home->path, text, why);
}

/* The lines that may be missing. */
static bool
parse_rest(struct home *home, const char *text)
{
    char connection[TEXT_SIZE], end[2];
    int used = 0;

    home->place[0] = '\0';
    if (sscanf(text, "place %95[^\n]%1[\n]%n", home->place, end, &used) == 2)
        text += used;
    if (sscanf(text, "connection %8191[^\n]%1[\n]%n", connection, end, &used) == 2) {
        text += used;
        free(home->connection);
        home->connection = strdup(connection);
    }
    home->is_at_rest = strcmp(text, "at rest\n") == 0;
    return home->is_at_rest || !text[0];
}

/* What follows the first line. */
static NTSTATUS
parse_lines(struct home *home, const char *text)
{
    char manager[GUID_TEXT_SIZE], tm[GUID_TEXT_SIZE], end[2];
    int used = 0;

    if (sscanf(text, SCAN, manager, tm, &home->incarnation, end, &used) != 4 ||
        home->incarnation == 0 || home->incarnation == UINT64_MAX)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    if (guid_parse(manager, &home->manager) != STATUS_SUCCESS ||
        guid_parse(tm, &home->tm) != STATUS_SUCCESS)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return parse_rest(home, text + used) ? STATUS_SUCCESS
                                         : status_raise(STATUS_RM_METADATA_CORRUPT);
}

static NTSTATUS
parse(struct home *home, const char *text)
{
    char first[64];
    size_t size = (size_t)snprintf(first, sizeof(first), "ktm-%s 1\n", home->kind);

    if (strncmp(text, first, size) != 0)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return parse_lines(home, text + size);
}

/* Answers: OBJECT_NAME_NOT_FOUND, with no explanation: it is the first start. */
static NTSTATUS
home_read(struct home *home, struct explanation *why)
{
    int fd = open(home->path, O_RDONLY | O_CLOEXEC);
    char text[TEXT_SIZE];
    ssize_t size;

    if (fd < 0 && errno == ENOENT)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (fd < 0)
        return failed(why, "read", home->path);
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size < 0)
        return failed(why, "read", home->path);
    text[size] = '\0';
    return parse(home, text) == STATUS_SUCCESS
               ? STATUS_SUCCESS
               : explain(why, status_raise(STATUS_RM_METADATA_CORRUPT), "'%s' is damaged",
                         home->path);
}

/* ---- opening ---- */

static NTSTATUS
home_invent(struct home *home, const GUID *tm, const char *place)
{
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    guid_from_random(random, &home->manager);
    home->tm = *tm;
    snprintf(home->place, sizeof(home->place), "%s", place);
    return STATUS_SUCCESS;
}

static NTSTATUS
home_load(struct home *home, const GUID *tm, const char *place, struct explanation *why)
{
    NTSTATUS status = home_read(home, why);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return home_invent(home, tm, place);
    TRY(status);
    if (!guid_equal(&home->tm, tm))
        return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' belongs to another transaction manager", home->path);
    if (strcmp(home->place, place) != 0)
        return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' belongs to %s, the connection leads to %s", home->path, home->place,
                       place);
    return STATUS_SUCCESS;
}

void
home_init(struct home *home)
{
    list_init(&home->in_open);
    home->process = getpid();
}

void
home_free(struct home *home)
{
    free(home->connection);
    free(home->directory);
    free(home->path);
}

bool
home_is_name(const char *name)
{
    size_t size = name ? strlen(name) : 1;

    return !name || (size > 0 && size <= 64 &&
                     strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-") == size);
}

void
home_name_of(const char *place, char name[HOME_NAME_SIZE])
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: a name, not a proof */

    for (const char *at = place; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 1099511628211u;
    snprintf(name, HOME_NAME_SIZE, "at-%016" PRIx64, hash);
}

NTSTATUS
home_open(struct home *home, const char *directory, const char *kind, const char *name,
          const GUID *tm, const char *place, struct explanation *why)
{
    home->kind = kind;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return failed(why, "made", directory);
    home->directory = realpath(directory, NULL);
    if (!home->directory)
        return failed(why, "looked at", directory);
    if (asprintf(&home->path, "%s/%s.%s", home->directory, kind, name) < 0) {
        home->path = NULL;
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    if (!register_open(home))
        return explain(why, status_raise(STATUS_SHARING_VIOLATION), "'%s' is open already",
                       home->path);
    return home_load(home, tm, place, why);
}

/* ---- trouble ---- */

/* False: the path is too long. */
static bool
trouble_path(const char *path, char into[4200])
{
    return snprintf(into, 4200, "%s.trouble", path) < 4200;
}

/* A reader may find half of it, and so may whoever comes after a power cut. */
static void
trouble_write(const char *path, int64_t since, const char *text)
{
    char name[4200];
    FILE *file = trouble_path(path, name) ? fopen(name, "we") : NULL;

    if (!file)
        return;
    fprintf(file, "%" PRId64 "\n%s\n", since, text);
    fclose(file);
}

static void
trouble_remove(const char *path)
{
    char name[4200];

    if (trouble_path(path, name))
        unlink(name);
}

static void
trouble_read(const char *path, int64_t *since, char text[EXPLANATION_SIZE])
{
    char name[4200];
    FILE *file = trouble_path(path, name) ? fopen(name, "re") : NULL;

    text[0] = '\0';
    if (!file)
        return;
    if (fscanf(file, "%" SCNd64 "%*1[\n]", since) != 1 || !fgets(text, EXPLANATION_SIZE, file))
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

void
home_trouble(struct home *home, const char *text)
{
    int64_t since = 0, now = time(NULL);

    if (atomic_compare_exchange_strong(&home->trouble_since, &since, now))
        since = now;
    trouble_write(home->path, since, text);
}

void
home_well(struct home *home)
{
    if (atomic_exchange(&home->trouble_since, 0))
        trouble_remove(home->path);
}

void
home_trouble_at(const char *directory, const char *kind, const char *name, const char *text)
{
    char before[EXPLANATION_SIZE], *path;
    int64_t since = time(NULL);

    if (asprintf(&path, "%s/%s.%s", directory, kind, name) < 0)
        return;
    trouble_read(path, &since, before); /* it goes on */
    if (access(path, F_OK) == 0)
        trouble_write(path, since, text);
    free(path);
}

/* ---- at each start and end ---- */

NTSTATUS
home_advance(struct home *home, const char *connection, struct explanation *why)
{
    free(home->connection);
    home->connection = connection ? strdup(connection) : NULL;
    if (connection && !home->connection)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    home->is_at_rest = false;
    home->incarnation++;
    trouble_remove(home->path);
    return home_write(home, why);
}

void
home_rest(struct home *home)
{
    home->is_at_rest = true;
    status_forgive(home_write(home, NULL)); /* as is said in the header */
}

/* ---- all of them ---- */

static NTSTATUS
known_one(const char *directory, const char *kind, const char *file, ktm_resource_each *each,
          void *context)
{
    struct home home = {.kind = kind};
    struct explanation why = {0};
    char trouble[EXPLANATION_SIZE];
    int64_t since = 0;
    NTSTATUS status;

    if (asprintf(&home.path, "%s/%s", directory, file) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = home_read(&home, &why);
    trouble_read(home.path, &since, trouble);
    if (status == STATUS_SUCCESS)
        each(context, &(struct ktm_resource){.place = home.connection,
                                             .name = file + strlen(kind) + 1,
                                             .manager = home.manager,
                                             .is_at_rest = home.is_at_rest,
                                             .trouble = trouble[0] ? trouble : NULL,
                                             .trouble_since = since});
    home_free(&home);
    return status;
}

/* "postgres.orders"; what is being written has one more dot. */
static bool
is_of(const char *kind, const char *file)
{
    size_t size = strlen(kind);

    return strncmp(file, kind, size) == 0 && file[size] == '.' && file[size + 1] &&
           !strchr(file + size + 1, '.');
}

NTSTATUS
home_known(const char *directory, const char *kind, ktm_resource_each *each, void *context)
{
    NTSTATUS status = STATUS_SUCCESS;
    struct dirent *entry;
    DIR *list;

    if (!directory || !each)
        return status_raise(STATUS_INVALID_PARAMETER);
    list = opendir(directory);
    if (!list && errno == ENOENT)
        return STATUS_SUCCESS;
    if (!list)
        return status_of_errno(errno);
    while ((entry = readdir(list))) {
        NTSTATUS told;

        if (!is_of(kind, entry->d_name))
            continue;
        told = known_one(directory, kind, entry->d_name, each, context);
        if (told != STATUS_SUCCESS)
            status = told;
    }
    closedir(list);
    return status;
}
