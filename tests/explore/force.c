/* SPDX-License-Identifier: MIT */
/* Group commit: many transactions, few forces, and forces that fail. Whatever the clients were told
 * is true after a crash at any moment. */
#include "tests/explore/cast.h"

static bool syncs_fail;
static const unsigned rms_of_act = 2;

static void
begin(void)
{
    cast_begin(false);
    for (unsigned i = 0; i < rms_of_act; i++)
        cast_rm(i);
    for (unsigned i = 0; i < CAST_ACTS; i++)
        for (unsigned n = 0; n < rms_of_act; n++)
            cast_enlist(n ? &cast.acts[i] : cast_act(i, 0), &cast.rms[n], CAST_TWO);
    if (syncs_fail) {
        cast.log_may_fail = true;
        sys_sim_fail_sync(cast.sim, NULL, 1 + explore_draw(4));
    }
    cast_crash_somewhere();
}

static void
commits(void *act)
{
    NTSTATUS status = cast_commit(act, true);

    if (!cast.log_may_fail) {
        EXPECT_OK(status); /* LIVE-01 SIG-05 */
        return;
    }
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE, STATUS_LOG_CONTAINER_WRITE_FAILED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_LOG_STATE_INVALID);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

TEST(clients_that_share_forces) /* LOG-02 INV-04 INV-14 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {commits, &cast.acts[2]},
                                                               {commits, &cast.acts[3]}},
                                                   .end = cast_end};

    syncs_fail = false;
    explore(&program);
}

TEST(clients_that_share_forces_that_fail) /* LOG-11 LOG-12 LOG-13 INV-01 INV-04 INV-05 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{commits, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {commits, &cast.acts[2]},
                                                               {commits, &cast.acts[3]}},
                                                   .end = cast_end};

    syncs_fail = true;
    explore(&program);
}

TEST(forces_that_fail_while_the_tm_is_closed) /* LOG-13 CLOSE-TM-01 CLOSE-TM-02 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin,
        .threads = {{commits, &cast.acts[0]}, {commits, &cast.acts[1]}, {closes_tm, NULL}},
        .end = cast_end};

    syncs_fail = true;
    explore(&program);
}

/* ---- checkpoints among commits ---- */

/* A few kilobytes each, in a log that must be tidied up often. */
static void
set_information(struct part *part)
{
    static uint8_t bytes[30000];
    NTSTATUS status = engine_en_set_recovery_info(part->en, bytes_of(bytes, sizeof(bytes)));

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

static void
begin_large(void)
{
    begin();
    AS_TM(cast.tm)->checkpoint_lsn = 0; /* as if the last were long ago */
}

static void
commits_large(void *argument)
{
    struct act *act = argument;

    set_information(&act->parts[0]);
    set_information(&act->parts[1]);
    commits(act);
}

static void
checkpoints(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++) {
        sys_mutex_lock(&AS_TM(cast.tm)->mutex);
        if (AS_TM(cast.tm)->is_frozen || AS_TM(cast.tm)->core.state != KTM_ONLINE) {
            sys_mutex_unlock(&AS_TM(cast.tm)->mutex);
            continue;
        }
        tm_log_enter(AS_TM(cast.tm));
        sys_mutex_unlock(&AS_TM(cast.tm)->mutex);
        EXPECT_OK(tm_log_checkpoint(AS_TM(cast.tm)));
        tm_log_leave(AS_TM(cast.tm));
    }
}

TEST(checkpoints_among_commits) /* LOG-08 LOG-09 INV-04 INV-14 */
{
    static const struct explore_program program = {.begin = begin_large,
                                                   .threads = {{commits_large, &cast.acts[0]},
                                                               {checkpoints, NULL},
                                                               {commits_large, &cast.acts[1]},
                                                               {checkpoints, NULL}},
                                                   .end = cast_end};

    syncs_fail = false;
    explore(&program);
}

/* ---- a snapshot ---- */

static void
freezes_and_thaws(void *argument)
{
    NTSTATUS status = engine_freeze(cast.engine, 10000000, 10000000);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_TRANSACTION_FREEZE_IN_PROGRESS);
    explore_point("is frozen");
    if (status == STATUS_SUCCESS)
        (void)engine_thaw(cast.engine);
}

static bool has_frozen;

static void
freezes_only(void *argument)
{
    (void)argument;
    (void)engine_freeze(cast.engine, 10000000, 10000000);
    has_frozen = true;
}

static void
begin_freeze(void)
{
    has_frozen = false;
    begin();
}

/* Time passes, so that a freeze that nobody ends comes to its end. */
static void
time_passes_by(void *argument)
{
    (void)argument;
    while (!has_frozen)
        explore_pause("waits for the freeze");
    for (int i = 0; i < 3; i++) {
        sys_sim_advance(cast.sim, 600000000);
        engine_run_timers(cast.engine);
    }
}

static void
rolls_back(void *act)
{
    (void)cast_rollback(act, true);
}

static void
commits_or_not(void *act)
{
    NTSTATUS status = cast_commit(act, true);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_OBJECT_EXPIRED, STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

TEST(commits_and_rollbacks_while_all_is_frozen_and_thawed) /* FRZ-01..04 TX-COMMIT-22 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{commits_or_not, &cast.acts[0]},
                                                               {commits, &cast.acts[1]},
                                                               {freezes_and_thaws, NULL},
                                                               {rolls_back, &cast.acts[0]}},
                                                   .end = cast_end};

    syncs_fail = false;
    explore(&program);
}

static void
thaws_at_last(void)
{
    (void)engine_thaw(cast.engine); /* a rollback of the last has thawed nothing */
    cast_end();
}

TEST(a_freeze_that_nobody_ends) /* FRZ-02 FRZ-06 INV-15 */
{
    static const struct explore_program program = {
        .begin = begin_freeze,
        .threads = {{commits, &cast.acts[0]}, {freezes_only, NULL}, {time_passes_by, NULL}},
        .end = thaws_at_last};

    syncs_fail = false;
    explore(&program);
}

TEST(the_tm_is_closed_while_all_is_frozen) /* FRZ-03 CLOSE-TM-01 INV-15 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{commits_or_not, &cast.acts[0]},
                                                               {freezes_and_thaws, NULL},
                                                               {closes_tm, NULL},
                                                               {commits_or_not, &cast.acts[1]}},
                                                   .end = cast_end};

    syncs_fail = false;
    explore(&program);
}
