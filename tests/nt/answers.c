/* SPDX-License-Identifier: MIT */
/* What resource managers answer, and RollbackEnlistment
 * [ENL-PPC, ENL-PC, ENL-CC, ENL-RC, ENL-RO, ENL-SPR, ENL-RB]. */
#include "tests/nt/kit.h"

static const struct {
    const char *name;
    answer_routine *answer;
} answers[] = {
    {"PrePrepareComplete", NtPrePrepareComplete}, {"PrepareComplete", NtPrepareComplete},
    {"CommitComplete", NtCommitComplete},         {"RollbackComplete", NtRollbackComplete},
    {"ReadOnlyEnlistment", NtReadOnlyEnlistment}, {"SinglePhaseReject", NtSinglePhaseReject},
};

/* ---- which answer is legal when ----------------------------------------------------------------
 */

enum {
    ACTIVE,
    PREPREPARING,
    PREPREPARED,
    PREPARING,
    PREPARED,
    DELEGATED,
    COMMITTING,
    ABORTING,
    READ_ONLY,
    COMMITTED,
    ABORTED,
    STATES
};

/* A party whose first enlistment is in the state; the second keeps each phase open. */
static struct party
party_in(int state)
{
    struct party party =
        state == DELEGATED ? PARTY(false, 0, MASK_SINGLE) : PARTY(false, 0, MASK_FULL, MASK_FULL);

    if (state == READ_ONLY)
        EXPECT_OK(NtReadOnlyEnlistment(party.en[0], NULL));
    if (state == ABORTING || state == ABORTED)
        EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    if (state == ABORTED)
        EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
    if (state == ACTIVE || state == READ_ONLY || state == ABORTING || state == ABORTED)
        return party;
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    if (state == PREPREPARING || state == DELEGATED)
        return party;
    EXPECT_OK(NtPrePrepareComplete(party.en[0], NULL));
    if (state == PREPREPARED)
        return party;
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[1], NULL));
    if (state == PREPARING)
        return party;
    EXPECT_OK(NtPrepareComplete(party.en[0], NULL));
    if (state == PREPARED)
        return party;
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[1], NULL));
    if (state == COMMITTED)
        EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    return party;
}

#define S(state) (1u << (state))

/* ENL-PPC-01 ENL-PPC-02 ENL-PC-01 ENL-PC-02 ENL-CC-01 ENL-CC-02 ENL-CC-03 ENL-RC-01 ENL-RC-02
 * ENL-RO-02 ENL-RO-05 ENL-SPR-01 ENL-SPR-03 PT-49 */
TEST(an_answer_is_legal_exactly_while_it_is_owed)
{
    static const unsigned legal[] = {
        S(PREPREPARING),
        S(PREPARING),
        S(DELEGATED) | S(COMMITTING),
        S(ABORTING),
        S(ACTIVE) | S(PREPREPARING) | S(PREPREPARED) | S(PREPARING) | S(DELEGATED),
        S(DELEGATED),
    };

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        for (int state = 0; state < STATES; state++) {
            struct party party = party_in(state);
            LARGE_INTEGER clock = {.QuadPart = 1000};
            LONGLONG before = clock_of(party.tm);
            TRANSACTION_OUTCOME outcome = outcome_of(party.tx);
            NTSTATUS status = answers[i].answer(party.en[0], &clock);

            if (legal[i] & S(state)) {
                if (!NT_SUCCESS(status))
                    test_fail(__FILE__, __LINE__, "%s in state %d: 0x%x", answers[i].name, state,
                              (unsigned)status);
                EXPECT_EQ(1000, clock_of(party.tm)); /* CLOCK-04 CLOCK-05 GEN-13 */
                continue;
            }
            if (status != STATUS_TRANSACTION_NOT_REQUESTED)
                test_fail(__FILE__, __LINE__, "%s in state %d: 0x%x", answers[i].name, state,
                          (unsigned)status);
            EXPECT_EQ(before, clock_of(party.tm)); /* CLOCK-06 */
            EXPECT_EQ(outcome, outcome_of(party.tx));
        }
}

