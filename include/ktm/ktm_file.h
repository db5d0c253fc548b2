/* SPDX-License-Identifier: MIT */
/*
 * Files in transactions: many changes to files and directories happen together or not at all,
 * whatever dies in between.
 *
 *     ktm_file_open(NULL, "/var/lib/my", NULL, why, sizeof(why), &rm);
 *     ktm_file_begin(rm, NULL, &tx);
 *     ktm_file_put(tx, "/etc/app/app.conf", KTM_FILE_MODE_KEEP, ktm_file_bytes(text, size));
 *     ktm_file_delete(tx, "/etc/app/old.conf");
 *     ktm_file_commit(tx);
 *     ktm_file_close(tx);
 *
 * Steps are ordered, and each sees what those before it have done; so do the reads. Nobody else
 * sees anything before the commit. A step that is refused changes nothing, and the transaction can
 * go on or be rolled back. Each status comes with a sentence that names step and path
 * (ktm_file_error).
 *
 * How it works: new content is written to unnamed files beside its target. At prepare it is made
 * durable under hidden names '.ktm.<transaction>.…', and an intent, kept by the transaction manager
 * or in the home, says what shall become of each name. The commit exchanges names, so a name that
 * exists before and after is never missing, and is done again from wherever it was interrupted.
 * Owner, mode, ACLs and extended attributes of a replaced file are kept; its inode is not, and
 * whoever has the old file open keeps the old content.
 *
 * When a commit returns, the new names and content are durable. That hidden names are gone is not:
 * a power cut may bring some back, and the next ktm_file_open of the home removes them.
 *
 * Other programs: two transactions of one home never change one path at a time; the second is
 * refused with TRANSACTIONAL_CONFLICT. What a program without transactions changes before the vote
 * makes the transaction abort; what it changes after the vote is kept as
 * '<name>.ktm-conflict.<id>', and told (ktm_file_conflict).
 *
 * Refused, with the reason in words: replacing a file with hard links; a symbolic link as last
 * component of a path (name what it leads to); a rename from one mount to another; file systems
 * without unnamed files, exchanges of names or birth times (ext4, xfs, btrfs and tmpfs have them).
 *
 * Threads: any; calls for one transaction wait for one another. Paths are UTF-8 or any other bytes,
 * absolute or relative to the working directory at ktm_file_begin. A forked child has no part in
 * its parent's changes: there every call answers RM_NOT_ACTIVE, and closing does nothing.
 */
#pragma once

#include "ktm_rm.h"
#include "ktmbase.h"

#include <sys/types.h>

EXTERN_C_START

struct ktm_file_rm; /* the file resource manager of a home */
struct ktm_file_tx; /* its part of one transaction */

/* ---- the resource manager ---------------------------------------------------------------------
 */

struct ktm_file_options {
    enum ktm_rm_mode mode; /* who does the work of prepare, commit and rollback: ktm_rm.h */
    uint32_t patience_ms;  /* how long a commit that is not possible (a full disk) is tried again
                              before  the transaction ends without it; it is then done by the next
                              ktm_file_open. UINT32_MAX: for ever */
    BOOLEAN is_logged;     /* every transaction is decided in the log of the transaction manager,
                              where `ktm log` and the clock see it. Else one that only replaces,
                              makes, removes or renames one file, and in which nobody else takes
                              part, is decided by that rename alone, at half the forces */
};

/* Opens the home and finishes what a crash has left there. 'tm' NULL: with the transaction manager
 * of the home (ktm_tm_open); else a handle of a durable one, which must live longer. 'options'
 * NULL: KTM_RM_CALLBACKS, no patience. On failure a sentence is written to 'why' (NULL: not
 * wanted). Answers: SHARING_VIOLATION (another process has the home), RM_METADATA_CORRUPT, those of
 * ktm_tm_open and ktm_rm_open, OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, DISK_FULL, NOT_SUPPORTED. */
