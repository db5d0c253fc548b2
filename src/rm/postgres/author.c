/* SPDX-License-Identifier: MIT */
/* What the kit asks: prepare, commit, roll back, list. */
#include "rm/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANCEL_EVERY 50000000 /* nanoseconds */

/* ---- before the vote ---- */

void
tx_undo(struct ktm_postgres_tx *tx, enum ktm_postgres_state state)
{
    struct session *session = give(tx->session);
    struct explanation why = {0};

    atomic_store(&tx->state, state);
    if (!session)
        return;
    /* A lost connection has rolled back by itself. Twice: a cancel may still be under way. */
    for (int i = 0; i < 2; i++)
        if (PQtransactionStatus(session->connection) == PQTRANS_INTRANS ||
            PQtransactionStatus(session->connection) == PQTRANS_INERROR)
            (void)!session_say(session, "ROLLBACK", "ROLLBACK", &why);
    session_release(tx->rm, session);
}

NTSTATUS
tx_check_begun(struct ktm_postgres_tx *tx)
{
    if (!tx->is_begun || PQtransactionStatus(tx->session->connection) != PQTRANS_IDLE)
        return STATUS_SUCCESS;
    if (!tx->why.text[0])
        explain_sentence(&tx->why, "there is no transaction in the database: BEGIN has failed, or "
                                   "a COMMIT or ROLLBACK that was not ours has ended it");
    explain_again(&tx->why);
    return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
}

static NTSTATUS
check_block(struct ktm_postgres_tx *tx)
{
    TRY(tx_check_begun(tx));
    switch (PQtransactionStatus(tx->session->connection)) {
    case PQTRANS_INTRANS:
        return STATUS_SUCCESS;
    case PQTRANS_INERROR:
        /* A PREPARE here would be answered with success, and nothing prepared. */
        if (!tx->why.text[0])
            explain_sentence(&tx->why, "a statement has failed, so nothing can be committed");
        explain_again(&tx->why);
        break;
    default:
        explain_sentence(&tx->why, "the connection was lost, or is in the middle of a statement");
    }
    return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
}

bool
tx_is_role_fit(const struct ktm_postgres_tx *tx, const char *role)
{
    return tx->rm->is_superuser || strcmp(role, tx->rm->role) == 0;
}

/* A deferred constraint may have to wait at the vote for another transaction, and that one for the
 * thread that is waiting: only here somebody can give up, so who has set no limit gets one. */
static NTSTATUS
ask_number(struct ktm_postgres_tx *tx)
{
    PGresult *result = session_ask_words(tx->session, WORDS_VOTE);
    NTSTATUS status = STATUS_SUCCESS;

    tx->has_limit = true;
    tx->xid = 0; /* of a transaction that was not ours to end, perhaps */
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        status = explain_result(&tx->why, tx->session->connection, result, "asking what changed");
    } else if (!PQgetisnull(result, 0, 0)) {
        const char *role = PQgetvalue(result, 0, 1);

        tx->xid = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        if (!tx_is_role_fit(tx, role))
            status = explain(&tx->why, status_raise(STATUS_ACCESS_DENIED),
                             "what the role '%s' prepares cannot be ended by '%s', the role of the "
                             "resource manager",
                             role, tx->rm->role);
    }
    PQclear(result);
    return status;
}

NTSTATUS
tx_number(struct ktm_postgres_tx *tx)
{
    NTSTATUS status;

    tx->is_lent = false; /* who commits does not use it at the same time */
    if (!tx->is_begun)
        return STATUS_SUCCESS;
    status = check_block(tx);
    if (status == STATUS_SUCCESS && !(tx->is_plain && tx->xid))
        status = ask_number(tx);
    if (status != STATUS_SUCCESS)
        tx_undo(tx, KTM_POSTGRES_ROLLED_BACK);
    return status;
}

const char *
tx_limit(const struct ktm_postgres_tx *tx)
{
    return tx->has_limit ? "" : "SET LOCAL lock_timeout = " VOTE_WAITS "; ";
}

/* ---- prepare ---- */

/* PREPARE TRANSACTION is durable when it is answered, whatever synchronous_commit says. In a failed
 * transaction it is a ROLLBACK and says so only in the command tag. Whom the vote has not asked for
 * the role may have another one all the same: by a trigger. */
static void
send_prepare(struct ktm_postgres_tx *tx)
{
    char sql[GID_SIZE + 96];

    snprintf(sql, sizeof(sql), "%s%sPREPARE TRANSACTION '%s'", tx_limit(tx),
             tx->is_plain && !tx->rm->is_superuser ? "RESET ROLE; " : "", tx->name.gid);
    session_send(tx->session, sql);
}

