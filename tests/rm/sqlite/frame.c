/* SPDX-License-Identifier: MIT */
/* The frame that is kept back, against logs made here, in both byte orders. */
#include "rm/sqlite/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/test.h"

#define PAGE   512
#define FRAME  (FRAME_HEAD_SIZE + PAGE)
#define FRAMES 3 /* the last one is kept back */
#define LOG    (32 + FRAMES * FRAME)

struct shelf {
    int at;
    uint8_t log[LOG];
    struct frame frame;
};

static void
be32_put(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* After sqlite.org/fileformat2.html, section 4.2. */
static void
sum(bool is_big, const uint8_t *at, size_t size, uint32_t s[2])
{
    for (size_t i = 0; i < size; i += 4) {
        uint32_t word = 0;

        for (int b = 0; b < 4; b++)
            word |= (uint32_t)at[i + (size_t)b] << (is_big ? 24 - 8 * b : 8 * b);
        s[i / 4 % 2] += word + s[1 - i / 4 % 2];
    }
}

static void
sum_put(uint8_t *at, const uint32_t s[2])
{
    be32_put(at, s[0]);
    be32_put(at + 4, s[1]);
}

static void
put_on(struct shelf *shelf, const void *content, size_t size)
{
    int fd = openat(shelf->at, "wal", O_CREAT | O_TRUNC | O_WRONLY, 0600);

    EXPECT_EQ((ssize_t)size, write(fd, content, size));
    close(fd);
}

/* Frames, each with a mark or without, and filled with a byte. */
struct content {
    uint32_t mark;
    uint8_t fill;
};

static void
log_make(uint8_t log[LOG], bool is_big, const struct content *contents, size_t count)
{
    uint32_t s[2] = {0, 0};

    be32_put(log, 0x377f0682 + is_big);
    be32_put(log + 4, 3007000);
    be32_put(log + 8, PAGE);
    for (int i = 12; i < 24; i++)
        log[i] = (uint8_t)(3 * i);
    sum(is_big, log, 24, s);
    sum_put(log + 24, s);
    for (size_t i = 0; i < count; i++) {
        uint8_t *frame = log + 32 + i * FRAME;

        be32_put(frame, 1);
        be32_put(frame + 4, contents[i].mark);
        memcpy(frame + 8, log + 16, 8);
        for (unsigned byte = 0; byte < PAGE; byte++)
            frame[FRAME_HEAD_SIZE + byte] = (uint8_t)(byte * 7 + contents[i].fill);
        sum(is_big, frame, 8, s);
        sum(is_big, frame + FRAME_HEAD_SIZE, PAGE, s);
        sum_put(frame + 16, s);
    }
}

/* A log whose last frame is kept back. */
static void
shelf_set(struct shelf *shelf, bool is_big)
{
    static const struct content contents[FRAMES] = {{7, 1}, {0, 2}, {7, 3}};

    shelf->at = open(test_directory(), O_RDONLY | O_DIRECTORY);
    log_make(shelf->log, is_big, contents, FRAMES);
    shelf->frame =
        (struct frame){.offset = LOG - FRAME, .size = FRAME, .at = shelf->log + LOG - FRAME};
    put_on(shelf, shelf->log, LOG - FRAME);
}

static NTSTATUS
find(struct shelf *shelf, bool *is_there)
{
    return frame_find(tree_linux(), shelf->at, "wal", &shelf->frame, true, is_there);
}

TEST(a_frame_finds_its_place_and_is_found_there)
{
    for (int is_big = 0; is_big < 2; is_big++) {
        struct shelf shelf;
        uint8_t whole[LOG];
        bool is_there;
        int fd;

        shelf_set(&shelf, is_big);
        EXPECT_OK(find(&shelf, &is_there));
        EXPECT(!is_there);
        for (int again = 0; again < 2; again++) {
            EXPECT_OK(frame_write(tree_linux(), shelf.at, "wal", &shelf.frame));
            EXPECT_OK(find(&shelf, &is_there));
            EXPECT(is_there);
        }
        fd = openat(shelf.at, "wal", O_RDONLY);
        EXPECT_EQ(LOG, read(fd, whole, LOG));
        EXPECT(memcmp(whole, shelf.log, LOG) == 0);
        close(fd);
        close(shelf.at);
    }
}

TEST(every_byte_of_the_log_that_is_another_one_is_found_out) /* SQ-16 */
{
    struct shelf shelf;
    bool is_there;

    shelf_set(&shelf, false);
    for (size_t i = 0; i < LOG - FRAME; i++) {
        shelf.log[i] ^= 0x10;
        put_on(&shelf, shelf.log, LOG - FRAME);
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, find(&shelf, &is_there));
        shelf.log[i] ^= 0x10;
    }
    for (size_t size = 0; size < LOG - FRAME; size += 7) {
        put_on(&shelf, shelf.log, size);
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, find(&shelf, &is_there));
    }
    EXPECT_EQ(0, unlinkat(shelf.at, "wal", 0));
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT, find(&shelf, &is_there));
    EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                  frame_write(tree_linux(), shelf.at, "wal", &shelf.frame));
    close(shelf.at);
}

TEST(the_link_to_the_frame_before_it_is_checked_where_the_rest_is_known)
{
    struct shelf shelf;
    bool is_there;

    shelf_set(&shelf, false);
    for (size_t size = 0; size <= LOG - FRAME; size += FRAME / 2) {
        put_on(&shelf, shelf.log, size);
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                      frame_find(tree_linux(), shelf.at, "wal", &shelf.frame, false, &is_there));
    }
    put_on(&shelf, shelf.log, LOG - FRAME);
    EXPECT_OK(frame_find(tree_linux(), shelf.at, "wal", &shelf.frame, false, &is_there));
    close(shelf.at);
}

