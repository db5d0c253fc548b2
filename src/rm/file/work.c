/* SPDX-License-Identifier: MIT */
/* The work of one transaction: its life, and its outcomes. */
#include "rm/file/work.h"

#include <stdlib.h>

#include "rm/file/intent.h"
#include "rm/file/perform.h"

static struct work *
work_allocate(struct store *store, const GUID *transaction)
{
    struct work *work = calloc(1, sizeof(*work));

    if (!work)
        return NULL;
    work->store = store;
    work->tree = store->tree;
    work->transaction = *transaction;
    path_owner_init(&work->owner, transaction);
    work->owner.home = store->number;
    list_init(&work->open_files);
    view_init(&work->view, store->tree, &store->locks, &work->owner, &work->why);
    return work;
}

NTSTATUS
work_create(struct store *store, const GUID *transaction, const char *base, struct work **out)
{
    struct work *work = work_allocate(store, transaction);
    NTSTATUS status;

    if (!work)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = view_base_set(&work->view, base);
    if (status != STATUS_SUCCESS) {
        work_destroy(work);
        return status;
    }
    *out = work;
    return STATUS_SUCCESS;
}

void
work_destroy(struct work *work)
{
    if (!work)
        return;
    if (work->state == WORK_ACTIVE)
        status_forgive(work_rollback(work)); /* what is left is in a yard */
    path_locks_release(&work->store->locks, &work->owner);
    yards_let_go(work->store, &work->yards, true); /* PREPARED: else it holds none */
    view_deinit(&work->view);
    plan_destroy(work->plan);
    conflicts_deinit(&work->conflicts);
    free(work);
}

/* ---- after a restart ---- */

/* The paths of a prepared transaction are nobody else's until it is over. When somebody else has
 * promised something about one of them already, this one had let go of it: it is done, and asked
 * for once more. */
static NTSTATUS
locks_take(struct work *work)
{
    const struct plan *plan = work->plan;

    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const struct plan_dir *dir = &plan->dirs[plan->slots[i].dir];
        NTSTATUS status;
        char *path;

        if (dir->inside != PLAN_NONE)
            continue; /* below an object, whose own slots are locked with all below */
        path = plan_slot_path(plan, i);
        if (!path)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        status = path_lock(&work->store->locks, &work->owner, path, true, &work->why);
        free(path);
        if (status != STATUS_TRANSACTIONAL_CONFLICT || work->attempt != PLAN_PERHAPS_DONE)
            TRY(status);
    }
    return STATUS_SUCCESS;
}

/* Takes the plan, whose transaction is still to come to its outcome. */
static NTSTATUS
resume(struct store *store, struct plan **plan, bool has_intent, struct explanation *why,
       struct work **out)
{
    struct work *work = work_allocate(store, &(*plan)->transaction);
    NTSTATUS status;

    if (!work)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    work->state = WORK_PREPARED;
    work->attempt = has_intent ? PLAN_AGAIN : PLAN_PERHAPS_DONE;
    work->has_intent = has_intent;
    work->plan = give(*plan);
    status = locks_take(work);
    if (status == STATUS_SUCCESS)
        explain_nothing(&work->why);
    if (status == STATUS_SUCCESS)
        status =
            yards_hold(store, work->plan->dirs, work->plan->dir_count, &work->yards, &work->why);
    if (status != STATUS_SUCCESS) {
        *why = work->why;
        work_destroy(work);
        return status;
    }
    *out = work;
    return STATUS_SUCCESS;
}

NTSTATUS
work_load(struct store *store, const GUID *transaction, struct explanation *why, struct work **out)
{
    owned(plan_destroy) struct plan *plan = NULL;

    TRY(store_load(store, transaction, why, &plan));
    return resume(store, &plan, true, why, out);
}

NTSTATUS
work_load_kept(struct store *store, const GUID *transaction, struct bytes intent,
               struct explanation *why, struct work **out)
{
    owned(plan_destroy) struct plan *plan = NULL;
    NTSTATUS status = intent_decode(intent, &plan);

    if (status == STATUS_SUCCESS && !guid_equal(&plan->transaction, transaction))
        status = status_raise(STATUS_RM_METADATA_CORRUPT);
    TRY(explain_status(why, status,
                       "what the transaction manager has kept of the transaction is no intent of "
                       "this resource manager; it can neither be finished nor undone by guessing"));
    return resume(store, &plan, false, why, out);
}

/* ---- outcomes ---- */

static void
finish(struct work *work, enum work_state state, bool leaves_names)
{
    view_close(&work->view);
    work->open_file_count = 0;
    yards_let_go(work->store, &work->yards, leaves_names);
    path_locks_release(&work->store->locks, &work->owner);
    work->state = state;
}

static NTSTATUS
promise_forget(struct work *work)
{
    if (work->has_intent)
        return store_forget(work->store, &work->transaction, &work->why);
    if (work->state == WORK_PREPARED)
        store_done_add(work->store, &work->transaction);
    return STATUS_SUCCESS;
}

