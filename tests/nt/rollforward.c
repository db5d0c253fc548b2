/* SPDX-License-Identifier: MIT */
/* Walking through logs by the virtual clock, also through two at once [TM-ROLLFWD, CLOCK-09,
 * CLOCK-11]. */
#include "tests/nt/kit.h"

static ULONGLONG
lsn_of(HANDLE tm)
{
    TRANSACTIONMANAGER_RECOVERY_INFORMATION recovery;

    EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerRecoveryInformation,
                                                   &recovery, sizeof(recovery), NULL));
    return recovery.LastRecoveredLsn;
}

static bool
is_online(HANDLE tm)
{
    return NtSetInformationTransactionManager(tm, TransactionManagerOnlineProbeInformation, NULL,
                                              0) == STATUS_SUCCESS;
}

/* Rolls forward; the LSN of the last record read. */
static ULONGLONG
roll(HANDLE tm, int64_t clock)
{
    EXPECT_OK(NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = clock}));
    EXPECT_EQ(clock, clock_of(tm)); /* TM-ROLLFWD-02 */
    return lsn_of(tm);
}

/* A commit whose RM raises the clock to 'clock' when it promises; 0: it does not. */
static void
commit_at(HANDLE tm, HANDLE rm, int64_t clock)
{
    LARGE_INTEGER raised = {.QuadPart = clock};
    HANDLE tx = new_tx(tm), en = new_en(rm, tx, MASK_TWO, NULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, clock ? &raised : NULL)));
    EXPECT_OUTCOME(Committed, tx);
}

/* ---- one log ---- */

static void
leave_gaps(void)
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1);

    commit_at(tm, rm, 0);  /* 2 */
    commit_at(tm, rm, 10); /* 10 */
    commit_at(tm, rm, 0);  /* 11 */
    commit_at(tm, rm, 40); /* 40 */
}

TEST(a_target_between_two_values_stops_before_the_next) /* TM-ROLLFWD-03 TM-ROLLFWD-09 CLOCK-04 */
{
    ULONGLONG at_two, at_ten, at_eleven;
    HANDLE tm;

    crash_after(leave_gaps);
    tm = attach_tm("tm");
    at_two = roll(tm, 2);
    EXPECT_EQ(at_two, roll(tm, 9));
    at_ten = roll(tm, 10);
    EXPECT(at_ten > at_two);
    at_eleven = roll(tm, 30);
    EXPECT(at_eleven > at_ten);
    EXPECT_EQ(at_eleven, roll(tm, 39));
    EXPECT(!is_online(tm));
    EXPECT(roll(tm, 40) > at_eleven);
    EXPECT(is_online(tm)); /* TM-ROLLFWD-10 */
}

TEST(all_steps_together_are_one_recovery) /* TM-ROLLFWD-03 TM-ROLLFWD-12 RECOV-11 */
{
    static const int64_t steps[] = {1, 2, 3, 10, 11, 12};
    GUID guid = guid_number(1);
    ULONGLONG end;
    HANDLE tm, rm;

    crash_after(leave_gaps);
    tm = attach_tm("tm");
    EACH (step, steps)
        roll(tm, *step);
    EXPECT_OK(NtRecoverTransactionManager(tm)); /* TM-RECOVER-12 */
    end = lsn_of(tm);
    EXPECT_EQ(40, clock_of(tm)); /* CLOCK-09 */
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    for (int i = 0; i < 4; i++)
        EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT(end > 0);
}

TEST(a_walk_that_was_left_is_begun_anew) /* TM-ROLLFWD-09 CLOSE-TM-04 */
{
    ULONGLONG at_ten;
    HANDLE tm;

    crash_after(leave_gaps);
    tm = attach_tm("tm");
    at_ten = roll(tm, 10);
    close_handle(tm);
    tm = attach_tm("tm");
    EXPECT_EQ(0, lsn_of(tm)); /* TM-QUERY-04 */
    EXPECT(roll(tm, 2) < at_ten);
    EXPECT_EQ(at_ten, roll(tm, 10));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_EQ(40, clock_of(tm));
}

/* ---- two logs and a common point ---- */

static int64_t *common; /* the clock of what both took part in */

/* What a coordinator does that passes the higher clock on: examples/superior.c does it too. */
static void
commit_in_both(HANDLE left, HANDLE left_rm, HANDLE right, HANDLE right_rm)
{
    HANDLE left_tx = new_tx(left), right_tx = new_tx(right);
    HANDLE left_en = new_en(left_rm, left_tx, MASK_TWO, NULL);
    HANDLE right_en = new_en(right_rm, right_tx, MASK_TWO, NULL);
    LARGE_INTEGER clock;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(left_tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(right_tx, FALSE));
    clock.QuadPart = clock_of(left) > clock_of(right) ? clock_of(left) : clock_of(right);
    EXPECT(NT_SUCCESS(NtPrepareComplete(left_en, &clock)));
    EXPECT(NT_SUCCESS(NtPrepareComplete(right_en, &clock)));
    *common = clock.QuadPart;
}

static void
leave_two_logs(void)
{
    HANDLE left = new_logged_tm("left"), left_rm = new_durable_rm(left, 1);
    HANDLE right = new_logged_tm("right"), right_rm = new_durable_rm(right, 2);

    for (int i = 0; i < 5; i++)
        commit_at(left, left_rm, 0);
    commit_at(right, right_rm, 0);
    commit_in_both(left, left_rm, right, right_rm);
    EXPECT_EQ(*common, clock_of(left)); /* CLOCK-05 CLOCK-07 */
    EXPECT_EQ(*common, clock_of(right));
    for (int i = 0; i < 3; i++) {
        commit_at(left, left_rm, 0);
        commit_at(right, right_rm, 0);
    }
}

TEST(two_logs_are_rolled_forward_to_a_common_point) /* CLOCK-11 TM-ROLLFWD-02 */
{
    static const char *const names[] = {"left", "right"};

    common = shared_memory(sizeof(*common));
    crash_after(leave_two_logs);
    EXPECT_EQ(7, *common);
    EACH (name, names) {
        HANDLE tm = attach_tm(*name);
        ULONGLONG before = roll(tm, *common - 1), there = roll(tm, *common);

        /* Exactly one transaction has that clock in each log, and everything later has a greater
         * one. */
        EXPECT(there > before);
        EXPECT(!is_online(tm));
        EXPECT(roll(tm, *common + 1) > there);
        EXPECT(!is_online(tm));
        close_handle(tm);
    }
}
