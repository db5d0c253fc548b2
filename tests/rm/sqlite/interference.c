/* SPDX-License-Identifier: MIT */
/* What others do in between: programs without transactions, threads, and hands in the directory. */
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rm/sqlite/scene.h"

/* ---- hands in the directory ---- */

static void
put_into_gate(struct scene *scene)
{
    char path[700];
    FILE *file;

    snprintf(path, sizeof(path), "%s/mine", scene->journal);
    file = fopen(path, "w");
    EXPECT(file != NULL);
    fclose(file);
}

TEST(a_gate_that_cannot_be_removed_is_tried_again) /* the cause goes away in the end */
{
    struct scene scene;
    char path[700];

    scene_set(&scene);
    scene_open(&scene);
    scene.while_voting = put_into_gate;
    EXPECT_OK(scene_write(&scene, 2)); /* committed, and not finished here */
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT(scene_sql(&scene, "SELECT v FROM t") != SQLITE_OK);
    scene_close(&scene);
    snprintf(path, sizeof(path), "%s/mine", scene.journal);
    EXPECT_EQ(0, unlink(path));
    scene_open(&scene);
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_sqlite_kit(scene.rm)));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

TEST(names_of_others_beside_the_database_are_left_alone)
{
    static const char *const names[] = {"-ktm.", "-ktm.backup", "-ktmx",
                                        "-ktm.0000000000000000000000000000000g.1.2.3"};
    struct scene scene;
    unsigned count;

    scene_set(&scene);
    EACH (name, names) {
        char path[700];
        FILE *file;

        snprintf(path, sizeof(path), "%s%s", scene.db, *name);
        file = fopen(path, "w");
        EXPECT(file != NULL);
        fclose(file);
    }
    count = scene_names(&scene);
    scene_open(&scene);
    EXPECT_OK(scene_write(&scene, 2));
    scene_close(&scene);
    scene_crash(&scene, 3, CRASH_DECIDED);
    scene_open(&scene);
    EXPECT_EQ(3, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
    EXPECT_EQ(count, scene_names(&scene));
}

/* Root may write everywhere, unless it gives that up; this process is the test's own. */
static void
obey_modes(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    EXPECT_EQ(0, syscall(SYS_capset, &header, none));
}

TEST(a_directory_that_cannot_be_written_makes_it_vote_against)
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;
    char error[400], name[700];

    obey_modes();
    scene_set(&scene);
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2")); /* the journal is there now */
    snprintf(name, sizeof(name), "%.*s", (int)(strrchr(scene.db, '/') - scene.db), scene.db);
    EXPECT_EQ(0, chmod(name, 0500));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(ktm_sqlite_error(tx, error, sizeof(error)) > 0);
    EXPECT_EQ(0, chmod(name, 0700));
    EXPECT_EQ(1, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    scene_close(&scene);
}

/* ---- threads ---- */

#define THREADS 6
#define ROUNDS  10

static void *
add_often(void *context)
{
    struct scene *scene = context;

    for (int i = 0; i < ROUNDS; i++) {
        HANDLE transaction = scene_transaction(scene);
        struct ktm_sqlite_tx *tx = scene_begin(scene, transaction);

        scene_enlist_other(scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = v + 1"));
        if (i % 5 == 4)
            EXPECT_OK(NtRollbackTransaction(transaction, TRUE));
        else
            EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        ktm_sqlite_close(tx);
        EXPECT_OK(NtClose(transaction));
    }
    return NULL;
}

TEST(writers_of_many_threads_come_one_after_the_other)
{
    static const struct {
        enum ktm_rm_mode mode;
        bool is_wal, owns_wal;
    } kinds[] = {{KTM_RM_CALLBACKS, false, false},
                 {KTM_RM_THREAD, false, false},
                 {KTM_RM_CALLBACKS, false, true},
                 {KTM_RM_CALLBACKS, true, true},
                 {KTM_RM_THREAD, true, true}};

    EACH (kind, kinds) {
        struct scene scene;
        pthread_t threads[THREADS];

        (kind->is_wal ? scene_set_wal : scene_set)(&scene);
        scene.options.mode = kind->mode;
        scene.options.owns_wal = kind->owns_wal;
        scene.options.busy_ms = 60000;
        scene_open(&scene);
        EACH (thread, threads)
            EXPECT_EQ(0, pthread_create(thread, NULL, add_often, &scene));
        EACH (thread, threads)
            EXPECT_EQ(0, pthread_join(*thread, NULL));
        EXPECT_EQ(1 + THREADS * ROUNDS * 4 / 5, scene_number(&scene, "SELECT v FROM t"));
        EXPECT_EQ(0, scene_names(&scene));
        scene_close(&scene);
        EXPECT_EQ(0, unlink(scene.db));
    }
}

/* A rollback comes from another thread than the one that uses the connection. */
static sem_t is_running;

static void
tell_once(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_int(values[0]) == 1000)
        sem_post(&is_running);
    sqlite3_result_value(context, values[0]);
}

static void *
query_for_ever(void *context)
{
    struct ktm_sqlite_tx *tx = context;
    int code;

    EXPECT_EQ(SQLITE_OK, sqlite3_create_function(ktm_sqlite_db(tx), "tell", 1, SQLITE_UTF8, NULL,
                                                 tell_once, NULL, NULL));
    code = sqlite3_exec(ktm_sqlite_db(tx),
                        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                        "SELECT sum(tell(x)) FROM c",
                        NULL, NULL, NULL);
    EXPECT(code == SQLITE_INTERRUPT || (code & 0xff) == SQLITE_ABORT);
    return NULL;
}

TEST(a_rollback_ends_what_still_runs)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;
    pthread_t thread;

    scene_set(&scene);
    scene_open(&scene);
    tx = scene_begin(&scene, NULL);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 2"));
    EXPECT_EQ(0, sem_init(&is_running, 0, 0));
    EXPECT_EQ(0, pthread_create(&thread, NULL, query_for_ever, tx));
    EXPECT_EQ(0, sem_wait(&is_running));
    EXPECT_OK(ktm_sqlite_rollback(tx));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "UPDATE t SET v = v + 5"));
    EXPECT_EQ(6, scene_number(&scene, "SELECT v FROM t"));
    ktm_sqlite_close(tx);
    scene_close(&scene);
}

