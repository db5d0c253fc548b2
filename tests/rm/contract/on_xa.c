/* SPDX-License-Identifier: MIT */
/*
 * The contract's view of the XA bridge, with the switch over SQLite: an item is a row, made by a
 * function in the helper process. A second view has the helpers as its server, which is killed and
 * comes back by itself.
 */
#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktm_xa.h"
#include "tests/rm/contract/contract.h"

#define PATIENT_MS 60000

struct store {
    char directory[600], path[700], info[800], spec[600], library[600];
    struct ktm_xa_rm *rm;
};

static void *
create(const char *directory)
{
    static struct store store;
    sqlite3 *db;

    snprintf(store.directory, sizeof(store.directory), "%s/sqlite", directory);
    snprintf(store.path, sizeof(store.path), "%s/items.db", store.directory);
    snprintf(store.info, sizeof(store.info), "%s?busy=%d", store.path, PATIENT_MS);
    snprintf(store.spec, sizeof(store.spec), "%s/libktm-sqlite-xa.so", test_build());
    snprintf(store.library, sizeof(store.library), "%s/tests/xa-on_sqlite.so", test_build());
    EXPECT_EQ(0, mkdir(store.directory, 0700));
    EXPECT_EQ(SQLITE_OK, sqlite3_open(store.path, &db));
    EXPECT_EQ(SQLITE_OK,
              sqlite3_exec(db, "CREATE TABLE item(id INTEGER PRIMARY KEY)", NULL, NULL, NULL));
    sqlite3_close(db);
    return &store;
}

static void
destroy(void *resource)
{
    (void)resource;
}

static NTSTATUS
open_store(void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode, uint32_t patience_ms)
{
    struct store *store = resource;
    struct ktm_xa_options options = {.mode = mode,
                                     .patience_ms = patience_ms,
                                     .timeout_ms = 2 * PATIENT_MS,
                                     .is_unchecked = TRUE};
    char why[1024];
    NTSTATUS status =
        ktm_xa_open(tm, home, store->spec, store->info, &options, why, sizeof(why), &store->rm);

    if (status != STATUS_SUCCESS)
        printf("the switch cannot be opened: %s\n", why);
    return status;
}

static void
close_store(void *resource)
{
    struct store *store = resource;

    ktm_xa_shut(store->rm);
}

static struct ktm_rm *
kit(void *resource)
{
    struct store *store = resource;

    return ktm_xa_kit(store->rm);
}

static NTSTATUS
work(void *resource, HANDLE transaction, unsigned item, bool change)
{
    struct store *store = resource;
    struct ktm_xa_tx *tx;
    char name[700], text[16];
    int size = snprintf(text, sizeof(text), "%u", item);
    NTSTATUS status;

    snprintf(name, sizeof(name), "%s:%s", store->library, change ? "item_add" : "item_look");
    TRY(ktm_xa_begin(store->rm, transaction, &tx));
    status = ktm_xa_call(tx, name, text, (size_t)size + 1, NULL, 0, NULL);
    ktm_xa_close(tx);
    return status;
}

static bool
is_there(void *resource, unsigned item)
{
    struct store *store = resource;
    sqlite3_stmt *statement = NULL;
    char sql[100];
    sqlite3 *db;
    int code;

    snprintf(sql, sizeof(sql), "SELECT 1 FROM item WHERE id = %u", item);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(store->path, &db));
    sqlite3_busy_timeout(db, PATIENT_MS);
    EXPECT_EQ(SQLITE_OK, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    code = sqlite3_step(statement);
    EXPECT(code == SQLITE_ROW || code == SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return code == SQLITE_ROW;
}

static size_t
prepared(void *resource)
{
    struct store *store = resource;
    DIR *directory = opendir(store->directory);
    struct dirent *entry;
    size_t count = 0;

    EXPECT(directory != NULL);
    while ((entry = readdir(directory)))
        count += strncmp(entry->d_name, "items.db-ktm.", strlen("items.db-ktm.")) == 0;
    closedir(directory);
    return count;
}

/* ---- helpers ---- */

/* Is the process a helper that this one has started? */
static bool
is_helper(const char *process)
{
    char path[300], name[32], line[256];
    int parent = 0;
    FILE *file;

    name[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%s/status", process);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file)) {
        sscanf(line, "Name: %31s", name);
        sscanf(line, "PPid: %d", &parent);
    }
    if (file)
        fclose(file);
    return parent == getpid() && strcmp(name, "ktm-xa-helper") == 0;
}

static void
kill_helpers(void *resource)
{
    DIR *all = opendir("/proc");
    struct dirent *entry;

    (void)resource;
    while ((entry = readdir(all)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_helper(entry->d_name))
            kill(atoi(entry->d_name), SIGKILL);
    closedir(all);
}

static void
nothing(void *resource)
{
    (void)resource;
}

const struct contract contract_xa = {
    .name = "xa",
    .create = create,
    .destroy = destroy,
    .open = open_store,
    .close = close_store,
    .kit = kit,
    .work = work,
    .is_there = is_there,
    .prepared = prepared,
};

const struct contract contract_xa_helpers = {
    .name = "xa_helpers",
    .create = create,
    .destroy = destroy,
    .open = open_store,
    .close = close_store,
    .kit = kit,
    .work = work,
    .is_there = is_there,
    .kill = kill_helpers,
    .again = nothing,
};
