/* SPDX-License-Identifier: MIT */
/* Events: objects that are signalled by hand, for OVERLAPPED and whoever needs one. */
#include <stdlib.h>

#include "nt/birth.h"
#include "nt/own.h"
#include "nt/services.h"

struct event {
    struct object object;
    bool resets_itself; /* one wait takes the signal */
};

#define AS_EVENT(o) container_of(o, struct event, object)

static struct object *
event_create(EVENT_TYPE type, bool is_signalled)
{
    struct event *event = malloc(sizeof(*event));

    if (!event)
        return NULL;
    own_init(&event->object, OBJECT_EVENT);
    event->resets_itself = type == SynchronizationEvent;
    if (is_signalled)
        own_signal(&event->object);
    return &event->object;
}

void
event_destroy(struct object *event)
{
    free(AS_EVENT(event));
}

bool
event_resets_itself(const struct object *event)
{
    return container_of(event, const struct event, object)->resets_itself;
}

bool
event_set(struct object *event)
{
    bool was_set;

    own_lock();
    was_set = (atomic_load(&event->signal) & SIGNAL_SET) != 0;
    own_signal(event);
    own_unlock();
    own_wake(event);
    return was_set;
}

bool
event_reset(struct object *event)
{
    bool was_set;

    own_lock();
    was_set = (atomic_load(&event->signal) & SIGNAL_SET) != 0;
    own_unsignal(event);
    own_unlock();
    return was_set;
}

/* ---- services ---- */

NTSTATUS
service_CreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess,
                    POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE EventType, BOOLEAN InitialState)
{
    owned(birth) struct birth birth = {0};
    struct object *event;

    if (EventType != NotificationEvent && EventType != SynchronizationEvent)
        return status_raise(STATUS_INVALID_PARAMETER);
    TRY(birth_check(&birth, OBJECT_EVENT, EventHandle, DesiredAccess, ObjectAttributes));
    TRY(birth_claim(&birth));
    event = event_create(EventType, InitialState != 0);
    if (!event)
        return status_raise(STATUS_INSUFFICIENT_RESOURCES);
    birth_done(&birth, event);
    return STATUS_SUCCESS;
}

NTSTATUS
service_SetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    owned(handle_release) struct handle *event = NULL;
    bool was_set;

    TRY(service_handle(SERVICE_SetEvent, EventHandle, &event));
    was_set = event_set(event->object);
    if (PreviousState)
        *PreviousState = was_set;
    return STATUS_SUCCESS;
}

NTSTATUS
service_ResetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    owned(handle_release) struct handle *event = NULL;
    bool was_set;

    TRY(service_handle(SERVICE_ResetEvent, EventHandle, &event));
    was_set = event_reset(event->object);
    if (PreviousState)
        *PreviousState = was_set;
    return STATUS_SUCCESS;
}
