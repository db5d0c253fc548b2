/* SPDX-License-Identifier: MIT */
/* Steps that are refused say so with a status and a sentence, and change nothing; what steps keep
 * of the files they replace; how much a transaction may hold. */
#include "tests/rm/file/scene.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void
build(void)
{
    scene_mkdir("d");
    scene_mkdir("d/e");
    scene_mkdir("empty");
    scene_write("a", "alpha\n");
    scene_write("d/x", "x\n");
    scene_write("hard", "two names\n");
    EXPECT(link(scene_path("hard"), scene_path("hard2")) == 0);
    EXPECT(symlink("a", scene_path("link")) == 0);
    EXPECT(symlink("d", scene_path("dlink")) == 0);
    EXPECT(symlink("loop", scene_path("loop")) == 0);
    EXPECT(symlink("nowhere", scene_path("dangling")) == 0);
    EXPECT(mkfifo(scene_path("pipe"), 0644) == 0);
}

static struct faulty_tree faulty;

static struct work *
open_work(struct store **store)
{
    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    *store = scene_store(&faulty.tree);
    return scene_work(*store);
}

static const struct {
    struct op first[3]; /* steps before it */
    struct op op;
    NTSTATUS status;
    const char *said;
} refusals[] = {
    {{}, {PUT, "d", "c"}, STATUS_FILE_IS_A_DIRECTORY, "is a directory, not a file"},
    {{}, {PUT, "link", "c"}, STATUS_OBJECT_TYPE_MISMATCH, "name the file it leads to"},
    {{}, {PUT, "pipe", "c"}, STATUS_OBJECT_TYPE_MISMATCH, "device, pipe or socket"},
    {{}, {PUT, "hard", "c"}, STATUS_TOO_MANY_LINKS, "has 2 hard links"},
    {{}, {APPEND, "hard", "c"}, STATUS_TOO_MANY_LINKS, "has 2 hard links"},
    {{}, {PUT, "none/c", "c"}, STATUS_OBJECT_PATH_NOT_FOUND, "there is no directory 'none'"},
    {{}, {PUT, "a/c", "c"}, STATUS_OBJECT_PATH_NOT_FOUND, "'a' is not a directory"},
    {{}, {PUT, "loop/c", "c"}, STATUS_OBJECT_PATH_SYNTAX_BAD, "too many symbolic links"},
    {{}, {PUT, "dangling/c", "c"}, STATUS_OBJECT_PATH_NOT_FOUND, "there is no directory 'nowhere'"},
    {{}, {PUT, "", "c"}, STATUS_OBJECT_NAME_INVALID, "path is empty"},
    {{}, {PUT, "d/..", "c"}, STATUS_OBJECT_NAME_INVALID, "does not end in a name"},
    {{}, {PUT, "/", "c"}, STATUS_OBJECT_NAME_INVALID, "does not end in a name"},
    {{}, {PUT, ".ktm.x", "c"}, STATUS_OBJECT_NAME_INVALID, "belong to transactions"},
    {{}, {PUT, "a", "c", 010000}, STATUS_INVALID_PARAMETER, "not a mode"},
    {{}, {ERASE, "none"}, STATUS_OBJECT_NAME_NOT_FOUND, "'none' does not exist"},
    {{}, {ERASE, "d"}, STATUS_FILE_IS_A_DIRECTORY, "rmdir"},
    {{}, {MKDIR, "a"}, STATUS_OBJECT_NAME_COLLISION, "exists already; it is a file"},
    {{}, {RMDIR, "d"}, STATUS_DIRECTORY_NOT_EMPTY, "it holds '"},
    {{}, {RMDIR, "a"}, STATUS_NOT_A_DIRECTORY, "remove it with delete"},
    {{}, {RMDIR, "dlink"}, STATUS_NOT_A_DIRECTORY, "a symbolic link"},
    {{}, {RMDIR, "none"}, STATUS_OBJECT_NAME_NOT_FOUND, "does not exist"},
    {{}, {RENAME, "none", "b"}, STATUS_OBJECT_NAME_NOT_FOUND, "does not exist"},
    {{}, {RENAME, "a", "link"}, STATUS_OBJECT_NAME_COLLISION, "a symbolic link"},
    {{}, {RENAME, "d", "d/e/d"}, STATUS_INVALID_PARAMETER, "inside the directory"},
    {{}, {REPLACE, "a", "d"}, STATUS_OBJECT_NAME_COLLISION, "only a file"},
    {{}, {REPLACE, "d", "a"}, STATUS_OBJECT_NAME_COLLISION, "only a file"},
    {{}, {REPLACE, "hard", "hard2"}, STATUS_TOO_MANY_LINKS, "hard links to one file"},
    {{}, {RENAME, "a", "/proc/a"}, STATUS_FILE_IDENTITY_NOT_PERSISTENT, "'/proc'"},
    {{}, {SYMLINK, "a", "t"}, STATUS_OBJECT_NAME_COLLISION, "exists already"},
    {{}, {SYMLINK, "n", ""}, STATUS_OBJECT_NAME_INVALID, "0 bytes"},
    {{}, {CHMOD, "link", NULL, 0600}, STATUS_OBJECT_TYPE_MISMATCH, "no mode of its own"},
    {{}, {CHMOD, "none", NULL, 0600}, STATUS_OBJECT_NAME_NOT_FOUND, "does not exist"},
    {{}, {TREE, "a", "d"}, STATUS_NOT_A_DIRECTORY, "place of a directory only"},
    {{}, {TREE, "d/e/t", "d"}, STATUS_INVALID_PARAMETER, "inside the directory"},
    {{}, {TREE, "d", "d"}, STATUS_INVALID_PARAMETER, "the same directory"},
    {{}, {TREE, "n", "none"}, STATUS_OBJECT_PATH_NOT_FOUND, "there is no directory 'none'"},
    {{}, {TREE, "n", "a"}, STATUS_OBJECT_PATH_NOT_FOUND, "not a directory"},
    {{{PUT, "b", "1"}}, {MKDIR, "b"}, STATUS_OBJECT_NAME_COLLISION, "it is a file"},
    {{{ERASE, "a"}}, {ERASE, "a"}, STATUS_OBJECT_NAME_NOT_FOUND, "step 2 (delete): "},
    {{{ERASE, "a"}}, {CHMOD, "a", NULL, 0600}, STATUS_OBJECT_NAME_NOT_FOUND, "does not exist"},
    {{{ERASE, "a"}}, {PUT, "a/x", "1"}, STATUS_OBJECT_PATH_NOT_FOUND, "no directory 'a'"},
    {{{RENAME, "d", "f"}}, {PUT, "d/y", "1"}, STATUS_OBJECT_PATH_NOT_FOUND, "no directory 'd'"},
    {{{RENAME, "d", "f"}}, {RENAME, "f", "f/e/f"}, STATUS_INVALID_PARAMETER, "inside"},
    {{{MKDIR, "n"}, {PUT, "n/x", "1"}}, {RMDIR, "n"}, STATUS_DIRECTORY_NOT_EMPTY, "holds 'x'"},
    {{{MKDIR, "n"}}, {RENAME, "n", "n/m"}, STATUS_INVALID_PARAMETER, "inside"},
    {{{MKDIR, "n"}}, {TREE, "m", "n"}, STATUS_INVALID_PARAMETER, "cannot be copied yet"},
    {{{MKDIR, "n"}, {PUT, "n/x", "1"}}, {TREE, "n", "d"}, STATUS_DIRECTORY_NOT_EMPTY, "not empty"},
    {{{PUT, "d/x", "1"}}, {TREE, "n", "d"}, STATUS_TRANSACTIONAL_CONFLICT, "step 1 of this"},
    {{{PUT, "d/x", "1"}}, {TREE, "d", "empty"}, STATUS_TRANSACTIONAL_CONFLICT, "step 1 of this"},
    {{{TREE, "n", "d"}, {RENAME, "n/e", "e"}, {ERASE, "n/x"}},
     {RMDIR, "n"},
     STATUS_TRANSACTIONAL_CONFLICT,
     "step "},
};

