/* SPDX-License-Identifier: MIT */
/* What a committed transaction leaves is what plain system calls would have left; and what any
 * crash leaves, after recovery, is that or the old tree. */
#include "tests/rm/file/scene.h"

#include <sys/stat.h>
#include <unistd.h>

static void
build(void)
{
    scene_mkdir("etc");
    scene_mkdir("etc/app");
    scene_mkdir("lib");
    scene_mkdir("lib/old");
    scene_mkdir("empty");
    scene_write("etc/a", "alpha\n");
    scene_write("etc/b", "beta\n");
    scene_write("etc/c", "gamma\n");
    scene_write("etc/app/x", "x one\n");
    scene_write("etc/app/y", "y one\n");
    scene_write("lib/one", "1\n");
    scene_write("lib/two", "2\n");
    scene_write("lib/old/deep", "deep\n");
    EXPECT(symlink("one", scene_path("lib/link")) == 0);
    EXPECT(chmod(scene_path("etc/a"), 0640) == 0);
    EXPECT(chmod(scene_path("lib/two"), 04755) == 0);
    scene_attribute("etc/a", "green");
    scene_attribute("lib/old", "red");
}

#define OPS(...)                                                                                   \
    {                                                                                              \
        .ops = (const struct op[]){__VA_ARGS__},                                                   \
        .count = sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op)                      \
    }

static const struct scenario {
    const struct op *ops;
    size_t count;
} scenarios[] = {
    OPS({PUT, "etc/a", "new\n"}),
    OPS({PUT, "etc/new", "made\n", 0600}, {PUT, "etc/b", "", 0644}),
    OPS({APPEND, "etc/a", "more\n"}, {APPEND, "etc/a", "and more\n"},
        {APPEND, "etc/none", "begun\n"}),
    OPS({ERASE, "etc/a"}, {ERASE, "lib/link"}),
    OPS({RENAME, "etc/a", "etc/z"}),
    OPS({RENAME, "etc/a", "lib/a"}, {RENAME, "etc/b", "etc/a"}),
    OPS({REPLACE, "etc/a", "etc/b"}, {REPLACE, "etc/c", "lib/one"}),
    OPS({RENAME, "etc/a", "t"}, {RENAME, "etc/b", "etc/a"}, {RENAME, "t", "etc/b"}),
    OPS({RENAME, "etc/a", "t"}, {RENAME, "etc/b", "etc/a"}, {RENAME, "etc/c", "etc/b"},
        {RENAME, "t", "etc/c"}),
    OPS({RENAME, "etc/a", "etc/old"}, {PUT, "etc/a", "fresh\n"}),
    OPS({MKDIR, "etc/d"}, {PUT, "etc/d/x", "x\n"}, {RENAME, "etc/d/x", "etc/d/y"},
        {MKDIR, "etc/d/e", NULL, 0711}, {SYMLINK, "etc/d/e/l", "../y"}, {PUT, "etc/d/e/f", "f\n"}),
    OPS({ERASE, "lib/old/deep"}, {RMDIR, "lib/old"}, {RMDIR, "empty"}),
    OPS({ERASE, "lib/old/deep"}, {RMDIR, "lib/old"}, {MKDIR, "lib/old"},
        {PUT, "lib/old/shallow", "s\n"}),
    OPS({ERASE, "etc/a"}, {MKDIR, "etc/a"}, {PUT, "etc/a/inside", "i\n"}),
    OPS({ERASE, "lib/link"}, {SYMLINK, "lib/link", "two"}, {SYMLINK, "lib/link2", "nowhere"}),
    OPS({CHMOD, "etc/a", NULL, 0600}, {CHMOD, "etc/app", NULL, 0700},
        {CHMOD, "lib/two", NULL, 0755}),
    OPS({PUT, "etc/a", "p\n"}, {CHMOD, "etc/a", NULL, 0444}, {CHMOD, "etc/b", NULL, 0400},
        {APPEND, "etc/b", "q\n"}, {CHMOD, "etc/c", NULL, 0640}, {RENAME, "etc/c", "lib/c"}),
    OPS({RENAME, "etc/app", "etc/moved"}, {PUT, "etc/moved/x", "x two\n"}, {ERASE, "etc/moved/y"},
        {PUT, "etc/moved/z", "z\n"}, {CHMOD, "etc/moved", NULL, 0710}),
    OPS({PUT, "etc/app/x", "x two\n"}, {RENAME, "etc/app", "lib/app"}, {RENAME, "lib", "lib2"}),
    OPS({MKDIR, "backup"}, {RENAME, "etc/a", "backup/a"}, {RENAME, "etc/app", "backup/app"},
        {PUT, "backup/app/new", "n\n"}, {RENAME, "backup", "lib/backup"}),
    OPS({RENAME, "etc/app/x", "x"}, {ERASE, "etc/app/y"}, {RMDIR, "etc/app"},
        {RENAME, "x", "etc/app"}),
    OPS({RENAME, "lib/old", "t"}, {RENAME, "lib", "t/lib"}, {RENAME, "t", "lib"}),
    OPS({TREE, "lib", "etc"}),
    OPS({TREE, "fresh", "lib"}, {PUT, "fresh/one", "uno\n"}, {ERASE, "fresh/two"},
        {RENAME, "fresh/old", "fresh/older"}, {MKDIR, "fresh/n"}, {PUT, "fresh/n/m", "m\n"}),
    OPS({TREE, "etc/app", "lib"}, {RENAME, "etc/b", "etc/app/b"}, {CHMOD, "etc/app", NULL, 0750}),
    OPS({TREE, "t", "lib"}, {RENAME, "t", "etc/t"}, {RENAME, "etc/t/old", "old"}),
    OPS({MKDIR, "n"}, {TREE, "n/lib", "lib"}, {PUT, "n/lib/old/deep", "deeper\n"},
        {RENAME, "n", "m"}),
    OPS({PUT, "etc/q", "1"}, {ERASE, "etc/q"}, {MKDIR, "r"}, {RMDIR, "r"}, {PUT, "etc/a", "2"},
        {PUT, "etc/a", "3\n"}, {RENAME, "etc/a", "etc/a2"}, {RENAME, "etc/a2", "etc/a"}),
    /* One after the other inside what the next one moves; and round in a circle. */
    OPS({RENAME, "empty", "lib/inner"}, {RENAME, "lib", "empty"}, {RENAME, "empty/old", "lib"},
        {PUT, "empty/old", "fresh\n"}),
    OPS({RENAME, "lib/old", "t"}, {RENAME, "etc", "lib/old"}, {RENAME, "lib", "etc"},
        {RENAME, "t", "lib"}),
    OPS({SYMLINK, "sym", "etc"}, {PUT, "sym/through", "t\n"}, {PUT, "etc/../lib/one", "l\n"}),
};

