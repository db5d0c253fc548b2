/* SPDX-License-Identifier: MIT */
/* The outcome reaches what is prepared: whoever dies, whatever somebody else has done to it, and
 * never by taking "there is no such thing" for done. */
#include "rm/postgres/postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/rm/postgres/scene.h"

#define MOMENT(ms) nanosleep(&(struct timespec){(ms) / 1000, (ms) % 1000 * 1000000L}, NULL)

/* ---- interference ---- */

/* What a DBA does to the one that is prepared. */
static void
interfere(struct scene *scene)
{
    char sql[512];

    EXPECT_EQ(1, scene_prepared(scene));
    snprintf(sql, sizeof(sql), "%s PREPARED '%s'", (const char *)scene->thing,
             postgres_ask(&scene->server, "SELECT gid FROM pg_prepared_xacts"));
    postgres_ask(&scene->server, sql);
}

TEST(interference_is_found_out_by_the_fate_of_the_transaction) /* PG-06 */
{
    static const struct {
        const char *deed;
        bool is_aborted, is_damage;
    } rows[] = {
        {"COMMIT", false, false},
        {"ROLLBACK", false, true},
        {"COMMIT", true, true},
        {"ROLLBACK", true, false},
    };
    struct scene scene;

    scene_start(&scene, NULL);
    scene.at_prepare = interfere;
    EACH (row, rows) {
        bool was_committed = strcmp(row->deed, "COMMIT") == 0;
        long before = scene_amount(&scene, 1);
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        scene.thing = (void *)row->deed;
        scene.other_refuses = row->is_aborted;
        scene.reports = 0;
        scene_add(tx, 1, -7);
        EXPECT_STATUS(row->is_aborted ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                      NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(before - (was_committed ? 7 : 0), scene_amount(&scene, 1));
        EXPECT_EQ(was_committed ? KTM_POSTGRES_COMMITTED : KTM_POSTGRES_ROLLED_BACK,
                  ktm_postgres_state(tx));
        EXPECT_EQ(row->is_damage, scene.reports);
        if (row->is_damage) {
            EXPECT_EQ(KTM_POSTGRES_DAMAGED, scene.last.kind);
            EXPECT_EQ(!row->is_aborted, scene.last.is_committed);
            EXPECT(strstr(scene.told, "somebody else"));
        }
        scene_finish(tx, transaction);
    }
    scene_end(&scene);
}

/* A number that this server has not given out, another cluster, another timeline, another database:
 * no proof, so not done. */
TEST(what_cannot_be_proved_is_not_finished) /* PG-07 */
{
    struct scene scene;
    struct explanation why = {0};
    struct name name = {.transaction = {.Data1 = 1}, .enlistment = {.Data1 = 2}, .incarnation = 1};

    scene_start(&scene, NULL);
    name.place = scene.rm->reserve->place;
    name.xid = strtoull(postgres_ask(&scene.server, "SELECT pg_current_xact_id()"), NULL, 10);
    name_print(scene.rm, &name);
    EXPECT_EQ(FINISHED, outcome_finish(scene.rm, &name, true, &why));
    EXPECT_EQ(FINISHED_OTHERWISE, outcome_finish(scene.rm, &name, false, &why));
    name.xid += 1000000;
    EXPECT_EQ(NOT_FINISHED, outcome_finish(scene.rm, &name, true, &why));
    EXPECT(strstr(why.text, "in the future"));
    name.xid -= 1000000;
    name.place.timeline++;
    EXPECT_EQ(NOT_FINISHED, outcome_finish(scene.rm, &name, true, &why));
    EXPECT(strstr(why.text, "promoted"));
    name.place.timeline--;
    name.place.system++;
    EXPECT_EQ(NOT_FINISHED, outcome_finish(scene.rm, &name, true, &why));
    name.place.system--;
    name.place.database++;
    EXPECT_EQ(NOT_FINISHED, outcome_finish(scene.rm, &name, true, &why));
    scene_end(&scene);
}

/* ---- the server is away ---- */

static void
kill_server(struct scene *scene)
{
    postgres_kill(&scene->server);
}

static void
stop_server(struct scene *scene)
{
    postgres_stop(&scene->server);
}

/* The client is told the outcome; the next start finishes it. */
TEST(a_server_that_is_away_in_phase_two_is_finished_by_the_next_start) /* PG-22 */
{
    static void (*const aways[])(struct scene *) = {kill_server, stop_server};
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (away, aways)
        for (int is_aborted = 0; is_aborted < 2; is_aborted++) {
            long before = scene_amount(&scene, 1);
            struct ktm_postgres_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            scene_add(tx, 1, -7);
            scene.at_prepare = *away;
            scene.other_refuses = is_aborted;
            EXPECT_STATUS(is_aborted ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                          NtCommitTransaction(transaction, TRUE));
            EXPECT_EQ(KTM_POSTGRES_PREPARED, ktm_postgres_state(tx));
            EXPECT_EQ(KTM_POSTGRES_UNFINISHED, scene.last.kind);
            EXPECT_EQ(1, ktm_rm_unfinished(ktm_postgres_kit(scene.rm)));
            scene_finish(tx, transaction);
            scene_close(&scene);
            scene.at_prepare = NULL;
            postgres_again(&scene.server, NULL);
            EXPECT_EQ(1, scene_prepared(&scene));
            scene_open(&scene);
            EXPECT_EQ(KTM_POSTGRES_SETTLED, scene.last.kind);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(before - (is_aborted ? 0 : 7), scene_amount(&scene, 1));
        }
    scene_end(&scene);
}

/* The thread of the kit prepares while the other is asked. */
static void
kill_server_when_prepared(struct scene *scene)
{
    while (scene_prepared(scene) == 0)
        MOMENT(10);
    postgres_kill(&scene->server);
}

/* Who is patient waits until it is done. */
TEST(a_server_that_comes_back_is_told) /* PG-22 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    scene_close(&scene);
    scene.options.mode = KTM_RM_HELPED;
    scene.options.patience_ms = UINT32_MAX;
    scene_open(&scene);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    scene.at_prepare = kill_server_when_prepared;
    EXPECT(NT_SUCCESS(NtCommitTransaction(transaction, FALSE)));
    while (scene.reports == 0)
        MOMENT(10);
    EXPECT_EQ(KTM_POSTGRES_UNFINISHED, scene.last.kind);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_postgres_kit(scene.rm)));
    MOMENT(400);
    postgres_again(&scene.server, NULL);
    EXPECT_OK(NtWaitForSingleObject(transaction, FALSE, NULL));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    EXPECT_EQ(1, scene.reports); /* once, however often it was tried */
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* Sessions that were idle when the server went are no reason to fail. */
TEST(idle_sessions_that_were_lost_are_replaced)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    for (int i = 0; i < 2; i++) {
        transaction = scene_begin(&scene, &tx);
        scene_add(tx, 1, 1);
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        scene_finish(tx, transaction);
        postgres_stop(&scene.server);
        postgres_again(&scene.server, NULL);
    }
    EXPECT_EQ(102, scene_amount(&scene, 1));
    scene_end(&scene);
}

