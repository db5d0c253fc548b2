/* SPDX-License-Identifier: MIT */
/* A VFS that stops a commit at its last step. */
#include "rm/sqlite/shim.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/thread.h"

/* Each library that has a copy of this layer registers its own. */
#ifndef KTM_SHIM_NAME
#define KTM_SHIM_NAME "ktm-prepare"
#endif
#define NAME KTM_SHIM_NAME

/* What a device can do that leaves SQLite's way of committing as it is. */
#define HARMLESS                                                                                   \
    (SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_POWERSAFE_OVERWRITE)

enum shim_state { SHIM_OPEN, SHIM_PREPARING, SHIM_PARKED, SHIM_OVER };

struct shim {
    _Atomic unsigned references; /* the branch's, and the file's while it is open */
    _Atomic int state;           /* enum shim_state */
    _Atomic bool is_sealed;
    struct park *park;
    struct ktm_rm_key key;
    char *journal;      /* as SQLite names it */
    sqlite3_file *real; /* the database, below this layer; NULL: closed */
    bool owns_log;
    sqlite3_file *log;       /* the same for the write-ahead log */
    sqlite3_int64 log_mark;  /* where a commit in it began to be written */
    _Atomic bool has_marked; /* it was written */
    struct frame frame;      /* kept back */
    struct words why;
};

struct shim_file {
    sqlite3_file base;
    struct shim *shim;
    _Alignas(8) char real[]; /* the file of the VFS below; SQLite aligns no better */
};

static sqlite3_vfs vfs;
/* Which connection this thread opens, or lets commit. SQLite calls us on the thread that calls it,
 * and a removal of a name comes without a file. */
static __thread struct shim *current __attribute__((tls_model("initial-exec")));

static struct shim *
shim_of(sqlite3_file *file)
{
    return container_of(file, struct shim_file, base)->shim;
}

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return (sqlite3_file *)container_of(file, struct shim_file, base)->real;
}

static sqlite3_vfs *
below(void)
{
    return vfs.pAppData;
}

static void
release(struct shim *shim)
{
    if (atomic_fetch_sub(&shim->references, 1) != 1)
        return;
    frame_deinit(&shim->frame);
    free(shim->journal);
    free(shim);
}

/* ---- the database file ---- */

static int
file_close(sqlite3_file *file)
{
    struct shim *shim = shim_of(file);
    int code = real_of(file)->pMethods->xClose(real_of(file));

    shim->real = NULL;
    release(shim);
    return code;
}

static int
file_read(sqlite3_file *file, void *into, int size, sqlite3_int64 offset)
{
    if (atomic_load(&shim_of(file)->state) == SHIM_OVER)
        return SQLITE_IOERR_READ; /* nothing protects what we would read */
    return real_of(file)->pMethods->xRead(real_of(file), into, size, offset);
}

static bool
may_write(sqlite3_file *file)
{
    return atomic_load(&shim_of(file)->state) < SHIM_PARKED;
}

