/* SPDX-License-Identifier: MIT */
/* Making the plan. */
#include "rm/file/plan_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct top {
    struct view_node *node;
    char *path; /* where it is on disk now */
    size_t size;
};

struct maker {
    struct work *work;
    struct plan *plan;
    struct top *tops;
    size_t top_count;
    unsigned *steps; /* for each chain: the last step that had to do with it */
};

bool
plan_is_staged_root(const struct view_node *node)
{
    return node->origin != NODE_DISK && node->place && !node->place->dir->maker;
}

/* Something that was there and does not stay where it was. */
static bool
is_leaving(const struct view_node *node)
{
    return node->origin == NODE_DISK && node->place != node->home;
}

/* ---- objects ---- */

static enum plan_fate
fate_of(const struct view_node *node)
{
    if (node->place)
        return PLAN_STAYS;
    if (node->kind != TREE_DIRECTORY)
        return PLAN_REMOVED;
    return node->goes_whole ? PLAN_REMOVED_TREE : PLAN_REMOVED_DIRECTORY;
}

static NTSTATUS
objects_add(struct maker *maker)
{
    struct view_node *node;

    LIST_EACH (node, &maker->work->view.nodes, in_view) {
        struct plan_object object = {.kind = node->kind,
                                     .fate = fate_of(node),
                                     .is_staged = node->origin != NODE_DISK,
                                     .inode = node->info.inode,
                                     .born = node->info.born,
                                     .fingerprint = node->fingerprint};

        node->plan_index = PLAN_NONE;
        if (!is_leaving(node) && !plan_is_staged_root(node))
            continue;
        object.version = plan_version_of(&node->info);
        TRY(plan_add_object(maker->plan, &object, &node->plan_index));
    }
    return STATUS_SUCCESS;
}

void
plan_identify(struct plan *plan, const struct view_node *node, const struct tree_info *info)
{
    struct plan_object *object = &plan->objects[node->plan_index];

    CHECK(object->is_staged && object->kind == info->kind);
    object->inode = info->inode;
    object->born = info->born;
    object->version = plan_version_of(info);
}

/* ---- directories ---- */

static bool
is_at_or_below(const char *path, const struct top *top)
{
    return strncmp(path, top->path, top->size) == 0 &&
           (path[top->size] == '\0' || path[top->size] == '/');
}

/* Where a directory that takes part in the plan is on disk now; allocated. NULL: no memory. */
static char *
object_path(struct work *work, const struct view_node *node)
{
    char hidden[HIDDEN_NAME_SIZE], *path;
    const struct view_dir *dir = node->origin == NODE_DISK ? node->home->dir : node->yard;

    hidden_name(&work->owner, node->number, hidden);
    if (asprintf(&path, "%s/%s", dir->path[1] ? dir->path : "",
                 node->origin == NODE_DISK ? node->home->text : hidden) < 0)
        return NULL;
    return path;
}

/* The directories on disk that the plan moves, and the copies it makes: what lies below them is
 * found again by way of them. */
static NTSTATUS
tops_add(struct maker *maker)
{
    struct view_node *node;

    LIST_EACH (node, &maker->work->view.nodes, in_view) {
        bool is_copy = node->origin == NODE_COPY && node->place;
        struct top *more;
        char *path;

        if (node->kind != TREE_DIRECTORY || node->origin == NODE_MADE ||
            (node->plan_index == PLAN_NONE && !is_copy))
            continue;
        more = realloc(maker->tops, (maker->top_count + 1) * sizeof(*more));
        if (more)
            maker->tops = more;
        path = more ? object_path(maker->work, node) : NULL;
        if (!path)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        maker->tops[maker->top_count++] =
            (struct top){.node = node, .path = path, .size = strlen(path)};
    }
    return STATUS_SUCCESS;
}

/* The nearest of them that the directory on disk is or is below; NULL: none. */
static struct view_node *
top_above(const struct maker *maker, const struct view_dir *dir, const char **rest)
{
    const struct top *nearest = NULL;

    for (size_t i = 0; i < maker->top_count; i++)
        if (is_at_or_below(dir->path, &maker->tops[i]) &&
            (!nearest || maker->tops[i].size > nearest->size))
            nearest = &maker->tops[i];
    *rest = dir->path;
    if (!nearest)
        return NULL;
    *rest += nearest->size + (dir->path[nearest->size] == '/');
    return nearest->node;
}

