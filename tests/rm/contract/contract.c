/* SPDX-License-Identifier: MIT */
/* The contract: outcomes, deaths at every step, redelivery, absence, interference. */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/rm/contract/contract.h"

#define MOMENT(ms) nanosleep(&(struct timespec){(ms) / 1000, (ms) % 1000 * 1000000L}, NULL)

/* ---- outcomes ---- */

static void
nothing_is_seen_yet(struct play *play, enum moment moment)
{
    if (moment == AT_WORK)
        EXPECT(!play->contract->is_there(play->resource, 1));
}

CONTRACT(what_is_committed_is_there_and_not_before)
{
    struct play play;

    play_create(&play, contract);
    play_open(&play);
    play.look = nothing_is_seen_yet;
    EXPECT_OK(play_transaction(&play, 1));
    EXPECT(play_agrees(&play, 1));
    play.look = NULL;
    play.witness_first = true;
    EXPECT_OK(play_transaction(&play, 2));
    EXPECT(play_agrees(&play, 2));
    play_close(&play);
    play_open(&play); /* nothing comes back */
    EXPECT(play_agrees(&play, 1));
    play_close(&play);
    play_destroy(&play);
}

CONTRACT(a_no_of_another_undoes_it)
{
    struct play play;

    play_create(&play, contract);
    play_open(&play);
    play.refuses = true;
    for (int first = 0; first < 2; first++) {
        play.witness_first = first;
        EXPECT_STATUS(STATUS_TRANSACTION_ALREADY_ABORTED, play_transaction(&play, 1));
        EXPECT(!play_agrees(&play, 1));
    }
    play.refuses = false; /* and the item can be made now: nothing is locked */
    EXPECT_OK(play_transaction(&play, 1));
    EXPECT(play_agrees(&play, 1));
    play_close(&play);
    play_destroy(&play);
}

static HANDLE
begin_alone(struct play *play, unsigned item, bool change)
{
    HANDLE transaction;

    EXPECT_OK(NtCreateTransaction(&transaction, TRANSACTION_ALL_ACCESS, NULL, NULL, play->tm, 0, 0,
                                  0, NULL, NULL));
    EXPECT_OK(play->contract->work(play->resource, transaction, item, change));
    return transaction;
}

CONTRACT(rolled_back_or_dropped_it_is_not_there)
{
    struct play play;
    HANDLE transaction;

    play_create(&play, contract);
    play_open(&play);
    transaction = begin_alone(&play, 1, true);
    EXPECT_OK(NtRollbackTransaction(transaction, TRUE));
    NtClose(transaction);
    EXPECT(!play_agrees(&play, 1));
    transaction = begin_alone(&play, 1, true);
    NtClose(transaction);
    EXPECT(!play_agrees(&play, 1));
    play_close(&play);
    play_destroy(&play);
}

CONTRACT(alone_in_a_single_phase)
{
    struct play play;
    HANDLE transaction;

    play_create(&play, contract);
    play_open(&play);
    transaction = begin_alone(&play, 1, true);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    NtClose(transaction);
    EXPECT(contract->is_there(play.resource, 1));
    EXPECT_EQ(0, ktm_rm_unfinished(contract->kit(play.resource)));
    play_close(&play);
    play_destroy(&play);
}

CONTRACT(who_only_looks_prepares_nothing)
{
    struct play play;
    HANDLE transaction;

    play_create(&play, contract);
    play_open(&play);
    transaction = begin_alone(&play, 1, false);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    NtClose(transaction);
    EXPECT(!play_agrees(&play, 1));
    play_close(&play);
    play_destroy(&play);
}

/* ---- deaths ---- */

static void
die_and_agree(struct play *play, enum moment moment, enum victim victim, unsigned item)
{
    bool must_be_there = moment == AT_END || moment == AT_COMMIT;

    play->moment = moment;
    play->victim = victim;
    play_in_child(play, item);
    play->moment = NEVER;
    if (victim & SERVER) {
        play->contract->kill(play->resource); /* what is left of it */
        play->contract->again(play->resource);
    }
    play_open(play);
    /* Decided at the commit. Before, only the client's death is sure to end it. */
    if (must_be_there)
        EXPECT(play_agrees(play, item));
    else if (victim & CLIENT)
        EXPECT(!play_agrees(play, item));
    else
        play_agrees(play, item);
    play_close(play);
}