static int
file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    if (!may_write(file))
        return SQLITE_IOERR_WRITE;
    return real_of(file)->pMethods->xWrite(real_of(file), from, size, offset);
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (!may_write(file))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
file_sync(sqlite3_file *file, int flags)
{
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int
file_lock(sqlite3_file *file, int level)
{
    int state = atomic_load(&shim_of(file)->state);

    if (state == SHIM_PARKED)
        return SQLITE_BUSY;
    if (state == SHIM_OVER)
        return SQLITE_IOERR_LOCK;
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int
file_unlock(sqlite3_file *file, int level)
{
    if (!may_write(file))
        return SQLITE_OK; /* SQLite believes it has committed: the lock is ours until the outcome */
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int
file_check_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

/* A pragma that would make the commit go another way than by removing the journal or syncing the
 * log. */
static bool
is_ours(const char *name)
{
    static const char *const ours[] = {"journal_mode", "synchronous", "locking_mode",
                                       "wal_autocheckpoint"};

    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return true;
    return false;
}

static int
file_control(sqlite3_file *file, int operation, void *argument)
{
    if (operation == SQLITE_FCNTL_PRAGMA && atomic_load(&shim_of(file)->is_sealed)) {
        char **pragma = argument; /* 0: for the answer, 1: the name, 2: the value or NULL */

        if (pragma[2] && is_ours(pragma[1])) {
            pragma[0] =
                sqlite3_mprintf("PRAGMA %s cannot be set inside a transaction of KTM", pragma[1]);
            return SQLITE_ERROR;
        }
    }
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int
file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file)) & HARMLESS;
}

/* Version 1: no shared memory, so WAL in EXCLUSIVE locking mode alone; no mapping. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- the write-ahead log ---- */

static int
log_close(sqlite3_file *file)
{
    struct shim *shim = shim_of(file);
    int code = real_of(file)->pMethods->xClose(real_of(file));

    shim->log = NULL;
    release(shim);
    return code;
}

static int
log_read(sqlite3_file *file, void *into, int size, sqlite3_int64 offset)
{
    const struct frame *frame = &shim_of(file)->frame;

    if (atomic_load(&shim_of(file)->state) == SHIM_OVER)
        return SQLITE_IOERR_READ;
    if (frame_covers(frame, (size_t)size, (uint64_t)offset)) {
        memcpy(into, frame->at + ((uint64_t)offset - frame->offset), (size_t)size);
        return SQLITE_OK;
    }
    return real_of(file)->pMethods->xRead(real_of(file), into, size, offset);
}

/* The head of a frame, then its page. */
static void
log_note_mark(struct shim *shim, const void *from, int size, sqlite3_int64 offset)
{
    if (frame_is_marked(from, (size_t)size, (uint64_t)offset))
        shim->log_mark = offset;
    else if (shim->log_mark && offset == shim->log_mark + FRAME_HEAD_SIZE)
        atomic_store(&shim->has_marked, true);
}

/* The place of what is kept back: zeros are no frame, and the commit will need no space. */
static int
log_reserve(sqlite3_file *file, int size, sqlite3_int64 offset)
{
    static const char zeros[FRAME_SIZE_MAX];

    return real_of(file)->pMethods->xWrite(real_of(file), zeros, size, offset);
}

static int
log_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    struct shim *shim = shim_of(file);
    enum frame_write kept = FRAME_ELSEWHERE;
    int code;

    if (!may_write(file))
        return SQLITE_IOERR_WRITE;
    if (atomic_load(&shim->state) == SHIM_PREPARING)
        kept = frame_keep(&shim->frame, from, (size_t)size, (uint64_t)offset);
    if (kept == FRAME_REFUSED)
        return SQLITE_IOERR_WRITE;
    if (kept == FRAME_KEPT)
        return log_reserve(file, size, offset);
    code = real_of(file)->pMethods->xWrite(real_of(file), from, size, offset);
    if (code == SQLITE_OK)
        log_note_mark(shim, from, size, offset);
    return code;
}

/* All of the log is on the disk now, but for the frame. */
static int
park_frame(struct shim *shim)
{
    NTSTATUS status;

    if (frame_is_whole(&shim->frame))
        status = park_prepare_frame(shim->park, &shim->key, &shim->frame, &shim->why);
    else
        status =
            say(&shim->why, status_raise(STATUS_NOT_SUPPORTED),
                "this SQLite pads its log, and '%s' cannot prepare in WAL mode", shim->park->name);
    if (status != STATUS_SUCCESS)
        return SQLITE_IOERR_FSYNC;
    atomic_store(&shim->state, SHIM_PARKED);
    return SQLITE_OK;
}

static int
log_sync(sqlite3_file *file, int flags)
{
    struct shim *shim = shim_of(file);
    int code = real_of(file)->pMethods->xSync(real_of(file), flags);

    if (code != SQLITE_OK || atomic_load(&shim->state) != SHIM_PREPARING || !shim->frame.size)
        return code;
    return park_frame(shim);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = file_truncate,
    .xSync = log_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- names ---- */

/* The connection that a log belongs to. */
static struct shim *
log_owner(sqlite3_filename name)
{
    sqlite3_file *database = sqlite3_database_file_object(name);
    struct shim *shim = database->pMethods == &methods ? shim_of(database) : NULL;

    return shim && shim->owns_log && !shim->log ? shim : NULL;
}

/* NULL: nobody's. */
static int
shim_open_file(struct shim *shim, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    struct shim_file *ours = container_of(file, struct shim_file, base);
    bool is_log = flags & SQLITE_OPEN_WAL;
    int code;

    if (!shim)
        return SQLITE_CANTOPEN;
    memset(ours->real, 0, (size_t)below()->szOsFile);
    code = below()->xOpen(below(), name, real_of(file), flags, out);
    if (!real_of(file)->pMethods)
        return code;
    ours->shim = shim;
    file->pMethods = is_log ? &log_methods : &methods;
    *(is_log ? &shim->log : &shim->real) = real_of(file);
    atomic_fetch_add(&shim->references, 1);
    return code;
}

static int
vfs_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    (void)self;
    /* The commit of several databases goes by a journal above theirs: there is only one here. */
    if (flags & SQLITE_OPEN_SUPER_JOURNAL)
        return SQLITE_CANTOPEN;
    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
        return below()->xOpen(below(), name, file, flags, out);
    file->pMethods = NULL;
    if (flags & SQLITE_OPEN_WAL)
        return shim_open_file(log_owner(name), name, file, flags, out);
    if (!current || current->real)
        return SQLITE_CANTOPEN;
    return shim_open_file(current, name, file, flags, out);
}

