/* SPDX-License-Identifier: MIT */
/*
 * The judge: everybody hears, and what is heard and seen is held against what was before.
 */
#include "tests/engine/world_inner.h"

#include "core/ktm.h"
#include "tests/core/words.h"

/* ---- what is true for ever ---- */

static struct world_en *
find_by_guid(struct world *world, const GUID *guid)
{
    EACH (en, world->ens)
        if (en->exists && guid_equal(&en->guid, guid))
            return en;
    return NULL;
}

void
become_committed(struct world *world, struct world_tx *tx, const char *who)
{
    if (tx->was_aborted)
        world_blame(world, "INV-01 INV-03: %s says that %s committed, which had aborted", who,
                    tx->name);
    tx->was_committed = true;
}

void
become_aborted(struct world *world, struct world_tx *tx, const char *who)
{
    if (tx->was_committed)
        world_blame(world, "INV-01 INV-03: %s says that %s aborted, which had committed", who,
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
            world_blame(world, "INV-11: COMMIT to %s, but superior %s has not decided", en->name,
                        other->name);
        return;
    }
    if (what == TRANSACTION_NOTIFY_PREPARE && owes_phase_0)
        world_blame(world, "INV-10: PREPARE to %s while %s owes its PREPREPARE answer", en->name,
                    other->name);
    if (is_commit && (owes_phase_0 || other->owes == TRANSACTION_NOTIFY_PREPARE))
        world_blame(world, "INV-10: COMMIT to %s while %s owes a vote", en->name, other->name);
    if (is_commit && other->mask & TRANSACTION_NOTIFY_PREPARE && !other->rm->is_volatile &&
        !other->is_read_only && other->memory != MEMORY_PREPARED &&
        other->memory != MEMORY_COMMITTED)
        world_blame(world, "INV-02: COMMIT to %s, but %s has not promised", en->name, other->name);
}

static void
judge_subordinate(struct world *world, struct world_en *en, uint32_t what)
{
    if (!(en->mask & what))
        world_blame(world, "MASK-15: %s to %s, which does not ask for it",
                    word_of_notification(what), en->name);
    if (en->is_read_only && what != TRANSACTION_NOTIFY_RM_DISCONNECTED)
        world_blame(world, "INV-09: %s to %s, which is read-only", word_of_notification(what),
                    en->name);
    if (!may_follow(en->told, what, en->is_read_only))
        world_blame(world, "INV-08: %s to %s after 0x%x", word_of_notification(what), en->name,
                    en->told);
    if (en->owes && what != TRANSACTION_NOTIFY_ROLLBACK)
        world_blame(world, "INV-07: %s to %s, which owes an answer to %s",
                    word_of_notification(what), en->name, word_of_notification(en->owes));
    if (en->memory == MEMORY_PREPARED &&
        what & (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE |
                TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT))
        world_blame(world, "INV-06: %s to %s, which has promised", word_of_notification(what),
                    en->name);
    if (what == TRANSACTION_NOTIFY_COMMIT && en->memory == MEMORY_ABORTED)
        world_blame(world, "INV-06: COMMIT to %s, which has aborted", en->name);
    if (what == TRANSACTION_NOTIFY_ROLLBACK && en->memory == MEMORY_COMMITTED)
        world_blame(world, "INV-06: ROLLBACK to %s, which has committed", en->name);
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
        world_blame(world, "NOTIF-14: %s to superior %s", word_of_notification(what), en->name);
}

/* Whether 'event' is an answer to 'owed'. */
static bool
is_answer_to(uint32_t owed, int event)
{
    switch (event) {
    case KTM_EN_PREPREPARE_COMPLETE:
        return owed == TRANSACTION_NOTIFY_PREPREPARE;
    case KTM_EN_PREPARE_COMPLETE:
        return owed == TRANSACTION_NOTIFY_PREPARE;
    case KTM_EN_COMMIT_COMPLETE:
        return owed == TRANSACTION_NOTIFY_COMMIT || owed == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT;
    case KTM_EN_ROLLBACK_COMPLETE:
        return owed == TRANSACTION_NOTIFY_ROLLBACK;
    case KTM_EN_SINGLE_PHASE_REJECT:
        return owed == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT;
    default:
        return false;
    }
}