/* A directory inside a new one: below the outermost of them. Allocates *path. */
static NTSTATUS
path_in_made(const struct view_dir *dir, uint32_t *inside, char **path)
{
    char *below = strdup("");

    while (below && !plan_is_staged_root(dir->maker)) {
        char *longer;

        CHECK(dir->maker->place);
        if (asprintf(&longer, "%s%s%s", dir->maker->place->text, below[0] ? "/" : "", below) < 0)
            longer = NULL;
        free(below);
        below = longer;
        dir = dir->maker->place->dir;
    }
    if (!below)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *inside = dir->maker->plan_index;
    *path = below;
    return STATUS_SUCCESS;
}

/* A directory in a copy that itself goes into a new directory. Allocates *path. */
static NTSTATUS
path_in_copy(const struct view_node *copy, const char *rest, uint32_t *inside, char **path)
{
    char *above;
    int size;

    TRY(path_in_made(copy->place->dir, inside, &above));
    size = asprintf(path, "%s%s%s%s%s", above, above[0] ? "/" : "", copy->place->text,
                    rest[0] ? "/" : "", rest);
    free(above);
    return size < 0 ? status_raise(STATUS_INSUFFICIENT_RESOURCES) : STATUS_SUCCESS;
}

static NTSTATUS
dir_add(struct maker *maker, struct view_dir *dir)
{
    struct view_node *above = NULL;
    uint32_t inside = PLAN_NONE;
    const char *rest = "";
    char *path = NULL;
    NTSTATUS status;

    if (!dir->maker)
        above = top_above(maker, dir, &rest);
    if (dir->maker)
        TRY(path_in_made(dir, &inside, &path));
    else if (above && above->plan_index == PLAN_NONE)
        TRY(path_in_copy(above, rest, &inside, &path));
    else if (above)
        inside = above->plan_index;
    status = plan_add_dir(maker->plan, inside, path ? path : rest, &dir->info, &dir->plan_index);
    free(path);
    return status;
}

static NTSTATUS
dir_index(struct maker *maker, struct view_dir *dir, uint32_t *out)
{
    if (dir->plan_index == PLAN_NONE)
        TRY(dir_add(maker, dir));
    *out = dir->plan_index;
    return STATUS_SUCCESS;
}

/* ---- slots ---- */

static NTSTATUS
slot_of_name(struct maker *maker, struct view_name *name, uint32_t *out)
{
    uint32_t dir;

    TRY(dir_index(maker, name->dir, &dir));
    return plan_add_slot(maker->plan, dir, name->text, out);
}

/* Nothing has this name yet: it is made when the yards are held. */
static NTSTATUS
slot_hidden(struct maker *maker, struct view_dir *dir, unsigned number, uint32_t *out)
{
    char name[HIDDEN_NAME_SIZE];
    uint32_t index;

    hidden_name(&maker->work->owner, number ? number : ++maker->work->number, name);
    maker->work->needs_yards = true;
    TRY(dir_index(maker, dir, &index));
    return plan_add_slot(maker->plan, index, name, out);
}

/* A staged node that has a hidden name in the right directory already is staged there. */
static NTSTATUS
slot_of_stage(struct maker *maker, struct view_node *node, uint32_t *out)
{
    struct view_dir *dir = node->place->dir;

    if (node->yard == dir && node->number != 0)
        return slot_hidden(maker, dir, node->number, out);
    dir->is_changed = dir->has_hidden = true;
    return slot_hidden(maker, dir, 0, out);
}

const struct plan_slot *
plan_stage_slot(const struct plan *plan, const struct view_node *node)
{
    const struct plan_object *object = &plan->objects[node->plan_index];

    CHECK(object->is_staged && object->position == 1);
    return &plan->slots[plan_first_slot(&plan->chains[object->chain])];
}

/* ---- chains ---- */

/* Who has to leave the name that the node comes to; NULL: it is free. */
static struct view_node *
displaced_by(const struct view_node *node)
{
    struct view_node *base = node->place ? node->place->base : NULL;

    return base && is_leaving(base) ? base : NULL;
}

/* Nobody comes to where the node was. */
static bool
begins_chain(const struct view_node *node)
{
    return node->origin != NODE_DISK || !node->home->now;
}

static bool
is_hidden_dir(const struct view_dir *dir)
{
    return dir->maker || dir->is_private;
}

/* Enters objects 1..k and their places; slots 0 and, for one that is removed, k are the caller's.
 */
