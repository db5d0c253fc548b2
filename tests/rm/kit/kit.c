/* SPDX-License-Identifier: MIT */
/*
 * The kit with an author that does nothing but write down what it is asked: in which order, how
 * often, and what becomes of the transaction after each kind of answer.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guid.h"
#include "ktm_rm.h"
#include "sys/thread.h"
#include "tests/test.h"
#include "wdm.h"

static const enum ktm_rm_mode modes[] = {KTM_RM_THREAD, KTM_RM_PUMP, KTM_RM_CALLBACKS,
                                         KTM_RM_HELPED};

static bool
needs_nobody(enum ktm_rm_mode mode)
{
    return mode == KTM_RM_THREAD || mode == KTM_RM_HELPED;
}
static const GUID identity = {.Data1 = 0x51}, other_identity = {.Data1 = 0x52};

/* One resource manager of paper. */
struct paper {
    pthread_mutex_t mutex;
    char said[256]; /* p, c, r, f, h as the author was called; capital with work NULL */
    enum ktm_rm_answer prepare, commit, rollback;
    unsigned refuse;                   /* so many commits and rollbacks are not possible */
    const struct ktm_rm_key *in_doubt; /* what it finds left */
    size_t in_doubt_count;
    struct ktm_rm_key last, enlisted;
};

static void
say(struct paper *paper, char letter, const void *work, const struct ktm_rm_key *key)
{
    pthread_mutex_lock(&paper->mutex);
    size_t size = strlen(paper->said);
    EXPECT(size + 1 < sizeof(paper->said));
    paper->said[size] = work ? letter : (char)(letter - 'a' + 'A');
    paper->said[size + 1] = '\0';
    if (key)
        paper->last = *key;
    pthread_mutex_unlock(&paper->mutex);
}

static enum ktm_rm_answer
paper_prepare(void *context, void *work, const struct ktm_rm_key *key)
{
    struct paper *paper = context;

    say(paper, 'p', work, key);
    return paper->prepare;
}

static enum ktm_rm_answer
finish(struct paper *paper, enum ktm_rm_answer answer)
{
    if (paper->refuse == 0)
        return answer;
    paper->refuse--;
    return KTM_RM_RETRY;
}

static enum ktm_rm_answer
paper_commit(void *context, void *work, const struct ktm_rm_key *key)
{
    struct paper *paper = context;

    say(paper, 'c', work, key);
    return finish(paper, paper->commit);
}

static enum ktm_rm_answer
paper_rollback(void *context, void *work, const struct ktm_rm_key *key)
{
    struct paper *paper = context;

    say(paper, 'r', work, key);
    return finish(paper, paper->rollback);
}

static NTSTATUS
paper_list(void *context, ktm_rm_each_key *each, void *list)
{
    struct paper *paper = context;

    for (size_t i = 0; i < paper->in_doubt_count; i++)
        each(list, &paper->in_doubt[i]);
    return STATUS_SUCCESS;
}

static void
paper_forget(void *context, void *work)
{
    say(context, 'f', work, NULL);
}

static void
paper_hold(void *context, void *work)
{
    say(context, 'h', work, NULL);
}

static void
paper_enlisted(void *context, void *work, const struct ktm_rm_key *key)
{
    struct paper *paper = context;

    (void)work;
    pthread_mutex_lock(&paper->mutex);
    paper->enlisted = *key;
    pthread_mutex_unlock(&paper->mutex);
}

static const struct ktm_rm_author author = {.prepare = paper_prepare,
                                            .commit = paper_commit,
                                            .rollback = paper_rollback,
                                            .list_in_doubt = paper_list,
                                            .forget = paper_forget,
                                            .hold = paper_hold,
                                            .enlisted = paper_enlisted};

