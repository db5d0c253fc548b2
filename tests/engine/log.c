/* SPDX-License-Identifier: MIT */
/* The log over a long time: it stays bounded whatever lies in it unresolved, grows when it must,
 * says no cleanly when it cannot, and a checkpoint can be cut anywhere. */
#include "tests/engine/world.h"

#include "clfs/clfs.h"
#include "engine/inner.h"
#include "tests/core/words.h"

static uint32_t
mask_of(const char *words)
{
    uint32_t mask = 0;

    EXPECT(mask_of_words(words, &mask));
    return mask;
}

static struct clfs_info
log_info(const struct world *world)
{
    struct clfs_info info;

    clfs_log_info(AS_TM(world->tm)->log, &info);
    return info;
}

static struct world *
start(struct sys_sim *sim)
{
    struct world *world = world_create(sim, 1, false);

    EXPECT_OK(world_start(world));
    return world;
}

static struct world_rm *
rm_ready(struct world *world, char name)
{
    struct world_rm *rm = world_rm(world, name);

    if (!rm) {
        EXPECT_OK(world_rm_create(world, name, false, false));
        rm = world_rm(world, name);
    } else if (!rm->handle) {
        EXPECT_OK(world_rm_open(world, rm));
    }
    EXPECT(NT_SUCCESS(world_rm_recover(world, rm, false)));
    return rm;
}

/* ---- many transactions, past the judge, who keeps books of each ---- */

static const uint32_t commit_only = TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;

/* One more transaction of that RM; 'answers': CommitComplete comes, else it stays unresolved.
 * Answers what the commit call answers; once it has failed the transaction is rolled back. */
static NTSTATUS
commit_one(struct world *world, struct world_rm *rm, bool answers)
{
    struct engine_tx_options options = {.tm = world->tm};
    struct object *tx = NULL, *en = NULL;
    TRANSACTION_NOTIFICATION note;
    uint32_t length;
    NTSTATUS status;

    EXPECT_OK(engine_tx_create(world->engine, &options, &tx));
    EXPECT_OK(engine_en_create(rm->handle, tx, 0, commit_only, NULL, &en));
    status = engine_tx_commit(tx, false);
    if (status == STATUS_PENDING) {
        EXPECT_OK(engine_rm_get_notification(rm->handle, &note, sizeof(note), 0, &length));
        EXPECT_EQ(TRANSACTION_NOTIFY_COMMIT, note.TransactionNotification);
        if (answers)
            EXPECT_OK(engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL));
    } else if (!world_is_dead(world)) {
        (void)engine_tx_rollback(tx, false);
        (void)engine_rm_get_notification(rm->handle, &note, sizeof(note), 0, &length);
        (void)engine_en_request(en, KTM_EN_ROLLBACK_COMPLETE, NULL);
    }
    engine_handle_close(en);
    engine_handle_close(tx);
    return status;
}

static unsigned
count_recover(struct world_rm *rm)
{
    union {
        TRANSACTION_NOTIFICATION note;
        uint8_t room[64];
    } buffer;
    unsigned count = 0;
    uint32_t length;

    while (engine_rm_get_notification(rm->handle, &buffer.note, sizeof(buffer), 0, &length) ==
           STATUS_SUCCESS)
        count += buffer.note.TransactionNotification == TRANSACTION_NOTIFY_RECOVER;
    return count;
}

/* The RM is back, and answers all that it is asked about: FORGET records that were lost. */
static struct world_rm *
rm_return(struct world *world, char name)
{
    struct world_rm *rm = world_rm(world, name);
    union {
        TRANSACTION_NOTIFICATION note;
        uint8_t room[64];
    } buffer;
    GUID ids[1000];
    unsigned count = 0;
    uint32_t length;

    EXPECT_OK(world_rm_open(world, rm));
    EXPECT(NT_SUCCESS(engine_rm_recover(rm->handle)));
    while (engine_rm_get_notification(rm->handle, &buffer.note, sizeof(buffer), 0, &length) ==
           STATUS_SUCCESS)
        if (buffer.note.TransactionNotification == TRANSACTION_NOTIFY_RECOVER) {
            EXPECT(count < ARRAY_SIZE(ids));
            memcpy(&ids[count++], buffer.room + sizeof(buffer.note), sizeof(GUID));
        }
    for (unsigned i = 0; i < count; i++) {
        struct object *en = NULL;

        EXPECT_OK(engine_en_open(rm->handle, &ids[i], &en));
        EXPECT_STATUS(STATUS_PENDING, engine_en_recover(en, NULL));
        EXPECT_OK(engine_rm_get_notification(rm->handle, &buffer.note, sizeof(buffer), 0, &length));
        EXPECT_EQ(TRANSACTION_NOTIFY_COMMIT, buffer.note.TransactionNotification);
        EXPECT_OK(engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL));
        engine_handle_close(en);
    }
    return rm;
}

/* A restart; how many enlistments the RM is asked about. */
static unsigned
restart_and_count(struct world *world, char name)
{
    struct world_rm *rm = world_rm(world, name);

    world_crash(world, true, SIM_KEEP_NOTHING, 0);
    EXPECT_OK(world_start(world));
    EXPECT_OK(world_rm_open(world, rm));
    EXPECT(NT_SUCCESS(engine_rm_recover(rm->handle)));
    return count_recover(rm);
}