TEST(a_refused_step_says_why_and_changes_nothing) /* FI-08 FI-09 */
{
    EACH (row, refusals) {
        struct store *store;
        struct work *work;
        char *before, *after;

        scene_reset(build);
        work = open_work(&store);
        for (size_t i = 0; i < 3 && row->first[i].kind; i++)
            EXPECT_OK(scene_do(work, &row->first[i]));
        before = scene_outline_of_view(work);
        NTSTATUS status = scene_do(work, &row->op);
        if (status != row->status || !strstr(work->why.text, row->said) ||
            strncmp(work->why.text, "step ", 5) != 0)
            test_fail(__FILE__, __LINE__, "row %td: %s: '%s'", row - refusals, status_name(status),
                      work->why.text);
        after = scene_outline_of_view(work);
        EXPECT_TEXT(before, after);
        free(before);
        free(after);
        work_destroy(work);
        store_close(store);
        scene_expect_clean();
    }
}

TEST(preconditions_hold_or_say_what_does_not)
{
    static const uint8_t alpha[32] = {0xe9, 0xc7, 0x6c, 0x3c};
    struct store *store;

    scene_reset(build);
    struct work *work = open_work(&store);
    EXPECT_OK(work_expect_exists(work, "a"));
    EXPECT_OK(work_expect_exists(work, "dlink"));
    EXPECT_OK(work_expect_absent(work, "none"));
    EXPECT_OK(work_expect_absent(work, "none/deep"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, work_expect_exists(work, "none"));
    EXPECT(strstr(work->why.text, "expected to"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, work_expect_absent(work, "a"));
    EXPECT(strstr(work->why.text, "expected not to"));
    EXPECT_STATUS(STATUS_TRANSACTIONAL_CONFLICT, work_expect_sha256(work, "a", alpha));
    EXPECT(strstr(work->why.text, "its SHA-256 is "));
    EXPECT_STATUS(STATUS_FILE_IS_A_DIRECTORY, work_expect_sha256(work, "d", alpha));
    /* They see what earlier steps did. */
    EXPECT_OK(scene_do(work, &(struct op){ERASE, "a"}));
    EXPECT_OK(work_expect_absent(work, "a"));
    static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                    0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                    0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    EXPECT_OK(scene_do(work, &(struct op){PUT, "a", "abc"}));
    EXPECT_OK(work_expect_sha256(work, "a", abc));
    work_destroy(work);
    store_close(store);
}

/* ---- content ---- */

static NTSTATUS
read_some(void *context, void *into, size_t size, size_t *got)
{
    unsigned *left = context;

    *got = *left < size ? *left : size;
    memset(into, 'r', *got);
    *left -= (unsigned)*got;
    return STATUS_SUCCESS;
}

static NTSTATUS
read_fails(void *context, void *into, size_t size, size_t *got)
{
    if (*(unsigned *)context == 0)
        return STATUS_CANCELLED;
    return read_some(context, into, size, got);
}

TEST(content_comes_from_memory_files_pipes_and_functions)
{
    unsigned left = 700000;
    struct content from_function = {.fd = TREE_NOWHERE, .read = read_some, .context = &left};
    struct content from_file = {.fd = -1}, from_pipe = {.fd = -1};
    struct store *store;
    struct stat info;
    int pipes[2], sparse;

    scene_reset(build);
    sparse = open(scene_path("sparse"), O_RDWR | O_CREAT, 0644);
    EXPECT(pwrite(sparse, "end", 3, 8 << 20) == 3);
    EXPECT(pipe(pipes) == 0 && write(pipes[1], "piped", 5) == 5 && close(pipes[1]) == 0);
    struct work *work = open_work(&store);
    from_file.fd = sparse;
    from_pipe.fd = pipes[0];
    EXPECT_OK(work_put(work, "f", MODE_KEEP, &from_function));
    EXPECT_OK(work_put(work, "s", MODE_KEEP, &from_file));
    EXPECT_OK(work_append(work, "s", &from_file));
    EXPECT_OK(work_append(work, "a", &from_pipe));
    left = 5;
    from_function.read = read_fails;
    EXPECT_STATUS(STATUS_CANCELLED, work_append(work, "a", &from_function));
    EXPECT_STATUS(STATUS_CANCELLED, work_put(work, "g", MODE_KEEP, &from_function));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    store_close(store);
    EXPECT(stat(scene_path("f"), &info) == 0 && info.st_size == 700000);
    EXPECT(stat(scene_path("s"), &info) == 0 && info.st_size == 2 * ((8 << 20) + 3));
    EXPECT(info.st_blocks < 1024); /* holes stay holes */
    char *content = scene_read("a");
    EXPECT_TEXT("alpha\npiped", content);
    free(content);
    close(sparse);
    close(pipes[0]);
}

TEST(a_source_is_read_as_the_transaction_sees_it)
{
    struct store *store;
    char content[16];
    owned_fd int fd = TREE_NOWHERE;
    size_t got;

    scene_reset(build);
    struct work *work = open_work(&store);
    EXPECT_OK(scene_do(work, &(struct op){PUT, "a", "new"}));
    EXPECT_OK(scene_do(work, &(struct op){SYMLINK, "l2", "link"}));
    EXPECT_OK(work_open_source(work, "l2", &fd));
    EXPECT_OK(tree_read(tree_linux(), fd, content, sizeof(content), 0, &got));
    EXPECT_EQ(3, got);
    EXPECT_BYTES("new", content, 3);
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, work_open_source(work, "loop", &fd));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, work_open_source(work, "dangling", &fd));
    work_destroy(work);
    store_close(store);
}

