/* SPDX-License-Identifier: MIT */
/* Waiting, sleeping, the process, GUIDs. */
#include "tests/win32/kit.h"

#include <time.h>
#include <unistd.h>

static long long
milliseconds_now(void)
{
    struct timespec now;

    EXPECT_EQ(0, clock_gettime(CLOCK_MONOTONIC, &now));
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static HANDLE
ended_tx(void)
{
    HANDLE tx = new_tx();

    EXPECT_DONE(CommitTransaction(tx));
    return tx;
}

#define EXPECT_WAIT_FAILS(error, wait)                                                             \
    do {                                                                                           \
        SetLastError(UNTOUCHED);                                                                   \
        EXPECT_EQ(WAIT_FAILED, (wait));                                                            \
        EXPECT_EQ(error, GetLastError());                                                          \
    } while (0)

TEST(one_object_is_waited_for) /* W32-TX-13 OBJ-19 */
{
    HANDLE tx = new_tx(), done = ended_tx();
    long long begin = milliseconds_now();

    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(tx, 0));
    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(tx, 30));
    EXPECT(milliseconds_now() - begin >= 30);
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(done, INFINITE));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObjectEx(done, 0, TRUE));
    EXPECT_WAIT_FAILS(ERROR_INVALID_HANDLE, WaitForSingleObject(NULL, 0));
    EXPECT_WAIT_FAILS(ERROR_INVALID_HANDLE, WaitForSingleObject(new_tm(), 0));
    EXPECT_WAIT_FAILS(ERROR_ACCESS_DENIED,
                      WaitForSingleObject(with_rights(tx, TRANSACTION_COMMIT), 0));
}

TEST(several_objects_are_waited_for) /* W32-TX-13 OBJ-19 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), handles[MAXIMUM_WAIT_OBJECTS + 1];

    handles[0] = tx;
    handles[1] = rm;
    handles[2] = ended_tx();
    EXPECT_EQ(WAIT_OBJECT_0 + 2, WaitForMultipleObjects(3, handles, FALSE, INFINITE));
    EXPECT_EQ(WAIT_TIMEOUT, WaitForMultipleObjects(3, handles, TRUE, 20));
    EXPECT_EQ(WAIT_TIMEOUT, WaitForMultipleObjectsEx(2, handles, FALSE, 20, TRUE));
    new_en(rm, tx, MASK_LATE, NULL);
    EXPECT(RollbackTransactionAsync(tx));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForMultipleObjects(3, handles, TRUE, INFINITE));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForMultipleObjects(3, handles, FALSE, 0));

    EXPECT_WAIT_FAILS(ERROR_INVALID_PARAMETER, WaitForMultipleObjects(0, handles, FALSE, 0));
    EXPECT_WAIT_FAILS(ERROR_NOACCESS, WaitForMultipleObjects(1, NULL, FALSE, 0));
    EACH (handle, handles)
        *handle = handles[2];
    EXPECT_EQ(WAIT_OBJECT_0, WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, handles, TRUE, 0));
    EXPECT_WAIT_FAILS(ERROR_INVALID_PARAMETER,
                      WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS + 1, handles, TRUE, 0));
    handles[1] = NULL;
    EXPECT_WAIT_FAILS(ERROR_INVALID_HANDLE, WaitForMultipleObjects(2, handles, FALSE, 0));
}

TEST(sleep_is_not_shorter_than_asked) /* W32-GEN-10 */
{
    long long begin = milliseconds_now();

    Sleep(0);
    Sleep(30);
    EXPECT(milliseconds_now() - begin >= 30);
    EXPECT_EQ(0, SleepEx(20, TRUE));
    EXPECT(milliseconds_now() - begin >= 50);
}

TEST(the_process_is_known) /* W32-GEN-07 */
{
    EXPECT_EQ(getpid(), GetCurrentProcessId());
    EXPECT(GetCurrentProcess() == NtCurrentProcess());
}

TEST(guids_are_random) /* OBJ-18 */
{
    GUID first, second;
    UUID third;

    EXPECT_EQ(S_OK, CoCreateGuid(&first));
    EXPECT_EQ(S_OK, CoCreateGuid(&second));
    EXPECT_EQ(RPC_S_OK, UuidCreate(&third));
    EXPECT(!same_guid(first, second) && !same_guid(second, third) && !same_guid(first, third));
    EXPECT_EQ(4, first.Data3 >> 12);
    EXPECT_EQ(2, third.Data4[0] >> 6);
    EXPECT(FAILED(CoCreateGuid(NULL)));
    EXPECT_EQ(RPC_S_INVALID_ARG, UuidCreate(NULL));
}
