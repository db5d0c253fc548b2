/* SPDX-License-Identifier: MIT */
/* Misuse and crowds: random handles, closing under calls and waits, threads that do everything at
 * once. Nothing may crash, hang or leave a transaction half way. */
#include "tests/nt/kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- any routine with any handles --------------------------------------------------------------
 */

#define ROUTINES 24

static NTSTATUS
call_any(unsigned routine, HANDLE a, HANDLE b, HANDLE *made)
{
    union {
        TRANSACTION_NOTIFICATION note;
        KTMOBJECT_CURSOR cursor;
        char bytes[300];
    } room = {0};
    LARGE_INTEGER now = {.QuadPart = 0};
    GUID guid = guid_number(routine);
    ULONG length;

    switch (routine) {
    case 0:
        return NtCreateEnlistment(made, ENLISTMENT_ALL_ACCESS, a, b, NULL, 0, MASK_FULL, a);
    case 1:
        return NtCreateEnlistment(made, ENLISTMENT_ALL_ACCESS, a, b, NULL, 0, MASK_SINGLE, a);
    case 2:
        return NtCreateTransaction(made, TRANSACTION_ALL_ACCESS, NULL, NULL, a, 0, 0, 0, NULL,
                                   NULL);
    case 3:
        return NtCreateResourceManager(made, RESOURCEMANAGER_ALL_ACCESS, a, &guid, NULL,
                                       RESOURCE_MANAGER_VOLATILE, NULL);
    case 4:
        return NtOpenResourceManager(made, RESOURCEMANAGER_ALL_ACCESS, a, &guid, NULL);
    case 5:
        return NtDuplicateObject(NtCurrentProcess(), a, NtCurrentProcess(), made, 0, 0,
                                 DUPLICATE_SAME_ACCESS);
    case 6:
        return NtCommitTransaction(a, FALSE);
    case 7:
        return NtRollbackTransaction(a, FALSE);
    case 8:
        return NtGetNotificationResourceManager(a, &room.note, sizeof(room), &now, NULL, 0, 0);
    case 9:
        return NtPrePrepareComplete(a, NULL);
    case 10:
        return NtPrepareComplete(a, NULL);
    case 11:
        return NtCommitComplete(a, NULL);
    case 12:
        return NtRollbackComplete(a, NULL);
    case 13:
        return NtReadOnlyEnlistment(a, NULL);
    case 14:
        return NtSinglePhaseReject(a, NULL);
    case 15:
        return NtRollbackEnlistment(a, NULL);
    case 16:
        return NtRecoverResourceManager(a);
    case 17:
        return NtWaitForSingleObject(a, FALSE, &now);
    case 18:
        return NtQueryInformationTransaction(a, TransactionEnlistmentInformation, &room,
                                             sizeof(room), NULL);
    case 19:
        return NtQueryInformationEnlistment(a, EnlistmentBasicInformation, &room, sizeof(room),
                                            NULL);
    case 20:
        return NtEnumerateTransactionObject(a, KTMOBJECT_TRANSACTION, &room.cursor, sizeof(room),
                                            &length);
    case 21:
        return NtEnumerateTransactionObject(a, KTMOBJECT_ENLISTMENT, &room.cursor, sizeof(room),
                                            &length);
    case 22:
        return NtQueryInformationTransactionManager(a, TransactionManagerBasicInformation, &room,
                                                    sizeof(room), NULL);
    default:
        return NtClose(a);
    }
}

TEST(random_values_are_no_handles) /* GEN-04 */
{
    uint64_t seed = 88172645463325252u;
    struct party party = PARTY(false, 0, MASK_FULL);

    for (int i = 0; i < 200000; i++) {
        HANDLE value = (HANDLE)(uintptr_t)(next_random(&seed) >> (i % 40)), made = NULL;
        unsigned routine = (unsigned)(i % ROUTINES);

        if (value == NULL)
            continue;
        EXPECT_STATUS(STATUS_INVALID_HANDLE, call_any(routine, value, value, &made));
        EXPECT(made == NULL);
    }
    EXPECT_OUTCOME(Undetermined, party.tx);
}

/* ---- closing under a call ----------------------------------------------------------------------
 */

struct waiter {
    HANDLE handle;
    NTSTATUS status;
};

static void *
wait_for_it(void *argument)
{
    struct waiter *waiter = argument;
    LARGE_INTEGER limit = milliseconds(20000);

    waiter->status = NtWaitForSingleObject(waiter->handle, FALSE, &limit);
    return NULL;
}

