/* SPDX-License-Identifier: MIT */
/*
 * The switch of XA over SQLite: what an XA transaction manager says, said to the resource manager
 * of ktm_sqlite.h, which has all that prepares and recovers.
 *
 *     ACTIVE ─xa_end─▶ ENDED ─xa_prepare─▶ PREPARED ─xa_commit, xa_rollback─▶ gone
 *        ◀─TMRESUME, TMJOIN─┘
 *
 * A branch of this process is in the list of its database. What is not there and prepared is of
 * another process, or of an earlier one.
 *
 * Locks: 'mutex' for the lists, not held while SQLite works. A branch that is not ACTIVE may be
 * taken by any thread: who works on it is_busy, and others are told to come back.
 */
#include "ktm_sqlite_xa.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rm/sqlite_xa/open.h"
#include "rm/sqlite_xa/mark.h"

#define OPEN_MAX 16 /* databases that one process can have open */

struct scan {
    XID xids[64];
    size_t count, next;
};

struct instance {
    int rmid;
    unsigned opens;         /* threads that have opened it */
    char name[MAXINFOSIZE]; /* the open string */
    struct ktm_sqlite_rm *rm;
    struct list branches;
    struct scan scan; /* under the mutex; one at a time */
};

enum branch_state { BRANCH_ACTIVE, BRANCH_ENDED, BRANCH_PREPARED };

struct branch {
    struct list in_branches;
    struct instance *instance;
    XID xid;
    struct ktm_rm_key key;
    struct ktm_sqlite_tx tx;
    enum branch_state state;
    uint64_t thread; /* that is in it while ACTIVE */
    bool is_suspended, has_failed, is_busy;
};

static struct sys_mutex mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct instance *instances[OPEN_MAX];
static __thread bool has_opened[OPEN_MAX];

static uint64_t
this_thread(void)
{
    static _Atomic uint64_t last;
    static __thread uint64_t number;

    if (!number)
        number = atomic_fetch_add(&last, 1) + 1;
    return number;
}

/* ---- databases ---- */

/* -1: none. Under the mutex. */
static int
slot_of(int rmid)
{
    for (int i = 0; i < OPEN_MAX; i++)
        if (instances[i] && instances[i]->rmid == rmid)
            return i;
    return -1;
}

static struct instance *
instance_of(int rmid)
{
    struct instance *found;
    int slot;

    sys_mutex_lock(&mutex);
    slot = slot_of(rmid);
    found = slot >= 0 && has_opened[slot] ? instances[slot] : NULL;
    sys_mutex_unlock(&mutex);
    return found;
}

static struct instance *
instance_create(const char *info, int rmid)
{
    struct instance *instance = calloc(1, sizeof(*instance));

    if (!instance)
        return NULL;
    list_init(&instance->branches);
    instance->rmid = rmid;
    instance->rm = manager_open(info);
    snprintf(instance->name, sizeof(instance->name), "%s", info);
    if (instance->rm)
        return instance;
    free(instance);
    return NULL;
}

static void
instance_destroy(struct instance *instance)
{
    sqlite_rm_release(instance->rm);
    free(instance);
}

static int
xa_open(char *info, int rmid, long flags)
{
    int slot, code = XA_OK;

    if (flags & TMASYNC)
        return XAER_ASYNC;
    if (flags != TMNOFLAGS || !info)
        return XAER_INVAL;
    sys_mutex_lock(&mutex); /* also while it opens: two threads do so once */
    slot = slot_of(rmid);
    if (slot >= 0 && strcmp(instances[slot]->name, info) != 0)
        code = XAER_PROTO;
    for (int i = 0; slot < 0 && i < OPEN_MAX; i++)
        if (!instances[i]) {
            instances[i] = instance_create(info, rmid);
            slot = i;
        }
    if (code == XA_OK && (slot < 0 || !instances[slot]))
        code = XAER_RMERR;
    if (code == XA_OK && !has_opened[slot]) {
        has_opened[slot] = true;
        instances[slot]->opens++;
    }
    sys_mutex_unlock(&mutex);
    return code;
}

