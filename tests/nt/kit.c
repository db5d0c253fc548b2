/* SPDX-License-Identifier: MIT */
/* The words of kit.h. */
#include "tests/nt/kit.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- texts and numbers ------------------------------------------------------------------------
 */

UNICODE_STRING
wide(const char *ascii)
{
    size_t units = strlen(ascii);
    WCHAR *text = calloc(units + 1, sizeof(*text));
    static WCHAR *kept[1000]; /* so that nothing looks lost */
    static _Atomic unsigned count;

    for (size_t i = 0; i < units; i++)
        text[i] = (unsigned char)ascii[i];
    kept[count++ % ARRAY_SIZE(kept)] = text;
    return (UNICODE_STRING){(USHORT)(2 * units), (USHORT)(2 * units + 2), text};
}

UNICODE_STRING
log_name(const char *name)
{
    char path[1000];

    snprintf(path, sizeof(path), "%s/%s", test_directory(), name);
    return wide(path);
}

OBJECT_ATTRIBUTES
attributes(PUNICODE_STRING name, ULONG flags)
{
    OBJECT_ATTRIBUTES made;

    InitializeObjectAttributes(&made, name, flags, NULL, NULL);
    return made;
}

GUID
guid_number(unsigned number)
{
    return (GUID){0x7e570000 + number, 0x4b54, 0x4d4d, {0x80, 1, 2, 3, 4, 5, 6, (UCHAR)number}};
}

void *
key_number(unsigned number)
{
    return (void *)(uintptr_t)(0xbeef00 + number);
}

LARGE_INTEGER
milliseconds(int count)
{
    return (LARGE_INTEGER){.QuadPart = -10000ll * count};
}

/* ---- objects ----------------------------------------------------------------------------------
 */

HANDLE
new_volatile_tm(void)
{
    HANDLE tm;

    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, NULL,
                                         TRANSACTION_MANAGER_VOLATILE, 0));
    return tm;
}

HANDLE
attach_tm(const char *name)
{
    UNICODE_STRING path = log_name(name);
    HANDLE tm;

    EXPECT_OK(NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    return tm;
}

HANDLE
new_logged_tm(const char *name)
{
    HANDLE tm = attach_tm(name);

    EXPECT_OK(NtRecoverTransactionManager(tm));
    return tm;
}

HANDLE
new_rm(HANDLE tm, const GUID *guid, ULONG options)
{
    GUID copy = *guid;
    HANDLE rm;

    EXPECT_OK(
        NtCreateResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &copy, NULL, options, NULL));
    return rm;
}

HANDLE
new_volatile_rm(HANDLE tm)
{
    GUID guid;

    EXPECT_OK(ExUuidCreate(&guid));
    return new_rm(tm, &guid, RESOURCE_MANAGER_VOLATILE);
}

HANDLE
new_durable_rm(HANDLE tm, unsigned number)
{
    GUID guid = guid_number(number);
    HANDLE rm = new_rm(tm, &guid, 0);

    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    EXPECT_NOTE(rm, NULL, LAST_RECOVER);
    return rm;
}

HANDLE
new_tx(HANDLE tm)
{
    HANDLE tx;

    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL));
    return tx;
}

static HANDLE
enlisted(HANDLE rm, HANDLE tx, ULONG options, ULONG mask, void *key)
{
    HANDLE en;

    EXPECT_OK(NtCreateEnlistment(&en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, options, mask, key));
    return en;
}

HANDLE
new_en(HANDLE rm, HANDLE tx, ULONG mask, void *key)
{
    return enlisted(rm, tx, 0, mask, key);
}

HANDLE
new_superior(HANDLE rm, HANDLE tx, ULONG mask, void *key)
{
    return enlisted(rm, tx, ENLISTMENT_SUPERIOR, mask, key);
}

HANDLE
duplicate(HANDLE handle, ACCESS_MASK access)
{
    HANDLE copy;

    EXPECT_OK(
        NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &copy, access, 0, 0));
    return copy;
}

void
close_handle(HANDLE handle)
{
    EXPECT_OK(NtClose(handle));
}

PVOID
pointer_to(HANDLE handle)
{
    PVOID object;

    EXPECT_OK(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL));
    return object;
}

/* ---- what can be seen -------------------------------------------------------------------------
 */

static TRANSACTIONMANAGER_BASIC_INFORMATION
tm_basic(HANDLE tm)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION basic;

    EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, &basic,
                                                   sizeof(basic), NULL));
    return basic;
}

GUID
guid_of_tm(HANDLE tm)
{
    return tm_basic(tm).TmIdentity;
}

