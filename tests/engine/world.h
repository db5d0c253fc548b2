/* SPDX-License-Identifier: MIT */
/*
 * A small world around one transaction manager, or two: a simulated machine, resource managers with
 * a memory of their own that survives crashes, clients who remember what they were told, and a
 * judge who compares.
 *
 * The resource managers are perfect: what one has promised or done is in its memory before it
 * answers, as a real one would force its own log first. So whatever disagrees is the fault of the
 * engine or of the log. The judge looks at every notification and every outcome, at once, and keeps
 * the first violation as text, naming the broken invariant [INV-01..14].
 *
 * Everything that is heard after the power has gone is heard by nobody: the process is dead then,
 * and only the program of the test goes on. world_is_dead tells.
 *
 * One thread; the engine is used through its door only.
 */
#pragma once

#include "tests/test.h"

#include "core/event.h"
#include "engine/engine.h"
#include "sys/fault.h"
#include "sys/sim.h"

/* What a resource manager's own log says of one enlistment. */
enum world_memory { MEMORY_NOTHING, MEMORY_PREPARED, MEMORY_COMMITTED, MEMORY_ABORTED };

struct world_rm {
    char name;
    GUID guid;
    bool exists;
    bool is_volatile;
    bool is_elsewhere;  /* its TM is the other one */
    bool has_callback;  /* asks for callbacks when it is opened */
    bool answers;       /* says yes to everything at once; in callback mode inside the callback */
    bool is_recovering; /* between the engine's recovery of it and LAST_RECOVER */
    struct object *handle; /* NULL: closed */
};

struct world_en {
    bool exists;
    char name[8];
    struct world_rm *rm;
    struct world_tx *tx;
    GUID guid;
    uint32_t mask;
    bool is_superior;
    /* remembered by the RM: */
    enum world_memory memory;
    bool is_read_only;
    bool is_over;              /* it has answered the outcome, or lost track of a volatile one */
    enum world_memory decided; /* a superior's decision, before KTM hears of it */
    bool is_told_complete;     /* a superior has heard the end */
    /* of this session: */
    struct object *handle; /* NULL: closed */
    uint32_t owes;         /* the notification whose answer is owed, 0: none */
    uint32_t told;         /* all notifications since it was enlisted or recovered */
    bool is_asked;         /* RECOVER or RECOVER_QUERY came in this session */
    bool has_key;          /* KTM knows whose notifications these are [RECOV-08] */
};

struct world_tx {
    bool exists;
    char name[8];
    GUID uow;
    struct object *handle; /* NULL: closed */
    /* what somebody has been told, and is true for ever */
    bool was_committed, was_aborted;
    /* the client's view */
    uint32_t outcome; /* TRANSACTION_OUTCOME last seen */
    bool is_signalled;
    bool may_be_unavailable; /* the single-phase delegate went away, or the log failed */
    bool is_single_phase;    /* SPC was sent and not rejected: the delegate decides */
};

#define WORLD_RMS 27
#define WORLD_TXS 512
#define WORLD_ENS 1024

struct world {
    struct sys_sim *sim;
    struct sys *process;
    struct sys_fault *fault; /* lies between the engine and the simulated machine */
    struct sys *layer;       /* another one above it, or NULL */
    struct engine *engine;   /* NULL: no process is running */
    struct object *tm;       /* NULL: closed */
    struct object *other;    /* the other TM; NULL: closed, or there is none */
    bool is_volatile;        /* the TM is */
    bool has_other;
    bool is_other_volatile;
    bool is_other_first; /* it recovers before the TM does */
    bool is_dead;        /* the process of this session has ended: nothing is heard any more */
    bool is_mortal;      /* the first call that 'fault' makes fail is where the process dies */
    struct world_rm rms[WORLD_RMS];
    struct world_tx txs[WORLD_TXS];
    struct world_en ens[WORLD_ENS];
    uint64_t cut_at; /* the operation of the machine at which the power fails; 0: never */
    enum sys_sim_cut cut_how;
    int64_t clock, other_clock; /* highest seen in this session [INV-12] */
    unsigned heard;             /* notifications */
    unsigned deaf_after;        /* the process dies when it has heard so many; 0: never */
    unsigned stop_after; /* … when it has carried out so many commands of a scenario; 0: never */
    unsigned verified;   /* how often world_verify has made a transaction */
    char violation[400]; /* the first; empty: none */
    /* what a callback returns, and what it adds to the clock; NULL: SUCCESS and nothing */
    NTSTATUS (*callback_result)(void *context, uint32_t what, int64_t *clock);
    /* told everything that is heard and seen, for traces; may be NULL */
    void (*listener)(void *context, const char *line);
    void *listener_context;
};

