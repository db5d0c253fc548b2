/* SPDX-License-Identifier: MIT */
/* What the tests of the resource manager for MariaDB have in common. */
#include "tests/rm/mariadb/scene.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
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
    return scene->other_postpones ? KTM_RM_RETRY : KTM_RM_DONE;
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
take_report(void *context, const struct ktm_mariadb_report *report)
{
    struct scene *scene = context;

    scene->last = *report;
    snprintf(scene->told, sizeof(scene->told), "%s", report->text);
    atomic_fetch_add(&scene->reports, 1);
    atomic_fetch_add(&scene->damages, report->kind == KTM_MARIADB_DAMAGED);
    atomic_fetch_add(&scene->delays, report->kind == KTM_MARIADB_UNFINISHED);
}

NTSTATUS
scene_open_rm(struct scene *scene)
{
    return ktm_mariadb_open(scene->tm, scene->home,
                            &(struct ktm_mariadb_server){
                                .socket = scene->server.socket, .user = "root", .database = "shop"},
                            &scene->options, scene->why, sizeof(scene->why), &scene->rm);
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
    EXPECT_OK(ktm_rm_open(scene->tm,
                          &(struct ktm_rm_options){.identity = &identity,
                                                   .incarnation = ++incarnation,
                                                   .author = &other_author,
                                                   .context = scene,
                                                   .mode = KTM_RM_CALLBACKS},
                          &scene->other));
}

void
scene_close(struct scene *scene)
{
    ktm_mariadb_shut(scene->rm);
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
    mariadb_start(&scene->server, settings);
    mariadb_ask(&scene->server, "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL)"
                                " ENGINE=InnoDB;"
                                "INSERT INTO account VALUES (1, 100), (2, 100)");
}

void
scene_start(struct scene *scene, const char *settings)
{
    scene_prepare(scene, settings);
    scene_open(scene);
}

void
scene_open_over(struct scene *scene, struct wire *wire)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/wire", test_directory());
    wire_start(wire, path, scene->server.socket);
    snprintf(scene->server.socket, sizeof(scene->server.socket), "%s", path);
    scene_open(scene);
    snprintf(scene->server.socket, sizeof(scene->server.socket), "%s", wire->real);
}

void
scene_end(struct scene *scene)
{
    scene_close(scene);
    mariadb_stop(&scene->server);
}

/* ---- transactions ---- */

HANDLE
scene_begin_alone(struct scene *scene, struct ktm_mariadb_tx **tx)
{
    HANDLE transaction;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(ktm_mariadb_begin(scene->rm, transaction, tx));
    return transaction;
}

HANDLE
scene_begin_after_other(struct scene *scene, struct ktm_mariadb_tx **tx)
{
    HANDLE transaction;
    void *work;

    scene->other_is_first = true;
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, scene->tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(ktm_rm_enlist(scene->other, transaction, other_make, scene, &work));
    EXPECT_OK(ktm_mariadb_begin(scene->rm, transaction, tx));
    return transaction;
}

HANDLE
scene_begin(struct scene *scene, struct ktm_mariadb_tx **tx)
{
    HANDLE transaction = scene_begin_alone(scene, tx);
    void *work;

    scene->other_is_first = false;
    EXPECT_OK(ktm_rm_enlist(scene->other, transaction, other_make, scene, &work));
    return transaction;
}

void
scene_add(struct ktm_mariadb_tx *tx, int id, int amount)
{
    char id_text[16], amount_text[16];
    const char *values[] = {amount_text, id_text};

    snprintf(id_text, sizeof(id_text), "%d", id);
    snprintf(amount_text, sizeof(amount_text), "%d", amount);
    EXPECT_OK(ktm_mariadb_exec(tx, "UPDATE account SET amount = amount + ? WHERE id = ?", 2, values,
                               NULL));
}

long
scene_amount(struct scene *scene, int id)
{
    char sql[128];

    snprintf(sql, sizeof(sql), "SELECT amount FROM account WHERE id = %d", id);
    return mariadb_count(&scene->server, sql);
}

static void
count_one(void *context, const struct ktm_mariadb_prepared *prepared)
{
    EXPECT(prepared->is_ours);
    ++*(long *)context;
}

long
scene_prepared(struct scene *scene)
{
    long count = 0;

    EXPECT_OK(ktm_mariadb_list_prepared(scene->rm, count_one, &count));
    return count;
}

void
scene_say_branch(MYSQL *connection, const struct xid *xid, int id)
{
    char sql[512];
    static const char *const verbs[] = {"START", "END", "PREPARE"};

    EACH (verb, verbs) {
        snprintf(sql, sizeof(sql), "XA %s %s", *verb, xid->text);
        EXPECT_EQ(0, mysql_query(connection, sql));
        snprintf(sql, sizeof(sql), "UPDATE account SET amount = 1 WHERE id = %d", id);
        if (verb == verbs)
            EXPECT_EQ(0, mysql_query(connection, sql));
    }
}

void
scene_prepare_branch(struct scene *scene, const struct xid *xid, int id)
{
    MYSQL *connection = mariadb_enter(&scene->server, NULL);

    scene_say_branch(connection, xid, id);
    mysql_close(connection);
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
