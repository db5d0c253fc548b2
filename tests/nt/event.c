/* SPDX-License-Identifier: MIT */
/* Events, and waiting for objects of several kinds. */
#include "ktm.h"
#include "tests/nt/kit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static HANDLE
new_event(EVENT_TYPE type, BOOLEAN is_signalled)
{
    HANDLE event;

    EXPECT_OK(NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, type, is_signalled));
    return event;
}

static NTSTATUS
wait_now(HANDLE handle)
{
    LARGE_INTEGER now = {.QuadPart = 0};

    return NtWaitForSingleObject(handle, FALSE, &now);
}

static NTSTATUS
wait_for_several(ULONG count, HANDLE *handles, WAIT_TYPE type, int patience)
{
    LARGE_INTEGER timeout = milliseconds(patience);

    return NtWaitForMultipleObjects(count, handles, type, FALSE, patience < 0 ? NULL : &timeout);
}

/* ---- one event ---- */

TEST(an_event_stays_signalled_until_it_is_reset)
{
    HANDLE event = new_event(NotificationEvent, TRUE);
    LONG before = 7;

    EXPECT_OK(wait_now(event));
    EXPECT_OK(wait_now(event));
    EXPECT_OK(NtResetEvent(event, &before));
    EXPECT_EQ(1, before);
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event));
    EXPECT_OK(ZwResetEvent(event, &before));
    EXPECT_EQ(0, before);
    EXPECT_OK(NtSetEvent(event, &before));
    EXPECT_EQ(0, before);
    EXPECT_OK(ZwSetEvent(event, NULL));
    EXPECT_OK(NtSetEvent(event, &before));
    EXPECT_EQ(1, before);
    EXPECT_OK(wait_now(event));
}

TEST(an_event_that_resets_itself_releases_one)
{
    HANDLE event = new_event(SynchronizationEvent, FALSE);

    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event));
    EXPECT_OK(NtSetEvent(event, NULL));
    EXPECT_OK(NtSetEvent(event, NULL)); /* not counted */
    EXPECT_OK(wait_now(event));
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event));
}

TEST(events_check_their_arguments) /* GEN-04 OBJ-13 OBJ-15 */
{
    HANDLE event = new_event(NotificationEvent, FALSE), tx = new_tx(NULL), blind;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, (EVENT_TYPE)2, FALSE));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateEvent(NULL, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtCreateEvent(&event, 0x0004, NULL, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, NtSetEvent(tx, NULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, NtCommitTransaction(event, TRUE));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtResetEvent(NULL, NULL));
    blind = duplicate(event, EVENT_QUERY_STATE);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtSetEvent(blind, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtResetEvent(blind, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, wait_now(blind));
    EXPECT_OK(NtCreateEvent(&event, 0, NULL, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtSetEvent(event, NULL));
    close_handle(event);
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtSetEvent(event, NULL));
}

TEST(generic_rights_of_an_event_are_mapped) /* OBJ-12 */
{
    HANDLE event = new_event(NotificationEvent, FALSE);

    EXPECT_OK(NtSetEvent(duplicate(event, GENERIC_WRITE), NULL));
    EXPECT_OK(wait_now(duplicate(event, GENERIC_EXECUTE)));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtSetEvent(duplicate(event, GENERIC_READ), NULL));
    EXPECT_OK(NtSetEvent(duplicate(event, MAXIMUM_ALLOWED), NULL));
}

TEST(a_named_event_is_found) /* OBJ-05 OBJ-07 OBJ-08 OBJ-09 */
{
    UNICODE_STRING name = wide("\\shared");
    OBJECT_ATTRIBUTES plain = attributes(&name, 0), opens = attributes(&name, OBJ_OPENIF);
    HANDLE first, second, other;

    EXPECT_OK(NtCreateEvent(&first, EVENT_ALL_ACCESS, &plain, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateEvent(&second, EVENT_ALL_ACCESS, &plain, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS,
                  NtCreateEvent(&second, EVENT_ALL_ACCESS, &opens, SynchronizationEvent, TRUE));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  NtCreateIoCompletion(&other, IO_COMPLETION_ALL_ACCESS, &opens, 0));
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(second)); /* it is the first's */
    close_handle(first);
    EXPECT_OK(NtSetEvent(second, NULL));
    close_handle(second);
    EXPECT_OK(NtCreateEvent(&first, EVENT_ALL_ACCESS, &plain, NotificationEvent, FALSE));
}