/* In the place of the frame others may have written, or left what they rolled back. */
TEST(somebody_elses_commit_behind_it_is_found_out_and_leftovers_are_none) /* SQ-16 */
{
    static const struct {
        struct content theirs[FRAMES];
        NTSTATUS status;
    } rows[] = {
        {{{7, 1}, {0, 5}, {0, 6}}, STATUS_SUCCESS},
        {{{7, 1}, {7, 5}, {0, 6}}, STATUS_RM_METADATA_CORRUPT},
        {{{7, 1}, {0, 5}, {7, 6}}, STATUS_RM_METADATA_CORRUPT},
        {{{0, 1}, {0, 5}, {0, 6}}, STATUS_RM_METADATA_CORRUPT}, /* not the log in front of it */
    };
    static const struct content ours[] = {{7, 1}, {7, 2}};

    EACH (row, rows) {
        uint8_t theirs[LOG];
        struct shelf shelf;
        bool is_there;

        shelf_set(&shelf, false);
        log_make(shelf.log, false, ours, ARRAY_SIZE(ours));
        shelf.frame.offset = 32 + FRAME;
        shelf.frame.at = shelf.log + 32 + FRAME;
        log_make(theirs, false, row->theirs, FRAMES);
        put_on(&shelf, theirs, LOG);
        EXPECT_STATUS(row->status, find(&shelf, &is_there));
        if (row->status == STATUS_SUCCESS)
            EXPECT(!is_there);
        close(shelf.at);
    }
}

TEST(a_stored_frame_is_whole_or_damaged)
{
    static uint8_t file[64 + FRAME + 8];
    struct frame read = {.size = 0};
    struct shelf shelf;
    ssize_t size;
    int fd;

    shelf_set(&shelf, false);
    EXPECT(!frame_is_stored(tree_linux(), shelf.at, "frame"));
    EXPECT_OK(frame_store(tree_linux(), shelf.at, "frame", &shelf.frame));
    EXPECT(frame_is_stored(tree_linux(), shelf.at, "frame"));
    EXPECT_OK(frame_load(tree_linux(), shelf.at, "frame", &read));
    EXPECT_EQ(shelf.frame.offset, read.offset);
    EXPECT_EQ(FRAME, read.size);
    EXPECT(memcmp(read.at, shelf.frame.at, FRAME) == 0);
    frame_deinit(&read);
    fd = openat(shelf.at, "frame", O_RDWR);
    size = pread(fd, file, sizeof(file), 0);
    EXPECT_EQ(64 + FRAME, size);
    EXPECT_EQ(0, file[0]); /* SQLite looks at this byte of a journal */
    for (ssize_t i = 0; i < size; i++) {
        file[i] ^= 1;
        EXPECT_EQ(1, pwrite(fd, file + i, 1, i));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                      frame_load(tree_linux(), shelf.at, "frame", &read));
        file[i] ^= 1;
        EXPECT_EQ(1, pwrite(fd, file + i, 1, i));
    }
    for (ssize_t cut = size - 1; cut >= 0; cut--) {
        EXPECT_EQ(0, ftruncate(fd, cut));
        EXPECT_STATUS(STATUS_RM_METADATA_CORRUPT,
                      frame_load(tree_linux(), shelf.at, "frame", &read));
    }
    close(fd);
    close(shelf.at);
}

TEST(writes_are_kept_back_from_the_mark_on)
{
    static const uint8_t page[PAGE], other[FRAME_HEAD_SIZE];
    struct frame frame = {.size = 0};
    uint8_t head[FRAME_HEAD_SIZE] = {[3] = 1};

    EXPECT_EQ(FRAME_ELSEWHERE, frame_keep(&frame, page, 32, 0)); /* the head of a log */
    EXPECT_EQ(FRAME_ELSEWHERE, frame_keep(&frame, head, sizeof(head), 32));
    EXPECT_EQ(FRAME_ELSEWHERE, frame_keep(&frame, page, PAGE, 32 + FRAME_HEAD_SIZE));
    head[7] = 1;
    EXPECT_EQ(FRAME_KEPT, frame_keep(&frame, head, sizeof(head), 32 + FRAME));
    EXPECT(!frame_is_whole(&frame));
    EXPECT_EQ(FRAME_KEPT, frame_keep(&frame, page, PAGE, 32 + FRAME + FRAME_HEAD_SIZE));
    EXPECT(frame_is_whole(&frame));
    /* Checksums are made anew: of a frame before it, and its own. */
    EXPECT_EQ(FRAME_ELSEWHERE, frame_keep(&frame, other, sizeof(other), 32));
    EXPECT_EQ(FRAME_KEPT, frame_keep(&frame, other, sizeof(other), 32 + FRAME));
    EXPECT(memcmp(frame.at, other, sizeof(other)) == 0);
    EXPECT_EQ(FRAME_REFUSED, frame_keep(&frame, page, PAGE, 32 + FRAME - 1));
    EXPECT_EQ(FRAME_REFUSED, frame_keep(&frame, page, PAGE, 32 + 2 * FRAME + 1));
    /* A second one behind it: SQLite pads its log. */
    EXPECT_EQ(FRAME_KEPT, frame_keep(&frame, head, sizeof(head), 32 + 2 * FRAME));
    EXPECT(!frame_is_whole(&frame));
    frame_deinit(&frame);
}
