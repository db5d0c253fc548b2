/* SPDX-License-Identifier: MIT */
/* Recovery, rollforward and renaming [TM-RECOVER, TM-ROLLFWD, TM-RENAME]. */
#include "tests/nt/kit.h"

static const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;

/* A log with one transaction for each clock from 2 on, committed and not acknowledged. */
#define TRANSACTIONS 3
static GUID *uows; /* shared with the crashed process */

static void
commit_some_and_die(void)
{
    HANDLE tm = new_logged_tm("tm");
    HANDLE rm = new_durable_rm(tm, 1);

    for (int i = 0; i < TRANSACTIONS; i++) {
        HANDLE tx = new_tx(tm);
        HANDLE en = new_en(rm, tx, MASK_TWO, key_number(1));

        uows[i] = guid_of_tx(tx);
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
        EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
        EXPECT_OUTCOME(Committed, tx);
    }
}

static void
crashed_log(void)
{
    uows = shared_memory(TRANSACTIONS * sizeof(*uows));
    crash_after(commit_some_and_die);
}

static unsigned
count_of(HANDLE root, KTMOBJECT_TYPE type)
{
    union {
        KTMOBJECT_CURSOR cursor;
        char room[4096];
    } list = {0};
    ULONG length;

    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(root, type, &list.cursor, sizeof(list), &length));
    return list.cursor.ObjectIdCount;
}

static ULONGLONG
last_lsn(HANDLE tm)
{
    TRANSACTIONMANAGER_RECOVERY_INFORMATION recovery;

    EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerRecoveryInformation,
                                                   &recovery, sizeof(recovery), NULL));
    return recovery.LastRecoveredLsn;
}

TEST(
    recovery_rebuilds_what_a_crash_left) /* TM-RECOVER-01 TM-RECOVER-02 RECOV-01 RECOV-07 ENUM-11 */
{
    HANDLE tm, rm, tx;
    GUID guid = guid_number(1);

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_EQ(1 + TRANSACTIONS, clock_of(tm));
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
    EXPECT_EQ(1, count_of(tm, KTMOBJECT_RESOURCE_MANAGER));
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
    EXPECT_EQ(TRANSACTIONS, count_of(rm, KTMOBJECT_ENLISTMENT));
    for (int i = 0; i < TRANSACTIONS; i++) { /* TX-OPEN-09 */
        EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uows[i], NULL));
        EXPECT_OUTCOME(Committed, tx);
        EXPECT_STATE(CommittedNotify, tx);
    }
}

TEST(recovery_notifies_nobody) /* TM-RECOVER-13 */
{
    GUID guid = guid_number(1);
    HANDLE tm, rm;

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
    EXPECT_QUIET(rm);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    for (int i = 0; i < TRANSACTIONS; i++)
        EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
}

TEST(a_fresh_log_recovers_to_nothing) /* TM-RECOVER-08 TM-RECOVER-02 */
{
    HANDLE tm = attach_tm("tm");

    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_EQ(1, clock_of(tm));
    EXPECT_EQ(0, count_of(tm, KTMOBJECT_TRANSACTION));
    EXPECT_EQ(0, count_of(tm, KTMOBJECT_RESOURCE_MANAGER));
    new_tx(tm);
}

TEST(an_orderly_end_leaves_nothing_to_recover) /* TM-RECOVER-09 LOG-09 */
{
    struct party party = PARTY(true, 0, MASK_FULL, MASK_FULL);
    HANDLE tm;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    party_completion(&party);
    close_handle(party.tx);
    close_handle(party.en[0]);
    close_handle(party.en[1]);
    close_handle(party.rm[0]);
    close_handle(party.rm[1]);
    close_handle(party.tm);
    tm = new_logged_tm("party");
    EXPECT_EQ(0, count_of(tm, KTMOBJECT_TRANSACTION));
    EXPECT_EQ(0, count_of(tm, KTMOBJECT_RESOURCE_MANAGER));
    EXPECT_EQ(2, clock_of(tm));
}

