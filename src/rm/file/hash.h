/* SPDX-License-Identifier: MIT */
/* A hash table of things that carry their own link. Whoever searches compares; the table only
 * narrows down. */
#pragma once

#include "base/base.h"

struct hash_link {
    struct hash_link *next;
    uint64_t hash;
};

struct hash {
    struct hash_link **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

void hash_init(struct hash *hash);
void hash_deinit(struct hash *hash); /* the members are the caller's */
/* Makes sure that one more can be added. Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS hash_reserve(struct hash *hash) must_use;
void hash_add(struct hash *hash, uint64_t value, struct hash_link *link); /* after hash_reserve */
void hash_remove(struct hash *hash, struct hash_link *link);
/* The members with this hash value, one after the other; NULL: no more. */
struct hash_link *hash_first(const struct hash *hash, uint64_t value);
struct hash_link *hash_next(const struct hash_link *link);

/* FNV-1a with a final mix, continued from 'seed'. */
uint64_t hash_bytes(uint64_t seed, const void *at, size_t size);
uint64_t hash_text(uint64_t seed, const char *text);
uint64_t hash_number(uint64_t seed, uint64_t number);
