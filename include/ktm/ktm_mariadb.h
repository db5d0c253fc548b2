/* SPDX-License-Identifier: MIT */
/*
 * MariaDB in transactions: rows change together with everything else that takes part, or not at
 * all, whatever dies in between. In libktm-mariadb.so (pkg-config ktm-mariadb).
 *
 *     ktm_mariadb_open(NULL, "/var/lib/my", &server, NULL, why, sizeof(why), &rm);
 *     ktm_mariadb_begin(rm, transaction, &tx);
 *     ktm_mariadb_exec(tx, "UPDATE account SET amount = amount - ? WHERE id = ?", 2, values, NULL);
 *     NtCommitTransaction(transaction, TRUE);
 *     ktm_mariadb_close(tx);
 *
 * How it works: the first statement in a transaction takes XA START to the server with it; the vote
 * is XA PREPARE, the outcome XA COMMIT or XA ROLLBACK. Who has changed nothing votes read-only; a
 * change that met no row counts as one, for it may have called something that did. With what is
 * changed a row goes into the table 'ktm_outcome' of the database named in 'server', which is made
 * when it is missing: when the prepared branch is gone, it tells whether it was committed or rolled
 * back. MariaDB itself says only that it does not know the branch, and says so too while the
 * connection that prepared it is still there. After a restart ktm_mariadb_open finds what is
 * prepared with XA RECOVER, by the GUIDs in its name, and finishes it; then it removes the rows
 * that nobody will ask for any more. While the process lives such rows are used again. Branches
 * are always asked in two phases: XA COMMIT ONE PHASE is not safe with the binary log (MDEV-31921).
 *
 * What the server needs: MariaDB 10.5 or later, InnoDB, innodb_flush_log_at_trx_commit 1. Changes
 * of tables that cannot be rolled back (MyISAM, MEMORY) are noticed at the vote: the transaction
 * aborts, those rows stay. So it is when a table of Aria was used, if only to read, along with a
 * change. What MariaDB does not allow in such a transaction, as DDL, BEGIN and COMMIT, is refused
 * with its words in ktm_mariadb_error. A statement that fails is undone alone, and the transaction
 * can go on; but after a lock that was not got in time, and after a deadlock, it can only be rolled
 * back.
 *
 * Security: MariaDB lets every account that may connect see and end the prepared branches of all
 * others. That somebody did so is noticed and reported; it cannot be prevented.
 *
 * Connections: ours, with autocommit off, and used again with whatever SET and USE have left on
 * them; or the application's own, of the same server. Secrets belong into an option file
 * ('defaults_file'). They are never shown.
 *
 * Threads: any; calls for one transaction wait for one another. A forked child has no part in it:
 * there every call answers RM_NOT_ACTIVE, and closing does nothing.
 */
#pragma once

#include "ktm_rm.h"
#include "ktmbase.h"

EXTERN_C_START

struct st_mysql;     /* MYSQL */
struct st_mysql_res; /* MYSQL_RES */

struct ktm_mariadb_rm; /* the resource manager of one server */
struct ktm_mariadb_tx; /* its part of one transaction */

/* ---- the resource manager ---- */

/* Where the server is. What is NULL comes from the option file, or is the client library's. */
struct ktm_mariadb_server {
    const char *host;
    unsigned port;
    const char *socket;
    const char *user;
    const char *password;       /* better in the option file */
    const char *database;       /* needed: 'ktm_outcome' is there */
    const char *defaults_file;  /* groups [client], [client-server], [client-mariadb] */
    const char *defaults_group; /* one more group */
};

/* What somebody has to know about who cannot be answered. */
enum ktm_mariadb_kind {
    KTM_MARIADB_UNFINISHED = 1, /* the outcome is known and was not possible; it is tried again */
    KTM_MARIADB_DAMAGED,        /* somebody has ended the prepared branch the other way: rows and
                                   everything else in this transaction do not agree */
    KTM_MARIADB_SETTLED,        /* left by an earlier run, and finished now */
};

