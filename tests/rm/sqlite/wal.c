/* SPDX-License-Identifier: MIT */
/* Databases that prepare in WAL mode: alone, in doubt, and what hands in the directory can do. */
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/rm/sqlite/scene.h"

static bool
is_directory(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool
is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static const char *
log_of(const struct scene *scene)
{
    static char path[600];

    snprintf(path, sizeof(path), "%s-wal", scene->db);
    return path;
}

static void
run(const char *format, const char *a, const char *b)
{
    char command[4096];

    snprintf(command, sizeof(command), format, a, b);
    EXPECT_EQ(0, system(command));
}

/* Everybody is refused, and nobody sees anything. */
static void
expect_shut(const struct scene *scene)
{
    int code = scene_sql(scene, "SELECT v FROM t");

    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_BUSY);
    code = scene_sql(scene, "UPDATE t SET v = 99");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_BUSY);
    code = scene_sql(scene, "PRAGMA journal_mode=DELETE");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_BUSY);
    code = scene_sql(scene, "PRAGMA wal_checkpoint(TRUNCATE)");
    EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR || code == SQLITE_BUSY);
    EXPECT(strstr(scene_command_says(scene), "rror") != NULL);
    EXPECT(strstr(scene_command_says(scene), "1\n") == NULL);
    EXPECT(strstr(scene_command_says(scene), "2\n") == NULL);
}

static void
expect_finished(struct scene *scene, long long v)
{
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene->rm)));
    EXPECT_EQ(v, scene_number(scene, "SELECT v FROM t"));
    EXPECT_EQ(0, scene_names(scene));
}

/* ---- outcomes ---- */

TEST(a_log_commits_together_with_somebody_else_and_is_rolled_back_with_him) /* SQ-19 */
{
    struct scene scene;

    scene_set_wal(&scene);
    scene_open(&scene);
    for (int v = 2; v < 6; v++) {
        scene.other_votes = KTM_RM_NO;
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 100));
        scene.other_votes = KTM_RM_DONE;
        EXPECT_OK(scene_write(&scene, v));
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        EXPECT(!is_there(scene.journal));
    }
    EXPECT_EQ(4, scene.committed);
    EXPECT_EQ(5, scene_number(&scene, "SELECT v FROM t"));
    EXPECT_TEXT("5\n", scene_command_says(&scene)); /* and it is in WAL mode as before */
    EXPECT_OK(scene_write(&scene, 6));
    EXPECT_EQ(6, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
    EXPECT_EQ(0, scene_names(&scene));
}

TEST(in_wal_mode_who_is_alone_commits_and_who_changes_nothing_is_read_only)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;
    HANDLE transaction;

    scene_set_wal(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 5"));
    EXPECT_OK(ktm_sqlite_commit(tx));
    EXPECT_EQ(KTM_SQLITE_COMMITTED, ktm_sqlite_state(tx));
    ktm_sqlite_close(tx);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "SELECT * FROM t; UPDATE t SET v = 3 WHERE v = 99"));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_SQLITE_COMMITTED, ktm_sqlite_state(tx));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    expect_finished(&scene, 5);
    scene_close(&scene);
}