TEST(a_volatile_tm_is_not_recovered) /* TM-RECOVER-06 TM-ROLLFWD-07 VOL-06 */
{
    LARGE_INTEGER clock = {.QuadPart = 5};
    HANDLE tm = new_volatile_tm();

    EXPECT_STATUS(STATUS_TM_VOLATILE, NtRecoverTransactionManager(tm));
    EXPECT_STATUS(STATUS_TM_VOLATILE, NtRollforwardTransactionManager(tm, NULL));
    EXPECT_STATUS(STATUS_TM_VOLATILE, NtRollforwardTransactionManager(tm, &clock));
}

TEST(recovering_an_online_tm_does_nothing) /* TM-RECOVER-07 TM-OPEN-12 OP-16 */
{
    struct party party = PARTY(true, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtRecoverTransactionManager(party.tm));
    EXPECT_EQ(2, clock_of(party.tm));
    party_prepreparation(&party);
    EXPECT_OK(NtRecoverTransactionManager(party.tm));
    party_preparation(&party);
    party_completion(&party);
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_QUIET(party.rm[0]);
}

TEST(a_live_transaction_with_a_recovered_identifier_stops_recovery) /* TM-RECOVER-10 */
{
    HANDLE tx, tm;

    crashed_log();
    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uows[1], NULL, 0, 0, 0, NULL,
                                  NULL));
    tm = attach_tm("tm");
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION,
                  NtRecoverTransactionManager(tm));
    /* TM-RECOVER-07: RecoveryFailed, and TM-ROLLFWD-08 */
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, NtRecoverTransactionManager(tm));
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, NtRollforwardTransactionManager(tm, NULL));
    close_handle(tm);
    close_handle(tx);
    tm = new_logged_tm("tm");
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
}

/* ---- rollforward ------------------------------------------------------------------------------
 */

TEST(rollforward_without_a_target_is_recovery) /* TM-ROLLFWD-01 */
{
    HANDLE tm;

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_OK(NtRollforwardTransactionManager(tm, NULL));
    EXPECT_EQ(1 + TRANSACTIONS, clock_of(tm));
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
    new_tx(tm);
}

/* TM-ROLLFWD-02 TM-ROLLFWD-03 TM-ROLLFWD-09 TM-ROLLFWD-10 TM-ROLLFWD-12 TM-STATE-04 CLOCK-09 */
TEST(rollforward_walks_through_the_log)
{
    ULONGLONG lsn = 0;
    HANDLE tm, tx;

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_EQ(0, last_lsn(tm)); /* TM-QUERY-04 */
    for (int i = 1; i <= TRANSACTIONS; i++) {
        LARGE_INTEGER clock = {.QuadPart = i};

        EXPECT_OK(NtRollforwardTransactionManager(tm, &clock));
        EXPECT_EQ(i, clock_of(tm));
        EXPECT_STATUS(
            STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
            NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
        if (i > 1)
            EXPECT(last_lsn(tm) > lsn);
        lsn = last_lsn(tm);
    }
    EXPECT_OK(NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = 100}));
    EXPECT_EQ(100, clock_of(tm));
    EXPECT(last_lsn(tm) > lsn);
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
    new_tx(tm);
}

TEST(a_target_already_reached_changes_nothing) /* TM-ROLLFWD-11 */
{
    HANDLE tm;
    ULONGLONG lsn;

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_OK(NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = 3}));
    lsn = last_lsn(tm);
    for (int target = 3; target >= 0; target--) {
        EXPECT_OK(NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = target}));
        EXPECT_EQ(3, clock_of(tm));
        EXPECT_EQ(lsn, last_lsn(tm));
    }
}

TEST(recovery_goes_on_where_a_rollforward_stopped) /* TM-RECOVER-12 */
{
    HANDLE tm;

    crashed_log();
    tm = attach_tm("tm");
    EXPECT_OK(NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = 2}));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_EQ(1 + TRANSACTIONS, clock_of(tm));
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
    new_tx(tm);
}

