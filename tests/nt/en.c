/* SPDX-License-Identifier: MIT */
/* Enlistments: creating, opening, information, recovery
 * [ENL-CREATE, ENL-OPEN, ENL-QUERY, ENL-SET, ENL-RECOVER]. */
#include "tests/nt/kit.h"

static const ACCESS_MASK all = ENLISTMENT_ALL_ACCESS;
static HANDLE const untouched = (HANDLE)0x1234;

static NTSTATUS
enlist(HANDLE *en, HANDLE rm, HANDLE tx, ULONG options, ULONG mask)
{
    return NtCreateEnlistment(en, all, rm, tx, NULL, options, mask, key_number(7));
}

/* ---- create -----------------------------------------------------------------------------------
 */

TEST(an_enlistment_links_an_rm_and_a_transaction) /* ENL-CREATE-01 ENL-CREATE-02 ENL-QUERY-01 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm), en = NULL, other;
    ENLISTMENT_BASIC_INFORMATION basic;
    ULONG length = 0;

    EXPECT_OK(enlist(&en, rm, tx, 0, MASK_FULL));
    EXPECT_OK(enlist(&other, rm, tx, 0, MASK_FULL));
    EXPECT_OK(NtQueryInformationEnlistment(en, EnlistmentBasicInformation, &basic, sizeof(basic),
                                           &length));
    EXPECT_EQ(48, length);
    EXPECT_GUID(guid_of_tx(tx), basic.TransactionId);
    EXPECT_GUID(guid_of_rm(rm), basic.ResourceManagerId);
    EXPECT_EQ(4, basic.EnlistmentId.Data3 >> 12); /* OBJ-17 OBJ-18 */
    EXPECT(!same_guid(basic.EnlistmentId, guid_of_en(other)));
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(tx, FALSE));
    EXPECT_NOTE(rm, key_number(7), ROLLBACK);
}

TEST(enlisting_binds_a_transaction) /* ENL-CREATE-03 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(NULL), en, found;
    GUID uow = guid_of_tx(tx);

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_OK(enlist(&en, rm, tx, 0, MASK_FULL));
    EXPECT_OK(NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_EQ(2, clock_of(tm));
}

TEST(only_defined_options_are_taken) /* ENL-CREATE-04 GEN-06 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE en = untouched;

    for (int bit = 1; bit < 32; bit++)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      enlist(&en, party.rm[0], party.tx, 1u << bit, MASK_FULL));
    EXPECT(en == untouched);
}

TEST(masks_have_rules) /* ENL-CREATE-05 */
{
    static const ULONG wrong[] = {0,
                                  COMMIT,
                                  PREPARE | ROLLBACK,
                                  ROLLBACK,
                                  SINGLE_PHASE | COMMIT | ROLLBACK,
                                  MASK_FULL | PREPARE_DONE,
                                  MASK_FULL | COMMIT_REQUEST,
                                  MASK_FULL | TRANSACTION_NOTIFY_TM_ONLINE,
                                  MASK_FULL | TRANSACTION_NOTIFY_COMMIT_FINALIZE,
                                  MASK_FULL | 0x80000000};
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(NULL), en = untouched;
    GUID uow = guid_of_tx(tx);

    EACH (mask, wrong)
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, enlist(&en, rm, tx, 0, *mask));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  enlist(&en, rm, tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR | SINGLE_PHASE));
    EXPECT(en == untouched); /* and the transaction is not bound */
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&en, TRANSACTION_ALL_ACCESS, NULL, &uow, tm));
    EXPECT_OK(enlist(&en, rm, tx, 0, 0x39ffff0f));
}

