/* SPDX-License-Identifier: MIT */
/* Committing and rolling back by the client [TX-COMMIT, TX-ROLLBACK]. */
#include "tests/nt/kit.h"

/* ---- callbacks that answer as a test wants -----------------------------------------------------
 */

enum { ANSWER_AT_ONCE, ANSWER_AND_PEND, PEND, SILENT, FAIL };

struct responder {
    int manner;
    ULONG seen[20];
    unsigned count;
};

static NTSTATUS
answer(PKENLISTMENT en, ULONG what)
{
    switch (what) {
    case PREPREPARE:
        return TmPrePrepareComplete(en, NULL);
    case PREPARE:
        return TmPrepareComplete(en, NULL);
    case COMMIT:
    case SINGLE_PHASE:
        return TmCommitComplete(en, NULL);
    case ROLLBACK:
        return TmRollbackComplete(en, NULL);
    default:
        return STATUS_SUCCESS;
    }
}

static NTSTATUS
respond(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
        ULONG argument_length, PVOID argument)
{
    struct responder *responder = context;

    EXPECT(key == key_number(1) && clock && argument_length == 0 && !argument);
    responder->seen[responder->count++] = what;
    if (responder->manner == FAIL)
        return STATUS_UNSUCCESSFUL;
    if (responder->manner == ANSWER_AT_ONCE || responder->manner == ANSWER_AND_PEND)
        EXPECT(NT_SUCCESS(answer(en, what)));
    return responder->manner == ANSWER_AND_PEND || responder->manner == PEND ? STATUS_PENDING
                                                                             : STATUS_SUCCESS;
}

/* A transaction with one enlistment of an RM with callbacks. */
static HANDLE
with_callback(struct responder *responder, ULONG mask, HANDLE *en)
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    PKRESOURCEMANAGER object = pointer_to(rm);

    EXPECT_OK(TmEnableCallbacks(object, respond, responder));
    *en = new_en(rm, tx, mask, key_number(1));
    return tx;
}

/* ---- commit -----------------------------------------------------------------------------------
 */

TEST(nobody_to_ask) /* TX-COMMIT-02 PT-01 SIG-01 */
{
    for (BOOLEAN wait = FALSE; wait <= TRUE; wait++) {
        HANDLE unbound = new_tx(NULL), bound = new_tx(new_volatile_tm());

        EXPECT_OK(NtCommitTransaction(unbound, wait));
        EXPECT_OUTCOME(Committed, unbound);
        EXPECT(is_signalled(unbound));
        EXPECT_OK(NtCommitTransaction(bound, wait));
        EXPECT_OUTCOME(Committed, bound);
    }
}

TEST(anybody_with_the_right_may_commit) /* TX-COMMIT-01 */
{
    HANDLE creator = new_tx(NULL), other;
    GUID uow = guid_of_tx(creator);

    EXPECT_OK(NtOpenTransaction(&other, TRANSACTION_COMMIT, NULL, &uow, NULL));
    EXPECT_OK(NtCommitTransaction(other, TRUE));
    EXPECT_OUTCOME(Committed, creator);
}

