/* SPDX-License-Identifier: MIT */
/* Completion ports, and notifications through them. */
#include "tests/win32/kit.h"

#include <pthread.h>
#include <unistd.h>

static HANDLE
new_port(void)
{
    HANDLE port;

    SetLastError(UNTOUCHED);
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    EXPECT(port);
    EXPECT_EQ(UNTOUCHED, GetLastError());
    return port;
}

/* A buffer and what tells of it. */
struct slot {
    OVERLAPPED overlapped;
    TRANSACTION_NOTIFICATION note;
    ULONG length;
};

static BOOL
lend(HANDLE rm, struct slot *slot)
{
    return GetNotificationResourceManagerAsync(rm, &slot->note, sizeof(slot->note), &slot->length,
                                               &slot->overlapped);
}

/* ---- ports ---- */

TEST(packets_are_posted_and_taken)
{
    HANDLE port = new_port();
    OVERLAPPED overlapped, *got = &overlapped;
    ULONG_PTR key = 0;
    DWORD bytes = 0;

    EXPECT_ERROR(WAIT_TIMEOUT, GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
    EXPECT(!got);
    EXPECT_ERROR(WAIT_TIMEOUT, GetQueuedCompletionStatus(port, &bytes, &key, &got, 20));
    EXPECT_DONE(PostQueuedCompletionStatus(port, 7, 8, &overlapped));
    EXPECT_DONE(PostQueuedCompletionStatus(port, 9, UINT64_MAX, NULL));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(port, 0));
    EXPECT_DONE(GetQueuedCompletionStatus(port, &bytes, &key, &got, INFINITE));
    EXPECT(bytes == 7 && key == 8 && got == &overlapped);
    EXPECT_DONE(GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
    EXPECT(bytes == 9 && key == UINT64_MAX && !got);
}

TEST(ports_check_their_arguments) /* W32-GEN-03 */
{
    HANDLE port = new_port(), tx = new_tx();
    LPOVERLAPPED got;
    ULONG_PTR key;
    DWORD bytes;

    EXPECT(!CreateIoCompletionPort(tx, NULL, 0, 0));
    EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
    EXPECT(!CreateIoCompletionPort(INVALID_HANDLE_VALUE, port, 0, 0));
    EXPECT_EQ(ERROR_INVALID_PARAMETER, GetLastError());
    EXPECT_ERROR(ERROR_INVALID_HANDLE, GetQueuedCompletionStatus(tx, &bytes, &key, &got, 0));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, PostQueuedCompletionStatus(tx, 0, 0, NULL));
    EXPECT_ERROR(ERROR_ACCESS_DENIED,
                 PostQueuedCompletionStatus(with_rights(port, SYNCHRONIZE), 0, 0, NULL));
    EXPECT_ERROR(ERROR_NOACCESS, GetQueuedCompletionStatus(port, NULL, &key, &got, 0));
    EXPECT_ERROR(ERROR_NOACCESS, GetQueuedCompletionStatus(port, &bytes, NULL, &got, 0));
    EXPECT_ERROR(ERROR_NOACCESS, GetQueuedCompletionStatus(port, &bytes, &key, NULL, 0));
}

static void *
close_after_a_while(void *port)
{
    usleep(50000);
    EXPECT(CloseHandle(port));
    return NULL;
}

TEST(a_port_that_is_closed_is_abandoned) /* W32-GEN-09 */
{
    HANDLE port = new_port();
    pthread_t thread;
    LPOVERLAPPED got;
    ULONG_PTR key;
    DWORD bytes;

    EXPECT_EQ(0, pthread_create(&thread, NULL, close_after_a_while, port));
    EXPECT_ERROR(735, GetQueuedCompletionStatus(port, &bytes, &key, &got, INFINITE));
    EXPECT(!got);
    EXPECT_EQ(0, pthread_join(thread, NULL));
}

/* ---- notifications ---- */

TEST(a_port_is_set_before_buffers_are_lent) /* W32-RM-08 W32-RM-09 */
{
    HANDLE rm = new_rm(new_tm()), port = new_port();
    struct slot slot = {0};

    EXPECT_ERROR(ERROR_INVALID_PARAMETER, lend(rm, &slot));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER,
                 GetNotificationResourceManagerAsync(rm, &slot.note, 32, NULL, NULL));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, SetResourceManagerCompletionPort(rm, rm, 0));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, SetResourceManagerCompletionPort(port, port, 0));
    EXPECT_DONE(SetResourceManagerCompletionPort(rm, port, 0));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, SetResourceManagerCompletionPort(rm, port, 0));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER,
                 GetNotificationResourceManagerAsync(rm, &slot.note, 32, NULL, NULL));
    EXPECT_ERROR(ERROR_IO_PENDING, lend(rm, &slot));
}

