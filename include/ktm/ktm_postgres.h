/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL in transactions: rows change together with everything else that takes part, or not at
 * all, whatever dies in between. In libktm-postgres.so (pkg-config ktm-postgres).
 *
 *     ktm_postgres_open(NULL, "/var/lib/my", "service=shop", NULL, why, sizeof(why), &rm);
 *     ktm_postgres_begin(rm, transaction, &tx);
 *     ktm_postgres_exec(tx, "UPDATE account SET amount = amount - $1 WHERE id = $2", 2, values,
 * NULL); NtCommitTransaction(transaction, TRUE); ktm_postgres_close(tx);
 *
 * How it works: the first statement in a transaction begins one in the database. The vote is
 * PREPARE TRANSACTION 'ktm:<tm>:<rm>:<transaction>:<enlistment>:<incarnation>:<xid>', the outcome
 * COMMIT or ROLLBACK PREPARED, from any connection to the database. Who has changed nothing votes
 * read-only. Who is alone commits at once, with a row in the table 'ktm_outcome' that tells what
 * became of a commit whose answer was lost; without that table everything is prepared. After a
 * restart ktm_postgres_open finds what is prepared by its names, and finishes it. That a name is
 * not there any more proves nothing: pg_xact_status has to say what became of its transaction, in
 * the same cluster and on the same timeline, and while it cannot say so the branch stays
 * unfinished.
 *
 * What the server needs: max_prepared_transactions above 0, fsync on, and no recovery under way.
 * The role that prepares is the role of the connection string, or that one is a superuser's. What
 * PostgreSQL cannot prepare makes the transaction abort, with the server's words in
 * ktm_postgres_error: use of temporary objects, LISTEN and NOTIFY, WITH HOLD cursors, exported
 * snapshots. A NOTIFY in a transaction that changes nothing is dropped. A deferred constraint that
 * has to wait at the vote does so for as long as lock_timeout says, and for 5 seconds when that is
 * 0; then the transaction aborts.
 *
 * Connections: ours, made from the connection string and used again; or the application's own, of
 * the same server and database. Secrets belong into a service file, into PGPASSFILE or the
 * environment. The string is never shown.
 *
 * Threads: any; calls for one transaction wait for one another. A forked child has no part in it:
 * there every call answers RM_NOT_ACTIVE, and closing does nothing.
 */
#pragma once

#include "ktm_rm.h"
#include "ktmbase.h"

EXTERN_C_START

struct pg_conn;   /* PGconn */
struct pg_result; /* PGresult */

struct ktm_postgres_rm; /* the resource manager of one database */
struct ktm_postgres_tx; /* its part of one transaction */

/* ---- the resource manager ---------------------------------------------------------------------
 */

/* What somebody has to know about who cannot be answered: a promise that somebody else broke, a
 * prepared transaction that cannot be finished. */
enum ktm_postgres_kind {
    KTM_POSTGRES_UNFINISHED = 1, /* the outcome is known and was not possible; it is tried again */
    KTM_POSTGRES_DAMAGED, /* somebody has ended the prepared transaction the other way: rows and
                             everything else in this transaction do not agree */
    KTM_POSTGRES_SETTLED, /* left by an earlier run, and finished now */
};

struct ktm_postgres_report {
    enum ktm_postgres_kind kind;
    GUID transaction;
    BOOLEAN is_committed; /* what the transaction's outcome is */
    const char *text;     /* a sentence, with the server's words */
};

struct ktm_postgres_options {
    enum ktm_rm_mode mode; /* who does the work of prepare, commit and rollback: ktm_rm.h */
    uint32_t patience_ms;  /* how long a commit is tried again while the server cannot be reached,
                              before the transaction ends without it; it is then done by the next
                              ktm_postgres_open. UINT32_MAX: for ever */
    const char *name;      /* of our state in the home; NULL: after the database, so that one home
                              may have several. With a name the home refuses any other database */
    /* Told while it happens, from any thread; must not call us. May be NULL. */
    void (*report)(void *context, const struct ktm_postgres_report *report);
    void *context;
};

