/* SPDX-License-Identifier: MIT */
/*
 * Random transactions beside the oracle: whatever steps are taken, the transaction sees what plain
 * system calls would have made, commits to it, and survives a death at any mutation.
 *
 * A seed is the whole test; KTM_SEED=n runs one, KTM_SOAK=seconds goes on with fresh ones.
 */
#include "tests/rm/file/scene.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define OPS_MAX   24
#define SEEDS     150
#define DEATHS    4
#define PATH_ROOM 64

static uint64_t state;

static unsigned
random_below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % limit);
}

static void
build_at(const char *top)
{
    static const char *const dirs[] = {"a", "a/a", "a/b", "b", "b/c", "c"};
    static const char *const files[] = {"a/a/a", "a/a/b", "a/b/a", "a/c", "b/a",
                                        "b/c/b", "d",     "c/a",   "c/b"};
    char path[8192];

    EACH (dir, dirs) {
        snprintf(path, sizeof(path), "%s/%s", top, *dir);
        EXPECT(mkdir(path, 0755) == 0);
    }
    EACH (file, files) {
        snprintf(path, sizeof(path), "%s/%s", top, *file);
        FILE *stream = fopen(path, "w");
        EXPECT(stream);
        fprintf(stream, "content of %s\n", *file);
        fclose(stream);
    }
    snprintf(path, sizeof(path), "%s/b/d", top);
    EXPECT(symlink("../a", path) == 0);
    snprintf(path, sizeof(path), "%s/a/c", top);
    EXPECT(chmod(path, 0600) == 0);
    EXPECT(setxattr(path, "user.kind", "old", 3, 0) == 0 || errno == EOPNOTSUPP);
}

static void
build(void)
{
    build_at(scene_tree());
}

static void
random_path(char path[PATH_ROOM])
{
    unsigned depth = 1 + random_below(3);

    path[0] = '\0';
    for (unsigned i = 0; i < depth; i++) {
        char component[3] = {i ? '/' : (char)('a' + random_below(4)), 0, 0};

        if (i)
            component[1] = (char)('a' + random_below(4));
        strcat(path, component);
    }
}

/* A step and the room for its texts. */
struct random_op {
    struct op op;
    char a[PATH_ROOM], b[PATH_ROOM];
};

static void
random_step(struct random_op *it)
{
    static const enum op_kind kinds[] = {PUT,   PUT,    APPEND, ERASE,   ERASE,  MKDIR,
                                         RMDIR, RENAME, RENAME, REPLACE, RENAME, SYMLINK,
                                         CHMOD, TREE,   RENAME, PUT};
    static const unsigned modes[] = {0644, 0600, 0755, 0711};

    it->op = (struct op){.kind = kinds[random_below(ARRAY_SIZE(kinds))], .a = it->a, .b = it->b};
    random_path(it->a);
    switch (it->op.kind) {
    case RENAME:
    case REPLACE:
    case TREE:
        random_path(it->b);
        break;
    case CHMOD:
        it->op.mode = modes[random_below(ARRAY_SIZE(modes))];
        break;
    default:
        snprintf(it->b, sizeof(it->b), "%c%u", 'a' + random_below(4), random_below(1000));
        break;
    }
}

struct sequence {
    struct random_op steps[OPS_MAX];
    size_t count;
};

static void
expect_same(uint64_t seed, const struct sequence *it, const char *what, const char *wanted,
            const char *got)
{
    if (strcmp(wanted, got) == 0)
        return;
    for (size_t i = 0; i < it->count; i++)
        printf("  {%d, \"%s\", \"%s\", %o},\n", it->steps[i].op.kind, it->steps[i].a,
               it->steps[i].b, it->steps[i].op.mode);
    test_fail(__FILE__, __LINE__, "seed %llu, %s: wanted\n%sgot\n%s", (unsigned long long)seed,
              what, wanted, got);
}

/* Takes random steps in the transaction; those it accepts the oracle must accept too, and both must
 * see the same. */
