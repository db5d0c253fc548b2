/* SPDX-License-Identifier: MIT */
/* What holds for all Win32 functions: results, the last error, attributes, rights, texts. */
#include "win32/win32.h"

#include "tests/win32/kit.h"

#include <pthread.h>

/* ---- the last error ---- */

static void *
other_thread(void *context)
{
    (void)context;
    EXPECT_EQ(0, GetLastError());
    SetLastError(ERROR_GEN_FAILURE);
    return NULL;
}

TEST(the_last_error_is_one_per_thread) /* W32-GEN-03 */
{
    pthread_t thread;

    SetLastError(ERROR_DISK_FULL);
    EXPECT_EQ(0, pthread_create(&thread, NULL, other_thread, NULL));
    EXPECT_EQ(0, pthread_join(thread, NULL));
    EXPECT_EQ(ERROR_DISK_FULL, GetLastError());
}

TEST(success_classes_are_true_and_leave_the_last_error_alone) /* W32-GEN-01 W32-GEN-04 */
{
    static const NTSTATUS successes[] = {STATUS_SUCCESS, STATUS_PENDING, STATUS_OBJECT_NAME_EXISTS,
                                         STATUS_TIMEOUT, STATUS_RESOURCEMANAGER_READ_ONLY};

    EACH (status, successes)
        EXPECT_DONE(win32_bool(*status));
}

TEST(failures_become_the_error_of_the_status) /* W32-GEN-01 W32-GEN-02 W32-GEN-03 */
{
    static const struct {
        NTSTATUS status;
        DWORD error;
    } pairs[] = {
        {STATUS_INVALID_PARAMETER, ERROR_INVALID_PARAMETER},
        {STATUS_BUFFER_OVERFLOW, ERROR_MORE_DATA}, /* a warning is no success */
        {STATUS_NO_MORE_ENTRIES, ERROR_NO_MORE_ITEMS},
        {STATUS_TRANSACTION_NOT_FOUND, ERROR_TRANSACTION_NOT_FOUND},
        {STATUS_LOG_FULL, ERROR_LOG_FULL},
        {(NTSTATUS)0xC0ABCDEF, ERROR_MR_MID_NOT_FOUND},
    };

    EACH (pair, pairs) {
        EXPECT_ERROR(pair->error, win32_bool(pair->status));
        EXPECT_NO_HANDLE(pair->error, win32_opened(pair->status, NULL));
        EXPECT_NO_HANDLE(pair->error, win32_created(pair->status, NULL));
    }
}

TEST(create_functions_say_whether_they_opened_what_exists) /* W32-GEN-05 */
{
    HANDLE some = (HANDLE)(uintptr_t)64;

    EXPECT(CREATED(win32_created(STATUS_SUCCESS, some)) == some);
    EXPECT(OPENED(win32_opened(STATUS_OBJECT_NAME_EXISTS, some)) == some);
    EXPECT(win32_created(STATUS_OBJECT_NAME_EXISTS, some) == some);
    EXPECT_EQ(ERROR_ALREADY_EXISTS, GetLastError());
}

/* ---- handles ---- */

TEST(handles_are_closed_once) /* W32-GEN-09 */
{
    HANDLE handles[] = {new_tm(), new_tx()};

    EACH (handle, handles) {
        EXPECT_DONE(CloseHandle(*handle));
        EXPECT_ERROR(ERROR_INVALID_HANDLE, CloseHandle(*handle));
    }
    EXPECT_ERROR(ERROR_INVALID_HANDLE, CloseHandle(NULL));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, CloseHandle(INVALID_HANDLE_VALUE));
}

