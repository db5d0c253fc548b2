/* SPDX-License-Identifier: MIT */
/* Names beside a database. */
#include "rm/sqlite/park.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE PARK_NAME_SIZE
#define JOURNAL   "-journal"
#define LOG       "-wal"
#define PARKED    "-ktm."
#define FRAME     ".wal"
#define PROBE     "-ktm-probe."

/* ---- names ---- */

static void
hex_print(const GUID *guid, char text[33])
{
    uint8_t bytes[16];

    memcpy(bytes, guid, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool
hex_parse(const char **text, GUID *out)
{
    uint8_t bytes[16];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned value;

        if (strspn(*text, "0123456789abcdef") < 2 || sscanf(*text, "%2x", &value) != 1)
            return false;
        bytes[i] = (uint8_t)value;
        *text += 2;
    }
    memcpy(out, bytes, sizeof(bytes));
    return true;
}

static void
name_of(const struct park *park, const struct ktm_rm_key *key, char name[NAME_SIZE])
{
    char transaction[33], enlistment[33], manager[33];

    hex_print(&key->transaction, transaction);
    hex_print(&key->enlistment, enlistment);
    hex_print(&key->manager, manager);
    /* park_open has made sure that it fits. */
    snprintf(name, NAME_SIZE, "%s" PARKED "%s.%s.%s.%" PRIx64, park->name, transaction, enlistment,
             manager, key->incarnation);
}

static void
frame_name_of(const struct park *park, const struct ktm_rm_key *key, char name[NAME_SIZE])
{
    size_t used;

    name_of(park, key, name);
    used = strlen(name);
    snprintf(name + used, NAME_SIZE - used, FRAME);
}

static bool
dot(const char **text)
{
    return *(*text)++ == '.';
}

/* Only what name_of prints: anything else is somebody else's. */
static bool
name_parse(const struct park *park, const char *name, struct ktm_rm_key *key)
{
    size_t length = strlen(park->name);
    char again[NAME_SIZE];
    const char *at;

    if (strncmp(name, park->name, length) != 0 ||
        strncmp(name + length, PARKED, strlen(PARKED)) != 0)
        return false;
    at = name + length + strlen(PARKED);
    *key = (struct ktm_rm_key){.incarnation = 0};
    if (!hex_parse(&at, &key->transaction) || !dot(&at) || !hex_parse(&at, &key->enlistment) ||
        !dot(&at) || !hex_parse(&at, &key->manager) || !dot(&at) ||
        sscanf(at, "%" SCNx64, &key->incarnation) != 1)
        return false;
    name_of(park, key, again);
    if (strcmp(name, again) == 0)
        return true;
    frame_name_of(park, key, again);
    return strcmp(name, again) == 0;
}

NTSTATUS
park_open(struct park *park, const char *path, struct words *why)
{
    const char *slash = strrchr(path, '/');
    owned_fd int fd = TREE_NOWHERE;
    char directory[4096];

    *park = (struct park){.tree = tree_linux(), .fd = TREE_NOWHERE};
    if (!slash || strlen(path) >= sizeof(directory) || strlen(slash + 1) > PARK_DATABASE_SIZE)
        return say(why, status_raise(STATUS_NAME_TOO_LONG),
                   "the name of '%s' is too long, at most %d characters leave room for the names "
                   "beside it",
                   path, PARK_DATABASE_SIZE);
    snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    TRY(say_status(why, tree_open(park->tree, TREE_NOWHERE, directory, TREE_OPEN_DIRECTORY, &fd),
                   "the directory '%s' cannot be opened", directory));
    snprintf(park->name, sizeof(park->name), "%s", slash + 1);
    snprintf(park->journal, sizeof(park->journal), "%s" JOURNAL, park->name);
    snprintf(park->log, sizeof(park->log), "%s" LOG, park->name);
    TRY(say_status(why, tree_info(park->tree, fd, park->name, &park->id),
                   "'%s' cannot be looked at", path));
    park->fd = tree_give(&fd);
    return STATUS_SUCCESS;
}

void
park_close(struct park *park)
{
    tree_close(park->fd);
    park->fd = TREE_NOWHERE;
}

/* ---- what is there ---- */

static NTSTATUS
kind_of(struct park *park, const char *name, enum tree_kind *kind)
{
    struct tree_info info;

    TRY(tree_info(park->tree, park->fd, name, &info));
    *kind = info.kind;
    return STATUS_SUCCESS;
}

bool
park_is_shut(struct park *park)
{
    enum tree_kind kind;

    return kind_of(park, park->journal, &kind) == STATUS_SUCCESS && kind == TREE_DIRECTORY;
}

/* Whether it was prepared, or was to be, in WAL mode: '*name' is its name then. */
static NTSTATUS
is_of_wal(struct park *park, const struct ktm_rm_key *key, char name[NAME_SIZE], bool *out)
{
    enum tree_kind kind;

    frame_name_of(park, key, name);
    TRY(kind_of(park, name, &kind));
    *out = kind != TREE_NOTHING;
    if (!*out)
        name_of(park, key, name);
    return STATUS_SUCCESS;
}

bool
park_is_parked(struct park *park, const struct ktm_rm_key *key)
{
    enum tree_kind kind;
    char name[NAME_SIZE];
    bool is_wal;

    return park_is_shut(park) && is_of_wal(park, key, name, &is_wal) == STATUS_SUCCESS &&
           kind_of(park, name, &kind) == STATUS_SUCCESS && kind == TREE_FILE;
}

struct listing {
    struct park *park;
    ktm_rm_each_key *each; /* or: */
    size_t parked;
    void *list;
    const char *but; /* not this one */
    NTSTATUS status;
};

static void
list_one(void *context, const char *name)
{
    struct listing *self = context;
    struct ktm_rm_key key;
    enum tree_kind kind;
    NTSTATUS status;

    if (!name_parse(self->park, name, &key))
        return;
    if (self->each) {
        self->each(self->list, &key);
        return;
    }
    status = kind_of(self->park, name, &kind);
    if (status != STATUS_SUCCESS)
        self->status = status;
    else if (kind == TREE_FILE && (!self->but || strcmp(name, self->but) != 0))
        self->parked++;
}

NTSTATUS
park_list(struct park *park, ktm_rm_each_key *each, void *list)
{
    struct listing self = {.park = park, .each = each, .list = list};

    return tree_list(park->tree, park->fd, list_one, &self);
}

/* How many journals are parked here, but for that one. */
static NTSTATUS
count_others(struct park *park, const char *but, size_t *count)
{
    struct listing self = {.park = park, .but = but};

    TRY(tree_list(park->tree, park->fd, list_one, &self));
    TRY(self.status);
    *count = self.parked;
    return STATUS_SUCCESS;
}

/* Nothing there is as good as removed. */
static NTSTATUS
directory_remove(struct park *park, const char *name)
{
    NTSTATUS status = tree_directory_remove(park->tree, park->fd, name);

    return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
}

static NTSTATUS
unlink_name(struct park *park, const char *name)
{
    NTSTATUS status = tree_unlink(park->tree, park->fd, name);

    return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_SUCCESS : status;
}

static NTSTATUS
exchange(struct park *park, const char *a, const char *b)
{
    return tree_rename(park->tree, park->fd, a, park->fd, b, TREE_EXCHANGE);
}

static void
forgive(NTSTATUS status)
{
    (void)status;
}

/* ---- can it be done here ---- */

static void
probe_names(struct park *park, const GUID *manager, char file[NAME_SIZE], char gate[NAME_SIZE])
{
    char text[33];

    hex_print(manager, text);
    snprintf(file, NAME_SIZE, "%s" PROBE "%s.a", park->name, text);
    snprintf(gate, NAME_SIZE, "%s" PROBE "%s.b", park->name, text);
}

static void
probe_remove(struct park *park, const char *file, const char *gate)
{
    const char *names[] = {file, gate};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        enum tree_kind kind;

        if (kind_of(park, names[i], &kind) != STATUS_SUCCESS)
            continue;
        if (kind == TREE_FILE)
            forgive(tree_unlink(park->tree, park->fd, names[i]));
        else if (kind == TREE_DIRECTORY)
            forgive(tree_directory_remove(park->tree, park->fd, names[i]));
    }
}

