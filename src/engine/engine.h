/* SPDX-License-Identifier: MIT */
/*
 * The engine runs the pure core: it performs the effects of each step in order, feeds what became
 * of them back as events, replays the log at start, and keeps time. Rooms above see objects and
 * calls only.
 *
 * Threads: every call may be made from any thread, also from inside a callback. One mutex per TM
 * surrounds the core's step; no lock is held across I/O, waits or callbacks [GEN-11]. Notifications
 * to callbacks run on the thread whose call caused them [NOTIF-06].
 *
 * Objects: a call that hands out an object hands out one *handle* (and with it a hold); the caller
 * gives it back with engine_handle_close. A call takes objects the caller holds. Statuses are those
 * of the Nt routine of the same meaning, handle errors excepted; calls on an expired object answer
 * TRANSACTION_OBJECT_EXPIRED [OBJ-21].
 */
#pragma once

#include "base/bytes.h"
#include "base/guid.h"
#include "core/object.h"
#include "ktmtypes.h"
#include "sys/sys.h"

struct engine; /* one KTM instance: all TMs, and the transactions not bound yet [NAME-07] */

/* The instance of this process, over sys_linux(), made on first use. NULL: no memory. */
struct engine *engine_instance(void);
/* For tests: an instance over another 'sys', without a timer thread. It is what engine_instance()
 * returns until it is destroyed. Destroying abandons every TM as a crash would: nothing is written.
 */
NTSTATUS engine_create(struct sys *sys, struct engine **out) must_use;
void engine_destroy(struct engine *engine);
/* In a forked child: the parent's instance is not this process's; the first use makes another. */
void engine_begin_anew(void);
/* The object is one of the parent's: it must not be used. */
bool engine_is_inherited(const struct object *object);
/* For tests: fires the time-outs that are due by the instance's own clock. */
void engine_run_timers(struct engine *engine);

/* ---- life ---- */

void engine_hold(struct object *object); /* the caller holds it already */
void engine_release(struct object *object);
/* One more handle to an object the caller holds. Answers: TRANSACTION_OBJECT_EXPIRED. */
NTSTATUS engine_handle_open(struct object *object) must_use;
/* One handle less; the last one has the effects of the CLOSE family. Never fails, never waits for
 * answers. */
void engine_handle_close(struct object *object);
/* True when the object's TM (or, for RM and EN, its RM) has been shut down. */
bool engine_is_expired(struct object *object);

/* ---- transaction managers ---- */

/* 'log_path': POSIX path without ".blf", or NULL for a volatile TM; 'log_name': the caller's text,
 * told by queries (LogPath). Answers: OBJECT_NAME_COLLISION (log attached to a live TM),
 * LOG_CORRUPTION_DETECTED, OBJECT_PATH_NOT_FOUND, ACCESS_DENIED, DISK_FULL, SHARING_VIOLATION,
 * INSUFFICIENT_RESOURCES. */
NTSTATUS engine_tm_create(struct engine *engine, const char *log_path, const uint16_t *log_name,
                          size_t log_name_units, struct object **out) must_use;
/* The live TM of that log, or one instantiated from an existing log (state Initialized)
 * [TM-OPEN-07..10]. */
NTSTATUS engine_tm_open_log(struct engine *engine, const char *log_path, const uint16_t *log_name,
                            size_t log_name_units, struct object **out) must_use;
NTSTATUS engine_tm_open_guid(struct engine *engine, const GUID *identity,
                             struct object **out) must_use;
/* 'clock' NULL: to the end of the log [TM-RECOVER, TM-ROLLFWD]. */
NTSTATUS engine_tm_recover(struct object *tm, const int64_t *clock) must_use;
NTSTATUS engine_tm_rename(struct engine *engine, const char *log_path,
                          const GUID *expected) must_use;

struct engine_tm_info {
    GUID identity, log_identity, oldest_transaction;
    int64_t clock;
    uint64_t last_recovered_lsn;
    uint8_t state; /* enum ktm_state of core/ktm.h */
    bool is_volatile;
    const uint16_t *log_name; /* lives as long as the object is held */
    size_t log_name_units;
};
void engine_tm_query(struct object *tm, struct engine_tm_info *out);
NTSTATUS engine_tm_probe(struct object *tm) must_use; /* can its log be written [TM-SET-02] */

/* Calls 'each' for every object of 'kind' below 'root' (NULL: of the whole instance), in no order,
 * under a lock: 'each' only copies. TMs: root NULL; RMs: of a TM; ENs: of an RM; TXs: of a TM, or
 * all [ENUM-01..11]. */
NTSTATUS engine_enumerate(struct engine *engine, struct object *root, enum object_kind kind,
                          void (*each)(void *context, const GUID *guid), void *context) must_use;

/* ---- transactions ---- */