void
judge_answer(struct world *world, const struct world_en *en, int event, uint32_t owed,
             NTSTATUS status)
{
    bool is_completion = event >= KTM_EN_PREPREPARE_COMPLETE &&
                         event <= KTM_EN_SINGLE_PHASE_REJECT && event != KTM_EN_READ_ONLY;
    bool is_right = is_answer_to(owed, event);

    if (status == STATUS_TRANSACTION_OBJECT_EXPIRED)
        return;
    if (is_completion && is_right != NT_SUCCESS(status))
        world_blame(world, "INV-07: %s from %s, which owes %s: %s", ktm_event_name(event), en->name,
                    owed ? word_of_notification(owed) : "nothing", status_name(status));
    if (is_completion && !is_right && status != STATUS_TRANSACTION_NOT_REQUESTED)
        world_blame(world, "PT-49: %s from %s: %s", ktm_event_name(event), en->name,
                    status_name(status));
}

/* ---- hearing ---- */

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
    world_tell(world, "%s %s", en->name, word_of_notification(what));
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
    world_tell(world, "%c %s %s", rm->name, word_of_notification(what), en->name);
    if (en->is_superior != (what == TRANSACTION_NOTIFY_RECOVER_QUERY))
        world_blame(world, "RECOV-20 RECOV-21: %s for %s", word_of_notification(what), en->name);
    if (rm->is_volatile && !en->is_superior) /* its outcome is nobody's memory */
        world_blame(world, "VOL-03: a volatile RM is asked to recover");
    if (!rm->is_recovering)
        world_blame(world, "RECOV-22: %s for %s after LAST_RECOVER", word_of_notification(what),
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
void
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
look_at_clock(struct world *world, struct object *tm, int64_t *clock)
{
    struct engine_tm_info info;

    engine_tm_query(tm, &info);
    if (info.clock < *clock)
        world_blame(world, "CLOCK-10 INV-12: the clock fell from %lld to %lld", (long long)*clock,
                    (long long)info.clock);
    *clock = info.clock;
    if (info.state == KTM_OFFLINE)
        EACH (tx, world->txs)
            tx->may_be_unavailable = true;
}

static bool
owes_commit(struct world *world, const struct world_tx *tx)
{
    EACH_EN_OF(en, world, tx, tx)
    if (en->owes == TRANSACTION_NOTIFY_COMMIT && en->handle && en->rm->handle &&
        world_tm_of(world, en->rm))
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
        world_tell(world, "%s committed", tx->name);
        become_committed(world, tx, "the transaction object");
    } else if (outcome == TransactionOutcomeAborted) {
        world_tell(world, "%s aborted", tx->name);
        become_aborted(world, tx, "the transaction object");
    } else {
        world_blame(world, "INV-03: %s is undecided again", tx->name);
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
        world_blame(world, "SIG-04: %s is no longer signalled", tx->name);
    if (is_signalled != should &&
        !(tx->outcome == TransactionOutcomeUndetermined && is_signalled &&
          tx->may_be_unavailable) &&
        !(tx->is_signalled && is_signalled)) /* stays so when one comes back */
        world_blame(world, "INV-13: %s is%s signalled", tx->name, is_signalled ? "" : " not");
    if (is_signalled && !tx->is_signalled)
        world_tell(world, "%s signalled", tx->name);
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

void
world_hear(struct world *world)
{
    if (!world->engine || world_is_dead(world))
        return;
    EACH (rm, world->rms)
        if (rm->exists)
            fetch(world, rm);
    if (world_is_dead(world))
        return;
    if (world->tm)
        look_at_clock(world, world->tm, &world->clock);
    if (world->other)
        look_at_clock(world, world->other, &world->other_clock);
    if (!world->tm)
        return;
    EACH (tx, world->txs)
        look_at(world, tx);
    answer_at_once(world);
}
