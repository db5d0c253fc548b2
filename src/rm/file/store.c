/* SPDX-License-Identifier: MIT */
/* The home of a file resource manager. */
#include "rm/file/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/intent.h"
#include "rm/file/work.h"

#define NAME_IDENTITY  "identity"
#define NAME_LOCK      "lock"
#define NAME_UNDONE    "new." /* before the name of a file that is being written */
#define SUFFIX_PROMISE ".promise"
#define FILE_SIZE_MAX  (256u << 20)
#define STORE_NAME_MAX 96

#define STAGED_OPEN_FEW  32
#define STAGED_OPEN_MANY 4096

/* ---- whole files ---- */

NTSTATUS
store_file_read(struct store *store, const char *name, uint8_t **at, size_t *size)
{
    owned_fd int fd = TREE_NOWHERE;
    struct tree_info info;
    uint8_t *into;
    NTSTATUS status;

    TRY(tree_open(store->tree, store->fd, name, TREE_OPEN_READ, &fd));
    TRY(tree_info(store->tree, fd, "", &info));
    if (info.kind != TREE_FILE || info.size > FILE_SIZE_MAX)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    into = malloc(info.size + 1);
    if (!into)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = tree_read(store->tree, fd, into, info.size, 0, size);
    if (status != STATUS_SUCCESS) {
        free(into);
        return status;
    }
    *at = into;
    return STATUS_SUCCESS;
}

NTSTATUS
store_file_write(struct store *store, const char *name, const void *at, size_t size,
                 struct explanation *why)
{
    owned_fd int fd = TREE_NOWHERE;
    struct tree *tree = store->tree;
    char undone[STORE_NAME_MAX + sizeof(NAME_UNDONE)];
    NTSTATUS status;

    snprintf(undone, sizeof(undone), NAME_UNDONE "%s", name);
    status = tree_file_create(tree, store->fd, undone, 0600, &fd);
    if (status == STATUS_OBJECT_NAME_COLLISION) { /* it could not be removed when that failed */
        TRY(explain_status(why, tree_unlink(tree, store->fd, undone), "'%s/%s' cannot be removed",
                           store->path, undone));
        status = tree_file_create(tree, store->fd, undone, 0600, &fd);
    }
    if (status == STATUS_SUCCESS)
        status = tree_allocate(tree, fd, size);
    if (status == STATUS_SUCCESS)
        status = tree_write(tree, fd, at, size, 0);
    if (status == STATUS_SUCCESS)
        status = tree_sync(tree, fd);
    if (status == STATUS_SUCCESS)
        status = tree_rename(tree, store->fd, undone, store->fd, name, TREE_REPLACE);
    if (status != STATUS_SUCCESS) {
        if (fd >= 0) /* else: removed when the home is opened next */
            status_forgive(tree_unlink(tree, store->fd, undone));
        return explain_status(why, status, "'%s/%s' cannot be written", store->path, name);
    }
    return explain_status(why, tree_sync(tree, store->fd), "'%s' cannot be made durable",
                          store->path);
}

/* ---- names of files ---- */

static void
name_of_promise(const GUID *transaction, char name[STORE_NAME_MAX])
{
    char text[GUID_TEXT_SIZE];

    guid_print(transaction, text);
    snprintf(name, STORE_NAME_MAX, "%s" SUFFIX_PROMISE, text);
}

/* Whether the name is that of a promise, and of which transaction. */
static bool
name_is_promise(const char *name, GUID *transaction)
{
    char text[GUID_TEXT_SIZE];

    if (strlen(name) < GUID_TEXT_SIZE || strcmp(name + GUID_TEXT_SIZE - 1, SUFFIX_PROMISE) != 0)
        return false;
    memcpy(text, name, GUID_TEXT_SIZE - 1);
    text[GUID_TEXT_SIZE - 1] = '\0';
    return guid_parse(text, transaction) == STATUS_SUCCESS;
}

struct found {
    bool (*is_wanted)(void *context, const char *name); /* NULL: all */
    void *context;
    char (*names)[STORE_NAME_MAX];
    size_t count;
    bool is_out_of_memory;
};

