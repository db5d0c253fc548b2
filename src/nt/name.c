/* SPDX-License-Identifier: MIT */
/* The table of names: one lock, chained buckets by the case-folded text. */
#include "nt/name.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/guid.h"
#include "nt/any.h"
#include "nt/handle.h"
#include "sys/thread.h"

#define NAME_UNITS_MIN 2
#define NAME_UNITS_MAX 256
#define BUCKETS        256u

struct name {
    struct name *next;     /* in its bucket */
    struct object *object; /* NULL: claimed */
    const void *claimer;   /* the thread, while claimed */
    uint32_t handles;
    uint32_t hash;
    bool is_blank; /* has no text and is in no bucket */
    bool allows_protocols;
    size_t count;
    uint16_t units[];
};

struct protocol {
    struct protocol *next;
    const struct name *owner;
    GUID guid;
};

static struct {
    struct sys_mutex lock;
    struct name *buckets[BUCKETS];
    struct protocol *protocols;
    _Atomic uint32_t settled; /* changes whenever a claim ends */
} names = {.lock = {PTHREAD_MUTEX_INITIALIZER}};

/* ---- text -------------------------------------------------------------------------------------
 */

/* Upper case of the scripts that have case and whose letters pair up simply: Latin, Greek,
 * Cyrillic, Armenian. What is outside compares as it is. */
static uint16_t
fold(uint16_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? (uint16_t)(c - 0x20) : c;
    if ((c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0x3b1 && c <= 0x3cb && c != 0x3c2) ||
        (c >= 0x430 && c <= 0x44f))
        return (uint16_t)(c - 0x20);
    if (c >= 0x450 && c <= 0x45f)
        return (uint16_t)(c - 0x50);
    if (c >= 0x561 && c <= 0x586)
        return (uint16_t)(c - 0x30);
    if ((c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) || (c >= 0x14a && c <= 0x177) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) ||
        (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff))
        return (uint16_t)(c & ~1); /* pairs: even upper, odd lower */
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return (uint16_t)(c - (c % 2 == 0)); /* pairs: odd upper, even lower */
    return c;
}

static uint32_t
hash_of(const uint16_t *units, size_t count)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ fold(units[i])) * 16777619u;
    return hash;
}