static NTSTATUS
yards_below_follow(struct work *work, uint32_t from, uint32_t to)
{
    char *old = plan_slot_path(work->plan, from), *new = plan_slot_path(work->plan, to);
    NTSTATUS status = old && new ? yards_follow(work->store, old, new, &work->yards, &work->why)
                                 : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    free(old);
    free(new);
    return status;
}

/* Yards are known by their paths, and what is done by the directories it was done in: before one
 * moves or goes, both must be known without it. */
static NTSTATUS
directories_prepare(struct work *work)
{
    const struct plan *plan = work->plan;
    bool is_any = false;

    for (uint32_t i = 0; i < plan->object_count; i++) {
        const struct plan_object *object = &plan->objects[i];
        const struct plan_chain *chain = &plan->chains[object->chain];
        uint32_t from =
            object->position == 1 ? plan_first_slot(chain) : chain->slots[object->position - 1];

        if (object->kind != TREE_DIRECTORY || object->is_staged)
            continue;
        is_any = true;
        if (object->fate == PLAN_STAYS && plan->dirs[plan->slots[from].dir].inside == PLAN_NONE)
            TRY(yards_below_follow(work, from, chain->slots[object->position]));
    }
    return is_any ? store_done_sync(work->store, &work->why) : STATUS_SUCCESS;
}

NTSTATUS
work_commit(struct work *work)
{
    struct explanation *why = &work->why;

    CHECK(work->state == WORK_PREPARED);
    explain_nothing(why);
    /* What a former attempt told is told again. */
    conflicts_deinit(&work->conflicts);
    enum plan_attempt attempt = work->attempt;
    if (attempt == PLAN_FIRST)
        work->attempt = PLAN_AGAIN;
    TRY(directories_prepare(work));
    TRY(plan_perform(work->tree, work->plan, attempt, &work->conflicts, why));
    TRY(promise_forget(work));
    finish(work, WORK_COMMITTED, work->leaves_names);
    return STATUS_SUCCESS;
}

NTSTATUS
work_perform_alone(struct work *work)
{
    enum plan_outcome outcome = PLAN_NOT_DONE;
    NTSTATUS status = directories_prepare(work);

    if (status == STATUS_SUCCESS)
        status = plan_perform_alone(work->tree, work->plan, &work->conflicts, &outcome, &work->why);
    if (outcome == PLAN_NOT_DONE)
        finish(work, WORK_ROLLED_BACK, plan_undo(work->tree, work->plan, NULL) != STATUS_SUCCESS);
    else if (outcome != PLAN_UNKNOWN)
        finish(work, WORK_COMMITTED, work->leaves_names || outcome == PLAN_DONE_UNCLEAN);
    else
        work->state = WORK_PREPARED;
    return status;
}

static bool
is_of_owner(void *context, const char *name)
{
    const struct path_owner *owner = context;
    GUID transaction;

    return hidden_name_parse(name, owner->home, &transaction) &&
           guid_equal(&transaction, &owner->transaction);
}

/* Hidden names are all that a transaction has on disk before the vote. They are looked for by
 * descriptor: somebody may have moved the directory. */
static NTSTATUS
undo_unprepared(struct work *work)
{
    struct view_dir *dir;
    int fd;

    LIST_EACH (dir, &work->view.dirs, in_view)
        if (dir->has_hidden) {
            TRY(view_dir_open(&work->view, dir, &fd));
            TRY(store_sweep(work->store, fd, dir->path, is_of_owner, &work->owner, &work->why));
        }
    return promise_forget(work);
}

static NTSTATUS
undo_prepared(struct work *work)
{
    TRY(plan_undo(work->tree, work->plan, &work->why));
    return promise_forget(work);
}

NTSTATUS
work_rollback(struct work *work)
{
    bool was_prepared = work->state == WORK_PREPARED;
    NTSTATUS status;

    CHECK(work->state == WORK_ACTIVE || was_prepared);
    explain_nothing(&work->why);
    status = was_prepared ? undo_prepared(work) : undo_unprepared(work);
    /* A promise is kept until it is undone; without one, what is left is swept some day. */
    if (status == STATUS_SUCCESS || !was_prepared)
        finish(work, WORK_ROLLED_BACK, status != STATUS_SUCCESS);
    return status;
}

NTSTATUS
work_end_unchanged(struct work *work)
{
    NTSTATUS status = work_check_unchanged(work);

    if (status != STATUS_SUCCESS) {
        struct explanation why = work->why;

        status_forgive(work_rollback(work)); /* hidden names at most */
        work->why = why;
        return status;
    }
    status = undo_unprepared(work); /* the same */
    explain_nothing(&work->why);
    finish(work, WORK_COMMITTED, status != STATUS_SUCCESS || work->leaves_names);
    return STATUS_SUCCESS;
}
