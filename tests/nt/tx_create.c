/* SPDX-License-Identifier: MIT */
/* Transactions: creating and opening [TX-CREATE, TX-OPEN]. */
#include "tests/nt/kit.h"

#include <time.h>
#include <unistd.h>

static const ACCESS_MASK all = TRANSACTION_ALL_ACCESS;
static HANDLE const untouched = (HANDLE)0x1234;

/* NtCreateTransaction with what a test is about. */
static NTSTATUS
create(HANDLE *tx, GUID *uow, HANDLE tm, ULONG options, LONGLONG timeout, UNICODE_STRING *text)
{
    LARGE_INTEGER time = {.QuadPart = timeout};

    return NtCreateTransaction(tx, all, NULL, uow, tm, options, 0, 0, timeout ? &time : NULL, text);
}

static TRANSACTION_PROPERTIES_INFORMATION *
properties(HANDLE tx)
{
    static union {
        TRANSACTION_PROPERTIES_INFORMATION info;
        char room[200];
    } answer;

    memset(&answer, 0, sizeof(answer));
    EXPECT_OK(NtQueryInformationTransaction(tx, TransactionPropertiesInformation, &answer,
                                            sizeof(answer), NULL));
    return &answer.info;
}

TEST(a_new_transaction_is_active) /* TX-CREATE-01 TX-CREATE-02 SIG-04 OBJ-17 OBJ-18 */
{
    HANDLE tx = NULL, other = NULL;
    GUID uow, second;

    EXPECT_OK(create(&tx, NULL, NULL, 0, 0, NULL));
    EXPECT_OK(create(&other, NULL, NULL, 0, 0, NULL));
    EXPECT_STATE(Normal, tx);
    EXPECT_OUTCOME(Undetermined, tx);
    EXPECT(!is_signalled(tx));
    uow = guid_of_tx(tx);
    second = guid_of_tx(other);
    EXPECT(!IsEqualGUID(&uow, &second));
    EXPECT_EQ(4, uow.Data3 >> 12);
    EXPECT_EQ(2, uow.Data4[0] >> 6);
}

TEST(a_given_identifier_is_used_once) /* OBJ-17 TX-CREATE-03 TX-CREATE-04 GEN-06 OP-26 */
{
    HANDLE tm = new_volatile_tm(), tx, other = untouched;
    GUID uow = guid_number(1), zero = {0};

    EXPECT_OK(create(&tx, &uow, NULL, 0, 0, NULL));
    EXPECT_GUID(uow, guid_of_tx(tx));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, create(&other, &uow, NULL, 0, 0, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, create(&other, &uow, tm, 0, 0, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&other, &zero, NULL, 0, 0, NULL));
    EXPECT(other == untouched);
    close_handle(tx);
    EXPECT_OK(create(&other, &uow, NULL, 0, 0, NULL));
}

TEST(a_transaction_belongs_to_its_tm_or_the_one_of_its_first_rm) /* TX-CREATE-05 ENL-CREATE-03 */
{
    HANDLE tm = new_volatile_tm(), other = new_volatile_tm(), rm = new_volatile_rm(other);
    HANDLE bound, unbound = new_tx(NULL), found;
    GUID uow, free_uow = guid_of_tx(unbound);

    EXPECT_OK(create(&bound, NULL, tm, 0, 0, NULL));
    uow = guid_of_tx(bound);
    EXPECT_OK(NtOpenTransaction(&found, all, NULL, &uow, tm));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, NtOpenTransaction(&found, all, NULL, &uow, other));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, all, NULL, &free_uow, other));
    new_en(rm, unbound, MASK_FULL, NULL);
    EXPECT_OK(NtOpenTransaction(&found, all, NULL, &free_uow, other));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, all, NULL, &free_uow, tm));
}

TEST(parameters_are_checked) /* TX-CREATE-08 TX-CREATE-09 TX-CREATE-11 OBJ-14 GEN-05 */
{
    HANDLE tx = untouched, bad = (HANDLE)0x7770;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateTransaction(&tx, 0, NULL, NULL, bad, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtCreateTransaction(&tx, 0x80, NULL, NULL, NULL, 0, 0, 0, NULL, NULL));
    for (int bit = 1; bit < 32; bit++)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&tx, NULL, bad, 1u << bit, 0, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtCreateTransaction(&tx, all, NULL, NULL, NULL, 0, 1, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  NtCreateTransaction(NULL, 0, NULL, NULL, bad, 0xff, 1, 0, NULL, NULL));
    EXPECT(tx == untouched);
}

TEST(isolation_flags_are_told_back) /* TX-CREATE-11 TX-QUERY-04 */
{
    HANDLE tx;

    EXPECT_OK(NtCreateTransaction(&tx, all, NULL, NULL, NULL, 0, 0, 0xabcd, NULL, NULL));
    EXPECT_EQ(0xabcd, properties(tx)->IsolationFlags);
    EXPECT_EQ(0, properties(tx)->IsolationLevel);
}

