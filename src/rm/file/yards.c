/* SPDX-License-Identifier: MIT */
/* The list of yards, in memory and in the home. */
#include "rm/file/yards.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/file/intent.h"
#include "rm/file/work.h"

#define COUNT_MAX_FEW 256u

struct yard {
    struct hash_link by_inode;
    struct list in_yards;
    uint64_t inode;
    int64_t born;
    uint32_t mount_size; /* 0: not looked for yet */
    unsigned holders;
    uint64_t holds;  /* ever: whoever sweeps sees whether it was used meanwhile */
    bool is_durable; /* in the list on disk */
    bool is_left;    /* there may be names in it that nobody holds any more */
    char path[];     /* as it was when it became one: a directory that was moved is another yard */
};

struct yard_array {
    struct yard **at;
    uint64_t *holds; /* when they were taken; NULL: of no interest */
    size_t count;
};

void
yards_init(struct yards *yards)
{
    sys_mutex_init(&yards->mutex);
    hash_init(&yards->by_inode);
    list_init(&yards->all);
    yards->count_max = COUNT_MAX_FEW;
}

static void
yard_forget(struct yards *yards, struct yard *yard)
{
    hash_remove(&yards->by_inode, &yard->by_inode);
    list_remove(&yard->in_yards);
    yards->count--;
    free(yard);
}

void
yards_deinit(struct yards *yards)
{
    while (!list_is_empty(&yards->all))
        yard_forget(yards, list_first(&yards->all, struct yard, in_yards));
    hash_deinit(&yards->by_inode);
    sys_mutex_deinit(&yards->mutex);
}

/* ---- in memory; with the mutex ---- */

static struct yard *
yard_find(const struct yards *yards, uint64_t inode, int64_t born, const char *path)
{
    struct hash_link *link = hash_first(&yards->by_inode, hash_number(0, inode));

    for (; link; link = hash_next(link)) {
        struct yard *yard = container_of(link, struct yard, by_inode);

        if (yard->inode == inode && yard->born == born && strcmp(yard->path, path) == 0)
            return yard;
    }
    return NULL;
}

static NTSTATUS
yard_get(struct yards *yards, uint64_t inode, int64_t born, const char *path, struct yard **out)
{
    struct yard *yard = yard_find(yards, inode, born, path);
    size_t size = strlen(path) + 1;

    if (!yard) {
        TRY(hash_reserve(&yards->by_inode));
        yard = calloc(1, sizeof(*yard) + size);
        if (!yard)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        yard->inode = inode;
        yard->born = born;
        memcpy(yard->path, path, size);
        hash_add(&yards->by_inode, hash_number(0, inode), &yard->by_inode);
        list_append(&yards->all, &yard->in_yards);
        yards->count++;
    }
    *out = yard;
    return STATUS_SUCCESS;
}

/* Lets go of them; one that never became durable was never used. */
static void
let_go(struct yards *yards, struct yard *const *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK(at[i]->holders > 0);
        if (--at[i]->holders == 0 && !at[i]->is_durable)
            yard_forget(yards, at[i]);
    }
}

static void
array_free(struct yard_array *array)
{
    free(array->at);
    free(array->holds);
}

/* Holds those that are wanted, so that they stay while no lock is held. */
static NTSTATUS
take(struct yards *yards, bool (*is_wanted)(const struct yard *yard, const void *context),
     const void *context, struct yard_array *out)
{
    struct yard *yard;
    bool has_room;

    sys_mutex_lock(&yards->mutex);
    *out = (struct yard_array){.at = calloc(yards->count + 1, sizeof(*out->at)),
                               .holds = calloc(yards->count + 1, sizeof(*out->holds))};
    has_room = out->at && out->holds;
    LIST_EACH (yard, &yards->all, in_yards)
        if (has_room && is_wanted(yard, context)) {
            yard->holders++;
            out->holds[out->count] = yard->holds;
            out->at[out->count++] = yard;
        }
    sys_mutex_unlock(&yards->mutex);
    if (has_room)
        return STATUS_SUCCESS;
    array_free(out);
    return status_raise(STATUS_INSUFFICIENT_RESOURCES);
}

/* ---- on disk ---- */

