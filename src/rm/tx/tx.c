/* SPDX-License-Identifier: MIT */
/*
 * X/Open TX: the functions of tx.h, and the transaction of each thread.
 *
 * The process has the table's resource managers open while a thread has opened; each thread enters
 * all of them, and begins a branch of each with its transaction. They are told by callbacks, so
 * prepare and outcome are said by the thread that commits, which has the branches; what has to be
 * tried again a thread for each of them does, through helper processes.
 *
 * Locks: 'mutex' for the process's part; not held across the end of a transaction.
 */
/* X/Open's headers say nothing of visibility. */
#pragma GCC visibility push(default)
#include "tx.h"
#pragma GCC visibility pop

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/guid.h"
#include "ktm_tx.h"
#include "ktm_xa.h"
#include "rm/tx/table.h"
#include "wdm.h"

#define PATIENCE_MS 10000u
#define TEND_MS     100u
#define NEWS_MAX    64
#define FORMAT      0x4b544d31L /* "KTM1" */

struct manager {
    struct ktm_xa_rm *rm;
    pthread_t tender;
};

/* What was reported of transactions that are about to end. */
struct news {
    GUID transaction;
    enum ktm_xa_kind kind;
    int code;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    _Atomic pid_t id; /* of whom this is; 0: nobody has opened yet */
    unsigned opens;   /* threads */
    struct table table;
    HANDLE tm;
    struct manager managers[TABLE_MAX];
    size_t count;
    _Atomic bool is_ending;
} process;

static pthread_mutex_t news_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct news news[NEWS_MAX];
static size_t news_next;

static __thread struct {
    bool is_open;
    COMMIT_RETURN when_return;
    TRANSACTION_CONTROL control;
    TRANSACTION_TIMEOUT timeout;
    HANDLE transaction; /* NULL: in none */
    GUID id;
    TRANSACTION_TIMEOUT its_timeout;
    struct timespec since;
    struct ktm_xa_tx *parts[TABLE_MAX];
    struct explanation why;
} mine;

/* A forked child has no part in what its parent has open: it begins anew. */
static void
begin_anew(void)
{
    memset(&process, 0, sizeof(process));
    memset(&mine, 0, sizeof(mine));
    pthread_mutex_init(&mutex, NULL);
    pthread_mutex_init(&news_mutex, NULL);
    atomic_store(&process.id, getpid());
}

static bool
is_open(void)
{
    pid_t id = atomic_load(&process.id);

    if (id && id != getpid())
        begin_anew();
    return mine.is_open;
}

/* ---- news ---- */

static void
take_news(void *context, const struct ktm_xa_report *report)
{
    (void)context;
    if (report->kind == KTM_XA_SETTLED || report->kind == KTM_XA_UNFINISHED)
        return;
    pthread_mutex_lock(&news_mutex);
    news[news_next++ % NEWS_MAX] = (struct news){
        .transaction = report->transaction, .kind = report->kind, .code = report->code};
    pthread_mutex_unlock(&news_mutex);
}

/* What somebody has decided without us makes of the outcome. */
static int
outcome_with_news(int outcome)
{
    pthread_mutex_lock(&news_mutex);
    for (size_t i = 0; i < NEWS_MAX; i++) {
        if (news[i].kind != KTM_XA_DAMAGED || !guid_equal(&news[i].transaction, &mine.id))
            continue;
        if (news[i].code != XA_HEURHAZ)
            outcome = TX_MIXED;
        else if (outcome != TX_MIXED)
            outcome = TX_HAZARD;
        news[i].kind = 0;
    }
    pthread_mutex_unlock(&news_mutex);
    return outcome;
}

/* ---- the process ---- */

static void *
tend(void *argument)
{
    struct manager *manager = argument;

    while (!atomic_load(&process.is_ending) &&
           ktm_rm_run(ktm_xa_kit(manager->rm), TEND_MS) == STATUS_SUCCESS)
        continue;
    return NULL;
}

