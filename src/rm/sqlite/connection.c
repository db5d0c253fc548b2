/* SPDX-License-Identifier: MIT */
/* Connections: those of parts, which SQL of applications runs on, and those of our own. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "rm/sqlite/rm.h"

#define BUSY_MS      1000 /* for our own looks at a database */
#define PAUSE_MAX_MS 16
#define LOG_SIZE_MAX (1 << 20) /* of a write-ahead log: each connection reads all of it */

NTSTATUS
status_of_sqlite(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
        return STATUS_SUCCESS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_TRANSACTIONAL_CONFLICT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return STATUS_ACCESS_DENIED;
    case SQLITE_NOMEM:
        return STATUS_INSUFFICIENT_RESOURCES;
    case SQLITE_IOERR:
        return STATUS_IO_DEVICE_ERROR;
    case SQLITE_FULL:
        return STATUS_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_OBJECT_TYPE_MISMATCH;
    case SQLITE_CANTOPEN:
        return STATUS_OBJECT_NAME_NOT_FOUND;
    default:
        return STATUS_UNSUCCESSFUL;
    }
}

/* ---- connections of our own ---- */

NTSTATUS
database_open(const struct ktm_sqlite_rm *rm, sqlite3 **out, struct words *why)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_PRIVATECACHE |
                      SQLITE_OPEN_EXRESCODE;
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(rm->path, &db, flags, NULL);

    if (code != SQLITE_OK) {
        sqlite3_close(db);
        return say(why, status_raise(status_of_sqlite(code)), "'%s' cannot be opened: %s", rm->path,
                   sqlite3_errstr(code));
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    *out = db;
    return STATUS_SUCCESS;
}

void
database_close(sqlite3 *db)
{
    int code = sqlite3_close(db);

    CHECK(code == SQLITE_OK); /* our own statements are finalized */
}

NTSTATUS
database_make(const struct ktm_sqlite_rm *rm, struct words *why)
{
    int flags = SQLITE_OPEN_READWRITE | (rm->options.must_exist ? 0 : SQLITE_OPEN_CREATE);
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(rm->path, &db, flags, NULL);

    sqlite3_close(db);
    return code == SQLITE_OK ? STATUS_SUCCESS
                             : say(why, status_raise(status_of_sqlite(code)),
                                   "'%s' cannot be opened: %s", rm->path, sqlite3_errstr(code));
}

static int
take_text(void *text, int count, char **values, char **names)
{
    (void)names;
    if (count > 0 && values[0])
        snprintf(text, 32, "%s", values[0]);
    return 0;
}

static NTSTATUS
look(struct ktm_sqlite_rm *rm, sqlite3 *db, struct words *why)
{
    char mode[32] = "";
    int code = sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA journal_mode", take_text, mode, NULL);
    if (code != SQLITE_OK && park_is_shut(&rm->park))
        return say(why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
                   "'%s' is in doubt: a transaction is prepared in it and not decided", rm->path);
    if (code != SQLITE_OK)
        return say(why, status_raise(status_of_sqlite(code)), "'%s' cannot be read: %s", rm->path,
                   sqlite3_errmsg(db));
    if (strcmp(mode, "wal") == 0 && !rm->options.is_last_resource && !rm->options.owns_wal)
        return say(why, status_raise(STATUS_NOT_SUPPORTED),
                   "'%s' is in WAL mode, which prepares only where nobody else has the database "
                   "open (owns_wal): set that, or PRAGMA journal_mode=DELETE, or let it take part "
                   "as last resource",
                   rm->path);
    return STATUS_SUCCESS;
}

NTSTATUS
database_look(struct ktm_sqlite_rm *rm, struct words *why)
{
    sqlite3 *db = NULL;
    NTSTATUS status;

    TRY(database_open(rm, &db, why));
    status = look(rm, db, why);
    database_close(db);
    return status;
}

void
database_play_back(struct ktm_sqlite_rm *rm)
{
    struct words why = {.text = ""};
    NTSTATUS status = database_look(rm, &why);

    (void)status;
}

/* ---- what may not be said on the connection of a part ---- */

/* Whatever commits on this connection and is not us: also what runs after SQLite has ended the
 * transaction by itself (ON CONFLICT ROLLBACK), each statement then being its own transaction. */
static int
on_commit(void *context)
{
    struct ktm_sqlite_tx *tx = context;

    return !atomic_load(&tx->is_ours);
}