NTSTATUS
park_probe(struct park *park, const GUID *manager, struct words *why)
{
    char file[NAME_SIZE], gate[NAME_SIZE];
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    probe_names(park, manager, file, gate);
    probe_remove(park, file, gate); /* what a crash has left of the last time */
    TRY(say_status(why, tree_file_create(park->tree, park->fd, file, 0600, &fd),
                   "nothing can be written beside '%s'", park->name));
    status = tree_directory_make(park->tree, park->fd, gate, 0700);
    if (status == STATUS_SUCCESS)
        status = exchange(park, file, gate);
    probe_remove(park, file, gate);
    if (status == STATUS_INVALID_PARAMETER || status == STATUS_NOT_SUPPORTED)
        return say(why, status_raise(STATUS_NOT_SUPPORTED),
                   "the file system of '%s' cannot exchange names, so the database can take part "
                   "as last resource only",
                   park->name);
    return say_status(why, status, "names beside '%s' cannot be changed", park->name);
}

/* ---- one branch ---- */

static NTSTATUS
prepare(struct park *park, const char *name)
{
    NTSTATUS status;

    TRY(tree_directory_make(park->tree, park->fd, name, 0700));
    status = exchange(park, name, park->journal);
    if (status != STATUS_SUCCESS) {
        forgive(tree_directory_remove(park->tree, park->fd, name));
        return status;
    }
    status = tree_sync(park->tree, park->fd);
    /* A sync that failed may have reached the disk: then the names are as those of a prepared
     * branch that the TM does not know, and the next start rolls it back. */
    if (status != STATUS_SUCCESS && exchange(park, name, park->journal) == STATUS_SUCCESS)
        forgive(tree_directory_remove(park->tree, park->fd, name));
    return status;
}

