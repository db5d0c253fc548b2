/* SPDX-License-Identifier: MIT */
/* Enlisting, for NtCreateEnlistment (handles) and TmCreateEnlistment (pointers). */
#pragma once

#include "ktmtypes.h"
#include "nt/birth.h"

/* What does not depend on the RM and the transaction. */
NTSTATUS enlist_check(struct birth *birth, PHANDLE out, ACCESS_MASK desired,
                      const OBJECT_ATTRIBUTES *attributes, ULONG options,
                      NOTIFICATION_MASK mask) must_use;
NTSTATUS enlist(struct birth *birth, struct object *rm, struct object *tx, ULONG options,
                NOTIFICATION_MASK mask, void *key) must_use;