/* How much of the path is where its file system is mounted: the last directory on the way that is
 * the root of a mount, as far as the way is there. */
static uint32_t
mount_size_find(struct tree *tree, const char *path)
{
    owned_fd int at = TREE_NOWHERE;
    const char *rest = path + 1;
    char component[FILE_NAME_SIZE_MAX + 1];
    uint32_t mount_size = 1;
    NTSTATUS status = tree_open(tree, TREE_NOWHERE, "/", TREE_OPEN_PATH, &at);

    while (status == STATUS_SUCCESS && *rest) {
        size_t size = strcspn(rest, "/");
        struct tree_info info;
        int next;

        if (size >= sizeof(component))
            break;
        memcpy(component, rest, size);
        component[size] = '\0';
        status = tree_open(tree, at, component, TREE_OPEN_PATH, &next);
        if (status != STATUS_SUCCESS)
            break;
        tree_close(at);
        at = next;
        status = tree_info(tree, at, "", &info);
        rest += size;
        if (status == STATUS_SUCCESS && info.is_mount_root)
            mount_size = (uint32_t)(rest - path);
        rest += *rest == '/';
    }
    return mount_size;
}

static uint32_t
mount_size_of(struct store *store, struct yard *yard)
{
    uint32_t mount_size;

    sys_mutex_lock(&store->yards.mutex);
    mount_size = yard->mount_size;
    sys_mutex_unlock(&store->yards.mutex);
    if (mount_size)
        return mount_size;
    mount_size = mount_size_find(store->tree, yard->path);
    sys_mutex_lock(&store->yards.mutex);
    yard->mount_size = mount_size;
    sys_mutex_unlock(&store->yards.mutex);
    return mount_size;
}

static bool
is_any(const struct yard *yard, const void *context)
{
    (void)yard;
    (void)context;
    return true;
}

static NTSTATUS
list_write(struct store *store, const struct yard_array *yards, struct explanation *why)
{
    struct yard_line *lines = calloc(yards->count + 1, sizeof(*lines));
    uint8_t *at = NULL;
    size_t size;
    NTSTATUS status = lines ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    for (size_t i = 0; status == STATUS_SUCCESS && i < yards->count; i++) {
        struct yard *yard = yards->at[i];

        lines[i] = (struct yard_line){.inode = yard->inode,
                                      .born = yard->born,
                                      .mount_size = mount_size_of(store, yard),
                                      .path = yard->path};
    }
    if (status == STATUS_SUCCESS)
        status = yards_encode(&store->identity, lines, yards->count, &at, &size);
    free(lines);
    TRY(status);
    store->yards.is_written = true;
    status = store_file_write(store, NAME_YARDS, at, size, why);
    free(at);
    return status;
}

/* When nothing is in it. When it comes back with the power, it is looked at once more. */
static void
list_remove_empty(struct store *store)
{
    bool is_empty;

    sys_mutex_lock(&store->yards.mutex);
    is_empty = list_is_empty(&store->yards.all);
    sys_mutex_unlock(&store->yards.mutex);
    if (is_empty && store->yards.is_written)
        store->yards.is_written = tree_unlink(store->tree, store->fd, NAME_YARDS) != STATUS_SUCCESS;
}

/* ---- turns ---- */

static void
turn_take(struct yards *yards)
{
    uint32_t free = 0;

    while (!atomic_compare_exchange_strong(&yards->turn, &free, 1)) {
        sys_wait(&yards->turn, 1, SYS_FOREVER);
        free = 0;
    }
}

static void
turn_give(struct yards *yards)
{
    atomic_store(&yards->turn, 0);
    sys_wake(&yards->turn, INT_MAX);
}

/* ---- looking at them ---- */

/* Whether the file system the yard was on is there. */
static bool
is_mounted(struct store *store, struct yard *yard)
{
    owned_fd int fd = TREE_NOWHERE;
    struct tree_info info;
    uint32_t mount_size = mount_size_of(store, yard);
    char *path = strndup(yard->path, mount_size);
    NTSTATUS status = path ? tree_open(store->tree, TREE_NOWHERE, path, TREE_OPEN_PATH, &fd)
                           : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    free(path);
    return status == STATUS_SUCCESS && tree_info(store->tree, fd, "", &info) == STATUS_SUCCESS &&
           (info.is_mount_root || mount_size == 1);
}