NTSTATUS
park_prepare(struct park *park, const struct ktm_rm_key *key, struct words *why)
{
    char name[NAME_SIZE];

    name_of(park, key, name);
    return say_status(why, prepare(park, name), "the journal of '%s' cannot be parked", park->name);
}

NTSTATUS
park_commit(struct park *park, const struct ktm_rm_key *key, struct words *why)
{
    char name[NAME_SIZE];
    NTSTATUS status;

    name_of(park, key, name);
    status = unlink_name(park, name); /* now it is committed, but for a power cut */
    if (status == STATUS_SUCCESS)
        status = directory_remove(park, park->journal);
    if (status == STATUS_SUCCESS)
        status = tree_sync(park->tree, park->fd);
    return say_status(why, status, "'%s' cannot be removed", name);
}

NTSTATUS
park_rollback(struct park *park, const struct ktm_rm_key *key, struct words *why)
{
    enum tree_kind kind;
    char name[NAME_SIZE];
    NTSTATUS status;

    name_of(park, key, name);
    status = kind_of(park, name, &kind);
    if (status == STATUS_SUCCESS && kind == TREE_FILE)
        status = exchange(park, name, park->journal);
    if (status == STATUS_SUCCESS)
        status = directory_remove(park, name);
    if (status == STATUS_SUCCESS)
        status = tree_sync(park->tree, park->fd);
    return say_status(why, status, "'%s' cannot be made the journal again", name);
}

