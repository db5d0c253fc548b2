/* SPDX-License-Identifier: MIT */
/* The Clfs routines: names, rights, share modes, information, areas, records, contexts. */
#include "tests/test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/thread.h"
#include "wdm.h"

/* ---- short words ---- */

static UNICODE_STRING
wide(const char *text)
{
    static uint16_t *pool[64];
    static unsigned turn;
    uint16_t **slot = &pool[turn++ % ARRAY_SIZE(pool)];
    size_t count;

    free(*slot);
    EXPECT_OK(text_to_utf16(text, slot, &count));
    return (UNICODE_STRING){.Length = (USHORT)(count * 2),
                            .MaximumLength = (USHORT)(count * 2),
                            .Buffer = (PWSTR)*slot};
}

static const char *
here(const char *format, const char *name)
{
    static char texts[8][700];
    static unsigned turn;
    char *text = texts[turn++ % ARRAY_SIZE(texts)], path[600];

    snprintf(path, sizeof(path), "%s/%s", test_directory(), name);
    snprintf(text, sizeof(texts[0]), format, path);
    return text;
}

static NTSTATUS
create(PLOG_FILE_OBJECT *file, const char *name, ACCESS_MASK access, ULONG share, ULONG disposition,
       ULONG attributes)
{
    UNICODE_STRING text = wide(here("log:%s", name));

    return ClfsCreateLogFile(file, &text, access, share, NULL, disposition, 0, attributes, 0, NULL,
                             0);
}

static PLOG_FILE_OBJECT
opened(const char *name)
{
    PLOG_FILE_OBJECT file = NULL;

    EXPECT_OK(create(&file, name, GENERIC_READ | GENERIC_WRITE | DELETE,
                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_ALWAYS,
                     FILE_ATTRIBUTE_NORMAL));
    EXPECT(file);
    return file;
}

static CLFS_INFORMATION
information(PLOG_FILE_OBJECT file)
{
    CLFS_INFORMATION info;
    ULONG size = sizeof(info);

    EXPECT_OK(ClfsGetLogFileInformation(file, &info, &size));
    EXPECT_EQ(sizeof(info), size);
    return info;
}

static void
containers_add(PLOG_FILE_OBJECT file, unsigned count)
{
    ULONGLONG size = 512 << 10;

    for (unsigned i = 0; i < count; i++) {
        char name[32];
        UNICODE_STRING path;

        snprintf(name, sizeof(name), "container%u", i);
        path = wide(name);
        EXPECT_OK(ClfsAddLogContainer(file, &size, &path));
    }
}

static PVOID
area_of(PLOG_FILE_OBJECT file, ULONG block)
{
    PVOID area = NULL;

    EXPECT_OK(
        ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, block, INFINITE, INFINITE, &area));
    EXPECT(area);
    return area;
}

static NTSTATUS
append(PVOID area, const char *text, ULONG flags, CLFS_LSN *lsn)
{
    CLFS_WRITE_ENTRY entry = {.Buffer = (PVOID)(uintptr_t)text, .ByteLength = (ULONG)strlen(text)};

    return ClfsReserveAndAppendLog(area, &entry, 1, NULL, NULL, 0, NULL, flags, lsn);
}

struct world {
    PLOG_FILE_OBJECT file;
    PVOID area;
};

static struct world
begin(void)
{
    struct world world = {.file = opened("log")};

    containers_add(world.file, 2);
    world.area = area_of(world.file, 4096);
    return world;
}

static void
end(struct world *world)
{
    EXPECT_OK(ClfsDeleteMarshallingArea(world->area));
    EXPECT_OK(ClfsCloseLogFileObject(world->file));
}

/* ---- LSNs ---- */

