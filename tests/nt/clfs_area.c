/* SPDX-License-Identifier: MIT */
/* Areas, and what is written through them. */
#include "tests/nt/clfs_kit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- areas ---- */

static unsigned given, taken;

static PVOID
give_block(POOL_TYPE pool, SIZE_T size, ULONG tag)
{
    EXPECT(pool == NonPagedPool && tag != 0 && size == 1024);
    given++;
    return malloc(size);
}

static VOID
take_block(PVOID buffer)
{
    taken++;
    free(buffer);
}

TEST(areas_take_their_arguments_at_their_word) /* CLFS-AREA-01 -03 -05..09 -12..14 -18 -19 */
{
    PLOG_FILE_OBJECT file = opened("log");
    PVOID area, contexts[3], data;
    CLFS_LSN first, lsn;
    ULONG length;

    EXPECT_STATUS(STATUS_LOG_NOT_ENOUGH_CONTAINERS,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 4096, 1, 1, &area));
    containers_add(file, 2);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 4096, 1, 1, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, give_block, NULL, 4096, 1, 1, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, take_block, 4096, 1, 1, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 0, 1, 1, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 512 << 10, 1, 1, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 4096, 0, 1, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, 4096, 1, 0, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsCreateMarshallingAreaEx(file, PagedPool, NULL, NULL,
                                                                        4096, 1, 1, 3, 0, &area));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsCreateMarshallingAreaEx(file, PagedPool, NULL, NULL,
                                                                        4096, 1, 1, 0, 2, &area));
    EXPECT(!area);
    EXPECT_OK(ClfsCreateMarshallingAreaEx(file, PagedPool, NULL, NULL, 4096, 1, 1, 4096,
                                          CLFS_MARSHALLING_FLAG_DISABLE_BUFF_INIT, &area));
    EXPECT_OK(ClfsDeleteMarshallingArea(area));

    EXPECT_OK(
        ClfsCreateMarshallingArea(file, NonPagedPool, give_block, take_block, 1000, 2, 2, &area));
    for (unsigned i = 0; i < 30; i++) { /* two write blocks: appends wait for a write, never fail */
        char text[600];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        EXPECT_OK(append(area, text, 0, i ? &lsn : &first));
    }
    EXPECT(given <= 2);
    for (unsigned i = 0; i < 2; i++)
        EXPECT_OK(ClfsReadLogRecord(area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                    NULL, &contexts[i]));
    EXPECT_STATUS(STATUS_LOG_BLOCKS_EXHAUSTED, /* CLFS-AREA-13, CLFS-READ-18 */
                  ClfsReadLogRecord(area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                    NULL, &contexts[2]));
    EXPECT_OK(ClfsTerminateReadLog(contexts[0]));
    EXPECT_OK(ClfsReadLogRecord(area, &first, ClfsContextForward, &data, &length, NULL, NULL, NULL,
                                &contexts[0]));
    EXPECT_OK(ClfsTerminateReadLog(contexts[0]));
    EXPECT_OK(ClfsDeleteMarshallingArea(area));
    EXPECT_OK(ClfsTerminateReadLog(contexts[1]));
    EXPECT(given > 0 && given == taken); /* CLFS-AREA-07 */
    EXPECT_OK(ClfsCloseLogFileObject(file));
}

/* ---- appending ---- */

static NTSTATUS
append_raw(PVOID area, CLFS_WRITE_ENTRY *entries, ULONG count, ULONG alignment, ULONG reserve,
           LONGLONG *sizes, ULONG flags, CLFS_LSN *lsn)
{
    return ClfsReserveAndAppendLogAligned(area, entries, count, alignment, NULL, NULL, reserve,
                                          sizes, flags, lsn);
}

