/* SPDX-License-Identifier: MIT */
/* Answers that are lost: between us and the server stands somebody who hangs up when one comes. */
#include "tests/rm/mariadb/scene.h"

TEST(a_vote_whose_answer_is_lost_is_no_and_nothing_stays_prepared) /* MY-16 */
{
    static const char *const words[] = {"INSERT INTO `shop`.ktm_outcome", "XA END", "XA PREPARE",
                                        "SAVEPOINT ktm_vote"};
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_open_over(&scene, &wire);
    EACH (word, words)
        for (int before = 0; before < 2; before++) {
            struct ktm_mariadb_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            /* After a SELECT the vote has more to ask. */
            EXPECT_OK(ktm_mariadb_exec(tx, "SELECT 1", 0, NULL, NULL));
            scene_add(tx, 1, -30);
            wire_lose(&wire, *word, before);
            EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
            EXPECT(wire_has_lost(&wire));
            EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
            ktm_mariadb_close(tx);
            NtClose(transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(100, scene_amount(&scene, 1));
            mariadb_ask(&scene.server, "UPDATE account SET amount = 100"); /* no lock is left */
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

TEST(an_outcome_whose_answer_is_lost_is_proved_or_said_again) /* MY-04 */
{
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_open_over(&scene, &wire);
    for (int commit = 0; commit < 2; commit++)
        for (int before = 0; before < 2; before++) {
            struct ktm_mariadb_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            scene.other_refuses = !commit;
            mariadb_ask(&scene.server, "UPDATE account SET amount = 100");
            scene_add(tx, 1, -30);
            wire_lose(&wire, commit ? "XA COMMIT" : "XA ROLLBACK", before);
            EXPECT_EQ(commit, NtCommitTransaction(transaction, TRUE) == STATUS_SUCCESS);
            EXPECT(wire_has_lost(&wire));
            EXPECT_EQ(commit ? KTM_MARIADB_COMMITTED : KTM_MARIADB_ROLLED_BACK,
                      ktm_mariadb_state(tx));
            ktm_mariadb_close(tx);
            NtClose(transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(commit ? 70 : 100, scene_amount(&scene, 1));
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}