TEST(transactions_that_must_not_be_promoted) /* TX-CREATE-10 ENL-CREATE-19 BR-02 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm),
           other = new_volatile_rm(new_volatile_tm());
    HANDLE tx, en = untouched;

    EXPECT_OK(create(&tx, NULL, tm, TRANSACTION_DO_NOT_PROMOTE, 0, NULL));
    new_en(rm, tx, MASK_FULL, NULL);
    EXPECT_STATUS(
        STATUS_TRANSACTION_REQUIRED_PROMOTION,
        NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, other, tx, NULL, 0, MASK_FULL, NULL));
    EXPECT(en == untouched);
    EXPECT_OUTCOME(Undetermined, tx);
}

TEST(descriptions_are_copied_and_short) /* TX-CREATE-12 */
{
    UNICODE_STRING longest =
        wide("0123456789012345678901234567890123456789012345678901234567890123");
    UNICODE_STRING too_long =
        wide("01234567890123456789012345678901234567890123456789012345678901234");
    UNICODE_STRING odd = wide("abc"), empty = {0}, nothing = {8, 8, NULL};
    HANDLE tx = untouched;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&tx, NULL, NULL, 0, 0, &too_long));
    odd.Length = 5;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create(&tx, NULL, NULL, 0, 0, &odd));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, create(&tx, NULL, NULL, 0, 0, &nothing));
    EXPECT(tx == untouched);
    EXPECT_OK(create(&tx, NULL, NULL, 0, 0, &longest));
    longest.Buffer[0] = 'x';
    EXPECT_EQ(128, properties(tx)->DescriptionLength);
    EXPECT_EQ('0', properties(tx)->Description[0]);
    EXPECT_EQ('3', properties(tx)->Description[63]);
    EXPECT_OK(create(&tx, NULL, NULL, 0, 0, &empty));
    EXPECT_EQ(0, properties(tx)->DescriptionLength);
}

static GUID *described;

static void
commit_described_and_die(void)
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx, en;
    UNICODE_STRING text = wide("month end");

    EXPECT_OK(create(&tx, described, tm, 0, 0, &text));
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
}

TEST(the_description_is_in_the_log) /* TX-CREATE-18 LOG-01 TX-OPEN-09 */
{
    HANDLE tm, tx;

    described = shared_memory(sizeof(*described));
    *described = guid_number(3);
    crash_after(commit_described_and_die);
    tm = new_logged_tm("tm");
    EXPECT_OK(NtOpenTransaction(&tx, all, NULL, described, tm));
    EXPECT_EQ(18, properties(tx)->DescriptionLength);
    EXPECT_BYTES(KTM_WIDE("month end"), properties(tx)->Description, 18);
}

/* ---- time-outs --------------------------------------------------------------------------------
 */

static bool
is_aborted_in(HANDLE tx, int wait_ms)
{
    LARGE_INTEGER limit = milliseconds(wait_ms);
    NTSTATUS status = NtWaitForSingleObject(tx, FALSE, &limit);

    if (status == STATUS_TIMEOUT)
        return false;
    EXPECT_OK(status);
    EXPECT_OUTCOME(Aborted, tx);
    return true;
}

static LONGLONG
system_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return 116444736000000000ll + now.tv_sec * 10000000ll + now.tv_nsec / 100;
}

TEST(a_relative_timeout_rolls_back) /* TX-CREATE-13 */
{
    HANDLE tx, never;

    EXPECT_OK(create(&tx, NULL, NULL, 0, -500 * 10000ll, NULL));
    EXPECT_OK(create(&never, NULL, NULL, 0, 0, NULL)); /* TX-CREATE-15 */
    EXPECT(!is_aborted_in(tx, 30));
    EXPECT(is_aborted_in(tx, 10000));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(tx, TRUE));
    EXPECT_OUTCOME(Undetermined, never);
}

TEST(an_absolute_timeout_rolls_back) /* TX-CREATE-14 */
{
    HANDLE tx, past;

    EXPECT_OK(create(&tx, NULL, NULL, 0, system_time() + 100 * 10000ll, NULL));
    EXPECT_OK(create(&past, NULL, NULL, 0, system_time() - 10000, NULL));
    EXPECT(is_aborted_in(past, 10000));
    EXPECT(is_aborted_in(tx, 10000));
}

