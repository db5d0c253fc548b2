/* SPDX-License-Identifier: MIT */
/* Performing a plan: chains, then what is to be removed, then modes and owners. Or undoing it. */
#include "rm/file/perform.h"

#include <stdlib.h>

#include "rm/file/performer.h"

/* Every directory in which a chain may have moved something, now or before. */
static NTSTATUS
moves_sync(struct performer *self)
{
    const struct plan *plan = self->plan;
    bool *wanted = calloc((size_t)plan->dir_count + 1, sizeof(*wanted));
    NTSTATUS status;

    if (!wanted)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    for (uint32_t i = 0; i < plan->chain_count; i++) {
        const struct plan_chain *chain = &plan->chains[i];

        for (uint32_t k = 0; k <= chain->count; k++)
            wanted[plan->slots[chain->slots[k]].dir] = true;
        if (chain->lead != PLAN_NONE)
            wanted[plan->slots[chain->lead].dir] = true;
    }
    status = performer_sync(self, wanted);
    free(wanted);
    return status;
}

/* ---- all of it ---- */

static NTSTATUS
perform(struct performer *self)
{
    TRY(performer_attributes(self, false));
    TRY(performer_chains(self));
    TRY(moves_sync(self)); /* from here on the old content is not needed any more */
    TRY(performer_removals(self));
    return performer_attributes(self, true);
}

NTSTATUS
plan_perform(struct tree *tree, const struct plan *plan, enum plan_attempt attempt,
             struct conflicts *conflicts, struct explanation *why)
{
    struct performer self = {.tree = tree,
                             .plan = plan,
                             .conflicts = conflicts,
                             .why = why,
                             .again = attempt != PLAN_FIRST,
                             .perhaps_done = attempt == PLAN_PERHAPS_DONE};
    NTSTATUS status = performer_init(&self);

    if (status == STATUS_SUCCESS)
        status = perform(&self);
    performer_deinit(&self);
    return status;
}

/* ---- alone ---- */

/* Whether the one rename was made, as far as the kernel knows. */
static bool
is_moved(struct performer *self)
{
    const struct plan_chain *chain = &self->plan->chains[0];
    struct seen seen;

    return performer_look(self, chain->slots[0], &seen) != STATUS_SUCCESS ||
           !is_object(self, chain->objects[0], &seen);
}

static NTSTATUS
perform_alone(struct performer *self, enum plan_outcome *outcome)
{
    NTSTATUS status = performer_chains(self);

    if (status == STATUS_SUCCESS)
        status = moves_sync(self); /* <- committed when this returns SUCCESS */
    if (status != STATUS_SUCCESS)
        *outcome = is_moved(self) ? PLAN_UNKNOWN : PLAN_NOT_DONE;
    else
        *outcome = performer_removals(self) == STATUS_SUCCESS ? PLAN_DONE : PLAN_DONE_UNCLEAN;
    return status;
}

NTSTATUS
plan_perform_alone(struct tree *tree, const struct plan *plan, struct conflicts *conflicts,
                   enum plan_outcome *outcome, struct explanation *why)
{
    struct performer self = {.tree = tree, .plan = plan, .conflicts = conflicts, .why = why};
    NTSTATUS status = performer_init(&self);

    *outcome = PLAN_NOT_DONE;
    if (status == STATUS_SUCCESS)
        status = perform_alone(&self, outcome);
    performer_deinit(&self);
    return status;
}

/* ---- undoing ---- */

/* Inside something new: removed together with it. */
static bool
is_in_staged(const struct plan *plan, const struct plan_dir *dir)
{
    return dir->inside != PLAN_NONE && plan->objects[dir->inside].is_staged;
}

static NTSTATUS
staged_remove(struct performer *self, const struct plan_object *object)
{
    uint32_t slot = plan_first_slot(&self->plan->chains[object->chain]);
    const struct plan_slot *it = &self->plan->slots[slot];
    struct seen seen;

    if (is_in_staged(self->plan, &self->plan->dirs[it->dir]))
        return STATUS_SUCCESS;
    TRY(performer_look(self, slot, &seen));
    if (!plan_object_is(object, &seen.info))
        return STATUS_SUCCESS;
    return explain_status(self->why, copy_remove(self->tree, seen.at, seen.name),
                          "'%s' cannot be removed", seen.name);
}

static NTSTATUS
undo(struct performer *self)
{
    const struct plan *plan = self->plan;

    for (uint32_t i = 0; i < plan->object_count; i++)
        if (plan->objects[i].is_staged)
            TRY(staged_remove(self, &plan->objects[i]));
    return STATUS_SUCCESS;
}

NTSTATUS
plan_undo(struct tree *tree, const struct plan *plan, struct explanation *why)
{
    struct performer self = {.tree = tree, .plan = plan, .why = why, .again = true};
    NTSTATUS status = performer_init(&self);

    if (status == STATUS_SUCCESS)
        status = undo(&self);
    performer_deinit(&self);
    return status;
}
