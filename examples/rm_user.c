/* SPDX-License-Identifier: MIT */
/*
 * A complete resource manager in user mode: two accounts, each with a log of its own.
 *
 *     cc -o rm_user rm_user.c $(pkg-config --cflags --libs ktm) -lpthread           (Linux)
 *     x86_64-w64-mingw32-gcc -o rm_user.exe rm_user.c -lktmw32 -lpthread            (Windows)
 *     ./rm_user DIR             (absolute path) recovers, and shows: left 100 right 0
 *     ./rm_user DIR AMOUNT      moves so much from left to right, in one transaction
 *
 * An account is a resource manager of ktmw32: a thread takes notifications from its queue and
 * answers them. What it promises, it has forced to its log before:
 *
 *     PREPARE     "prepared, with this change" is forced, then PrepareComplete. From here on only
 *                 the transaction manager may say how it ends, however long that takes
 *     COMMIT      the new balance is forced, then CommitComplete: after that nobody will ever tell
 *                 the outcome again, so it must not be lost with a write that was lazy
 *     ROLLBACK    "nothing is prepared" is forced if something was, then RollbackComplete
 *
 * After a crash, what the log calls prepared is in doubt. The transaction manager sends RECOVER for
 * each transaction that it decided to commit; when it says LAST_RECOVER, what it has not named was
 * never decided, and is undone ("presumed abort").
 *
 * To keep it short an account serves one transaction at a time, and whatever cannot be written ends
 * the process: a resource manager that cannot keep its promise may die, it must not lie.
 */
#include <windows.h>

#include <fcntl.h>
#include <ktmw32.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _WIN32
#define fsync _commit
#else
#define O_BINARY O_CLOEXEC
#endif

#define ASKED (TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK)

enum { PATH_SIZE = 1024, TICK_MS = 20, LOG_RECORDS = 64, LOG_RECORD_SIZE = 512 };

/* All there is to know about an account; its log is a ring of these. */
struct record {
    uint64_t number; /* grows by one; the greatest that is whole is the one that counts */
    uint32_t sum;    /* over the rest: a record that was torn was never written */
    uint32_t is_prepared;
    int64_t balance, change; /* the change is of this transaction: */
    GUID transaction;
};

struct account {
    const char *name;
    GUID id; /* the same at every start: by it the outcome finds the way back to us */
    struct record now;
    HANDLE enlistment; /* in that transaction; NULL: in none */
    HANDLE rm;
    pthread_t thread;
    int log;
};

static struct account accounts[] = {
    {.name = "left", .id = {0x6b746d10, 1, 1, {0}}, .now.balance = 100},
    {.name = "right", .id = {0x6b746d10, 1, 2, {0}}},
};
static atomic_bool is_closing;

static void
must(bool is_done, const char *what)
{
    if (is_done)
        return;
    fprintf(stderr, "rm_user: cannot %s (error %u)\n", what, (unsigned)GetLastError());
    exit(3);
}

/* ---- the log ---- */

static uint32_t
sum_of(struct record record)
{
    const uint8_t *at = (const uint8_t *)&record;
    uint32_t sum = 2166136261u;

    record.sum = 0;
    for (size_t i = 0; i < sizeof(record); i++)
        sum = (sum ^ at[i]) * 16777619u;
    return sum;
}

/* Makes durable what the account is now. It takes the place of the oldest record, so whatever
 * becomes of the write, the last one is there. */
static void
log_write(struct account *account)
{
    struct record *now = &account->now;
    long at = (long)(++now->number % LOG_RECORDS * LOG_RECORD_SIZE);

    now->sum = sum_of(*now);
    must(lseek(account->log, at, SEEK_SET) == at &&
             write(account->log, now, sizeof(*now)) == sizeof(*now) && fsync(account->log) == 0,
         "write the log");
}

static void
log_open(struct account *account, const char *directory)
{
    char path[PATH_SIZE];
    struct record record;

    snprintf(path, sizeof(path), "%s/%s.log", directory, account->name);
    account->log = open(path, O_RDWR | O_CREAT | O_BINARY, 0600);
    must(account->log >= 0, "open the log");
#ifndef _WIN32 /* there the name is durable with the file */
    int fd = open(directory, O_RDONLY | O_DIRECTORY);
    must(fd >= 0 && fsync(fd) == 0, "make the name of the log durable");
    close(fd);
#endif
    for (long i = 0; i < LOG_RECORDS; i++)
        if (lseek(account->log, i * LOG_RECORD_SIZE, SEEK_SET) >= 0 &&
            read(account->log, &record, sizeof(record)) == sizeof(record) &&
            record.sum == sum_of(record) && record.number > account->now.number)
            account->now = record;
    log_write(account); /* once more: the last run may have died before it was forced */
}

/* ---- answers ---- */

/* They fail when the transaction was rolled back meanwhile, which is no harm: ROLLBACK comes. */
static void
on_prepare(struct account *account, HANDLE enlistment)
{
    if (account->now.balance + account->now.change < 0) {
        RollbackEnlistment(enlistment, NULL); /* we cannot; ROLLBACK comes to us too */
        return;
    }
    account->now.is_prepared = true;
    log_write(account);
    PrepareComplete(enlistment, NULL);
}

/* May come again after a crash, for what was finished before: then it is not ours any more, and the
 * log, which was read whole, proves that the change is in the balance. */
