/* SPDX-License-Identifier: MIT */
/* Transaction managers by their Win32 names. */
#include "tests/win32/kit.h"

static GUID
id_of_tm(HANDLE tm)
{
    GUID id;

    EXPECT_DONE(GetTransactionManagerId(tm, &id));
    return id;
}

static LONGLONG
clock_of(HANDLE tm)
{
    LARGE_INTEGER clock;

    EXPECT_DONE(GetCurrentClockTransactionManager(tm, &clock));
    return clock.QuadPart;
}

/* ---- create and open ---- */

TEST(a_tm_is_volatile_or_has_a_log) /* W32-TM-01 */
{
    LPWSTR name = log_name("tm");
    HANDLE tm;
    GUID guid = guid_number(1);

    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransactionManager(NULL, NULL, 0, 0));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER,
                     CreateTransactionManager(NULL, name, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateTransactionManager(NULL, name, 0, 1));
    CREATED(CreateTransactionManager(NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0));
    tm = CREATED(CreateTransactionManager(NULL, name, 0, 0));
    EXPECT_NO_HANDLE(ERROR_TRANSACTIONMANAGER_NOT_ONLINE, /* recover must follow */
                     CreateResourceManager(NULL, &guid, 0, tm, NULL));
    EXPECT_DONE(RecoverTransactionManager(tm));
    CREATED(CreateResourceManager(NULL, &guid, 0, tm, NULL));
}

TEST(creating_fails_as_the_native_routine_does) /* W32-TM-02 */
{
    char path[1000];
    FILE *file;

    new_logged_tm("used");
    EXPECT_NO_HANDLE(ERROR_ALREADY_EXISTS, CreateTransactionManager(NULL, log_name("used"), 0, 0));
    EXPECT_NO_HANDLE(ERROR_PATH_NOT_FOUND, CreateTransactionManager(NULL, log_name("no/tm"), 0, 0));
    EXPECT_NO_HANDLE(ERROR_INVALID_NAME, CreateTransactionManager(NULL, letters(0), 0, 0));
    snprintf(path, sizeof(path), "%s/odd.blf", test_directory());
    file = fopen(path, "w");
    EXPECT(file && fputs("this is no log", file) >= 0 && fclose(file) == 0);
    EXPECT_NO_HANDLE(ERROR_LOG_CORRUPTION_DETECTED,
                     CreateTransactionManager(NULL, log_name("odd"), 0, 0));
}

TEST(a_tm_is_opened_by_the_name_of_its_log) /* W32-TM-03 */
{
    const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;
    HANDLE tm = new_logged_tm("tm"), opened;
    GUID id = id_of_tm(tm), guid = guid_number(1);

    opened = OPENED(OpenTransactionManager(log_name("tm"), TRANSACTIONMANAGER_RECOVER, 0));
    EXPECT_EQ(TRANSACTIONMANAGER_RECOVER, rights_of(opened).GrantedAccess);
    EXPECT_DONE(CloseHandle(opened));
    EXPECT_DONE(CloseHandle(tm));
    tm = OPENED(OpenTransactionManager(log_name("tm"), all, 0));
    EXPECT(same_guid(id, id_of_tm(tm)));
    EXPECT_NO_HANDLE(ERROR_TRANSACTIONMANAGER_NOT_ONLINE, /* recover must follow */
                     CreateResourceManager(NULL, &guid, 0, tm, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransactionManager(NULL, all, 0));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransactionManager(log_name("tm"), all, 1));
    EXPECT_NO_HANDLE(ERROR_FILE_NOT_FOUND, OpenTransactionManager(log_name("none"), all, 0));
}

TEST(a_tm_is_opened_by_its_identity) /* W32-TM-04 */
{
    const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;
    HANDLE tm = new_tm();
    GUID id = id_of_tm(tm), unknown = guid_number(1);

    EXPECT(same_guid(id, id_of_tm(OPENED(OpenTransactionManagerById(&id, all, 0)))));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransactionManagerById(NULL, all, 0));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenTransactionManagerById(&id, all, 1));
    EXPECT_NO_HANDLE(ERROR_TRANSACTIONMANAGER_NOT_FOUND,
                     OpenTransactionManagerById(&unknown, all, 0));
}

/* ---- recover and rename ---- */

TEST(a_volatile_tm_has_nothing_to_recover) /* W32-TM-05 W32-TM-06 */
{
    LARGE_INTEGER clock = {.QuadPart = 1};
    HANDLE tm = new_tm();

    EXPECT_ERROR(6828, RecoverTransactionManager(tm));
    EXPECT_ERROR(6828, RollforwardTransactionManager(tm, &clock));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, RecoverTransactionManager(new_tx()));
}