static enum ktm_rm_answer
hear_prepared(struct ktm_postgres_tx *tx)
{
    if (session_hear(tx->session, "PREPARE TRANSACTION", &tx->why) == STATUS_SUCCESS) {
        atomic_store(&tx->state, KTM_POSTGRES_PREPARED);
        session_release(tx->rm, give(tx->session)); /* free at once for others */
        return KTM_RM_DONE;
    }
    if (PQstatus(tx->session->connection) != CONNECTION_OK) {
        outcome_add_orphan(tx->rm, &tx->name);
        outcome_tend_orphans(tx->rm);
    }
    tx_undo(tx, KTM_POSTGRES_ROLLED_BACK);
    return KTM_RM_NO;
}

/* DONE: PREPARE is under way. Else it is the answer. */
static enum ktm_rm_answer
begin_to_prepare(struct ktm_postgres_tx *tx, const struct ktm_rm_key *key)
{
    if (atomic_load(&tx->state) != KTM_POSTGRES_ACTIVE || !tx->session)
        return KTM_RM_NO;
    if (tx_number(tx) != STATUS_SUCCESS)
        return KTM_RM_NO;
    if (tx->xid == 0) {
        /* Not COMMIT: a NOTIFY would be sent before the outcome is known. */
        tx_undo(tx, KTM_POSTGRES_READ_ONLY);
        return KTM_RM_READ_ONLY;
    }
    tx->name = (struct name){.transaction = key->transaction,
                             .enlistment = key->enlistment,
                             .incarnation = key->incarnation,
                             .xid = tx->xid,
                             .place = tx->session->place};
    name_print(tx->rm, &tx->name);
    if (name_keep(tx->rm, &tx->name) != STATUS_SUCCESS) {
        explain_sentence(&tx->why, "what is to be prepared cannot be noted in the home");
        tx_undo(tx, KTM_POSTGRES_ROLLED_BACK);
        return KTM_RM_NO;
    }
    send_prepare(tx);
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_postgres_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context;
    pthread_mutex_lock(&tx->mutex);
    answer = tx->is_asked ? tx->answer : begin_to_prepare(tx, key);
    tx->is_asked = false;
    if (answer == KTM_RM_DONE)
        answer = hear_prepared(tx);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

static void
begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit)
{
    struct ktm_postgres_tx *tx = work;

    (void)context;
    pthread_mutex_lock(&tx->mutex);
    if (!commit) {
        tx->answer = begin_to_prepare(tx, key);
        tx->is_asked = true;
    } else if (atomic_load(&tx->state) == KTM_POSTGRES_PREPARED) {
        tx->finishing = outcome_begin(tx->rm, &tx->name, true);
    }
    pthread_mutex_unlock(&tx->mutex);
}

static enum ktm_rm_answer
commit_alone(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_postgres_tx *tx = work;
    enum ktm_rm_answer answer = KTM_RM_NO;

    (void)context;
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_POSTGRES_ACTIVE && tx->session)
        answer = alone_commit(tx, key);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- outcomes of this run ---- */

static enum ktm_rm_answer
finish_prepared(struct ktm_postgres_tx *tx, bool commit)
{
    struct session *begun = give(tx->finishing);
    enum finished finished = begun ? outcome_end(tx->rm, begun, &tx->name, commit, &tx->why)
                                   : outcome_finish(tx->rm, &tx->name, commit, &tx->why);

    if (finished == NOT_FINISHED) {
        if (!tx->was_told)
            report(tx->rm, KTM_POSTGRES_UNFINISHED, &tx->id, commit, tx->why.text);
        tx->was_told = true;
        return KTM_RM_RETRY;
    }
    if (finished == FINISHED_OTHERWISE)
        report(tx->rm, KTM_POSTGRES_DAMAGED, &tx->id, commit, tx->why.text);
    atomic_store(&tx->state, (finished == FINISHED) == commit ? KTM_POSTGRES_COMMITTED
                                                              : KTM_POSTGRES_ROLLED_BACK);
    if (tx->was_told)
        manager_well(&tx->rm->base);
    outcome_tend_orphans(tx->rm);
    return KTM_RM_DONE;
}

/* The application may be waiting for a statement: it is cancelled. */
static void
lock_against_statement(struct ktm_postgres_tx *tx)
{
    char text[256];

    while (pthread_mutex_trylock(&tx->mutex) != 0) {
        /* While it is active only a vote or a rollback gives the session away, and the kit asks for
         * one of them at a time. */
        if (atomic_load(&tx->state) == KTM_POSTGRES_ACTIVE)
            PQcancel(tx->session->cancel, text, sizeof(text));
        nanosleep(&(struct timespec){.tv_nsec = CANCEL_EVERY}, NULL);
    }
}

