/* SPDX-License-Identifier: MIT */
/* A log from base to end, through the public Clfs routines. */
#include "cli/log_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/names.h"
#include "cli/owned.h"
#include "wdm.h" /* public */

static_assert(LOG_SCAN_NONE == 0xFFFFFFFF00000000u, "CLFS_LSN_INVALID");

enum { BLOCK_SIZE_MAX = 1u << 20, BLOCK_SIZE_MIN = 512 };

struct log_scan {
    PLOG_FILE_OBJECT log;
    PVOID area; /* NULL: there are no containers, and so no records */
    PVOID reader;
    struct log_facts facts;
};

bool
log_is_damage(NTSTATUS status)
{
    switch (status) {
    case STATUS_LOG_BLOCK_INVALID:
    case STATUS_LOG_BLOCK_INCOMPLETE:
    case STATUS_LOG_BLOCK_VERSION:
    case STATUS_LOG_METADATA_CORRUPT:
    case STATUS_LOG_METADATA_INVALID:
    case STATUS_LOG_METADATA_INCONSISTENT:
    case STATUS_LOG_CONTAINER_OPEN_FAILED:
    case STATUS_LOG_CONTAINER_READ_FAILED:
    case STATUS_LOG_CONTAINER_STATE_INVALID:
    case STATUS_LOG_RESTART_INVALID:
    case STATUS_LOG_CORRUPTION_DETECTED:
        return true;
    default:
        return false;
    }
}

const char *
log_advice(NTSTATUS status)
{
    if (log_is_damage(status))
        return "keep a copy of all its files before anything else; 'ktm log dump' shows what can "
               "be read";
    if (status == STATUS_SHARING_VIOLATION)
        return "another process is using it; try again when that has ended";
    if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_OBJECT_PATH_NOT_FOUND)
        return "give the path of its base file, NAME.blf";
    if (status == STATUS_ACCESS_DENIED)
        return "run this as the user it belongs to";
    return NULL;
}

static char *
without_extension(const char *path)
{
    size_t length = strlen(path);

    if (length > 4 && strcmp(path + length - 4, ".blf") == 0)
        length -= 4;
    return strndup(path, length);
}

int
log_holder(const char *path)
{
    owned(free_text) char *bare = without_extension(path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *base = NULL;
    bool is_held;
    int fd;

    if (!bare || asprintf(&base, "%s.blf", bare) < 0)
        return 0;
    fd = open(base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(base);
    if (fd < 0)
        return 0;
    is_held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd);
    return is_held ? lock.l_pid : 0;
}

static NTSTATUS
get_facts(struct log_scan *scan)
{
    CLFS_INFORMATION info;
    ULONG size = sizeof(info);

    TRY(ClfsGetLogFileInformation(scan->log, &info, &size));
    scan->facts = (struct log_facts){.identity = info.Identity,
                                     .base = info.BaseLsn.Internal,
                                     .end = info.LastLsn.Internal,
                                     .flushed = info.LastFlushedLsn.Internal,
                                     .restart = info.RestartLsn.Internal,
                                     .container_size = info.ContainerSize,
                                     .containers = info.TotalContainers,
                                     .containers_free = info.FreeContainers};
    return STATUS_SUCCESS;
}

/* With blocks as large as the log can have them: a larger one than the area's cannot be read. */
static NTSTATUS
make_area(struct log_scan *scan)
{
    ULONG size = BLOCK_SIZE_MAX;
    NTSTATUS status;

    do
        status = ClfsCreateMarshallingArea(scan->log, PagedPool, NULL, NULL, size, INFINITE,
                                           INFINITE, &scan->area);
    while (status == STATUS_INVALID_PARAMETER && (size /= 2) >= BLOCK_SIZE_MIN);
    /* A log whose making was cut short has no records. */
    return status == STATUS_LOG_NOT_ENOUGH_CONTAINERS ? STATUS_SUCCESS : status;
}

static NTSTATUS
open_log(UNICODE_STRING *name, struct log_scan *scan)
{
    TRY(ClfsCreateLogFile(&scan->log, name, GENERIC_READ,
                          FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                          OPEN_EXISTING, 0, FILE_ATTRIBUTE_NORMAL, CLFS_FLAG_NO_FLAGS, NULL, 0));
    TRY(get_facts(scan));
    return make_area(scan);
}

NTSTATUS
log_scan_open(const char *path, struct complaint *why, struct log_scan **out)
{
    owned(log_scan_close) struct log_scan *scan = calloc(1, sizeof(*scan));
    owned(free_text) char *bare = without_extension(path);
    owned_name struct name name = {0};
    char text[STATUS_TEXT_SIZE];
    const char *advice;
    NTSTATUS status;

    if (!scan || !bare)
        return out_of_memory(why);
    TRY(name_of_log("log:", bare, why, &name));
    status = open_log(&name.string, scan);
    if (status == STATUS_SUCCESS) {
        *out = give(scan);
        return STATUS_SUCCESS;
    }
    if (status == STATUS_SHARING_VIOLATION && log_holder(path))
        return complain(why, status, "cannot read the log %s: it is in use by process %d (%s)",
                        QUOTE(path), log_holder(path), status_text(status, text));
    advice = log_advice(status);
    return complain(why, status, "cannot read the log %s: %s (%s)%s%s", QUOTE(path),
                    STATUS_WORDS(status), status_text(status, text), advice ? "; " : "",
                    advice ? advice : "");
}

/* Nothing was written, so nothing can be lost here. */
void
log_scan_close(struct log_scan *scan)
{
    if (!scan)
        return;
    if (scan->reader)
        (void)ClfsTerminateReadLog(scan->reader);
    if (scan->area)
        (void)ClfsDeleteMarshallingArea(scan->area);
    if (scan->log)
        (void)ClfsCloseLogFileObject(scan->log);
    free(scan);
}

const struct log_facts *
log_scan_facts(const struct log_scan *scan)
{
    return &scan->facts;
}

NTSTATUS
log_scan_next(struct log_scan *scan, struct log_entry *out)
{
    CLFS_LSN lsn = {scan->facts.base}, previous, undo_next;
    CLFS_RECORD_TYPE type = ClfsClientRecord;
    PVOID data;
    ULONG size;

    if (!scan->area)
        return STATUS_END_OF_FILE;
    if (scan->reader)
        TRY(ClfsReadNextLogRecord(scan->reader, &data, &size, &type, NULL, &undo_next, &previous,
                                  &lsn));
    else
        TRY(ClfsReadLogRecord(scan->area, &lsn, ClfsContextForward, &data, &size, &type, &undo_next,
                              &previous, &scan->reader));
    *out = (struct log_entry){.lsn = lsn.Internal,
                              .previous = previous.Internal,
                              .undo_next = undo_next.Internal,
                              .is_restart = type == ClfsRestartRecord,
                              .data = bytes_of(data, size)};
    return STATUS_SUCCESS;
}
