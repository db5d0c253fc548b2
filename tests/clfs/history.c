/* SPDX-License-Identifier: MIT */
/* See history.h. */
#include "tests/clfs/history.h"

#define PATH        "/log"
#define BLOCK_LARGE (64u << 10)
#define TEXT_MAX    200

static uint64_t
draw(struct history *history, uint64_t below)
{
    uint64_t x = history->seed += 0x9e3779b97f4a7c15u; /* splitmix64 */

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % below;
}

static void
content_make(uint64_t id, uint8_t *into, uint32_t size)
{
    uint64_t x = id * 0x2545f4914f6cdd1du + 1;

    for (uint32_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        into[i] = (uint8_t)(x >> 24);
    }
    if (size >= 8)
        le64_put(into, id);
}

void
history_init(struct history *history, uint64_t seed)
{
    *history = (struct history){.seed = seed, .next_id = 1, .is_uniform = seed % 2 == 0};
}

void
history_copy(const struct history *from, struct history *to)
{
    CHECK(!from->log);
    *to = *from;
    to->entries = malloc((from->count + 1) * sizeof(from->entries[0]));
    to->room = from->count + 1;
    if (from->count)
        memcpy(to->entries, from->entries, from->count * sizeof(from->entries[0]));
}

void
history_deinit(struct history *history)
{
    CHECK(!history->log);
    free(history->entries);
}

/* ---- remembering ---- */

static void
entry_add(struct history *history, struct entry entry)
{
    if (history->count == history->room) {
        history->room = history->room ? 2 * history->room : 64;
        history->entries = realloc(history->entries, history->room * sizeof(history->entries[0]));
    }
    history->entries[history->count++] = entry;
}

static struct pair
pair_now(const struct history *history)
{
    return history->pairs[history->pair_count - 1];
}

static void
pair_may_be(struct history *history, struct pair pair)
{
    CHECK(history->pair_count < PAIRS_MAX);
    history->pairs[history->pair_count++] = pair;
}

static void
pair_is(struct history *history, struct pair pair)
{
    history->pairs[0] = pair;
    history->pair_count = 1;
}

/* ---- steps; false: failed ---- */

static bool
step_append(struct history *history)
{
    static uint8_t data[BLOCK_LARGE];
    /* Some lives have records of one size only: then blocks of a life that was cut off begin where
     * those of the next life do, and only the epoch tells them apart. */
    uint32_t most = draw(history, 3) ? clfs_record_size_max(BLOCK_LARGE) : 1000;
    struct entry entry = {.id = history->next_id,
                          .size = history->is_uniform ? 1500 : (uint32_t)draw(history, most),
                          .previous = history->count ? history->entries[history->count - 1].lsn
                                                     : CLFS_LSN_NONE,
                          .type = CLFS_DATA};
    struct bytes parts[2];
    NTSTATUS status;

    content_make(entry.id, data, entry.size);
    parts[0] = bytes_of(data, entry.size / 3);
    parts[1] = bytes_of(data + entry.size / 3, entry.size - entry.size / 3);
    status = clfs_append(history->area, parts, 2, entry.previous, CLFS_LSN_NONE, 0, &entry.lsn);
    if (status == STATUS_LOG_FULL) { /* throw half of it away */
        struct pair pair = pair_now(history);
        uint64_t id = draw(history, 2) ? history->count / 2 : history->count - 1;

        if (pair.base >= history->entries[id].lsn)
            id = history->count - 1;
        pair.base = history->entries[id].lsn;
        if (pair.restart != CLFS_LSN_NONE && pair.restart < pair.base)
            pair.restart = CLFS_LSN_NONE;
        pair_may_be(history, pair);
        status = clfs_advance_base(history->area, pair.base);
        if (status == STATUS_SUCCESS &&
            clfs_lsn_container(pair.base) != clfs_lsn_container(history->pairs[0].base))
            pair_is(history, pair);
        return status == STATUS_SUCCESS;
    }
    if (status != STATUS_SUCCESS)
        return false;
    history->next_id++;
    entry_add(history, entry);
    return true;
}

