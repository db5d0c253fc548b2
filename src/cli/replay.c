/* SPDX-License-Identifier: MIT */
/* The part of a log that recovery reads. */
#include "cli/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/home.h"
#include "cli/log_scan.h"
#include "cli/owned.h"
#include "cli/tm_record.h"

static NTSTATUS
add(struct replay *replay, const struct log_entry *entry, const struct tm_record *record)
{
    struct replay_record *more = replay->records;

    if ((replay->count & (replay->count - 1)) == 0) { /* full: as large as a power of two */
        more = realloc(more, (replay->count ? 2 * replay->count : 1) * sizeof(*more));
        if (!more)
            return status_raise(STATUS_INSUFFICIENT_RESOURCES);
        replay->records = more;
    }
    more[replay->count++] = (struct replay_record){.lsn = entry->lsn,
                                                   .clock = record->clock,
                                                   .type = record->type,
                                                   .transaction = record->transaction,
                                                   .is_restart = entry->is_restart};
    return STATUS_SUCCESS;
}

/* The newest restart area says where to begin; it comes behind what is to be read. */
static NTSTATUS
take(struct replay *replay, const struct log_facts *facts, const struct log_entry *entry)
{
    struct tm_record record = {0};
    NTSTATUS status = tm_record_read(entry->data, entry->is_restart, &record);

    TRY(status);
    if (entry->is_restart && entry->lsn == facts->restart) {
        replay->identity = record.identity;
        replay->start_clock = record.clock;
        replay->start = record.oldest;
    }
    status = add(replay, entry, &record);
    tm_record_deinit(&record);
    return status;
}

static void
drop_before(struct replay *replay, uint64_t start)
{
    size_t old = 0;

    while (old < replay->count && replay->records[old].lsn < start)
        old++;
    replay->count -= old;
    if (replay->count)
        memmove(replay->records, replay->records + old, replay->count * sizeof(*replay->records));
}

/* Reading stops before the first record with a greater clock, so none behind it comes earlier. */
static void
set_stops(struct replay *replay)
{
    int64_t stop = INT64_MIN;

    for (size_t i = 0; i < replay->count; i++) {
        struct replay_record *record = &replay->records[i];

        if (!record->is_restart && record->clock > stop)
            stop = record->clock;
        record->stop = stop;
    }
}

static NTSTATUS
read_all(struct log_scan *scan, struct replay *replay)
{
    const struct log_facts *facts = log_scan_facts(scan);
    struct log_entry entry;
    NTSTATUS status;

    replay->restart = facts->restart;
    while ((status = log_scan_next(scan, &entry)) == STATUS_SUCCESS)
        TRY(take(replay, facts, &entry));
    drop_before(replay, replay->start);
    set_stops(replay);
    return status == STATUS_END_OF_FILE ? STATUS_SUCCESS : status;
}

NTSTATUS
replay_read(const char *home, struct complaint *why, struct replay *out)
{
    owned(log_scan_close) struct log_scan *scan = NULL;
    owned(free_text) char *path = home_file(home, HOME_LOG ".blf");
    struct replay replay = {.start_clock = 1}; /* [CLOCK-01] */
    char text[STATUS_TEXT_SIZE];
    NTSTATUS status;

    if (!path)
        return out_of_memory(why);
    TRY(log_scan_open(path, why, &scan));
    status = read_all(scan, &replay);
    if (status != STATUS_SUCCESS) {
        const char *advice = log_advice(status);

        replay_deinit(&replay);
        return complain(why, status, "cannot read the log %s: %s (%s)%s%s", QUOTE(path),
                        STATUS_WORDS(status), status_text(status, text), advice ? "; " : "",
                        advice ? advice : "");
    }
    *out = replay;
    return STATUS_SUCCESS;
}

void
replay_deinit(struct replay *replay)
{
    free(replay->records);
    *replay = (struct replay){0};
}

/* ---- where it can stop ---- */

size_t
replay_reach(const struct replay *replay, size_t number, int64_t clock)
{
    while (number < replay->count && replay->records[number].stop <= clock)
        number++;
    return number;
}

int64_t
replay_end_clock(const struct replay *replay)
{
    int64_t last = replay->count ? replay->records[replay->count - 1].stop : 0;

    return last > replay->start_clock ? last : replay->start_clock;
}

const char *
replay_lsn_text(uint64_t lsn, char text[REPLAY_LSN_SIZE])
{
    snprintf(text, REPLAY_LSN_SIZE, "%016" PRIx64, lsn);
    return text;
}
