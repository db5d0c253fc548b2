/* SPDX-License-Identifier: MIT */
/*
 * What a home remembers about a database: who its resource manager is, how often it was started,
 * and which file the database was. One small text file in 'home'/sqlite, written anew at each
 * start.
 */
#pragma once

#include "base/base.h"
#include "ktm_rm.h"
#include "rm/sqlite/words.h"
#include "sys/tree.h"

struct store {
    struct tree *tree;
    int fd;   /* of the directory 'home'/sqlite */
    int lock; /* held while the database is open in this home */
    char name[64];
    char *database;
    GUID identity;
    uint64_t incarnation;
    uint64_t inode; /* of the database when nothing was left in doubt for the last time */
    int64_t born;
    bool is_new;
};

/* 'kind' tells two resource managers of one database apart. The incarnation is a new one, durably.
 * Answers: SHARING_VIOLATION, RM_METADATA_CORRUPT, and what files say. */
NTSTATUS store_open(struct store *store, const char *home, const char *database, const char *kind,
                    struct words *why) must_use;
void store_close(struct store *store);
/* From now on the database is this file. */
NTSTATUS store_identify(struct store *store, const struct tree_info *database,
                        struct words *why) must_use;
static inline bool
store_is_same(const struct store *store, const struct tree_info *database)
{
    return store->inode == database->inode && store->born == database->born;
}
/* Every database in the home, with the name of its record, which begins with the kind it was opened
 * with. Answers: RM_METADATA_CORRUPT. */
typedef void store_each(void *context, const char *database, const char *name,
                        const struct store *store);
NTSTATUS store_list(const char *home, store_each *each, void *context) must_use;
