/* SPDX-License-Identifier: MIT */
/* Asynchronous notifications: buffers lent, filled, and given back through a completion port. */
#include "engine/engine.h"
#include "ktm.h"
#include "nt/nt.h"
#include "tests/alloc.h"
#include "tests/nt/loan_kit.h"

#include <poll.h>
#include <pthread.h>

/* An RM with a port, and a transaction it is enlisted in. */
struct scene {
    HANDLE tm, rm, port, tx, en;
};

static struct scene
scene_make(void)
{
    struct scene scene = {.tm = new_volatile_tm(), .port = new_port()};

    scene.rm = new_volatile_rm(scene.tm);
    EXPECT_OK(set_port(scene.rm, scene.port));
    scene.tx = new_tx(scene.tm);
    scene.en = new_en(scene.rm, scene.tx, MASK_LATE, key_number(5));
    return scene;
}

static void
expect_packet(HANDLE port, const struct slot *slot, NTSTATUS status, ULONG_PTR bytes)
{
    struct taken taken;

    EXPECT_OK(take(port, 0, &taken));
    EXPECT_EQ(KEY, (ULONG_PTR)taken.key);
    EXPECT(taken.context == &slot->overlapped);
    EXPECT_STATUS(status, taken.block.Status);
    EXPECT_EQ(bytes, taken.block.Information);
    EXPECT_STATUS(status, (NTSTATUS)slot->overlapped.Internal);
    EXPECT_EQ(bytes, slot->overlapped.InternalHigh);
    EXPECT(HasOverlappedIoCompleted(&slot->overlapped));
}

#define EXPECT_NO_PACKET(port) EXPECT_STATUS(STATUS_TIMEOUT, take((port), 0, &(struct taken){0}))

/* ---- the port of a resource manager ---- */

TEST(a_port_is_set_once) /* RM-SET-01 RM-SET-02 RM-SET-03 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm()), port = new_port();

    EXPECT_STATUS(STATUS_INVALID_HANDLE, set_port(rm, key_number(1)));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, set_port(rm, rm));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, set_port(rm, duplicate(port, IO_COMPLETION_QUERY_STATE)));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  set_port(duplicate(rm, RESOURCEMANAGER_GET_NOTIFICATION), port));
    EXPECT_OK(set_port(rm, NULL)); /* there is none */
    EXPECT_OK(set_port(duplicate(rm, RESOURCEMANAGER_SET_INFORMATION), port));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set_port(rm, port));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set_port(rm, new_port()));
    EXPECT_OK(set_port(rm, NULL));
    EXPECT_OK(set_port(rm, port));
}

static NTSTATUS
ignore(PKENLISTMENT en, PVOID rm, PVOID key, ULONG what, PLARGE_INTEGER clock, ULONG length,
       PVOID argument)
{
    (void)en, (void)rm, (void)key, (void)what, (void)clock, (void)length, (void)argument;
    return STATUS_SUCCESS;
}

TEST(callbacks_and_ports_exclude_each_other) /* RM-SET-04 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm());

    EXPECT_OK(set_port(rm, new_port()));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TmEnableCallbacks(pointer_to(rm), ignore, NULL));
    EXPECT_OK(set_port(rm, NULL));
    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), ignore, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set_port(rm, new_port()));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set_port(rm, NULL));
}

TEST(callbacks_win_over_buffers_lent_before) /* RM-SET-04 NOTIF-ASYNC-06 */
{
    struct scene scene = scene_make();
    struct slot slot = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    EXPECT_OK(set_port(scene.rm, NULL));
    EXPECT_OK(TmEnableCallbacks(pointer_to(scene.rm), ignore, NULL));
    EXPECT_OK(NtCommitTransaction(scene.tx, FALSE));
    EXPECT_NO_PACKET(scene.port);
    close_handle(scene.rm);
    expect_packet(scene.port, &slot, STATUS_CANCELLED, 0);
}

