/* SPDX-License-Identifier: MIT */
/*
 * The NT surface: handles that are closed under calls, names, several waits at once, and any
 * routine on any handle by several threads.
 *
 * Handles and their numbers outlive an engine, so each run has a process of its own.
 */
#include "tests/explore/explore.h"

#include "engine/engine.h"
#include "tests/nt/kit.h"

static struct engine *engine;
static struct sys_sim *sim;
static HANDLE tm, rm[2], tx[2], en[2];

static void
begin_empty(void)
{
    struct sys *process;

    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    sys_sim_advance(sim, 1000000000);
    explore_machine(sim, process);
    EXPECT_OK(engine_create(process, &engine));
}

static void
begin(void)
{
    GUID guid = guid_number(1);

    begin_empty();
    tm = new_volatile_tm();
    rm[0] = new_rm(tm, &guid, RESOURCE_MANAGER_VOLATILE);
    guid = guid_number(2);
    rm[1] = new_rm(tm, &guid, RESOURCE_MANAGER_VOLATILE);
    for (int i = 0; i < 2; i++) {
        tx[i] = new_tx(tm);
        en[i] = new_en(rm[i], tx[i], MASK_LATE, key_number(1));
    }
}

/* Whatever the threads have left is closed; nothing else is left. */
static void
close_if_open(HANDLE handle)
{
    NTSTATUS status = NtClose(handle);

    EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE);
}

static void
counts(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static void
expect_nothing_left(void)
{
    unsigned tms = 0, txs = 0;

    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TM, counts, &tms));
    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TX, counts, &txs));
    EXPECT_EQ(0, tms);
    EXPECT_EQ(0, txs);
    engine_destroy(engine);
    sys_sim_destroy(sim);
}

static void
end(void)
{
    for (int i = 0; i < 2; i++) {
        close_if_open(en[i]);
        close_if_open(tx[i]);
        close_if_open(rm[i]);
    }
    close_if_open(tm);
    expect_nothing_left();
}

/* ---- closing under calls ---- */

static void
commits(void *argument)
{
    NTSTATUS status = NtCommitTransaction(tx[0], argument != NULL);

    EXPECT(status == STATUS_SUCCESS || status == STATUS_PENDING ||
           status == STATUS_INVALID_HANDLE || status == STATUS_TRANSACTION_ALREADY_ABORTED ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
closes(void *argument)
{
    close_if_open(*(HANDLE *)argument);
}

static void
answers(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++) {
        TRANSACTION_NOTIFICATION note;
        ULONG length;
        LARGE_INTEGER now = {.QuadPart = 0};
        NTSTATUS status =
            NtGetNotificationResourceManager(rm[0], &note, sizeof(note), &now, &length, 0, 0);

        if (status == STATUS_SUCCESS && note.TransactionNotification == COMMIT)
            (void)NtCommitComplete(en[0], NULL);
        if (status == STATUS_SUCCESS && note.TransactionNotification == ROLLBACK)
            (void)NtRollbackComplete(en[0], NULL);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_TIMEOUT ||
               status == STATUS_INVALID_HANDLE || status == STATUS_TRANSACTION_OBJECT_EXPIRED);
        explore_pause("looks again");
    }
}

TEST(handles_closed_under_calls) /* GEN-10 GEN-11 CLOSE-TX-02 CLOSE-RM-03 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{commits, NULL}, {answers, NULL}, {closes, &tx[0]}, {closes, &rm[0]}},
        .end = end,
        .is_forked = true};

    explore(&program);
}

TEST(one_handle_closed_by_two_and_used_by_two) /* GEN-04 GEN-10 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{commits, NULL}, {closes, &tx[0]}, {closes, &tx[0]}, {closes, &tm}},
        .end = end,
        .is_forked = true};

    explore(&program);
}

/* ---- waits ---- */

