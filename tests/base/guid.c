/* SPDX-License-Identifier: MIT */
/* GUIDs as text, as random numbers, and as keys of the map. */
#include "tests/test.h"

#include "base/guid.h"
#include "tests/alloc.h"

static const GUID sample = {
    0x00112233, 0x4455, 0x6677, {0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}};
#define SAMPLE_TEXT "00112233-4455-6677-8899-aabbccddeeff"

TEST(text_and_back)
{
    static const char *const accepted[] = {SAMPLE_TEXT, "{" SAMPLE_TEXT "}",
                                           "00112233-4455-6677-8899-AABBCCDDEEFF",
                                           "{00112233-4455-6677-8899-AAbbCCddEEff}"};
    char text[GUID_TEXT_SIZE];

    guid_print(&sample, text);
    EXPECT_TEXT(SAMPLE_TEXT, text);
    EACH (one, accepted) {
        GUID guid = {0};
        EXPECT_OK(guid_parse(*one, &guid));
        EXPECT_BYTES(&sample, &guid, sizeof(guid));
    }
}

TEST(what_is_not_a_guid_is_refused_and_changes_nothing)
{
    static const char *const refused[] = {
        "",
        "-",
        "{",
        "{}",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeef ",
        " 00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899+aabbccddeeff",
        "0011223344556677-8899-aabbccddeeff--",
        "00112233-4455-6677-88-99aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeeff}",
        "{00112233-4455-6677-8899-aabbccddeeff)",
        "{{0112233-4455-6677-8899-aabbccddeeff}",
        "0x112233-4455-6677-8899-aabbccddeeff",
        "-0112233-4455-6677-8899-aabbccddeeff",
    };

    EACH (one, refused) {
        GUID guid = sample;
        EXPECT_STATUS(STATUS_INVALID_PARAMETER, guid_parse(*one, &guid));
        EXPECT(guid_equal(&guid, &sample));
    }
}

TEST(order_is_that_of_the_stored_bytes) /* ENUM-05 */
{
    GUID low = {0x00000100, 0, 0, {0}};  /* stored 00 01 00 00 */
    GUID high = {0x00000001, 0, 0, {0}}; /* stored 01 00 00 00 */
    GUID last = high;

    EXPECT(guid_compare(&low, &high) < 0);
    EXPECT(guid_compare(&high, &low) > 0);
    EXPECT_EQ(0, guid_compare(&low, &low));
    last.Data4[7] = 0x80; /* compared without a sign */
    EXPECT(guid_compare(&last, &high) > 0);
    EXPECT(!guid_equal(&last, &high));
}

TEST(zero_is_zero_and_one_bit_is_not)
{
    GUID guid = {0};

    EXPECT(guid_is_zero(&guid));
    for (size_t i = 0; i < sizeof(guid); i++) {
        ((uint8_t *)&guid)[i] = 1;
        EXPECT(!guid_is_zero(&guid));
        ((uint8_t *)&guid)[i] = 0;
    }
}

TEST(random_bytes_become_version_4_and_keep_the_other_122_bits) /* OBJ-18 */
{
    uint8_t random[16];
    char text[GUID_TEXT_SIZE];
    GUID guid;

    memset(random, 0, sizeof(random));
    guid_from_random(random, &guid);
    guid_print(&guid, text);
    EXPECT_TEXT("00000000-0000-4000-8000-000000000000", text);
    memset(random, 0xFF, sizeof(random));
    guid_from_random(random, &guid);
    guid_print(&guid, text);
    EXPECT_TEXT("ffffffff-ffff-4fff-bfff-ffffffffffff", text);
}

/* ---- the map ---- */

static void
number_guid(size_t number, struct guid_link *link)
{
    link->guid = (GUID){(uint32_t)number, 0, 0x4000, {0x80, 0, 0, 0, 0, 0, 0, 0}};
}

TEST(an_empty_map_finds_nothing)
{
    struct guid_map map;

    guid_map_init(&map);
    EXPECT(!guid_map_find(&map, &sample));
    EXPECT_EQ(0, guid_map_count(&map));
    guid_map_deinit(&map);
}

static void
count_visit(void *context, const struct guid_link *link)
{
    EXPECT(link != NULL);
    ++*(size_t *)context;
}

TEST(what_is_in_the_map_is_found_and_nothing_else)
{
    enum { COUNT = 5000 };
    struct guid_link *links = calloc(COUNT, sizeof(*links)), other;
    struct guid_map map;
    size_t visited = 0;

    guid_map_init(&map);
    for (size_t i = 0; i < COUNT; i++) {
        number_guid(i, &links[i]);
        EXPECT(!guid_map_find(&map, &links[i].guid));
        EXPECT_OK(guid_map_add(&map, &links[i]));
    }
    EXPECT_EQ(COUNT, guid_map_count(&map));
    guid_map_each(&map, count_visit, &visited);
    EXPECT_EQ(COUNT, visited);
    for (size_t i = 0; i < COUNT; i++)
        EXPECT(guid_map_find(&map, &links[i].guid) == &links[i]);
    number_guid(COUNT, &other);
    EXPECT(!guid_map_find(&map, &other.guid));

    for (size_t i = 0; i < COUNT; i += 2)
        guid_map_remove(&map, &links[i]);
    for (size_t i = 0; i < COUNT; i++)
        EXPECT(guid_map_find(&map, &links[i].guid) == (i % 2 ? &links[i] : NULL));
    for (size_t i = 1; i < COUNT; i += 2)
        guid_map_remove(&map, &links[i]);
    EXPECT_EQ(0, guid_map_count(&map));
    guid_map_deinit(&map);
    free(links);
}

