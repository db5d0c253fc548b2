/* SPDX-License-Identifier: MIT */
/* Databases that decide: the plain COMMIT is the decision, and a row says so. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rm/sqlite/scene.h"

static void
set(struct scene *scene, bool is_wal)
{
    scene_set(scene);
    scene->options.is_last_resource = TRUE;
    if (is_wal)
        EXPECT_EQ(SQLITE_OK, scene_sql(scene, "PRAGMA journal_mode=WAL"));
}

TEST(the_last_resource_decides_in_both_journal_modes)
{
    for (int is_wal = 0; is_wal < 2; is_wal++) {
        struct scene scene;

        set(&scene, is_wal);
        scene_open(&scene);
        EXPECT_OK(scene_write(&scene, 2));
        EXPECT_EQ(1, scene.committed);
        EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(1, scene_number(&scene, "SELECT count(*) FROM ktm_outcome"));
        EXPECT_OK(scene_write(&scene, 3)); /* takes the row of the one before along */
        EXPECT_EQ(1, scene_number(&scene, "SELECT count(*) FROM ktm_outcome"));
        scene.other_votes = KTM_RM_NO;
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 4));
        EXPECT_EQ(3, scene_number(&scene, "SELECT v FROM t"));
        scene_close(&scene);
        EXPECT_EQ(0, scene_number(&scene, "SELECT count(*) FROM ktm_outcome"));
        EXPECT_EQ(0, unlink(scene.db));
    }
}

static void
look_around(struct scene *scene)
{
    EXPECT_EQ(1, scene_number(scene, "SELECT v FROM t"));
}

TEST(readers_go_on_while_it_decides)
{
    struct scene scene;

    set(&scene, true);
    scene_open(&scene);
    scene.while_voting = look_around;
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_TEXT("2\n", scene_command_says(&scene));
    scene_close(&scene);
}

TEST(what_cannot_be_committed_decides_against)
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;
    char error[300];

    set(&scene, false);
    scene.options.setup = "PRAGMA foreign_keys=ON";
    EXPECT_EQ(SQLITE_OK,
              scene_sql(&scene, "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id) "
                                "DEFERRABLE INITIALLY DEFERRED)"));
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT(ktm_sqlite_exec(tx, "COMMIT") != STATUS_SUCCESS);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2; INSERT INTO c VALUES(99)"));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(ktm_sqlite_error(tx, error, sizeof(error)) > 0);
    EXPECT(strstr(error, "FOREIGN KEY") != NULL);
    EXPECT_EQ(1, scene.rolled_back);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_EQ(0, scene_number(&scene, "SELECT count(*) FROM ktm_outcome"));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    scene_close(&scene);
}

TEST(one_last_resource_in_a_transaction)
{
    struct scene scene, second;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx, *no = NULL;

    set(&scene, false);
    scene_open(&scene);
    second = scene;
    snprintf(second.db, sizeof(second.db), "%s/second.db", test_directory());
    EXPECT_OK(
        ktm_sqlite_open(scene.tm, scene.home, second.db, &second.options, NULL, 0, &second.rm));
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS,
                  ktm_sqlite_begin(second.rm, transaction, NULL, 0, &no));
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_shut(second.rm);
    scene_close(&scene);
}

/* ---- crashes ---- */

TEST(killed_before_it_decides_nothing_has_happened) /* SQ-10 */
{
    struct scene scene;

    set(&scene, false);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t")); /* nothing is ever in doubt */
    scene_open(&scene);
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

TEST(killed_behind_its_decision_all_is_committed) /* SQ-10 */
{
    for (int is_wal = 0; is_wal < 2; is_wal++) {
        struct scene scene;

        set(&scene, is_wal);
        scene_crash(&scene, 2, CRASH_DECIDED);
        EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
        scene_open(&scene);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        EXPECT_OK(scene_write(&scene, 3));
        scene_close(&scene);
        EXPECT_EQ(0, scene_number(&scene, "SELECT count(*) FROM ktm_outcome"));
        EXPECT_EQ(0, unlink(scene.db));
    }
}

/* ---- between its commit and our log ---- */

static int
die_at_commit(unsigned kind, void *context, void *statement, void *nanoseconds)
{
    const char *sql = sqlite3_sql(statement);

    (void)kind, (void)context, (void)nanoseconds;
    if (sql && strcmp(sql, "COMMIT") == 0)
        kill(getpid(), SIGKILL);
    return 0;
}

/* In a child of its own, which dies when everybody is prepared, and SQLite's COMMIT is about to
 * begin, or has just been done. */
static void
decide_and_die(struct scene *scene, bool has_committed)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        scene_open(scene);
        HANDLE transaction = scene_transaction(scene);
        struct ktm_sqlite_tx *tx = scene_begin(scene, transaction);

        scene_enlist_other(scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = v + 10"));
        sqlite3_trace_v2(ktm_sqlite_db(tx),
                         has_committed ? SQLITE_TRACE_PROFILE : SQLITE_TRACE_STMT, die_at_commit,
                         NULL);
        (void)!NtCommitTransaction(transaction, TRUE);
        _exit(1);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* KTM asks whether it was committed, and the other one, which is prepared, is told the same. */
TEST(what_no_log_of_ours_knows_is_told_by_the_row) /* SQ-10 */
{
    for (int is_wal = 0; is_wal < 2; is_wal++) {
        struct scene scene;

        set(&scene, is_wal);
        scene.other_is_durable = true;
        decide_and_die(&scene, true);
        EXPECT_EQ(11, scene_number(&scene, "SELECT v FROM t"));
        scene_open(&scene);
        EXPECT_EQ(1, scene.committed);
        EXPECT_EQ(0, scene.rolled_back);
        EXPECT_EQ(0, ktm_rm_unfinished(scene.other));
        scene_close(&scene);
        decide_and_die(&scene, false);
        scene_open(&scene);
        EXPECT_EQ(1, scene.rolled_back);
        EXPECT_EQ(1, scene.committed);
        EXPECT_EQ(0, ktm_rm_unfinished(scene.other));
        EXPECT_EQ(11, scene_number(&scene, "SELECT v FROM t"));
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}
