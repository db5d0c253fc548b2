/* SPDX-License-Identifier: MIT */
/*
 * The XA interface between transaction managers and resource managers, as X/Open has published it
 * (Distributed Transaction Processing: The XA Specification, C193, 1991): names, types and values
 * are theirs.
 *
 * A resource manager hands out a switch, a table of functions. A program that links one may compile
 * against this file or against the xa.h of another product, whichever comes first.
 */
#pragma once

#ifndef XA_H
#define XA_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- branches ---- */

#define XIDDATASIZE  128
#define MAXGTRIDSIZE 64
#define MAXBQUALSIZE 64

/* Names a branch: gtrid_length bytes name the transaction, the bqual_length bytes behind them the
 * branch. All in the first gtrid_length + bqual_length bytes of 'data'. */
struct xid_t {
    long formatID; /* -1: no branch */
    long gtrid_length;
    long bqual_length;
    char data[XIDDATASIZE];
};
typedef struct xid_t XID;

/* ---- switches ---- */

#define RMNAMESZ    32
#define MAXINFOSIZE 256

struct xa_switch_t {
    char name[RMNAMESZ];
    long flags;   /* TMREGISTER, TMNOMIGRATE, TMUSEASYNC */
    long version; /* 0 */
    int (*xa_open_entry)(char *info, int rmid, long flags);
    int (*xa_close_entry)(char *info, int rmid, long flags);
    int (*xa_start_entry)(XID *xid, int rmid, long flags);
    int (*xa_end_entry)(XID *xid, int rmid, long flags);
    int (*xa_rollback_entry)(XID *xid, int rmid, long flags);
    int (*xa_prepare_entry)(XID *xid, int rmid, long flags);
    int (*xa_commit_entry)(XID *xid, int rmid, long flags);
    int (*xa_recover_entry)(XID *xids, long count, int rmid, long flags);
    int (*xa_forget_entry)(XID *xid, int rmid, long flags);
    int (*xa_complete_entry)(int *handle, int *result, int rmid, long flags);
};

/* What the switch is. */
#define TMNOFLAGS   0x00000000L
#define TMREGISTER  0x00000001L /* registers branches by ax_reg instead of being told of them */
#define TMNOMIGRATE 0x00000002L /* a suspended branch goes on in the same thread only */
#define TMUSEASYNC  0x00000004L

/* What is asked of it. */
#define TMASYNC      0x80000000L
#define TMONEPHASE   0x40000000L
#define TMFAIL       0x20000000L
#define TMNOWAIT     0x10000000L
#define TMRESUME     0x08000000L
#define TMSUCCESS    0x04000000L
#define TMSUSPEND    0x02000000L
#define TMSTARTRSCAN 0x01000000L
#define TMENDRSCAN   0x00800000L
#define TMMULTIPLE   0x00400000L
#define TMJOIN       0x00200000L
#define TMMIGRATE    0x00100000L

/* ---- what functions of a switch return ---- */

#define XA_RBBASE      100
#define XA_RBROLLBACK  XA_RBBASE
#define XA_RBCOMMFAIL  (XA_RBBASE + 1)
#define XA_RBDEADLOCK  (XA_RBBASE + 2)
#define XA_RBINTEGRITY (XA_RBBASE + 3)
#define XA_RBOTHER     (XA_RBBASE + 4)
#define XA_RBPROTO     (XA_RBBASE + 5)
#define XA_RBTIMEOUT   (XA_RBBASE + 6)
#define XA_RBTRANSIENT (XA_RBBASE + 7)
#define XA_RBEND       XA_RBTRANSIENT

#define XA_NOMIGRATE 9
#define XA_HEURHAZ   8
#define XA_HEURCOM   7
#define XA_HEURRB    6
#define XA_HEURMIX   5
#define XA_RETRY     4
#define XA_RDONLY    3
#define XA_OK        0
#define XAER_ASYNC   (-2)
#define XAER_RMERR   (-3)
#define XAER_NOTA    (-4)
#define XAER_INVAL   (-5)
#define XAER_PROTO   (-6)
#define XAER_RMFAIL  (-7)
#define XAER_DUPID   (-8)
#define XAER_OUTSIDE (-9)

/* ---- what switches with TMREGISTER call; in libktm-tx.so ---- */

#define TM_JOIN    2
#define TM_RESUME  1
#define TM_OK      0
#define TMER_TMERR (-1)
#define TMER_INVAL (-2)
#define TMER_PROTO (-3)

extern int ax_reg(int rmid, XID *xid, long flags);
extern int ax_unreg(int rmid, long flags);

#ifdef __cplusplus
}
#endif

#endif
