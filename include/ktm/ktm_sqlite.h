/* SPDX-License-Identifier: MIT */
/*
 * SQLite databases in transactions: rows change together with files, other databases, queues, or
 * not at all, whatever dies in between. Link with -lktm-sqlite -lktm -lsqlite3.
 *
 *     ktm_sqlite_open(NULL, "/var/lib/my", "/var/lib/my/app.db", NULL, why, sizeof(why), &rm);
 *     ktm_sqlite_begin(rm, transaction, &part);
 *     sqlite3_exec(ktm_sqlite_db(part), "UPDATE settings SET v = 2", NULL, NULL, NULL);
 *     NtCommitTransaction(transaction, TRUE);
 *     ktm_sqlite_close(part);
 *
 * All SQL is allowed but what ends or leaves the transaction: BEGIN, COMMIT, ROLLBACK, ATTACH,
 * VACUUM, and the pragmas journal_mode, synchronous and locking_mode. Savepoints are fine. The
 * connection has a busy time-out, a commit hook and an authorizer of ours, which must stay; it is
 * the part's own, and from the moment the commit begins it is over: statements that still run are
 * reset, and later ones are refused.
 *
 * How it works: SQLite's commit is the removal of its rollback journal, 'DB-journal', when all else
 * is on the disk. At prepare a layer between SQLite and its files puts a directory into the place
 * of the journal with one exchange of names; the journal is then called
 * 'DB-ktm.<transaction>.<enlistment>.<manager>.<incarnation>', and these names are the whole log.
 * To commit, both are removed; to roll back, they change places again, and any SQLite undoes the
 * work by its own journal.
 *
 * Other programs, unchanged ones too, get SQLITE_BUSY while a transaction is prepared, and
 * SQLITE_CANTOPEN (as root also SQLITE_IOERR) when the process that prepared it has died, until
 * ktm_sqlite_open of the same home and database has finished it: never wrong data. Readers are
 * refused too. A copy of the database file made in that time is not a backup.
 *
 * WAL mode: with owns_wal such a database prepares, too, but only where nobody else has it open.
 * From ktm_sqlite_begin to the outcome SQLite itself keeps everybody out, readers and connections
 * of this process, too: SQLITE_BUSY. In between others may open, use and close it; who keeps it
 * open keeps our transactions from beginning (TRANSACTIONAL_CONFLICT after busy_ms). What is kept
 * back is the last frame of the transaction in the log, in 'DB-ktm.<...>.wal', and the directory is
 * there as above; a commit writes it to its place, after a proof that the log is still the same.
 * Leave 'DB-wal' and these names alone: what was cut off or written by others cannot be committed,
 * and stays unfinished (KTM_SQLITE_PREPARED, and 'unfinished' below). The pragma wal_autocheckpoint
 * cannot be set inside; the log is brought into the database when a transaction begins. What is to
 * be finished after a crash is finished without the option, too.
 *
 * Refused, with the reason in words: databases in WAL mode without that; file systems that cannot
 * exchange names (ext4, xfs, btrfs and tmpfs can); several databases in one part.
 *
 * Last resource: where all this is too much, is_last_resource makes the database a store that
 * decides with its own plain COMMIT (ktm_rm.h). WAL is fine there, nobody is blocked, and nothing
 * is ever in doubt; a row in the table 'ktm_outcome' is the sign. There is one such participant in
 * a transaction at most, and the transaction costs the log one force more.
 *
 * Threads: any, as SQLite's serialized mode has it; libsqlite3 must be the shared one. A forked
 * child has no part in its parent's changes: there every call answers RM_NOT_ACTIVE.
 */
#pragma once

#include "ktm_rm.h"
#include "ktmbase.h"

EXTERN_C_START

struct sqlite3;
struct ktm_sqlite_rm; /* the resource manager of one database in one home */
struct ktm_sqlite_tx; /* its part of one transaction */

/* ---- the resource manager ---------------------------------------------------------------------
 */

