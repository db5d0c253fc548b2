/* SPDX-License-Identifier: MIT */
#include "tests/engine/world_inner.h"

#include <stdarg.h>

#include "core/ktm.h"
#include "tests/core/words.h"

static struct world *callback_world; /* the one whose process runs */

/* ---- making ---- */

GUID
world_guid(char kind, char name)
{
    return (GUID){.Data1 = (uint8_t)name, .Data2 = (uint8_t)kind, .Data3 = 0x4B54};
}

struct world *
world_create(struct sys_sim *sim, uint64_t seed, bool is_volatile)
{
    struct world *world = calloc(1, sizeof(*world));

    EXPECT(world);
    world->sim = sim ? sim : sys_sim_create(seed);
    world->process = sys_sim_process(world->sim);
    world->fault = sys_fault_create(world->process);
    EXPECT(world->sim && world->process && world->fault);
    world->is_volatile = is_volatile;
    return world;
}

void
world_destroy(struct world *world)
{
    if (!world)
        return;
    if (world->engine)
        world_crash(world, false, SIM_KEEP_ALL, 0);
    if (callback_world == world)
        callback_world = NULL;
    sys_fault_destroy(world->fault);
    sys_sim_destroy(world->sim);
    free(world);
}

bool
world_is_dead(struct world *world)
{
    if (!sys_sim_has_power(world->sim) || (world->is_mortal && sys_fault_has_fired(world->fault)))
        world->is_dead = true;
    return world->is_dead;
}

void
world_blame(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->violation[0])
        return;
    va_start(arguments, format);
    vsnprintf(world->violation, sizeof(world->violation), format, arguments);
    va_end(arguments);
}

void
world_tell(struct world *world, const char *format, ...)
{
    va_list arguments;
    char line[160];

    if (!world->listener || world_is_dead(world))
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    world->listener(world->listener_context, line);
}

/* ---- finding ---- */

struct world_rm *
world_rm(struct world *world, char name)
{
    EACH (rm, world->rms)
        if (rm->exists && rm->name == name)
            return rm;
    return NULL;
}

struct world_en *
world_en(struct world *world, char name)
{
    EACH (en, world->ens)
        if (en->exists && en->name[0] == name && !en->name[1])
            return en;
    return NULL;
}

struct world_tx *
world_tx(struct world *world, char name)
{
    EACH (tx, world->txs)
        if (tx->exists && tx->name[0] == name && !tx->name[1])
            return tx;
    return NULL;
}

/* ---- sessions ---- */

static void
cut_plan(struct world *world)
{
    uint64_t done = sys_sim_counts(world->sim, NULL).operations;

    if (world->cut_at > done)
        sys_sim_cut_after(world->sim, world->cut_at - done, world->cut_how);
    else
        sys_sim_cut_after(world->sim, 0, SIM_CUT_BEFORE);
}

void
world_cut_at(struct world *world, uint64_t operation, enum sys_sim_cut how)
{
    world->cut_at = operation;
    world->cut_how = how;
    if (sys_sim_has_power(world->sim))
        cut_plan(world);
}

static void
handle_close(struct object **handle)
{
    if (*handle)
        engine_handle_close(*handle);
    *handle = NULL;
}

struct object *
world_tm_of(struct world *world, const struct world_rm *rm)
{
    return rm->is_elsewhere ? world->other : world->tm;
}

/* Handles below TMs that were closed: expired, but somebody has to close them. */
static void
close_expired(struct world *world)
{
    EACH (en, world->ens)
        if (en->exists && !world_tm_of(world, en->rm))
            handle_close(&en->handle);
    EACH (tx, world->txs)
        if (!world->tm)
            handle_close(&tx->handle);
    EACH (rm, world->rms)
        if (rm->exists && !world_tm_of(world, rm))
            handle_close(&rm->handle);
}

