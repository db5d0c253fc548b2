/* SPDX-License-Identifier: MIT */
/*
 * Directory trees of the operating system, as one table: what the file resource manager needs to
 * change files that belong to others, name by name, below directories it holds open.
 *
 * A name here is one component, never a path; a symbolic link is never followed. "At" is a
 * directory descriptor; TREE_NOWHERE with an absolute path is accepted by 'open' alone. Statuses as
 * everywhere in this room: errno is translated here, EINTR and short transfers are never seen.
 *
 * Promises: every operation on names is one system call, so that it happened or did not; nothing is
 * durable before 'sync' of the file (content, mode, owner) or of the directory (names) succeeded.
 * All of it goes through the C library's functions under their plain names, so that whoever wants
 * to watch, count or fail our changes can put himself in between. Tests stack a layer on the table.
 */
#pragma once

#include "base/bytes.h"

#define TREE_NOWHERE (-1)

enum tree_kind {
    TREE_NOTHING, /* there is no such name */
    TREE_FILE,
    TREE_DIRECTORY,
    TREE_SYMLINK,
    TREE_OTHER, /* device, pipe, socket */
};

struct tree_info {
    enum tree_kind kind;
    uint64_t inode;
    int64_t born;             /* with the inode: who it is, also after a restart; 0: not recorded */
    uint64_t device, mount;   /* while the machine runs */
    uint64_t size;            /* in bytes */
    int64_t written, changed; /* content, inode; nanoseconds since 1970, as 'born' */
    uint32_t mode;            /* permission bits, set-id and sticky bits */
    uint32_t owner, group;
    uint32_t links;
    bool is_mount_root;
    bool is_fixed; /* immutable or append-only: its names and content cannot be changed freely */
};

enum tree_open {
    TREE_OPEN_PATH,      /* whatever it is; good for info, mode_set, owner_set, readlink */
    TREE_OPEN_DIRECTORY, /* for all that needs an "at", list and sync */
    TREE_OPEN_READ,
    TREE_OPEN_WRITE, /* and read */
};

enum tree_rename {
    TREE_KEEP,     /* refuse when the new name exists */
    TREE_EXCHANGE, /* both exist and change places, atomically */
    TREE_REPLACE,  /* what had the new name is gone */
};

struct tree {
    const struct tree_table *table;
};

struct tree_table {
    /* looking */
    NTSTATUS (*open)(struct tree *, int at, const char *name, enum tree_open how, int *fd);
    NTSTATUS (*open_again)(struct tree *, int fd, int *again);
    NTSTATUS (*info)(struct tree *, int at, const char *name, struct tree_info *out);
    NTSTATUS (*readlink)(struct tree *, int at, const char *name, char **text);
    NTSTATUS(*list)
    (struct tree *, int at, void (*each)(void *context, const char *name), void *context);
    NTSTATUS (*read)(struct tree *, int fd, void *into, size_t size, uint64_t offset, size_t *got);
    NTSTATUS(*may_change)
    (struct tree *, int at, const struct tree_info *directory, const struct tree_info *member);
    NTSTATUS(*may_own)
    (struct tree *, const struct tree_info *info, uint32_t owner, uint32_t group);
    NTSTATUS (*may_exchange)(struct tree *, int at, bool *out);
    NTSTATUS (*may_move_directories)(struct tree *, int at, bool *out);
    NTSTATUS (*lock)(struct tree *, int fd);
    NTSTATUS (*current)(struct tree *, char **path);
    size_t (*descriptors)(struct tree *);
    /* changing names */
    NTSTATUS (*link)(struct tree *, int fd, int at, const char *name);
    NTSTATUS(*rename)
    (struct tree *, int from_at, const char *from, int to_at, const char *to, enum tree_rename how);
    NTSTATUS (*unlink)(struct tree *, int at, const char *name);
    NTSTATUS (*directory_make)(struct tree *, int at, const char *name, uint32_t mode);
    NTSTATUS (*directory_remove)(struct tree *, int at, const char *name);
    NTSTATUS (*symlink)(struct tree *, const char *text, int at, const char *name);
    /* changing files */
    NTSTATUS (*file_make)(struct tree *, int at, uint32_t mode, int *fd);
    NTSTATUS (*file_create)(struct tree *, int at, const char *name, uint32_t mode, int *fd);
    NTSTATUS (*write)(struct tree *, int fd, const void *from, size_t size, uint64_t offset);
    NTSTATUS (*allocate)(struct tree *, int fd, uint64_t size);
    NTSTATUS (*truncate)(struct tree *, int fd, uint64_t size);
    NTSTATUS (*copy)(struct tree *, int from, int to, uint64_t offset, uint64_t *size);
    NTSTATUS (*mode_set)(struct tree *, int fd, uint32_t mode);
    NTSTATUS (*owner_set)(struct tree *, int fd, uint32_t owner, uint32_t group);
    NTSTATUS (*attributes_copy)(struct tree *, int from, int to, const char **which);
    NTSTATUS (*times_set)(struct tree *, int fd, int64_t written);
    NTSTATUS (*write_back)(struct tree *, int fd);
    NTSTATUS (*sync)(struct tree *, int fd);
    NTSTATUS (*sync_all)(struct tree *, int fd);
};