static struct paper
paper_blank(void)
{
    return (struct paper){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

static struct ktm_rm_options
options_of(struct paper *paper, enum ktm_rm_mode mode)
{
    return (struct ktm_rm_options){.identity = &identity,
                                   .incarnation = 2,
                                   .description = "paper",
                                   .author = &author,
                                   .context = paper,
                                   .mode = mode,
                                   .patience_ms = UINT32_MAX};
}

static HANDLE
tm_open(void)
{
    char home[4096];
    HANDLE tm;

    snprintf(home, sizeof(home), "%s/deep/home", test_directory());
    EXPECT_OK(ktm_tm_open(home, &tm));
    return tm;
}

/* "1c." for each that was left: 1 for a number of the tests, else x; 'c' or 'r', and '!' when it is
 * not finished. */
static void
tell_recovered(void *context, const struct ktm_rm_recovered *recovered)
{
    sprintf((char *)context + strlen(context), "%s%c%c",
            recovered->transaction.Data1 < 10 ? "1" : "x", recovered->is_committed ? 'c' : 'r',
            recovered->is_finished ? '.' : '!');
}

static void
expect_recovered(struct ktm_rm *rm, const char *wanted)
{
    char told[64] = "";

    ktm_rm_recovered(rm, tell_recovered, told);
    EXPECT_TEXT(wanted, told);
}

static struct ktm_rm *
rm_open(HANDLE tm, struct paper *paper, enum ktm_rm_mode mode)
{
    struct ktm_rm_options options = options_of(paper, mode);
    struct ktm_rm *rm;

    EXPECT_OK(ktm_rm_open(tm, &options, &rm));
    return rm;
}

static HANDLE
tx_open(HANDLE tm)
{
    HANDLE tx;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    return tx;
}

static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    EXPECT_EQ(2, key->incarnation);
    EXPECT(memcmp(&key->manager, &identity, sizeof(GUID)) == 0);
    *work = argument;
    return STATUS_SUCCESS;
}

static NTSTATUS
make_fails(void *argument, const struct ktm_rm_key *key, void **work)
{
    (void)argument;
    (void)key;
    (void)work;
    return STATUS_DISK_FULL;
}

/* Commits or rolls back and serves until it is over. */
static NTSTATUS
end(struct ktm_rm *rm, HANDLE tx, enum ktm_rm_mode mode, bool commit)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    TRANSACTION_BASIC_INFORMATION info;
    NTSTATUS status;

    if (needs_nobody(mode))
        return commit ? NtCommitTransaction(tx, TRUE) : NtRollbackTransaction(tx, TRUE);
    status = commit ? NtCommitTransaction(tx, FALSE) : NtRollbackTransaction(tx, FALSE);
    EXPECT(NT_SUCCESS(status) || status == STATUS_TRANSACTION_ALREADY_ABORTED);
    while (NtWaitForSingleObject(tx, FALSE, &now) == STATUS_TIMEOUT)
        EXPECT_OK(ktm_rm_run(rm, 30));
    EXPECT_OK(ktm_rm_run(rm, 0));
    EXPECT_OK(
        NtQueryInformationTransaction(tx, TransactionBasicInformation, &info, sizeof(info), NULL));
    return (info.Outcome == TransactionOutcomeCommitted) == commit
               ? STATUS_SUCCESS
               : STATUS_TRANSACTION_ALREADY_ABORTED;
}

static bool
was_forgotten(struct paper *paper)
{
    pthread_mutex_lock(&paper->mutex);
    bool was = strchr(paper->said, 'f') != NULL;
    pthread_mutex_unlock(&paper->mutex);
    return was;
}

/* Until the author was told to forget: nobody waits for that. */
static void
settle(struct ktm_rm *rm, struct paper *paper, enum ktm_rm_mode mode)
{
    for (int i = 0; i < 2000 && !was_forgotten(paper); i++)
        if (needs_nobody(mode))
            usleep(500);
        else
            EXPECT_OK(ktm_rm_run(rm, 1));
}

