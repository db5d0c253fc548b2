/* SPDX-License-Identifier: MIT */
/*
 * Every handle argument of every routine: no handle, a stale one, one of each other kind, one
 * without the right, one with nothing but the right [GEN-04, ktm-types.md section 5.7].
 */
#include "tests/nt/kit.h"

/* What the calls use besides the handle in question. */
static struct party party;
static HANDLE unbound;
static GUID unknown;
static HANDLE out;
static union {
    TRANSACTION_NOTIFICATION note;
    TRANSACTION_PROPERTIES_INFORMATION properties;
    RESOURCEMANAGER_COMPLETION_INFORMATION port;
    TRANSACTION_BIND_INFORMATION bind;
    KTMOBJECT_CURSOR cursor;
    char bytes[200];
} room;
static ULONG length;
static LARGE_INTEGER now;

enum { TM, RM, TX, EN, KINDS };

#define CALL(title, expression)                                                                    \
    static NTSTATUS call_##title(HANDLE h)                                                         \
    {                                                                                              \
        return expression;                                                                         \
    }

CALL(RecoverTransactionManager, NtRecoverTransactionManager(h))
CALL(RollforwardTransactionManager, NtRollforwardTransactionManager(h, NULL))
CALL(QueryInformationTransactionManager,
     NtQueryInformationTransactionManager(h, TransactionManagerBasicInformation, &room, 200, NULL))
CALL(SetInformationTransactionManager,
     NtSetInformationTransactionManager(h, TransactionManagerOnlineProbeInformation, NULL, 0))
CALL(CreateResourceManager,
     NtCreateResourceManager(&out, 1, h, &unknown, NULL, RESOURCE_MANAGER_VOLATILE, NULL))
CALL(OpenResourceManager, NtOpenResourceManager(&out, 1, h, &unknown, NULL))
CALL(CreateTransaction, NtCreateTransaction(&out, 1, NULL, NULL, h, 0, 0, 0, NULL, NULL))
CALL(OpenTransaction, NtOpenTransaction(&out, 1, NULL, &unknown, h))
CALL(EnumerateResourceManagers,
     NtEnumerateTransactionObject(h, KTMOBJECT_RESOURCE_MANAGER, &room.cursor, 200, &length))
CALL(EnumerateTransactions,
     NtEnumerateTransactionObject(h, KTMOBJECT_TRANSACTION, &room.cursor, 200, &length))
CALL(EnumerateEnlistments,
     NtEnumerateTransactionObject(h, KTMOBJECT_ENLISTMENT, &room.cursor, 200, &length))
CALL(BindTransaction, (room.bind.TmHandle = h,
                       NtSetInformationTransaction(unbound, TransactionBindInformation, &room, 8)))
CALL(QueryInformationTransaction,
     NtQueryInformationTransaction(h, TransactionBasicInformation, &room, 200, NULL))
CALL(SetInformationTransaction,
     (memset(&room, 0, sizeof(room)),
      NtSetInformationTransaction(h, TransactionPropertiesInformation, &room, 32)))
CALL(CommitTransaction, NtCommitTransaction(h, FALSE))
CALL(RollbackTransaction, NtRollbackTransaction(h, FALSE))
CALL(RecoverResourceManager, NtRecoverResourceManager(h))
CALL(GetNotificationResourceManager,
     NtGetNotificationResourceManager(h, &room.note, 200, &now, NULL, 0, 0))
CALL(QueryInformationResourceManager,
     NtQueryInformationResourceManager(h, ResourceManagerBasicInformation, &room, 200, NULL))
CALL(SetInformationResourceManager,
     NtSetInformationResourceManager(h, ResourceManagerCompletionInformation, &room, 16))
CALL(RegisterProtocolAddressInformation,
     NtRegisterProtocolAddressInformation(h, &unknown, 0, NULL, 0))
