/* SPDX-License-Identifier: MIT */
/*
 * What does a transaction over databases cost with KTM, beside the same work without?
 *
 * Each comparison has three arms, in one run and interleaved. Each of them changes one row in each
 * of the stores, a row of the client's own.
 *
 *   bare  What a careful programmer writes by hand with the client libraries, one statement after
 *         the other: BEGIN, UPDATE in each store; PREPARE in each; COMMIT PREPARED in each. It
 *         keeps nothing that says what was decided, so after a crash nobody can finish it: it is
 *         what the databases themselves need, and no coordinator.
 *   log   The same, and the decision is written to a file and forced before the first COMMIT
 *         PREPARED: the least that is correct after a crash (there is no recovery yet).
 *   ktm   ktm_postgres_begin and so on, ktm_rm_commit; resource managers with default options (the
 * second database of MariaDB has a name).
 *
 * A store that stands alone has a second participant in KTM that does nothing, so that it is truly
 * prepared. SQLite cannot prepare: its bare arm says COMMIT, and its rows are for information, as
 * are those where the stores are less than two. The machine's limit is a fdatasync of 4 KiB, which
 * is what KTM's own log adds to each transaction.
 *
 *   databases [PART OF A NAME] [--seconds S] [--rounds N] [--dir DIR]
 */
#include <libpq-fe.h>
#include <mysql.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/support/bench.h"
#include "bench/support/servers.h"
#include "ktm_mariadb.h"
#include "ktm_postgres.h"
#include "ktm_sqlite.h"
#include "tests/rm/servers/mariadb.h"
#include "tests/rm/servers/postgres.h"
#include "wdm.h"

enum { STORES_MAX = 2, CLIENTS = 32, LOG_SIZE = 8 << 20 };

static struct postgres postgres;
static struct mariadb mariadb;
static char home[600], sqlite_path[600];
static HANDLE manager;
static int decisions;        /* the file of the arm 'log' */
static struct ktm_rm *idler; /* the participant that does nothing */

static void
must_be(NTSTATUS status, const char *what, const char *why)
{
    if (status == STATUS_SUCCESS)
        return;
    fprintf(stderr, "bench: %s: %08x %s\n", what, (unsigned)status, why);
    exit(1);
}

/* ---- stores ---- */

struct store {
    const struct store_kind *kind;
    const char *database;
    void *rm;
    void *connections[CLIENTS];
};

struct store_kind {
    void (*open)(struct store *store);
    void (*enter)(struct store *store, unsigned client); /* the bare connection */
    /* by hand; 'id' names the transaction */
    void (*change)(struct store *store, unsigned client, uint64_t id);
    void (*prepare)(struct store *store, unsigned client, uint64_t id);
    void (*commit)(struct store *store, unsigned client, uint64_t id);
    /* in a transaction of KTM: the part, to be closed */
    void *(*join)(struct store *store, unsigned client, HANDLE transaction);
    void (*leave)(void *part);
    struct ktm_rm *(*kit)(struct store *store);
};

static void
update_of(unsigned client, char sql[96])
{
    snprintf(sql, 96, "UPDATE account SET amount = amount + 1 WHERE id = %u", client);
}

/* ---- PostgreSQL ---- */

static void
postgres_conninfo(const struct store *store, char text[700])
{
    snprintf(text, 700, "host=%s user=ktm dbname=%s", postgres.directory, store->database);
}

static void
postgres_say(struct store *store, unsigned client, const char *sql, const char *tag)
{
    PGresult *result = PQexec(store->connections[client], sql);

    if (strcmp(PQcmdStatus(result), tag) != 0)
        must_be(STATUS_UNSUCCESSFUL, sql, PQerrorMessage(store->connections[client]));
    PQclear(result);
}

static void
postgres_enter(struct store *store, unsigned client)
{
    char conninfo[700];

    postgres_conninfo(store, conninfo);
    store->connections[client] = PQconnectdb(conninfo);
    bench_must(PQstatus(store->connections[client]) == CONNECTION_OK, conninfo);
}

static void
postgres_open(struct store *store)
{
    struct ktm_postgres_rm *rm = NULL;
    char conninfo[700], why[512] = "";

    if (strcmp(store->database, "postgres") != 0)
        postgres_ask(&postgres, "CREATE DATABASE second");
    postgres_enter(store, 0);
    PQclear(PQexec(store->connections[0],
                   "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL);"
                   "INSERT INTO account SELECT n, 0 FROM generate_series(0, 99) AS n"));
    PQfinish(store->connections[0]);
    postgres_conninfo(store, conninfo);
    must_be(ktm_postgres_open(manager, home, conninfo, NULL, why, sizeof(why), &rm),
            "ktm_postgres_open", why);
    store->rm = rm;
}

