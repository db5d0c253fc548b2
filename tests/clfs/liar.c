/* SPDX-License-Identifier: MIT */
/* See liar.h. */
#include "tests/clfs/liar.h"

#include <stdlib.h>

struct liar_file {
    struct sys_file file;
    struct sys_file *under;
    bool is_chosen;
};

static struct liar *
liar_of(struct sys *sys)
{
    return container_of(sys, struct liar, sys);
}

static struct liar_file *
self_of(struct sys_file *file)
{
    return container_of(file, struct liar_file, file);
}

static bool
lies_now(struct sys *sys, enum lie lie, bool is_chosen)
{
    struct liar *liar = liar_of(sys);

    if (liar->lie != lie || !is_chosen)
        return false;
    liar->calls++;
    return liar->calls == liar->n || (liar->is_lasting && liar->calls > liar->n);
}

static NTSTATUS
file_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **out)
{
    const char *name = liar_of(sys)->name;
    struct sys_file *under;
    struct liar_file *self;

    TRY(sys_file_open(liar_of(sys)->under, path, flags, &under));
    self = calloc(1, sizeof(*self));
    CHECK(self);
    self->file.sys = sys;
    self->under = under;
    self->is_chosen = !name || (strlen(path) >= strlen(name) &&
                                strcmp(path + strlen(path) - strlen(name), name) == 0);
    *out = &self->file;
    return STATUS_SUCCESS;
}

static void
file_close(struct sys_file *file)
{
    sys_file_close(self_of(file)->under);
    free(self_of(file));
}

static NTSTATUS
file_read(struct sys_file *file, void *into, size_t size, uint64_t offset, size_t *got)
{
    return sys_file_read(self_of(file)->under, into, size, offset, got);
}

static NTSTATUS
file_write(struct sys_file *file, const struct bytes *parts, size_t count, uint64_t offset)
{
    if (lies_now(file->sys, LIE_WRITE, self_of(file)->is_chosen))
        return STATUS_SUCCESS;
    return sys_file_write(self_of(file)->under, parts, count, offset);
}

static NTSTATUS
file_sync(struct sys_file *file)
{
    if (lies_now(file->sys, LIE_SYNC, self_of(file)->is_chosen))
        return STATUS_SUCCESS;
    return sys_file_sync(self_of(file)->under);
}

static NTSTATUS
file_allocate(struct sys_file *file, uint64_t size)
{
    return sys_file_allocate(self_of(file)->under, size);
}

static NTSTATUS
file_info(struct sys_file *file, struct sys_info *out)
{
    return sys_file_info(self_of(file)->under, out);
}

static NTSTATUS
file_lock(struct sys_file *file)
{
    return sys_file_lock(self_of(file)->under);
}

static NTSTATUS
name_change(struct sys *sys, const char *from, const char *to, bool replace)
{
    return sys_rename(liar_of(sys)->under, from, to, replace);
}

static NTSTATUS
name_remove(struct sys *sys, const char *path)
{
    return sys_unlink(liar_of(sys)->under, path);
}

static NTSTATUS
directory_sync(struct sys *sys, const char *path)
{
    if (lies_now(sys, LIE_DIRECTORY_SYNC, true))
        return STATUS_SUCCESS;
    return sys_directory_sync(liar_of(sys)->under, path);
}

static void
random_fill(struct sys *sys, void *into, size_t size)
{
    sys_random(liar_of(sys)->under, into, size);
}

static uint64_t
time_monotonic(struct sys *sys)
{
    return sys_time_monotonic(liar_of(sys)->under);
}

static int64_t
time_wall(struct sys *sys)
{
    return sys_time_wall(liar_of(sys)->under);
}

void
liar_init(struct liar *liar, struct sys *under)
{
    static const struct sys_table table = {
        .file_open = file_open,
        .file_close = file_close,
        .file_read = file_read,
        .file_write = file_write,
        .file_sync = file_sync,
        .file_allocate = file_allocate,
        .file_info = file_info,
        .file_lock = file_lock,
        .rename = name_change,
        .unlink = name_remove,
        .directory_sync = directory_sync,
        .time_monotonic = time_monotonic,
        .time_wall = time_wall,
        .random = random_fill,
    };

    liar->sys.table = &table;
    liar->under = under;
    liar->calls = 0;
}
