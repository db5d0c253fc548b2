/* SPDX-License-Identifier: MIT */
/* The change set as flags: halves, escapes, and what is no argument of a flag. */
#include "tests/test.h"

#include "cli/changeset.h"

TEST(flags_are_split_at_the_colon_that_is_not_escaped)
{
    static const struct {
        enum step_verb verb;
        const char *argument, *from, *path, *target;
    } cases[] = {
        {STEP_PUT, "new.conf:/etc/app.conf", "/d/new.conf", "/etc/app.conf", NULL},
        {STEP_PUT, "a\\:b:c\\:d", "/d/a:b", "/d/c:d", NULL},
        {STEP_PUT, "a\\\\:b", "/d/a\\", "/d/b", NULL},
        {STEP_PUT, "a\\n:b\\", "/d/a\\n", "/d/b\\", NULL}, /* other backslashes are themselves */
        {STEP_APPEND, "./x:y", "/d/./x", "/d/y", NULL},
        {STEP_TREE, "/src:/dst", "/src", "/dst", NULL},
        {STEP_RENAME, "a:b", "/d/a", "/d/b", NULL},
        {STEP_SYMLINK, "../t:l", NULL, "/d/l", "../t"},
        {STEP_DELETE, "a:b", NULL, "/d/a:b", NULL}, /* one path, as it is */
        {STEP_DELETE, "a\\:b", NULL, "/d/a\\:b", NULL},
        {STEP_MKDIR, "\xff\xfe", NULL, "/d/\xff\xfe", NULL}, /* any bytes the system takes */
        {STEP_RMDIR, "x/", NULL, "/d/x/", NULL},
    };

    EACH (it, cases) {
        owned(changeset_destroy) struct changeset *set = NULL;
        struct complaint why;
        const struct step *step;

        EXPECT_OK(changeset_create("the flags", "/d", &set));
        EXPECT_OK(changeset_add_flag(set, it->verb, it->argument, &why));
        step = &set->steps[0];
        EXPECT_EQ(it->verb, step->verb);
        EXPECT_TEXT(it->path, step->path);
        if (it->from)
            EXPECT_TEXT(it->from, step->from);
        else
            EXPECT(!step->from);
        if (it->target)
            EXPECT_TEXT(it->target, step->target);
        EXPECT_TEXT(it->argument, step->flag);
    }
}

TEST(a_mode_comes_first)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct complaint why;

    EXPECT_OK(changeset_create("the flags", "/", &set));
    EXPECT_OK(changeset_add_flag(set, STEP_CHMOD, "4755:bin/x", &why));
    EXPECT_EQ(04755, set->steps[0].mode);
    EXPECT(set->steps[0].has_mode);
    EXPECT_TEXT("/bin/x", set->steps[0].path);
}

TEST(what_is_no_argument_of_the_flag_is_refused)
{
    static const struct {
        enum step_verb verb;
        const char *argument, *says;
    } cases[] = {
        {STEP_PUT, "", "--put '': it takes SRC:DST"},
        {STEP_PUT, "a", "--put 'a': it takes SRC:DST"},
        {STEP_PUT, "a:b:c", "--put 'a:b:c': it takes SRC:DST; a colon in a path is written \\:"},
        {STEP_PUT, "a\\:b", "it takes SRC:DST"},
        {STEP_PUT, ":b", "an empty path"},
        {STEP_PUT, "a:", "an empty path"},
        {STEP_APPEND, "a", "it takes SRC:DST"},
        {STEP_TREE, "a", "it takes SRC:DST"},
        {STEP_RENAME, "a", "it takes FROM:TO"},
        {STEP_SYMLINK, "a", "it takes TARGET:PATH"},
        {STEP_SYMLINK, ":a", "the target is empty"},
        {STEP_CHMOD, "0644", "it takes MODE:PATH"},
        {STEP_CHMOD, "u+x:a", "'u+x' is no mode"},
        {STEP_CHMOD, "08:a", "'08' is no mode"},
        {STEP_CHMOD, "07777777:a", "'07777777' is no mode"},
        {STEP_DELETE, "", "--delete '': an empty path"},
    };

    EACH (it, cases) {
        owned(changeset_destroy) struct changeset *set = NULL;
        struct complaint why;

        EXPECT_OK(changeset_create("the flags", "/d", &set));
        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      changeset_add_flag(set, it->verb, it->argument, &why));
        if (!strstr(why.text, it->says))
            test_fail(__FILE__, __LINE__, "says: %s; must say: %s", why.text, it->says);
    }
}
