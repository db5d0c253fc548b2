/* SPDX-License-Identifier: MIT */
/* Other programs change the same files: before the vote the transaction aborts, after it theirs is
 * kept and told, and the outcome stands. */
#include "tests/rm/file/scene.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG ".ktm-conflict.abcdef01"

static void
build(void)
{
    scene_mkdir("d");
    scene_mkdir("d/e");
    scene_mkdir("t");
    scene_write("a", "alpha\n");
    scene_write("b", "beta\n");
    scene_write("d/x", "x\n");
    scene_write("d/e/y", "y\n");
    scene_write("t/old", "old\n");
}

/* ---- what somebody else does ---- */

static void
replace(const char *path)
{
    EXPECT(unlink(scene_path(path)) == 0);
    scene_write(path, "theirs\n");
}

static void
edit(const char *path)
{
    scene_write(path, "theirs, edited\n");
}

static void
touch_mode(const char *path)
{
    EXPECT(chmod(scene_path(path), 0604) == 0);
}

static void
erase(const char *path)
{
    EXPECT(unlink(scene_path(path)) == 0);
}

static void
create(const char *path)
{
    scene_write(path, "theirs\n");
}

static void
fill(const char *path)
{
    char inside[256];

    snprintf(inside, sizeof(inside), "%s/theirs", path);
    scene_write(inside, "theirs\n");
}

static void
displace(const char *path)
{
    char away[256];

    snprintf(away, sizeof(away), "%s-moved", path);
    EXPECT(rename(scene_path(path), scene_path(away)) == 0);
    scene_mkdir(path);
}

/* ---- before the vote ---- */

static const struct {
    struct op op;
    void (*theirs)(const char *path);
    const char *path;
    const char *said;
} early[] = {
    {{PUT, "a", "mine\n"}, replace, "a", "replaced by somebody else"},
    {{PUT, "a", "mine\n"}, edit, "a", "changed by somebody else"},
    {{PUT, "a", "mine\n"}, touch_mode, "a", "changed by somebody else"},
    {{PUT, "a", "mine\n"}, erase, "a", "removed by somebody else"},
    {{PUT, "new", "mine\n"}, create, "new", "made by somebody else"},
    {{APPEND, "a", "mine\n"}, edit, "a", "changed by somebody else"},
    {{ERASE, "a"}, edit, "a", "changed by somebody else"},
    {{RENAME, "a", "c"}, replace, "a", "replaced by somebody else"},
    {{RENAME, "a", "c"}, create, "c", "made by somebody else"},
    {{CHMOD, "a", NULL, 0600}, replace, "a", "replaced by somebody else"},
    {{MKDIR, "new"}, create, "new", "made by somebody else"},
    {{SYMLINK, "new", "a"}, create, "new", "made by somebody else"},
    {{PUT, "d/x", "mine\n"}, displace, "d", "moved, replaced or removed by somebody else"},
    {{RENAME, "d", "d2"}, displace, "d", "replaced by somebody else"},
    {{TREE, "t", "d"}, fill, "t", "changed inside by somebody else"},
};

TEST(a_change_before_the_vote_refuses_it_and_is_left_alone) /* FI-03 */
{
    EACH (it, early) {
        struct faulty_tree faulty;
        struct store *store;
        struct work *work;
        char *theirs, *got;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
        store = scene_store(&faulty.tree);
        work = scene_work(store);
        EXPECT_OK(scene_do(work, &it->op));
        it->theirs(it->path);
        EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, scene_prepare(work));
        if (!strstr(work->why.text, it->said) || !strstr(work->why.text, it->path))
            test_fail(__FILE__, __LINE__, "'%s' does not say '%s' of '%s'", work->why.text,
                      it->said, it->path);
        EXPECT_EQ(WORK_ROLLED_BACK, work->state);
        work_destroy(work);
        store_close(store);
        got = scene_manifest(scene_tree());
        scene_expect_clean();
        scene_reset(build);
        it->theirs(it->path);
        theirs = scene_manifest(scene_tree());
        EXPECT_TEXT(theirs, got);
        free(theirs);
        free(got);
    }
}

TEST(a_directory_that_is_filled_before_the_vote_is_not_removed)
{
    static const struct op ops[] = {{ERASE, "d/e/y"}, {RMDIR, "d/e"}};
    struct faulty_tree faulty;

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    struct store *store = scene_store(&faulty.tree);
    struct work *work = scene_work(store);
    EACH (op, ops)
        EXPECT_OK(scene_do(work, op));
    fill("d/e");
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, scene_prepare(work));
    EXPECT(strstr(work->why.text, "filled by somebody else"));
    work_destroy(work);
    store_close(store);
    EXPECT(access(scene_path("d/e/y"), F_OK) == 0);
    scene_expect_clean();
}

