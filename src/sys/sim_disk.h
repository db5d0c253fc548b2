/* SPDX-License-Identifier: MIT */
/*
 * Inside the simulated machine: its disk. Private to sim.c and
 * sim_machine.c (the machine), sim_disk.c (the whole), sim_content.c (files) and sim_names.c
 * (directories).
 *
 * Every thing on the disk has two sides, *seen* and *stored*, and a list of what lies in between,
 * *unsynced*, each with the number of the operation that made it ('when').
 *
 * Invariants: (1) the last unsynced version of a sector or a size is the one that is seen;
 *             (2) bytes behind the end of a file as it is seen are seen as zeros;
 *             (3) unsynced name changes applied in order to the stored names give the seen ones.
 */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "sys/sim.h"

#define SIM_SECTOR_SIZE 512u
#define SIM_FILE_MAX    (UINT64_C(1) << 40)
#define SIM_NAME_MAX    255u
#define SIM_PATH_MAX    4095u

/* Memory of the simulation: zeroed, never refused. Freed with free. */
void *sim_allocate(size_t size);
/* Moves an array that is full to one of twice the room; *room in elements. */
void *sim_grow(void *array, size_t count, size_t *room, size_t element_size);
char *sim_text(const char *text);

/* ---- chance ---- */

uint64_t sim_random(uint64_t *state);
bool sim_coin(uint64_t *state);
/* A number below 'bound', which is not 0. */
uint64_t sim_below(uint64_t *state, uint64_t bound);

/* ---- contents ---- */

/* 512 bytes that never change again, shared by all who hold them. NULL: zeros. */
struct sim_image {
    _Atomic unsigned holders;
    uint8_t bytes[SIM_SECTOR_SIZE];
};

struct sim_version {
    uint64_t when;
    struct sim_image *image;
};

enum sim_sector_flags {
    SIM_BAD_READ = SYS_READ,
    SIM_BAD_WRITE = SYS_WRITE,
    SIM_HAS_SPACE = 16, /* counted in the disk's used space */
};

struct sim_sector {
    struct sim_image *seen, *stored;
    struct sim_version *unsynced;
    size_t unsynced_count, unsynced_room;
    unsigned flags;
};

struct sim_size {
    uint64_t when, size;
};

/* A file or a directory. */
struct sim_node {
    struct list in_disk;
    uint64_t number;
    bool is_directory;
    unsigned openings;     /* files open on it */
    unsigned names;        /* seen names of it */
    bool is_released;      /* its space counts no longer: nobody can reach it */
    bool is_marked;        /* by the sweep */
    struct sim_node *twin; /* in the copy that is being made */
    int64_t created, accessed, written;

    /* of a file */
    struct sim_sector *sectors;
    size_t sector_count;
    uint64_t size, stored_size;
    struct sim_size *unsynced_sizes;
    size_t unsynced_size_count, unsynced_size_room;
    size_t *dirty; /* sectors that have unsynced versions */
    size_t dirty_count, dirty_room;
    uint64_t sync_errors;  /* how often a sync has lost something */
    uint64_t fail_sync_in; /* the n-th sync from now fails; 0: none */
    void *lock_holder;     /* the process */
    struct sys_sim_counts counts;

    /* of a directory */
    struct list seen_names, stored_names;
};

struct sim_disk {
    struct list nodes;
    struct list changes; /* unsynced changes of names, oldest first */
    struct sim_node *root;
    size_t node_count, node_count_swept;
    uint64_t numbers; /* given to nodes */
    uint64_t when;    /* the newest operation */
    uint64_t capacity, used;
    uint64_t chance; /* state of the random numbers that decide what is torn */
};

void sim_disk_init(struct sim_disk *disk, uint64_t seed);
void sim_disk_deinit(struct sim_disk *disk);
/* 'copy' is not initialised yet. */
void sim_disk_copy(struct sim_disk *disk, struct sim_disk *copy);

struct sim_node *sim_node_create(struct sim_disk *disk, bool is_directory);
/* Gives back the space of a node if nobody can reach it any more; its stored side stays. */
void sim_node_release(struct sim_disk *disk, struct sim_node *node);
/* Frees the nodes that are neither seen, stored, changing nor open, when many may be. */
void sim_disk_sweep(struct sim_disk *disk);

/* 'torn': only some of it happens. The statuses are those of the sys_file_ functions; offset + size
 * of a transfer is at most 2^63 - 1. */
