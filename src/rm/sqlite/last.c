/* SPDX-License-Identifier: MIT */
/*
 * The functions that the kit wants of a database that decides: its COMMIT, with a row that says
 * whose.
 *
 * What was committed when a process was killed may not be on the disk yet, though everybody reads
 * it. So whoever reads the row for an outcome writes into it first: the commit of that makes all
 * earlier ones durable (the log of WAL is synced as a whole; a new journal syncs its directory).
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "rm/sqlite/rm.h"

#define TABLE                                                                                      \
    "CREATE TABLE IF NOT EXISTS ktm_outcome(enlistment BLOB PRIMARY KEY, uow BLOB NOT NULL, "      \
    "manager BLOB NOT NULL, incarnation INTEGER NOT NULL, asked INTEGER NOT NULL) WITHOUT ROWID"
#define INSERT "INSERT INTO main.ktm_outcome VALUES(?1, ?2, ?3, ?4, 0)"
#define ASK    "UPDATE main.ktm_outcome SET asked = asked + 1 WHERE enlistment = ?1"
#define REMOVE "DELETE FROM main.ktm_outcome WHERE enlistment = ?1"
#define LIST   "SELECT enlistment, uow, manager, incarnation FROM main.ktm_outcome"

struct settled {
    struct list in_rm;
    struct ktm_rm_key key;
};

/* ---- rows ---- */

static int
bind_guid(sqlite3_stmt *statement, int index, const GUID *guid)
{
    return sqlite3_bind_blob(statement, index, guid, sizeof(*guid), SQLITE_TRANSIENT);
}

/* Runs one of the statements above that give no row; *changed: how many rows. */
static int
row_run(sqlite3 *db, const char *sql, const struct ktm_rm_key *key, int *changed)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = bind_guid(statement, 1, &key->enlistment);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(statement) == 4) {
        code = bind_guid(statement, 2, &key->transaction);
        if (code == SQLITE_OK)
            code = bind_guid(statement, 3, &key->manager);
        if (code == SQLITE_OK)
            code = sqlite3_bind_int64(statement, 4, (sqlite3_int64)key->incarnation);
    }
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    *changed = sqlite3_changes(db);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool
column_guid(sqlite3_stmt *statement, int column, GUID *out)
{
    const void *at = sqlite3_column_blob(statement, column);

    if (!at || sqlite3_column_bytes(statement, column) != (int)sizeof(*out))
        return false;
    memcpy(out, at, sizeof(*out));
    return true;
}