static bool
same_text(const struct name *name, const uint16_t *units, size_t count, bool fold_case)
{
    if (name->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (name->units[i] != units[i] && (!fold_case || fold(name->units[i]) != fold(units[i])))
            return false;
    return true;
}

static NTSTATUS
root_check(HANDLE root)
{
    owned(handle_release) struct handle *slot = NULL;

    TRY(handle_acquire(root, &slot));
    return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
}

NTSTATUS
name_check(const OBJECT_ATTRIBUTES *attributes, const UNICODE_STRING **text)
{
    const UNICODE_STRING *name = attributes ? attributes->ObjectName : NULL;

    *text = NULL;
    if (!attributes)
        return STATUS_SUCCESS; /* [OBJ-01] */
    if (attributes->Length != sizeof(*attributes) ||
        (attributes->Attributes & (~(ULONG)OBJ_VALID_ATTRIBUTES | OBJ_PERMANENT)))
        return status_raise(STATUS_INVALID_PARAMETER); /* [OBJ-02] */
    if (!name)
        return STATUS_SUCCESS;
    if (name->Length % sizeof(WCHAR) || name->Length == 0)
        return status_raise(STATUS_OBJECT_NAME_INVALID);
    if (!name->Buffer)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (attributes->RootDirectory)
        return root_check(attributes->RootDirectory);
    if (name->Buffer[0] != '\\')
        return status_raise(STATUS_OBJECT_PATH_SYNTAX_BAD); /* [OBJ-06] */
    if (name->Length / sizeof(WCHAR) < NAME_UNITS_MIN ||
        name->Length / sizeof(WCHAR) > NAME_UNITS_MAX)
        return status_raise(STATUS_OBJECT_NAME_INVALID); /* [NAME-06] */
    *text = name;
    return STATUS_SUCCESS;
}

/* ---- the table --------------------------------------------------------------------------------
 */

/* Under the lock. An exact match wins over one that differs in case. */
static struct name *
find(const UNICODE_STRING *text, ULONG attributes, uint32_t hash)
{
    size_t count = text->Length / sizeof(WCHAR);
    struct name *like = NULL;

    for (struct name *it = names.buckets[hash % BUCKETS]; it; it = it->next) {
        if (it->hash != hash)
            continue;
        if (same_text(it, (const uint16_t *)text->Buffer, count, false))
            return it;
        if (!like && (attributes & OBJ_CASE_INSENSITIVE) &&
            same_text(it, (const uint16_t *)text->Buffer, count, true))
            like = it;
    }
    return like;
}

static const void *
this_thread(void)
{
    static _Thread_local char here;

    return &here;
}

/* Takes the lock; returns with it held and the name settled, or absent, or claimed by this very
 * thread (a callback of the create call): that is not waited for. */
static struct name *
lock_and_find(const UNICODE_STRING *text, ULONG attributes, uint32_t hash)
{
    for (;;) {
        uint32_t seen;
        struct name *name;

        sys_mutex_lock(&names.lock);
        name = find(text, attributes, hash);
        if (!name || name->object || name->claimer == this_thread())
            return name;
        seen = atomic_load(&names.settled);
        sys_mutex_unlock(&names.lock);
        sys_wait(&names.settled, seen, SYS_FOREVER);
    }
}

/* Under the lock. */
static void
unlink_name(struct name *name)
{
    struct name **link = &names.buckets[name->hash % BUCKETS];

    if (name->is_blank)
        return;
    while (*link != name)
        link = &(*link)->next;
    *link = name->next;
}

static void
settle(void)
{
    atomic_fetch_add(&names.settled, 1);
    sys_mutex_unlock(&names.lock);
    sys_wake(&names.settled, INT_MAX);
}

/* Under the lock: one more handle to the named object, if it is of that kind. */
static NTSTATUS
open_found(struct name *name, uint8_t kind, struct object **found)
{
    if (name->object->kind != kind)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH); /* [OBJ-09] */
    TRY(any_handle_open(name->object));                   /* [OBJ-21] */
    name->handles++;
    *found = name->object;
    return STATUS_SUCCESS;
}

NTSTATUS
name_claim(const UNICODE_STRING *text, ULONG attributes, uint8_t kind, struct name **out,
           struct object **found)
{
    size_t count = text->Length / sizeof(WCHAR);
    uint32_t hash = hash_of((const uint16_t *)text->Buffer, count);
    struct name *fresh = malloc(sizeof(*fresh) + text->Length);
    struct name *name;
    NTSTATUS status = STATUS_SUCCESS;

    if (!fresh)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    name = lock_and_find(text, attributes, hash);
    if (!name) {
        *fresh = (struct name){.claimer = this_thread(), .hash = hash, .count = count};
        memcpy(fresh->units, text->Buffer, text->Length);
        fresh->next = names.buckets[hash % BUCKETS];
        names.buckets[hash % BUCKETS] = fresh;
        *out = give(fresh);
    } else if ((attributes & OBJ_OPENIF) && name->object) {
        status = open_found(name, kind, found);
        if (status == STATUS_SUCCESS)
            status = STATUS_OBJECT_NAME_EXISTS; /* [OBJ-08] */
    } else {
        status = status_raise(STATUS_OBJECT_NAME_COLLISION); /* [OBJ-07] */
    }
    sys_mutex_unlock(&names.lock);
    free(fresh);
    return status;
}

NTSTATUS
name_claim_blank(struct name **out)
{
    struct name *fresh = malloc(sizeof(*fresh));

    if (!fresh)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    *fresh = (struct name){.is_blank = true};
    *out = fresh;
    return STATUS_SUCCESS;
}