struct ktm_mariadb_report {
    enum ktm_mariadb_kind kind;
    GUID transaction;
    BOOLEAN is_committed; /* what the transaction's outcome is */
    const char *text;     /* a sentence, with the server's words */
};

struct ktm_mariadb_options {
    enum ktm_rm_mode mode; /* who does the work of prepare, commit and rollback: ktm_rm.h */
    uint32_t patience_ms;  /* how long a commit is tried again while the server cannot be reached,
                              before the transaction ends without it; it is then done by the next
                              ktm_mariadb_open. UINT32_MAX: for ever */
    const char *name;      /* NULL: "mariadb". One home may have several servers, a name each */
    /* Told while it happens, from any thread; must not call us. May be NULL. */
    void (*report)(void *context, const struct ktm_mariadb_report *report);
    void *context;
};

/* Connects, and finishes what a crash has left there. 'tm' NULL: with the transaction manager of
 * the home (ktm_tm_open); else a handle of a durable one, which must live longer. The home keeps
 * who we are to the server, in 'mariadb.<name>', and how it was reached, but for the password, for
 * 'ktm recover'. 'options' NULL: KTM_RM_HELPED, patient for 10
 * seconds. On failure a sentence is written to 'why' (NULL: not wanted). Answers: NOT_SUPPORTED
 * (the server is not fit for it: see above), ACCESS_DENIED, RM_DISCONNECTED (the server cannot be
 * reached), RM_METADATA_CORRUPT (the home belongs to another server or database, or is damaged),
 * SHARING_VIOLATION, those of ktm_tm_open and ktm_rm_open. */
KTM_API NTSTATUS ktm_mariadb_open(HANDLE tm, const char *home,
                                  const struct ktm_mariadb_server *server,
                                  const struct ktm_mariadb_options *options, char *why,
                                  size_t why_size, struct ktm_mariadb_rm **out);
/* After all transactions are closed. What is not committed is rolled back; what is prepared stays
 * so. NULL: nothing. */
KTM_API void ktm_mariadb_shut(struct ktm_mariadb_rm *rm);

/* A database takes part in a transaction of ktm_begin (ktm.h), whose home keeps the resource
 * manager. The same object each time for the same server; it ends with the transaction: not to be
 * closed. One server for each home; for more, open them with names. Answers: those of
 * ktm_mariadb_open and ktm_mariadb_begin; ktm_error says why. */
struct ktm_tx;
struct ktm_resource;
KTM_API NTSTATUS ktm_mariadb(struct ktm_tx *tx, const struct ktm_mariadb_server *server,
                             struct ktm_mariadb_tx **out);

/* Calls 'each' for every server that was ever opened in the home (struct ktm_resource, ktm.h). The
 * place is the members of ktm_mariadb_server but the password, as pairs: "host=db.example
 * database=shop defaults_file=/etc/shop.cnf". Answers: RM_METADATA_CORRUPT (told after all others),
 * and what files say. */
KTM_API NTSTATUS ktm_mariadb_known(const char *home,
                                   void (*each)(void *context, const struct ktm_resource *resource),
                                   void *context);

KTM_API HANDLE ktm_mariadb_tm(struct ktm_mariadb_rm *rm);          /* not to be closed */
KTM_API struct ktm_rm *ktm_mariadb_kit(struct ktm_mariadb_rm *rm); /* for ktm_rm_run, unfinished */

/* ---- transactions ---- */

/* Takes part in a transaction: in 'transaction', a handle with TRANSACTION_ENLIST and
 * _QUERY_INFORMATION, or, when that is NULL, in a new one of its own. A second call for the same
 * transaction gives the same object once more. Answers: TRANSACTION_NOT_ACTIVE, RM_NOT_ACTIVE,
 * RM_DISCONNECTED, those of NtCreateTransaction and NtCreateEnlistment; a failure leaves its
 * sentence in ktm_mariadb_why. */
KTM_API NTSTATUS ktm_mariadb_begin(struct ktm_mariadb_rm *rm, HANDLE transaction,
                                   struct ktm_mariadb_tx **out);
