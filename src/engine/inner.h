/* SPDX-License-Identifier: MIT */
/*
 * What the files of engine/ share.
 *
 * Locks, in the order in which they may be taken: the nursery's mutex, a TM's mutex, the timers'
 * mutex; the registry's mutex before any TM's. 'attaching' serialises attaching and detaching logs
 * and is the only lock held across I/O; it is taken with no other held, and callbacks never run
 * under it.
 *
 * Memory: a TM lives while somebody holds it or it has children; children are freed by ktm_reap
 * under the TM's mutex. A thread that has no lock touches only objects it holds.
 */
#pragma once

#include "clfs/clfs.h"
#include "core/ktm.h"
#include "engine/engine.h"
#include "sys/thread.h"

#define LOG_CONTAINER_SIZE   (1u << 20)
#define LOG_CONTAINERS_FIRST 2
#define LOG_BLOCK_SIZE       (256u << 10)

struct engine_tm {
    struct object object;
    struct engine *engine;
    struct list in_engine;
    uint64_t number;        /* in order of registration, which is that of the list */
    struct sys_mutex mutex; /* surrounds every step of 'core' */
    struct ktm core;
    /* the log; all NULL or 0 for a volatile TM */
    struct clfs_log *log;
    struct clfs_area *area;
    GUID physical_log; /* identity of the CLFS log: who is attached to it */
    uint16_t *log_name;
    size_t log_name_units;
    uint64_t replay_from, last_recovered_lsn; /* where the next recovery step starts reading */
    uint64_t checkpoint_lsn;                  /* of the newest restart area's marker */
    uint64_t appended_lsn;                    /* of the newest record */
    uint64_t log_size, container_size;
    bool is_checkpointing;
    bool restart_is_reserved;   /* space for the next checkpoint is set aside; the checkpointer's */
    _Atomic uint32_t log_users; /* threads in the log's I/O with the lock off */
    _Atomic bool is_detaching;  /* somebody waits until there are none */
    _Atomic bool is_frozen;     /* nothing may be written; changes under the lock (freeze.c) */
    struct list frozen;         /* transactions with something put off until the thaw; each held */
    bool has_records_put_off;   /* among that */
    uint8_t *scratch;           /* a record being encoded; under the mutex */
    size_t scratch_size;
};

struct timers {
    struct sys_mutex mutex;
    struct transaction **heap; /* earliest deadline first; each entry holds its transaction */
    size_t count, room;
    _Atomic uint32_t word; /* changes when the earliest deadline does */
    struct sys_thread *thread;
    bool has_thread; /* an instance for tests has none */
    _Atomic bool is_stopping;
};

enum freeze_state { THAWED, FREEZING, FROZEN, THAWING };
struct freeze {
    struct sys_mutex mutex; /* a leaf */
    enum freeze_state state;
    uint64_t deadline;        /* FROZEN: when it ends by itself */
    _Atomic uint32_t thaws;   /* changes when a freeze has ended */
    _Atomic uint32_t in_gate; /* threads between tm_gate_enter and tm_gate_leave */
    struct thawer *thawer;    /* FROZEN: the thread that ends it when nobody else does */
};

struct engine {
    struct sys *sys;
    struct sys_mutex mutex; /* the registry: 'tms' */
    struct sys_mutex attaching;
    struct list tms;
    uint64_t registered;       /* how many there have been */
    struct engine_tm *nursery; /* transactions not bound yet; never in 'tms' */
    struct timers timers;
    struct freeze freeze;
};

static inline struct engine_tm *
tm_of_ktm(struct ktm *ktm)
{
    return container_of(ktm, struct engine_tm, core);
}

#define AS_TM(o) container_of(o, struct engine_tm, object)
#define AS_RM(o) container_of(o, struct resource_manager, object)
#define AS_TX(o) container_of(o, struct transaction, object)
#define AS_EN(o) container_of(o, struct enlistment, object)

/* ---- run.c ---- */

/* One call into the engine: what it must tell its caller and whom it must wake when the lock is
 * off. */
#define WAKES_MAX 16
struct run {
    struct engine_tm *tm;
    bool is_pending;   /* something was queued, or a callback answered PENDING [OP-09] */
    bool log_failed;   /* the log failed under this call: the TM went Offline */
    bool has_appended; /* lazily: somebody should write behind */
    unsigned wake_count;
    struct object *wakes[WAKES_MAX]; /* each held */
};

