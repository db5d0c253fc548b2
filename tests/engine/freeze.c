/* SPDX-License-Identifier: MIT */
/* Freeze and thaw seen from the disk: while frozen it is not touched, afterwards what was put off
 * is in the log. */
#include "tests/engine/stage.h"

#include <pthread.h>

#define LONG (INT64_MIN + 1) /* a time-out that does not come */

static uint64_t frozen_at;

static uint64_t
operations(void)
{
    return sys_sim_counts(stage.sim, NULL).operations;
}

static void
freeze(void)
{
    EXPECT_OK(engine_freeze(stage.engine, LONG, LONG));
    frozen_at = operations();
}

/* Nothing was written since. */
static void
thaw(void)
{
    EXPECT_EQ(frozen_at, operations());
    EXPECT_OK(engine_thaw(stage.engine));
}

static uint32_t
outcome(struct object *tx)
{
    struct engine_tx_info info;

    EXPECT_OK(engine_tx_query(tx, &info));
    return info.outcome;
}

static void
count_one(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

/* How many transactions a restart finds unresolved. */
static unsigned
unresolved_after_crash(void)
{
    unsigned n = 0;

    stage_crash();
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_OK(engine_enumerate(stage.engine, stage.tm, OBJECT_TX, count_one, &n));
    return n;
}

struct duo {
    struct object *rm, *tx, *en;
};

static struct duo
duo_make(uint32_t mask)
{
    struct duo duo = {.rm = stage_rm(1, 0)};

    duo.tx = stage_tx();
    duo.en = stage_en(duo.rm, duo.tx, mask);
    return duo;
}

TEST(a_decision_put_off_is_not_in_the_log) /* FRZ-02 LOG-02 INV-04 */
{
    struct duo duo;

    stage_begin();
    duo = duo_make(STAGE_TWO);
    stage_commit(duo.tx);
    freeze();
    stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(frozen_at, operations());
    EXPECT_EQ(TransactionOutcomeUndetermined, outcome(duo.tx));
    EXPECT_EQ(0, unresolved_after_crash()); /* presumed abort */
    stage_end();
}

TEST(the_thaw_makes_the_decision_durable) /* FRZ-02 FRZ-06 LOG-02 */
{
    struct duo duo;

    stage_begin();
    duo = duo_make(STAGE_TWO);
    stage_commit(duo.tx);
    freeze();
    stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
    thaw();
    EXPECT_EQ(TransactionOutcomeCommitted, outcome(duo.tx));
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPARE, stage_hear(duo.rm));
    EXPECT_EQ(TRANSACTION_NOTIFY_COMMIT, stage_hear(duo.rm));
    EXPECT_EQ(1, unresolved_after_crash());
    stage_end();
}

TEST(a_forget_put_off_is_written_by_the_thaw) /* FRZ-02 LOG-06 */
{
    for (int is_thawed = 0; is_thawed < 2; is_thawed++) {
        struct duo duo;

        stage_begin();
        duo = duo_make(STAGE_TWO);
        stage_commit(duo.tx);
        stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
        freeze();
        stage_say(duo.en, KTM_EN_COMMIT_COMPLETE);
        stage_close(duo.tx); /* nobody holds it but the freeze */
        stage_close(duo.en);
        if (is_thawed)
            thaw();
        EXPECT_OK(clfs_flush(stage_inside()->area, stage_inside()->appended_lsn, NULL));
        EXPECT_EQ(is_thawed ? 0 : 1, unresolved_after_crash());
        stage_end();
    }
}

/* A store that is told to commit may rely on it: who was not known any more when it voted is
 * forgotten durably. */
TEST(a_forget_put_off_comes_before_a_decision_put_off) /* FRZ-02 LOG-06 */
{
    struct duo duo, other;

    stage_begin();
    other.rm = stage_rm(2, 0);
    other.tx = stage_tx();
    other.en = stage_en(other.rm, other.tx, STAGE_TWO);
    stage_commit(other.tx);
    stage_say(other.en, KTM_EN_PREPARE_COMPLETE);
    duo = duo_make(STAGE_TWO);
    stage_commit(duo.tx);
    freeze();
    stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
    stage_say(other.en, KTM_EN_COMMIT_COMPLETE);
    stage_close(other.tx);
    stage_close(other.en);
    thaw();
    EXPECT_EQ(TransactionOutcomeCommitted, outcome(duo.tx));
    EXPECT_EQ(1, unresolved_after_crash());
    stage_end();
}

