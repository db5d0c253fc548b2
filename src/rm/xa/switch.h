/* SPDX-License-Identifier: MIT */
/* A switch in this process: loaded, looked at, called. For the helper, and for branches of the
 * application's own threads. */
#pragma once

#include "base/explain.h"
#include "rm/xa/wire.h"

struct loaded {
    const struct xa_switch_t *entry;
    struct switch_info info;
};

/* Loads "LIBRARY[:symbol]". It stays loaded: switches leave threads and exit handlers behind. */
enum xa_result switch_load(const char *spec, struct loaded *out, struct explanation *why);
/* A function of "LIBRARY:function"; NULL with the result. */
void *symbol_load(const char *spec, enum xa_result *result, struct explanation *why);
/* Any of START to FORGET. */
int switch_say(const struct loaded *loaded, enum xa_op op, XID *xid, int rmid, long flags);
int switch_open(const struct loaded *loaded, enum xa_op op, const char *info, int rmid);
