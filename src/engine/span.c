/* SPDX-License-Identifier: MIT */
/* The two halves of a transaction over two TMs: how they find each other, and what each does with
 * what it is told. */
#include "engine/span.h"

/* ---- the other half ---- */

/* The TM of that identity, held, or NULL. */
static struct engine_tm *
tm_find(struct engine *engine, const GUID *identity)
{
    struct engine_tm *tm;

    sys_mutex_lock(&engine->mutex);
    tm = registry_find_identity(engine, identity);
    if (tm)
        engine_hold(&tm->object);
    sys_mutex_unlock(&engine->mutex);
    return tm;
}

struct resource_manager *
span_rm(const struct engine_tm *tm, const GUID *identity)
{
    struct resource_manager *rm = ktm_find_resource_manager(&tm->core, identity);

    return rm && rm->is_branch ? rm : NULL;
}

struct enlistment *
span_half(const struct engine_tm *tm, const GUID *other, const GUID *uow, enum half half)
{
    struct resource_manager *rm = span_rm(tm, other);
    struct enlistment *en = rm ? resource_manager_find_enlistment(rm, uow) : NULL;

    return en && en->is_superior == (half == HALF_SUPERIOR) ? en : NULL;
}

struct peer
span_peer(const struct enlistment *en)
{
    struct engine_tm *mine = tm_of_ktm(en->rm->ktm);
    struct engine_tm *tm = tm_find(mine->engine, &en->rm->link.guid);
    struct peer peer = {.where = PEER_AWAY};

    if (!tm)
        return peer;
    sys_mutex_lock(&tm->mutex);
    if (tm->core.state == KTM_ONLINE || tm->core.state == KTM_OFFLINE) {
        peer.en = span_half(tm, &mine->core.identity, &en->link.guid,
                            en->is_superior ? HALF_LINK : HALF_SUPERIOR);
        peer.where = peer.en && peer.en->state != EN_FINISHED && peer.en->tx->state != TX_FORGOTTEN
                         ? PEER_HERE
                         : PEER_OVER;
    }
    if (peer.en)
        engine_hold(&peer.en->object);
    sys_mutex_unlock(&tm->mutex);
    engine_release(&tm->object);
    return peer;
}

/* Asks the other half, if it is here. */
static NTSTATUS
peer_request(const struct peer *peer, int request, const int64_t *clock)
{
    if (peer->where != PEER_HERE)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    return engine_en_request(&peer->en->object, request, clock);
}

/* ---- the link is told something by the root ---- */

/* The branch cannot be asked: for the root, its RM has gone. */
static void
link_lose(struct enlistment *link)
{
    struct ktm_event event = {.type = KTM_EN_CLOSE, .en = link};
    struct run run;

    run_begin(&run, &link->object);
    if (run.tm->core.state != KTM_CLOSED)
        (void)!run_step(&run, &event);
    run_end(&run);
}

/* A phase begins; what the branch cannot begin it does not vote for. */
static NTSTATUS
link_phase(struct enlistment *link, int request, const int64_t *clock)
{
    owned(peer_release) struct peer branch = span_peer(link);
    NTSTATUS status = peer_request(&branch, request, clock);

    if (NT_SUCCESS(status))
        return status;
    (void)engine_en_request(&link->object, KTM_EN_ROLLBACK, NULL);
    return STATUS_SUCCESS;
}

/* The root is committed, and remembers it until the branch has answered. */
static NTSTATUS
link_commit(struct enlistment *link, const int64_t *clock)
{
    owned(peer_release) struct peer branch = span_peer(link);
    NTSTATUS status;

    if (branch.where == PEER_OVER) /* it committed before a crash, and has forgotten [RECOV-44] */
        return engine_en_request(&link->object, KTM_EN_COMMIT_COMPLETE, NULL);
    status = peer_request(&branch, KTM_EN_COMMIT, clock);
    if (NT_SUCCESS(status))
        return status;
    link_lose(link); /* it hears of it when it recovers [PT-36] */
    return STATUS_SUCCESS;
}

static NTSTATUS
link_rollback(struct enlistment *link, const int64_t *clock)
{
    owned(peer_release) struct peer branch = span_peer(link);
    NTSTATUS status;

    if (branch.where != PEER_HERE)
        return engine_en_request(&link->object, KTM_EN_ROLLBACK_COMPLETE, NULL);
    status = peer_request(&branch, KTM_EN_ROLLBACK, clock);
    /* Refused: it is rolled back already, and ROLLBACK_COMPLETE comes when its RMs have answered.
     */
    return NT_SUCCESS(status) ? status : STATUS_SUCCESS;
}

static NTSTATUS
link_told(struct enlistment *link, uint32_t what, const int64_t *clock)
{
    switch (what) {
    case TRANSACTION_NOTIFY_PREPREPARE:
        return link_phase(link, KTM_EN_PREPREPARE, clock);
    case TRANSACTION_NOTIFY_PREPARE:
        return link_phase(link, KTM_EN_PREPARE, clock);
    case TRANSACTION_NOTIFY_COMMIT:
        return link_commit(link, clock);
    case TRANSACTION_NOTIFY_ROLLBACK:
        return link_rollback(link, clock);
    default:
        return STATUS_SUCCESS; /* INDOUBT: the outcome follows */
    }
}

/* ---- the superior of the branch is told something by the branch ---- */

