/* SPDX-License-Identifier: MIT */
/*
 * The protocol, pure: state and one event in, new state and a list of effects out.
 *
 * One 'struct ktm' is one transaction manager: its resource managers, transactions, enlistments and
 * virtual clock. There are no files, threads, clocks or random numbers here: time and fresh GUIDs
 * arrive with events, objects arrive allocated. A step allocates before it changes anything, so "no
 * memory" is a clean refusal.
 *
 * Durability is an event. The core asks for a force (EFFECT_FORCE) and marks the transaction
 * *forcing*; only the step that consumes KTM_LOG_FORCED announces the outcome. That line is the
 * commit point: the call of decide_commit in transaction_log_answered (transaction.c). While a
 * transaction is forcing, requests on it answer DEVICE_BUSY: the engine waits for the force and
 * asks again; nobody outside sees that status.
 *
 * Invariants, checked by transaction_check after every step of a debug build or a test:
 *  (1) owed = enlistments in a state that owes an answer; participants = subordinates not finished;
 *  (2) a decided outcome never changes, and is never decided while a PREPREPARE or PREPARE answer
 * is owed; (3) forcing only in Preparing, Prepared and InDoubt; (4) a transaction is in 'logged'
 * exactly while a record of it still matters.
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "base/list.h"
#include "core/event.h"
#include "core/object.h"
#include "ktmtypes.h"

/* ---- states; the numbers are those of ktm-types.md section 4.1 ---- */

enum ktm_state {
    KTM_INITIALIZED = 1,
    KTM_RECOVERING = 2,
    KTM_ONLINE = 3,
    KTM_RECOVERY_FAILED = 4,
    KTM_OFFLINE = 5,
    KTM_CLOSED = 6, /* ours: the last handle is gone, the memory is kept by its children */
};

enum transaction_state {
    TX_ACTIVE = 1,
    TX_PREPARING = 2,
    TX_PREPARED = 3,
    TX_INDOUBT = 4,
    TX_COMMITTED = 5,
    TX_ABORTED = 6,
    TX_DELEGATED = 7,
    TX_PREPREPARING = 8,
    TX_FORGOTTEN = 9,
    TX_PREPREPARED = 11,
};

enum transaction_outcome {
    OUTCOME_UNDETERMINED = 1,
    OUTCOME_COMMITTED = 2,
    OUTCOME_ABORTED = 3,
    OUTCOME_UNAVAILABLE = 4, /* clients are told Undetermined [PT-16, PT-36] */
};

enum enlistment_state {
    EN_ACTIVE,
    EN_PREPREPARING, /* owes PrePrepareComplete */
    EN_PREPREPARED,
    EN_PREPARING, /* owes PrepareComplete */
    EN_PREPARED,
    EN_DELEGATED,        /* owes the answer to SINGLE_PHASE_COMMIT */
    EN_COMMITTED_NOTIFY, /* owes CommitComplete */
    EN_ABORTING,         /* owes RollbackComplete */
    EN_INDOUBT,          /* recovered, was told INDOUBT */
    EN_RECOVERING,       /* was sent RECOVER or RECOVER_QUERY */
    EN_OFFLINE,          /* lost; its outcome is owed at recovery */
    EN_FINISHED,         /* read-only, committed, aborted or disconnected */
};

enum commit_driver { DRIVER_NONE, DRIVER_CLIENT, DRIVER_SUPERIOR_3, DRIVER_SUPERIOR_1 };

/* Why a transaction was aborted, for people (design D13). */
enum abort_reason {
    REASON_NONE,
    REASON_CLIENT,           /* NtRollbackTransaction */
    REASON_RESOURCE_MANAGER, /* an RM voted no; abort_rm says which */
    REASON_SUPERIOR,
    REASON_TIMEOUT,
    REASON_TX_CLOSED, /* the last transaction handle was closed before commit */
    REASON_EN_CLOSED, /* an enlistment or RM handle was closed too early; abort_rm says which */
    REASON_TM_CLOSED,
    REASON_CALLBACK, /* a callback failed; abort_rm says which */
    REASON_LOG,      /* the log could not be written */
    REASON_RECORD_TOO_LONG,
    REASON_OUTCOME_REQUESTED, /* TmRequestOutcomeEnlistment while others were preparing [ROLL-11] */
    REASONS,
};
const char *abort_reason_text(enum abort_reason reason);
const char *transaction_state_name(int state);

enum record_type { RECORD_PREPARE = 1, RECORD_COMMIT, RECORD_ABORT, RECORD_FORGET, RECORD_RECINFO };

/* ---- objects ---- */

