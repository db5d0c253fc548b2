/* SPDX-License-Identifier: MIT */
/* The file resource manager under a transaction manager: what an application calls, what a restart
 * settles. */
#include "tests/rm/file/scene.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktm_file.h"
#include "wdm.h"

static const enum ktm_rm_mode modes[] = {KTM_RM_THREAD, KTM_RM_PUMP, KTM_RM_CALLBACKS};

static void
build(void)
{
    scene_mkdir("d");
    scene_write("a", "alpha\n");
    scene_write("d/b", "beta\n");
}

static struct ktm_file_rm *
files_open(enum ktm_rm_mode mode)
{
    struct ktm_file_options options = {.mode = mode};
    struct ktm_file_rm *rm;
    char why[1024];
    NTSTATUS status = ktm_file_open(NULL, scene_home(), &options, why, sizeof(why), &rm);

    if (status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "%s: %s", status_name(status), why);
    return rm;
}

static struct ktm_file_content
text(const char *content)
{
    return ktm_file_bytes(content, strlen(content));
}

static void
expect_content(const char *path, const char *wanted)
{
    char *got = scene_read(path);

    EXPECT(got);
    EXPECT_TEXT(wanted, got);
    free(got);
}

static void
expect_error(struct ktm_file_tx *tx, const char *part)
{
    char why[1024] = "";

    EXPECT_EQ(strlen(why) ? 0 : ktm_file_error(tx, why, sizeof(why)), strlen(why));
    if (!strstr(why, part))
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why, part);
}

static void
changes(struct ktm_file_tx *tx)
{
    EXPECT_OK(ktm_file_put(tx, scene_path("a"), KTM_FILE_MODE_KEEP, text("new\n")));
    EXPECT_OK(ktm_file_mkdir(tx, scene_path("e"), KTM_FILE_MODE_KEEP));
    EXPECT_OK(ktm_file_put(tx, scene_path("e/x"), 0600, ktm_file_from(scene_path("a"))));
    EXPECT_OK(ktm_file_append(tx, scene_path("d/b"), text("more\n")));
    EXPECT_OK(ktm_file_rename(tx, scene_path("d/b"), scene_path("d/c"), 0));
}

static void
expect_changed(void)
{
    expect_content("a", "new\n");
    expect_content("e/x", "new\n");
    expect_content("d/c", "beta\nmore\n");
    EXPECT(access(scene_path("d/b"), F_OK) != 0);
    scene_expect_clean();
}

static void
expect_unchanged(void)
{
    expect_content("a", "alpha\n");
    expect_content("d/b", "beta\n");
    EXPECT(access(scene_path("e"), F_OK) != 0);
    scene_expect_clean();
}

TEST(a_transaction_of_its_own_commits_in_every_mode)
{
    EACH (mode, modes) {
        struct ktm_file_tx *tx;
        struct ktm_file_conflict conflict;

        scene_reset(build);
        struct ktm_file_rm *rm = files_open(*mode);
        EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
        changes(tx);
        EXPECT_EQ(KTM_FILE_ACTIVE, ktm_file_state(tx));
        expect_content("a", "alpha\n");
        EXPECT_OK(ktm_file_commit(tx));
        EXPECT_EQ(KTM_FILE_COMMITTED, ktm_file_state(tx));
        EXPECT_STATUS(STATUS_NO_MORE_ENTRIES, ktm_file_conflict(tx, 0, &conflict));
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_file_delete(tx, scene_path("a")));
        expect_error(tx, "committed");
        ktm_file_close(tx);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_file_kit(rm)));
        ktm_file_shut(rm);
        expect_changed();
    }
}

TEST(a_rollback_and_a_close_leave_nothing)
{
    EACH (mode, modes)
        for (int closes = 0; closes < 2; closes++) {
            struct ktm_file_tx *tx;

            scene_reset(build);
            struct ktm_file_rm *rm = files_open(*mode);
            EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
            changes(tx);
            if (!closes) {
                EXPECT_OK(ktm_file_rollback(tx));
                EXPECT_EQ(KTM_FILE_ROLLED_BACK, ktm_file_state(tx));
            }
            ktm_file_close(tx);
            ktm_file_shut(rm);
            expect_unchanged();
        }
}

