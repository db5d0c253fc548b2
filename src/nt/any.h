/* SPDX-License-Identifier: MIT */
/*
 * An object of any kind: the four of the engine, and the two that are no business of the engine's,
 * events and completion ports. Who does not care which calls these.
 */
#pragma once

#include "core/object.h"

/* The kinds that are our own. */
enum own_kind { OBJECT_EVENT = OBJECT_EN + 1, OBJECT_PORT };

void any_hold(struct object *object); /* the caller holds it already */
void any_release(struct object *object);
/* One more handle to an object the caller holds. Answers: TRANSACTION_OBJECT_EXPIRED. */
NTSTATUS any_handle_open(struct object *object) must_use;
/* One handle less; the last one has its effects: the CLOSE family, or the end of a port. */
void any_handle_close(struct object *object);
bool any_is_expired(struct object *object);

/* ---- waiting ---- */

/* An object as a handle names it: what was closed since 'epoch' has expired (engine_wait_since). */
struct waited {
    struct object *object;
    uint32_t epoch;
};

/* Until the object is signalled; 'takes': an event that resets itself is reset by it. Answers:
 * SUCCESS, TIMEOUT, TRANSACTION_OBJECT_EXPIRED, ABANDONED_WAIT_0 (an event or a port lost its last
 * handle). */
NTSTATUS any_wait(const struct waited *waited, uint64_t deadline, bool takes);
/* Takes all, if all are signalled at this moment. Answers: SUCCESS, TIMEOUT (they are not),
 * those of any_wait. */
NTSTATUS any_take_all(const struct waited *waited, size_t count);
/* For who waits for one of several (engine_watch_begin). */
struct engine_watch;
void any_watch_begin(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word);
void any_watch_end(struct engine_watch *watch);
/* A descriptor, readable while the object is signalled; made once, closed with the object. */
NTSTATUS any_wait_fd(struct object *object, int *fd) must_use;
