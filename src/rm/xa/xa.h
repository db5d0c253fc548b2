/* SPDX-License-Identifier: MIT */
/*
 * The resource manager over a switch of XA: helper processes (port.c, pool.c), the names of
 * branches (name.c), their outcome (outcome.c), what the kit asks (author.c), branches of this
 * process's threads (here.c), what applications call (ktm_xa.c, branch.c); and the gate (gate.c,
 * record.c).
 *
 * Locks: 'mutex' of the RM for its lists; 'mutex' of a branch while the switch is asked for it, so
 * that its calls come one at a time; 'swap' of a branch while its port is exchanged or killed. The
 * coordinator has no lock over a call but that of the one branch, and a rollback that finds it
 * taken kills the helper. Order: branch, swap, RM.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "ktm_xa.h"
#include "rm/server/server.h"
#include "rm/xa/port.h"
#include "rm/xa/quirk.h"
#include "rm/xa/switch.h"
#include "wdm.h"

#define PATIENCE_MS 10000u

/* A vote was no, and nobody knows whether the branch is prepared: it is to be rolled back. */
struct orphan {
    struct list in_orphans;
    XID xid;
};

struct ktm_xa_rm {
    _Atomic unsigned references;
    struct manager base;
    struct ktm_xa_options options;
    char *name, *spec, *info, *helper, *lock; /* what 'source' borrows */
    struct source source;
    struct loaded here; /* 'entry' NULL: not loaded into this process */

    pthread_mutex_t mutex;
    struct idle idle; /* struct port */
    struct list orphans;
    struct explanation why;
};

struct ktm_xa_tx {
    _Atomic unsigned references;
    struct ktm_xa_rm *rm;
    GUID id;
    struct held held;
    pthread_mutex_t mutex;
    pthread_mutex_t swap;
    struct port *port;      /* NULL: given back, or of a thread of ours */
    _Atomic unsigned state; /* enum ktm_xa_state */
    bool is_here;           /* a thread of this process has the branch: */
    pthread_t owner;
    bool has_started, has_ended; /* xa_start, xa_end */
    bool is_registered;          /* TMREGISTER: the switch has asked for it */
    bool is_empty;               /* it ended without that: there is nothing to vote about */
    bool owes_rollback;          /* to be said by the owner, when it comes */
    bool was_asked;              /* xa_commit was said, and its answer did not come */
    bool was_told;               /* that it is not finished */
    XID xid;
    struct explanation why;
};

/* ---- name.c ---- */

void xid_of(const struct ktm_rm_key *key, XID *out);
/* False: of somebody else, or not whole. */
bool xid_parse(const XID *xid, const GUID *manager, struct ktm_rm_key *key);
bool xid_equal(const XID *a, const XID *b);

/* ---- pool.c ---- */

/* A helper that has opened the switch: an idle one or a new one. */
NTSTATUS pool_take(struct ktm_xa_rm *rm, struct explanation *why, struct port **out) must_use;
/* Takes: back to the idle ones, or closed. NULL: nothing. */
void pool_give(struct ktm_xa_rm *rm, struct port *port);
void pool_close(struct ktm_xa_rm *rm);
/* Waits until the helpers of earlier runs are gone. Answers: SHARING_VIOLATION. */
NTSTATUS pool_wait_for_others(const char *lock, struct explanation *why) must_use;

/* ---- outcome.c ---- */

struct outcome {
    XID xid;
    bool is_commit;
    bool is_again; /* it may have been said before, so that a branch nobody knows is no surprise */
    int code;      /* what the switch has said */
    struct explanation why;
};

/* Says it, in a helper, and judges the answer. */
enum finished outcome_finish(struct ktm_xa_rm *rm, struct outcome *outcome);
/* The judgement alone: 'code' is what xa_commit or xa_rollback returned to a thread of ours. */
enum finished outcome_judge(struct ktm_xa_rm *rm, struct outcome *outcome);
void outcome_report(struct ktm_xa_rm *rm, enum finished finished, const struct outcome *outcome,
                    const GUID *transaction);
void orphan_add(struct ktm_xa_rm *rm, const XID *xid);
void orphans_tend(struct ktm_xa_rm *rm);

/* ---- branch.c ---- */

/* START to FORGET where the branch is: in its helper, or by this thread. Answers: RM_DISCONNECTED.
 */
NTSTATUS tx_say(struct ktm_xa_tx *tx, enum xa_op op, long flags, int *code) must_use;
/* Begins the branch. Answers as ktm_xa_begin. */
NTSTATUS tx_start(struct ktm_xa_tx *tx) must_use;
/* xa_end. Answers: TRANSACTION_NOT_ACTIVE (it can only be rolled back), RM_DISCONNECTED,
 * RESOURCEMANAGER_READ_ONLY (it was never registered). */
NTSTATUS tx_end(struct ktm_xa_tx *tx) must_use;
/* Nothing was promised: rolls the branch back and gives the helper away. */
void tx_undo(struct ktm_xa_tx *tx, enum ktm_xa_state state);
/* Has the branch no thread of ours, or is this it? */
bool tx_is_mine(const struct ktm_xa_tx *tx);
struct port *tx_give_port(struct ktm_xa_tx *tx);
void tx_release(struct ktm_xa_tx *tx);
void rm_release(struct ktm_xa_rm *rm);

/* ---- here.c ---- */

/* Calls the switch in this thread. */
int here_say(struct ktm_xa_tx *tx, enum xa_op op, long flags);

/* ---- author.c ---- */

extern const struct ktm_rm_author xa_author;

/* ---- place.c ---- */

struct place {
    char *spec, *info; /* 'info' NULL: not kept */
};
/* False: it does not fit. 'info' NULL: nothing is known of it. */
bool place_print(const char *spec, const char *info, bool is_secret, struct conninfo *out);
/* Answers: INVALID_PARAMETER. */
NTSTATUS place_read(const char *text, struct place *place, struct explanation *why) must_use;
/* Finds the open string elsewhere when it was not kept. Answers: ACCESS_DENIED. */
NTSTATUS place_info(struct place *place, struct explanation *why) must_use;
void place_free(struct place *place);

/* ---- record.c ---- */

/* Has this file's switch passed, by the records of the home? Answers: NOT_SUPPORTED. */
NTSTATUS record_look(const char *home, const struct switch_info *info,
                     struct explanation *why) must_use;
/* From now on it has, or has not. */
NTSTATUS record_keep(const char *home, const struct switch_info *info, bool has_passed,
                     struct explanation *why) must_use;