TEST(arguments_of_append_are_checked) /* CLFS-APPEND-04 -07 -09 -10 -12..14 -16 -26..29 */
{
    struct world world = begin();
    CLFS_WRITE_ENTRY entries[2] = {{"abc", 3}, {"de", 2}}, bad = {NULL, 3}, large = {"x", 5000};
    CLFS_LSN lsn = {77}, beyond = {CLFS_LSN_INVALID.Internal + 1};
    LONGLONG sizes[2] = {10, 0};
    ULONGLONG last = information(world.file).LastLsn.Internal;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 2, 0, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 2, 4097, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, append_raw(world.area, NULL, 1, 1, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, append_raw(world.area, &bad, 1, 1, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, append_raw(world.area, &large, 1, 1, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 1, 1, 0, NULL, 0x8, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 1, 1, 1, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 1, 1, 2, sizes, 0, &lsn)); /* a size of 0 */
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, NULL, 0, 1, 0, NULL, CLFS_FLAG_USE_RESERVATION, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, entries, 1, 1, 1, sizes, CLFS_FLAG_USE_RESERVATION, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReserveAndAppendLog(world.area, entries, 1, &beyond, NULL, 0, NULL, 0, &lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReserveAndAppendLog(world.area, entries, 1, NULL, &beyond, 0, NULL, 0, &lsn));
    EXPECT_EQ(77, lsn.Internal);
    EXPECT_EQ(last, information(world.file).LastLsn.Internal);
    EXPECT_EQ(0, information(world.file).TotalReservation);
    EXPECT_OK(append_raw(world.area, NULL, 0, 1, 0, NULL, 0, NULL)); /* nothing to do */
    EXPECT_OK(append_raw(world.area, NULL, 0, 1, 0, NULL, CLFS_FLAG_FORCE_FLUSH, NULL));
    EXPECT_OK(append_raw(world.area, entries, 1, 8192, 0, NULL, 0, NULL)); /* one entry, no LSN */
    end(&world);
}

TEST(entries_are_joined_and_aligned) /* CLFS-APPEND-01 -03 -05 -06 -08 -11 -15 -17 CLFS-CHAIN-06 */
{
    struct world world = begin();
    CLFS_WRITE_ENTRY entries[4] = {{"abc", 3}, {"", 0}, {"de", 2}, {"f", 1}};
    CLFS_LSN a, b, previous, undo;
    CLFS_RECORD_TYPE type = 0;
    PVOID data, context;
    ULONG length;

    EXPECT_OK(append_raw(world.area, entries, 4, 1, 0, NULL, 0, &a));
    EXPECT_OK(ClfsReserveAndAppendLogAligned(world.area, entries, 4, 7, &a, &a, 0, NULL,
                                             CLFS_FLAG_FORCE_APPEND, &b));
    EXPECT_OK(ClfsReadLogRecord(world.area, &a, ClfsContextForward, &data, &length, &type, &undo,
                                &previous, &context));
    EXPECT(length == 6 && memcmp(data, "abcdef", 6) == 0 && type == ClfsDataRecord);
    EXPECT(ClfsLsnInvalid(&undo) && ClfsLsnInvalid(&previous));
    type = ClfsClientRecord;
    EXPECT_OK(ClfsReadNextLogRecord(context, &data, &length, &type, NULL, &undo, &previous, NULL));
    EXPECT_EQ(15, length); /* abc at 0, nothing at 7, de at 7, f at 14 */
    EXPECT_BYTES("abc\0\0\0\0de\0\0\0\0\0f", data, 15);
    EXPECT(ClfsLsnEqual(&undo, &a) && ClfsLsnEqual(&previous, &a));
    EXPECT_STATUS(STATUS_END_OF_FILE,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_OK(ClfsTerminateReadLog(context));
    end(&world);
}

TEST(many_entries_make_one_record) /* CLFS-APPEND-01 */
{
    struct world world = begin();
    CLFS_WRITE_ENTRY entries[300];
    PVOID data, context;
    CLFS_LSN lsn;
    ULONG length;

    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
        entries[i] = (CLFS_WRITE_ENTRY){.Buffer = "0123456789", .ByteLength = i % 11};
    EXPECT_OK(append_raw(world.area, entries, ARRAY_SIZE(entries), 1, 0, NULL, 0, &lsn));
    EXPECT_OK(ClfsReadLogRecord(world.area, &lsn, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, &context));
    EXPECT_EQ(27 * 55 + 0 + 1 + 2, length);
    EXPECT_OK(ClfsTerminateReadLog(context));
    end(&world);
}

TEST(reservations_are_counted) /* CLFS-RESV-02 -03 -15..31 CLFS-APPEND-02 -30..34 */
{
    struct world world = begin();
    LONGLONG sizes[3] = {10, 500, 4000}, total = -1, pieces[2], adjust;
    CLFS_WRITE_ENTRY entry = {"x", 1};
    CLFS_LSN lsn;

    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  ClfsAlignReservedLog(world.area, 3, sizes, &total)); /* 4000 does not fit */
    EXPECT_EQ(0, total);
    sizes[2] = 3900;
    EXPECT_OK(ClfsAlignReservedLog(world.area, 3, sizes, &total));
    EXPECT_EQ(512 + 1024 + 4096, total);
    EXPECT_EQ(10, sizes[0]);
    EXPECT_EQ(0, information(world.file).TotalReservation);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAlignReservedLog(world.area, 0, sizes, &total));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAlignReservedLog(world.area, 3, NULL, &total));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAlignReservedLog(world.area, 3, sizes, NULL));
    sizes[0] = -5;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAlignReservedLog(world.area, 3, sizes, &total));

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAllocReservedLog(world.area, 0, &(LONGLONG){512}));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAllocReservedLog(world.area, 1, &(LONGLONG){0}));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAllocReservedLog(world.area, 1, &(LONGLONG){-512}));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAllocReservedLog(world.area, 1, &(LONGLONG){513}));
    EXPECT_STATUS(STATUS_LOG_FULL, ClfsAllocReservedLog(world.area, 1, &(LONGLONG){1 << 30}));
    adjust = 5632;
    EXPECT_OK(ClfsAllocReservedLog(world.area, 3, &adjust));
    EXPECT_EQ(5632, adjust); /* CLFS-RESV-27 */
    EXPECT_EQ(5632, information(world.file).TotalReservation);

    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID,
                  ClfsFreeReservedLog(world.area, 4, &(LONGLONG){-512}));
    EXPECT_STATUS(STATUS_LOG_SPACE_RESERVED_INVALID,
                  ClfsFreeReservedLog(world.area, 1, &(LONGLONG){-6144}));
    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  ClfsFreeReservedLog(world.area, 4, &(LONGLONG){512}));
    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  ClfsFreeReservedLog(world.area, 2, &(LONGLONG){6144}));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsFreeReservedLog(world.area, 1, &(LONGLONG){0}));
    EXPECT_EQ(5632, information(world.file).TotalReservation);
    adjust = -512;
    EXPECT_OK(ClfsFreeReservedLog(world.area, 1, &adjust));
    EXPECT_EQ(512, adjust);
    adjust = 4096; /* what is to remain, and of how many */
    EXPECT_OK(ClfsFreeReservedLog(world.area, 1, &adjust));
    EXPECT_EQ(1024, adjust);
    EXPECT_EQ(4096, information(world.file).TotalReservation);
    adjust = 0;
    EXPECT_OK(ClfsFreeReservedLog(world.area, 0, &adjust));
    EXPECT_EQ(4096, adjust);
    EXPECT_EQ(0, information(world.file).TotalReservation);

    /* The same through append: reserve only, then a record with it, then release. */
    pieces[0] = 10;
    pieces[1] = 500;
    EXPECT_OK(append_raw(world.area, NULL, 0, 1, 2, pieces, 0, NULL));
    EXPECT(pieces[0] == 512 && pieces[1] == 1024);
    EXPECT_EQ(1536, information(world.file).TotalReservation); /* CLFS-RESV-21 */
    pieces[0] = 100;
    pieces[1] = -1024;
    EXPECT_OK(append_raw(world.area, &entry, 1, 1, 2, pieces, 0, &lsn));
    EXPECT(pieces[0] == 512 && pieces[1] == -1024);
    EXPECT_EQ(1024, information(world.file).TotalReservation);
    EXPECT_OK(append_raw(world.area, &entry, 1, 1, 0, NULL, CLFS_FLAG_USE_RESERVATION, &lsn));
    EXPECT_EQ(512, information(world.file).TotalReservation);
    pieces[0] = -100; /* a data size: what such a record takes */
    EXPECT_OK(append_raw(world.area, NULL, 0, 1, 1, pieces, 0, NULL));
    EXPECT_EQ(0, information(world.file).TotalReservation);
    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  append_raw(world.area, NULL, 0, 1, 1, pieces, 0, NULL));
    EXPECT_STATUS(STATUS_LOG_RECORDS_RESERVED_INVALID,
                  append_raw(world.area, &entry, 1, 1, 0, NULL, CLFS_FLAG_USE_RESERVATION, &lsn));
    pieces[0] = INT64_MIN;
    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  append_raw(world.area, NULL, 0, 1, 1, pieces, 0, NULL));
    pieces[0] = INT64_MAX;
    EXPECT_STATUS(STATUS_LOG_RESERVATION_INVALID,
                  append_raw(world.area, NULL, 0, 1, 1, pieces, 0, NULL));
    end(&world);
}