static void
die_at_every_step(const struct contract *contract, enum victim victim)
{
    struct play play;
    unsigned item = 1;

    play_create(&play, contract);
    for (int first = 0; first < 2; first++)
        for (enum moment moment = AT_BEGIN; moment < MOMENTS; moment++) {
            /* A server takes its time to start: half of it in a normal run. */
            if (victim != CLIENT && !test_sweep_is_full() && (int)((moment + victim) % 2) != first)
                continue;
            play.witness_first = first;
            die_and_agree(&play, moment, victim, item++);
        }
    play_destroy(&play);
}

CONTRACT(the_client_dies_at_every_step)
{
    die_at_every_step(contract, CLIENT);
}

CONTRACT_WITH(NEEDS_SERVER, the_server_dies_at_every_step)
{
    die_at_every_step(contract, SERVER);
}

CONTRACT_WITH(NEEDS_SERVER, both_die_at_every_step)
{
    die_at_every_step(contract, BOTH);
}

/* The resource manager has committed, and the TM does not know: it says COMMIT again, and again. */
CONTRACT(redelivery_is_done_twice)
{
    struct play play;

    play_create(&play, contract);
    play.moment = AT_COMMIT;
    play.victim = CLIENT;
    for (unsigned item = 1; item <= 3; item++) /* each start recovers those of before */
        play_in_child(&play, item);
    play.moment = NEVER;
    play_open(&play);
    for (unsigned item = 1; item <= 3; item++)
        EXPECT(play_agrees(&play, item) || item > 1);
    play_close(&play);
    play_destroy(&play);
}

/* What an older run left is ended, and what this one prepares is not taken for it. */
CONTRACT(two_runs_are_kept_apart)
{
    struct play play;

    play_create(&play, contract);
    play.moment = AT_PREPARE;
    play.victim = CLIENT;
    for (unsigned item = 1; item <= 3; item++)
        play_in_child(&play, item);
    play.moment = NEVER;
    play_open(&play);
    for (unsigned item = 1; item <= 3; item++) {
        EXPECT(!play_agrees(&play, item));
        EXPECT_OK(play_transaction(&play, item));
        EXPECT(play_agrees(&play, item));
    }
    play_close(&play);
    play_destroy(&play);
}

/* ---- absence and interference ---- */

static void
kill_when_prepared(struct play *play, enum moment moment)
{
    if (moment != AT_PREPARE)
        return;
    while (play->contract->prepared(play->resource) == 0)
        MOMENT(10);
    play->contract->kill(play->resource);
}

CONTRACT_WITH(NEEDS_SERVER, a_resource_that_is_away_in_phase_two_is_told_when_it_is_back)
{
    struct play play;
    HANDLE transaction;
    unsigned item = 1;

    play_create(&play, contract);
    play.mode = KTM_RM_HELPED;
    play.patience_ms = 300;
    play_open(&play);
    play.look = kill_when_prepared;
    EXPECT_OK(play_transaction(&play, item)); /* not for ever: the outcome is known */
    EXPECT_EQ(1, ktm_rm_unfinished(contract->kit(play.resource)));
    play.look = NULL;
    contract->again(play.resource);
    EXPECT_EQ(1, contract->prepared(play.resource));
    play_close(&play);
    play_open(&play);
    EXPECT(play_agrees(&play, item));
    transaction = begin_alone(&play, 2, true);
    EXPECT_OK(NtCommitTransaction(transaction, TRUE));
    NtClose(transaction);
    play_close(&play);
    play_destroy(&play);
}

static void
interfere(struct play *play, enum moment moment)
{
    if (moment == AT_PREPARE)
        play->contract->interfere(play->resource);
}

CONTRACT_WITH(NEEDS_INTERFERENCE, interference_is_told)
{
    struct play play;

    play_create(&play, contract);
    play_open(&play);
    play.look = interfere;
    EXPECT(!contract->was_told(play.resource));
    EXPECT_OK(play_transaction(&play, 1));
    EXPECT(contract->was_told(play.resource));
    EXPECT(!contract->is_there(play.resource, 1));
    play_close(&play);
    play_destroy(&play);
}