static int
park(struct shim *shim)
{
    if (park_prepare(shim->park, &shim->key, &shim->why) != STATUS_SUCCESS)
        return SQLITE_IOERR_DELETE;
    atomic_store(&shim->state, SHIM_PARKED);
    return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *self, const char *name, int sync_directory)
{
    (void)self;
    if (current && atomic_load(&current->state) == SHIM_PREPARING &&
        strcmp(name, current->journal) == 0)
        return park(current);
    return below()->xDelete(below(), name, sync_directory);
}

static int
vfs_access(sqlite3_vfs *self, const char *name, int flags, int *out)
{
    (void)self;
    return below()->xAccess(below(), name, flags, out);
}

static int
vfs_full_pathname(sqlite3_vfs *self, const char *name, int size, char *out)
{
    (void)self;
    return below()->xFullPathname(below(), name, size, out);
}

static void
vfs_register(void)
{
    sqlite3_vfs *real;

    if (sqlite3_initialize() != SQLITE_OK || !(real = sqlite3_vfs_find(NULL)))
        return;
    vfs = *real; /* what has no file in it is the same: libraries, time, random, system calls */
    vfs.iVersion = vfs.iVersion > 2 ? 2 : vfs.iVersion;
    vfs.pNext = NULL;
    vfs.zName = NAME;
    vfs.pAppData = real;
    vfs.szOsFile = (int)sizeof(struct shim_file) + real->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_pathname;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        vfs.pAppData = NULL;
}

static bool
is_registered(void)
{
    static struct sys_mutex mutex = {PTHREAD_MUTEX_INITIALIZER};
    static bool is_tried;

    sys_mutex_lock(&mutex);
    if (!is_tried)
        vfs_register();
    is_tried = true;
    sys_mutex_unlock(&mutex);
    return vfs.pAppData != NULL;
}

/* ---- connections ---- */

int
shim_open(const char *path, struct park *park, sqlite3 **out, struct shim **shim)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_PRIVATECACHE |
                      SQLITE_OPEN_EXRESCODE;
    struct shim *fresh = calloc(1, sizeof(*fresh));
    int code;

    if (!fresh || !is_registered()) {
        free(fresh);
        return SQLITE_NOMEM;
    }
    fresh->references = 1;
    fresh->park = park;
    fresh->journal = malloc(strlen(path) + sizeof("-journal"));
    if (!fresh->journal) {
        free(fresh);
        return SQLITE_NOMEM;
    }
    strcat(strcpy(fresh->journal, path), "-journal");
    current = fresh;
    code = sqlite3_open_v2(path, out, flags, NAME);
    current = NULL;
    *shim = fresh;
    return code;
}

void
shim_close(struct shim *shim)
{
    if (!shim)
        return;
    shim_end(shim);
    release(shim);
}

void
shim_own_log(struct shim *shim)
{
    shim->owns_log = true;
}

uint64_t
shim_log_size(struct shim *shim)
{
    sqlite3_int64 size = 0;

    if (!shim->log || shim->log->pMethods->xFileSize(shim->log, &size) != SQLITE_OK)
        return 0;
    return (uint64_t)size;
}

void
shim_seal(struct shim *shim)
{
    atomic_store(&shim->is_sealed, true);
}

void
shim_park(struct shim *shim, const struct ktm_rm_key *key)
{
    shim->key = *key;
    current = shim;
    atomic_store(&shim->state, SHIM_PREPARING);
}

