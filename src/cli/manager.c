/* SPDX-License-Identifier: MIT */
/* Asking a transaction manager, through the public routines. */
#include "cli/manager.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/home.h"
#include "cli/log_scan.h"
#include "cli/names.h"
#include "cli/owned.h"

/* ---- opening ---- */

static NTSTATUS
open_log(UNICODE_STRING *name, HANDLE *out)
{
    owned_handle HANDLE tm = NULL;

    TRY(NtOpenTransactionManager(&tm, TRANSACTIONMANAGER_ALL_ACCESS, NULL, name, NULL, 0));
    TRY(NtRecoverTransactionManager(tm));
    *out = give(tm);
    return STATUS_SUCCESS;
}

NTSTATUS
manager_open(const char *home, struct complaint *why, HANDLE *out)
{
    owned(free_text) char *path = home_file(home, HOME_LOG);
    owned_name struct name name = {0};
    NTSTATUS status;

    if (!path)
        return out_of_memory(why);
    TRY(name_of_log("", path, why, &name));
    status = open_log(&name.string, out);
    return status == STATUS_SUCCESS ? status : manager_complain(home, status, why);
}

int
manager_holder(const char *home)
{
    owned(free_text) char *path = home_file(home, HOME_LOG);

    return path ? log_holder(path) : 0;
}

NTSTATUS
manager_complain(const char *home, NTSTATUS status, struct complaint *why)
{
    char text[STATUS_TEXT_SIZE];
    const char *advice = log_advice(status);
    int holder = status == STATUS_SHARING_VIOLATION ? manager_holder(home) : 0;

    if (holder)
        return complain(why, status, "the home %s is in use by process %d (%s)", QUOTE(home),
                        holder, status_text(status, text));
    return complain(why, status, "cannot open the transaction manager in %s: %s (%s)%s%s",
                    QUOTE(home), STATUS_WORDS(status), status_text(status, text),
                    advice ? "; " : "", advice ? advice : "");
}

/* ---- asking ---- */

NTSTATUS
manager_query(HANDLE tm, struct manager_facts *out)
{
    TRANSACTIONMANAGER_BASIC_INFORMATION info;

    TRY(NtQueryInformationTransactionManager(tm, TransactionManagerBasicInformation, &info,
                                             sizeof(info), NULL));
    *out = (struct manager_facts){.identity = info.TmIdentity, .clock = info.VirtualClock.QuadPart};
    return STATUS_SUCCESS;
}

/* Puts what one step of an enumeration gave to the others. */
static NTSTATUS
collect(const KTMOBJECT_CURSOR *cursor, GUID **guids, size_t *count)
{
    GUID *more = realloc(*guids, (*count + cursor->ObjectIdCount + 1) * sizeof(*more));

    if (!more)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *guids = more;
    memcpy(more + *count, cursor->ObjectIds, cursor->ObjectIdCount * sizeof(*more));
    *count += cursor->ObjectIdCount;
    return STATUS_SUCCESS;
}

NTSTATUS
manager_list(HANDLE root, KTMOBJECT_TYPE type, GUID **guids, size_t *count)
{
    enum { AT_ONCE = 256 };
    union {
        KTMOBJECT_CURSOR cursor;
        uint8_t bytes[sizeof(KTMOBJECT_CURSOR) + AT_ONCE * sizeof(GUID)];
    } step = {0};
    NTSTATUS status;
    ULONG length;

    *guids = NULL;
    *count = 0;
    do {
        NTSTATUS collected;

        status = NtEnumerateTransactionObject(root, type, &step.cursor, sizeof(step), &length);
        if (status != STATUS_SUCCESS && status != STATUS_NO_MORE_ENTRIES)
            break;
        collected = collect(&step.cursor, guids, count);
        if (collected != STATUS_SUCCESS)
            status = collected;
    } while (status == STATUS_SUCCESS);
    if (status == STATUS_NO_MORE_ENTRIES)
        return STATUS_SUCCESS;
    free(*guids);
    *guids = NULL;
    return status;
}

/* A description as text; "" when it is none. */
static void
get_description(const WCHAR *units, ULONG bytes, char out[DESCRIPTION_SIZE])
{
    owned(free_text) char *text = NULL;
    uint16_t copy[64];
    size_t count = bytes / sizeof(WCHAR);

    out[0] = '\0';
    if (count > ARRAY_SIZE(copy))
        count = ARRAY_SIZE(copy);
    memcpy(copy, units, count * sizeof(*copy));
    if (text_from_utf16(copy, count, &text) == STATUS_SUCCESS && strlen(text) < DESCRIPTION_SIZE)
        strcpy(out, text);
}

