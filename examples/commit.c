/* SPDX-License-Identifier: MIT */
/* A commit in twenty lines: one thread plays the client and the resource manager (README.md). */
#include <stdio.h>
#include <wdm.h>

#define ALL   MAXIMUM_ALLOWED
#define ASKED (TRANSACTION_NOTIFY_PREPARE | TRANSACTION_NOTIFY_COMMIT | TRANSACTION_NOTIFY_ROLLBACK)

int
main(void)
{
    GUID id = {.Data1 = 0x6b746d01}; /* the resource manager's, the same at every start */
    HANDLE tm, rm, tx, part;
    TRANSACTION_NOTIFICATION told;

    if (NtCreateTransactionManager(&tm, ALL, NULL, NULL, TRANSACTION_MANAGER_VOLATILE, 0) ||
        NtCreateResourceManager(&rm, ALL, tm, &id, NULL, RESOURCE_MANAGER_VOLATILE, NULL) ||
        NtCreateTransaction(&tx, ALL, NULL, NULL, tm, 0, 0, 0, NULL, NULL) ||
        NtCreateEnlistment(&part, ALL, rm, tx, NULL, 0, ASKED, NULL))
        return 1;
    NtCommitTransaction(tx, FALSE); /* asks everyone who takes part, here only us */
    do {
        NtGetNotificationResourceManager(rm, &told, sizeof(told), NULL, NULL, 0, 0);
        if (told.TransactionNotification == TRANSACTION_NOTIFY_PREPARE)
            NtPrepareComplete(part, NULL); /* our vote: we can, whatever happens now */
    } while (told.TransactionNotification == TRANSACTION_NOTIFY_PREPARE);
    if (told.TransactionNotification != TRANSACTION_NOTIFY_COMMIT || NtCommitComplete(part, NULL))
        return 1;
    return puts("committed") < 0;
}
