/* SPDX-License-Identifier: MIT */
/* The contract's view of PostgreSQL: an item is a row. */
#include "ktm_postgres.h"
#include "tests/rm/contract/contract.h"
#include "tests/rm/servers/postgres.h"

#define SETTINGS "-c max_connections=250 -c max_prepared_transactions=250"

struct rows {
    struct postgres server;
    struct ktm_postgres_rm *rm;
    bool was_told;
};

static void *
create(const char *directory)
{
    static struct rows rows;

    (void)directory;
    postgres_start(&rows.server, SETTINGS);
    postgres_ask(&rows.server, "CREATE TABLE items (item bigint PRIMARY KEY)");
    return &rows;
}

static void
destroy(void *resource)
{
    struct rows *rows = resource;

    postgres_stop(&rows->server);
}

static void
on_report(void *context, const struct ktm_postgres_report *report)
{
    struct rows *rows = context;

    if (report->kind == KTM_POSTGRES_DAMAGED)
        rows->was_told = true;
}

static NTSTATUS
open_rows(void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode, uint32_t patience_ms)
{
    struct rows *rows = resource;
    struct ktm_postgres_options options = {
        .mode = mode, .patience_ms = patience_ms, .report = on_report, .context = rows};
    char why[1024];
    NTSTATUS status =
        ktm_postgres_open(tm, home, rows->server.conninfo, &options, why, sizeof(why), &rows->rm);

    if (status != STATUS_SUCCESS)
        puts(why);
    return status;
}

static void
close_rows(void *resource)
{
    struct rows *rows = resource;

    ktm_postgres_shut(rows->rm);
}

static struct ktm_rm *
kit(void *resource)
{
    struct rows *rows = resource;

    return ktm_postgres_kit(rows->rm);
}

static NTSTATUS
work(void *resource, HANDLE transaction, unsigned item, bool change)
{
    struct rows *rows = resource;
    struct ktm_postgres_tx *tx;
    NTSTATUS status;
    char number[16];
    const char *values[] = {number};

    snprintf(number, sizeof(number), "%u", item);
    TRY(ktm_postgres_begin(rows->rm, transaction, &tx));
    status = ktm_postgres_exec(
        tx, change ? "INSERT INTO items VALUES ($1)" : "SELECT item FROM items WHERE item = $1", 1,
        values, NULL);
    ktm_postgres_close(tx);
    return status;
}

static bool
is_there(void *resource, unsigned item)
{
    struct rows *rows = resource;
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM items WHERE item = %u", item);
    return postgres_count(&rows->server, sql) == 1;
}

static size_t
prepared(void *resource)
{
    struct rows *rows = resource;

    return (size_t)postgres_count(&rows->server, "SELECT count(*) FROM pg_prepared_xacts");
}

static void
kill_server(void *resource)
{
    struct rows *rows = resource;

    postgres_kill(&rows->server);
}

static void
again(void *resource)
{
    struct rows *rows = resource;

    postgres_again(&rows->server, SETTINGS);
}

static void
interfere(void *resource)
{
    struct rows *rows = resource;
    char sql[300];

    snprintf(sql, sizeof(sql), "ROLLBACK PREPARED '%s'",
             postgres_ask(&rows->server, "SELECT gid FROM pg_prepared_xacts"));
    postgres_ask(&rows->server, sql);
}

static bool
was_told(void *resource)
{
    struct rows *rows = resource;

    return rows->was_told;
}

const struct contract contract_postgres = {
    .name = "postgres",
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
