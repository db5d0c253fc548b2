/* SPDX-License-Identifier: MIT */
/* Sessions with the server: made with our options and used again, or the application's. */
#include "rm/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX        64
#define VERSION_MIN     100500
#define CONNECT_SECONDS 10u
#define BARRIER_SECONDS 20

/* ---- statements ---- */

/* Reads what the statement answered; what has more than one answer is a CALL. */
static bool
drop_results(MYSQL *connection)
{
    for (;;) {
        MYSQL_RES *result = mysql_store_result(connection);
        int more;

        if (!result && mysql_errno(connection))
            return false;
        mysql_free_result(result);
        more = mysql_next_result(connection);
        if (more != 0)
            return more < 0;
    }
}

static NTSTATUS
refused(struct session *session, const char *what, struct explanation *why)
{
    session->is_lost = session->is_lost || error_is_loss(mysql_errno(session->connection));
    return explain_server(why, session->connection, what);
}

NTSTATUS
session_say(struct session *session, const char *sql, unsigned *error, struct explanation *why)
{
    MYSQL *connection = session->connection;
    char what[64];

    if (mysql_query(connection, sql) == 0 && drop_results(connection)) {
        if (error)
            *error = 0;
        return STATUS_SUCCESS;
    }
    if (error)
        *error = mysql_errno(connection);
    /* The statement's words, without what it is about. */
    snprintf(what, sizeof(what), "%.*s", (int)strcspn(sql, "'`("), sql);
    return refused(session, what, why);
}

NTSTATUS
session_send(struct session *session, const char *sql, struct explanation *why)
{
    if (mysql_send_query(session->connection, sql, strlen(sql)) == 0)
        return STATUS_SUCCESS;
    session->is_lost = true; /* or what was sent before would be heard by somebody else */
    return refused(session, "sending a statement", why);
}

NTSTATUS
session_hear(struct session *session, const char *what, struct explanation *why)
{
    if (mysql_read_query_result(session->connection) == 0) {
        session->changed = mysql_affected_rows(session->connection);
        if (drop_results(session->connection))
            return STATUS_SUCCESS;
    }
    return refused(session, what, why);
}

MYSQL_RES *
session_ask(struct session *session, const char *sql, struct explanation *why)
{
    MYSQL_RES *result = NULL;

    if (mysql_query(session->connection, sql) == 0)
        result = mysql_store_result(session->connection);
    if (result)
        return result;
    session->is_lost = session->is_lost || error_is_loss(mysql_errno(session->connection));
    (void)!explain_server(why, session->connection, "asking the server");
    return NULL;
}

bool
session_is_in_transaction(const struct session *session)
{
    return session->connection->server_status & SERVER_STATUS_IN_TRANS;
}

/* ---- the lock that says: somebody of this identity is at work here ---- */

static void
lock_name(const struct ktm_mariadb_rm *rm, char text[HEX_SIZE + 8])
{
    char manager[HEX_SIZE];

    guid_hex(&rm->base.home.manager, manager);
    snprintf(text, HEX_SIZE + 8, "ktm:%s:", manager);
}

static int
slot_take(struct ktm_mariadb_rm *rm)
{
    int slot = SLOT_NONE;

    pthread_mutex_lock(&rm->mutex);
    for (int i = 0; i < SLOT_MAX && slot == SLOT_NONE; i++)
        if (!(rm->slots[i / 8] & 1 << i % 8))
            slot = i;
    if (slot != SLOT_NONE)
        rm->slots[slot / 8] |= (uint8_t)(1 << slot % 8);
    pthread_mutex_unlock(&rm->mutex);
    return slot;
}

static void
slot_give_back(struct ktm_mariadb_rm *rm, int slot)
{
    pthread_mutex_lock(&rm->mutex);
    rm->slots[slot / 8] &= (uint8_t) ~(1 << slot % 8);
    pthread_mutex_unlock(&rm->mutex);
}

static NTSTATUS
ask_truth(struct session *session, const char *sql, bool *out, struct explanation *why)
{
    MYSQL_RES *result = session_ask(session, sql, why);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;

    *out = row && row[0] && strcmp(row[0], "1") == 0;
    mysql_free_result(result);
    return result ? STATUS_SUCCESS : status_raise(STATUS_RM_DISCONNECTED);
}