/* ---- branches ---- */

static bool
xid_is_good(const XID *xid)
{
    return xid && xid->formatID != -1 && xid->gtrid_length >= 1 &&
           xid->gtrid_length <= MAXGTRIDSIZE && xid->bqual_length >= 0 &&
           xid->bqual_length <= MAXBQUALSIZE;
}

/* Under the mutex. */
static struct branch *
find(struct instance *instance, const struct ktm_rm_key *key)
{
    struct branch *branch;

    LIST_EACH (branch, &instance->branches, in_branches)
        if (guid_equal(&branch->key.transaction, &key->transaction) &&
            guid_equal(&branch->key.enlistment, &key->enlistment))
            return branch;
    return NULL;
}

/* The one that this thread is in. Under the mutex. */
static struct branch *
find_mine(struct instance *instance)
{
    struct branch *branch;

    LIST_EACH (branch, &instance->branches, in_branches)
        if (branch->state == BRANCH_ACTIVE && branch->thread == this_thread())
            return branch;
    return NULL;
}

static int
branch_create(struct instance *instance, const XID *xid, struct branch **out)
{
    struct branch *branch = calloc(1, sizeof(*branch));
    struct words why = {.text = ""};

    if (!branch)
        return XAER_RMERR;
    branch->instance = instance;
    branch->xid = *xid;
    mark_key(xid, &branch->key);
    branch->thread = this_thread();
    list_init(&branch->in_branches);
    sys_mutex_init(&branch->tx.mutex);
    branch->tx.references = 1;
    branch->tx.rm = instance->rm;
    if (connection_begin(&branch->tx, &why) != STATUS_SUCCESS) {
        sys_mutex_deinit(&branch->tx.mutex);
        free(branch);
        return XAER_RMERR;
    }
    *out = branch;
    return XA_OK;
}

/* Takes; it is out of the list. */
static void
branch_destroy(struct branch *branch)
{
    if (branch->tx.state == KTM_SQLITE_ACTIVE)
        connection_rollback(&branch->tx);
    connection_close(&branch->tx);
    sys_mutex_deinit(&branch->tx.mutex);
    free(branch);
}

static void
branch_drop(struct branch *branch)
{
    sys_mutex_lock(&mutex);
    list_remove(&branch->in_branches);
    sys_mutex_unlock(&mutex);
    branch_destroy(branch);
}

static int
start_new(struct instance *instance, const XID *xid)
{
    struct branch *branch, *other;
    struct ktm_rm_key key;
    int code;

    mark_key(xid, &key);
    sys_mutex_lock(&mutex);
    branch = find(instance, &key);
    other = find_mine(instance);
    sys_mutex_unlock(&mutex);
    if (other)
        return XAER_PROTO;
    if (branch || mark_is_prepared(&instance->rm->park, &key))
        return XAER_DUPID;
    code = branch_create(instance, xid, &branch);
    if (code != XA_OK)
        return code;
    sys_mutex_lock(&mutex);
    list_append(&instance->branches, &branch->in_branches);
    sys_mutex_unlock(&mutex);
    return XA_OK;
}

/* Goes on with a branch that another association, or an earlier one, has left. */
static int
start_again(struct instance *instance, const XID *xid, long flags)
{
    struct branch *branch;
    struct ktm_rm_key key;
    int code = XA_OK;

    mark_key(xid, &key);
    sys_mutex_lock(&mutex);
    branch = find(instance, &key);
    if (!branch)
        code = XAER_NOTA;
    else if (branch->state != BRANCH_ENDED || branch->is_busy || find_mine(instance) ||
             branch->is_suspended != (flags == TMRESUME))
        code = XAER_PROTO;
    else if (branch->has_failed)
        code = XA_RBROLLBACK;
    if (code == XA_OK) {
        branch->state = BRANCH_ACTIVE;
        branch->is_suspended = false;
        branch->thread = this_thread();
    }
    sys_mutex_unlock(&mutex);
    return code;
}

