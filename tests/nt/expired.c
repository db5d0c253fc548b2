/* SPDX-License-Identifier: MIT */
/* Handles below a TM that has been closed: every routine says so, also those that would have
 * nothing to do. */
#include "tests/nt/kit.h"

static struct party party;
static GUID guid;
static ULONG length;
static union {
    KTMOBJECT_CURSOR cursor;
    char room[200];
} list;

static NTSTATUS
enumerate(void)
{
    return NtEnumerateTransactionObject(party.rm[0], KTMOBJECT_ENLISTMENT, &list.cursor,
                                        sizeof(list), &length);
}

static NTSTATUS
register_protocol(void)
{
    return NtRegisterProtocolAddressInformation(party.rm[0], &guid, 0, NULL, 0);
}

static NTSTATUS
propagation_complete(void)
{
    return NtPropagationComplete(party.rm[0], 0, 0, NULL);
}

static NTSTATUS
propagation_failed(void)
{
    return NtPropagationFailed(party.rm[0], 0, STATUS_SUCCESS);
}

static NTSTATUS
set_port(void)
{
    RESOURCEMANAGER_COMPLETION_INFORMATION port = {0};

    return NtSetInformationResourceManager(party.rm[0], ResourceManagerCompletionInformation, &port,
                                           sizeof(port));
}

static NTSTATUS
open_enlistment(void)
{
    HANDLE en;

    return NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, party.rm[0], &guid, NULL);
}

static NTSTATUS
by_pointer(void)
{
    HANDLE rm;
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(party.rm[0], 0, NULL, KernelMode, &object, NULL);

    return status != STATUS_SUCCESS ? status
                                    : ObOpenObjectByPointer(object, 0, NULL, RESOURCEMANAGER_ENLIST,
                                                            NULL, KernelMode, &rm);
}

TEST(every_use_of_an_expired_rm_says_so) /* OBJ-21 CLOSE-TM-03 */
{
    NTSTATUS(*const uses[])
    (void) = {enumerate,          register_protocol, propagation_complete,
              propagation_failed, set_port,          open_enlistment,
              by_pointer};

    party = PARTY(false, 0, MASK_FULL);
    guid = guid_number(77);
    close_handle(party.tm);
    EACH (use, uses)
        EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, (*use)());
    EXPECT_EQ(0, length);
}

TEST(a_name_does_not_lead_to_an_expired_object) /* OBJ-08 OBJ-21 */
{
    HANDLE tm = new_volatile_tm(), tx, again;
    UNICODE_STRING name = wide("\\expired");
    OBJECT_ATTRIBUTES named = attributes(&name, OBJ_OPENIF);

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, NULL, tm, 0, 0, 0, NULL, NULL));
    close_handle(tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtCreateTransaction(&again, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0,
                                      NULL, NULL));
    close_handle(tx);
    EXPECT_OK(NtCreateTransaction(&again, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0, NULL,
                                  NULL));
}

TEST(a_pointer_opens_what_has_no_handle_any_more) /* TMR-03 TX-OPEN-08 */
{
    HANDLE tx = new_tx(NULL), again;
    GUID uow = guid_of_tx(tx);
    PVOID object = pointer_to(tx);

    close_handle(tx); /* rolls it back */
    EXPECT_OK(
        ObOpenObjectByPointer(object, 0, NULL, TRANSACTION_ALL_ACCESS, NULL, KernelMode, &tx));
    ObDereferenceObject(object);
    EXPECT_OUTCOME(Aborted, tx);
    close_handle(duplicate(tx, TRANSACTION_QUERY_INFORMATION));
    EXPECT_GUID(uow, guid_of_tx(tx));
    EXPECT_OK(NtOpenTransaction(&again, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL));
}
