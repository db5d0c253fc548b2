/* SPDX-License-Identifier: MIT */
/* Asking and setting transaction information [TX-QUERY, TX-SET]. */
#include "tests/nt/kit.h"

#include <unistd.h>

static NTSTATUS
query(HANDLE tx, int class, void *into, ULONG length, ULONG *returned)
{
    return NtQueryInformationTransaction(tx, (TRANSACTION_INFORMATION_CLASS) class, into, length,
                                         returned);
}

static HANDLE
described(const char *text)
{
    UNICODE_STRING description = wide(text);
    HANDLE tx;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, NULL, 0, 0, 0, NULL,
                                  &description));
    return tx;
}

TEST(basic_information) /* TX-QUERY-01 TX-QUERY-12 */
{
    TRANSACTION_BASIC_INFORMATION basic = {0};
    GUID uow = guid_number(5);
    ULONG length = 0;
    HANDLE tx;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_OK(query(tx, TransactionBasicInformation, &basic, sizeof(basic), &length));
    EXPECT_EQ(24, length);
    EXPECT_GUID(uow, basic.TransactionId);
    EXPECT_EQ(TransactionStateNormal, basic.State);
    EXPECT_EQ(TransactionOutcomeUndetermined, basic.Outcome);
}

TEST(state_and_outcome_of_a_commit) /* TX-QUERY-02 TX-QUERY-03 */
{
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATE(Normal, party.tx);
    EXPECT_OUTCOME(Undetermined, party.tx);
    party_prepreparation(&party);
    EXPECT_OUTCOME(Undetermined, party.tx);
    party_preparation(&party);
    EXPECT_STATE(CommittedNotify, party.tx); /* nobody has answered COMMIT */
    EXPECT_OUTCOME(Committed, party.tx);
    party_completion(&party);
    EXPECT_STATE(CommittedNotify, party.tx);
    EXPECT_OUTCOME(Committed, party.tx);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, NtRollbackTransaction(party.tx, TRUE));
    EXPECT_OUTCOME(Committed, party.tx);
}

TEST(state_and_outcome_of_a_rollback) /* TX-QUERY-02 TX-QUERY-03 */
{
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(party.tx, FALSE));
    EXPECT_STATE(Normal, party.tx);
    EXPECT_OUTCOME(Aborted, party.tx); /* nobody has answered ROLLBACK */
    party_rollback(&party);
    EXPECT_STATE(Normal, party.tx);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(party.tx, TRUE));
    EXPECT_OUTCOME(Aborted, party.tx);
}

TEST(state_under_a_superior) /* TX-QUERY-02 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    party_prepare(&party);
    EXPECT_STATE(Normal, party.tx);
    close_handle(party.superior);
    EXPECT_STATE(Indoubt, party.tx);
    EXPECT_OUTCOME(Undetermined, party.tx);
}

TEST(properties) /* TX-QUERY-04 TX-QUERY-11 TX-QUERY-12 */
{
    HANDLE tx = described("salaries");
    union {
        TRANSACTION_PROPERTIES_INFORMATION info;
        unsigned char room[100];
    } answer;
    ULONG full = 24 + 16, length;

    for (ULONG room = 24; room <= full + 3; room++) {
        ULONG fit = (room < full ? room - 24 : 16) & ~1u;

        memset(&answer, 0xaa, sizeof(answer));
        EXPECT_STATUS(room < full ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS,
                      query(tx, TransactionPropertiesInformation, &answer, room, &length));
        EXPECT_EQ(full, length);
        EXPECT_EQ(16, answer.info.DescriptionLength);
        EXPECT_EQ(TransactionOutcomeUndetermined, answer.info.Outcome);
        EXPECT_BYTES(KTM_WIDE("salaries"), answer.info.Description, fit);
        EXPECT_EQ(0xaa, answer.room[24 + fit]);
    }
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    EXPECT_OK(query(tx, TransactionPropertiesInformation, &answer, sizeof(answer), NULL));
    EXPECT_EQ(TransactionOutcomeCommitted, answer.info.Outcome);
    EXPECT_OK(query(new_tx(NULL), TransactionPropertiesInformation, &answer, 24, &length));
    EXPECT_EQ(24, length);
}

