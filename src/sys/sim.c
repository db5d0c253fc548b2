/* SPDX-License-Identifier: MIT */
/*
 * The simulated operating system as programs call it: each call counted, cut and traced, then done
 * by the disk (sim_content.c, sim_names.c).
 */
#include "sys/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sim_machine.h"

#define SIM_DEVICE 1

static struct sim_file *
file_of(struct sys_file *file)
{
    return container_of(file, struct sim_file, file);
}

/* ---- operations ---- */

static const char *
status_word(NTSTATUS status)
{
    const char *name = status_name(status);

    return name ? name + strlen("STATUS_") : "?";
}

/* An operation that changes something, from when it is counted to when it is traced. */
struct operation {
    struct sys_sim *sim;
    uint64_t number;
    bool happens; /* it, or some of it */
    bool is_torn; /* not all of it, and nobody is told that it did */
};

/* The caller holds the mutex. 'is_dead': the file belongs to a process that is no more. */
static struct operation
operation_begin(struct sys_sim *sim, bool is_dead)
{
    struct operation operation = {.sim = sim};

    if (!sim->has_power || is_dead)
        return operation;
    operation.number = ++sim->counts.operations;
    operation.happens = true;
    if (sim->cut_in > 0 && --sim->cut_in == 0) {
        sim->has_power = false;
        operation.happens = sim->cut_how != SIM_CUT_BEFORE;
        operation.is_torn = sim->cut_how == SIM_CUT_WITHIN;
    }
    return operation;
}

/* A change of names is atomic: torn, it happens or not. */
static bool
happens_at_all(const struct operation *operation)
{
    return operation->happens && (!operation->is_torn || sim_coin(&operation->sim->disk.chance));
}

/* What the caller is told, whose operation had this status in as far as it happened. */
static NTSTATUS
operation_end(const struct operation *operation, NTSTATUS status)
{
    if (!operation->happens || operation->is_torn)
        return status_raise(STATUS_IO_DEVICE_ERROR);
    return status;
}

static void __attribute__((format(printf, 3, 4)))
operation_trace(const struct operation *operation, NTSTATUS status, const char *format, ...)
{
    FILE *to = operation->sim->trace;
    va_list arguments;

    if (!to || operation->number == 0)
        return;
    fprintf(to, "%llu ", (unsigned long long)operation->number);
    va_start(arguments, format);
    vfprintf(to, format, arguments);
    va_end(arguments);
    fprintf(to, ": %s", status_word(status));
    if (!operation->sim->has_power)
        fprintf(to, ", power cut %s",
                !operation->happens  ? "before"
                : operation->is_torn ? "within"
                                     : "after");
    fputc('\n', to);
}

/* ---- files ---- */

/* What an open would do with what is there. */
static NTSTATUS
open_check(const struct sim_place *place, unsigned flags)
{
    if (flags & SYS_CREATE && place->has_slash)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH); /* whatever is there: EISDIR */
    if (!place->node)
        return flags & SYS_CREATE ? STATUS_SUCCESS : status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (flags & SYS_EXCLUSIVE)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (place->node->is_directory)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (place->has_slash)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    return STATUS_SUCCESS;
}

static NTSTATUS
open_create(struct sys_sim *sim, const char *path, struct sim_place *place)
{
    struct operation operation = operation_begin(sim, false);
    NTSTATUS status;

    sim->counts.creates++;
    if (happens_at_all(&operation)) {
        place->node = sim_names_make(&sim->disk, place, false);
        place->node->created = place->node->written = place->node->accessed = sim->time_wall;
    }
    status = operation_end(&operation, STATUS_SUCCESS);
    operation_trace(&operation, status, "create %s", path);
    return status;
}

static NTSTATUS
open_node(struct sys_sim *sim, const char *path, unsigned flags, struct sim_node **out)
{
    struct sim_place place;

    if (!sim->has_power)
        return status_raise(STATUS_IO_DEVICE_ERROR);
    TRY(sim_names_find(&sim->disk, SIM_SEEN, path, &place));
    TRY(open_check(&place, flags));
    if (!place.node)
        TRY(open_create(sim, path, &place));
    *out = place.node;
    return STATUS_SUCCESS;
}

static NTSTATUS
sim_file_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **out)
{
    struct sim_process *process = sim_process_of(sys);
    struct sys_sim *sim = process->sim;
    struct sim_file *made = malloc(sizeof(*made));
    struct sim_node *node;
    NTSTATUS status;

    CHECK(flags & (SYS_READ | SYS_WRITE));
    CHECK(!(flags & SYS_CREATE) || flags & SYS_WRITE);
    if (!made)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    sys_mutex_lock(&sim->mutex);
    status = open_node(sim, path, flags, &node);
    if (status == STATUS_SUCCESS) {
        *made = (struct sim_file){.file = {.sys = sys},
                                  .process = process,
                                  .node = node,
                                  .flags = flags,
                                  .errors_seen = node->sync_errors,
                                  .path = sim_text(path)};
        list_append(&process->files, &made->in_process);
        node->openings++;
        sim->handles++;
        *out = &made->file;
    } else {
        free(made);
    }
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static void
sim_file_close(struct sys_file *file)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;

    sys_mutex_lock(&sim->mutex);
    sim_file_detach(self);
    sim_disk_sweep(&sim->disk);
    CHECK(sim->handles > 0);
    sim->handles--;
    sys_mutex_unlock(&sim->mutex);
    free(self->path);
    free(self);
}

