/* SPDX-License-Identifier: MIT */
/*
 * The parked journal: how names beside a database say what is prepared.
 *
 * SQLite's commit is the removal of DB-journal; all else is on the disk by then. Prepared work has
 * a directory, the gate, in the place of the journal, and the journal under a name that says whose
 * it is:
 *
 *     DB-journal a file,       no DB-ktm.KEY            SQLite's own business
 *     DB-journal a file,       DB-ktm.KEY a directory   not prepared (before or after an exchange)
 *     DB-journal a directory,  DB-ktm.KEY a file        prepared
 *     DB-journal a directory,  no DB-ktm.KEY file       committed; the gate is left over
 *     no directory DB-journal, DB-ktm.KEY a file        committed; the journal is left over
 *
 * The last two come from a crash or a power cut between two names. Nothing else leads there: the
 * gate of prepared work goes only with its journal.
 *
 * A database in WAL mode has no journal. What is parked there is the frame that commits, in a file
 * that is a journal to SQLite too, one whose transaction is over (frame.h). SQLite looks for a
 * journal before it looks for a log, so the gate keeps everybody out in the same way:
 *
 *     DB-journal that file,    no DB-ktm.KEY.wal             not prepared, or rolled back
 *     DB-journal that file,    DB-ktm.KEY.wal a directory    not prepared, or rolled back
 *     DB-journal a directory,  DB-ktm.KEY.wal a file         prepared
 *     DB-journal a directory,  no DB-ktm.KEY.wal             committed: the frame is in the log
 *
 * What is prepared has a gate for as long as it is a file, on the disk too. Where the gate is
 * missing somebody else has taken it away, and the log must prove that nobody has written
 * meanwhile.
 *
 * Who changes these names holds SQLite's EXCLUSIVE lock on the database: the branch that prepares
 * has it from its COMMIT on, and a recovery takes it (guard.h). So two of them are never at it at
 * once, even from two homes. Only "prepared" is durable by promise; each function that finishes
 * something makes it durable again, because a redelivered request may find names that are not.
 */
#pragma once

#include "base/base.h"
#include "ktm_rm.h"
#include "rm/sqlite/frame.h"
#include "sys/tree.h"

/* "-ktm.", three GUIDs and a number in hexadecimal with dots between, and a NUL: 121 bytes. The
 * number has three digits to spare for a ".wal" behind it: it counts starts. */
#define PARK_NAME_SIZE     256
#define PARK_DATABASE_SIZE (PARK_NAME_SIZE - 121)

struct park {
    struct tree *tree;
    int fd; /* the directory of the database */
    char name[PARK_DATABASE_SIZE + 1];
    char journal[PARK_NAME_SIZE]; /* of SQLite's journal */
    char log[PARK_NAME_SIZE];     /* of SQLite's write-ahead log */
    struct tree_info id;          /* of the database when it was opened */
};

/* 'path' is the database as SQLite names it: absolute, without symbolic links. Answers:
 * NAME_TOO_LONG, OBJECT_PATH_NOT_FOUND and what else opening says. */
NTSTATUS park_open(struct park *park, const char *path, struct words *why) must_use;
void park_close(struct park *park);
/* Whether names can be exchanged here. Answers: NOT_SUPPORTED. */
NTSTATUS park_probe(struct park *park, const GUID *manager, struct words *why) must_use;

/* All is undone when it fails, if that is possible. */
NTSTATUS park_prepare(struct park *park, const struct ktm_rm_key *key, struct words *why) must_use;
/* By the branch that prepared it. */
NTSTATUS park_commit(struct park *park, const struct ktm_rm_key *key, struct words *why) must_use;
NTSTATUS park_rollback(struct park *park, const struct ktm_rm_key *key, struct words *why) must_use;

/* The same in WAL mode: the log is on the disk, but for the frame. A commit answers
 * RM_METADATA_CORRUPT when the log is not the one that the frame was made for. */
NTSTATUS park_prepare_frame(struct park *park, const struct ktm_rm_key *key,
                            const struct frame *frame, struct words *why) must_use;
NTSTATUS park_commit_frame(struct park *park, const struct ktm_rm_key *key,
                           const struct frame *frame, struct words *why) must_use;
NTSTATUS park_rollback_frame(struct park *park, const struct ktm_rm_key *key,
                             struct words *why) must_use;

/* By a later run, under the guard, of either kind. 'is_same': the database is the file it was when
 * 'key' was prepared, so that what is not there was removed by us. Answers: RM_METADATA_CORRUPT
 * (the names say something else; nothing was changed). */
NTSTATUS park_commit_again(struct park *park, const struct ktm_rm_key *key, bool is_same,
                           struct words *why) must_use;
NTSTATUS park_rollback_again(struct park *park, const struct ktm_rm_key *key,
                             struct words *why) must_use;
/* Removes a gate that nothing parked belongs to, and the file of a frame in its place; under the
 * guard. */
NTSTATUS park_sweep(struct park *park, struct words *why) must_use;

/* Is its journal parked behind the gate? */
bool park_is_parked(struct park *park, const struct ktm_rm_key *key);
/* Is there a gate? */
bool park_is_shut(struct park *park);
/* The keys in all names, prepared or not. */
NTSTATUS park_list(struct park *park, ktm_rm_each_key *each, void *list) must_use;