TEST(what_is_larger_than_the_cache_is_prepared_too)
{
    static const enum ktm_rm_answer votes[] = {KTM_RM_DONE, KTM_RM_NO};

    EACH (vote, votes) {
        struct scene scene;
        struct ktm_sqlite_tx *tx;
        HANDLE transaction;
        bool is_yes = *vote == KTM_RM_DONE;

        scene_set_wal(&scene);
        scene.options.setup = "PRAGMA cache_size=10"; /* pages go to the log before the commit */
        EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "CREATE TABLE large(a, b)"));
        scene_open(&scene);
        scene.other_votes = *vote;
        transaction = scene_transaction(&scene);
        tx = scene_begin(&scene, transaction);
        scene_enlist_other(&scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(
            tx, "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 3000) "
                "INSERT INTO large SELECT x, randomblob(500) FROM c;"
                "UPDATE large SET b = randomblob(500) WHERE a % 7 = 0;" /* and are written again */
                "SAVEPOINT s; DELETE FROM large WHERE a % 3 = 0; ROLLBACK TO s;"
                "UPDATE t SET v = 2"));
        EXPECT_STATUS(is_yes ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                      NtCommitTransaction(transaction, TRUE));
        ktm_sqlite_close(tx);
        EXPECT_OK(NtClose(transaction));
        EXPECT_EQ(is_yes ? 3000 : 0, scene_number(&scene, "SELECT count(*) FROM large"));
        EXPECT_EQ(is_yes ? 2 : 1, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(1, scene_number(&scene, "SELECT 1 FROM pragma_integrity_check WHERE "
                                          "integrity_check = 'ok'"));
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(a_log_that_grows_is_brought_into_the_database)
{
    struct scene scene;
    struct stat info;
    off_t largest = 0;

    scene_set_wal(&scene);
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "CREATE TABLE large(b)"));
    scene_open(&scene);
    for (int i = 0; i < 40; i++) {
        HANDLE transaction = scene_transaction(&scene);
        struct ktm_sqlite_tx *tx = scene_begin(&scene, transaction);

        scene_enlist_other(&scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(tx, "INSERT INTO large VALUES(randomblob(100000))"));
        if (i % 4 == 3)
            EXPECT_OK(NtRollbackTransaction(transaction, TRUE));
        else
            EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        ktm_sqlite_close(tx);
        EXPECT_OK(NtClose(transaction));
        EXPECT_EQ(0, stat(log_of(&scene), &info));
        largest = info.st_size > largest ? info.st_size : largest;
    }
    EXPECT(largest < 1300000);
    EXPECT_EQ(30, scene_number(&scene, "SELECT count(*) FROM large"));
    EXPECT_EQ(1, scene_number(&scene, "SELECT 1 FROM pragma_integrity_check WHERE "
                                      "integrity_check = 'ok'"));
    scene_close(&scene);
}

TEST(every_size_of_pages_is_prepared)
{
    static const int sizes[] = {512, 1024, 65536};

    EACH (size, sizes) {
        struct scene scene;
        char sql[200];

        scene_set(&scene);
        snprintf(sql, sizeof(sql), "PRAGMA page_size=%d; VACUUM; PRAGMA journal_mode=WAL", *size);
        EXPECT_EQ(SQLITE_OK, scene_sql(&scene, sql));
        EXPECT_EQ(*size, scene_number(&scene, "PRAGMA page_size"));
        scene.options.owns_wal = TRUE;
        scene_open(&scene);
        EXPECT_OK(scene_write(&scene, 2));
        scene_close(&scene);
        scene_crash(&scene, 3, CRASH_DECIDED);
        scene_open(&scene);
        expect_finished(&scene, 3);
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(owning_changes_nothing_in_other_modes)
{
    struct scene scene;

    scene_set(&scene);
    scene.options.owns_wal = TRUE;
    scene_open(&scene);
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
    scene_crash(&scene, 3, CRASH_DECIDED);
    scene_open(&scene);
    expect_finished(&scene, 3);
    /* And it may change from one to the other in between. */
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=WAL"));
    EXPECT_OK(scene_write(&scene, 4));
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=PERSIST; UPDATE t SET v = v"));
    EXPECT(is_there(scene.journal));
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=WAL"));
    EXPECT_OK(scene_write(&scene, 5));
    expect_finished(&scene, 5);
    scene_close(&scene);
}

/* ---- nobody else ---- */

TEST(who_has_it_open_keeps_the_transaction_from_beginning) /* SQ-15 */
{
    struct scene scene;
    struct ktm_sqlite_tx *tx = NULL;
    char why[500];
    sqlite3 *other;

    scene_set_wal(&scene);
    scene_open(&scene);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &other));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(other, "SELECT v FROM t", NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT,
                  ktm_sqlite_begin(scene.rm, NULL, why, sizeof(why), &tx));
    EXPECT(strstr(why, "nobody else") != NULL);
    sqlite3_close(other);
    EXPECT_OK(scene_write(&scene, 2));
    expect_finished(&scene, 2);
    scene_close(&scene);
}

static _Atomic bool is_waiting;

