/* SPDX-License-Identifier: MIT */
/*
 * Many threads at once: commits that wait, rollbacks and closes that race with them, resource
 * managers that come and go, a transaction manager that is shut down under everybody. Nobody waits
 * for ever, nobody is told two things, nothing is left. To be run under ThreadSanitizer, too.
 */
#include "tests/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/event.h"
#include "engine/engine.h"
#include "sys/sim.h"
#include "sys/thread.h"

enum { CLIENTS = 8, TURNS = 60, SERVERS = 2, DUELS = 150 };

#define FULL                                                                                       \
    (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |      \
     TRANSACTION_NOTIFY_ROLLBACK)

/* ---- a TM, its engine and its machine ---- */

struct house {
    struct sys_sim *sim;
    struct engine *engine;
    struct object *tm;
    bool is_volatile;
};

static void
house_open(struct house *house, bool is_volatile)
{
    *house = (struct house){.sim = sys_sim_create(1), .is_volatile = is_volatile};
    EXPECT_OK(engine_create(sys_sim_process(house->sim), &house->engine));
    EXPECT_OK(engine_tm_create(house->engine, is_volatile ? NULL : "/ktm", NULL, 0, &house->tm));
    if (!is_volatile)
        EXPECT_OK(engine_tm_recover(house->tm, NULL));
}

static void
count_one(void *context, const GUID *guid)
{
    (void)guid;
    ++*(unsigned *)context;
}

static unsigned
count(struct house *house, enum object_kind kind)
{
    unsigned n = 0;

    EXPECT_OK(engine_enumerate(house->engine, house->tm, kind, count_one, &n));
    return n;
}

static void
house_close(struct house *house)
{
    if (house->tm)
        engine_handle_close(house->tm);
    engine_destroy(house->engine);
    sys_sim_destroy(house->sim);
}

static struct object *
rm_make(struct house *house, uint32_t number)
{
    GUID guid = {.Data1 = number, .Data2 = 'R'};
    struct object *rm = NULL;

    EXPECT_OK(engine_rm_create(house->tm, &guid, house->is_volatile ? RESOURCE_MANAGER_VOLATILE : 0,
                               NULL, 0, &rm));
    return rm;
}

static void
rm_recover(struct object *rm)
{
    TRANSACTION_NOTIFICATION note;
    uint32_t length;

    EXPECT(NT_SUCCESS(engine_rm_recover(rm)));
    EXPECT_OK(engine_rm_get_notification(rm, &note, sizeof(note), 0, &length));
    EXPECT_EQ(TRANSACTION_NOTIFY_LAST_RECOVER, note.TransactionNotification);
}

/* ---- threads ---- */

struct crew {
    pthread_t threads[64];
    unsigned count;
};

static void
crew_start(struct crew *crew, void *(*run)(void *), void *context)
{
    EXPECT(crew->count < ARRAY_SIZE(crew->threads));
    EXPECT_EQ(0, pthread_create(&crew->threads[crew->count++], NULL, run, context));
}

static void
crew_join(struct crew *crew)
{
    while (crew->count)
        EXPECT_EQ(0, pthread_join(crew->threads[--crew->count], NULL));
}

static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* ---- enlistments as their RM sees them ---- */

/* The key of an enlistment. Told in which order whatever thread it was. */
struct part {
    struct object *_Atomic en;
    _Atomic uint32_t told; /* all notifications so far */
    _Atomic uint32_t twice;
    _Atomic uint32_t busy; /* threads that are answering: they use the enlistment */
    bool votes_no;
};

static void
part_told(struct part *part, uint32_t what)
{
    uint32_t before = atomic_fetch_or(&part->told, what);

    if (before & what)
        atomic_fetch_or(&part->twice, what); /* NOTIF-GET-13: never to two threads */
}

static struct object *
part_enlistment(struct part *part)
{
    struct object *en;

    while (!(en = atomic_load(&part->en))) /* it may come before the call has returned [NOTIF-12] */
        sched_yield();
    return en;
}