static void
on_outcome(struct account *account, HANDLE enlistment, bool is_commit)
{
    if (enlistment == account->enlistment) {
        if (account->now.is_prepared) {
            account->now.is_prepared = false;
            account->now.balance += is_commit ? account->now.change : 0;
            log_write(account);
        }
        account->enlistment = NULL;
    }
    (is_commit ? CommitComplete : RollbackComplete)(enlistment, NULL);
    CloseHandle(enlistment);
}

/* The transaction manager knows the outcome, or will: take part again, and hear it. */
static void
on_recover(struct account *account, TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument)
{
    HANDLE enlistment = OpenEnlistment(ENLISTMENT_ALL_ACCESS, account->rm, &argument->EnlistmentId);

    must(enlistment != INVALID_HANDLE_VALUE, "open what is to be recovered");
    if (account->now.is_prepared &&
        memcmp(&account->now.transaction, &argument->UOW, sizeof(GUID)) == 0)
        account->enlistment = enlistment;
    must(RecoverEnlistment(enlistment, enlistment), "recover an enlistment");
}

static void
on_last_recover(struct account *account)
{
    if (account->now.is_prepared && !account->enlistment) { /* nobody has named it */
        account->now.is_prepared = false;
        log_write(account);
    }
}

/* Waits so long for one notification and answers it; false when none came. */
static bool
serve(struct account *account, DWORD patience_ms)
{
    struct {
        TRANSACTION_NOTIFICATION head;
        TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument;
    } note;
    ULONG size;

    if (!GetNotificationResourceManager(account->rm, &note.head, sizeof(note), patience_ms,
                                        &size)) {
        must(GetLastError() == WAIT_TIMEOUT, "be notified");
        return false;
    }
    /* The key says which enlistment it is about: what on_recover or account_add gave. */
    HANDLE enlistment = note.head.TransactionKey ? note.head.TransactionKey : account->enlistment;
    switch (note.head.TransactionNotification) {
    case TRANSACTION_NOTIFY_PREPARE:
        on_prepare(account, enlistment);
        break;
    case TRANSACTION_NOTIFY_COMMIT:
        on_outcome(account, enlistment, true);
        break;
    case TRANSACTION_NOTIFY_ROLLBACK:
        on_outcome(account, enlistment, false);
        break;
    case TRANSACTION_NOTIFY_RECOVER:
        on_recover(account, &note.argument);
        break;
    case TRANSACTION_NOTIFY_LAST_RECOVER:
        on_last_recover(account);
        break;
    }
    return true;
}

static void *
serve_thread(void *account)
{
    while (!atomic_load(&is_closing))
        serve(account, TICK_MS);
    return NULL;
}

/* ---- the life of an account, and a transfer ---- */

static void
account_open(struct account *account, HANDLE tm, const char *directory)
{
    log_open(account, directory);
    account->rm = CreateResourceManager(NULL, &account->id, 0, tm, NULL);
    must(account->rm != INVALID_HANDLE_VALUE && RecoverResourceManager(account->rm),
         "register with the transaction manager");
    while (serve(account, 0)) /* all that recovery has to say is there by now */
        continue;
    must(pthread_create(&account->thread, NULL, serve_thread, account) == 0, "start a thread");
}

/* Takes part in a transaction, with NULL as key. Notifications may come on the thread before the
 * handle is here; but not in a transaction that has no time-out and that only we can end. */
static void
account_add(struct account *account, HANDLE transaction, int64_t change)
{
    must(!account->enlistment && !account->now.is_prepared, "change an account that is in use");
    must(GetTransactionId(transaction, &account->now.transaction), "name the transaction");
    account->now.change = change;
    account->enlistment = CreateEnlistment(NULL, account->rm, transaction, ASKED, 0, NULL);
    must(account->enlistment != INVALID_HANDLE_VALUE, "enlist");
}

static void
transfer(int64_t amount)
{
    HANDLE transaction = CreateTransaction(NULL, NULL, 0, 0, 0, 0, NULL);

    must(transaction != INVALID_HANDLE_VALUE, "make a transaction");
    account_add(&accounts[0], transaction, -amount);
    account_add(&accounts[1], transaction, amount);
    /* 6704: ERROR_TRANSACTION_ALREADY_ABORTED, which not every winerror.h has. */
    puts(CommitTransaction(transaction) ? "committed"
         : GetLastError() == 6704       ? "rolled back"
                                        : "not known before the next start");
    CloseHandle(transaction);
}

int
main(int count, char **arguments)
{
    WCHAR log_name[PATH_SIZE];
    char path[PATH_SIZE];
    HANDLE tm;

    if (count < 2 || count > 3 || strlen(arguments[1]) > PATH_SIZE - 16)
        return 2;
    snprintf(path, sizeof(path), "%s/tm", arguments[1]);
    for (size_t i = 0; i <= strlen(path); i++)
        log_name[i] = (unsigned char)path[i];
    tm = CreateTransactionManager(NULL, log_name, 0, 0); /* opens the log if there is one */
    must(tm != INVALID_HANDLE_VALUE && RecoverTransactionManager(tm), "open the log of the TM");
    for (int i = 0; i < 2; i++)
        account_open(&accounts[i], tm, arguments[1]);
    if (count == 3)
        transfer((int)strtol(arguments[2], NULL, 10));
    atomic_store(&is_closing, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(accounts[i].thread, NULL);
        CloseHandle(accounts[i].rm);
        printf("%s %d%s", accounts[i].name, (int)accounts[i].now.balance, i ? "\n" : " ");
    }
    CloseHandle(tm);
    return 0;
}
