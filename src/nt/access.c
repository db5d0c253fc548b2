/* SPDX-License-Identifier: MIT */
/* The object types, their valid masks and generic mappings [ktm-types.md section 5.6]. */
#include "nt/access.h"

#include "ktmtypes.h"
#include "nt/any.h"
#include "wdm.h"

static const struct _OBJECT_TYPE types[] = {
    [OBJECT_TM] = {"TmTm",
                   OBJECT_TM,
                   false,
                   TRANSACTIONMANAGER_ALL_ACCESS,
                   SYNCHRONIZE,
                   {TRANSACTIONMANAGER_GENERIC_READ, TRANSACTIONMANAGER_GENERIC_WRITE,
                    TRANSACTIONMANAGER_GENERIC_EXECUTE, TRANSACTIONMANAGER_ALL_ACCESS}},
    [OBJECT_RM] = {"TmRm",
                   OBJECT_RM,
                   true,
                   RESOURCEMANAGER_ALL_ACCESS,
                   0,
                   {RESOURCEMANAGER_GENERIC_READ, RESOURCEMANAGER_GENERIC_WRITE,
                    RESOURCEMANAGER_GENERIC_EXECUTE, RESOURCEMANAGER_ALL_ACCESS}},
    [OBJECT_TX] = {"TmTx",
                   OBJECT_TX,
                   true,
                   TRANSACTION_ALL_ACCESS,
                   TRANSACTION_RIGHT_RESERVED1,
                   {TRANSACTION_GENERIC_READ, TRANSACTION_GENERIC_WRITE,
                    TRANSACTION_GENERIC_EXECUTE, TRANSACTION_ALL_ACCESS}},
    [OBJECT_EN] = {"TmEn",
                   OBJECT_EN,
                   false,
                   ENLISTMENT_ALL_ACCESS,
                   SYNCHRONIZE,
                   {ENLISTMENT_GENERIC_READ, ENLISTMENT_GENERIC_WRITE, ENLISTMENT_GENERIC_EXECUTE,
                    ENLISTMENT_ALL_ACCESS}},
    [OBJECT_EVENT] = {"Event",
                      OBJECT_EVENT,
                      true,
                      EVENT_ALL_ACCESS,
                      0,
                      {STANDARD_RIGHTS_READ | EVENT_QUERY_STATE,
                       STANDARD_RIGHTS_WRITE | EVENT_MODIFY_STATE,
                       STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, EVENT_ALL_ACCESS}},
    [OBJECT_PORT] = {"IoCompletion",
                     OBJECT_PORT,
                     true,
                     IO_COMPLETION_ALL_ACCESS,
                     0,
                     {STANDARD_RIGHTS_READ | IO_COMPLETION_QUERY_STATE,
                      STANDARD_RIGHTS_WRITE | IO_COMPLETION_MODIFY_STATE,
                      STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, IO_COMPLETION_ALL_ACCESS}},
};

const struct _OBJECT_TYPE *
access_type(uint8_t kind)
{
    return kind > 0 && kind < ARRAY_SIZE(types) ? &types[kind] : NULL;
}

NTSTATUS
access_grant(uint8_t kind, ACCESS_MASK desired, ACCESS_MASK *granted)
{
    const struct _OBJECT_TYPE *type = access_type(kind);
    const ACCESS_MASK generic =
        GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL | MAXIMUM_ALLOWED;
    ACCESS_MASK access = desired & ~generic;

    if (desired & GENERIC_READ)
        access |= type->mapping.GenericRead;
    if (desired & GENERIC_WRITE)
        access |= type->mapping.GenericWrite;
    if (desired & GENERIC_EXECUTE)
        access |= type->mapping.GenericExecute;
    if (desired & GENERIC_ALL)
        access |= type->mapping.GenericAll;
    if (desired & MAXIMUM_ALLOWED)
        access |= type->valid;
    if (access & ~(type->valid | type->tolerated))
        return status_raise(STATUS_ACCESS_DENIED); /* [OBJ-13] */
    *granted = access;
    return STATUS_SUCCESS;
}
