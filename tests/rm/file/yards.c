/* SPDX-License-Identifier: MIT */
/* Hidden names whose removal nobody has forced come back with the power: they are found in the
 * yards. And what was done long ago, and is asked for once more, is not done again. */
#include "tests/rm/file/scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void
build(void)
{
    scene_mkdir("d");
    scene_mkdir("d/e");
    scene_mkdir("s");
    scene_write("s/x", "x\n");
    scene_write("d/a", "alpha\n");
    scene_write("d/b", "beta\n");
}

/* ---- an earlier run ---- */

static struct faulty_tree faulty;

static struct store *
start(void)
{
    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    return scene_store(&faulty.tree);
}

static void
run(struct store *store, const struct op *ops, size_t count)
{
    struct work *work = scene_work(store);

    for (size_t i = 0; i < count; i++)
        EXPECT_OK(scene_do(work, &ops[i]));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    EXPECT_EQ(0, work->conflicts.count);
    work_destroy(work);
}

/* The home as a process leaves it that was killed now. */
static void
stop(struct store *store)
{
    faulty.accident = ACCIDENT_DEATH;
    faulty.at = faulty.count + 1;
    store_close(store);
}

/* As the power brings it back: a file, and a directory with something in it. */
static void
bring_back(const char *dir, uint64_t home, unsigned number)
{
    struct path_owner owner = {.transaction = scene_rm, .home = home};
    char name[HIDDEN_NAME_SIZE], path[512];

    hidden_name(&owner, number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    scene_write(path, "what was there before\n");
    snprintf(path, sizeof(path), "%s/%s.gone", dir, name);
    scene_mkdir(path);
    snprintf(path, sizeof(path), "%s/%s.gone/x", dir, name);
    scene_write(path, "inside\n");
}

static unsigned
hidden_names(const char *dir)
{
    DIR *directory = opendir(scene_path(dir));
    struct dirent *entry;
    unsigned count = 0;

    EXPECT(directory);
    while ((entry = readdir(directory)))
        count += strncmp(entry->d_name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0;
    closedir(directory);
    return count;
}

static uint64_t
number_of_home(void)
{
    return le64_get(&scene_rm);
}

static const struct op put_a[] = {{PUT, "d/a", "one\n"}};

/* ---- names that come back ---- */

TEST(names_that_come_back_are_swept) /* FI-16 */
{
    struct store *store = start();

    run(store, put_a, 1);
    stop(store);
    bring_back("d", number_of_home(), 7);
    EXPECT_EQ(2, hidden_names("d"));
    scene_recover(false);
    scene_expect_clean();
    char *content = scene_read("d/a");
    EXPECT_TEXT("one\n", content);
    free(content);
}

TEST(names_of_another_home_are_left_alone) /* FI-16 */
{
    struct store *store = start();

    run(store, put_a, 1);
    stop(store);
    bring_back("d", number_of_home() + 1, 7);
    scene_write("d/.ktm.anything", "of the user\n");
    scene_recover(false);
    EXPECT_EQ(3, hidden_names("d"));
}

TEST(names_of_a_transaction_that_is_alive_are_left)
{
    struct store *store = start();
    struct explanation why = {0};
    struct work *work = scene_work(store);

    scene_keep(KEPT_IN_DOUBT);
    EXPECT_OK(scene_do(work, put_a));
    EXPECT_OK(scene_prepare(work));
    work_destroy(work);
    stop(store);
    /* The superior has not decided: opened, and closed again. */
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    EXPECT_OK(scene_load(store, &why, &work));
    work_destroy(work);
    store_close(store);
    EXPECT_EQ(1, hidden_names("d"));
    scene_recover(true);
    char *content = scene_read("d/a");
    EXPECT_TEXT("one\n", content);
    free(content);
    scene_expect_clean();
}

TEST(yards_follow_a_directory_that_moves) /* FI-18 */
{
    static const struct op move[] = {{RENAME, "d", "s/moved"}};
    struct store *store = start();

    run(store, put_a, 1);
    run(store, &(struct op){PUT, "d/e/x", "1\n"}, 1);
    run(store, move, 1);
    stop(store);
    bring_back("s/moved", number_of_home(), 9);
    bring_back("s/moved/e", number_of_home(), 10);
    scene_recover(false);
    EXPECT_EQ(0, hidden_names("s/moved"));
    EXPECT_EQ(0, hidden_names("s/moved/e"));
    scene_expect_clean();
}

/* Decided, and not possible; its application has closed it. Whoever moves the directory must not
 * take its names for nobody's. */
TEST(names_of_one_that_was_let_go_are_not_swept)
{
    static const struct op move[] = {{RENAME, "d", "moved"}};
    struct store *store = start();
    struct work *work = scene_work(store);

    scene_keep(KEPT);
    EXPECT_OK(scene_do(work, put_a));
    EXPECT_OK(scene_prepare(work));
    work_destroy(work);
    const GUID other = {.Data1 = 4};
    EXPECT_OK(work_create(store, &other, scene_tree(), &work));
    EXPECT_OK(scene_do(work, move));
    EXPECT_OK(work_prepare(work, &other, NULL));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    EXPECT_EQ(1, hidden_names("moved"));
    store_close(store);
    EXPECT_EQ(1, hidden_names("moved"));
    EXPECT(rename(scene_path("moved"), scene_path("d")) == 0);
    scene_recover(true);
    char *content = scene_read("d/a");
    EXPECT_TEXT("one\n", content);
    free(content);
    scene_expect_clean();
}

/* A staged thing that could not be removed when the transaction changed its mind. */
TEST(names_that_a_commit_leaves_are_swept_later)
{
    struct store *store = start();
    struct work *work = scene_work(store);

    EXPECT_OK(scene_do(work, &(struct op){TREE, "t", "s"}));
    faulty.accident = ACCIDENT_ONCE;
    faulty.at = faulty.count + 1;
    EXPECT(scene_do(work, &(struct op){TREE, "t", "d"}) != STATUS_SUCCESS ||
           hidden_names(".") == 2);
    faulty.accident = ACCIDENT_NONE;
    faulty.at = 0;
    EXPECT_OK(scene_do(work, put_a));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    store_close(store);
    scene_recover(false);
    scene_expect_clean();
}

TEST(a_yard_that_was_removed_is_not_waited_for)
{
    struct store *store = start();

    run(store, &(struct op){PUT, "d/e/x", "1\n"}, 1);
    stop(store);
    EXPECT(unlink(scene_path("d/e/x")) == 0);
    EXPECT(rmdir(scene_path("d/e")) == 0);
    scene_recover(false);
    scene_expect_clean();
}

TEST(many_yards_are_forgotten_in_time)
{
    struct store *store = start();
    char path[64], name[64];
    size_t most = 0;

    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "s/%u", i);
        scene_mkdir(path);
        snprintf(name, sizeof(name), "s/%u/x", i);
        run(store, &(struct op){PUT, name, "1\n"}, 1);
        most = store->yards.count > most ? store->yards.count : most;
    }
    EXPECT(most > 200 && most < 300);
    store_close(store);
    scene_expect_clean();
}