struct ktm {
    _Atomic uint8_t state; /* enum ktm_state */
    bool is_volatile;
    bool is_nursery; /* holds the transactions not bound to a TM yet: no RMs, no clock */
    GUID identity, log_identity;
    int64_t clock; /* [CLOCK-01] */
    struct guid_map rms, txs;
    struct list rm_list, tx_list; /* in order of creation */
    struct list logged; /* transactions with a record that still matters, oldest record first */
    struct list news;   /* RMs whose queue has grown since the engine last looked */
    uint64_t committed, aborted;             /* counts, for operators */
    void (*farewell)(struct object *object); /* called before an object is freed; may be NULL */
};

/* A notification in a queue. */
struct notification {
    struct notification *next;
    void *key;
    int64_t clock; /* [NOTIF-05] */
    uint32_t what; /* one TRANSACTION_NOTIFY_ bit */
    bool has_argument;
    TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT argument; /* names the enlistment, if there is one,
                                                            also when it is not told */
};

#define DESCRIPTION_UNITS_MAX 64

struct resource_manager {
    struct object object;
    struct guid_link link; /* in ktm->rms */
    struct list in_ktm, in_news;
    struct ktm *ktm;
    bool is_volatile;
    _Atomic bool is_open; /* has handles */
    _Atomic bool
        is_online;  /* has recovered since it was opened; a volatile one always is [OP-18] */
    bool is_listed; /* in ktm->rms: can be found */
    bool is_branch; /* internal: stands for another TM, whose identity is its GUID [BR-03] */
    uint32_t create_options;
    uint16_t description[DESCRIPTION_UNITS_MAX];
    uint8_t description_units;
    struct guid_map ens;
    struct list en_list; /* in order of enlistment */
    struct notification *queue, **queue_end;
    PTM_RM_NOTIFICATION callback; /* NULL: queue mode. Called by the engine, never here */
    void *callback_key;
    struct engine_port *port; /* these four: the engine's [NOTIF-ASYNC-01], never looked at here */
    uintptr_t port_key;
    struct engine_loan *loans, **loans_end;
};

/* One line of the short history every transaction keeps (design D13). */
struct history_entry {
    uint64_t at; /* monotonic nanoseconds, coarse */
    uint8_t event, state;
};
#define HISTORY_SIZE 8

struct transaction {
    struct object object;
    struct guid_link link; /* in ktm->txs */
    struct list in_ktm, in_log;
    struct ktm *_Atomic ktm; /* changes once, from the nursery to its TM */
    uint8_t state, driver, reason;
    _Atomic uint8_t outcome;
    _Atomic bool is_active; /* [TMR-14], read without a lock */
    bool is_listed, is_open;
    bool commit_requested;   /* COMMIT_REQUEST is out [PT-04] */
    bool goes_on_to_prepare; /* PrepareEnlistment came in Active [PT-09] */
    bool is_recovered;       /* rebuilt from the log */
    bool superior_committed; /* CommitEnlistment was accepted in this session [ENL-CE-08] */
    bool timer_fired;
    uint8_t forcing;        /* the record being forced, 0: none */
    uint8_t logged_as;      /* RECORD_PREPARE or RECORD_COMMIT while it matters, 0: none */
    NTSTATUS commit_status; /* what a waiter is told when there is no outcome to tell, or a better
                               reason */
    uint32_t owed, participants, en_count;
    uint32_t create_options, isolation_flags;
    int64_t timeout; /* as given by the caller */
    GUID abort_rm;
    struct list enlistments; /* in order of enlistment, superior included */
    struct list deliveries;  /* enlistments whose callback has yet to run, in order */
    struct enlistment *superior;
    uint64_t lsn; /* of its newest COMMIT or PREPARE record */
    uint16_t *description;
    uint8_t description_units;
    uint8_t history_count; /* entries written so far, modulo 256 */
    struct history_entry history[HISTORY_SIZE];
    /* the engine's own: */
    struct list in_frozen;  /* something is put off until the thaw */
    uint8_t record_put_off; /* an ABORT or FORGET record that is, 0: none */
    bool is_commit_put_off;
    _Atomic uint32_t timer;    /* place in the timer heap + 1, 0: none; read without its lock */
    uint32_t reserved_records; /* log space set aside [LOG-14] */
    uint64_t reserved_bytes;
    uint64_t deadline;
};

