/* SPDX-License-Identifier: MIT */
/* What managers of all servers are, for KTM and for applications. */
#include "rm/server/server.h"

#include <stdatomic.h>
#include <unistd.h>

#include "wdm.h"

NTSTATUS
manager_take(struct manager *manager, HANDLE given, const char *home, GUID *id,
             struct explanation *why)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION info;
    NTSTATUS status = STATUS_SUCCESS;

    manager->tm = given;
    if (!given) {
        status = ktm_tm_open(home, &manager->tm);
        manager->owns_tm = status == STATUS_SUCCESS;
        TRY(explain_status(why, status, "the transaction manager of '%s' cannot be opened", home));
    }
    status = NtQueryInformationTransactionManager(manager->tm, TransactionManagerBasicInformation,
                                                  &info, sizeof(info), NULL);
    if (status == STATUS_SUCCESS)
        *id = info.TmIdentity;
    return status;
}

void
manager_shut(struct manager *manager, bool has_orphans)
{
    if (manager->kit && ktm_rm_unfinished(manager->kit) == 0 && !has_orphans)
        home_rest(&manager->home);
    ktm_rm_close(manager->kit);
    if (manager->owns_tm)
        NtClose(manager->tm);
    manager->kit = NULL;
    manager->tm = NULL;
    home_close(&manager->home);
}

NTSTATUS
manager_check(const struct manager *manager)
{
    return manager->process == getpid() ? STATUS_SUCCESS : status_raise(STATUS_RM_NOT_ACTIVE);
}

void
manager_well(struct manager *manager)
{
    /* This one still counts; while the RM is being opened nobody knows how many there are. */
    if (manager->kit && ktm_rm_unfinished(manager->kit) <= 1)
        home_well(&manager->home);
}

/* ---- transactions ---- */

NTSTATUS
manager_enlist(struct manager *manager, struct held *held, ktm_rm_make *make, void *argument,
               void **work)
{
    NTSTATUS status;

    if (!held->transaction) {
        TRY(NtCreateTransaction(&held->transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, manager->tm,
                                0, 0, 0, NULL, NULL));
        held->is_ours = true;
    }
    status = ktm_rm_enlist(manager->kit, held->transaction, make, argument, work);
    if (status != STATUS_SUCCESS)
        held_drop(held);
    return status;
}

NTSTATUS
manager_commit(struct manager *manager, struct held *held, pthread_mutex_t *mutex,
               struct explanation *why)
{
    uint64_t began = explain_time();
    NTSTATUS status;

    if (!held->transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(manager));
    status = ktm_rm_commit(manager->kit, held->transaction);
    if (status == STATUS_SUCCESS)
        return status;
    pthread_mutex_lock(mutex);
    if (!why->text[0] || why->time < began) /* nobody here has said why */
        explain_sentence(why,
                         "the transaction was not committed (%s); another participant, "
                         "a time-out or its owner has rolled it back",
                         status_meaning(status));
    pthread_mutex_unlock(mutex);
    return status;
}

void
held_let_go(struct held *held)
{
    /* The close rolls back what was not committed [CLOSE-TX-01]. */
    if (atomic_fetch_sub(&held->holders, 1) == 1)
        held_drop(held);
}

void
held_drop(struct held *held)
{
    if (!held->is_ours)
        return;
    NtClose(held->transaction);
    held->transaction = NULL;
}
