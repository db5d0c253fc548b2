/* SPDX-License-Identifier: MIT */
/* What a transaction begins with: XA START goes along with its first change. */
#include <stdlib.h>
#include <string.h>

#include "tests/rm/mariadb/scene.h"

/* ---- an XA START that is refused ---- */

/* A transaction whose name in the server somebody else has taken, on 'other', which holds row 1. */
static HANDLE
begin_taken(struct scene *scene, MYSQL *other, struct xid *xid)
{
    TRANSACTION_BASIC_INFORMATION info;
    struct ktm_rm_key key;
    HANDLE transaction;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(NtQueryInformationTransaction(transaction, TransactionBasicInformation, &info,
                                            sizeof(info), NULL));
    key = (struct ktm_rm_key){.transaction = info.TransactionId,
                              .manager = scene->rm->base.home.manager,
                              .incarnation = scene->rm->base.home.incarnation};
    xid_print(&key, xid);
    scene_say_branch(other, xid, 1);
    return transaction;
}

static void
say_outcome(MYSQL *other, const struct xid *xid)
{
    char sql[XID_SIZE + 16];

    snprintf(sql, sizeof(sql), "XA ROLLBACK %s", xid->text);
    EXPECT_EQ(0, mysql_query(other, sql));
}

/* What is on a session before: it is new; it was used by a transaction; by us, for our own ends. */
enum past { PAST_NONE, PAST_TRANSACTION, PAST_LISTING, PASTS };

static void
make_past(struct scene *scene, enum past past)
{
    struct ktm_mariadb_tx *tx;

    session_close_idle(scene->rm);
    if (past == PAST_NONE)
        return;
    EXPECT_OK(ktm_mariadb_begin(scene->rm, NULL, &tx));
    scene_add(tx, 2, 0);
    EXPECT_OK(ktm_mariadb_commit(tx));
    ktm_mariadb_close(tx);
    if (past == PAST_LISTING)
        EXPECT_EQ(0, scene_prepared(scene));
}

static void
refuse_first(struct scene *scene, const char *sql)
{
    MYSQL *other = mariadb_enter(&scene->server, NULL);
    struct ktm_mariadb_tx *tx;
    struct xid xid;
    HANDLE transaction = begin_taken(scene, other, &xid);
    char why[512];

    EXPECT_OK(ktm_mariadb_begin(scene->rm, transaction, &tx));
    if (sql)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_mariadb_exec(tx, sql, 0, NULL, NULL));
    else
        EXPECT(!ktm_mariadb_connection(tx));
    EXPECT(ktm_mariadb_error(tx, why, sizeof(why)) > 0);
    EXPECT(strstr(why, "1440"));
    EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_mariadb_exec(tx, "SELECT 1", 0, NULL, NULL));
    EXPECT(!ktm_mariadb_connection(tx));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_mariadb_commit(tx));
    ktm_mariadb_close(tx);
    NtClose(transaction);
    EXPECT_EQ(1, scene_prepared(scene)); /* his, still */
    say_outcome(other, &xid);
    mysql_close(other);
    /* It waits for the session that is being closed. */
    mariadb_ask(&scene->server, "UPDATE account SET amount = amount WHERE id = 2");
    EXPECT_EQ(100, scene_amount(scene, 2));
    EXPECT_EQ(0, mariadb_count(&scene->server, "SELECT COUNT(*) FROM information_schema.tables"
                                               " WHERE table_name = 'made'"));
}

/* Somebody has begun one of the same name: the server's 1440, in words, and his goes on. */
TEST(a_name_that_is_in_use_is_refused_and_harms_nobody) /* MY-13, MY-19 */
{
    static const char *const first[] = {"UPDATE account SET amount = 1 WHERE id = 2",
                                        "INSERT INTO account VALUES (3, 1)", "SELECT change_it()",
                                        "CREATE TABLE made (n int)", NULL};
    struct scene scene;

    scene_start(&scene, NULL);
    mariadb_ask(&scene.server, "CREATE FUNCTION change_it() RETURNS int BEGIN UPDATE account"
                               " SET amount = 1 WHERE id = 2; RETURN 1; END");
    for (enum past past = 0; past < PASTS; past++)
        EACH (sql, first) {
            make_past(&scene, past);
            refuse_first(&scene, *sql);
        }
    EXPECT_EQ(2, mariadb_count(&scene.server, "SELECT COUNT(*) FROM account"));
    scene_end(&scene);
}

/* The application's connection has autocommit on: nothing may be said behind an XA START there. */
TEST(a_name_that_is_in_use_is_refused_on_a_borrowed_connection_at_once) /* MY-13 */
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    MYSQL *other, *connection;
    HANDLE transaction;
    struct xid xid;
    char why[512];

    scene_start(&scene, NULL);
    other = mariadb_enter(&scene.server, NULL);
    connection = mariadb_enter(&scene.server, NULL);
    transaction = begin_taken(&scene, other, &xid);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_mariadb_begin_on(scene.rm, transaction, connection, &tx));
    EXPECT(ktm_mariadb_why(scene.rm, why, sizeof(why)) > 0);
    EXPECT(strstr(why, "1440"));
    EXPECT_OK(NtCommitTransaction(transaction, TRUE)); /* of what takes part in it, nothing */
    NtClose(transaction);
    EXPECT_EQ(1, scene_prepared(&scene));
    mysql_close(other);
    mysql_close(connection);
    scene_end(&scene);
}

/* ---- what autocommit off must not be in the way of ---- */