NTSTATUS sim_content_write(struct sim_disk *disk, struct sim_node *node, struct bytes data,
                           uint64_t offset, bool torn) must_use;
NTSTATUS sim_content_read(struct sim_node *node, uint8_t *into, size_t size, uint64_t offset,
                          size_t *got) must_use;
NTSTATUS sim_content_extend(struct sim_disk *disk, struct sim_node *node, uint64_t size,
                            bool torn) must_use;
NTSTATUS sim_content_sync(struct sim_disk *disk, struct sim_node *node, bool torn) must_use;
/* The failing sync: nothing is stored, and the sectors count as clean. */
void sim_content_lose(struct sim_node *node);
void sim_content_set_bad(struct sim_node *node, uint64_t offset, uint64_t size, unsigned access);
void sim_content_stored(const struct sim_node *node, uint8_t *into); /* stored_size bytes */
uint64_t sim_content_space(const struct sim_node *node);             /* in sectors that count */
void sim_content_copy(const struct sim_node *node, struct sim_node *copy);
void sim_content_deinit(struct sim_node *node);

/* What a power cut keeps. */
struct sim_survival {
    enum sys_sim_keep keep;
    uint64_t when_max;  /* PREFIX: the last operation that is kept */
    unsigned keep_of_8; /* SUBSET: how likely the newest version is */
    uint64_t chance;
};

void sim_content_settle(struct sim_node *node, struct sim_survival *survival);
/* Reduces everything to what survives, and makes that both stored and seen. Nothing may be open. */
void sim_disk_settle(struct sim_disk *disk, struct sim_survival *survival);
/* The numbers of all operations of which something is unsynced, in order; to be freed. */
uint64_t *sim_disk_pending(struct sim_disk *disk, size_t *count);

/* ---- names ---- */

/* A change of names that is seen and not stored. Made: only to; removed: only from; renamed: both.
 */
struct sim_change {
    struct list in_disk;
    uint64_t when;
    struct sim_node *node;
    struct sim_node *from, *to; /* directories, or NULL */
    char *from_name, *to_name;
    bool is_chosen;
};

enum sim_side { SIM_SEEN, SIM_STORED };

/* Where a path leads. */
struct sim_place {
    struct sim_node *directory;
    char name[SIM_NAME_MAX + 1];
    struct sim_node *node; /* NULL: the name is free */
    bool is_fixed;         /* the root, or a path that ends in "." or ".." */
    bool has_slash;        /* at the end: means a directory */
};

/* Answers: OBJECT_PATH_NOT_FOUND, OBJECT_NAME_NOT_FOUND (an empty path), OBJECT_NAME_INVALID (too
 * long). A last component that does not exist is no error here. */
NTSTATUS sim_names_find(struct sim_disk *disk, enum sim_side side, const char *path,
                        struct sim_place *out) must_use;
/* Makes the node that 'place' lacks. */
struct sim_node *sim_names_make(struct sim_disk *disk, const struct sim_place *place,
                                bool is_directory);
NTSTATUS sim_names_unlink(struct sim_disk *disk, const char *path) must_use;
NTSTATUS sim_names_rename(struct sim_disk *disk, const char *from, const char *to,
                          bool replace) must_use;
NTSTATUS sim_names_directory_make(struct sim_disk *disk, const char *path) must_use;
NTSTATUS sim_names_directory_sync(struct sim_disk *disk, const char *path, bool torn) must_use;
/* *texts: an array of the *count names, it and they to be freed. */
NTSTATUS sim_names_list(struct sim_disk *disk, const char *path, char ***texts,
                        size_t *count) must_use;
/* Stores that the node has the name it is seen under, and all on the way to it. */
void sim_names_store(struct sim_disk *disk, struct sim_node *node);
/* Reduces the changes to what survives and makes the stored names the seen ones. */
void sim_names_settle(struct sim_disk *disk, struct sim_survival *survival);

/* For sim_disk.c: the parts of names that belong to making, copying, sweeping and ending a node. */
void sim_names_deinit(struct sim_node *node);
void sim_names_copy(const struct sim_node *node, struct sim_node *copy);
void sim_names_mark(struct sim_node *directory);
void sim_change_destroy(struct sim_change *change);
void sim_change_copy(const struct sim_change *change, struct sim_disk *copy);
