/* SPDX-License-Identifier: MIT */
/* Transactions that span two transaction managers, through the documented routines. What crashes
 * leave of them is swept in tests/scenarios (branch-*.txt). */
#include "tests/nt/kit.h"

#include "tests/alloc.h"

struct pair {
    HANDLE tm[2], rm[2], tx, en[2]; /* keys 1, 2 */
};

static struct pair
span(bool is_durable)
{
    struct pair it;

    for (unsigned i = 0; i < 2; i++) {
        it.tm[i] = is_durable ? new_logged_tm(i ? "there" : "here") : new_volatile_tm();
        it.rm[i] = is_durable ? new_durable_rm(it.tm[i], i + 1) : new_volatile_rm(it.tm[i]);
    }
    it.tx = new_tx(NULL);
    for (unsigned i = 0; i < 2; i++)
        it.en[i] = new_en(it.rm[i], it.tx, MASK_FULL, key_number(i + 1));
    return it;
}

static void
all_answer(const struct pair *it, ULONG what, answer_routine *answer)
{
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_NOTE(it->rm[i], key_number(i + 1), what);
        EXPECT(NT_SUCCESS(answer(it->en[i], NULL)));
    }
}

static void
commit_whole(const struct pair *it)
{
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(it->tx, FALSE));
    all_answer(it, PREPREPARE, NtPrePrepareComplete);
    all_answer(it, PREPARE, NtPrepareComplete);
    all_answer(it, COMMIT, NtCommitComplete);
    EXPECT_OUTCOME(Committed, it->tx);
    EXPECT(is_signalled(it->tx));
}

TEST(a_transaction_spans_two_volatile_managers) /* BR-01 BR-06 ENL-CREATE-18 ENL-CREATE-03 */
{
    struct pair it = span(false);

    commit_whole(&it);
    EXPECT_QUIET(it.rm[0]);
    EXPECT_QUIET(it.rm[1]);
}

TEST(a_transaction_spans_two_logs) /* BR-01 BR-03 OP-36 */
{
    struct pair it = span(true);

    commit_whole(&it);
}

TEST(each_clock_is_incremented_once_and_raised_to_the_higher) /* BR-05 CLOCK-02 CLOCK-11 */
{
    struct pair it = span(false);
    LARGE_INTEGER high = {.QuadPart = 70};

    EXPECT_EQ(1, clock_of(it.tm[0]));
    EXPECT_EQ(1, clock_of(it.tm[1]));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(it.tx, FALSE));
    EXPECT_EQ(2, clock_of(it.tm[0]));
    EXPECT_EQ(2, clock_of(it.tm[1]));
    EXPECT_OK(NtPrePrepareComplete(it.en[0], NULL));
    EXPECT(NT_SUCCESS(NtPrePrepareComplete(it.en[1], &high)));
    EXPECT_EQ(70, clock_of(it.tm[1]));
    EXPECT_EQ(70, clock_of(it.tm[0]));
    high.QuadPart = 90;
    EXPECT_OK(NtPrepareComplete(it.en[1], NULL));
    EXPECT(NT_SUCCESS(NtPrepareComplete(it.en[0], &high)));
    EXPECT_EQ(90, clock_of(it.tm[0]));
    EXPECT_EQ(90, clock_of(it.tm[1]));
}

TEST(single_phase_is_not_used_over_two_managers) /* BR-05 ENL-CREATE-18 OP-10 */
{
    HANDLE here = new_volatile_tm(), rm = new_volatile_rm(new_volatile_tm()), tx = new_tx(here);
    HANDLE en = new_en(rm, tx, MASK_SINGLE, key_number(1));

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_NOTE(rm, key_number(1), PREPREPARE);
    EXPECT(NT_SUCCESS(NtPrePrepareComplete(en, NULL)));
    EXPECT_NOTE(rm, key_number(1), PREPARE);
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
    EXPECT_NOTE(rm, key_number(1), COMMIT);
    EXPECT_OK(NtCommitComplete(en, NULL));
    EXPECT_OUTCOME(Committed, tx);
}