void
name_give(struct name *name, struct object *object)
{
    CHECK(object->name == NULL);
    sys_mutex_lock(&names.lock);
    CHECK(name->object == NULL);
    name->object = object;
    name->handles = 1;
    __atomic_store_n(&object->name, name, __ATOMIC_RELEASE);
    settle();
}

void
name_drop(struct name *name)
{
    if (!name)
        return;
    sys_mutex_lock(&names.lock);
    CHECK(name->object == NULL);
    unlink_name(name);
    settle();
    free(name);
}

NTSTATUS
name_open(const UNICODE_STRING *text, ULONG attributes, uint8_t kind, struct object **found)
{
    uint32_t hash = hash_of((const uint16_t *)text->Buffer, text->Length / sizeof(WCHAR));
    struct name *name = lock_and_find(text, attributes, hash);
    NTSTATUS status;

    if (name && name->object)
        status = open_found(name, kind, found);
    else
        status = status_raise(STATUS_OBJECT_NAME_NOT_FOUND);
    sys_mutex_unlock(&names.lock);
    return status;
}

/* ---- protocols --------------------------------------------------------------------------------
 */

void
name_allow_protocols(struct name *name)
{
    name->allows_protocols = true;
}

/* Under the lock. */
static struct protocol *
protocol_find(const GUID *guid)
{
    struct protocol *it = names.protocols;

    while (it && !guid_equal(&it->guid, guid))
        it = it->next;
    return it;
}

NTSTATUS
name_register_protocol(struct object *rm, const GUID *guid)
{
    struct protocol *fresh = malloc(sizeof(*fresh));
    const struct name *name;
    NTSTATUS status = STATUS_SUCCESS;

    if (!fresh)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    sys_mutex_lock(&names.lock);
    name = rm->name;
    if (!name || !name->allows_protocols) {
        status = status_raise(STATUS_INVALID_PARAMETER);
    } else if (protocol_find(guid)) {
        status = status_raise(STATUS_CRM_PROTOCOL_ALREADY_EXISTS);
    } else {
        *fresh = (struct protocol){.next = names.protocols, .owner = name, .guid = *guid};
        names.protocols = give(fresh);
    }
    sys_mutex_unlock(&names.lock);
    free(fresh);
    return status;
}

/* Under the lock. */
static void
release_protocols(const struct name *owner)
{
    struct protocol **link = &names.protocols;

    while (*link) {
        struct protocol *it = *link;

        if (it->owner != owner) {
            link = &it->next;
            continue;
        }
        *link = it->next;
        free(it);
    }
}

/* ---- handles of named objects -----------------------------------------------------------------
 */

bool
name_handle_open(struct object *object)
{
    struct name *name;

    if (!__atomic_load_n(&object->name, __ATOMIC_ACQUIRE))
        return false; /* nearly all objects: no lock */
    sys_mutex_lock(&names.lock);
    name = object->name;
    if (name)
        name->handles++;
    sys_mutex_unlock(&names.lock);
    return name != NULL;
}

void
name_handle_close(struct object *object)
{
    struct name *name, *last = NULL;

    sys_mutex_lock(&names.lock);
    name = object->name;
    CHECK(name && name->handles > 0);
    if (--name->handles == 0) {
        unlink_name(name);
        release_protocols(name);
        __atomic_store_n(&object->name, NULL, __ATOMIC_RELEASE);
        last = name;
    }
    sys_mutex_unlock(&names.lock);
    free(last);
}

void
name_begin_anew(void)
{
    sys_mutex_init(&names.lock);
    memset(names.buckets, 0, sizeof(names.buckets));
    names.protocols = NULL;
}

void
name_forget_all(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (names.buckets[i]) {
            struct name *name = names.buckets[i];

            names.buckets[i] = name->next;
            free(name);
        }
    while (names.protocols) {
        struct protocol *protocol = names.protocols;

        names.protocols = protocol->next;
        free(protocol);
    }
}
