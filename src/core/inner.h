/* SPDX-License-Identifier: MIT */
/* What the files of core/ share with each other and with nobody else. */
#pragma once

#include "core/ktm.h"

/* ktm.c */
void ktm_tick(struct ktm *ktm); /* a commit begins [CLOCK-02] */

/* effects.c */
void effects_append(struct ktm_effects *effects, struct transaction *tx, enum record_type record);
void effects_force(struct ktm_effects *effects, struct transaction *tx, enum record_type record);
void effects_signal(struct ktm_effects *effects, struct transaction *tx, enum object_signal signal);
/* Generates one notification if the enlistment asks for it [MASK-15]: into its RM's queue, or onto
 * the transaction's deliveries when the RM has a callback. Never fails: memory was reserved
 * [NOTIF-13]. */
void effects_notify(struct ktm_effects *effects, struct enlistment *en, uint32_t what);
/* A record of the RM itself, key NULL, never filtered [OP-28]. */
void effects_notify_rm(struct ktm_effects *effects, struct resource_manager *rm,
                       struct notification *note);
/* After effects_notify_rm, in callback mode. */
void effects_drain(struct ktm_effects *effects, struct resource_manager *rm);
/* What was generated for callbacks and has not begun to run is withdrawn: an abort overtakes it. */
void deliveries_withdraw(struct transaction *tx);

/* enlistment.c */
void enlistment_become(struct enlistment *en, enum enlistment_state state);
static inline bool
enlistment_asks(const struct enlistment *en, uint32_t what)
{
    return en->mask & what;
}
bool enlistment_comes_back(const struct enlistment *en); /* lost, it waits for its RM [PE-13] */
NTSTATUS enlistment_reserve(struct enlistment *en);
NTSTATUS enlistment_answer(const struct ktm_event *event, struct ktm_effects *effects);
NTSTATUS enlistment_create_step(struct ktm *ktm, const struct ktm_event *event,
                                struct ktm_effects *effects);
void enlistment_close(struct enlistment *en, struct ktm_effects *effects);

/* superior.c */
NTSTATUS superior_request(const struct ktm_event *event, struct ktm_effects *effects);
void superior_close(struct enlistment *en, struct ktm_effects *effects);

/* transaction.c */
void transaction_begin(struct transaction *tx, enum commit_driver driver, const int64_t *clock,
                       struct ktm_effects *effects);
void transaction_begin_phase_1(struct transaction *tx, struct ktm_effects *effects);
void transaction_resume_phase_0(struct transaction *tx, struct ktm_effects *effects);
void transaction_request_commit(struct transaction *tx,
                                struct ktm_effects *effects); /* decided: force or do */
void transaction_abort(struct transaction *tx, enum abort_reason reason,
                       const struct enlistment *by, struct ktm_effects *effects);
/* An answer is in, or an enlistment is gone: ends the phase when nothing is owed any more. */
void transaction_answered(struct transaction *tx, struct ktm_effects *effects);
void transaction_delegate_done(struct transaction *tx, struct ktm_effects *effects);
void transaction_disconnect(struct transaction *tx, struct enlistment *delegate,
                            struct ktm_effects *effects);
bool transaction_may_abort(
    const struct transaction *tx); /* Active .. Preparing: nobody has promised yet */
NTSTATUS transaction_client(const struct ktm_event *event, struct ktm_effects *effects);
void transaction_log_answered(const struct ktm_event *event, struct ktm_effects *effects);

/* recovery.c */
NTSTATUS resource_manager_recover(struct resource_manager *rm, struct ktm_effects *effects);
NTSTATUS enlistment_recover(struct enlistment *en, void *key, struct ktm_effects *effects);
