/* SPDX-License-Identifier: MIT */
/* After a crash: what everybody sees, what the next start does, and what it refuses to guess. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rm/sqlite/scene.h"

static bool
is_directory(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- in doubt, with nobody there ---- */

TEST(in_doubt_nobody_reads_and_nobody_writes) /* SQ-02 */
{
    struct scene scene;
    int code;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    EXPECT(is_directory(scene.journal));
    code = scene_sql(&scene, "SELECT v FROM t");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
    code = scene_sql(&scene, "UPDATE t SET v = 3");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
    EXPECT(strstr(scene_command_says(&scene), "rror") != NULL);
    EXPECT(strstr(scene_command_says(&scene), "1\n") == NULL);
    EXPECT(strstr(scene_command_says(&scene), "2\n") == NULL);
    EXPECT(strstr(scene_python_says(&scene), "OperationalError") != NULL);
}

/* The file holds what is not decided, and only the journal beside it says so. */
TEST(a_copy_of_a_database_in_doubt_is_no_backup) /* SQ-07 */
{
    struct scene scene, copy;
    char command[4096];
    int code;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    copy = scene;
    /* SQLite's own ways to copy refuse, as it cannot be read. */
    snprintf(command, sizeof(command), "sqlite3 '%s' '.backup %s/backup' 2>/dev/null", scene.db,
             test_directory());
    EXPECT(system(command) != 0); /* NOLINT(cert-env33-c): our own words */
    snprintf(command, sizeof(command), "VACUUM INTO '%s/vacuumed'", test_directory());
    EXPECT(scene_sql(&scene, command) != SQLITE_OK);
    /* A copy of the whole directory is in doubt as well. */
    snprintf(command, sizeof(command), "mkdir '%s/whole' && cp -r '%s' '%s'-* '%s/whole'",
             test_directory(), scene.db, scene.db, test_directory());
    EXPECT_EQ(0, system(command)); /* NOLINT(cert-env33-c) */
    snprintf(copy.db, sizeof(copy.db), "%s/whole/app.db", test_directory());
    code = scene_sql(&copy, "SELECT v FROM t");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
    /* One of the file alone is open to all, and has what is rolled back then. */
    snprintf(copy.db, sizeof(copy.db), "%s/alone.db", test_directory());
    snprintf(command, sizeof(command), "cp '%s' '%s'", scene.db, copy.db);
    EXPECT_EQ(0, system(command)); /* NOLINT(cert-env33-c) */
    EXPECT_EQ(2, scene_number(&copy, "SELECT v FROM t"));
    scene_open(&scene);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

TEST(a_connection_that_was_open_before_sees_nothing_wrong_either) /* SQ-02 */
{
    struct scene scene;
    sqlite3 *old;
    int code;

    scene_set(&scene);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &old));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(old, "SELECT v FROM t", NULL, NULL, NULL));
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    code = sqlite3_exec(old, "SELECT v FROM t", NULL, NULL, NULL);
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
    code = sqlite3_exec(old, "UPDATE t SET v = 3", NULL, NULL, NULL);
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
    scene_open(&scene);
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(old, "UPDATE t SET v = v + 10", NULL, NULL, NULL));
    EXPECT_EQ(11, scene_number(&scene, "SELECT v FROM t"));
    sqlite3_close(old);
    scene_close(&scene);
}

TEST(nobody_knows_of_it_so_it_is_rolled_back) /* RECOV-32 SQ-01 */
{
    struct scene scene;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    EXPECT_EQ(2, scene_names(&scene));
    scene_open(&scene);
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_EQ(0, scene_names(&scene));
    EXPECT_OK(scene_write(&scene, 5));
    scene_close(&scene);
    EXPECT_TEXT("5\n", scene_command_says(&scene));
}

TEST(it_was_decided_so_it_is_committed) /* RECOV-24 SQ-01 */
{
    struct scene scene;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    EXPECT_EQ(2, scene_names(&scene));
    scene_open(&scene);
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_EQ(0, scene_names(&scene));
    scene_close(&scene);
}