/* Whether the file can be used at all. */
static NTSTATUS
file_check(const struct sim_file *self)
{
    if (!self->process->sim->has_power || !self->node)
        return status_raise(STATUS_IO_DEVICE_ERROR);
    return STATUS_SUCCESS;
}

/* As on Linux, the numbers are looked at first, and to do nothing needs no permission. */
static NTSTATUS
transfer_check(const struct sim_file *self, unsigned access, uint64_t offset, uint64_t size)
{
    if (size > INT64_MAX || offset > INT64_MAX - size)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (size > 0 && !(self->flags & access))
        return status_raise(STATUS_ACCESS_DENIED);
    return STATUS_SUCCESS;
}

static NTSTATUS
file_read(struct sim_file *self, void *into, size_t size, uint64_t offset, size_t *got)
{
    struct sys_sim *sim = self->process->sim;

    TRY(transfer_check(self, SYS_READ, offset, size));
    sim->counts.reads++;
    self->node->counts.reads++;
    self->node->accessed = sim->time_wall;
    return sim_content_read(self->node, into, size, offset, got);
}

static NTSTATUS
sim_file_read(struct sys_file *file, void *into, size_t size, uint64_t offset, size_t *got)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = file_check(self);
    if (status == STATUS_SUCCESS) {
        status = file_read(self, into, size, offset, got);
        sim_trace(sim, "read %s %llu+%zu: %s", self->path, (unsigned long long)offset, size,
                  status_word(status));
    }
    sys_mutex_unlock(&sim->mutex);
    return status;
}

/* The parts as one piece, to be freed. */
static struct bytes
bytes_joined(const struct bytes *parts, size_t count)
{
    size_t size = 0, done = 0;
    uint8_t *at;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    at = sim_allocate(size);
    for (size_t i = 0; i < count; done += parts[i].size, i++)
        if (parts[i].size > 0)
            memcpy(at + done, parts[i].at, parts[i].size);
    return bytes_of(at, size);
}

static NTSTATUS
file_write(struct sim_file *self, struct bytes data, uint64_t offset, bool is_torn)
{
    struct sys_sim *sim = self->process->sim;

    TRY(transfer_check(self, SYS_WRITE, offset, data.size));
    sim->counts.bytes_written += data.size;
    self->node->counts.bytes_written += data.size;
    self->node->written = sim->time_wall;
    return sim_content_write(&sim->disk, self->node, data, offset, is_torn);
}

static NTSTATUS
sim_file_write(struct sys_file *file, const struct bytes *parts, size_t count, uint64_t offset)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    struct bytes data = bytes_joined(parts, count);
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, !self->node);
    if (operation.happens) {
        status = file_write(self, data, offset, operation.is_torn);
        sim->counts.writes++;
        self->node->counts.operations++;
        self->node->counts.writes++;
    }
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "write %s %llu+%zu", self->path, (unsigned long long)offset,
                    data.size);
    sys_mutex_unlock(&sim->mutex);
    free((void *)(uintptr_t)data.at);
    return status;
}

/* Whether this sync is one that was planned to fail. */
static bool
sync_shall_fail(struct sys_sim *sim, struct sim_node *node)
{
    bool of_node = node->fail_sync_in > 0 && --node->fail_sync_in == 0;
    bool of_any = sim->fail_sync_in > 0 && --sim->fail_sync_in == 0;

    return of_node || of_any;
}

static NTSTATUS
file_sync(struct sim_file *self, bool is_torn)
{
    struct sys_sim *sim = self->process->sim;
    NTSTATUS status = STATUS_SUCCESS;

    if (sync_shall_fail(sim, self->node))
        sim_content_lose(self->node);
    else
        status = sim_content_sync(&sim->disk, self->node, is_torn);
    if (self->errors_seen != self->node->sync_errors) {
        self->errors_seen = self->node->sync_errors;
        return status_raise(STATUS_IO_DEVICE_ERROR);
    }
    return status;
}

static NTSTATUS
sim_file_sync(struct sys_file *file)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, !self->node);
    if (operation.happens) {
        status = file_sync(self, operation.is_torn);
        sim->counts.syncs++;
        self->node->counts.operations++;
        self->node->counts.syncs++;
    }
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "sync %s", self->path);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
file_allocate(struct sim_file *self, uint64_t size, bool is_torn)
{
    struct sys_sim *sim = self->process->sim;

    if (size > INT64_MAX || size < self->node->size)
        return status_raise(STATUS_INVALID_PARAMETER);
    if (size == self->node->size)
        return STATUS_SUCCESS;
    if (!(self->flags & SYS_WRITE))
        return status_raise(STATUS_ACCESS_DENIED);
    self->node->written = sim->time_wall;
    return sim_content_extend(&sim->disk, self->node, size, is_torn);
}