TEST(both_handles_are_checked_in_order) /* ENL-CREATE-06 GEN-04 GEN-05 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm), en = untouched;
    HANDLE weak_rm = duplicate(rm, RESOURCEMANAGER_ALL_ACCESS & ~RESOURCEMANAGER_ENLIST);
    HANDLE weak_tx = duplicate(tx, TRANSACTION_ALL_ACCESS & ~TRANSACTION_ENLIST);

    EXPECT_STATUS(STATUS_INVALID_HANDLE, enlist(&en, NULL, tx, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, enlist(&en, rm, NULL, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, enlist(&en, tx, NULL, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, enlist(&en, rm, rm, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, enlist(&en, weak_rm, NULL, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, enlist(&en, rm, weak_tx, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, enlist(&en, NULL, NULL, 2, MASK_FULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, enlist(NULL, NULL, NULL, 2, MASK_FULL));
    EXPECT(en == untouched);
}

TEST(rms_that_cannot_work_do_not_enlist) /* ENL-CREATE-09 */
{
    HANDLE tm = new_logged_tm("tm"), tx = new_tx(tm), en = untouched;
    GUID guid = guid_number(1);
    HANDLE rm = new_rm(tm, &guid, 0);

    EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, enlist(&en, rm, tx, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    EXPECT_OK(enlist(&en, rm, tx, 0, MASK_FULL));
}

TEST(a_transaction_must_be_active) /* ENL-CREATE-10 */
{
    struct party party = PARTY(false, 0, MASK_FULL), single = PARTY(false, 0, MASK_SINGLE);
    HANDLE committed = new_tx(party.tm), aborted = new_tx(party.tm), en = untouched;

    EXPECT_OK(NtCommitTransaction(committed, TRUE));
    EXPECT_OK(NtRollbackTransaction(aborted, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, enlist(&en, party.rm[0], committed, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, enlist(&en, party.rm[0], aborted, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(single.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE,
                  enlist(&en, single.rm[0], single.tx, 0, MASK_FULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, enlist(&en, party.rm[0], party.tx, 0, MASK_FULL));
    party_preparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE, enlist(&en, party.rm[0], party.tx, 0, MASK_FULL));
    EXPECT(en == untouched);
}

TEST(enlisting_during_phase_0) /* ENL-CREATE-11 ENL-CREATE-22 PT-21 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE late_rm = new_volatile_rm(party.tm), quiet_rm = new_volatile_rm(party.tm), late, quiet;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(enlist(&late, late_rm, party.tx, 0, MASK_FULL));
    EXPECT_OK(enlist(&quiet, quiet_rm, party.tx, 0, MASK_TWO));
    EXPECT_NOTE(late_rm, key_number(7), PREPREPARE);
    party_prepreparation(&party);
    EXPECT_QUIET(party.rm[0]);
    EXPECT_QUIET(quiet_rm);
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(late, NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), PREPARE);
    EXPECT_NOTE(late_rm, key_number(7), PREPARE);
    EXPECT_NOTE(quiet_rm, key_number(7), PREPARE);
}

TEST(enlisting_between_the_phases) /* ENL-CREATE-12 PT-24 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    HANDLE rm = new_volatile_rm(party.tm), en = untouched;

    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(party.superior, NULL)));
    party_prepreparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_MUST_WRITETHROUGH, enlist(&en, rm, party.tx, 0, MASK_FULL));
    EXPECT(en == untouched);
    EXPECT_OK(enlist(&en, rm, party.tx, 0, MASK_TWO));
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(party.superior, NULL)));
    EXPECT_NOTE(rm, key_number(7), PREPARE);
}

TEST(a_transaction_has_one_superior) /* ENL-CREATE-13 ENL-CREATE-16 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL), begun = PARTY(false, 0, MASK_FULL);
    HANDLE en = untouched;

    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS,
                  enlist(&en, party.rm[0], party.tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(begun.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ACTIVE,
                  enlist(&en, begun.rm[0], begun.tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR));
    EXPECT(en == untouched);
}

TEST(a_superior_of_a_durable_tm_is_durable) /* ENL-CREATE-14 VOL-05 */
{
    HANDLE tm = new_logged_tm("tm"), rm = new_volatile_rm(tm), tx = new_tx(tm), en = untouched;

    EXPECT_STATUS(STATUS_TM_VOLATILE, enlist(&en, rm, tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR));
    EXPECT(en == untouched);
    EXPECT_OK(enlist(&en, new_durable_rm(tm, 1), tx, ENLISTMENT_SUPERIOR, MASK_SUPERIOR));
}

TEST(rights_and_roles_are_checked_at_use) /* ENL-CREATE-17 ENL-RB-07 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm), en = untouched;

    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtCreateEnlistment(&en, 0x20, rm, tx, NULL, 0, MASK_FULL, NULL));
    EXPECT(en == untouched);
    /* a superior without superior rights can be made, and cannot act */
    EXPECT_OK(NtCreateEnlistment(&en, ENLISTMENT_SUBORDINATE_RIGHTS, rm, tx, NULL,
                                 ENLISTMENT_SUPERIOR, MASK_SUPERIOR, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtPrePrepareEnlistment(en, NULL));
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(en, NULL)));
}

TEST(an_rm_may_enlist_twice) /* ENL-CREATE-20 */
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm);
    HANDLE one = new_en(rm, tx, MASK_LATE, key_number(1));
    HANDLE two = new_en(rm, tx, MASK_LATE, key_number(2));

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_NOTE(rm, key_number(1), COMMIT);
    EXPECT_NOTE(rm, key_number(2), COMMIT);
    EXPECT_OK(NtCommitComplete(two, NULL));
    EXPECT(!is_signalled(tx));
    EXPECT_OK(NtCommitComplete(one, NULL));
    EXPECT(is_signalled(tx));
}

static GUID *left;

static void
enlist_and_die(void)
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx(tm);

    new_en(rm, tx, MASK_FULL, NULL);
    *left = guid_of_tx(tx);
}