static void
waits_for_any(void *argument)
{
    HANDLE handles[] = {tx[0], rm[0], tx[1]};
    NTSTATUS status =
        NtWaitForMultipleObjects(3, handles, argument ? WaitAny : WaitAll, FALSE, NULL);

    EXPECT((status >= 0 && status < 3) || status == STATUS_INVALID_HANDLE ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
rolls_back(void *argument)
{
    NTSTATUS status = NtRollbackTransaction(*(HANDLE *)argument, FALSE);

    EXPECT(NT_SUCCESS(status) || status == STATUS_INVALID_HANDLE ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

TEST(many_waits_and_their_ends) /* OBJ-19 OBJ-21 SIG-01 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{waits_for_any, &tm},
                                                               {waits_for_any, NULL},
                                                               {rolls_back, &tx[0]},
                                                               {rolls_back, &tx[1]}},
                                                   .end = end,
                                                   .is_forked = true};

    explore(&program);
}

TEST(many_waits_and_a_close_of_what_is_waited_for) /* CLOSE-TX-01 CLOSE-RM-02 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{waits_for_any, &tm},
                                                               {waits_for_any, NULL},
                                                               {closes, &tx[0]},
                                                               {closes, &rm[0]},
                                                               {rolls_back, &tx[1]}},
                                                   .end = end,
                                                   .is_forked = true};

    explore(&program);
}

/* A durable resource manager with something left to do is the same object when it is opened
 * again. */
static void
begin_adopted(void)
{
    UNICODE_STRING path = wide("/tm");
    TRANSACTION_NOTIFICATION note[3];
    LARGE_INTEGER now = {.QuadPart = 0};
    ULONG length;

    begin_empty();
    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    for (unsigned i = 0; i < 2; i++) {
        rm[i] = new_durable_rm(tm, i);
        tx[i] = new_tx(tm);
        en[i] = new_en(rm[i], tx[i], MASK_LATE, key_number(1));
    }
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx[0], FALSE));
    EXPECT_OK(NtGetNotificationResourceManager(rm[0], note, sizeof(note), &now, &length, 0, 0));
    EXPECT_EQ(COMMIT, note->TransactionNotification);
}

static HANDLE again;

static void
closes_and_opens_rm(void *argument)
{
    GUID guid = guid_number(0);
    NTSTATUS status;

    (void)argument;
    again = NULL;
    close_if_open(rm[0]);
    status = NtOpenResourceManager(&again, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL);
    EXPECT(status == STATUS_SUCCESS || status == STATUS_RESOURCEMANAGER_NOT_FOUND);
}

static void
waits_for_rm(void *argument)
{
    NTSTATUS status = NtWaitForSingleObject(rm[0], FALSE, NULL);

    (void)argument;
    EXPECT(status == STATUS_INVALID_HANDLE || status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
fetches(void *argument)
{
    TRANSACTION_NOTIFICATION note[3];
    ULONG length;
    NTSTATUS status =
        NtGetNotificationResourceManager(rm[0], note, sizeof(note), NULL, &length, 0, 0);

    (void)argument;
    EXPECT(status == STATUS_INVALID_HANDLE || status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
waits_for_one_of(void *argument)
{
    HANDLE handles[] = {tx[1], rm[0]};
    NTSTATUS status = NtWaitForMultipleObjects(2, handles, WaitAny, FALSE, NULL);

    (void)argument;
    EXPECT(status == STATUS_INVALID_HANDLE || status == STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
end_adopted(void)
{
    if (again)
        close_handle(again);
    end();
}

TEST(who_has_a_handle_does_not_wait_for_the_successor) /* NOTIF-GET-15 CLOSE-RM-02 CLOSE-RM-03 */
{
    static const struct explore_program program = {.begin = begin_adopted,
                                                   .threads = {{waits_for_rm, NULL},
                                                               {fetches, NULL},
                                                               {waits_for_one_of, NULL},
                                                               {closes_and_opens_rm, NULL}},
                                                   .end = end_adopted,
                                                   .is_forked = true};

    explore(&program);
}

/* ---- names ---- */

static void
opens_by_name(void *argument)
{
    UNICODE_STRING name = wide("\\one");
    OBJECT_ATTRIBUTES oa = attributes(&name, argument ? OBJ_OPENIF : 0);

    for (int i = 0; i < 2; i++) {
        HANDLE made = NULL;
        NTSTATUS status =
            NtCreateTransaction(&made, TRANSACTION_ALL_ACCESS, &oa, NULL, tm, 0, 0, 0, NULL, NULL);

        EXPECT(status == STATUS_SUCCESS || status == STATUS_OBJECT_NAME_EXISTS ||
               status == STATUS_OBJECT_NAME_COLLISION || status == STATUS_INVALID_HANDLE);
        explore_point("has it");
        if (made)
            close_handle(made);
    }
}

TEST(a_name_that_many_want) /* OBJ-07 OBJ-08 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{opens_by_name, NULL}, {opens_by_name, &tm}, {opens_by_name, &tm}},
        .end = end,
        .is_forked = true};

    explore(&program);
}
