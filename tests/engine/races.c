/* SPDX-License-Identifier: MIT */
/* Two things at once: closing while recovering, opening again while closing, a time-out while it is
 * set anew, and crowds. */
#include "tests/engine/stage.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static pthread_t
start(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, run, argument));
    return thread;
}

static void *
join(pthread_t thread)
{
    void *result;

    EXPECT_EQ(0, pthread_join(thread, &result));
    return result;
}

/* ---- closing and opening ---- */

static void *
recover_tm(void *argument)
{
    (void)argument;
    return (void *)(intptr_t)engine_tm_recover(stage.tm, NULL);
}

/* A log with as many finished as unresolved transactions. */
static void
fill_with_transactions(int count)
{
    struct object *rm = stage_rm(1, 0);

    for (int i = 0; i < count; i++) {
        struct object *tx = stage_tx(), *en = stage_en(rm, tx, STAGE_TWO);

        stage_commit(tx);
        stage_say(en, KTM_EN_PREPARE_COMPLETE);
        if (i % 2 == 0)
            stage_say(en, KTM_EN_COMMIT_COMPLETE); /* durable with the next one's record */
        while (stage_hear(rm))
            ;
    }
}

TEST(a_tm_may_be_closed_while_it_is_recovered) /* CLOSE-TM-03 TM-RECOVER-01 GEN-11 */
{
    stage_begin();
    fill_with_transactions(200);
    stage_crash();
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        NTSTATUS status;

        stage_attach();
        engine_hold(stage.tm);
        thread = start(recover_tm, NULL);
        for (int spin = 0; spin < i * 1000 && stage_inside()->core.state == KTM_INITIALIZED; spin++)
            ;
        engine_handle_close(stage.tm);
        status = (NTSTATUS)(intptr_t)join(thread);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_TRANSACTION_OBJECT_EXPIRED);
        EXPECT(engine_is_expired(stage.tm));
        engine_release(stage.tm);
    }
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL)); /* nothing is lost */
    EXPECT_EQ(100, guid_map_count(&stage_inside()->core.txs));
    stage_end();
}

static NTSTATUS opened;

static NTSTATUS
opens_the_tm(PKENLISTMENT en, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
             ULONG length, PVOID argument)
{
    (void)en, (void)rm_key, (void)key, (void)clock, (void)length, (void)argument;
    if (what == TRANSACTION_NOTIFY_ROLLBACK)
        opened = engine_handle_open(stage.tm);
    return STATUS_SUCCESS;
}

TEST(a_tm_that_is_being_closed_cannot_be_opened) /* CLOSE-TM-03 TMR-05 */
{
    struct object *rm, *tx;

    stage_begin();
    rm = stage_rm(1, 0);
    EXPECT_OK(engine_rm_callbacks(rm, opens_the_tm, NULL));
    tx = stage_tx();
    stage_en(rm, tx, STAGE_TWO);
    engine_hold(stage.tm);
    opened = STATUS_SUCCESS;
    engine_handle_close(stage.tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, opened);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, engine_tm_recover(stage.tm, NULL));
    engine_release(stage.tm);
}

static struct object *again_rm, *again_tx, *again_en;

/* While RM 1 is being closed: it is opened again, and enlists. */
static NTSTATUS
opens_the_rm(PKENLISTMENT en, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
             ULONG length, PVOID argument)
{
    (void)en, (void)rm_key, (void)key, (void)clock, (void)length, (void)argument;
    if (what == TRANSACTION_NOTIFY_ROLLBACK) {
        again_rm = stage_rm(1, 0);
        again_tx = stage_tx();
        again_en = stage_en(again_rm, again_tx, STAGE_TWO);
    }
    return STATUS_SUCCESS;
}

TEST(
    an_rm_opened_again_keeps_what_it_enlists_while_the_old_is_closed) /* CLOSE-RM-01 RM-CREATE-05 */
{
    struct object *rm, *witness, *first, *second;

    stage_begin();
    rm = stage_rm(1, 0);
    witness = stage_rm(2, 0);
    EXPECT_OK(engine_rm_callbacks(witness, opens_the_rm, NULL));
    first = stage_tx();
    second = stage_tx();
    stage_en(rm, first, STAGE_TWO);
    stage_en(witness, first, STAGE_TWO);
    stage_en(rm, second, STAGE_TWO);
    stage_close(rm);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(first)->outcome);
    EXPECT_EQ(OUTCOME_ABORTED, AS_TX(second)->outcome);
    EXPECT(again_rm == rm); /* adopted */
    EXPECT_EQ(TX_ACTIVE, AS_TX(again_tx)->state);
    stage_commit(again_tx);
    stage_say(again_en, KTM_EN_PREPARE_COMPLETE);
    EXPECT_EQ(OUTCOME_COMMITTED, AS_TX(again_tx)->outcome);
    stage_end();
}

