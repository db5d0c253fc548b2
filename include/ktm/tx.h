/* SPDX-License-Identifier: MIT */
/*
 * The TX interface between applications and transaction managers, as X/Open has published it
 * (Distributed Transaction Processing: The TX Specification, C504, 1995): names, types and values
 * are theirs. In libktm-tx.so (pkg-config ktm-tx); docs/xa.md tells which resources take part.
 *
 *     tx_open();
 *     tx_begin();
 *     // work on each resource, by its own library, in this thread
 *     if (tx_commit() == TX_OK) ...
 *     tx_close();
 *
 * Not together with wdm.h or ktmw32.h in one source: both have a TRANSACTION_STATE.
 *
 * A thread is a thread of control: each that works opens and closes, and has its own transaction.
 */
#pragma once

#ifndef TX_H
#define TX_H

#include "xa.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TX_H_VERSION 0

/* ---- what the functions return ---- */

#define TX_NOT_SUPPORTED  1
#define TX_OK             0
#define TX_OUTSIDE        (-1) /* a resource does work outside of transactions in this thread */
#define TX_ROLLBACK       (-2) /* rolled back */
#define TX_MIXED          (-3) /* committed in part, rolled back in part */
#define TX_HAZARD         (-4) /* perhaps so */
#define TX_PROTOCOL_ERROR (-5)
#define TX_ERROR          (-6) /* not possible now */
#define TX_FAIL           (-7) /* nothing can be said or done any more */
#define TX_EINVAL         (-8)
#define TX_COMMITTED      (-9) /* committed by somebody else */

/* The next transaction of a chain could not begin; added to what became of this one. */
#define TX_NO_BEGIN           (-100)
#define TX_ROLLBACK_NO_BEGIN  (TX_ROLLBACK + TX_NO_BEGIN)
#define TX_MIXED_NO_BEGIN     (TX_MIXED + TX_NO_BEGIN)
#define TX_HAZARD_NO_BEGIN    (TX_HAZARD + TX_NO_BEGIN)
#define TX_COMMITTED_NO_BEGIN (TX_COMMITTED + TX_NO_BEGIN)

/* ---- what is set and told ---- */

typedef long COMMIT_RETURN;
#define TX_COMMIT_COMPLETED       0
#define TX_COMMIT_DECISION_LOGGED 1

typedef long TRANSACTION_CONTROL;
#define TX_UNCHAINED 0
#define TX_CHAINED   1

typedef long TRANSACTION_TIMEOUT; /* seconds; 0: none */

/* Windows' types have that name for something else (ktmtypes.h): where both are included it is
 * theirs, and here a long all the same. */
#ifndef TRANSACTION_NOTIFY_MASK
#define TRANSACTION_STATE long
#endif
#define TX_ACTIVE                0
#define TX_TIMEOUT_ROLLBACK_ONLY 1
#define TX_ROLLBACK_ONLY         2

struct tx_info_t {
    XID xid; /* formatID -1: in none */
    COMMIT_RETURN when_return;
    TRANSACTION_CONTROL transaction_control;
    TRANSACTION_TIMEOUT transaction_timeout;
    long transaction_state; /* a TRANSACTION_STATE */
};
typedef struct tx_info_t TXINFO;

/* ---- functions ---- */

/* Opens every resource of the table, for this thread; the first of a process finishes what a crash
 * has left. */
extern int tx_open(void);
extern int tx_close(void);
extern int tx_begin(void);
extern int tx_commit(void);
extern int tx_rollback(void);
/* 1: the thread is in a transaction, 0: it is not. 'info' NULL: nothing more is wanted. */
extern int tx_info(TXINFO *info);
/* TX_COMMIT_DECISION_LOGGED: TX_NOT_SUPPORTED, and nothing has changed. */
extern int tx_set_commit_return(COMMIT_RETURN when_return);
extern int tx_set_transaction_control(TRANSACTION_CONTROL control);
extern int tx_set_transaction_timeout(TRANSACTION_TIMEOUT timeout);

#ifdef __cplusplus
}
#endif

#endif
