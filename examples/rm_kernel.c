/* SPDX-License-Identifier: MIT */
/*
 * A complete resource manager in the style of a kernel driver: two accounts, each with a log.
 *
 *     cc -o rm_kernel rm_kernel.c $(pkg-config --cflags --libs ktm)
 *     ./rm_kernel DIR           (absolute path) recovers, and shows: left 100 right 0
 *     ./rm_kernel DIR AMOUNT    moves so much from left to right, in one transaction
 *
 * The same source is a Windows driver, with DriverEntry in the place of main. As a file system or
 * a filter does in transactions, it is called back on the thread that commits, works on object
 * pointers, and keeps its log with the Common Log File System. What has to be durable before which
 * answer, and what happens after a crash, is told in rm_user.c, which is the same in user mode.
 */
#include <ntifs.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        NTSTATUS status_ = (call);                                                                 \
        if (!NT_SUCCESS(status_))                                                                  \
            return status_;                                                                        \
    } while (0)

enum { NAME_SIZE = 400, CONTAINER_SIZE = 512 * 1024, BLOCK_SIZE = 4096 };

struct record {
    LONGLONG balance, change; /* the change is of this transaction: */
    GUID transaction;
    ULONG is_prepared, zero;
};

struct account {
    const char *name;
    GUID id; /* the same at every start: by it the outcome finds the way back to us */
    struct record now;
    HANDLE enlistment; /* in that transaction; NULL: in none */
    HANDLE rm;
    PVOID object; /* of 'rm' */
    PLOG_FILE_OBJECT log;
    PVOID area; /* of the log: where its blocks are in memory */
};

static struct account accounts[2] = {
    {.name = "left", .id = {0x6b746d11, 1, 1, {0}}, .now.balance = 100},
    {.name = "right", .id = {0x6b746d11, 1, 2, {0}}},
};
static HANDLE tm;

/* ---- the log ---- */

static UNICODE_STRING
name_make(WCHAR buffer[NAME_SIZE], const char *start, const char *middle, const char *end)
{
    const char *const parts[] = {start, middle, end};
    USHORT size = 0;

    for (int i = 0; i < 3; i++)
        for (const char *at = parts[i]; *at && size < NAME_SIZE * sizeof(WCHAR); at++, size += 2)
            buffer[size / 2] = (UCHAR)*at;
    return (UNICODE_STRING){size, size, buffer};
}

/* On success the state is on the disk, as a checkpoint: what is before it is needed no more. */
static NTSTATUS
log_write(struct account *account)
{
    CLFS_LSN base, lsn;
    ULONG written;

    TRY(ClfsGetLastLsn(account->log, &base));
    return ClfsWriteRestartArea(account->area, &account->now, sizeof(account->now), &base, 0,
                                &written, &lsn);
}

static NTSTATUS
log_read(struct account *account)
{
    PVOID data, reader;
    CLFS_LSN lsn;
    ULONG size;
    NTSTATUS status = ClfsReadRestartArea(account->area, &data, &size, &lsn, &reader);

    if (status == STATUS_LOG_NO_RESTART || !NT_SUCCESS(status))
        return status; /* the first is a success: the log is new, and nothing was promised */
    if (size == sizeof(account->now))
        RtlCopyMemory(&account->now, data, sizeof(account->now));
    ClfsTerminateReadLog(reader);
    return size == sizeof(account->now) ? STATUS_SUCCESS : STATUS_LOG_CORRUPTION_DETECTED;
}

