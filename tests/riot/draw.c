/* SPDX-License-Identifier: MIT */
/* One argument, drawn by its type. */
#include "tests/riot/riot.h"

#include "ktmw32.h"
#include "wdm.h"

static bool
chance(struct call *call, uint32_t one_in)
{
    return riot_below(call->caller, one_in) == 0;
}

static void *
lend(struct call *call, size_t size)
{
    struct piece *piece = malloc(sizeof(*piece));

    EXPECT(piece);
    piece->at = malloc(size ? size : 1);
    EXPECT(piece->at);
    piece->next = call->pieces;
    call->pieces = piece;
    memset(piece->at, 0, size);
    return piece->at;
}

/* ---- numbers ---- */

static uint32_t
number(struct call *call)
{
    switch (riot_below(call->caller, 8)) {
    case 0:
        return riot_below(call->caller, UINT32_MAX);
    case 1:
        return 1u << riot_below(call->caller, 32);
    case 2:
    case 3:
        return riot_below(call->caller, 16);
    default:
        return 0;
    }
}

static int64_t
large_number(struct call *call)
{
    static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, 2, 1000};

    if (chance(call, 2))
        return edges[riot_below(call->caller, ARRAY_SIZE(edges))];
    if (chance(call, 2))
        return -(int64_t)riot_below(call->caller, 100000);
    return (int64_t)((uint64_t)number(call) << 32 | number(call));
}

/* ---- by type ---- */

static uintptr_t
draw_handle(struct call *call)
{
    uintptr_t handle;

    if (call_is(call, "Duplicate") && call->handle_count != 1 && !chance(call, 8))
        handle = (uintptr_t)NtCurrentProcess();
    else if (call_is(call, "CreateIoCompletionPort") && !chance(call, 4))
        handle = call->handle_count ? 0 : (uintptr_t)INVALID_HANDLE_VALUE;
    else
        handle = (uintptr_t)riot_handle(call->caller, riot_kind_wanted(call));
    call->handle_count++;
    return handle;
}

static uintptr_t
draw_handle_out(struct call *call)
{
    return chance(call, 64) ? 0 : (uintptr_t)&call->made;
}

static uintptr_t
draw_handles(struct call *call)
{
    HANDLE *handles = lend(call, 80 * sizeof(*handles));

    for (int i = 0; i < 80; i++)
        handles[i] = riot_handle(call->caller, i % 2 ? KIND_TX : KINDS);
    return chance(call, 64) ? 0 : (uintptr_t)handles;
}

static uintptr_t
draw_access(struct call *call)
{
    static const ACCESS_MASK good[] = {MAXIMUM_ALLOWED, GENERIC_ALL, GENERIC_READ, 0x1f0000 | 0x3f,
                                       SYNCHRONIZE | 0x3f};

    return chance(call, 4) ? number(call) : good[riot_below(call->caller, ARRAY_SIZE(good))];
}

/* Sizes of what is beside them, flags, counts. */
static uintptr_t
draw_size(struct call *call)
{
    if (!call->is_beside_memory) /* options, masks, times; more often than not there are none */
        return chance(call, 4) ? number(call) : chance(call, 4);
    return chance(call, 2) ? call->size : riot_below(call->caller, (uint32_t)call->size + 1);
}

static uintptr_t
draw_number(struct call *call)
{
    return number(call);
}

static uintptr_t
draw_small(struct call *call)
{
    return riot_below(call->caller, 10);
}

static uintptr_t
draw_bool(struct call *call)
{
    return chance(call, 4);
}

static uintptr_t
draw_large(struct call *call)
{
    LARGE_INTEGER *large = lend(call, sizeof(*large));

    large->QuadPart = large_number(call);
    return chance(call, 4) ? 0 : (uintptr_t)large;
}

static uintptr_t
draw_guid(struct call *call)
{
    GUID *guid = lend(call, sizeof(*guid));

    guid->Data1 = riot_below(call->caller, 6);
    if (chance(call, 2))
        riot_guid(call->caller, guid);
    if (call_is(call, "CreateTransaction") && !chance(call, 4))
        return 0;
    return chance(call, 16) ? 0 : (uintptr_t)guid;
}

static uintptr_t
draw_mask(struct call *call)
{
    static const ULONG good[] = {0x0e, 0x0c, 0x0f, 0x1e, 0xe8, 0xf8};

    return chance(call, 4) ? number(call) : good[riot_below(call->caller, ARRAY_SIZE(good))];
}

static uintptr_t
draw_buffer(struct call *call)
{
    uint8_t *buffer = lend(call, call->size);

    if (chance(call, 2))
        return (uintptr_t)buffer;
    for (size_t i = 0; i < call->size; i++)
        buffer[i] = (uint8_t)(chance(call, 2) ? 0 : riot_below(call->caller, 256));
    return chance(call, 16) ? 0 : (uintptr_t)buffer;
}

static uintptr_t
draw_room(struct call *call)
{
    return chance(call, 16) ? 0 : (uintptr_t)lend(call, 64);
}

