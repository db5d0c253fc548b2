/* SPDX-License-Identifier: MIT */
/* ktm recover --clock: step by step, told what each step applies, online only at the end. */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/guid.h"
#include "cli/rollforward.h"

static const char *
said_of(const struct ran *ran, const char *type, const GUID *guid)
{
    static char line[128];
    char text[GUID_TEXT_SIZE];

    guid_print(guid, text);
    snprintf(line, sizeof(line), "  %-8s  %s\n", type, text);
    return strstr(ran->out, line);
}

TEST(
    what_is_up_to_the_clock_is_applied) /* TM-ROLLFWD-02 TM-ROLLFWD-09 TM-STATE-04 RECOV-10 OP-17 */
{
    struct left left;
    struct ran ran;

    leave(&left, 2, 1);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "2", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_TEXT("", ran.err);
    EXPECT_SAYS(ran.out, "clock 2: ");
    EXPECT(said_of(&ran, "COMMIT", &left.guids[0]) && said_of(&ran, "FORGET", &left.guids[0]));
    EXPECT(!said_of(&ran, "COMMIT", &left.guids[1]));
    EXPECT_SAYS(ran.out, "not online: 3 records are left, the next of clock 3");
}

TEST(nothing_was_written_so_it_can_be_done_again) /* TM-ROLLFWD-03 */
{
    struct left left;
    struct ran ran, again, clock, clock_again;

    leave(&left, 2, 1);
    run_verb(&clock, &verb_clock, "--home", left.home, "--json", NULL);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "3", NULL);
    run_verb(&again, &verb_recover, "--home", left.home, "--clock", "3", NULL);
    EXPECT_EQ(0, again.code);
    EXPECT_TEXT(ran.out, again.out);
    run_verb(&clock_again, &verb_clock, "--home", left.home, "--json", NULL);
    EXPECT_TEXT(clock.out, clock_again.out);
}

TEST(growing_values_walk_through_the_log) /* TM-ROLLFWD-03 TM-ROLLFWD-12 */
{
    struct left left;
    struct ran ran;

    leave(&left, 3, 1);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "2", "--clock", "4", "--json",
             NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "{\"outcome\":\"rolled forward\",\"exit\":0,");
    EXPECT_SAYS(ran.out,
                "\"clock\":4,\"online\":false,\"rollforward\":[{\"target\":2,\"clock\":2,");
    EXPECT_SAYS(ran.out, "{\"target\":4,\"clock\":4,");
    EXPECT(!strstr(ran.out, "\"clock\":5"));
}

TEST(the_end_is_a_recovery) /* TM-ROLLFWD-10 CLOCK-09 */
{
    struct left left;
    struct ran ran;

    leave(&left, 2, 1);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "3", "--clock", "100", NULL);
    EXPECT_SAYS(ran.out, "clock 3: ");
    EXPECT_SAYS(ran.out, "clock 100: 1 record applied");
    EXPECT_SAYS(ran.out, "the transaction manager is online");
    EXPECT(!strstr(ran.out, "not online"));
    run_verb(&ran, &verb_clock, "--home", left.home, NULL);
    EXPECT_SAYS(ran.out, "clock 100, ");
    /* And the transaction that the crash left is still known. */
    run_verb(&ran, &verb_status, "--home", left.home, NULL);
    EXPECT_SAYS(ran.out, "1 unfinished");
}

TEST(what_lies_behind_the_restart_area_cannot_be_stopped_at) /* TM-ROLLFWD-11 CLOCK-10 */
{
    struct left left;
    struct ran ran;

    leave(&left, 4, 0);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "2", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_SAYS(ran.out, "clock 2: 0 records applied; the clock is at 5 already");
    EXPECT_SAYS(ran.out, "not online: ");
}

TEST(quiet_is_quiet)
{
    struct left left;
    struct ran ran;

    leave(&left, 2, 1);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "2", "-q", NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_TEXT("", ran.out);
    EXPECT_TEXT("", ran.err);
}

TEST(a_clock_is_a_number_that_grows)
{
    static const struct {
        const char *first, *second, *says;
    } cases[] = {
        {"0", NULL, "not '0'"},
        {"-1", NULL, "not '-1'"},
        {"", NULL, "not ''"},
        {"12x", NULL, "not '12x'"},
        {" 1", NULL, "not ' 1'"},
        {"9223372036854775808", NULL, "greater than 0"},
        {"4", "4", "'4' comes after 4"},
        {"4", "3", "only goes forward"},
    };

    EACH (it, cases) {
        struct ran ran;

        run_verb(&ran, &verb_recover, "--clock", it->first, it->second ? "--clock" : NULL,
                 it->second, NULL);
        EXPECT_EQ(EXIT_USAGE, ran.code);
        EXPECT_SAYS(ran.err, it->says);
    }
}

TEST(a_home_that_is_not_there_is_told)
{
    struct ran ran;

    run_verb(&ran, &verb_recover, "--home", "/nowhere/at/all", "--clock", "2", NULL);
    EXPECT_EQ(EXIT_ROLLED_BACK, ran.code);
    EXPECT_SAYS(ran.err, "/nowhere/at/all");
    run_verb(&ran, &verb_recover, "--home", "/nowhere/at/all", "--clock", "2", "--json", NULL);
    EXPECT_EQ(EXIT_ROLLED_BACK, ran.code);
    EXPECT_JSON(ran.out);
}

TEST(a_log_in_use_is_not_rolled_forward)
{
    struct left left;
    struct ran ran;
    struct holder holder;

    leave(&left, 1, 0);
    holder = hold_manager(left.home);
    run_verb(&ran, &verb_recover, "--home", left.home, "--clock", "2", NULL);
    EXPECT_EQ(EXIT_ROLLED_BACK, ran.code);
    EXPECT_SAYS(ran.err, "in use by process");
    release_manager(holder);
}

/* ---- damage ---- */

static void
damage(const char *home, const char *file, off_t at)
{
    char path[700];
    uint8_t byte;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", home, file);
    fd = open(path, O_RDWR);
    EXPECT(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x5A;
    EXPECT(pwrite(fd, &byte, 1, at) == 1 && close(fd) == 0);
}

static void
expect_an_answer(const struct verb *verb, const char *home, const char *option, const char *value)
{
    struct ran ran;

    run_verb(&ran, verb, "--home", home, "--json", option, value, NULL);
    EXPECT(ran.code == EXIT_COMMITTED || ran.code == EXIT_ROLLED_BACK || ran.code == EXIT_UNKNOWN);
    EXPECT_JSON(ran.out);
}

TEST(a_damaged_log_is_told_and_nothing_dies) /* TM-RECOVER-11 CLFS-DUR-20 */
{
    char command[2000], copy[600];
    struct left left;

    leave(&left, 2, 1);
    snprintf(copy, sizeof(copy), "%s/copy", test_directory());
    for (off_t at = 0; at < 4096; at += 97) {
        snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", copy, left.home, copy);
        EXPECT(system(command) == 0);
        damage(copy, at % 2 ? "tm.c0001" : "tm.blf", at);
        expect_an_answer(&verb_clock, copy, NULL, NULL);
        expect_an_answer(&verb_recover, copy, "--clock", "3");
        expect_an_answer(&verb_recover, copy, "--clock", "50");
    }
}
