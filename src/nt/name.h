/* SPDX-License-Identifier: MIT */
/*
 * Names of objects [OBJ-05..09, NAME-06]: one flat space for all four kinds. A name is a backslash
 * and 1..255 WCHARs, and lives as long as its object has handles.
 *
 * A name is *claimed* before its object is made, so that a create routine that fails for its name
 * has made nothing [GEN-06]; it is *given* to the object or *dropped*. Whoever looks up a name that
 * is claimed waits until that is settled.
 *
 * A name counts the handles of its object (those flagged HANDLE_NAMED), because the object's own
 * count is under a lock of the engine. Lock order: the name lock, then a TM's.
 */
#pragma once

#include "core/object.h"
#include "ktmbase.h"

struct name;

/* Is this a name, and one without a root? 'attributes' may be NULL. *text is NULL when it has no
 * name. Answers: INVALID_PARAMETER [OBJ-02], ACCESS_VIOLATION, OBJECT_NAME_INVALID,
 * OBJECT_PATH_SYNTAX_BAD [OBJ-06], INVALID_HANDLE and OBJECT_TYPE_MISMATCH (RootDirectory: there
 * are no directory objects it could be). */
NTSTATUS name_check(const OBJECT_ATTRIBUTES *attributes, const UNICODE_STRING **text) must_use;

/* For a create routine. SUCCESS: claimed, *out must be given or dropped. OBJECT_NAME_EXISTS:
 * OBJ_OPENIF found an object of 'kind'; *found is it, with one handle, counted [OBJ-08].
 * Answers: OBJECT_NAME_COLLISION [OBJ-07], OBJECT_TYPE_MISMATCH [OBJ-09], INSUFFICIENT_RESOURCES.
 */
NTSTATUS name_claim(const UNICODE_STRING *text, ULONG attributes, uint8_t kind, struct name **out,
                    struct object **found) must_use;
/* The same without a text, for an object that needs something kept while it has handles.
 * Answers: INSUFFICIENT_RESOURCES. */
NTSTATUS name_claim_blank(struct name **out) must_use;
void name_give(struct name *name, struct object *object); /* whose first handle is counted */
void name_drop(struct name *name);                        /* NULL: nothing */

/* For an open routine: the object with one handle, counted.
 * Answers: OBJECT_NAME_NOT_FOUND, OBJECT_TYPE_MISMATCH [TM-OPEN-06]. */
NTSTATUS name_open(const UNICODE_STRING *text, ULONG attributes, uint8_t kind,
                   struct object **found) must_use;

/* A new handle to an object that may have a name: true when it has and the handle is counted. */
bool name_handle_open(struct object *object);
/* A counted handle is going; before the engine hears of it. */
void name_handle_close(struct object *object);

/* Protocols that communication RMs have registered: each by one RM, until its last handle is gone.
 * Answers: INVALID_PARAMETER (not a communication RM [PROP-01]), CRM_PROTOCOL_ALREADY_EXISTS
 * [PROP-03], INSUFFICIENT_RESOURCES. */
NTSTATUS name_register_protocol(struct object *rm, const GUID *protocol) must_use;
void name_allow_protocols(struct name *name); /* claimed, not given yet */

void name_begin_anew(void); /* in a forked child: there are none */
void name_forget_all(void); /* for nt_forget_all (nt/nt.h) */
