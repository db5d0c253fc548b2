/* SPDX-License-Identifier: MIT */
/*
 * Recovery, and those who do not wait for its end: answers that come while RECOVER is still being
 * sent, closes, queries, a second recovery. No iterator may survive an unlock (the class of
 * CVE-2018-8611), and whatever happens the next recovery finishes all.
 */
#include "tests/explore/cast.h"

enum { ACTS = 3 };

/* COMMIT is heard, and nothing is done about it. */
static bool
ignores_commit(struct part *part, struct object *en, uint32_t what)
{
    (void)part, (void)en;
    return what == TRANSACTION_NOTIFY_COMMIT;
}

/* A log with transactions that are committed, and of which two resource managers must yet hear. */
static void
begin_with_unresolved(void)
{
    cast_begin(false);
    for (unsigned i = 0; i < 2; i++)
        cast_rm(i)->meddle = ignores_commit;
    for (unsigned i = 0; i < ACTS; i++) {
        struct act *act = cast_act(i, 0);

        cast_enlist(act, &cast.rms[i % 2], CAST_TWO);
        cast_enlist(act, &cast.rms[1 - i % 2], CAST_TWO);
        EXPECT(NT_SUCCESS(cast_commit(act, false)));
        act->was_committed = true;
    }
    cast_restart();
    cast.rms_may_close = true;
}

/* A new process recovers all that is left; then everybody has committed. */
static void
end_recovered(void)
{
    unsigned told = cast.rms[0].last_recovers;

    for (unsigned i = 0; i < 2; i++)
        if (cast.rms[i].has_handle)
            cast_rm_close(&cast.rms[i]);
    if (!cast.has_tm) {
        engine_release(cast.tm);
        EXPECT_OK(engine_tm_open_log(cast.engine, "/tm", NULL, 0, &cast.tm));
        engine_hold(cast.tm);
        cast.has_tm = true;
    }
    EXPECT_OK(engine_tm_recover(cast.tm, NULL));
    cast.rms_may_close = false;
    for (unsigned i = 0; i < 2; i++)
        cast_rm(i);
    EXPECT_EQ(told + 1, cast.rms[0].last_recovers); /* RECOV-22 */
    for (unsigned i = 0; i < ACTS; i++)
        for (unsigned n = 0; n < 2; n++)
            EXPECT_EQ(MEMORY_COMMITTED, cast.acts[i].parts[n].memory); /* INV-14 */
    cast_end();
}

/* ---- of resource managers ---- */

static void
begin_rms(void)
{
    begin_with_unresolved();
    EXPECT_OK(engine_tm_recover(cast.tm, NULL));
    for (unsigned i = 0; i < 2; i++)
        cast_rm_unrecovered(i);
    cast_crash_somewhere();
}

static void
recovers_rm(void *argument)
{
    NTSTATUS status = engine_rm_recover(cast.rms[argument ? 1 : 0].rm);

    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_PENDING, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
}

static void
closes_rm(void *argument)
{
    cast_rm_close(&cast.rms[argument ? 1 : 0]);
}

static void
counts(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static void
looks_around(void *argument)
{
    unsigned rms = 0, txs = 0, ens = 0;
    NTSTATUS status;

    (void)argument;
    EXPECT_OK(engine_enumerate(cast.engine, cast.tm, OBJECT_RM, counts, &rms));
    EXPECT_OK(engine_enumerate(cast.engine, cast.tm, OBJECT_TX, counts, &txs));
    status = engine_enumerate(cast.engine, cast.rms[0].rm, OBJECT_EN, counts, &ens);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
    EXPECT(rms <= 2 && txs <= ACTS && ens <= ACTS);
    for (unsigned i = 0; i < ACTS; i++) {
        struct object *tx;

        if (engine_tx_open(cast.engine, &cast.acts[i].uow, NULL, &tx) != STATUS_SUCCESS)
            continue;
        (void)!engine_tx_enlistments(tx, NULL, 0, &(size_t){0});
        (void)engine_wait(tx, 0);
        engine_handle_close(tx);
    }
}

TEST(recovery_against_the_answers_of_another_recovery) /* RM-RECOVER-01 RECOV-20 RECOV-22 INV-14 */
{
    static const struct explore_program program = {
        .begin = begin_rms,
        .threads = {{recovers_rm, NULL}, {recovers_rm, NULL}, {recovers_rm, &cast}},
        .end = end_recovered};

    explore(&program);
}

TEST(recovery_against_close_and_query) /* CLOSE-RM-01 CLOSE-RM-04 RECOV-29 INV-14 */
{
    static const struct explore_program program = {.begin = begin_rms,
                                                   .threads = {{recovers_rm, NULL},
                                                               {recovers_rm, &cast},
                                                               {closes_rm, NULL},
                                                               {looks_around, NULL}},
                                                   .end = end_recovered};

    explore(&program);
}

/* Enlistments that are opened, recovered, answered and closed by hand. */
static void
works_on_enlistments(void *argument)
{
    for (unsigned i = 0; i < ACTS; i++) {
        struct part *part = &cast.acts[i].parts[argument ? 1 - i % 2 : i % 2];
        struct object *en;

        if (engine_en_open(cast.rms[0].rm, &part->guid, &en) != STATUS_SUCCESS)
            continue;
        part->is_asked_again = true;
        (void)engine_en_recover(en, part);
        (void)engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL);
        engine_handle_close(en);
    }
}

