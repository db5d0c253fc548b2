/* SPDX-License-Identifier: MIT */
/*
 * The TM's log: a stream of our own CLFS (design D5), its records, checkpoints and replay
 * [LOG-01..14].
 *
 * The log stays bounded: when a quarter of it has been written since the last checkpoint, the
 * records of transactions that are still unresolved are copied forward, a restart area is written,
 * and the base moves up to the oldest record that matters. An old open transaction therefore never
 * stops it. Reading starts at a marker record written first of all, so every record that matters
 * has an LSN at or above it.
 *
 * Invariants: (1) no record of an unresolved transaction lies below the base [LOG-08];
 *             (2) space for all that a transaction may still write is reserved before its phase 1
 * [LOG-14]; (3) after a failed force nothing is appended: the TM is Offline until it is opened
 * again [LOG-13].
 */
#include "engine/inner.h"

#include <limits.h>
#include <stdlib.h>

void
tm_log_enter(struct engine_tm *tm)
{
    atomic_fetch_add(&tm->log_users, 1);
}

void
tm_log_leave(struct engine_tm *tm)
{
    if (atomic_fetch_sub(&tm->log_users, 1) == 1 &&
        (atomic_load(&tm->is_detaching) || atomic_load(&tm->is_frozen)))
        sys_wake(&tm->log_users, INT_MAX);
}

/* ---- appending ---- */

static NTSTATUS
scratch_reserve(struct engine_tm *tm, size_t size)
{
    uint8_t *scratch;

    if (size > clfs_record_size_max(LOG_BLOCK_SIZE))
        return status_raise(STATUS_TRANSACTION_RECORD_TOO_LONG); /* [ENL-SET-09] */
    if (size <= tm->scratch_size)
        return STATUS_SUCCESS;
    scratch = realloc(tm->scratch, size);
    if (!scratch)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    tm->scratch = scratch;
    tm->scratch_size = size;
    return STATUS_SUCCESS;
}

