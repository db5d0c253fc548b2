/* SPDX-License-Identifier: MIT */
/* Listing objects [ENUM-01..11]. */
#include "tests/nt/kit.h"

#define FIXED 20

static union {
    KTMOBJECT_CURSOR cursor;
    GUID room[300];
} list;

/* A whole pass with room for 'room' GUIDs a call; the GUIDs in the order told. */
static unsigned
pass(HANDLE root, KTMOBJECT_TYPE type, unsigned room, GUID *into)
{
    unsigned count = 0;
    NTSTATUS status;
    ULONG length;

    memset(&list, 0, sizeof(list));
    do {
        status = NtEnumerateTransactionObject(root, type, &list.cursor, FIXED + 16 * room, &length);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_NO_MORE_ENTRIES);
        EXPECT_EQ(FIXED + 16 * list.cursor.ObjectIdCount, length);
        EXPECT(list.cursor.ObjectIdCount <= room);
        if (status == STATUS_SUCCESS)
            EXPECT_EQ(room, list.cursor.ObjectIdCount);
        memcpy(into + count, list.cursor.ObjectIds, 16 * list.cursor.ObjectIdCount);
        count += list.cursor.ObjectIdCount;
        if (list.cursor.ObjectIdCount)
            EXPECT_GUID(into[count - 1], list.cursor.LastQuery);
    } while (status == STATUS_SUCCESS);
    return count;
}

TEST(every_object_is_told_once_in_order) /* ENUM-01 ENUM-02 ENUM-03 ENUM-05 */
{
    static const unsigned rooms[] = {1, 2, 3, 7, 49, 50, 51, 200};
    HANDLE tm = new_volatile_tm(), rm;
    GUID made[50], told[60];

    EACH (guid, made) {
        EXPECT_OK(ExUuidCreate(guid));
        rm = new_rm(tm, guid, RESOURCE_MANAGER_VOLATILE);
        EXPECT(rm != NULL);
    }
    EACH (room, rooms) {
        EXPECT_EQ(50, pass(tm, KTMOBJECT_RESOURCE_MANAGER, *room, told));
        for (int i = 1; i < 50; i++)
            EXPECT(memcmp(&told[i - 1], &told[i], sizeof(GUID)) < 0);
        EACH (guid, made) {
            unsigned seen = 0;

            for (int i = 0; i < 50; i++)
                seen += same_guid(*guid, told[i]);
            EXPECT_EQ(1, seen);
        }
    }
}

TEST(after_the_end_there_is_nothing) /* ENUM-03 ENUM-04 OP-23 */
{
    HANDLE tm = new_volatile_tm();
    ULONG length = 0;
    GUID told[10];

    new_volatile_rm(tm);
    EXPECT_EQ(1, pass(tm, KTMOBJECT_RESOURCE_MANAGER, 5, told));
    EXPECT_STATUS(
        STATUS_NO_MORE_ENTRIES,
        NtEnumerateTransactionObject(tm, KTMOBJECT_RESOURCE_MANAGER, &list.cursor, 100, &length));
    EXPECT_EQ(0, list.cursor.ObjectIdCount);
    EXPECT_EQ(FIXED, length);
    EXPECT_EQ(0, pass(new_volatile_tm(), KTMOBJECT_RESOURCE_MANAGER, 5, told));
}

TEST(objects_may_come_and_go_during_a_pass) /* ENUM-06 */
{
    HANDLE tm = new_volatile_tm(), rm[8];
    GUID told[20];
    unsigned count = 0;
    NTSTATUS status;
    ULONG length;

    for (unsigned i = 0; i < 8; i++) {
        GUID guid = guid_number(2 * i);

        rm[i] = new_rm(tm, &guid, RESOURCE_MANAGER_VOLATILE);
    }
    memset(&list, 0, sizeof(list));
    do {
        GUID fresh = guid_number(2 * count + 1);

        status = NtEnumerateTransactionObject(tm, KTMOBJECT_RESOURCE_MANAGER, &list.cursor,
                                              sizeof(KTMOBJECT_CURSOR), &length);
        if (list.cursor.ObjectIdCount)
            told[count++] = list.cursor.ObjectIds[0];
        EXPECT(count < ARRAY_SIZE(told));
        if (count == 2)
            close_handle(rm[1]); /* told already */
        if (count == 3)
            close_handle(rm[7]); /* not told yet */
        if (count <= 4)
            new_rm(tm, &fresh, RESOURCE_MANAGER_VOLATILE);
    } while (status == STATUS_SUCCESS);
    for (unsigned i = 1; i < count; i++)
        EXPECT(memcmp(&told[i - 1], &told[i], sizeof(GUID)) < 0);
}

