/* SPDX-License-Identifier: MIT */
/* Every allocation of every routine that makes something fails once: the call says so and has had
 * no effect [GEN-06, GEN-08]. */
#include "tests/nt/kit.h"

#include "tests/alloc.h"

static struct party party;
static GUID guid, uow;
static UNICODE_STRING name, path;
static OBJECT_ATTRIBUTES named;
static union {
    KTMOBJECT_CURSOR cursor;
    char room[2000];
} list;

static NTSTATUS
create_volatile_tm(HANDLE *out)
{
    return NtCreateTransactionManager(out, TRANSACTIONMANAGER_ALL_ACCESS, &named, NULL,
                                      TRANSACTION_MANAGER_VOLATILE, 0);
}

static NTSTATUS
create_durable_tm(HANDLE *out)
{
    return NtCreateTransactionManager(out, TRANSACTIONMANAGER_ALL_ACCESS, NULL, &path, 0, 0);
}

static NTSTATUS
create_rm(HANDLE *out)
{
    return NtCreateResourceManager(out, RESOURCEMANAGER_ALL_ACCESS, party.tm, &guid, NULL,
                                   RESOURCE_MANAGER_VOLATILE | RESOURCE_MANAGER_COMMUNICATION,
                                   &name);
}

static NTSTATUS
create_tx(HANDLE *out)
{
    return NtCreateTransaction(out, TRANSACTION_ALL_ACCESS, &named, &uow, party.tm, 0, 0, 0, NULL,
                               &name);
}

static NTSTATUS
create_en(HANDLE *out)
{
    return NtCreateEnlistment(out, ENLISTMENT_ALL_ACCESS, party.rm[0], party.tx, &named, 0,
                              MASK_FULL, NULL);
}

static NTSTATUS
copy_handle(HANDLE *out)
{
    return NtDuplicateObject(NtCurrentProcess(), party.tx, NtCurrentProcess(), out, 0, 0,
                             DUPLICATE_SAME_ACCESS);
}

static NTSTATUS
create_event(HANDLE *out)
{
    return NtCreateEvent(out, EVENT_ALL_ACCESS, &named, NotificationEvent, FALSE);
}

static NTSTATUS
create_port(HANDLE *out)
{
    return NtCreateIoCompletion(out, IO_COMPLETION_ALL_ACCESS, &named, 0);
}

static const struct {
    const char *what;
    NTSTATUS (*make)(HANDLE *out);
} rows[] = {
    {"a volatile TM", create_volatile_tm},
    {"a durable TM", create_durable_tm},
    {"an RM", create_rm},
    {"a transaction", create_tx},
    {"an event", create_event},
    {"a port", create_port},
    {"an enlistment", create_en}, /* whose end is that of the transaction */
    {"a duplicate", copy_handle},
};

static unsigned
count_of(HANDLE root, KTMOBJECT_TYPE type)
{
    ULONG length;

    memset(&list, 0, sizeof(list));
    EXPECT_STATUS(STATUS_NO_MORE_ENTRIES,
                  NtEnumerateTransactionObject(root, type, &list.cursor, sizeof(list), &length));
    return list.cursor.ObjectIdCount;
}

/* Tries with the n-th allocation failing, n = 1, 2, 3 and so on, until it succeeds. */
static void
sweep(const char *what, NTSTATUS (*make)(HANDLE *out))
{
    for (uint64_t n = 1;; n++) {
        HANDLE out = NULL;
        bool has_failed;
        NTSTATUS status;

        alloc_fail_at(n);
        status = make(&out);
        has_failed = alloc_fail_stop();
        if (!has_failed) {
            EXPECT_OK(status);
            close_handle(out);
            return;
        }
        if (status != STATUS_INSUFFICIENT_RESOURCES || out != NULL)
            test_fail(__FILE__, __LINE__, "%s without allocation %u: 0x%x", what, (unsigned)n,
                      (unsigned)status);
        EXPECT_EQ(1, count_of(NULL, KTMOBJECT_TRANSACTION_MANAGER));
        EXPECT_EQ(1, count_of(party.tm, KTMOBJECT_RESOURCE_MANAGER));
        EXPECT_EQ(1, count_of(party.tm, KTMOBJECT_TRANSACTION));
        EXPECT_EQ(1, count_of(party.rm[0], KTMOBJECT_ENLISTMENT));
        EXPECT_OUTCOME(Undetermined, party.tx);
    }
}

/* TM-CREATE-16 TX-CREATE-16 ENL-CREATE-08 GEN-06 GEN-08 */
TEST(without_memory_nothing_is_made)
{
    party = PARTY(false, 0, MASK_FULL);
    guid = guid_number(50);
    uow = guid_number(51);
    name = wide("\\name");
    named = attributes(&name, 0);
    path = log_name("tm");
    EACH (row, rows)
        sweep(row->what, row->make);
}
