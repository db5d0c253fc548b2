/* SPDX-License-Identifier: MIT */
/*
 * Containers: files of one size, written with zeros when they are added, recycled, never grown
 * (design D7).
 *
 * A container is made under '<its path>.new', with its header, and forced before it gets its name;
 * then the directory is forced, then the metadata names it. So a crash leaves at most a file that
 * says it belongs to this log and that the log does not know: such a file is removed when its name
 * is wanted again. Any other file at the path is somebody else's and stays [CLFS-CONT-10].
 */
#include "clfs/log.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_TRIES 65536u

char *
container_path(const struct physical *log, const char *name)
{
    char *path;

    if (name[0] == '/')
        return strdup(name);
    return asprintf(&path, "%.*s%s", (int)log->prefix_size, log->path, name) < 0 ? NULL : path;
}

void
container_destroy(struct container *container)
{
    if (!container)
        return;
    sys_file_close(container->file);
    free(container);
}

/* ---- opening ---- */

static NTSTATUS
header_read(const struct physical *log, struct sys_file *file, struct container_header *out)
{
    uint8_t sector[4096];
    size_t got;

    CHECK(log->sector_size <= sizeof(sector));
    if (sys_file_read(file, sector, log->sector_size, 0, &got) != STATUS_SUCCESS)
        return status_raise(STATUS_LOG_CONTAINER_READ_FAILED);
    if (got != log->sector_size)
        return status_raise(STATUS_LOG_METADATA_CORRUPT);
    return container_header_decode(bytes_of(sector, got), out);
}

static NTSTATUS
container_verify(struct physical *log, const struct container *container,
                 const struct sys_info *info)
{
    struct container_header header;
    NTSTATUS status;

    if (info->size != log->container_size)
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT); /* [CLFS-CREATE-35] */
    if (info->owner != log->info.owner || (info->mode & ~log->info.mode & 0777))
        return status_raise(STATUS_LOG_INCONSISTENT_SECURITY); /* [CLFS-SEC-08] */
    status = header_read(log, container->file, &header);
    if (status == STATUS_LOG_CONTAINER_READ_FAILED)
        return status_raise(STATUS_LOG_CONTAINER_OPEN_FAILED);
    if (status != STATUS_SUCCESS || !guid_equal(&header.identity, &log->identity) ||
        header.physical_id != container->physical_id || header.sector_size != log->sector_size ||
        header.size != log->container_size)
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT); /* [CLFS-HARD-26, -27] */
    return STATUS_SUCCESS;
}

static bool
is_among(const struct sys_info *info, struct container *const *containers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (info->inode == containers[i]->inode && info->device == containers[i]->device)
            return true;
    return false;
}

/* [CLFS-HARD-28] */
static bool
is_file_of_log(const struct physical *log, const struct sys_info *info)
{
    return (info->inode == log->info.inode && info->device == log->info.device) ||
           is_among(info, log->containers, log->container_count);
}

NTSTATUS
container_open(struct physical *log, const struct base_container *entry, struct container **out)
{
    owned(container_destroy) struct container *container = calloc(1, sizeof(*container));
    char *path = container_path(log, entry->name);
    struct sys_info info;
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

    if (container && path)
        status = sys_file_open(log->sys, path, SYS_READ | (log->file_is_writable ? SYS_WRITE : 0),
                               &container->file);
    free(path);
    if (status == STATUS_INSUFFICIENT_RESOURCES)
        return status_raise(status);
    if (status != STATUS_SUCCESS || sys_file_info(container->file, &info) != STATUS_SUCCESS)
        return status_raise(STATUS_LOG_CONTAINER_OPEN_FAILED); /* [CLFS-CREATE-35] */
    list_init(&container->dirty);
    container->device = info.device;
    container->inode = info.inode;
    container->physical_id = entry->physical_id;
    container->logical_id = entry->logical_id;
    container->end = entry->end;
    container->name_size = entry->name_size;
    memcpy(container->name, entry->name, entry->name_size);
    if (is_file_of_log(log, &info))
        return status_raise(STATUS_LOG_METADATA_INCONSISTENT);
    TRY(container_verify(log, container, &info));
    *out = give(container);
    return STATUS_SUCCESS;
}

/* ---- making ---- */

