/* SPDX-License-Identifier: MIT */
/*
 * The resource manager for MariaDB: sessions with it (session.c), the names of branches (xid.c),
 * the rows that tell what became of them (sign.c), their outcome (outcome.c), what the kit asks
 * (author.c), what applications call (ktm_mariadb.c, statement.c).
 *
 * Locks: 'mutex' of the RM for its lists, never held across a statement; 'mutex' of a transaction
 * while something is said on its session; 'reserve_mutex' for the one session that phase two can
 * always have. Order: transaction, reserve, RM.
 *
 * An older run: its process is gone, but the server's threads may still be at work on what it had
 * sent. Each session of ours holds a user lock whose name has our identity and a slot; a start
 * kills who holds one, and waits for it, before it looks at what is prepared, so nothing is
 * prepared behind its back (session_barrier).
 */
#pragma once

#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/base.h"
#include "ktm_mariadb.h"
#include "rm/server/server.h"
#include "wdm.h"

#define XID_SIZE  192 /* as SQL writes it, with the NUL */
#define HEX_SIZE  33  /* of a GUID */
#define SIGN_SIZE 768
#define SLOT_MAX  4096
#define SLOT_NONE (-1)

struct session {
    struct list in_idle;
    MYSQL *connection;
    unsigned long thread; /* the server's */
    int slot;             /* SLOT_NONE: no lock is held */
    bool is_ours;         /* else of the application */
    bool is_lost;
    bool is_spoiled;  /* something was left on it: not for anybody else */
    bool is_guarded;  /* autocommit is off: what is not committed goes with the session */
    uint64_t changed; /* rows, by what was heard last */
};

/* A branch, prepared or to be. */
struct xid {
    struct ktm_rm_key key;
    char text[XID_SIZE];
};

/* The vote was no, and nobody knows whether it is prepared: it is to be rolled back. Or: committed
 * by an earlier run and asked for in this one, so that its sign is kept. Or: committed by this run,
 * and its sign still there. */
struct left {
    struct list in_list;
    struct ktm_rm_key key;
};

#define PATIENCE_MS 10000u /* when nobody says */
#define DONE_ENOUGH 64u    /* signs that are looked at together */

struct ktm_mariadb_rm {
    _Atomic unsigned references;
    struct manager base;
    struct ktm_mariadb_options options;
    struct ktm_mariadb_server server; /* copies */
    char sign_table[300];             /* quoted, with its database */

    pthread_mutex_t mutex;
    struct idle idle;               /* struct session */
    struct list orphans;            /* struct left */
    struct list asked;              /* struct left */
    struct list done;               /* struct left */
    size_t done_count, done_enough; /* when it is time to look at them */
    struct list retiring;           /* those of 'done' that KTM had forgotten when ... */
    GUID retired_by;                /* ... this transaction was asked for its vote */
    struct list free;               /* struct left: signs that are nobody's */
    struct explanation why;
    uint8_t slots[SLOT_MAX / 8]; /* those in use */

    pthread_mutex_t reserve_mutex;
    struct session *reserve; /* NULL: the last one broke */
};

struct ktm_mariadb_tx {
    _Atomic unsigned references;
    struct ktm_mariadb_rm *rm;
    GUID id;
    struct held held;
    pthread_mutex_t mutex;
    struct session *session; /* NULL: given away, or lost */
    unsigned long thread;    /* the server's, for KILL QUERY from elsewhere */
    _Atomic unsigned state;  /* enum ktm_mariadb_state */
    bool is_begun;           /* XA START was said */
    bool is_lent;            /* the application uses the connection itself */
    pthread_t borrower;
    bool is_doomed; /* it can only be rolled back: a lock was not got, a vote was no; 'why' knows */
    bool was_told;  /* that it is not finished */
    bool is_asked;  /* 'voted' is the answer, or, if that is SUCCESS, the vote is under way */
    NTSTATUS voted;
    bool is_finishing; /* XA COMMIT was sent, and its answer not read */
    bool has_written;  /* for sure, or it may have */
    bool is_counted;   /* 'writes' is known: of the session, before anything was written */
    uint64_t writes;
    bool is_plain;    /* changes only, of tables that can be rolled back */
    bool is_tracked;  /* the server tells which kind they are */
    uint64_t changed; /* rows, by the last statement */
    struct left *row; /* nobody's until now, and the sign when this one is committed */
    struct xid xid;
    struct explanation why;
};

