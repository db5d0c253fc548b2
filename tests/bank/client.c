/* SPDX-License-Identifier: MIT */
/*
 * The client of the bank: threads that move money until somebody kills it.
 *
 *     bank-client run DIRECTORY CONNINFO SOCKET RUN SEED PATIENCE   until SIGTERM
 *     bank-client recover DIRECTORY CONNINFO SOCKET                 finishes what was left
 *
 * It speaks to its auditor through descriptor 3 (bank.h). Exit status: 0 all is well, 1 something
 * could not be opened, 3 opened and something is left unfinished.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ktm_rm.h"
#include "tests/bank/places.h"

enum { AUDITOR = 3, EXIT_NOT_OPENED = 1, EXIT_USAGE = 2, EXIT_UNFINISHED = 3 };

static struct page *page;
static struct bank bank;
static _Atomic bool is_over;

struct teller {
    uint64_t random, next;
    unsigned index;
};

/* ---- saying ---- */

static void
tell(uint64_t transfer, enum word_kind kind, NTSTATUS status)
{
    const struct word word = {.transfer = transfer, .kind = kind, .status = (uint32_t)status};

    if (write(AUDITOR, &word, sizeof(word)) != sizeof(word))
        _exit(EXIT_USAGE); /* nobody listens */
}

static void
complain(const struct transfer *transfer, const char *what, NTSTATUS status)
{
    char why[WHY_SIZE] = "";

    ktm_error(transfer->tx, why, sizeof(why));
    fprintf(stderr, "%" PRIx64 ": %s: %s: %s\n", transfer->id, what,
            ktm_status_name(status) ? ktm_status_name(status) : "?",
            transfer->why[0] ? transfer->why : why);
}

static void
stage_is(const struct teller *teller, enum stage stage)
{
    atomic_store(&page->stages[teller->index], stage);
}

static void
rest(unsigned milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
}

/* ---- one transfer ---- */

/* What is drawn for it. */
struct plan {
    enum place order[PLACES];
    unsigned count, looks; /* the first ones get money moved, the next ones a look */
    unsigned accounts[PLACES];
    long amounts[PLACES];
    bool is_inside; /* within one place, from one account to another */
    bool is_poisoned;
};

static void
plan_places(struct plan *plan, uint64_t *random)
{
    static const unsigned counts[] = {1, 2, 2, 2, 3, 3, 3, 4, 4, 5};

    plan->count = counts[draw(random, 10)];
    plan->looks = plan->count < PLACES && one_in(random, 5);
    for (unsigned i = 0; i < PLACES; i++)
        plan->order[i] = (enum place)i;
    for (unsigned i = 0; i < PLACES; i++) {
        unsigned other = i + draw(random, PLACES - i);
        enum place kept = plan->order[i];

        plan->order[i] = plan->order[other];
        plan->order[other] = kept;
    }
}

/* Mostly in the same order everywhere, so that few wait for one another in a circle. */
static void
plan_order(struct plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++)
        for (unsigned j = i + 1; j < plan->count; j++)
            if (plan->order[j] < plan->order[i]) {
                enum place kept = plan->order[i];

                plan->order[i] = plan->order[j];
                plan->order[j] = kept;
            }
}

static void
plan_draw(struct plan *plan, uint64_t *random)
{
    long sum = 0;

    *plan = (struct plan){0};
    plan_places(plan, random);
    if (!one_in(random, 5))
        plan_order(plan);
    for (unsigned i = 0; i < PLACES; i++) {
        plan->accounts[i] = draw(random, ACCOUNTS);
        plan->amounts[i] = (long)draw(random, 41) - 20;
        sum += i + 1 < plan->count ? plan->amounts[i] : 0;
    }
    plan->is_inside = plan->count == 1;
    if (!plan->is_inside)
        plan->amounts[plan->count - 1] = -sum;
    plan->is_poisoned = one_in(random, 25);
}

static NTSTATUS
work_in(struct transfer *transfer, const struct plan *plan, unsigned i)
{
    enum place place = plan->order[i];
    unsigned account = plan->accounts[i];
    NTSTATUS status = place_join(transfer, place);

    if (status == STATUS_SUCCESS && i >= plan->count)
        return place_look(transfer, place, account);
    if (status == STATUS_SUCCESS)
        status = place_move(transfer, place, account, plan->amounts[i]);
    if (status == STATUS_SUCCESS && plan->is_inside)
        status = place_move(transfer, place, (account + 1) % ACCOUNTS, -plan->amounts[i]);
    if (status == STATUS_SUCCESS && plan->is_poisoned && place == POSTGRES)
        status = place_poison(transfer);
    return status;
}

static NTSTATUS
work(struct transfer *transfer, const struct plan *plan)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (unsigned i = 0; status == STATUS_SUCCESS && i < plan->count + plan->looks; i++)
        status = work_in(transfer, plan, i);
    return status;
}

