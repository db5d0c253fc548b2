/* SPDX-License-Identifier: MIT */
/* The contract's view of a SQLite database, one that prepares, one that does so in WAL mode, and
 * one that decides as last resource: an item is a row. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktm_sqlite.h"
#include "tests/rm/contract/contract.h"

#define PATIENT_MS   60000
#define IMPATIENT_MS 500

struct database {
    char directory[600], path[700];
    struct ktm_sqlite_rm *rm;
    bool is_last, owns_wal;
};

static void *
create_as(const char *directory, bool is_last, bool owns_wal)
{
    static struct database database;
    sqlite3 *db;

    database.is_last = is_last;
    database.owns_wal = owns_wal;
    snprintf(database.directory, sizeof(database.directory), "%s/sqlite", directory);
    snprintf(database.path, sizeof(database.path), "%s/items.db", database.directory);
    EXPECT_EQ(0, mkdir(database.directory, 0700));
    EXPECT_EQ(SQLITE_OK, sqlite3_open(database.path, &db));
    EXPECT_EQ(SQLITE_OK,
              sqlite3_exec(db, "CREATE TABLE item(id INTEGER PRIMARY KEY)", NULL, NULL, NULL));
    if (owns_wal)
        EXPECT_EQ(SQLITE_OK, sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL));
    sqlite3_close(db);
    return &database;
}

static void *
create(const char *directory)
{
    return create_as(directory, false, false);
}

static void *
create_wal(const char *directory)
{
    return create_as(directory, false, true);
}

static void *
create_last(const char *directory)
{
    return create_as(directory, true, false);
}

static void
destroy(void *resource)
{
    (void)resource;
}

static NTSTATUS
open_database(void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode,
              uint32_t patience_ms)
{
    struct database *database = resource;
    struct ktm_sqlite_options options = {.mode = mode,
                                         .patience_ms = patience_ms,
                                         .busy_ms = PATIENT_MS,
                                         .must_exist = TRUE,
                                         .is_last_resource = database->is_last,
                                         .owns_wal = database->owns_wal};

    return ktm_sqlite_open(tm, home, database->path, &options, NULL, 0, &database->rm);
}

static void
close_database(void *resource)
{
    struct database *database = resource;

    ktm_sqlite_shut(database->rm);
}

static struct ktm_rm *
kit(void *resource)
{
    struct database *database = resource;

    return ktm_sqlite_kit(database->rm);
}

static NTSTATUS
work(void *resource, HANDLE transaction, unsigned item, bool change)
{
    struct database *database = resource;
    struct ktm_sqlite_tx *tx;
    NTSTATUS status;
    char sql[80];

    TRY(ktm_sqlite_begin(database->rm, transaction, NULL, 0, &tx));
    snprintf(sql, sizeof(sql),
             change ? "INSERT INTO item VALUES(%u)" : "SELECT * FROM item WHERE id = %u", item);
    status = ktm_sqlite_exec(tx, sql);
    ktm_sqlite_close(tx);
    return status;
}

static bool
is_refusal(int code)
{
    return code == SQLITE_BUSY || code == SQLITE_CANTOPEN || code == SQLITE_IOERR;
}

/* A plain connection, as any program has. In WAL mode it sees nothing at all while a transaction is
 * under way, or in doubt. */
static bool
is_there(void *resource, unsigned item)
{
    struct database *database = resource;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db;
    char sql[80];
    int code;

    snprintf(sql, sizeof(sql), "SELECT 1 FROM item WHERE id = %u", item);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(database->path, &db));
    sqlite3_busy_timeout(db, database->owns_wal ? IMPATIENT_MS : PATIENT_MS);
    code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    EXPECT(code == SQLITE_ROW || code == SQLITE_DONE || (database->owns_wal && is_refusal(code)));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return code == SQLITE_ROW;
}

static size_t
prepared(void *resource)
{
    struct database *database = resource;
    DIR *directory = opendir(database->directory);
    struct dirent *entry;
    size_t count = 0;

    EXPECT(directory != NULL);
    while ((entry = readdir(directory)))
        count += strncmp(entry->d_name, "items.db-ktm.", strlen("items.db-ktm.")) == 0;
    closedir(directory);
    return count;
}

/* Somebody puts the journal back by hand. While we live our lock keeps everybody from it, and then
 * any SQLite rolls back by it: what was decided is undone, and stays unfinished, for the names are
 * not those of anything that we did. */
static void
interfere(void *resource)
{
    struct database *database = resource;
    char parked[1024] = "", journal[1024];
    DIR *directory = opendir(database->directory);
    struct dirent *entry;

    EXPECT(directory != NULL);
    while ((entry = readdir(directory)))
        if (strncmp(entry->d_name, "items.db-ktm.", strlen("items.db-ktm.")) == 0)
            snprintf(parked, sizeof(parked), "%s/%s", database->directory, entry->d_name);
    closedir(directory);
    EXPECT(parked[0]);
    snprintf(journal, sizeof(journal), "%s-journal", database->path);
    EXPECT_EQ(0, renameat2(AT_FDCWD, parked, AT_FDCWD, journal, RENAME_EXCHANGE));
}

static bool
was_told(void *resource)
{
    return ktm_rm_unfinished(kit(resource)) > 0;
}

/* There is no server, so nothing that is away, or dies, but this process and the directory: for
 * those see rm/sqlite/recovery and tests/examples/till.py. Writers wait for one another. */
const struct contract contract_sqlite = {
    .name = "sqlite",
    .create = create,
    .destroy = destroy,
    .open = open_database,
    .close = close_database,
    .kit = kit,
    .work = work,
    .is_there = is_there,
    .prepared = prepared,
    .interfere = interfere,
    .was_told = was_told,
};

/* Somebody cuts the log off, and what was prepared with it. */
static void
interfere_with_log(void *resource)
{
    struct database *database = resource;
    char path[1024];

    snprintf(path, sizeof(path), "%s-wal", database->path);
    EXPECT_EQ(0, truncate(path, 0));
}

const struct contract contract_sqlite_wal = {
    .name = "sqlite_wal",
    .create = create_wal,
    .destroy = destroy,
    .open = open_database,
    .close = close_database,
    .kit = kit,
    .work = work,
    .is_there = is_there,
    .prepared = prepared,
    .interfere = interfere_with_log,
    .was_told = was_told,
};

/* Nothing of it is ever prepared, so there is nothing to come between. */
const struct contract contract_sqlite_last = {
    .name = "sqlite_last",
    .create = create_last,
    .destroy = destroy,
    .open = open_database,
    .close = close_database,
    .kit = kit,
    .work = work,
    .is_there = is_there,
};