/* For a routine that has no way to refuse. */
static uintptr_t
draw_sure_room(struct call *call)
{
    return (uintptr_t)lend(call, 64);
}

/* Text of a few units: names, log paths, nonsense. Ends with a zero. */
static WCHAR *
text(struct call *call, size_t *units)
{
    static const char *const sense[] = {"\\one", "\\two", "/a", "/b", "/none/a", "C:\\c", ""};
    size_t count = riot_below(call->caller, 100);
    WCHAR *made = lend(call, (count + 10) * sizeof(*made));
    const char *chosen = sense[riot_below(call->caller, ARRAY_SIZE(sense))];

    if (chance(call, 4)) {
        for (size_t i = 0; i < count; i++)
            made[i] = (WCHAR)(1 + riot_below(call->caller, chance(call, 4) ? 0xfffe : 126));
    } else {
        count = strlen(chosen);
        for (size_t i = 0; i < count; i++)
            made[i] = (WCHAR)chosen[i];
    }
    *units = count;
    return made;
}

static uintptr_t
draw_text(struct call *call)
{
    size_t units;
    WCHAR *made = text(call, &units);

    return chance(call, 3) ? 0 : (uintptr_t)made;
}

/* Room for as many characters as are said. */
static uintptr_t
draw_text_out(struct call *call)
{
    return chance(call, 8) ? 0 : (uintptr_t)lend(call, 2 * call->size);
}

static UNICODE_STRING *
counted_text(struct call *call)
{
    UNICODE_STRING *string = lend(call, sizeof(*string));
    size_t units;

    string->Buffer = text(call, &units);
    string->Length = (USHORT)(2 * units);
    string->MaximumLength = (USHORT)(2 * units + 2);
    if (chance(call, 16))
        string->Length |= 1;
    if (chance(call, 16))
        string->MaximumLength = (USHORT)number(call);
    if (chance(call, 16))
        string->Buffer = NULL;
    return string;
}

static uintptr_t
draw_counted_text(struct call *call)
{
    return chance(call, 3) ? 0 : (uintptr_t)counted_text(call);
}

static uintptr_t
draw_attributes(struct call *call)
{
    OBJECT_ATTRIBUTES *attributes = lend(call, sizeof(*attributes));

    attributes->Length = chance(call, 32) ? number(call) : sizeof(*attributes);
    if (chance(call, 32))
        attributes->RootDirectory = riot_handle(call->caller, KINDS);
    if (chance(call, 2))
        attributes->ObjectName = counted_text(call);
    /* A protected handle could not be closed at the end. */
    attributes->Attributes = (chance(call, 4)   ? number(call)
                              : chance(call, 2) ? OBJ_OPENIF
                                                : 0) &
                             ~(ULONG)OBJ_PROTECT_CLOSE;
    return chance(call, 4) ? (uintptr_t)attributes : 0;
}

static uintptr_t
draw_security(struct call *call)
{
    SECURITY_ATTRIBUTES *security = lend(call, sizeof(*security));

    security->nLength = chance(call, 8) ? number(call) : sizeof(*security);
    security->bInheritHandle = chance(call, 4);
    return chance(call, 2) ? 0 : (uintptr_t)security;
}

static uintptr_t
draw_overlapped(struct call *call)
{
    OVERLAPPED *overlapped = lend(call, sizeof(*overlapped));

    if (chance(call, 2))
        overlapped->hEvent = riot_handle(call->caller, KIND_EVENT);
    return chance(call, 8) ? 0 : (uintptr_t)overlapped;
}

/* ---- objects ---- */

static uintptr_t
draw_object(struct call *call, enum kind kind, POBJECT_TYPE type)
{
    void *object = NULL;

    for (int i = 0; i < 8 && !object; i++)
        if (ObReferenceObjectByHandle(riot_handle(call->caller, kind), 0, type, KernelMode, &object,
                                      NULL) != STATUS_SUCCESS)
            object = NULL;
    if (object)
        call->objects[call->object_count++] = object;
    else
        call->has_no_object = true;
    return (uintptr_t)object;
}

static uintptr_t
draw_tm(struct call *call)
{
    return draw_object(call, KIND_TM, *TmTransactionManagerObjectType);
}

static uintptr_t
draw_rm(struct call *call)
{
    return draw_object(call, KIND_RM, *TmResourceManagerObjectType);
}

static uintptr_t
draw_tx(struct call *call)
{
    return draw_object(call, KIND_TX, *TmTransactionObjectType);
}

static uintptr_t
draw_en(struct call *call)
{
    return draw_object(call, KIND_EN, *TmEnlistmentObjectType);
}