TEST(creation_alone_is_not_logged) /* ENL-CREATE-21 INV-05 */
{
    HANDLE tm, found;
    GUID guid = guid_number(1);

    left = shared_memory(sizeof(*left));
    crash_after(enlist_and_die);
    tm = new_logged_tm("tm");
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&found, TRANSACTION_ALL_ACCESS, NULL, left, tm));
    EXPECT_STATUS(STATUS_RESOURCEMANAGER_NOT_FOUND,
                  NtOpenResourceManager(&found, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL));
}

/* ---- open -------------------------------------------------------------------------------------
 */

TEST(an_enlistment_is_opened_by_its_guid) /* ENL-OPEN-01 ENL-OPEN-02 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);
    GUID guid = guid_of_en(party.en[0]), unknown = guid_number(77);
    HANDLE found = untouched;

    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_FOUND,
                  NtOpenEnlistment(&found, all, party.rm[0], &unknown, NULL));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_FOUND,
                  NtOpenEnlistment(&found, all, party.rm[1], &guid, NULL));
    EXPECT(found == untouched);
    EXPECT_OK(NtOpenEnlistment(&found, all, party.rm[0], &guid, NULL));
    close_handle(party.en[0]);
    EXPECT_OUTCOME(Undetermined, party.tx); /* the other handle keeps it */
    close_handle(found);
    EXPECT_OUTCOME(Aborted, party.tx);
}

TEST(opening_checks_its_parameters) /* ENL-OPEN-03 ENL-OPEN-04 OBJ-11 OBJ-14 */
{
    UNICODE_STRING name = wide("\\en");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE weak = duplicate(party.rm[0], RESOURCEMANAGER_ENLIST), found = untouched;
    GUID guid = guid_of_en(party.en[0]);

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenEnlistment(&found, 0, party.rm[0], &guid, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenEnlistment(&found, all, party.rm[0], NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtOpenEnlistment(&found, all, party.rm[0], &guid, &named));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenEnlistment(&found, 0x20, party.rm[0], &guid, NULL));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtOpenEnlistment(&found, all, NULL, &guid, NULL));
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  NtOpenEnlistment(&found, all, party.tm, &guid, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtOpenEnlistment(&found, all, weak, &guid, NULL));
    EXPECT(found == untouched);
}