static void
found_add(void *context, const char *name)
{
    struct found *found = context;
    void *more;

    if (strlen(name) >= STORE_NAME_MAX ||
        (found->is_wanted && !found->is_wanted(found->context, name)))
        return; /* none of ours */
    more = realloc(found->names, (found->count + 1) * sizeof(found->names[0]));
    if (!more) {
        found->is_out_of_memory = true;
        return;
    }
    found->names = more;
    strcpy(found->names[found->count++], name);
}

static void
found_deinit(struct found *found)
{
    free(found->names);
}
static inline void
owned_found_deinit(struct found *found)
{
    found_deinit(found);
}

static NTSTATUS
find_all(struct store *store, struct found *found)
{
    TRY(tree_list(store->tree, store->fd, found_add, found));
    return found->is_out_of_memory ? status_raise(STATUS_INSUFFICIENT_RESOURCES) : STATUS_SUCCESS;
}

/* ---- promises ---- */

NTSTATUS
store_intent(struct store *store, const GUID *transaction, struct bytes intent,
             struct explanation *why)
{
    char name[STORE_NAME_MAX];

    if (intent.size > FILE_SIZE_MAX)
        return explain(why, status_raise(STATUS_TRANSACTION_RECORD_TOO_LONG),
                       "the transaction changes too many names for one intent");
    name_of_promise(transaction, name);
    return store_file_write(store, name, intent.at, intent.size, why);
}

NTSTATUS
store_load(struct store *store, const GUID *transaction, struct explanation *why, struct plan **out)
{
    owned(plan_destroy) struct plan *plan = NULL;
    char name[STORE_NAME_MAX];
    uint8_t *at;
    size_t size;
    NTSTATUS status;

    name_of_promise(transaction, name);
    status = store_file_read(store, name, &at, &size);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return status_raise(STATUS_NOT_FOUND);
    if (status == STATUS_SUCCESS) {
        status = intent_decode(bytes_of(at, size), &plan);
        free(at);
    }
    if (status == STATUS_SUCCESS && !guid_equal(&plan->transaction, transaction))
        status = status_raise(STATUS_RM_METADATA_CORRUPT);
    if (status == STATUS_RM_METADATA_CORRUPT)
        return explain(why, status,
                       "'%s/%s' is damaged: the transaction can neither be finished nor undone by "
                       "guessing; restore the file, or put right by hand what the transaction was "
                       "about and remove the file",
                       store->path, name);
    TRY(explain_status(why, status, "'%s/%s' cannot be read", store->path, name));
    *out = give(plan);
    return STATUS_SUCCESS;
}

NTSTATUS
store_list(struct store *store, void (*each)(void *context, const GUID *transaction), void *context,
           struct explanation *why)
{
    __attribute__((cleanup(owned_found_deinit))) struct found found = {0};
    GUID transaction;

    TRY(explain_status(why, find_all(store, &found), "'%s' cannot be read", store->path));
    for (size_t i = 0; i < found.count; i++)
        if (name_is_promise(found.names[i], &transaction))
            each(context, &transaction);
    return STATUS_SUCCESS;
}

NTSTATUS
store_forget(struct store *store, const GUID *transaction, struct explanation *why)
{
    char name[STORE_NAME_MAX];
    NTSTATUS status;

    name_of_promise(transaction, name);
    status = tree_unlink(store->tree, store->fd, name);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND)
        TRY(explain_status(why, status, "'%s/%s' cannot be removed", store->path, name));
    return explain_status(why, tree_sync(store->tree, store->fd), "'%s' cannot be made durable",
                          store->path);
}

/* ---- what is done ---- */

void
store_done_add(struct store *store, const GUID *transaction)
{
    uint64_t at = atomic_fetch_add(&store->done_next, 1) % DONE_MAX;

    status_forgive(tree_write(store->tree, store->lock_fd, transaction, sizeof(*transaction),
                              at * sizeof(*transaction)));
}

NTSTATUS
store_done_sync(struct store *store, struct explanation *why)
{
    if (atomic_load(&store->done_next) == 0)
        return STATUS_SUCCESS; /* nothing was ever said */
    return explain_status(why, tree_sync(store->tree, store->lock_fd),
                          "'%s/" NAME_LOCK "' cannot be made durable", store->path);
}