/* The gate may go when nothing parked is left that it could belong to. */
static NTSTATUS
gate_remove(struct park *park, const char *but)
{
    size_t others;

    if (!park_is_shut(park))
        return STATUS_SUCCESS;
    TRY(count_others(park, but, &others));
    return others ? STATUS_SUCCESS : directory_remove(park, park->journal);
}

/* ---- one branch, in WAL mode ---- */

/* SQLite has looked at it under the lock that we have: if it is a file, it is not hot. */
static NTSTATUS
journal_remove(struct park *park)
{
    enum tree_kind kind;

    TRY(kind_of(park, park->journal, &kind));
    return kind == TREE_FILE ? unlink_name(park, park->journal) : STATUS_SUCCESS;
}

NTSTATUS
park_prepare_frame(struct park *park, const struct ktm_rm_key *key, const struct frame *frame,
                   struct words *why)
{
    char name[NAME_SIZE];
    NTSTATUS status;

    frame_name_of(park, key, name);
    status = journal_remove(park);
    if (status == STATUS_SUCCESS)
        status = frame_store(park->tree, park->fd, park->journal, frame);
    if (status == STATUS_SUCCESS)
        status = prepare(park, name);
    if (status != STATUS_SUCCESS)
        forgive(journal_remove(park));
    return say_status(why, status, "the log of '%s' cannot be parked", park->name);
}

/* The file of a frame, in the place of the journal. */
static NTSTATUS
journal_tidy(struct park *park)
{
    return frame_is_stored(park->tree, park->fd, park->journal) ? unlink_name(park, park->journal)
                                                                : STATUS_SUCCESS;
}

/* Gone, whatever it is. */
static NTSTATUS
remove_name(struct park *park, const char *name)
{
    enum tree_kind kind;

    TRY(kind_of(park, name, &kind));
    return kind == TREE_FILE ? unlink_name(park, name) : directory_remove(park, name);
}

/* The frame is in the log, durably. Its name goes first, also on the disk: so a gate that is
 * missing in front of a name was taken away by somebody else. */
static NTSTATUS
frame_is_committed(struct park *park, const char *name)
{
    TRY(remove_name(park, name));
    TRY(tree_sync(park->tree, park->fd));
    TRY(journal_tidy(park));
    TRY(gate_remove(park, NULL));
    return tree_sync(park->tree, park->fd);
}

/* A gate that is missing, or that others may need, is left as it is. */
static NTSTATUS
frame_is_undone(struct park *park, const char *name)
{
    enum tree_kind kind;
    size_t others;

    TRY(kind_of(park, name, &kind));
    if (kind == TREE_FILE) {
        TRY(count_others(park, name, &others));
        if (!others && park_is_shut(park))
            TRY(exchange(park, name, park->journal));
    }
    TRY(remove_name(park, name));
    TRY(journal_tidy(park));
    return tree_sync(park->tree, park->fd);
}

static NTSTATUS
frame_commit(struct park *park, const char *name, const struct frame *frame, bool is_proved,
             struct words *why)
{
    bool is_there;

    TRY(say_status(why, frame_find(park->tree, park->fd, park->log, frame, !is_proved, &is_there),
                   "'%s' was changed by somebody after a transaction was prepared in it, which can "
                   "be committed in the log as it was then alone",
                   park->log));
    /* Also when it is there: who wrote it may have died before it was on the disk. Whoever opens
     * the database behind the gate finds it committed from here on. */
    TRY(frame_write(park->tree, park->fd, park->log, frame));
    return frame_is_committed(park, name);
}

NTSTATUS
park_commit_frame(struct park *park, const struct ktm_rm_key *key, const struct frame *frame,
                  struct words *why)
{
    char name[NAME_SIZE];

    frame_name_of(park, key, name);
    return say_status(why, frame_commit(park, name, frame, true, why), "'%s' cannot be committed",
                      name);
}

NTSTATUS
park_rollback_frame(struct park *park, const struct ktm_rm_key *key, struct words *why)
{
    char name[NAME_SIZE];

    frame_name_of(park, key, name);
    return say_status(why, frame_is_undone(park, name), "'%s' cannot be removed", name);
}