TEST(each_kind_has_its_root) /* ENUM-05 ENUM-07 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_FULL);
    HANDLE unbound = new_tx(NULL), other = new_volatile_tm();
    GUID told[20];

    EXPECT_EQ(2, pass(NULL, KTMOBJECT_TRANSACTION_MANAGER, 5, told));
    EXPECT_EQ(3, pass(party.tm, KTMOBJECT_RESOURCE_MANAGER, 5, told));
    EXPECT_EQ(1, pass(party.rm[0], KTMOBJECT_ENLISTMENT, 5, told));
    EXPECT_GUID(guid_of_en(party.en[0]), told[0]);
    EXPECT_EQ(1, pass(party.tm, KTMOBJECT_TRANSACTION, 5, told));
    EXPECT_GUID(guid_of_tx(party.tx), told[0]);
    EXPECT_EQ(0, pass(other, KTMOBJECT_TRANSACTION, 5, told));
    EXPECT_EQ(2, pass(NULL, KTMOBJECT_TRANSACTION, 5, told)); /* the unbound one too */
    EXPECT(same_guid(guid_of_tx(unbound), told[0]) || same_guid(guid_of_tx(unbound), told[1]));
}

TEST(other_combinations_are_refused) /* ENUM-07 ENUM-09 GEN-05 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    HANDLE weak_tm = duplicate(tm, TRANSACTIONMANAGER_CREATE_RM);
    HANDLE weak_rm = duplicate(rm, RESOURCEMANAGER_ENLIST);
    const struct {
        int type;
        HANDLE root;
        NTSTATUS status;
    } rows[] = {
        {KTMOBJECT_TRANSACTION_MANAGER, tm, STATUS_INVALID_PARAMETER},
        {KTMOBJECT_RESOURCE_MANAGER, NULL, STATUS_INVALID_PARAMETER},
        {KTMOBJECT_ENLISTMENT, NULL, STATUS_INVALID_PARAMETER},
        {KTMOBJECT_INVALID, NULL, STATUS_INVALID_PARAMETER},
        {KTMOBJECT_INVALID, tm, STATUS_INVALID_PARAMETER},
        {-1, tm, STATUS_INVALID_PARAMETER},
        {KTMOBJECT_RESOURCE_MANAGER, (HANDLE)0x7770, STATUS_INVALID_HANDLE},
        {KTMOBJECT_ENLISTMENT, INVALID_HANDLE_VALUE, STATUS_INVALID_HANDLE},
        {KTMOBJECT_RESOURCE_MANAGER, rm, STATUS_OBJECT_TYPE_MISMATCH},
        {KTMOBJECT_ENLISTMENT, tm, STATUS_OBJECT_TYPE_MISMATCH},
        {KTMOBJECT_TRANSACTION, tx, STATUS_OBJECT_TYPE_MISMATCH},
        {KTMOBJECT_RESOURCE_MANAGER, weak_tm, STATUS_ACCESS_DENIED},
        {KTMOBJECT_TRANSACTION, weak_tm, STATUS_ACCESS_DENIED},
        {KTMOBJECT_ENLISTMENT, weak_rm, STATUS_ACCESS_DENIED},
    };

    EACH (row, rows) {
        ULONG length = 77;

        memset(&list, 0, sizeof(list));
        EXPECT_STATUS(row->status,
                      NtEnumerateTransactionObject(row->root, (KTMOBJECT_TYPE)row->type,
                                                   &list.cursor, 100, &length));
        EXPECT_EQ(77, length);
    }
}

TEST(the_cursor_has_a_least_size) /* ENUM-08 ENUM-10 */
{
    HANDLE tm = new_volatile_tm();
    ULONG length;

    memset(&list, 0, sizeof(list));
    for (ULONG size = 0; size < 36; size++)
        EXPECT_STATUS(
            STATUS_INVALID_PARAMETER,
            NtEnumerateTransactionObject(tm, KTMOBJECT_TRANSACTION, &list.cursor, size, &length));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtEnumerateTransactionObject(tm, KTMOBJECT_TRANSACTION, &list.cursor, 36, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtEnumerateTransactionObject(tm, KTMOBJECT_TRANSACTION, NULL, 36, &length));
    EXPECT_STATUS(STATUS_DATATYPE_MISALIGNMENT,
                  NtEnumerateTransactionObject(tm, KTMOBJECT_TRANSACTION,
                                               (PKTMOBJECT_CURSOR)(void *)((char *)&list + 1), 36,
                                               &length));
}

static void
commit_two_and_die(void)
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), second = new_durable_rm(tm, 2);

    for (int i = 0; i < 2; i++) {
        HANDLE tx = new_tx(tm), en = new_en(rm, tx, MASK_TWO, NULL);
        HANDLE other = new_en(second, tx, MASK_TWO, NULL);

        EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
        EXPECT_OK(NtPrepareComplete(en, NULL));
        EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(other, NULL));
    }
}

TEST(rebuilt_objects_are_listed) /* ENUM-11 */
{
    HANDLE tm, rm;
    GUID told[20];

    crash_after(commit_two_and_die);
    tm = new_logged_tm("tm");
    EXPECT_EQ(2, pass(tm, KTMOBJECT_TRANSACTION, 1, told));
    EXPECT_EQ(2, pass(tm, KTMOBJECT_RESOURCE_MANAGER, 1, told));
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &told[0], NULL));
    EXPECT_EQ(2, pass(rm, KTMOBJECT_ENLISTMENT, 1, told));
}
