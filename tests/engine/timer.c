/* SPDX-License-Identifier: MIT */
/* Time-outs: in the order of their deadlines, never early, and by the real clock's thread. */
#include "tests/engine/stage.h"

#include "sys/thread.h"

static struct object *
tx_with_timeout(struct engine *engine, struct object *tm, int64_t milliseconds)
{
    struct engine_tx_options options = {.tm = tm, .timeout = -10000 * milliseconds};
    struct object *tx = NULL;

    EXPECT_OK(engine_tx_create(engine, &options, &tx));
    return tx;
}

static bool
has_aborted(struct object *tx)
{
    struct engine_tx_info info;

    EXPECT_OK(engine_tx_query(tx, &info));
    if (info.outcome == TransactionOutcomeAborted)
        EXPECT_EQ(REASON_TIMEOUT, info.abort_reason);
    return info.outcome == TransactionOutcomeAborted;
}

TEST(deadlines_come_in_order_whatever_the_order_of_their_setting) /* ROLL-TMO-01, -04, -05, -06 */
{
    enum { COUNT = 200 };
    struct object *txs[COUNT], *never;
    unsigned deadline[COUNT];

    stage_begin();
    never = tx_with_timeout(stage.engine, stage.tm, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        deadline[i] = 1 + i * 7919 % 211; /* a permutation */
        txs[i] = tx_with_timeout(stage.engine, stage.tm, deadline[i]);
    }
    for (unsigned i = 0; i < COUNT;
         i += 10) { /* some are set anew, some without, some end before */
        EXPECT_OK(engine_tx_set(txs[i], 0, -10000ll * 300, NULL, 0));
        deadline[i] = 300;
        EXPECT_OK(engine_tx_set(txs[i + 1], 0, 0, NULL, 0));
        deadline[i + 1] = UINT32_MAX;
        EXPECT_OK(engine_tx_commit(txs[i + 2], true));
        deadline[i + 2] = UINT32_MAX;
    }
    for (unsigned now = 1; now <= 320; now++) {
        sys_sim_advance(stage.sim, 999999);
        engine_run_timers(stage.engine); /* a nanosecond too early */
        for (unsigned i = 0; i < COUNT; i++)
            EXPECT_EQ(deadline[i] < now, has_aborted(txs[i]));
        sys_sim_advance(stage.sim, 1);
        engine_run_timers(stage.engine);
        for (unsigned i = 0; i < COUNT; i++)
            EXPECT_EQ(deadline[i] <= now, has_aborted(txs[i]));
    }
    EXPECT(!has_aborted(never));
    for (unsigned i = 0; i < COUNT; i++)
        stage_close(txs[i]);
    stage_close(never);
    stage_end();
}

/* The thread of the instance that programs use. Not before; how late depends on the machine, so the
 * best of several has to be in time. */
TEST(time_outs_by_the_real_clock) /* ROLL-TMO-06 */
{
    struct engine *engine = engine_instance();
    uint64_t best = UINT64_MAX;
    struct object *tm = NULL;

    EXPECT(engine);
    EXPECT_OK(engine_tm_create(engine, NULL, NULL, 0, &tm));
    for (int i = 0; i < 8; i++) {
        uint64_t start = sys_now(), late;
        struct object *tx = tx_with_timeout(engine, tm, 20);

        EXPECT_OK(engine_wait(tx, SYS_FOREVER));
        late = sys_now() - start;
        EXPECT(late >= 20000000);
        EXPECT(has_aborted(tx));
        if (late - 20000000 < best)
            best = late - 20000000;
        engine_handle_close(tx);
    }
    EXPECT(best <= 50000000);
    engine_handle_close(tm);
}
