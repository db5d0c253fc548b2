/* SPDX-License-Identifier: MIT */
/*
 * Notifications as resource managers hear them: the judge looks at each, the resource manager
 * remembers what it is about to say, and says it.
 *
 * In callback mode two threads may enter callbacks of one enlistment at once, so of a PREPREPARE or
 * PREPARE and the ROLLBACK that overtook it either may be heard first; the late one is stale, its
 * answer is refused.
 */
#include "tests/explore/cast_inner.h"

#define OUTCOMES (TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK)

/* ---- the judge ---- */

void
told_committed(struct act *act, const char *by)
{
    if (act->was_aborted)
        test_fail(__FILE__, __LINE__, "INV-01: %s says committed, which was aborted", by);
    act->was_committed = true;
}

void
told_aborted(struct act *act, const char *by)
{
    if (act->was_committed)
        test_fail(__FILE__, __LINE__, "INV-01: %s says aborted, which was committed", by);
    act->was_aborted = true;
}

static bool
has_promised(const struct part *part)
{
    return part->is_superior || !(part->mask & TRANSACTION_NOTIFY_PREPARE) ||
           part->memory != MEMORY_NOTHING;
}

/* One whose enlistment has not returned may be none: it speaks for itself when it is told. */
static void
judge_commit(const struct part *told)
{
    struct act *act = told->act;

    told_committed(act, "COMMIT");
    if (act->is_single_phase)
        return;
    for (unsigned i = 0; i < act->part_count; i++)
        if (act->parts[i].is_superior && act->parts[i].memory != MEMORY_COMMITTED)
            test_fail(__FILE__, __LINE__, "INV-11: COMMIT, and the superior has not said so");
    for (unsigned i = 0; i < act->part_count; i++)
        if ((act->parts[i].en || &act->parts[i] == told) && !has_promised(&act->parts[i]))
            test_fail(__FILE__, __LINE__, "INV-02: COMMIT, and part %u has not promised", i);
}

/* Who was told ROLLBACK owes nothing any more. */
static bool
anybody_owes(const struct act *act, uint32_t what)
{
    for (unsigned i = 0; i < act->part_count; i++)
        if (act->parts[i].owes == what && !(act->parts[i].told & TRANSACTION_NOTIFY_ROLLBACK))
            return true;
    return false;
}

static void
judge(struct part *part, uint32_t what)
{
    struct act *act = part->act;

    if (part->told & what && !part->is_asked_again)
        test_fail(__FILE__, __LINE__, "NOTIF-GET-13: 0x%x is told twice", what);
    switch (what) {
    case TRANSACTION_NOTIFY_COMMIT:
        judge_commit(part);
        break;
    case TRANSACTION_NOTIFY_ROLLBACK:
        told_aborted(act, "ROLLBACK");
        break;
    case TRANSACTION_NOTIFY_PREPARE:
        if (!act->was_aborted && anybody_owes(act, TRANSACTION_NOTIFY_PREPREPARE))
            test_fail(__FILE__, __LINE__, "INV-10: PREPARE while a PREPREPARE is owed");
        if (part->memory == MEMORY_PREPARED || part->memory == MEMORY_COMMITTED)
            test_fail(__FILE__, __LINE__, "INV-06: PREPARE after the promise");
        break;
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        act->is_single_phase = true;
        break;
    default:
        break;
    }
    part->told |= what;
}

/* ---- the resource manager ---- */

static int
answer_to(struct part *part, uint32_t what)
{
    switch (what) {
    case TRANSACTION_NOTIFY_PREPREPARE:
        return KTM_EN_PREPREPARE_COMPLETE;
    case TRANSACTION_NOTIFY_PREPARE:
        if (part->votes_no)
            return KTM_EN_ROLLBACK;
        if (part->told & TRANSACTION_NOTIFY_ROLLBACK)
            return KTM_EN_PREPARE_COMPLETE; /* stale, and will be refused: nothing is promised */
        part->memory = part->reads_only ? MEMORY_READ_ONLY : MEMORY_PREPARED;
        return part->reads_only ? KTM_EN_READ_ONLY : KTM_EN_PREPARE_COMPLETE;
    case TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT:
        if (part->rejects)
            return KTM_EN_SINGLE_PHASE_REJECT;
        part->memory = MEMORY_COMMITTED;
        return KTM_EN_COMMIT_COMPLETE;
    case TRANSACTION_NOTIFY_COMMIT:
        part->memory = MEMORY_COMMITTED;
        return KTM_EN_COMMIT_COMPLETE;
    case TRANSACTION_NOTIFY_PREPARE_COMPLETE:
        part->memory = MEMORY_PREPARED;
        return 0;
    case TRANSACTION_NOTIFY_ROLLBACK:
        part->memory = MEMORY_ABORTED;
        return KTM_EN_ROLLBACK_COMPLETE;
    default:
        return 0;
    }
}