NTSTATUS
outcome_table_make(struct ktm_sqlite_rm *rm, struct words *why)
{
    sqlite3 *db = NULL;
    int code;

    TRY(database_open(rm, &db, why));
    code = sqlite3_exec(db, TABLE, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        words_write(why, "the table ktm_outcome cannot be made in '%s': %s", rm->path,
                    sqlite3_errmsg(db));
    database_close(db);
    return code == SQLITE_OK ? STATUS_SUCCESS : status_raise(status_of_sqlite(code));
}

/* ---- signs that have done their duty ---- */

static struct settled *
settled_take(struct ktm_sqlite_rm *rm)
{
    struct settled *first = NULL;

    sys_mutex_lock(&rm->mutex);
    if (!list_is_empty(&rm->settled)) {
        first = list_first(&rm->settled, struct settled, in_rm);
        list_remove(&first->in_rm);
    }
    sys_mutex_unlock(&rm->mutex);
    return first;
}

static void
settled(void *context, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_rm *rm = context;
    struct settled *one = calloc(1, sizeof(*one));

    if (!one)
        return; /* the next start finds it */
    one->key = *key;
    sys_mutex_lock(&rm->mutex);
    list_append(&rm->settled, &one->in_rm);
    sys_mutex_unlock(&rm->mutex);
}

/* Inside a transaction, which makes it cost nothing; what is rolled back with it is found by the
 * next start. */
static void
settled_remove(struct ktm_sqlite_rm *rm, sqlite3 *db)
{
    struct settled *one;
    int changed;

    while ((one = settled_take(rm))) {
        (void)row_run(db, REMOVE, &one->key, &changed);
        free(one);
    }
}

void
outcome_flush(struct ktm_sqlite_rm *rm)
{
    struct words why = {.text = ""};
    sqlite3 *db = NULL;

    if (list_is_empty(&rm->settled) || database_open(rm, &db, &why) != STATUS_SUCCESS)
        return;
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
        settled_remove(rm, db);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    database_close(db);
}

/* ---- the outcome ---- */

/* DONE: the row is there, durably; NO: it is not, and nobody is at it any more: the connection that
 * was to write it is closed, or its process is gone. */
static int
ask(sqlite3 *db, const struct ktm_rm_key *key, int *found)
{
    int code;

    sqlite3_exec(db, "PRAGMA synchronous=EXTRA", NULL, NULL, NULL);
    code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = row_run(db, ASK, key, found);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static enum ktm_rm_answer
outcome(void *context, const struct ktm_rm_key *key)
{
    struct words why = {.text = ""};
    int code, found = 0;
    sqlite3 *db = NULL;

    if (database_open(context, &db, &why) != STATUS_SUCCESS)
        return KTM_RM_RETRY;
    code = ask(db, key, &found);
    database_close(db);
    if (code != SQLITE_OK)
        return KTM_RM_RETRY;
    return found ? KTM_RM_DONE : KTM_RM_NO;
}

/* ---- deciding ---- */

static enum ktm_rm_answer
decided(struct ktm_sqlite_tx *tx, bool is_commit)
{
    tx->state = is_commit ? KTM_SQLITE_COMMITTED : KTM_SQLITE_ROLLED_BACK;
    return is_commit ? KTM_RM_DONE : KTM_RM_NO;
}

/* The row is written and committed by one COMMIT. */
static enum ktm_rm_answer
decide_locked(struct ktm_sqlite_tx *tx, const struct ktm_rm_key *key)
{
    int code, changed;

    tx->why.text[0] = '\0';
    if (tx->state != KTM_SQLITE_ACTIVE || !connection_is_in_transaction(tx)) {
        connection_rollback(tx);
        return decided(tx, false);
    }
    code = row_run(tx->db, INSERT, key, &changed);
    if (code != SQLITE_OK) {
        words_write(&tx->why, "no row can be written to ktm_outcome in '%s': %s", tx->rm->path,
                    sqlite3_errmsg(tx->db));
        connection_rollback(tx);
        return decided(tx, false);
    }
    settled_remove(tx->rm, tx->db);
    if (connection_commit(tx) == SQLITE_OK)
        return decided(tx, true);
    connection_rollback(tx);
    return outcome(tx->rm, key); /* an error may come before or after the turning point */
}

static enum ktm_rm_answer
decide(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;
    enum ktm_rm_answer answer;

    (void)context;
    sys_mutex_lock(&tx->mutex);
    answer = decide_locked(tx, key);
    if (answer != KTM_RM_RETRY)
        decided(tx, answer == KTM_RM_DONE);
    sys_mutex_unlock(&tx->mutex);
    return answer;
}

static enum ktm_rm_answer
rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct ktm_sqlite_tx *tx = work;

    (void)context, (void)key;
    if (!tx)
        return KTM_RM_DONE; /* nothing of it was ever there */
    sys_mutex_lock(&tx->mutex);
    if (tx->state == KTM_SQLITE_ACTIVE) {
        connection_rollback(tx);
        tx->state = KTM_SQLITE_ROLLED_BACK;
    }
    sys_mutex_unlock(&tx->mutex);
    return KTM_RM_DONE;
}

/* ---- all signs ---- */

static NTSTATUS
list_all(sqlite3 *db, ktm_rm_each_key *each, void *list)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, LIST, -1, &statement, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct ktm_rm_key key = {.incarnation = (uint64_t)sqlite3_column_int64(statement, 3)};

        if (column_guid(statement, 0, &key.enlistment) &&
            column_guid(statement, 1, &key.transaction) && column_guid(statement, 2, &key.manager))
            each(list, &key);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? STATUS_SUCCESS : status_raise(status_of_sqlite(code));
}

static NTSTATUS
list_in_doubt(void *context, ktm_rm_each_key *each, void *list)
{
    struct words why = {.text = ""};
    NTSTATUS status;
    sqlite3 *db = NULL;

    TRY(database_open(context, &db, &why));
    status = list_all(db, each, list);
    database_close(db);
    return status;
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

const struct ktm_rm_author sqlite_last_author = {
    .rollback = rollback,
    .list_in_doubt = list_in_doubt,
    .forget = forget,
    .hold = hold,
    .decide = decide,
    .outcome = outcome,
    .settled = settled,
};