struct ktm_sqlite_options {
    enum ktm_rm_mode mode;    /* who does the work of prepare, commit and rollback: ktm_rm.h */
    uint32_t patience_ms;     /* how long a commit that is not possible is tried again before the
                                 transaction ends without it; it is then done by the next
                                 ktm_sqlite_open. UINT32_MAX: for ever */
    uint32_t busy_ms;         /* how long SQLite waits for other connections */
    BOOLEAN is_deferred;      /* BEGIN rather than BEGIN IMMEDIATE: several readers at once, and
                                 SQLITE_BUSY at the first write when another one was faster */
    BOOLEAN must_exist;       /* do not make a database that is missing */
    const char *setup;        /* SQL for each connection before its transaction begins, such as
                                 "PRAGMA foreign_keys=ON"; NULL: none */
    BOOLEAN is_last_resource; /* decides by its own COMMIT instead of preparing */
    /* Told, from any thread, when what an earlier run left cannot be finished yet, in a sentence;
     * must not call us. May be NULL. */
    void (*unfinished)(void *context, const GUID *transaction, BOOLEAN is_committed,
                       const char *text);
    void *context;
    BOOLEAN owns_wal; /* a database in WAL mode prepares, too: nobody else has it open then.
                         In other modes it changes nothing */
};

/* Opens the database in the home and finishes what a crash has left in it. 'tm' NULL: with the
 * transaction manager of the home (ktm_tm_open); else a handle of a durable one, which must live
 * longer. 'options' NULL: KTM_RM_CALLBACKS, no patience, 5000 ms, immediate. The path may be
 * relative; it must stay the same, and so must the home. On failure a sentence is written to 'why'
 * (NULL: not wanted). Answers: SHARING_VIOLATION (this database is open in this home already, or
 * the home in another process), NOT_SUPPORTED (WAL without owns_wal; no exchange of names),
 * RM_METADATA_CORRUPT, OBJECT_TYPE_MISMATCH (not a database), OBJECT_NAME_NOT_FOUND,
 * OBJECT_PATH_NOT_FOUND, NAME_TOO_LONG, ACCESS_DENIED, DISK_FULL, those of ktm_tm_open and
 * ktm_rm_open. */
KTM_API NTSTATUS ktm_sqlite_open(HANDLE tm, const char *home, const char *database,
                                 const struct ktm_sqlite_options *options, char *why,
                                 size_t why_size, struct ktm_sqlite_rm **out);
/* After all parts are closed. What is not prepared is rolled back; what is prepared stays so. NULL:
 * nothing. */
KTM_API void ktm_sqlite_shut(struct ktm_sqlite_rm *rm);

/* A database takes part in a transaction of ktm_begin (ktm.h), whose home keeps the resource
 * manager. The same object each time for the same text; it ends with the transaction: not to be
 * closed. Answers: those of ktm_sqlite_open and ktm_sqlite_begin; ktm_error says why. */
struct ktm_tx;
KTM_API NTSTATUS ktm_sqlite(struct ktm_tx *tx, const char *database, struct ktm_sqlite_tx **out);
/* The same, opened as the options say; NULL: as above. A database in WAL mode:
 *
 *     struct ktm_sqlite_options options = {
 *         .mode = KTM_RM_CALLBACKS, .busy_ms = 5000, .owns_wal = TRUE};
 *
 *     ktm_sqlite_with(tx, "/var/lib/my/app.db", &options, &part);
 *
 * An open home has a database open in one way: the same options each time, else SHARING_VIOLATION.
 * Answers also: INVALID_PARAMETER (KTM_RM_PUMP: there would be nobody to call ktm_rm_run). */
KTM_API NTSTATUS ktm_sqlite_with(struct ktm_tx *tx, const char *database,
                                 const struct ktm_sqlite_options *options,
                                 struct ktm_sqlite_tx **out);