TEST(an_abort_put_off_is_written_by_the_thaw) /* FRZ-02 FRZ-03 LOG-05 */
{
    for (int is_thawed = 0; is_thawed < 2; is_thawed++) {
        struct object *superior;
        struct duo duo;

        stage_begin();
        duo = duo_make(STAGE_FULL);
        superior = stage_superior(duo.rm, duo.tx);
        stage_say(superior, KTM_EN_PREPARE);
        stage_say(duo.en, KTM_EN_PREPREPARE_COMPLETE);
        stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
        freeze();
        stage_say(superior, KTM_EN_ROLLBACK); /* goes on: ROLLBACK is told at once */
        stage_say(duo.en, KTM_EN_ROLLBACK_COMPLETE);
        if (is_thawed)
            thaw();
        EXPECT_OK(clfs_flush(stage_inside()->area, stage_inside()->appended_lsn, NULL));
        EXPECT_EQ(is_thawed ? 0 : 1, unresolved_after_crash()); /* in doubt, else */
        stage_end();
    }
}

TEST(a_prepare_put_off_is_written_by_the_thaw) /* FRZ-02 LOG-03 */
{
    struct object *superior;
    struct duo duo;

    stage_begin();
    duo = duo_make(STAGE_TWO);
    superior = stage_superior(duo.rm, duo.tx);
    stage_say(superior, KTM_EN_PREPARE);
    freeze();
    stage_say(duo.en, KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPARE, stage_hear(duo.rm));
    EXPECT_EQ(0, stage_hear(duo.rm));
    thaw();
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPARE_COMPLETE, stage_hear(duo.rm));
    EXPECT_EQ(1, unresolved_after_crash());
    stage_end();
}

TEST(a_due_checkpoint_waits_for_the_thaw) /* FRZ-02 LOG-08 */
{
    struct duo duo;
    uint64_t before;

    stage_begin();
    duo = duo_make(STAGE_SINGLE);
    before = stage_inside()->checkpoint_lsn;
    for (int i = 0; i < 2000; i++) {
        struct object *tx = stage_tx(), *en = stage_en(duo.rm, tx, STAGE_TWO);

        stage_commit(tx);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        stage_inside()->is_checkpointing = true; /* nobody takes one */
        stage_say(en, KTM_EN_COMMIT_COMPLETE);
        stage_close(tx);
        stage_close(en);
        while (stage_hear(duo.rm))
            ;
    }
    stage_inside()->is_checkpointing = false;
    EXPECT(tm_log_checkpoint_due(stage_inside()));
    freeze();
    (void)outcome(duo.tx); /* any call looks whether one is due */
    EXPECT_EQ(before, stage_inside()->checkpoint_lsn);
    thaw();
    (void)outcome(duo.tx);
    EXPECT(before < stage_inside()->checkpoint_lsn);
    stage_end();
}

TEST(a_log_in_use_is_waited_for) /* FRZ-01 FRZ-05 */
{
    struct engine_tm *tm;

    stage_begin();
    tm = stage_inside();
    sys_mutex_lock(&tm->mutex);
    tm_log_enter(tm); /* somebody is writing */
    sys_mutex_unlock(&tm->mutex);
    EXPECT_STATUS(STATUS_TIMEOUT, engine_freeze(stage.engine, -10000, LONG));
    EXPECT(!tm->is_frozen);
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, engine_thaw(stage.engine));
    tm_log_leave(tm);
    EXPECT_OK(engine_freeze(stage.engine, 0, LONG));
    EXPECT(tm->is_frozen);
    EXPECT_OK(engine_thaw(stage.engine));
    stage_end();
}