TEST(lsns_are_composed_and_taken_apart) /* CLFS-LSN-01 -02 -03 -11..16 */
{
    static const ULONG containers[] = {0, 1, 77, 0x7FFFFFFF, 0xFFFFFFFE};
    static const ULONG offsets[] = {0, 512, 4096, 0x7FFFFE00, 0xFFFFFE00};
    static const ULONG records[] = {0, 1, 255, 511};

    EACH (container, containers)
        EACH (offset, offsets)
            EACH (record, records) {
                CLFS_LSN lsn = ClfsLsnCreate(*container, *offset, *record);

                EXPECT_EQ(*container, ClfsLsnContainer(&lsn));
                EXPECT_EQ(*offset, ClfsLsnBlockOffset(&lsn));
                EXPECT_EQ(*record, ClfsLsnRecordSequence(&lsn));
                EXPECT(ClfsLsnLess(&lsn, &CLFS_LSN_INVALID));
            }
    CLFS_LSN bad[] = {ClfsLsnCreate(0xFFFFFFFF, 0, 0), ClfsLsnCreate(0, 1, 0),
                      ClfsLsnCreate(0, 511, 0),        ClfsLsnCreate(0, 0, 512),
                      ClfsLsnCreate(3, 513, 4),        ClfsLsnCreate(0, 0, 0xFFFFFFFF)};
    EACH (lsn, bad)
        EXPECT(ClfsLsnInvalid(lsn));
    EXPECT_EQ(0, CLFS_LSN_NULL.Internal);
    EXPECT_EQ((LONGLONG)0xFFFFFFFF00000000, CLFS_LSN_INVALID.Internal);
}

TEST(lsns_are_compared_and_stepped) /* CLFS-LSN-05 -17..22 -27 */
{
    CLFS_LSN a = ClfsLsnCreate(1, 512, 511), b = ClfsLsnCreate(1, 1024, 0);
    CLFS_LSN high = ClfsLsnCreate(0x80000000, 0, 0), edge = ClfsLsnCreate(2, 0xFFFFFE00, 511);
    CLFS_LSN last = {CLFS_LSN_INVALID.Internal - 1}, null = CLFS_LSN_NULL, none = CLFS_LSN_INVALID;
    CLFS_LSN step;

    EXPECT(ClfsLsnLess(&a, &b) && ClfsLsnGreater(&b, &a) && !ClfsLsnLess(&b, &a));
    EXPECT(!ClfsLsnLess(&a, &a) && !ClfsLsnGreater(&a, &a) && ClfsLsnEqual(&a, &a));
    EXPECT(ClfsLsnGreater(&high, &a)); /* unsigned */
    EXPECT(ClfsLsnLess(&CLFS_LSN_NULL, &a) && ClfsLsnGreater(&CLFS_LSN_INVALID, &high));
    EXPECT(ClfsLsnNull(&CLFS_LSN_NULL) && !ClfsLsnNull(&CLFS_LSN_INVALID));
    EXPECT(ClfsLsnInvalid(&CLFS_LSN_INVALID) && !ClfsLsnInvalid(&CLFS_LSN_NULL));
    step = ClfsLsnIncrement(&a); /* carries from record into offset */
    EXPECT(ClfsLsnEqual(&step, &b) && ClfsLsnRecordSequence(&a) == 511);
    step = ClfsLsnIncrement(&edge); /* and into the container */
    EXPECT_EQ(3, ClfsLsnContainer(&step));
    EXPECT_EQ(0, ClfsLsnBlockOffset(&step));
    step = ClfsEarlierLsn(&step);
    EXPECT(ClfsLsnEqual(&step, &edge));
    step = ClfsLaterLsn(&b);
    EXPECT_EQ(b.Internal + 1, step.Internal);
    step = ClfsLsnIncrement(&last);
    EXPECT(ClfsLsnInvalid(&step));
    step = ClfsLsnIncrement(&none);
    EXPECT(ClfsLsnInvalid(&step));
    step = ClfsEarlierLsn(&null);
    EXPECT(ClfsLsnNull(&step));
    step = ClfsEarlierLsn(&none);
    EXPECT(ClfsLsnEqual(&step, &last));
}

TEST(the_distance_of_lsns_is_in_bytes) /* CLFS-LSN-23 -24 -25 */
{
    CLFS_LSN a = ClfsLsnCreate(1, 1024, 5), b = ClfsLsnCreate(3, 512, 7), none = CLFS_LSN_INVALID;
    LONGLONG bytes = -1;

    EXPECT_OK(ClfsLsnDifference(&a, &b, 1 << 20, 4096, &bytes));
    EXPECT_EQ(2 * (1 << 20) - 512 + 4096, bytes);
    EXPECT_OK(ClfsLsnDifference(&a, &a, 1 << 20, 4096, &bytes));
    EXPECT_EQ(0, bytes);
    bytes = 77;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&b, &a, 1 << 20, 4096, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &b, 0, 4096, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &none, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(NULL, &b, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, NULL, 1, 1, &bytes));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsLsnDifference(&a, &b, 1, 1, NULL));
    EXPECT_EQ(77, bytes);
}