/* Opens the database and finishes what a crash has left there. 'tm' NULL: with the transaction
 * manager of the home (ktm_tm_open); else a handle of a durable one, which must live longer. The
 * home keeps who we are to the database, in 'postgres.<name>', and it must stay the same; and the
 * connection string without its secrets, for 'ktm recover'.
 * 'conninfo' as for PQconnectdb; "": from the environment. 'options' NULL: KTM_RM_HELPED, patient
 * for 10 seconds. On failure a sentence is written to 'why' (NULL: not wanted). Answers:
 * NOT_SUPPORTED (the server is not fit for it: see above), ACCESS_DENIED, RM_DISCONNECTED (the
 * server cannot be reached), INVALID_PARAMETER (the string cannot be read), RM_METADATA_CORRUPT
 * (the home belongs to another database, or is damaged), those of ktm_tm_open and ktm_rm_open. */
KTM_API NTSTATUS ktm_postgres_open(HANDLE tm, const char *home, const char *conninfo,
                                   const struct ktm_postgres_options *options, char *why,
                                   size_t why_size, struct ktm_postgres_rm **out);
/* After all transactions are closed. What is not committed is rolled back; what is prepared stays
 * so. NULL: nothing. */
KTM_API void ktm_postgres_shut(struct ktm_postgres_rm *rm);

/* A database takes part in a transaction of ktm_begin (ktm.h), whose home keeps the resource
 * manager. The same object each time for the same text; it ends with the transaction: not to be
 * closed. One database for each home; for more, open them with names. Answers: those of
 * ktm_postgres_open and ktm_postgres_begin; ktm_error says why. */
struct ktm_tx;
struct ktm_resource;
KTM_API NTSTATUS ktm_postgres(struct ktm_tx *tx, const char *conninfo,
                              struct ktm_postgres_tx **out);

/* Calls 'each' for every database that was ever opened in the home (struct ktm_resource, ktm.h),
 * with the connection string that led there, without secrets. Answers: RM_METADATA_CORRUPT (told
 * after all others), and what files say. */
KTM_API NTSTATUS ktm_postgres_known(const char *home,
                                    void (*each)(void *context,
                                                 const struct ktm_resource *resource),
                                    void *context);

KTM_API HANDLE ktm_postgres_tm(struct ktm_postgres_rm *rm); /* not to be closed */
KTM_API struct ktm_rm *
ktm_postgres_kit(struct ktm_postgres_rm *rm); /* for ktm_rm_run, unfinished */

/* ---- transactions -----------------------------------------------------------------------------
 */

/* Takes part in a transaction: in 'transaction', a handle with TRANSACTION_ENLIST and
 * _QUERY_INFORMATION, or, when that is NULL, in a new one of its own. A second call for the same
 * transaction gives the same object once more. Answers: TRANSACTION_NOT_ACTIVE, RM_NOT_ACTIVE,
 * RM_DISCONNECTED, those of NtCreateTransaction and NtCreateEnlistment; a failure leaves its
 * sentence in ktm_postgres_why. */
KTM_API NTSTATUS ktm_postgres_begin(struct ktm_postgres_rm *rm, HANDLE transaction,
                                    struct ktm_postgres_tx **out);
/* The same on a connection of the application, which is idle and not in a transaction. It is the
 * application's again, and idle, when the transaction has voted or ended; until then it must not be
 * closed, nor COMMIT, ROLLBACK or PREPARE be said on it. Answers as ktm_postgres_begin;
 * INVALID_PARAMETER (of another database, or not idle). */
KTM_API NTSTATUS ktm_postgres_begin_on(struct ktm_postgres_rm *rm, HANDLE transaction,
                                       struct pg_conn *connection, struct ktm_postgres_tx **out);
/* One holder less. The last one rolls a transaction of its own back, unless it was committed. What
 * belongs to a transaction of somebody else goes on, and ends, with that. NULL: nothing. */
KTM_API void ktm_postgres_close(struct ktm_postgres_tx *tx);
/* The handle given to, or made by, ktm_postgres_begin; not to be closed. */
KTM_API HANDLE ktm_postgres_transaction(struct ktm_postgres_tx *tx);

