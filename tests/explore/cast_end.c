/* SPDX-License-Identifier: MIT */
/* How a run ends: everything is closed and nothing is left; and what a crash in its midst would
 * have left agrees with what anybody had been told. */
#include "tests/explore/cast_inner.h"

/* The disk, and what everybody knew, at the moment of the crash. */
static struct {
    struct sys_sim *sim;
    struct cast cast;
} crash;

/* ---- the end of the process ---- */

static void
act_end(struct act *act)
{
    bool is_alive = act->tx && !engine_is_expired(act->tx);

    if (act->tx)
        cast_look(act);
    if (is_alive && (act->was_committed || act->was_aborted) && !cast.rms_may_close)
        EXPECT_OK(engine_wait(act->tx, 0)); /* INV-13 LIVE-01 */
    for (unsigned i = 0; i < act->part_count; i++) {
        struct part *part = &act->parts[i];

        if (part->has_handle)
            engine_handle_close(part->en);
        if (part->en)
            engine_release(part->en);
        part->en = NULL;
        part->has_handle = false;
    }
    if (act->has_handle)
        engine_handle_close(act->tx);
    if (act->tx)
        engine_release(act->tx);
    act->tx = NULL;
    act->has_handle = false;
}

static void
rm_end(struct cast_rm *rm)
{
    if (rm->has_handle)
        engine_handle_close(rm->rm);
    if (rm->rm)
        engine_release(rm->rm);
    rm->rm = NULL;
    rm->has_handle = false;
}

/* A transaction that everybody has answered is gone; so is what nobody holds. */
static void
expect_empty(struct object *tm)
{
    EXPECT(list_is_empty(&AS_TM(tm)->core.tx_list)); /* LIVE-01 */
    EXPECT(list_is_empty(&AS_TM(tm)->core.rm_list));
}

static void
expect_nothing_left(void)
{
    bool is_resolved = !cast.rms_may_close && !cast.log_may_fail;

    EXPECT(list_is_empty(&cast.engine->nursery->core.tx_list));
    EXPECT_EQ(0, cast.engine->timers.count);
    if (cast.has_tm && is_resolved)
        expect_empty(cast.tm);
    if (cast.has_second && is_resolved)
        expect_empty(cast.second);
    if (cast.has_tm)
        engine_handle_close(cast.tm);
    if (cast.has_second)
        engine_handle_close(cast.second);
    EXPECT(list_is_empty(&cast.engine->tms));
    expect_empty(cast.tm);
    EXPECT_EQ(1, atomic_load(&cast.tm->holds)); /* ours: it was the last */
    engine_release(cast.tm);
    if (!cast.second)
        return;
    expect_empty(cast.second);
    EXPECT_EQ(1, atomic_load(&cast.second->holds));
    engine_release(cast.second);
}

static void
process_end(void)
{
    for (unsigned i = 0; i < CAST_ACTS; i++)
        act_end(&cast.acts[i]);
    for (unsigned i = 0; i < CAST_RMS; i++)
        rm_end(&cast.rms[i]);
    expect_nothing_left();
    engine_destroy(cast.engine);
}

/* ---- after a crash ---- */

static void
take_snapshot(void)
{
    crash.sim = sys_sim_copy(cast.sim);
    crash.cast = cast;
}

void
cast_crash_somewhere(void)
{
    if (cast.is_volatile)
        return;
    explore_interrupt(take_snapshot);
}

/* Pointers into the cast are those of the living; the dead are a copy of it. */
static void
revive(void)
{
    struct sys_sim *sim = crash.sim;

    cast = crash.cast;
    cast.sim = sim;
    cast.process = sys_sim_process(sim);
    cast.rms_may_close = false;
    for (unsigned i = 0; i < CAST_RMS; i++)
        cast.rms[i] = (struct cast_rm){.is_volatile = cast.rms[i].is_volatile,
                                       .is_second = cast.rms[i].is_second};
    for (unsigned i = 0; i < CAST_ACTS; i++) {
        cast.acts[i].tx = NULL;
        cast.acts[i].has_handle = false;
        for (unsigned n = 0; n < CAST_PARTS; n++) {
            struct part *part = &cast.acts[i].parts[n];

            part->en = NULL;
            part->has_handle = part->votes_no = part->is_lazy = false;
            part->told = part->owes = 0;
        }
    }
    engine_create(cast.process, &cast.engine) == STATUS_SUCCESS ? (void)0 : abort();
}

