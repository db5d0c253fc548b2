/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing, and the registry of the logs open in this process.
 *
 * A physical log exists once per process, found by the device and inode of its base file, however
 * it is named. Its life: OPENING (files and recovery, no lock held) → OPEN → CLOSING (the last
 * flush, or deletion) → gone. Whoever meets it OPENING or CLOSING waits.
 *
 * The lock of the base file belongs to the process and the kernel drops it when *any* descriptor of
 * that file is closed. So a second descriptor, opened because the log was asked for by another
 * name, is kept with the log until its end, and the name is remembered so that it happens once per
 * name.
 */
#include "clfs/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "clfs/create.h"

enum life { LIFE_OPENING, LIFE_OPEN, LIFE_CLOSING };

struct alias {
    struct list link;
    char *path; /* NULL: relative, so good for once */
    struct sys_file *file;
};

static struct sys_mutex registry_mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct list registry = {&registry, &registry};
static _Atomic uint32_t registry_changes; /* counts every change of a life */

/* Of the parent's logs the child has neither the locks nor the threads that write them. */
void
clfs_begin_anew(void)
{
    sys_mutex_init(&registry_mutex);
    list_init(&registry);
}

/* ---- making and freeing the object ---- */

static char *
directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static void
aliases_close(struct physical *log)
{
    while (!list_is_empty(&log->aliases)) {
        struct alias *alias = list_first(&log->aliases, struct alias, link);

        list_remove(&alias->link);
        sys_file_close(alias->file);
        free(alias->path);
        free(alias);
    }
}

static void
physical_destroy(struct physical *log)
{
    if (!log)
        return;
    CHECK(!log->open && list_is_empty(&log->sealed) && list_is_empty(&log->writing));
    for (unsigned i = 0; i < log->container_count; i++)
        container_destroy(log->containers[i]);
    aliases_close(log);
    sys_file_close(log->file); /* last: this drops the lock */
    sys_mutex_deinit(&log->mutex);
    sys_mutex_deinit(&log->metadata);
    free(log->copy);
    free(log->path);
    free(log->directory);
    free(log);
}
OWNED_BY(struct physical, physical_destroy)

static NTSTATUS
physical_create(struct sys *sys, const char *path, struct physical **out)
{
    struct physical *log = calloc(1, sizeof(*log));

    if (!log)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    log->sys = sys;
    log->refs = 1;
    log->life = LIFE_OPENING;
    log->process = sys_process_id();
    list_init(&log->link);
    list_init(&log->aliases);
    list_init(&log->sealed);
    list_init(&log->writing);
    list_init(&log->dirty);
    sys_mutex_init(&log->mutex);
    sys_mutex_init(&log->metadata);
    log->path = strdup(path);
    log->prefix_size = strrchr(path, '/') ? (size_t)(strrchr(path, '/') + 1 - path) : 0;
    log->directory = directory_of(path);
    if (!log->path || !log->directory) {
        physical_destroy(log);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    *out = log;
    return STATUS_SUCCESS;
}

/* ---- files ---- */

/* The base file of an existing log, for writing where that is allowed. */
static NTSTATUS
base_file_open(struct physical *log, const char *path, bool for_writing)
{
    NTSTATUS status = sys_file_open(log->sys, path, SYS_READ | SYS_WRITE, &log->file);

    log->file_is_writable = status == STATUS_SUCCESS;
    if (status == STATUS_ACCESS_DENIED && !for_writing)
        status = sys_file_open(log->sys, path, SYS_READ, &log->file);
    if (status == STATUS_OBJECT_TYPE_MISMATCH) /* a directory, a pipe … [CLFS-CREATE-32] */
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    return status;
}

/* ---- from the files to a log ---- */

static NTSTATUS
containers_open(struct physical *log, const struct base_image *image)
{
    for (unsigned i = 0; i < image->container_count; i++) {
        TRY(container_open(log, &image->containers[i], &log->containers[i]));
        log->container_count++;
    }
    return STATUS_SUCCESS;
}

static void
image_take(struct physical *log, const struct base_image *image)
{
    log->generation = image->generation;
    log->identity = image->identity;
    log->sector_size = image->sector_size;
    log->container_size = image->container_size;
    log->next_physical_id = image->next_physical_id;
    log->epoch = image->epoch;
    log->base = image->base;
    log->restart = image->restart;
}

static NTSTATUS
physical_load(struct physical *log, bool for_writing)
{
    owned(base_image_destroy) struct base_image *image = NULL;

    TRY(metadata_read(log, &image));
    image_take(log, image);
    TRY(containers_open(log, image));
    log->active_count = image->active_count;
    TRY(recover_find_end(log, image, for_writing));
    return for_writing ? recover_make_final(log) : STATUS_SUCCESS;
}

/* A log that was opened for reading becomes writable: the rest of its recovery. */
static NTSTATUS
physical_make_writable(struct physical *log)
{
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&log->metadata);
    if (!log->is_writable)
        status = recover_make_final(log);
    sys_mutex_unlock(&log->metadata);
    return status;
}