void left_destroy(struct list *list); /* all of it */

/* ---- why.c ---- */

/* What the last failure of the connection means, and in 'why' what was tried and its words. */
NTSTATUS explain_server(struct explanation *why, MYSQL *connection, const char *what) must_use;
bool error_is_loss(unsigned error);
void report(struct ktm_mariadb_rm *rm, enum ktm_mariadb_kind kind, const GUID *transaction,
            bool commit, const char *text);

/* ---- place.c ---- */

/* A server as text, without the password. False: that cannot be kept. */
bool place_print(const struct ktm_mariadb_server *server, struct conninfo *out);
/* The same read: its texts are to be freed with place_free. Answers: INVALID_PARAMETER,
 * ACCESS_DENIED (a password is in it). */
NTSTATUS place_read(const char *text, struct ktm_mariadb_server *out,
                    struct explanation *why) must_use;
void place_free(struct ktm_mariadb_server *server);

/* ---- xid.c ---- */

void guid_hex(const GUID *guid, char text[HEX_SIZE]);
void xid_print(const struct ktm_rm_key *key, struct xid *out);
/* From a row of XA RECOVER FORMAT='SQL'. False: none of any KTM. */
bool xid_parse(MYSQL_ROW row, struct xid *out);

/* ---- session.c ---- */

NTSTATUS session_open(struct ktm_mariadb_rm *rm, struct explanation *why,
                      struct session **out) must_use;
/* The application's. Answers: INVALID_PARAMETER. */
NTSTATUS session_borrow(struct ktm_mariadb_rm *rm, MYSQL *connection, struct explanation *why,
                        struct session **out) must_use;
/* A borrowed one: its owner's again. NULL: nothing. */
void session_close(struct ktm_mariadb_rm *rm, struct session *session);
/* One that is idle, or a new one, with autocommit off: what is sent behind an XA START that fails
 * is executed all the same, outside of the branch, and must not last. */
NTSTATUS session_take(struct ktm_mariadb_rm *rm, struct explanation *why,
                      struct session **out) must_use;
/* Takes: back to the idle ones, or to its owner, or closed. NULL: nothing. */
void session_release(struct ktm_mariadb_rm *rm, struct session *session);
/* A session for phase two, which never fails for lack of connections; give it back. Its autocommit
 * is on: else it could not end branches that are not its own (1400). */
NTSTATUS session_take_for_outcome(struct ktm_mariadb_rm *rm, struct explanation *why,
                                  struct session **out) must_use;
void session_release_for_outcome(struct ktm_mariadb_rm *rm, struct session *session);
void session_close_idle(struct ktm_mariadb_rm *rm); /* all */
/* A statement; rows it may have are dropped. '*error' (NULL: not wanted) is the server's number. */
NTSTATUS session_say(struct session *session, const char *sql, unsigned *error,
                     struct explanation *why) must_use;
/* Two halves of that. Several may be sent before the first is heard; all that were are to be heard,
 * in their order, before anything else is said. 'what': for people. */
NTSTATUS session_send(struct session *session, const char *sql, struct explanation *why) must_use;
NTSTATUS session_hear(struct session *session, const char *what, struct explanation *why) must_use;
/* A query; NULL: it failed. To be freed. */
MYSQL_RES *session_ask(struct session *session, const char *sql, struct explanation *why);
bool session_is_in_transaction(const struct session *session);
/* Whether there is an answer; nothing is asked. */
NTSTATUS session_probe(const struct ktm_mariadb_server *server, struct explanation *why) must_use;
/* Before anybody is served: what the server must be, and that nobody of an older run is at work. */
NTSTATUS session_check_server(struct session *session, struct explanation *why) must_use;
NTSTATUS session_barrier(struct ktm_mariadb_rm *rm, struct session *session,
                         struct explanation *why) must_use;
/* From now on each session holds its lock. */
NTSTATUS session_lock(struct ktm_mariadb_rm *rm, struct session *session,
                      struct explanation *why) must_use;

