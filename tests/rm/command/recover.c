/* SPDX-License-Identifier: MIT */
/* What a crash left in databases too, and 'ktm recover' finishes. */
#include "tests/rm/command/scene.h"

#include <sys/stat.h>
#include <unistd.h>

#include "ktm.h"
#include "ktm_postgres.h"

#define ALL (FILES | SQLITE | POSTGRES | MARIADB)

TEST(what_was_decided_is_finished_everywhere)
{
    struct scene scene;

    scene_create(&scene, ALL);
    scene.falls = POSTGRES | MARIADB;
    scene_leave(&scene, ALL, 7, DEATH_DECIDED);
    scene_raise(&scene);
    EXPECT_EQ(0, scene_has(&scene, FILES | POSTGRES, 7)); /* nothing is finished, nothing lost */
    EXPECT_EQ(1, postgres_count(&scene.postgres, "SELECT count(*) FROM pg_prepared_xacts"));
    EXPECT_SAYS(EXPECT_KTM(0, "recover --home %s", scene.home),
                "recovered: 1 transaction finished");
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    EXPECT_EQ(0, postgres_count(&scene.postgres, "SELECT count(*) FROM pg_prepared_xacts"));
    EXPECT_SAYS(EXPECT_KTM(0, "recover --home %s", scene.home), "nothing was left");
    scene_destroy(&scene, ALL);
}

TEST(what_was_not_decided_is_taken_back_everywhere)
{
    struct scene scene;

    scene_create(&scene, ALL);
    scene_leave(&scene, ALL, 7, DEATH_UNDECIDED);
    EXPECT_SAYS(EXPECT_KTM(0, "recover --home %s", scene.home), "1 transaction finished");
    EXPECT_EQ(0, scene_has(&scene, ALL, 7));
    EXPECT_EQ(0, postgres_count(&scene.postgres, "SELECT count(*) FROM pg_prepared_xacts"));
    EXPECT_EQ(0, mariadb_count(&scene.mariadb, "XA RECOVER"));
    scene_leave(&scene, ALL, 8, NO_DEATH); /* nothing is in anybody's way */
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 8));
    scene_destroy(&scene, ALL);
}

/* Its answer is the others', and that they have finished is its own: in one go, whoever is opened
 * first. */
TEST(what_a_last_resource_has_decided_is_finished_everywhere)
{
    struct scene scene;

    scene_create(&scene, ALL);
    scene.sqlite_decides = true;
    scene_leave(&scene, ALL, 7, DEATH_DECIDED);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    scene_leave(&scene, ALL, 8, DEATH_UNDECIDED);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    EXPECT_EQ(0, scene_has(&scene, ALL, 8));
    EXPECT_SAYS(EXPECT_KTM(0, "status --home %s", scene.home), "Nothing is unfinished.");
    scene_destroy(&scene, ALL);
}

TEST(a_server_that_is_down_keeps_no_other_from_being_finished)
{
    const struct said *said;
    struct scene scene;

    scene_create(&scene, ALL);
    scene.falls = POSTGRES;
    scene_leave(&scene, ALL, 7, DEATH_DECIDED);
    said = EXPECT_KTM(3, "recover --home %s", scene.home);
    EXPECT_SAYS(said, "the postgres resource");
    EXPECT_SAYS(said, "dbname=");
    EXPECT_EQ(FILES | SQLITE | MARIADB, scene_has(&scene, FILES | SQLITE | MARIADB, 7));
    /* Nor from going on with what does not need it. */
    said = EXPECT_KTM(0, "apply --home %s --put %s:%s.copy", scene.home, scene.file, scene.file);
    EXPECT_SAYS(said, "an earlier change is still not finished: the postgres resource");
    EXPECT_SAYS(EXPECT_KTM(3, "recover --json --home %s", scene.home), "\"state\":\"unreachable\"");
    scene_raise(&scene);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    scene_destroy(&scene, ALL);
}

