/* SPDX-License-Identifier: MIT */
/* Transaction managers: creating, opening, their states [TM-CREATE, TM-OPEN, TM-STATE]. */
#include "tests/nt/kit.h"

static const ACCESS_MASK all = TRANSACTIONMANAGER_ALL_ACCESS;
static HANDLE const untouched = (HANDLE)0x1234;

static NTSTATUS
create(HANDLE *tm, const char *name, ULONG options)
{
    UNICODE_STRING path = log_name(name);

    return NtCreateTransactionManager(tm, all, NULL, &path, options, 0);
}

TEST(a_volatile_tm_has_no_log_and_is_online) /* TM-CREATE-01 TM-CREATE-09 TM-CREATE-10 */
{
    HANDLE tm = NULL;

    EXPECT_OK(NtCreateTransactionManager(&tm, all, NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT(tm != NULL && tm != INVALID_HANDLE_VALUE);
    EXPECT_EQ(1, clock_of(tm));
    new_volatile_rm(tm);
    new_tx(tm);
}

TEST(log_and_volatility_exclude_each_other) /* TM-CREATE-02 TM-CREATE-03 GEN-06 */
{
    UNICODE_STRING path = log_name("tm"), empty = {0};
    HANDLE tm = untouched;

    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        NtCreateTransactionManager(&tm, all, NULL, &path, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        NtCreateTransactionManager(&tm, all, NULL, &empty, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtCreateTransactionManager(&tm, all, NULL, NULL, 0, 0));
    EXPECT(tm == untouched);
}

TEST(only_defined_options_are_taken) /* TM-CREATE-04 TM-CREATE-05 TM-CREATE-06 */
{
    HANDLE tm = untouched;

    for (int bit = 6; bit < 32; bit++)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      NtCreateTransactionManager(&tm, all, NULL, NULL,
                                                 TRANSACTION_MANAGER_VOLATILE | 1u << bit, 0));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        NtCreateTransactionManager(&tm, all, NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 1));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        NtCreateTransactionManager(&tm, all, NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0x80000000));
    EXPECT(tm == untouched);
    for (ULONG internal = 0; internal <= 0x3e; internal += 2) {
        EXPECT_OK(NtCreateTransactionManager(&tm, all, NULL, NULL,
                                             TRANSACTION_MANAGER_VOLATILE | internal, 0));
        EXPECT_EQ(1, clock_of(tm));
        close_handle(tm);
    }
}

TEST(a_new_log_gets_fresh_identities) /* TM-CREATE-07 TM-CREATE-09 OBJ-17 OBJ-18 */
{
    TRANSACTIONMANAGER_LOG_INFORMATION log[2];
    GUID identity[2];
    HANDLE tm[2];

    for (int i = 0; i < 2; i++) {
        EXPECT_OK(create(&tm[i], i ? "two" : "one", 0));
        identity[i] = guid_of_tm(tm[i]);
        EXPECT_OK(NtQueryInformationTransactionManager(tm[i], TransactionManagerLogInformation,
                                                       &log[i], sizeof(log[i]), NULL));
        EXPECT_EQ(4, identity[i].Data3 >> 12);
        EXPECT_EQ(1, clock_of(tm[i]));
    }
    EXPECT(!IsEqualGUID(&identity[0], &identity[1]));
    EXPECT(!IsEqualGUID(&log[0].LogIdentity, &log[1].LogIdentity));
}

TEST(identities_live_in_the_log) /* TM-CREATE-08 NAME-05 CLOSE-TM-04 */
{
    TRANSACTIONMANAGER_LOG_INFORMATION log[2];
    GUID identity[2];

    for (int i = 0; i < 2; i++) {
        HANDLE tm = attach_tm("tm");

        identity[i] = guid_of_tm(tm);
        EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerLogInformation,
                                                       &log[i], sizeof(log[i]), NULL));
        close_handle(tm);
    }
    EXPECT_GUID(identity[0], identity[1]);
    EXPECT_GUID(log[0].LogIdentity, log[1].LogIdentity);
}

