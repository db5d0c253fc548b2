/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a prepared branch.
 *
 * It can be ended by the connection that prepared it, or, when that is gone on the server's side
 * too, by any other; all others are told XAER_NOTA (1397) until then, as they are when there is no
 * such branch. So what is 1397 and listed is tried again, and for what is not listed the sign tells
 * what became of it.
 */
#include "rm/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DETACH_TIMES   40
#define DETACH_WAIT_NS 5000000L

/* ---- listing ---- */

NTSTATUS
outcome_list(struct session *session, outcome_each *each, void *context, struct explanation *why)
{
    MYSQL_RES *result = session_ask(session, "XA RECOVER FORMAT='SQL'", why);
    NTSTATUS status = STATUS_SUCCESS;
    struct xid xid;

    if (!result)
        return status_raise(STATUS_RM_DISCONNECTED);
    for (MYSQL_ROW row; status == STATUS_SUCCESS && (row = mysql_fetch_row(result));)
        if (xid_parse(row, &xid))
            status = each(context, &xid);
    mysql_free_result(result);
    return status;
}

NTSTATUS
outcome_list_all(struct ktm_mariadb_rm *rm, outcome_each *each, void *context,
                 struct explanation *why)
{
    for (bool is_first = true;; is_first = false) {
        struct session *session;
        NTSTATUS status;
        bool was_lost;

        TRY(session_take_for_outcome(rm, why, &session));
        status = outcome_list(session, each, context, why);
        was_lost = session->is_lost;
        session_release_for_outcome(rm, session);
        /* One that had been idle may have been lost long ago. */
        if (status == STATUS_SUCCESS || !was_lost || !is_first)
            return status;
    }
}

struct search {
    const struct ktm_rm_key *key;
    struct xid found;
    bool is_found;
};

/* Of whichever run of ours: the kit says the incarnation of this one. */
static NTSTATUS
compare(void *context, const struct xid *xid)
{
    struct search *search = context;

    if (guid_equal(&xid->key.transaction, &search->key->transaction) &&
        guid_equal(&xid->key.manager, &search->key->manager)) {
        search->found = *xid;
        search->is_found = true;
    }
    return STATUS_SUCCESS;
}

/* ---- proof ---- */

static enum finished
prove(struct ktm_mariadb_rm *rm, struct session *session, const struct ktm_rm_key *key, bool commit,
      struct explanation *why)
{
    enum sign sign = sign_look(rm, session, &key->transaction, why);

    if (sign == SIGN_UNKNOWN)
        return NOT_FINISHED;
    if ((sign == SIGN_THERE) == commit)
        return FINISHED;
    explain_sentence(why,
                     "somebody else has %s the prepared branch, while the outcome is %s: what took "
                     "part in it does not agree",
                     commit ? "rolled back" : "committed", commit ? "commit" : "rollback");
    return FINISHED_OTHERWISE;
}

/* ---- finishing ---- */

static void
print_outcome(const struct xid *xid, bool commit, char sql[XID_SIZE + 16])
{
    snprintf(sql, XID_SIZE + 16, "XA %s %s", commit ? "COMMIT" : "ROLLBACK", xid->text);
}

static NTSTATUS
say_outcome(struct session *session, const struct xid *xid, bool commit, struct explanation *why)
{
    char sql[XID_SIZE + 16];

    print_outcome(xid, commit, sql);
    return session_say(session, sql, NULL, why);
}

/* Once. '*again': it is attached to a connection that is on its way out, perhaps. */
static enum finished
finish_once(struct ktm_mariadb_rm *rm, struct session *session, const struct ktm_rm_key *key,
            bool commit, bool *again, struct explanation *why)
{
    struct search search = {.key = key};

    *again = false;
    if (outcome_list(session, compare, &search, why) != STATUS_SUCCESS)
        return NOT_FINISHED;
    if (!search.is_found)
        return prove(rm, session, key, commit, why);
    if (say_outcome(session, &search.found, commit, why) == STATUS_SUCCESS)
        return FINISHED;
    *again = !session->is_lost;
    return NOT_FINISHED;
}

