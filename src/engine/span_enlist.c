/* SPDX-License-Identifier: MIT */
/* How a transaction comes to span two TMs: the first enlistment of another TM's RM makes a branch
 * there, and a link to it in the root [BR-01, BR-03, BR-06]. */
#include "engine/span.h"

#define LINK_MASK                                                                                  \
    (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |      \
     TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_INDOUBT)
#define SUPERIOR_MASK                                                                              \
    (TRANSACTION_NOTIFY_PREPREPARE_COMPLETE | TRANSACTION_NOTIFY_PREPARE_COMPLETE |                \
     TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE |                   \
     TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_REQUEST_OUTCOME |                            \
     TRANSACTION_NOTIFY_RM_DISCONNECTED)

static NTSTATUS
rm_find_or_make(struct engine_tm *tm, const struct engine_tm *other, struct resource_manager **out)
{
    uint32_t options = tm->core.is_volatile || other->core.is_volatile ? RESOURCE_MANAGER_VOLATILE
                                                                       : 0; /* [BR-06] */
    struct resource_manager *rm = ktm_find_resource_manager(&tm->core, &other->core.identity);
    NTSTATUS status;

    if (rm && !rm->is_branch)
        return status_raise(STATUS_OBJECT_NAME_COLLISION); /* somebody's RM has that GUID */
    if (!rm) {
        rm = resource_manager_create(&other->core.identity, options);
        if (!rm)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        status = ktm_add_resource_manager(&tm->core, rm);
        if (status != STATUS_SUCCESS) {
            resource_manager_destroy(rm);
            return status;
        }
        rm->is_branch = true;
        span_rm_open(rm);
    }
    *out = rm;
    return STATUS_SUCCESS;
}

/* Under the lock of the TM. On failure nothing has changed. */
static NTSTATUS
half_enlist(struct run *run, const struct engine_tm *other, struct transaction *tx, enum half half)
{
    bool is_superior = half == HALF_SUPERIOR;
    struct ktm_event event = {.type = KTM_EN_CREATE, .tx = tx};
    NTSTATUS status;

    TRY(rm_find_or_make(run->tm, other, &event.rm));
    event.en = enlistment_create(&tx->link.guid, is_superior ? SUPERIOR_MASK : LINK_MASK,
                                 is_superior, NULL);
    status = event.en ? run_step(run, &event) : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        enlistment_destroy(event.en);
        ktm_reap(&event.rm->object); /* if it was made for this */
    }
    return status;
}

/* A branch nobody is in. Lets go of it. */
static void
span_drop(struct run *run, struct transaction *tx)
{
    struct ktm_event event = {.type = KTM_TX_SHUTDOWN, .tx = tx, .reason = REASON_CLIENT};

    (void)!run_step(run, &event);
    run_release(run, &tx->object);
}

/* What the branch takes over from its root. */
struct root {
    struct engine_tm *tm;
    struct transaction *tx; /* held */
    uint16_t description[DESCRIPTION_UNITS_MAX];
    size_t units;
};

static NTSTATUS
span_make(struct run *run, const struct root *root, struct transaction **out)
{
    struct transaction *tx = transaction_create(&root->tx->link.guid);
    NTSTATUS status;

    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = transaction_set_description(tx, root->description, root->units);
    if (status == STATUS_SUCCESS)
        status = ktm_add_transaction(&run->tm->core, tx);
    if (status != STATUS_SUCCESS) {
        transaction_destroy(tx);
        return status;
    }
    engine_hold(&tx->object);
    status = half_enlist(run, root->tm, tx, HALF_SUPERIOR);
    if (status != STATUS_SUCCESS)
        span_drop(run, tx);
    else
        *out = tx;
    return status;
}

/* The enlistment enters the branch, which is made for the first. Under the lock of its TM. */
static NTSTATUS
span_join(struct run *run, const struct root *root, struct ktm_event *event, struct object **out)
{
    const GUID *uow = &root->tx->link.guid;
    const struct enlistment *superior;
    bool is_new;
    NTSTATUS status;

    TRY(tm_check_online(&run->tm->object));
    superior = span_half(run->tm, &root->tm->core.identity, uow, HALF_SUPERIOR);
    event->tx = ktm_find_transaction(&run->tm->core, uow);
    is_new = !event->tx;
    if (is_new && superior) /* what is over, and somebody still holds: so is the root */
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    if (!is_new && !superior)
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    if (is_new)
        TRY(span_make(run, root, &event->tx));
    else
        engine_hold(&event->tx->object);
    status = enlistment_enter_locked(run, event, false, out);
    if (status != STATUS_SUCCESS && is_new)
        span_drop(run, event->tx);
    else
        run_release(run, &event->tx->object);
    return status;
}

