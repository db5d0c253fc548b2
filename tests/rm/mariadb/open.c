/* SPDX-License-Identifier: MIT */
/* Opening: what a server must be, whose home it is, and names. */
#include "tests/rm/mariadb/scene.h"

#include <mysql.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rm/mariadb/mariadb.h"

TEST(an_xid_is_the_key_and_comes_back_from_its_text) /* MY-01 */
{
    const struct ktm_rm_key key = {.transaction = {.Data1 = 0x01020304, .Data4 = {9}},
                                   .manager = {.Data1 = 0xfffefdfc, .Data4 = {0, 8}},
                                   .incarnation = 0x0102030405060708};
    struct xid xid, again;

    xid_print(&key, &xid);
    char text[XID_SIZE], format[] = "1263815985", gtrid[] = "16", bqual[] = "24";
    char *row[] = {format, gtrid, bqual, text};
    snprintf(text, sizeof(text), "%s", xid.text);
    EXPECT(xid_parse(row, &again));
    EXPECT_BYTES(&key, &again.key, sizeof(key));
    EXPECT_TEXT(xid.text, again.text);
    /* Others' names, and broken ones. */
    row[1] = bqual;
    EXPECT(!xid_parse(row, &again));
    row[1] = gtrid;
    format[0] = '2';
    EXPECT(!xid_parse(row, &again));
    format[0] = '1';
    for (size_t i = 0; i < 88; i++) {
        snprintf(text, sizeof(text), "%s", xid.text);
        text[i] = '!';
        EXPECT(!xid_parse(row, &again));
        text[i] = '\0';
        EXPECT(!xid_parse(row, &again));
    }
    row[3] = NULL;
    EXPECT(!xid_parse(row, &again));
}

TEST(branches_of_others_are_left_alone) /* MY-01 */
{
    struct scene scene;
    const struct ktm_rm_key key = {.manager = {.Data1 = 1}, .incarnation = 1};
    struct xid neighbour, stranger = {.text = "'theirs'"};
    const struct xid *const xids[] = {&neighbour, &stranger};

    scene_prepare(&scene, NULL);
    /* Another manager's, and another product's. */
    xid_print(&key, &neighbour);
    EACH (xid, xids)
        scene_prepare_branch(&scene, *xid, xid == xids ? 1 : 2);
    scene_open(&scene);
    EXPECT_EQ(0, scene.reports);
    scene_close(&scene);
    EACH (xid, xids) {
        char sql[256];

        snprintf(sql, sizeof(sql), "XA ROLLBACK %s", (*xid)->text);
        mariadb_ask(&scene.server, sql); /* it is there still */
    }
    mariadb_stop(&scene.server);
}

TEST(a_home_belongs_to_one_database)
{
    struct scene scene;

    scene_start(&scene, NULL);
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, scene_open_rm(&scene));
    scene_close(&scene);
    mariadb_ask(&scene.server, "DROP TABLE ktm_outcome");
    EXPECT_OK(ktm_tm_open(scene.home, &scene.tm));
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, scene_open_rm(&scene));
    EXPECT(strstr(scene.why, "another server or database"));
    NtClose(scene.tm);
    mariadb_stop(&scene.server);
}

TEST(a_damaged_home_is_refused)
{
    static const char *const texts[] = {"", "ktm-mariadb 1\n", "ktm-mariadb 2\nmanager x\n"};
    struct scene scene;
    char path[600];

    scene_start(&scene, NULL);
    scene_close(&scene);
    snprintf(path, sizeof(path), "%s/mariadb.mariadb", scene.home);
    EACH (text, texts) {
        FILE *file = fopen(path, "w");

        EXPECT(file && fputs(*text, file) >= 0 && fclose(file) == 0);
        EXPECT_OK(ktm_tm_open(scene.home, &scene.tm));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, scene_open_rm(&scene));
        NtClose(scene.tm);
    }
    mariadb_stop(&scene.server);
}