static int
guids_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(GUID));
}

bool
store_is_done(const struct store *store, const GUID *transaction)
{
    return store->done_count > 0 && bsearch(transaction, store->done, store->done_count,
                                            sizeof(*store->done), guids_compare);
}

/* What cannot be read is not known: it is a hint. */
static void
done_load(struct store *store)
{
    size_t size;

    store->done = calloc(DONE_MAX, sizeof(*store->done));
    if (!store->done || tree_read(store->tree, store->lock_fd, store->done,
                                  DONE_MAX * sizeof(*store->done), 0, &size) != STATUS_SUCCESS)
        return;
    store->done_count = size / sizeof(*store->done);
    atomic_store(&store->done_next, (uint32_t)store->done_count);
    qsort(store->done, store->done_count, sizeof(*store->done), guids_compare);
}

/* ---- sweeping ---- */

NTSTATUS
store_sweep(struct store *store, int at, const char *path,
            bool (*goes)(void *context, const char *name), void *context, struct explanation *why)
{
    __attribute__((cleanup(owned_found_deinit))) struct found found = {.is_wanted = goes,
                                                                       .context = context};

    TRY(explain_status(why, tree_list(store->tree, at, found_add, &found), "'%s' cannot be read",
                       path));
    if (found.is_out_of_memory)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (size_t i = 0; i < found.count; i++)
        TRY(explain_status(why, copy_remove(store->tree, at, found.names[i]),
                           "'%s/%s' cannot be removed", path, found.names[i]));
    return STATUS_SUCCESS;
}

/* ---- mounts ---- */

bool
store_mount_is_known(struct store *store, const struct tree_info *info)
{
    bool is_known = false;

    sys_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->mount_count; i++)
        is_known |=
            store->mounts[i].device == info->device && store->mounts[i].mount == info->mount;
    sys_mutex_unlock(&store->mutex);
    return is_known;
}

