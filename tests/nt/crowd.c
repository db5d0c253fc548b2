/* SPDX-License-Identifier: MIT */
/* Many at once: thousands of enlistments of one resource manager in one transaction, sixteen
 * threads over shared resource managers, callbacks that do more than answer. */
#include "tests/nt/kit.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- 4096 enlistments ---- */

enum { MANY = 4096 };

static struct {
    HANDLE en[MANY];
    unsigned told[MANY]; /* how often, by key */
    uint32_t what[MANY];
    unsigned answered;
} many;

static unsigned
index_of(void *key)
{
    return (unsigned)((uintptr_t)key - 1);
}

static NTSTATUS
answers_all(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
            ULONG length, PVOID argument)
{
    (void)rm_key, (void)clock, (void)length, (void)argument;
    if (!key)
        return STATUS_SUCCESS; /* LAST_RECOVER */
    many.told[index_of(key)]++;
    many.what[index_of(key)] |= what;
    many.answered++;
    switch (what) {
    case PREPARE:
        return TmPrepareComplete(enlistment, NULL);
    case COMMIT:
        return TmCommitComplete(enlistment, NULL);
    default:
        return TmRollbackComplete(enlistment, NULL);
    }
}

static HANDLE
tx_with_many(HANDLE tm, HANDLE rm)
{
    HANDLE tx = new_tx(tm);

    memset(&many, 0, sizeof(many));
    for (unsigned i = 0; i < MANY; i++)
        many.en[i] = new_en(rm, tx, MASK_TWO, (void *)(uintptr_t)(i + 1));
    return tx;
}

static void
close_many(HANDLE tx)
{
    for (unsigned i = 0; i < MANY; i++)
        close_handle(many.en[i]);
    close_handle(tx);
}

static void
expect_many_told(uint32_t what, unsigned times)
{
    for (unsigned i = 0; i < MANY; i++) {
        EXPECT_EQ(what, many.what[i]);
        EXPECT_EQ(times, many.told[i]);
    }
}

TEST(one_rm_enlists_4096_times_and_is_called_back) /* ENL-CREATE-06 NOTIF-04 NOTIF-06 LIVE-01 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx;

    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), answers_all, NULL));
    tx = tx_with_many(tm, rm);
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    expect_many_told(PREPARE | COMMIT, 2);
    EXPECT_OUTCOME(Committed, tx);
    close_many(tx);
    tx = tx_with_many(tm, rm);
    EXPECT_OK(NtRollbackTransaction(tx, TRUE));
    expect_many_told(ROLLBACK, 1);
    EXPECT_OUTCOME(Aborted, tx);
    close_many(tx);
}

static void
answer_queue(HANDLE rm, ULONG what, answer_routine *answer)
{
    struct note note;

    for (unsigned i = 0; i < MANY; i++) { /* in order of enlistment [NOTIF-04] */
        note = note_expect(__FILE__, __LINE__, rm, (void *)(uintptr_t)(i + 1), what);
        EXPECT(NT_SUCCESS(answer(many.en[index_of(note.key)], NULL)));
    }
    (void)note;
}

/* Their COMMIT record fits into a block of the log, or the transaction is aborted for it. */
TEST(one_durable_rm_enlists_4096_times_and_has_a_queue) /* NOTIF-04 TX-COMMIT-24 LIVE-01 */
{
    HANDLE tm = new_logged_tm("many"), rm = new_durable_rm(tm, 1), tx = tx_with_many(tm, rm);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    answer_queue(rm, PREPARE, NtPrepareComplete);
    if (outcome_of(tx) == TransactionOutcomeCommitted) {
        answer_queue(rm, COMMIT, NtCommitComplete);
    } else {
        EXPECT_OUTCOME(Aborted, tx);
        EXPECT_STATUS(STATUS_TRANSACTION_RECORD_TOO_LONG, NtCommitTransaction(tx, FALSE));
        answer_queue(rm, ROLLBACK, NtRollbackComplete);
    }
    EXPECT_QUIET(rm);
    EXPECT(is_signalled(tx));
    close_many(tx);
}

/* ---- sixteen threads over shared resource managers ---- */

enum { CROWD = 16, TURNS = 40, SHARED = 4 };

static bool is_durable;
static HANDLE shared_tm, shared_rm[SHARED];
static _Atomic unsigned commits, rollbacks, inner, nested;

struct work {
    uint64_t random;
    HANDLE tx, en[2], side; /* side: another transaction, committed inside a callback */
    _Atomic unsigned told_commit, told_rollback;
    bool votes_no, closes;
};

static uint32_t
below(struct work *work, uint32_t n)
{
    work->random = work->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(work->random >> 33) % n;
}

/* A whole transaction inside the callback of another one, over the same resource managers. */
static void
commit_inside(void)
{
    HANDLE tx = new_tx(shared_tm), en = new_en(shared_rm[0], tx, MASK_LATE, NULL);

    EXPECT_OK(NtCommitTransaction(tx, FALSE));
    EXPECT_OUTCOME(Committed, tx);
    close_handle(en);
    close_handle(tx);
    inner++;
}

