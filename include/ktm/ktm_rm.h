/* SPDX-License-Identifier: MIT */
/*
 * The RM kit: what every resource manager repeats, so that its author writes four functions.
 *
 * A resource manager takes part in transactions with a resource of its own: files, a database, a
 * queue. Its author says how to prepare, commit and roll back the work of one transaction, and
 * which work was left prepared by an earlier run. The kit opens and recovers the transaction
 * manager, registers, enlists once per transaction, fetches the notifications, answers them, tries
 * again what could not be done, and after a restart finishes what a crash left
 * [docs/spec/ktm-protocol.md 13.2].
 *
 *     static const struct ktm_rm_author author = {
 *         .prepare = my_prepare, .commit = my_commit, .rollback = my_rollback,
 *         .list_in_doubt = my_list};
 *
 *     ktm_tm_open("/var/lib/my", &tm);
 *     ktm_rm_open(tm, &(struct ktm_rm_options){.identity = &guid, .incarnation = n,
 *                                              .author = &author, .context = me}, &rm);
 *     ktm_rm_enlist(rm, transaction, make_work, NULL, &work);   // at the first use in it
 *
 * Threads and order: all of the author's functions may be called from any thread, for different
 * transactions at once, for one transaction one at a time; from which thread is said at the modes.
 * For one transaction the calls are: nothing, rollback; or prepare, then nothing more (read-only,
 * vote no), rollback, or commit; commit and rollback again and again until they say DONE; forget at
 * the end, once. A rollback may come at any time before prepare has answered, from another thread
 * than the one that uses the transaction. After a restart commit and rollback come with no work,
 * only with the key that prepare was given.
 *
 * Two shorter ways, for who offers them. Single phase: when nobody else takes part, commit_alone is
 * called instead of prepare and commit, and the RM's own log is the decision. Last resource: a
 * store that cannot prepare (is_last_resource) is asked last; when all others have promised, its
 * own commit, which leaves a durable sign of itself, is the decision of the whole transaction. In
 * terms of KTM it is a superior enlistment, so there is one of them in a transaction at most, and
 * it must be in the TM in which the transaction began.
 *
 * What the author promises: when prepare says DONE, the work can be committed and rolled back
 * whatever happens, also after a crash; the key is stored durably with it; and commit and rollback
 * of something that was finished before do nothing and say DONE. That a transaction is not known is
 * by itself no proof that it was finished: the author must have one.
 */
#pragma once

#include "ktmbase.h"

EXTERN_C_START

struct ktm_rm;

/* What an RM stores with prepared work, and finds it again by. */
struct ktm_rm_key {
    GUID transaction;
    GUID enlistment;
    GUID manager;         /* the RM that prepared it */
    uint64_t incarnation; /* of that RM when it did */
};

enum ktm_rm_answer {
    KTM_RM_DONE,       /* prepare: promised; commit, rollback: finished */
    KTM_RM_READ_ONLY,  /* prepare: nothing was changed, and nothing more needs to be said */
    KTM_RM_NO,         /* prepare: cannot; the author has undone the work already */
    KTM_RM_RETRY,      /* commit, rollback: not now; ask again */
    KTM_RM_SHUT_DOWN,  /* this RM cannot go on; what is open is settled when it is opened again */
    KTM_RM_TWO_PHASES, /* commit_alone: not this one; prepare and commit come, as with others */
};

typedef void ktm_rm_each_key(void *list, const struct ktm_rm_key *key);

