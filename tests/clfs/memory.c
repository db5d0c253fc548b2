/* SPDX-License-Identifier: MIT */
/* Every allocation fails once: refused, and nothing that was acknowledged is lost. */
#include "tests/clfs/world.h"

#include "tests/alloc.h"

#define PATH "/log"

static NTSTATUS
whole_life(struct sys *process, uint64_t *forced)
{
    struct clfs_log *log = NULL;
    struct clfs_area *area = NULL;
    struct clfs_reader *reader = NULL;
    struct clfs_record record;
    uint64_t size = CONTAINER, lsn = 0, restart;
    NTSTATUS status = clfs_log_open(process, PATH, CLFS_OPEN_ALWAYS, true, &log);
    struct clfs_info info;

    if (status != STATUS_SUCCESS)
        return status;
    clfs_log_info(log, &info);
    if (info.containers == 0)
        status = clfs_log_add_containers(log, 3, &size, NULL);
    if (status == STATUS_SUCCESS)
        status = clfs_area_create(log, BLOCK, &area);
    for (unsigned i = 0; i < 5 && status == STATUS_SUCCESS; i++)
        status = append_text(area, "some words", &lsn);
    if (status == STATUS_SUCCESS)
        status = clfs_flush(area, lsn, NULL);
    if (status == STATUS_SUCCESS) {
        *forced = lsn;
        status = clfs_write_restart(area, bytes_of("r", 1), lsn, 0, &restart);
    }
    if (status == STATUS_SUCCESS)
        status = clfs_read(area, lsn, CLFS_FORWARD, &record, &reader);
    if (status == STATUS_SUCCESS)
        status = clfs_read_next(reader, CLFS_ANY, NULL, &record);
    clfs_reader_destroy(reader);
    NTSTATUS end = clfs_area_destroy(area), close = clfs_log_close(log);
    return status != STATUS_SUCCESS ? status : end != STATUS_SUCCESS ? end : close;
}

TEST(every_allocation_may_fail) /* CLFS-STAT-05 CLFS-CREATE-37 */
{
    for (int second = 0; second < 2; second++) {
        for (uint64_t n = 1;; n++) {
            struct sys_sim *sim = sys_sim_create(1);
            struct sys *process = sys_sim_process(sim);
            uint64_t forced = 0, before = 0;
            struct clfs_log *log;
            NTSTATUS status;
            bool has_failed;

            if (second)
                EXPECT_OK(whole_life(process, &before));
            alloc_fail_at(n);
            status = whole_life(process, &forced);
            has_failed = alloc_fail_stop();
            if (has_failed)
                EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, status);
            else
                EXPECT_OK(status);
            sys_sim_power_on(sim, SIM_KEEP_NOTHING, 0);
            log = log_with(process, PATH, 3);
            EXPECT(info_of(log).last_lsn > forced);
            EXPECT(info_of(log).last_lsn > before);
            EXPECT_OK(clfs_log_close(log));
            sys_sim_destroy(sim);
            if (!has_failed)
                break;
            EXPECT(n < 1000);
        }
    }
}
