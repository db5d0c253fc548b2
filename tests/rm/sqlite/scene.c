/* SPDX-License-Identifier: MIT */
/* A home, a database, somebody else. */
#include "tests/rm/sqlite/scene.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the database, from outside ---- */

int
scene_sql(const struct scene *scene, const char *sql)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open(scene->db, &db);

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return code;
}

long long
scene_number(const struct scene *scene, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;
    long long number = -1;
    int code;

    EXPECT_EQ(SQLITE_OK, sqlite3_open(scene->db, &db));
    code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    else if (code != SQLITE_DONE)
        number = -1000 - code;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

static const char *
program_says(const char *command, const char *without)
{
    static char said[4096];
    FILE *pipe = popen(command, "r");
    size_t got;

    EXPECT(pipe != NULL);
    got = fread(said, 1, sizeof(said) - 1, pipe);
    said[got] = '\0';
    if (pclose(pipe) == 127 << 8)
        SKIP(without);
    return said;
}

const char *
scene_command_says(const struct scene *scene)
{
    char command[1200];

    snprintf(command, sizeof(command), "sqlite3 '%s' 'SELECT v FROM t' 2>&1", scene->db);
    return program_says(command, "the sqlite3 command is not installed");
}

const char *
scene_python_says(const struct scene *scene)
{
    char command[1200];

    snprintf(command, sizeof(command),
             "python3 -c 'import sqlite3, sys; "
             "print(sqlite3.connect(sys.argv[1], timeout=0)"
             ".execute(\"SELECT v FROM t\").fetchone()[0])' '%s' 2>&1",
             scene->db);
    return program_says(command, "python3 is not installed");
}

static unsigned
names(const struct scene *scene, const char *after, char *last, size_t size)
{
    const char *base = strrchr(scene->db, '/') + 1;
    struct dirent *entry;
    unsigned count = 0;
    char directory[512], prefix[300];
    DIR *dir;

    snprintf(prefix, sizeof(prefix), "%s-%s", base, after);
    snprintf(directory, sizeof(directory), "%.*s", (int)(base - scene->db), scene->db);
    dir = opendir(directory);
    EXPECT(dir != NULL);
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            count++;
            snprintf(last, size, "%s%s", directory, entry->d_name);
        }
    closedir(dir);
    return count;
}

unsigned
scene_names(const struct scene *scene)
{
    char last[800];

    return names(scene, "", last, sizeof(last));
}

const char *
scene_parked(const struct scene *scene)
{
    static char last[800];

    EXPECT_EQ(1, names(scene, "ktm.", last, sizeof(last)));
    return last;
}

/* ---- the other participant ---- */

static void
do_deed(struct scene *scene, void (*deed)(struct scene *scene))
{
    if (deed && !scene->was_done)
        deed(scene);
    scene->was_done = false;
}

/* Who comes first does it before the database has begun, else when it has finished. */
static void
other_begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit)
{
    struct scene *scene = context;

    (void)work, (void)key;
    if (!scene->other_is_first)
        return;
    do_deed(scene, commit ? scene->while_committing : scene->while_voting);
    scene->was_done = true;
}

static enum ktm_rm_answer
other_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scene *scene = context;

    (void)work, (void)key;
    do_deed(scene, scene->while_voting);
    return scene->other_votes;
}

static enum ktm_rm_answer
other_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scene *scene = context;

    (void)work, (void)key;
    do_deed(scene, scene->while_committing);
    scene->committed++;
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
other_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scene *scene = context;

    (void)work, (void)key;
    scene->rolled_back++;
    return KTM_RM_DONE;
}

static NTSTATUS
other_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

void
scene_enlist_other(struct scene *scene, HANDLE transaction)
{
    void *work;

    EXPECT_OK(ktm_rm_enlist(scene->other, transaction, other_make, scene, &work));
}

/* ---- the stage ---- */

