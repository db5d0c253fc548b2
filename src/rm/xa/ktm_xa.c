/* SPDX-License-Identifier: MIT */
/* The functions of ktm_xa.h: the resource manager, and what applications do with branches. */
#include "rm/xa/xa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 30000u

/* ---- the resource manager ---- */

static void
orphans_destroy(struct list *list)
{
    struct orphan *orphan, *after;

    LIST_EACH_SAFE (orphan, after, list, in_orphans) {
        list_remove(&orphan->in_orphans);
        free(orphan);
    }
}

void
rm_release(struct ktm_xa_rm *rm)
{
    if (atomic_fetch_sub(&rm->references, 1) != 1)
        return;
    pool_close(rm);
    orphans_destroy(&rm->orphans);
    pthread_mutex_destroy(&rm->mutex);
    if (rm->info)
        explicit_bzero(rm->info, strlen(rm->info));
    home_free(&rm->base.home);
    free(rm->name);
    free(rm->spec);
    free(rm->info);
    free(rm->helper);
    free(rm->lock);
    free(rm);
}

/* Before anything is opened: is the switch one to be trusted? */
static NTSTATUS
check_switch(struct ktm_xa_rm *rm, const char *home, char place[96], struct explanation *why)
{
    struct port *port;
    struct switch_info info;
    const struct quirk *quirk;

    TRY(port_start(&rm->source, &port, why));
    info = port->info;
    port_close(port);
    snprintf(place, 96, "switch %s", info.name);
    quirk = quirk_find(info.name);
    if (quirk && quirk->is_refused)
        return explain(why, status_raise(STATUS_NOT_SUPPORTED), "the switch '%s' is refused: %s",
                       info.name, quirk->known);
    return rm->options.is_unchecked ? STATUS_SUCCESS : record_look(home, &info, why);
}

static NTSTATUS
meet_switch(struct ktm_xa_rm *rm, const char *home, const GUID *tm, struct explanation *why)
{
    struct conninfo reached;
    char place[96];

    TRY(check_switch(rm, home, place, why));
    TRY(home_open(&rm->base.home, home, "xa", rm->name, tm, place, why));
    if (asprintf(&rm->lock, "%s.lock", rm->base.home.path) < 0) {
        rm->lock = NULL;
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    TRY(pool_wait_for_others(rm->lock, why));
    rm->source.lock = rm->lock;
    return home_advance(
        &rm->base.home,
        place_print(rm->spec, rm->info, rm->options.is_info_secret, &reached) ? reached.text : NULL,
        why);
}

static NTSTATUS
rm_start(struct ktm_xa_rm *rm, HANDLE tm, const char *home, struct explanation *why)
{
    struct ktm_rm_options kit = {.description = "XA",
                                 .identity = &rm->base.home.manager,
                                 .author = &xa_author,
                                 .context = rm,
                                 .mode = rm->options.mode,
                                 .patience_ms = rm->options.patience_ms};
    NTSTATUS status;
    GUID id;

    TRY(manager_take(&rm->base, tm, home, &id, why));
    TRY(meet_switch(rm, home, &id, why));
    kit.incarnation = rm->base.home.incarnation;
    status = ktm_rm_open(rm->base.tm, &kit, &rm->base.kit);
    if (status != STATUS_SUCCESS && rm->why.text[0])
        return explain(why, status, "%s", rm->why.text);
    return explain_status(why, status, "the resource manager of '%s' cannot be registered", home);
}

static int
next_rmid(void)
{
    static _Atomic int last;

    return atomic_fetch_add(&last, 1) + 1;
}

static NTSTATUS
rm_create(const char *spec, const char *info, const struct ktm_xa_options *options,
          struct explanation *why, struct ktm_xa_rm **out)
{
    struct ktm_xa_rm *rm = calloc(1, sizeof(*rm));
    NTSTATUS status;

    if (!rm)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    rm->references = 1;
    rm->base.process = getpid();
    list_init(&rm->idle.list);
    list_init(&rm->orphans);
    home_init(&rm->base.home);
    pthread_mutex_init(&rm->mutex, NULL);
    rm->options = options
                      ? *options
                      : (struct ktm_xa_options){.mode = KTM_RM_THREAD, .patience_ms = PATIENCE_MS};
    rm->name = strdup(options && options->name ? options->name : "xa");
    rm->spec = strdup(spec);
    rm->info = strdup(info);
    status = rm->name && rm->spec && rm->info ? helper_find(rm->options.helper, &rm->helper, why)
                                              : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        rm_release(rm);
        return status;
    }
    rm->source =
        (struct source){.spec = rm->spec,
                        .info = rm->info,
                        .helper = rm->helper,
                        .lock = "",
                        .timeout_ms = rm->options.timeout_ms ? rm->options.timeout_ms : TIMEOUT_MS,
                        .rmid = rm->options.rmid ? rm->options.rmid : next_rmid()};
    *out = rm;
    return STATUS_SUCCESS;
}

