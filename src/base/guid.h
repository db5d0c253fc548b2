/* SPDX-License-Identifier: MIT */
/* GUIDs: comparing, printing, and a table of things found by GUID in constant time. */
#pragma once

#include "base/base.h"
#include "ktmbase.h" /* public: GUID */

#define GUID_TEXT_SIZE 37 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and a NUL */

bool guid_equal(const GUID *a, const GUID *b);
bool guid_is_zero(const GUID *guid);
/* Order by the 16 bytes as stored, the order of enumeration [ENUM-05]. */
int guid_compare(const GUID *a, const GUID *b);
void guid_print(const GUID *guid, char text[GUID_TEXT_SIZE]);
/* Accepts the text with or without braces. Answers: INVALID_PARAMETER. */
NTSTATUS guid_parse(const char *text, GUID *out) must_use;
/* Makes 16 random bytes a version 4 GUID [OBJ-18]. */
void guid_from_random(const uint8_t random[16], GUID *out);

/* A hash table of members that carry a 'struct guid_link'. It has two halves: what is added is
 * young, and grows old when there is too much of it. So what comes and goes stays in the
 * processor's cache, beside however many that stay. Each half grows by doubling, never shrinks
 * below 16. */
struct guid_link {
    GUID guid;
    struct guid_link *next;
};

struct guid_table {
    struct guid_link **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

struct guid_map {
    struct guid_table young, old;
};

static inline size_t
guid_map_count(const struct guid_map *map)
{
    return map->young.count + map->old.count;
}

void guid_map_init(struct guid_map *map);
void guid_map_deinit(struct guid_map *map); /* must be empty */
/* Takes everything out, tells of each, and makes it an empty map. */
void guid_map_drain(struct guid_map *map, void (*gone)(void *context, struct guid_link *link),
                    void *context);
/* Visits all, in no order; the map must not be changed meanwhile. */
void guid_map_each(const struct guid_map *map,
                   void (*visit)(void *context, const struct guid_link *link), void *context);
/* The link's guid must be set and not be in the map. Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS guid_map_add(struct guid_map *map, struct guid_link *link) must_use;
void guid_map_remove(struct guid_map *map, struct guid_link *link); /* must be in the map */
struct guid_link *guid_map_find(const struct guid_map *map, const GUID *guid); /* NULL: none */