TEST(a_pointer_keeps_an_event) /* TMR-02 TMR-05 */
{
    HANDLE event = new_event(NotificationEvent, FALSE);
    PVOID object = pointer_to(event);

    close_handle(event);
    EXPECT_OK(ObOpenObjectByPointer(object, 0, NULL, EVENT_ALL_ACCESS, NULL, KernelMode, &event));
    ObDereferenceObject(object);
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event)); /* it has come back */
    EXPECT_OK(NtSetEvent(event, NULL));
    EXPECT_STATUS(
        STATUS_OBJECT_TYPE_MISMATCH,
        ObReferenceObjectByHandle(event, 0, *TmTransactionObjectType, KernelMode, &object, NULL));
    close_handle(event);
}

/* ---- threads ---- */

struct waiter {
    pthread_t thread;
    HANDLE event, other;
    _Atomic int *released;
    WAIT_TYPE type;
    NTSTATUS status;
};

static void *
wait_for_ever(void *context)
{
    struct waiter *self = context;

    EXPECT_OK(NtWaitForSingleObject(self->event, FALSE, NULL));
    (*self->released)++;
    return NULL;
}

static void
start(struct waiter *waiters, size_t count, HANDLE event, _Atomic int *released)
{
    for (size_t i = 0; i < count; i++) {
        waiters[i].event = event;
        waiters[i].released = released;
        EXPECT_EQ(0, pthread_create(&waiters[i].thread, NULL, wait_for_ever, &waiters[i]));
    }
    usleep(50000);
    EXPECT_EQ(0, *released);
}

static void
expect_released(_Atomic int *released, int count)
{
    for (int i = 0; *released < count && i < 500; i++)
        usleep(10000);
    usleep(20000);
    EXPECT_EQ(count, *released);
}

static void
join(struct waiter *waiters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(0, pthread_join(waiters[i].thread, NULL));
}

TEST(a_signal_taken_away_at_once_has_released_all)
{
    HANDLE event = new_event(NotificationEvent, FALSE);
    struct waiter waiters[4];
    _Atomic int released = 0;

    start(waiters, 4, event, &released);
    EXPECT_OK(NtSetEvent(event, NULL));
    EXPECT_OK(NtResetEvent(event, NULL));
    expect_released(&released, 4);
    join(waiters, 4);
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event));
}

TEST(each_signal_of_an_event_that_resets_itself_releases_one)
{
    HANDLE event = new_event(SynchronizationEvent, FALSE);
    struct waiter waiters[3];
    _Atomic int released = 0;

    start(waiters, 3, event, &released);
    for (int i = 1; i <= 3; i++) {
        EXPECT_OK(NtSetEvent(event, NULL));
        expect_released(&released, i);
    }
    join(waiters, 3);
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(event));
}

static void *
wait_till_the_end(void *context)
{
    struct waiter *self = context;
    HANDLE both[2] = {self->event, self->other};

    if (self->other)
        self->status = NtWaitForMultipleObjects(2, both, self->type, FALSE, NULL);
    else
        self->status = NtWaitForSingleObject(self->event, FALSE, NULL);
    return NULL;
}

TEST(a_wait_ends_when_nobody_can_end_it) /* GEN-10 INV-15 */
{
    HANDLE handles[2] = {new_event(NotificationEvent, FALSE), NULL};

    EXPECT_OK(NtCreateIoCompletion(&handles[1], IO_COMPLETION_ALL_ACCESS, NULL, 0));
    EACH (handle, handles) {
        HANDLE copy = duplicate(*handle, SYNCHRONIZE);
        struct waiter waiters[4] = {
            {.event = *handle},
            {.event = *handle, .other = new_event(NotificationEvent, FALSE), .type = WaitAny},
            {.event = *handle, .other = new_event(NotificationEvent, FALSE), .type = WaitAll},
            {.event = *handle, .other = new_event(NotificationEvent, TRUE), .type = WaitAll},
        };

        EACH (waiter, waiters)
            EXPECT_EQ(0, pthread_create(&waiter->thread, NULL, wait_till_the_end, waiter));
        usleep(30000);
        close_handle(*handle);
        EXPECT_STATUS(STATUS_TIMEOUT, wait_now(copy)); /* not the last */
        close_handle(copy);
        join(waiters, ARRAY_SIZE(waiters));
        EACH (waiter, waiters)
            EXPECT_STATUS(STATUS_ABANDONED_WAIT_0, waiter->status);
    }
}

/* ---- several objects ---- */