/* The real operating system; one object for the process, never destroyed. */
struct tree *tree_linux(void);

/* Lets go of a descriptor; a negative one is nothing. Nothing promised depends on it. */
void tree_close(int fd);
static inline void
owned_tree_fd(int *fd)
{
    tree_close(*fd);
}
#define owned_fd __attribute__((cleanup(owned_tree_fd)))
static inline int
tree_give(int *fd)
{
    int given = *fd;

    *fd = TREE_NOWHERE;
    return given;
}

/* The same thing, whatever its name: inode and birth. */
static inline bool
tree_is_same(const struct tree_info *a, const struct tree_info *b)
{
    return a->kind == b->kind && a->inode == b->inode && a->born == b->born;
}

/* Never inherited. Answers: OBJECT_NAME_NOT_FOUND, OBJECT_PATH_SYNTAX_BAD (a symbolic link, unless
 * TREE_OPEN_PATH), NOT_A_DIRECTORY, FILE_IS_A_DIRECTORY, ACCESS_DENIED, TOO_MANY_OPENED_FILES. */
static inline NTSTATUS must_use
tree_open(struct tree *tree, int at, const char *name, enum tree_open how, int *fd)
{
    return tree->table->open(tree, at, name, how, fd);
}

/* Another descriptor of the same opening, for reading at positions given. */
static inline NTSTATUS must_use
tree_open_again(struct tree *tree, int fd, int *again)
{
    return tree->table->open_again(tree, fd, again);
}

/* "" is 'at' itself. Nothing there is an answer in out->kind, not a failure. */
static inline NTSTATUS must_use
tree_info(struct tree *tree, int at, const char *name, struct tree_info *out)
{
    return tree->table->info(tree, at, name, out);
}

/* Allocates *text. */
static inline NTSTATUS must_use
tree_readlink(struct tree *tree, int at, const char *name, char **text)
{
    return tree->table->readlink(tree, at, name, text);
}

/* Calls 'each' for every name but "." and "..", in no order. */
static inline NTSTATUS must_use
tree_list(struct tree *tree, int at, void (*each)(void *context, const char *name), void *context)
{
    return tree->table->list(tree, at, each, context);
}

/* Reads until 'size' bytes or the end of the file. */
static inline NTSTATUS must_use
tree_read(struct tree *tree, int fd, void *into, size_t size, uint64_t offset, size_t *got)
{
    return tree->table->read(tree, fd, into, size, offset, got);
}

/* Whether this process may add and remove names in the directory and, when 'member' is not NULL,
 * rename or remove that one. Answers: ACCESS_DENIED. */
static inline NTSTATUS must_use
tree_may_change(struct tree *tree, int at, const struct tree_info *directory,
                const struct tree_info *member)
{
    return tree->table->may_change(tree, at, directory, member);
}

/* Whether this process may set the mode of a file like this and give it to this owner and group
 * (UINT32_MAX: as they are). Answers: ACCESS_DENIED. */
static inline NTSTATUS must_use
tree_may_own(struct tree *tree, const struct tree_info *info, uint32_t owner, uint32_t group)
{
    return tree->table->may_own(tree, info, owner, group);
}

/* True where names can be exchanged for certain; elsewhere it has to be tried. */
static inline NTSTATUS must_use
tree_may_exchange(struct tree *tree, int at, bool *out)
{
    return tree->table->may_exchange(tree, at, out);
}

/* False where a directory that existed before may refuse to be renamed (layers of overlayfs). */
static inline NTSTATUS must_use
tree_may_move_directories(struct tree *tree, int at, bool *out)
{
    return tree->table->may_move_directories(tree, at, out);
}

/* An exclusive lock that the kernel drops when the last descriptor of this opening is closed, at
 * the latest with the process. Answers: SHARING_VIOLATION. */
static inline NTSTATUS must_use
tree_lock(struct tree *tree, int fd)
{
    return tree->table->lock(tree, fd);
}

/* The working directory of the process; allocates *path. */
static inline NTSTATUS must_use
tree_current(struct tree *tree, char **path)
{
    return tree->table->current(tree, path);
}

/* How many descriptors this process may have open. */
static inline size_t
tree_descriptors(struct tree *tree)
{
    return tree->table->descriptors(tree);
}

/* Gives an unnamed (or another name of a) file this name. Answers: OBJECT_NAME_COLLISION,
 * NOT_SAME_DEVICE, TOO_MANY_LINKS, DISK_FULL, ACCESS_DENIED. */
static inline NTSTATUS must_use
tree_link(struct tree *tree, int fd, int at, const char *name)
{
    return tree->table->link(tree, fd, at, name);
}

/* Answers: OBJECT_NAME_NOT_FOUND, OBJECT_NAME_COLLISION (TREE_KEEP), NOT_SAME_DEVICE,
 * INVALID_PARAMETER (a directory into itself; or this file system has no such rename),
 * NOT_SUPPORTED, DIRECTORY_NOT_EMPTY, FILE_IS_A_DIRECTORY (TREE_REPLACE), ACCESS_DENIED, DISK_FULL,
 * DEVICE_BUSY (a mount point). */