/* ---- waiting across a close ---- */

/* RM 1 with an enlistment that outlives it, so that closing and opening meet the same object. */
static struct object *
rm_to_adopt(void)
{
    struct object *rm = stage_rm(1, 0), *tx = stage_tx(), *en = stage_en(rm, tx, STAGE_TWO);

    stage_commit(tx);
    stage_say(en, KTM_EN_PREPARE_COMPLETE);
    while (stage_hear(rm))
        ;
    return rm;
}

static void *
wait_for_notification(void *rm)
{
    TRANSACTION_NOTIFICATION note[3];
    uint32_t length;

    return (void *)(intptr_t)engine_rm_get_notification(rm, note, sizeof(note), UINT64_MAX,
                                                        &length);
}

static void *
wait_for_signal(void *rm)
{
    return (void *)(intptr_t)engine_wait(rm, UINT64_MAX);
}

TEST(who_waits_for_an_rm_does_not_wait_for_its_successor) /* NOTIF-GET-15 CLOSE-RM-02 INV-15 */
{
    void *(*const waits[])(void *) = {wait_for_notification, wait_for_signal};

    EACH (wait, waits) {
        struct object *rm, *again;
        GUID guid = stage_guid(1);
        pthread_t thread;

        stage_begin();
        rm = rm_to_adopt();
        engine_hold(rm);
        thread = start(*wait, rm);
        while (!atomic_load(&rm->waiters))
            usleep(100);
        usleep(1000);
        stage_close(rm);
        EXPECT_OK(engine_rm_open(stage.tm, &guid, &again));
        EXPECT(again == rm);
        EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, (NTSTATUS)(intptr_t)join(thread));
        engine_release(rm);
        stage_end();
    }
}

static bool
is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

TEST(the_descriptor_of_an_rm_opened_again_is_not_set) /* OBJ-19 */
{
    struct object *rm, *again;
    GUID guid = stage_guid(1);
    int fd;

    stage_begin();
    rm = rm_to_adopt();
    EXPECT_OK(engine_wait_fd(rm, &fd));
    EXPECT(!is_readable(fd));
    stage_close(rm);
    EXPECT(is_readable(fd));
    EXPECT_OK(engine_rm_open(stage.tm, &guid, &again));
    EXPECT(again == rm);
    EXPECT(!is_readable(fd));
    EXPECT_STATUS(STATUS_PENDING, engine_rm_recover(rm));
    EXPECT(is_readable(fd));
    stage_end();
}

/* ---- time-outs ---- */

static void *
run_timers(void *argument)
{
    (void)argument;
    engine_run_timers(stage.engine);
    return NULL;
}

/* The timer has taken the transaction, and waits for the TM, when the time-out is cancelled or set
 * anew. */
TEST(a_time_out_that_is_set_in_time_is_not_early) /* ROLL-TMO-06 TX-SET-03 */
{
    for (int set_anew = 0; set_anew < 2; set_anew++) {
        struct engine_tx_options options = {.timeout = -10};
        struct object *tx;
        pthread_t thread;

        stage_begin();
        options.tm = stage.tm;
        EXPECT_OK(engine_tx_create(stage.engine, &options, &tx));
        sys_sim_advance(stage.sim, 1000000);
        sys_mutex_lock(&stage_inside()->mutex);
        thread = start(run_timers, NULL);
        while (atomic_load(&AS_TX(tx)->timer))
            usleep(100);
        EXPECT(!timer_cancel(stage.engine, AS_TX(tx)));
        if (set_anew)
            EXPECT_OK(timer_set(stage.engine, AS_TX(tx), UINT64_MAX - 1));
        sys_mutex_unlock(&stage_inside()->mutex);
        join(thread);
        EXPECT_EQ(TX_ACTIVE, AS_TX(tx)->state);
        EXPECT(!AS_TX(tx)->timer_fired);
        EXPECT_EQ(set_anew, AS_TX(tx)->timer != 0);
        stage_close(tx);
        stage_end();
    }
}

/* ---- crowds ---- */

#define CROWD 8