TEST(a_transaction_of_somebody_else_is_joined_once)
{
    EACH (mode, modes) {
        struct ktm_file_tx *tx, *again;
        HANDLE transaction;

        if (*mode == KTM_RM_PUMP)
            continue;
        scene_reset(build);
        struct ktm_file_rm *rm = files_open(*mode);
        EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL,
                                      ktm_file_tm(rm), 0, 0, 0, NULL, NULL));
        EXPECT_OK(ktm_file_begin(rm, transaction, &tx));
        EXPECT_OK(ktm_file_begin(rm, transaction, &again));
        EXPECT(tx == again);
        changes(tx);
        ktm_file_close(again);
        ktm_file_close(tx);
        EXPECT_OK(NtCommitTransaction(transaction, TRUE));
        NtClose(transaction);
        ktm_file_shut(rm);
        expect_changed();
    }
}

TEST(a_change_by_somebody_else_before_the_vote_aborts)
{
    EACH (mode, modes) {
        struct ktm_file_tx *tx;

        scene_reset(build);
        struct ktm_file_rm *rm = files_open(*mode);
        EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
        changes(tx);
        scene_write("a", "theirs\n");
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_file_commit(tx));
        expect_error(tx, "somebody else");
        expect_error(tx, "/a'");
        EXPECT_EQ(KTM_FILE_ROLLED_BACK, ktm_file_state(tx));
        ktm_file_close(tx);
        ktm_file_shut(rm);
        expect_content("a", "theirs\n");
        expect_content("d/b", "beta\n");
        scene_expect_clean();
    }
}

TEST(nothing_changed_votes_read_only)
{
    struct ktm_file_tx *tx;
    struct ktm_file_info info;
    char content[16];
    size_t got;

    scene_reset(build);
    struct ktm_file_rm *rm = files_open(KTM_RM_CALLBACKS);
    EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
    EXPECT_OK(ktm_file_stat(tx, scene_path("a"), &info));
    EXPECT_EQ(6, info.size);
    EXPECT_OK(ktm_file_read(tx, scene_path("a"), 1, content, sizeof(content), &got));
    EXPECT_EQ(5, got);
    EXPECT_OK(ktm_file_expect_exists(tx, scene_path("a")));
    EXPECT_OK(ktm_file_commit(tx));
    EXPECT_EQ(KTM_FILE_COMMITTED, ktm_file_state(tx));
    ktm_file_close(tx);

    EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
    EXPECT_OK(ktm_file_expect_exists(tx, scene_path("a")));
    scene_write("a", "theirs, and longer\n");
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, ktm_file_commit(tx));
    expect_error(tx, "somebody else");
    ktm_file_close(tx);
    ktm_file_shut(rm);
}

TEST(two_transactions_conflict_on_one_path)
{
    struct ktm_file_tx *one, *other;

    scene_reset(build);
    struct ktm_file_rm *rm = files_open(KTM_RM_CALLBACKS);
    EXPECT_OK(ktm_file_begin(rm, NULL, &one));
    EXPECT_OK(ktm_file_begin(rm, NULL, &other));
    EXPECT_OK(ktm_file_put(one, scene_path("d/b"), KTM_FILE_MODE_KEEP, text("1")));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, ktm_file_delete(other, scene_path("d/b")));
    expect_error(other, "is being changed by transaction");
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT,
                  ktm_file_rename(other, scene_path("d"), scene_path("e"), 0));
    EXPECT_OK(ktm_file_put(other, scene_path("d/c"), KTM_FILE_MODE_KEEP, text("2")));
    EXPECT_OK(ktm_file_commit(one));
    EXPECT_OK(ktm_file_append(other, scene_path("d/b"), text("2")));
    EXPECT_OK(ktm_file_commit(other));
    ktm_file_close(one);
    ktm_file_close(other);
    ktm_file_shut(rm);
    expect_content("d/b", "12");
    scene_expect_clean();
}