static NTSTATUS
open_tm(struct world *world, bool is_other)
{
    bool is_volatile = is_other ? world->is_other_volatile : world->is_volatile;
    const char *log = is_other ? WORLD_OTHER_LOG : WORLD_LOG;

    close_expired(world);
    if (!world->engine)
        TRY(engine_create(world->layer ? world->layer : sys_fault_sys(world->fault),
                          &world->engine));
    world->is_dead = false;
    cut_plan(world);
    *(is_other ? &world->other_clock : &world->clock) = 0;
    callback_world = world;
    return engine_tm_create(world->engine, is_volatile ? NULL : log, NULL, 0,
                            is_other ? &world->other : &world->tm);
}

NTSTATUS
world_open_tm(struct world *world)
{
    EXPECT(!world->tm);
    TRY(open_tm(world, false));
    return world->has_other && !world->other ? open_tm(world, true) : STATUS_SUCCESS;
}

static NTSTATUS
recover_tm(struct world *world, bool is_other)
{
    if (is_other ? world->is_other_volatile : world->is_volatile)
        return STATUS_SUCCESS;
    return engine_tm_recover(is_other ? world->other : world->tm, NULL);
}

NTSTATUS
world_recover_tm(struct world *world)
{
    if (!world->has_other)
        return recover_tm(world, false);
    TRY(recover_tm(world, world->is_other_first));
    return recover_tm(world, !world->is_other_first);
}

NTSTATUS
world_start(struct world *world)
{
    if (!world->tm)
        TRY(open_tm(world, false));
    if (world->has_other && !world->other)
        TRY(open_tm(world, true));
    return world_recover_tm(world);
}

NTSTATUS
world_start_one(struct world *world, bool is_other)
{
    TRY(open_tm(world, is_other));
    TRY(recover_tm(world, is_other));
    world_hear(world); /* those of the other TM may hear of what was in doubt [BR-04] */
    return STATUS_SUCCESS;
}

/* What no handle and no session outlives. Volatile RMs lose their memory of what was under way. */
static void
forget_session(struct world *world)
{
    world->tm = world->other = NULL;
    EACH (rm, world->rms) {
        rm->handle = NULL;
        rm->is_recovering = false;
    }
    EACH (tx, world->txs) {
        tx->handle = NULL;
        tx->is_signalled = false;
        tx->outcome = TransactionOutcomeUndetermined;
    }
    EACH (en, world->ens) {
        en->handle = NULL;
        en->owes = en->told = 0;
        en->is_asked = en->has_key = false;
        if (en->exists && en->rm->is_volatile)
            en->is_over = true;
    }
}

void
world_crash(struct world *world, bool power_cut, enum sys_sim_keep keep, uint64_t choice)
{
    world->is_dead = true;
    close_expired(world);
    if (!power_cut)
        sys_sim_crash(world->process);
    else if (sys_sim_has_power(world->sim))
        sys_sim_cut_after(world->sim, 1, SIM_CUT_BEFORE);
    if (world->engine)
        engine_destroy(world->engine); /* nothing of what it still tries gets through */
    world->engine = NULL;
    if (power_cut)
        sys_sim_power_on(world->sim, keep, choice);
    forget_session(world);
}

void
world_close_tm(struct world *world, bool is_other)
{
    struct object **tm = is_other ? &world->other : &world->tm, *handle = *tm;

    if (!handle)
        return;
    engine_handle_close(handle);
    *tm = NULL;
    EACH (en, world->ens)
        if (en->exists && en->rm->is_elsewhere == is_other) {
            en->owes = en->told = 0;
            en->is_asked = en->has_key = false;
        }
    world_hear(world);
}

/* ---- resource managers ---- */

static NTSTATUS callback(PKENLISTMENT enlistment, PVOID rm_context, PVOID context,
                         ULONG notification, PLARGE_INTEGER clock, ULONG length, PVOID argument);

static NTSTATUS
rm_opened(struct world_rm *rm)
{
    return rm->has_callback ? engine_rm_callbacks(rm->handle, callback, rm) : STATUS_SUCCESS;
}

