/* SPDX-License-Identifier: MIT */
/*
 * The transaction manager: its sets of objects, the step that hands an event to whom it concerns,
 * and the end of lives (section 3 of ktm-protocol.md).
 */
#include "core/inner.h"

#include <stdlib.h>

void
ktm_init(struct ktm *ktm, bool is_volatile)
{
    *ktm = (struct ktm){.is_volatile = is_volatile, .clock = 1}; /* [CLOCK-01] */
    ktm->state = is_volatile ? KTM_ONLINE : KTM_INITIALIZED;     /* [TM-CREATE-10] */
    guid_map_init(&ktm->rms);
    guid_map_init(&ktm->txs);
    list_init(&ktm->rm_list);
    list_init(&ktm->tx_list);
    list_init(&ktm->logged);
    list_init(&ktm->news);
}

void
ktm_deinit(struct ktm *ktm)
{
    CHECK(list_is_empty(&ktm->rm_list) && list_is_empty(&ktm->tx_list) &&
          list_is_empty(&ktm->logged));
    CHECK(list_is_empty(&ktm->news));
    guid_map_deinit(&ktm->rms);
    guid_map_deinit(&ktm->txs);
}

void
ktm_raise_clock(struct ktm *ktm, const int64_t *clock)
{
    if (clock && *clock > ktm->clock) /* signed, only upwards [CLOCK-04, CLOCK-10] */
        ktm->clock = *clock;
}

bool
ktm_go_offline(struct ktm *ktm)
{
    if (ktm->state != KTM_ONLINE)
        return false;
    ktm->state = KTM_OFFLINE;
    return true;
}

void
ktm_tick(struct ktm *ktm)
{
    if (ktm->clock < INT64_MAX) /* anybody may raise it as far as that; it never falls [CLOCK-10] */
        ktm->clock++;
}

/* ---- transactions ---- */

struct transaction *
transaction_create(const GUID *uow)
{
    struct transaction *tx = calloc(1, sizeof(*tx));

    if (!tx)
        return NULL;
    tx->object.kind = OBJECT_TX;
    atomic_init(&tx->object.signal, SIGNAL_SETTLED);
    tx->link.guid = *uow;
    tx->state = TX_ACTIVE;
    atomic_init(&tx->outcome, OUTCOME_UNDETERMINED);
    atomic_init(&tx->is_active, true);
    list_init(&tx->in_ktm);
    list_init(&tx->in_log);
    list_init(&tx->in_frozen);
    list_init(&tx->enlistments);
    list_init(&tx->deliveries);
    return tx;
}

void
transaction_destroy(struct transaction *tx)
{
    if (!tx)
        return;
    CHECK(list_is_empty(&tx->enlistments) && list_is_empty(&tx->deliveries));
    CHECK(list_is_empty(&tx->in_log) && list_is_empty(&tx->in_ktm));
    free(tx->description);
    free(tx);
}

NTSTATUS
description_copy(const uint16_t *units, size_t count, uint16_t **out)
{
    uint16_t *copy = NULL;

    CHECK(count <= DESCRIPTION_UNITS_MAX);
    if (count) {
        copy = malloc(count * sizeof(*copy));
        if (!copy)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        memcpy(copy, units, count * sizeof(*copy));
    }
    *out = copy;
    return STATUS_SUCCESS;
}

void
transaction_take_description(struct transaction *tx, uint16_t *units, size_t count)
{
    free(tx->description);
    tx->description = units;
    tx->description_units = (uint8_t)count;
}