static NTSTATUS
superior_answer(const struct enlistment *superior, int answer, const int64_t *clock)
{
    owned(peer_release) struct peer link = span_peer(superior);
    NTSTATUS status = peer_request(&link, answer, clock);

    return NT_SUCCESS(status) ? status : STATUS_SUCCESS; /* too late: the link has been told more */
}

/* The root follows, and says why. */
static NTSTATUS
root_rollback(struct enlistment *link, const struct transaction *branch, const int64_t *clock)
{
    struct ktm_event event = {.type = KTM_EN_ROLLBACK,
                              .en = link,
                              .clock = clock,
                              .reason = (enum abort_reason)branch->reason};
    struct run run;

    if (!guid_is_zero(&branch->abort_rm))
        event.abort_rm = &branch->abort_rm;
    run_begin(&run, &link->object);
    if (object_check_alive(&link->object) == STATUS_SUCCESS)
        (void)!run_step(&run, &event); /* refused: it is being rolled back by the root */
    run_end(&run);
    return run.is_pending ? STATUS_PENDING : STATUS_SUCCESS;
}

/* Somebody in the branch has rolled it back. */
static NTSTATUS
superior_rolled_back(struct enlistment *superior, const int64_t *clock)
{
    owned(peer_release) struct peer link = span_peer(superior);
    NTSTATUS status = STATUS_SUCCESS;

    if (link.where == PEER_HERE)
        status = root_rollback(link.en, superior->tx, clock);
    (void)engine_en_request(&superior->object, KTM_EN_ROLLBACK_COMPLETE, NULL);
    return status;
}

/* Everybody in the branch has promised. If nobody there changed anything the link is read-only; if
 * nobody there has to remember, the root has not either [ENL-RO-07, VOL-04]. */
static NTSTATUS
superior_prepared(struct enlistment *superior, const int64_t *clock)
{
    owned(peer_release) struct peer link = span_peer(superior);
    bool is_empty, is_unlogged;
    struct run run;
    NTSTATUS status;

    run_begin(&run, &superior->object);
    is_empty = superior->tx->participants == 0;
    is_unlogged = !transaction_is_recoverable(superior->tx);
    run_end(&run);
    if (link.where != PEER_HERE)
        return STATUS_SUCCESS;
    run_begin(&run, &link.en->object);
    link.en->is_unlogged = is_unlogged;
    run_end(&run);
    status = peer_request(&link, is_empty ? KTM_EN_READ_ONLY : KTM_EN_PREPARE_COMPLETE, clock);
    if (is_empty && NT_SUCCESS(status))
        (void)engine_en_request(&superior->object, KTM_EN_COMMIT, NULL);
    return NT_SUCCESS(status) ? status : STATUS_SUCCESS;
}

/* Somebody in the branch has gone with the outcome; the root remembers it for him [PT-42]. */
static NTSTATUS
superior_left_alone(struct enlistment *superior)
{
    owned(peer_release) struct peer link = span_peer(superior);

    if (link.where == PEER_HERE)
        link_lose(link.en);
    return STATUS_SUCCESS;
}

/* Nobody in the branch has anything to do any more; had the root given it up, it is told now. */
static NTSTATUS
superior_complete(struct enlistment *superior, const int64_t *clock)
{
    owned(peer_release) struct peer link = span_peer(superior);
    NTSTATUS status = peer_request(&link, KTM_EN_COMMIT_COMPLETE, clock);

    if (link.where == PEER_HERE && status == STATUS_TRANSACTION_NOT_REQUESTED)
        status = engine_en_recover(&link.en->object, NULL); /* comes back as link_commit */
    return NT_SUCCESS(status) ? status : STATUS_SUCCESS;
}

static NTSTATUS
superior_told(struct enlistment *superior, uint32_t what, const int64_t *clock)
{
    switch (what) {
    case TRANSACTION_NOTIFY_PREPREPARE_COMPLETE:
        return superior_answer(superior, KTM_EN_PREPREPARE_COMPLETE, clock);
    case TRANSACTION_NOTIFY_PREPARE_COMPLETE:
        return superior_prepared(superior, clock);
    case TRANSACTION_NOTIFY_COMMIT_COMPLETE:
        return superior_complete(superior, clock);
    case TRANSACTION_NOTIFY_RM_DISCONNECTED:
        return superior_left_alone(superior);
    case TRANSACTION_NOTIFY_ROLLBACK_COMPLETE:
        return superior_answer(superior, KTM_EN_ROLLBACK_COMPLETE, clock);
    case TRANSACTION_NOTIFY_ROLLBACK:
        return superior_rolled_back(superior, clock);
    case TRANSACTION_NOTIFY_REQUEST_OUTCOME:
        return superior_answer(superior, KTM_EN_REQUEST_OUTCOME, clock);
    default:
        return STATUS_SUCCESS;
    }
}

/* The callback of every internal RM: on the thread that caused it, with no lock held. The clock
 * goes along, so that both TMs go on with the higher one [BR-05, CLOCK-11]. */
static NTSTATUS
span_callback(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
              ULONG argument_length, PVOID argument)
{
    struct enlistment *en = AS_EN((struct object *)enlistment);
    int64_t now = clock->QuadPart;

    (void)rm_key, (void)key, (void)argument_length, (void)argument;
    return en->is_superior ? superior_told(en, what, &now) : link_told(en, what, &now);
}

void
span_rm_open(struct resource_manager *rm)
{
    rm->is_open = true;
    rm->is_online = true;
    rm->callback = span_callback;
}
