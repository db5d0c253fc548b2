/* SPDX-License-Identifier: MIT */
/* What is the same for every kind of object: names, attributes, closing, duplicating, waiting
 * [GEN, OBJ, NAME]. */
#include "tests/nt/kit.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "ktm.h"

static HANDLE const untouched = (HANDLE)0x1234;

/* ---- a routine for each kind of object ---------------------------------------------------------
 */

static HANDLE tm, rm, tx; /* what new objects belong to */

static void
surroundings(void)
{
    tm = new_volatile_tm();
    rm = new_volatile_rm(tm);
    tx = new_tx(tm);
}

static NTSTATUS
create_tm(HANDLE *out, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa)
{
    return NtCreateTransactionManager(out, access, oa, NULL, TRANSACTION_MANAGER_VOLATILE, 0);
}

static NTSTATUS
create_rm(HANDLE *out, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa)
{
    GUID guid;

    EXPECT_OK(ExUuidCreate(&guid));
    return NtCreateResourceManager(out, access, tm, &guid, oa, RESOURCE_MANAGER_VOLATILE, NULL);
}

static NTSTATUS
create_tx(HANDLE *out, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa)
{
    return NtCreateTransaction(out, access, oa, NULL, tm, 0, 0, 0, NULL, NULL);
}

static NTSTATUS
create_en(HANDLE *out, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa)
{
    return NtCreateEnlistment(out, access, rm, new_tx(tm), oa, 0, MASK_FULL, NULL);
}

static const struct {
    NTSTATUS (*create)(HANDLE *out, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa);
    ACCESS_MASK all;
} kinds[] = {
    {create_tm, TRANSACTIONMANAGER_ALL_ACCESS},
    {create_rm, RESOURCEMANAGER_ALL_ACCESS},
    {create_tx, TRANSACTION_ALL_ACCESS},
    {create_en, ENLISTMENT_ALL_ACCESS},
};

static ACCESS_MASK
access_of(HANDLE handle, ULONG *flags)
{
    OBJECT_HANDLE_INFORMATION info;
    PVOID object;

    EXPECT_OK(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, &info));
    ObDereferenceObject(object);
    if (flags)
        *flags = info.HandleAttributes;
    return info.GrantedAccess;
}

/* ---- attributes and rights ---------------------------------------------------------------------
 */

TEST(attributes_are_optional) /* OBJ-01 OBJ-03 OBJ-04 */
{
    OBJECT_ATTRIBUTES inherit = attributes(NULL, OBJ_INHERIT), kernel = attributes(NULL, 0x1fe0);
    ULONG flags;
    HANDLE out;

    surroundings();
    EACH (kind, kinds) {
        EXPECT_OK(kind->create(&out, kind->all, NULL));
        EXPECT_EQ(kind->all, access_of(out, &flags));
        EXPECT_EQ(0, flags);
        EXPECT_OK(kind->create(&out, kind->all, &inherit));
        access_of(out, &flags);
        EXPECT_EQ(OBJ_INHERIT, flags);
        EXPECT_OK(kind->create(&out, kind->all, &kernel)); /* accepted, no effect */
        access_of(out, &flags);
        EXPECT_EQ(0, flags);
    }
}

TEST(attributes_are_checked) /* OBJ-02 GEN-06 */
{
    OBJECT_ATTRIBUTES oa = attributes(NULL, 0);
    HANDLE out = untouched;

    surroundings();
    EACH (kind, kinds) {
        for (ULONG length = 0; length < 100; length++)
            if (length != 48) {
                oa.Length = length;
                EXPECT_STATUS(STATUS_INVALID_PARAMETER, kind->create(&out, kind->all, &oa));
            }
        oa.Length = 48;
        for (int bit = 0; bit < 32; bit++)
            if (!(OBJ_VALID_ATTRIBUTES & 1u << bit) || 1u << bit == OBJ_PERMANENT) {
                oa.Attributes = 1u << bit;
                EXPECT_STATUS(STATUS_INVALID_PARAMETER, kind->create(&out, kind->all, &oa));
            }
        oa.Attributes = 0;
        EXPECT_STATUS(STATUS_ACCESS_VIOLATION, kind->create(NULL, kind->all, &oa)); /* GEN-07 */
    }
    EXPECT(out == untouched);
}

