/* SPDX-License-Identifier: MIT */
/*
 * Signs: rows that are committed along with a branch, or not.
 *
 * XAER_NOTA (1397) is what MariaDB says of a branch that was committed, of one that was rolled
 * back, of one that never was, and of one that is still attached to the connection that prepared
 * it. So the row (manager, transaction) is written as the last thing before XA END, and says what
 * became of it. It is read with a lock: while the branch is open or prepared, or a server's thread
 * is still ending it, that waits; so an answer is final.
 *
 * A sign is needed as long as KTM may ask for the outcome again. After a start that has finished
 * everything, what an older run wrote and this start was not asked for will never be asked for:
 * KTM has forgotten it durably.
 *
 * A run that lasts for months writes over its own. When KTM does not know a transaction any more it
 * has written that to its log, behind which the record of every later commit comes. So what was
 * forgotten when a transaction voted is forgotten durably when that one is told to commit: from
 * then on those rows are nobody's, and each becomes the sign of a later transaction. One more row,
 * of the transaction 0, says that this is the database of this home.
 */
#include "rm/mariadb/mariadb.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_ROWS 10000u

static void
where(const struct ktm_mariadb_rm *rm, const GUID *transaction, char text[160])
{
    char manager[HEX_SIZE], id[HEX_SIZE];

    guid_hex(&rm->base.home.manager, manager);
    guid_hex(transaction, id);
    snprintf(text, 160, "manager = X'%s' AND transaction = X'%s'", manager, id);
}

static void
insert_statement(const struct ktm_mariadb_rm *rm, const GUID *transaction, uint64_t incarnation,
                 char sql[SIGN_SIZE])
{
    char manager[HEX_SIZE], id[HEX_SIZE];

    guid_hex(&rm->base.home.manager, manager);
    guid_hex(transaction, id);
    snprintf(sql, SIGN_SIZE,
             "INSERT INTO %s (manager, transaction, incarnation) VALUES (X'%s', X'%s', %" PRIu64
             ")",
             rm->sign_table, manager, id, incarnation);
}

/* ---- the table ---- */

static void
quote(const char *name, char text[280])
{
    size_t size = 0;

    text[size++] = '`';
    for (; *name && size < 270; name++) {
        if (*name == '`')
            text[size++] = '`';
        text[size++] = *name;
    }
    text[size++] = '`';
    text[size] = '\0';
}

NTSTATUS
sign_make_table(struct ktm_mariadb_rm *rm, struct session *session, struct explanation *why)
{
    char sql[1024], database[280];
    MYSQL_RES *result;
    MYSQL_ROW row;
    bool is_named;

    result = session_ask(session, "SELECT DATABASE()", why);
    row = result ? mysql_fetch_row(result) : NULL;
    is_named = row && row[0];
    if (is_named)
        quote(row[0], database);
    mysql_free_result(result);
    if (!is_named)
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "no database was named, and 'ktm_outcome' needs one");
    snprintf(rm->sign_table, sizeof(rm->sign_table), "%s.ktm_outcome", database);
    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS %s (manager BINARY(16) NOT NULL,"
             " transaction BINARY(16) NOT NULL, incarnation BIGINT UNSIGNED NOT NULL,"
             " written TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
             " PRIMARY KEY (manager, transaction)) ENGINE=InnoDB",
             rm->sign_table);
    return session_say(session, sql, NULL, why);
}

NTSTATUS
sign_of_home(struct ktm_mariadb_rm *rm, struct session *session, struct explanation *why)
{
    static const GUID home = {0};
    char sql[SIGN_SIZE];

    if (rm->base.home.incarnation == 0) { /* a new one */
        insert_statement(rm, &home, 0, sql);
        return session_say(session, sql, NULL, why);
    }
    switch (sign_look(rm, session, &home, why)) {
    case SIGN_THERE:
        return STATUS_SUCCESS;
    case SIGN_ABSENT:
        return explain(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' belongs to another server or database: %s does not know it",
                       rm->base.home.path, rm->sign_table);
    default:
        return status_raise(session->is_lost ? STATUS_RM_DISCONNECTED : STATUS_ACCESS_DENIED);
    }
}