TEST(a_finished_enlistment_that_is_closed_is_gone) /* ENL-OPEN-06 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    GUID guid = guid_of_en(party.en[0]);
    HANDLE found;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_completion(&party);
    EXPECT_OK(NtOpenEnlistment(&found, all, party.rm[0], &guid, NULL));
    close_handle(found);
    close_handle(party.en[0]);
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_FOUND,
                  NtOpenEnlistment(&found, all, party.rm[0], &guid, NULL));
}

TEST(a_pointer_to_a_finished_enlistment_keeps_no_way_to_open_it) /* ENL-OPEN-06 TMR-03 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    GUID guid = guid_of_en(party.en[0]);
    void *pointer = pointer_to(party.en[0]);
    HANDLE found;

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_completion(&party);
    close_handle(party.en[0]);
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_FOUND,
                  NtOpenEnlistment(&found, all, party.rm[0], &guid, NULL));
    ObDereferenceObject(pointer);
}

/* ---- query and set ----------------------------------------------------------------------------
 */

static NTSTATUS
query(HANDLE en, int class, void *into, ULONG length, ULONG *returned)
{
    return NtQueryInformationEnlistment(en, (ENLISTMENT_INFORMATION_CLASS) class, into, length,
                                        returned);
}

static NTSTATUS
set(HANDLE en, const char *info, ULONG length)
{
    return NtSetInformationEnlistment(en, EnlistmentRecoveryInformation, (PVOID)info, length);
}

static void
expect_info(HANDLE en, const char *info)
{
    char room[100];
    ULONG length = 99;

    EXPECT_OK(query(en, EnlistmentRecoveryInformation, room, sizeof(room), &length));
    EXPECT_EQ(strlen(info), length);
    EXPECT_BYTES(info, room, length);
}

TEST(fixed_classes_want_their_size) /* ENL-QUERY-03 ENL-QUERY-06 ENL-QUERY-07 GEN-07 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    unsigned char room[100];
    ULONG length;

    memset(room, 0xaa, sizeof(room));
    for (ULONG size = 0; size < 48; size++)
        EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                      query(party.en[0], EnlistmentBasicInformation, room, size, NULL));
    EXPECT_EQ(0xaa, room[0]);
    EXPECT_OK(query(party.en[0], EnlistmentBasicInformation, room, sizeof(room), &length));
    EXPECT_EQ(48, length);
    EXPECT_EQ(0xaa, room[48]);
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  query(party.en[0], EnlistmentBasicInformation, NULL, 48, NULL));
    for (int class = 3; class < 8; class ++)
        EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                      query(party.en[0], class, room, sizeof(room), NULL));
    EXPECT_STATUS(STATUS_INVALID_INFO_CLASS, query(party.en[0], -1, room, sizeof(room), NULL));
}

TEST(an_enlistment_that_is_no_branch) /* ENL-QUERY-05 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    ENLISTMENT_CRM_INFORMATION crm;

    EXPECT_STATUS(STATUS_NOT_FOUND,
                  query(party.en[0], EnlistmentCrmInformation, &crm, sizeof(crm), NULL));
}

TEST(recovery_information_is_kept) /* ENL-QUERY-02 ENL-QUERY-03 ENL-QUERY-04 ENL-SET-01 ENL-SET-04
                                      OP-22 */
{
    struct party party = PARTY(true, 0, MASK_FULL);
    unsigned char room[8];
    ULONG length = 99;

    EXPECT_OK(query(party.en[0], EnlistmentRecoveryInformation, NULL, 0, &length));
    EXPECT_EQ(0, length);
    EXPECT_OK(set(party.en[0], "first version", 13));
    expect_info(party.en[0], "first version");
    EXPECT_OK(set(party.en[0], "second", 6)); /* replaces all of it */
    expect_info(party.en[0], "second");
    memset(room, 0xaa, sizeof(room));
    for (ULONG size = 0; size < 6; size++) {
        EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL,
                      query(party.en[0], EnlistmentRecoveryInformation, room, size, &length));
        EXPECT_EQ(6, length);
        EXPECT_EQ(0xaa, room[0]);
    }
    EXPECT_OK(query(party.en[0], EnlistmentRecoveryInformation, room, 6, &length));
    EXPECT_OK(set(party.en[0], NULL, 0)); /* clears it */
    expect_info(party.en[0], "");
}