TEST(a_damaged_list_is_told)
{
    struct store *store = start();
    struct explanation why = {0};
    char path[512];
    int fd;

    run(store, put_a, 1);
    stop(store);
    snprintf(path, sizeof(path), "%s/file/" NAME_YARDS, scene_home());
    fd = open(path, O_WRONLY);
    EXPECT(fd >= 0);
    EXPECT_EQ(1, pwrite(fd, "x", 1, 60));
    close(fd);
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                  store_open(tree_linux(), scene_home(), &scene_rm, &why, &store));
    EXPECT(strstr(why.text, "file/" NAME_YARDS) && strstr(why.text, "hidden names"));
    EXPECT(access(path, F_OK) == 0);
    EXPECT(unlink(path) == 0);
    scene_recover(false);
}

/* ---- asked for once more ---- */

/* The keeper has forgotten late, and the power has taken what the home knew of it. */
static void
ask_again(void)
{
    struct explanation why = {0};
    struct store *store;
    struct work *work;

    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    EXPECT_OK(scene_load(store, &why, &work));
    EXPECT_OK(work_commit(work));
    EXPECT_EQ(0, work->conflicts.count);
    work_destroy(work);
    scene_sweep(store);
    store_close(store);
    scene_expect_clean();
}

TEST(what_others_did_after_it_was_done_stays) /* FI-17 */
{
    static const struct op ops[] = {
        {PUT, "d/a", "one\n"}, {PUT, "d/n", "new\n"}, {TREE, "d/e", "s"},
        {TREE, "t", "s"},      {PUT, "t/in", "in\n"}, {SYMLINK, "l", "d"},
    };
    static const struct op later[] = {
        {PUT, "d/a", "later\n"}, {ERASE, "d/n"}, {PUT, "d/e/f", "f\n"}, {ERASE, "t/x"},
        {ERASE, "t/in"},         {RMDIR, "t"},   {ERASE, "l"},          {SYMLINK, "l", "other"},
    };
    struct store *store = start();
    char *wanted, *got;

    scene_keep(KEPT);
    run(store, ops, ARRAY_SIZE(ops));
    store_close(store);
    EACH (op, later)
        EXPECT(scene_do_plainly(op));
    wanted = scene_manifest(scene_tree());
    ask_again();
    got = scene_manifest(scene_tree());
    EXPECT_TEXT(wanted, got);
    free(wanted);
    free(got);
}