static NTSTATUS
rm_create(struct world *world, const struct world_rm *wanted)
{
    struct world_rm *rm = world_rm(world, wanted->name);

    for (size_t i = 0; !rm; i++) {
        EXPECT(i < WORLD_RMS);
        if (!world->rms[i].exists)
            rm = &world->rms[i];
    }
    if (!rm->exists)
        *rm = *wanted;
    TRY(engine_rm_create(world_tm_of(world, rm), &rm->guid,
                         rm->is_volatile ? RESOURCE_MANAGER_VOLATILE : 0, NULL, 0, &rm->handle));
    return rm_opened(rm);
}

NTSTATUS
world_rm_create(struct world *world, char name, bool is_volatile, bool has_callback)
{
    struct world_rm rm = {.exists = true,
                          .name = name,
                          .guid = world_guid('R', name),
                          .is_volatile = is_volatile || world->is_volatile,
                          .has_callback = has_callback};

    return rm_create(world, &rm);
}

NTSTATUS
world_rm_create_elsewhere(struct world *world, char name, bool is_volatile, bool has_callback)
{
    struct world_rm rm = {.exists = true,
                          .name = name,
                          .guid = world_guid('R', name),
                          .is_volatile = is_volatile || world->is_other_volatile,
                          .is_elsewhere = true,
                          .has_callback = has_callback};

    return rm_create(world, &rm);
}

NTSTATUS
world_rm_open(struct world *world, struct world_rm *rm)
{
    NTSTATUS status =
        engine_rm_open(world_tm_of(world, rm), &rm->guid, &rm->handle); /* RECOV step 2 */

    if (status == STATUS_RESOURCEMANAGER_NOT_FOUND)
        return rm_create(world, rm);
    TRY(status);
    return rm_opened(rm);
}

/* Step 4, and section 13.3: to each question the answer that memory gives. */
static NTSTATUS
answer_questions(struct world *world, struct world_rm *rm)
{
    EACH_EN_OF(en, world, rm, rm)
    {
        NTSTATUS status = STATUS_SUCCESS;

        if (!en->is_asked || world_is_dead(world))
            continue;
        if (!en->handle)
            TRY(engine_en_open(rm->handle, &en->guid, &en->handle));
        status = engine_en_recover(en->handle, en);
        en->has_key |= NT_SUCCESS(status);
        if (en->is_superior) {
            if (status == STATUS_SUCCESS && en->decided == MEMORY_NOTHING)
                en->decided = MEMORY_ABORTED; /* presumed abort, from above */
            if (status == STATUS_SUCCESS)
                status = world_request(
                    world, en, en->decided == MEMORY_COMMITTED ? KTM_EN_COMMIT : KTM_EN_ROLLBACK,
                    NULL);
        }
        if (!NT_SUCCESS(status))
            return status;
        en->is_asked = false;
        world_hear(world);
    }
    return STATUS_SUCCESS;
}

/* A superior that has decided commit tells it until it hears COMMIT_COMPLETE, or that nobody knows
 * the transaction any more [RECOV-42, RECOV-44]. */
static NTSTATUS
tell_decisions_again(struct world *world, struct world_rm *rm)
{
    EACH_EN_OF(en, world, rm, rm)
    {
        NTSTATUS status;

        if (!en->is_superior || en->decided == MEMORY_NOTHING || en->is_told_complete || en->handle)
            continue;
        status = engine_en_open(rm->handle, &en->guid, &en->handle);
        if (status == STATUS_ENLISTMENT_NOT_FOUND) {
            en->is_told_complete = true;
            continue;
        }
        TRY(status);
        status = engine_en_recover(en->handle, en);
        en->has_key |= NT_SUCCESS(status);
        if (NT_SUCCESS(status) && en->decided == MEMORY_COMMITTED) {
            status = engine_en_request(en->handle, KTM_EN_COMMIT, NULL);
            if (status == STATUS_TRANSACTION_NOT_ACTIVE)
                status = STATUS_SUCCESS; /* told in this session already */
        }
        if (!NT_SUCCESS(status))
            return status;
        world_hear(world);
    }
    return STATUS_SUCCESS;
}

