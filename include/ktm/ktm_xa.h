/* SPDX-License-Identifier: MIT */
/*
 * Any XA resource manager in transactions: what a switch of the X/Open XA interface can reach
 * changes together with everything else that takes part, or not at all, whatever dies in between.
 * In libktm-xa.so (pkg-config ktm-xa). docs/xa.md tells it at length.
 *
 *     ktm_xa_open(NULL, "/var/lib/my", "libshop.so:shop_xa_switch", "db=shop", NULL,
 *                 why, sizeof(why), &rm);
 *     ktm_xa_begin(rm, transaction, &tx);
 *     ktm_xa_call(tx, "myshop.so:order", "42", 3, NULL, 0, NULL);
 *     NtCommitTransaction(transaction, TRUE);
 *     ktm_xa_close(tx);
 *
 * Foreign switches end the process, hang, and keep what belongs to a thread in variables. So each
 * branch has a helper process, in which the switch is loaded and which does nothing else: all that
 * is asked of the switch for that branch comes from one thread. A helper that dies, or does not
 * answer in time, takes its branch with it (before the vote: a no; after it: another helper goes
 * on), and never the coordinator. The application's own work on the resource is a function in a
 * shared object of its own, which the helper calls inside the branch (ktm_xa_call). Programs that
 * are linked with the resource's own library use ktm_xa_begin_here instead, or X/Open TX (tx.h):
 * there the thread that begins has the branch, as the specification has it.
 *
 * How it works: the branch is named by format 'KTM1', the transaction's GUID as gtrid, and as bqual
 * the GUIDs of the resource manager and of the enlistment and the incarnation. The vote is
 * xa_prepare, the outcome xa_commit or xa_rollback. After a restart xa_recover lists what is
 * prepared, and ktm_xa_open finishes what is ours. That a name is unknown in phase two (XAER_NOTA)
 * is believed only when xa_recover does not list it either. A decision that somebody else has taken
 * (XA_HEUR…) is reported, and then forgotten.
 *
 * Trust: whether a switch keeps its promises over a crash is tried, not believed. 'ktm xa check'
 * (ktm_xa_check) does so, and keeps in the home that this file has passed. Others are refused.
 *
 * Threads: any; calls for one transaction wait for one another. A forked child has no part in it:
 * there every call answers RM_NOT_ACTIVE, and closing does nothing.
 */
#pragma once

#include "ktm_rm.h"
#include "ktmbase.h"
#include "xa.h"

EXTERN_C_START

struct ktm_xa_rm; /* a switch with its open string */
struct ktm_xa_tx; /* its branch of one transaction */

/* ---- the resource manager ---- */

enum ktm_xa_kind {
    KTM_XA_UNFINISHED = 1, /* the outcome is known and was not possible; it is tried again */
    KTM_XA_DAMAGED,        /* somebody has decided the branch otherwise, or in part: what took part
                              in the transaction does not agree */
    KTM_XA_HEURISTIC,      /* somebody has decided before us, and in the same way */
    KTM_XA_SETTLED,        /* left by an earlier run, and finished now */
};

struct ktm_xa_report {
    enum ktm_xa_kind kind;
    GUID transaction;
    BOOLEAN is_committed; /* what the transaction's outcome is */
    int code;             /* what the switch said, such as XA_HEURMIX */
    const char *text;     /* a sentence */
};

struct ktm_xa_options {
    enum ktm_rm_mode mode; /* who does the work of prepare, commit and rollback: ktm_rm.h */
    uint32_t patience_ms;  /* how long a commit is tried again before the transaction ends without
                              it; it is then done by the next ktm_xa_open. UINT32_MAX: for ever */
    uint32_t timeout_ms;   /* a helper that has not answered by then is killed. 0: 30,000 */
    const char *name;      /* of our state in the home; NULL: "xa", so one home may have several */
    const char *helper;    /* the helper's program; NULL: $KTM_XA_HELPER, else beside the library */
    BOOLEAN is_unchecked;  /* take the switch although it has not passed ktm_xa_check here */
    BOOLEAN is_info_secret; /* the open string is not kept in the home: 'ktm recover' then takes it
                               from $KTM_XA_INFO. One that looks as if it had a password is never
                               kept */
    int rmid;               /* the number by which the switch knows it; 0: the next one */
    /* Told while it happens, from any thread; must not call us. May be NULL. */
    void (*report)(void *context, const struct ktm_xa_report *report);
    void *context;
};

