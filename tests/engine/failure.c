/* SPDX-License-Identifier: MIT */
/* What follows when the log has failed: who hears of it, where from, and that a TM which is closed
 * stays closed. */
#include "tests/engine/stage.h"

static unsigned rollbacks;

static NTSTATUS
closes_the_tm(PKENLISTMENT en, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
              ULONG length, PVOID argument)
{
    (void)en, (void)rm_key, (void)key, (void)clock, (void)length, (void)argument;
    if (what == TRANSACTION_NOTIFY_ROLLBACK && rollbacks++ == 0)
        stage_close(stage.tm);
    return STATUS_SUCCESS;
}

/* A transaction with one participant in callback mode that closes the TM when it is rolled back. */
static struct object *
trapped(void)
{
    struct object *rm = stage_rm(7, 0), *tx = stage_tx();

    EXPECT_OK(engine_rm_callbacks(rm, closes_the_tm, NULL));
    stage_en(rm, tx, STAGE_TWO);
    return tx;
}

/* A file is made under another name: opened again, it is known by the one it has. */
static void
begin(void)
{
    stage_begin();
    stage_crash();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    rollbacks = 0;
}

static void
plan(unsigned calls, const char *name, NTSTATUS status)
{
    sys_fault_plan(stage.fault,
                   &(struct sys_fault_rule){
                       .calls = calls, .name = name, .n = 1, .status = status, .is_lasting = true});
}

/* CLOSE-TM-03 GEN-11 LOG-13 NOTIF-06 */
TEST(the_tm_may_be_closed_by_who_hears_that_a_checkpoint_failed)
{
    static uint8_t info[60 << 10];
    struct object *tx, *rm;

    begin();
    tx = trapped();
    rm = stage_rm(1, 0);
    plan(FAULT_WRITE | FAULT_SYNC, ".blf", STATUS_IO_DEVICE_ERROR);
    for (int i = 0; i < 50 && !rollbacks; i++) { /* until a checkpoint is due */
        struct object *other = stage_tx(), *en = stage_en(rm, other, STAGE_TWO);

        EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
        stage_commit(other);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
    }
    EXPECT_EQ(1, rollbacks);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(tx)->outcome);
    EXPECT(engine_is_expired(tx));
}

/* The same out of a commit that needs room for its reservation. */
TEST(the_tm_may_be_closed_by_who_hears_that_no_room_could_be_made) /* GEN-11 LOG-13 */
{
    struct object *tx, *rm, *other;

    begin();
    tx = trapped();
    rm = stage_rm(1, 0);
    other = stage_tx();
    stage_en(rm, other, STAGE_TWO);
    stage_fill_log();
    plan(FAULT_WRITE | FAULT_SYNC, ".blf", STATUS_IO_DEVICE_ERROR);
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, engine_tx_commit(other, false));
    EXPECT_EQ(1, rollbacks);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(tx)->outcome);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(other)->outcome);
    EXPECT(engine_is_expired(tx));
}

static NTSTATUS
closes_and_fails(PKENLISTMENT en, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
                 ULONG length, PVOID argument)
{
    (void)rm_key, (void)key, (void)clock, (void)length, (void)argument;
    if (what == TRANSACTION_NOTIFY_PREPARE) {
        stage_close(stage.tm);
        (void)engine_en_request((struct object *)en, KTM_EN_PREPARE_COMPLETE, NULL);
    }
    return STATUS_SUCCESS;
}

TEST(a_closed_tm_stays_closed) /* CLOSE-TM-03 TM-STATE-03 */
{
    struct object *rm, *tx;

    stage_begin();
    rm = stage_rm(1, 0);
    EXPECT_OK(engine_rm_callbacks(rm, closes_and_fails, NULL));
    tx = stage_tx();
    stage_en(rm, tx, STAGE_TWO);
    (void)engine_tx_commit(tx, false);
    EXPECT(engine_is_expired(tx));
    EXPECT_EQ(KTM_CLOSED, stage_inside()->core.state);
}