/* ---- names ---- */

static NTSTATUS
name_status(const char *name)
{
    UNICODE_STRING text = wide(name);
    PLOG_FILE_OBJECT file = (PLOG_FILE_OBJECT)&text;
    NTSTATUS status = ClfsCreateLogFile(&file, &text, GENERIC_READ | GENERIC_WRITE, 0, NULL,
                                        OPEN_ALWAYS, 0, FILE_ATTRIBUTE_NORMAL, 0, NULL, 0);

    EXPECT(!file == (status != STATUS_SUCCESS));
    return status == STATUS_SUCCESS ? ClfsCloseLogFileObject(file) : status;
}

TEST(names_of_logs_have_a_form) /* CLFS-NAME-01 -02 -03 -06 -07 -10..16 */
{
    UNICODE_STRING odd = wide("log:/x"), longer = odd, loner = wide("log:/xx");
    PLOG_FILE_OBJECT file;

    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status(here("%s", "x")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status("lo:/x"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status("log:"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status("log:::"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status("log:::stream"));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status(here("log:%s::a::b", "x")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status(here("log:%s::a/b", "x")));
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, name_status(here("log:%s/", "")));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, name_status("\\??\\LOG:\\c:\\x"));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, name_status("\\clfs\\Device\\x"));
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, name_status("log:\\??\\c:\\x"));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, name_status("log:q:\\x"));
    EXPECT_STATUS(STATUS_OBJECT_PATH_NOT_FOUND, name_status(here("log:%s/no/x", "")));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, name_status(here("log:%s::", "x")));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, name_status(here("log:%s::stream", "x")));
    EXPECT(access(here("%s.blf", "x"), F_OK) != 0);
    EXPECT_OK(name_status(here("LoG:%s", "x")));
    EXPECT_EQ(0, access(here("%s.blf", "x"), F_OK));
    EXPECT_STATUS(STATUS_LOG_DEDICATED,
                  name_status(here("log:%s::stream", "x"))); /* CLFS-NAME-16 */
    EXPECT_EQ(0, setenv("KTM_DRIVE_Q", test_directory(), 1));
    EXPECT_OK(name_status("log:q:\\by drive"));
    EXPECT_EQ(0, access(here("%s.blf", "by drive"), F_OK));

    odd.Length--;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  ClfsCreateLogFile(&file, &odd, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
    longer.Length += 2; /* beyond MaximumLength */
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateLogFile(&file, &longer, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
    ((uint16_t *)loner.Buffer)[5] = 0xD800; /* half a pair */
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  ClfsCreateLogFile(&file, &loner, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
    ((uint16_t *)loner.Buffer)[5] = 0;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID,
                  ClfsCreateLogFile(&file, &loner, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateLogFile(&file, NULL, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsCreateLogFile(NULL, &odd, 0, 0, NULL, OPEN_ALWAYS, 0, 0, 0, NULL, 0));
}

/* ---- create: flags, rights, sharing ---- */

TEST(flags_of_create_are_checked) /* CLFS-CREATE-09 -13 -20 -21 -22 -26..29 */
{
    static const struct {
        ACCESS_MASK access;
        ULONG share, disposition, options, attributes, flags;
        bool has_context;
        ULONG context_size;
        NTSTATUS status;
    } rows[] = {
        {GENERIC_EXECUTE, 0, 4, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ | 0x40, 0, 4, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 8, 4, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 0, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 2, 0, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0x30, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0x100, 0, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0x2, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0, 0x1, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0, 0x18, 1, 1, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0, 0x10, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0, 0x100, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, 0, 0, 1, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 1, 0, FILE_ATTRIBUTE_READONLY, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 4, 0, FILE_ATTRIBUTE_READONLY, 0, 0, 0, STATUS_INVALID_PARAMETER},
        {GENERIC_READ, 0, 1, 0, FILE_ATTRIBUTE_ARCHIVE, 0, 0, 0, STATUS_NOT_SUPPORTED},
        {GENERIC_READ, 0, 4, 0, FILE_ATTRIBUTE_ARCHIVE, 0, 0, 0, STATUS_NOT_SUPPORTED},
        {GENERIC_READ, 0, 4, 0x28, FILE_ATTRIBUTE_NORMAL, 0x8, 0, 0, STATUS_SUCCESS},
        {GENERIC_ALL, 7, 4, 0x18, 0, 0x100, 1, 4, STATUS_SUCCESS},
        {0x00120089, 7, 3, 0, FILE_ATTRIBUTE_ARCHIVE, 0x20, 0, 0, STATUS_SUCCESS}, /* ignored */
        {GENERIC_READ, 7, 4, 0, FILE_ATTRIBUTE_READONLY, 0x40, 0, 0, STATUS_SUCCESS},
        {GENERIC_WRITE, 7, 3, 0, FILE_ATTRIBUTE_READONLY, 0, 0, 0, STATUS_ACCESS_DENIED},
        {0, 0, 3, 0, 0, 0, 0, 0, STATUS_SUCCESS},
    };
    UNICODE_STRING name = wide(here("log:%s", "log"));
    int context;

    EACH (row, rows) {
        PLOG_FILE_OBJECT file = NULL;
        NTSTATUS status = ClfsCreateLogFile(
            &file, &name, row->access, row->share, NULL, row->disposition, row->options,
            row->attributes, row->flags, row->has_context ? &context : NULL, row->context_size);
        if (status != row->status)
            test_fail(__FILE__, __LINE__, "row %d: %s", (int)(row - rows), status_name(status));
        if (file)
            EXPECT_OK(ClfsCloseLogFileObject(file));
    }
}

TEST(share_modes_are_kept_between_openers) /* CLFS-CREATE-14 -15 -16 -18 */
{
    static const struct {
        ACCESS_MASK first, second;
        ULONG first_share, second_share;
        NTSTATUS status;
    } rows[] = {
        {GENERIC_READ, GENERIC_READ, 0, 7, STATUS_SHARING_VIOLATION},
        {GENERIC_READ, GENERIC_READ, 7, 0, STATUS_SHARING_VIOLATION},
        {GENERIC_READ, GENERIC_READ, 1, 1, STATUS_SUCCESS},
        {GENERIC_READ, GENERIC_WRITE, 1, 7, STATUS_SHARING_VIOLATION},
        {GENERIC_READ, GENERIC_WRITE, 2, 1, STATUS_SUCCESS},
        {GENERIC_WRITE, GENERIC_READ, 7, 1, STATUS_SHARING_VIOLATION},
        {GENERIC_READ, DELETE, 3, 7, STATUS_SHARING_VIOLATION},
        {GENERIC_READ, DELETE, 4, 1, STATUS_SUCCESS},
        {GENERIC_READ | GENERIC_WRITE, 0, 0, 0, STATUS_SUCCESS},
        {0, GENERIC_READ | GENERIC_WRITE, 0, 0, STATUS_SUCCESS},
    };
    PLOG_FILE_OBJECT first, second, third;
    UNICODE_STRING name = wide(here("log:%s", "log"));

    EXPECT_OK(ClfsCloseLogFileObject(opened("log")));
    EACH (row, rows) {
        EXPECT_OK(create(&first, "log", row->first, row->first_share, OPEN_EXISTING, 0));
        EXPECT_STATUS(row->status,
                      create(&second, "log", row->second, row->second_share, OPEN_EXISTING, 0));
        EXPECT(first != second);
        EXPECT_OK(ClfsCreateLogFile(&third, &name, row->second, row->second_share, NULL,
                                    OPEN_EXISTING, 0, 0, CLFS_FLAG_IGNORE_SHARE_ACCESS, NULL, 0));
        EXPECT_OK(ClfsCloseLogFileObject(third));
        EXPECT_OK(ClfsCloseLogFileObject(first));
        if (second)
            EXPECT_OK(ClfsCloseLogFileObject(second));
    }
}

TEST(rights_are_those_of_the_opening) /* CLFS-CREATE-11 -12 CLFS-AREA-15 CLFS-CONT-17 -DELETE-04 */
{
    PLOG_FILE_OBJECT file = opened("log"), reader, writer, nothing;
    ULONGLONG size = 512 << 10;
    UNICODE_STRING path = wide("more");
    PVOID read_area, write_area, area, data, context;
    CLFS_LSN lsn, first;
    LONGLONG bytes = 512;
    ULONG length;

    containers_add(file, 2);
    EXPECT_OK(create(&reader, "log", GENERIC_READ, 7, OPEN_EXISTING, 0));
    EXPECT_OK(create(&writer, "log", GENERIC_WRITE, 7, OPEN_EXISTING, 0));
    EXPECT_OK(create(&nothing, "log", 0, 7, OPEN_EXISTING, 0));
    EXPECT_EQ(2, information(nothing).TotalContainers);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsAddLogContainer(reader, &size, &path));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsDeleteLogByPointer(writer));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  ClfsCreateMarshallingArea(nothing, PagedPool, NULL, NULL, 4096, 1, 1, &area));
    EXPECT(!area); /* CLFS-AREA-17 */
    read_area = area_of(reader, 4096);
    write_area = area_of(writer, 4096);
    EXPECT_OK(append(write_area, "x", CLFS_FLAG_FORCE_FLUSH, &first));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, append(read_area, "x", 0, &lsn));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsFlushBuffers(read_area));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsAdvanceLogBase(read_area, &first, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsAllocReservedLog(read_area, 1, &bytes));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsFreeReservedLog(read_area, 1, &bytes));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  ClfsWriteRestartArea(read_area, "r", 1, NULL, 0, NULL, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  ClfsReadLogRecord(write_area, &first, ClfsContextForward, &data, &length, NULL,
                                    NULL, NULL, &context));
    EXPECT(!context && !data);
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  ClfsReadRestartArea(write_area, &data, &length, &lsn, &context));
    EXPECT_OK(ClfsReadLogRecord(read_area, &first, ClfsContextForward, &data, &length, NULL, NULL,
                                NULL, &context));
    EXPECT_OK(ClfsTerminateReadLog(context));
    EXPECT_OK(ClfsDeleteMarshallingArea(read_area));
    EXPECT_OK(ClfsDeleteMarshallingArea(write_area));
    EXPECT_OK(ClfsCloseLogFileObject(reader));
    EXPECT_OK(ClfsCloseLogFileObject(writer));
    EXPECT_OK(ClfsCloseLogFileObject(nothing));
    EXPECT_OK(ClfsCloseLogFileObject(file));
}

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