/* ---- a second process ---- */

TEST(a_home_belongs_to_one_process)
{
    struct ktm_file_rm *rm;
    char why[1024] = "";
    int status;
    pid_t child;

    scene_reset(build);
    rm = files_open(KTM_RM_CALLBACKS);
    child = fork();
    if (child == 0) {
        struct ktm_file_rm *second;
        NTSTATUS got = ktm_file_open(NULL, scene_home(), NULL, why, sizeof(why), &second);

        _exit(got == STATUS_SHARING_VIOLATION && strstr(why, "another process") ? 0 : 1);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    ktm_file_shut(rm);
    EXPECT_EQ(0, status);
}

/* A child that is killed between the vote of the files and the decision, or after it: it has a
 * second, volatile participant that stops there. */
struct stopper {
    bool at_commit, files_first;
};

static enum ktm_rm_answer
stop_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct stopper *stopper = context;

    (void)work;
    (void)key;
    if (!stopper->at_commit)
        raise(SIGKILL);
    return KTM_RM_DONE;
}

static enum ktm_rm_answer
stop_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    (void)context;
    (void)work;
    (void)key;
    raise(SIGKILL);
    return KTM_RM_DONE;
}

/* Who begins finishes after those who do not, as the files: only here it is before them. */
static void
stop_begin(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN is_commit)
{
    const struct stopper *stopper = context;

    (void)work;
    (void)key;
    if (!stopper->files_first && is_commit == stopper->at_commit)
        raise(SIGKILL);
}

static NTSTATUS
stop_make(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)key;
    *work = argument;
    return STATUS_SUCCESS;
}

/* More than the TM is given to keep: the intent is in the home. */
static void
changes_many(struct ktm_file_tx *tx)
{
    char name[64];

    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "d/one of many files %u", i);
        EXPECT_OK(ktm_file_put(tx, scene_path(name), 0600, text("many")));
    }
}

/* 'files_first' puts the files before the stopper in each phase. */
static void
child_run(bool at_commit, bool files_first, bool many)
{
    static const GUID guid = {.Data1 = 77};
    static const struct ktm_rm_author author = {.begin = stop_begin,
                                                .prepare = stop_prepare,
                                                .commit = stop_commit,
                                                .rollback = stop_commit};
    struct stopper stopper = {.at_commit = at_commit, .files_first = files_first};
    struct ktm_rm_options options = {.identity = &guid,
                                     .incarnation = 1,
                                     .author = &author,
                                     .context = &stopper,
                                     .mode = KTM_RM_CALLBACKS,
                                     .is_volatile = TRUE};
    struct ktm_file_rm *files = files_open(KTM_RM_CALLBACKS);
    struct ktm_file_tx *tx;
    struct ktm_rm *stop;
    HANDLE transaction;
    void *work;

    EXPECT_OK(ktm_rm_open(ktm_file_tm(files), &options, &stop));
    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL,
                                  ktm_file_tm(files), 0, 0, 0, NULL, NULL));
    if (!files_first)
        EXPECT_OK(ktm_rm_enlist(stop, transaction, stop_make, &stopper, &work));
    EXPECT_OK(ktm_file_begin(files, transaction, &tx));
    if (files_first)
        EXPECT_OK(ktm_rm_enlist(stop, transaction, stop_make, &stopper, &work));
    changes(tx);
    if (many)
        changes_many(tx);
    NtCommitTransaction(transaction, TRUE);
    _exit(1); /* not reached */
}

static void
count_report(void *context, const struct ktm_file_report *report)
{
    size_t *counts = context;

    EXPECT_TEXT("", report->error);
    EXPECT_EQ(0, report->conflict_count);
    counts[report->state]++;
}