static NTSTATUS
log_open(struct account *account, const char *directory)
{
    WCHAR buffers[3][NAME_SIZE];
    UNICODE_STRING name = name_make(buffers[0], "log:", directory, account->name);
    UNICODE_STRING containers[] = {name_make(buffers[1], directory, account->name, ".1"),
                                   name_make(buffers[2], directory, account->name, ".2")};
    ULONGLONG container_size = CONTAINER_SIZE;
    CLFS_INFORMATION info;
    ULONG size = sizeof(info);

    TRY(ClfsCreateLogFile(&account->log, &name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL,
                          4 /* OPEN_ALWAYS */, 0, FILE_ATTRIBUTE_NORMAL, CLFS_FLAG_NO_FLAGS, NULL,
                          0));
    TRY(ClfsGetLogFileInformation(account->log, &info, &size));
    if (info.TotalContainers == 0) /* it is new */
        TRY(ClfsAddLogContainerSet(account->log, 2, &container_size, containers));
    TRY(ClfsCreateMarshallingArea(account->log, PagedPool, NULL, NULL, BLOCK_SIZE, 4, 4,
                                  &account->area));
    TRY(log_read(account));
    return log_write(account); /* once more: the last run may have died before it was forced */
}

/* ---- what the transaction manager says; on the thread that makes it say so ---- */

static NTSTATUS
on_prepare(struct account *account, PKENLISTMENT enlistment)
{
    if (account->now.balance + account->now.change < 0)
        return TmRollbackEnlistment(enlistment, NULL); /* we cannot; ROLLBACK comes to us too */
    account->now.is_prepared = TRUE;
    TRY(log_write(account)); /* a failure here rolls back; what is on the disk will be undone */
    return TmPrepareComplete(enlistment, NULL);
}

/* Without an account as key it was finished before a crash: then only the answer is wanted. */
static NTSTATUS
on_outcome(struct account *account, PKENLISTMENT enlistment, BOOLEAN is_commit)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (account && account->now.is_prepared) {
        account->now.is_prepared = FALSE;
        account->now.balance += is_commit ? account->now.change : 0;
        status = log_write(account);
    }
    if (is_commit && !NT_SUCCESS(status)) {
        ZwClose(account->rm); /* it cannot finish: it leaves, and hears COMMIT at the next start */
        account->rm = NULL;
        return status;
    }
    status = is_commit ? TmCommitComplete(enlistment, NULL) : TmRollbackComplete(enlistment, NULL);
    if (account && account->enlistment) {
        ZwClose(account->enlistment);
        account->enlistment = NULL;
    }
    return status;
}

/* The outcome comes before TmRecoverEnlistment returns, unless it is still in doubt. */
static NTSTATUS
on_recover(struct account *account, TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument)
{
    BOOLEAN is_ours = account->now.is_prepared &&
                      memcmp(&account->now.transaction, &argument->UOW, sizeof(GUID)) == 0;
    PVOID handle, object;

    TRY(ZwOpenEnlistment(&handle, ENLISTMENT_ALL_ACCESS, account->rm, &argument->EnlistmentId,
                         NULL));
    TRY(ObReferenceObjectByHandle(handle, ENLISTMENT_RECOVER, *TmEnlistmentObjectType, KernelMode,
                                  &object, NULL));
    if (is_ours)
        account->enlistment = handle;
    TRY(TmRecoverEnlistment(object, is_ours ? account : NULL));
    ObDereferenceObject(object);
    return is_ours ? STATUS_SUCCESS : ZwClose(handle);
}

static NTSTATUS NTAPI
on_notification(PKENLISTMENT enlistment, PVOID rm_context, PVOID transaction_context,
                ULONG notification, PLARGE_INTEGER clock, ULONG size, PVOID argument)
{
    struct account *account = rm_context;

    switch (notification) {
    case TRANSACTION_NOTIFY_PREPREPARE: /* caches are written out; others may still change things */
        return TmPrePrepareComplete(enlistment, clock);
    case TRANSACTION_NOTIFY_PREPARE:
        return on_prepare(account, enlistment);
    case TRANSACTION_NOTIFY_COMMIT:
    case TRANSACTION_NOTIFY_ROLLBACK:
        return on_outcome(transaction_context, enlistment,
                          notification == TRANSACTION_NOTIFY_COMMIT);
    case TRANSACTION_NOTIFY_RECOVER:
        return size ? on_recover(account, argument) : STATUS_INVALID_PARAMETER;
    case TRANSACTION_NOTIFY_LAST_RECOVER:
        if (!account->now.is_prepared || account->enlistment)
            break;
        account->now.is_prepared = FALSE; /* nobody has named it */
        return log_write(account);
    }
    return STATUS_SUCCESS;
}

