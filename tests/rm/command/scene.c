/* SPDX-License-Identifier: MIT */
#include "tests/rm/command/scene.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktm.h"
#include "ktm_file.h"
#include "ktm_mariadb.h"
#include "ktm_postgres.h"
#include "ktm_rm.h"
#include "ktm_sqlite.h"
#include "wdm.h"

#define TABLE "CREATE TABLE items (item bigint PRIMARY KEY)"

/* ---- the resources ---- */

static void
sqlite_say(struct scene *scene, const char *sql)
{
    sqlite3 *db;
    char *words = NULL;

    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene->sqlite, &db));
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, "%s", words);
    sqlite3_close(db);
}

void
scene_create(struct scene *scene, unsigned who)
{
    scene->sqlite_decides = false;
    snprintf(scene->home, sizeof(scene->home), "%s/home", test_directory());
    snprintf(scene->file, sizeof(scene->file), "%s/item", test_directory());
    snprintf(scene->sqlite, sizeof(scene->sqlite), "%s/app.db", test_directory());
    if (who & SQLITE)
        sqlite_say(scene, TABLE);
    if (who & POSTGRES) {
        postgres_start(&scene->postgres, NULL);
        postgres_ask(&scene->postgres, TABLE);
    }
    if (who & MARIADB) {
        mariadb_start(&scene->mariadb, NULL);
        mariadb_ask(&scene->mariadb, "CREATE TABLE shop.items (item bigint PRIMARY KEY)");
    }
}

void
scene_destroy(struct scene *scene, unsigned who)
{
    if ((who & POSTGRES) && scene->postgres.process)
        postgres_stop(&scene->postgres);
    if ((who & MARIADB) && scene->mariadb.process)
        mariadb_stop(&scene->mariadb);
}

/* ---- the program ---- */

/* The first one is told the outcome before everybody else, and dies of it. The last one is asked
 * for its vote when everybody has been asked; it waits until all have promised. */
struct killer {
    struct scene *scene;
    unsigned who;
    enum death death;
    bool is_last;
};

static void
pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void
wait_for_promises(struct scene *scene, unsigned who)
{
    while ((who & POSTGRES) &&
           postgres_count(&scene->postgres, "SELECT count(*) FROM pg_prepared_xacts") == 0)
        pause_a_little();
    while ((who & MARIADB) && !mariadb_ask(&scene->mariadb, "XA RECOVER")[0])
        pause_a_little();
}

static enum ktm_rm_answer
killer_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct killer *killer = context;
    struct scene *scene = killer->scene;

    (void)work, (void)key;
    if (!killer->is_last)
        return KTM_RM_DONE;
    wait_for_promises(scene, killer->who);
    if (scene->falls & POSTGRES)
        postgres_kill(&scene->postgres);
    if (scene->falls & MARIADB)
        mariadb_kill(&scene->mariadb);
    if (killer->death == DEATH_UNDECIDED)
        kill(getpid(), SIGKILL);
    return KTM_RM_DONE;
}

/* Participants begin in their turn, and finish in another. */
static void
killer_begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN is_commit)
{
    const struct killer *killer = context;

    (void)work, (void)key;
    if (is_commit && killer->death == DEATH_DECIDED && !killer->is_last)
        kill(getpid(), SIGKILL);
}

static enum ktm_rm_answer
killer_end(void *context, void *work, const struct ktm_rm_key *key)
{
    killer_begin(context, work, key, TRUE); /* it may not have been asked to begin */
    return KTM_RM_DONE;
}

static NTSTATUS
killer_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

/* Takes part, keeps nothing, and ends the process. With callbacks it is asked in its turn. */
static void
killer_join(struct ktm_tx *tx, struct killer *killer)
{
    static const struct ktm_rm_author author = {.begin = killer_begin,
                                                .prepare = killer_prepare,
                                                .commit = killer_end,
                                                .rollback = killer_end};
    const GUID identity = {.Data1 = 0xdead, .Data2 = killer->is_last};
    struct ktm_rm *rm;
    void *work;

    EXPECT_OK(ktm_rm_open(ktm_manager(ktm_of(tx)),
                          &(struct ktm_rm_options){.identity = &identity,
                                                   .incarnation = 1,
                                                   .author = &author,
                                                   .context = killer,
                                                   .mode = KTM_RM_CALLBACKS,
                                                   .is_volatile = TRUE},
                          &rm));
    EXPECT_OK(ktm_rm_enlist(rm, ktm_transaction(tx), killer_make, killer, &work));
}

static void
use_sqlite(struct scene *scene, struct ktm_tx *tx, struct ktm_sqlite_tx **part)
{
    const struct ktm_sqlite_options options = {.is_last_resource = TRUE};
    struct ktm_home *home = ktm_of(tx);
    struct ktm_sqlite_rm *rm;

    if (!scene->sqlite_decides) {
        EXPECT_OK(ktm_sqlite(tx, scene->sqlite, part));
        return;
    }
    EXPECT_OK(ktm_sqlite_open(ktm_manager(home), ktm_home_path(home), scene->sqlite, &options, NULL,
                              0, &rm));
    EXPECT_OK(ktm_sqlite_begin(rm, ktm_transaction(tx), NULL, 0, part));
}

