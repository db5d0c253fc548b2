/* SPDX-License-Identifier: MIT */
/* ktm tx show: what is known of one transaction, from the manager, the log and the history. */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/guid.h"
#include "cli/history.h"

TEST(an_unfinished_transaction_is_told_with_who_takes_part)
{
    struct left left;
    struct ran ran;
    char guid[GUID_TEXT_SIZE];

    leave(&left, 1, 1);
    guid_print(&left.guids[1], guid);
    for (int look = 0; look < 2; look++) {
        run_verb(&ran, &verb_tx, "show", "--home", left.home, guid, NULL);
        EXPECT_EQ(0, ran.code);
        EXPECT_SAYS(ran.out, guid);
        EXPECT_SAYS(ran.out, "state        committed, not finished");
        EXPECT_SAYS(ran.out, "next         'ktm recover' finishes it");
        EXPECT_SAYS(ran.out, "of resource manager 00000007-0000-0000-0000-000000000000");
        EXPECT_SAYS(ran.out, "COMMIT, clock");
    }
    run_verb(&ran, &verb_tx, "show", "--home", left.home, "--json", guid, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"unfinished\":true");
}

TEST(a_finished_transaction_is_known_from_the_log)
{
    struct left left;
    struct ran ran;
    char guid[GUID_TEXT_SIZE];

    leave(&left, 2, 1);
    guid_print(&left.guids[0], guid);
    for (int look = 0; look < 2; look++) { /* looking does not drop the records */
        run_verb(&ran, &verb_tx, "show", "--home", left.home, guid, NULL);
        EXPECT_EQ(0, ran.code);
        EXPECT_SAYS(ran.out, "state        committed, finished");
        EXPECT_SAYS(ran.out, "FORGET");
    }
}

TEST(the_history_tells_what_the_log_has_dropped)
{
    struct left left;
    struct ran ran;
    GUID guid = {.Data1 = 0x12345678};

    leave(&left, 1, 0);
    history_add(left.home, &guid, "begun", "release.json", NULL, 5);
    history_add(left.home, &guid, "rolled back", NULL, "step 3 (put): no \x1b[31mspace", 0);
    run_verb(&ran, &verb_tx, "show", "--home", left.home, "{12345678-0000-0000-0000-000000000000}",
             NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "state        rolled back");
    EXPECT_SAYS(ran.out, "reason       step 3 (put): no ");
    EXPECT(!strchr(ran.out, '\x1b'));
    EXPECT_SAYS(ran.out, "begun 'release.json'");
    run_verb(&ran, &verb_tx, "show", "--json", "--home", left.home,
             "12345678-0000-0000-0000-000000000000", NULL);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"state\":\"rolled back\"");
}

TEST(what_is_not_known_is_said_not_to_be)
{
    struct left left;
    struct ran ran;

    leave(&left, 1, 0);
    run_verb(&ran, &verb_tx, "show", "--home", left.home, "00000000-0000-0000-0000-000000000001",
             NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, "is not known");
    run_verb(&ran, &verb_tx, "show", "--json", "--home", left.home,
             "00000000-0000-0000-0000-000000000001", NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"known\":false");
}

TEST(wrong_use_of_tx_is_refused)
{
    static const char *const cases[][3] = {
        {NULL}, {"show"}, {"hide", "x"}, {"show", "x"}, {"show", "a", "b"}};

    EACH (it, cases) {
        struct ran ran;

        run_verb(&ran, &verb_tx, (*it)[0], (*it)[1], (*it)[2], NULL);
        EXPECT_EQ(EXIT_USAGE, ran.code);
        EXPECT_SAYS(ran.err, "ktm tx: ");
    }
}
