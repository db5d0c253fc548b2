/* SPDX-License-Identifier: MIT */
#include "rm/file/lock.h"

#include "tests/test.h"

static const GUID one = {.Data1 = 1}, two = {.Data1 = 2};

/* What the second transaction is told when the first holds something. */
static const struct {
    const char *held;
    bool held_whole;
    const char *wanted;
    bool wanted_whole;
    bool is_free;
} rows[] = {
    {"/a/b", false, "/a/b", false, false},     {"/a/b", false, "/a/c", false, true},
    {"/a/b", false, "/a/b/c", false, true},    {"/a/b", true, "/a/b/c", false, false},
    {"/a/b", true, "/a/b/c/d/e", true, false}, {"/a/b", true, "/a/bc", false, true},
    {"/a/b", true, "/a", false, true},         {"/a/b/c", false, "/a", true, false},
    {"/a/b/c", false, "/a/b", true, false},    {"/a/b/c", false, "/a/b", false, true},
    {"/a/bc", false, "/a/b", true, true},      {"/", true, "/x", false, false},
    {"/x", false, "/", true, false},           {"/x/y", false, "/", true, false},
};

TEST(locks_on_names_and_trees_conflict_where_they_meet)
{
    EACH (row, rows) {
        struct path_locks locks;
        struct path_owner holder, other;
        struct explanation why = {0};

        path_locks_init(&locks);
        path_owner_init(&holder, &one);
        path_owner_init(&other, &two);
        EXPECT_OK(path_lock(&locks, &holder, row->held, row->held_whole, &why));
        EXPECT_OK(path_lock(&locks, &holder, row->wanted, row->wanted_whole, &why));
        path_locks_release(&locks, &holder);
        EXPECT_OK(path_lock(&locks, &holder, row->held, row->held_whole, &why));
        NTSTATUS status = path_lock(&locks, &other, row->wanted, row->wanted_whole, &why);
        if ((status == STATUS_SUCCESS) != row->is_free)
            test_fail(__FILE__, __LINE__, "row %td: %s", row - rows, status_name(status));
        if (!row->is_free) {
            EXPECT_EQ(STATUS_TRANSACTIONAL_CONFLICT, status);
            EXPECT(strstr(why.text, "{00000001-0000-0000-0000-000000000000}"));
            EXPECT(strstr(why.text, row->held));
        }
        path_locks_release(&locks, &holder);
        path_locks_release(&locks, &other);
        EXPECT_OK(path_lock(&locks, &other, row->wanted, row->wanted_whole, &why));
        path_locks_release(&locks, &other);
        path_locks_deinit(&locks);
    }
}

TEST(a_lock_on_a_name_grows_to_the_tree_unless_somebody_is_below)
{
    struct path_locks locks;
    struct path_owner holder, other;
    struct explanation why = {0};

    path_locks_init(&locks);
    path_owner_init(&holder, &one);
    path_owner_init(&other, &two);
    EXPECT_OK(path_lock(&locks, &holder, "/a", false, &why));
    EXPECT_OK(path_lock(&locks, &other, "/a/b", false, &why));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, path_lock(&locks, &holder, "/a", true, &why));
    path_locks_release(&locks, &other);
    EXPECT_OK(path_lock(&locks, &holder, "/a", true, &why));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, path_lock(&locks, &other, "/a/b", false, &why));
    path_locks_release(&locks, &holder);
    path_locks_deinit(&locks);
}

TEST(ten_thousand_locks)
{
    struct path_locks locks;
    struct path_owner holder, other;
    char path[64];

    path_locks_init(&locks);
    path_owner_init(&holder, &one);
    path_owner_init(&other, &two);
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof(path), "/d%d/f%d", i % 100, i);
        EXPECT_OK(path_lock(&locks, &holder, path, false, NULL));
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof(path), "/d%d/f%d", i % 100, i);
        EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, path_lock(&locks, &other, path, false, NULL));
    }
    path_locks_release(&locks, &holder);
    EXPECT_EQ(0, locks.paths.count);
    path_locks_deinit(&locks);
}
