/* SPDX-License-Identifier: MIT */
/* Short words for tests of the log: opening one with containers, appending, reading back. */
#pragma once

#include "tests/test.h"

#include "clfs/clfs.h"
#include "sys/sim.h"

#define CONTAINER CLFS_CONTAINER_SIZE_STEP /* the smallest */
#define BLOCK     4096u

/* Opens (or creates) the log; adds containers when it has none. */
static inline struct clfs_log *
log_with(struct sys *sys, const char *path, unsigned containers)
{
    uint64_t size = CONTAINER;
    struct clfs_log *log = NULL;
    struct clfs_info info;

    EXPECT_OK(clfs_log_open(sys, path, CLFS_OPEN_ALWAYS, true, &log));
    clfs_log_info(log, &info);
    if (info.containers == 0)
        EXPECT_OK(clfs_log_add_containers(log, containers, &size, NULL));
    return log;
}

static inline struct clfs_area *
area_of(struct clfs_log *log, uint32_t block_size)
{
    struct clfs_area *area = NULL;

    EXPECT_OK(clfs_area_create(log, block_size, &area));
    return area;
}

static inline struct clfs_info
info_of(struct clfs_log *log)
{
    struct clfs_info info;

    clfs_log_info(log, &info);
    return info;
}

static inline NTSTATUS
append_text(struct clfs_area *area, const char *text, uint64_t *lsn)
{
    struct bytes part = bytes_of(text, strlen(text));

    return clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, lsn);
}

static inline uint64_t
appended(struct clfs_area *area, const char *text)
{
    uint64_t lsn = 0;

    EXPECT_OK(append_text(area, text, &lsn));
    return lsn;
}

static inline bool
record_is(const struct clfs_record *record, const char *text)
{
    return record->data.size == strlen(text) &&
           memcmp(record->data.at, text, record->data.size) == 0;
}

/* Appends records of 'size' bytes until the log is full; how many there were. */
static inline unsigned
fill_log(struct clfs_area *area, size_t size, uint64_t *last_lsn)
{
    uint8_t *data = calloc(1, size + 1);
    struct bytes part = bytes_of(data, size);
    unsigned count = 0;
    NTSTATUS status;

    while ((status = clfs_append(area, &part, 1, CLFS_LSN_NONE, CLFS_LSN_NONE, 0, last_lsn)) ==
           STATUS_SUCCESS)
        count++;
    EXPECT_STATUS(STATUS_LOG_FULL, status);
    free(data);
    return count;
}

/* ---- a log on a simulated disk, and words for its records ---- */

struct fixture {
    struct sys_sim *sim;
    struct sys *process;
    struct clfs_log *log;
    struct clfs_area *area;
};

static inline struct fixture
begin(unsigned containers)
{
    struct fixture it = {.sim = sys_sim_create(1)};

    it.process = sys_sim_process(it.sim);
    it.log = log_with(it.process, "/log", containers);
    it.area = area_of(it.log, BLOCK);
    return it;
}

static inline void
end(struct fixture *it)
{
    EXPECT_OK(clfs_area_destroy(it->area));
    EXPECT_OK(clfs_log_close(it->log));
    sys_sim_destroy(it->sim);
}

/* As a new process would find it. */
static inline void
reopen(struct fixture *it)
{
    EXPECT_OK(clfs_area_destroy(it->area));
    EXPECT_OK(clfs_log_close(it->log));
    it->log = log_with(it->process, "/log", 2);
    it->area = area_of(it->log, BLOCK);
}

static inline uint64_t
linked(struct fixture *it, const char *text, uint64_t previous, uint64_t undo_next)
{
    struct bytes part = bytes_of(text, strlen(text));
    uint64_t lsn;

    EXPECT_OK(clfs_append(it->area, &part, 1, previous, undo_next, 0, &lsn));
    return lsn;
}

static inline uint64_t
restarted(struct fixture *it, const char *text, uint64_t base)
{
    uint64_t lsn;

    EXPECT_OK(clfs_write_restart(it->area, bytes_of(text, strlen(text)), base, 0, &lsn));
    return lsn;
}

#define READ(it, lsn, mode, reader)                                                                \
    ({                                                                                             \
        struct clfs_record read_;                                                                  \
        EXPECT_OK(clfs_read((it)->area, (lsn), (mode), &read_, &(reader)));                        \
        read_;                                                                                     \
    })
