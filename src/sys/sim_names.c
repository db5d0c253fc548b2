/* SPDX-License-Identifier: MIT */
/* The simulated disk: names in directories, seen and stored, and the changes in between. */
#include <stdlib.h>
#include <string.h>

#include "sys/sim_disk.h"

struct sim_name {
    struct list in_directory;
    struct sim_node *node;
    char text[];
};

/* ---- one directory ---- */

static struct list *
names_of(struct sim_node *directory, enum sim_side side)
{
    CHECK(directory->is_directory);
    return side == SIM_SEEN ? &directory->seen_names : &directory->stored_names;
}

static struct sim_name *
name_find(struct sim_node *directory, enum sim_side side, const char *text)
{
    struct list *names = names_of(directory, side);
    struct sim_name *name;

    LIST_EACH (name, names, in_directory)
        if (strcmp(name->text, text) == 0)
            return name;
    return NULL;
}

static void
name_destroy(struct sim_name *name)
{
    list_remove(&name->in_directory);
    free(name);
}

/* Gives the name to 'node', from whoever has it. */
static void
name_set(struct sim_node *directory, enum sim_side side, const char *text, struct sim_node *node)
{
    struct sim_name *name = name_find(directory, side, text);

    if (!name) {
        name = sim_allocate(sizeof(*name) + strlen(text) + 1);
        memcpy(name->text, text, strlen(text) + 1);
        list_append(names_of(directory, side), &name->in_directory);
    } else if (side == SIM_SEEN) {
        name->node->names--;
    }
    name->node = node;
    if (side == SIM_SEEN)
        node->names++;
}

/* Takes the name from 'node', if that is who has it. */
static void
name_clear(struct sim_node *directory, enum sim_side side, const char *text, struct sim_node *node)
{
    struct sim_name *name = name_find(directory, side, text);

    if (!name || name->node != node)
        return;
    name_destroy(name);
    if (side == SIM_SEEN)
        node->names--;
}

static void
names_clear(struct list *names)
{
    struct sim_name *name, *after;

    LIST_EACH_SAFE (name, after, names, in_directory)
        name_destroy(name);
}

void
sim_names_deinit(struct sim_node *node)
{
    names_clear(&node->seen_names);
    names_clear(&node->stored_names);
}

static void
names_copy(const struct list *names, struct sim_node *copy, enum sim_side side)
{
    const struct sim_name *name;

    LIST_EACH (name, names, in_directory) {
        unsigned count = name->node->twin->names; /* was copied with the node */
        name_set(copy, side, name->text, name->node->twin);
        name->node->twin->names = count;
    }
}

void
sim_names_copy(const struct sim_node *node, struct sim_node *copy)
{
    if (!node->is_directory)
        return;
    names_copy(&node->seen_names, copy, SIM_SEEN);
    names_copy(&node->stored_names, copy, SIM_STORED);
}

void
sim_names_mark(struct sim_node *node)
{
    struct sim_name *name;

    if (node->is_marked)
        return;
    node->is_marked = true;
    LIST_EACH (name, &node->seen_names, in_directory)
        sim_names_mark(name->node);
    LIST_EACH (name, &node->stored_names, in_directory)
        sim_names_mark(name->node);
}

/* ---- paths ---- */

/* The directory that has a name for this node; there is one at most. */
static struct sim_node *
parent_of(struct sim_disk *disk, enum sim_side side, const struct sim_node *child)
{
    struct sim_node *node;
    struct sim_name *name;

    LIST_EACH (node, &disk->nodes, in_disk) {
        if (!node->is_directory)
            continue;
        LIST_EACH (name, names_of(node, side), in_directory)
            if (name->node == child)
                return node;
    }
    return disk->root;
}

