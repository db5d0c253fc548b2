/* SPDX-License-Identifier: MIT */
/* Who is at work at the same time: an older run, several threads, lost votes, a door. */
#include "tests/rm/mariadb/scene.h"

#include <mysql.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktm.h"
#include "rm/mariadb/mariadb.h"

/* An older run: its process is gone, its connection is not, on the server's side. */
TEST(a_start_ends_the_connections_of_an_older_run_before_it_looks) /* MY-17 */
{
    char name[HEX_SIZE], sql[256];
    struct ktm_rm_key key = {.transaction = {.Data1 = 77}};
    struct scene scene;
    struct xid xid;
    MYSQL *straggler;

    scene_start(&scene, NULL);
    key.manager = scene.rm->base.home.manager;
    key.incarnation = scene.rm->base.home.incarnation;
    guid_hex(&key.manager, name);
    scene_close(&scene);
    straggler = mariadb_enter(&scene.server, NULL);
    snprintf(sql, sizeof(sql), "DO GET_LOCK('ktm:%s:7', 0)", name);
    EXPECT_EQ(0, mysql_query(straggler, sql));
    xid_print(&key, &xid);
    snprintf(sql, sizeof(sql), "XA START %s", xid.text);
    EXPECT_EQ(0, mysql_query(straggler, sql));
    EXPECT_EQ(0, mysql_query(straggler, "UPDATE account SET amount = 1 WHERE id = 1"));
    snprintf(sql, sizeof(sql), "XA END %s", xid.text);
    EXPECT_EQ(0, mysql_query(straggler, sql));
    scene_open(&scene);
    snprintf(sql, sizeof(sql), "XA PREPARE %s", xid.text);
    EXPECT(mysql_query(straggler, sql) != 0); /* too late */
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    mysql_close(straggler);
    scene_end(&scene);
}

