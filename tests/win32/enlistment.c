/* SPDX-License-Identifier: MIT */
/* Enlistments by their Win32 names. */
#include "tests/win32/kit.h"

#define PREPREPARE  TRANSACTION_NOTIFY_PREPREPARE
#define SINGLE      TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT
#define MASK_SINGLE (MASK_TWO | PREPREPARE | SINGLE)
#define MASK_ABOVE                                                                                 \
    (ROLLBACK | TRANSACTION_NOTIFY_PREPREPARE_COMPLETE | TRANSACTION_NOTIFY_PREPARE_COMPLETE |     \
     TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE)

/* ---- create, open, recover ---- */

TEST(the_mask_comes_before_the_options) /* W32-EN-01 W32-EN-03 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx();

    /* Were they exchanged, the first would be a superior, and the second ask for option 6. */
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER,
                     CreateEnlistment(NULL, rm, tx, ENLISTMENT_SUPERIOR, MASK_ABOVE, NULL));
    CREATED(CreateEnlistment(NULL, rm, tx, MASK_ABOVE, ENLISTMENT_SUPERIOR, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateEnlistment(NULL, rm, tx, MASK_LATE, 2, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, CreateEnlistment(NULL, rm, tx, 0, 0, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_HANDLE, CreateEnlistment(NULL, tx, rm, MASK_LATE, 0, NULL));
}

TEST(without_the_bit_nobody_commits_in_one_phase) /* W32-EN-02 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx();

    new_en(rm, tx, MASK_TWO, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, PREPARE);
    tx = new_tx();
    new_en(rm, tx, MASK_SINGLE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, SINGLE);
}

TEST(the_key_is_handed_back) /* W32-EN-03 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx();
    int mine;

    new_en(rm, tx, MASK_LATE, &mine);
    new_en(rm, tx, MASK_LATE, NULL);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, &mine, COMMIT);
    EXPECT_NOTE(rm, NULL, COMMIT);
}

TEST(an_enlistment_is_opened_by_its_identifier) /* W32-EN-04 W32-EN-06 */
{
    HANDLE rm = new_rm(new_tm()), en = new_en(rm, new_tx(), MASK_LATE, NULL), opened;
    HANDLE blind = with_rights(en, ENLISTMENT_RECOVER);
    GUID id, same, unknown = guid_number(1);

    EXPECT_DONE(GetEnlistmentId(en, &id));
    opened = OPENED(OpenEnlistment(ENLISTMENT_QUERY_INFORMATION, rm, &id));
    EXPECT_EQ(ENLISTMENT_QUERY_INFORMATION, rights_of(opened).GrantedAccess);
    EXPECT_DONE(GetEnlistmentId(opened, &same));
    EXPECT(same_guid(id, same));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenEnlistment(ENLISTMENT_ALL_ACCESS, rm, NULL));
    EXPECT_NO_HANDLE(ERROR_INVALID_PARAMETER, OpenEnlistment(0, rm, &id));
    EXPECT_NO_HANDLE(ERROR_ENLISTMENT_NOT_FOUND,
                     OpenEnlistment(ENLISTMENT_ALL_ACCESS, rm, &unknown));
    EXPECT_ERROR(ERROR_ACCESS_DENIED, GetEnlistmentId(blind, &id));
    EXPECT_ERROR(ERROR_NOACCESS, GetEnlistmentId(en, NULL));
}

/* What an RM finds when it comes back: RECOVER, with the identifiers. */
static GUID
recovered_enlistment(HANDLE rm)
{
    struct {
        TRANSACTION_NOTIFICATION note;
        TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument;
    } buffer;

    EXPECT_DONE(RecoverResourceManager(rm));
    EXPECT_DONE(GetNotificationResourceManager(rm, &buffer.note, sizeof(buffer), 0, NULL));
    EXPECT_EQ(TRANSACTION_NOTIFY_RECOVER, buffer.note.TransactionNotification);
    EXPECT_NOTE(rm, NULL, TRANSACTION_NOTIFY_LAST_RECOVER);
    return buffer.argument.EnlistmentId;
}

TEST(an_enlistment_recovers_with_its_information) /* W32-EN-05 W32-EN-07 */
{
    HANDLE tm = new_logged_tm("tm"), rm = new_durable_rm(tm, 1), tx = new_tx();
    HANDLE en = new_en(rm, tx, MASK_TWO, NULL);
    GUID guid = guid_number(1), id;
    char text[20] = "";
    ULONG used = 0;
    int key;

    EXPECT_DONE(SetEnlistmentRecoveryInformation(en, 5, "hello"));
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, PREPARE);
    EXPECT_DONE(PrepareComplete(en, NULL));
    EXPECT_DONE(CloseHandle(en));
    EXPECT_DONE(CloseHandle(rm));
    rm = OPENED(OpenResourceManager(RESOURCEMANAGER_ALL_ACCESS, tm, &guid));
    id = recovered_enlistment(rm);
    en = OPENED(OpenEnlistment(ENLISTMENT_ALL_ACCESS, rm, &id));
    EXPECT_DONE(RecoverEnlistment(en, &key));
    EXPECT_NOTE(rm, &key, COMMIT);
    EXPECT_ERROR(122, GetEnlistmentRecoveryInformation(en, 4, text, &used));
    EXPECT_EQ(5, used);
    EXPECT_DONE(GetEnlistmentRecoveryInformation(en, sizeof(text), text, NULL));
    EXPECT_TEXT("hello", text);
    EXPECT_DONE(CommitComplete(en, NULL));
}

