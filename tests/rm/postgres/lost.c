/* SPDX-License-Identifier: MIT */
/* Answers that are lost on the way: between us and the server stands somebody who hangs up when one
 * comes, or before the server is told at all. */
#include <sys/stat.h>
#include <time.h>

#include "rm/postgres/postgres.h"
#include "tests/rm/postgres/scene.h"
#include "tests/rm/servers/wire.h"

#define SOCKET "/.s.PGSQL.5432"

/* Opens with the wire between; what the test itself asks goes straight. */
static void
open_over(struct scene *scene, struct wire *wire)
{
    char straight[640], directory[600], path[700], real[700];

    snprintf(straight, sizeof(straight), "%s", scene->server.conninfo);
    snprintf(directory, sizeof(directory), "%s/w", test_directory());
    snprintf(path, sizeof(path), "%s" SOCKET, directory);
    snprintf(real, sizeof(real), "%s" SOCKET, scene->server.directory);
    EXPECT_EQ(0, mkdir(directory, 0700));
    wire_start(wire, path, real);
    snprintf(scene->server.conninfo, sizeof(scene->server.conninfo),
             "host=%s user=ktm dbname=postgres", directory);
    scene_open(scene);
    snprintf(scene->server.conninfo, sizeof(scene->server.conninfo), "%s", straight);
}

TEST(a_vote_whose_answer_is_lost_is_no_and_nothing_stays_prepared) /* PG-16 */
{
    static const char *const words[] = {"PREPARE TRANSACTION", "ktm_vote"};
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    EACH (word, words)
        for (int before = 0; before < 2; before++) {
            struct ktm_postgres_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            scene_add(tx, 1, -7);
            if (word == words + 1) /* else the vote asks nothing */
                EXPECT_OK(ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
            wire_lose(&wire, *word, before);
            EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED,
                          NtCommitTransaction(transaction, TRUE));
            EXPECT(wire_has_lost(&wire));
            EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
            scene_finish(tx, transaction);
            /* A straggler of the server is waited for when there is something to do anyway. */
            for (int i = 0; !list_is_empty(&scene.rm->left); i++) {
                EXPECT(i < 3000);
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
                outcome_tend_orphans(scene.rm);
            }
            EXPECT_EQ(0, scene_prepared(&scene));
            postgres_ask(&scene.server, "UPDATE account SET amount = 100"); /* no lock is left */
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

TEST(a_first_change_whose_answer_is_lost_is_the_end_of_its_transaction)
{
    static const char *const words[] = {"ktm_begin", "ktm_number"};
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    EACH (word, words)
        for (int before = 0; before < 2; before++) {
            struct ktm_postgres_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            wire_lose(&wire, *word, before);
            EXPECT_STATUS(STATUS_RM_DISCONNECTED,
                          ktm_postgres_exec(tx, "UPDATE account SET amount = 0", 0, NULL, NULL));
            EXPECT(wire_has_lost(&wire));
            EXPECT(ktm_postgres_error(tx, NULL, 0) > 0);
            EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED,
                          NtCommitTransaction(transaction, TRUE));
            EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
            scene_finish(tx, transaction);
            EXPECT_EQ(100, scene_amount(&scene, 1));
        }
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_end(&scene);
}

TEST(an_outcome_whose_answer_is_lost_is_proved_or_said_again) /* PG-06 */
{
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    for (int commit = 0; commit < 2; commit++)
        for (int before = 0; before < 2; before++) {
            struct ktm_postgres_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            scene.other_refuses = !commit;
            postgres_ask(&scene.server, "UPDATE account SET amount = 100");
            scene_add(tx, 1, -7);
            wire_lose(&wire, commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED", before);
            EXPECT_STATUS(commit ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                          NtCommitTransaction(transaction, TRUE));
            EXPECT(wire_has_lost(&wire));
            EXPECT_EQ(commit ? KTM_POSTGRES_COMMITTED : KTM_POSTGRES_ROLLED_BACK,
                      ktm_postgres_state(tx));
            scene_finish(tx, transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            EXPECT_EQ(commit ? 93 : 100, scene_amount(&scene, 1));
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

TEST(a_single_phase_whose_answer_is_lost_is_known_by_its_row) /* PG-11 */
{
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    open_over(&scene, &wire);
    for (int before = 0; before < 2; before++) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin_alone(&scene, &tx);

        postgres_ask(&scene.server, "UPDATE account SET amount = 100");
        scene_add(tx, 1, -7);
        wire_lose(&wire, "COMMIT", before);
        EXPECT_STATUS(before ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                      NtCommitTransaction(transaction, TRUE));
        EXPECT(wire_has_lost(&wire));
        EXPECT_EQ(before ? 100 : 93, scene_amount(&scene, 1));
        scene_finish(tx, transaction);
    }
    scene_end(&scene);
}