/* The same on a connection of the application, which is idle and not in a transaction. It is the
 * application's again when the transaction has ended, or voted read-only or no; until then it must
 * not be closed, nor used but through us. Answers as ktm_mariadb_begin; INVALID_PARAMETER (of
 * another server, or not idle). */
KTM_API NTSTATUS ktm_mariadb_begin_on(struct ktm_mariadb_rm *rm, HANDLE transaction,
                                      struct st_mysql *connection, struct ktm_mariadb_tx **out);
/* One holder less. The last one rolls a transaction of its own back, unless it was committed. What
 * belongs to a transaction of somebody else goes on, and ends, with that. NULL: nothing. */
KTM_API void ktm_mariadb_close(struct ktm_mariadb_tx *tx);
/* The handle given to, or made by, ktm_mariadb_begin; not to be closed. */
KTM_API HANDLE ktm_mariadb_transaction(struct ktm_mariadb_tx *tx);

/* One statement, with so many parameters as text (a '?' each; NULL is null). '*result' is to be
 * freed with mysql_free_result, and NULL when the statement has no rows; 'result' NULL: not wanted.
 * Answers: TRANSACTION_NOT_ACTIVE (it is over, or being committed), TRANSACTIONAL_CONFLICT (a lock,
 * a deadlock: it can only be rolled back), INVALID_PARAMETER (the statement was refused),
 * ACCESS_DENIED, RM_DISCONNECTED: the words of the server are in ktm_mariadb_error. */
KTM_API NTSTATUS ktm_mariadb_exec(struct ktm_mariadb_tx *tx, const char *sql, int count,
                                  const char *const *values, struct st_mysql_res **result);
/* The connection itself, with XA START done, for all else that the client library can. For the
 * calling thread, and while the transaction is active: not while it is being committed, not when
 * it has ended. A rollback that comes from elsewhere meanwhile kills the statement on it. NULL: it
 * has ended. */
KTM_API struct st_mysql *ktm_mariadb_connection(struct ktm_mariadb_tx *tx);

/* NtCommitTransaction and NtRollbackTransaction, waiting. Answers: TRANSACTION_ALREADY_ABORTED
 * (with the reason in ktm_mariadb_error), and those of the two. */
KTM_API NTSTATUS ktm_mariadb_commit(struct ktm_mariadb_tx *tx);
KTM_API NTSTATUS ktm_mariadb_rollback(struct ktm_mariadb_tx *tx);

enum ktm_mariadb_state {
    KTM_MARIADB_ACTIVE,
    KTM_MARIADB_PREPARED, /* promised; with the transaction committed: not finished yet */
    KTM_MARIADB_COMMITTED,
    KTM_MARIADB_READ_ONLY, /* there was nothing to commit */
    KTM_MARIADB_ROLLED_BACK,
};
KTM_API enum ktm_mariadb_state ktm_mariadb_state(struct ktm_mariadb_tx *tx);
/* The sentence that belongs to the last refusal, with the server's words. Copies as much as fits,
 * with a NUL, and returns its full length; 0: nothing was refused. */
KTM_API size_t ktm_mariadb_error(struct ktm_mariadb_tx *tx, char *into, size_t size);
/* The same for what failed before there was a transaction object. */
KTM_API size_t ktm_mariadb_why(struct ktm_mariadb_rm *rm, char *into, size_t size);

/* ---- what is prepared ---- */

/* A prepared branch holds its locks until it is ended. MariaDB does not say how old it is. */
struct ktm_mariadb_prepared {
    const char *xid;       /* as XA COMMIT and XA ROLLBACK take it */
    BOOLEAN is_ours;       /* of this resource manager, in this home */
    struct ktm_rm_key key; /* of whichever resource manager */
};
typedef void ktm_mariadb_each(void *context, const struct ktm_mariadb_prepared *prepared);

/* Calls 'each' for every prepared branch of any transaction manager of ours on this server.
 * Answers: RM_DISCONNECTED, INSUFFICIENT_RESOURCES. */
KTM_API NTSTATUS ktm_mariadb_list_prepared(struct ktm_mariadb_rm *rm, ktm_mariadb_each *each,
                                           void *context);

EXTERN_C_END
