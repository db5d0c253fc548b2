/* SPDX-License-Identifier: MIT */
/*
 * The slots and the lists of free ones.
 *
 * Free slots are kept in several stacks; a thread prefers its own, so threads that make and close
 * handles all day seldom meet. A stack's head carries a tag that changes with each push and pop, so
 * a thread that was away between reading the top and replacing it notices (the ABA problem).
 *
 * Invariants: (1) object, access and epoch of a slot change only while no bit of LIVE is set and
 *                 nobody uses it; (2) a generation is used once: a slot whose generations are
 *                 used up is not used again; (3) a slot is free exactly when it is not LIVE, has no
 *                 user and is on one stack (or was retired by (2), or is reserved).
 */
#include "nt/handle.h"

#include <stdlib.h>

#include "nt/own.h"
#include "nt/nt.h"
#include "sys/sys.h"
#include "sys/thread.h"

/* The state word. */
#define USERS           0xffffffull /* calls that use the slot */
#define LIVE            (1ull << 24)
#define CLOSING         (1ull << 25) /* closed, but a call still uses it */
#define FLAG_SHIFT      26           /* four bits: enum handle_flags */
#define FLAGS           (15ull << FLAG_SHIFT)
#define GENERATION      (1ull << 30) /* counts from here up */
#define GENERATION_BITS 34

/* The value of a handle. */
#define INDEX_SHIFT      2
#define INDEX_BITS       24
#define GENERATION_SHIFT (INDEX_SHIFT + INDEX_BITS)

#define CHUNK_SLOTS 1024u
#define CHUNKS      ((1u << INDEX_BITS) / CHUNK_SLOTS)
#define STRIPES     16u

static_assert(30 + GENERATION_BITS == 64, "the generation fills the state word");
static_assert(GENERATION_SHIFT + GENERATION_BITS < 63, "a handle is never INVALID_HANDLE_VALUE");
static_assert(sizeof(struct handle) == 32, "two slots to a cache line");

/* A stack of free slots: tag above, index + 1 below; 0 there says empty. */
struct stripe {
    _Alignas(64) _Atomic uint64_t head;
};
#define HEAD_INDEX 0x1ffffffull
#define HEAD_TAG   0x2000000ull

static struct {
    struct handle *_Atomic chunks[CHUNKS];
    struct stripe stripes[STRIPES];
    struct sys_mutex growth; /* held while a chunk is added; inside it nothing else is locked */
    uint32_t chunk_count;    /* under 'growth' */
    uint64_t generation;     /* of new slots, in its place in the state; 0: the first */
    bool is_forked;          /* and has no slots yet */
    _Atomic uint32_t threads;
} table = {.growth = {PTHREAD_MUTEX_INITIALIZER}};