NTSTATUS
session_lock(struct ktm_mariadb_rm *rm, struct session *session, struct explanation *why)
{
    char name[HEX_SIZE + 8], sql[128];
    bool is_ours;
    int slot = slot_take(rm);

    if (slot == SLOT_NONE)
        return explain(why, status_raise(STATUS_INSUFFICIENT_RESOURCES),
                       "there are %d connections already", SLOT_MAX);
    lock_name(rm, name);
    /* Who had the slot before may not have gone yet, on the server's side. */
    snprintf(sql, sizeof(sql), "SELECT GET_LOCK('%s%d', %d)", name, slot, BARRIER_SECONDS);
    NTSTATUS status = ask_truth(session, sql, &is_ours, why);
    if (status == STATUS_SUCCESS && is_ours) {
        session->slot = slot;
        return STATUS_SUCCESS;
    }
    slot_give_back(rm, slot);
    return status != STATUS_SUCCESS
               ? status
               : explain(why, status_raise(STATUS_SHARING_VIOLATION),
                         "somebody else is at work with this resource manager's identity");
}

static void
unlock(struct ktm_mariadb_rm *rm, struct session *session)
{
    char name[HEX_SIZE + 8], sql[128];
    struct explanation why = {0};

    if (session->slot == SLOT_NONE)
        return;
    if (!session->is_ours && !session->is_lost) {
        lock_name(rm, name);
        snprintf(sql, sizeof(sql), "DO RELEASE_LOCK('%s%d')", name, session->slot);
        /* If that fails the connection is lost, and the lock with it. */
        (void)!session_say(session, sql, NULL, &why);
    }
    slot_give_back(rm, session->slot);
    session->slot = SLOT_NONE;
}

/* ---- life ---- */

void
session_close(struct ktm_mariadb_rm *rm, struct session *session)
{
    if (!session)
        return;
    unlock(rm, session);
    if (session->is_ours)
        mysql_close(session->connection);
    free(session);
}

static NTSTATUS
session_create(MYSQL *connection, bool is_ours, struct session **out)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    session->connection = connection;
    session->thread = mysql_thread_id(connection);
    session->slot = SLOT_NONE;
    session->is_ours = is_ours;
    list_init(&session->in_idle);
    *out = session;
    return STATUS_SUCCESS;
}

static void
set_options(MYSQL *connection, const struct ktm_mariadb_server *server)
{
    unsigned seconds = CONNECT_SECONDS;
    my_bool reconnect = 0;

    if (server->defaults_file)
        mysql_options(connection, MYSQL_READ_DEFAULT_FILE, server->defaults_file);
    if (server->defaults_file || server->defaults_group)
        mysql_options(connection, MYSQL_READ_DEFAULT_GROUP,
                      server->defaults_group ? server->defaults_group : "");
    mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    /* A session that comes back by itself has lost its branch without a word. */
    mysql_options(connection, MYSQL_OPT_RECONNECT, &reconnect);
    mysql_options(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    /* Which kinds of tables a transaction uses: see written.c. */
    mysql_options(connection, MYSQL_INIT_COMMAND,
                  "SET SESSION session_track_transaction_info = 'STATE'");
}

static NTSTATUS
connect_to(const struct ktm_mariadb_server *server, struct explanation *why, MYSQL **out)
{
    MYSQL *connection = mysql_init(NULL);
    NTSTATUS status;

    if (!connection)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    set_options(connection, server);
    if (mysql_real_connect(connection, server->host, server->user, server->password,
                           server->database, server->port, server->socket, 0)) {
        *out = connection;
        return STATUS_SUCCESS;
    }
    status = explain_server(why, connection, "connecting");
    mysql_close(connection);
    return status;
}

NTSTATUS
session_probe(const struct ktm_mariadb_server *server, struct explanation *why)
{
    MYSQL *connection = NULL;

    TRY(connect_to(server, why, &connection));
    mysql_close(connection);
    return STATUS_SUCCESS;
}

/* With autocommit off what is not committed goes with the session. */
static NTSTATUS
guard(struct session *session, bool on, struct explanation *why)
{
    if (session->is_guarded == on)
        return STATUS_SUCCESS;
    TRY(session_say(session, on ? "SET autocommit = 0" : "SET autocommit = 1", NULL, why));
    session->is_guarded = on;
    return STATUS_SUCCESS;
}

static bool
has_autocommit(const struct session *session)
{
    return session->connection->server_status & SERVER_STATUS_AUTOCOMMIT;
}

NTSTATUS
session_open(struct ktm_mariadb_rm *rm, struct explanation *why, struct session **out)
{
    struct session *session;
    MYSQL *connection = NULL;
    NTSTATUS status;

    TRY(connect_to(&rm->server, why, &connection));
    CHECK(connection);
    status = session_create(connection, true, &session);
    if (status != STATUS_SUCCESS) {
        mysql_close(connection);
        return status;
    }
    session->is_guarded = !has_autocommit(session); /* as the server's settings have it */
    status = guard(session, false, why);
    /* While the home is being opened nobody knows the identity yet. */
    if (status == STATUS_SUCCESS && rm->base.home.incarnation)
        status = session_lock(rm, session, why);
    if (status != STATUS_SUCCESS) {
        session_close(rm, session);
        return status;
    }
    *out = session;
    return STATUS_SUCCESS;
}

/* The sign of the home is seen by connections to its server only. */
static NTSTATUS
check_borrowed(struct ktm_mariadb_rm *rm, struct session *session, struct explanation *why)
{
    static const GUID home = {0};

    if (session_is_in_transaction(session) || !has_autocommit(session))
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "the connection is in a transaction, or has autocommit off");
    if (sign_look(rm, session, &home, why) != SIGN_THERE)
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "the connection leads to another server, is lost, or may not use %s",
                       rm->sign_table);
    return session_lock(rm, session, why);
}