static void *
begin_and_end(void *context)
{
    struct scene *scene = context;
    struct ktm_sqlite_tx *tx;

    is_waiting = true;
    tx = scene_begin(scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 8"));
    EXPECT_OK(ktm_sqlite_commit(tx));
    ktm_sqlite_close(tx);
    return NULL;
}

/* Another one that wants the lock for itself: here to leave WAL mode. It must get it. */
TEST(who_waits_keeps_nobody_from_it) /* SQ-18 */
{
    struct scene scene;
    pthread_t thread;
    sqlite3 *other;
    int code = SQLITE_BUSY;

    scene_set_wal(&scene);
    scene.options.busy_ms = 60000;
    scene_open(&scene);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &other));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(other, "SELECT v FROM t", NULL, NULL, NULL));
    is_waiting = false;
    EXPECT_EQ(0, pthread_create(&thread, NULL, begin_and_end, &scene));
    while (!is_waiting)
        sqlite3_sleep(1);
    sqlite3_sleep(100); /* until it is refused: too early proves nothing, and harms nobody */
    for (int i = 0; i < 500 && code != SQLITE_OK; i++) {
        code = sqlite3_exec(other, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        sqlite3_sleep(code == SQLITE_OK ? 0 : 3);
    }
    EXPECT_EQ(SQLITE_OK, code);
    sqlite3_close(other);
    EXPECT_EQ(0, pthread_join(thread, NULL));
    expect_finished(&scene, 8);
    scene_close(&scene);
}

static void
look_around(struct scene *scene)
{
    EXPECT(is_directory(scene->journal));
    EXPECT(is_there(scene_parked(scene)));
    EXPECT(strstr(scene_parked(scene), ".wal") != NULL);
    EXPECT_EQ(SQLITE_BUSY, scene_sql(scene, "SELECT v FROM t"));
    expect_shut(scene);
}

TEST(in_wal_mode_everybody_is_told_that_it_is_busy_while_it_is_prepared)
{
    struct scene scene;
    sqlite3 *old;

    scene_set_wal(&scene);
    scene_open(&scene);
    /* Also a connection that is open, but has not looked into the database yet. */
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &old));
    scene.while_voting = look_around;
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(old, "UPDATE t SET v = v + 10", NULL, NULL, NULL));
    EXPECT_EQ(12, scene_number(&scene, "SELECT v FROM t"));
    sqlite3_close(old);
    scene_close(&scene);
}

static struct ktm_sqlite_tx *used;
static sqlite3_stmt *kept;

static void
use_connection(struct scene *scene)
{
    sqlite3 *db = ktm_sqlite_db(used);

    (void)scene;
    EXPECT(sqlite3_exec(db, "SELECT count(*) FROM t", NULL, NULL, NULL) != SQLITE_OK);
    EXPECT(sqlite3_exec(db, "UPDATE t SET v = 8", NULL, NULL, NULL) != SQLITE_OK);
    EXPECT(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK);
    EXPECT(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
           SQLITE_OK);
    EXPECT(sqlite3_step(kept) != SQLITE_ROW);
    sqlite3_reset(kept);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_sqlite_exec(used, "UPDATE t SET v = 8"));
}

TEST(in_wal_mode_the_connection_is_over_when_the_commit_begins) /* SQ-17 */
{
    struct scene scene;

    scene_set_wal(&scene);
    scene_open(&scene);
    for (int is_commit = 0; is_commit < 2; is_commit++) {
        HANDLE transaction = scene_transaction(&scene);

        used = scene_begin(&scene, transaction);
        scene_enlist_other(&scene, transaction);
        scene.while_voting = use_connection;
        scene.other_votes = is_commit ? KTM_RM_DONE : KTM_RM_NO;
        EXPECT_OK(ktm_sqlite_exec(used, "UPDATE t SET v = 2"));
        EXPECT_EQ(SQLITE_OK,
                  sqlite3_prepare_v2(ktm_sqlite_db(used), "SELECT v FROM t", -1, &kept, NULL));
        EXPECT_EQ(SQLITE_ROW, sqlite3_step(kept));
        sqlite3_wal_autocheckpoint(ktm_sqlite_db(used), 1); /* not ours to forbid */
        EXPECT_STATUS(is_commit ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                      NtCommitTransaction(transaction, TRUE));
        use_connection(&scene); /* nor later */
        EXPECT_EQ(is_commit ? 2 : 1, scene_number(&scene, "SELECT v FROM t"));
        ktm_sqlite_close(used);
        EXPECT(sqlite3_step(kept) != SQLITE_ROW);
        sqlite3_finalize(kept);
        EXPECT_OK(NtClose(transaction));
    }
    expect_finished(&scene, 2);
    scene_close(&scene);
}