static enum ktm_rm_answer
rollback_work(struct ktm_postgres_tx *tx)
{
    enum ktm_rm_answer answer = KTM_RM_DONE;
    char text[256];

    lock_against_statement(tx);
    if (atomic_load(&tx->state) == KTM_POSTGRES_PREPARED) {
        answer = finish_prepared(tx, false);
    } else if (tx->session && tx->is_lent && !pthread_equal(tx->borrower, pthread_self())) {
        /* Somebody is using the connection itself. It cannot be committed any more; the ROLLBACK
         * is said when its user comes back to us, or closes. */
        atomic_store(&tx->state, KTM_POSTGRES_ROLLED_BACK);
        PQcancel(tx->session->cancel, text, sizeof(text));
    } else if (atomic_load(&tx->state) == KTM_POSTGRES_ACTIVE) {
        tx_undo(tx, KTM_POSTGRES_ROLLED_BACK);
    }
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

/* ---- outcomes of earlier runs ---- */

static bool
left_find(struct ktm_postgres_rm *rm, const GUID *enlistment, struct name *out)
{
    struct left *left;
    bool found = false;

    pthread_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->left, in_rm)
        if (guid_equal(&left->name.enlistment, enlistment)) {
            *out = left->name;
            found = true;
        }
    pthread_mutex_unlock(&rm->mutex);
    return found;
}

static enum ktm_rm_answer
settle(struct ktm_postgres_rm *rm, const struct ktm_rm_key *key, bool commit)
{
    static const enum ktm_postgres_kind kinds[] = {[FINISHED] = KTM_POSTGRES_SETTLED,
                                                   [FINISHED_OTHERWISE] = KTM_POSTGRES_DAMAGED,
                                                   [NOT_FINISHED] = KTM_POSTGRES_UNFINISHED};
    struct explanation why = {0};
    struct name name;
    enum finished finished = NOT_FINISHED;

    if (left_find(rm, &key->enlistment, &name) || name_recall(rm, key, &name) == STATUS_SUCCESS)
        finished = outcome_finish(rm, &name, commit, &why);
    else
        explain_sentence(&why, "what was prepared is not known: its recovery information cannot "
                               "be read");
    report(rm, kinds[finished], &key->transaction, commit, why.text);
    if (finished == NOT_FINISHED)
        return KTM_RM_RETRY;
    manager_well(&rm->base);
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_postgres_tx *tx = work;
    enum ktm_rm_answer answer = KTM_RM_DONE;

    if (!tx)
        return settle(context, key, true);
    pthread_mutex_lock(&tx->mutex);
    if (atomic_load(&tx->state) == KTM_POSTGRES_PREPARED)
        answer = finish_prepared(tx, true);
    pthread_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    return work ? rollback_work(work) : settle(context, key, false);
}

static NTSTATUS
take_up(struct ktm_postgres_rm *rm, const struct name *name, ktm_rm_each_key *each, void *list)
{
    struct ktm_rm_key key = {.transaction = name->transaction,
                             .enlistment = name->enlistment,
                             .manager = rm->base.home.manager,
                             .incarnation = name->incarnation};
    struct left *left = calloc(1, sizeof(*left));

    if (!left)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    left->name = *name;
    pthread_mutex_lock(&rm->mutex);
    list_append(&rm->left, &left->in_rm);
    pthread_mutex_unlock(&rm->mutex);
    each(list, &key);
    return STATUS_SUCCESS;
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    static const char sql[] = "SELECT gid FROM pg_prepared_xacts"
                              " WHERE database = current_database() AND starts_with(gid, $1)";
    struct ktm_postgres_rm *rm = context;
    struct session *session;
    char prefix[GID_SIZE];
    const char *values[] = {prefix};
    NTSTATUS status = STATUS_SUCCESS;
    PGresult *result;

    name_prefix(rm, prefix);
    TRY(session_take_for_outcome(rm, &rm->why, &session));
    result = session_ask(session, sql, 1, values);
    for (int i = 0; result && status == STATUS_SUCCESS && i < PQntuples(result); i++) {
        struct name name;

        if (!name_parse(rm, PQgetvalue(result, i, 0), &name))
            continue;
        name.place = session->place;
        status = take_up(rm, &name, each, list);
    }
    if (!result)
        status = explain_result(&rm->why, session->connection, NULL, "asking what is prepared");
    PQclear(result);
    session_release_for_outcome(rm, session);
    return status;
}

/* ---- references ---- */

void
tx_release(struct ktm_postgres_tx *tx)
{
    struct ktm_postgres_rm *rm = tx->rm;

    if (atomic_fetch_sub(&tx->references, 1) != 1)
        return;
    tx_undo(tx, (enum ktm_postgres_state)atomic_load(&tx->state));
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
    struct ktm_postgres_tx *tx = work;

    (void)context;
    atomic_fetch_add(&tx->references, 1);
}

const struct ktm_rm_author postgres_author = {
    .prepare = prepare,
    .commit = commit,
    .rollback = rollback,
    .list_in_doubt = list_in_doubt,
    .forget = forget,
    .hold = hold,
    .begin = begin,
    .commit_alone = commit_alone,
};