static NTSTATUS
part_answer(struct part *part, uint32_t what)
{
    struct object *en = part_enlistment(part);

    switch (what) {
    case TRANSACTION_NOTIFY_PREPREPARE:
        return engine_en_request(en, KTM_EN_PREPREPARE_COMPLETE, NULL);
    case TRANSACTION_NOTIFY_PREPARE:
        return engine_en_request(en, part->votes_no ? KTM_EN_ROLLBACK : KTM_EN_PREPARE_COMPLETE,
                                 NULL);
    case TRANSACTION_NOTIFY_COMMIT:
        return engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL);
    case TRANSACTION_NOTIFY_ROLLBACK:
        return engine_en_request(en, KTM_EN_ROLLBACK_COMPLETE, NULL);
    default:
        return STATUS_SUCCESS;
    }
}

/* A stale answer is refused, and so is one after a close; nothing else may be. */
static void
part_hear(struct part *part, uint32_t what)
{
    NTSTATUS status;

    atomic_fetch_add(&part->busy, 1);
    part_told(part, what);
    status = part_answer(part, what);
    EXPECT(NT_SUCCESS(status) || status == STATUS_TRANSACTION_NOT_REQUESTED ||
           status == STATUS_TRANSACTION_REQUEST_NOT_VALID ||
           status == STATUS_TRANSACTION_OBJECT_EXPIRED);
    atomic_fetch_sub(&part->busy, 1);
}

/* Until the outcome has come and all answers are given. */
static void
part_wait_over(struct part *part)
{
    const uint32_t outcome = TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK;

    while (!(atomic_load(&part->told) & outcome) || atomic_load(&part->busy))
        sched_yield();
}

/* Serves one queue until the RM is closed. */
static void *
serve(void *context)
{
    struct object *rm = context;
    TRANSACTION_NOTIFICATION note;
    uint32_t length;
    NTSTATUS status;

    while ((status = engine_rm_get_notification(rm, &note, sizeof(note), SYS_FOREVER, &length)) ==
           STATUS_SUCCESS)
        part_hear(note.TransactionKey, note.TransactionNotification);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, status); /* NOTIF-GET-15 */
    return NULL;
}

static NTSTATUS
callback(PKENLISTMENT enlistment, PVOID rm_context, PVOID context, ULONG notification,
         PLARGE_INTEGER clock, ULONG length, PVOID argument)
{
    (void)enlistment;
    (void)rm_context;
    (void)clock;
    (void)length;
    (void)argument;
    if (!context)
        return STATUS_SUCCESS; /* LAST_RECOVER */
    part_hear(context, notification);
    return STATUS_SUCCESS;
}

static NTSTATUS
enlist(struct object *rm, struct object *tx, struct part *part)
{
    struct object *en = NULL;
    NTSTATUS status = engine_en_create(rm, tx, 0, FULL, part, &en);

    if (status == STATUS_SUCCESS)
        atomic_store(&part->en, en);
    return status;
}

static void
part_close(struct part *part)
{
    struct object *en = atomic_load(&part->en);

    if (en)
        engine_handle_close(en);
}

/* Agreement, and no notification twice. */
static void
expect_outcome(const struct part *parts, unsigned count_, bool has_committed)
{
    for (unsigned i = 0; i < count_; i++) {
        uint32_t told = atomic_load(&parts[i].told);

        EXPECT_EQ(0, atomic_load(&parts[i].twice));
        EXPECT(!(told & TRANSACTION_NOTIFY_COMMIT) || has_committed); /* INV-01 */
        EXPECT(!(told & TRANSACTION_NOTIFY_ROLLBACK) || !has_committed);
    }
}

/* ---- commits that wait ---- */

struct clients {
    struct house *house;
    struct object *rms[2];
    _Atomic unsigned committed, aborted;
    _Atomic uint64_t seed;
    struct pair *_Atomic pairs; /* of parts that somebody may still be told of */
};