TEST(no_timeout_is_none) /* TX-CREATE-15 */
{
    LARGE_INTEGER zero = {.QuadPart = 0};
    HANDLE tx, null;

    EXPECT_OK(NtCreateTransaction(&tx, all, NULL, NULL, NULL, 0, 0, 0, &zero, NULL));
    EXPECT_OK(NtCreateTransaction(&null, all, NULL, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT(!is_aborted_in(tx, 60));
    EXPECT(!is_aborted_in(null, 0));
    EXPECT_EQ(0, properties(tx)->Timeout.QuadPart);
}

TEST(a_commit_in_time_stops_the_timer) /* TX-CREATE-13 */
{
    HANDLE tx;

    EXPECT_OK(create(&tx, NULL, NULL, 0, -400 * 10000ll, NULL));
    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    usleep(500000);
    EXPECT_OUTCOME(Committed, tx);
}

/* ---- names ------------------------------------------------------------------------------------
 */

TEST(transactions_have_object_names) /* TX-CREATE-16 */
{
    UNICODE_STRING name = wide("\\tx"), bad = wide("\\"), flat = wide("tx");
    OBJECT_ATTRIBUTES named = attributes(&name, 0), open_if = attributes(&name, OBJ_OPENIF);
    OBJECT_ATTRIBUTES invalid = attributes(&bad, 0), relative = attributes(&flat, 0);
    HANDLE tx, other = untouched;

    EXPECT_OK(NtCreateTransaction(&tx, all, &named, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateTransaction(&other, all, &named, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  NtCreateTransaction(&other, all, &invalid, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD,
                  NtCreateTransaction(&other, all, &relative, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT(other == untouched);
    EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS,
                  NtCreateTransaction(&other, all, &open_if, NULL, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_GUID(guid_of_tx(tx), guid_of_tx(other));
}

TEST(the_last_close_before_commit_rolls_back) /* TX-CREATE-17 CLOSE-TX-01 OBJ-20 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE second = duplicate(party.tx, TRANSACTION_QUERY_INFORMATION);

    close_handle(party.tx);
    EXPECT_QUIET(party.rm[0]);
    close_handle(second);
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

TEST(a_transaction_is_opened_by_its_identifier) /* TX-OPEN-01 TX-OPEN-02 TX-OPEN-03 */
{
    HANDLE tm = new_volatile_tm(), bound = new_tx(tm), free_one = new_tx(NULL), found;
    GUID bound_uow = guid_of_tx(bound), free_uow = guid_of_tx(free_one), unknown = guid_number(1);

    EXPECT_OK(NtOpenTransaction(&found, all, NULL, &bound_uow, NULL));
    EXPECT_OK(NtOpenTransaction(&found, all, NULL, &bound_uow, tm));
    EXPECT_GUID(bound_uow, guid_of_tx(found));
    EXPECT_OK(NtOpenTransaction(&found, all, NULL, &free_uow, NULL));
    EXPECT_OK(NtRollbackTransaction(found, TRUE));
    EXPECT_OUTCOME(Aborted, free_one); /* the same object */
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, all, NULL, &unknown, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, NtOpenTransaction(&found, all, NULL, &unknown, tm));
}

TEST(a_transaction_of_another_tm_is_not_found) /* TX-OPEN-04 */
{
    HANDLE tm = new_volatile_tm(), other = new_volatile_tm(), found = untouched;
    GUID uow = guid_of_tx(new_tx(tm));

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, NtOpenTransaction(&found, all, NULL, &uow, other));
    EXPECT(found == untouched);
}

TEST(opening_checks_its_parameters) /* TX-OPEN-05 TX-OPEN-06 OBJ-11 OBJ-14 */
{
    UNICODE_STRING name = wide("\\tx");
    OBJECT_ATTRIBUTES named = attributes(&name, 0), unnamed = attributes(NULL, OBJ_INHERIT);
    GUID uow = guid_of_tx(new_tx(NULL)), zero = {0};
    HANDLE tx = untouched;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenTransaction(&tx, all, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenTransaction(&tx, all, NULL, &zero, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenTransaction(&tx, 0, NULL, &uow, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenTransaction(&tx, all, &named, &uow, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenTransaction(&tx, 0x80, NULL, &uow, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtOpenTransaction(NULL, all, NULL, &uow, NULL));
    EXPECT(tx == untouched);
    EXPECT_OK(NtOpenTransaction(&tx, all, &unnamed, &uow, NULL));
}

TEST(a_decided_transaction_can_be_opened) /* TX-OPEN-08 */
{
    HANDLE committed = new_tx(NULL), aborted = new_tx(NULL), tx;
    GUID uow = guid_of_tx(committed);

    EXPECT_OK(NtCommitTransaction(committed, TRUE));
    EXPECT_OK(NtRollbackTransaction(aborted, TRUE));
    EXPECT_OK(NtOpenTransaction(&tx, all, NULL, &uow, NULL));
    EXPECT_OUTCOME(Committed, tx);
    uow = guid_of_tx(aborted);
    EXPECT_OK(NtOpenTransaction(&tx, all, NULL, &uow, NULL));
    EXPECT_OUTCOME(Aborted, tx);
}

TEST(a_transaction_nobody_holds_is_gone_when_finished) /* TX-OPEN-03 TX-OPEN-08 */
{
    HANDLE tx = new_tx(NULL), found;
    GUID uow = guid_of_tx(tx);

    EXPECT_OK(NtCommitTransaction(tx, TRUE));
    close_handle(tx);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND, NtOpenTransaction(&found, all, NULL, &uow, NULL));
}
