/* SPDX-License-Identifier: MIT */
/* Short words for tests of the Clfs routines: names, log file objects, areas, appending. */
#pragma once

#include "tests/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "wdm.h"

/* ---- short words ---- */

static inline UNICODE_STRING
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

static inline const char *
here(const char *format, const char *name)
{
    static char texts[8][700];
    static unsigned turn;
    char *text = texts[turn++ % ARRAY_SIZE(texts)], path[600];

    snprintf(path, sizeof(path), "%s/%s", test_directory(), name);
    snprintf(text, sizeof(texts[0]), format, path);
    return text;
}

static inline NTSTATUS
create(PLOG_FILE_OBJECT *file, const char *name, ACCESS_MASK access, ULONG share, ULONG disposition,
       ULONG attributes)
{
    UNICODE_STRING text = wide(here("log:%s", name));

    return ClfsCreateLogFile(file, &text, access, share, NULL, disposition, 0, attributes, 0, NULL,
                             0);
}

static inline PLOG_FILE_OBJECT
opened(const char *name)
{
    PLOG_FILE_OBJECT file = NULL;

    EXPECT_OK(create(&file, name, GENERIC_READ | GENERIC_WRITE | DELETE,
                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_ALWAYS,
                     FILE_ATTRIBUTE_NORMAL));
    EXPECT(file);
    return file;
}

static inline CLFS_INFORMATION
information(PLOG_FILE_OBJECT file)
{
    CLFS_INFORMATION info;
    ULONG size = sizeof(info);

    EXPECT_OK(ClfsGetLogFileInformation(file, &info, &size));
    EXPECT_EQ(sizeof(info), size);
    return info;
}

static inline void
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

static inline PVOID
area_of(PLOG_FILE_OBJECT file, ULONG block)
{
    PVOID area = NULL;

    EXPECT_OK(
        ClfsCreateMarshallingArea(file, PagedPool, NULL, NULL, block, INFINITE, INFINITE, &area));
    EXPECT(area);
    return area;
}

static inline NTSTATUS
append(PVOID area, const char *text, ULONG flags, CLFS_LSN *lsn)
{
    CLFS_WRITE_ENTRY entry = {.Buffer = (PVOID)(uintptr_t)text, .ByteLength = (ULONG)strlen(text)};

    return ClfsReserveAndAppendLog(area, &entry, 1, NULL, NULL, 0, NULL, flags, lsn);
}

struct world {
    PLOG_FILE_OBJECT file;
    PVOID area;
};

static inline struct world
begin(void)
{
    struct world world = {.file = opened("log")};

    containers_add(world.file, 2);
    world.area = area_of(world.file, 4096);
    return world;
}

static inline void
end(struct world *world)
{
    EXPECT_OK(ClfsDeleteMarshallingArea(world->area));
    EXPECT_OK(ClfsCloseLogFileObject(world->file));
}
