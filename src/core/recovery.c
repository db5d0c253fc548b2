/* SPDX-License-Identifier: MIT */
/*
 * Recovery of resource managers and their enlistments [RM-RECOVER, ENL-RECOVER, RECOV-20..46].
 *
 * The transaction manager's own recovery is in record.c: log records come back as objects. Here a
 * resource manager that has come back, after a crash of its own or of everything, is told what it
 * still has to hear.
 */
#include "core/inner.h"

#include <stdlib.h>

/* A subordinate that is owed an outcome, or a superior that is asked for one [RECOV-20, RECOV-21].
 */
static uint32_t
recovery_question(const struct enlistment *en)
{
    if (en->state != EN_OFFLINE && en->state != EN_RECOVERING)
        return 0;
    if (!en->is_superior)
        return TRANSACTION_NOTIFY_RECOVER;
    return en->tx->state == TX_INDOUBT && atomic_load(&en->tx->outcome) == OUTCOME_UNDETERMINED
               ? TRANSACTION_NOTIFY_RECOVER_QUERY
               : 0;
}

struct question {
    struct enlistment *en;
    size_t position; /* qsort is not stable */
};

static int
by_log_order(const void *a, const void *b)
{
    const struct question *x = a, *y = b;

    if (x->en->tx->lsn != y->en->tx->lsn)
        return x->en->tx->lsn > y->en->tx->lsn ? 1 : -1;
    return (x->position > y->position) - (x->position < y->position);
}

/* Collects the enlistments to ask about, in log order, then enlistment order [RECOV-23]; *out is
 * malloc'ed. */
static NTSTATUS
collect(struct resource_manager *rm, struct question **out, size_t *count)
{
    struct question *list;
    struct enlistment *en;
    size_t n = 0;

    LIST_EACH (en, &rm->en_list, in_rm)
        n += recovery_question(en) != 0;
    list = calloc(n + 1, sizeof(*list));
    if (!list)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *count = n;
    n = 0;
    LIST_EACH (en, &rm->en_list, in_rm)
        if (recovery_question(en)) {
            list[n] = (struct question){.en = en, .position = n};
            n++;
        }
    qsort(list, n, sizeof(*list), by_log_order);
    *out = list;
    return STATUS_SUCCESS;
}

static void
notes_free(struct notification *notes)
{
    while (notes) {
        struct notification *next = notes->next;

        free(notes);
        notes = next;
    }
}

static struct notification *
notes_create(size_t count)
{
    struct notification *notes = NULL;

    while (count--) {
        struct notification *note = calloc(1, sizeof(*note));

        if (!note) {
            notes_free(notes);
            return NULL;
        }
        note->next = notes;
        notes = note;
    }
    return notes;
}

NTSTATUS
resource_manager_recover(struct resource_manager *rm, struct ktm_effects *effects)
{
    struct question *list = NULL;
    struct notification *notes, *note;
    size_t count = 0;

    if (rm->ktm->state != KTM_ONLINE)
        return status_raise(STATUS_TRANSACTIONMANAGER_NOT_ONLINE); /* [RM-RECOVER-05] */
    TRY(collect(rm, &list, &count));
    notes = notes_create(count + 1);
    if (!notes) {
        free(list);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    rm->is_online = true; /* [RM-RECOVER-01] */
    for (size_t i = 0; i < count; i++) {
        struct enlistment *en = list[i].en;

        note = notes;
        notes = note->next;
        note->what = recovery_question(en);
        note->has_argument = true; /* [RM-RECOVER-02] */
        note->argument.EnlistmentId = en->link.guid;
        note->argument.UOW = en->tx->link.guid;
        enlistment_become(en, EN_RECOVERING); /* [PE-14, PE-18] */
        effects_notify_rm(effects, rm, note);
    }
    notes->what = TRANSACTION_NOTIFY_LAST_RECOVER; /* after all others [RECOV-22, RM-RECOVER-03] */
    effects_notify_rm(effects, rm, notes);
    if (rm->callback)
        effects_drain(effects, rm);
    free(list);
    return STATUS_SUCCESS;
}

static void
subordinate_recover(struct enlistment *en, struct ktm_effects *effects)
{
    switch (atomic_load(&en->tx->outcome)) { /* [PE-15, RECOV-24..26] */
    case OUTCOME_COMMITTED:
        enlistment_become(en, EN_COMMITTED_NOTIFY);
        effects_notify(effects, en, TRANSACTION_NOTIFY_COMMIT); /* [PT-43] */
        break;
    case OUTCOME_ABORTED:
        enlistment_become(en, EN_ABORTING);
        effects_notify(effects, en, TRANSACTION_NOTIFY_ROLLBACK); /* [PT-48] */
        break;
    default:
        enlistment_become(en, EN_INDOUBT);
        effects_notify(effects, en, TRANSACTION_NOTIFY_INDOUBT); /* [ENL-RECOVER-10, -12] */
        break;
    }
}

/* Back again: if all is over already it is told so now; a question asked stays asked
 * [ENL-RECOVER-09, RECOV-43]. */
static void
superior_recover(struct enlistment *en, struct ktm_effects *effects)
{
    bool is_committed = atomic_load(&en->tx->outcome) == OUTCOME_COMMITTED;

    if (en->tx->state != TX_FORGOTTEN) {
        enlistment_become(en, EN_RECOVERING);
        return;
    }
    enlistment_become(en, EN_FINISHED);
    effects_notify(effects, en,
                   is_committed ? TRANSACTION_NOTIFY_COMMIT_COMPLETE
                                : TRANSACTION_NOTIFY_ROLLBACK_COMPLETE);
}

NTSTATUS
enlistment_recover(struct enlistment *en, void *key, struct ktm_effects *effects)
{
    bool may = en->state == EN_RECOVERING || en->state == EN_INDOUBT || en->state == EN_OFFLINE;

    if (!may || !en->rm->is_online)
        return status_raise(STATUS_TRANSACTION_REQUEST_NOT_VALID); /* [ENL-RECOVER-05] */
    TRY(enlistment_reserve(en));
    atomic_store(&en->key, key);          /* [ENL-RECOVER-03] */
    atomic_store(&en->key_references, 1); /* [TMR-21] */
    en->is_attached = true;
    if (en->is_superior)
        superior_recover(en, effects);
    else
        subordinate_recover(en, effects);
    return STATUS_SUCCESS;
}