/* ---- the registry: all under its mutex ---- */

static void
life_set(struct physical *log, enum life life)
{
    log->life = life;
    atomic_fetch_add_explicit(&registry_changes, 1, memory_order_release);
}

static bool
is_named(const struct physical *log, const char *path)
{
    const struct alias *alias;

    if (path[0] != '/')
        return false;
    if (strcmp(log->path, path) == 0)
        return true;
    LIST_EACH (alias, &log->aliases, link)
        if (alias->path && strcmp(alias->path, path) == 0)
            return true;
    return false;
}

static struct physical *
registry_find_path(struct sys *sys, const char *path)
{
    struct physical *log;

    LIST_EACH (log, &registry, link)
        if (log->sys == sys && is_named(log, path))
            return log;
    return NULL;
}

/* Another object for the same file. */
static struct physical *
registry_find_twin(const struct physical *self)
{
    struct physical *log;

    LIST_EACH (log, &registry, link)
        if (log != self && log->sys == self->sys && log->info.inode &&
            log->info.inode == self->info.inode && log->info.device == self->info.device)
            return log;
    return NULL;
}

/* Sleeps until some life has changed; gives up the mutex meanwhile. */
static void
registry_wait(void)
{
    uint32_t seen = atomic_load_explicit(&registry_changes, memory_order_acquire);

    sys_mutex_unlock(&registry_mutex);
    sys_wait(&registry_changes, seen, SYS_FOREVER);
    sys_mutex_lock(&registry_mutex);
}

static void
registry_wake(void)
{
    sys_wake(&registry_changes, INT_MAX);
}

/* One more opener of a log that is open. */
static NTSTATUS
physical_share(struct physical *log, enum clfs_disposition disposition)
{
    if (log->process != sys_process_id()) /* inherited by fork: the parent's [CLFS-CONC-13] */
        return status_raise(STATUS_SHARING_VIOLATION);
    if (log->is_doomed)
        return status_raise(STATUS_DELETE_PENDING); /* [CLFS-DELETE-03, CLFS-CREATE-30] */
    if (disposition == CLFS_CREATE_NEW)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    log->refs++;
    return STATUS_SUCCESS;
}

/* The log turned out to be open under another name: the descriptor moves there. */
static void
alias_move(struct physical *from, struct physical *to, struct alias *alias)
{
    list_remove(&from->link); /* it has no name any more */
    alias->path = from->path[0] == '/' ? give(from->path) : NULL;
    alias->file = give(from->file);
    list_append(&to->aliases, &alias->link);
}

/* ---- opening ---- */

/* Tells the registry which file an OPENING object has, and waits for a twin to be open or gone.
 * *twin: the open one, shared; NULL: there is none. */
static NTSTATUS
twin_resolve(struct physical *log, enum clfs_disposition disposition, struct physical **twin)
{
    struct alias *alias = calloc(1, sizeof(*alias));
    struct physical *found;
    struct sys_info info;
    NTSTATUS status =
        alias ? sys_file_info(log->file, &info) : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    if (status != STATUS_SUCCESS) {
        free(alias);
        return status;
    }
    list_init(&alias->link);
    sys_mutex_lock(&registry_mutex);
    log->info = info;
    while ((found = registry_find_twin(log)) && found->life != LIFE_OPEN)
        registry_wait();
    if (found) {
        status = physical_share(found, disposition);
        alias_move(log, found, give(alias));
    }
    sys_mutex_unlock(&registry_mutex);
    free(alias);
    *twin = found;
    return status;
}

static void
registry_drop(struct physical *log)
{
    sys_mutex_lock(&registry_mutex);
    list_remove(&log->link);
    life_set(log, LIFE_CLOSING);
    sys_mutex_unlock(&registry_mutex);
}

/* An existing base file: shared if it is open already, else locked and recovered [CLFS-CONC-13].
 * Readers in other processes are refused too; only where the file cannot even be opened for writing
 * is it read without the lock, and what is read then is verified as always. */