/* The root does not want the branch after all: as if nobody had enlisted. */
static void
span_leave(struct object *object)
{
    struct enlistment *en = AS_EN(object);
    struct transaction *tx = en->tx;
    bool is_unseen;
    struct run run;

    run_begin(&run, object);
    is_unseen = en->state == EN_ACTIVE && tx->state == TX_ACTIVE;
    if (is_unseen) {
        enlistment_retract(en);
        object->handles--;
        engine_hold(&tx->object);
        run_release(&run, object);
        if (tx->participants == 0)
            span_drop(&run, tx);
        else
            run_release(&run, &tx->object);
    }
    run_end(&run);
    if (!is_unseen)
        engine_handle_close(object); /* its TM has rolled it back meanwhile */
}

/* Is the root one that others may join? Answers: TRANSACTION_REQUIRED_PROMOTION: it has become
 * another since it was looked for, because the first enlistment in it was refused. */
static NTSTATUS
root_check(struct root *root, const struct ktm_event *event)
{
    if (root->tx->ktm != &root->tm->core)
        return STATUS_TRANSACTION_REQUIRED_PROMOTION;
    TRY(object_check_alive(&root->tx->object));
    TRY(tm_check_online(&root->tm->object));
    if (event->en->is_superior)
        return status_raise(STATUS_TRANSACTION_NOT_ROOT); /* it would be that of a branch
                                                             [ENL-CREATE-15] */
    if (root->tm->core.is_volatile && !event->rm->is_volatile)
        return status_raise(STATUS_TM_VOLATILE); /* [BR-06] */
    TRY(enlistment_may_join(root->tx, event->en));
    root->units = root->tx->description_units;
    if (root->units)
        memcpy(root->description, root->tx->description, 2 * root->units);
    return STATUS_SUCCESS;
}

static NTSTATUS
root_link(const struct root *root, const struct engine_tm *tm)
{
    const struct enlistment *link;
    NTSTATUS status = STATUS_SUCCESS;
    struct run run;

    run_begin(&run, &root->tx->object);
    link = span_half(run.tm, &tm->core.identity, &root->tx->link.guid, HALF_LINK);
    if (!link)
        status = half_enlist(&run, tm, root->tx, HALF_LINK);
    else if (link->state == EN_FINISHED) /* of a branch that is over, while a new one was made */
        status = status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    run_end(&run);
    return status;
}

/* Enlists in the root's branch, and the branch in the root: in this order, because the link is told
 * at once when phase 0 has begun [ENL-CREATE-11]. */
static NTSTATUS
root_enlist(struct root *root, struct ktm_event *event, struct object **out)
{
    struct engine_tm *tm = tm_of_ktm(event->rm->ktm);
    struct object *made = NULL;
    struct run run;
    NTSTATUS status;

    run_begin(&run, &root->tx->object);
    status = root_check(root, event);
    run_end(&run);
    TRY(status);
    run_begin_tm(&run, tm);
    status = span_join(&run, root, event, &made);
    run_end(&run);
    TRY(status);
    event->en = NULL; /* it belongs to the branch */
    status = root_link(root, tm);
    if (status != STATUS_SUCCESS)
        span_leave(made);
    else
        *out = made;
    return status;
}

/* The transaction that 'tx' is a branch of, or 'tx' itself; held. */
static NTSTATUS
root_find(struct transaction *tx, struct transaction **out)
{
    struct enlistment *superior = NULL;
    struct run run;

    run_begin(&run, &tx->object);
    if (transaction_is_branch(tx)) {
        superior = tx->superior;
        engine_hold(&superior->object);
    }
    run_end(&run);
    *out = tx;
    if (superior) {
        owned(peer_release) struct peer link = span_peer(superior);

        engine_release(&superior->object);
        if (link.where != PEER_HERE)
            return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
        *out = link.en->tx;
        engine_hold(&(*out)->object);
        return STATUS_SUCCESS;
    }
    engine_hold(&tx->object);
    return STATUS_SUCCESS;
}

NTSTATUS
span_enlist(struct ktm_event *event, struct object **out)
{
    struct root root = {0};
    NTSTATUS status;

    TRY(root_find(event->tx, &root.tx));
    root.tm = tm_of_ktm(root.tx->ktm);
    if (&root.tm->core == event->rm->ktm || /* through a handle to the branch of another TM */
        root.tm->core.is_nursery) {         /* not bound, after all */
        event->tx = root.tx;
        status = enlistment_enter(event, out);
    } else {
        status = root_enlist(&root, event, out);
    }
    engine_release(&root.tx->object);
    return status;
}