static inline NTSTATUS must_use
tree_rename(struct tree *tree, int from_at, const char *from, int to_at, const char *to,
            enum tree_rename how)
{
    return tree->table->rename(tree, from_at, from, to_at, to, how);
}

/* Anything but a directory. Answers: OBJECT_NAME_NOT_FOUND, FILE_IS_A_DIRECTORY, ACCESS_DENIED. */
static inline NTSTATUS must_use
tree_unlink(struct tree *tree, int at, const char *name)
{
    return tree->table->unlink(tree, at, name);
}

static inline NTSTATUS must_use
tree_directory_make(struct tree *tree, int at, const char *name, uint32_t mode)
{
    return tree->table->directory_make(tree, at, name, mode);
}

/* Answers: OBJECT_NAME_NOT_FOUND, DIRECTORY_NOT_EMPTY, NOT_A_DIRECTORY, ACCESS_DENIED. */
static inline NTSTATUS must_use
tree_directory_remove(struct tree *tree, int at, const char *name)
{
    return tree->table->directory_remove(tree, at, name);
}

static inline NTSTATUS must_use
tree_symlink(struct tree *tree, const char *text, int at, const char *name)
{
    return tree->table->symlink(tree, text, at, name);
}

/* A file without a name on the file system of 'at', open for reading and writing; 'mode' goes
 * through the umask and the directory's default ACL as for any new file. Gone when closed before it
 * is linked. Answers: NOT_SUPPORTED (this file system has no such files), ACCESS_DENIED, DISK_FULL.
 */
static inline NTSTATUS must_use
tree_file_make(struct tree *tree, int at, uint32_t mode, int *fd)
{
    return tree->table->file_make(tree, at, mode, fd);
}

/* An ordinary new file with a name. Answers: OBJECT_NAME_COLLISION, ACCESS_DENIED, DISK_FULL. */
static inline NTSTATUS must_use
tree_file_create(struct tree *tree, int at, const char *name, uint32_t mode, int *fd)
{
    return tree->table->file_create(tree, at, name, mode, fd);
}

/* Writes all of it. Answers: DISK_FULL, IO_DEVICE_ERROR. */
static inline NTSTATUS must_use
tree_write(struct tree *tree, int fd, const void *from, size_t size, uint64_t offset)
{
    return tree->table->write(tree, fd, from, size, offset);
}

/* Makes sure of the space for 'size' bytes and gives the file that size. Answers: DISK_FULL. */
static inline NTSTATUS must_use
tree_allocate(struct tree *tree, int fd, uint64_t size)
{
    return tree->table->allocate(tree, fd, size);
}

static inline NTSTATUS must_use
tree_truncate(struct tree *tree, int fd, uint64_t size)
{
    return tree->table->truncate(tree, fd, size);
}

/* The whole content of 'from' (of a pipe: what still comes) to the end of 'to', which is 'offset'
 * bytes long: shared extents where the file system has them, a copy otherwise, holes as holes.
 * *size is the new size. */
static inline NTSTATUS must_use
tree_copy(struct tree *tree, int from, int to, uint64_t offset, uint64_t *size)
{
    return tree->table->copy(tree, from, to, offset, size);
}

/* Exact: no umask. Both accept descriptors of TREE_OPEN_PATH. */
static inline NTSTATUS must_use
tree_mode_set(struct tree *tree, int fd, uint32_t mode)
{
    return tree->table->mode_set(tree, fd, mode);
}

/* Clears set-id bits: set the mode afterwards. UINT32_MAX leaves one as it is. */
static inline NTSTATUS must_use
tree_owner_set(struct tree *tree, int fd, uint32_t owner, uint32_t group)
{
    return tree->table->owner_set(tree, fd, owner, group);
}

/* Gives 'to' the extended attributes of 'from', ACLs among them, and takes away ACLs that 'from'
 * does not have. On failure *which names the attribute that could not be kept. */
static inline NTSTATUS must_use
tree_attributes_copy(struct tree *tree, int from, int to, const char **which)
{
    return tree->table->attributes_copy(tree, from, to, which);
}

static inline NTSTATUS must_use
tree_times_set(struct tree *tree, int fd, int64_t written)
{
    return tree->table->times_set(tree, fd, written);
}

/* Starts writing to the disk without waiting, so that a later sync of many files finds most of it
 * done. */
static inline NTSTATUS must_use
tree_write_back(struct tree *tree, int fd)
{
    return tree->table->write_back(tree, fd);
}

/* File: content and attributes; directory: its names. A failed sync stays failed: the caller must
 * not try again on the same file and believe the answer. */
static inline NTSTATUS must_use
tree_sync(struct tree *tree, int fd)
{
    return tree->table->sync(tree, fd);
}

/* The whole file system 'fd' lies on: for what cannot be opened to be synced alone. */
static inline NTSTATUS must_use
tree_sync_all(struct tree *tree, int fd)
{
    return tree->table->sync_all(tree, fd);
}
