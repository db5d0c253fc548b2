/* SPDX-License-Identifier: MIT */
/* Choices where the sources are silent (section 16 of ktm-protocol.md), as far as no other test
 * shows them. */
#include <spawn.h>
#include <sys/wait.h>

#include "tests/nt/kit.h"

TEST(rolling_back_raises_the_clock_and_a_superior_is_no_reader) /* OP-27 CLOCK-05 CLOCK-06 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_FULL);
    LARGE_INTEGER clock = {.QuadPart = 30};

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtReadOnlyEnlistment(party.superior, &clock));
    EXPECT_EQ(1, clock_of(party.tm)); /* it failed */
    EXPECT_STATUS(STATUS_PENDING, NtRollbackEnlistment(party.en[0], &clock));
    EXPECT_EQ(30, clock_of(party.tm));
    EXPECT_EQ(30, EXPECT_NOTE(party.rm[1], key_number(2), ROLLBACK).clock); /* before its effect */
}

/* ---- nobody decides for the superior ---- */

static HANDLE
found_in_doubt(HANDLE tm, const GUID *uow)
{
    GUID copy = *uow;
    HANDLE tx;

    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &copy, tm));
    EXPECT_STATE(Indoubt, tx);
    EXPECT_OUTCOME(Undetermined, tx);
    return tx;
}

TEST(what_is_in_doubt_stays_in_doubt) /* OP-29 RECOV-41 ROLL-TMO-02 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_TWO);
    GUID uow = guid_of_tx(party.tx), rm_guid = guid_number(1);
    HANDLE tm = party.tm;

    party_prepare(&party);
    for (int restart = 0; restart < 3; restart++) {
        HANDLE rm, tx, en;
        struct note note;

        close_handle(tm);
        tm = new_logged_tm("party");
        tx = found_in_doubt(tm, &uow);
        rm = new_rm(tm, &rm_guid, 0);
        EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm)); /* all but the superior */
        note = EXPECT_NOTE(rm, NULL, RECOVER);
        EXPECT_NOTE(rm, NULL, LAST_RECOVER);
        EXPECT_OK(
            NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
        EXPECT_OK(NtRecoverEnlistment(en, NULL)); /* does not ask for INDOUBT */
        EXPECT_QUIET(rm);
        EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackTransaction(tx, TRUE));
        EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(tx, TRUE));
        EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackEnlistment(en, NULL));
        close_handle(found_in_doubt(tm, &uow));
        close_handle(tx);
    }
}

/* ---- where objects are visible ---- */

/* Another process, given what it would need to find the objects here, does not. */
TEST(objects_are_those_of_this_process) /* OP-46 NAME-07 */
{
    const char *given = getenv("KTM_TEST_UOW");
    UNICODE_STRING name = wide("\\shared");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tx;
    GUID uow;

    if (given) {
        HANDLE tm = new_volatile_tm();

        EXPECT_EQ(sizeof(uow), strlen(given) / 2);
        for (size_t i = 0; i < sizeof(uow); i++)
            EXPECT_EQ(1, sscanf(given + 2 * i, "%2hhx", (unsigned char *)&uow + i));
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                      NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL));
        EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, &uow, tm, 0, 0, 0, NULL,
                                      NULL));
        return;
    }
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0, NULL, NULL));
    uow = guid_of_tx(tx);
    {
        char *argv[] = {"test-nt", "--no-fork", "nt/choices/objects_are_those_of_this_process",
                        NULL};
        char text[2 * sizeof(uow) + 1];
        extern char **environ;
        int result;
        pid_t child;

        for (size_t i = 0; i < sizeof(uow); i++)
            sprintf(text + 2 * i, "%02x", ((unsigned char *)&uow)[i]);
        EXPECT_EQ(0, setenv("KTM_TEST_UOW", text, 1));
        EXPECT_EQ(0, posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ));
        EXPECT_EQ(child, waitpid(child, &result, 0));
        EXPECT_EQ(0, result);
    }
}