static NTSTATUS
callback(PKENLISTMENT enlistment, PVOID rm_key, PVOID key, ULONG what, PLARGE_INTEGER clock,
         ULONG length, PVOID argument)
{
    static const NTSTATUS results[] = {STATUS_SUCCESS, STATUS_SUCCESS, STATUS_PENDING,
                                       STATUS_UNSUCCESSFUL};
    struct caller *caller = riot_self();

    (void)enlistment, (void)rm_key, (void)key, (void)what, (void)length, (void)argument;
    if (!caller) /* of a thread of the library's own */
        return STATUS_SUCCESS;
    riot_callback(caller);
    if (riot_below(caller, 8) == 0)
        clock->QuadPart = (LONGLONG)((uint64_t)clock->QuadPart + riot_below(caller, 5));
    return results[riot_below(caller, ARRAY_SIZE(results))];
}

static uintptr_t
draw_callback(struct call *call)
{
    return chance(call, 16) ? 0 : (uintptr_t)callback;
}

/* ---- any type ---- */

static const struct {
    const char *type;
    uintptr_t (*draw)(struct call *call);
} drawers[] = {
    {"HANDLE", draw_handle},
    {"PHANDLE", draw_handle_out},
    {"HANDLE *", draw_handles},
    {"const HANDLE *", draw_handles},
    {"ACCESS_MASK", draw_access},
    {"ULONG", draw_size},
    {"DWORD", draw_size},
    {"ULONG_PTR", draw_number},
    {"NTSTATUS", draw_number},
    {"BOOLEAN", draw_bool},
    {"BOOL", draw_bool},
    {"PLARGE_INTEGER", draw_large},
    {"LPGUID", draw_guid},
    {"PUOW", draw_sure_room},
    {"PCRM_PROTOCOL_ID", draw_guid},
    {"NOTIFICATION_MASK", draw_mask},
    {"PVOID", draw_buffer},
    {"PTRANSACTION_NOTIFICATION", draw_buffer},
    {"PKTMOBJECT_CURSOR", draw_buffer},
    {"PULONG", draw_room},
    {"PDWORD", draw_room},
    {"LPDWORD", draw_room},
    {"PLONG", draw_room},
    {"PBOOLEAN", draw_room},
    {"PULONG_PTR", draw_room},
    {"PVOID *", draw_room},
    {"LPOVERLAPPED *", draw_room},
    {"PIO_STATUS_BLOCK", draw_room},
    {"PUNICODE_STRING", draw_counted_text},
    {"POBJECT_ATTRIBUTES", draw_attributes},
    {"LPSECURITY_ATTRIBUTES", draw_security},
    {"LPCWSTR", draw_text},
    {"LPCSTR", draw_text},
    {"LPWSTR", draw_text},
    {"LPOVERLAPPED", draw_overlapped},
    {"TRANSACTION_INFORMATION_CLASS", draw_small},
    {"TRANSACTIONMANAGER_INFORMATION_CLASS", draw_small},
    {"RESOURCEMANAGER_INFORMATION_CLASS", draw_small},
    {"ENLISTMENT_INFORMATION_CLASS", draw_small},
    {"KTMOBJECT_TYPE", draw_small},
    {"WAIT_TYPE", draw_small},
    {"EVENT_TYPE", draw_small},
    {"PKTM", draw_tm},
    {"PKRESOURCEMANAGER", draw_rm},
    {"PKTRANSACTION", draw_tx},
    {"PKENLISTMENT", draw_en},
    {"PTM_RM_NOTIFICATION", draw_callback},
    {"void", NULL},
};

static bool
is_type(const char *type, size_t size, const char *name)
{
    return strlen(name) == size && strncmp(type, name, size) == 0;
}

/* Waiting for what nobody is going to signal is no bug: such waits are short. So is a freeze that
 * waits for somebody who closes a TM and sits in a callback that waits for others: they wait for
 * the end of the freeze. */
static uintptr_t
bounded(struct call *call, const char *type, size_t size, uintptr_t value)
{
    static LARGE_INTEGER soon = {.QuadPart = -10000};

    if (call_is(call, "GetTransactionInformation") && is_type(type, size, "LPWSTR"))
        return draw_text_out(call);
    if (call_is(call, "GetNotification") && is_type(type, size, "ULONG_PTR"))
        return draw_overlapped(call); /* what it means there */
    if (call_is(call, "DuplicateObject") && is_type(type, size, "ULONG"))
        return value & ~(uintptr_t)OBJ_PROTECT_CLOSE;
    if (!call_is(call, "Wait") && !call_is(call, "GetNotification") &&
        !call_is(call, "Completion") && !call_is(call, "Freeze"))
        return value;
    if (is_type(type, size, "PLARGE_INTEGER"))
        return (uintptr_t)&soon;
    if (is_type(type, size, "DWORD"))
        return value % 64;
    return value;
}

uintptr_t
riot_draw(struct call *call, const char *type, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(drawers); i++)
        if (is_type(type, size, drawers[i].type))
            return bounded(call, type, size, drawers[i].draw ? drawers[i].draw(call) : 0);
    test_fail(__FILE__, __LINE__, "%s: nobody draws a %.*s", call->routine->name, (int)size, type);
}