/* ---- somewhere in the middle ---- */

TEST(a_commit_is_finished_wherever_it_stopped) /* RECOV-27 */
{
    for (int stop = 0; stop < 3; stop++) {
        struct scene scene;

        scene_set(&scene);
        scene_crash(&scene, 2, CRASH_DECIDED);
        if (stop != 1) /* 1: of two names only the gate's removal has reached the disk */
            EXPECT_EQ(0, unlink(scene_parked(&scene)));
        if (stop > 0)
            EXPECT_EQ(0, rmdir(scene.journal));
        scene_open(&scene);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(0, scene_names(&scene));
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(a_preparation_and_a_rollback_are_finished_wherever_they_stopped)
{
    struct scene scene;
    char command[4096];

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    /* Before the exchange, and after the one that takes it back, the names are the same. */
    snprintf(command, sizeof(command),
             "python3 -c 'import ctypes,sys; sys.exit(ctypes.CDLL(None).renameat2(-100, "
             "sys.argv[1].encode(), -100, sys.argv[2].encode(), 2))' '%s' '%s'",
             scene_parked(&scene), scene.journal);
    EXPECT_EQ(0, system(command));
    EXPECT(is_directory(scene_parked(&scene)));
    /* SQLite's own journal is there: anybody plays it back. */
    EXPECT_TEXT("1\n", scene_command_says(&scene));
    scene_open(&scene);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_EQ(0, scene_names(&scene));
    scene_close(&scene);
}

TEST(a_gate_that_nobodys_journal_belongs_to_is_removed)
{
    struct scene scene;

    scene_set(&scene);
    scene_open(&scene);
    scene_close(&scene);
    EXPECT_EQ(0, mkdir(scene.journal, 0700));
    EXPECT(scene_sql(&scene, "SELECT v FROM t") != SQLITE_OK);
    scene_open(&scene);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

/* ---- what is not guessed ---- */

TEST(the_gate_of_another_home_stays) /* SQ-14 */
{
    struct scene first, second;
    struct ktm_sqlite_tx *tx = NULL;
    char why[400];

    scene_set(&first);
    second = first;
    snprintf(second.home, sizeof(second.home), "%s/second", test_directory());
    scene_crash(&first, 2, CRASH_DECIDED);
    scene_open(&second);
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT,
                  ktm_sqlite_begin(second.rm, NULL, why, sizeof(why), &tx));
    EXPECT(strstr(why, "in doubt") != NULL);
    EXPECT(is_directory(first.journal));
    scene_open(&first);
    EXPECT_EQ(2, scene_number(&first, "SELECT v FROM t"));
    EXPECT_OK(scene_write(&second, 3));
    EXPECT_OK(scene_write(&first, 4));
    scene_close(&second);
    scene_close(&first);
    EXPECT_TEXT("4\n", scene_command_says(&first));
}

TEST(a_database_that_is_not_the_same_file_is_not_taken_for_committed) /* SQ-11 */
{
    struct scene scene;
    char command[4096];

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    /* Somebody puts an old copy into its place and tidies up. */
    snprintf(command, sizeof(command), "mv '%s' '%s.away' && mv '%s' '%s.parked' && rmdir '%s'",
             scene.db, scene.home, scene_parked(&scene), scene.home, scene.journal);
    EXPECT_EQ(0, system(command));
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "CREATE TABLE t(v); INSERT INTO t VALUES(1)"));
    scene_open(&scene);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    scene_close(&scene);
    /* And when it is put back, all is well. */
    snprintf(command, sizeof(command), "mv '%s.away' '%s'", scene.home, scene.db);
    EXPECT_EQ(0, system(command));
    scene_open(&scene);
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    scene_close(&scene);
}

