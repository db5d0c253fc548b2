/* SPDX-License-Identifier: MIT */
/* What can happen to the core. The names of the enlistment's events are also the requests of the
 * engine's door. */
#pragma once

enum ktm_event_type {
    /* the client */
    KTM_TX_COMMIT = 1,
    KTM_TX_ROLLBACK,
    KTM_TX_CLOSE, /* the last handle is gone */
    KTM_TX_TIMEOUT,
    KTM_TX_SHUTDOWN, /* the TM is closing or its log has failed; 'reason' says which */
    KTM_TX_THAW,     /* the log can be written again: asks for what transaction_unforce put off */
    /* a resource manager answers: enlistment and clock */
    KTM_EN_PREPREPARE_COMPLETE,
    KTM_EN_PREPARE_COMPLETE,
    KTM_EN_COMMIT_COMPLETE,
    KTM_EN_ROLLBACK_COMPLETE,
    KTM_EN_READ_ONLY,
    KTM_EN_SINGLE_PHASE_REJECT,
    KTM_EN_ROLLBACK,
    KTM_EN_REQUEST_OUTCOME,
    /* the superior asks: enlistment and clock */
    KTM_EN_PREPREPARE,
    KTM_EN_PREPARE,
    KTM_EN_COMMIT,
    /* enlistments and resource managers live */
    KTM_EN_CREATE, /* the enlistment arrives filled in and belongs to the core on success */
    KTM_EN_RECOVER,
    KTM_EN_CLOSE, /* its last handle, or its RM's, is gone */
    KTM_EN_CALLBACK_FAILED,
    KTM_RM_RECOVER,
    KTM_RM_CLOSE,
    /* the log says */
    KTM_LOG_FORCED,
    KTM_LOG_FAILED,    /* the record is certainly not in the log */
    KTM_LOG_AMBIGUOUS, /* the record may or may not be in the log */
    KTM_EVENTS,
};

const char *ktm_event_name(int event); /* "TX_COMMIT" */
