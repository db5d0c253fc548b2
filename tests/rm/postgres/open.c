/* SPDX-License-Identifier: MIT */
/* Opening: what the server must be, whose home it is, and that a refusal says why without telling
 * secrets. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktm.h"
#include "ktm_file.h"
#include "rm/postgres/postgres.h"
#include "tests/rm/postgres/scene.h"

static void
refused(struct scene *scene, NTSTATUS status, const char *words)
{
    scene->why[0] = '\0';
    EXPECT_STATUS(status, scene_open_rm(scene));
    if (!strstr(scene->why, words))
        test_fail(__FILE__, __LINE__, "'%s' in '%s'", words, scene->why);
}

TEST(an_unfit_server_is_refused_when_it_is_opened) /* PG-05 */
{
    struct scene scene;

    scene_prepare(&scene, "-c max_prepared_transactions=0");
    EXPECT_OK(ktm_tm_open(scene.home, &scene.tm));
    refused(&scene, STATUS_NOT_SUPPORTED, "max_prepared_transactions is 0");
    postgres_stop(&scene.server);
    refused(&scene, STATUS_RM_DISCONNECTED, "connecting");
    postgres_again(&scene.server, "-c fsync=off");
    refused(&scene, STATUS_NOT_SUPPORTED, "fsync is off");
    postgres_stop(&scene.server);
    postgres_again(&scene.server, NULL);
    postgres_ask(&scene.server, "CREATE ROLE plain LOGIN;"
                                "REVOKE EXECUTE ON FUNCTION pg_xact_status(xid8) FROM PUBLIC");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=plain dbname=postgres", scene.server.directory);
    refused(&scene, STATUS_ACCESS_DENIED, "pg_xact_status");
    NtClose(scene.tm);
    postgres_stop(&scene.server);
}

TEST(a_password_is_in_no_sentence)
{
    static const char secret[] = "g3h31m";
    static const char *const unreadable[] = {"user=me password=x %s", "postgresql://me:%s@[::x"};
    struct scene scene = {0};

    snprintf(scene.home, sizeof(scene.home), "%s/home", test_directory());
    EXPECT_OK(ktm_tm_open(scene.home, &scene.tm));
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=/nowhere user=me password=%s", secret);
    refused(&scene, STATUS_RM_DISCONNECTED, "connecting");
    EXPECT(!strstr(scene.why, secret));
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "postgresql://me:%s@/x?host=/nowhere", secret);
    refused(&scene, STATUS_RM_DISCONNECTED, "connecting");
    EXPECT(!strstr(scene.why, secret));
    EACH (format, unreadable) {
        snprintf(scene.server.conninfo, sizeof(scene.server.conninfo), *format, secret);
        refused(&scene, STATUS_INVALID_PARAMETER, "cannot read the connection string");
        EXPECT(!strstr(scene.why, secret));
    }
    NtClose(scene.tm);
}

TEST(a_home_belongs_to_one_database)
{
    struct scene scene;
    char path[1024];
    FILE *file;

    scene_start(&scene, NULL);
    refused(&scene, STATUS_SHARING_VIOLATION, "open already");
    ktm_postgres_shut(scene.rm);
    scene.options.name = "shop";
    EXPECT_OK(scene_open_rm(&scene));
    ktm_postgres_shut(scene.rm);
    scene.rm = NULL;
    postgres_ask(&scene.server, "CREATE DATABASE elsewhere");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=ktm dbname=elsewhere", scene.server.directory);
    refused(&scene, STATUS_RM_METADATA_CORRUPT, "belongs to database");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=ktm dbname=postgres", scene.server.directory);
    EXPECT_OK(scene_open_rm(&scene));
    EXPECT_EQ(2, scene.rm->base.home.incarnation); /* one for each that got so far */
    ktm_postgres_shut(scene.rm);
    scene.rm = NULL;
    snprintf(path, sizeof(path), "%s/postgres.shop", scene.home);
    file = fopen(path, "w");
    fputs("ktm-postgres 1\nmanager nobody\n", file);
    fclose(file);
    refused(&scene, STATUS_RM_METADATA_CORRUPT, "damaged");
    scene_end(&scene);
}

