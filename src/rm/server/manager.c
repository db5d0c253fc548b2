/* SPDX-License-Identifier: MIT */
/* The transaction manager of a resource manager. */
#include "rm/server/server.h"
#include "ktm_rm.h"
#include "wdm.h"

NTSTATUS
manager_take(HANDLE given, const char *home, HANDLE *tm, bool *owns, GUID *id,
             struct explanation *why)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION info;
    NTSTATUS status = STATUS_SUCCESS;

    *tm = given;
    *owns = false;
    if (!given) {
        status = ktm_tm_open(home, tm);
        *owns = status == STATUS_SUCCESS;
        TRY(explain_status(why, status, "the transaction manager of '%s' cannot be opened", home));
    }
    status = NtQueryInformationTransactionManager(*tm, TransactionManagerBasicInformation, &info,
                                                  sizeof(info), NULL);
    if (status == STATUS_SUCCESS)
        *id = info.TmIdentity;
    return status;
}