static NTSTATUS
existing_open(struct physical *log, enum clfs_disposition disposition, bool writable,
              struct physical **shared)
{
    TRY(twin_resolve(log, disposition, shared));
    if (*shared)
        return STATUS_SUCCESS;
    if (disposition == CLFS_CREATE_NEW) /* [CLFS-CREATE-03, -32] */
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (log->file_is_writable)
        TRY(sys_file_lock(log->file));
    return physical_load(log, writable);
}

static NTSTATUS
new_open(struct physical *log, const char *path, enum clfs_disposition disposition, bool writable,
         uint32_t sector_size)
{
    struct physical *twin;
    NTSTATUS status;

    TRY(base_file_create(log->sys, path, log->directory, sector_size, &log->file));
    log->file_is_writable = true;
    status = twin_resolve(log, disposition, &twin);
    if (status == STATUS_SUCCESS) {
        CHECK(!twin); /* nobody else could open a file whose lock we hold */
        status = physical_load(log, writable);
    }
    if (status != STATUS_SUCCESS) { /* [CLFS-CREATE-37] */
        (void)!sys_unlink(log->sys, path);
        (void)!sys_directory_sync(log->sys, log->directory);
    }
    return status;
}

static bool
is_absent(NTSTATUS status)
{
    return status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND;
}

static NTSTATUS
path_open(struct physical *log, const char *path, enum clfs_disposition disposition, bool writable,
          uint32_t sector_size, struct physical **shared)
{
    NTSTATUS status = base_file_open(log, path, writable);

    if (status == STATUS_SUCCESS)
        return existing_open(log, disposition, writable, shared);
    if (disposition == CLFS_CREATE_NEW && !is_absent(status) &&
        status != STATUS_INSUFFICIENT_RESOURCES)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND || disposition == CLFS_OPEN_EXISTING)
        return status;
    status = new_open(log, path, disposition, writable, sector_size);
    /* Another process was faster. */
    if (status == STATUS_OBJECT_NAME_COLLISION && disposition == CLFS_OPEN_ALWAYS && !log->file) {
        status = path_open(log, path, CLFS_OPEN_EXISTING, writable, sector_size, shared);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND) /* no: a stranger's file is in the way */
            status = status_raise(STATUS_OBJECT_NAME_COLLISION);
    }
    return status;
}

/* Does the work for an object that is OPENING in the registry; *shared: another one to use
 * instead. */
