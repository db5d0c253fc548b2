/* SPDX-License-Identifier: MIT */
/* Every state of a TM × every routine that takes one, or something below one [TM-STATE-01..04]. */
#include "tests/nt/scene.h"

enum state { INITIALIZED, RECOVERING, ONLINE, FAILED, OFFLINE, VOLATILE, STATES };

static const char *const names[STATES] = {"Initialized",    "Recovering", "Online",
                                          "RecoveryFailed", "Offline",    "volatile"};

static HANDLE rm, tx, unbound; /* where the state allows that they exist */
static GUID unknown;

/* An unresolved transaction in the log, whose TM is closed and attached again. */
static GUID
leave_unresolved(void)
{
    GUID uow;

    scene_enlist(MASK_TWO, 0, 0);
    scene_commit();
    scene_say(scene.en[0], NtPrepareComplete); /* COMMIT is not answered */
    uow = guid_of_tx(scene.tx);
    scene_restart(false);
    return uow;
}

static void
set(enum state state)
{
    LARGE_INTEGER first = {.QuadPart = 1};
    GUID uow;
    HANDLE taken;

    rm = tx = NULL;
    unbound = new_tx(NULL);
    EXPECT_OK(ExUuidCreate(&unknown));
    switch (state) {
    case INITIALIZED:
        scene_restart(false);
        break;
    case RECOVERING:
        (void)leave_unresolved();
        EXPECT_OK(NtRollforwardTransactionManager(scene.tm, &first)); /* TM-ROLLFWD-09 OP-17 */
        break;
    case FAILED:
        uow = leave_unresolved();
        EXPECT_OK(NtCreateTransaction(&taken, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL, 0, 0, 0,
                                      NULL, NULL));
        EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_RECOVERY_NAME_COLLISION,
                      NtRecoverTransactionManager(scene.tm));
        break;
    case OFFLINE:
        scene_enlist(MASK_TWO, 0, 0);
        rm = scene.rm[0];
        tx = new_tx(scene.tm);
        scene_commit();
        scene_break_disk();
        (void)NtPrepareComplete(scene.en[0], NULL);
        break;
    case VOLATILE:
        scene.tm = new_volatile_tm();
        rm = new_volatile_rm(scene.tm);
        tx = new_tx(scene.tm);
        break;
    default:
        rm = new_durable_rm(scene.tm, 1);
        tx = new_tx(scene.tm);
    }
}

static NTSTATUS
create_rm(HANDLE tm, ULONG options)
{
    HANDLE made;

    return NtCreateResourceManager(&made, RESOURCEMANAGER_ALL_ACCESS, tm, &unknown, NULL, options,
                                   NULL);
}

#define CALL(name, expression)                                                                     \
    static NTSTATUS name(HANDLE tm)                                                                \
    {                                                                                              \
        HANDLE out;                                                                                \
        union {                                                                                    \
            KTMOBJECT_CURSOR cursor;                                                               \
            TRANSACTION_BIND_INFORMATION binding;                                                  \
            char bytes[200];                                                                       \
        } room = {.bytes = ""};                                                                    \
        LARGE_INTEGER clock = {.QuadPart = 5};                                                     \
        ULONG length;                                                                              \
                                                                                                   \
        (void)tm, (void)out, (void)room, (void)clock, (void)length;                                \
        return expression;                                                                         \
    }

CALL(recover, NtRecoverTransactionManager(tm))
CALL(recover_by_pointer, TmRecoverTransactionManager(pointer_to(tm), NULL))
CALL(forward_all, NtRollforwardTransactionManager(tm, NULL))
CALL(forward, NtRollforwardTransactionManager(tm, &clock))
CALL(create_durable_rm, create_rm(tm, 0))
CALL(create_volatile_rm, create_rm(tm, RESOURCE_MANAGER_VOLATILE))
CALL(open_rm, NtOpenResourceManager(&out, RESOURCEMANAGER_ALL_ACCESS, tm, &unknown, NULL))
CALL(create_tx,
     NtCreateTransaction(&out, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL))