/* ---- information ---- */

TEST(information_is_told_by_class) /* CLFS-INFO-01..22 CLFS-BASE-06 -09 CLFS-TYPE-07 */
{
    PLOG_FILE_OBJECT file = opened("log"), readonly;
    CLFS_INFORMATION info = information(file), physical;
    uint8_t buffer[1400];
    CLFS_LOG_NAME_INFORMATION *name = (void *)buffer;
    CLFS_PHYSICAL_LSN_INFORMATION lsn = {.VirtualLsn = {12345}};
    ULONG size, needed, length = (ULONG)strlen(here("%s", "log")) * 2;

    EXPECT(info.TotalContainers == 0 && info.ContainerSize == 0 && info.TotalClients == 1);
    EXPECT(info.BaseLsn.Internal == 0 && info.LastLsn.Internal == 0);
    EXPECT(ClfsLsnInvalid(&info.RestartLsn) && ClfsLsnInvalid(&info.MinArchiveTailLsn));
    EXPECT_EQ(FILE_ATTRIBUTE_DEDICATED, info.Attributes);
    EXPECT(info.SectorSize == 512 && info.FlushThreshold == 40000 && info.BaseFileSize > 0);
    containers_add(file, 3);
    info = information(file);
    EXPECT_EQ(3 * (512 << 10), info.TotalAvailable);
    EXPECT_EQ(512 << 10, info.ContainerSize);
    EXPECT(info.CurrentAvailable > 0 && info.CurrentAvailable < info.TotalAvailable);
    size = sizeof(physical);
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogBasicInformationPhysical, NULL, 0, &physical,
                                          &size));
    EXPECT_BYTES(&info, &physical, sizeof(info)); /* CLFS-INFO-04 */
    size = sizeof(info) - 1;
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, ClfsGetLogFileInformation(file, &info, &size));
    EXPECT_EQ(sizeof(info), size);
    size = 0;
    EXPECT_STATUS(STATUS_BUFFER_TOO_SMALL, ClfsGetLogFileInformation(file, NULL, &size));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsGetLogFileInformation(file, &info, NULL));
    size = 10;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsGetLogFileInformation(file, NULL, &size));
    size = sizeof(buffer);
    EXPECT_STATUS(STATUS_INVALID_INFO_CLASS,
                  ClfsQueryLogFileInformation(file, 6, NULL, 0, buffer, &size));

    EXPECT_OK(
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(length, name->NameLengthInBytes);
    EXPECT_EQ(2 + length, size);
    needed = size;
    size = 20;
    EXPECT_STATUS(
        STATUS_BUFFER_OVERFLOW,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(length, name->NameLengthInBytes);
    EXPECT_EQ(20, size);
    size = 3;
    EXPECT_STATUS(
        STATUS_BUFFER_TOO_SMALL,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalNameInformation, NULL, 0, buffer, &size));
    EXPECT_EQ(needed, size);
    size = 1;
    buffer[0] = 9;
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogStreamIdentifierInformation, NULL, 0, buffer,
                                          &size));
    EXPECT_EQ(0, buffer[0]);
    size = 4;
    EXPECT_OK(
        ClfsQueryLogFileInformation(file, ClfsLogSystemMarkingInformation, NULL, 0, buffer, &size));
    size = sizeof(lsn);
    EXPECT_OK(ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation, &lsn, sizeof(lsn),
                                          &lsn, &size));
    EXPECT_EQ(12345, lsn.PhysicalLsn.Internal);
    EXPECT_STATUS(
        STATUS_INVALID_PARAMETER,
        ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation, NULL, 0, &lsn, &size));
    lsn.StreamIdentifier = 1;
    EXPECT_STATUS(STATUS_NOT_FOUND, ClfsQueryLogFileInformation(file, ClfsLogPhysicalLsnInformation,
                                                                &lsn, sizeof(lsn), &lsn, &size));
    EXPECT_OK(create(&readonly, "log", GENERIC_READ, 7, OPEN_EXISTING, FILE_ATTRIBUTE_READONLY));
    EXPECT_EQ(FILE_ATTRIBUTE_DEDICATED | FILE_ATTRIBUTE_READONLY, information(readonly).Attributes);
    EXPECT_STATUS(STATUS_ACCESS_DENIED, ClfsSetLogFileInformation(readonly, ClfsLogBasicInformation,
                                                                  &info, sizeof(info)));
    EXPECT_OK(ClfsCloseLogFileObject(readonly));
    EXPECT_STATUS(STATUS_INFO_LENGTH_MISMATCH,
                  ClfsSetLogFileInformation(file, ClfsLogBasicInformation, &info, 8));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ClfsSetLogFileInformation(file, ClfsLogPhysicalNameInformation, &info, 8));
    EXPECT_OK(ClfsSetLogFileInformation(file, ClfsLogBasicInformation, &info, sizeof(info)));
    EXPECT_OK(ClfsCloseLogFileObject(file));
}

