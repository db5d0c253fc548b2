/* SPDX-License-Identifier: MIT */
/*
 * Object types and access rights: what may be asked of each type, and what is granted.
 *
 * There are no security descriptors: whoever can reach an object is granted whatever is valid for
 * its type [OBJ-16], and a descriptor in OBJECT_ATTRIBUTES is ignored [OBJ-10]. The rights still
 * matter, because a handle carries only those that were asked for [GEN-04].
 */
#pragma once

#include "core/object.h"
#include "ktmbase.h"

/* What POBJECT_TYPE points to. Indexed by enum object_kind, and own_kind of any.h. */
struct _OBJECT_TYPE {
    const char *name; /* "TmTx" */
    uint8_t kind;
    bool is_waitable;        /* has a signalled state [OBJ-19] */
    ACCESS_MASK valid;       /* what MAXIMUM_ALLOWED and GENERIC_ALL grant */
    ACCESS_MASK tolerated;   /* grantable when asked for by name, and in no composite */
    GENERIC_MAPPING mapping; /* table 5.6 of ktm-types.md */
};

/* The type of a kind, or NULL. */
const struct _OBJECT_TYPE *access_type(uint8_t kind);

/* Turns DesiredAccess into the rights of a new handle: generic bits are mapped first [OBJ-12].
 * Answers: ACCESS_DENIED (a bit that no handle of the type can carry [OBJ-13]). 0 grants nothing.
 */
NTSTATUS access_grant(uint8_t kind, ACCESS_MASK desired, ACCESS_MASK *granted) must_use;