TEST(security_descriptors_are_not_looked_at) /* OBJ-16 */
{
    OBJECT_ATTRIBUTES oa = attributes(NULL, 0);
    char junk[64] = "not a descriptor";
    HANDLE out;

    surroundings();
    oa.SecurityDescriptor = junk;
    oa.SecurityQualityOfService = junk;
    EACH (kind, kinds) {
        EXPECT_OK(kind->create(&out, kind->all, &oa));
        EXPECT_EQ(kind->all, access_of(out, NULL));
    }
}

TEST(rights_are_those_asked_for) /* OBJ-12 OBJ-13 OBJ-16 */
{
    HANDLE out = untouched;

    surroundings();
    EACH (kind, kinds) {
        EXPECT_OK(kind->create(&out, READ_CONTROL, NULL));
        EXPECT_EQ(READ_CONTROL, access_of(out, NULL));
        EXPECT_OK(kind->create(&out, GENERIC_ALL, NULL));
        EXPECT_EQ(kind->all, access_of(out, NULL));
        EXPECT_OK(kind->create(&out, MAXIMUM_ALLOWED, NULL));
        EXPECT_EQ(kind->all, access_of(out, NULL));
        out = untouched;
        EXPECT_STATUS(STATUS_ACCESS_DENIED, kind->create(&out, 0x8000, NULL));
        EXPECT_STATUS(STATUS_ACCESS_DENIED, kind->create(&out, kind->all | 0x8000, NULL));
        EXPECT_STATUS(STATUS_ACCESS_DENIED, kind->create(&out, ACCESS_SYSTEM_SECURITY, NULL));
        EXPECT(out == untouched);
    }
}

TEST(a_handle_without_rights) /* OBJ-14 OBJ-15 OP-25 */
{
    HANDLE out;
    char room[100];

    surroundings();
    EXPECT_OK(create_tm(&out, 0, NULL));
    EXPECT_EQ(0, access_of(out, NULL));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtQueryInformationTransactionManager(out, TransactionManagerBasicInformation,
                                                       room, sizeof(room), NULL));
    EXPECT_OK(create_rm(&out, 0, NULL));
    EXPECT_OK(create_en(&out, 0, NULL));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, create_tx(&out, 0, NULL));
}

/* ---- names -------------------------------------------------------------------------------------
 */

TEST(every_kind_can_be_named) /* OBJ-05 OBJ-07 OBJ-08 OBJ-09 GEN-03 NAME-06 OP-26 */
{
    UNICODE_STRING name = wide("\\ledger");
    OBJECT_ATTRIBUTES plain = attributes(&name, 0), open_if = attributes(&name, OBJ_OPENIF);

    surroundings();
    EACH (kind, kinds) {
        HANDLE first, second, weak;
        PVOID object;

        EXPECT_OK(kind->create(&first, kind->all, &plain));
        object = pointer_to(first);
        EACH (other, kinds) {
            HANDLE out = untouched;

            EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, other->create(&out, other->all, &plain));
            if (other != kind)
                EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH,
                              other->create(&out, other->all, &open_if));
            EXPECT(out == untouched);
        }
        EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS, kind->create(&second, kind->all, &open_if));
        EXPECT(NT_SUCCESS(STATUS_OBJECT_NAME_EXISTS));
        EXPECT(second != first && pointer_to(second) == object);
        ObDereferenceObject(object);
        ObDereferenceObject(object);
        EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS, kind->create(&weak, READ_CONTROL, &open_if));
        EXPECT_EQ(READ_CONTROL, access_of(weak, NULL));
        EXPECT_STATUS(STATUS_ACCESS_DENIED, kind->create(&weak, 0x8000, &open_if));
        close_handle(first); /* the name lives as long as any handle */
        close_handle(weak);
        EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, kind->create(&first, kind->all, &plain));
        close_handle(second);
        EXPECT_OK(kind->create(&first, kind->all, &plain));
        close_handle(first);
    }
}