/* ---- what an earlier run left ---- */

static NTSTATUS
frame_commit_again(struct park *park, const char *name, struct words *why)
{
    owned_frame struct frame frame = {.size = 0};
    enum tree_kind kind;

    TRY(kind_of(park, name, &kind));
    if (kind != TREE_FILE)
        return say(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                   "'%s' shall be committed, and was never prepared, or was undone by somebody",
                   name);
    TRY(say_status(why, frame_load(park->tree, park->fd, name, &frame),
                   "'%s' shall be committed, and is damaged", name));
    return frame_commit(park, name, &frame, false, why);
}

static NTSTATUS
frame_rollback_again(struct park *park, const char *name, struct words *why)
{
    owned_frame struct frame frame = {.size = 0};
    bool is_there = false;

    /* What is not whole was never prepared; and a log that is another one holds nothing of it. */
    if (frame_load(park->tree, park->fd, name, &frame) == STATUS_SUCCESS &&
        frame_find(park->tree, park->fd, park->log, &frame, true, &is_there) == STATUS_SUCCESS &&
        is_there)
        return say(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                   "'%s' shall be rolled back, and the log says that it was committed", name);
    return frame_is_undone(park, name);
}

static NTSTATUS
commit_again(struct park *park, const char *name, bool is_same, struct words *why)
{
    enum tree_kind kind;

    TRY(kind_of(park, name, &kind));
    if (kind == TREE_NOTHING && !is_same)
        return say(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                   "'%s' is not the file that a transaction was prepared in, and whether it is "
                   "committed there nobody can say",
                   park->name);
    if (kind != TREE_NOTHING && kind != TREE_FILE)
        return say(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                   "'%s' shall be committed, and was never prepared", name);
    if (kind == TREE_FILE)
        TRY(unlink_name(park, name));
    TRY(gate_remove(park, NULL));
    return tree_sync(park->tree, park->fd);
}

NTSTATUS
park_commit_again(struct park *park, const struct ktm_rm_key *key, bool is_same, struct words *why)
{
    char name[NAME_SIZE];
    NTSTATUS status;
    bool is_wal;

    status = is_of_wal(park, key, name, &is_wal);
    if (status == STATUS_SUCCESS)
        status =
            is_wal ? frame_commit_again(park, name, why) : commit_again(park, name, is_same, why);
    return say_status(why, status, "'%s' cannot be committed", name);
}

static NTSTATUS
rollback_again(struct park *park, const char *name, struct words *why)
{
    enum tree_kind kind;
    size_t others;

    TRY(kind_of(park, name, &kind));
    if (kind == TREE_FILE) {
        TRY(count_others(park, name, &others));
        if (others || !park_is_shut(park))
            return say(why, status_raise(STATUS_RM_METADATA_CORRUPT),
                       "'%s' shall be rolled back, and the names beside it say that it was "
                       "committed",
                       name);
        TRY(exchange(park, name, park->journal));
    }
    TRY(directory_remove(park, name));
    return tree_sync(park->tree, park->fd);
}

NTSTATUS
park_rollback_again(struct park *park, const struct ktm_rm_key *key, struct words *why)
{
    char name[NAME_SIZE];
    NTSTATUS status;
    bool is_wal;

    status = is_of_wal(park, key, name, &is_wal);
    if (status == STATUS_SUCCESS)
        status = is_wal ? frame_rollback_again(park, name, why) : rollback_again(park, name, why);
    return say_status(why, status, "'%s' cannot be rolled back", name);
}

NTSTATUS
park_sweep(struct park *park, struct words *why)
{
    TRY(say_status(why, journal_tidy(park), "'%s' cannot be removed", park->journal));
    return say_status(why, gate_remove(park, NULL), "the gate '%s' cannot be removed",
                      park->journal);
}
