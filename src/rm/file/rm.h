/* SPDX-License-Identifier: MIT */
/*
 * The file resource manager as a participant: what the kit asks (rm.c) and what applications call
 * (ktm_file.c). A transaction object is shared by those who began it and by the kit's branch; the
 * resource manager by its opener and the transactions.
 */
#pragma once

#include "ktm_file.h"
#include "rm/file/work.h"
#include "wdm.h"

struct ktm_file_rm {
    _Atomic unsigned references;
    struct tree *tree;
    struct store *store;
    struct path_owner home; /* of the locks on the state itself */
    HANDLE tm;
    bool owns_tm;
    struct ktm_rm *kit;
    bool is_logged;         /* every transaction is in the TM's log */
    bool has_lost_left;     /* there was no memory for one that an earlier run left */
    uint64_t process;       /* that opened it: a forked child has no part in it */
    struct sys_mutex mutex; /* of the list below */
    struct list left;       /* what earlier runs left, also when it is finished: struct left */
};

struct ktm_file_tx {
    _Atomic unsigned references;
    _Atomic unsigned holders; /* applications among them */
    struct ktm_file_rm *rm;
    GUID id;
    HANDLE transaction;
    bool owns_transaction;
    struct sys_mutex mutex; /* of the work */
    struct work *work;
};

/* A promise of an earlier run; with no transaction: what could not be swept. */
struct left {
    struct list in_rm;
    GUID transaction;
    uint8_t *intent; /* kept by the TM; NULL: it is in the home */
    size_t intent_size;
    struct work *work; /* NULL: the promise cannot be taken up */
    enum work_state state;
    struct explanation why;
};

extern const struct ktm_rm_author file_author;

/* Keeps transactions from changing the state in the home, and from moving the home, which is an
 * absolute path. */
NTSTATUS file_rm_guard_home(struct ktm_file_rm *rm, const char *home,
                            struct explanation *why) must_use;
/* Takes up every promise in the home, with its locks. */
NTSTATUS file_rm_take_up(struct ktm_file_rm *rm, struct explanation *why) must_use;
/* When the TM has told what it knows: removes what transactions left that never prepared. */
NTSTATUS file_rm_sweep(struct ktm_file_rm *rm) must_use;
/* Answers: RM_NOT_ACTIVE (it is of the process this one was forked from). */
static inline NTSTATUS must_use
file_rm_check(const struct ktm_file_rm *rm)
{
    return rm->process == sys_process_id() ? STATUS_SUCCESS : status_raise(STATUS_RM_NOT_ACTIVE);
}

void file_rm_hold(struct ktm_file_rm *rm);
void file_rm_release(struct ktm_file_rm *rm);
void file_tx_hold(struct ktm_file_tx *tx);
void file_tx_release(struct ktm_file_tx *tx);
