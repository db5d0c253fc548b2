/* SPDX-License-Identifier: MIT */
/* The second table of section 10 of ktm-protocol.md: every state of a transaction under a superior
 * × every routine about an enlistment, called for the superior, as Nt, as Zw and by pointer. */
#include "tests/nt/scene.h"

enum state {
    ACTIVE,
    REQUESTED,     /* the client has asked: COMMIT_REQUEST */
    PREPREPARING,  /* in three steps */
    PREPREPARING1, /* in one */
    PREPREPARED,
    PREPARING,
    PREPARING1,
    PREPARED,
    IN_DOUBT, /* the superior was lost and is back */
    COMMITTED,
    COMMITTED1,
    FINISHED,  /* and all have answered */
    RECOVERED, /* committed, and the TM was restarted since */
    ABORTED,   /* by the client: the superior is told ROLLBACK */
    ANSWERED,  /* and has answered */
    UNDONE,    /* by the superior */
    STATES
};

static const char *const names[STATES] = {
    "Active",
    "Requested",
    "PrePreparing",
    "PrePreparing (one step)",
    "PrePrepared",
    "Preparing",
    "Preparing (one step)",
    "Prepared",
    "InDoubt",
    "Committed",
    "Committed (one step)",
    "Finished",
    "Committed (recovered)",
    "Aborted",
    "Aborted and answered",
    "Aborted by it",
};

static bool
is_one_of(enum state state, unsigned set)
{
    return set >> state & 1;
}
#define B(s) (1u << (s))

static void
both_say(answer_routine *routine)
{
    scene_say(scene.en[0], routine);
    scene_say(scene.en[1], routine);
}

/* Everybody dies with the decision made and not all told; the superior comes back. */
static void
recover_all(void)
{
    GUID rm = guid_of_rm(scene.superior_rm), en = guid_of_en(scene.superior),
         uow = guid_of_tx(scene.tx);

    scene_restart(true);
    EXPECT_OK(
        NtOpenResourceManager(&scene.superior_rm, RESOURCEMANAGER_ALL_ACCESS, scene.tm, &rm, NULL));
    EXPECT(NT_SUCCESS(NtRecoverResourceManager(scene.superior_rm)));
    EXPECT_OK(
        NtOpenEnlistment(&scene.superior, ENLISTMENT_ALL_ACCESS, scene.superior_rm, &en, NULL));
    EXPECT(NT_SUCCESS(NtRecoverEnlistment(scene.superior, NULL)));
    EXPECT_OK(NtOpenTransaction(&scene.tx, TRANSACTION_ALL_ACCESS, NULL, &uow, scene.tm));
    scene.rm[0] = scene.rm[1] = NULL;
}

static void
set_aborted(enum state state)
{
    if (state == UNDONE) {
        scene_say(scene.superior, NtRollbackEnlistment);
        return;
    }
    EXPECT(NT_SUCCESS(NtRollbackTransaction(scene.tx, FALSE)));
    if (state == ANSWERED)
        scene_say(scene.superior, NtRollbackComplete);
}

static void
set(enum state state)
{
    const unsigned one_step = B(PREPREPARING1) | B(PREPARING1) | B(COMMITTED1);
    const unsigned behind_phase_0 = B(PREPREPARED) | B(PREPARING) | B(PREPARING1) | B(PREPARED) |
                                    B(IN_DOUBT) | B(COMMITTED) | B(COMMITTED1) | B(FINISHED) |
                                    B(RECOVERED);
    const unsigned behind_phase_1 =
        B(PREPARED) | B(IN_DOUBT) | B(COMMITTED) | B(COMMITTED1) | B(FINISHED) | B(RECOVERED);

    scene_enlist(MASK_FULL, MASK_FULL, MASK_SUPERIOR | COMMIT_REQUEST);
    if (state == REQUESTED)
        scene_commit();
    if (state >= ABORTED)
        set_aborted(state);
    if (state <= REQUESTED || state >= ABORTED)
        return;
    scene_say(scene.superior,
              is_one_of(state, one_step) ? NtCommitEnlistment : NtPrePrepareEnlistment);
    if (is_one_of(state, behind_phase_0))
        both_say(NtPrePrepareComplete);
    if (is_one_of(state, behind_phase_0 & ~one_step) && state != PREPREPARED)
        scene_say(scene.superior, NtPrepareEnlistment);
    if (is_one_of(state, behind_phase_1))
        both_say(NtPrepareComplete);
    if (is_one_of(state, B(COMMITTED) | B(FINISHED) | B(RECOVERED)))
        scene_say(scene.superior, NtCommitEnlistment);
    if (state == FINISHED)
        both_say(NtCommitComplete);
    if (state == RECOVERED)
        recover_all();
    if (state == IN_DOUBT) {
        scene_lose(&scene.superior_rm, &scene.superior, true);
        EXPECT(NT_SUCCESS(NtRecoverEnlistment(scene.superior, NULL)));
    }
}

