/* SPDX-License-Identifier: MIT */
/* The layer that makes calls fail. */
#include "sys/fault.h"

#include <stdlib.h>
#include <string.h>

#include "sys/thread.h"

#define KINDS 12

struct sys_fault {
    struct sys sys;
    struct sys *under;
    struct sys_mutex mutex;
    struct sys_fault_rule rule;
    uint64_t left; /* calls until the rule fires; 0: there is no rule, or it has fired */
    bool has_fired;
    size_t open_files;
    uint64_t calls[KINDS];
};

struct fault_file {
    struct sys_file file;
    struct sys_file *under;
    char path[];
};

static struct sys_fault *
fault_of(struct sys *sys)
{
    return container_of(sys, struct sys_fault, sys);
}

static struct fault_file *
file_of(struct sys_file *file)
{
    return container_of(file, struct fault_file, file);
}

static bool
ends_in(const char *path, const char *end)
{
    size_t size = strlen(path), end_size = strlen(end);

    return size >= end_size && strcmp(path + size - end_size, end) == 0;
}

/* Counts the call and tells whether it fails; *rule is then the rule that makes it. 'other' is the
 * second path of a call that has two, else the same. */
static bool
fails_on(struct sys_fault *fault, enum sys_fault_call call, const char *path, const char *other,
         struct sys_fault_rule *rule)
{
    bool hit;

    sys_mutex_lock(&fault->mutex);
    *rule = fault->rule;
    fault->calls[__builtin_ctz(call)]++;
    hit = (rule->calls & call) &&
          (!rule->name || ends_in(path, rule->name) || ends_in(other, rule->name));
    if (hit && fault->left > 0)
        hit = --fault->left == 0;
    else if (hit)
        hit = fault->has_fired && rule->is_lasting;
    fault->has_fired |= hit;
    sys_mutex_unlock(&fault->mutex);
    return hit;
}

static bool
fails(struct sys_fault *fault, enum sys_fault_call call, const char *path,
      struct sys_fault_rule *rule)
{
    return fails_on(fault, call, path, path, rule);
}

/* For a call without parts: done, unless it fails and does not happen; what was really answered is
 * then nobody's business. */
#define PASS(fault, call, path, under_call) PASS_ON(fault, call, path, path, under_call)
#define PASS_ON(fault, call, path, other, under_call)                                              \
    ({                                                                                             \
        struct sys_fault_rule rule_;                                                               \
        bool fails_ = fails_on(fault, call, path, other, &rule_);                                  \
        NTSTATUS status_ = !fails_ || rule_.happens ? (under_call) : rule_.status;                 \
        fails_ ? status_raise(rule_.status) : status_;                                             \
    })

static NTSTATUS
fault_file_open(struct sys *sys, const char *path, unsigned flags, struct sys_file **out)
{
    struct sys_fault *fault = fault_of(sys);
    struct fault_file *made = malloc(sizeof(*made) + strlen(path) + 1);
    struct sys_file *under = NULL;
    NTSTATUS status;

    if (!made)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = PASS(fault, FAULT_OPEN, path, sys_file_open(fault->under, path, flags, &under));
    if (status != STATUS_SUCCESS) {
        sys_file_close(under);
        free(made);
        return status;
    }
    made->file.sys = sys;
    made->under = under;
    strcpy(made->path, path);
    sys_mutex_lock(&fault->mutex);
    fault->open_files++;
    sys_mutex_unlock(&fault->mutex);
    *out = &made->file;
    return STATUS_SUCCESS;
}

static void
fault_file_close(struct sys_file *file)
{
    struct sys_fault *fault = fault_of(file->sys);

    sys_file_close(file_of(file)->under);
    sys_mutex_lock(&fault->mutex);
    CHECK(fault->open_files > 0);
    fault->open_files--;
    sys_mutex_unlock(&fault->mutex);
    free(file_of(file));
}

static NTSTATUS
fault_file_read(struct sys_file *file, void *into, size_t size, uint64_t offset, size_t *got)
{
    struct fault_file *self = file_of(file);
    struct sys_fault_rule rule;
    size_t ignored;

    if (!fails(fault_of(file->sys), FAULT_READ, self->path, &rule))
        return sys_file_read(self->under, into, size, offset, got);
    if (!rule.happens && rule.partly < size)
        size = (size_t)rule.partly;
    if (size > 0)
        (void)!sys_file_read(self->under, into, size, offset, &ignored);
    return status_raise(rule.status);
}

/* Writes the first 'size' bytes of the parts. */
static void
write_partly(struct sys_file *under, const struct bytes *parts, size_t count, uint64_t offset,
             uint64_t size)
{
    for (size_t i = 0; i < count && size > 0; i++) {
        struct bytes part = parts[i];

        if (part.size > size)
            part.size = (size_t)size;
        if (sys_file_write(under, &part, 1, offset) != STATUS_SUCCESS)
            return;
        offset += part.size;
        size -= part.size;
    }
}

static NTSTATUS
fault_file_write(struct sys_file *file, const struct bytes *parts, size_t count, uint64_t offset)
{
    struct fault_file *self = file_of(file);
    struct sys_fault_rule rule;

    if (!fails(fault_of(file->sys), FAULT_WRITE, self->path, &rule))
        return sys_file_write(self->under, parts, count, offset);
    write_partly(self->under, parts, count, offset, rule.happens ? UINT64_MAX : rule.partly);
    return status_raise(rule.status);
}

