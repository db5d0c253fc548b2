/* SPDX-License-Identifier: MIT */
/* Forked children begin anew: they cannot use what is their parent's, and cannot harm it (decision
 * 0023). */
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/nt/kit.h"

#include "ktm.h"

/* Runs 'child' in a child that a hang would kill. */
static void
in_child(void (*child)(void))
{
    pid_t pid = fork();
    int result;

    EXPECT(pid >= 0);
    if (pid == 0) {
        alarm(20);
        child();
        _exit(0);
    }
    EXPECT_EQ(pid, waitpid(pid, &result, 0));
    if (result)
        test_fail(__FILE__, __LINE__, "the child ended with 0x%x", (unsigned)result);
}

/* ---- what is the parent's ---- */

static struct party party;
static PVOID pointers[4];

static void
use_what_is_inherited(void)
{
    HANDLE handles[] = {party.tm, party.rm[0], party.tx, party.en[0]}, out;
    PVOID object;
    int fd;

    EACH (handle, handles) {
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(*handle));
        EXPECT_STATUS(STATUS_INVALID_HANDLE,
                      NtDuplicateObject(NtCurrentProcess(), *handle, NtCurrentProcess(), &out, 0, 0,
                                        DUPLICATE_SAME_ACCESS));
        EXPECT_STATUS(STATUS_INVALID_HANDLE,
                      ObReferenceObjectByHandle(*handle, 0, NULL, KernelMode, &object, NULL));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtWaitForSingleObject(*handle, FALSE, NULL));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, KtmGetWaitFd(*handle, &fd));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtCommitTransaction(*handle, TRUE));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtRecoverTransactionManager(*handle));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtPrepareComplete(*handle, NULL));
    }
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                  TmRecoverTransactionManager(pointers[0], NULL));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRecoverResourceManager(pointers[1]));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmCommitTransaction(pointers[2], TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmRollbackTransaction(pointers[2], TRUE));
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, TmPrepareComplete(pointers[3], NULL));
    EACH (pointer, pointers) {
        EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                      ObOpenObjectByPointer(*pointer, 0, NULL, 1, NULL, KernelMode, &out));
        EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED,
                      ObReferenceObjectByPointer(*pointer, 0, NULL, KernelMode));
        ObDereferenceObject(*pointer);
    }
    EXPECT(RtlGetCurrentTransaction(NULL, NULL) == party.tx); /* a number, no more */
}

/* All that the parent may do, after its names and with its UOW. */
static void
begin_anew(void)
{
    UNICODE_STRING name = wide("\\ledger"), path = log_name("party");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    GUID uow = guid_number(7);
    struct party own;
    HANDLE tx, tm;

    EXPECT_STATUS(STATUS_TRANSACTION_NOT_FOUND,
                  NtOpenTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL));
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, &uow, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(party.tx)); /* also now that there are handles */
    EXPECT_STATUS(
        STATUS_SHARING_VIOLATION,
        NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    tm = new_logged_tm("childs");
    own = (struct party){.tm = tm, .rm = {new_durable_rm(tm, 1)}, .tx = new_tx(tm), .count = 1};
    own.mask[0] = MASK_FULL;
    own.en[0] = new_en(own.rm[0], own.tx, MASK_FULL, key_number(1));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(own.tx, FALSE));
    party_prepreparation(&own);
    party_preparation(&own);
    party_completion(&own);
    EXPECT_OUTCOME(Committed, own.tx);
    close_handle(tm);
}

TEST(a_forked_child_has_nothing_and_can_make_everything) /* NAME-07 OBJ-04 GEN-04 */
{
    UNICODE_STRING name = wide("\\ledger");
    OBJECT_ATTRIBUTES named = attributes(&name, OBJ_INHERIT);
    GUID uow = guid_number(7);
    HANDLE tx, again;

    party = PARTY(true, 0, MASK_FULL);
    pointers[0] = pointer_to(party.tm);
    pointers[1] = pointer_to(party.rm[0]);
    pointers[2] = pointer_to(party.tx);
    pointers[3] = pointer_to(party.en[0]);
    RtlSetCurrentTransaction(party.tx);
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, &uow, NULL, 0, 0, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    in_child(use_what_is_inherited);
    in_child(begin_anew);
    /* Nobody here has noticed. */
    EXPECT_OK(NtOpenTransaction(&again, TRANSACTION_ALL_ACCESS, NULL, &uow, NULL));
    party_prepreparation(&party);
    party_preparation(&party);
    in_child(use_what_is_inherited);
    party_completion(&party);
    EXPECT_OUTCOME(Committed, party.tx);
    close_handle(party.tm);
    close_handle(new_logged_tm("party")); /* its log is whole */
}

