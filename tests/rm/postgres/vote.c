/* SPDX-License-Identifier: MIT */
/* Voting: what is prepared, what is read-only, what PostgreSQL cannot prepare, and that nothing but
 * a real PREPARE counts as a promise. */
#include "tests/rm/postgres/scene.h"

#include <pthread.h>
#include <pthread.h>
#include <unistd.h>

static char *
error_of(struct ktm_postgres_tx *tx)
{
    static char text[1024];

    ktm_postgres_error(tx, text, sizeof(text));
    return text;
}

TEST(a_committed_transaction_is_prepared_and_committed)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    scene_add(tx, 2, 7);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    EXPECT_EQ(93, scene_amount(&scene, 1));
    EXPECT_EQ(107, scene_amount(&scene, 2));
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

TEST(a_no_of_somebody_else_rolls_back_what_is_prepared)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    scene.other_refuses = true;
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* A transaction that reads, locks, or updates no row, is not prepared; one that takes a row lock or
 * a number of a sequence has something to lose and is. */
TEST(only_who_changes_nothing_is_read_only) /* PG-14 */
{
    static const struct {
        const char *sql;
        enum ktm_postgres_state state;
    } rows[] = {
        {"SELECT amount FROM account", KTM_POSTGRES_READ_ONLY},
        {"LOCK TABLE account IN SHARE MODE", KTM_POSTGRES_READ_ONLY},
        {"UPDATE account SET amount = 0 WHERE id = 99", KTM_POSTGRES_READ_ONLY},
        {"SELECT amount FROM account FOR UPDATE", KTM_POSTGRES_COMMITTED},
        {"SELECT nextval('numbers')", KTM_POSTGRES_COMMITTED},
        {"SELECT setval('numbers', 7)", KTM_POSTGRES_COMMITTED},
        {"SAVEPOINT s; DELETE FROM account; ROLLBACK TO s", KTM_POSTGRES_COMMITTED},
        {"CREATE TABLE fresh (id int)", KTM_POSTGRES_COMMITTED},
        {"SELECT lo_creat(-1)", KTM_POSTGRES_COMMITTED},
        {"SELECT pg_advisory_xact_lock(5); DELETE FROM account WHERE id = 2",
         KTM_POSTGRES_COMMITTED},
        {"SET LOCAL work_mem = '1MB'; DELETE FROM account WHERE id = 1", KTM_POSTGRES_COMMITTED},
    };
    struct scene scene;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server, "CREATE SEQUENCE numbers");
    EACH (row, rows) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(ktm_postgres_exec(tx, row->sql, 0, NULL, NULL));
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(row->state, ktm_postgres_state(tx));
        scene_finish(tx, transaction);
    }
    EXPECT_EQ(0, postgres_count(&scene.server, "SELECT count(*) FROM account"));
    scene_end(&scene);
}

