/* SPDX-License-Identifier: MIT */
/* The handle table by itself: values, stale ones, closing under a call, many threads. */
#include "tests/test.h"

#include <pthread.h>

#include "nt/handle.h"

/* An object that is nobody's: the many holds keep the engine from ever looking inside. */
static struct object
plain_object(void)
{
    struct object object = {.kind = OBJECT_TX};

    atomic_init(&object.holds, 1000000);
    return object;
}

static HANDLE
handle_to(struct object *object, unsigned flags)
{
    struct handle *slot;

    EXPECT_OK(handle_reserve(&slot));
    return handle_publish(slot, object, 0x1f, flags);
}

static void
close_handle(HANDLE value)
{
    struct handle *slot;

    EXPECT_OK(handle_close(value, &slot));
    handle_release(slot);
}

TEST(a_handle_finds_its_object_and_rights) /* GEN-04 */
{
    struct object object = plain_object();
    HANDLE value = handle_to(&object, HANDLE_INHERITED);
    struct handle *slot;

    EXPECT_OK(handle_acquire(value, &slot));
    EXPECT(slot->object == &object);
    EXPECT_EQ(0x1f, slot->access);
    EXPECT_EQ(HANDLE_INHERITED, handle_flags(slot));
    EXPECT(!handle_is_expired(slot));
    object.epoch++;
    EXPECT(handle_is_expired(slot));
    handle_release(slot);
}

TEST(values_are_no_small_numbers_and_no_pseudo_handles)
{
    struct object object = plain_object();

    for (int i = 0; i < 5000; i++) { /* some chunks */
        int64_t value = (int64_t)(intptr_t)handle_to(&object, 0);

        EXPECT(value > UINT16_MAX && value != -1 && value % 4 == 0);
    }
}

TEST(values_made_up_are_refused) /* GEN-04 */
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      8,
                                      0x100,
                                      0xfffc,
                                      0x7fffffff,
                                      0x3fffff0,
                                      UINT64_MAX,
                                      UINT64_MAX - 1,
                                      1ull << 26 | 2,
                                      1ull << 26 | 0xfffff0,
                                      3ull << 26,
                                      1ull << 62,
                                      1ull << 63,
                                      1ull << 61 | 1 << 26};
    struct object object = plain_object();
    HANDLE real = handle_to(&object, 0);
    struct handle *slot;

    EACH (value, values)
        if (*value != (uintptr_t)real) {
            EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_acquire((HANDLE)(uintptr_t)*value, &slot));
            EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_close((HANDLE)(uintptr_t)*value, &slot));
        }
    /* one bit wrong */
    for (int bit = 0; bit < 64; bit++)
        EXPECT_STATUS(STATUS_INVALID_HANDLE,
                      handle_acquire((HANDLE)((uintptr_t)real ^ 1ull << bit), &slot));
    EXPECT_OK(handle_acquire(real, &slot));
    handle_release(slot);
}

TEST(a_stale_handle_is_refused_for_ever) /* GEN-04 GEN-10 */
{
    struct object first = plain_object(), second = plain_object();
    HANDLE stale = handle_to(&first, 0);
    struct handle *slot;

    close_handle(stale);
    for (int i = 0; i < 3000; i++) {
        HANDLE fresh = handle_to(&second, 0); /* the same slot again and again */

        EXPECT(fresh != stale);
        EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_acquire(stale, &slot));
        EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_close(stale, &slot));
        close_handle(fresh);
    }
}

TEST(a_call_keeps_the_object_of_a_handle_closed_meanwhile)
{
    struct object object = plain_object(), other = plain_object();
    uint32_t holds = object.holds;
    HANDLE value = handle_to(&object, 0), fresh;
    struct handle *call, *closing, *none;

    EXPECT_EQ(holds + 1, object.holds);
    EXPECT_OK(handle_acquire(value, &call));
    EXPECT_OK(handle_close(value, &closing));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_acquire(value, &none));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_close(value, &none));
    handle_release(closing);
    EXPECT_EQ(holds + 1, object.holds);
    fresh = handle_to(&other, 0);
    EXPECT(call->object == &object); /* the slot is not used again */
    handle_release(call);
    EXPECT_EQ(holds, object.holds);
    close_handle(fresh);
}

TEST(a_protected_handle_is_not_closed) /* GEN-10 */
{
    struct object object = plain_object();
    HANDLE value = handle_to(&object, HANDLE_PROTECTED);
    struct handle *slot;

    EXPECT_STATUS(STATUS_HANDLE_NOT_CLOSABLE, handle_close(value, &slot));
    EXPECT_OK(handle_acquire(value, &slot));
    handle_release(slot);
}

TEST(a_reserved_slot_can_be_given_back)
{
    struct handle *first, *second;

    EXPECT_OK(handle_reserve(&first));
    handle_unreserve(first);
    EXPECT_OK(handle_reserve(&second));
    EXPECT(first == second);
    handle_unreserve(second);
}

TEST(forgetting_all_makes_all_handles_stale)
{
    struct object object = plain_object();
    HANDLE values[2000];
    struct handle *slot;

    EACH (value, values)
        *value = handle_to(&object, 0);
    handle_forget_all();
    EACH (value, values)
        EXPECT_STATUS(STATUS_INVALID_HANDLE, handle_acquire(*value, &slot));
    EACH (value, values)
        *value = handle_to(&object, 0);
    EACH (value, values)
        close_handle(*value);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

#define SHARED  8
#define THREADS 8
#define TURNS   20000

static struct object objects[SHARED];
static _Atomic(HANDLE) shared[SHARED];

/* Uses handles that others close, and puts new ones in their place: a handle finds its own object
 * or nothing. */
static void *
use_and_replace(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;

    for (int turn = 0; turn < TURNS; turn++) {
        size_t i = (size_t)rand_r(&seed) % SHARED;
        HANDLE value = shared[i];
        struct handle *slot;

        if (handle_acquire(value, &slot) == STATUS_SUCCESS) {
            EXPECT(slot->object == &objects[i]);
            handle_release(slot);
        }
        if (turn % 4 == 0 && handle_close(value, &slot) == STATUS_SUCCESS) {
            EXPECT(slot->object == &objects[i]);
            shared[i] = handle_to(&objects[i], 0);
            handle_release(slot);
        }
    }
    return NULL;
}

TEST(threads_that_use_and_close_one_anothers_handles)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < SHARED; i++) {
        objects[i] = plain_object();
        shared[i] = handle_to(&objects[i], 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_create(&threads[i], NULL, use_and_replace, (void *)(i + 1)));
    EACH (thread, threads)
        pthread_join(*thread, NULL);
    for (size_t i = 0; i < SHARED; i++) {
        EXPECT_EQ(1000001, objects[i].holds);
        close_handle(shared[i]);
        EXPECT_EQ(1000000, objects[i].holds);
    }
}
