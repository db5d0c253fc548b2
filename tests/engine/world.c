/* SPDX-License-Identifier: MIT */
#include "tests/engine/world.h"

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
        if (en->exists && en->name == name)
            return en;
    return NULL;
}

struct world_tx *
world_tx(struct world *world, char name)
{
    EACH (tx, world->txs)
        if (tx->exists && tx->name == name)
            return tx;
    return NULL;
}

static struct world_en *
find_by_guid(struct world *world, const GUID *guid)
{
    EACH (en, world->ens)
        if (en->exists && guid_equal(&en->guid, guid))
            return en;
    return NULL;
}

#define EACH_EN_OF(en, world, whose, member)                                                       \
    for (struct world_en *en = (world)->ens; en < (world)->ens + WORLD_ENS; en++)                  \
        if (!en->exists || en->member != (whose))                                                  \
            continue;                                                                              \
        else

/* ---- the judge ---- */

static void
become_committed(struct world *world, struct world_tx *tx, const char *who)
{
    if (tx->was_aborted)
        world_blame(world, "INV-01 INV-03: %s says that %c committed, which had aborted", who,
                    tx->name);
    tx->was_committed = true;
}

static void
become_aborted(struct world *world, struct world_tx *tx, const char *who)
{
    if (tx->was_committed)
        world_blame(world, "INV-01 INV-03: %s says that %c aborted, which had committed", who,
                    tx->name);
    tx->was_aborted = true;
}

/* What may be told to an enlistment that was told 'told' so far in this session [INV-08]. */
static bool
may_follow(uint32_t told, uint32_t what, bool is_read_only)
{
    const uint32_t outcome = TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;

    switch (what) {
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        return told == 0;
    case TRANSACTION_NOTIFY_PREPREPARE:
        return (told & ~(uint32_t)TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT) == 0;
    case TRANSACTION_NOTIFY_PREPARE:
        return !(told & (outcome | TRANSACTION_NOTIFY_PREPARE));
    case TRANSACTION_NOTIFY_COMMIT:
    case TRANSACTION_NOTIFY_ROLLBACK:
        return !(told & outcome);
    case TRANSACTION_NOTIFY_RM_DISCONNECTED:
        return told == 0 || is_read_only;
    case TRANSACTION_NOTIFY_INDOUBT:
        return !(told & ~(uint32_t)TRANSACTION_NOTIFY_INDOUBT);
    default:
        return false;
    }
}

/* What must be true of another one of the transaction when 'en' is told. */
static void
judge_other(struct world *world, const struct world_en *en, uint32_t what,
            const struct world_en *other)
{
    bool is_commit = what == TRANSACTION_NOTIFY_COMMIT;
    bool owes_phase_0 = other->owes == TRANSACTION_NOTIFY_PREPREPARE;

    if (other->is_superior) {
        if (is_commit && other->told & TRANSACTION_NOTIFY_PREPARE_COMPLETE &&
            other->decided != MEMORY_COMMITTED)
            world_blame(world, "INV-11: COMMIT to %c, but superior %c has not decided", en->name,
                        other->name);
        return;
    }
    if (what == TRANSACTION_NOTIFY_PREPARE && owes_phase_0)
        world_blame(world, "INV-10: PREPARE to %c while %c owes its PREPREPARE answer", en->name,
                    other->name);
    if (is_commit && (owes_phase_0 || other->owes == TRANSACTION_NOTIFY_PREPARE))
        world_blame(world, "INV-10: COMMIT to %c while %c owes a vote", en->name, other->name);
    if (is_commit && other->mask & TRANSACTION_NOTIFY_PREPARE && !other->rm->is_volatile &&
        !world->is_volatile && !other->is_read_only && other->memory != MEMORY_PREPARED &&
        other->memory != MEMORY_COMMITTED)
        world_blame(world, "INV-02: COMMIT to %c, but %c has not promised", en->name, other->name);
}

