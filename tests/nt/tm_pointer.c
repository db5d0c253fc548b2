/* SPDX-License-Identifier: MIT */
/* Objects by pointer and the Tm routines [TMR-01..26, GEN-02]. */
#include "tests/nt/kit.h"

#include <pthread.h>

#include "engine/engine.h"

#define TM_OF(handle) ((PKTM)pointer_to(handle))
#define RM_OF(handle) ((PKRESOURCEMANAGER)pointer_to(handle))
#define TX_OF(handle) ((PKTRANSACTION)pointer_to(handle))
#define EN_OF(handle) ((PKENLISTMENT)pointer_to(handle))

/* ---- references --------------------------------------------------------------------------------
 */

TEST(a_pointer_comes_from_a_handle) /* TMR-01 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    const struct {
        HANDLE handle;
        POBJECT_TYPE type;
    } rows[] = {
        {party.tm, *TmTransactionManagerObjectType},
        {party.rm[0], *TmResourceManagerObjectType},
        {party.tx, *TmTransactionObjectType},
        {party.en[0], *TmEnlistmentObjectType},
    };

    EACH (row, rows) {
        HANDLE weak = duplicate(row->handle, READ_CONTROL | 1);
        OBJECT_HANDLE_INFORMATION info;
        PVOID object = NULL, same = NULL;

        EXPECT_OK(ObReferenceObjectByHandle(row->handle, 1, row->type, KernelMode, &object, &info));
        EXPECT_OK(ObReferenceObjectByHandle(weak, 1, NULL, UserMode, &same, NULL));
        EXPECT(object && object == same);
        EXPECT_EQ(0, info.HandleAttributes);
        EXPECT(info.GrantedAccess & 1);
        EXPECT_STATUS(STATUS_ACCESS_DENIED,
                      ObReferenceObjectByHandle(weak, 2, row->type, KernelMode, &same, NULL));
        EACH (other, rows)
            if (other != row)
                EXPECT_STATUS(
                    STATUS_OBJECT_TYPE_MISMATCH,
                    ObReferenceObjectByHandle(row->handle, 0, other->type, UserMode, &same, NULL));
        EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                      ObReferenceObjectByHandle(row->handle, 0, row->type, UserMode, NULL, NULL));
        ObDereferenceObject(object);
        ObDereferenceObject(same);
    }
    EXPECT_STATUS(STATUS_INVALID_HANDLE,
                  ObReferenceObjectByHandle((HANDLE)0x7770, 0, NULL, UserMode, &(PVOID){0}, NULL));
}

TEST(a_reference_keeps_the_object_and_not_the_transaction) /* TMR-02 TMR-03 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    PKTRANSACTION tx = TX_OF(party.tx);
    GUID uow = guid_of_tx(party.tx), told;

    ObReferenceObject(tx);
    close_handle(party.tx); /* the last handle: rolled back although there are references */
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    EXPECT_OK(NtRollbackComplete(party.en[0], NULL));
    close_handle(party.en[0]);
    TmGetTransactionId(tx, &told);
    EXPECT_GUID(uow, told);
    EXPECT(!TmIsTransactionActive(tx));
    ObDereferenceObject(tx);
    TmGetTransactionId(tx, &told);
    EXPECT_GUID(uow, told);
    ObDereferenceObject(tx);
}

TEST(a_reference_by_pointer_needs_the_type) /* TMR-02 */
{
    HANDLE handle = new_tx(NULL);
    PVOID tx = pointer_to(handle);

    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  ObReferenceObjectByPointer(tx, 0, *TmEnlistmentObjectType, KernelMode));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, ObReferenceObjectByPointer(NULL, 0, NULL, KernelMode));
    EXPECT_OK(ObReferenceObjectByPointer(tx, 0, *TmTransactionObjectType, KernelMode));
    ObDereferenceObject(tx);
    ObDereferenceObject(tx);
    EXPECT_OUTCOME(Undetermined, handle);
}

