/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a prepared transaction.
 *
 * "Does not exist" (42704) is not "done": it is also what a DBA's ROLLBACK PREPARED, a restored
 * cluster and a failed-over one leave. The transaction's number is in the name, and pg_xact_status
 * says what became of it; the number is to be trusted, because it was prepared and so durable, but
 * only in the cluster and on the timeline where it was. What cannot be proved stays unfinished,
 * until somebody has looked and says that it is settled (settle.c).
 */
#include "rm/postgres/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDEFINED_OBJECT "42704"

/* ---- proof ---- */

static enum finished
finished_as(const char *fate, bool commit, struct explanation *why)
{
    bool was_committed = strcmp(fate, "committed") == 0;

    if (!was_committed && strcmp(fate, "aborted") != 0) {
        explain_sentence(why, "somebody else is ending the prepared transaction");
        return NOT_FINISHED;
    }
    if (was_committed == commit)
        return FINISHED;
    explain_sentence(why,
                     "somebody else has %s the prepared transaction, while the outcome is %s: what "
                     "took part in it does not agree",
                     was_committed ? "committed" : "rolled back", commit ? "commit" : "rollback");
    return FINISHED_OTHERWISE;
}

/* Nothing can be proved, and 'why' says so: a person may have looked. */
static enum finished
ask_people(struct session *session, const struct name *name, struct explanation *why)
{
    return settled_by_hand(session, &name->transaction, why) ? FINISHED : NOT_FINISHED;
}

static enum finished
ask_fate(struct session *session, const struct name *name, bool commit, struct explanation *why)
{
    char number[24];
    const char *values[] = {number};
    enum finished finished = NOT_FINISHED;
    PGresult *result;

    snprintf(number, sizeof(number), "%" PRIu64, name->xid);
    result = PQexecParams(session->connection, "SELECT pg_xact_status($1::xid8)", 1, NULL, values,
                          NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        /* 22023: a number that this server has not given out yet. */
        (void)!explain_result(why, session->connection, result,
                              "the prepared transaction is gone, and its fate is not known");
        finished = ask_people(session, name, why);
    } else if (PQgetisnull(result, 0, 0)) {
        explain_sentence(why,
                         "the prepared transaction is gone, and the server has forgotten how "
                         "transaction %s has ended",
                         number);
        finished = ask_people(session, name, why);
    } else {
        finished = finished_as(PQgetvalue(result, 0, 0), commit, why);
    }
    PQclear(result);
    return finished;
}

static enum finished
prove(struct session *session, const struct name *name, bool commit, struct explanation *why)
{
    struct place now;

    if (session_place(session, &now, why) != STATUS_SUCCESS)
        return NOT_FINISHED;
    if (now.system != name->place.system || now.timeline != name->place.timeline ||
        now.database != name->place.database) {
        explain_sentence(why,
                         "the prepared transaction '%s' is not there, and this is not the server "
                         "it was prepared on, or one that was restored or promoted since",
                         name->gid);
        return ask_people(session, name, why);
    }
    return ask_fate(session, name, commit, why);
}

/* ---- finishing ---- */

static const char *
tag_of(bool commit)
{
    return commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED";
}

static void
send_outcome(struct session *session, const struct name *name, bool commit)
{
    char sql[GID_SIZE + 32];

    snprintf(sql, sizeof(sql), "%s '%s'", tag_of(commit), name->gid); /* digits and colons */
    session_send(session, sql);
}

static enum finished
hear_outcome(struct session *session, const struct name *name, bool commit, struct explanation *why)
{
    const char *tag = tag_of(commit);
    PGresult *result = session_result(session);
    enum finished finished = NOT_FINISHED;

    if (PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), tag) == 0)
        finished = FINISHED;
    else if (result_is(result, UNDEFINED_OBJECT))
        finished = prove(session, name, commit, why);
    else
        (void)!explain_result(why, session->connection, result, tag);
    PQclear(result);
    return finished;
}

struct session *
outcome_begin(struct ktm_postgres_rm *rm, const struct name *name, bool commit)
{
    struct session *session = session_take_idle(rm);

    if (session)
        send_outcome(session, name, commit);
    return session;
}

enum finished
outcome_end(struct ktm_postgres_rm *rm, struct session *session, const struct name *name,
            bool commit, struct explanation *why)
{
    for (int attempt = 0;; attempt++) {
        enum finished finished = hear_outcome(session, name, commit, why);
        bool was_lost = PQstatus(session->connection) != CONNECTION_OK;

        session_release_for_outcome(rm, session);
        /* One that had been idle may have been lost long ago. */
        if (finished != NOT_FINISHED || !was_lost || attempt > 0)
            return finished;
        if (session_take_for_outcome(rm, why, &session) != STATUS_SUCCESS)
            return NOT_FINISHED;
        send_outcome(session, name, commit);
    }
}

enum finished
outcome_finish(struct ktm_postgres_rm *rm, const struct name *name, bool commit,
               struct explanation *why)
{
    struct session *session;

    if (session_take_for_outcome(rm, why, &session) != STATUS_SUCCESS)
        return NOT_FINISHED;
    send_outcome(session, name, commit);
    return outcome_end(rm, session, name, commit, why);
}

/* ---- orphans ---- */

void
outcome_add_orphan(struct ktm_postgres_rm *rm, const struct name *name)
{
    struct left *left = calloc(1, sizeof(*left));

    if (!left)
        return; /* the next start finds it by its name */
    left->name = *name;
    left->is_orphan = true;
    pthread_mutex_lock(&rm->mutex);
    list_append(&rm->left, &left->in_rm);
    pthread_mutex_unlock(&rm->mutex);
}

static struct left *
orphan_take(struct ktm_postgres_rm *rm)
{
    struct left *left, *found = NULL;

    pthread_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->left, in_rm)
        if (left->is_orphan && !found)
            found = left;
    if (found)
        list_remove(&found->in_rm);
    pthread_mutex_unlock(&rm->mutex);
    return found;
}

/* Its PREPARE may still be at work, or never have begun. It has ended for good when its number has
 * a fate; a number that the server does not know was lost with a crash, and nothing was prepared.
 */
static bool
orphan_is_gone(struct ktm_postgres_rm *rm, const struct name *name)
{
    struct explanation why = {0};
    struct session *session;
    char sql[GID_SIZE + 32];
    PGresult *result;
    bool is_gone;

    if (session_take_for_outcome(rm, &why, &session) != STATUS_SUCCESS)
        return false;
    snprintf(sql, sizeof(sql), "ROLLBACK PREPARED '%s'", name->gid);
    result = PQexec(session->connection, sql);
    is_gone = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (result_is(result, UNDEFINED_OBJECT)) {
        PQclear(result);
        snprintf(sql, sizeof(sql), "SELECT pg_xact_status('%" PRIu64 "'::xid8)", name->xid);
        result = PQexec(session->connection, sql);
        is_gone =
            result_is(result, "22023") || (PQresultStatus(result) == PGRES_TUPLES_OK &&
                                           strcmp(PQgetvalue(result, 0, 0), "in progress") != 0);
    }
    PQclear(result);
    session_release_for_outcome(rm, session);
    return is_gone;
}

void
outcome_tend_orphans(struct ktm_postgres_rm *rm)
{
    for (struct left *left; (left = orphan_take(rm));) {
        bool is_gone = orphan_is_gone(rm, &left->name);

        if (!is_gone)
            outcome_add_orphan(rm, &left->name);
        free(left);
        if (!is_gone)
            return;
    }
}
