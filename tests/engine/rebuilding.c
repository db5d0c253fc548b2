/* SPDX-License-Identifier: MIT */
/* A TM between two steps of a rollforward: what has been read so far may be taken away again by the
 * next record, so nobody gets hold of it. */
#include "tests/engine/stage.h"

static void
count_one(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static unsigned
count_of(struct object *root)
{
    unsigned count = 0;

    EXPECT_OK(engine_enumerate(stage.engine, root, OBJECT_TX, count_one, &count));
    return count;
}

TEST(nobody_gets_hold_of_what_is_being_rebuilt) /* TM-ROLLFWD-09 TM-STATE-02 TX-OPEN-02 TX-CREATE-04
                                                 */
{
    struct engine_tx_options options = {0};
    int64_t later = 5, early = 2;
    struct object *rm, *tx, *en;
    GUID uow;

    stage_begin();
    rm = stage_rm(1, 0);
    for (int i = 0; i < 2; i++) {
        tx = stage_tx();
        en = stage_en(rm, tx, STAGE_TWO);
        stage_commit(tx);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        if (i == 0) { /* committed at clock 2, forgotten at 5 */
            engine_tx_id(tx, &uow);
            EXPECT_OK(engine_en_request(en, KTM_EN_COMMIT_COMPLETE, &later));
        }
    }
    stage_crash();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, &early));
    EXPECT_EQ(1, guid_map_count(&stage_inside()->core.txs));
    EXPECT_EQ(0, count_of(stage.tm));
    EXPECT_EQ(0, count_of(NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, engine_tx_open(stage.engine, &uow, NULL, &tx));
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                  engine_tx_open(stage.engine, &uow, stage.tm, &tx));
    options.uow = &uow;
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, engine_tx_create(stage.engine, &options, &tx));
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_EQ(1, count_of(NULL)); /* the other */
    stage_end();
}

TEST(an_offline_tm_shows_no_children) /* TM-STATE-02 */
{
    struct object *tx;

    stage_begin();
    tx = stage_tx();
    EXPECT_EQ(1, count_of(stage.tm));
    stage_inside()->core.state = KTM_OFFLINE;
    EXPECT_EQ(0, count_of(stage.tm));
    EXPECT_EQ(0, count_of(NULL));
    stage_close(tx);
    stage_end();
}