TEST(statistics_count_and_come_as_a_prefix) /* CLFS-IOST-01..05 */
{
    struct world world = begin();
    CLFS_IO_STATISTICS before = {0}, after;
    CLFS_LSN lsn;
    ULONG written = 0;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsGetIoStatistics(world.file, &before, 15, ClfsIoStatsDefault, &written));
    EXPECT_OK(ClfsGetIoStatistics(world.file, &before, 16, 77, &written));
    EXPECT_EQ(16, written);
    EXPECT(before.hdrIoStats.ubMajorVersion == 1 && before.hdrIoStats.cbLength == 48 &&
           before.hdrIoStats.coffData == 16 && before.cMetaFlush == 0);
    EXPECT_OK(ClfsGetIoStatistics(world.file, &before, sizeof(before), 0, NULL));
    EXPECT_OK(append(world.area, "x", CLFS_FLAG_FORCE_FLUSH, &lsn));
    EXPECT_OK(ClfsWriteRestartArea(world.area, "r", 1, NULL, 0, NULL, NULL));
    EXPECT_OK(ClfsGetIoStatistics(world.file, &after, sizeof(after), 0, NULL));
    EXPECT(after.cFlush == before.cFlush + 2 && after.cbFlush == before.cbFlush + 1024);
    EXPECT(after.cMetaFlush == before.cMetaFlush + 1 && after.cbMetaFlush > before.cbMetaFlush);
    end(&world);
}