TEST(a_volatile_tm_keeps_no_information) /* W32-EN-07 */
{
    HANDLE en = new_en(new_rm(new_tm()), new_tx(), MASK_TWO, NULL);
    char text[4] = "";

    EXPECT_ERROR(6828, SetEnlistmentRecoveryInformation(en, 3, text));
    EXPECT_ERROR(6828, GetEnlistmentRecoveryInformation(en, 3, text, NULL));
}

/* ---- requests and answers ---- */

typedef BOOL WINAPI request(HANDLE, PLARGE_INTEGER);

TEST(a_superior_drives_all_phases) /* W32-EN-08 */
{
    HANDLE tm = new_tm(), above = new_rm(tm), below = new_rm(tm), tx = new_tx(), superior, en;

    superior = CREATED(CreateEnlistment(NULL, above, tx, MASK_ABOVE, ENLISTMENT_SUPERIOR, NULL));
    en = new_en(below, tx, MASK_TWO | PREPREPARE, NULL);
    EXPECT_DONE(PrePrepareEnlistment(superior, NULL));
    EXPECT_NOTE(below, NULL, PREPREPARE);
    EXPECT_DONE(PrePrepareComplete(en, NULL));
    EXPECT_NOTE(above, NULL, TRANSACTION_NOTIFY_PREPREPARE_COMPLETE);
    EXPECT_DONE(PrepareEnlistment(superior, NULL));
    EXPECT_NOTE(below, NULL, PREPARE);
    EXPECT_DONE(PrepareComplete(en, NULL));
    EXPECT_NOTE(above, NULL, TRANSACTION_NOTIFY_PREPARE_COMPLETE);
    EXPECT_DONE(CommitEnlistment(superior, NULL));
    EXPECT_NOTE(below, NULL, COMMIT);
    EXPECT_DONE(CommitComplete(en, NULL));
    EXPECT_NOTE(above, NULL, TRANSACTION_NOTIFY_COMMIT_COMPLETE);
    EXPECT_EQ(TransactionOutcomeCommitted, outcome_of(tx));
}

TEST(only_a_superior_asks) /* W32-EN-08 */
{
    static request *const requests[] = {PrePrepareEnlistment, PrepareEnlistment, CommitEnlistment};
    HANDLE en = new_en(new_rm(new_tm()), new_tx(), MASK_TWO, NULL);

    EACH (ask, requests)
        EXPECT_ERROR(6820, (*ask)(en, NULL));
}

