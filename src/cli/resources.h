/* SPDX-License-Identifier: MIT */
/* The resources of a home as the operator's verbs show them, without opening them. */
#pragma once

#include "base/guid.h"
#include "cli/complaint.h"

struct resource {
    char *kind;    /* "postgres" */
    char *name;    /* of its state in the home; NULL: of all of the kind nothing can be told */
    char *place;   /* NULL: not known */
    char *trouble; /* NULL: none is known */
    int64_t trouble_since; /* seconds since 1970 */
    GUID manager;
    bool is_at_rest;
    bool is_probed, is_reachable; /* with 'probe' */
};

struct resources {
    struct resource *list;
    size_t count;
    bool is_probing;
    NTSTATUS status; /* INSUFFICIENT_RESOURCES: not all are here */
};

/* With 'is_probing' each is asked whether it can be reached; 'trouble' then says why not. */
NTSTATUS resources_read(const char *home, bool is_probing, struct resources *out) must_use;
void resources_deinit(struct resources *resources);
/* The one of that resource manager; NULL: none. */
const struct resource *resources_find(const struct resources *resources, const GUID *manager);