static int
xa_start(XID *xid, int rmid, long flags)
{
    struct instance *instance = instance_of(rmid);

    if (flags & TMASYNC)
        return XAER_ASYNC;
    if (!xid_is_good(xid))
        return XAER_INVAL;
    if (!instance)
        return XAER_PROTO;
    switch (flags & ~TMNOWAIT) {
    case TMNOFLAGS:
        return start_new(instance, xid);
    case TMJOIN:
    case TMRESUME:
        return start_again(instance, xid, flags & ~TMNOWAIT);
    default:
        return XAER_INVAL;
    }
}

static int
end_locked(struct instance *instance, const struct ktm_rm_key *key, long flags)
{
    struct branch *branch = find(instance, key);

    if (!branch)
        return XAER_NOTA;
    /* A suspended one may be ended without being resumed. */
    if (!(branch->state == BRANCH_ACTIVE && branch->thread == this_thread()) &&
        !(branch->state == BRANCH_ENDED && branch->is_suspended && !(flags & TMSUSPEND)))
        return XAER_PROTO;
    branch->state = BRANCH_ENDED;
    branch->is_suspended = flags & TMSUSPEND;
    branch->has_failed =
        branch->has_failed || flags & TMFAIL || !connection_is_in_transaction(&branch->tx);
    return branch->has_failed ? XA_RBROLLBACK : XA_OK;
}

static int
xa_end(XID *xid, int rmid, long flags)
{
    struct instance *instance = instance_of(rmid);
    struct ktm_rm_key key;
    int code;

    if (flags & TMASYNC)
        return XAER_ASYNC;
    if (!xid_is_good(xid) || (flags != TMSUCCESS && flags != TMFAIL && flags != TMSUSPEND &&
                              flags != (TMSUSPEND | TMMIGRATE)))
        return XAER_INVAL;
    if (!instance)
        return XAER_PROTO;
    mark_key(xid, &key);
    sys_mutex_lock(&mutex);
    code = end_locked(instance, &key, flags);
    sys_mutex_unlock(&mutex);
    /* That it can only be rolled back is no surprise to who has just said so. */
    return flags == TMFAIL && code == XA_RBROLLBACK ? XA_OK : code;
}

/* ---- the outcome ---- */

/* A branch of this process to work on; NULL with the code. */
static struct branch *
take(struct instance *instance, const struct ktm_rm_key *key, int *code)
{
    struct branch *branch;

    sys_mutex_lock(&mutex);
    branch = find(instance, key);
    *code = branch ? XA_OK : XAER_NOTA;
    if (branch && (branch->state == BRANCH_ACTIVE || branch->is_busy || branch->is_suspended))
        *code = XAER_PROTO;
    if (*code == XA_OK)
        branch->is_busy = true;
    sys_mutex_unlock(&mutex);
    return *code == XA_OK ? branch : NULL;
}

static void
put(struct branch *branch, enum branch_state state)
{
    sys_mutex_lock(&mutex);
    branch->state = state;
    branch->is_busy = false;
    sys_mutex_unlock(&mutex);
}

static int
prepare(struct branch *branch)
{
    struct ktm_sqlite_rm *rm = branch->instance->rm;
    struct words why = {.text = ""};
    int code = XA_RBROLLBACK;

    if (!branch->has_failed && mark_write(&rm->park, &branch->xid, &why) == STATUS_SUCCESS) {
        switch (sqlite_author.prepare(rm, &branch->tx, &branch->key)) {
        case KTM_RM_DONE:
            put(branch, BRANCH_PREPARED);
            return XA_OK;
        case KTM_RM_READ_ONLY:
            code = XA_RDONLY;
            break;
        default:
            code = XA_RBINTEGRITY; /* a constraint, most often: all else fails earlier */
        }
    }
    mark_remove(&rm->park, &branch->key);
    branch_drop(branch);
    return code;
}

/* What is common to prepare, commit and rollback. */
static struct instance *
enter(const XID *xid, int rmid, long flags, long allowed, struct ktm_rm_key *key, int *code)
{
    struct instance *instance = instance_of(rmid);

    *code = flags & TMASYNC           ? XAER_ASYNC
            : !xid_is_good(xid)       ? XAER_INVAL
            : (flags & ~allowed) != 0 ? XAER_INVAL
            : !instance               ? XAER_PROTO
                                      : XA_OK;
    if (*code == XA_OK)
        mark_key(xid, key);
    return instance;
}