TEST(every_handle_counts_for_the_name) /* OBJ-05 */
{
    UNICODE_STRING name = wide("\\tx");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE first, handles[3], out;
    PVOID object;
    GUID uow;

    surroundings();
    EXPECT_OK(create_tx(&first, TRANSACTION_ALL_ACCESS, &named));
    uow = guid_of_tx(first);
    object = pointer_to(first); /* counts for nothing */
    handles[0] = duplicate(first, READ_CONTROL);
    EXPECT_OK(NtOpenTransaction(&handles[1], READ_CONTROL, NULL, &uow, NULL));
    EXPECT_OK(ObOpenObjectByPointer(object, 0, NULL, READ_CONTROL, NULL, KernelMode, &handles[2]));
    close_handle(first);
    ObDereferenceObject(object);
    EACH (handle, handles) {
        EXPECT_STATUS(STATUS_OBJECT_NAME_COLLISION, create_tx(&out, READ_CONTROL, &named));
        close_handle(*handle);
    }
    EXPECT_OK(create_tx(&out, READ_CONTROL, &named));
}

TEST(names_have_a_form) /* OBJ-06 NAME-06 GEN-06 */
{
    char longest[258] = "\\";
    UNICODE_STRING odd = wide("\\name"), nothing = {10, 10, NULL};
    const struct {
        UNICODE_STRING name;
        NTSTATUS status;
    } rows[] = {
        {wide("\\"), STATUS_OBJECT_NAME_INVALID},
        {{0}, STATUS_OBJECT_NAME_INVALID},
        {wide("name"), STATUS_OBJECT_PATH_SYNTAX_BAD},
        {wide("/name"), STATUS_OBJECT_PATH_SYNTAX_BAD},
        {(odd.Length--, odd), STATUS_OBJECT_NAME_INVALID},
        {nothing, STATUS_ACCESS_VIOLATION},
        {(memset(longest + 1, 'n', 256), wide(longest)), STATUS_OBJECT_NAME_INVALID},
        {(longest[256] = 0, wide(longest)), STATUS_SUCCESS},
        {wide("\\n"), STATUS_SUCCESS},
        {wide("\\no\\such\\directory"), STATUS_SUCCESS},
    };

    surroundings();
    EACH (row, rows)
        EACH (kind, kinds) {
            UNICODE_STRING name = row->name;
            OBJECT_ATTRIBUTES named = attributes(&name, 0);
            HANDLE out = untouched;

            EXPECT_STATUS(row->status, kind->create(&out, kind->all, &named));
            if (NT_SUCCESS(row->status))
                close_handle(out);
            else
                EXPECT(out == untouched);
        }
}

TEST(there_are_no_directories) /* OBJ-06 */
{
    UNICODE_STRING name = wide("name");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE out = untouched;

    surroundings();
    named.RootDirectory = (HANDLE)0x7770;
    EXPECT_STATUS(STATUS_INVALID_HANDLE, create_tx(&out, TRANSACTION_ALL_ACCESS, &named));
    named.RootDirectory = tm;
    EXPECT_STATUS(STATUS_OBJECT_TYPE_MISMATCH, create_tx(&out, TRANSACTION_ALL_ACCESS, &named));
    EXPECT(out == untouched);
}

TEST(case_matters_unless_said_otherwise) /* NAME-06 */
{
    static WCHAR lower[] = {'\\', 0xe4, 0x3b1, 0x44f, 0x161, 'x'};
    static WCHAR upper[] = {'\\', 0xc4, 0x391, 0x42f, 0x160, 'X'};
    UNICODE_STRING small = {sizeof(lower), sizeof(lower), lower};
    UNICODE_STRING large = {sizeof(upper), sizeof(upper), upper};
    OBJECT_ATTRIBUTES exact = attributes(&large, OBJ_OPENIF);
    OBJECT_ATTRIBUTES folded = attributes(&large, OBJ_OPENIF | OBJ_CASE_INSENSITIVE);
    OBJECT_ATTRIBUTES first_name = attributes(&small, 0);
    HANDLE first, second, out;

    surroundings();
    EXPECT_OK(create_tx(&first, TRANSACTION_ALL_ACCESS, &first_name));
    EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS, create_tx(&out, TRANSACTION_ALL_ACCESS, &folded));
    EXPECT_GUID(guid_of_tx(first), guid_of_tx(out));
    EXPECT_OK(create_tx(&second, TRANSACTION_ALL_ACCESS, &exact));
    EXPECT_STATUS(STATUS_OBJECT_NAME_EXISTS, create_tx(&out, TRANSACTION_ALL_ACCESS, &folded));
    EXPECT_GUID(guid_of_tx(second), guid_of_tx(out)); /* the exact one wins */
}

