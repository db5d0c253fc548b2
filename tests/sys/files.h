/* SPDX-License-Identifier: MIT */
/* Short words for tests that handle files of any 'struct sys'. */
#pragma once

#include "tests/test.h"

#include "sys/sys.h"

#define RW  (SYS_READ | SYS_WRITE)
#define NEW (SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE)

static inline struct sys_file *
opened(struct sys *sys, const char *path, unsigned flags)
{
    struct sys_file *file = NULL;

    EXPECT_OK(sys_file_open(sys, path, flags, &file));
    return file;
}

/* The status an open has; whatever it opens is closed. */
static inline NTSTATUS
open_status(struct sys *sys, const char *path, unsigned flags)
{
    struct sys_file *file = NULL;
    NTSTATUS status = sys_file_open(sys, path, flags, &file);

    EXPECT(!file == (status != STATUS_SUCCESS));
    sys_file_close(file);
    return status;
}

static inline NTSTATUS
put(struct sys_file *file, const char *text, uint64_t offset)
{
    struct bytes part = bytes_of(text, strlen(text));

    return sys_file_write(file, &part, 1, offset);
}

/* Writes 'size' bytes of the value 'byte'. */
static inline NTSTATUS
fill(struct sys_file *file, char byte, size_t size, uint64_t offset)
{
    uint8_t *data = malloc(size + 1);
    struct bytes part = bytes_of(memset(data, byte, size), size);
    NTSTATUS status = sys_file_write(file, &part, 1, offset);

    free(data);
    return status;
}

static inline uint64_t
size_of(struct sys_file *file)
{
    struct sys_info info;

    EXPECT_OK(sys_file_info(file, &info));
    return info.size;
}

/* What is read at 'offset', as text; up to 4095 bytes, the same buffer at each call. */
static inline const char *
text_at(struct sys_file *file, uint64_t offset, size_t size)
{
    static char text[4096];
    size_t got;

    EXPECT(size < sizeof(text));
    EXPECT_OK(sys_file_read(file, text, size, offset, &got));
    text[got] = '\0';
    return text;
}

/* The first byte of each of the first 'count' sectors, as text; '.' for zero, '?' for a sector
 * whose bytes differ. */
static inline const char *
sectors(struct sys_file *file, size_t count)
{
    static char text[256];
    uint8_t sector[512];
    size_t got, i;

    EXPECT(count < sizeof(text));
    for (i = 0; i < count; i++) {
        EXPECT_OK(sys_file_read(file, sector, sizeof(sector), 512 * i, &got));
        if (got == 0)
            break;
        text[i] = sector[0] ? (char)sector[0] : '.';
        for (size_t k = 1; k < got; k++)
            if (sector[k] != sector[0])
                text[i] = '?';
    }
    text[i] = '\0';
    return text;
}

static inline void
make(struct sys *sys, const char *path, const char *text)
{
    owned(sys_file_close) struct sys_file *file = opened(sys, path, NEW);

    EXPECT_OK(put(file, text, 0));
}

/* The text of a small file. */
static inline const char *
content(struct sys *sys, const char *path)
{
    owned(sys_file_close) struct sys_file *file = opened(sys, path, SYS_READ);

    return text_at(file, 0, 4095);
}