/* Opens the switch and finishes what a crash has left. 'tm' NULL: with the transaction manager of
 * the home (ktm_tm_open); else a handle of a durable one, which must live longer. 'switch_path':
 * a shared object, as for dlopen, and behind a colon the name of the switch in it; without one,
 * "xa_switch" or the one that is known for it. 'info': the open string, up to 255 bytes; never
 * shown. 'options' NULL: KTM_RM_THREAD, patient for 10 seconds. On failure a sentence is written to
 * 'why' (NULL: not wanted). Answers: NOT_SUPPORTED (the switch has not passed, or is known to
 * fail), OBJECT_NAME_NOT_FOUND (no such library or switch), OBJECT_TYPE_MISMATCH (it is no switch),
 * RM_DISCONNECTED (xa_open failed, or the helper died), SHARING_VIOLATION (helpers of an earlier
 * run are still there), RM_METADATA_CORRUPT, those of ktm_tm_open and ktm_rm_open. */
KTM_API NTSTATUS ktm_xa_open(HANDLE tm, const char *home, const char *switch_path, const char *info,
                             const struct ktm_xa_options *options, char *why, size_t why_size,
                             struct ktm_xa_rm **out);
/* After all transactions are closed. What is not committed is rolled back; what is prepared stays
 * so. NULL: nothing. */
KTM_API void ktm_xa_shut(struct ktm_xa_rm *rm);

/* A switch takes part in a transaction of ktm_begin (ktm.h), whose home keeps the resource manager.
 * The same object each time for the same texts; it ends with the transaction: not to be closed.
 * Answers: those of ktm_xa_open and ktm_xa_begin; ktm_error says why. */
struct ktm_tx;
KTM_API NTSTATUS ktm_xa(struct ktm_tx *tx, const char *switch_path, const char *info,
                        struct ktm_xa_tx **out);

KTM_API HANDLE ktm_xa_tm(struct ktm_xa_rm *rm);          /* not to be closed */
KTM_API struct ktm_rm *ktm_xa_kit(struct ktm_xa_rm *rm); /* for ktm_rm_run, unfinished */
KTM_API int ktm_xa_rmid(struct ktm_xa_rm *rm);

/* ---- branches ---- */

/* Takes part in a transaction: in 'transaction', a handle with TRANSACTION_ENLIST and
 * _QUERY_INFORMATION, or, when that is NULL, in a new one of its own. A second call for the same
 * transaction gives the same object once more. When the switch refuses to start the branch the
 * transaction can only be rolled back. Answers: TRANSACTION_NOT_ACTIVE, RM_NOT_ACTIVE,
 * RM_DISCONNECTED, TRANSACTIONAL_CONFLICT, those of NtCreateTransaction and NtCreateEnlistment; a
 * failure leaves its sentence in ktm_xa_why. */
KTM_API NTSTATUS ktm_xa_begin(struct ktm_xa_rm *rm, HANDLE transaction, struct ktm_xa_tx **out);
/* One holder less. The last one rolls a transaction of its own back, unless it was committed. What
 * belongs to a transaction of somebody else goes on, and ends, with that. NULL: nothing. */
KTM_API void ktm_xa_close(struct ktm_xa_tx *tx);
/* The handle given to, or made by, ktm_xa_begin; not to be closed. */
KTM_API HANDLE ktm_xa_transaction(struct ktm_xa_tx *tx);
/* How the resource manager knows the branch. */
KTM_API void ktm_xa_xid(struct ktm_xa_tx *tx, XID *out);

/* Work in the helper: what the function gets is 'in', what it writes to 'out' comes back; at first
 * '*out_size' is KTM_XA_CALL_SIZE, at the end how much it has written. It runs
 * in the thread that has the branch, returns 0, or anything else when it could not; then the
 * application should roll back. */
#define KTM_XA_CALL_SIZE 32768
typedef int ktm_xa_function(int rmid, const void *in, size_t in_size, void *out, size_t *out_size);
/* Calls the function of "LIBRARY.so:function". 'out' NULL: not wanted; '*got': how much came back.
 * Both sizes up to KTM_XA_CALL_SIZE. Answers: UNSUCCESSFUL (the function said so),
 * TRANSACTION_NOT_ACTIVE (it is over), OBJECT_NAME_NOT_FOUND (no such library or function),
 * BUFFER_TOO_SMALL ('*got' says what it takes), RM_DISCONNECTED (the helper died, or was killed
 * because it took too long; the branch is lost), INVALID_PARAMETER. */
KTM_API NTSTATUS ktm_xa_call(struct ktm_xa_tx *tx, const char *function, const void *in,
                             size_t in_size, void *out, size_t out_size, size_t *got);

/* NtCommitTransaction and NtRollbackTransaction, waiting. Answers: TRANSACTION_ALREADY_ABORTED
 * (with the reason in ktm_xa_error), and those of the two. */