KTM_API HANDLE ktm_sqlite_tm(struct ktm_sqlite_rm *rm);          /* not to be closed */
KTM_API struct ktm_rm *ktm_sqlite_kit(struct ktm_sqlite_rm *rm); /* for ktm_rm_run and its like */

/* Calls 'each' for every database that was ever opened in the home: each may have something to
 * finish, which opening it does. Answers: RM_METADATA_CORRUPT (told after all others), and what
 * files say. */
typedef void ktm_sqlite_each(void *context, const char *database, BOOLEAN is_last_resource);
KTM_API NTSTATUS ktm_sqlite_known(const char *home, ktm_sqlite_each *each, void *context);

/* ---- transactions -----------------------------------------------------------------------------
 */

/* Takes part in a transaction: in 'transaction', a handle with TRANSACTION_ENLIST and
 * _QUERY_INFORMATION, or, when that is NULL, in a new one of its own. A second call for the same
 * transaction gives the same object once more. On failure a sentence is written to 'why' (NULL: not
 * wanted). Answers: TRANSACTIONAL_CONFLICT (somebody else writes, or the database is in doubt),
 * TRANSACTION_NOT_ACTIVE, RM_NOT_ACTIVE, NOT_SUPPORTED (it was put into WAL mode, without
 * owns_wal), OBJECT_TYPE_MISMATCH, those of NtCreateTransaction and NtCreateEnlistment. */
KTM_API NTSTATUS ktm_sqlite_begin(struct ktm_sqlite_rm *rm, HANDLE transaction, char *why,
                                  size_t why_size, struct ktm_sqlite_tx **out);
/* One holder less. The last one rolls a transaction of its own back, unless it was committed. What
 * belongs to a transaction of somebody else goes on, and ends, with that. NULL: nothing. */
KTM_API void ktm_sqlite_close(struct ktm_sqlite_tx *tx);
/* The connection to use inside the transaction, while it is held; not to be closed. */
KTM_API struct sqlite3 *ktm_sqlite_db(struct ktm_sqlite_tx *tx);
/* The handle given to, or made by, ktm_sqlite_begin; not to be closed. */
KTM_API HANDLE ktm_sqlite_transaction(struct ktm_sqlite_tx *tx);

/* Runs SQL text that gives no rows, with the error kept for ktm_sqlite_error. Answers:
 * TRANSACTIONAL_CONFLICT (busy), TRANSACTION_NOT_ACTIVE, ACCESS_DENIED (not allowed inside),
 * DISK_FULL, IO_DEVICE_ERROR, OBJECT_TYPE_MISMATCH, INSUFFICIENT_RESOURCES; UNSUCCESSFUL is all
 * that SQLite has to say about the SQL itself. */
KTM_API NTSTATUS ktm_sqlite_exec(struct ktm_sqlite_tx *tx, const char *sql);

/* NtCommitTransaction and NtRollbackTransaction, waiting; not in KTM_RM_PUMP mode. Answers:
 * TRANSACTION_ALREADY_ABORTED (with the reason in ktm_sqlite_error), and those of the two. */
KTM_API NTSTATUS ktm_sqlite_commit(struct ktm_sqlite_tx *tx);
KTM_API NTSTATUS ktm_sqlite_rollback(struct ktm_sqlite_tx *tx);

enum ktm_sqlite_state {
    KTM_SQLITE_ACTIVE,
    KTM_SQLITE_PREPARED, /* promised; with the transaction committed: not finished, see
                            ktm_sqlite_error, and open the database again when the cause is gone */
    KTM_SQLITE_COMMITTED,
    KTM_SQLITE_ROLLED_BACK,
};
KTM_API enum ktm_sqlite_state ktm_sqlite_state(struct ktm_sqlite_tx *tx);

/* The sentence that belongs to the last refusal. Copies as much as fits, with a NUL, and returns
 * its full length; 0: nothing was refused. */
KTM_API size_t ktm_sqlite_error(struct ktm_sqlite_tx *tx, char *into, size_t size);

EXTERN_C_END