TEST(recovery_information_needs_a_log) /* ENL-QUERY-11 ENL-SET-08 VOL-06 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE tm = new_logged_tm("tm"), en = new_en(new_volatile_rm(tm), new_tx(tm), MASK_FULL, NULL);
    char room[10];

    EXPECT_STATUS(STATUS_TM_VOLATILE, set(party.en[0], "x", 1));
    EXPECT_STATUS(STATUS_TM_VOLATILE,
                  query(party.en[0], EnlistmentRecoveryInformation, room, sizeof(room), NULL));
    EXPECT_OK(set(en, "in memory", 9)); /* a volatile RM of a durable TM */
    expect_info(en, "in memory");
}

TEST(only_recovery_information_can_be_set) /* ENL-SET-03 */
{
    struct party party = PARTY(true, 0, MASK_FULL);
    char room[48] = "";

    for (int class = -1; class < 5; class ++)
        if (class != EnlistmentRecoveryInformation)
            EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                          NtSetInformationEnlistment(party.en[0],
                                                     (ENLISTMENT_INFORMATION_CLASS) class, room,
                                                     sizeof(room)));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, set(party.en[0], NULL, 5));
}

TEST(recovery_information_may_be_32_kilobytes_long) /* ENL-SET-09 ENL-SET-04 */
{
    struct party party = PARTY(true, 0, MASK_FULL);
    char *much = calloc(1, 64 << 20), *back = malloc(32768);
    ULONG length;

    memset(much, 'm', 32768);
    EXPECT_OK(set(party.en[0], much, 32768));
    EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH, set(party.en[0], much, 64 << 20));
    EXPECT_OK(query(party.en[0], EnlistmentRecoveryInformation, back, 32768, &length));
    EXPECT_EQ(32768, length);
    EXPECT_BYTES(much, back, length);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    party_completion(&party);
    free(much);
    free(back);
}

/* Each is short enough, all together are not: nobody could write the record. */
TEST(recovery_information_of_all_may_be_too_long) /* ENL-SET-09 TX-COMMIT-24 */
{
    struct party party = PARTY(true, 0, MASK_TWO, MASK_TWO, MASK_TWO);
    char *much = calloc(1, 120 << 10);
    struct call *commit;

    for (int i = 0; i < 3; i++)
        EXPECT_OK(set(party.en[i], much, 120 << 10));
    commit = call_commit(party.tx);
    EXPECT(call_is_running(commit));
    party_preparation(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_RECORD_TOO_LONG, call_result(commit));
    EXPECT_OUTCOME(Aborted, party.tx);
    party_rollback(&party);
    free(much);
    EXPECT_OK(NtCommitTransaction(new_tx(party.tm), TRUE)); /* the TM goes on */
}

TEST(recovery_information_can_be_set_until_the_end) /* ENL-SET-10 */
{
    struct party party = PARTY(true, 0, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(set(party.en[0], "flushing", 8));
    party_prepreparation(&party);
    EXPECT_OK(set(party.en[0], "preparing", 9));
    party_preparation(&party);
    EXPECT_OK(set(party.en[0], "committing", 10));
    expect_info(party.en[0], "committing");
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, set(party.en[0], "too late", 8));
    expect_info(party.en[0], "committing");
}

/* ---- recover ----------------------------------------------------------------------------------
 */

static void
commit_and_die(void)
{
    struct party party = PARTY(true, 0, MASK_FULL, MASK_FULL);

    EXPECT_OK(set(party.en[0], "what I need to know", 19));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_OK(NtCommitComplete(party.en[1], NULL)); /* one of the two */
}

/* The first RM of the crashed party and its enlistment, not yet recovered. */
static void
recovered(HANDLE *rm, HANDLE *en, const char *log, unsigned number)
{
    HANDLE tm = new_logged_tm(log);
    GUID guid = guid_number(number);
    struct note note;

    *rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(*rm));
    note = EXPECT_NOTE(*rm, NULL, RECOVER);
    EXPECT_NOTE(*rm, NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(en, all, *rm, &note.argument.EnlistmentId, NULL));
}

