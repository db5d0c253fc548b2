/* SPDX-License-Identifier: MIT */
/* A transaction that is one rename and has nobody else: it is its own decision, at any death. */
#include "tests/rm/file/scene.h"

#include <unistd.h>

static void
build(void)
{
    scene_mkdir("d");
    scene_mkdir("e");
    scene_mkdir("t");
    scene_write("t/x", "x\n");
    scene_write("d/a", "alpha\n");
    scene_write("d/b", "beta\n");
    EXPECT(symlink("a", scene_path("d/l")) == 0);
}

struct scenario {
    struct op ops[3];
    size_t count;
};

static const struct scenario alone[] = {
    {{{PUT, "d/a", "new\n"}}, 1},
    {{{PUT, "d/n", "new\n", 0600}}, 1},
    {{{APPEND, "d/a", "more\n"}, {APPEND, "d/a", "and more\n"}}, 2},
    {{{ERASE, "d/a"}}, 1},
    {{{ERASE, "d/l"}}, 1},
    {{{RENAME, "d/a", "d/c"}}, 1},
    {{{RENAME, "d", "f"}}, 1},
    {{{SYMLINK, "d/s", "a"}}, 1},
    {{{MKDIR, "d/m"}, {PUT, "d/m/x", "x\n"}, {SYMLINK, "d/m/y", "x"}}, 3},
    {{{TREE, "d/t", "t"}}, 1},
    {{{ERASE, "d/a"}, {SYMLINK, "d/a", "b"}}, 2},
};

static const struct scenario others[] = {
    {{{PUT, "d/a", "1"}, {PUT, "d/b", "2"}}, 2},
    {{{CHMOD, "d/a", NULL, 0600}}, 1},
    {{{REPLACE, "d/a", "d/b"}}, 1},
    {{{RENAME, "d/a", "e/a"}}, 1},
    {{{TREE, "d", "t"}}, 1}, /* somebody may have put something into what goes */
    {{{RMDIR, "e"}}, 1},
};

static NTSTATUS
take_steps(struct work *work, const struct scenario *it)
{
    for (size_t i = 0; i < it->count; i++)
        TRY(scene_do(work, &it->ops[i]));
    return STATUS_SUCCESS;
}

/* What it said, and the state it left; *count: mutations. */
static NTSTATUS
attempt(const struct scenario *it, enum accident accident, unsigned at, enum work_state *state,
        unsigned *count)
{
    struct explanation why = {0};
    struct faulty_tree faulty;
    struct store *store;
    struct work *work;
    bool is_done;
    NTSTATUS status;

    scene_reset(build);
    *state = WORK_ROLLED_BACK;
    faulty_tree_init(&faulty, accident, at);
    status = store_open(&faulty.tree, scene_home(), &scene_rm, &why, &store);
    *count = faulty.count;
    if (status != STATUS_SUCCESS)
        return status;
    work = scene_work(store);
    status = take_steps(work, it);
    if (status == STATUS_SUCCESS) {
        status = work_commit_alone(work, &is_done);
        if (!is_done && status == STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "'%s' is more than one rename", it->ops[0].a);
        *state = work->state;
        if (*state == WORK_COMMITTED)
            faulty_expect_durable(&faulty, "the commit");
        if (status != STATUS_SUCCESS)
            EXPECT(work->why.text[0]);
    }
    work_destroy(work);
    store_close(store);
    *count = faulty.count;
    return status;
}

static void
manifests(const struct scenario *it, char **old, char **new)
{
    scene_reset(build);
    *old = scene_manifest(scene_tree());
    for (size_t i = 0; i < it->count; i++)
        EXPECT(scene_do_plainly(&it->ops[i]));
    *new = scene_manifest(scene_tree());
}

static void
expect_outcome(const struct scenario *it, unsigned n, NTSTATUS status, enum work_state state,
               const char *old, const char *new)
{
    char *got = scene_manifest(scene_tree());
    bool is_old = strcmp(got, old) == 0, is_new = strcmp(got, new) == 0;

    if (!is_old && !is_new)
        test_fail(__FILE__, __LINE__, "'%s' at %u: neither old nor new:\n%s", it->ops[0].a, n, got);
    if (status == STATUS_SUCCESS || state == WORK_COMMITTED)
        EXPECT(is_new);
    else if (state == WORK_ROLLED_BACK)
        EXPECT(is_old);
    scene_expect_clean();
    free(got);
}

