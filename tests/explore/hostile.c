/* SPDX-License-Identifier: MIT */
/*
 * The riot of tests/riot, a few calls of it, under every schedule: what it finds comes back with
 * its seed.
 */
#include "tests/explore/explore.h"

#include "engine/engine.h"
#include "nt/handle.h"
#include "sys/thread.h"
#include "tests/nt/kit.h"
#include "tests/riot/riot.h"

enum { CALLERS = 3, CALLS = 8 };

static const struct routines *const tables[] = {&riot_services, &riot_kernel, &riot_win32};
static struct caller callers[CALLERS];
static _Thread_local struct caller *self;
static struct sys_sim *sim;
static struct engine *engine;
static unsigned done;
static bool is_closed;

struct caller *
riot_self(void)
{
    return self;
}

struct routine *
riot_routine(struct caller *caller)
{
    const struct routines *table = tables[riot_below(caller, ARRAY_SIZE(tables))];

    return &table->all[riot_below(caller, (uint32_t)table->count)];
}

/* A few of each kind, that fit together. */
static void
make_some(struct caller *caller, HANDLE tm, unsigned number, ULONG options)
{
    GUID guid = guid_number(number);
    HANDLE rm = new_rm(tm, &guid, options), tx = new_tx(number % 2 ? tm : NULL);

    EXPECT(NT_SUCCESS(NtRecoverResourceManager(rm)));
    riot_keep(caller, KIND_EN, new_en(rm, tx, MASK_FULL, NULL));
    riot_keep(caller, KIND_EN, new_en(rm, tx, MASK_TWO, NULL));
    riot_keep(caller, KIND_RM, rm);
    riot_keep(caller, KIND_TX, tx);
    riot_guid_keep(caller, &guid);
}

static void
begin(void)
{
    UNICODE_STRING path = wide("/a");
    HANDLE tm[2], event, port;
    struct sys *process;

    sim = sys_sim_create(1);
    process = sys_sim_process(sim);
    sys_sim_advance(sim, 1000000000);
    explore_machine(sim, process);
    EXPECT_OK(engine_create(process, &engine));
    done = 0;
    is_closed = false;
    for (unsigned i = 0; i < CALLERS; i++)
        callers[i] = (struct caller){.random = explore_seed() * CALLERS + i, .at = "nothing"};
    tm[0] = new_volatile_tm();
    EXPECT_OK(NtCreateTransactionManager(&tm[1], TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0));
    EXPECT_OK(NtRecoverTransactionManager(tm[1]));
    for (unsigned i = 0; i < 6; i++)
        make_some(&callers[0], tm[i % 2], i, i % 2 ? 0 : RESOURCE_MANAGER_VOLATILE);
    for (unsigned i = 0; i < 2; i++)
        riot_keep(&callers[0], KIND_TM, tm[i]);
    EXPECT_OK(NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, NotificationEvent, FALSE));
    riot_keep(&callers[0], KIND_EVENT, event);
    EXPECT_OK(NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, NULL, 0));
    riot_keep(&callers[0], KIND_PORT, port);
}

static void
calls(void *argument)
{
    self = argument;
    for (int i = 0; i < CALLS; i++) {
        explore_point("calls");
        riot_call(self, riot_routine(self));
    }
    done++;
}

static void
sleep_a_while(void)
{
    static _Atomic uint32_t word;

    explore_pause("waits until nobody can go on");
    (void)sys_wait(&word, 0, sys_now() + 1000000);
}

/* When nobody else can go on: everything is closed. */
static void
closes(void *argument)
{
    (void)argument;
    while (done < CALLERS) {
        sleep_a_while();
        riot_close_all();
    }
    is_closed = true;
}

/* Nothing stays frozen, not even for the one who closes; and time-outs come. */
static void
thaws(void *argument)
{
    (void)argument;
    while (!is_closed) {
        sleep_a_while();
        (void)NtThawTransactions();
        engine_run_timers(engine);
    }
}

static void
counts(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static void
end(void)
{
    unsigned left = 0;

    (void)NtThawTransactions();
    riot_close_all();
    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TM, counts, &left));
    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TX, counts, &left));
    EXPECT_EQ(0, left);
    EXPECT_EQ(0, handle_count());
    EACH (caller, callers)
        riot_forget(caller);
    engine_destroy(engine);
    sys_sim_destroy(sim);
}

TEST(any_routine_by_anybody) /* GEN-04 GEN-10 GEN-11 INV-15 LIVE-01 */
{
    static const struct explore_program program = {.begin = begin,
                                                   .threads = {{calls, &callers[0]},
                                                               {calls, &callers[1]},
                                                               {calls, &callers[2]},
                                                               {closes, NULL},
                                                               {thaws, NULL}},
                                                   .end = end,
                                                   .is_forked = true};

    explore(&program);
}
