/* SPDX-License-Identifier: MIT */
/* The first table of section 10 of ktm-protocol.md: every state of a subordinate enlistment × every
 * routine about an enlistment, as Nt, as Zw and by pointer. */
#include "tests/nt/scene.h"

enum state {
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
    PROMISED, /* prepared, and the transaction too: only a superior decides */
    IN_DOUBT,
    RECOVERING,
    OFFLINE,
    STATES
};

static const char *const names[STATES] = {
    "Active",    "PrePreparing", "PrePrepared", "Preparing",  "Prepared",
    "Delegated", "Committing",   "Aborting",    "ReadOnly",   "Committed",
    "Aborted",   "Promised",     "InDoubt",     "Recovering", "Offline",
};

#define MASK_LOST (MASK_FULL | INDOUBT)

static void
set_under_superior(enum state state)
{
    scene_enlist(MASK_LOST, MASK_FULL, MASK_SUPERIOR | OUTCOME_REQUEST);
    scene_say(scene.superior, NtPrepareEnlistment);
    for (int i = 0; i < 2; i++)
        scene_say(scene.en[i], NtPrePrepareComplete);
    for (int i = 0; i < 2; i++)
        scene_say(scene.en[i], NtPrepareComplete);
    if (state != PROMISED)
        scene_lose(&scene.rm[0], &scene.en[0], state != OFFLINE);
    if (state == IN_DOUBT)
        EXPECT(NT_SUCCESS(NtRecoverEnlistment(scene.en[0], key_number(1))));
}

/* Enlistment a is in the state; b keeps each phase open. */
static void
set(enum state state)
{
    if (state >= PROMISED) {
        set_under_superior(state);
        return;
    }
    if (state == DELEGATED)
        scene_enlist(MASK_SINGLE, 0, 0);
    else
        scene_enlist(MASK_FULL, MASK_FULL, 0);
    if (state == ABORTING || state == ABORTED)
        EXPECT(NT_SUCCESS(NtRollbackTransaction(scene.tx, FALSE)));
    else if (state != ACTIVE && state != READ_ONLY)
        scene_commit();
    if (state == READ_ONLY)
        scene_say(scene.en[0], NtReadOnlyEnlistment);
    if (state == ABORTED)
        scene_say(scene.en[0], NtRollbackComplete);
    if (state == PREPREPARED || state == PREPARING || state == PREPARED || state == COMMITTING ||
        state == COMMITTED)
        scene_say(scene.en[0], NtPrePrepareComplete);
    if (state == PREPARING || state == PREPARED || state == COMMITTING || state == COMMITTED)
        scene_say(scene.en[1], NtPrePrepareComplete);
    if (state == PREPARED || state == COMMITTING || state == COMMITTED)
        scene_say(scene.en[0], NtPrepareComplete);
    if (state == COMMITTING || state == COMMITTED)
        scene_say(scene.en[1], NtPrepareComplete);
    if (state == COMMITTED)
        scene_say(scene.en[0], NtCommitComplete);
}

static NTSTATUS
nt_recover(HANDLE en, PLARGE_INTEGER clock)
{
    (void)clock;
    return NtRecoverEnlistment(en, key_number(1));
}

static NTSTATUS
zw_recover(HANDLE en, PLARGE_INTEGER clock)
{
    (void)clock;
    return ZwRecoverEnlistment(en, key_number(1));
}

static NTSTATUS
tm_recover(PKENLISTMENT en, PLARGE_INTEGER clock)
{
    (void)clock;
    return TmRecoverEnlistment(en, key_number(1));
}

static const struct row {
    struct form form;
    const char *legal; /* a letter per state, see scene.h */
} rows[] = {
    /* PT-49 ENL-PPC-01 ENL-PPC-02 ENL-PC-01 ENL-PC-02 ENL-CC-01 ENL-CC-02 ENL-CC-03 ENL-RC-01
     * ENL-RC-02 ENL-SPR-01 ENL-SPR-03 ENL-RO-02 ENL-RO-05 */
    {FORM(PrePrepareComplete), "RSRRRRRRRRRRRRR"},
    {FORM(PrepareComplete), "RRRSRRRRRRRRRRR"},
    {FORM(CommitComplete), "RRRRRSSRRRRRRRR"},
    {FORM(RollbackComplete), "RRRRRRRSRRRRRRR"},
    {FORM(SinglePhaseReject), "RRRRRSRRRRRRRRR"},
    {FORM(ReadOnlyEnlistment), "SSSSRSRRRRRRRRR"},
    /* ENL-RB-03 ENL-RB-04 ENL-RB-05 ENL-RB-06 ENL-RECOVER-05 ENL-RECOVER-10 TMR-10 */
    {FORM(RollbackEnlistment), "SSSSVSVVVVVVVVV"},
    {{"RecoverEnlistment", nt_recover, zw_recover, tm_recover}, "VVVVVVVVVVVVSSV"},
    /* TMR-22 TMR-23 TMR-24 TMR-25; there is no Nt routine */
    {{"RequestOutcomeEnlistment", NULL, NULL, TmRequestOutcomeEnlistment}, "VVVVSV--VVVS-VV"},
    /* ENL-PPE-04 ENL-PE-04 ENL-CE-05 TMR-08 */
    {FORM(PrePrepareEnlistment), "NNNNNNNNNNNNNNN"},
    {FORM(PrepareEnlistment), "NNNNNNNNNNNNNNN"},
    {FORM(CommitEnlistment), "NNNNNNNNNNNNNNN"},
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
    bool is_signalled_before, has_clock = row->form.nt != nt_recover;

    scene_begin();
    set(state);
    scene_drain();
    outcome = outcome_of(scene.tx);
    outward = state_of(scene.tx);
    before = clock_of(scene.tm);
    is_signalled_before = is_signalled(scene.tx);
    status = form_call(&row->form, which, scene.en[0], &clock);
    if (!letter_fits(letter, status))
        test_fail(__FILE__, __LINE__, "%s%s in %s: 0x%x, expected %c", form_prefix(which),
                  row->form.name, names[state], (unsigned)status, letter);
    if (letter != 'S') { /* GEN-06 CLOCK-06 */
        EXPECT_EQ(outcome, outcome_of(scene.tx));
        EXPECT_EQ(outward, state_of(scene.tx));
        EXPECT_EQ(is_signalled_before, is_signalled(scene.tx));
        EXPECT(scene_is_quiet());
    }
    if (letter == 'S' || letter == '-')
        EXPECT_EQ(has_clock ? clock.QuadPart : before, clock_of(scene.tm)); /* CLOCK-05 */
    else
        EXPECT_EQ(before, clock_of(scene.tm));
    scene_end();
}

/* GEN-02 GEN-06 PE-03 PE-05 PE-07 PE-09 PE-11 PE-12 PE-15 INV-06 INV-07 */
TEST(every_routine_in_every_state_of_a_subordinate)
{
    EACH (row, rows) {
        EXPECT_EQ(STATES, strlen(row->legal));
        for (enum state state = 0; state < STATES; state++)
            for (int which = 0; which < FORMS; which++)
                if (which == FORM_TM || row->form.nt)
                    try_one(row, state, which);
    }
}