/* Locks the TM the object belongs to and starts a run on it. */
void run_begin(struct run *run, struct object *object);
void run_begin_tm(struct run *run, struct engine_tm *tm);
/* Unlocks, wakes, writes behind, takes a checkpoint when one is due. */
void run_end(struct run *run);
/* One event and everything that follows from it. The lock is held on entry and on return, but not
 * in between: the caller must hold the objects of the event. */
NTSTATUS run_step(struct run *run, struct ktm_event *event);
/* Runs the callback of 'rm' for all that is queued. */
void run_drain(struct run *run, struct resource_manager *rm);
/* Lets go of a hold with the lock held. */
void run_release(struct run *run, struct object *object);
/* After a log failure: everything that is not decided is rolled back [LOG-13]. Or at the end
 * [CLOSE-TM-01]. */
void run_shutdown(struct run *run, enum abort_reason reason);
/* The last handle of the RM is gone: all its enlistments are closed [CLOSE-RM-01]. */
void run_close_rm(struct run *run, struct resource_manager *rm);
void run_wake(struct run *run, struct object *object);
/* Appends a record that nobody waits for. */
void run_append(struct run *run, struct transaction *tx, enum record_type record);
/* Sleeps while *word == seen, with the lock off meanwhile. */
void run_sleep(struct run *run, _Atomic uint32_t *word, uint32_t seen);
/* Sleeps until the force of 'tx' is over, with the lock off meanwhile. */
void run_wait_settled(struct run *run, struct transaction *tx);

/* ---- trace.c ---- */

/* ktm_step, with a line in the transaction's history when its state has changed, and in the trace.
 */
NTSTATUS noted_step(struct engine_tm *tm, const struct ktm_event *event,
                    struct ktm_effects *effects) must_use;

/* ---- log.c ---- */

/* Opens (and, with 'create', makes) the log; physical_log says which it is. */
NTSTATUS tm_log_open(struct engine_tm *tm, const char *path, bool create) must_use;
/* Reads the TM's identity from the open log, or gives it one. */
NTSTATUS tm_log_attach(struct engine_tm *tm) must_use;
/* Waits until nobody is in the log, then closes it. With no lock held. */
void tm_log_detach(struct engine_tm *tm);
/* Around every use of tm->area without the lock; entered with it held. */
void tm_log_enter(struct engine_tm *tm);
void tm_log_leave(struct engine_tm *tm);
/* One record, out of what is reserved for the transaction if that suffices. Answers: LOG_FULL,
 * TRANSACTION_RECORD_TOO_LONG, those of clfs_append. */
NTSTATUS tm_log_append(struct engine_tm *tm, struct transaction *tx, enum record_type type,
                       uint64_t *lsn) must_use;
/* A RECINFO record. */
NTSTATUS tm_log_append_info(struct engine_tm *tm, const struct enlistment *en,
                            uint64_t *lsn) must_use;
/* In a full log: by a checkpoint at the first attempt, by another container at the others. Lets go
 * of the run's lock and takes it again. Answers: TRANSACTIONMANAGER_NOT_ONLINE (meanwhile), those
 * of clfs_log_add_containers. */
NTSTATUS tm_log_make_room(struct run *run, unsigned attempt) must_use;
/* Sets aside space for all records an Active transaction may still need [LOG-14]; makes room when
 * it must. */
NTSTATUS tm_log_reserve(struct run *run, struct transaction *tx) must_use;
/* The same without making room, under the lock. Answers: LOG_FULL. */
NTSTATUS tm_log_reserve_now(struct engine_tm *tm, struct transaction *tx) must_use;
void tm_log_unreserve(struct engine_tm *tm, struct transaction *tx);
bool tm_log_checkpoint_due(const struct engine_tm *tm);
/* With no lock held. When the log fails the TM is Offline on return, and the caller, once it is out
 * of the log, has to see to run_shutdown: that calls callbacks, which may close the TM. */
NTSTATUS tm_log_checkpoint(struct engine_tm *tm);
NTSTATUS tm_log_replay(struct engine_tm *tm, const int64_t *target, bool *reached_end) must_use;
/* Gives the attached log a new TM identity [TM-RENAME-01..07]. */
NTSTATUS tm_log_rename(struct engine_tm *tm, const GUID *expected) must_use;

/* ---- life.c, waiting.c, transactions.c ---- */

NTSTATUS object_check_alive(struct object *object) must_use; /* [OBJ-21, TMR-05] */
NTSTATUS tm_check_online(struct object *tm) must_use;        /* [TM-STATE-01] */
/* One more handle, under the lock: a transaction is open, an enlistment attached by it. */
void object_hand_out(struct object *object, struct object **out);
GUID fresh_guid(struct engine *engine); /* [OBJ-18] */
void object_wait_for(struct object *object, uint32_t bits);
void wait_fd_follow(struct object *object); /* clears the descriptor of what is not signalled */
/* Locks the TM for a run; and before it the nursery while the transaction is unbound, which is
 * returned: then it may be bound, and unbound again while both are locked [GEN-06]. */