static void
postgres_change(struct store *store, unsigned client, uint64_t id)
{
    char sql[96];

    (void)id;
    update_of(client, sql);
    postgres_say(store, client, "BEGIN", "BEGIN");
    postgres_say(store, client, sql, "UPDATE 1");
}

static void
postgres_end(struct store *store, unsigned client, uint64_t id, const char *tag)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "%s 'bare-%s-%u-%llu'", tag, store->database, client,
             (unsigned long long)id);
    postgres_say(store, client, sql, tag);
}

static void
postgres_prepare(struct store *store, unsigned client, uint64_t id)
{
    postgres_end(store, client, id, "PREPARE TRANSACTION");
}

static void
postgres_commit(struct store *store, unsigned client, uint64_t id)
{
    postgres_end(store, client, id, "COMMIT PREPARED");
}

static void *
postgres_join(struct store *store, unsigned client, HANDLE transaction)
{
    struct ktm_postgres_tx *tx = NULL;
    char sql[96];

    update_of(client, sql);
    must_be(ktm_postgres_begin(store->rm, transaction, &tx), "ktm_postgres_begin", "");
    must_be(ktm_postgres_exec(tx, sql, 0, NULL, NULL), sql, "");
    return tx;
}

static void
postgres_leave(void *part)
{
    ktm_postgres_close(part);
}

static struct ktm_rm *
postgres_kit(struct store *store)
{
    return ktm_postgres_kit(store->rm);
}

static const struct store_kind in_postgres = {postgres_open,    postgres_enter,  postgres_change,
                                              postgres_prepare, postgres_commit, postgres_join,
                                              postgres_leave,   postgres_kit};

/* ---- MariaDB ---- */

static void
mariadb_say(struct store *store, unsigned client, const char *sql)
{
    if (mysql_query(store->connections[client], sql) != 0)
        must_be(STATUS_UNSUCCESSFUL, sql, mysql_error(store->connections[client]));
}

static void
mariadb_enter_shop(struct store *store, unsigned client)
{
    MYSQL *connection = mysql_init(NULL);

    bench_must(mysql_real_connect(connection, NULL, "root", NULL, store->database, 0,
                                  mariadb.socket, 0) != NULL,
               "connecting to MariaDB");
    store->connections[client] = connection;
}

static void
mariadb_open(struct store *store)
{
    struct ktm_mariadb_server server = {
        .socket = mariadb.socket, .user = "root", .database = store->database};
    struct ktm_mariadb_options options = {
        .mode = KTM_RM_HELPED, .patience_ms = 10000, .name = store->database};
    struct ktm_mariadb_rm *rm = NULL;
    char why[512] = "";

    if (strcmp(store->database, "shop") != 0)
        mariadb_ask(&mariadb, "CREATE DATABASE second");
    mariadb_enter_shop(store, 0);
    mariadb_say(store, 0,
                "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL) ENGINE=InnoDB");
    mariadb_say(store, 0, "INSERT INTO account SELECT seq, 0 FROM seq_0_to_99");
    mysql_close(store->connections[0]);
    must_be(ktm_mariadb_open(manager, home, &server, &options, why, sizeof(why), &rm),
            "ktm_mariadb_open", why);
    store->rm = rm;
}

static void
mariadb_xa(struct store *store, unsigned client, uint64_t id, const char *verb)
{
    char sql[96];

    snprintf(sql, sizeof(sql), "XA %s 'bare-%u-%llu','%s'", verb, client, (unsigned long long)id,
             store->database);
    mariadb_say(store, client, sql);
}

static void
mariadb_change(struct store *store, unsigned client, uint64_t id)
{
    char sql[96];

    update_of(client, sql);
    mariadb_xa(store, client, id, "START");
    mariadb_say(store, client, sql);
}

static void
mariadb_prepare(struct store *store, unsigned client, uint64_t id)
{
    mariadb_xa(store, client, id, "END");
    mariadb_xa(store, client, id, "PREPARE");
}

static void
mariadb_commit(struct store *store, unsigned client, uint64_t id)
{
    mariadb_xa(store, client, id, "COMMIT");
}

static void *
mariadb_join(struct store *store, unsigned client, HANDLE transaction)
{
    struct ktm_mariadb_tx *tx = NULL;
    char sql[96];

    update_of(client, sql);
    must_be(ktm_mariadb_begin(store->rm, transaction, &tx), "ktm_mariadb_begin", "");
    must_be(ktm_mariadb_exec(tx, sql, 0, NULL, NULL), sql, "");
    return tx;
}