static NTSTATUS
manager_open(struct manager *manager, const struct row *row)
{
    const struct ktm_xa_options options = {.mode = KTM_RM_CALLBACKS,
                                           .patience_ms = PATIENCE_MS,
                                           .timeout_ms = row->timeout_ms,
                                           .name = row->name,
                                           .is_unchecked = row->is_unchecked,
                                           .rmid = row->rmid,
                                           .report = take_news};
    char why[sizeof(mine.why.text)];
    NTSTATUS status = ktm_xa_open(process.tm, process.table.home, row->spec, row->info, &options,
                                  why, sizeof(why), &manager->rm);

    if (status != STATUS_SUCCESS)
        return explain(&mine.why, status, "%s", why);
    if (pthread_create(&manager->tender, NULL, tend, manager) != 0) {
        ktm_xa_shut(manager->rm);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    return STATUS_SUCCESS;
}

static void
process_close(void)
{
    atomic_store(&process.is_ending, true);
    for (size_t i = 0; i < process.count; i++) {
        pthread_join(process.managers[i].tender, NULL);
        ktm_xa_shut(process.managers[i].rm);
    }
    process.count = 0;
    if (process.tm)
        NtClose(process.tm);
    process.tm = NULL;
    table_deinit(&process.table);
    atomic_store(&process.is_ending, false);
}

static NTSTATUS
process_open_all(void)
{
    TRY(table_read(&process.table, &mine.why));
    TRY(explain_status(&mine.why, ktm_tm_open(process.table.home, &process.tm),
                       "the transaction manager of '%s' cannot be opened", process.table.home));
    for (; process.count < process.table.count; process.count++)
        TRY(manager_open(&process.managers[process.count], &process.table.rows[process.count]));
    return STATUS_SUCCESS;
}

static NTSTATUS
process_open(void)
{
    NTSTATUS status = STATUS_SUCCESS;

    pthread_mutex_lock(&mutex);
    if (process.opens == 0) {
        atomic_store(&process.id, getpid());
        status = process_open_all();
        if (status != STATUS_SUCCESS)
            process_close();
    }
    process.opens += status == STATUS_SUCCESS;
    pthread_mutex_unlock(&mutex);
    return status;
}

static void
process_leave(void)
{
    pthread_mutex_lock(&mutex);
    if (--process.opens == 0)
        process_close();
    pthread_mutex_unlock(&mutex);
}

/* ---- threads ---- */

static void
thread_leave(size_t entered)
{
    for (size_t i = 0; i < entered; i++)
        status_forgive(ktm_xa_leave(process.managers[i].rm)); /* it is going in any case */
}

static NTSTATUS
thread_enter(void)
{
    for (size_t i = 0; i < process.count; i++) {
        NTSTATUS status = ktm_xa_enter(process.managers[i].rm);

        if (status != STATUS_SUCCESS) {
            ktm_xa_why(process.managers[i].rm, mine.why.text, sizeof(mine.why.text));
            thread_leave(i);
            return status;
        }
    }
    return STATUS_SUCCESS;
}

int
tx_open(void)
{
    NTSTATUS status;

    if (is_open())
        return TX_OK;
    explain_nothing(&mine.why);
    status = process_open();
    if (status == STATUS_SUCCESS) {
        status = thread_enter();
        if (status != STATUS_SUCCESS)
            process_leave();
    }
    status_forgive(explain_status(&mine.why, status, "the resources cannot be opened"));
    mine.is_open = status == STATUS_SUCCESS;
    return mine.is_open ? TX_OK : TX_ERROR;
}

int
tx_close(void)
{
    if (!is_open())
        return TX_OK;
    if (mine.transaction)
        return TX_PROTOCOL_ERROR;
    thread_leave(process.count);
    mine.is_open = false;
    process_leave();
    return TX_OK;
}

/* ---- transactions ---- */

/* Its parts have voted and ended, or owe a rollback, which closing them says. */
static void
drop_transaction(void)
{
    for (size_t i = 0; i < process.count; i++)
        ktm_xa_close(give(mine.parts[i]));
    NtClose(give(mine.transaction));
}

static NTSTATUS
create_transaction(void)
{
    LARGE_INTEGER timeout = {.QuadPart = -(int64_t)mine.timeout * 10000000};
    TRANSACTION_BASIC_INFORMATION info;

    mine.its_timeout = mine.timeout;
    clock_gettime(CLOCK_MONOTONIC, &mine.since);
    TRY(NtCreateTransaction(&mine.transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, process.tm, 0, 0,
                            0, mine.timeout ? &timeout : NULL, NULL));
    TRY(NtQueryInformationTransaction(mine.transaction, TransactionBasicInformation, &info,
                                      sizeof(info), NULL));
    mine.id = info.TransactionId;
    return STATUS_SUCCESS;
}

static NTSTATUS
begin_parts(void)
{
    for (size_t i = 0; i < process.count; i++) {
        struct ktm_xa_rm *rm = process.managers[i].rm;
        NTSTATUS status = ktm_xa_begin_here(rm, mine.transaction, &mine.parts[i]);

        if (status != STATUS_SUCCESS) {
            ktm_xa_why(rm, mine.why.text, sizeof(mine.why.text));
            return status;
        }
    }
    return STATUS_SUCCESS;
}

static int
begin(void)
{
    NTSTATUS status = create_transaction();

    if (status == STATUS_SUCCESS)
        status = begin_parts();
    if (status == STATUS_SUCCESS)
        return TX_OK;
    status_forgive(explain_status(&mine.why, status, "no transaction can begin"));
    if (mine.transaction) {
        (void)NtRollbackTransaction(mine.transaction, TRUE);
        drop_transaction();
    }
    return strstr(mine.why.text, "XAER_OUTSIDE") ? TX_OUTSIDE : TX_ERROR;
}

int
tx_begin(void)
{
    if (!is_open() || mine.transaction)
        return TX_PROTOCOL_ERROR;
    explain_nothing(&mine.why);
    return begin();
}

/* The next one of a chain. */
static int
chain(int outcome)
{
    if (mine.control != TX_CHAINED)
        return outcome;
    return begin() == TX_OK ? outcome : outcome + TX_NO_BEGIN;
}

/* The words of the part that has kept it from being committed. */
static void
take_reason(void)
{
    for (size_t i = 0; i < process.count; i++)
        if (mine.parts[i] && ktm_xa_error(mine.parts[i], mine.why.text, sizeof(mine.why.text)) > 0)
            return;
}

static int
outcome_of(NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS:
        return TX_OK;
    case STATUS_TRANSACTION_ALREADY_ABORTED:
    case STATUS_TRANSACTION_NOT_ACTIVE:
    case STATUS_TRANSACTION_REQUEST_NOT_VALID:
        return TX_ROLLBACK;
    default:
        return TX_FAIL; /* it is not known: the next start finds out */
    }
}