TEST(appending_and_reserving_is_one_act) /* CLFS-APPEND-02 */
{
    struct world world = begin();
    CLFS_WRITE_ENTRY entry = {"x", 5000}; /* too long for a block */
    LONGLONG size = 100, much[1] = {3900};
    CLFS_LSN lsn;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  append_raw(world.area, &entry, 1, 1, 1, &size, 0, &lsn));
    EXPECT_EQ(0, information(world.file).TotalReservation);
    entry.ByteLength = 1;
    while (append_raw(world.area, NULL, 0, 1, 1, much, 0, NULL) == STATUS_SUCCESS)
        much[0] = 3900;
    EXPECT_STATUS(STATUS_LOG_FULL, append_raw(world.area, &entry, 1, 1, 1, much, 0, &lsn));
    EXPECT_EQ(0,
              information(world.file).LastLsn.Internal - information(world.file).BaseLsn.Internal);
    end(&world);
}

TEST(flushing_says_how_far) /* CLFS-FLUSH-01..12 CLFS-APPEND-24 -25 CLFS-DUR-05 */
{
    struct world world = begin();
    CLFS_LSN a, b, flushed, null = CLFS_LSN_NULL, none = CLFS_LSN_INVALID, last;

    EXPECT_OK(append(world.area, "a", CLFS_FLAG_FORCE_FLUSH | CLFS_FLAG_FORCE_APPEND, &a));
    EXPECT(information(world.file).LastFlushedLsn.Internal > a.Internal);
    EXPECT_OK(append(world.area, "b", 0, &b));
    EXPECT(information(world.file).LastFlushedLsn.Internal <= b.Internal);
    EXPECT_OK(ClfsGetLastLsn(world.file, &last));
    EXPECT(last.Internal > b.Internal);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsGetLastLsn(world.file, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsFlushToLsn(world.area, NULL, &flushed));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsFlushToLsn(world.area, &none, &flushed));
    EXPECT_OK(ClfsFlushToLsn(world.area, &b, &flushed));
    EXPECT(flushed.Internal > b.Internal);
    EXPECT_OK(ClfsFlushToLsn(world.area, &last, &flushed));
    EXPECT(ClfsLsnEqual(&flushed, &last));
    EXPECT_OK(ClfsFlushToLsn(world.area, &null, NULL));
    EXPECT_OK(ClfsFlushBuffers(world.area));
    end(&world);
}

