/* SPDX-License-Identifier: MIT */
/* The five places as the client uses them: opened with its home, taking part in a transfer. */
#pragma once

#include "ktm.h"
#include "tests/bank/bank.h"

enum { PATH_SIZE = 1024, WHY_SIZE = 1024 };

struct ktm_rm;

/* How they are opened. */
struct bank {
    const char *directory, *conninfo, *socket;
    uint64_t run;
    uint32_t patience_ms; /* 0: through the doors of ktm.h, with what is usual there */
    bool has_threads;     /* all managers have a thread of their own, not only the servers' */
    struct ktm_home *home;
    struct ktm_file_rm *files;
    struct ktm_sqlite_rm *sqlite, *till;
    struct ktm_postgres_rm *postgres;
    struct ktm_mariadb_rm *mariadb;
};

/* One transfer. */
struct transfer {
    struct bank *bank;
    struct ktm_tx *tx;
    uint64_t id;
    unsigned places; /* a bit for each that it has to be in */
    struct ktm_file_tx *files;
    struct ktm_sqlite_tx *sqlite, *till;
    struct ktm_postgres_tx *postgres;
    struct ktm_mariadb_tx *mariadb;
    char why[WHY_SIZE]; /* what was refused */
};

/* Opens all, or says in 'why' which could not be and shuts what was opened. */
NTSTATUS bank_open(struct bank *bank, char *why);
void bank_shut(struct bank *bank);
/* The managers that are open by name: how much each of them has not finished. */
size_t bank_unfinished(struct bank *bank);

NTSTATUS place_join(struct transfer *transfer, enum place place);
NTSTATUS place_look(struct transfer *transfer, enum place place, unsigned account);
NTSTATUS place_move(struct transfer *transfer, enum place place, unsigned account, long amount);
/* A statement that is found wrong at the vote only (PostgreSQL). */
NTSTATUS place_poison(struct transfer *transfer);
void places_leave(struct transfer *transfer);
