/* SPDX-License-Identifier: MIT */
/*
 * Objects of this room: what events and completion ports have in common. Both are born with one
 * handle, and a hold for it.
 *
 * Their signal word is that of struct object: SIGNAL_SET, and a count above SIGNAL_COUNT, so that
 * everything that happens changes the word. One lock guards handles, signals and descriptors of
 * all, so that several events can be taken at one moment; it is a leaf: nothing is locked inside
 * it, and it may be taken under any other lock.
 */
#pragma once

#include "nt/any.h"

static inline bool
is_own(const struct object *object)
{
    return object->kind > OBJECT_EN;
}

void own_init(struct object *object, enum own_kind kind);
void own_begin_anew(void); /* in a forked child */
void own_lock(void);
void own_unlock(void);
/* Under the lock. */
void own_signal(struct object *object);
void own_unsignal(struct object *object);
/* The last handle is gone: who waits through one that was closed is let go, for nobody may ever
 * signal the object again. */
void own_expire(struct object *object);
/* After any of them, without the lock: wakes who waits. */
void own_wake(struct object *object);

/* ---- event.c ---- */

/* Signals the event; resets it. Both say whether it was signalled. */
bool event_set(struct object *event);
bool event_reset(struct object *event);
bool event_resets_itself(const struct object *event);
void event_destroy(struct object *event);

/* ---- port.c ---- */

struct engine_port;
struct engine_port *port_face(struct object *port); /* what the engine knows of it */
void port_closed(struct object *port);              /* the last handle is gone */
void port_destroy(struct object *port);