/* It would go out before anybody knows the outcome. */
TEST(a_notification_without_changes_is_not_sent) /* PG-15 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    PGconn *listener;
    PGnotify *heard;
    HANDLE transaction;

    scene_start(&scene, NULL);
    listener = PQconnectdb(scene.server.conninfo);
    PQclear(PQexec(listener, "LISTEN bell"));
    scene.other_refuses = true;
    transaction = scene_begin(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "NOTIFY bell", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    PQclear(PQexec(listener, "SELECT 1"));
    heard = PQnotifies(listener);
    EXPECT(!heard);
    PQfinish(listener);
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* In the words of the server. */
TEST(what_cannot_be_prepared_aborts_with_the_words_of_the_server) /* PG-12 PG-13 */
{
    static const struct {
        const char *sql, *words;
    } rows[] = {
        {"CREATE TEMP TABLE t (i int)", "temporary objects"},
        {"DELETE FROM account; NOTIFY bell", "LISTEN, UNLISTEN, or NOTIFY"},
        {"DELETE FROM account; LISTEN bell", "LISTEN, UNLISTEN, or NOTIFY"},
        {"DELETE FROM account; DECLARE c CURSOR WITH HOLD FOR SELECT 1", "WITH HOLD"},
        {"DELETE FROM account; SELECT pg_export_snapshot()", "exported snapshots"},
        {"DELETE FROM account; SELECT pg_advisory_lock(9); SELECT pg_advisory_xact_lock(9)",
         "session-level and transaction-level locks"},
        {"INSERT INTO late VALUES (1), (1)", "late_id_key"},
    };
    struct scene scene;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server, "CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    EACH (row, rows) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(ktm_postgres_exec(tx, row->sql, 0, NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(KTM_POSTGRES_ROLLED_BACK, ktm_postgres_state(tx));
        if (!strstr(error_of(tx), row->words))
            test_fail(__FILE__, __LINE__, "%s: '%s'", row->sql, error_of(tx));
        EXPECT(strstr(error_of(tx), "PREPARE TRANSACTION"));
        scene_finish(tx, transaction);
    }
    EXPECT_EQ(2, postgres_count(&scene.server, "SELECT count(*) FROM account"));
    EXPECT_EQ(0, scene_prepared(&scene));
    scene_end(&scene);
}

/* PREPARE in a failed transaction is answered with success, and nothing is prepared. */
TEST(a_failed_statement_is_no_promise)
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_postgres_exec(tx, "INSERT INTO account VALUES (1, 5)", 0, NULL, NULL));
    EXPECT(strstr(error_of(tx), "account_pkey"));
    EXPECT(strstr(error_of(tx), "[23505]"));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(strstr(error_of(tx), "account_pkey"));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* The first reason stays; what was refused and taken back is none; and what came before is not why
 * somebody else has refused. */
TEST(a_sentence_belongs_to_the_refusal_it_was_written_for)
{
    static const char again[] = "INSERT INTO account VALUES (1, 5)";
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_exec(tx, again, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT(strstr(error_of(tx), "account_pkey"));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_postgres_commit(tx));
    EXPECT(strstr(error_of(tx), "account_pkey"));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT(strstr(error_of(tx), "account_pkey"));
    scene_finish(tx, transaction);

    scene.other_refuses = true;
    transaction = scene_begin(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "SAVEPOINT here", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_exec(tx, again, 0, NULL, NULL));
    EXPECT_OK(ktm_postgres_exec(tx, "ROLLBACK TO here", 0, NULL, NULL));
    EXPECT_TEXT("", error_of(tx));
    scene_add(tx, 1, -7);
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ktm_postgres_exec(tx, "COPY account TO STDOUT", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_postgres_commit(tx));
    EXPECT(strstr(error_of(tx), "another participant"));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

/* Neither is one that fails behind our back, on the connection itself. */
TEST(a_failure_on_the_connection_itself_is_no_promise) /* PG-01 */
{
    static const char *const behind[] = {"SELECT 1/0", "COMMIT", "ROLLBACK",
                                         "COMMIT; BEGIN; SELECT 1/0"};
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (sql, behind) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_OK(ktm_postgres_exec(tx, "SELECT amount FROM account FOR UPDATE", 0, NULL, NULL));
        PQclear(PQexec(ktm_postgres_connection(tx), *sql));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        EXPECT(error_of(tx)[0]);
        EXPECT_EQ(0, scene_prepared(&scene));
        scene_finish(tx, transaction);
    }
    scene_end(&scene);
}

TEST(a_statement_that_ends_the_transaction_is_refused)
{
    static const char *const ends[] = {"COMMIT", "ROLLBACK", "END"};
    struct scene scene;

    scene_start(&scene, NULL);
    EACH (sql, ends) {
        struct ktm_postgres_tx *tx;
        HANDLE transaction = scene_begin(&scene, &tx);

        EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_postgres_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        scene_finish(tx, transaction);
    }
    scene_end(&scene);
}