TEST(who_must_not_be_promoted_is_not) /* BR-02 ENL-CREATE-19 TX-CREATE-10 */
{
    HANDLE rm = new_volatile_rm(new_volatile_tm()), other = new_volatile_rm(new_volatile_tm());
    HANDLE tx, en = NULL;

    EXPECT_OK(NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, NULL,
                                  TRANSACTION_DO_NOT_PROMOTE, 0, 0, NULL, NULL));
    new_en(rm, tx, MASK_FULL, NULL);
    EXPECT_STATUS(
        STATUS_TRANSACTION_REQUIRED_PROMOTION,
        NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, other, tx, NULL, 0, MASK_FULL, NULL));
    EXPECT(!en);
    new_en(rm, tx, MASK_FULL, NULL); /* of the same manager */
}

TEST(a_volatile_root_cannot_coordinate_durable_participants) /* BR-06 */
{
    HANDLE tx = new_tx(new_volatile_tm()), tm = new_logged_tm("log"), en;

    EXPECT_STATUS(STATUS_TM_VOLATILE,
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, new_durable_rm(tm, 1), tx, NULL, 0,
                                     MASK_FULL, NULL));
    /* but a volatile one of a durable manager */
    EXPECT_OK(NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, new_volatile_rm(tm), tx, NULL, 0,
                                 MASK_FULL, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
}

TEST(a_branch_has_no_superior_of_its_own) /* ENL-CREATE-15 PT-05 BR-03 */
{
    struct pair it = span(true);
    GUID uow = guid_of_tx(it.tx);
    HANDLE en, branch, fresh = new_tx(it.tm[0]);

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ROOT, /* nor when it would be the first there */
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, it.rm[1], fresh, NULL,
                                     ENLISTMENT_SUPERIOR, MASK_SUPERIOR, NULL));
    close_handle(fresh);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ROOT,
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, it.rm[1], it.tx, NULL,
                                     ENLISTMENT_SUPERIOR, MASK_SUPERIOR, NULL));
    EXPECT_OK(NtOpenTransaction(&branch, TRANSACTION_ALL_ACCESS, NULL, &uow, it.tm[1]));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_ROOT,
                  NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, it.rm[1], branch, NULL,
                                     ENLISTMENT_SUPERIOR, MASK_SUPERIOR, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_SUPERIOR_EXISTS, NtCommitTransaction(branch, TRUE));
    close_handle(branch); /* only the root's handles keep it */
    commit_whole(&it);
}

TEST(a_handle_to_the_branch_leads_to_the_root) /* BR-01 TX-ROLLBACK-01 */
{
    struct pair it = span(false);
    GUID uow = guid_of_tx(it.tx);
    HANDLE branch, third;

    EXPECT_OK(NtOpenTransaction(&branch, TRANSACTION_ALL_ACCESS, NULL, &uow, it.tm[1]));
    third = new_en(it.rm[0], branch, MASK_FULL, key_number(3));
    new_en(new_volatile_rm(new_volatile_tm()), branch, MASK_FULL, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtRollbackTransaction(branch, FALSE));
    EXPECT_OUTCOME(Aborted, it.tx);
    EXPECT_NOTE(it.rm[0], key_number(1), ROLLBACK);
    EXPECT_NOTE(it.rm[0], key_number(3), ROLLBACK);
    EXPECT_NOTE(it.rm[1], key_number(2), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(third, NULL));
}

static size_t
count_below(HANDLE root, KTMOBJECT_TYPE type)
{
    union {
        KTMOBJECT_CURSOR cursor;
        uint8_t room[20 + 16 * 20];
    } buffer;
    ULONG length;

    memset(&buffer, 0, sizeof(buffer));
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES, NtEnumerateTransactionObject(root, type, &buffer.cursor,
                                                                       sizeof(buffer), &length));
    return buffer.cursor.ObjectIdCount;
}

static size_t
transactions_below(HANDLE tm)
{
    return count_below(tm, KTMOBJECT_TRANSACTION);
}

static size_t
managers_below(HANDLE tm)
{
    return count_below(tm, KTMOBJECT_RESOURCE_MANAGER);
}