static const struct {
    enum ktm_rm_answer prepare;
    unsigned refuse;
    bool commit;
    NTSTATUS status;
    const char *said;
} lives[] = {
    {KTM_RM_DONE, 0, true, STATUS_SUCCESS, "hpcf"},
    {KTM_RM_DONE, 2, true, STATUS_SUCCESS, "hpcccf"},
    {KTM_RM_READ_ONLY, 0, true, STATUS_SUCCESS, "hpf"},
    {KTM_RM_NO, 0, true, STATUS_TRANSACTION_ALREADY_ABORTED, "hpf"},
    {KTM_RM_RETRY, 0, true, STATUS_TRANSACTION_ALREADY_ABORTED, "hpf"},
    {KTM_RM_DONE, 0, false, STATUS_SUCCESS, "hrf"},
    {KTM_RM_DONE, 1, false, STATUS_SUCCESS, "hrrf"},
};

TEST(the_author_is_asked_in_order_and_answers_become_outcomes)
{
    EACH (mode, modes)
        EACH (life, lives) {
            struct paper paper = paper_blank();
            HANDLE tm = tm_open(), tx = tx_open(tm);
            struct ktm_rm *rm = rm_open(tm, &paper, *mode);
            void *work;

            paper.prepare = life->prepare;
            paper.refuse = life->refuse;
            EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
            EXPECT(work == &paper);
            EXPECT_STATUS(life->status, end(rm, tx, *mode, life->commit));
            settle(rm, &paper, *mode);
            EXPECT_TEXT(life->said, paper.said);
            EXPECT_EQ(0, ktm_rm_unfinished(rm));
            NtClose(tx);
            ktm_rm_close(rm);
            NtClose(tm);
            EXPECT_TEXT(life->said, paper.said);
        }
}

TEST(a_transaction_is_enlisted_in_once)
{
    EACH (mode, modes) {
        struct paper paper = paper_blank();
        HANDLE tm = tm_open(), tx = tx_open(tm);
        struct ktm_rm *rm = rm_open(tm, &paper, *mode);
        TRANSACTION_ENLISTMENTS_INFORMATION info;
        void *work, *again;

        EXPECT_STATUS(STATUS_DISK_FULL, ktm_rm_enlist(rm, tx, make_fails, NULL, &work));
        EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
        EXPECT_OK(ktm_rm_enlist(rm, tx, make_fails, NULL, &again));
        EXPECT(work == again);
        EXPECT_OK(NtQueryInformationTransaction(tx, TransactionEnlistmentInformation, &info,
                                                sizeof(info), NULL));
        EXPECT_EQ(1, info.NumberOfEnlistments);
        EXPECT_OK(end(rm, tx, *mode, true));
        settle(rm, &paper, *mode);
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, ktm_rm_enlist(rm, tx, make, &paper, &again));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, ktm_rm_enlist(rm, NULL, make, &paper, &again));
        EXPECT_TEXT("hhpcfhff", paper.said);
        NtClose(tx);
        ktm_rm_close(rm);
        NtClose(tm);
    }
}

struct crowd {
    struct ktm_rm *rm;
    HANDLE tx;
    struct paper *paper;
    _Atomic int made;
};

static NTSTATUS
make_counted(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct crowd *crowd = argument;

    (void)key;
    atomic_fetch_add(&crowd->made, 1);
    usleep(1000);
    *work = crowd->paper;
    return STATUS_SUCCESS;
}

static void
enlist_in_crowd(void *context)
{
    struct crowd *crowd = context;
    void *work;

    EXPECT_OK(ktm_rm_enlist(crowd->rm, crowd->tx, make_counted, crowd, &work));
    EXPECT(work == crowd->paper);
}