void
scene_set(struct scene *scene)
{
    *scene = (struct scene){.options = {.mode = KTM_RM_CALLBACKS, .busy_ms = 100}};
    snprintf(scene->home, sizeof(scene->home), "%s/home", test_directory());
    snprintf(scene->db, sizeof(scene->db), "%s/app.db", test_directory());
    snprintf(scene->journal, sizeof(scene->journal), "%s-journal", scene->db);
    EXPECT_EQ(SQLITE_OK, scene_sql(scene, "CREATE TABLE t(v); INSERT INTO t VALUES(1)"));
}

void
scene_set_wal(struct scene *scene)
{
    scene_set(scene);
    EXPECT_EQ(SQLITE_OK, scene_sql(scene, "PRAGMA journal_mode=WAL"));
    scene->options.owns_wal = TRUE;
}

static void
open_other(struct scene *scene)
{
    static const struct ktm_rm_author author = {.prepare = other_prepare,
                                                .commit = other_commit,
                                                .rollback = other_rollback,
                                                .begin = other_begin};
    static const GUID identity = {.Data1 = 77};
    static uint64_t incarnation;

    scene->other_votes = KTM_RM_DONE;
    EXPECT_OK(ktm_rm_open(scene->tm,
                          &(struct ktm_rm_options){.identity = &identity,
                                                   .incarnation = ++incarnation,
                                                   .author = &author,
                                                   .context = scene,
                                                   .mode = KTM_RM_CALLBACKS,
                                                   .is_volatile = !scene->other_is_durable},
                          &scene->other));
}

void
scene_open(struct scene *scene)
{
    char why[500] = "";
    NTSTATUS status;

    EXPECT_OK(ktm_tm_open(scene->home, &scene->tm));
    open_other(scene);
    status = ktm_sqlite_open(scene->tm, scene->home, scene->db, &scene->options, why, sizeof(why),
                             &scene->rm);
    EXPECT_TEXT("", why);
    EXPECT_OK(status);
}

void
scene_close(struct scene *scene)
{
    ktm_sqlite_shut(scene->rm);
    ktm_rm_close(scene->other);
    EXPECT_OK(NtClose(scene->tm));
    scene->rm = NULL;
    scene->other = NULL;
}

HANDLE
scene_transaction(struct scene *scene)
{
    HANDLE transaction;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    return transaction;
}

struct ktm_sqlite_tx *
scene_begin(struct scene *scene, HANDLE transaction)
{
    struct ktm_sqlite_tx *tx = NULL;
    char why[500] = "";
    NTSTATUS status = ktm_sqlite_begin(scene->rm, transaction, why, sizeof(why), &tx);

    EXPECT_TEXT("", why);
    EXPECT_OK(status);
    return tx;
}

static NTSTATUS
write_and_commit(struct scene *scene, int v, bool other_is_first)
{
    HANDLE transaction = scene_transaction(scene);
    struct ktm_sqlite_tx *tx;
    char sql[60];
    NTSTATUS status;

    scene->other_is_first = other_is_first;
    if (other_is_first)
        scene_enlist_other(scene, transaction);
    tx = scene_begin(scene, transaction);
    if (!other_is_first)
        scene_enlist_other(scene, transaction);
    snprintf(sql, sizeof(sql), "UPDATE t SET v = %d", v);
    EXPECT_OK(ktm_sqlite_exec(tx, sql));
    status = NtCommitTransaction(transaction, TRUE);
    ktm_sqlite_close(tx);
    EXPECT_OK(NtClose(transaction));
    return status;
}

NTSTATUS
scene_write(struct scene *scene, int v)
{
    return write_and_commit(scene, v, false);
}

/* ---- crashes ---- */

static void
die(struct scene *scene)
{
    (void)scene;
    kill(getpid(), SIGKILL);
}

void
scene_crash(struct scene *scene, int v, enum scene_crash when)
{
    pid_t child = fork();
    int status;

    EXPECT(child >= 0);
    if (child == 0) {
        scene_open(scene);
        if (when == CRASH_UNDECIDED)
            scene->while_voting = die;
        else
            scene->while_committing = die;
        /* Who enlisted first is asked first, also for its commit. */
        write_and_commit(scene, v, when == CRASH_DECIDED);
        _exit(1);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