bool
shim_is_parked(struct shim *shim)
{
    int preparing = SHIM_PREPARING;

    current = NULL;
    atomic_compare_exchange_strong(&shim->state, &preparing, SHIM_OPEN);
    return atomic_load(&shim->state) == SHIM_PARKED;
}

const struct frame *
shim_frame(struct shim *shim)
{
    return shim->frame.size ? &shim->frame : NULL;
}

bool
shim_may_have_committed(struct shim *shim)
{
    return atomic_load(&shim->has_marked);
}

void
shim_explain(struct shim *shim, struct words *why)
{
    if (shim->why.text[0])
        words_write(why, "%s", shim->why.text);
}

void
shim_end(struct shim *shim)
{
    atomic_store(&shim->state, SHIM_OVER);
    if (shim->real)
        shim->real->pMethods->xUnlock(shim->real, SQLITE_LOCK_NONE);
}

/* ---- the guard ---- */

#define GUARD_TRIES 40
#define GUARD_PAUSE 25 /* milliseconds */

struct guard {
    sqlite3_filename name;
    _Alignas(8) char file[];
};

static sqlite3_file *
guard_file(struct guard *guard)
{
    return (sqlite3_file *)guard->file;
}

static int
lock_all(sqlite3_file *file)
{
    int code = file->pMethods->xLock(file, SQLITE_LOCK_SHARED);

    if (code == SQLITE_OK)
        code = file->pMethods->xLock(file, SQLITE_LOCK_RESERVED);
    if (code == SQLITE_OK)
        code = file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE);
    return code;
}

/* Others try the lock for a moment to look at the journal, so one refusal says nothing. */
static int
lock_patiently(sqlite3_file *file)
{
    for (int i = 0; i < GUARD_TRIES; i++) {
        if (lock_all(file) == SQLITE_OK)
            return SQLITE_OK;
        file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
        sqlite3_sleep(GUARD_PAUSE);
    }
    return SQLITE_BUSY;
}

static NTSTATUS
guard_open(const char *path, struct guard *guard, struct words *why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB;

    /* VFSes look for parameters behind the name, so it must be made by SQLite. */
    guard->name = sqlite3_create_filename(path, "", "", 0, NULL);
    if (!guard->name)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (below()->xOpen(below(), guard->name, guard_file(guard), flags, &flags) != SQLITE_OK)
        return say(why, status_raise(STATUS_ACCESS_DENIED), "'%s' cannot be opened for writing",
                   path);
    if (lock_patiently(guard_file(guard)) != SQLITE_OK)
        return say(why, status_raise(STATUS_TRANSACTIONAL_CONFLICT),
                   "'%s' is in use, so what an earlier run has left cannot be finished now", path);
    return STATUS_SUCCESS;
}

NTSTATUS
guard_take(const char *path, struct guard **out, struct words *why)
{
    owned(guard_drop) struct guard *guard = NULL;

    if (!is_registered())
        return say(why, status_raise(STATUS_NOT_SUPPORTED), "this SQLite has no files");
    guard = calloc(1, sizeof(*guard) + (size_t)below()->szOsFile);
    if (!guard)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(guard_open(path, guard, why));
    *out = give(guard);
    return STATUS_SUCCESS;
}

void
guard_drop(struct guard *guard)
{
    if (!guard)
        return;
    if (guard_file(guard)->pMethods) {
        guard_file(guard)->pMethods->xUnlock(guard_file(guard), SQLITE_LOCK_NONE);
        guard_file(guard)->pMethods->xClose(guard_file(guard));
    }
    sqlite3_free_filename(guard->name);
    free(guard);
}

NTSTATUS
database_path(const char *path, char **out, struct words *why)
{
    int code;

    if (!is_registered() || !sqlite3_threadsafe())
        return say(why, status_raise(STATUS_NOT_SUPPORTED),
                   "this SQLite was built without threads or files");
    *out = malloc((size_t)below()->mxPathname + 1);
    if (!*out)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    code = below()->xFullPathname(below(), path, below()->mxPathname + 1, *out);
    if (code != SQLITE_OK && code != SQLITE_OK_SYMLINK) {
        free(*out);
        return say(why, status_raise(STATUS_OBJECT_PATH_NOT_FOUND),
                   "the path '%s' leads nowhere or is too long", path);
    }
    return STATUS_SUCCESS;
}