struct ktm_rm_author {
    enum ktm_rm_answer (*prepare)(void *context, void *work, const struct ktm_rm_key *key);
    /* 'work' is NULL after a restart. */
    enum ktm_rm_answer (*commit)(void *context, void *work, const struct ktm_rm_key *key);
    enum ktm_rm_answer (*rollback)(void *context, void *work, const struct ktm_rm_key *key);
    /* Calls 'each' for everything that is prepared and not finished, with the key it was prepared
     * with; of that the enlistment may be left out. What an older incarnation left and the TM does
     * not know is then rolled back: presumed abort. For a last resource: for every sign there is;
     * 'settled' is called for those that nobody will ask for any more. */
    NTSTATUS (*list_in_doubt)(void *context, ktm_rm_each_key *each, void *list);
    /* The kit will not use the work any more. May be NULL. */
    void (*forget)(void *context, void *work);
    /* The kit hands the work out once more (ktm_rm_enlist). May be NULL. */
    void (*hold)(void *context, void *work);
    /* Nobody else takes part: commits at once. DONE: committed; READ_ONLY: there was nothing to
     * commit; NO: it could not, and has undone the work; TWO_PHASES: nothing was done, and it is to
     * be asked as if there were others [ENL-SPR-01]; RETRY, SHUT_DOWN: nobody can say, and the
     * client is told so (RM_DISCONNECTED). NULL: this RM is always asked in two phases. */
    enum ktm_rm_answer (*commit_alone)(void *context, void *work, const struct ktm_rm_key *key);
    /* Sends what prepare or commit shall wait for, and does not wait itself: that one is called
     * next, and tells how it went. In between others begin, too: all who are called back by the
     * thread that commits and waits, or all that the kit's thread finds in its queue; so their
     * servers work at the same time. Not called when there is nobody to wait with. May be NULL. */
    void (*begin)(void *context, void *work, const struct ktm_rm_key *key, BOOLEAN commit);
    /* Last resource: everybody else has promised. Commits the work, and with it, in one, the sign:
     * the key. DONE: committed, durably; NO: not, and never will be; RETRY: not known, 'outcome'
     * will be asked. */
    enum ktm_rm_answer (*decide)(void *context, void *work, const struct ktm_rm_key *key);
    /* Last resource: is the sign of that enlistment there? (manager and incarnation are this
     * run's.) DONE: yes; NO: no, and it will never appear: whoever was at it has ended; RETRY: not
     * known now. */
    enum ktm_rm_answer (*outcome)(void *context, const struct ktm_rm_key *key);
    /* Last resource: nobody will ask for the sign any more. May be NULL: then signs are kept. */
    void (*settled)(void *context, const struct ktm_rm_key *key);
    /* The work is enlisted, by ktm_rm_enlist, which has not returned yet: the key is whole now.
     * Must not wait for anything. May be NULL. */
    void (*enlisted)(void *context, void *work, const struct ktm_rm_key *key);
    /* After a restart, from ktm_rm_open: the TM knows this transaction, and its outcome comes by
     * commit or rollback, at once or much later. With what ktm_rm_remember gave it (size 0:
     * nothing; the status: it cannot be read), good until this returns. May be NULL. */
    void (*recover)(void *context, const struct ktm_rm_key *key, NTSTATUS status, const void *at,
                    size_t size);
};

/* Who calls the author's functions. */
enum ktm_rm_mode {
    KTM_RM_THREAD,    /* a thread of the kit */
    KTM_RM_PUMP,      /* whoever calls ktm_rm_run */
    KTM_RM_CALLBACKS, /* whoever makes the TM tell: the thread that commits, rolls back, closes; and
                         the TM's timer. What has to be tried again waits for ktm_rm_run. */
    KTM_RM_HELPED,    /* the same, but rollbacks that do not come of a commit, and what has to be
                         tried again, are done by a thread of the kit, there only meanwhile */
};

struct ktm_rm_options {
    const GUID *identity; /* the same at every start */
    uint64_t incarnation; /* greater at every start; stored by the author, from 1 */
    const char *description;
    const struct ktm_rm_author *author;
    void *context;
    enum ktm_rm_mode mode;
    BOOLEAN is_volatile;      /* keeps nothing over a restart, and recovers nothing */
    BOOLEAN is_last_resource; /* decide, outcome instead of prepare, commit */
    uint32_t patience_ms; /* how long a commit or rollback is tried again before it is let go: the
                             transaction then ends without it, and it is finished by the next
                             recovery. UINT32_MAX: for ever */
};

/* Opens the transaction manager whose log is 'home'/tm, recovered; makes directory and log when
 * they are missing. A TM that this process has open already is opened once more. Close it with
 * NtClose. Answers: SHARING_VIOLATION (another process has it), LOG_CORRUPTION_DETECTED and other
 * log statuses, ACCESS_DENIED, DISK_FULL, OBJECT_PATH_NOT_FOUND, INSUFFICIENT_RESOURCES. */
KTM_API NTSTATUS ktm_tm_open(const char *home, HANDLE *tm);

/* An RM belongs to the process that opened it. In a forked child it answers RM_NOT_ACTIVE, and
 * closing it there does nothing. */

