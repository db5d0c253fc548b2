/* SPDX-License-Identifier: MIT */
/* A process and its successor on one simulated disk: what the handles of the first meant is gone,
 * what its log holds is not. */
#include "tests/nt/kit.h"

#include "engine/engine.h"
#include "nt/nt.h"
#include "sys/sim.h"

static const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;
static struct sys_sim *sim;
static struct sys *process;
static struct engine *engine;

static void
begin(void)
{
    EXPECT_OK(engine_create(process, &engine));
}

/* The process dies, and perhaps the power with it. */
static void
die(bool power_too)
{
    sys_sim_crash(process);
    if (power_too)
        sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
    engine_destroy(engine);
    nt_forget_all();
}

static NTSTATUS
attach(HANDLE *tm)
{
    UNICODE_STRING path = wide("/tm");

    return NtCreateTransactionManager(tm, all, NULL, &path, 0, 0);
}

TEST(handles_and_names_end_with_the_process) /* NAME-07 CLOSE-TM-06 */
{
    UNICODE_STRING name = wide("\\tx");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    GUID communication = guid_number(4), protocol = guid_number(5);
    HANDLE tm, tx, rm, again;

    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    for (int life = 0; life < 3; life++) {
        begin();
        EXPECT_OK(attach(&tm));
        EXPECT_OK(NtRecoverTransactionManager(tm));
        EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, NULL, tm, 0, 0, 0, NULL,
                                      NULL));
        rm = new_rm(tm, &communication, RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION);
        EXPECT_OK(NtRegisterProtocolAddressInformation(rm, &protocol, 0, NULL, 0));
        close_handle(rm);
        die(false);
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(tx));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtRecoverTransactionManager(tm));
    }
    begin();
    EXPECT_OK(attach(&again)); /* nobody holds the log any more */
    die(false);
    sys_sim_destroy(sim);
}

TEST(a_commit_outlives_the_power) /* TM-RECOVER-01 ENL-PC-05 LOG-02 */
{
    GUID guid = guid_number(1), uow;
    HANDLE tm, rm, tx, en;

    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    begin();
    EXPECT_OK(attach(&tm));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    rm = new_durable_rm(tm, 1);
    tx = new_tx(tm);
    uow = guid_of_tx(tx);
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(en, NULL));
    EXPECT_OUTCOME(Committed, tx);
    die(true);
    begin();
    EXPECT_OK(attach(&tm));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_OUTCOME(Committed, tx);
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
    die(false);
    sys_sim_destroy(sim);
}

/* Whatever moment the power fails in while a log is made, the log can be made afterwards. */
TEST(a_log_cut_short_at_birth_is_finished_later) /* TM-CREATE-07 TM-CREATE-17 CLFS-KTM-07 */
{
    for (uint64_t cut = 1;; cut++) {
        bool had_power;
        HANDLE tm;

        sim = sys_sim_create(cut);
        process = sys_sim_process(sim);
        begin();
        sys_sim_cut_after(sim, cut, SIM_CUT_WITHIN);
        (void)attach(&tm);
        had_power = sys_sim_has_power(sim);
        sys_sim_crash(process);
        sys_sim_power_on(sim, cut % 2 ? SIM_KEEP_ALL : SIM_KEEP_SUBSET, cut);
        engine_destroy(engine);
        nt_forget_all();
        begin();
        EXPECT_OK(attach(&tm));
        EXPECT_OK(NtRecoverTransactionManager(tm));
        die(false);
        sys_sim_destroy(sim);
        if (had_power)
            return;
    }
}