struct pair {
    struct part parts[2];
    struct object *held[2]; /* enlistments that somebody may still want to answer for */
    struct pair *next;
};

static struct pair *
pair_make(struct clients *clients)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    EXPECT(pair);
    pair->next = atomic_load(&clients->pairs);
    while (!atomic_compare_exchange_weak(&clients->pairs, &pair->next, pair))
        ;
    return pair;
}

static void
pairs_free(struct clients *clients)
{
    struct pair *pair = atomic_load(&clients->pairs), *next;

    for (; pair; pair = next) {
        next = pair->next;
        for (int i = 0; i < 2; i++)
            if (pair->held[i])
                engine_release(pair->held[i]);
        free(pair);
    }
}

static void *
commit_and_wait(void *context)
{
    struct clients *clients = context;
    uint64_t random = atomic_fetch_add(&clients->seed, 1);

    for (int turn = 0; turn < TURNS; turn++) {
        struct engine_tx_options options = {.tm = clients->house->tm};
        /* Who has taken PREPARE out of the queue may look at it after ROLLBACK was answered. */
        struct pair *pair = pair_make(clients);
        struct part *parts = pair->parts;
        struct object *tx = NULL;
        NTSTATUS status;

        parts[0].votes_no = draw(&random) % 8 == 0;
        EXPECT_OK(engine_tx_create(clients->house->engine, &options, &tx));
        for (int i = 0; i < 2; i++) {
            EXPECT_OK(enlist(clients->rms[i], tx, &parts[i]));
            pair->held[i] = atomic_load(&parts[i].en);
            engine_hold(pair->held[i]);
        }
        status = engine_tx_commit(tx, true); /* SIG-05 INV-15 */
        EXPECT_STATUS(parts[0].votes_no ? STATUS_TRANSACTION_ALREADY_ABORTED : STATUS_SUCCESS,
                      status);
        EXPECT_OK(engine_wait(tx, 0));
        if (status != STATUS_SUCCESS) /* the answers to ROLLBACK are still under way */
            EXPECT_OK(engine_tx_rollback(tx, true));
        atomic_fetch_add(status == STATUS_SUCCESS ? &clients->committed : &clients->aborted, 1);
        for (int i = 0; i < 2; i++) {
            part_wait_over(&parts[i]);
            expect_outcome(&parts[i], 1, status == STATUS_SUCCESS);
        }
        engine_handle_close(tx);
        for (int i = 0; i < 2; i++)
            part_close(&parts[i]);
    }
    return NULL;
}

static void
expect_nothing_left(struct house *house)
{
    EXPECT_EQ(0, count(house, OBJECT_TX));
    EXPECT_EQ(0, count(house, OBJECT_RM));
}

static void
with_queues(bool is_volatile)
{
    struct crew clients_crew = {.count = 0}, servers = {.count = 0};
    struct clients clients = {.seed = 1};
    struct house house;

    house_open(&house, is_volatile);
    clients.house = &house;
    for (uint32_t i = 0; i < 2; i++) {
        clients.rms[i] = rm_make(&house, i);
        rm_recover(clients.rms[i]);
        for (int n = 0; n < SERVERS; n++)
            crew_start(&servers, serve, clients.rms[i]);
    }
    for (int n = 0; n < CLIENTS; n++)
        crew_start(&clients_crew, commit_and_wait, &clients);
    crew_join(&clients_crew);
    EXPECT_EQ(CLIENTS * TURNS, clients.committed + clients.aborted);
    EXPECT(clients.committed && clients.aborted);
    for (uint32_t i = 0; i < 2; i++) {
        engine_hold(clients.rms[i]); /* the servers look at it until they end */
        engine_handle_close(clients.rms[i]);
    }
    crew_join(&servers);
    pairs_free(&clients);
    for (uint32_t i = 0; i < 2; i++)
        engine_release(clients.rms[i]);
    expect_nothing_left(&house);
    house_close(&house);
}

TEST(many_clients_and_queues_served_by_several_threads) /* SIG-05 INV-15 NOTIF-GET-03, -13, -15 */
{
    with_queues(true);
}

