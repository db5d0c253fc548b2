/* SPDX-License-Identifier: MIT */
/* Transactions by their Win32 names. */
#include "tests/win32/kit.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* ---- create and open ---- */

TEST(a_new_transaction_is_undetermined) /* W32-TX-01 W32-TX-15 */
{
    DWORD outcome = 99, level = 99, flags = 99, timeout = 99;
    HANDLE tx = new_tx();
    WCHAR text[1] = {'x'};

    EXPECT_DONE(GetTransactionInformation(tx, &outcome, &level, &flags, &timeout, 1, text));
    EXPECT_EQ(TransactionOutcomeUndetermined, outcome);
    EXPECT_EQ(0, level);
    EXPECT_EQ(0, flags);
    EXPECT_EQ(INFINITE, timeout);
    EXPECT_EQ(0, text[0]);
    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, NULL, 0, NULL));
}

TEST(reserved_arguments_are_checked) /* W32-TX-01 W32-TX-02 */
{
    GUID guid = guid_number(1);

    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransaction(NULL, &guid, 0, 0, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransaction(NULL, NULL, 2, 0, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransaction(NULL, NULL, 0, 1, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransaction(NULL, NULL, 0, 0, 1, 0, NULL));
    CREATED(CreateTransaction(NULL, NULL, TRANSACTION_DO_NOT_PROMOTE, 0, 0, 0, NULL));
}

TEST(a_transaction_may_have_an_identifier_of_the_callers) /* W32-PRIV-01 */
{
    GUID guid = guid_number(1), zero = {0};
    HANDLE tx = CREATED(PrivCreateTransaction(NULL, &guid, 0, 0, 0, 25000, wide("mine")));
    WCHAR text[5];
    DWORD timeout;

    EXPECT(same_guid(guid, id_of(tx)));
    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, &timeout, 5, text));
    EXPECT_EQ(25000, timeout);
    EXPECT_BYTES(wide("mine"), text, sizeof(text));
    EXPECT_NO_HANDLE(ERROR_ALREADY_EXISTS, PrivCreateTransaction(NULL, &guid, 0, 0, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, PrivCreateTransaction(NULL, &zero, 0, 0, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, PrivCreateTransaction(NULL, NULL, 0, 0, 1, 0, NULL));
    CREATED(PrivCreateTransaction(NULL, NULL, 0, 0, 0, 0, NULL));
}

TEST(a_transaction_ends_when_its_time_is_over) /* W32-TX-03 W32-GEN-10 */
{
    HANDLE tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 20, NULL));

    EXPECT_EQ(-200000, native_timeout_of(tx));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(tx, 5000));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));
    EXPECT_ERROR(ERROR_TRANSACTION_ALREADY_ABORTED, CommitTransaction(tx));
}

TEST(time_spares_what_is_prepared) /* W32-TX-03 */
{
    HANDLE rm = new_rm(new_tm()), tx, en;

    tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 60, NULL));
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, PREPARE);
    EXPECT_DONE(PrepareComplete(en, NULL));
    Sleep(150);
    EXPECT_NOTE(rm, NULL, COMMIT);
    EXPECT_EQ(TransactionOutcomeCommitted, outcome_of(tx));
}

TEST(zero_and_infinite_are_no_time_out) /* W32-TX-03 W32-TX-16 */
{
    static const DWORD none[] = {0, INFINITE};
    DWORD timeout;

    EACH (given, none) {
        HANDLE tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, *given, NULL));

        EXPECT_EQ(0, native_timeout_of(tx));
        EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, &timeout, 0, NULL));
        EXPECT_EQ(INFINITE, timeout);
        EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(tx, 20));
    }
}

TEST(a_description_has_at_most_64_characters) /* W32-TX-04 */
{
    CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 0, letters(64)));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER,
                     CreateTransaction(NULL, NULL, 0, 0, 0, 0, letters(65)));
}

