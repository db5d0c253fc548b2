/* SPDX-License-Identifier: MIT */
/*
 * Events, completion ports, and buffers lent for notifications: nobody sleeps for ever, nothing is
 * taken twice, and each buffer comes back once, whatever is closed meanwhile.
 *
 * Handles and their numbers outlive an engine, so each run has a process of its own.
 */
#include "tests/explore/explore.h"

#include "core/object.h"
#include "engine/engine.h"
#include "tests/nt/kit.h"
#include "tests/nt/port_kit.h"
#include "windows.h"

#define SLOTS 3

struct slot {
    OVERLAPPED overlapped;
    TRANSACTION_NOTIFICATION note;
    ULONG length;
    unsigned lent, packets; /* how often it was lent, and came back */
};

static struct engine *engine;
static struct sys_sim *sim;
static HANDLE tm, rm, port, tx[2], event[2];
static struct slot slots[SLOTS];
static unsigned turns, told;

static void
begin_empty(void)
{
    struct sys *process;

    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    sys_sim_advance(sim, 1000000000);
    explore_machine(sim, process);
    EXPECT_OK(engine_create(process, &engine));
    turns = told = 0;
}

static void
end_empty(void)
{
    engine_destroy(engine);
    sys_sim_destroy(sim);
}

static void
close_if_open(HANDLE handle)
{
    NTSTATUS status = NtClose(handle);

    EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE);
}

/* ---- events ---- */

static void
begin_events(void)
{
    begin_empty();
    for (int i = 0; i < 2; i++)
        EXPECT_OK(NtCreateEvent(&event[i], EVENT_ALL_ACCESS, NULL, SynchronizationEvent, TRUE));
}

static void
end_events(void)
{
    for (int i = 0; i < 2; i++) {
        EXPECT(is_signalled(event[i]));
        close_handle(event[i]);
    }
    end_empty();
}

/* Both, in one order or the other; alone while it has them. */
static void
takes_both(void *argument)
{
    HANDLE both[2] = {event[argument ? 0 : 1], event[argument ? 1 : 0]};

    for (int i = 0; i < 2; i++) {
        EXPECT_OK(NtWaitForMultipleObjects(2, both, WaitAll, FALSE, NULL));
        EXPECT_EQ(1, ++turns);
        explore_point("has both");
        EXPECT_EQ(0, --turns);
        EXPECT_OK(NtSetEvent(both[0], NULL));
        EXPECT_OK(NtSetEvent(both[1], NULL));
    }
}

static void
takes_any(void *argument)
{
    NTSTATUS status = NtWaitForMultipleObjects(2, event, WaitAny, FALSE, NULL);

    (void)argument;
    EXPECT(status == STATUS_WAIT_0 || status == STATUS_WAIT_0 + 1);
    explore_point("has one");
    EXPECT_OK(NtSetEvent(event[status - STATUS_WAIT_0], NULL));
}

static void
takes_one(void *argument)
{
    EXPECT_OK(NtWaitForSingleObject(*(HANDLE *)argument, FALSE, NULL));
    explore_point("has it");
    EXPECT_OK(NtSetEvent(*(HANDLE *)argument, NULL));
}

TEST(events_taken_together_one_by_one_and_any) /* INV-15 */
{
    static const struct explore_program program = {.begin = begin_events,
                                                   .threads = {{takes_both, NULL},
                                                               {takes_both, &event},
                                                               {takes_any, NULL},
                                                               {takes_one, &event[0]},
                                                               {takes_one, &event[1]}},
                                                   .end = end_events,
                                                   .is_forked = true};

    explore(&program);
}

static void
begin_unset(void)
{
    begin_empty();
    for (int i = 0; i < 2; i++)
        EXPECT_OK(NtCreateEvent(&event[i], EVENT_ALL_ACCESS, NULL,
                                i ? NotificationEvent : SynchronizationEvent, FALSE));
}

static void
end_unset(void)
{
    close_handle(event[0]);
    close_handle(event[1]);
    end_empty();
}

/* Each waits for the signal of the one before. */
static void
passes_on(void *argument)
{
    (void)argument;
    EXPECT_OK(NtWaitForSingleObject(event[0], FALSE, NULL));
    if (++turns < 3)
        EXPECT_OK(NtSetEvent(event[0], NULL));
    else
        EXPECT_OK(NtSetEvent(event[1], NULL));
}

static void
sets(void *argument)
{
    (void)argument;
    EXPECT_OK(NtSetEvent(event[0], NULL));
    EXPECT_OK(NtWaitForSingleObject(event[1], FALSE, NULL));
    EXPECT_EQ(3, turns);
}

TEST(a_signal_that_is_passed_on) /* INV-15 */
{
    static const struct explore_program program = {
        .begin = begin_unset,
        .threads = {{passes_on, NULL}, {passes_on, NULL}, {passes_on, NULL}, {sets, NULL}},
        .end = end_unset,
        .is_forked = true};

    explore(&program);
}