/* ---- what is kept ---- */

/* system.posix_acl_access with a named user: version 2, then (tag, permissions, id) entries. */
static const uint8_t acl[] = {2,  0, 0, 0,                         /* version */
                              1,  0, 6, 0, 0xff, 0xff, 0xff, 0xff, /* owner rw- */
                              2,  0, 7, 0, 0x39, 0x30, 0,    0,    /* user 12345 rwx */
                              4,  0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* group r-- */
                              16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* mask rwx */
                              32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff /* others --- */};

TEST(a_replaced_file_keeps_owner_mode_acl_and_attributes) /* FI-02 */
{
    static const struct op ops[] = {{PUT, "a", "new\n"}, {APPEND, "d/x", "more\n"}};
    static const char *const paths[] = {"a", "d/x"};
    uint8_t got[sizeof(acl)];
    struct stat info;
    char value[8];

    scene_reset(build);
    EACH (path, paths) {
        if (geteuid() == 0)
            EXPECT(chown(scene_path(*path), 12, 34) == 0);
        EXPECT(chmod(scene_path(*path), 06654) == 0);
        if (setxattr(scene_path(*path), "system.posix_acl_access", acl, sizeof(acl), 0) != 0)
            SKIP("no ACLs on this file system");
        EXPECT(setxattr(scene_path(*path), "user.note", "kept", 4, 0) == 0);
        EXPECT(chmod(scene_path(*path), 06674) == 0);
    }
    scene_run(ops, ARRAY_SIZE(ops));
    EACH (path, paths) {
        EXPECT(stat(scene_path(*path), &info) == 0);
        EXPECT_EQ(06674, info.st_mode & 07777);
        if (geteuid() == 0)
            EXPECT(info.st_uid == 12 && info.st_gid == 34);
        EXPECT_EQ(4, getxattr(scene_path(*path), "user.note", value, sizeof(value)));
        EXPECT_EQ(sizeof(acl),
                  getxattr(scene_path(*path), "system.posix_acl_access", got, sizeof(got)));
    }
}

