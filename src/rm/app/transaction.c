/* SPDX-License-Identifier: MIT */
/* Transactions of applications: begin, commit, why not. */
#include "rm/app/home.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ktm_tx {
    struct ktm_home *home;
    HANDLE handle;
    struct parts parts;
    struct sys_mutex mutex; /* 'why' */
    char why[512];          /* "": nothing was refused by the transaction itself */
};

NTSTATUS
ktm_begin(struct ktm_home *home, struct ktm_tx **out)
{
    struct ktm_tx *tx;
    NTSTATUS status;

    if (!out)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(ktm_open(home ? home->path : NULL, &home)); /* the home outlives its transactions */
    tx = calloc(1, sizeof(*tx));
    status = tx ? NtCreateTransaction(&tx->handle, TRANSACTION_ALL_ACCESS, NULL, NULL,
                                      home->manager, 0, 0, 0, NULL, NULL)
                : status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status != STATUS_SUCCESS) {
        free(tx);
        ktm_shut(home);
        return status;
    }
    tx->home = home;
    parts_init(&tx->parts);
    sys_mutex_init(&tx->mutex);
    *out = tx;
    return STATUS_SUCCESS;
}

void
ktm_end(struct ktm_tx *tx)
{
    if (!tx)
        return;
    /* Before its parts: what is not committed is rolled back, and they hear of it. */
    (void)NtRollbackTransaction(tx->handle, TRUE);
    parts_deinit(&tx->parts);
    NtClose(tx->handle);
    ktm_shut(tx->home);
    sys_mutex_deinit(&tx->mutex);
    free(tx);
}

HANDLE
ktm_transaction(struct ktm_tx *tx)
{
    return tx->handle;
}

struct ktm_home *
ktm_of(struct ktm_tx *tx)
{
    return tx->home;
}

NTSTATUS
ktm_tx_part(struct ktm_tx *tx, const char *name, const struct ktm_part_kind *kind, void *argument,
            void **part)
{
    if (!tx || !name || !kind || !kind->make || !part)
        return status_raise(STATUS_INVALID_PARAMETER);
    return parts_get(&tx->parts, name, kind, tx, argument, part);
}

/* ---- why not ---- */

NTSTATUS
ktm_tx_explain(struct ktm_tx *tx, NTSTATUS status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sys_mutex_lock(&tx->mutex);
    vsnprintf(tx->why, sizeof(tx->why), format, arguments);
    sys_mutex_unlock(&tx->mutex);
    va_end(arguments);
    return status;
}

size_t
ktm_error(struct ktm_tx *tx, char *into, size_t size)
{
    size_t length = parts_error(&tx->parts, into, size);

    if (length)
        return length;
    sys_mutex_lock(&tx->mutex);
    length = strlen(tx->why);
    if (size)
        snprintf(into, size, "%s", tx->why);
    sys_mutex_unlock(&tx->mutex);
    return length;
}

/* ---- the end ---- */

static const char *
reason(NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS:
        return "";
    case STATUS_TRANSACTION_ALREADY_ABORTED:
        return "the transaction was rolled back: one who takes part in it could not commit, or has "
               "rolled it back";
    case STATUS_RM_DISCONNECTED:
        return "it is not known whether the transaction was committed: the one who was to decide "
               "it "
               "does not answer";
    case STATUS_TRANSACTIONMANAGER_NOT_ONLINE:
        return "it is not known whether the transaction was committed: the log cannot be written; "
               "the next start finds out";
    default:
        return ktm_status_text(status);
    }
}

NTSTATUS
ktm_commit(struct ktm_tx *tx)
{
    NTSTATUS status = NtCommitTransaction(tx->handle, TRUE);

    return ktm_tx_explain(tx, status, "%s", reason(status));
}

NTSTATUS
ktm_rollback(struct ktm_tx *tx)
{
    NTSTATUS status = NtRollbackTransaction(tx->handle, TRUE);

    return ktm_tx_explain(tx, status, "%s", reason(status));
}