static NTSTATUS
rm_open(HANDLE tm, const char *home, const char *spec, const char *info,
        const struct ktm_xa_options *options, struct explanation *why, struct ktm_xa_rm **out)
{
    struct ktm_xa_rm *rm;
    NTSTATUS status;

    if (!home || !home[0] || !spec || !info || !out ||
        (options && (options->mode > KTM_RM_CALLBACKS || !home_is_name(options->name))))
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "no home, no switch, or unknown options");
    if (strlen(info) >= MAXINFOSIZE)
        return explain(why, status_raise(STATUS_INVALID_PARAMETER),
                       "an open string has %d bytes at most", MAXINFOSIZE - 1);
    TRY(rm_create(spec, info, options, why, &rm));
    status = rm_start(rm, tm, home, why);
    if (status != STATUS_SUCCESS) {
        ktm_xa_shut(rm);
        return status;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_xa_open(HANDLE tm, const char *home, const char *switch_path, const char *info,
            const struct ktm_xa_options *options, char *why, size_t why_size,
            struct ktm_xa_rm **out)
{
    struct explanation explanation = {0};
    NTSTATUS status = rm_open(tm, home, switch_path, info, options, &explanation, out);

    explain_failure(&explanation, status, "the switch cannot take part");
    if (why && why_size)
        snprintf(why, why_size, "%s", explanation.text);
    return status;
}

static bool
has_orphans(struct ktm_xa_rm *rm)
{
    bool has;

    pthread_mutex_lock(&rm->mutex);
    has = !list_is_empty(&rm->orphans);
    pthread_mutex_unlock(&rm->mutex);
    return has;
}

void
ktm_xa_shut(struct ktm_xa_rm *rm)
{
    if (!rm || rm->base.process != getpid())
        return;
    manager_shut(&rm->base, has_orphans(rm));
    rm_release(rm);
}

HANDLE
ktm_xa_tm(struct ktm_xa_rm *rm)
{
    return rm->base.tm;
}

struct ktm_rm *
ktm_xa_kit(struct ktm_xa_rm *rm)
{
    return rm->base.kit;
}

int
ktm_xa_rmid(struct ktm_xa_rm *rm)
{
    return rm->source.rmid;
}

/* ---- sentences ---- */

size_t
ktm_xa_why(struct ktm_xa_rm *rm, char *into, size_t size)
{
    return why_copy(rm->base.process, &rm->mutex, &rm->why, into, size);
}

size_t
ktm_xa_error(struct ktm_xa_tx *tx, char *into, size_t size)
{
    return why_copy(tx->rm->base.process, &tx->mutex, &tx->why, into, size);
}

/* ---- beginning ---- */

struct making {
    struct ktm_xa_rm *rm;
    struct held held;
    bool is_here;
    bool is_new;
};

/* The branch begins when the enlistment is there, whose GUID is in its name (tx_start). */
static NTSTATUS
make(void *argument, const struct ktm_rm_key *key, void **work)
{
    struct making *making = argument;
    struct ktm_xa_tx *tx = calloc(1, sizeof(*tx));

    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    tx->references = 1;
    tx->rm = making->rm;
    tx->id = key->transaction;
    tx->held = making->held;
    tx->is_here = making->is_here;
    tx->owner = pthread_self();
    pthread_mutex_init(&tx->mutex, NULL);
    pthread_mutex_init(&tx->swap, NULL);
    atomic_fetch_add(&making->rm->references, 1);
    making->is_new = true;
    *work = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
start(struct making *making, struct ktm_xa_tx *tx)
{
    NTSTATUS status = STATUS_SUCCESS;

    pthread_mutex_lock(&tx->mutex);
    if (making->is_new && atomic_load(&tx->state) == KTM_XA_ACTIVE) {
        status = tx_start(tx);
    } else if (!tx->has_started || tx->is_here != making->is_here || !tx_is_mine(tx)) {
        status = status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    }
    if (status != STATUS_SUCCESS)
        why_keep(&tx->rm->mutex, &tx->rm->why, &tx->why, status);
    pthread_mutex_unlock(&tx->mutex);
    return status;
}

static NTSTATUS
begin(struct making *making, struct ktm_xa_tx **out)
{
    struct ktm_xa_rm *rm = making->rm;
    struct explanation why = {0};
    struct ktm_xa_tx *tx;
    NTSTATUS status;
    void *work;

    orphans_tend(rm);
    status = manager_enlist(&rm->base, &making->held, make, making, &work);
    if (status != STATUS_SUCCESS) {
        why_keep(&rm->mutex, &rm->why, &why, status);
        return status;
    }
    tx = work;
    status = start(making, tx);
    if (status != STATUS_SUCCESS) {
        tx_release(tx);
        held_drop(&making->held);
        return status;
    }
    atomic_fetch_add(&tx->held.holders, 1);
    *out = tx;
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_xa_begin(struct ktm_xa_rm *rm, HANDLE transaction, struct ktm_xa_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction};

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    return begin(&making, out);
}

NTSTATUS
ktm_xa_begin_here(struct ktm_xa_rm *rm, HANDLE transaction, struct ktm_xa_tx **out)
{
    struct making making = {.rm = rm, .held.transaction = transaction, .is_here = true};

    if (!rm || !out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&rm->base));
    return begin(&making, out);
}

/* A rollback that came while this thread had the branch, or is still on its way here from the
 * thread that ended the transaction. */
static bool
is_to_be_undone(const struct ktm_xa_tx *tx)
{
    TRANSACTION_BASIC_INFORMATION info;

    if (!tx_is_mine(tx))
        return false;
    if (tx->owes_rollback)
        return true;
    return tx->is_here && atomic_load(&tx->state) == KTM_XA_ACTIVE && tx->held.transaction &&
           NtQueryInformationTransaction(tx->held.transaction, TransactionBasicInformation, &info,
                                         sizeof(info), NULL) == STATUS_SUCCESS &&
           info.Outcome == TransactionOutcomeAborted;
}

void
ktm_xa_close(struct ktm_xa_tx *tx)
{
    if (!tx || tx->rm->base.process != getpid())
        return;
    pthread_mutex_lock(&tx->mutex);
    if (is_to_be_undone(tx))
        tx_undo(tx, KTM_XA_ROLLED_BACK);
    pthread_mutex_unlock(&tx->mutex);
    held_let_go(&tx->held);
    tx_release(tx);
}

HANDLE
ktm_xa_transaction(struct ktm_xa_tx *tx)
{
    return tx->held.transaction;
}

void
ktm_xa_xid(struct ktm_xa_tx *tx, XID *out)
{
    *out = tx->xid;
}

enum ktm_xa_state
ktm_xa_state(struct ktm_xa_tx *tx)
{
    return (enum ktm_xa_state)atomic_load(&tx->state);
}

/* ---- work, and the end of it ---- */

static NTSTATUS
call_locked(struct ktm_xa_tx *tx, struct call *call)
{
    if (atomic_load(&tx->state) != KTM_XA_ACTIVE || !tx->port)
        return status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    return port_call(tx->port, call, &tx->why);
}

NTSTATUS
ktm_xa_call(struct ktm_xa_tx *tx, const char *function, const void *in, size_t in_size, void *out,
            size_t out_size, size_t *got)
{
    struct call call = {
        .function = function, .in = in, .in_size = in_size, .out = out, .out_size = out_size};
    NTSTATUS status;

    if (!tx || !function || strlen(function) >= 4096 || in_size > KTM_XA_CALL_SIZE ||
        (in_size && !in))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    status = call_locked(tx, &call);
    pthread_mutex_unlock(&tx->mutex);
    if (got)
        *got = call.got;
    return status;
}

NTSTATUS
ktm_xa_end(struct ktm_xa_tx *tx)
{
    NTSTATUS status;

    if (!tx || !tx->is_here || !tx_is_mine(tx))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    pthread_mutex_lock(&tx->mutex);
    if (tx->owes_rollback)
        tx_undo(tx, KTM_XA_ROLLED_BACK);
    status = atomic_load(&tx->state) == KTM_XA_ACTIVE ? tx_end(tx)
                                                      : status_raise(STATUS_TRANSACTION_NOT_ACTIVE);
    pthread_mutex_unlock(&tx->mutex);
    return status == STATUS_RESOURCEMANAGER_READ_ONLY ? STATUS_SUCCESS : status;
}

NTSTATUS
ktm_xa_commit(struct ktm_xa_tx *tx)
{
    return tx ? manager_commit(&tx->rm->base, &tx->held, &tx->mutex, &tx->why)
              : status_raise(STATUS_INVALID_PARAMETER);
}

NTSTATUS
ktm_xa_rollback(struct ktm_xa_tx *tx)
{
    if (!tx || !tx->held.transaction)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(manager_check(&tx->rm->base));
    return ktm_rm_rollback(tx->rm->base.kit, tx->held.transaction);
}
