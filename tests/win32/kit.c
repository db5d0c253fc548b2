/* SPDX-License-Identifier: MIT */
/* The words of kit.h. */
#include "tests/win32/kit.h"

/* ---- objects ---- */

static WCHAR *
kept(size_t units)
{
    static WCHAR *all[100]; /* so that nothing looks lost */
    static _Atomic unsigned count;
    WCHAR *text = calloc(units + 1, sizeof(*text));

    EXPECT(text && count < ARRAY_SIZE(all));
    all[count++] = text;
    return text;
}

LPWSTR
wide(const char *ascii)
{
    WCHAR *text = kept(strlen(ascii));

    for (size_t i = 0; ascii[i]; i++)
        text[i] = (unsigned char)ascii[i];
    return text;
}

LPWSTR
log_name(const char *name)
{
    char path[1000];

    snprintf(path, sizeof(path), "%s/%s", test_directory(), name);
    return wide(path);
}

LPWSTR
letters(size_t count)
{
    WCHAR *text = kept(count);

    for (size_t i = 0; i < count; i++)
        text[i] = 'x';
    return text;
}

GUID
guid_number(unsigned number)
{
    return (GUID){0x7e570000 + number, 0x4b54, 0x4d4d, {0x80, 1, 2, 3, 4, 5, 6, (UCHAR)number}};
}

bool
same_guid(GUID a, GUID b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

HANDLE
new_tm(void)
{
    return CREATED(CreateTransactionManager(NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0));
}

HANDLE
new_logged_tm(const char *name)
{
    HANDLE tm = CREATED(CreateTransactionManager(NULL, log_name(name), 0, 0));

    EXPECT_DONE(RecoverTransactionManager(tm));
    return tm;
}

HANDLE
new_rm(HANDLE tm)
{
    GUID guid;

    EXPECT_EQ(S_OK, CoCreateGuid(&guid));
    return CREATED(CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, tm, NULL));
}

HANDLE
new_durable_rm(HANDLE tm, unsigned number)
{
    GUID guid = guid_number(number);
    HANDLE rm = CREATED(CreateResourceManager(NULL, &guid, 0, tm, NULL));

    EXPECT_DONE(RecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, TRANSACTION_NOTIFY_LAST_RECOVER);
    return rm;
}

HANDLE
new_tx(void)
{
    return CREATED(CreateTransaction(NULL, NULL, 0, 0, 0, 0, NULL));
}

HANDLE
new_en(HANDLE rm, HANDLE tx, ULONG mask, void *key)
{
    return CREATED(CreateEnlistment(NULL, rm, tx, mask, 0, key));
}

HANDLE
with_rights(HANDLE handle, ACCESS_MASK access)
{
    HANDLE copy;

    EXPECT_DONE(
        DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, access, FALSE, 0));
    return copy;
}

/* ---- what can be seen ---- */

DWORD
outcome_of(HANDLE tx)
{
    DWORD outcome;

    EXPECT_DONE(GetTransactionInformation(tx, &outcome, NULL, NULL, NULL, 0, NULL));
    return outcome;
}

GUID
id_of(HANDLE tx)
{
    GUID id;

    EXPECT_DONE(GetTransactionId(tx, &id));
    return id;
}

OBJECT_HANDLE_INFORMATION
rights_of(HANDLE handle)
{
    OBJECT_HANDLE_INFORMATION information;
    PVOID object;

    EXPECT_OK(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, &information));
    ObDereferenceObject(object);
    return information;
}

LONGLONG
native_timeout_of(HANDLE tx)
{
    union {
        TRANSACTION_PROPERTIES_INFORMATION fixed;
        BYTE room[200];
    } properties;

    EXPECT_OK(NtQueryInformationTransaction(tx, TransactionPropertiesInformation, &properties,
                                            sizeof(properties), NULL));
    return properties.fixed.Timeout.QuadPart;
}

void
note_expect(const char *file, int line, HANDLE rm, void *key, ULONG what)
{
    union {
        TRANSACTION_NOTIFICATION note;
        BYTE room[256];
    } buffer;
    bool has_come = GetNotificationResourceManager(rm, &buffer.note, sizeof(buffer), 0, NULL);

    if (has_come != (what != 0))
        test_fail(file, line, "%s", has_come ? "a notification" : "no notification");
    if (has_come && buffer.note.TransactionNotification != what)
        test_fail(file, line, "notification 0x%x, expected 0x%x",
                  buffer.note.TransactionNotification, what);
    if (has_come && buffer.note.TransactionKey != key)
        test_fail(file, line, "for key %p, expected %p", buffer.note.TransactionKey, key);
}
