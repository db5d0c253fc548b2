/* SPDX-License-Identifier: MIT */
/*
 * Single phase: the database's own COMMIT is the decision.
 *
 * When its answer is lost, only the database knows. The number of the transaction proves nothing
 * here: one that was never made durable is given out again after a crash, and then tells the fate
 * of somebody else's. So a row with the enlistment is committed along with the work, and the
 * question is whether it is there. Before it is asked the lock that the transaction holds must have
 * been had, so that a server's side which is still at the COMMIT has ended.
 */
#include "rm/postgres/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SWEEP_EVERY 256u
#define ASK_TIMES   20

/* ---- the table ---- */

void
alone_find_table(struct ktm_postgres_rm *rm, struct session *session)
{
    static const char make[] =
        "CREATE TABLE IF NOT EXISTS ktm_outcome (enlistment uuid PRIMARY KEY,"
        " manager uuid NOT NULL,"
        " written timestamptz NOT NULL DEFAULT clock_timestamp())";
    static const char find[] =
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('ktm_outcome')"
        " AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')"
        " AND has_table_privilege(c.oid, 'DELETE')";
    PGresult *result;

    /* Who may not make it does without: then everything is prepared. */
    PQclear(PQexec(session->connection, make));
    result = PQexec(session->connection, find);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        snprintf(rm->outcome_table, sizeof(rm->outcome_table), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

void
alone_sweep(struct ktm_postgres_rm *rm, struct session *session, bool is_start)
{
    char sql[512], manager[GUID_TEXT_SIZE];

    if (!rm->outcome_table[0])
        return;
    guid_print(&rm->base.home.manager, manager);
    snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE manager = '%s'%s", rm->outcome_table, manager,
             is_start ? "" : " AND written < clock_timestamp() - interval '1 hour'");
    /* What stays is swept at another time. */
    PQclear(PQexec(session->connection, sql));
}

/* ---- the sign ---- */

static int64_t
lock_of(const struct ktm_rm_key *key)
{
    int64_t halves[2];

    memcpy(halves, &key->enlistment, sizeof(halves));
    return halves[0] ^ halves[1];
}

/* synchronous_commit may be off, and then a COMMIT is answered before it is durable. */
static NTSTATUS
write_sign(struct ktm_postgres_tx *tx, const struct ktm_rm_key *key)
{
    char sql[1024], enlistment[GUID_TEXT_SIZE], manager[GUID_TEXT_SIZE];

    guid_print(&key->enlistment, enlistment);
    guid_print(&key->manager, manager);
    snprintf(sql, sizeof(sql),
             "%sSELECT pg_advisory_xact_lock(%" PRId64 "),"
             " CASE current_setting('synchronous_commit') WHEN 'off'"
             " THEN set_config('synchronous_commit', 'local', true) END;"
             "INSERT INTO %s (enlistment, manager) VALUES ('%s', '%s')",
             tx_limit(tx), lock_of(key), tx->rm->outcome_table, enlistment, manager);
    return session_say(tx->session, "INSERT 0 1", sql, &tx->why);
}

static enum ktm_rm_answer
look_for_sign(struct session *session, const struct ktm_postgres_rm *rm,
              const struct ktm_rm_key *key, struct explanation *why)
{
    char sql[512], enlistment[GUID_TEXT_SIZE];
    const char *values[] = {enlistment};
    enum ktm_rm_answer answer = KTM_RM_RETRY;
    PGresult *result;

    guid_print(&key->enlistment, enlistment);
    snprintf(sql, sizeof(sql),
             "BEGIN; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(%" PRId64 ")",
             lock_of(key));
    /* The row is looked for with a snapshot of after the lock. */
    if (session_say(session, "SELECT 1", sql, why) == STATUS_SUCCESS) {
        snprintf(sql, sizeof(sql), "SELECT 1 FROM %s WHERE enlistment = $1::uuid",
                 rm->outcome_table);
        result = session_ask(session, sql, 1, values);
        if (result)
            answer = PQntuples(result) ? KTM_RM_DONE : KTM_RM_NO;
        PQclear(result);
    }
    (void)!session_say(session, "ROLLBACK", "ROLLBACK", why);
    return answer;
}

/* The answer to COMMIT was lost. */
static enum ktm_rm_answer
ask_for_sign(struct ktm_postgres_rm *rm, const struct ktm_rm_key *key, struct explanation *why)
{
    enum ktm_rm_answer answer = KTM_RM_RETRY;

    session_close_idle(rm); /* lost, most likely, with the one that was */
    for (int i = 0; i < ASK_TIMES && answer == KTM_RM_RETRY; i++) {
        struct session *session;

        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
        if (session_take_for_outcome(rm, why, &session) != STATUS_SUCCESS)
            continue;
        answer = look_for_sign(session, rm, key, why);
        session_release_for_outcome(rm, session);
    }
    return answer;
}

/* ---- committing ---- */

static void
sweep_sometimes(struct ktm_postgres_rm *rm)
{
    struct session *session;
    struct explanation why = {0};

    if (atomic_fetch_add(&rm->signs, 1) % SWEEP_EVERY != SWEEP_EVERY - 1 ||
        session_take(rm, &why, &session) != STATUS_SUCCESS)
        return;
    alone_sweep(rm, session, false);
    session_release(rm, session);
}

static enum ktm_rm_answer
ended(struct ktm_postgres_tx *tx, enum ktm_rm_answer answer)
{
    tx_undo(tx, answer == KTM_RM_DONE ? KTM_POSTGRES_COMMITTED : KTM_POSTGRES_ROLLED_BACK);
    if (answer == KTM_RM_DONE)
        sweep_sometimes(tx->rm);
    return answer;
}

enum ktm_rm_answer
alone_commit(struct ktm_postgres_tx *tx, const struct ktm_rm_key *key)
{
    if (tx_number(tx) != STATUS_SUCCESS)
        return KTM_RM_NO;
    if (tx->xid == 0) {
        tx_undo(tx, KTM_POSTGRES_READ_ONLY);
        return KTM_RM_READ_ONLY;
    }
    if (write_sign(tx, key) != STATUS_SUCCESS)
        return ended(tx, KTM_RM_NO);
    /* In a failed transaction COMMIT is a ROLLBACK and says so only in the command tag. */
    if (session_say(tx->session, "COMMIT", "COMMIT", &tx->why) == STATUS_SUCCESS)
        return ended(tx, KTM_RM_DONE);
    if (PQstatus(tx->session->connection) == CONNECTION_OK)
        return ended(tx, KTM_RM_NO);
    return ended(tx, ask_for_sign(tx->rm, key, &tx->why));
}
