/* SPDX-License-Identifier: MIT */
/*
 * Reading: which record comes next, by the mode [docs/spec/clfs.md section 6.14], and restart
 * areas.
 *
 * A reader stands on the record it delivered last, also after it could not deliver another
 * [CLFS-READ-38, -39].
 */
#include "clfs/reader.h"

static void
deliver(struct clfs_reader *reader, uint64_t lsn, const struct record_header *record,
        struct bytes data, struct clfs_record *out)
{
    reader->lsn = lsn;
    reader->record = *record;
    *out = (struct clfs_record){.lsn = lsn,
                                .previous = record->previous,
                                .undo_next = record->undo_next,
                                .type = record->type,
                                .data = data};
}

/* Opens a reader on the record at 'lsn'. */
static NTSTATUS
open_at(struct clfs_area *area, uint64_t lsn, enum clfs_mode mode, bool is_restart,
        struct clfs_record *out, struct clfs_reader **reader)
{
    owned(clfs_reader_destroy) struct clfs_reader *made = NULL;
    struct record_header record;
    struct bytes data;

    TRY(reader_create(area, mode, &made));
    made->is_restart = is_restart;
    TRY(reader_find(made, lsn, &record, &data));
    deliver(made, lsn, &record, data, out);
    *reader = give(made);
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_read(struct clfs_area *area, uint64_t lsn, enum clfs_mode mode, struct clfs_record *out,
          struct clfs_reader **reader)
{
    if (mode != CLFS_UNDO_NEXT && mode != CLFS_PREVIOUS && mode != CLFS_FORWARD)
        return status_raise(STATUS_LOG_READ_MODE_INVALID); /* [CLFS-READ-07] */
    if (lsn >= CLFS_LSN_NONE)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-READ-08] */
    return open_at(area, lsn, mode, false, out, reader);
}

/* ---- the next record ---- */

static NTSTATUS
read_forward(struct clfs_reader *reader, unsigned filter, struct clfs_record *out)
{
    uint64_t lsn = reader->lsn;
    struct record_header record;
    struct bytes data;
    struct bounds bounds;

    do {
        NTSTATUS status;

        reader_bounds(reader, &bounds);
        /* The base may have overtaken us [CLFS-BASE-24]. */
        status = lsn < bounds.base ? reader_first_from(reader, bounds.base, &lsn)
                                   : reader_successor(reader, lsn, &lsn);
        if (status == STATUS_SUCCESS)
            status = reader_find(reader, lsn, &record, &data);
        if (status == STATUS_LOG_START_OF_LOG)
            continue;
        TRY(status);
        if (record.type & filter)
            break;
    } while (true);
    deliver(reader, lsn, &record, data, out);
    return STATUS_SUCCESS;
}

/* Where a link leads. Answers: END_OF_FILE, LOG_START_OF_LOG, LOG_BLOCK_INVALID. */
static NTSTATUS
link_check(const struct clfs_reader *reader, uint64_t from, uint64_t to)
{
    struct bounds bounds;

    if (to == CLFS_LSN_NONE)
        return status_raise(STATUS_END_OF_FILE); /* [CLFS-READ-29] */
    if (to >= from)
        return status_raise(STATUS_LOG_BLOCK_INVALID); /* [CLFS-CHAIN-08, CLFS-READ-40] */
    reader_bounds(reader, &bounds);
    if (to < bounds.base)
        return status_raise(STATUS_LOG_START_OF_LOG); /* [CLFS-READ-30, -31] */
    return STATUS_SUCCESS;
}

static NTSTATUS
read_chain(struct clfs_reader *reader, unsigned filter, struct clfs_record *out)
{
    struct record_header record = reader->record;
    uint64_t lsn = reader->lsn;
    struct bytes data;

    do { /* downwards, so it ends */
        uint64_t link = reader->mode == CLFS_PREVIOUS ? record.previous : record.undo_next;

        TRY(link_check(reader, lsn, link));
        lsn = link;
        TRY(reader_find(reader, lsn, &record, &data));
    } while (!(record.type & filter)); /* [CLFS-READ-32] */
    deliver(reader, lsn, &record, data, out);
    return STATUS_SUCCESS;
}

