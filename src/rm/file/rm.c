/* SPDX-License-Identifier: MIT */
/*
 * The four functions that the kit wants: prepare, commit, roll back, list.
 *
 * In phase two a transaction that has no promise in the home is done, and here is why that is no
 * guess: a promise is removed only after everything it speaks of is durable (work.c); it was
 * durable before the vote; and the home is the one that gave it, because the TM asks for it by the
 * GUID that is stored beside it, and a home without its identity is not opened (store.c).
 */
#include "rm/file/rm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- references ---- */

void
file_rm_hold(struct ktm_file_rm *rm)
{
    atomic_fetch_add(&rm->references, 1);
}

void
file_rm_release(struct ktm_file_rm *rm)
{
    struct left *left, *after;

    if (atomic_fetch_sub(&rm->references, 1) != 1)
        return;
    LIST_EACH_SAFE (left, after, &rm->left, in_rm) {
        work_destroy(left->work);
        list_remove(&left->in_rm);
        free(left);
    }
    if (rm->store)
        path_locks_release(&rm->store->locks, &rm->home);
    store_close(rm->store);
    sys_mutex_deinit(&rm->mutex);
    free(rm);
}

void
file_tx_hold(struct ktm_file_tx *tx)
{
    atomic_fetch_add(&tx->references, 1);
}

void
file_tx_release(struct ktm_file_tx *tx)
{
    struct ktm_file_rm *rm = tx->rm;

    if (atomic_fetch_sub(&tx->references, 1) != 1)
        return;
    work_destroy(tx->work);
    sys_mutex_deinit(&tx->mutex);
    free(tx);
    file_rm_release(rm);
}

/* ---- the home ---- */

struct guard {
    struct ktm_file_rm *rm;
    const char *home; /* without symbolic links */
    struct explanation *why;
};

static NTSTATUS
guard_path(const struct guard *self, const char *name, bool whole_tree)
{
    NTSTATUS status;
    char *path;

    if (asprintf(&path, "%s%s%s", self->home, self->home[1] ? "/" : "", name) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = path_lock(&self->rm->store->locks, &self->rm->home, path, whole_tree, self->why);
    free(path);
    return status;
}

/* The log of ktm_tm_open, and the directory of the store. */
static NTSTATUS
guard_name(void *context, const char *name)
{
    if (strcmp(name, "file") == 0)
        return guard_path(context, name, true);
    return strncmp(name, "tm.", 3) == 0 ? guard_path(context, name, false) : STATUS_SUCCESS;
}

static NTSTATUS
guard_home(struct ktm_file_rm *rm, struct view *view, const char *home)
{
    __attribute__((cleanup(owned_view_at_deinit))) struct view_at at = VIEW_AT_EMPTY;
    struct guard guard = {.rm = rm, .why = view->why};

    TRY(view_enter(view, home, &at));
    guard.home = at.path;
    /* Neither may the home itself be moved: whoever recovers would look for it in vain. */
    TRY(path_lock(&rm->store->locks, &rm->home, at.path, false, view->why));
    return view_list(view, &at, guard_name, &guard);
}

NTSTATUS
file_rm_guard_home(struct ktm_file_rm *rm, const char *home, struct explanation *why)
{
    struct view view;
    NTSTATUS status;

    view_init(&view, rm->tree, &rm->store->locks, &rm->home, why);
    status = guard_home(rm, &view, home);
    view_deinit(&view);
    return explain_status(why, status, "the home '%s' cannot be looked at", home);
}

/* ---- what earlier runs left ---- */

struct taking_up {
    struct ktm_file_rm *rm;
    NTSTATUS status;
};

static void
take_up(void *context, const GUID *transaction)
{
    struct taking_up *self = context;
    struct left *left = calloc(1, sizeof(*left));

    if (!left) {
        self->status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
        return;
    }
    left->transaction = *transaction;
    left->state = WORK_PREPARED;
    if (work_load(self->rm->store, transaction, &left->why, &left->work) != STATUS_SUCCESS)
        left->work = NULL; /* the reason is in left->why */
    list_append(&self->rm->left, &left->in_rm);
}

NTSTATUS
file_rm_take_up(struct ktm_file_rm *rm, struct explanation *why)
{
    struct taking_up self = {.rm = rm};

    TRY(store_list(rm->store, take_up, &self, why));
    return self.status;
}

static struct left *
left_find(struct ktm_file_rm *rm, const GUID *transaction)
{
    struct left *left, *found = NULL;

    sys_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->left, in_rm)
        if (guid_equal(&left->transaction, transaction))
            found = left;
    sys_mutex_unlock(&rm->mutex);
    return found;
}