static void
judge_subordinate(struct world *world, struct world_en *en, uint32_t what)
{
    if (!(en->mask & what))
        world_blame(world, "MASK-15: %s to %c, which does not ask for it",
                    word_of_notification(what), en->name);
    if (en->is_read_only && what != TRANSACTION_NOTIFY_RM_DISCONNECTED)
        world_blame(world, "INV-09: %s to %c, which is read-only", word_of_notification(what),
                    en->name);
    if (!may_follow(en->told, what, en->is_read_only))
        world_blame(world, "INV-08: %s to %c after 0x%x", word_of_notification(what), en->name,
                    en->told);
    if (en->owes && what != TRANSACTION_NOTIFY_ROLLBACK)
        world_blame(world, "INV-07: %s to %c, which owes an answer to %s",
                    word_of_notification(what), en->name, word_of_notification(en->owes));
    if (en->memory == MEMORY_PREPARED &&
        what & (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE |
                TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT))
        world_blame(world, "INV-06: %s to %c, which has promised", word_of_notification(what),
                    en->name);
    if (what == TRANSACTION_NOTIFY_COMMIT && en->memory == MEMORY_ABORTED)
        world_blame(world, "INV-06: COMMIT to %c, which has aborted", en->name);
    if (what == TRANSACTION_NOTIFY_ROLLBACK && en->memory == MEMORY_COMMITTED)
        world_blame(world, "INV-06: ROLLBACK to %c, which has committed", en->name);
    EACH_EN_OF(other, world, en->tx, tx)
    judge_other(world, en, what, other);
}

static void
judge_superior(struct world *world, const struct world_en *en, uint32_t what)
{
    const uint32_t possible =
        TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_RM_DISCONNECTED |
        TRANSACTION_NOTIFY_PREPREPARE_COMPLETE | TRANSACTION_NOTIFY_PREPARE_COMPLETE |
        TRANSACTION_NOTIFY_COMMIT_COMPLETE | TRANSACTION_NOTIFY_ROLLBACK_COMPLETE |
        TRANSACTION_NOTIFY_COMMIT_REQUEST | TRANSACTION_NOTIFY_REQUEST_OUTCOME;

    if (!(what & possible) || !(en->mask & what))
        world_blame(world, "NOTIF-14: %s to superior %c", word_of_notification(what), en->name);
}

/* ---- hearing ---- */

static void hear_for_enlistment(struct world *world, struct world_en *en, uint32_t what);

static void
heard_by_subordinate(struct world *world, struct world_en *en, uint32_t what)
{
    judge_subordinate(world, en, what);
    en->told |= what;
    switch (what) {
    case TRANSACTION_NOTIFY_COMMIT:
        become_committed(world, en->tx, "a COMMIT");
        en->owes = what;
        break;
    case TRANSACTION_NOTIFY_ROLLBACK:
        become_aborted(world, en->tx, "a ROLLBACK");
        en->owes = en->handle ? what : 0;
        if (!en->handle) {
            en->memory = MEMORY_ABORTED;
            en->is_over = true;
        }
        break;
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        en->tx->is_single_phase = true;
        en->owes = what;
        break;
    case TRANSACTION_NOTIFY_PREPREPARE:
    case TRANSACTION_NOTIFY_PREPARE:
        en->owes = what;
        break;
    default:
        break;
    }
}

static void
heard_by_superior(struct world *world, struct world_en *en, uint32_t what)
{
    judge_superior(world, en, what);
    en->told |= what;
    switch (what) {
    case TRANSACTION_NOTIFY_ROLLBACK:
        become_aborted(world, en->tx, "a ROLLBACK to the superior");
        en->decided = MEMORY_ABORTED;
        en->owes = what;
        break;
    case TRANSACTION_NOTIFY_COMMIT_COMPLETE:
        become_committed(world, en->tx, "COMMIT_COMPLETE");
        en->is_told_complete = true;
        break;
    case TRANSACTION_NOTIFY_ROLLBACK_COMPLETE:
        become_aborted(world, en->tx, "ROLLBACK_COMPLETE");
        en->is_told_complete = true;
        break;
    default:
        break;
    }
}

