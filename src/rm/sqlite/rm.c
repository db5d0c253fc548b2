/* SPDX-License-Identifier: MIT */
/*
 * The functions that the kit wants of a database that prepares.
 *
 * In phase two, work that has no name beside the database is done, and here is why that is no
 * guess: the name was durable before the vote; nobody but we removes it, for a commit or a
 * rollback, and the TM asks for one of the two alone; and the database is the same file, by inode
 * and birth, that the home remembers. Where it is another one (a backup, a directory that is not
 * mounted) we say so and ask to be asked again.
 */
#include "rm/sqlite/rm.h"

#include <sqlite3.h>
#include <stdlib.h>

/* ---- references ---- */

void
sqlite_rm_hold(struct ktm_sqlite_rm *rm)
{
    atomic_fetch_add(&rm->references, 1);
}

void
sqlite_rm_release(struct ktm_sqlite_rm *rm)
{
    if (atomic_fetch_sub(&rm->references, 1) != 1)
        return;
    park_close(&rm->park);
    store_close(&rm->store);
    sys_mutex_deinit(&rm->mutex);
    free(rm->path);
    free(rm->setup);
    free(rm);
}

void
sqlite_tx_hold(struct ktm_sqlite_tx *tx)
{
    atomic_fetch_add(&tx->references, 1);
}

void
sqlite_tx_release(struct ktm_sqlite_tx *tx)
{
    struct ktm_sqlite_rm *rm = tx->rm;

    if (atomic_fetch_sub(&tx->references, 1) != 1)
        return;
    connection_close(tx);
    sys_mutex_deinit(&tx->mutex);
    free(tx);
    sqlite_rm_release(rm);
}

/* ---- what is under way ---- */

static enum ktm_rm_answer
vote_no(struct ktm_sqlite_tx *tx)
{
    connection_rollback(tx);
    tx->state = KTM_SQLITE_ROLLED_BACK;
    return KTM_RM_NO;
}

static NTSTATUS
park_undo(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    return shim_frame(tx->shim) ? park_rollback_frame(&tx->rm->park, key, &tx->why)
                                : park_rollback(&tx->rm->park, key, &tx->why);
}

static NTSTATUS
park_finish(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    const struct frame *frame = shim_frame(tx->shim);

    return frame ? park_commit_frame(&tx->rm->park, key, frame, &tx->why)
                 : park_commit(&tx->rm->park, key, &tx->why);
}

/* SQLite said that the COMMIT failed, after we had parked: nothing of it shall stay. */
static enum ktm_rm_answer
unpark(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    /* If this fails, the names are those of a branch that the TM does not know, and the next start
     * rolls it back. */
    NTSTATUS status = park_undo(tx, key);

    (void)status;
    return vote_no(tx);
}

