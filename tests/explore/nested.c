/* SPDX-License-Identifier: MIT */
/* Callbacks that do not keep to their own affairs: they nest, close handles, enlist, commit and
 * roll back other transactions, close their resource manager, or the transaction manager. */
#include "tests/explore/cast.h"

static const unsigned *menu; /* what a callback may do */
static unsigned menu_size;

enum {
    NOTHING,
    COMMITS_ANOTHER,
    ROLLS_ANOTHER_BACK,
    ROLLS_BACK,
    CLOSES_ENLISTMENT,
    CLOSES_TRANSACTION,
    ENLISTS,
    WHOLE_TRANSACTION,
    CLOSES_RM,
    CLOSES_TM,
};

static struct act *
other(const struct part *part)
{
    return &cast.acts[part->act == &cast.acts[0] ? 1 : 0];
}

static void
enlists(struct part *part)
{
    struct part *made;
    struct act *act = other(part);
    NTSTATUS status;

    if (act->part_count == CAST_PARTS)
        return;
    status = cast_try_enlist(act, &cast.rms[2], CAST_TWO, &made);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

/* From its beginning to its end, waiting, inside the callback of another one. */
static void
whole_transaction(void)
{
    struct engine_tx_options options = {.tm = cast.tm};
    struct object *tx;
    NTSTATUS status = engine_tx_create(cast.engine, &options, &tx);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    if (status != STATUS_SUCCESS)
        return;
    status = engine_tx_commit(tx, true);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED);
    engine_handle_close(tx);
}

static bool
meddles(struct part *part, struct object *en, uint32_t what)
{
    (void)en, (void)what;
    switch (menu[explore_draw(menu_size)]) {
    case COMMITS_ANOTHER:
        (void)cast_commit(other(part), false);
        break;
    case ROLLS_ANOTHER_BACK:
        (void)cast_rollback(other(part), false);
        break;
    case ROLLS_BACK:
        (void)cast_rollback(part->act, false);
        break;
    case CLOSES_ENLISTMENT:
        if (part->has_handle)
            cast_part_close(part);
        break;
    case CLOSES_TRANSACTION:
        if (other(part)->has_handle)
            cast_act_close(other(part));
        break;
    case ENLISTS:
        enlists(part);
        break;
    case WHOLE_TRANSACTION:
        whole_transaction();
        break;
    case CLOSES_RM:
        if (part->rm->has_handle)
            cast_rm_close(part->rm);
        break;
    case CLOSES_TM:
        if (cast.has_tm)
            cast_tm_close();
        break;
    default:
        break;
    }
    return false;
}

static void
begin(void)
{
    cast_begin(explore_draw(4) == 0);
    for (unsigned i = 0; i < 3; i++)
        cast_rm(i)->meddle = meddles;
    for (unsigned i = 0; i < 2; i++) {
        struct act *act = cast_act(i, 0);

        cast_enlist(act, &cast.rms[0], CAST_FULL);
        cast_enlist(act, &cast.rms[1], CAST_TWO);
    }
    cast_crash_somewhere();
}

static void
begin_closing(void)
{
    begin();
    cast.rms_may_close = true;
}

static void
commits(void *act)
{
    (void)cast_commit(act, false);
}

static void
rolls_back(void *act)
{
    (void)cast_rollback(act, false);
}

TEST(callbacks_that_commit_and_roll_back_others) /* NOTIF-06 GEN-11 INV-01 INV-02 */
{
    static const unsigned what[] = {NOTHING, COMMITS_ANOTHER, ROLLS_ANOTHER_BACK, ROLLS_BACK};
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {rolls_back, &cast.acts[1]}},
                                                   .end = cast_end};

    menu = what;
    menu_size = ARRAY_SIZE(what);
    explore(&program);
}

TEST(callbacks_that_enlist_and_begin_others) /* NOTIF-06 NOTIF-12 ENL-CREATE-05 */
{
    static const unsigned what[] = {NOTHING, NOTHING, ENLISTS, WHOLE_TRANSACTION, COMMITS_ANOTHER};
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast.acts[0]}, {commits, &cast.acts[1]}},
        .end = cast_end};

    menu = what;
    menu_size = ARRAY_SIZE(what);
    explore(&program);
}

TEST(callbacks_that_close_handles) /* CLOSE-EN-01..07 CLOSE-TX-01 GEN-11 */
{
    static const unsigned what[] = {
        NOTHING, NOTHING, CLOSES_ENLISTMENT, ROLLS_BACK, CLOSES_TRANSACTION, COMMITS_ANOTHER};
    static const struct explore_program program = {.begin = begin_closing,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {rolls_back, &cast.acts[0]}},
                                                   .end = cast_end};

    menu = what;
    menu_size = ARRAY_SIZE(what);
    explore(&program);
}

TEST(callbacks_that_close_managers) /* CLOSE-RM-01 CLOSE-TM-01 GEN-11 */
{
    static const unsigned what[] = {NOTHING, NOTHING,   NOTHING,           COMMITS_ANOTHER,
                                    ENLISTS, CLOSES_RM, CLOSES_ENLISTMENT, CLOSES_TM};
    static const struct explore_program program = {.begin = begin_closing,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {rolls_back, &cast.acts[0]}},
                                                   .end = cast_end};

    menu = what;
    menu_size = ARRAY_SIZE(what);
    explore(&program);
}

/* ---- while all is frozen ---- */

static void
freezes_and_thaws(void *argument)
{
    NTSTATUS status = engine_freeze(cast.engine, 10000000, 10000000);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_TRANSACTION_FREEZE_IN_PROGRESS);
    explore_point("is frozen");
    (void)!engine_thaw(cast.engine);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    if (cast.has_tm)
        cast_tm_close();
}

/* Another TM is made and closed inside the callbacks of one that is being closed. */
static bool
makes_another_tm(struct part *part, struct object *en, uint32_t what)
{
    struct object *tm = NULL;
    NTSTATUS status;

    (void)part, (void)en;
    if (what != TRANSACTION_NOTIFY_ROLLBACK)
        return false;
    status = engine_tm_create(cast.engine, "/another", NULL, 0, &tm);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_OBJECT_NAME_COLLISION);
    if (status == STATUS_SUCCESS)
        engine_handle_close(tm);
    return false;
}

static void
begin_freezing(void)
{
    begin_closing();
    for (unsigned i = 0; i < 3; i++)
        cast.rms[i].meddle = makes_another_tm;
}

TEST(callbacks_of_a_close_that_make_and_close_another_tm_while_all_freezes) /* FRZ-03 CLOSE-TM-01 */
{
    static const struct explore_program program = {
        .begin = begin_freezing,
        .threads = {{closes_tm, NULL}, {freezes_and_thaws, NULL}, {rolls_back, &cast.acts[0]}},
        .end = cast_end};

    explore(&program);
}