/* Nobody has to be told anything, but nothing can be written any more. */
TEST(a_checkpoint_that_fails_takes_the_tm_offline) /* TM-STATE-03 LOG-11 */
{
    static uint8_t info[60 << 10];
    struct object *rm;

    begin();
    rm = stage_rm(1, 0);
    plan(FAULT_WRITE | FAULT_SYNC, ".blf", STATUS_IO_DEVICE_ERROR);
    for (int i = 0; i < 50 && stage_inside()->core.state == KTM_ONLINE; i++) {
        struct object *tx = stage_tx(), *en = stage_en(rm, tx, STAGE_TWO);

        EXPECT_OK(engine_en_set_recovery_info(en, bytes_of(info, sizeof(info))));
        stage_commit(tx);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
        stage_say(en, KTM_EN_COMMIT_COMPLETE);
    }
    EXPECT_EQ(KTM_OFFLINE, stage_inside()->core.state);
    stage_end();
}

/* The record nobody waits for finds out that the log has failed: the outcome stands. */
TEST(a_forget_that_cannot_be_written_takes_the_tm_offline) /* LOG-11 LOG-06 TM-STATE-03 */
{
    struct object *rm, *tx, *en, *undecided;

    begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_TWO);
    undecided = stage_tx();
    stage_commit(tx);
    stage_say(en, KTM_EN_PREPARE_COMPLETE);
    plan(FAULT_WRITE, NULL, STATUS_IO_DEVICE_ERROR);
    { /* somebody else's force has failed: that of information about nobody */
        uint64_t lsn;

        EXPECT_OK(tm_log_append_info(stage_inside(), AS_EN(en), &lsn));
        EXPECT(clfs_flush(stage_inside()->area, lsn, NULL) != STATUS_SUCCESS);
    }
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    stage_say(en, KTM_EN_COMMIT_COMPLETE);
    EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
    EXPECT(AS_TX(tx)->object.signal & SIGNAL_SET);
    EXPECT_EQ(KTM_OFFLINE, stage_inside()->core.state);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(undecided)->outcome); /* LOG-13 */
    stage_close(en);
    stage_close(tx);
    stage_end();
}

/* The root has decided; the branch hears of it when its log can be written again. Nobody waits for
 * that. */
TEST(a_branch_whose_log_fails_holds_nobody_up) /* PT-36 PT-42 BR-03 SIG-01 */
{
    GUID guid = stage_guid(2);
    struct object *rm, *other, *other_rm, *tx, *en, *other_en;

    begin();
    rm = stage_rm(1, 0);
    EXPECT_OK(engine_tm_create(stage.engine, "/other", NULL, 0, &other));
    EXPECT_OK(engine_tm_recover(other, NULL));
    EXPECT_OK(engine_rm_create(other, &guid, 0, NULL, 0, &other_rm));
    EXPECT_STATUS(STATUS_PENDING, engine_rm_recover(other_rm));
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_TWO);
    other_en = stage_en(other_rm, tx, STAGE_TWO);
    stage_commit(tx);
    stage_say(other_en, KTM_EN_PREPARE_COMPLETE);
    sys_fault_plan(stage.fault, &(struct sys_fault_rule){.calls = FAULT_WRITE,
                                                         .n = 2, /* behind the root's COMMIT */
                                                         .status = STATUS_IO_DEVICE_ERROR,
                                                         .is_lasting = true});
    stage_say(en, KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(tx)->outcome);
    EXPECT_EQ(KTM_ONLINE, stage_inside()->core.state);
    EXPECT_EQ(KTM_OFFLINE, AS_TM(other)->core.state);
    EXPECT(!(AS_TX(tx)->object.signal & SIGNAL_SET));
    stage_say(en, KTM_EN_COMMIT_COMPLETE);
    EXPECT(AS_TX(tx)->object.signal & SIGNAL_SET);
    stage_end();
}