/* Goes one component on. Answers as sim_names_find. */
static NTSTATUS
place_step(struct sim_disk *disk, enum sim_side side, struct sim_place *place,
           const char *component, size_t size)
{
    struct sim_name *name;

    if (!place->node || !place->node->is_directory)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    if (size > SIM_NAME_MAX)
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    place->is_fixed = true;
    if (size == 1 && component[0] == '.')
        return STATUS_SUCCESS;
    if (size == 2 && memcmp(component, "..", 2) == 0) {
        place->node = parent_of(disk, side, place->node);
        return STATUS_SUCCESS;
    }
    place->is_fixed = false;
    memcpy(place->name, component, size);
    place->name[size] = '\0';
    place->directory = place->node;
    name = name_find(place->directory, side, place->name);
    place->node = name ? name->node : NULL;
    return STATUS_SUCCESS;
}

NTSTATUS
sim_names_find(struct sim_disk *disk, enum sim_side side, const char *path, struct sim_place *out)
{
    struct sim_place place = {.directory = disk->root, .node = disk->root, .is_fixed = true};

    if (path[0] == '\0')
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (strlen(path) > SIM_PATH_MAX)
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    for (path += strspn(path, "/"); *path;) {
        size_t size = strcspn(path, "/");

        TRY(place_step(disk, side, &place, path, size));
        path += size;
        place.has_slash = *path == '/';
        path += strspn(path, "/");
    }
    *out = place;
    return STATUS_SUCCESS;
}

/* ---- changes ---- */

/* Takes note that what is seen has changed and is not stored yet. */
static void
change_add(struct sim_disk *disk, struct sim_node *node, const struct sim_place *from,
           const struct sim_place *to)
{
    struct sim_change *change = sim_allocate(sizeof(*change));

    change->when = ++disk->when;
    change->node = node;
    if (from) {
        change->from = from->directory;
        change->from_name = sim_text(from->name);
    }
    if (to) {
        change->to = to->directory;
        change->to_name = sim_text(to->name);
    }
    list_append(&disk->changes, &change->in_disk);
}

void
sim_change_destroy(struct sim_change *change)
{
    list_remove(&change->in_disk);
    free(change->from_name);
    free(change->to_name);
    free(change);
}

void
sim_change_copy(const struct sim_change *change, struct sim_disk *disk)
{
    struct sim_change *copy = sim_allocate(sizeof(*copy));

    copy->when = change->when;
    copy->node = change->node->twin;
    copy->from = change->from ? change->from->twin : NULL;
    copy->to = change->to ? change->to->twin : NULL;
    copy->from_name = change->from ? sim_text(change->from_name) : NULL;
    copy->to_name = change->to ? sim_text(change->to_name) : NULL;
    list_append(&disk->changes, &copy->in_disk);
}

static void
change_apply(const struct sim_change *change, enum sim_side side)
{
    if (change->from)
        name_clear(change->from, side, change->from_name, change->node);
    if (change->to)
        name_set(change->to, side, change->to_name, change->node);
}

static bool
change_is_of(const struct sim_change *change, const struct sim_node *directory, const char *name)
{
    return (change->from == directory && strcmp(change->from_name, name) == 0) ||
           (change->to == directory && strcmp(change->to_name, name) == 0);
}

/* Whether a change builds on an older one: on the same file, or on the same name. */
static bool
change_needs(const struct sim_change *change, const struct sim_change *older)
{
    return change->node == older->node ||
           (change->from && change_is_of(older, change->from, change->from_name)) ||
           (change->to && change_is_of(older, change->to, change->to_name));
}

static struct sim_change *
change_before(struct sim_disk *disk, struct sim_change *change)
{
    return change->in_disk.prev == &disk->changes
               ? NULL
               : container_of(change->in_disk.prev, struct sim_change, in_disk);
}

static struct sim_change *
change_last(struct sim_disk *disk)
{
    return list_is_empty(&disk->changes)
               ? NULL
               : container_of(disk->changes.prev, struct sim_change, in_disk);
}