/* What we ask in every transaction is prepared in our sessions, and somebody may remove that. */
TEST(words_of_ours_that_were_removed_cost_one_transaction_at_most)
{
    static const char *const removing[] = {"DEALLOCATE ALL", "SELECT remove_all()"};
    struct scene scene;

    scene_start(&scene, NULL);
    postgres_ask(&scene.server, "CREATE FUNCTION remove_all() RETURNS int LANGUAGE plpgsql AS"
                                " $$BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END$$");
    EACH (sql, removing) {
        for (int round = 0; round < 3; round++) {
            struct ktm_postgres_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);
            bool is_secret = sql == removing + 1 && round == 0;

            if (round == 0)
                EXPECT_OK(ktm_postgres_exec(tx, *sql, 0, NULL, NULL));
            scene_add(tx, 1, 1);
            EXPECT_STATUS(is_secret ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                          NtCommitTransaction(transaction, TRUE));
            EXPECT(!is_secret || strstr(error_of(tx), "asking what changed"));
            scene_finish(tx, transaction);
        }
        scene_close(&scene); /* new sessions */
        scene_open(&scene);
    }
    EXPECT_EQ(105, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* A foreign table of the same server: the way to write to elsewhere. */
static bool
make_foreign_table(struct scene *scene)
{
    char sql[1024];

    if (!postgres_count(&scene->server, "SELECT count(*) FROM pg_available_extensions WHERE name "
                                        "= 'postgres_fdw'"))
        return false;
    postgres_ask(&scene->server, "CREATE TABLE there (id int); INSERT INTO there VALUES (1);"
                                 "CREATE EXTENSION postgres_fdw");
    snprintf(sql, sizeof(sql),
             "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw"
             " OPTIONS (host '%s', dbname 'postgres');"
             "CREATE USER MAPPING FOR ktm SERVER far OPTIONS (user 'ktm');"
             "CREATE FOREIGN TABLE here (id int) SERVER far OPTIONS (table_name 'there')",
             scene->server.directory);
    postgres_ask(&scene->server, sql);
    return true;
}

/* What postgres_fdw writes gives the transaction no number here, and would pass for nothing. */
TEST(what_is_written_elsewhere_by_postgres_fdw_votes_no) /* PG-12 */
{
    static const char *const writes[] = {
        "INSERT INTO here VALUES (2)",
        "DELETE FROM here",
        "DELETE FROM account; UPDATE here SET id = 3",
        "DELETE FROM account; SELECT * FROM here",
    };
    struct ktm_postgres_tx *tx;
    struct scene scene;
    HANDLE transaction;

    scene_start(&scene, NULL);
    if (!make_foreign_table(&scene))
        SKIP("postgres_fdw is not installed");
    EACH (sql, writes) {
        transaction = scene_begin(&scene, &tx);
        EXPECT_OK(ktm_postgres_exec(tx, *sql, 0, NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
        EXPECT(strstr(error_of(tx), "postgres_fdw"));
        EXPECT_EQ(0, scene_prepared(&scene));
        scene_finish(tx, transaction);
    }
    EXPECT_EQ(1, postgres_count(&scene.server, "SELECT id FROM there"));
    /* To look at it alone is fine, and so is who commits alone. */
    transaction = scene_begin(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "SELECT * FROM here", 0, NULL, NULL));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_READ_ONLY, ktm_postgres_state(tx));
    scene_finish(tx, transaction);
    transaction = scene_begin_alone(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "UPDATE here SET id = 4", 0, NULL, NULL));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(4, postgres_count(&scene.server, "SELECT id FROM there"));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

TEST(more_prepared_than_the_server_allows_vote_no) /* PG-05 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, "-c max_prepared_transactions=1");
    postgres_ask(&scene.server, "BEGIN; CREATE TABLE x (i int); PREPARE TRANSACTION 'foreign'");
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, 1);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(strstr(error_of(tx), "maximum number of prepared transactions reached"));
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_finish(tx, transaction);
    scene_end(&scene);
}

TEST(a_rollback_from_elsewhere_cancels_the_statement) /* PG-20 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    LARGE_INTEGER soon = {
        .QuadPart = -15000000}; /* 1.5 s: the work before takes a while on a busy machine */

    scene_start(&scene, NULL);
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene.tm, 0, 0,
                                  0, &soon, NULL));
    EXPECT_OK(ktm_postgres_begin(scene.rm, transaction, &tx));
    scene_add(tx, 1, 1);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_postgres_exec(tx, "SELECT pg_sleep(60)", 0, NULL, NULL));
    EXPECT(strstr(error_of(tx), "[57014]"));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_postgres_exec(tx, "SELECT 1", 0, NULL, NULL));
    scene_finish(tx, transaction);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    EXPECT_EQ(0, postgres_count(&scene.server,
                                "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' "
                                "AND pid <> pg_backend_pid()"));
    scene_end(&scene);
}

