/* SPDX-License-Identifier: MIT */
/* What a superior asks: PrePrepareEnlistment, PrepareEnlistment, CommitEnlistment
 * [ENL-PPE, ENL-PE, ENL-CE]. */
#include "tests/nt/kit.h"

#define SUPERIOR_KEY key_number(9)

TEST(subordinates_do_not_ask) /* ENL-PPE-04 ENL-PE-04 ENL-CE-05 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, NtPrePrepareEnlistment(party.en[0], NULL));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, NtPrepareEnlistment(party.en[0], NULL));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, NtCommitEnlistment(party.en[0], NULL));
    EXPECT_EQ(1, clock_of(party.tm));
}

TEST(a_superior_must_want_to_hear_the_end) /* ENL-PPE-05 ENL-PE-05 ENL-CE-06 MASK-11 */
{
    struct party party = PARTY(false, ROLLBACK, MASK_FULL);

    EXPECT_STATUS(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED,
                  NtPrePrepareEnlistment(party.superior, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED,
                  NtPrepareEnlistment(party.superior, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_RESPONSE_NOT_ENLISTED,
                  NtCommitEnlistment(party.superior, NULL));
    EXPECT_EQ(1, clock_of(party.tm));
    EXPECT_QUIET(party.rm[0]);
}

/* ENL-PPE-01 ENL-PPE-02 ENL-PPE-07 ENL-PPE-12 ENL-PE-01 ENL-PE-02 ENL-CE-01 ENL-CE-14 */
TEST(three_steps)
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_TWO);

    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareEnlistment(party.superior, NULL));
    EXPECT_EQ(2, clock_of(party.tm));
    EXPECT_QUIET(party.rm[1]);
    EXPECT_QUIET(party.superior_rm);
    party_prepreparation(&party);
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, PREPREPARE_DONE);
    EXPECT_QUIET(party.rm[1]);
    EXPECT_STATUS(STATUS_PENDING, NtPrepareEnlistment(party.superior, NULL));
    EXPECT_QUIET(party.superior_rm);
    party_preparation(&party);
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, PREPARE_DONE);
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT(!is_signalled(party.tx));
    EXPECT_STATUS(STATUS_PENDING, NtCommitEnlistment(party.superior, NULL)); /* does not wait */
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_QUIET(party.superior_rm);
    party_completion(&party);
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, COMMIT_DONE);
    EXPECT(is_signalled(party.tx));
    EXPECT_EQ(2, clock_of(party.tm));
}

TEST(a_phase_with_nobody_to_ask_ends_at_once) /* ENL-PPE-03 ENL-PE-03 ENL-PPE-12 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    HANDLE superior = new_superior(rm, tx, MASK_SUPERIOR, SUPERIOR_KEY);

    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, SUPERIOR_KEY, PREPREPARE_DONE);
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, SUPERIOR_KEY, PREPARE_DONE);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, SUPERIOR_KEY, COMMIT_DONE);
    EXPECT(is_signalled(tx));
}

/* Brings a party under a superior into a state of the transaction. */
enum { ACTIVE, PREPREPARING, PREPREPARED, PREPARING, PREPARED, COMMITTING, ABORTED, STATES };

static struct party
party_in(int state)
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    if (state == ABORTED)
        EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    if (state == ACTIVE || state == ABORTED)
        return party;
    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(party.superior, NULL)));
    if (state == PREPREPARING)
        return party;
    party_prepreparation(&party);
    if (state == PREPREPARED)
        return party;
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(party.superior, NULL)));
    if (state == PREPARING)
        return party;
    party_preparation(&party);
    if (state == COMMITTING)
        EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    return party;
}