/* ---- sign.c ---- */

/* Makes the table if it is missing. */
NTSTATUS sign_make_table(struct ktm_mariadb_rm *rm, struct session *session,
                         struct explanation *why) must_use;
/* This database is the home's: its own sign is there, or, for a new home, is made. Answers:
 * RM_METADATA_CORRUPT. */
NTSTATUS sign_of_home(struct ktm_mariadb_rm *rm, struct session *session,
                      struct explanation *why) must_use;
/* The statement that writes the sign of a transaction: a row of its own, or one that is nobody's.
 * Whether it has, when that was heard. And: what was prepared is rolled back, for sure. */
void sign_statement(struct ktm_mariadb_tx *tx, char sql[SIGN_SIZE]);
NTSTATUS sign_is_written(struct ktm_mariadb_tx *tx) must_use;
void sign_put_back(struct ktm_mariadb_tx *tx);
enum sign { SIGN_THERE, SIGN_ABSENT, SIGN_UNKNOWN };
/* Waits for who holds it: an answer is final. */
enum sign sign_look(struct ktm_mariadb_rm *rm, struct session *session, const GUID *transaction,
                    struct explanation *why);
/* Removes the signs of older runs that this start was not asked for. */
void sign_sweep(struct ktm_mariadb_rm *rm, struct session *session);
/* Signs of this run that nobody will ask for. A transaction votes: those that KTM has forgotten are
 * chosen. It is finished, or let go: with its commit what was chosen is nobody's. */
void sign_choose(struct ktm_mariadb_rm *rm, const GUID *transaction);
void sign_retire(struct ktm_mariadb_tx *tx, bool is_committed);

/* ---- outcome.c ---- */

/* Sends XA COMMIT on the branch's own session, if there is one; outcome_finish hears it. */
void outcome_begin(struct ktm_mariadb_tx *tx);
/* XA COMMIT or XA ROLLBACK of a branch of this run, or the proof that it was done before. On its
 * own session while there is one. */
enum finished outcome_finish(struct ktm_mariadb_tx *tx, bool commit);
/* The same for what an earlier run prepared. */
enum finished outcome_settle(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key, bool commit,
                             struct explanation *why);
/* Calls 'each' for every prepared branch of any KTM. */
typedef NTSTATUS outcome_each(void *context, const struct xid *xid);
NTSTATUS outcome_list(struct session *session, outcome_each *each, void *context,
                      struct explanation *why) must_use;
/* The same on a session that is idle, or a new one. */
NTSTATUS outcome_list_all(struct ktm_mariadb_rm *rm, outcome_each *each, void *context,
                          struct explanation *why) must_use;
void outcome_add_orphan(struct ktm_mariadb_rm *rm, const struct ktm_rm_key *key);
/* Tries to roll orphans back. */
void outcome_tend_orphans(struct ktm_mariadb_rm *rm);

/* ---- statement.c ---- */

/* XA START, and that alone. */
NTSTATUS statement_start(struct ktm_mariadb_tx *tx, struct explanation *why) must_use;
/* As 'run' of a struct ktm_resource_kind. */
NTSTATUS statement_run(struct ktm_mariadb_tx *tx, const char *text, size_t count,
                       const struct ktm_value *values, uint64_t *rows) must_use;

/* ---- written.c ---- */

/* Around each statement. 'sql' NULL: one that we shall not see. 'is_untold': it gave rows or was
 * refused, and such answers tell nothing else. */
NTSTATUS written_before(struct ktm_mariadb_tx *tx, const char *sql,
                        struct explanation *why) must_use;
void written_after(struct ktm_mariadb_tx *tx, const char *sql, bool is_untold);
/* At the vote. */
NTSTATUS written_ask(struct ktm_mariadb_tx *tx, bool *out) must_use;

/* ---- author.c ---- */

extern const struct ktm_rm_author mariadb_author;

/* Nothing was promised: rolls the branch back and gives the session away. */
void tx_undo(struct ktm_mariadb_tx *tx, enum ktm_mariadb_state state);
void tx_release(struct ktm_mariadb_tx *tx);
void rm_release(struct ktm_mariadb_rm *rm);
