/* SPDX-License-Identifier: MIT */
/* The history of a home: lines come back, foreign ones are passed over, and it stays bounded. */
#include "tests/test.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/history.h"

struct seen {
    unsigned count;
    struct history_entry last;
    char event[32], what[256], why[256];
};

static void
see(void *context, const struct history_entry *entry)
{
    struct seen *seen = context;

    seen->count++;
    seen->last = *entry;
    snprintf(seen->event, sizeof(seen->event), "%s", entry->event);
    snprintf(seen->what, sizeof(seen->what), "%s", entry->what ? entry->what : "-");
    snprintf(seen->why, sizeof(seen->why), "%s", entry->why ? entry->why : "-");
}

TEST(lines_come_back)
{
    GUID one = {.Data1 = 1}, two = {.Data1 = 2};
    struct seen seen = {0};

    EXPECT(!history_read(test_directory(), NULL, see, &seen));
    history_add(test_directory(), &one, "begun", "a\n\"b\".json", NULL, 7);
    history_add(test_directory(), &two, "begun", NULL, NULL, 0);
    history_add(test_directory(), &one, "rolled back", NULL, "no \xff space", 0);
    EXPECT(history_read(test_directory(), NULL, see, &seen));
    EXPECT_EQ(3, seen.count);
    seen.count = 0;
    EXPECT(history_read(test_directory(), "00000001-0000-0000-0000-000000000000", see, &seen));
    EXPECT_EQ(2, seen.count);
    EXPECT_TEXT("rolled back", seen.event);
    EXPECT_TEXT("no \\xFF space", seen.why);
    EXPECT(seen.last.time <= time(NULL) && seen.last.time > time(NULL) - 60);
    EXPECT_EQ(getpid(), seen.last.process);
}

TEST(lines_that_are_not_ours_are_passed_over)
{
    static const char lines[] =
        "\n{}\n[1]\nnull\n{\"transaction\":7,\"event\":8}\n{\"transaction\":\"x\",\"event\":\"y\"}"
        "\n"
        "not json\n{\"transaction\":\"00000001-0000-0000-0000-000000000000\",\"event\":\"begun\"}\n"
        "{\"transaction\":\"00000001-0000-0000-0000-000000000000\",\"event\":";
    struct seen seen = {0};
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s/history", test_directory());
    file = fopen(path, "w");
    EXPECT(file && fputs(lines, file) >= 0 && fclose(file) == 0);
    EXPECT(history_read(test_directory(), NULL, see, &seen));
    EXPECT_EQ(1, seen.count);
    EXPECT_TEXT("begun", seen.event);
}

TEST(it_stays_bounded)
{
    GUID guid = {.Data1 = 1};
    char why[8000], path[600];
    struct seen seen = {0};
    struct stat info;

    memset(why, 'x', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    for (int i = 0; i < 600; i++)
        history_add(test_directory(), &guid, "rolled back", NULL, why, 0);
    snprintf(path, sizeof(path), "%s/history", test_directory());
    EXPECT(stat(path, &info) == 0 && info.st_size < HISTORY_SIZE_MAX + 10000);
    EXPECT((info.st_mode & 07777) == 0600);
    strcat(path, ".old");
    EXPECT(stat(path, &info) == 0 && info.st_size < HISTORY_SIZE_MAX + 10000);
    EXPECT(history_read(test_directory(), NULL, see, &seen));
    EXPECT(seen.count > 130 && seen.count < 600);
}