struct enlistment {
    struct object object;
    struct guid_link link; /* in rm->ens */
    struct list in_tx, in_rm, in_delivery;
    struct resource_manager *rm;
    struct transaction *tx;
    uint8_t state;
    bool is_superior;
    bool is_attached; /* has a handle, and its RM is open */
    bool is_closing;  /* its RM was closed, which it has yet to be told */
    bool is_unlogged; /* the link to a branch that has nothing to remember [VOL-04] */
    uint32_t mask;
    uint32_t undelivered; /* callback mode: bits whose callback has yet to run */
    int64_t undelivered_clock;
    void *_Atomic key;
    _Atomic uint32_t key_references; /* [TMR-18..21] */
    uint8_t *recovery_info;
    uint32_t recovery_info_size;
    struct notification
        *spare; /* reserved at enlistment: an outcome can always be queued [NOTIF-13] */
};

/* ---- the step ---- */

struct ktm_event {
    enum ktm_event_type type;
    struct transaction *tx;
    struct enlistment *en;
    struct resource_manager *rm;
    const int64_t *clock; /* the caller's virtual clock, NULL: none [CLOCK-04] */
    void *key;            /* EN_RECOVER */
    uint32_t what;        /* EN_CALLBACK_FAILED: the notification */
    enum abort_reason reason;
    const GUID *abort_rm; /* EN_ROLLBACK by a link: whom its branch names, NULL: nobody */
};

enum ktm_effect_type {
    EFFECT_APPEND = 1, /* write record 'record' of 'tx' to the log, not forced */
    EFFECT_FORCE,      /* write it and come back with what the log says */
    EFFECT_SIGNAL,     /* set 'signal' on 'tx' and wake who waits for it */
    EFFECT_DELIVER,    /* run the callbacks in tx->deliveries, on this thread */
    EFFECT_DRAIN,      /* run the callback of 'rm' for what is in its queue, on this thread */
};

struct ktm_effect {
    uint8_t type, record, signal;
    struct transaction *tx;
    struct resource_manager *rm;
};

/* In the order in which they must happen: record, signal, notifications [section 9]. Notifications
 * of queue-mode RMs are put into their queues by the step itself; ktm->news tells whom to wake. */
#define KTM_EFFECTS_MAX 8
struct ktm_effects {
    unsigned count;
    bool has_queued; /* a notification went into a queue: the caller is told PENDING [OP-09] */
    struct ktm_effect list[KTM_EFFECTS_MAX];
};

void ktm_init(struct ktm *ktm, bool is_volatile);
void ktm_deinit(struct ktm *ktm); /* its maps and lists must be empty */

/* On any status but SUCCESS nothing has changed [GEN-06]. Answers: those of the routine behind the
 * event, and DEVICE_BUSY: the transaction is forcing, ask again when it has settled. */
NTSTATUS ktm_step(struct ktm *ktm, const struct ktm_event *event,
                  struct ktm_effects *effects) must_use;

/* ---- objects come and go; the engine makes the GUIDs ---- */

struct transaction *transaction_create(const GUID *uow); /* Active, in no TM; NULL: no memory */
void transaction_destroy(struct transaction *tx); /* one that never entered a TM; NULL: nothing */
struct resource_manager *resource_manager_create(const GUID *guid, uint32_t create_options);
void resource_manager_destroy(struct resource_manager *rm);
struct enlistment *enlistment_create(const GUID *guid, uint32_t mask, bool is_superior, void *key);
void enlistment_destroy(struct enlistment *en);

/* Both answer OBJECT_NAME_COLLISION when the UOW is there: who gives it again is seen by the
 * engine, but not the branch that is just being made. */
NTSTATUS ktm_add_transaction(struct ktm *ktm, struct transaction *tx) must_use;
/* From the nursery to the TM of its first enlistment [ENL-CREATE-03]. */
NTSTATUS ktm_move_transaction(struct ktm *from, struct ktm *to, struct transaction *tx) must_use;
NTSTATUS ktm_add_resource_manager(struct ktm *ktm, struct resource_manager *rm) must_use;
struct transaction *ktm_find_transaction(const struct ktm *ktm, const GUID *uow);
struct resource_manager *ktm_find_resource_manager(const struct ktm *ktm, const GUID *guid);
struct enlistment *resource_manager_find_enlistment(const struct resource_manager *rm,
                                                    const GUID *guid);
NTSTATUS enlistment_set_recovery_info(struct enlistment *en, struct bytes info) must_use;
/* The same in two steps, for who must do something in between that can fail. */
NTSTATUS recovery_info_copy(struct bytes info, uint8_t **out) must_use; /* NULL: no bytes */
void enlistment_take_recovery_info(struct enlistment *en, uint8_t *info, uint32_t size); /* takes */
NTSTATUS transaction_set_description(struct transaction *tx, const uint16_t *units,
                                     size_t count) must_use;
/* The same in two steps. */
NTSTATUS description_copy(const uint16_t *units, size_t count, uint16_t **out) must_use;
void transaction_take_description(struct transaction *tx, uint16_t *units,
                                  size_t count); /* takes */

