/* SPDX-License-Identifier: MIT */
/*
 * Every service of the table (src/nt/services.h) × every kind of bad handle, as Nt and as Zw, made
 * from the table itself: a service that is added there and not here fails the test. Which right
 * each service must want is written down once more, by hand, in matrix.c.
 */
#include "tests/nt/kit.h"

#include "nt/access.h"
#include "nt/services.h"

/* ---- calling any service with a list of numbers ---- */

typedef uintptr_t arguments[10];

#define JOIN(a, b)                                   JOIN_(a, b)
#define JOIN_(a, b)                                  a##b
#define COUNT(...)                                   COUNT_(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#define COUNT_(a, b, c, d, e, f, g, h, i, j, n, ...) n
#define PASS(...)                                    JOIN(PASS_, COUNT(__VA_ARGS__))(__VA_ARGS__)
#define PASS_1(a)                                    PASS_1_##a
#define PASS_1_void                                  /* takes nothing */
#define PASS_1_HANDLE                                (HANDLE) v[0]
#define PASS_2(a, b)                                 (a) v[0], (b)v[1]
#define PASS_3(a, b, c)                              PASS_2(a, b), (c)v[2]
#define PASS_4(a, b, c, d)                           PASS_3(a, b, c), (d)v[3]
#define PASS_5(a, b, c, d, e)                        PASS_4(a, b, c, d), (e)v[4]
#define PASS_6(a, b, c, d, e, f)                     PASS_5(a, b, c, d, e), (f)v[5]
#define PASS_7(a, b, c, d, e, f, g)                  PASS_6(a, b, c, d, e, f), (g)v[6]
#define PASS_8(a, b, c, d, e, f, g, h)               PASS_7(a, b, c, d, e, f, g), (h)v[7]
#define PASS_10(a, b, c, d, e, f, g, h, i, j)        PASS_8(a, b, c, d, e, f, g, h), (i)v[8], (j)v[9]

#define CALLERS(name, kind, right, types)                                                          \
    static NTSTATUS nt_##name(const uintptr_t *v)                                                  \
    {                                                                                              \
        (void)v;                                                                                   \
        return Nt##name(PASS types);                                                               \
    }                                                                                              \
    static NTSTATUS zw_##name(const uintptr_t *v)                                                  \
    {                                                                                              \
        (void)v;                                                                                   \
        return Zw##name(PASS types);                                                               \
    }
#define WITH_HANDLE(S)                                                                             \
    NT_TM_SERVICES(S)                                                                              \
    NT_ENUMERATE_SERVICES(S)                                                                       \
    NT_TX_SERVICES(S)                                                                              \
    NT_RM_SERVICES(S)                                                                              \
    NT_EN_SERVICES(S)                                                                              \
    NT_REQUEST_SERVICES(S)                                                                         \
    NT_EVENT_SERVICES(S)                                                                           \
    NT_PORT_SERVICES(S)

WITH_HANDLE(CALLERS)

#define CALLER(name, kind, right, types) [SERVICE_##name] = {nt_##name, zw_##name},
static NTSTATUS (*const callers[SERVICES][2])(const uintptr_t *v) = {WITH_HANDLE(CALLER)};

/* ---- arguments that are good but for the handle ---- */

static struct party party;
static GUID unknown;
static HANDLE out;
static ULONG length;
static LARGE_INTEGER now;
static union {
    TRANSACTION_PROPERTIES_INFORMATION properties;
    RESOURCEMANAGER_COMPLETION_INFORMATION port;
    PVOID pointers[4];
    char bytes[200];
} room;

/* Where the handle is, and the rest. at -1: the service takes none of its kind. */
struct good {
    int at;
    arguments v;
};

#define P(x) ((uintptr_t)(x))

static bool
good_of_queries(enum service_number service, struct good *good)
{
    switch (service) {
    case SERVICE_QueryInformationTransactionManager:
        *good = (struct good){0, {0, TransactionManagerBasicInformation, P(&room), 200}};
        return true;
    case SERVICE_QueryInformationTransaction:
        *good = (struct good){0, {0, TransactionBasicInformation, P(&room), 200}};
        return true;
    case SERVICE_QueryInformationResourceManager:
        *good = (struct good){0, {0, ResourceManagerBasicInformation, P(&room), 200}};
        return true;
    case SERVICE_QueryInformationEnlistment:
        *good = (struct good){0, {0, EnlistmentBasicInformation, P(&room), 200}};
        return true;
    case SERVICE_SetInformationTransactionManager:
        *good = (struct good){0, {0, TransactionManagerOnlineProbeInformation}};
        return true;
    case SERVICE_SetInformationTransaction:
        *good = (struct good){0, {0, TransactionPropertiesInformation, P(&room.properties), 32}};
        return true;
    case SERVICE_SetInformationResourceManager:
        *good = (struct good){0, {0, ResourceManagerCompletionInformation, P(&room.port), 16}};
        return true;
    case SERVICE_SetInformationEnlistment:
        *good = (struct good){0, {0, EnlistmentRecoveryInformation, P(&room), 4}};
        return true;
    default:
        return false;
    }
}

