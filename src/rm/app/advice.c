/* SPDX-License-Identifier: MIT */
/* What an application does about a refusal. */
#include "base/base.h"
#include "ktm.h"

const char *
ktm_status_advice(NTSTATUS status)
{
    static const struct {
        NTSTATUS status;
        const char *advice;
    } rows[] = {
        {STATUS_TRANSACTIONAL_CONFLICT, "roll back, and try the whole transaction again"},
        {STATUS_RM_DISCONNECTED, "roll back, and try again when the server can be reached"},
        {STATUS_TRANSACTION_NOT_ACTIVE, "all that is left is to roll the transaction back"},
        {STATUS_TRANSACTION_ALREADY_ABORTED, "nothing has happened, and it may be tried again"},
        {STATUS_INVALID_PARAMETER, "the statement or its parameters have to be corrected"},
        {STATUS_ACCESS_DENIED, "the right has to be granted where it is missing"},
        {STATUS_DISK_FULL, "make room, and try again"},
        {STATUS_INSUFFICIENT_RESOURCES, "try again later, or raise the limit"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].status == status)
            return rows[i].advice;
    return "";
}