static void *
sleep_on_the_connection(void *argument)
{
    PGconn *connection = ktm_postgres_connection(argument);
    PGresult *result = PQexec(connection, "SELECT pg_sleep(60)");
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_cancelled = state && strcmp(state, "57014") == 0;

    PQclear(result);
    return is_cancelled ? argument : NULL;
}

/* Also one on the connection itself, which the application has been lent. */
TEST(a_rollback_from_elsewhere_cancels_what_runs_on_the_connection) /* PG-20 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;
    pthread_t thread;
    void *cancelled;

    scene_start(&scene, NULL);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, 1);
    EXPECT_EQ(0, pthread_create(&thread, NULL, sleep_on_the_connection, tx));
    scene_wait_for_statement(&scene, "SELECT pg_sleep%");
    EXPECT_OK(NtRollbackTransaction(transaction, TRUE));
    EXPECT_EQ(0, pthread_join(thread, &cancelled));
    EXPECT(cancelled);
    scene_finish(tx, transaction);
    EXPECT_EQ(100, scene_amount(&scene, 1));
    scene_end(&scene);
}

/* The application's own connection, which is free again after the vote. */
TEST(a_connection_of_the_application_is_borrowed) /* PG-04 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    PGconn *mine;
    HANDLE transaction;

    scene_start(&scene, NULL);
    mine = PQconnectdb(scene.server.conninfo);
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene.tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(ktm_postgres_begin_on(scene.rm, transaction, mine, &tx));
    EXPECT(ktm_postgres_connection(tx) == mine);
    PQclear(PQexec(mine, "UPDATE account SET amount = 5 WHERE id = 1"));
    EXPECT_OK(ktm_postgres_commit(tx));
    EXPECT_EQ(5, scene_amount(&scene, 1));
    EXPECT_EQ(PQTRANS_IDLE, PQtransactionStatus(mine));
    scene_finish(tx, transaction);
    PQclear(PQexec(mine, "BEGIN"));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_begin_on(scene.rm, NULL, mine, &tx));
    PQfinish(mine);
    postgres_ask(&scene.server, "CREATE DATABASE elsewhere");
    char conninfo[1024];
    snprintf(conninfo, sizeof(conninfo), "%s dbname=elsewhere", scene.server.conninfo);
    mine = PQconnectdb(conninfo);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_postgres_begin_on(scene.rm, NULL, mine, &tx));
    PQfinish(mine);
    scene_end(&scene);
}

/* What another role prepares we could not end. */
TEST(another_role_votes_no) /* PG-04 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    scene_close(&scene);
    postgres_ask(&scene.server, "CREATE ROLE one LOGIN; CREATE ROLE two; GRANT two TO one;"
                                "GRANT ALL ON account TO one, two; GRANT CREATE ON SCHEMA public"
                                " TO one, two");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=one dbname=postgres", scene.server.directory);
    scene_open(&scene);
    transaction = scene_begin(&scene, &tx);
    EXPECT_OK(ktm_postgres_exec(tx, "SET ROLE two; DELETE FROM account", 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(strstr(error_of(tx), "'two'"));
    scene_finish(tx, transaction);
    EXPECT_EQ(2, postgres_count(&scene.server, "SELECT count(*) FROM account"));
    scene_end(&scene);
}

/* The vote of a transaction of changes asks nothing, and what it prepares is ours to end. */
TEST(a_trigger_that_takes_another_role_does_no_harm) /* PG-04 */
{
    struct scene scene;
    struct ktm_postgres_tx *tx;
    HANDLE transaction;

    scene_start(&scene, NULL);
    scene_close(&scene);
    postgres_ask(&scene.server,
                 "CREATE ROLE one LOGIN; CREATE ROLE two; GRANT two TO one;"
                 "GRANT ALL ON account TO one, two; GRANT CREATE ON SCHEMA public TO one, two;"
                 "CREATE FUNCTION take_role() RETURNS trigger LANGUAGE plpgsql AS"
                 " $$BEGIN PERFORM set_config('role', 'two', true); RETURN NULL; END$$;"
                 "CREATE TRIGGER take_role AFTER UPDATE ON account FOR EACH ROW WHEN (NEW.id = 2)"
                 " EXECUTE FUNCTION take_role()");
    snprintf(scene.server.conninfo, sizeof(scene.server.conninfo),
             "host=%s user=one dbname=postgres", scene.server.directory);
    scene_open(&scene);
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 1, -5);
    scene_add(tx, 2, 5);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    EXPECT_EQ(KTM_POSTGRES_COMMITTED, ktm_postgres_state(tx));
    scene_finish(tx, transaction);
    EXPECT_EQ(0, scene_prepared(&scene));
    EXPECT_EQ(105, scene_amount(&scene, 2));
    /* When it is noticed before the vote, that asks, and says no. */
    transaction = scene_begin(&scene, &tx);
    scene_add(tx, 2, 5);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(transaction, TRUE));
    EXPECT(strstr(error_of(tx), "'two'"));
    scene_finish(tx, transaction);
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