TEST(each_step_is_legal_in_its_states) /* ENL-PPE-06 ENL-PE-06 ENL-CE-07 ENL-CE-08 ENL-CE-09 */
{
    const NTSTATUS not_valid = STATUS_TRANSACTION_REQUEST_NOT_VALID;
    const struct {
        answer_routine *step;
        NTSTATUS status[STATES]; /* STATUS_SUCCESS: some success */
    } rows[] = {
        {NtPrePrepareEnlistment,
         {0, not_valid, not_valid, not_valid, not_valid, not_valid, not_valid}},
        {NtPrepareEnlistment, {0, not_valid, 0, not_valid, not_valid, not_valid, not_valid}},
        {NtCommitEnlistment,
         {0, not_valid, not_valid, not_valid, 0, STATUS_TRANSACTION_NOT_ACTIVE,
          STATUS_TRANSACTION_ALREADY_ABORTED}},
    };

    EACH (row, rows)
        for (int state = 0; state < STATES; state++) {
            struct party party = party_in(state);
            NTSTATUS status = row->step(party.superior, NULL);

            if (row->status[state] == STATUS_SUCCESS ? !NT_SUCCESS(status)
                                                     : status != row->status[state])
                test_fail(__FILE__, __LINE__, "step %d in state %d: 0x%x", (int)(row - rows), state,
                          (unsigned)status);
        }
}

TEST(a_second_commit_is_refused_after_completion_too) /* ENL-CE-08 */
{
    struct party party = party_in(COMMITTING);

    party_completion(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, NtCommitEnlistment(party.superior, NULL));
}

TEST(the_client_does_not_commit_meanwhile_but_may_roll_back) /* ENL-PPE-11 */
{
    struct party party = party_in(PREPREPARING);
    struct party asked = PARTY(false, MASK_SUPERIOR | COMMIT_REQUEST, MASK_FULL);

    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(asked.superior, NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtCommitTransaction(asked.tx, FALSE));
}

TEST(preparing_at_once_runs_phase_0_too) /* ENL-PE-07 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtPrepareEnlistment(party.superior, NULL));
    EXPECT_EQ(2, clock_of(party.tm));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, PREPARE_DONE); /* and no PREPREPARE_COMPLETE */
    EXPECT_QUIET(party.superior_rm);
    EXPECT_EQ(2, clock_of(party.tm));
}

TEST(committing_at_once_runs_all_phases) /* ENL-CE-02 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    struct party vetoed = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitEnlistment(party.superior, NULL));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_OUTCOME(Committed, party.tx);
    party_completion(&party);
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, COMMIT_DONE);
    EXPECT_QUIET(party.superior_rm);
    EXPECT_EQ(2, clock_of(party.tm));
    EXPECT_STATUS(STATUS_PENDING, NtCommitEnlistment(vetoed.superior, NULL));
    party_expect(&vetoed, PREPREPARE);
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(vetoed.en[0], NULL)));
    EXPECT_NOTE(vetoed.superior_rm, SUPERIOR_KEY, ROLLBACK);
}

TEST(a_subordinate_that_rolls_back_ends_it) /* ENL-PE-12 */
{
    struct party party = party_in(PREPARING);

    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, PREPREPARE_DONE);
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(party.en[0], NULL)));
    EXPECT_NOTE(party.superior_rm, SUPERIOR_KEY, ROLLBACK);
    EXPECT_QUIET(party.superior_rm);
    EXPECT_OUTCOME(Aborted, party.tx);
}

TEST(clocks_of_the_steps) /* GEN-13 CLOCK-04 CLOCK-05 ENL-PPE-07 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    LARGE_INTEGER clock = {.QuadPart = 50};

    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(party.superior, &clock)));
    EXPECT_EQ(50, clock_of(party.tm));
    party_prepreparation(&party);
    clock.QuadPart = 60;
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(party.superior, &clock)));
    EXPECT_EQ(60, clock_of(party.tm));
    party_preparation(&party);
    clock.QuadPart = 55; /* smaller: ignored */
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, &clock)));
    EXPECT_EQ(60, clock_of(party.tm));
}