NTSTATUS
transaction_set_description(struct transaction *tx, const uint16_t *units, size_t count)
{
    uint16_t *copy;

    TRY(description_copy(units, count, &copy));
    transaction_take_description(tx, copy, count);
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_add_transaction(struct ktm *ktm, struct transaction *tx)
{
    if (guid_map_find(&ktm->txs, &tx->link.guid))
        return STATUS_OBJECT_NAME_COLLISION; /* [TX-CREATE-04] */
    TRY(guid_map_add(&ktm->txs, &tx->link));
    list_append(&ktm->tx_list, &tx->in_ktm);
    tx->is_listed = true;
    atomic_store(&tx->ktm, ktm);
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_move_transaction(struct ktm *from, struct ktm *to, struct transaction *tx)
{
    CHECK(tx->ktm == from && list_is_empty(&tx->enlistments));
    if (guid_map_find(&to->txs, &tx->link.guid))
        return STATUS_OBJECT_NAME_COLLISION;
    guid_map_remove(&from->txs, &tx->link);
    if (guid_map_add(&to->txs, &tx->link) != STATUS_SUCCESS) {
        NTSTATUS status = guid_map_add(&from->txs, &tx->link);

        CHECK(status == STATUS_SUCCESS); /* it has just made room */
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    list_remove(&tx->in_ktm);
    list_append(&to->tx_list, &tx->in_ktm);
    atomic_store(&tx->ktm, to);
    return STATUS_SUCCESS;
}

struct transaction *
ktm_find_transaction(const struct ktm *ktm, const GUID *uow)
{
    struct guid_link *link = guid_map_find(&ktm->txs, uow);

    return link ? container_of(link, struct transaction, link) : NULL;
}

struct transaction *
ktm_next_undecided(struct ktm *ktm, struct transaction *after)
{
    struct list *at = after ? &after->in_ktm : &ktm->tx_list;

    for (at = at->next; at != &ktm->tx_list; at = at->next) {
        struct transaction *tx = container_of(at, struct transaction, in_ktm);

        if (transaction_may_abort(tx) && !tx->forcing)
            return tx;
    }
    return NULL;
}

/* ---- resource managers ---- */

struct resource_manager *
resource_manager_create(const GUID *guid, uint32_t create_options)
{
    struct resource_manager *rm = calloc(1, sizeof(*rm));

    if (!rm)
        return NULL;
    rm->object.kind = OBJECT_RM;
    atomic_init(&rm->object.signal, 0);
    rm->link.guid = *guid;
    rm->create_options = create_options;
    rm->is_volatile = create_options & RESOURCE_MANAGER_VOLATILE;
    rm->is_online = rm->is_volatile; /* a durable one must recover first [OP-18, RM-CREATE-14] */
    rm->queue_end = &rm->queue;
    guid_map_init(&rm->ens);
    list_init(&rm->en_list);
    list_init(&rm->in_ktm);
    list_init(&rm->in_news);
    return rm;
}

static void
queue_discard(struct resource_manager *rm)
{
    struct notification *note;

    while ((note = resource_manager_take(rm)))
        free(note);
    list_remove(&rm->in_news);
}

void
resource_manager_destroy(struct resource_manager *rm)
{
    if (!rm)
        return;
    CHECK(list_is_empty(&rm->en_list) && list_is_empty(&rm->in_ktm));
    queue_discard(rm);
    guid_map_deinit(&rm->ens);
    free(rm);
}

NTSTATUS
ktm_add_resource_manager(struct ktm *ktm, struct resource_manager *rm)
{
    TRY(guid_map_add(&ktm->rms, &rm->link));
    list_append(&ktm->rm_list, &rm->in_ktm);
    rm->ktm = ktm;
    rm->is_listed = true;
    return STATUS_SUCCESS;
}

struct resource_manager *
ktm_find_resource_manager(const struct ktm *ktm, const GUID *guid)
{
    struct guid_link *link = guid_map_find(&ktm->rms, guid);

    return link ? container_of(link, struct resource_manager, link) : NULL;
}

struct enlistment *
resource_manager_find_enlistment(const struct resource_manager *rm, const GUID *guid)
{
    struct guid_link *link = guid_map_find(&rm->ens, guid);

    return link ? container_of(link, struct enlistment, link) : NULL;
}

struct enlistment *
resource_manager_next_closing(struct resource_manager *rm, struct enlistment *after)
{
    struct list *at = after ? &after->in_rm : &rm->en_list;

    for (at = at->next; at != &rm->en_list; at = at->next) {
        struct enlistment *en = container_of(at, struct enlistment, in_rm);

        if (en->is_closing)
            return en;
    }
    return NULL;
}

/* The last handle of the RM is gone; its enlistments follow, one step each [CLOSE-RM-01..04]. Only
 * those there are now: the RM may be open again, and enlist, before the last has been told. */
static void
resource_manager_close(struct resource_manager *rm)
{
    struct enlistment *en;

    rm->is_open = false;
    rm->is_online = rm->is_volatile;
    rm->callback = NULL;
    rm->object.epoch++;
    LIST_EACH (en, &rm->en_list, in_rm) {
        /* Every handle made so far has expired [CLOSE-RM-03]. */
        en->object.epoch = rm->object.epoch;
        en->is_closing = en->is_attached;
        en->undelivered = 0;
        list_remove(&en->in_delivery);
    }
    queue_discard(rm);
}

/* ---- the step ---- */

static NTSTATUS
callback_failed(const struct ktm_event *event, struct ktm_effects *effects)
{
    struct enlistment *en = event->en;
    struct transaction *tx;
    bool is_vote =
        event->what == TRANSACTION_NOTIFY_PREPREPARE || event->what == TRANSACTION_NOTIFY_PREPARE;

    CHECK(en != NULL && en->tx != NULL); /* LAST_RECOVER, without either, owes no answer */
    tx = en->tx;
    if (tx->forcing || atomic_load(&tx->outcome) != OUTCOME_UNDETERMINED)
        return STATUS_SUCCESS; /* too late to matter */
    if ((is_vote && transaction_may_abort(tx)) ||
        (event->what == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT && en->state == EN_DELEGATED))
        transaction_abort(tx, REASON_CALLBACK, en, effects); /* [NOTIF-09, ROLL-10, PT-13] */
    return STATUS_SUCCESS; /* for all others the answer stays owed */
}

/* While the log decides, a request has to wait for it; what cannot wait or be refused is dealt with
 * at once. */
static bool
must_wait(const struct ktm_event *event, const struct transaction *tx)
{
    if (!tx || !tx->forcing)
        return false;
    return event->type == KTM_TX_COMMIT || event->type == KTM_TX_ROLLBACK ||
           (event->type >= KTM_EN_PREPREPARE_COMPLETE && event->type <= KTM_EN_COMMIT) ||
           event->type == KTM_EN_RECOVER;
}

static NTSTATUS
step(struct ktm *ktm, const struct ktm_event *event, struct ktm_effects *effects)
{
    switch (event->type) {
    case KTM_TX_COMMIT:
    case KTM_TX_ROLLBACK:
    case KTM_TX_CLOSE:
    case KTM_TX_TIMEOUT:
    case KTM_TX_SHUTDOWN:
    case KTM_TX_THAW:
        return transaction_client(event, effects);
    case KTM_EN_PREPREPARE_COMPLETE:
    case KTM_EN_PREPARE_COMPLETE:
    case KTM_EN_COMMIT_COMPLETE:
    case KTM_EN_ROLLBACK_COMPLETE:
    case KTM_EN_READ_ONLY:
    case KTM_EN_SINGLE_PHASE_REJECT:
    case KTM_EN_ROLLBACK:
    case KTM_EN_REQUEST_OUTCOME:
        return enlistment_answer(event, effects);
    case KTM_EN_PREPREPARE:
    case KTM_EN_PREPARE:
    case KTM_EN_COMMIT:
        return superior_request(event, effects);
    case KTM_EN_CREATE:
        return enlistment_create_step(ktm, event, effects);
    case KTM_EN_RECOVER:
        return enlistment_recover(event->en, event->key, effects);
    case KTM_EN_CLOSE:
        enlistment_close(event->en, effects);
        return STATUS_SUCCESS;
    case KTM_EN_CALLBACK_FAILED:
        return callback_failed(event, effects);
    case KTM_RM_RECOVER:
        return resource_manager_recover(event->rm, effects);
    case KTM_RM_CLOSE:
        resource_manager_close(event->rm);
        return STATUS_SUCCESS;
    case KTM_LOG_FORCED:
    case KTM_LOG_FAILED:
    case KTM_LOG_AMBIGUOUS:
        transaction_log_answered(event, effects);
        return STATUS_SUCCESS;
    case KTM_EVENTS:
        break;
    }
    CHECK(!"an event the core knows");
}

NTSTATUS
ktm_step(struct ktm *ktm, const struct ktm_event *event, struct ktm_effects *effects)
{
    struct transaction *tx = event->en && event->en->tx ? event->en->tx : event->tx;

    effects->count = 0;
    effects->has_queued = false;
    if (must_wait(event, tx))
        return STATUS_DEVICE_BUSY;
    TRY(step(ktm, event, effects));
#ifdef KTM_DEBUG
    if (tx)
        transaction_check(tx);
#endif
    return STATUS_SUCCESS;
}

/* ---- the end of lives ---- */

static void
transaction_unlist(struct transaction *tx)
{
    if (!tx->is_listed)
        return;
    guid_map_remove(&tx->ktm->txs, &tx->link);
    tx->is_listed = false;
}

static void
resource_manager_unlist(struct resource_manager *rm)
{
    if (!rm->is_listed)
        return;
    guid_map_remove(&rm->ktm->rms, &rm->link);
    rm->is_listed = false;
}

static void
farewell(const struct ktm *ktm, struct object *object)
{
    if (ktm->farewell)
        ktm->farewell(object);
}

static bool
enlistment_is_over(const struct enlistment *en)
{
    return en->state == EN_FINISHED || en->tx->ktm->state == KTM_CLOSED;
}

/* Finished and all its enlistments too: a superior that has yet to hear of the end keeps it. */
static bool
transaction_is_over(const struct transaction *tx)
{
    const struct enlistment *en;

    if (tx->ktm->state == KTM_CLOSED)
        return true;
    if (tx->state != TX_FORGOTTEN &&
        !(tx->state == TX_DELEGATED && atomic_load(&tx->outcome) == OUTCOME_UNAVAILABLE))
        return false;
    LIST_EACH (en, &tx->enlistments, in_tx)
        if (en->state != EN_FINISHED)
            return false;
    return true;
}

static bool
resource_manager_is_over(const struct resource_manager *rm)
{
    const struct enlistment *en;

    if (rm->is_branch)
        return list_is_empty(&rm->en_list); /* it is there for its enlistments only */
    if (rm->is_open)
        return false;
    if (rm->ktm->state == KTM_CLOSED)
        return true;
    LIST_EACH (en, &rm->en_list, in_rm)
        if (!enlistment_is_over(en))
            return false; /* unresolved: the TM still knows it [CLOSE-RM-04] */
    return true;
}

static void
resource_manager_reap(struct resource_manager *rm)
{
    if (!resource_manager_is_over(rm))
        return;
    resource_manager_unlist(rm);
    if (atomic_load(&rm->object.holds) || !list_is_empty(&rm->en_list))
        return;
    list_remove(&rm->in_ktm);
    farewell(rm->ktm, &rm->object);
    resource_manager_destroy(rm);
}

static bool
enlistment_reap(struct enlistment *en)
{
    struct resource_manager *rm = en->rm;
    struct transaction *tx = en->tx;

    if (atomic_load(&en->object.holds) || !list_is_empty(&en->in_delivery) ||
        !enlistment_is_over(en))
        return false;
    if (rm->is_branch && !transaction_is_over(tx))
        return false; /* without handles, it is its transaction that keeps it */
    guid_map_remove(&rm->ens, &en->link);
    list_remove(&en->in_rm);
    list_remove(&en->in_tx);
    tx->en_count--;
    if (tx->superior == en)
        tx->superior = NULL;
    if (en->state != EN_FINISHED)
        enlistment_become(en, EN_FINISHED);
    enlistment_destroy(en);
    if (!rm->is_open || rm->is_branch)
        resource_manager_reap(rm);
    return true;
}

static void
transaction_reap(struct transaction *tx)
{
    struct enlistment *en, *after;

    if (tx->is_open || !transaction_is_over(tx))
        return;
    transaction_unlist(tx);
    LIST_EACH_SAFE (en, after, &tx->enlistments, in_tx)
        enlistment_reap(en);
    if (atomic_load(&tx->object.holds) || !list_is_empty(&tx->enlistments))
        return;
    list_remove(&tx->in_ktm);
    list_remove(&tx->in_log);
    farewell(tx->ktm, &tx->object);
    transaction_destroy(tx);
}

void
ktm_reap(struct object *object)
{
    switch (object->kind) {
    case OBJECT_RM:
        resource_manager_reap(container_of(object, struct resource_manager, object));
        break;
    case OBJECT_TX:
        transaction_reap(container_of(object, struct transaction, object));
        break;
    case OBJECT_EN: {
        struct transaction *tx = container_of(object, struct enlistment, object)->tx;

        if (enlistment_reap(container_of(object, struct enlistment, object)))
            transaction_reap(tx);
        break;
    }
    default:
        CHECK(!"a kind of object the core reaps");
    }
}