static PGconn *taken[64];
static size_t taken_count;

static void
take_all_connections(struct scene *scene)
{
    for (taken_count = 0; taken_count < ARRAY_SIZE(taken); taken_count++) {
        taken[taken_count] = PQconnectdb(scene->server.conninfo);
        if (PQstatus(taken[taken_count]) != CONNECTION_OK) {
            PQfinish(taken[taken_count]);
            return;
        }
    }
    test_fail(__FILE__, __LINE__, "the server has no limit");
}

TEST(phase_two_has_a_connection_when_nobody_else_gets_one)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, "-c max_connections=8");
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    scene.at_prepare = take_all_connections;
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    while (taken_count > 0)
        PQfinish(taken[--taken_count]);
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* The session that prepared is the application's own again, and none of ours is idle. */
TEST(phase_two_has_a_connection_of_its_own) /* PG-17 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    PGconn *mine;

    scene_start(&scene, "-c max_connections=8");
    mine = PQconnectdb(scene.server.conninfo);
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene.tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(ktm_postgres_begin_on(scene.rm, transaction, mine, &tx));
    scene_add(tx, 1, -7);
    scene_enlist_other(&scene, transaction);
    scene.at_prepare = take_all_connections;
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    while (taken_count > 0)
        PQfinish(taken[--taken_count]);
    PQfinish(mine);
    scene_finish(tx, transaction);
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* ---- the process dies ---- */

static void
pay(struct scene *scene)
{
    struct ktm_postgres_tx *tx;
    HANDLE transaction = scene_begin(scene, &tx);

    scene_add(tx, 1, -7);
    (void)!NtCommitTransaction(transaction, TRUE);
}