CALL(open_tx, NtOpenTransaction(&out, TRANSACTION_ALL_ACCESS, NULL, &unknown, tm))
CALL(bind_tx, (room.binding.TmHandle = tm,
               NtSetInformationTransaction(unbound, TransactionBindInformation, &room, 8)))
CALL(query_basic,
     NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, &room, 200, NULL))
CALL(query_log,
     NtQueryInformationTransactionManager(tm, TransactionManagerLogInformation, &room, 200, NULL))
CALL(query_path, NtQueryInformationTransactionManager(tm, TransactionManagerLogPathInformation,
                                                      &room, 200, NULL))
CALL(query_recovery, NtQueryInformationTransactionManager(tm, TransactionManagerRecoveryInformation,
                                                          &room, 200, NULL))
CALL(query_oldest,
     NtQueryInformationTransactionManager(tm, TransactionManagerOldestTransactionInformation, &room,
                                          200, NULL))
CALL(probe,
     NtSetInformationTransactionManager(tm, TransactionManagerOnlineProbeInformation, NULL, 0))
CALL(enumerate_more,
     (room.cursor = (KTMOBJECT_CURSOR){.LastQuery = {.Data1 = 0xffffffff, .Data2 = 0xffff}},
      NtEnumerateTransactionObject(tm, KTMOBJECT_RESOURCE_MANAGER, &room.cursor, 200, &length)))
CALL(recover_rm, rm ? NtRecoverResourceManager(rm) : STATUS_TRANSACTIONMANAGER_NOT_ONLINE)
CALL(enlist, rm ? NtCreateEnlistment(&out, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, 0, MASK_FULL, NULL)
                : STATUS_TRANSACTIONMANAGER_NOT_ONLINE)

static const struct {
    const char *name;
    NTSTATUS (*call)(HANDLE tm);
    const char *legal;
} rows[] = {
    /* TM-RECOVER-06 TM-RECOVER-07 TM-RECOVER-12 TM-ROLLFWD-07 TM-ROLLFWD-08 TMR-11 OP-16 */
    {"recover", recover, "SS-FFL"},
    {"recover by pointer", recover_by_pointer, "SS-FFL"},
    {"roll forward to the end", forward_all, "SS-FFL"},
    {"roll forward", forward, "SSFFFL"},
    /* TM-STATE-01 RM-CREATE-06 RM-CREATE-12 RM-OPEN-05 TX-CREATE-07 TX-OPEN-10 OP-18 */
    {"create a durable RM", create_durable_rm, "OOSOOL"},
    {"create a volatile RM", create_volatile_rm, "OOSOOS"},
    {"open an RM", open_rm, "OO0OO0"},
    {"create a TX", create_tx, "OOSOOS"},
    {"open a TX", open_tx, "OO0OO0"},
    {"bind a TX", bind_tx, "OOSOOS"},
    /* TM-STATE-02 TM-QUERY-02..05 */
    {"query basic", query_basic, "------"},
    {"query log", query_log, "-----L"},
    {"query path", query_path, "------"},
    {"query recovery", query_recovery, "-----L"},
    {"query oldest", query_oldest, "-----L"},
    {"enumerate", enumerate_more, "000000"},
    /* TM-SET-02 */
    {"probe", probe, "OO-OOL"},
    /* RM-RECOVER-05 ENL-CREATE-09 */
    {"recover an RM", recover_rm, "OOSOOS"},
    {"enlist", enlist, "OOSOOS"},
};

TEST(every_routine_in_every_state_of_a_tm) /* TM-STATE-01 TM-STATE-02 TM-STATE-03 TM-STATE-04 */
{
    EACH (row, rows) {
        EXPECT_EQ(STATES, strlen(row->legal));
        for (enum state state = 0; state < STATES; state++) {
            NTSTATUS status;

            scene_begin();
            set(state);
            status = row->call(scene.tm);
            if (!letter_fits(row->legal[state], status))
                test_fail(__FILE__, __LINE__, "%s in %s: 0x%x, expected %c", row->name,
                          names[state], (unsigned)status, row->legal[state]);
            scene_end();
        }
    }
}