CALL(PropagationComplete, NtPropagationComplete(h, 0, 0, NULL))
CALL(PropagationFailed, NtPropagationFailed(h, 0, STATUS_UNSUCCESSFUL))
CALL(EnlistByRm, NtCreateEnlistment(&out, 1, h, party.tx, NULL, 0, MASK_FULL, NULL))
CALL(EnlistInTx, NtCreateEnlistment(&out, 1, party.rm[0], h, NULL, 0, MASK_FULL, NULL))
CALL(OpenEnlistment, NtOpenEnlistment(&out, 1, h, &unknown, NULL))
CALL(QueryInformationEnlistment,
     NtQueryInformationEnlistment(h, EnlistmentBasicInformation, &room, 200, NULL))
CALL(SetInformationEnlistment,
     NtSetInformationEnlistment(h, EnlistmentRecoveryInformation, &room, 4))
CALL(RecoverEnlistment, NtRecoverEnlistment(h, NULL))
CALL(PrePrepareEnlistment, NtPrePrepareEnlistment(h, NULL))
CALL(PrepareEnlistment, NtPrepareEnlistment(h, NULL))
CALL(CommitEnlistment, NtCommitEnlistment(h, NULL))
CALL(RollbackEnlistment, NtRollbackEnlistment(h, NULL))
CALL(PrePrepareComplete, NtPrePrepareComplete(h, NULL))
CALL(PrepareComplete, NtPrepareComplete(h, NULL))
CALL(CommitComplete, NtCommitComplete(h, NULL))
CALL(RollbackComplete, NtRollbackComplete(h, NULL))
CALL(ReadOnlyEnlistment, NtReadOnlyEnlistment(h, NULL))
CALL(SinglePhaseReject, NtSinglePhaseReject(h, NULL))

#define ROW(name, kind, right)                                                                     \
    {                                                                                              \
#name, call_##name, kind, right                                                            \
    }