TEST(a_handle_comes_from_a_pointer)
{
    struct party party = PARTY(false, 0, MASK_FULL);
    PVOID tx = pointer_to(party.tx);
    HANDLE handle = NULL;

    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                  ObOpenObjectByPointer(tx, 0, NULL, TRANSACTION_ALL_ACCESS,
                                        *TmResourceManagerObjectType, KernelMode, &handle));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  ObOpenObjectByPointer(tx, 0, NULL, 0x80, NULL, KernelMode, &handle));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ObOpenObjectByPointer(tx, 0x8000, NULL, 1, NULL, KernelMode, &handle));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  ObOpenObjectByPointer(NULL, 0, NULL, 1, NULL, KernelMode, &handle));
    EXPECT(handle == NULL);
    EXPECT_OK(ObOpenObjectByPointer(tx, OBJ_INHERIT, NULL, TRANSACTION_ALL_ACCESS,
                                    *TmTransactionObjectType, KernelMode, &handle));
    close_handle(party.tx);
    EXPECT_OUTCOME(Undetermined, handle); /* a handle like any other */
    close_handle(handle);
    EXPECT_NOTE(party.rm[0], key_number(1), ROLLBACK);
    ObDereferenceObject(tx);
}

/* ---- expired -----------------------------------------------------------------------------------
 */

