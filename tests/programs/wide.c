/* SPDX-License-Identifier: MIT */
/*
 * A program for Windows, in C, with wide literals: two accounts as resource managers of one
 * transaction manager with a log, and a transfer between them. The argument is the path of the log.
 */
#include <windows.h>
#include <ktmw32.h>
#include <stdio.h>

#ifndef ERROR_RESOURCEMANAGER_NOT_FOUND /* the headers of mingw-w64 have not all */
#define ERROR_RESOURCEMANAGER_NOT_FOUND 6716L
#endif

#define PHASES                                                                                     \
    (TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK)

typedef struct account {
    const WCHAR *name;
    GUID id;
    HANDLE rm, enlistment;
} ACCOUNT;

static ACCOUNT accounts[2] = {
    {L"savings", {0x5a71965, 0x1111, 0x4222, {1, 2, 3, 4, 5, 6, 7, 8}}, NULL, NULL},
    {L"current", {0xc0443e7, 0x1111, 0x4222, {1, 2, 3, 4, 5, 6, 7, 9}}, NULL, NULL},
};

static void
show(const char *what, const WCHAR *text)
{
    printf("%s ", what);
    while (*text)
        putchar((char)*text++);
    putchar('\n');
}

static int
failed(const char *what)
{
    printf("%s: error %u\n", what, (unsigned)GetLastError());
    return 1;
}

static HANDLE
open_or_create_tm(LPWSTR path)
{
    HANDLE tm = OpenTransactionManager(path, TRANSACTIONMANAGER_ALL_ACCESS, 0);

    if (tm == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_NOT_FOUND)
        tm = CreateTransactionManager(NULL, path, 0, 0);
    return tm;
}

static BOOL
open_account(HANDLE tm, ACCOUNT *account)
{
    TRANSACTION_NOTIFICATION note;

    account->rm = OpenResourceManager(RESOURCEMANAGER_ALL_ACCESS, tm, &account->id);
    if (account->rm == INVALID_HANDLE_VALUE && GetLastError() == ERROR_RESOURCEMANAGER_NOT_FOUND)
        account->rm = CreateResourceManager(NULL, &account->id, 0, tm, (LPWSTR)account->name);
    if (account->rm == INVALID_HANDLE_VALUE || !RecoverResourceManager(account->rm))
        return FALSE;
    do {
        if (!GetNotificationResourceManager(account->rm, &note, sizeof(note), 5000, NULL))
            return FALSE;
    } while (note.TransactionNotification != TRANSACTION_NOTIFY_LAST_RECOVER);
    return TRUE;
}

static BOOL
answer(ACCOUNT *account)
{
    TRANSACTION_NOTIFICATION note;

    if (!GetNotificationResourceManager(account->rm, &note, sizeof(note), 0, NULL))
        return FALSE;
    switch (note.TransactionNotification) {
    case TRANSACTION_NOTIFY_PREPARE:
        show("prepare", ((ACCOUNT *)note.TransactionKey)->name);
        return PrepareComplete(account->enlistment, &note.TmVirtualClock);
    case TRANSACTION_NOTIFY_COMMIT:
        show("commit", ((ACCOUNT *)note.TransactionKey)->name);
        return CommitComplete(account->enlistment, &note.TmVirtualClock);
    default:
        show("roll back", ((ACCOUNT *)note.TransactionKey)->name);
        return RollbackComplete(account->enlistment, &note.TmVirtualClock);
    }
}

static BOOL
transfer(void)
{
    HANDLE tx = CreateTransaction(NULL, NULL, 0, 0, 0, 10000, (LPWSTR)L"transfer of 10");
    HANDLE handles[3];
    WCHAR text[65];
    DWORD outcome, woken, i;

    if (tx == INVALID_HANDLE_VALUE)
        return FALSE;
    for (i = 0; i < 2; i++) {
        accounts[i].enlistment =
            CreateEnlistment(NULL, accounts[i].rm, tx, PHASES, 0, &accounts[i]);
        if (accounts[i].enlistment == INVALID_HANDLE_VALUE)
            return FALSE;
        handles[i + 1] = accounts[i].rm;
    }
    if (!CommitTransactionAsync(tx))
        return FALSE;
    handles[0] = tx;
    while ((woken = WaitForMultipleObjects(3, handles, FALSE, 10000)) != WAIT_OBJECT_0)
        if (woken > WAIT_OBJECT_0 + 2 || !answer(&accounts[woken - WAIT_OBJECT_0 - 1]))
            return FALSE;
    if (!GetTransactionInformation(tx, &outcome, NULL, NULL, NULL, 65, text))
        return FALSE;
    show(outcome == TransactionOutcomeCommitted ? "committed:" : "aborted:", text);
    for (i = 0; i < 2; i++)
        CloseHandle(accounts[i].enlistment);
    return CloseHandle(tx);
}

int
main(int argc, char **argv)
{
    WCHAR path[MAX_PATH];
    HANDLE tm;
    int i;

    for (i = 0; argc > 1 && argv[1][i] && i < MAX_PATH - 1; i++)
        path[i] = (WCHAR)argv[1][i];
    path[argc > 1 ? i : 0] = L'\0';
    tm = open_or_create_tm(path);
    if (tm == INVALID_HANDLE_VALUE)
        return failed("transaction manager");
    if (!RecoverTransactionManager(tm))
        return failed("recovery");
    for (i = 0; i < 2; i++)
        if (!open_account(tm, &accounts[i]))
            return failed("account");
    if (!transfer())
        return failed("transfer");
    for (i = 0; i < 2; i++)
        CloseHandle(accounts[i].rm);
    return CloseHandle(tm) ? 0 : failed("close");
}