/* Answers: OBJECT_PATH_NOT_FOUND (it is not there, and its file system may not be mounted),
 * OBJECT_NO_LONGER_EXISTS (it is gone, or was moved by somebody). */
static NTSTATUS
yard_open(struct store *store, struct yard *yard, int *out)
{
    owned_fd int fd = TREE_NOWHERE;
    struct tree_info info;
    NTSTATUS status = tree_open(store->tree, TREE_NOWHERE, yard->path, TREE_OPEN_DIRECTORY, &fd);

    if (status == STATUS_SUCCESS) {
        TRY(tree_info(store->tree, fd, "", &info));
        if (info.inode == yard->inode && info.born == yard->born) {
            *out = tree_give(&fd);
            return STATUS_SUCCESS;
        }
        status = STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND ||
        status == STATUS_NOT_A_DIRECTORY || status == STATUS_OBJECT_PATH_SYNTAX_BAD)
        status =
            is_mounted(store, yard) ? STATUS_OBJECT_NO_LONGER_EXISTS : STATUS_OBJECT_PATH_NOT_FOUND;
    return status_raise(status);
}

struct sweep {
    struct store *store;
    bool (*is_alive)(void *context, const GUID *transaction); /* NULL: no name is removed */
    void *context;
    struct explanation *why;
    bool finds_alive; /* in the yard that is being swept */
};

static bool
is_nobodys(void *context, const char *name)
{
    struct sweep *sweep = context;
    GUID transaction;

    if (!hidden_name_parse(name, sweep->store->number, &transaction))
        return false;
    if (!sweep->is_alive(sweep->context, &transaction))
        return true;
    sweep->finds_alive = true;
    return false;
}

/* *is_clean: nothing is in it, nor can come back. One that is not there is waited for. */
static NTSTATUS
yard_sweep(struct sweep *sweep, struct yard *yard, bool *is_clean)
{
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status = yard_open(sweep->store, yard, &fd);

    *is_clean = status == STATUS_OBJECT_NO_LONGER_EXISTS;
    if (*is_clean || status == STATUS_OBJECT_PATH_NOT_FOUND)
        return STATUS_SUCCESS;
    TRY(explain_status(sweep->why, status, "'%s' cannot be opened", yard->path));
    sweep->finds_alive = false;
    if (sweep->is_alive)
        TRY(store_sweep(sweep->store, fd, yard->path, is_nobodys, sweep, sweep->why));
    /* Also when nothing was found: what removed it may not have come to this. */
    TRY(explain_status(sweep->why, tree_sync(sweep->store->tree, fd), "'%s' cannot be made durable",
                       yard->path));
    *is_clean = !sweep->finds_alive;
    return STATUS_SUCCESS;
}

/* Those that are clean and that nobody else holds are forgotten. Answers: what the first said that
 * could not be swept. */
static NTSTATUS
sweep_all(struct sweep *sweep, bool (*is_wanted)(const struct yard *yard, const void *context))
{
    struct yards *yards = &sweep->store->yards;
    struct yard_array taken;
    NTSTATUS first = STATUS_SUCCESS;

    TRY(take(yards, is_wanted, sweep, &taken));
    for (size_t i = 0; i < taken.count; i++) {
        struct yard *yard = taken.at[i];
        bool is_clean;
        NTSTATUS status = yard_sweep(sweep, yard, &is_clean);

        first = first == STATUS_SUCCESS ? status : first;
        sys_mutex_lock(&yards->mutex);
        is_clean &= yard->holds == taken.holds[i];
        if (--yard->holders == 0 && (is_clean || !yard->is_durable))
            yard_forget(yards, yard);
        sys_mutex_unlock(&yards->mutex);
    }
    array_free(&taken);
    return first;
}

NTSTATUS
yards_sweep(struct store *store, bool (*is_alive)(void *context, const GUID *transaction),
            void *context, struct explanation *why)
{
    struct sweep sweep = {.store = store, .is_alive = is_alive, .context = context, .why = why};

    TRY(sweep_all(&sweep, is_any));
    list_remove_empty(store);
    return STATUS_SUCCESS;
}

