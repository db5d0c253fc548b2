/* SPDX-License-Identifier: MIT */
/* The table of services, the check of their handles, and forgetting them all. */
#include "nt/services.h"

#include "nt/any.h"
#include "nt/name.h"
#include "nt/nt.h"

#define SERVICE_ROW(name, kind, right, arguments)                                                  \
    [SERVICE_##name] = {#name, #arguments, kind, right},
const struct service services[SERVICES] = {NT_SERVICES(SERVICE_ROW)};

NTSTATUS
service_check_alive(const struct handle *slot)
{
    if (handle_is_expired(slot) || any_is_expired(slot->object))
        return status_raise(STATUS_TRANSACTION_OBJECT_EXPIRED); /* [OBJ-21] */
    return STATUS_SUCCESS;
}

NTSTATUS
service_handle_of(uint8_t kind, ACCESS_MASK right, HANDLE value, struct handle **out)
{
    owned(handle_release) struct handle *slot = NULL;

    TRY(handle_acquire(value, &slot));
    if (slot->object->kind != kind)
        return status_raise(STATUS_OBJECT_TYPE_MISMATCH);
    if (right & ~slot->access)
        return status_raise(STATUS_ACCESS_DENIED);
    TRY(service_check_alive(slot));
    *out = give(slot);
    return STATUS_SUCCESS;
}

NTSTATUS
service_handle(enum service_number service, HANDLE value, struct handle **out)
{
    return service_handle_of(services[service].kind, services[service].right, value, out);
}

void
nt_forget_all(void)
{
    handle_forget_all();
    name_forget_all();
}