/* The outcome of what an earlier run left. The kit asks for one transaction one at a time. */
static enum ktm_rm_answer
settle(struct ktm_file_rm *rm, const struct ktm_rm_key *key, bool commit)
{
    struct left *left = left_find(rm, &key->transaction);
    NTSTATUS status;

    if (!left || left->state != WORK_PREPARED)
        return KTM_RM_DONE;
    if (!left->work)
        return KTM_RM_RETRY; /* damaged: neither of both by guessing */
    status = commit ? work_commit(left->work) : work_rollback(left->work);
    left->why = left->work->why;
    left->state = left->work->state;
    return status == STATUS_SUCCESS ? KTM_RM_DONE : KTM_RM_RETRY;
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    struct ktm_file_rm *rm = context;
    struct left *left;

    LIST_EACH (left, &rm->left, in_rm) {
        struct ktm_rm_key key = {.transaction = left->transaction, .manager = rm->store->identity};

        if (left->state != WORK_PREPARED)
            continue;
        if (left->work) {
            key.enlistment = left->work->plan->enlistment;
            key.manager = left->work->plan->manager;
            key.incarnation = left->work->plan->incarnation;
        }
        each(list, &key);
    }
    return STATUS_SUCCESS;
}

/* ---- what is under way ---- */

static enum ktm_rm_answer
prepare_locked(struct work *work, const struct ktm_rm_key *key)
{
    if (work->state != WORK_ACTIVE)
        return KTM_RM_NO;
    if (work_changes_something(work))
        return work_prepare(work, &key->enlistment) == STATUS_SUCCESS ? KTM_RM_DONE : KTM_RM_NO;
    return work_end_unchanged(work) == STATUS_SUCCESS ? KTM_RM_READ_ONLY : KTM_RM_NO;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_file_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context;
    sys_mutex_lock(&tx->mutex);
    answer = prepare_locked(tx->work, key);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_file_tx *tx = work;
    NTSTATUS status = STATUS_SUCCESS;

    if (!tx)
        return settle(context, key, true);
    sys_mutex_lock(&tx->mutex);
    if (tx->work->state == WORK_PREPARED)
        status = work_commit(tx->work);
    sys_mutex_unlock(&tx->mutex);
    return status == STATUS_SUCCESS ? KTM_RM_DONE : KTM_RM_RETRY;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_file_tx *tx = work;
    NTSTATUS status = STATUS_SUCCESS;

    if (!tx)
        return settle(context, key, false);
    sys_mutex_lock(&tx->mutex);
    if (tx->work->state == WORK_ACTIVE)
        status_forgive(work_rollback(tx->work)); /* nothing was promised: the note remembers */
    else if (tx->work->state == WORK_PREPARED)
        status = work_rollback(tx->work);
    sys_mutex_unlock(&tx->mutex);
    return status == STATUS_SUCCESS ? KTM_RM_DONE : KTM_RM_RETRY;
}

static void
forget(void *context, void *work)
{
    (void)context;
    file_tx_release(work);
}

static void
hold(void *context, void *work)
{
    (void)context;
    file_tx_hold(work);
}

const struct ktm_rm_author file_author = {
    .prepare = prepare,
    .commit = commit,
    .rollback = rollback,
    .list_in_doubt = list_in_doubt,
    .forget = forget,
    .hold = hold,
};
