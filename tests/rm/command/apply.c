/* SPDX-License-Identifier: MIT */
/* Statements as steps of 'ktm apply'. */
#include "tests/rm/command/scene.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL (FILES | SQLITE | POSTGRES | MARIADB)

static char *
path_of(const char *name)
{
    static char paths[4][600];
    static unsigned next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", test_directory(), name);
    return path;
}

static void write_text(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
write_text(const char *name, const char *format, ...)
{
    FILE *file = fopen(path_of(name), "w");
    va_list list;

    EXPECT(file);
    va_start(list, format);
    vfprintf(file, format, list);
    va_end(list);
    EXPECT_EQ(0, fclose(file));
}

/* The item into the file and all databases; the last statement expects so many rows. */
static void
write_set(struct scene *scene, unsigned item, const char *last_sql, unsigned last_rows)
{
    write_text("insert.sql", "-- a comment; with a semicolon\nINSERT INTO items VALUES (%u);\n",
               item);
    write_text("set.json",
               "{\"steps\": ["
               " {\"put\": {\"to\": \"item\", \"text\": \"%u\"}},"
               " {\"sqlite\": {\"database\": \"app.db\", \"sql\": \"INSERT INTO items VALUES (?)\","
               "   \"parameters\": [%u], \"rows\": 1}},"
               " {\"postgres\": {\"database\": \"%s\", \"sql_file\": \"insert.sql\", \"rows\": 1}},"
               " {\"mariadb\": {\"database\": \"socket=%s user=root database=shop\","
               "   \"sql\": \"INSERT INTO items VALUES (?)\", \"parameters\": [\"%u\"]}},"
               " {\"postgres\": {\"database\": \"%s\", \"sql\": \"%s\", \"rows\": %u}}]}",
               item, item, scene->postgres.conninfo, scene->mariadb.socket, item,
               scene->postgres.conninfo, last_sql, last_rows);
}

TEST(files_and_databases_change_together)
{
    struct scene scene;

    scene_create(&scene, ALL);
    write_set(&scene, 7, "SELECT item FROM items WHERE item = 7", 1); /* sees what was done */
    EXPECT_SAYS(EXPECT_KTM(0, "apply --home %s %s", scene.home, path_of("set.json")), "committed");
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    EXPECT_SAYS(EXPECT_KTM(0, "recover --home %s", scene.home), "nothing was left");

    write_set(&scene, 8, "DELETE FROM items WHERE item < 8", 2); /* there is one */
    EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s %s", scene.home, path_of("set.json")),
                "1 row was changed or given, and 2 expected");
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    EXPECT_EQ(0, scene_has(&scene, ALL, 8));

    write_set(&scene, 9, "DELETE FROM nowhere", 0);
    EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s %s", scene.home, path_of("set.json")),
                "step 5 (postgres)");
    EXPECT_EQ(0, scene_has(&scene, ALL, 9));
    scene_destroy(&scene, ALL);
}

TEST(steps_are_flags_too)
{
    struct scene scene;

    scene_create(&scene, ALL);
    write_text("source", "7");
    EXPECT_KTM(0,
               "apply --home %s --put %s:%s --sqlite %s 'INSERT INTO items VALUES (7)' "
               "--postgres '%s' '-- first\nINSERT INTO items VALUES (7); SELECT 1' "
               "--mariadb 'socket=%s user=root database=shop' 'INSERT INTO items VALUES (7)'",
               scene.home, path_of("source"), scene.file, scene.sqlite, scene.postgres.conninfo,
               scene.mariadb.socket);
    EXPECT_EQ(ALL, scene_has(&scene, ALL, 7));
    EXPECT_SAYS(EXPECT_KTM(2, "apply --home %s --sqlite %s", scene.home, scene.sqlite),
                "a database and a statement");
    scene_destroy(&scene, ALL);
}

/* What a database finds out when it is asked for its promise. */
TEST(a_promise_that_is_refused_takes_everything_back)
{
    struct scene scene;

    scene_create(&scene, FILES | SQLITE | POSTGRES);
    postgres_ask(&scene.postgres, "CREATE TABLE lines (item bigint REFERENCES items DEFERRABLE "
                                  "INITIALLY DEFERRED)");
    write_text("source", "7");
    EXPECT_SAYS(EXPECT_KTM(1,
                           "apply --home %s --put %s:%s --sqlite %s 'INSERT INTO items VALUES (7)' "
                           "--postgres '%s' 'INSERT INTO lines VALUES (7)'",
                           scene.home, path_of("source"), scene.file, scene.sqlite,
                           scene.postgres.conninfo),
                "foreign key");
    EXPECT_EQ(0, scene_has(&scene, FILES | SQLITE, 7));
    EXPECT_EQ(0, postgres_count(&scene.postgres, "SELECT count(*) FROM lines"));
    scene_destroy(&scene, POSTGRES);
}

