/* SPDX-License-Identifier: MIT */
/* Files in transactions of applications (ktm.h). */
#include "base/base.h"
#include "ktm.h"
#include "ktm_file.h"
#include "rm/file/rm.h"

static NTSTATUS
door_open(HANDLE tm, const char *home, const void *argument, char *why, size_t why_size, void **rm)
{
    struct ktm_file_rm *made = NULL;
    NTSTATUS status = ktm_file_open(tm, home, NULL, why, why_size, &made);

    (void)argument;
    *rm = made;
    return status;
}

static void
door_shut(void *rm)
{
    ktm_file_shut(rm);
}

static NTSTATUS
door_begin(void *rm, HANDLE transaction, char *why, size_t why_size, void **part)
{
    struct ktm_file_tx *made = NULL;
    NTSTATUS status = ktm_file_begin(rm, transaction, &made);

    (void)why, (void)why_size; /* the status says it all */
    *part = made;
    return status;
}

static void
door_close(void *part)
{
    ktm_file_close(part);
}

static size_t
door_error(void *part, char *into, size_t size)
{
    return ktm_file_error(part, into, size);
}

static uint64_t
door_error_time(void *part)
{
    struct ktm_file_tx *tx = part;
    uint64_t time;

    if (file_rm_check(tx->rm) != STATUS_SUCCESS)
        return 0;
    sys_mutex_lock(&tx->mutex);
    time = tx->work->why.time;
    sys_mutex_unlock(&tx->mutex);
    return time;
}

NTSTATUS
ktm_files(struct ktm_tx *tx, struct ktm_file_tx **out)
{
    static const struct ktm_manager_kind kind = {.open = door_open,
                                                 .shut = door_shut,
                                                 .begin = door_begin,
                                                 .close = door_close,
                                                 .error = door_error,
                                                 .error_time = door_error_time};
    void *part = NULL;

    if (!out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(ktm_use(tx, "file", &kind, NULL, &part));
    *out = part;
    return STATUS_SUCCESS;
}
