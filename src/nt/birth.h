/* SPDX-License-Identifier: MIT */
/*
 * How create and open routines hand out a handle. Everything that can fail is done before the
 * object is made or found, so a routine that fails has no effect [GEN-06]:
 *
 *     owned(birth) struct birth birth = {0};
 *     TRY(birth_check(&birth, OBJECT_TX, TransactionHandle, DesiredAccess, ObjectAttributes));
 *     ... the handles the routine takes, in their order ...
 *     TRY(birth_claim(&birth));             // create routines; may hand out what exists already
 *     TRY(engine_tx_create(..., &object));
 *     birth_done(&birth, object);
 */
#pragma once

#include "core/object.h"
#include "ktmbase.h"
#include "nt/handle.h"
#include "nt/name.h"

struct birth {
    PHANDLE out;
    struct handle *slot; /* reserved */
    struct name *name;   /* claimed, or NULL */
    const UNICODE_STRING *text;
    ULONG attributes;
    ACCESS_MASK access;
    uint8_t kind;
};

/* Pointers, OBJECT_ATTRIBUTES and DesiredAccess [GEN-05], and room for the handle.
 * Answers: ACCESS_VIOLATION [GEN-07], those of name_check and access_grant, and
 * INSUFFICIENT_RESOURCES. */
NTSTATUS birth_check(struct birth *birth, uint8_t kind, PHANDLE out, ACCESS_MASK desired,
                     const OBJECT_ATTRIBUTES *attributes) must_use;
/* The same for routines that find their object by GUID: a name is refused [OBJ-11], and so are no
 * rights [OBJ-14]. Answers also: INVALID_PARAMETER. */
NTSTATUS birth_check_open(struct birth *birth, uint8_t kind, PHANDLE out, ACCESS_MASK desired,
                          const OBJECT_ATTRIBUTES *attributes) must_use;
/* Claims the name, if there is one. OBJECT_NAME_EXISTS (a success, but not STATUS_SUCCESS): the
 * existing object has been handed out [OBJ-08]. Answers: those of name_claim. */
NTSTATUS birth_claim(struct birth *birth) must_use;
/* Hands out the object, whose one handle the slot takes over. */
void birth_done(struct birth *birth, struct object *object);
/* The same for an object whose handle its name counts already (name_open). */
void birth_done_named(struct birth *birth, struct object *object);

/* Lets go of what was not handed out. */
void owned_birth(struct birth *birth);