TEST(a_log_has_one_live_tm) /* TM-CREATE-11 */
{
    HANDLE tm = new_logged_tm("tm"), other = untouched;
    UNICODE_STRING native = wide("");
    char path[1000];

    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, create(&other, "tm", 0));
    snprintf(path, sizeof(path), "LOG:\\??\\%s/./tm",
             test_directory()); /* the same in other words */
    native = wide(path);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateTransactionManager(&other, all, NULL, &native, 0, 0));
    EXPECT(other == untouched);
    close_handle(tm);
    EXPECT_OK(create(&other, "tm", 0));
}

TEST(tms_have_object_names) /* TM-CREATE-12 TM-CREATE-13 */
{
    UNICODE_STRING name = wide("\\tm"), bad = wide("\\");
    OBJECT_ATTRIBUTES named = attributes(&name, 0), open_if = attributes(&name, OBJ_OPENIF);
    OBJECT_ATTRIBUTES invalid = attributes(&bad, 0);
    ULONG options = TRANSACTION_MANAGER_VOLATILE;
    HANDLE tm, other = untouched;

    EXPECT_OK(NtCreateTransactionManager(&tm, all, &named, NULL, options, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateTransactionManager(&other, all, &named, NULL, options, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtCreateTransactionManager(&other, all, &invalid, NULL, options, 0));
    EXPECT(other == untouched);
    EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS,
                  NtCreateTransactionManager(&other, all, &open_if, NULL, options, 0));
    EXPECT_GUID(guid_of_tm(tm), guid_of_tm(other));
}

TEST(a_name_in_use_leaves_no_log_behind) /* TM-CREATE-12 GEN-06 */
{
    UNICODE_STRING name = wide("\\tm"), path = log_name("second");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tm, other;

    EXPECT_OK(NtCreateTransactionManager(&tm, all, &named, NULL, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateTransactionManager(&other, all, &named, &path, 0, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND,
                  NtOpenTransactionManager(&other, all, NULL, &path, NULL, 0));
}

TEST(rights_that_a_tm_has_not_are_refused) /* TM-CREATE-14 OBJ-13 */
{
    HANDLE tm = untouched;

    EXPECT_STATUS(
        STATUS_ACCESS_DENIED,
        NtCreateTransactionManager(&tm, 0x40, NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0));
    EXPECT(tm == untouched);
}

TEST(what_is_no_log_is_not_attached) /* TM-CREATE-17 TM-OPEN-10 TM-RENAME-05 */
{
    char path[1000], text[4096];
    UNICODE_STRING name = log_name("junk");
    GUID guid = guid_number(1);
    HANDLE tm = untouched;
    FILE *file;

    snprintf(path, sizeof(path), "%s/junk.blf", test_directory());
    file = fopen(path, "w");
    EXPECT(file);
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(1, fwrite(text, sizeof(text), 1, file));
    fclose(file);
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, create(&tm, "junk", 0));
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED,
                  NtOpenTransactionManager(&tm, all, NULL, &name, NULL, 0));
    EXPECT_STATUS(STATUS_LOG_CORRUPTION_DETECTED, NtRenameTransactionManager(&name, &guid));
    EXPECT(tm == untouched);
}

TEST(a_missing_directory_is_said_to_be_missing) /* TM-CREATE-17 */
{
    HANDLE tm;

    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, create(&tm, "no/such/directory/tm", 0));
}