/* No hidden name is in it, but the removal of some may not be durable. */
static bool
is_free(const struct yard *yard, const void *context)
{
    (void)context;
    return yard->holders == 0 && !yard->is_left;
}

void
yards_settle(struct store *store)
{
    struct sweep sweep = {.store = store};

    status_forgive(sweep_all(&sweep, is_free)); /* else they stay in the list */
    list_remove_empty(store);
}

/* ---- holding ---- */

static bool
are_durable(struct yards *yards, const struct yard_array *array)
{
    bool all = true;

    sys_mutex_lock(&yards->mutex);
    for (size_t i = 0; i < array->count; i++)
        all &= array->at[i]->is_durable;
    sys_mutex_unlock(&yards->mutex);
    return all;
}

static bool
are_many(struct yards *yards)
{
    bool are;

    sys_mutex_lock(&yards->mutex);
    are = yards->count > yards->count_max;
    sys_mutex_unlock(&yards->mutex);
    return are;
}

/* Forgets those that can be; with what is left in use there may be twice as many. */
static void
make_few(struct store *store)
{
    struct yards *yards = &store->yards;
    struct sweep sweep = {.store = store};

    status_forgive(sweep_all(&sweep, is_free)); /* else they stay */
    sys_mutex_lock(&yards->mutex);
    yards->count_max = 2 * yards->count > COUNT_MAX_FEW ? 2 * yards->count : COUNT_MAX_FEW;
    sys_mutex_unlock(&yards->mutex);
}

/* In one's turn. Whoever comes meanwhile has one of its own; many of them have one together. */
static NTSTATUS
write_known(struct store *store, struct explanation *why)
{
    struct yards *yards = &store->yards;
    struct yard_array known;
    NTSTATUS status;

    if (are_many(yards))
        make_few(store);
    TRY(take(yards, is_any, NULL, &known));
    status = list_write(store, &known, why);
    sys_mutex_lock(&yards->mutex);
    for (size_t i = 0; i < known.count; i++)
        known.at[i]->is_durable |= status == STATUS_SUCCESS;
    let_go(yards, known.at, known.count);
    sys_mutex_unlock(&yards->mutex);
    array_free(&known);
    return status;
}

static NTSTATUS
make_durable(struct store *store, const struct yard_array *array, struct explanation *why)
{
    struct yards *yards = &store->yards;
    NTSTATUS status = STATUS_SUCCESS;

    if (are_durable(yards, array))
        return STATUS_SUCCESS;
    turn_take(yards);
    if (!are_durable(yards, array))
        status = write_known(store, why);
    turn_give(yards);
    return status;
}

/* Holds them, known on disk or not. */
static NTSTATUS
hold(struct yards *yards, const struct plan_dir *dirs, size_t count, struct yard_array *into)
{
    NTSTATUS status = STATUS_SUCCESS;
    struct yard *yard;

    sys_mutex_lock(&yards->mutex);
    for (size_t i = 0; i < count && status == STATUS_SUCCESS; i++) {
        if (dirs[i].inside != PLAN_NONE)
            continue;
        status = yard_get(yards, dirs[i].inode, dirs[i].born, dirs[i].path, &yard);
        if (status != STATUS_SUCCESS)
            break;
        yard->holders++;
        yard->holds++;
        into->at[into->count++] = yard;
    }
    sys_mutex_unlock(&yards->mutex);
    return status;
}

NTSTATUS
yards_hold(struct store *store, const struct plan_dir *dirs, size_t count, struct yard_holds *holds,
           struct explanation *why)
{
    struct yards *yards = &store->yards;
    struct yard **more = realloc(holds->at, (holds->count + count + 1) * sizeof(*more));
    struct yard_array mine;
    NTSTATUS status;

    if (!more)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    holds->at = more;
    mine = (struct yard_array){.at = more + holds->count};
    status = hold(yards, dirs, count, &mine);
    if (status == STATUS_SUCCESS)
        status = make_durable(store, &mine, why);
    if (status == STATUS_SUCCESS) {
        holds->count += mine.count;
        return STATUS_SUCCESS;
    }
    sys_mutex_lock(&yards->mutex);
    let_go(yards, mine.at, mine.count);
    sys_mutex_unlock(&yards->mutex);
    return status;
}

