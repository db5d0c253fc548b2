/* SPDX-License-Identifier: MIT */
/* Transaction managers: who finds what by which name, states from attaching to Online, two clocks,
 * reading the log up to a point. */
#include "tests/engine/stage.h"

static enum ktm_state
state_of(struct object *tm)
{
    struct engine_tm_info info;

    engine_tm_query(tm, &info);
    return (enum ktm_state)info.state;
}

static int64_t
clock_of(struct object *tm)
{
    struct engine_tm_info info;

    engine_tm_query(tm, &info);
    return info.clock;
}

static struct object *
volatile_tm(void)
{
    struct object *tm = NULL;

    EXPECT_OK(engine_tm_create(stage.engine, NULL, NULL, 0, &tm));
    return tm;
}

/* ---- names ---- */

TEST(one_live_tm_per_log_and_per_identity) /* NAME-01 TM-CREATE-11 CLOSE-TM-04 */
{
    struct object *other = NULL, *same = NULL;
    struct engine_tm_info info;

    stage_begin();
    engine_tm_query(stage.tm, &info);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  engine_tm_create(stage.engine, "/tm", NULL, 0, &other));
    EXPECT_OK(engine_tm_open_log(stage.engine, "/tm", NULL, 0, &same));
    EXPECT(same == stage.tm);
    stage_close(same);
    EXPECT_OK(engine_tm_open_guid(stage.engine, &info.identity, &same));
    EXPECT(same == stage.tm);
    stage_close(same);
    stage_close(stage.tm);
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_FOUND,
                  engine_tm_open_guid(stage.engine, &info.identity, &same));
    stage_attach();
    {
        struct engine_tm_info again;

        engine_tm_query(stage.tm, &again); /* NAME-05 */
        EXPECT(guid_equal(&info.identity, &again.identity));
        EXPECT(guid_equal(&info.log_identity, &again.log_identity));
    }
    stage_end();
}

TEST(an_rm_s_guid_is_its_name_inside_its_tm) /* NAME-02 RM-CREATE-04 */
{
    struct object *tm, *rm, *other = NULL, *twice = NULL;
    GUID guid = stage_guid(1);

    stage_begin();
    tm = volatile_tm();
    rm = stage_rm(1, 0);
    EXPECT_OK(engine_rm_create(tm, &guid, RESOURCE_MANAGER_VOLATILE, NULL, 0, &other));
    EXPECT(other != rm);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  engine_rm_create(stage.tm, &guid, 0, NULL, 0, &twice));
    EXPECT_OK(engine_rm_open(stage.tm, &guid, &twice));
    EXPECT(twice == rm);
    stage_close(twice);
    EXPECT_OK(engine_rm_open(tm, &guid, &twice));
    EXPECT(twice == other);
    stage_close(twice);
    stage_close(other);
    stage_close(rm);
    stage_close(tm);
    stage_end();
}

TEST(a_uow_is_the_name_of_one_transaction_everywhere) /* NAME-03 TX-CREATE-04 */
{
    GUID uow = {.Data1 = 99};
    struct engine_tx_options options = {.uow = &uow};
    struct object *tm, *tx = NULL, *other = NULL;

    stage_begin();
    tm = volatile_tm();
    options.tm = stage.tm;
    EXPECT_OK(engine_tx_create(stage.engine, &options, &tx));
    options.tm = tm;
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, engine_tx_create(stage.engine, &options, &other));
    options.tm = NULL;
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, engine_tx_create(stage.engine, &options, &other));
    EXPECT_OK(engine_tx_open(stage.engine, &uow, NULL, &other));
    EXPECT(other == tx);
    stage_close(other);
    EXPECT_OK(engine_tx_open(stage.engine, &uow, stage.tm, &other));
    EXPECT(other == tx);
    stage_close(other);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, engine_tx_open(stage.engine, &uow, tm, &other));
    stage_close(tx);
    stage_close(tm);
    stage_end();
}

TEST(an_enlistment_is_found_in_its_rm_only) /* NAME-04 NAME-05 ENL-OPEN-02 */
{
    struct object *rm, *neighbour, *tx, *a, *b, *found = NULL;
    struct engine_en_info of_a, of_b;

    stage_begin();
    rm = stage_rm(1, 0);
    neighbour = stage_rm(2, 0);
    tx = stage_tx();
    a = stage_en(rm, tx, STAGE_FULL);
    b = stage_en(neighbour, tx, STAGE_FULL);
    EXPECT_OK(engine_en_query(a, &of_a));
    EXPECT_OK(engine_en_query(b, &of_b));
    EXPECT(!guid_equal(&of_a.guid, &of_b.guid)); /* made by KTM, unique everywhere */
    EXPECT_OK(engine_en_open(rm, &of_a.guid, &found));
    EXPECT(found == a);
    stage_close(found);
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_FOUND, engine_en_open(neighbour, &of_a.guid, &found));
    stage_close(a);
    stage_close(b);
    stage_close(tx);
    stage_close(rm);
    stage_close(neighbour);
    stage_end();
}