/* Frees the object, and its neighbours, when their life is over and nobody holds them (section 3).
 */
void ktm_reap(struct object *object);

/* What a shutdown must still roll back, behind 'after' (NULL: from the start), or NULL
 * [CLOSE-TM-01]. */
struct transaction *ktm_next_undecided(struct ktm *ktm, struct transaction *after);
/* An enlistment that has yet to be told, by KTM_EN_CLOSE, that its RM was closed; behind 'after'
 * (NULL: from the start), or NULL [CLOSE-RM-01]. */
struct enlistment *resource_manager_next_closing(struct resource_manager *rm,
                                                 struct enlistment *after);

/* Takes an Active enlistment that nobody has seen yet out of its transaction: as if it had never
 * been. The caller holds it; it is freed with the last hold. */
void enlistment_retract(struct enlistment *en);
/* What CreateEnlistment answers by the state of the transaction. */
NTSTATUS enlistment_may_join(const struct transaction *tx, const struct enlistment *en) must_use;
/* It is the part, in this TM, of a transaction whose root is in another [BR-03]. */
bool transaction_is_branch(const struct transaction *tx);

NTSTATUS notification_mask_check(uint32_t mask, bool is_superior) must_use; /* [MASK-01..12] */
bool enlistment_is_recoverable(
    const struct enlistment *en); /* a participant that the log must remember */
bool transaction_is_recoverable(const struct transaction *tx);
bool transaction_may_write(const struct transaction *tx); /* a record may still have to be logged */
/* Takes EFFECT_FORCE back before anything is appended, in Preparing: all have voted and nothing is
 * decided, so the transaction may still be rolled back. KTM_TX_THAW asks for the force again. */
void transaction_unforce(struct transaction *tx);
/* Adds a line to the history: 'event' has led to the present state at 'now'. */
void transaction_note(struct transaction *tx, int event, uint64_t now);
bool transaction_wants_timer(
    const struct transaction *tx); /* a time-out still has an effect [section 9] */
struct notification *
resource_manager_take(struct resource_manager *rm); /* oldest queued, or NULL; free() it */
/* Callback mode: takes one notification off tx->deliveries; NULL: none left. */
struct enlistment *transaction_take_delivery(struct transaction *tx, uint32_t *what,
                                             int64_t *clock);
/* Online becomes Offline [LOG-11]; true: so it did. Any other state stays: a TM that was closed
 * meanwhile stays closed. */
bool ktm_go_offline(struct ktm *ktm);
/* A larger value becomes the clock, anything else is ignored [CLOCK-04]. */
void ktm_raise_clock(struct ktm *ktm, const int64_t *clock);

/* ---- records (docs/format/records.md) ---- */

/* 'en' for RECINFO only. 'out' must have record_size() bytes. */
size_t record_size(const struct transaction *tx, enum record_type type,
                   const struct enlistment *en);
void record_encode(const struct transaction *tx, enum record_type type, const struct enlistment *en,
                   uint8_t *out);
/* The record is in the log at 'lsn': keeps 'logged' in order. */
void record_appended(struct transaction *tx, enum record_type type, uint64_t lsn);

struct restart_area {
    GUID identity, log_identity;
    int64_t clock;
    uint64_t oldest_lsn; /* reading starts here; CLFS_LSN_INVALID: nothing older than the restart
                            record matters */
};
#define RESTART_AREA_SIZE 64
void restart_encode(const struct restart_area *area, uint8_t out[RESTART_AREA_SIZE]);
NTSTATUS restart_decode(struct bytes data,
                        struct restart_area *out) must_use; /* LOG_CORRUPTION_DETECTED */

/* Recovery: each record, in log order, comes back into the same objects [RECOV-01..12].
 * Answers: LOG_CORRUPTION_DETECTED, INSUFFICIENT_RESOURCES. */
NTSTATUS ktm_replay(struct ktm *ktm, struct bytes record, uint64_t lsn) must_use;
NTSTATUS record_clock(struct bytes record, int64_t *clock) must_use;
/* A FORGET of nobody: replay ignores it; it gives reading a place to start. */
bool record_is_marker(struct bytes record);
void ktm_replay_end(struct ktm *ktm);
/* Forgets everything replayed so far, as if nothing had been read. */
void ktm_replay_undo(struct ktm *ktm);
/* Frees every object, whoever holds it: the process is pretending to have died. */
void ktm_abandon(struct ktm *ktm);

/* Stops the process if an invariant does not hold; for tests and debug builds. */
void transaction_check(const struct transaction *tx);