struct engine_tx_options {
    const GUID *uow;   /* NULL: generate one */
    struct object *tm; /* NULL: not bound */
    uint32_t create_options, isolation_flags;
    int64_t timeout; /* NT time-out as given; 0: none */
    const uint16_t *description;
    size_t description_units; /* at most 64 */
};
NTSTATUS engine_tx_create(struct engine *engine, const struct engine_tx_options *options,
                          struct object **out) must_use;
/* 'tm' NULL: anywhere. Answers: TRANSACTION_NOT_FOUND, TRANSACTIONMANAGER_NOT_ONLINE. */
NTSTATUS engine_tx_open(struct engine *engine, const GUID *uow, struct object *tm,
                        struct object **out) must_use;
NTSTATUS engine_tx_commit(struct object *tx, bool wait);
NTSTATUS engine_tx_rollback(struct object *tx, bool wait);

struct engine_tx_info {
    GUID uow;
    uint32_t state, outcome; /* TRANSACTION_STATE, TRANSACTION_OUTCOME */
    uint32_t isolation_flags;
    int64_t timeout;
    uint16_t description[64];
    size_t description_units;
    uint8_t inner_state;  /* enum transaction_state */
    uint8_t abort_reason; /* enum abort_reason */
    GUID abort_rm;        /* which RM voted no, when that is the reason */
    bool has_superior;
    TRANSACTION_ENLISTMENT_PAIR superior;
};
NTSTATUS engine_tx_query(struct object *tx, struct engine_tx_info *out) must_use;
/* Fills at most 'room' pairs, superior included; *count = all there are [TX-QUERY-06]. */
NTSTATUS engine_tx_enlistments(struct object *tx, TRANSACTION_ENLISTMENT_PAIR *pairs, size_t room,
                               size_t *count) must_use;
NTSTATUS engine_tx_set(struct object *tx, uint32_t isolation_flags, int64_t timeout,
                       const uint16_t *description, size_t description_units) must_use;
NTSTATUS engine_tx_bind(struct object *tx, struct object *tm) must_use;
void engine_tx_id(const struct object *tx, GUID *uow); /* takes no lock [GEN-12] */
bool engine_tx_is_active(const struct object *tx);     /* takes no lock [GEN-12] */

/* ---- resource managers ---- */

NTSTATUS engine_rm_create(struct object *tm, const GUID *guid, uint32_t create_options,
                          const uint16_t *description, size_t description_units,
                          struct object **out) must_use;
NTSTATUS engine_rm_open(struct object *tm, const GUID *guid, struct object **out) must_use;
NTSTATUS engine_rm_recover(struct object *rm);
/* Registers the callback; what is queued already is delivered to it before the call returns
 * [TMR-17]. Answers: UNSUCCESSFUL, INVALID_PARAMETER (the RM has a completion port). */
NTSTATUS engine_rm_callbacks(struct object *rm, PTM_RM_NOTIFICATION callback, void *rm_key);
struct engine_rm_info {
    GUID guid;
    uint16_t description[64];
    size_t description_units;
    uint32_t create_options;
};
NTSTATUS engine_rm_query(struct object *rm, struct engine_rm_info *out) must_use;
/* Takes the oldest notification out of the queue. 'deadline': as of engine_deadline. Answers:
 * TIMEOUT (a success class!), BUFFER_TOO_SMALL (*length = needed, the record stays first),
 * TRANSACTION_OBJECT_EXPIRED [NOTIF-GET-01..18]. */
NTSTATUS engine_rm_get_notification(struct object *rm, TRANSACTION_NOTIFICATION *out, uint32_t size,
                                    uint64_t deadline, uint32_t *length);
/* The same through a handle made at 'epoch', as engine_wait_since. */
NTSTATUS engine_rm_get_notification_since(struct object *rm, uint32_t epoch,
                                          TRANSACTION_NOTIFICATION *out, uint32_t size,
                                          uint64_t deadline, uint32_t *length);

/* ---- notifications through a completion port ---- */

/* A completion port as it looks from here: the room above makes it. What is called here runs under
 * a TM's lock, so that packets have the order of the notifications, and calls nothing of the
 * engine's. */
struct engine_loan;
struct engine_port {
    void (*hold)(struct engine_port *port);
    void (*release)(struct engine_port *port);
    /* Takes the loan: its buffer holds a notification of 'length' bytes (SUCCESS), is too small for
     * one of 'length' (BUFFER_TOO_SMALL), or is given back empty (CANCELLED). */
    void (*complete)(struct engine_port *port, struct engine_loan *loan, NTSTATUS status,
                     uint32_t length);
};

/* A buffer lent for one notification. The caller sets 'into' and 'size'. */
struct engine_loan {
    struct engine_loan *next;
    struct engine_port *port; /* at the time of the loan; held */
    uintptr_t key;
    TRANSACTION_NOTIFICATION *into;
    uint32_t size;
};