TEST(what_would_end_the_transaction_is_refused)
{
    static const char *const texts[] = {
        "INSERT INTO items VALUES (7); COMMIT",
        "INSERT INTO items VALUES (7); /* ; */ commit;",
        "INSERT INTO items VALUES (7); END",
        "INSERT INTO items VALUES (7); ROLLBACK WORK",
        "INSERT INTO items VALUES (7); -- now\n PREPARE TRANSACTION $$x$$",
        "BEGIN; INSERT INTO items VALUES (7)",
    };
    struct scene scene;

    scene_create(&scene, SQLITE | POSTGRES | MARIADB);
    EACH (text, texts) {
        EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s --postgres '%s' '%s'", scene.home,
                               scene.postgres.conninfo, *text),
                    "business of the transaction manager");
        EXPECT_KTM(1, "apply --home %s --mariadb 'socket=%s user=root database=shop' '%s'",
                   scene.home, scene.mariadb.socket, *text);
        EXPECT_KTM(1, "apply --home %s --sqlite %s '%s'", scene.home, scene.sqlite, *text);
        EXPECT_EQ(0, scene_has(&scene, SQLITE | POSTGRES | MARIADB, 7));
    }
    EXPECT_KTM(0, "apply --home %s --postgres '%s' '%s'", scene.home, scene.postgres.conninfo,
               "SAVEPOINT a; INSERT INTO items VALUES (8); ROLLBACK TO a; "
               "INSERT INTO items VALUES (7)");
    EXPECT_EQ(POSTGRES, scene_has(&scene, POSTGRES, 7));
    EXPECT_EQ(0, scene_has(&scene, POSTGRES, 8));
    scene_destroy(&scene, POSTGRES | MARIADB);
}

TEST(secrets_are_refused_and_parameters_are_not_told)
{
    const struct said *said;
    struct scene scene;
    char command[800];

    scene_create(&scene, POSTGRES);
    postgres_ask(&scene.postgres, "CREATE TABLE names (name text PRIMARY KEY)");
    said = EXPECT_KTM(2, "apply --home %s --postgres '%s password=hunter2' 'SELECT 1'", scene.home,
                      scene.postgres.conninfo);
    EXPECT_SAYS(said, "PGPASSFILE");
    EXPECT(!strstr(said->text, "hunter2"));
    said = EXPECT_KTM(
        2, "apply --home %s --mariadb 'user=a password=hunter2 database=b' 'SELECT 1'", scene.home);
    EXPECT_SAYS(said, "option file");
    EXPECT(!strstr(said->text, "hunter2"));
    EXPECT(access(scene.home, F_OK) != 0); /* nothing was begun */

    write_text("set.json",
               "{\"steps\": [{\"postgres\": {\"database\": \"%s\", \"sql\": \"INSERT INTO names "
               "VALUES ($1)\", \"parameters\": [\"hunter2\"]}}]}",
               scene.postgres.conninfo);
    EXPECT_KTM(0, "apply --home %s %s", scene.home, path_of("set.json"));
    EXPECT_EQ(1,
              postgres_count(&scene.postgres, "SELECT count(*) FROM names WHERE name = 'hunter2'"));
    said = EXPECT_KTM(1, "apply --home %s %s", scene.home, path_of("set.json"));
    EXPECT_SAYS(said, "duplicate key");
    EXPECT(!strstr(said->text, "hunter2"));
    snprintf(command, sizeof(command), "! grep -r hunter2 '%s'", scene.home);
    EXPECT_EQ(0, system(command));
    scene_destroy(&scene, POSTGRES);
}

TEST(values_keep_their_kind)
{
    struct scene scene;

    scene_create(&scene, SQLITE | POSTGRES | MARIADB);
    postgres_ask(&scene.postgres, "CREATE TABLE k (b boolean, n numeric, i bigint, t text)");
    mariadb_ask(&scene.mariadb, "CREATE TABLE shop.k (b boolean, n decimal(10,3), i bigint, "
                                "t text)");
    EXPECT_KTM(0, "apply --home %s --sqlite %s 'CREATE TABLE k (b, n, i, t)'", scene.home,
               scene.sqlite);
#define VALUES "\"parameters\": [true, 2.5, 9007199254740993, null], \"rows\": 1"
    write_text("set.json",
               "{\"steps\": ["
               "{\"sqlite\": {\"database\": \"app.db\", \"sql\": \"INSERT INTO k VALUES "
               "(?,?,?,?)\"," VALUES "}},"
               "{\"postgres\": {\"database\": \"%s\", \"sql\": \"INSERT INTO k VALUES "
               "($1,$2,$3,$4)\"," VALUES "}},"
               "{\"mariadb\": {\"database\": \"socket=%s user=root database=shop\","
               " \"sql\": \"INSERT INTO k VALUES (?,?,?,?)\"," VALUES "}},"
               "{\"sqlite\": {\"database\": \"app.db\", \"sql\": \"SELECT 1 FROM k WHERE b = 1 AND "
               "n = 2.5 AND typeof(n) = 'real' AND i = 9007199254740993 AND t IS NULL\","
               " \"rows\": 1}}]}",
               scene.postgres.conninfo, scene.mariadb.socket);
    EXPECT_KTM(0, "apply --home %s %s", scene.home, path_of("set.json"));
    EXPECT_EQ(1,
              postgres_count(&scene.postgres, "SELECT count(*) FROM k WHERE b AND n = 2.5 AND i = "
                                              "9007199254740993 AND t IS NULL"));
    EXPECT_EQ(1, mariadb_count(&scene.mariadb,
                               "SELECT count(*) FROM shop.k WHERE b = 1 AND n = 2.5 AND i = "
                               "9007199254740993 AND t IS NULL"));
    scene_destroy(&scene, POSTGRES | MARIADB);
}