static struct handle *
slot_at(uint32_t index)
{
    struct handle *chunk =
        atomic_load_explicit(&table.chunks[index / CHUNK_SLOTS], memory_order_acquire);

    return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

/* ---- free slots -------------------------------------------------------------------------------
 */

static uint32_t
own_stripe(void)
{
    static _Thread_local uint32_t own; /* 0: not chosen yet */

    if (own == 0)
        own = 1 + atomic_fetch_add_explicit(&table.threads, 1, memory_order_relaxed) % STRIPES;
    return own - 1;
}

/* Pushes the slots from 'first' to 'last', which are linked already. */
static void
stripe_push(struct stripe *stripe, struct handle *first, struct handle *last)
{
    uint64_t head = atomic_load_explicit(&stripe->head, memory_order_relaxed);
    uint64_t next;

    do {
        atomic_store_explicit(&last->next, (uint32_t)(head & HEAD_INDEX), memory_order_relaxed);
        next = (head & ~HEAD_INDEX) + HEAD_TAG + first->index + 1;
    } while (!atomic_compare_exchange_weak_explicit(&stripe->head, &head, next,
                                                    memory_order_release, memory_order_relaxed));
}

static struct handle *
stripe_pop(struct stripe *stripe)
{
    uint64_t head = atomic_load_explicit(&stripe->head, memory_order_acquire);
    struct handle *slot;
    uint64_t next;

    do {
        if ((head & HEAD_INDEX) == 0)
            return NULL;
        slot = slot_at((uint32_t)(head & HEAD_INDEX) - 1);
        CHECK(slot); /* its chunk was there when it was pushed */
        next = (head & ~HEAD_INDEX) + HEAD_TAG +
               atomic_load_explicit(&slot->next, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&stripe->head, &head, next,
                                                    memory_order_acquire, memory_order_acquire));
    return slot;
}

/* So that the parent's values are none here: theirs are counted from 1. */
static void
choose_generation(void)
{
    uint64_t random;

    if (table.is_forked) {
        sys_random(sys_linux(), &random, sizeof(random));
        table.generation = (1 + random % (1ull << (GENERATION_BITS - 1))) * GENERATION;
        table.is_forked = false;
    }
}

/* Adds a chunk; all its slots but the first go to the thread's own stripe. NULL: no memory. */
static struct handle *
table_grow(void)
{
    struct handle *chunk = NULL;

    sys_mutex_lock(&table.growth);
    if (table.chunk_count < CHUNKS)
        chunk = aligned_alloc(64, CHUNK_SLOTS * sizeof(*chunk));
    if (chunk) {
        choose_generation();
        for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
            chunk[i] = (struct handle){.index = table.chunk_count * CHUNK_SLOTS + i};
            atomic_init(&chunk[i].state, table.generation ? table.generation : GENERATION);
            atomic_init(&chunk[i].next, chunk[i].index + 2);
        }
        atomic_store_explicit(&table.chunks[table.chunk_count], chunk, memory_order_release);
        table.chunk_count++;
        stripe_push(&table.stripes[own_stripe()], &chunk[1], &chunk[CHUNK_SLOTS - 1]);
    }
    sys_mutex_unlock(&table.growth);
    return chunk;
}

NTSTATUS
handle_reserve(struct handle **out)
{
    uint32_t own = own_stripe();
    struct handle *slot = NULL;

    for (uint32_t i = 0; i < STRIPES && !slot; i++)
        slot = stripe_pop(&table.stripes[(own + i) % STRIPES]);
    if (!slot)
        slot = table_grow();
    if (!slot)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *out = slot;
    return STATUS_SUCCESS;
}

void
handle_unreserve(struct handle *slot)
{
    if (slot)
        stripe_push(&table.stripes[own_stripe()], slot, slot);
}

/* The last user of a closed slot has gone. */
static void
slot_free(struct handle *slot, uint64_t state)
{
    struct object *object = slot->object;

    slot->object = NULL;
    state &= ~(USERS | LIVE | CLOSING | FLAGS);
    if (state + GENERATION > state) { /* invariant (2) */
        atomic_store_explicit(&slot->state, state + GENERATION, memory_order_relaxed);
        stripe_push(&table.stripes[own_stripe()], slot, slot);
    } else {
        atomic_store_explicit(&slot->state, 0, memory_order_relaxed);
    }
    any_release(object);
}

/* ---- handles ----------------------------------------------------------------------------------
 */

HANDLE
handle_publish(struct handle *slot, struct object *object, ACCESS_MASK access, unsigned flags)
{
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

    CHECK((state & (USERS | LIVE | CLOSING | FLAGS)) == 0);
    CHECK(object);
    any_hold(object); /* the slot's own, see handle.h */
    slot->object = object;
    slot->access = access;
    if (is_own(object))
        flags |= HANDLE_OWN;
    slot->epoch = atomic_load_explicit(&object->epoch, memory_order_relaxed);
    atomic_store_explicit(&slot->state, state | LIVE | (uint64_t)flags << FLAG_SHIFT,
                          memory_order_release);
    return (HANDLE)(uintptr_t)((state / GENERATION) << GENERATION_SHIFT | (uint64_t)slot->index
                                                                              << INDEX_SHIFT);
}

/* The slot of a well-formed value, and the generation the value names, in its place in the state.
 */