static void
sweep(enum accident accident)
{
    EACH (it, alone) {
        enum work_state state;
        unsigned last, count;
        char *old, *new;

        manifests(it, &old, &new);
        EXPECT_OK(attempt(it, ACCIDENT_NONE, 0, &state, &last));
        expect_outcome(it, 0, STATUS_SUCCESS, state, old, new);
        for (unsigned n = 1; n <= last; n++) {
            NTSTATUS status = attempt(it, accident, n, &state, &count);

            if (accident == ACCIDENT_DEATH && status != STATUS_SUCCESS)
                state = WORK_PREPARED; /* who has died has said nothing */
            scene_recover(false);
            expect_outcome(it, n, status, state, old, new);
        }
        free(old);
        free(new);
    }
}

TEST(death_at_any_mutation_of_one_rename_leaves_old_or_new) /* ENL-CC-02 */
{
    sweep(ACCIDENT_DEATH);
}

TEST(a_mutation_of_one_rename_that_fails_leaves_old_or_new) /* ENL-RB-14 */
{
    sweep(ACCIDENT_ONCE);
}

TEST(what_is_more_than_one_rename_has_two_phases) /* ENL-SPR-01 */
{
    EACH (it, others) {
        struct faulty_tree faulty;
        struct store *store;
        struct work *work;
        bool is_done = true;
        char *old, *new, *got;

        manifests(it, &old, &new);
        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
        store = scene_store(&faulty.tree);
        work = scene_work(store);
        EXPECT_OK(take_steps(work, it));
        EXPECT_OK(work_commit_alone(work, &is_done));
        EXPECT(!is_done);
        EXPECT_EQ(WORK_ACTIVE, work->state);
        got = scene_manifest(scene_tree());
        if (it->ops[0].kind != TREE) /* whose copy is hidden there already */
            EXPECT_TEXT(old, got);
        free(got);
        EXPECT_OK(scene_prepare(work));
        EXPECT_OK(work_commit(work));
        work_destroy(work);
        store_close(store);
        got = scene_manifest(scene_tree());
        EXPECT_TEXT(new, got);
        free(got);
        scene_expect_clean();
        free(old);
        free(new);
    }
}

/* ---- forces ---- */

/* Puts so many files and commits; how many forces that took. */
static unsigned
forces(struct store *store, struct faulty_tree *faulty, unsigned files, bool is_alone)
{
    struct work *work = scene_work(store);
    unsigned before = faulty->syncs;
    bool is_done = false;
    char name[32];

    for (unsigned i = 0; i < files; i++) {
        snprintf(name, sizeof(name), "d/%u", i);
        EXPECT_OK(scene_do(work, &(struct op){PUT, name, "content\n"}));
    }
    if (is_alone)
        EXPECT_OK(work_commit_alone(work, &is_done));
    if (!is_done) {
        EXPECT(!is_alone);
        EXPECT_OK(scene_prepare(work));
        EXPECT_OK(work_commit(work));
    }
    work_destroy(work);
    return faulty->syncs - before;
}

/* In a directory that is known as a yard: each file, and its name. The decision is the log's. */
TEST(nothing_is_forced_that_need_not_be)
{
    struct faulty_tree faulty;
    struct store *store;

    scene_reset(build);
    scene_keep(KEPT);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    EXPECT_EQ(4, forces(store, &faulty, 1, true)); /* the list of yards, and its name */
    EXPECT_EQ(2, forces(store, &faulty, 1, true));
    EXPECT_EQ(3, forces(store, &faulty, 1, false));
    EXPECT_EQ(4, forces(store, &faulty, 2, false));
    EXPECT_EQ(12, forces(store, &faulty, 10, false));
    scene_keep(IN_HOME);
    EXPECT_EQ(12 + 3, forces(store, &faulty, 10, false));
    store_close(store);
    scene_expect_clean();
}