TEST(a_duplicate_has_the_rights_asked_for) /* W32-GEN-07 */
{
    HANDLE tx = new_tx(), self = GetCurrentProcess(), copy;

    copy = with_rights(tx, TRANSACTION_QUERY_INFORMATION);
    EXPECT(same_guid(id_of(tx), id_of(copy)));
    EXPECT_ERROR(ERROR_ACCESS_DENIED, CommitTransaction(copy));
    EXPECT_ERROR(ERROR_ACCESS_DENIED,
                 DuplicateHandle(self, copy, self, &copy, TRANSACTION_COMMIT, FALSE, 0));
    EXPECT_EQ(0, rights_of(copy).HandleAttributes & OBJ_INHERIT);
    EXPECT_DONE(DuplicateHandle(self, tx, self, &copy, 0, TRUE,
                                DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, CloseHandle(tx));
    EXPECT_EQ(TRANSACTION_ALL_ACCESS, rights_of(copy).GrantedAccess);
    EXPECT_EQ(OBJ_INHERIT, rights_of(copy).HandleAttributes);
    EXPECT_ERROR(ERROR_INVALID_HANDLE, DuplicateHandle(NULL, copy, self, &tx, 0, FALSE, 0));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER, DuplicateHandle(self, copy, self, &tx, 0, FALSE, 0x80));
}

TEST(created_handles_have_all_rights) /* W32-GEN-08 */
{
    HANDLE tm = new_tm(), rm = new_rm(tm), tx = new_tx(), en = new_en(rm, tx, MASK_LATE, NULL);

    EXPECT_EQ(0x000F003F, rights_of(tm).GrantedAccess);
    EXPECT_EQ(0x001F007F, rights_of(rm).GrantedAccess);
    EXPECT_EQ(0x001F003F, rights_of(tx).GrantedAccess);
    EXPECT_EQ(0x000F001F, rights_of(en).GrantedAccess);
}

TEST(handles_are_inherited_when_the_attributes_say_so) /* W32-GEN-06 */
{
    SECURITY_ATTRIBUTES attributes = {.nLength = 12345, .bInheritHandle = 7};
    GUID guid = guid_number(1);
    HANDLE handles[4];

    for (int inherits = 0; inherits < 2; inherits++) {
        LPSECURITY_ATTRIBUTES given = inherits ? &attributes : NULL;

        handles[0] = CREATED(CreateTransactionManager(given, NULL, 1, 0));
        handles[1] = CREATED(CreateResourceManager(given, &guid, 1, handles[0], NULL));
        handles[2] = CREATED(CreateTransaction(given, NULL, 0, 0, 0, 0, NULL));
        handles[3] = CREATED(CreateEnlistment(given, handles[1], handles[2], MASK_LATE, 0, NULL));
        EACH (handle, handles)
            EXPECT_EQ(inherits ? OBJ_INHERIT : 0, rights_of(*handle).HandleAttributes);
    }
    attributes.bInheritHandle = FALSE;
    handles[2] = CREATED(CreateTransaction(&attributes, NULL, 0, 0, 0, 0, NULL));
    EXPECT_EQ(0, rights_of(handles[2]).HandleAttributes);
}

TEST(attributes_carry_the_descriptor_and_no_name) /* W32-GEN-06 W32-GEN-07 */
{
    SECURITY_ATTRIBUTES security = {.lpSecurityDescriptor = &security};
    OBJECT_ATTRIBUTES attributes = win32_attributes(&security);

    EXPECT(attributes.SecurityDescriptor == &security);
    EXPECT(!attributes.ObjectName && !attributes.RootDirectory);
    EXPECT_EQ(sizeof(attributes), attributes.Length);
    attributes = win32_attributes(NULL);
    EXPECT(!attributes.SecurityDescriptor && !attributes.ObjectName);
    EXPECT_EQ(0, attributes.Attributes);
}

TEST(objects_are_shared_by_identifier) /* W32-GEN-07 */
{
    HANDLE tm = new_tm(), rm, tx = new_tx(), en;
    GUID guid = guid_number(5), id = id_of(tx);
    HANDLE other;

    rm = CREATED(CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, tm, NULL));
    en = new_en(rm, tx, MASK_LATE, NULL);
    other = OPENED(OpenTransaction(TRANSACTION_ALL_ACCESS, &id));
    EXPECT(other != tx && same_guid(id, id_of(other)));
    other = OPENED(OpenResourceManager(RESOURCEMANAGER_ALL_ACCESS, tm, &guid));
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(other, NULL, COMMIT);
    EXPECT_DONE(GetEnlistmentId(en, &id));
    other = OPENED(OpenEnlistment(ENLISTMENT_ALL_ACCESS, rm, &id));
    EXPECT_DONE(CommitComplete(other, NULL));
    EXPECT_EQ(TransactionOutcomeCommitted, outcome_of(tx));
    EXPECT_DONE(GetTransactionManagerId(tm, &id));
    EXPECT(OPENED(OpenTransactionManagerById(&id, TRANSACTIONMANAGER_ALL_ACCESS, 0)) != tm);
}