TEST(the_timeout_is_told_as_set) /* TX-QUERY-05 */
{
    TRANSACTION_PROPERTIES_INFORMATION info;
    LARGE_INTEGER hour = milliseconds(3600 * 1000);
    HANDLE tx;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, NULL, 0, 0, 0, &hour, NULL));
    usleep(2000);
    EXPECT_OK(query(tx, TransactionPropertiesInformation, &info, sizeof(info), NULL));
    EXPECT_EQ(hour.QuadPart, info.Timeout.QuadPart);
    info = (TRANSACTION_PROPERTIES_INFORMATION){.Timeout = milliseconds(7200 * 1000)};
    EXPECT_OK(
        NtSetInformationTransaction(tx, TransactionPropertiesInformation, &info, sizeof(info)));
    memset(&info, 0, sizeof(info));
    EXPECT_OK(query(tx, TransactionPropertiesInformation, &info, sizeof(info), NULL));
    EXPECT_EQ(milliseconds(7200 * 1000).QuadPart, info.Timeout.QuadPart);
    EXPECT_OK(query(new_tx(NULL), TransactionPropertiesInformation, &info, sizeof(info), NULL));
    EXPECT_EQ(0, info.Timeout.QuadPart);
}

static bool
has_pair(const TRANSACTION_ENLISTMENTS_INFORMATION *list, HANDLE en, HANDLE rm)
{
    GUID en_id = guid_of_en(en), rm_id = guid_of_rm(rm);

    for (ULONG i = 0; i < list->NumberOfEnlistments; i++)
        if (IsEqualGUID(&en_id, &list->EnlistmentPair[i].EnlistmentId))
            return IsEqualGUID(&rm_id, &list->EnlistmentPair[i].ResourceManagerId);
    return false;
}

TEST(enlistments_are_listed_with_their_rms) /* TX-QUERY-06 TX-QUERY-07 TX-QUERY-11 TX-QUERY-12 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL, MASK_FULL);
    union {
        TRANSACTION_ENLISTMENTS_INFORMATION list;
        unsigned char room[200];
    } answer;
    ULONG full = 4 + 3 * 32, length;

    EXPECT_OK(NtReadOnlyEnlistment(party.en[1], NULL)); /* stays in the list */
    for (ULONG room = 4; room <= full + 5; room++) {
        ULONG fit = (room < full ? room - 4 : 3 * 32) / 32 * 32;

        memset(&answer, 0xaa, sizeof(answer));
        EXPECT_STATUS(room < full ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS,
                      query(party.tx, TransactionEnlistmentInformation, &answer, room, &length));
        EXPECT_EQ(full, length);
        EXPECT_EQ(3, answer.list.NumberOfEnlistments);
        EXPECT_EQ(0xaa, answer.room[4 + fit]);
    }
    EXPECT(has_pair(&answer.list, party.en[0], party.rm[0]));
    EXPECT(has_pair(&answer.list, party.en[1], party.rm[1]));
    EXPECT(has_pair(&answer.list, party.superior, party.superior_rm));
    close_handle(party.en[1]);
    EXPECT_OK(query(party.tx, TransactionEnlistmentInformation, &answer, sizeof(answer), NULL));
    EXPECT_EQ(2, answer.list.NumberOfEnlistments);
    EXPECT_OK(query(new_tx(NULL), TransactionEnlistmentInformation, &answer, 4, &length));
    EXPECT_EQ(0, answer.list.NumberOfEnlistments);
    EXPECT_EQ(4, length);
}

TEST(the_superior_is_told_or_said_to_be_missing) /* TX-QUERY-08 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    TRANSACTION_SUPERIOR_ENLISTMENT_INFORMATION info;
    ULONG length = 0;

    EXPECT_OK(
        query(party.tx, TransactionSuperiorEnlistmentInformation, &info, sizeof(info), &length));
    EXPECT_EQ(32, length);
    EXPECT_GUID(guid_of_en(party.superior), info.SuperiorEnlistmentPair.EnlistmentId);
    EXPECT_GUID(guid_of_rm(party.superior_rm), info.SuperiorEnlistmentPair.ResourceManagerId);
    EXPECT_STATUS(
        STATUS_TRANSACTION_NO_SUPERIOR,
        query(new_tx(NULL), TransactionSuperiorEnlistmentInformation, &info, sizeof(info), NULL));
}

TEST(only_classes_that_can_be_asked) /* TX-QUERY-09 */
{
    static const int wrong[] = {
        TransactionBindInformation, TransactionDTCPrivateInformation, 6, 7, 1000, -1};
    HANDLE tx = new_tx(NULL);
    char room[100];

    EACH (class, wrong)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, query(tx, *class, room, sizeof(room), NULL));
}