static void
mariadb_leave(void *part)
{
    ktm_mariadb_close(part);
}

static struct ktm_rm *
mariadb_kit(struct store *store)
{
    return ktm_mariadb_kit(store->rm);
}

static const struct store_kind in_mariadb = {mariadb_open,    mariadb_enter_shop, mariadb_change,
                                             mariadb_prepare, mariadb_commit,     mariadb_join,
                                             mariadb_leave,   mariadb_kit};

/* ---- SQLite ---- */

static void
sqlite_say(struct store *store, const char *sql)
{
    if (sqlite3_exec(store->connections[0], sql, NULL, NULL, NULL) != SQLITE_OK)
        must_be(STATUS_UNSUCCESSFUL, sql, sqlite3_errmsg(store->connections[0]));
}

static void
sqlite_enter(struct store *store, unsigned client)
{
    sqlite3 *db = NULL;

    if (client > 0)
        return; /* one writer at a time */
    bench_must(sqlite3_open(sqlite_path, &db) == SQLITE_OK, sqlite_path);
    store->connections[0] = db;
    sqlite_say(store, "PRAGMA synchronous=FULL");
}

static void
sqlite_open(struct store *store)
{
    struct ktm_sqlite_rm *rm = NULL;
    char why[512] = "";

    sqlite_enter(store, 0);
    sqlite_say(store, "CREATE TABLE account (id INTEGER PRIMARY KEY, amount INT NOT NULL);"
                      "INSERT INTO account VALUES (0, 0)");
    sqlite3_close(store->connections[0]);
    must_be(ktm_sqlite_open(manager, home, sqlite_path, NULL, why, sizeof(why), &rm),
            "ktm_sqlite_open", why);
    store->rm = rm;
}

static void
sqlite_change(struct store *store, unsigned client, uint64_t id)
{
    char sql[96];

    (void)id;
    update_of(client, sql);
    sqlite_say(store, "BEGIN IMMEDIATE");
    sqlite_say(store, sql);
}

static void
sqlite_prepare(struct store *store, unsigned client, uint64_t id)
{
    (void)store, (void)client, (void)id;
}

static void
sqlite_commit(struct store *store, unsigned client, uint64_t id)
{
    (void)client, (void)id;
    sqlite_say(store, "COMMIT");
}

static void *
sqlite_join(struct store *store, unsigned client, HANDLE transaction)
{
    struct ktm_sqlite_tx *tx = NULL;
    char sql[96], why[512] = "";

    update_of(client, sql);
    must_be(ktm_sqlite_begin(store->rm, transaction, why, sizeof(why), &tx), "ktm_sqlite_begin",
            why);
    must_be(ktm_sqlite_exec(tx, sql), sql, "");
    return tx;
}

static void
sqlite_leave(void *part)
{
    ktm_sqlite_close(part);
}

static struct ktm_rm *
sqlite_kit(struct store *store)
{
    return ktm_sqlite_kit(store->rm);
}

static const struct store_kind in_sqlite = {sqlite_open,    sqlite_enter,  sqlite_change,
                                            sqlite_prepare, sqlite_commit, sqlite_join,
                                            sqlite_leave,   sqlite_kit};

/* ---- the participant that does nothing ---- */

static enum ktm_rm_answer
do_nothing(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context, (void)work, (void)key;
    return KTM_RM_DONE;
}

static NTSTATUS
make_nothing(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

static void
idler_open(void)
{
    static const GUID identity = {.Data1 = 0x1d1e};
    static const struct ktm_rm_author author = {
        .prepare = do_nothing, .commit = do_nothing, .rollback = do_nothing};
    struct ktm_rm_options options = {
        .identity = &identity, .incarnation = 1, .author = &author, .mode = KTM_RM_CALLBACKS};

    must_be(ktm_rm_open(manager, &options, &idler), "ktm_rm_open", "");
}

/* ---- arms ---- */

struct shape {
    const char *name;
    struct store *stores[STORES_MAX]; /* NULL: one less */
    unsigned store_count;
    bool has_budget;
};

static void
by_hand(struct shape *shape, unsigned client, bool has_log)
{
    static _Atomic uint64_t ids;
    static const char record[512] = "committed";
    uint64_t id = ++ids;

    for (unsigned i = 0; i < shape->store_count; i++)
        shape->stores[i]->kind->change(shape->stores[i], client, id);
    for (unsigned i = 0; i < shape->store_count; i++)
        shape->stores[i]->kind->prepare(shape->stores[i], client, id);
    if (has_log) {
        off_t at = (off_t)(id * sizeof(record) % LOG_SIZE);

        bench_must(pwrite(decisions, record, sizeof(record), at) == sizeof(record), "pwrite");
        bench_must(fdatasync(decisions) == 0, "fdatasync");
    }
    for (unsigned i = 0; i < shape->store_count; i++)
        shape->stores[i]->kind->commit(shape->stores[i], client, id);
}

static void
once_bare(void *context, unsigned client)
{
    by_hand(context, client, false);
}

static void
once_with_log(void *context, unsigned client)
{
    by_hand(context, client, true);
}

static void
once_with_ktm(void *context, unsigned client)
{
    struct shape *shape = context;
    void *parts[STORES_MAX], *work;
    HANDLE transaction;

    must_be(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, manager, 0, 0, 0,
                                NULL, NULL),
            "NtCreateTransaction", "");
    for (unsigned i = 0; i < shape->store_count; i++)
        parts[i] = shape->stores[i]->kind->join(shape->stores[i], client, transaction);
    if (shape->store_count == 1)
        must_be(ktm_rm_enlist(idler, transaction, make_nothing, shape, &work), "ktm_rm_enlist", "");
    must_be(ktm_rm_commit(shape->stores[0]->kind->kit(shape->stores[0]), transaction),
            "ktm_rm_commit", "");
    for (unsigned i = 0; i < shape->store_count; i++)
        shape->stores[i]->kind->leave(parts[i]);
    NtClose(transaction);
}