static bool
good_of_makers(enum service_number service, struct good *good)
{
    switch (service) {
    case SERVICE_CreateTransaction:
        *good = (struct good){4, {P(&out), 1}};
        return true;
    case SERVICE_OpenTransaction:
        *good = (struct good){4, {P(&out), 1, 0, P(&unknown)}};
        return true;
    case SERVICE_CreateResourceManager:
        *good = (struct good){2, {P(&out), 1, 0, P(&unknown), 0, RESOURCE_MANAGER_VOLATILE}};
        return true;
    case SERVICE_OpenResourceManager:
        *good = (struct good){2, {P(&out), 1, 0, P(&unknown)}};
        return true;
    case SERVICE_CreateEnlistment:
        *good = (struct good){2, {P(&out), 1, 0, P(party.tx), 0, 0, MASK_FULL}};
        return true;
    case SERVICE_OpenEnlistment:
        *good = (struct good){2, {P(&out), 1, 0, P(&unknown)}};
        return true;
    default:
        return false;
    }
}

static struct good
good_of(enum service_number service)
{
    struct good good = {.at = -1};

    if (good_of_queries(service, &good) || good_of_makers(service, &good))
        return good;
    switch (service) {
    case SERVICE_GetNotificationResourceManager:
        return (struct good){0, {0, P(&room), 200, P(&now)}};
    case SERVICE_RegisterProtocolAddressInformation:
        return (struct good){0, {0, P(&unknown)}};
    case SERVICE_RemoveIoCompletion:
        return (struct good){
            0, {0, P(&room.pointers[0]), P(&room.pointers[1]), P(&room.pointers[2]), P(&now)}};
    default: /* the handle, and nothing else that is needed */
        good.at = services[service].kind ? 0 : -1;
        return good;
    }
}

/* ---- the table ---- */

static HANDLE objects[OBJECT_PORT + 1];

static void
surroundings(void)
{
    party = PARTY(false, 0, MASK_FULL);
    EXPECT_OK(ExUuidCreate(&unknown));
    memset(&room, 0, sizeof(room));
    out = NULL;
    objects[OBJECT_TM] = party.tm;
    objects[OBJECT_RM] = party.rm[0];
    objects[OBJECT_TX] = party.tx;
    objects[OBJECT_EN] = party.en[0];
    EXPECT_OK(NtCreateEvent(&objects[OBJECT_EVENT], EVENT_ALL_ACCESS, NULL, NotificationEvent, 0));
    EXPECT_OK(NtCreateIoCompletion(&objects[OBJECT_PORT], IO_COMPLETION_ALL_ACCESS, NULL, 0));
}

static NTSTATUS
call(enum service_number service, int is_zw, HANDLE handle)
{
    struct good good = good_of(service);

    EXPECT(good.at >= 0);
    good.v[good.at] = P(handle);
    return callers[service][is_zw](good.v);
}

/* And nothing has happened [GEN-06]. */
static void
expect(enum service_number service, const char *with, NTSTATUS wanted, HANDLE handle)
{
    for (int is_zw = 0; is_zw < 2; is_zw++) {
        NTSTATUS status = call(service, is_zw, handle);

        if (status != wanted)
            test_fail(__FILE__, __LINE__, "%s%s with %s: 0x%x, expected 0x%x", is_zw ? "Zw" : "Nt",
                      services[service].name, with, (unsigned)status, (unsigned)wanted);
        EXPECT(out == NULL);
        EXPECT_EQ(0, length);
    }
}

#define EACH_SERVICE(it)                                                                           \
    for (enum service_number it = 0; it < SERVICES; it++)                                          \
        if (callers[it][0] && services[it].kind)

TEST(every_service_with_a_handle_is_in_the_table) /* GEN-01 GEN-04 */
{
    unsigned count = 0;

    EACH_SERVICE(service)
    {
        EXPECT(good_of(service).at >= 0);
        EXPECT(services[service].right != 0);
        EXPECT((services[service].right & ~access_type(services[service].kind)->valid) == 0);
        count++;
    }
    /* all but those of any object (ob.c), those without handles, and those whose handle's kind
     * depends on the question (matrix.c) */
    EXPECT_EQ(SERVICES - 4 - 7 - 1, count);
}

