/* SPDX-License-Identifier: MIT */
/*
 * The handle table: which object a 64-bit value stands for, with which rights (design D9).
 *
 * A handle is an index and a generation; a slot that is used again has another generation, so a
 * stale handle finds nothing. Finding, making and closing take no lock: a slot is one atomic word
 * plus fields that do not change while it is live; slots live in chunks that never move.
 *
 * A call *acquires* a slot and *releases* it. Meanwhile another thread may close the handle: that
 * has its effects at once, but the slot, and the hold it keeps on its object, stay until the last
 * call has released it. So no call ever looks at an object that is gone.
 *
 * The value: bits 0-1 are 0, bits 2-25 the index, bits 26-59 the generation, counted from 1. It is
 * therefore never NULL, never INVALID_HANDLE_VALUE, and never a small number.
 */
#pragma once

#include "core/object.h"
#include "ktmbase.h"

/* One slot. The kind of the object says what it is; nothing here knows them (any.h). */
struct handle {
    _Atomic uint64_t state; /* generation, flags, and how many calls use the slot (handle.c) */
    struct object *object;  /* the slot keeps a hold */
    ACCESS_MASK access;
    uint32_t epoch;        /* of the object when the handle was made [CLOSE-RM-03] */
    _Atomic uint32_t next; /* in the list of free slots */
    uint32_t index;
};

enum handle_flags {
    HANDLE_PROTECTED = 1, /* NtClose is refused [GEN-10] */
    HANDLE_INHERITED = 2, /* OBJ_INHERIT [OBJ-04] */
    HANDLE_NAMED = 4,     /* counts for the object's name (nt/name.h) */
    HANDLE_OWN = 8,       /* of an object the engine does not know; set by handle_publish */
};

/* A slot for a handle that is about to be, so that nothing can fail after its object exists.
 * Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS handle_reserve(struct handle **out) must_use;
void handle_unreserve(struct handle *slot); /* NULL: nothing */
/* The slot becomes a handle; takes over one handle of the object (engine.h, "Objects"). */
HANDLE handle_publish(struct handle *slot, struct object *object, ACCESS_MASK access,
                      unsigned flags);

/* Answers: INVALID_HANDLE. */
NTSTATUS handle_acquire(HANDLE value, struct handle **out) must_use;
void handle_release(struct handle *slot); /* NULL: nothing */
OWNED_BY(struct handle, handle_release)
bool handle_is_expired(const struct handle *slot); /* the object's epoch has passed [OBJ-21] */
unsigned handle_flags(const struct handle *slot);

/* From now on the value finds nothing. The caller gets the slot as if acquired, ends what the
 * handle meant to its object, and releases it.
 * Answers: INVALID_HANDLE, HANDLE_NOT_CLOSABLE. */
NTSTATUS handle_close(HANDLE value, struct handle **out) must_use;

/* In a forked child: there are none, and none of the parent's values will be one. */
void handle_begin_anew(void);
/* How many are open; a look, while others open and close. */
uint32_t handle_count(void);
/* For nt_forget_all (nt/nt.h). */
void handle_forget_all(void);