TEST(an_old_unresolved_transaction_does_not_stop_the_log) /* LOG-08 RECOV-12 RECOV-27 */
{
    owned(world_destroy) struct world *world = start(NULL);
    struct world_rm *old = rm_ready(world, 'A'), *busy = rm_ready(world, 'B');
    struct world_en *en = NULL;
    struct world_tx *tx = NULL;
    uint64_t used, base;
    unsigned turns = 0;

    EXPECT_OK(world_begin(world, "t", 0, &tx));
    EXPECT_OK(world_enlist(world, "a", old, tx, mask_of("full"), false, &en));
    EXPECT_OK(engine_en_set_recovery_info(en->handle, bytes_of("since long ago", 14)));
    EXPECT(NT_SUCCESS(world_commit(world, tx)));
    EXPECT(NT_SUCCESS(world_request(world, en, KTM_EN_PREPREPARE_COMPLETE, NULL)));
    EXPECT(NT_SUCCESS(world_request(world, en, KTM_EN_PREPARE_COMPLETE, NULL)));
    world_rm_close(world, old); /* and is not heard of again for a long time */
    used = sys_sim_used(world->sim);
    base = log_info(world).base_lsn;
    for (unsigned n = 0; n < 12000; n++) {
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, busy, true));
        if (n % 3000 == 2999) {
            world_crash(world, true, SIM_KEEP_NOTHING, 0);
            EXPECT_OK(world_start(world));
            busy = rm_return(world, 'B');
        }
        if (log_info(world).base_lsn != base) {
            base = log_info(world).base_lsn;
            turns++;
        }
    }
    EXPECT(turns >= 4); /* it went round and round … */
    /* … in the same space, or one container more, since of two the unresolved one holds one … */
    EXPECT(sys_sim_used(world->sim) <= used + LOG_CONTAINER_SIZE);
    EXPECT(log_info(world).containers <= LOG_CONTAINERS_FIRST + 1);
    EXPECT_OK(world_rm_open(world, old)); /* … and nothing was lost */
    EXPECT(NT_SUCCESS(world_rm_recover(world, old, false)));
    EXPECT(en->is_asked);
    EXPECT(NT_SUCCESS(world_en_recover(world, en)));
    EXPECT_EQ(TRANSACTION_NOTIFY_COMMIT, en->owes);
    EXPECT(NT_SUCCESS(world_request(world, en, KTM_EN_COMMIT_COMPLETE, NULL)));
    EXPECT_TEXT("", world->violation);
}

TEST(many_unresolved_ones_are_carried_along) /* LOG-08 RECOV-01 */
{
    enum { UNRESOLVED = 400 };
    owned(world_destroy) struct world *world = start(NULL);
    struct world_rm *late = rm_ready(world, 'A'), *busy = rm_ready(world, 'B');
    uint64_t used = sys_sim_used(world->sim);

    for (unsigned n = 0; n < UNRESOLVED; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, late, false));
    for (unsigned n = 0; n < 9000; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, busy, true));
    EXPECT_EQ(used, sys_sim_used(world->sim));
    EXPECT_EQ(UNRESOLVED, restart_and_count(world, 'A'));
    EXPECT_EQ(UNRESOLVED, restart_and_count(world, 'A')); /* RECOV-11 */
}

TEST(the_log_grows_when_the_unresolved_need_it) /* LOG-08 LOG-14 */
{
    enum { UNRESOLVED = 9000 };
    owned(world_destroy) struct world *world = start(NULL);
    struct world_rm *late = rm_ready(world, 'A'), *busy;

    for (unsigned n = 0; n < UNRESOLVED; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, late, false));
    EXPECT(log_info(world).containers > LOG_CONTAINERS_FIRST);
    EXPECT(log_info(world).containers < 16); /* in proportion */
    busy = rm_ready(world, 'B');
    for (unsigned n = 0; n < 3000; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, busy, true));
    EXPECT_EQ(UNRESOLVED, restart_and_count(world, 'A'));
}

TEST(after_an_orderly_shutdown_there_is_next_to_nothing_to_read) /* LOG-09 CLOSE-TM-02 */
{
    owned(world_destroy) struct world *world = start(NULL);
    struct world_rm *busy = rm_ready(world, 'B');
    struct engine_tm_info info;
    struct clfs_info before;

    for (unsigned n = 0; n < 500; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(world, busy, true));
    world_rm_close(world, busy);
    world_close_tm(world, false);
    EXPECT_OK(world_open_tm(world));
    before = log_info(world);
    EXPECT(before.last_lsn - before.base_lsn <= 3 * 512); /* the marker and the restart record */
    EXPECT_OK(world_recover_tm(world));
    engine_tm_query(world->tm, &info);
    EXPECT(info.clock >= 500);
}

/* ---- no space ---- */

