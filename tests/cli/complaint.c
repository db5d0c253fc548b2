/* SPDX-License-Identifier: MIT */
/* Messages: nothing that a path contains reaches a terminal as more than text. */
#include "tests/test.h"

#include "cli/complaint.h"

TEST(quoting_shows_what_is_not_printable)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", "''"},
        {"plain name", "'plain name'"},
        {"grün/€/𝄞", "'grün/€/𝄞'"},
        {"a\nb\tc\x1b[31m", "'a\\x0Ab\\x09c\\x1B[31m'"},
        {"\x7f", "'\\x7F'"},
        {"\xc2\x9b", "'\\xC2\\x9B'"},          /* a control character of ISO 6429 */
        {"\xff\xc0\x80", "'\\xFF\\xC0\\x80'"}, /* no UTF-8, overlong */
        {"\xed\xa0\x80", "'\\xED\\xA0\\x80'"}, /* a surrogate */
        {"\xe2\x82", "'\\xE2\\x82'"},          /* cut short */
    };

    EACH (it, cases) {
        struct quoted quoted;

        EXPECT_TEXT(it->shown, quote(it->text, &quoted));
    }
}

TEST(long_texts_keep_both_ends)
{
    char text[5001];
    struct quoted quoted;

    memset(text, '\x01', sizeof(text) - 1);
    memcpy(text, "begin", 5);
    memcpy(text + 4997, "end", 4);
    quote(text, &quoted);
    EXPECT(strncmp(quoted.text, "'begin\\x01", 9) == 0);
    EXPECT(strstr(quoted.text, "\\x01…\\x01"));
    EXPECT(strcmp(quoted.text + strlen(quoted.text) - 8, "\\x01end'") == 0);
    EXPECT(strlen(quoted.text) < sizeof(quoted.text));
}

TEST(cutting_does_not_split_a_character)
{
    char text[3 * 600 + 1];
    struct quoted quoted;

    for (unsigned shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at + 3 < sizeof(text); at += 3)
            memcpy(text + at, "€", 4);
        quote(text, &quoted);
        EXPECT(!strstr(quoted.text, "\\x"));
        EXPECT(strstr(quoted.text, "…"));
    }
}

TEST(a_prefix_goes_before_and_the_whole_stays_in_bounds)
{
    struct complaint why;
    char longer[COMPLAINT_SIZE];

    EXPECT_STATUS(STATUS_DISK_FULL, complain(&why, STATUS_DISK_FULL, "no %s", "space"));
    complaint_prefix(&why, "step %d: ", 3);
    EXPECT_TEXT("step 3: no space", why.text);
    memset(longer, 'y', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    EXPECT_STATUS(STATUS_DISK_FULL, complain(&why, STATUS_DISK_FULL, "%s", longer));
    complaint_prefix(&why, "step %d: ", 3);
    EXPECT(strncmp(why.text, "step 3: yyy", 11) == 0);
    EXPECT_EQ(COMPLAINT_SIZE - 1, strlen(why.text));
}

TEST(statuses_have_names_or_numbers)
{
    char text[STATUS_TEXT_SIZE];

    EXPECT_TEXT("STATUS_DISK_FULL", status_text(STATUS_DISK_FULL, text));
    EXPECT_TEXT("0xC7777777", status_text((NTSTATUS)0xC7777777, text));
}
