/* SPDX-License-Identifier: MIT */
/* What is the same for every kind of object: closing, duplicating, waiting, pointers. */
#include "engine/engine.h"
#include "ktm.h"
#include "nt/access.h"
#include "nt/birth.h"
#include "nt/services.h"
#include "sys/thread.h"

/* ---- closing and duplicating ------------------------------------------------------------------
 */

NTSTATUS
service_Close(HANDLE Handle)
{
    struct handle *slot;
    struct object *object;

    TRY(handle_close(Handle, &slot));
    object = slot->object;
    if (handle_flags(slot) & HANDLE_NAMED)
        name_handle_close(object);
    any_handle_close(object); /* the last one: CLOSE family [OBJ-20] */
    handle_release(slot);
    return STATUS_SUCCESS;
}

#define DUPLICATE_OPTIONS                                                                          \
    (DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES)
#define HANDLE_ATTRIBUTES (OBJ_INHERIT | OBJ_PROTECT_CLOSE)

static unsigned
flags_of(ULONG attributes)
{
    unsigned flags = 0;

    if (attributes & OBJ_PROTECT_CLOSE)
        flags |= HANDLE_PROTECTED;
    if (attributes & OBJ_INHERIT)
        flags |= HANDLE_INHERITED;
    return flags;
}

/* A duplicate has at most the rights of its source. */
static NTSTATUS
duplicate_access(const struct handle *source, ACCESS_MASK desired, ULONG options,
                 ACCESS_MASK *granted)
{
    if (options & DUPLICATE_SAME_ACCESS)
        desired = source->access;
    else if (desired & MAXIMUM_ALLOWED)
        desired = (desired & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | source->access;
    TRY(access_grant(source->object->kind, desired, granted));
    if (*granted & ~source->access)
        return status_raise(STATUS_ACCESS_DENIED);
    return STATUS_SUCCESS;
}

static NTSTATUS
duplicate(HANDLE value, PHANDLE target, ACCESS_MASK desired, ULONG attributes, ULONG options)
{
    owned(handle_release) struct handle *source = NULL;
    struct handle *copy;
    ACCESS_MASK access;
    unsigned flags;
    NTSTATUS status;

    TRY(handle_acquire(value, &source));
    TRY(service_check_alive(source));
    TRY(duplicate_access(source, desired, options, &access));
    if ((options & DUPLICATE_CLOSE_SOURCE) && (handle_flags(source) & HANDLE_PROTECTED))
        return status_raise(STATUS_HANDLE_NOT_CLOSABLE);
    TRY(handle_reserve(&copy));
    status = any_handle_open(source->object);
    if (status != STATUS_SUCCESS) {
        handle_unreserve(copy);
        return status;
    }
    flags = (options & DUPLICATE_SAME_ATTRIBUTES)
                ? handle_flags(source) & (HANDLE_PROTECTED | HANDLE_INHERITED)
                : flags_of(attributes);
    if (name_handle_open(source->object))
        flags |= HANDLE_NAMED;
    *target = handle_publish(copy, source->object, access, flags);
    return STATUS_SUCCESS;
}

NTSTATUS
service_DuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle, HANDLE TargetProcessHandle,
                        PHANDLE TargetHandle, ACCESS_MASK DesiredAccess, ULONG HandleAttributes,
                        ULONG Options)
{
    bool closes = (Options & DUPLICATE_CLOSE_SOURCE) != 0;

    if (!TargetHandle && !closes)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if ((Options & ~(ULONG)DUPLICATE_OPTIONS) || (HandleAttributes & ~(ULONG)HANDLE_ATTRIBUTES))
        return status_raise(STATUS_INVALID_PARAMETER);
    if (SourceProcessHandle != NtCurrentProcess() ||
        (TargetHandle && TargetProcessHandle != NtCurrentProcess()))
        return status_raise(STATUS_INVALID_HANDLE); /* a table belongs to one process */
    if (TargetHandle)
        TRY(duplicate(SourceHandle, TargetHandle, DesiredAccess, HandleAttributes, Options));
    return closes ? service_Close(SourceHandle) : STATUS_SUCCESS;
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

/* A handle that can be waited on: existence, type, right [GEN-04, OBJ-19]. */
static NTSTATUS
wait_handle(HANDLE value, struct handle **out)
{
    owned(handle_release) struct handle *slot = NULL;

    TRY(handle_acquire(value, &slot));
    if (!access_type(slot->object->kind)->is_waitable)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (!(slot->access & SYNCHRONIZE))
        return status_raise(STATUS_ACCESS_DENIED);
    TRY(service_check_alive(slot));
    *out = give(slot);
    return STATUS_SUCCESS;
}

static NTSTATUS
deadline_of(PLARGE_INTEGER Timeout, uint64_t *deadline)
{
    struct engine *engine = engine_instance();

    if (!engine)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *deadline = engine_deadline(engine, Timeout);
    return STATUS_SUCCESS;
}

NTSTATUS
service_WaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    owned(handle_release) struct handle *slot = NULL;
    uint64_t deadline = 0;

    (void)Alertable; /* nothing alerts a thread here */
    TRY(wait_handle(Handle, &slot));
    TRY(deadline_of(Timeout, &deadline));
    return any_wait(&(struct waited){slot->object, slot->epoch}, deadline, true);
}