struct addition {
    struct container **containers; /* made so far, in the order of the set */
    unsigned made;
    uint64_t size; /* of each */
};

/* Whether an open file is this log's own and unknown to it: what a crash left between giving the
 * name and writing the metadata. */
static bool
is_orphan(const struct physical *log, const struct addition *addition, struct sys_file *file,
          const struct sys_info *info)
{
    struct container_header header;

    return !is_file_of_log(log, info) && !is_among(info, addition->containers, addition->made) &&
           header_read(log, file, &header) == STATUS_SUCCESS &&
           guid_equal(&header.identity, &log->identity);
}

/* Makes sure that nothing is at 'path'; an orphan there is removed. Answers:
 * OBJECT_NAME_COLLISION. */
static NTSTATUS
path_clear(struct physical *log, const struct addition *addition, const char *path)
{
    struct sys_file *file = NULL;
    struct sys_info info;
    NTSTATUS status = sys_file_open(log->sys, path, SYS_READ, &file);
    bool must_remove;

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return STATUS_SUCCESS;
    if (status == STATUS_OBJECT_PATH_NOT_FOUND || status == STATUS_INSUFFICIENT_RESOURCES)
        return status;
    if (status != STATUS_SUCCESS) /* a directory, a link, a file we may not look at … */
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    status = sys_file_info(file, &info);
    must_remove = status == STATUS_SUCCESS && is_orphan(log, addition, file, &info);
    if (status == STATUS_SUCCESS && info.inode == log->info.inode &&
        info.device == log->info.device)
        log_keep_descriptor(log, file);
    else
        sys_file_close(file);
    TRY(status);
    return must_remove ? sys_unlink(log->sys, path) : status_raise(STATUS_OBJECT_NAME_COLLISION);
}

/* Opens '<path>.new' as a new file. One that a crash left there is recognised by beginning with
 * nothing, zeros or our signature. */
static NTSTATUS
draft_open(struct physical *log, const char *draft, struct sys_file **out)
{
    unsigned flags = SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE;
    NTSTATUS status = sys_file_open(log->sys, draft, flags, out);
    struct sys_file *old = NULL;
    uint8_t head[8] = {0};
    size_t got = 0;

    if (status != STATUS_OBJECT_NAME_COLLISION)
        return status;
    TRY(sys_file_open(log->sys, draft, SYS_READ, &old));
    status = sys_file_read(old, head, sizeof(head), 0, &got);
    sys_file_close(old);
    if (status != STATUS_SUCCESS || !container_is_draft(bytes_of(head, sizeof(head))))
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    TRY(sys_unlink(log->sys, draft));
    return sys_file_open(log->sys, draft, flags, out);
}

static NTSTATUS
draft_fill(struct physical *log, struct container *container, uint64_t size)
{
    struct container_header header = {.identity = log->identity,
                                      .physical_id = container->physical_id,
                                      .sector_size = log->sector_size,
                                      .size = size};
    uint8_t sector[4096];
    struct bytes part = bytes_of(sector, log->sector_size);
    struct sys_info info;

    TRY(sys_file_allocate(container->file, size)); /* [CLFS-CONT-07, -08] */
    container_header_encode(&header, sector);
    TRY(sys_file_write(container->file, &part, 1, 0));
    TRY(sys_file_sync(container->file));
    TRY(sys_file_info(container->file, &info));
    container->device = info.device;
    container->inode = info.inode;
    return STATUS_SUCCESS;
}

/* Makes the file; it has its name and its content is durable, the name is not. */
static NTSTATUS
container_make(struct physical *log, const struct addition *addition, struct container *container,
               const char *path)
{
    char *draft;
    NTSTATUS status;

    TRY(path_clear(log, addition, path));
    if (asprintf(&draft, "%s.new", path) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = draft_open(log, draft, &container->file);
    if (status == STATUS_SUCCESS) {
        status = draft_fill(log, container, addition->size);
        if (status == STATUS_SUCCESS)
            status = sys_rename(log->sys, draft, path, false);
        if (status != STATUS_SUCCESS)
            (void)!sys_unlink(log->sys, draft);
    }
    free(draft);
    return status;
}

/* ---- adding a set ---- */

/* 'path' as the log stores it: what lies in the base file's directory is relative to it. */
static NTSTATUS
name_set(const struct physical *log, struct container *container, const char *path)
{
    if (path[0] == '/' && strncmp(path, log->path, log->prefix_size) == 0)
        path += log->prefix_size;
    container->name_size = strlen(path);
    if (container->name_size == 0 || container->name_size > CONTAINER_NAME_MAX)
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    if (!container_name_is_valid(bytes_of(path, container->name_size)))
        return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD); /* [CLFS-NAME-18, -19] */
    memcpy(container->name, path, container->name_size + 1);
    return STATUS_SUCCESS;
}