/* Every bit but the one: nothing is said of it, and all else goes on. */
TEST(a_superior_hears_what_it_asked_for) /* NOTIF-14 MASK-15 ENL-CC-04 ENL-RC-03 PE-19 */
{
    struct party committed = PARTY(false, ROLLBACK | PREPARE_DONE | COMMIT_DONE, MASK_FULL),
                 aborted = PARTY(false, ROLLBACK | COMMIT_DONE, MASK_FULL);

    EXPECT(NT_SUCCESS(NtPrepareEnlistment(committed.superior, NULL))); /* no PREPREPARE_COMPLETE */
    party_prepreparation(&committed);
    party_preparation(&committed);
    EXPECT_NOTE(committed.superior_rm, SUPERIOR_KEY, PREPARE_DONE);
    EXPECT_OK(TmRequestOutcomeEnlistment(pointer_to(committed.en[0]), NULL));
    EXPECT_QUIET(committed.superior_rm); /* no REQUEST_OUTCOME */
    EXPECT(NT_SUCCESS(NtCommitEnlistment(committed.superior, NULL)));
    party_completion(&committed);
    EXPECT_NOTE(committed.superior_rm, SUPERIOR_KEY, COMMIT_DONE);
    EXPECT_QUIET(committed.superior_rm);
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(aborted.superior, NULL)));
    party_rollback(&aborted);
    EXPECT_QUIET(aborted.superior_rm); /* no ROLLBACK_COMPLETE */
    EXPECT(is_signalled(aborted.tx));
}

/* ---- durable -----------------------------------------------------------------------------------
 */

static int *step;

static void
steps_and_die(void)
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_FULL);

    party_prepare(&party); /* PREPARE_COMPLETE has been seen */
    if (*step == 1) {
        EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
        EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
    }
}

/* What the participant is told when it recovers. */
static ULONG
told(HANDLE tm)
{
    GUID guid = guid_number(1);
    struct note note;
    HANDLE en, rm = new_rm(tm, &guid, 0);

    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    note = EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT(NT_SUCCESS(NtRecoverEnlistment(en, NULL)));
    return note_next(rm, &note) ? note.what : 0;
}

TEST(what_the_superior_was_told_is_durable) /* ENL-PE-11 LOG-03 */
{
    GUID guid = guid_number(9);
    HANDLE tm, rm;

    step = shared_memory(sizeof(*step));
    crash_after(steps_and_die);
    tm = new_logged_tm("party");
    EXPECT_EQ(0, told(tm)); /* in doubt */
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, RECOVER_QUERY);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
}

TEST(a_commit_that_was_seen_is_durable) /* ENL-CE-13 LOG-02 */
{
    step = shared_memory(sizeof(*step));
    *step = 1;
    crash_after(steps_and_die);
    EXPECT_EQ(COMMIT, told(new_logged_tm("party")));
}

TEST(a_recovered_commit_may_be_given_again) /* ENL-CE-04 */
{
    GUID guid = guid_number(9);
    union {
        KTMOBJECT_CURSOR cursor;
        char room[100];
    } list = {0};
    HANDLE tm, rm, en;
    ULONG length;

    step = shared_memory(sizeof(*step));
    *step = 1;
    crash_after(steps_and_die);
    tm = new_logged_tm("party");
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, LAST_RECOVER); /* decided: nothing is asked */
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(rm, KTMOBJECT_ENLISTMENT, &list.cursor, sizeof(list),
                                               &length));
    EXPECT_EQ(1, list.cursor.ObjectIdCount);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &list.cursor.ObjectIds[0], NULL));
    EXPECT_OK(NtCommitEnlistment(en, NULL));
    EXPECT_QUIET(rm);
}

TEST(an_outcome_in_doubt_is_decided_by_the_superior) /* ENL-CE-03 */
{
    GUID guid = guid_number(9);
    struct note note;
    HANDLE tm, rm, en;

    step = shared_memory(sizeof(*step));
    crash_after(steps_and_die);
    tm = new_logged_tm("party");
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    note = EXPECT_NOTE(rm, NULL, RECOVER_QUERY);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(en, NULL)));
    EXPECT_EQ(COMMIT, told(tm));
}
