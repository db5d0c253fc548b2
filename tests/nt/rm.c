/* SPDX-License-Identifier: MIT */
/* Resource managers [RM-CREATE, RM-OPEN, RM-RECOVER, RM-QUERY, RM-SET, PROP]. */
#include "tests/nt/kit.h"

static const ACCESS_MASK all = RESOURCEMANAGER_ALL_ACCESS;
static HANDLE const untouched = (HANDLE)0x1234;

static NTSTATUS
create(HANDLE *rm, HANDLE tm, unsigned number, ULONG options, UNICODE_STRING *text)
{
    GUID guid = guid_number(number);

    return NtCreateResourceManager(rm, all, tm, &guid, NULL, options, text);
}

/* ---- create -----------------------------------------------------------------------------------
 */

TEST(an_rm_is_known_by_its_guid) /* RM-CREATE-01 RM-CREATE-02 OBJ-17 */
{
    HANDLE tm = new_volatile_tm(), rm = NULL;

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_GUID(guid_number(1), guid_of_rm(rm));
}

TEST(the_guid_is_required_and_may_be_zero) /* RM-CREATE-03 ENUM-05 */
{
    HANDLE tm = new_volatile_tm(), rm = untouched;
    KTMOBJECT_CURSOR cursor = {0};
    GUID zero = {0};
    ULONG length;

    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateResourceManager(&rm, all, tm, NULL, NULL, 1, NULL));
    EXPECT(rm == untouched);
    EXPECT_OK(NtCreateResourceManager(&rm, all, tm, &zero, NULL, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_GUID(zero, guid_of_rm(rm));
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(tm, KTMOBJECT_RESOURCE_MANAGER, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(1, cursor.ObjectIdCount);
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(tm, KTMOBJECT_RESOURCE_MANAGER, &cursor,
                                               sizeof(cursor), &length));
    EXPECT_EQ(0, cursor.ObjectIdCount);
}

TEST(a_guid_is_used_once_in_a_tm) /* RM-CREATE-04 RM-OPEN-08 GEN-06 */
{
    HANDLE tm = new_volatile_tm(), other = new_volatile_tm(), rm, again = untouched;

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  create(&again, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT(again == untouched);
    EXPECT_OK(create(&again, other, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    close_handle(rm);
    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
}

/* An RM with an enlistment that waits for it, left by its process. */
static void
leave_unresolved(void)
{
    HANDLE tm = new_logged_tm("tm"), rm, en;
    UNICODE_STRING text = wide("before");
    HANDLE tx = new_tx(tm);

    EXPECT_OK(create(&rm, tm, 1, 0, &text));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
}

static void
expect_description(HANDLE rm, const char *description)
{
    UNICODE_STRING text = wide(description);
    union {
        RESOURCEMANAGER_BASIC_INFORMATION info;
        char room[200];
    } answer;

    EXPECT_OK(NtQueryInformationResourceManager(rm, ResourceManagerBasicInformation, &answer,
                                                sizeof(answer), NULL));
    EXPECT_EQ(text.Length, answer.info.DescriptionLength);
    EXPECT_BYTES(text.Buffer, answer.info.Description, text.Length);
}

TEST(a_recovered_rm_is_adopted) /* RM-CREATE-05 RM-CREATE-16 RM-OPEN-03 OP-20 */
{
    UNICODE_STRING text = wide("afterwards");
    HANDLE tm, rm = untouched;

    crash_after(leave_unresolved);
    tm = new_logged_tm("tm");
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT(rm == untouched);
    EXPECT_OK(create(&rm, tm, 1, 0, NULL));
    expect_description(rm, "before");
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, create(&(HANDLE){0}, tm, 1, 0, NULL));
    close_handle(rm);
    EXPECT_OK(create(&rm, tm, 1, 0, &text));
    expect_description(rm, "afterwards");
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
}

TEST(a_volatile_tm_has_volatile_rms) /* RM-CREATE-06 RM-CREATE-07 VOL-01 */
{
    HANDLE rm = untouched, durable = new_logged_tm("tm");

    EXPECT_STATUS(STATUS_TM_VOLATILE, create(&rm, new_volatile_tm(), 1, 0, NULL));
    EXPECT(rm == untouched);
    EXPECT_OK(create(&rm, durable, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_OK(create(&rm, durable, 2, 0, NULL));
}

TEST(only_defined_options_are_taken) /* RM-CREATE-08 */
{
    HANDLE tm = new_volatile_tm(), rm = untouched;

    for (int bit = 2; bit < 32; bit++)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&rm, tm, 1, 1 | 1u << bit, NULL));
    EXPECT(rm == untouched);
}

TEST(descriptions_are_short) /* RM-CREATE-09 */
{
    char letters[66] = "";
    UNICODE_STRING text, odd = wide("abc"), nothing = {8, 8, NULL};
    HANDLE tm = new_volatile_tm(), rm = untouched;

    memset(letters, 'x', 65);
    text = wide(letters);
    odd.Length = 3;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, &text));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, &odd));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, &nothing));
    EXPECT(rm == untouched);
    text.Length -= 2;
    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, &text));
    letters[64] = 0;
    expect_description(rm, letters);
}

