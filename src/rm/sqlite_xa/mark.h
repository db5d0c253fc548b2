/* SPDX-License-Identifier: MIT */
/*
 * Marks: files beside a database that have the XIDs of its prepared branches.
 *
 * A parked journal's name has room for a few GUIDs, and an XID is 140 bytes of anything. So the
 * name has the XID's SHA-256, and 'DB-xa.<that hash>' the XID itself, written and synced before the
 * journal is parked; the sync of the directory that makes the promise covers both names.
 *
 *     mark    parked
 *     whole   yes      prepared
 *     any     no       not prepared, or ended: the mark is left over
 *     none    yes      the promise was never given: to be rolled back
 */
#pragma once

#include "base/guid.h"
#include "rm/sqlite/rm.h"
#include "xa.h"

/* The key of the parked journal that belongs to the XID. */
void mark_key(const XID *xid, struct ktm_rm_key *key);
bool mark_is_key(const struct ktm_rm_key *key); /* of this switch? */

NTSTATUS mark_write(struct park *park, const XID *xid, struct words *why) must_use;
void mark_remove(struct park *park, const struct ktm_rm_key *key);
/* Answers: OBJECT_NAME_NOT_FOUND (none, or not whole). */
NTSTATUS mark_read(struct park *park, const struct ktm_rm_key *key, XID *xid) must_use;
/* Is the branch prepared? */
bool mark_is_prepared(struct park *park, const struct ktm_rm_key *key);
/* Every key of this switch in the names beside the database, parked or marked; perhaps twice. */
NTSTATUS mark_list(struct park *park, ktm_rm_each_key *each, void *list) must_use;