/* 'flags': of clfs_append. */
static NTSTATUS
append(struct engine_tm *tm, const struct transaction *tx, enum record_type type,
       const struct enlistment *en, unsigned flags, uint64_t *lsn)
{
    size_t size = record_size(tx, type, en);
    struct bytes part;

    TRY(scratch_reserve(tm, size));
    record_encode(tx, type, en, tm->scratch);
    part = bytes_of(tm->scratch, size);
    TRY(clfs_append(tm->area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, flags, lsn));
    tm->appended_lsn = *lsn;
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_append(struct engine_tm *tm, struct transaction *tx, enum record_type type, uint64_t *lsn)
{
    uint64_t size = clfs_reserved_size(tm->area, record_size(tx, type, NULL));
    bool is_covered = size && tx->reserved_records && tx->reserved_bytes >= size;

    TRY(append(tm, tx, type, NULL, is_covered ? CLFS_FROM_RESERVATION : 0, lsn));
    if (is_covered) {
        tx->reserved_records--;
        tx->reserved_bytes -= size;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_append_info(struct engine_tm *tm, const struct enlistment *en, uint64_t *lsn)
{
    return append(tm, en->tx, RECORD_RECINFO, en, 0, lsn);
}

/* ---- reservations ---- */

void
tm_log_unreserve(struct engine_tm *tm, struct transaction *tx)
{
    if (tx->reserved_records && tm->area)
        (void)clfs_unreserve(tm->area, tx->reserved_records, tx->reserved_bytes);
    tx->reserved_records = 0;
    tx->reserved_bytes = 0;
}

/* PREPARE (with a superior), COMMIT, and ABORT or FORGET. */
NTSTATUS
tm_log_reserve_now(struct engine_tm *tm, struct transaction *tx)
{
    uint64_t large = clfs_reserved_size(tm->area, record_size(tx, RECORD_COMMIT, NULL));
    uint64_t small = clfs_reserved_size(tm->area, record_size(tx, RECORD_FORGET, NULL));
    unsigned records = tx->superior ? 3 : 2;
    uint64_t bytes = (records - 1) * large + small;

    if (!large)
        return STATUS_SUCCESS; /* too long for any block: the force will say so [TX-COMMIT-24] */
    TRY(clfs_reserve(tm->area, records, bytes));
    tx->reserved_records = records;
    tx->reserved_bytes = bytes;
    return STATUS_SUCCESS;
}

/* One container more. With no lock held. */
static NTSTATUS
grow(struct engine_tm *tm)
{
    uint64_t size = 0;

    TRY(clfs_log_add_containers(tm->log, 1, &size, NULL));
    sys_mutex_lock(&tm->mutex);
    tm->log_size += size;
    sys_mutex_unlock(&tm->mutex);
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_make_room(struct run *run, unsigned attempt)
{
    struct engine_tm *tm = run->tm;
    NTSTATUS status;

    freeze_wait(run);
    tm_log_enter(tm);
    sys_mutex_unlock(&tm->mutex);
    status = attempt == 0 ? tm_log_checkpoint(tm) : grow(tm);
    sys_mutex_lock(&tm->mutex);
    tm_log_leave(tm);
    if (tm->core.state != KTM_ONLINE) {
        run->log_failed |= tm->core.state == KTM_OFFLINE;
        return status_raise(STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
    }
    return attempt == 0 && status == STATUS_LOG_FULL ? STATUS_SUCCESS : status;
}

/* Looked at afresh after each pause: others may have done what was to be done. */
static bool
wants_space(const struct engine_tm *tm, const struct transaction *tx)
{
    return tm->area && tm->core.state == KTM_ONLINE && tx->state == TX_ACTIVE &&
           !tx->reserved_records && transaction_is_recoverable(tx);
}

NTSTATUS
tm_log_reserve(struct run *run, struct transaction *tx)
{
    for (unsigned attempt = 0; wants_space(run->tm, tx); attempt++) {
        NTSTATUS status = tm_log_reserve_now(run->tm, tx);

        if (status != STATUS_LOG_FULL)
            return status;
        TRY(tm_log_make_room(run, attempt));
    }
    return STATUS_SUCCESS;
}

/* ---- checkpoints ---- */

static uint64_t
distance(const struct engine_tm *tm, uint64_t from, uint64_t to)
{
    return to <= from ? 0
                      : ((to >> 32) - (from >> 32)) * tm->container_size +
                            (to & ~511u & UINT32_MAX) - (from & ~511u & UINT32_MAX);
}

static uint64_t
end_of_log(const struct engine_tm *tm)
{
    struct clfs_info info;

    clfs_log_info(tm->log, &info);
    return info.last_lsn;
}

bool
tm_log_checkpoint_due(const struct engine_tm *tm)
{
    return tm->area && !tm->is_checkpointing && tm->core.state == KTM_ONLINE &&
           distance(tm, tm->checkpoint_lsn, tm->appended_lsn) > tm->log_size / 4;
}

static NTSTATUS
append_marker(struct engine_tm *tm, unsigned flags, uint64_t *lsn)
{
    struct transaction marker = {.link.guid = {0}};
    uint8_t record[64];
    struct bytes part = bytes_of(record, record_size(&marker, RECORD_FORGET, NULL));

    CHECK(part.size <= sizeof(record));
    atomic_init(&marker.ktm, &tm->core);
    record_encode(&marker, RECORD_FORGET, NULL, record);
    return clfs_append(tm->area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, flags, lsn);
}

/* In the older half of the log, and not being forced. */
static bool
is_to_be_copied(const struct engine_tm *tm, const struct transaction *tx, uint64_t end)
{
    return !tx->forcing && tx->lsn < end && distance(tm, tx->lsn, end) > tm->log_size / 2;
}

/* Copies old records of unresolved transactions forward, a few at a time so that nobody waits long.
 * False: the oldest is young enough, or being forced, or does not fit. */
static bool
copy_forward(struct engine_tm *tm, uint64_t end)
{
    for (int n = 0; n < 64; n++) {
        struct transaction *tx = list_first(&tm->core.logged, struct transaction, in_log);
        uint64_t lsn;

        if (list_is_empty(&tm->core.logged) || !is_to_be_copied(tm, tx, end))
            return false;
        /* What is reserved is for the records to come [LOG-14]. */
        if (append(tm, tx, (enum record_type)tx->logged_as, NULL, 0, &lsn) != STATUS_SUCCESS)
            return false;
        record_appended(tx, (enum record_type)tx->logged_as, lsn);
    }
    return true;
}

static uint64_t
oldest_that_matters(const struct engine_tm *tm, uint64_t otherwise)
{
    const struct transaction *oldest;

    if (list_is_empty(&tm->core.logged))
        return otherwise;
    oldest = container_of(tm->core.logged.next, struct transaction, in_log);
    return oldest->lsn < otherwise ? oldest->lsn : otherwise;
}

/* The restart area and the base move together; both are durable on return [CLFS-DUR-10]. */
static NTSTATUS
write_restart(struct engine_tm *tm, const struct restart_area *area, unsigned flags)
{
    uint8_t data[RESTART_AREA_SIZE];
    uint64_t lsn;

    restart_encode(area, data);
    return clfs_write_restart(tm->area, bytes_of(data, sizeof(data)), area->oldest_lsn, flags,
                              &lsn);
}

/* So that a checkpoint is possible on a full log: its marker and its restart area [CLFS-KTM-08]. */
static NTSTATUS
reserve_restart(struct engine_tm *tm)
{
    struct transaction nobody = {.description_units = 0};
    uint64_t marker = clfs_reserved_size(tm->area, record_size(&nobody, RECORD_FORGET, NULL));

    if (tm->restart_is_reserved)
        return STATUS_SUCCESS;
    TRY(clfs_reserve(tm->area, 2, marker + clfs_reserved_size(tm->area, RESTART_AREA_SIZE)));
    tm->restart_is_reserved = true;
    return STATUS_SUCCESS;
}

/* On a full log with another container; if there is no space for one either, the next checkpoint
 * tries again. */
static void
reserve_restart_somehow(struct engine_tm *tm)
{
    if (reserve_restart(tm) == STATUS_LOG_FULL && grow(tm) == STATUS_SUCCESS)
        (void)!reserve_restart(tm);
}

static NTSTATUS
checkpoint_prepare(struct engine_tm *tm, struct restart_area *area)
{
    uint64_t marker, end = end_of_log(tm);
    NTSTATUS status;

    sys_mutex_lock(&tm->mutex);
    while (copy_forward(tm, end)) {
        sys_mutex_unlock(&tm->mutex); /* let others in between */
        sys_mutex_lock(&tm->mutex);
    }
    status = append_marker(tm, CLFS_FROM_RESERVATION, &marker);
    *area = (struct restart_area){.identity = tm->core.identity,
                                  .log_identity = tm->core.log_identity,
                                  .clock = tm->core.clock,
                                  .oldest_lsn = oldest_that_matters(tm, marker)};
    if (status == STATUS_SUCCESS)
        tm->checkpoint_lsn = marker;
    sys_mutex_unlock(&tm->mutex);
    return status;
}

static NTSTATUS
checkpoint(struct engine_tm *tm)
{
    struct restart_area area;
    NTSTATUS status;

    TRY(reserve_restart(tm)); /* when the last one could not do it any more */
    TRY(checkpoint_prepare(tm, &area));
    tm->restart_is_reserved = false;
    status = write_restart(tm, &area, CLFS_FROM_RESERVATION);
    if (status != STATUS_SUCCESS) {
        sys_mutex_lock(&tm->mutex);
        (void)ktm_go_offline(&tm->core); /* [TM-STATE-03] */
        sys_mutex_unlock(&tm->mutex);
        return status;
    }
    reserve_restart_somehow(tm);
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_checkpoint(struct engine_tm *tm)
{
    NTSTATUS status;
    bool is_mine;

    sys_mutex_lock(&tm->mutex);
    is_mine = tm->core.state == KTM_ONLINE && !tm->is_checkpointing;
    tm->is_checkpointing |= is_mine;
    sys_mutex_unlock(&tm->mutex);
    if (!is_mine)
        return STATUS_SUCCESS; /* somebody else is at it */
    status = checkpoint(tm);
    sys_mutex_lock(&tm->mutex);
    tm->is_checkpointing = false;
    sys_mutex_unlock(&tm->mutex);
    return status;
}

/* ---- attaching ---- */

/* Damage of any kind is one status at this level; the rest is told as it is [TM-CREATE-17,
 * CLFS-KTM-06]. */
static NTSTATUS
as_told(NTSTATUS status)
{
    switch (status) {
    case STATUS_LOG_BLOCK_VERSION:
    case STATUS_LOG_BLOCK_INVALID:
    case STATUS_LOG_BLOCK_INCOMPLETE:
    case STATUS_LOG_METADATA_CORRUPT:
    case STATUS_LOG_METADATA_INVALID:
    case STATUS_LOG_METADATA_INCONSISTENT:
    case STATUS_LOG_CONTAINER_OPEN_FAILED:
    case STATUS_LOG_CONTAINER_READ_FAILED:
    case STATUS_LOG_CONTAINER_STATE_INVALID:
    case STATUS_LOG_INCONSISTENT_SECURITY:
    case STATUS_LOG_RESTART_INVALID:
    case STATUS_LOG_START_OF_LOG:
    case STATUS_NOT_FOUND:
        return status_raise(STATUS_LOG_CORRUPTION_DETECTED);
    default:
        return status;
    }
}

/* A log without containers is one whose creation was cut short: it is finished here. */
static NTSTATUS
containers_check(struct engine_tm *tm, struct clfs_info *info)
{
    uint64_t size = LOG_CONTAINER_SIZE;

    clfs_log_info(tm->log, info);
    if (info->containers == 0) {
        TRY(clfs_log_add_containers(tm->log, LOG_CONTAINERS_FIRST, &size, NULL));
        clfs_log_info(tm->log, info);
    }
    tm->container_size = info->container_size;
    tm->log_size = info->total_available;
    return STATUS_SUCCESS;
}

/* A log without a restart area is new, or its creation was cut short behind the marker; anything
 * else in it is not ours to start from. */
static NTSTATUS
check_nothing_but_markers(struct engine_tm *tm, const struct clfs_info *info)
{
    owned(clfs_reader_destroy) struct clfs_reader *reader = NULL;
    struct clfs_record record;
    NTSTATUS status;

    if (info->base_lsn == info->last_lsn)
        return STATUS_SUCCESS;
    status = clfs_read(tm->area, info->base_lsn, CLFS_FORWARD, &record, &reader);
    for (; status == STATUS_SUCCESS; status = clfs_read_next(reader, CLFS_ANY, NULL, &record))
        if (record.type == CLFS_DATA && !record_is_marker(record.data))
            return status_raise(STATUS_LOG_CORRUPTION_DETECTED);
    return status == STATUS_END_OF_FILE ? STATUS_SUCCESS : status;
}

/* The first restart area gives the TM its identity for ever [NAME-05, TM-CREATE-07]. */
static NTSTATUS
identity_create(struct engine_tm *tm, const struct clfs_info *info)
{
    struct restart_area area = {.clock = 1};
    uint8_t random[32];

    TRY(check_nothing_but_markers(tm, info));
    sys_random(tm->engine->sys, random, sizeof(random));
    guid_from_random(random, &tm->core.identity);
    guid_from_random(random + 16, &tm->core.log_identity);
    area.identity = tm->core.identity;
    area.log_identity = tm->core.log_identity;
    TRY(append_marker(tm, 0, &area.oldest_lsn));
    tm->replay_from = tm->checkpoint_lsn = area.oldest_lsn;
    /* Twice: the log's metadata has two copies, written in turn, and whichever can still be read
     * after a misfortune must know who this TM is. */
    TRY(write_restart(tm, &area, 0));
    return write_restart(tm, &area, 0);
}

static NTSTATUS
identity_read(struct engine_tm *tm, const struct clfs_info *info)
{
    owned(clfs_reader_destroy) struct clfs_reader *reader = NULL;
    struct restart_area area;
    struct clfs_record record;
    NTSTATUS status = clfs_read_restart(tm->area, &record, &reader);

    if (status == STATUS_LOG_NO_RESTART)
        return identity_create(tm, info); /* [CLFS-KTM-07, TM-RECOVER-08] */
    TRY(status);
    TRY(restart_decode(record.data, &area));
    tm->core.identity = area.identity;
    tm->core.log_identity = area.log_identity;
    tm->core.clock = area.clock;
    tm->replay_from = tm->checkpoint_lsn = area.oldest_lsn;
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_open(struct engine_tm *tm, const char *path, bool create)
{
    struct clfs_info info;

    TRY(as_told(clfs_log_open(tm->engine->sys, path, create ? CLFS_OPEN_ALWAYS : CLFS_OPEN_EXISTING,
                              true, &tm->log)));
    clfs_log_info(tm->log, &info);
    tm->physical_log = info.identity;
    return STATUS_SUCCESS;
}

static NTSTATUS
attach(struct engine_tm *tm)
{
    struct clfs_info info;

    TRY(containers_check(tm, &info));
    TRY(clfs_area_create(tm->log, LOG_BLOCK_SIZE, &tm->area));
    TRY(identity_read(tm, &info));
    reserve_restart_somehow(tm); /* a log that was full when the process died can be attached too */
    return STATUS_SUCCESS;
}

NTSTATUS
tm_log_attach(struct engine_tm *tm)
{
    return as_told(attach(tm));
}

void
tm_log_detach(struct engine_tm *tm)
{
    struct clfs_area *area;
    struct clfs_log *log;
    uint32_t users;

    atomic_store(&tm->is_detaching, true);
    sys_mutex_lock(&tm->mutex);
    while ((users = atomic_load(&tm->log_users))) { /* they enter under the lock only */
        sys_mutex_unlock(&tm->mutex);
        (void)sys_wait(&tm->log_users, users, SYS_FOREVER);
        sys_mutex_lock(&tm->mutex);
    }
    area = tm->area;
    log = tm->log;
    tm->area = NULL;
    tm->log = NULL;
    sys_mutex_unlock(&tm->mutex);
    if (area)
        (void)clfs_area_destroy(
            area); /* what could not be flushed the next recovery finds missing */
    if (log)
        (void)clfs_log_close(log);
}

/* ---- replay ---- */

/* Under the lock: others may look at the TM, and at how far it has come. */
static NTSTATUS
replay_one(struct engine_tm *tm, const struct clfs_record *record)
{
    NTSTATUS status = STATUS_SUCCESS;

    sys_mutex_lock(&tm->mutex);
    if (record->type == CLFS_DATA)
        status = ktm_replay(&tm->core, record->data, record->lsn);
    if (status == STATUS_SUCCESS)
        tm->replay_from = tm->last_recovered_lsn = record->lsn;
    sys_mutex_unlock(&tm->mutex);
    return status;
}

/* Reads on from where the last call stopped, to 'target' or to the end [TM-ROLLFWD-09, -10]. */
NTSTATUS
tm_log_replay(struct engine_tm *tm, const int64_t *target, bool *reached_end)
{
    owned(clfs_reader_destroy) struct clfs_reader *reader = NULL;
    struct clfs_record record;
    NTSTATUS status = clfs_read(tm->area, tm->replay_from, CLFS_FORWARD, &record, &reader);
    bool is_first = tm->last_recovered_lsn == 0;

    *reached_end = false;
    for (; status == STATUS_SUCCESS; status = clfs_read_next(reader, CLFS_ANY, NULL, &record)) {
        int64_t clock = 0;

        if (!is_first && record.lsn <= tm->last_recovered_lsn)
            continue; /* where the last step stopped */
        if (record.type == CLFS_DATA) {
            TRY(as_told(record_clock(record.data, &clock)));
            if (target && clock > *target)
                return STATUS_SUCCESS; /* [RECOV-10] */
        }
        TRY(as_told(replay_one(tm, &record)));
    }
    if (status != STATUS_END_OF_FILE)
        return as_told(status);
    *reached_end = true;
    return STATUS_SUCCESS;
}

/* ---- a new identity for a log that nobody has attached [TM-RENAME-01..07] ---- */

NTSTATUS
tm_log_rename(struct engine_tm *tm, const GUID *expected)
{
    struct restart_area area = {.clock = tm->core.clock, .oldest_lsn = tm->replay_from};
    uint8_t random[16];

    if (!guid_equal(&tm->core.identity, expected))
        return status_raise(STATUS_TRANSACTIONMANAGER_IDENTITY_MISMATCH);
    sys_random(tm->engine->sys, random, sizeof(random));
    guid_from_random(random, &area.identity);
    area.log_identity = tm->core.log_identity;
    return write_restart(tm, &area, tm->restart_is_reserved ? CLFS_FROM_RESERVATION : 0);
}
