/* SPDX-License-Identifier: MIT */
/* Resource managers and their notifications by their Win32 names. */
#include "tests/win32/kit.h"

#include <pthread.h>
#include <unistd.h>

/* ---- create, open, recover ---- */

TEST(a_resource_manager_has_a_guid) /* W32-RM-01 W32-RM-02 */
{
    HANDLE tm = new_tm(), logged = new_logged_tm("tm");
    GUID guid = guid_number(1);

    EXPECT_NO_HANDLE(998, CreateResourceManager(NULL, NULL, 1, tm, NULL));
    EXPECT_NO_HANDLE(ERROR_TM_VOLATILE, CreateResourceManager(NULL, &guid, 0, tm, NULL));
    CREATED(CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, tm, letters(64)));
    EXPECT_NO_HANDLE(ERROR_ALREADY_EXISTS, CreateResourceManager(NULL, &guid, 1, tm, NULL));
    CREATED(CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, logged, NULL));
    guid = guid_number(2);
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER,
                     CreateResourceManager(NULL, &guid, 1, tm, letters(65)));
}

TEST(a_resource_manager_recovers_before_it_enlists) /* W32-RM-02 W32-RM-04 */
{
    HANDLE tm = new_logged_tm("tm"), rm, tx = new_tx();
    GUID guid = guid_number(1);

    rm = CREATED(CreateResourceManager(NULL, &guid, 0, tm, NULL));
    EXPECT_NO_HANDLE(ERROR_TRANSACTIONMANAGER_NOT_ONLINE,
                     CreateEnlistment(NULL, rm, tx, MASK_LATE, 0, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_DONE(RecoverResourceManager(rm)); /* pending, too */
    new_en(rm, tx, MASK_LATE, NULL);
}

TEST(a_resource_manager_is_opened_by_guid) /* W32-RM-03 */
{
    HANDLE tm = new_tm(), rm;
    GUID guid = guid_number(1), unknown = guid_number(2);

    CREATED(CreateResourceManager(NULL, &guid, RESOURCE_MANAGER_VOLATILE, tm, NULL));
    rm = OPENED(OpenResourceManager(RESOURCEMANAGER_ENLIST, tm, &guid));
    EXPECT_EQ(RESOURCEMANAGER_ENLIST, rights_of(rm).GrantedAccess);
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER,
                     OpenResourceManager(RESOURCEMANAGER_ENLIST, tm, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenResourceManager(0, tm, &guid));
    EXPECT_NO_HANDLE(ERROR_RESOURCEMANAGER_NOT_FOUND,
                     OpenResourceManager(RESOURCEMANAGER_ENLIST, tm, &unknown));
}

TEST(an_opened_resource_manager_recovers_again) /* W32-RM-03 W32-RM-04 */
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx(), en;
    GUID guid = guid_number(1);

    en = new_en(rm, tx, MASK_TWO, rm);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, rm, PREPARE);
    EXPECT_DONE(PrepareComplete(en, NULL));
    EXPECT_DONE(CloseHandle(en));
    EXPECT_DONE(CloseHandle(rm));
    rm = OPENED(OpenResourceManager(RESOURCEMANAGER_ALL_ACCESS, tm, &guid));
    EXPECT_QUIET(rm);
    EXPECT_DONE(RecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, TRANSACTION_NOTIFY_RECOVER);
    EXPECT_NOTE(rm, NULL, TRANSACTION_NOTIFY_LAST_RECOVER);
}

/* ---- notifications ---- */

static void *
commit_after_a_while(void *tx)
{
    usleep(50000);
    EXPECT(CommitTransactionAsync(tx));
    return NULL;
}

TEST(a_notification_is_waited_for) /* W32-RM-05 W32-RM-06 OP-40 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx();
    TRANSACTION_NOTIFICATION note;
    pthread_t thread;

    new_en(rm, tx, MASK_LATE, &note);
    EXPECT_ERROR(258, GetNotificationResourceManager(rm, &note, sizeof(note), 0, NULL));
    EXPECT_ERROR(258, GetNotificationResourceManager(rm, &note, sizeof(note), 20, NULL));
    EXPECT_EQ(0, pthread_create(&thread, NULL, commit_after_a_while, tx));
    EXPECT_DONE(GetNotificationResourceManager(rm, &note, sizeof(note), INFINITE, NULL));
    EXPECT_EQ(COMMIT, note.TransactionNotification);
    EXPECT(note.TransactionKey == &note);
    EXPECT_EQ(0, pthread_join(thread, NULL));
}

TEST(the_size_of_a_notification_is_told) /* W32-RM-07 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx();
    TRANSACTION_NOTIFICATION note;
    ULONG length = 0;

    new_en(rm, tx, MASK_LATE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_ERROR(122, GetNotificationResourceManager(rm, &note, 31, 0, &length));
    EXPECT_EQ(32, length);
    length = 0;
    EXPECT_DONE(GetNotificationResourceManager(rm, &note, sizeof(note), 0, &length));
    EXPECT_EQ(32, length);
    EXPECT_ERROR(ERROR_ACCESS_DENIED,
                 GetNotificationResourceManager(with_rights(rm, RESOURCEMANAGER_ENLIST), &note,
                                                sizeof(note), 0, NULL));
}

/* ---- propagation ---- */

TEST(propagation_is_passed_on) /* W32-PRIV-03 W32-PRIV-04 */
{
    HANDLE tm = new_tm(), plain = new_rm(tm), rm, other;
    GUID guid = guid_number(1), protocol = guid_number(7);
    BYTE buffer[4] = {0};

    rm = CREATED(CreateResourceManager(
        NULL, &guid, RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION, tm, NULL));
    guid = guid_number(2);
    other = CREATED(CreateResourceManager(
        NULL, &guid, RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION, tm, NULL));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER,
                 PrivRegisterProtocolAddressInformation(plain, &protocol, 4, buffer, 0));
    EXPECT_ERROR(ERROR_NOACCESS, PrivRegisterProtocolAddressInformation(rm, &protocol, 4, NULL, 0));
    EXPECT_ERROR(ERROR_INVALID_PARAMETER,
                 PrivRegisterProtocolAddressInformation(rm, &protocol, 4, buffer, 0x80));
    EXPECT_DONE(PrivRegisterProtocolAddressInformation(rm, &protocol, 4, buffer, 0));
    EXPECT_ERROR(ERROR_CRM_PROTOCOL_ALREADY_EXISTS,
                 PrivRegisterProtocolAddressInformation(other, &protocol, 4, buffer, 0));
    EXPECT_ERROR(ERROR_TRANSACTION_NOT_REQUESTED, PrivPropagationComplete(rm, 1, 4, buffer));
    EXPECT_ERROR(ERROR_NOACCESS, PrivPropagationComplete(rm, 1, 4, NULL));
    EXPECT_ERROR(ERROR_TRANSACTION_NOT_REQUESTED, PrivPropagationFailed(rm, 1));
    EXPECT_ERROR(ERROR_INVALID_HANDLE, PrivPropagationFailed(tm, 1));
}