/* A rename can be taken back by others, and a mode; what was deleted may have another name: those
 * promises are in the home, which forgets them before anybody else may go on. */
TEST(what_could_be_taken_back_is_not_kept_elsewhere) /* FI-17 */
{
    static const struct op renames[] = {{RENAME, "d/a", "d/c"}, {PUT, "d/b", "1\n"}};
    static const struct op modes[] = {{CHMOD, "d/a", NULL, 0600}, {PUT, "d/b", "1\n"}};
    static const struct op deletes[] = {{ERASE, "d/a"}, {PUT, "d/b", "1\n"}};
    static const struct op *const each[] = {renames, modes, deletes};

    EACH (ops, each) {
        struct store *store = start();
        struct explanation why = {0};
        struct work *work = scene_work(store);

        scene_keep(KEPT);
        EXPECT_OK(scene_do(work, &(*ops)[0]));
        EXPECT_OK(scene_do(work, &(*ops)[1]));
        EXPECT_OK(scene_prepare(work));
        EXPECT(work->has_intent);
        EXPECT_OK(work_commit(work));
        work_destroy(work);
        EXPECT_STATUS(STATUS_NOT_FOUND, scene_load(store, &why, &work));
        store_close(store);
    }
}

TEST(what_was_done_is_known_while_the_machine_runs)
{
    struct store *store = start();

    scene_keep(KEPT);
    EXPECT(!store_is_done(store, &scene_tx));
    run(store, put_a, 1);
    stop(store);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    EXPECT(store_is_done(store, &scene_tx));
    EXPECT(!store_is_done(store, &scene_rm));
    store_close(store);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 250, DIRECTORIES = 400 };

struct walker {
    struct store *store;
    unsigned number;
};

/* One transaction in one of many directories, some of which others use at the same time. */
static void
walk_once(const struct walker *self, unsigned round)
{
    const GUID id = {.Data1 = self->number + 1, .Data2 = (USHORT)round};
    char path[512], content[32];
    struct work *work;

    snprintf(path, sizeof(path), "s/%u/%u", (round * 7 + self->number) % DIRECTORIES, self->number);
    snprintf(content, sizeof(content), "%u\n", round);
    EXPECT_OK(work_create(self->store, &id, scene_tree(), &work));
    EXPECT_OK(scene_do(work, &(struct op){PUT, path, content}));
    if (round % 3 == 0) {
        EXPECT_OK(work_rollback(work));
    } else {
        EXPECT_OK(work_prepare(work, &id, NULL));
        EXPECT_OK(round % 3 == 1 ? work_commit(work) : work_rollback(work));
    }
    work_destroy(work);
}

static void
walk(void *context)
{
    for (unsigned round = 0; round < ROUNDS; round++)
        walk_once(context, round);
}

TEST(threads_share_yards_and_forget_them) /* FI-16 */
{
    struct explanation why = {0};
    struct walker walkers[THREADS];
    struct sys_thread *threads[THREADS];
    struct store *store;
    char path[64];

    scene_reset(build);
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        snprintf(path, sizeof(path), "s/%u", i);
        scene_mkdir(path);
    }
    EXPECT_OK(store_open(tree_linux(), scene_home(), &scene_rm, &why, &store));
    for (unsigned i = 0; i < THREADS; i++) {
        walkers[i] = (struct walker){store, i};
        EXPECT_OK(sys_thread_start("walker", walk, &walkers[i], &threads[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        sys_thread_join(threads[i]);
    EXPECT(store->yards.count < DIRECTORIES);
    store_close(store);
    scene_expect_clean();
}

/* The next one has promised something about the same names when this one is asked for once more. */
TEST(a_later_promise_is_not_in_the_way_of_what_is_done)
{
    static const struct op next[] = {{PUT, "d/a", "two\n"}, {RENAME, "d/b", "d/c"}};
    const GUID other = {.Data1 = 5};
    struct store *store = start();
    struct explanation why = {0};
    struct work *work, *later;
    char *content;

    scene_keep(KEPT);
    run(store, put_a, 1);
    EXPECT_OK(work_create(store, &other, scene_tree(), &later));
    EACH (op, next)
        EXPECT_OK(scene_do(later, op));
    EXPECT_OK(work_prepare(later, &other, NULL));
    work_destroy(later);
    stop(store);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    EXPECT_OK(work_load(store, &other, &why, &later));
    EXPECT_OK(scene_load(store, &why, &work));
    EXPECT_OK(work_commit(work));
    EXPECT_OK(work_commit(later));
    EXPECT_EQ(0, work->conflicts.count + later->conflicts.count);
    work_destroy(work);
    work_destroy(later);
    scene_sweep(store);
    store_close(store);
    content = scene_read("d/a");
    EXPECT_TEXT("two\n", content);
    free(content);
    scene_expect_clean();
}