TEST(one_participant_commits_in_one_phase) /* TX-COMMIT-03 */
{
    struct party party = PARTY(false, 0, MASK_SINGLE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT(is_signalled(party.tx));
    EXPECT_QUIET(party.rm[0]);
}

TEST(each_phase_waits_for_the_one_before) /* TX-COMMIT-04 TX-COMMIT-06 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_TWO, MASK_LATE);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPREPARE);
    EXPECT_QUIET(party.rm[1]);
    EXPECT_QUIET(party.rm[2]);
    EXPECT(NT_SUCCESS(NtPrePrepareComplete(party.en[0], NULL)));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_NOTE(party.rm[1], key_number(2), PREPARE);
    EXPECT_OK(NtPrepareComplete(party.en[1], NULL));
    for (int i = 0; i < 3; i++)
        EXPECT_QUIET(party.rm[i]);
    EXPECT(NT_SUCCESS(NtPrepareComplete(party.en[0], NULL)));
    for (int i = 0; i < 3; i++) {
        EXPECT(call_is_running(commit));
        EXPECT_NOTE(party.rm[i], key_number((unsigned)i + 1), COMMIT);
        EXPECT_OK(NtCommitComplete(party.en[i], NULL));
    }
    EXPECT_OK(call_result(commit));
}

TEST(a_commit_advances_the_clock_once) /* TX-COMMIT-05 CLOCK-02 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

    EXPECT_EQ(1, clock_of(party.tm));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_EQ(2, clock_of(party.tm));
    party_prepreparation(&party);
    party_preparation(&party);
    party_completion(&party);
    EXPECT_EQ(2, clock_of(party.tm));
}

TEST(commit_without_waiting_is_pending) /* TX-COMMIT-07 */
{
    struct party party = PARTY(false, 0, MASK_LATE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT(!is_signalled(party.tx));
    party_completion(&party);
    EXPECT(is_signalled(party.tx));
}

TEST(the_status_of_a_commit_with_callbacks) /* TX-COMMIT-08 NOTIF-06 NOTIF-07 */
{
    static const struct {
        int manner;
        NTSTATUS status;
        TRANSACTION_OUTCOME outcome;
    } rows[] = {
        {ANSWER_AT_ONCE, STATUS_SUCCESS, TransactionOutcomeCommitted},
        {ANSWER_AND_PEND, STATUS_PENDING, TransactionOutcomeCommitted},
        {PEND, STATUS_PENDING, TransactionOutcomeUndetermined},
        {SILENT, STATUS_SUCCESS, TransactionOutcomeUndetermined},
        {FAIL, STATUS_TRANSACTION_ALREADY_ABORTED, TransactionOutcomeAborted},
    };

    EACH (row, rows) {
        struct responder responder = {.manner = row->manner};
        HANDLE en, tx = with_callback(&responder, MASK_FULL, &en);

        EXPECT_STATUS(row->status, NtCommitTransaction(tx, FALSE));
        EXPECT_EQ(row->outcome, outcome_of(tx));
        EXPECT_EQ(PREPREPARE, responder.seen[0]);
    }
}

TEST(a_veto_ends_a_commit_that_waits) /* TX-COMMIT-09 ENL-RB-10 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(party.en[1], NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(commit));
    EXPECT_OUTCOME(Aborted, party.tx);
}

TEST(a_superior_commits_and_not_the_client) /* TX-COMMIT-10 GEN-06 OP-03 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(party.tx, TRUE));
    EXPECT_EQ(1, clock_of(party.tm));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_QUIET(party.superior_rm);
}

TEST(a_superior_may_want_to_be_asked) /* TX-COMMIT-11 TX-COMMIT-14 OP-03 OP-04 */
{
    struct party party = PARTY(false, MASK_SUPERIOR | COMMIT_REQUEST, MASK_FULL);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    EXPECT_NOTE(party.superior_rm, key_number(9), COMMIT_REQUEST);
    EXPECT_QUIET(party.rm[0]);
    EXPECT_EQ(1, clock_of(party.tm));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, FALSE));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT(call_is_running(commit));
    party_completion(&party);
    EXPECT_OK(call_result(commit));
    EXPECT_NOTE(party.superior_rm, key_number(9), COMMIT_DONE);
}

TEST(asking_the_superior_without_waiting) /* TX-COMMIT-11 */
{
    struct party party = PARTY(false, MASK_SUPERIOR | COMMIT_REQUEST, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.superior_rm, key_number(9), COMMIT_REQUEST);
}

TEST(a_decided_transaction_is_not_committed) /* TX-COMMIT-12 TX-COMMIT-13 */
{
    HANDLE committed = new_tx(NULL), aborted = new_tx(NULL);

    EXPECT_OK(NtCommitTransaction(committed, TRUE));
    EXPECT_OK(NtRollbackTransaction(aborted, TRUE));
    for (BOOLEAN wait = FALSE; wait <= TRUE; wait++) {
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtCommitTransaction(committed, wait));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(aborted, wait));
    }
}

TEST(a_commit_is_started_once) /* TX-COMMIT-14 TX-COMMIT-20 PT-06 */
{
    struct party party = PARTY(false, 0, MASK_FULL), single = PARTY(false, 0, MASK_SINGLE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(single.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(single.tx, TRUE));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, TRUE));
    party_prepreparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, FALSE));
    party_preparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtCommitTransaction(party.tx, FALSE));
    EXPECT_EQ(2, clock_of(party.tm));
}

TEST(a_prepared_or_in_doubt_transaction_is_not_committed_again) /* TX-COMMIT-14 TX-ROLLBACK-07 */
{
    struct party party = PARTY(false, MASK_SUPERIOR | COMMIT_REQUEST, MASK_FULL);

    party_prepare(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackTransaction(party.tx, TRUE));
    close_handle(party.superior);
    EXPECT_STATE(Indoubt, party.tx);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackTransaction(party.tx, TRUE));
}

