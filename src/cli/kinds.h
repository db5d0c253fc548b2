/* SPDX-License-Identifier: MIT */
/*
 * Resources that have a library of their own: found by the names in a home, and loaded when they
 * are needed, so that the command itself is linked with no database.
 *
 * A library that is loaded shares this command's libktm.so. Two engines in one process would each
 * have its own transaction manager over one log; a library that has brought another is refused.
 */
#pragma once

#include "cli/complaint.h"
#include "ktm.h" /* public */

/* The kind of that name: "postgres". Stays until the process ends. Answers: OBJECT_NAME_NOT_FOUND
 * (its library is not installed), NOT_SUPPORTED (it is of another version). */
NTSTATUS kind_load(const char *name, struct complaint *why,
                   const struct ktm_resource_kind **out) must_use;

/* A function of that kind's library alone. Answers: those of kind_load. */
NTSTATUS kind_function(const char *name, const char *function, struct complaint *why,
                       void **out) must_use;

struct kinds_visitor {
    void (*resource)(void *context, const struct ktm_resource_kind *kind,
                     const struct ktm_resource *resource);
    /* A kind of which the home has something, and what it has cannot be told. */
    void (*failed)(void *context, const char *kind, NTSTATUS status, const struct complaint *why);
    void *context;
};
/* Tells of every resource that was ever opened in the home. */
void kinds_visit(const char *home, const struct kinds_visitor *visitor);