TEST(a_transaction_belongs_to_the_first_that_enlists) /* W32-TX-05 */
{
    HANDLE first = new_tm(), second = new_tm(), tx = new_tx();
    KTMOBJECT_CURSOR cursor = {0};
    ULONG length;

    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(first, KTMOBJECT_TRANSACTION, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(0, cursor.ObjectIdCount);
    new_en(new_rm(second), tx, MASK_LATE, NULL);
    memset(&cursor, 0, sizeof(cursor));
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES, /* but this one */
                  NtEnumerateTransactionObject(second, KTMOBJECT_TRANSACTION, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(1, cursor.ObjectIdCount);
}

TEST(closing_the_last_handle_rolls_back) /* W32-TX-06 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), other;

    new_en(rm, tx, MASK_TWO, rm);
    other = with_rights(tx, TRANSACTION_ALL_ACCESS);
    EXPECT_DONE(CloseHandle(tx));
    EXPECT_QUIET(rm);
    EXPECT_DONE(CloseHandle(other));
    EXPECT_NOTE(rm, rm, ROLLBACK);
}

TEST(a_transaction_is_opened_among_all_tms) /* W32-TX-07 */
{
    HANDLE bound = new_tx(), unbound = new_tx(), opened;
    GUID of_bound = id_of(bound), of_unbound = id_of(unbound), unknown = guid_number(9);

    new_en(new_rm(new_tm()), bound, MASK_LATE, NULL);
    opened = OPENED(OpenTransaction(TRANSACTION_QUERY_INFORMATION, &of_bound));
    EXPECT(same_guid(of_bound, id_of(opened)));
    EXPECT_EQ(TRANSACTION_QUERY_INFORMATION, rights_of(opened).GrantedAccess);
    opened = OPENED(OpenTransaction(TRANSACTION_QUERY_INFORMATION, &of_unbound));
    EXPECT(same_guid(of_unbound, id_of(opened)));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransaction(TRANSACTION_ALL_ACCESS, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransaction(0, &of_bound));
    EXPECT_NO_HANDLE(ERROR_TRANSACTION_NOT_FOUND,
                     OpenTransaction(TRANSACTION_ALL_ACCESS, &unknown));
}

/* ---- outcome ---- */

TEST(commit_waits_for_everybody) /* W32-TX-08 */
{
    HANDLE tx = new_tx();

    EXPECT_ERROR(ERROR_ACCESS_DENIED,
                 CommitTransaction(with_rights(tx, ~TRANSACTION_COMMIT & TRANSACTION_ALL_ACCESS)));
    EXPECT_DONE(CommitTransaction(with_rights(tx, TRANSACTION_COMMIT)));
    EXPECT_EQ(TransactionOutcomeCommitted, outcome_of(tx));
    EXPECT_ERROR(ERROR_TRANSACTION_ALREADY_COMMITTED, CommitTransaction(tx));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, CommitTransaction(NULL));
}

struct participant {
    HANDLE rm, en;
    BOOL votes;
    _Atomic bool is_done;
};

/* Answers what it is sent, the last time after a while. */
static void *
participate(void *context)
{
    struct participant *self = context;
    TRANSACTION_NOTIFICATION note;

    EXPECT(GetNotificationResourceManager(self->rm, &note, sizeof(note), INFINITE, NULL));
    EXPECT_EQ(PREPARE, note.TransactionNotification);
    EXPECT(self->votes ? PrepareComplete(self->en, NULL) : RollbackEnlistment(self->en, NULL));
    EXPECT(GetNotificationResourceManager(self->rm, &note, sizeof(note), INFINITE, NULL));
    usleep(50000);
    self->is_done = true;
    EXPECT(self->votes ? CommitComplete(self->en, NULL) : RollbackComplete(self->en, NULL));
    return NULL;
}

TEST(commit_returns_when_the_last_has_finished) /* W32-TX-08 W32-TX-09 */
{
    struct participant participant = {.rm = new_rm(new_tm()), .votes = TRUE};
    HANDLE tx = new_tx();
    pthread_t thread;

    participant.en = new_en(participant.rm, tx, MASK_TWO, NULL);
    EXPECT_EQ(0, pthread_create(&thread, NULL, participate, &participant));
    EXPECT_DONE(CommitTransaction(tx));
    EXPECT(participant.is_done);
    EXPECT_EQ(0, pthread_join(thread, NULL));

    tx = new_tx();
    participant.votes = FALSE;
    participant.en = new_en(participant.rm, tx, MASK_TWO, NULL);
    EXPECT_EQ(0, pthread_create(&thread, NULL, participate, &participant));
    EXPECT_ERROR(6704, CommitTransaction(tx));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));
}

