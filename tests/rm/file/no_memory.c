/* SPDX-License-Identifier: MIT */
/* Without memory a step, a vote, a commit is refused, and nothing is lost or left behind. */
#include "tests/alloc.h"
#include "tests/rm/file/scene.h"

#include <sys/stat.h>
#include <unistd.h>

static void
build(void)
{
    scene_mkdir("d");
    scene_mkdir("d/e");
    scene_mkdir("t");
    scene_mkdir("s");
    scene_write("s/x", "source\n");
    scene_write("a", "alpha\n");
    scene_write("d/x", "x\n");
    scene_write("d/e/y", "y\n");
    scene_write("t/old", "old\n");
    EXPECT(symlink("d", scene_path("l")) == 0);
}

static const struct op ops[] = {
    {PUT, "a", "new\n"}, {RENAME, "l/x", "l/z"},   {PUT, "d/x", "again\n"}, {MKDIR, "n"},
    {PUT, "n/f", "f\n"}, {SYMLINK, "n/s", "f"},    {RENAME, "d/e", "n/e"},  {ERASE, "n/e/y"},
    {TREE, "t", "s"},    {CHMOD, "d", NULL, 0711}, {APPEND, "t/x", "+\n"},  {RENAME, "n", "m"},
};

/* Steps, vote, commit, with memory failing from 'arm' on; the commit again with memory. */
static void
attempt(void (*arm)(uint64_t n), uint64_t n, bool *prepared, bool *has_failed)
{
    struct faulty_tree faulty;
    struct store *store;
    struct work *work;
    NTSTATUS status = STATUS_SUCCESS;

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    work = scene_work(store);
    arm(n);
    for (size_t i = 0; status == STATUS_SUCCESS && i < ARRAY_SIZE(ops); i++)
        status = scene_do(work, &ops[i]);
    if (status == STATUS_SUCCESS)
        status = scene_prepare(work);
    *prepared = status == STATUS_SUCCESS;
    if (*prepared)
        status = work_commit(work);
    *has_failed = alloc_fail_stop();
    if (status != STATUS_SUCCESS)
        EXPECT_EQ(STATUS_INSUFFICIENT_RESOURCES, status);
    if (work->state == WORK_PREPARED && work_commit(work) != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "allocation %llu: %s", (unsigned long long)n, work->why.text);
    EXPECT_EQ(0, work->conflicts.count);
    work_destroy(work);
    store_close(store);
}

static void
sweep(void (*arm)(uint64_t n))
{
    bool prepared, has_failed = true;
    char *old, *new, *got;

    scene_reset(build);
    old = scene_manifest(scene_tree());
    attempt(alloc_fail_at, UINT64_MAX, &prepared, &has_failed);
    EXPECT(prepared && !has_failed);
    new = scene_manifest(scene_tree());
    for (uint64_t n = 1; n == 1 || has_failed; n++) {
        attempt(arm, n, &prepared, &has_failed);
        scene_recover(false); /* what could not be swept without memory */
        got = scene_manifest(scene_tree());
        if (strcmp(prepared ? new : old, got) != 0)
            test_fail(__FILE__, __LINE__, "allocation %llu, %s: got\n%s", (unsigned long long)n,
                      prepared ? "prepared" : "refused", got);
        free(got);
        scene_expect_clean();
    }
    free(old);
    free(new);
}

TEST(an_allocation_that_fails_leaves_old_or_new)
{
    sweep(alloc_fail_at);
    scene_keep(KEPT);
    sweep(alloc_fail_at);
}

TEST(memory_that_is_gone_leaves_old_or_new)
{
    sweep(alloc_fail_from);
    scene_keep(KEPT);
    sweep(alloc_fail_from);
}