static NTSTATUS
fault_file_sync(struct sys_file *file)
{
    struct fault_file *self = file_of(file);

    return PASS(fault_of(file->sys), FAULT_SYNC, self->path, sys_file_sync(self->under));
}

static NTSTATUS
fault_file_allocate(struct sys_file *file, uint64_t size)
{
    struct fault_file *self = file_of(file);
    struct sys_fault_rule rule;
    struct sys_info info;

    if (!fails(fault_of(file->sys), FAULT_ALLOCATE, self->path, &rule))
        return sys_file_allocate(self->under, size);
    if (sys_file_info(self->under, &info) == STATUS_SUCCESS && size > info.size) {
        if (!rule.happens && rule.partly < size - info.size)
            size = info.size + rule.partly;
        (void)!sys_file_allocate(self->under, size);
    }
    return status_raise(rule.status);
}

static NTSTATUS
fault_file_info(struct sys_file *file, struct sys_info *out)
{
    struct fault_file *self = file_of(file);

    return PASS(fault_of(file->sys), FAULT_INFO, self->path, sys_file_info(self->under, out));
}

static NTSTATUS
fault_file_lock(struct sys_file *file)
{
    struct fault_file *self = file_of(file);

    return PASS(fault_of(file->sys), FAULT_LOCK, self->path, sys_file_lock(self->under));
}

static NTSTATUS
fault_rename(struct sys *sys, const char *from, const char *to, bool replace)
{
    struct sys_fault *fault = fault_of(sys);

    return PASS_ON(fault, FAULT_RENAME, from, to, sys_rename(fault->under, from, to, replace));
}

static NTSTATUS
fault_unlink(struct sys *sys, const char *path)
{
    struct sys_fault *fault = fault_of(sys);

    return PASS(fault, FAULT_UNLINK, path, sys_unlink(fault->under, path));
}

static NTSTATUS
fault_directory_make(struct sys *sys, const char *path)
{
    struct sys_fault *fault = fault_of(sys);

    return PASS(fault, FAULT_DIRECTORY_MAKE, path, sys_directory_make(fault->under, path));
}

static NTSTATUS
fault_directory_sync(struct sys *sys, const char *path)
{
    struct sys_fault *fault = fault_of(sys);

    return PASS(fault, FAULT_DIRECTORY_SYNC, path, sys_directory_sync(fault->under, path));
}

static NTSTATUS
fault_directory_list(struct sys *sys, const char *path, sys_each_name *each, void *context)
{
    struct sys_fault *fault = fault_of(sys);

    return PASS(fault, FAULT_DIRECTORY_LIST, path,
                sys_directory_list(fault->under, path, each, context));
}

static uint64_t
fault_time_monotonic(struct sys *sys)
{
    return sys_time_monotonic(fault_of(sys)->under);
}

static int64_t
fault_time_wall(struct sys *sys)
{
    return sys_time_wall(fault_of(sys)->under);
}

static void
fault_random(struct sys *sys, void *into, size_t size)
{
    sys_random(fault_of(sys)->under, into, size);
}

static const struct sys_table table = {
    .file_open = fault_file_open,
    .file_close = fault_file_close,
    .file_read = fault_file_read,
    .file_write = fault_file_write,
    .file_sync = fault_file_sync,
    .file_allocate = fault_file_allocate,
    .file_info = fault_file_info,
    .file_lock = fault_file_lock,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .directory_make = fault_directory_make,
    .directory_sync = fault_directory_sync,
    .directory_list = fault_directory_list,
    .time_monotonic = fault_time_monotonic,
    .time_wall = fault_time_wall,
    .random = fault_random,
};

struct sys_fault *
sys_fault_create(struct sys *under)
{
    struct sys_fault *fault = malloc(sizeof(*fault));

    if (!fault)
        return NULL;
    *fault = (struct sys_fault){.sys = {.table = &table}, .under = under};
    sys_mutex_init(&fault->mutex);
    return fault;
}

void
sys_fault_destroy(struct sys_fault *fault)
{
    if (!fault)
        return;
    CHECK(fault->open_files == 0);
    sys_mutex_deinit(&fault->mutex);
    free(fault);
}

struct sys *
sys_fault_sys(struct sys_fault *fault)
{
    return &fault->sys;
}

void
sys_fault_plan(struct sys_fault *fault, const struct sys_fault_rule *rule)
{
    CHECK(!rule || rule->status != STATUS_SUCCESS);
    sys_mutex_lock(&fault->mutex);
    fault->rule = rule ? *rule : (struct sys_fault_rule){0};
    fault->left = fault->rule.n;
    fault->has_fired = false;
    sys_mutex_unlock(&fault->mutex);
}

bool
sys_fault_has_fired(struct sys_fault *fault)
{
    bool has_fired;

    sys_mutex_lock(&fault->mutex);
    has_fired = fault->has_fired;
    sys_mutex_unlock(&fault->mutex);
    return has_fired;
}

uint64_t
sys_fault_calls(struct sys_fault *fault, unsigned calls)
{
    uint64_t sum = 0;

    sys_mutex_lock(&fault->mutex);
    for (unsigned i = 0; i < KINDS; i++)
        if (calls & 1u << i)
            sum += fault->calls[i];
    sys_mutex_unlock(&fault->mutex);
    return sum;
}