/* ---- containers and deletion ---- */

TEST(containers_are_added_by_name) /* CLFS-NAME-17..21 CLFS-CONT-02..05 -11 -14 CLFS-HARD-43 */
{
    PLOG_FILE_OBJECT file = opened("log");
    ULONGLONG size = 1;
    UNICODE_STRING set[2], path = wide("%BLF%\\one"), bad;

    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, NULL, &path));
    size = 0;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, &size, &path));
    size = 600000;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, &size, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainerSet(file, 0, &size, &path));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(NULL, &size, &path));
    EXPECT_OK(ClfsAddLogContainer(file, &size, &path));
    EXPECT_EQ(1 << 20, size);
    EXPECT_EQ(0, access(here("%s", "one"), F_OK));
    path = wide(here("%s", "two"));
    EXPECT_OK(ClfsAddLogContainer(file, NULL, &path));
    EXPECT_EQ(0, access(here("%s", "two"), F_OK));
    path = wide("three");
    size = 1 << 19;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, &size, &path));
    size = 5 << 20;
    EXPECT_OK(ClfsAddLogContainer(file, &size, &path));
    EXPECT_EQ(1 << 20, size);
    EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, ClfsAddLogContainer(file, NULL, &path));
    set[0] = wide("four");
    set[1] = wide("%BLF%/four");
    EXPECT_STATUS(STATUS_DUPLICATE_NAME, ClfsAddLogContainerSet(file, 2, NULL, set));
    set[1] = wide("%BLF%:stream");
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsAddLogContainerSet(file, 2, NULL, set));
    set[1] = wide("..\\five");
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, ClfsAddLogContainerSet(file, 2, NULL, set));
    set[1] = wide("%BLF%\\\\five");
    EXPECT_STATUS(STATUS_OBJECT_PATH_SYNTAX_BAD, ClfsAddLogContainerSet(file, 2, NULL, set));
    EXPECT(access(here("%s", "four"), F_OK) != 0);
    bad = wide("odd");
    bad.Length--;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, NULL, &bad));
    bad.Length += 3;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsAddLogContainer(file, NULL, &bad));
    bad.Length = 0;
    EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, ClfsAddLogContainer(file, NULL, &bad));
    set[1] = wide("five");
    EXPECT_OK(ClfsAddLogContainerSet(file, 2, NULL, set));
    EXPECT_EQ(5, information(file).TotalContainers);
    EXPECT_OK(ClfsCloseLogFileObject(file));
}

