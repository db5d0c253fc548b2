/* SPDX-License-Identifier: MIT */
/*
 * Who plays in the explored programs: one transaction manager on a simulated machine, resource
 * managers with a perfect memory, transactions, and a judge who hears everything.
 *
 * Everybody lives in static arrays, so that a crash can be played afterwards: in the midst of a run
 * the disk and all memories are copied (cast_crash_somewhere), and when the run is over the copy is
 * powered on and recovered, and must agree with all that anybody had been told by then.
 *
 * Objects are held from cast_begin to cast_end: a program closes what it likes, and any thread may
 * still use it, as one that has a pointer may.
 */
#pragma once

#include "tests/explore/explore.h"

#include "core/event.h"
#include "engine/inner.h"

enum { CAST_RMS = 4, CAST_ACTS = 4, CAST_PARTS = 4 };

#define CAST_FULL                                                                                  \
    (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |      \
     TRANSACTION_NOTIFY_ROLLBACK)
#define CAST_TWO (CAST_FULL & ~(uint32_t)TRANSACTION_NOTIFY_PREPREPARE)
#define CAST_SUPERIOR                                                                              \
    (TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_PREPREPARE_COMPLETE |                        \
     TRANSACTION_NOTIFY_PREPARE_COMPLETE | TRANSACTION_NOTIFY_COMMIT_COMPLETE |                    \
     TRANSACTION_NOTIFY_ROLLBACK_COMPLETE)
#define CAST_SINGLE (CAST_FULL | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)

/* What the resource manager's own log says of an enlistment. */
enum memory { MEMORY_NOTHING, MEMORY_PREPARED, MEMORY_READ_ONLY, MEMORY_COMMITTED, MEMORY_ABORTED };

struct part {
    struct act *act;
    struct cast_rm *rm;
    struct object *en; /* NULL: not enlisted (yet) */
    bool has_handle;
    GUID guid;
    uint32_t mask, told;
    uint32_t owes; /* the notification that is to be answered */
    enum memory memory;
    bool votes_no, reads_only, rejects, is_lazy; /* lazy: a program answers for it */
    bool is_asked_again;                         /* RECOVER came */
    bool is_superior; /* its memory: PREPARED when KTM has promised, then what it decides */
};

struct act {
    struct object *tx;
    bool has_handle;
    GUID uow;
    struct part parts[CAST_PARTS];
    unsigned part_count;
    bool was_committed, was_aborted; /* somebody was told so */
    bool is_single_phase;            /* a delegate decides */
};

struct cast_rm {
    struct object *rm; /* held once for every time it was handed out */
    unsigned holds;
    bool has_handle, is_volatile;
    bool is_second; /* of the second TM */
    unsigned last_recovers;
    /* Called for what is heard, before it is answered; true: it has been dealt with. NULL: none. */
    bool (*meddle)(struct part *part, struct object *en, uint32_t what);
};

struct cast {
    struct sys_sim *sim;
    struct sys *process;
    struct engine *engine;
    struct object *tm;
    bool has_tm, is_volatile;
    struct object *second; /* another TM, with a log of its own; NULL: none */
    bool has_second;       /* its handle */
    bool log_may_fail;     /* outcomes may be unavailable */
    bool rms_may_close;    /* a part may be without answer for ever */
    struct cast_rm rms[CAST_RMS];
    struct act acts[CAST_ACTS];
};
extern struct cast cast;

/* The status is one of those listed. */
#define EXPECT_ONE_OF(status, ...)                                                                 \
    cast_expect_one_of(__FILE__, __LINE__, (status), (const NTSTATUS[]){__VA_ARGS__},              \
                       sizeof((const NTSTATUS[]){__VA_ARGS__}) / sizeof(NTSTATUS))
void cast_expect_one_of(const char *file, int line, NTSTATUS status, const NTSTATUS *wanted,
                        size_t count);

/* ---- begin and end ---- */

void cast_begin(bool is_volatile); /* a machine, an engine, a TM on a new log, recovered */
void cast_begin_second(void);      /* and another, whose RMs are those with odd numbers */
/* The process dies at a moment that the seed chooses; what it leaves is judged in cast_end. */
void cast_crash_somewhere(void);
/* Closes what is open; nothing may be left, everybody agrees, also after the crash. */
void cast_end(void);
/* The process ends and another begins, on the same machine; the TM is opened, not recovered. */
void cast_restart(void);

/* ---- objects ---- */

struct cast_rm *cast_rm(unsigned number); /* with callbacks, recovered */
struct cast_rm *cast_rm_queue(unsigned number);
struct cast_rm *cast_rm_unrecovered(unsigned number);       /* with callbacks */
NTSTATUS cast_try_rm(unsigned number, struct object **out); /* a handle of the caller's */
void cast_rm_serve(struct cast_rm *rm); /* fetches and answers until it is closed */
void cast_rm_close(struct cast_rm *rm);
struct act *cast_act(unsigned number, int64_t timeout); /* bound to the TM */
struct act *cast_act_unbound(unsigned number);
struct part *cast_enlist(struct act *act, struct cast_rm *rm, uint32_t mask);
struct part *cast_superior(struct act *act, struct cast_rm *rm);
NTSTATUS cast_try_enlist(struct act *act, struct cast_rm *rm, uint32_t mask, struct part **out);
void cast_part_close(struct part *part);
void cast_act_close(struct act *act);
void cast_tm_close(void);
void cast_second_close(void);

/* ---- what is done; what is told is judged ---- */

NTSTATUS cast_commit(struct act *act, bool wait);
NTSTATUS cast_rollback(struct act *act, bool wait);
void cast_look(struct act *act); /* asks for the outcome */
/* Hears and answers one notification. */
void cast_hear(struct part *part, struct object *en, uint32_t what);
/* The answer that is due, unless the program gives it later (is_lazy). */
NTSTATUS cast_answer(struct part *part, struct object *en, uint32_t what);
/* RECOVER and RECOVER_QUERY: takes the enlistment up again, under its key [RECOV-08]; a superior
 * says what it has decided, else that it is rolled back. */
void cast_recover(struct cast_rm *rm, const TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT *argument);
NTSTATUS cast_callback(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what,
                       PLARGE_INTEGER clock, ULONG length, PVOID argument);
