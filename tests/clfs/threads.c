/* SPDX-License-Identifier: MIT */
/* Many threads on one log: writers that force, readers that follow, one that checkpoints. */
#include "tests/clfs/world.h"

#include "sys/thread.h"

#define WRITERS 6u
#define READERS 2u

struct shared {
    struct clfs_log *log;
    struct clfs_area *area;
    _Atomic bool is_over;
    _Atomic uint64_t forced;
    unsigned records;
};

struct writer {
    struct shared *shared;
    struct sys_thread *thread;
    unsigned id;
    uint64_t last; /* LSN of its last acknowledged record */
};

/* Data of a record: who wrote it, and its number. */
static void
writer_main(void *context)
{
    struct writer *self = context;
    struct shared *shared = self->shared;
    uint32_t data[40] = {self->id};
    uint64_t before = CLFS_LSN_NONE;

    for (unsigned i = 0; i < shared->records; i++) {
        struct bytes part = bytes_of(data, 8 + (i * 7 + self->id) % 150);
        uint64_t lsn = 0, flushed = 0;
        NTSTATUS status;

        data[1] = i;
        while ((status = clfs_append(shared->area, &part, 1, before, CLFS_LSN_NONE, 0, &lsn)) ==
               STATUS_LOG_FULL)
            EXPECT_OK(clfs_flush(shared->area, 0, NULL)); /* the checkpointer makes room */
        EXPECT_OK(status);
        if (i % 4 == 3)
            EXPECT_OK(clfs_write_behind(shared->area));
        if (i % 3 == 0 || i + 1 == shared->records) {
            EXPECT_OK(clfs_flush(shared->area, lsn, &flushed));
            EXPECT(flushed > lsn);
            self->last = lsn;
            atomic_fetch_add(&shared->forced, 1);
        }
        before = lsn;
    }
}

/* Reads forward for as long as there are writers: per writer, numbers only grow. */
static void
reader_main(void *context)
{
    struct shared *shared = context;

    while (!atomic_load(&shared->is_over)) {
        int64_t seen[WRITERS];
        struct clfs_reader *reader = NULL;
        struct clfs_record record;
        struct clfs_info info;
        NTSTATUS status;

        memset(seen, 0xFF, sizeof(seen));
        clfs_log_info(shared->log, &info);
        EXPECT(info.base_lsn <= info.last_lsn && info.flushed_lsn <= info.last_lsn);
        EXPECT(info.restart_lsn == CLFS_LSN_NONE || info.restart_lsn < info.last_lsn);
        status = clfs_read(shared->area, info.base_lsn, CLFS_FORWARD, &record, &reader);
        if (status == STATUS_NOT_FOUND) /* a bound, no record's LSN [CLFS-BASE-15] */
            continue;
        while (status == STATUS_SUCCESS) {
            if (record.type == CLFS_DATA) {
                uint32_t id = le32_get(record.data.at), number = le32_get(record.data.at + 4);

                EXPECT(id < WRITERS && (int64_t)number > seen[id]);
                seen[id] = number;
            }
            status = clfs_read_next(reader, CLFS_ANY, NULL, &record);
        }
        if (status != STATUS_LOG_START_OF_LOG)
            EXPECT_STATUS(STATUS_END_OF_FILE, status);
        clfs_reader_destroy(reader);
    }
}

/* Moves the base along, by restart areas and without, and adds a container now and then. */
static void
checkpointer_main(void *context)
{
    struct shared *shared = context;

    for (unsigned i = 0; !atomic_load(&shared->is_over); i++) {
        struct clfs_info info;
        uint64_t lsn, size = 0;
        NTSTATUS status;

        clfs_log_info(shared->log, &info);
        if (i % 3 == 0)
            status = clfs_write_restart(shared->area, bytes_of("checkpoint", 10), info.flushed_lsn,
                                        0, &lsn);
        else
            status = clfs_advance_base(shared->area, info.flushed_lsn);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_LOG_FULL);
        if (i % 50 == 49 && info.containers < 6)
            EXPECT_OK(clfs_log_add_containers(shared->log, 1, &size, NULL));
    }
}

static void
acknowledged_are_found(const char *path, const struct writer writers[WRITERS])
{
    struct clfs_log *log = log_with(sys_linux(), path, 2);
    struct clfs_area *area = area_of(log, 16384);

    for (unsigned i = 0; i < WRITERS; i++) {
        struct clfs_reader *reader = NULL;
        struct clfs_record record;
        NTSTATUS status = clfs_read(area, writers[i].last, CLFS_FORWARD, &record, &reader);

        if (writers[i].last < info_of(log).base_lsn) {
            EXPECT_STATUS(STATUS_LOG_START_OF_LOG, status);
            continue;
        }
        EXPECT_OK(status);
        EXPECT_EQ(i, le32_get(record.data.at));
        clfs_reader_destroy(reader);
    }
    EXPECT_OK(clfs_area_destroy(area));
    EXPECT_OK(clfs_log_close(log));
}