/* An answer may come too late; then it is refused in one of these ways, and only then. */
static void
judge_refusal(const struct part *part, uint32_t what, NTSTATUS status)
{
    bool is_late = part->act->was_aborted || part->told & TRANSACTION_NOTIFY_ROLLBACK ||
                   cast.rms_may_close || cast.log_may_fail;

    if (NT_SUCCESS(status))
        return;
    if (status == STATUS_TRANSACTION_OBJECT_EXPIRED && cast.rms_may_close)
        return;
    if (status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE && cast.log_may_fail)
        return;
    if (status != STATUS_TRANSACTION_NOT_REQUESTED &&
        status != STATUS_TRANSACTION_REQUEST_NOT_VALID &&
        status != STATUS_TRANSACTION_ALREADY_ABORTED)
        test_fail(__FILE__, __LINE__, "the answer to 0x%x is refused with %s", what,
                  status_name(status));
    /* The abort may be known to the engine and heard by nobody yet: who asks must be told so. */
    if (!is_late)
        cast_look(part->act);
    if (!is_late && !part->act->was_aborted)
        test_fail(__FILE__, __LINE__, "INV-07: the answer to 0x%x is refused for no reason", what);
}

NTSTATUS
cast_answer(struct part *part, struct object *en, uint32_t what)
{
    int event = answer_to(part, what);
    NTSTATUS status;

    if (part->owes == what)
        part->owes = 0;
    if (!event)
        return STATUS_SUCCESS;
    status = engine_en_request(en, event, NULL);
    judge_refusal(part, what, status);
    if (event == KTM_EN_SINGLE_PHASE_REJECT && NT_SUCCESS(status))
        part->act->is_single_phase = false;
    if (what == TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT && event == KTM_EN_COMMIT_COMPLETE &&
        NT_SUCCESS(status))
        told_committed(part->act, "the delegate");
    return status;
}

void
cast_hear(struct part *part, struct object *en, uint32_t what)
{
    part->guid = AS_EN(en)->link.guid; /* the call that made it may not have returned */
    judge(part, what);
    explore_point("has heard");
    if (part->rm->meddle && part->rm->meddle(part, en, what))
        return;
    if (what & (CAST_FULL | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT))
        part->owes = what;
    if (!part->is_lazy)
        (void)cast_answer(part, en, what);
}

/* ---- after a recovery ---- */

static struct part *
part_with(const GUID *guid)
{
    for (unsigned i = 0; i < CAST_ACTS; i++)
        for (unsigned n = 0; n < cast.acts[i].part_count; n++)
            if (guid_equal(&cast.acts[i].parts[n].guid, guid))
                return &cast.acts[i].parts[n];
    return NULL;
}

static void
superior_answers(struct part *part, struct object *en)
{
    bool commits = part->memory == MEMORY_COMMITTED;
    NTSTATUS status;

    if (!commits)
        part->memory = MEMORY_ABORTED;
    status = engine_en_request(en, commits ? KTM_EN_COMMIT : KTM_EN_ROLLBACK, NULL);
    EXPECT(NT_SUCCESS(status) || cast.rms_may_close);
}

void
cast_recover(struct cast_rm *rm, const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument)
{
    struct part *part = part_with(&argument->EnlistmentId);
    struct object *en = NULL;
    NTSTATUS status = engine_en_open(rm->rm, &argument->EnlistmentId, &en);
    bool is_kept;

    EXPECT(part);
    part->is_asked_again = true;
    EXPECT(status == STATUS_SUCCESS || cast.rms_may_close);
    if (status != STATUS_SUCCESS)
        return;
    is_kept = !part->en;
    if (is_kept) { /* closed, it would be lost again [CLOSE-EN-05] */
        part->en = en;
        part->has_handle = true;
        engine_hold(en);
    }
    status = engine_en_recover(en, part);
    EXPECT(NT_SUCCESS(status) || cast.rms_may_close);
    if (part->is_superior)
        superior_answers(part, en);
    explore_point("has recovered an enlistment");
    if (!is_kept)
        engine_handle_close(en);
}

NTSTATUS
cast_callback(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
              ULONG length, PVOID argument)
{
    struct cast_rm *rm = rm_key;

    (void)clock, (void)length;
    if (what & (TRANSACTION_NOTIFY_RECOVER | TRANSACTION_NOTIFY_RECOVER_QUERY) && argument) {
        cast_recover(rm, argument);
    } else if (key) {
        cast_hear(key, (struct object *)enlistment, what);
    } else if (what == TRANSACTION_NOTIFY_LAST_RECOVER) {
        rm->last_recovers++;
    }
    return STATUS_SUCCESS;
}
