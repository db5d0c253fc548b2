/* SPDX-License-Identifier: MIT */
/* The simulated machine as tests handle it: processes, power, trouble, time, counters, tampering.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sim_machine.h"

#define NANOSECONDS     UINT64_C(1000000000)
#define MONOTONIC_START (100 * NANOSECONDS)               /* since a boot */
#define WALL_START      (INT64_C(134000000000) * 1000000) /* 100 ns since 1601: in 2025 */

/* ---- the machine ---- */

struct sys_sim *
sys_sim_create(uint64_t seed)
{
    struct sys_sim *sim = sim_allocate(sizeof(*sim));

    sys_mutex_init(&sim->mutex);
    list_init(&sim->processes);
    sim->has_power = true;
    sim->time_monotonic = MONOTONIC_START;
    sim->time_wall = WALL_START;
    sim->random = seed;
    sim_disk_init(&sim->disk, sim_random(&seed));
    return sim;
}

struct sys_sim *
sys_sim_copy(struct sys_sim *sim)
{
    struct sys_sim *copy = sim_allocate(sizeof(*copy));

    sys_mutex_lock(&sim->mutex);
    copy->has_power = sim->has_power;
    copy->time_monotonic = sim->time_monotonic;
    copy->time_wall = sim->time_wall;
    copy->time_rest = sim->time_rest;
    copy->random = sim->random;
    copy->counts = sim->counts;
    sim_disk_copy(&sim->disk, &copy->disk);
    sys_mutex_unlock(&sim->mutex);
    sys_mutex_init(&copy->mutex);
    list_init(&copy->processes);
    return copy;
}

void
sys_sim_destroy(struct sys_sim *sim)
{
    struct sim_process *process, *after;

    if (!sim)
        return;
    CHECK(sim->handles == 0); /* somebody has not closed a file */
    LIST_EACH_SAFE (process, after, &sim->processes, in_sim) {
        list_remove(&process->in_sim);
        free(process);
    }
    sim_disk_deinit(&sim->disk);
    sys_mutex_deinit(&sim->mutex);
    free(sim);
}

struct sys *
sys_sim_process(struct sys_sim *sim)
{
    struct sim_process *process = sim_allocate(sizeof(*process));

    process->sys.table = &sim_table;
    process->sim = sim;
    list_init(&process->files);
    sys_mutex_lock(&sim->mutex);
    list_append(&sim->processes, &process->in_sim);
    sys_mutex_unlock(&sim->mutex);
    return &process->sys;
}

/* All that the process has open is dead from now on. */
static void
process_die(struct sim_process *process)
{
    struct sim_file *file, *after;

    LIST_EACH_SAFE (file, after, &process->files, in_process)
        sim_file_detach(file);
}

void
sys_sim_crash(struct sys *process)
{
    struct sys_sim *sim = sim_process_of(process)->sim;

    sys_mutex_lock(&sim->mutex);
    process_die(sim_process_of(process));
    sim_disk_sweep(&sim->disk);
    sim_trace(sim, "- a process dies");
    sys_mutex_unlock(&sim->mutex);
}

void
sys_sim_cut_after(struct sys_sim *sim, uint64_t n, enum sys_sim_cut how)
{
    sys_mutex_lock(&sim->mutex);
    sim->cut_in = n;
    sim->cut_how = how;
    sys_mutex_unlock(&sim->mutex);
}

bool
sys_sim_has_power(struct sys_sim *sim)
{
    bool has_power;

    sys_mutex_lock(&sim->mutex);
    has_power = sim->has_power;
    sys_mutex_unlock(&sim->mutex);
    return has_power;
}

/* The operation up to which a prefix of 'choice' modulo (pending + 1) operations reaches. */
static uint64_t
prefix_end(struct sim_disk *disk, uint64_t choice)
{
    size_t count;
    uint64_t *pending = sim_disk_pending(disk, &count);
    size_t kept = (size_t)(choice % (count + 1));
    uint64_t end = kept > 0 ? pending[kept - 1] : 0;

    free(pending);
    return end;
}

void
sys_sim_power_on(struct sys_sim *sim, enum sys_sim_keep keep, uint64_t choice)
{
    static const char *const words[] = {"nothing", "all", "prefix", "subset"};
    static const unsigned likelihoods[] = {1, 4, 7}; /* so that "all but one" comes up too */
    struct sim_survival survival = {.keep = keep, .chance = choice};
    struct sim_process *process;

    sys_mutex_lock(&sim->mutex);
    LIST_EACH (process, &sim->processes, in_sim)
        process_die(process);
    if (keep == SIM_KEEP_PREFIX)
        survival.when_max = prefix_end(&sim->disk, choice);
    if (keep == SIM_KEEP_SUBSET)
        survival.keep_of_8 = likelihoods[sim_below(&survival.chance, ARRAY_SIZE(likelihoods))];
    sim_disk_settle(&sim->disk, &survival);
    sim->has_power = true;
    sim->cut_in = 0;
    sim->fail_sync_in = 0;
    sim->time_monotonic = MONOTONIC_START;
    sim_trace(sim, "- power on, keep %s %llu", words[keep], (unsigned long long)choice);
    sys_mutex_unlock(&sim->mutex);
}

uint64_t
sys_sim_pending(struct sys_sim *sim)
{
    size_t count;

    sys_mutex_lock(&sim->mutex);
    free(sim_disk_pending(&sim->disk, &count));
    sys_mutex_unlock(&sim->mutex);
    return count;
}