TEST(creating_an_rm_needs_its_right_and_an_open_tm) /* RM-CREATE-10 RM-CREATE-11 RM-CREATE-13 */
{
    UNICODE_STRING bad = wide("\\"), taken = wide("\\taken");
    OBJECT_ATTRIBUTES invalid = attributes(&bad, 0), named = attributes(&taken, 0);
    HANDLE tm = new_volatile_tm(), rm = untouched, tx;
    HANDLE weak = duplicate(tm, TRANSACTIONMANAGER_ALL_ACCESS & ~TRANSACTIONMANAGER_CREATE_RM);
    GUID guid = guid_number(1);

    EXPECT_STATUS(STATUS_INVALID_HANDLE, create(&rm, NULL, 1, 1, NULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, create(&rm, new_tx(NULL), 1, 1, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, create(&rm, weak, 1, 1, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtCreateResourceManager(&rm, 0x80, tm, &guid, NULL, 1, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtCreateResourceManager(&rm, all, tm, &guid, &invalid, 1, NULL));
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateResourceManager(&rm, all, tm, &guid, &named, 1, NULL));
    EXPECT(rm == untouched);
}

TEST(a_durable_rm_recovers_before_it_enlists) /* RM-CREATE-14 ENL-CREATE-09 */
{
    HANDLE tm = new_logged_tm("tm"), durable, light, tx = new_tx(tm), en = untouched;

    EXPECT_OK(create(&durable, tm, 1, 0, NULL));
    EXPECT_OK(create(&light, tm, 2, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_STATUS(
        STATUS_TRANSACTIONMANAGER_NOT_ONLINE,
        NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, durable, tx, NULL, 0, MASK_FULL, NULL));
    EXPECT(en == untouched);
    new_en(light, tx, MASK_FULL, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(durable));
    new_en(durable, tx, MASK_FULL, NULL);
}

/* ---- open -------------------------------------------------------------------------------------
 */

TEST(an_rm_is_opened_by_its_guid) /* RM-OPEN-01 RM-OPEN-02 RM-OPEN-08 */
{
    HANDLE tm = new_volatile_tm(), other = new_volatile_tm(), rm, found = untouched;
    GUID guid = guid_number(1), unknown = guid_number(2);

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_STATUS(STATUS_RESOURCEMANAGER_NOT_FOUND,
                  NtOpenResourceManager(&found, all, tm, &unknown, NULL));
    EXPECT_STATUS(STATUS_RESOURCEMANAGER_NOT_FOUND,
                  NtOpenResourceManager(&found, all, other, &guid, NULL));
    EXPECT(found == untouched);
    EXPECT_OK(NtOpenResourceManager(&found, all, tm, &guid, NULL));
    close_handle(rm);
    new_en(found, new_tx(tm), MASK_FULL, NULL); /* the handle keeps it alive */
    close_handle(found);
    EXPECT_STATUS(STATUS_RESOURCEMANAGER_NOT_FOUND,
                  NtOpenResourceManager(&found, all, tm, &guid, NULL));
}

TEST(opening_checks_its_parameters) /* RM-OPEN-04 RM-OPEN-06 OBJ-11 OBJ-14 */
{
    UNICODE_STRING name = wide("\\rm");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tm = new_volatile_tm(), rm, found = untouched;
    HANDLE weak = duplicate(tm, TRANSACTIONMANAGER_CREATE_RM);
    GUID guid = guid_number(1);

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenResourceManager(&found, 0, tm, &guid, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenResourceManager(&found, all, tm, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenResourceManager(&found, all, tm, &guid, &named));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenResourceManager(&found, 0x80, tm, &guid, NULL));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtOpenResourceManager(&found, all, NULL, &guid, NULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, NtOpenResourceManager(&found, all, rm, &guid, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenResourceManager(&found, all, weak, &guid, NULL));
    EXPECT(found == untouched);
}

/* ---- recover ----------------------------------------------------------------------------------
 */

TEST(nothing_to_recover) /* RM-RECOVER-01 RM-RECOVER-03 RM-RECOVER-04 RM-RECOVER-10 */
{
    HANDLE durable = new_logged_tm("tm"), light = new_volatile_tm(), rm;

    for (int i = 0; i < 2; i++) {
        EXPECT_OK(create(&rm, i ? light : durable, 1, i ? RESOURCE_MANAGER_VOLATILE : 0, NULL));
        EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
        EXPECT_NOTE(rm, NULL, LAST_RECOVER);
        EXPECT_QUIET(rm);
    }
}

/* RM-RECOVER-01 RM-RECOVER-02 RM-RECOVER-11 RM-OPEN-07 ENL-OPEN-05 RM-RECOVER-12 */
TEST(what_a_crash_left_is_announced)
{
    GUID guid = guid_number(1);
    struct note note;
    HANDLE tm, rm, en, tx;

    crash_after(leave_unresolved);
    tm = new_logged_tm("tm");
    EXPECT_OK(NtOpenResourceManager(&rm, all, tm, &guid, NULL));
    for (int pass = 0; pass < 2; pass++) {
        EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
        note = EXPECT_NOTE(rm, NULL, RECOVER);
        EXPECT_NOTE(rm, NULL, LAST_RECOVER);
        EXPECT_QUIET(rm);
    }
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &note.argument.UOW, tm));
    new_en(rm, new_tx(tm), MASK_FULL, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(5)));
    EXPECT_NOTE(rm, key_number(5), COMMIT);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm)); /* nothing is left */
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_QUIET(rm);
    EXPECT_OK(NtCommitComplete(en, NULL));
}