/* ---- texts and times ---- */

TEST(texts_have_a_greatest_length) /* W32-GEN-12 */
{
    UNICODE_STRING room;
    PUNICODE_STRING text;

    EXPECT_OK(win32_text(letters(32766), &room, &text));
    EXPECT(text == &room);
    EXPECT_EQ(65532, text->Length);
    EXPECT_EQ(65534, text->MaximumLength);
    EXPECT_STATUS(STATUS_NAME_TOO_LONG, win32_text(letters(32767), &room, &text));
    EXPECT_OK(win32_text(NULL, &room, &text));
    EXPECT(!text);
    EXPECT_OK(win32_text(letters(0), &room, &text));
    EXPECT_EQ(0, text->Length);
}

TEST(longer_texts_are_refused_everywhere) /* W32-GEN-12 */
{
    LPWSTR text = letters(32767);
    HANDLE tm = new_tm(), tx = new_tx();
    GUID guid = guid_number(1);

    EXPECT_NO_HANDLE(ERROR_FILENAME_EXCED_RANGE, CreateTransaction(NULL, NULL, 0, 0, 0, 0, text));
    EXPECT_NO_HANDLE(ERROR_FILENAME_EXCED_RANGE, CreateTransactionManager(NULL, text, 0, 0));
    EXPECT_NO_HANDLE(ERROR_FILENAME_EXCED_RANGE, OpenTransactionManager(text, 1, 0));
    EXPECT_NO_HANDLE(ERROR_FILENAME_EXCED_RANGE,
                     CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, tm, text));
    EXPECT_ERROR(ERROR_FILENAME_EXCED_RANGE, RenameTransactionManager(text, &guid));
    EXPECT_ERROR(ERROR_FILENAME_EXCED_RANGE, SetTransactionInformation(tx, 0, 0, 0, text));
}

TEST(milliseconds_become_relative_times) /* W32-GEN-10 W32-RM-05 */
{
    LARGE_INTEGER room;

    EXPECT_EQ(0, win32_relative(0).QuadPart);
    EXPECT_EQ(-10000, win32_relative(1).QuadPart);
    EXPECT_EQ(-42949672940000ll, win32_relative(0xFFFFFFFE).QuadPart);
    EXPECT(!win32_patience(INFINITE, &room));
    EXPECT(win32_patience(7, &room) == &room);
    EXPECT_EQ(-70000, room.QuadPart);
}

TEST(log_names_have_many_forms) /* W32-GEN-11 */
{
    static const char *const prefixes[] = {"C:", "\\??\\C:", "LOG:", "LOG:C:", "\\??\\LOG:C:"};
    HANDLE tm = new_logged_tm("forms"), other;
    GUID id, other_id;
    char path[1100];

    EXPECT_DONE(GetTransactionManagerId(tm, &id));
    EACH (prefix, prefixes) {
        snprintf(path, sizeof(path), "%s%s/forms", *prefix, test_directory());
        for (char *c = path; *c; c++)
            if (*c == '/' && **prefix != 'L')
                *c = '\\';
        other = OPENED(OpenTransactionManager(wide(path), TRANSACTIONMANAGER_ALL_ACCESS, 0));
        EXPECT_DONE(GetTransactionManagerId(other, &other_id));
        EXPECT(same_guid(id, other_id));
        EXPECT_DONE(CloseHandle(other));
    }
    snprintf(path, sizeof(path), "%s/forms.blf", test_directory());
    EXPECT_NO_HANDLE(ERROR_FILE_NOT_FOUND, /* no extension */
                     OpenTransactionManager(wide(path), TRANSACTIONMANAGER_ALL_ACCESS, 0));
    EXPECT_NO_HANDLE(ERROR_BAD_PATHNAME, CreateTransactionManager(NULL, wide("forms"), 0, 0));
}