static void
pay_after_other(struct scene *scene)
{
    struct ktm_postgres_tx *tx;
    HANDLE transaction = scene_begin_after_other(scene, &tx);

    scene_add(tx, 1, -7);
    (void)!NtCommitTransaction(transaction, TRUE);
}

static void
nothing(struct scene *scene)
{
    (void)scene;
}

TEST(killed_after_prepare_and_before_the_decision_is_rolled_back)
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene.at_prepare = scene_kill_self;
    scene_in_child(&scene, pay);
    EXPECT_EQ(1, scene_prepared(&scene));
    scene.at_prepare = NULL;
    scene_open(&scene);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_EQ(KTM_POSTGRES_SETTLED, scene.last.kind);
    EXPECT(!scene.last.is_committed);
    scene_end(&scene);
}

TEST(killed_before_prepare_leaves_nothing)
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene.at_prepare = scene_kill_self;
    scene_in_child(&scene, pay_after_other);
    scene.at_prepare = NULL;
    scene_open(&scene);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* The other is told first, and kills; the server goes, too, every second time. */
TEST(killed_after_the_decision_is_committed_by_the_next_start)
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    for (int with_server = 0; with_server < 2; with_server++) {
        scene.at_commit = scene_kill_self;
        scene_in_child(&scene, pay_after_other);
        EXPECT_EQ(1, scene_prepared(&scene));
        scene.at_commit = NULL;
        if (with_server) {
            postgres_kill(&scene.server);
            postgres_again(&scene.server, NULL);
        }
        scene_open(&scene);
        EXPECT_EQ(0, scene_prepared(&scene));
        EXPECT_EQ(93 - 7 * with_server, scene_amount(&scene, 1));
        EXPECT_EQ(KTM_POSTGRES_SETTLED, scene.last.kind);
        scene_close(&scene);
    }
    postgres_stop(&scene.server);
}

/* COMMIT PREPARED was done and nobody remembers: the name is gone, and the transaction's number,
 * kept with the enlistment, has the proof. Again and again. */
TEST(redelivery_is_done_by_proof) /* PG-06 */
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene.at_commit = scene_kill_self;
    scene_in_child(&scene, pay);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    for (int i = 0; i < 5; i++)
        scene_in_child(&scene, nothing);
    scene.at_commit = NULL;
    scene_open(&scene);
    EXPECT_EQ(93, scene_amount(&scene, 1));
    EXPECT_EQ(KTM_POSTGRES_SETTLED, scene.last.kind);
    EXPECT(scene.last.is_committed);
    scene_end(&scene);
}

/* The same on a server that was restored or promoted meanwhile: its numbers are others. */
TEST(redelivery_on_another_timeline_stays_unfinished) /* PG-07 */
{
    static const char settings[] = "-c wal_level=replica -c restore_command=/bin/false";
    struct scene scene;
    char signal_file[1024];

    scene_prepare(&scene, settings);
    scene.at_commit = scene_kill_self;
    scene_in_child(&scene, pay);
    scene.at_commit = NULL;
    postgres_stop(&scene.server);
    snprintf(signal_file, sizeof(signal_file), "%s/data/recovery.signal", scene.server.directory);
    close(open(signal_file, O_CREAT | O_WRONLY, 0666));
    if (geteuid() == 0)
        EXPECT_EQ(0, chown(signal_file, 65534, 65534));
    postgres_again(&scene.server, settings);
    while (strcmp(postgres_ask(&scene.server, "SELECT pg_is_in_recovery()"), "f") != 0)
        MOMENT(50);
    scene_open(&scene);
    EXPECT_EQ(KTM_POSTGRES_UNFINISHED, scene.last.kind);
    EXPECT(strstr(scene.told, "promoted"));
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_postgres_kit(scene.rm)));
    /* Until an operator has looked [PG-23]. */
    EXPECT_OK(ktm_postgres_settle(scene.rm, &scene.last.transaction, "it is there"));
    scene_close(&scene);
    scene_open(&scene);
    EXPECT_EQ(KTM_POSTGRES_SETTLED, scene.last.kind);
    EXPECT(strstr(scene.told, "it is there"));
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_postgres_kit(scene.rm)));
    scene_end(&scene);
}

/* ---- what an older run has sent ---- */

