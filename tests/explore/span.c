/* SPDX-License-Identifier: MIT */
/* Transactions over two transaction managers, each with its log: who commits, rolls back, enlists
 * and closes does so on either side, and dies at any moment. */
#include "tests/explore/cast.h"

static void
begin_with(unsigned acts)
{
    cast_begin(false);
    cast_begin_second();
    for (unsigned i = 0; i < 2; i++)
        cast_rm(i);
    for (unsigned i = 0; i < acts; i++) {
        struct act *act = cast_act(i, 0);

        cast_enlist(act, &cast.rms[0], CAST_TWO);
        cast_enlist(act, &cast.rms[1], CAST_FULL);
    }
    cast_crash_somewhere();
}

static void
begin(void)
{
    begin_with(1);
}

static void
begin_two(void)
{
    begin_with(2);
}

static void
begin_veto(void)
{
    begin_with(1);
    cast.acts[0].parts[explore_draw(2)].votes_no = true;
}

static void
begin_closing(void)
{
    begin_with(1);
    cast.rms_may_close = true;
}

static void
commits(void *argument)
{
    struct act *act = argument;
    NTSTATUS status = cast_commit(act, true);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED, STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    if (status == STATUS_SUCCESS && !cast.rms_may_close)
        for (unsigned i = 0; i < act->part_count; i++)
            EXPECT(act->parts[i].memory == MEMORY_COMMITTED || !act->parts[i].en); /* BR-03 */
}

static void
rolls_back(void *argument)
{
    NTSTATUS status = cast_rollback(argument, true);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_COMMITTED,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
waits(void *argument)
{
    (void)argument;
    EXPECT_ONE_OF(engine_wait(cast.acts[0].tx, SYS_FOREVER), STATUS_SUCCESS,
                  STATUS_TRANSACTION_OBJECT_EXPIRED);
    cast_look(&cast.acts[0]);
}

static void
closes_part(void *argument)
{
    cast_part_close(&cast.acts[0].parts[argument ? 1 : 0]);
}

static void
closes_rm(void *argument)
{
    cast_rm_close(&cast.rms[argument ? 1 : 0]);
}

static void
closes_tx(void *argument)
{
    (void)argument;
    cast_act_close(&cast.acts[0]);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

static void
closes_second(void *argument)
{
    (void)argument;
    cast_second_close();
}

TEST(commit_over_two_tms_against_rollback) /* BR-01 BR-03 INV-01 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast.acts[0]}, {rolls_back, &cast.acts[0]}, {waits, NULL}},
        .end = cast_end};

    explore(&program);
}

TEST(two_commits_over_two_tms) /* BR-03 INV-04 LIVE-01 */
{
    static const struct explore_program program = {
        .begin = begin_two,
        .threads = {{commits, &cast.acts[0]}, {commits, &cast.acts[1]}, {waits, NULL}},
        .end = cast_end};

    explore(&program);
}

TEST(a_veto_on_either_side_against_rollback_and_close) /* BR-03 ROLL-02 INV-01 */
{
    static const struct explore_program program = {
        .begin = begin_veto,
        .threads = {{commits, &cast.acts[0]}, {rolls_back, &cast.acts[0]}, {closes_tx, NULL}},
        .end = cast_end};

    explore(&program);
}

/* Those who went come back, and hear what was decided: then nobody has to remember. */
static void
end_come_back(void)
{
    for (unsigned i = 0; i < 2; i++)
        if (!cast.rms[i].has_handle)
            cast_rm(i);
    EXPECT(list_is_empty(&AS_TM(cast.tm)->core.logged)); /* LIVE-02 INV-14 */
    EXPECT(list_is_empty(&AS_TM(cast.second)->core.logged));
    cast_end();
}

TEST(commit_over_two_tms_against_closes_below) /* BR-03 CLOSE-EN-01 CLOSE-RM-01 INV-01 INV-15 */
{
    static const struct explore_program program = {.begin = begin_closing,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {closes_part, &cast},
                                                               {closes_rm, &cast},
                                                               {closes_rm, NULL}},
                                                   .end = end_come_back};

    explore(&program);
}

TEST(rollback_over_two_tms_against_closes_below) /* CLOSE-EN-05 CLOSE-RM-01 SIG-06 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{commits, &cast.acts[0]}, {rolls_back, &cast.acts[0]}, {closes_rm, &cast}},
        .end = end_come_back};

    explore(&program);
}

TEST(commit_over_two_tms_against_the_close_of_either) /* BR-04 CLOSE-TM-01 INV-01 INV-15 */
{
    static const struct explore_program program = {.begin = begin_closing,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {closes_second, NULL},
                                                               {closes_tm, NULL},
                                                               {waits, NULL}},
                                                   .end = cast_end};

    explore(&program);
}