TEST(a_statement_that_waits_is_ended_by_the_time)
{
    struct scene scene;
    PGconn *other;

    scene_create(&scene, FILES | POSTGRES);
    postgres_ask(&scene.postgres, "INSERT INTO items VALUES (7)");
    other = PQconnectdb(scene.postgres.conninfo);
    PQclear(PQexec(other, "BEGIN; UPDATE items SET item = 7"));
    EXPECT_SAYS(
        EXPECT_KTM(1, "apply --timeout 1 --home %s --postgres '%s' 'UPDATE items SET item = 8'",
                   scene.home, scene.postgres.conninfo),
        "the time is over");
    PQfinish(other);
    EXPECT_EQ(POSTGRES, scene_has(&scene, POSTGRES, 7));
    scene_destroy(&scene, POSTGRES);
}

TEST(a_dry_run_says_nothing_to_a_database)
{
    struct scene scene;

    scene_create(&scene, SQLITE);
    EXPECT_SAYS(EXPECT_KTM(0, "apply --dry-run --home %s --sqlite %s 'DELETE FROM items'",
                           scene.home, scene.sqlite),
                "not tried");
    EXPECT(access(scene.home, F_OK) != 0);
    write_text("set.json",
               "{\"steps\": [{\"sqlite\": {\"database\": \"app.db\", \"sql_file\": \"no.sql\"}}]}");
    EXPECT_SAYS(EXPECT_KTM(1, "apply --dry-run --home %s %s", scene.home, path_of("set.json")),
                "no.sql");
}

TEST(a_database_in_wal_mode_takes_part_when_nobody_else_has_it)
{
    const char *const insert = "INSERT INTO items VALUES";
    struct scene scene;
    sqlite3 *reader;

    scene_create(&scene, SQLITE);
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.sqlite, &reader));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(reader, "PRAGMA journal_mode=WAL; SELECT * FROM items", NULL,
                                      NULL, NULL));
    EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s --owns-wal --sqlite %s '%s (7)'", scene.home,
                           scene.sqlite, insert),
                "nobody else may have it open");
    sqlite3_close(reader);
    EXPECT_SAYS(
        EXPECT_KTM(1, "apply --home %s --sqlite %s '%s (7)'", scene.home, scene.sqlite, insert),
        "owns_wal");
    EXPECT_EQ(0, scene_has(&scene, SQLITE, 7));
    write_text("source", "7");
    EXPECT_KTM(0, "apply --home %s --put %s:%s --owns-wal --sqlite %s '%s (7)'", scene.home,
               path_of("source"), scene.file, scene.sqlite, insert);
    EXPECT_EQ(FILES | SQLITE, scene_has(&scene, FILES | SQLITE, 7));

#define ROW(item, more)                                                                            \
    "{\"sqlite\": {\"database\": \"app.db\", \"sql\": \"INSERT INTO items VALUES (" #item          \
    ")\"" more "}}"
    write_text("set.json",
               "{\"steps\": [" ROW(8, ", \"owns_wal\": true") ", " ROW(9, ", \"rows\": 1") "]}");
    EXPECT_KTM(0, "apply --home %s %s", scene.home, path_of("set.json"));
    EXPECT_EQ(SQLITE, scene_has(&scene, SQLITE, 8) & scene_has(&scene, SQLITE, 9));
    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene.sqlite, &reader));
    EXPECT_EQ(SQLITE_OK, sqlite3_exec(reader, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL));
    sqlite3_close(reader);
    write_text("set.json", "{\"steps\": [" ROW(10, "") ", " ROW(11, ", \"owns_wal\": true") "]}");
    EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s %s", scene.home, path_of("set.json")),
                "at the first statement");
#undef ROW
    EXPECT_SAYS(EXPECT_KTM(2, "apply --home %s --owns-wal %s", scene.home, path_of("set.json")),
                "--owns-wal belongs to --sqlite");
}

TEST(a_database_that_is_missing_is_not_made)
{
    struct scene scene;

    scene_create(&scene, 0);
    EXPECT_SAYS(EXPECT_KTM(1, "apply --home %s --sqlite %s 'SELECT 1'", scene.home, scene.sqlite),
                scene.sqlite);
    EXPECT(access(scene.sqlite, F_OK) != 0);
}
