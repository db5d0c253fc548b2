/* SPDX-License-Identifier: MIT */
/* Handing out handles, in steps that can fail and one last step that cannot. */
#include "nt/birth.h"

#include "nt/access.h"

NTSTATUS
birth_check(struct birth *birth, uint8_t kind, PHANDLE out, ACCESS_MASK desired,
            const OBJECT_ATTRIBUTES *attributes)
{
    if (!out)
        return status_raise(STATUS_ACCESS_VIOLATION);
    TRY(name_check(attributes, &birth->text));
    TRY(access_grant(kind, desired, &birth->access));
    birth->kind = kind;
    birth->out = out;
    birth->attributes = attributes ? attributes->Attributes : 0;
    return handle_reserve(&birth->slot);
}

NTSTATUS
birth_check_open(struct birth *birth, uint8_t kind, PHANDLE out, ACCESS_MASK desired,
                 const OBJECT_ATTRIBUTES *attributes)
{
    if (!out)
        return status_raise(STATUS_ACCESS_VIOLATION);
    if (desired == 0 || (attributes && attributes->ObjectName))
        return status_raise(STATUS_INVALID_PARAMETER); /* [OBJ-11, OBJ-14] */
    return birth_check(birth, kind, out, desired, attributes);
}

static void
publish(struct birth *birth, struct object *object, bool is_named)
{
    unsigned flags = (birth->attributes & OBJ_INHERIT) ? HANDLE_INHERITED : 0;

    if (is_named)
        flags |= HANDLE_NAMED;
    *birth->out = handle_publish(give(birth->slot), object, birth->access, flags);
}

NTSTATUS
birth_claim(struct birth *birth)
{
    struct object *found = NULL;
    NTSTATUS status;

    if (!birth->text)
        return STATUS_SUCCESS;
    status = name_claim(birth->text, birth->attributes, birth->kind, &birth->name, &found);
    if (found)
        publish(birth, found, true);
    return status;
}

void
birth_done(struct birth *birth, struct object *object)
{
    bool is_named = birth->name != NULL;

    CHECK(object->kind == birth->kind);
    if (is_named)
        name_give(give(birth->name), object);
    else
        is_named = name_handle_open(object);
    publish(birth, object, is_named);
}

void
birth_done_named(struct birth *birth, struct object *object)
{
    publish(birth, object, true);
}

void
owned_birth(struct birth *birth)
{
    handle_unreserve(birth->slot);
    name_drop(birth->name);
}
