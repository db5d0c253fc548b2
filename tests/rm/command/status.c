/* SPDX-License-Identifier: MIT */
/* What 'ktm status' and 'ktm tx show' know of databases, without opening them. */
#include "tests/rm/command/scene.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
expect_no(const struct said *said, const char *words)
{
    if (strstr(said->text, words))
        test_fail(__FILE__, __LINE__, "says: %s\n  must not say: %s", said->text, words);
}

TEST(a_server_that_is_down_is_shown_until_it_is_back)
{
    const struct said *said;
    struct scene scene;

    scene_create(&scene, FILES | SQLITE | POSTGRES);
    scene.falls = POSTGRES;
    scene_leave(&scene, FILES | SQLITE | POSTGRES, 7, DEATH_DECIDED);
    said = EXPECT_KTM(0, "status --home %s", scene.home);
    EXPECT_SAYS(said, "unfinished");
    EXPECT_SAYS(said, "dbname=postgres");
    EXPECT_SAYS(said, "of sqlite.park");
    expect_no(said, "No such file"); /* nobody has tried yet */
    EXPECT_KTM(3, "recover --home %s", scene.home);
    said = EXPECT_KTM(0, "status --json --home %s", scene.home);
    EXPECT_SAYS(said, "\"state\": \"unfinished\"");
    EXPECT_SAYS(said, "connecting: connection to server"); /* the words of the last failure */
    scene_raise(&scene);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    said = EXPECT_KTM(0, "status --home %s", scene.home);
    EXPECT_SAYS(said, "at rest");
    EXPECT_SAYS(said, "Nothing is unfinished");
    expect_no(said, "connecting");
    scene_destroy(&scene, POSTGRES);
}

TEST(what_waits_for_a_server_is_shown_while_a_program_uses_the_home)
{
    const struct said *said;
    struct scene scene;
    pid_t program;

    scene_create(&scene, FILES | MARIADB);
    scene.falls = MARIADB;
    program = fork();
    if (program == 0) {
        scene_leave(&scene, FILES | MARIADB, 7, NO_DEATH);
        _exit(0);
    }
    do { /* its commit is under way, and tried again for ten seconds */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        said = EXPECT_KTM(0, "status --json --home %s", scene.home);
    } while (!strstr(said->text, "\"state\": \"unfinished\""));
    EXPECT_SAYS(said, "in use by process");
    EXPECT_SAYS(said, "mariadb.mariadb");
    EXPECT_SAYS(said, "socket=");
    EXPECT(program > 0 && waitpid(program, NULL, 0) == program);
    /* It has gone on without; and the trouble is told still. */
    EXPECT_SAYS(EXPECT_KTM(0, "status --home %s", scene.home), "unfinished");
    scene_raise(&scene);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    EXPECT_SAYS(EXPECT_KTM(0, "status --home %s", scene.home), "at rest");
    EXPECT_EQ(FILES | MARIADB, scene_has(&scene, FILES | MARIADB, 7));
    scene_destroy(&scene, MARIADB);
}

TEST(a_probe_asks_and_finishes_nothing)
{
    const struct said *said;
    struct scene scene;

    scene_create(&scene, SQLITE | POSTGRES | MARIADB);
    scene_leave(&scene, SQLITE | POSTGRES | MARIADB, 7, NO_DEATH);
    said = EXPECT_KTM(0, "status --probe --home %s", scene.home);
    expect_no(said, "unreachable");
    postgres_kill(&scene.postgres);
    mariadb_kill(&scene.mariadb);
    expect_no(EXPECT_KTM(0, "status --home %s", scene.home), "unreachable");
    said = EXPECT_KTM(0, "status --json --probe --home %s", scene.home);
    EXPECT_SAYS(said, "\"state\": \"unreachable\"");
    EXPECT_SAYS(said, "connection to server");
    EXPECT_SAYS(said, "connect to local server");
    EXPECT_EQ(0, unlink(scene.sqlite));
    EXPECT_SAYS(EXPECT_KTM(0, "status --probe --home %s", scene.home), "unable to open database");
}

TEST(tx_show_names_the_databases)
{
    const struct said *said;
    struct scene scene;
    char guid[40], *at;

    scene_create(&scene, SQLITE | POSTGRES);
    scene.falls = POSTGRES;
    scene_leave(&scene, SQLITE | POSTGRES, 7, DEATH_DECIDED);
    EXPECT_KTM(3, "recover --home %s", scene.home);
    said = EXPECT_KTM(3, "recover --home %s", scene.home);
    at = strstr(said->text, "transaction ");
    EXPECT(at);
    snprintf(guid, sizeof(guid), "%.36s", at + strlen("transaction "));
    said = EXPECT_KTM(0, "tx show --home %s %s", scene.home, guid);
    EXPECT_SAYS(said, "of postgres 'user=ktm dbname=postgres host=");
    EXPECT_SAYS(said, "connecting: ");
    EXPECT_SAYS(EXPECT_KTM(0, "tx show --json --home %s %s", scene.home, guid),
                "\"kind\":\"postgres\"");
    scene_raise(&scene);
    EXPECT_KTM(0, "recover --home %s", scene.home);
    scene_destroy(&scene, POSTGRES);
}