/* Buffers lent from now on complete through that port, with that key, until the RM is closed; NULL:
 * through none. Here and below 'epoch' is that of the handle, as for engine_wait_since. Answers:
 * INVALID_PARAMETER (it has one already, or callbacks) [RM-SET-01..04]. */
NTSTATUS engine_rm_set_port(struct object *rm, uint32_t epoch, struct engine_port *port,
                            uintptr_t key) must_use;
/* Answers: INVALID_PARAMETER (there is none). */
NTSTATUS engine_rm_check_port(struct object *rm, uint32_t epoch) must_use;
/* SUCCESS: a notification was there, and is complete. PENDING: the buffer is lent. With any other
 * answer the loan is still the caller's: INVALID_PARAMETER (no port), BUFFER_TOO_SMALL (*length =
 * needed) [NOTIF-ASYNC-01..06]. */
NTSTATUS engine_rm_lend(struct object *rm, uint32_t epoch, struct engine_loan *loan,
                        uint32_t *length);

/* ---- enlistments ---- */

/* 'mask': one that notification_mask_check of core/ktm.h accepts. */
NTSTATUS engine_en_create(struct object *rm, struct object *tx, uint32_t create_options,
                          NOTIFICATION_MASK mask, void *key, struct object **out) must_use;
NTSTATUS engine_en_open(struct object *rm, const GUID *guid, struct object **out) must_use;
NTSTATUS engine_en_recover(struct object *en, void *key);

/* The routines that take (enlistment, optional clock): the answers of resource managers, the
 * requests of a superior, RollbackEnlistment, TmRequestOutcomeEnlistment. 'event': KTM_EN_… of
 * core/event.h. */
NTSTATUS engine_en_request(struct object *en, int event, const int64_t *clock);

struct engine_en_info {
    GUID guid, uow, rm;
};
NTSTATUS engine_en_query(struct object *en, struct engine_en_info *out) must_use;
/* *size: in = room, out = bytes there are. Answers: TM_VOLATILE, BUFFER_TOO_SMALL (nothing copied).
 */
NTSTATUS engine_en_recovery_info(struct object *en, void *into, uint32_t *size) must_use;
NTSTATUS engine_en_set_recovery_info(struct object *en, struct bytes info) must_use;
NTSTATUS engine_en_key_reference(struct object *en,
                                 void **key) must_use; /* takes no lock [GEN-12] */
NTSTATUS engine_en_key_dereference(struct object *en,
                                   bool *was_last) must_use; /* takes no lock [GEN-12] */

/* ---- quiet moments ---- */

/* Waits until no log is being written, then nothing is until engine_thaw or until 'thaw_timeout'
 * is over; both lengths in 100 ns. Answers: TIMEOUT (a success class; not frozen),
 * TRANSACTION_FREEZE_IN_PROGRESS, INSUFFICIENT_RESOURCES. */
NTSTATUS engine_freeze(struct engine *engine, int64_t freeze_timeout, int64_t thaw_timeout);
/* Returns when all that was put off has been done. Answers: TRANSACTIONS_NOT_FROZEN. */
NTSTATUS engine_thaw(struct engine *engine);

/* ---- waiting ---- */

/* TX: until it is signalled; RM: until its queue is not empty. Answers: SUCCESS, TIMEOUT,
 * OBJECT_TYPE_MISMATCH (TM, EN), TRANSACTION_OBJECT_EXPIRED [OBJ-19, SIG-01..06]. */
NTSTATUS engine_wait(struct object *object, uint64_t deadline);
/* The same through a handle made at 'epoch' of the object: an RM that was closed since then has
 * expired for it, whoever has it open now [CLOSE-RM-03]. */
NTSTATUS engine_wait_since(struct object *object, uint32_t epoch, uint64_t deadline);

/* For who waits for one of several objects: *word changes when any of those he watches may have
 * become signalled or expired. */
struct engine_watch {
    struct object *object;
    _Atomic uint32_t *word;
    struct engine_watch *next;
};
void engine_watch_begin(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word);
void engine_watch_end(struct engine_watch *watch);
/* The same, and what wakes them, for objects that are not the engine's; under the lock that guards
 * their signal. */
void engine_watch_add(struct engine_watch *watch, struct object *object, _Atomic uint32_t *word);
void engine_watch_remove(struct engine_watch *watch);
void engine_watches_tell(struct object *object);
/* An eventfd, readable while the object is signalled (design D10); made once, closed with the
 * object. */
NTSTATUS engine_wait_fd(struct object *object, int *fd) must_use;
/* The CLOCK_MONOTONIC deadline of an NT time-out: NULL = UINT64_MAX (for ever), 0 = 0 (do not
 * wait), negative relative, positive absolute; rounded up, never early (design D12). */
uint64_t engine_deadline(struct engine *engine, const LARGE_INTEGER *timeout);