void
sys_sim_set_capacity(struct sys_sim *sim, uint64_t bytes)
{
    sys_mutex_lock(&sim->mutex);
    sim->disk.capacity = bytes;
    sys_mutex_unlock(&sim->mutex);
}

uint64_t
sys_sim_used(struct sys_sim *sim)
{
    uint64_t used;

    sys_mutex_lock(&sim->mutex);
    used = sim->disk.used;
    sys_mutex_unlock(&sim->mutex);
    return used;
}

/* The file that is seen under this path; NULL: none. */
static struct sim_node *
seen_file(struct sys_sim *sim, const char *path)
{
    struct sim_place place;

    if (sim_names_find(&sim->disk, SIM_SEEN, path, &place) != STATUS_SUCCESS || !place.node ||
        place.node->is_directory)
        return NULL;
    return place.node;
}

void
sys_sim_fail_sync(struct sys_sim *sim, const char *path, uint64_t n)
{
    struct sim_node *node = NULL;

    sys_mutex_lock(&sim->mutex);
    if (path) {
        node = seen_file(sim, path);
        CHECK(node);
        node->fail_sync_in = n;
    } else {
        sim->fail_sync_in = n;
    }
    sys_mutex_unlock(&sim->mutex);
}

void
sys_sim_set_bad(struct sys_sim *sim, const char *path, uint64_t offset, uint64_t size,
                unsigned access)
{
    struct sim_node *node;

    CHECK((access & ~(unsigned)(SYS_READ | SYS_WRITE)) == 0);
    sys_mutex_lock(&sim->mutex);
    node = seen_file(sim, path);
    CHECK(node);
    sim_content_set_bad(node, offset, size, access);
    sys_mutex_unlock(&sim->mutex);
}

void
sys_sim_advance(struct sys_sim *sim, uint64_t nanoseconds)
{
    sys_mutex_lock(&sim->mutex);
    sim->time_monotonic += nanoseconds;
    sim->time_rest += nanoseconds;
    sim->time_wall += (int64_t)(sim->time_rest / 100);
    sim->time_rest %= 100;
    sys_mutex_unlock(&sim->mutex);
}

struct sys_sim_counts
sys_sim_counts(struct sys_sim *sim, const char *path)
{
    struct sys_sim_counts counts = {0};
    struct sim_node *node;

    sys_mutex_lock(&sim->mutex);
    if (!path)
        counts = sim->counts;
    else if ((node = seen_file(sim, path)))
        counts = node->counts;
    sys_mutex_unlock(&sim->mutex);
    return counts;
}

void
sys_sim_trace(struct sys_sim *sim, FILE *to)
{
    sys_mutex_lock(&sim->mutex);
    sim->trace = to;
    sys_mutex_unlock(&sim->mutex);
}

/* ---- looking and tampering ---- */

static NTSTATUS
dump(struct sim_disk *disk, const char *path, void **data, size_t *size)
{
    struct sim_place place;

    TRY(sim_names_find(disk, SIM_STORED, path, &place));
    if (!place.node)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (place.node->is_directory)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    *size = place.node->stored_size;
    *data = sim_allocate(*size);
    sim_content_stored(place.node, *data);
    return STATUS_SUCCESS;
}

NTSTATUS
sys_sim_dump(struct sys_sim *sim, const char *path, void **data, size_t *size)
{
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = dump(&sim->disk, path, data, size);
    sys_mutex_unlock(&sim->mutex);
    return status;
}

/* A new file takes the name, so that nothing of the old one shines through. */
static NTSTATUS
load(struct sys_sim *sim, const char *path, struct bytes data)
{
    struct sim_disk *disk = &sim->disk;
    uint64_t capacity = disk->capacity;
    struct sim_place place;
    struct sim_node *node;
    NTSTATUS status;

    TRY(sim_names_find(disk, SIM_SEEN, path, &place));
    if (place.node) {
        TRY(sim_names_unlink(disk, path));
        place.node = NULL;
    }
    node = sim_names_make(disk, &place, false);
    node->created = node->accessed = node->written = sim->time_wall;
    disk->capacity = 0;
    status = sim_content_write(disk, node, data, 0, false);
    if (status == STATUS_SUCCESS)
        status = sim_content_sync(disk, node, false);
    disk->capacity = capacity;
    sim_names_store(disk, node);
    return status;
}

NTSTATUS
sys_sim_load(struct sys_sim *sim, const char *path, const void *data, size_t size)
{
    NTSTATUS status;

    sys_mutex_lock(&sim->mutex);
    status = load(sim, path, bytes_of(data, size));
    sim_disk_sweep(&sim->disk);
    sys_mutex_unlock(&sim->mutex);
    return status;
}
/* ---- for sim.c ---- */

void
sim_trace(struct sys_sim *sim, const char *format, ...)
{
    va_list arguments;

    if (!sim->trace)
        return;
    va_start(arguments, format);
    vfprintf(sim->trace, format, arguments);
    va_end(arguments);
    fputc('\n', sim->trace);
}

/* Takes the file out of the hands of its process. POSIX: any close drops the process's lock. */
void
sim_file_detach(struct sim_file *self)
{
    struct sim_node *node = self->node;

    if (!node)
        return;
    if (node->lock_holder == self->process)
        node->lock_holder = NULL;
    list_remove(&self->in_process);
    self->node = NULL;
    CHECK(node->openings > 0);
    node->openings--;
    sim_node_release(&self->process->sim->disk, node);
}