TEST(without_a_port_nothing_is_lent) /* NOTIF-ASYNC-01 NOTIF-GET-12 */
{
    struct scene scene = scene_make();
    struct slot slot = {0};

    EXPECT_OK(set_port(scene.rm, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, lend(scene.rm, &slot, 64));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtGetNotificationResourceManager(scene.rm, &slot.buffer.note, 64, NULL, NULL, 0,
                                                   (ULONG_PTR)&slot.overlapped));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtGetNotificationResourceManager(
                                                scene.rm, &slot.buffer.note, 64, NULL, NULL, 1, 0));
    EXPECT_OK(set_port(scene.rm, scene.port));
    EXPECT_STATUS(STATUS_DATATYPE_MISALIGNMENT,
                  NtGetNotificationResourceManager(scene.rm, &slot.buffer.note, 64, NULL, NULL, 1,
                                                   (ULONG_PTR)&slot.overlapped + 1));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  lend(duplicate(scene.rm, RESOURCEMANAGER_ENLIST), &slot, 64));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, lend(NULL, &slot, 64));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, lend(scene.tx, &slot, 64));
    EXPECT_EQ(0, slot.overlapped.Internal);
}

/* ---- lending ---- */

TEST(a_notification_that_waits_is_copied_at_once) /* NOTIF-ASYNC-02 NOTIF-ASYNC-03 */
{
    struct scene scene = scene_make();
    struct slot slot = {0};

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_OK(lend(scene.rm, &slot, 64));
    EXPECT_EQ(COMMIT, slot.buffer.note.TransactionNotification);
    EXPECT(slot.buffer.note.TransactionKey == key_number(5));
    EXPECT_EQ(32, slot.length);
    expect_packet(scene.port, &slot, STATUS_SUCCESS, 32);
    EXPECT_NO_PACKET(scene.port);
    EXPECT(!is_signalled(scene.rm));
}

TEST(the_descriptor_of_an_rm_follows_its_loans) /* NOTIF-ASYNC-03 NOTIF-ASYNC-04 OBJ-19 */
{
    struct scene scene = scene_make();
    struct pollfd poller = {.events = POLLIN};
    struct slot slots[2] = {0};

    EXPECT_OK(KtmGetWaitFd(scene.rm, &poller.fd));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 64));
    new_en(scene.rm, scene.tx, MASK_LATE, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_EQ(1, poll(&poller, 1, 0)); /* one is told, one waits */
    EXPECT_OK(lend(scene.rm, &slots[1], 64));
    EXPECT_EQ(0, poll(&poller, 1, 0));
    scene.tx = new_tx(scene.tm);
    new_en(scene.rm, scene.tx, MASK_LATE, NULL);
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 64));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_EQ(0, poll(&poller, 1, 0));
}

TEST(a_lent_buffer_is_filled_later) /* NOTIF-ASYNC-04 RM-SET-01 OP-35 */
{
    struct scene scene = scene_make();
    struct slot slot = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    EXPECT(!HasOverlappedIoCompleted(&slot.overlapped));
    EXPECT_EQ(0, slot.length);
    EXPECT_NO_PACKET(scene.port);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_EQ(COMMIT, slot.buffer.note.TransactionNotification);
    EXPECT_EQ(32, slot.length);
    expect_packet(scene.port, &slot, STATUS_SUCCESS, 32);
    EXPECT_QUIET(scene.rm);
    EXPECT_OK(NtCommitComplete(scene.en, NULL));
    EXPECT_OUTCOME(Committed, scene.tx);
}

TEST(buffers_are_filled_in_the_order_of_lending) /* NOTIF-ASYNC-01 NOTIF-ASYNC-04 NOTIF-GET-14 */
{
    struct scene scene = scene_make();
    struct slot slots[4] = {0};

    for (int i = 0; i < 3; i++)
        EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[i], 64));
    for (unsigned i = 6; i < 10; i++)
        new_en(scene.rm, scene.tx, MASK_LATE, key_number(i));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    for (unsigned i = 0; i < 3; i++) {
        expect_packet(scene.port, &slots[i], STATUS_SUCCESS, 32);
        EXPECT(slots[i].buffer.note.TransactionKey == key_number(5 + i));
    }
    EXPECT_NO_PACKET(scene.port);
    EXPECT_OK(lend(scene.rm, &slots[3], 64)); /* the rest stays in the queue, in order */
    EXPECT(slots[3].buffer.note.TransactionKey == key_number(8));
    EXPECT_NOTE(scene.rm, key_number(9), COMMIT);
    EXPECT_QUIET(scene.rm);
}