TEST(an_online_tm_does_not_roll_forward) /* TM-ROLLFWD-08 */
{
    HANDLE tm = new_logged_tm("tm");

    EXPECT_STATUS(STATUS_UNSUCCESSFUL,
                  NtRollforwardTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = 7}));
    EXPECT_EQ(1, clock_of(tm));
}

/* ---- rename -----------------------------------------------------------------------------------
 */

TEST(renaming_gives_the_log_a_new_identity) /* TM-RENAME-01 TM-RENAME-04 TM-RENAME-07 OP-39 */
{
    UNICODE_STRING path = log_name("tm");
    HANDLE tm = new_logged_tm("tm");
    GUID before = guid_of_tm(tm), after;

    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, NtRenameTransactionManager(&path, &before));
    close_handle(tm);
    EXPECT_OK(NtRenameTransactionManager(&path, &before));
    tm = attach_tm("tm");
    after = guid_of_tm(tm);
    EXPECT(!IsEqualGUID(&before, &after));
    EXPECT_EQ(4, after.Data3 >> 12);
    close_handle(tm);
    EXPECT_OK(NtOpenTransactionManager(&tm, all, NULL, &path, NULL, 0));
    EXPECT_GUID(after, guid_of_tm(tm));
    EXPECT_OK(NtRecoverTransactionManager(tm));
}

TEST(renaming_asks_for_the_right_identity) /* TM-RENAME-03 TM-RENAME-05 TM-RENAME-06 */
{
    UNICODE_STRING path = log_name("tm"), none = log_name("none");
    HANDLE tm = new_logged_tm("tm");
    GUID guid = guid_of_tm(tm), wrong = guid_number(1);

    close_handle(tm);
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_IDENTITY_MISMATCH,
                  NtRenameTransactionManager(&path, &wrong));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, NtRenameTransactionManager(&none, &guid));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtRenameTransactionManager(NULL, &guid));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtRenameTransactionManager(&path, NULL));
    tm = attach_tm("tm");
    EXPECT_GUID(guid, guid_of_tm(tm));
}

static GUID *renamed;

static void
rename_and_die(void)
{
    UNICODE_STRING path = log_name("tm");
    HANDLE tm = new_logged_tm("tm");

    *renamed = guid_of_tm(tm);
    close_handle(tm);
    EXPECT_OK(NtRenameTransactionManager(&path, renamed));
}

TEST(a_rename_outlives_the_process) /* TM-RENAME-07 */
{
    renamed = shared_memory(sizeof(*renamed));
    crash_after(rename_and_die);
    EXPECT(!same_guid(*renamed, guid_of_tm(attach_tm("tm"))));
}

TEST(a_rename_keeps_what_is_to_be_recovered) /* TM-RENAME-01 */
{
    UNICODE_STRING path = log_name("tm");
    HANDLE tm;
    GUID guid;

    crashed_log();
    tm = attach_tm("tm");
    guid = guid_of_tm(tm);
    close_handle(tm);
    EXPECT_OK(NtRenameTransactionManager(&path, &guid));
    tm = new_logged_tm("tm");
    EXPECT_EQ(TRANSACTIONS, count_of(tm, KTMOBJECT_TRANSACTION));
    EXPECT_EQ(1 + TRANSACTIONS, clock_of(tm));
}

/* Nobody who is there owes an answer: who opens it does not wait for RMs that have not come back.
 */
TEST(a_rebuilt_commit_is_signalled) /* SIG-01 PT-42 TX-OPEN-09 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    GUID uow = guid_of_tx(party.tx);
    HANDLE tm, tx;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_preparation(&party);
    EXPECT(!is_signalled(party.tx)); /* COMMIT is not answered */
    close_handle(party.tm);
    tm = new_logged_tm("party");
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_STATE(CommittedNotify, tx);
    EXPECT(is_signalled(tx));
}
