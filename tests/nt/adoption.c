/* SPDX-License-Identifier: MIT */
/*
 * Starting again: each documented way to come back to a TM (by log, by identity, by name, created
 * or opened) with each way to come back to an RM (created always, or opened and created when it is
 * not there), with something left to finish.
 */
#include "tests/nt/kit.h"

static const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;

/* ---- ways to a TM ---- */

static HANDLE
tm_created(void)
{
    return attach_tm("tm");
}

static HANDLE
tm_opened_by_log(void)
{
    UNICODE_STRING log = log_name("tm");
    HANDLE tm;

    EXPECT_OK(NtOpenTransactionManager(&tm, all, NULL, &log, NULL, 0));
    return tm;
}

/* A second handle, found by what the first one tells; the first is closed. */
static HANDLE
tm_opened_by_identity(void)
{
    HANDLE first = tm_opened_by_log(), tm;
    GUID identity = guid_of_tm(first);

    EXPECT_OK(NtOpenTransactionManager(&tm, all, NULL, NULL, &identity, 0));
    close_handle(first);
    return tm;
}

static HANDLE
tm_opened_by_name(void)
{
    UNICODE_STRING log = log_name("tm"), name = wide("\\tm of the test");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE first, tm;

    EXPECT_OK(NtCreateTransactionManager(&first, all, &named, &log, 0, 0));
    EXPECT_OK(NtOpenTransactionManager(&tm, all, &named, NULL, NULL, 0));
    close_handle(first);
    return tm;
}

static HANDLE (*const ways_to_tm[])(void) = {tm_created, tm_opened_by_log, tm_opened_by_identity,
                                             tm_opened_by_name};

/* ---- ways to an RM ---- */

static HANDLE
rm_created(HANDLE tm, unsigned number)
{
    GUID guid = guid_number(number);
    HANDLE rm;

    EXPECT_OK(NtCreateResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL, 0, NULL));
    return rm;
}

static HANDLE
rm_opened_first(HANDLE tm, unsigned number)
{
    GUID guid = guid_number(number);
    HANDLE rm;
    NTSTATUS status = NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL);

    if (status == STATUS_RESOURCEMANAGER_NOT_FOUND)
        return rm_created(tm, number);
    EXPECT_OK(status);
    return rm;
}

static HANDLE (*const ways_to_rm[])(HANDLE tm, unsigned number) = {rm_created, rm_opened_first};

/* ---- what is left, and what becomes of it ---- */

static GUID *uow;

static void
leave_committed(void)
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx(tm);
    HANDLE en = new_en(rm, tx, MASK_TWO, key_number(1));

    *uow = guid_of_tx(tx);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
    EXPECT_OUTCOME(Committed, tx);
}

/* The RM hears of its transaction and finishes it. */
static void
expect_commit_again(HANDLE rm)
{
    struct note note;
    HANDLE en;

    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    note = EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_GUID(*uow, note.argument.UOW);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(2)));
    EXPECT_NOTE(rm, key_number(2), COMMIT);
    EXPECT_OK(NtCommitComplete(en, NULL));
    close_handle(en);
}

static void
expect_nothing_left(HANDLE tm, HANDLE rm)
{
    HANDLE tx;

    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, uow, tm));
}

/* RM-CREATE-05 RM-OPEN-03 RECOV-07 RECOV-20 RECOV-24 RECOV-28 TM-OPEN-01 TM-OPEN-08 NAME-01 OP-19
 * OP-20 */
TEST(every_way_of_starting_again_finishes_what_was_left)
{
    uow = shared_memory(sizeof(*uow));
    crash_after(leave_committed);
    EACH (to_tm, ways_to_tm)
        EACH (to_rm, ways_to_rm) {
            bool is_first = to_tm == ways_to_tm && to_rm == ways_to_rm;
            HANDLE tm = (*to_tm)(), rm;

            EXPECT_OK(NtRecoverTransactionManager(tm));
            EXPECT_OK(NtRecoverTransactionManager(tm)); /* every opener calls it [TM-OPEN-12] */
            rm = (*to_rm)(tm, 1);
            if (is_first)
                expect_commit_again(rm);
            else
                expect_nothing_left(tm, rm);
            close_handle(rm);
            close_handle(tm);
        }
}

/* The same when each way is the first one. */
static void
start_with(HANDLE (*to_tm)(void), HANDLE (*to_rm)(HANDLE tm, unsigned number))
{
    HANDLE tm, rm;

    uow = shared_memory(sizeof(*uow));
    crash_after(leave_committed);
    tm = to_tm();
    EXPECT_OK(NtRecoverTransactionManager(tm));
    rm = to_rm(tm, 1);
    expect_commit_again(rm);
    close_handle(rm);
    rm = to_rm(tm, 1);
    expect_nothing_left(tm, rm);
}

TEST(opened_by_log_and_created) /* TM-OPEN-08 OP-20 */
{
    start_with(tm_opened_by_log, rm_created);
}

TEST(opened_by_identity_and_opened) /* TM-OPEN-01 RM-OPEN-03 OP-20 */
{
    start_with(tm_opened_by_identity, rm_opened_first);
}

TEST(opened_by_name_and_opened) /* TM-OPEN-01 RM-OPEN-03 OP-20 */
{
    start_with(tm_opened_by_name, rm_opened_first);
}

TEST(created_and_opened) /* RM-OPEN-03 OP-20 */
{
    start_with(tm_created, rm_opened_first);
}

/* ---- while the TM stays ---- */

TEST(an_rm_that_comes_back_alone_is_adopted) /* RECOV-29 CLOSE-RM-04 CLOSE-EN-06 RM-CREATE-05 */
{
    EACH (to_rm, ways_to_rm) {
        HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx(tm);
        HANDLE en = new_en(rm, tx, MASK_TWO, key_number(1));
        GUID guid = guid_of_tx(tx);

        uow = &guid;
        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
        EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
        close_handle(en);
        close_handle(rm);
        EXPECT(is_signalled(tx)); /* PT-42: it is not waited for */
        rm = (*to_rm)(tm, 1);
        expect_commit_again(rm);
        close_handle(tx);
        close_handle(rm);
        close_handle(tm);
    }
}