static NTSTATUS
sim_file_allocate(struct sys_file *file, uint64_t size)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, !self->node);
    if (operation.happens) {
        status = file_allocate(self, size, operation.is_torn);
        sim->counts.allocates++;
        self->node->counts.operations++;
        self->node->counts.allocates++;
    }
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "allocate %s %llu", self->path, (unsigned long long)size);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
sim_file_info(struct sys_file *file, struct sys_info *out)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = file_check(self);
    if (status == STATUS_SUCCESS)
        *out = (struct sys_info){.size = self->node->size,
                                 .device = SIM_DEVICE,
                                 .inode = self->node->number,
                                 .mode = 0600,
                                 .created = self->node->created,
                                 .accessed = self->node->accessed,
                                 .written = self->node->written};
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
file_lock(struct sim_file *self)
{
    if (!(self->flags & SYS_WRITE))
        return status_raise(STATUS_ACCESS_DENIED);
    if (self->node->lock_holder && self->node->lock_holder != self->process)
        return status_raise(STATUS_SHARING_VIOLATION);
    self->node->lock_holder = self->process;
    return STATUS_SUCCESS;
}

static NTSTATUS
sim_file_lock(struct sys_file *file)
{
    struct sim_file *self = file_of(file);
    struct sys_sim *sim = self->process->sim;
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = file_check(self);
    if (status == STATUS_SUCCESS) {
        status = file_lock(self);
        sim_trace(sim, "lock %s: %s", self->path, status_word(status));
    }
    sys_mutex_unlock(&sim->mutex);
    return status;
}

/* ---- names ---- */

static NTSTATUS
sim_rename(struct sys *sys, const char *from, const char *to, bool replace)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, false);
    sim->counts.renames += operation.happens;
    if (happens_at_all(&operation))
        status = sim_names_rename(&sim->disk, from, to, replace);
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "rename %s %s%s", from, to, replace ? " replacing" : "");
    sim_disk_sweep(&sim->disk);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
sim_unlink(struct sys *sys, const char *path)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, false);
    sim->counts.unlinks += operation.happens;
    if (happens_at_all(&operation))
        status = sim_names_unlink(&sim->disk, path);
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "unlink %s", path);
    sim_disk_sweep(&sim->disk);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
sim_directory_make(struct sys *sys, const char *path)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, false);
    sim->counts.directories += operation.happens;
    if (happens_at_all(&operation))
        status = sim_names_directory_make(&sim->disk, path);
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "directory %s", path);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
sim_directory_sync(struct sys *sys, const char *path)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    struct operation operation;
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&sim->mutex);
    operation = operation_begin(sim, false);
    sim->counts.directory_syncs += operation.happens;
    if (operation.happens)
        status = sim_names_directory_sync(&sim->disk, path, operation.is_torn);
    status = operation_end(&operation, status);
    operation_trace(&operation, status, "directory_sync %s", path);
    sim_disk_sweep(&sim->disk);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

static NTSTATUS
sim_directory_list(struct sys *sys, const char *path, sys_each_name *each, void *context)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    char **texts = NULL;
    size_t count = 0;
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = sim->has_power ? sim_names_list(&sim->disk, path, &texts, &count)
                            : status_raise(STATUS_IO_DEVICE_ERROR);
    sys_mutex_unlock(&sim->mutex);
    /* With no lock held: 'each' may well unlink what it is told. */
    for (size_t i = 0; i < count; i++) {
        each(context, texts[i]);
        free(texts[i]);
    }
    free(texts);
    return status;
}

/* ---- time and random numbers ---- */

static uint64_t
sim_time_monotonic(struct sys *sys)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    uint64_t now;

    sys_mutex_lock(&sim->mutex);
    now = sim->time_monotonic;
    sys_mutex_unlock(&sim->mutex);
    return now;
}

static int64_t
sim_time_wall(struct sys *sys)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;
    int64_t now;

    sys_mutex_lock(&sim->mutex);
    now = sim->time_wall;
    sys_mutex_unlock(&sim->mutex);
    return now;
}

static void
sim_random_bytes(struct sys *sys, void *into, size_t size)
{
    struct sys_sim *sim = sim_process_of(sys)->sim;

    sys_mutex_lock(&sim->mutex);
    for (size_t done = 0; done < size; done += 8) {
        uint8_t number[8];

        le64_put(number, sim_random(&sim->random));
        memcpy((uint8_t *)into + done, number, size - done < 8 ? size - done : 8);
    }
    sys_mutex_unlock(&sim->mutex);
}

const struct sys_table sim_table = {
    .file_open = sim_file_open,
    .file_close = sim_file_close,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_allocate = sim_file_allocate,
    .file_info = sim_file_info,
    .file_lock = sim_file_lock,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .directory_make = sim_directory_make,
    .directory_sync = sim_directory_sync,
    .directory_list = sim_directory_list,
    .time_monotonic = sim_time_monotonic,
    .time_wall = sim_time_wall,
    .random = sim_random_bytes,
};