static NTSTATUS
chain_fill(struct maker *maker, uint32_t index, struct view_node *first)
{
    struct view_node *node = first;
    bool is_hidden = first->origin != NODE_DISK || is_hidden_dir(first->home->dir);
    unsigned step = 0;

    for (uint32_t i = 0; i < maker->plan->chains[index].count; i++) {
        uint32_t slot = PLAN_NONE;

        CHECK(node && node->plan_index != PLAN_NONE);
        if (node->origin == NODE_DISK && node->home->step > step)
            step = node->home->step;
        if (node->place) {
            TRY(slot_of_name(maker, node->place, &slot));
            is_hidden &= is_hidden_dir(node->place->dir);
            step = node->place->step > step ? node->place->step : step;
        }
        maker->plan->chains[index].objects[i] = node->plan_index;
        maker->plan->chains[index].slots[i + 1] = slot;
        maker->plan->objects[node->plan_index].chain = index;
        maker->plan->objects[node->plan_index].position = i + 1;
        node = displaced_by(node);
    }
    maker->plan->chains[index].is_hidden = is_hidden;

    unsigned *steps = realloc(maker->steps, maker->plan->chain_count * sizeof(*steps));
    if (!steps)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    maker->steps = steps;
    steps[index] = step;
    return STATUS_SUCCESS;
}

/* How many objects move one after the other, until one comes to a free name, is removed, or comes
 * to where the first one was. */
static uint32_t
chain_length(struct view_node *first)
{
    uint32_t count = 1;

    for (struct view_node *node = displaced_by(first); node && node != first;
         node = displaced_by(node))
        count++;
    return count;
}

static bool
is_on_chain(const struct view_node *first, const struct view_node *sought)
{
    const struct view_node *node = first;

    do {
        if (node == sought)
            return true;
        node = displaced_by(node);
    } while (node && node != first);
    return false;
}

/* Whether the directory moves when the chain does: it is, or is below, one of its objects. */
static bool
moves_with_chain(const struct maker *maker, const struct view_node *first,
                 const struct view_dir *dir)
{
    for (size_t i = 0; i < maker->top_count && !dir->maker; i++)
        if (is_at_or_below(dir->path, &maker->tops[i]) && is_on_chain(first, maker->tops[i].node))
            return true;
    return false;
}

/* Where the hand can be: in 'wanted', unless that moves with the chain, for nothing can be
 * exchanged with what it is in. The outermost of the objects stands in a directory that does not.
 */
static struct view_dir *
hand_dir(const struct maker *maker, const struct view_node *first, struct view_dir *wanted)
{
    const struct view_node *node = first;

    if (!moves_with_chain(maker, first, wanted))
        return wanted;
    do {
        if (node->origin == NODE_DISK && !moves_with_chain(maker, first, node->home->dir))
            return node->home->dir;
        node = displaced_by(node);
    } while (node && node != first);
    return wanted;
}

/* The first slot: hidden where it must be, and the lead to it. */
static NTSTATUS
chain_begin(struct maker *maker, uint32_t index, struct view_node *first, bool is_cycle)
{
    struct plan_chain *chain = &maker->plan->chains[index];
    struct view_dir *hand;

    if (is_cycle || (first->origin == NODE_DISK && chain->count == 1))
        return slot_of_name(maker, first->home, &chain->slots[0]);
    hand = hand_dir(maker, first, first->place->dir);
    if (first->origin == NODE_DISK)
        TRY(slot_of_name(maker, first->home, &chain->lead));
    else if (hand == first->place->dir)
        return slot_of_stage(maker, first, &chain->slots[0]);
    else
        TRY(slot_of_stage(maker, first, &chain->lead));
    return slot_hidden(maker, hand, 0, &chain->slots[0]);
}

/* The last slot of one that is removed: in the hand, when that is hidden. */
static NTSTATUS
chain_end(struct maker *maker, uint32_t index, struct view_node *first, bool is_cycle)
{
    struct plan_chain *chain = &maker->plan->chains[index];
    uint32_t slot;

    if (is_cycle) {
        chain->slots[chain->count] = chain->slots[0];
        return STATUS_SUCCESS;
    }
    if (chain->slots[chain->count] != PLAN_NONE)
        return STATUS_SUCCESS;
    if (chain->lead != PLAN_NONE || first->origin != NODE_DISK) {
        chain->slots[chain->count] = chain->slots[0];
        return STATUS_SUCCESS;
    }
    CHECK(chain->count == 1);
    TRY(slot_hidden(maker, first->home->dir, 0, &slot));
    maker->plan->chains[index].slots[1] = slot;
    return STATUS_SUCCESS;
}