TEST(what_joins_the_halves_is_not_seen) /* TX-QUERY-06 ENUM-05 RM-OPEN-02 RM-CREATE-04 TX-OPEN-02 */
{
    struct pair it = span(false);
    GUID uow = guid_of_tx(it.tx), identity = guid_of_tm(it.tm[1]);
    union {
        TRANSACTION_ENLISTMENTS_INFORMATION info;
        uint8_t room[400];
    } list;
    const TRANSACTION_ENLISTMENT_PAIR *pairs = list.info.EnlistmentPair;
    HANDLE rm, tx;

    EXPECT_OK(NtQueryInformationTransaction(it.tx, TransactionEnlistmentInformation, &list,
                                            sizeof(list), NULL));
    EXPECT_EQ(2, list.info.NumberOfEnlistments);
    EXPECT_GUID(guid_of_en(it.en[0]), pairs[0].EnlistmentId);
    EXPECT_GUID(guid_of_en(it.en[1]), pairs[1].EnlistmentId);
    EXPECT_GUID(guid_of_rm(it.rm[1]), pairs[1].ResourceManagerId);
    EXPECT_EQ(1, transactions_below(NULL));
    EXPECT_EQ(1, transactions_below(it.tm[0]));
    EXPECT_EQ(1, transactions_below(it.tm[1]));
    EXPECT_EQ(1, managers_below(it.tm[0]));
    EXPECT_EQ(1, managers_below(it.tm[1]));
    EXPECT_STATUS(
        STATUS_RESOURCEMANAGER_NOT_FOUND,
        NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, it.tm[0], &identity, NULL));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION,
                  NtCreateResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, it.tm[0], &identity,
                                          NULL, RESOURCE_MANAGER_VOLATILE, NULL));
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL)); /* the root */
    close_handle(it.tx);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
}

TEST(nothing_is_left_of_a_transaction_over_two_managers) /* TX-QUERY-07 CLOSE-TX-01 */
{
    struct pair it = span(true);

    close_handle(it.tx);
    all_answer(&it, ROLLBACK, NtRollbackComplete);
    close_handle(it.en[0]);
    close_handle(it.en[1]);
    EXPECT_EQ(0, transactions_below(NULL));
    EXPECT_EQ(0, transactions_below(it.tm[0]));
    EXPECT_EQ(0, transactions_below(it.tm[1]));
    EXPECT_EQ(1, managers_below(it.tm[0]));
}

TEST(the_manager_of_a_branch_is_closed) /* CLOSE-TM-01 CLOSE-EN-01 CLOSE-TM-03 */
{
    struct pair it = span(false);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(it.tx, FALSE));
    close_handle(it.tm[1]);
    EXPECT_OUTCOME(Aborted, it.tx);
    EXPECT_NOTE(it.rm[0], key_number(1), PREPREPARE);
    EXPECT_NOTE(it.rm[0], key_number(1), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(it.en[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtRollbackComplete(it.en[1], NULL));
}

TEST(the_manager_of_the_root_is_closed) /* CLOSE-TM-01 CLOSE-EN-08 */
{
    struct pair it = span(false);

    close_handle(it.tm[0]);
    EXPECT_NOTE(it.rm[1], key_number(2), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(it.en[1], NULL));
    EXPECT_EQ(0, transactions_below(NULL));
}

TEST(a_transaction_spans_three_managers) /* BR-01 BR-03 */
{
    struct pair it = span(false);
    HANDLE rm = new_volatile_rm(new_volatile_tm());
    HANDLE en = new_en(rm, it.tx, MASK_FULL, key_number(3));

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(it.tx, FALSE));
    all_answer(&it, PREPREPARE, NtPrePrepareComplete);
    EXPECT_QUIET(it.rm[1]);
    EXPECT(NT_SUCCESS(NtPrePrepareComplete(en, NULL)));
    all_answer(&it, PREPARE, NtPrepareComplete);
    EXPECT_OUTCOME(Undetermined, it.tx);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, NtRollbackEnlistment(it.en[1], NULL));
    EXPECT(NT_SUCCESS(NtRollbackEnlistment(en, NULL)));
    EXPECT_OUTCOME(Aborted, it.tx);
    all_answer(&it, ROLLBACK, NtRollbackComplete);
}

TEST(an_outcome_is_asked_for_in_a_branch) /* TMR-24 ROLL-11 */
{
    struct pair it = span(false);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(it.tx, FALSE));
    all_answer(&it, PREPREPARE, NtPrePrepareComplete);
    EXPECT(NT_SUCCESS(NtPrepareComplete(it.en[1], NULL)));
    EXPECT_OK(TmRequestOutcomeEnlistment(pointer_to(it.en[1]), NULL));
    EXPECT_OUTCOME(Aborted, it.tx);
}

