/* SPDX-License-Identifier: MIT */
/* Crashes of the client, of the server and of both, and what the next start makes of them. */
#include "tests/rm/mariadb/scene.h"

#include <mysql.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* ---- the client dies ---- */

static void
die_before_the_vote(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;

    scene_begin(scene, &tx);
    scene_add(tx, 1, -30);
    scene_kill_self(scene);
}

static void
die_between_votes(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;
    HANDLE transaction = scene_begin(scene, &tx); /* asked before the other */

    scene->at_prepare = scene_kill_self;
    scene_add(tx, 1, -30);
    NtCommitTransaction(transaction, TRUE);
}

/* The other one is told first, so our branch is still prepared. */
static void
die_after_the_decision(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;
    HANDLE transaction = scene_begin_after_other(scene, &tx);

    scene->at_commit = scene_kill_self;
    scene_add(tx, 1, -30);
    NtCommitTransaction(transaction, TRUE);
}

/* Ours is done already; whether KTM's log knows that is not certain. */
static void
die_after_our_commit(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;
    HANDLE transaction = scene_begin(scene, &tx);

    scene->at_commit = scene_kill_self;
    scene_add(tx, 1, -30);
    NtCommitTransaction(transaction, TRUE);
}

static const struct death {
    void (*run)(struct scene *scene);
    long amount;
} deaths[] = {
    {die_before_the_vote, 100},
    {die_between_votes, 100},
    {die_after_the_decision, 70},
    {die_after_our_commit, 70},
};

static void
expect_settled(struct scene *scene, long amount)
{
    EXPECT_EQ(amount, scene_amount(scene, 1));
    EXPECT_EQ(0, scene_prepared(scene));
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_mariadb_kit(scene->rm)));
    if (scene->reports)
        EXPECT_EQ(KTM_MARIADB_SETTLED, scene->last.kind);
}

TEST(what_a_killed_client_left_is_settled_by_the_next_start)
{
    EACH (death, deaths) {
        static struct scene scene;
        static bool is_started;

        if (!is_started)
            scene_prepare(&scene, NULL);
        is_started = true;
        mariadb_ask(&scene.server, "UPDATE account SET amount = 100");
        scene.at_prepare = scene.at_commit = NULL;
        scene_in_child(&scene, death->run);
        scene.reports = 0;
        scene_open(&scene);
        expect_settled(&scene, death->amount);
        scene_close(&scene);
        if (death == &deaths[ARRAY_SIZE(deaths) - 1])
            mariadb_stop(&scene.server);
    }
}

TEST(what_a_killed_client_and_a_killed_server_left_is_settled_by_the_next_start) /* MY-14 */
{
    static const char *const settings[] = {NULL, "--log-bin=binlog --server-id=1 --sync-binlog=1"};
    struct scene scene;

    scene_prepare(&scene, settings[0]);
    EACH (setting, settings) {
        EACH (death, deaths) {
            mariadb_ask(&scene.server, "UPDATE account SET amount = 100");
            scene.at_prepare = scene.at_commit = NULL;
            scene_in_child(&scene, death->run);
            mariadb_kill(&scene.server);
            mariadb_again(&scene.server, *setting);
            scene.reports = 0;
            scene_open(&scene);
            expect_settled(&scene, death->amount);
            scene_close(&scene);
        }
        mariadb_stop(&scene.server);
        mariadb_again(&scene.server, settings[1]);
    }
    mariadb_stop(&scene.server);
}

/* ---- the server dies ---- */

static void
kill_server(struct scene *scene)
{
    mariadb_kill(&scene->server);
}

TEST(a_server_that_dies_before_its_vote_makes_the_transaction_abort)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin_after_other(&scene, &tx);
    scene.at_prepare = kill_server;
    scene_add(tx, 1, -30);
    EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    mariadb_again(&scene.server, NULL);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_end(&scene);
}

TEST(a_server_that_dies_after_the_decision_commits_when_it_is_back)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_prepare(&scene, NULL);
    scene.options.patience_ms = 60000;
    scene_open(&scene);
    transaction = scene_begin_after_other(&scene, &tx);
    scene.at_commit = kill_server;
    scene_add(tx, 1, -30);
    EXPECT(NT_SUCCESS(NtCommitTransaction(transaction, FALSE)));
    EXPECT_EQ(KTM_MARIADB_PREPARED, ktm_mariadb_state(tx));
    EXPECT_EQ(KTM_MARIADB_UNFINISHED, scene.last.kind);
    EXPECT(scene.last.is_committed);
    mariadb_again(&scene.server, NULL);
    for (int i = 0; i < 200 && ktm_mariadb_state(tx) == KTM_MARIADB_PREPARED; i++)
        EXPECT_OK(ktm_rm_run(ktm_mariadb_kit(scene.rm), 50));
    EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
    EXPECT_EQ(70, scene_amount(&scene, 1));
    EXPECT_EQ(1, scene.reports);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