/* ---- all ---- */

static void
compare(struct shape *shape, unsigned clients)
{
    static const struct bench_arm arms[] = {
        {"bare", once_bare}, {"log", once_with_log}, {"ktm", once_with_ktm}};
    struct bench_comparison comparison = {.name = shape->name,
                                          .budget = shape->has_budget ? "<= 1.15" : NULL,
                                          .ratio_max = 1.15,
                                          .clients = clients,
                                          .arms = arms,
                                          .arm_count = 3,
                                          .context = shape};

    (void)bench_compare(&comparison);
}

static void
prepare_stores(struct store *stores[], unsigned count)
{
    must_be(ktm_tm_open(home, &manager), "ktm_tm_open", home);
    idler_open();
    for (unsigned i = 0; i < count; i++) {
        stores[i]->kind->open(stores[i]);
        for (unsigned client = 0; client < CLIENTS; client++)
            stores[i]->kind->enter(stores[i], client);
    }
}

int
main(int argc, char **argv)
{
    static const unsigned clients[] = {1, 8, 32};
    struct bench_options options =
        bench_start(argc, argv, (struct bench_options){.seconds = 0.25, .rounds = 9});
    static struct store pg = {&in_postgres, "postgres", NULL, {0}};
    static struct store pg2 = {&in_postgres, "second", NULL, {0}};
    static struct store maria = {&in_mariadb, "shop", NULL, {0}};
    static struct store maria2 = {&in_mariadb, "second", NULL, {0}};
    static struct store lite = {&in_sqlite, "", NULL, {0}};
    struct store *stores[] = {&pg, &pg2, &maria, &maria2, &lite};
    struct shape shapes[] = {{"PostgreSQL + MariaDB", {&pg, &maria}, 2, true},
                             {"PostgreSQL + PostgreSQL", {&pg, &pg2}, 2, true},
                             {"MariaDB + MariaDB", {&maria, &maria2}, 2, true},
                             {"PostgreSQL alone", {&pg}, 1, false},
                             {"MariaDB", {&maria}, 1, false},
                             {"PostgreSQL + SQLite", {&pg, &lite}, 2, false},
                             {"SQLite", {&lite}, 1, false}};

    setvbuf(stdout, NULL, _IOLBF, 0);
    decisions = bench_preallocated(LOG_SIZE);
    snprintf(home, sizeof(home), "%s/home", options.directory);
    snprintf(sqlite_path, sizeof(sqlite_path), "%s/account.db", options.directory);
    bench_servers_in(options.directory);
    postgres_start(&postgres, "-c max_prepared_transactions=100 -c max_connections=200"
                              " -c shared_buffers=64MB -c max_wal_size=1GB");
    mariadb_start(&mariadb, "--max-connections=200 --innodb-buffer-pool-size=64M"
                            " --innodb-log-file-size=64M");
    prepare_stores(stores, sizeof(stores) / sizeof(*stores));
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        if (options.only && !strstr(shapes[i].name, options.only))
            continue;
        bench_limit(decisions, shapes[i].name);
        for (size_t k = 0; k < sizeof(clients) / sizeof(*clients); k++)
            if (clients[k] == 1 || shapes[i].stores[shapes[i].store_count - 1] != &lite)
                compare(&shapes[i], clients[k]);
    }
    postgres_stop(&postgres);
    mariadb_stop(&mariadb);
    return bench_end();
}
