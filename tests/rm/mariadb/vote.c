/* SPDX-License-Identifier: MIT */
/* How MariaDB votes, and what comes of it. */
#include "tests/rm/mariadb/scene.h"

#include <mysql.h>
#include <unistd.h>

static void
expect_words(struct ktm_mariadb_tx *tx, const char *words)
{
    char text[1024];

    EXPECT(ktm_mariadb_error(tx, text, sizeof(text)) > 0);
    if (!strstr(text, words))
        test_fail(__FILE__, __LINE__, "'%s' is not in: %s", words, text);
}

TEST(rows_are_committed_with_the_rest_and_seen_only_then)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -30);
    scene_add(tx, 2, 30);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
    EXPECT_EQ(70, scene_amount(&scene, 1));
    EXPECT_EQ(130, scene_amount(&scene, 2));
    EXPECT_EQ(0, scene_prepared(&scene));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(rows_are_rolled_back_when_another_votes_no)
{
    struct scene scene;

    scene_start(&scene, NULL);
    scene.other_refuses = true;
    /* Once it is asked before the other one, once after. */
    for (int i = 0; i < 2; i++) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction =
            i == 0 ? scene_begin(&scene, &tx) : scene_begin_after_other(&scene, &tx);

        scene_add(tx, 1, -30);
        EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
        EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
        EXPECT_EQ(100, scene_amount(&scene, 1));
        EXPECT_EQ(0, scene_prepared(&scene));
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

TEST(who_changes_nothing_votes_read_only) /* MY-07 */
{
    static const char *const harmless[] = {
        "SELECT * FROM account",
        "SELECT * FROM account FOR UPDATE",
        "SET @x = 1",
    };
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (sql, harmless) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(ktm_mariadb_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(KTM_MARIADB_READ_ONLY, ktm_mariadb_state(tx));
        EXPECT_EQ(0, scene_prepared(&scene));
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    EXPECT_EQ(0, scene.reports); /* 1402 would be a false alarm */
    scene_end(&scene);
}

/* It may have called something that does. */
TEST(a_change_that_meets_no_row_is_prepared_all_the_same)
{
    static const char *const changes[] = {
        "UPDATE account SET amount = 5 WHERE id = 77",
        "DELETE FROM account WHERE id = 77",
    };
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (sql, changes) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(ktm_mariadb_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

/* What a function writes behind a SELECT, a statement after it, the connection lent. */
TEST(what_is_written_is_noticed_wherever_it_is_written) /* MY-07 */
{
    static const char *const changes[][2] = {
        {"SELECT add_one(1)", NULL},
        {"CALL add_two(1)", NULL},
        {"SELECT * FROM account", "UPDATE account SET amount = amount + 1 WHERE id = 1"},
        {"SELECT * FROM account", "SELECT add_one(1)"},
        {"/* */ UPDATE account SET amount = amount + 1 WHERE id = 1", NULL},
        {"UPDATE account SET amount = amount + 1 WHERE id = 77", "SELECT add_one(1)"},
        {" \n\tupdate account SET amount = amount + 1 WHERE id = 1", "SELECT 1"},
        {"INSERT INTO account VALUES (3, 1) RETURNING id", "DELETE FROM account WHERE id = 3"},
    };
    struct scene scene;

    scene_start(&scene, NULL);
    mariadb_ask(&scene.server, "CREATE FUNCTION add_one(x INT) RETURNS INT BEGIN UPDATE account SET"
                               " amount = amount + 1 WHERE id = x; RETURN 1; END");
    mariadb_ask(&scene.server, "CREATE PROCEDURE add_two(x INT) BEGIN SELECT 1; UPDATE account SET"
                               " amount = amount + 2 WHERE id = x; SELECT 2; END");
    EACH (change, changes) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        for (int i = 0; i < 2 && (*change)[i]; i++)
            EXPECT_OK(ktm_mariadb_exec(tx, (*change)[i], 0, NULL, NULL));
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(KTM_MARIADB_COMMITTED, ktm_mariadb_state(tx));
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    EXPECT_EQ(108, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* With nothing but changes the vote asks nothing more: what cannot be rolled back is told along
 * with them. */
TEST(tables_that_cannot_be_rolled_back_are_noticed_without_asking) /* MY-08 */
{
    static const char *const changes[] = {
        "INSERT INTO loose VALUES (1)",
        "INSERT INTO account SELECT a, a FROM read_only_aria",
        "INSERT IGNORE INTO loose VALUES (2), (2)",
        "INSERT INTO account VALUES (loosely(5), 1)",
    };
    struct scene scene;

    scene_start(&scene, NULL);
    mariadb_ask(&scene.server, "CREATE TABLE loose (a INT PRIMARY KEY) ENGINE=MyISAM");
    mariadb_ask(&scene.server, "CREATE TABLE read_only_aria (a INT) ENGINE=Aria");
    mariadb_ask(&scene.server, "INSERT INTO read_only_aria VALUES (7)");
    mariadb_ask(&scene.server, "CREATE FUNCTION loosely(x INT) RETURNS INT BEGIN REPLACE INTO loose"
                               " VALUES (x); RETURN x; END");
    EACH (sql, changes) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(
            ktm_mariadb_exec(tx, "UPDATE account SET amount = amount WHERE id = 1", 0, NULL, NULL));
        EXPECT_OK(ktm_mariadb_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        expect_words(tx, "cannot be rolled back");
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_end(&scene);
}

TEST(what_an_application_may_not_say_is_refused_with_the_servers_words) /* MY-02 */
{
    static const char *const refused[] = {
        "CREATE TABLE other (id int)",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "TRUNCATE TABLE account",
        "FLUSH STATUS",
        "START TRANSACTION",
        "SET autocommit = 1",
    };
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, 1);
    EACH (sql, refused) {
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(tx, *sql, 0, NULL, NULL));
        expect_words(tx, "1399");
    }
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(tx, "SELEKT 1", 0, NULL, NULL));
    expect_words(tx, "1064");
    /* None of that has harmed the transaction. */
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(101, scene_amount(&scene, 1));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}

TEST(tables_that_cannot_be_rolled_back_make_it_vote_no) /* MY-08 */
{
    static const char *const engines[] = {"MyISAM", "Aria", "MEMORY"};
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (engine, engines) {
        struct ktm_mariadb_tx *tx;
        HANDLE transaction;
        char sql[128];

        snprintf(sql, sizeof(sql), "CREATE OR REPLACE TABLE plain (id int) ENGINE=%s", *engine);
        mariadb_ask(&scene.server, sql);
        transaction = scene_begin(&scene, &tx);
        scene_add(tx, 1, -30);
        EXPECT_OK(ktm_mariadb_exec(tx, "INSERT INTO plain VALUES (1)", 0, NULL, NULL));
        EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
        EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
        expect_words(tx, "that cannot be rolled back");
        EXPECT_EQ(100, scene_amount(&scene, 1));
        ktm_mariadb_close(tx);
        NtClose(transaction);
        /* To read them is fine, but for Aria. */
        transaction = scene_begin(&scene, &tx);
        scene_add(tx, 1, 1);
        EXPECT_OK(ktm_mariadb_exec(tx, "SELECT * FROM plain", 0, NULL, NULL));
        EXPECT_EQ(strcmp(*engine, "Aria") != 0,
                  NtCommitTransaction(transaction, TRUE) == STATUS_SUCCESS);
        mariadb_ask(&scene.server, "UPDATE account SET amount = 100 WHERE id = 1");
        ktm_mariadb_close(tx);
        NtClose(transaction);
    }
    scene_end(&scene);
}

/* The server's own use of Aria, for big intermediate results and for what it knows of routines. */
TEST(the_servers_own_tables_do_not_count) /* MY-08 */
{
    static const char *const uses[] = {
        "SELECT COUNT(*) FROM information_schema.columns",
        "SELECT DISTINCT REPEAT(amount, 100000) FROM account ORDER BY 1",
        "SELECT twice(amount) FROM account",
        "CALL touch()",
    };
    struct scene scene;

    scene_start(&scene, NULL);
    mariadb_ask(&scene.server, "CREATE FUNCTION twice(n INT) RETURNS INT RETURN 2 * n;"
                               "CREATE PROCEDURE touch() SELECT amount FROM account");
    EACH (sql, uses) {
        struct ktm_mariadb_tx *tx;

        EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
        scene_add(tx, 1, 1);
        EXPECT_OK(ktm_mariadb_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_OK(ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
    }
    EXPECT_EQ(104, scene_amount(&scene, 1));
    scene_end(&scene);
}

TEST(a_lock_that_is_not_got_in_time_is_the_end_of_the_transaction) /* MY-11 */
{
    struct ktm_mariadb_tx *first, *second;
    HANDLE one, two;
    struct scene scene;

    scene_start(&scene, "--innodb-lock-wait-timeout=1");
    one = scene_begin(&scene, &first);
    two = scene_begin(&scene, &second);
    scene_add(first, 1, -30);
    scene_add(second, 2, 30);
    EXPECT_STATUS(
        STATUS_TRANSACTIONAL_CONFLICT,
        ktm_mariadb_exec(second, "UPDATE account SET amount = 0 WHERE id = 1", 0, NULL, NULL));
    expect_words(second, "1205");
    EXPECT(NtCommitTransaction(two, TRUE) != STATUS_SUCCESS);
    EXPECT_OK(NtCommitTransaction(one, TRUE));
    EXPECT_EQ(70, scene_amount(&scene, 1));
    EXPECT_EQ(100, scene_amount(&scene, 2));
    ktm_mariadb_close(first);
    ktm_mariadb_close(second);
    NtClose(one);
    NtClose(two);
    scene_end(&scene);
}

/* What has doomed it stays the reason; what was refused and did no harm is none, and it is not why
 * somebody else has refused. */
TEST(a_sentence_belongs_to_the_refusal_it_was_written_for)
{
    static const char again[] = "INSERT INTO account VALUES (2, 5)";
    struct ktm_mariadb_tx *first, *second;
    HANDLE one, two;
    struct scene scene;

    scene_start(&scene, "--innodb-lock-wait-timeout=1");
    one = scene_begin(&scene, &first);
    two = scene_begin(&scene, &second);
    scene_add(first, 1, -30);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(second, again, 0, NULL, NULL));
    EXPECT_OK(ktm_mariadb_exec(second, "SELECT 1", 0, NULL, NULL));
    EXPECT_EQ(0, ktm_mariadb_error(second, NULL, 0));
    EXPECT_STATUS(
        STATUS_TRANSACTIONAL_CONFLICT,
        ktm_mariadb_exec(second, "UPDATE account SET amount = 0 WHERE id = 1", 0, NULL, NULL));
    EXPECT_OK(ktm_mariadb_exec(second, "SELECT 1", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(second, "no", 0, NULL, NULL));
    expect_words(second, "1205");
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_mariadb_commit(second));
    expect_words(second, "1205");
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE,
                  ktm_mariadb_exec(second, "SELECT 1", 0, NULL, NULL));
    expect_words(second, "1205");

    scene.other_refuses = true;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(first, "no", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_mariadb_commit(first));
    expect_words(first, "another participant");
    ktm_mariadb_close(first);
    ktm_mariadb_close(second);
    NtClose(one);
    NtClose(two);
    scene_end(&scene);
}

TEST(parameters_are_values_whatever_is_in_them)
{
    static const char *const odd[] = {"'; DROP TABLE account; --", "\\", "\\'", "?", "\n\"`", ""};
    struct ktm_mariadb_tx *tx;
    struct scene scene;

    scene_start(&scene, NULL);
    EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
    EACH (text, odd) {
        const char *values[] = {*text, NULL};
        MYSQL_RES *result;
        MYSQL_ROW row;

        EXPECT_OK(ktm_mariadb_exec(tx, "SELECT ?, ?, 'it''s'", 2, values, &result));
        row = mysql_fetch_row(result);
        EXPECT_TEXT(*text, row[0]);
        EXPECT(row[1] == NULL);
        EXPECT_TEXT("it's", row[2]);
        mysql_free_result(result);
    }
    scene_add(tx, 1, 1);
    EXPECT_OK(ktm_mariadb_commit(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_mariadb_exec(tx, "SELECT 1", 0, NULL, NULL));
    ktm_mariadb_close(tx);
    EXPECT_EQ(101, scene_amount(&scene, 1));
    scene_end(&scene);
}

TEST(a_connection_of_the_application_takes_part_and_is_its_own_again)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    MYSQL *connection;

    scene_start(&scene, NULL);
    connection = mariadb_enter(&scene.server, NULL);
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(ktm_mariadb_begin_on(scene.rm, NULL, connection, &tx));
        scene_add(tx, 1, 1);
        EXPECT(ktm_mariadb_connection(tx) == connection);
        EXPECT_OK(i == 0 ? ktm_mariadb_commit(tx) : ktm_mariadb_rollback(tx));
        ktm_mariadb_close(tx);
        EXPECT_EQ(0, mysql_query(connection, "UPDATE account SET amount = amount WHERE id = 1"));
        EXPECT_EQ(101, scene_amount(&scene, 1));
    }
    EXPECT_EQ(0, mysql_query(connection, "BEGIN"));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_begin_on(scene.rm, NULL, connection, &tx));
    mysql_close(connection);
    scene_end(&scene);
}

/* XA COMMIT ONE PHASE is not said, though it would do. */
TEST(who_is_alone_is_prepared_all_the_same) /* MY-09 */
{
    static const char said[] = "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE ";
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;
    char sql[256];

    scene_start(&scene, NULL);
    mariadb_ask(&scene.server, "SET GLOBAL log_output = 'TABLE'");
    mariadb_ask(&scene.server, "SET GLOBAL general_log = 1");
    transaction = scene_begin_alone(&scene, &tx);
    scene_add(tx, 1, 1);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    mariadb_ask(&scene.server, "SET GLOBAL general_log = 0");
    snprintf(sql, sizeof(sql), "%s'XA PREPARE%%'", said);
    EXPECT_EQ(1, mariadb_count(&scene.server, sql));
    snprintf(sql, sizeof(sql), "%s'XA COMMIT%%'", said);
    EXPECT_EQ(1, mariadb_count(&scene.server, sql));
    snprintf(sql, sizeof(sql), "%s'%%ONE %%PHASE'", said);
    EXPECT_EQ(0, mariadb_count(&scene.server, sql));
    EXPECT_EQ(101, scene_amount(&scene, 1));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    scene_end(&scene);
}