/* Somebody changes 'a' while the directory is made durable, after everything is staged. */
static NTSTATUS (*real_sync)(struct tree *, int);

static NTSTATUS
sync_and_edit(struct tree *tree, int fd)
{
    struct stat synced, top;

    EXPECT(fstat(fd, &synced) == 0 && stat(scene_tree(), &top) == 0);
    if (synced.st_ino == top.st_ino)
        edit("a");
    return real_sync(tree, fd);
}

TEST(a_change_while_staging_refuses_the_vote_and_leaves_nothing) /* FI-03 */
{
    static const struct op plain[] = {{PUT, "a", "mine\n"}, {PUT, "d/x", "mine\n"}};
    static const struct op noted[] = {{PUT, "a", "mine\n"}, {MKDIR, "m"}, {SYMLINK, "s", "a"}};
    static const struct {
        const struct op *ops;
        size_t count;
    } rows[] = {{plain, ARRAY_SIZE(plain)}, {noted, ARRAY_SIZE(noted)}};

    EACH (row, rows) {
        struct faulty_tree faulty;
        struct tree_table table;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
        struct store *store = scene_store(&faulty.tree);
        struct work *work = scene_work(store);
        for (size_t i = 0; i < row->count; i++)
            EXPECT_OK(scene_do(work, &row->ops[i]));
        table = *faulty.tree.table;
        real_sync = table.sync;
        table.sync = sync_and_edit;
        faulty.tree.table = &table;
        EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, scene_prepare(work));
        EXPECT(strstr(work->why.text, "changed by somebody else"));
        EXPECT_EQ(WORK_ROLLED_BACK, work->state);
        work_destroy(work);
        store_close(store);
        scene_expect_clean();
    }
}

/* ---- after the vote ---- */

static const struct {
    struct op ops[3];
    void (*theirs)(const char *path);
    const char *path;             /* what they change */
    enum conflict_kind kind;      /* what is told */
    const char *where;            /* and where; NULL: nothing is told */
    const char *kept;             /* where theirs is now */
    const char *result, *content; /* what the transaction wanted; content NULL: it is not there */
} late[] = {
    {{{PUT, "a", "mine\n"}}, replace, "a", CONFLICT_KEPT, "a", "a" TAG, "a", "mine\n"},
    {{{PUT, "a", "mine\n"}}, edit, "a", CONFLICT_KEPT, "a", "a" TAG, "a", "mine\n"},
    {{{PUT, "a", "mine\n"}}, touch_mode, "a", CONFLICT_KEPT, "a", "a" TAG, "a", "mine\n"},
    {{{PUT, "a", "mine\n"}}, erase, "a", CONFLICT_GONE, "a", NULL, "a", "mine\n"},
    {{{PUT, "new", "mine\n"}}, create, "new", CONFLICT_KEPT, "new", "new" TAG, "new", "mine\n"},
    {{{SYMLINK, "new", "b"}}, create, "new", CONFLICT_KEPT, "new", "new" TAG, "new", "beta\n"},
    {{{ERASE, "a"}}, edit, "a", CONFLICT_KEPT, "a", "a" TAG, "a", NULL},
    {{{ERASE, "a"}}, replace, "a", CONFLICT_KEPT, "a", "a" TAG, "a", NULL},
    {{{ERASE, "a"}}, erase, "a", 0, NULL, NULL, "a", NULL},
    {{{RENAME, "a", "c"}}, create, "c", CONFLICT_KEPT, "c", "c" TAG, "c", "alpha\n"},
    {{{RENAME, "a", "c"}}, replace, "a", CONFLICT_TAKEN, "a", NULL, "c", "theirs\n"},
    {{{RENAME, "a", "c"}}, edit, "a", 0, NULL, NULL, "c", "theirs, edited\n"},
    {{{RENAME, "a", "c"}}, erase, "a", CONFLICT_GONE, "c", NULL, "c", NULL},
    {{{REPLACE, "a", "b"}}, replace, "a", CONFLICT_TAKEN, "a", NULL, "b", "theirs\n"},
    {{{REPLACE, "a", "b"}}, edit, "b", CONFLICT_KEPT, "b", "b" TAG, "b", "alpha\n"},
    {{{REPLACE, "a", "b"}}, replace, "b", CONFLICT_KEPT, "b", "b" TAG, "b", "alpha\n"},
    {{{REPLACE, "a", "b"}}, erase, "a", CONFLICT_GONE, "b", NULL, "b", "beta\n"},
    {{{RENAME, "a", "c"}, {PUT, "a", "mine\n"}},
     replace,
     "a",
     CONFLICT_TAKEN,
     "a",
     NULL,
     "c",
     "theirs\n"},
    {{{CHMOD, "a", NULL, 0600}}, replace, "a", CONFLICT_GONE, "a", NULL, "a", "theirs\n"},
    {{{ERASE, "d/e/y"}, {RMDIR, "d/e"}}, fill, "d/e", CONFLICT_KEPT, "d/e", "d/e" TAG, "d/e", NULL},
    {{{TREE, "t", "d"}}, fill, "t", CONFLICT_KEPT, "t", "t" TAG, "t/x", "x\n"},
    {{{TREE, "t", "d"}}, displace, "t", CONFLICT_KEPT, "t", "t" TAG, "t/x", "x\n"},
    {{{MKDIR, "new"}, {PUT, "new/f", "mine\n"}},
     create,
     "new",
     CONFLICT_KEPT,
     "new",
     "new" TAG,
     "new/f",
     "mine\n"},
    {{{RENAME, "d", "d2"}, {PUT, "d2/x", "mine\n"}},
     edit,
     "d/x",
     CONFLICT_KEPT,
     "d2/x",
     "d2/x" TAG,
     "d2/x",
     "mine\n"},
};

