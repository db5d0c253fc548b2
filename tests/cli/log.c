/* SPDX-License-Identifier: MIT */
/* ktm log: what is in a log, that a sound one is said to be sound, and where a damaged one is not.
 */
#include "tests/test.h"

#include "tests/cli/run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guid.h"

static void
sums(const char *home, struct stat info[3])
{
    static const char *const names[] = {"tm.blf", "tm.c0001", "tm.c0002"};
    char path[600];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", home, names[i]);
        EXPECT(stat(path, &info[i]) == 0);
    }
}

TEST(dump_tells_every_record_and_writes_nothing)
{
    struct left left;
    struct ran ran;
    struct stat before[3], after[3];
    char guid[GUID_TEXT_SIZE], line[128];

    leave(&left, 2, 1);
    sums(left.home, before);
    run_verb(&ran, &verb_log, "dump", "--home", left.home, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_TEXT("", ran.err);
    for (int i = 0; i < 3; i++) {
        guid_print(&left.guids[i], guid);
        snprintf(line, sizeof(line), "COMMIT    %s", guid);
        EXPECT_SAYS(ran.out, line);
        snprintf(line, sizeof(line), "FORGET    %s", guid);
        EXPECT(!strstr(ran.out, line) == (i == 2));
    }
    EXPECT_SAYS(ran.out, "of 00000007-0000-0000-0000-000000000000 'files'");
    sums(left.home, after);
    for (int i = 0; i < 3; i++)
        EXPECT(before[i].st_mtim.tv_nsec == after[i].st_mtim.tv_nsec &&
               before[i].st_mtim.tv_sec == after[i].st_mtim.tv_sec);
}

TEST(a_path_may_be_written_in_several_ways)
{
    static const char *const ways[] = {"tm", "tm.blf", "./tm.blf", "../home/tm"};
    struct left left;

    leave(&left, 1, 0);
    EXPECT(chdir(left.home) == 0);
    EACH (way, ways) {
        struct ran ran;

        run_verb(&ran, &verb_log, "verify", *way, NULL);
        if (ran.code != 0)
            test_fail(__FILE__, __LINE__, "%s: %s", *way, ran.err);
        EXPECT_SAYS(ran.out, "sound: ");
        EXPECT_SAYS(ran.out, "records of a transaction manager");
    }
}

TEST(json_is_valid_whether_the_log_is_sound_or_not)
{
    struct left left;
    struct ran ran;
    char path[600];

    leave(&left, 1, 1);
    snprintf(path, sizeof(path), "%s/tm", left.home);
    run_verb(&ran, &verb_log, "dump", "--json", path, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"sound\":true");
    run_verb(&ran, &verb_log, "verify", "--json", path, NULL);
    EXPECT_EQ(0, ran.code);
    EXPECT_JSON(ran.out);
    run_verb(&ran, &verb_log, "verify", "--json", "missing", NULL);
    EXPECT_EQ(1, ran.code);
    EXPECT_JSON(ran.out);
    EXPECT_SAYS(ran.out, "\"sound\":false");
    EXPECT_SAYS(ran.out, "STATUS_OBJECT_NAME_NOT_FOUND");
}

TEST(what_is_no_log_is_said_to_be_none)
{
    static const struct {
        const char *path, *says;
    } cases[] = {
        {"missing", "'missing': nothing of that name exists"},
        {"missing/tm", "STATUS_OBJECT_PATH_NOT_FOUND"},
        {"bad\\name", "a backslash"},
        {"a::b", "'::'"},
        {"\xff", "not UTF-8"},
    };

    EXPECT(chdir(test_directory()) == 0);
    EACH (it, cases) {
        struct ran ran;

        run_verb(&ran, &verb_log, "verify", it->path, NULL);
        EXPECT_EQ(1, ran.code);
        EXPECT_SAYS(ran.err, it->says);
        EXPECT_SAYS(ran.err, "ktm: ");
    }
}

TEST(wrong_use_is_refused)
{
    static const char *const cases[][3] = {
        {NULL}, {"frobnicate"}, {"dump", "a", "b"}, {"verify", "a", "b"}};

    EACH (it, cases) {
        struct ran ran;

        run_verb(&ran, &verb_log, (*it)[0], (*it)[1], (*it)[2], NULL);
        EXPECT_EQ(EXIT_USAGE, ran.code);
        EXPECT_SAYS(ran.err, "ktm log: it takes ");
    }
}

static void
change_byte(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    EXPECT(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x5A;
    EXPECT(pwrite(fd, &byte, 1, at) == 1 && close(fd) == 0);
}

/* Bytes of records that are known to be durable. */
TEST(damage_is_found_and_its_place_is_told) /* CLFS-DUR-20 */
{
    struct left left;
    struct ran ran;
    char path[600];

    leave(&left, 3, 1);
    release_manager(hold_manager(left.home)); /* what is there is marked as durable */
    snprintf(path, sizeof(path), "%s/tm", left.home);
    run_verb(&ran, &verb_log, "verify", path, NULL);
    EXPECT_EQ(0, ran.code);
    {
        char container[700];
        unsigned found = 0;

        snprintf(container, sizeof(container), "%s.c0001", path);
        for (off_t at = 0; at < 6144; at += 61) {
            change_byte(container, at);
            run_verb(&ran, &verb_log, "verify", path, NULL);
            EXPECT(ran.code == 0 || ran.code == 1);
            if (ran.code == 1) {
                found++;
                EXPECT_SAYS(ran.err, "STATUS_LOG_");
                EXPECT_SAYS(ran.err, "keep a copy of all its files");
            }
            run_verb(&ran, &verb_log, "dump", "--json", path, NULL);
            EXPECT_JSON(ran.out);
            change_byte(container, at);
        }
        EXPECT(found > 5);
    }
    run_verb(&ran, &verb_log, "verify", path, NULL);
    EXPECT_EQ(0, ran.code);
}

TEST(a_log_that_is_cut_or_random_is_refused)
{
    struct left left;
    char path[600], base[700];
    struct ran ran;
    FILE *file;

    leave(&left, 1, 1);
    snprintf(path, sizeof(path), "%s/tm", left.home);
    snprintf(base, sizeof(base), "%s.blf", path);
    for (int i = 0; i < 2; i++) {
        if (i == 0) {
            EXPECT(truncate(base, 4000) == 0);
        } else {
            file = fopen(base, "w");
            EXPECT(file);
            for (unsigned n = 0; n < 70000; n++)
                fputc((int)(n * 2654435761u >> 13 & 255), file);
            EXPECT(fclose(file) == 0);
        }
        run_verb(&ran, &verb_log, "verify", path, NULL);
        EXPECT_EQ(1, ran.code);
        EXPECT_SAYS(ran.err, "STATUS_LOG_");
        run_verb(&ran, &verb_status, "--home", left.home, NULL);
        EXPECT_EQ(1, ran.code);
        EXPECT_SAYS(ran.err, "STATUS_LOG_CORRUPTION_DETECTED");
    }
}

TEST(an_output_that_cannot_be_written_is_an_error)
{
    struct left left;
    char command[1200];
    int status;

    leave(&left, 1, 0);
    snprintf(command, sizeof(command), "%s/ktm log dump %s/tm >/dev/full 2>%s/err", test_build(),
             left.home, test_directory());
    status = system(command);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(1, WEXITSTATUS(status));
    snprintf(command, sizeof(command), "grep -q 'cannot write the output' %s/err",
             test_directory());
    EXPECT_EQ(0, system(command));
}