void
yards_let_go(struct store *store, struct yard_holds *holds, bool leaves_names)
{
    sys_mutex_lock(&store->yards.mutex);
    for (size_t i = 0; i < holds->count; i++)
        holds->at[i]->is_left |= leaves_names;
    let_go(&store->yards, holds->at, holds->count);
    sys_mutex_unlock(&store->yards.mutex);
    free(holds->at);
    *holds = (struct yard_holds){0};
}

/* ---- moving ---- */

static bool
is_below(const struct yard *yard, const void *context)
{
    const char *top = context;
    size_t size = strlen(top);

    return strncmp(yard->path, top, size) == 0 &&
           (yard->path[size] == '/' || yard->path[size] == '\0');
}

/* The same directories by the other path, too. */
static NTSTATUS
hold_elsewhere(struct store *store, const struct yard_array *yards, const char *from,
               const char *to, struct yard_holds *holds, struct explanation *why)
{
    struct plan_dir *dirs = calloc(yards->count, sizeof(*dirs));
    size_t count = 0;
    NTSTATUS status = dirs ? STATUS_SUCCESS : status_raise(STATUS_INSUFFICIENT_RESOURCES);

    for (; status == STATUS_SUCCESS && count < yards->count; count++) {
        const struct yard *yard = yards->at[count];

        dirs[count] =
            (struct plan_dir){.inside = PLAN_NONE, .inode = yard->inode, .born = yard->born};
        if (asprintf(&dirs[count].path, "%s%s", to, yard->path + strlen(from)) < 0) {
            dirs[count].path = NULL;
            status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
        }
    }
    if (status == STATUS_SUCCESS)
        status = yards_hold(store, dirs, count, holds, why);
    sys_mutex_lock(&store->yards.mutex);
    for (size_t i = 0; status == STATUS_SUCCESS && i < count; i++)
        holds->at[holds->count - count + i]->is_left |= yards->at[i]->is_left;
    sys_mutex_unlock(&store->yards.mutex);
    for (size_t i = 0; i < count; i++)
        free(dirs[i].path);
    free(dirs);
    return status;
}

NTSTATUS
yards_follow(struct store *store, const char *from, const char *to, struct yard_holds *holds,
             struct explanation *why)
{
    struct yard_array taken;
    NTSTATUS status = STATUS_SUCCESS;

    TRY(take(&store->yards, is_below, from, &taken));
    if (taken.count > 0)
        status = hold_elsewhere(store, &taken, from, to, holds, why);
    sys_mutex_lock(&store->yards.mutex);
    let_go(&store->yards, taken.at, taken.count);
    sys_mutex_unlock(&store->yards.mutex);
    array_free(&taken);
    return status;
}

/* ---- an earlier run ---- */

static NTSTATUS
load_one(void *context, const struct yard_line *line)
{
    struct yards *yards = context;
    struct yard *yard;

    TRY(yard_get(yards, line->inode, line->born, line->path, &yard));
    yard->mount_size = line->mount_size;
    yard->is_durable = yard->is_left = true;
    return STATUS_SUCCESS;
}

NTSTATUS
yards_load(struct store *store, struct explanation *why)
{
    uint8_t *at = NULL;
    size_t size;
    GUID identity;
    NTSTATUS status = store_file_read(store, NAME_YARDS, &at, &size);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return STATUS_SUCCESS;
    if (status == STATUS_SUCCESS)
        status = yards_decode(bytes_of(at, size), &identity, load_one, &store->yards);
    free(at);
    if (status == STATUS_SUCCESS && !guid_equal(&identity, &store->identity))
        status = status_raise(STATUS_RM_METADATA_CORRUPT);
    if (status == STATUS_RM_METADATA_CORRUPT)
        return explain(why, status,
                       "'%s/" NAME_YARDS "' is damaged: it says where hidden names (.ktm.*) of "
                       "transactions may be left; restore it, or remove it and look for them",
                       store->path);
    store->yards.is_written = status == STATUS_SUCCESS;
    return explain_status(why, status, "'%s/" NAME_YARDS "' cannot be read", store->path);
}
