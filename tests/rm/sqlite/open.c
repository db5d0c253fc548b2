/* SPDX-License-Identifier: MIT */
/* What is refused when a database is opened, and in which words. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rm/sqlite/park.h"
#include "tests/rm/sqlite/scene.h"

static void
expect_refused(const struct scene *scene, NTSTATUS wanted, const char *words)
{
    struct ktm_sqlite_rm *rm = NULL;
    char why[600] = "";

    EXPECT_STATUS(wanted, ktm_sqlite_open(NULL, scene->home, scene->db, &scene->options, why,
                                          sizeof(why), &rm));
    if (!strstr(why, words))
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why, words);
    EXPECT(rm == NULL);
}

TEST(wal_is_refused_when_it_shall_prepare) /* SQ-08 */
{
    struct scene scene;
    struct ktm_sqlite_tx *tx = NULL;
    char why[400];

    scene_set(&scene);
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=WAL"));
    expect_refused(&scene, STATUS_NOT_SUPPORTED, "WAL");
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=DELETE"));
    scene_open(&scene);
    EXPECT_OK(scene_write(&scene, 2));
    /* Also when somebody switches it on later. */
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=WAL"));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ktm_sqlite_begin(scene.rm, NULL, why, sizeof(why), &tx));
    EXPECT(strstr(why, "WAL") != NULL);
    EXPECT_EQ(SQLITE_OK, scene_sql(&scene, "PRAGMA journal_mode=DELETE"));
    EXPECT_OK(scene_write(&scene, 3));
    scene_close(&scene);
}

TEST(other_journals_than_deleted_ones_are_deleted_here) /* SQ-04 */
{
    struct scene scene;

    scene_set(&scene);
    EXPECT_EQ(
        SQLITE_OK,
        scene_sql(&scene, "PRAGMA journal_mode=PERSIST; UPDATE t SET v = 7")); /* leaves one */
    EXPECT_EQ(1, scene_names(&scene));
    scene_open(&scene);
    EXPECT_OK(scene_write(&scene, 2));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene.other_votes = KTM_RM_NO;
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, scene_write(&scene, 3));
    EXPECT_EQ(2, scene_number(&scene, "SELECT v FROM t"));
    scene_close(&scene);
}

static NTSTATUS
no_exchange(struct tree *tree, int at, const char *from, int to_at, const char *to,
            enum tree_rename how)
{
    return how == TREE_EXCHANGE ? STATUS_INVALID_PARAMETER
                                : tree_linux()->table->rename(tree, at, from, to_at, to, how);
}

TEST(a_file_system_that_cannot_exchange_names_is_refused) /* SQ-03 */
{
    struct tree_table table = *tree_linux()->table;
    struct tree tree = *tree_linux();
    struct words why = {.text = ""};
    struct scene scene;
    struct park park;

    scene_set(&scene);
    EXPECT_OK(park_open(&park, scene.db, &why));
    EXPECT_OK(park_probe(&park, &(GUID){.Data1 = 1}, &why));
    table.rename = no_exchange;
    tree.table = &table;
    park.tree = &tree;
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, park_probe(&park, &(GUID){.Data1 = 1}, &why));
    EXPECT(strstr(why.text, "cannot exchange names"));
    EXPECT(strstr(why.text, "last resource"));
    EXPECT_EQ(0, scene_names(&scene)); /* nothing is left of the trial */
    park_close(&park);
}

static int
take_number(void *number, int count, char **values, char **names)
{
    (void)count, (void)names;
    *(int *)number = atoi(values[0]);
    return 0;
}

TEST(a_part_is_synchronous_whatever_was_set) /* SQ-05 */
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;
    int synchronous = -1;

    scene_set(&scene);
    scene.options.setup = "PRAGMA synchronous=OFF";
    for (int is_last = 0; is_last < 2; is_last++) {
        scene.options.is_last_resource = is_last != 0;
        scene_open(&scene);
        tx = scene_begin(&scene, NULL);
        EXPECT_EQ(SQLITE_OK, sqlite3_exec(ktm_sqlite_db(tx), "PRAGMA synchronous", take_number,
                                          &synchronous, NULL));
        EXPECT_EQ(3, synchronous); /* EXTRA */
        ktm_sqlite_close(tx);
        scene_close(&scene);
    }
}

TEST(what_was_attached_before_cannot_be_part_of_it) /* SQ-06 */
{
    struct scene scene;
    struct ktm_sqlite_tx *tx = NULL;
    char why[400] = "";

    scene_set(&scene);
    scene.options.setup = "ATTACH ':memory:' AS other";
    scene_open(&scene);
    EXPECT(ktm_sqlite_begin(scene.rm, NULL, why, sizeof(why), &tx) != STATUS_SUCCESS);
    EXPECT(strstr(why, "attached") != NULL);
    scene_close(&scene);
}