TEST(the_same_with_a_log) /* SIG-05 INV-15 LIVE-01 */
{
    with_queues(false);
}

static void
with_callbacks(bool is_volatile)
{
    struct crew crew = {.count = 0};
    struct clients clients = {.seed = 100};
    struct house house;

    house_open(&house, is_volatile);
    clients.house = &house;
    for (uint32_t i = 0; i < 2; i++) {
        clients.rms[i] = rm_make(&house, i);
        EXPECT_OK(engine_rm_callbacks(clients.rms[i], callback, NULL));
        EXPECT(NT_SUCCESS(engine_rm_recover(clients.rms[i])));
    }
    for (int n = 0; n < CLIENTS; n++)
        crew_start(&crew, commit_and_wait, &clients);
    crew_join(&crew);
    EXPECT_EQ(CLIENTS * TURNS, clients.committed + clients.aborted);
    pairs_free(&clients);
    for (uint32_t i = 0; i < 2; i++)
        engine_handle_close(clients.rms[i]);
    expect_nothing_left(&house);
    house_close(&house);
}

TEST(many_clients_and_callbacks) /* NOTIF-06 GEN-11 SIG-05 */
{
    with_callbacks(true);
}

TEST(callbacks_with_a_log) /* NOTIF-06 GEN-11 SIG-05 */
{
    with_callbacks(false);
}

/* ---- one transaction, many who want something of it ---- */

struct duel {
    struct house *house;
    struct object *rms[2];
    struct object *tx;
    struct part *parts; /* two */
    pthread_barrier_t start;
    NTSTATUS commit_status, rollback_status;
};

static void *
duel_commit(void *context)
{
    struct duel *duel = context;

    pthread_barrier_wait(&duel->start);
    duel->commit_status = engine_tx_commit(duel->tx, true);
    return NULL;
}

static void *
duel_rollback(void *context)
{
    struct duel *duel = context;

    pthread_barrier_wait(&duel->start);
    duel->rollback_status = engine_tx_rollback(duel->tx, true);
    return NULL;
}

static void *
duel_close_enlistment(void *context)
{
    struct duel *duel = context;
    struct object *en;

    pthread_barrier_wait(&duel->start);
    en = atomic_load(&duel->parts[1].en);
    engine_hold(en); /* those who answer may be using it */
    engine_handle_close(en);
    return NULL;
}

static void *
duel_wait(void *context)
{
    struct duel *duel = context;

    pthread_barrier_wait(&duel->start);
    EXPECT_OK(engine_wait(duel->tx, SYS_FOREVER)); /* SIG-01, SIG-02 */
    return NULL;
}

static bool
duel_has_committed(struct duel *duel)
{
    struct engine_tx_info info;

    EXPECT_OK(engine_tx_query(duel->tx, &info));
    EXPECT(info.outcome != TransactionOutcomeUndetermined);
    return info.outcome == TransactionOutcomeCommitted;
}

static void
duel_run(struct house *house, struct object *rms[2], struct part parts[2], bool closes)
{
    struct duel duel = {.house = house, .rms = {rms[0], rms[1]}, .parts = parts};
    struct engine_tx_options options = {.tm = house->tm};
    struct crew crew = {.count = 0};
    bool has_committed;

    EXPECT_OK(engine_tx_create(house->engine, &options, &duel.tx));
    for (int i = 0; i < 2; i++)
        EXPECT_OK(enlist(rms[i], duel.tx, &duel.parts[i]));
    EXPECT_EQ(0, pthread_barrier_init(&duel.start, NULL, 4));
    crew_start(&crew, duel_commit, &duel);
    crew_start(&crew, closes ? duel_close_enlistment : duel_rollback, &duel);
    crew_start(&crew, duel_wait, &duel);
    crew_start(&crew, duel_wait, &duel);
    crew_join(&crew);
    has_committed = duel_has_committed(&duel);
    EXPECT_STATUS(has_committed ? STATUS_SUCCESS : STATUS_TRANSACTION_ALREADY_ABORTED,
                  duel.commit_status);
    if (!closes)
        EXPECT(has_committed ? duel.rollback_status == STATUS_TRANSACTION_ALREADY_COMMITTED
                             : duel.rollback_status == STATUS_SUCCESS);
    if (!has_committed)
        EXPECT_OK(engine_tx_rollback(duel.tx, true));
    for (int i = 0; i < 2; i++)
        part_wait_over(&parts[i]);
    expect_outcome(parts, 2, has_committed);
    engine_handle_close(duel.tx);
    part_close(&duel.parts[0]);
    if (closes)
        engine_release(atomic_load(&duel.parts[1].en));
    else
        part_close(&duel.parts[1]);
    pthread_barrier_destroy(&duel.start);
}