static void
run_plainly(const struct scenario *it)
{
    for (size_t i = 0; i < it->count; i++)
        if (!scene_do_plainly(&it->ops[i]))
            test_fail(__FILE__, __LINE__, "the oracle refuses step %zu on '%s'", i + 1,
                      it->ops[i].a);
}

/* The tree before, and after the steps by plain system calls. */
static void
manifests(const struct scenario *it, char **old, char **new)
{
    printf("scenario %td: step 1 on '%s'\n", it - scenarios, it->ops[0].a);
    scene_reset(build);
    *old = scene_manifest(scene_tree());
    run_plainly(it);
    *new = scene_manifest(scene_tree());
}

/* Who may have the intent; a superior alone knows of what is rolled back. */
static const enum keeping keepings[] = {IN_HOME, KEPT, KEPT_IN_DOUBT};
#define EACH_SCENARIO(it, how)                                                                     \
    EACH (how, keepings)                                                                           \
        EACH (it, scenarios)

TEST(commit_leaves_what_plain_calls_leave)
{
    EACH_SCENARIO(it, how)
    {
        char *old, *new, *got;

        scene_keep(*how);
        manifests(it, &old, &new);
        scene_reset(build);
        scene_run(it->ops, it->count);
        got = scene_manifest(scene_tree());
        if (strcmp(new, got) != 0)
            test_fail(__FILE__, __LINE__, "scenario %td: wanted\n%sgot\n%s", it - scenarios, new,
                      got);
        scene_expect_clean();
        free(old);
        free(new);
        free(got);
    }
}