TEST(logs_are_deleted_by_pointer_and_by_name) /* CLFS-DELETE-01..06 -09 -10 -13 -14 */
{
    PLOG_FILE_OBJECT file = opened("log"), other;
    UNICODE_STRING name = wide(here("log:%s", "log"));

    containers_add(file, 2);
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, /* 'file' has DELETE, and that is not shared */
                  create(&other, "log", GENERIC_READ, 3, OPEN_EXISTING, 0));
    EXPECT_OK(ClfsDeleteLogByPointer(file));
    EXPECT_OK(ClfsDeleteLogByPointer(file));
    EXPECT_STATUS(STATUS_DELETE_PENDING, create(&other, "log", 0, 7, OPEN_ALWAYS, 0));
    EXPECT_EQ(2, information(file).TotalContainers);
    EXPECT_OK(ClfsCloseLogFileObject(file));
    EXPECT(access(here("%s.blf", "log"), F_OK) && access(here("%s", "container0"), F_OK));

    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, ClfsDeleteLogFile(&name, NULL, 0, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsDeleteLogFile(NULL, NULL, 0, NULL, 0));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, ClfsDeleteLogFile(&name, &name, 0, NULL, 0));
    EXPECT_OK(create(&file, "log", GENERIC_WRITE, 3, OPEN_ALWAYS, 0));
    EXPECT_STATUS(STATUS_SHARING_VIOLATION, ClfsDeleteLogFile(&name, NULL, 0, NULL, 0));
    EXPECT_OK(ClfsCloseLogFileObject(file));
    EXPECT_OK(create(&file, "log", GENERIC_WRITE, 4, OPEN_ALWAYS, 0));
    EXPECT_OK(ClfsDeleteLogFile(&name, NULL, 0, NULL, 0));
    EXPECT_STATUS(STATUS_DELETE_PENDING, create(&other, "log", 0, 7, OPEN_EXISTING, 0));
    EXPECT_OK(ClfsCloseLogFileObject(file));
    EXPECT_STATUS(STATUS_OBJECT_NAME_NOT_FOUND, create(&other, "log", 0, 7, OPEN_EXISTING, 0));
}

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
    struct world world = begin();
    CLFS_LSN lsn = {1}, other;

    EXPECT_OK(append(world.area, "x", CLFS_FLAG_FORCE_FLUSH, &other));
    EXPECT_EQ(0, fflush(NULL));
    if (fork() == 0) { /* a limit on the size of files makes every write fail */
        struct rlimit none = {0, 0};

        signal(SIGXFSZ, SIG_IGN);
        EXPECT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
        PLOG_FILE_OBJECT file;
        EXPECT_STATUS(STATUS_SHARING_VIOLATION, create(&file, "log", 0, 7, OPEN_EXISTING, 0));
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
    end(&world);
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

/* ---- reading ---- */

TEST(arguments_of_reading_are_checked) /* CLFS-READ-06..11 -19 -20 -25 -26 -37 */
{
    struct world world = begin();
    CLFS_LSN first, last, none = CLFS_LSN_INVALID, null = CLFS_LSN_NULL, lsn;
    CLFS_RECORD_TYPE type = ClfsNullRecord;
    PVOID data, context;
    ULONG length;

    EXPECT_OK(append(world.area, "x", 0, &first));
    EXPECT_OK(ClfsGetLastLsn(world.file, &last));
#define TRY_READ(lsn, mode)                                                                        \
    ClfsReadLogRecord(world.area, (lsn), (mode), &data, &length, NULL, NULL, NULL, &context)
    EXPECT_STATUS(STATUS_LOG_READ_MODE_INVALID, TRY_READ(&first, ClfsContextNone));
    EXPECT_STATUS(STATUS_LOG_READ_MODE_INVALID, TRY_READ(&first, 4));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TRY_READ(&none, ClfsContextForward));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, TRY_READ(NULL, ClfsContextForward));
    EXPECT_STATUS(STATUS_END_OF_FILE, TRY_READ(&last, ClfsContextForward));
    EXPECT_STATUS(STATUS_LOG_START_OF_LOG, TRY_READ(&null, ClfsContextForward));
    EXPECT(!context);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, NULL, &length, NULL,
                                    NULL, NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, NULL, NULL, NULL,
                                    NULL, &context));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadLogRecord(world.area, &first, ClfsContextForward, &data, &length, NULL,
                                    NULL, NULL, NULL));
    lsn = first;
    EXPECT_OK(TRY_READ(&lsn, ClfsContextPrevious));
    EXPECT(ClfsLsnEqual(&lsn, &first));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, &data, &length, NULL, NULL, NULL, NULL, NULL));
    type = 0x3F;
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  ClfsReadNextLogRecord(context, NULL, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_STATUS(STATUS_END_OF_FILE,
                  ClfsReadNextLogRecord(context, &data, &length, &type, NULL, NULL, NULL, NULL));
    EXPECT_OK(ClfsTerminateReadLog(context));
    end(&world);
}

/* ---- later tiers ---- */

TEST(what_is_not_here_yet_says_so) /* CLFS-INIT-01..04 CLFS-TRUNC-01 CLFS-ARCH-05 */
{
    struct world world = begin();
    CLFS_SCAN_CONTEXT scan = {0};
    CLFS_LSN lsn = CLFS_LSN_NULL;
    UNICODE_STRING path = wide("container0");

    EXPECT_OK(ClfsInitialize());
    EXPECT_OK(ClfsInitialize());
    ClfsFinalize();
    EXPECT_EQ(FALSE, ClfsValidTopLevelContext(NULL));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsSetEndOfLog(world.file, &lsn));
    EXPECT_STATUS(STATUS_LOG_EPHEMERAL, ClfsSetArchiveTail(world.file, &lsn));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsRemoveLogContainer(world.file, &path, FALSE));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED,
                  ClfsCreateScanContext(world.file, 0, 1, CLFS_SCAN_FORWARD, &scan));
    EXPECT_STATUS(STATUS_NOT_SUPPORTED, ClfsCloseAndResetLogFile(world.file));
    EXPECT_EQ(2, information(world.file).TotalContainers); /* nothing has changed */
    end(&world);
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