TEST(a_restart_settles_what_a_kill_left)
{
    static const struct {
        bool at_commit, files_first;
    } kills[] = {{false, true}, {true, false}, {true, true}, {false, false}};

    EACH (kill, kills) {
        size_t counts[4] = {0};
        int status;

        scene_reset(build);
        pid_t child = fork();
        if (child == 0)
            child_run(kill->at_commit, kill->files_first, false);
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        struct ktm_file_rm *rm = files_open(KTM_RM_CALLBACKS);
        ktm_file_recovered(rm, count_report, counts);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_file_kit(rm)));
        ktm_file_shut(rm);
        if (kill->at_commit) {
            expect_changed();
            EXPECT_EQ(!kill->files_first, counts[KTM_FILE_COMMITTED]);
        } else {
            expect_unchanged();
            EXPECT_EQ(kill->files_first, counts[KTM_FILE_ROLLED_BACK]);
        }
        /* And once more: nothing is left to do. */
        memset(counts, 0, sizeof(counts));
        rm = files_open(KTM_RM_THREAD);
        ktm_file_recovered(rm, count_report, counts);
        EXPECT_EQ(0, counts[0] + counts[1] + counts[2] + counts[3]);
        ktm_file_shut(rm);
    }
}

TEST(a_damaged_intent_is_told_and_left_alone)
{
    char path[8192], why[1024] = "";
    int status, fd;

    scene_reset(build);
    pid_t child = fork();
    if (child == 0)
        child_run(true, false, true); /* decided, and nothing performed yet */
    EXPECT(waitpid(child, &status, 0) == child);
    snprintf(path, sizeof(path),
             "cd '%s/file' && ls *.promise >/dev/null && "
             "printf x | dd of=$(ls *.promise) bs=1 seek=90 conv=notrunc 2>&1 "
             ">/dev/null",
             scene_home());
    EXPECT(system(path) == 0);
    (void)fd;
    struct ktm_file_rm *rm;
    EXPECT_OK(ktm_file_open(NULL, scene_home(), NULL, why, sizeof(why), &rm));
    EXPECT_EQ(1, ktm_rm_unfinished(ktm_file_kit(rm)));
    expect_content("a", "alpha\n");
    ktm_file_shut(rm);
}

/* ---- committed, and killed before the log forgets ---- */

static void
commit_and_die(unsigned files)
{
    struct ktm_file_rm *rm = files_open(KTM_RM_CALLBACKS);
    struct ktm_file_tx *tx;
    char name[64];

    EXPECT_OK(ktm_file_begin(rm, NULL, &tx));
    for (unsigned i = 0; i < files; i++) {
        snprintf(name, sizeof(name), "d/%u", i);
        EXPECT_OK(ktm_file_put(tx, scene_path(name), 0600, text("new\n")));
    }
    EXPECT_OK(ktm_file_commit(tx));
    EXPECT_EQ(KTM_FILE_COMMITTED, ktm_file_state(tx));
    raise(SIGKILL);
}

/* By one rename, with the TM's log, with the home's. */
TEST(what_was_committed_is_not_asked_for_again_after_a_kill)
{
    static const unsigned counts[] = {1, 3, 200};

    EACH (count, counts) {
        size_t reports[4] = {0};
        struct ktm_file_rm *rm;
        int status;

        scene_reset(build);
        pid_t child = fork();
        if (child == 0)
            commit_and_die(*count);
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        expect_content("d/0", "new\n");
        /* The user goes on, without us. */
        EXPECT(rename(scene_path("d"), scene_path("elsewhere")) == 0);
        rm = files_open(KTM_RM_CALLBACKS);
        EXPECT_EQ(0, ktm_rm_unfinished(ktm_file_kit(rm)));
        ktm_file_recovered(rm, count_report, reports);
        EXPECT_EQ(0, reports[0] + reports[1] + reports[2] + reports[3]);
        ktm_file_shut(rm);
        scene_expect_clean();
    }
}