static void
duels(bool has_callbacks, bool is_volatile, bool closes)
{
    struct part(*parts)[2] = calloc(DUELS, sizeof(*parts));
    struct crew servers = {.count = 0};
    struct object *rms[2];
    struct house house;

    house_open(&house, is_volatile);
    for (uint32_t i = 0; i < 2; i++) {
        rms[i] = rm_make(&house, i);
        rm_recover(rms[i]);
        if (has_callbacks)
            EXPECT_OK(engine_rm_callbacks(rms[i], callback, NULL));
        else
            crew_start(&servers, serve, rms[i]);
    }
    for (int n = 0; n < DUELS; n++)
        duel_run(&house, rms, parts[n], closes);
    for (uint32_t i = 0; i < 2; i++) {
        engine_hold(rms[i]);
        engine_handle_close(rms[i]);
    }
    crew_join(&servers);
    for (uint32_t i = 0; i < 2; i++)
        engine_release(rms[i]);
    EXPECT_EQ(0, count(&house, OBJECT_TX));
    house_close(&house);
    free(parts);
}

TEST(commit_against_rollback) /* SIG-05 SIG-06 INV-01 INV-03 INV-15 PT-22 TX-ROLLBACK-08 */
{
    for (int variant = 0; variant < 4; variant++)
        duels(variant & 1, variant & 2, false);
}

TEST(commit_against_a_close) /* CLOSE-EN-01 CLOSE-EN-04 CLOSE-EN-06 INV-01 INV-15 */
{
    for (int variant = 0; variant < 2; variant++)
        duels(variant & 1, true, true);
}

/* ---- resource managers that come and go ---- */

struct comings {
    struct house house;
    struct sys_mutex mutex; /* around 'rm' */
    struct object *rm;      /* the one of the moment, held; NULL: away */
    struct object *steady;
    _Atomic bool is_over;
    _Atomic unsigned committed, aborted, away;
};

static struct object *
rm_of_the_moment(struct comings *comings)
{
    struct object *rm;

    sys_mutex_lock(&comings->mutex);
    rm = comings->rm;
    if (rm)
        engine_hold(rm);
    sys_mutex_unlock(&comings->mutex);
    return rm;
}

static void *
work_with_the_unsteady(void *context)
{
    struct comings *comings = context;

    while (!atomic_load(&comings->is_over)) {
        struct engine_tx_options options = {.tm = comings->house.tm};
        struct object *rm = rm_of_the_moment(comings), *tx = NULL;
        struct part *parts = calloc(2, sizeof(*parts)); /* may be told after all is over */
        NTSTATUS status;

        if (!rm) {
            free(parts);
            sched_yield();
            continue;
        }
        EXPECT(parts);
        EXPECT_OK(engine_tx_create(comings->house.engine, &options, &tx));
        EXPECT_OK(enlist(comings->steady, tx, &parts[0]));
        status = enlist(rm, tx, &parts[1]);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_TRANSACTION_OBJECT_EXPIRED ||
               status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
        status = engine_tx_commit(tx, true);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_TRANSACTION_ALREADY_ABORTED);
        if (status == STATUS_TRANSACTION_ALREADY_ABORTED)
            EXPECT_OK(engine_tx_rollback(tx, true));
        atomic_fetch_add(status == STATUS_SUCCESS ? &comings->committed : &comings->aborted, 1);
        part_wait_over(&parts[0]);
        while (atomic_load(&parts[1].busy))
            sched_yield();
        expect_outcome(parts, 2, status == STATUS_SUCCESS);
        engine_handle_close(tx);
        part_close(&parts[0]);
        part_close(&parts[1]);
        engine_release(rm);
        free(parts);
    }
    return NULL;
}

