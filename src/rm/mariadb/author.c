/* SPDX-License-Identifier: MIT */
/* What the kit asks: prepare, commit, roll back, list. */
#include "rm/mariadb/mariadb.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_NS 2000000L
#define KILL_EVERY    25u

/* ---- before the vote ---- */

void
tx_undo(struct ktm_mariadb_tx *tx, enum ktm_mariadb_state state)
{
    struct session *session = give(tx->session);
    char sql[XID_SIZE + 16];
    struct explanation why = {0};

    atomic_store(&tx->state, state);
    if (!session)
        return;
    if (!session->is_lost && tx->is_begun) {
        /* XA END fails when a deadlock has ended it already, or we have. Twice: a KILL QUERY may
         * still be under way. */
        for (int i = 0; i < 2; i++) {
            snprintf(sql, sizeof(sql), "XA END %s", tx->xid.text);
            (void)!session_say(session, sql, NULL, &why);
            snprintf(sql, sizeof(sql), "XA ROLLBACK %s", tx->xid.text);
            session->is_spoiled = session_say(session, sql, NULL, &why) != STATUS_SUCCESS;
            if (!session->is_spoiled || session->is_lost)
                break;
        }
        if (!session->is_spoiled)
            sign_put_back(tx);
    }
    /* What was not rolled back is when the connection is closed. */
    session_release(tx->rm, session);
}

static NTSTATUS
check_branch(struct ktm_mariadb_tx *tx)
{
    if (tx->is_doomed) {
        explain_again(&tx->why);
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    }
    if (tx->session->is_lost)
        return explain(&tx->why, status_raise(STATUS_RM_DISCONNECTED), "the connection was lost");
    return STATUS_SUCCESS;
}

/* Going back to a savepoint of just now undoes nothing, and the server warns when the transaction
 * has changed tables for which it never can. When it has used a table of Aria, if only to read, the
 * server refuses the savepoint, and nothing tells whether it was changed. */
static NTSTATUS
check_engines(struct ktm_mariadb_tx *tx)
{
    unsigned error;
    NTSTATUS status = session_say(tx->session, "SAVEPOINT ktm_vote", &error, &tx->why);

    if (status == STATUS_SUCCESS)
        status = session_say(tx->session, "ROLLBACK TO SAVEPOINT ktm_vote", &error, &tx->why);
    if (status == STATUS_SUCCESS && mysql_warning_count(tx->session->connection) == 0)
        return STATUS_SUCCESS;
    if (status != STATUS_SUCCESS && error != ER_CHECK_NOT_IMPLEMENTED)
        return status;
    return explain(
        &tx->why, status_raise(STATUS_NOT_SUPPORTED),
        "a table was changed that cannot be rolled back (MyISAM, MEMORY), or one of Aria "
        "used, or a temporary table made or dropped");
}

/* ---- prepare ---- */

/* The sign, the end of the work and the promise, in one go. When the sign could not be written, or
 * a warning says that it is no promise, what is prepared is rolled back: until we have voted nobody
 * else will commit it. */
static NTSTATUS
send_prepare(struct ktm_mariadb_tx *tx)
{
    char sql[SIGN_SIZE];

    sign_statement(tx, sql);
    TRY(session_send(tx->session, sql, &tx->why));
    snprintf(sql, sizeof(sql), "XA END %s", tx->xid.text);
    TRY(session_send(tx->session, sql, &tx->why));
    snprintf(sql, sizeof(sql), "XA PREPARE %s", tx->xid.text);
    return session_send(tx->session, sql, &tx->why);
}

/* Nobody knows how much of it the server has got. */
static NTSTATUS
lost(struct ktm_mariadb_tx *tx)
{
    session_release(tx->rm, give(tx->session));
    outcome_add_orphan(tx->rm, &tx->xid.key);
    outcome_tend_orphans(tx->rm);
    return status_raise(STATUS_RM_DISCONNECTED);
}

static NTSTATUS
hear_prepared(struct ktm_mariadb_tx *tx)
{
    struct session *session = tx->session;
    struct explanation rest = {0};
    NTSTATUS sign = session_hear(session, "writing the sign", &tx->why);
    NTSTATUS written = sign == STATUS_SUCCESS ? sign_is_written(tx) : sign;
    NTSTATUS end = session_hear(session, "XA END", written == STATUS_SUCCESS ? &tx->why : &rest);
    NTSTATUS status =
        session_hear(session, "XA PREPARE",
                     written == STATUS_SUCCESS && end == STATUS_SUCCESS ? &tx->why : &rest);

    if (session->is_lost)
        return lost(tx);
    TRY(written);
    TRY(end);
    TRY(status);
    /* A storage engine that knows no XA says so in a warning only. */
    if (mysql_warning_count(session->connection) != 0)
        return explain(&tx->why, status_raise(STATUS_NOT_SUPPORTED),
                       "a table was changed whose storage engine cannot prepare");
    return STATUS_SUCCESS;
}