static void *
leave_later(void *context)
{
    struct engine_tm *tm = context;
    struct timespec while_ = {.tv_nsec = 50000000};

    while (!atomic_load(&tm->is_frozen))
        sched_yield();
    nanosleep(&while_, NULL);
    sys_mutex_lock(&tm->engine->freeze.mutex);
    EXPECT_EQ(FREEZING, tm->engine->freeze.state); /* still waiting for us */
    sys_mutex_unlock(&tm->engine->freeze.mutex);
    tm_log_leave(tm);
    return NULL;
}

TEST(a_freeze_begins_when_the_last_writer_leaves) /* FRZ-01 FRZ-04 */
{
    pthread_t thread;

    stage_begin();
    sys_mutex_lock(&stage_inside()->mutex);
    tm_log_enter(stage_inside());
    sys_mutex_unlock(&stage_inside()->mutex);
    EXPECT_EQ(0, pthread_create(&thread, NULL, leave_later, stage_inside()));
    EXPECT_OK(engine_freeze(stage.engine, LONG, LONG));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_OK(engine_thaw(stage.engine));
    stage_end();
}

TEST(the_freeze_ends_to_the_nanosecond) /* FRZ-07 ROLL-TMO-06 */
{
    stage_begin();
    EXPECT_OK(engine_freeze(stage.engine, LONG, -1000));
    sys_sim_advance(stage.sim, 99999);
    engine_run_timers(stage.engine);
    EXPECT(stage_inside()->is_frozen);
    sys_sim_advance(stage.sim, 1);
    engine_run_timers(stage.engine);
    EXPECT(!stage_inside()->is_frozen);
    EXPECT_STATUS(STATUS_TRANSACTIONS_NOT_FROZEN, engine_thaw(stage.engine));
    stage_end();
}

TEST(the_timer_of_a_transaction_runs_on) /* FRZ-03 ROLL-TMO-01 */
{
    struct engine_tx_options options = {.timeout = -10000};
    struct object *tx;

    stage_begin();
    options.tm = stage.tm;
    EXPECT_OK(engine_tx_create(stage.engine, &options, &tx));
    freeze();
    EXPECT_STATUS(STATUS_PENDING, engine_tx_commit(tx, false));
    sys_sim_advance(stage.sim, 1000000);
    engine_run_timers(stage.engine);
    EXPECT_EQ(TransactionOutcomeAborted, outcome(tx));
    thaw();
    EXPECT_EQ(TransactionOutcomeAborted, outcome(tx));
    stage_end();
}

/* A commit that nobody waits for and that the full log does not allow is an abort, not nothing. */
TEST(a_commit_put_off_that_cannot_begin_is_an_abort) /* FRZ-02 TX-COMMIT-16 */
{
    struct duo duo;

    stage_begin();
    duo = duo_make(STAGE_TWO);
    freeze();
    stage_commit(duo.tx);
    stage_fill_log();
    sys_sim_set_capacity(stage.sim, sys_sim_used(stage.sim));
    thaw();
    EXPECT_EQ(TransactionOutcomeAborted, outcome(duo.tx));
    EXPECT_EQ(TRANSACTION_NOTIFY_ROLLBACK, stage_hear(duo.rm));
    stage_end();
}

/* ---- many threads ---- */

enum { CLIENTS = 6, TURNS = 120, FREEZES = 60 };

static struct object *crowd_rm;
static _Atomic unsigned running, committed;

static NTSTATUS
say_yes(PKENLISTMENT en, PVOID rm_context, PVOID context, ULONG what, PLARGE_INTEGER clock,
        ULONG length, PVOID argument)
{
    (void)rm_context;
    (void)context;
    (void)clock;
    (void)length;
    (void)argument;
    if (what == TRANSACTION_NOTIFY_PREPARE)
        return engine_en_request((struct object *)en, KTM_EN_PREPARE_COMPLETE, NULL);
    if (what == TRANSACTION_NOTIFY_COMMIT)
        return engine_en_request((struct object *)en, KTM_EN_COMMIT_COMPLETE, NULL);
    if (what == TRANSACTION_NOTIFY_ROLLBACK)
        return engine_en_request((struct object *)en, KTM_EN_ROLLBACK_COMPLETE, NULL);
    return STATUS_SUCCESS;
}

