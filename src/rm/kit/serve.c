/* SPDX-License-Identifier: MIT */
/* Serving: notifications from the queue or by callback, what is tried again, and what a restart has
 * to settle. */
#include "rm/kit/kit.h"

#include <limits.h>
#include <stdlib.h>

#define TICK 100u /* nanoseconds in the unit of Nt time-outs */

void
kit_mark_down(struct ktm_rm *rm, NTSTATUS why)
{
    uint32_t up = 0;

    atomic_compare_exchange_strong(&rm->down, &up, (uint32_t)why);
}

void
kit_shut_down(struct ktm_rm *rm, NTSTATUS why)
{
    HANDLE handle;

    kit_mark_down(rm, why);
    /* Nobody waits for our answers any more [CLOSE-RM-01, CLOSE-RM-05]. */
    handle = atomic_exchange(&rm->handle, NULL);
    if (handle)
        NtClose(handle);
}

/* ---- what was left ---- */

struct listing {
    struct ktm_rm *rm;
    NTSTATUS status;
};

/* What this run prepares is under way and none of our business here. By transaction, in which an RM
 * is once: what somebody prepared may have been named before its enlistment had a GUID. */
static void
list_add(void *context, const struct ktm_rm_key *key)
{
    struct listing *listing = context;
    struct ktm_rm *rm = listing->rm;
    struct left *left;

    if (!guid_equal(&key->manager, &rm->identity) || key->incarnation >= rm->options.incarnation ||
        guid_map_find(&rm->left, &key->transaction))
        return;
    left = calloc(1, sizeof(*left));
    if (left) {
        left->link.guid = key->transaction;
        left->key = *key;
    }
    if (!left || guid_map_add(&rm->left, &left->link) != STATUS_SUCCESS) {
        free(left);
        listing->status = STATUS_INSUFFICIENT_RESOURCES;
    }
}

NTSTATUS
kit_list(struct ktm_rm *rm)
{
    struct listing listing = {.rm = rm};

    if (!rm->author.list_in_doubt)
        return STATUS_SUCCESS;
    TRY(rm->author.list_in_doubt(rm->options.context, list_add, &listing));
    return listing.status == STATUS_SUCCESS ? STATUS_SUCCESS : status_raise(listing.status);
}

/* What the TM asked to recover has an outcome, or will have. */
static bool
is_known(struct ktm_rm *rm, const struct left *left)
{
    struct guid_link *link;
    bool is;

    sys_mutex_lock(&rm->mutex);
    link = guid_map_find(&rm->recovered, &left->key.transaction);
    is = link && container_of(link, struct recovered, link)->is_asked;
    sys_mutex_unlock(&rm->mutex);
    return is;
}

/* Presumed abort [RECOV-32]. What cannot be rolled back now stays listed, for the next start. */
static void
sweep_one(struct ktm_rm *rm, const struct left *left)
{
    bool is_done;

    if (rm->options.is_last_resource) {
        if (rm->author.settled)
            rm->author.settled(rm->options.context, &left->key);
        return;
    }
    is_done = rm->author.rollback(rm->options.context, NULL, &left->key) == KTM_RM_DONE;
    recovered_note(rm, &left->key.transaction, false, is_done);
    if (is_done)
        return;
    sys_mutex_lock(&rm->mutex);
    rm->let_go++;
    sys_mutex_unlock(&rm->mutex);
}

static void
sweep_link(void *rm, struct guid_link *link)
{
    struct left *left = container_of(link, struct left, link);

    if (!is_known(rm, left))
        sweep_one(rm, left);
    free(left);
}

void
kit_sweep(struct ktm_rm *rm)
{
    guid_map_drain(&rm->left, sweep_link, rm);
}

/* ---- notifications ---- */

void
kit_handle(struct ktm_rm *rm, PKENLISTMENT object, const TRANSACTION_NOTIFICATION *header,
           const void *argument)
{
    const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *recovery = argument;
    NTSTATUS status;

    switch (header->TransactionNotification) {
    case TRANSACTION_NOTIFY_RECOVER:
    case TRANSACTION_NOTIFY_RECOVER_QUERY:
        if (!recovery || header->ArgumentLength < sizeof(*recovery))
            return;
        status = branch_recover(rm, &recovery->EnlistmentId, &recovery->UOW);
        /* Without it we would take its work for nobody's and roll it back. */
        if (status != STATUS_SUCCESS)
            kit_shut_down(rm, status);
        break;
    case TRANSACTION_NOTIFY_LAST_RECOVER:
        if (atomic_load(&rm->down) == 0)
            kit_sweep(rm);
        break;
    default:
        if (header->TransactionKey)
            branch_notify(header->TransactionKey, object, header->TransactionNotification);
        break;
    }
}

/* The queue holds records of at most a header and a recovery argument. */
union record {
    TRANSACTION_NOTIFICATION header;
    uint8_t bytes[sizeof(TRANSACTION_NOTIFICATION) +
                  sizeof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT)];
};