TEST(a_handle_closed_while_it_is_waited_for) /* SIG-02 CLOSE-TX-01 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    struct waiter waiter = {party.tx, STATUS_UNSUCCESSFUL};
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, wait_for_it, &waiter));
    usleep(30000);
    close_handle(party.tx); /* the last one: rolled back, and so signalled */
    pthread_join(thread, NULL);
    EXPECT_OK(waiter.status);
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(party.tx));
}

TEST(an_rm_closed_while_its_notifications_are_waited_for) /* NOTIF-GET-15 CLOSE-RM-02 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm);
    struct call *first = call_notification(rm), *second = call_notification(rm);
    struct waiter waiter = {rm, STATUS_SUCCESS};
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, wait_for_it, &waiter));
    EXPECT(call_is_running(first) && call_is_running(second));
    close_handle(rm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, call_result(first));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, call_result(second));
    pthread_join(thread, NULL);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, waiter.status);
}

static void *
wait_for_any(void *argument)
{
    struct waiter *waiter = argument;
    HANDLE handles[] = {new_tx(NULL), waiter->handle};

    waiter->status = NtWaitForMultipleObjects(2, handles, WaitAny, FALSE, NULL);
    return NULL;
}

TEST(an_rm_closed_while_one_of_several_is_waited_for) /* OBJ-19 OBJ-21 CLOSE-RM-02 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm);
    struct waiter waiter = {rm, STATUS_SUCCESS};
    pthread_t thread;

    EXPECT_EQ(0, pthread_create(&thread, NULL, wait_for_any, &waiter));
    usleep(50000);
    close_handle(rm);
    pthread_join(thread, NULL);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, waiter.status);
}

TEST(a_tm_closed_while_its_notifications_are_waited_for) /* NOTIF-GET-15 CLOSE-TM-03 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm);
    struct call *call = call_notification(rm);

    EXPECT(call_is_running(call));
    close_handle(tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, call_result(call));
}

TEST(a_handle_closed_while_its_commit_waits) /* CLOSE-TX-02 TX-COMMIT-21 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    struct call *commit = call_commit(party.tx);

    EXPECT(call_is_running(commit));
    close_handle(party.tx);
    party_completion(&party);
    EXPECT_OK(call_result(commit));
}

#define CLOSERS 8

static HANDLE prey;
static _Atomic unsigned closed;
static pthread_barrier_t start;

static void *
close_it(void *argument)
{
    NTSTATUS status;

    (void)argument;
    pthread_barrier_wait(&start);
    status = NtClose(prey);
    EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE);
    closed += status == STATUS_SUCCESS;
    return NULL;
}

TEST(of_many_closers_one_succeeds) /* GEN-10 GEN-11 */
{
    pthread_barrier_init(&start, NULL, CLOSERS);
    for (int turn = 0; turn < 50; turn++) {
        pthread_t threads[CLOSERS];

        prey = new_tx(NULL);
        closed = 0;
        EACH (thread, threads)
            EXPECT_EQ(0, pthread_create(thread, NULL, close_it, NULL));
        EACH (thread, threads)
            pthread_join(*thread, NULL);
        EXPECT_EQ(1, closed);
    }
    pthread_barrier_destroy(&start);
}

/* ---- crowds ------------------------------------------------------------------------------------
 */

#define THREADS 8
#define HANDLES 64
#define TURNS   6000

static _Atomic(HANDLE) pool[HANDLES];

/* Random routines on random handles of a pool that all threads share. */
static void *
run_riot(void *argument)
{
    uint64_t seed = 0x9e3779b97f4a7c15u * ((uintptr_t)argument + 1);

    for (int turn = 0; turn < TURNS; turn++) {
        unsigned routine = (unsigned)(next_random(&seed) % (ROUTINES + 1));
        HANDLE a = pool[next_random(&seed) % HANDLES], b = pool[next_random(&seed) % HANDLES];
        HANDLE made = NULL;

        if (!a || !b)
            continue;
        (void)call_any(routine, a, b, &made);
        if (made) {
            HANDLE before = atomic_exchange(&pool[next_random(&seed) % HANDLES], made);

            if (before)
                (void)NtClose(before);
        }
        if (routine == ROUTINES - 1) { /* keep some of each kind alive */
            HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
            HANDLE fresh[] = {tm, rm, tx};

            EACH (handle, fresh) {
                HANDLE before = atomic_exchange(&pool[next_random(&seed) % HANDLES], *handle);

                if (before)
                    (void)NtClose(before);
            }
        }
    }
    return NULL;
}