/* All who prepared the same transaction meet the same fate, the one that was told. */
static void
judge_act(struct act *act)
{
    unsigned committed = 0, aborted = 0;

    for (unsigned i = 0; i < act->part_count; i++) {
        struct part *part = &act->parts[i];

        if (part->rm && part->rm->is_volatile)
            continue;
        if (part->memory == MEMORY_PREPARED)
            part->memory = MEMORY_ABORTED; /* nobody asked for it [RECOV-04, RECOV-32] */
        committed += part->memory == MEMORY_COMMITTED;
        aborted += part->memory == MEMORY_ABORTED;
    }
    EXPECT(committed == 0 || aborted == 0);      /* INV-01 */
    EXPECT(committed == 0 || !act->was_aborted); /* INV-01 INV-05 */
    EXPECT(aborted == 0 || !act->was_committed); /* INV-04 INV-14 */
}

/* A superior whose transaction is decided is not asked: it comes by itself to hear the end
 * [RECOV-21, RECOV-42]. */
static void
superiors_come_back(struct act *act)
{
    for (unsigned i = 0; i < act->part_count; i++) {
        struct part *part = &act->parts[i];
        struct object *en = NULL;

        if (!part->is_superior || part->is_asked_again ||
            engine_en_open(part->rm->rm, &part->guid, &en) != STATUS_SUCCESS)
            continue;
        EXPECT_EQ(MEMORY_COMMITTED, part->memory);
        EXPECT(NT_SUCCESS(engine_en_recover(en, part)));
        EXPECT(part->told & TRANSACTION_NOTIFY_COMMIT_COMPLETE); /* RECOV-43 */
        engine_handle_close(en);
    }
}

static void
log_recover(const char *path, struct object **tm, bool *has_handle)
{
    EXPECT_OK(engine_tm_open_log(cast.engine, path, NULL, 0, tm));
    engine_hold(*tm);
    *has_handle = true;
    EXPECT_OK(engine_tm_recover(*tm, NULL));
}

static void
after_the_crash(void)
{
    uint64_t choice = explore_draw(1000);

    revive();
    sys_sim_power_on(cast.sim, (enum sys_sim_keep)explore_draw(4), choice);
    if (cast.second && explore_draw(2)) /* before the root, or after it */
        log_recover("/second", &cast.second, &cast.has_second);
    else if (cast.second)
        cast.has_second = false;
    log_recover("/tm", &cast.tm, &cast.has_tm);
    if (cast.second && !cast.has_second)
        log_recover("/second", &cast.second, &cast.has_second);
    for (unsigned i = 0; i < CAST_RMS; i++)
        if (!cast.rms[i].is_volatile)
            EXPECT_EQ(1, cast_rm(i)->last_recovers);
    for (unsigned i = 0; i < CAST_ACTS; i++)
        superiors_come_back(&cast.acts[i]);
    for (unsigned i = 0; i < CAST_ACTS; i++)
        judge_act(&cast.acts[i]);
    EXPECT(list_is_empty(&AS_TM(cast.tm)->core.logged)); /* LIVE-01 LIVE-02 INV-14 */
    if (cast.second)
        EXPECT(list_is_empty(&AS_TM(cast.second)->core.logged)); /* BR-04 */
    process_end();
    sys_sim_destroy(cast.sim);
}

void
cast_end(void)
{
    process_end();
    sys_sim_destroy(cast.sim);
    if (crash.sim)
        after_the_crash();
    crash.sim = NULL;
}