/* ---- deferred constraints ---- */

static void *
commit_it(void *transaction)
{
    NTSTATUS status = NtCommitTransaction(transaction, TRUE);

    return (void *)(uintptr_t)(uint32_t)status;
}

/* The vote waits for the other transaction, whose vote waits for the one thread there is. */
TEST(a_vote_that_waits_for_another_vote_gives_up)
{
    struct scene scene;
    struct ktm_postgres_tx *first, *second;
    HANDLE one, other;
    pthread_t thread;
    void *result;

    scene_prepare(&scene, NULL);
    scene.options.mode = KTM_RM_THREAD;
    scene_open(&scene);
    postgres_ask(&scene.server, "CREATE TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    one = scene_begin(&scene, &first);
    other = scene_begin(&scene, &second);
    EXPECT_OK(ktm_postgres_exec(first, "INSERT INTO once VALUES (1)", 0, NULL, NULL));
    EXPECT_OK(ktm_postgres_exec(second, "INSERT INTO once VALUES (1)", 0, NULL, NULL));
    EXPECT_EQ(0, pthread_create(&thread, NULL, commit_it, other));
    while (postgres_count(&scene.server, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        usleep(5000);
    EXPECT_OK(NtCommitTransaction(one, TRUE));
    EXPECT_EQ(0, pthread_join(thread, &result));
    EXPECT_EQ(STATUS_TRANSACTION_ALREADY_ABORTED, (NTSTATUS)(uintptr_t)result);
    if (!strstr(error_of(second), "lock timeout"))
        test_fail(__FILE__, __LINE__, "%s", error_of(second));
    EXPECT_EQ(1, postgres_count(&scene.server, "SELECT count(*) FROM once"));
    ktm_postgres_close(first);
    ktm_postgres_close(second);
    NtClose(one);
    NtClose(other);
    scene_end(&scene);
}