static void
meddle(struct work *work, ULONG what)
{
    if (what == PREPARE && below(work, 4) == 0)
        commit_inside();
    if (what == COMMIT && work->side) {
        HANDLE side = work->side;

        work->side = NULL;
        EXPECT_OK(NtCommitTransaction(side, TRUE)); /* of another transaction, and it waits */
        close_handle(side);
    }
    if (what == COMMIT && work->closes && work->en[1]) {
        HANDLE en = work->en[1];

        work->en[1] = NULL;
        close_handle(en); /* counts as its answer [CLOSE-EN-06] */
    }
}

static NTSTATUS
answers_crowd(PKENLISTMENT enlistment, struct work *work, ULONG what)
{
    if (!work)
        return what == COMMIT     ? TmCommitComplete(enlistment, NULL)
               : what == ROLLBACK ? TmRollbackComplete(enlistment, NULL)
                                  : STATUS_SUCCESS;
    if (what == PREPARE && work->votes_no)
        return TmRollbackEnlistment(enlistment, NULL);
    meddle(work, what);
    switch (what) {
    case PREPREPARE:
        return TmPrePrepareComplete(enlistment, NULL);
    case PREPARE:
        return TmPrepareComplete(enlistment, NULL);
    case COMMIT:
        work->told_commit++;
        (void)TmCommitComplete(enlistment, NULL); /* refused, if its handle was just closed */
        return STATUS_SUCCESS;
    default:
        work->told_rollback++;
        return TmRollbackComplete(enlistment, NULL);
    }
}

static NTSTATUS
serves_crowd(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
             ULONG length, PVOID argument)
{
    static _Thread_local unsigned depth;
    NTSTATUS status;

    (void)rm_key, (void)clock, (void)length, (void)argument;
    nested += depth++ > 0;
    status = answers_crowd(enlistment, key, what);
    depth--;
    return status;
}

static void
one_turn(struct work *work)
{
    NTSTATUS status;

    work->tx = new_tx(shared_tm);
    work->side = new_tx(shared_tm);
    work->told_commit = work->told_rollback = 0;
    work->votes_no = below(work, 5) == 0;
    work->closes = !is_durable && below(work, 3) == 0; /* a durable one would have to come back */
    for (int i = 0; i < 2; i++)
        work->en[i] = new_en(shared_rm[below(work, SHARED)], work->tx, MASK_FULL, work);
    status = below(work, 6) ? NtCommitTransaction(work->tx, TRUE)
                            : NtRollbackTransaction(work->tx, TRUE);
    if (outcome_of(work->tx) == TransactionOutcomeCommitted) {
        EXPECT_OK(status);
        EXPECT(work->told_commit >= 1 && work->told_rollback == 0); /* INV-01 */
        commits++;
    } else {
        EXPECT_OUTCOME(Aborted, work->tx);
        EXPECT_EQ(0, work->told_commit);
        rollbacks++;
    }
    EXPECT(is_signalled(work->tx));
    for (int i = 0; i < 2; i++)
        if (work->en[i])
            close_handle(work->en[i]);
    if (work->side)
        close_handle(work->side);
    close_handle(work->tx);
}

static void *
works(void *argument)
{
    struct work work = {.random = (uintptr_t)argument + 1};

    for (int turn = 0; turn < TURNS; turn++)
        one_turn(&work);
    return NULL;
}

static void
crowd(void)
{
    pthread_t threads[CROWD];
    KTMOBJECT_CURSOR cursor = {0};
    ULONG length;

    commits = rollbacks = inner = nested = 0;
    shared_tm = is_durable ? new_logged_tm("crowd") : new_volatile_tm();
    for (unsigned i = 0; i < SHARED; i++) {
        shared_rm[i] = is_durable ? new_durable_rm(shared_tm, i) : new_volatile_rm(shared_tm);
        EXPECT_OK(TmEnableCallbacks(pointer_to(shared_rm[i]), serves_crowd, NULL));
    }
    for (uintptr_t i = 0; i < CROWD; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, works, (void *)i));
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_join(*thread, NULL));
    EXPECT_EQ(CROWD * TURNS, commits + rollbacks);
    EXPECT(commits && rollbacks && inner && nested); /* NOTIF-06: they do nest */
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(shared_tm, KTMOBJECT_TRANSACTION, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(0, cursor.ObjectIdCount);
}

TEST(
    sixteen_threads_over_shared_rms_with_callbacks_that_meddle) /* NOTIF-06 GEN-11 INV-01 LIVE-01 */
{
    is_durable = false;
    crowd();
}

TEST(sixteen_threads_over_shared_durable_rms) /* NOTIF-06 GEN-11 INV-01 INV-04 LIVE-01 */
{
    is_durable = true;
    crowd();
}
