/* SPDX-License-Identifier: MIT */
/* The simulated disk as a whole: its nodes, what is unsynced on it, copies of it, power cuts. */
#include <stdlib.h>
#include <string.h>

#include "sys/sim_disk.h"

/* ---- memory and chance ---- */

void *
sim_allocate(size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    void *made = aligned_alloc(16, rounded ? rounded : 16);

    CHECK(made);
    return memset(made, 0, rounded);
}

void *
sim_grow(void *array, size_t count, size_t *room, size_t element_size)
{
    void *made;

    *room = *room ? 2 * *room : 4;
    made = sim_allocate(*room * element_size);
    if (count > 0)
        memcpy(made, array, count * element_size);
    free(array);
    return made;
}

char *
sim_text(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(sim_allocate(size), text, size);
}

/* splitmix64: every seed is a good one, and a state is one number. */
uint64_t
sim_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

bool
sim_coin(uint64_t *state)
{
    return sim_random(state) >> 63;
}

uint64_t
sim_below(uint64_t *state, uint64_t bound)
{
    CHECK(bound > 0);
    return sim_random(state) % bound;
}

/* ---- nodes and the disk ---- */

struct sim_node *
sim_node_create(struct sim_disk *disk, bool is_directory)
{
    struct sim_node *node = sim_allocate(sizeof(*node));

    node->number = ++disk->numbers;
    node->is_directory = is_directory;
    list_init(&node->seen_names);
    list_init(&node->stored_names);
    list_append(&disk->nodes, &node->in_disk);
    disk->node_count++;
    return node;
}

void
sim_node_release(struct sim_disk *disk, struct sim_node *node)
{
    if (node->names > 0 || node->openings > 0 || node->is_released)
        return;
    disk->used -= sim_content_space(node);
    node->is_released = true;
}

static void
node_destroy(struct sim_disk *disk, struct sim_node *node)
{
    sim_names_deinit(node);
    sim_content_deinit(node);
    list_remove(&node->in_disk);
    disk->node_count--;
    free(node);
}

void
sim_disk_sweep(struct sim_disk *disk)
{
    struct sim_node *node, *after;
    struct sim_change *change;

    if (disk->node_count < 2 * disk->node_count_swept + 64)
        return;
    LIST_EACH (node, &disk->nodes, in_disk)
        node->is_marked = false;
    sim_names_mark(disk->root);
    LIST_EACH (node, &disk->nodes, in_disk)
        if (node->openings > 0)
            sim_names_mark(node);
    LIST_EACH (change, &disk->changes, in_disk) {
        sim_names_mark(change->node);
        if (change->from)
            sim_names_mark(change->from);
        if (change->to)
            sim_names_mark(change->to);
    }
    LIST_EACH_SAFE (node, after, &disk->nodes, in_disk) {
        if (!node->is_marked)
            node_destroy(disk, node);
    }
    disk->node_count_swept = disk->node_count;
}

void
sim_disk_init(struct sim_disk *disk, uint64_t seed)
{
    *disk = (struct sim_disk){.chance = seed};
    list_init(&disk->nodes);
    list_init(&disk->changes);
    disk->root = sim_node_create(disk, true);
    disk->root->names = 1;
}

void
sim_disk_deinit(struct sim_disk *disk)
{
    struct sim_node *node, *after_node;
    struct sim_change *change, *after_change;

    LIST_EACH_SAFE (change, after_change, &disk->changes, in_disk)
        sim_change_destroy(change);
    LIST_EACH_SAFE (node, after_node, &disk->nodes, in_disk)
        node_destroy(disk, node);
    CHECK(disk->node_count == 0);
}

/* ---- copying ---- */

static struct sim_node *
node_copy(const struct sim_node *node, struct sim_disk *disk)
{
    struct sim_node *copy = sim_node_create(disk, node->is_directory);

    copy->number = node->number;
    copy->names = node->names;
    copy->is_released = node->is_released;
    copy->created = node->created;
    copy->accessed = node->accessed;
    copy->written = node->written;
    copy->counts = node->counts;
    sim_content_copy(node, copy);
    return copy;
}

void
sim_disk_copy(struct sim_disk *disk, struct sim_disk *copy)
{
    struct sim_node *node;
    struct sim_change *change;

    *copy = *disk;
    list_init(&copy->nodes);
    list_init(&copy->changes);
    copy->node_count = 0;
    LIST_EACH (node, &disk->nodes, in_disk)
        node->twin = node_copy(node, copy);
    LIST_EACH (node, &disk->nodes, in_disk)
        sim_names_copy(node, node->twin);
    LIST_EACH (change, &disk->changes, in_disk)
        sim_change_copy(change, copy);
    copy->root = disk->root->twin;
    copy->numbers = disk->numbers;
    LIST_EACH (node, &copy->nodes, in_disk)
        sim_node_release(copy, node);
}
/* ---- power cuts ---- */

static int
by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* A growing list of numbers. */
struct numbers {
    uint64_t *at;
    size_t count, room;
};

static void
numbers_add(struct numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->room)
        numbers->at = sim_grow(numbers->at, numbers->count, &numbers->room, sizeof(*numbers->at));
    numbers->at[numbers->count++] = number;
}

static void
numbers_add_node(struct numbers *numbers, const struct sim_node *node)
{
    for (size_t i = 0; i < node->unsynced_size_count; i++)
        numbers_add(numbers, node->unsynced_sizes[i].when);
    for (size_t i = 0; i < node->dirty_count; i++) {
        const struct sim_sector *sector = &node->sectors[node->dirty[i]];
        for (size_t k = 0; k < sector->unsynced_count; k++)
            numbers_add(numbers, sector->unsynced[k].when);
    }
}

uint64_t *
sim_disk_pending(struct sim_disk *disk, size_t *count)
{
    struct numbers all = {0};
    struct sim_node *node;
    struct sim_change *change;
    size_t unique = 0;

    LIST_EACH (node, &disk->nodes, in_disk)
        numbers_add_node(&all, node);
    LIST_EACH (change, &disk->changes, in_disk)
        numbers_add(&all, change->when);
    if (all.count > 0)
        qsort(all.at, all.count, sizeof(*all.at), by_number);
    for (size_t i = 0; i < all.count; i++)
        if (i == 0 || all.at[i] != all.at[i - 1])
            all.at[unique++] = all.at[i];
    *count = unique;
    return all.at;
}

void
sim_disk_settle(struct sim_disk *disk, struct sim_survival *survival)
{
    struct sim_node *node;

    sim_names_settle(disk, survival);
    disk->used = 0;
    LIST_EACH (node, &disk->nodes, in_disk) {
        CHECK(node->openings == 0);
        sim_content_settle(node, survival);
        node->is_released = node->names == 0;
        if (!node->is_released)
            disk->used += sim_content_space(node);
    }
    sim_disk_sweep(disk);
}
