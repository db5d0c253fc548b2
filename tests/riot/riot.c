/* SPDX-License-Identifier: MIT */
/* The riot: eight callers, a pool of handles they share, and somebody who tidies up. At the end
 * everything is closed, and the process is what it was before. */
#include "tests/riot/riot.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "nt/handle.h"
#include "sys/sim.h"
#include "wdm.h"

enum { CALLERS = 8, SPRINGS = 8, PATIENCE_SECONDS = 60 };

static struct caller callers[CALLERS + 1]; /* the last one tidies up */
static _Thread_local struct caller *self;
static atomic_bool is_over, is_closed, is_stopped;
static struct engine *engine;
static struct sys_sim *sim;
static const struct routines *tables[4];
static unsigned table_count;

struct caller *
riot_self(void)
{
    return self;
}

struct routine *
riot_routine(struct caller *caller)
{
    const struct routines *table = tables[riot_below(caller, table_count)];
    struct routine *routine = &table->all[riot_below(caller, (uint32_t)table->count)];

    /* Too many of these, and there is nothing to work with. */
    if ((strstr(routine->name, "Close") || strstr(routine->name, "Rollback")) &&
        riot_below(caller, 8))
        routine = &table->all[riot_below(caller, (uint32_t)table->count)];
    return routine;
}

/* ---- the tidy one ---- */

/* Objects that fit together, which a riot would seldom come to by itself. */
static HANDLE
make_tm(struct caller *caller, bool is_volatile)
{
    WCHAR path[] = {'/', (WCHAR)('a' + riot_below(caller, 2)), 0};
    UNICODE_STRING name = {4, 6, path};
    TRANSACTIONMANAGER_BASIC_INFORMATION info;
    HANDLE tm = NULL;

    if (NtCreateTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL,
                                   is_volatile ? NULL : &name,
                                   is_volatile ? TRANSACTION_MANAGER_VOLATILE : 0, 0) < 0)
        return riot_handle(caller, KIND_TM); /* it is there already */
    if (!is_volatile)
        (void)NtRecoverTransactionManager(tm);
    if (NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, &info,
                                             sizeof(info), NULL) == STATUS_SUCCESS)
        riot_guid_keep(caller, &info.TmIdentity);
    riot_keep(caller, KIND_TM, tm);
    return tm;
}

static void
make_rm(struct caller *caller, HANDLE tm, bool is_volatile)
{
    GUID guid = {.Data1 = riot_below(caller, 6)};
    HANDLE rm = NULL;

    if (NtCreateResourceManager(&rm, RESOURCEMANAGER_ALL_ACCESS, tm, &guid, NULL,
                                is_volatile ? RESOURCE_MANAGER_VOLATILE : 0, NULL) < 0)
        return;
    riot_guid_keep(caller, &guid);
    (void)NtRecoverResourceManager(rm);
    riot_keep(caller, KIND_RM, rm);
}

static void
make_en(struct caller *caller, HANDLE rm, HANDLE tx)
{
    static const ULONG masks[] = {0x0e, 0x0c, 0x0f, 0x1e};
    bool is_superior = riot_below(caller, 4) == 0;
    ENLISTMENT_BASIC_INFORMATION info;
    HANDLE en;

    if (NtCreateEnlistment(
            &en, ENLISTMENT_ALL_ACCESS, rm, tx, NULL, is_superior ? ENLISTMENT_SUPERIOR : 0,
            is_superior ? 0xe8 : masks[riot_below(caller, ARRAY_SIZE(masks))], NULL) < 0)
        return;
    if (NtQueryInformationEnlistment(en, EnlistmentBasicInformation, &info, sizeof(info), NULL) ==
        STATUS_SUCCESS)
        riot_guid_keep(caller, &info.EnlistmentId);
    riot_keep(caller, KIND_EN, en);
}

static void
tidy(struct caller *caller)
{
    bool is_volatile = riot_below(caller, 2);
    HANDLE tm = riot_below(caller, 8) ? riot_handle(caller, KIND_TM) : make_tm(caller, is_volatile);
    HANDLE tx;

    if (riot_below(caller, 8) == 0)
        make_rm(caller, tm, is_volatile);
    if (riot_below(caller, 2))
        tm = NULL; /* bound by its first enlistment */
    if (NtCreateTransaction(&tx, TRANSACTION_ALL_ACCESS, NULL, NULL, tm, 0, 0, 0, NULL, NULL) >=
        0) {
        for (uint32_t i = riot_below(caller, 4); i > 0; i--)
            make_en(caller, riot_handle(caller, KIND_RM), tx);
        riot_keep(caller, KIND_TX, tx);
    }
    if (riot_below(caller, 16) == 0)
        riot_close_one(caller);
}

static void *
run_clock(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_stopped)) {
        sys_sim_advance(sim, 1000000);
        engine_run_timers(engine);
        usleep(500);
    }
    return NULL;
}

/* Nobody stays frozen. Who thaws does what was put off, and may be caught in it by the next freeze,
 * in a callback that waits for its end: so there are several who do this, as an engine that is not
 * simulated has a new thread for every freeze. */
static void *
run_spring(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_stopped)) {
        (void)NtThawTransactions();
        usleep(500 * SPRINGS);
    }
    return NULL;
}

/* ---- a bout ---- */

static void *
run_riot(void *argument)
{
    self = argument;
    while (!atomic_load(&is_over))
        riot_call(self, riot_routine(self));
    self->is_done = true;
    return NULL;
}

/* Makes what is needed; at the end closes everything until nobody needs that any more: whoever
 * waits is let go by it. Also in a thread, so that it may hang, too, and be found. */
