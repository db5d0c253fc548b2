/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78, RFC 3720): by the processor's instruction
 * where it has one, else eight bytes at a time by tables.
 *
 * A CRC is linear: the table entry of i is the sum (exclusive or) of the entries of i's bits. So
 * the eight tables are written down as eight times eight numbers and unfolded by the compiler, and
 * nothing has to be set up before the first use.
 */
#include "base/bytes.h"

#define BIT(i, b, entry) ((i) & (1u << (b)) ? (entry) : 0u)
#define SUM(i, e0, e1, e2, e3, e4, e5, e6, e7)                                                     \
    (BIT(i, 0, e0) ^ BIT(i, 1, e1) ^ BIT(i, 2, e2) ^ BIT(i, 3, e3) ^ BIT(i, 4, e4) ^               \
     BIT(i, 5, e5) ^ BIT(i, 6, e6) ^ BIT(i, 7, e7))

/* SLICE_k(i): what the byte i becomes when k zero bytes follow it. */
#define SLICE_0(i)                                                                                 \
    SUM(i, 0xF26B8303, 0xE13B70F7, 0xC79A971F, 0x8AD958CF, 0x105EC76F, 0x20BD8EDE, 0x417B1DBC,     \
        0x82F63B78)
#define SLICE_1(i)                                                                                 \
    SUM(i, 0x13A29877, 0x274530EE, 0x4E8A61DC, 0x9D14C3B8, 0x3FC5F181, 0x7F8BE302, 0xFF17C604,     \
        0xFBC3FAF9)
#define SLICE_2(i)                                                                                 \
    SUM(i, 0xA541927E, 0x4F6F520D, 0x9EDEA41A, 0x38513EC5, 0x70A27D8A, 0xE144FB14, 0xC76580D9,     \
        0x8B277743)
#define SLICE_3(i)                                                                                 \
    SUM(i, 0xDD45AAB8, 0xBF672381, 0x7B2231F3, 0xF64463E6, 0xE964B13D, 0xD725148B, 0xABA65FE7,     \
        0x52A0C93F)
#define SLICE_4(i)                                                                                 \
    SUM(i, 0x38116FAC, 0x7022DF58, 0xE045BEB0, 0xC5670B91, 0x8F2261D3, 0x1BA8B557, 0x37516AAE,     \
        0x6EA2D55C)
#define SLICE_5(i)                                                                                 \
    SUM(i, 0xEF306B19, 0xDB8CA0C3, 0xB2F53777, 0x6006181F, 0xC00C303E, 0x85F4168D, 0x0E045BEB,     \
        0x1C08B7D6)
#define SLICE_6(i)                                                                                 \
    SUM(i, 0x68032CC8, 0xD0065990, 0xA5E0C5D1, 0x4E2DFD53, 0x9C5BFAA6, 0x3D5B83BD, 0x7AB7077A,     \
        0xF56E0EF4)
#define SLICE_7(i)                                                                                 \
    SUM(i, 0x493C7D27, 0x9278FA4E, 0x211D826D, 0x423B04DA, 0x847609B4, 0x0D006599, 0x1A00CB32,     \
        0x34019664)

#define ROW_4(s, i)  s(i), s((i) + 1), s((i) + 2), s((i) + 3)
#define ROW_16(s, i) ROW_4(s, i), ROW_4(s, (i) + 4), ROW_4(s, (i) + 8), ROW_4(s, (i) + 12)
#define ROW_64(s, i) ROW_16(s, i), ROW_16(s, (i) + 16), ROW_16(s, (i) + 32), ROW_16(s, (i) + 48)
#define ROW_256(s)   ROW_64(s, 0), ROW_64(s, 64), ROW_64(s, 128), ROW_64(s, 192)

static const uint32_t slices[8][256] = {
    {ROW_256(SLICE_0)}, {ROW_256(SLICE_1)}, {ROW_256(SLICE_2)}, {ROW_256(SLICE_3)},
    {ROW_256(SLICE_4)}, {ROW_256(SLICE_5)}, {ROW_256(SLICE_6)}, {ROW_256(SLICE_7)},
};

/* All three work on the inverted CRC, as the instruction does. */

static uint32_t
step_table(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; at += 8, size -= 8) {
        uint32_t low = crc ^ le32_get(at), high = le32_get(at + 4);

        crc = slices[7][low & 0xFF] ^ slices[6][low >> 8 & 0xFF] ^ slices[5][low >> 16 & 0xFF] ^
              slices[4][low >> 24] ^ slices[3][high & 0xFF] ^ slices[2][high >> 8 & 0xFF] ^
              slices[1][high >> 16 & 0xFF] ^ slices[0][high >> 24];
    }
    for (; size; at++, size--)
        crc = crc >> 8 ^ slices[0][(crc ^ *at) & 0xFF];
    return crc;
}

#if defined(__x86_64__)

static bool
has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t
step_instruction(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = crc;

    for (; size >= 8; at += 8, size -= 8)
        wide = __builtin_ia32_crc32di(wide, le64_get(at));
    crc = (uint32_t)wide;
    for (; size; at++, size--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

static bool
has_instruction(void)
{
    static _Atomic int known; /* 0: not asked yet, 1: no, 2: yes */

    if (!known)
        known = getauxval(AT_HWCAP) & HWCAP_CRC32 ? 2 : 1;
    return known == 2;
}

/* Spelled out, because gcc and clang disagree on when they offer the intrinsics. */
static uint32_t
step_instruction(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; at += 8, size -= 8)
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(le64_get(at)));
    for (; size; at++, size--)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*at));
    return crc;
}

#else

static bool
has_instruction(void)
{
    return false;
}

#define step_instruction step_table

#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t size)
{
    return ~(has_instruction() ? step_instruction : step_table)(~crc, data, size);
}

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    return ~step_table(~crc, data, size);
}