TEST(threads_that_enlist_at_once_share_one_work)
{
    for (int round = 0; round < 20; round++) {
        struct paper paper = paper_blank();
        HANDLE tm = tm_open(), tx = tx_open(tm);
        struct ktm_rm *rm = rm_open(tm, &paper, KTM_RM_CALLBACKS);
        struct crowd crowd = {.rm = rm, .tx = tx, .paper = &paper};
        struct sys_thread *threads[4];

        EACH (thread, threads)
            EXPECT_OK(sys_thread_start("crowd", enlist_in_crowd, &crowd, thread));
        EACH (thread, threads)
            sys_thread_join(*thread);
        EXPECT_EQ(1, crowd.made);
        EXPECT_OK(NtCommitTransaction(tx, TRUE));
        NtClose(tx);
        ktm_rm_close(rm);
        NtClose(tm);
        EXPECT_TEXT("hhhhpcf", paper.said);
    }
}

TEST(a_close_rolls_back_what_is_open)
{
    EACH (mode, modes) {
        struct paper paper = paper_blank();
        HANDLE tm = tm_open(), tx = tx_open(tm);
        struct ktm_rm *rm = rm_open(tm, &paper, *mode);
        TRANSACTION_BASIC_INFORMATION info;
        void *work;

        EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
        ktm_rm_close(rm);
        EXPECT_TEXT("hrf", paper.said);
        EXPECT_OK(NtQueryInformationTransaction(tx, TransactionBasicInformation, &info,
                                                sizeof(info), NULL));
        EXPECT_EQ(TransactionOutcomeAborted, info.Outcome); /* CLOSE-RM-01 */
        NtClose(tx);
        NtClose(tm);
    }
}

TEST(without_patience_the_transaction_ends_and_recovery_finishes_it)
{
    EACH (mode, modes) {
        struct paper paper = paper_blank();
        struct ktm_rm_options options = options_of(&paper, *mode);
        HANDLE tm = tm_open(), tx = tx_open(tm);
        struct ktm_rm *rm;
        void *work;

        options.patience_ms = 0;
        paper.refuse = 1;
        EXPECT_OK(ktm_rm_open(tm, &options, &rm));
        EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
        EXPECT_OK(end(rm, tx, *mode, true)); /* CLOSE-EN-06 */
        EXPECT_EQ(1, ktm_rm_unfinished(rm));
        expect_recovered(rm, ""); /* of this run */
        NtClose(tx);
        ktm_rm_close(rm);
        EXPECT_TEXT("hpcf", paper.said);

        options.incarnation++;
        EXPECT_OK(ktm_rm_open(tm, &options, &rm));
        EXPECT_TEXT("hpcfC", paper.said); /* RECOV-29 */
        EXPECT_EQ(0, ktm_rm_unfinished(rm));
        expect_recovered(rm, "xc.");
        ktm_rm_close(rm);
        options.incarnation++;
        EXPECT_OK(ktm_rm_open(tm, &options, &rm));
        EXPECT_TEXT("hpcfC", paper.said);
        ktm_rm_close(rm);
        NtClose(tm);
    }
}

TEST(what_nobody_knows_is_rolled_back_if_it_is_ours_and_old)
{
    EACH (mode, modes) {
        const struct ktm_rm_key keys[] = {
            {.transaction = {.Data1 = 1}, .manager = identity, .incarnation = 1},
            {.transaction = {.Data1 = 2}, .manager = identity, .incarnation = 2}, /* of this run */
            {.transaction = {.Data1 = 3}, .manager = other_identity, .incarnation = 1},
        };
        struct paper paper = paper_blank();
        HANDLE tm = tm_open();

        paper.in_doubt = keys;
        paper.in_doubt_count = ARRAY_SIZE(keys);
        struct ktm_rm *rm = rm_open(tm, &paper, *mode);
        EXPECT_TEXT("R", paper.said);
        EXPECT_EQ(1, paper.last.transaction.Data1);
        EXPECT_EQ(0, ktm_rm_unfinished(rm));
        expect_recovered(rm, "1r.");
        ktm_rm_close(rm);
        paper.refuse = 1;
        rm = rm_open(tm, &paper, *mode);
        EXPECT_TEXT("RR", paper.said);
        EXPECT_EQ(1, ktm_rm_unfinished(rm));
        expect_recovered(rm, "1r!");
        ktm_rm_close(rm);
        NtClose(tm);
    }
}