/* On its return it answers what it is asked about. */
static NTSTATUS
returning_callback(PKENLISTMENT enlistment, PVOID rm_context, PVOID context, ULONG notification,
                   PLARGE_INTEGER clock, ULONG length, PVOID argument)
{
    const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *question = argument;
    struct object **rm = rm_context, *en = NULL;

    if (notification == TRANSACTION_NOTIFY_RECOVER) {
        EXPECT_OK(engine_en_open(*rm, &question->EnlistmentId, &en));
        EXPECT(NT_SUCCESS(engine_en_recover(en, NULL)));
        EXPECT_OK(engine_en_request(en, KTM_EN_COMMIT_COMPLETE, NULL)); /* COMMIT was told: key 0 */
        engine_handle_close(en);
        return STATUS_SUCCESS;
    }
    if (!context)
        return STATUS_SUCCESS;
    return callback(enlistment, rm_context, context, notification, clock, length, argument);
}

static void *
come_and_go(void *context)
{
    struct comings *comings = context;
    struct object *rm = NULL;

    for (int turn = 0; turn < 40; turn++) {
        rm = rm_make(&comings->house, 2);
        EXPECT_OK(engine_rm_callbacks(rm, returning_callback, &rm));
        EXPECT(NT_SUCCESS(engine_rm_recover(rm)));
        sys_mutex_lock(&comings->mutex);
        engine_hold(rm);
        comings->rm = rm;
        sys_mutex_unlock(&comings->mutex);
        for (int i = 0; i < 50; i++)
            sched_yield();
        sys_mutex_lock(&comings->mutex);
        comings->rm = NULL;
        sys_mutex_unlock(&comings->mutex);
        engine_handle_close(rm); /* while others are in the midst of it */
        engine_release(rm);
        atomic_fetch_add(&comings->away, 1);
    }
    rm = rm_make(&comings->house, 2); /* once more, to answer what is still open */
    atomic_store(&comings->is_over, true);
    sys_mutex_lock(&comings->mutex);
    comings->rm = rm;
    sys_mutex_unlock(&comings->mutex);
    return NULL;
}

TEST(a_resource_manager_comes_and_goes_under_load) /* CLOSE-RM-01..05 RECOV-29 INV-15 */
{
    struct comings *comings = calloc(1, sizeof(*comings));
    struct crew crew = {.count = 0};

    EXPECT(comings);
    house_open(&comings->house, false);
    sys_mutex_init(&comings->mutex);
    comings->steady = rm_make(&comings->house, 1);
    EXPECT_OK(engine_rm_callbacks(comings->steady, callback, NULL));
    EXPECT(NT_SUCCESS(engine_rm_recover(comings->steady)));
    for (int n = 0; n < 4; n++)
        crew_start(&crew, work_with_the_unsteady, comings);
    crew_start(&crew, come_and_go, comings);
    crew_join(&crew);
    EXPECT(comings->committed > 0);
    EXPECT_OK(engine_rm_callbacks(comings->rm, returning_callback, &comings->rm));
    EXPECT(NT_SUCCESS(engine_rm_recover(comings->rm)));
    EXPECT_EQ(0, count(&comings->house, OBJECT_TX)); /* all is resolved */
    engine_handle_close(comings->rm);
    engine_handle_close(comings->steady);
    expect_nothing_left(&comings->house);
    sys_mutex_deinit(&comings->mutex);
    house_close(&comings->house);
    free(comings);
}