static NTSTATUS
read_user(struct clfs_reader *reader, unsigned filter, uint64_t lsn, struct clfs_record *out)
{
    bool is_forward = reader->mode == CLFS_FORWARD;
    struct record_header record;
    struct bytes data;

    if (lsn >= CLFS_LSN_NONE ||
        (!reader->is_restart && (is_forward ? lsn <= reader->lsn : lsn >= reader->lsn)))
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-READ-34] */
    TRY(reader_find(reader, lsn, &record, &data));
    if (!(record.type & filter))
        return status_raise(STATUS_NOT_FOUND); /* [CLFS-READ-35] */
    deliver(reader, lsn, &record, data, out);
    return STATUS_SUCCESS;
}

NTSTATUS
clfs_read_next(struct clfs_reader *reader, unsigned filter, const uint64_t *user_lsn,
               struct clfs_record *out)
{
    filter &= CLFS_ANY; /* [CLFS-TYPE-02] */
    if (!filter)
        return status_raise(STATUS_INVALID_PARAMETER); /* [CLFS-READ-26] */
    if (user_lsn)
        return read_user(reader, filter, *user_lsn, out);
    return reader->mode == CLFS_FORWARD ? read_forward(reader, filter, out)
                                        : read_chain(reader, filter, out);
}

/* ---- restart areas ---- */

/* The restart record at 'lsn'; anything else there is no link of the chain. */
static NTSTATUS
restart_find(struct clfs_reader *reader, uint64_t lsn, struct record_header *record,
             struct bytes *data)
{
    NTSTATUS status = reader_find(reader, lsn, record, data);

    if (status == STATUS_NOT_FOUND || status == STATUS_END_OF_FILE ||
        (status == STATUS_SUCCESS && record->type != CLFS_RESTART))
        return status_raise(STATUS_LOG_RESTART_INVALID); /* [CLFS-RESTART-33, CLFS-HARD-39] */
    return status;
}

NTSTATUS
clfs_read_restart(struct clfs_area *area, struct clfs_record *out, struct clfs_reader **reader)
{
    owned(clfs_reader_destroy) struct clfs_reader *made = NULL;
    struct record_header record;
    struct bounds bounds;
    struct bytes data;

    TRY(reader_create(area, CLFS_FORWARD, &made));
    made->is_restart = true;
    reader_bounds(made, &bounds);
    if (bounds.restart == CLFS_LSN_NONE || bounds.restart < bounds.base)
        return STATUS_LOG_NO_RESTART; /* informational, so not raised [CLFS-STAT-02] */
    TRY(restart_find(made, bounds.restart, &record, &data));
    deliver(made, bounds.restart, &record, data, out);
    *reader = give(made);
    return STATUS_SUCCESS;
}

/* Follows a link of the restart chain. Answers: LOG_START_OF_LOG, LOG_RESTART_INVALID. */
static NTSTATUS
restart_follow(struct clfs_reader *reader, uint64_t from, uint64_t to, struct record_header *record,
               struct bytes *data)
{
    struct bounds bounds;

    reader_bounds(reader, &bounds);
    if (to == CLFS_LSN_NONE || to < bounds.base)
        return status_raise(STATUS_LOG_START_OF_LOG); /* [CLFS-RESTART-29] */
    if (to >= from)
        return status_raise(STATUS_LOG_RESTART_INVALID); /* [CLFS-HARD-38] */
    return restart_find(reader, to, record, data);
}

NTSTATUS
clfs_read_previous_restart(struct clfs_reader *reader, struct clfs_record *out)
{
    struct record_header record = reader->record;
    uint64_t lsn = reader->lsn, link = record.previous;
    struct bounds bounds;
    struct bytes data;

    if (!reader->is_restart)
        return status_raise(STATUS_LOG_READ_CONTEXT_INVALID); /* [CLFS-RESTART-32] */
    if (record.type != CLFS_RESTART) { /* moved on: down the chain to here [CLFS-RESTART-31] */
        reader_bounds(reader, &bounds);
        for (link = bounds.restart, lsn = CLFS_LSN_NONE;
             link != CLFS_LSN_NONE && link > reader->lsn; link = record.previous) {
            TRY(restart_follow(reader, lsn, link, &record, &data));
            lsn = link;
        }
    }
    TRY(restart_follow(reader, lsn, link, &record, &data));
    deliver(reader, link, &record, data, out);
    return STATUS_SUCCESS;
}
