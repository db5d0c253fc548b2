/* SPDX-License-Identifier: MIT */
/*
 * What the transaction manager writes to its log (docs/format/records.md), and how it comes back.
 *
 * PREPARE and COMMIT hold everything that must survive [LOG-01]; ABORT and FORGET only name the
 * transaction; RECINFO replaces the recovery information of one enlistment; the restart area starts
 * a recovery [LOG-08]. A later PREPARE or COMMIT of the same transaction replaces an earlier one,
 * so a checkpoint may copy old ones forward.
 *
 * Nothing read is believed: the log has verified a checksum, and here every length is checked
 * against what is left.
 */
#include "core/inner.h"

#include <stdlib.h>

/* Common header: type 1, version 1, zero 2, size 4, clock 8, UOW 16. */
enum { HEADER_SIZE = 32, VERSION = 1 };
/* PREPARE, COMMIT: description units 1, has superior 1, zero 2, enlistments 4, then the
 * description's units. */
enum { BODY_SIZE = 8 };
/* The superior: enlistment 16, RM 16, mask 4, flags 4. */
enum { SUPERIOR_SIZE = 40 };
/* An enlistment: enlistment 16, RM 16, mask 4, recovery information 4, RM description units 1,
 * flags 1, zero 2; then the description's units, then the recovery information. */
enum { ENLISTMENT_SIZE = 44 };
/* Flags: the RM stands for another TM, whose identity is its GUID [BR-03]. */
enum { FLAG_BRANCH = 1 };
/* RECINFO: enlistment 16, bytes 4, zero 4, then the bytes. */
enum { RECINFO_SIZE = 24 };

/* ---- writing ---- */

static uint8_t *
put_guid(uint8_t *out, const GUID *guid)
{
    le32_put(out, guid->Data1);
    le16_put(out + 4, guid->Data2);
    le16_put(out + 6, guid->Data3);
    memcpy(out + 8, guid->Data4, 8);
    return out + 16;
}

static uint8_t *
put_units(uint8_t *out, const uint16_t *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        le16_put(out + 2 * i, units[i]);
    return out + 2 * count;
}

size_t
record_size(const struct transaction *tx, enum record_type type, const struct enlistment *en)
{
    size_t size = HEADER_SIZE;

    if (type == RECORD_RECINFO)
        return size + RECINFO_SIZE + en->recovery_info_size;
    if (type != RECORD_PREPARE && type != RECORD_COMMIT)
        return size;
    size += BODY_SIZE + 2u * tx->description_units + (tx->superior ? SUPERIOR_SIZE : 0);
    LIST_EACH (en, &tx->enlistments, in_tx)
        if (enlistment_is_recoverable(en))
            size += ENLISTMENT_SIZE + 2u * en->rm->description_units + en->recovery_info_size;
    return size;
}

static uint8_t *
put_enlistment(uint8_t *out, const struct enlistment *en)
{
    out = put_guid(out, &en->link.guid);
    out = put_guid(out, &en->rm->link.guid);
    le32_put(out, en->mask);
    le32_put(out + 4, en->recovery_info_size);
    le32_put(out + 8, en->rm->description_units | (uint32_t)(en->rm->is_branch * FLAG_BRANCH) << 8);
    out = put_units(out + 12, en->rm->description, en->rm->description_units);
    if (en->recovery_info_size)
        memcpy(out, en->recovery_info, en->recovery_info_size);
    return out + en->recovery_info_size;
}

static void
put_transaction(uint8_t *out, const struct transaction *tx)
{
    uint8_t *count_at = out + 4;
    const struct enlistment *en;
    uint32_t count = 0;

    le32_put(out, tx->description_units | (uint32_t)(tx->superior != NULL) << 8);
    out = put_units(out + BODY_SIZE, tx->description, tx->description_units);
    if (tx->superior) {
        out = put_guid(out, &tx->superior->link.guid);
        out = put_guid(out, &tx->superior->rm->link.guid);
        le32_put(out, tx->superior->mask);
        le32_put(out + 4, tx->superior->rm->is_branch * FLAG_BRANCH);
        out += 8;
    }
    LIST_EACH (en, &tx->enlistments, in_tx) {
        if (!enlistment_is_recoverable(en))
            continue;
        out = put_enlistment(out, en);
        count++;
    }
    le32_put(count_at, count);
}