KTM_API NTSTATUS ktm_file_open(HANDLE tm, const char *home, const struct ktm_file_options *options,
                               char *why, size_t why_size, struct ktm_file_rm **out);
/* After all transactions are closed. What is not committed is rolled back. NULL: nothing. */
KTM_API void ktm_file_shut(struct ktm_file_rm *rm);

/* Files take part in a transaction of ktm_begin (ktm.h), whose home keeps the resource manager. The
 * same object each time; it ends with the transaction: not to be closed. Answers: those of
 * ktm_file_open and ktm_file_begin; ktm_error says why. */
struct ktm_tx;
KTM_API NTSTATUS ktm_files(struct ktm_tx *tx, struct ktm_file_tx **out);

KTM_API HANDLE ktm_file_tm(struct ktm_file_rm *rm);          /* not to be closed */
KTM_API struct ktm_rm *ktm_file_kit(struct ktm_file_rm *rm); /* for ktm_rm_run and its like */

/* ---- transactions -----------------------------------------------------------------------------
 */

/* Takes part in a transaction: in 'transaction', a handle with TRANSACTION_ENLIST and
 * _QUERY_INFORMATION, or, when that is NULL, in a new one of its own. A second call for the same
 * transaction gives the same object once more. Answers: TRANSACTION_NOT_ACTIVE, RM_NOT_ACTIVE,
 * those of NtCreateTransaction and NtCreateEnlistment. */
KTM_API NTSTATUS ktm_file_begin(struct ktm_file_rm *rm, HANDLE transaction,
                                struct ktm_file_tx **out);
/* One holder less. The last one rolls a transaction of its own back, unless it was committed. What
 * belongs to a transaction of somebody else goes on, and ends, with that. NULL: nothing. */
KTM_API void ktm_file_close(struct ktm_file_tx *tx);
/* The handle given to, or made by, ktm_file_begin; not to be closed. */
KTM_API HANDLE ktm_file_transaction(struct ktm_file_tx *tx);
KTM_API void ktm_file_id(struct ktm_file_tx *tx, GUID *transaction);

/* NtCommitTransaction and NtRollbackTransaction, waiting. COMMITTED with something unfinished is
 * still SUCCESS: look at ktm_file_state. Answers: TRANSACTION_ALREADY_ABORTED (with the reason in
 * ktm_file_error), and those of the two. */
KTM_API NTSTATUS ktm_file_commit(struct ktm_file_tx *tx);
KTM_API NTSTATUS ktm_file_rollback(struct ktm_file_tx *tx);

/* ---- content ----------------------------------------------------------------------------------
 */

typedef NTSTATUS ktm_file_reader(void *context, void *into, size_t size, size_t *got);

/* Where content comes from; made by the functions below. */
struct ktm_file_content {
    const void *data;
    size_t size;
    const char *path;
    int fd;
    ktm_file_reader *read;
    void *context;
};

static inline struct ktm_file_content
ktm_file_bytes(const void *data, size_t size)
{
    struct ktm_file_content content = {data, size, NULL, -1, NULL, NULL};
    return content;
}

/* The file as this transaction sees it; symbolic links are followed. */
static inline struct ktm_file_content
ktm_file_from(const char *path)
{
    struct ktm_file_content content = {NULL, 0, path, -1, NULL, NULL};
    return content;
}

/* All of an open file; of a pipe what still comes. */
static inline struct ktm_file_content
ktm_file_from_fd(int fd)
{
    struct ktm_file_content content = {NULL, 0, NULL, fd, NULL, NULL};
    return content;
}

/* What 'read' gives, until it gives 0 bytes or fails. */
static inline struct ktm_file_content
ktm_file_from_reader(ktm_file_reader *read, void *context)
{
    struct ktm_file_content content = {NULL, 0, NULL, -1, read, context};
    return content;
}

/* ---- steps ------------------------------------------------------------------------------------
 */