TEST(what_would_commit_in_another_way_is_refused_in_wal_mode)
{
    static const char *const refused[] = {
        "PRAGMA journal_mode=DELETE",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=NORMAL",
        "PRAGMA wal_autocheckpoint=1",
        "COMMIT",
        "ATTACH ':memory:' AS m",
        "PRAGMA main.journal_mode=memory",
        "VACUUM",
        "PRAGMA wal_checkpoint",
    };
    struct scene scene;
    struct ktm_sqlite_tx *tx;

    scene_set_wal(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EACH (sql, refused)
        if (ktm_sqlite_exec(tx, *sql) == STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "'%s' was allowed", *sql);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    EXPECT_OK(ktm_sqlite_commit(tx));
    ktm_sqlite_close(tx);
    expect_finished(&scene, 2);
    scene_close(&scene);
}

TEST(what_the_application_sets_up_cannot_make_it_commit_in_another_way)
{
    static const char *const setups[] = {
        "PRAGMA synchronous=OFF",
        "PRAGMA wal_autocheckpoint=1",
        "PRAGMA locking_mode=NORMAL",
        "PRAGMA journal_size_limit=0",
        "PRAGMA locking_mode=NORMAL; SELECT * FROM t",
        "PRAGMA cache_spill=ON; PRAGMA cache_size=1",
    };

    EACH (setup, setups) {
        struct scene scene;

        scene_set_wal(&scene);
        scene.options.setup = *setup;
        scene_open(&scene);
        scene.while_voting = look_around;
        scene.other_votes = KTM_RM_NO;
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 3));
        EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
        scene.other_votes = KTM_RM_DONE;
        EXPECT_OK(scene_write(&scene, 2));
        expect_finished(&scene, 2);
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

/* ---- after a crash ---- */

TEST(in_doubt_in_wal_mode_nobody_reads_and_nobody_writes) /* RECOV-24 RECOV-32 SQ-15 */
{
    static const enum scene_crash crashes[] = {CRASH_UNDECIDED, CRASH_DECIDED};

    EACH (crash, crashes) {
        struct scene scene;
        sqlite3 *old;
        int code;

        scene_set_wal(&scene);
        EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.db, &old)); /* has not looked yet */
        scene_crash(&scene, 2, *crash);
        EXPECT(is_directory(scene.journal));
        expect_shut(&scene);
        code = sqlite3_exec(old, "UPDATE t SET v = v + 10", NULL, NULL, NULL);
        EXPECT(code == SQLITE_CANTOPEN || code == SQLITE_IOERR);
        /* Whatever it was opened for: recovering needs no option. */
        scene.options.owns_wal = *crash == CRASH_DECIDED;
        if (scene.options.owns_wal) {
            scene_open(&scene);
            EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        } else {
            char why[500];

            EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                          ktm_sqlite_open(NULL, scene.home, scene.db, &scene.options, why,
                                          sizeof(why), &scene.rm));
            EXPECT(strstr(why, "owns_wal") != NULL);
        }
        EXPECT_EQ(*crash == CRASH_DECIDED ? 2 : 1, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(SQLITE_OK, sqlite3_exec(old, "UPDATE t SET v = v + 10", NULL, NULL, NULL));
        EXPECT_EQ(*crash == CRASH_DECIDED ? 12 : 11, scene_number(&scene, "SELECT v FROM t"));
        sqlite3_close(old);
        EXPECT_EQ(0, scene_names(&scene));
        if (scene.options.owns_wal)
            scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(a_home_goes_on_in_wal_mode_after_each_crash) /* SQ-19 */
{
    struct scene scene;

    scene_set_wal(&scene);
    for (int v = 2; v < 8; v++) {
        scene_crash(&scene, v, v % 2 ? CRASH_UNDECIDED : CRASH_DECIDED);
        scene_open(&scene);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        EXPECT_OK(scene_write(&scene, 10 * v));
        expect_finished(&scene, 10 * v);
        scene_close(&scene);
    }
}

/* ---- hands in the directory ---- */

/* What somebody does to a database in doubt whose transaction was committed: after 'hand' the next
 * start must have finished ('v'), or say that it cannot (0), and leave everything as it is. */
static void
expect_after_hand(const char *hand, long long v)
{
    struct scene scene;
    char gate[700], parked[900];

    scene_set_wal(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    snprintf(gate, sizeof(gate), "%s", scene.journal);
    snprintf(parked, sizeof(parked), "%s", scene_parked(&scene));
    run(hand, scene.db, parked);
    scene_open(&scene);
    if (v) {
        expect_finished(&scene, v);
        EXPECT_OK(scene_write(&scene, 7));
        expect_finished(&scene, 7);
    } else {
        EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
        EXPECT(is_there(parked));
    }
    scene_close(&scene);
    run("rm -rf '%s'* '%s'", scene.db, scene.home);
}

TEST(a_commit_finds_the_log_as_it_was_or_says_that_it_does_not) /* SQ-16 */
{
    static const struct {
        const char *hand; /* %1$s: the database, %2$s: what is parked */
        long long v;
    } hands[] = {
        {"true '%s' '%s'", 2},
        /* The gate is taken away and nobody comes; somebody comes and reads, and with his end
         * SQLite removes the log; somebody writes. */
        {"rmdir '%s'-journal; : '%s'", 2},
        {"rmdir '%1$s'-journal; sqlite3 '%1$s' 'SELECT v FROM t' >/dev/null; : '%2$s'", 0},
        {"rmdir '%1$s'-journal; sqlite3 '%1$s' 'UPDATE t SET v = 50'; : '%2$s'", 0},
        {"rmdir '%1$s'-journal; sqlite3 '%1$s' '.filectrl persist_wal 1' 'UPDATE t SET v = 50' "
         ">/dev/null; : '%2$s'",
         0},
        /* The log is cut off, empty, gone, damaged in its head, its frames. */
        {"truncate -s 32 '%s'-wal; : '%s'", 2}, /* one page was changed: nothing was in front */
        {"truncate -s 31 '%s'-wal; : '%s'", 0},
        {"truncate -s 0 '%s'-wal; : '%s'", 0},
        {"rm '%s'-wal; : '%s'", 0},
        {"printf x | dd of='%s'-wal bs=1 seek=17 conv=notrunc status=none; : '%s'", 0},
        {"printf x | dd of='%s'-wal bs=1 seek=9 conv=notrunc status=none; : '%s'", 0},
        /* What is parked is damaged, cut off. */
        {": '%s'; printf x | dd of='%s' bs=1 seek=500 conv=notrunc status=none", 0},
        {": '%s'; printf x | dd of='%s' bs=1 seek=49 conv=notrunc status=none", 0},
        {": '%s'; truncate -s 63 '%s'", 0},
        {": '%s'; truncate -s 1000 '%s'", 0},
    };

    EACH (hand, hands)
        expect_after_hand(hand->hand, hand->v);
}

TEST(a_longer_log_is_proved_from_its_start) /* SQ-16 */
{
    static const int bytes[] = {40, 32 + 4120 + 100, 32 + 4 * 4120 + 5, 0}; /* one is changed */

    EACH (byte, bytes) {
        struct scene scene;
        char hand[300], parked[900];

        scene_set_wal(&scene);
        EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "CREATE TABLE large(b); CREATE TRIGGER grow AFTER "
                                               "UPDATE ON t BEGIN INSERT INTO large VALUES("
                                               "randomblob(30000)); END"));
        scene_crash(&scene, 9, CRASH_DECIDED);
        snprintf(parked, sizeof(parked), "%s", scene_parked(&scene));
        snprintf(hand, sizeof(hand),
                 "test $(stat -c %%%%s '%%s'-wal) -ge 30000 && printf X | dd of='%%s'-wal bs=1 "
                 "seek=%d count=%d conv=notrunc status=none",
                 *byte, *byte != 0);
        run(hand, scene.db, scene.db);
        scene_open(&scene);
        if (*byte) {
            EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
            EXPECT(is_there(parked));
            EXPECT(is_directory(scene.journal));
        } else {
            expect_finished(&scene, 9);
            EXPECT_EQ(30000, scene_number(&scene, "SELECT sum(length(b)) FROM large"));
        }
        scene_close(&scene);
        run("rm -rf '%s'* '%s'", scene.db, scene.home);
    }
}

