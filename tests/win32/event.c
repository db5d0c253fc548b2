/* SPDX-License-Identifier: MIT */
/* Events and overlapped results. */
#include "tests/win32/kit.h"

#include <pthread.h>
#include <unistd.h>

static HANDLE
new_event(BOOL manual, BOOL is_signalled)
{
    return CREATED(CreateEventW(NULL, manual, is_signalled, NULL));
}

TEST(an_event_resets_itself_or_not) /* W32-GEN-01 W32-GEN-05 */
{
    HANDLE manual = new_event(TRUE, TRUE), automatic = new_event(FALSE, TRUE);

    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(manual, 0));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(manual, 0));
    EXPECT_DONE(ResetEvent(manual));
    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(manual, 0));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(automatic, 0));
    EXPECT_EQ(WAIT_TIMEOUT, WaitForSingleObject(automatic, 0));
    EXPECT_DONE(SetEvent(automatic));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(automatic, 0));
    EXPECT_EQ(EVENT_ALL_ACCESS, rights_of(manual).GrantedAccess);
    EXPECT_ERROR(ERROR_INVALID_HANDLE, SetEvent(NULL));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, ResetEvent(new_tx()));
    EXPECT_ERROR(ERROR_ACCESS_DENIED, SetEvent(with_rights(manual, SYNCHRONIZE)));
}

TEST(a_named_event_is_one_for_all) /* W32-GEN-05 W32-GEN-06 */
{
    SECURITY_ATTRIBUTES attributes = {.bInheritHandle = TRUE};
    HANDLE first = CREATED(CreateEventW(&attributes, TRUE, FALSE, wide("ready"))), second;
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES named;

    RtlInitUnicodeString(&name, wide("\\deal"));
    InitializeObjectAttributes(&named, &name, 0, NULL, NULL);

    EXPECT_EQ(OBJ_INHERIT, rights_of(first).HandleAttributes);
    second = CreateEventW(NULL, FALSE, FALSE, wide("ready"));
    EXPECT_EQ(ERROR_ALREADY_EXISTS, GetLastError());
    EXPECT(second && second != first);
    EXPECT_DONE(SetEvent(second));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(first, 0));
    CREATED(CreateEventW(NULL, TRUE, FALSE, wide("reads"))); /* of the same length */
    EXPECT_OK(NtCreateTransaction(&first, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0, NULL,
                                  NULL));
    EXPECT(!CreateEventW(NULL, TRUE, FALSE, wide("deal")));
    EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
    EXPECT(!CreateEventW(NULL, TRUE, FALSE, letters(255)));
    EXPECT_EQ(ERROR_FILENAME_EXCED_RANGE, GetLastError());
    EXPECT(!CreateEventW(NULL, TRUE, FALSE, letters(32767)));
    EXPECT_EQ(ERROR_FILENAME_EXCED_RANGE, GetLastError());
    CREATED(CreateEventW(NULL, TRUE, FALSE, letters(254)));
    CREATED(CreateEventW(NULL, TRUE, FALSE, letters(0))); /* no name */
    CREATED(CreateEventW(NULL, TRUE, FALSE, letters(0)));
}

TEST(a_program_without_unicode_names_its_events_too) /* W32-GEN-03 W32-GEN-05 */
{
    HANDLE narrow = CREATED(CreateEvent(NULL, TRUE, FALSE, "fertig \xc3\xbc"));
    HANDLE wide_one;

    wide_one = CreateEventW(NULL, TRUE, FALSE, (LPCWSTR)u"fertig ü");
    EXPECT_EQ(ERROR_ALREADY_EXISTS, GetLastError());
    EXPECT_DONE(SetEvent(narrow));
    EXPECT_EQ(WAIT_OBJECT_0, WaitForSingleObject(wide_one, 0));
    CREATED(CreateEventA(NULL, FALSE, FALSE, NULL));
    CREATED(CreateEventA(NULL, FALSE, FALSE, ""));
    EXPECT(!CreateEventA(NULL, TRUE, FALSE, "\xff"));
    EXPECT_EQ(ERROR_INVALID_NAME, GetLastError());
}

TEST(the_result_of_an_overlapped_is_told) /* W32-RM-09 */
{
    OVERLAPPED overlapped = {.InternalHigh = 32};
    DWORD bytes = 0;

    EXPECT_DONE(GetOverlappedResult(NULL, &overlapped, &bytes, FALSE));
    EXPECT_EQ(32, bytes);
    overlapped.Internal = (ULONG_PTR)STATUS_PENDING;
    EXPECT_ERROR(996, GetOverlappedResult(NULL, &overlapped, &bytes, FALSE));
    overlapped.Internal = (DWORD)STATUS_BUFFER_TOO_SMALL;
    overlapped.InternalHigh = 64;
    EXPECT_ERROR(122, GetOverlappedResult(NULL, &overlapped, &bytes, TRUE));
    EXPECT_EQ(64, bytes);
    overlapped.Internal = (DWORD)STATUS_CANCELLED;
    EXPECT_ERROR(995, GetOverlappedResult(NULL, &overlapped, &bytes, TRUE));
    EXPECT_ERROR(ERROR_NOACCESS, GetOverlappedResult(NULL, NULL, &bytes, TRUE));
    EXPECT_ERROR(ERROR_NOACCESS, GetOverlappedResult(NULL, &overlapped, NULL, TRUE));
}