TEST(what_the_names_say_is_committed_is_not_rolled_back)
{
    struct scene scene;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    EXPECT_EQ(0, rmdir(scene.journal)); /* somebody's helping hand: SQLite sees it committed now */
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_open(&scene); /* the TM knows nothing of it, so it shall be rolled back */
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT(access(scene_parked(&scene), F_OK) == 0); /* nobody loses the journal */
    scene_close(&scene);
}

TEST(while_somebody_uses_the_lock_nothing_is_finished_and_then_it_is) /* SQ-12 */
{
    struct scene scene;
    pid_t child;
    int ready[2], status;
    char byte;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    EXPECT_EQ(0, pipe(ready));
    child = fork();
    if (child == 0) { /* holds SQLite's SHARED lock, as whoever looks at the journal does */
        char command[4096];

        snprintf(command, sizeof(command),
                 "exec python3 -c 'import fcntl,os,sys,time; f=open(sys.argv[1],\"r+b\"); "
                 "fcntl.lockf(f, fcntl.LOCK_SH, 510, 0x40000002); os.write(%d, b\"x\"); "
                 "time.sleep(60)' '%s'",
                 ready[1], scene.db);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(1);
    }
    EXPECT_EQ(1, read(ready[0], &byte, 1));
    scene.options.mode = KTM_RM_PUMP;
    scene.options.patience_ms = UINT32_MAX;
    scene_open(&scene);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT(is_directory(scene.journal));
    kill(child, SIGKILL);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    for (int i = 0; i < 50 && ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)); i++)
        EXPECT_OK(ktm_rm_run(ktm_sqlite_kit(scene.rm), 200));
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

/* ---- the record in the home ---- */

static const char *
record_of(const struct scene *scene)
{
    static char path[900];
    char command[700];
    FILE *pipe;

    snprintf(command, sizeof(command), "echo '%s'/sqlite/park.*", scene->home);
    pipe = popen(command, "r");
    EXPECT(pipe && fgets(path, sizeof(path), pipe));
    pclose(pipe);
    path[strcspn(path, "\n")] = '\0';
    return path;
}

TEST(a_damaged_record_is_refused_and_nothing_is_touched)
{
    static const char *const damage[] = {
        "", "ktm sqlite 1\n", "ktm sqlite 2\nidentity x\n",
        "ktm sqlite 1\nidentity 00000000-0000-0000-0000-000000000000\nincarnation 1\nfile 1 1\n"};
    struct scene scene;

    scene_set(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    EACH (text, damage) {
        char command[4096], why[400] = "";
        struct ktm_sqlite_rm *rm = NULL;

        snprintf(command, sizeof(command), "printf '%s' > '%s'", *text, record_of(&scene));
        EXPECT_EQ(0, system(command));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                      ktm_sqlite_open(NULL, scene.home, scene.db, NULL, why, sizeof(why), &rm));
        EXPECT(strstr(why, "in the home") != NULL);
        EXPECT_EQ(2, scene_names(&scene));
    }
}

TEST(one_database_is_open_once_in_a_home)
{
    struct scene scene;
    struct ktm_sqlite_rm *again = NULL;
    char why[400];

    scene_set(&scene);
    scene_open(&scene);
    EXPECT_STATUS(STATUS_SHARING_VIOLATION,
                  ktm_sqlite_open(scene.tm, scene.home, scene.db, NULL, why, sizeof(why), &again));
    EXPECT(strstr(why, "already") != NULL);
    scene_close(&scene);
    scene_open(&scene);
    scene_close(&scene);
}

TEST(a_forked_child_has_no_part_in_it)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx, *other;
    pid_t child;
    int status;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    child = fork();
    if (child == 0) {
        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_sqlite_exec(tx, "UPDATE t SET v = 3"));
        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_sqlite_commit(tx));
        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_sqlite_begin(scene.rm, NULL, NULL, 0, &other));
        ktm_sqlite_close(tx);
        ktm_sqlite_shut(scene.rm);
        _exit(42);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    EXPECT_OK(ktm_sqlite_commit(tx));
    ktm_sqlite_close(tx);
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}
