/* SPDX-License-Identifier: MIT */
/* Single phase: the database's own COMMIT decides, and a row tells what became of it. */
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "rm/postgres/postgres.h"
#include "tests/rm/postgres/scene.h"

#define MOMENT(ms)   nanosleep(&(struct timespec){(ms) / 1000, (ms) % 1000 * 1000000L}, NULL)
#define COUNT_SIGNS  "SELECT count(*) FROM ktm_outcome"
#define WITH_STANDBY "-c wal_level=replica -c max_wal_senders=2"

TEST(who_is_alone_commits_without_preparing)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin_alone(&scene, &tx);
    /* A temporary table can be committed, but not prepared. */
    EXPECT_OK(ktm_postgres_exec(tx, "CREATE TEMP TABLE t (i int)", 0, NULL, NULL));
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    EXPECT_EQ(1, postgres_count(&scene.server, COUNT_SIGNS));
    scene_finish(tx, transaction);
    /* Nobody asks an earlier run. */
    scene_close(&scene);
    scene_open(&scene);
    EXPECT_EQ(0, postgres_count(&scene.server, COUNT_SIGNS));
    scene_end(&scene);
}

TEST(alone_and_unchanged_is_read_only)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin_alone(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_READ_ONLY, ktm_postgres_state(tx));
    EXPECT_EQ(0, postgres_count(&scene.server, COUNT_SIGNS));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

TEST(alone_and_refused_is_rolled_back) /* PG-13 */
{
    static const char *const refused[] = {"INSERT INTO late VALUES (1), (1)", "SELECT 1/0"};
    struct scene scene;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server, "CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    EACH (sql, refused) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin_alone(&scene, &tx);

        scene_add(tx, 1, -7);
        PQclear(PQexec(ktm_postgres_connection(tx), *sql));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_postgres_commit(tx));
        EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
        scene_finish(tx, transaction);
    }
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* ---- lost answers ---- */

TEST(a_commit_that_was_lost_before_it_happened_is_rolled_back)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server,
                 "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;"
                 "CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON account DEFERRABLE INITIALLY"
                 " DEFERRED FOR EACH ROW EXECUTE FUNCTION die()");
    transaction = scene_begin_alone(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* Ends the server's side that waits for a standby: it has committed, and cannot say so. */
static void *
end_who_waits(void *argument)
{
    struct scene *scene = argument;

    for (int i = 0; i < 1000; i++) {
        if (postgres_count(&scene->server,
                           "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                           "wait_event = 'SyncRep'") > 0)
            return NULL;
        MOMENT(10);
    }
    return scene;
}

TEST(a_commit_whose_answer_was_lost_is_found_by_its_row)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    pthread_t thread;
    void *failed;

    scene_start(&scene, WITH_STANDBY);
    postgres_ask(&scene.server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    postgres_ask(&scene.server, "SELECT pg_reload_conf()");
    transaction = scene_begin_alone(&scene, &tx);
    EXPECT_EQ(0, pthread_create(&thread, NULL, end_who_waits, &scene));
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(0, pthread_join(thread, &failed));
    EXPECT(!failed);
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* Takes the connection away from under a COMMIT that waits, and lets the server's side finish
 * later: its row cannot be seen until then. */
static void *
part_from_who_waits(void *argument)
{
    struct ktm_postgres_tx *tx = argument;
    struct scene *scene = tx->rm->options.context;

    while (postgres_count(&scene->server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                          "wait_event = 'SyncRep'") == 0)
        MOMENT(10);
    EXPECT_EQ(0, shutdown(PQsocket(tx->session->connection), SHUT_RDWR));
    MOMENT(500);
    postgres_ask(&scene->server, "ALTER SYSTEM RESET synchronous_standby_names");
    postgres_ask(&scene->server, "SELECT pg_reload_conf()");
    return NULL;
}

TEST(a_commit_that_goes_on_without_us_is_waited_for) /* PG-11 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    pthread_t thread;

    scene_start(&scene, WITH_STANDBY);
    postgres_ask(&scene.server, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    postgres_ask(&scene.server, "SELECT pg_reload_conf()");
    transaction = scene_begin_alone(&scene, &tx);
    EXPECT_EQ(0, pthread_create(&thread, NULL, part_from_who_waits, tx));
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* ---- a server that dies at the COMMIT ---- */

struct turn {
    struct scene *scene;
    pthread_t thread;
    NTSTATUS status;
    HANDLE transaction;
};

static void *
commit_it(void *argument)
{
    struct turn *turn = argument;

    turn->status = NtCommitTransaction(turn->transaction, TRUE);
    return NULL;
}

/* Its number is given out again, and belongs to somebody who commits. */
TEST(the_number_of_somebody_else_proves_nothing) /* PG-11 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    struct turn turn = {.scene = &scene};
    char number[64], sql[256];

    scene_start(&scene, NULL);
    postgres_ask(&scene.server,
                 "CREATE TABLE noise (i int);"
                 "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM pg_sleep(20); RETURN NULL; END$$;"
                 "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON account DEFERRABLE INITIALLY"
                 " DEFERRED FOR EACH ROW EXECUTE FUNCTION slow(); CHECKPOINT");
    turn.transaction = scene_begin_alone(&scene, &tx);
    scene_add(tx, 1, -7);
    PGresult *result;
    EXPECT_OK(ktm_postgres_exec(tx, "SELECT pg_current_xact_id()", 0, NULL, &result));
    snprintf(number, sizeof(number), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    EXPECT_EQ(0, pthread_create(&turn.thread, NULL, commit_it, &turn));
    while (postgres_count(&scene.server, "SELECT count(*) FROM pg_stat_activity WHERE state = "
                                         "'active' AND query = 'COMMIT'") == 0)
        MOMENT(10);
    postgres_kill(&scene.server);
    postgres_again(&scene.server, NULL);
    snprintf(sql, sizeof(sql), "SELECT pg_xact_status('%s'::xid8)", number);
    for (int i = 0; i < 100; i++)
        postgres_ask(&scene.server, "INSERT INTO noise VALUES (1)");
    EXPECT_EQ(0, strcmp(postgres_ask(&scene.server, sql), "committed"));
    EXPECT_EQ(0, pthread_join(turn.thread, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, turn.status);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_finish(tx, turn.transaction);
    scene_end(&scene);
}

/* COMMIT with synchronous_commit off is answered before it is durable. */
TEST(synchronous_commit_off_is_not_for_a_decision) /* PG-21 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, "-c synchronous_commit=off -c wal_writer_delay=10s");
    transaction = scene_begin_alone(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    postgres_kill(&scene.server);
    postgres_again(&scene.server, NULL);
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* Who may not make the table is asked in two phases, as ever. */
TEST(without_the_table_everything_is_prepared)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_prepare(&scene, NULL);
    postgres_ask(&scene.server, "CREATE ROLE poor LOGIN; GRANT ALL ON account TO poor");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=poor dbname=postgres", scene.server.directory);
    scene_open(&scene);
    EXPECT_EQ(0, strlen(scene.rm->outcome_table));
    transaction = scene_begin_alone(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}