/* ENL-RECOVER-01 ENL-RECOVER-03 ENL-RECOVER-04 ENL-RECOVER-10 ENL-QUERY-02 ENL-SET-02 RECOV-24 */
TEST(an_rm_is_told_of_the_commit_after_a_crash)
{
    HANDLE rm, en;

    crash_after(commit_and_die);
    recovered(&rm, &en, "party", 1);
    expect_info(en, "what I need to know");
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(3)));
    EXPECT_NOTE(rm, key_number(3), COMMIT);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRecoverEnlistment(en, key_number(4)));
    EXPECT_OK(NtCommitComplete(en, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRecoverEnlistment(en, key_number(4)));
}

TEST(an_rm_needs_no_key) /* ENL-RECOVER-03 */
{
    HANDLE rm, en;

    crash_after(commit_and_die);
    recovered(&rm, &en, "party", 1);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, NULL));
    EXPECT_NOTE(rm, NULL, COMMIT);
}

static void
all_complete_and_die(void)
{
    struct party party = PARTY(true, 0, MASK_FULL, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_preparation(&party);
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
}

TEST(a_commit_may_be_told_twice) /* ENL-RECOVER-11 ENL-CC-06 ENL-CC-01 */
{
    HANDLE tm, rm, en;
    GUID guid = guid_number(1);
    struct note note;

    crash_after(all_complete_and_die);
    tm = new_logged_tm("party");
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    /* whether the first answer is remembered is open; if not, COMMIT comes again and is answered */
    EXPECT(note_next(rm, &note));
    if (note.what == RECOVER) {
        EXPECT_OK(NtOpenEnlistment(&en, all, rm, &note.argument.EnlistmentId, NULL));
        EXPECT_NOTE(rm, NULL, LAST_RECOVER);
        EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, NULL));
        EXPECT_NOTE(rm, NULL, COMMIT);
        EXPECT_OK(NtCommitComplete(en, NULL));
    } else {
        EXPECT_EQ(LAST_RECOVER, note.what);
    }
}

TEST(living_enlistments_are_not_recovered) /* ENL-RECOVER-05 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  NtRecoverEnlistment(party.en[0], key_number(1)));
    party_prepare(&party);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  NtRecoverEnlistment(party.en[0], key_number(1)));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  NtRecoverEnlistment(party.en[0], key_number(1)));
}

TEST(an_enlistment_is_recovered_after_its_rm) /* ENL-RECOVER-05 */
{
    HANDLE tm, rm, en;
    GUID guid = guid_number(1);
    union {
        KTMOBJECT_CURSOR cursor;
        char room[100];
    } list = {0};
    ULONG length;

    crash_after(commit_and_die);
    tm = new_logged_tm("party");
    rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(rm, KTMOBJECT_ENLISTMENT, &list.cursor, sizeof(list),
                                               &length));
    EXPECT_EQ(1, list.cursor.ObjectIdCount);
    EXPECT_OK(NtOpenEnlistment(&en, all, rm, &list.cursor.ObjectIds[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRecoverEnlistment(en, NULL));
}

/* ---- in doubt ---------------------------------------------------------------------------------
 */

static ULONG *mask_left;

static void
prepare_and_die(void)
{
    struct party party = PARTY(true, MASK_SUPERIOR, *mask_left);

    party_prepare(&party);
}

/* The superior's enlistment after a crash, its RM recovered. */
static HANDLE
recovered_superior(HANDLE tm, HANDLE *rm)
{
    GUID guid = guid_number(9);
    struct note note;
    HANDLE en;

    *rm = new_rm(tm, &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(*rm));
    note = EXPECT_NOTE(*rm, NULL, RECOVER_QUERY);
    EXPECT_NOTE(*rm, NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, all, *rm, &note.argument.EnlistmentId, NULL));
    return en;
}