/* Chooses also all that the chosen ones build on. */
static void
changes_choose_needed(struct sim_disk *disk)
{
    struct sim_change *change, *older;

    for (change = change_last(disk); change; change = change_before(disk, change)) {
        if (!change->is_chosen)
            continue;
        for (older = change_before(disk, change); older; older = change_before(disk, older))
            older->is_chosen |= change_needs(change, older);
    }
}

/* Stores the chosen changes, in their order. */
static void
changes_store_chosen(struct sim_disk *disk)
{
    struct sim_change *change, *after;

    LIST_EACH_SAFE (change, after, &disk->changes, in_disk) {
        if (!change->is_chosen)
            continue;
        change_apply(change, SIM_STORED);
        sim_change_destroy(change);
    }
}

void
sim_names_store(struct sim_disk *disk, struct sim_node *node)
{
    struct sim_change *change;

    LIST_EACH (change, &disk->changes, in_disk)
        change->is_chosen = false;
    for (; node != disk->root; node = parent_of(disk, SIM_SEEN, node))
        LIST_EACH (change, &disk->changes, in_disk)
            change->is_chosen |= change->node == node;
    changes_choose_needed(disk);
    changes_store_chosen(disk);
}

/* ---- what programs do ---- */

struct sim_node *
sim_names_make(struct sim_disk *disk, const struct sim_place *place, bool is_directory)
{
    struct sim_node *node = sim_node_create(disk, is_directory);

    CHECK(!place->node);
    name_set(place->directory, SIM_SEEN, place->name, node);
    change_add(disk, node, NULL, place);
    return node;
}

NTSTATUS
sim_names_directory_make(struct sim_disk *disk, const char *path)
{
    struct sim_place place;

    TRY(sim_names_find(disk, SIM_SEEN, path, &place));
    if (place.node)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    sim_names_make(disk, &place, true);
    return STATUS_SUCCESS;
}

NTSTATUS
sim_names_unlink(struct sim_disk *disk, const char *path)
{
    struct sim_place place;

    TRY(sim_names_find(disk, SIM_SEEN, path, &place));
    if (!place.node)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (place.node->is_directory)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (place.has_slash)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    name_clear(place.directory, SIM_SEEN, place.name, place.node);
    change_add(disk, place.node, &place, NULL);
    sim_node_release(disk, place.node);
    return STATUS_SUCCESS;
}

/* Whether 'node' is 'directory' or lies somewhere below it. */
static bool
is_below(struct sim_disk *disk, struct sim_node *node, const struct sim_node *directory)
{
    for (; node != disk->root; node = parent_of(disk, SIM_SEEN, node))
        if (node == directory)
            return true;
    return false;
}

static NTSTATUS
rename_check(struct sim_disk *disk, const struct sim_place *from, const struct sim_place *to,
             bool replace)
{
    if (to->is_fixed && !from->is_fixed && !replace)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (from->is_fixed || to->is_fixed)
        return status_raise(STATUS_IO_DEVICE_ERROR); /* EBUSY */
    if (!from->node)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (to->node && !replace)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (!from->node->is_directory && (from->has_slash || to->has_slash))
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    if (from->node->is_directory && is_below(disk, to->directory, from->node))
        return status_raise(STATUS_INVALID_PARAMETER);
    if (!to->node || to->node == from->node)
        return STATUS_SUCCESS;
    if (to->node->is_directory && is_below(disk, from->directory, to->node))
        return status_raise(STATUS_OBJECT_NAME_COLLISION); /* it is not empty */
    if (from->node->is_directory && !to->node->is_directory)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    if (!from->node->is_directory && to->node->is_directory)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (to->node->is_directory && !list_is_empty(&to->node->seen_names))
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    return STATUS_SUCCESS;
}

