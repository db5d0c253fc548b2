/* SPDX-License-Identifier: MIT */
/*
 * Log file objects: create, close, delete; containers.
 *
 * Dedicated logs only: a name with "::" is refused with STATUS_NOT_SUPPORTED, or
 * STATUS_LOG_DEDICATED when that log exists and is dedicated [CLFS-NAME-16].
 */
#include <stdlib.h>
#include <string.h>

#include "nt/clfs_name.h"
#include "nt/clfs_object.h"
#include "sys/thread.h"

/* What files call their rights; only these composites mean anything here [CLFS-CREATE-13]. */
#define FILE_RIGHTS_READ  0x00120089u
#define FILE_RIGHTS_WRITE 0x00120116u

#define OPTION_NO_BUFFERING  0x00000008u
#define OPTION_SYNC_ALERT    0x00000010u
#define OPTION_SYNC_NONALERT 0x00000020u
#define OPTIONS_VALID        0x00000038u
#define ATTRIBUTES_VALID     (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_NORMAL)
#define SHARE_VALID          (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static_assert(FILE_SHARE_READ == CLFS_ACCESS_READ && FILE_SHARE_WRITE == CLFS_ACCESS_WRITE &&
                  FILE_SHARE_DELETE == CLFS_ACCESS_DELETE,
              "a share bit is the access it allows");

static struct sys_mutex files_mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct list files = {&files, &files};

void
clfs_file_begin_anew(void)
{
    sys_mutex_init(&files_mutex);
    list_init(&files);
}

struct opening {
    char *path;
    bool is_multiplexed;
    unsigned access, share;
    ULONG disposition, attributes, flags;
};

/* ---- arguments ---- */

/* [CLFS-CREATE-11..13] */
static NTSTATUS
access_map(ACCESS_MASK desired, unsigned *access)
{
    if (desired & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_ALL | DELETE | FILE_RIGHTS_READ |
                    FILE_RIGHTS_WRITE))
        return status_raise(STATUS_INVALID_PARAMETER);
    *access = 0;
    if (desired & (GENERIC_READ | GENERIC_ALL | (FILE_RIGHTS_READ & 1)))
        *access |= CLFS_ACCESS_READ;
    if (desired & (GENERIC_WRITE | GENERIC_ALL | (FILE_RIGHTS_WRITE & 6)))
        *access |= CLFS_ACCESS_WRITE;
    if (desired & (DELETE | GENERIC_ALL))
        *access |= CLFS_ACCESS_DELETE;
    return STATUS_SUCCESS;
}

/* [CLFS-CREATE-26..29] */
static NTSTATUS
option_flag_check(ULONG flags, const void *context, ULONG context_size)
{
    ULONG option = flags & (CLFS_FLAG_REENTRANT_FILE_SYSTEM | CLFS_FLAG_NON_REENTRANT_FILTER |
                            CLFS_FLAG_REENTRANT_FILTER | CLFS_FLAG_MINIFILTER_LEVEL);
    ULONG others = CLFS_FLAG_IGNORE_SHARE_ACCESS | CLFS_FLAG_HIDDEN_SYSTEM_LOG;

    if ((flags & ~(option | others)) || (option & (option - 1)))
        return status_raise(STATUS_INVALID_PARAMETER);
    if (context && context_size == 0)
        return status_raise(STATUS_INVALID_PARAMETER);
    if ((option & (CLFS_FLAG_NON_REENTRANT_FILTER | CLFS_FLAG_MINIFILTER_LEVEL)) && !context)
        return status_raise(STATUS_INVALID_PARAMETER);
    return STATUS_SUCCESS;
}

static NTSTATUS
options_check(ULONG options, const struct opening *opening)
{
    if ((options & ~OPTIONS_VALID) ||
        (options & (OPTION_SYNC_ALERT | OPTION_SYNC_NONALERT)) ==
            (OPTION_SYNC_ALERT | OPTION_SYNC_NONALERT)) /* [CLFS-CREATE-20] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if ((opening->attributes & ~(ULONG)ATTRIBUTES_VALID) || (opening->share & ~SHARE_VALID))
        return status_raise(STATUS_INVALID_PARAMETER);
    if (opening->disposition != CREATE_NEW && opening->disposition != OPEN_EXISTING &&
        opening->disposition != OPEN_ALWAYS) /* [CLFS-CREATE-09] */
        return status_raise(STATUS_INVALID_PARAMETER);
    if ((opening->attributes & FILE_ATTRIBUTE_READONLY) && opening->disposition == CREATE_NEW)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-CREATE-22] */
    if ((opening->attributes & FILE_ATTRIBUTE_READONLY) && (opening->access & CLFS_ACCESS_WRITE))
        return status_raise(STATUS_ACCESS_DENIED);
    return STATUS_SUCCESS;
}