static void
cut_log_off(struct scene *scene)
{
    EXPECT_EQ(0, truncate(log_of(scene), 0));
}

TEST(a_log_that_was_cut_off_while_it_was_prepared_is_not_called_committed) /* SQ-16 */
{
    struct scene scene;

    scene_set_wal(&scene);
    scene_open(&scene);
    scene.while_voting = cut_log_off;
    EXPECT_OK(scene_write(&scene, 2)); /* decided, and not finished here */
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT(is_directory(scene.journal));
    scene_close(&scene);
    scene_open(&scene);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    scene_close(&scene);
}

/* The names as a crash leaves them while a transaction ends. */
TEST(the_end_is_finished_wherever_it_stopped_in_wal_mode) /* RECOV-27 */
{
    static const struct {
        const char *hand; /* %1$s: what is parked, %2$s: the database */
        bool is_commit;
    } stops[] = {
        {": '%s' '%s'", true}, /* the frame is in the log; its name is gone; the gate */
        {"rm '%s'; : '%s'", true},
        {"rm '%s' && rmdir '%s'-journal", true},
        {": '%s' '%s'", false}, /* they have changed places; the directory is gone; the file */
        {"mv '%1$s' '%2$s.x' && mv '%2$s'-journal '%1$s' && mv '%2$s.x' '%2$s'-journal", false},
        {"mv '%1$s' '%2$s.x' && rmdir '%2$s'-journal && mv '%2$s.x' '%2$s'-journal", false},
        {"rm '%1$s' && mv '%2$s'-journal '%1$s'", false},
        {"rm '%1$s' && rmdir '%2$s'-journal", false},
    };

    EACH (stop, stops) {
        struct scene scene;
        long long v = stop->is_commit ? 2 : 1;

        scene_set_wal(&scene);
        scene_crash(&scene, 2, stop->is_commit ? CRASH_DECIDED : CRASH_UNDECIDED);
        if (stop->is_commit)
            run("dd if='%s' of='%s'-wal bs=1 skip=64 seek=32 conv=notrunc status=none",
                scene_parked(&scene), scene.db);
        run(stop->hand, scene_parked(&scene), scene.db);
        if (!is_directory(scene.journal))
            EXPECT_EQ(v, scene_number(&scene, "SELECT v FROM t"));
        scene_open(&scene);
        expect_finished(&scene, v);
        EXPECT_OK(scene_write(&scene, 3));
        expect_finished(&scene, 3);
        scene_close(&scene);
        run("rm -rf '%s'* '%s'", scene.db, scene.home);
    }
}