static void
take_steps(uint64_t seed, struct work *work, struct sequence *it)
{
    unsigned wanted = 1 + random_below(OPS_MAX);

    it->count = 0;
    for (unsigned tries = 0; tries < wanted * 4 && it->count < wanted; tries++) {
        struct random_op *step = &it->steps[it->count];
        char *seen, *plain;

        random_step(step);
        if (scene_do(work, &step->op) != STATUS_SUCCESS) {
            EXPECT(work->why.text[0]);
            continue;
        }
        it->count++;
        seen = scene_outline_of_view(work);
        if (!scene_do_plainly_at(scene_twin(), &step->op))
            expect_same(seed, it, "the oracle refuses", "", "the last step");
        plain = scene_outline(scene_twin());
        expect_same(seed, it, "the view", plain, seen);
        free(seen);
        free(plain);
    }
}

static void
start(void)
{
    scene_reset(build);
    EXPECT(mkdir(scene_twin(), 0755) == 0);
    build_at(scene_twin());
}

/* Repeats the steps with a death, and recovers. */
static void
die_once(uint64_t seed, const struct sequence *it, unsigned n, const char *old, const char *new)
{
    struct faulty_tree faulty;
    struct explanation why = {0};
    struct store *store = NULL;
    bool prepared = false;
    char *got;

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_DEATH, n);
    NTSTATUS status = store_open(&faulty.tree, scene_home(), &scene_rm, &why, &store);
    if (status == STATUS_SUCCESS) {
        struct work *work = scene_work(store);

        for (size_t i = 0; status == STATUS_SUCCESS && i < it->count; i++)
            status = scene_do(work, &it->steps[i].op);
        if (status == STATUS_SUCCESS)
            status = scene_prepare(work);
        prepared = status == STATUS_SUCCESS;
        if (prepared)
            status_forgive(work_commit(work));
        work_destroy(work);
        store_close(store);
    }
    scene_recover(prepared);
    got = scene_manifest(scene_tree());
    expect_same(seed, it, prepared ? "death after the vote" : "death before the vote",
                prepared ? new : old, got);
    free(got);
    scene_expect_clean();
}

static void
one_seed(uint64_t seed)
{
    struct faulty_tree faulty;
    struct sequence sequence;
    struct store *store;
    struct work *work;
    char *old, *new, *got;

    state = seed * 0x9e3779b97f4a7c15u + 1;
    scene_keep(seed % 2 ? IN_HOME : KEPT);
    start();
    old = scene_manifest(scene_tree());
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    work = scene_work(store);
    take_steps(seed, work, &sequence);
    if (work_changes_something(work)) {
        NTSTATUS status = scene_prepare(work);
        if (status == STATUS_SUCCESS)
            status = work_commit(work);
        if (status != STATUS_SUCCESS)
            expect_same(seed, &sequence, status_name(status), "", work->why.text);
        EXPECT_EQ(0, work->conflicts.count);
    }
    work_destroy(work);
    store_close(store);
    new = scene_manifest(scene_twin());
    got = scene_manifest(scene_tree());
    expect_same(seed, &sequence, "the commit", new, got);
    scene_expect_clean();
    for (unsigned i = 0; i < DEATHS && strcmp(old, new) != 0; i++)
        die_once(seed, &sequence, 1 + random_below(faulty.count), old, new);
    free(old);
    free(new);
    free(got);
}

/* Seeds that have failed once. */
static const uint64_t found[] = {
    1882379364860831, /* a hand inside a directory that the chain moves */
};

TEST(random_transactions_do_what_plain_calls_do)
{
    time_t end = time(NULL) + test_soak_seconds();
    const char *first = getenv("KTM_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;

    for (unsigned i = 0; i < (first ? 1 : SEEDS); i++)
        one_seed(seed++);
    for (size_t i = 0; !first && i < ARRAY_SIZE(found); i++)
        one_seed(found[i]);
    if (!first)
        seed = (uint64_t)end << 20;
    while (time(NULL) < end) {
        printf("seed %llu\n", (unsigned long long)seed);
        one_seed(seed++);
    }
}