static void
end_worked(void)
{
    for (unsigned i = 0; i < ACTS; i++) /* who answered by hand may have done it unheard */
        for (unsigned n = 0; n < 2; n++)
            if (cast.acts[i].parts[n].memory == MEMORY_PREPARED)
                cast.acts[i].parts[n].memory = MEMORY_COMMITTED;
    end_recovered();
}

static void
begin_rms_unjudged(void)
{
    begin_with_unresolved();
    EXPECT_OK(engine_tm_recover(cast.tm, NULL));
    for (unsigned i = 0; i < 2; i++)
        cast_rm_unrecovered(i);
}

TEST(recovery_against_completion_by_others) /* ENL-RECOVER-01 ENL-CC-06 RECOV-27 */
{
    static const struct explore_program program = {.begin = begin_rms_unjudged,
                                                   .threads = {{recovers_rm, NULL},
                                                               {works_on_enlistments, NULL},
                                                               {works_on_enlistments, NULL},
                                                               {closes_rm, NULL}},
                                                   .end = end_worked};

    explore(&program);
}

/* ---- of the transaction manager ---- */

static void
recovers_tm(void *argument)
{
    NTSTATUS status = engine_tm_recover(cast.tm, NULL);

    (void)argument;
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED);
}

static void
closes_tm(void *argument)
{
    (void)argument;
    cast_tm_close();
}

static void
asks_for_objects(void *argument)
{
    struct engine_tx_options options = {.tm = cast.tm};
    struct engine_tm_info info;
    struct object *made;
    NTSTATUS status;

    (void)argument;
    engine_tm_query(cast.tm, &info);
    status = engine_tx_create(cast.engine, &options, &made);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    if (status == STATUS_SUCCESS)
        engine_handle_close(made);
    status = cast_try_rm(1, &made);
    EXPECT_ONE_OF(status, STATUS_SUCCESS, STATUS_TRANSACTION_OBJECT_EXPIRED,
                  STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    if (status == STATUS_SUCCESS) {
        (void)engine_rm_recover(made);
        engine_handle_close(made);
    }
    for (unsigned i = 0; i < ACTS; i++)
        if (engine_tx_open(cast.engine, &cast.acts[i].uow, NULL, &made) == STATUS_SUCCESS)
            engine_handle_close(made);
}

static void
begin_tm(void)
{
    begin_with_unresolved();
    cast_crash_somewhere();
}

TEST(recovery_of_the_tm_against_close_and_query) /* TM-RECOVER-01 TM-RECOVER-07 TM-STATE-01 */
{
    static const struct explore_program program = {.begin = begin_tm,
                                                   .threads = {{recovers_tm, NULL},
                                                               {recovers_tm, NULL},
                                                               {asks_for_objects, NULL},
                                                               {closes_tm, NULL}},
                                                   .end = end_recovered};

    explore(&program);
}

static void
opens_and_closes_the_log(void *argument)
{
    struct object *tm = NULL;
    NTSTATUS status = engine_tm_open_log(cast.engine, "/tm", NULL, 0, &tm);

    (void)argument;
    if (status == STATUS_OBJECT_NAME_COLLISION)
        return;        /* it is just being shut down */
    EXPECT_OK(status); /* the one that is there, or a new one when that has gone */
    status = engine_tm_recover(tm, NULL);
    EXPECT_OK(status);
    engine_handle_close(tm);
}

TEST(one_log_is_opened_recovered_and_closed_by_many) /* TM-OPEN-07 CLOSE-TM-04 TM-CREATE-11 */
{
    static const struct explore_program program = {.begin = begin_tm,
                                                   .threads = {{opens_and_closes_the_log, NULL},
                                                               {opens_and_closes_the_log, NULL},
                                                               {closes_tm, NULL}},
                                                   .end = end_recovered};

    explore(&program);
}

static GUID identity_before;
static NTSTATUS renamed;

static void
begin_rename(void)
{
    struct engine_tm_info info;

    begin_tm();
    EXPECT_OK(engine_tm_recover(cast.tm, NULL));
    engine_tm_query(cast.tm, &info);
    identity_before = info.identity;
}

static void
renames(void *argument)
{
    (void)argument;
    renamed = engine_tm_rename(cast.engine, "/tm", &identity_before);
    EXPECT_ONE_OF(renamed, STATUS_SUCCESS, STATUS_OBJECT_NAME_COLLISION); /* TM-RENAME-04 */
}

/* What a rename has said stands, whatever the one who closed the log wrote last. */
static void
end_renamed(void)
{
    struct engine_tm_info info;

    engine_release(cast.tm);
    EXPECT_OK(engine_tm_open_log(cast.engine, "/tm", NULL, 0, &cast.tm));
    engine_hold(cast.tm);
    cast.has_tm = true;
    engine_tm_query(cast.tm, &info);
    EXPECT_EQ(renamed == STATUS_SUCCESS, !guid_equal(&identity_before, &info.identity));
    end_recovered();
}

TEST(a_log_is_renamed_while_its_tm_is_closed) /* TM-RENAME-01 TM-RENAME-04 TM-RENAME-07 */
{
    static const struct explore_program program = {
        .begin = begin_rename, .threads = {{renames, NULL}, {closes_tm, NULL}}, .end = end_renamed};

    explore(&program);
}