struct waiting {
    struct handle *slots[MAXIMUM_WAIT_OBJECTS];
    struct waited objects[MAXIMUM_WAIT_OBJECTS];
    ULONG count;
};

static void
owned_waiting(struct waiting *waiting)
{
    for (ULONG i = 0; i < waiting->count; i++)
        handle_release(waiting->slots[i]);
}

/* All are signalled at one moment: each may have been taken again while the others were waited for.
 */
static NTSTATUS
wait_all(const struct waiting *waiting, uint64_t deadline)
{
    NTSTATUS status;

    do {
        for (ULONG i = 0; i < waiting->count; i++)
            TRY(any_wait(&waiting->objects[i], deadline, false));
        status = any_take_all(waiting->objects, waiting->count);
    } while (status == STATUS_TIMEOUT);
    return status;
}

/* The first that is signalled, by its index: STATUS_WAIT_0 + index. STATUS_TIMEOUT: none is. */
static NTSTATUS
take_first(const struct waiting *waiting)
{
    for (ULONG i = 0; i < waiting->count; i++) {
        NTSTATUS status = any_wait(&waiting->objects[i], 0, true);

        if (status != STATUS_TIMEOUT)
            return status == STATUS_SUCCESS ? STATUS_WAIT_0 + (NTSTATUS)i : status;
    }
    return STATUS_TIMEOUT;
}

static NTSTATUS
wait_any(const struct waiting *waiting, uint64_t deadline)
{
    struct engine_watch watches[MAXIMUM_WAIT_OBJECTS];
    _Atomic uint32_t word = 0;
    bool is_late = deadline == 0;
    NTSTATUS status;

    for (ULONG i = 0; i < waiting->count; i++)
        any_watch_begin(&watches[i], waiting->objects[i].object, &word);
    for (;;) {
        uint32_t seen = atomic_load(&word);

        status = take_first(waiting);
        if (status != STATUS_TIMEOUT || is_late)
            break;
        is_late = !sys_wait(&word, seen, deadline); /* then one last look */
    }
    for (ULONG i = 0; i < waiting->count; i++)
        any_watch_end(&watches[i]);
    return status;
}

NTSTATUS
service_WaitForMultipleObjects(ULONG Count, HANDLE Handles[], WAIT_TYPE WaitType, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout)
{
    owned(waiting) struct waiting waiting = {0};
    uint64_t deadline = 0;

    (void)Alertable;
    if (!Handles)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (Count == 0 || Count > MAXIMUM_WAIT_OBJECTS)
        return status_raise(STATUS_INVALID_PARAMETER_1);
    if (WaitType != WaitAll && WaitType != WaitAny)
        return status_raise(STATUS_INVALID_PARAMETER_3);
    for (ULONG i = 0; i < Count; i++) {
        TRY(wait_handle(Handles[i], &waiting.slots[i]));
        waiting.objects[i] = (struct waited){waiting.slots[i]->object, waiting.slots[i]->epoch};
        waiting.count++;
    }
    TRY(deadline_of(Timeout, &deadline));
    return WaitType == WaitAll ? wait_all(&waiting, deadline) : wait_any(&waiting, deadline);
}

