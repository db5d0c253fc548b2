/* SPDX-License-Identifier: MIT */
/* Places where the tables meet: what is lost under a superior, superiors that leave, clocks at
 * their end. */
#include "tests/core/play.h"

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