/* Step 6: what it holds and was not asked about is aborted [RECOV-04]. */
static void
presume_abort(struct world *world, struct world_rm *rm)
{
    EACH_EN_OF(en, world, rm, rm)
    {
        if (en->is_superior || en->is_over || en->is_read_only || en->handle ||
            en->memory == MEMORY_COMMITTED)
            continue;
        if (en->mask & TRANSACTION_NOTIFY_COMMIT && en->tx->was_committed)
            world_blame(world, "INV-14: %s was not asked about %s, which had committed", en->name,
                        en->tx->name);
        en->memory = MEMORY_ABORTED;
        en->is_over = true;
    }
}

NTSTATUS
world_rm_recover(struct world *world, struct world_rm *rm, bool whole)
{
    NTSTATUS status;

    EACH_EN_OF(en, world, rm, rm)
    en->is_asked = false;
    rm->is_recovering = true;
    status = engine_rm_recover(rm->handle);
    if (!NT_SUCCESS(status)) {
        rm->is_recovering = false;
        return status;
    }
    world_hear(world);
    if (!whole || world_is_dead(world))
        return status;
    if (rm->is_recovering)
        world_blame(world, "RECOV-22: no LAST_RECOVER to %c", rm->name);
    TRY(answer_questions(world, rm));
    TRY(tell_decisions_again(world, rm));
    if (!world_is_dead(world))
        presume_abort(world, rm);
    return STATUS_SUCCESS;
}

