/* SPDX-License-Identifier: MIT */
/* Resource managers come back: what they are asked, in which order, what they are told then. */
#include "tests/core/play.h"

TEST(nothing_to_recover_is_said_too) /* RM-RECOVER-03 RECOV-22, -32 */
{
    owned(play_destroy) struct play *p = play_create(false);

    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "open A; recover A"));
    EXPECT(p->has_queued); /* RM-RECOVER-04 */
    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "recover A"));
}

TEST(a_volatile_rm_may_recover_too) /* RM-RECOVER-10 VOL-03 */
{
    owned(play_destroy) struct play *p = play_create(true);

    play_ok(p, "enlist a cr; commit; close A; open A");
    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "recover A")); /* and is never asked to */
}

TEST(an_rm_that_failed_while_the_tm_stayed) /* RECOV-20, -29 RM-RECOVER-01, -09 PE-14 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p,
            "enlist a cr by R; begin u; enlist b full by R in u; begin v; enlist c cr by R in v; "
            "commit t; commit v; committed c; close R; open R");
    EXPECT_TEXT("RECOVER a; LAST_RECOVER", play_ok(p, "recover R"));
    EXPECT_TEXT("a COMMIT", play_ok(p, "recover a"));
    EXPECT_TEXT("append FORGET", play_ok(p, "committed a"));
}

TEST(what_is_alive_is_not_mentioned) /* RM-RECOVER-09 RECOV-20 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a full; begin u; enlist b cr by A in u; commit u");
    EXPECT_TEXT("LAST_RECOVER", play_ok(p, "recover A"));
}

TEST(asked_again_until_recovered) /* RM-RECOVER-11 ENL-RECOVER-10 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; enlist b cr by A; commit; crash; open A");
    EXPECT_TEXT("RECOVER a; RECOVER b; LAST_RECOVER", play_ok(p, "recover A"));
    EXPECT_TEXT("RECOVER a; RECOVER b; LAST_RECOVER", play_ok(p, "recover A"));
    EXPECT_TEXT("b COMMIT", play_ok(p, "recover b"));
    EXPECT_TEXT("RECOVER a; LAST_RECOVER", play_ok(p, "recover A"));
    play(p, "recover b");
    EXPECT_STATUS(STATUS_TRANSACTION_REQUEST_NOT_VALID, p->status);
}

TEST(in_the_order_of_the_log_then_of_enlistment) /* RECOV-22, -23 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "begin u; begin v; enlist a cr by R; enlist b cr by R in u; enlist c cr by R; "
               "enlist d cr by R in v; enlist e cr by R in u; commit v; commit u; commit t; crash; "
               "open R");
    EXPECT_TEXT("RECOVER d; RECOVER b; RECOVER e; RECOVER a; RECOVER c; LAST_RECOVER",
                play_ok(p, "recover R"));
}

TEST(in_the_order_of_the_log_also_without_a_restart) /* RECOV-23 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "begin u; begin v; enlist a cr by R; enlist b cr by R in u; enlist c cr by R; "
               "enlist d cr by R in v; enlist e cr by R in u; commit v; commit u; commit t; "
               "close R; open R");
    EXPECT_TEXT("RECOVER d; RECOVER b; RECOVER e; RECOVER a; RECOVER c; LAST_RECOVER",
                play_ok(p, "recover R"));
}

TEST(outcomes_after_recovery) /* RECOV-24..28 ENL-RECOVER-01, -02, -11 ENL-CC-06 INV-14 */
{
#define SUP_PREPARED                                                                               \
    "enlist s sup superior; enlist a full+indoubt; prepare s; preprepared a; prepared a"
    static const struct {
        const char *script, *told, *then, *told_then;
    } cases[] = {
        {"enlist a cr; commit; crash", "a COMMIT", "committed a", "append FORGET"},
        {"enlist a cr; commit; committed a; crash", "a COMMIT", "committed a", "append FORGET"},
        {SUP_PREPARED "; decide s; crash", "a COMMIT", "committed a", "append FORGET"},
        {SUP_PREPARED "; crash", "a INDOUBT", "open S; recover S; decide s",
         "force COMMIT; a COMMIT"},
        {SUP_PREPARED "; crash", "a INDOUBT", "open S; recover S; veto s",
         "append ABORT; a ROLLBACK"},
        {SUP_PREPARED "; close A; veto s", "a ROLLBACK", "rolledback a", "s ROLLBACK_COMPLETE"},
    };

    EACH (it, cases) {
        owned(play_destroy) struct play *p = play_create(false);

        play_ok(p, it->script);
        EXPECT_TEXT("RECOVER a; LAST_RECOVER", play_ok(p, "open A; recover A"));
        EXPECT_TEXT(it->told, play_ok(p, "recover a"));
        EXPECT_TEXT(it->told_then, play_ok(p, it->then));
    }
}