static bool
step_flush(struct history *history)
{
    uint64_t lsn = 0, bound;

    if (history->count && draw(history, 2))
        lsn = history->entries[history->count - 1 - draw(history, history->count) / 2].lsn;
    if (clfs_flush(history->area, lsn, &bound) != STATUS_SUCCESS)
        return false;
    if (bound > history->acknowledged)
        history->acknowledged = bound;
    return true;
}

static bool
step_restart(struct history *history)
{
    static uint8_t data[4000];
    struct pair pair = pair_now(history);
    struct entry entry = {.id = history->next_id,
                          .size = (uint32_t)draw(history, sizeof(data)),
                          .previous = pair.restart,
                          .type = CLFS_RESTART};
    uint64_t before = info_of(history->log).last_lsn, base = CLFS_LSN_NONE;
    NTSTATUS status;

    content_make(entry.id, data, entry.size);
    if (history->count && draw(history, 3)) { /* often far ahead, so that containers turn */
        size_t at = history->count - 1 - draw(history, history->count) / 8;

        if (history->entries[at].lsn > pair.base)
            base = history->entries[at].lsn;
    } else if (draw(history, 2)) {
        base = before;
    }
    status = clfs_write_restart(history->area, bytes_of(data, entry.size), base, 0, &entry.lsn);
    if (status == STATUS_LOG_FULL)
        return true;
    if (info_of(history->log).last_lsn > before) {
        /* The record is in the log, the answer notwithstanding. */
        entry.lsn = info_of(history->log).last_lsn - 1;
        history->next_id++;
        entry_add(history, entry);
        pair.base = base == before ? entry.lsn : base == CLFS_LSN_NONE ? pair.base : base;
        pair.restart = entry.lsn;
        pair_may_be(history, pair);
    }
    if (status != STATUS_SUCCESS)
        return false;
    pair_is(history, pair);
    history->acknowledged = entry.lsn + 1;
    return true;
}

static bool
step_advance(struct history *history)
{
    struct pair pair = pair_now(history);
    uint64_t old = pair.base;

    if (history->count == 0 || history->pair_count + 2 > PAIRS_MAX)
        return true;
    pair.base = history->entries[history->count - 1 - draw(history, history->count) / 4].lsn;
    if (pair.base < old)
        return true;
    if (pair.restart != CLFS_LSN_NONE && pair.restart < pair.base)
        pair.restart = CLFS_LSN_NONE;
    pair_may_be(history, pair);
    if (clfs_advance_base(history->area, pair.base) != STATUS_SUCCESS)
        return false;
    /* A change of container is forced, for the space is usable now [CLFS-MODEL-18]. */
    if (clfs_lsn_container(old) != clfs_lsn_container(pair.base))
        pair_is(history, pair);
    return true;
}

static bool
step_grow(struct history *history)
{
    uint64_t size = 0;

    if (history->containers >= 4)
        return true;
    if (clfs_log_add_containers(history->log, 1, &size, NULL) != STATUS_SUCCESS)
        return false;
    history->containers++;
    /* The metadata write took base and restart LSN along. */
    pair_is(history, pair_now(history));
    return true;
}

static bool history_open(struct history *history);

static bool
step_reopen(struct history *history)
{
    return history_close(history) && history_open(history);
}

static bool
step(struct history *history)
{
    history->done++;
    if (history->pair_count + 4 > PAIRS_MAX)
        return step_restart(history);
    switch (draw(history, 40)) {
    case 0:
        return step_reopen(history);
    case 1:
        return step_grow(history);
    case 2:
    case 3:
        return step_restart(history);
    case 4:
    case 5:
        return step_advance(history);
    case 6:
        return clfs_write_out(history->area) == STATUS_SUCCESS;
    case 7:
    case 8:
        return clfs_write_behind(history->area) == STATUS_SUCCESS;
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
        return step_flush(history);
    default:
        return step_append(history);
    }
}

