/* SPDX-License-Identifier: MIT */
/* Databases that prepare: commits, refusals, and what everybody else sees meanwhile. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/rm/sqlite/scene.h"

static void
expect_nothing_left(const struct scene *scene)
{
    EXPECT_EQ(0, scene_names(scene));
}

static bool
is_directory(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool
is_file(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* ---- outcomes ---- */

TEST(a_row_and_somebody_else_commit_together)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_EQ(1, scene.committed);
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    expect_nothing_left(&scene);
    EXPECT_OK(scene_write(&scene, 3)); /* and once more */
    EXPECT_EQ(3, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
    expect_nothing_left(&scene);
}

TEST(what_somebody_else_refuses_is_rolled_back_by_sqlite_itself)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    scene.other_votes = KTM_RM_NO;
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 2));
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    expect_nothing_left(&scene);
    scene_close(&scene);
}

TEST(who_is_alone_commits_at_once)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 5"));
    EXPECT_OK(ktm_sqlite_commit(tx));
    EXPECT_EQ(KTM_SQLITE_COMMITTED, ktm_sqlite_state(tx));
    EXPECT_EQ(5, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_close(tx);
    scene_close(&scene);
}

TEST(who_changes_nothing_is_read_only)
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;

    scene_set(&scene);
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "SELECT * FROM t; UPDATE t SET v = 3 WHERE v = 99"));
    EXPECT_OK(ktm_sqlite_exec(tx, "CREATE TEMP TABLE mine(v); INSERT INTO mine VALUES(1)"));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_SQLITE_COMMITTED, ktm_sqlite_state(tx));
    EXPECT_EQ(1, scene.committed);
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    expect_nothing_left(&scene);
    scene_close(&scene);
}

TEST(closing_rolls_back)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 9"));
    ktm_sqlite_close(tx);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 9"));
    EXPECT_OK(ktm_sqlite_rollback(tx));
    EXPECT_EQ(KTM_SQLITE_ROLLED_BACK, ktm_sqlite_state(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_sqlite_exec(tx, "UPDATE t SET v = 10"));
    ktm_sqlite_close(tx);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

/* ---- while it is prepared ---- */

static void
look_around(struct scene *scene)
{
    EXPECT(is_directory(scene->journal));
    EXPECT(is_file(scene_parked(scene)));
    EXPECT_EQ(SQLITE_BUSY, scene_sql(scene, "SELECT * FROM t"));
    EXPECT_EQ(SQLITE_BUSY, scene_sql(scene, "UPDATE t SET v = 7"));
    EXPECT(strstr(scene_command_says(scene), "database is locked") != NULL);
    EXPECT(strstr(scene_python_says(scene), "database is locked") != NULL);
}

TEST(everybody_else_is_told_that_it_is_busy_while_it_is_prepared) /* SQ-02 */
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    scene.while_voting = look_around;
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_TEXT("2\n", scene_command_says(&scene));
    EXPECT_TEXT("2\n", scene_python_says(&scene));
    scene.other_votes = KTM_RM_NO;
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 3));
    EXPECT_TEXT("2\n", scene_command_says(&scene));
    scene_close(&scene);
}

static struct ktm_sqlite_tx *used;

static void
use_connection(struct scene *scene)
{
    sqlite3 *db = ktm_sqlite_db(used);

    (void)scene;
    EXPECT_EQ(SQLITE_BUSY, sqlite3_exec(db, "SELECT count(*) FROM t", NULL, NULL, NULL) & 0xff);
    EXPECT(sqlite3_exec(db, "UPDATE t SET v = 8", NULL, NULL, NULL) != SQLITE_OK);
    EXPECT(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_sqlite_exec(used, "UPDATE t SET v = 8"));
}

TEST(the_connection_is_over_when_the_commit_begins)
{
    struct scene scene;
    HANDLE transaction;
    sqlite3_stmt *running;

    scene_set(&scene);
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    used = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    scene.while_voting = use_connection;
    EXPECT_OK(ktm_sqlite_exec(used, "INSERT INTO t VALUES(2), (3)"));
    /* A statement that still gives rows is ended, and does not keep the transaction from it. */
    EXPECT_EQ(SQLITE_OK,
              sqlite3_prepare_v2(ktm_sqlite_db(used), "SELECT v FROM t", -1, &running, NULL));
    EXPECT_EQ(SQLITE_ROW, sqlite3_step(running));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(3, scene_number(&scene, "SELECT count(*) FROM t"));
    EXPECT(sqlite3_step(running) != SQLITE_ROW);
    ktm_sqlite_close(used); /* with a statement that lives on */
    EXPECT_OK(NtClose(transaction));
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "UPDATE t SET v = 4"));
    sqlite3_finalize(running);
    scene_close(&scene);
}

/* ---- what SQLite can do, and what it must not do here ---- */