/* SUCCESS: it is under way. Answers: RESOURCEMANAGER_READ_ONLY. */
static NTSTATUS
begin_to_prepare(struct ktm_mariadb_tx *tx)
{
    bool has_written;

    if (atomic_load(&tx->state) != KTM_MARIADB_ACTIVE || !tx->session)
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    tx->is_lent = false; /* who commits does not use it at the same time */
    if (!tx->is_begun)
        return STATUS_RESOURCEMANAGER_READ_ONLY;
    TRY(check_branch(tx));
    TRY(written_ask(tx, &has_written));
    /* To prepare it would make a branch that XA COMMIT answers with XA_RBROLLBACK (1402). */
    if (!has_written)
        return STATUS_RESOURCEMANAGER_READ_ONLY;
    if (!tx->is_plain)
        TRY(check_engines(tx));
    sign_choose(tx->rm, &tx->id);
    if (send_prepare(tx) != STATUS_SUCCESS)
        return lost(tx);
    return STATUS_SUCCESS;
}

static enum ktm_rm_answer
prepare_locked(struct ktm_mariadb_tx *tx)
{
    bool was_active = atomic_load(&tx->state) == KTM_MARIADB_ACTIVE;
    NTSTATUS status = tx->is_asked ? tx->voted : begin_to_prepare(tx);

    tx->is_asked = false;
    if (status == STATUS_SUCCESS)
        status = hear_prepared(tx);
    if (status == STATUS_SUCCESS) {
        atomic_store(&tx->state, KTM_MARIADB_PREPARED);
        return KTM_RM_DONE;
    }
    if (status == STATUS_RESOURCEMANAGER_READ_ONLY) {
        tx_undo(tx, KTM_MARIADB_READ_ONLY);
        return KTM_RM_READ_ONLY;
    }
    if (was_active) {
        tx->is_doomed = true; /* and why is known */
        tx_undo(tx, KTM_MARIADB_ROLLED_BACK);
    }
    return KTM_RM_NO;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_mariadb_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context;
    (void)key;
    pthread_mutex_lock(&tx->mutex);
    answer = prepare_locked(tx);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

static void
begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit)
{
    struct ktm_mariadb_tx *tx = work;

    (void)context;
    (void)key;
    pthread_mutex_lock(&tx->mutex);
    if (!commit) {
        tx->voted = begin_to_prepare(tx);
        tx->is_asked = true;
    } else if (atomic_load(&tx->state) == KTM_MARIADB_PREPARED) {
        outcome_begin(tx);
    }
    pthread_mutex_unlock(&tx->mutex);
}

/* ---- outcomes of this run ---- */

static enum ktm_rm_answer
finish_prepared(struct ktm_mariadb_tx *tx, bool commit)
{
    enum finished finished = outcome_finish(tx, commit);

    if (finished == NOT_FINISHED) {
        if (!tx->was_told)
            report(tx->rm, KTM_MARIADB_UNFINISHED, &tx->id, commit, tx->why.text);
        tx->was_told = true;
        return KTM_RM_RETRY;
    }
    if (finished == FINISHED_OTHERWISE)
        report(tx->rm, KTM_MARIADB_DAMAGED, &tx->id, commit, tx->why.text);
    atomic_store(&tx->state, (finished == FINISHED) == commit ? KTM_MARIADB_COMMITTED
                                                              : KTM_MARIADB_ROLLED_BACK);
    if (finished == FINISHED && !commit)
        sign_put_back(tx);
    sign_retire(tx, finished == FINISHED && commit);
    if (tx->was_told)
        manager_well(&tx->rm->base);
    outcome_tend_orphans(tx->rm);
    return KTM_RM_DONE;
}

/* The statement under way on the transaction's connection, if there is one. */
static void
kill_statement(struct ktm_mariadb_tx *tx)
{
    struct explanation why = {0};
    struct session *session;
    char sql[64];

    if (session_take_for_outcome(tx->rm, &why, &session) != STATUS_SUCCESS)
        return;
    snprintf(sql, sizeof(sql), "KILL QUERY %lu", tx->thread);
    (void)!session_say(session, sql, NULL, &why);
    session_release_for_outcome(tx->rm, session);
}

