/* SPDX-License-Identifier: MIT */
/* Transactions that a superior drives, while the superior, its resource manager or a participant is
 * closed, while the client rolls back, and after a crash at any moment. */
#include "tests/explore/cast.h"

enum { SUPERIOR = 2 };

static void
begin(void)
{
    struct act *act;

    cast_begin(false);
    for (unsigned i = 0; i < 3; i++)
        cast_rm(i);
    act = cast_act(0, 0);
    cast_enlist(act, &cast.rms[0], CAST_FULL);
    cast_enlist(act, &cast.rms[1], CAST_TWO);
    cast_superior(act, &cast.rms[2]);
    cast_crash_somewhere();
}

static void
begin_closing(void)
{
    begin();
    cast.rms_may_close = true;
}

static NTSTATUS
asks(struct part *superior, int event)
{
    NTSTATUS status = engine_en_request(superior->en, event, NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_NOT_ACTIVE,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_ALREADY_ABORTED,
                  STATUS_TRANSACTION_NOT_REQUESTED, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    return status;
}

/* Three steps, of which the callbacks of the others bring each to its end. */
static void
drives(void *argument)
{
    struct act *act = &cast.acts[0];
    struct part *superior = &act->parts[SUPERIOR];

    (void)argument;
    if (explore_draw(2))
        (void)asks(superior, KTM_EN_PREPREPARE);
    if (!NT_SUCCESS(asks(superior, KTM_EN_PREPARE)) || superior->memory != MEMORY_PREPARED)
        return; /* rolled back, or in the hands of somebody who is not done */
    explore_point("decides");
    if (superior->memory != MEMORY_PREPARED)
        return;
    if (explore_draw(4) == 0) {
        superior->memory = MEMORY_ABORTED;
        (void)asks(superior, KTM_EN_ROLLBACK);
        return;
    }
    superior->memory = MEMORY_COMMITTED;
    if (NT_SUCCESS(asks(superior, KTM_EN_COMMIT)) && !cast.rms_may_close)
        cast_look(act);
}

static void
waits_or_not(void *argument)
{
    (void)argument;
    cast_look(&cast.acts[0]);
    EXPECT_ONE_OF(engine_wait(cast.acts[0].tx, sys_now() + 1000000), STATUS_SUCCESS, STATUS_TIMEOUT,
                  STATUS_TRANSACTION_OBJECT_EXPIRED);
    cast_look(&cast.acts[0]);
}

static void
rolls_back(void *argument)
{
    NTSTATUS status = cast_rollback(&cast.acts[0], argument != NULL);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_ALREADY_COMMITTED,
                  STATUS_TRANSACTION_REQUEST_NOT_VALID, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
closes_part(void *argument)
{
    cast_part_close(&cast.acts[0].parts[argument ? SUPERIOR : 0]);
}

static void
closes_rm(void *argument)
{
    cast_rm_close(&cast.rms[argument ? 2 : 0]);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

/* Whatever the superior was doing, it comes back and says what it has decided. */
static void
end_settled(void)
{
    struct part *superior = &cast.acts[0].parts[SUPERIOR];

    if (!cast.has_tm) {
        cast_end();
        return;
    }
    if (superior->memory == MEMORY_PREPARED && superior->has_handle && cast.rms[2].has_handle) {
        superior->memory = MEMORY_ABORTED;
        (void)asks(superior, KTM_EN_ROLLBACK);
    }
    cast_end();
}

TEST(a_superior_drives_and_others_watch) /* ENL-PE-07 ENL-CE-08 INV-04 INV-11 LIVE-02 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{drives, NULL}, {waits_or_not, NULL}, {waits_or_not, NULL}},
        .end = end_settled};

    explore(&program);
}

TEST(a_superior_drives_and_the_client_rolls_back) /* TX-ROLLBACK-07 TX-ROLLBACK-09 INV-01 INV-11 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{drives, NULL}, {rolls_back, NULL}, {waits_or_not, NULL}},
        .end = end_settled};

    explore(&program);
}

TEST(a_superior_drives_and_is_closed) /* CLOSE-EN-08 CLOSE-EN-09 CLOSE-EN-10 INV-01 INV-11 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{drives, NULL}, {closes_part, &cast}, {closes_part, NULL}},
        .end = end_settled};

    explore(&program);
}

TEST(a_superior_drives_and_managers_are_closed) /* CLOSE-RM-01 CLOSE-TM-01 INV-01 INV-11 */
{
    static const struct explore_program program = {
        .begin = begin_closing,
        .threads = {{drives, NULL}, {closes_rm, NULL}, {closes_rm, &cast}, {closes_tm, NULL}},
        .end = end_settled};

    explore(&program);
}
