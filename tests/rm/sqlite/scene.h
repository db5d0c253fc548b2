/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the SQLite resource manager share: a home, a database with one row, a second
 * participant that can be made to refuse, and the unchanged sqlite3 command beside it.
 */
#pragma once

#include <sqlite3.h>

#include "ktm_rm.h"
#include "ktm_sqlite.h"
#include "tests/test.h"
#include "wdm.h"

struct scene {
    char home[512], db[512], journal[576];
    struct ktm_sqlite_options options;
    HANDLE tm;
    struct ktm_sqlite_rm *rm;
    struct ktm_rm *other; /* a second participant, so that there are two phases */
    enum ktm_rm_answer other_votes;
    bool other_is_first;                       /* it is asked before the database */
    bool was_done;                             /* what follows, already */
    bool other_is_durable;                     /* it is told of the outcome after a crash */
    void (*while_voting)(struct scene *scene); /* called when the other one is asked to prepare */
    void (*while_committing)(struct scene *scene);
    unsigned committed, rolled_back; /* the other one */
};

/* A database with t(v) = (1), closed; nothing is open. */
void scene_set(struct scene *scene);
/* The same in WAL mode, which is to be owned. */
void scene_set_wal(struct scene *scene);
/* Opens home and database, as scene->options say; and closes them. */
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
HANDLE scene_transaction(struct scene *scene);
/* Takes part in it, and in case of need says why that is not possible. */
struct ktm_sqlite_tx *scene_begin(struct scene *scene, HANDLE transaction);
void scene_enlist_other(struct scene *scene, HANDLE transaction);
/* Writes 'v' into t, with the other one in the same transaction, and commits: the status. */
NTSTATUS scene_write(struct scene *scene, int v);

/* One statement on a plain connection: its code. */
int scene_sql(const struct scene *scene, const char *sql);
/* The first column of its first row as a number; -1: no row; -1000 - code: refused. */
long long scene_number(const struct scene *scene, const char *sql);
/* What the unchanged sqlite3 command prints for "SELECT v FROM t", errors too. */
const char *scene_command_says(const struct scene *scene);
/* The same of Python's own module, which opens the file for itself. */
const char *scene_python_says(const struct scene *scene);
/* Names in the directory of the database that begin with its name and "-". */
unsigned scene_names(const struct scene *scene);
/* The name of the parked journal, or of the directory that was to be exchanged with it: a path. */
const char *scene_parked(const struct scene *scene);

/* In a child of its own: opens all, writes 'v' into t, goes on to where this database is prepared,
 * and is killed there: before the decision is on the disk, or after. */
enum scene_crash { CRASH_UNDECIDED, CRASH_DECIDED };
void scene_crash(struct scene *scene, int v, enum scene_crash when);