/* Names made before the enlistment do not have it; each of them is one all the same. */
TEST(keys_without_an_enlistment_are_told_apart_by_the_transaction)
{
    const struct ktm_rm_key keys[] = {
        {.transaction = {.Data1 = 1}, .manager = identity, .incarnation = 1},
        {.transaction = {.Data1 = 2}, .manager = identity, .incarnation = 1},
        {.transaction = {.Data1 = 3}, .manager = identity, .incarnation = 1},
    };
    struct paper paper = paper_blank();
    HANDLE tm = tm_open();
    struct ktm_rm *rm;

    paper.in_doubt = keys;
    paper.in_doubt_count = ARRAY_SIZE(keys);
    rm = rm_open(tm, &paper, KTM_RM_THREAD);
    EXPECT_TEXT("RRR", paper.said);
    ktm_rm_close(rm);
    NtClose(tm);
}

TEST(who_is_enlisted_is_told_the_whole_key)
{
    struct paper paper = paper_blank();
    HANDLE tm = tm_open(), tx = tx_open(tm);
    struct ktm_rm *rm = rm_open(tm, &paper, KTM_RM_CALLBACKS);
    void *work;

    EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    EXPECT(!guid_is_zero(&paper.enlisted.enlistment));
    EXPECT_BYTES(&paper.last, &paper.enlisted, sizeof(paper.last)); /* as at the vote */
    NtClose(tx);
    ktm_rm_close(rm);
    NtClose(tm);
}

TEST(a_shut_down_settles_everything_and_a_new_start_works)
{
    EACH (mode, modes)
        for (int in_commit = 0; in_commit < 2; in_commit++) {
            struct paper paper = paper_blank();
            HANDLE tm = tm_open(), tx = tx_open(tm), waiting = tx_open(tm);
            struct ktm_rm *rm = rm_open(tm, &paper, *mode);
            LARGE_INTEGER soon = {.QuadPart = -50000000};
            TRANSACTION_BASIC_INFORMATION info;
            NTSTATUS status;
            void *work;

            paper.prepare = in_commit ? KTM_RM_DONE : KTM_RM_SHUT_DOWN;
            paper.commit = KTM_RM_SHUT_DOWN;
            EXPECT_OK(ktm_rm_enlist(rm, waiting, make, &paper, &work));
            EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
            if (*mode == KTM_RM_PUMP) {
                EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
                EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_rm_run(rm, 1000));
            } else {
                status = NtCommitTransaction(tx, TRUE);
                EXPECT_EQ(in_commit ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED, status);
            }
            EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_rm_status(rm));
            EXPECT_STATUS(STATUS_RM_NOT_ACTIVE, ktm_rm_enlist(rm, tx, make, &paper, &work));
            EXPECT_OK(NtWaitForSingleObject(waiting, FALSE, &soon));
            EXPECT_OK(NtQueryInformationTransaction(waiting, TransactionBasicInformation, &info,
                                                    sizeof(info), NULL));
            EXPECT_EQ(TransactionOutcomeAborted, info.Outcome);
            ktm_rm_close(rm);
            NtClose(tx);
            NtClose(waiting);

            paper = paper_blank();
            rm = rm_open(tm, &paper, *mode);
            EXPECT_TEXT(in_commit ? "C" : "", paper.said);
            ktm_rm_close(rm);
            NtClose(tm);
        }
}

TEST(a_time_out_reaches_the_author_once) /* ROLL-TMO-01 */
{
    EACH (mode, modes) {
        struct paper paper = paper_blank();
        LARGE_INTEGER soon = {.QuadPart = -5000000}; /* 0.5 s: it is to enlist before */
        HANDLE tm = tm_open(), tx;
        struct ktm_rm *rm = rm_open(tm, &paper, *mode);
        void *work;

        EXPECT_OK(
            NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, &soon, NULL));
        EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
        settle(rm, &paper, *mode);
        EXPECT_TEXT("hrf", paper.said);
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(tx, TRUE));
        NtClose(tx);
        ktm_rm_close(rm);
        NtClose(tm);
    }
}

