/* SPDX-License-Identifier: MIT */
/* What a home remembers about a database. */
#include "rm/sqlite/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guid.h"
#include "sys/sys.h"

#define DIRECTORY   "sqlite"
#define TEXT_SIZE   8192
#define COLLISIONS  16
#define FORMAT_HEAD "ktm sqlite 1\n"

/* ---- the file ---- */

static size_t
record_print(const struct store *store, char text[TEXT_SIZE])
{
    char identity[GUID_TEXT_SIZE];

    guid_print(&store->identity, identity);
    return (size_t)snprintf(text, TEXT_SIZE,
                            FORMAT_HEAD "identity %s\nincarnation %" PRIu64 "\nfile %" PRIu64
                                        " %" PRId64 "\ndatabase %s\nend\n",
                            identity, store->incarnation, store->inode, store->born,
                            store->database);
}

/* A file that is not exactly as it was printed is damaged. */
static bool
record_parse(struct store *store, const char *text, char **database)
{
    char identity[GUID_TEXT_SIZE], again[TEXT_SIZE];
    struct store read = *store;
    const char *at, *end;
    bool is_whole;

    if (sscanf(text,
               FORMAT_HEAD "identity %36s\nincarnation %" SCNu64 "\nfile %" SCNu64 " %" SCNd64,
               identity, &read.incarnation, &read.inode, &read.born) != 4 ||
        guid_parse(identity, &read.identity) != STATUS_SUCCESS)
        return false;
    at = strstr(text, "\ndatabase ");
    end = at ? strstr(at, "\nend\n") : NULL;
    if (!end)
        return false;
    at += strlen("\ndatabase ");
    read.database = strndup(at, (size_t)(end - at));
    if (!read.database)
        return false;
    record_print(&read, again);
    is_whole = strcmp(text, again) == 0;
    *database = read.database;
    read.database = store->database;
    if (is_whole)
        *store = read;
    else
        free(*database);
    return is_whole;
}

static NTSTATUS
record_write(struct store *store)
{
    owned_fd int fd = TREE_NOWHERE;
    char text[TEXT_SIZE], undone[80];
    size_t size = record_print(store, text);
    NTSTATUS status;

    if (size >= sizeof(text))
        return status_raise(STATUS_NAME_TOO_LONG);
    snprintf(undone, sizeof(undone), "new.%s", store->name);
    status = tree_unlink(store->tree, store->fd, undone);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND)
        TRY(status);
    TRY(tree_file_create(store->tree, store->fd, undone, 0600, &fd));
    TRY(tree_write(store->tree, fd, text, size, 0));
    TRY(tree_sync(store->tree, fd));
    TRY(tree_rename(store->tree, store->fd, undone, store->fd, store->name, TREE_REPLACE));
    return tree_sync(store->tree, store->fd);
}

enum found { FOUND_NOTHING, FOUND_OURS, FOUND_OTHER };

/* Answers: RM_METADATA_CORRUPT. */
static NTSTATUS
record_read(struct store *store, enum found *found)
{
    owned_fd int fd = TREE_NOWHERE;
    char text[TEXT_SIZE], *database;
    NTSTATUS status;
    size_t got;

    status = tree_open(store->tree, store->fd, store->name, TREE_OPEN_READ, &fd);
    *found = FOUND_NOTHING;
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return STATUS_SUCCESS;
    TRY(status);
    TRY(tree_read(store->tree, fd, text, sizeof(text) - 1, 0, &got));
    text[got] = '\0';
    if (!record_parse(store, text, &database))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    *found = strcmp(database, store->database) == 0 ? FOUND_OURS : FOUND_OTHER;
    free(database);
    return STATUS_SUCCESS;
}

/* ---- opening ---- */

static uint64_t
hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: a name, not a proof; the file says the path */

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash;
}

/* The first name that is free or ours. */
static NTSTATUS
record_find(struct store *store, const char *kind, enum found *found, struct words *why)
{
    for (unsigned i = 0; i < COLLISIONS; i++) {
        snprintf(store->name, sizeof(store->name), "%s.%016" PRIx64 ".%u", kind,
                 hash_of(store->database), i);
        TRY(say_status(why, record_read(store, found), "'%s' in the home", store->name));
        if (*found != FOUND_OTHER)
            return STATUS_SUCCESS;
    }
    return say(why, status_raise(STATUS_RM_METADATA_CORRUPT), "the home has no name for '%s'",
               store->database);
}