/* Steps and prepare; then the outcome, when prepared. *prepared tells whether the vote was given.
 */
static void
attempt(struct faulty_tree *faulty, const struct scenario *it, bool commit, bool *prepared)
{
    struct explanation why = {0};
    struct store *store = NULL;
    struct work *work;
    NTSTATUS status = store_open(&faulty->tree, scene_home(), &scene_rm, &why, &store);

    *prepared = false;
    if (status != STATUS_SUCCESS)
        return;
    work = scene_work(store);
    for (size_t i = 0; status == STATUS_SUCCESS && i < it->count; i++)
        status = scene_do(work, &it->ops[i]);
    if (status == STATUS_SUCCESS)
        status = scene_prepare(work);
    *prepared = status == STATUS_SUCCESS;
    if (*prepared)
        faulty_expect_durable(faulty, "the vote");
    if (*prepared)
        status = commit ? work_commit(work) : work_rollback(work);
    work_destroy(work);
    store_close(store);
}

static void
expect_tree(const struct scenario *it, const char *wanted, const char *when, unsigned n)
{
    char *got = scene_manifest(scene_tree());

    if (strcmp(wanted, got) != 0)
        test_fail(__FILE__, __LINE__, "scenario %td, %s at mutation %u: wanted\n%sgot\n%s",
                  it - scenarios, when, n, wanted, got);
    free(got);
    scene_expect_clean();
}

static unsigned
mutations_of(const struct scenario *it, bool commit)
{
    struct faulty_tree faulty;
    bool prepared;

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    attempt(&faulty, it, commit, &prepared);
    EXPECT(prepared);
    EXPECT(faulty.count > 0);
    return faulty.count;
}

static void
sweep_deaths(const struct scenario *it, enum keeping how, bool commit)
{
    unsigned last;
    char *old, *new;

    scene_keep(how);
    last = mutations_of(it, commit);
    manifests(it, &old, &new);
    for (unsigned n = 1; n <= last; n++) {
        struct faulty_tree faulty;
        bool prepared;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_DEATH, n);
        attempt(&faulty, it, commit, &prepared);
        EXPECT(faulty.is_dead);
        /* Without a vote there is no commit; with one, the transaction manager has decided. */
        scene_recover(prepared && commit);
        expect_tree(it, prepared && commit ? new : old, commit ? "commit" : "rollback", n);
    }
    free(old);
    free(new);
}

TEST(death_at_any_mutation_leaves_old_or_new_when_committing) /* FI-14 */
{
    EACH_SCENARIO(it, how)
    if (*how != KEPT_IN_DOUBT) /* the same */
        sweep_deaths(it, *how, true);
}

TEST(death_at_any_mutation_leaves_old_when_rolling_back) /* FI-12 */
{
    EACH_SCENARIO(it, how)
    sweep_deaths(it, *how, false);
}

/* Dies at mutation n, and again at mutation m of the recovery, which is then repeated. */
static void
sweep_second_deaths(const struct scenario *it, bool commit, unsigned stride)
{
    unsigned last = mutations_of(it, commit);
    char *old, *new;

    manifests(it, &old, &new);
    for (unsigned n = 1; n <= last; n += stride)
        for (unsigned m = 1;; m++) {
            struct faulty_tree faulty, second;
            struct explanation why = {0};
            struct store *store = NULL;
            struct work *work = NULL;
            bool prepared;

            scene_reset(build);
            faulty_tree_init(&faulty, ACCIDENT_DEATH, n);
            attempt(&faulty, it, commit, &prepared);
            faulty_tree_init(&second, ACCIDENT_DEATH, m);
            second.is_checked = false; /* it cannot know what the first one synced */
            NTSTATUS status = store_open(&second.tree, scene_home(), &scene_rm, &why, &store);
            if (status == STATUS_SUCCESS && scene_load(store, &why, &work) == STATUS_SUCCESS)
                status_forgive(prepared && commit ? work_commit(work) : work_rollback(work));
            work_destroy(work);
            if (status == STATUS_SUCCESS)
                scene_sweep(store);
            store_close(store);
            scene_recover(prepared && commit);
            expect_tree(it, prepared && commit ? new : old, "recovery", n * 1000 + m);
            if (!second.is_dead)
                break;
        }
    free(old);
    free(new);
}