TEST(living_enlistments_are_not_mentioned) /* RM-RECOVER-09 */
{
    struct party party = PARTY(true, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(party.rm[0]));
    EXPECT_NOTE(party.rm[0], NULL, LAST_RECOVER);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    party_expect(&party, COMMIT);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(party.rm[0]));
    EXPECT_NOTE(party.rm[0], NULL, LAST_RECOVER);
    EXPECT_QUIET(party.rm[0]);
}

TEST(the_length_of_a_notification_is_told) /* NOTIF-GET-06 NOTIF-GET-07 */
{
    TRANSACTION_NOTIFICATION room[2];
    GUID guid = guid_number(1);
    ULONG length = 0;
    HANDLE tm, rm;

    crash_after(leave_unresolved);
    tm = new_logged_tm("tm");
    EXPECT_OK(NtOpenResourceManager(&rm, all, tm, &guid, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL,
                  NtGetNotificationResourceManager(rm, room, 63, NULL, &length, 0, 0));
    EXPECT_EQ(64, length);
    length = 0;
    EXPECT_OK(NtGetNotificationResourceManager(rm, room, 64, NULL, &length, 0, 0));
    EXPECT_EQ(64, length);
    EXPECT_EQ(RECOVER, room[0].TransactionNotification);
    EXPECT_OK(NtGetNotificationResourceManager(rm, room, 32, NULL, &length, 0, 0));
    EXPECT_EQ(32, length);
}

TEST(what_is_queued_goes_with_the_last_handle) /* CLOSE-RM-02 CLOSE-RM-04 */
{
    struct party party = PARTY(true, 0, MASK_TWO);
    GUID guid = guid_of_rm(party.rm[0]);
    HANDLE rm;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT(NT_SUCCESS(NtPrepareComplete(party.en[0], NULL))); /* PREPARE and COMMIT are queued */
    close_handle(party.rm[0]);
    EXPECT_OK(NtOpenResourceManager(&rm, all, party.tm, &guid, NULL)); /* it is owed the outcome */
    EXPECT(!is_signalled(rm));
    EXPECT_QUIET(rm);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_QUIET(rm);
}

static unsigned callbacks;

static NTSTATUS
count_recovery(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
               ULONG argument_length, PVOID argument)
{
    (void)en;
    (void)clock;
    EXPECT(key == NULL);
    EXPECT(what == (callbacks == 0 ? RECOVER : LAST_RECOVER));
    EXPECT_EQ(callbacks == 0 ? 32 : 0, argument_length);
    EXPECT((argument != NULL) == (callbacks == 0));
    callbacks++;
    return context ? STATUS_PENDING : STATUS_SUCCESS;
}

TEST(recovery_by_callback) /* RM-RECOVER-04 RM-RECOVER-13 TMR-10 */
{
    GUID guid = guid_number(1);
    HANDLE tm, rm;

    crash_after(leave_unresolved);
    tm = new_logged_tm("tm");
    EXPECT_OK(NtOpenResourceManager(&rm, all, tm, &guid, NULL));
    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), count_recovery, NULL));
    EXPECT_OK(TmRecoverResourceManager(pointer_to(rm)));
    EXPECT_EQ(2, callbacks);
}

