/* SPDX-License-Identifier: MIT */
/* UTF-16 to UTF-8 and back: exactly, or not at all. */
#include "tests/test.h"

#include "base/text.h"
#include "tests/alloc.h"

static const struct pair {
    const char *text;
    uint16_t units[8];
    size_t count;
} pairs[] = {
    {"", {0}, 0},
    {"A", {'A'}, 1},
    {"\x7F", {0x7F}, 1},
    {"\xC2\x80", {0x80}, 1},
    {"\xDF\xBF", {0x7FF}, 1},
    {"\xE0\xA0\x80", {0x800}, 1},
    {"\xED\x9F\xBF", {0xD7FF}, 1},
    {"\xEE\x80\x80", {0xE000}, 1},
    {"\xEF\xBF\xBF", {0xFFFF}, 1},
    {"\xF0\x90\x80\x80", {0xD800, 0xDC00}, 2},
    {"\xF4\x8F\xBF\xBF", {0xDBFF, 0xDFFF}, 2},
    {"log \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
     {'l', 'o', 'g', ' ', 0xE9, 0x20AC, 0xD83D, 0xDE00},
     8},
};

TEST(text_turns_both_ways)
{
    EACH (pair, pairs) {
        uint16_t *units;
        size_t count;
        char *text;

        EXPECT_OK(text_from_utf16(pair->units, pair->count, &text));
        EXPECT_TEXT(pair->text, text);
        EXPECT_OK(text_to_utf16(pair->text, &units, &count));
        EXPECT_EQ(pair->count, count);
        EXPECT_BYTES(pair->units, units, 2 * count);
        EXPECT_EQ(0, units[count]);
        free(text);
        free(units);
    }
}

TEST(every_character_survives_the_round_trip)
{
    for (uint32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
        uint16_t units[2] = {(uint16_t)c}, *back;
        size_t size = 1, count;
        char *text;

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        if (c > 0xFFFF) {
            units[0] = (uint16_t)(0xD800 | (c - 0x10000) >> 10);
            units[1] = (uint16_t)(0xDC00 | ((c - 0x10000) & 0x3FF));
            size = 2;
        }
        EXPECT_OK(text_from_utf16(units, size, &text));
        EXPECT_OK(text_to_utf16(text, &back, &count));
        EXPECT_EQ(size, count);
        EXPECT_BYTES(units, back, 2 * size);
        free(text);
        free(back);
    }
}

TEST(utf16_that_is_not_well_formed_is_refused)
{
    static const struct {
        uint16_t units[3];
        size_t count;
    } refused[] = {
        {{0xD800}, 1},      {{0xDBFF, 'a'}, 2},    {{0xDC00}, 1},
        {{'a', 0xDFFF}, 2}, {{0xDC00, 0xD800}, 2}, {{0xD800, 0xD800, 0xDC00}, 3},
        {{0}, 1},           {{'a', 0}, 2},         {{'a', 0, 'b'}, 3},
    };

    EACH (one, refused) {
        char *text = "untouched";
        EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, text_from_utf16(one->units, one->count, &text));
        EXPECT_TEXT("untouched", text);
    }
}

TEST(utf8_that_is_not_well_formed_is_refused)
{
    static const char *const refused[] = {
        "\x80", /* a continuation without a start */
        "a\xBF",
        "\xC3", /* a start without its continuation */
        "\xC3(",
        "\xE2\x82",
        "\xE2\x82(",
        "\xF0\x9F\x98",
        "\xF0\x9F\x98(",
        "\xC0\x80", /* overlong */
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", /* surrogates */
        "\xED\xBF\xBF",
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
    };

    EACH (one, refused) {
        uint16_t *units = NULL;
        size_t count = 99;
        EXPECT_STATUS(STATUS_OBJECT_NAME_INVALID, text_to_utf16(*one, &units, &count));
        EXPECT(!units && count == 99);
    }
}

TEST(without_memory_nothing_is_turned)
{
    uint16_t *units;
    size_t count;
    char *text;

    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, text_from_utf16(u"a", 1, &text));
    EXPECT(alloc_fail_stop());
    alloc_fail_at(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, text_to_utf16("a", &units, &count));
    EXPECT(alloc_fail_stop());
}
