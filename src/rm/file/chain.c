/* SPDX-License-Identifier: MIT */
/*
 * Working off chains.
 *
 * A chain is worked off with its first slot as the hand: what is in the hand goes to the next slot,
 * and what was there comes into the hand, in one exchange. Where something is that this plan does
 * not know, somebody else has been there since prepare: theirs is kept under another name, never
 * destroyed.
 */
#include <stdlib.h>

#include "rm/file/performer.h"

#define TRIES_MAX 100 /* against somebody who changes a name all the time */

static NTSTATUS
move(struct performer *self, const struct seen *from, const struct seen *to, enum tree_rename how)
{
    return tree_rename(self->tree, from->at, from->name, to->at, to->name, how);
}

/* Whether this is one of the chain's own objects. */
static bool
is_of_chain(const struct performer *self, const struct plan_chain *chain, const struct seen *seen)
{
    for (uint32_t i = 0; i < chain->count; i++)
        if (is_object(self, chain->objects[i], seen))
            return true;
    return false;
}

/* From the lead into the hand. What stands there instead of what we knew is taken in its stead: to
 * others it looks as if they had changed it just before. */
static NTSTATUS
chain_lead(struct performer *self, const struct plan_chain *chain)
{
    struct seen lead, hand, first;

    if (chain->lead == PLAN_NONE)
        return STATUS_SUCCESS;
    TRY(performer_look(self, chain->lead, &lead));
    TRY(performer_look(self, chain->slots[0], &hand));
    TRY(performer_look(self, chain->slots[1], &first));
    if (lead.info.kind == TREE_NOTHING || hand.info.kind != TREE_NOTHING ||
        is_object(self, chain->objects[0], &first))
        return STATUS_SUCCESS;
    if (!is_object(self, chain->objects[0], &lead))
        performer_report(self, CONFLICT_TAKEN, chain->lead, NULL);
    return explain_status(self->why, move(self, &lead, &hand, TREE_KEEP), "'%s' cannot be renamed",
                          lead.name);
}

/* What came into the hand from slot i should be the next object. When it is somebody else's
 * instead, it is kept if that object was to be removed, and goes where that object was to go if it
 * was to be moved. */
static NTSTATUS
receive(struct performer *self, const struct plan_chain *chain, uint32_t i, const struct seen *met)
{
    uint32_t next = chain->objects[i];

    if (is_object(self, next, met))
        return STATUS_SUCCESS;
    if (self->plan->objects[next].fate != PLAN_STAYS)
        return performer_set_aside(self, met->at, met->name, chain->slots[i]);
    performer_report(self, CONFLICT_TAKEN, chain->slots[i], NULL);
    return STATUS_SUCCESS;
}

/* One attempt to put what is in the hand into slot i. *is_done is false when somebody was quicker.
 */
static NTSTATUS
place_once(struct performer *self, const struct plan_chain *chain, uint32_t i, bool *is_done)
{
    struct seen hand, target;
    bool is_free;
    NTSTATUS status;

    TRY(performer_look(self, chain->slots[0], &hand));
    TRY(performer_look(self, chain->slots[i], &target));
    is_free = target.info.kind == TREE_NOTHING;
    *is_done = false;
    /* The last slot was free when we promised. */
    if (!is_free && i == chain->count)
        return performer_set_aside(self, target.at, target.name, chain->slots[i]);
    if (hand.info.kind == TREE_NOTHING || (is_free && i < chain->count))
        performer_report(self, CONFLICT_GONE, chain->slots[i], NULL);
    *is_done = true;
    if (hand.info.kind == TREE_NOTHING)
        return STATUS_SUCCESS;
    status = move(self, &hand, &target, is_free ? TREE_KEEP : TREE_EXCHANGE);
    if (status == STATUS_OBJECT_NAME_COLLISION || status == STATUS_OBJECT_NAME_NOT_FOUND) {
        *is_done = false; /* made or removed this very moment */
        return STATUS_SUCCESS;
    }
    TRY(status);
    if (is_free)
        return STATUS_SUCCESS;
    /* What is in the hand now is looked at again: it may not be what we saw. */
    TRY(performer_look(self, chain->slots[0], &hand));
    return receive(self, chain, i, &hand);
}

static NTSTATUS
place(struct performer *self, const struct plan_chain *chain, uint32_t i)
{
    bool is_done = false;

    for (unsigned tries = 0; tries < TRIES_MAX && !is_done; tries++)
        TRY(place_once(self, chain, i, &is_done));
    if (is_done)
        return STATUS_SUCCESS;
    return explain(self->why, status_raise(STATUS_DEVICE_BUSY),
                   "somebody else changes '%s' all the time",
                   self->plan->slots[chain->slots[i]].name);
}