TEST(no_handle_a_stale_one_and_one_of_each_other_kind) /* GEN-01 GEN-04 GEN-06 */
{
    EACH_SERVICE(service)
    {
        uint8_t kind = services[service].kind;
        HANDLE stale;

        surroundings();
        stale = duplicate(objects[kind], access_type(kind)->valid);
        close_handle(stale);
        expect(service, "a stale handle", STATUS_INVALID_HANDLE, stale);
        expect(service, "a number", STATUS_INVALID_HANDLE, (HANDLE)0x7770);
        expect(service, "INVALID_HANDLE_VALUE", STATUS_INVALID_HANDLE, INVALID_HANDLE_VALUE);
        if (service != SERVICE_CreateTransaction && service != SERVICE_OpenTransaction)
            expect(service, "NULL", STATUS_INVALID_HANDLE, NULL);
        for (uint8_t other = OBJECT_TM; other <= OBJECT_PORT; other++)
            if (other != kind) {
                expect(service, "another kind", STATUS_OBJECT_TYPE_MISMATCH, objects[other]);
                expect(service, "another kind without rights", STATUS_OBJECT_TYPE_MISMATCH,
                       duplicate(objects[other], 0));
            }
        EXPECT_OUTCOME(Undetermined, party.tx);
        EXPECT_EQ(1, clock_of(party.tm));
    }
}

TEST(each_right_that_is_missing) /* GEN-04 GEN-06 OP-24 */
{
    EACH_SERVICE(service)
    {
        uint8_t kind = services[service].kind;
        ACCESS_MASK right = services[service].right, valid = access_type(kind)->valid;

        surroundings();
        expect(service, "no right", STATUS_ACCESS_DENIED, duplicate(objects[kind], 0));
        for (unsigned bit = 0; bit < 32; bit++) {
            ACCESS_MASK one = 1u << bit;

            if (right & one) /* all but one that is wanted */
                expect(service, "a right missing", STATUS_ACCESS_DENIED,
                       duplicate(objects[kind], valid & ~one));
            else if (valid & one) /* none that is wanted */
                expect(service, "another right alone", STATUS_ACCESS_DENIED,
                       duplicate(objects[kind], one));
        }
        EXPECT_OUTCOME(Undetermined, party.tx);
        EXPECT_EQ(1, clock_of(party.tm));
    }
}

TEST(the_rights_wanted_suffice) /* GEN-04 */
{
    EACH_SERVICE(service)
    for (int is_zw = 0; is_zw < 2; is_zw++) {
        uint8_t kind = services[service].kind;
        NTSTATUS status;

        surroundings();
        status = call(service, is_zw, duplicate(objects[kind], services[service].right));
        if (status == STATUS_ACCESS_DENIED || status == STATUS_INVALID_HANDLE ||
            status == STATUS_OBJECT_TYPE_MISMATCH)
            test_fail(__FILE__, __LINE__, "%s: 0x%x", services[service].name, (unsigned)status);
    }
}

/* Everything below a TM expires with it, and rights are looked at before. */
TEST(handles_that_have_expired) /* OBJ-21 CLOSE-TM-03 GEN-05 */
{
    EACH_SERVICE(service)
    {
        uint8_t kind = services[service].kind;
        HANDLE weak;

        if (kind == OBJECT_TM || kind > OBJECT_EN)
            continue;
        surroundings();
        weak = duplicate(objects[kind], 0);
        close_handle(party.tm);
        expect(service, "an expired handle", STATUS_TRANSACTION_OBJECT_EXPIRED, objects[kind]);
        expect(service, "an expired handle without rights", STATUS_ACCESS_DENIED, weak);
    }
}

/* ---- pointers that must not be NULL ---- */

static const struct {
    enum service_number service;
    int at;
    NTSTATUS status;
} mandatory[] = {
    {SERVICE_CreateTransaction, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_OpenTransaction, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_OpenTransaction, 3, STATUS_INVALID_PARAMETER}, /* TX-OPEN-05 */
    {SERVICE_CreateResourceManager, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_CreateResourceManager, 3, STATUS_ACCESS_VIOLATION}, /* RM-CREATE-03 */
    {SERVICE_OpenResourceManager, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_OpenResourceManager, 3, STATUS_INVALID_PARAMETER}, /* RM-OPEN-04 */
    {SERVICE_CreateEnlistment, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_OpenEnlistment, 0, STATUS_ACCESS_VIOLATION},
    {SERVICE_OpenEnlistment, 3, STATUS_INVALID_PARAMETER}, /* ENL-OPEN-03 */
    {SERVICE_QueryInformationTransactionManager, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_QueryInformationTransaction, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_QueryInformationResourceManager, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_QueryInformationEnlistment, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_SetInformationTransaction, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_SetInformationResourceManager, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_SetInformationEnlistment, 2, STATUS_ACCESS_VIOLATION},
    {SERVICE_GetNotificationResourceManager, 1, STATUS_ACCESS_VIOLATION},
    {SERVICE_RegisterProtocolAddressInformation, 1, STATUS_INVALID_PARAMETER}, /* PROP-02 */
};