/* ---- signs of branches ---- */

static struct left *
free_take(struct ktm_mariadb_rm *rm)
{
    struct left *left = NULL;

    pthread_mutex_lock(&rm->mutex);
    if (!list_is_empty(&rm->free)) {
        left = list_first(&rm->free, struct left, in_list);
        list_remove(&left->in_list);
    }
    pthread_mutex_unlock(&rm->mutex);
    return left;
}

void
sign_statement(struct ktm_mariadb_tx *tx, char sql[SIGN_SIZE])
{
    char id[HEX_SIZE], which[160];

    tx->row = free_take(tx->rm);
    if (!tx->row) {
        insert_statement(tx->rm, &tx->id, tx->rm->base.home.incarnation, sql);
        return;
    }
    guid_hex(&tx->id, id);
    where(tx->rm, &tx->row->key.transaction, which);
    snprintf(sql, SIGN_SIZE, "UPDATE %s SET transaction = X'%s', written = NOW() WHERE %s",
             tx->rm->sign_table, id, which);
}

NTSTATUS
sign_is_written(struct ktm_mariadb_tx *tx)
{
    if (tx->session->changed == 1)
        return STATUS_SUCCESS;
    free(give(tx->row));
    pthread_mutex_lock(&tx->rm->mutex);
    left_destroy(&tx->rm->free); /* most likely gone, too; else the next start removes them */
    pthread_mutex_unlock(&tx->rm->mutex);
    return explain(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                   "somebody has removed rows of this resource manager from %s",
                   tx->rm->sign_table);
}

void
sign_put_back(struct ktm_mariadb_tx *tx)
{
    struct left *row = give(tx->row);

    if (!row)
        return;
    pthread_mutex_lock(&tx->rm->mutex);
    list_append(&tx->rm->free, &row->in_list);
    pthread_mutex_unlock(&tx->rm->mutex);
}

enum sign
sign_look(struct ktm_mariadb_rm *rm, struct session *session, const GUID *transaction,
          struct explanation *why)
{
    char sql[640], which[160];
    MYSQL_RES *result;
    enum sign sign;

    where(rm, transaction, which);
    snprintf(sql, sizeof(sql), "SELECT 1 FROM %s WHERE %s LOCK IN SHARE MODE WAIT 1",
             rm->sign_table, which);
    result = session_ask(session, sql, why);
    if (!result)
        return SIGN_UNKNOWN;
    sign = mysql_num_rows(result) ? SIGN_THERE : SIGN_ABSENT;
    mysql_free_result(result);
    return sign;
}

/* What this start was not asked for. To be freed; NULL: no memory. */
static char *
sweep_statement(struct ktm_mariadb_rm *rm)
{
    char *sql = NULL, id[HEX_SIZE];
    size_t size;
    FILE *text = open_memstream(&sql, &size);
    struct left *left;

    if (!text)
        return NULL;
    guid_hex(&rm->base.home.manager, id);
    fprintf(text,
            "DELETE FROM %s WHERE manager = X'%s' AND incarnation BETWEEN 1 AND %" PRIu64
            " AND transaction NOT IN (X''",
            rm->sign_table, id, rm->base.home.incarnation - 1);
    pthread_mutex_lock(&rm->mutex);
    LIST_EACH (left, &rm->asked, in_list) {
        guid_hex(&left->key.transaction, id);
        fprintf(text, ", X'%s'", id);
    }
    pthread_mutex_unlock(&rm->mutex);
    fprintf(text, ") LIMIT %u", SWEEP_ROWS);
    if (fclose(text) == 0)
        return sql;
    free(sql);
    return NULL;
}

/* Nobody is served yet, so it is in nobody's way. What stays is swept at another time. */
void
sign_sweep(struct ktm_mariadb_rm *rm, struct session *session)
{
    char *sql = sweep_statement(rm);

    while (sql && mysql_query(session->connection, sql) == 0 &&
           mysql_affected_rows(session->connection) == SWEEP_ROWS)
        continue;
    free(sql);
}