/* ---- processes ---- */

/* Its first refusal: it knows of the other one, and waits. */
static int
tell_and_wait(void *told, int tries)
{
    if (tries == 0)
        EXPECT_EQ(1, write(*(int *)told, "", 1));
    sqlite3_sleep(1);
    return 1;
}

static void
add_in_its_turn(const struct scene *scene, int go, int told)
{
    sqlite3 *db;
    char byte;

    EXPECT_EQ(1, read(go, &byte, 1));
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene->db, &db));
    sqlite3_busy_handler(db, tell_and_wait, &told);
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(db, "UPDATE t SET v = v + 3", NULL, NULL, NULL));
    sqlite3_close(db);
}

static void
let_another_process_write(void (*set)(struct scene *))
{
    struct scene scene;
    HANDLE transaction;
    struct ktm_sqlite_tx *tx;
    int go[2], told[2], status;
    pid_t child;
    char byte;

    set(&scene);
    EXPECT(pipe(go) == 0 && pipe(told) == 0);
    child = fork(); /* before anything is open that it must not inherit */
    if (child == 0) {
        add_in_its_turn(&scene, go[0], told[1]);
        _exit(0);
    }
    scene_open(&scene);
    transaction = scene_transaction(&scene);
    tx = scene_begin(&scene, transaction);
    scene_enlist_other(&scene, transaction);
    EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = v * 10"));
    EXPECT_EQ(1, write(go[1], "", 1));
    EXPECT_EQ(1, read(told[0], &byte, 1));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_EQ(13, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
    EXPECT_EQ(0, unlink(scene.db));
}

TEST(another_process_that_writes_waits_its_turn)
{
    let_another_process_write(scene_set);
    let_another_process_write(scene_set_wal);
}