bool transaction_lock_for_binding(struct run *run, struct engine_tm *tm, struct transaction *tx);
NTSTATUS transaction_bind(struct engine_tm *tm, struct transaction *tx) must_use;
void transaction_unbind(struct engine_tm *tm, struct transaction *tx);

/* ---- managers.c, loans.c ---- */

/* Copies the oldest record out if it fits. Answers: TIMEOUT (there is none), BUFFER_TOO_SMALL
 * (*length = needed). */
NTSTATUS rm_take_notification(struct resource_manager *rm, TRANSACTION_NOTIFICATION *out,
                              uint32_t size, uint32_t *length) must_use;
/* Under the lock: fills lent buffers with what is queued; gives all back and forgets the port. */
void loans_serve(struct resource_manager *rm);
void loans_cancel(struct resource_manager *rm);

/* ---- enlistments.c ---- */

/* event->en is filled in and enters transaction and RM; it belongs to them on success. Answers
 * those of CreateEnlistment, and TRANSACTION_REQUIRED_PROMOTION: the transaction is bound to
 * another TM. */
NTSTATUS enlistment_enter(struct ktm_event *event, struct object **out) must_use;
/* The same under the lock of the TM, and of the nursery when the transaction is in it. */
NTSTATUS enlistment_enter_locked(struct run *run, struct ktm_event *event, bool is_unbound,
                                 struct object **out) must_use;

/* ---- span*.c: transactions over several TMs [BR-01..06] ---- */

/* As enlistment_enter, for a transaction bound to another TM than that of the RM. event->en is NULL
 * on return if it is no longer the caller's. */
NTSTATUS span_enlist(struct ktm_event *event, struct object **out) must_use;
/* Makes the internal RM of a branch or link work; under its TM's lock. */
void span_rm_open(struct resource_manager *rm);
/* The TM has come Online, or was shut down: the others are told. With no lock held. */
void span_tm_online(struct engine_tm *tm);
void span_tm_closed(const struct engine_tm *tm);
/* Two transactions with one UOW that are parts of the same. */
bool span_is_kin(const struct transaction *a, const struct transaction *b);
/* Calls 'each', under the branch's lock, for every enlistment that its branches have. */
void span_enlistments(struct object *root, void (*each)(void *context, const struct enlistment *en),
                      void *context);

/* ---- timer.c ---- */

void timers_init(struct timers *timers, bool has_thread);
void timers_deinit(struct timers *timers);
/* With the TM's lock held. Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS timer_set(struct engine *engine, struct transaction *tx, uint64_t deadline) must_use;
bool timer_cancel(struct engine *engine, struct transaction *tx); /* true: a hold was given back */

/* ---- freeze.c ---- */

void freeze_init(struct freeze *freeze);
void freeze_deinit(struct freeze *freeze);
/* Under the run's lock: sleeps while the TM is frozen, with the lock off meanwhile. */
void freeze_wait(struct run *run);
/* Around everything that writes a log no Online TM owns yet, or any more; waits for the thaw. */
void tm_gate_enter(struct engine *engine);
void tm_gate_leave(struct engine *engine);
/* A commit that would begin now has to wait; or is begun by the thaw. */
bool freeze_stops_commit(const struct run *run, const struct transaction *tx);
void freeze_put_off_commit(struct run *run, struct transaction *tx);
/* True: frozen, the thaw does it. */
bool freeze_puts_off_record(struct run *run, struct transaction *tx, enum record_type record);
bool freeze_puts_off_decision(struct run *run, struct transaction *tx);
/* Before a decision, and first of all when catching up. */
void freeze_append_put_off(struct run *run);
/* Does what was put off; lets go of the lock now and then. */
void freeze_catch_up(struct run *run);
/* Ends a freeze that is due; for instances without threads. */
void freeze_run_timer(struct engine *engine);

/* ---- tm.c ---- */

struct engine_tm *tm_create(struct engine *engine, bool is_volatile);
void tm_destroy_if_over(struct engine_tm *tm); /* with its lock held; lets go of it */
void tm_close(struct engine_tm *tm);           /* the last handle is gone; no lock held */
/* Of the registry, whose lock is held; or NULL. */
struct engine_tm *registry_find_identity(struct engine *engine, const GUID *identity);