static NTSTATUS
chain_add(struct maker *maker, struct view_node *first, bool is_cycle)
{
    uint32_t index;

    TRY(plan_add_chain(maker->plan, chain_length(first), &index));
    TRY(chain_fill(maker, index, first));
    TRY(chain_begin(maker, index, first, is_cycle));
    return chain_end(maker, index, first, is_cycle);
}

/* The name in the hand of one that goes round is the home of its first. */
static struct view_node *
cycle_first(const struct maker *maker, struct view_node *any)
{
    struct view_node *node = any;

    do {
        if (!moves_with_chain(maker, any, node->home->dir))
            return node;
        node = displaced_by(node);
    } while (node != any);
    return any;
}

static NTSTATUS
chains_add(struct maker *maker)
{
    struct view_node *node;

    LIST_EACH (node, &maker->work->view.nodes, in_view)
        if (node->plan_index != PLAN_NONE && begins_chain(node))
            TRY(chain_add(maker, node, false));
    /* What is not on a chain now goes round in a circle. */
    LIST_EACH (node, &maker->work->view.nodes, in_view)
        if (node->plan_index != PLAN_NONE &&
            maker->plan->objects[node->plan_index].chain == PLAN_NONE)
            TRY(chain_add(maker, cycle_first(maker, node), true));
    return STATUS_SUCCESS;
}

/* What nobody can see yet goes first, then in the order of the steps: later ones may need what
 * earlier ones have moved out of the way. */
static void
chains_sort(struct maker *maker)
{
    struct plan *plan = maker->plan;

    CHECK(plan->chain_count < 2 || maker->steps);
    for (uint32_t i = 1; i < plan->chain_count; i++) {
        struct plan_chain chain = plan->chains[i];
        unsigned step = maker->steps[i];
        uint32_t at = i;

        for (; at > 0; at--) {
            const struct plan_chain *before = &plan->chains[at - 1];

            if (before->is_hidden > chain.is_hidden ||
                (before->is_hidden == chain.is_hidden && maker->steps[at - 1] <= step))
                break;
            plan->chains[at] = *before;
            maker->steps[at] = maker->steps[at - 1];
        }
        plan->chains[at] = chain;
        maker->steps[at] = step;
    }
}

/* ---- attributes ---- */

static NTSTATUS
attributes_add(struct maker *maker)
{
    struct view_node *node;

    LIST_EACH (node, &maker->work->view.nodes, in_view) {
        struct plan_attribute attribute = {.kind = node->kind,
                                           .inode = node->info.inode,
                                           .born = node->info.born,
                                           .sets_mode = node->sets_mode,
                                           .sets_owner = node->sets_owner,
                                           .mode = node->mode,
                                           .owner = node->owner,
                                           .group = node->group};

        if (node->origin != NODE_DISK || !node->place || !(node->sets_mode || node->sets_owner))
            continue;
        TRY(slot_of_name(maker, node->home, &attribute.from));
        TRY(slot_of_name(maker, node->place, &attribute.to));
        TRY(plan_add_attribute(maker->plan, &attribute));
    }
    return STATUS_SUCCESS;
}

/* ---- all of it ---- */

static NTSTATUS
make(struct maker *maker)
{
    struct view_dir *dir;

    LIST_EACH (dir, &maker->work->view.dirs, in_view)
        dir->plan_index = PLAN_NONE;
    TRY(objects_add(maker));
    TRY(tops_add(maker));
    TRY(chains_add(maker));
    TRY(attributes_add(maker));
    chains_sort(maker);
    return plan_link(maker->plan);
}

NTSTATUS
plan_make(struct work *work, struct plan **out)
{
    owned(plan_destroy) struct plan *plan = NULL;
    struct maker maker = {.work = work};
    NTSTATUS status;

    TRY(plan_create(&plan));
    plan->transaction = work->transaction;
    plan->manager = work->store->identity;
    plan->incarnation = work->store->incarnation;
    maker.plan = plan;
    status = make(&maker);
    free(maker.steps);
    for (size_t i = 0; i < maker.top_count; i++)
        free(maker.tops[i].path);
    free(maker.tops);
    TRY(status);
    *out = give(plan);
    return STATUS_SUCCESS;
}