NTSTATUS
session_borrow(struct ktm_mariadb_rm *rm, MYSQL *connection, struct explanation *why,
               struct session **out)
{
    struct session *session;
    NTSTATUS status;

    TRY(session_create(connection, false, &session));
    status = check_borrowed(rm, session, why);
    if (status != STATUS_SUCCESS) {
        session_close(rm, session);
        return status;
    }
    *out = session;
    return STATUS_SUCCESS;
}

/* ---- those that are idle ---- */

static struct session *
take_idle(struct ktm_mariadb_rm *rm)
{
    struct list *member = idle_take(&rm->mutex, &rm->idle);

    return member ? container_of(member, struct session, in_idle) : NULL;
}

void
session_close_idle(struct ktm_mariadb_rm *rm)
{
    for (struct session *session; (session = take_idle(rm));)
        session_close(rm, session);
}

/* An idle one that is still there, with autocommit off or on; NULL: there is none. */
static struct session *
take_idle_guarded(struct ktm_mariadb_rm *rm, bool on)
{
    struct explanation why = {0};
    struct session *session;

    while ((session = take_idle(rm))) {
        if (idle_is_silent(mysql_get_socket(session->connection)) &&
            guard(session, on, &why) == STATUS_SUCCESS)
            return session;
        session_close(rm, session);
    }
    return NULL;
}

NTSTATUS
session_take(struct ktm_mariadb_rm *rm, struct explanation *why, struct session **out)
{
    struct session *session = take_idle_guarded(rm, true);
    NTSTATUS status;

    if (!session) {
        TRY(session_open(rm, why, &session));
        status = guard(session, true, why);
        if (status != STATUS_SUCCESS) {
            session_close(rm, session);
            return status;
        }
    }
    *out = session;
    return STATUS_SUCCESS;
}

void
session_release(struct ktm_mariadb_rm *rm, struct session *session)
{
    bool is_good;

    if (!session)
        return;
    /* Who has switched autocommit has done so for himself only. */
    is_good = session->is_ours && !session->is_lost && !session->is_spoiled &&
              !session_is_in_transaction(session) && has_autocommit(session) != session->is_guarded;
    if (!is_good || !idle_give(&rm->mutex, &rm->idle, &session->in_idle, IDLE_MAX))
        session_close(rm, session);
}

/* ---- one for phase two ---- */

/* The applications may have used up all connections that the server gives: one is ours. */
NTSTATUS
session_take_for_outcome(struct ktm_mariadb_rm *rm, struct explanation *why, struct session **out)
{
    struct session *session = take_idle_guarded(rm, false);
    NTSTATUS status = STATUS_SUCCESS;

    if (session) {
        *out = session;
        return STATUS_SUCCESS;
    }
    pthread_mutex_lock(&rm->reserve_mutex);
    if (!rm->reserve)
        status = session_open(rm, why, &rm->reserve);
    if (status == STATUS_SUCCESS)
        *out = rm->reserve;
    else
        pthread_mutex_unlock(&rm->reserve_mutex);
    return status;
}

