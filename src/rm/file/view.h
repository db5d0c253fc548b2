/* SPDX-License-Identifier: MIT */
/*
 * The file system as one transaction sees it: what is on disk, under what its steps have changed.
 *
 * Changes are kept by name. A *directory* of the view is one in which the transaction has touched a
 * name; each touched *name* remembers what it stood for on disk when it was first touched (base)
 * and what it stands for now (now); what a name stands for is a *node*. A step moves nodes between
 * names and changes nothing on disk that anybody else can see; from the difference between base and
 * now the plan is made (plan_make.c). Names that are not touched are looked up on disk.
 *
 * Nodes come from five places:
 *   DISK    was there before; its home is the name it had
 *   STAGED  a new file: content in an unnamed file in its yard
 *   LINK    a new symbolic link: its text
 *   MADE    a new directory that exists in memory only, until prepare; so do its names
 *   COPY    a new directory with everything below, copied into a hidden directory in its yard;
 * below it the disk is looked at as anywhere else A *yard* is the directory on disk beside or above
 * the place a new thing is for: same mount, same quota, same inheritance of ACLs and groups.
 *
 * Invariants: (1) a node has at most one place, and the name there has it as 'now'; (2) a name that
 * is new on disk and gone again stays touched, with NULL and NULL; (3) touching takes the lock on
 * the path before anything else.
 */
#pragma once

#include "base/list.h"
#include "base/explain.h"
#include "rm/file/hash.h"
#include "rm/file/lock.h"
#include "sys/tree.h"

#define FILE_NAME_SIZE_MAX 255
#define HIDDEN_PREFIX      ".ktm."

struct view_dir {
    struct list in_view;
    struct hash_link by_place; /* when on disk: device and inode */
    struct list in_open;       /* while 'fd' is open */
    struct tree_info info;     /* when on disk */
    char *path;                /* when on disk: absolute, without links, as it is on disk */
    struct view_node *maker;   /* the MADE node this is the inside of, else NULL: on disk */
    bool is_private;           /* below a COPY: nobody else can see it */
    bool has_hidden;           /* hidden names were made in it, or are about to be */
    bool is_yard;              /* durably known as one (yards.h), and held by this transaction */
    bool is_changed;           /* hidden names came or went, and were not synced yet */
    int fd;                    /* see view_dir_open */
    struct list names;         /* in the order they were touched */
    struct hash by_text;
    uint32_t plan_index; /* of plan_make.c */
};

struct view_name {
    struct list in_dir;
    struct hash_link by_text;
    struct view_dir *dir;
    struct view_node *base, *now; /* NULL: nothing */
    bool is_used;                 /* a step relied on it: it must not change under us */
    unsigned step;                /* the last one that changed it */
    char text[];
};

enum node_origin { NODE_DISK, NODE_STAGED, NODE_LINK, NODE_MADE, NODE_COPY };

struct view_node {
    struct list in_view;
    enum node_origin origin;
    enum tree_kind kind;
    struct view_name *home;     /* DISK: the name whose base it is */
    struct view_name *place;    /* where it is in the view; NULL: nowhere any more */
    struct tree_info info;      /* DISK: as first seen; COPY: as copied; others: once staged */
    struct view_dir *yard;      /* not DISK */
    struct view_dir *inside;    /* MADE: its names */
    char *text;                 /* LINK: where it points */
    bool sets_mode, sets_owner; /* not STAGED: to be applied */
    uint32_t mode, owner, group;
    bool goes_whole;      /* DISK directory: replaced with all that is in it */
    uint64_t fingerprint; /* of all that is in it, then */
    int fd;               /* STAGED: open content, or TREE_NOWHERE */
    struct list in_open;  /* STAGED with open content */
    bool is_synced;       /* STAGED: content and attributes are durable */
    unsigned number;      /* of its hidden name in the yard; 0: it has none */
    uint32_t plan_index;  /* of plan_make.c */
};

struct view {
    struct tree *tree;
    struct path_locks *locks;
    struct path_owner *owner;
    struct explanation *why;
    char *base; /* where relative paths start */
    struct list dirs, nodes;
    struct hash by_place;
    struct list open_dirs; /* least recently used first */
    size_t open_count;
    unsigned step; /* number of the step under way */
};

/* A directory that a path led to. */
struct view_at {
    struct view_dir *dir;  /* NULL: on disk and not touched */
    int fd;                /* on disk: good for open and info */
    struct tree_info info; /* on disk */
    char *path;            /* on disk */
    bool is_private;
};

/* A name that a path led to. */
struct view_place {
    struct view_at at;
    struct view_name *name; /* NULL: not touched */
    char last[FILE_NAME_SIZE_MAX + 1];
};

