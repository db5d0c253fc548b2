/* SPDX-License-Identifier: MIT */
/*
 * The resource manager for PostgreSQL: sessions with it (session.c), the names of prepared
 * transactions (name.c), their outcome (outcome.c, settle.c), what the kit asks (author.c),
 * single-phase commits (alone.c), what applications call (ktm_postgres.c, statement.c).
 *
 * Locks: 'mutex' of the RM for its lists, never held across a statement; 'mutex' of a transaction
 * while something is said on its session; 'reserve_mutex' for the one session that phase two can
 * always have. Order: transaction, reserve, RM.
 *
 * An older run: its process is gone, but its servers' sides may still be at work on what it had
 * sent. Each session of ours holds a shared advisory lock of our identity; a start ends who holds
 * it and takes it exclusively before it looks at what is prepared, so nothing is prepared behind
 * its back (session_barrier).
 */
#pragma once

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/base.h"
#include "ktm_postgres.h"
#include "rm/server/server.h"
#include "wdm.h"

#define PATIENCE_MS 10000u /* when nobody says */

#define VOTE_WAITS "'5s'" /* for locks, when there is no other limit */

#define GID_SIZE 200 /* what PostgreSQL allows, with the NUL */

/* Where a session has led to. A number of a transaction means something only there. */
struct place {
    uint64_t system; /* of the cluster; a copy of it has the same */
    uint32_t timeline;
    uint32_t database;
};

struct session {
    struct list in_idle;
    PGconn *connection;
    PGcancel *cancel;
    struct place place;
    bool is_ours; /* else of the application */
    bool is_apt;  /* our own words are prepared in it, and nobody has said anything but queries and
                     changes that could have removed them */
};

/* A prepared transaction, or one that may be. */
struct name {
    GUID transaction, enlistment;
    uint64_t incarnation; /* of the run that prepared it */
    uint64_t xid;
    struct place place; /* where it was */
    char gid[GID_SIZE];
};

/* Prepared, and no transaction object of this run has it: left by an earlier run; or by a vote
 * whose answer was lost, an orphan, which is to be rolled back. */
struct left {
    struct list in_rm;
    struct name name;
    bool is_orphan;
};

struct ktm_postgres_rm {
    _Atomic unsigned references;
    struct manager base;
    struct ktm_postgres_options options;
    char *conninfo;
    struct place place; /* the home's; system 0: nobody has said yet which it must be */
    char role[64];
    bool is_superuser;
    char outcome_table[160]; /* quoted and with its schema; "": there is none */
    _Atomic unsigned signs;  /* rows written to it */

    pthread_mutex_t mutex;
    struct idle idle; /* struct session */
    struct list left; /* struct left */
    struct explanation why;

    pthread_mutex_t reserve_mutex;
    struct session *reserve; /* NULL: the last one broke */
};

struct ktm_postgres_tx {
    _Atomic unsigned references;
    struct ktm_postgres_rm *rm;
    GUID id;
    struct held held;
    pthread_mutex_t mutex;
    struct session *session; /* NULL: has voted or ended */
    _Atomic unsigned state;  /* enum ktm_postgres_state */
    bool is_begun;           /* BEGIN was said */
    bool is_plain;           /* only changes have been said: nobody has taken another role */
    bool has_limit;          /* to the waiting for locks */
    uint64_t xid;            /* 0: there is none yet, or it is not known */
    bool is_lent;            /* the application uses the connection itself */
    pthread_t borrower;
    bool was_told; /* that it is not finished */
    bool is_asked; /* PREPARE was sent, and its answer not read; or there is 'answer' already */
    enum ktm_rm_answer answer;
    struct session *finishing; /* COMMIT PREPARED was sent on it, and its answer not read */
    struct name name;
    struct explanation why;
};

/* ---- why.c ---- */

/* What a failed statement means, and in 'why' what was tried and the server's words. */
NTSTATUS explain_result(struct explanation *why, PGconn *connection, const PGresult *result,
                        const char *what) must_use;
bool result_is(const PGresult *result, const char *sqlstate);
void report(struct ktm_postgres_rm *rm, enum ktm_postgres_kind kind, const GUID *transaction,
            bool commit, const char *text);

/* ---- name.c ---- */

void name_print(const struct ktm_postgres_rm *rm, struct name *name); /* sets the gid */
/* False: it is none of ours. */
bool name_parse(const struct ktm_postgres_rm *rm, const char *gid, struct name *out);
/* "ktm:<tm>:<rm>:" */
void name_prefix(const struct ktm_postgres_rm *rm, char text[GID_SIZE]);
/* Keeps what the gid does not say with the enlistment, in the TM's log, and reads it again. */
NTSTATUS name_keep(struct ktm_postgres_rm *rm, const struct name *name) must_use;
NTSTATUS name_recall(struct ktm_postgres_rm *rm, const struct ktm_rm_key *key,
                     struct name *out) must_use;

/* ---- place.c ---- */

/* How the database was reached, without secrets. False: that cannot be kept. */
bool place_of(const char *conninfo, PGconn *connection, struct conninfo *out);
/* What somebody has typed. Answers: INVALID_PARAMETER, ACCESS_DENIED (a secret is in it). */
NTSTATUS place_check(const char *conninfo, struct conninfo *out, struct explanation *why) must_use;

/* ---- session.c ---- */

NTSTATUS session_open(struct ktm_postgres_rm *rm, struct explanation *why,
                      struct session **out) must_use;
/* Whether there is an answer; nothing is asked. */
NTSTATUS session_probe(const char *conninfo, struct explanation *why) must_use;
/* Before anybody is served: what the server must be, and that nobody of an older run is at work. */
NTSTATUS session_check_server(struct ktm_postgres_rm *rm, struct session *session,
                              struct explanation *why) must_use;