/* Answers: OBJECT_NAME_COLLISION. */
static NTSTATUS
named_make(struct physical *log, const struct addition *addition, struct container *container,
           const char *path)
{
    char *full;
    NTSTATUS status;

    TRY(name_set(log, container, path));
    full = container_path(log, container->name);
    if (!full)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = container_make(log, addition, container, full);
    free(full);
    return status;
}

/* Names for those who give none: '<log>.c<number>', at least four digits, beginning with the
 * container's physical id, and the next free one if that is taken by somebody else's file. */
static NTSTATUS
default_make(struct physical *log, const struct addition *addition, struct container *container)
{
    for (uint32_t i = 0; i < NAME_TRIES; i++) {
        NTSTATUS status;
        char *name;

        if (asprintf(&name, "%s.c%04u", log->path + log->prefix_size, container->physical_id + i) <
            0)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        status = named_make(log, addition, container, name);
        free(name);
        if (status != STATUS_OBJECT_NAME_COLLISION)
            return status;
        sys_file_close(give(container->file));
    }
    return status_raise(STATUS_OBJECT_NAME_COLLISION);
}

/* Cuts a path with a slash down to its directory. */
static void
path_to_directory(char *path)
{
    char *slash = strrchr(path, '/');

    *(slash == path ? slash + 1 : slash) = 0;
}

/* Forces the directories of the names given, each once if they follow one another. */
static NTSTATUS
names_sync(struct physical *log, const struct addition *addition)
{
    char *before = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    for (unsigned i = 0; i < addition->made && status == STATUS_SUCCESS; i++) {
        char *path = container_path(log, addition->containers[i]->name);

        if (!path) {
            status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
            break;
        }
        path_to_directory(path);
        if (!before || strcmp(before, path) != 0)
            status = sys_directory_sync(log->sys, path);
        free(before);
        before = path;
    }
    free(before);
    return status;
}

/* [CLFS-CONT-13] */
static void
addition_undo(struct physical *log, struct addition *addition, bool must_unlink)
{
    for (unsigned i = 0; i < addition->made; i++) {
        struct container *container = addition->containers[i];
        char *path = must_unlink ? container_path(log, container->name) : NULL;

        if (path)
            (void)!sys_unlink(log->sys, path);
        free(path);
        container_destroy(container);
    }
    free(addition->containers);
}

static NTSTATUS
addition_make(struct physical *log, struct addition *addition, unsigned count,
              const char *const *paths)
{
    addition->containers = calloc(count, sizeof(addition->containers[0]));
    if (!addition->containers)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (unsigned i = 0; i < count; i++) {
        owned(container_destroy) struct container *container = calloc(1, sizeof(*container));

        if (!container)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        list_init(&container->dirty);
        container->logical_id = CONTAINER_UNUSED;
        container->physical_id = log->next_physical_id + i;
        TRY(paths ? named_make(log, addition, container, paths[i])
                  : default_make(log, addition, container));
        addition->containers[addition->made++] = give(container);
    }
    return names_sync(log, addition);
}

/* The first containers give the log its first address [CLFS-LSN-09]. */
static void
image_begin(struct base_image *image)
{
    struct base_container *first = &image->containers[0];

    first->logical_id = 0;
    first->state = CONTAINER_ACTIVE;
    image->active_count = 1;
    image->mark = image->last = image->base = clfs_lsn_make(0, image->sector_size, 0);
}

/* Writes the metadata with the new containers at the end of the free ones; both copies, for one
 * that does not know them would be a log without its records. */
