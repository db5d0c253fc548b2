/* SPDX-License-Identifier: MIT */
/* GUIDs as text, as random numbers, and as keys of a hash table. */
#include "base/guid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static_assert(sizeof(GUID) == 16, "a GUID is 16 bytes with nothing between them");

bool
guid_equal(const GUID *a, const GUID *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool
guid_is_zero(const GUID *guid)
{
    static const GUID zero;

    return guid_equal(guid, &zero);
}

int
guid_compare(const GUID *a, const GUID *b)
{
    return memcmp(a, b, sizeof(*a));
}

void
guid_print(const GUID *guid, char text[GUID_TEXT_SIZE])
{
    const uint8_t *d = guid->Data4;
    int length = snprintf(text, GUID_TEXT_SIZE, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                          guid->Data1, guid->Data2, guid->Data3, d[0], d[1], d[2], d[3], d[4], d[5],
                          d[6], d[7]);

    CHECK(length == GUID_TEXT_SIZE - 1);
}

/* -1: not a hexadecimal digit. Not by isxdigit: the answer must not depend on the locale. */
static int
digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Turns the 36 characters at 'text' into 16 bytes in the order they are written. */
static bool
digits_parse(const char *text, uint8_t digits[16])
{
    size_t count = 0;

    for (size_t i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = digit_value(text[i]);
        int low = high < 0 ? -1 : digit_value(text[i + 1]);
        if (low < 0)
            return false;
        digits[count++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return true;
}

NTSTATUS
guid_parse(const char *text, GUID *out)
{
    size_t braces = text[0] == '{';
    uint8_t d[16];

    if (strlen(text) != 36 + 2 * braces || (braces && text[37] != '}') ||
        !digits_parse(text + braces, d))
        return status_raise(STATUS_INVALID_PARAMETER);
    out->Data1 = (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
    out->Data2 = (uint16_t)(d[4] << 8 | d[5]);
    out->Data3 = (uint16_t)(d[6] << 8 | d[7]);
    memcpy(out->Data4, d + 8, 8);
    return STATUS_SUCCESS;
}

void
guid_from_random(const uint8_t random[16], GUID *out)
{
    out->Data1 = le32_get(random);
    out->Data2 = le16_get(random + 4);
    out->Data3 = (uint16_t)((le16_get(random + 6) & 0x0FFF) | 0x4000);
    memcpy(out->Data4, random + 8, 8);
    out->Data4[0] = (uint8_t)((out->Data4[0] & 0x3F) | 0x80);
}

/* ---- the map ---- */

#define BUCKETS_MIN 16u
#define YOUNG_MAX   1024u

/* Every bit of the input moves every bit of the result. */
static uint64_t
mixed(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Callers may choose their own GUIDs, even 1, 2, 3 …, so randomness is not to be counted on. */
static size_t
guid_hash(const GUID *guid)
{
    return (size_t)mixed(mixed(le64_get(guid)) ^ le64_get((const uint8_t *)guid + 8));
}

static struct guid_link **
bucket_of(const struct guid_table *table, const GUID *guid)
{
    return &table->buckets[guid_hash(guid) & (table->bucket_count - 1)];
}

/* The place that points to the link of that GUID, or to the NULL at the end of its bucket. */
static struct guid_link **
place_of(const struct guid_table *table, const GUID *guid)
{
    struct guid_link **at = bucket_of(table, guid);

    while (*at && !guid_equal(&(*at)->guid, guid))
        at = &(*at)->next;
    return at;
}

static void
table_put(struct guid_table *table, struct guid_link *link)
{
    struct guid_link **bucket = bucket_of(table, &link->guid);

    link->next = *bucket;
    *bucket = link;
    table->count++;
}

static void
table_move(struct guid_table *from, struct guid_table *to)
{
    for (size_t i = 0; i < from->bucket_count; i++)
        while (from->buckets[i]) {
            struct guid_link *link = from->buckets[i];

            from->buckets[i] = link->next;
            table_put(to, link);
        }
    from->count = 0;
}

/* False: no memory, and nothing has changed. */
static bool
table_resize(struct guid_table *table, size_t bucket_count)
{
    struct guid_table other = {.bucket_count = bucket_count};

    CHECK(bucket_count >= BUCKETS_MIN && (bucket_count & (bucket_count - 1)) == 0);
    other.buckets = calloc(bucket_count, sizeof(*other.buckets));
    if (!other.buckets)
        return false;
    table_move(table, &other);
    free(table->buckets);
    *table = other;
    return true;
}

/* Room for 'count' links at about one in a bucket. A table that cannot grow goes on working, only
 * slower; one that has no buckets cannot: false. */
static bool
table_reserve(struct guid_table *table, size_t count)
{
    size_t wanted = table->bucket_count ? table->bucket_count : BUCKETS_MIN;

    while (wanted < count)
        wanted *= 2;
    return wanted == table->bucket_count || table_resize(table, wanted) || table->bucket_count;
}

static bool
table_remove(struct guid_table *table, struct guid_link *link)
{
    struct guid_link **at = table->bucket_count ? place_of(table, &link->guid) : NULL;

    if (!at || *at != link)
        return false;
    *at = link->next;
    link->next = NULL;
    table->count--;
    /* Gives memory back after a peak. That a smaller table cannot be had is no loss. */
    if (table->bucket_count > BUCKETS_MIN && table->count < table->bucket_count / 8)
        (void)table_resize(table, table->bucket_count / 2);
    return true;
}

void
guid_map_init(struct guid_map *map)
{
    *map = (struct guid_map){0};
}

void
guid_map_deinit(struct guid_map *map)
{
    CHECK(guid_map_count(map) == 0);
    free(map->young.buckets);
    free(map->old.buckets);
    guid_map_init(map);
}

static void
table_drain(struct guid_table *table, void (*gone)(void *context, struct guid_link *link),
            void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct guid_link *link; (link = table->buckets[i]); table->count--) {
            table->buckets[i] = link->next;
            gone(context, link);
        }
}

void
guid_map_drain(struct guid_map *map, void (*gone)(void *context, struct guid_link *link),
               void *context)
{
    table_drain(&map->young, gone, context);
    table_drain(&map->old, gone, context);
    guid_map_deinit(map);
}

static void
table_each(const struct guid_table *table,
           void (*visit)(void *context, const struct guid_link *link), void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        for (const struct guid_link *link = table->buckets[i]; link; link = link->next)
            visit(context, link);
}

void
guid_map_each(const struct guid_map *map,
              void (*visit)(void *context, const struct guid_link *link), void *context)
{
    table_each(&map->young, visit, context);
    table_each(&map->old, visit, context);
}

NTSTATUS
guid_map_add(struct guid_map *map, struct guid_link *link)
{
#ifdef KTM_DEBUG
    CHECK(!guid_map_find(map, &link->guid));
#endif
    if (map->young.count >= YOUNG_MAX &&
        table_reserve(&map->old, map->old.count + map->young.count))
        table_move(&map->young, &map->old);
    if (!table_reserve(&map->young, map->young.count + 1))
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    table_put(&map->young, link);
    return STATUS_SUCCESS;
}

void
guid_map_remove(struct guid_map *map, struct guid_link *link)
{
    bool was_there = table_remove(&map->young, link) || table_remove(&map->old, link);

    CHECK(was_there);
}

struct guid_link *
guid_map_find(const struct guid_map *map, const GUID *guid)
{
    struct guid_link *link = map->young.bucket_count ? *place_of(&map->young, guid) : NULL;

    if (!link && map->old.count)
        link = *place_of(&map->old, guid);
    return link;
}