TEST(without_space_a_commit_is_refused_before_it_begins) /* LOG-14 GEN-06 LOG-11 */
{
    owned(world_destroy) struct world *world = start(NULL);
    struct world_rm *late = rm_ready(world, 'A'), *b = rm_ready(world, 'B');
    struct world_en *en = NULL;
    struct world_tx *tx = NULL;
    struct engine_tm_info info;
    NTSTATUS status = STATUS_PENDING;
    unsigned committed = 0;

    EXPECT_OK(world_begin(world, "t", 0, &tx)); /* has its space before the end comes */
    EXPECT_OK(world_enlist(world, "b", b, tx, mask_of("full"), false, &en));
    EXPECT(NT_SUCCESS(world_commit(world, tx)));
    sys_sim_set_capacity(world->sim, sys_sim_used(world->sim)); /* not a sector more */
    while (status == STATUS_PENDING) {
        status = commit_one(world, late, false);
        committed += status == STATUS_PENDING;
        EXPECT(committed < 20000);
    }
    EXPECT(status == STATUS_LOG_FULL || status == STATUS_DISK_FULL);
    engine_tm_query(world->tm, &info);
    EXPECT_EQ(KTM_ONLINE, info.state); /* only a failed write takes it offline */
    for (int i = 0; i < 5; i++)
        EXPECT_STATUS(status, commit_one(world, late, false));
    world_settle(world); /* what was reserved suffices */
    EXPECT_EQ(MEMORY_COMMITTED, en->memory);
    EXPECT_TEXT("", world->violation);
    sys_sim_set_capacity(world->sim, 0); /* space returns */
    EXPECT_STATUS(STATUS_PENDING, commit_one(world, late, false));
    EXPECT_EQ(committed + 1, restart_and_count(world, 'A'));
}

/* ---- a checkpoint cut short ---- */

/* Commits until the log's metadata is written; false: the power went first. */
static bool
commit_until_checkpoint(struct world *world, struct world_rm *rm)
{
    uint64_t before = sys_sim_counts(world->sim, WORLD_LOG ".blf").writes;

    while (!world_is_dead(world) && sys_sim_counts(world->sim, WORLD_LOG ".blf").writes == before)
        if (commit_one(world, rm, true) != STATUS_PENDING && !world_is_dead(world))
            return false;
    return !world_is_dead(world);
}

TEST(a_checkpoint_can_be_cut_anywhere) /* LOG-08 INV-05 RECOV-11 CLFS-DUR-10 */
{
    static const enum sys_sim_keep keeps[] = {SIM_KEEP_NOTHING, SIM_KEEP_ALL, SIM_KEEP_PREFIX,
                                              SIM_KEEP_SUBSET};
    enum { UNRESOLVED = 100, BEFORE = 3 };
    struct world *first = start(NULL);
    struct world_rm *rm = rm_ready(first, 'A');
    struct sys_sim *base;
    uint64_t at, from;

    for (unsigned n = 0; n < UNRESOLVED; n++)
        EXPECT_STATUS(STATUS_PENDING, commit_one(first, rm, false));
    rm = rm_ready(first, 'B');
    for (int n = 0; n < 5; n++) /* far enough for the unresolved to be copied forward */
        EXPECT(commit_until_checkpoint(first, rm));
    from = sys_sim_counts(first->sim, NULL).operations;
    base = sys_sim_copy(first->sim);
    EXPECT(commit_until_checkpoint(first, rm));
    at = sys_sim_counts(first->sim, NULL).operations - from;
    world_destroy(first);

    for (uint64_t n = at > 12 ? at - 12 : 1; n <= at + 2; n++)
        for (unsigned how = 0; how < 3; how++)
            for (unsigned k = 0; k < ARRAY_SIZE(keeps); k++) {
                struct world *world = world_create(sys_sim_copy(base), 1, false);
                unsigned seen;

                EXPECT_OK(world_start(world));
                EXPECT_OK(world_rm_create(world, 'A', false, false));
                EXPECT(NT_SUCCESS(engine_rm_recover(world_rm(world, 'A')->handle)));
                EXPECT_EQ(UNRESOLVED, count_recover(world_rm(world, 'A')));
                rm = rm_ready(world, 'B');
                world_cut_at(world, from + n, (enum sys_sim_cut)how);
                (void)commit_until_checkpoint(world, rm);
                world_cut_at(world, 0, SIM_CUT_BEFORE);
                world_crash(world, true, keeps[k], n * 10 + how);
                EXPECT_OK(world_start(world));
                EXPECT_OK(world_rm_open(world, world_rm(world, 'A')));
                EXPECT(NT_SUCCESS(engine_rm_recover(world_rm(world, 'A')->handle)));
                seen = count_recover(world_rm(world, 'A'));
                if (seen != UNRESOLVED)
                    test_fail(__FILE__, __LINE__, "cut %llu, %u, %u: %u of %u are left",
                              (unsigned long long)n, how, k, seen, UNRESOLVED);
                rm = rm_ready(world, 'B');
                for (int i = 0; i < 5; i++)
                    EXPECT_STATUS(STATUS_PENDING, commit_one(world, rm, true));
                world_destroy(world);
            }
    sys_sim_destroy(base);
}
