/* SPDX-License-Identifier: MIT */
/* Where the state is kept: which of the places, and that nobody else can write there. */
#include "tests/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/home.h"
#include "cli/owned.h"

TEST(the_first_place_that_is_named_is_taken)
{
    static const struct {
        const char *option, *ktm_home, *state, *home, *wanted;
    } cases[] = {
        {"/a", "/b", "/c", "/d", "/a"},
        {NULL, "/b", "/c", "/d", "/b"},
        {NULL, "", "/c", "/d", NULL}, /* NULL: depends on who runs the test */
        {NULL, NULL, "/c", "/d", "/c/ktm"},
        {NULL, NULL, "c", "/d", "/d/.local/state/ktm"}, /* XDG: relative is ignored */
        {NULL, NULL, NULL, "/d", "/d/.local/state/ktm"},
    };

    EACH (it, cases) {
        owned(free_text) char *path = NULL;
        struct complaint why;

        it->ktm_home ? setenv("KTM_HOME", it->ktm_home, 1) : unsetenv("KTM_HOME");
        it->state ? setenv("XDG_STATE_HOME", it->state, 1) : unsetenv("XDG_STATE_HOME");
        setenv("HOME", it->home, 1);
        EXPECT_OK(home_find(it->option, &why, &path));
        if (geteuid() == 0 && !it->option && !(it->ktm_home && it->ktm_home[0]))
            EXPECT_TEXT("/var/lib/ktm", path);
        else if (it->wanted)
            EXPECT_TEXT(it->wanted, path);
    }
}

TEST(a_relative_home_starts_at_the_working_directory)
{
    owned(free_text) char *path = NULL;
    owned(free_text) char *here = NULL;
    struct complaint why;
    char wanted[600];

    EXPECT(chdir(test_directory()) == 0);
    here = getcwd(NULL, 0);
    snprintf(wanted, sizeof(wanted), "%s/x/y", here);
    EXPECT_OK(home_find("x/y", &why, &path));
    EXPECT_TEXT(wanted, path);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, home_find("", &why, &path));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, home_find("/a\\b", &why, &path));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, home_find("/a::b", &why, &path));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, home_find("/a\xff", &why, &path));
}

TEST(a_home_is_made_for_its_owner_alone)
{
    char path[700], parent[600];
    struct complaint why;
    struct stat info;

    umask(0);
    snprintf(parent, sizeof(parent), "%s/a", test_directory());
    snprintf(path, sizeof(path), "%s/b/c", parent);
    EXPECT_OK(home_make(path, &why));
    EXPECT(stat(path, &info) == 0 && (info.st_mode & 07777) == 0700);
    EXPECT(stat(parent, &info) == 0 && (info.st_mode & 07777) == 0700);
    EXPECT_OK(home_make(path, &why)); /* it is there */
    EXPECT_OK(home_check(path, &why));
}

TEST(what_is_no_fit_home_is_refused)
{
    char path[600];
    struct complaint why;
    FILE *file;

    snprintf(path, sizeof(path), "%s/home", test_directory());
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, home_check(path, &why));
    EXPECT_OK(home_make(path, &why));
    EXPECT(chmod(path, 0770) == 0);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, home_check(path, &why));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, home_make(path, &why));
    EXPECT(strstr(why.text, "chmod go-w"));
    EXPECT(chmod(path, 0702) == 0);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, home_check(path, &why));
    EXPECT(chmod(path, 0755) == 0); /* others may look */
    EXPECT_OK(home_check(path, &why));
    EXPECT(rmdir(path) == 0 && (file = fopen(path, "w")) && fclose(file) == 0);
    EXPECT_STATUS(STATUS_NOT_A_DIRECTORY, home_check(path, &why));
    strcat(path, "/below");
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, home_make(path, &why));
    EXPECT(strstr(why.text, "give --home DIR"));
}

TEST(the_home_of_another_user_is_refused)
{
    char path[600];
    struct complaint why;

    if (geteuid() != 0)
        SKIP("only root can give a directory away");
    snprintf(path, sizeof(path), "%s/home", test_directory());
    EXPECT_OK(home_make(path, &why));
    EXPECT(chown(path, 12345, 12345) == 0);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, home_check(path, &why));
    EXPECT(strstr(why.text, "belongs to another user"));
}
