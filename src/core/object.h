/* SPDX-License-Identifier: MIT */
/*
 * What every KTM object carries, whatever its kind. The core sets the kind and frees an object
 * whose life is over and which nobody holds; the counts belong to the rooms above.
 *
 * Two counts, because a pointer is not a handle [TMR-03]: when the last *handle* goes, the protocol
 * acts (CLOSE family); when the last *hold* goes, the memory may go. Every handle is also a hold.
 */
#pragma once

#include <stdatomic.h>

#include "base/base.h"

enum object_kind { OBJECT_TM = 1, OBJECT_RM, OBJECT_TX, OBJECT_EN };

enum object_signal {
    SIGNAL_SET = 1,      /* the object is signalled [SIG-01..04] */
    SIGNAL_FINISHED = 2, /* TX: nobody attached owes RollbackComplete any more [SIG-06] */
    SIGNAL_SETTLED = 4,  /* TX: no force is under way */
    SIGNAL_EXPIRED = 8,  /* the TM or RM below it was shut down: waiting is in vain */
    SIGNAL_COUNT =
        16, /* RM: the bits from here on count, so that each queued record changes the word */
};

struct object {
    uint8_t kind;
    _Atomic uint32_t
        epoch;        /* grows when the RM is closed: older handles are expired [CLOSE-RM-03] */
    uint32_t handles; /* under the TM's lock */
    _Atomic uint32_t
        holds; /* handles + pointers + calls under way; the last goes under the TM's lock */
    _Atomic uint32_t signal;      /* the word that waiters sleep on */
    _Atomic uint32_t waiters;     /* how many may be asleep on it */
    _Atomic int wait_fd;          /* 0: none; else descriptor + 1 (KtmGetWaitFd) */
    struct engine_watch *watches; /* engine/: who waits for one of several; under the TM's lock */
    void *name;                   /* nt/: the name it was given, or NULL; under nt/'s name lock */
};
