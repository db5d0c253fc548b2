/* SPDX-License-Identifier: MIT */
/* Words for people: events, states, reasons. */
#include "core/ktm.h"

const char *
ktm_event_name(int event)
{
    static const char *const names[KTM_EVENTS] = {
        [KTM_TX_COMMIT] = "TX_COMMIT",
        [KTM_TX_ROLLBACK] = "TX_ROLLBACK",
        [KTM_TX_CLOSE] = "TX_CLOSE",
        [KTM_TX_TIMEOUT] = "TX_TIMEOUT",
        [KTM_TX_SHUTDOWN] = "TX_SHUTDOWN",
        [KTM_TX_THAW] = "TX_THAW",
        [KTM_EN_PREPREPARE_COMPLETE] = "EN_PREPREPARE_COMPLETE",
        [KTM_EN_PREPARE_COMPLETE] = "EN_PREPARE_COMPLETE",
        [KTM_EN_COMMIT_COMPLETE] = "EN_COMMIT_COMPLETE",
        [KTM_EN_ROLLBACK_COMPLETE] = "EN_ROLLBACK_COMPLETE",
        [KTM_EN_READ_ONLY] = "EN_READ_ONLY",
        [KTM_EN_SINGLE_PHASE_REJECT] = "EN_SINGLE_PHASE_REJECT",
        [KTM_EN_ROLLBACK] = "EN_ROLLBACK",
        [KTM_EN_REQUEST_OUTCOME] = "EN_REQUEST_OUTCOME",
        [KTM_EN_PREPREPARE] = "EN_PREPREPARE",
        [KTM_EN_PREPARE] = "EN_PREPARE",
        [KTM_EN_COMMIT] = "EN_COMMIT",
        [KTM_EN_CREATE] = "EN_CREATE",
        [KTM_EN_RECOVER] = "EN_RECOVER",
        [KTM_EN_CLOSE] = "EN_CLOSE",
        [KTM_EN_CALLBACK_FAILED] = "EN_CALLBACK_FAILED",
        [KTM_RM_RECOVER] = "RM_RECOVER",
        [KTM_RM_CLOSE] = "RM_CLOSE",
        [KTM_LOG_FORCED] = "LOG_FORCED",
        [KTM_LOG_FAILED] = "LOG_FAILED",
        [KTM_LOG_AMBIGUOUS] = "LOG_AMBIGUOUS",
    };

    return event > 0 && event < KTM_EVENTS ? names[event] : "?";
}

const char *
transaction_state_name(int state)
{
    static const char *const names[] = {
        [TX_ACTIVE] = "Active",       [TX_PREPARING] = "Preparing",
        [TX_PREPARED] = "Prepared",   [TX_INDOUBT] = "InDoubt",
        [TX_COMMITTED] = "Committed", [TX_ABORTED] = "Aborted",
        [TX_DELEGATED] = "Delegated", [TX_PREPREPARING] = "PrePreparing",
        [TX_FORGOTTEN] = "Forgotten", [TX_PREPREPARED] = "PrePrepared",
    };

    return state > 0 && state < (int)ARRAY_SIZE(names) && names[state] ? names[state] : "?";
}

const char *
abort_reason_text(enum abort_reason reason)
{
    static const char *const texts[REASONS] = {
        [REASON_NONE] = "not aborted",
        [REASON_CLIENT] = "the client rolled it back",
        [REASON_RESOURCE_MANAGER] = "a resource manager voted no",
        [REASON_SUPERIOR] = "the superior transaction manager rolled it back",
        [REASON_TIMEOUT] = "its time-out expired",
        [REASON_TX_CLOSED] = "its last handle was closed before commit",
        [REASON_EN_CLOSED] = "a resource manager closed its enlistment before the decision",
        [REASON_TM_CLOSED] = "the transaction manager was shut down",
        [REASON_CALLBACK] = "a resource manager's callback failed",
        [REASON_LOG] = "the log could not be written",
        [REASON_RECORD_TOO_LONG] = "its log record would have been too long",
        [REASON_OUTCOME_REQUESTED] = "a resource manager asked for an early outcome",
    };

    return (unsigned)reason < REASONS ? texts[reason] : "?";
}