TEST(pointers_expire_with_their_tm_or_rm) /* TMR-05 OBJ-21 CLOSE-RM-03 CLOSE-TM-03 */
{
    struct party by_rm = PARTY(false, 0, MASK_FULL), by_tm = PARTY(false, 0, MASK_FULL);
    PKENLISTMENT en = EN_OF(by_rm.en[0]);
    PKENLISTMENT other = EN_OF(by_tm.en[0]);
    PKTRANSACTION tx = TX_OF(by_tm.tx);
    PKRESOURCEMANAGER rm = RM_OF(by_tm.rm[0]);
    PVOID key;
    HANDLE out;

    close_handle(by_rm.rm[0]);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRollbackComplete(en, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRecoverEnlistment(en, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmReferenceEnlistmentKey(en, &key));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtRollbackComplete(by_rm.en[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  ObOpenObjectByPointer(en, 0, NULL, 1, NULL, KernelMode, &out));
    close_handle(by_rm.en[0]); /* closing works */
    close_handle(by_tm.tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmCommitTransaction(tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRollbackTransaction(tx, TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRecoverResourceManager(rm));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmPropagationComplete(rm, 0, 0, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmPrepareComplete(other, NULL));
}

TEST(handles_expire_with_their_tm_or_rm) /* OBJ-21 CLOSE-RM-03 CLOSE-TM-03 */
{
    struct party by_rm = PARTY(false, 0, MASK_FULL), by_tm = PARTY(false, 0, MASK_FULL);
    LARGE_INTEGER now = {.QuadPart = 0};
    TRANSACTION_NOTIFICATION note;
    char room[100];
    HANDLE out;

    close_handle(by_rm.rm[0]);
    close_handle(by_tm.tm);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtQueryInformationEnlistment(by_rm.en[0], EnlistmentBasicInformation, room,
                                               sizeof(room), NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtQueryInformationEnlistment(by_tm.en[0], EnlistmentBasicInformation, room,
                                               sizeof(room), NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtQueryInformationTransaction(by_tm.tx, TransactionBasicInformation, room,
                                                sizeof(room), NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtQueryInformationResourceManager(by_tm.rm[0], ResourceManagerBasicInformation,
                                                    room, sizeof(room), NULL));
    EXPECT_STATUS(
        STATUS_TRANSACTION_OBJECT_EXPIRED,
        NtGetNotificationResourceManager(by_tm.rm[0], &note, sizeof(note), &now, NULL, 0, 0));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtWaitForSingleObject(by_tm.rm[0], FALSE, &now));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtCommitTransaction(by_tm.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, NtRollbackTransaction(by_tm.tx, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtCreateEnlistment(&out, ENLISTMENT_ALL_ACCESS, by_tm.rm[0], by_rm.tx, NULL, 0,
                                     MASK_FULL, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  NtDuplicateObject(NtCurrentProcess(), by_tm.tx, NtCurrentProcess(), &out, 0, 0,
                                    DUPLICATE_SAME_ACCESS));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  ObReferenceObjectByHandle(by_tm.tx, 0, NULL, UserMode, &(PVOID){0}, NULL));
    close_handle(by_rm.en[0]);
    close_handle(by_tm.en[0]);
    close_handle(by_tm.rm[0]);
    close_handle(by_tm.tx);
}

/* ---- the twins ---------------------------------------------------------------------------------
 */

/* GEN-02 TMR-06 TMR-07 TMR-09 TMR-13 TMR-14 */
TEST(a_commit_by_pointers)
{
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx = new_tx(tm), handle = NULL;
    HANDLE weak = duplicate(tx, READ_CONTROL), weak_rm = duplicate(rm, READ_CONTROL);
    PKTRANSACTION transaction = TX_OF(weak); /* rights do not matter any more */
    PKENLISTMENT en;
    UOW uow;

    TmGetTransactionId(transaction, &uow);
    EXPECT_GUID(guid_of_tx(tx), uow);
    EXPECT_OK(TmCreateEnlistment(&handle, UserMode, READ_CONTROL, NULL, RM_OF(weak_rm), transaction,
                                 0, MASK_FULL, key_number(1)));
    en = EN_OF(handle);
    EXPECT(TmIsTransactionActive(transaction));
    EXPECT_STATUS(STATUS_PENDING, TmCommitTransaction(transaction, FALSE));
    EXPECT(!TmIsTransactionActive(transaction));
    EXPECT_STATUS(STATUS_TRANSACTION_NOT_REQUESTED, TmPrepareComplete(en, NULL));
    EXPECT_STATUS(STATUS_PENDING, TmPrePrepareComplete(en, NULL));
    EXPECT_STATUS(STATUS_PENDING, TmPrepareComplete(en, NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, TmRollbackEnlistment(en, NULL));
    EXPECT_OK(TmCommitComplete(en, NULL));
    EXPECT_OUTCOME(Committed, tx);
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, TmCommitTransaction(transaction, FALSE));
    EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_COMMITTED, TmRollbackTransaction(transaction, FALSE));
}

TEST(the_other_answers_by_pointers) /* TMR-06 TMR-09 */
{
    struct party aborted = PARTY(false, 0, MASK_FULL), read = PARTY(false, 0, MASK_FULL);
    struct party single = PARTY(false, 0, MASK_SINGLE), vetoed = PARTY(false, 0, MASK_FULL);
    LARGE_INTEGER clock = {.QuadPart = 40};

    EXPECT_STATUS(STATUS_PENDING, TmRollbackTransaction(TX_OF(aborted.tx), FALSE));
    EXPECT_OK(TmRollbackComplete(EN_OF(aborted.en[0]), &clock));
    EXPECT_EQ(40, clock_of(aborted.tm));
    EXPECT_OK(TmReadOnlyEnlistment(EN_OF(read.en[0]), NULL));
    EXPECT_OK(TmCommitTransaction(TX_OF(read.tx), TRUE));
    EXPECT_STATUS(STATUS_PENDING, TmCommitTransaction(TX_OF(single.tx), FALSE));
    EXPECT_STATUS(STATUS_PENDING, TmSinglePhaseReject(EN_OF(single.en[0]), NULL));
    EXPECT_STATUS(STATUS_PENDING, TmRollbackEnlistment(EN_OF(vetoed.en[0]), NULL));
    EXPECT_OUTCOME(Aborted, vetoed.tx);
}

TEST(the_superior_by_pointers) /* TMR-08 TMR-22 */
{
    struct party party = PARTY(false, MASK_SUPERIOR, MASK_FULL);
    PKENLISTMENT superior = EN_OF(party.superior), en = EN_OF(party.en[0]);

    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, TmPrePrepareEnlistment(en, NULL));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, TmPrepareEnlistment(en, NULL));
    EXPECT_STATUS(STATUS_ENLISTMENT_NOT_SUPERIOR, TmCommitEnlistment(en, NULL));
    EXPECT(NT_SUCCESS(TmPrePrepareEnlistment(superior, NULL)));
    party_prepreparation(&party);
    EXPECT(NT_SUCCESS(TmPrepareEnlistment(superior, NULL)));
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, TmRequestOutcomeEnlistment(superior, NULL));
    party_preparation(&party);
    EXPECT(NT_SUCCESS(TmCommitEnlistment(superior, NULL)));
    party_completion(&party);
    EXPECT_OUTCOME(Committed, party.tx);
}

TEST(enlisting_by_pointers_checks_the_rest) /* TMR-07 */
{
    HANDLE tm = new_volatile_tm(), en = NULL;
    PKRESOURCEMANAGER rm = RM_OF(new_volatile_rm(tm));
    PKTRANSACTION tx = TX_OF(new_tx(tm));

    for (int mode = -128; mode < 128; mode++)
        if (mode != KernelMode && mode != UserMode)
            EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                          TmCreateEnlistment(&en, (KPROCESSOR_MODE)mode, ENLISTMENT_ALL_ACCESS,
                                             NULL, rm, tx, 0, MASK_FULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  TmCreateEnlistment(&en, KernelMode, ENLISTMENT_ALL_ACCESS, NULL, rm, tx, 2,
                                     MASK_FULL, NULL));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        TmCreateEnlistment(&en, KernelMode, ENLISTMENT_ALL_ACCESS, NULL, rm, tx, 0, 0, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  TmCreateEnlistment(&en, KernelMode, 0x20, NULL, rm, tx, 0, MASK_FULL, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  TmCreateEnlistment(NULL, KernelMode, 1, NULL, rm, tx, 0, MASK_FULL, NULL));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION,
                  TmCreateEnlistment(&en, KernelMode, 1, NULL, NULL, tx, 0, MASK_FULL, NULL));
    EXPECT(en == NULL);
    EXPECT_OK(TmCreateEnlistment(&en, KernelMode, ENLISTMENT_ALL_ACCESS, NULL, rm, tx, 0, MASK_FULL,
                                 NULL));
}

TEST(recovering_a_tm_by_pointer) /* TMR-11 TMR-12 */
{
    HANDLE durable = attach_tm("tm"), light = new_volatile_tm();
    UNICODE_STRING path = log_name("tm");
    GUID guid = guid_of_tm(durable);
    PKTM tm = TM_OF(durable);

    EXPECT_STATUS(STATUS_TM_VOLATILE, TmRecoverTransactionManager(TM_OF(light), NULL));
    EXPECT_OK(TmRecoverTransactionManager(tm, NULL));
    EXPECT_OK(TmRecoverTransactionManager(tm, NULL));
    EXPECT_STATUS(STATUS_UNSUCCESSFUL,
                  TmRecoverTransactionManager(tm, &(LARGE_INTEGER){.QuadPart = 9}));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, TmRenameTransactionManager(&path, &guid));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TmRenameTransactionManager(NULL, &guid));
    close_handle(durable);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRecoverTransactionManager(tm, NULL));
    ObDereferenceObject(tm);
    EXPECT_OK(TmRenameTransactionManager(&path, &guid));
    EXPECT(!same_guid(guid, guid_of_tm(attach_tm("tm"))));
}