static void *
run_tidy(void *argument)
{
    struct caller *caller = argument;

    caller->at = "the tidying up";
    while (!atomic_load(&is_over)) {
        tidy(caller);
        usleep(100);
    }
    caller->at = "closing everything";
    while (!atomic_load(&is_closed)) {
        riot_close_all();
        usleep(1000);
    }
    caller->is_done = true;
    return NULL;
}

/* The callers from 'first' to 'last' come to their end. */
static void
await(unsigned first, unsigned last)
{
    time_t end = time(NULL) + PATIENCE_SECONDS;

    for (unsigned i = first; i <= last; i++) {
        while (!callers[i].is_done && time(NULL) <= end)
            usleep(1000);
        if (callers[i].is_done)
            continue;
        for (unsigned n = 0; n <= CALLERS; n++)
            fprintf(stderr, "caller %u %s %s\n", n, callers[n].is_done ? "was in" : "is in",
                    callers[n].at);
        test_fail(__FILE__, __LINE__, "caller %u hangs", i);
    }
}

static void
expect_none(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static void
expect_empty(void)
{
    unsigned left = 0;

    riot_close_all();
    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TM, expect_none, &left));
    EXPECT_OK(engine_enumerate(engine, NULL, OBJECT_TX, expect_none, &left));
    EXPECT_EQ(0, left);
    EXPECT_EQ(0, handle_count()); /* none that its caller does not know of */
}

static void
bout(uint64_t seed, unsigned milliseconds)
{
    pthread_t threads[CALLERS + 1], clock, springs[SPRINGS];
    uint64_t calls = 0;

    atomic_store(&is_over, false);
    atomic_store(&is_closed, false);
    atomic_store(&is_stopped, false);
    EXPECT_EQ(0, pthread_create(&clock, NULL, run_clock, NULL));
    EACH (spring, springs)
        EXPECT_EQ(0, pthread_create(spring, NULL, run_spring, NULL));
    for (unsigned i = 0; i <= CALLERS; i++) {
        callers[i] = (struct caller){.random = seed * (CALLERS + 1) + i, .at = "nothing"};
        EXPECT_EQ(
            0, pthread_create(&threads[i], NULL, i < CALLERS ? run_riot : run_tidy, &callers[i]));
    }
    usleep(1000 * milliseconds);
    atomic_store(&is_over, true);
    await(0, CALLERS - 1);
    atomic_store(&is_closed, true);
    await(CALLERS, CALLERS);
    for (unsigned i = 0; i <= CALLERS; i++) {
        EXPECT_EQ(0, pthread_join(threads[i], NULL));
        calls += callers[i].calls;
    }
    expect_empty();
    atomic_store(&is_stopped, true);
    EXPECT_EQ(0, pthread_join(clock, NULL));
    EACH (spring, springs)
        EXPECT_EQ(0, pthread_join(*spring, NULL));
    EACH (caller, callers)
        riot_forget(caller);
    printf("seed %llu: %llu calls\n", (unsigned long long)seed, (unsigned long long)calls);
}

/* ---- the process ---- */

static unsigned
descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    EXPECT(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void
world_begin(void)
{
    sim = sys_sim_create(1);
    EXPECT_OK(engine_create(sys_sim_process(sim), &engine));
}

static void
world_end(void)
{
    engine_destroy(engine);
    sys_sim_destroy(sim);
}

/* How long: a moment, what KTM_RIOT says, or ten minutes of a soak. */
static unsigned
riot_seconds(void)
{
    const char *text = getenv("KTM_RIOT");
    unsigned soak = test_soak_seconds();

    if (soak)
        return soak < 600 ? soak : 600;
    return text ? (unsigned)strtoul(text, NULL, 10) : 2;
}

static void
riot(unsigned seconds)
{
    const char *chosen = getenv("KTM_SEED");
    uint64_t seed = chosen ? strtoull(chosen, NULL, 10) : 1;
    struct mallinfo2 before;
    unsigned fds;

    mallopt(M_ARENA_MAX, 1); /* so that all memory is counted */
    world_begin();
    bout(seed, 200); /* tables grow to their size */
    world_end();
    malloc_trim(0);
    before = mallinfo2();
    fds = descriptors();
    for (unsigned i = 0; i < (seconds + 9) / 10; i++) {
        world_begin();
        bout(++seed, (seconds < 10 ? seconds : 10) * 1000);
        world_end();
        EXPECT_EQ(fds, descriptors());
    }
    malloc_trim(0);
    printf("memory: %zd bytes more\n", (ssize_t)(mallinfo2().uordblks - before.uordblks));
    /* The table of handles grows by chunks and stays; anything else would be much more. */
    EXPECT(mallinfo2().uordblks < before.uordblks + 512 * 1024);
}

/* A riot in which everything is refused proves little. */
static void
expect_successes(void)
{
    size_t succeeded = 0, count = 0;

    for (unsigned i = 0; i < table_count; i++) {
        for (size_t n = 0; n < tables[i]->count; n++) {
            succeeded += tables[i]->all[n].successes > 0;
            if (tables[i]->all[n].successes == 0)
                printf("never succeeded: %s\n", tables[i]->all[n].name);
        }
        count += tables[i]->count;
    }
    EXPECT(10 * succeeded >= 7 * count);
}

TEST(any_service_by_anybody) /* GEN-04 GEN-10 GEN-11 LIVE-01 */
{
    tables[table_count++] = &riot_services;
    riot(riot_seconds() / 2);
    expect_successes();
}

TEST(any_routine_by_anybody) /* GEN-04 GEN-10 GEN-11 NOTIF-06 LIVE-01 */
{
    tables[table_count++] = &riot_services;
    tables[table_count++] = &riot_kernel;
    tables[table_count++] = &riot_win32;
    riot(riot_seconds() - riot_seconds() / 2);
    expect_successes();
}