static int
on_authorize(void *context, int action, const char *a, const char *b, const char *c, const char *d)
{
    struct ktm_sqlite_tx *tx = context;

    (void)a, (void)b, (void)c, (void)d;
    if (atomic_load(&tx->is_ours))
        return SQLITE_OK;
    return action == SQLITE_TRANSACTION || action == SQLITE_ATTACH || atomic_load(&tx->is_over)
               ? SQLITE_DENY
               : SQLITE_OK;
}

int
connection_run(struct ktm_sqlite_tx *tx, const char *sql)
{
    int code;

    atomic_store(&tx->is_ours, true);
    code = sqlite3_exec(tx->db, sql, NULL, NULL, NULL);
    atomic_store(&tx->is_ours, false);
    return code;
}

/* ---- the connection of a part ---- */

static int
connection_open(struct ktm_sqlite_tx *tx)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_PRIVATECACHE |
                      SQLITE_OPEN_EXRESCODE;

    if (tx->rm->options.is_last_resource)
        return sqlite3_open_v2(tx->rm->path, &tx->db, flags, NULL);
    return shim_open(tx->rm->path, &tx->rm->park, &tx->db, &tx->shim);
}

static int
mode_get(struct ktm_sqlite_tx *tx, char mode[32])
{
    mode[0] = '\0';
    return sqlite3_exec(tx->db, "PRAGMA main.journal_mode", take_text, mode, NULL);
}

/* A database in WAL mode is locked from here on: SQLite then lets nobody else in. Without waiting:
 * in EXCLUSIVE mode SQLite keeps its SHARED lock while it waits for more, and two would wait for
 * each other. */
