/* SPDX-License-Identifier: MIT */
/* The hash table of the file resource manager. */
#include "rm/file/hash.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 16

void
hash_init(struct hash *hash)
{
    *hash = (struct hash){0};
}

void
hash_deinit(struct hash *hash)
{
    free(hash->buckets);
    *hash = (struct hash){0};
}

static struct hash_link **
bucket_of(const struct hash *hash, uint64_t value)
{
    return &hash->buckets[value & (hash->bucket_count - 1)];
}

NTSTATUS
hash_reserve(struct hash *hash)
{
    size_t old_count = hash->bucket_count;
    struct hash_link **old = hash->buckets, **bigger;

    if (hash->count < old_count)
        return STATUS_SUCCESS;
    bigger = calloc(old_count ? old_count * 2 : BUCKETS_MIN, sizeof(struct hash_link *));
    if (!bigger)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    hash->buckets = bigger;
    hash->bucket_count = old_count ? old_count * 2 : BUCKETS_MIN;
    hash->count = 0;
    for (size_t i = 0; i < old_count; i++)
        for (struct hash_link *link = old[i], *next; link; link = next) {
            next = link->next;
            hash_add(hash, link->hash, link);
        }
    free(old);
    return STATUS_SUCCESS;
}

void
hash_add(struct hash *hash, uint64_t value, struct hash_link *link)
{
    struct hash_link **bucket;

    CHECK(hash->count < hash->bucket_count);
    bucket = bucket_of(hash, value);
    *link = (struct hash_link){.next = *bucket, .hash = value};
    *bucket = link;
    hash->count++;
}

void
hash_remove(struct hash *hash, struct hash_link *link)
{
    struct hash_link **at = bucket_of(hash, link->hash);

    while (*at != link) {
        CHECK(*at);
        at = &(*at)->next;
    }
    *at = link->next;
    hash->count--;
}

static struct hash_link *
skip_others(struct hash_link *link, uint64_t value)
{
    while (link && link->hash != value)
        link = link->next;
    return link;
}

struct hash_link *
hash_first(const struct hash *hash, uint64_t value)
{
    return hash->bucket_count ? skip_others(*bucket_of(hash, value), value) : NULL;
}

struct hash_link *
hash_next(const struct hash_link *link)
{
    return skip_others(link->next, link->hash);
}

uint64_t
hash_bytes(uint64_t seed, const void *at, size_t size)
{
    uint64_t value = seed ^ 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        value = (value ^ ((const uint8_t *)at)[i]) * 0x100000001b3u;
    return value ^ value >> 32;
}

uint64_t
hash_text(uint64_t seed, const char *text)
{
    return hash_bytes(seed, text, strlen(text));
}

uint64_t
hash_number(uint64_t seed, uint64_t number)
{
    return hash_bytes(seed, &number, sizeof(number));
}