/* The first slot is a name that others see, and holds something else than what was to be renamed or
 * removed. */
static NTSTATUS
place_other(struct performer *self, const struct plan_chain *chain, const struct seen *hand)
{
    const struct plan_object *object = &self->plan->objects[chain->objects[0]];

    if (object->fate != PLAN_STAYS)
        return performer_set_aside(self, hand->at, hand->name, chain->slots[0]);
    performer_report(self, CONFLICT_TAKEN, chain->slots[0], NULL);
    return place(self, chain, 1);
}

/* Object i is neither in its slot nor in the hand: it went there and was replaced, or it is gone.
 * The next one still has to make room when it goes somewhere else. */
static NTSTATUS
pass_over(struct performer *self, const struct plan_chain *chain, uint32_t i,
          const struct seen *hand, const struct seen *target)
{
    const struct plan_object *it = &self->plan->objects[chain->objects[i - 1]], *next;

    if (it->fate == PLAN_STAYS && (!self->again || hand->info.kind == TREE_NOTHING))
        performer_report(self, CONFLICT_GONE, chain->slots[i], NULL);
    if (i == chain->count || hand->info.kind != TREE_NOTHING ||
        !is_object(self, chain->objects[i], target))
        return STATUS_SUCCESS;
    next = &self->plan->objects[chain->objects[i]];
    if (next->fate != PLAN_STAYS)
        return STATUS_SUCCESS; /* better the old content than none */
    return move(self, target, hand, TREE_KEEP);
}

static NTSTATUS
chain_step(struct performer *self, const struct plan_chain *chain, uint32_t i)
{
    struct seen hand, target;

    TRY(performer_look(self, chain->slots[0], &hand));
    TRY(performer_look(self, chain->slots[i], &target));
    if (is_object(self, chain->objects[i - 1], &target))
        return STATUS_SUCCESS;
    if (is_object(self, chain->objects[i - 1], &hand))
        return place(self, chain, i);
    if (hand.info.kind != TREE_NOTHING && !is_of_chain(self, chain, &hand)) {
        if (i > 1 || chain->lead != PLAN_NONE) /* taken in its stead, now or before */
            return place(self, chain, i);
        if (!name_is_hidden(hand.name))
            return place_other(self, chain, &hand);
    }
    return pass_over(self, chain, i, &hand, &target);
}

static NTSTATUS
chain_perform(struct performer *self, const struct plan_chain *chain)
{
    struct seen first;

    if (self->again)
        for (uint32_t i = 0; i <= chain->count; i++)
            TRY(performer_report_kept(self, chain->slots[i]));
    if (self->perhaps_done) {
        TRY(performer_look(self, chain->slots[0], &first));
        if (!is_object(self, chain->objects[0], &first))
            return STATUS_SUCCESS; /* done: what is there now is of others, and later */
    }
    TRY(chain_lead(self, chain));
    for (uint32_t i = 1; i <= chain->count; i++) {
        if (i == chain->count && chain->slots[i] == chain->slots[0])
            break; /* the last one stays in the hand */
        TRY(chain_step(self, chain, i));
    }
    return STATUS_SUCCESS;
}

/* A directory cannot be moved into itself; what lies in the way may be moved by a later chain. So
 * those that the kernel refuses are tried again as long as others succeed. */
NTSTATUS
performer_chains(struct performer *self)
{
    const struct plan *plan = self->plan;
    bool *is_done = calloc((size_t)plan->chain_count + 1, sizeof(*is_done));
    NTSTATUS status = is_done ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    bool is_better = true;

    while (is_done && is_better &&
           (status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER)) {
        NTSTATUS refused = STATUS_SUCCESS;

        is_better = false;
        status = STATUS_SUCCESS;
        for (uint32_t i = 0; i < plan->chain_count; i++) {
            if (is_done[i])
                continue;
            status = chain_perform(self, &plan->chains[i]);
            if (status == STATUS_INVALID_PARAMETER) {
                refused = status;
                explain_nothing(self->why);
            } else if (status != STATUS_SUCCESS) {
                break;
            } else {
                is_done[i] = is_better = true;
            }
        }
        if (status == STATUS_SUCCESS)
            status = refused;
        if (status == STATUS_SUCCESS)
            break;
    }
    free(is_done);
    return explain_status(self->why, status, "the names cannot be changed");
}