/* Until somebody is about to sleep on it: he has begun to wait. */
static void
pulses(void *argument)
{
    struct object *object = pointer_to(event[1]);

    (void)argument;
    while (atomic_load(&object->waiters) < 2)
        explore_pause("waits for those who wait");
    EXPECT_OK(NtSetEvent(event[1], NULL));
    EXPECT_OK(NtResetEvent(event[1], NULL));
    ObDereferenceObject(object);
}

static void
waits_for_the_pulse(void *argument)
{
    (void)argument;
    EXPECT_OK(NtWaitForSingleObject(event[1], FALSE, NULL));
}

TEST(a_signal_taken_away_at_once) /* INV-15 */
{
    static const struct explore_program program = {
        .begin = begin_unset,
        .threads = {{waits_for_the_pulse, NULL}, {waits_for_the_pulse, NULL}, {pulses, NULL}},
        .end = end_unset,
        .is_forked = true};

    explore(&program);
}

static void
waits_till_the_end(void *argument)
{
    NTSTATUS status = argument ? NtWaitForMultipleObjects(2, event, WaitAny, FALSE, NULL)
                               : NtWaitForSingleObject(event[0], FALSE, NULL);

    EXPECT(status == STATUS_ABANDONED_WAIT_0 || status == STATUS_INVALID_HANDLE);
}

static void
closes_event(void *argument)
{
    (void)argument;
    close_handle(event[0]);
}

static void
end_closed(void)
{
    close_handle(event[1]);
    end_empty();
}

TEST(an_event_closed_under_those_who_wait) /* GEN-10 INV-15 */
{
    static const struct explore_program program = {.begin = begin_unset,
                                                   .threads = {{waits_till_the_end, NULL},
                                                               {waits_till_the_end, &event},
                                                               {waits_till_the_end, NULL},
                                                               {closes_event, NULL}},
                                                   .end = end_closed,
                                                   .is_forked = true};

    explore(&program);
}

/* ---- ports ---- */

static void
begin_port(void)
{
    begin_empty();
    port = new_port();
}

static void
end_port(void)
{
    close_if_open(port);
    end_empty();
}

static void
posts_two(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++)
        EXPECT_OK(NtSetIoCompletion(port, &slots, NULL, STATUS_SUCCESS, 0));
}

static void
takes_two(void *argument)
{
    struct taken taken;

    (void)argument;
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(take(port, -1, &taken));
        EXPECT(taken.key == &slots);
    }
}

/* Takes nothing, and swallows nobody's wake-up. */
static void
looks(void *argument)
{
    LARGE_INTEGER patience = milliseconds(1);
    NTSTATUS status = NtWaitForSingleObject(port, FALSE, &patience);

    (void)argument;
    EXPECT(status == STATUS_SUCCESS || status == STATUS_TIMEOUT);
}

TEST(each_packet_reaches_one_who_waits) /* INV-15 */
{
    static const struct explore_program program = {.begin = begin_port,
                                                   .threads = {{takes_two, NULL},
                                                               {takes_two, NULL},
                                                               {looks, NULL},
                                                               {posts_two, NULL},
                                                               {posts_two, NULL}},
                                                   .end = end_port,
                                                   .is_forked = true};

    explore(&program);
}

static void
takes_till_the_end(void *argument)
{
    struct taken taken;
    NTSTATUS status;

    (void)argument;
    while ((status = take(port, -1, &taken)) == STATUS_SUCCESS)
        explore_point("took one");
    EXPECT(status == STATUS_ABANDONED_WAIT_0 || status == STATUS_INVALID_HANDLE);
}

static void
posts_and_closes(void *argument)
{
    (void)argument;
    EXPECT_OK(NtSetIoCompletion(port, &slots, NULL, STATUS_SUCCESS, 0));
    close_handle(port);
}

TEST(a_port_closed_under_those_who_take) /* INV-15 */
{
    static const struct explore_program program = {.begin = begin_port,
                                                   .threads = {{takes_till_the_end, NULL},
                                                               {takes_till_the_end, NULL},
                                                               {posts_and_closes, NULL}},
                                                   .end = end_port,
                                                   .is_forked = true};

    explore(&program);
}

/* ---- loans ---- */

static NTSTATUS
set_port(HANDLE to)
{
    RESOURCEMANAGER_COMPLETION_INFORMATION completion = {to, 1};

    return NtSetInformationResourceManager(rm, ResourceManagerCompletionInformation, &completion,
                                           sizeof(completion));
}

/* True when the buffer will come back, or has. */
static bool
lend(struct slot *slot)
{
    NTSTATUS status = NtGetNotificationResourceManager(
        rm, &slot->note, sizeof(slot->note), NULL, &slot->length, 1, (ULONG_PTR)&slot->overlapped);

    EXPECT(NT_SUCCESS(status) || status == STATUS_INVALID_HANDLE ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED || status == STATUS_INVALID_PARAMETER);
    slot->lent += NT_SUCCESS(status);
    return NT_SUCCESS(status);
}