TEST(a_directory_with_a_default_acl_gives_it_to_new_files_only) /* FI-01 */
{
    static const struct op ops[] = {{PUT, "d/x", "replaced\n"},
                                    {PUT, "d/new", "new\n"},
                                    {MKDIR, "d/m"},
                                    {PUT, "d/m/n", "deep\n"}};
    uint8_t got[256];

    scene_reset(build);
    if (setxattr(scene_path("d"), "system.posix_acl_default", acl, sizeof(acl), 0) != 0)
        SKIP("no ACLs on this file system");
    scene_run(ops, ARRAY_SIZE(ops));
    EXPECT(getxattr(scene_path("d/x"), "system.posix_acl_access", got, sizeof(got)) < 0);
    EXPECT(getxattr(scene_path("d/new"), "system.posix_acl_access", got, sizeof(got)) > 0);
    EXPECT(getxattr(scene_path("d/m"), "system.posix_acl_default", got, sizeof(got)) > 0);
    EXPECT(getxattr(scene_path("d/m/n"), "system.posix_acl_access", got, sizeof(got)) > 0);
}

static ino_t made_in[8];
static size_t made_count;

static NTSTATUS
make_and_note(struct tree *tree, int at, uint32_t mode, int *fd)
{
    struct stat info;

    EXPECT(fstat(at, &info) == 0 && made_count < ARRAY_SIZE(made_in));
    made_in[made_count++] = info.st_ino;
    return tree_linux()->table->file_make(tree, at, mode, fd);
}