#define WORLD_LOG       "/ktm"
#define WORLD_OTHER_LOG "/other"

/* 'sim' NULL: a new machine with this seed; else borrowed: the caller destroys it. */
struct world *world_create(struct sys_sim *sim, uint64_t seed, bool is_volatile);
void world_destroy(struct world *world); /* NULL: nothing */
OWNED_BY(struct world, world_destroy)
GUID world_guid(char kind, char name);

bool world_is_dead(struct world *world);
/* Records a violation; the first one stays. */
void world_blame(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Tells the listener. */
void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- sessions ---- */

/* A process starts, creates or opens the TMs that are not open and recovers them. */
NTSTATUS world_start(struct world *world);
/* The same in two steps. */
NTSTATUS world_open_tm(struct world *world);
NTSTATUS world_recover_tm(struct world *world);
/* Plans a power cut at an operation, counted from the making of the machine; it survives crashes
 * of the process before it. 0: none. */
void world_cut_at(struct world *world, uint64_t operation, enum sys_sim_cut how);
/* The process ends without warning; with 'power_cut' the machine too. */
void world_crash(struct world *world, bool power_cut, enum sys_sim_keep keep, uint64_t choice);
/* One of the TMs is opened and recovered, the other not. */
NTSTATUS world_start_one(struct world *world, bool is_other);
/* The TM's last handle is closed; what lies below stays, expired. */
void world_close_tm(struct world *world, bool is_other);
/* The TM of an RM; NULL: closed. */
struct object *world_tm_of(struct world *world, const struct world_rm *rm);

/* ---- what actors do; each returns what the engine answered, then everybody hears ---- */

struct world_rm *world_rm(struct world *world, char name); /* NULL: none */
struct world_en *world_en(struct world *world, char name);
struct world_tx *world_tx(struct world *world, char name);

NTSTATUS world_rm_create(struct world *world, char name, bool is_volatile, bool has_callback);
/* The same, in the other TM. */
NTSTATUS world_rm_create_elsewhere(struct world *world, char name, bool is_volatile,
                                   bool has_callback);
NTSTATUS world_rm_open(struct world *world, struct world_rm *rm);
/* RecoverResourceManager; 'whole': and RecoverEnlistment for every RECOVER, and the answers that
 * its memory gives to a superior's questions. */
NTSTATUS world_rm_recover(struct world *world, struct world_rm *rm, bool whole);
void world_rm_close(struct world *world, struct world_rm *rm);

NTSTATUS world_begin(struct world *world, const char *name, int64_t timeout, struct world_tx **out);
NTSTATUS world_commit(struct world *world, struct world_tx *tx);
NTSTATUS world_rollback(struct world *world, struct world_tx *tx);
void world_tx_close(struct world *world, struct world_tx *tx);

NTSTATUS world_enlist(struct world *world, const char *name, struct world_rm *rm,
                      struct world_tx *tx, uint32_t mask, bool is_superior, struct world_en **out);
/* 'event': KTM_EN_… of core/event.h. The RM writes into its memory first what it is about to say.
 */
NTSTATUS world_request(struct world *world, struct world_en *en, int event, const int64_t *clock);
NTSTATUS world_en_recover(struct world *world, struct world_en *en);
void world_en_close(struct world *world, struct world_en *en);
void world_timers(struct world *world);

/* Everybody fetches what is queued, and the judge looks around. */
void world_hear(struct world *world);
/* Whoever owes an answer says yes, until nobody does. A superior that asked for phases goes on. */
void world_settle(struct world *world);

/* ---- after a crash ---- */

/* Everything section 13.2 asks of everybody: TM, RMs, superiors; then answers until all is quiet,
 * and what an RM holds prepared and was not asked about is aborted [RECOV-04, RECOV-32]. */
NTSTATUS world_recover_all(struct world *world);
/* All is over: everybody agrees with everybody and with what anybody was told; nothing is left in
 * the TM [INV-01, -03, -14, LIVE-01, -02]; and the TM still works. */
void world_verify(struct world *world);