/* The application may be waiting for a statement: it is killed, again and again, for it may just be
 * about to begin. */
static void
lock_against_statement(struct ktm_mariadb_tx *tx)
{
    for (unsigned i = 0; pthread_mutex_trylock(&tx->mutex) != 0; i++) {
        if (i % KILL_EVERY == 0 && atomic_load(&tx->state) == KTM_MARIADB_ACTIVE)
            kill_statement(tx);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
    }
}

static enum ktm_rm_answer
rollback_work(struct ktm_mariadb_tx *tx)
{
    enum ktm_rm_answer answer = KTM_RM_DONE;

    lock_against_statement(tx);
    if (atomic_load(&tx->state) == KTM_MARIADB_PREPARED) {
        answer = finish_prepared(tx, false);
    } else if (tx->session && tx->is_lent && !pthread_equal(tx->borrower, pthread_self())) {
        /* Somebody is using the connection itself. It cannot be committed any more; the XA ROLLBACK
         * is said when its user comes back to us, or closes. */
        atomic_store(&tx->state, KTM_MARIADB_ROLLED_BACK);
        kill_statement(tx);
    } else if (atomic_load(&tx->state) == KTM_MARIADB_ACTIVE) {
        tx_undo(tx, KTM_MARIADB_ROLLED_BACK);
    }
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- outcomes of earlier runs ---- */

static enum ktm_rm_answer
settle(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key, bool commit)
{
    static const enum ktm_mariadb_kind kinds[] = {[FINISHED] = KTM_MARIADB_SETTLED,
                                                  [FINISHED_OTHERWISE] = KTM_MARIADB_DAMAGED,
                                                  [NOT_FINISHED] = KTM_MARIADB_UNFINISHED};
    struct explanation why = {0};
    enum finished finished = outcome_settle(rm, key, commit, &why);

    report(rm, kinds[finished], &key->transaction, commit, why.text);
    if (finished == NOT_FINISHED)
        return KTM_RM_RETRY;
    manager_well(&rm->base);
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_mariadb_tx *tx = work;
    enum ktm_rm_answer answer = KTM_RM_DONE;

    if (!tx)
        return settle(context, key, true);
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_MARIADB_PREPARED)
        answer = finish_prepared(tx, true);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    return work ? rollback_work(work) : settle(context, key, false);
}

struct listing {
    const struct ktm_mariadb_rm *rm;
    ktm_rm_each_key *each;
    void *list;
};

static NTSTATUS
tell_ours(void *context, const struct xid *xid)
{
    const struct listing *listing = context;

    if (guid_equal(&xid->key.manager, &listing->rm->base.home.manager))
        listing->each(listing->list, &xid->key);
    return STATUS_SUCCESS;
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    struct ktm_mariadb_rm *rm = context;
    struct listing listing = {.rm = rm, .each = each, .list = list};

    return outcome_list_all(rm, tell_ours, &listing, &rm->why);
}

/* ---- references ---- */

void
tx_release(struct ktm_mariadb_tx *tx)
{
    struct ktm_mariadb_rm *rm = tx->rm;

    if (atomic_fetch_sub(&tx->references, 1) != 1)
        return;
    if (atomic_load(&tx->state) == KTM_MARIADB_PREPARED && tx->session) {
        /* In doubt while the RM is closed: it stays prepared. */
        tx->session->is_spoiled = true;
        session_release(rm, give(tx->session));
    }
    tx_undo(tx, (enum ktm_mariadb_state)atomic_load(&tx->state));
    sign_retire(tx, false);
    free(tx->row);
    pthread_mutex_destroy(&tx->mutex);
    free(tx);
    rm_release(rm);
}

static void
forget(void *context, void *work)
{
    (void)context;
    tx_release(work);
}

static void
hold(void *context, void *work)
{
    struct ktm_mariadb_tx *tx = work;

    (void)context;
    atomic_fetch_add(&tx->references, 1);
}

/* No commit_alone: the branch has begun as one of XA when it turns out to be alone, and XA COMMIT
 * ONE PHASE is not safe with the binary log (MDEV-31921). */
const struct ktm_rm_author mariadb_author = {
    .prepare = prepare,
    .commit = commit,
    .rollback = rollback,
    .list_in_doubt = list_in_doubt,
    .forget = forget,
    .hold = hold,
    .begin = begin,
};