static void *
open_and_close(void *argument)
{
    static const uint16_t name[] = {'x'};
    unsigned turn = (unsigned)(uintptr_t)argument;

    for (int i = 0; i < 60; i++) {
        struct object *tm;
        NTSTATUS status = (i + turn) % 2 ? engine_tm_create(stage.engine, "/tm", name, 1, &tm)
                                         : engine_tm_open_log(stage.engine, "/tm", name, 1, &tm);

        if (status == STATUS_OBJECT_NAME_COLLISION)
            continue; /* somebody has it */
        EXPECT_OK(status);
        status = engine_tm_recover(tm, NULL);
        EXPECT(status == STATUS_SUCCESS);
        engine_handle_close(tm);
    }
    return NULL;
}

TEST(a_crowd_opens_and_closes_one_log) /* TM-CREATE-11 TM-OPEN-07 CLOSE-TM-04 */
{
    pthread_t threads[CROWD];

    stage_begin();
    fill_with_transactions(20);
    stage_crash();
    for (uintptr_t i = 0; i < CROWD; i++)
        threads[i] = start(open_and_close, (void *)i);
    for (unsigned i = 0; i < CROWD; i++)
        join(threads[i]);
    stage_attach();
    EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    EXPECT_EQ(10, guid_map_count(&stage_inside()->core.txs));
    stage_end();
}

static _Atomic unsigned winners;
static struct object *volatile_tms[CROWD];

/* Everybody wants the same UOW, in one TM, another, or none. */
static void *
create_the_same(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    struct object *rm, *en;
    GUID uow, guid = stage_guid(self);

    EXPECT_OK(engine_rm_create(volatile_tms[self], &guid, RESOURCE_MANAGER_VOLATILE, NULL, 0, &rm));
    for (unsigned i = 0; i < 300; i++) {
        struct engine_tx_options options = {.uow = &uow};
        struct object *tx;

        uow = stage_guid(1000 + i);
        if (self % 2)
            options.tm = volatile_tms[self];
        if (engine_tx_create(stage.engine, &options, &tx) != STATUS_SUCCESS)
            continue;
        atomic_fetch_add(&winners, 1);
        EXPECT_OK(engine_en_create(rm, tx, 0, STAGE_TWO, NULL, &en));
    }
    return NULL;
}

TEST(a_crowd_gets_each_uow_once) /* TX-CREATE-04 NAME-03 */
{
    pthread_t threads[CROWD];

    stage_begin();
    for (unsigned i = 0; i < CROWD; i++)
        EXPECT_OK(engine_tm_create(stage.engine, NULL, NULL, 0, &volatile_tms[i]));
    for (uintptr_t i = 0; i < CROWD; i++)
        threads[i] = start(create_the_same, (void *)i);
    for (unsigned i = 0; i < CROWD; i++)
        join(threads[i]);
    EXPECT_EQ(300, winners);
    stage_end();
}

/* Commits until the TM has gone. */
static void *
commit_on_and_on(void *argument)
{
    struct object *rm = argument;

    for (;;) {
        struct engine_tx_options options = {.tm = stage.tm};
        struct object *tx, *en = NULL;

        if (engine_tx_create(stage.engine, &options, &tx) != STATUS_SUCCESS)
            break;
        if (engine_en_create(rm, tx, 0, STAGE_TWO, NULL, &en) == STATUS_SUCCESS) {
            (void)engine_tx_commit(tx, false);
            (void)engine_en_request(en, KTM_EN_PREPARE_COMPLETE, NULL);
            (void)engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL);
        }
        engine_handle_close(tx);
        if (en)
            engine_handle_close(en);
    }
    return NULL;
}

TEST(a_tm_may_be_closed_while_a_crowd_commits) /* CLOSE-TM-01..04 GEN-11 */
{
    stage_begin();
    for (int round = 0; round < 10; round++) {
        pthread_t threads[4];
        struct object *rm[4];

        engine_hold(stage.tm);
        for (unsigned i = 0; i < 4; i++) {
            GUID guid = stage_guid(i);

            EXPECT_OK(engine_rm_create(stage.tm, &guid, 0, NULL, 0, &rm[i]));
            EXPECT_STATUS(STATUS_PENDING, engine_rm_recover(rm[i]));
            threads[i] = start(commit_on_and_on, rm[i]);
        }
        usleep(2000 * (unsigned)round);
        engine_handle_close(stage.tm);
        for (unsigned i = 0; i < 4; i++) {
            join(threads[i]);
            engine_handle_close(rm[i]);
        }
        engine_release(stage.tm);
        stage_attach();
        EXPECT_OK(engine_tm_recover(stage.tm, NULL));
    }
    stage_end();
}