void
world_rm_close(struct world *world, struct world_rm *rm)
{
    struct object *handle = rm->handle;

    rm->handle = NULL;
    EACH_EN_OF(en, world, rm, rm)
    {
        if (en->owes == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
            en->tx->may_be_unavailable = true;
        en->owes = en->told = 0;
    }
    engine_handle_close(handle);
    EACH_EN_OF(en, world, rm, rm)
    {
        if (en->handle)
            engine_handle_close(en->handle);
        en->handle = NULL;
        if (rm->is_volatile)
            en->is_over = true; /* nobody will ever ask it again */
    }
    world_hear(world);
}

/* ---- transactions ---- */

NTSTATUS
world_begin(struct world *world, const char *name, int64_t timeout, struct world_tx **out)
{
    struct engine_tx_options options = {.tm = world->tm, .timeout = timeout};
    struct world_tx *tx = NULL;

    for (size_t i = 0; !tx; i++) {
        EXPECT(i < WORLD_TXS);
        if (!world->txs[i].exists)
            tx = &world->txs[i];
    }
    *tx = (struct world_tx){.uow = world_guid('T', 0), .outcome = TransactionOutcomeUndetermined};
    snprintf(tx->name, sizeof(tx->name), "%s", name);
    for (int i = 0; i < 4 && name[i]; i++)
        tx->uow.Data1 |= (uint32_t)(uint8_t)name[i] << 8 * i;
    options.uow = &tx->uow;
    TRY(engine_tx_create(world->engine, &options, &tx->handle));
    tx->exists = true;
    if (out)
        *out = tx;
    world_hear(world);
    return STATUS_SUCCESS;
}

NTSTATUS
world_commit(struct world *world, struct world_tx *tx)
{
    NTSTATUS status = engine_tx_commit(tx->handle, false);

    if (world_is_dead(world))
        return status;
    if (status == STATUS_TRANSACTION_ALREADY_COMMITTED)
        become_committed(world, tx, "commit");
    if (status == STATUS_TRANSACTION_ALREADY_ABORTED)
        become_aborted(world, tx, "commit");
    world_hear(world);
    return status;
}

NTSTATUS
world_rollback(struct world *world, struct world_tx *tx)
{
    NTSTATUS status = engine_tx_rollback(tx->handle, false);

    if (NT_SUCCESS(status) && !world_is_dead(world))
        become_aborted(world, tx, "rollback");
    world_hear(world);
    return status;
}

void
world_tx_close(struct world *world, struct world_tx *tx)
{
    struct object *handle = tx->handle;

    tx->handle = NULL;
    engine_handle_close(handle);
    world_hear(world);
}

/* ---- enlistments ---- */

NTSTATUS
world_enlist(struct world *world, const char *name, struct world_rm *rm, struct world_tx *tx,
             uint32_t mask, bool is_superior, struct world_en **out)
{
    struct world_en *en = NULL;
    struct engine_en_info info;
    NTSTATUS status;

    for (size_t i = 0; !en; i++) {
        EXPECT(i < WORLD_ENS);
        if (!world->ens[i].exists)
            en = &world->ens[i];
    }
    *en = (struct world_en){
        .exists = true,
        .rm = rm,
        .tx = tx,
        .mask = mask,
        .is_superior = is_superior,
        .has_key = true,
    };
    snprintf(en->name, sizeof(en->name), "%s", name);
    status = engine_en_create(rm->handle, tx->handle, is_superior ? ENLISTMENT_SUPERIOR : 0, mask,
                              en, &en->handle);
    if (status == STATUS_SUCCESS)
        status = engine_en_query(en->handle, &info);
    if (status != STATUS_SUCCESS) {
        en->exists = false;
        return status;
    }
    en->guid = info.guid;
    if (out)
        *out = en;
    world_hear(world);
    return STATUS_SUCCESS;
}

/* What it writes into its own log before it says so; returned is what was there. */
static enum world_memory
remember(struct world *world, struct world_en *en, int event)
{
    enum world_memory before = en->memory;

    switch (event) {
    case KTM_EN_PREPARE_COMPLETE:
        if (en->owes == TRANSACTION_NOTIFY_PREPARE)
            en->memory = MEMORY_PREPARED;
        break;
    case KTM_EN_COMMIT_COMPLETE:
        if (en->owes == TRANSACTION_NOTIFY_COMMIT ||
            en->owes == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
            en->memory = MEMORY_COMMITTED;
        break;
    case KTM_EN_ROLLBACK_COMPLETE:
        if (en->owes == TRANSACTION_NOTIFY_ROLLBACK)
            en->memory = MEMORY_ABORTED;
        break;
    case KTM_EN_COMMIT:
        if (en->is_superior && en->decided == MEMORY_NOTHING &&
            en->told & TRANSACTION_NOTIFY_PREPARE_COMPLETE &&
            !(en->told & (TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE))) {
            en->decided = MEMORY_COMMITTED; /* from here on it is committed, whatever comes */
            become_committed(world, en->tx, "the superior");
        }
        break;
    default:
        break;
    }
    return before;
}

static void
request_accepted(struct world *world, struct world_en *en, int event)
{
    switch (event) {
    case KTM_EN_READ_ONLY:
        en->is_read_only = en->is_over = true;
        break;
    case KTM_EN_COMMIT_COMPLETE:
        en->is_over = true;
        break;
    case KTM_EN_ROLLBACK_COMPLETE:
        en->is_over = true;
        break;
    case KTM_EN_SINGLE_PHASE_REJECT:
        en->tx->is_single_phase = false;
        break;
    case KTM_EN_ROLLBACK:
        if (en->is_superior)
            en->decided = MEMORY_ABORTED;
        become_aborted(world, en->tx, "a veto");
        break;
    default:
        break;
    }
}

NTSTATUS
world_request(struct world *world, struct world_en *en, int event, const int64_t *clock)
{
    enum world_memory before = remember(world, en, event);
    bool was_read_only = en->is_read_only;
    uint32_t owed = en->owes;
    NTSTATUS status;

    /* the answer is given before the engine can ask anything new, from inside the call too */
    if (event >= KTM_EN_PREPREPARE_COMPLETE && event <= KTM_EN_SINGLE_PHASE_REJECT)
        en->owes = 0;
    en->is_read_only |= event == KTM_EN_READ_ONLY;
    status = engine_en_request(en->handle, event, clock);
    if (world_is_dead(world))
        return status;
    judge_answer(world, en, event, owed, status);
    if (NT_SUCCESS(status)) {
        request_accepted(world, en, event);
    } else {
        en->is_read_only = was_read_only;
        if (!en->owes)
            en->owes = owed;
        if (en->memory != MEMORY_ABORTED) /* unless it was told meanwhile */
            en->memory = before;
    }
    world_hear(world);
    return status;
}

NTSTATUS
world_en_recover(struct world *world, struct world_en *en)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (!en->handle)
        TRY(engine_en_open(en->rm->handle, &en->guid, &en->handle));
    status = engine_en_recover(en->handle, en);
    if (NT_SUCCESS(status)) {
        en->is_asked = false;
        en->has_key = true;
    }
    world_hear(world);
    return status;
}

void
world_en_close(struct world *world, struct world_en *en)
{
    struct object *handle = en->handle;

    en->handle = NULL;
    if (en->owes == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
        en->tx->may_be_unavailable = true;
    if (en->owes == TRANSACTION_NOTIFY_ROLLBACK) {
        en->memory = MEMORY_ABORTED;
        en->is_over = true;
    }
    if (en->owes == TRANSACTION_NOTIFY_COMMIT && en->rm->is_volatile)
        en->is_over = true;
    en->owes = 0;
    if (!en->is_superior)
        en->told = 0;
    engine_handle_close(handle);
    world_hear(world);
}

void
world_timers(struct world *world)
{
    engine_run_timers(world->engine);
    world_hear(world);
}

/* ---- saying yes ---- */

static int
yes_to(uint32_t what)
{
    switch (what) {
    case TRANSACTION_NOTIFY_PREPREPARE:
        return KTM_EN_PREPREPARE_COMPLETE;
    case TRANSACTION_NOTIFY_PREPARE:
        return KTM_EN_PREPARE_COMPLETE;
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
    case TRANSACTION_NOTIFY_COMMIT:
        return KTM_EN_COMMIT_COMPLETE;
    case TRANSACTION_NOTIFY_ROLLBACK:
        return KTM_EN_ROLLBACK_COMPLETE;
    default:
        return 0;
    }
}

static bool
say_yes(struct world *world, struct world_en *en)
{
    if (!en->exists || !en->owes || !en->handle || !en->rm->handle || world_is_dead(world))
        return false;
    return NT_SUCCESS(world_request(world, en, yes_to(en->owes), NULL));
}

void
answer_at_once(struct world *world)
{
    EACH (en, world->ens)
        if (en->exists && en->rm->answers && !en->rm->has_callback && say_yes(world, en))
            return; /* which has looked at everything again */
}

/* Called by the engine, on our one thread. */
static NTSTATUS
callback(PKENLISTMENT enlistment, PVOID rm_context, PVOID context, ULONG notification,
         PLARGE_INTEGER clock, ULONG length, PVOID argument)
{
    struct world_rm *rm = rm_context;
    struct world_en *en = context;
    struct world *world = callback_world;

    (void)enlistment;
    (void)length;
    if (!world || world_is_dead(world))
        return STATUS_SUCCESS;
    hear(world, rm, context, notification, clock->QuadPart, argument);
    if (rm->answers && en && en->handle && yes_to(notification) && en->owes == notification) {
        remember(world, en, yes_to(notification));
        en->owes = 0;
        if (NT_SUCCESS(engine_en_request(en->handle, yes_to(notification), NULL)) &&
            !world_is_dead(world))
            request_accepted(world, en, yes_to(notification));
        return STATUS_SUCCESS;
    }
    if (!world->callback_result || world_is_dead(world))
        return STATUS_SUCCESS;
    return world->callback_result(world->listener_context, notification, &clock->QuadPart);
}

void
world_settle(struct world *world)
{
    bool again = true;

    while (again && !world_is_dead(world)) {
        again = false;
        EACH (en, world->ens)
            again |= say_yes(world, en);
    }
}