LONGLONG
clock_of(HANDLE tm)
{
    return tm_basic(tm).VirtualClock.QuadPart;
}

GUID
guid_of_rm(HANDLE rm)
{
    union {
        RESOURCEMANAGER_BASIC_INFORMATION basic;
        char room[200];
    } answer;

    EXPECT_OK(NtQueryInformationResourceManager(rm, ResourceManagerBasicInformation, &answer,
                                                sizeof(answer), NULL));
    return answer.basic.ResourceManagerId;
}

static TRANSACTION_BASIC_INFORMATION
tx_basic(HANDLE tx)
{
    TRANSACTION_BASIC_INFORMATION basic;

    EXPECT_OK(NtQueryInformationTransaction(tx, TransactionBasicInformation, &basic, sizeof(basic),
                                            NULL));
    return basic;
}

GUID
guid_of_tx(HANDLE tx)
{
    return tx_basic(tx).TransactionId;
}

TRANSACTION_STATE
state_of(HANDLE tx)
{
    return tx_basic(tx).State;
}

TRANSACTION_OUTCOME
outcome_of(HANDLE tx)
{
    return tx_basic(tx).Outcome;
}

GUID
guid_of_en(HANDLE en)
{
    ENLISTMENT_BASIC_INFORMATION basic;

    EXPECT_OK(
        NtQueryInformationEnlistment(en, EnlistmentBasicInformation, &basic, sizeof(basic), NULL));
    return basic.EnlistmentId;
}

bool
same_guid(GUID a, GUID b)
{
    return IsEqualGUID(&a, &b);
}

void
guid_expect(const char *file, int line, const char *what, GUID wanted, GUID got)
{
    test_expect_bytes(file, line, what, &wanted, &got, sizeof(GUID));
}

bool
is_signalled(HANDLE handle)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    NTSTATUS status = NtWaitForSingleObject(handle, FALSE, &now);

    EXPECT(status == STATUS_SUCCESS || status == STATUS_TIMEOUT);
    return status == STATUS_SUCCESS;
}

/* ---- notifications ----------------------------------------------------------------------------
 */

bool
note_next(HANDLE rm, struct note *note)
{
    struct {
        TRANSACTION_NOTIFICATION head;
        TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument;
    } record;
    LARGE_INTEGER now = {.QuadPart = 0};
    ULONG length = 0;
    NTSTATUS status;

    status =
        NtGetNotificationResourceManager(rm, &record.head, sizeof(record), &now, &length, 0, 0);
    if (status == STATUS_TIMEOUT)
        return false;
    EXPECT_OK(status);
    *note = (struct note){
        .what = record.head.TransactionNotification,
        .key = record.head.TransactionKey,
        .clock = record.head.TmVirtualClock.QuadPart,
        .argument_length = record.head.ArgumentLength,
        .length = length,
    };
    if (note->argument_length == sizeof(record.argument))
        note->argument = record.argument;
    return true;
}

struct note
note_expect(const char *file, int line, HANDLE rm, void *key, ULONG what)
{
    struct note note = {0};
    ULONG argument = what == RECOVER || what == RECOVER_QUERY ? 32 : 0;

    if (!note_next(rm, &note)) {
        if (what != 0)
            test_fail(file, line, "notification 0x%x expected, there is none", (unsigned)what);
        return note;
    }
    if (note.what != what)
        test_fail(file, line, "notification 0x%x, expected 0x%x", (unsigned)note.what,
                  (unsigned)what);
    if (note.key != key)
        test_fail(file, line, "notification 0x%x has key %p, expected %p", (unsigned)what, note.key,
                  key);
    if (note.argument_length != argument || note.length != 32 + argument)
        test_fail(file, line, "notification 0x%x has length %u and argument length %u",
                  (unsigned)what, (unsigned)note.length, (unsigned)note.argument_length);
    return note;
}

/* ---- a transaction with participants ----------------------------------------------------------
 */

#define SUPERIOR 9

struct party
party_make(bool is_durable, ULONG superior, const ULONG *masks, size_t count)
{
    struct party party = {.is_durable = is_durable, .count = (unsigned)count};

    party.tm = is_durable ? new_logged_tm("party") : new_volatile_tm();
    for (unsigned i = 0; i < count; i++)
        party.rm[i] = is_durable ? new_durable_rm(party.tm, i + 1) : new_volatile_rm(party.tm);
    if (superior)
        party.superior_rm =
            is_durable ? new_durable_rm(party.tm, SUPERIOR) : new_volatile_rm(party.tm);
    party.tx = new_tx(party.tm);
    if (superior)
        party.superior = new_superior(party.superior_rm, party.tx, superior, key_number(SUPERIOR));
    for (unsigned i = 0; i < count; i++) {
        party.mask[i] = masks[i];
        party.en[i] = new_en(party.rm[i], party.tx, masks[i], key_number(i + 1));
    }
    return party;
}

