/* SPDX-License-Identifier: MIT */
/* Section 9 of ktm-protocol.md from the client's side: every state of a transaction × every routine
 * that takes one, and what the state looks like from outside. */
#include "tests/nt/scene.h"

enum state {
    ACTIVE,
    PREPREPARING,
    PREPARING,
    DELEGATED,
    DELEGATE_LOST, /* and the delegate has gone */
    COMMITTED,     /* a has yet to answer */
    COMMIT_OVER,
    ABORTED,
    ABORT_OVER,
    UNCLEAR, /* the log may have the COMMIT, or not */
    /* under a superior that does not ask for COMMIT_REQUEST */
    DRIVEN,
    PREPREPARED,
    PREPARED,
    IN_DOUBT,
    DRIVEN_COMMITTED,
    DRIVEN_ABORTED,
    /* under one that asks */
    ASKING,
    REQUESTED,
    ASKING_PREPARED,
    STATES
};

static const char *const names[STATES] = {
    "Active",
    "PrePreparing",
    "Preparing",
    "Delegated",
    "Disconnected",
    "Committed",
    "Committed, done",
    "Aborted",
    "Aborted, done",
    "Unclear",
    "Active (superior)",
    "PrePrepared",
    "Prepared",
    "InDoubt",
    "Committed (superior)",
    "Aborted (superior)",
    "Active (asking superior)",
    "Requested",
    "Prepared (asking superior)",
};

static void
set_alone(enum state state)
{
    const bool is_single = state == DELEGATED || state == DELEGATE_LOST;

    scene_enlist(is_single ? MASK_SINGLE : MASK_FULL, 0, 0);
    if (state == ABORTED || state == ABORT_OVER)
        EXPECT(NT_SUCCESS(NtRollbackTransaction(scene.tx, FALSE)));
    else if (state != ACTIVE)
        scene_commit();
    if (state == ABORT_OVER)
        scene_say(scene.en[0], NtRollbackComplete);
    if (state == DELEGATE_LOST)
        close_handle(scene.en[0]);
    if (state == PREPARING || state == COMMITTED || state == COMMIT_OVER || state == UNCLEAR)
        scene_say(scene.en[0], NtPrePrepareComplete);
    if (state == UNCLEAR)
        scene_break_disk_ambiguously();
    if (state == COMMITTED || state == COMMIT_OVER || state == UNCLEAR)
        (void)NtPrepareComplete(scene.en[0], NULL);
    if (state == COMMIT_OVER)
        scene_say(scene.en[0], NtCommitComplete);
}

static void
set_driven(enum state state)
{
    scene_enlist(MASK_FULL, 0, MASK_SUPERIOR | (state >= ASKING ? COMMIT_REQUEST : 0));
    if (state == DRIVEN_ABORTED)
        EXPECT(NT_SUCCESS(NtRollbackTransaction(scene.tx, FALSE)));
    if (state == REQUESTED)
        scene_commit();
    if (state == DRIVEN || state == DRIVEN_ABORTED || state == ASKING || state == REQUESTED)
        return;
    scene_say(scene.superior, NtPrePrepareEnlistment);
    scene_say(scene.en[0], NtPrePrepareComplete);
    if (state == PREPREPARED)
        return;
    scene_say(scene.superior, NtPrepareEnlistment);
    scene_say(scene.en[0], NtPrepareComplete);
    if (state == IN_DOUBT)
        close_handle(scene.superior);
    if (state == DRIVEN_COMMITTED)
        scene_say(scene.superior, NtCommitEnlistment);
}

static void
set(enum state state)
{
    if (state < DRIVEN)
        set_alone(state);
    else
        set_driven(state);
}

/* ---- what it looks like [TX-QUERY-02, -03, SIG-01..04, TMR-14] ---- */