/* Before the handle, good or not, is looked at. */
TEST(pointers_that_must_not_be_null) /* GEN-05 GEN-07 */
{
    EACH (row, mandatory)
        for (int is_good = 0; is_good < 2; is_good++) {
            struct good good;
            NTSTATUS status;

            surroundings();
            good = good_of(row->service);
            good.v[good.at] = is_good ? P(objects[services[row->service].kind]) : 0x7770;
            good.v[row->at] = 0;
            status = callers[row->service][0](good.v);
            if (status != row->status)
                test_fail(__FILE__, __LINE__, "Nt%s without argument %d: 0x%x",
                          services[row->service].name, row->at, (unsigned)status);
            EXPECT(out == NULL);
        }
}

/* ---- by pointer: no rights, the rest as above [GEN-02] ---- */

#define BY_CLOCK(routine) Tm##routine((PKENLISTMENT)object, NULL)
#define POINTER_ROUTINES(T)                                                                        \
    T(CommitTransaction, OBJECT_TX, TmCommitTransaction((PKTRANSACTION)object, FALSE))             \
    T(RollbackTransaction, OBJECT_TX, TmRollbackTransaction((PKTRANSACTION)object, FALSE))         \
    T(RecoverResourceManager, OBJECT_RM, TmRecoverResourceManager((PKRESOURCEMANAGER)object))      \
    T(PropagationComplete, OBJECT_RM,                                                              \
      TmPropagationComplete((PKRESOURCEMANAGER)object, 0, 0, NULL))                                \
    T(PropagationFailed, OBJECT_RM, TmPropagationFailed((PKRESOURCEMANAGER)object, 0, 0))          \
    T(RecoverEnlistment, OBJECT_EN, TmRecoverEnlistment((PKENLISTMENT)object, NULL))               \
    T(PrePrepareEnlistment, OBJECT_EN, BY_CLOCK(PrePrepareEnlistment))                             \
    T(PrepareEnlistment, OBJECT_EN, BY_CLOCK(PrepareEnlistment))                                   \
    T(CommitEnlistment, OBJECT_EN, BY_CLOCK(CommitEnlistment))                                     \
    T(RollbackEnlistment, OBJECT_EN, BY_CLOCK(RollbackEnlistment))                                 \
    T(PrePrepareComplete, OBJECT_EN, BY_CLOCK(PrePrepareComplete))                                 \
    T(PrepareComplete, OBJECT_EN, BY_CLOCK(PrepareComplete))                                       \
    T(CommitComplete, OBJECT_EN, BY_CLOCK(CommitComplete))                                         \
    T(RollbackComplete, OBJECT_EN, BY_CLOCK(RollbackComplete))                                     \
    T(ReadOnlyEnlistment, OBJECT_EN, BY_CLOCK(ReadOnlyEnlistment))                                 \
    T(SinglePhaseReject, OBJECT_EN, BY_CLOCK(SinglePhaseReject))

#define POINTER_CALLER(name, kind, expression)                                                     \
    static NTSTATUS tm_##name(PVOID object)                                                        \
    {                                                                                              \
        return expression;                                                                         \
    }
POINTER_ROUTINES(POINTER_CALLER)

#define POINTER_ROW(name, kind, expression) {SERVICE_##name, kind, tm_##name},
static const struct {
    enum service_number twin;
    uint8_t kind;
    NTSTATUS (*call)(PVOID object);
} by_pointer[] = {POINTER_ROUTINES(POINTER_ROW)};

TEST(twins_by_pointer_take_no_rights) /* GEN-02 GEN-07 TMR-05 TMR-08 TMR-09 PROP-07 */
{
    EACH (row, by_pointer) {
        HANDLE weak;
        PVOID object;
        NTSTATUS wanted, status;

        EXPECT_EQ(services[row->twin].kind, row->kind);
        surroundings();
        wanted = call(row->twin, 0, objects[row->kind]); /* with all rights */
        surroundings();
        weak = duplicate(objects[row->kind], 0);
        object = pointer_to(weak);
        status = row->call(object);
        if (status != wanted)
            test_fail(__FILE__, __LINE__, "Tm%s: 0x%x, Nt: 0x%x", services[row->twin].name,
                      (unsigned)status, (unsigned)wanted);
        EXPECT_STATUS(STATUS_ACCESS_VIOLATION, row->call(NULL));
        close_handle(party.tm);
        EXPECT_STATUS(STATUS_TRANSACTION_OBJECT_EXPIRED, row->call(object));
    }
}