TEST(opening_by_guid_takes_no_name) /* OBJ-11 */
{
    UNICODE_STRING name = wide("\\name");
    OBJECT_ATTRIBUTES named = attributes(&name, 0);
    HANDLE en, out = untouched;
    GUID guid;

    surroundings();
    EXPECT_OK(create_en(&en, ENLISTMENT_ALL_ACCESS, NULL));
    guid = guid_of_tx(tx);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenTransaction(&out, 1, &named, &guid, NULL));
    guid = guid_of_rm(rm);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenResourceManager(&out, 1, tm, &guid, &named));
    guid = guid_of_en(en);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtOpenEnlistment(&out, 1, rm, &guid, &named));
    EXPECT(out == untouched);
}

/* ---- closing and duplicating -------------------------------------------------------------------
 */

TEST(a_handle_is_closed_once) /* GEN-09 GEN-10 */
{
    static const uintptr_t wrong[] = {0, 1, 4, 0x7770, 0x3ffffff0, UINTPTR_MAX, UINTPTR_MAX - 1};
    HANDLE handle = new_tx(NULL);

    EACH (value, wrong)
        EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose((HANDLE)*value));
    EXPECT_OK(NtClose(handle));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(handle));
    new_tx(NULL); /* in the same place */
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(handle));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, ZwClose(handle));
}

TEST(a_protected_handle_stays_open) /* GEN-10 */
{
    HANDLE handle = new_tx(NULL), copy, other = untouched;
    ULONG flags;

    EXPECT_OK(NtDuplicateObject(NtCurrentProcess(), handle, NtCurrentProcess(), &copy, 0,
                                OBJ_PROTECT_CLOSE | OBJ_INHERIT, DUPLICATE_SAME_ACCESS));
    access_of(copy, &flags);
    EXPECT_EQ(OBJ_PROTECT_CLOSE | OBJ_INHERIT, flags);
    EXPECT_STATUS(STATUS_HANDLE_NOT_CLOSABLE, NtClose(copy));
    EXPECT_STATUS(STATUS_HANDLE_NOT_CLOSABLE,
                  NtDuplicateObject(NtCurrentProcess(), copy, NtCurrentProcess(), &other, 0, 0,
                                    DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    EXPECT(other == untouched); /* no copy is left behind: GEN-06 */
    EXPECT_OK(NtDuplicateObject(NtCurrentProcess(), copy, NtCurrentProcess(), &other, 0, 0,
                                DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES));
    EXPECT_STATUS(STATUS_HANDLE_NOT_CLOSABLE, NtClose(other));
    close_handle(handle);
    EXPECT_OUTCOME(Undetermined, copy);
}

TEST(a_duplicate_has_at_most_the_rights_of_its_source)
{
    HANDLE handle = new_tx(NULL), weak = duplicate(handle, TRANSACTION_QUERY_INFORMATION),
           out = NULL;
    HANDLE self = NtCurrentProcess();

    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtDuplicateObject(self, weak, self, &out, TRANSACTION_COMMIT, 0, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED,
                  NtDuplicateObject(self, weak, self, &out, GENERIC_ALL, 0, 0));
    EXPECT_STATUS(STATUS_ACCESS_DENIED, NtDuplicateObject(self, handle, self, &out, 0x8000, 0, 0));
    EXPECT(out == NULL);
    EXPECT_OK(NtDuplicateObject(self, weak, self, &out, MAXIMUM_ALLOWED, 0, 0));
    EXPECT_EQ(TRANSACTION_QUERY_INFORMATION, access_of(out, NULL));
    EXPECT_OK(NtDuplicateObject(self, handle, self, &out, GENERIC_READ, 0, 0));
    EXPECT_EQ(TRANSACTION_GENERIC_READ, access_of(out, NULL));
}

TEST(duplicating_checks_its_parameters)
{
    HANDLE handle = new_tx(NULL), self = NtCurrentProcess(), out = untouched;

    EXPECT_STATUS(STATUS_INVALID_HANDLE,
                  NtDuplicateObject(self, NULL, self, &out, 0, 0, DUPLICATE_SAME_ACCESS));
    EXPECT_STATUS(STATUS_INVALID_HANDLE,
                  NtDuplicateObject(NULL, handle, self, &out, 0, 0, DUPLICATE_SAME_ACCESS));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtDuplicateObject(self, handle, (HANDLE)0x7770, &out, 0, 0,
                                                           DUPLICATE_SAME_ACCESS));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER, NtDuplicateObject(self, handle, self, &out, 1, 0, 8));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER,
                  NtDuplicateObject(self, handle, self, &out, 1, 0x40, 0));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtDuplicateObject(self, handle, self, NULL, 1, 0, 0));
    EXPECT(out == untouched);
    EXPECT_OK(NtDuplicateObject(self, handle, self, &out, 0, 0,
                                DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(handle));
    EXPECT_OUTCOME(Undetermined, out); /* was never without a handle */
    EXPECT_OK(NtDuplicateObject(self, out, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE)); /* closes */
    EXPECT_STATUS(STATUS_INVALID_HANDLE, NtClose(out));
}