static void
expect_late(size_t index, const struct conflicts *conflicts)
{
    const __typeof__(late[0]) *it = &late[index];
    char *content = scene_read(it->result);

    if (it->where ? conflicts->count != 1 : conflicts->count != 0)
        test_fail(__FILE__, __LINE__, "row %zu: %zu conflicts", index, conflicts->count);
    if (it->where) {
        EXPECT_EQ(it->kind, conflicts->at[0].kind);
        EXPECT_TEXT(scene_path(it->where), conflicts->at[0].path);
    }
    if (it->kept) {
        EXPECT_TEXT(scene_path(it->kept), conflicts->at[0].kept_as);
        EXPECT(access(scene_path(it->kept), F_OK) == 0);
    }
    if (it->content)
        EXPECT_TEXT(it->content, content ? content : "nothing");
    else
        EXPECT(!content && access(scene_path(it->result), F_OK) != 0);
    free(content);
}

/* Prepares row 'index' and lets somebody else in. */
static struct work *
prepare_late(size_t index, struct store *store)
{
    struct work *work = scene_work(store);

    for (size_t i = 0; i < ARRAY_SIZE(late[index].ops) && late[index].ops[i].kind; i++)
        EXPECT_OK(scene_do(work, &late[index].ops[i]));
    EXPECT_OK(scene_prepare(work));
    late[index].theirs(late[index].path);
    return work;
}

TEST(a_change_after_the_vote_is_kept_and_told) /* FI-04 */
{
    for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
        struct faulty_tree faulty;
        struct store *store;
        struct work *work;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
        store = scene_store(&faulty.tree);
        work = prepare_late(i, store);
        NTSTATUS status = work_commit(work);
        if (status != STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "row %zu: %s: %s", i, status_name(status),
                      work->why.text);
        expect_late(i, &work->conflicts);
        work_destroy(work);
        store_close(store);
    }
}

/* And told again by the recovery. */
TEST(a_change_after_the_vote_is_kept_whatever_dies) /* FI-04 FI-06 */
{
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        for (unsigned n = 1;; n++) {
            struct faulty_tree faulty;
            struct store *store;
            struct work *work;

            scene_reset(build);
            faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
            store = scene_store(&faulty.tree);
            work = prepare_late(i, store);
            faulty.accident = ACCIDENT_DEATH;
            faulty.at = faulty.count + n;
            bool was_done = work_commit(work) == STATUS_SUCCESS;
            work_destroy(work);
            store_close(store);
            faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
            faulty.is_checked = false;
            store = scene_store(&faulty.tree);
            struct explanation why = {0};
            NTSTATUS status = scene_load(store, &why, &work);
            if (status == STATUS_SUCCESS) {
                EXPECT_OK(work_commit(work));
                /* What leaves a trace on disk is told again. */
                if (late[i].kept)
                    expect_late(i, &work->conflicts);
                work_destroy(work);
            } else {
                EXPECT_EQ(STATUS_NOT_FOUND, status);
                EXPECT(was_done || faulty.count > 0);
            }
            char *content = scene_read(late[i].result);
            EXPECT_TEXT(late[i].content ? late[i].content : "", content ? content : "");
            if (late[i].kept)
                EXPECT(access(scene_path(late[i].kept), F_OK) == 0);
            free(content);
            store_close(store);
            if (was_done)
                break;
        }
}