TEST(rolling_forward_by_pointer) /* TMR-11 */
{
    HANDLE tm = attach_tm("tm");

    EXPECT_OK(TmRecoverTransactionManager(TM_OF(tm), &(LARGE_INTEGER){.QuadPart = 9}));
    EXPECT_EQ(9, clock_of(tm));
}

TEST(nothing_to_initialise_in_place) /* TMR-26 */
{
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, TmInitializeTransactionManager(NULL, NULL, NULL, 1));
}

TEST(active_until_commit_or_rollback_begins) /* TMR-14 */
{
    struct party party = PARTY(false, MASK_SUPERIOR | COMMIT_REQUEST, MASK_FULL);
    HANDLE aborted = new_tx(NULL), committed = new_tx(NULL);

    EXPECT(TmIsTransactionActive(TX_OF(party.tx)));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE)); /* the superior is asked */
    EXPECT(TmIsTransactionActive(TX_OF(party.tx)));
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT(!TmIsTransactionActive(TX_OF(party.tx)));
    EXPECT_OK(NtRollbackTransaction(aborted, TRUE));
    EXPECT(!TmIsTransactionActive(TX_OF(aborted)));
    EXPECT_OK(NtCommitTransaction(committed, TRUE));
    EXPECT(!TmIsTransactionActive(TX_OF(committed)));
}

/* ---- what may be asked anywhere
 * ------------------------------------------------------------------ */

struct asked {
    PKTRANSACTION tx;
    PKENLISTMENT en;
    unsigned times;
};

static void *
ask(void *argument)
{
    struct asked *asked = argument;
    PVOID key;
    UOW uow;

    TmGetTransactionId(asked->tx, &uow);
    EXPECT(TmIsTransactionActive(asked->tx));
    EXPECT_OK(TmReferenceEnlistmentKey(asked->en, &key));
    EXPECT_OK(TmDereferenceEnlistmentKey(asked->en, NULL));
    asked->times++;
    return NULL;
}

/* Called while the engine holds the lock of the TM: whoever needs it would wait for ever. */
static void
ask_in_another_thread(void *context, const GUID *guid)
{
    pthread_t thread;

    (void)guid;
    EXPECT_EQ(0, pthread_create(&thread, NULL, ask, context));
    pthread_join(thread, NULL);
}