TEST(in_doubt_is_told_as_often_as_asked) /* ENL-RECOVER-10, -12 */
{
    owned(play_destroy) struct play *p = play_create(false);
    owned(play_destroy) struct play *other = play_create(false);

    play_ok(p, SUP_PREPARED "; crash; open A; recover A");
    for (int i = 0; i < 10; i++) /* also beyond what was reserved at enlistment */
        EXPECT_TEXT("a INDOUBT", play_ok(p, "recover a"));
    EXPECT_TEXT("force COMMIT; a COMMIT", play_ok(p, "open S; recover S; decide s"));
    play_ok(other, "enlist s sup superior; enlist a full; prepare s; preprepared a; prepared a; "
                   "crash; open A; recover A");
    EXPECT_TEXT("", play_ok(other, "recover a")); /* does not ask for INDOUBT */
    EXPECT_TEXT("INDOUBT", play_enlistment_state(other, 'a'));
}

TEST(questions_are_not_filtered) /* MASK-15 RM-RECOVER-02, -13 OP-28 */
{
    owned(play_destroy) struct play *p = play_create(false);

    /* neither mask has RECOVER, RECOVER_QUERY or LAST_RECOVER in it */
    play_ok(p, SUP_PREPARED "; crash");
    EXPECT_TEXT("RECOVER a; LAST_RECOVER", play_ok(p, "open A; recover A"));
    EXPECT_TEXT("RECOVER_QUERY s; LAST_RECOVER", play_ok(p, "open S; recover S"));
}

TEST(by_callback_too) /* RM-RECOVER-04 NOTIF-02 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; commit; crash; open A; callbacks A");
    EXPECT_TEXT("RECOVER; LAST_RECOVER", play_ok(p, "recover A"));
    EXPECT(!p->has_queued);
    EXPECT_TEXT("a COMMIT", play_ok(p, "recover a"));
}

TEST(only_an_online_tm_recovers_rms) /* RM-RECOVER-05 TM-STATE-01 */
{
    static const enum ktm_state states[] = {KTM_INITIALIZED, KTM_RECOVERING, KTM_RECOVERY_FAILED,
                                            KTM_OFFLINE};
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "open A");
    EACH (state, states) {
        p->ktm.state = *state;
        EXPECT_TEXT("", play(p, "recover A"));
        EXPECT_STATUS(STATUS_TRANSACTIONMANAGER_NOT_ONLINE, p->status);
        EXPECT(!play_rm(p, 'A')->is_online);
    }
}

TEST(new_work_meanwhile) /* RECOV-30 RM-RECOVER-12 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; commit; crash; open A; recover A; begin u");
    play_ok(p, "enlist b cr by A in u");
    EXPECT_TEXT("clock 3; force COMMIT; b COMMIT", play_ok(p, "commit u"));
    EXPECT_TEXT("a COMMIT", play_ok(p, "recover a"));
}

TEST(the_clock_after_a_crash) /* CLOCK-09, -10 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, "enlist a cr; enlist b full; commit; preprepared b clock 30; prepared b clock 40");
    EXPECT_EQ(40, p->ktm.clock);
    play_ok(p, "committed b clock 90"); /* in no record */
    EXPECT_EQ(90, p->ktm.clock);
    play_ok(p, "crash");
    EXPECT_EQ(40, p->ktm.clock);
}