/* Registers the RM and recovers it: on return everything that an earlier run left prepared was
 * committed or rolled back, or is still undecided or not possible now (ktm_rm_unfinished). The TM
 * handle needs TRANSACTIONMANAGER_CREATE_RM and _QUERY_INFORMATION and must live longer than the
 * RM. Answers: those of NtCreateResourceManager and NtRecoverResourceManager; INVALID_PARAMETER. */
KTM_API NTSTATUS ktm_rm_open(HANDLE tm, const struct ktm_rm_options *options, struct ktm_rm **out);
/* Rolls back what is not prepared; what is prepared stays so, for the next start. Waits for the
 * kit's thread; must not be called by the author's functions. NULL: nothing. */
KTM_API void ktm_rm_close(struct ktm_rm *rm);

/* Makes the RM part of the transaction, once: 'make' is called the first time and gives the work
 * that the author's functions get; later, and from other threads, the same work is handed out
 * (after 'hold'). The transaction handle needs TRANSACTION_ENLIST and _QUERY_INFORMATION. Answers:
 * what 'make' says; those of NtCreateEnlistment, TRANSACTION_NOT_ACTIVE above all, and for a last
 * resource TRANSACTION_SUPERIOR_EXISTS (there is one already); RM_NOT_ACTIVE (it was shut down). */
/* 'key' has no enlistment yet: that comes after it (enlisted). */
typedef NTSTATUS ktm_rm_make(void *argument, const struct ktm_rm_key *key, void **work);
KTM_API NTSTATUS ktm_rm_enlist(struct ktm_rm *rm, HANDLE transaction, ktm_rm_make *make,
                               void *argument, void **work);

/* Has the TM keep these bytes, in place of earlier ones: as its recovery information, durable with
 * the decision that makes them needed, at no force of its own [LOG-07]. From the author's prepare,
 * with its key; 'recover' brings them back. Answers: NOT_FOUND (no such branch), those of
 * NtSetInformationEnlistment, above all TRANSACTION_RECORD_TOO_LONG, TM_VOLATILE. */
KTM_API NTSTATUS ktm_rm_remember(struct ktm_rm *rm, const struct ktm_rm_key *key, const void *at,
                                 uint32_t size);

/* Waits until the TM has something to say or something is due to be tried again, for so long (0:
 * not at all, UINT32_MAX: for ever); handles it, and all else that is there by then. Not in
 * KTM_RM_THREAD and KTM_RM_HELPED mode. One thread at a time. To poll instead of waiting:
 * KtmGetWaitFd on ktm_rm_handle. Answers: SUCCESS, RM_NOT_ACTIVE. */
KTM_API NTSTATUS ktm_rm_run(struct ktm_rm *rm, uint32_t timeout_ms);
/* NtCommitTransaction and NtRollbackTransaction that wait; in KTM_RM_PUMP mode with the work done
 * by this thread meanwhile, until everybody has finished. Answers: theirs; RM_NOT_ACTIVE (the
 * transaction goes on by itself); TRANSACTIONMANAGER_NOT_ONLINE (no outcome could be made
 * durable). */
KTM_API NTSTATUS ktm_rm_commit(struct ktm_rm *rm, HANDLE transaction);
KTM_API NTSTATUS ktm_rm_rollback(struct ktm_rm *rm, HANDLE transaction);
/* The RM's handle, for queries; not to be closed. */
KTM_API HANDLE ktm_rm_handle(struct ktm_rm *rm);
/* SUCCESS, or why the RM is shut down. */
KTM_API NTSTATUS ktm_rm_status(struct ktm_rm *rm);
/* How many branches are prepared and not finished: in doubt, being tried again, or let go. */
KTM_API size_t ktm_rm_unfinished(struct ktm_rm *rm);

/* What an earlier run had left, and this one was asked to finish. */
struct ktm_rm_recovered {
    GUID transaction;
    BOOLEAN is_committed; /* its outcome; FALSE too while that is not known */
    BOOLEAN is_finished;
};
typedef void ktm_rm_each_recovered(void *context, const struct ktm_rm_recovered *recovered);
/* Calls 'each', which must not call the kit, for all of them since the RM was opened. */
KTM_API void ktm_rm_recovered(struct ktm_rm *rm, ktm_rm_each_recovered *each, void *context);

EXTERN_C_END
