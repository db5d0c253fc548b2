/* SPDX-License-Identifier: MIT */
#include "tests/scenarios/spy.h"

#include "clfs/clfs.h"
#include "core/ktm.h"
#include "tests/core/words.h"

NTSTATUS __real_clfs_append(struct clfs_area *area, const struct bytes *parts, size_t count,
                            uint64_t previous, uint64_t undo_next, unsigned flags, uint64_t *lsn);
NTSTATUS __real_clfs_flush(struct clfs_area *area, uint64_t lsn, uint64_t *flushed);
NTSTATUS __real_clfs_write_restart(struct clfs_area *area, struct bytes data, uint64_t base,
                                   unsigned flags, uint64_t *lsn);
NTSTATUS __wrap_clfs_append(struct clfs_area *area, const struct bytes *parts, size_t count,
                            uint64_t previous, uint64_t undo_next, unsigned flags, uint64_t *lsn);
NTSTATUS __wrap_clfs_flush(struct clfs_area *area, uint64_t lsn, uint64_t *flushed);
NTSTATUS __wrap_clfs_write_restart(struct clfs_area *area, struct bytes data, uint64_t base,
                                   unsigned flags, uint64_t *lsn);

static struct world *watched;
static enum spy_mistake mistake;

void
spy_for(struct world *world)
{
    watched = world;
}

void
spy_make(enum spy_mistake one)
{
    mistake = one;
}

enum spy_mistake
spy_mistake(void)
{
    return mistake;
}

enum { UOW_AT = 16, RECORD_MIN = 32 };

NTSTATUS
__wrap_clfs_append(struct clfs_area *area, const struct bytes *parts, size_t count,
                   uint64_t previous, uint64_t undo_next, unsigned flags, uint64_t *lsn)
{
    uint8_t copy[2048];
    struct bytes part;
    NTSTATUS status;
    int type;
    char name[5] = "";

    CHECK(count == 1 && parts->size >= RECORD_MIN && parts->size <= sizeof(copy));
    memcpy(copy, parts->at, parts->size);
    part = bytes_of(copy, parts->size);
    type = copy[0];
    memcpy(name, copy + UOW_AT, 4);
    if ((mistake == SPY_LOSES_COMMITS && type == RECORD_COMMIT) ||
        (mistake == SPY_LOSES_PREPARES && type == RECORD_PREPARE)) {
        copy[0] = RECORD_FORGET;
        memset(copy + UOW_AT, 0, 16);
        le32_put(copy + 4, RECORD_MIN);
        part.size = RECORD_MIN;
    }
    status = __real_clfs_append(area, &part, 1, previous, undo_next, flags, lsn);
    if (status == STATUS_SUCCESS && mistake == SPY_FORGETS_EARLY && type == RECORD_COMMIT) {
        uint64_t unused;

        copy[0] = RECORD_FORGET;
        le32_put(copy + 4, RECORD_MIN);
        part.size = RECORD_MIN;
        CHECK(__real_clfs_append(area, &part, 1, previous, undo_next, 0, &unused) ==
              STATUS_SUCCESS);
    }
    if (watched && name[0]) /* markers are of nobody */
        world_tell(watched, "append %s %.4s%s", word_of_record(type), name,
                   status == STATUS_SUCCESS ? "" : " fails");
    return status;
}

NTSTATUS
__wrap_clfs_flush(struct clfs_area *area, uint64_t lsn, uint64_t *flushed)
{
    uint64_t before = watched ? sys_sim_counts(watched->sim, NULL).syncs : 0;
    NTSTATUS status =
        mistake == SPY_FORCES_NOTHING ? STATUS_SUCCESS : __real_clfs_flush(area, lsn, flushed);

    if (watched && sys_sim_counts(watched->sim, NULL).syncs != before)
        world_tell(watched, status == STATUS_SUCCESS ? "force" : "force fails");
    else if (watched && status != STATUS_SUCCESS)
        world_tell(watched, "write fails");
    return status;
}

NTSTATUS
__wrap_clfs_write_restart(struct clfs_area *area, struct bytes data, uint64_t base, unsigned flags,
                          uint64_t *lsn)
{
    NTSTATUS status = __real_clfs_write_restart(area, data, base, flags, lsn);

    if (watched)
        world_tell(watched, status == STATUS_SUCCESS ? "checkpoint" : "checkpoint fails");
    return status;
}