TEST(an_enlistment_rolls_back_until_it_is_prepared) /* W32-EN-09 W32-EN-10 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), en = new_en(rm, tx, MASK_TWO, NULL);

    EXPECT_DONE(RollbackEnlistment(en, NULL));
    EXPECT_NOTE(rm, NULL, ROLLBACK);
    EXPECT_DONE(RollbackComplete(en, NULL));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));

    tx = new_tx();
    en = new_en(rm, tx, MASK_TWO, NULL);
    new_en(rm, tx, MASK_TWO, &tx);
    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, PREPARE);
    EXPECT_DONE(PrepareComplete(en, NULL));
    EXPECT_ERROR(ERROR_TRANSACTION_REQUEST_NOT_VALID, RollbackEnlistment(en, NULL));

    tx = new_tx();
    en = new_en(rm, tx, MASK_TWO, NULL);
    EXPECT_DONE(ReadOnlyEnlistment(en, NULL));
    EXPECT_ERROR(ERROR_TRANSACTION_REQUEST_NOT_VALID, RollbackEnlistment(en, NULL));
}

TEST(a_single_phase_may_be_declined) /* W32-EN-10 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), en = new_en(rm, tx, MASK_SINGLE, NULL);

    EXPECT(CommitTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, SINGLE);
    EXPECT_DONE(SinglePhaseReject(en, NULL));
    EXPECT_NOTE(rm, NULL, PREPREPARE);
}

TEST(nobody_answers_what_was_not_asked) /* W32-EN-10 */
{
    static request *const answers[] = {PrePrepareComplete, PrepareComplete, CommitComplete,
                                       RollbackComplete, SinglePhaseReject};
    HANDLE en = new_en(new_rm(new_tm()), new_tx(), MASK_SINGLE, NULL);

    EACH (answer, answers) {
        EXPECT_ERROR(6703, (*answer)(en, NULL));
        EXPECT_ERROR(ERROR_INVALID_HANDLE, (*answer)(NULL, NULL));
        EXPECT_ERROR(ERROR_ACCESS_DENIED,
                     (*answer)(with_rights(en, ENLISTMENT_QUERY_INFORMATION), NULL));
    }
}

TEST(a_greater_clock_becomes_the_tms) /* W32-EN-11 */
{
    static request *const both[] = {ReadOnlyEnlistment, RollbackEnlistment};
    HANDLE tm = new_tm(), rm = new_rm(tm);
    LARGE_INTEGER clock, now;
    HANDLE en[3];

    EACH (answer, both) {
        EACH (one, en)
            *one = new_en(rm, new_tx(), MASK_TWO, NULL);
        EXPECT_DONE(GetCurrentClockTransactionManager(tm, &clock));
        EXPECT_DONE((*answer)(en[0], NULL));
        EXPECT_DONE(GetCurrentClockTransactionManager(tm, &now));
        EXPECT_EQ(clock.QuadPart, now.QuadPart);
        clock.QuadPart += 100;
        EXPECT_DONE((*answer)(en[1], &clock));
        EXPECT_DONE(GetCurrentClockTransactionManager(tm, &now));
        EXPECT_EQ(clock.QuadPart, now.QuadPart);
        clock.QuadPart -= 50;
        EXPECT_DONE((*answer)(en[2], &clock));
        EXPECT_DONE(GetCurrentClockTransactionManager(tm, &clock));
        EXPECT_EQ(now.QuadPart, clock.QuadPart);
    }
}

TEST(who_cannot_undo_has_no_answer_for_it) /* W32-EN-12 */
{
    HANDLE rm = new_rm(new_tm()), tx = new_tx(), en = new_en(rm, tx, MASK_TWO, NULL);

    EXPECT(RollbackTransactionAsync(tx));
    EXPECT_NOTE(rm, NULL, ROLLBACK);
    EXPECT(RollbackTransactionAsync(tx)); /* what the documentation advises */
    EXPECT_QUIET(rm);
    EXPECT_DONE(RollbackComplete(en, NULL));
    EXPECT_EQ(TransactionOutcomeAborted, outcome_of(tx));
}