static NTSTATUS
physical_open(struct physical *log, enum clfs_disposition disposition, bool writable,
              uint32_t sector_size, struct physical **shared)
{
    char *path;
    NTSTATUS status;

    if (asprintf(&path, "%s.blf", log->path) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = path_open(log, path, disposition, writable, sector_size, shared);
    free(path);
    return status;
}

static NTSTATUS
physical_acquire(struct sys *sys, const char *path, enum clfs_disposition disposition,
                 bool writable, uint32_t sector_size, struct physical **out)
{
    struct physical *log, *shared = NULL;
    NTSTATUS status;

    sys_mutex_lock(&registry_mutex);
    while ((log = registry_find_path(sys, path)) && log->life != LIFE_OPEN)
        registry_wait();
    status = log ? physical_share(log, disposition) : physical_create(sys, path, &log);
    if (status == STATUS_SUCCESS && log->life == LIFE_OPENING)
        list_append(&registry, &log->link);
    sys_mutex_unlock(&registry_mutex);
    TRY(status);
    *out = log;
    if (log->life == LIFE_OPEN)
        return STATUS_SUCCESS;

    status = physical_open(log, disposition, writable, sector_size, &shared);
    if (status == STATUS_SUCCESS && !shared) {
        sys_mutex_lock(&registry_mutex);
        life_set(log, LIFE_OPEN);
        sys_mutex_unlock(&registry_mutex);
    } else {
        registry_drop(log);
        physical_destroy(log);
        *out = shared;
    }
    registry_wake();
    return status;
}

/* ---- closing ---- */

/* Everything durable, and a copy that says so [CLFS-CLOSE-03]. */
static NTSTATUS
physical_finish(struct physical *log)
{
    struct base_change change = {.base = log->base, .restart = log->restart, .is_clean = true};
    owned(base_image_destroy) struct base_image *image = NULL;

    if (!log->is_writable)
        return STATUS_SUCCESS;
    TRY(force_until(log, 0));
    TRY(metadata_image(log, &change, 0, &image));
    return metadata_write(log, image);
}

/* Whether the path still leads to this log's base file, and not to a stranger's. */
static bool
is_still_there(struct physical *log, const char *path)
{
    struct sys_file *file;
    struct sys_info info;
    bool is_ours;

    if (sys_file_open(log->sys, path, SYS_READ, &file) != STATUS_SUCCESS)
        return false;
    is_ours = sys_file_info(file, &info) == STATUS_SUCCESS && info.inode == log->info.inode &&
              info.device == log->info.device;
    sys_file_close(file);
    return is_ours;
}

/* The base file first: a crash leaves at most containers without a log [CLFS-DELETE-12]. */
static NTSTATUS
physical_remove(struct physical *log)
{
    char *path;
    NTSTATUS status;

    if (asprintf(&path, "%s.blf", log->path) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = is_still_there(log, path) ? sys_unlink(log->sys, path)
                                       : status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    free(path);
    TRY(status);
    TRY(sys_directory_sync(log->sys, log->directory));
    for (unsigned i = 0; i < log->container_count; i++) {
        path = container_path(log, log->containers[i]->name);
        if (!path)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        NTSTATUS removed = sys_unlink(log->sys, path);
        free(path);
        if (removed != STATUS_SUCCESS)
            status = removed;
    }
    return status;
}

static NTSTATUS
physical_release(struct physical *log)
{
    NTSTATUS status;
    bool is_doomed;

    sys_mutex_lock(&registry_mutex);
    CHECK(log->refs > 0 && log->life == LIFE_OPEN);
    if (--log->refs > 0) {
        sys_mutex_unlock(&registry_mutex);
        return STATUS_SUCCESS;
    }
    is_doomed = log->is_doomed;
    life_set(log, LIFE_CLOSING);
    sys_mutex_unlock(&registry_mutex);

    status = is_doomed ? physical_remove(log) : physical_finish(log);
    registry_drop(log);
    physical_destroy(log);
    registry_wake();
    return status;
}

/* ---- the door ---- */

NTSTATUS
log_open(struct sys *sys, const char *path, enum clfs_disposition disposition, bool writable,
         uint32_t sector_size, struct clfs_log **out)
{
    struct clfs_log *log;
    NTSTATUS status;

    if (disposition != CLFS_CREATE_NEW && disposition != CLFS_OPEN_EXISTING &&
        disposition != CLFS_OPEN_ALWAYS)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-CREATE-09] */
    log = calloc(1, sizeof(*log));
    if (!log)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    log->refs = 1;
    log->is_writable = writable;
    status = physical_acquire(sys, path, disposition, writable, sector_size, &log->physical);
    if (status != STATUS_SUCCESS) {
        free(log);
        return status;
    }
    if (writable) {
        status = physical_make_writable(log->physical);
        if (status != STATUS_SUCCESS) {
            (void)!physical_release(log->physical);
            free(log);
            return status;
        }
    }
    *out = log;
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_log_open(struct sys *sys, const char *path, enum clfs_disposition disposition, bool writable,
              struct clfs_log **out)
{
    return log_open(sys, path, disposition, writable, CLFS_SECTOR_SIZE, out);
}

void
log_keep_descriptor(struct physical *log, struct sys_file *file)
{
    struct alias *alias = calloc(1, sizeof(*alias));

    if (!alias)
        return; /* then it stays open for ever: better than a log without its lock */
    list_init(&alias->link);
    alias->file = file;
    sys_mutex_lock(&registry_mutex);
    list_append(&log->aliases, &alias->link);
    sys_mutex_unlock(&registry_mutex);
}

void
log_hold(struct clfs_log *log)
{
    sys_mutex_lock(&registry_mutex);
    log->refs++;
    sys_mutex_unlock(&registry_mutex);
}

NTSTATUS
log_release(struct clfs_log *log)
{
    struct physical *physical = log->physical;
    bool is_last;

    sys_mutex_lock(&registry_mutex);
    CHECK(log->refs > 0);
    is_last = --log->refs == 0;
    sys_mutex_unlock(&registry_mutex);
    if (!is_last)
        return STATUS_SUCCESS; /* areas are left [CLFS-CONC-09] */
    free(log);
    return physical_release(physical);
}

NTSTATUS
clfs_log_close(struct clfs_log *log)
{
    return log ? log_release(log) : STATUS_SUCCESS;
}

NTSTATUS
clfs_log_delete(struct clfs_log *log)
{
    sys_mutex_lock(&registry_mutex);
    log->physical->is_doomed = true;
    sys_mutex_unlock(&registry_mutex);
    return STATUS_SUCCESS; /* [CLFS-DELETE-10] */
}

const void *
clfs_log_physical(const struct clfs_log *log)
{
    return log->physical;
}