/* Its PREPARE is still under way when the next run asks what is prepared, and must not come true
 * behind its back. */
TEST(a_prepare_under_way_does_not_survive_its_run) /* PG-19 */
{
    struct scene scene;
    pid_t child;
    int status;

    scene_prepare(&scene, NULL);
    postgres_ask(&scene.server,
                 "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM pg_sleep(3); RETURN NULL; END$$;"
                 "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON account DEFERRABLE INITIALLY"
                 " DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()");
    child = fork();
    if (child == 0) {
        scene_open(&scene);
        pay(&scene);
        _exit(0);
    }
    scene_wait_for_statement(&scene, "SET LOCAL%PREPARE TRANSACTION%");
    kill(child, SIGKILL);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    scene_open(&scene);
    EXPECT_EQ(0, postgres_count(&scene.server, "SELECT count(*) FROM pg_stat_activity WHERE query "
                                               "LIKE 'SET LOCAL%PREPARE TRANSACTION%'"));
    MOMENT(3500);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* ---- orphans ---- */

/* The server's side dies in the middle of PREPARE: the vote is no, and nothing stays. */
TEST(a_lost_prepare_is_a_no)
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
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(list_is_empty(&scene.rm->left));
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* It had been prepared all the same: it is rolled back as soon as the server can be asked. */
TEST(an_orphan_is_rolled_back) /* PG-16 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    struct name name = {.enlistment = {.Data1 = 2}, .incarnation = 1};
    char sql[512];

    scene_start(&scene, NULL);
    name.place = scene.rm->reserve->place;
    name.xid = 12345678;
    name_print(scene.rm, &name);
    snprintf(sql, sizeof(sql), "BEGIN; DELETE FROM account; PREPARE TRANSACTION '%s'", name.gid);
    postgres_ask(&scene.server, sql);
    outcome_add_orphan(scene.rm, &name);
    postgres_stop(&scene.server);
    outcome_tend_orphans(scene.rm);
    EXPECT(!list_is_empty(&scene.rm->left));
    postgres_again(&scene.server, NULL);
    EXPECT_EQ(1, scene_prepared(&scene));
    EXPECT_OK(ktm_postgres_begin(scene.rm, NULL, &tx));
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT(list_is_empty(&scene.rm->left));
    ktm_postgres_close(tx);
    scene_end(&scene);
}

/* ---- others ---- */

static void
open_another(struct scene *scene)
{
    struct ktm_postgres_options options = {.name = "another", .mode = KTM_RM_CALLBACKS};
    struct ktm_postgres_rm *another;

    EXPECT_EQ(1, scene_prepared(scene));
    EXPECT_OK(ktm_postgres_open(scene->tm, scene->home, scene->server.conninfo, &options, NULL, 0,
                                &another));
    EXPECT_EQ(1, scene_prepared(scene));
    ktm_postgres_shut(another);
}

TEST(what_others_have_prepared_is_left_alone)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    scene.at_prepare = open_another;
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

static unsigned ours, foreign;

static void
count_prepared(void *context, const struct ktm_postgres_prepared *prepared)
{
    struct scene *scene = context;

    EXPECT(prepared->age >= 0 && prepared->age < 100);
    EXPECT_EQ(0, strcmp(prepared->owner, "ktm"));
    if (prepared->is_ours)
        EXPECT_EQ(scene->rm->base.home.incarnation, prepared->key.incarnation);
    ours += prepared->is_ours;
    foreign += !prepared->is_ours;
}

static void
look_at_prepared(struct scene *scene)
{
    EXPECT_OK(ktm_postgres_list_prepared(scene->rm, 0, count_prepared, scene));
    EXPECT_EQ(1, ours);
    EXPECT_EQ(1, foreign);
    EXPECT_OK(ktm_postgres_list_prepared(scene->rm, 3600, count_prepared, scene));
    EXPECT_EQ(2, ours + foreign);
}

TEST(old_prepared_transactions_can_be_seen) /* PG-18 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server,
                 "BEGIN; CREATE TABLE a (i int); PREPARE TRANSACTION 'ktm:of:others'");
    postgres_ask(&scene.server, "BEGIN; CREATE TABLE b (i int); PREPARE TRANSACTION 'something'");
    scene.at_prepare = look_at_prepared;
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    scene_finish(tx, transaction);
    scene_end(&scene);
}
