/* SPDX-License-Identifier: MIT */
/* Transactions that are bound to a transaction manager while somebody ends them, and resource
 * managers that are adopted while somebody closes them. */
#include "tests/explore/cast.h"

static struct object *other_tm;

static void
begin(void)
{
    cast_begin(explore_draw(2));
    cast_rm(0);
    cast_rm(1);
    EXPECT_OK(engine_tm_create(cast.engine, NULL, NULL, 0, &other_tm));
    cast_act_unbound(0);
    cast_crash_somewhere();
}

static void
end(void)
{
    engine_handle_close(other_tm);
    cast_end();
}

static void
enlists(void *argument)
{
    struct part *part;
    NTSTATUS status = cast_try_enlist(&cast.acts[0], &cast.rms[argument ? 1 : 0], CAST_TWO, &part);

    /* NOT_SUPPORTED, REQUIRED_PROMOTION: it went to the other TM */
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED, STATUS_NOT_SUPPORTED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
binds(void *argument)
{
    NTSTATUS status = engine_tx_bind(cast.acts[0].tx, argument ? other_tm : cast.tm);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_TRANSACTION_NOT_ACTIVE);
}

static void
commits(void *argument)
{
    NTSTATUS status = cast_commit(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED);
}

static void
rolls_back(void *argument)
{
    NTSTATUS status = cast_rollback(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_COMMITTED);
}

static void
closes_tx(void *argument)
{
    (void)argument;
    cast_act_close(&cast.acts[0]);
}

static void
counts(void *context, const GUID *guid)
{
    unsigned *found = context;

    *found += guid_equal(guid, &cast.acts[0].uow);
}

/* It is somewhere, and nowhere twice. */
static void
looks_for_it(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) {
        struct object *tx = NULL;
        unsigned found = 0;

        EXPECT_OK(engine_enumerate(cast.engine, NULL, OBJECT_TX, counts, &found));
        EXPECT(found <= 1);
        if (engine_tx_open(cast.engine, &cast.acts[0].uow, NULL, &tx) == STATUS_SUCCESS) {
            engine_handle_close(tx);
        } else {
            cast_look(&cast.acts[0]);
            EXPECT(cast.acts[0].was_committed || cast.acts[0].was_aborted);
        }
    }
}

TEST(two_enlist_at_once_in_an_unbound_transaction) /* ENL-CREATE-03 NAME-07 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{enlists, NULL}, {enlists, &cast}, {commits, &cast}, {looks_for_it, NULL}},
        .end = end};

    explore(&program);
}

TEST(a_binding_against_commit_and_close) /* TX-SET-11 CLOSE-TX-01 GEN-06 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{binds, NULL}, {binds, &cast}, {commits, &cast}, {closes_tx, NULL}},
        .end = end};

    explore(&program);
}

TEST(a_binding_against_enlistment_and_rollback) /* ENL-CREATE-03 TX-SET-11 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{binds, NULL}, {enlists, NULL}, {rolls_back, &cast}, {looks_for_it, NULL}},
        .end = end};

    explore(&program);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

static void
binds_in_vain(void *argument)
{
    NTSTATUS status = engine_tx_bind(cast.acts[0].tx, cast.tm);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

static void
commits_in_vain(void *argument)
{
    NTSTATUS status = cast_commit(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

TEST(a_binding_against_the_close_of_the_tm) /* CLOSE-TM-01 TX-SET-11 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{binds_in_vain, NULL},
                                                               {enlists, NULL},
                                                               {commits_in_vain, &cast},
                                                               {closes_tm, NULL}},
                                                   .end = end};

    explore(&program);
}

/* ---- adoption ---- */

/* RM 0 owes the answer to a COMMIT, so it is kept when it is closed [CLOSE-RM-04]. */
static bool
ignores_commit(struct part *part, struct object *en, uint32_t what)
{
    (void)part, (void)en;
    return what == TRANSACTION_NOTIFY_COMMIT;
}

static void
begin_adoption(void)
{
    cast_begin(false);
    cast_rm(0)->meddle = ignores_commit;
    cast_enlist(cast_act(0, 0), &cast.rms[0], CAST_TWO);
    EXPECT(NT_SUCCESS(cast_commit(&cast.acts[0], false)));
    cast.acts[0].was_committed = true;
    cast_act(1, 0);
    cast.rms[0].meddle = NULL;
    cast.rms_may_close = true;
    cast_crash_somewhere();
}

static void
closes_rm(void *argument)
{
    (void)argument;
    cast_rm_close(&cast.rms[0]);
}

/* Takes over what is there as soon as it may, works with it, and lets go. */
static void
adopts(void *argument)
{
    struct object *rm = NULL, *en = NULL;
    NTSTATUS status = cast_try_rm(0, &rm);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_OBJECT_NAME_COLLISION); /* RM-CREATE-04 */
    if (status != STATUS_SUCCESS)
        return;
    status = engine_rm_callbacks(rm, cast_callback, &cast.rms[0]);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
    status = engine_rm_recover(rm);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_OBJECT_EXPIRED);
    status = engine_en_create(rm, cast.acts[1].tx, 0, CAST_TWO, NULL, &en);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    if (en)
        engine_handle_close(en);
    engine_handle_close(rm);
}

static void
end_adopted(void)
{
    cast_rm(0); /* whoever had it: what is left is finished now */
    EXPECT_EQ(MEMORY_COMMITTED, cast.acts[0].parts[0].memory); /* INV-14 */
    cast.rms_may_close = false;
    cast_end();
}

TEST(an_rm_is_adopted_while_it_is_closed) /* CLOSE-RM-04 RM-CREATE-05 OP-20 RECOV-29 INV-14 */
{
    static const struct explore_program program = {
        .begin = begin_adoption,
        .threads = {{closes_rm, NULL}, {adopts, NULL}, {adopts, NULL}},
        .end = end_adopted};

    explore(&program);
}