TEST(a_notification_with_an_argument_is_lent_for) /* NOTIF-ASYNC-04 */
{
    HANDLE tm = new_logged_tm("tm"), rm, port = new_port();
    GUID guid = guid_number(1);
    struct slot slot = {0};

    rm = new_rm(tm, &guid, 0);
    EXPECT_OK(set_port(rm, port));
    EXPECT_STATUS(STATUS_PENDING, lend(rm, &slot, 64));
    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    expect_packet(port, &slot, STATUS_SUCCESS, 32);
    EXPECT_EQ(LAST_RECOVER, slot.buffer.note.TransactionNotification);
}

TEST(a_buffer_too_small_comes_back) /* NOTIF-ASYNC-05 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 31));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    expect_packet(scene.port, &slots[0], STATUS_BUFFER_TOO_SMALL, 32);
    EXPECT_EQ(32, slots[0].length);
    EXPECT_EQ(0, slots[0].buffer.note.TransactionNotification);
    EXPECT(is_signalled(scene.rm)); /* the notification is still there */
    slots[0].overlapped.Internal = 77;
    slots[0].length = 0;
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, lend(scene.rm, &slots[0], 31));
    EXPECT_EQ(32, slots[0].length);
    EXPECT_EQ(77, slots[0].overlapped.Internal); /* the call failed: nothing is lent */
    EXPECT_NO_PACKET(scene.port);
    EXPECT_OK(lend(scene.rm, &slots[1], 32));
    expect_packet(scene.port, &slots[1], STATUS_SUCCESS, 32);
}

TEST(a_buffer_too_small_does_not_hold_up_the_next) /* NOTIF-ASYNC-05 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {0};

    EXPECT_STATUS(STATUS_PENDING,
                  NtGetNotificationResourceManager(scene.rm, NULL, 0, NULL, NULL, 1,
                                                   (ULONG_PTR)&slots[0].overlapped));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[1], 64));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    expect_packet(scene.port, &slots[0], STATUS_BUFFER_TOO_SMALL, 32);
    expect_packet(scene.port, &slots[1], STATUS_SUCCESS, 32);
}

/* ---- the end ---- */

TEST(closing_the_rm_gives_all_buffers_back) /* NOTIF-ASYNC-06 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {{.length = 9}, {.length = 9}};
    HANDLE copy = duplicate(scene.rm, RESOURCEMANAGER_ALL_ACCESS);

    EACH (slot, slots)
        EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, slot, 64));
    close_handle(copy);
    EXPECT_NO_PACKET(scene.port);
    close_handle(scene.rm);
    EACH (slot, slots) {
        expect_packet(scene.port, slot, STATUS_CANCELLED, 0);
        EXPECT_EQ(9, slot->length);
    }
}

TEST(an_rm_that_is_opened_again_has_no_port) /* NOTIF-ASYNC-06 RM-SET-03 */
{
    struct scene scene = scene_make();
    GUID guid = guid_of_rm(scene.rm);
    struct slot slot = {0};

    close_handle(scene.rm);
    scene.rm = new_rm(scene.tm, &guid, RESOURCE_MANAGER_VOLATILE);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, lend(scene.rm, &slot, 64));
    EXPECT_OK(set_port(scene.rm, new_port()));
}

