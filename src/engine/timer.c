/* SPDX-License-Identifier: MIT */
/*
 * Time-outs: one heap of deadlines and one thread for the whole instance, started with the first
 * time-out.
 *
 * Time is monotonic, and a time-out is never early (design D12) [ROLL-TMO-06]. The heap's mutex is
 * a leaf: it is taken under a TM's, and let go of before a TM's is taken.
 */
#include "engine/inner.h"

#include <stdlib.h>

#include <limits.h>

void
timers_init(struct timers *timers, bool has_thread)
{
    *timers = (struct timers){.has_thread = has_thread};
    sys_mutex_init(&timers->mutex);
}

void
timers_deinit(struct timers *timers)
{
    atomic_store(&timers->is_stopping, true);
    atomic_fetch_add(&timers->word, 1);
    sys_wake(&timers->word, INT_MAX);
    sys_thread_join(timers->thread);
    free(timers->heap);
    sys_mutex_deinit(&timers->mutex);
}

static void
place(struct timers *timers, size_t at, struct transaction *tx)
{
    timers->heap[at] = tx;
    tx->timer = (uint32_t)at + 1;
}

static void
sift_up(struct timers *timers, size_t at)
{
    struct transaction *tx = timers->heap[at];

    while (at && timers->heap[(at - 1) / 2]->deadline > tx->deadline) {
        place(timers, at, timers->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(timers, at, tx);
}

static void
sift_down(struct timers *timers, size_t at)
{
    struct transaction *tx = timers->heap[at];
    size_t child;

    while ((child = 2 * at + 1) < timers->count) {
        if (child + 1 < timers->count &&
            timers->heap[child + 1]->deadline < timers->heap[child]->deadline)
            child++;
        if (timers->heap[child]->deadline >= tx->deadline)
            break;
        place(timers, at, timers->heap[child]);
        at = child;
    }
    place(timers, at, tx);
}

static void
heap_remove(struct timers *timers, struct transaction *tx)
{
    size_t at = tx->timer - 1;
    struct transaction *last = timers->heap[--timers->count];

    tx->timer = 0;
    if (last == tx)
        return;
    place(timers, at, last);
    sift_up(timers, at);
    sift_down(timers, last->timer - 1);
}

/* Takes the earliest transaction whose deadline has passed; its hold passes to the caller. */
static struct transaction *
take_due(struct timers *timers, uint64_t now)
{
    struct transaction *tx = NULL;

    sys_mutex_lock(&timers->mutex);
    if (timers->count && timers->heap[0]->deadline <= now) {
        tx = timers->heap[0];
        heap_remove(timers, tx);
    }
    sys_mutex_unlock(&timers->mutex);
    return tx;
}

void
engine_run_timers(struct engine *engine)
{
    struct transaction *tx;

    if (!engine->timers.has_thread)
        freeze_run_timer(engine);
    while ((tx = take_due(&engine->timers, sys_time_monotonic(engine->sys)))) {
        struct ktm_event event = {.type = KTM_TX_TIMEOUT, .tx = tx};
        struct run run;

        run_begin(&run, &tx->object);
        /* Somebody may have set or cancelled it before we had the lock. */
        if (tx->deadline <= sys_time_monotonic(engine->sys)) {
            NTSTATUS status = run_step(&run, &event);

            CHECK(status == STATUS_SUCCESS);
        }
        run_end(&run);
        engine_release(&tx->object);
    }
}

static void
timer_thread(void *context)
{
    struct engine *engine = context;
    struct timers *timers = &engine->timers;

    while (!atomic_load(&timers->is_stopping)) {
        uint32_t seen = atomic_load(&timers->word);
        uint64_t deadline = SYS_FOREVER;

        engine_run_timers(engine);
        sys_mutex_lock(&timers->mutex);
        if (timers->count)
            deadline = timers->heap[0]->deadline;
        sys_mutex_unlock(&timers->mutex);
        (void)sys_wait(&timers->word, seen, deadline);
    }
}

static NTSTATUS
heap_make_room(struct timers *timers)
{
    size_t room = timers->room ? 2 * timers->room : 64;
    struct transaction **heap;

    if (timers->count < timers->room)
        return STATUS_SUCCESS;
    heap = realloc(timers->heap, room * sizeof(struct transaction *));
    if (!heap)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    timers->heap = heap;
    timers->room = room;
    return STATUS_SUCCESS;
}

NTSTATUS
timer_set(struct engine *engine, struct transaction *tx, uint64_t deadline)
{
    struct timers *timers = &engine->timers;
    NTSTATUS status = STATUS_SUCCESS;
    bool is_first = false;

    sys_mutex_lock(&timers->mutex);
    if (timers->has_thread && !timers->thread)
        status = sys_thread_start("ktm-timer", timer_thread, engine, &timers->thread);
    if (status == STATUS_SUCCESS && !tx->timer)
        status = heap_make_room(timers);
    if (status == STATUS_SUCCESS) {
        if (tx->timer) {
            heap_remove(timers, tx);
        } else {
            engine_hold(&tx->object);
        }
        tx->deadline = deadline;
        place(timers, timers->count++, tx);
        sift_up(timers, timers->count - 1);
        is_first = timers->heap[0] == tx;
    }
    sys_mutex_unlock(&timers->mutex);
    if (is_first) {
        atomic_fetch_add(&timers->word, 1);
        sys_wake(&timers->word, INT_MAX);
    }
    return status;
}

bool
timer_cancel(struct engine *engine, struct transaction *tx)
{
    struct timers *timers = &engine->timers;
    bool was_set;

    sys_mutex_lock(&timers->mutex);
    was_set = tx->timer != 0; /* else the timer thread may have it, and its hold */
    if (was_set)
        heap_remove(timers, tx);
    tx->deadline = UINT64_MAX;
    sys_mutex_unlock(&timers->mutex);
    return was_set;
}

uint64_t
engine_deadline(struct engine *engine, const LARGE_INTEGER *timeout)
{
    uint64_t now, wait;
    int64_t t;

    if (!timeout)
        return UINT64_MAX;
    t = timeout->QuadPart;
    if (t == 0)
        return 0;
    if (t > 0) { /* absolute: 100 ns since 1601 */
        int64_t wall = sys_time_wall(engine->sys);

        if (t <= wall)
            return 0;
        t = wall - t;
    }
    wait = 0 - (uint64_t)t;
    now = sys_time_monotonic(engine->sys);
    return wait > (UINT64_MAX - 1 - now) / 100 ? UINT64_MAX - 1 : now + wait * 100;
}
