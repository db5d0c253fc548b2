/* SPDX-License-Identifier: MIT */
/* How a branch comes to be: somebody works in a transaction, or the TM asks to recover it. */
#include "rm/kit/kit.h"

#include <stdlib.h>

/* ---- enlisting ---- */

static NTSTATUS
transaction_of(HANDLE handle, GUID *transaction)
{
    TRANSACTION_BASIC_INFORMATION info;

    TRY(NtQueryInformationTransaction(handle, TransactionBasicInformation, &info, sizeof(info),
                                      NULL));
    *transaction = info.TransactionId;
    return STATUS_SUCCESS;
}

static NTSTATUS
enlistment_guid(HANDLE handle, GUID *enlistment)
{
    ENLISTMENT_BASIC_INFORMATION info;

    TRY(NtQueryInformationEnlistment(handle, EnlistmentBasicInformation, &info, sizeof(info),
                                     NULL));
    *enlistment = info.EnlistmentId;
    return STATUS_SUCCESS;
}

static NTSTATUS
branch_create(struct ktm_rm *rm, const GUID *transaction, struct branch **out)
{
    struct branch *branch = calloc(1, sizeof(*branch));

    if (!branch)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    branch->rm = rm;
    branch->by_transaction.guid = *transaction;
    branch->key.transaction = *transaction;
    branch->key.manager = rm->identity;
    branch->key.incarnation = rm->options.incarnation;
    sys_mutex_init(&branch->mutex);
    list_init(&branch->in_all);
    list_init(&branch->in_debts);
    list_init(&branch->in_begun);
    *out = branch;
    return STATUS_SUCCESS;
}

/* The branch of the transaction: the one there is, or a new one that this caller is to enlist. With
 * a reference for the caller. */
static NTSTATUS
branch_find_or_add(struct ktm_rm *rm, const GUID *transaction, struct branch **out, bool *is_new)
{
    struct branch *fresh;
    struct guid_link *link;
    NTSTATUS status = branch_create(rm, transaction, &fresh);

    TRY(status);
    sys_mutex_lock(&rm->mutex);
    link = guid_map_find(&rm->branches, transaction);
    *is_new = !link;
    if (link) {
        *out = container_of(link, struct branch, by_transaction);
        (*out)->references++;
    } else {
        status = guid_map_add(&rm->branches, &fresh->by_transaction);
        if (status == STATUS_SUCCESS) {
            list_append(&rm->all, &fresh->in_all);
            fresh->references = 2; /* its own, and the caller's */
            *out = fresh;
            fresh = NULL;
        }
    }
    sys_mutex_unlock(&rm->mutex);
    branch_destroy(fresh);
    return status;
}

/* A superior must ask for the end of the phases that it begins [MASK-11]. The end of a rollback it
 * does not want to hear: it would come when the branch is gone. */
static NTSTATUS
create_enlistment(struct branch *branch, HANDLE transaction)
{
    const NOTIFICATION_MASK superior =
        TRANSACTION_NOTIFY_COMMIT_REQUEST | TRANSACTION_NOTIFY_PREPARE_COMPLETE |
        TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK;
    NOTIFICATION_MASK mask = TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |
                             TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_INDOUBT;
    bool is_last = branch->rm->options.is_last_resource;
    NTSTATUS status;

    if (branch->rm->author.commit_alone)
        mask |= TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT;
    TRY(NtCreateEnlistment(&branch->enlistment, ENLISTMENT_ALL_ACCESS,
                           atomic_load(&branch->rm->handle), transaction, NULL,
                           is_last ? ENLISTMENT_SUPERIOR : 0, is_last ? superior : mask, branch));
    status = enlistment_guid(branch->enlistment, &branch->key.enlistment);
    CHECK(status == STATUS_SUCCESS);
    return STATUS_SUCCESS;
}

static NTSTATUS
branch_enlist(struct branch *branch, HANDLE transaction, ktm_rm_make *make, void *argument,
              void **work)
{
    struct ktm_rm *rm = branch->rm;
    NTSTATUS status = make(argument, &branch->key, &branch->work);
    void *made = branch->work;

    if (status != STATUS_SUCCESS) {
        branch->work = NULL;
        branch_abandon(branch);
        return status;
    }
    /* For the caller; from here on the branch may be finished at any time. */
    if (rm->author.hold)
        rm->author.hold(rm->options.context, made);
    status = create_enlistment(branch, transaction);
    if (status != STATUS_SUCCESS) {
        branch->work = NULL;
        branch_abandon(branch);
        if (rm->author.forget) {
            rm->author.forget(rm->options.context, made); /* the caller's, and ours */
            rm->author.forget(rm->options.context, made);
        }
        return status;
    }
    if (rm->author.enlisted)
        rm->author.enlisted(rm->options.context, made, &branch->key);
    branch_enlisted(branch);
    *work = made;
    return STATUS_SUCCESS;
}

/* The work of a branch that somebody else has enlisted, or is enlisting. */
static NTSTATUS
branch_share(struct branch *branch, void **work)
{
    struct ktm_rm *rm = branch->rm;
    NTSTATUS status = STATUS_SUCCESS;

    branch_wait_until_enlisted(branch);
    sys_mutex_lock(&branch->mutex);
    if (branch_state(branch) == BRANCH_ACTIVE && branch->work) {
        if (rm->author.hold)
            rm->author.hold(rm->options.context, branch->work);
        *work = branch->work;
    } else {
        status = status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    }
    sys_mutex_unlock(&branch->mutex);
    return status;
}

