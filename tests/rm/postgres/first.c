/* SPDX-License-Identifier: MIT */
/* The first statement of a transaction brings BEGIN along, and a change the question for the
 * number; both are prepared in the session. */
#include "tests/rm/postgres/scene.h"

static void
start(struct scene *scene)
{
    scene_start(scene, NULL);
    postgres_ask(&scene->server, "CREATE FUNCTION remove_all() RETURNS int LANGUAGE plpgsql AS"
                                 " $$BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END$$;"
                                 "CREATE FUNCTION pay() RETURNS int LANGUAGE sql AS"
                                 " $$UPDATE account SET amount = 1; SELECT 1$$");
}

/* From the session that the next transaction gets. */
static void
remove_words(struct scene *scene)
{
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_close(scene);
    scene_open(scene);
    transaction = scene_begin(scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "SELECT remove_all()", 0, NULL, NULL));
    EXPECT_OK(NtRollbackTransaction(transaction, TRUE));
    scene_finish(tx, transaction);
}

/* It would be committed at once. */
TEST(without_begin_nothing_is_done)
{
    static const char *const first[] = {"SELECT 1", "UPDATE account SET amount = 0"};
    struct scene scene;

    start(&scene);
    EACH (sql, first) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction;
        char text[256];

        remove_words(&scene);
        transaction = scene_begin(&scene, &tx);
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE,
                      ktm_postgres_exec(tx, "SELECT pay()", 0, NULL, NULL));
        EXPECT(!ktm_postgres_connection(tx));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        ktm_postgres_error(tx, text, sizeof(text));
        EXPECT(strstr(text, "ktm_begin"));
        scene_finish(tx, transaction);
        EXPECT_EQ(100, scene_amount(&scene, 1));
    }
    scene_end(&scene);
}

/* However it ends: what it could not say is said in full the next time. */
TEST(a_begin_that_fails_costs_one_transaction)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    start(&scene);
    remove_words(&scene);
    for (int round = 0; round < 2; round++) {
        transaction = scene_begin(&scene, &tx);
        EXPECT_STATUS(round == 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS,
                      ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
        scene_finish(tx, transaction);
    }
    scene_end(&scene);
}

/* The number of the first one says nothing about the second. */
TEST(who_chains_transactions_is_asked_again)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, 5);
    EXPECT_OK(ktm_postgres_exec(tx, "ROLLBACK AND CHAIN", 0, NULL, NULL));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_READ_ONLY, ktm_postgres_state(tx));
    scene_finish(tx, transaction);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}