TEST(a_record_whose_force_failed_is_appended_all_the_same) /* CLFS-APPEND-37 CLFS-DUR-13 -14 */
{
    EXPECT(test_directory() && fflush(NULL) == 0); /* the same for both */
    if (fork() == 0) { /* a limit on the size of files makes every write fail */
        struct world world = begin();
        CLFS_LSN lsn = {1}, other;
        struct rlimit none = {0, 0};

        EXPECT_OK(append(world.area, "x", CLFS_FLAG_FORCE_FLUSH, &other));
        signal(SIGXFSZ, SIG_IGN);
        EXPECT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
        EXPECT_STATUS(STATUS_LOG_APPENDED_FLUSH_FAILED,
                      append(world.area, "y", CLFS_FLAG_FORCE_FLUSH, &lsn));
        EXPECT(lsn.Internal > other.Internal);
        EXPECT_STATUS(STATUS_LOG_STATE_INVALID, append(world.area, "z", 0, &lsn));
        EXPECT_STATUS(STATUS_LOG_STATE_INVALID, ClfsFlushBuffers(world.area));
        EXPECT_STATUS(STATUS_LOG_STATE_INVALID, ClfsDeleteMarshallingArea(world.area));
        EXPECT_STATUS(STATUS_LOG_STATE_INVALID, ClfsCloseLogFileObject(world.file));
        _exit(0);
    }
    int status;
    EXPECT(wait(&status) > 0 && status == 0);
}

/* ---- base and restart ---- */