/* ---- others ---- */

static void
keep_xid(void *context, const struct ktm_mariadb_prepared *prepared)
{
    snprintf(context, 256, "%s", prepared->xid);
}

/* The connection that prepared is killed, and the branch ended by somebody else. */
static void
interfere(struct scene *scene, const char *verb)
{
    char xid[256] = "", sql[320];
    int tries = 0;

    EXPECT_OK(ktm_mariadb_list_prepared(scene->rm, keep_xid, xid));
    EXPECT(xid[0]);
    mariadb_end_others(&scene->server);
    /* No grants at all are needed for this. */
    mariadb_ask(&scene->server, "CREATE OR REPLACE USER nobody");
    mariadb_ask(&scene->server, "GRANT USAGE ON *.* TO nobody");
    snprintf(sql, sizeof(sql), "XA %s %s", verb, xid);
    for (;; tries++) {
        MYSQL *connection = mysql_init(NULL);
        bool is_done;

        EXPECT(
            mysql_real_connect(connection, NULL, "nobody", NULL, NULL, 0, scene->server.socket, 0));
        is_done = mysql_query(connection, sql) == 0;
        mysql_close(connection);
        if (is_done)
            break;
        EXPECT(tries < 200);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void
roll_back_behind_our_back(struct scene *scene)
{
    interfere(scene, "ROLLBACK");
}

static void
commit_behind_our_back(struct scene *scene)
{
    interfere(scene, "COMMIT");
}

TEST(that_a_branch_is_gone_is_no_proof_that_it_was_committed) /* MY-04 MY-10 */
{
    static void (*const deeds[])(struct scene * scene) = {roll_back_behind_our_back,
                                                          commit_behind_our_back};
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (deed, deeds) {
        bool was_committed = *deed == commit_behind_our_back;
        struct ktm_mariadb_tx *tx;
        HANDLE transaction = scene_begin_after_other(&scene, &tx);

        scene.reports = 0;
        scene.at_commit = *deed;
        scene_add(tx, 1, -30);
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(was_committed ? 0 : 1, scene.reports);
        if (!was_committed)
            EXPECT_EQ(KTM_MARIADB_DAMAGED, scene.last.kind);
        EXPECT_EQ(was_committed ? KTM_MARIADB_COMMITTED : KTM_MARIADB_ROLLED_BACK,
                  ktm_mariadb_state(tx));
        EXPECT_EQ(was_committed ? 70 : 100, scene_amount(&scene, 1));
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    scene_end(&scene);
}

static void
kill_preparer(struct scene *scene)
{
    mariadb_ask(&scene->server, scene->thing);
}

TEST(a_branch_whose_connection_was_lost_is_committed_on_another) /* MY-06 */
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;
    char sql[64];

    scene_start(&scene, NULL);
    transaction = scene_begin_after_other(&scene, &tx);
    scene_add(tx, 1, -30);
    snprintf(sql, sizeof(sql), "KILL %lu", mysql_thread_id(ktm_mariadb_connection(tx)));
    scene.thing = sql;
    scene.at_commit = kill_preparer;
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
    EXPECT_EQ(70, scene_amount(&scene, 1));
    EXPECT_EQ(0, scene.reports);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(a_connection_that_is_lost_before_the_vote_makes_the_transaction_abort)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;
    char sql[64];

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -30);
    snprintf(sql, sizeof(sql), "KILL %lu", mysql_thread_id(ktm_mariadb_connection(tx)));
    mariadb_ask(&scene.server, sql);
    EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(signs_are_kept_as_long_as_they_may_be_asked_for)
{
    static const char count[] = "SELECT COUNT(*) FROM ktm_outcome WHERE incarnation > 0";
    struct ktm_mariadb_tx *tx;
    struct scene scene;

    scene_start(&scene, NULL);
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
        scene_add(tx, 1, 1);
        EXPECT_OK(ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
    }
    EXPECT_EQ(3, mariadb_count(&scene.server, count));
    mariadb_ask(&scene.server,
                "INSERT INTO ktm_outcome SELECT manager, UNHEX(LPAD(HEX(seq), 32, '0')), 1, NOW()"
                " FROM seq_1_to_25000, ktm_outcome WHERE incarnation = 0");
    scene_close(&scene);
    scene_open(&scene);
    EXPECT_EQ(0, mariadb_count(&scene.server, count));
    scene_close(&scene);
    /* Asked for once more at a start: this start keeps it, the one after removes it. */
    scene_in_child(&scene, die_after_the_decision);
    scene.reports = 0;
    scene_open(&scene);
    EXPECT_EQ(1, scene.reports);
    EXPECT_EQ(1, mariadb_count(&scene.server, count));
    scene_close(&scene);
    scene_open(&scene);
    EXPECT_EQ(1, scene.reports);
    EXPECT_EQ(0, mariadb_count(&scene.server, count));
    scene_end(&scene);
}