static const struct look {
    TRANSACTION_STATE state;
    TRANSACTION_OUTCOME outcome;
    bool is_signalled, is_active;
} looks[STATES] = {
    [ACTIVE] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, true},
    [PREPREPARING] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
    [PREPARING] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
    [DELEGATED] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
    [DELEGATE_LOST] = {TransactionStateNormal, TransactionOutcomeUndetermined, true, false},
    [COMMITTED] = {TransactionStateCommittedNotify, TransactionOutcomeCommitted, false, false},
    [COMMIT_OVER] = {TransactionStateCommittedNotify, TransactionOutcomeCommitted, true, false},
    [ABORTED] = {TransactionStateNormal, TransactionOutcomeAborted, true, false},
    [ABORT_OVER] = {TransactionStateNormal, TransactionOutcomeAborted, true, false},
    [UNCLEAR] = {TransactionStateIndoubt, TransactionOutcomeUndetermined, true, false},
    [DRIVEN] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, true},
    [PREPREPARED] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
    [PREPARED] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
    [IN_DOUBT] = {TransactionStateIndoubt, TransactionOutcomeUndetermined, false, false},
    [DRIVEN_COMMITTED] = {TransactionStateCommittedNotify, TransactionOutcomeCommitted, false,
                          false},
    [DRIVEN_ABORTED] = {TransactionStateNormal, TransactionOutcomeAborted, true, false},
    [ASKING] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, true},
    [REQUESTED] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, true},
    [ASKING_PREPARED] = {TransactionStateNormal, TransactionOutcomeUndetermined, false, false},
};

static void
expect_look(enum state state)
{
    const struct look *look = &looks[state];
    PVOID pointer = pointer_to(scene.tx);

    if (state_of(scene.tx) != look->state || outcome_of(scene.tx) != look->outcome ||
        is_signalled(scene.tx) != look->is_signalled ||
        TmIsTransactionActive(pointer) != look->is_active)
        test_fail(__FILE__, __LINE__, "%s: state %d, outcome %d, signalled %d, active %d",
                  names[state], (int)state_of(scene.tx), (int)outcome_of(scene.tx),
                  (int)is_signalled(scene.tx), (int)TmIsTransactionActive(pointer));
    ObDereferenceObject(pointer);
}

TEST(every_state_of_a_transaction_from_outside) /* TX-QUERY-02 TX-QUERY-03 SIG-01..04 TMR-14 */
{
    for (enum state state = 0; state < STATES; state++) {
        scene_begin();
        set(state);
        expect_look(state);
        scene_end();
    }
}

/* ---- the routines ---- */

static NTSTATUS
commit(HANDLE tx)
{
    return NtCommitTransaction(tx, FALSE);
}

static NTSTATUS
zw_commit(HANDLE tx)
{
    return ZwCommitTransaction(tx, FALSE);
}

static NTSTATUS
tm_commit(HANDLE tx)
{
    PVOID pointer = pointer_to(tx);
    NTSTATUS status = TmCommitTransaction(pointer, FALSE);

    ObDereferenceObject(pointer);
    return status;
}

static NTSTATUS
rollback(HANDLE tx)
{
    return NtRollbackTransaction(tx, FALSE);
}

static NTSTATUS
zw_rollback(HANDLE tx)
{
    return ZwRollbackTransaction(tx, FALSE);
}

static NTSTATUS
tm_rollback(HANDLE tx)
{
    PVOID pointer = pointer_to(tx);
    NTSTATUS status = TmRollbackTransaction(pointer, FALSE);

    ObDereferenceObject(pointer);
    return status;
}

/* By an RM of its own that is Online; that of an Offline TM is not. */
static NTSTATUS
enlist(HANDLE tx, ULONG options, ULONG mask)
{
    HANDLE en;

    return NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, scene.rm[0], tx, NULL, options, mask,
                              NULL);
}

static NTSTATUS
enlist_full(HANDLE tx)
{
    return enlist(tx, 0, MASK_FULL);
}

static NTSTATUS
enlist_late(HANDLE tx)
{
    return enlist(tx, 0, MASK_LATE);
}

static NTSTATUS
enlist_superior(HANDLE tx)
{
    return enlist(tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR);
}

