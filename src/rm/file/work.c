/* SPDX-License-Identifier: MIT */
/* The work of one transaction: its life, and its outcomes. */
#include "rm/file/work.h"

#include <stdlib.h>

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
        status_forgive(work_rollback(work)); /* what is left is noted */
    path_locks_release(&work->store->locks, &work->owner);
    view_deinit(&work->view);
    plan_destroy(work->plan);
    conflicts_deinit(&work->conflicts);
    free(work);
}

/* ---- after a restart ---- */

/* The paths of a prepared transaction are nobody else's until it is over. */
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
        TRY(status);
    }
    return STATUS_SUCCESS;
}

NTSTATUS
work_load(struct store *store, const GUID *transaction, struct explanation *why, struct work **out)
{
    struct work *work = work_allocate(store, transaction);
    NTSTATUS status;

    if (!work)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    work->state = WORK_PREPARED;
    work->is_resumed = true;
    status = store_load(store, transaction, why, &work->plan);
    if (status == STATUS_SUCCESS)
        status = locks_take(work);
    if (status != STATUS_SUCCESS) {
        work_destroy(work);
        return status;
    }
    *out = work;
    return STATUS_SUCCESS;
}

/* ---- outcomes ---- */

static void
finish(struct work *work, enum work_state state)
{
    view_close(&work->view);
    work->open_file_count = 0;
    path_locks_release(&work->store->locks, &work->owner);
    work->state = state;
}

NTSTATUS
work_commit(struct work *work)
{
    struct explanation *why = &work->why;

    CHECK(work->state == WORK_PREPARED);
    explain_nothing(why);
    /* What a former attempt told is told again. */
    conflicts_deinit(&work->conflicts);
    bool again = work->is_resumed;
    work->is_resumed = true;
    TRY(plan_perform(work->tree, work->plan, again, &work->conflicts, why));
    TRY(store_forget(work->store, &work->transaction, why));
    finish(work, WORK_COMMITTED);
    return STATUS_SUCCESS;
}

/* Hidden names are all that a transaction has on disk before the vote. They are looked for by
 * descriptor: somebody may have moved the directory. */
static NTSTATUS
undo_unprepared(struct work *work)
{
    struct view_dir *dir;
    int fd;

    if (!work->is_noted && !work->has_intent)
        return STATUS_SUCCESS;
    LIST_EACH (dir, &work->view.dirs, in_view)
        if (dir->has_hidden) {
            TRY(view_dir_open(&work->view, dir, &fd));
            TRY(store_sweep(work->store, &work->transaction, fd, dir->path, &work->why));
        }
    return store_forget(work->store, &work->transaction, &work->why);
}

static NTSTATUS
undo_prepared(struct work *work)
{
    TRY(plan_undo(work->tree, work->plan, &work->why));
    return store_forget(work->store, &work->transaction, &work->why);
}

NTSTATUS
work_rollback(struct work *work)
{
    bool was_prepared = work->state == WORK_PREPARED;
    NTSTATUS status;

    CHECK(work->state == WORK_ACTIVE || was_prepared);
    explain_nothing(&work->why);
    status = was_prepared ? undo_prepared(work) : undo_unprepared(work);
    /* A promise is kept until it is undone; without one, what is left is noted. */
    if (status == STATUS_SUCCESS || !was_prepared)
        finish(work, WORK_ROLLED_BACK);
    return status;
}

NTSTATUS
work_end_unchanged(struct work *work)
{
    NTSTATUS status = work_check_unchanged(work);

    if (status != STATUS_SUCCESS) {
        struct explanation why = work->why;

        status_forgive(work_rollback(work)); /* hidden names at most, and noted */
        work->why = why;
        return status;
    }
    status_forgive(undo_unprepared(work)); /* the same */
    explain_nothing(&work->why);
    finish(work, WORK_COMMITTED);
    return STATUS_SUCCESS;
}