/* Prepared by an older run, and attached still: XAER_NOTA for everybody else, but listed. */
TEST(a_branch_that_is_attached_to_a_living_connection_is_not_taken_for_done) /* MY-03 */
{
    struct ktm_rm_key key = {.transaction = {.Data1 = 78}};
    struct explanation why = {0};
    struct scene scene;
    struct xid xid;
    MYSQL *other;

    scene_start(&scene, NULL);
    key.manager = scene.rm->base.home.manager;
    key.incarnation = scene.rm->base.home.incarnation;
    xid_print(&key, &xid);
    other = mariadb_enter(&scene.server, NULL);
    scene_say_branch(other, &xid, 1);
    EXPECT_EQ(1, scene_prepared(&scene));
    EXPECT_EQ(NOT_FINISHED, outcome_settle(scene.rm, &key, false, &why));
    EXPECT(strstr(why.text, "1397"));
    mysql_close(other);
    /* As an orphan it is tended whenever there is something to do anyway. */
    outcome_add_orphan(scene.rm, &key);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

TEST(what_is_prepared_keeps_its_locks_over_a_crash_of_the_server) /* MY-12 */
{
    struct ktm_rm_key key = {.transaction = {.Data1 = 79}};
    struct scene scene;
    struct xid xid;
    MYSQL *other;

    scene_start(&scene, NULL);
    key.manager = scene.rm->base.home.manager;
    key.incarnation = scene.rm->base.home.incarnation;
    xid_print(&key, &xid);
    other = mariadb_enter(&scene.server, NULL);
    scene_say_branch(other, &xid, 1);
    scene_close(&scene);
    mariadb_kill(&scene.server);
    mysql_close(other);
    mariadb_again(&scene.server, NULL);
    other = mariadb_enter(&scene.server, NULL);
    EXPECT(mysql_query(other, "SELECT * FROM account WHERE id = 1 FOR UPDATE NOWAIT") != 0);
    EXPECT_EQ(1205, mysql_errno(other));
    scene_open(&scene); /* presumed abort: KTM knows nothing of it */
    EXPECT_EQ(1, scene.reports);
    EXPECT_EQ(KTM_MARIADB_SETTLED, scene.last.kind);
    EXPECT(!scene.last.is_committed);
    EXPECT_EQ(0, mysql_query(other, "UPDATE account SET amount = amount + 1 WHERE id = 1"));
    EXPECT_EQ(101, scene_amount(&scene, 1));
    mysql_close(other);
    scene_end(&scene);
}

/* ---- a connection that is stuck ---- */

static void *
let_it_go(void *argument)
{
    struct scene *scene = argument;
    MYSQL *lock = mariadb_enter(&scene->server, NULL);
    char sql[128];

    /* Until the connection is gone that the branch is attached to, nobody can commit anything. */
    EXPECT_EQ(0, mysql_query(lock, "FLUSH TABLES WITH READ LOCK"));
    sem_post(&scene->ready);
    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lu",
             (unsigned long)(uintptr_t)scene->thing);
    for (int i = 0; i < 1000 && mariadb_count(&scene->server, sql) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    scene->thing = mariadb_count(&scene->server, sql) ? scene->thing : NULL;
    mysql_close(lock);
    return NULL;
}

static pthread_t letting;

static void
block_commits(struct scene *scene)
{
    EXPECT_EQ(0, sem_init(&scene->ready, 0, 0));
    EXPECT_EQ(0, pthread_create(&letting, NULL, let_it_go, scene));
    EXPECT_EQ(0, sem_wait(&scene->ready));
}

TEST(a_connection_that_cannot_end_its_branch_lets_it_go) /* MY-06 */
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_start(&scene, "--lock-wait-timeout=1");
    transaction = scene_begin_after_other(&scene, &tx);
    scene_add(tx, 1, -30);
    scene.thing = (void *)(uintptr_t)mysql_thread_id(ktm_mariadb_connection(tx));
    scene.at_commit = block_commits;
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(0, pthread_join(letting, NULL));
    EXPECT(!scene.thing);
    EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
    EXPECT_EQ(70, scene_amount(&scene, 1));
    EXPECT_EQ(0, scene.reports);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

/* ---- threads ---- */

#define THREADS   8
#define TRANSFERS 40

struct teller {
    pthread_t thread;
    struct scene *scene;
    unsigned seed;
    unsigned done;
};

static void *
transfer(void *argument)
{
    struct teller *teller = argument;

    for (int i = 0; i < TRANSFERS; i++) {
        int from = 1 + (int)(rand_r(&teller->seed) % 2);
        const char *values[][2] = {{"-1", from == 1 ? "1" : "2"}, {"1", from == 1 ? "2" : "1"}};
        struct ktm_mariadb_tx *tx;
        bool is_good = true;

        EXPECT_OK(ktm_mariadb_begin(teller->scene->rm, NULL, &tx));
        EACH (pair, values)
            is_good = is_good &&
                      ktm_mariadb_exec(tx, "UPDATE account SET amount = amount + ? WHERE id = ?", 2,
                                       *pair, NULL) == STATUS_SUCCESS;
        /* A deadlock is an answer; and who ignores it cannot commit. */
        EXPECT_EQ(is_good, ktm_mariadb_commit(tx) == STATUS_SUCCESS);
        teller->done += is_good;
        ktm_mariadb_close(tx);
    }
    return NULL;
}

TEST(many_threads_move_money_and_none_is_lost)
{
    struct teller tellers[THREADS];
    struct scene scene;
    unsigned done = 0;

    scene_prepare(&scene, NULL);
    scene.options.mode = KTM_RM_THREAD;
    scene.options.patience_ms = 10000;
    scene_open(&scene);
    for (unsigned i = 0; i < THREADS; i++) {
        tellers[i] = (struct teller){.scene = &scene, .seed = i + 1};
        EXPECT_EQ(0, pthread_create(&tellers[i].thread, NULL, transfer, &tellers[i]));
    }
    EACH (teller, tellers) {
        EXPECT_EQ(0, pthread_join(teller->thread, NULL));
        done += teller->done;
    }
    EXPECT(done > 0);
    EXPECT_EQ(200, mariadb_count(&scene.server, "SELECT SUM(amount) FROM account"));
    EXPECT(mariadb_count(&scene.server, "SELECT COUNT(*) FROM ktm_outcome WHERE incarnation > 0") <=
           done);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

/* ---- the door ---- */

TEST(an_application_uses_it_in_three_calls)
{
    struct ktm_mariadb_server where = {.user = "root", .database = "shop"};
    struct ktm_mariadb_tx *rows, *again;
    struct ktm_home *home;
    struct scene scene;
    struct ktm_tx *tx;

    scene_prepare(&scene, NULL);
    where.socket = scene.server.socket;
    EXPECT_OK(ktm_open(scene.home, &home));
    EXPECT_OK(ktm_begin(home, &tx));
    EXPECT_OK(ktm_mariadb(tx, &where, &rows));
    EXPECT_OK(ktm_mariadb(tx, &where, &again));
    EXPECT(rows == again);
    scene_add(rows, 1, 11);
    EXPECT_OK(ktm_commit(tx));
    ktm_end(tx);
    ktm_shut(home);
    EXPECT_EQ(111, scene_amount(&scene, 1));
    mariadb_stop(&scene.server);
}