TEST(rollback_is_asked_for_until_the_vote) /* ENL-RB-01 ENL-RB-03 ENL-RB-04 ENL-RB-05 ENL-RB-06
                                              OP-44 */
{
    const unsigned legal =
        S(ACTIVE) | S(PREPREPARING) | S(PREPREPARED) | S(PREPARING) | S(DELEGATED);

    for (int state = 0; state < STATES; state++) {
        struct party party = party_in(state);
        TRANSACTION_OUTCOME outcome = outcome_of(party.tx);

        if (legal & S(state)) {
            EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(party.en[0], NULL));
            EXPECT_OUTCOME(Aborted, party.tx);
        } else {
            EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                          NtRollbackEnlistment(party.en[0], NULL));
            EXPECT_EQ(outcome, outcome_of(party.tx));
        }
    }
}

TEST(a_superior_answers_nothing) /* ENL-PPC-02 ENL-PC-02 ENL-RO-04 ENL-SPR-03 ENL-RC-02 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EACH (row, answers)
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, row->answer(party.superior, NULL));
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(party.superior, NULL)); /* ENL-RC-01: was sent to it */
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtRollbackComplete(party.superior, NULL));
}

/* ---- the end of a phase ------------------------------------------------------------------------
 */

/* ENL-PPC-03 ENL-PPC-07 ENL-PC-04 ENL-PC-06 ENL-CC-04 ENL-CC-07 OP-09 */
TEST(the_last_answer_ends_the_phase)
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    party_expect(&party, PREPREPARE);
    EXPECT_OK(NtPrePrepareComplete(party.en[1], NULL));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[0], NULL));
    party_expect(&party, PREPARE);
    EXPECT_OK(NtPrepareComplete(party.en[0], NULL));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[1], NULL));
    party_expect(&party, COMMIT);
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT(!is_signalled(party.tx));
    EXPECT_OK(NtCommitComplete(party.en[1], NULL));
    EXPECT(is_signalled(party.tx));
    EXPECT_OK(call_result(commit));
}

TEST(superiors_hear_of_the_end_of_each_phase) /* ENL-PPC-03 ENL-PC-04 ENL-CC-04 ENL-RC-03 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_FULL);

    party_prepare(&party);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT_QUIET(party.superior_rm);
    EXPECT_OK(NtCommitComplete(party.en[1], NULL));
    EXPECT_NOTE(party.superior_rm, key_number(9), COMMIT_DONE);
}

TEST(after_phase_0_there_is_still_work) /* ENL-PPC-04 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    HANDLE rm = new_volatile_rm(party.tm);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtPrePrepareComplete(party.en[0], NULL));
    new_en(rm, party.tx, MASK_TWO, key_number(4));
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[1], NULL));
    EXPECT_NOTE(rm, key_number(4), PREPARE);
}

TEST(an_answer_may_come_before_the_question_is_read) /* ENL-PPC-05 NOTIF-11 */
{
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[0], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[0], NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPREPARE);
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
}

TEST(an_rm_that_cannot_flush_rolls_back) /* ENL-PPC-06 ENL-RB-02 ENL-RB-09 ENL-RC-03 ENL-RC-05 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    party_expect(&party, PREPREPARE);
    EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(party.en[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(commit));
    party_expect(&party, ROLLBACK); /* the one that asked included */
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
    EXPECT_OK(NtRollbackComplete(party.en[1], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtRollbackComplete(party.en[0], NULL));
}