static NTSTATUS
addition_record(struct physical *log, const struct addition *addition)
{
    struct base_change change = {.base = log->base, .restart = log->restart};
    owned(base_image_destroy) struct base_image *image = NULL;
    unsigned before = log->container_count;

    TRY(metadata_image(log, &change, addition->made, &image));
    for (unsigned i = 0; i < addition->made; i++) {
        const struct container *from = addition->containers[i];
        struct base_container *to = &image->containers[before + i];

        to->physical_id = from->physical_id;
        to->logical_id = CONTAINER_UNUSED;
        to->state = CONTAINER_INACTIVE;
        to->name_size = from->name_size;
        memcpy(to->name, from->name, from->name_size);
    }
    image->next_physical_id += addition->made;
    image->container_size = addition->size;
    if (before == 0)
        image_begin(image);
    return metadata_write_both(log, image);
}

static void
addition_apply(struct physical *log, struct addition *addition)
{
    sys_mutex_lock(&log->mutex);
    for (unsigned i = 0; i < addition->made; i++)
        log->containers[log->container_count + i] = addition->containers[i];
    if (log->container_count == 0) {
        uint64_t first = clfs_lsn_make(0, log->sector_size, 0);

        log->container_size = addition->size;
        log->containers[0]->logical_id = 0;
        log->active_count = 1;
        log->base = log->last = log->next = first;
        log->durable = log->written = log->written_last = first;
        atomic_store_explicit(&log->flushed, first, memory_order_release);
    }
    log->container_count += addition->made;
    log->next_physical_id += addition->made;
    sys_mutex_unlock(&log->mutex);
    free(addition->containers);
}

/* [CLFS-CONT-01..06] */
static NTSTATUS
size_choose(const struct physical *log, uint64_t wanted, uint64_t *size)
{
    if (wanted == 0 && log->container_size == 0)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (wanted == 0) {
        *size = log->container_size;
        return STATUS_SUCCESS;
    }
    if (wanted > CONTAINER_SIZE_MAX)
        return status_raise(STATUS_INVALID_PARAMETER);
    *size = round_up(wanted, CLFS_CONTAINER_SIZE_STEP);
    if (log->container_size) {
        if (*size < log->container_size)
            return status_raise(STATUS_INVALID_PARAMETER);
        *size = log->container_size;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
paths_check(unsigned count, const char *const *paths)
{
    for (unsigned i = 0; paths && i < count; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(paths[i], paths[k]) == 0)
                return status_raise(STATUS_DUPLICATE_NAME); /* [CLFS-CONT-11] */
    return STATUS_SUCCESS;
}

static NTSTATUS
add_locked(struct physical *log, unsigned count, uint64_t wanted, const char *const *paths,
           uint64_t *size)
{
    struct addition addition = {0};
    NTSTATUS status;

    TRY(size_choose(log, wanted, &addition.size));
    if (count > CLFS_CONTAINERS_MAX - log->container_count) /* [CLFS-CONT-15] */
        return status_raise(STATUS_LOG_CONTAINER_LIMIT_EXCEEDED);
    if (log->failure || log->next_physical_id > UINT32_MAX - count)
        return status_raise(STATUS_LOG_STATE_INVALID);
    TRY(paths_check(count, paths));
    status = addition_make(log, &addition, count, paths);
    if (status != STATUS_SUCCESS) {
        addition_undo(log, &addition, true);
        return status;
    }
    status = addition_record(log, &addition);
    if (status != STATUS_SUCCESS) {
        /* A failed force may have reached the disk all the same, and a base file that names missing
         * containers could not be opened [CLFS-HARD-41]. */
        addition_undo(log, &addition, status != STATUS_LOG_METADATA_FLUSH_FAILED);
        return status;
    }
    addition_apply(log, &addition);
    *size = addition.size;
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_log_add_containers(struct clfs_log *log, unsigned count, uint64_t *size,
                        const char *const *paths)
{
    uint64_t used = 0;
    NTSTATUS status;

    if (count == 0)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-CONT-14] */
    if (!log->is_writable)
        return status_raise(STATUS_ACCESS_DENIED); /* [CLFS-CONT-17] */
    sys_mutex_lock(&log->physical->metadata);
    status = add_locked(log->physical, count, size ? *size : 0, paths, &used);
    sys_mutex_unlock(&log->physical->metadata);
    if (status == STATUS_SUCCESS && size)
        *size = used;
    return status;
}