/* ---- queues: to exactly one, in order, and ends of waiting ---- */

struct listeners {
    struct object *rm;
    _Atomic unsigned heard[1024]; /* by key */
    _Atomic unsigned ended;
};

static void *
listen_only(void *context)
{
    struct listeners *listeners = context;
    TRANSACTION_NOTIFICATION note;
    uint32_t length;
    NTSTATUS status;

    while ((status = engine_rm_get_notification(listeners->rm, &note, sizeof(note), SYS_FOREVER,
                                                &length)) == STATUS_SUCCESS)
        atomic_fetch_add(&listeners->heard[(uintptr_t)note.TransactionKey], 1);
    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, status);
    atomic_fetch_add(&listeners->ended, 1);
    return NULL;
}

TEST(each_notification_to_exactly_one_thread) /* NOTIF-GET-03, -13, -15 CLOSE-RM-02 */
{
    enum { ENLISTMENTS = 1000 };
    struct engine_tx_options options = {.tm = NULL};
    struct listeners listeners = {.ended = 0};
    struct crew crew = {.count = 0};
    struct object *tx = NULL;
    static struct object *ens[ENLISTMENTS];
    struct house house;

    house_open(&house, true);
    options.tm = house.tm;
    listeners.rm = rm_make(&house, 1);
    EXPECT_OK(engine_tx_create(house.engine, &options, &tx));
    for (uintptr_t i = 0; i < ENLISTMENTS; i++)
        EXPECT_OK(engine_en_create(listeners.rm, tx, 0, FULL, (void *)i, &ens[i]));
    for (int n = 0; n < 6; n++)
        crew_start(&crew, listen_only, &listeners);
    EXPECT_STATUS(STATUS_PENDING, engine_tx_rollback(tx, false));
    for (unsigned i = 0; i < ENLISTMENTS; i++)
        while (!atomic_load(&listeners.heard[i]))
            sched_yield();
    engine_hold(listeners.rm);
    engine_handle_close(listeners.rm); /* and all of them end */
    crew_join(&crew);
    EXPECT_EQ(6, listeners.ended);
    engine_release(listeners.rm);
    for (unsigned i = 0; i < ENLISTMENTS; i++) {
        EXPECT_EQ(1, listeners.heard[i]);
        engine_handle_close(ens[i]);
    }
    engine_handle_close(tx);
    expect_nothing_left(&house);
    house_close(&house);
}

/* ---- the TM is closed under everybody ---- */

struct closing {
    struct house house;
    struct object *rm, *tx;
    _Atomic unsigned ended;
};

static void *
wait_in_vain(void *context)
{
    struct closing *closing = context;

    EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, engine_wait(closing->tx, SYS_FOREVER));
    atomic_fetch_add(&closing->ended, 1);
    return NULL;
}

static void *
fetch_in_vain(void *context)
{
    struct closing *closing = context;
    TRANSACTION_NOTIFICATION note;
    uint32_t length;

    EXPECT_STATUS(
        STATUS_TRANSACTION_OBJECT_EXPIRED,
        engine_rm_get_notification(closing->rm, &note, sizeof(note), SYS_FOREVER, &length));
    atomic_fetch_add(&closing->ended, 1);
    return NULL;
}