static int
xa_prepare(XID *xid, int rmid, long flags)
{
    struct instance *instance;
    struct ktm_rm_key key;
    struct branch *branch;
    int code;

    instance = enter(xid, rmid, flags, TMNOFLAGS, &key, &code);
    if (code != XA_OK)
        return code;
    branch = take(instance, &key, &code);
    if (!branch)
        return code == XAER_NOTA && mark_is_prepared(&instance->rm->park, &key) ? XAER_PROTO : code;
    if (branch->state == BRANCH_PREPARED) {
        put(branch, BRANCH_PREPARED);
        return XAER_PROTO;
    }
    return prepare(branch);
}

/* In another process, or before a crash: what it left is all there is. */
static int
settle(struct ktm_sqlite_rm *rm, const struct ktm_rm_key *key, bool is_commit)
{
    enum ktm_rm_answer answer;

    if (!mark_is_prepared(&rm->park, key))
        return XAER_NOTA;
    answer =
        is_commit ? sqlite_author.commit(rm, NULL, key) : sqlite_author.rollback(rm, NULL, key);
    if (answer != KTM_RM_DONE)
        return is_commit ? XA_RETRY : XAER_RMFAIL;
    mark_remove(&rm->park, key);
    return XA_OK;
}

static int
commit_one_phase(struct branch *branch)
{
    enum ktm_rm_answer answer = KTM_RM_NO;

    if (!branch->has_failed)
        answer = sqlite_author.commit_alone(branch->instance->rm, &branch->tx, &branch->key);
    branch_drop(branch);
    return answer == KTM_RM_NO      ? XA_RBROLLBACK
           : answer == KTM_RM_RETRY ? XAER_RMFAIL /* the disk does not say */
                                    : XA_OK;
}

static int
commit_prepared(struct branch *branch)
{
    struct ktm_sqlite_rm *rm = branch->instance->rm;

    if (sqlite_author.commit(rm, &branch->tx, &branch->key) != KTM_RM_DONE) {
        put(branch, BRANCH_PREPARED);
        return XA_RETRY;
    }
    mark_remove(&rm->park, &branch->key);
    branch_drop(branch);
    return XA_OK;
}

static int
xa_commit(XID *xid, int rmid, long flags)
{
    bool is_one = (flags & TMONEPHASE) != 0;
    struct instance *instance;
    struct ktm_rm_key key;
    struct branch *branch;
    int code;

    instance = enter(xid, rmid, flags, TMNOWAIT | TMONEPHASE, &key, &code);
    if (code != XA_OK)
        return code;
    branch = take(instance, &key, &code);
    if (!branch)
        return code == XAER_NOTA && !is_one ? settle(instance->rm, &key, true) : code;
    if (is_one != (branch->state == BRANCH_ENDED)) {
        put(branch, branch->state);
        return XAER_PROTO;
    }
    return is_one ? commit_one_phase(branch) : commit_prepared(branch);
}

static int
xa_rollback(XID *xid, int rmid, long flags)
{
    struct instance *instance;
    struct ktm_rm_key key;
    struct branch *branch;
    int code;

    instance = enter(xid, rmid, flags, TMNOFLAGS, &key, &code);
    if (code != XA_OK)
        return code;
    branch = take(instance, &key, &code);
    if (!branch)
        return code == XAER_NOTA ? settle(instance->rm, &key, false) : code;
    if (sqlite_author.rollback(instance->rm, &branch->tx, &key) != KTM_RM_DONE) {
        put(branch, branch->state);
        return XAER_RMFAIL;
    }
    mark_remove(&instance->rm->park, &key);
    branch_drop(branch);
    return XA_OK;
}

/* ---- recovery ---- */

