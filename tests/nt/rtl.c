/* SPDX-License-Identifier: MIT */
/* The run-time helpers. */
#include "tests/test.h"

#include <pthread.h>

#include "wdm.h"

static void *
other_thread(void *argument)
{
    (void)argument;
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == NULL); /* each thread has its own */
    EXPECT_EQ(TRUE, RtlSetCurrentTransaction((HANDLE)0x5000000));
    return NULL;
}

TEST(a_thread_remembers_its_transaction) /* RTL-01 RTL-02 RTL-03 */
{
    static const WCHAR file[] = KTM_WIDE("\\??\\C:\\file");
    pthread_t thread;

    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == NULL);
    EXPECT_EQ(TRUE, RtlSetCurrentTransaction((HANDLE)0x12345678)); /* no handle of anything */
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == (HANDLE)0x12345678);
    EXPECT(RtlGetCurrentTransaction(file, file) == (HANDLE)0x12345678);
    EXPECT_EQ(0, pthread_create(&thread, NULL, other_thread, NULL));
    pthread_join(thread, NULL);
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == (HANDLE)0x12345678);
    EXPECT_EQ(TRUE, RtlSetCurrentTransaction(INVALID_HANDLE_VALUE));
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == INVALID_HANDLE_VALUE);
    EXPECT_EQ(TRUE, RtlSetCurrentTransaction(NULL));
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == NULL);
}

TEST(counted_strings_of_terminated_ones)
{
    static WCHAR longest[40000];
    UNICODE_STRING string;

    RtlInitUnicodeString(&string, KTM_WIDE("abc"));
    EXPECT_EQ(6, string.Length);
    EXPECT_EQ(8, string.MaximumLength);
    RtlInitUnicodeString(&string, NULL);
    EXPECT(string.Length == 0 && string.MaximumLength == 0 && string.Buffer == NULL);
    for (size_t i = 0; i < ARRAY_SIZE(longest) - 1; i++)
        longest[i] = 'x';
    RtlInitUnicodeString(&string, longest);
    EXPECT_EQ(65532, string.Length);
    EXPECT_EQ(65534, string.MaximumLength);
}

TEST(guids_to_text_and_back)
{
    static const GUID guid = {0x01234567, 0x89ab, 0xcdef, {1, 2, 3, 4, 5, 6, 7, 0xf8}};
    UNICODE_STRING text;
    GUID back;

    EXPECT_OK(RtlStringFromGUID(&guid, &text));
    EXPECT_EQ(76, text.Length);
    EXPECT_BYTES(KTM_WIDE("{01234567-89ab-cdef-0102-0304050607f8}"), text.Buffer, 78);
    EXPECT_OK(RtlGUIDFromString(&text, &back));
    EXPECT_BYTES(&guid, &back, sizeof(guid));
    text.Buffer[37] = ')';
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, RtlGUIDFromString(&text, &back));
    text.Length -= 2;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, RtlGUIDFromString(&text, &back));
    RtlFreeUnicodeString(&text);
    EXPECT(text.Buffer == NULL && text.Length == 0);
}

TEST(uuids_are_random_and_version_4) /* OBJ-18 */
{
    UUID a, b;

    EXPECT_OK(ExUuidCreate(&a));
    EXPECT_OK(ExUuidCreate(&b));
    EXPECT(!IsEqualGUID(&a, &b));
    EXPECT_EQ(4, a.Data3 >> 12);
    EXPECT_EQ(2, a.Data4[0] >> 6);
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, ExUuidCreate(NULL));
}
