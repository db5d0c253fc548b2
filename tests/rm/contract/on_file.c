/* SPDX-License-Identifier: MIT */
/* The contract's view of files: an item is a file. */
#include <sys/stat.h>
#include <unistd.h>

#include "ktm_file.h"
#include "tests/rm/contract/contract.h"

struct files {
    char directory[600];
    struct ktm_file_rm *rm;
};

static void *
create(const char *directory)
{
    static struct files files;

    snprintf(files.directory, sizeof(files.directory), "%s/files", directory);
    EXPECT_EQ(0, mkdir(files.directory, 0700));
    return &files;
}

static void
destroy(void *resource)
{
    (void)resource;
}

static NTSTATUS
open_files(void *resource, HANDLE tm, const char *home, enum ktm_rm_mode mode, uint32_t patience_ms)
{
    struct files *files = resource;
    struct ktm_file_options options = {.mode = mode, .patience_ms = patience_ms};

    return ktm_file_open(tm, home, &options, NULL, 0, &files->rm);
}

static void
close_files(void *resource)
{
    struct files *files = resource;

    ktm_file_shut(files->rm);
}

static struct ktm_rm *
kit(void *resource)
{
    struct files *files = resource;

    return ktm_file_kit(files->rm);
}

static void
path_of(struct files *files, char path[700], unsigned item)
{
    snprintf(path, 700, "%s/%u", files->directory, item);
}

static NTSTATUS
work(void *resource, HANDLE transaction, unsigned item, bool change)
{
    struct files *files = resource;
    struct ktm_file_info info;
    struct ktm_file_tx *tx;
    NTSTATUS status;
    char path[700];

    path_of(files, path, item);
    TRY(ktm_file_begin(files->rm, transaction, &tx));
    if (change)
        status = ktm_file_put(tx, path, 0600, ktm_file_bytes("item", 4));
    else
        status = ktm_file_stat(tx, path, &info) == STATUS_OBJECT_NAME_NOT_FOUND
                     ? STATUS_SUCCESS
                     : STATUS_OBJECT_NAME_COLLISION;
    ktm_file_close(tx);
    return status;
}

static bool
is_there(void *resource, unsigned item)
{
    char path[700];

    path_of(resource, path, item);
    return access(path, F_OK) == 0;
}

/* There is no server; a file system that is away, and what others do to the files, is the matter of
 * rm/file/foreign. */
const struct contract contract_file = {
    .name = "file",
    .at_once = 200,
    .create = create,
    .destroy = destroy,
    .open = open_files,
    .close = close_files,
    .kit = kit,
    .work = work,
    .is_there = is_there,
};