TEST(one_of_several_is_taken_and_the_others_are_not)
{
    HANDLE handles[3] = {new_event(SynchronizationEvent, FALSE),
                         new_event(SynchronizationEvent, TRUE),
                         new_event(SynchronizationEvent, TRUE)};

    EXPECT_EQ(STATUS_WAIT_0 + 1, wait_for_several(3, handles, WaitAny, 0));
    EXPECT_EQ(STATUS_WAIT_0 + 2, wait_for_several(3, handles, WaitAny, 0));
    EXPECT_STATUS(STATUS_TIMEOUT, wait_for_several(3, handles, WaitAny, 10));
}

TEST(all_are_taken_or_none)
{
    HANDLE handles[3] = {new_event(SynchronizationEvent, TRUE), new_event(NotificationEvent, FALSE),
                         new_tx(NULL)};

    EXPECT_OK(NtRollbackTransaction(handles[2], TRUE));
    EXPECT_STATUS(STATUS_TIMEOUT, wait_for_several(3, handles, WaitAll, 10));
    EXPECT_OK(NtSetEvent(handles[1], NULL)); /* the first has not been taken */
    EXPECT_OK(wait_for_several(3, handles, WaitAll, 10));
    EXPECT_STATUS(STATUS_TIMEOUT, wait_now(handles[0]));
    EXPECT_OK(wait_now(handles[1]));
}

static void *
set_after_a_while(void *event)
{
    usleep(50000);
    EXPECT_OK(NtSetEvent(event, NULL));
    return NULL;
}

TEST(an_event_ends_a_wait_for_several)
{
    HANDLE event = new_event(SynchronizationEvent, FALSE);
    HANDLE handles[3] = {new_tx(NULL), new_volatile_rm(new_volatile_tm()), event};
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, set_after_a_while, event));
    EXPECT_EQ(STATUS_WAIT_0 + 2, wait_for_several(3, handles, WaitAny, -1));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(0, pthread_create(&thread, NULL, set_after_a_while, event));
    EXPECT_OK(wait_for_several(1, &event, WaitAll, -1));
    EXPECT_EQ(0, pthread_join(thread, NULL));
}

/* Two that always take both: neither may starve the other with half of them. */
struct eater {
    HANDLE forks[2];
    _Atomic int meals;
};

static void *
eat(void *context)
{
    struct eater *self = context;

    for (int i = 0; i < 200; i++) {
        EXPECT_OK(wait_for_several(2, self->forks, WaitAll, 10000));
        self->meals++;
        EXPECT_OK(NtSetEvent(self->forks[1], NULL));
        EXPECT_OK(NtSetEvent(self->forks[0], NULL));
    }
    return NULL;
}

TEST(those_who_take_all_do_not_block_each_other)
{
    HANDLE first = new_event(SynchronizationEvent, TRUE);
    HANDLE second = new_event(SynchronizationEvent, TRUE);
    struct eater eaters[3] = {{{first, second}, 0}, {{second, first}, 0}, {{first, second}, 0}};
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, eat, &eaters[i]));
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(0, pthread_join(threads[i], NULL));
        EXPECT_EQ(200, eaters[i].meals);
    }
}

TEST(the_descriptor_of_an_event_follows_it)
{
    HANDLE event = new_event(SynchronizationEvent, TRUE);
    struct pollfd poller = {.events = POLLIN};
    int again;

    EXPECT_OK(KtmGetWaitFd(event, &poller.fd));
    EXPECT_OK(KtmGetWaitFd(event, &again));
    EXPECT_EQ(poller.fd, again);
    EXPECT_EQ(1, poll(&poller, 1, 0));
    EXPECT_OK(wait_now(event));
    EXPECT_EQ(0, poll(&poller, 1, 0));
    EXPECT_OK(NtSetEvent(event, NULL));
    EXPECT_EQ(1, poll(&poller, 1, 0));
    EXPECT_OK(NtResetEvent(event, NULL));
    EXPECT_EQ(0, poll(&poller, 1, 0));
}

TEST(the_descriptor_of_what_is_closed_is_closed)
{
    HANDLE handles[2] = {new_event(NotificationEvent, FALSE), NULL}, copy;
    int fd;

    EXPECT_OK(NtCreateIoCompletion(&handles[1], IO_COMPLETION_ALL_ACCESS, NULL, 0));
    EACH (handle, handles) {
        copy = duplicate(*handle, SYNCHRONIZE);
        EXPECT_OK(KtmGetWaitFd(copy, &fd));
        close_handle(*handle);
        EXPECT(fcntl(fd, F_GETFD) >= 0);
        close_handle(copy);
        EXPECT(fcntl(fd, F_GETFD) < 0);
    }
}