/* One notification, waiting until 'until'. Answers: TIMEOUT. */
static NTSTATUS
fetch(struct ktm_rm *rm, uint64_t until)
{
    union record record;
    uint64_t now = sys_now();
    LARGE_INTEGER timeout = {.QuadPart = 0};
    NTSTATUS status;

    if (until != SYS_FOREVER && until > now)
        timeout.QuadPart = -(int64_t)((until - now + TICK - 1) / TICK);
    status =
        NtGetNotificationResourceManager(atomic_load(&rm->handle), &record.header, sizeof(record),
                                         until == SYS_FOREVER ? NULL : &timeout, NULL, 0, 0);
    if (status == STATUS_SUCCESS)
        kit_handle(rm, NULL, &record.header,
                   record.header.ArgumentLength ? record.bytes + sizeof(record.header) : NULL);
    return status;
}

/* The branch that is due first, with a reference; NULL: none owes anything. */
static struct branch *
due_first(struct ktm_rm *rm, uint64_t *when)
{
    struct branch *branch, *first = NULL;

    sys_mutex_lock(&rm->mutex);
    LIST_EACH (branch, &rm->debts, in_debts)
        if (!first || branch->retry_at < first->retry_at)
            first = branch;
    if (first)
        first->references++;
    *when = first ? first->retry_at : SYS_FOREVER;
    sys_mutex_unlock(&rm->mutex);
    return first;
}

/* Tries again what is due; *when: when the next is. */
static void
retry_due(struct ktm_rm *rm, uint64_t *when)
{
    for (;;) {
        struct branch *branch = due_first(rm, when);
        bool is_due = branch && *when <= sys_now();

        if (is_due)
            branch_retry(branch);
        if (branch)
            branch_release(branch);
        if (!is_due)
            return;
    }
}

/* What is in the queue is begun before the first of it is waited for. */
static NTSTATUS
serve(struct ktm_rm *rm, uint64_t deadline)
{
    bool has_begun = false;

    for (;;) {
        NTSTATUS status;
        uint64_t due;

        retry_due(rm, &due);
        TRY(ktm_rm_status(rm));
        status = fetch(rm, has_begun ? 0 : due < deadline ? due : deadline);
        if (status == STATUS_SUCCESS) {
            deadline = 0; /* the rest of what is there, and no more waiting */
            has_begun = true;
        } else if (status != STATUS_TIMEOUT) {
            kit_shut_down(rm, status);
            return status;
        } else if (has_begun) {
            has_begun = begun_finish_one();
        } else if (sys_now() >= deadline) {
            return STATUS_SUCCESS;
        }
    }
}

NTSTATUS
kit_serve(struct ktm_rm *rm, uint64_t deadline)
{
    NTSTATUS status;

    begun_open();
    status = serve(rm, deadline);
    begun_close();
    return status;
}

/* ---- help ---- */

static void
helper(void *context)
{
    struct ktm_rm *rm = context;
    bool is_needed = true;

    while (is_needed) {
        uint32_t seen = atomic_load(&rm->help);
        uint64_t due;

        retry_due(rm, &due);
        sys_mutex_lock(&rm->mutex);
        is_needed = !list_is_empty(&rm->debts) && atomic_load(&rm->handle);
        rm->is_helping = is_needed;
        sys_mutex_unlock(&rm->mutex);
        if (is_needed)
            sys_wait(&rm->help, seen, due);
    }
}

static void
look_again(struct ktm_rm *rm)
{
    atomic_fetch_add(&rm->help, 1);
    sys_wake(&rm->help, INT_MAX);
}

/* False: there is nothing to begin. 'former' is to be joined: it has nothing left to do. */
static bool
help_begin(struct ktm_rm *rm, struct sys_thread **former)
{
    bool is_first;

    sys_mutex_lock(&rm->mutex);
    is_first = !rm->is_starting && !rm->is_helping && !list_is_empty(&rm->debts) &&
               atomic_load(&rm->handle);
    if (is_first) {
        rm->is_starting = rm->is_helping = true;
        *former = give(rm->thread);
    }
    sys_mutex_unlock(&rm->mutex);
    return is_first;
}

/* By somebody whom the close waits for. */
void
kit_help(struct ktm_rm *rm)
{
    struct sys_thread *former, *fresh;

    if (rm->options.mode != KTM_RM_HELPED)
        return;
    while (help_begin(rm, &former)) {
        sys_thread_join(former);
        if (sys_thread_start("ktm-rm", helper, rm, &fresh) != STATUS_SUCCESS)
            fresh = NULL; /* whoever owes something next tries once more */
        sys_mutex_lock(&rm->mutex);
        rm->thread = fresh;
        rm->is_starting = false;
        rm->is_helping = rm->is_helping && fresh;
        sys_mutex_unlock(&rm->mutex);
        if (!fresh)
            break;
    }
    look_again(rm);
}

void
kit_help_end(struct ktm_rm *rm)
{
    if (rm->options.mode == KTM_RM_HELPED)
        look_again(rm);
}

/* ---- the thread of the kit ---- */

void
kit_thread(void *context)
{
    /* Ends when the RM is closed under it [NOTIF-GET-15], or cannot go on. */
    while (kit_serve(context, SYS_FOREVER) == STATUS_SUCCESS)
        continue;
}