NTSTATUS
ktm_rm_enlist(struct ktm_rm *rm, HANDLE transaction, ktm_rm_make *make, void *argument, void **work)
{
    struct branch *branch;
    GUID uow;
    bool is_new;

    if (!rm || !make || !work)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(ktm_rm_status(rm));
    TRY(transaction_of(transaction, &uow));
    TRY(branch_find_or_add(rm, &uow, &branch, &is_new));
    NTSTATUS status = is_new ? branch_enlist(branch, transaction, make, argument, work)
                             : branch_share(branch, work);
    branch_release(branch);
    return status;
}

NTSTATUS
ktm_rm_remember(struct ktm_rm *rm, const struct ktm_rm_key *key, const void *at, uint32_t size)
{
    struct branch *branch = NULL;
    struct guid_link *link;
    NTSTATUS status;

    if (!rm || !key || (!at && size))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(ktm_rm_status(rm));
    sys_mutex_lock(&rm->mutex);
    link = guid_map_find(&rm->branches, &key->transaction);
    if (link) {
        branch = container_of(link, struct branch, by_transaction);
        branch->references++;
    }
    sys_mutex_unlock(&rm->mutex);
    if (!branch)
        return status_raise(STATUS_NOT_FOUND);
    /* Whoever calls holds the branch's mutex: the author is at work in it. */
    status = NtSetInformationEnlistment(branch->enlistment, EnlistmentRecoveryInformation,
                                        (void *)at, size);
    branch_release(branch);
    return status;
}

/* ---- recovering ---- */

/* The one of that transaction, made now if there is none. NULL: no memory. */
static struct recovered *
recovered_get(struct ktm_rm *rm, const GUID *transaction)
{
    struct guid_link *link = guid_map_find(&rm->recovered, transaction);
    struct recovered *recovered;

    if (link)
        return container_of(link, struct recovered, link);
    recovered = calloc(1, sizeof(*recovered));
    if (!recovered)
        return NULL;
    recovered->link.guid = *transaction;
    if (guid_map_add(&rm->recovered, &recovered->link) == STATUS_SUCCESS)
        return recovered;
    free(recovered);
    return NULL;
}

void
recovered_note(struct ktm_rm *rm, const GUID *transaction, bool is_committed, bool is_finished)
{
    struct recovered *recovered;

    sys_mutex_lock(&rm->mutex);
    recovered = recovered_get(rm, transaction); /* without memory it goes untold */
    if (recovered) {
        recovered->is_committed = is_committed;
        recovered->is_finished = is_finished;
    }
    sys_mutex_unlock(&rm->mutex);
}

static NTSTATUS
recovered_add(struct ktm_rm *rm, const GUID *transaction)
{
    struct recovered *recovered;

    sys_mutex_lock(&rm->mutex);
    recovered = recovered_get(rm, transaction);
    if (recovered)
        recovered->is_asked = true;
    sys_mutex_unlock(&rm->mutex);
    return recovered ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* Tells the author which transaction it is, and what it wanted to know of it now. */
static void
author_recover(struct branch *branch)
{
    struct ktm_rm *rm = branch->rm;
    ULONG size = 0;
    void *at = NULL;
    NTSTATUS status;

    if (!rm->author.recover)
        return;
    status = NtQueryInformationEnlistment(branch->enlistment, EnlistmentRecoveryInformation, NULL,
                                          0, &size); /* [RECOV-31] */
    if (status == STATUS_BUFFER_TOO_SMALL) {
        at = malloc(size);
        status = at ? NtQueryInformationEnlistment(branch->enlistment,
                                                   EnlistmentRecoveryInformation, at, size, &size)
                    : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    rm->author.recover(rm->options.context, &branch->key, status, at,
                       status == STATUS_SUCCESS ? size : 0);
    free(at);
}

static NTSTATUS
recover_new(struct branch *branch, const GUID *enlistment)
{
    struct ktm_rm *rm = branch->rm;
    struct guid_link *left = guid_map_find(&rm->left, &branch->key.transaction);
    NTSTATUS status;

    if (left) /* else it was finished before, or is a question whose answer is no */
        branch->key = container_of(left, struct left, link)->key;
    branch->key.enlistment = *enlistment;
    status = NtOpenEnlistment(&branch->enlistment, ENLISTMENT_ALL_ACCESS, atomic_load(&rm->handle),
                              &branch->key.enlistment, NULL);
    if (status != STATUS_SUCCESS) {
        branch_abandon(branch);
        return status;
    }
    author_recover(branch);
    branch_prepared(branch);
    /* The outcome may come, and the branch be finished, before this returns. */
    status = NtRecoverEnlistment(branch->enlistment, branch);
    if (NT_SUCCESS(status) && rm->options.is_last_resource)
        last_ask(branch, NULL);
    return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

NTSTATUS
branch_recover(struct ktm_rm *rm, const GUID *enlistment, const GUID *transaction)
{
    struct branch *branch;
    NTSTATUS status = STATUS_SUCCESS;
    bool is_new;

    TRY(recovered_add(rm, transaction));
    TRY(branch_find_or_add(rm, transaction, &branch, &is_new));
    if (is_new) /* else it was asked for before, and the outcome is on its way */
        status = recover_new(branch, enlistment);
    branch_release(branch);
    return status;
}
