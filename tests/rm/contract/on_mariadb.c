/* SPDX-License-Identifier: MIT */
/* The contract's view of MariaDB: an item is a row. */
#include <time.h>

#include "ktm_mariadb.h"
#include "tests/rm/contract/contract.h"
#include "tests/rm/servers/mariadb.h"

struct rows {
    struct mariadb server;
    struct ktm_mariadb_rm *rm;
    bool was_told;
};

static void *
create(const char *directory)
{
    static struct rows rows;

    (void)directory;
    mariadb_start(&rows.server, "--max-connections=250");
    mariadb_ask(&rows.server, "CREATE TABLE items (item BIGINT PRIMARY KEY) ENGINE=InnoDB");
    return &rows;
}

static void
destroy(void *resource)
{
    struct rows *rows = resource;

    mariadb_stop(&rows->server);
}

static void
on_report(void *context, const struct ktm_mariadb_report *report)
{
    struct rows *rows = context;

    if (report->kind == KTM_MARIADB_DAMAGED)
        rows->was_told = true;
}

static NTSTATUS
open_rows(void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode, uint32_t patience_ms)
{
    struct rows *rows = resource;
    const struct ktm_mariadb_server server = {
        .socket = rows->server.socket, .user = "root", .database = "shop"};
    const struct ktm_mariadb_options options = {
        .mode = mode, .patience_ms = patience_ms, .report = on_report, .context = rows};
    char why[1024];
    NTSTATUS status = ktm_mariadb_open(tm, home, &server, &options, why, sizeof(why), &rows->rm);

    if (status != STATUS_SUCCESS)
        puts(why);
    return status;
}

static void
close_rows(void *resource)
{
    struct rows *rows = resource;

    ktm_mariadb_shut(rows->rm);
}

static struct ktm_rm *
kit(void *resource)
{
    struct rows *rows = resource;

    return ktm_mariadb_kit(rows->rm);
}

static NTSTATUS
work(void *resource, HANDLE transaction, unsigned item, bool change)
{
    struct rows *rows = resource;
    struct ktm_mariadb_tx *tx;
    NTSTATUS status;
    char number[16];
    const char *values[] = {number};

    snprintf(number, sizeof(number), "%u", item);
    TRY(ktm_mariadb_begin(rows->rm, transaction, &tx));
    status = ktm_mariadb_exec(
        tx, change ? "INSERT INTO items VALUES (?)" : "SELECT item FROM items WHERE item = ?", 1,
        values, NULL);
    ktm_mariadb_close(tx);
    return status;
}

static bool
is_there(void *resource, unsigned item)
{
    struct rows *rows = resource;
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM items WHERE item = %u", item);
    return mariadb_count(&rows->server, sql) == 1;
}

/* What XA RECOVER lists; the last one as SQL. */
static size_t
list(struct rows *rows, char xid[256])
{
    MYSQL *connection = mariadb_enter(&rows->server, NULL);
    MYSQL_RES *result;
    size_t count = 0;

    EXPECT_EQ(0, mysql_query(connection, "XA RECOVER FORMAT='SQL'"));
    result = mysql_store_result(connection);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)); count++)
        snprintf(xid, 256, "%s", row[3]);
    mysql_free_result(result);
    mysql_close(connection);
    return count;
}

static size_t
prepared(void *resource)
{
    char xid[256];

    return list(resource, xid);
}

static void
kill_server(void *resource)
{
    struct rows *rows = resource;

    mariadb_kill(&rows->server);
}

static void
again(void *resource)
{
    struct rows *rows = resource;

    mariadb_again(&rows->server, NULL);
}

/* The branch belongs to the connection that prepared it, as long as that is there. */
static void
interfere(void *resource)
{
    struct rows *rows = resource;
    char xid[256], sql[300];
    MYSQL *connection;
    int tries = 0;

    EXPECT_EQ(1, list(rows, xid));
    mariadb_end_others(&rows->server);
    snprintf(sql, sizeof(sql), "XA ROLLBACK %s", xid);
    connection = mariadb_enter(&rows->server, NULL);
    while (mysql_query(connection, sql) != 0) {
        EXPECT(tries++ < 200);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    mysql_close(connection);
}

static bool
was_told(void *resource)
{
    struct rows *rows = resource;

    return rows->was_told;
}

const struct contract contract_mariadb = {
    .name = "mariadb",
    .at_once = 200,
    .create = create,
    .destroy = destroy,
    .open = open_rows,
    .close = close_rows,
    .kit = kit,
    .work = work,
    .is_there = is_there,
    .prepared = prepared,
    .kill = kill_server,
    .again = again,
    .interfere = interfere,
    .was_told = was_told,
};