NTSTATUS
sim_names_rename(struct sim_disk *disk, const char *from, const char *to, bool replace)
{
    struct sim_place old, new;

    TRY(sim_names_find(disk, SIM_SEEN, from, &old));
    TRY(sim_names_find(disk, SIM_SEEN, to, &new));
    TRY(rename_check(disk, &old, &new, replace));
    if (old.node == new.node)
        return STATUS_SUCCESS;
    name_clear(old.directory, SIM_SEEN, old.name, old.node);
    name_set(new.directory, SIM_SEEN, new.name, old.node);
    change_add(disk, old.node, &old, &new);
    if (new.node)
        sim_node_release(disk, new.node);
    return STATUS_SUCCESS;
}

static NTSTATUS
directory_find(struct sim_disk *disk, const char *path, struct sim_node **out)
{
    struct sim_place place;

    TRY(sim_names_find(disk, SIM_SEEN, path, &place));
    if (!place.node)
        return status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    if (!place.node->is_directory)
        return status_raise(STATUS_OBJECT_PATH_NOT_FOUND);
    *out = place.node;
    return STATUS_SUCCESS;
}

NTSTATUS
sim_names_directory_sync(struct sim_disk *disk, const char *path, bool torn)
{
    struct sim_node *directory;
    struct sim_change *change;

    TRY(directory_find(disk, path, &directory));
    LIST_EACH (change, &disk->changes, in_disk)
        change->is_chosen = (change->from == directory || change->to == directory) &&
                            (!torn || sim_coin(&disk->chance));
    changes_choose_needed(disk);
    changes_store_chosen(disk);
    return STATUS_SUCCESS;
}

NTSTATUS
sim_names_list(struct sim_disk *disk, const char *path, char ***texts, size_t *count)
{
    struct sim_node *directory;
    struct sim_name *name;
    size_t room = 0;

    TRY(directory_find(disk, path, &directory));
    *texts = NULL;
    *count = 0;
    LIST_EACH (name, &directory->seen_names, in_directory) {
        if (*count == room)
            *texts = sim_grow(*texts, *count, &room, sizeof(**texts));
        (*texts)[(*count)++] = sim_text(name->text);
    }
    return STATUS_SUCCESS;
}

/* ---- after a power cut ---- */

/* Drops a change whose ground was lost: what it builds on has not survived. */
static bool
change_has_ground(struct sim_disk *disk, struct sim_change *change)
{
    struct sim_change *older;

    for (older = change_before(disk, change); older; older = change_before(disk, older))
        if (!older->is_chosen && change_needs(change, older))
            return false;
    return true;
}

static bool
change_survives(struct sim_disk *disk, struct sim_change *change, struct sim_survival *survival)
{
    switch (survival->keep) {
    case SIM_KEEP_NOTHING:
        return false;
    case SIM_KEEP_ALL:
        return true;
    case SIM_KEEP_PREFIX:
        return change->when <= survival->when_max;
    case SIM_KEEP_SUBSET:
        return sim_below(&survival->chance, 8) < survival->keep_of_8 &&
               change_has_ground(disk, change);
    }
    CHECK(false);
}

static void
seen_from_stored(struct sim_node *directory)
{
    struct sim_name *name;

    LIST_EACH (name, &directory->stored_names, in_directory) {
        name_set(directory, SIM_SEEN, name->text, name->node);
        if (name->node->is_directory)
            seen_from_stored(name->node);
    }
}

void
sim_names_settle(struct sim_disk *disk, struct sim_survival *survival)
{
    struct sim_change *change, *after;
    struct sim_node *node;

    LIST_EACH (change, &disk->changes, in_disk)
        change->is_chosen = change_survives(disk, change, survival);
    changes_store_chosen(disk);
    LIST_EACH_SAFE (change, after, &disk->changes, in_disk)
        sim_change_destroy(change);

    LIST_EACH (node, &disk->nodes, in_disk) {
        names_clear(&node->seen_names);
        node->names = 0;
    }
    disk->root->names = 1;
    seen_from_stored(disk->root); /* what cannot be reached from there is lost */
}