TEST(what_is_no_database_or_not_there_is_refused)
{
    struct scene scene;
    FILE *file;

    scene_set(&scene);
    file = fopen(scene.db, "wb");
    EXPECT(file != NULL);
    for (int i = 0; i < 200; i++)
        fputs("this is no database ", file);
    fclose(file);
    expect_refused(&scene, STATUS_OBJECT_TYPE_MISMATCH, "not a database");
    EXPECT_EQ(0, unlink(scene.db));
    scene.options.must_exist = TRUE;
    expect_refused(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "cannot be opened");
    scene.options.must_exist = FALSE;
    snprintf(scene.db, sizeof(scene.db), "%s/no/such/app.db", test_directory());
    expect_refused(&scene, STATUS_OBJECT_NAME_NOT_FOUND, "cannot be opened");
    snprintf(scene.db, sizeof(scene.db), "%s/%0200d", test_directory(), 1);
    expect_refused(&scene, STATUS_NAME_TOO_LONG, "too long");
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_sqlite_open(NULL, "relative", scene.db, NULL, NULL, 0, &scene.rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ktm_sqlite_open(NULL, scene.home, NULL, NULL, NULL, 0, &scene.rm));
}

TEST(a_new_database_begins_in_a_transaction)
{
    struct scene scene;

    for (int is_commit = 0; is_commit < 2; is_commit++) {
        struct ktm_sqlite_tx *tx;
        HANDLE transaction;

        scene_set(&scene);
        EXPECT_EQ(0, unlink(scene.db));
        scene_open(&scene);
        scene.other_votes = is_commit ? KTM_RM_DONE : KTM_RM_NO;
        transaction = scene_transaction(&scene);
        tx = scene_begin(&scene, transaction);
        scene_enlist_other(&scene, transaction);
        EXPECT_OK(ktm_sqlite_exec(tx, "CREATE TABLE n(v); INSERT INTO n VALUES(4)"));
        EXPECT_STATUS(is_commit ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                      NtCommitTransaction(transaction, TRUE));
        ktm_sqlite_close(tx);
        EXPECT_OK(NtClose(transaction));
        EXPECT_EQ(is_commit, scene_number(&scene, "SELECT count(*) FROM sqlite_schema"));
        scene_close(&scene);
        EXPECT_EQ(0, scene_names(&scene));
        EXPECT_EQ(0, unlink(scene.db));
    }
}

TEST(a_path_through_a_symbolic_link_is_the_database_it_leads_to)
{
    struct scene scene, direct;
    char link[500];

    scene_set(&scene);
    direct = scene;
    snprintf(link, sizeof(link), "%.400s/link.db", test_directory());
    EXPECT_EQ(0, symlink(scene.db, link));
    snprintf(scene.db, sizeof(scene.db), "%s", link);
    scene_crash(&scene, 2, CRASH_DECIDED);
    EXPECT_EQ(2, scene_names(&direct)); /* beside the database itself */
    scene_open(&direct);
    EXPECT_EQ(2, scene_number(&direct, "SELECT v FROM t"));
    scene_close(&direct);
}

/* ---- what a home knows ---- */

static void
note(void *context, const char *database, BOOLEAN is_last_resource)
{
    char *text = context;

    sprintf(text + strlen(text), "%s%s ", strrchr(database, '/') + 1,
            is_last_resource ? " last" : "");
}

TEST(a_home_knows_the_databases_that_may_have_something_to_finish)
{
    struct scene scene;
    struct ktm_sqlite_rm *other = NULL;
    struct ktm_sqlite_options last = {.is_last_resource = TRUE};
    char second[600], known[400] = "";

    scene_set(&scene);
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, ktm_sqlite_known(scene.home, note, known));
    scene_open(&scene);
    snprintf(second, sizeof(second), "%.400s/second.db", test_directory());
    EXPECT_OK(ktm_sqlite_open(scene.tm, scene.home, second, &last, NULL, 0, &other));
    EXPECT_OK(ktm_sqlite_known(scene.home, note, known));
    EXPECT(strstr(known, "app.db ") != NULL);
    EXPECT(strstr(known, "second.db last ") != NULL);
    EXPECT_EQ(strlen("app.db second.db last "), strlen(known));
    ktm_sqlite_shut(other);
    scene_close(&scene);
    snprintf(second, sizeof(second), "echo nonsense > '%s'/sqlite/park.x", scene.home);
    EXPECT_EQ(0, system(second));
    known[0] = '\0';
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, ktm_sqlite_known(scene.home, note, known));
    EXPECT_EQ(strlen("app.db second.db last "), strlen(known));
}

TEST(the_thread_that_commits_may_do_the_work_itself)
{
    struct scene scene;
    struct ktm_sqlite_tx *tx;

    scene_set(&scene);
    scene.options.mode = KTM_RM_PUMP;
    for (int is_last = 0; is_last < 2; is_last++) {
        scene.options.is_last_resource = is_last != 0;
        scene_open(&scene);
        tx = scene_begin(&scene, NULL);
        EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = v + 10"));
        EXPECT_OK(ktm_sqlite_commit(tx));
        EXPECT_EQ(KTM_SQLITE_COMMITTED, ktm_sqlite_state(tx));
        ktm_sqlite_close(tx);
        tx = scene_begin(&scene, NULL);
        EXPECT_OK(ktm_sqlite_exec(tx, "UPDATE t SET v = 0"));
        EXPECT_OK(ktm_sqlite_rollback(tx));
        EXPECT_EQ(KTM_SQLITE_ROLLED_BACK, ktm_sqlite_state(tx));
        ktm_sqlite_close(tx);
        scene_close(&scene);
    }
    EXPECT_EQ(21, scene_number(&scene, "SELECT v FROM t"));
}