void
party_expect(const struct party *party, ULONG what)
{
    for (unsigned i = 0; i < party->count; i++)
        if (party->mask[i] & what)
            EXPECT_NOTE(party->rm[i], key_number(i + 1), what);
}

void
party_answer(const struct party *party, ULONG what, answer_routine *answer)
{
    party_expect(party, what);
    for (unsigned i = 0; i < party->count; i++)
        if (party->mask[i] & what)
            EXPECT(NT_SUCCESS(answer(party->en[i], NULL)));
}

void
party_prepreparation(const struct party *party)
{
    party_answer(party, PREPREPARE, NtPrePrepareComplete);
}

void
party_preparation(const struct party *party)
{
    party_answer(party, PREPARE, NtPrepareComplete);
}

void
party_completion(const struct party *party)
{
    party_answer(party, COMMIT, NtCommitComplete);
}

void
party_rollback(const struct party *party)
{
    party_answer(party, ROLLBACK, NtRollbackComplete);
}

void
party_prepare(const struct party *party)
{
    EXPECT(NT_SUCCESS(NtPrePrepareEnlistment(party->superior, NULL)));
    party_prepreparation(party);
    EXPECT_NOTE(party->superior_rm, key_number(SUPERIOR), PREPREPARE_DONE);
    EXPECT(NT_SUCCESS(NtPrepareEnlistment(party->superior, NULL)));
    party_preparation(party);
    EXPECT_NOTE(party->superior_rm, key_number(SUPERIOR), PREPARE_DONE);
}

/* ---- calls in the background ------------------------------------------------------------------
 */

struct call {
    pthread_t thread;
    enum { CALL_COMMIT, CALL_ROLLBACK, CALL_NOTIFICATION, CALL_ROUTINE } what;
    NTSTATUS (*routine)(HANDLE);
    HANDLE handle;
    bool is_joined;
    NTSTATUS status;
};

static void *
call_run(void *argument)
{
    struct call *call = argument;
    TRANSACTION_NOTIFICATION room[2];

    if (call->what == CALL_COMMIT)
        call->status = NtCommitTransaction(call->handle, TRUE);
    else if (call->what == CALL_ROUTINE)
        call->status = call->routine(call->handle);
    else if (call->what == CALL_ROLLBACK)
        call->status = NtRollbackTransaction(call->handle, TRUE);
    else
        call->status =
            NtGetNotificationResourceManager(call->handle, room, sizeof(room), NULL, NULL, 0, 0);
    return NULL;
}

static struct call *
call_begin(struct call begun)
{
    static struct call calls[100];
    static unsigned count;
    struct call *call = &calls[count++];

    EXPECT(count <= ARRAY_SIZE(calls));
    *call = begun;
    EXPECT_EQ(0, pthread_create(&call->thread, NULL, call_run, call));
    return call;
}

static struct call *
call_start(int what, HANDLE handle)
{
    return call_begin((struct call){.what = what, .handle = handle});
}

struct call *
call_routine(NTSTATUS (*routine)(HANDLE), HANDLE handle)
{
    return call_begin((struct call){.what = CALL_ROUTINE, .routine = routine, .handle = handle});
}

struct call *
call_commit(HANDLE tx)
{
    return call_start(CALL_COMMIT, tx);
}

struct call *
call_rollback(HANDLE tx)
{
    return call_start(CALL_ROLLBACK, tx);
}

struct call *
call_notification(HANDLE rm)
{
    return call_start(CALL_NOTIFICATION, rm);
}

static bool
call_joined(struct call *call, long wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!call->is_joined)
        call->is_joined = pthread_timedjoin_np(call->thread, NULL, &until) == 0;
    return call->is_joined;
}

bool
call_is_running(struct call *call)
{
    return !call_joined(call, 60);
}

NTSTATUS
call_result(struct call *call)
{
    if (!call_joined(call, 20000))
        test_fail(__FILE__, __LINE__, "a waiting call does not return");
    return call->status;
}

/* ---- crashes ----------------------------------------------------------------------------------
 */

void
crash_after(void (*phase)(void))
{
    pid_t child;
    int result;

    test_directory(); /* made here, so that both have the same */
    child = fork();
    if (child == 0) {
        phase();
        _exit(0);
    }
    EXPECT(child > 0);
    EXPECT_EQ(child, waitpid(child, &result, 0));
    EXPECT_EQ(0, result);
}

void *
shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    EXPECT(memory != MAP_FAILED);
    return memory;
}
