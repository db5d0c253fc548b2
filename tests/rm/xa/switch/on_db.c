/* SPDX-License-Identifier: MIT */
/* Work inside a branch of Berkeley DB's switch: an item is a key. */
#include <db.h>
#include <stdlib.h>
#include <string.h>

#include "ktm_xa.h"

#define PUBLIC __attribute__((visibility("default")))
PUBLIC ktm_xa_function ktm_xa_check_work, ktm_xa_check_open;

static DB *db; /* opened once in a process, outside of branches: inside, the library crashes */

int
ktm_xa_check_open(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    (void)rmid, (void)in, (void)in_size, (void)out;
    *out_size = 0;
    if (!db &&
        (db_create(&db, NULL, DB_XA_CREATE) != 0 ||
         db->open(db, NULL, "items.db", NULL, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT, 0600) != 0))
        db = NULL;
    return !db;
}

int
ktm_xa_check_work(int rmid, const void *in, size_t in_size, void *out, size_t *out_size)
{
    int item = atoi(in);
    DBT key = {.data = &item, .size = sizeof(item)}, value = {.data = &item, .size = sizeof(item)};

    (void)rmid, (void)in_size, (void)out;
    *out_size = 0;
    return !db || db->put(db, NULL, &key, &value, 0) != 0;
}
