/* SPDX-License-Identifier: MIT */
/*
 * A new log comes into being whole or not at all [CLFS-CREATE-31]: the base file is made under
 * '<path>.blf.new', locked, written and forced; then it gets its name and the directory is forced.
 * The lock is taken before the name, so nobody can open the log before its creator.
 */
#include "clfs/create.h"

#include <stdio.h>
#include <stdlib.h>

/* A file at the draft's name whose lock is free was left by a crash: it is removed, if it begins
 * like an unfinished base file. Answers: SHARING_VIOLATION (somebody is creating the log right
 * now), OBJECT_NAME_COLLISION (a foreign file). */
static NTSTATUS
stale_remove(struct sys *sys, const char *draft)
{
    owned(sys_file_close) struct sys_file *old = NULL;
    uint8_t head[BASE_HEADER_SIZE] = {0};
    size_t got = 0;

    TRY(sys_file_open(sys, draft, SYS_READ | SYS_WRITE, &old));
    TRY(sys_file_lock(old));
    TRY(sys_file_read(old, head, sizeof(head), 0, &got));
    if (!base_is_draft(bytes_of(head, sizeof(head))))
        return status_raise(STATUS_OBJECT_NAME_COLLISION);
    return sys_unlink(sys, draft);
}

static NTSTATUS
draft_open(struct sys *sys, const char *draft, struct sys_file **out)
{
    unsigned flags = SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE;
    NTSTATUS status = sys_file_open(sys, draft, flags, out);

    if (status != STATUS_OBJECT_NAME_COLLISION)
        return status;
    TRY(stale_remove(sys, draft));
    return sys_file_open(sys, draft, flags, out);
}

static void
identity_make(struct sys *sys, GUID *identity)
{
    uint8_t random[16];

    sys_random(sys, random, sizeof(random));
    guid_from_random(random, identity); /* [CLFS-INFO-20] */
}

/* Both copies, with the generations 1 and 2. */
static NTSTATUS
draft_fill(struct sys *sys, struct sys_file *file, uint32_t sector_size)
{
    struct base_image image = {.generation = 1,
                               .sector_size = sector_size,
                               .next_physical_id = 1,
                               .epoch = 1,
                               .is_clean = true,
                               .last_block = CLFS_LSN_NONE,
                               .restart = CLFS_LSN_NONE};
    uint8_t copy[BASE_HEADER_SIZE + BASE_ENTRY_SIZE];
    struct bytes part = bytes_of(copy, sizeof(copy));

    CHECK(base_image_size(&image) == sizeof(copy));
    identity_make(sys, &image.identity);
    TRY(sys_file_allocate(file, BASE_FILE_SIZE));
    for (; image.generation <= 2; image.generation++) {
        base_image_encode(&image, copy);
        TRY(sys_file_write(file, &part, 1, (image.generation - 1) * BASE_COPY_SIZE));
    }
    return sys_file_sync(file);
}

static NTSTATUS
draft_publish(struct sys *sys, const char *draft, const char *path, const char *directory)
{
    NTSTATUS status = sys_rename(sys, draft, path, false);

    if (status != STATUS_SUCCESS)
        return status;
    status = sys_directory_sync(sys, directory);
    if (status != STATUS_SUCCESS)
        (void)!sys_unlink(sys, path);
    return status;
}

NTSTATUS
base_file_create(struct sys *sys, const char *path, const char *directory, uint32_t sector_size,
                 struct sys_file **out)
{
    owned(sys_file_close) struct sys_file *file = NULL;
    char *draft;
    NTSTATUS status;

    if (asprintf(&draft, "%s.new", path) < 0)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = draft_open(sys, draft, &file);
    if (status == STATUS_SUCCESS) {
        status = sys_file_lock(file);
        if (status == STATUS_SUCCESS) {
            status = draft_fill(sys, file, sector_size);
            if (status == STATUS_SUCCESS)
                status = draft_publish(sys, draft, path, directory);
            if (status != STATUS_SUCCESS)
                (void)!sys_unlink(sys, draft); /* [CLFS-CREATE-37] */
        }
    }
    free(draft);
    TRY(status);
    *out = give(file);
    return STATUS_SUCCESS;
}
