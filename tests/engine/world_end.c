/* SPDX-License-Identifier: MIT */
/* After a crash: everybody recovers, and at the end everybody agrees. */
#include "tests/engine/world_inner.h"

#include "core/ktm.h"
#include "tests/core/words.h"

NTSTATUS
world_recover_all(struct world *world)
{
    TRY(world_start(world));
    EACH (rm, world->rms) {
        if (!rm->exists || rm->is_volatile || rm->handle || world_is_dead(world))
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
            world_blame(world, "LIVE-02: %s still does not know", en->name);
        if (en->memory == MEMORY_COMMITTED)
            committed = en;
        else
            aborted = en;
    }
    if (committed && aborted)
        world_blame(world, "INV-01: %s has committed, %s has not", committed->name, aborted->name);
    if (aborted && tx->was_committed)
        world_blame(world, "INV-01: somebody was told that %s committed, %s has not", tx->name,
                    aborted->name);
    if (committed && tx->was_aborted)
        world_blame(world, "INV-01: somebody was told that %s aborted, %s has committed", tx->name,
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
verify_kept(struct world *world, struct object *tm, const GUID *uow)
{
    struct object *handle = NULL;
    struct engine_tx_info info;

    if (engine_tx_open(world->engine, uow, tm, &handle) != STATUS_SUCCESS ||
        engine_tx_query(handle, &info) != STATUS_SUCCESS) {
        world_blame(world, "a listed transaction cannot be opened");
        return;
    }
    if (!info.has_superior || info.inner_state != TX_FORGOTTEN)
        world_blame(world, "LIVE-01 RECOV-28: %.4s is left, %s", (const char *)&uow->Data1,
                    transaction_state_name(info.inner_state));
    engine_handle_close(handle);
}

static void
verify_tm(struct world *world, struct object *tm)
{
    struct left left = {.count = 0};

    EXPECT_OK(engine_enumerate(world->engine, tm, OBJECT_TX, collect_one, &left));
    for (unsigned i = 0; i < left.count; i++)
        verify_kept(world, tm, &left.uows[i]);
}

static void
verify_nothing_left(struct world *world)
{
    EACH (tx, world->txs)
        if (tx->exists && tx->handle)
            world_tx_close(world, tx);
    EACH (en, world->ens)
        if (en->exists && en->handle)
            world_en_close(world, en);
    verify_tm(world, world->tm);
    if (world->other)
        verify_tm(world, world->other);
}

static NTSTATUS
make_rm(struct world *world, char name, bool is_elsewhere)
{
    return is_elsewhere ? world_rm_create_elsewhere(world, name, false, false)
                        : world_rm_create(world, name, false, false);
}

/* A new transaction of two durable RMs commits; they are of both TMs if there are two. */
static void
verify_works(struct world *world)
{
    static const char names[] = "yz";
    char tx_name[8];
    struct world_en *en[2] = {NULL};
    struct world_tx *tx = NULL;
    uint32_t full = 0;

    EXPECT(mask_of_words("full", &full));
    snprintf(tx_name, sizeof(tx_name), "!%u", ++world->verified);
    if (world_begin(world, tx_name, 0, &tx) != STATUS_SUCCESS) {
        world_blame(world, "no transaction can be made any more");
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct world_rm *rm;

        if (!world_rm(world, (char)(names[i] - 'a' + 'A')) &&
            make_rm(world, (char)(names[i] - 'a' + 'A'), i && world->other) != STATUS_SUCCESS)
            world_blame(world, "no RM can be made any more");
        rm = world_rm(world, (char)(names[i] - 'a' + 'A'));
        if (rm && !rm->handle && world_rm_open(world, rm) != STATUS_SUCCESS)
            world_blame(world, "an RM cannot be opened any more");
        if (!rm || !rm->handle || !NT_SUCCESS(world_rm_recover(world, rm, true)) ||
            world_enlist(world, i ? "!z" : "!y", rm, tx, full, false, &en[i]) != STATUS_SUCCESS) {
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
    if (world_is_dead(world) || !world->tm || (world->has_other && !world->other))
        return;
    verify_nothing_left(world);
    verify_works(world);
}
