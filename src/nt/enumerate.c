/* SPDX-License-Identifier: MIT */
/*
 * Listing objects by GUID [ENUM-01..11].
 *
 * The cursor holds nothing but the last GUID told, so each call looks at all objects and keeps the
 * smallest GUIDs after that one: as many as fit, in a heap whose top is the greatest.
 */
#include "engine/engine.h"
#include "nt/services.h"

#include <stdlib.h>
#include <string.h>

#define CURSOR_FIXED offsetof(KTMOBJECT_CURSOR, ObjectIds)

struct listing {
    GUID after;
    bool from_start; /* the first call: 'after' itself is listed too, if there is one */
    size_t room;     /* GUIDs the caller's buffer has room for */
    size_t size;     /* of the heap's memory */
    size_t count;
    size_t found; /* also those that did not fit */
    GUID *heap;
    bool no_memory;
};

static void
swap(GUID *a, GUID *b)
{
    GUID c = *a;

    *a = *b;
    *b = c;
}

static void
sift_up(GUID *heap, size_t at)
{
    while (at > 0 && guid_compare(&heap[at], &heap[(at - 1) / 2]) > 0) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void
sift_down(GUID *heap, size_t count, size_t at)
{
    for (;;) {
        size_t greatest = at, child = 2 * at + 1;

        for (size_t i = child; i < child + 2 && i < count; i++)
            if (guid_compare(&heap[i], &heap[greatest]) > 0)
                greatest = i;
        if (greatest == at)
            return;
        swap(&heap[at], &heap[greatest]);
        at = greatest;
    }
}

static bool
heap_grow(struct listing *listing)
{
    size_t size = listing->size ? 2 * listing->size : 64;
    GUID *heap = realloc(listing->heap, size * sizeof(*heap));

    if (!heap)
        return false;
    listing->heap = heap;
    listing->size = size;
    return true;
}

static void
collect(void *context, const GUID *guid)
{
    struct listing *listing = context;
    int order = guid_compare(guid, &listing->after);

    if (order < 0 || (order == 0 && !listing->from_start) || listing->no_memory)
        return;
    listing->found++;
    if (listing->count == listing->room) {
        if (guid_compare(guid, &listing->heap[0]) < 0) {
            listing->heap[0] = *guid;
            sift_down(listing->heap, listing->count, 0);
        }
        return;
    }
    if (listing->count == listing->size && !heap_grow(listing)) {
        listing->no_memory = true;
        return;
    }
    listing->heap[listing->count] = *guid;
    sift_up(listing->heap, listing->count++);
}

static int
by_guid(const void *a, const void *b)
{
    return guid_compare(a, b);
}

static NTSTATUS
deliver(struct listing *listing, PKTMOBJECT_CURSOR cursor, PULONG ReturnLength)
{
    if (listing->count > 0) {
        qsort(listing->heap, listing->count, sizeof(GUID), by_guid);
        memcpy((char *)cursor + CURSOR_FIXED, listing->heap, listing->count * sizeof(GUID));
        cursor->LastQuery = listing->heap[listing->count - 1];
    }
    cursor->ObjectIdCount = (ULONG)listing->count;
    *ReturnLength = (ULONG)(CURSOR_FIXED + listing->count * sizeof(GUID));
    if (listing->found > listing->count)
        return STATUS_SUCCESS;                   /* more remain [ENUM-02] */
    return status_raise(STATUS_NO_MORE_ENTRIES); /* [ENUM-03] */
}

static NTSTATUS
list(struct object *root, enum object_kind kind, PKTMOBJECT_CURSOR cursor, ULONG length,
     PULONG ReturnLength)
{
    struct engine *engine = engine_instance();
    struct listing listing = {
        .after = cursor->LastQuery,
        .from_start = guid_is_zero(&cursor->LastQuery) && cursor->ObjectIdCount == 0,
        .room = (length - CURSOR_FIXED) / sizeof(GUID),
    };
    NTSTATUS status;

    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    status = engine_enumerate(engine, root, kind, collect, &listing);
    if (status == STATUS_SUCCESS && listing.no_memory)
        status = status_raise(STATUS_INSUFFICIENT_RESOURCES);
    if (status == STATUS_SUCCESS)
        status = deliver(&listing, cursor, ReturnLength);
    free(listing.heap);
    return status;
}

/* What each query lists, and the root it takes; a kind of root of 0 is the instance. */
static const struct {
    KTMOBJECT_TYPE query;
    uint8_t root;
    uint8_t kind;
    ACCESS_MASK right;
} queries[] = {
    {KTMOBJECT_TRANSACTION_MANAGER, 0, OBJECT_TM, 0},
    {KTMOBJECT_RESOURCE_MANAGER, OBJECT_TM, OBJECT_RM, TRANSACTIONMANAGER_QUERY_INFORMATION},
    {KTMOBJECT_ENLISTMENT, OBJECT_RM, OBJECT_EN, RESOURCEMANAGER_QUERY_INFORMATION},
    {KTMOBJECT_TRANSACTION, OBJECT_TM, OBJECT_TX, TRANSACTIONMANAGER_QUERY_INFORMATION},
    {KTMOBJECT_TRANSACTION, 0, OBJECT_TX, 0},
};

NTSTATUS
service_EnumerateTransactionObject(HANDLE RootObjectHandle, KTMOBJECT_TYPE QueryType,
                                   PKTMOBJECT_CURSOR ObjectCursor, ULONG ObjectCursorLength,
                                   PULONG ReturnLength)
{
    if (!ObjectCursor || !ReturnLength)
        return status_raise(STATUS_ACCESS_VIOLATION); /* [ENUM-10] */
    if ((uintptr_t)ObjectCursor % _Alignof(KTMOBJECT_CURSOR))
        return status_raise(STATUS_DATATYPE_MISALIGNMENT);
    if (ObjectCursorLength < sizeof(KTMOBJECT_CURSOR))
        return status_raise(STATUS_INVALID_PARAMETER); /* [ENUM-08] */
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        owned(handle_release) struct handle *root = NULL;

        if (queries[i].query != QueryType || (queries[i].root != 0) != (RootObjectHandle != NULL))
            continue;
        if (RootObjectHandle)
            TRY(service_handle_of(queries[i].root, queries[i].right, RootObjectHandle, &root));
        return list(root ? root->object : NULL, queries[i].kind, ObjectCursor, ObjectCursorLength,
                    ReturnLength);
    }
    return status_raise(STATUS_INVALID_PARAMETER); /* [ENUM-07] */
}