NTSTATUS
store_mount_know(struct store *store, const struct tree_info *info)
{
    struct store_mount *more;

    sys_mutex_lock(&store->mutex);
    more = realloc(store->mounts, (store->mount_count + 1) * sizeof(*more));
    if (more) {
        store->mounts = more;
        more[store->mount_count++] =
            (struct store_mount){.device = info->device, .mount = info->mount};
    }
    sys_mutex_unlock(&store->mutex);
    return more ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- opening ---- */

/* The home itself may be a symbolic link. */
static NTSTATUS
home_open(struct tree *tree, const char *home, int *fd)
{
    NTSTATUS status;
    char *path;

    if (asprintf(&path, "%s/.", home) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = tree_open(tree, TREE_NOWHERE, path, TREE_OPEN_DIRECTORY, fd);
    free(path);
    return status;
}

static NTSTATUS
directory_open(struct tree *tree, int at, const char *name, int *fd)
{
    NTSTATUS status = tree_open(tree, at, name, TREE_OPEN_DIRECTORY, fd);

    if (status != STATUS_OBJECT_NAME_NOT_FOUND)
        return status;
    TRY(tree_directory_make(tree, at, name, 0700));
    TRY(tree_sync(tree, at));
    return tree_open(tree, at, name, TREE_OPEN_DIRECTORY, fd);
}

static NTSTATUS
lock_take(struct store *store, struct explanation *why)
{
    NTSTATUS status;

    status = tree_open(store->tree, store->fd, NAME_LOCK, TREE_OPEN_WRITE, &store->lock_fd);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        status = tree_file_create(store->tree, store->fd, NAME_LOCK, 0600, &store->lock_fd);
    TRY(explain_status(why, status, "'%s/" NAME_LOCK "' cannot be opened", store->path));
    status = tree_lock(store->tree, store->lock_fd);
    if (status == STATUS_SHARING_VIOLATION)
        return explain(why, status, "'%s' is in use by another process", store->path);
    return explain_status(why, status, "'%s/" NAME_LOCK "' cannot be locked", store->path);
}

/* What a crash left half written, and whether anything is in the home, or may be, that was promised
 * under its identity. */
static NTSTATUS
remains_remove(struct store *store, const struct found *found, bool *has_promises)
{
    GUID transaction;

    *has_promises = false;
    for (size_t i = 0; i < found->count; i++) {
        if (strncmp(found->names[i], NAME_UNDONE, strlen(NAME_UNDONE)) == 0)
            TRY(tree_unlink(store->tree, store->fd, found->names[i]));
        *has_promises |= name_is_promise(found->names[i], &transaction) ||
                         strcmp(found->names[i], NAME_YARDS) == 0;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
identity_take(struct store *store, const GUID *fresh, bool has_promises, struct explanation *why)
{
    uint8_t *at = NULL, bytes[IDENTITY_SIZE];
    size_t size;
    NTSTATUS status = store_file_read(store, NAME_IDENTITY, &at, &size);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND && !has_promises) {
        store->identity = *fresh;
        store->incarnation = 0;
    } else {
        if (status == STATUS_SUCCESS)
            status = identity_decode(bytes_of(at, size), &store->identity, &store->incarnation);
        free(at);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_RM_METADATA_CORRUPT)
            return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                           "'%s/" NAME_IDENTITY
                           "' is missing or damaged: restore it, since prepared "
                           "transactions are known under it",
                           store->path);
        TRY(explain_status(why, status, "'%s/" NAME_IDENTITY "' cannot be read", store->path));
    }
    store->incarnation++;
    identity_encode(&store->identity, store->incarnation, bytes);
    store->number = le64_get(&store->identity);
    return store_file_write(store, NAME_IDENTITY, bytes, sizeof(bytes), why);
}

static NTSTATUS
store_start(struct store *store, const char *home, const GUID *fresh, struct explanation *why)
{
    __attribute__((cleanup(owned_found_deinit))) struct found found = {0};
    owned_fd int home_fd = TREE_NOWHERE;
    bool has_promises;

    TRY(explain_status(why, home_open(store->tree, home, &home_fd),
                       "the home '%s' cannot be opened", home));
    TRY(explain_status(why, directory_open(store->tree, home_fd, "file", &store->fd),
                       "'%s' cannot be opened", store->path));
    TRY(lock_take(store, why));
    TRY(explain_status(why, find_all(store, &found), "'%s' cannot be read", store->path));
    TRY(explain_status(why, remains_remove(store, &found, &has_promises), "'%s' cannot be cleaned",
                       store->path));
    TRY(identity_take(store, fresh, has_promises, why));
    done_load(store);
    return yards_load(store, why);
}

/* The process needs some for itself, and we for directories. */
static size_t
staged_open_max(struct tree *tree)
{
    size_t limit = tree_descriptors(tree), some = 256;

    if (limit <= some + 2 * STAGED_OPEN_FEW)
        return STAGED_OPEN_FEW;
    return (limit - some) / 2 < STAGED_OPEN_MANY ? (limit - some) / 2 : STAGED_OPEN_MANY;
}

NTSTATUS
store_open(struct tree *tree, const char *home, const GUID *fresh, struct explanation *why,
           struct store **out)
{
    struct store *store = calloc(1, sizeof(*store));
    NTSTATUS status;

    if (!store)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    store->tree = tree;
    store->staged_open_max = staged_open_max(tree);
    store->fd = store->lock_fd = TREE_NOWHERE;
    path_locks_init(&store->locks);
    yards_init(&store->yards);
    sys_mutex_init(&store->mutex);
    if (asprintf(&store->path, "%s/file", home) < 0) {
        store->path = NULL;
        status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    } else {
        status = store_start(store, home, fresh, why);
    }
    if (status != STATUS_SUCCESS) {
        store_close(store);
        return status;
    }
    *out = store;
    return STATUS_SUCCESS;
}

void
store_close(struct store *store)
{
    if (!store)
        return;
    yards_settle(store);
    yards_deinit(&store->yards);
    path_locks_deinit(&store->locks);
    sys_mutex_deinit(&store->mutex);
    free(store->mounts);
    free(store->done);
    tree_close(store->lock_fd);
    tree_close(store->fd);
    free(store->path);
    free(store);
}
