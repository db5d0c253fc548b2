/* SPDX-License-Identifier: MIT */
/* Reservations as the Clfs routines count them [docs/spec/clfs.md sections 1.8, 6.9, 6.10]. */
#pragma once

#include "clfs/clfs.h"
#include "wdm.h"

/* What an array of sizes comes to: added, or given back when negative. */
struct clfs_reserve {
    int64_t records, bytes;
    bool releases; /* some element is negative */
};

/* Answers: INVALID_PARAMETER (a size of 0), LOG_RESERVATION_INVALID (a record no block can hold, or
 * the sum overflows). */
NTSTATUS clfs_reserve_sum(struct clfs_area *area, ULONG count, const LONGLONG *sizes,
                          struct clfs_reserve *out) must_use;
/* Answers: LOG_FULL, LOG_RESERVATION_INVALID (releases what is not reserved [CLFS-APPEND-32]). */
NTSTATUS clfs_reserve_apply(struct clfs_area *area, const struct clfs_reserve *reserve) must_use;
/* Replaces the sizes asked for by those reserved. */
void clfs_reserve_report(struct clfs_area *area, ULONG count, LONGLONG *sizes);
