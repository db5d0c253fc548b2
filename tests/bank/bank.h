/* SPDX-License-Identifier: MIT */
/*
 * A bank whose accounts are in five places: what its client and its auditor both have to know.
 *
 * Each place has a few accounts, with a balance, and a ledger with an entry for each movement: the
 * transfer it belongs to, the places that transfer has to be in, and the amount. A transfer is one
 * transaction, and its amounts add up to nothing. So, whatever dies, once everything is recovered:
 * the sum of all balances is what it was in the beginning; each transfer is in all of its places or
 * in none; each balance is what the ledger says; what was acknowledged is there, and what was
 * refused is not.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum place { POSTGRES, MARIADB, SQLITE, TILL, FILES, PLACES };
enum { ACCOUNTS = 6, BEGINNING = 1000, THREADS = 4 };

/* The places in the bank's directory: SQLite's that prepares, and, in WAL mode, the one that
 * decides as last resource; and the files, one for each account and one for each account's ledger
 * and run. */
#define HOME_PATH   "home"
#define SQLITE_PATH "books/branch.db"
#define TILL_PATH   "till/till.db"
#define FILES_PATH  "safe"
#define PAGE_PATH   "page"

/* A transfer is <run><thread><number>, so those of later runs are greater. */
#define RUN_SHIFT    32
#define THREAD_SHIFT 24

/* What the client says to its auditor, through a pipe that outlives it. */
enum word_kind {
    READY,   /* everything is open */
    ASKED,   /* the commit begins */
    GRANTED, /* it was committed */
    REFUSED, /* it was rolled back, or never asked for */
    UNKNOWN, /* nobody could say */
    BROKEN,  /* an answer that should not have been */
};

struct word {
    uint64_t transfer;
    uint32_t kind;
    uint32_t status;
};

/* What the client is doing, in memory that outlives it. */
enum stage { OPENING, RESTING, WORKING, COMMITTING, ROLLING_BACK, CLOSING, STAGES };

struct page {
    _Atomic uint32_t stage;           /* OPENING, RESTING when it is open, CLOSING */
    _Atomic uint32_t stages[THREADS]; /* RESTING, WORKING, COMMITTING, ROLLING_BACK */
};

/* ---- chance, from one seed ---- */

static inline uint32_t
draw(uint64_t *random, uint32_t below)
{
    uint64_t z = *random += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % below);
}

static inline bool
one_in(uint64_t *random, uint32_t n)
{
    return draw(random, n) == 0;
}