static enum finished
finish_elsewhere(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key, bool commit,
                 struct explanation *why)
{
    enum finished finished = NOT_FINISHED;
    bool was_lost = false;

    for (int i = 0; i < DETACH_TIMES; i++) {
        struct session *session;
        bool again, is_lost;

        if (session_take_for_outcome(rm, why, &session) != STATUS_SUCCESS)
            return NOT_FINISHED;
        finished = finish_once(rm, session, key, commit, &again, why);
        is_lost = session->is_lost;
        session_release_for_outcome(rm, session);
        /* One that had been idle may have been lost long ago. */
        if (finished != NOT_FINISHED || (!again && !(is_lost && !was_lost)))
            return finished;
        was_lost = is_lost;
        nanosleep(&(struct timespec){.tv_nsec = DETACH_WAIT_NS}, NULL);
    }
    return finished;
}

void
outcome_begin(struct ktm_mariadb_tx *tx)
{
    char sql[XID_SIZE + 16];

    print_outcome(&tx->xid, true, sql);
    tx->is_finishing = tx->session && session_send(tx->session, sql, &tx->why) == STATUS_SUCCESS;
}

enum finished
outcome_finish(struct ktm_mariadb_tx *tx, bool commit)
{
    struct session *session = give(tx->session);
    bool is_done;

    if (session) {
        if (tx->is_finishing)
            is_done = session_hear(session, "XA COMMIT", &tx->why) == STATUS_SUCCESS;
        else
            is_done = say_outcome(session, &tx->xid, commit, &tx->why) == STATUS_SUCCESS;
        tx->is_finishing = false;
        session->is_spoiled =
            !is_done; /* closing it detaches the branch, whatever state it is in */
        session_release(tx->rm, session);
        if (is_done)
            return FINISHED;
    }
    return finish_elsewhere(tx->rm, &tx->xid.key, commit, &tx->why);
}

enum finished
outcome_settle(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key, bool commit,
               struct explanation *why)
{
    struct left *left = commit ? calloc(1, sizeof(*left)) : NULL;

    /* KTM may ask again at the next start, so the sign must not be swept at this one. */
    if (commit && !left) {
        explain_sentence(why, "there is not enough memory");
        return NOT_FINISHED;
    }
    if (left) {
        left->key = *key;
        pthread_mutex_lock(&rm->mutex);
        list_append(&rm->asked, &left->in_list);
        pthread_mutex_unlock(&rm->mutex);
    }
    return finish_elsewhere(rm, key, commit, why);
}

/* ---- orphans ---- */

void
outcome_add_orphan(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key)
{
    struct left *left = calloc(1, sizeof(*left));

    if (!left)
        return; /* the next start finds it by its name */
    left->key = *key;
    pthread_mutex_lock(&rm->mutex);
    list_append(&rm->orphans, &left->in_list);
    pthread_mutex_unlock(&rm->mutex);
}

static struct left *
orphan_take(struct ktm_mariadb_rm *rm)
{
    struct left *left = NULL;

    pthread_mutex_lock(&rm->mutex);
    if (!list_is_empty(&rm->orphans)) {
        left = list_first(&rm->orphans, struct left, in_list);
        list_remove(&left->in_list);
    }
    pthread_mutex_unlock(&rm->mutex);
    return left;
}

/* Its XA PREPARE may still be at work; then its sign is locked, and it is tried another time. */
void
outcome_tend_orphans(struct ktm_mariadb_rm *rm)
{
    for (struct left *left; (left = orphan_take(rm));) {
        struct explanation why = {0};
        bool is_gone = finish_elsewhere(rm, &left->key, false, &why) != NOT_FINISHED;

        if (!is_gone)
            outcome_add_orphan(rm, &left->key);
        free(left);
        if (!is_gone)
            return;
    }
}