TEST(the_map_gives_memory_back_but_keeps_16_buckets)
{
    enum { COUNT = 4096 };
    struct guid_link *links = calloc(COUNT, sizeof(*links));
    struct guid_map map;

    guid_map_init(&map);
    for (size_t i = 0; i < COUNT; i++) {
        number_guid(i, &links[i]);
        EXPECT_OK(guid_map_add(&map, &links[i]));
        EXPECT(map.young.bucket_count + map.old.bucket_count >= guid_map_count(&map));
        EXPECT(map.young.bucket_count >= 16 && map.young.bucket_count <= 1024);
        EXPECT(map.old.bucket_count <= 2 * COUNT);
    }
    for (size_t i = 0; i < COUNT; i++) {
        guid_map_remove(&map, &links[i]);
        EXPECT(map.old.bucket_count <= 16 || map.old.count >= map.old.bucket_count / 16);
    }
    EXPECT_EQ(16, map.young.bucket_count);
    guid_map_deinit(&map);
    free(links);
}

static unsigned drained;

static void
count_drained(void *context, struct guid_link *link)
{
    (void)context, (void)link;
    drained++;
}

TEST(what_comes_and_goes_stays_among_the_young)
{
    enum { COUNT = 3000 };
    struct guid_link *links = calloc(COUNT, sizeof(*links)), guest;
    struct guid_map map;

    guid_map_init(&map);
    for (size_t i = 0; i < COUNT; i++) {
        number_guid(i, &links[i]);
        EXPECT_OK(guid_map_add(&map, &links[i]));
    }
    EXPECT_EQ(2048, map.old.count);
    for (size_t i = COUNT; i < 2 * COUNT; i++) {
        number_guid(i, &guest);
        EXPECT_OK(guid_map_add(&map, &guest));
        EXPECT(guid_map_find(&map, &guest.guid) == &guest);
        guid_map_remove(&map, &guest);
    }
    EXPECT_EQ(2048, map.old.count);
    guid_map_drain(&map, count_drained, NULL);
    EXPECT_EQ(COUNT, drained);
    EXPECT_EQ(0, guid_map_count(&map));
    free(links);
}

static size_t
longest_chain(const struct guid_table *map)
{
    size_t longest = 0;

    for (size_t i = 0; i < map->bucket_count; i++) {
        size_t length = 0;
        for (struct guid_link *link = map->buckets[i]; link; link = link->next)
            length++;
        longest = length > longest ? length : longest;
    }
    return longest;
}

TEST(guids_that_differ_only_a_little_spread_over_the_map)
{
    enum { COUNT = 4096 };
    struct guid_link *links = calloc(COUNT, sizeof(*links));

    /* Counted up in each of the sixteen bytes and the one after it. */
    for (size_t at = 0; at < 15; at++) {
        struct guid_map map;

        guid_map_init(&map);
        for (size_t i = 0; i < COUNT; i++) {
            links[i].guid = sample;
            memcpy((uint8_t *)&links[i].guid + at, &(uint16_t){(uint16_t)i}, 2);
            EXPECT_OK(guid_map_add(&map, &links[i]));
        }
        EXPECT(longest_chain(&map.young) <= 12); /* random keys: 6 or 7 */
        EXPECT(longest_chain(&map.old) <= 12);
        for (size_t i = 0; i < COUNT; i++)
            guid_map_remove(&map, &links[i]);
        guid_map_deinit(&map);
    }
    free(links);
}

TEST(without_memory_the_first_add_is_refused_and_later_ones_are_only_slower)
{
    static struct guid_link links[100];
    struct guid_map map;

    guid_map_init(&map);
    number_guid(0, &links[0]);
    alloc_fail_from(1);
    EXPECT_STATUS(STATUS_INSUFFICIENT_RESOURCES, guid_map_add(&map, &links[0]));
    EXPECT_EQ(0, guid_map_count(&map));
    EXPECT(alloc_fail_stop());

    EXPECT_OK(guid_map_add(&map, &links[0]));
    alloc_fail_from(1);
    for (size_t i = 1; i < 100; i++) {
        number_guid(i, &links[i]);
        EXPECT_OK(guid_map_add(&map, &links[i]));
    }
    EXPECT_EQ(16, map.young.bucket_count);
    for (size_t i = 0; i < 100; i++)
        EXPECT(guid_map_find(&map, &links[i].guid) == &links[i]);
    EXPECT(alloc_fail_stop());
    for (size_t i = 0; i < 100; i++)
        guid_map_remove(&map, &links[i]);
    guid_map_deinit(&map);
}