TEST(four_routines_wait_for_nobody) /* GEN-12 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    struct asked asked = {TX_OF(party.tx), EN_OF(party.en[0]), 0};

    EXPECT_OK(engine_enumerate(engine_instance(), pointer_to(party.tm), OBJECT_TX,
                               ask_in_another_thread, &asked));
    EXPECT_EQ(1, asked.times);
}

/* ---- callbacks ---------------------------------------------------------------------------------
 */

struct seen {
    unsigned count;
    ULONG what[10];
    PVOID key[10];
};

static NTSTATUS
remember(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
         ULONG argument_length, PVOID argument)
{
    struct seen *seen = context;

    (void)en;
    (void)clock;
    (void)argument_length;
    (void)argument;
    EXPECT(seen->count < 10);
    seen->what[seen->count] = what;
    seen->key[seen->count++] = key;
    return STATUS_SUCCESS;
}

static NTSTATUS
never(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
      ULONG argument_length, PVOID argument)
{
    (void)en;
    (void)context;
    (void)key;
    (void)clock;
    (void)argument_length;
    (void)argument;
    test_fail(__FILE__, __LINE__, "notification 0x%x to a routine that was replaced", what);
}

TEST(an_rm_has_one_callback) /* TMR-15 TMR-16 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    PKRESOURCEMANAGER rm = RM_OF(party.rm[0]);
    struct seen first = {0}, second = {0};

    EXPECT_STATUS(STATUS_UNSUCCESSFUL, TmEnableCallbacks(rm, NULL, NULL));
    EXPECT_OK(TmEnableCallbacks(rm, never, &first));
    EXPECT_OK(TmEnableCallbacks(rm, remember, &second));
    EXPECT_OK(NtRollbackTransaction(party.tx, FALSE));
    EXPECT_EQ(0, first.count);
    EXPECT_EQ(1, second.count);
    EXPECT_EQ(ROLLBACK, second.what[0]);
    EXPECT(second.key[0] == key_number(1));
    EXPECT_QUIET(party.rm[0]);
}

TEST(what_waits_in_the_queue_is_delivered_first) /* TMR-17 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    struct seen seen = {0};

    EXPECT_STATUS(STATUS_PENDING, NtRecoverResourceManager(party.rm[0]));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrePrepareComplete(party.en[0], NULL));
    EXPECT_OK(TmEnableCallbacks(RM_OF(party.rm[0]), remember, &seen));
    EXPECT_EQ(3, seen.count);
    EXPECT_EQ(LAST_RECOVER, seen.what[0]);
    EXPECT_EQ(PREPREPARE, seen.what[1]);
    EXPECT_EQ(PREPARE, seen.what[2]);
    EXPECT_QUIET(party.rm[0]);
}

/* Uses everything from inside a callback, drops references included. */
static NTSTATUS
be_busy(PKENLISTMENT en, PVOID context, PVOID key, ULONG what, PLARGE_INTEGER clock,
        ULONG argument_length, PVOID argument)
{
    struct party *party = context;
    HANDLE handle, tx;

    (void)key;
    (void)clock;
    (void)argument_length;
    (void)argument;
    EXPECT_OK(ObOpenObjectByPointer(en, 0, NULL, ENLISTMENT_ALL_ACCESS, NULL, KernelMode, &handle));
    EXPECT(same_guid(guid_of_en(handle), guid_of_en(party->en[0])));
    close_handle(handle);
    ObReferenceObject(en);
    ObDereferenceObject(en);
    tx = new_tx(party->tm);
    close_handle(tx); /* is rolled back */
    if (what == PREPREPARE)
        return TmPrePrepareComplete(en, NULL);
    if (what == PREPARE)
        return TmPrepareComplete(en, NULL);
    return TmCommitComplete(en, NULL);
}

TEST(callbacks_may_call_everything) /* TMR-04 GEN-11 NOTIF-06 */
{
    struct party party = PARTY(false, 0, MASK_FULL);

    EXPECT_OK(TmEnableCallbacks(RM_OF(party.rm[0]), be_busy, &party));
    EXPECT_OK(NtCommitTransaction(party.tx, TRUE));
    EXPECT_OUTCOME(Committed, party.tx);
}