/* ---- signs of this run ---- */

static bool
is_forgotten(const struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key)
{
    GUID uow = key->transaction;
    HANDLE transaction;
    NTSTATUS status =
        NtOpenTransaction(&transaction, TRANSACTION_QUERY_INFORMATION, NULL, &uow, rm->base.tm);

    if (status == STATUS_SUCCESS)
        NtClose(transaction);
    return status == STATUS_TRANSACTION_NOT_FOUND;
}

static void
list_move(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *first = from->next;

        list_remove(first);
        list_append(to, first);
    }
}

/* All that is done, for the caller alone; nothing when there is not enough of it, or somebody else
 * is at it. */
static bool
done_take(struct ktm_mariadb_rm *rm, const GUID *transaction, struct list *out)
{
    bool is_time;

    pthread_mutex_lock(&rm->mutex);
    is_time = rm->done_count >= rm->done_enough && guid_is_zero(&rm->retired_by);
    if (is_time) {
        rm->retired_by = *transaction;
        list_move(&rm->done, out);
        rm->done_count = 0;
    }
    pthread_mutex_unlock(&rm->mutex);
    return is_time;
}

void
sign_choose(struct ktm_mariadb_rm *rm, const GUID *transaction)
{
    struct list all, forgotten;
    struct left *left, *after;
    size_t known = 0;

    list_init(&all);
    list_init(&forgotten);
    if (!done_take(rm, transaction, &all))
        return;
    LIST_EACH_SAFE (left, after, &all, in_list) {
        if (!is_forgotten(rm, &left->key)) {
            known++;
            continue;
        }
        list_remove(&left->in_list);
        list_append(&forgotten, &left->in_list);
    }
    pthread_mutex_lock(&rm->mutex);
    list_move(&all, &rm->done);
    list_move(&forgotten, &rm->retiring);
    rm->done_count += known;
    rm->done_enough = known + DONE_ENOUGH;
    pthread_mutex_unlock(&rm->mutex);
}

/* What was chosen when that transaction voted. */
static bool
retiring_take(struct ktm_mariadb_rm *rm, const GUID *transaction, struct list *out)
{
    bool is_it;

    pthread_mutex_lock(&rm->mutex);
    is_it = guid_equal(&rm->retired_by, transaction);
    if (is_it) {
        rm->retired_by = (GUID){0};
        list_move(&rm->retiring, out);
    }
    pthread_mutex_unlock(&rm->mutex);
    return is_it;
}

static void
done_put_back(struct ktm_mariadb_rm *rm, struct list *list)
{
    struct left *left;
    size_t count = 0;

    LIST_EACH (left, list, in_list)
        count++;
    pthread_mutex_lock(&rm->mutex);
    list_move(list, &rm->done);
    rm->done_count += count;
    pthread_mutex_unlock(&rm->mutex);
}

static void
free_add(struct ktm_mariadb_rm *rm, struct list *list)
{
    pthread_mutex_lock(&rm->mutex);
    list_move(list, &rm->free);
    pthread_mutex_unlock(&rm->mutex);
}

/* Its row is the transaction's sign now. */
static void
done_add(struct ktm_mariadb_tx *tx)
{
    struct ktm_mariadb_rm *rm = tx->rm;
    struct left *left = tx->row ? give(tx->row) : calloc(1, sizeof(*left));

    if (!left)
        return; /* the next start removes it */
    left->key = tx->xid.key;
    pthread_mutex_lock(&rm->mutex);
    list_append(&rm->done, &left->in_list);
    rm->done_count++;
    pthread_mutex_unlock(&rm->mutex);
}

void
sign_retire(struct ktm_mariadb_tx *tx, bool is_committed)
{
    struct list list;

    list_init(&list);
    if (retiring_take(tx->rm, &tx->id, &list)) {
        if (is_committed)
            free_add(tx->rm, &list);
        else
            done_put_back(tx->rm, &list);
    }
    if (is_committed)
        done_add(tx);
}
