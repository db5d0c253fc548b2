/* SPDX-License-Identifier: MIT */
#include "tests/rm/file/scene.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

const GUID scene_rm = {0x11111111, 0x2222, 0x3333, {1, 2, 3, 4, 5, 6, 7, 8}};
const GUID scene_tx = {0xabcdef01, 0x2345, 0x6789, {8, 7, 6, 5, 4, 3, 2, 1}};

/* ---- sets of inodes ---- */

static void
set_add(uint64_t *set, size_t *count, uint64_t inode)
{
    for (size_t i = 0; i < *count; i++)
        if (set[i] == inode)
            return;
    EXPECT(*count < 4096);
    set[(*count)++] = inode;
}

static bool
set_has(const uint64_t *set, size_t count, uint64_t inode)
{
    for (size_t i = 0; i < count; i++)
        if (set[i] == inode)
            return true;
    return false;
}

static void
set_remove(uint64_t *set, size_t *count, uint64_t inode)
{
    for (size_t i = 0; i < *count; i++)
        if (set[i] == inode) {
            set[i] = set[--*count];
            return;
        }
}

/* ---- the faulty operating system ---- */

static struct faulty_tree *
faulty_of(struct tree *tree)
{
    return container_of(tree, struct faulty_tree, tree);
}

/* Counts a mutation; whether it may happen. */
static NTSTATUS
mutate(struct tree *tree, bool adds)
{
    struct faulty_tree *self = faulty_of(tree);

    self->count++;
    if (self->is_dead)
        return STATUS_IO_DEVICE_ERROR;
    if (self->at == 0 || self->count < self->at)
        return STATUS_SUCCESS;
    if (self->accident == ACCIDENT_FULL)
        return adds ? STATUS_DISK_FULL : STATUS_SUCCESS;
    if (self->count > self->at)
        return STATUS_SUCCESS;
    self->is_dead = self->accident == ACCIDENT_DEATH;
    return STATUS_IO_DEVICE_ERROR;
}