TEST(after_its_vote_an_rm_must_be_able_to_do_both) /* ENL-PC-03 ENL-RB-04 ROLL-13 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_expect(&party, PREPARE);
    EXPECT_OK(NtPrepareComplete(party.en[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackEnlistment(party.en[0], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(party.en[1], NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
}

static void
prepare_with_information_and_die(void)
{
    struct party party = PARTY(true, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    EXPECT_OK(NtSetInformationEnlistment(party.en[0], EnlistmentRecoveryInformation, "undo", 4));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[0], NULL));
}

TEST(information_set_before_the_vote_is_durable) /* ENL-PC-05 ENL-PC-07 LOG-07 */
{
    GUID guid = guid_number(1);
    struct note note;
    char info[10];
    HANDLE rm, en;
    ULONG length;

    crash_after(prepare_with_information_and_die);
    rm = new_rm(new_logged_tm("party"), &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    note = EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT_OK(NtQueryInformationEnlistment(en, EnlistmentRecoveryInformation, info, sizeof(info),
                                           &length));
    EXPECT_EQ(4, length);
    EXPECT_BYTES("undo", info, 4);
}

TEST(closing_after_the_last_answer_changes_nothing) /* ENL-CC-05 ENL-RC-04 CLOSE-EN-02 */
{
    struct party party = PARTY(false, 0, MASK_LATE, MASK_LATE);
    struct party other = PARTY(false, 0, MASK_LATE, MASK_LATE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    close_handle(party.en[0]);
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT(!is_signalled(party.tx));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(other.tx, FALSE));
    EXPECT_OK(NtRollbackComplete(other.en[0], NULL));
    close_handle(other.en[0]);
    EXPECT_NOTE(other.rm[1], key_number(2), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(other.en[1], NULL));
}

TEST(a_waiting_rollback_returns_with_the_last_answer) /* ENL-RC-03 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    struct call *rollback = call_rollback(party.tx);

    EXPECT(call_is_running(rollback));
    EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(party.superior, NULL));
    EXPECT(call_is_running(rollback));
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
    EXPECT_OK(call_result(rollback));
    EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK_DONE);
}

/* ---- read-only ---------------------------------------------------------------------------------
 */

TEST(a_read_only_enlistment_is_out) /* ENL-RO-01 ENL-RO-06 ENL-RO-10 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtReadOnlyEnlistment(party.en[0], NULL)); /* PREPREPARE is in the queue, and stays */
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[1], NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPREPARE);
    EXPECT_QUIET(party.rm[0]);
    close_handle(party.en[0]);
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[1], NULL));
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_QUIET(party.rm[0]);
}

TEST(read_only_counts_as_the_answer_owed) /* ENL-RO-03 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtPrePrepareComplete(party.en[1], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtReadOnlyEnlistment(party.en[0], NULL));
    EXPECT_NOTE(party.rm[1], key_number(2), PREPREPARE);
    EXPECT_NOTE(party.rm[1], key_number(2), PREPARE);
}

TEST(all_read_only_is_a_commit) /* ENL-RO-07 */
{
    for (int phase = 0; phase < 2; phase++) {
        struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
        if (phase == 1)
            party_prepreparation(&party);
        EXPECT_OK(NtReadOnlyEnlistment(party.en[0], NULL));
        EXPECT_OUTCOME(Undetermined, party.tx);
        EXPECT_OK(NtReadOnlyEnlistment(party.en[1], NULL));
        EXPECT_OUTCOME(Committed, party.tx);
        EXPECT(is_signalled(party.tx));
        party_expect(&party, phase == 0 ? PREPREPARE : PREPARE);
        EXPECT_QUIET(party.rm[0]);
        EXPECT_QUIET(party.rm[1]);
    }
}

static void
commit_with_a_reader_and_die(void)
{
    struct party party = PARTY(true, 0, MASK_FULL, MASK_FULL);

    EXPECT_OK(NtReadOnlyEnlistment(party.en[0], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[1], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[1], NULL));
}

TEST(a_reader_is_not_recorded) /* ENL-RO-01 */
{
    GUID reader = guid_number(1), writer = guid_number(2);
    HANDLE tm, rm = NULL;

    crash_after(commit_with_a_reader_and_die);
    tm = new_logged_tm("party");
    EXPECT_STATUS(STATUS_RESOURCEMANAGER_NOT_FOUND,
                  NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &reader, NULL));
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &writer, NULL));
}