static void
hear_for_enlistment(struct world *world, struct world_en *en, uint32_t what)
{
    world_tell(world, "%c %s", en->name, word_of_notification(what));
    if (en->is_superior)
        heard_by_superior(world, en, what);
    else
        heard_by_subordinate(world, en, what);
}

static void
hear_question(struct world *world, struct world_rm *rm, uint32_t what,
              const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument)
{
    struct world_en *en = find_by_guid(world, &argument->EnlistmentId);

    if (!en || en->rm != rm || !guid_equal(&en->tx->uow, &argument->UOW)) {
        world_blame(world, "RECOV-08: %s to %c for an enlistment it never made",
                    word_of_notification(what), rm->name);
        return;
    }
    world_tell(world, "%c %s %c", rm->name, word_of_notification(what), en->name);
    if (en->is_superior != (what == TRANSACTION_NOTIFY_RECOVER_QUERY))
        world_blame(world, "RECOV-20 RECOV-21: %s for %c", word_of_notification(what), en->name);
    if (rm->is_volatile)
        world_blame(world, "VOL-03: a volatile RM is asked to recover");
    if (!rm->is_recovering)
        world_blame(world, "RECOV-22: %s for %c after LAST_RECOVER", word_of_notification(what),
                    en->name);
    en->is_asked = true;
}

/* A superior may answer before it has called RecoverEnlistment, and has no key then [RECOV-08]. */
static struct world_en *
find_keyless(struct world *world, const struct world_rm *rm)
{
    EACH_EN_OF(en, world, rm, rm)
    if (en->is_superior && en->handle && !en->has_key)
        return en;
    return NULL;
}

/* One notification has arrived. */
static void
hear(struct world *world, struct world_rm *rm, void *key, uint32_t what, int64_t clock,
     const void *argument)
{
    if (world_is_dead(world))
        return;
    if (world->deaf_after && world->heard == world->deaf_after) {
        world->is_dead = true;
        return;
    }
    world->heard++;
    if (clock < 1)
        world_blame(world, "INV-12: a notification with clock %lld", (long long)clock);
    if (what == TRANSACTION_NOTIFY_LAST_RECOVER) {
        if (!rm->is_recovering || key)
            world_blame(world, "RECOV-22: LAST_RECOVER out of place");
        rm->is_recovering = false;
        world_tell(world, "%c LAST_RECOVER", rm->name);
    } else if (what == TRANSACTION_NOTIFY_RECOVER || what == TRANSACTION_NOTIFY_RECOVER_QUERY) {
        hear_question(world, rm, what, argument);
    } else {
        struct world_en *en = key ? key : find_keyless(world, rm);

        if (!en || !en->exists || en->rm != rm)
            world_blame(world, "NOTIF-01: %s to RM %c with a wrong key", word_of_notification(what),
                        rm->name);
        else
            hear_for_enlistment(world, en, what);
    }
}

static void
fetch(struct world *world, struct world_rm *rm)
{
    union {
        TRANSACTION_NOTIFICATION note;
        uint8_t room[sizeof(TRANSACTION_NOTIFICATION) +
                     sizeof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT)];
    } buffer;
    uint32_t length = 0;
    int64_t clock = 0; /* FIFO: of one RM the clocks do not fall [NOTIF-03, INV-12] */

    while (rm->handle && engine_rm_get_notification(rm->handle, &buffer.note, sizeof(buffer), 0,
                                                    &length) == STATUS_SUCCESS) {
        if (world_is_dead(world))
            return;
        if (buffer.note.TmVirtualClock.QuadPart < clock)
            world_blame(world, "INV-12: the clock falls in the queue of %c", rm->name);
        clock = buffer.note.TmVirtualClock.QuadPart;
        hear(world, rm, buffer.note.TransactionKey, buffer.note.TransactionNotification, clock,
             &buffer.note + 1);
    }
}

