/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), for preconditions on the content of a file. */
#pragma once

#include "base/bytes.h"

#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *at, size_t size);
void sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_SIZE]);
