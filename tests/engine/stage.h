/* SPDX-License-Identifier: MIT */
/*
 * A stage for tests that look behind the engine's door: one engine over a simulated disk, one
 * transaction manager on it, and short words for what is played there. A step that fails ends the
 * test.
 */
#pragma once

#include "tests/test.h"

#include "core/event.h"
#include "engine/inner.h"
#include "sys/fault.h"
#include "sys/sim.h"

#define STAGE_FULL                                                                                 \
    (TRANSACTION_NOTIFY_PREPREPARE | TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT |      \
     TRANSACTION_NOTIFY_ROLLBACK)
#define STAGE_TWO    (STAGE_FULL & ~TRANSACTION_NOTIFY_PREPREPARE)
#define STAGE_SINGLE (STAGE_FULL | TRANSACTION_NOTIFY_SINGLE_PHASE_COMMIT)
#define STAGE_SUPERIOR                                                                             \
    (TRANSACTION_NOTIFY_ROLLBACK | TRANSACTION_NOTIFY_PREPREPARE_COMPLETE |                        \
     TRANSACTION_NOTIFY_PREPARE_COMPLETE | TRANSACTION_NOTIFY_COMMIT_COMPLETE |                    \
     TRANSACTION_NOTIFY_ROLLBACK_COMPLETE)

extern struct stage {
    struct sys_sim *sim;
    struct sys *process;     /* on the machine */
    struct sys_fault *fault; /* over it: what the engine uses */
    struct engine *engine;
    struct object *tm;
} stage;

void stage_begin(void);  /* a new machine, and a TM on a new log, recovered */
void stage_crash(void);  /* the process dies with everything in it; a new one begins, without TM */
void stage_attach(void); /* the TM of the log there is, not recovered */
void stage_end(void);

struct object *stage_rm(unsigned number, uint32_t options); /* a durable one is recovered */
struct object *stage_tx(void);
struct object *stage_en(struct object *rm, struct object *tx, uint32_t mask);
struct object *stage_superior(struct object *rm, struct object *tx);
void stage_say(struct object *en, int event); /* is accepted */
void stage_commit(struct object *tx);         /* is begun, not waited for */
void stage_close(struct object *object);
/* Takes the oldest notification; 0: there is none. */
uint32_t stage_hear(struct object *rm);
GUID stage_guid(unsigned number);

struct engine_tm *stage_inside(void);
struct clfs_info stage_log(void);
/* Reserves what is left of the log for nobody, so that it is full for everybody else. */
void stage_fill_log(void);