TEST(an_rm_of_a_tm_that_is_closed_cannot_recover) /* RM-RECOVER-05 OBJ-21 CLOSE-TM-03 */
{
    HANDLE tm = new_logged_tm("tm"), rm;

    EXPECT_OK(create(&rm, tm, 1, 0, NULL));
    close_handle(tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtRecoverResourceManager(rm));
    close_handle(rm);
}

/* ---- query and set ----------------------------------------------------------------------------
 */

static NTSTATUS
query(HANDLE rm, int class, void *into, ULONG length, ULONG *returned)
{
    return NtQueryInformationResourceManager(rm, (RESOURCEMANAGER_INFORMATION_CLASS) class, into,
                                             length, returned);
}

TEST(basic_information) /* RM-QUERY-01 RM-QUERY-03 RM-QUERY-04 RM-QUERY-05 GEN-06 */
{
    UNICODE_STRING text = wide("ledger");
    HANDLE tm = new_volatile_tm(), rm;
    union {
        RESOURCEMANAGER_BASIC_INFORMATION info;
        unsigned char room[100];
    } answer;
    ULONG full = 20 + 12, length;

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE, &text));
    for (ULONG room = 0; room <= full + 3; room++) {
        ULONG fit = room < 20 ? 0 : (room < full ? room - 20 : 12) & ~1u;

        memset(&answer, 0xaa, sizeof(answer));
        EXPECT_STATUS(room < 20     ? STATUS_BUFFER_TOO_SMALL
                      : room < full ? STATUS_BUFFER_OVERFLOW
                                    : STATUS_SUCCESS,
                      query(rm, ResourceManagerBasicInformation, &answer, room, &length));
        EXPECT_EQ(full, length);
        EXPECT_EQ(0xaa, answer.room[room < 20 ? 0 : 20 + fit]);
        if (room >= 20) {
            EXPECT_GUID(guid_number(1), answer.info.ResourceManagerId);
            EXPECT_EQ(12, answer.info.DescriptionLength);
            EXPECT_BYTES(text.Buffer, answer.info.Description, fit);
        }
    }
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  query(rm, ResourceManagerBasicInformation, NULL, 24, &length));
}