/* ---- enlistment keys ---------------------------------------------------------------------------
 */

TEST(keys_are_counted) /* TMR-18 TMR-19 TMR-20 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    PKENLISTMENT en = EN_OF(party.en[0]);
    BOOLEAN last = 77;
    PVOID key = NULL;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TmReferenceEnlistmentKey(en, NULL));
    EXPECT_OK(TmReferenceEnlistmentKey(en, &key));
    EXPECT(key == key_number(1));
    EXPECT_OK(TmDereferenceEnlistmentKey(en, &last));
    EXPECT_EQ(FALSE, last);
    EXPECT_OK(TmReferenceEnlistmentKey(en, &key));
    EXPECT_OK(TmDereferenceEnlistmentKey(en, NULL));
    EXPECT_OK(TmDereferenceEnlistmentKey(en, &last));
    EXPECT_EQ(TRUE, last);
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, TmDereferenceEnlistmentKey(en, &last));
    EXPECT_STATUS(STATUS_UNSUCCESSFUL, TmReferenceEnlistmentKey(en, &key));
}

static void
commit_and_die(void)
{
    struct party party = PARTY(true, 0, MASK_TWO);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_PENDING, NtPrepareComplete(party.en[0], NULL));
}

TEST(recovering_gives_a_new_key) /* TMR-10 TMR-21 */
{
    GUID guid = guid_number(1);
    struct note note;
    PVOID key = NULL;
    BOOLEAN last;
    HANDLE rm, handle;
    PKENLISTMENT en;

    crash_after(commit_and_die);
    rm = new_rm(new_logged_tm("party"), &guid, 0);
    EXPECT_STATUS(STATUS_PENDING, TmRecoverResourceManager(RM_OF(rm)));
    note = EXPECT_NOTE(rm, NULL, RECOVER);
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    EXPECT_OK(
        NtOpenEnlistment(&handle, ENLISTMENT_ALL_ACCESS, rm, &note.argument.EnlistmentId, NULL));
    en = EN_OF(handle);
    EXPECT_STATUS(STATUS_PENDING, TmRecoverEnlistment(en, key_number(6)));
    EXPECT_NOTE(rm, key_number(6), COMMIT);
    EXPECT_OK(TmReferenceEnlistmentKey(en, &key));
    EXPECT(key == key_number(6));
    EXPECT_OK(TmDereferenceEnlistmentKey(en, &last));
    EXPECT_EQ(FALSE, last);
    EXPECT_OK(TmDereferenceEnlistmentKey(en, &last));
    EXPECT_EQ(TRUE, last);
}

/* ---- asking for the outcome --------------------------------------------------------------------
 */

TEST(a_prepared_rm_asks_the_superior) /* TMR-23 TMR-25 */
{
    struct party party = PARTY(false, MASK_SUPERIOR | OUTCOME_REQUEST, MASK_FULL);
    struct party quiet = PARTY(false, MASK_SUPERIOR, MASK_FULL);

    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  TmRequestOutcomeEnlistment(EN_OF(party.en[0]), NULL));
    party_prepare(&party);
    party_prepare(&quiet);
    EXPECT_OK(TmRequestOutcomeEnlistment(EN_OF(party.en[0]), NULL));
    EXPECT_NOTE(party.superior_rm, key_number(9), OUTCOME_REQUEST);
    EXPECT_OK(TmRequestOutcomeEnlistment(EN_OF(quiet.en[0]), NULL));
    EXPECT_QUIET(quiet.superior_rm); /* does not want to be asked */
    EXPECT(NT_SUCCESS(NtCommitEnlistment(party.superior, NULL)));
    EXPECT_OK(TmRequestOutcomeEnlistment(EN_OF(party.en[0]), NULL)); /* decided: no effect */
    EXPECT_QUIET(party.superior_rm);
}

TEST(asking_before_all_have_voted_aborts) /* TMR-24 */
{
    struct party party = PARTY(false, 0, MASK_FULL, MASK_FULL);

    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    party_prepreparation(&party);
    party_expect(&party, PREPARE);
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  TmRequestOutcomeEnlistment(EN_OF(party.en[1]), NULL));
    EXPECT_OK(NtPrepareComplete(party.en[0], NULL));
    EXPECT_OK(TmRequestOutcomeEnlistment(EN_OF(party.en[0]), NULL));
    EXPECT_OUTCOME(Aborted, party.tx);
    party_rollback(&party);
}