TEST(an_rm_that_is_adopted_has_no_port) /* NOTIF-ASYNC-06 RM-CREATE-05 CLOSE-RM-02 */
{
    struct party party = PARTY(true, 0, MASK_TWO, MASK_TWO);
    HANDLE port = new_port(), stale;
    GUID guid = guid_of_rm(party.rm[0]);
    struct slot slots[2] = {0};

    EXPECT_OK(set_port(party.rm[0], port));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_preparation(&party);
    EXPECT_OK(lend(party.rm[0], &slots[0], 64)); /* COMMIT, and it stays unanswered */
    expect_packet(port, &slots[0], STATUS_SUCCESS, 32);
    EXPECT_STATUS(STATUS_PENDING, lend(party.rm[0], &slots[0], 64));
    stale = party.rm[0];
    close_handle(stale);
    expect_packet(port, &slots[0], STATUS_CANCELLED, 0);
    party.rm[0] = new_rm(party.tm, &guid, 0); /* the same object */
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, lend(party.rm[0], &slots[1], 64));
    EXPECT_OK(set_port(party.rm[0], port));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, lend(stale, &slots[1], 64));
    EXPECT_STATUS(STATUS_PENDING, lend(party.rm[0], &slots[0], 63));
    EXPECT_STATUS(STATUS_PENDING, lend(party.rm[0], &slots[1], 64));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(party.rm[0]));
    expect_packet(port, &slots[0], STATUS_BUFFER_TOO_SMALL, 64);
    expect_packet(port, &slots[1], STATUS_SUCCESS, 64); /* with its argument */
    EXPECT_EQ(RECOVER, slots[1].buffer.note.TransactionNotification);
}

TEST(closing_the_tm_gives_all_buffers_back) /* NOTIF-ASYNC-06 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 64));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[1], 64));
    close_handle(scene.tm); /* its end rolls the transaction back, which is told first */
    expect_packet(scene.port, &slots[0], STATUS_SUCCESS, 32);
    EXPECT_EQ(ROLLBACK, slots[0].buffer.note.TransactionNotification);
    expect_packet(scene.port, &slots[1], STATUS_CANCELLED, 0);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, lend(scene.rm, &slots[0], 64));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, set_port(scene.rm, NULL));
}

TEST(buffers_keep_the_port_they_were_lent_to) /* RM-SET-03 NOTIF-ASYNC-04 */
{
    struct scene scene = scene_make();
    HANDLE other = new_port();
    struct slot slots[2] = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 64));
    EXPECT_OK(set_port(scene.rm, NULL));
    EXPECT_OK(set_port(scene.rm, other));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[1], 64));
    new_en(scene.rm, scene.tx, MASK_LATE, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    expect_packet(scene.port, &slots[0], STATUS_SUCCESS, 32);
    expect_packet(other, &slots[1], STATUS_SUCCESS, 32);
}

TEST(a_closed_port_swallows_what_completes) /* NOTIF-ASYNC-04 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {0};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[0], 64));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slots[1], 64));
    close_handle(scene.port);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_STATUS(STATUS_SUCCESS, (NTSTATUS)slots[0].overlapped.Internal);
    EXPECT_EQ(COMMIT, slots[0].buffer.note.TransactionNotification);
    close_handle(scene.rm);
    EXPECT_STATUS(STATUS_CANCELLED, (NTSTATUS)slots[1].overlapped.Internal);
}

static HANDLE
new_event(BOOLEAN is_signalled)
{
    HANDLE event;

    EXPECT_OK(NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, is_signalled));
    return event;
}

TEST(the_event_of_an_overlapped_is_signalled) /* NOTIF-ASYNC-04 NOTIF-ASYNC-06 */
{
    struct scene scene = scene_make();
    HANDLE event = new_event(TRUE);
    struct slot slot = {.overlapped.hEvent = event};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    EXPECT(!is_signalled(event));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT(is_signalled(event));
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    EXPECT(!is_signalled(event));
    close_handle(event); /* the loan keeps it */
    close_handle(scene.rm);
    EXPECT_STATUS(STATUS_CANCELLED, (NTSTATUS)slot.overlapped.Internal);
}

TEST(bit_0_of_the_event_keeps_the_packet_away) /* NOTIF-ASYNC-04 */
{
    struct scene scene = scene_make();
    HANDLE event = new_event(FALSE);
    struct slot slot = {.overlapped.hEvent = (HANDLE)((uintptr_t)event | 1)};

    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT(is_signalled(event));
    EXPECT_STATUS(STATUS_SUCCESS, (NTSTATUS)slot.overlapped.Internal);
    EXPECT_EQ(COMMIT, slot.buffer.note.TransactionNotification);
    EXPECT_NO_PACKET(scene.port);
    slot.overlapped.hEvent = (HANDLE)(uintptr_t)1;
    EXPECT_STATUS(STATUS_INVALID_HANDLE, lend(scene.rm, &slot, 64));
}