TEST(secrets_come_from_an_option_file_and_are_shown_nowhere)
{
    static const char secret[] = "opensesame";
    struct ktm_mariadb_server where = {.database = "shop"};
    char file[600];
    struct scene scene;
    FILE *options;

    scene_prepare(&scene, NULL);
    mariadb_ask(&scene.server, "CREATE USER clerk IDENTIFIED BY 'opensesame';"
                               "GRANT ALL ON shop.* TO clerk");
    where.socket = scene.server.socket;
    where.user = "clerk";
    where.password = "opensesamo";
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ktm_mariadb_open(NULL, scene.home, &where, NULL, scene.why,
                                                         sizeof(scene.why), &scene.rm));
    EXPECT(scene.why[0] && !strstr(scene.why, "opensesam"));
    snprintf(file, sizeof(file), "%s/my.cnf", test_directory());
    options = fopen(file, "w");
    EXPECT(options &&
           fprintf(options, "[client]\nuser=clerk\npassword=%s\nsocket=%s\n", secret,
                   scene.server.socket) > 0 &&
           fclose(options) == 0);
    where = (struct ktm_mariadb_server){.database = "shop", .defaults_file = file};
    EXPECT_OK(
        ktm_mariadb_open(NULL, scene.home, &where, NULL, scene.why, sizeof(scene.why), &scene.rm));
    ktm_mariadb_shut(scene.rm);
    mariadb_stop(&scene.server);
}

TEST(a_server_that_is_not_there_is_said_so)
{
    struct ktm_mariadb_server where = {.socket = "/nowhere/socket", .database = "shop"};
    struct ktm_mariadb_rm *rm;
    char why[256];

    EXPECT_STATUS(STATUS_RM_DISCONNECTED,
                  ktm_mariadb_open(NULL, test_directory(), &where, NULL, why, sizeof(why), &rm));
    EXPECT(strstr(why, "/nowhere/socket"));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_mariadb_open(NULL, NULL, &where, NULL, why, sizeof(why), &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_mariadb_open(NULL, test_directory(), NULL, NULL, NULL, 0, &rm));
}

TEST(a_rollback_from_elsewhere_ends_the_statement_under_way)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    LARGE_INTEGER timeout = {
        .QuadPart = -15000000}; /* 1.5 s: the work before takes a while on a busy machine */
    HANDLE transaction;

    scene_prepare(&scene, NULL);
    scene.options.mode = KTM_RM_HELPED;
    scene_open(&scene);
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene.tm, 0, 0,
                                  0, &timeout, NULL));
    EXPECT_OK(ktm_mariadb_begin(scene.rm, transaction, &tx));
    scene_add(tx, 1, -30);
    /* SLEEP says 1 when it was interrupted; the statement counts as refused or not. */
    (void)!ktm_mariadb_exec(tx, "SELECT SLEEP(60)", 0, NULL, NULL);
    NtWaitForSingleObject(transaction, FALSE, NULL);
    for (int i = 0; i < 200 && ktm_mariadb_state(tx) == KTM_MARIADB_ACTIVE; i++)
        usleep(10000);
    EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_mariadb_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(a_forked_child_has_no_part_in_it)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    int status;
    pid_t child;

    scene_start(&scene, NULL);
    EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
    scene_add(tx, 1, 1);
    child = fork();
    if (child == 0) {
        bool is_refused = ktm_mariadb_exec(tx, "SELECT 1", 0, NULL, NULL) == STATUS_RM_NOT_ACTIVE &&
                          ktm_mariadb_commit(tx) == STATUS_RM_NOT_ACTIVE &&
                          !ktm_mariadb_connection(tx);

        ktm_mariadb_close(tx);
        ktm_mariadb_shut(scene.rm);
        _exit(is_refused ? 0 : 1);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    EXPECT_OK(ktm_mariadb_commit(tx));
    ktm_mariadb_close(tx);
    EXPECT_EQ(101, scene_amount(&scene, 1));
    scene_end(&scene);
}

TEST(a_server_that_cannot_keep_its_promise_is_refused) /* MY-05 MY-18 */
{
    static const struct {
        const char *settings, *words;
    } unfit[] = {
        {"--version=10.4.99-MariaDB", "10.4"},
        {"--version=8.0.30", "not MariaDB"},
        {"--innodb-flush-log-at-trx-commit=2", "innodb_flush_log_at_trx_commit"},
        {"--innodb-flush-log-at-trx-commit=0", "innodb_flush_log_at_trx_commit"},
    };
    struct scene scene;

    scene_prepare(&scene, NULL);
    EACH (it, unfit) {
        mariadb_stop(&scene.server);
        mariadb_again(&scene.server, it->settings);
        EXPECT_OK(ktm_tm_open(scene.home, &scene.tm));
        EXPECT_STATUS(STATUS_NOT_SUPPORTED, scene_open_rm(&scene));
        if (!strstr(scene.why, it->words))
            test_fail(__FILE__, __LINE__, "'%s' is not in: %s", it->words, scene.why);
        NtClose(scene.tm);
    }
    mariadb_stop(&scene.server);
}