/* All answer TRANSACTION_NOT_ACTIVE when the transaction is over or being committed,
 * TRANSACTIONAL_CONFLICT when another transaction changes the path, OBJECT_PATH_NOT_FOUND,
 * OBJECT_NAME_INVALID, NAME_TOO_LONG, ACCESS_DENIED, NOT_SUPPORTED, DISK_FULL, IO_DEVICE_ERROR,
 * INSUFFICIENT_RESOURCES, TOO_MANY_OPENED_FILES; and what is said at each. */

#define KTM_FILE_MODE_KEEP                                                                         \
    UINT32_MAX /* as the replaced file has it; for a new one after the umask */

/* Makes or replaces a file. An explicit mode is exact. Answers: FILE_IS_A_DIRECTORY,
 * OBJECT_TYPE_MISMATCH, TOO_MANY_LINKS. */
KTM_API NTSTATUS ktm_file_put(struct ktm_file_tx *tx, const char *path, uint32_t mode,
                              struct ktm_file_content content);
/* Adds to the end of a file; makes it when it is missing. Answers as ktm_file_put. */
KTM_API NTSTATUS ktm_file_append(struct ktm_file_tx *tx, const char *path,
                                 struct ktm_file_content content);
/* Answers: OBJECT_NAME_NOT_FOUND, FILE_IS_A_DIRECTORY. */
KTM_API NTSTATUS ktm_file_delete(struct ktm_file_tx *tx, const char *path);
/* Answers: OBJECT_NAME_COLLISION. */
KTM_API NTSTATUS ktm_file_mkdir(struct ktm_file_tx *tx, const char *path, uint32_t mode);
/* Answers: OBJECT_NAME_NOT_FOUND, NOT_A_DIRECTORY, DIRECTORY_NOT_EMPTY. */
KTM_API NTSTATUS ktm_file_rmdir(struct ktm_file_tx *tx, const char *path);
/* Also directories. With KTM_FILE_REPLACE a file may take the place of a file. Answers:
 * OBJECT_NAME_NOT_FOUND, OBJECT_NAME_COLLISION, NOT_SAME_DEVICE, INVALID_PARAMETER (into itself).
 */
#define KTM_FILE_REPLACE 1u
KTM_API NTSTATUS ktm_file_rename(struct ktm_file_tx *tx, const char *from, const char *to,
                                 unsigned flags);
/* Answers: OBJECT_NAME_COLLISION. */
KTM_API NTSTATUS ktm_file_symlink(struct ktm_file_tx *tx, const char *path, const char *target);
/* Answers: OBJECT_NAME_NOT_FOUND, OBJECT_TYPE_MISMATCH (a symbolic link has no mode). */
KTM_API NTSTATUS ktm_file_chmod(struct ktm_file_tx *tx, const char *path, uint32_t mode);
/* UINT32_MAX leaves one as it is. Answers: OBJECT_NAME_NOT_FOUND. */
KTM_API NTSTATUS ktm_file_chown(struct ktm_file_tx *tx, const char *path, uint32_t owner,
                                uint32_t group);
/* Puts a copy of the directory 'from' in the place of the directory 'to', or where nothing is, with
 * one exchange: whoever looks sees all of the old tree or all of the new one. Answers:
 * NOT_A_DIRECTORY, INVALID_PARAMETER (one inside the other), TRANSACTIONAL_CONFLICT (this
 * transaction has changed something in one of them before). */
KTM_API NTSTATUS ktm_file_tree(struct ktm_file_tx *tx, const char *to, const char *from);

/* Preconditions: hold now, and are looked at again at prepare. Answers: OBJECT_NAME_COLLISION (it
 * is there), OBJECT_NAME_NOT_FOUND (it is not), TRANSACTIONAL_CONFLICT (other content). */