TEST(the_delegate_disconnects) /* TX-COMMIT-15 SIG-03 TX-ROLLBACK-07 */
{
    struct party party = PARTY(false, 0, MASK_SINGLE);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackTransaction(party.tx, TRUE));
    close_handle(party.en[0]);
    EXPECT_STATUS(STATUS_RM_DISCONNECTED, call_result(commit));
    EXPECT(is_signalled(party.tx));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackTransaction(party.tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(party.tx, TRUE));
}

TEST(several_threads_wait_for_one_transaction) /* TX-COMMIT-20 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    struct call *commit = call_commit(party.tx);
    LARGE_INTEGER limit = milliseconds(10000);

    EXPECT(call_is_running(commit));
    party_completion(&party);
    EXPECT_OK(NtWaitForSingleObject(party.tx, FALSE, &limit));
    EXPECT_OK(call_result(commit));
}

TEST(closing_does_not_stop_a_commit) /* TX-COMMIT-21 CLOSE-TX-02 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    GUID uow = guid_of_tx(party.tx);
    HANDLE tx;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    close_handle(party.tx);
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL));
    EXPECT_OUTCOME(Committed, tx);
    party_completion(&party);
    EXPECT(is_signalled(tx));
}

TEST(outcome_is_looked_at_before_the_superior) /* TX-COMMIT-23 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    party_prepare(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(party.tx, TRUE));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtCommitTransaction(party.tx, TRUE));
}

/* ---- rollback ---------------------------------------------------------------------------------
 */

TEST(everybody_is_told_of_a_rollback) /* TX-ROLLBACK-01 TX-ROLLBACK-09 TX-ROLLBACK-14 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_LATE);

    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_OUTCOME(Aborted, party.tx);
    party_expect(&party, ROLLBACK);
    EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK);
}

TEST(a_waiting_rollback_waits_for_the_answers) /* TX-ROLLBACK-02 TX-ROLLBACK-04 SIG-02 SIG-06 OP-06
                                                */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    struct call *rollback = call_rollback(party.tx);

    EXPECT(call_is_running(rollback));
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT(is_signalled(party.tx));
    party_expect(&party, ROLLBACK);
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
    EXPECT(call_is_running(rollback));
    close_handle(party.en[1]); /* is gone: as good as an answer */
    EXPECT_OK(call_result(rollback));
}

TEST(the_status_of_a_rollback_without_waiting) /* TX-ROLLBACK-03 */
{
    static const struct {
        int manner;
        NTSTATUS status;
    } rows[] = {{ANSWER_AT_ONCE, STATUS_SUCCESS}, {PEND, STATUS_PENDING}, {SILENT, STATUS_SUCCESS}};
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_OK(NtRollbackTransaction(new_tx(NULL), FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EACH (row, rows) {
        struct responder responder = {.manner = row->manner};
        HANDLE en, tx = with_callback(&responder, MASK_FULL, &en);

        EXPECT_STATUS(row->status, NtRollbackTransaction(tx, FALSE));
        EXPECT_OUTCOME(Aborted, tx);
        EXPECT_EQ(ROLLBACK, responder.seen[0]);
        EXPECT_EQ(1, responder.count);
    }
}

TEST(what_is_committed_stays_committed) /* TX-ROLLBACK-05 */
{
    struct party party = PARTY(false, 0, MASK_LATE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtRollbackTransaction(party.tx, FALSE));
    party_completion(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtRollbackTransaction(party.tx, TRUE));
}

TEST(rolling_back_again_is_no_error) /* TX-ROLLBACK-06 OP-08 */
{
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_OK(NtRollbackTransaction(party.tx, FALSE));
    party_rollback(&party);
    EXPECT_OK(NtRollbackTransaction(party.tx, TRUE));
    EXPECT_QUIET(party.rm[0]);
}

TEST(a_rollback_during_the_phases_of_commit) /* TX-ROLLBACK-08 OP-07 */
{
    for (int phase = 0; phase < 2; phase++) {
        struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
        struct call *commit = call_commit(party.tx);

        EXPECT(call_is_running(commit));
        if (phase == 1)
            party_prepreparation(&party);
        party_expect(&party, phase == 0 ? PREPREPARE : PREPARE);
        EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(commit));
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED,
                      phase == 0 ? NtPrePrepareComplete(party.en[0], NULL)
                                 : NtPrepareComplete(party.en[0], NULL));
        party_rollback(&party);
    }
}

TEST(a_rollback_leaves_nothing_in_the_log) /* TX-ROLLBACK-13 LOG-04 */
{
    struct party party = PARTY(true, 0, MASK_FULL, MASK_FULL);
    HANDLE tm, found;
    GUID uow = guid_of_tx(party.tx);

    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    close_handle(party.tm); /* ROLLBACK is not answered */
    tm = new_logged_tm("party");
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
}