static struct handle *
slot_named(HANDLE value, uint64_t *generation)
{
    uint64_t bits = (uintptr_t)value;

    *generation = (bits >> GENERATION_SHIFT) * GENERATION;
    if ((bits & ((1u << INDEX_SHIFT) - 1)) || bits >> (GENERATION_SHIFT + GENERATION_BITS))
        return NULL;
    return slot_at((bits >> INDEX_SHIFT) & ((1u << INDEX_BITS) - 1));
}

static bool
state_is(uint64_t state, uint64_t generation)
{
    return (state & ~(GENERATION - 1)) == generation && (state & (LIVE | CLOSING)) == LIVE;
}

NTSTATUS
handle_acquire(HANDLE value, struct handle **out)
{
    uint64_t generation;
    struct handle *slot = slot_named(value, &generation);
    uint64_t state;

    if (!slot)
        return status_raise(STATUS_INVALID_HANDLE);
    state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    do {
        if (!state_is(state, generation))
            return status_raise(STATUS_INVALID_HANDLE);
    } while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, state + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    *out = slot;
    return STATUS_SUCCESS;
}

void
handle_release(struct handle *slot)
{
    uint64_t state;

    if (!slot)
        return;
    state = atomic_fetch_sub_explicit(&slot->state, 1, memory_order_acq_rel) - 1;
    if ((state & CLOSING) && (state & USERS) == 0)
        slot_free(slot, state);
}

bool
handle_is_expired(const struct handle *slot)
{
    return slot->epoch != atomic_load_explicit(&slot->object->epoch, memory_order_relaxed);
}

unsigned
handle_flags(const struct handle *slot)
{
    uint64_t state = atomic_load_explicit(&((struct handle *)slot)->state, memory_order_relaxed);

    return (unsigned)((state & FLAGS) >> FLAG_SHIFT);
}

NTSTATUS
handle_close(HANDLE value, struct handle **out)
{
    uint64_t generation;
    struct handle *slot = slot_named(value, &generation);
    uint64_t state;

    if (!slot)
        return status_raise(STATUS_INVALID_HANDLE);
    state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    do {
        if (!state_is(state, generation))
            return status_raise(STATUS_INVALID_HANDLE);
        if (state & ((uint64_t)HANDLE_PROTECTED << FLAG_SHIFT))
            return status_raise(STATUS_HANDLE_NOT_CLOSABLE); /* [GEN-10] */
    } while (!atomic_compare_exchange_weak_explicit(&slot->state, &state, (state | CLOSING) + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    *out = slot;
    return STATUS_SUCCESS;
}

void
handle_begin_anew(void)
{
    for (uint32_t i = 0; i < CHUNKS && atomic_load(&table.chunks[i]); i++)
        atomic_store(&table.chunks[i], NULL); /* calls of other threads may have been using it */
    for (uint32_t i = 0; i < STRIPES; i++)
        atomic_store(&table.stripes[i].head, 0);
    sys_mutex_init(&table.growth);
    table.chunk_count = 0;
    table.is_forked = true;
}

uint32_t
handle_count(void)
{
    uint32_t count = 0;

    sys_mutex_lock(&table.growth);
    for (uint32_t i = 0; i < table.chunk_count * CHUNK_SLOTS; i++)
        count += (atomic_load_explicit(&slot_at(i)->state, memory_order_relaxed) & LIVE) != 0;
    sys_mutex_unlock(&table.growth);
    return count;
}

void
handle_forget_all(void)
{
    sys_mutex_lock(&table.growth);
    for (uint32_t i = 0; i < table.chunk_count * CHUNK_SLOTS; i++) {
        struct handle *slot = slot_at(i);
        uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

        if ((state & LIVE) == 0)
            continue;
        CHECK((state & (USERS | CLOSING)) == 0);
        if (handle_flags(slot) & HANDLE_OWN) { /* the others went with the engine */
            any_handle_close(slot->object);
            any_release(slot->object);
        }
        slot->object = NULL;
        state = (state & ~(LIVE | FLAGS)) + GENERATION;
        atomic_store_explicit(&slot->state, state, memory_order_relaxed);
        stripe_push(&table.stripes[own_stripe()], slot, slot);
    }
    sys_mutex_unlock(&table.growth);
}

__attribute__((constructor)) static void
watch(void)
{
    nt_watch_forks();
}
