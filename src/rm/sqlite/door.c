/* SPDX-License-Identifier: MIT */
/* SQLite in transactions of applications (ktm.h), and for programs that do not know it. */
#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktm.h"
#include "rm/sqlite/rm.h"

#define BUSY_MS 5000

/* ---- a manager and its parts ---- */

static void
door_shut(void *rm)
{
    ktm_sqlite_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_sqlite_tx *made = NULL;
    NTSTATUS status = ktm_sqlite_begin(rm, transaction, why, why_size, &made);

    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_sqlite_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_sqlite_error(part, into, size);
}

static uint64_t
door_error_time(void *part)
{
    struct ktm_sqlite_tx *tx = part;
    uint64_t time;

    if (sqlite_rm_check(tx->rm) != STATUS_SUCCESS)
        return 0;
    sys_mutex_lock(&tx->mutex);
    time = tx->why.time;
    sys_mutex_unlock(&tx->mutex);
    return time;
}

/* ---- applications ---- */

struct use {
    const char *database;
    const struct ktm_sqlite_options *options;
};

static NTSTATUS
use_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct use *use = argument;
    struct ktm_sqlite_rm *made = NULL;
    NTSTATUS status = ktm_sqlite_open(tm, home, use->database, use->options, why, why_size, &made);

    *rm = made;
    return status;
}

/* Opened in another way it is another one: the home then says that it has it already. */
static char *
name_of(const struct use *use)
{
    const struct ktm_sqlite_options *options = use->options;
    char *name;
    int length;

    if (!options)
        length = asprintf(&name, "sqlite %s", use->database);
    else
        length = asprintf(&name, "sqlite %s|%d %u %u %d %d %d %d %p %p|%s", use->database,
                          (int)options->mode, options->patience_ms, options->busy_ms,
                          options->is_deferred, options->must_exist, options->is_last_resource,
                          options->owns_wal, (void *)(uintptr_t)options->unfinished,
                          options->context, options->setup ? options->setup : "");
    return length < 0 ? NULL : name;
}

NTSTATUS
ktm_sqlite_with(struct ktm_tx *tx, const char *database, const struct ktm_sqlite_options *options,
                struct ktm_sqlite_tx **out)
{
    static const struct ktm_manager_kind kind = {.open = use_open,
                                                 .shut = door_shut,
                                                 .begin = door_begin,
                                                 .close = door_close,
                                                 .error = door_error,
                                                 .error_time = door_error_time};
    const struct use use = {database, options};
    void *part = NULL;
    NTSTATUS status;
    char *name;

    if (!database || !out || (options && options->mode == KTM_RM_PUMP))
        return status_raise(STATUS_INVALID_PARAMETER);
    name = name_of(&use);
    if (!name)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_use(tx, name, &kind, &use, &part);
    free(name);
    if (status == STATUS_SUCCESS)
        *out = part;
    return status;
}

NTSTATUS
ktm_sqlite(struct ktm_tx *tx, const char *database, struct ktm_sqlite_tx **out)
{
    return ktm_sqlite_with(tx, database, NULL, out);
}

/* ---- the kind ---- */

struct known {
    ktm_resource_each *each;
    void *context;
};

/* The names beside a database are the whole log of what is prepared in it (park.h); a sign of a
 * last resource matters to a transaction that the TM still has. Without the database nobody knows.
 */
static bool
is_at_rest(const char *database)
{
    const char *name = strrchr(database, '/') + 1;
    char path[4200];
    struct stat info;
    struct dirent *entry;
    bool is = access(database, F_OK) == 0;
    DIR *directory;

    snprintf(path, sizeof(path), "%s-journal", database);
    is = is && !(stat(path, &info) == 0 && S_ISDIR(info.st_mode));
    snprintf(path, sizeof(path), "%.*s", (int)(name - database), database);
    directory = is ? opendir(path) : NULL;
    snprintf(path, sizeof(path), "%s-ktm.", name);
    while (directory && (entry = readdir(directory)))
        is = is && strncmp(entry->d_name, path, strlen(path)) != 0;
    if (directory)
        closedir(directory);
    return is && directory;
}