/* ---- clocks ---- */

TEST(every_tm_has_a_clock_of_its_own) /* CLOCK-01 CLOCK-07 */
{
    struct engine_tx_options options = {.tm = NULL};
    struct object *tm, *rm = NULL, *tx = NULL, *en = NULL;
    GUID guid = stage_guid(1);
    int64_t high = 500;

    stage_begin();
    tm = volatile_tm();
    options.tm = tm;
    EXPECT_OK(engine_rm_create(tm, &guid, RESOURCE_MANAGER_VOLATILE, NULL, 0, &rm));
    EXPECT_OK(engine_tx_create(stage.engine, &options, &tx));
    EXPECT_OK(engine_en_create(rm, tx, 0, STAGE_FULL, NULL, &en));
    EXPECT_EQ(1, clock_of(tm));
    EXPECT(NT_SUCCESS(engine_en_request(en, KTM_EN_READ_ONLY, &high)));
    EXPECT_EQ(500, clock_of(tm));
    EXPECT_EQ(1, clock_of(stage.tm));
    stage_close(en);
    stage_close(tx);
    stage_close(rm);
    stage_close(tm);
    stage_end();
}

/* ---- from the log to Online ---- */

TEST(states_of_recovery) /* RECOV-09 TM-CREATE-10 TM-STATE-01 */
{
    struct engine_tx_options options = {.tm = NULL};
    struct object *tx = NULL;

    stage_begin();
    EXPECT_EQ(KTM_ONLINE, state_of(stage.tm));
    stage_crash();
    stage_attach();
    EXPECT_EQ(KTM_INITIALIZED, state_of(stage.tm));
    options.tm = stage.tm;
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                  engine_tx_create(stage.engine, &options, &tx));
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_EQ(KTM_ONLINE, state_of(stage.tm));
    stage_end();
}

TEST(a_recovery_that_fails_says_so) /* RECOV-09 TM-RECOVER-11 TM-STATE-01 */
{
    struct sys_fault_rule rule = {.calls = FAULT_READ,
                                  .name = "c0001",
                                  .n = 1,
                                  .status = STATUS_IO_DEVICE_ERROR,
                                  .is_lasting = true};
    struct object *rm, *tx, *en;
    NTSTATUS status;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK);
    stage_commit(tx);
    (void)en;
    stage_crash();
    stage_attach();
    sys_fault_plan(stage.fault, &rule);
    status = engine_tm_recover(stage.tm, NULL);
    EXPECT(!NT_SUCCESS(status));
    EXPECT_EQ(KTM_RECOVERY_FAILED, state_of(stage.tm));
    sys_fault_plan(stage.fault, NULL);
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, engine_tm_recover(stage.tm, NULL));
    stage_close(stage.tm); /* attached anew it can be tried again [TM-STATE-03] */
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    stage_end();
}

/* A TM that is not Online lists none [TM-STATE-02]. */
static unsigned
transactions(void)
{
    return (unsigned)guid_map_count(&stage_inside()->core.txs);
}

TEST(records_beyond_the_target_are_not_applied) /* RECOV-10 CLOCK-09 TM-STATE-04 OP-17 */
{
    struct object *rm;

    stage_begin();
    rm = stage_rm(1, 0);
    for (int i = 0; i < 5; i++) { /* clocks 2 to 6 */
        struct object *tx = stage_tx();

        (void)stage_en(rm, tx, TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK);
        stage_commit(tx);
    }
    EXPECT_EQ(6, clock_of(stage.tm));
    stage_crash();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, &(int64_t){3}));
    EXPECT_EQ(2, transactions());
    EXPECT_EQ(3, clock_of(stage.tm));
    EXPECT(state_of(stage.tm) != KTM_ONLINE);
    EXPECT_OK(engine_tm_recover(stage.tm, &(int64_t){5}));
    EXPECT_EQ(4, transactions());
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_EQ(5, transactions());
    EXPECT_EQ(6, clock_of(stage.tm));
    EXPECT_EQ(KTM_ONLINE, state_of(stage.tm));
    stage_end();
}
