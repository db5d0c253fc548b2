/* SPDX-License-Identifier: MIT */
/* Change sets from files: where relative paths start, and files that cannot be read. */
#include "tests/test.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/changeset.h"
#include "cli/owned.h"
#include "tests/alloc.h"

static const char set_text[] =
    "{\"steps\":[{\"put\":{\"to\":\"sub/a\",\"from\":\"/abs/b\"}},{\"mkdir\":{\"path\":\"m\"}}]}";

static void
write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");

    EXPECT(file && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

TEST(relative_paths_start_at_the_directory_of_the_change_set)
{
    static const char *const ways[] = {"set.json", "./set.json", "../in/set.json"};
    char path[512], wanted[600];

    snprintf(path, sizeof(path), "%s/in", test_directory());
    EXPECT(mkdir(path, 0700) == 0 && chdir(path) == 0);
    write_file("set.json", set_text, sizeof(set_text) - 1);
    EACH (way, ways) {
        owned(changeset_destroy) struct changeset *set = NULL;
        struct stat here, there;
        struct complaint why;

        EXPECT_OK(changeset_read(*way, &why, &set));
        EXPECT(stat(".", &here) == 0 && stat(set->directory, &there) == 0);
        EXPECT_EQ(here.st_ino, there.st_ino);
        snprintf(wanted, sizeof(wanted), "%s/sub/a", set->directory);
        EXPECT_TEXT(wanted, set->steps[0].path);
        EXPECT_TEXT("/abs/b", set->steps[0].from);
    }
    EXPECT(chdir("/") == 0);
    strcat(path, "/set.json");
    {
        owned(changeset_destroy) struct changeset *set = NULL;
        struct complaint why;

        EXPECT_OK(changeset_read(path, &why, &set));
        *strrchr(path, '/') = '\0';
        EXPECT_TEXT(path, set->directory);
    }
}

TEST(standard_input_starts_at_the_working_directory)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    owned(free_text) char *here = NULL;
    struct complaint why;
    int ends[2];

    EXPECT(chdir(test_directory()) == 0 && pipe(ends) == 0);
    EXPECT(write(ends[1], set_text, sizeof(set_text) - 1) == sizeof(set_text) - 1);
    EXPECT(close(ends[1]) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    EXPECT_OK(changeset_read("-", &why, &set));
    here = getcwd(NULL, 0);
    EXPECT_TEXT(here, set->directory);
    EXPECT_TEXT("standard input", set->name);
}

TEST(without_a_working_directory_absolute_paths_will_do)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct complaint why;
    char path[600];

    snprintf(path, sizeof(path), "%s/gone", test_directory());
    EXPECT(mkdir(path, 0700) == 0 && chdir(path) == 0 && rmdir(path) == 0);
    EXPECT_OK(changeset_create("the flags", NULL, &set));
    EXPECT_OK(changeset_add_flag(set, STEP_DELETE, "/a", &why));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, changeset_add_flag(set, STEP_DELETE, "a", &why));
    EXPECT(strstr(why.text, "--delete 'a': the path 'a' is relative"));
}

TEST(a_file_that_cannot_be_read_is_named)
{
    static const struct {
        const char *path;
        NTSTATUS status;
        const char *says;
    } cases[] = {
        {"missing.json", STATUS_OBJECT_NAME_NOT_FOUND, "'missing.json': No such file"},
        {"", STATUS_OBJECT_NAME_NOT_FOUND, "No such file"},
        {"missing/set.json", STATUS_OBJECT_NAME_NOT_FOUND, "No such file"},
        {".", STATUS_FILE_IS_A_DIRECTORY, "is a directory"},
        {"a\nb", STATUS_OBJECT_NAME_NOT_FOUND, "'a\\x0Ab'"},
    };

    EXPECT(chdir(test_directory()) == 0);
    EACH (it, cases) {
        struct changeset *set = NULL;
        struct complaint why;

        EXPECT_STATUS(it->status, changeset_read(it->path, &why, &set));
        if (!strstr(why.text, it->says))
            test_fail(__FILE__, __LINE__, "says: %s; must say: %s", why.text, it->says);
    }
}

TEST(a_file_without_end_is_refused)
{
    struct changeset *set = NULL;
    struct complaint why;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, changeset_read("/dev/zero", &why, &set));
    EXPECT(strstr(why.text, "larger than 64 MiB"));
}

TEST(odd_file_names_are_shown_safely)
{
    struct changeset *set = NULL;
    struct complaint why;

    EXPECT(chdir(test_directory()) == 0);
    write_file("a\x1b[31m.json", "{", 1);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, changeset_read("a\x1b[31m.json", &why, &set));
    EXPECT_TEXT("'a\\x1B[31m.json':1:2: the text ends before the change set does", why.text);
}

TEST(every_allocation_may_fail)
{
    unsigned failures = 0;

    for (unsigned n = 1;; n++) {
        owned(changeset_destroy) struct changeset *set = NULL;
        struct complaint why = {""};
        NTSTATUS status;

        alloc_fail_at(n);
        status = changeset_parse(set_text, sizeof(set_text) - 1, "set.json", "/d", &why, &set);
        if (!alloc_fail_stop()) {
            EXPECT_OK(status);
            break;
        }
        EXPECT(status == STATUS_INSUFFICIENT_RESOURCES);
        EXPECT(strstr(why.text, "out of memory"));
        EXPECT(set == NULL);
        failures++;
    }
    EXPECT(failures >= 10);
}
