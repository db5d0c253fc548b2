/* SPDX-License-Identifier: MIT */
/*
 * A layer over any 'struct sys' that makes a chosen call fail: the n-th of all, of one kind, or of
 * one file. It lies between the code under test and the real or the simulated system, so neither
 * knows; the code in between has no test hooks.
 *
 *     for (uint64_t n = 1;; n++) {
 *         sys_fault_plan(fault, &(struct sys_fault_rule){.calls = FAULT_ALL, .n = n,
 *                                                        .status = STATUS_DISK_FULL});
 *         run(sys_fault_sys(fault));
 *         if (!sys_fault_has_fired(fault))
 *             break;
 *     }
 *
 * May be used by several threads; the order of their calls then decides which is the n-th.
 */
#pragma once

#include "sys/sys.h"

/* Kinds of calls, as bits. Closing and asking for time or random numbers cannot fail. */
enum sys_fault_call {
    FAULT_OPEN = 1 << 0,
    FAULT_READ = 1 << 1,
    FAULT_WRITE = 1 << 2,
    FAULT_SYNC = 1 << 3,
    FAULT_ALLOCATE = 1 << 4,
    FAULT_INFO = 1 << 5,
    FAULT_LOCK = 1 << 6,
    FAULT_RENAME = 1 << 7,
    FAULT_UNLINK = 1 << 8,
    FAULT_DIRECTORY_MAKE = 1 << 9,
    FAULT_DIRECTORY_SYNC = 1 << 10,
    FAULT_DIRECTORY_LIST = 1 << 11,
    FAULT_ALL = (1 << 12) - 1,
};

struct sys_fault_rule {
    unsigned calls;   /* which kinds count */
    const char *name; /* only where a path ends in this; NULL: all */
    uint64_t n;       /* the n-th such call from now on; 1: the next */
    NTSTATUS status;  /* what it answers */
    bool is_lasting;  /* and so do all such calls after it */
    bool happens;     /* it is done all the same: the failure is a lie */
    uint64_t partly;  /* bytes of a read, write or allocation that are done before it fails */
};

struct sys_fault;

/* 'under' is borrowed until the layer is destroyed. NULL: no memory. */
struct sys_fault *sys_fault_create(struct sys *under);
/* Every file opened through it must have been closed. NULL: nothing. */
void sys_fault_destroy(struct sys_fault *fault);
OWNED_BY(struct sys_fault, sys_fault_destroy)
struct sys *sys_fault_sys(struct sys_fault *fault);

/* Replaces the rule there was; NULL: nothing fails any more. */
void sys_fault_plan(struct sys_fault *fault, const struct sys_fault_rule *rule);
/* Whether the present rule has made a call fail. */
bool sys_fault_has_fired(struct sys_fault *fault);
/* How many calls of these kinds have been made since the layer was created. */
uint64_t sys_fault_calls(struct sys_fault *fault, unsigned calls);