/* On the same mount, with the same default ACL, label and quota. */
TEST(new_content_is_made_where_it_is_meant_for) /* FI-01 */
{
    static const struct op ops[] = {{PUT, "d/x", "replaced\n"},
                                    {PUT, "d/e/new", "new\n"},
                                    {APPEND, "a", "more\n"},
                                    {MKDIR, "m"},
                                    {PUT, "m/deep", "deep\n"}};
    static const char *const places[] = {"d", "d/e", "", "" /* 'm' is not there yet */};
    struct tree_table table;
    struct store *store;
    struct stat info;

    scene_reset(build);
    struct work *work = open_work(&store);
    table = *faulty.tree.table;
    table.file_make = make_and_note;
    faulty.tree.table = &table;
    EACH (op, ops)
        EXPECT_OK(scene_do(work, op));
    EXPECT_EQ(ARRAY_SIZE(places), made_count);
    for (size_t i = 0; i < made_count; i++) {
        EXPECT(stat(scene_path(places[i]), &info) == 0);
        EXPECT_EQ(info.st_ino, made_in[i]);
    }
    work_destroy(work);
    store_close(store);
    scene_expect_clean();
}

/* ---- file systems that cannot ---- */

static NTSTATUS
no_unnamed_files(struct tree *tree, int at, uint32_t mode, int *fd)
{
    (void)tree;
    (void)at;
    (void)mode;
    (void)fd;
    return STATUS_NOT_SUPPORTED;
}

static NTSTATUS (*real_rename)(struct tree *, int, const char *, int, const char *,
                               enum tree_rename);

static NTSTATUS
no_exchange(struct tree *tree, int at, const char *from, int to_at, const char *to,
            enum tree_rename how)
{
    return how == TREE_EXCHANGE ? STATUS_INVALID_PARAMETER
                                : real_rename(tree, at, from, to_at, to, how);
}

static NTSTATUS
not_certain(struct tree *tree, int at, bool *out)
{
    (void)tree;
    (void)at;
    *out = false;
    return STATUS_SUCCESS;
}

static NTSTATUS
no_birth(struct tree *tree, int at, const char *name, struct tree_info *out)
{
    NTSTATUS status = tree_linux()->table->info(tree, at, name, out);

    out->born = 0;
    return status;
}

static NTSTATUS
layered(struct tree *tree, int at, bool *out)
{
    (void)tree;
    (void)at;
    *out = false;
    return STATUS_SUCCESS;
}

static NTSTATUS
no_directory_moves(struct tree *tree, int at, const char *from, int to_at, const char *to,
                   enum tree_rename how)
{
    return strcmp(from, "d") == 0 ? STATUS_NOT_SAME_DEVICE
                                  : real_rename(tree, at, from, to_at, to, how);
}