TEST(commit_over_two_tms_against_the_close_of_the_second) /* BR-04 CLOSE-TM-01 INV-01 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{commits, &cast.acts[0]}, {closes_second, NULL}, {rolls_back, &cast.acts[0]}},
        .end = cast_end};

    explore(&program);
}

/* ---- who makes the branch ---- */

static void
begin_plain(void)
{
    cast_begin(false);
    cast_begin_second();
    for (unsigned i = 0; i < 4; i++)
        cast_rm(i);
    cast_enlist(cast_act(0, 0), &cast.rms[0], CAST_TWO);
    cast_crash_somewhere();
}

static void
begin_plain_closing(void)
{
    begin_plain();
    cast.rms_may_close = true;
}

static void
begin_unbound(void)
{
    cast_begin(false);
    cast_begin_second();
    for (unsigned i = 0; i < 4; i++)
        cast_rm(i);
    cast_act_unbound(0);
    cast_crash_somewhere();
}

static void
enlists(void *argument)
{
    struct part *part;
    NTSTATUS status = cast_try_enlist(&cast.acts[0], argument, CAST_TWO, &part);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

TEST(two_make_the_branch_at_once_against_commit) /* BR-01 ENL-CREATE-03 INV-02 */
{
    static const struct explore_program program = {
        .begin = begin_plain,
        .threads = {{enlists, &cast.rms[1]}, {enlists, &cast.rms[3]}, {commits, &cast.acts[0]}},
        .end = cast_end};

    explore(&program);
}

static void
enlists_and_commits(void *argument)
{
    enlists(argument);
    commits(&cast.acts[0]);
}

TEST(a_branch_is_joined_when_it_is_over) /* ENL-CREATE-10 BR-01 INV-02 */
{
    static const struct explore_program program = {
        .begin = begin_plain,
        .threads = {{enlists_and_commits, &cast.rms[1]}, {enlists, &cast.rms[3]}},
        .end = cast_end};

    explore(&program);
}

TEST(an_unbound_transaction_is_over_when_it_is_bound) /* ENL-CREATE-03 ENL-CREATE-10 GEN-06 */
{
    static const struct explore_program program = {
        .begin = begin_unbound,
        .threads = {{commits, &cast.acts[0]}, {enlists, &cast.rms[0]}, {enlists, &cast.rms[1]}},
        .end = cast_end};

    explore(&program);
}

TEST(a_branch_is_made_against_rollback_and_close) /* BR-01 CLOSE-TX-01 CLOSE-TM-01 INV-15 */
{
    static const struct explore_program program = {.begin = begin_plain_closing,
                                                   .threads = {{enlists, &cast.rms[1]},
                                                               {rolls_back, &cast.acts[0]},
                                                               {closes_tx, NULL},
                                                               {closes_second, NULL}},
                                                   .end = cast_end};

    explore(&program);
}

TEST(two_tms_want_an_unbound_transaction) /* BR-01 ENL-CREATE-03 NAME-07 */
{
    static const struct explore_program program = {.begin = begin_unbound,
                                                   .threads = {{enlists, &cast.rms[0]},
                                                               {enlists, &cast.rms[1]},
                                                               {enlists, &cast.rms[2]},
                                                               {commits, &cast.acts[0]}},
                                                   .end = cast_end};

    explore(&program);
}

/* ---- recovery of either side ---- */

static bool
ignores_commit(struct part *part, struct object *en, uint32_t what)
{
    (void)part, (void)en;
    return what == TRANSACTION_NOTIFY_COMMIT;
}

static void
begin_unresolved(void)
{
    begin_with(2);
    for (unsigned i = 0; i < 2; i++)
        cast.rms[i].meddle = ignores_commit;
    for (unsigned i = 0; i < 2; i++)
        EXPECT(NT_SUCCESS(cast_commit(&cast.acts[i], false)));
    cast_restart();
    cast.rms[1].is_second = cast.rms[3].is_second = true;
    EXPECT_OK(engine_tm_open_log(cast.engine, "/second", NULL, 0, &cast.second));
    engine_hold(cast.second);
    cast.rms_may_close = true;
}

static void
recovers_tm(void *argument)
{
    EXPECT_OK(engine_tm_recover(argument ? cast.second : cast.tm, NULL));
    cast_rm(argument ? 1 : 0);
}

static void
end_resolved(void)
{
    cast.rms_may_close = false;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned n = 0; n < 2; n++)
            EXPECT_EQ(MEMORY_COMMITTED, cast.acts[i].parts[n].memory); /* INV-14 BR-04 */
    EXPECT(list_is_empty(&AS_TM(cast.tm)->core.logged));
    EXPECT(list_is_empty(&AS_TM(cast.second)->core.logged));
    cast_end();
}

TEST(both_sides_are_recovered_at_once) /* BR-04 RECOV-22 INV-14 LIVE-02 */
{
    static const struct explore_program program = {
        .begin = begin_unresolved,
        .threads = {{recovers_tm, NULL}, {recovers_tm, &cast}},
        .end = end_resolved};

    explore(&program);
}
