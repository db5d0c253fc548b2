/* SPDX-License-Identifier: MIT */
/* The contract under load: many transactions at once, and deaths that nobody chose. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/rm/contract/contract.h"

#define THREADS 8

struct worker {
    struct play *play;
    pthread_t thread;
    unsigned first, count;
};

/* Commits two of three; the third is rolled back by its end. */
static void *
work(void *argument)
{
    struct worker *worker = argument;
    struct play *play = worker->play;

    for (unsigned item = worker->first; item < worker->first + worker->count; item++) {
        HANDLE transaction;

        if (item % 3 != 0) {
            EXPECT_OK(play_transaction(play, item));
            continue;
        }
        EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, play->tm, 0,
                                      0, 0, NULL, NULL));
        EXPECT_OK(play->contract->work(play->resource, transaction, item, true));
        NtClose(transaction);
    }
    return NULL;
}

CONTRACT(many_at_once)
{
    unsigned each = test_sweep_is_full() ? 125 : test_sweep_is_short() ? 10 : 40;
    struct worker workers[THREADS];
    struct play play;

    play_create(&play, contract);
    play_open(&play);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.play = &play, .first = 1 + i * each, .count = each};
        EXPECT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT_EQ(0, pthread_join(workers[i].thread, NULL));
    for (unsigned item = 1; item <= THREADS * each; item++)
        EXPECT_EQ(item % 3 != 0, play_agrees(&play, item));
    play_close(&play);
    play_destroy(&play);
}

/* All of them under way before the first is committed. */
CONTRACT_WITH(NEEDS_MANY, all_under_way_at_once)
{
    unsigned count = test_sweep_is_short() ? contract->at_once / 8 : contract->at_once;
    HANDLE transactions[200];
    struct play play;

    play_create(&play, contract);
    play_open(&play);
    for (unsigned item = 0; item < count; item++) {
        EXPECT_OK(NtCreateTransaction(&transactions[item], TRANSACTION_ALL_ACCESS, NULL, NULL,
                                      play.tm, 0, 0, 0, NULL, NULL));
        EXPECT_OK(play_join(&play, transactions[item], item));
    }
    for (unsigned item = 0; item < count; item++) {
        EXPECT_OK(item % 3 ? NtCommitTransaction(transactions[item], TRUE)
                           : NtRollbackTransaction(transactions[item], TRUE));
        NtClose(transactions[item]);
    }
    for (unsigned item = 0; item < count; item++)
        EXPECT_EQ(item % 3 != 0, play_agrees(&play, item));
    play_close(&play);
    play_destroy(&play);
}

/* ---- several in doubt ---- */

enum { UNDECIDED = 5 };

/* The last one to arrive takes all with it: everybody else has promised. */
static void
gather_and_die(struct play *play, enum moment moment)
{
    static _Atomic unsigned count;

    (void)play;
    if (moment != AT_PREPARE)
        return;
    if (atomic_fetch_add(&count, 1) + 1 == UNDECIDED)
        kill(getpid(), SIGKILL);
    pause();
}

static void
die_with_all_prepared(struct play *play)
{
    struct worker workers[UNDECIDED];

    play->look = gather_and_die;
    play_open(play);
    for (unsigned i = 0; i < UNDECIDED; i++) {
        workers[i] = (struct worker){.play = play, .first = 3 * i + 1, .count = 1};
        EXPECT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (;;)
        pause();
}

/* All in the first recovery. RECOV-32 */
CONTRACT_WITH(NEEDS_MANY, what_nobody_decided_is_rolled_back_all_of_it)
{
    struct play play;
    pid_t child;
    int status;

    EXPECT(contract->at_once >= UNDECIDED);
    play_create(&play, contract);
    child = fork();
    EXPECT(child >= 0);
    play.incarnation++;
    if (child == 0)
        die_with_all_prepared(&play);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (contract->prepared)
        EXPECT_EQ(UNDECIDED, contract->prepared(play.resource));
    play_open(&play);
    for (unsigned i = 0; i < UNDECIDED; i++)
        EXPECT(!play_agrees(&play, 3 * i + 1));
    play_close(&play);
    play_destroy(&play);
}

/* ---- any moment ---- */

static void
transact_until_killed(struct play *play, unsigned first, int ready)
{
    play_open(play);
    EXPECT_EQ(1, write(ready, "", 1));
    for (unsigned item = first;; item++)
        (void)!play_transaction(play, item);
}

/* Kills a process that commits one item after the other; and the server every second time. */
static void
one_round(struct play *play, unsigned first, unsigned delay_ms, bool with_server)
{
    int status, ready[2];
    pid_t child;
    char byte;

    EXPECT_EQ(0, pipe(ready));
    child = fork();
    EXPECT(child >= 0);
    play->incarnation++;
    if (child == 0)
        transact_until_killed(play, first, ready[1]);
    if (with_server) /* it could not be opened without */
        EXPECT_EQ(1, read(ready[0], &byte, 1));
    close(ready[0]);
    close(ready[1]);
    nanosleep(&(struct timespec){delay_ms / 1000, delay_ms % 1000 * 1000000L}, NULL);
    if (with_server)
        play->contract->kill(play->resource);
    kill(child, SIGKILL);
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT(WIFSIGNALED(status));
    if (with_server)
        play->contract->again(play->resource);
}

CONTRACT(death_at_any_moment)
{
    const char *seed = getenv("KTM_SEED");
    unsigned state = seed ? (unsigned)atoi(seed) : (unsigned)time(NULL);
    unsigned rounds = test_sweep_is_full() ? 200 : test_sweep_is_short() ? 4 : 12;
    struct play play;

    printf("KTM_SEED=%u\n", state);
    play_create(&play, contract);
    for (unsigned round = 0; round < rounds; round++) {
        unsigned first = 1 + round * 100000, item;

        play.witness_first = round % 2;
        one_round(&play, first, 20 + (unsigned)rand_r(&state) % 180,
                  contract->kill && round % 4 > 1);
        play_open(&play);
        for (item = first; play_agrees(&play, item); item++)
            continue;
        EXPECT(!play_agrees(&play, item + 1)); /* one was under way, and none after it */
        play_close(&play);
    }
    play_destroy(&play);
}