NTSTATUS session_barrier(struct ktm_postgres_rm *rm, struct session *session,
                         struct explanation *why) must_use;
/* The application's. Answers: INVALID_PARAMETER. */
NTSTATUS session_borrow(struct ktm_postgres_rm *rm, PGconn *connection, struct explanation *why,
                        struct session **out) must_use;
void session_close(struct session *session); /* a borrowed one: its owner's again */
/* One that is idle, or a new one. */
NTSTATUS session_take(struct ktm_postgres_rm *rm, struct explanation *why,
                      struct session **out) must_use;
/* Takes: back to the idle ones, or to its owner, or closed. NULL: nothing. */
void session_release(struct ktm_postgres_rm *rm, struct session *session);
/* One that is idle; NULL: there is none. */
struct session *session_take_idle(struct ktm_postgres_rm *rm);
/* A session for phase two, which never fails for lack of connections; give it back. */
NTSTATUS session_take_for_outcome(struct ktm_postgres_rm *rm, struct explanation *why,
                                  struct session **out) must_use;
void session_release_for_outcome(struct ktm_postgres_rm *rm, struct session *session);
void session_close_idle(struct ktm_postgres_rm *rm); /* all */
/* A statement with this command tag. What else it answers is a failure. */
NTSTATUS session_say(struct session *session, const char *tag, const char *sql,
                     struct explanation *why) must_use;
/* The two halves of that: sends it; waits for what it has come to. */
void session_send(struct session *session, const char *sql);
NTSTATUS session_hear(struct session *session, const char *tag, struct explanation *why) must_use;
/* What is said in every transaction. */
enum words {
    WORDS_BEGIN,
    WORDS_NUMBER, /* of the transaction, NULL: it has none; the role; whether there is a limit to
                     the waiting for locks */
    WORDS_VOTE,   /* the first two, just before a vote; from now on there is a limit */
    WORDS_COUNT,
};
/* Its answer, as PQexec gives it. To be cleared. */
PGresult *session_ask_words(struct session *session, enum words words);
/* One statement, in one round trip with BEGIN before it and WORDS_NUMBER behind it; '*number' is
 * NULL where that was not reached, 'number' NULL: not wanted. On a session that is apt. Both are to
 * be cleared. */
PGresult *session_ask_together(struct session *session, bool begins, const char *sql, int count,
                               const char *const *values, PGresult **number);
/* The answer to what was sent, as PQexec gives it. To be cleared. */
PGresult *session_result(struct session *session);
/* A query with parameters as text; NULL: it failed. To be cleared. */
PGresult *session_ask(struct session *session, const char *sql, int count,
                      const char *const *values);
NTSTATUS session_place(struct session *session, struct place *out,
                       struct explanation *why) must_use;

/* ---- outcome.c ---- */

/* COMMIT or ROLLBACK PREPARED, or the proof that it was done before. */
enum finished outcome_finish(struct ktm_postgres_rm *rm, const struct name *name, bool commit,
                             struct explanation *why);
/* The same in two steps: says it to an idle session, which it returns (NULL: there is none, and
 * nothing was said); takes that session, waits, and does what else is needed. */
struct session *outcome_begin(struct ktm_postgres_rm *rm, const struct name *name, bool commit);
enum finished outcome_end(struct ktm_postgres_rm *rm, struct session *session,
                          const struct name *name, bool commit, struct explanation *why);
/* The vote was no, and nobody knows whether it is prepared: it will be rolled back. */
void outcome_add_orphan(struct ktm_postgres_rm *rm, const struct name *name);
/* Tries to roll orphans back. */
void outcome_tend_orphans(struct ktm_postgres_rm *rm);

/* ---- settle.c ---- */

/* Has somebody said so; and in 'why' who, when and why. */
bool settled_by_hand(struct session *session, const GUID *transaction, struct explanation *why);

/* ---- alone.c ---- */

/* Finds or makes the table; without it single-phase commits are not offered. */
void alone_find_table(struct ktm_postgres_rm *rm, struct session *session);
/* Removes the rows that nobody will ask for: all of older runs; or the old ones of this. */
void alone_sweep(struct ktm_postgres_rm *rm, struct session *session, bool is_start);
enum ktm_rm_answer alone_commit(struct ktm_postgres_tx *tx, const struct ktm_rm_key *key);

/* ---- statement.c ---- */

/* As 'run' of a struct ktm_resource_kind. */
NTSTATUS statement_run(struct ktm_postgres_tx *tx, const char *text, size_t count,
                       const struct ktm_value *values, uint64_t *rows) must_use;

/* ---- author.c ---- */

extern const struct ktm_rm_author postgres_author;

/* What is said outside of a transaction is committed at once. Answers: TRANSACTION_NOT_ACTIVE (its
 * BEGIN has failed, or somebody has ended it). */
NTSTATUS tx_check_begun(struct ktm_postgres_tx *tx) must_use;
/* Before a vote: can it be, and what is the number of the transaction, 'xid'; 0: nothing was
 * changed. What cannot be has been undone, and said why. */
NTSTATUS tx_number(struct ktm_postgres_tx *tx) must_use;
/* What is to be said first by who may now have to wait for locks. */
const char *tx_limit(const struct ktm_postgres_tx *tx);
/* Whether the role of the resource manager can end what this one prepares. */
bool tx_is_role_fit(const struct ktm_postgres_tx *tx, const char *role);
/* Nothing was promised: rolls the session's transaction back and gives the session away. */
void tx_undo(struct ktm_postgres_tx *tx, enum ktm_postgres_state state);
void tx_release(struct ktm_postgres_tx *tx);
void rm_release(struct ktm_postgres_rm *rm);
