/* SPDX-License-Identifier: MIT */
/* What the pointers stand for, and threads that end what others use. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/nt/clfs_kit.h"

#include "sys/thread.h"

/* ---- objects ---- */

TEST(pointers_of_the_wrong_kind_are_refused) /* CLFS-CONC-10 CLFS-CLOSE-07 CLFS-READ-43 HARD-42 */
{
    struct world world = begin();
    PVOID data, context, stale;
    CLFS_LSN lsn, first;
    ULONG length;
    int stranger;

    EXPECT_OK(append(world.area, "x", 0, &first));
    EXPECT_OK(ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsCloseLogFileObject(NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsDeleteMarshallingArea(NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsTerminateReadLog(NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, append(NULL, "x", 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsCloseLogFileObject((PLOG_FILE_OBJECT)&stranger));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsCloseLogFileObject(world.area));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsDeleteMarshallingArea(world.file));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsTerminateReadLog(world.area));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, append(context, "x", 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, append(world.file, "x", 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsGetLastLsn(world.area, &lsn));
    EXPECT_OK(ClfsTerminateReadLog(context));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsTerminateReadLog(context));
    stale = world.area;
    EXPECT_OK(ClfsDeleteMarshallingArea(world.area));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsDeleteMarshallingArea(stale));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsFlushBuffers(stale));
    EXPECT_OK(ClfsCloseLogFileObject(world.file));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsCloseLogFileObject(world.file));
}

TEST(areas_and_contexts_outlive_what_made_them) /* CLFS-CONC-07 -09 CLFS-AREA-21 -22 */
{
    struct world world = begin();
    PVOID data, context, other;
    CLFS_LSN first, lsn;
    CLFS_RECORD_TYPE type = ClfsClientRecord;
    ULONG length;

    EXPECT_OK(append(world.area, "first", 0, &first));
    EXPECT_OK(ClfsCloseLogFileObject(world.file)); /* the area keeps the log open */
    EXPECT_OK(append(world.area, "second", CLFS_FLAG_FORCE_FLUSH, &lsn));
    EXPECT_OK(ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, &context));
    EXPECT_OK(ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, &other));
    EXPECT_OK(ClfsDeleteMarshallingArea(world.area));
    EXPECT_STATUS(STATUS_LOG_READ_CONTEXT_INVALID,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT(!data);
    EXPECT_OK(ClfsTerminateReadLog(context));
    EXPECT_OK(ClfsTerminateReadLog(other));
    EXPECT_OK(ClfsCloseLogFileObject(opened("log"))); /* and now it was closed */
}

/* ---- threads ---- */

static _Atomic unsigned rounds;
static _Atomic(PVOID) shared_area, shared_context;

static void
racer_main(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3000; i++) {
        CLFS_RECORD_TYPE type = ClfsClientRecord;
        CLFS_LSN lsn;
        PVOID data;
        ULONG length;
        NTSTATUS status = append(atomic_load(&shared_area), "x", 0, &lsn);

        EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE ||
               status == STATUS_LOG_FULL);
        status = ClfsReadNextLogRecord(atomic_load(&shared_context), &data, &length, &type, NULL,
                                       NULL, NULL, NULL);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_INVALID_HANDLE ||
               status == STATUS_DEVICE_BUSY || status == STATUS_END_OF_FILE ||
               status == STATUS_LOG_READ_CONTEXT_INVALID);
        atomic_fetch_add(&rounds, 1);
    }
}

TEST(ending_races_with_use) /* CLFS-HARD-45 CLFS-CONC-03 */
{
    struct world world = begin();
    struct sys_thread *threads[3];
    CLFS_LSN first;
    PVOID data;
    ULONG length;

    EXPECT_OK(append(world.area, "first", 0, &first));
    atomic_store(&shared_area, world.area);
    EXPECT_OK(ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, (PVOID *)&shared_context));
    EACH (thread, threads)
        EXPECT_OK(sys_thread_start("racer", racer_main, NULL, thread));
    while (atomic_load(&rounds) < 9000) {
        PVOID area = area_of(world.file, 4096), old_area, context, old_context;

        EXPECT_OK(ClfsReadLogRecord(area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                    NULL, &context));
        old_area = atomic_exchange(&shared_area, area);
        old_context = atomic_exchange(&shared_context, context);
        EXPECT_OK(ClfsDeleteMarshallingArea(old_area));
        EXPECT_OK(ClfsTerminateReadLog(old_context));
    }
    EACH (thread, threads)
        sys_thread_join(*thread);
    EXPECT_OK(ClfsTerminateReadLog(shared_context));
    world.area = shared_area;
    end(&world);
}

/* Its pointers are none there, and the log is locked (decision 0023). */
TEST(a_forked_child_has_no_logs) /* CLFS-CONC-10 CLFS-CONC-13 */
{
    struct world world = begin();
    PLOG_FILE_OBJECT file;
    CLFS_LSN lsn;
    int status;

    EXPECT_OK(append(world.area, "x", 0, &lsn));
    EXPECT_EQ(0, fflush(NULL));
    if (fork() == 0) {
        EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsFlushBuffers(world.area));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsDeleteMarshallingArea(world.area));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, ClfsCloseLogFileObject(world.file));
        EXPECT_STATUS(STATUS_SHARING_VIOLATION, create(&file, "log", 0, 7, OPEN_EXISTING, 0));
        _exit(0);
    }
    EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_OK(append(world.area, "y", CLFS_FLAG_FORCE_FLUSH, &lsn));
    end(&world);
}