TEST(the_fixed_part_must_fit) /* TX-QUERY-10 GEN-06 GEN-07 */
{
    static const struct {
        int class;
        ULONG fixed;
    } rows[] = {
        {TransactionBasicInformation, 24},
        {TransactionPropertiesInformation, 24},
        {TransactionEnlistmentInformation, 4},
        {TransactionSuperiorEnlistmentInformation, 32},
    };
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EACH (row, rows) {
        _Alignas(8) unsigned char room[200];

        memset(room, 0xaa, sizeof(room));
        for (ULONG size = 0; size < row->fixed; size++)
            EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                          query(party.tx, row->class, room, size, NULL));
        EXPECT_EQ(0xaa, room[0]);
        EXPECT_STATUS(STATUS_ACCESS_VIOLATION, query(party.tx, row->class, NULL, row->fixed, NULL));
        EXPECT_OK(query(party.tx, row->class, room, sizeof(room), NULL));
    }
}

/* ---- set --------------------------------------------------------------------------------------
 */

static union {
    TRANSACTION_PROPERTIES_INFORMATION info;
    char room[200];
} given;

static NTSTATUS
set(HANDLE tx, ULONG length)
{
    return NtSetInformationTransaction(tx, TransactionPropertiesInformation, &given, length);
}

/* Fills 'given'; its length. */
static ULONG
give_properties(const char *description, LONGLONG timeout)
{
    UNICODE_STRING text = wide(description);

    memset(&given, 0, sizeof(given));
    given.info.Timeout.QuadPart = timeout;
    given.info.DescriptionLength = text.Length;
    memcpy(given.info.Description, text.Buffer, text.Length);
    return 24 + text.Length;
}

static void
expect_description(const char *description, HANDLE tx)
{
    UNICODE_STRING text = wide(description);
    union {
        TRANSACTION_PROPERTIES_INFORMATION info;
        char room[200];
    } answer;

    EXPECT_OK(query(tx, TransactionPropertiesInformation, &answer, sizeof(answer), NULL));
    EXPECT_EQ(text.Length, answer.info.DescriptionLength);
    EXPECT_BYTES(text.Buffer, answer.info.Description, text.Length);
}

TEST(properties_can_be_set) /* TX-SET-01 TX-SET-02 */
{
    HANDLE tx = described("before");
    TRANSACTION_PROPERTIES_INFORMATION info;
    ULONG length = give_properties("and afterwards", -36000000000ll);

    given.info.IsolationFlags = 0x55;
    given.info.Outcome = TransactionOutcomeCommitted; /* not looked at */
    EXPECT_OK(set(tx, length));
    expect_description("and afterwards", tx);
    EXPECT_STATUS(STATUS_BUFFER_OVERFLOW,
                  query(tx, TransactionPropertiesInformation, &info, sizeof(info), NULL));
    EXPECT_EQ(0x55, info.IsolationFlags);
    EXPECT_EQ(-36000000000ll, info.Timeout.QuadPart);
    EXPECT_EQ(TransactionOutcomeUndetermined, info.Outcome);
    EXPECT_OK(set(tx, give_properties("", 0)));
    expect_description("", tx);
}

