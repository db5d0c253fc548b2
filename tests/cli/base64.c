/* SPDX-License-Identifier: MIT */
/* Base64: the vectors of RFC 4648 section 10, all byte values, and everything it must refuse. */
#include "tests/test.h"

#include "cli/base64.h"
#include "cli/owned.h"

TEST(published_vectors_are_decoded)
{
    static const struct {
        const char *text, *bytes;
    } vectors[] = {{"", ""},
                   {"Zg==", "f"},
                   {"Zm8=", "fo"},
                   {"Zm9v", "foo"},
                   {"Zm9vYg==", "foob"},
                   {"Zm9vYmE=", "fooba"},
                   {"Zm9vYmFy", "foobar"}};

    EACH (it, vectors) {
        owned(free_text) char *bytes = NULL;
        size_t size, wrong;

        EXPECT_OK(base64_decode(it->text, strlen(it->text), &bytes, &size, &wrong));
        EXPECT_EQ(strlen(it->bytes), size);
        EXPECT_TEXT(it->bytes, bytes);
    }
}

TEST(every_byte_value_comes_back)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned value = 0; value < 256; value++) {
        char text[] = {digits[value >> 2], digits[(value & 3) << 4], '=', '='};
        owned(free_text) char *bytes = NULL;
        size_t size, wrong;

        EXPECT_OK(base64_decode(text, 4, &bytes, &size, &wrong));
        EXPECT_EQ(1, size);
        EXPECT_EQ(value, (uint8_t)bytes[0]);
    }
}

TEST(what_is_not_base64_is_refused_and_the_place_is_told)
{
    static const struct {
        const char *text;
        size_t wrong;
    } cases[] = {
        {"Zg", 2},   {"Zg=", 3},  {"Zm9v\n", 5}, /* no multiple of four */
        {"Zm9!", 3}, {"Z m9", 1}, {"\nm9v", 0},    {"Zm9vZ-==", 5},
        {"====", 0}, {"Z===", 1}, {"Zg==Zg==", 2}, /* padding in the middle */
        {"Zh==", 1}, {"Zm9=", 2},                  /* bits that no byte takes */
    };

    EACH (it, cases) {
        char *bytes = NULL;
        size_t size, wrong = 99;

        EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                      base64_decode(it->text, strlen(it->text), &bytes, &size, &wrong));
        EXPECT_EQ(it->wrong, wrong);
        EXPECT(bytes == NULL);
    }
}