void
record_encode(const struct transaction *tx, enum record_type type, const struct enlistment *en,
              uint8_t *out)
{
    le32_put(out, (uint32_t)type | VERSION << 8);
    le32_put(out + 4, (uint32_t)record_size(tx, type, en));
    le64_put(out + 8, (uint64_t)tx->ktm->clock); /* [CLOCK-03] */
    put_guid(out + 16, &tx->link.guid);
    out += HEADER_SIZE;
    if (type == RECORD_PREPARE || type == RECORD_COMMIT) {
        put_transaction(out, tx);
    } else if (type == RECORD_RECINFO) {
        out = put_guid(out, &en->link.guid);
        le32_put(out, en->recovery_info_size);
        le32_put(out + 4, 0);
        if (en->recovery_info_size)
            memcpy(out + 8, en->recovery_info, en->recovery_info_size);
    }
}

/* 'logged' is in order of LSN because each newest record goes to its end. */
void
record_appended(struct transaction *tx, enum record_type type, uint64_t lsn)
{
    if (type == RECORD_RECINFO)
        return;
    list_remove(&tx->in_log);
    if (type == RECORD_ABORT || type == RECORD_FORGET) {
        tx->logged_as = 0;
        return;
    }
    list_append(&tx->ktm->logged, &tx->in_log);
    tx->logged_as = (uint8_t)type;
    tx->lsn = lsn;
}

/* ---- reading ---- */

/* What is left of a record; 'failed' sticks once anything was missing. */
struct cursor {
    struct bytes left;
    bool failed;
};

static const uint8_t *
take(struct cursor *cursor, size_t size)
{
    static const uint8_t nothing[ENLISTMENT_SIZE];
    const uint8_t *at = cursor->left.at;

    if (cursor->failed || cursor->left.size < size) {
        cursor->failed = true;
        return size <= sizeof(nothing) ? nothing : NULL;
    }
    cursor->left.at += size;
    cursor->left.size -= size;
    return at;
}

static GUID
take_guid(struct cursor *cursor)
{
    const uint8_t *at = take(cursor, 16);
    GUID guid = {.Data1 = le32_get(at), .Data2 = le16_get(at + 4), .Data3 = le16_get(at + 6)};

    memcpy(guid.Data4, at + 8, 8);
    return guid;
}

static uint32_t
take_u32(struct cursor *cursor)
{
    return le32_get(take(cursor, 4));
}