static void
scan_add(void *list, const struct ktm_rm_key *key)
{
    struct instance *instance = list;
    struct scan *scan = &instance->scan;
    struct park *park = &instance->rm->park;
    XID xid;

    if (scan->count == ARRAY_SIZE(scan->xids) || !park_is_parked(park, key) ||
        mark_read(park, key, &xid) != STATUS_SUCCESS)
        return;
    for (size_t i = 0; i < scan->count; i++)
        if (memcmp(&scan->xids[i], &xid, sizeof(xid)) == 0)
            return;
    scan->xids[scan->count++] = xid;
}

static int
recover_locked(struct instance *instance, XID *xids, long count, long flags)
{
    struct scan *scan = &instance->scan;
    long given = 0;

    if (flags & TMSTARTRSCAN) {
        scan->count = scan->next = 0;
        if (mark_list(&instance->rm->park, scan_add, instance) != STATUS_SUCCESS)
            return XAER_RMERR;
    }
    for (; given < count && scan->next < scan->count; given++)
        xids[given] = scan->xids[scan->next++];
    if (flags & TMENDRSCAN)
        scan->count = scan->next = 0;
    return (int)given;
}

static int
xa_recover(XID *xids, long count, int rmid, long flags)
{
    struct instance *instance = instance_of(rmid);
    int code;

    if (count < 0 || (count > 0 && !xids) || (flags & ~(TMSTARTRSCAN | TMENDRSCAN)))
        return XAER_INVAL;
    if (!instance)
        return XAER_PROTO;
    sys_mutex_lock(&mutex);
    code = recover_locked(instance, xids, count, flags);
    sys_mutex_unlock(&mutex);
    return code;
}

/* Nobody decides without the transaction manager here. */
static int
xa_forget(XID *xid, int rmid, long flags)
{
    struct ktm_rm_key key;
    int code;

    (void)!enter(xid, rmid, flags, TMNOFLAGS, &key, &code);
    return code == XA_OK ? XAER_NOTA : code;
}

static int
xa_complete(int *handle, int *result, int rmid, long flags)
{
    (void)handle, (void)result, (void)rmid, (void)flags;
    return XAER_INVAL; /* nothing is asynchronous */
}

static int
xa_close(char *info, int rmid, long flags)
{
    struct instance *gone = NULL;
    struct branch *branch, *after;
    int slot, code = XA_OK;

    (void)info;
    if (flags & TMASYNC)
        return XAER_ASYNC;
    if (flags != TMNOFLAGS)
        return XAER_INVAL;
    sys_mutex_lock(&mutex);
    slot = slot_of(rmid);
    if (slot >= 0 && has_opened[slot]) {
        if (find_mine(instances[slot])) {
            code = XAER_PROTO;
        } else {
            has_opened[slot] = false;
            if (--instances[slot]->opens == 0)
                gone = give(instances[slot]);
        }
    }
    sys_mutex_unlock(&mutex);
    if (gone) {
        /* What is prepared stays so; the rest is rolled back. */
        LIST_EACH_SAFE (branch, after, &gone->branches, in_branches) {
            list_remove(&branch->in_branches);
            branch_destroy(branch);
        }
        instance_destroy(gone);
    }
    return code;
}

struct sqlite3 *
ktm_sqlite_xa_db(int rmid)
{
    struct instance *instance = instance_of(rmid);
    struct branch *branch;

    if (!instance)
        return NULL;
    sys_mutex_lock(&mutex);
    branch = find_mine(instance);
    sys_mutex_unlock(&mutex);
    return branch ? branch->tx.db : NULL;
}

const struct xa_switch_t sqlite_xa_switch = {
    .name = "ktm-sqlite",
    .flags = TMNOMIGRATE,
    .xa_open_entry = xa_open,
    .xa_close_entry = xa_close,
    .xa_start_entry = xa_start,
    .xa_end_entry = xa_end,
    .xa_rollback_entry = xa_rollback,
    .xa_prepare_entry = xa_prepare,
    .xa_commit_entry = xa_commit,
    .xa_recover_entry = xa_recover,
    .xa_forget_entry = xa_forget,
    .xa_complete_entry = xa_complete,
};