TEST(base_and_restart_areas_move_together) /* CLFS-BASE-10..16 CLFS-RESTART-03..14 -18 */
{
    struct world world = begin();
    CLFS_LSN a, b, r, last, null = CLFS_LSN_NULL, none = CLFS_LSN_INVALID;
    ULONG written = 0;

    EXPECT_OK(append(world.area, "a", 0, &a));
    EXPECT_OK(append(world.area, "b", 0, &b));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAdvanceLogBase(world.area, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAdvanceLogBase(world.area, &b, 1));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, ClfsAdvanceLogBase(world.area, &null, 0));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID, ClfsAdvanceLogBase(world.area, &none, 0));
    EXPECT_OK(ClfsAdvanceLogBase(world.area, &b, 0));
    EXPECT_EQ(b.Internal, information(world.file).BaseLsn.Internal);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsWriteRestartArea(world.area, NULL, 1, NULL, 0, NULL, NULL));
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        ClfsWriteRestartArea(world.area, "r", 1, NULL, CLFS_FLAG_FORCE_FLUSH, NULL, NULL));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID,
                  ClfsWriteRestartArea(world.area, "r", 1, &a, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_LOG_TAIL_INVALID,
                  ClfsWriteRestartArea(world.area, "r", 1, &none, 0, NULL, NULL));
    EXPECT_STATUS(
        STATUS_LOG_RECORDS_RESERVED_INVALID,
        ClfsWriteRestartArea(world.area, "r", 1, NULL, CLFS_FLAG_USE_RESERVATION, NULL, NULL));
    EXPECT(ClfsLsnInvalid(&(CLFS_LSN){information(world.file).RestartLsn.Internal}));
    EXPECT_OK(ClfsWriteRestartArea(world.area, NULL, 0, NULL, 0, &written, &r));
    EXPECT_EQ(b.Internal, information(world.file).BaseLsn.Internal);
    EXPECT_OK(ClfsGetLastLsn(world.file, &last));
    EXPECT_OK(ClfsWriteRestartArea(world.area, "restart", 7, &last, 0, &written, &r));
    EXPECT(written >= 7);
    EXPECT_EQ(r.Internal, information(world.file).BaseLsn.Internal);
    EXPECT_EQ(r.Internal, information(world.file).RestartLsn.Internal);
    EXPECT(information(world.file).LastFlushedLsn.Internal > r.Internal);
    EXPECT_OK(ClfsAllocReservedLog(world.area, 1, &(LONGLONG){512}));
    EXPECT_OK(ClfsWriteRestartArea(world.area, "r", 1, NULL, CLFS_FLAG_USE_RESERVATION, NULL, &r));
    EXPECT_EQ(0, information(world.file).TotalReservation);
    end(&world);
}

TEST(restart_areas_are_read_back) /* CLFS-RESTART-19..34 CLFS-STAT-02 CLFS-KTM-07 */
{
    struct world world = begin();
    CLFS_LSN r1, r2, lsn = {5}, data_lsn;
    CLFS_RECORD_TYPE type = ClfsClientRecord;
    PVOID data = &world, context = &world;
    ULONG length;

    EXPECT_STATUS(STATUS_LOG_NO_RESTART,
                  ClfsReadRestartArea(world.area, &data, &length, &lsn, &context));
    EXPECT(NT_SUCCESS(STATUS_LOG_NO_RESTART) && !context && !data); /* OP-04 */
    EXPECT_OK(ClfsWriteRestartArea(world.area, "one", 3, NULL, 0, NULL, &r1));
    EXPECT_OK(ClfsWriteRestartArea(world.area, "second", 6, NULL, 0, NULL, &r2));
    EXPECT_OK(append(world.area, "data", 0, &data_lsn));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadRestartArea(world.area, NULL, &length, &lsn, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadRestartArea(world.area, &data, NULL, &lsn, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadRestartArea(world.area, &data, &length, NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadRestartArea(world.area, &data, &length, &lsn, NULL));
    EXPECT_OK(ClfsReadRestartArea(world.area, &data, &length, &lsn, &context));
    EXPECT(length == 6 && memcmp(data, "second", 6) == 0 && ClfsLsnEqual(&lsn, &r2));
    EXPECT_OK(ClfsReadPreviousRestartArea(context, &data, &length, &lsn));
    EXPECT(length == 3 && memcmp(data, "one", 3) == 0 && ClfsLsnEqual(&lsn, &r1));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG,
                  ClfsReadPreviousRestartArea(context, &data, &length, &lsn));
    EXPECT(!data);
    EXPECT_OK(ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, &lsn));
    EXPECT(ClfsLsnEqual(&lsn, &r2) && type == ClfsRestartRecord);
    type = ClfsDataRecord;
    EXPECT_OK(ClfsReadNextLogRecord(context, &data, &length, &type, &data_lsn, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadPreviousRestartArea(context, NULL, &length, &lsn));
    EXPECT_OK(ClfsTerminateReadLog(context));
    EXPECT_OK(ClfsReadLogRecord(world.area, &data_lsn, ClfsContextForward, &data, &length, NULL,
                                NULL, NULL, &context));
    EXPECT_STATUS(STATUS_LOG_READ_CONTEXT_INVALID,
                  ClfsReadPreviousRestartArea(context, &data, &length, &lsn));
    EXPECT_OK(ClfsTerminateReadLog(context));
    end(&world);
}