TEST(a_veto_in_the_branch_names_who_it_was) /* ROLL-02 */
{
    struct pair it = span(false);

    EXPECT(NT_SUCCESS(NtRollbackEnlistment(it.en[1], NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, NtCommitTransaction(it.tx, TRUE));
    all_answer(&it, ROLLBACK, NtRollbackComplete);
}

TEST(without_memory_nobody_enlists_in_a_branch) /* GEN-06 BR-01 ENL-CREATE-08 */
{
    HANDLE here = new_volatile_tm(), there = new_volatile_tm(), en;
    HANDLE rm = new_volatile_rm(there), tx = new_tx(here);

    for (uint64_t n = 1;; n++) {
        NTSTATUS status;

        alloc_fail_at(n);
        status = NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, 0, MASK_FULL,
                                    key_number(1));
        if (!alloc_fail_stop()) {
            EXPECT_OK(status);
            break;
        }
        EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
        EXPECT_QUIET(rm);
        EXPECT_EQ(0, transactions_below(there)); /* the branch is gone as if it had not been */
        EXPECT_EQ(0, managers_below(here));
        EXPECT(n < 100);
    }
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_NOTE(rm, key_number(1), PREPREPARE);
}

/* ---- what a branch has forgotten ---- */

static GUID *shared_uow;

/* Everybody has committed; the record that the branch may be forgotten is durable, that of the root
 * is not. */
static void
lose_the_forget_of_the_root(void)
{
    struct pair it = span(true);

    *shared_uow = guid_of_tx(it.tx);
    commit_whole(&it);
    close_handle(it.tm[1]); /* its log is written */
}

/* A branch that is not known any more is one that has committed: the root is not kept for it. */
TEST(a_branch_that_was_forgotten_has_committed) /* RECOV-44 BR-04 PT-41 */
{
    GUID guid = guid_number(1);
    HANDLE here, rm, en, tx;
    struct note note;

    shared_uow = shared_memory(sizeof(*shared_uow));
    crash_after(lose_the_forget_of_the_root);
    here = new_logged_tm("here");
    new_logged_tm("there");
    EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, shared_uow, here));
    EXPECT_STATE(CommittedNotify, tx);
    close_handle(tx);
    EXPECT_OK(NtOpenResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, here, &guid, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(rm));
    note = EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_OK(NtOpenEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtRecoverEnlistment(en, NULL));
    EXPECT_OK(NtCommitComplete(en, NULL));
    close_handle(en);
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, shared_uow, here));
}

/* ---- what a renamed root leaves ---- */

/* A branch that has promised, of a root that is in doubt; then the root gets another name. */
static void
rename_in_doubt(void)
{
    HANDLE here = new_logged_tm("here"), there = new_logged_tm("there"), tx = new_tx(here);
    HANDLE superior = new_superior(new_durable_rm(here, 9), tx, MASK_SUPERIOR, NULL);
    HANDLE rm = new_durable_rm(there, 2), en = new_en(rm, tx, MASK_TWO, NULL);
    GUID identity = guid_of_tm(here);
    UNICODE_STRING log = log_name("here");

    *shared_uow = guid_of_tx(tx);
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(superior, NULL)));
    EXPECT_NOTE(rm, NULL, PREPARE);
    EXPECT(NT_SUCCESS(NtPrepareComplete(en, NULL)));
    close_handle(here);
    close_handle(there);
    EXPECT_OK(NtRenameTransactionManager(&log, &identity));
}

/* Neither is what the other knows: whoever comes second cannot be recovered beside the first, and
 * the root does not take the branch, which it does not find, for one that has committed. */
TEST(a_renamed_root_has_lost_its_branches) /* TM-RENAME-02 TM-RECOVER-10 BR-04 */
{
    static const char *const orders[][2] = {{"here", "there"}, {"there", "here"}};

    shared_uow = shared_memory(sizeof(*shared_uow));
    crash_after(rename_in_doubt);
    EACH (order, orders) {
        HANDLE first = new_logged_tm((*order)[0]), second = NULL, tx;
        UNICODE_STRING log = log_name((*order)[1]);

        EXPECT_OK(
            NtOpenTransactionManager(&second, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &log, NULL, 0));
        EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION,
                      NtRecoverTransactionManager(second));
        EXPECT_OK(NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, shared_uow, first));
        EXPECT_STATE(Indoubt, tx);
        close_handle(tx);
        close_handle(second);
        close_handle(first);
    }
}