TEST(commit_begins_without_waiting) /* W32-TX-10 W32-TX-13 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), en = new_en(rm, tx, MASK_LATE, NULL);

    SetLastError(UNTOUCHED);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_EQ(ERROR_IO_PENDING, GetLastError());
    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(tx, 0));
    EXPECT_NOTE(rm, NULL, COMMIT);
    EXPECT_DONE(CommitComplete(en, NULL));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(with_rights(tx, SYNCHRONIZE), 5000));
    EXPECT_EQ(TransactionOutcomeCommitted, outcome_of(tx));
    EXPECT_ERROR(ERROR_TRANSACTION_ALREADY_COMMITTED, CommitTransactionAsync(tx));
}

TEST(a_commit_that_is_complete_says_so) /* W32-TX-10 */
{
    SetLastError(UNTOUCHED);
    EXPECT(CommitTransactionAsync(new_tx()));
    EXPECT_EQ(ERROR_SUCCESS, GetLastError());
}

static void *
undo(void *context)
{
    struct participant *self = context;
    TRANSACTION_NOTIFICATION note;

    EXPECT(GetNotificationResourceManager(self->rm, &note, sizeof(note), INFINITE, NULL));
    EXPECT_EQ(ROLLBACK, note.TransactionNotification);
    usleep(50000);
    self->is_done = true;
    EXPECT(RollbackComplete(self->en, NULL));
    return NULL;
}

TEST(rollback_waits_for_everybody) /* W32-TX-11 */
{
    struct participant participant = {.rm = new_rm(new_tm())};
    HANDLE tx = new_tx();
    pthread_t thread;

    participant.en = new_en(participant.rm, tx, MASK_TWO, NULL);
    EXPECT_ERROR(ERROR_ACCESS_DENIED, RollbackTransaction(with_rights(tx, TRANSACTION_COMMIT)));
    EXPECT_EQ(0, pthread_create(&thread, NULL, undo, &participant));
    EXPECT_DONE(RollbackTransaction(tx));
    EXPECT(participant.is_done);
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));
    EXPECT_DONE(RollbackTransaction(tx)); /* again: no effect [W32-EN-12] */
    EXPECT_QUIET(participant.rm);
}

TEST(rollback_begins_without_waiting) /* W32-TX-12 W32-TX-13 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), en = new_en(rm, tx, MASK_TWO, NULL);

    SetLastError(UNTOUCHED);
    EXPECT(RollbackTransactionAsync(tx));
    EXPECT_EQ(ERROR_IO_PENDING, GetLastError());
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(tx, 0));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));
    EXPECT_NOTE(rm, NULL, ROLLBACK);
    EXPECT_DONE(RollbackComplete(en, NULL));

    SetLastError(UNTOUCHED);
    EXPECT(RollbackTransactionAsync(new_tx())); /* nobody to wait for */
    EXPECT_EQ(ERROR_SUCCESS, GetLastError());
    tx = new_tx();
    EXPECT_DONE(CommitTransaction(tx));
    EXPECT_ERROR(ERROR_TRANSACTION_ALREADY_COMMITTED, RollbackTransactionAsync(tx));
}

/* ---- query and set ---- */

TEST(the_identifier_needs_the_right_to_query) /* W32-TX-14 W32-TX-15 */
{
    HANDLE tx = new_tx(), blind = with_rights(tx, TRANSACTION_COMMIT);
    GUID id = {0}, zero = {0};
    DWORD outcome = 99;

    EXPECT_ERROR(ERROR_ACCESS_DENIED, GetTransactionId(blind, &id));
    EXPECT(same_guid(zero, id));
    EXPECT_ERROR(ERROR_ACCESS_DENIED,
                 GetTransactionInformation(blind, &outcome, NULL, NULL, NULL, 0, NULL));
    EXPECT_EQ(99, outcome);
    EXPECT_ERROR(ERROR_NOACCESS, GetTransactionId(tx, NULL));
    EXPECT_DONE(GetTransactionId(with_rights(tx, TRANSACTION_QUERY_INFORMATION), &id));
    EXPECT(same_guid(id_of(tx), id));
}

static DWORD
timeout_of(HANDLE tx)
{
    DWORD timeout;

    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, &timeout, 0, NULL));
    return timeout;
}

static void
set_native_timeout(HANDLE tx, LONGLONG timeout)
{
    TRANSACTION_PROPERTIES_INFORMATION properties = {.Timeout.QuadPart = timeout};

    EXPECT_OK(NtSetInformationTransaction(tx, TransactionPropertiesInformation, &properties,
                                          sizeof(properties)));
}