static int
log_take(struct ktm_sqlite_tx *tx)
{
    char mode[32];
    int code;

    shim_own_log(tx->shim);
    sqlite3_busy_timeout(tx->db, 0);
    code = sqlite3_exec(tx->db, "PRAGMA main.locking_mode=EXCLUSIVE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = mode_get(tx, mode);
    tx->is_wal = code == SQLITE_OK && strcmp(mode, "wal") == 0;
    if (code == SQLITE_OK && !tx->is_wal)
        code = sqlite3_exec(tx->db, "PRAGMA main.locking_mode=NORMAL", NULL, NULL, NULL);
    return code;
}

/* As long as the application would wait for others. */
static int
connection_open_alone(struct ktm_sqlite_tx *tx)
{
    uint32_t waited = 0, pause = 1;

    for (;;) {
        int code = connection_open(tx);

        if (code == SQLITE_OK)
            code = log_take(tx);
        if ((code & 0xff) != SQLITE_BUSY || waited >= tx->rm->options.busy_ms)
            return code;
        connection_close(tx);
        sqlite3_sleep((int)pause);
        waited += pause;
        pause = pause < PAUSE_MAX_MS ? 2 * pause : pause;
    }
}

/* No checkpoint after a COMMIT, which may have been parked: it is made here, when one is due. If it
 * fails the log grows, as with SQLite's own. */
static int
log_set(struct ktm_sqlite_tx *tx)
{
    char mode[32];
    int code = mode_get(tx, mode);

    if (code == SQLITE_OK && strcmp(mode, "wal") != 0)
        code = SQLITE_CANTOPEN; /* what the application has set up leaves no log */
    if (code == SQLITE_OK)
        code = sqlite3_exec(tx->db, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
    if (code == SQLITE_OK && shim_log_size(tx->shim) > LOG_SIZE_MAX)
        sqlite3_wal_checkpoint_v2(tx->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code;
}

/* Any other mode of a rollback journal would not remove it. */
static int
journal_set(struct ktm_sqlite_tx *tx)
{
    char mode[32] = "";
    int code = sqlite3_exec(tx->db, "PRAGMA journal_mode=DELETE", take_text, mode, NULL);

    return code == SQLITE_OK && strcmp(mode, "delete") != 0 ? SQLITE_CANTOPEN : code;
}

/* EXTRA: after the removal of a journal its directory is synced, else a plain COMMIT may be undone
 * by a power cut. */
static int
connection_set(struct ktm_sqlite_tx *tx)
{
    int code;

    sqlite3_busy_timeout(tx->db, (int)tx->rm->options.busy_ms);
    sqlite3_limit(tx->db, SQLITE_LIMIT_ATTACHED, 0);
    code = sqlite3_exec(tx->db, tx->rm->options.setup, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(tx->db, "PRAGMA synchronous=EXTRA", NULL, NULL, NULL);
    if (code != SQLITE_OK || !tx->shim)
        return code;
    code = tx->is_wal ? log_set(tx) : journal_set(tx);
    shim_seal(tx->shim);
    return code;
}

static NTSTATUS
explain_begin(struct ktm_sqlite_tx *tx, int code, struct words *why)
{
    char text[300];

    snprintf(text, sizeof(text), "%s", tx->db ? sqlite3_errmsg(tx->db) : sqlite3_errstr(code));
    connection_close(tx);
    if ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR)
        TRY(database_look(tx->rm, why)); /* it knows better words */
    return say(why, status_raise(status_of_sqlite(code)), "'%s' cannot be used: %s%s", tx->rm->path,
               text,
               (code & 0xff) == SQLITE_BUSY && tx->rm->options.owns_wal
                   ? "; in WAL mode nobody else may have it open"
                   : "");
}

NTSTATUS
connection_begin(struct ktm_sqlite_tx *tx, struct words *why)
{
    bool is_alone = tx->rm->options.owns_wal && !tx->rm->options.is_last_resource;
    int code = is_alone ? connection_open_alone(tx) : connection_open(tx);

    if (code == SQLITE_OK)
        code = connection_set(tx);
    if (code == SQLITE_OK)
        code = connection_run(tx, tx->rm->options.is_deferred ? "BEGIN" : "BEGIN IMMEDIATE");
    if (code != SQLITE_OK)
        return explain_begin(tx, code, why);
    sqlite3_commit_hook(tx->db, on_commit, tx);
    sqlite3_set_authorizer(tx->db, on_authorize, tx);
    return STATUS_SUCCESS;
}

void
connection_close(struct ktm_sqlite_tx *tx)
{
    if (tx->db) {
        /* What the application still has of it may outlive us: it must not call us. */
        sqlite3_commit_hook(tx->db, NULL, NULL);
        sqlite3_set_authorizer(tx->db, NULL, NULL);
        sqlite3_close_v2(tx->db);
    }
    shim_close(tx->shim);
    tx->db = NULL;
    tx->shim = NULL;
}

/* The statements there are lose their authorization, and no new one gets it. */
static void
connection_end(struct ktm_sqlite_tx *tx)
{
    if (!tx->is_wal)
        return;
    atomic_store(&tx->is_over, true);
    sqlite3_set_authorizer(tx->db, on_authorize, tx);
}

static void
statements_reset(struct ktm_sqlite_tx *tx)
{
    sqlite3_stmt *statement = NULL;

    while ((statement = sqlite3_next_stmt(tx->db, statement)))
        if (sqlite3_stmt_busy(statement))
            sqlite3_reset(statement);
}

void
connection_rollback(struct ktm_sqlite_tx *tx)
{
    sqlite3_interrupt(tx->db);
    sqlite3_mutex_enter(sqlite3_db_mutex(tx->db));
    statements_reset(tx);
    if (!sqlite3_get_autocommit(tx->db))
        connection_run(tx,
                       "ROLLBACK"); /* a failure leaves a journal that the next one plays back */
    if (tx->shim)
        shim_end(tx->shim);
    connection_end(tx);
    sqlite3_mutex_leave(sqlite3_db_mutex(tx->db));
}

int
connection_commit(struct ktm_sqlite_tx *tx)
{
    int code;

    sqlite3_mutex_enter(sqlite3_db_mutex(tx->db));
    statements_reset(tx);
    code = connection_run(tx, "COMMIT");
    if (code != SQLITE_OK && tx->shim)
        shim_explain(tx->shim, &tx->why);
    if (code != SQLITE_OK)
        words_write(&tx->why, "'%s' cannot be committed: %s", tx->rm->path, sqlite3_errmsg(tx->db));
    connection_end(tx);
    sqlite3_mutex_leave(sqlite3_db_mutex(tx->db));
    return code;
}

bool
connection_is_in_transaction(struct ktm_sqlite_tx *tx)
{
    if (!sqlite3_get_autocommit(tx->db))
        return true;
    words_write(&tx->why, "an error has made SQLite roll back in '%s'", tx->rm->path);
    return false;
}