/* ---- waiting -----------------------------------------------------------------------------------
 */

TEST(transactions_and_rms_can_be_waited_for) /* OBJ-19 GEN-03 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    LARGE_INTEGER now = {.QuadPart = 0}, short_time = milliseconds(20);

    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForSingleObject(party.tx, FALSE, &now));
    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForSingleObject(party.rm[0], FALSE, &short_time));
    EXPECT(NT_SUCCESS(STATUS_TIMEOUT) && NT_SUCCESS(STATUS_PENDING));
    EXPECT(!NT_SUCCESS(STATUS_BUFFER_OVERFLOW) && !NT_SUCCESS(STATUS_NO_MORE_ENTRIES));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_OK(NtWaitForSingleObject(party.rm[0], FALSE, NULL)); /* the queue is not empty */
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForSingleObject(party.rm[0], FALSE, &now));
    EXPECT_STATUS(STATUS_TIMEOUT, ZwWaitForSingleObject(party.tx, FALSE, &now));
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT_OK(NtWaitForSingleObject(party.tx, TRUE, NULL));
    EXPECT_OK(NtWaitForSingleObject(party.tx, FALSE, &now)); /* SIG-04: stays signalled */
}

TEST(waiting_needs_a_waitable_object_and_its_right) /* OBJ-19 GEN-04 */
{
    struct party party = PARTY(false, 0, MASK_FULL);
    HANDLE weak = duplicate(party.tx, TRANSACTION_ALL_ACCESS & ~SYNCHRONIZE), stale = new_tx(NULL);
    LARGE_INTEGER now = {.QuadPart = 0};
    const struct {
        HANDLE handle;
        NTSTATUS status;
    } rows[] = {
        {NULL, STATUS_INVALID_HANDLE},
        {stale, STATUS_INVALID_HANDLE},
        {party.tm, STATUS_OBJECT_TYPE_MISMATCH},
        {party.en[0], STATUS_OBJECT_TYPE_MISMATCH},
        {weak, STATUS_ACCESS_DENIED},
    };

    close_handle(stale);
    EACH (row, rows) {
        HANDLE pair[] = {party.tx, row->handle};
        int fd = -1;

        EXPECT_STATUS(row->status, NtWaitForSingleObject(row->handle, FALSE, &now));
        EXPECT_STATUS(row->status, NtWaitForMultipleObjects(2, pair, WaitAny, FALSE, &now));
        EXPECT_STATUS(row->status, NtWaitForMultipleObjects(2, pair, WaitAll, FALSE, &now));
        EXPECT_STATUS(row->status, KtmGetWaitFd(row->handle, &fd));
        EXPECT_EQ(-1, fd);
    }
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, KtmGetWaitFd(party.tx, NULL));
}

static void *
commit_soon(void *argument)
{
    usleep(30000);
    EXPECT_OK(NtCommitTransaction(argument, TRUE));
    return NULL;
}