TEST(a_file_system_that_cannot_is_refused_before_the_vote) /* FI-11 */
{
    struct store *store;
    struct tree_table table;

    scene_reset(build);
    struct work *work = open_work(&store);
    table = *faulty.tree.table;
    real_rename = table.rename;
    faulty.tree.table = &table;

    table.file_make = no_unnamed_files;
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, scene_do(work, &(struct op){PUT, "a", "n"}));
    EXPECT(strstr(work->why.text, "O_TMPFILE"));
    table.info = no_birth;
    EXPECT_STATUS(STATUS_FILE_IDENTITY_NOT_PERSISTENT, scene_do(work, &(struct op){ERASE, "d/x"}));
    EXPECT(strstr(work->why.text, "when a file was created"));
    table = *tree_linux()->table;

    EXPECT_OK(scene_do(work, &(struct op){ERASE, "a"}));
    table.may_exchange = not_certain;
    table.rename = no_exchange;
    real_rename = tree_linux()->table->rename;
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, scene_prepare(work));
    EXPECT(strstr(work->why.text, "RENAME_EXCHANGE"));
    EXPECT_EQ(WORK_ROLLED_BACK, work->state);
    work_destroy(work);

    /* As overlayfs does with a directory of a lower layer, and with one of its own. */
    table.may_move_directories = layered;
    table.rename = no_directory_moves;
    work = scene_work(store);
    EXPECT_OK(scene_do(work, &(struct op){RENAME, "d", "d2"}));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, scene_prepare(work));
    EXPECT(strstr(work->why.text, "overlay"));
    work_destroy(work);
    work = scene_work(store);
    EXPECT_OK(scene_do(work, &(struct op){RENAME, "empty", "full"}));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    store_close(store);
    EXPECT(access(scene_path("full"), F_OK) == 0 && access(scene_path("d/x"), F_OK) == 0);
    scene_expect_clean();
}

static bool
knows_its_birth(const char *path)
{
    struct statx info;

    return statx(AT_FDCWD, path, 0, STATX_BTIME, &info) == 0 && info.stx_btime.tv_sec != 0;
}

/* A directory that is not on the file system of the tree, which may be in memory; NULL: none that
 * is fit for it. */
static const char *
elsewhere(void)
{
    const char *const places[] = {test_directory(), "/dev/shm", "/var/tmp"};
    struct stat here, there;

    EXPECT(stat(scene_tree(), &here) == 0);
    EACH (place, places)
        if (stat(*place, &there) == 0 && here.st_dev != there.st_dev && access(*place, W_OK) == 0 &&
            knows_its_birth(*place))
            return *place;
    return NULL;
}

TEST(another_mount_is_refused) /* FI-10 */
{
    struct store *store;
    char other[4200];

    scene_reset(build);
    if (!elsewhere())
        SKIP("no second file system to write to");
    snprintf(other, sizeof(other), "%s/ktm-test-%d", elsewhere(), getpid());
    struct work *work = open_work(&store);
    EXPECT_STATUS(STATUS_NOT_SAME_DEVICE, scene_do(work, &(struct op){RENAME, "a", other}));
    EXPECT(strstr(work->why.text, "different file systems"));
    EXPECT_OK(scene_do(work, &(struct op){PUT, "n", "1"}));
    EXPECT_STATUS(STATUS_NOT_SAME_DEVICE, scene_do(work, &(struct op){RENAME, "n", other}));
    /* Changes on both are one transaction all the same. */
    EXPECT_OK(scene_do(work, &(struct op){PUT, other, "2"}));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    store_close(store);
    EXPECT(unlink(other) == 0);
    scene_expect_clean();
}

/* The kernel does not rename across mounts, though it is one file system. */
TEST(a_bind_mount_of_the_same_file_system_is_refused) /* FI-10 */
{
    struct store *store;

    scene_reset(build);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(scene_path("d"), scene_path("empty"), NULL, MS_BIND, NULL) != 0)
        SKIP("nothing can be mounted here");
    struct work *work = open_work(&store);
    EXPECT_STATUS(STATUS_NOT_SAME_DEVICE, scene_do(work, &(struct op){RENAME, "a", "empty/a"}));
    EXPECT(strstr(work->why.text, "mounts"));
    EXPECT_OK(scene_do(work, &(struct op){PUT, "empty/new", "1"}));
    EXPECT_OK(scene_prepare(work));
    EXPECT_OK(work_commit(work));
    work_destroy(work);
    store_close(store);
    EXPECT(umount(scene_path("empty")) == 0);
    EXPECT(access(scene_path("d/new"), F_OK) == 0);
    scene_expect_clean();
}

