/* SPDX-License-Identifier: MIT */
/* The functions of ktm_file.h: steps and reads, each under the lock of its transaction. */
#include <stdlib.h>
#include <string.h>

#include "rm/file/rm.h"

/* Runs one call of the work under the lock. */
#define UNDER_LOCK(tx, call)                                                                       \
    ({                                                                                             \
        NTSTATUS locked_status_ = file_rm_check((tx)->rm);                                         \
        if (locked_status_ == STATUS_SUCCESS) {                                                    \
            sys_mutex_lock(&(tx)->mutex);                                                          \
            locked_status_ = (call);                                                               \
            sys_mutex_unlock(&(tx)->mutex);                                                        \
        }                                                                                          \
        locked_status_;                                                                            \
    })

/* ---- content ---- */

typedef NTSTATUS use_content(struct work *work, const char *path, uint32_t mode,
                             const struct content *content);

static NTSTATUS
put(struct work *work, const char *path, uint32_t mode, const struct content *content)
{
    return work_put(work, path, mode, content);
}

static NTSTATUS
append(struct work *work, const char *path, uint32_t mode, const struct content *content)
{
    (void)mode;
    return work_append(work, path, content);
}

static NTSTATUS
with_content(struct ktm_file_tx *tx, const char *path, uint32_t mode,
             const struct ktm_file_content *from, use_content *use)
{
    owned_fd int opened = TREE_NOWHERE;
    struct content content = {.at = from->data,
                              .size = from->size,
                              .fd = from->fd,
                              .read = from->read,
                              .context = from->context};

    explain_nothing(&tx->work->why);
    if (from->path) {
        TRY(work_open_source(tx->work, from->path, &opened));
        content.fd = opened;
    }
    return use(tx->work, path, mode, &content);
}

NTSTATUS
ktm_file_put(struct ktm_file_tx *tx, const char *path, uint32_t mode,
             struct ktm_file_content content)
{
    return UNDER_LOCK(tx, with_content(tx, path, mode, &content, put));
}

NTSTATUS
ktm_file_append(struct ktm_file_tx *tx, const char *path, struct ktm_file_content content)
{
    return UNDER_LOCK(tx, with_content(tx, path, MODE_KEEP, &content, append));
}

static_assert(KTM_FILE_MODE_KEEP == MODE_KEEP, "one value");

/* ---- names ---- */

NTSTATUS
ktm_file_delete(struct ktm_file_tx *tx, const char *path)
{
    return UNDER_LOCK(tx, work_delete(tx->work, path));
}

NTSTATUS
ktm_file_mkdir(struct ktm_file_tx *tx, const char *path, uint32_t mode)
{
    return UNDER_LOCK(tx, work_make_directory(tx->work, path, mode));
}

NTSTATUS
ktm_file_rmdir(struct ktm_file_tx *tx, const char *path)
{
    return UNDER_LOCK(tx, work_remove_directory(tx->work, path));
}

NTSTATUS
ktm_file_rename(struct ktm_file_tx *tx, const char *from, const char *to, unsigned flags)
{
    if (flags & ~KTM_FILE_REPLACE)
        return status_raise(STATUS_INVALID_PARAMETER);
    return UNDER_LOCK(tx, work_rename(tx->work, from, to, flags & KTM_FILE_REPLACE));
}

NTSTATUS
ktm_file_symlink(struct ktm_file_tx *tx, const char *path, const char *target)
{
    return UNDER_LOCK(tx, work_symlink(tx->work, path, target));
}

NTSTATUS
ktm_file_chmod(struct ktm_file_tx *tx, const char *path, uint32_t mode)
{
    return UNDER_LOCK(tx, work_chmod(tx->work, path, mode));
}

NTSTATUS
ktm_file_chown(struct ktm_file_tx *tx, const char *path, uint32_t owner, uint32_t group)
{
    return UNDER_LOCK(tx, work_chown(tx->work, path, owner, group));
}

NTSTATUS
ktm_file_tree(struct ktm_file_tx *tx, const char *to, const char *from)
{
    return UNDER_LOCK(tx, work_tree(tx->work, to, from));
}

/* ---- preconditions ---- */

NTSTATUS
ktm_file_expect_absent(struct ktm_file_tx *tx, const char *path)
{
    return UNDER_LOCK(tx, work_expect_absent(tx->work, path));
}

NTSTATUS
ktm_file_expect_exists(struct ktm_file_tx *tx, const char *path)
{
    return UNDER_LOCK(tx, work_expect_exists(tx->work, path));
}

NTSTATUS
ktm_file_expect_sha256(struct ktm_file_tx *tx, const char *path, const uint8_t digest[32])
{
    return UNDER_LOCK(tx, work_expect_sha256(tx->work, path, digest));
}

/* ---- reads ---- */

NTSTATUS
ktm_file_stat(struct ktm_file_tx *tx, const char *path, struct ktm_file_info *out)
{
    struct tree_info info;
    NTSTATUS status = UNDER_LOCK(tx, work_stat(tx->work, path, &info));

    TRY(status);
    *out = (struct ktm_file_info){.kind = (enum ktm_file_kind)info.kind,
                                  .size = info.size,
                                  .mode = info.mode,
                                  .owner = info.owner,
                                  .group = info.group,
                                  .links = info.links,
                                  .written = info.written};
    return STATUS_SUCCESS;
}

static_assert((int)KTM_FILE_FILE == (int)TREE_FILE &&
                  (int)KTM_FILE_DIRECTORY == (int)TREE_DIRECTORY &&
                  (int)KTM_FILE_SYMLINK == (int)TREE_SYMLINK &&
                  (int)KTM_FILE_OTHER == (int)TREE_OTHER,
              "kinds are told as they are");

NTSTATUS
ktm_file_read(struct ktm_file_tx *tx, const char *path, uint64_t offset, void *into, size_t size,
              size_t *got)
{
    return UNDER_LOCK(tx, work_read(tx->work, path, offset, into, size, got));
}

NTSTATUS
ktm_file_readlink(struct ktm_file_tx *tx, const char *path, char **text)
{
    return UNDER_LOCK(tx, work_readlink(tx->work, path, text));
}

NTSTATUS
ktm_file_list(struct ktm_file_tx *tx, const char *path, ktm_file_each *each, void *context)
{
    return UNDER_LOCK(tx, work_list(tx->work, path, each, context));
}
