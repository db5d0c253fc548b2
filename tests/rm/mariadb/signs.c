/* SPDX-License-Identifier: MIT */
/* Signs: they are there for as long as KTM may ask for an outcome, and not much longer. */
#include "rm/mariadb/mariadb.h"
#include "tests/rm/mariadb/scene.h"

#define COUNT "SELECT COUNT(*) FROM ktm_outcome WHERE incarnation > 0"

static void
pay_often(struct scene *scene, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct ktm_mariadb_tx *tx;

        EXPECT_OK(ktm_mariadb_begin(scene->rm, NULL, &tx));
        scene_add(tx, 1, 1);
        EXPECT_OK(ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
    }
}

TEST(rows_of_finished_transactions_are_used_again) /* MY-15 */
{
    struct scene scene;

    scene_start(&scene, NULL);
    pay_often(&scene, DONE_ENOUGH);
    EXPECT_EQ(DONE_ENOUGH, mariadb_count(&scene.server, COUNT));
    pay_often(&scene, 1); /* at its commit all of before is forgotten for good */
    EXPECT_EQ(DONE_ENOUGH + 1, mariadb_count(&scene.server, COUNT));
    pay_often(&scene, 5 * DONE_ENOUGH);
    EXPECT_EQ(DONE_ENOUGH + 1, mariadb_count(&scene.server, COUNT));
    EXPECT_EQ(100 + 6 * DONE_ENOUGH + 1, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* The other participant has not finished it, so KTM will tell us of it again, too. */
TEST(the_row_of_what_others_have_not_finished_stays) /* MY-15 */
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;
    char id[HEX_SIZE], sql[256];

    scene_start(&scene, NULL);
    scene.other_postpones = true;
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -30);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(1, ktm_rm_unfinished(scene.other));
    guid_hex(&tx->id, id);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    pay_often(&scene, 4 * DONE_ENOUGH + 2);
    EXPECT(mariadb_count(&scene.server, COUNT) <= DONE_ENOUGH + 2);
    snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM ktm_outcome WHERE transaction = X'%s'", id);
    EXPECT_EQ(1, mariadb_count(&scene.server, sql));
    scene_close(&scene);
    scene.other_postpones = false;
    scene_open(&scene);
    EXPECT_EQ(1, scene.reports); /* it was asked for once more, and is proved */
    EXPECT_EQ(KTM_MARIADB_SETTLED, scene.last.kind);
    scene_end(&scene);
}

static void
die_voting(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;
    HANDLE transaction;

    scene->at_prepare = scene_kill_self;
    transaction = scene_begin(scene, &tx);
    scene_add(tx, 1, -30);
    NtCommitTransaction(transaction, TRUE);
}

/* Whose commit was the last before a crash is asked for again: that it is forgotten is in no log.
 */
static void
pay_and_die(struct scene *scene)
{
    pay_often(scene, DONE_ENOUGH);
    die_voting(scene);
}

TEST(the_row_of_what_may_be_asked_for_after_a_crash_stays) /* MY-15 */
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_in_child(&scene, pay_and_die);
    EXPECT_EQ(DONE_ENOUGH, mariadb_count(&scene.server, COUNT));
    scene.at_prepare = NULL;
    scene_open(&scene);
    EXPECT(scene.reports >= 2); /* the last one committed, the one under way rolled back */
    EXPECT_EQ(0, scene.damages);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100 + DONE_ENOUGH, scene_amount(&scene, 1));
    scene_end(&scene);
}

static void
refuse_once(struct scene *scene)
{
    struct ktm_mariadb_tx *tx;
    HANDLE transaction;

    scene->other_refuses = true;
    transaction = scene_begin(scene, &tx);
    scene_add(tx, 1, -30);
    EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene->other_refuses = false;
}

/* Neither what was chosen when a transaction voted that did not commit is lost, nor the row that it
 * had taken over. */
TEST(a_rollback_leaves_the_rows_for_the_next_commit) /* MY-15 */
{
    struct scene scene;

    scene_start(&scene, NULL);
    pay_often(&scene, DONE_ENOUGH);
    refuse_once(&scene);
    EXPECT_EQ(DONE_ENOUGH, mariadb_count(&scene.server, COUNT));
    pay_often(&scene, 2);
    EXPECT_EQ(DONE_ENOUGH + 1, mariadb_count(&scene.server, COUNT));
    for (int i = 0; i < 3; i++) /* of a row that was taken over */
        refuse_once(&scene);
    pay_often(&scene, 3 * DONE_ENOUGH);
    EXPECT_EQ(DONE_ENOUGH + 1, mariadb_count(&scene.server, COUNT));
    scene_end(&scene);
}

/* The last one's row is next in turn, were it free; and nothing since has made it durable that KTM
 * has forgotten that one. */
static void
refuse_often_and_die(struct scene *scene)
{
    pay_often(scene, DONE_ENOUGH);
    for (unsigned i = 0; i < DONE_ENOUGH - 1; i++)
        refuse_once(scene);
    die_voting(scene);
}

/* A row that may be asked for is locked by nobody who is in doubt. */
TEST(the_proof_of_one_does_not_wait_for_the_outcome_of_another) /* MY-15 */
{
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_in_child(&scene, refuse_often_and_die);
    scene.at_prepare = NULL;
    scene_open(&scene);
    EXPECT_EQ(0, scene.delays);
    EXPECT_EQ(0, scene.damages);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100 + DONE_ENOUGH, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* A row that is gone is no sign: who wanted to take it over cannot promise. */
TEST(rows_that_somebody_has_removed_cost_one_transaction) /* MY-15 */
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    char words[256];

    scene_start(&scene, NULL);
    pay_often(&scene, DONE_ENOUGH + 1);
    mariadb_ask(&scene.server, "DELETE FROM ktm_outcome WHERE incarnation > 0");
    EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
    scene_add(tx, 1, 1);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_mariadb_commit(tx));
    ktm_mariadb_error(tx, words, sizeof(words));
    EXPECT(strstr(words, "removed rows"));
    ktm_mariadb_close(tx);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(100 + DONE_ENOUGH + 1, scene_amount(&scene, 1));
    pay_often(&scene, 1);
    EXPECT_EQ(100 + DONE_ENOUGH + 2, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* A vote that fails at its row: rolled back for sure, it gives the row back. */
TEST(a_row_that_was_not_got_is_used_by_the_next) /* MY-15 */
{
    MYSQL *administrator;
    struct scene scene;

    scene_start(&scene, "--innodb-lock-wait-timeout=1");
    pay_often(&scene, DONE_ENOUGH + 1);
    administrator = mariadb_enter(&scene.server, NULL);
    for (int i = 0; i < 3; i++) {
        struct ktm_mariadb_tx *tx;

        EXPECT_EQ(0, mysql_query(administrator, "BEGIN"));
        EXPECT_EQ(0, mysql_query(administrator, "UPDATE ktm_outcome SET written = NOW()"));
        EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
        scene_add(tx, 1, 1);
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
        EXPECT_EQ(0, mysql_query(administrator, "ROLLBACK"));
    }
    mysql_close(administrator);
    pay_often(&scene, 3 * DONE_ENOUGH);
    EXPECT_EQ(DONE_ENOUGH + 1, mariadb_count(&scene.server, COUNT));
    EXPECT_EQ(100 + 4 * DONE_ENOUGH + 1, scene_amount(&scene, 1));
    scene_end(&scene);
}
