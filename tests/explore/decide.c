/* SPDX-License-Identifier: MIT */
/* One transaction, and several who want something of it: commit, rollback, close, time-out, the
 * close of a resource manager and of the transaction manager. */
#include "tests/explore/cast.h"

static bool is_volatile;

static void
commits(void *argument)
{
    NTSTATUS status = cast_commit(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED, STATUS_TRANSACTION_REQUEST_NOT_VALID,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

static void
rolls_back(void *argument)
{
    NTSTATUS status = cast_rollback(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_COMMITTED,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
waits(void *argument)
{
    NTSTATUS status = engine_wait(cast.acts[0].tx, SYS_FOREVER); /* SIG-01 INV-15 */

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
    cast_look(&cast.acts[0]);
}

static void
closes_tx(void *argument)
{
    (void)argument;
    cast_act_close(&cast.acts[0]);
}

static void
closes_part(void *argument)
{
    (void)argument;
    cast_part_close(&cast.acts[0].parts[1]);
}

static void
closes_rm(void *argument)
{
    (void)argument;
    cast_rm_close(&cast.rms[1]);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

/* ---- the programs ---- */

static void
begin_with(uint32_t first, uint32_t second, int64_t timeout)
{
    struct act *act;

    cast_begin(is_volatile);
    for (unsigned i = 0; i < 2; i++)
        cast_rm(i);
    act = cast_act(0, timeout);
    cast_enlist(act, &cast.rms[0], first);
    cast_enlist(act, &cast.rms[1], second);
    cast_crash_somewhere();
}

static void
begin(void)
{
    begin_with(CAST_FULL, CAST_FULL, 0);
}

static void
begin_veto(void)
{
    begin_with(CAST_TWO, CAST_TWO, 0);
    cast.acts[0].parts[explore_draw(2)].votes_no = true;
}

static void
begin_closing(void)
{
    begin_with(CAST_TWO, CAST_FULL, 0);
    cast.rms_may_close = true; /* from the start: who is first is not known */
}

static void
both_kinds(struct explore_program *program)
{
    for (int i = 0; i < 2; i++) {
        is_volatile = i;
        program->schedules = 200;
        explore(program);
    }
}

TEST(commit_against_rollback) /* INV-01 INV-03 INV-15 SIG-05 SIG-06 TX-ROLLBACK-08 */
{
    static struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast}, {rolls_back, &cast}, {waits, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(commit_against_a_close_of_the_transaction) /* CLOSE-TX-01 CLOSE-TX-02 INV-01 INV-15 */
{
    static struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast}, {closes_tx, NULL}, {waits, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(commit_with_a_veto_against_rollback) /* ROLL-02 INV-01 INV-15 */
{
    static struct explore_program program = {
        .begin = begin_veto,
        .threads = {{commits, &cast}, {rolls_back, NULL}, {waits, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(two_commits_and_a_rollback) /* TX-COMMIT-09 INV-03 */
{
    static struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast}, {commits, &cast}, {rolls_back, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(commit_against_a_close_of_an_enlistment) /* CLOSE-EN-01..07 INV-01 INV-15 */
{
    static struct explore_program program = {
        .begin = begin_closing,
        .threads = {{commits, &cast}, {closes_part, NULL}, {waits, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(commit_against_a_close_of_its_rm) /* CLOSE-RM-01..05 INV-01 INV-15 */
{
    static struct explore_program program = {
        .begin = begin_closing,
        .threads = {{commits, &cast}, {closes_rm, NULL}, {rolls_back, &cast}},
        .end = cast_end};

    both_kinds(&program);
}

TEST(commit_against_a_close_of_the_tm) /* CLOSE-TM-01..04 INV-01 INV-15 */
{
    static struct explore_program program = {
        .begin = begin_closing,
        .threads = {{commits, &cast}, {closes_tm, NULL}, {closes_rm, NULL}, {waits, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

/* ---- time-outs ---- */

static void
time_passes_by(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) {
        sys_sim_advance(cast.sim, 400000000); /* it is due at the third */
        engine_run_timers(cast.engine);
    }
}

static void
sets_time_out(void *argument)
{
    NTSTATUS status = engine_tx_set(cast.acts[0].tx, 0, -20000000, NULL, 0);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_ROLLBACK_TIMER_EXPIRED,
                  STATUS_TRANSACTION_NOT_ACTIVE);
    status = engine_tx_set(cast.acts[0].tx, 0, 0, NULL, 0);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_ROLLBACK_TIMER_EXPIRED);
}

static void
begin_timed(void)
{
    begin_with(CAST_TWO, CAST_FULL, -10000000); /* a second */
}

TEST(commit_against_a_time_out) /* ROLL-TMO-01 ROLL-TMO-06 TX-SET-03 INV-03 */
{
    static struct explore_program program = {.begin = begin_timed,
                                             .threads = {{commits, &cast},
                                                         {time_passes_by, NULL},
                                                         {sets_time_out, NULL},
                                                         {closes_tx, NULL}},
                                             .end = cast_end};

    both_kinds(&program);
}

static bool is_cancelled;

static void
cancels_time_out(void *argument)
{
    NTSTATUS status;

    if (argument) /* first to another, which does not come either */
        (void)!engine_tx_set(cast.acts[0].tx, 0, -100000000, NULL, 0);
    status = engine_tx_set(cast.acts[0].tx, 0, 0, NULL, 0);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_ROLLBACK_TIMER_EXPIRED);
    cast_look(&cast.acts[0]);
    is_cancelled = !cast.acts[0].was_aborted;
}

static void
end_cancelled(void)
{
    cast_look(&cast.acts[0]);
    EXPECT(!is_cancelled || !cast.acts[0].was_aborted); /* who cancelled it in time is safe */
    EXPECT(NT_SUCCESS(cast_rollback(&cast.acts[0], true)));
    cast_end();
}

TEST(a_time_out_is_cancelled_in_time_or_too_late) /* ROLL-TMO-06 TX-SET-03 */
{
    static struct explore_program program = {
        .begin = begin_timed,
        .threads = {{time_passes_by, NULL}, {cancels_time_out, &cast}},
        .end = end_cancelled};

    both_kinds(&program);
}

/* ---- a pointer to a TM that is being closed ---- */

static void
opens_by_pointer(void *argument)
{
    struct engine_tx_options options = {.tm = cast.tm};
    struct object *tx = NULL;
    NTSTATUS status = engine_handle_open(cast.tm);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
    if (status != STATUS_SUCCESS)
        return;
    EXPECT_OK(engine_tx_create(cast.engine, &options, &tx)); /* it lives as long as the handle */
    engine_handle_close(tx);
    engine_handle_close(cast.tm);
}

TEST(a_tm_is_opened_by_its_pointer_while_it_is_closed) /* TMR-05 CLOSE-TM-03 */
{
    static struct explore_program program = {
        .begin = begin_closing,
        .threads = {{closes_tm, NULL}, {opens_by_pointer, NULL}, {opens_by_pointer, NULL}},
        .end = cast_end};

    both_kinds(&program);
}

/* ---- a single phase ---- */

static void
begin_single(void)
{
    cast_begin(is_volatile);
    cast_rm(0);
    cast_rm(1);
    cast_enlist(cast_act(0, 0), &cast.rms[0], CAST_SINGLE);
    cast.acts[0].parts[0].rejects = explore_draw(2);
}

static void
enlists_late(void *argument)
{
    struct part *part;
    NTSTATUS status = cast_try_enlist(&cast.acts[0], &cast.rms[1], CAST_TWO, &part);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_ALREADY_COMMITTED);
}

TEST(a_late_enlistment_against_a_single_phase) /* PT-03 ENL-CREATE-05 INV-02 */
{
    static struct explore_program program = {
        .begin = begin_single,
        .threads = {{commits, &cast}, {enlists_late, NULL}, {rolls_back, NULL}},
        .end = cast_end};

    both_kinds(&program);
}