TEST(threads_that_do_anything_with_one_anothers_handles) /* GEN-11 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    pthread_t threads[THREADS];

    for (int i = 0; i < HANDLES; i++) {
        HANDLE source = i % 3 == 0 ? tm : i % 3 == 1 ? rm : tx;

        pool[i] = duplicate(source, MAXIMUM_ALLOWED);
    }
    for (size_t i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, run_riot, (void *)i));
    EACH (thread, threads)
        pthread_join(*thread, NULL);
    EACH (handle, pool)
        if (*handle)
            (void)NtClose(*handle);
    EXPECT_OK(NtCommitTransaction(new_tx(tm), TRUE)); /* still works */
}

static HANDLE shared_tm, shared_rm[2];

/* Whole transactions, each in one thread, all in one TM. */
static void *
commit_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 300; i++) {
        HANDLE tx = new_tx(shared_tm);
        HANDLE en[2] = {new_en(shared_rm[0], tx, MASK_LATE, tx),
                        new_en(shared_rm[1], tx, MASK_LATE, tx)};

        if (i % 3 == 0) {
            EXPECT(NT_SUCCESS(NtRollbackTransaction(tx, FALSE)));
            EXPECT_OK(NtRollbackComplete(en[0], NULL));
            EXPECT_OK(NtRollbackComplete(en[1], NULL));
            EXPECT_OUTCOME(Aborted, tx);
        } else {
            EXPECT(NT_SUCCESS(NtCommitTransaction(tx, FALSE)));
            EXPECT_OK(NtCommitComplete(en[0], NULL));
            EXPECT_OK(NtCommitComplete(en[1], NULL));
            EXPECT_OUTCOME(Committed, tx);
            EXPECT(is_signalled(tx));
        }
        close_handle(en[0]);
        close_handle(en[1]);
        close_handle(tx);
    }
    return NULL;
}

TEST(threads_that_commit_in_one_tm) /* GEN-11 LIVE-01 CLOCK-02 */
{
    pthread_t threads[THREADS];
    KTMOBJECT_CURSOR cursor = {0};
    struct note note;
    unsigned notes = 0;
    ULONG length;

    shared_tm = new_volatile_tm();
    shared_rm[0] = new_volatile_rm(shared_tm);
    shared_rm[1] = new_volatile_rm(shared_tm);
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_create(thread, NULL, commit_many, NULL));
    EACH (thread, threads)
        pthread_join(*thread, NULL);
    EXPECT_EQ(1 + THREADS * 200, clock_of(shared_tm)); /* once for each commit */
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(shared_tm, KTMOBJECT_TRANSACTION, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(0, cursor.ObjectIdCount);
    while (note_next(shared_rm[0], &note))
        notes++;
    EXPECT_EQ(THREADS * 300, notes);
}

/* ---- names -------------------------------------------------------------------------------------
 */

static void *
fight_for_a_name(void *argument)
{
    uint64_t seed = 77 + (uintptr_t)argument;
    UNICODE_STRING names[] = {wide("\\one"), wide("\\two")};

    for (int i = 0; i < 3000; i++) {
        OBJECT_ATTRIBUTES oa =
            attributes(&names[next_random(&seed) % 2], next_random(&seed) % 2 ? OBJ_OPENIF : 0);
        HANDLE tx = NULL, copy;
        NTSTATUS status =
            NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &oa, NULL, NULL, 0, 0, 0, NULL, NULL);

        EXPECT(status == STATUS_SUCCESS || status == STATUS_OBJECT_NAME_EXISTS ||
               status == STATUS_OBJECT_NAME_COLLISION);
        if (!tx)
            continue;
        copy = duplicate(tx, MAXIMUM_ALLOWED);
        close_handle(tx);
        EXPECT(outcome_of(copy) != 0);
        close_handle(copy);
    }
    return NULL;
}

TEST(threads_that_share_names) /* OBJ-07 OBJ-08 GEN-11 */
{
    UNICODE_STRING one = wide("\\one");
    OBJECT_ATTRIBUTES oa = attributes(&one, 0);
    pthread_t threads[THREADS];
    HANDLE tx;

    for (size_t i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, fight_for_a_name, (void *)i));
    EACH (thread, threads)
        pthread_join(*thread, NULL);
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &oa, NULL, NULL, 0, 0, 0, NULL, NULL));
}