static void
known_one(void *context, const char *database, const char *name, const struct store *store)
{
    struct known *known = context;

    known->each(known->context, &(struct ktm_resource){.place = database,
                                                       .name = name,
                                                       .manager = store->identity,
                                                       .is_at_rest = is_at_rest(database)});
}

static NTSTATUS
door_known(const char *home, ktm_resource_each *each, void *context)
{
    struct known known = {each, context};

    return store_list(home, known_one, &known);
}

static NTSTATUS
door_place(const char *text, const char *directory, char *why, size_t why_size, char **out)
{
    if (!text[0] || (text[0] != '/' && !directory)) {
        snprintf(why, why_size, "a database is the path of a file");
        return status_raise(STATUS_INVALID_PARAMETER);
    }
    return asprintf(out, "%s%s%s", text[0] == '/' ? "" : directory, text[0] == '/' ? "" : "/",
                    text) < 0
               ? status_raise(STATUS_INSUFFICIENT_RESOURCES)
               : STATUS_SUCCESS;
}

/* ---- statements ---- */

static int
bind(sqlite3_stmt *statement, int index, const struct ktm_value *value)
{
    char *end;
    long long number;

    switch (value->type) {
    case KTM_VALUE_NULL:
        return sqlite3_bind_null(statement, index);
    case KTM_VALUE_BOOLEAN:
        return sqlite3_bind_int(statement, index, value->text[0] == 't');
    case KTM_VALUE_NUMBER:
        errno = 0;
        number = strtoll(value->text, &end, 10);
        if (!*end && errno == 0)
            return sqlite3_bind_int64(statement, index, number);
        return sqlite3_bind_double(statement, index, strtod(value->text, NULL));
    default:
        return sqlite3_bind_text(statement, index, value->text, -1, SQLITE_TRANSIENT);
    }
}

struct running {
    struct ktm_sqlite_tx *tx;
    size_t count;
    const struct ktm_value *values;
    uint64_t rows;
};

static NTSTATUS
bind_all(const struct running *running, sqlite3_stmt *statement)
{
    int code = SQLITE_OK, wanted = sqlite3_bind_parameter_count(statement);

    if ((size_t)wanted != running->count)
        return say(&running->tx->why, status_raise(STATUS_INVALID_PARAMETER),
                   "the statement has %d parameters, and %zu are given", wanted, running->count);
    for (int i = 0; i < wanted && code == SQLITE_OK; i++)
        code = bind(statement, i + 1, &running->values[i]);
    return code == SQLITE_OK ? STATUS_SUCCESS : status_raise(status_of_sqlite(code));
}

/* To its end; counts rows that are given, else those that were changed. */
static NTSTATUS
step_all(struct running *running, sqlite3_stmt *statement)
{
    struct ktm_sqlite_tx *tx = running->tx;
    int before = sqlite3_total_changes(tx->db), code;
    uint64_t given = 0;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        given++;
    if (code != SQLITE_DONE)
        return say(&tx->why, status_raise(status_of_sqlite(code)), "'%s': %s", tx->rm->path,
                   sqlite3_errmsg(tx->db));
    if (sqlite3_column_count(statement))
        running->rows += given;
    else if (sqlite3_total_changes(tx->db) != before)
        running->rows += (uint64_t)sqlite3_changes(tx->db);
    return STATUS_SUCCESS;
}

static NTSTATUS
run_one(struct running *running, const char **at, bool *is_end)
{
    struct ktm_sqlite_tx *tx = running->tx;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(tx->db, *at, -1, &statement, at);
    NTSTATUS status;

    if (code != SQLITE_OK)
        return say(&tx->why, status_raise(status_of_sqlite(code)), "'%s': %s", tx->rm->path,
                   sqlite3_errmsg(tx->db));
    *is_end = !statement;
    if (!statement)
        return STATUS_SUCCESS; /* a comment, or nothing */
    status = bind_all(running, statement);
    if (status == STATUS_SUCCESS)
        status = step_all(running, statement);
    sqlite3_finalize(statement);
    return status;
}

