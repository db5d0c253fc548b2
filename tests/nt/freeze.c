/* SPDX-License-Identifier: MIT */
/* Freeze and thaw as programs see them: who waits, who goes on, how it ends. What is written
 * meanwhile: tests/engine/freeze.c. */
#include "tests/nt/kit.h"

#include <sched.h>

static NTSTATUS
freeze_for(int freeze_ms, int thaw_ms)
{
    LARGE_INTEGER freeze = milliseconds(freeze_ms), thaw = milliseconds(thaw_ms);

    return NtFreezeTransactions(&freeze, &thaw);
}

static void
freeze(void)
{
    EXPECT_OK(freeze_for(5000, 60000));
}

/* ---- the two routines ---- */

TEST(frozen_once_thawed_once) /* FRZ-04 FRZ-05 FRZ-06 FRZ-08 GEN-07 */
{
    LARGE_INTEGER second = milliseconds(1000);

    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtFreezeTransactions(NULL, &second));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtFreezeTransactions(&second, NULL));
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, NtThawTransactions());
    freeze();
    EXPECT_STATUS(STATUS_TRANSACTION_FREEZE_IN_PROGRESS, NtFreezeTransactions(&second, &second));
    EXPECT_STATUS(STATUS_TRANSACTION_FREEZE_IN_PROGRESS, ZwFreezeTransactions(&second, &second));
    EXPECT_OK(NtThawTransactions());
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, ZwThawTransactions());
    freeze(); /* and again */
    EXPECT_OK(ZwThawTransactions());
}

TEST(the_pointer_twins_are_the_same_freeze) /* FRZ-09 */
{
    LARGE_INTEGER minute = milliseconds(60000);

    EXPECT_OK(TmFreezeTransactions(&minute, &minute));
    EXPECT_STATUS(STATUS_TRANSACTION_FREEZE_IN_PROGRESS, NtFreezeTransactions(&minute, &minute));
    EXPECT_OK(TmThawTransactions());
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, NtThawTransactions());
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, TmFreezeTransactions(NULL, NULL));
}

TEST(it_ends_by_itself) /* FRZ-07 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    struct call *call;

    EXPECT_OK(freeze_for(5000, 150));
    call = call_commit(party.tx);
    EXPECT(call_is_running(call));
    EXPECT_QUIET(party.rm[0]);
    while (!is_signalled(party.rm[0])) /* until the thaw the commit does not begin */
        EXPECT(call_is_running(call));
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, NtThawTransactions());
    party_preparation(&party);
    party_completion(&party);
    EXPECT_OK(call_result(call));
}

TEST(a_time_of_either_sign_is_a_length) /* FRZ-01 FRZ-07 */
{
    LARGE_INTEGER length = {.QuadPart = 10 * 1000 * 1000}, none = {.QuadPart = 0};

    EXPECT_OK(NtFreezeTransactions(&length, &length));
    EXPECT_OK(NtThawTransactions()); /* not over at once, as an absolute time in 1601 would be */
    EXPECT_OK(NtFreezeTransactions(&none, &none)); /* nothing is being written: no need to wait */
    while (NtFreezeTransactions(&none, &length) == STATUS_TRANSACTION_FREEZE_IN_PROGRESS)
        sched_yield(); /* over at once, without anybody's doing */
    EXPECT_OK(NtThawTransactions());
}

/* ---- who waits ---- */

TEST(a_commit_that_waits_begins_after_the_thaw) /* TX-COMMIT-22 FRZ-02 FRZ-06 */
{
    struct party party = PARTY(true, 0, MASK_TWO, MASK_TWO);
    LONGLONG clock = clock_of(party.tm);
    struct call *call;

    freeze();
    call = call_commit(party.tx);
    EXPECT(call_is_running(call));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_EQ(clock, clock_of(party.tm)); /* before the increment */
    EXPECT_OK(NtThawTransactions());
    while (!is_signalled(party.rm[1]))
        EXPECT(call_is_running(call));
    EXPECT_EQ(clock + 1, clock_of(party.tm));
    party_preparation(&party);
    party_completion(&party);
    EXPECT_OK(call_result(call));
    EXPECT_OUTCOME(Committed, party.tx);
}

TEST(an_empty_commit_waits_too) /* FRZ-02 TX-COMMIT-22 */
{
    HANDLE tm = new_logged_tm("empty"), tx = new_tx(tm);
    struct call *call;

    freeze();
    call = call_commit(tx);
    EXPECT(call_is_running(call));
    EXPECT_OUTCOME(Undetermined, tx);
    EXPECT_OK(NtThawTransactions());
    EXPECT_OK(call_result(call));
}