/* ---- share modes ---- */

/* Enters the file if no other one of the same log minds [CLFS-CREATE-14..18]. */
static NTSTATUS
share_enter(PLOG_FILE_OBJECT file, bool is_checked)
{
    const void *physical = clfs_log_physical(file->log);
    NTSTATUS status = STATUS_SUCCESS;
    PLOG_FILE_OBJECT other;

    sys_mutex_lock(&files_mutex);
    LIST_EACH (other, &files, in_files) {
        if (is_checked && file->access && other->access &&
            clfs_log_physical(other->log) == physical &&
            ((file->access & ~other->share) || (other->access & ~file->share)))
            status = status_raise(STATUS_SHARING_VIOLATION);
    }
    if (status == STATUS_SUCCESS)
        list_append(&files, &file->in_files);
    sys_mutex_unlock(&files_mutex);
    return status;
}

static void
share_leave(PLOG_FILE_OBJECT file)
{
    sys_mutex_lock(&files_mutex);
    list_remove(&file->in_files);
    sys_mutex_unlock(&files_mutex);
}

/* ---- opening ---- */

/* A name with "::": what can be said about it without streams. */
static NTSTATUS
multiplexed_refuse(const struct opening *opening)
{
    struct clfs_log *log = NULL;
    NTSTATUS status = clfs_log_open(sys_linux(), opening->path, CLFS_OPEN_EXISTING, false, &log);

    if (status == STATUS_SUCCESS) {
        (void)!clfs_log_close(log);
        return status_raise(STATUS_LOG_DEDICATED);
    }
    return status_raise(STATUS_NOT_SUPPORTED);
}

/* What may not be created is only opened: a log with an archive tail is a later thing
 * (STATUS_NOT_SUPPORTED), a read-only one a contradiction [CLFS-CREATE-22, -24]. */
static NTSTATUS
log_of(const struct opening *opening, struct clfs_log **log)
{
    bool writable = opening->access & CLFS_ACCESS_WRITE;
    bool must_exist = opening->attributes & (FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_READONLY);
    enum clfs_disposition disposition = (enum clfs_disposition)opening->disposition;
    NTSTATUS status;

    if (!must_exist || disposition == CLFS_OPEN_EXISTING)
        return clfs_log_open(sys_linux(), opening->path, disposition, writable, log);
    if (disposition == CLFS_CREATE_NEW)
        return status_raise(STATUS_NOT_SUPPORTED);
    status = clfs_log_open(sys_linux(), opening->path, CLFS_OPEN_EXISTING, writable, log);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        return status_raise(opening->attributes & FILE_ATTRIBUTE_READONLY ? STATUS_INVALID_PARAMETER
                                                                          : STATUS_NOT_SUPPORTED);
    return status;
}

/* Takes opening->path on success. */
static NTSTATUS
file_create(struct opening *opening, PLOG_FILE_OBJECT *out)
{
    PLOG_FILE_OBJECT file;
    NTSTATUS status;

    if (opening->is_multiplexed)
        return multiplexed_refuse(opening);
    file = calloc(1, sizeof(*file));
    if (!file)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    list_init(&file->in_files);
    file->access = opening->access;
    file->share = opening->share;
    file->is_readonly = opening->attributes & FILE_ATTRIBUTE_READONLY;
    status = log_of(opening, &file->log);
    if (status == STATUS_SUCCESS) {
        status = share_enter(file, !(opening->flags & CLFS_FLAG_IGNORE_SHARE_ACCESS));
        if (status != STATUS_SUCCESS)
            (void)!clfs_log_close(file->log);
    }
    if (status != STATUS_SUCCESS) {
        free(file);
        return status;
    }
    file->path = give(opening->path);
    clfs_object_add(&file->object, CLFS_KIND_FILE);
    *out = file;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI
ClfsCreateLogFile(PPLOG_FILE_OBJECT pplfoLog, PUNICODE_STRING puszLogFileName,
                  ACCESS_MASK fDesiredAccess, ULONG dwShareMode, PSECURITY_DESCRIPTOR psdLogFile,
                  ULONG fCreateDisposition, ULONG fCreateOptions, ULONG fFlagsAndAttributes,
                  ULONG fLogOptionFlag, PVOID pvContext, ULONG cbContext)
{
    struct opening opening = {.share = dwShareMode,
                              .disposition = fCreateDisposition,
                              .attributes = fFlagsAndAttributes,
                              .flags = fLogOptionFlag};
    NTSTATUS status;

    (void)psdLogFile; /* what is created has mode 0600 [CLFS-SEC-08] */
    if (!pplfoLog)
        return status_raise(STATUS_INVALID_PARAMETER);
    *pplfoLog = NULL; /* [CLFS-CREATE-37] */
    TRY(access_map(fDesiredAccess, &opening.access));
    TRY(option_flag_check(fLogOptionFlag, pvContext, cbContext));
    TRY(options_check(fCreateOptions, &opening));
    TRY(clfs_name_parse(puszLogFileName, &opening.path, &opening.is_multiplexed));
    status = file_create(&opening, pplfoLog);
    free(opening.path);
    return status;
}

/* ---- closing and deleting ---- */

NTSTATUS NTAPI
ClfsCloseLogFileObject(PLOG_FILE_OBJECT plfoLog)
{
    struct clfs_object *object;
    PLOG_FILE_OBJECT file;
    NTSTATUS status;

    TRY(clfs_object_end(plfoLog, CLFS_KIND_FILE, &object));
    file = clfs_file(object);
    share_leave(file);
    status = clfs_log_close(file->log); /* gone all the same [CLFS-CLOSE-06] */
    free(file->path);
    free(file);
    return status;
}

NTSTATUS NTAPI
ClfsDeleteLogByPointer(PLOG_FILE_OBJECT plfoLog)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;

    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    TRY(clfs_access_check(clfs_file(object)->access, CLFS_ACCESS_DELETE)); /* [CLFS-DELETE-04] */
    return clfs_log_delete(clfs_file(object)->log);
}