static NTSTATUS
set_properties(HANDLE tx, LONGLONG timeout)
{
    TRANSACTION_PROPERTIES_INFORMATION properties = {.Timeout.QuadPart = timeout};

    return NtSetInformationTransaction(tx, TransactionPropertiesInformation, &properties,
                                       sizeof(properties));
}

static NTSTATUS
set_timeout(HANDLE tx)
{
    return set_properties(tx, -10000 * 3600000ll);
}

static NTSTATUS
set_description(HANDLE tx)
{
    return set_properties(tx, 0);
}

static NTSTATUS
bind(HANDLE tx)
{
    TRANSACTION_BIND_INFORMATION binding = {.TmHandle = scene.tm};

    return NtSetInformationTransaction(tx, TransactionBindInformation, &binding, sizeof(binding));
}

static NTSTATUS
open(HANDLE tx)
{
    GUID uow = guid_of_tx(tx);
    HANDLE again;
    NTSTATUS status = NtOpenTransaction(&again, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL);

    if (status == STATUS_SUCCESS)
        close_handle(again);
    return status;
}

static const struct row {
    const char *name;
    NTSTATUS (*call)(HANDLE tx);
    const char *legal;
} rows[] = {
    /* TX-COMMIT-10..15, -23 PT-01..06 PT-15 PT-17 PT-44 PT-47 */
    {"NtCommitTransaction", commit, "SVVVVCCAAVUUUUCASVV"},
    {"ZwCommitTransaction", zw_commit, "SVVVVCCAAVUUUUCASVV"},
    {"TmCommitTransaction", tm_commit, "SVVVVCCAAVUUUUCASVV"},
    /* TX-ROLLBACK-05..09 OP-07 OP-08 PT-07 PT-15 PT-17 PT-22 PT-37 PT-44 PT-47 */
    {"NtRollbackTransaction", rollback, "SSSVVCC--VSSVVC-SSV"},
    {"ZwRollbackTransaction", zw_rollback, "SSSVVCC--VSSVVC-SSV"},
    {"TmRollbackTransaction", tm_rollback, "SSSVVCC--VSSVVC-SSV"},
    /* ENL-CREATE-09..13, -16 PT-10 PT-21 PT-24 OP-15 */
    {"enlist", enlist_full, "SSXXXXXXXOSWXXXXSSX"},
    {"enlist without PREPREPARE", enlist_late, "SSXXXXXXXOSSXXXXSSX"},
    {"enlist a superior", enlist_superior, "SXXXXXXXXOUXXXXXUUX"},
    /* TX-SET-03 TX-SET-11 TX-SET-12 */
    {"set a time-out", set_timeout, "-XXXXXXXXX-XXXXX--X"},
    {"set a description", set_description, "-------------------"},
    {"bind", bind, "PPPPPPPPPOPPPPPPPPP"},
    /* TX-OPEN-08 */
    {"open", open, "-------------------"},
};

static void
try_one(const struct row *row, enum state state)
{
    NTSTATUS status;
    LONGLONG before;
    char letter = row->legal[state];

    scene_begin();
    set(state);
    scene_drain();
    before = clock_of(scene.tm);
    status = row->call(scene.tx);
    if (!letter_fits(letter, status))
        test_fail(__FILE__, __LINE__, "%s in %s: 0x%x, expected %c", row->name, names[state],
                  (unsigned)status, letter);
    if (letter != 'S') { /* GEN-06 */
        expect_look(state);
        EXPECT_EQ(before, clock_of(scene.tm));
        EXPECT(scene_is_quiet());
    }
    if (row->call == rollback && letter == 'S')
        EXPECT_OUTCOME(Aborted, scene.tx);
    scene_end();
}

TEST(every_routine_in_every_state_of_a_transaction) /* GEN-01 GEN-02 GEN-06 */
{
    EACH (row, rows) {
        EXPECT_EQ(STATES, strlen(row->legal));
        for (enum state state = 0; state < STATES; state++)
            try_one(row, state);
    }
}