TEST(a_commit_that_does_not_wait_is_carried_out_by_the_thaw) /* FRZ-02 TX-COMMIT-22 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    LONGLONG clock = clock_of(party.tm);
    HANDLE late;

    freeze();
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_EQ(clock, clock_of(party.tm));
    /* It is asked for: not a second time, and closing the last handle is no rollback. */
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, FALSE));
    late = new_en(party.rm[0], party.tx, MASK_TWO, key_number(2));
    close_handle(party.tx);
    EXPECT_QUIET(party.rm[0]);
    EXPECT_OK(NtThawTransactions());
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_NOTE(party.rm[0], key_number(2), PREPARE);
    EXPECT_OK(NtPrepareComplete(party.en[0], NULL));
    EXPECT(NT_SUCCESS(NtPrepareComplete(late, NULL)));
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
}

TEST(a_commit_put_off_and_rolled_back_is_over) /* FRZ-02 FRZ-03 */
{
    struct party party = PARTY(true, 0, MASK_TWO);

    freeze();
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    EXPECT_OK(NtThawTransactions());
    EXPECT_QUIET(party.rm[0]);
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
}

/* A superior that joins behind the request decides, as it would have without the freeze. */
TEST(a_commit_put_off_yields_to_a_superior) /* FRZ-02 TX-COMMIT-10 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    HANDLE superior;

    freeze();
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    superior = new_superior(party.rm[0], party.tx, MASK_SUPERIOR, key_number(9));
    EXPECT_OK(NtThawTransactions());
    EXPECT_QUIET(party.rm[0]);
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(superior, NULL)));
    party_preparation(&party);
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
}

TEST(a_refusal_does_not_wait) /* TX-COMMIT-22 TX-COMMIT-23 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_TWO);
    HANDLE aborted = new_tx(party.tm);

    EXPECT_OK(NtRollbackTransaction(aborted, TRUE));
    freeze();
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(party.tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(aborted, TRUE));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, NtCommitEnlistment(party.en[0], NULL));
    EXPECT_OK(NtThawTransactions());
}

static NTSTATUS
preprepare(HANDLE en)
{
    return NtPrePrepareEnlistment(en, NULL);
}

static NTSTATUS
prepare(HANDLE en)
{
    return NtPrepareEnlistment(en, NULL);
}

static NTSTATUS
commit(HANDLE en)
{
    return NtCommitEnlistment(en, NULL);
}

TEST(a_superior_that_begins_or_decides_waits) /* FRZ-02 */
{
    static NTSTATUS (*const begins[])(HANDLE) = {preprepare, prepare, commit};
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_FULL);
    LONGLONG clock;

    EACH (begin, begins) {
        HANDLE tx = new_tx(party.tm), en = new_en(party.rm[0], tx, MASK_FULL, key_number(2)),
               superior = new_superior(party.superior_rm, tx, MASK_SUPERIOR, key_number(3));
        struct call *call;

        clock = clock_of(party.tm);
        freeze();
        call = call_routine(*begin, superior);
        EXPECT(call_is_running(call));
        EXPECT_EQ(clock, clock_of(party.tm));
        EXPECT_QUIET(party.rm[0]);
        EXPECT_OK(NtThawTransactions());
        EXPECT(NT_SUCCESS(call_result(call)));
        EXPECT_NOTE(party.rm[0], key_number(2), PREPREPARE);
        EXPECT(NT_SUCCESS(NtRollbackTransaction(tx, FALSE)));
        EXPECT_NOTE(party.rm[0], key_number(2), ROLLBACK);
        EXPECT_NOTE(party.superior_rm, key_number(3), ROLLBACK);
        close_handle(en);
    }
    party_prepare(&party);
    freeze();
    {
        struct call *call = call_routine(commit, party.superior);

        EXPECT(call_is_running(call));
        EXPECT_QUIET(party.rm[0]);
        EXPECT_OK(NtThawTransactions());
        EXPECT(NT_SUCCESS(call_result(call)));
        party_completion(&party);
        EXPECT_NOTE(party.superior_rm, key_number(9), COMMIT_DONE);
    }
}

/* ---- who goes on ---- */

TEST(the_last_vote_is_taken_and_the_decision_put_off) /* FRZ-02 FRZ-03 */
{
    struct party party = PARTY(true, 0, MASK_TWO, MASK_TWO);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    freeze();
    party_preparation(&party); /* nobody is kept */
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT(!is_signalled(party.tx));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtPrepareComplete(party.en[0], NULL));
    EXPECT_OK(NtThawTransactions());
    EXPECT_OUTCOME(Committed, party.tx);
    party_completion(&party);
    EXPECT(is_signalled(party.tx));
}