TEST(death_in_recovery_leaves_old_or_new) /* FI-06 */
{
    EACH_SCENARIO(it, how)
    {
        scene_keep(*how);
        sweep_second_deaths(it, true, test_sweep_is_full() ? 1 : 17);
        sweep_second_deaths(it, false, test_sweep_is_full() ? 1 : 43);
    }
}

/* One mutation fails, as by EIO; the process lives on. */
static void
sweep_failures(const struct scenario *it, enum accident accident)
{
    unsigned last = mutations_of(it, true);
    char *old, *new;

    manifests(it, &old, &new);
    for (unsigned n = 1; n <= last; n++) {
        struct faulty_tree faulty;
        struct explanation why = {0};
        struct store *store = NULL;
        struct work *work;
        NTSTATUS status = STATUS_SUCCESS;
        bool prepared;

        scene_reset(build);
        faulty_tree_init(&faulty, accident, n);
        faulty.is_checked = accident == ACCIDENT_ONCE;
        if (store_open(&faulty.tree, scene_home(), &scene_rm, &why, &store) != STATUS_SUCCESS) {
            EXPECT(why.text[0]);
            continue;
        }
        work = scene_work(store);
        for (size_t i = 0; status == STATUS_SUCCESS && i < it->count; i++)
            status = scene_do(work, &it->ops[i]);
        if (status == STATUS_SUCCESS)
            status = scene_prepare(work);
        prepared = status == STATUS_SUCCESS;
        if (!prepared)
            EXPECT(work->why.text[0]);
        if (prepared && work_commit(work) != STATUS_SUCCESS) {
            EXPECT(work->why.text[0]);
            faulty.accident = ACCIDENT_NONE; /* space has returned, the disk answers again */
            faulty.at = 0;
            EXPECT_OK(work_commit(work));
        }
        work_destroy(work);
        store_close(store);
        /* What could not be removed while things failed is removed by the next one. */
        scene_recover(false);
        expect_tree(it, prepared ? new : old, "failure", n);
    }
    free(old);
    free(new);
}

TEST(a_mutation_that_fails_once_leaves_old_or_new)
{
    EACH_SCENARIO(it, how)
    {
        scene_keep(*how);
        sweep_failures(it, ACCIDENT_ONCE);
    }
}

TEST(a_disk_that_is_full_leaves_old_or_new)
{
    EACH_SCENARIO(it, how)
    {
        scene_keep(*how);
        sweep_failures(it, ACCIDENT_FULL);
    }
}

/* Whoever looks while it is committed, or after a crash and before a recovery, sees all or nothing
 * of a directory that is new, or one that takes the place of another. */
TEST(a_new_tree_appears_whole) /* FI-13 */
{
    static const struct op ops[] = {{MKDIR, "fresh"},
                                    {PUT, "fresh/a", "1"},
                                    {MKDIR, "fresh/in"},
                                    {PUT, "fresh/in/b", "2"},
                                    {SYMLINK, "fresh/c", "a"}};
    bool was_done = false;

    for (unsigned n = 1; !was_done; n++) {
        struct faulty_tree faulty;
        struct stat info;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_DEATH, n);
        faulty.is_checked = false;
        struct store *store = NULL;
        struct explanation why = {0};
        if (store_open(&faulty.tree, scene_home(), &scene_rm, &why, &store) == STATUS_SUCCESS) {
            struct work *work = scene_work(store);
            NTSTATUS status = STATUS_SUCCESS;

            EACH (op, ops)
                status = status == STATUS_SUCCESS ? scene_do(work, op) : status;
            if (status == STATUS_SUCCESS)
                status = scene_prepare(work);
            if (status == STATUS_SUCCESS)
                status = work_commit(work);
            was_done = status == STATUS_SUCCESS && !faulty.is_dead;
            work_destroy(work);
            store_close(store);
        }
        if (lstat(scene_path("fresh"), &info) != 0)
            continue;
        char *a = scene_read("fresh/a"), *b = scene_read("fresh/in/b");
        EXPECT_TEXT("1", a);
        EXPECT_TEXT("2", b);
        EXPECT_EQ(0, lstat(scene_path("fresh/c"), &info));
        free(a);
        free(b);
    }
}