static struct ktm_rm_key
commit_halfway(void)
{
    struct paper paper = paper_blank();
    HANDLE tm = tm_open(), tx = tx_open(tm);
    struct ktm_rm *rm = rm_open(tm, &paper, KTM_RM_CALLBACKS);
    void *work;

    paper.refuse = 1; /* the commit is decided, and this RM has not followed */
    EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
    EXPECT_OK(NtCommitTransaction(tx, FALSE));
    return paper.last;
}

TEST(after_a_kill_the_decision_comes_with_the_key)
{
    int status, pipes[2];
    struct ktm_rm_key key;
    struct paper paper = paper_blank();

    EXPECT(test_directory() && pipe(pipes) == 0); /* one directory for both */
    pid_t child = fork();
    if (child == 0) {
        key = commit_halfway();
        EXPECT(write(pipes[1], &key, sizeof(key)) == sizeof(key));
        raise(SIGKILL);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    EXPECT(read(pipes[0], &key, sizeof(key)) == sizeof(key));
    HANDLE tm = tm_open();
    struct ktm_rm_options options = options_of(&paper, KTM_RM_THREAD);
    struct ktm_rm *rm;
    options.incarnation = 3;
    paper.in_doubt = &key; /* still listed: it must not be taken for nobody's */
    paper.in_doubt_count = 1;
    EXPECT_OK(ktm_rm_open(tm, &options, &rm));
    EXPECT_TEXT("C", paper.said);
    EXPECT(memcmp(&key.transaction, &paper.last.transaction, sizeof(GUID)) == 0);
    EXPECT(memcmp(&key.enlistment, &paper.last.enlistment, sizeof(GUID)) == 0);
    ktm_rm_close(rm);
    NtClose(tm);
}

TEST(bad_arguments_are_refused)
{
    struct paper paper = paper_blank();
    struct ktm_rm_options good = options_of(&paper, KTM_RM_THREAD), bad = good;
    struct ktm_rm_author nothing = author;
    HANDLE tm = tm_open();
    struct ktm_rm *rm;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_open(tm, NULL, &rm));
    bad.identity = NULL;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_open(tm, &bad, &rm));
    bad = good;
    bad.mode = 4;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_open(tm, &bad, &rm));
    bad = good;
    nothing.commit = NULL;
    bad.author = &nothing;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_open(tm, &bad, &rm));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ktm_rm_open(NULL, &good, &rm));
    EXPECT_OK(ktm_rm_open(tm, &good, &rm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_rm_run(rm, 0));
    struct ktm_rm *twin;
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, ktm_rm_open(tm, &good, &twin)); /* RM-CREATE-04 */
    ktm_rm_close(rm);
    ktm_rm_close(NULL);
    NtClose(tm);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ktm_tm_open("", &tm));
    EXPECT(ktm_tm_open("/proc/no/such/home", &tm) != STATUS_SUCCESS);
}

TEST(thousands_of_transactions_leave_nothing)
{
    EACH (mode, modes) {
        struct paper paper = paper_blank();
        HANDLE tm = tm_open();
        struct ktm_rm *rm = rm_open(tm, &paper, *mode);

        for (int i = 0; i < 2000; i++) {
            HANDLE tx = tx_open(tm);
            void *work;

            paper.said[0] = '\0';
            paper.prepare = i % 3 ? KTM_RM_READ_ONLY : KTM_RM_DONE;
            EXPECT_OK(ktm_rm_enlist(rm, tx, make, &paper, &work));
            EXPECT_OK(end(rm, tx, *mode, i % 5 != 0));
            NtClose(tx);
            settle(rm, &paper, *mode);
        }
        EXPECT_EQ(0, ktm_rm_unfinished(rm));
        ktm_rm_close(rm);
        NtClose(tm);
    }
}