static NTSTATUS
directory_open(struct store *store, const char *home)
{
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    TRY(tree_open(store->tree, TREE_NOWHERE, home, TREE_OPEN_DIRECTORY, &fd));
    status = tree_directory_make(store->tree, fd, DIRECTORY, 0700);
    if (status == STATUS_SUCCESS)
        status = tree_sync(store->tree, fd);
    if (status != STATUS_OBJECT_NAME_COLLISION)
        TRY(status);
    return tree_open(store->tree, fd, DIRECTORY, TREE_OPEN_DIRECTORY, &store->fd);
}

static NTSTATUS
lock_take(struct store *store, struct words *why)
{
    char name[80];
    NTSTATUS status;

    snprintf(name, sizeof(name), "lock.%s", store->name);
    status = tree_file_create(store->tree, store->fd, name, 0600, &store->lock);
    if (status == STATUS_OBJECT_NAME_COLLISION)
        status = tree_open(store->tree, store->fd, name, TREE_OPEN_WRITE, &store->lock);
    if (status == STATUS_SUCCESS)
        status = tree_lock(store->tree, store->lock);
    if (status == STATUS_SHARING_VIOLATION)
        return say(why, status,
                   "'%s' is open in this home already, with other options or by another process",
                   store->database);
    return say_status(why, status, "'%s' in the home", name);
}

static NTSTATUS
record_take(struct store *store, const char *kind, struct words *why)
{
    enum found found;
    uint8_t random[16];

    TRY(record_find(store, kind, &found, why));
    TRY(lock_take(store, why));
    TRY(record_read(store, &found)); /* now that nobody writes it */
    if (found == FOUND_OTHER)
        return say(why, status_raise(STATUS_SHARING_VIOLATION), "'%s' in the home was just made",
                   store->name);
    store->is_new = found == FOUND_NOTHING;
    if (store->is_new) {
        sys_random(sys_linux(), random, sizeof(random));
        guid_from_random(random, &store->identity);
    }
    store->incarnation++;
    return say_status(why, record_write(store), "'%s' in the home cannot be written", store->name);
}

NTSTATUS
store_open(struct store *store, const char *home, const char *database, const char *kind,
           struct words *why)
{
    NTSTATUS status;

    *store = (struct store){.tree = tree_linux(), .fd = TREE_NOWHERE, .lock = TREE_NOWHERE};
    store->database = strdup(database);
    if (!store->database)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = say_status(why, directory_open(store, home), "the home '%s' cannot be used", home);
    if (status == STATUS_SUCCESS)
        status = record_take(store, kind, why);
    if (status != STATUS_SUCCESS)
        store_close(store);
    return status;
}

void
store_close(struct store *store)
{
    tree_close(store->lock);
    tree_close(store->fd);
    free(store->database);
    store->lock = store->fd = TREE_NOWHERE;
    store->database = NULL;
}

NTSTATUS
store_identify(struct store *store, const struct tree_info *database, struct words *why)
{
    if (store_is_same(store, database))
        return STATUS_SUCCESS;
    store->inode = database->inode;
    store->born = database->born;
    return say_status(why, record_write(store), "'%s' in the home cannot be written", store->name);
}

/* ---- all of them ---- */

struct listing {
    struct store store;
    store_each *each;
    void *context;
    NTSTATUS status;
};

static NTSTATUS
list_record(struct listing *self, const char *name)
{
    owned_fd int fd = TREE_NOWHERE;
    char text[TEXT_SIZE], *database;
    size_t got;

    TRY(tree_open(self->store.tree, self->store.fd, name, TREE_OPEN_READ, &fd));
    TRY(tree_read(self->store.tree, fd, text, sizeof(text) - 1, 0, &got));
    text[got] = '\0';
    if (!record_parse(&self->store, text, &database))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    self->each(self->context, database, name, &self->store);
    free(database);
    return STATUS_SUCCESS;
}

static void
list_name(void *context, const char *name)
{
    struct listing *self = context;
    NTSTATUS status;

    if (strncmp(name, "lock.", 5) == 0 || strncmp(name, "new.", 4) == 0)
        return;
    status = list_record(self, name);
    if (status != STATUS_SUCCESS)
        self->status = status;
}

NTSTATUS
store_list(const char *home, store_each *each, void *context)
{
    struct listing self = {.store = {.tree = tree_linux()}, .each = each, .context = context};
    owned_fd int top = TREE_NOWHERE, fd = TREE_NOWHERE;
    NTSTATUS status;

    TRY(tree_open(self.store.tree, TREE_NOWHERE, home, TREE_OPEN_DIRECTORY, &top));
    status = tree_open(self.store.tree, top, DIRECTORY, TREE_OPEN_DIRECTORY, &fd);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return STATUS_SUCCESS;
    TRY(status);
    self.store.fd = fd;
    TRY(tree_list(self.store.tree, fd, list_name, &self));
    return self.status;
}