TEST(a_timeout_can_be_started_restarted_and_cancelled) /* TX-SET-03 */
{
    HANDLE started = new_tx(NULL), cancelled = new_tx(NULL), restarted = new_tx(NULL);
    LARGE_INTEGER limit = milliseconds(10000);

    EXPECT_OK(set(cancelled, give_properties("", -5000000)));
    EXPECT_OK(set(restarted, give_properties("", -5000000)));
    EXPECT_OK(set(started, give_properties("", -6000000)));
    EXPECT_OK(set(cancelled, give_properties("", 0)));
    EXPECT_OK(set(restarted, give_properties("", -36000000000ll)));
    EXPECT_OK(NtWaitForSingleObject(started, FALSE, &limit));
    EXPECT_OUTCOME(Aborted, started);
    EXPECT_OUTCOME(Undetermined, cancelled);
    EXPECT_OUTCOME(Undetermined, restarted);
}

TEST(no_other_class_can_be_set) /* TX-SET-04 */
{
    static const int wrong[] = {TransactionBasicInformation,
                                TransactionEnlistmentInformation,
                                TransactionSuperiorEnlistmentInformation,
                                TransactionDTCPrivateInformation,
                                6,
                                -1};
    HANDLE tx = new_tx(NULL);
    char room[100] = {0};

    EACH (class, wrong)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                      NtSetInformationTransaction(tx, (TRANSACTION_INFORMATION_CLASS) * class, room,
                                                  sizeof(room)));
}

TEST(the_length_must_cover_the_text) /* TX-SET-05 */
{
    HANDLE tx = new_tx(NULL);
    ULONG length = give_properties("abc", 0);

    for (ULONG size = 0; size < length; size++)
        EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH, set(tx, size));
    expect_description("", tx);
    EXPECT_OK(set(tx, length)); /* 30, less than sizeof */
    expect_description("abc", tx);
    given.info.DescriptionLength = 0xfffffffe;
    EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH, set(tx, sizeof(given)));
    EXPECT_OK(set(tx, give_properties("", 0)));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtSetInformationTransaction(tx, TransactionPropertiesInformation, NULL, 24));
}

TEST(bad_content_is_refused) /* TX-SET-06 */
{
    HANDLE tx = described("kept");

    give_properties("abcd", 0);
    given.info.DescriptionLength = 3;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set(tx, sizeof(given)));
    given.info.DescriptionLength = 130;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set(tx, sizeof(given)));
    give_properties("abcd", 0);
    given.info.IsolationLevel = 1;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, set(tx, sizeof(given)));
    expect_description("kept", tx);
}

TEST(a_timeout_that_has_fired_cannot_be_set_again) /* TX-SET-10 */
{
    LARGE_INTEGER limit = milliseconds(10000);
    HANDLE tx = new_tx(NULL);

    EXPECT_OK(set(tx, give_properties("", -10000)));
    EXPECT_OK(NtWaitForSingleObject(tx, FALSE, &limit));
    EXPECT_STATUS(STATUS_ROLLBACK_TIMER_EXPIRED, set(tx, give_properties("", -10000000)));
}

TEST(an_unbound_transaction_can_be_bound) /* TX-SET-11 */
{
    TRANSACTION_BIND_INFORMATION binding = {new_volatile_tm()};
    HANDLE tm = binding.TmHandle, tx = new_tx(NULL), found;
    GUID uow = guid_of_tx(tx);

    EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                  NtSetInformationTransaction(tx, TransactionBindInformation, &binding, 7));
    binding.TmHandle = tx;
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  NtSetInformationTransaction(tx, TransactionBindInformation, &binding, 8));
    binding.TmHandle = duplicate(tm, TRANSACTIONMANAGER_QUERY_INFORMATION);
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtSetInformationTransaction(tx, TransactionBindInformation, &binding, 8));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    binding.TmHandle = tm;
    EXPECT_OK(NtSetInformationTransaction(tx, TransactionBindInformation, &binding, 8));
    EXPECT_OK(NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtSetInformationTransaction(tx, TransactionBindInformation, &binding, 8));
}

TEST(a_decided_transaction_takes_a_description_and_no_timeout) /* TX-SET-12 */
{
    for (int outcome = 0; outcome < 2; outcome++) {
        HANDLE tx = described("before");

        EXPECT_OK(outcome ? NtCommitTransaction(tx, TRUE) : NtRollbackTransaction(tx, TRUE));
        EXPECT_OK(set(tx, give_properties("after", 0)));
        expect_description("after", tx);
        EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, set(tx, give_properties("timed", -10000000)));
    }
}
