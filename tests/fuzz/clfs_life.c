/* SPDX-License-Identifier: MIT */
/*
 * Any sequence of calls, with the power cut anywhere [CLFS-HARD-47]. One byte is one step; the byte
 * behind it says how much or where. What a flush has answered for must be there after every cut.
 */
#include <stdlib.h>

#include "clfs/clfs.h"
#include "sys/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATH        "/log"
#define RECORDS_MAX 4096u

struct life {
    struct sys_sim *sim;
    struct sys *process;
    struct clfs_log *log;
    struct clfs_area *area;
    uint64_t lsns[RECORDS_MAX]; /* of records 0, 1, …, which hold their number */
    unsigned count, acknowledged;
};

static bool
life_open(struct life *life)
{
    uint64_t size = CLFS_CONTAINER_SIZE_STEP;
    struct clfs_info info;

    if (clfs_log_open(life->process, PATH, CLFS_OPEN_ALWAYS, true, &life->log) != STATUS_SUCCESS)
        return false;
    clfs_log_info(life->log, &info);
    if (info.containers == 0 &&
        clfs_log_add_containers(life->log, 2, &size, NULL) != STATUS_SUCCESS)
        return false;
    return clfs_area_create(life->log, 65536, &life->area) == STATUS_SUCCESS;
}

static void
life_close(struct life *life)
{
    (void)!clfs_area_destroy(give(life->area));
    (void)!clfs_log_close(give(life->log));
}

/* Opens it (the power is on) and compares what is there with what was told. */
static void
life_check(struct life *life)
{
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    struct clfs_info info;
    unsigned at = 0;
    NTSTATUS status;

    CHECK(life_open(life));
    clfs_log_info(life->log, &info);
    while (at < life->count && life->lsns[at] < info.base_lsn)
        at++;
    status = clfs_read(life->area, info.base_lsn, CLFS_FORWARD, &record, &reader);
    for (; status == STATUS_SUCCESS; status = clfs_read_next(reader, CLFS_DATA, NULL, &record)) {
        if (record.type != CLFS_DATA)
            continue;
        CHECK(at < life->count && record.lsn == life->lsns[at]);
        CHECK(record.data.size >= 4 && le32_get(record.data.at) == at);
        at++;
    }
    CHECK(status == STATUS_END_OF_FILE || (status == STATUS_NOT_FOUND && !reader));
    if (reader || info.base_lsn == info.last_lsn)
        CHECK(at >= life->acknowledged);
    clfs_reader_destroy(reader);
    if (at < life->count && (reader || info.base_lsn == info.last_lsn))
        life->count = at;
}

static void
append(struct life *life, uint8_t how)
{
    static uint8_t data[60000];
    struct bytes part = bytes_of(data, 4 + (size_t)how * how % 60000);
    uint64_t lsn;

    le32_put(data, life->count);
    if (life->count < RECORDS_MAX &&
        clfs_append(life->area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, &lsn) == STATUS_SUCCESS)
        life->lsns[life->count++] = lsn;
}

static void
step(struct life *life, uint8_t what, uint8_t how)
{
    uint64_t lsn, bound, size = 0;
    unsigned pick = life->count ? how * life->count / 256 : 0;

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
        append(life, how);
        break;
    case 3:
        if (clfs_flush(life->area, 0, &bound) == STATUS_SUCCESS)
            life->acknowledged = life->count;
        break;
    case 4:
        if (life->count && clfs_flush(life->area, life->lsns[pick], &bound) == STATUS_SUCCESS &&
            life->acknowledged < pick + 1)
            life->acknowledged = pick + 1;
        break;
    case 5:
        (void)!clfs_write_out(life->area);
        break;
    case 6:
        if (clfs_write_restart(life->area, bytes_of("r", 1),
                               life->count && how & 1 ? life->lsns[pick] : CLFS_LSN_NONE, 0,
                               &lsn) == STATUS_SUCCESS)
            life->acknowledged = life->count;
        break;
    case 7:
        if (life->count)
            (void)!clfs_advance_base(life->area, life->lsns[pick]);
        break;
    case 8:
        if (how < 8)
            (void)!clfs_log_add_containers(life->log, 1, &size, NULL);
        break;
    case 9:
        (void)!clfs_reserve(life->area, 1, 512u * (1 + how));
        break;
    case 10: /* dies at once, or at some operation from now on */
        sys_sim_cut_after(life->sim, 1 + how % 16, how % 3);
        break;
    default:
        life_close(life);
        sys_sim_power_on(life->sim, how % 4, how);
        sys_sim_cut_after(life->sim, 0, 0);
        life_check(life);
    }
    if (!sys_sim_has_power(life->sim)) {
        life_close(life);
        sys_sim_power_on(life->sim, how % 4, how);
        life_check(life);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct life life;

    life = (struct life){.sim = sys_sim_create(1)};
    life.process = sys_sim_process(life.sim);
    CHECK(life_open(&life));
    for (size_t i = 0; i + 1 < size && i < 400; i += 2)
        step(&life, data[i], data[i + 1]);
    life_close(&life);
    sys_sim_power_on(life.sim, SIM_KEEP_NOTHING, 0);
    life_check(&life);
    life_close(&life);
    sys_sim_destroy(life.sim);
    return 0;
}
