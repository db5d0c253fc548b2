/* SPDX-License-Identifier: MIT */
/*
 * The withheld frame: what of SQLite's write-ahead log has to be known to commit later.
 *
 * A log is a header and frames, each one page. A frame that closes a transaction carries a mark,
 * and without it all frames before it, back to the last mark, are nothing to any reader. So the
 * frame with the mark is kept back, stored in a file of its own, and written to its place when the
 * transaction is committed.
 *
 * The checksum of a frame goes on from that of the frame before it, back to the header, whose salt
 * is another one each time the log begins anew. So the frame itself proves whether the log in front
 * of it is still the one it was made for: not cut off, not written over, not begun anew.
 *
 * The file (docs/format/sqlite-frame.md) begins with zeros. In the place of a rollback journal that
 * is one whose transaction is over, which SQLite ignores.
 */
#pragma once

#include "base/bytes.h"
#include "rm/sqlite/words.h"
#include "sys/tree.h"

#define FRAME_HEAD_SIZE 24
#define FRAME_SIZE_MAX  (FRAME_HEAD_SIZE + 65536)

struct frame {
    uint64_t offset; /* in the log */
    size_t size;     /* the head and the page; 0: there is none */
    uint8_t *at;     /* owned */
};

void frame_deinit(struct frame *frame);
#define owned_frame __attribute__((cleanup(frame_deinit)))

/* Whether this write begins a frame with a mark. */
bool frame_is_marked(const void *from, size_t size, uint64_t offset);
static inline bool
frame_covers(const struct frame *frame, size_t size, uint64_t offset)
{
    return frame->size && offset >= frame->offset && size <= frame->size &&
           offset - frame->offset <= frame->size - size;
}

/* What becomes of a write while the frame is kept back. */
enum frame_write {
    FRAME_ELSEWHERE, /* it is not part of the frame: to be written */
    FRAME_KEPT,
    FRAME_REFUSED, /* nothing that SQLite does; or no memory */
};
enum frame_write frame_keep(struct frame *frame, const void *from, size_t size, uint64_t offset);

/* The head and one page: what SQLite writes for a commit unless it pads its log. */
bool frame_is_whole(const struct frame *frame);

/* The file. When 'load' says RM_METADATA_CORRUPT, it was never made whole, or is damaged. */
NTSTATUS frame_store(struct tree *tree, int at, const char *name,
                     const struct frame *frame) must_use;
NTSTATUS frame_load(struct tree *tree, int at, const char *name, struct frame *out) must_use;
/* Whether there is one by that name, whole or not. */
bool frame_is_stored(struct tree *tree, int at, const char *name);

/* Looks for the frame in the log 'name'. Answers: RM_METADATA_CORRUPT (the log is not the one the
 * frame was made for, or goes on after it with somebody else's transaction). 'from_start': proves
 * the whole log, not only the link to the frame before this one. */
NTSTATUS frame_find(struct tree *tree, int at, const char *name, const struct frame *frame,
                    bool from_start, bool *is_there) must_use;
/* Writes it to its place, durably. */
NTSTATUS frame_write(struct tree *tree, int at, const char *name,
                     const struct frame *frame) must_use;