TEST(only_the_basic_class_can_be_asked) /* RM-QUERY-02 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm());
    char room[100];

    for (int class = 1; class < 10; class ++)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, query(rm, class, room, sizeof(room), NULL));
    EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, query(rm, -1, room, sizeof(room), NULL));
}

TEST(only_a_completion_port_can_be_set) /* RM-SET-02 NOTIF-GET-12 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm());
    RESOURCEMANAGER_COMPLETION_INFORMATION port = {0};
    TRANSACTION_NOTIFICATION note;
    LARGE_INTEGER now = {.QuadPart = 0};

    for (ULONG length = 0; length < 40; length++)
        if (length != sizeof(port))
            EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                          NtSetInformationResourceManager(rm, ResourceManagerCompletionInformation,
                                                          &port, length));
    EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                  NtSetInformationResourceManager(rm, ResourceManagerBasicInformation, &port, 16));
    EXPECT_STATUS(
        STATUS_INVALID_INFO_CLASS,
        NtSetInformationResourceManager(rm, (RESOURCEMANAGER_INFORMATION_CLASS)2, &port, 16));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtSetInformationResourceManager(
                                               rm, ResourceManagerCompletionInformation, NULL, 16));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtGetNotificationResourceManager(rm, &note, sizeof(note), &now, NULL, 1, 8));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtGetNotificationResourceManager(rm, &note, sizeof(note), &now, NULL, 0, 1));
}

/* ---- protocols and propagation ----------------------------------------------------------------
 */

TEST(communication_rms_register_protocols) /* PROP-01 PROP-02 PROP-03 PROP-04 RM-CREATE-15 OP-38 */
{
    HANDLE tm = new_volatile_tm(), plain = new_volatile_rm(tm), rm, second;
    GUID one = guid_number(100), two = guid_number(101);
    char address[] = "tcp:host:99";

    EXPECT_OK(create(&rm, tm, 1, RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtRegisterProtocolAddressInformation(plain, &one, sizeof(address), address, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtRegisterProtocolAddressInformation(rm, NULL, sizeof(address), address, 0));
    for (int bit = 2; bit < 32; bit++)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtRegisterProtocolAddressInformation(
                                                    rm, &one, sizeof(address), address, 1u << bit));
    EXPECT_OK(NtRegisterProtocolAddressInformation(rm, &one, sizeof(address), address, 3));
    EXPECT_STATUS(STATUS_CRM_PROTOCOL_ALREADY_EXISTS,
                  NtRegisterProtocolAddressInformation(rm, &one, sizeof(address), address, 0));
    EXPECT_OK(ZwRegisterProtocolAddressInformation(rm, &two, 0, NULL, 0));
    EXPECT_OK(
        create(&second, tm, 2, RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION, NULL));
    EXPECT_STATUS(STATUS_CRM_PROTOCOL_ALREADY_EXISTS,
                  NtRegisterProtocolAddressInformation(second, &one, 0, NULL, 0));
    close_handle(rm); /* and its protocols are free again */
    EXPECT_OK(NtRegisterProtocolAddressInformation(second, &one, 0, NULL, 0));
}

TEST(no_propagation_is_ever_asked_for) /* PROP-05 PROP-07 OP-38 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm());
    char buffer[4] = {0};

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtPropagationComplete(rm, 1, 4, buffer));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, ZwPropagationComplete(rm, 1, 0, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED,
                  NtPropagationFailed(rm, 1, STATUS_UNSUCCESSFUL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED,
                  ZwPropagationFailed(rm, 1, STATUS_UNSUCCESSFUL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED,
                  TmPropagationComplete(pointer_to(rm), 1, 4, buffer));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED,
                  TmPropagationFailed(pointer_to(rm), 1, STATUS_UNSUCCESSFUL));
}