TEST(waiting_for_any_of_several) /* OBJ-19 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    HANDLE handles[] = {party.tx, party.rm[0], new_tx(NULL)};
    LARGE_INTEGER now = {.QuadPart = 0}, short_time = milliseconds(20);
    pthread_t thread;

    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForMultipleObjects(3, handles, WaitAny, FALSE, &now));
    EXPECT_STATUS(STATUS_TIMEOUT,
                  NtWaitForMultipleObjects(3, handles, WaitAny, FALSE, &short_time));
    EXPECT_EQ(0, pthread_create(&thread, NULL, commit_soon, handles[2]));
    EXPECT_STATUS(STATUS_WAIT_0 + 2, NtWaitForMultipleObjects(3, handles, WaitAny, FALSE, NULL));
    pthread_join(thread, NULL);
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT_STATUS(STATUS_WAIT_0 + 1, ZwWaitForMultipleObjects(3, handles, WaitAny, FALSE, NULL));
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
    EXPECT_STATUS(STATUS_WAIT_0 + 2, NtWaitForMultipleObjects(3, handles, WaitAny, FALSE, NULL));
    EXPECT_STATUS(STATUS_TIMEOUT,
                  NtWaitForMultipleObjects(2, handles, WaitAny, FALSE, &short_time));
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT_STATUS(STATUS_WAIT_0, NtWaitForMultipleObjects(3, handles, WaitAny, FALSE, NULL));
}

TEST(waiting_for_all_of_several) /* OBJ-19 */
{
    HANDLE handles[] = {new_tx(NULL), new_tx(NULL), new_tx(NULL)};
    LARGE_INTEGER short_time = milliseconds(20);
    pthread_t thread;

    EXPECT_OK(NtCommitTransaction(handles[0], TRUE));
    EXPECT_OK(NtRollbackTransaction(handles[1], TRUE));
    EXPECT_STATUS(STATUS_TIMEOUT,
                  NtWaitForMultipleObjects(3, handles, WaitAll, FALSE, &short_time));
    EXPECT_EQ(0, pthread_create(&thread, NULL, commit_soon, handles[2]));
    EXPECT_OK(NtWaitForMultipleObjects(3, handles, WaitAll, FALSE, NULL));
    pthread_join(thread, NULL);
    EXPECT_OUTCOME(Committed, handles[2]);
}

TEST(waiting_for_several_checks_its_parameters)
{
    HANDLE handles[65];
    LARGE_INTEGER now = {.QuadPart = 0};

    EACH (handle, handles)
        *handle = new_tx(NULL);
    EXPECT_STATUS(STATUS_INVALID_PARAMETER_1,
                  NtWaitForMultipleObjects(0, handles, WaitAny, FALSE, &now));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER_1,
                  NtWaitForMultipleObjects(65, handles, WaitAny, FALSE, &now));
    EXPECT_STATUS(STATUS_INVALID_PARAMETER_3,
                  NtWaitForMultipleObjects(64, handles, (WAIT_TYPE)2, FALSE, &now));
    EXPECT_STATUS(STATUS_ACCESS_VIOLATION, NtWaitForMultipleObjects(1, NULL, WaitAny, FALSE, &now));
    EXPECT_STATUS(STATUS_TIMEOUT, NtWaitForMultipleObjects(64, handles, WaitAny, FALSE, &now));
    EXPECT_OK(NtCommitTransaction(handles[63], TRUE));
    EXPECT_STATUS(STATUS_WAIT_0 + 63, NtWaitForMultipleObjects(64, handles, WaitAny, FALSE, &now));
}

static bool
is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, 0) == 1;
}

TEST(descriptors_can_be_polled) /* OBJ-19 SIG-01 */
{
    struct party party = PARTY(false, 0, MASK_LATE);
    int tx_fd, rm_fd, same;

    EXPECT_OK(KtmGetWaitFd(party.tx, &tx_fd));
    EXPECT_OK(KtmGetWaitFd(party.rm[0], &rm_fd));
    EXPECT_OK(KtmGetWaitFd(duplicate(party.tx, SYNCHRONIZE), &same));
    EXPECT_EQ(tx_fd, same);
    EXPECT(!is_readable(tx_fd) && !is_readable(rm_fd));
    EXPECT_STATUS(STATUS_PENDING, NtCommitTransaction(party.tx, FALSE));
    EXPECT(!is_readable(tx_fd) && is_readable(rm_fd));
    EXPECT_NOTE(party.rm[0], key_number(1), COMMIT);
    EXPECT(!is_readable(tx_fd) && !is_readable(rm_fd));
    EXPECT_OK(NtCommitComplete(party.en[0], NULL));
    EXPECT(is_readable(tx_fd));
}

/* ---- the two names of a service ----------------------------------------------------------------
 */

#include "nt/services.h"

#define IS_TWIN(name, kind, right, arguments) EXPECT((void *)Nt##name == (void *)Zw##name);

TEST(nt_and_zw_are_one_service) /* GEN-01 */
{
    NT_SERVICES(IS_TWIN)
}