/* The three calls of ktm.h: rows of two databases and a file. */
TEST(rows_and_files_change_together)
{
    struct scene scene;
    char elsewhere[1024], path[600], why[1024];
    struct ktm_home *home;

    scene_prepare(&scene, NULL);
    postgres_ask(&scene.server, "CREATE DATABASE elsewhere");
    snprintf(elsewhere, sizeof(elsewhere), "host=%s user=ktm dbname=elsewhere",
             scene.server.directory);
    snprintf(path, sizeof(path), "%s/receipt", test_directory());
    EXPECT_OK(ktm_open(scene.home, &home));
    for (int refused = 1; refused >= 0; refused--) {
        struct ktm_postgres_tx *here, *there, *again;
        struct ktm_file_tx *files;
        struct ktm_tx *tx;

        EXPECT_OK(ktm_begin(home, &tx));
        EXPECT_OK(ktm_postgres(tx, scene.server.conninfo, &here));
        EXPECT_OK(ktm_postgres(tx, scene.server.conninfo, &again));
        EXPECT(here == again);
        EXPECT_OK(ktm_postgres(tx, elsewhere, &there));
        EXPECT_OK(ktm_files(tx, &files));
        scene_add(here, 1, -7);
        EXPECT_OK(ktm_postgres_exec(there, "CREATE TABLE t (i int)", 0, NULL, NULL));
        EXPECT_OK(ktm_file_put(files, path, 0600, ktm_file_bytes("7", 1)));
        if (refused)
            EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                          ktm_postgres_exec(there, "COPY t FROM STDIN", 0, NULL, NULL));
        EXPECT_STATUS(refused ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                      ktm_commit(tx));
        ktm_error(tx, why, sizeof(why));
        EXPECT(!refused || strstr(why, "COPY"));
        ktm_end(tx);
        EXPECT_EQ(refused ? 100 : 93, scene_amount(&scene, 1));
        EXPECT_EQ(!refused, access(path, F_OK) == 0);
    }
    ktm_shut(home);
    postgres_stop(&scene.server);
}

TEST(bad_parameters_are_refused)
{
    struct ktm_postgres_options evil = {.name = "../evil"}, mode = {.mode = 9};
    struct ktm_postgres_rm *rm;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_open(NULL, NULL, "", NULL, NULL, 0, &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_postgres_open(NULL, "/x", NULL, NULL, NULL, 0, &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_open(NULL, "/x", "", &evil, NULL, 0, &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_open(NULL, "/x", "", &mode, NULL, 0, &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_begin(NULL, NULL, NULL));
    ktm_postgres_close(NULL);
    ktm_postgres_shut(NULL);
}

TEST(names_of_prepared_transactions_are_read_as_written) /* PG-03 */
{
    static const char *const bad[] = {"", ":", "1:2:3:4", "x"};
    struct ktm_postgres_rm rm = {.base.home = {.tm = {.Data1 = 1}, .manager = {.Data1 = 2}}};
    struct name name = {.transaction = {.Data1 = 0xffffffff, .Data4 = {9}},
                        .enlistment = {.Data2 = 0xabcd},
                        .incarnation = UINT64_MAX,
                        .xid = UINT64_MAX};
    struct name again;
    char text[GID_SIZE + 8], prefix[GID_SIZE];

    name_print(&rm, &name);
    EXPECT_EQ(177 + 1, strlen(name.gid) + 1);
    EXPECT(name_parse(&rm, name.gid, &again));
    EXPECT(guid_equal(&name.transaction, &again.transaction));
    EXPECT(guid_equal(&name.enlistment, &again.enlistment));
    EXPECT(name.incarnation == again.incarnation && name.xid == again.xid);
    for (size_t cut = 0; cut < strlen(name.gid); cut++) { /* the last digits are a number, too */
        snprintf(text, sizeof(text), "%.*s", (int)cut, name.gid);
        EXPECT(!name_parse(&rm, text, &again) || cut > strlen(name.gid) - 20);
    }
    name_prefix(&rm, prefix);
    EACH (rest, bad) {
        snprintf(text, sizeof(text), "%s%s", prefix, *rest);
        EXPECT(!name_parse(&rm, text, &again));
    }
    rm.base.home.manager.Data1 = 3;
    EXPECT(!name_parse(&rm, name.gid, &again));
}

TEST(copy_takes_the_connection_itself)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ktm_postgres_exec(tx, "COPY account TO STDOUT", 0, NULL, NULL));
    scene_add(tx, 1, -7);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    ktm_postgres_close(tx);
    NtClose(transaction);
    transaction = scene_begin(&scene, &tx);
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ktm_postgres_exec(tx, "COPY account FROM STDIN", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    ktm_postgres_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(a_forked_child_has_no_part_in_it)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    int status;
    pid_t child;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    child = fork();
    if (child == 0) {
        struct ktm_postgres_tx *mine;

        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_postgres_begin(scene.rm, NULL, &mine));
        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE,
                      ktm_postgres_exec(tx, "DELETE FROM account", 0, NULL, NULL));
        EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_postgres_commit(tx));
        EXPECT(!ktm_postgres_connection(tx));
        ktm_postgres_close(tx);
        ktm_postgres_shut(scene.rm);
        _exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    ktm_postgres_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

/* Of a server process that crashes the others tell their clients, and end. */
TEST(idle_connections_may_have_been_lost_with_another_ones_process)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    for (int i = 0; i < 3; i++) {
        transaction = scene_begin(&scene, &tx);
        scene_add(tx, 1, 1);
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        ktm_postgres_close(tx);
        NtClose(transaction);
        postgres_hurt(&scene.server, 0); /* the oldest is none of ours */
        postgres_wait(&scene.server);
    }
    transaction = scene_begin(&scene, &tx);
    postgres_hurt(&scene.server, 0);
    postgres_wait(&scene.server);
    EXPECT_STATUS(STATUS_RM_DISCONNECTED, ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    ktm_postgres_close(tx);
    NtClose(transaction);
    EXPECT_EQ(103, scene_amount(&scene, 1));
    scene_end(&scene);
}