TEST(a_call_that_fails_leaves_its_event_alone) /* GEN-06 NOTIF-ASYNC-05 */
{
    struct scene scene = scene_make();
    HANDLE event = new_event(TRUE);
    struct slot slot = {.overlapped.hEvent = event};

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, lend(scene.rm, &slot, 31));
    EXPECT(is_signalled(event));
    slot.overlapped.hEvent = scene.rm;
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, lend(scene.rm, &slot, 64));
    slot.overlapped.hEvent = duplicate(event, SYNCHRONIZE);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, lend(scene.rm, &slot, 64));
    EXPECT_NOTE(scene.rm, key_number(5), COMMIT);
}

TEST(without_memory_nothing_is_lent_or_posted) /* GEN-06 GEN-08 NOTIF-13 */
{
    struct scene scene = scene_make();
    struct slot slot = {.overlapped.Internal = 77};

    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, lend(scene.rm, &slot, 64));
    EXPECT(alloc_fail_stop());
    EXPECT_EQ(77, slot.overlapped.Internal);
    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, NtSetIoCompletion(scene.port, NULL, NULL, 0, 0));
    EXPECT(alloc_fail_stop());
    EXPECT_NO_PACKET(scene.port);
    EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, &slot, 64));
    alloc_fail_from(1); /* what is lent is told, whatever happens */
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene.tx, FALSE));
    (void)alloc_fail_stop();
    expect_packet(scene.port, &slot, STATUS_SUCCESS, 32);
}

/* ---- threads ---- */

#define TRANSACTIONS 300

struct worker {
    struct scene scene;
    pthread_t thread;
    unsigned answers;
};

struct job {
    HANDLE tx, en;
};

/* Takes packets, answers what is in them, and lends the buffer again, until a buffer comes back
 * empty or is not taken. */
static void *
work(void *context)
{
    struct worker *self = context;
    struct taken taken;
    struct slot *slot;

    do {
        EXPECT_OK(take(self->scene.port, -1, &taken));
        if (taken.block.Status == STATUS_CANCELLED)
            return NULL;
        slot = CONTAINING_RECORD(taken.context, struct slot, overlapped);
        EXPECT_OK(NtCommitComplete(((struct job *)slot->buffer.note.TransactionKey)->en, NULL));
        self->answers++;
    } while (NT_SUCCESS(lend(self->scene.rm, slot, 64)));
    return NULL;
}

TEST(several_threads_answer_through_one_port) /* NOTIF-ASYNC-01 NOTIF-ASYNC-04 NOTIF-GET-13 */
{
    static struct job jobs[TRANSACTIONS];
    struct scene scene = scene_make();
    struct worker workers[3];
    struct slot slots[3] = {0};
    unsigned sum = 0;

    EACH (slot, slots)
        EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, slot, 64));
    EACH (worker, workers) {
        *worker = (struct worker){.scene = scene};
        EXPECT_EQ(0, pthread_create(&worker->thread, NULL, work, worker));
    }
    EACH (job, jobs) {
        job->tx = new_tx(scene.tm);
        job->en = new_en(scene.rm, job->tx, MASK_LATE, job);
        EXPECT(NT_SUCCESS(NtCommitTransaction(job->tx, FALSE)));
    }
    EACH (job, jobs) {
        EXPECT_OK(NtWaitForSingleObject(job->tx, FALSE, NULL));
        EXPECT_OUTCOME(Committed, job->tx);
    }
    close_handle(scene.rm);
    EACH (worker, workers) {
        EXPECT_EQ(0, pthread_join(worker->thread, NULL));
        sum += worker->answers;
    }
    EXPECT_EQ(TRANSACTIONS, sum);
}

/* ---- as a crash ---- */

TEST(a_crash_leaves_nothing_behind) /* NOTIF-ASYNC-06 */
{
    struct scene scene = scene_make();
    struct slot slots[2] = {0};

    EACH (slot, slots)
        EXPECT_STATUS(STATUS_PENDING, lend(scene.rm, slot, 64));
    engine_destroy(engine_instance());
    nt_forget_all();
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(scene.port));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(scene_make().tx, FALSE));
}