TEST(lent_buffers_complete_through_the_port) /* W32-RM-10 W32-RM-11 NOTIF-ASYNC-02 */
{
    HANDLE rm = new_rm(new_tm()), port = new_port(), tx = new_tx();
    struct slot slots[2] = {0};
    LPOVERLAPPED got;
    ULONG_PTR key;
    DWORD bytes;

    EXPECT_DONE(SetResourceManagerCompletionPort(rm, port, 4711));
    new_en(rm, tx, MASK_LATE, &slots[0]);
    new_en(rm, tx, MASK_LATE, &slots[1]);
    EACH (slot, slots)
        EXPECT_ERROR(ERROR_IO_PENDING, lend(rm, slot));
    EXPECT_ERROR(ERROR_IO_INCOMPLETE, GetOverlappedResult(rm, &slots[1].overlapped, &bytes, FALSE));
    EXPECT(CommitTransactionAsync(tx));
    EACH (slot, slots) {
        EXPECT_DONE(GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
        EXPECT(bytes == 32 && key == 4711 && got == &slot->overlapped);
        EXPECT_EQ(COMMIT, slot->note.TransactionNotification);
        EXPECT(slot->note.TransactionKey == slot);
        EXPECT_EQ(32, slot->length);
        EXPECT_DONE(GetOverlappedResult(rm, got, &bytes, FALSE));
        EXPECT_EQ(32, bytes);
    }
    EXPECT_ERROR(WAIT_TIMEOUT, GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
}

TEST(what_is_there_already_is_told_twice) /* W32-RM-09 NOTIF-ASYNC-03 */
{
    HANDLE rm = new_rm(new_tm()), port = new_port(), tx = new_tx();
    struct slot slot = {0};
    LPOVERLAPPED got;
    ULONG_PTR key;
    DWORD bytes;

    EXPECT_DONE(SetResourceManagerCompletionPort(rm, port, 1));
    new_en(rm, tx, MASK_LATE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_DONE(lend(rm, &slot));
    EXPECT_EQ(COMMIT, slot.note.TransactionNotification);
    EXPECT_DONE(GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
    EXPECT(got == &slot.overlapped);
}

TEST(a_failed_packet_is_taken_all_the_same) /* NOTIF-ASYNC-05 NOTIF-ASYNC-06 */
{
    HANDLE rm = new_rm(new_tm()), port = new_port(), tx = new_tx();
    struct slot slots[2] = {0};
    LPOVERLAPPED got = NULL;
    ULONG_PTR key = 0;
    DWORD bytes = 0;

    EXPECT_DONE(SetResourceManagerCompletionPort(rm, port, 3));
    new_en(rm, tx, MASK_LATE, NULL);
    EXPECT_ERROR(ERROR_IO_PENDING,
                 GetNotificationResourceManagerAsync(rm, &slots[0].note, 8, &slots[0].length,
                                                     &slots[0].overlapped));
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_ERROR(122, GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
    EXPECT(bytes == 32 && key == 3 && got == &slots[0].overlapped);
    EXPECT_NOTE(rm, NULL, COMMIT);
    EXPECT_ERROR(ERROR_IO_PENDING, lend(rm, &slots[1]));
    EXPECT_DONE(CloseHandle(rm));
    EXPECT_ERROR(995, GetQueuedCompletionStatus(port, &bytes, &key, &got, 0));
    EXPECT(bytes == 0 && got == &slots[1].overlapped);
}

static void *
commit_after_a_while(void *tx)
{
    usleep(50000);
    EXPECT(CommitTransactionAsync(tx));
    return NULL;
}

TEST(a_result_can_be_waited_for) /* W32-RM-09 NOTIF-ASYNC-04 */
{
    HANDLE rm = new_rm(new_tm()), tx, event = CREATED(CreateEventW(NULL, TRUE, TRUE, NULL));
    struct slot slot = {0};
    pthread_t thread;
    DWORD bytes;

    EXPECT_DONE(SetResourceManagerCompletionPort(rm, new_port(), 0));
    for (int round = 0; round < 2; round++) {
        tx = new_tx();
        new_en(rm, tx, MASK_LATE, NULL);
        slot.overlapped.hEvent = round ? event : NULL;
        EXPECT_ERROR(ERROR_IO_PENDING, lend(rm, &slot));
        EXPECT_EQ(0, pthread_create(&thread, NULL, commit_after_a_while, tx));
        EXPECT_DONE(GetOverlappedResult(rm, &slot.overlapped, &bytes, TRUE));
        EXPECT_EQ(32, bytes);
        EXPECT_EQ(COMMIT, slot.note.TransactionNotification);
        EXPECT_EQ(0, pthread_join(thread, NULL));
    }
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(event, 5000));
}
