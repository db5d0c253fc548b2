/* SPDX-License-Identifier: MIT */
/* When the name of a prepared transaction is gone the server has to say what became of it; and what
 * it says, or cannot say, is not always a proof. */
#include <pthread.h>
#include <time.h>

#include "rm/postgres/postgres.h"
#include "tests/rm/postgres/scene.h"

/* COMMIT PREPARED was done, and nobody remembers it but the server. */
static void
pay_and_die(struct scene *scene)
{
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene->at_commit = scene_kill_self;
    transaction = scene_begin(scene, &tx);
    scene_add(tx, 1, -7);
    (void)!NtCommitTransaction(transaction, TRUE);
}

static void
expect_unfinished(struct scene *scene, const char *words)
{
    scene_open(scene);
    EXPECT_EQ(KTM_POSTGRES_UNFINISHED, scene->last.kind);
    EXPECT(scene->last.is_committed);
    if (!strstr(scene->told, words))
        test_fail(__FILE__, __LINE__, "'%s' in '%s'", words, scene->told);
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_postgres_kit(scene->rm)));
}

/* As after years of VACUUM: the commit log begins behind it. */
static void
forget_all(struct scene *scene)
{
    char arguments[64];

    snprintf(arguments, sizeof(arguments), "-u %ld -D",
             postgres_count(&scene->server, "SELECT pg_current_xact_id()"));
    postgres_stop(&scene->server);
    postgres_tool(&scene->server, "pg_resetwal", arguments);
    postgres_again(&scene->server, NULL);
}

TEST(a_fate_that_the_server_has_forgotten_is_no_proof) /* PG-09 */
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_in_child(&scene, pay_and_die);
    EXPECT_EQ(93, scene_amount(&scene, 1));
    forget_all(&scene);
    expect_unfinished(&scene, "forgotten");
    scene_end(&scene);
}

/* The numbers that it gives out next are those of the time that was lost. */
TEST(a_server_that_was_put_back_to_before_it_is_not_believed) /* PG-08 */
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    postgres_stop(&scene.server);
    postgres_keep(&scene.server);
    postgres_again(&scene.server, NULL);
    scene_in_child(&scene, pay_and_die);
    postgres_stop(&scene.server);
    postgres_restore(&scene.server);
    postgres_again(&scene.server, NULL);
    expect_unfinished(&scene, "in the future");
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* ---- settled by hand ---- */

static void
expect_settled(struct scene *scene, const char *words)
{
    scene_close(scene);
    scene->reports = 0;
    scene_open(scene);
    EXPECT_EQ(1, scene->reports);
    EXPECT_EQ(KTM_POSTGRES_SETTLED, scene->last.kind);
    EXPECT(strstr(scene->told, "by hand, by ktm at 2"));
    EXPECT(strstr(scene->told, words));
    EXPECT_EQ(0, ktm_rm_unfinished(ktm_postgres_kit(scene->rm)));
    scene_close(scene);
    scene->reports = 0;
    scene_open(scene);
    EXPECT_EQ(0, scene->reports); /* KTM has forgotten it */
}

TEST(what_cannot_be_proved_can_be_settled_by_hand) /* PG-23 */
{
    struct scene scene;
    char sql[512], id[GUID_TEXT_SIZE];

    scene_prepare(&scene, NULL);
    scene_in_child(&scene, pay_and_die);
    forget_all(&scene);
    expect_unfinished(&scene, "forgotten");
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_postgres_settle(scene.rm, &scene.last.transaction, ""));
    EXPECT_OK(ktm_postgres_settle(scene.rm, &scene.last.transaction, "it is 93, I've looked"));
    EXPECT_OK(ktm_postgres_settle(scene.rm, &scene.last.transaction, "it's 93, we've looked"));
    expect_settled(&scene, "it's 93, we've looked");
    /* Or in plain SQL, as the manual says. */
    scene_close(&scene);
    scene_in_child(&scene, pay_and_die);
    forget_all(&scene);
    expect_unfinished(&scene, "forgotten");
    guid_print(&scene.last.transaction, id);
    snprintf(sql, sizeof(sql),
             "INSERT INTO ktm_settled (transaction, reason) VALUES ('%s', 'ticket 4711')", id);
    postgres_ask(&scene.server, sql);
    expect_settled(&scene, "ticket 4711");
    EXPECT_EQ(86, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* Somebody says so of what can be proved to be otherwise. */
static void
end_it_wrongly(struct scene *scene)
{
    char sql[512];

    postgres_ask(&scene->server, scene->thing);
    snprintf(sql, sizeof(sql), "ROLLBACK PREPARED '%s'",
             postgres_ask(&scene->server, "SELECT gid FROM pg_prepared_xacts"));
    postgres_ask(&scene->server, sql);
}

TEST(what_can_be_proved_is_no_matter_of_opinion) /* PG-23 */
{
    struct ktm_postgres_tx *tx;
    struct scene scene;
    HANDLE transaction;
    char sql[512], id[GUID_TEXT_SIZE];

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_OK(ktm_postgres_settle(scene.rm, &tx->id, "nothing yet"));
    guid_print(&tx->id, id);
    snprintf(sql, sizeof(sql),
             "UPDATE ktm_settled SET reason = 'I say so' WHERE transaction = '%s'", id);
    scene.thing = sql;
    scene.at_prepare = end_it_wrongly;
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(1, scene.reports);
    EXPECT_EQ(KTM_POSTGRES_DAMAGED, scene.last.kind);
    EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* ---- somebody else is at it ---- */

static void
set_standby(struct scene *scene, const char *name)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
    postgres_ask(&scene->server, sql);
    postgres_ask(&scene->server, "SELECT pg_reload_conf()");
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_settings WHERE name = "
             "'synchronous_standby_names' AND setting = '%s'",
             name);
    while (postgres_count(&scene->server, sql) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* The administrator's COMMIT PREPARED waits for a standby that is not there, and so it is neither
 * done nor not done. */
static void
end_it_slowly(struct scene *scene)
{
    PGconn *other = PQconnectdb(scene->server.conninfo);
    char sql[512];

    while (scene_prepared(scene) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    snprintf(sql, sizeof(sql), "COMMIT PREPARED '%s'",
             postgres_ask(&scene->server, "SELECT gid FROM pg_prepared_xacts"));
    set_standby(scene, "nobody");
    EXPECT_EQ(1, PQsendQuery(other, sql));
    scene_wait_for(scene, "wait_event = 'SyncRep'");
    scene->thing = other;
}

TEST(what_somebody_else_is_ending_is_waited_for) /* PG-10 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_prepare(&scene, "-c wal_level=replica -c max_wal_senders=2");
    scene.options.mode = KTM_RM_THREAD;
    scene.options.patience_ms = UINT32_MAX;
    scene.at_prepare = end_it_slowly;
    scene_open(&scene);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(transaction, FALSE));
    while (scene.reports == 0)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    EXPECT_EQ(KTM_POSTGRES_UNFINISHED, scene.last.kind);
    EXPECT(strstr(scene.told, "[55000]"));
    EXPECT_EQ(KTM_POSTGRES_PREPARED, ktm_postgres_state(tx));
    set_standby(&scene, "");
    EXPECT_OK(NtWaitForSingleObject(transaction, FALSE, NULL));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(1, scene.reports);
    EXPECT_EQ(93, scene_amount(&scene, 1));
    PQfinish(scene.thing);
    scene_finish(tx, transaction);
    scene_end(&scene);
}
