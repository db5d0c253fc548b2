/* SPDX-License-Identifier: MIT */
/* Who goes on: the part of the explorer that searches. */
#include "tests/explore/inner.h"

uint64_t
explore_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint32_t
below(struct exploration *it, uint32_t n)
{
    return n ? (uint32_t)(explore_random(&it->random) % n) : 0;
}

void
strategy_init(struct exploration *it, uint32_t length)
{
    struct strategy *strategy = &it->strategy;
    static const uint32_t every[] = {2, 4, 12, 40};

    *strategy = (struct strategy){.priority_lowest = 0};
    if (it->seed == 0)
        return; /* no preemption at all */
    if (it->seed % 2) {
        strategy->has_priorities = true;
        strategy->change_count = 1 + below(it, it->seed % 4 == 1 ? 3 : CHANGES_MAX);
        /* Every other one soon after the one before: a window is left as soon as it is entered. */
        for (unsigned i = 0; i < strategy->change_count; i++)
            strategy->changes[i] =
                i && below(it, 2) ? strategy->changes[i - 1] + 1 + below(it, 6) : below(it, length);
        return;
    }
    strategy->every = every[below(it, ARRAY_SIZE(every))];
    strategy->preemptions = it->seed % 4 ? 1 + below(it, 6) : UINT32_MAX;
    if (it->seed % 4) /* few of them, anywhere */
        strategy->every = 1 + length / (2 * strategy->preemptions);
}

static bool
falls_behind(const struct exploration *it)
{
    for (unsigned i = 0; i < it->strategy.change_count; i++)
        if (it->strategy.changes[i] == it->step_count)
            return true;
    return false;
}

static struct worker *
highest(struct worker *const *ready, unsigned count)
{
    struct worker *best = ready[0];

    for (unsigned i = 1; i < count; i++)
        if (ready[i]->priority > best->priority)
            best = ready[i];
    return best;
}

static struct worker *
walk(struct exploration *it, struct worker *const *ready, unsigned count, struct worker *self)
{
    struct strategy *strategy = &it->strategy;

    if (it->seed == 0)
        return self->state == WORKER_READY ? self : ready[0];
    if (self->state != WORKER_READY)
        return ready[below(it, count)];
    if (strategy->preemptions == 0 || below(it, strategy->every) != 0)
        return self;
    if (strategy->preemptions != UINT32_MAX)
        strategy->preemptions--;
    return ready[below(it, count)];
}

struct worker *
strategy_choose(struct exploration *it, struct worker *self, bool pauses)
{
    struct strategy *strategy = &it->strategy;
    struct worker *ready[WORKERS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < it->worker_count; i++)
        if (it->workers[i].state == WORKER_READY && !(pauses && &it->workers[i] == self))
            ready[count++] = &it->workers[i];
    if (count == 0)
        return pauses ? self : NULL;
    if (pauses)
        return ready[below(it, count)];
    if (!strategy->has_priorities)
        return walk(it, ready, count, self);
    if (falls_behind(it))
        self->priority = --strategy->priority_lowest;
    return highest(ready, count);
}