static void
begin_loans(void)
{
    GUID guid = guid_number(1);

    begin_empty();
    memset(slots, 0, sizeof(slots));
    tm = new_volatile_tm();
    rm = new_rm(tm, &guid, RESOURCE_MANAGER_VOLATILE);
    port = new_port();
    EXPECT_OK(set_port(port));
    for (int i = 0; i < 2; i++) {
        tx[i] = new_tx(tm);
        new_en(rm, tx[i], MASK_LATE, NULL);
    }
    lend(&slots[0]);
}

/* A packet: the buffer has come back. */
static void
came_back(const struct taken *taken)
{
    struct slot *slot = CONTAINING_RECORD(taken->context, struct slot, overlapped);

    slot->packets++;
    EXPECT(HasOverlappedIoCompleted(&slot->overlapped));
    EXPECT_STATUS(taken->block.Status, (NTSTATUS)slot->overlapped.Internal);
    EXPECT(taken->block.Status == STATUS_SUCCESS || taken->block.Status == STATUS_CANCELLED);
    if (taken->block.Status == STATUS_SUCCESS) {
        EXPECT(slot->note.TransactionNotification & MASK_LATE);
        EXPECT_EQ(32, slot->length);
        told++;
    }
}

static void
end_loans(void)
{
    struct taken taken;

    close_if_open(rm);
    for (int i = 0; i < 2; i++)
        close_if_open(tx[i]);
    close_if_open(tm);
    while (take(port, 0, &taken) == STATUS_SUCCESS)
        came_back(&taken);
    EACH (slot, slots)
        EXPECT_EQ(slot->lent, slot->packets);
    EXPECT(told <= 2); /* each transaction was told once, or the RM was gone */
    close_handle(port);
    end_empty();
}

static void
commits(void *argument)
{
    NTSTATUS status = NtCommitTransaction(*(HANDLE *)argument, FALSE);

    EXPECT(status == STATUS_PENDING || status == STATUS_SUCCESS ||
           status == STATUS_TRANSACTION_ALREADY_ABORTED ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
lends(void *argument)
{
    (void)argument;
    lend(&slots[1]);
    lend(&slots[2]);
}

static void
fetches(void *argument)
{
    TRANSACTION_NOTIFICATION note;
    LARGE_INTEGER now = {.QuadPart = 0};
    ULONG length;
    NTSTATUS status =
        NtGetNotificationResourceManager(rm, &note, sizeof(note), &now, &length, 0, 0);

    (void)argument;
    if (status == STATUS_SUCCESS)
        told++;
}

static void
serves(void *argument)
{
    struct taken taken;

    (void)argument;
    for (int i = 0; i < 2; i++)
        if (take(port, 1, &taken) == STATUS_SUCCESS)
            came_back(&taken);
}

TEST(every_notification_reaches_one_buffer) /* NOTIF-ASYNC-03 NOTIF-ASYNC-04 NOTIF-GET-13 */
{
    static const struct explore_program program = {.begin = begin_loans,
                                                   .threads = {{commits, &tx[0]},
                                                               {commits, &tx[1]},
                                                               {lends, NULL},
                                                               {fetches, NULL},
                                                               {serves, NULL}},
                                                   .end = end_loans,
                                                   .is_forked = true};

    explore(&program);
}

static void
closes(void *argument)
{
    close_if_open(*(HANDLE *)argument);
}

TEST(every_buffer_comes_back_when_the_rm_is_closed) /* NOTIF-ASYNC-06 */
{
    static const struct explore_program program = {
        .begin = begin_loans,
        .threads = {{commits, &tx[0]}, {lends, NULL}, {closes, &rm}, {serves, NULL}},
        .end = end_loans,
        .is_forked = true};

    explore(&program);
}

TEST(every_buffer_comes_back_when_the_tm_is_closed) /* NOTIF-ASYNC-06 CLOSE-TM-03 */
{
    static const struct explore_program program = {
        .begin = begin_loans,
        .threads = {{commits, &tx[0]}, {lends, NULL}, {closes, &tm}, {closes, &rm}, {serves, NULL}},
        .end = end_loans,
        .is_forked = true};

    explore(&program);
}

/* The port is taken away and given back, under loans and notifications. */
static void
moves_the_port(void *argument)
{
    NTSTATUS status;

    (void)argument;
    EXPECT_OK(set_port(NULL));
    explore_point("has no port");
    status = set_port(port);
    EXPECT_OK(status);
}

TEST(a_port_that_is_taken_away_and_given_back) /* RM-SET-03 NOTIF-GET-12 */
{
    static const struct explore_program program = {.begin = begin_loans,
                                                   .threads = {{commits, &tx[0]},
                                                               {commits, &tx[1]},
                                                               {lends, NULL},
                                                               {moves_the_port, NULL},
                                                               {serves, NULL}},
                                                   .end = end_loans,
                                                   .is_forked = true};

    explore(&program);
}
