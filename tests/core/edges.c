/* SPDX-License-Identifier: MIT */
/* Places where the tables meet: what is lost under a superior, superiors that leave, clocks at
 * their end. */
#include "tests/core/play.h"

/* s is the superior, a votes, b only flushes before the commit; all have promised. */
#define FLUSHER_PREPARED                                                                           \
    "enlist s sup superior; enlist a 2pc; enlist b pr; preprepare s; preprepared b; prepare s; "   \
    "prepared a"

TEST(who_is_lost_and_does_not_ask_for_commit_is_finished_by_it) /* MASK-14 CLOSE-EN-05 PT-41 */
{
    static const char *const lost[] = {"close b", "close B", "close b; close B; open B; recover B"};

    EACH (how, lost) {
        owned(play_destroy) struct play *p = play_create(false);
        char script[512];

        snprintf(script, sizeof(script), FLUSHER_PREPARED "; %s; decide s; committed a", *how);
        EXPECT_TEXT("append FORGET; s COMMIT_COMPLETE", play_ok(p, script));
        EXPECT_TEXT("Forgotten committed signalled", play_state(p, 't'));
    }
}

TEST(who_is_lost_and_does_not_ask_for_commit_hears_of_an_abort) /* PT-48 */
{
    owned(play_destroy) struct play *p = play_create(false);

    play_ok(p, FLUSHER_PREPARED "; close b; veto s; open B; recover B");
    EXPECT_TEXT("b ROLLBACK", play_ok(p, "recover b"));
}

/* Finished: nothing keeps the transaction any more once its handles are closed. */
TEST(a_superior_that_does_not_come_back_is_not_waited_for) /* PE-13 PE-19 CLOSE-EN-10 */
{
    static const struct {
        const char *mask, *kind, *end, *state;
    } rows[] = {
        {"r", "", "veto s; close s; rolledback a", "FINISHED"},
        {"sup", "volatile", "veto s; close s; rolledback a", "FINISHED"},
        {"sup", "", "veto s; close s; rolledback a", "OFFLINE"},
        {"r+cc", "volatile", "decide s; prepared a; close s; committed a", "FINISHED"},
        {"r+cc", "", "decide s; prepared a; close s; committed a", "OFFLINE"},
    };

    EACH (row, rows) {
        owned(play_destroy) struct play *p = play_create(*row->kind != 0);
        char script[512];

        snprintf(script, sizeof(script), "enlist s %s superior %s; enlist a 2pc %s; %s", row->mask,
                 row->kind, row->kind, row->end);
        play_ok(p, script);
        EXPECT_TEXT(row->state, play_enlistment_state(p, 's'));
        EXPECT_EQ(TX_FORGOTTEN, play_tx(p, 't')->state);
    }
}

TEST(the_clock_stops_at_its_end) /* CLOCK-02 CLOCK-10 INV-12 */
{
    static const char *const masks[] = {"full", "full+spc"};

    EACH (mask, masks) {
        owned(play_destroy) struct play *p = play_create(false);
        char script[256];

        snprintf(script, sizeof(script),
                 "enlist a full; enlist b %s; readonly a clock 9223372036854775807; commit", *mask);
        play_ok(p, script);
        EXPECT_EQ(INT64_MAX, p->ktm.clock);
        play_ok(p, "begin u; commit u");
        EXPECT_EQ(INT64_MAX, p->ktm.clock);
    }
}