static long
autocommit_of(struct ktm_mariadb_tx *tx)
{
    MYSQL_RES *result;
    long value;

    EXPECT_OK(ktm_mariadb_exec(tx, "SELECT @@autocommit", 0, NULL, &result));
    value = strtol(mysql_fetch_row(result)[0], NULL, 10);
    mysql_free_result(result);
    return value;
}

TEST(a_session_that_a_transaction_had_ends_the_branch_of_another) /* MY-20 */
{
    struct ktm_rm_key key = {.transaction = {.Data1 = 81}};
    struct explanation why = {0};
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    struct xid xid;

    scene_start(&scene, NULL);
    key.manager = scene.rm->base.home.manager;
    key.incarnation = scene.rm->base.home.incarnation;
    xid_print(&key, &xid);
    for (int commit = 0; commit < 2; commit++) {
        make_past(&scene, PAST_TRANSACTION); /* its session is idle */
        scene_prepare_branch(&scene, &xid, 1);
        EXPECT_EQ(FINISHED, outcome_settle(scene.rm, &key, commit, &why));
        EXPECT_EQ(0, scene_prepared(&scene));
        EXPECT_EQ(commit ? 1 : 100, scene_amount(&scene, 1));
        /* And it serves transactions again. */
        EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
        scene_add(tx, 2, 0);
        EXPECT_EQ(0, autocommit_of(tx));
        EXPECT_OK(ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
    }
    scene_end(&scene);
}

TEST(a_server_whose_autocommit_is_off_serves_all_the_same) /* MY-20 */
{
    struct ktm_rm_key key = {.transaction = {.Data1 = 82}};
    struct explanation why = {0};
    struct scene scene;
    struct xid xid;

    scene_prepare(&scene, NULL);
    mariadb_ask(&scene.server, "SET GLOBAL autocommit = 0");
    scene_open(&scene);
    key.manager = scene.rm->base.home.manager;
    key.incarnation = scene.rm->base.home.incarnation;
    xid_print(&key, &xid);
    scene_prepare_branch(&scene, &xid, 1);
    EXPECT_EQ(FINISHED, outcome_settle(scene.rm, &key, true, &why));
    EXPECT_EQ(1, scene_amount(&scene, 1));
    make_past(&scene, PAST_LISTING);
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}

/* ---- sessions, and when the server is asked ---- */

static long
starts(struct scene *scene)
{
    return mariadb_count(&scene->server, "SELECT variable_value FROM information_schema"
                                         ".global_status WHERE variable_name = 'Com_xa_start'");
}

TEST(who_says_nothing_asks_the_server_nothing)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;
    HANDLE transaction;
    long before;

    scene_start(&scene, NULL);
    before = starts(&scene);
    for (int i = 0; i < 2; i++) {
        transaction = scene_begin(&scene, &tx);
        if (i == 1)
            mariadb_kill(&scene.server);
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        EXPECT_EQ(KTM_MARIADB_READ_ONLY, ktm_mariadb_state(tx));
        ktm_mariadb_close(tx);
        NtClose(transaction);
        if (i == 0)
            EXPECT_EQ(before, starts(&scene));
    }
    mariadb_again(&scene.server, NULL);
    scene_end(&scene);
}

TEST(a_session_that_was_lost_while_it_was_idle_is_noticed)
{
    struct ktm_mariadb_tx *tx;
    struct scene scene;

    scene_start(&scene, NULL);
    for (int i = 0; i < 3; i++) {
        make_past(&scene, i == 2 ? PAST_LISTING : PAST_TRANSACTION);
        if (i == 1) {
            mariadb_kill(&scene.server);
            mariadb_again(&scene.server, NULL);
        } else {
            mariadb_end_others(&scene.server);
        }
        EXPECT_OK(ktm_mariadb_begin(scene.rm, NULL, &tx));
        scene_add(tx, 1, 1);
        EXPECT_OK(ktm_mariadb_commit(tx));
        ktm_mariadb_close(tx);
        EXPECT_EQ(101 + i, scene_amount(&scene, 1));
    }
    scene_end(&scene);
}

/* Lost with the answer to XA START, or before that has come: nothing is changed, nothing stays, and
 * the next transaction finds the server again. */
TEST(a_first_change_whose_answer_is_lost_has_not_happened)
{
    static const char *const words[] = {"XA START", "UPDATE account"};
    static struct wire wire;
    struct scene scene;

    scene_prepare(&scene, NULL);
    scene_open_over(&scene, &wire);
    EACH (word, words)
        for (int before = 0; before < 2; before++) {
            struct ktm_mariadb_tx *tx;
            HANDLE transaction = scene_begin(&scene, &tx);

            wire_lose(&wire, *word, before);
            EXPECT_STATUS(
                STATUS_RM_DISCONNECTED,
                ktm_mariadb_exec(tx, "UPDATE account SET amount = 70 WHERE id = 1", 0, NULL, NULL));
            EXPECT(wire_has_lost(&wire));
            EXPECT(NtCommitTransaction(transaction, TRUE) != STATUS_SUCCESS);
            EXPECT_EQ(KTM_MARIADB_ROLLED_BACK, ktm_mariadb_state(tx));
            ktm_mariadb_close(tx);
            NtClose(transaction);
            EXPECT_EQ(0, scene_prepared(&scene));
            mariadb_ask(&scene.server, "UPDATE account SET amount = amount"); /* no lock is left */
            EXPECT_EQ(100, scene_amount(&scene, 1));
            make_past(&scene, PAST_TRANSACTION);
        }
    EXPECT_EQ(0, scene.reports);
    scene_end(&scene);
}