/* ---- forks at any moment ---- */

enum { THREADS = 4, FORKS = 60 };

static _Atomic bool is_over;

static NTSTATUS
say_yes(PKENLISTMENT en, PVOID rm_context, PVOID context, ULONG what, PLARGE_INTEGER clock,
        ULONG length, PVOID argument)
{
    (void)rm_context;
    (void)context;
    (void)clock;
    (void)length;
    (void)argument;
    return what == PREPARE  ? TmPrepareComplete(en, NULL)
           : what == COMMIT ? TmCommitComplete(en, NULL)
                            : STATUS_SUCCESS;
}

/* Takes every lock there is, over and over: of the TM, the log, the handles, the names. */
static void *
work(void *context)
{
    HANDLE rm = context;
    UNICODE_STRING name = wide("\\busy");
    OBJECT_ATTRIBUTES named = attributes(&name, OBJ_OPENIF);

    while (!is_over) {
        HANDLE tx = new_tx(NULL), en = new_en(rm, tx, MASK_TWO, NULL), other;

        EXPECT(NT_SUCCESS(NtCreateTransaction(&other, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0,
                                              0, 0, NULL, NULL)));
        EXPECT_OK(NtCommitTransaction(tx, TRUE));
        close_handle(other);
        close_handle(en);
        close_handle(tx);
    }
    return NULL;
}

static void
work_a_little(void)
{
    UNICODE_STRING name = wide("\\busy"), path = log_name("busy");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE tm = new_volatile_tm(), rm = new_volatile_rm(tm), tx, en;

    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(party.tm));
    EXPECT_OK(
        NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, &named, NULL, NULL, 0, 0, 0, NULL, NULL));
    en = new_en(rm, tx, MASK_SINGLE, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(tx, FALSE));
    EXPECT_OK(NtCommitComplete(en, NULL));
    EXPECT_STATUS(
        STATUS_SHARING_VIOLATION,
        NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
}

TEST(children_forked_under_load_do_not_hang) /* GEN-11 NAME-07 */
{
    pthread_t threads[THREADS];
    GUID guid = guid_number(1);
    HANDLE rm;

#ifdef __SANITIZE_ADDRESS__
    SKIP("its allocator does not survive a fork under load");
#endif
    party.tm = new_logged_tm("busy");
    rm = new_rm(party.tm, &guid, 0);
    EXPECT_OK(TmEnableCallbacks(pointer_to(rm), say_yes, NULL));
    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_create(thread, NULL, work, rm));
    for (int i = 0; i < FORKS; i++)
        in_child(work_a_little);
    is_over = true;
    EACH (thread, threads)
        EXPECT_EQ(0, pthread_join(*thread, NULL));
    close_handle(party.tm);
    close_handle(new_logged_tm("busy"));
}

/* ---- exec ---- */

/* A program started by this one has no descriptor of the log, and finds it locked. */
TEST(a_program_started_inherits_nothing) /* OBJ-04 NAME-07 */
{
    char command[600];
    char *argv[] = {"sh", "-c", command, NULL};
    extern char **environ;
    pid_t child;
    int result;

    party = PARTY(true, 0, MASK_FULL);
    EXPECT_OK(NtCreateTransaction(
        &party.tx, TRANSACTION_ALL_ACCESS,
        &(OBJECT_ATTRIBUTES){.Length = sizeof(OBJECT_ATTRIBUTES), .Attributes = OBJ_INHERIT}, NULL,
        party.tm, 0, 0, 0, NULL, NULL));
    snprintf(command, sizeof(command), "! ls -l /proc/self/fd | grep -F '%s'", test_directory());
    EXPECT_EQ(0, posix_spawnp(&child, "sh", NULL, NULL, argv, environ));
    EXPECT_EQ(child, waitpid(child, &result, 0));
    EXPECT_EQ(0, result);
}