/* One statement, with so many parameters as text ($1, $2, …; NULL is null). '*result' is to be
 * cleared with PQclear; 'result' NULL: not wanted. Answers: TRANSACTION_NOT_ACTIVE (it is over, or
 * being committed), TRANSACTIONAL_CONFLICT (a lock, a serialization failure, a deadlock),
 * INVALID_PARAMETER (the statement was refused), ACCESS_DENIED, RM_DISCONNECTED: the words
 * of the server are in ktm_postgres_error. A refused statement is the end of the transaction in
 * PostgreSQL, but to ROLLBACK TO a SAVEPOINT of before. */
KTM_API NTSTATUS ktm_postgres_exec(struct ktm_postgres_tx *tx, const char *sql, int count,
                                   const char *const *values, struct pg_result **result);
/* The connection itself, with BEGIN done, for all else that libpq can. For the calling thread, and
 * while the transaction is active: not while it is being committed, not when it has ended. A
 * rollback that comes from elsewhere meanwhile cancels what runs on it. NULL: it has ended, or
 * BEGIN has failed. */
KTM_API struct pg_conn *ktm_postgres_connection(struct ktm_postgres_tx *tx);

/* NtCommitTransaction and NtRollbackTransaction, waiting. Answers: TRANSACTION_ALREADY_ABORTED
 * (with the reason in ktm_postgres_error), and those of the two. */
KTM_API NTSTATUS ktm_postgres_commit(struct ktm_postgres_tx *tx);
KTM_API NTSTATUS ktm_postgres_rollback(struct ktm_postgres_tx *tx);

enum ktm_postgres_state {
    KTM_POSTGRES_ACTIVE,
    KTM_POSTGRES_PREPARED, /* promised; with the transaction committed: not finished yet */
    KTM_POSTGRES_COMMITTED,
    KTM_POSTGRES_READ_ONLY, /* there was nothing to commit */
    KTM_POSTGRES_ROLLED_BACK,
};
KTM_API enum ktm_postgres_state ktm_postgres_state(struct ktm_postgres_tx *tx);
/* The sentence that belongs to the last refusal, with the server's words. Copies as much as fits,
 * with a NUL, and returns its full length; 0: nothing was refused. */
KTM_API size_t ktm_postgres_error(struct ktm_postgres_tx *tx, char *into, size_t size);
/* The same for what failed before there was a transaction object. */
KTM_API size_t ktm_postgres_why(struct ktm_postgres_rm *rm, char *into, size_t size);

/* ---- what is prepared -------------------------------------------------------------------------
 */

/* A prepared transaction holds its locks and keeps VACUUM from its work until it is ended. */
struct ktm_postgres_prepared {
    const char *gid;
    const char *owner;     /* the role that can end it */
    double age;            /* seconds */
    BOOLEAN is_ours;       /* of this resource manager, in this home */
    struct ktm_rm_key key; /* when it is */
};
typedef void ktm_postgres_each(void *context, const struct ktm_postgres_prepared *prepared);

/* Calls 'each' for every prepared transaction of any transaction manager in this database that is
 * at least so old, the oldest first: to be looked at now and then, and to raise an alarm. Answers:
 * RM_DISCONNECTED, INSUFFICIENT_RESOURCES. */
KTM_API NTSTATUS ktm_postgres_list_prepared(struct ktm_postgres_rm *rm, double age,
                                            ktm_postgres_each *each, void *context);

/* ---- settling by hand -------------------------------------------------------------------------
 */

/* For an operator. What is prepared cannot be proved to be finished when the server was restored or
 * promoted since, or has forgotten: then it is told as KTM_POSTGRES_UNFINISHED at each start, for
 * ever. Who has looked at the rows, and put right what the outcome asks for ('is_committed' of the
 * report), says with this, and a reason, that it is done. It is kept in the table 'ktm_settled' of
 * the database, with the role and the time, and is asked only where nothing else can be proved: by
 * the next try, or the next ktm_postgres_open, which tells it as KTM_POSTGRES_SETTLED. Answers:
 * INVALID_PARAMETER (no reason), ACCESS_DENIED, RM_DISCONNECTED; why is in ktm_postgres_why. */
KTM_API NTSTATUS ktm_postgres_settle(struct ktm_postgres_rm *rm, const GUID *transaction,
                                     const char *reason);

EXTERN_C_END
