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

/* One of them; what it is, its owner knows. */
struct part_kind {
    NTSTATUS (*make)(void *argument, void **part);
    void (*close)(const void *owner, void *part);
    size_t (*error)(const void *owner, void *part, char *into,
                    size_t size);                          /* NULL: says nothing */
    uint64_t (*error_time)(const void *owner, void *part); /* 0: not known */
};

void parts_init(struct parts *parts);
void parts_deinit(struct parts *parts); /* closes all, in the reverse order */
/* The part of that name, made now if there is none; 'owner' comes back in close and error. */
NTSTATUS parts_get(struct parts *parts, const char *name, const struct part_kind *kind,
                   const void *owner, void *argument, void **part) must_use;
/* What the one that was refused last says; nothing when all that was before 'since'. */
size_t parts_error(struct parts *parts, uint64_t since, char *into, size_t size);
