/* SPDX-License-Identifier: MIT */
/* Steps against each other: what may follow what, and which two are named when it may not. */
#include "tests/test.h"

#include "cli/changeset.h"
#include "cli/targets.h"

/* "put a; rename a b; …": steps by flags, paths below /d. */
static NTSTATUS
check(const char *script, struct complaint *why)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    char text[512], *rest = text, *each;

    strcpy(text, script);
    EXPECT_OK(changeset_create("the flags", "/d", &set));
    while ((each = strsep(&rest, ";"))) {
        char verb[16], first[64], second[64], argument[192];
        int words = sscanf(each, "%15s %63s %63s", verb, first, second);
        enum step_verb found = STEP_PUT;

        while (strcmp(step_verb_name(found), verb) != 0)
            EXPECT(found++ < STEP_EXPECT);
        if (found == STEP_PUT || found == STEP_APPEND || found == STEP_TREE)
            sprintf(argument, "%s:%s", words == 3 ? second : "/src", first);
        else if (found == STEP_RENAME)
            sprintf(argument, "%s:%s", first, second);
        else if (found == STEP_SYMLINK)
            sprintf(argument, "target:%s", first);
        else if (found == STEP_CHMOD)
            sprintf(argument, "0600:%s", first);
        else
            strcpy(argument, first);
        EXPECT_OK(changeset_add_flag(set, found, argument, why));
    }
    return changeset_check(set, why);
}

TEST(steps_that_build_on_one_another_are_accepted)
{
    static const char *const scripts[] = {
        "put a",
        "put a;put b;put a/../b", /* only the disk knows where .. leads */
        "put a;append a;append a;chmod a",
        "append a;append a",
        "mkdir a;mkdir a/b;put a/b/c;chmod a",
        "delete a;put a",
        "delete a;mkdir a;put a/b",
        "delete a/b;rmdir a;put a",
        "rename a b;put a",
        "rename a b;rename b c;rename c a", /* there and back */
        "rename a t;rename b a;rename t b", /* exchanged */
        "put a/x;rename a b;append b/x;put a",
        "rename a b;append b",
        "rename a b;put b/c",
        "put a;rename a b",
        "tree a;put a/x;delete a/y;rename a/p a/q",
        "delete a;tree a",
        "expect a;put a;expect a;delete b;expect b",
        "symlink a;put a/b", /* below what the link leads to */
        "put a;put aa;put a.b;mkdir b;mkdir bb",
        "put a;put b a;rename a x;put a b", /* content as the steps before leave it */
        "put a a",                          /* content from where it goes to */
        "chmod a;append a",
    };

    EACH (it, scripts) {
        struct complaint why;

        if (check(*it, &why) != STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "%s: %s", *it, why.text);
    }
}

TEST(steps_that_undo_one_another_are_refused_and_both_are_named)
{
    static const struct {
        const char *script, *second, *first;
    } cases[] = {
        {"put a;put a", "--put '/src:a'", "--put '/src:a'"},
        {"put a;put ./a", "--put '/src:./a'", "--put '/src:a'"},
        {"put a;put /d//a/", "--put '/src:/d//a/'", "--put '/src:a'"},
        {"put a;delete a", "--delete 'a'", "--put"},
        {"put a;mkdir a", "--mkdir", "--put"},
        {"put a;symlink a", "--symlink", "--put"},
        {"put a;tree a", "--tree", "--put"},
        {"put a;rename b a", "--rename", "--put"},
        {"put a;put a/b", "--put '/src:a/b'", "--put '/src:a'"},
        {"append a;put a", "--put", "--append"},
        {"append a;delete a", "--delete", "--append"},
        {"append a;put a/b", "--put", "--append"},
        {"chmod a;chmod a", "--chmod", "--chmod"},
        {"chmod a;delete a", "--delete", "--chmod"},
        {"delete a;delete a", "--delete", "--delete"},
        {"delete a;append a", "--append", "--delete"},
        {"delete a;chmod a", "--chmod", "--delete"},
        {"delete a;rename a b", "--rename", "--delete"},
        {"delete a;put a/b", "--put", "--delete"},
        {"rmdir a;put a/b/c", "--put", "--rmdir"},
        {"mkdir a;mkdir a", "--mkdir", "--mkdir"},
        {"mkdir a;rmdir a", "--rmdir", "--mkdir"},
        {"mkdir a;append a", "--append", "--mkdir"},
        {"symlink a;chmod a", "--chmod", "--symlink"},
        {"rename a b;delete b", "--delete", "--rename"},
        {"rename a b;put b", "--put", "--rename"},
        {"rename a b;append a", "--append", "--rename"},
        {"rename a b;put a/x", "--put", "--rename"},
        {"rename a a", "--rename 'a:a'", "--rename 'a:a'"},
        {"rename a a/b", "--rename 'a:a/b'", "--rename 'a:a/b'"},
        {"put a;rename a .", "--rename 'a:.'", "--rename 'a:.'"},
        {"rename a/b/c a", "--rename 'a/b/c:a'", "--rename 'a/b/c:a'"},
        {"rename a /", "--rename 'a:/'", "--rename 'a:/'"},
        {"put a/x;rename a b;put b/x", "--put '/src:b/x'", "--put '/src:a/x'"},
        {"put a/x;tree a", "--tree", "--put"},
        {"chmod a/x/y;tree a", "--tree", "--chmod"},
        {"tree a;tree a", "--tree", "--tree"},
        {"tree a;delete a", "--delete", "--tree"},
        /* whole trees are copied from the disk as it was */
        {"tree a;tree b a", "--tree 'a:b'", "--tree '/src:a'"},
        {"rename a x;tree b a", "--tree 'a:b'", "--rename"},
        {"chmod a/x;tree b a", "--tree 'a:b'", "--chmod"},
        {"put a/x;tree b a", "--tree 'a:b'", "--put"},
    };

    EACH (it, cases) {
        struct complaint why = {"(accepted)"};
        NTSTATUS status = check(it->script, &why);
        const char *other = strstr(why.text, ": it conflicts with ");

        if (status != STATUS_INVALID_PARAMETER || !other ||
            strncmp(why.text, it->second, strlen(it->second)) != 0 || !strstr(other, it->first))
            test_fail(__FILE__, __LINE__, "%s: %s", it->script, why.text);
    }
}

TEST(no_steps_are_no_change_set)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct complaint why;

    EXPECT_OK(changeset_create("the flags", "/d", &set));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, changeset_check(set, &why));
    EXPECT_TEXT("the flags: there are no steps", why.text);
}

TEST(deep_and_wide_trees_take_no_longer_than_they_are_large)
{
    owned(changeset_destroy) struct changeset *set = NULL;
    struct complaint why;
    char path[4000] = "", argument[64];

    EXPECT_OK(changeset_create("the flags", "/d", &set));
    while (strlen(path) < sizeof(path) - 100) {
        strcat(path, "/x");
        EXPECT_OK(changeset_add_flag(set, STEP_MKDIR, path, &why));
    }
    for (unsigned i = 0; i < 50000; i++) {
        sprintf(argument, "a/%u", i);
        EXPECT_OK(changeset_add_flag(set, STEP_DELETE, argument, &why));
    }
    /* Each moves everything that was moved before. */
    for (unsigned i = 0; i < 50000; i++) {
        sprintf(argument, "%s%u:a%u", i ? "a" : "a/", i, i + 1);
        EXPECT_OK(changeset_add_flag(set, STEP_RENAME, i ? argument : "a:a1", &why));
    }
    EXPECT_OK(changeset_check(set, &why));
}