TEST(a_database_that_was_left_at_rest_is_not_asked_for)
{
    struct scene scene;

    scene_create(&scene, FILES | POSTGRES | MARIADB);
    scene_leave(&scene, FILES | POSTGRES | MARIADB, 7, NO_DEATH);
    postgres_kill(&scene.postgres);
    mariadb_kill(&scene.mariadb);
    EXPECT_TEXT(
        "", EXPECT_KTM(0, "apply -q --home %s --put %s:%s.copy", scene.home, scene.file, scene.file)
                ->text);
    EXPECT_SAYS(EXPECT_KTM(0, "recover --json --home %s", scene.home), "\"state\":\"at rest\"");
}

TEST(a_database_that_was_removed_is_not_missed)
{
    struct scene scene;

    scene_create(&scene, SQLITE);
    scene_leave(&scene, FILES | SQLITE, 7, NO_DEATH);
    EXPECT_EQ(0, unlink(scene.sqlite));
    EXPECT_SAYS(EXPECT_KTM(0, "recover --json --home %s", scene.home), "\"state\":\"gone\"");
    EXPECT(access(scene.sqlite, F_OK) != 0); /* nor made again */
}

TEST(a_database_that_was_removed_is_missed_when_it_has_promised)
{
    struct scene scene;
    char away[700];

    scene_create(&scene, SQLITE);
    snprintf(away, sizeof(away), "%s.away", scene.sqlite);
    scene_leave(&scene, FILES | SQLITE, 7, DEATH_DECIDED);
    EXPECT_EQ(0, rename(scene.sqlite, away));
    EXPECT_SAYS(EXPECT_KTM(3, "recover --home %s", scene.home), scene.sqlite);
    EXPECT_EQ(0, rename(away, scene.sqlite));
    EXPECT_KTM(0, "recover --home %s", scene.home);
    EXPECT_EQ(FILES | SQLITE, scene_has(&scene, FILES | SQLITE, 7));
}

/* ---- what the home keeps ---- */

static void
take_place(void *context, const struct ktm_resource *resource)
{
    snprintf(context, 1024, "%s", resource->place);
}

TEST(a_home_keeps_no_password)
{
    struct scene scene;
    struct ktm_postgres_rm *rm;
    char conninfo[800], why[512], place[1024] = "", command[800];

    scene_create(&scene, POSTGRES);
    snprintf(conninfo, sizeof(conninfo), "%s password='hunter2 and more'", scene.postgres.conninfo);
    EXPECT_OK(ktm_postgres_open(NULL, scene.home, conninfo, NULL, why, sizeof(why), &rm));
    ktm_postgres_shut(rm);
    EXPECT_OK(ktm_postgres_known(scene.home, take_place, place));
    EXPECT(strstr(place, "host=") && strstr(place, "dbname=") && strstr(place, "user="));
    snprintf(command, sizeof(command), "! grep -r hunter2 '%s'", scene.home);
    EXPECT_EQ(0, system(command));
    EXPECT_KTM(0, "recover --home %s", scene.home);
    scene_destroy(&scene, POSTGRES);
}

TEST(what_cannot_be_told_is_no_reason_to_leave_the_rest)
{
    struct scene scene;
    char path[700];
    FILE *file;

    scene_create(&scene, SQLITE | POSTGRES);
    scene_leave(&scene, SQLITE | POSTGRES, 7, DEATH_DECIDED);
    snprintf(path, sizeof(path), "%s/postgres.torn", scene.home);
    file = fopen(path, "w");
    EXPECT(file && fputs("ktm-postg", file) >= 0 && fclose(file) == 0);
    EXPECT_SAYS(EXPECT_KTM(3, "recover --home %s", scene.home), "cannot be read");
    EXPECT_EQ(SQLITE | POSTGRES, scene_has(&scene, SQLITE | POSTGRES, 7));
    EXPECT_EQ(0, unlink(path));
    EXPECT_KTM(0, "recover --home %s", scene.home);
    scene_destroy(&scene, POSTGRES);
}