static NTSTATUS
run_all(struct running *running, const char *text)
{
    struct ktm_sqlite_tx *tx = running->tx;
    unsigned count = 0;

    tx->why.text[0] = '\0';
    if (tx->state != KTM_SQLITE_ACTIVE)
        return say(&tx->why, status_raise(STATUS_TRANSACTION_NOT_ACTIVE),
                   "the transaction is over in '%s'", tx->rm->path);
    for (const char *at = text; *at;) {
        bool is_end = false;

        if (count > 0 && running->count && at[strspn(at, " \t\r\n;")])
            return say(&tx->why, status_raise(STATUS_INVALID_PARAMETER),
                       "parameters belong to one statement, and there are several");
        TRY(run_one(running, &at, &is_end));
        count += !is_end;
    }
    return count ? STATUS_SUCCESS
                 : say(&tx->why, status_raise(STATUS_INVALID_PARAMETER), "there is no statement");
}

static NTSTATUS
door_run(void *part, const char *text, size_t count, const struct ktm_value *values, uint64_t *rows)
{
    struct running running = {.tx = part, .count = count, .values = values};
    NTSTATUS status;

    TRY(sqlite_rm_check(running.tx->rm));
    sys_mutex_lock(&running.tx->mutex);
    status = run_all(&running, text);
    sys_mutex_unlock(&running.tx->mutex);
    *rows = running.rows;
    return status;
}

static NTSTATUS
door_probe(const struct ktm_resource *resource, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(resource->place, &db, SQLITE_OPEN_READONLY, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    snprintf(why, why_size, "%s", code == SQLITE_OK ? "" : sqlite3_errmsg(db));
    sqlite3_close(db);
    return code == SQLITE_OK ? STATUS_SUCCESS : status_raise(status_of_sqlite(code));
}

static struct ktm_rm *
door_kit(void *rm)
{
    return ktm_sqlite_kit(rm);
}

static void
pass_unfinished(void *context, const GUID *transaction, BOOLEAN is_committed, const char *text)
{
    const struct ktm_resource *resource = context;

    resource->report(resource->context, KTM_RESOURCE_UNFINISHED, transaction, is_committed, text);
}

/* The name of a record tells how the database was opened; without one it prepares. What a record
 * tells of may have been in WAL mode, and only has to be finished. */
static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    const struct ktm_resource *resource = argument;
    const char *name = resource->name ? resource->name : KIND_PARK;
    struct ktm_sqlite_options options = {.mode = KTM_RM_CALLBACKS,
                                         .busy_ms = BUSY_MS,
                                         .must_exist = resource->must_exist,
                                         .is_last_resource =
                                             strncmp(name, KIND_LAST, strlen(KIND_LAST)) == 0,
                                         .owns_wal = resource->owns_wal || resource->name,
                                         .unfinished = resource->report ? pass_unfinished : NULL,
                                         .context = (void *)resource};
    struct ktm_sqlite_rm *made = NULL;
    NTSTATUS status = ktm_sqlite_open(tm, home, resource->place, &options, why, why_size, &made);

    *rm = made;
    return status;
}

static const struct ktm_manager_kind manager = {.open = door_open,
                                                .shut = door_shut,
                                                .begin = door_begin,
                                                .close = door_close,
                                                .error = door_error,
                                                .error_time = door_error_time};

KTM_API const struct ktm_resource_kind ktm_resource_kind = {.size = sizeof(ktm_resource_kind),
                                                            .name = "sqlite",
                                                            .known = door_known,
                                                            .place = door_place,
                                                            .manager = &manager,
                                                            .kit = door_kit,
                                                            .run = door_run,
                                                            .probe = door_probe};