KTM_API NTSTATUS ktm_file_expect_absent(struct ktm_file_tx *tx, const char *path);
KTM_API NTSTATUS ktm_file_expect_exists(struct ktm_file_tx *tx, const char *path);
KTM_API NTSTATUS ktm_file_expect_sha256(struct ktm_file_tx *tx, const char *path,
                                        const uint8_t digest[32]);

/* ---- reads ------------------------------------------------------------------------------------
 */

enum ktm_file_kind { KTM_FILE_FILE = 1, KTM_FILE_DIRECTORY, KTM_FILE_SYMLINK, KTM_FILE_OTHER };

struct ktm_file_info {
    enum ktm_file_kind kind;
    uint64_t size;
    uint32_t mode, owner, group, links;
    int64_t written; /* nanoseconds since 1970; 0: not on disk yet */
};

/* Answers of all: OBJECT_NAME_NOT_FOUND. */
KTM_API NTSTATUS ktm_file_stat(struct ktm_file_tx *tx, const char *path, struct ktm_file_info *out);
/* Reads until 'size' bytes or the end; '*got' tells how many came. */
KTM_API NTSTATUS ktm_file_read(struct ktm_file_tx *tx, const char *path, uint64_t offset,
                               void *into, size_t size, size_t *got);
/* '*text' is to be freed. */
KTM_API NTSTATUS ktm_file_readlink(struct ktm_file_tx *tx, const char *path, char **text);
/* Calls 'each' for every name in a directory, in no order, until it fails; it must not use 'tx'. */
typedef NTSTATUS ktm_file_each(void *context, const char *name);
KTM_API NTSTATUS ktm_file_list(struct ktm_file_tx *tx, const char *path, ktm_file_each *each,
                               void *context);

/* ---- what became of it ------------------------------------------------------------------------
 */

enum ktm_file_state {
    KTM_FILE_ACTIVE,
    KTM_FILE_PREPARED, /* promised; with the transaction committed: not finished, see
                          ktm_file_error, and open the home again when the cause is removed */
    KTM_FILE_COMMITTED,
    KTM_FILE_ROLLED_BACK,
};
KTM_API enum ktm_file_state ktm_file_state(struct ktm_file_tx *tx);

/* The sentence that belongs to the last refusal: what happened, to which path, what to do. Copies
 * as much as fits, with a NUL, and returns its full length; 0: nothing was refused. */
KTM_API size_t ktm_file_error(struct ktm_file_tx *tx, char *into, size_t size);

enum ktm_file_conflict_kind {
    KTM_FILE_KEPT = 1, /* somebody else's file was in the way; it has the name 'kept_as' now */
    KTM_FILE_TAKEN,    /* somebody had replaced what was to be renamed; theirs was renamed */
    KTM_FILE_GONE,     /* somebody had removed what was to be replaced, renamed or changed */
};

struct ktm_file_conflict {
    enum ktm_file_conflict_kind kind;
    const char *path;
    const char *kept_as; /* NULL but for KTM_FILE_KEPT */
};

/* What other programs did between prepare and commit. 'index' from 0; the texts live as long as the
 * object. Answers: NO_MORE_ENTRIES. */
KTM_API NTSTATUS ktm_file_conflict(struct ktm_file_tx *tx, size_t index,
                                   struct ktm_file_conflict *out);

/* What ktm_file_open found left by earlier runs: one call for each transaction; and one with no
 * transaction (all zero) when hidden names could not be removed, which the next open tries again.
 */
struct ktm_file_report {
    GUID transaction;
    enum ktm_file_state state; /* PREPARED: its outcome is not known yet, or was not possible */
    const char *error;         /* why it was not possible; "": it was */
    const struct ktm_file_conflict *conflicts;
    size_t conflict_count;
};
typedef void ktm_file_each_report(void *context, const struct ktm_file_report *report);
KTM_API void ktm_file_recovered(struct ktm_file_rm *rm, ktm_file_each_report *each, void *context);

EXTERN_C_END