TEST(time_outs_are_told_in_milliseconds_rounded_up) /* W32-TX-16 */
{
    HANDLE tx = new_tx();

    set_native_timeout(tx, -600000000);
    EXPECT_EQ(60000, timeout_of(tx));
    set_native_timeout(tx, -600000001);
    EXPECT_EQ(60001, timeout_of(tx));
    set_native_timeout(tx, -10000ll * (INFINITE - 2));
    EXPECT_EQ(INFINITE - 2, timeout_of(tx));
    set_native_timeout(tx, -10000ll * INFINITE); /* this value means something else */
    EXPECT_EQ(INFINITE - 1, timeout_of(tx));
    set_native_timeout(tx, INT64_MIN);
    EXPECT_EQ(INFINITE - 1, timeout_of(tx));
    set_native_timeout(tx, 0);
    EXPECT_EQ(INFINITE, timeout_of(tx));
}

/* 100 ns since 1601. */
static LONGLONG
now(void)
{
    struct timespec time;

    EXPECT_EQ(0, clock_gettime(CLOCK_REALTIME, &time));
    return (time.tv_sec + 11644473600ll) * 10000000 + time.tv_nsec / 100;
}

TEST(of_an_absolute_time_out_the_rest_is_told) /* W32-TX-16 */
{
    HANDLE tx = new_tx();
    DWORD rest;

    set_native_timeout(tx, now() + 60ll * 10000000);
    rest = timeout_of(tx);
    EXPECT(rest > 30000 && rest <= 60001);
    set_native_timeout(tx, now() + 200000); /* 20 ms */
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(tx, 5000));
    EXPECT_EQ(0, timeout_of(tx));
}

TEST(a_description_is_copied_with_its_nul) /* W32-TX-17 W32-TX-18 */
{
    HANDLE tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 0, wide("pay")));
    DWORD outcome = 99;
    WCHAR text[5] = {'-', '-', '-', '-', '-'};

    EXPECT_ERROR(234, GetTransactionInformation(tx, &outcome, NULL, NULL, NULL, 3, text));
    EXPECT_ERROR(234, GetTransactionInformation(tx, NULL, NULL, NULL, NULL, 0, text));
    EXPECT_EQ('-', text[0]);
    EXPECT_EQ(99, outcome);
    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, NULL, 4, text));
    EXPECT_BYTES(wide("pay"), text, 8);
    EXPECT_EQ('-', text[4]);
}

TEST(the_longest_description_comes_back) /* W32-TX-04 W32-TX-17 */
{
    HANDLE tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 0, letters(64)));
    WCHAR text[65];

    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, NULL, 65, text));
    EXPECT_BYTES(letters(64), text, sizeof(text));
}

TEST(properties_are_set) /* W32-TX-19 */
{
    HANDLE tx = new_tx();
    DWORD flags;
    WCHAR text[65];

    EXPECT_DONE(SetTransactionInformation(tx, 0, 3, 60000, wide("new")));
    EXPECT_EQ(-600000000, native_timeout_of(tx));
    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, &flags, NULL, 65, text));
    EXPECT_EQ(3, flags);
    EXPECT_BYTES(wide("new"), text, 8);
    EXPECT_DONE(SetTransactionInformation(tx, 0, 0, INFINITE, letters(64)));
    EXPECT_EQ(0, native_timeout_of(tx));
    EXPECT_DONE(SetTransactionInformation(tx, 0, 0, 30, NULL));
    EXPECT_DONE(GetTransactionInformation(tx, NULL, NULL, NULL, NULL, 1, text));
    EXPECT_EQ(0, text[0]);
    EXPECT_DONE(SetTransactionInformation(tx, 0, 0, 0, NULL)); /* in time */
    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(tx, 100));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, SetTransactionInformation(tx, 1, 0, 0, NULL));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, SetTransactionInformation(tx, 0, 0, 0, letters(65)));
}

TEST(a_time_out_that_fired_is_not_set_again) /* W32-TX-19 */
{
    HANDLE tx = CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 1, NULL));

    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(tx, 5000));
    EXPECT_ERROR(ERROR_ROLLBACK_TIMER_EXPIRED, SetTransactionInformation(tx, 0, 0, 5, NULL));
}

TEST(setting_needs_its_right) /* W32-TX-20 */
{
    HANDLE tx = new_tx();

    EXPECT_ERROR(
        ERROR_ACCESS_DENIED,
        SetTransactionInformation(with_rights(tx, TRANSACTION_QUERY_INFORMATION), 0, 0, 0, NULL));
    EXPECT_DONE(SetTransactionInformation(with_rights(tx, TRANSACTION_SET_INFORMATION), 0, 0, 0,
                                          wide("set")));
}
