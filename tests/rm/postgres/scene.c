/* SPDX-License-Identifier: MIT */
/* What the tests of the resource manager for PostgreSQL have in common. */
#include "tests/rm/postgres/scene.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

    (void)work;
    (void)key;
    if (!scene->other_is_first)
        return;
    do_deed(scene, commit ? scene->at_commit : scene->at_prepare);
    scene->was_done = true;
}

static enum ktm_rm_answer
other_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scene *scene = context;

    (void)work;
    (void)key;
    do_deed(scene, scene->at_prepare);
    return atomic_load(&scene->other_refuses) ? KTM_RM_NO : KTM_RM_DONE;
}

static enum ktm_rm_answer
other_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct scene *scene = context;

    (void)work;
    (void)key;
    do_deed(scene, scene->at_commit);
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
other_finish(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context;
    (void)work;
    (void)key;
    return KTM_RM_DONE;
}

static const struct ktm_rm_author other_author = {
    .prepare = other_prepare,
    .commit = other_commit,
    .rollback = other_finish,
    .begin = other_begin,
};

static NTSTATUS
other_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

/* ---- the stage ---- */

static void
take_report(void *context, const struct ktm_postgres_report *report)
{
    struct scene *scene = context;

    scene->last = *report;
    snprintf(scene->told, sizeof(scene->told), "%s", report->text);
    atomic_fetch_add(&scene->reports, 1);
}

NTSTATUS
scene_open_rm(struct scene *scene)
{
    return ktm_postgres_open(scene->tm, scene->home, scene->server.conninfo, &scene->options,
                             scene->why, sizeof(scene->why), &scene->rm);
}

void
scene_open(struct scene *scene)
{
    static const GUID identity = {.Data1 = 0x0badcafe};
    static uint64_t incarnation;
    NTSTATUS status;

    EXPECT_OK(ktm_tm_open(scene->home, &scene->tm));
    status = scene_open_rm(scene);
    if (status != STATUS_SUCCESS)
        puts(scene->why);
    EXPECT_OK(status);
    EXPECT_OK(ktm_rm_open(
        scene->tm,
        &(struct ktm_rm_options){.identity = &identity,
                                 .incarnation = ++incarnation,
                                 .author = &other_author,
                                 .context = scene,
                                 .mode = scene->other_waits ? KTM_RM_PUMP : KTM_RM_CALLBACKS},
        &scene->other));
}

void
scene_close(struct scene *scene)
{
    ktm_postgres_shut(scene->rm);
    ktm_rm_close(scene->other);
    scene->rm = NULL;
    scene->other = NULL;
    NtClose(scene->tm);
}

void
scene_prepare(struct scene *scene, const char *settings)
{
    *scene = (struct scene){.options = {.mode = KTM_RM_CALLBACKS, .patience_ms = 0}};
    scene->options.report = take_report;
    scene->options.context = scene;
    snprintf(scene->home, sizeof(scene->home), "%s/home", test_directory());
    postgres_start(&scene->server, settings);
    postgres_ask(&scene->server, "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL);"
                                 "INSERT INTO account VALUES (1, 100), (2, 100)");
}

void
scene_start(struct scene *scene, const char *settings)
{
    scene_prepare(scene, settings);
    scene_open(scene);
}

void
scene_end(struct scene *scene)
{
    scene_close(scene);
    postgres_stop(&scene->server);
}

/* ---- transactions ---- */

HANDLE
scene_begin_alone(struct scene *scene, struct ktm_postgres_tx **tx)
{
    HANDLE transaction;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(ktm_postgres_begin(scene->rm, transaction, tx));
    return transaction;
}

void
scene_enlist_other(struct scene *scene, HANDLE transaction)
{
    void *work;

    EXPECT_OK(ktm_rm_enlist(scene->other, transaction, other_make, scene, &work));
}

HANDLE
scene_begin_after_other(struct scene *scene, struct ktm_postgres_tx **tx)
{
    HANDLE transaction;

    scene->other_is_first = true;
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    scene_enlist_other(scene, transaction);
    EXPECT_OK(ktm_postgres_begin(scene->rm, transaction, tx));
    return transaction;
}

HANDLE
scene_begin(struct scene *scene, struct ktm_postgres_tx **tx)
{
    HANDLE transaction = scene_begin_alone(scene, tx);

    scene->other_is_first = false;
    scene_enlist_other(scene, transaction);
    return transaction;
}

void
scene_finish(struct ktm_postgres_tx *tx, HANDLE transaction)
{
    ktm_postgres_close(tx);
    NtClose(transaction);
}

void
scene_add(struct ktm_postgres_tx *tx, int id, int amount)
{
    char id_text[16], amount_text[16];
    const char *values[] = {amount_text, id_text};

    snprintf(id_text, sizeof(id_text), "%d", id);
    snprintf(amount_text, sizeof(amount_text), "%d", amount);
    EXPECT_OK(ktm_postgres_exec(tx, "UPDATE account SET amount = amount + $1 WHERE id = $2", 2,
                                values, NULL));
}

long
scene_amount(struct scene *scene, int id)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT amount FROM account WHERE id = %d", id);
    return postgres_count(&scene->server, sql);
}

long
scene_prepared(struct scene *scene)
{
    return postgres_count(&scene->server, "SELECT count(*) FROM pg_prepared_xacts");
}

void
scene_wait_for(struct scene *scene, const char *condition)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_stat_activity WHERE pid <> "
             "pg_backend_pid() AND %s",
             condition);
    for (int i = 0; postgres_count(&scene->server, sql) == 0; i++) {
        EXPECT(i < 3000);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

void
scene_wait_for_statement(struct scene *scene, const char *like)
{
    char condition[256];

    snprintf(condition, sizeof(condition), "state = 'active' AND query LIKE '%s'", like);
    scene_wait_for(scene, condition);
}

/* ---- processes ---- */

void
scene_in_child(struct scene *scene, void (*run)(struct scene *scene))
{
    pid_t child = fork();
    int status;

    EXPECT(child >= 0);
    if (child == 0) {
        scene_open(scene);
        run(scene);
        _exit(0);
    }
    EXPECT_EQ(child, waitpid(child, &status, 0));
    if (WIFEXITED(status))
        EXPECT_EQ(0, WEXITSTATUS(status));
    else
        EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

void
scene_kill_self(struct scene *scene)
{
    (void)scene;
    kill(getpid(), SIGKILL);
}