TEST(closing_the_tm_ends_every_wait) /* CLOSE-TM-01, -03 NOTIF-GET-15 INV-15 */
{
    struct closing closing = {.ended = 0};
    struct engine_tx_options options = {.tm = NULL};
    struct object *superior = NULL, *en = NULL;
    struct crew crew = {.count = 0};

    house_open(&closing.house, false);
    options.tm = closing.house.tm;
    closing.rm = rm_make(&closing.house, 1);
    rm_recover(closing.rm);
    EXPECT_OK(engine_tx_create(closing.house.engine, &options, &closing.tx));
    /* Prepared under a superior: not rolled back by the shutdown, so the waits are in vain */
    EXPECT_OK(engine_en_create(closing.rm, closing.tx, ENLISTMENT_SUPERIOR,
                               TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_PREPARE_COMPLETE,
                               NULL, &superior));
    EXPECT_OK(engine_en_create(closing.rm, closing.tx, 0,
                               TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK, NULL, &en));
    EXPECT(NT_SUCCESS(engine_en_request(superior, KTM_EN_PREPARE, NULL)));
    {
        TRANSACTION_NOTIFICATION note;
        uint32_t length;

        EXPECT_OK(engine_rm_get_notification(closing.rm, &note, sizeof(note), 0, &length));
        EXPECT_EQ(TRANSACTION_NOTIFY_PREPARE_COMPLETE, note.TransactionNotification);
    }
    for (int n = 0; n < 3; n++) {
        crew_start(&crew, wait_in_vain, &closing);
        crew_start(&crew, fetch_in_vain, &closing);
    }
    for (int i = 0; i < 100; i++)
        sched_yield();
    engine_handle_close(closing.house.tm);
    closing.house.tm = NULL;
    crew_join(&crew);
    EXPECT_EQ(6, closing.ended);
    engine_handle_close(en);
    engine_handle_close(superior);
    engine_handle_close(closing.tx);
    engine_handle_close(closing.rm);
    house_close(&closing.house);
}

static void *
work_until_expired(void *context)
{
    struct clients *clients = context;

    for (;;) {
        struct engine_tx_options options = {.tm = clients->house->tm};
        struct part *parts = pair_make(clients)->parts;
        struct object *tx = NULL;
        NTSTATUS status = engine_tx_create(clients->house->engine, &options, &tx);

        if (status != STATUS_SUCCESS) {
            EXPECT(status == STATUS_TRANSACTION_OBJECT_EXPIRED ||
                   status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
            return NULL;
        }
        for (int i = 0; i < 2 && status == STATUS_SUCCESS; i++)
            status = enlist(clients->rms[i], tx, &parts[i]);
        if (status == STATUS_SUCCESS)
            status = engine_tx_commit(tx, true);
        EXPECT(status == STATUS_SUCCESS || status == STATUS_TRANSACTION_ALREADY_ABORTED ||
               status == STATUS_TRANSACTION_OBJECT_EXPIRED ||
               status == STATUS_TRANSACTION_NOT_ACTIVE ||
               status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE);
        atomic_fetch_add(&clients->committed, status == STATUS_SUCCESS);
        engine_handle_close(tx);
        part_close(&parts[0]);
        part_close(&parts[1]);
    }
}

TEST(a_tm_is_closed_under_load_and_opened_again) /* CLOSE-TM-01..05 INV-15 RECOV-11 */
{
    for (int turn = 0; turn < 12; turn++) {
        struct crew crew = {.count = 0};
        struct clients clients = {.seed = 7};
        struct object *tm, *again = NULL;
        struct house house;

        house_open(&house, turn % 2);
        clients.house = &house;
        for (uint32_t i = 0; i < 2; i++) {
            clients.rms[i] = rm_make(&house, i);
            EXPECT_OK(engine_rm_callbacks(clients.rms[i], callback, NULL));
            EXPECT(NT_SUCCESS(engine_rm_recover(clients.rms[i])));
        }
        tm = house.tm;
        engine_hold(tm); /* they name it until they hear that it is gone */
        for (int n = 0; n < CLIENTS; n++)
            crew_start(&crew, work_until_expired, &clients);
        while (atomic_load(&clients.committed) < 20)
            sched_yield();
        engine_handle_close(tm);
        crew_join(&crew);
        for (uint32_t i = 0; i < 2; i++)
            engine_handle_close(clients.rms[i]);
        engine_release(tm);
        house.tm = NULL;
        if (!house.is_volatile) {
            EXPECT_OK(engine_tm_create(house.engine, "/ktm", NULL, 0, &again)); /* CLOSE-TM-04 */
            EXPECT_OK(engine_tm_recover(again, NULL));
            house.tm = again;
        }
        house_close(&house);
        pairs_free(&clients);
    }
}