/* ---- much ---- */

#define MANY      600
#define MANY_DIRS 150

TEST(hundreds_of_steps_need_few_descriptors_and_one_sync_for_each_thing)
{
    struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
    struct store *store;
    char path[64], *content;

    scene_reset(NULL);
    for (int i = 0; i < MANY_DIRS; i++) {
        snprintf(path, sizeof(path), "d%d", i);
        scene_mkdir(path);
        snprintf(path, sizeof(path), "d%d/old", i);
        scene_write(path, "old\n");
    }
    EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
    struct work *work = open_work(&store);
    unsigned syncs_before = faulty.syncs;
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "d%d/f%d", i % MANY_DIRS, i);
        EXPECT_OK(scene_do(work, &(struct op){PUT, path, "new\n"}));
    }
    for (int i = 0; i < MANY_DIRS; i++) {
        snprintf(path, sizeof(path), "d%d/old", i);
        EXPECT_OK(scene_do(work, &(struct op){i % 2 ? ERASE : APPEND, path, "and new\n"}));
    }
    /* One that was put away can be read and added to. */
    EXPECT_OK(scene_do(work, &(struct op){APPEND, "d0/f0", "more\n"}));
    EXPECT_OK(scene_prepare(work));
    unsigned syncs_prepare = faulty.syncs - syncs_before;
    /* Each file and each directory once, intent and a few notes twice. */
    if (syncs_prepare > MANY + MANY_DIRS / 2 + MANY_DIRS + 20)
        test_fail(__FILE__, __LINE__, "%u syncs to prepare", syncs_prepare);
    syncs_before = faulty.syncs;
    EXPECT_OK(work_commit(work));
    if (faulty.syncs - syncs_before > 2 * MANY_DIRS + 2)
        test_fail(__FILE__, __LINE__, "%u syncs to commit", faulty.syncs - syncs_before);
    work_destroy(work);
    store_close(store);
    content = scene_read("d0/f0");
    EXPECT_TEXT("new\nmore\n", content);
    free(content);
    content = scene_read("d2/old");
    EXPECT_TEXT("old\nand new\n", content);
    free(content);
    EXPECT(access(scene_path("d1/old"), F_OK) != 0);
    scene_expect_clean();
}

TEST(many_open_files_that_die_leave_nothing) /* FI-12 */
{
    for (unsigned n = 500; n < 3000; n += 97) {
        struct explanation why = {0};
        struct store *store;
        char path[64];

        scene_reset(build);
        faulty_tree_init(&faulty, ACCIDENT_DEATH, n);
        EXPECT_OK(store_open(&faulty.tree, scene_home(), &scene_rm, &why, &store));
        store->staged_open_max = n % 2 ? 100 : 1000; /* some are put away, or none */
        struct work *work = scene_work(store);
        NTSTATUS status = STATUS_SUCCESS;
        for (int i = 0; status == STATUS_SUCCESS && i < 200; i++) {
            snprintf(path, sizeof(path), "%s/f%d", i % 2 ? "d" : "empty", i);
            status = scene_do(work, &(struct op){PUT, path, "new\n"});
        }
        if (status == STATUS_SUCCESS)
            status = scene_prepare(work);
        bool prepared = status == STATUS_SUCCESS;
        if (prepared)
            status_forgive(work_commit(work));
        work_destroy(work);
        store_close(store);
        scene_recover(prepared);
        EXPECT_EQ(prepared ? 0 : -1, access(scene_path("d/f199"), F_OK));
        EXPECT_EQ(prepared ? 0 : -1, access(scene_path("empty/f0"), F_OK));
        scene_expect_clean();
    }
}