TEST(
    writers_readers_and_a_checkpointer_at_once) /* CLFS-CONC-01 -05 -06 -11 CLFS-FLUSH-13 INFO-15 */
{
    struct shared shared = {.records = test_soak_seconds() ? 20000 : 1500};
    struct writer writers[WRITERS];
    struct sys_thread *readers[READERS], *checkpointer;
    char path[512];

    snprintf(path, sizeof(path), "%s/log", test_directory());
    shared.log = log_with(sys_linux(), path, 3);
    shared.area = area_of(shared.log, 16384);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.shared = &shared, .id = i};
        EXPECT_OK(sys_thread_start("writer", writer_main, &writers[i], &writers[i].thread));
    }
    for (unsigned i = 0; i < READERS; i++)
        EXPECT_OK(sys_thread_start("reader", reader_main, &shared, &readers[i]));
    EXPECT_OK(sys_thread_start("checkpointer", checkpointer_main, &shared, &checkpointer));
    for (unsigned i = 0; i < WRITERS; i++)
        sys_thread_join(writers[i].thread);
    atomic_store(&shared.is_over, true);
    for (unsigned i = 0; i < READERS; i++)
        sys_thread_join(readers[i]);
    sys_thread_join(checkpointer);
    EXPECT_OK(clfs_area_destroy(shared.area));
    EXPECT_OK(clfs_log_close(shared.log));
    acknowledged_are_found(path, writers);
}

/* ---- opening and closing ---- */

static char busy_path[512];

static void
opener_main(void *context)
{
    struct shared *shared = context;

    while (!atomic_load(&shared->is_over)) {
        struct clfs_log *log = NULL;
        struct clfs_area *area = NULL;
        bool writable = atomic_fetch_add(&shared->forced, 1) % 3 > 0;
        uint64_t lsn;

        EXPECT_OK(clfs_log_open(sys_linux(), busy_path, CLFS_OPEN_EXISTING, writable, &log));
        EXPECT_OK(clfs_area_create(log, BLOCK, &area));
        if (writable) {
            NTSTATUS status = append_text(area, "x", &lsn);

            EXPECT(status == STATUS_SUCCESS || status == STATUS_LOG_FULL);
        }
        EXPECT_OK(clfs_log_close(log)); /* the area outlives it */
        EXPECT_OK(clfs_area_destroy(area));
    }
}

TEST(openers_come_and_go) /* CLFS-CLOSE-02 CLFS-CONC-09 CLFS-HARD-45 */
{
    static _Atomic uint32_t never; /* nobody wakes it: a wait for time */
    struct shared shared = {0};
    struct sys_thread *threads[4];

    snprintf(busy_path, sizeof(busy_path), "%s/log", test_directory());
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), busy_path, 2)));
    EACH (thread, threads)
        EXPECT_OK(sys_thread_start("opener", opener_main, &shared, thread));
    while (atomic_load(&shared.forced) < (test_soak_seconds() ? 20000 : 400))
        sys_wait(&never, 0, sys_now() + 10000000);
    atomic_store(&shared.is_over, true);
    EACH (thread, threads)
        sys_thread_join(*thread);
    EXPECT_OK(clfs_log_close(log_with(sys_linux(), busy_path, 2)));
}

/* ---- a force that fails under several ---- */

static _Atomic unsigned failed, succeeded;

static void
doomed_main(void *context)
{
    struct shared *shared = context;
    uint64_t lsn;

    for (;;) {
        NTSTATUS status = append_text(shared->area, "x", &lsn);

        if (status == STATUS_SUCCESS)
            status = clfs_flush(shared->area, lsn, NULL);
        if (status != STATUS_SUCCESS) {
            EXPECT(status == STATUS_LOG_CONTAINER_WRITE_FAILED ||
                   status == STATUS_LOG_STATE_INVALID);
            atomic_fetch_add(&failed, 1);
            return;
        }
        atomic_fetch_add(&succeeded, 1);
    }
}

TEST(a_failed_force_is_told_to_all_who_wait) /* CLFS-DUR-13 CLFS-FLUSH-13 */
{
    struct sys_sim *sim = sys_sim_create(1);
    struct shared shared = {.log = log_with(sys_sim_process(sim), "/log", 2)};
    struct sys_thread *threads[8];

    shared.area = area_of(shared.log, BLOCK);
    sys_sim_fail_sync(sim, NULL, 40);
    EACH (thread, threads)
        EXPECT_OK(sys_thread_start("doomed", doomed_main, &shared, thread));
    EACH (thread, threads)
        sys_thread_join(*thread);
    EXPECT_EQ(ARRAY_SIZE(threads), atomic_load(&failed));
    EXPECT(atomic_load(&succeeded) >= 39);
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_area_destroy(shared.area));
    EXPECT_STATUS(STATUS_LOG_STATE_INVALID, clfs_log_close(shared.log));
    sys_sim_destroy(sim);
}