/* ---- opening and closing ---- */

static bool
containers_ensure(struct history *history)
{
    uint64_t size = CONTAINER;
    uint64_t first = clfs_lsn_make(0, CLFS_SECTOR_SIZE, 0);
    struct clfs_info info = info_of(history->log);

    history->containers = info.containers;
    if (info.containers)
        return true;
    if (clfs_log_add_containers(history->log, 3, &size, NULL) != STATUS_SUCCESS)
        return false;
    history->has_containers = true;
    history->containers = 3;
    history->acknowledged = first;
    pair_is(history, (struct pair){.base = first, .restart = CLFS_LSN_NONE});
    return true;
}

static bool
history_open(struct history *history)
{
    if (clfs_log_open(history->sys, PATH, CLFS_OPEN_ALWAYS, true, &history->log) != STATUS_SUCCESS)
        return false;
    if (!history->exists)
        pair_is(history, (struct pair){.base = 0, .restart = CLFS_LSN_NONE});
    history->exists = true;
    return containers_ensure(history) &&
           clfs_area_create(history->log, BLOCK_LARGE, &history->area) == STATUS_SUCCESS;
}

bool
history_run(struct history *history, struct sys *sys, unsigned steps)
{
    history->sys = sys;
    if (!history_open(history))
        return false;
    for (unsigned i = 0; i < steps; i++)
        if (!step(history))
            return false;
    return true;
}

bool
history_close(struct history *history)
{
    bool is_good;

    if (!history->log)
        return false;
    is_good = clfs_area_destroy(history->area) == STATUS_SUCCESS;
    history->area = NULL;
    is_good &= clfs_log_close(history->log) == STATUS_SUCCESS;
    history->log = NULL;
    if (is_good && history->count) {
        history->acknowledged = history->entries[history->count - 1].lsn + 1;
        pair_is(history, pair_now(history));
    }
    return is_good;
}

/* ---- comparing ---- */

static char wrong[TEXT_MAX];

#define WRONG(...) (snprintf(wrong, sizeof(wrong), __VA_ARGS__), wrong)

static const char *
pair_check(const struct history *history, const struct clfs_info *info)
{
    for (unsigned i = 0; i < history->pair_count; i++)
        if (history->pairs[i].base == info->base_lsn &&
            history->pairs[i].restart == info->restart_lsn)
            return NULL;
    return WRONG("base %llx and restart %llx were never in force together ",
                 (unsigned long long)info->base_lsn, (unsigned long long)info->restart_lsn);
}

static const char *
record_check(const struct entry *entry, const struct clfs_record *record)
{
    static uint8_t data[BLOCK_LARGE];

    if (record->lsn != entry->lsn || record->type != entry->type ||
        record->previous != entry->previous || record->undo_next != CLFS_LSN_NONE ||
        record->data.size != entry->size)
        return WRONG("record %llx is not what was written at %llx", (unsigned long long)record->lsn,
                     (unsigned long long)entry->lsn);
    content_make(entry->id, data, entry->size);
    if (memcmp(data, record->data.at, entry->size) != 0)
        return WRONG("record %llx has other content", (unsigned long long)record->lsn);
    return NULL;
}

/* Reads from the base on; *found: how many of the entries there are, those below the base
 * included. */
static const char *
records_check(const struct history *history, struct clfs_area *area, uint64_t base, size_t *found)
{
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    const char *fault = NULL;
    size_t at = 0;
    NTSTATUS status;

    while (at < history->count && history->entries[at].lsn < base)
        at++;
    status = clfs_read(area, base, CLFS_FORWARD, &record, &reader);
    for (; status == STATUS_SUCCESS && !fault; at++) {
        if (at == history->count) {
            fault = WRONG("record %llx was never written, or discarded before",
                          (unsigned long long)record.lsn);
            break;
        }
        fault = record_check(&history->entries[at], &record);
        status = clfs_read_next(reader, CLFS_ANY, NULL, &record);
    }
    clfs_reader_destroy(reader);
    *found = at;
    if (!fault && status != STATUS_END_OF_FILE)
        fault = WRONG("reading ended with %s", status_name(status));
    return fault;
}