TEST(a_reader_may_want_to_know_of_a_lost_delegate) /* ENL-RO-08 */
{
    struct party party = PARTY(false, 0, MASK_SINGLE, MASK_FULL | DISCONNECTED, MASK_FULL);

    EXPECT_OK(NtReadOnlyEnlistment(party.en[1], NULL));
    EXPECT_OK(NtReadOnlyEnlistment(party.en[2], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    close_handle(party.en[0]);
    EXPECT_NOTE(party.rm[1], key_number(2), DISCONNECTED);
    EXPECT_QUIET(party.rm[1]);
    EXPECT_QUIET(party.rm[2]);
}

TEST(a_delegate_that_changed_nothing_has_committed) /* ENL-RO-09 OP-12 */
{
    struct party party = PARTY(false, 0, MASK_SINGLE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtReadOnlyEnlistment(party.en[0], NULL));
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT(is_signalled(party.tx));
}

/* ---- single phase ------------------------------------------------------------------------------
 */

/* ENL-SPR-02 ENL-SPR-04 ENL-SPR-06 */
TEST(a_rejected_single_phase_becomes_several)
{
    struct party party = PARTY(false, 0, MASK_SINGLE);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    EXPECT_EQ(2, clock_of(party.tm));
    EXPECT_STATUS(STATUS_PENDING, NtSinglePhaseReject(party.en[0], NULL));
    EXPECT_EQ(2, clock_of(party.tm));
    party_prepreparation(&party);
    party_preparation(&party);
    party_completion(&party);
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_EQ(2, clock_of(party.tm));
}

TEST(the_timer_stays_stopped_after_a_rejection) /* ENL-SPR-05 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx, en;
    LARGE_INTEGER soon = milliseconds(400), later = milliseconds(550);

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, &soon, NULL));
    en = new_en(rm, tx, MASK_SINGLE, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtSinglePhaseReject(en, NULL));
    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForSingleObject(tx, FALSE, &later));
    EXPECT_OUTCOME(Undetermined, tx);
}

TEST(a_delegate_reports_that_it_has_undone) /* ENL-RB-14 ENL-RB-03 */
{
    struct party party = PARTY(false, 0, MASK_SINGLE);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    EXPECT_NOTE(party.rm[0], key_number(1), SINGLE_PHASE);
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(party.en[0], NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(commit));
    EXPECT_OUTCOME(Aborted, party.tx);
}

/* ---- rollback by a superior --------------------------------------------------------------------
 */

TEST(a_superior_rolls_back_at_any_time_before_commit) /* ENL-RB-07 ENL-RB-08 ENL-RB-09 */
{
    for (int when = 0; when < 5; when++) {
        struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
        HANDLE weak = duplicate(party.superior, ENLISTMENT_SUPERIOR_RIGHTS);

        if (when == 4)
            party_prepare(&party);
        if (when >= 1 && when < 4)
            EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(party.superior, NULL)));
        if (when >= 2 && when < 4) {
            party_prepreparation(&party);
            EXPECT_NOTE(party.superior_rm, key_number(9), PREPREPARE_DONE);
        }
        if (when == 1)
            party_expect(&party, PREPREPARE);
        if (when == 3) {
            EXPECT(NT_SUCCESS(NtPrepareEnlistment(party.superior, NULL)));
            party_expect(&party, PREPARE);
        }
        EXPECT_STATUS(STATUS_ACCESS_DENIED, NtRollbackEnlistment(weak, NULL)); /* ENL-RB-13 */
        EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(party.superior, NULL));
        EXPECT_OUTCOME(Aborted, party.tx);
        EXPECT_QUIET(party.superior_rm); /* it knows */
        party_rollback(&party);
        EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK_DONE);
        EXPECT_QUIET(party.superior_rm);
    }
}

TEST(a_superior_that_is_alone_rolls_back_at_once) /* ENL-RB-08 ENL-RB-09 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    HANDLE superior = new_superior(rm, tx, MASK_SUPERIOR, key_number(9));

    EXPECT_STATUS(STATUS_SUCCESS, NtRollbackEnlistment(superior, NULL));
    EXPECT_NOTE(rm, key_number(9), ROLLBACK_DONE);
}

TEST(a_superior_does_not_undo_a_commit) /* ENL-RB-06 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    party_prepare(&party);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackEnlistment(party.superior, NULL));
    party_completion(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackEnlistment(party.superior, NULL));
}

static NTSTATUS
undo_at_once(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
             ULONG argument_length, PVOID argument)
{
    (void)key;
    (void)clock;
    (void)argument_length;
    (void)argument;
    if (what == ROLLBACK && context)
        EXPECT_OK(TmRollbackComplete(en, NULL));
    return STATUS_SUCCESS;
}

TEST(a_rollback_handled_by_callbacks_is_not_pending) /* ENL-RB-09 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm), en;

    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), undo_at_once, &tm));
    en = new_en(rm, tx, MASK_FULL, NULL);
    EXPECT_OK(NtRollbackEnlistment(en, NULL));
    EXPECT_OUTCOME(Aborted, tx);
}