int
tx_commit(void)
{
    NTSTATUS status;
    int outcome;

    if (!is_open() || !mine.transaction)
        return TX_PROTOCOL_ERROR;
    explain_nothing(&mine.why);
    status = NtCommitTransaction(mine.transaction, TRUE);
    outcome = outcome_of(status);
    if (outcome != TX_OK)
        take_reason();
    status_forgive(explain_status(&mine.why, status, "the transaction was not committed"));
    drop_transaction();
    outcome = outcome_with_news(outcome);
    return outcome == TX_FAIL ? outcome : chain(outcome);
}

int
tx_rollback(void)
{
    NTSTATUS status;
    int outcome;

    if (!is_open() || !mine.transaction)
        return TX_PROTOCOL_ERROR;
    explain_nothing(&mine.why);
    status = NtRollbackTransaction(mine.transaction, TRUE);
    outcome = outcome_of(status);
    if (outcome == TX_ROLLBACK)
        outcome = TX_OK; /* before we asked for it */
    drop_transaction();
    outcome = outcome_with_news(outcome);
    return outcome == TX_FAIL ? outcome : chain(outcome);
}

/* ---- what is set and told ---- */

static bool
has_timed_out(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now.tv_sec -= mine.since.tv_sec + (now.tv_nsec < mine.since.tv_nsec);
    return mine.its_timeout > 0 && now.tv_sec >= mine.its_timeout;
}

static long
state_of(void)
{
    TRANSACTION_BASIC_INFORMATION info;

    if (NtQueryInformationTransaction(mine.transaction, TransactionBasicInformation, &info,
                                      sizeof(info), NULL) == STATUS_SUCCESS &&
        info.Outcome != TransactionOutcomeAborted)
        return TX_ACTIVE;
    return has_timed_out() ? TX_TIMEOUT_ROLLBACK_ONLY : TX_ROLLBACK_ONLY;
}

int
tx_info(TXINFO *info)
{
    if (!is_open())
        return TX_PROTOCOL_ERROR;
    if (info) {
        *info = (TXINFO){.xid = {.formatID = -1},
                         .when_return = mine.when_return,
                         .transaction_control = mine.control,
                         .transaction_timeout = mine.timeout};
        if (mine.transaction) {
            info->xid = (XID){.formatID = FORMAT, .gtrid_length = sizeof(mine.id)};
            memcpy(info->xid.data, &mine.id, sizeof(mine.id));
            info->transaction_state = state_of();
        }
    }
    return mine.transaction != NULL;
}

int
tx_set_commit_return(COMMIT_RETURN when_return)
{
    if (!is_open())
        return TX_PROTOCOL_ERROR;
    if (when_return == TX_COMMIT_DECISION_LOGGED)
        return TX_NOT_SUPPORTED;
    return when_return == TX_COMMIT_COMPLETED ? TX_OK : TX_EINVAL;
}

int
tx_set_transaction_control(TRANSACTION_CONTROL control)
{
    if (!is_open())
        return TX_PROTOCOL_ERROR;
    if (control != TX_CHAINED && control != TX_UNCHAINED)
        return TX_EINVAL;
    mine.control = control;
    return TX_OK;
}

int
tx_set_transaction_timeout(TRANSACTION_TIMEOUT timeout)
{
    if (!is_open())
        return TX_PROTOCOL_ERROR;
    if (timeout < 0 || timeout > INT32_MAX)
        return TX_EINVAL;
    mine.timeout = timeout;
    return TX_OK;
}

/* ---- ours ---- */

HANDLE
ktm_tx_transaction(void)
{
    return is_open() ? mine.transaction : NULL;
}

HANDLE
ktm_tx_manager(void)
{
    return is_open() ? process.tm : NULL;
}

const char *
ktm_tx_home(void)
{
    return is_open() ? process.table.home : NULL;
}

size_t
ktm_tx_unfinished(void)
{
    size_t count = 0;

    for (size_t i = 0; is_open() && i < process.count; i++)
        count += ktm_rm_unfinished(ktm_xa_kit(process.managers[i].rm));
    return count;
}

size_t
ktm_tx_error(char *into, size_t size)
{
    if (into && size)
        snprintf(into, size, "%s", mine.why.text);
    return strlen(mine.why.text);
}

/* ---- for switches ---- */

int
ax_reg(int rmid, XID *xid, long flags)
{
    return ktm_xa_register(rmid, xid, flags);
}

int
ax_unreg(int rmid, long flags)
{
    return ktm_xa_unregister(rmid, flags);
}
