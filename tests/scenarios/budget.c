/* SPDX-License-Identifier: MIT */
/* How often the disk is forced, per transaction: counted in the simulated disk, so that nothing can
 * force behind anybody's back (design, "The log budget"). */
#include "tests/scenarios/scenario.h"

static const struct {
    const char *what, *commands;
    unsigned forces;
} rows[] = {
    {"nobody takes part", "begin t; commit t", 0},
    {"all read-only at once",
     "begin t; enlist a full; enlist b full; readonly a; readonly b; commit t", 0},
    {"all read-only at PREPARE", "begin t; enlist a full; commit t; preprepared a; readonly a", 0},
    {"all volatile", "begin t; enlist a full volatile; enlist b full volatile; commit t; settle",
     0},
    {"nobody asks for COMMIT", "begin t; enlist a pr; commit t; settle", 0},
    {"single phase", "begin t; enlist a full+spc; commit t; settle", 0},
    {"rolled back before commit", "begin t; enlist a full; enlist b full; rollback t; settle", 0},
    {"voted down",
     "begin t; enlist a full; enlist b full; commit t; preprepared a; preprepared b; prepared a; "
     "veto b; settle",
     0},
    {"one durable", "begin t; enlist a full; commit t; settle", 1},
    {"two durable", "begin t; enlist a full; enlist b full; commit t; settle", 1},
    {"ten durable",
     "begin t; enlist a full; enlist b full; enlist c full; enlist d full; enlist e full; enlist f "
     "full; enlist g full; enlist h full; enlist i full; enlist j full; commit t; settle",
     1},
    {"durable and volatile", "begin t; enlist a full volatile; enlist b full; commit t; settle", 1},
    {"the outcome alone", "begin t; enlist a cr; enlist b cr; commit t; settle", 1},
    {"single phase refused", "begin t; enlist a full+spc; commit t; reject a; settle", 1},
    {"superior, three steps",
     "begin t; enlist s sup superior; enlist a full; enlist b full; prepare s; settle; decide s; "
     "settle",
     2},
    {"superior, one step",
     "begin t; enlist s sup superior; enlist a full; enlist b full; decide s; settle", 1},
    {"superior, aborted after the promise",
     "begin t; enlist s sup superior; enlist a full; prepare s; settle; veto s; settle", 1},
    {"superior, all volatile",
     "begin t; enlist s sup superior; enlist a full volatile; prepare s; settle; decide s; settle",
     0},
    {"three transactions, one after the other",
     "begin t; enlist a full; enlist b full; commit t; settle; begin u; enlist c full by A in u; "
     "enlist d full by B in u; commit u; settle; begin v; enlist e full by A in v; enlist f full "
     "by "
     "B in v; commit v; settle",
     3},
};

TEST(forces_per_transaction) /* LOG-02..06 VOL-04 TX-ROLLBACK-13 SCEN-01, -03, -08, -11 */
{
    EACH (row, rows) {
        owned(scenario_free) struct scenario *scenario = scenario_of(row->what, row->commands);
        owned(world_destroy) struct world *world = world_create(NULL, 1, false);
        struct sys_sim_counts before, after;

        EXPECT_OK(world_start(world));
        before = sys_sim_counts(world->sim, NULL);
        scenario_run(scenario, world, NULL);
        after = sys_sim_counts(world->sim, NULL);
        EXPECT_TEXT("", world->violation);
        if (after.syncs - before.syncs != row->forces)
            test_fail(__FILE__, __LINE__, "%s: %llu forces, expected %u", row->what,
                      (unsigned long long)(after.syncs - before.syncs), row->forces);
        if (row->forces == 0) /* and not even a write */
            EXPECT_EQ(before.operations, after.operations);
        EXPECT_EQ(before.directory_syncs, after.directory_syncs);
    }
}

/* The forced record is the COMMIT, and it is one sector: nothing grows on the way. */
TEST(a_commit_writes_one_block_and_changes_no_metadata) /* LOG-06 */
{
    owned(scenario_free) struct scenario *scenario =
        scenario_of("two", "begin t; enlist a full; enlist b full; commit t; settle");
    owned(world_destroy) struct world *world = world_create(NULL, 1, false);
    struct sys_sim_counts before, after;

    EXPECT_OK(world_start(world));
    before = sys_sim_counts(world->sim, NULL);
    scenario_run(scenario, world, NULL);
    after = sys_sim_counts(world->sim, NULL);
    EXPECT_EQ(before.writes + 1, after.writes);
    EXPECT_EQ(before.bytes_written + 512, after.bytes_written);
    EXPECT_EQ(before.allocates, after.allocates);
    EXPECT_EQ(before.creates, after.creates);
}