TEST(log_names_have_forms) /* TM-CREATE-18 */
{
    static const char *const forms[] = {"\\??\\C:%s/form", "LOG:%s/form", "log:\\??\\%s/form"};

    EACH (form, forms) {
        char path[1100];
        UNICODE_STRING name;
        HANDLE tm, same;

        snprintf(path, sizeof(path), *form, test_directory());
        for (char *c = path; *c; c++)
            if (*c == '/')
                *c = '\\';
        name = wide(path);
        EXPECT_OK(NtCreateTransactionManager(&tm, all, NULL, &name, 0, 0));
        name = log_name("form");
        EXPECT_OK(NtOpenTransactionManager(&same, all, NULL, &name, NULL, 0));
        EXPECT_GUID(guid_of_tm(tm), guid_of_tm(same));
        close_handle(tm);
        close_handle(same);
    }
}

TEST(an_empty_or_odd_log_name_is_invalid) /* TM-CREATE-20 */
{
    UNICODE_STRING empty = {0}, odd = log_name("odd");
    HANDLE tm = untouched;

    odd.Length--;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtCreateTransactionManager(&tm, all, NULL, &empty, 0, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtCreateTransactionManager(&tm, all, NULL, &odd, 0, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtOpenTransactionManager(&tm, all, NULL, &empty, NULL, 0));
    EXPECT(tm == untouched);
}

/* ---- not online -------------------------------------------------------------------------------
 */

static void
expect_not_online(HANDLE tm)
{
    GUID guid = guid_number(1);
    HANDLE out = untouched;

    EXPECT_STATUS(
        STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
        NtCreateResourceManager(&out, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL, 0, NULL));
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                  NtOpenResourceManager(&out, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
    EXPECT_STATUS(
        STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
        NtCreateTransaction(&out, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
                  NtOpenTransaction(&out, TRANSACTION_ALL_ACCESS, NULL, &guid, tm));
    EXPECT(out == untouched);
}

/* TM-CREATE-10 TM-CREATE-19 TM-STATE-01 RM-CREATE-12 RM-OPEN-05 TX-CREATE-07 TX-OPEN-10 */
TEST(a_durable_tm_is_not_online_before_recovery)
{
    HANDLE tm = attach_tm("tm");

    expect_not_online(tm);
    EXPECT_OK(NtRecoverTransactionManager(tm));
    new_durable_rm(tm, 1);
    new_tx(tm);
}

TEST(a_tm_that_is_not_online_can_be_asked_and_closed) /* TM-STATE-02 */
{
    static const KTMOBJECT_TYPE children[] = {KTMOBJECT_RESOURCE_MANAGER, KTMOBJECT_TRANSACTION};
    HANDLE tm = attach_tm("tm");

    EXPECT_EQ(1, clock_of(tm));
    EACH (type, children) {
        KTMOBJECT_CURSOR cursor = {0};
        ULONG length;

        EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                      NtEnumerateTransactionObject(tm, *type, &cursor, sizeof(cursor), &length));
        EXPECT_EQ(0, cursor.ObjectIdCount);
    }
    close_handle(tm);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

TEST(a_tm_is_found_by_name_log_or_identity) /* TM-OPEN-01 TM-OPEN-04 TM-OPEN-07 TM-QUERY-13 */
{
    UNICODE_STRING name = wide("\\tm"), path = log_name("tm");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tm, found[3];
    GUID guid;

    EXPECT_OK(NtCreateTransactionManager(&tm, all, &named, &path, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm));
    guid = guid_of_tm(tm);
    EXPECT_OK(NtOpenTransactionManager(&found[0], all, &named, NULL, NULL, 0));
    EXPECT_OK(NtOpenTransactionManager(&found[1], all, NULL, &path, NULL, 0));
    EXPECT_OK(NtOpenTransactionManager(&found[2], all, NULL, NULL, &guid, 0));
    new_durable_rm(tm, 1);
    EXPECT_OK(NtCommitTransaction(new_tx(tm), TRUE));
    EACH (handle, found) {
        KTMOBJECT_CURSOR cursor = {0};
        GUID same = guid_of_tm(*handle);
        ULONG length;

        EXPECT(*handle != tm);
        EXPECT_GUID(guid, same);
        EXPECT_EQ(2, clock_of(*handle));
        EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                      NtEnumerateTransactionObject(*handle, KTMOBJECT_RESOURCE_MANAGER, &cursor,
                                                   sizeof(cursor), &length));
        EXPECT_EQ(1, cursor.ObjectIdCount);
        close_handle(*handle);
    }
    EXPECT_GUID(guid, guid_of_tm(tm));
}

TEST(one_selector_and_no_options) /* TM-OPEN-02 TM-OPEN-03 */
{
    UNICODE_STRING name = wide("\\tm"), path = log_name("tm");
    OBJECT_ATTRIBUTES named = attributes(&name, 0), unnamed = attributes(NULL, OBJ_INHERIT);
    HANDLE tm, out = untouched;
    GUID guid;

    EXPECT_OK(NtCreateTransactionManager(&tm, all, &named, &path, 0, 0));
    guid = guid_of_tm(tm);
    for (int pick = 0; pick < 8; pick++) {
        OBJECT_ATTRIBUTES *object = pick & 1 ? &named : NULL;
        UNICODE_STRING *log = pick & 2 ? &path : NULL;
        GUID *identity = pick & 4 ? &guid : NULL;

        if (pick != 1 && pick != 2 && pick != 4)
            EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                          NtOpenTransactionManager(&out, all, object, log, identity, 0));
        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      NtOpenTransactionManager(&out, all, object, log, identity, 1));
    }
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtOpenTransactionManager(&out, all, &unnamed, NULL, NULL, 0));
    EXPECT(out == untouched);
    EXPECT_OK(NtOpenTransactionManager(&out, all, &unnamed, NULL, &guid, 0));
}