static const struct row {
    struct form form;
    const char *legal;
} rows[] = {
    /* ENL-PPE-06 ENL-PE-06 ENL-PE-07 ENL-CE-02 ENL-CE-03 ENL-CE-04 ENL-CE-07 ENL-CE-08 ENL-CE-09
     * PT-08 PT-09 PT-23 PT-32 PT-38 */
    {FORM(PrePrepareEnlistment), "SSVVVVVVVVVVVVVV"},
    {FORM(PrepareEnlistment), "SSVVSVVVVVVVVVVV"},
    {FORM(CommitEnlistment), "SSVXVVXSSXXX-AAA"},
    /* ENL-RB-06 ENL-RB-07 PT-33 PT-39 ENL-RC-01 ENL-RC-02 */
    {FORM(RollbackEnlistment), "SSSSSSSSSVVVVVVV"},
    {FORM(RollbackComplete), "RRRRRRRRRRRRRSRR"},
    /* ENL-PPC-02 ENL-PC-02 ENL-CC-03 ENL-RO-04 ENL-SPR-03 */
    {FORM(PrePrepareComplete), "RRRRRRRRRRRRRRRR"},
    {FORM(PrepareComplete), "RRRRRRRRRRRRRRRR"},
    {FORM(CommitComplete), "RRRRRRRRRRRRRRRR"},
    {FORM(ReadOnlyEnlistment), "RRRRRRRRRRRRRRRR"},
    {FORM(SinglePhaseReject), "RRRRRRRRRRRRRRRR"},
    /* TMR-22 */
    {{"RequestOutcomeEnlistment", NULL, NULL, TmRequestOutcomeEnlistment}, "VVVVVVVVVVVVVVVV"},
};

static void
try_one(const struct row *row, enum state state, int which)
{
    LARGE_INTEGER clock = {.QuadPart = 100000};
    TRANSACTION_OUTCOME outcome;
    TRANSACTION_STATE outward;
    NTSTATUS status;
    LONGLONG before;
    char letter = row->legal[state];

    scene_begin();
    set(state);
    scene_drain();
    outcome = outcome_of(scene.tx);
    outward = state_of(scene.tx);
    before = clock_of(scene.tm);
    status = form_call(&row->form, which, scene.superior, &clock);
    if (!letter_fits(letter, status))
        test_fail(__FILE__, __LINE__, "%s%s in %s: 0x%x, expected %c", form_prefix(which),
                  row->form.name, names[state], (unsigned)status, letter);
    if (letter == 'S') {
        EXPECT_EQ(clock.QuadPart, clock_of(scene.tm)); /* CLOCK-05 */
    } else {
        EXPECT_EQ(outcome, outcome_of(scene.tx)); /* GEN-06 */
        EXPECT_EQ(outward, state_of(scene.tx));
        EXPECT_EQ(before, clock_of(scene.tm)); /* CLOCK-06 */
        EXPECT(scene_is_quiet());
    }
    if (letter == 'S' && row->form.nt == NtRollbackEnlistment)
        EXPECT_OUTCOME(Aborted, scene.tx);
    scene_end();
}

TEST(every_routine_in_every_state_under_a_superior) /* GEN-02 GEN-06 INV-11 */
{
    EACH (row, rows) {
        EXPECT_EQ(STATES, strlen(row->legal));
        for (enum state state = 0; state < STATES; state++)
            for (int which = 0; which < FORMS; which++)
                if (which == FORM_TM || row->form.nt)
                    try_one(row, state, which);
    }
}

/* The mask comes before the state. */
TEST(
    a_superior_without_the_bit_is_refused_in_any_state) /* ENL-PPE-05 ENL-PE-05 ENL-CE-06 MASK-11 */
{
    static const struct {
        struct form form;
        ULONG bit;
    } steps[] = {
        {FORM(PrePrepareEnlistment), PREPREPARE_DONE},
        {FORM(PrepareEnlistment), PREPARE_DONE},
        {FORM(CommitEnlistment), COMMIT_DONE},
    };

    EACH (step, steps)
        for (int which = 0; which < FORMS; which++)
            for (int is_aborted = 0; is_aborted < 2; is_aborted++) {
                LARGE_INTEGER clock = {.QuadPart = 7};

                scene_begin();
                scene_enlist(MASK_FULL, 0, MASK_SUPERIOR & ~step->bit);
                if (is_aborted)
                    EXPECT(NT_SUCCESS(NtRollbackTransaction(scene.tx, FALSE)));
                EXPECT(letter_fits('E', form_call(&step->form, which, scene.superior, &clock)));
                EXPECT_EQ(1, clock_of(scene.tm));
                scene_end();
            }
}