/* ---- starting, working, stopping ---- */

static NTSTATUS
account_open(struct account *account, const char *directory)
{
    TRY(log_open(account, directory));
    TRY(ZwCreateResourceManager(&account->rm, RESOURCEMANAGER_ALL_ACCESS, tm, &account->id, NULL, 0,
                                NULL));
    TRY(ObReferenceObjectByHandle(account->rm, 0, *TmResourceManagerObjectType, KernelMode,
                                  &account->object, NULL));
    TRY(TmEnableCallbacks(account->object, on_notification, account));
    return TmRecoverResourceManager(account->object);
}

static NTSTATUS
accounts_open(const char *directory)
{
    WCHAR buffer[NAME_SIZE];
    UNICODE_STRING name = name_make(buffer, directory, "tm", "");

    TRY(ZwCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &name, 0, 0));
    TRY(ZwRecoverTransactionManager(tm));
    TRY(account_open(&accounts[0], directory));
    return account_open(&accounts[1], directory);
}

struct _DRIVER_OBJECT;
static VOID NTAPI
accounts_close(struct _DRIVER_OBJECT *driver)
{
    (void)driver;
    for (int i = 0; i < 2; i++) {
        ObDereferenceObject(accounts[i].object);
        ZwClose(accounts[i].rm);
        ClfsDeleteMarshallingArea(accounts[i].area);
        ClfsCloseLogFileObject(accounts[i].log);
    }
    ZwClose(tm);
}

/* The account takes part in a transaction, which only the caller can end meanwhile. */
static NTSTATUS
account_add(struct account *account, PKTRANSACTION transaction, LONGLONG change)
{
    if (account->enlistment || account->now.is_prepared)
        return STATUS_DEVICE_BUSY;
    TmGetTransactionId(transaction, &account->now.transaction);
    account->now.change = change;
    return TmCreateEnlistment(&account->enlistment, KernelMode, ENLISTMENT_ALL_ACCESS, NULL,
                              account->object, transaction, 0,
                              TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE |
                                  TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK,
                              account);
}

static NTSTATUS
transfer(LONGLONG amount)
{
    PVOID transaction, object;
    NTSTATUS status = STATUS_SUCCESS;

    TRY(ZwCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, NULL, 0, 0, 0, NULL,
                            NULL));
    TRY(ObReferenceObjectByHandle(transaction, TRANSACTION_ENLIST, *TmTransactionObjectType,
                                  KernelMode, &object, NULL));
    for (int i = 0; NT_SUCCESS(status) && i < 2; i++)
        status = account_add(&accounts[i], object, i ? amount : -amount);
    if (NT_SUCCESS(status))
        status = ZwCommitTransaction(transaction, TRUE);
    ObDereferenceObject(object);
    ZwClose(transaction); /* rolls back what is not decided */
    return status;
}

#ifdef _WIN32
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = accounts_close;
    TRY(accounts_open("\\??\\C:\\accounts\\"));
    return transfer(1); /* where a driver would begin to answer requests */
}
#else
#include <stdio.h>
#include <stdlib.h>
int
main(int count, char **arguments)
{
    char directory[NAME_SIZE - 16];

    if (count < 2 || count > 3 || strlen(arguments[1]) > sizeof(directory) - 2)
        return 2;
    snprintf(directory, sizeof(directory), "%s/", arguments[1]);
    if (!NT_SUCCESS(accounts_open(directory)))
        return 3;
    NTSTATUS status = count == 3 ? transfer((int)strtol(arguments[2], NULL, 10)) : STATUS_SUCCESS;
    if (count == 3)
        puts(NT_SUCCESS(status)                             ? "committed"
             : status == STATUS_TRANSACTION_ALREADY_ABORTED ? "rolled back"
                                                            : "not known before the next start");
    printf("left %d right %d\n", (int)accounts[0].now.balance, (int)accounts[1].now.balance);
    accounts_close(NULL);
    return 0;
}
#endif
