/* SPDX-License-Identifier: MIT */
/* Resource managers: what their queues give, to whom and when; callbacks; GUIDs inside their TM. */
#include "tests/engine/stage.h"

#include <pthread.h>
#include <stdatomic.h>

#include "sys/thread.h"

static NTSTATUS
fetch(struct object *rm, TRANSACTION_NOTIFICATION *note, uint32_t size, uint64_t deadline,
      uint32_t *length)
{
    return engine_rm_get_notification(rm, note, size, deadline, length);
}

/* ---- queues ---- */

TEST(the_oldest_is_taken_and_says_whose_it_is) /* NOTIF-GET-01, -02, -07, -14 NOTIF-03, -05 */
{
    struct object *rm, *tx, *a = NULL, *b = NULL;
    TRANSACTION_NOTIFICATION note;
    uint32_t length = 0;
    int key_a, key_b;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    EXPECT_OK(engine_en_create(rm, tx, 0, STAGE_FULL, &key_a, &a));
    EXPECT_OK(engine_en_create(rm, tx, 0, STAGE_FULL, &key_b, &b));
    stage_commit(tx);
    stage_say(a, KTM_EN_PREPREPARE_COMPLETE);
    EXPECT(NT_SUCCESS(engine_en_request(b, KTM_EN_PREPREPARE_COMPLETE, &(int64_t){40})));
    for (int i = 0; i < 4; i++) {
        memset(&note, 0xEE, sizeof(note));
        EXPECT_OK(fetch(rm, &note, sizeof(note), 0, &length));
        EXPECT_EQ(32, length);
        EXPECT_EQ(0, note.ArgumentLength);
        EXPECT(note.TransactionKey == (i % 2 ? &key_b : &key_a));
        EXPECT_EQ(i < 2 ? TRANSACTION_NOTIFY_PREPREPARE : TRANSACTION_NOTIFY_PREPARE,
                  note.TransactionNotification);
        EXPECT_EQ(i < 2 ? 2 : 40, note.TmVirtualClock.QuadPart);
    }
    EXPECT_STATUS(STATUS_TIMEOUT, fetch(rm, &note, sizeof(note), 0, &length));
    stage_close(a);
    stage_close(b);
    stage_close(tx);
    stage_close(rm);
    stage_end();
}

TEST(an_empty_queue_times_out_and_writes_nothing) /* NOTIF-GET-04, -05, -08 */
{
    struct object *rm;
    TRANSACTION_NOTIFICATION note, untouched;
    uint32_t length = 77;
    uint64_t start;

    stage_begin();
    rm = stage_rm(1, 0);
    memset(&note, 0x5A, sizeof(note));
    untouched = note;
    EXPECT_STATUS(STATUS_TIMEOUT, fetch(rm, &note, sizeof(note), 0, &length));
    start = sys_now();
    EXPECT_STATUS(STATUS_TIMEOUT, fetch(rm, &note, sizeof(note), start + 30000000, &length));
    EXPECT(sys_now() >= start + 30000000); /* never early */
    EXPECT(NT_SUCCESS(STATUS_TIMEOUT));
    EXPECT_BYTES(&untouched, &note, sizeof(note));
    EXPECT_EQ(77, length);
    stage_close(rm);
    stage_end();
}

TEST(a_small_buffer_is_told_what_it_lacks) /* NOTIF-GET-06, -07 RM-RECOVER-02 */
{
    struct object *rm, *tx, *en;
    union {
        TRANSACTION_NOTIFICATION note;
        uint8_t room[64];
    } buffer;
    const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument = (void *)(buffer.room + 32);
    struct engine_en_info info;
    uint32_t length = 0;
    GUID guid = stage_guid(1);

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_FULL);
    EXPECT_OK(engine_en_query(en, &info));
    EXPECT_STATUS(STATUS_PENDING, engine_tx_rollback(tx, false));
    for (uint32_t size = 0; size < 32; size += 31) {
        EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, fetch(rm, &buffer.note, size, 0, &length));
        EXPECT_EQ(32, length);
    }
    EXPECT_OK(fetch(rm, &buffer.note, 32, 0, &length)); /* it had stayed the first */
    EXPECT_EQ(TRANSACTION_NOTIFY_ROLLBACK, buffer.note.TransactionNotification);
    stage_close(en);
    stage_close(tx);

    tx = stage_tx();
    en = stage_en(rm, tx, TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK);
    EXPECT_OK(engine_en_query(en, &info));
    stage_commit(tx);
    stage_close(rm);
    EXPECT_OK(engine_rm_open(stage.tm, &guid, &rm));
    EXPECT_STATUS(STATUS_PENDING, engine_rm_recover(rm));
    for (uint32_t size = 0; size < 64; size += 21) {
        EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, fetch(rm, &buffer.note, size, 0, &length));
        EXPECT_EQ(64, length);
    }
    EXPECT_OK(fetch(rm, &buffer.note, 64, 0, &length));
    EXPECT_EQ(64, length);
    EXPECT_EQ(32, buffer.note.ArgumentLength);
    EXPECT(buffer.note.TransactionKey == NULL);
    EXPECT(guid_equal(&argument->EnlistmentId, &info.guid));
    EXPECT(guid_equal(&argument->UOW, &info.uow));
    EXPECT_EQ(TRANSACTION_NOTIFY_LAST_RECOVER, stage_hear(rm));
    stage_close(en);
    stage_close(tx);
    stage_close(rm);
    stage_end();
}

