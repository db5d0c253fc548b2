/* SPDX-License-Identifier: MIT */
/* ktm clock: the clock recovery will find, and where a rollforward can stop. */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <sys/stat.h>

#include "cli/replay.h"

TEST(each_commit_is_a_place_to_stop_at) /* CLOCK-02 CLOCK-03 CLOCK-09 TM-ROLLFWD-03 */
{
    struct left left;
    struct ran ran;

    leave(&left, 3, 1);
    run_verb(&ran, &verb_clock, "--home", left.home, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_TEXT("", ran.err);
    EXPECT_SAYS(ran.out, "clock 5, last record ");
    EXPECT_SAYS(ran.out, ", clock 1; recovery reads from ");
    for (int clock = 2; clock <= 4; clock++) { /* COMMIT and FORGET */
        char line[64];

        snprintf(line, sizeof(line), "\n%12d  %7d  ", clock, 2);
        EXPECT_SAYS(ran.out, line);
    }
    EXPECT_SAYS(ran.out, "\n           5        1  "); /* only COMMIT */
    EXPECT_SAYS(ran.out, "the end");
}

TEST(the_same_for_programs)
{
    struct left left;
    struct ran ran;

    leave(&left, 1, 1);
    run_verb(&ran, &verb_clock, "--home", left.home, "--json", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"clock\":3,\"lsn\":\"");
    EXPECT_SAYS(ran.out, "{\"clock\":2,\"records\":2,\"lsn\":\"");
    EXPECT_SAYS(ran.out, "{\"clock\":3,\"records\":1,\"lsn\":\"");
    EXPECT_SAYS(ran.out, "\"online\":true}]}");
}

TEST(it_is_the_clock_that_recovery_finds) /* CLOCK-09 TM-QUERY-01 TM-QUERY-04 TM-RECOVER-02 */
{
    struct left left;
    struct complaint why;
    struct replay replay;
    TRANSACTIONMANAGER_BASIC_INFORMATION basic;
    TRANSACTIONMANAGER_RECOVERY_INFORMATION recovery;
    HANDLE tm;

    leave(&left, 5, 2);
    EXPECT_OK(replay_read(left.home, &why, &replay));
    tm = open_manager(left.home);
    EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, &basic,
                                                   sizeof(basic), NULL));
    EXPECT_OK(NtQueryInformationTransactionManager(tm, TransactionManagerRecoveryInformation,
                                                   &recovery, sizeof(recovery), NULL));
    EXPECT_EQ(basic.VirtualClock.QuadPart, replay_end_clock(&replay));
    EXPECT(IsEqualGUID(&basic.TmIdentity, &replay.identity));
    EXPECT_EQ(recovery.LastRecoveredLsn, replay.records[replay.count - 1].lsn);
    replay_deinit(&replay);
    EXPECT_OK(NtClose(tm));
}

TEST(looking_changes_nothing)
{
    struct left left;
    struct ran first, second;

    leave(&left, 2, 1);
    run_verb(&first, &verb_clock, "--home", left.home, "--json", NULL);
    run_verb(&second, &verb_clock, "--home", left.home, "--json", NULL);
    EXPECT_EQ(0, second.code);
    EXPECT_TEXT(first.out, second.out);
}

TEST(after_an_orderly_end_there_is_nothing_but_the_restart_area) /* CLOSE-TM-02 LOG-08 LOG-09 */
{
    struct left left;
    struct ran ran;

    leave(&left, 4, 0);
    run_verb(&ran, &verb_clock, "--home", left.home, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "clock 5, last record ");
    EXPECT_SAYS(ran.out, ", clock 5; recovery reads from ");
    EXPECT_SAYS(ran.out, "\n           5        2  "); /* the marker, and the area itself */
}

TEST(a_home_without_a_log_is_no_failure)
{
    char home[600];
    struct ran ran;

    snprintf(home, sizeof(home), "%s/empty", test_directory());
    EXPECT(mkdir(home, 0700) == 0);
    run_verb(&ran, &verb_clock, "--home", home, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "Nothing was ever applied");
    run_verb(&ran, &verb_clock, "--home", home, "--json", NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "STATUS_OBJECT_NAME_NOT_FOUND");
}

TEST(a_log_in_use_is_refused) /* CLFS-CONC-13 */
{
    struct left left;
    struct ran ran;
    struct holder holder;

    leave(&left, 1, 0);
    holder = hold_manager(left.home);
    run_verb(&ran, &verb_clock, "--home", left.home, NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, "in use by process");
    release_manager(holder);
    run_verb(&ran, &verb_clock, "more", NULL);
    EXPECT_EQ(EXIT_USAGE, ran.code);
}