KTM_API NTSTATUS ktm_xa_commit(struct ktm_xa_tx *tx);
KTM_API NTSTATUS ktm_xa_rollback(struct ktm_xa_tx *tx);

enum ktm_xa_state {
    KTM_XA_ACTIVE,
    KTM_XA_PREPARED, /* promised; with the transaction committed: not finished yet */
    KTM_XA_COMMITTED,
    KTM_XA_READ_ONLY, /* there was nothing to commit */
    KTM_XA_ROLLED_BACK,
};
KTM_API enum ktm_xa_state ktm_xa_state(struct ktm_xa_tx *tx);
/* The sentence that belongs to the last refusal. Copies as much as fits, with a NUL, and returns
 * its full length; 0: nothing was refused. */
KTM_API size_t ktm_xa_error(struct ktm_xa_tx *tx, char *into, size_t size);
/* The same for what failed before there was a transaction object. */
KTM_API size_t ktm_xa_why(struct ktm_xa_rm *rm, char *into, size_t size);

/* ---- branches of this thread ---- */

/* For programs that use the resource's own library: the switch is loaded into this process as well,
 * and xa_open and xa_close are said by this thread. Until the vote all else is, too, so it must be
 * this thread that commits, with mode KTM_RM_CALLBACKS, or that has said ktm_xa_end; what a helper
 * could do for it after that, helpers do. Here a switch that ends the process ends the application.
 */
KTM_API NTSTATUS ktm_xa_enter(struct ktm_xa_rm *rm);
KTM_API NTSTATUS ktm_xa_leave(struct ktm_xa_rm *rm);
/* As ktm_xa_begin, with xa_start said by this thread, which has entered. */
KTM_API NTSTATUS ktm_xa_begin_here(struct ktm_xa_rm *rm, HANDLE transaction,
                                   struct ktm_xa_tx **out);
/* Nothing more will be done in the branch: xa_end. Answers: TRANSACTION_NOT_ACTIVE,
 * INVALID_PARAMETER (another thread's). */
KTM_API NTSTATUS ktm_xa_end(struct ktm_xa_tx *tx);
/* For ax_reg and ax_unreg of who wants to export them (libktm-tx does): what a switch with
 * TMREGISTER calls from this thread. Return TM_OK, TM_JOIN, TMER_…. */
KTM_API int ktm_xa_register(int rmid, XID *xid, long flags);
KTM_API int ktm_xa_unregister(int rmid, long flags);

/* ---- the gate ---- */

enum ktm_xa_finding {
    KTM_XA_PASSED,
    KTM_XA_FAILED,
    KTM_XA_NOT_TRIED, /* not possible with this switch, or without work; the text says why */
};

/* One thing that was tried. */
struct ktm_xa_check {
    const char *name;    /* a word or two, the same in all versions */
    const char *meaning; /* what is at stake */
    enum ktm_xa_finding finding;
    const char *text; /* what happened */
};
typedef void ktm_xa_each_check(void *context, const struct ktm_xa_check *check);

struct ktm_xa_check_options {
    /* "LIBRARY.so" with functions of type ktm_xa_function, each given the number of an item as
     * text, a line end, and the open string. ktm_xa_check_work makes a change inside the branch
     * that has begun, a different one for each item. Two may be missing: ktm_xa_check_open, called
     * before a branch begins, and ktm_xa_check_look, called outside of branches, which returns 0
     * when the item's change is there. NULL: branches stay empty, much cannot be tried, and the
     * switch is not trusted. */
    const char *work;
    const char *helper;
    uint32_t timeout_ms;
};

struct ktm_xa_verdict {
    BOOLEAN is_trusted; /* everything that matters was tried, and nothing has failed */
    unsigned passed, failed, not_tried;
    char name[RMNAMESZ]; /* what the switch calls itself */
    const char *known;   /* what is known about this switch; NULL: nothing */
};

/* Tries whether a switch keeps its promises: branches are begun, prepared and ended in helpers that
 * are killed in between. What it leaves is rolled back. 'home': where it is kept that the switch
 * has passed; NULL: nowhere. Answers: SUCCESS (whatever the verdict), those of ktm_xa_open for what
 * cannot even be opened, ACCESS_DENIED, DISK_FULL. */
KTM_API NTSTATUS ktm_xa_check(const char *home, const char *switch_path, const char *info,
                              const struct ktm_xa_check_options *options, ktm_xa_each_check *each,
                              void *context, struct ktm_xa_verdict *verdict, char *why,
                              size_t why_size);

EXTERN_C_END