TEST(who_waits_for_a_decision_put_off_hears_it) /* FRZ-02 FRZ-06 TX-COMMIT-06 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    struct call *call = call_commit(party.tx);

    while (!is_signalled(party.rm[0]))
        EXPECT(call_is_running(call));
    freeze();
    party_preparation(&party);
    EXPECT(call_is_running(call));
    EXPECT_OK(NtThawTransactions());
    party_completion(&party);
    EXPECT_OK(call_result(call));
}

TEST(a_prepared_transaction_is_reported_after_the_thaw) /* FRZ-02 ENL-PE-11 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_TWO);

    EXPECT(NT_SUCCESS(NtPrepareEnlistment(party.superior, NULL)));
    freeze();
    party_preparation(&party);
    EXPECT_QUIET(party.superior_rm);
    EXPECT_OK(NtThawTransactions());
    EXPECT_NOTE(party.superior_rm, key_number(9), PREPARE_DONE);
}

TEST(a_decision_put_off_can_still_be_an_abort) /* FRZ-03 TX-ROLLBACK-08 */
{
    struct party party = PARTY(true, 0, MASK_TWO, MASK_TWO);
    struct call *call = call_commit(party.tx);

    while (!is_signalled(party.rm[1]))
        EXPECT(call_is_running(call));
    freeze();
    party_preparation(&party);
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(call)); /* still frozen */
    party_rollback(&party);
    EXPECT_OK(NtThawTransactions());
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT_QUIET(party.rm[0]);
}

TEST(everything_else_goes_on) /* FRZ-03 ENL-CREATE-23 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    HANDLE tx = new_tx(party.tm), volatile_tm, other_rm, en;
    TRANSACTION_BASIC_INFORMATION basic;
    char info[] = "where I am";

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    freeze();
    en = new_en(party.rm[0], tx, MASK_TWO, key_number(5)); /* enlistment */
    EXPECT_OK(NtSetInformationEnlistment(en, EnlistmentRecoveryInformation, info, sizeof(info)));
    EXPECT_OK(NtQueryInformationTransaction(tx, TransactionBasicInformation, &basic, sizeof(basic),
                                            NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE); /* retrieval of notifications */
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(5), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(en, NULL));
    other_rm = new_durable_rm(party.tm, 7); /* a new one, and its recovery */
    close_handle(other_rm);
    volatile_tm = new_volatile_tm(); /* a TM without log is not concerned */
    tx = new_tx(volatile_tm);
    en = new_en(new_volatile_rm(volatile_tm), tx, MASK_SINGLE, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_OK(NtCommitComplete(en, NULL));
    EXPECT_OUTCOME(Committed, tx);
    EXPECT_OK(NtCommitTransaction(new_tx(NULL), TRUE)); /* nor is a transaction of nobody */
    EXPECT_OK(NtThawTransactions());
}

TEST(a_single_phase_commit_under_way_ends) /* FRZ-03 */
{
    struct party party = PARTY(true, 0, MASK_SINGLE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    freeze();
    EXPECT_OK(NtCommitComplete(party.en[0], NULL)); /* its record is not KTM's */
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_OK(NtThawTransactions());
}

/* ---- logs that come and go ---- */

static NTSTATUS
attach_and_recover(HANDLE unused)
{
    (void)unused;
    return NtRecoverTransactionManager(attach_tm("late"));
}

TEST(attaching_and_closing_a_log_wait) /* FRZ-02 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    struct call *attaching, *closing;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    freeze();
    party_preparation(&party); /* a decision is put off */
    attaching = call_routine(attach_and_recover, NULL);
    closing = call_routine(NtClose, party.tm);
    EXPECT(call_is_running(attaching));
    EXPECT(call_is_running(closing));
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK); /* undecided: CLOSE-TM-01 */
    EXPECT_OK(NtThawTransactions());
    EXPECT_OK(call_result(attaching));
    EXPECT_OK(call_result(closing));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtCommitTransaction(party.tx, FALSE));
}

static NTSTATUS
set_info(HANDLE en)
{
    char info[] = "later";

    return NtSetInformationEnlistment(en, EnlistmentRecoveryInformation, info, sizeof(info));
}

/* Behind the PREPARE record new information needs a record of its own. */
TEST(information_that_needs_a_record_waits) /* FRZ-02 ENL-SET-10 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_FULL);
    struct call *call;

    party_prepare(&party);
    freeze();
    call = call_routine(set_info, party.en[0]);
    EXPECT(call_is_running(call));
    EXPECT_OK(NtThawTransactions());
    EXPECT_OK(call_result(call));
}

/* ---- over two TMs ---- */

/* Each order of the votes, the freeze before any of them. Frozen is the process, so no half of the
 * transaction is written without the other. */
