/* SPDX-License-Identifier: MIT */
/* The withheld frame of a write-ahead log. */
#include "rm/sqlite/frame.h"

#include <stdlib.h>

/* The log (sqlite.org/fileformat2.html, "The Write-Ahead Log"); numbers are big-endian. */
#define LOG_HEAD_SIZE 32
#define LOG_MAGIC     0x377f0682 /* | 1: the words of checksums are big-endian */
#define LOG_PAGE      8
#define LOG_SALT      16
#define LOG_SUM       24
#define FRAME_MARK    4 /* the size of the database in pages after the transaction; 0: none */
#define FRAME_SALT    8
#define FRAME_SUM     16
#define FRAME_SUMMED  8 /* so much of the head is in the checksum, then the page */

/* The file; numbers are little-endian. */
#define FILE_ZEROS  32
#define FILE_MAGIC  32
#define FILE_OFFSET 48
#define FILE_SIZE   56
#define FILE_CRC    60
#define FILE_FRAME  64

static const char file_magic[16] = "ktm wal frame 1";

void
frame_deinit(struct frame *frame)
{
    free(frame->at);
    *frame = (struct frame){.size = 0};
}

/* ---- keeping it back ---- */

static uint32_t
be32_get(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool
is_page_size(size_t size)
{
    return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* SQLite writes the head first, and no page is as small; with the page it would be as good. */
bool
frame_is_marked(const void *from, size_t size, uint64_t offset)
{
    return offset >= LOG_HEAD_SIZE && size >= FRAME_HEAD_SIZE &&
           (size == FRAME_HEAD_SIZE || is_page_size(size - FRAME_HEAD_SIZE)) &&
           be32_get((const uint8_t *)from + FRAME_MARK) != 0;
}

bool
frame_is_whole(const struct frame *frame)
{
    return frame->size > FRAME_HEAD_SIZE && is_page_size(frame->size - FRAME_HEAD_SIZE);
}

static enum frame_write
keep_more(struct frame *frame, const void *from, size_t size)
{
    uint8_t *more;

    if (frame->size + size > FRAME_SIZE_MAX)
        return FRAME_REFUSED;
    more = realloc(frame->at, frame->size + size);
    if (!more)
        return FRAME_REFUSED;
    memcpy(more + frame->size, from, size);
    frame->at = more;
    frame->size += size;
    return FRAME_KEPT;
}

enum frame_write
frame_keep(struct frame *frame, const void *from, size_t size, uint64_t offset)
{
    if (!frame->size) {
        if (!frame_is_marked(from, size, offset))
            return FRAME_ELSEWHERE;
        frame->offset = offset;
        return keep_more(frame, from, size);
    }
    if (offset + size <= frame->offset)
        return FRAME_ELSEWHERE;
    if (offset == frame->offset + frame->size)
        return keep_more(frame, from, size);
    if (!frame_covers(frame, size, offset))
        return FRAME_REFUSED;
    memcpy(frame->at + (offset - frame->offset), from, size); /* a checksum is made anew */
    return FRAME_KEPT;
}

/* ---- the file ---- */

static uint32_t
file_crc(const uint8_t *head, const struct frame *frame)
{
    return crc32c(crc32c(0, head, FILE_CRC), frame->at, frame->size);
}

NTSTATUS
frame_store(struct tree *tree, int at, const char *name, const struct frame *frame)
{
    uint8_t head[FILE_FRAME] = {0};
    owned_fd int fd = TREE_NOWHERE;

    memcpy(head + FILE_MAGIC, file_magic, sizeof(file_magic));
    le64_put(head + FILE_OFFSET, frame->offset);
    le32_put(head + FILE_SIZE, (uint32_t)frame->size);
    le32_put(head + FILE_CRC, file_crc(head, frame));
    TRY(tree_file_create(tree, at, name, 0600, &fd));
    TRY(tree_write(tree, fd, head, sizeof(head), 0));
    TRY(tree_write(tree, fd, frame->at, frame->size, sizeof(head)));
    return tree_sync(tree, fd);
}

static bool
is_head(const uint8_t *head, size_t size)
{
    static const uint8_t zeros[FILE_ZEROS];

    return size == FILE_FRAME && memcmp(head, zeros, FILE_ZEROS) == 0 &&
           memcmp(head + FILE_MAGIC, file_magic, sizeof(file_magic)) == 0;
}

bool
frame_is_stored(struct tree *tree, int at, const char *name)
{
    owned_fd int fd = TREE_NOWHERE;
    uint8_t head[FILE_FRAME];
    size_t got;

    return tree_open(tree, at, name, TREE_OPEN_READ, &fd) == STATUS_SUCCESS &&
           tree_read(tree, fd, head, sizeof(head), 0, &got) == STATUS_SUCCESS && is_head(head, got);
}

NTSTATUS
frame_load(struct tree *tree, int at, const char *name, struct frame *out)
{
    owned_frame struct frame frame = {.size = 0};
    owned_fd int fd = TREE_NOWHERE;
    uint8_t head[FILE_FRAME];
    size_t got;

    TRY(tree_open(tree, at, name, TREE_OPEN_READ, &fd));
    TRY(tree_read(tree, fd, head, sizeof(head), 0, &got));
    if (!is_head(head, got) || le64_get(head + FILE_OFFSET) < LOG_HEAD_SIZE ||
        le32_get(head + FILE_SIZE) > FRAME_SIZE_MAX)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    frame.offset = le64_get(head + FILE_OFFSET);
    frame.size = le32_get(head + FILE_SIZE);
    if (!frame_is_whole(&frame))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    frame.at = malloc(frame.size);
    if (!frame.at)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    TRY(tree_read(tree, fd, frame.at, frame.size, sizeof(head), &got));
    if (got != frame.size || file_crc(head, &frame) != le32_get(head + FILE_CRC))
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    *out = frame;
    frame.at = NULL;
    return STATUS_SUCCESS;
}

/* ---- the log ---- */

struct log {
    struct tree *tree;
    int fd;
    uint8_t head[LOG_HEAD_SIZE];
    bool is_big; /* the words of checksums */
    size_t frame_size;
    uint32_t sum[2]; /* of all before the next frame */
    uint8_t *next;   /* that frame, as read last */
};

/* As SQLite does it, over pairs of words. */
static void
sum_continue(bool is_big, const uint8_t *at, size_t size, uint32_t sum[2])
{
    for (size_t i = 0; i + 8 <= size; i += 8) {
        sum[0] += (is_big ? be32_get(at + i) : le32_get(at + i)) + sum[1];
        sum[1] += (is_big ? be32_get(at + i + 4) : le32_get(at + i + 4)) + sum[0];
    }
}

static bool
sum_is(const uint32_t sum[2], const uint8_t *stored)
{
    return sum[0] == be32_get(stored) && sum[1] == be32_get(stored + 4);
}

/* Whether the frame goes on where 'sum' ends; then 'sum' goes on, too. */
static bool
goes_on(const struct log *log, const uint8_t *frame, uint32_t sum[2])
{
    uint32_t next[2] = {sum[0], sum[1]};

    sum_continue(log->is_big, frame, FRAME_SUMMED, next);
    sum_continue(log->is_big, frame + FRAME_HEAD_SIZE, log->frame_size - FRAME_HEAD_SIZE, next);
    if (memcmp(frame + FRAME_SALT, log->head + LOG_SALT, 8) != 0 || be32_get(frame) == 0 ||
        !sum_is(next, frame + FRAME_SUM))
        return false;
    memcpy(sum, next, sizeof(next));
    return true;
}

static NTSTATUS
log_read_next(struct log *log, uint64_t offset, bool *is_whole)
{
    size_t got;

    TRY(tree_read(log->tree, log->fd, log->next, log->frame_size, offset, &got));
    *is_whole = got == log->frame_size;
    return STATUS_SUCCESS;
}

/* Answers: RM_METADATA_CORRUPT. */
static NTSTATUS
log_start(struct log *log, const struct frame *frame)
{
    size_t got;

    TRY(tree_read(log->tree, log->fd, log->head, sizeof(log->head), 0, &got));
    if (got != sizeof(log->head) || (be32_get(log->head) & ~1u) != LOG_MAGIC ||
        be32_get(log->head + LOG_PAGE) != frame->size - FRAME_HEAD_SIZE)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    log->is_big = be32_get(log->head) & 1;
    sum_continue(log->is_big, log->head, LOG_SUM, log->sum);
    if (!sum_is(log->sum, log->head + LOG_SUM) ||
        (frame->offset - LOG_HEAD_SIZE) % log->frame_size != 0)
        return status_raise(STATUS_RM_METADATA_CORRUPT);
    return STATUS_SUCCESS;
}

/* Up to the frame. Answers: RM_METADATA_CORRUPT. */
static NTSTATUS
log_prove(struct log *log, const struct frame *frame)
{
    uint32_t sum[2];
    bool is_whole;

    for (uint64_t at = LOG_HEAD_SIZE; at < frame->offset; at += log->frame_size) {
        TRY(log_read_next(log, at, &is_whole));
        if (!is_whole || !goes_on(log, log->next, log->sum))
            return status_raise(STATUS_RM_METADATA_CORRUPT);
    }
    memcpy(sum, log->sum, sizeof(sum));
    return goes_on(log, frame->at, sum) ? STATUS_SUCCESS : status_raise(STATUS_RM_METADATA_CORRUPT);
}

/* The frame in front of it alone. Answers: RM_METADATA_CORRUPT. */
static NTSTATUS
log_prove_link(struct log *log, const struct frame *frame)
{
    bool is_whole = true;
    uint32_t sum[2] = {log->sum[0], log->sum[1]};

    if (frame->offset > LOG_HEAD_SIZE) {
        TRY(log_read_next(log, frame->offset - log->frame_size, &is_whole));
        sum[0] = be32_get(log->next + FRAME_SUM);
        sum[1] = be32_get(log->next + FRAME_SUM + 4);
    }
    return is_whole && goes_on(log, frame->at, sum) ? STATUS_SUCCESS
                                                    : status_raise(STATUS_RM_METADATA_CORRUPT);
}

/* Frames of a transaction that was rolled back may still go on here, to no mark; a mark that is not
 * ours is somebody else's transaction. */
static NTSTATUS
log_look_behind(struct log *log, const struct frame *frame, bool *is_there)
{
    bool is_whole;

    for (uint64_t at = frame->offset;; at += log->frame_size) {
        TRY(log_read_next(log, at, &is_whole));
        *is_there =
            is_whole && at == frame->offset && memcmp(log->next, frame->at, frame->size) == 0;
        if (*is_there || !is_whole || !goes_on(log, log->next, log->sum))
            return STATUS_SUCCESS;
        if (be32_get(log->next + FRAME_MARK) != 0)
            return status_raise(STATUS_RM_METADATA_CORRUPT);
    }
}

static NTSTATUS
log_open(struct tree *tree, int at, const char *name, enum tree_open how, int *fd)
{
    NTSTATUS status = tree_open(tree, at, name, how, fd);

    /* Nobody removes a log with a transaction in it, and it cannot be used without. */
    return status == STATUS_OBJECT_NAME_NOT_FOUND ? status_raise(STATUS_RM_METADATA_CORRUPT)
                                                  : status;
}

NTSTATUS
frame_find(struct tree *tree, int at, const char *name, const struct frame *frame, bool from_start,
           bool *is_there)
{
    struct log log = {.tree = tree, .frame_size = frame->size};
    owned_fd int fd = TREE_NOWHERE;
    NTSTATUS status;

    TRY(log_open(tree, at, name, TREE_OPEN_READ, &fd));
    log.fd = fd;
    log.next = malloc(frame->size);
    if (!log.next)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *is_there = false;
    status = log_start(&log, frame);
    if (status == STATUS_SUCCESS)
        status = from_start ? log_prove(&log, frame) : log_prove_link(&log, frame);
    if (status == STATUS_SUCCESS && from_start)
        status = log_look_behind(&log, frame, is_there);
    free(log.next);
    return status;
}

NTSTATUS
frame_write(struct tree *tree, int at, const char *name, const struct frame *frame)
{
    owned_fd int fd = TREE_NOWHERE;

    TRY(log_open(tree, at, name, TREE_OPEN_WRITE, &fd));
    TRY(tree_write(tree, fd, frame->at, frame->size, frame->offset));
    return tree_sync(tree, fd);
}