TEST(all_sql_is_part_of_the_transaction) /* SQ-09 */
{
    static const char sql[] =
        "CREATE TABLE n(a, b); INSERT INTO n VALUES(NULL, 1), (NULL, 1);"
        "CREATE TABLE u(x UNIQUE); INSERT INTO u VALUES(1), (2);"
        "SAVEPOINT s; DELETE FROM u; ROLLBACK TO s; RELEASE s;"
        "CREATE TRIGGER r AFTER INSERT ON n BEGIN UPDATE t SET v = v + 100; END;"
        "INSERT INTO n VALUES(3, 4); ALTER TABLE t ADD COLUMN w DEFAULT 6; PRAGMA user_version=12;"
        "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES('hello world'); ANALYZE;"
        "CREATE TEMP TABLE own(x); INSERT INTO own SELECT v FROM t";
    struct scene scene;

    for (int is_commit = 0; is_commit < 2; is_commit++) {
        HANDLE transaction;
        struct ktm_sqlite_tx *tx;

        scene_set(&scene);
        scene_open(&scene);
        scene.other_votes = is_commit ? KTM_RM_DONE : KTM_RM_NO;
        transaction = scene_transaction(&scene);
        tx = scene_begin(&scene, transaction);
        scene_enlist_other(&scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(tx, sql));
        EXPECT_STATUS(is_commit ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                      NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(is_commit ? 101 : 1, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(is_commit ? 12 : 0, scene_number(&scene, "PRAGMA user_version"));
        EXPECT_EQ(is_commit ? 2 : 0,
                  scene_number(&scene, "SELECT count(*) FROM sqlite_schema WHERE name IN "
                                       "('n', 'u')"));
        ktm_sqlite_close(tx);
        EXPECT_OK(NtClose(transaction));
        scene_close(&scene);
        expect_nothing_left(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(what_would_end_or_leave_the_transaction_is_refused) /* SQ-04 SQ-06 */
{
    static const char *const refused[] = {
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ATTACH ':memory:' AS b",
        "VACUUM",
        "PRAGMA journal_mode=TRUNCATE",
        "PRAGMA journal_mode=PERSIST",
        "PRAGMA journal_mode=MEMORY",
        "PRAGMA main.journal_mode=OFF",
        "PRAGMA journal_mode(wal)",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=EXCLUSIVE",
    };
    struct scene scene;
    struct ktm_sqlite_tx *tx;
    char error[300];

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EACH (sql, refused) {
        NTSTATUS status = ktm_sqlite_exec(tx, *sql);

        if (status == STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "'%s' was allowed", *sql);
        EXPECT(ktm_sqlite_error(tx, error, sizeof(error)) > 0);
    }
    EXPECT_OK(ktm_sqlite_exec(tx, "PRAGMA journal_mode; PRAGMA synchronous"));
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    EXPECT_OK(ktm_sqlite_commit(tx));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_close(tx);
    scene_close(&scene);
}

TEST(a_rollback_by_sqlite_is_a_vote_against) /* SQ-13 */
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;
    char error[300];

    scene_set(&scene);
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "CREATE TABLE u(x UNIQUE); INSERT INTO u VALUES(1)"));
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, ktm_sqlite_exec(tx, "INSERT OR ROLLBACK INTO u VALUES(1)"));
    /* From now on each statement would be a transaction of its own. */
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, ktm_sqlite_exec(tx, "UPDATE t SET v = 3"));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(ktm_sqlite_error(tx, error, sizeof(error)) > 0);
    EXPECT(strstr(error, "roll back") != NULL);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_EQ(1, scene.rolled_back);
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    scene_close(&scene);
}

TEST(a_deferred_constraint_votes_against)
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;
    char error[300];

    scene_set(&scene);
    EXPECT_EQ(SQLITE_OK,
              scene_sql(&scene, "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id) "
                                "DEFERRABLE INITIALLY DEFERRED)"));
    scene.options.setup = "PRAGMA foreign_keys=ON";
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2; INSERT INTO c VALUES(99)"));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(ktm_sqlite_error(tx, error, sizeof(error)) > 0);
    EXPECT(strstr(error, "FOREIGN KEY") != NULL);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    scene_close(&scene);
}

TEST(a_reader_that_stays_makes_it_vote_against)
{
    struct scene scene;
    sqlite3_stmt *statement;
    sqlite3 *reader;

    scene_set(&scene);
    scene_open(&scene);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &reader));
    EXPECT_EQ(SQLITE_OK, sqlite3_prepare_v2(reader, "SELECT v FROM t", -1, &statement, NULL));
    EXPECT_EQ(SQLITE_ROW, sqlite3_step(statement));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 2));
    sqlite3_finalize(statement);
    sqlite3_close(reader);
    expect_nothing_left(&scene);
    EXPECT_OK(scene_write(&scene, 3));
    EXPECT_EQ(3, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

/* ---- two at once ---- */

TEST(the_second_writer_is_refused_in_words)
{
    struct scene scene;
    struct ktm_sqlite_tx *first, *second = NULL;
    char why[300];

    scene_set(&scene);
    scene_open(&scene);
    first = scene_begin(&scene, NULL);
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT,
                  ktm_sqlite_begin(scene.rm, NULL, why, sizeof(why), &second));
    EXPECT(strstr(why, "locked") != NULL);
    ktm_sqlite_close(first);
    second = scene_begin(&scene, NULL);
    ktm_sqlite_close(second);
    scene_close(&scene);
}

TEST(a_second_begin_gives_the_same_part)
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *first, *second;

    scene_set(&scene);
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    first = scene_begin(&scene, transaction);
    second = scene_begin(&scene, transaction);
    EXPECT(first == second);
    EXPECT(ktm_sqlite_db(first) != NULL);
    EXPECT(ktm_sqlite_transaction(first) == transaction);
    ktm_sqlite_close(second);
    EXPECT_OK(ktm_sqlite_exec(first, "UPDATE t SET v = 2"));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    ktm_sqlite_close(first);
    EXPECT_OK(NtClose(transaction));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}
