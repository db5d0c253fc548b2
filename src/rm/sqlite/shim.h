/* SPDX-License-Identifier: MIT */
/*
 * The layer between SQLite and its files: it stops a commit at its last step.
 *
 * It is a VFS over the default one, made of SQLite's public interface alone. A connection of a
 * branch is opened through it. While the branch prepares, the removal of the journal becomes
 * park_prepare, and SQLite believes that it has committed; the locks that SQLite lets go of then
 * are kept. So no thread has to wait inside a COMMIT, and whoever else uses the database is told
 * that it is busy.
 *
 *     OPEN ──prepare──▶ PREPARING ──the journal is removed──▶ PARKED ──outcome──▶ OVER
 *       └──────────────────────────rolled back─────────────────────────────────────▲
 *
 * PARKED: this connection reads what is in memory, and gets no lock. OVER: nothing.
 *
 * In WAL mode, which a connection must be given on purpose (shim_own_log), the same happens one
 * file further: the frame that commits is kept back, and the sync of the log becomes
 * park_prepare_frame. There SQLite holds its EXCLUSIVE lock on the database from the first look on,
 * so nobody else can have it open, and the index of the log is memory of this connection: no file
 * is shared.
 *
 * It also refuses what would make a commit go another way than by removing the journal: other
 * journal modes, other locking, weaker syncs, a second database, atomic writes of the file system.
 */
#pragma once

#include "rm/sqlite/park.h"

struct sqlite3;
struct shim; /* one connection's files */

/* Opens a connection whose main database is 'path', in serialized mode. On failure it may be there
 * too, with SQLite's error in it. */
int shim_open(const char *path, struct park *park, struct sqlite3 **out, struct shim **shim);
/* After sqlite3_close_v2: what statements that the application has kept alive still refer to lives
 * on. Whoever closes what is parked leaves it to the next run. NULL: nothing. */
void shim_close(struct shim *shim);

/* From now on the log of a database in WAL mode may be opened, by a connection in EXCLUSIVE locking
 * mode alone. Without it SQLite says SQLITE_CANTOPEN. */
void shim_own_log(struct shim *shim);
/* In bytes; 0: there is none. */
uint64_t shim_log_size(struct shim *shim);
/* The pragmas that are ours have been set: from now on nobody else sets them. */
void shim_seal(struct shim *shim);
/* The next removal of the journal, or sync of the log with a commit in it, prepares instead; call
 * COMMIT then. */
void shim_park(struct shim *shim, const struct ktm_rm_key *key);
/* Whether it did; if it did not, what removes the journal commits again. */
bool shim_is_parked(struct shim *shim);
/* The frame that was kept back, NULL: none. With one, a COMMIT that was not parked has not
 * happened, whatever SQLite says. */
const struct frame *shim_frame(struct shim *shim);
/* A COMMIT without shim_park has written the frame that commits; if SQLite says that it has failed,
 * nobody knows whether it has. */
bool shim_may_have_committed(struct shim *shim);
/* Says why it could not be parked, if that was tried. */
void shim_explain(struct shim *shim, struct words *why);
/* The names are those of the outcome: lets go of the database. */
void shim_end(struct shim *shim);

/* SQLite's EXCLUSIVE lock on a database without looking into it, for who changes the names after a
 * crash. Answers: TRANSACTIONAL_CONFLICT (somebody has it open and uses it). */
struct guard;
NTSTATUS guard_take(const char *path, struct guard **out, struct words *why) must_use;
void guard_drop(struct guard *guard); /* NULL: nothing */
OWNED_BY(struct guard, guard_drop)

/* The path as SQLite names the database: absolute, without symbolic links; to be freed. */
NTSTATUS database_path(const char *path, char **out, struct words *why) must_use;