/* Every fourth commit does not wait, every sixth transaction is rolled back while it commits. */
static void *
client(void *context)
{
    uintptr_t number = (uintptr_t)context;

    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct object *tx = stage_tx(), *en = stage_en(crowd_rm, tx, STAGE_TWO);
        bool wait = (turn + number) % 4 != 0;
        NTSTATUS status = engine_tx_commit(tx, wait);

        EXPECT(NT_SUCCESS(status));
        if (!wait && turn % 6 == 0)
            (void)engine_tx_rollback(tx, true);
        EXPECT_OK(engine_wait(tx, SYS_FOREVER));
        committed += outcome(tx) == TransactionOutcomeCommitted;
        EXPECT(!wait || outcome(tx) == TransactionOutcomeCommitted);
        stage_close(tx);
        stage_close(en);
    }
    running--;
    return NULL;
}

/* Logs come and go meanwhile. */
static void *
neighbour(void *unused)
{
    (void)unused;
    while (running) {
        struct object *tm;

        EXPECT_OK(engine_tm_create(stage.engine, "/other", NULL, 0, &tm));
        EXPECT_OK(engine_tm_recover(tm, NULL));
        engine_handle_close(tm);
    }
    return NULL;
}

static void
freeze_now_and_then(void)
{
    struct timespec moment = {.tv_nsec = 500000};

    for (unsigned i = 0; i < FREEZES || running; i++) {
        freeze();
        nanosleep(&moment, NULL);
        thaw();
        nanosleep(&moment, NULL);
    }
}

TEST(quiet_moments_in_a_crowd) /* FRZ-01 FRZ-02 FRZ-06 TX-COMMIT-22 INV-15 GEN-11 */
{
    pthread_t threads[CLIENTS + 1];
    GUID guid = stage_guid(1);
    unsigned left = 0;

    stage_begin();
    EXPECT_OK(engine_rm_create(stage.tm, &guid, 0, NULL, 0, &crowd_rm));
    EXPECT_OK(engine_rm_callbacks(crowd_rm, say_yes, NULL));
    EXPECT(NT_SUCCESS(engine_rm_recover(crowd_rm)));
    running = CLIENTS;
    for (uintptr_t i = 0; i < CLIENTS; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, client, (void *)i));
    EXPECT_EQ(0, pthread_create(&threads[CLIENTS], NULL, neighbour, NULL));
    freeze_now_and_then();
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_join(*thread, NULL));
    EXPECT(committed >= CLIENTS * TURNS * 3 / 4);
    EXPECT_OK(engine_enumerate(stage.engine, stage.tm, OBJECT_TX, count_one, &left));
    EXPECT_EQ(0, left);
    stage_end();
}

/* ---- a freeze that begins while a TM is being made or closed ---- */

static void *
freeze_for_ever(void *unused)
{
    (void)unused;
    EXPECT_OK(engine_freeze(stage.engine, LONG, LONG));
    return NULL;
}

/* A callback of the close may make another, though the freeze waits already. */
TEST(who_is_waited_for_does_not_wait) /* FRZ-01 GEN-11 */
{
    struct object *other;
    pthread_t freezer;

    stage_begin();
    tm_gate_enter(stage.engine);
    EXPECT_EQ(0, pthread_create(&freezer, NULL, freeze_for_ever, NULL));
    for (bool is_freezing = false; !is_freezing;) {
        sys_mutex_lock(&stage.engine->freeze.mutex);
        is_freezing = stage.engine->freeze.state == FREEZING;
        sys_mutex_unlock(&stage.engine->freeze.mutex);
    }
    EXPECT_OK(engine_tm_create(stage.engine, "/other", NULL, 0, &other));
    engine_handle_close(other);
    tm_gate_leave(stage.engine);
    EXPECT_EQ(0, pthread_join(freezer, NULL));
    EXPECT_OK(engine_thaw(stage.engine));
    stage_end();
}