struct waiter {
    struct object *rm;
    _Atomic uint32_t heard;
};

static void *
wait_for_one(void *context)
{
    struct waiter *waiter = context;
    TRANSACTION_NOTIFICATION note;
    uint32_t length;

    EXPECT_OK(fetch(waiter->rm, &note, sizeof(note), UINT64_MAX, &length));
    atomic_store(&waiter->heard, note.TransactionNotification);
    return NULL;
}

TEST(without_a_time_out_it_waits_for_the_next) /* NOTIF-GET-03 INV-15 */
{
    struct waiter waiter = {.heard = 0};
    struct object *tx, *en;
    pthread_t thread;

    stage_begin();
    waiter.rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(waiter.rm, tx, STAGE_FULL);
    EXPECT_EQ(0, pthread_create(&thread, NULL, wait_for_one, &waiter));
    for (int i = 0; i < 200; i++)
        sched_yield();
    EXPECT_EQ(0, atomic_load(&waiter.heard));
    stage_commit(tx);
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPREPARE, atomic_load(&waiter.heard));
    stage_close(en);
    stage_close(tx);
    stage_close(waiter.rm);
    stage_end();
}

TEST(it_may_be_there_before_the_enlistment_call_returns) /* NOTIF-GET-17 NOTIF-12 PT-21 */
{
    struct object *rm, *tx, *first, *late;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    first = stage_en(rm, tx, STAGE_FULL);
    stage_commit(tx);
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPREPARE, stage_hear(rm));
    late = stage_en(rm, tx, STAGE_FULL);
    EXPECT_EQ(TRANSACTION_NOTIFY_PREPREPARE, stage_hear(rm)); /* nobody has called anything since */
    stage_close(late);
    stage_close(first);
    stage_close(tx);
    stage_close(rm);
    stage_end();
}

TEST(what_a_record_says_of_the_clock_changes_nothing) /* NOTIF-GET-18 */
{
    struct object *rm, *tx, *en;
    TRANSACTION_NOTIFICATION note;
    struct engine_tm_info info;
    uint32_t length;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_FULL);
    stage_commit(tx);
    EXPECT_OK(fetch(rm, &note, sizeof(note), 0, &length));
    note.TmVirtualClock.QuadPart = 1000;
    stage_say(en, KTM_EN_PREPREPARE_COMPLETE);
    EXPECT_OK(fetch(rm, &note, sizeof(note), 0, &length));
    EXPECT_EQ(2, note.TmVirtualClock.QuadPart);
    engine_tm_query(stage.tm, &info);
    EXPECT_EQ(2, info.clock);
    stage_close(en);
    stage_close(tx);
    stage_close(rm);
    stage_end();
}

/* ---- callbacks ---- */

static struct {
    struct object *rm;
    int64_t given, raised;
    unsigned calls;
    bool queue_was_empty;
} seen;

static NTSTATUS
raise_clock(PKENLISTMENT en, PVOID rm_context, PVOID context, ULONG what, PLARGE_INTEGER clock,
            ULONG length, PVOID argument)
{
    TRANSACTION_NOTIFICATION note;
    uint32_t got;

    (void)en;
    (void)rm_context;
    (void)context;
    (void)what;
    (void)length;
    (void)argument;
    seen.calls++;
    seen.given = clock->QuadPart;
    seen.queue_was_empty = fetch(seen.rm, &note, sizeof(note), 0, &got) == STATUS_TIMEOUT;
    clock->QuadPart = seen.raised;
    return STATUS_SUCCESS;
}

TEST(a_callback_may_raise_the_clock) /* NOTIF-10 CLOCK-05 NOTIF-GET-16 */
{
    static const struct {
        int64_t raised, clock;
    } cases[] = {{50, 50}, {1, 2}, {-7, 2}, {3, 3}};

    EACH (it, cases) {
        struct object *tx, *en;
        struct engine_tm_info info;

        stage_begin();
        memset(&seen, 0, sizeof(seen));
        seen.rm = stage_rm(1, 0);
        seen.raised = it->raised;
        EXPECT_OK(engine_rm_callbacks(seen.rm, raise_clock, NULL));
        tx = stage_tx();
        en = stage_en(seen.rm, tx, STAGE_FULL);
        stage_commit(tx);
        EXPECT_EQ(1, seen.calls);
        EXPECT_EQ(2, seen.given);
        EXPECT(seen.queue_was_empty);
        engine_tm_query(stage.tm, &info);
        EXPECT_EQ(it->clock, info.clock);
        seen.raised = 0;
        stage_close(en);
        stage_close(tx);
        stage_close(seen.rm);
        stage_end();
    }
}

/* ---- closing does not wait ---- */

TEST(closing_a_transaction_does_not_wait_for_the_rollback) /* CLOSE-TX-07 */
{
    struct object *rm, *tx, *en;

    stage_begin();
    rm = stage_rm(1, 0);
    tx = stage_tx();
    en = stage_en(rm, tx, STAGE_FULL);
    stage_close(tx); /* returns, on the only thread there is, though nobody has answered */
    EXPECT_EQ(TRANSACTION_NOTIFY_ROLLBACK, stage_hear(rm));
    stage_say(en, KTM_EN_ROLLBACK_COMPLETE);
    stage_close(en);
    stage_close(rm);
    stage_end();
}