TEST(unknown_tms_are_not_found) /* TM-OPEN-05 TM-OPEN-06 TM-OPEN-09 */
{
    UNICODE_STRING name = wide("\\nobody"), path = log_name("none"), other = wide("\\tx");
    OBJECT_ATTRIBUTES named = attributes(&name, 0), tx_name = attributes(&other, 0);
    GUID guid = guid_number(1);
    HANDLE out = untouched, tx;

    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_FOUND,
                  NtOpenTransactionManager(&out, all, NULL, NULL, &guid, 0));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND,
                  NtOpenTransactionManager(&out, all, &named, NULL, NULL, 0));
    for (int i = 0; i < 2; i++) /* opening creates no log */
        EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND,
                      NtOpenTransactionManager(&out, all, NULL, &path, NULL, 0));
    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &tx_name, NULL, NULL, 0, 0, 0, NULL,
                                  NULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  NtOpenTransactionManager(&out, all, &tx_name, NULL, NULL, 0));
    EXPECT(out == untouched);
}

TEST(opening_a_log_without_a_tm_makes_one) /* TM-OPEN-08 TM-OPEN-12 TM-STATE-01 OP-19 */
{
    UNICODE_STRING path = log_name("tm");
    HANDLE tm = new_logged_tm("tm");
    GUID guid = guid_of_tm(tm);

    close_handle(tm);
    EXPECT_OK(NtOpenTransactionManager(&tm, all, NULL, &path, NULL, 0));
    EXPECT_GUID(guid, guid_of_tm(tm));
    expect_not_online(tm);
    EXPECT_OK(NtRecoverTransactionManager(tm));
    new_tx(tm);
}

TEST(opening_checks_rights_and_names) /* TM-OPEN-11 OBJ-15 */
{
    UNICODE_STRING bad = wide("\\");
    OBJECT_ATTRIBUTES invalid = attributes(&bad, 0);
    HANDLE tm = new_volatile_tm(), out = untouched;
    GUID guid = guid_of_tm(tm);

    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtOpenTransactionManager(&out, all, &invalid, NULL, NULL, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenTransactionManager(&out, 0x40, NULL, NULL, &guid, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenTransactionManager(&out, 0, NULL, NULL, &guid, 0));
    EXPECT(out == untouched);
}
