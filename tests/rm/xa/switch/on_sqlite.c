/* SPDX-License-Identifier: MIT */
/* Work inside a branch of the switch over SQLite, and a look from outside: an item is a row. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktm_sqlite_xa.h"
#include "ktm_xa.h"

#define PUBLIC __attribute__((visibility("default")))
PUBLIC ktm_xa_function ktm_xa_check_work, ktm_xa_check_look, item_add, item_look;

static int
run(sqlite3 *db, const char *format, const void *in)
{
    char sql[200];

    snprintf(sql, sizeof(sql), format, atoi(in));
    return sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK;
}

int
item_add(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    sqlite3 *db = ktm_sqlite_xa_db(rmid);

    (void)in_size, (void)out;
    *out_size = 0;
    return !db || run(db,
                      "CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY);"
                      "INSERT INTO item VALUES(%d)",
                      in);
}

int
item_look(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    sqlite3 *db = ktm_sqlite_xa_db(rmid);

    (void)in_size, (void)out;
    *out_size = 0;
    return !db || run(db, "SELECT * FROM item WHERE id = %d", in);
}

int
ktm_xa_check_work(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    return item_add(rmid, in, in_size, out, out_size);
}

/* The open string is the path, but for what stands behind a '?'. */
int
ktm_xa_check_look(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    const char *path = memchr(in, '\n', in_size);
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;
    char file[300], sql[100];
    int is_there = 0;

    (void)rmid, (void)out;
    *out_size = 0;
    snprintf(file, sizeof(file), "%.*s", (int)strcspn(path + 1, "?"), path + 1);
    snprintf(sql, sizeof(sql), "SELECT 1 FROM item WHERE id = %d", atoi(in));
    if (sqlite3_open(file, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK)
        is_there = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return !is_there;
}
