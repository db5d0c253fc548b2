/* SPDX-License-Identifier: MIT */
/*
 * A system that says "done" and has done nothing: the bugs a sweep must be able to see. (The layer
 * of sys/fault.h can only make calls fail, for production code must never be told such a lie.)
 */
#pragma once

#include "sys/sys.h"

enum lie { LIE_SYNC, LIE_DIRECTORY_SYNC, LIE_WRITE };

struct liar {
    struct sys sys; /* first: give &liar.sys to the code under test */
    struct sys *under;
    enum lie lie;
    const char *name; /* only files whose path ends in it; NULL: all */
    uint64_t n;       /* the n-th such call … */
    bool is_lasting;  /* … and all after it */
    uint64_t calls;
};

void liar_init(struct liar *liar, struct sys *under);