NTSTATUS
KtmGetWaitFd(HANDLE Handle, int *fd)
{
    owned(handle_release) struct handle *slot = NULL;

    if (!fd)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(wait_handle(Handle, &slot));
    return any_wait_fd(slot->object, fd);
}

/* ---- pointers ---------------------------------------------------------------------------------
 */

static POBJECT_TYPE tm_type, rm_type, tx_type, en_type;
POBJECT_TYPE *TmTransactionManagerObjectType = &tm_type;
POBJECT_TYPE *TmResourceManagerObjectType = &rm_type;
POBJECT_TYPE *TmTransactionObjectType = &tx_type;
POBJECT_TYPE *TmEnlistmentObjectType = &en_type;

__attribute__((constructor)) static void
types_init(void)
{
    tm_type = (POBJECT_TYPE)access_type(OBJECT_TM);
    rm_type = (POBJECT_TYPE)access_type(OBJECT_RM);
    tx_type = (POBJECT_TYPE)access_type(OBJECT_TX);
    en_type = (POBJECT_TYPE)access_type(OBJECT_EN);
}

static bool
has_type(const struct object *object, const struct _OBJECT_TYPE *type)
{
    return !type || object->kind == type->kind;
}

NTSTATUS
ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                          KPROCESSOR_MODE AccessMode, PVOID *Object,
                          POBJECT_HANDLE_INFORMATION HandleInformation)
{
    owned(handle_release) struct handle *slot = NULL;

    (void)AccessMode; /* rights are checked for both [TMR-01] */
    if (!Object)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(handle_acquire(Handle, &slot));
    if (!has_type(slot->object, ObjectType))
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (DesiredAccess & ~slot->access)
        return status_raise(STATUS_ACCESS_DENIED);
    TRY(service_check_alive(slot));
    any_hold(slot->object); /* [TMR-02] */
    *Object = slot->object;
    if (HandleInformation) {
        unsigned flags = handle_flags(slot);

        HandleInformation->HandleAttributes = (flags & HANDLE_INHERITED ? OBJ_INHERIT : 0) |
                                              (flags & HANDLE_PROTECTED ? OBJ_PROTECT_CLOSE : 0);
        HandleInformation->GrantedAccess = slot->access;
    }
    return STATUS_SUCCESS;
}

NTSTATUS
ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                           KPROCESSOR_MODE AccessMode)
{
    (void)DesiredAccess; /* a pointer carries no rights */
    (void)AccessMode;
    if (!Object)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!has_type(Object, ObjectType))
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (engine_is_inherited(Object))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    any_hold(Object);
    return STATUS_SUCCESS;
}

LONG_PTR
ObReferenceObject(PVOID Object)
{
    struct object *object = Object;

    any_hold(object);
    return (LONG_PTR)atomic_load(&object->holds);
}

LONG_PTR
ObDereferenceObject(PVOID Object)
{
    struct object *object = Object;
    LONG_PTR holds = (LONG_PTR)atomic_load(&object->holds) - 1;

    if (engine_is_inherited(object))
        return holds;    /* the process this one was forked from frees its own */
    any_release(object); /* frees at most: it sends nothing and calls nobody [TMR-04] */
    return holds;
}

NTSTATUS
ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                      ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                      KPROCESSOR_MODE AccessMode, PHANDLE Handle)
{
    const OBJECT_ATTRIBUTES attributes = {.Length = sizeof(attributes),
                                          .Attributes = HandleAttributes};
    owned(birth) struct birth birth = {0};
    struct object *object = Object;

    (void)PassedAccessState;
    (void)AccessMode;
    if (!object || !Handle)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (!has_type(object, ObjectType))
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (engine_is_inherited(object))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED);
    TRY(birth_check(&birth, object->kind, Handle, DesiredAccess, &attributes));
    TRY(any_handle_open(object)); /* [TMR-05] */
    birth_done(&birth, object);
    return STATUS_SUCCESS;
}

NTSTATUS
ExUuidCreate(UUID *Uuid)
{
    uint8_t random[16];

    if (!Uuid)
        return status_raise(STATUS_ACCESS_VIOLATION);
    sys_random(sys_linux(), random, sizeof(random));
    guid_from_random(random, Uuid); /* [OBJ-18] */
    return STATUS_SUCCESS;
}