static void
use_databases(struct scene *scene, struct ktm_tx *tx, unsigned who, unsigned item)
{
    struct ktm_mariadb_server server = {
        .socket = scene->mariadb.socket, .user = "root", .database = "shop"};
    struct ktm_postgres_tx *postgres;
    struct ktm_mariadb_tx *mariadb;
    struct ktm_sqlite_tx *sqlite;
    char sql[128];

    snprintf(sql, sizeof(sql), "INSERT INTO items VALUES (%u)", item);
    if (who & SQLITE) {
        use_sqlite(scene, tx, &sqlite);
        EXPECT_OK(ktm_sqlite_exec(sqlite, sql));
    }
    if (who & POSTGRES) {
        EXPECT_OK(ktm_postgres(tx, scene->postgres.conninfo, &postgres));
        EXPECT_OK(ktm_postgres_exec(postgres, sql, 0, NULL, NULL));
    }
    if (who & MARIADB) {
        EXPECT_OK(ktm_mariadb(tx, &server, &mariadb));
        EXPECT_OK(ktm_mariadb_exec(mariadb, sql, 0, NULL, NULL));
    }
}

static void
use_all(struct scene *scene, unsigned who, unsigned item, enum death death)
{
    struct killer first = {scene, who, death, false}, last = {scene, who, death, true};
    struct ktm_file_tx *files;
    struct ktm_home *home;
    struct ktm_tx *tx;
    char text[16];

    EXPECT_OK(ktm_open(scene->home, &home));
    EXPECT_OK(ktm_begin(home, &tx));
    if (death != NO_DEATH)
        killer_join(tx, &first);
    snprintf(text, sizeof(text), "%u", item);
    if (who & FILES) {
        EXPECT_OK(ktm_files(tx, &files));
        EXPECT_OK(ktm_file_put(files, scene->file, KTM_FILE_MODE_KEEP,
                               ktm_file_bytes(text, strlen(text))));
    }
    use_databases(scene, tx, who, item);
    if (death != NO_DEATH || scene->falls)
        killer_join(tx, &last);
    EXPECT_OK(ktm_commit(tx));
    ktm_end(tx);
    ktm_shut(home);
}

void
scene_leave(struct scene *scene, unsigned who, unsigned item, enum death death)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        use_all(scene, who, item, death);
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    if (death == NO_DEATH)
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    else
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void
scene_raise(struct scene *scene)
{
    /* They died by somebody else's hand: what is left of them is taken away first. */
    if (scene->falls & POSTGRES)
        postgres_kill(&scene->postgres);
    if (scene->falls & MARIADB)
        mariadb_kill(&scene->mariadb);
    if (scene->falls & POSTGRES)
        postgres_again(&scene->postgres, NULL);
    if (scene->falls & MARIADB)
        mariadb_again(&scene->mariadb, NULL);
}

/* ---- who has it ---- */

static bool
file_has(const struct scene *scene, unsigned item)
{
    FILE *file = fopen(scene->file, "r");
    unsigned found = 0;
    bool has = file && fscanf(file, "%u", &found) == 1 && found == item;

    if (file)
        fclose(file);
    return has;
}

static bool
sqlite_has(struct scene *scene, unsigned item)
{
    sqlite3_stmt *statement;
    sqlite3 *db;
    bool has;

    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene->sqlite, &db));
    EXPECT_EQ(SQLITE_OK,
              sqlite3_prepare_v2(db, "SELECT 1 FROM items WHERE item = ?", -1, &statement, NULL));
    sqlite3_bind_int64(statement, 1, item);
    has = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return has;
}

unsigned
scene_has(struct scene *scene, unsigned who, unsigned item)
{
    unsigned has = 0;
    char sql[128];

    if ((who & FILES) && file_has(scene, item))
        has |= FILES;
    if ((who & SQLITE) && sqlite_has(scene, item))
        has |= SQLITE;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM items WHERE item = %u", item);
    if ((who & POSTGRES) && postgres_count(&scene->postgres, sql))
        has |= POSTGRES;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM shop.items WHERE item = %u", item);
    if ((who & MARIADB) && mariadb_count(&scene->mariadb, sql))
        has |= MARIADB;
    return has;
}

/* ---- the command ---- */

const struct said *
ktm(const char *format, ...)
{
    static struct said said;
    char arguments[4096], command[8192];
    va_list list;
    FILE *output;
    size_t size;

    va_start(list, format);
    vsnprintf(arguments, sizeof(arguments), format, list);
    va_end(list);
    snprintf(command, sizeof(command), "'%s/ktm' %s 2>&1", test_build(), arguments);
    output = popen(command, "r");
    EXPECT(output);
    size = fread(said.text, 1, sizeof(said.text) - 1, output);
    said.text[size] = '\0';
    said.code = pclose(output);
    EXPECT(WIFEXITED(said.code));
    said.code = WEXITSTATUS(said.code);
    return &said;
}
