/* SPDX-License-Identifier: MIT */
/*
 * The auditor: makes the five places, remembers what the client was told, and compares.
 *
 * He looks from outside, with the clients of the databases and with plain reads, and only after a
 * recovery: what he finds is what everybody sees.
 */
#pragma once

#include <stddef.h>

#include "tests/bank/bank.h"
#include "tests/rm/servers/mariadb.h"
#include "tests/rm/servers/postgres.h"

struct words {
    struct word *all;
    size_t count, room;
};

struct auditor {
    const char *directory;
    struct postgres *postgres;
    struct mariadb *mariadb;
    long balances[PLACES][ACCOUNTS]; /* as the ledgers say that were audited */
    uint64_t first_run;              /* that was not audited yet */
    struct words words;              /* of those runs */
    struct words verdicts;           /* of all runs before: granted and refused */
};

/* What an audit has found, when nothing is wrong. */
struct findings {
    unsigned granted, refused;       /* as the client was told */
    unsigned committed, rolled_back; /* of those that it was not told about */
};

void auditor_found(struct auditor *auditor); /* the bank: accounts and empty ledgers */
void auditor_hear(struct auditor *auditor, const struct word *words, size_t count);
/* How many branches are prepared, as the places themselves tell; the servers must be there. */
unsigned auditor_doubts(struct auditor *auditor);
/* Everything since the last audit. "": all is right; else what is not. */
const char *auditor_audit(struct auditor *auditor, struct findings *findings);
/* All that ever was, once more. */
const char *auditor_audit_all(struct auditor *auditor);
void auditor_end(struct auditor *auditor);