static void
take_units(struct cursor *cursor, size_t count, uint16_t units[DESCRIPTION_UNITS_MAX])
{
    if (count > DESCRIPTION_UNITS_MAX || cursor->left.size < 2 * count) {
        cursor->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        units[i] = le16_get(take(cursor, 2));
}

static NTSTATUS
corrupt(void)
{
    return status_raise(STATUS_LOG_CORRUPTION_DETECTED); /* [TM-RECOVER-11] */
}

NTSTATUS
record_clock(struct bytes record, int64_t *clock)
{
    if (record.size < HEADER_SIZE || record.at[1] != VERSION || record.at[2] || record.at[3] ||
        le32_get(record.at + 4) != record.size)
        return corrupt();
    *clock = (int64_t)le64_get(record.at + 8);
    return STATUS_SUCCESS;
}

bool
record_is_marker(struct bytes record)
{
    static const uint8_t nobody[16];
    int64_t clock;

    return record.size == HEADER_SIZE && record_clock(record, &clock) == STATUS_SUCCESS &&
           record.at[0] == RECORD_FORGET && !memcmp(record.at + 16, nobody, sizeof(nobody));
}

/* ---- replay ---- */

/* The RM of a logged enlistment, Offline, so that it can be opened or adopted [RECOV-07]. */
static NTSTATUS
replay_rm(struct ktm *ktm, const GUID *guid, uint32_t flags, const uint16_t *description,
          size_t units, struct resource_manager **out)
{
    struct resource_manager *rm = ktm_find_resource_manager(ktm, guid);

    if (!rm) {
        NTSTATUS status;

        rm = resource_manager_create(guid, 0);
        if (!rm)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        status = ktm_add_resource_manager(ktm, rm);
        if (status != STATUS_SUCCESS) {
            resource_manager_destroy(rm);
            return status;
        }
        rm->is_branch = flags & FLAG_BRANCH;
    }
    if (flags & ~(uint32_t)FLAG_BRANCH || rm->is_branch != (flags & FLAG_BRANCH))
        return corrupt();
    if (units) {
        memcpy(rm->description, description, units * sizeof(*description));
        rm->description_units = (uint8_t)units;
    }
    *out = rm;
    return STATUS_SUCCESS;
}

static NTSTATUS
replay_enlistment(struct transaction *tx, struct resource_manager *rm, const GUID *guid,
                  uint32_t mask, bool is_superior, struct bytes info)
{
    struct enlistment *en =
        enlistment_create(guid, mask, is_superior, NULL); /* no key [RECOV-08] */
    NTSTATUS status;

    if (!en)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    en->rm = rm;
    status = enlistment_set_recovery_info(en, info);
    if (status == STATUS_SUCCESS)
        status = guid_map_find(&rm->ens, guid) ? corrupt() : guid_map_add(&rm->ens, &en->link);
    if (status != STATUS_SUCCESS) {
        enlistment_destroy(en);
        return status;
    }
    en->tx = tx;
    en->state = EN_OFFLINE; /* [RECOV-01, RECOV-02] */
    list_append(&rm->en_list, &en->in_rm);
    list_append(&tx->enlistments, &en->in_tx);
    tx->en_count++;
    if (is_superior)
        tx->superior = en;
    else
        tx->participants++;
    return STATUS_SUCCESS;
}

/* Takes everything off a replayed transaction, and the transaction itself when 'whole'. */
static void
replay_strip(struct transaction *tx, bool whole)
{
    while (!list_is_empty(&tx->enlistments)) {
        struct enlistment *en = list_first(&tx->enlistments, struct enlistment, in_tx);

        guid_map_remove(&en->rm->ens, &en->link);
        list_remove(&en->in_rm);
        list_remove(&en->in_tx);
        list_remove(&en->in_delivery);
        enlistment_destroy(en);
    }
    tx->superior = NULL;
    tx->participants = tx->en_count = tx->owed = 0;
    if (!whole)
        return;
    if (tx->is_listed)
        guid_map_remove(&tx->ktm->txs, &tx->link);
    list_remove(&tx->in_ktm);
    list_remove(&tx->in_log);
    if (tx->ktm->farewell)
        tx->ktm->farewell(&tx->object);
    transaction_destroy(tx);
}

static NTSTATUS
replay_find_or_make(struct ktm *ktm, const GUID *uow, struct transaction **out)
{
    struct transaction *tx = ktm_find_transaction(ktm, uow);
    NTSTATUS status;

    if (tx) {
        replay_strip(tx, false);
        *out = tx;
        return STATUS_SUCCESS;
    }
    tx = transaction_create(uow);
    if (!tx)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = ktm_add_transaction(ktm, tx);
    if (status != STATUS_SUCCESS) {
        transaction_destroy(tx);
        return status;
    }
    tx->is_recovered = true;
    atomic_store(&tx->is_active, false);
    *out = tx;
    return STATUS_SUCCESS;
}

static NTSTATUS
replay_participants(struct ktm *ktm, struct transaction *tx, struct cursor *cursor,
                    bool has_superior, uint32_t count)
{
    uint16_t units[DESCRIPTION_UNITS_MAX];
    struct resource_manager *rm;

    if (has_superior) {
        GUID guid = take_guid(cursor), rm_guid = take_guid(cursor);
        uint32_t mask = take_u32(cursor), flags = take_u32(cursor);

        if (cursor->failed)
            return corrupt();
        TRY(replay_rm(ktm, &rm_guid, flags, NULL, 0, &rm));
        TRY(replay_enlistment(tx, rm, &guid, mask, true, bytes_of(NULL, 0)));
    }
    for (; count && !cursor->failed; count--) {
        GUID guid = take_guid(cursor), rm_guid = take_guid(cursor);
        uint32_t mask = take_u32(cursor), info_size = take_u32(cursor), rm_word = take_u32(cursor);
        uint32_t rm_units = rm_word & 0xFF;
        struct bytes info;

        take_units(cursor, rm_units, units);
        info = bytes_of(take(cursor, info_size), info_size);
        if (cursor->failed)
            return corrupt();
        TRY(replay_rm(ktm, &rm_guid, rm_word >> 8, units, rm_units, &rm));
        TRY(replay_enlistment(tx, rm, &guid, mask, false, info));
    }
    return cursor->failed || cursor->left.size ? corrupt() : STATUS_SUCCESS;
}

static NTSTATUS
replay_transaction(struct ktm *ktm, const GUID *uow, enum record_type type, struct cursor *cursor,
                   uint64_t lsn)
{
    uint32_t flags = take_u32(cursor), count = take_u32(cursor);
    uint16_t units[DESCRIPTION_UNITS_MAX];
    struct transaction *tx;

    take_units(cursor, flags & 0xFF, units);
    if (cursor->failed || flags & ~0x1FFu || (type == RECORD_PREPARE && !(flags >> 8)))
        return corrupt(); /* only a superior leaves a transaction prepared */
    tx = ktm_find_transaction(ktm, uow);
    if (tx && type == RECORD_PREPARE && atomic_load(&tx->outcome) != OUTCOME_UNDETERMINED)
        return corrupt(); /* a decision is never taken back [INV-03] */
    TRY(replay_find_or_make(ktm, uow, &tx));
    TRY(transaction_set_description(tx, units, flags & 0xFF)); /* [TX-CREATE-18] */
    TRY(replay_participants(ktm, tx, cursor, flags >> 8, count));
    if (type == RECORD_COMMIT && tx->participants == 0) {
        replay_strip(tx, true); /* copied forward when only volatile ones had yet to answer */
        return STATUS_SUCCESS;
    }
    tx->state = type == RECORD_COMMIT ? TX_COMMITTED : TX_INDOUBT; /* [RECOV-01, RECOV-02] */
    tx->driver = tx->superior ? DRIVER_SUPERIOR_3 : DRIVER_CLIENT;
    if (type == RECORD_COMMIT)
        atomic_store(&tx->outcome, OUTCOME_COMMITTED);
    record_appended(tx, type, lsn);
    return STATUS_SUCCESS;
}

static NTSTATUS
replay_recinfo(struct ktm *ktm, const GUID *uow, struct cursor *cursor)
{
    struct transaction *tx = ktm_find_transaction(ktm, uow);
    GUID guid = take_guid(cursor);
    uint32_t size = take_u32(cursor);
    struct enlistment *en;
    const uint8_t *info;

    take(cursor, 4);
    info = take(cursor, size);
    if (cursor->failed || cursor->left.size)
        return corrupt();
    if (!tx)
        return STATUS_SUCCESS; /* forgotten meanwhile */
    LIST_EACH (en, &tx->enlistments, in_tx)
        if (guid_equal(&en->link.guid, &guid))
            return enlistment_set_recovery_info(en, bytes_of(info, size));
    return STATUS_SUCCESS;
}

NTSTATUS
ktm_replay(struct ktm *ktm, struct bytes record, uint64_t lsn)
{
    struct cursor cursor = {.left = record};
    struct transaction *tx;
    int64_t clock;
    GUID uow;
    int type;

    TRY(record_clock(record, &clock));
    type = take(&cursor, 16)[0];
    uow = take_guid(&cursor);
    switch (type) {
    case RECORD_PREPARE:
    case RECORD_COMMIT:
        TRY(replay_transaction(ktm, &uow, (enum record_type)type, &cursor, lsn));
        break;
    case RECORD_ABORT:  /* [RECOV-03] */
    case RECORD_FORGET: /* [RECOV-05] */
        tx = ktm_find_transaction(ktm, &uow);
        if (tx)
            replay_strip(tx, true);
        break;
    case RECORD_RECINFO:
        TRY(replay_recinfo(ktm, &uow, &cursor));
        break;
    default:
        return corrupt();
    }
    ktm_raise_clock(ktm, &clock); /* [CLOCK-09] */
    return STATUS_SUCCESS;
}

/* An RM whose enlistments are all resolved need not exist [RM-OPEN-03]. */
static void
replay_drop_idle_rms(struct ktm *ktm)
{
    struct resource_manager *rm, *after;

    LIST_EACH_SAFE (rm, after, &ktm->rm_list, in_ktm)
        if (!rm->is_open && list_is_empty(&rm->en_list))
            ktm_reap(&rm->object);
}

void
ktm_replay_end(struct ktm *ktm)
{
    struct transaction *tx;

    replay_drop_idle_rms(ktm);
    LIST_EACH (tx, &ktm->tx_list, in_ktm)
        if (tx->state == TX_COMMITTED) /* nobody attached owes an answer [SIG-01, PT-42] */
            atomic_fetch_or(&tx->object.signal, SIGNAL_SET | SIGNAL_FINISHED);
}

void
ktm_replay_undo(struct ktm *ktm)
{
    struct transaction *tx, *after;

    LIST_EACH_SAFE (tx, after, &ktm->tx_list, in_ktm)
        replay_strip(tx, true);
    replay_drop_idle_rms(ktm);
}

void
ktm_abandon(struct ktm *ktm)
{
    struct resource_manager *rm, *after;

    LIST_EACH (rm, &ktm->rm_list, in_ktm) {
        rm->is_open = false;
        atomic_store(&rm->object.holds, 0);
    }
    ktm_replay_undo(ktm);
    LIST_EACH_SAFE (rm, after, &ktm->rm_list, in_ktm)
        ktm_reap(&rm->object);
}

/* ---- the restart area: magic 4, version 4, TM 16, log 16, clock 8, oldest LSN 8, zero 8 ---- */

enum { RESTART_MAGIC = 0x524D544B /* "KTMR" */ };

void
restart_encode(const struct restart_area *area, uint8_t out[RESTART_AREA_SIZE])
{
    memset(out, 0, RESTART_AREA_SIZE);
    le32_put(out, RESTART_MAGIC);
    le32_put(out + 4, VERSION);
    put_guid(out + 8, &area->identity);
    put_guid(out + 24, &area->log_identity);
    le64_put(out + 40, (uint64_t)area->clock);
    le64_put(out + 48, area->oldest_lsn);
}

NTSTATUS
restart_decode(struct bytes data, struct restart_area *out)
{
    struct cursor cursor = {.left = data};

    if (data.size != RESTART_AREA_SIZE || take_u32(&cursor) != RESTART_MAGIC ||
        take_u32(&cursor) != VERSION)
        return corrupt();
    out->identity = take_guid(&cursor);
    out->log_identity = take_guid(&cursor);
    out->clock = (int64_t)le64_get(take(&cursor, 8));
    out->oldest_lsn = le64_get(take(&cursor, 8));
    if (le64_get(take(&cursor, 8)) != 0 || guid_is_zero(&out->identity) ||
        guid_is_zero(&out->log_identity) || out->clock < 1)
        return corrupt();
    return STATUS_SUCCESS;
}
