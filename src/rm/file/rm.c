/* SPDX-License-Identifier: MIT */
/*
 * What the kit wants of an author: prepare, commit, roll back, list; commit alone; and recover, by
 * which the TM gives back what it has kept.
 *
 * A promise is kept by the TM, as the recovery information of the enlistment, durable with the
 * record that decides; one that is too large for that, or cannot be asked for once more when it was
 * kept long ago (plan_is_evident), is a file in the home. In phase two a transaction for which
 * there is neither is done, and here is why that is no guess: the TM keeps the first for as long as
 * it asks; the second was durable before the vote, and is removed only after everything it speaks
 * of is durable (work.c); and the home is the one that gave it, because the TM asks for it by the
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
        free(left->intent);
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

static NTSTATUS
left_add(struct ktm_file_rm *rm, const GUID *transaction, struct left **out)
{
    struct left *left = calloc(1, sizeof(*left));

    if (!left)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    left->transaction = *transaction;
    left->state = WORK_PREPARED;
    sys_mutex_lock(&rm->mutex);
    list_append(&rm->left, &left->in_rm);
    sys_mutex_unlock(&rm->mutex);
    *out = left;
    return STATUS_SUCCESS;
}

/* When it fails the reason is in left->why; it is tried again when the outcome is known. */
static void
left_load(struct ktm_file_rm *rm, struct left *left)
{
    struct work *work = NULL;
    NTSTATUS status;

    explain_nothing(&left->why);
    if (left->intent)
        status = work_load_kept(rm->store, &left->transaction,
                                bytes_of(left->intent, left->intent_size), &left->why, &work);
    else
        status = work_load(rm->store, &left->transaction, &left->why, &work);
    left->work = status == STATUS_SUCCESS ? work : NULL;
}

static void
take_up(void *context, const GUID *transaction)
{
    struct taking_up *self = context;
    struct left *left;
    NTSTATUS status = left_add(self->rm, transaction, &left);

    if (status == STATUS_SUCCESS)
        left_load(self->rm, left);
    else
        self->status = status;
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

/* The TM has kept the intent, or nothing: then it is in the home, or the transaction is done. */
static void
recover(void *context, const struct ktm_rm_key *key, NTSTATUS status, const void *at, size_t size)
{
    struct ktm_file_rm *rm = context;
    struct left *left;
    uint8_t *intent;

    if ((status == STATUS_SUCCESS && size == 0) || left_find(rm, &key->transaction))
        return;
    if (store_is_done(rm->store, &key->transaction)) {
        store_done_add(rm->store, &key->transaction); /* it may be asked for once more */
        return;
    }
    intent = malloc(size + 1);
    if (status != STATUS_SUCCESS || !intent ||
        left_add(rm, &key->transaction, &left) != STATUS_SUCCESS) {
        rm->has_lost_left = true;
        free(intent);
        return;
    }
    memcpy(intent, at, size);
    left->intent = intent;
    left->intent_size = size;
    left_load(rm, left);
}

static enum work_state
left_state(struct ktm_file_rm *rm, const struct left *left)
{
    enum work_state state;

    sys_mutex_lock(&rm->mutex);
    state = left->state;
    sys_mutex_unlock(&rm->mutex);
    return state;
}

/* Whether an earlier run has promised the transaction, and it is not over. */
static bool
is_left(void *context, const GUID *transaction)
{
    struct ktm_file_rm *rm = context;
    struct left *left = left_find(rm, transaction);

    return left && left_state(rm, left) == WORK_PREPARED;
}

/* What cannot be removed is no reason not to go on, and is told. */
NTSTATUS
file_rm_sweep(struct ktm_file_rm *rm)
{
    struct explanation why = {0};
    struct left *left;

    if (rm->has_lost_left || ktm_rm_status(rm->kit) != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    if (yards_sweep(rm->store, is_left, rm, &why) == STATUS_SUCCESS)
        return STATUS_SUCCESS;
    TRY(left_add(rm, &(GUID){0}, &left));
    left->why = why;
    return STATUS_SUCCESS;
}

/* The outcome of what an earlier run left. The kit asks for one transaction one at a time. */
static enum ktm_rm_answer
settle(struct ktm_file_rm *rm, const struct ktm_rm_key *key, bool commit)
{
    struct left *left = left_find(rm, &key->transaction);
    NTSTATUS status;

    if (!left && rm->has_lost_left)
        return KTM_RM_RETRY;
    if (!left || left_state(rm, left) != WORK_PREPARED)
        return KTM_RM_DONE;
    if (!left->work)
        left_load(rm, left);
    if (!left->work)
        return KTM_RM_RETRY; /* damaged: neither of both by guessing; or not possible now */
    status = commit ? work_commit(left->work) : work_rollback(left->work);
    sys_mutex_lock(&rm->mutex);
    left->why = left->work->why;
    left->state = left->work->state;
    sys_mutex_unlock(&rm->mutex);
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

struct keeping {
    struct ktm_file_rm *rm;
    const struct ktm_rm_key *key;
};

static NTSTATUS
keep(void *context, struct bytes intent)
{
    struct keeping *self = context;

    return ktm_rm_remember(self->rm->kit, self->key, intent.at, (uint32_t)intent.size);
}

static enum ktm_rm_answer
end_unchanged(struct work *work)
{
    return work_end_unchanged(work) == STATUS_SUCCESS ? KTM_RM_READ_ONLY : KTM_RM_NO;
}

static enum ktm_rm_answer
prepare_locked(struct ktm_file_rm *rm, struct work *work, const struct ktm_rm_key *key)
{
    struct keeping keeping = {rm, key};
    struct keeper keeper = {keep, &keeping};

    if (work->state != WORK_ACTIVE)
        return KTM_RM_NO;
    if (!work_changes_something(work))
        return end_unchanged(work);
    return work_prepare(work, &key->enlistment, &keeper) == STATUS_SUCCESS ? KTM_RM_DONE
                                                                           : KTM_RM_NO;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_file_tx *tx = work;
    enum ktm_rm_answer answer;

    sys_mutex_lock(&tx->mutex);
    answer = prepare_locked(context, tx->work, key);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
commit_alone_locked(struct work *work)
{
    NTSTATUS status;
    bool is_done;

    if (work->state != WORK_ACTIVE)
        return KTM_RM_NO;
    if (!work_changes_something(work))
        return end_unchanged(work);
    status = work_commit_alone(work, &is_done);
    if (status == STATUS_SUCCESS)
        return is_done ? KTM_RM_DONE : KTM_RM_TWO_PHASES;
    return work->state == WORK_ROLLED_BACK ? KTM_RM_NO : KTM_RM_RETRY;
}

/* One rename needs no decision beside it; all else has two phases. */
static enum ktm_rm_answer
commit_alone(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_file_rm *rm = context;
    struct ktm_file_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)key;
    if (rm->is_logged)
        return KTM_RM_TWO_PHASES;
    sys_mutex_lock(&tx->mutex);
    answer = commit_alone_locked(tx->work);
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
        status_forgive(
            work_rollback(tx->work)); /* nothing was promised: what is left is in a yard */
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
    .commit_alone = commit_alone,
    .recover = recover,
    .forget = forget,
    .hold = hold,
};
