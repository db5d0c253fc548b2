/* SPDX-License-Identifier: MIT */
/* What is known about switches of others, and what the codes of XA mean. */
#pragma once

#include "base/base.h"
#include "ktm_xa.h"

struct quirk {
    const char *name;   /* what the switch calls itself begins with it */
    const char *symbol; /* under which its library has it */
    const char *known;  /* in a sentence or two */
    bool is_refused;    /* whatever the gate says */
};

/* NULL: nothing is known. */
const struct quirk *quirk_find(const char *name);
/* Names to look for when none is given; NULL: no more. */
const char *quirk_symbol(size_t index);

/* "XAER_NOTA", and what that means for people. */
const char *code_name(int code);
const char *code_meaning(int code);
static inline bool
code_is_rollback(int code)
{
    return code >= XA_RBBASE && code <= XA_RBEND;
}