static const char *
restart_check(const struct history *history, struct clfs_area *area, uint64_t restart)
{
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    NTSTATUS status = clfs_read_restart(area, &record, &reader);
    const char *fault = NULL;

    if (restart == CLFS_LSN_NONE)
        return status == STATUS_LOG_NO_RESTART
                   ? NULL
                   : WRONG("a restart area out of nothing: %s", status_name(status));
    if (status != STATUS_SUCCESS)
        return WRONG("the restart area cannot be read: %s", status_name(status));
    for (size_t i = 0; i < history->count; i++)
        if (history->entries[i].lsn == restart)
            fault = record_check(&history->entries[i], &record);
    clfs_reader_destroy(reader);
    return fault;
}

static const char *
content_check(struct history *history, struct clfs_log *log, struct clfs_area *area)
{
    struct clfs_info info = info_of(log);
    const char *fault = pair_check(history, &info);
    size_t found = 0;

    if (!fault)
        fault = records_check(history, area, info.base_lsn, &found);
    if (!fault)
        fault = restart_check(history, area, info.restart_lsn);
    if (!fault && found < history->count && history->entries[found].lsn < history->acknowledged)
        fault = WRONG("record %llx was acknowledged and is gone",
                      (unsigned long long)history->entries[found].lsn);
    if (!fault && found && info.last_lsn != history->entries[found - 1].lsn + 1)
        fault =
            WRONG("last LSN %llx is not behind the last record", (unsigned long long)info.last_lsn);
    history->count = found; /* what was not found must never be seen again */
    pair_is(history, (struct pair){.base = info.base_lsn, .restart = info.restart_lsn});
    return fault;
}

/* One opening, looked through. */
static const char *
opening_check(struct history *history, struct sys *sys, bool writable, uint64_t *last)
{
    struct clfs_log *log = NULL;
    struct clfs_area *area = NULL;
    struct clfs_info info;
    const char *fault = NULL;
    NTSTATUS status = clfs_log_open(sys, PATH, CLFS_OPEN_EXISTING, writable, &log);

    if (status == STATUS_OBJECT_NAME_NOT_FOUND && !history->exists)
        return NULL;
    if (status != STATUS_SUCCESS)
        return WRONG("it does not open for %s: %s", writable ? "writing" : "reading",
                     status_name(status));
    info = info_of(log);
    *last = info.last_lsn;
    if (info.containers == 0 && history->has_containers)
        fault = WRONG("its containers are gone");
    if (info.containers && clfs_area_create(log, BLOCK_LARGE, &area) != STATUS_SUCCESS)
        fault = WRONG("no area");
    if (info.containers && history->pair_count < 2 && history->pairs[0].base == 0) /* unanswered */
        history->pairs[0].base = info.base_lsn;
    if (!fault && area)
        fault = content_check(history, log, area);
    status = clfs_area_destroy(area);
    if (status == STATUS_SUCCESS)
        status = clfs_log_close(log);
    else
        (void)!clfs_log_close(log);
    if (!fault && status != STATUS_SUCCESS)
        fault = WRONG("it does not close: %s", status_name(status));
    return fault;
}

const char *
history_check(struct history *history, struct sys *sys)
{
    uint64_t read_only = 0, writable = 0;
    const char *fault = opening_check(history, sys, false, &read_only);

    if (!fault)
        fault = opening_check(history, sys, true, &writable);
    if (!fault && read_only != writable) /* CLFS-DUR-22 */
        fault = WRONG("read-only access finds another end");
    return fault;
}
