/* SPDX-License-Identifier: MIT */
/* Very many transactions at a time. */
#include "tests/rm/postgres/scene.h"

#define MANY 1000

static unsigned
how_many(void)
{
    return test_sweep_is_short() ? MANY / 10 : MANY;
}

static void
start_big(struct scene *scene, unsigned connections)
{
    char settings[128];

    snprintf(settings, sizeof(settings),
             "-c max_connections=%u -c max_prepared_transactions=%u -c max_files_per_process=200",
             connections, MANY + 10);
    scene_prepare(scene, settings);
    postgres_ask(&scene->server, "CREATE TABLE item (id int PRIMARY KEY)");
    scene->other_waits = true;
    scene_open(scene);
}

static void
put_item(struct ktm_postgres_tx *tx, unsigned item)
{
    char text[16];
    const char *values[] = {text};

    snprintf(text, sizeof(text), "%u", item);
    EXPECT_OK(ktm_postgres_exec(tx, "INSERT INTO item VALUES ($1)", 1, values, NULL));
}

static void
commit_all(struct scene *scene, struct ktm_postgres_tx **txs, HANDLE *transactions, unsigned count)
{
    EXPECT_EQ(count, scene_prepared(scene));
    for (unsigned i = 0; i < count; i++) {
        EXPECT_OK(ktm_rm_run(scene->other, 0)); /* its vote; and ours is the second phase */
        EXPECT_OK(NtWaitForSingleObject(transactions[i], FALSE, NULL));
        EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(txs[i]));
        scene_finish(txs[i], transactions[i]);
    }
    EXPECT_EQ(0, scene_prepared(scene));
    EXPECT_EQ(count, postgres_count(&scene->server, "SELECT count(*) FROM item"));
    EXPECT_EQ(0, scene->reports);
}

/* A session is free at once after its PREPARE, so a handful is enough for all of them. */
TEST(a_thousand_are_prepared_at_once_through_a_few_sessions) /* PG-02 */
{
    static struct ktm_postgres_tx *txs[MANY];
    static HANDLE transactions[MANY];
    struct scene scene;

    start_big(&scene, 12);
    for (unsigned i = 0; i < how_many(); i++) {
        transactions[i] = scene_begin(&scene, &txs[i]);
        put_item(txs[i], i);
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(transactions[i], FALSE));
    }
    commit_all(&scene, txs, transactions, how_many());
    scene_end(&scene);
}

TEST(a_thousand_are_under_way_at_once)
{
    static struct ktm_postgres_tx *txs[MANY];
    static HANDLE transactions[MANY];
    struct scene scene;

    start_big(&scene, MANY + 50);
    for (unsigned i = 0; i < how_many(); i++) {
        transactions[i] = scene_begin(&scene, &txs[i]);
        put_item(txs[i], i);
    }
    for (unsigned i = 0; i < how_many(); i++)
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(transactions[i], FALSE));
    commit_all(&scene, txs, transactions, how_many());
    scene_end(&scene);
}
