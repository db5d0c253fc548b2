/* SPDX-License-Identifier: MIT */
/* A database in transactions of applications: three calls, and how it is opened for them. */
#include "ktm.h"
#include "tests/rm/sqlite/scene.h"

static struct ktm_tx *
begin(struct ktm_home *home)
{
    struct ktm_tx *tx;

    EXPECT_OK(ktm_begin(home, &tx));
    return tx;
}

static void
expect_refused(struct ktm_tx *tx, const char *words, NTSTATUS wanted, NTSTATUS status)
{
    char why[600];

    EXPECT_STATUS(wanted, status);
    EXPECT(ktm_error(tx, why, sizeof(why)) > 0);
    if (!strstr(why, words))
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why, words);
}

/* Somebody else takes part: it is prepared. */
static void
write_beside(struct ktm_tx *tx, const struct scene *scene)
{
    struct ktm_sqlite_tx *part;
    char path[600];

    snprintf(path, sizeof(path), "%s.beside", scene->db);
    EXPECT_OK(ktm_sqlite(tx, path, &part));
    EXPECT_OK(ktm_sqlite_exec(part, "CREATE TABLE IF NOT EXISTS t(v); INSERT INTO t VALUES(1)"));
}

TEST(an_application_may_own_a_database_in_wal_mode)
{
    struct ktm_sqlite_tx *part, *same;
    struct ktm_home *home;
    struct scene scene;
    struct ktm_tx *tx;

    scene_set_wal(&scene);
    EXPECT_OK(ktm_open(scene.home, &home));
    tx = begin(home);
    expect_refused(tx, "owns_wal", STATUS_NOT_SUPPORTED, ktm_sqlite(tx, scene.db, &part));
    ktm_end(tx);
    for (int v = 2; v < 5; v++) {
        char sql[64];

        tx = begin(home);
        EXPECT_OK(ktm_sqlite_with(tx, scene.db, &scene.options, &part));
        EXPECT_OK(ktm_sqlite_with(tx, scene.db, &scene.options, &same));
        EXPECT(part == same);
        snprintf(sql, sizeof(sql), "UPDATE t SET v = %d", v);
        EXPECT_OK(ktm_sqlite_exec(part, sql));
        EXPECT_EQ(-1000 - SQLITE_BUSY, scene_number(&scene, "SELECT v FROM t"));
        write_beside(tx, &scene);
        EXPECT_OK(v == 3 ? ktm_rollback(tx) : ktm_commit(tx));
        EXPECT_EQ(v == 3 ? 2 : v, scene_number(&scene, "SELECT v FROM t"));
        ktm_end(tx);
    }
    ktm_shut(home);
}

TEST(an_open_home_has_a_database_open_in_one_way)
{
    struct ktm_sqlite_tx *part;
    struct ktm_home *home;
    struct scene scene;
    struct ktm_tx *tx;

    scene_set(&scene);
    EXPECT_OK(ktm_open(scene.home, &home));
    tx = begin(home);
    scene.options.setup = "PRAGMA foreign_keys=ON";
    EXPECT_OK(ktm_sqlite_with(tx, scene.db, &scene.options, &part));
    expect_refused(tx, "with other options", STATUS_SHARING_VIOLATION,
                   ktm_sqlite(tx, scene.db, &part));
    scene.options.setup = NULL;
    expect_refused(tx, "with other options", STATUS_SHARING_VIOLATION,
                   ktm_sqlite_with(tx, scene.db, &scene.options, &part));
    ktm_end(tx);
    ktm_shut(home);

    EXPECT_OK(ktm_open(scene.home, &home));
    tx = begin(home);
    EXPECT_OK(ktm_sqlite_with(tx, scene.db, &scene.options, &part));
    ktm_end(tx);
    ktm_shut(home);
}

TEST(who_would_have_to_run_the_manager_is_refused)
{
    struct ktm_sqlite_tx *part;
    struct scene scene;
    struct ktm_home *home;
    struct ktm_tx *tx;

    scene_set(&scene);
    EXPECT_OK(ktm_open(scene.home, &home));
    tx = begin(home);
    scene.options.mode = KTM_RM_PUMP;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_sqlite_with(tx, scene.db, &scene.options, &part));
    ktm_end(tx);
    ktm_shut(home);
}
