/* SPDX-License-Identifier: MIT */
/* Transactions of applications: begin, commit, why not. */
#include "rm/app/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ktm_tx {
    struct ktm_home *home;
    HANDLE handle;
    struct parts parts;
    struct sys_mutex mutex; /* what follows */
    char why[512];          /* "": nothing was refused by the transaction itself */
    uint64_t refused_at;    /* or what is older than that does not matter to it; sys_now */
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

/* ---- why not ---- */

/* 'since': whoever has refused something after that knows more. */
static NTSTATUS
explain(struct ktm_tx *tx, NTSTATUS status, const char *text, uint64_t since)
{
    sys_mutex_lock(&tx->mutex);
    snprintf(tx->why, sizeof(tx->why), "%s", text);
    tx->refused_at = text[0] ? since : 0;
    sys_mutex_unlock(&tx->mutex);
    return status;
}

size_t
ktm_error(struct ktm_tx *tx, char *into, size_t size)
{
    uint64_t since;
    size_t length;

    sys_mutex_lock(&tx->mutex);
    since = tx->refused_at;
    sys_mutex_unlock(&tx->mutex);
    length = parts_error(&tx->parts, since, into, size);
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
    uint64_t began = sys_now();
    NTSTATUS status = NtCommitTransaction(tx->handle, TRUE);

    return explain(tx, status, reason(status), began);
}

NTSTATUS
ktm_rollback(struct ktm_tx *tx)
{
    uint64_t began = sys_now();
    NTSTATUS status = NtRollbackTransaction(tx->handle, TRUE);

    return explain(tx, status, reason(status), began);
}

/* ---- resource managers ---- */

struct use {
    struct ktm_tx *tx;
    const struct ktm_manager_kind *kind;
    const void *argument;
    void *rm;
};

static NTSTATUS
told(const struct use *use, NTSTATUS status, const char *why)
{
    if (status == STATUS_SUCCESS)
        return status;
    return explain(use->tx, status, why[0] ? why : ktm_status_text(status), sys_now());
}

static NTSTATUS
manager_open(void *argument, void **rm)
{
    struct use *use = argument;
    struct ktm_home *home = use->tx->home;
    char why[512] = "";
    NTSTATUS status =
        use->kind->open(home->manager, home->path, use->argument, why, sizeof(why), rm);

    return told(use, status, why);
}

static void
manager_shut(const void *owner, void *rm)
{
    const struct ktm_manager_kind *kind = owner;

    kind->shut(rm);
}

static NTSTATUS
part_begin(void *argument, void **part)
{
    struct use *use = argument;
    char why[512] = "";
    NTSTATUS status = use->kind->begin(use->rm, use->tx->handle, why, sizeof(why), part);

    return told(use, status, why);
}

static void
part_close(const void *owner, void *part)
{
    const struct ktm_manager_kind *kind = owner;

    kind->close(part);
}

static size_t
part_error(const void *owner, void *part, char *into, size_t size)
{
    const struct ktm_manager_kind *kind = owner;

    return kind->error ? kind->error(part, into, size) : 0;
}

static uint64_t
part_error_time(const void *owner, void *part)
{
    const struct ktm_manager_kind *kind = owner;

    return kind->error_time ? kind->error_time(part) : 0;
}

NTSTATUS
ktm_use(struct ktm_tx *tx, const char *name, const struct ktm_manager_kind *kind,
        const void *argument, void **part)
{
    static const struct part_kind managers = {.make = manager_open, .close = manager_shut};
    static const struct part_kind parts = {.make = part_begin,
                                           .close = part_close,
                                           .error = part_error,
                                           .error_time = part_error_time};
    struct use use = {.tx = tx, .kind = kind, .argument = argument};

    if (!tx || !name || !kind || !part)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(parts_get(&tx->home->parts, name, &managers, kind, &use, &use.rm));
    return parts_get(&tx->parts, name, &parts, kind, &use, part);
}