static void
look_at_clock(struct world *world)
{
    struct engine_tm_info info;

    engine_tm_query(world->tm, &info);
    if (info.clock < world->clock)
        world_blame(world, "CLOCK-10 INV-12: the clock fell from %lld to %lld",
                    (long long)world->clock, (long long)info.clock);
    world->clock = info.clock;
    if (info.state == KTM_OFFLINE)
        EACH (tx, world->txs)
            tx->may_be_unavailable = true;
}

static bool
owes_commit(struct world *world, const struct world_tx *tx)
{
    EACH_EN_OF(en, world, tx, tx)
    if (en->owes == TRANSACTION_NOTIFY_COMMIT && en->handle && en->rm->handle)
        return true;
    return false;
}

static void
look_at_outcome(struct world *world, struct world_tx *tx, uint32_t outcome)
{
    if (outcome == tx->outcome)
        return;
    tx->outcome = outcome;
    if (outcome == TransactionOutcomeCommitted) {
        world_tell(world, "%c committed", tx->name);
        become_committed(world, tx, "the transaction object");
    } else if (outcome == TransactionOutcomeAborted) {
        world_tell(world, "%c aborted", tx->name);
        become_aborted(world, tx, "the transaction object");
    } else {
        world_blame(world, "INV-03: %c is undecided again", tx->name);
    }
}

/* Signalled <=> aborted, or committed and nobody attached owes CommitComplete, or unavailable
 * [INV-13]. */
static void
look_at_signal(struct world *world, struct world_tx *tx, bool is_signalled)
{
    bool should = tx->outcome == TransactionOutcomeAborted ||
                  (tx->outcome == TransactionOutcomeCommitted && !owes_commit(world, tx));

    if (tx->is_signalled && !is_signalled)
        world_blame(world, "SIG-04: %c is no longer signalled", tx->name);
    if (is_signalled != should &&
        !(tx->outcome == TransactionOutcomeUndetermined && is_signalled &&
          tx->may_be_unavailable) &&
        !(tx->is_signalled && is_signalled)) /* stays so when one comes back */
        world_blame(world, "INV-13: %c is%s signalled", tx->name, is_signalled ? "" : " not");
    if (is_signalled && !tx->is_signalled)
        world_tell(world, "%c signalled", tx->name);
    tx->is_signalled = is_signalled;
}

static void
look_at(struct world *world, struct world_tx *tx)
{
    struct engine_tx_info info;

    if (!tx->exists || !tx->handle || engine_tx_query(tx->handle, &info) != STATUS_SUCCESS)
        return;
    look_at_outcome(world, tx, info.outcome);
    look_at_signal(world, tx, engine_wait(tx->handle, 0) == STATUS_SUCCESS);
}

static void answer_at_once(struct world *world);

void
world_hear(struct world *world)
{
    if (!world->engine || world_is_dead(world))
        return;
    EACH (rm, world->rms)
        if (rm->exists)
            fetch(world, rm);
    if (world_is_dead(world) || !world->tm)
        return;
    look_at_clock(world);
    EACH (tx, world->txs)
        look_at(world, tx);
    answer_at_once(world);
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

NTSTATUS
world_open_tm(struct world *world)
{
    EXPECT(!world->tm);
    if (!world->engine)
        TRY(engine_create(world->layer ? world->layer : sys_fault_sys(world->fault),
                          &world->engine));
    world->is_dead = false;
    cut_plan(world);
    world->clock = 0;
    callback_world = world;
    if (world->is_volatile)
        return engine_tm_create(world->engine, NULL, NULL, 0, &world->tm);
    return engine_tm_create(world->engine, WORLD_LOG, NULL, 0, &world->tm);
}

NTSTATUS
world_recover_tm(struct world *world)
{
    return world->is_volatile ? STATUS_SUCCESS : engine_tm_recover(world->tm, NULL);
}

NTSTATUS
world_start(struct world *world)
{
    TRY(world_open_tm(world));
    return world_recover_tm(world);
}

/* What no handle and no session outlives. Volatile RMs lose their memory of what was under way. */
static void
forget_session(struct world *world)
{
    world->tm = NULL;
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
        if (en->exists && (en->rm->is_volatile || world->is_volatile))
            en->is_over = true;
    }
}