/* ENL-RECOVER-01 ENL-RECOVER-02 ENL-RECOVER-09 ENL-RECOVER-10 ENL-CE-03 RECOV-26 */
TEST(in_doubt_until_the_superior_says)
{
    HANDLE rm, en, superior_rm, superior, tm;
    UNICODE_STRING path = log_name("party");

    mask_left = shared_memory(sizeof(*mask_left));
    *mask_left = MASK_FULL | INDOUBT;
    crash_after(prepare_and_die);
    recovered(&rm, &en, "party", 1);
    EXPECT_OK(NtOpenTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, NULL, 0));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(1)));
    EXPECT_NOTE(rm, key_number(1), INDOUBT);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(2)));
    EXPECT_NOTE(rm, key_number(2), INDOUBT);
    superior = recovered_superior(tm, &superior_rm);
    EXPECT(NT_SUCCESS(NtRecoverEnlistment(superior, key_number(9))));
    EXPECT_QUIET(superior_rm);
    EXPECT_QUIET(rm);
    EXPECT(NT_SUCCESS(NtCommitEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, key_number(2), COMMIT);
    EXPECT_OK(NtCommitComplete(en, NULL));
    EXPECT_NOTE(superior_rm, key_number(9), COMMIT_DONE);
}

/* It was sent RECOVER and has a handle, but has not asked: it hears of the outcome when it does. */
TEST(an_outcome_is_not_told_before_it_is_asked_for) /* RECOV-28 PT-38 PT-43 */
{
    struct party party = PARTY(true, MASK_SUPERIOR, MASK_FULL);
    GUID rm = guid_of_rm(party.rm[0]), en = guid_of_en(party.en[0]);

    party_prepare(&party);
    close_handle(party.rm[0]);
    EXPECT_OK(NtOpenResourceManager(&party.rm[0], RESOURCEMANAGER_ALL_ACCESS, party.tm, &rm, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(party.rm[0]));
    EXPECT_NOTE(party.rm[0], NULL, RECOVER);
    EXPECT_NOTE(party.rm[0], NULL, LAST_RECOVER);
    EXPECT_OK(NtOpenEnlistment(&party.en[0], ENLISTMENT_ALL_ACCESS, party.rm[0], &en, NULL));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_QUIET(party.rm[0]);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, NtCommitComplete(party.en[0], NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(party.en[0], key_number(4)));
    EXPECT_NOTE(party.rm[0], key_number(4), COMMIT);
}

TEST(the_superior_says_no) /* ENL-RECOVER-01 ENL-RECOVER-12 RECOV-25 */
{
    HANDLE rm, en, superior_rm, superior, tm;
    UNICODE_STRING path = log_name("party");

    mask_left = shared_memory(sizeof(*mask_left));
    *mask_left = MASK_FULL; /* INDOUBT is not asked for */
    crash_after(prepare_and_die);
    recovered(&rm, &en, "party", 1);
    EXPECT_OK(NtOpenTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, NULL, 0));
    EXPECT_OK(NtRecoverEnlistment(en, key_number(1)));
    EXPECT_QUIET(rm);
    superior = recovered_superior(tm, &superior_rm);
    EXPECT(NT_SUCCESS(NtRecoverEnlistment(superior, key_number(9))));
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, key_number(1), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(en, NULL));
    EXPECT_NOTE(superior_rm, key_number(9), ROLLBACK_DONE);
}

TEST(an_outcome_decided_meanwhile_is_told_at_recovery) /* ENL-RECOVER-01 ENL-CE-04 */
{
    HANDLE rm, en, superior_rm, superior, tm;
    UNICODE_STRING path = log_name("party");

    mask_left = shared_memory(sizeof(*mask_left));
    *mask_left = MASK_FULL;
    crash_after(prepare_and_die);
    recovered(&rm, &en, "party", 1);
    EXPECT_OK(NtOpenTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, NULL, 0));
    superior = recovered_superior(tm, &superior_rm);
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(superior, NULL)));
    EXPECT_QUIET(rm);
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, key_number(1)));
    EXPECT_NOTE(rm, key_number(1), ROLLBACK);
}