/* clang-format off: a table */
static const struct row {
    const char *name;
    NTSTATUS (*call)(HANDLE);
    int kind;
    ACCESS_MASK right;
} rows[] = {
    /* TM-RECOVER-03 TM-RECOVER-04 TM-RECOVER-05 TM-ROLLFWD-04 TM-ROLLFWD-05 TM-ROLLFWD-06 */
    ROW(RecoverTransactionManager, TM, TRANSACTIONMANAGER_RECOVER),
    ROW(RollforwardTransactionManager, TM, TRANSACTIONMANAGER_RECOVER),
    /* TM-QUERY-10 TM-QUERY-11 TM-QUERY-12 TM-SET-04 */
    ROW(QueryInformationTransactionManager, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(SetInformationTransactionManager, TM, TRANSACTIONMANAGER_SET_INFORMATION),
    /* RM-CREATE-10 RM-OPEN-06 TX-CREATE-06 TX-OPEN-07 ENUM-09 TX-SET-11 */
    ROW(CreateResourceManager, TM, TRANSACTIONMANAGER_CREATE_RM),
    ROW(OpenResourceManager, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(CreateTransaction, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(OpenTransaction, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(EnumerateResourceManagers, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(EnumerateTransactions, TM, TRANSACTIONMANAGER_QUERY_INFORMATION),
    ROW(EnumerateEnlistments, RM, RESOURCEMANAGER_QUERY_INFORMATION),
    ROW(BindTransaction, TM, TRANSACTIONMANAGER_BIND_TRANSACTION),
    /* TX-QUERY-13 TX-QUERY-14 TX-QUERY-15 TX-SET-07 TX-SET-08 TX-SET-09 */
    ROW(QueryInformationTransaction, TX, TRANSACTION_QUERY_INFORMATION),
    ROW(SetInformationTransaction, TX, TRANSACTION_SET_INFORMATION),
    /* TX-COMMIT-17 TX-COMMIT-18 TX-COMMIT-19 TX-ROLLBACK-10 TX-ROLLBACK-11 TX-ROLLBACK-12 */
    ROW(CommitTransaction, TX, TRANSACTION_COMMIT),
    ROW(RollbackTransaction, TX, TRANSACTION_ROLLBACK),
    /* RM-RECOVER-06 RM-RECOVER-07 RM-RECOVER-08 NOTIF-GET-09 NOTIF-GET-10 NOTIF-GET-11 */
    ROW(RecoverResourceManager, RM, RESOURCEMANAGER_RECOVER),
    ROW(GetNotificationResourceManager, RM, RESOURCEMANAGER_GET_NOTIFICATION),
    /* RM-QUERY-06 RM-QUERY-07 RM-QUERY-08 RM-SET-02 PROP-04 PROP-05 PROP-06 */
    ROW(QueryInformationResourceManager, RM, RESOURCEMANAGER_QUERY_INFORMATION),
    ROW(SetInformationResourceManager, RM, RESOURCEMANAGER_SET_INFORMATION),
    ROW(RegisterProtocolAddressInformation, RM, RESOURCEMANAGER_REGISTER_PROTOCOL),
    ROW(PropagationComplete, RM, RESOURCEMANAGER_COMPLETE_PROPAGATION),
    ROW(PropagationFailed, RM, RESOURCEMANAGER_COMPLETE_PROPAGATION),
    /* ENL-CREATE-06 ENL-OPEN-04 */
    ROW(EnlistByRm, RM, RESOURCEMANAGER_ENLIST),
    ROW(EnlistInTx, TX, TRANSACTION_ENLIST),
    ROW(OpenEnlistment, RM, RESOURCEMANAGER_QUERY_INFORMATION),
    /* ENL-QUERY-08 ENL-QUERY-09 ENL-QUERY-10 ENL-SET-05 ENL-SET-06 ENL-SET-07 */
    ROW(QueryInformationEnlistment, EN, ENLISTMENT_QUERY_INFORMATION),
    ROW(SetInformationEnlistment, EN, ENLISTMENT_SET_INFORMATION),
    /* ENL-RECOVER-06 ENL-RECOVER-07 ENL-RECOVER-08 */
    ROW(RecoverEnlistment, EN, ENLISTMENT_RECOVER),
    /* ENL-PPE-08 ENL-PPE-09 ENL-PPE-10 ENL-PE-08 ENL-PE-09 ENL-PE-10 ENL-CE-10 ENL-CE-11 ENL-CE-12
     */
    ROW(PrePrepareEnlistment, EN, ENLISTMENT_SUPERIOR_RIGHTS),
    ROW(PrepareEnlistment, EN, ENLISTMENT_SUPERIOR_RIGHTS),
    ROW(CommitEnlistment, EN, ENLISTMENT_SUPERIOR_RIGHTS),
    /* ENL-RB-11 ENL-RB-12 ENL-RB-13 ENL-PPC-08 ENL-PPC-09 ENL-PPC-10 */
    ROW(RollbackEnlistment, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    ROW(PrePrepareComplete, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    /* ENL-PC-08 ENL-PC-09 ENL-PC-10 ENL-CC-08 ENL-CC-09 ENL-CC-10 */
    ROW(PrepareComplete, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    ROW(CommitComplete, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    /* ENL-RC-06 ENL-RC-07 ENL-RC-08 ENL-RO-11 ENL-RO-12 ENL-RO-13 */
    ROW(RollbackComplete, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    ROW(ReadOnlyEnlistment, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
    /* ENL-SPR-07 ENL-SPR-08 ENL-SPR-09 */
    ROW(SinglePhaseReject, EN, ENLISTMENT_SUBORDINATE_RIGHTS),
};
/* clang-format on */

static const ACCESS_MASK all[KINDS] = {TRANSACTIONMANAGER_ALL_ACCESS, RESOURCEMANAGER_ALL_ACCESS,
                                       TRANSACTION_ALL_ACCESS, ENLISTMENT_ALL_ACCESS};

static HANDLE objects[KINDS];

static void
surroundings(void)
{
    party = PARTY(false, 0, MASK_FULL);
    unbound = new_tx(NULL);
    EXPECT_OK(ExUuidCreate(&unknown));
    memset(&room, 0, sizeof(room));
    out = NULL;
    objects[TM] = party.tm;
    objects[RM] = party.rm[0];
    objects[TX] = party.tx;
    objects[EN] = party.en[0];
}

static void
expect(const struct row *row, const char *with, NTSTATUS wanted, HANDLE handle)
{
    NTSTATUS status = row->call(handle);

    if (status != wanted)
        test_fail(__FILE__, __LINE__, "%s with %s: 0x%x, expected 0x%x", row->name, with,
                  (unsigned)status, (unsigned)wanted);
    EXPECT(out == NULL);
    EXPECT_OUTCOME(Undetermined, party.tx); /* GEN-06 */
    EXPECT_EQ(1, clock_of(party.tm));
}

/* A root or TM of NULL is a meaning of its own in these. */
static bool
may_be_absent(const struct row *row)
{
    return row->call == call_CreateTransaction || row->call == call_OpenTransaction ||
           row->call == call_EnumerateTransactions || row->call == call_EnumerateResourceManagers ||
           row->call == call_EnumerateEnlistments;
}

TEST(what_is_no_handle) /* GEN-04 PROP-06 */
{
    EACH (row, rows) {
        HANDLE stale;

        surroundings();
        stale = duplicate(objects[row->kind], all[row->kind]);
        close_handle(stale);
        if (!may_be_absent(row))
            expect(row, "no handle", STATUS_INVALID_HANDLE, NULL);
        expect(row, "a stale handle", STATUS_INVALID_HANDLE, stale);
        expect(row, "a number", STATUS_INVALID_HANDLE, (HANDLE)0x7770);
        expect(row, "a pseudo handle", STATUS_INVALID_HANDLE, INVALID_HANDLE_VALUE);
    }
}

TEST(handles_of_other_kinds) /* GEN-04 PROP-06 */
{
    static const char *const names[] = {"a TM", "an RM", "a TX", "an EN"};

    EACH (row, rows) {
        surroundings();
        for (int kind = 0; kind < KINDS; kind++)
            if (kind != row->kind) {
                HANDLE weak = duplicate(objects[kind], READ_CONTROL); /* the kind comes first */

                expect(row, names[kind], STATUS_OBJECT_TYPE_MISMATCH, objects[kind]);
                expect(row, names[kind], STATUS_OBJECT_TYPE_MISMATCH, weak);
            }
    }
}

TEST(handles_without_the_right) /* GEN-04 OP-24 */
{
    EACH (row, rows) {
        surroundings();
        expect(row, "all rights but one", STATUS_ACCESS_DENIED,
               duplicate(objects[row->kind], all[row->kind] & ~row->right));
    }
}

TEST(the_right_is_enough) /* GEN-04 OP-24 */
{
    EACH (row, rows) {
        NTSTATUS status;

        surroundings();
        status = row->call(duplicate(objects[row->kind], row->right));
        if (status == STATUS_ACCESS_DENIED || status == STATUS_INVALID_HANDLE ||
            status == STATUS_OBJECT_TYPE_MISMATCH)
            test_fail(__FILE__, __LINE__, "%s with its right alone: 0x%x", row->name,
                      (unsigned)status);
    }
}

/* Fills every slot with something else between the close and the use. */
TEST(stale_handles_whose_place_is_taken) /* GEN-04 */
{
    EACH (row, rows) {
        HANDLE stale;

        surroundings();
        stale = duplicate(objects[row->kind], all[row->kind]);
        close_handle(stale);
        for (int i = 0; i < 3; i++)
            duplicate(objects[row->kind], all[row->kind]);
        expect(row, "a stale handle", STATUS_INVALID_HANDLE, stale);
    }
}
