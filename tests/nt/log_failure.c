/* SPDX-License-Identifier: MIT */
/* A log that cannot be written, seen from the surface: definite failures abort what KTM decides,
 * ambiguous ones leave it open, and a superior's decision is never undone
 * [TX-COMMIT-16, ENL-CE-15, TM-STATE-03]. */
#include "tests/nt/kit.h"

#include "engine/engine.h"
#include "nt/nt.h"
#include "sys/fault.h"
#include "sys/sim.h"

static struct sys_sim *sim;
static struct sys *process;
static struct sys_fault *fault;
static struct engine *engine;

static void
begin(void)
{
    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    fault = sys_fault_create(process);
    EXPECT_OK(engine_create(sys_fault_sys(fault), &engine));
}

/* The disk works again, and another process takes over. */
static void
succeed(void)
{
    engine_destroy(engine);
    nt_forget_all();
    sys_fault_plan(fault, NULL);
    sys_sim_crash(process);
    EXPECT_OK(engine_create(sys_fault_sys(fault), &engine));
}

static void
end(void)
{
    engine_destroy(engine);
    sys_fault_destroy(fault);
    sys_sim_destroy(sim);
}

static void
break_disk(unsigned calls)
{
    sys_fault_plan(
        fault, &(struct sys_fault_rule){
                   .calls = calls, .n = 1, .status = STATUS_IO_DEVICE_ERROR, .is_lasting = true});
}

/* 'party' with its log on the simulated disk, where there is no directory of the test. */
static struct party
disk_party(ULONG superior)
{
    UNICODE_STRING path = wide("/tm");
    struct party party = {.is_durable = true, .count = 1, .mask = {MASK_FULL}};

    EXPECT_OK(
        NtCreateTransactionManager(&party.tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(party.tm));
    party.rm[0] = new_durable_rm(party.tm, 1);
    party.tx = new_tx(party.tm);
    if (superior) {
        party.superior_rm = new_durable_rm(party.tm, 9);
        party.superior = new_superior(party.superior_rm, party.tx, superior, key_number(9));
    }
    party.en[0] = new_en(party.rm[0], party.tx, MASK_FULL, key_number(1));
    return party;
}

static void
expect_offline(HANDLE tm) /* TM-STATE-03 */
{
    HANDLE tx;

    EXPECT_STATUS(
        STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(
        STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
        NtSetInformationTransactionManager(tm, TransactionManagerOnlineProbeInformation, NULL, 0));
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, NtRecoverTransactionManager(tm)); /* TM-RECOVER-07 */
}

/* What the participant is told of the transaction by a process that comes later; 0: nothing. */
static ULONG
told_later(void)
{
    UNICODE_STRING path = wide("/tm");
    GUID guid = guid_number(1);
    struct note note;
    HANDLE tm, rm, en;

    succeed();
    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT(note_next(rm, &note));
    if (note.what == LAST_RECOVER)
        return 0;
    EXPECT_EQ(RECOVER, note.what);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT(NT_SUCCESS(NtRecoverEnlistment(en, NULL)));
    return note_next(rm, &note) ? note.what : INDOUBT;
}

TEST(a_commit_that_is_certainly_not_logged_aborts) /* TX-COMMIT-16 ENL-PC-05 TM-STATE-03 PT-28 */
{
    struct call *commit;
    struct party party;

    begin();
    party = disk_party(0);
    commit = call_commit(party.tx);
    EXPECT(call_is_running(commit));
    party_prepreparation(&party);
    break_disk(FAULT_WRITE);
    (void)NtPrepareComplete(party.en[0], NULL);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, call_result(commit));
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    expect_offline(party.tm);
    EXPECT_EQ(0, told_later());
    end();
}

TEST(a_commit_that_may_be_logged_is_left_open) /* TX-COMMIT-16 PT-36 SIG-03 */
{
    struct call *commit;
    struct party party;
    ULONG told;

    begin();
    party = disk_party(0);
    commit = call_commit(party.tx);
    EXPECT(call_is_running(commit));
    party_prepreparation(&party);
    break_disk(FAULT_SYNC);
    (void)NtPrepareComplete(party.en[0], NULL);
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, call_result(commit));
    EXPECT_OUTCOME(Undetermined, party.tx);
    EXPECT(is_signalled(party.tx));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_QUIET(party.rm[0]);
    expect_offline(party.tm);
    told = told_later(); /* the record is there: it was written, though the disk would not say so */
    EXPECT_EQ(COMMIT, told);
    end();
}

TEST(what_a_superior_decides_is_not_undone) /* ENL-CE-15 PT-36 */
{
    static const unsigned failures[] = {FAULT_WRITE, FAULT_SYNC};

    EACH (failure, failures) {
        struct party party;

        begin();
        party = disk_party(MASK_SUPERIOR);
        party_prepare(&party);
        break_disk(*failure);
        EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                      NtCommitEnlistment(party.superior, NULL));
        EXPECT_OUTCOME(Undetermined, party.tx);
        EXPECT_STATE(Indoubt, party.tx);
        EXPECT_QUIET(party.rm[0]);
        expect_offline(party.tm);
        EXPECT_EQ(*failure == FAULT_WRITE ? INDOUBT : COMMIT, told_later());
        end();
        nt_forget_all();
    }
}

TEST(a_superior_that_commits_at_once_hears_of_the_abort) /* ENL-CE-15 PT-28 */
{
    struct party party;

    begin();
    party = disk_party(MASK_SUPERIOR);
    EXPECT_STATUS(STATUS_PENDING, NtCommitEnlistment(party.superior, NULL));
    party_prepreparation(&party);
    break_disk(FAULT_WRITE);
    (void)NtPrepareComplete(party.en[0], NULL);
    EXPECT_OUTCOME(Aborted, party.tx);
    EXPECT_NOTE(party.superior_rm, key_number(9), ROLLBACK);
    end();
}