static NTSTATUS
get_participants(HANDLE tx, struct manager_transaction *out)
{
    TRANSACTION_ENLISTMENTS_INFORMATION head;
    NTSTATUS status = NtQueryInformationTransaction(tx, TransactionEnlistmentInformation, &head,
                                                    sizeof(head), NULL);
    TRANSACTION_ENLISTMENTS_INFORMATION *all;
    size_t size;

    if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
        return status;
    size = sizeof(head) + head.NumberOfEnlistments * sizeof(TRANSACTION_ENLISTMENT_PAIR);
    all = malloc(size);
    out->participants = calloc(head.NumberOfEnlistments + 1, sizeof(*out->participants));
    if (!all || !out->participants) {
        free(all);
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    }
    status =
        NtQueryInformationTransaction(tx, TransactionEnlistmentInformation, all, (ULONG)size, NULL);
    for (uint32_t i = 0;
         status == STATUS_SUCCESS && i < all->NumberOfEnlistments && i < head.NumberOfEnlistments;
         i++) {
        out->participants[i].enlistment = all->EnlistmentPair[i].EnlistmentId;
        out->participants[i].manager = all->EnlistmentPair[i].ResourceManagerId;
        out->count++;
    }
    free(all);
    return status;
}

static bool
is_superior_alone(HANDLE tx, const struct manager_transaction *transaction)
{
    TRANSACTION_ENLISTMENT_PAIR superior;

    return transaction->count == 1 &&
           NtQueryInformationTransaction(tx, TransactionSuperiorEnlistmentInformation, &superior,
                                         sizeof(superior), NULL) == STATUS_SUCCESS &&
           guid_equal(&superior.EnlistmentId, &transaction->participants[0].enlistment);
}

static NTSTATUS
get_transaction(HANDLE tx, struct manager_transaction *out)
{
    TRANSACTION_BASIC_INFORMATION basic;
    union {
        TRANSACTION_PROPERTIES_INFORMATION info;
        uint8_t bytes[sizeof(TRANSACTION_PROPERTIES_INFORMATION) + 128];
    } properties;

    TRY(NtQueryInformationTransaction(tx, TransactionBasicInformation, &basic, sizeof(basic),
                                      NULL));
    TRY(NtQueryInformationTransaction(tx, TransactionPropertiesInformation, &properties,
                                      sizeof(properties), NULL));
    out->guid = basic.TransactionId;
    out->is_committed = basic.Outcome == TransactionOutcomeCommitted;
    out->is_aborted = basic.Outcome == TransactionOutcomeAborted;
    out->is_in_doubt = basic.State == TransactionStateIndoubt;
    get_description(properties.info.Description, properties.info.DescriptionLength,
                    out->description);
    TRY(get_participants(tx, out));
    out->is_told = (out->is_committed || out->is_aborted) && is_superior_alone(tx, out);
    return STATUS_SUCCESS;
}

NTSTATUS
manager_transaction(HANDLE tm, const GUID *guid, struct manager_transaction *out)
{
    struct manager_transaction found = {0};
    owned_handle HANDLE tx = NULL;
    GUID uow = *guid;
    NTSTATUS status;

    TRY(NtOpenTransaction(&tx, TRANSACTION_QUERY_INFORMATION, NULL, &uow, tm));
    status = get_transaction(tx, &found);
    if (status != STATUS_SUCCESS) {
        manager_transaction_deinit(&found);
        return status;
    }
    *out = found;
    return STATUS_SUCCESS;
}

void
manager_transaction_deinit(struct manager_transaction *transaction)
{
    free(transaction->participants);
    *transaction = (struct manager_transaction){0};
}

const char *
manager_transaction_state(const struct manager_transaction *transaction)
{
    if (transaction->is_committed)
        return "committed, not finished";
    if (transaction->is_aborted)
        return "rolled back, not finished";
    return transaction->is_in_doubt ? "in doubt" : "not decided";
}

const char *
manager_transaction_advice(const struct manager_transaction *transaction)
{
    if (transaction->is_in_doubt)
        return "its superior must be asked for the outcome";
    return "'ktm recover' finishes it";
}

NTSTATUS
manager_resource(HANDLE tm, const GUID *guid, char description[DESCRIPTION_SIZE])
{
    union {
        RESOURCEMANAGER_BASIC_INFORMATION info;
        uint8_t bytes[sizeof(RESOURCEMANAGER_BASIC_INFORMATION) + 128];
    } basic;
    owned_handle HANDLE rm = NULL;
    GUID id = *guid;

    TRY(NtOpenResourceManager(&rm, RESOURCEMANAGER_QUERY_INFORMATION, tm, &id, NULL));
    TRY(NtQueryInformationResourceManager(rm, ResourceManagerBasicInformation, &basic,
                                          sizeof(basic), NULL));
    get_description(basic.info.Description, basic.info.DescriptionLength, description);
    return STATUS_SUCCESS;
}
