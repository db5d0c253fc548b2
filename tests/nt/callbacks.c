/* SPDX-License-Identifier: MIT */
/* Callbacks that come late or fail: what was queued before they were registered. */
#include "tests/nt/kit.h"

static PKENLISTMENT asked;
static ULONG notification;
static void *key;

static NTSTATUS
answers(PKENLISTMENT enlistment, PVOID rm_key, PVOID context, ULONG what, PLARGE_INTEGER clock,
        ULONG length, PVOID argument)
{
    (void)rm_key, (void)clock, (void)argument;
    EXPECT_EQ(0, length);
    asked = enlistment;
    notification = what;
    key = context;
    return enlistment ? TmPrepareComplete(enlistment, NULL) : STATUS_SUCCESS;
}

static NTSTATUS
refuses(PKENLISTMENT enlistment, PVOID rm_key, PVOID context, ULONG what, PLARGE_INTEGER clock,
        ULONG length, PVOID argument)
{
    (void)enlistment, (void)rm_key, (void)context, (void)clock, (void)length, (void)argument;
    return what == PREPARE ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

TEST(a_callback_is_given_the_enlistment_of_what_was_queued) /* TMR-17 */
{
    struct party party = PARTY(false, 0, MASK_TWO, MASK_TWO);
    void *enlistment = pointer_to(party.en[0]);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(TmEnableCallbacks(pointer_to(party.rm[0]), answers, NULL));
    EXPECT(asked == enlistment);
    EXPECT_EQ(PREPARE, notification);
    EXPECT(key == key_number(1));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtPrepareComplete(party.en[0], NULL));
}

TEST(a_callback_that_refuses_what_was_queued_rolls_back) /* TMR-17 NOTIF-09 */
{
    struct party party = PARTY(false, 0, MASK_TWO, MASK_TWO);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(TmEnableCallbacks(pointer_to(party.rm[0]), refuses, NULL));
    EXPECT_OUTCOME(Aborted, party.tx);
}