TEST(a_transaction_over_two_logs_is_put_off_as_a_whole) /* FRZ-02 FRZ-06 BR-03 */
{
    for (unsigned votes_before = 0; votes_before < 8; votes_before++) {
        const bool asks_frozen = votes_before & 4, a_last = votes_before & 1;
        char name[20];
        HANDLE tm[2], rm[2], en[2], tx;

        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof(name), "%c%u", 'a' + i, votes_before);
            tm[i] = new_logged_tm(name);
            rm[i] = new_durable_rm(tm[i], 1);
        }
        tx = new_tx(tm[0]);
        for (int i = 0; i < 2; i++)
            en[i] = new_en(rm[i], tx, MASK_TWO, key_number(1));
        if (asks_frozen)
            freeze();
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
        if (asks_frozen) {
            EXPECT_QUIET(rm[0]);
            EXPECT_QUIET(rm[1]);
            EXPECT_OK(NtThawTransactions());
        }
        if (!(votes_before & 2)) /* frozen before the first vote, or between the two */
            freeze();
        EXPECT(NT_SUCCESS(NtPrepareComplete(en[a_last], NULL)));
        if (votes_before & 2)
            freeze();
        EXPECT(NT_SUCCESS(NtPrepareComplete(en[!a_last], NULL)));
        EXPECT_OUTCOME(Undetermined, tx);
        for (int i = 0; i < 2; i++) {
            EXPECT_NOTE(rm[i], key_number(1), PREPARE);
            EXPECT_QUIET(rm[i]);
        }
        EXPECT_OK(NtThawTransactions());
        EXPECT_OUTCOME(Committed, tx);
        for (int i = 0; i < 2; i++) {
            EXPECT_NOTE(rm[i], key_number(1), COMMIT);
            EXPECT_OK(NtCommitComplete(en[i], NULL));
        }
        EXPECT(is_signalled(tx));
    }
}

/* ---- callbacks ---- */

static _Atomic unsigned told;

static NTSTATUS
say_yes(PKENLISTMENT en, PVOID rm_context, PVOID context, ULONG what, PLARGE_INTEGER clock,
        ULONG length, PVOID argument)
{
    (void)rm_context;
    (void)context;
    (void)clock;
    (void)length;
    (void)argument;
    told |= what;
    if (what == PREPARE) {
        freeze(); /* of all moments; and from inside */
        return TmPrepareComplete(en, NULL);
    }
    return what == COMMIT ? TmCommitComplete(en, NULL) : STATUS_SUCCESS;
}

TEST(callbacks_of_what_was_put_off_run_on_the_thread_that_thaws) /* FRZ-06 NOTIF-06 GEN-11 */
{
    GUID guid = guid_number(1);
    HANDLE tm = new_logged_tm("callbacks"), rm = new_rm(tm, &guid, 0), tx = new_tx(tm), en;

    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), say_yes, NULL));
    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_EQ(PREPARE, told & ~LAST_RECOVER);
    EXPECT_OUTCOME(Undetermined, tx);
    EXPECT_OK(NtThawTransactions());
    EXPECT_EQ(PREPARE | COMMIT, told & ~LAST_RECOVER); /* before the thaw returned */
    EXPECT_OUTCOME(Committed, tx);
    close_handle(en);
}

/* The thread of the time-outs is busy with somebody who waits for the thaw. */
static HANDLE blocked_tx;

static NTSTATUS
commit_another(PKENLISTMENT en, PVOID rm_context, PVOID context, ULONG what, PLARGE_INTEGER clock,
               ULONG length, PVOID argument)
{
    (void)rm_context;
    (void)context;
    (void)clock;
    (void)length;
    (void)argument;
    if (what == ROLLBACK) {
        EXPECT_OK(NtCommitTransaction(blocked_tx, TRUE));
        told |= ROLLBACK;
        return TmRollbackComplete(en, NULL);
    }
    return STATUS_SUCCESS;
}

TEST(it_ends_by_itself_whatever_waits_for_it) /* FRZ-07 ROLL-TMO-04 */
{
    LARGE_INTEGER soon = milliseconds(50);
    GUID guid = guid_number(1);
    HANDLE tm = new_logged_tm("timer"), rm = new_rm(tm, &guid, 0), tx, en;

    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), commit_another, NULL));
    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    blocked_tx = new_tx(tm);
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, &soon, NULL));
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_OK(freeze_for(5000, 300));
    EXPECT_OK(NtWaitForSingleObject(blocked_tx, FALSE, NULL)); /* it was committed after the thaw */
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, NtThawTransactions());
    while (!(told & ROLLBACK))
        sched_yield();
    close_handle(en);
}