static enum ktm_rm_answer
prepare_locked(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    bool is_parked;
    int code;

    if (tx->state != KTM_SQLITE_ACTIVE)
        return KTM_RM_NO;
    tx->why.text[0] = '\0'; /* what was refused before does not matter any more */
    if (!connection_is_in_transaction(tx))
        return vote_no(tx);
    shim_park(tx->shim, key);
    code = connection_commit(tx);
    is_parked = shim_is_parked(tx->shim);
    if (code != SQLITE_OK || (!is_parked && shim_frame(tx->shim))) {
        words_write(&tx->why, "SQLite has not synced the log of '%s'", tx->rm->path);
        return is_parked ? unpark(tx, key) : vote_no(tx);
    }
    tx->state = is_parked ? KTM_SQLITE_PREPARED : KTM_SQLITE_COMMITTED;
    if (!is_parked)
        shim_end(tx->shim); /* there was nothing to commit */
    return is_parked ? KTM_RM_DONE : KTM_RM_READ_ONLY;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context;
    sys_mutex_lock(&tx->mutex);
    answer = prepare_locked(tx, key);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

/* The directory could not be synced after the journal was removed: committed, unless the power
 * goes. Or a log could not be, with the commit in it: whoever opens the database next sees it. */
static bool
is_unknown(struct ktm_sqlite_tx *tx, int code)
{
    return code == SQLITE_IOERR_DIR_FSYNC ||
           (code != SQLITE_OK && shim_may_have_committed(tx->shim));
}

static enum ktm_rm_answer
commit_alone_locked(struct ktm_sqlite_tx *tx)
{
    bool is_writing;
    int code;

    if (tx->state != KTM_SQLITE_ACTIVE)
        return KTM_RM_NO;
    tx->why.text[0] = '\0'; /* what was refused before does not matter any more */
    if (!connection_is_in_transaction(tx))
        return vote_no(tx);
    is_writing = sqlite3_txn_state(tx->db, "main") == SQLITE_TXN_WRITE;
    code = connection_commit(tx);
    if (is_unknown(tx, code)) {
        connection_rollback(tx);
        return KTM_RM_RETRY;
    }
    if (code != SQLITE_OK)
        return vote_no(tx);
    shim_end(tx->shim);
    tx->state = KTM_SQLITE_COMMITTED;
    return is_writing ? KTM_RM_DONE : KTM_RM_READ_ONLY;
}

static enum ktm_rm_answer
commit_alone(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context, (void)key;
    sys_mutex_lock(&tx->mutex);
    answer = commit_alone_locked(tx);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- the outcome of what an earlier run left ---- */

static NTSTATUS
settle_names(struct ktm_sqlite_rm *rm, const struct ktm_rm_key *key, bool is_commit,
             struct words *why)
{
    owned(guard_drop) struct guard *guard = NULL;
    bool is_same = store_is_same(&rm->store, &rm->park.id);

    TRY(guard_take(rm->path, &guard, why));
    return is_commit ? park_commit_again(&rm->park, key, is_same, why)
                     : park_rollback_again(&rm->park, key, why);
}

static enum ktm_rm_answer
settle(struct ktm_sqlite_rm *rm, const struct ktm_rm_key *key, bool is_commit)
{
    struct words why = {.text = ""};
    NTSTATUS status = settle_names(rm, key, is_commit, &why);

    if (status == STATUS_SUCCESS) {
        if (!is_commit)
            database_play_back(rm);
        return KTM_RM_DONE;
    }
    words_write_status(&why, status, "'%s' cannot be finished", rm->path);
    if (rm->options.unfinished)
        rm->options.unfinished(rm->options.context, &key->transaction, is_commit, why.text);
    return KTM_RM_RETRY;
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    struct ktm_sqlite_rm *rm = context;

    return park_list(&rm->park, each, list);
}

/* ---- the outcome ---- */

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;
    enum ktm_rm_answer answer = KTM_RM_DONE;

    if (!tx)
        return settle(context, key, true);
    sys_mutex_lock(&tx->mutex);
    if (tx->state == KTM_SQLITE_PREPARED) {
        tx->why.text[0] = '\0';
        if (park_finish(tx, key) == STATUS_SUCCESS) {
            shim_end(tx->shim);
            tx->state = KTM_SQLITE_COMMITTED;
        } else {
            answer = KTM_RM_RETRY;
        }
    }
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
rollback_locked(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    if (tx->state == KTM_SQLITE_ACTIVE)
        connection_rollback(tx);
    if (tx->state == KTM_SQLITE_PREPARED) {
        tx->why.text[0] = '\0';
        if (park_undo(tx, key) != STATUS_SUCCESS)
            return KTM_RM_RETRY;
        shim_end(tx->shim);
        if (!tx->is_wal)
            database_play_back(tx->rm);
    }
    if (tx->state != KTM_SQLITE_COMMITTED)
        tx->state = KTM_SQLITE_ROLLED_BACK;
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;
    enum ktm_rm_answer answer;

    if (!tx)
        return settle(context, key, false);
    sys_mutex_lock(&tx->mutex);
    answer = rollback_locked(tx, key);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

static void
forget(void *context, void *work)
{
    (void)context;
    sqlite_tx_release(work);
}

static void
hold(void *context, void *work)
{
    (void)context;
    sqlite_tx_hold(work);
}

const struct ktm_rm_author sqlite_author = {
    .prepare = prepare,
    .commit = commit,
    .rollback = rollback,
    .commit_alone = commit_alone,
    .list_in_doubt = list_in_doubt,
    .forget = forget,
    .hold = hold,
};