void
session_release_for_outcome(struct ktm_mariadb_rm *rm, struct session *session)
{
    if (session->is_lost)
        session_close_idle(rm); /* they have most likely been lost with this one */
    if (session != rm->reserve) {
        session_release(rm, session);
        return;
    }
    if (session->is_lost) {
        session_close(rm, session);
        rm->reserve = NULL;
    }
    pthread_mutex_unlock(&rm->reserve_mutex);
}

/* ---- before anybody is served ---- */

static NTSTATUS
check_durability(struct session *session, struct explanation *why)
{
    bool is_durable;

    TRY(ask_truth(session,
                  "SELECT @@innodb_flush_log_at_trx_commit IN (1, 3)"
                  " AND @@innodb_flush_method <> 'nosync'",
                  &is_durable, why));
    if (!is_durable)
        return explain(why, status_raise(STATUS_NOT_SUPPORTED),
                       "innodb_flush_log_at_trx_commit is not 1, or nothing is synced: what the "
                       "server promises does not survive a crash");
    return STATUS_SUCCESS;
}

NTSTATUS
session_check_server(struct session *session, struct explanation *why)
{
    MYSQL *connection = session->connection;
    unsigned long version = mysql_get_server_version(connection);

    if (!mariadb_connection(connection))
        return explain(why, status_raise(STATUS_NOT_SUPPORTED), "the server is not MariaDB");
    /* An older one rolls a prepared branch back when its connection is lost (MDEV-742). */
    if (version < VERSION_MIN)
        return explain(
            why, status_raise(STATUS_NOT_SUPPORTED),
            "MariaDB %lu.%lu does not keep what is prepared; 10.5 is the first that does",
            version / 10000, version / 100 % 100);
    return check_durability(session, why);
}

static NTSTATUS
kill_holders(struct session *session, const char *name, struct explanation *why)
{
    char sql[256];
    MYSQL_RES *holders;
    NTSTATUS status = STATUS_SUCCESS;

    snprintf(sql, sizeof(sql),
             "SELECT holder FROM (SELECT IS_USED_LOCK(CONCAT('%s', seq)) AS holder"
             " FROM seq_0_to_%d) AS slots WHERE holder IS NOT NULL",
             name, SLOT_MAX - 1);
    holders = session_ask(session, sql, why);
    if (!holders)
        return status_raise(STATUS_RM_DISCONNECTED);
    for (MYSQL_ROW row; status == STATUS_SUCCESS && (row = mysql_fetch_row(holders));) {
        unsigned error;

        snprintf(sql, sizeof(sql), "KILL CONNECTION %lu", strtoul(row[0], NULL, 10));
        status = session_say(session, sql, &error, why);
        if (status != STATUS_SUCCESS && !session->is_lost && error == 1094)
            status = STATUS_SUCCESS; /* it has gone by itself */
    }
    mysql_free_result(holders);
    return status;
}

static NTSTATUS
wait_for_holders(struct session *session, const char *name, struct explanation *why)
{
    char sql[256];
    bool is_free;

    snprintf(sql, sizeof(sql),
             "SELECT COUNT(IS_USED_LOCK(CONCAT('%s', seq))) = 0 OR SLEEP(0.05) FROM seq_0_to_%d",
             name, SLOT_MAX - 1);
    for (int i = 0; i < BARRIER_SECONDS * 20; i++) {
        TRY(ask_truth(session, sql, &is_free, why));
        if (is_free)
            return STATUS_SUCCESS;
    }
    return explain(why, status_raise(STATUS_SHARING_VIOLATION),
                   "the server has not ended the connections of an earlier run");
}

/* Their processes are gone; what they had sent is not to go on. */
NTSTATUS
session_barrier(struct ktm_mariadb_rm *rm, struct session *session, struct explanation *why)
{
    char name[HEX_SIZE + 8];

    lock_name(rm, name);
    TRY(kill_holders(session, name, why));
    return wait_for_holders(session, name, why);
}
