/* SPDX-License-Identifier: MIT */
/* ktm status: what a crash left is shown, and nothing is finished by looking. */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/guid.h"
#include "cli/history.h"

TEST(an_unfinished_transaction_is_shown_with_its_age_and_what_to_do)
{
    struct left left;
    struct ran ran;
    char guid[GUID_TEXT_SIZE];

    leave(&left, 1, 2);
    history_add(left.home, &left.guids[1], "begun", "release-42.json", NULL, 3);
    for (int look = 0; look < 2; look++) { /* the second sees the same */
        run_verb(&ran, &verb_status, "--home", left.home, NULL);
        EXPECT_EQ(0, ran.code);
        guid_print(&left.guids[0], guid);
        EXPECT(!strstr(ran.out, guid));
        for (int i = 1; i < 3; i++) {
            guid_print(&left.guids[i], guid);
            EXPECT_SAYS(ran.out, guid);
        }
        EXPECT_SAYS(ran.out, "committed, not finished");
        EXPECT_SAYS(ran.out, "release-42.json; 'ktm recover' finishes it");
        EXPECT_SAYS(ran.out, " s ");
        EXPECT_SAYS(ran.out, "resource manager");
        EXPECT_SAYS(ran.out, "files");
        EXPECT_SAYS(ran.out, "2 unfinished; 'ktm recover'");
    }
    run_verb(&ran, &verb_status, "--home", left.home, "--json", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"state\": \"committed, not finished\"");
}

TEST(nothing_unfinished_and_nothing_at_all_are_said)
{
    struct left left;
    struct ran ran;
    char empty[600];

    leave(&left, 2, 0);
    run_verb(&ran, &verb_status, "--home", left.home, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "Nothing is unfinished.");
    snprintf(empty, sizeof(empty), "%s/empty", test_directory());
    run_verb(&ran, &verb_status, "--home", empty, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "Nothing was ever applied");
    EXPECT(access(empty, F_OK) != 0); /* looking makes no home */
    EXPECT(mkdir(empty, 0700) == 0);
    run_verb(&ran, &verb_status, "--home", empty, "--json", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
}

TEST(a_home_in_use_is_shown_as_such)
{
    struct left left;
    struct ran ran;
    char wanted[64];
    int ends[2], status;
    pid_t child;
    char byte;

    leave(&left, 1, 0);
    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        (void)open_manager(left.home);
        EXPECT(write(ends[1], "x", 1) == 1);
        pause();
        _exit(0);
    }
    EXPECT(read(ends[0], &byte, 1) == 1);
    run_verb(&ran, &verb_status, "--home", left.home, NULL);
    EXPECT_EQ(0, ran.code);
    snprintf(wanted, sizeof(wanted), "in use by process %d", child);
    EXPECT_SAYS(ran.out, wanted);
    run_verb(&ran, &verb_status, "--home", left.home, "--json", NULL);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, wanted);
    run_verb(&ran, &verb_log, "verify", "--home", left.home, NULL); /* CLFS-CONC-13 */
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, wanted + 3);
    run_verb(&ran, &verb_tx, "show", "--home", left.home, "00000000-0000-0000-0000-000000000001",
             NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, ", which is in use");
    EXPECT(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    run_verb(&ran, &verb_status, "--home", left.home, NULL);
    EXPECT_SAYS(ran.out, "Nothing is unfinished.");
}

TEST(a_home_that_others_may_write_in_is_refused)
{
    struct left left;
    struct ran ran;

    leave(&left, 1, 0);
    EXPECT(chmod(left.home, 0720) == 0);
    run_verb(&ran, &verb_status, "--home", left.home, NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, "others may write in the home");
    EXPECT_SAYS(ran.err, "chmod go-w");
    run_verb(&ran, &verb_tx, "show", "--home", left.home, "00000000-0000-0000-0000-000000000001",
             NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_SAYS(ran.err, "others may write in the home");
}