TEST(rollforward_stops_at_a_clock) /* W32-TM-06 */
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx(), en;
    LARGE_INTEGER before = {.QuadPart = clock_of(tm)}, high = {.QuadPart = before.QuadPart + 1000};

    en = new_en(rm, tx, MASK_LATE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, COMMIT);
    EXPECT_DONE(CloseHandle(en));
    EXPECT_DONE(CloseHandle(rm));
    EXPECT_DONE(CloseHandle(tx));
    EXPECT_DONE(CloseHandle(tm));
    tm = OPENED(OpenTransactionManager(log_name("tm"), TRANSACTIONMANAGER_ALL_ACCESS, 0));
    EXPECT_DONE(RollforwardTransactionManager(tm, &before));
    EXPECT_ERROR(ERROR_TRANSACTIONMANAGER_NOT_ONLINE, PrivIsLogWritableTransactionManager(tm));
    EXPECT_DONE(RollforwardTransactionManager(tm, &high));
    EXPECT_DONE(PrivIsLogWritableTransactionManager(tm));
    EXPECT_EQ(high.QuadPart, clock_of(tm));
}

TEST(a_tm_gets_a_new_identity) /* W32-TM-07 W32-TM-09 */
{
    HANDLE tm = new_logged_tm("tm");
    GUID before = id_of_tm(tm), wrong = guid_number(3);

    EXPECT_ERROR(ERROR_ALREADY_EXISTS, RenameTransactionManager(log_name("tm"), &before));
    EXPECT_DONE(CloseHandle(tm));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, RenameTransactionManager(NULL, &before));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, RenameTransactionManager(log_name("tm"), NULL));
    EXPECT_ERROR(ERROR_TRANSACTIONMANAGER_IDENTITY_MISMATCH,
                 RenameTransactionManager(log_name("tm"), &wrong));
    EXPECT_ERROR(ERROR_FILE_NOT_FOUND, RenameTransactionManager(log_name("none"), &before));
    EXPECT_DONE(RenameTransactionManager(log_name("tm"), &before));
    tm = new_logged_tm("tm");
    EXPECT(!same_guid(before, id_of_tm(tm)));
}

/* ---- query ---- */

TEST(the_clock_and_the_identity_are_told) /* W32-TM-08 W32-TM-09 */
{
    HANDLE tm = new_tm(), tx = new_tx(), blind = with_rights(tm, TRANSACTIONMANAGER_RECOVER);
    LONGLONG before = clock_of(tm);
    LARGE_INTEGER clock = {.QuadPart = -5};
    GUID id = {0}, zero = {0};

    new_en(new_rm(tm), tx, MASK_LATE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_EQ(before + 1, clock_of(tm));
    EXPECT_DONE(
        GetTransactionManagerId(with_rights(tm, TRANSACTIONMANAGER_QUERY_INFORMATION), &id));
    EXPECT(!same_guid(zero, id));
    id = zero;
    EXPECT_ERROR(ERROR_ACCESS_DENIED, GetCurrentClockTransactionManager(blind, &clock));
    EXPECT_ERROR(ERROR_ACCESS_DENIED, GetTransactionManagerId(blind, &id));
    EXPECT_EQ(-5, clock.QuadPart);
    EXPECT(same_guid(zero, id));
    EXPECT_ERROR(ERROR_NOACCESS, GetCurrentClockTransactionManager(tm, NULL));
    EXPECT_ERROR(ERROR_NOACCESS, GetTransactionManagerId(tm, NULL));
}

TEST(whether_a_log_can_be_written_is_told) /* W32-PRIV-02 W32-PRIV-04 */
{
    HANDLE tm = CREATED(CreateTransactionManager(NULL, log_name("tm"), 0, 0));

    EXPECT_ERROR(ERROR_TRANSACTIONMANAGER_NOT_ONLINE, PrivIsLogWritableTransactionManager(tm));
    EXPECT_DONE(RecoverTransactionManager(tm));
    EXPECT_DONE(PrivIsLogWritableTransactionManager(tm));
    EXPECT_ERROR(ERROR_ACCESS_DENIED, PrivIsLogWritableTransactionManager(
                                          with_rights(tm, TRANSACTIONMANAGER_QUERY_INFORMATION)));
    EXPECT_ERROR(ERROR_TM_VOLATILE, PrivIsLogWritableTransactionManager(new_tm()));
}
