/* SPDX-License-Identifier: MIT */
/*
 * The resource manager of one SQLite database: what the kit asks (rm.c when it prepares, last.c
 * when it decides) and what applications call (ktm_sqlite.c). A part is shared by those who began
 * it and by the kit's branch; the resource manager by its opener and the parts.
 *
 * Locks: 'mutex' of a part for its words, its state and the outcome; never held across a call of
 * the kit. SQLite's own mutex of the connection is inside of it.
 */
#pragma once

#include "base/list.h"
#include "ktm_sqlite.h"
#include "rm/sqlite/park.h"
#include "rm/sqlite/shim.h"
#include "rm/sqlite/store.h"
#include "sys/thread.h"
#include "wdm.h"

#define KIND_PARK "park" /* these begin the names of records in the home */
#define KIND_LAST "last"

struct ktm_sqlite_rm {
    _Atomic unsigned references;
    char *path;                        /* of the database, as SQLite names it */
    struct ktm_sqlite_options options; /* 'setup' is ours, never NULL */
    char *setup;
    HANDLE tm;
    bool owns_tm;
    struct ktm_rm *kit;
    struct store store;
    struct park park;
    uint64_t process;       /* that opened it: a forked child has no part in it */
    struct sys_mutex mutex; /* of the list below */
    struct list settled;    /* signs to be removed by the next decision: struct settled */
};

struct ktm_sqlite_tx {
    _Atomic unsigned references;
    _Atomic unsigned holders; /* applications among them */
    struct ktm_sqlite_rm *rm;
    HANDLE transaction;
    bool owns_transaction;
    struct sys_mutex mutex;
    struct sqlite3 *db;
    struct shim *shim;    /* NULL: last resource */
    bool is_wal;          /* prepares in WAL mode */
    _Atomic bool is_over; /* then SQLite needs no lock to read: whatever is said is refused */
    _Atomic bool is_ours; /* what runs on the connection now is said by us */
    enum ktm_sqlite_state state;
    struct words why;
};

extern const struct ktm_rm_author sqlite_author, sqlite_last_author;

void sqlite_rm_hold(struct ktm_sqlite_rm *rm);
void sqlite_rm_release(struct ktm_sqlite_rm *rm);
void sqlite_tx_hold(struct ktm_sqlite_tx *tx);
void sqlite_tx_release(struct ktm_sqlite_tx *tx);
/* Answers: RM_NOT_ACTIVE (it is of the process this one was forked from). */
static inline NTSTATUS must_use
sqlite_rm_check(const struct ktm_sqlite_rm *rm)
{
    return rm->process == sys_process_id() ? STATUS_SUCCESS : status_raise(STATUS_RM_NOT_ACTIVE);
}

/* connection.c: the connection of a part. */

/* Opens it and begins. Answers as ktm_sqlite_begin. */
NTSTATUS connection_begin(struct ktm_sqlite_tx *tx, struct words *why) must_use;
void connection_close(struct ktm_sqlite_tx *tx);
/* Ends what runs and rolls back; harmless when there is nothing to roll back. */
void connection_rollback(struct ktm_sqlite_tx *tx);
/* COMMIT, by us. Explains. SQLITE_OK, or SQLite's extended code. */
int connection_commit(struct ktm_sqlite_tx *tx);
/* One statement without rows, by us. */
int connection_run(struct ktm_sqlite_tx *tx, const char *sql);
/* Is there anything to commit; if not, why. */
bool connection_is_in_transaction(struct ktm_sqlite_tx *tx);
/* What one of SQLite's codes is called here. */
NTSTATUS status_of_sqlite(int code);
/* A connection of our own to the database, without the layer; a failure is explained. */
NTSTATUS database_open(const struct ktm_sqlite_rm *rm, struct sqlite3 **out,
                       struct words *why) must_use;
void database_close(struct sqlite3 *db);
/* Makes the database when it is missing and may be made. */
NTSTATUS database_make(const struct ktm_sqlite_rm *rm, struct words *why) must_use;
/* Is it one, and fit for the mode? */
NTSTATUS database_look(struct ktm_sqlite_rm *rm, struct words *why) must_use;
/* Lets SQLite roll back by a journal. Whoever is in our way does it as well. */
void database_play_back(struct ktm_sqlite_rm *rm);

/* last.c */
NTSTATUS outcome_table_make(struct ktm_sqlite_rm *rm, struct words *why) must_use;
/* Removes the signs that nobody will ask for, as far as that is possible now. */
void outcome_flush(struct ktm_sqlite_rm *rm);
