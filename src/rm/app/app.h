/* SPDX-License-Identifier: MIT */
/* Inside the door for applications: homes, transactions, and the parts that belong to them. */
#pragma once

#include "base/list.h"
#include "ktm.h"
#include "sys/thread.h"

/* What belongs to a home or a transaction, by name. */
struct parts {
    struct sys_mutex mutex;  /* the list */
    struct sys_mutex making; /* so that nothing is made twice; no other lock is held with it */
    struct list list;        /* newest first */
};

void parts_init(struct parts *parts);
void parts_deinit(struct parts *parts); /* closes all, in the reverse order */
NTSTATUS parts_get(struct parts *parts, const char *name, const struct ktm_part_kind *kind,
                   void *owner, void *argument, void **part) must_use;
/* What the first of them that has something to say says. */
size_t parts_error(struct parts *parts, char *into, size_t size);
