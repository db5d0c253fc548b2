/* SPDX-License-Identifier: MIT */
/* Completion ports: packets posted and taken. */
#include "ktm.h"
#include "tests/nt/kit.h"
#include "tests/nt/port_kit.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static void
post(HANDLE port, unsigned number)
{
    EXPECT_OK(NtSetIoCompletion(port, key_number(number), key_number(number + 1), STATUS_SUCCESS,
                                number));
}

TEST(packets_come_in_order)
{
    HANDLE port = new_port();
    struct taken taken;

    EXPECT_STATUS(STATUS_TIMEOUT, take(port, 0, &taken));
    for (unsigned i = 1; i <= 100; i++)
        post(port, i);
    for (unsigned i = 1; i <= 100; i++) {
        EXPECT_OK(take(port, 0, &taken));
        EXPECT(taken.key == key_number(i) && taken.context == key_number(i + 1));
        EXPECT_EQ(i, taken.block.Information);
        EXPECT_OK(taken.block.Status);
    }
    EXPECT_STATUS(STATUS_TIMEOUT, take(port, 10, &taken));
}

TEST(a_packet_carries_any_status)
{
    HANDLE port = new_port();
    struct taken taken;

    EXPECT_OK(ZwSetIoCompletion(port, NULL, NULL, STATUS_CANCELLED, UINT64_MAX));
    EXPECT_OK(take(port, 0, &taken));
    EXPECT_STATUS(STATUS_CANCELLED, taken.block.Status);
    EXPECT_EQ(UINT64_MAX, taken.block.Information);
    EXPECT(!taken.key && !taken.context);
}

TEST(ports_check_their_arguments) /* GEN-04 GEN-07 */
{
    HANDLE port = new_port(), event, blind = duplicate(port, IO_COMPLETION_QUERY_STATE);
    IO_STATUS_BLOCK block;
    PVOID key = NULL, context = NULL;
    struct taken taken;

    EXPECT_OK(NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateIoCompletion(NULL, IO_COMPLETION_ALL_ACCESS, NULL, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtCreateIoCompletion(&event, 4, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtSetIoCompletion(NULL, NULL, NULL, 0, 0));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, NtSetIoCompletion(event, NULL, NULL, 0, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtSetIoCompletion(blind, NULL, NULL, 0, 0));
    post(port, 1);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, take(blind, 0, &taken));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, take(event, 0, &taken));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtRemoveIoCompletion(port, NULL, &context, &block, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtRemoveIoCompletion(port, &key, NULL, &block, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, ZwRemoveIoCompletion(port, &key, &context, NULL, NULL));
    EXPECT_OK(take(port, 0, &taken)); /* it is still there */
}

TEST(a_port_is_signalled_while_it_has_packets) /* OBJ-19 */
{
    HANDLE port = new_port();
    struct pollfd poller = {.events = POLLIN};
    struct taken taken;

    EXPECT(!is_signalled(port));
    EXPECT_OK(KtmGetWaitFd(port, &poller.fd));
    post(port, 1);
    post(port, 2);
    EXPECT(is_signalled(port));
    EXPECT(is_signalled(port)); /* waiting takes nothing */
    EXPECT_EQ(1, poll(&poller, 1, 0));
    EXPECT_OK(take(port, 0, &taken));
    EXPECT_EQ(1, poll(&poller, 1, 0));
    EXPECT_OK(take(port, 0, &taken));
    EXPECT_EQ(0, poll(&poller, 1, 0));
    EXPECT(!is_signalled(port));
}

static void *
wait_for_packets(void *port)
{
    EXPECT_OK(NtWaitForSingleObject(port, FALSE, NULL));
    return NULL;
}

TEST(a_packet_ends_waits_for_its_port) /* OBJ-19 INV-15 */
{
    HANDLE port = new_port();
    pthread_t threads[3];

    EACH (thread, threads)
        EXPECT_EQ(0, pthread_create(thread, NULL, wait_for_packets, port));
    usleep(30000);
    post(port, 1);
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_join(*thread, NULL));
}

struct taker {
    pthread_t thread;
    HANDLE port;
    unsigned count;
    NTSTATUS end;
};

/* Takes packets until one says stop, or there is an end. */
static void *
take_many(void *context)
{
    struct taker *self = context;
    struct taken taken;

    while ((self->end = take(self->port, -1, &taken)) == STATUS_SUCCESS && taken.key)
        self->count++;
    return NULL;
}

static void
start(struct taker *takers, size_t count, HANDLE port)
{
    for (size_t i = 0; i < count; i++) {
        takers[i] = (struct taker){.port = port};
        EXPECT_EQ(0, pthread_create(&takers[i].thread, NULL, take_many, &takers[i]));
    }
}

TEST(each_packet_goes_to_one_thread)
{
    HANDLE port = new_port();
    struct taker takers[4];
    unsigned sum = 0;

    start(takers, 4, port);
    for (unsigned i = 0; i < 2000; i++)
        post(port, 1);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_OK(NtSetIoCompletion(port, NULL, NULL, STATUS_SUCCESS, 0));
    EACH (taker, takers) {
        EXPECT_EQ(0, pthread_join(taker->thread, NULL));
        EXPECT_OK(taker->end);
        sum += taker->count;
    }
    EXPECT_EQ(2000, sum);
}

TEST(who_takes_is_told_that_the_port_was_closed)
{
    HANDLE port = new_port(), copy = duplicate(port, IO_COMPLETION_MODIFY_STATE);
    struct taker takers[2];

    start(takers, 2, port);
    usleep(50000);
    close_handle(copy); /* not the last */
    post(port, 1);
    usleep(20000);
    close_handle(port);
    EACH (taker, takers) {
        EXPECT_EQ(0, pthread_join(taker->thread, NULL));
        EXPECT_STATUS(STATUS_ABANDONED_WAIT_0, taker->end);
    }
    EXPECT_EQ(1, takers[0].count + takers[1].count);
}

TEST(a_port_does_not_come_back) /* TMR-05 */
{
    HANDLE port = new_port();
    PVOID object = pointer_to(port);

    post(port, 1); /* is forgotten */
    close_handle(port);
    EXPECT_STATUS(
        STATUS_TRANSACTION_OBJECT_EXPIRED,
        ObOpenObjectByPointer(object, 0, NULL, IO_COMPLETION_ALL_ACCESS, NULL, KernelMode, &port));
    ObDereferenceObject(object);
}