NTSTATUS NTAPI
ClfsDeleteLogFile(PUNICODE_STRING puszLogFileName, PVOID pvReserved, ULONG fLogOptionFlag,
                  PVOID pvContext, ULONG cbContext)
{
    PLOG_FILE_OBJECT file;
    NTSTATUS status, closed;

    if (pvReserved)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-DELETE-13] */
    TRY(ClfsCreateLogFile(&file, puszLogFileName, DELETE, SHARE_VALID, NULL, OPEN_EXISTING, 0,
                          FILE_ATTRIBUTE_NORMAL, fLogOptionFlag, pvContext, cbContext));
    status = ClfsDeleteLogByPointer(file);
    closed = ClfsCloseLogFileObject(file);
    return status == STATUS_SUCCESS ? closed : status;
}

/* ---- containers ---- */

static void
paths_free(char **paths, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}

static NTSTATUS
paths_parse(unsigned count, const UNICODE_STRING *names, char **paths)
{
    for (unsigned i = 0; i < count; i++)
        TRY(clfs_container_path_parse(&names[i], &paths[i]));
    return STATUS_SUCCESS;
}

static NTSTATUS
containers_add(PLOG_FILE_OBJECT file, unsigned count, PULONGLONG size, const UNICODE_STRING *names)
{
    char **paths = calloc(count, sizeof(paths[0]));
    uint64_t used = size ? *size : 0;
    NTSTATUS status;

    if (!paths)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = paths_parse(count, names, paths);
    if (status == STATUS_SUCCESS)
        status = clfs_log_add_containers(file->log, count, &used, (const char *const *)paths);
    paths_free(paths, count);
    if (status == STATUS_SUCCESS && size)
        *size = used; /* [CLFS-CONT-03, -04] */
    return status;
}

NTSTATUS NTAPI
ClfsAddLogContainerSet(PLOG_FILE_OBJECT plfoLog, USHORT cContainers, PULONGLONG pcbContainer,
                       PUNICODE_STRING rguszContainerPath)
{
    owned(clfs_object_release) struct clfs_object *object = NULL;

    /* A size given is never 0; only an absent one means "as the others" [CLFS-CONT-02, -05]. */
    if (cContainers == 0 || !rguszContainerPath || (pcbContainer && *pcbContainer == 0))
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(clfs_object_acquire(plfoLog, CLFS_KIND_FILE, &object));
    TRY(clfs_access_check(clfs_file(object)->access, CLFS_ACCESS_WRITE));
    return containers_add(clfs_file(object), cContainers, pcbContainer, rguszContainerPath);
}

NTSTATUS NTAPI
ClfsAddLogContainer(PLOG_FILE_OBJECT plfoLog, PULONGLONG pcbContainer,
                    PUNICODE_STRING puszContainerPath)
{
    return ClfsAddLogContainerSet(plfoLog, 1, pcbContainer, puszContainerPath);
}

/* ---- the library ---- */

NTSTATUS NTAPI
ClfsInitialize(void)
{
    return STATUS_SUCCESS; /* nothing is set up before it is used [CLFS-INIT-01, -02] */
}

void NTAPI
ClfsFinalize(void)
{
}

BOOLEAN NTAPI
ClfsValidTopLevelContext(PIRP pirpTopLevelContext)
{
    (void)pirpTopLevelContext;
    return FALSE; /* [CLFS-INIT-04] */
}
