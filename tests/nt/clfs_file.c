/* SPDX-License-Identifier: MIT */
/* Names, opening, sharing, rights, containers, deletion. */
#include "tests/nt/clfs_kit.h"

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
