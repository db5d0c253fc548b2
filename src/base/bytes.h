/* SPDX-License-Identifier: MIT */
/* Views of memory, and little-endian numbers inside them: the only way stored data is read or made.
 */
#pragma once

#include <string.h>

#include "base/base.h"

struct bytes {
    const uint8_t *at;
    size_t size;
};

static inline struct bytes
bytes_of(const void *at, size_t size)
{
    return (struct bytes){.at = at, .size = size};
}

static inline uint16_t
le16_get(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
le32_get(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t
le64_get(const void *p)
{
    return (uint64_t)le32_get(p) | (uint64_t)le32_get((const uint8_t *)p + 4) << 32;
}

static inline void
le16_put(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void
le32_put(void *p, uint32_t v)
{
    le16_put(p, (uint16_t)v);
    le16_put((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void
le64_put(void *p, uint64_t v)
{
    le32_put(p, (uint32_t)v);
    le32_put((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

/* CRC-32C (Castagnoli), continued from 'crc'; start with 0. Hardware instruction where there is
 * one. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The same by tables alone, as on a machine without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);