void
world_crash(struct world *world, bool power_cut, enum sys_sim_keep keep, uint64_t choice)
{
    world->is_dead = true;
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
world_close_tm(struct world *world)
{
    struct object *tm = world->tm;

    if (!tm)
        return;
    engine_handle_close(tm);
    world->tm = NULL;
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

NTSTATUS
world_rm_create(struct world *world, char name, bool is_volatile, bool has_callback)
{
    struct world_rm *rm = world_rm(world, name);

    for (size_t i = 0; !rm; i++) {
        EXPECT(i < WORLD_RMS);
        if (!world->rms[i].exists)
            rm = &world->rms[i];
    }
    if (!rm->exists)
        *rm = (struct world_rm){.exists = true,
                                .name = name,
                                .guid = world_guid('R', name),
                                .is_volatile = is_volatile,
                                .has_callback = has_callback};
    TRY(engine_rm_create(world->tm, &rm->guid,
                         rm->is_volatile || world->is_volatile ? RESOURCE_MANAGER_VOLATILE : 0,
                         NULL, 0, &rm->handle));
    return rm_opened(rm);
}

NTSTATUS
world_rm_open(struct world *world, struct world_rm *rm)
{
    NTSTATUS status = engine_rm_open(world->tm, &rm->guid, &rm->handle); /* RECOV step 2 */

    if (status == STATUS_RESOURCEMANAGER_NOT_FOUND)
        return world_rm_create(world, rm->name, rm->is_volatile, rm->has_callback);
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
            world_blame(world, "INV-14: %c was not asked about %c, which had committed", en->name,
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
world_begin(struct world *world, char name, int64_t timeout, struct world_tx **out)
{
    struct engine_tx_options options = {.tm = world->tm, .timeout = timeout};
    struct world_tx *tx = NULL;

    for (size_t i = 0; !tx; i++) {
        EXPECT(i < WORLD_TXS);
        if (!world->txs[i].exists)
            tx = &world->txs[i];
    }
    *tx = (struct world_tx){
        .name = name, .uow = world_guid('T', name), .outcome = TransactionOutcomeUndetermined};
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
world_enlist(struct world *world, char name, struct world_rm *rm, struct world_tx *tx,
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
        .exists = true, .name = name, .rm = rm, .tx = tx, .mask = mask, .is_superior = is_superior};
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
    uint32_t owed = en->owes;
    NTSTATUS status;

    /* the answer is given before the engine can ask anything new, from inside the call too */
    if (event >= KTM_EN_PREPREPARE_COMPLETE && event <= KTM_EN_SINGLE_PHASE_REJECT)
        en->owes = 0;
    status = engine_en_request(en->handle, event, clock);
    if (world_is_dead(world))
        return status;
    if (NT_SUCCESS(status)) {
        request_accepted(world, en, event);
    } else {
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

static void
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
    }
    return STATUS_SUCCESS;
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

/* ---- the end ---- */

NTSTATUS
world_recover_all(struct world *world)
{
    TRY(world_start(world));
    EACH (rm, world->rms) {
        if (!rm->exists || rm->is_volatile || world->is_volatile || world_is_dead(world))
            continue;
        TRY(world_rm_open(world, rm));
        TRY(world_rm_recover(world, rm, true));
    }
    world_settle(world);
    return world_is_dead(world) ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS;
}

static void
verify_transaction(struct world *world, const struct world_tx *tx)
{
    const struct world_en *committed = NULL, *aborted = NULL;

    EACH_EN_OF(en, world, tx, tx)
    {
        if (en->is_superior || en->is_read_only || en->rm->is_volatile ||
            !(en->mask & TRANSACTION_NOTIFY_COMMIT))
            continue;
        if (en->memory == MEMORY_PREPARED)
            world_blame(world, "LIVE-02: %c still does not know", en->name);
        if (en->memory == MEMORY_COMMITTED)
            committed = en;
        else
            aborted = en;
    }
    if (committed && aborted)
        world_blame(world, "INV-01: %c has committed, %c has not", committed->name, aborted->name);
    if (aborted && tx->was_committed)
        world_blame(world, "INV-01: somebody was told that %c committed, %c has not", tx->name,
                    aborted->name);
    if (committed && tx->was_aborted)
        world_blame(world, "INV-01: somebody was told that %c aborted, %c has committed", tx->name,
                    committed->name);
}

struct left {
    GUID uows[WORLD_TXS];
    unsigned count;
};

static void
collect_one(void *context, const GUID *guid)
{
    struct left *left = context;

    if (left->count < WORLD_TXS)
        left->uows[left->count++] = *guid;
}

/* Only for a superior that has not come for the end may a finished transaction be kept
 * [RECOV-43]; it does not come when it has heard of the end before a crash. */
static void
verify_kept(struct world *world, const GUID *uow)
{
    struct object *handle = NULL;
    struct engine_tx_info info;

    if (engine_tx_open(world->engine, uow, world->tm, &handle) != STATUS_SUCCESS ||
        engine_tx_query(handle, &info) != STATUS_SUCCESS) {
        world_blame(world, "a listed transaction cannot be opened");
        return;
    }
    if (!info.has_superior || info.inner_state != TX_FORGOTTEN)
        world_blame(world, "LIVE-01 RECOV-28: %c is left, %s", (char)uow->Data1,
                    transaction_state_name(info.inner_state));
    engine_handle_close(handle);
}

static void
verify_nothing_left(struct world *world)
{
    struct left left = {.count = 0};

    EACH (tx, world->txs)
        if (tx->exists && tx->handle)
            world_tx_close(world, tx);
    EACH (en, world->ens)
        if (en->exists && en->handle)
            world_en_close(world, en);
    EXPECT_OK(engine_enumerate(world->engine, world->tm, OBJECT_TX, collect_one, &left));
    for (unsigned i = 0; i < left.count; i++)
        verify_kept(world, &left.uows[i]);
}

/* A new transaction of two durable RMs commits. */
static void
verify_works(struct world *world)
{
    static const char names[] = "yz";
    struct world_en *en[2] = {NULL};
    struct world_tx *tx = NULL;
    uint32_t full = 0;

    EXPECT(mask_of_words("full", &full));
    if (world_begin(world, (char)++world->verified, 0, &tx) != STATUS_SUCCESS) {
        world_blame(world, "no transaction can be made any more");
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct world_rm *rm;

        if (!world_rm(world, (char)(names[i] - 'a' + 'A')) &&
            world_rm_create(world, (char)(names[i] - 'a' + 'A'), world->is_volatile, false) !=
                STATUS_SUCCESS)
            world_blame(world, "no RM can be made any more");
        rm = world_rm(world, (char)(names[i] - 'a' + 'A'));
        if (rm && !rm->handle && world_rm_open(world, rm) != STATUS_SUCCESS)
            world_blame(world, "an RM cannot be opened any more");
        if (!rm || !rm->handle || !NT_SUCCESS(world_rm_recover(world, rm, true)) ||
            world_enlist(world, names[i], rm, tx, full, false, &en[i]) != STATUS_SUCCESS) {
            world_blame(world, "nobody can enlist any more");
            return;
        }
    }
    if (!NT_SUCCESS(world_commit(world, tx)))
        world_blame(world, "nothing can be committed any more");
    world_settle(world);
    if (world_is_dead(world))
        return;
    if (en[0]->memory != MEMORY_COMMITTED || en[1]->memory != MEMORY_COMMITTED ||
        !tx->was_committed)
        world_blame(world, "a new transaction did not commit");
    verify_transaction(world, tx);
    if (tx->handle)
        world_tx_close(world, tx);
    for (int i = 0; i < 2; i++)
        world_en_close(world, en[i]);
}

void
world_verify(struct world *world)
{
    EACH (tx, world->txs)
        if (tx->exists)
            verify_transaction(world, tx);
    if (world_is_dead(world) || !world->tm)
        return;
    verify_nothing_left(world);
    verify_works(world);
}