TEST(who_puts_the_names_back_by_hand_is_found_out_in_wal_mode)
{
    struct scene scene;
    const char *hand = "mv '%1$s' '%2$s.x' && mv '%2$s'-journal '%1$s' && "
                       "mv '%2$s.x' '%2$s'-journal";

    scene_set_wal(&scene);
    scene_crash(&scene, 2, CRASH_DECIDED);
    run(hand, scene_parked(&scene), scene.db);
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    scene_open(&scene);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    scene_close(&scene);
}

TEST(a_frame_that_is_in_the_log_is_not_rolled_back)
{
    struct scene scene;

    scene_set_wal(&scene);
    scene_crash(&scene, 2, CRASH_UNDECIDED);
    run("dd if='%s' of='%s'-wal bs=1 skip=64 seek=32 conv=notrunc status=none",
        scene_parked(&scene), scene.db);
    scene_open(&scene); /* the TM knows nothing of it, so it shall be rolled back */
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT(is_there(scene_parked(&scene)));
    EXPECT(is_directory(scene.journal));
    scene_close(&scene);
}

TEST(the_gate_of_another_home_stays_in_wal_mode)
{
    struct scene first, second;
    struct ktm_sqlite_tx *tx = NULL;
    char why[400];

    scene_set_wal(&first);
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