/* Says what became of it; nothing else may. */
static void
commit(struct teller *teller, struct transfer *transfer)
{
    NTSTATUS status;

    tell(transfer->id, ASKED, STATUS_SUCCESS);
    stage_is(teller, COMMITTING);
    status = ktm_commit(transfer->tx);
    if (status == STATUS_SUCCESS) {
        tell(transfer->id, GRANTED, status);
        return;
    }
    complain(transfer, "commit", status);
    if (status == STATUS_TRANSACTION_ALREADY_ABORTED)
        tell(transfer->id, REFUSED, status);
    else if (status == STATUS_RM_DISCONNECTED || status == STATUS_TRANSACTIONMANAGER_NOT_ONLINE)
        tell(transfer->id, UNKNOWN, status);
    else
        tell(transfer->id, BROKEN, status);
}

/* Why work may be refused: somebody is not there, or somebody else was faster. */
static bool
is_expected(NTSTATUS status)
{
    static const NTSTATUS expected[] = {
        STATUS_SUCCESS, STATUS_RM_DISCONNECTED, STATUS_TRANSACTIONAL_CONFLICT,
        STATUS_TRANSACTION_NOT_ACTIVE /* it was rolled back meanwhile */};

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (status == expected[i])
            return true;
    return false;
}

static void
give_up(struct teller *teller, struct transfer *transfer)
{
    NTSTATUS status = STATUS_SUCCESS;

    stage_is(teller, ROLLING_BACK);
    if (one_in(&teller->random, 2))
        status = ktm_rollback(transfer->tx);
    if (status != STATUS_SUCCESS && status != STATUS_TRANSACTION_ALREADY_ABORTED) {
        complain(transfer, "rollback", status);
        tell(transfer->id, BROKEN, status);
    }
    tell(transfer->id, REFUSED, status);
}

static void
make_transfer(struct teller *teller)
{
    struct transfer transfer = {.bank = &bank};
    struct plan plan;
    NTSTATUS status;

    plan_draw(&plan, &teller->random);
    transfer.id = bank.run << RUN_SHIFT | (uint64_t)teller->index << THREAD_SHIFT | ++teller->next;
    for (unsigned i = 0; i < plan.count; i++)
        transfer.places |= 1u << plan.order[i];
    stage_is(teller, WORKING);
    status = ktm_begin(bank.home, &transfer.tx);
    if (status != STATUS_SUCCESS) {
        tell(transfer.id, BROKEN, status);
        return;
    }
    status = work(&transfer, &plan);
    if (status == STATUS_SUCCESS && !one_in(&teller->random, 6)) {
        commit(teller, &transfer);
    } else {
        if (status != STATUS_SUCCESS)
            complain(&transfer, "work", status);
        if (!is_expected(status)) {
            complain(&transfer, "BROKEN", status);
            tell(transfer.id, BROKEN, status);
        }
        give_up(teller, &transfer);
    }
    places_leave(&transfer);
    ktm_end(transfer.tx);
    stage_is(teller, RESTING);
    if (status != STATUS_SUCCESS)
        rest(5);
}

/* ---- all of them ---- */

static void *
keep_moving(void *argument)
{
    while (!atomic_load(&is_over))
        make_transfer(argument);
    return NULL;
}

static void
run(uint64_t seed, const sigset_t *end)
{
    struct teller tellers[THREADS];
    pthread_t threads[THREADS];
    int got;

    for (unsigned i = 0; i < THREADS; i++) {
        tellers[i] = (struct teller){.random = seed * THREADS + i, .index = i};
        stage_is(&tellers[i], RESTING);
        pthread_create(&threads[i], NULL, keep_moving, &tellers[i]);
    }
    atomic_store(&page->stage, RESTING);
    tell(0, READY, STATUS_SUCCESS);
    sigwait(end, &got);
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* The other managers may have an answer for one that was opened before them. */
static int
finish(void)
{
    enum { TRIES = 400 };

    for (int i = 0; i < TRIES && bank_unfinished(&bank); i++)
        rest(5);
    if (bank_unfinished(&bank) == 0)
        return 0;
    fprintf(stderr, "%zu unfinished\n", bank_unfinished(&bank));
    return EXIT_UNFINISHED;
}

static bool
map_page(const char *directory)
{
    char path[PATH_SIZE];
    int fd;

    snprintf(path, sizeof(path), "%s/" PAGE_PATH, directory);
    fd = open(path, O_RDWR | O_CLOEXEC);
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return page != MAP_FAILED;
}

int
main(int count, char **words)
{
    bool is_run = count == 8 && strcmp(words[1], "run") == 0;
    char why[WHY_SIZE] = "";
    sigset_t end;
    int code = 0;

    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &end, NULL);

    if (!is_run && !(count == 5 && strcmp(words[1], "recover") == 0))
        return EXIT_USAGE;
    bank = (struct bank){.directory = words[2],
                         .conninfo = words[3],
                         .socket = words[4],
                         .run = is_run ? strtoull(words[5], NULL, 10) : 0,
                         .patience_ms = is_run ? (uint32_t)strtoul(words[7], NULL, 10) : 500};
    bank.has_threads = bank.patience_ms % 2;
    if (!map_page(bank.directory))
        return EXIT_USAGE;
    atomic_store(&page->stage, OPENING);
    if (bank_open(&bank, why) != STATUS_SUCCESS) {
        fprintf(stderr, "%s\n", why);
        return EXIT_NOT_OPENED;
    }
    if (is_run)
        run(strtoull(words[6], NULL, 10), &end);
    else
        code = finish();
    atomic_store(&page->stage, CLOSING);
    bank_shut(&bank);
    return code;
}