TEST(a_rollback_after_the_vote_leaves_theirs) /* FI-05 */
{
    for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
        struct faulty_tree faulty;
        struct store *store;
        struct work *work;
        char *theirs, *got;

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
        store = scene_store(&faulty.tree);
        work = prepare_late(i, store);
        EXPECT_OK(work_rollback(work));
        work_destroy(work);
        store_close(store);
        got = scene_manifest(scene_tree());
        scene_expect_clean();
        scene_reset(build);
        late[i].theirs(late[i].path);
        theirs = scene_manifest(scene_tree());
        EXPECT_TEXT(theirs, got);
        free(theirs);
        free(got);
    }
}

TEST(names_kept_aside_do_not_collide_and_fit) /* FI-15 */
{
    static const struct op ops[] = {{PUT, "a", "mine\n"}};
    char name[256], *content;
    struct faulty_tree faulty;

    scene_reset(build);
    scene_write("a" TAG, "an old one\n");
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    struct store *store = scene_store(&faulty.tree);
    struct work *work = scene_work(store);
    memset(name, 'n', 255);
    name[255] = '\0';
    EXPECT_OK(scene_do(work, ops));
    EXPECT_OK(scene_do(work, &(struct op){PUT, name, "long\n"}));
    EXPECT_OK(scene_prepare(work));
    edit("a");
    create(name);
    EXPECT_OK(work_commit(work));
    EXPECT_EQ(2, work->conflicts.count);
    content = scene_read("a" TAG ".2");
    EXPECT_TEXT("theirs, edited\n", content);
    free(content);
    for (size_t i = 0; i < 2; i++)
        EXPECT(access(work->conflicts.at[i].kept_as, F_OK) == 0);
    work_destroy(work);
    store_close(store);
}

TEST(a_file_system_that_is_not_there_is_waited_for) /* FI-07 */
{
    static const struct op ops[] = {{PUT, "d/x", "mine\n"}, {ERASE, "a"}};
    struct faulty_tree faulty;

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    struct store *store = scene_store(&faulty.tree);
    struct work *work = scene_work(store);
    EACH (op, ops)
        EXPECT_OK(scene_do(work, op));
    EXPECT_OK(scene_prepare(work));
    work_destroy(work);
    store_close(store);

    displace("d"); /* as an empty mount point looks */
    store = scene_store(&faulty.tree);
    struct explanation why = {0};
    EXPECT_OK(scene_load(store, &why, &work));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, work_commit(work));
    EXPECT(strstr(work->why.text, "mounted"));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, work_commit(work));
    EXPECT_EQ(WORK_PREPARED, work->state);
    EXPECT(rmdir(scene_path("d")) == 0);
    EXPECT(rename(scene_path("d-moved"), scene_path("d")) == 0);
    EXPECT_OK(work_commit(work));
    EXPECT_EQ(0, work->conflicts.count);
    work_destroy(work);
    scene_sweep(store);
    store_close(store);
    char *content = scene_read("d/x");
    EXPECT_TEXT("mine\n", content);
    free(content);
    scene_expect_clean();
}

/* As tar or rsync put it back: the names are those, and the files are not. */
TEST(a_tree_that_was_put_back_from_a_copy_is_waited_for) /* FI-07 */
{
    static const struct op ops[] = {{PUT, "d/x", "mine\n"}, {ERASE, "d/e/y"}};
    struct faulty_tree faulty;
    char command[4096];

    scene_reset(build);
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    struct store *store = scene_store(&faulty.tree);
    struct work *work = scene_work(store);
    EACH (op, ops)
        EXPECT_OK(scene_do(work, op));
    EXPECT_OK(scene_prepare(work));
    work_destroy(work);
    store_close(store);

    EXPECT(rename(scene_path("d"), scene_path("kept")) == 0);
    snprintf(command, sizeof(command), "cp -a '%s' '%s'", scene_path("kept"), scene_path("d"));
    EXPECT_EQ(0, system(command)); /* NOLINT(cert-env33-c): our own words */
    store = scene_store(&faulty.tree);
    struct explanation why = {0};
    EXPECT_OK(scene_load(store, &why, &work));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, work_commit(work));
    EXPECT(strstr(work->why.text, "is not where it was"));
    char *content = scene_read("d/x");
    EXPECT_TEXT("x\n", content); /* and nothing of the copy was touched */
    free(content);
    EXPECT(access(scene_path("d/e/y"), F_OK) == 0);
    EXPECT(rename(scene_path("d"), scene_path("copy")) == 0);
    EXPECT(rename(scene_path("kept"), scene_path("d")) == 0);
    EXPECT_OK(work_commit(work));
    EXPECT_EQ(0, work->conflicts.count);
    work_destroy(work);
    store_close(store);
    content = scene_read("d/x");
    EXPECT_TEXT("mine\n", content);
    free(content);
    EXPECT(access(scene_path("d/e/y"), F_OK) != 0);
}