/* What a name stands for in the view. */
struct view_seen {
    struct view_node *node; /* NULL: nothing, or on disk and not touched */
    struct tree_info info;  /* of a node that is not on disk: kind, and what is known */
};

void view_init(struct view *view, struct tree *tree, struct path_locks *locks,
               struct path_owner *owner, struct explanation *why);
void view_deinit(struct view *view);
/* Lets go of all descriptors: staged content without a name goes with them. */
void view_close(struct view *view);
/* Absolute path for relative ones to start from; copied. */
NTSTATUS view_base_set(struct view *view, const char *base) must_use;

void view_at_deinit(struct view_at *at);
void view_place_deinit(struct view_place *place);
static inline void
owned_view_at_deinit(struct view_at *at)
{
    view_at_deinit(at);
}
static inline void
owned_view_place_deinit(struct view_place *place)
{
    view_place_deinit(place);
}
#define VIEW_AT_EMPTY                                                                              \
    {                                                                                              \
        .fd = TREE_NOWHERE                                                                         \
    }
#define VIEW_PLACE_EMPTY                                                                           \
    {                                                                                              \
        .at = VIEW_AT_EMPTY                                                                        \
    }

/* Follows the path, symbolic links in the middle included, to the directory that holds its last
 * component. 'apart' (or NULL) must not be that directory or one on the way. Answers:
 * OBJECT_PATH_NOT_FOUND, OBJECT_NAME_INVALID, NAME_TOO_LONG, OBJECT_PATH_SYNTAX_BAD (too many
 * links), ACCESS_DENIED, INVALID_PARAMETER ('apart'). */
NTSTATUS view_find(struct view *view, const char *path, const struct view_node *apart,
                   struct view_place *place) must_use;
/* Whether 'at' is the directory that the node is. */
bool view_at_is(const struct view_at *at, const struct view_node *node);
/* Follows the whole path to a directory. */
NTSTATUS view_enter(struct view *view, const char *path, struct view_at *at) must_use;
NTSTATUS view_look(struct view *view, const struct view_place *place,
                   struct view_seen *seen) must_use;

/* Locks the path, remembers what is on disk, and sets place->name. Answers: as path_lock;
 * FILE_IDENTITY_NOT_PERSISTENT (no birth times here). */
NTSTATUS view_touch(struct view *view, struct view_place *place, bool whole_tree) must_use;
/* NULL: not touched. 'dir' may be NULL. */
struct view_name *view_name_find(const struct view_dir *dir, const char *text);
/* The directory of the view that 'at' is; made known when it is not yet. */
NTSTATUS view_dir_of_at(struct view *view, struct view_at *at, struct view_dir **out) must_use;
/* The inside of a directory node, NULL when nothing in it was touched. */
struct view_dir *view_inside(struct view *view, const struct view_node *node);

/* An open descriptor of a directory on disk, lent: good until VIEW_DIRS_OPEN_MAX others were asked
 * for. Answers: OBJECT_NO_LONGER_EXISTS (somebody moved or replaced it). */
#define VIEW_DIRS_OPEN_MAX 64
NTSTATUS view_dir_open(struct view *view, struct view_dir *dir, int *fd) must_use;
/* Forgets the directories at and below a path on disk that is about to vanish. Nothing in them has
 * changed. */
void view_forget_below(struct view *view, const char *path);
/* The directory on disk for new things meant for 'dir'. */
struct view_dir *view_yard(struct view_dir *dir);

/* A node without a place. */
NTSTATUS view_node_add(struct view *view, enum node_origin origin, enum tree_kind kind,
                       struct view_node **out) must_use;
void view_node_drop(struct view *view, struct view_node *node); /* the same, taken back */
/* The name now stands for the node (NULL: for nothing); what it stood for has no place any more. */
void view_put(struct view *view, struct view_name *name, struct view_node *node);
/* Opens a node on disk where it is on disk. */
NTSTATUS view_node_open(struct view *view, struct view_node *node, enum tree_open how,
                        int *fd) must_use;
/* The hidden name with this number; whether a name is one of that home, and of which transaction.
 */
#define HIDDEN_NAME_SIZE 80
void hidden_name(const struct path_owner *owner, unsigned number, char name[HIDDEN_NAME_SIZE]);
bool hidden_name_parse(const char *name, uint64_t home, GUID *transaction);

/* Calls 'each' for every name the view has in the directory; stops at the first failure of 'each'.
 */
typedef NTSTATUS view_each_name(void *context, const char *name);
NTSTATUS view_list(struct view *view, struct view_at *at, view_each_name *each,
                   void *context) must_use;