static uint64_t
inode_of(int fd, const char *name)
{
    struct stat info;

    return fstatat(fd, name, &info, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? info.st_ino : 0;
}

static void
dir_dirty(struct tree *tree, int at)
{
    struct faulty_tree *self = faulty_of(tree);

    set_add(self->dirty_dirs, &self->dirty_dir_count, inode_of(at, ""));
}

static void
file_dirty(struct tree *tree, int fd)
{
    struct faulty_tree *self = faulty_of(tree);

    set_add(self->dirty_files, &self->dirty_file_count, inode_of(fd, ""));
}

static void
is_linked(struct tree *tree, int at, const char *name)
{
    struct faulty_tree *self = faulty_of(tree);

    set_add(self->linked, &self->linked_count, inode_of(at, name));
}

static void
is_gone(struct tree *tree, uint64_t inode)
{
    struct faulty_tree *self = faulty_of(tree);

    set_remove(self->dirty_dirs, &self->dirty_dir_count, inode);
    set_remove(self->dirty_files, &self->dirty_file_count, inode);
    set_remove(self->linked, &self->linked_count, inode);
}

/* Nothing that has a name is dirty, but for the directory 'except'. */
static void
expect_durable(struct tree *tree, int except, const char *what)
{
    struct faulty_tree *self = faulty_of(tree);

    if (!self->is_checked)
        return;
    for (size_t i = 0; i < self->dirty_file_count; i++)
        if (set_has(self->linked, self->linked_count, self->dirty_files[i]))
            test_fail(__FILE__, __LINE__,
                      "%s (mutation %u, accident at %u): file with inode %llu "
                      "was not synced",
                      what, self->count, self->at, (unsigned long long)self->dirty_files[i]);
    for (size_t i = 0; i < self->dirty_dir_count; i++)
        if (self->dirty_dirs[i] != inode_of(except, ""))
            test_fail(__FILE__, __LINE__,
                      "%s (mutation %u, accident at %u): directory with inode "
                      "%llu was not synced",
                      what, self->count, self->at, (unsigned long long)self->dirty_dirs[i]);
}

void
faulty_expect_durable(struct faulty_tree *faulty, const char *what)
{
    expect_durable(&faulty->tree, -1, what);
}

static bool
ends_in(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static bool
is_intent(int at, const char *name)
{
    char magic[8] = "";
    int fd = openat(at, name, O_RDONLY);
    bool is = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
              memcmp(magic, "KTMFINTE", sizeof(magic)) == 0;

    if (fd >= 0)
        close(fd);
    return is;
}

static NTSTATUS
seek_yard(void *context, const struct yard_line *line)
{
    uint64_t *sought = context;

    if (line->inode == *sought)
        *sought = 0;
    return STATUS_SUCCESS;
}

static bool
is_hidden(const char *name)
{
    return strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0;
}

/* A hidden name is made in a directory that the home knows as a yard, or inside something hidden.
 */
static void
expect_yard(struct tree *tree, int at, const char *name)
{
    static uint8_t list[1 << 20];
    char path[8192], where[64], real[8192] = "";
    uint64_t sought = inode_of(at, "");
    ssize_t size = 0;
    GUID home;
    int fd;

    if (!is_hidden(name) || !faulty_of(tree)->is_checked)
        return;
    snprintf(where, sizeof(where), "/proc/self/fd/%d", at);
    if (readlink(where, real, sizeof(real) - 1) > 0 && strstr(real, "/" HIDDEN_PREFIX))
        return;
    snprintf(path, sizeof(path), "%s/file/" NAME_YARDS, scene_home());
    fd = open(path, O_RDONLY);
    if (fd >= 0) {
        size = read(fd, list, sizeof(list));
        NTSTATUS status = yards_decode(bytes_of(list, (size_t)size), &home, seek_yard, &sought);
        close(fd);
        if (status == STATUS_INSUFFICIENT_RESOURCES)
            return; /* in a test of that */
        EXPECT_OK(status);
    }
    if (sought)
        test_fail(__FILE__, __LINE__, "'%s/%s' is made, and nobody knows of it", real, name);
}

static NTSTATUS
f_link(struct tree *tree, int fd, int at, const char *name)
{
    TRY(mutate(tree, true));
    expect_yard(tree, at, name);
    TRY(tree_link(tree_linux(), fd, at, name));
    dir_dirty(tree, at);
    is_linked(tree, at, name);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_rename(struct tree *tree, int at, const char *from, int to_at, const char *to,
         enum tree_rename how)
{
    uint64_t replaced = how == TREE_REPLACE ? inode_of(to_at, to) : 0;

    TRY(mutate(tree, how == TREE_KEEP));
    if (ends_in(to, ".promise") && is_intent(at, from))
        expect_durable(tree, to_at, "an intent is written");
    if (replaced)
        is_gone(tree, replaced);
    expect_yard(tree, to_at, to);
    TRY(tree_rename(tree_linux(), at, from, to_at, to, how));
    dir_dirty(tree, at);
    dir_dirty(tree, to_at);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_unlink(struct tree *tree, int at, const char *name)
{
    uint64_t inode = inode_of(at, name);

    TRY(mutate(tree, false));
    if (ends_in(name, ".promise") && strncmp(name, "new.", 4) != 0)
        expect_durable(tree, at, "a promise is removed");
    TRY(tree_unlink(tree_linux(), at, name));
    is_gone(tree, inode);
    if (!is_hidden(name)) /* else it may come back: it is in a yard */
        dir_dirty(tree, at);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_directory_make(struct tree *tree, int at, const char *name, uint32_t mode)
{
    TRY(mutate(tree, true));
    expect_yard(tree, at, name);
    TRY(tree_directory_make(tree_linux(), at, name, mode));
    dir_dirty(tree, at);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_directory_remove(struct tree *tree, int at, const char *name)
{
    uint64_t inode = inode_of(at, name);

    TRY(mutate(tree, false));
    TRY(tree_directory_remove(tree_linux(), at, name));
    is_gone(tree, inode);
    if (!is_hidden(name))
        dir_dirty(tree, at);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_symlink(struct tree *tree, const char *text, int at, const char *name)
{
    TRY(mutate(tree, true));
    expect_yard(tree, at, name);
    TRY(tree_symlink(tree_linux(), text, at, name));
    dir_dirty(tree, at);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_file_make(struct tree *tree, int at, uint32_t mode, int *fd)
{
    TRY(mutate(tree, true));
    return tree_file_make(tree_linux(), at, mode, fd);
}

static NTSTATUS
f_file_create(struct tree *tree, int at, const char *name, uint32_t mode, int *fd)
{
    TRY(mutate(tree, true));
    TRY(tree_file_create(tree_linux(), at, name, mode, fd));
    dir_dirty(tree, at);
    if (strcmp(name, "lock") != 0) /* its name is all that counts, and only while we live */
        file_dirty(tree, *fd);
    is_linked(tree, *fd, "");
    return STATUS_SUCCESS;
}

static uint64_t
lock_inode(void)
{
    char path[8192];

    snprintf(path, sizeof(path), "%s/file/lock", scene_home());
    return inode_of(AT_FDCWD, path);
}

static NTSTATUS
f_write(struct tree *tree, int fd, const void *from, size_t size, uint64_t offset)
{
    NTSTATUS status = mutate(tree, true);

    if (inode_of(fd, "") != lock_inode()) /* what is in it is a hint */
        file_dirty(tree, fd);
    if (status != STATUS_SUCCESS) { /* torn: half of it arrives */
        if (faulty_of(tree)->count == faulty_of(tree)->at)
            EXPECT_OK(tree_write(tree_linux(), fd, from, size / 2, offset));
        return status;
    }
    return tree_write(tree_linux(), fd, from, size, offset);
}

static NTSTATUS
f_allocate(struct tree *tree, int fd, uint64_t size)
{
    TRY(mutate(tree, true));
    file_dirty(tree, fd);
    return tree_allocate(tree_linux(), fd, size);
}

static NTSTATUS
f_truncate(struct tree *tree, int fd, uint64_t size)
{
    TRY(mutate(tree, false));
    file_dirty(tree, fd);
    return tree_truncate(tree_linux(), fd, size);
}

static NTSTATUS
f_copy(struct tree *tree, int from, int to, uint64_t offset, uint64_t *size)
{
    TRY(mutate(tree, true));
    file_dirty(tree, to);
    return tree_copy(tree_linux(), from, to, offset, size);
}

static NTSTATUS
f_mode_set(struct tree *tree, int fd, uint32_t mode)
{
    TRY(mutate(tree, false));
    TRY(tree_mode_set(tree_linux(), fd, mode));
    file_dirty(tree, fd);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_owner_set(struct tree *tree, int fd, uint32_t owner, uint32_t group)
{
    TRY(mutate(tree, false));
    TRY(tree_owner_set(tree_linux(), fd, owner, group));
    return STATUS_SUCCESS;
}

static NTSTATUS
f_attributes_copy(struct tree *tree, int from, int to, const char **which)
{
    *which = "";
    TRY(mutate(tree, true));
    file_dirty(tree, to);
    return tree_attributes_copy(tree_linux(), from, to, which);
}

static NTSTATUS
f_times_set(struct tree *tree, int fd, int64_t written)
{
    TRY(mutate(tree, false));
    return tree_times_set(tree_linux(), fd, written);
}

/* Counted and remembered, but not done: nobody pulls the plug of this machine. */
static NTSTATUS
f_sync(struct tree *tree, int fd)
{
    struct faulty_tree *self = faulty_of(tree);
    uint64_t inode = inode_of(fd, "");

    TRY(mutate(tree, false));
    self->syncs++;
    set_remove(self->dirty_dirs, &self->dirty_dir_count, inode);
    set_remove(self->dirty_files, &self->dirty_file_count, inode);
    return STATUS_SUCCESS;
}

static NTSTATUS
f_sync_all(struct tree *tree, int fd)
{
    struct faulty_tree *self = faulty_of(tree);

    (void)fd;
    TRY(mutate(tree, false));
    self->syncs++;
    self->dirty_dir_count = self->dirty_file_count = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS
f_write_back(struct tree *tree, int fd)
{
    (void)tree;
    (void)fd;
    return STATUS_SUCCESS;
}

void
faulty_tree_init(struct faulty_tree *faulty, enum accident accident, unsigned at)
{
    static struct tree_table table;

    table = *tree_linux()->table;
    table.link = f_link;
    table.rename = f_rename;
    table.unlink = f_unlink;
    table.directory_make = f_directory_make;
    table.directory_remove = f_directory_remove;
    table.symlink = f_symlink;
    table.file_make = f_file_make;
    table.file_create = f_file_create;
    table.write = f_write;
    table.allocate = f_allocate;
    table.truncate = f_truncate;
    table.copy = f_copy;
    table.mode_set = f_mode_set;
    table.owner_set = f_owner_set;
    table.attributes_copy = f_attributes_copy;
    table.times_set = f_times_set;
    table.write_back = f_write_back;
    table.sync = f_sync;
    table.sync_all = f_sync_all;
    *faulty = (struct faulty_tree){
        .tree = {.table = &table}, .accident = accident, .at = at, .is_checked = true};
}

/* ---- places ---- */

static const char *
place(const char *name)
{
    static char paths[3][4096];
    char *path = paths[name[0] == 'h' ? 0 : name[1] == 'w' ? 1 : 2];
    char *real;

    if (!path[0]) {
        real = realpath(test_sweep_is_full() ? test_directory() : test_memory_directory(), NULL);
        EXPECT(real);
        snprintf(path, sizeof(paths[0]), "%s/%s", real, name);
        free(real);
    }
    return path;
}

const char *
scene_home(void)
{
    return place("home");
}

const char *
scene_tree(void)
{
    return place("tree");
}

const char *
scene_twin(void)
{
    return place("twin");
}

const char *
scene_path(const char *relative)
{
    static char buffers[8][8192];
    static unsigned next;
    char *buffer = buffers[next++ % 8];

    snprintf(buffer, sizeof(buffers[0]), "%s%s%s", scene_tree(), relative[0] ? "/" : "", relative);
    return buffer;
}

static void
remove_all(const char *path)
{
    int at = open("/", O_RDONLY | O_DIRECTORY);

    EXPECT(at >= 0);
    EXPECT_OK(copy_remove(tree_linux(), at, path + 1));
    close(at);
}

static void kept_forget(void);

void
scene_reset(void (*build)(void))
{
    umask(022);
    remove_all(scene_home());
    remove_all(scene_tree());
    remove_all(scene_twin());
    kept_forget();
    EXPECT(mkdir(scene_home(), 0700) == 0);
    EXPECT(mkdir(scene_tree(), 0755) == 0);
    if (build)
        build();
}

void
scene_write(const char *relative, const char *content)
{
    int fd = open(scene_path(relative), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    EXPECT(fd >= 0);
    EXPECT_EQ(strlen(content), write(fd, content, strlen(content)));
    close(fd);
}

void
scene_attribute(const char *relative, const char *value)
{
    EXPECT(setxattr(scene_path(relative), "user.colour", value, strlen(value), 0) == 0 ||
           errno == EOPNOTSUPP);
}

void
scene_mkdir(const char *relative)
{
    EXPECT(mkdir(scene_path(relative), 0755) == 0);
}

char *
scene_read(const char *relative)
{
    int fd = open(scene_path(relative), O_RDONLY);
    char *content = calloc(1, 1 << 20);

    if (fd < 0) {
        free(content);
        return NULL;
    }
    EXPECT(read(fd, content, (1 << 20) - 1) >= 0);
    close(fd);
    return content;
}

/* ---- manifests ---- */

struct lines {
    char **at;
    size_t count;
};

static void
lines_add(struct lines *lines, char *line)
{
    lines->at = realloc(lines->at, (lines->count + 1) * sizeof(char *));
    EXPECT(lines->at && line);
    lines->at[lines->count++] = line;
}

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t
hash_of_file(const char *path)
{
    char buffer[4096];
    uint64_t hash = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_NOFOLLOW);

    if (fd < 0)
        return 1;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        hash = hash_bytes(hash, buffer, (size_t)n);
    close(fd);
    return hash;
}

static uint64_t
hash_of_attributes(const char *path)
{
    char names[4096], value[4096];
    ssize_t size = llistxattr(path, names, sizeof(names)), n;
    uint64_t sum = 0;

    for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
        n = lgetxattr(path, name, value, sizeof(value));
        sum += hash_bytes(hash_text(7, name), value, n > 0 ? (size_t)n : 0);
    }
    return sum;
}

/* Everything a name stands for. */
static char *
full_line(const char *path, const char *name, const struct stat *info)
{
    char target[4096] = "", *line;

    if (S_ISLNK(info->st_mode))
        EXPECT(readlink(path, target, sizeof(target) - 1) > 0);
    EXPECT(asprintf(&line, "%s %o %u:%u %lld %016llx %016llx %s\n", name, info->st_mode,
                    info->st_uid, info->st_gid,
                    S_ISREG(info->st_mode) ? (long long)info->st_size : 0,
                    (unsigned long long)(S_ISREG(info->st_mode) ? hash_of_file(path) : 0),
                    (unsigned long long)hash_of_attributes(path), target) > 0);
    return line;
}

static char *
outline_line(const char *path, const char *name, const struct stat *info)
{
    char target[4096] = "", *line;

    if (S_ISLNK(info->st_mode))
        EXPECT(readlink(path, target, sizeof(target) - 1) > 0);
    EXPECT(asprintf(&line, "%s %c %016llx %s\n", name,
                    S_ISDIR(info->st_mode)   ? 'd'
                    : S_ISLNK(info->st_mode) ? 'l'
                                             : 'f',
                    (unsigned long long)(S_ISREG(info->st_mode) ? hash_of_file(path) : 0),
                    target) > 0);
    return line;
}

static void
collect(struct lines *lines, const char *top, const char *below,
        char *(*line_of)(const char *path, const char *name, const struct stat *info))
{
    char *path, *inner;
    DIR *directory;
    struct dirent *entry;
    struct stat info;

    EXPECT(asprintf(&path, "%s%s%s", top, below[0] ? "/" : "", below) > 0);
    directory = opendir(path);
    EXPECT(directory);
    free(path);
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        EXPECT(asprintf(&inner, "%s%s%s", below, below[0] ? "/" : "", entry->d_name) > 0);
        EXPECT(asprintf(&path, "%s/%s", top, inner) > 0);
        EXPECT(lstat(path, &info) == 0);
        lines_add(lines, line_of(path, inner, &info));
        if (S_ISDIR(info.st_mode))
            collect(lines, top, inner, line_of);
        free(inner);
        free(path);
    }
    closedir(directory);
}

/* Sorted and joined; frees the lines. */
static char *
lines_join(struct lines *lines)
{
    size_t size = 1;
    char *text;

    if (lines->count)
        qsort(lines->at, lines->count, sizeof(char *), compare_lines);
    for (size_t i = 0; i < lines->count; i++)
        size += strlen(lines->at[i]);
    text = calloc(1, size);
    EXPECT(text);
    for (size_t i = 0, at = 0; i < lines->count; i++) {
        strcpy(text + at, lines->at[i]);
        at += strlen(lines->at[i]);
        free(lines->at[i]);
    }
    free(lines->at);
    return text;
}

char *
scene_manifest(const char *top)
{
    struct lines lines = {0};

    collect(&lines, top, "", full_line);
    return lines_join(&lines);
}

char *
scene_outline(const char *top)
{
    struct lines lines = {0};

    collect(&lines, top, "", outline_line);
    return lines_join(&lines);
}

/* ---- what a transaction sees ---- */

struct looking {
    struct work *work;
    struct lines *lines;
    const char *below;
};

static uint64_t
hash_in_view(struct work *work, const char *path)
{
    char buffer[4096];
    uint64_t hash = 0, offset = 0;
    size_t got;

    for (;;) {
        EXPECT_OK(work_read(work, path, offset, buffer, sizeof(buffer), &got));
        if (got == 0)
            return hash;
        hash = hash_bytes(hash, buffer, got);
        offset += got;
    }
}

static NTSTATUS
look_at(void *context, const char *name)
{
    struct looking *self = context, inside;
    char *path, *line, *target = NULL;
    struct tree_info info;

    EXPECT(asprintf(&path, "%s%s%s", self->below, self->below[0] ? "/" : "", name) > 0);
    EXPECT_OK(work_stat(self->work, path, &info));
    if (info.kind == TREE_SYMLINK)
        EXPECT_OK(work_readlink(self->work, path, &target));
    EXPECT(
        asprintf(&line, "%s %c %016llx %s\n", path,
                 info.kind == TREE_DIRECTORY ? 'd'
                 : info.kind == TREE_SYMLINK ? 'l'
                                             : 'f',
                 (unsigned long long)(info.kind == TREE_FILE ? hash_in_view(self->work, path) : 0),
                 target ? target : "") > 0);
    lines_add(self->lines, line);
    inside = (struct looking){.work = self->work, .lines = self->lines, .below = path};
    if (info.kind == TREE_DIRECTORY)
        EXPECT_OK(work_list(self->work, path, look_at, &inside));
    free(target);
    free(path);
    return STATUS_SUCCESS;
}

char *
scene_outline_of_view(struct work *work)
{
    struct lines lines = {0};
    struct looking top = {.work = work, .lines = &lines, .below = ""};

    EXPECT_OK(work_list(work, ".", look_at, &top));
    return lines_join(&lines);
}

void
scene_expect_clean(void)
{
    char *manifest = scene_manifest(scene_tree()), path[8192];
    DIR *directory;
    struct dirent *entry;

    if (strstr(manifest, ".ktm"))
        test_fail(__FILE__, __LINE__, "left in the tree:\n%s", manifest);
    free(manifest);
    snprintf(path, sizeof(path), "%s/file", scene_home());
    directory = opendir(path);
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "identity") != 0 &&
            strcmp(entry->d_name, "lock") != 0)
            test_fail(__FILE__, __LINE__, "left in the home: %s", entry->d_name);
    if (directory)
        closedir(directory);
}

/* ---- steps ---- */

NTSTATUS
scene_do(struct work *work, const struct op *op)
{
    struct content content = {.at = op->b, .size = op->b ? strlen(op->b) : 0, .fd = TREE_NOWHERE};
    uint32_t mode = op->mode ? op->mode : MODE_KEEP;

    switch (op->kind) {
    case PUT:
        return work_put(work, op->a, mode, &content);
    case APPEND:
        return work_append(work, op->a, &content);
    case ERASE:
        return work_delete(work, op->a);
    case MKDIR:
        return work_make_directory(work, op->a, mode);
    case RMDIR:
        return work_remove_directory(work, op->a);
    case RENAME:
        return work_rename(work, op->a, op->b, false);
    case REPLACE:
        return work_rename(work, op->a, op->b, true);
    case SYMLINK:
        return work_symlink(work, op->a, op->b);
    case CHMOD:
        return work_chmod(work, op->a, op->mode);
    case TREE:
        return work_tree(work, op->a, op->b);
    }
    return STATUS_INVALID_PARAMETER;
}

static bool
plain_write(const char *path, const char *content, int flags, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | flags, 0666);
    bool is_done = fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content) &&
                   (!mode || fchmod(fd, mode) == 0);

    if (fd >= 0)
        close(fd);
    return is_done;
}

static bool
plain_tree(const char *to, const char *from)
{
    char command[50000];

    snprintf(command, sizeof(command),
             "cp -a '%s/.' '%s.new' && rm -rf '%s' && mv -T '%s.new' '%s'", from, to, to, to, to);
    return system(command) == 0;
}

bool
scene_do_plainly(const struct op *op)
{
    return scene_do_plainly_at(scene_tree(), op);
}

bool
scene_do_plainly_at(const char *top, const struct op *op)
{
    char a[8192], b[8192] = "";
    struct stat info, other;

    snprintf(a, sizeof(a), "%s/%s", top, op->a);
    if (op->b)
        snprintf(b, sizeof(b), "%s/%s", top, op->b);
    switch (op->kind) {
    case PUT:
        return plain_write(a, op->b, O_TRUNC, op->mode);
    case APPEND:
        return plain_write(a, op->b, O_APPEND, 0);
    case ERASE:
        return unlink(a) == 0;
    case MKDIR:
        return mkdir(a, 0777) == 0 && (!op->mode || chmod(a, op->mode) == 0);
    case RMDIR:
        return rmdir(a) == 0;
    case RENAME: /* of a name to itself there is nothing to do */
        return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_NOREPLACE) == 0 ||
               (lstat(a, &info) == 0 && lstat(b, &other) == 0 && info.st_ino == other.st_ino);
    case REPLACE:
        return rename(a, b) == 0;
    case SYMLINK:
        return symlink(op->b, a) == 0;
    case CHMOD:
        return chmod(a, op->mode) == 0;
    case TREE:
        return plain_tree(a, b);
    }
    return false;
}

/* ---- transactions ---- */

struct store *
scene_store(struct tree *tree)
{
    struct explanation why = {0};
    struct store *store;
    NTSTATUS status = store_open(tree, scene_home(), &scene_rm, &why, &store);

    if (status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "store_open: %s: %s", status_name(status), why.text);
    return store;
}

struct work *
scene_work(struct store *store)
{
    struct work *work;

    EXPECT_OK(work_create(store, &scene_tx, scene_tree(), &work));
    return work;
}

static struct {
    enum keeping how;
    uint8_t at[INTENT_KEPT_MAX];
    size_t size; /* 0: none */
} kept;

static void
kept_forget(void)
{
    kept.size = 0;
}

void
scene_keep(enum keeping how)
{
    kept_forget();
    kept.how = how;
}

static NTSTATUS
keep(void *context, struct bytes intent)
{
    struct work *work = context;

    expect_durable(work->tree, -1, "an intent is handed over");
    EXPECT(intent.size <= sizeof(kept.at));
    memcpy(kept.at, intent.at, intent.size);
    kept.size = intent.size;
    return STATUS_SUCCESS;
}

NTSTATUS
scene_prepare(struct work *work)
{
    struct keeper keeper = {keep, work};

    return work_prepare(work, &scene_tx, kept.how == IN_HOME ? NULL : &keeper);
}

NTSTATUS
scene_load(struct store *store, struct explanation *why, struct work **out)
{
    NTSTATUS status = work_load(store, &scene_tx, why, out);

    if (status != STATUS_NOT_FOUND || !kept.size)
        return status;
    return work_load_kept(store, &scene_tx, bytes_of(kept.at, kept.size), why, out);
}

static bool
is_nobody(void *context, const GUID *transaction)
{
    (void)context;
    (void)transaction;
    return false;
}

void
scene_sweep(struct store *store)
{
    struct explanation why = {0};

    status_forgive(yards_sweep(store, is_nobody, NULL, &why));
}

static void
remember(void *context, const GUID *transaction)
{
    GUID *into = context;

    EXPECT(guid_is_zero(into)); /* these tests have one transaction at a time */
    *into = *transaction;
}

static void
expect_no_conflicts(const struct work *work)
{
    if (work->conflicts.count > 0)
        test_fail(__FILE__, __LINE__, "conflict %d at '%s', kept as '%s'",
                  work->conflicts.at[0].kind, work->conflicts.at[0].path,
                  work->conflicts.at[0].kept_as ? work->conflicts.at[0].kept_as : "nothing");
}

void
scene_recover(bool commit)
{
    struct faulty_tree faulty;
    struct store *store;
    struct explanation why = {0};
    struct work *work;
    GUID transaction = {0};
    NTSTATUS status;

    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    faulty.is_checked = false; /* it cannot know what was synced before */
    store = scene_store(&faulty.tree);
    if (kept.how == KEPT && !commit)
        kept_forget(); /* nothing was decided, so nothing was written */
    EXPECT_OK(store_list(store, remember, &transaction, &why));
    status = scene_load(store, &why, &work);
    if (status != STATUS_NOT_FOUND) {
        EXPECT_OK(status);
        status = commit ? work_commit(work) : work_rollback(work);
        if (status != STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "recovery: %s: %s", status_name(status), work->why.text);
        expect_no_conflicts(work);
        work_destroy(work);
    }
    scene_sweep(store);
    store_close(store);
}

void
scene_run(const struct op *ops, size_t count)
{
    struct faulty_tree faulty;
    struct store *store;
    struct work *work;

    faulty_tree_init(&faulty, ACCIDENT_NONE, 0);
    store = scene_store(&faulty.tree);
    work = scene_work(store);
    for (size_t i = 0; i < count; i++) {
        NTSTATUS status = scene_do(work, &ops[i]);
        if (status != STATUS_SUCCESS)
            test_fail(__FILE__, __LINE__, "%s: %s", status_name(status), work->why.text);
    }
    NTSTATUS status = scene_prepare(work);
    if (status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "prepare: %s: %s", status_name(status), work->why.text);
    faulty_expect_durable(&faulty, "the vote");
    status = work_commit(work);
    if (status != STATUS_SUCCESS)
        test_fail(__FILE__, __LINE__, "commit: %s: %s", status_name(status), work->why.text);
    expect_no_conflicts(work);
    work_destroy(work);
    store_close(store);
}
